mock_provider "azurerm" {
  source = "../../mocks"
}
mock_provider "azuread" {
  mock_resource "azuread_application" {
    defaults = {
      id        = "/applications/66666666-0000-3333-4444-555555555555"
      client_id = "66666666-2222-3333-4444-555555555555"
    }
  }
  mock_data "azuread_service_principal" {
    defaults = { client_id = "77777777-2222-3333-4444-555555555555" }
  }
}

override_resource {
  target = azurerm_api_management.this
  values = {
    id          = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/contoso/providers/Microsoft.ApiManagement/service/contoso"
    gateway_url = "https://contoso.azure-api.net"
    identity    = { principal_id = "88888888-2222-3333-4444-555555555555", tenant_id = "11111111-2222-3333-4444-555555555555" }
  }
}

variables {
  subscription_id = "00000000-0000-0000-0000-000000000000"
  name            = "contoso"
  config_file     = "drawbridge.yaml"
  vault_name      = "contoso-keys"
  storage_prefix  = "contoso"
  upstream_url    = "https://billing.internal.example.com"
  publisher       = { name = "Contoso", email = "apis@example.com" }
  alert_emails    = ["oncall@example.com"]
}

run "a_backend_behind_the_firewall" {
  assert {
    condition     = output.upstream == "https://mock-abc.z01.azurefd.net/billing"
    error_message = "the edge should be told to come through the firewall"
  }
  assert {
    condition     = output.jwks == "https://mock.azurewebsites.net/api/jwks/{backend}/{kid}" && output.vault == "https://mock.vault.azure.net"
    error_message = "the edge should be told where the keys are"
  }
  assert {
    condition     = output.apps == { jwks = "contoso-jwks", gate = "contoso-billing-gate" }
    error_message = "who deploys should be told where to"
  }
}

run "the_functions_are_told_the_addresses_that_there_are" {
  assert {
    condition     = local.config.issuers.edge.keys.jwks == module.jwks.jwks && local.config.stores.azure.key_vault.url == module.vault.url
    error_message = "the gate should ask the key endpoint and the vault that were made"
  }
  assert {
    condition     = local.config.issuers.edge.algorithms == ["ES256"] && local.config.backends == local.file.backends
    error_message = "nothing else of the configuration should change"
  }
  assert {
    condition     = local.lifetime == 120 && local.routes == ["GET /invoices/{invoice}"]
    error_message = "the API should be the configuration's"
  }
}

run "an_issuer_has_its_keys_in_one_way" {
  variables { config_file = "tests/short.yaml" }
  assert {
    condition     = !contains(keys(local.config.issuers.edge), "store") && local.config.issuers.edge.keys.jwks == module.jwks.jwks
    error_message = "the address of the key endpoint should take the place of what the file says"
  }
}

run "the_gateways_name_without_a_firewall" {
  variables { front_door = false }
  assert {
    condition     = output.upstream == "https://contoso.azure-api.net/billing" && length(module.front_door) == 0
    error_message = "the edge should be told where the gateway is"
  }
}

run "a_file_that_is_no_configuration" {
  command = plan
  variables { config_file = "README.md" }
  expect_failures = [var.config_file]
}

run "a_gateway_without_a_cache" {
  command = plan
  variables { gateway_sku = "Consumption_0" }
  expect_failures = [var.gateway_sku]
}
