variable "name" {
  description = "Name of the alarms and the metrics' namespace; usually the backend's."
  type        = string
  validation {
    condition     = can(regex("^[a-zA-Z0-9_-]{1,100}$", var.name))
    error_message = "name must be 1 to 100 letters, digits, hyphens and underscores."
  }
}

variable "log_group_name" {
  description = "`log_group_name` of the authorizer module; null for a function that writes no audit lines, such as jwks."
  type        = string
  default     = null
}

variable "function_name" {
  description = "`function_name` of the authorizer or jwks module."
  type        = string
}

variable "api" {
  description = "The API that asks the function: `id` of an HTTP API (`api_id` of http-api or jwks) or `name` of a REST API (`api_name` of rest-api); null for none."
  type = object({
    id   = optional(string)
    name = optional(string)
  })
  default = null
  validation {
    condition     = var.api == null || try((var.api.id == null) != (var.api.name == null), false)
    error_message = "api must have either an id (of an HTTP API) or a name (of a REST API)."
  }
}

variable "alarm_topic_arns" {
  description = "SNS topics that are told; an alarm that tells nobody is none."
  type        = list(string)
  validation {
    condition     = length(var.alarm_topic_arns) > 0 && alltrue([for arn in var.alarm_topic_arns : can(regex("^arn:[a-z-]+:sns:", arn))])
    error_message = "alarm_topic_arns must list at least one ARN of an SNS topic."
  }
}

variable "band_width" {
  description = "Width of the anomaly band around the usual number of denials, key failures and 5xx, in standard deviations."
  type        = number
  default     = 3
  validation {
    condition     = var.band_width >= 1 && var.band_width <= 10
    error_message = "band_width must be from 1 (nervous) to 10 (calm)."
  }
}

variable "failure_threshold" {
  description = "Failures in a minute that count."
  type        = number
  default     = 1
  validation {
    condition     = var.failure_threshold >= 1
    error_message = "failure_threshold must be at least 1."
  }
}

variable "error_percent" {
  description = "Share of the function's calls that fail, in percent; refused tokens are among them."
  type        = number
  default     = 90
  validation {
    condition     = var.error_percent > 0 && var.error_percent <= 100
    error_message = "error_percent must be above 0 and at most 100."
  }
}

variable "server_error_percent" {
  description = "Share of the API's answers that are 5xx, in percent; refused tokens are not among them."
  type        = number
  default     = 5
  validation {
    condition     = var.server_error_percent > 0 && var.server_error_percent <= 100
    error_message = "server_error_percent must be above 0 and at most 100."
  }
}

variable "tags" {
  description = "Tags of everything."
  type        = map(string)
  default     = {}
}
