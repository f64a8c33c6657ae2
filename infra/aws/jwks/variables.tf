variable "name" {
  description = "Name of the function and the API."
  type        = string
  default     = "drawbridge-jwks"
}

variable "secret_arns" {
  description = "Secrets whose keys are published: the `secret_arns` of the signing-keys modules, flattened."
  type        = list(string)
  default     = []
}

variable "key_arns" {
  description = "KMS keys that are published: the `key_arns` of the signing-keys modules, flattened."
  type        = list(string)
  default     = []

  validation {
    condition     = length(var.key_arns) + length(var.secret_arns) > 0
    error_message = "give at least one of secret_arns and key_arns; an endpoint that may read nothing publishes nothing."
  }
}

variable "secret_kms_key_arn" {
  description = "KMS key that encrypts the secrets; needed with secret_arns."
  type        = string
  default     = null

  validation {
    condition     = length(var.secret_arns) == 0 || var.secret_kms_key_arn != null
    error_message = "secret_kms_key_arn is needed with secret_arns: the function must decrypt what it reads."
  }
}

variable "requests_per_second" {
  description = "Most requests a second; a verifier asks once per key and five minutes."
  type        = number
  default     = 100
  validation {
    condition     = var.requests_per_second >= 1 && var.requests_per_second <= 10000
    error_message = "requests_per_second must be from 1 to 10000."
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

variable "policies" {
  description = "Cedar files that the configuration names: path as written there, to content."
  type        = map(string)
  default     = {}
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
