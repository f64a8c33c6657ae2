output "namespace" {
  description = "Namespace of the metrics, for dashboards."
  value       = local.namespace
}

output "alarm_names" {
  description = "Names of all alarms."
  value = concat(
    [aws_cloudwatch_metric_alarm.denials.alarm_name],
    [for alarm in aws_cloudwatch_metric_alarm.failures : alarm.alarm_name],
    [for alarm in aws_cloudwatch_metric_alarm.function : alarm.alarm_name],
  )
}
