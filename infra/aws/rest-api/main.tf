# A REST API in front of one backend: one proxy resource, every method behind the Drawbridge authorizer, and answers that say
# `WWW-Authenticate`, which an authorizer itself cannot.

terraform {
  required_version = ">= 1.9"
  required_providers {
    aws = { source = "hashicorp/aws", version = ">= 6.0" }
  }
}

data "aws_partition" "current" {}

locals {
  # A backend that obeys one would do something else than was allowed. The gate refuses them, but is not asked on a cached allow, and
  # a token authorizer is not told of them.
  method_overrides = ["X-HTTP-Method-Override", "X-HTTP-Method", "X-Method-Override"]
  headers          = { for claim in var.context : claim => "x-drawbridge-${replace(claim, "_", "-")}" }
}

resource "aws_api_gateway_rest_api" "this" {
  #checkov:skip=CKV_AWS_237:create_before_destroy is set below
  name                         = var.name
  disable_execute_api_endpoint = var.domain != null
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
      condition     = var.cache_ttl_seconds == 0 || !var.object_decisions
      error_message = "cache_ttl_seconds must be 0 while object_decisions is true: a remembered policy would be applied to another object."
    }
    precondition {
      condition     = var.cache_ttl_seconds == 0 || !var.bound
      error_message = "cache_ttl_seconds must be 0 while bound is true: an answer that is remembered for a token is given to whoever sends it, with another certificate or none."
    }
    precondition {
      condition     = var.cache_ttl_seconds <= floor(var.token_lifetime_seconds / 2)
      error_message = "cache_ttl_seconds must be at most half of token_lifetime_seconds: API Gateway does not know a token's `exp` and allows it for up to the TTL longer."
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

# What the authorizer says of the caller replaces whatever the client sent under the same names. A mapping can replace a header and
# not remove it, and that a static value may be empty is documented nowhere: so the token becomes a word that is no credential, and a
# method override asks for the method that the request has.
# https://docs.aws.amazon.com/apigateway/latest/developerguide/rest-api-parameter-mapping-sources.html
resource "aws_api_gateway_integration" "this" {
  rest_api_id             = aws_api_gateway_rest_api.this.id
  resource_id             = aws_api_gateway_resource.this.id
  http_method             = aws_api_gateway_method.this.http_method
  type                    = "HTTP_PROXY"
  integration_http_method = "ANY"
  uri                     = "${var.upstream_url}/{proxy}"
  timeout_milliseconds    = 29000

  request_parameters = merge(
    { "integration.request.path.proxy" = "method.request.path.proxy", "integration.request.header.Authorization" = "'none'" },
    { for header in local.method_overrides : "integration.request.header.${header}" => "context.httpMethod" },
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
      aws_api_gateway_rest_api.this.disable_execute_api_endpoint, # holds from the next deployment on
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
  #checkov:skip=CKV2_AWS_51:client certificates are for backends that ask for them; clients authenticate by mutual TLS where `domain` has a truststore
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

  depends_on = [aws_api_gateway_account.this]
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

  depends_on = [aws_api_gateway_account.this]
}

# API Gateway refuses a stage that logs while the account has no role for it in this region. There is one for all REST APIs of the
# account and region, so that it is not made unasked.
# https://docs.aws.amazon.com/apigateway/latest/developerguide/set-up-logging.html
resource "aws_iam_role" "logs" {
  count              = var.account_log_role ? 1 : 0
  name               = "${var.name}-apigateway-logs"
  assume_role_policy = data.aws_iam_policy_document.assume.json
  tags               = var.tags
}

resource "aws_iam_role_policy_attachment" "logs" {
  count      = var.account_log_role ? 1 : 0
  role       = aws_iam_role.logs[0].name
  policy_arn = "arn:${data.aws_partition.current.partition}:iam::aws:policy/service-role/AmazonAPIGatewayPushToCloudWatchLogs"
}

resource "aws_api_gateway_account" "this" {
  count               = var.account_log_role ? 1 : 0
  cloudwatch_role_arn = aws_iam_role.logs[0].arn

  depends_on = [aws_iam_role_policy_attachment.logs]
}

# Mutual TLS needs a domain of one's own; the default endpoint is then closed.
resource "aws_api_gateway_domain_name" "this" {
  count                    = var.domain == null ? 0 : 1
  domain_name              = var.domain.name
  regional_certificate_arn = var.domain.certificate_arn
  security_policy          = "TLS_1_2"
  tags                     = var.tags

  endpoint_configuration {
    types = ["REGIONAL"]
  }

  dynamic "mutual_tls_authentication" {
    for_each = var.domain.truststore_uri == null ? [] : [1]
    content {
      truststore_uri     = var.domain.truststore_uri
      truststore_version = var.domain.truststore_version
    }
  }
}

resource "aws_api_gateway_base_path_mapping" "this" {
  count       = var.domain == null ? 0 : 1
  api_id      = aws_api_gateway_rest_api.this.id
  stage_name  = aws_api_gateway_stage.this.stage_name
  domain_name = aws_api_gateway_domain_name.this[0].domain_name
}
