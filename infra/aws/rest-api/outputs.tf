output "url" {
  description = "Where the API answers: the backend's `upstream` in the edge's drawbridge.yaml."
  value       = aws_api_gateway_stage.this.invoke_url
}

output "stage_arn" {
  description = "ARN of the stage, for the waf module."
  value       = aws_api_gateway_stage.this.arn
}

output "api_name" {
  description = "Name of the API, for alarms."
  value       = aws_api_gateway_rest_api.this.name
}
