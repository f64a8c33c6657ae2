# An HTTP API in front of one backend, every route behind the Drawbridge authorizer.

terraform {
  required_version = ">= 1.9"
  required_providers {
    aws = { source = "hashicorp/aws", version = ">= 6.0" }
  }
}

locals {
  # Every route names its authorizer: there is no default route that could be reached without one.
  routes = toset(var.routes)
  # $context.routeKey keeps a cached decision of one route from being applied to another. A simple answer says nothing of paths, and a
  # route takes paths that the gate refuses (a parameter that decodes to a slash), so that it is for one path alone.
  identity_sources = concat(
    ["$request.header.Authorization"],
    var.cache_ttl_seconds == 0 ? [] : ["$context.routeKey"],
    var.cache_ttl_seconds == 0 || var.http_response == "iam" ? [] : ["$context.path"],
  )
  # A backend that obeys one would do something else than was allowed. The gate refuses them, but is not asked on a cached allow.
  method_overrides = ["x-http-method-override", "x-http-method", "x-method-override"]
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
      condition     = var.cache_ttl_seconds == 0 || !var.bound
      error_message = "cache_ttl_seconds must be 0 while bound is true: an answer that is remembered for a token is given to whoever sends it, with another certificate or none."
    }
    precondition {
      condition     = var.cache_ttl_seconds <= floor(var.token_lifetime_seconds / 2)
      error_message = "cache_ttl_seconds must be at most half of token_lifetime_seconds: API Gateway does not know a token's `exp` and allows it for up to the TTL longer."
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

# What the authorizer says of the caller replaces whatever the client sent under the same names. The token goes on to the backend:
# Authorization is among the headers that a mapping of an HTTP API must not name.
# https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-parameter-mapping.html (reserved headers)
resource "aws_apigatewayv2_integration" "this" {
  api_id               = aws_apigatewayv2_api.this.id
  integration_type     = "HTTP_PROXY"
  integration_method   = "ANY"
  integration_uri      = var.private == null ? var.upstream_url : var.private.listener_arn
  connection_type      = var.private == null ? "INTERNET" : "VPC_LINK"
  connection_id        = try(var.private.vpc_link_id, null)
  timeout_milliseconds = 29000

  request_parameters = merge(
    { "overwrite:path" = "$request.path" },
    { for header in local.method_overrides : "remove:header.${header}" => "''" },
    { for claim in var.context : "overwrite:header.x-drawbridge-${replace(claim, "_", "-")}" => "$context.authorizer.${claim}" },
  )

  # Without it a private integration speaks plain HTTP.
  dynamic "tls_config" {
    for_each = var.private == null ? [] : [regex("^https://([^:/]+)", var.upstream_url)[0]]
    content {
      server_name_to_verify = tls_config.value
    }
  }
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
      time            = "$context.requestTime"
      requestId       = "$context.requestId"
      sourceIp        = "$context.identity.sourceIp"
      routeKey        = "$context.routeKey"
      status          = "$context.status"
      latency         = "$context.responseLatency"
      authorizerError = "$context.authorizer.error"
      principal       = "$context.authorizer.principal" # from the authorizer's context: an HTTP API has no principalId here
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
