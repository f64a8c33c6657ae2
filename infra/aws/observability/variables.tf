variable "name" {
  description = "Name of the alarms and the metrics' namespace; usually the backend's."
  type        = string
  validation {
    condition     = can(regex("^[a-zA-Z0-9_-]{1,100}$", var.name))
    error_message = "name must be 1 to 100 letters, digits, hyphens and underscores."
  }
}

variable "log_group_name" {
  description = "`log_group_name` of the authorizer or jwks module."
  type        = string
}

variable "function_name" {
  description = "`function_name` of the same module."
  type        = string
}

variable "alarm_topic_arns" {
  description = "SNS topics that are told; an alarm that tells nobody is none."
  type        = list(string)
  validation {
    condition     = length(var.alarm_topic_arns) > 0 && alltrue([for arn in var.alarm_topic_arns : can(regex("^arn:[a-z-]+:sns:", arn))])
    error_message = "alarm_topic_arns must list at least one ARN of an SNS topic."
  }
}

variable "denial_band_width" {
  description = "Width of the anomaly band around the usual number of denials, in standard deviations."
  type        = number
  default     = 3
  validation {
    condition     = var.denial_band_width >= 1 && var.denial_band_width <= 10
    error_message = "denial_band_width must be from 1 (nervous) to 10 (calm)."
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

variable "error_threshold" {
  description = "Function errors in a minute that count; refused tokens are among them."
  type        = number
  default     = 100
  validation {
    condition     = var.error_threshold >= 1
    error_message = "error_threshold must be at least 1."
  }
}

variable "tags" {
  description = "Tags of everything."
  type        = map(string)
  default     = {}
}
