variable "name" {
  description = "Name of the web ACL."
  type        = string
  validation {
    condition     = can(regex("^[a-zA-Z0-9_-]{1,64}$", var.name))
    error_message = "name must be 1 to 64 letters, digits, hyphens and underscores."
  }
}

variable "stage_arns" {
  description = "REST API stages to protect, by any key. WAF does not attach to HTTP APIs: put CloudFront in front of those."
  type        = map(string)
  default     = {}
  validation {
    condition     = alltrue([for arn in var.stage_arns : can(regex(":/restapis/", arn))])
    error_message = "stage_arns must be ARNs of REST API stages (`stage_arn` of the rest-api module); WAF does not attach to HTTP APIs."
  }
}

variable "requests_per_five_minutes" {
  description = "Most requests of one address in five minutes."
  type        = number
  default     = 2000
  validation {
    condition     = var.requests_per_five_minutes >= 100 && var.requests_per_five_minutes <= 20000000
    error_message = "requests_per_five_minutes must be from 100 to 20000000, as WAF takes it."
  }
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

variable "tags" {
  description = "Tags of everything."
  type        = map(string)
  default     = {}
}
