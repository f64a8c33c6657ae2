mock_provider "aws" {
  source = "../mocks"
}
mock_provider "archive" {
  mock_data "archive_file" {
    defaults = { output_path = "../mocks/package.zip", output_base64sha256 = "AA==" }
  }
}

variables {
  name            = "drawbridge-orders"
  package         = "../mocks/package.zip"
  config          = "{\"issuers\":{},\"backends\":{\"orders\":{}}}"
  log_kms_key_arn = "arn:aws:kms:eu-west-1:123456789012:key/11111111-2222-3333-4444-555555555555"
}

run "the_runtime_and_the_configuration" {
  command = plan
  assert {
    condition     = aws_lambda_function.this.runtime == "provided.al2023" && aws_lambda_function.this.handler == "bootstrap"
    error_message = "the function should be a bootstrap on provided.al2023"
  }
  assert {
    condition     = aws_lambda_function.this.architectures[0] == "arm64"
    error_message = "arm64 should be the default"
  }
  assert {
    condition     = aws_lambda_function.this.environment[0].variables["DRAWBRIDGE_CONFIG"] == "/opt/drawbridge.json"
    error_message = "the configuration should be read from the layer"
  }
  assert {
    condition     = aws_cloudwatch_log_group.this.kms_key_id == var.log_kms_key_arn && aws_cloudwatch_log_group.this.retention_in_days == 365
    error_message = "logs should be encrypted and kept for a year"
  }
  assert {
    condition     = aws_lambda_function.this.reserved_concurrent_executions == -1
    error_message = "nothing should be reserved by default: an account may have ten instances altogether"
  }
  assert {
    condition     = length(aws_iam_role_policy.own) == 0
    error_message = "without a policy the function should be allowed nothing but logs and traces"
  }
}

run "the_log_policy_names_one_group" {
  command = plan
  assert {
    condition     = toset(data.aws_iam_policy_document.logs.statement[0].actions) == toset(["logs:CreateLogStream", "logs:PutLogEvents"])
    error_message = "the function should write logs and not manage them"
  }
}

run "a_package_that_is_no_zip" {
  command = plan
  variables { package = "bootstrap" }
  expect_failures = [var.package]
}

run "a_configuration_that_is_none" {
  command = plan
  variables { config = "{}" }
  expect_failures = [var.config]
}

run "no_concurrency_at_all" {
  command = plan
  variables { reserved_concurrency = 0 }
  expect_failures = [var.reserved_concurrency]
}

run "an_unknown_architecture" {
  command = plan
  variables { architecture = "riscv" }
  expect_failures = [var.architecture]
}

run "a_second_configuration" {
  command = plan
  variables { environment = { DRAWBRIDGE_CONFIG = "x" } }
  expect_failures = [var.environment]
}
