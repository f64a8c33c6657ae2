output "id" {
  description = "Resource id of the app."
  value       = local.app.id
}

output "host" {
  description = "Host name of the app."
  value       = local.app.default_hostname
}

output "principal_id" {
  description = "Principal of the app's identity, for roles."
  value       = azurerm_user_assigned_identity.this.principal_id
}

output "client_id" {
  description = "Client id of the app's identity."
  value       = azurerm_user_assigned_identity.this.client_id
}

output "upstream" {
  description = "What to write at `backends.*.upstream` of the edge's drawbridge.yaml, where this is a proxy; null otherwise."
  value       = var.function == "proxy" ? "https://${local.app.default_hostname}/api/proxy" : null
}

output "jwks" {
  description = "What to write at `issuers.*.keys.jwks` of drawbridge.yaml, where this is the key endpoint; null for a gate."
  value       = var.function == "jwks" ? "https://${local.app.default_hostname}/api/jwks/{backend}/{kid}" : null
}
