variable "name" {
  description = "Name of the function and the API."
  type        = string
  default     = "drawbridge-jwks"
}

variable "secret_arns" {
  description = "Secrets whose keys are published: the `secret_arns` of the signing-keys modules, flattened."
  type        = list(string)
  default     = []
  validation {
    condition     = alltrue([for arn in var.secret_arns : can(regex("^arn:[a-z-]+:secretsmanager:[a-z0-9-]+:[0-9]{12}:secret:", arn))])
    error_message = "secret_arns must be ARNs of secrets."
  }
}

variable "key_names" {
  description = "KMS keys that are published: the `key_names` of the signing-keys modules, flattened."
  type        = list(string)
  default     = []

  validation {
    condition     = length(var.key_names) + length(var.secret_arns) > 0
    error_message = "give at least one of secret_arns and key_names; an endpoint that may read nothing publishes nothing."
  }
  validation {
    condition     = alltrue([for name in var.key_names : can(regex("^[a-zA-Z0-9_/-]+/sig$", name))])
    error_message = "key_names must be <prefix>/<backend>/sig, the tag `drawbridge:key`; decryption keys are not published."
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
  validation {
    condition     = can(regex("^arn:[a-z-]+:kms:[a-z0-9-]+:[0-9]{12}:key/", var.log_kms_key_arn))
    error_message = "log_kms_key_arn must be the ARN of a KMS key."
  }
}

variable "log_retention_days" {
  description = "How long logs are kept, in days; one of CloudWatch's steps."
  type        = number
  default     = 365
  validation {
    condition     = contains([1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653], var.log_retention_days)
    error_message = "log_retention_days must be one of CloudWatch's steps, such as 30, 90 or 365."
  }
}

variable "reserved_concurrency" {
  description = "Instances reserved for this function, and the most that run; -1 for no reservation, as in an account with a limit of 10."
  type        = number
  default     = -1
}

variable "tags" {
  description = "Tags of everything."
  type        = map(string)
  default     = {}
}
