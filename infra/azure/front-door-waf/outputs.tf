output "host" {
  description = "Host name to send requests to."
  value       = azurerm_cdn_frontdoor_endpoint.this.host_name
}

output "front_door_id" {
  description = "What this Front Door says in X-Azure-FDID; the id of the api-management module's `front_door`."
  value       = azurerm_cdn_frontdoor_profile.this.resource_guid
}
