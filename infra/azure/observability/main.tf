# Where logs go, and alerts on what the audit lines say: denials out of their usual band, keys that cannot be had, audit or gate
# failures.

terraform {
  required_version = ">= 1.9"
  required_providers {
    azurerm = { source = "hashicorp/azurerm", version = ">= 4.50, < 5.0" }
  }
}

locals {
  # Audit lines are OCSF API Activity objects, one a line on the handler's stdout: status_code is the stable reason of the decision.
  decisions = <<-KQL
    AppTraces
    | where Message has '"class_uid":6003'
    | extend decision = parse_json(extract(@'(\{.*\})', 1, Message))
    | where toint(decision.class_uid) == 6003
  KQL
  denials   = "${local.decisions}| where toint(decision.status_id) == 2"

  failures = {
    key-failures = {
      description = "A key could not be had or used: the key endpoint or the vault is down, or holds something that is refused. Requests are denied until it is back."
      reasons     = ["key.unavailable", "key.unusable"]
      severity    = 1
    }
    foreign-keys = {
      description = "Tokens of another backend's keys arrived here: a wrong route at the edge, or somebody tries tokens elsewhere."
      reasons     = ["key.foreign"]
      severity    = 2
    }
    mint-failures = {
      description = "A token could not be minted, or a decision could not be put on record."
      reasons     = ["mint.failed", "internal"]
      severity    = 1
    }
  }
}

resource "azurerm_log_analytics_workspace" "this" {
  name                            = var.name
  resource_group_name             = var.resource_group_name
  location                        = var.location
  sku                             = "PerGB2018"
  retention_in_days               = var.retention_days
  local_authentication_enabled    = false
  allow_resource_only_permissions = true
  internet_ingestion_enabled      = true
  internet_query_enabled          = true
  tags                            = var.tags
}

resource "azurerm_application_insights" "this" {
  name                          = var.name
  resource_group_name           = var.resource_group_name
  location                      = var.location
  workspace_id                  = azurerm_log_analytics_workspace.this.id
  application_type              = "other"
  local_authentication_disabled = true # written with identities, not with a key
  sampling_percentage           = 100
  tags                          = var.tags
}

resource "azurerm_monitor_action_group" "this" {
  name                = var.name
  resource_group_name = var.resource_group_name
  short_name          = "drawbridge"
  tags                = var.tags

  dynamic "email_receiver" {
    for_each = toset(var.alert_emails)
    content {
      name                    = email_receiver.value
      email_address           = email_receiver.value
      use_common_alert_schema = true
    }
  }
}

# What is usual differs by hour and by backend, so the band is learnt, from the last two days, rather than written down.
resource "azurerm_monitor_scheduled_query_rules_alert_v2" "denials" {
  name                      = "${var.name}-denials"
  display_name              = "Drawbridge: unusually many denials"
  description               = "More requests are denied than usual: an attack, a broken consumer, or a configuration that went wrong. Look at decision.status_code."
  resource_group_name       = var.resource_group_name
  location                  = var.location
  scopes                    = [azurerm_log_analytics_workspace.this.id]
  severity                  = 2
  evaluation_frequency      = "PT5M"
  window_duration           = "PT15M"
  query_time_range_override = "P2D"
  tags                      = var.tags

  criteria {
    query                   = <<-KQL
      ${indent(6, local.denials)}
      | make-series denials = count() default = 0 on TimeGenerated from ago(2d) to now() step 5m by backend = tostring(decision.api.service.name)
      | extend (anomaly, score, baseline) = series_decompose_anomalies(denials, ${var.denial_band_width})
      | mv-expand TimeGenerated to typeof(datetime), denials to typeof(long), anomaly to typeof(double)
      | where TimeGenerated > ago(15m) and anomaly > 0 and denials >= ${var.denial_floor}
    KQL
    time_aggregation_method = "Count"
    operator                = "GreaterThan"
    threshold               = 0

    dimension {
      name     = "backend"
      operator = "Include"
      values   = ["*"]
    }
  }

  action {
    action_groups = [azurerm_monitor_action_group.this.id]
  }
}

resource "azurerm_monitor_scheduled_query_rules_alert_v2" "failures" {
  for_each             = local.failures
  name                 = "${var.name}-${each.key}"
  display_name         = "Drawbridge: ${each.key}"
  description          = each.value.description
  resource_group_name  = var.resource_group_name
  location             = var.location
  scopes               = [azurerm_log_analytics_workspace.this.id]
  severity             = each.value.severity
  evaluation_frequency = "PT5M"
  window_duration      = "PT5M"
  tags                 = var.tags

  criteria {
    query                   = <<-KQL
      ${indent(6, local.denials)}
      | where tostring(decision.status_code) in (${join(", ", [for reason in each.value.reasons : "'${reason}'"])})
      | extend backend = tostring(decision.api.service.name)
    KQL
    time_aggregation_method = "Count"
    operator                = "GreaterThanOrEqual"
    threshold               = var.failure_threshold

    dimension {
      name     = "backend"
      operator = "Include"
      values   = ["*"]
    }
  }

  action {
    action_groups = [azurerm_monitor_action_group.this.id]
  }
}

# Silence is no sign of health: a gateway that denies because no gate answers makes no audit line at all.
resource "azurerm_monitor_metric_alert" "refused" {
  for_each            = var.api_management_ids
  name                = "${var.name}-${each.key}-unavailable"
  description         = "The gateway answers 503 more often than usual: the gate does not answer it, or not in time."
  resource_group_name = var.resource_group_name
  scopes              = [each.value]
  severity            = 1
  frequency           = "PT5M"
  window_size         = "PT15M"
  tags                = var.tags

  dynamic_criteria {
    metric_namespace         = "Microsoft.ApiManagement/service"
    metric_name              = "Requests"
    aggregation              = "Total"
    operator                 = "GreaterThan"
    alert_sensitivity        = var.sensitivity
    evaluation_total_count   = 4
    evaluation_failure_count = 2

    dimension {
      name     = "GatewayResponseCode"
      operator = "Include"
      values   = ["503"]
    }
  }

  action {
    action_group_id = azurerm_monitor_action_group.this.id
  }
}

# The gateway's own log, whatever its API's diagnostics say.
resource "azurerm_monitor_diagnostic_setting" "gateway" {
  for_each                       = var.api_management_ids
  name                           = "gateway"
  target_resource_id             = each.value
  log_analytics_workspace_id     = azurerm_log_analytics_workspace.this.id
  log_analytics_destination_type = "Dedicated"

  enabled_log {
    category = "GatewayLogs"
  }
  enabled_metric {
    category = "AllMetrics"
  }
}
