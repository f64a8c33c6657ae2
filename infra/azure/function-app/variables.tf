variable "name" {
  description = "Name of the app, its plan and its identity; unique in all of Azure."
  type        = string
  validation {
    condition     = can(regex("^[a-z0-9][a-z0-9-]{0,58}[a-z0-9]$", var.name))
    error_message = "name must be 2 to 60 lower-case letters, digits and inner hyphens; it becomes NAME.azurewebsites.net."
  }
}

variable "function" {
  description = "Which function runs here: authorize (the gate of one backend, for a gateway that asks), proxy (the gate that passes requests on by itself) or jwks (the key endpoint). The others are off."
  type        = string
  validation {
    condition     = contains(["authorize", "proxy", "jwks"], var.function)
    error_message = "function must be authorize, proxy or jwks; each has an app of its own, because each has rights of its own."
  }
}

variable "backend" {
  description = "The backend that the gate guards; one of `backends` in the configuration. The key endpoint publishes for all, and takes any."
  type        = string
  validation {
    condition     = can(jsondecode(var.config).backends[var.backend])
    error_message = "backend must be one of the configuration's `backends`."
  }
}

variable "config" {
  description = "The whole drawbridge configuration as JSON; jsonencode() of an object, or the content of a file. Policy files that it names are read from the package, beside `host.json`."
  type        = string
  validation {
    condition     = can(jsondecode(var.config).backends)
    error_message = "config must be a JSON document with `backends`; try it with: drawbridge check FILE"
  }
}

variable "package" {
  description = "Path of the zip with `host.json`, the functions and the `handler`; null where something else deploys it."
  type        = string
  default     = null
  validation {
    condition     = var.package == null || endswith(coalesce(var.package, " "), ".zip")
    error_message = "package must be the path of a .zip made on Linux, so that `handler` in it may be executed."
  }
}

variable "resource_group_name" {
  description = "Resource group of everything here."
  type        = string
}

variable "location" {
  description = "Azure region."
  type        = string
}

variable "storage_account_name" {
  description = "Name of the app's storage account; unique in all of Azure."
  type        = string
  validation {
    condition     = can(regex("^[a-z0-9]{3,24}$", var.storage_account_name))
    error_message = "storage_account_name must be 3 to 24 lower-case letters and digits, as Azure names storage accounts."
  }
}

variable "plan_sku" {
  description = "FC1 (Flex Consumption), or the SKU of a Linux plan, such as EP1 or P0v3."
  type        = string
  default     = "FC1"
  validation {
    condition     = can(regex("^(FC1|EP[123]|P[0-3]v[23]|P[1-5]mv3|S[123]|B[123])$", var.plan_sku))
    error_message = "plan_sku must be FC1, or a Linux plan's, such as EP1, P0v3 or B1; the old Consumption plan (Y1) runs no custom handler on an identity alone."
  }
}

variable "instances" {
  description = "Flex Consumption: the most instances, from 40. Another plan: how many."
  type        = number
  default     = 100
  validation {
    condition     = var.instances >= 1 && var.instances <= 1000 && (var.plan_sku != "FC1" || var.instances >= 40)
    error_message = "instances must be from 40 to 1000 on Flex Consumption, as Azure takes it, and from 1 on another plan."
  }
}

variable "memory_mb" {
  description = "Flex Consumption: memory of an instance."
  type        = number
  default     = 512
  validation {
    condition     = contains([512, 2048, 4096], var.memory_mb)
    error_message = "memory_mb must be 512, 2048 or 4096."
  }
}

variable "always_ready" {
  description = "Flex Consumption: instances that are always there, against cold starts of the host (not of the handler, whose own start is milliseconds)."
  type        = number
  default     = 0
  validation {
    condition     = var.always_ready >= 0 && var.always_ready <= var.instances
    error_message = "always_ready must be from 0 to instances."
  }
}

variable "zone_redundant" {
  description = "Whether the plan spreads over the region's zones."
  type        = bool
  default     = false
}

variable "caller" {
  description = "Who may call `authorize`: the gateway's managed identity (client_id, principal_id), in its tenant, with tokens for the application audience_client_id. Needed for function = \"authorize\"."
  type = object({
    tenant_id          = string
    audience_client_id = string
    client_id          = string
    principal_id       = string
  })
  default = null
}

variable "upstream_url" {
  description = "proxy: where allowed requests go. The configuration's `upstream` is where the edge sends them, which is this app."
  type        = string
  default     = null
  validation {
    condition     = var.upstream_url == null || startswith(coalesce(var.upstream_url, " "), "https://")
    error_message = "upstream_url must begin with https://; what follows the gate carries the caller's identity."
  }
}

variable "mutual_tls" {
  description = "proxy: whether clients must show a certificate, against which tokens that are bound to one are held."
  type        = bool
  default     = false
}

variable "allowed" {
  description = "Networks that reach the app, by any name: an address range, a service tag (such as ApiManagement.WestEurope) or a subnet. None named: everybody, as for the key endpoint."
  type = map(object({
    ip_address  = optional(string)
    service_tag = optional(string)
    subnet_id   = optional(string)
  }))
  default = {}
  validation {
    condition     = alltrue([for network in values(var.allowed) : length(compact([network.ip_address, network.service_tag, network.subnet_id])) == 1])
    error_message = "each of allowed must have exactly one of ip_address, service_tag and subnet_id."
  }
}

variable "subnet_id" {
  description = "Subnet that the app's own calls leave by, with service endpoints for Microsoft.Storage and Microsoft.KeyVault; delegated to Microsoft.App/environments for Flex Consumption, to Microsoft.Web/serverFarms for another plan."
  type        = string
  validation {
    condition     = can(regex("/subnets/[^/]+$", var.subnet_id))
    error_message = "subnet_id must be the resource id of a subnet; storage and vault are closed to everything that does not come from it."
  }
}

variable "deployment_ips" {
  description = "Addresses from which packages are deployed; the deployment endpoint and the storage account are closed to everybody else."
  type        = list(string)
  default     = []
}

variable "application_insights" {
  description = "`application_insights` of the observability module."
  type = object({
    id                = string
    connection_string = string
  })
}

variable "log_analytics_workspace_id" {
  description = "`log_analytics_workspace_id` of the observability module."
  type        = string
}

variable "settings" {
  description = "Further app settings. None of them may be a secret."
  type        = map(string)
  default     = {}
  validation {
    condition     = length(setintersection(keys(var.settings), ["DRAWBRIDGE_CONFIG", "DRAWBRIDGE_BACKEND", "DRAWBRIDGE_CREDENTIALS_HEADER", "DRAWBRIDGE_CLIENT_CERTIFICATE_HEADER", "AZURE_CLIENT_ID"])) == 0
    error_message = "settings must not have DRAWBRIDGE_CONFIG, DRAWBRIDGE_BACKEND, DRAWBRIDGE_CREDENTIALS_HEADER, DRAWBRIDGE_CLIENT_CERTIFICATE_HEADER or AZURE_CLIENT_ID: this module sets them."
  }
}

variable "tags" {
  description = "Tags of everything."
  type        = map(string)
  default     = {}
}
