variable "name" {
  description = "Name of the profile and the endpoint; the firewall policy is called the same without hyphens."
  type        = string
  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{0,40}[a-z0-9]$", var.name))
    error_message = "name must be 2 to 42 lower-case letters, digits and inner hyphens, beginning with a letter."
  }
}

variable "resource_group_name" {
  description = "Resource group of everything here."
  type        = string
}

variable "gateway_host" {
  description = "Host name of the API Management gateway, such as contoso.azure-api.net."
  type        = string
  validation {
    condition     = can(regex("^[a-z0-9][a-z0-9.-]*$", var.gateway_host))
    error_message = "gateway_host must be a host name alone, without https:// or a path."
  }
}

variable "paths" {
  description = "Paths of the APIs (`path` of the api-management modules); nothing else is passed on."
  type        = list(string)
  validation {
    condition     = length(var.paths) > 0 && alltrue([for path in var.paths : can(regex("^[a-zA-Z0-9_-]+(/[a-zA-Z0-9_-]+)*$", path))])
    error_message = "paths must list at least one API's path, without a slash before or behind, such as \"billing\"."
  }
}

variable "requests_per_five_minutes" {
  description = "Most requests of one address in five minutes."
  type        = number
  default     = 2000
  validation {
    condition     = var.requests_per_five_minutes >= 10 && var.requests_per_five_minutes <= 5000000
    error_message = "requests_per_five_minutes must be from 10 to 5000000."
  }
}

variable "unlimited_addresses" {
  description = "Addresses that the rate does not hold for: those of the edge gateway, which speaks for all its consumers."
  type        = list(string)
  default     = []
  validation {
    condition     = !contains(var.unlimited_addresses, "0.0.0.0/0") && !contains(var.unlimited_addresses, "::/0")
    error_message = "unlimited_addresses must not be everybody: there would be no rate at all."
  }
}

variable "log_analytics_workspace_id" {
  description = "Workspace of the firewall's log."
  type        = string
}

variable "tags" {
  description = "Tags of everything."
  type        = map(string)
  default     = {}
}
