mock_provider "aws" {
  source = "../mocks"
}

variables {
  name                     = "orders"
  upstream_url             = "https://orders.internal.example.com"
  authorizer_invoke_arn    = "arn:aws:apigateway:eu-west-1:lambda:path/2015-03-31/functions/mock/invocations"
  authorizer_function_name = "drawbridge-orders"
  routes                   = ["GET /customers/{customer}", "GET /regions/{region}/customers"]
  context                  = ["sub", "roles", "client_id"]
  log_kms_key_arn          = "arn:aws:kms:eu-west-1:123456789012:key/11111111-2222-3333-4444-555555555555"
}

run "every_route_is_behind_the_authorizer" {
  command = plan
  assert {
    condition     = alltrue([for route in aws_apigatewayv2_route.this : route.authorization_type == "CUSTOM"]) && length(aws_apigatewayv2_route.this) == 2
    error_message = "every route should have the authorizer"
  }
  assert {
    condition     = aws_apigatewayv2_authorizer.this.authorizer_result_ttl_in_seconds == 0
    error_message = "nothing should be cached by default"
  }
  assert {
    condition     = aws_apigatewayv2_integration.this.request_parameters["overwrite:header.x-drawbridge-client-id"] == "$context.authorizer.client_id"
    error_message = "the backend should be told what the authorizer says, whatever the client sent"
  }
  assert {
    condition     = contains(keys(aws_apigatewayv2_integration.this.request_parameters), "remove:header.authorization")
    error_message = "the token should not reach the backend"
  }
}

run "a_cache_is_kept_apart_by_route" {
  command = plan
  variables {
    object_decisions  = false
    cache_ttl_seconds = 30
  }
  assert {
    condition     = contains(aws_apigatewayv2_authorizer.this.identity_sources, "$context.routeKey")
    error_message = "a cached decision should be for one route alone"
  }
}

run "a_decision_about_an_object_is_not_cached" {
  command = plan
  variables { cache_ttl_seconds = 30 }
  expect_failures = [aws_apigatewayv2_authorizer.this]
}

run "a_cache_that_outlives_the_token" {
  command = plan
  variables {
    object_decisions  = false
    cache_ttl_seconds = 300
  }
  expect_failures = [aws_apigatewayv2_authorizer.this]
}

run "mutual_tls_closes_the_default_endpoint" {
  command = plan
  variables {
    domain = { name = "orders.example.com", certificate_arn = "arn:aws:acm:eu-west-1:123456789012:certificate/1", truststore_uri = "s3://trust/ca.pem" }
  }
  assert {
    condition     = aws_apigatewayv2_api.this.disable_execute_api_endpoint
    error_message = "there should be no way around mutual TLS"
  }
  assert {
    condition     = aws_apigatewayv2_domain_name.this[0].mutual_tls_authentication[0].truststore_uri == "s3://trust/ca.pem"
    error_message = "clients should be checked against the truststore"
  }
}

run "a_route_for_everything" {
  command = plan
  variables { routes = ["$default"] }
  expect_failures = [var.routes]
}

run "an_upstream_without_tls" {
  command = plan
  variables { upstream_url = "http://orders" }
  expect_failures = [var.upstream_url]
}

run "a_ttl_out_of_range" {
  command = plan
  variables { cache_ttl_seconds = 4000 }
  expect_failures = [var.cache_ttl_seconds]
}
