mock_provider "azurerm" {
  source = "../mocks"
}

variables {
  name                = "drawbridge"
  resource_group_name = "drawbridge"
  location            = "westeurope"
  alert_emails        = ["oncall@example.com"]
  api_management_ids  = { contoso = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/drawbridge/providers/Microsoft.ApiManagement/service/contoso" }
}

run "denials_have_a_band_and_key_failures_an_alert" {
  assert {
    condition     = strcontains(azurerm_monitor_scheduled_query_rules_alert_v2.denials.criteria[0].query, "series_decompose_anomalies(denials, 3)")
    error_message = "denials should be held against their usual number"
  }
  assert {
    condition     = azurerm_monitor_scheduled_query_rules_alert_v2.denials.query_time_range_override == "P2D"
    error_message = "the band should be learnt from more than the alert's own window"
  }
  assert {
    condition     = strcontains(azurerm_monitor_scheduled_query_rules_alert_v2.failures["key-failures"].criteria[0].query, "in ('key.unavailable', 'key.unusable')")
    error_message = "a key that cannot be had should be counted"
  }
  assert {
    condition     = alltrue([for alert in concat([azurerm_monitor_scheduled_query_rules_alert_v2.denials], values(azurerm_monitor_scheduled_query_rules_alert_v2.failures)) : alert.action[0].action_groups == tolist([azurerm_monitor_action_group.this.id])])
    error_message = "every alert should tell somebody"
  }
  assert {
    condition     = length(output.alert_names) == 5
    error_message = "there should be five alerts"
  }
}

run "a_gateway_without_a_gate_is_noticed" {
  command = plan
  assert {
    condition     = azurerm_monitor_metric_alert.refused["contoso"].dynamic_criteria[0].metric_name == "Requests" && [for dimension in azurerm_monitor_metric_alert.refused["contoso"].dynamic_criteria[0].dimension : dimension.values] == [tolist(["503"])]
    error_message = "the gateway's own refusals should be held against their usual number"
  }
  assert {
    condition     = [for log in azurerm_monitor_diagnostic_setting.gateway["contoso"].enabled_log : log.category] == ["GatewayLogs"]
    error_message = "the gateway's log should be kept"
  }
}

run "logs_are_kept_and_written_with_identities" {
  command = plan
  assert {
    condition     = azurerm_log_analytics_workspace.this.retention_in_days == 365 && !azurerm_log_analytics_workspace.this.local_authentication_enabled && azurerm_application_insights.this.local_authentication_disabled
    error_message = "logs should be kept for a year and take no key"
  }
  assert {
    condition     = azurerm_application_insights.this.sampling_percentage == 100
    error_message = "an audit trail should be whole"
  }
}

run "an_alert_that_tells_nobody" {
  command = plan
  variables { alert_emails = [] }
  expect_failures = [var.alert_emails]
}

run "a_band_of_no_width" {
  command = plan
  variables { denial_band_width = 0 }
  expect_failures = [var.denial_band_width]
}

run "logs_of_a_day" {
  command = plan
  variables { retention_days = 1 }
  expect_failures = [var.retention_days]
}

run "a_sensitivity_that_is_none" {
  command = plan
  variables { sensitivity = "high" }
  expect_failures = [var.sensitivity]
}
