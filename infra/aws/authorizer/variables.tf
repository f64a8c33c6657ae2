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
  description = "The backend's decryption key, where its tokens are encrypted: a secret (with the KMS key that encrypts it), or a KMS key that unwraps content keys (by its tag `drawbridge:key`, the `key_names` of the signing-keys module)."
  type = object({
    form               = optional(string, "secrets-manager")
    secret_arn         = optional(string)
    secret_kms_key_arn = optional(string)
    key_name           = optional(string)
  })
  default = null
  validation {
    condition     = var.decryption == null || contains(["secrets-manager", "kms"], try(var.decryption.form, ""))
    error_message = "decryption.form must be secrets-manager (with secret_arn and secret_kms_key_arn) or kms (with key_name)."
  }
  validation {
    condition = try(var.decryption.form, "") != "secrets-manager" || (
      can(regex("^arn:[a-z-]+:secretsmanager:[a-z0-9-]+:[0-9]{12}:secret:", var.decryption.secret_arn)) &&
      can(regex("^arn:[a-z-]+:kms:[a-z0-9-]+:[0-9]{12}:key/", var.decryption.secret_kms_key_arn))
    )
    error_message = "decryption.form = \"secrets-manager\" needs the ARNs of the secret (secret_arn) and of the KMS key that encrypts it (secret_kms_key_arn)."
  }
  validation {
    condition     = try(var.decryption.form, "") != "kms" || can(regex("^[a-zA-Z0-9_/-]+/enc$", var.decryption.key_name))
    error_message = "decryption.form = \"kms\" needs key_name, <prefix>/<backend>/enc: the tag `drawbridge:key` of the backend's decryption keys."
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
