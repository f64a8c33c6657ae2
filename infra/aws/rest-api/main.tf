# A REST API in front of one backend: one proxy resource, every method behind the Drawbridge authorizer, and answers that say
# `WWW-Authenticate`, which an authorizer itself cannot.

terraform {
  required_version = ">= 1.7"
  required_providers {
    aws = { source = "hashicorp/aws", version = ">= 6.0" }
  }
}

locals {
  headers = { for claim in var.context : claim => "x-drawbridge-${replace(claim, "_", "-")}" }
}

resource "aws_api_gateway_rest_api" "this" {
  #checkov:skip=CKV_AWS_237:create_before_destroy is set below
  name                         = var.name
  disable_execute_api_endpoint = false
  tags                         = var.tags

  endpoint_configuration {
    types = ["REGIONAL"]
  }

  lifecycle {
    create_before_destroy = true
  }
}

data "aws_iam_policy_document" "assume" {
  statement {
    actions = ["sts:AssumeRole"]
    principals {
      type        = "Service"
      identifiers = ["apigateway.amazonaws.com"]
    }
  }
}

data "aws_iam_policy_document" "invoke" {
  statement {
    actions   = ["lambda:InvokeFunction"]
    resources = [var.authorizer_function_arn]
  }
}

resource "aws_iam_role" "authorizer" {
  name               = "${var.name}-authorizer"
  assume_role_policy = data.aws_iam_policy_document.assume.json
  tags               = var.tags
}

resource "aws_iam_role_policy" "authorizer" {
  name   = "invoke"
  role   = aws_iam_role.authorizer.id
  policy = data.aws_iam_policy_document.invoke.json
}

resource "aws_api_gateway_authorizer" "this" {
  name                             = "drawbridge"
  rest_api_id                      = aws_api_gateway_rest_api.this.id
  type                             = "REQUEST"
  authorizer_uri                   = var.authorizer_invoke_arn
  authorizer_credentials           = aws_iam_role.authorizer.arn
  identity_source                  = var.cache_ttl_seconds == 0 ? "method.request.header.Authorization" : "method.request.header.Authorization,context.path,context.httpMethod"
  authorizer_result_ttl_in_seconds = var.cache_ttl_seconds

  lifecycle {
    precondition {
      condition     = var.cache_ttl_seconds <= floor(var.token_lifetime_seconds / 2)
      error_message = "cache_ttl_seconds must be at most half of token_lifetime_seconds: API Gateway does not know a token's `exp` and would go on allowing it."
    }
  }
}

resource "aws_api_gateway_resource" "this" {
  rest_api_id = aws_api_gateway_rest_api.this.id
  parent_id   = aws_api_gateway_rest_api.this.root_resource_id
  path_part   = "{proxy+}"
}

resource "aws_api_gateway_request_validator" "this" {
  name                        = "parameters"
  rest_api_id                 = aws_api_gateway_rest_api.this.id
  validate_request_parameters = true
  validate_request_body       = false # the gateway streams bodies it knows nothing of
}

resource "aws_api_gateway_method" "this" {
  rest_api_id          = aws_api_gateway_rest_api.this.id
  resource_id          = aws_api_gateway_resource.this.id
  http_method          = "ANY"
  authorization        = "CUSTOM"
  authorizer_id        = aws_api_gateway_authorizer.this.id
  request_validator_id = aws_api_gateway_request_validator.this.id
  request_parameters   = { "method.request.path.proxy" = true }
}

# What the authorizer says of the caller replaces whatever the client sent under the same names.
resource "aws_api_gateway_integration" "this" {
  rest_api_id             = aws_api_gateway_rest_api.this.id
  resource_id             = aws_api_gateway_resource.this.id
  http_method             = aws_api_gateway_method.this.http_method
  type                    = "HTTP_PROXY"
  integration_http_method = "ANY"
  uri                     = "${var.upstream_url}/{proxy}"
  timeout_milliseconds    = 29000

  request_parameters = merge(
    { "integration.request.path.proxy" = "method.request.path.proxy", "integration.request.header.Authorization" = "''" },
    { for claim, header in local.headers : "integration.request.header.${header}" => "context.authorizer.${claim}" },
  )
}

resource "aws_api_gateway_gateway_response" "this" {
  for_each = {
    UNAUTHORIZED                   = { status = "401", challenge = "Bearer realm=\\\"${var.name}\\\", error=\\\"invalid_token\\\"" }
    MISSING_AUTHENTICATION_TOKEN   = { status = "403", challenge = null }
    ACCESS_DENIED                  = { status = "403", challenge = "Bearer realm=\\\"${var.name}\\\", error=\\\"insufficient_scope\\\"" }
    AUTHORIZER_FAILURE             = { status = "503", challenge = null }
    AUTHORIZER_CONFIGURATION_ERROR = { status = "503", challenge = null }
  }
  rest_api_id   = aws_api_gateway_rest_api.this.id
  response_type = each.key
  status_code   = each.value.status

  response_parameters = merge(
    { "gatewayresponse.header.Cache-Control" = "'no-store'", "gatewayresponse.header.Content-Type" = "'application/problem+json'" },
    each.value.challenge == null ? {} : { "gatewayresponse.header.WWW-Authenticate" = "'${replace(each.value.challenge, "\\", "")}'" },
  )
  response_templates = {
    "application/json" = jsonencode({ type = "about:blank", status = tonumber(each.value.status), instance = "$context.requestId" })
  }
}

resource "aws_api_gateway_deployment" "this" {
  rest_api_id = aws_api_gateway_rest_api.this.id
  triggers = {
    redeployment = sha1(jsonencode([
      aws_api_gateway_authorizer.this, aws_api_gateway_method.this, aws_api_gateway_integration.this, aws_api_gateway_gateway_response.this,
    ]))
  }

  lifecycle {
    create_before_destroy = true
  }
}

resource "aws_cloudwatch_log_group" "access" {
  #checkov:skip=CKV_AWS_338:retention is the caller's choice
  name              = "/aws/apigateway/${var.name}"
  retention_in_days = var.log_retention_days
  kms_key_id        = var.log_kms_key_arn
  tags              = var.tags
}

resource "aws_api_gateway_stage" "this" {
  #checkov:skip=CKV_AWS_120:a response cache in front of an authorised API would answer one caller with another's data
  #checkov:skip=CKV2_AWS_51:client certificates are for backends that ask for them; mutual TLS with clients is on the domain
  #checkov:skip=CKV2_AWS_29:the web ACL is attached by the waf module
  rest_api_id          = aws_api_gateway_rest_api.this.id
  deployment_id        = aws_api_gateway_deployment.this.id
  stage_name           = var.stage
  xray_tracing_enabled = true
  tags                 = var.tags

  access_log_settings {
    destination_arn = aws_cloudwatch_log_group.access.arn
    format = jsonencode({
      time              = "$context.requestTime"
      requestId         = "$context.requestId"
      sourceIp          = "$context.identity.sourceIp"
      method            = "$context.httpMethod"
      resourcePath      = "$context.resourcePath"
      status            = "$context.status"
      latency           = "$context.responseLatency"
      authorizerError   = "$context.authorizer.error"
      authorizerLatency = "$context.authorizer.latency"
      principal         = "$context.authorizer.principalId"
    })
  }
}

resource "aws_api_gateway_method_settings" "this" {
  #checkov:skip=CKV_AWS_225:a response cache in front of an authorised API would answer one caller with another's data
  #checkov:skip=CKV_AWS_308:there is no cache to encrypt
  rest_api_id = aws_api_gateway_rest_api.this.id
  stage_name  = aws_api_gateway_stage.this.stage_name
  method_path = "*/*"

  settings {
    metrics_enabled        = true
    logging_level          = "ERROR"
    data_trace_enabled     = false # would write tokens and bodies into the log
    throttling_rate_limit  = var.requests_per_second
    throttling_burst_limit = var.requests_per_second * 2
  }
}
