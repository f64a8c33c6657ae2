variable "region" {
  description = "AWS region."
  type        = string
  default     = "eu-west-1"
}

variable "backend" {
  description = "The backend to put behind Drawbridge; one of `backends` in the configuration."
  type        = string
  default     = "orders"
}

variable "config_file" {
  description = "The drawbridge.yaml that the edge reads."
  type        = string
  validation {
    condition     = can(yamldecode(file(var.config_file)).backends)
    error_message = "config_file must be a drawbridge.yaml with `backends`; `drawbridge check FILE` says what is wrong with it."
  }
}

variable "upstream_url" {
  description = "The backend's base URL, behind the gateway."
  type        = string
}

variable "gateway" {
  description = "http (HTTP API) or rest (REST API behind WAF)."
  type        = string
  default     = "http"
  validation {
    condition     = contains(["http", "rest"], var.gateway)
    error_message = "gateway must be http or rest."
  }
}

variable "architecture" {
  description = "x86_64 or arm64; must be what the functions were built for."
  type        = string
  default     = "x86_64"
}

variable "packages" {
  description = "Zips of the functions, as `drawbridge package aws` writes them at the root of the workspace."
  type = object({
    authorizer = optional(string, "../../../../aws-authorizer.zip")
    jwks       = optional(string, "../../../../aws-jwks.zip")
    rotation   = optional(string, "../../../../aws-rotation.zip")
  })
  default = {}
}

variable "cache_ttl_seconds" {
  description = "How long API Gateway remembers a decision."
  type        = number
  default     = 0
}

variable "domain" {
  description = "A domain of one's own for the HTTP API, with mutual TLS where truststore_uri is given."
  type = object({
    name               = string
    certificate_arn    = string
    truststore_uri     = optional(string)
    truststore_version = optional(string)
  })
  default = null
}
