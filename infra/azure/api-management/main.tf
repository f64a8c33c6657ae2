# The API of one backend on an API Management service: every operation asks the gate before it goes on, by the policies beside this file.

terraform {
  required_version = ">= 1.9"
  required_providers {
    azurerm = { source = "hashicorp/azurerm", version = ">= 4.50, < 5.0" }
  }
}

locals {
  # An operation for each route and no wildcard: what the configuration does not name is a 404 before the gate is asked.
  operations = { for route in var.routes : route => {
    method     = split(" ", route)[0]
    template   = split(" ", route)[1]
    id         = substr(sha256(route), 0, 16)
    parameters = toset([for match in regexall("\\{([a-zA-Z0-9_]+)\\}", route) : match[0]])
  } }
  inputs = {
    backend           = var.backend
    path              = var.path
    headers           = [for claim in var.context : "x-drawbridge-${replace(claim, "_", "-")}"]
    mutual_tls        = var.mutual_tls
    front_door        = var.front_door != null
    upstream_identity = var.upstream_identity != null
  }
  fragments = { for name in ["guard", "authorize"] : name => templatefile("${path.module}/policies/${name}.xml", local.inputs) }
  policy    = templatefile("${path.module}/policies/api.xml", local.inputs)
  named_values = merge(
    {
      host          = var.authorize_host
      audience      = var.authorize_audience
      cache-seconds = tostring(var.cache_seconds)
    },
    var.front_door == null ? {} : { front-door = var.front_door.id },
    var.upstream_identity == null ? {} : { upstream-audience = var.upstream_identity.audience },
  )
}

# None of them is a secret: the gate and the backend know the gateway by its managed identity.
resource "azurerm_api_management_named_value" "this" {
  for_each            = local.named_values
  name                = "drawbridge-${var.backend}-${each.key}"
  display_name        = "drawbridge-${var.backend}-${each.key}"
  resource_group_name = var.service.resource_group_name
  api_management_name = var.service.name
  value               = each.value
}

resource "azurerm_api_management_policy_fragment" "this" {
  for_each          = local.fragments
  api_management_id = var.service.id
  name              = "drawbridge-${var.backend}-${each.key}"
  description       = "Drawbridge: ${each.key == "guard" ? "takes away what a client could say of itself" : "asks the gate, and denies on anything but an allow"}"
  format            = "xml"
  value             = each.value

  depends_on = [azurerm_api_management_named_value.this]
}

resource "azurerm_api_management_backend" "this" {
  #checkov:skip=CKV_AZURE_215:`upstream_url` is refused unless it begins with https://, which checkov does not see
  name                = "drawbridge-${var.backend}"
  description         = "Where allowed requests of ${var.backend} go"
  resource_group_name = var.service.resource_group_name
  api_management_name = var.service.name
  protocol            = "http"
  url                 = var.upstream_url

  tls {
    validate_certificate_chain = true
    validate_certificate_name  = true
  }
}

resource "azurerm_api_management_api" "this" {
  name                  = "drawbridge-${var.backend}"
  display_name          = var.backend
  resource_group_name   = var.service.resource_group_name
  api_management_name   = var.service.name
  revision              = "1"
  path                  = var.path
  protocols             = ["https"]
  service_url           = var.upstream_url
  subscription_required = false # the bridged token is the credential; a key beside it would be one more that leaks

  lifecycle {
    precondition {
      condition     = var.cache_seconds <= floor(var.token_lifetime_seconds / 2)
      error_message = "cache_seconds must be at most half of token_lifetime_seconds: a key that is revoked goes on opening what is remembered."
    }
  }
}

resource "azurerm_api_management_api_operation" "this" {
  for_each            = local.operations
  operation_id        = each.value.id
  display_name        = each.key
  resource_group_name = var.service.resource_group_name
  api_management_name = var.service.name
  api_name            = azurerm_api_management_api.this.name
  method              = each.value.method
  url_template        = each.value.template

  dynamic "template_parameter" {
    for_each = each.value.parameters
    content {
      name     = template_parameter.value
      type     = "string"
      required = true
    }
  }

  # Without its policy an API passes everything on.
  depends_on = [azurerm_api_management_api_policy.this]
}

resource "azurerm_api_management_api_policy" "this" {
  resource_group_name = var.service.resource_group_name
  api_management_name = var.service.name
  api_name            = azurerm_api_management_api.this.name
  xml_content         = local.policy

  depends_on = [
    azurerm_api_management_policy_fragment.this,
    azurerm_api_management_named_value.this,
    azurerm_api_management_backend.this,
  ]
}

# Who called what, when, and what came of it; never a header or a body, for tokens are in both.
resource "azurerm_api_management_api_diagnostic" "this" {
  count                     = var.logger == null ? 0 : 1
  identifier                = "applicationinsights"
  resource_group_name       = var.service.resource_group_name
  api_management_name       = var.service.name
  api_name                  = azurerm_api_management_api.this.name
  api_management_logger_id  = var.logger.id
  sampling_percentage       = 100
  always_log_errors         = true
  log_client_ip             = true
  verbosity                 = "error"
  http_correlation_protocol = "W3C"

  frontend_request {
    body_bytes     = 0
    headers_to_log = []
  }
  frontend_response {
    body_bytes     = 0
    headers_to_log = []
  }
  backend_request {
    body_bytes     = 0
    headers_to_log = []
  }
  backend_response {
    body_bytes     = 0
    headers_to_log = []
  }
}
