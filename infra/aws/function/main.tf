# One Drawbridge function on Lambda: the binary, its role with nothing but logs, its configuration as a layer.

terraform {
  required_version = ">= 1.9"
  required_providers {
    aws     = { source = "hashicorp/aws", version = ">= 6.0" }
    archive = { source = "hashicorp/archive", version = ">= 2.4" }
  }
}

data "aws_iam_policy_document" "assume" {
  statement {
    actions = ["sts:AssumeRole"]
    principals {
      type        = "Service"
      identifiers = ["lambda.amazonaws.com"]
    }
  }
}

resource "aws_iam_role" "this" {
  name               = var.name
  assume_role_policy = data.aws_iam_policy_document.assume.json
  tags               = var.tags
}

resource "aws_cloudwatch_log_group" "this" {
  #checkov:skip=CKV_AWS_338:retention is the caller's choice; the audit trail is shipped elsewhere
  name              = "/aws/lambda/${var.name}"
  retention_in_days = var.log_retention_days
  kms_key_id        = var.log_kms_key_arn
  tags              = var.tags
}

data "aws_iam_policy_document" "logs" {
  statement {
    sid       = "WriteOwnLogs"
    actions   = ["logs:CreateLogStream", "logs:PutLogEvents"]
    resources = ["${aws_cloudwatch_log_group.this.arn}:*"]
  }
}

resource "aws_iam_role_policy" "logs" {
  name   = "logs"
  role   = aws_iam_role.this.id
  policy = data.aws_iam_policy_document.logs.json
}

resource "aws_iam_role_policy" "own" {
  for_each = var.permissions
  name     = each.key
  role     = aws_iam_role.this.id
  policy   = each.value
}

# A function's environment holds at most 4 KB; the configuration file has no such bound as a layer.
data "archive_file" "config" {
  type        = "zip"
  output_path = "${path.root}/.terraform/${var.name}-config.zip"

  source {
    filename = "drawbridge.json"
    content  = var.config
  }
  dynamic "source" {
    for_each = var.policies
    content {
      filename = source.key
      content  = source.value
    }
  }
}

resource "aws_lambda_layer_version" "config" {
  layer_name       = "${var.name}-config"
  description      = "drawbridge.json and the policies that it names"
  filename         = data.archive_file.config.output_path
  source_code_hash = data.archive_file.config.output_base64sha256
}

resource "aws_lambda_function" "this" {
  #checkov:skip=CKV_AWS_116:invoked synchronously by API Gateway or Secrets Manager; a dead-letter queue is for asynchronous calls
  #checkov:skip=CKV_AWS_117:reaches only AWS endpoints and the key endpoint; a VPC would add a cold start and no protection
  #checkov:skip=CKV_AWS_272:code signing needs a signing profile of the account; pass a signed package and its configuration with `code_signing_config_arn`
  #checkov:skip=CKV_AWS_173:the environment holds no secret; it names files
  function_name                  = var.name
  role                           = aws_iam_role.this.arn
  filename                       = var.package
  source_code_hash               = filebase64sha256(var.package)
  handler                        = "bootstrap"
  runtime                        = "provided.al2023"
  architectures                  = [var.architecture]
  memory_size                    = var.memory_mb
  timeout                        = var.timeout_seconds
  reserved_concurrent_executions = var.reserved_concurrency
  code_signing_config_arn        = var.code_signing_config_arn
  layers                         = [aws_lambda_layer_version.config.arn]
  tags                           = var.tags

  environment {
    variables = merge(var.environment, { DRAWBRIDGE_CONFIG = "/opt/drawbridge.json" })
  }

  logging_config {
    log_format = "Text" # each line is a JSON object already
    log_group  = aws_cloudwatch_log_group.this.name
  }

  tracing_config {
    mode = "Active"
  }

  # Whoever waits for the function waits for what it may do: the first rotation is asked for at once.
  depends_on = [aws_iam_role_policy.logs, aws_iam_role_policy.own]
}

data "aws_iam_policy_document" "tracing" {
  statement {
    sid       = "WriteTraces"
    actions   = ["xray:PutTraceSegments", "xray:PutTelemetryRecords"]
    resources = ["*"] # these actions take no resource
  }
}

resource "aws_iam_role_policy" "tracing" {
  #checkov:skip=CKV_AWS_355:X-Ray's actions take no resource
  #checkov:skip=CKV_AWS_290:X-Ray's actions take no resource
  name   = "tracing"
  role   = aws_iam_role.this.id
  policy = data.aws_iam_policy_document.tracing.json
}
