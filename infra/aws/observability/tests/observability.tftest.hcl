mock_provider "aws" {
  source = "../mocks"
}

variables {
  name             = "orders"
  log_group_name   = "/aws/lambda/drawbridge-orders"
  function_name    = "drawbridge-orders"
  alarm_topic_arns = ["arn:aws:sns:eu-west-1:123456789012:oncall"]
}

run "denials_have_a_band_and_key_failures_an_alarm" {
  command = plan
  assert {
    condition     = keys(aws_cloudwatch_metric_alarm.unusual) == ["Denials", "KeyFailures"] && alltrue([for alarm in aws_cloudwatch_metric_alarm.unusual : [for query in alarm.metric_query : query.expression if query.id == "band"][0] == "ANOMALY_DETECTION_BAND(counted, 3)"])
    error_message = "denials and key failures should be held against their usual number"
  }
  assert {
    condition     = strcontains(aws_cloudwatch_log_metric_filter.this["KeyFailures"].pattern, "key.unavailable")
    error_message = "a key that cannot be had should be counted"
  }
  assert {
    condition     = alltrue([for alarm in aws_cloudwatch_metric_alarm.failures : toset(alarm.alarm_actions) == toset(var.alarm_topic_arns)])
    error_message = "every alarm should tell somebody"
  }
}

run "an_http_api_that_answers_5xx" {
  command = plan
  variables { api = { id = "a1b2c3" } }
  assert {
    condition     = contains(keys(aws_cloudwatch_metric_alarm.unusual), "ServerErrors")
    error_message = "5xx should be held against their usual number"
  }
  assert {
    condition     = [for query in aws_cloudwatch_metric_alarm.share["ServerErrors"].metric_query : "${query.metric[0].metric_name} ${query.metric[0].dimensions["ApiId"]}" if query.id == "failed"][0] == "5xx a1b2c3"
    error_message = "an HTTP API counts 5xx by its id"
  }
  assert {
    condition     = aws_cloudwatch_metric_alarm.share["ServerErrors"].threshold == 5 && aws_cloudwatch_metric_alarm.share["Errors"].threshold == 90
    error_message = "a dead authorizer should be an alarm whatever the load"
  }
}

run "a_rest_api_that_answers_5xx" {
  command = plan
  variables { api = { name = "orders" } }
  assert {
    condition     = [for query in aws_cloudwatch_metric_alarm.share["ServerErrors"].metric_query : "${query.metric[0].metric_name} ${query.metric[0].dimensions["ApiName"]}" if query.id == "failed"][0] == "5XXError orders"
    error_message = "a REST API counts 5XXError by its name"
  }
}

run "a_function_without_audit_lines" {
  command = plan
  variables {
    log_group_name = null
    api            = { id = "a1b2c3" }
  }
  assert {
    condition     = length(aws_cloudwatch_log_metric_filter.this) == 0 && length(aws_cloudwatch_metric_alarm.failures) == 0 && keys(aws_cloudwatch_metric_alarm.unusual) == ["ServerErrors"]
    error_message = "what is never logged should not be counted"
  }
}

run "an_api_of_two_kinds" {
  command = plan
  variables { api = { id = "a1b2c3", name = "orders" } }
  expect_failures = [var.api]
}

run "an_alarm_that_tells_nobody" {
  command = plan
  variables { alarm_topic_arns = [] }
  expect_failures = [var.alarm_topic_arns]
}

run "a_band_of_no_width" {
  command = plan
  variables { band_width = 0 }
  expect_failures = [var.band_width]
}
