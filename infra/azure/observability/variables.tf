variable "name" {
  description = "Name of the workspace, of Application Insights and of the action group, and first part of the alerts' names."
  type        = string
  validation {
    condition     = can(regex("^[a-zA-Z0-9][a-zA-Z0-9-]{2,40}[a-zA-Z0-9]$", var.name))
    error_message = "name must be 4 to 42 letters, digits and inner hyphens, as Azure names workspaces."
  }
}

variable "resource_group_name" {
  description = "Resource group of everything here."
  type        = string
}

variable "location" {
  description = "Azure region."
  type        = string
}

variable "alert_emails" {
  description = "Addresses that are told; an alert that tells nobody is none."
  type        = list(string)
  validation {
    condition     = length(var.alert_emails) > 0 && alltrue([for email in var.alert_emails : can(regex("^[^@ ]+@[^@ ]+$", email))])
    error_message = "alert_emails must list at least one e-mail address."
  }
}

variable "retention_days" {
  description = "How long logs can be queried, in days."
  type        = number
  default     = 365
  validation {
    condition     = var.retention_days >= 30 && var.retention_days <= 730
    error_message = "retention_days must be from 30 to 730, as Log Analytics takes it; archive what must be kept longer."
  }
}

variable "denial_band_width" {
  description = "Width of the band around the usual number of denials: the `k` of series_decompose_anomalies, in units of the spread between quantiles."
  type        = number
  default     = 3
  validation {
    condition     = var.denial_band_width >= 1 && var.denial_band_width <= 10
    error_message = "denial_band_width must be from 1 (nervous) to 10 (calm)."
  }
}

variable "denial_floor" {
  description = "Fewer denials than this in five minutes are never unusual: where none is the rule, one is outside every band."
  type        = number
  default     = 5
  validation {
    condition     = var.denial_floor >= 1
    error_message = "denial_floor must be at least 1."
  }
}

variable "failure_threshold" {
  description = "Failures of a kind in five minutes that count."
  type        = number
  default     = 1
  validation {
    condition     = var.failure_threshold >= 1
    error_message = "failure_threshold must be at least 1."
  }
}

variable "sensitivity" {
  description = "How narrow the learnt band around the gateway's usual 503 answers is: Low, Medium or High."
  type        = string
  default     = "Medium"
  validation {
    condition     = contains(["Low", "Medium", "High"], var.sensitivity)
    error_message = "sensitivity must be Low (calm), Medium or High (nervous)."
  }
}

variable "api_management_ids" {
  description = "API Management services whose log is kept and whose 503 answers are watched, by any name."
  type        = map(string)
  default     = {}
}

variable "tags" {
  description = "Tags of everything."
  type        = map(string)
  default     = {}
}
