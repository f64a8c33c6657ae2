mock_provider "azurerm" {
  source = "../mocks"
}

variables {
  name                       = "drawbridge-billing"
  resource_group_name        = "drawbridge"
  gateway_host               = "contoso.azure-api.net"
  paths                      = ["billing"]
  log_analytics_workspace_id = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/drawbridge/providers/Microsoft.OperationalInsights/workspaces/drawbridge"
}

run "managed_rules_and_a_rate_block" {
  assert {
    condition     = azurerm_cdn_frontdoor_firewall_policy.this.mode == "Prevention" && azurerm_cdn_frontdoor_firewall_policy.this.enabled
    error_message = "the firewall should prevent and not only watch"
  }
  assert {
    condition     = toset([for rule in azurerm_cdn_frontdoor_firewall_policy.this.managed_rule : rule.type]) == toset(["Microsoft_DefaultRuleSet", "Microsoft_BotManagerRuleSet"]) && alltrue([for rule in azurerm_cdn_frontdoor_firewall_policy.this.managed_rule : rule.action == "Block"])
    error_message = "the managed rules should block"
  }
  assert {
    condition     = azurerm_cdn_frontdoor_firewall_policy.this.custom_rule[0].type == "RateLimitRule" && azurerm_cdn_frontdoor_firewall_policy.this.custom_rule[0].rate_limit_threshold == 2000 && azurerm_cdn_frontdoor_firewall_policy.this.custom_rule[0].match_condition[0].match_variable == "SocketAddr"
    error_message = "an address should have a rate, and a header should not choose the address"
  }
  assert {
    condition     = output.front_door_id == "55555555-2222-3333-4444-555555555555"
    error_message = "the gateway should be told which Front Door is its own"
  }
}

run "no_token_in_the_log_and_no_answer_in_a_cache" {
  command = plan
  assert {
    condition     = contains([for rule in azurerm_cdn_frontdoor_firewall_policy.this.log_scrubbing[0].scrubbing_rule : rule.selector], "Authorization")
    error_message = "a token should not be logged"
  }
  assert {
    condition     = length(azurerm_cdn_frontdoor_route.this.cache) == 0
    error_message = "answers should not be cached"
  }
  assert {
    condition     = toset(azurerm_cdn_frontdoor_route.this.supported_protocols) == toset(["Https"]) && azurerm_cdn_frontdoor_route.this.forwarding_protocol == "HttpsOnly" && azurerm_cdn_frontdoor_origin.this.certificate_name_check_enabled
    error_message = "every hop should be TLS"
  }
  assert {
    condition     = azurerm_cdn_frontdoor_route.this.patterns_to_match == tolist(["/billing/*"])
    error_message = "only the APIs should be reached"
  }
}

run "the_edge_speaks_for_many" {
  command = plan
  variables { unlimited_addresses = ["198.51.100.7/32"] }
  assert {
    condition     = azurerm_cdn_frontdoor_firewall_policy.this.custom_rule[0].match_condition[0].match_values == tolist(["198.51.100.7/32"]) && azurerm_cdn_frontdoor_firewall_policy.this.custom_rule[0].match_condition[0].negation_condition
    error_message = "the rate should hold for everybody but the edge"
  }
}

run "no_rate_at_all" {
  command = plan
  variables { unlimited_addresses = ["0.0.0.0/0"] }
  expect_failures = [var.unlimited_addresses]
}

run "a_gateway_that_is_no_host" {
  command = plan
  variables { gateway_host = "https://contoso.azure-api.net" }
  expect_failures = [var.gateway_host]
}

run "every_path" {
  command = plan
  variables { paths = ["*"] }
  expect_failures = [var.paths]
}
