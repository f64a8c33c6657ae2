output "upstream" {
  description = "What to write at `backends.*.upstream` of the edge's drawbridge.yaml."
  value       = "https://${var.front_door ? module.front_door[0].host : trimprefix(azurerm_api_management.this.gateway_url, "https://")}/${var.backend}"
}

output "jwks" {
  description = "What to write at `issuers.*.keys.jwks`."
  value       = module.jwks.jwks
}

output "vault" {
  description = "What to write at `stores.*.key_vault.url`."
  value       = module.vault.url
}

output "apps" {
  description = "Names of the Function Apps, for `az functionapp deployment`."
  value       = { jwks = "${var.name}-jwks", gate = "${var.name}-${var.backend}-gate" }
}
