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
    condition     = [for query in aws_cloudwatch_metric_alarm.denials.metric_query : query.expression if query.id == "band"][0] == "ANOMALY_DETECTION_BAND(denials, 3)"
    error_message = "denials should be held against their usual number"
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

run "an_alarm_that_tells_nobody" {
  command = plan
  variables { alarm_topic_arns = [] }
  expect_failures = [var.alarm_topic_arns]
}

run "a_band_of_no_width" {
  command = plan
  variables { denial_band_width = 0 }
  expect_failures = [var.denial_band_width]
}
