mock_provider "aws" {
  source = "../mocks"
}

variables {
  name            = "drawbridge"
  stage_arns      = { orders = "arn:aws:apigateway:eu-west-1::/restapis/mock/stages/prod" }
  log_kms_key_arn = "arn:aws:kms:eu-west-1:123456789012:key/11111111-2222-3333-4444-555555555555"
}

run "a_rate_and_the_managed_rules" {
  command = plan
  assert {
    condition     = length(aws_wafv2_web_acl.this.rule) == 4
    error_message = "there should be a rate rule and three managed groups"
  }
  assert {
    condition     = length(aws_wafv2_web_acl_association.this) == 1
    error_message = "the stage should be protected"
  }
  assert {
    condition     = contains(flatten([for field in aws_wafv2_web_acl_logging_configuration.this.redacted_fields : [for header in field.single_header : header.name]]), "authorization")
    error_message = "tokens should not be logged"
  }
}

run "the_edge_is_not_held_to_the_rate_of_one_client" {
  variables { unlimited_addresses = ["198.51.100.7/32", "203.0.113.0/24"] }
  assert {
    condition     = toset(aws_wafv2_ip_set.unlimited["IPV4"].addresses) == toset(var.unlimited_addresses) && length(aws_wafv2_ip_set.unlimited) == 1
    error_message = "the edge's addresses should be one set"
  }
  assert {
    condition     = length(flatten([for rule in aws_wafv2_web_acl.this.rule : [for rate in rule.statement[0].rate_based_statement : rate.scope_down_statement[0].not_statement] if rule.name == "RatePerAddress"])) == 1
    error_message = "the rate should hold for every other address"
  }
}

run "an_edge_with_addresses_of_both_families" {
  variables { unlimited_addresses = ["198.51.100.7/32", "2001:db8::/64"] }
  assert {
    condition     = length(flatten([for rule in aws_wafv2_web_acl.this.rule : [for rate in rule.statement[0].rate_based_statement : rate.scope_down_statement[0].and_statement[0].statement] if rule.name == "RatePerAddress"])) == 2
    error_message = "an address of either family should be left out"
  }
}

run "everybody_unlimited" {
  command = plan
  variables { unlimited_addresses = ["0.0.0.0/0"] }
  expect_failures = [var.unlimited_addresses]
}

run "an_http_api_stage" {
  command = plan
  variables { stage_arns = { orders = "arn:aws:apigateway:eu-west-1::/apis/mock/stages/prod" } }
  expect_failures = [var.stage_arns]
}

run "a_rate_that_waf_does_not_take" {
  command = plan
  variables { requests_per_five_minutes = 10 }
  expect_failures = [var.requests_per_five_minutes]
}
