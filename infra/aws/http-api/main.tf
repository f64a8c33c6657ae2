# An HTTP API in front of one backend, every route behind the Drawbridge authorizer.

terraform {
  required_version = ">= 1.7"
  required_providers {
    aws = { source = "hashicorp/aws", version = ">= 6.0" }
  }
}

locals {
  # Every route names its authorizer: there is no default route that could be reached without one.
  routes = toset(var.routes)
  # $context.routeKey keeps a cached decision of one route from being applied to another; a path parameter cannot be an identity
  # source, so a policy kind that depends on the object is never cached.
  identity_sources = var.cache_ttl_seconds == 0 ? ["$request.header.Authorization"] : ["$request.header.Authorization", "$context.routeKey"]
}

resource "aws_apigatewayv2_api" "this" {
  name                         = var.name
  protocol_type                = "HTTP"
  disable_execute_api_endpoint = var.domain != null
  tags                         = var.tags
}

resource "aws_apigatewayv2_authorizer" "this" {
  api_id                            = aws_apigatewayv2_api.this.id
  name                              = "drawbridge"
  authorizer_type                   = "REQUEST"
  authorizer_uri                    = var.authorizer_invoke_arn
  authorizer_payload_format_version = "2.0"
  enable_simple_responses           = var.http_response == "simple"
  identity_sources                  = local.identity_sources
  authorizer_result_ttl_in_seconds  = var.cache_ttl_seconds

  lifecycle {
    precondition {
      condition     = var.cache_ttl_seconds == 0 || !var.object_decisions
      error_message = "cache_ttl_seconds must be 0 while object_decisions is true: API Gateway cannot put a path parameter into the cache key, so a cached decision would be applied to another object."
    }
    precondition {
      condition     = var.cache_ttl_seconds <= floor(var.token_lifetime_seconds / 2)
      error_message = "cache_ttl_seconds must be at most half of token_lifetime_seconds: API Gateway does not know a token's `exp` and would go on allowing it."
    }
  }
}

resource "aws_lambda_permission" "authorizer" {
  statement_id  = "Authorizer-${aws_apigatewayv2_api.this.id}"
  action        = "lambda:InvokeFunction"
  function_name = var.authorizer_function_name
  principal     = "apigateway.amazonaws.com"
  source_arn    = "${aws_apigatewayv2_api.this.execution_arn}/authorizers/${aws_apigatewayv2_authorizer.this.id}"
}

# What the authorizer says of the caller replaces whatever the client sent under the same names.
resource "aws_apigatewayv2_integration" "this" {
  api_id               = aws_apigatewayv2_api.this.id
  integration_type     = "HTTP_PROXY"
  integration_method   = "ANY"
  integration_uri      = var.upstream_url
  connection_type      = var.vpc_link_id == null ? "INTERNET" : "VPC_LINK"
  connection_id        = var.vpc_link_id
  timeout_milliseconds = 29000

  request_parameters = merge(
    { "overwrite:path" = "$request.path", "remove:header.authorization" = "''" },
    { for claim in var.context : "overwrite:header.x-drawbridge-${replace(claim, "_", "-")}" => "$context.authorizer.${claim}" },
  )
}

resource "aws_apigatewayv2_route" "this" {
  for_each           = local.routes
  api_id             = aws_apigatewayv2_api.this.id
  route_key          = each.key
  authorization_type = "CUSTOM"
  authorizer_id      = aws_apigatewayv2_authorizer.this.id
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
      time              = "$context.requestTime"
      requestId         = "$context.requestId"
      sourceIp          = "$context.identity.sourceIp"
      routeKey          = "$context.routeKey"
      status            = "$context.status"
      latency           = "$context.responseLatency"
      authorizerError   = "$context.authorizer.error"
      authorizerLatency = "$context.authorizer.latency"
      principal         = "$context.authorizer.principalId"
    })
  }
}

# Mutual TLS needs a domain of one's own; the default endpoint is then closed.
resource "aws_apigatewayv2_domain_name" "this" {
  count       = var.domain == null ? 0 : 1
  domain_name = var.domain.name
  tags        = var.tags

  domain_name_configuration {
    certificate_arn = var.domain.certificate_arn
    endpoint_type   = "REGIONAL"
    security_policy = "TLS_1_2"
  }

  dynamic "mutual_tls_authentication" {
    for_each = var.domain.truststore_uri == null ? [] : [1]
    content {
      truststore_uri     = var.domain.truststore_uri
      truststore_version = var.domain.truststore_version
    }
  }
}

resource "aws_apigatewayv2_api_mapping" "this" {
  count       = var.domain == null ? 0 : 1
  api_id      = aws_apigatewayv2_api.this.id
  domain_name = aws_apigatewayv2_domain_name.this[0].id
  stage       = aws_apigatewayv2_stage.this.id
}
