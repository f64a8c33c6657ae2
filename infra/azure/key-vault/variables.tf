variable "name" {
  description = "Name of the vault; unique in all of Azure."
  type        = string
  validation {
    condition     = can(regex("^[a-zA-Z]([a-zA-Z0-9]|-[a-zA-Z0-9]){1,22}[a-zA-Z0-9]?$", var.name)) && length(var.name) >= 3 && length(var.name) <= 24
    error_message = "name must be 3 to 24 letters, digits and single inner hyphens, beginning with a letter, as Azure names vaults."
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

variable "tenant_id" {
  description = "Tenant whose identities may use the vault."
  type        = string
  validation {
    condition     = can(regex("^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$", lower(var.tenant_id)))
    error_message = "tenant_id must be a GUID; `az account show --query tenantId` prints it."
  }
}

variable "backends" {
  description = "Backends with keys here, by name: the signature algorithm (ES256, ES384, ES512, PS256 or RS256), and whether there is a decryption key too (`encryption: accepted` or `required` in drawbridge.yaml)."
  type = map(object({
    algorithm  = optional(string, "ES256")
    encryption = optional(bool, false)
  }))
  validation {
    condition     = length(var.backends) > 0 && alltrue([for name, _ in var.backends : can(regex("^[a-z0-9]([a-z0-9-]{0,46}[a-z0-9])?$", name))])
    error_message = "backends must name at least one backend, each of 1 to 48 lower-case letters, digits and inner hyphens, as in drawbridge.yaml."
  }
  validation {
    condition     = alltrue([for key in values(var.backends) : contains(["ES256", "ES384", "ES512", "PS256", "RS256"], key.algorithm)])
    error_message = "algorithm must be ES256, ES384, ES512, PS256 or RS256: what Key Vault signs with; symmetric ones do not exist in Drawbridge."
  }
}

variable "hsm" {
  description = "Whether keys are in hardware (the premium vault)."
  type        = bool
  default     = false
}

variable "rotation_days" {
  description = "Days after which the vault makes a new version of each key."
  type        = number
  default     = 30
  validation {
    condition     = var.rotation_days >= 21 && var.rotation_days <= 90
    error_message = "rotation_days must be from 21 (with the overlap a version must live 28 days or more) to 90: a signing key older than a quarter is a liability."
  }
}

variable "overlap_days" {
  description = "Days for which the previous version still holds after a new one is made; then it expires, and is published no more."
  type        = number
  default     = 7
  validation {
    condition     = var.overlap_days >= 7 && var.overlap_days <= 30
    error_message = "overlap_days must be from 7, the least that Key Vault takes between a rotation and the expiry, to 30."
  }
}

variable "signers" {
  description = "Principals that sign for every backend here (the bridge's identity), by any name."
  type        = map(string)
  default     = {}
}

variable "publishers" {
  description = "Principals that read public keys (`principal_id` of the key endpoint's function-app module), by any name."
  type        = map(string)
  default     = {}
}

variable "decrypters" {
  description = "Backend to the principal of its gate (`principal_id` of its function-app module), which may unwrap with that backend's key alone."
  type        = map(string)
  default     = {}
  validation {
    condition     = alltrue([for backend, _ in var.decrypters : try(var.backends[backend].encryption, false)])
    error_message = "decrypters must name backends that have `encryption = true` in backends: there is no key to unwrap with otherwise."
  }
}

variable "administrators" {
  description = "Principals that make, rotate and revoke keys, by any name; who applies this needs to be among them."
  type        = map(string)
  default     = {}
}

variable "private_endpoint" {
  description = "Subnet and private DNS zones (privatelink.vaultcore.azure.net) of a private endpoint, which turns public access off; null for none."
  type = object({
    subnet_id    = string
    dns_zone_ids = list(string)
  })
  default = null
}

variable "allowed_ips" {
  description = "Public addresses or ranges that reach the vault while there is no private endpoint."
  type        = list(string)
  default     = []
  validation {
    condition     = !contains(var.allowed_ips, "0.0.0.0/0")
    error_message = "allowed_ips must not be everybody (0.0.0.0/0); name the addresses, or use a private endpoint."
  }
}

variable "allowed_subnet_ids" {
  description = "Subnets with the Microsoft.KeyVault service endpoint that reach the vault, such as the functions'."
  type        = list(string)
  default     = []
}

variable "log_analytics_workspace_id" {
  description = "Workspace of the vault's audit log."
  type        = string
}

variable "tags" {
  description = "Tags of everything."
  type        = map(string)
  default     = {}
}
