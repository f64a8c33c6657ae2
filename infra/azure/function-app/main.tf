# One Function App with one of Drawbridge's functions: `authorize` (the gate of one backend, for a gateway that asks), `proxy` (the gate that
# passes requests on by itself) or `jwks` (the key endpoint). One identity each, so that each can be given what it needs and nothing
# else; no key, password or connection string anywhere.

terraform {
  required_version = ">= 1.9"
  required_providers {
    azurerm = { source = "hashicorp/azurerm", version = ">= 4.50, < 5.0" }
  }
}

locals {
  flex      = var.plan_sku == "FC1"
  functions = ["authorize", "jwks", "proxy"]
  app       = local.flex ? azurerm_function_app_flex_consumption.this[0] : azurerm_linux_function_app.this[0]

  settings = merge(
    var.settings,
    {
      DRAWBRIDGE_BACKEND = var.backend
      DRAWBRIDGE_CONFIG  = var.config
      AZURE_CLIENT_ID    = azurerm_user_assigned_identity.this.client_id

      AzureWebJobsStorage__accountName = azurerm_storage_account.this.name
      AzureWebJobsStorage__credential  = "managedidentity"
      AzureWebJobsStorage__clientId    = azurerm_user_assigned_identity.this.client_id

      # An audit trail of some of the decisions is none.
      AzureFunctionsJobHost__logging__applicationInsights__samplingSettings__isEnabled = "false"

      APPLICATIONINSIGHTS_AUTHENTICATION_STRING = "ClientId=${azurerm_user_assigned_identity.this.client_id};Authorization=AAD"
    },
    # What the policy of the api-management module writes, whatever a client sent under these names.
    var.function == "authorize" ? {
      DRAWBRIDGE_CREDENTIALS_HEADER        = "X-Bridged-Token"
      DRAWBRIDGE_CLIENT_CERTIFICATE_HEADER = "X-Client-Certificate"
    } : {},
    var.function == "proxy" && var.upstream_url != null ? { DRAWBRIDGE_UPSTREAM = var.upstream_url } : {},
    # Clients come to the app itself, whose front end overwrites this header in every request.
    var.function == "proxy" && var.mutual_tls ? { DRAWBRIDGE_CLIENT_CERTIFICATE_HEADER = "X-ARR-ClientCert" } : {},
    { for function in local.functions : "AzureWebJobs.${function}.Disabled" => "true" if function != var.function },
  )
}

resource "azurerm_user_assigned_identity" "this" {
  name                = var.name
  resource_group_name = var.resource_group_name
  location            = var.location
  tags                = var.tags
}

# The package and the host's own state. Nothing of a request is stored.
resource "azurerm_storage_account" "this" {
  #checkov:skip=CKV_AZURE_206:it holds a package that can be deployed again
  #checkov:skip=CKV_AZURE_33:no queue is used
  #checkov:skip=CKV2_AZURE_1:encrypted with the platform's key; it holds no secret and nothing of a request
  #checkov:skip=CKV2_AZURE_33:the firewall denies by default; a private endpoint is the network's to add
  #checkov:skip=CKV_AZURE_59:the firewall denies by default, and neither keys nor anonymous access exist
  #checkov:skip=CKV2_AZURE_41:there are no shared access signatures: shared keys are off
  name                             = var.storage_account_name
  resource_group_name              = var.resource_group_name
  location                         = var.location
  account_tier                     = "Standard"
  account_replication_type         = "LRS"
  min_tls_version                  = "TLS1_2"
  https_traffic_only_enabled       = true
  shared_access_key_enabled        = false
  default_to_oauth_authentication  = true
  allow_nested_items_to_be_public  = false
  local_user_enabled               = false
  cross_tenant_replication_enabled = false
  tags                             = var.tags

  network_rules {
    default_action             = "Deny"
    bypass                     = ["AzureServices"]
    ip_rules                   = var.deployment_ips
    virtual_network_subnet_ids = [var.subnet_id]
  }
  blob_properties {
    delete_retention_policy {
      days = 7
    }
    container_delete_retention_policy {
      days = 7
    }
  }
}

resource "azurerm_storage_container" "package" {
  #checkov:skip=CKV2_AZURE_21:the account's diagnostic setting below logs reads
  name                  = "package"
  storage_account_id    = azurerm_storage_account.this.id
  container_access_type = "private"
}

resource "azurerm_monitor_diagnostic_setting" "storage" {
  name                       = "audit"
  target_resource_id         = "${azurerm_storage_account.this.id}/blobServices/default"
  log_analytics_workspace_id = var.log_analytics_workspace_id

  enabled_log {
    category = "StorageRead"
  }
  enabled_log {
    category = "StorageWrite"
  }
  enabled_log {
    category = "StorageDelete"
  }
}

# The host leases blobs, which needs the owner's role; on this account alone.
resource "azurerm_role_assignment" "storage" {
  scope                = azurerm_storage_account.this.id
  role_definition_name = "Storage Blob Data Owner"
  principal_id         = azurerm_user_assigned_identity.this.principal_id
  description          = "The function's package and its host's state."
}

resource "azurerm_role_assignment" "telemetry" {
  scope                = var.application_insights.id
  role_definition_name = "Monitoring Metrics Publisher"
  principal_id         = azurerm_user_assigned_identity.this.principal_id
  description          = "Writes its own logs, without a key."
}

resource "azurerm_service_plan" "this" {
  #checkov:skip=CKV_AZURE_212:Flex Consumption scales by itself; on another plan the number is `instances`
  #checkov:skip=CKV_AZURE_225:zones are the caller's choice, with `zone_redundant`
  #checkov:skip=CKV_AZURE_211:the SKU is the caller's choice; Flex Consumption is for production
  name                   = var.name
  resource_group_name    = var.resource_group_name
  location               = var.location
  os_type                = "Linux"
  sku_name               = var.plan_sku
  worker_count           = local.flex ? null : var.instances
  zone_balancing_enabled = var.zone_redundant
  tags                   = var.tags
}

resource "azurerm_function_app_flex_consumption" "this" {
  #checkov:skip=CKV_AZURE_221:callers are restricted by network rules and, for `authorize`, by identity
  count                                          = local.flex ? 1 : 0
  name                                           = var.name
  resource_group_name                            = var.resource_group_name
  location                                       = var.location
  service_plan_id                                = azurerm_service_plan.this.id
  runtime_name                                   = "custom"
  runtime_version                                = "1.0"
  storage_container_type                         = "blobContainer"
  storage_container_endpoint                     = "${azurerm_storage_account.this.primary_blob_endpoint}${azurerm_storage_container.package.name}"
  storage_authentication_type                    = "UserAssignedIdentity"
  storage_user_assigned_identity_id              = azurerm_user_assigned_identity.this.id
  maximum_instance_count                         = var.instances
  instance_memory_in_mb                          = var.memory_mb
  https_only                                     = true
  webdeploy_publish_basic_authentication_enabled = false
  virtual_network_subnet_id                      = var.subnet_id
  client_certificate_enabled                     = var.mutual_tls
  client_certificate_mode                        = var.mutual_tls ? "Required" : null
  zip_deploy_file                                = var.package
  app_settings                                   = local.settings
  tags                                           = var.tags

  identity {
    type         = "UserAssigned"
    identity_ids = [azurerm_user_assigned_identity.this.id]
  }

  dynamic "always_ready" {
    for_each = var.always_ready > 0 ? [var.always_ready] : []
    content {
      name           = "http"
      instance_count = always_ready.value
    }
  }

  site_config {
    http2_enabled                          = true
    minimum_tls_version                    = "1.2"
    scm_minimum_tls_version                = "1.2"
    application_insights_connection_string = var.application_insights.connection_string
    ip_restriction_default_action          = length(var.allowed) == 0 ? "Allow" : "Deny"
    scm_ip_restriction_default_action      = "Deny"
    scm_use_main_ip_restriction            = false

    dynamic "ip_restriction" {
      for_each = var.allowed
      content {
        name                      = ip_restriction.key
        action                    = "Allow"
        priority                  = 100
        ip_address                = ip_restriction.value.ip_address
        service_tag               = ip_restriction.value.service_tag
        virtual_network_subnet_id = ip_restriction.value.subnet_id
      }
    }
    dynamic "scm_ip_restriction" {
      for_each = toset(var.deployment_ips)
      content {
        name       = "deployment"
        action     = "Allow"
        priority   = 100
        ip_address = length(regexall("/", scm_ip_restriction.value)) > 0 ? scm_ip_restriction.value : "${scm_ip_restriction.value}/32"
      }
    }
  }

  # Only the gateway's own identity may ask for a decision. The keys are public, and so is who asks for them.
  dynamic "auth_settings_v2" {
    for_each = var.caller == null ? [] : [var.caller]
    content {
      auth_enabled           = true
      require_authentication = true
      unauthenticated_action = "Return401"
      require_https          = true
      default_provider       = "azureactivedirectory"

      active_directory_v2 {
        client_id                   = auth_settings_v2.value.audience_client_id
        tenant_auth_endpoint        = "https://login.microsoftonline.com/${auth_settings_v2.value.tenant_id}/v2.0"
        allowed_audiences           = [auth_settings_v2.value.audience_client_id, "api://${auth_settings_v2.value.audience_client_id}"]
        allowed_applications        = [auth_settings_v2.value.client_id]
        allowed_identities          = [auth_settings_v2.value.principal_id]
        www_authentication_disabled = true # the caller behind the gateway is not the one to log in here
      }
      login {
        token_store_enabled = false
      }
    }
  }

  lifecycle {
    precondition {
      condition     = var.function != "authorize" || var.caller != null
      error_message = "function = \"authorize\" needs caller, the gateway's identity: who may ask for decisions may try tokens."
    }
    precondition {
      condition     = var.function != "proxy" || var.upstream_url != null
      error_message = "function = \"proxy\" needs upstream_url, the address of the backend behind it."
    }
    precondition {
      condition     = var.function == "proxy" || !var.mutual_tls
      error_message = "mutual_tls is for function = \"proxy\"; a gateway in front of `authorize` has mutual TLS of its own, and public keys need none."
    }
  }

  depends_on = [azurerm_role_assignment.storage]
}

resource "azurerm_linux_function_app" "this" {
  #checkov:skip=CKV_AZURE_221:callers are restricted by network rules and, for `authorize`, by identity
  #checkov:skip=CKV_AZURE_67:HTTP/2 is on below
  count                                          = local.flex ? 0 : 1
  name                                           = var.name
  resource_group_name                            = var.resource_group_name
  location                                       = var.location
  service_plan_id                                = azurerm_service_plan.this.id
  storage_account_name                           = azurerm_storage_account.this.name
  storage_uses_managed_identity                  = true
  functions_extension_version                    = "~4"
  https_only                                     = true
  builtin_logging_enabled                        = false # it would need a storage key
  ftp_publish_basic_authentication_enabled       = false
  webdeploy_publish_basic_authentication_enabled = false
  virtual_network_subnet_id                      = var.subnet_id
  client_certificate_enabled                     = var.mutual_tls
  client_certificate_mode                        = var.mutual_tls ? "Required" : null
  zip_deploy_file                                = var.package
  app_settings                                   = merge(local.settings, { WEBSITE_RUN_FROM_PACKAGE = "1" })
  tags                                           = var.tags

  identity {
    type         = "UserAssigned"
    identity_ids = [azurerm_user_assigned_identity.this.id]
  }

  site_config {
    always_on                              = true
    http2_enabled                          = true
    ftps_state                             = "Disabled"
    minimum_tls_version                    = "1.2"
    scm_minimum_tls_version                = "1.2"
    vnet_route_all_enabled                 = true
    application_insights_connection_string = var.application_insights.connection_string
    ip_restriction_default_action          = length(var.allowed) == 0 ? "Allow" : "Deny"
    scm_ip_restriction_default_action      = "Deny"
    scm_use_main_ip_restriction            = false

    application_stack {
      use_custom_runtime = true
    }
    dynamic "ip_restriction" {
      for_each = var.allowed
      content {
        name                      = ip_restriction.key
        action                    = "Allow"
        priority                  = 100
        ip_address                = ip_restriction.value.ip_address
        service_tag               = ip_restriction.value.service_tag
        virtual_network_subnet_id = ip_restriction.value.subnet_id
      }
    }
    dynamic "scm_ip_restriction" {
      for_each = toset(var.deployment_ips)
      content {
        name       = "deployment"
        action     = "Allow"
        priority   = 100
        ip_address = length(regexall("/", scm_ip_restriction.value)) > 0 ? scm_ip_restriction.value : "${scm_ip_restriction.value}/32"
      }
    }
  }

  dynamic "auth_settings_v2" {
    for_each = var.caller == null ? [] : [var.caller]
    content {
      auth_enabled           = true
      require_authentication = true
      unauthenticated_action = "Return401"
      require_https          = true
      default_provider       = "azureactivedirectory"

      active_directory_v2 {
        client_id                   = auth_settings_v2.value.audience_client_id
        tenant_auth_endpoint        = "https://login.microsoftonline.com/${auth_settings_v2.value.tenant_id}/v2.0"
        allowed_audiences           = [auth_settings_v2.value.audience_client_id, "api://${auth_settings_v2.value.audience_client_id}"]
        allowed_applications        = [auth_settings_v2.value.client_id]
        allowed_identities          = [auth_settings_v2.value.principal_id]
        www_authentication_disabled = true
      }
      login {
        token_store_enabled = false
      }
    }
  }

  lifecycle {
    precondition {
      condition     = var.function != "authorize" || var.caller != null
      error_message = "function = \"authorize\" needs caller, the gateway's identity: who may ask for decisions may try tokens."
    }
    precondition {
      condition     = var.function != "proxy" || var.upstream_url != null
      error_message = "function = \"proxy\" needs upstream_url, the address of the backend behind it."
    }
    precondition {
      condition     = var.function == "proxy" || !var.mutual_tls
      error_message = "mutual_tls is for function = \"proxy\"; a gateway in front of `authorize` has mutual TLS of its own, and public keys need none."
    }
  }

  depends_on = [azurerm_role_assignment.storage]
}

resource "azurerm_monitor_diagnostic_setting" "app" {
  name                       = "logs"
  target_resource_id         = local.app.id
  log_analytics_workspace_id = var.log_analytics_workspace_id

  enabled_log {
    category = "FunctionAppLogs"
  }
  enabled_metric {
    category = "AllMetrics"
  }
}
