# The key endpoint: GET /jwks/{backend}/{kid} on an HTTP API of its own, answering one key at a time.

terraform {
  required_version = ">= 1.9"
  required_providers {
    aws = { source = "hashicorp/aws", version = ">= 6.0" }
  }
}

data "aws_caller_identity" "current" {}
data "aws_partition" "current" {}
data "aws_region" "current" {}

# The public half of a secret is computed from its value, so this function reads signing secrets.
data "aws_iam_policy_document" "read" {
  dynamic "statement" {
    for_each = length(var.secret_arns) > 0 ? [1] : []
    content {
      sid       = "ReadKeysForPublication"
      actions   = ["secretsmanager:GetSecretValue"]
      resources = var.secret_arns
    }
  }
  dynamic "statement" {
    for_each = length(var.secret_arns) > 0 ? [1] : []
    content {
      sid       = "DecryptSecrets"
      actions   = ["kms:Decrypt"]
      resources = [var.secret_kms_key_arn]
      condition {
        test     = "StringEquals"
        variable = "kms:ViaService"
        values   = ["secretsmanager.${data.aws_region.current.region}.${data.aws_partition.current.dns_suffix}"]
      }
      condition {
        test     = "StringEquals"
        variable = "kms:EncryptionContext:SecretARN"
        values   = var.secret_arns
      }
    }
  }
  dynamic "statement" {
    for_each = length(var.key_names) > 0 ? [1] : []
    content {
      sid       = "ReadPublicKeys"
      actions   = ["kms:GetPublicKey", "kms:DescribeKey", "kms:ListResourceTags"]
      resources = ["arn:${data.aws_partition.current.partition}:kms:${data.aws_region.current.region}:${data.aws_caller_identity.current.account_id}:key/*"]
      # A rotation makes another key, with the same tag.
      condition {
        test     = "StringEquals"
        variable = "aws:ResourceTag/drawbridge:key"
        values   = var.key_names
      }
    }
  }
}

module "function" {
  source               = "../function"
  name                 = var.name
  package              = var.package
  config               = var.config
  policies             = var.policies
  architecture         = var.architecture
  permissions          = { read = data.aws_iam_policy_document.read.json }
  log_kms_key_arn      = var.log_kms_key_arn
  log_retention_days   = var.log_retention_days
  reserved_concurrency = var.reserved_concurrency
  tags                 = var.tags
}

resource "aws_apigatewayv2_api" "this" {
  name                         = var.name
  description                  = "Drawbridge key endpoint: one public key at a time"
  protocol_type                = "HTTP"
  disable_execute_api_endpoint = false
  tags                         = var.tags
}

resource "aws_apigatewayv2_integration" "this" {
  api_id                 = aws_apigatewayv2_api.this.id
  integration_type       = "AWS_PROXY"
  integration_uri        = module.function.invoke_arn
  payload_format_version = "2.0"
  timeout_milliseconds   = 5000
}

resource "aws_apigatewayv2_route" "this" {
  #checkov:skip=CKV_AWS_309:public keys are public; the endpoint lists nothing, is throttled and answers one kid at a time
  api_id             = aws_apigatewayv2_api.this.id
  route_key          = "GET /jwks/{backend}/{kid}"
  authorization_type = "NONE"
  target             = "integrations/${aws_apigatewayv2_integration.this.id}"
}

resource "aws_cloudwatch_log_group" "access" {
  #checkov:skip=CKV_AWS_338:retention is the caller's choice
  name              = "/aws/apigateway/${var.name}"
  retention_in_days = var.log_retention_days
  kms_key_id        = var.log_kms_key_arn
  tags              = var.tags
}

resource "aws_apigatewayv2_stage" "this" {
  api_id      = aws_apigatewayv2_api.this.id
  name        = "$default"
  auto_deploy = true
  tags        = var.tags

  default_route_settings {
    throttling_rate_limit    = var.requests_per_second
    throttling_burst_limit   = var.requests_per_second * 2
    detailed_metrics_enabled = true
  }

  access_log_settings {
    destination_arn = aws_cloudwatch_log_group.access.arn
    format = jsonencode({
      time      = "$context.requestTime"
      requestId = "$context.requestId"
      sourceIp  = "$context.identity.sourceIp"
      status    = "$context.status"
      latency   = "$context.responseLatency"
    })
  }
}

resource "aws_lambda_permission" "this" {
  statement_id  = "KeyEndpoint"
  action        = "lambda:InvokeFunction"
  function_name = module.function.name
  principal     = "apigateway.amazonaws.com"
  source_arn    = "${aws_apigatewayv2_api.this.execution_arn}/$default/GET/jwks/*/*"
}
