output "id" {
  description = "Resource id of the vault."
  value       = azurerm_key_vault.this.id
}

output "url" {
  description = "What to write at `stores.*.key_vault.url` of drawbridge.yaml."
  value       = trimsuffix(azurerm_key_vault.this.vault_uri, "/")
}

output "keys" {
  description = "Names of the keys, `<backend>-<use>`."
  value       = sort(keys(local.keys))
}
