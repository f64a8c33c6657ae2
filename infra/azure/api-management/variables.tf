variable "service" {
  description = "The API Management service: its id, name and resource group. It needs a system-assigned identity; and for the cache a tier that has one (not Consumption)."
  type = object({
    id                  = string
    name                = string
    resource_group_name = string
  })
}

variable "backend" {
  description = "The backend's name, as in drawbridge.yaml."
  type        = string
  validation {
    condition     = can(regex("^[a-z0-9]([a-z0-9-]{0,46}[a-z0-9])?$", var.backend))
    error_message = "backend must be 1 to 48 lower-case letters, digits and inner hyphens, as in drawbridge.yaml."
  }
}

variable "path" {
  description = "The API's path on the gateway; routes are below it, as `upstream` of the edge's configuration ends in it."
  type        = string
  validation {
    condition     = can(regex("^[a-zA-Z0-9_-]+(/[a-zA-Z0-9_-]+)*$", var.path))
    error_message = "path must be segments of letters, digits, hyphens and underscores, without a slash before or behind, such as \"billing\"."
  }
}

variable "routes" {
  description = "Operations, such as \"GET /invoices/{invoice}\"; the backend's `routes` in drawbridge.yaml."
  type        = list(string)
  validation {
    condition     = length(var.routes) > 0 && alltrue([for route in var.routes : can(regex("^(GET|HEAD|POST|PUT|PATCH|DELETE|OPTIONS) /[^ ?*]*$", route))])
    error_message = "routes must list operations of a method and a path, such as \"GET /invoices/{invoice}\"; a wildcard would reach what drawbridge.yaml does not name."
  }
}

variable "context" {
  description = "Claims that the backend is told, as `x-drawbridge-<claim>` headers; the backend's `context` in drawbridge.yaml. What the client sent under these names is dropped, and any other such name is refused."
  type        = list(string)
  default     = ["sub"]
  validation {
    condition     = alltrue([for claim in var.context : can(regex("^[a-z][a-z0-9_]{0,63}$", claim))]) && !contains(var.context, "request_id")
    error_message = "context must list claim names of lower-case letters, digits and underscores; `request_id` is the decision's own."
  }
}

variable "upstream_url" {
  description = "Where allowed requests go: the backend's base URL."
  type        = string
  validation {
    condition     = startswith(var.upstream_url, "https://")
    error_message = "upstream_url must begin with https://; what follows the gateway carries the caller's identity."
  }
}

variable "upstream_identity" {
  description = "Application (audience) for which the gateway's managed identity shows a token to the backend, so that the backend lets nobody else in; null for none."
  type        = object({ audience = string })
  default     = null
}

variable "authorize_host" {
  description = "`host` of the gate's function-app module."
  type        = string
  validation {
    condition     = can(regex("^[a-z0-9][a-z0-9.-]*$", var.authorize_host))
    error_message = "authorize_host must be a host name alone, without https:// or a path; it is always asked over TLS."
  }
}

variable "authorize_audience" {
  description = "Application for which the gateway's managed identity shows a token to the gate: `api://` and the function-app module's `caller.audience_client_id`."
  type        = string
  validation {
    condition     = length(var.authorize_audience) > 0
    error_message = "authorize_audience must name the gate's application, such as api://11111111-2222-3333-4444-555555555555."
  }
}

variable "cache_seconds" {
  description = "How long the gateway remembers an allow, under the digest of the token and the whole of the request; 0 is off. A revocation takes effect that much later. Never longer than the token lives."
  type        = number
  default     = 0
  validation {
    condition     = var.cache_seconds >= 0 && var.cache_seconds <= 300 && floor(var.cache_seconds) == var.cache_seconds
    error_message = "cache_seconds must be a whole number from 0 (off) to 300."
  }
}

variable "token_lifetime_seconds" {
  description = "The backend's `lifetime` in drawbridge.yaml."
  type        = number
  default     = 120
  validation {
    condition     = var.token_lifetime_seconds >= 10 && var.token_lifetime_seconds <= 3600
    error_message = "token_lifetime_seconds must be from 10 to 3600, the backend's `lifetime`."
  }
}

variable "mutual_tls" {
  description = "Whether callers must show a client certificate that the service trusts. The service must negotiate certificates on its host name. Tokens bound to a certificate are checked either way."
  type        = bool
  default     = false
}

variable "front_door" {
  description = "`front_door_id` of the front-door-waf module as its id, through which alone requests may come; null for none."
  type        = object({ id = string })
  default     = null
}

variable "logger" {
  description = "API Management logger of a log for this API alone, by its id; null for none. The service's own log (observability module) needs none, nor a key of Application Insights."
  type        = object({ id = string })
  default     = null
}
