mock_provider "aws" {
  source = "../mocks"
}

variables {
  name                     = "orders"
  upstream_url             = "https://orders.internal.example.com"
  authorizer_invoke_arn    = "arn:aws:apigateway:eu-west-1:lambda:path/2015-03-31/functions/mock/invocations"
  authorizer_function_name = "drawbridge-orders"
  authorizer_function_arn  = "arn:aws:lambda:eu-west-1:123456789012:function:drawbridge-orders"
  context                  = ["sub", "client_id"]
  log_kms_key_arn          = "arn:aws:kms:eu-west-1:123456789012:key/11111111-2222-3333-4444-555555555555"
}

run "the_authorizer_guards_and_the_answers_say_how_to_authenticate" {
  command = plan
  assert {
    condition     = aws_api_gateway_method.this.authorization == "CUSTOM"
    error_message = "every method should be behind the authorizer"
  }
  assert {
    condition     = startswith(aws_api_gateway_gateway_response.this["UNAUTHORIZED"].response_parameters["gatewayresponse.header.WWW-Authenticate"], "'Bearer ")
    error_message = "a 401 should carry WWW-Authenticate"
  }
  assert {
    condition     = aws_api_gateway_gateway_response.this["AUTHORIZER_FAILURE"].status_code == "503"
    error_message = "a failing authorizer should be a 503"
  }
  assert {
    condition     = aws_api_gateway_integration.this.request_parameters["integration.request.header.x-drawbridge-client-id"] == "context.authorizer.client_id"
    error_message = "the backend should be told what the authorizer says"
  }
  assert {
    condition     = aws_api_gateway_method_settings.this.settings[0].data_trace_enabled == false
    error_message = "tokens should not be traced into the log"
  }
}

run "a_cache_is_kept_apart_by_method_and_path" {
  command = plan
  variables { cache_ttl_seconds = 30 }
  assert {
    condition     = aws_api_gateway_authorizer.this.identity_source == "method.request.header.Authorization,context.path,context.httpMethod"
    error_message = "a cached decision should be for one method and path alone"
  }
}

run "a_cache_that_outlives_the_token" {
  command = plan
  variables { cache_ttl_seconds = 300 }
  expect_failures = [aws_api_gateway_authorizer.this]
}

run "an_upstream_without_tls" {
  command = plan
  variables { upstream_url = "http://orders" }
  expect_failures = [var.upstream_url]
}

run "a_stage_that_is_no_name" {
  command = plan
  variables { stage = "prod/x" }
  expect_failures = [var.stage]
}
