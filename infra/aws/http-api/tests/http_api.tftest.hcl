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
    condition     = !anytrue([for key in keys(aws_apigatewayv2_integration.this.request_parameters) : endswith(lower(key), ":header.authorization")])
    error_message = "Authorization is reserved: API Gateway refuses an integration that maps it"
  }
  assert {
    condition     = alltrue([for header in ["x-http-method-override", "x-http-method", "x-method-override"] : contains(keys(aws_apigatewayv2_integration.this.request_parameters), "remove:header.${header}")])
    error_message = "a header that asks for another method should not reach the backend"
  }
  assert {
    condition     = strcontains(aws_apigatewayv2_stage.this.access_log_settings[0].format, "$context.authorizer.principal\"") && !strcontains(aws_apigatewayv2_stage.this.access_log_settings[0].format, "authorizer.latency")
    error_message = "the access log should have variables that an HTTP API has"
  }
  assert {
    condition     = aws_apigatewayv2_integration.this.integration_uri == var.upstream_url && aws_apigatewayv2_integration.this.connection_type == "INTERNET"
    error_message = "a public backend should be reached by its address"
  }
}

run "a_private_backend_is_reached_over_tls_and_has_to_show_its_name" {
  command = plan
  variables {
    upstream_url = "https://orders.internal.example.com:8443"
    private = {
      vpc_link_id  = "abc123"
      listener_arn = "arn:aws:elasticloadbalancing:eu-west-1:123456789012:listener/app/orders/50dc6c495c0c9188/0467ef3c8400ae65"
    }
  }
  assert {
    condition     = aws_apigatewayv2_integration.this.integration_uri == var.private.listener_arn && aws_apigatewayv2_integration.this.connection_type == "VPC_LINK"
    error_message = "a private integration should name a listener"
  }
  assert {
    condition     = aws_apigatewayv2_integration.this.tls_config[0].server_name_to_verify == "orders.internal.example.com"
    error_message = "the certificate behind the link should be the backend's"
  }
}

run "a_private_backend_without_a_listener" {
  command = plan
  variables { private = { vpc_link_id = "abc123", listener_arn = "https://orders.internal.example.com" } }
  expect_failures = [var.private]
}

run "an_upstream_whose_path_would_be_lost" {
  command = plan
  variables { upstream_url = "https://orders.internal.example.com/v1" }
  expect_failures = [var.upstream_url]
}

run "a_cache_is_kept_apart_by_route" {
  command = plan
  variables {
    object_decisions  = false
    cache_ttl_seconds = 30
  }
  assert {
    condition     = toset(aws_apigatewayv2_authorizer.this.identity_sources) == toset(["$request.header.Authorization", "$context.routeKey", "$context.path"])
    error_message = "a cached simple answer should be for one route and path alone"
  }
}

run "a_cached_policy_names_its_routes_itself" {
  command = plan
  variables {
    object_decisions  = false
    cache_ttl_seconds = 30
    http_response     = "iam"
  }
  assert {
    condition     = toset(aws_apigatewayv2_authorizer.this.identity_sources) == toset(["$request.header.Authorization", "$context.routeKey"])
    error_message = "a cached policy should be for one route"
  }
}

run "an_answer_about_a_bound_token_is_not_cached" {
  command = plan
  variables {
    object_decisions  = false
    cache_ttl_seconds = 30
    bound             = true
  }
  expect_failures = [aws_apigatewayv2_authorizer.this]
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
  assert {
    condition     = output.domain_target.name != null && output.domain_target.zone_id != null
    error_message = "whoever has the zone should be told what to point the domain to"
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

run "a_domain_without_a_certificate_of_acm" {
  command = plan
  variables { domain = { name = "orders.example.com", certificate_arn = "orders.pem" } }
  expect_failures = [var.domain]
}

run "the_function_in_place_of_its_invocation" {
  command = plan
  variables { authorizer_invoke_arn = "arn:aws:lambda:eu-west-1:123456789012:function:drawbridge-orders" }
  expect_failures = [var.authorizer_invoke_arn]
}

run "a_retention_that_cloudwatch_does_not_have" {
  command = plan
  variables { log_retention_days = 100 }
  expect_failures = [var.log_retention_days]
}
