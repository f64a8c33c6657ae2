output "api_name" {
  description = "Name of the API."
  value       = azurerm_api_management_api.this.name
}

output "fragments" {
  description = "Names of the policy fragments, for policies of one's own."
  value       = sort([for fragment in azurerm_api_management_policy_fragment.this : fragment.name])
}
