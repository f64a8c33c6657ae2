variable "region" {
  description = "AWS region; null for the one that the backend's store names in the configuration, or else eu-west-1."
  type        = string
  default     = null
  validation {
    condition     = var.region == null || can(regex("^[a-z]{2}(-[a-z]+)+-[0-9]$", var.region))
    error_message = "region must be a region, such as eu-west-1."
  }
}

variable "backend" {
  description = "The backend to put behind Drawbridge; one of `backends` in the configuration."
  type        = string
  default     = "orders"
  validation {
    condition     = can(yamldecode(file(var.config_file)).backends[var.backend]) || !can(yamldecode(file(var.config_file)).backends)
    error_message = "backend must be one of `backends` in config_file."
  }
}

variable "config_file" {
  description = "The drawbridge.yaml that the edge reads."
  type        = string
  validation {
    condition     = can(yamldecode(file(var.config_file)).backends)
    error_message = "config_file must be a drawbridge.yaml with `backends`; `drawbridge check FILE` says what is wrong with it."
  }
}

variable "upstream_url" {
  description = "The backend's base URL, behind the gateway; without a path for an HTTP API."
  type        = string
}

variable "gateway" {
  description = "http (HTTP API) or rest (REST API behind WAF)."
  type        = string
  default     = "http"
  validation {
    condition     = contains(["http", "rest"], var.gateway)
    error_message = "gateway must be http or rest."
  }
}

variable "bridge_role_arns" {
  description = "Roles that the bridge runs as. With a secrets_manager store nobody else can sign, whatever IAM allows; the policy `bridge_policy_arn` has to be attached to them."
  type        = list(string)
  default     = []
}

variable "key_reader_arns" {
  description = "Further roles that may read the secrets, such as an operator's for `drawbridge keys show`."
  type        = list(string)
  default     = []
}

variable "architecture" {
  description = "x86_64 or arm64; must be what the functions were built for."
  type        = string
  default     = "x86_64"
}

variable "packages" {
  description = "Zips of the functions, as `drawbridge package aws` writes them at the root of the workspace."
  type = object({
    authorizer = optional(string, "../../../../aws-authorizer.zip")
    jwks       = optional(string, "../../../../aws-jwks.zip")
    rotation   = optional(string, "../../../../aws-rotation.zip")
  })
  default = {}
}

variable "reserved_concurrency" {
  description = "Instances reserved for the authorizer, and again for the key endpoint; -1 for no reservation, as in an account with a limit of 10."
  type        = number
  default     = -1
}

variable "cache_ttl_seconds" {
  description = "How long API Gateway remembers a decision. A token is accepted for up to that much longer than its `exp`, and a revocation takes effect that much later."
  type        = number
  default     = 0
}

variable "domain" {
  description = "A domain of one's own, with mutual TLS where truststore_uri is given; null for the default endpoint."
  type = object({
    name               = string
    certificate_arn    = string
    truststore_uri     = optional(string)
    truststore_version = optional(string)
  })
  default = null
}

variable "account_log_role" {
  description = "Whether to give API Gateway a role to write logs with, for all REST APIs of the account in this region; needed for gateway = rest where the account has none."
  type        = bool
  default     = false
}

variable "edge_addresses" {
  description = "Address ranges of the edge gateway, which the firewall's rate does not hold for; for gateway = rest."
  type        = list(string)
  default     = []
}

variable "alarm_emails" {
  description = "Addresses that are told of alarms; each has to confirm a first mail."
  type        = list(string)
  default     = []
  validation {
    condition     = alltrue([for address in var.alarm_emails : can(regex("^[^@ ]+@[^@ ]+$", address))])
    error_message = "alarm_emails must be e-mail addresses."
  }
}
