# That the policies keep what they promise is tested where they are run: tests/e2e/apim in the Rust workspace.
mock_provider "azurerm" {
  source = "../mocks"
}

variables {
  service = {
    id                  = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/drawbridge/providers/Microsoft.ApiManagement/service/contoso"
    name                = "contoso"
    resource_group_name = "drawbridge"
  }
  backend            = "billing"
  path               = "billing"
  routes             = ["GET /invoices/{invoice}", "POST /invoices"]
  context            = ["sub", "client_id"]
  upstream_url       = "https://billing.internal.example.com"
  authorize_host     = "drawbridge-billing.azurewebsites.net"
  authorize_audience = "api://66666666-2222-3333-4444-555555555555"
}

run "every_operation_is_behind_the_gate" {
  command = plan
  assert {
    condition     = toset(keys(azurerm_api_management_api_operation.this)) == toset(var.routes)
    error_message = "there should be an operation for each route and no other"
  }
  assert {
    condition     = [for parameter in azurerm_api_management_api_operation.this["GET /invoices/{invoice}"].template_parameter : parameter.name] == ["invoice"]
    error_message = "path parameters should be declared"
  }
  assert {
    condition     = strcontains(azurerm_api_management_api_policy.this.xml_content, "fragment-id=\"drawbridge-billing-guard\"") && strcontains(azurerm_api_management_api_policy.this.xml_content, "fragment-id=\"drawbridge-billing-authorize\"")
    error_message = "the API's policy should ask the gate"
  }
  assert {
    condition     = strcontains(azurerm_api_management_api_policy.this.xml_content, "backend-id=\"drawbridge-billing\"")
    error_message = "allowed requests should go to the backend"
  }
  assert {
    condition     = toset(azurerm_api_management_api.this.protocols) == toset(["https"])
    error_message = "the API should be reached over TLS alone"
  }
}

run "the_policies_are_rendered_whole" {
  command = plan
  assert {
    condition     = alltrue([for text in concat([azurerm_api_management_api_policy.this.xml_content], [for fragment in azurerm_api_management_policy_fragment.this : fragment.value]) : length(regexall("[$%][{]", text)) == 0])
    error_message = "nothing of the templates should be left"
  }
  assert {
    condition     = alltrue([for header in ["x-drawbridge-sub", "x-drawbridge-client-id"] : strcontains(azurerm_api_management_policy_fragment.this["guard"].value, "<set-header name=\"${header}\" exists-action=\"delete\" />") && strcontains(azurerm_api_management_policy_fragment.this["authorize"].value, "<set-header name=\"${header}\" exists-action=\"override\">")])
    error_message = "every context header should be dropped and then set"
  }
  assert {
    condition     = !strcontains(azurerm_api_management_api_policy.this.xml_content, "validate-client-certificate") && !strcontains(azurerm_api_management_api_policy.this.xml_content, "check-header")
    error_message = "what was not asked for should not be there"
  }
  # Every named value that a policy names is defined, and none is a secret.
  assert {
    condition     = toset(flatten([for text in concat([azurerm_api_management_api_policy.this.xml_content], [for fragment in azurerm_api_management_policy_fragment.this : fragment.value]) : [for match in regexall("\\{\\{([a-z0-9-]+)\\}\\}", text) : match[0]]])) == toset([for value in azurerm_api_management_named_value.this : value.name])
    error_message = "the named values should be those of the policies"
  }
}

run "nothing_is_remembered_by_default" {
  command = plan
  assert {
    condition     = azurerm_api_management_named_value.this["cache-seconds"].value == "0"
    error_message = "the cache should be off"
  }
}

run "mutual_tls_front_door_and_the_backends_own_audience" {
  command = plan
  variables {
    mutual_tls        = true
    front_door        = { id = "55555555-2222-3333-4444-555555555555" }
    upstream_identity = { audience = "api://billing" }
  }
  assert {
    condition     = strcontains(azurerm_api_management_api_policy.this.xml_content, "<validate-client-certificate ") && strcontains(azurerm_api_management_api_policy.this.xml_content, "<check-header name=\"X-Azure-FDID\"") && strcontains(azurerm_api_management_api_policy.this.xml_content, "{{drawbridge-billing-upstream-audience}}")
    error_message = "what was asked for should be there"
  }
  assert {
    condition     = azurerm_api_management_named_value.this["front-door"].value == var.front_door.id && azurerm_api_management_named_value.this["upstream-audience"].value == "api://billing"
    error_message = "the policies' named values should be defined"
  }
}

run "logs_hold_no_header_and_no_body" {
  command = plan
  variables { logger = { id = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/drawbridge/providers/Microsoft.ApiManagement/service/contoso/loggers/insights" } }
  assert {
    condition     = azurerm_api_management_api_diagnostic.this[0].frontend_request[0].body_bytes == 0 && length(azurerm_api_management_api_diagnostic.this[0].frontend_request[0].headers_to_log) == 0
    error_message = "a token should not be logged"
  }
}

run "a_memory_beyond_the_token" {
  command = plan
  variables { cache_seconds = 100 }
  expect_failures = [azurerm_api_management_api.this]
}

run "a_memory_without_end" {
  command = plan
  variables { cache_seconds = 3600 }
  expect_failures = [var.cache_seconds]
}

run "a_wildcard" {
  command = plan
  variables { routes = ["GET /*"] }
  expect_failures = [var.routes]
}

run "a_backend_in_plain_text" {
  command = plan
  variables { upstream_url = "http://billing.internal.example.com" }
  expect_failures = [var.upstream_url]
}

run "a_claim_that_is_no_header" {
  command = plan
  variables { context = ["sub\r\nX-Admin"] }
  expect_failures = [var.context]
}

run "a_gate_that_is_no_host" {
  command = plan
  variables { authorize_host = "http://gate" }
  expect_failures = [var.authorize_host]
}

run "a_path_that_ends_in_a_slash" {
  command = plan
  variables { path = "billing/" }
  expect_failures = [var.path]
}
