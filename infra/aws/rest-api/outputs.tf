output "url" {
  description = "Where the API answers: the backend's `upstream` in the edge's drawbridge.yaml."
  value       = var.domain == null ? aws_api_gateway_stage.this.invoke_url : "https://${var.domain.name}"
}

output "stage_arn" {
  description = "ARN of the stage, for the waf module."
  value       = aws_api_gateway_stage.this.arn
}

output "api_name" {
  description = "Name of the API, for alarms."
  value       = aws_api_gateway_rest_api.this.name
}

output "domain_target" {
  description = "What an alias record for the domain points to: `name` and `zone_id`; null without a domain."
  value = var.domain == null ? null : {
    name    = aws_api_gateway_domain_name.this[0].regional_domain_name
    zone_id = aws_api_gateway_domain_name.this[0].regional_zone_id
  }
}
