output "url_template" {
  description = "What to write at `issuers.*.keys.jwks` of drawbridge.yaml."
  value       = "${aws_apigatewayv2_api.this.api_endpoint}/jwks/{backend}/{kid}"
}

output "function_name" {
  description = "Name of the function, for alarms."
  value       = module.function.name
}

output "log_group_name" {
  description = "Log group of the function."
  value       = module.function.log_group_name
}

output "role_arn" {
  description = "ARN of the function's role, for the `readers` of signing secrets."
  value       = module.function.role_arn
}

output "api_id" {
  description = "Id of the API, for alarms."
  value       = aws_apigatewayv2_api.this.id
}
