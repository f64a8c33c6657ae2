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

variable "unlimited_addresses" {
  description = "Address ranges that the rate does not hold for: those of the edge gateway, which speaks for all its consumers."
  type        = list(string)
  default     = []
  validation {
    condition     = alltrue([for range in var.unlimited_addresses : can(cidrhost(range, 0))])
    error_message = "unlimited_addresses must be ranges, such as 198.51.100.7/32 or 2001:db8::/64."
  }
  validation {
    condition     = alltrue([for range in var.unlimited_addresses : !endswith(range, "/0")])
    error_message = "unlimited_addresses must not be everybody: there would be no rate at all."
  }
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

variable "tags" {
  description = "Tags of everything."
  type        = map(string)
  default     = {}
}
