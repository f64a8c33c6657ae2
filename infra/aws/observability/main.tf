# Alarms on what the audit lines say: denials out of their usual band, keys that cannot be had, audit or authorizer failures.

terraform {
  required_version = ">= 1.7"
  required_providers {
    aws = { source = "hashicorp/aws", version = ">= 6.0" }
  }
}

locals {
  # Audit lines are OCSF API Activity objects: status_code is the stable reason of the decision.
  filters = {
    Allows       = "{ $.class_uid = 6003 && $.status_id = 1 }"
    Denials      = "{ $.class_uid = 6003 && $.status_id = 2 }"
    KeyFailures  = "{ $.class_uid = 6003 && $.status_id = 2 && ($.status_code = \"key.unavailable\" || $.status_code = \"key.unusable\") }"
    ForeignKeys  = "{ $.class_uid = 6003 && $.status_id = 2 && $.status_code = \"key.foreign\" }"
    MintFailures = "{ $.class_uid = 6003 && $.status_id = 2 && ($.status_code = \"mint.failed\" || $.status_code = \"internal\") }"
  }
  namespace = "Drawbridge/${var.name}"
}

resource "aws_cloudwatch_log_metric_filter" "this" {
  for_each       = local.filters
  name           = "${var.name}-${each.key}"
  log_group_name = var.log_group_name
  pattern        = each.value

  metric_transformation {
    namespace     = local.namespace
    name          = each.key
    value         = "1"
    default_value = "0"
    unit          = "Count"
  }
}

# What is usual differs by hour and by backend, so the band is learnt rather than written down.
resource "aws_cloudwatch_metric_alarm" "denials" {
  alarm_name          = "${var.name}-denials"
  alarm_description   = "More requests are denied than usual: an attack, a broken consumer, or a configuration that went wrong. Look at status_code in ${var.log_group_name}."
  comparison_operator = "GreaterThanUpperThreshold"
  evaluation_periods  = 3
  datapoints_to_alarm = 2
  threshold_metric_id = "band"
  treat_missing_data  = "notBreaching"
  alarm_actions       = var.alarm_topic_arns
  ok_actions          = var.alarm_topic_arns
  tags                = var.tags

  metric_query {
    id          = "denials"
    return_data = true
    metric {
      namespace   = local.namespace
      metric_name = "Denials"
      period      = 300
      stat        = "Sum"
    }
  }
  metric_query {
    id          = "band"
    expression  = "ANOMALY_DETECTION_BAND(denials, ${var.denial_band_width})"
    label       = "usual"
    return_data = true
  }

  depends_on = [aws_cloudwatch_log_metric_filter.this]
}

resource "aws_cloudwatch_metric_alarm" "failures" {
  for_each = {
    KeyFailures  = "A key could not be had or used: the key endpoint or store is down, or holds something that is refused. Requests are denied until it is back."
    ForeignKeys  = "Tokens of another backend's keys arrived here: a wrong route at the edge, or somebody tries tokens elsewhere."
    MintFailures = "A token could not be minted, or a decision could not be put on record."
  }
  alarm_name          = "${var.name}-${each.key}"
  alarm_description   = each.value
  namespace           = local.namespace
  metric_name         = each.key
  statistic           = "Sum"
  period              = 60
  evaluation_periods  = 3
  datapoints_to_alarm = 2
  threshold           = var.failure_threshold
  comparison_operator = "GreaterThanOrEqualToThreshold"
  treat_missing_data  = "notBreaching"
  alarm_actions       = var.alarm_topic_arns
  ok_actions          = var.alarm_topic_arns
  tags                = var.tags

  depends_on = [aws_cloudwatch_log_metric_filter.this]
}

resource "aws_cloudwatch_metric_alarm" "function" {
  for_each = {
    Errors    = "The function fails otherwise than by refusing a token; API Gateway answers 500."
    Throttles = "The function is throttled; API Gateway answers 500. Raise reserved_concurrency."
  }
  alarm_name          = "${var.name}-function-${lower(each.key)}"
  alarm_description   = each.value
  namespace           = "AWS/Lambda"
  metric_name         = each.key
  dimensions          = { FunctionName = var.function_name }
  statistic           = "Sum"
  period              = 60
  evaluation_periods  = 5
  datapoints_to_alarm = 3
  # A refused token is an error of the function to Lambda (`Unauthorized` is how an authorizer says 401), so errors alone need a band.
  threshold           = each.key == "Errors" ? var.error_threshold : 1
  comparison_operator = "GreaterThanOrEqualToThreshold"
  treat_missing_data  = "notBreaching"
  alarm_actions       = var.alarm_topic_arns
  ok_actions          = var.alarm_topic_arns
  tags                = var.tags
}
