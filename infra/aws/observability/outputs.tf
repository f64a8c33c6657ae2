output "namespace" {
  description = "Namespace of the metrics, for dashboards."
  value       = local.namespace
}

output "alarm_names" {
  description = "Names of all alarms."
  value = concat(
    [for alarm in aws_cloudwatch_metric_alarm.unusual : alarm.alarm_name],
    [for alarm in aws_cloudwatch_metric_alarm.failures : alarm.alarm_name],
    [for alarm in aws_cloudwatch_metric_alarm.share : alarm.alarm_name],
    [aws_cloudwatch_metric_alarm.throttles.alarm_name],
  )
}
