output "url" {
  description = "Where the API answers: the backend's `upstream` in the edge's drawbridge.yaml."
  value       = var.domain == null ? aws_apigatewayv2_api.this.api_endpoint : "https://${var.domain.name}"
}

output "api_id" {
  description = "Id of the API, for alarms."
  value       = aws_apigatewayv2_api.this.id
}

output "stage_arn" {
  description = "ARN of the stage."
  value       = aws_apigatewayv2_stage.this.arn
}
