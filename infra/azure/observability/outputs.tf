output "log_analytics_workspace_id" {
  description = "Resource id of the workspace."
  value       = azurerm_log_analytics_workspace.this.id
}

output "application_insights" {
  description = "Resource id and connection string of Application Insights, which takes no key."
  value = {
    id                = azurerm_application_insights.this.id
    connection_string = azurerm_application_insights.this.connection_string
  }
  sensitive = true
}

output "action_group_id" {
  description = "Resource id of the action group, for alerts of one's own."
  value       = azurerm_monitor_action_group.this.id
}

output "alert_names" {
  description = "Names of all alerts."
  value = concat(
    [azurerm_monitor_scheduled_query_rules_alert_v2.denials.name],
    [for alert in azurerm_monitor_scheduled_query_rules_alert_v2.failures : alert.name],
    [for alert in azurerm_monitor_metric_alert.refused : alert.name],
  )
}
