# Front Door with a firewall in front of the gateway: managed rules against the common and the known bad, bots, and a rate per address.

terraform {
  required_version = ">= 1.9"
  required_providers {
    azurerm = { source = "hashicorp/azurerm", version = ">= 4.50, < 5.0" }
  }
}

resource "azurerm_cdn_frontdoor_firewall_policy" "this" {
  name                       = replace(var.name, "-", "")
  resource_group_name        = var.resource_group_name
  sku_name                   = azurerm_cdn_frontdoor_profile.this.sku_name
  enabled                    = true
  mode                       = "Prevention"
  request_body_check_enabled = true
  tags                       = var.tags

  custom_rule {
    name                           = "RatePerAddress"
    type                           = "RateLimitRule"
    action                         = "Block"
    enabled                        = true
    priority                       = 1
    rate_limit_duration_in_minutes = 5
    rate_limit_threshold           = var.requests_per_five_minutes

    match_condition {
      match_variable     = "SocketAddr" # the address that connects, not one that a header names
      operator           = "IPMatch"
      negation_condition = true
      match_values       = length(var.unlimited_addresses) == 0 ? ["192.0.2.0/32"] : var.unlimited_addresses # TEST-NET-1: nobody
    }
  }

  managed_rule {
    type    = "Microsoft_DefaultRuleSet"
    version = "2.1"
    action  = "Block"
  }
  managed_rule {
    type    = "Microsoft_BotManagerRuleSet"
    version = "1.1"
    action  = "Block"
  }

  # What a rule matched goes into the log, and tokens are in these.
  log_scrubbing {
    enabled = true

    dynamic "scrubbing_rule" {
      for_each = ["Authorization", "Cookie", "DPoP"]
      content {
        enabled        = true
        match_variable = "RequestHeaderNames"
        operator       = "Equals"
        selector       = scrubbing_rule.value
      }
    }
  }
}

resource "azurerm_cdn_frontdoor_profile" "this" {
  name                     = var.name
  resource_group_name      = var.resource_group_name
  sku_name                 = "Premium_AzureFrontDoor" # the standard one has no managed rules
  response_timeout_seconds = 60
  tags                     = var.tags

  # A token in a query is refused, and is not to be read in a log either.
  log_scrubbing_rule {
    match_variable = "QueryStringArgNames"
  }
}

resource "azurerm_cdn_frontdoor_endpoint" "this" {
  name                     = var.name
  cdn_frontdoor_profile_id = azurerm_cdn_frontdoor_profile.this.id
  tags                     = var.tags
}

resource "azurerm_cdn_frontdoor_origin_group" "this" {
  name                     = "gateway"
  cdn_frontdoor_profile_id = azurerm_cdn_frontdoor_profile.this.id
  session_affinity_enabled = false

  load_balancing {}

  health_probe {
    protocol            = "Https"
    path                = "/status-0123456789abcdef" # API Management's own
    request_type        = "HEAD"
    interval_in_seconds = 100
  }
}

resource "azurerm_cdn_frontdoor_origin" "this" {
  name                           = "gateway"
  cdn_frontdoor_origin_group_id  = azurerm_cdn_frontdoor_origin_group.this.id
  enabled                        = true
  host_name                      = var.gateway_host
  origin_host_header             = var.gateway_host
  certificate_name_check_enabled = true
}

resource "azurerm_cdn_frontdoor_route" "this" {
  name                          = "apis"
  cdn_frontdoor_endpoint_id     = azurerm_cdn_frontdoor_endpoint.this.id
  cdn_frontdoor_origin_group_id = azurerm_cdn_frontdoor_origin_group.this.id
  cdn_frontdoor_origin_ids      = [azurerm_cdn_frontdoor_origin.this.id]
  patterns_to_match             = [for path in var.paths : "/${path}/*"]
  supported_protocols           = ["Https"]
  https_redirect_enabled        = false
  forwarding_protocol           = "HttpsOnly"
  link_to_default_domain        = true
  # No `cache`: an answer to one caller is never another's.
}

resource "azurerm_cdn_frontdoor_security_policy" "this" {
  name                     = "firewall"
  cdn_frontdoor_profile_id = azurerm_cdn_frontdoor_profile.this.id

  security_policies {
    firewall {
      cdn_frontdoor_firewall_policy_id = azurerm_cdn_frontdoor_firewall_policy.this.id

      association {
        patterns_to_match = ["/*"]
        domain {
          cdn_frontdoor_domain_id = azurerm_cdn_frontdoor_endpoint.this.id
        }
      }
    }
  }
}

resource "azurerm_monitor_diagnostic_setting" "this" {
  name                       = "firewall"
  target_resource_id         = azurerm_cdn_frontdoor_profile.this.id
  log_analytics_workspace_id = var.log_analytics_workspace_id

  enabled_log {
    category = "FrontDoorWebApplicationFirewallLog"
  }
  enabled_log {
    category = "FrontDoorAccessLog"
  }
  enabled_metric {
    category = "AllMetrics"
  }
}
