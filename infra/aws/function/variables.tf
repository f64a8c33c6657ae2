variable "name" {
  description = "Name of the function, its role and its log group."
  type        = string
  validation {
    condition     = can(regex("^[a-zA-Z0-9_-]{1,64}$", var.name))
    error_message = "name must be 1 to 64 letters, digits, hyphens and underscores, as Lambda names functions."
  }
}

variable "package" {
  description = "Path of the zip with the function's `bootstrap`, as `drawbridge package aws` writes it."
  type        = string
  validation {
    condition     = endswith(var.package, ".zip")
    error_message = "package must be the path of a .zip; make one with: drawbridge package aws authorizer"
  }
}

variable "config" {
  description = "The whole drawbridge configuration as JSON; jsonencode() of an object, or the content of a file."
  type        = string
  validation {
    condition     = can(jsondecode(var.config).backends)
    error_message = "config must be a JSON document with `backends`; try it with: drawbridge check FILE"
  }
}

variable "policies" {
  description = "Cedar files that the configuration names: path as written there, to content."
  type        = map(string)
  default     = {}
}

variable "permissions" {
  description = "IAM policy documents of what this function may do beyond writing its logs and traces, by name."
  type        = map(string)
  default     = {}
}

variable "environment" {
  description = "Environment variables; DRAWBRIDGE_CONFIG is set by this module."
  type        = map(string)
  default     = {}
  validation {
    condition     = !contains(keys(var.environment), "DRAWBRIDGE_CONFIG")
    error_message = "DRAWBRIDGE_CONFIG is set by this module; pass the document as `config`."
  }
}

variable "architecture" {
  description = "arm64 or x86_64; must be what the package was built for."
  type        = string
  default     = "arm64"
  validation {
    condition     = contains(["arm64", "x86_64"], var.architecture)
    error_message = "architecture must be arm64 or x86_64."
  }
}

variable "memory_mb" {
  description = "Memory in MB. CPU grows with it: below 256 a cold start is slower."
  type        = number
  default     = 256
  validation {
    condition     = var.memory_mb >= 128 && var.memory_mb <= 10240
    error_message = "memory_mb must be from 128 to 10240."
  }
}

variable "timeout_seconds" {
  description = "Longest run. An authorizer of an HTTP API is given up after 10 seconds whatever this says."
  type        = number
  default     = 8
  validation {
    condition     = var.timeout_seconds >= 1 && var.timeout_seconds <= 900
    error_message = "timeout_seconds must be from 1 to 900."
  }
}

# https://docs.aws.amazon.com/lambda/latest/dg/configuration-concurrency.html
variable "reserved_concurrency" {
  description = "Instances reserved for, and the most that run of, this function; -1 for no reservation. Lambda keeps 100 of the account's unreserved, so that an account with a limit of 10 can reserve none."
  type        = number
  default     = -1
  validation {
    condition     = var.reserved_concurrency >= -1 && var.reserved_concurrency != 0
    error_message = "reserved_concurrency must be -1 or at least 1; with 0 every request would be denied."
  }
}

variable "code_signing_config_arn" {
  description = "Code signing configuration for a signed package; null for none."
  type        = string
  default     = null
  validation {
    condition     = var.code_signing_config_arn == null || can(regex("^arn:[a-z-]+:lambda:[a-z0-9-]+:[0-9]{12}:code-signing-config:", var.code_signing_config_arn))
    error_message = "code_signing_config_arn must be the ARN of a code signing configuration of Lambda."
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

variable "log_kms_key_arn" {
  description = "KMS key that encrypts the logs; its policy must let CloudWatch Logs use it."
  type        = string
  validation {
    condition     = can(regex("^arn:[a-z-]+:kms:[a-z0-9-]+:[0-9]{12}:key/", var.log_kms_key_arn))
    error_message = "log_kms_key_arn must be the ARN of a KMS key."
  }
}

variable "tags" {
  description = "Tags of everything."
  type        = map(string)
  default     = {}
}
