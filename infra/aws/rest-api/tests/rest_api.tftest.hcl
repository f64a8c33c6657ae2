mock_provider "aws" {
  source = "../mocks"
}

variables {
  name                    = "orders"
  upstream_url            = "https://orders.internal.example.com"
  authorizer_invoke_arn   = "arn:aws:apigateway:eu-west-1:lambda:path/2015-03-31/functions/mock/invocations"
  authorizer_function_arn = "arn:aws:lambda:eu-west-1:123456789012:function:drawbridge-orders"
  context                 = ["sub", "client_id"]
  log_kms_key_arn         = "arn:aws:kms:eu-west-1:123456789012:key/11111111-2222-3333-4444-555555555555"
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
    condition     = aws_api_gateway_integration.this.request_parameters["integration.request.header.Authorization"] == "'none'"
    error_message = "the token should not reach the backend, and the value that takes its place be a documented one"
  }
  assert {
    condition     = alltrue([for header in ["X-HTTP-Method-Override", "X-HTTP-Method", "X-Method-Override"] : aws_api_gateway_integration.this.request_parameters["integration.request.header.${header}"] == "context.httpMethod"])
    error_message = "no header should ask the backend for another method"
  }
  assert {
    condition     = !aws_api_gateway_rest_api.this.disable_execute_api_endpoint && length(aws_api_gateway_account.this) == 0
    error_message = "the default endpoint should be open without a domain, and the account's role untouched unless asked"
  }
  assert {
    condition     = aws_api_gateway_method_settings.this.settings[0].data_trace_enabled == false
    error_message = "tokens should not be traced into the log"
  }
}

run "a_cache_is_kept_apart_by_method_and_path" {
  command = plan
  variables {
    object_decisions  = false
    cache_ttl_seconds = 30
  }
  assert {
    condition     = aws_api_gateway_authorizer.this.identity_source == "method.request.header.Authorization,context.path,context.httpMethod"
    error_message = "a cached decision should be for one method and path alone"
  }
}

run "a_cache_that_outlives_the_token" {
  command = plan
  variables {
    object_decisions  = false
    cache_ttl_seconds = 300
  }
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

run "a_decision_about_an_object_is_not_cached" {
  command = plan
  variables { cache_ttl_seconds = 30 }
  expect_failures = [aws_api_gateway_authorizer.this]
}

run "an_answer_about_a_bound_token_is_not_cached" {
  command = plan
  variables {
    object_decisions  = false
    cache_ttl_seconds = 30
    bound             = true
  }
  expect_failures = [aws_api_gateway_authorizer.this]
}

run "mutual_tls_closes_the_default_endpoint" {
  variables {
    domain = { name = "orders.example.com", certificate_arn = "arn:aws:acm:eu-west-1:123456789012:certificate/1", truststore_uri = "s3://trust/ca.pem" }
  }
  assert {
    condition     = aws_api_gateway_rest_api.this.disable_execute_api_endpoint
    error_message = "there should be no way around mutual TLS"
  }
  assert {
    condition     = aws_api_gateway_domain_name.this[0].mutual_tls_authentication[0].truststore_uri == "s3://trust/ca.pem"
    error_message = "clients should be checked against the truststore"
  }
  assert {
    condition     = aws_api_gateway_base_path_mapping.this[0].stage_name == "prod" && output.url == "https://orders.example.com"
    error_message = "the domain should lead to the stage, without the stage's name"
  }
  assert {
    condition     = output.domain_target.name != null && output.domain_target.zone_id != null
    error_message = "whoever has the zone should be told what to point the domain to"
  }
}

run "an_account_that_has_no_role_for_logs" {
  variables { account_log_role = true }
  assert {
    condition     = aws_api_gateway_account.this[0].cloudwatch_role_arn == aws_iam_role.logs[0].arn && endswith(aws_iam_role_policy_attachment.logs[0].policy_arn, "/AmazonAPIGatewayPushToCloudWatchLogs")
    error_message = "API Gateway should be able to write the stage's logs"
  }
}

run "an_upstream_with_a_slash_at_the_end" {
  command = plan
  variables { upstream_url = "https://orders.internal.example.com/" }
  expect_failures = [var.upstream_url]
}
