# One backend, end to end: its keys in Key Vault, the key endpoint, the gate, an API behind Front Door's firewall, logs and alerts.
# `config_file` is the same drawbridge.yaml that the edge reads; the addresses that exist only once this is applied are put
# into the copy that the functions get.

terraform {
  required_version = ">= 1.9"
  required_providers {
    azurerm = { source = "hashicorp/azurerm", version = ">= 4.50, < 5.0" }
    azuread = { source = "hashicorp/azuread", version = ">= 3.0, < 4.0" }
  }
}

provider "azurerm" {
  subscription_id     = var.subscription_id
  storage_use_azuread = true # no account has keys
  features {}
}

data "azurerm_client_config" "current" {}

locals {
  file    = yamldecode(file(var.config_file))
  backend = local.file.backends[var.backend]
  issuer  = local.file.issuers[local.backend.issuer]
  routes  = flatten([for route in local.backend.routes : [for method in route.methods : "${method} ${route.path}"]])
  # `30s`, `2m` or `1h`, as durations are written.
  units     = { s = 1, m = 60, h = 3600 }
  written   = regex("^([0-9]+)([smh])$", try(local.backend.lifetime, "2m"))
  lifetime  = tonumber(local.written[0]) * local.units[local.written[1]]
  encrypted = try(local.backend.encryption, "refused") != "refused"

  with_vault = merge(local.file, {
    stores = merge(local.file.stores, { (local.backend.store) = { key_vault = { url = module.vault.url } } })
  })
  config = merge(local.with_vault, {
    issuers = merge(local.file.issuers, {
      # In place of whatever the file says of the issuer's keys, also the short way.
      (local.backend.issuer) = merge(
        { for member, value in local.issuer : member => value if !contains(["keys", "jwks", "store"], member) },
        { keys = { jwks = module.jwks.jwks } },
      )
    })
  })

  tags = { application = "drawbridge", backend = var.backend }
}

resource "azurerm_resource_group" "this" {
  name     = var.name
  location = var.location
  tags     = local.tags
}

module "observability" {
  source              = "../../observability"
  name                = var.name
  resource_group_name = azurerm_resource_group.this.name
  location            = azurerm_resource_group.this.location
  alert_emails        = var.alert_emails
  api_management_ids  = { gateway = azurerm_api_management.this.id }
  tags                = local.tags
}

# The functions' own calls leave by this network, and storage and vault answer nobody else.
resource "azurerm_virtual_network" "this" {
  name                = var.name
  resource_group_name = azurerm_resource_group.this.name
  location            = azurerm_resource_group.this.location
  address_space       = ["10.64.0.0/24"]
  tags                = local.tags
}

resource "azurerm_network_security_group" "functions" {
  name                = "${var.name}-functions"
  resource_group_name = azurerm_resource_group.this.name
  location            = azurerm_resource_group.this.location
  tags                = local.tags

  security_rule {
    name                       = "NothingComesIn"
    priority                   = 100
    direction                  = "Inbound"
    access                     = "Deny"
    protocol                   = "*"
    source_address_prefix      = "*"
    source_port_range          = "*"
    destination_address_prefix = "*"
    destination_port_range     = "*"
  }
}

resource "azurerm_subnet" "functions" {
  name                 = "functions"
  resource_group_name  = azurerm_resource_group.this.name
  virtual_network_name = azurerm_virtual_network.this.name
  address_prefixes     = ["10.64.0.0/26"]
  service_endpoints    = ["Microsoft.KeyVault", "Microsoft.Storage"]

  delegation {
    name = "functions"
    service_delegation {
      name    = "Microsoft.App/environments"
      actions = ["Microsoft.Network/virtualNetworks/subnets/join/action"]
    }
  }
}

resource "azurerm_subnet_network_security_group_association" "functions" {
  subnet_id                 = azurerm_subnet.functions.id
  network_security_group_id = azurerm_network_security_group.functions.id
}

module "vault" {
  source                     = "../../key-vault"
  name                       = var.vault_name
  resource_group_name        = azurerm_resource_group.this.name
  location                   = azurerm_resource_group.this.location
  tenant_id                  = data.azurerm_client_config.current.tenant_id
  backends                   = { (var.backend) = { encryption = local.encrypted } }
  signers                    = var.bridge_principal_id == null ? {} : { bridge = var.bridge_principal_id }
  publishers                 = { jwks = module.jwks.principal_id }
  decrypters                 = local.encrypted ? { (var.backend) = module.gate.principal_id } : {}
  administrators             = { terraform = data.azurerm_client_config.current.object_id }
  allowed_ips                = var.operator_ips
  allowed_subnet_ids         = [azurerm_subnet.functions.id]
  log_analytics_workspace_id = module.observability.log_analytics_workspace_id
  tags                       = local.tags
}

module "jwks" {
  source                     = "../../function-app"
  name                       = "${var.name}-jwks"
  function                   = "jwks"
  backend                    = var.backend
  config                     = jsonencode(local.with_vault)
  package                    = var.package
  resource_group_name        = azurerm_resource_group.this.name
  location                   = azurerm_resource_group.this.location
  storage_account_name       = "${var.storage_prefix}jwks"
  subnet_id                  = azurerm_subnet.functions.id
  deployment_ips             = var.operator_ips
  application_insights       = module.observability.application_insights
  log_analytics_workspace_id = module.observability.log_analytics_workspace_id
  tags                       = local.tags
}

# What the gateway's identity shows its tokens for. It has no secret, no permission and no users.
resource "azuread_application" "gate" {
  display_name     = "${var.name}-${var.backend}-gate"
  sign_in_audience = "AzureADMyOrg"

  api {
    requested_access_token_version = 2
  }
  lifecycle {
    ignore_changes = [identifier_uris] # written below, because it has the application's own id in it
  }
}

resource "azuread_application_identifier_uri" "gate" {
  application_id = azuread_application.gate.id
  identifier_uri = "api://${azuread_application.gate.client_id}"
}

resource "azuread_service_principal" "gate" {
  client_id = azuread_application.gate.client_id
}

data "azuread_service_principal" "gateway" {
  object_id = azurerm_api_management.this.identity[0].principal_id
}

module "gate" {
  source                     = "../../function-app"
  name                       = "${var.name}-${var.backend}-gate"
  function                   = "authorize"
  backend                    = var.backend
  config                     = jsonencode(local.config)
  package                    = var.package
  resource_group_name        = azurerm_resource_group.this.name
  location                   = azurerm_resource_group.this.location
  storage_account_name       = "${var.storage_prefix}gate"
  subnet_id                  = azurerm_subnet.functions.id
  deployment_ips             = var.operator_ips
  application_insights       = module.observability.application_insights
  log_analytics_workspace_id = module.observability.log_analytics_workspace_id
  always_ready               = 1 # the gateway waits 5 s, and a cold host may not make that
  tags                       = local.tags

  caller = {
    tenant_id          = data.azurerm_client_config.current.tenant_id
    audience_client_id = azuread_application.gate.client_id
    client_id          = data.azuread_service_principal.gateway.client_id
    principal_id       = azurerm_api_management.this.identity[0].principal_id
  }
}

resource "azurerm_api_management" "this" {
  #checkov:skip=CKV_AZURE_107:a network of one's own is the caller's choice; what reaches an API goes through its policy
  #checkov:skip=CKV_AZURE_174:requests come through Front Door, which reaches a public name; X-Azure-FDID is checked
  #checkov:skip=CKV_AZURE_152:certificates are asked for on the host name of mutual TLS; bearer tokens need none
  name                = var.name
  resource_group_name = azurerm_resource_group.this.name
  location            = azurerm_resource_group.this.location
  publisher_name      = var.publisher.name
  publisher_email     = var.publisher.email
  sku_name            = var.gateway_sku
  min_api_version     = "2021-08-01" # older ones answer with secrets in them
  tags                = local.tags

  identity {
    type = "SystemAssigned"
  }
  security {
    backend_ssl30_enabled  = false
    backend_tls10_enabled  = false
    backend_tls11_enabled  = false
    frontend_ssl30_enabled = false
    frontend_tls10_enabled = false
    frontend_tls11_enabled = false
  }
}

module "api" {
  source                 = "../../api-management"
  backend                = var.backend
  path                   = var.backend
  routes                 = local.routes
  context                = try(local.backend.context, ["sub"])
  upstream_url           = var.upstream_url
  upstream_identity      = var.upstream_audience == null ? null : { audience = var.upstream_audience }
  authorize_host         = module.gate.host
  authorize_audience     = azuread_application_identifier_uri.gate.identifier_uri
  cache_seconds          = var.cache_seconds
  token_lifetime_seconds = local.lifetime
  front_door             = var.front_door ? { id = module.front_door[0].front_door_id } : null

  service = {
    id                  = azurerm_api_management.this.id
    name                = azurerm_api_management.this.name
    resource_group_name = azurerm_resource_group.this.name
  }
}

module "front_door" {
  count                      = var.front_door ? 1 : 0
  source                     = "../../front-door-waf"
  name                       = var.name
  resource_group_name        = azurerm_resource_group.this.name
  gateway_host               = trimprefix(azurerm_api_management.this.gateway_url, "https://")
  paths                      = [var.backend]
  unlimited_addresses        = var.edge_addresses
  log_analytics_workspace_id = module.observability.log_analytics_workspace_id
  tags                       = local.tags
}
