mock_provider "aws" {
  source = "../../mocks"
}
mock_provider "archive" {
  mock_data "archive_file" {
    defaults = { output_path = "../../mocks/package.zip", output_base64sha256 = "AA==" }
  }
}

variables {
  config_file  = "drawbridge.yaml"
  upstream_url = "https://orders.internal.example.com"
  packages = {
    authorizer = "../../mocks/package.zip"
    jwks       = "../../mocks/package.zip"
    rotation   = "../../mocks/package.zip"
  }
}

run "a_backend_behind_an_http_api" {
  assert {
    condition     = output.upstream == "https://mock.execute-api.eu-west-1.amazonaws.com"
    error_message = "the edge should be told where the API is"
  }
  assert {
    condition     = endswith(output.jwks, "/jwks/{backend}/{kid}")
    error_message = "the gates should be told where the keys are"
  }
  assert {
    condition     = length(module.rest_api) == 0 && length(module.waf) == 0
    error_message = "there should be one gateway"
  }
}

run "a_backend_behind_a_rest_api_and_waf" {
  variables { gateway = "rest" }
  assert {
    condition     = length(module.http_api) == 0 && length(module.waf) == 1
    error_message = "a REST API should be behind WAF"
  }
}

run "a_file_that_is_no_configuration" {
  command = plan
  variables { config_file = "README.md" }
  expect_failures = [var.config_file]
}
