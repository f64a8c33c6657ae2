mock_provider "azurerm" {
  source = "../mocks"
}

variables {
  name                       = "contoso-keys"
  resource_group_name        = "drawbridge"
  location                   = "westeurope"
  tenant_id                  = "11111111-2222-3333-4444-555555555555"
  log_analytics_workspace_id = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/drawbridge/providers/Microsoft.OperationalInsights/workspaces/drawbridge"
  backends = {
    billing = { encryption = true }
    ledger  = { encryption = true }
    reports = { algorithm = "PS256" }
  }
  signers    = { bridge = "aaaaaaaa-2222-3333-4444-555555555555" }
  publishers = { jwks = "bbbbbbbb-2222-3333-4444-555555555555" }
  decrypters = { billing = "cccccccc-2222-3333-4444-555555555555" }
}

run "keys_are_named_as_the_store_asks_for_them" {
  assert {
    condition     = output.keys == tolist(["billing-enc", "billing-sig", "ledger-enc", "ledger-sig", "reports-sig"])
    error_message = "keys should be called <backend>-<use>"
  }
  assert {
    condition     = azurerm_key_vault_key.signing["billing-sig"].curve == "P-256" && azurerm_key_vault_key.signing["reports-sig"].key_type == "RSA"
    error_message = "a key should be of its algorithm"
  }
  assert {
    condition     = toset(azurerm_key_vault_key.signing["billing-sig"].key_opts) == toset(["sign", "verify"]) && toset(azurerm_key_vault_key.encryption["billing-enc"].key_opts) == toset(["wrapKey", "unwrapKey"])
    error_message = "a key should be for one use"
  }
}

run "the_vault_forgets_nothing_and_lets_nobody_in" {
  command = plan
  assert {
    condition     = azurerm_key_vault.this.purge_protection_enabled && azurerm_key_vault.this.rbac_authorization_enabled
    error_message = "the vault should keep deleted keys and use RBAC"
  }
  assert {
    condition     = azurerm_key_vault.this.network_acls[0].default_action == "Deny"
    error_message = "the firewall should deny by default"
  }
  assert {
    condition     = [for log in azurerm_monitor_diagnostic_setting.this.enabled_log : log.category] == ["AuditEvent"]
    error_message = "every use of a key should be on record"
  }
}

run "versions_overlap" {
  command = plan
  assert {
    condition = alltrue([for key in [azurerm_key_vault_key.signing["billing-sig"], azurerm_key_vault_key.encryption["billing-enc"]] :
    key.rotation_policy[0].automatic[0].time_after_creation == "P30D" && key.rotation_policy[0].expire_after == "P37D"])
    error_message = "the previous version should hold for a week after a rotation"
  }
}

run "each_may_do_its_own_and_no_more" {
  assert {
    condition     = toset(keys(azurerm_role_assignment.signer)) == toset(["bridge/billing-sig", "bridge/ledger-sig", "bridge/reports-sig"])
    error_message = "only the bridge should sign, and only with signing keys"
  }
  assert {
    condition     = alltrue([for assignment in azurerm_role_assignment.signer : assignment.principal_id == var.signers.bridge])
    error_message = "only the bridge should sign"
  }
  assert {
    condition     = keys(azurerm_role_assignment.decrypter) == ["billing"] && azurerm_role_assignment.decrypter["billing"].principal_id == var.decrypters.billing
    error_message = "a gate should unwrap with its own backend's key alone"
  }
  assert {
    condition     = alltrue([for assignment in concat(values(azurerm_role_assignment.signer), values(azurerm_role_assignment.decrypter), values(azurerm_role_assignment.publisher), values(azurerm_role_assignment.encrypter)) : strcontains(assignment.scope, "/keys/")])
    error_message = "what runs should be given single keys and never the vault"
  }
  assert {
    condition     = toset(azurerm_role_definition.this["publish"].permissions[0].data_actions) == toset(["Microsoft.KeyVault/vaults/keys/read"])
    error_message = "the key endpoint should read public keys and nothing else"
  }
  assert {
    condition     = alltrue([for role in azurerm_role_definition.this : length(role.permissions[0].actions) == 0 && !anytrue([for action in role.permissions[0].data_actions : strcontains(action, "*")])])
    error_message = "no role should manage the vault or have a wildcard"
  }
  assert {
    condition     = !contains(azurerm_role_definition.this["decrypt"].permissions[0].data_actions, "Microsoft.KeyVault/vaults/keys/sign/action") && !contains(azurerm_role_definition.this["sign"].permissions[0].data_actions, "Microsoft.KeyVault/vaults/keys/unwrap/action")
    error_message = "who signs should not decrypt, and the other way round"
  }
}

run "a_private_endpoint_turns_public_access_off" {
  command = plan
  variables {
    private_endpoint = {
      subnet_id    = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/drawbridge/providers/Microsoft.Network/virtualNetworks/v/subnets/s"
      dns_zone_ids = ["/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/drawbridge/providers/Microsoft.Network/privateDnsZones/privatelink.vaultcore.azure.net"]
    }
  }
  assert {
    condition     = !azurerm_key_vault.this.public_network_access_enabled && length(azurerm_private_endpoint.this) == 1
    error_message = "a private vault should not be public"
  }
}

run "hardware" {
  command = plan
  variables { hsm = true }
  assert {
    condition     = azurerm_key_vault.this.sku_name == "premium" && azurerm_key_vault_key.signing["billing-sig"].key_type == "EC-HSM" && azurerm_key_vault_key.encryption["billing-enc"].key_type == "RSA-HSM"
    error_message = "keys should be in hardware"
  }
}

run "a_gate_for_a_key_that_is_not_there" {
  command = plan
  variables { decrypters = { reports = "cccccccc-2222-3333-4444-555555555555" } }
  expect_failures = [var.decrypters]
}

run "a_symmetric_algorithm" {
  command = plan
  variables { backends = { billing = { algorithm = "HS256" } } }
  expect_failures = [var.backends]
}

run "a_name_that_is_no_backends" {
  command = plan
  variables {
    backends   = { "../billing" = {} }
    decrypters = {}
  }
  expect_failures = [var.backends]
}

run "keys_that_grow_old" {
  command = plan
  variables { rotation_days = 365 }
  expect_failures = [var.rotation_days]
}

run "versions_that_do_not_overlap" {
  command = plan
  variables { overlap_days = 0 }
  expect_failures = [var.overlap_days]
}

run "a_vault_for_everybody" {
  command = plan
  variables { allowed_ips = ["0.0.0.0/0"] }
  expect_failures = [var.allowed_ips]
}
