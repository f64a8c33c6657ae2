# The vault with the keys of every backend that lives here, and who may do what with which of them. Keys are made in the vault and never
# leave it; what is in Terraform's state is public.

terraform {
  required_version = ">= 1.9"
  required_providers {
    azurerm = { source = "hashicorp/azurerm", version = ">= 4.50, < 5.0" }
  }
}

locals {
  # `<backend>-<use>`, as the key store asks for them.
  signing    = { for backend, key in var.backends : "${backend}-sig" => key.algorithm }
  encryption = { for backend, key in var.backends : "${backend}-enc" => backend if key.encryption }
  keys       = merge(azurerm_key_vault_key.signing, azurerm_key_vault_key.encryption)
  curves     = { ES256 = "P-256", ES384 = "P-384", ES512 = "P-521" }
  hsm        = var.hsm ? "-HSM" : ""

  resource_group_id = split("/providers/", azurerm_key_vault.this.id)[0]

  # One assignment for each principal and key, under names that are known before either exists.
  signs = merge([for name, principal in var.signers : {
    for key in keys(local.signing) : "${name}/${key}" => { principal = principal, key = key }
  }]...)
  publishes = merge([for name, principal in var.publishers : {
    for key in concat(keys(local.signing), keys(local.encryption)) : "${name}/${key}" => { principal = principal, key = key }
  }]...)
  # Whoever signs encrypts too, with the public half.
  encrypts = merge([for name, principal in var.signers : {
    for key in keys(local.encryption) : "${name}/${key}" => { principal = principal, key = key }
  }]...)
  decrypts = { for backend, principal in var.decrypters : backend => { principal = principal, key = "${backend}-enc" } }
}

resource "azurerm_key_vault" "this" {
  #checkov:skip=CKV_AZURE_189:public access is off wherever there is a private endpoint; otherwise the firewall below denies by default
  name                          = var.name
  resource_group_name           = var.resource_group_name
  location                      = var.location
  tenant_id                     = var.tenant_id
  sku_name                      = var.hsm ? "premium" : "standard"
  rbac_authorization_enabled    = true
  purge_protection_enabled      = true # a key that is gone at once takes every token with it
  soft_delete_retention_days    = 90
  public_network_access_enabled = var.private_endpoint == null
  tags                          = var.tags

  network_acls {
    bypass                     = "AzureServices"
    default_action             = "Deny"
    ip_rules                   = var.allowed_ips
    virtual_network_subnet_ids = var.allowed_subnet_ids
  }
}

resource "azurerm_key_vault_key" "signing" {
  #checkov:skip=CKV_AZURE_40:the rotation policy gives each version its expiry; a date here would be another one at every plan
  #checkov:skip=CKV_AZURE_112:an HSM is the caller's choice, with `hsm`
  for_each     = local.signing
  name         = each.key
  key_vault_id = azurerm_key_vault.this.id
  key_type     = startswith(each.value, "ES") ? "EC${local.hsm}" : "RSA${local.hsm}"
  curve        = lookup(local.curves, each.value, null)
  key_size     = startswith(each.value, "ES") ? null : 3072
  key_opts     = ["sign", "verify"]
  tags         = merge(var.tags, { "drawbridge-algorithm" = each.value })

  rotation_policy {
    expire_after         = "P${var.rotation_days + var.overlap_days}D"
    notify_before_expiry = "P${var.overlap_days}D"
    automatic {
      time_after_creation = "P${var.rotation_days}D"
    }
  }

  depends_on = [azurerm_role_assignment.administrator]
}

resource "azurerm_key_vault_key" "encryption" {
  #checkov:skip=CKV_AZURE_40:the rotation policy gives each version its expiry; a date here would be another one at every plan
  #checkov:skip=CKV_AZURE_112:an HSM is the caller's choice, with `hsm`
  for_each     = local.encryption
  name         = each.key
  key_vault_id = azurerm_key_vault.this.id
  key_type     = "RSA${local.hsm}" # a vault agrees on no keys, so that content keys come wrapped with RSA
  key_size     = 3072
  key_opts     = ["wrapKey", "unwrapKey"]
  tags         = merge(var.tags, { "drawbridge-algorithm" = "RSA-OAEP-256" })

  rotation_policy {
    expire_after         = "P${var.rotation_days + var.overlap_days}D"
    notify_before_expiry = "P${var.overlap_days}D"
    automatic {
      time_after_creation = "P${var.rotation_days}D"
    }
  }

  depends_on = [azurerm_role_assignment.administrator]
}

# Three roles, because the vault's own ones allow more than any part needs: Crypto User alone signs, unwraps and updates.
resource "azurerm_role_definition" "this" {
  for_each = {
    publish = { description = "read the public half of a key", data_actions = ["Microsoft.KeyVault/vaults/keys/read"] }
    sign    = { description = "sign with a key", data_actions = ["Microsoft.KeyVault/vaults/keys/read", "Microsoft.KeyVault/vaults/keys/sign/action"] }
    decrypt = { description = "unwrap content keys", data_actions = ["Microsoft.KeyVault/vaults/keys/read", "Microsoft.KeyVault/vaults/keys/unwrap/action"] }
  }
  name              = "Drawbridge ${each.key} (${var.name})"
  description       = "Drawbridge: may ${each.value.description}, and nothing else."
  scope             = local.resource_group_id # a role cannot be defined for less
  assignable_scopes = [local.resource_group_id]

  permissions {
    actions      = []
    data_actions = each.value.data_actions
  }
}

resource "azurerm_role_assignment" "signer" {
  for_each           = local.signs
  scope              = local.keys[each.value.key].resource_versionless_id
  role_definition_id = azurerm_role_definition.this["sign"].role_definition_resource_id
  principal_id       = each.value.principal
  description        = "Signs the bridged tokens of one backend."
}

resource "azurerm_role_assignment" "encrypter" {
  for_each           = local.encrypts
  scope              = local.keys[each.value.key].resource_versionless_id
  role_definition_id = azurerm_role_definition.this["publish"].role_definition_resource_id
  principal_id       = each.value.principal
  description        = "Encrypts to one backend with the public half."
}

resource "azurerm_role_assignment" "publisher" {
  for_each           = local.publishes
  scope              = local.keys[each.value.key].resource_versionless_id
  role_definition_id = azurerm_role_definition.this["publish"].role_definition_resource_id
  principal_id       = each.value.principal
  description        = "Publishes the public half."
}

resource "azurerm_role_assignment" "decrypter" {
  for_each           = local.decrypts
  scope              = azurerm_key_vault_key.encryption[each.value.key].resource_versionless_id
  role_definition_id = azurerm_role_definition.this["decrypt"].role_definition_resource_id
  principal_id       = each.value.principal
  description        = "Opens the tokens of its own backend, and of no other."
}

# Whoever applies this makes the keys; it is no part of what runs.
resource "azurerm_role_assignment" "administrator" {
  for_each             = var.administrators
  scope                = azurerm_key_vault.this.id
  role_definition_name = "Key Vault Crypto Officer"
  principal_id         = each.value
  description          = "Makes, rotates and revokes keys."
}

resource "azurerm_private_endpoint" "this" {
  count               = var.private_endpoint == null ? 0 : 1
  name                = "${var.name}-endpoint"
  resource_group_name = var.resource_group_name
  location            = var.location
  subnet_id           = var.private_endpoint.subnet_id
  tags                = var.tags

  private_service_connection {
    name                           = "vault"
    private_connection_resource_id = azurerm_key_vault.this.id
    subresource_names              = ["vault"]
    is_manual_connection           = false
  }
  private_dns_zone_group {
    name                 = "vault"
    private_dns_zone_ids = var.private_endpoint.dns_zone_ids
  }
}

# Every use of a key is on record, allowed or not.
resource "azurerm_monitor_diagnostic_setting" "this" {
  name                       = "audit"
  target_resource_id         = azurerm_key_vault.this.id
  log_analytics_workspace_id = var.log_analytics_workspace_id

  enabled_log {
    category = "AuditEvent"
  }
  enabled_metric {
    category = "AllMetrics"
  }
}
