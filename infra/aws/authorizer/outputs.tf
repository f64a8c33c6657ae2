output "invoke_arn" {
  description = "ARN by which API Gateway invokes the authorizer."
  value       = module.function.invoke_arn
}

output "function_name" {
  description = "Name of the function, for permissions and alarms."
  value       = module.function.name
}

output "log_group_name" {
  description = "Log group with one audit line a decision."
  value       = module.function.log_group_name
}

output "http_response" {
  description = "What it answers to an HTTP API 2.0: simple or iam."
  value       = var.http_response
}

output "function_arn" {
  description = "ARN of the function."
  value       = module.function.arn
}

output "role_arn" {
  description = "ARN of the function's role, for the `readers` of decryption secrets."
  value       = module.function.role_arn
}
