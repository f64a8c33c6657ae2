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

output "domain_target" {
  description = "What an alias record for the domain points to: `name` and `zone_id`; null without a domain."
  value = var.domain == null ? null : {
    name    = aws_apigatewayv2_domain_name.this[0].domain_name_configuration[0].target_domain_name
    zone_id = aws_apigatewayv2_domain_name.this[0].domain_name_configuration[0].hosted_zone_id
  }
}
