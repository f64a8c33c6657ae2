output "upstream" {
  description = "What to write at `backends.*.upstream` of the edge's drawbridge.yaml."
  value       = var.gateway == "http" ? module.http_api[0].url : module.rest_api[0].url
}

output "jwks" {
  description = "What to write at `issuers.*.keys.jwks`."
  value       = module.jwks.url_template
}

output "bridge_policy_arn" {
  description = "What to attach to the role that the bridge runs as."
  value       = aws_iam_policy.bridge.arn
}

output "alarm_topic_arn" {
  description = "Topic that is told of alarms, for further subscriptions."
  value       = aws_sns_topic.alarms.arn
}

output "domain_target" {
  description = "What an alias record for the domain points to: `name` and `zone_id`; null without a domain."
  value       = one(concat(module.http_api[*].domain_target, module.rest_api[*].domain_target))
}
