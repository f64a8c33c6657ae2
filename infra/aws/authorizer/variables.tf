variable "name" {
  description = "Name of the function."
  type        = string
}

variable "backend" {
  description = "The backend that it guards; one of `backends` in the configuration."
  type        = string
  validation {
    condition     = can(jsondecode(var.config).backends[var.backend])
    error_message = "backend must be one of `backends` in the configuration."
  }
}

variable "policies" {
  description = "Cedar files that the configuration names: path as written there, to content."
  type        = map(string)
  default     = {}
}

variable "http_response" {
  description = "What an HTTP API 2.0 authorizer answers: simple or iam. REST and 1.0 authorizers always answer policies."
  type        = string
  default     = "simple"
  validation {
    condition     = contains(["simple", "iam"], var.http_response)
    error_message = "http_response must be simple or iam, and match the API's authorizer."
  }
}

variable "decryption" {
  description = "The backend's decryption key, where its tokens are encrypted: a secret (with the KMS key that encrypts it), or a KMS key that unwraps content keys."
  type = object({
    form               = optional(string, "secrets-manager")
    secret_arn         = optional(string)
    secret_kms_key_arn = optional(string)
    key_arn            = optional(string)
  })
  default = null
  validation {
    condition     = var.decryption == null || contains(["secrets-manager", "kms"], try(var.decryption.form, ""))
    error_message = "decryption.form must be secrets-manager (with secret_arn and secret_kms_key_arn) or kms (with key_arn)."
  }
}

variable "package" {
  description = "Path of the function's zip; see the `function` module."
  type        = string
}

variable "config" {
  description = "The whole drawbridge configuration as JSON."
  type        = string
}

variable "architecture" {
  description = "arm64 or x86_64; must be what the package was built for."
  type        = string
  default     = "arm64"
}

variable "log_kms_key_arn" {
  description = "KMS key that encrypts the logs."
  type        = string
}

variable "log_retention_days" {
  description = "How long logs are kept, in days."
  type        = number
  default     = 365
}

variable "reserved_concurrency" {
  description = "Instances reserved for this function, and the most that run; -1 for no reservation."
  type        = number
  default     = 100
}

variable "tags" {
  description = "Tags of everything."
  type        = map(string)
  default     = {}
}
