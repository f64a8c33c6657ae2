variable "subscription_id" {
  description = "Subscription; `az account show --query id` prints it."
  type        = string
}

variable "name" {
  description = "Name of the resource group and of the API Management service, and first part of most others; unique in all of Azure."
  type        = string
  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{2,20}[a-z0-9]$", var.name))
    error_message = "name must be 4 to 22 lower-case letters, digits and inner hyphens, beginning with a letter."
  }
}

variable "location" {
  description = "Azure region, one that has Flex Consumption; `az functionapp list-flexconsumption-locations` prints them."
  type        = string
  default     = "westeurope"
}

variable "backend" {
  description = "The backend to put behind Drawbridge; one of `backends` in the configuration."
  type        = string
  default     = "billing"
}

variable "config_file" {
  description = "The drawbridge.yaml that the edge reads."
  type        = string
  validation {
    condition     = can(yamldecode(file(var.config_file)).backends)
    error_message = "config_file must be a drawbridge.yaml with `backends`; `drawbridge check FILE` says what is wrong with it."
  }
}

variable "package" {
  description = "Zip of the Function App; null where something else deploys it."
  type        = string
  default     = null
}

variable "vault_name" {
  description = "Name of the key vault; unique in all of Azure."
  type        = string
}

variable "storage_prefix" {
  description = "First part of the storage accounts' names; unique in all of Azure."
  type        = string
  validation {
    condition     = can(regex("^[a-z0-9]{3,20}$", var.storage_prefix))
    error_message = "storage_prefix must be 3 to 20 lower-case letters and digits."
  }
}

variable "upstream_url" {
  description = "The backend's base URL, behind the gateway."
  type        = string
}

variable "upstream_audience" {
  description = "Application for which the gateway's managed identity shows a token to the backend; null for none."
  type        = string
  default     = null
}

variable "bridge_principal_id" {
  description = "Principal of the bridge's identity, which signs; null where there is none yet."
  type        = string
  default     = null
}

variable "operator_ips" {
  description = "Addresses from which this is applied: they make keys and deploy packages."
  type        = list(string)
  default     = []
}

variable "edge_addresses" {
  description = "Address ranges of the edge gateway, which the firewall's rate does not hold for."
  type        = list(string)
  default     = []
}

variable "front_door" {
  description = "Whether requests come through Front Door's firewall, and no other way."
  type        = bool
  default     = true
}

variable "gateway_sku" {
  description = "SKU and units of API Management."
  type        = string
  default     = "BasicV2_1"
  validation {
    condition     = can(regex("^(Developer|Basic|Standard|Premium|BasicV2|StandardV2|PremiumV2)_[0-9]+$", var.gateway_sku))
    error_message = "gateway_sku must be a tier and its units, such as BasicV2_1; Consumption has no cache."
  }
}

variable "publisher" {
  description = "Who publishes the APIs, as API Management wants to know."
  type = object({
    name  = string
    email = string
  })
}

variable "alert_emails" {
  description = "Addresses that are told of alerts."
  type        = list(string)
}

variable "cache_seconds" {
  description = "How long the gateway remembers an allow; 0 is off."
  type        = number
  default     = 0
}
