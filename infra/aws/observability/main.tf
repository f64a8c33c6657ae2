# Alarms on what the audit lines say (denials out of their usual band, keys that cannot be had, audit failures), on the function and
# on the API that asks it.

terraform {
  required_version = ">= 1.9"
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
  audited   = var.log_group_name != null

  # HTTP and REST APIs count the same under other names.
  # https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-metrics.html
  # https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-metrics-and-dimensions.html
  apis = var.api == null ? {} : {
    api = var.api.id != null ? { errors = "5xx", dimensions = { ApiId = var.api.id } } : { errors = "5XXError", dimensions = { ApiName = var.api.name } }
  }

  bands = merge(
    local.audited ? {
      Denials = {
        namespace = local.namespace, metric = "Denials", dimensions = {}
        says      = "More requests are denied than usual: an attack, a broken consumer, or a configuration that went wrong. Look at status_code in ${var.log_group_name}."
      }
      KeyFailures = {
        namespace = local.namespace, metric = "KeyFailures", dimensions = {}
        says      = "Keys fail more often than usual: the key endpoint is slow or partly down, or somebody sends tokens whose keys do not exist."
      }
    } : {},
    { for name, api in local.apis : "ServerErrors" => {
      namespace = "AWS/ApiGateway", metric = api.errors, dimensions = api.dimensions
      says      = "The API answers with more 5xx than usual."
    } },
  )
}

resource "aws_cloudwatch_log_metric_filter" "this" {
  for_each       = local.audited ? local.filters : {}
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
resource "aws_cloudwatch_metric_alarm" "unusual" {
  for_each            = local.bands
  alarm_name          = "${var.name}-unusual-${each.key}"
  alarm_description   = each.value.says
  comparison_operator = "GreaterThanUpperThreshold"
  evaluation_periods  = 3
  datapoints_to_alarm = 2
  threshold_metric_id = "band"
  treat_missing_data  = "notBreaching"
  alarm_actions       = var.alarm_topic_arns
  ok_actions          = var.alarm_topic_arns
  tags                = var.tags

  metric_query {
    id          = "counted"
    return_data = true
    metric {
      namespace   = each.value.namespace
      metric_name = each.value.metric
      dimensions  = each.value.dimensions
      period      = 300
      stat        = "Sum"
    }
  }
  metric_query {
    id          = "band"
    expression  = "ANOMALY_DETECTION_BAND(counted, ${var.band_width})"
    label       = "usual"
    return_data = true
  }

  depends_on = [aws_cloudwatch_log_metric_filter.this]
}

resource "aws_cloudwatch_metric_alarm" "failures" {
  for_each = !local.audited ? {} : {
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

# Shares of all requests or calls, so that a dead authorizer shows in a quiet hour as in a busy one, and from the first day on, when
# no band has been learnt yet.
resource "aws_cloudwatch_metric_alarm" "share" {
  for_each = merge(
    # A refused token is an error of the function to Lambda (`Unauthorized` is how an authorizer says 401); that nearly all are
    # refused is not usual.
    { Errors = {
      namespace = "AWS/Lambda", errors = "Errors", all = "Invocations", dimensions = { FunctionName = var.function_name }, threshold = var.error_percent
      says      = "Nearly every call of the function fails: it does not start, or no token is good any more."
    } },
    { for name, api in local.apis : "ServerErrors" => {
      namespace = "AWS/ApiGateway", errors = api.errors, all = "Count", dimensions = api.dimensions, threshold = var.server_error_percent
      says      = "The API answers with 5xx: its function fails or may not be invoked, a key cannot be had, or the backend is down."
    } },
  )
  alarm_name          = "${var.name}-${each.key}"
  alarm_description   = each.value.says
  threshold           = each.value.threshold
  evaluation_periods  = 5
  datapoints_to_alarm = 3
  comparison_operator = "GreaterThanOrEqualToThreshold"
  treat_missing_data  = "notBreaching"
  alarm_actions       = var.alarm_topic_arns
  ok_actions          = var.alarm_topic_arns
  tags                = var.tags

  metric_query {
    id          = "percent"
    expression  = "100 * failed / total"
    label       = "percent"
    return_data = true
  }
  dynamic "metric_query" {
    for_each = { failed = each.value.errors, total = each.value.all }
    content {
      id = metric_query.key
      metric {
        namespace   = each.value.namespace
        metric_name = metric_query.value
        dimensions  = each.value.dimensions
        period      = 60
        stat        = "Sum"
      }
    }
  }
}

resource "aws_cloudwatch_metric_alarm" "throttles" {
  alarm_name          = "${var.name}-Throttles"
  alarm_description   = "The function is throttled; API Gateway answers 500. Raise the account's limit, or reserved_concurrency."
  namespace           = "AWS/Lambda"
  metric_name         = "Throttles"
  dimensions          = { FunctionName = var.function_name }
  statistic           = "Sum"
  period              = 60
  evaluation_periods  = 5
  datapoints_to_alarm = 3
  threshold           = 1
  comparison_operator = "GreaterThanOrEqualToThreshold"
  treat_missing_data  = "notBreaching"
  alarm_actions       = var.alarm_topic_arns
  ok_actions          = var.alarm_topic_arns
  tags                = var.tags
}
