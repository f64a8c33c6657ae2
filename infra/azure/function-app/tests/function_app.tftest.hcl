mock_provider "azurerm" {
  source = "../mocks"
}

variables {
  name                 = "drawbridge-billing"
  function             = "authorize"
  backend              = "billing"
  config               = "{\"issuers\":{},\"backends\":{\"billing\":{}}}"
  resource_group_name  = "drawbridge"
  location             = "westeurope"
  storage_account_name = "drawbridgebilling"
  subnet_id            = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/drawbridge/providers/Microsoft.Network/virtualNetworks/v/subnets/functions"
  application_insights = {
    id                = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/drawbridge/providers/Microsoft.Insights/components/drawbridge"
    connection_string = "InstrumentationKey=44444444-2222-3333-4444-555555555555"
  }
  log_analytics_workspace_id = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/drawbridge/providers/Microsoft.OperationalInsights/workspaces/drawbridge"
  caller = {
    tenant_id          = "11111111-2222-3333-4444-555555555555"
    audience_client_id = "66666666-2222-3333-4444-555555555555"
    client_id          = "77777777-2222-3333-4444-555555555555"
    principal_id       = "88888888-2222-3333-4444-555555555555"
  }
}

run "a_gate_on_flex_consumption" {
  assert {
    condition     = azurerm_service_plan.this.sku_name == "FC1" && length(azurerm_linux_function_app.this) == 0
    error_message = "Flex Consumption should be the default"
  }
  assert {
    condition     = azurerm_function_app_flex_consumption.this[0].runtime_name == "custom"
    error_message = "the app should run a custom handler"
  }
  assert {
    condition     = azurerm_function_app_flex_consumption.this[0].app_settings["DRAWBRIDGE_BACKEND"] == "billing" && azurerm_function_app_flex_consumption.this[0].app_settings["DRAWBRIDGE_CONFIG"] == var.config
    error_message = "the handler should be told its backend and its configuration"
  }
  assert {
    condition     = azurerm_function_app_flex_consumption.this[0].app_settings["DRAWBRIDGE_CREDENTIALS_HEADER"] == "X-Bridged-Token" && azurerm_function_app_flex_consumption.this[0].app_settings["DRAWBRIDGE_CLIENT_CERTIFICATE_HEADER"] == "X-Client-Certificate"
    error_message = "the handler should read the headers that the policy writes"
  }
  assert {
    condition     = azurerm_function_app_flex_consumption.this[0].app_settings["AzureWebJobs.jwks.Disabled"] == "true" && !contains(keys(azurerm_function_app_flex_consumption.this[0].app_settings), "AzureWebJobs.authorize.Disabled")
    error_message = "a gate should not publish keys"
  }
  assert {
    condition     = output.jwks == null && output.host == "mock.azurewebsites.net"
    error_message = "a gate is no key endpoint"
  }
}

run "only_the_gateway_may_ask" {
  assert {
    condition     = azurerm_function_app_flex_consumption.this[0].auth_settings_v2[0].require_authentication && azurerm_function_app_flex_consumption.this[0].auth_settings_v2[0].unauthenticated_action == "Return401"
    error_message = "nobody should ask without an identity"
  }
  assert {
    condition     = azurerm_function_app_flex_consumption.this[0].auth_settings_v2[0].active_directory_v2[0].allowed_identities == tolist([var.caller.principal_id]) && azurerm_function_app_flex_consumption.this[0].auth_settings_v2[0].active_directory_v2[0].allowed_applications == tolist([var.caller.client_id])
    error_message = "only the gateway's identity should ask"
  }
}

run "no_secret_and_no_old_tls" {
  assert {
    condition     = !azurerm_storage_account.this.shared_access_key_enabled && azurerm_function_app_flex_consumption.this[0].storage_authentication_type == "UserAssignedIdentity"
    error_message = "storage should know identities alone"
  }
  assert {
    condition     = azurerm_function_app_flex_consumption.this[0].site_config[0].minimum_tls_version == "1.2" && azurerm_function_app_flex_consumption.this[0].https_only && azurerm_storage_account.this.min_tls_version == "TLS1_2"
    error_message = "TLS should be 1.2 or later"
  }
  assert {
    condition     = azurerm_function_app_flex_consumption.this[0].site_config[0].scm_ip_restriction_default_action == "Deny" && !azurerm_function_app_flex_consumption.this[0].webdeploy_publish_basic_authentication_enabled
    error_message = "the deployment endpoint should be closed"
  }
  assert {
    condition     = azurerm_function_app_flex_consumption.this[0].app_settings["AzureFunctionsJobHost__logging__applicationInsights__samplingSettings__isEnabled"] == "false"
    error_message = "audit lines should not be sampled"
  }
  assert {
    condition     = azurerm_storage_account.this.network_rules[0].default_action == "Deny" && toset(azurerm_storage_account.this.network_rules[0].virtual_network_subnet_ids) == toset([var.subnet_id])
    error_message = "only the app's own network should reach its storage"
  }
  assert {
    condition     = azurerm_role_assignment.storage.scope == azurerm_storage_account.this.id
    error_message = "the identity should have its own storage account alone"
  }
}

run "a_gate_that_only_the_gateways_network_reaches" {
  command = plan
  variables { allowed = { gateway = { service_tag = "ApiManagement.WestEurope" } } }
  assert {
    condition     = azurerm_function_app_flex_consumption.this[0].site_config[0].ip_restriction_default_action == "Deny" && azurerm_function_app_flex_consumption.this[0].site_config[0].ip_restriction[0].service_tag == "ApiManagement.WestEurope"
    error_message = "other networks should be refused"
  }
}

run "the_key_endpoint_is_open_and_publishes" {
  variables {
    function = "jwks"
    caller   = null
  }
  assert {
    condition     = output.jwks == "https://mock.azurewebsites.net/api/jwks/{backend}/{kid}"
    error_message = "the gates should be told where the keys are"
  }
  assert {
    condition     = length(azurerm_function_app_flex_consumption.this[0].auth_settings_v2) == 0 && azurerm_function_app_flex_consumption.this[0].app_settings["AzureWebJobs.authorize.Disabled"] == "true"
    error_message = "the key endpoint should be open and decide nothing"
  }
  assert {
    condition     = !contains(keys(azurerm_function_app_flex_consumption.this[0].app_settings), "DRAWBRIDGE_CLIENT_CERTIFICATE_HEADER")
    error_message = "where clients come directly no header should be believed"
  }
}

run "a_linux_plan" {
  variables {
    plan_sku  = "EP1"
    instances = 2
  }
  assert {
    condition     = length(azurerm_function_app_flex_consumption.this) == 0 && azurerm_linux_function_app.this[0].site_config[0].application_stack[0].use_custom_runtime && azurerm_service_plan.this.worker_count == 2
    error_message = "a Linux plan should run the custom handler"
  }
  assert {
    condition     = azurerm_linux_function_app.this[0].storage_uses_managed_identity && azurerm_linux_function_app.this[0].site_config[0].minimum_tls_version == "1.2" && azurerm_linux_function_app.this[0].site_config[0].ftps_state == "Disabled"
    error_message = "a Linux plan should be as closed as Flex Consumption"
  }
  assert {
    condition     = azurerm_linux_function_app.this[0].auth_settings_v2[0].active_directory_v2[0].allowed_identities == tolist([var.caller.principal_id])
    error_message = "only the gateway's identity should ask"
  }
}

run "a_gate_that_anybody_could_ask" {
  command = plan
  variables { caller = null }
  expect_failures = [azurerm_function_app_flex_consumption.this]
}

run "a_backend_that_is_not_configured" {
  command = plan
  variables { backend = "orders" }
  expect_failures = [var.backend]
}

run "a_configuration_that_is_none" {
  command = plan
  variables { config = "{}" }
  expect_failures = [var.config]
}

run "a_network_that_is_none" {
  command = plan
  variables { allowed = { nobody = {} } }
  expect_failures = [var.allowed]
}

run "a_setting_that_is_the_modules" {
  command = plan
  variables { settings = { DRAWBRIDGE_CREDENTIALS_HEADER = "Authorization" } }
  expect_failures = [var.settings]
}

run "a_package_that_is_no_zip" {
  command = plan
  variables { package = "handler" }
  expect_failures = [var.package]
}

run "a_plan_without_identity" {
  command = plan
  variables { plan_sku = "Y1" }
  expect_failures = [var.plan_sku]
}

run "a_function_that_does_not_exist" {
  command = plan
  variables { function = "bridge" }
  expect_failures = [var.function]
}

run "a_network_that_is_no_subnet" {
  command = plan
  variables { subnet_id = "functions" }
  expect_failures = [var.subnet_id]
}

run "a_gate_that_passes_requests_on_by_itself" {
  variables {
    function     = "proxy"
    caller       = null
    upstream_url = "https://billing.internal.example.com"
    mutual_tls   = true
  }
  assert {
    condition     = output.upstream == "https://mock.azurewebsites.net/api/proxy" && output.jwks == null
    error_message = "the edge should be told where the gate is"
  }
  assert {
    condition     = azurerm_function_app_flex_consumption.this[0].app_settings["DRAWBRIDGE_UPSTREAM"] == var.upstream_url && !contains(keys(azurerm_function_app_flex_consumption.this[0].app_settings), "DRAWBRIDGE_CREDENTIALS_HEADER")
    error_message = "the caller's token should come in Authorization, and go no further"
  }
  assert {
    condition     = azurerm_function_app_flex_consumption.this[0].client_certificate_mode == "Required" && azurerm_function_app_flex_consumption.this[0].app_settings["DRAWBRIDGE_CLIENT_CERTIFICATE_HEADER"] == "X-ARR-ClientCert"
    error_message = "the certificate should be the front end's word"
  }
  assert {
    condition     = alltrue([for other in ["authorize", "jwks"] : azurerm_function_app_flex_consumption.this[0].app_settings["AzureWebJobs.${other}.Disabled"] == "true"])
    error_message = "the other functions should be off"
  }
}

run "a_certificate_that_nobody_checks" {
  command = plan
  variables { mutual_tls = true }
  expect_failures = [azurerm_function_app_flex_consumption.this]
}

run "an_upstream_in_plain_text" {
  command = plan
  variables {
    function     = "proxy"
    upstream_url = "http://billing.internal.example.com"
  }
  expect_failures = [var.upstream_url]
}

run "a_proxy_for_nothing" {
  command = plan
  variables { function = "proxy" }
  expect_failures = [azurerm_function_app_flex_consumption.this]
}
