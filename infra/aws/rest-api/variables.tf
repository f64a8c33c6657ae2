variable "name" {
  description = "Name of the API."
  type        = string
}

variable "upstream_url" {
  description = "Where allowed requests go: the backend's base URL."
  type        = string
  validation {
    condition     = can(regex("^https://[a-zA-Z0-9.-]+(:[0-9]+)?(/[^?#]*[^/?#])?$", var.upstream_url))
    error_message = "upstream_url must be https://, a host and perhaps a path, without a slash at the end: the request's path is put behind it, and what follows the gateway carries the caller's identity."
  }
}

variable "authorizer_invoke_arn" {
  description = "`invoke_arn` of the authorizer module."
  type        = string
  validation {
    condition     = can(regex("^arn:[a-z-]+:apigateway:[a-z0-9-]+:lambda:path/", var.authorizer_invoke_arn))
    error_message = "authorizer_invoke_arn must be the `invoke_arn` of the authorizer module, not the ARN of its function."
  }
}

variable "context" {
  description = "Claims that the backend is told, as `x-drawbridge-<claim>` headers; the backend's `context` in drawbridge.yaml."
  type        = list(string)
  default     = ["sub"]
  validation {
    condition     = alltrue([for claim in var.context : can(regex("^[a-z][a-z0-9_]*$", claim))])
    error_message = "context must list claim names of lower-case letters, digits and underscores."
  }
}

variable "object_decisions" {
  description = "Whether a decision depends on the object (a route with `policy: true` reads a path parameter). `drawbridge check` says so."
  type        = bool
  default     = true
}

variable "bound" {
  description = "Whether the backend's tokens are bound to a client certificate (`bound_to` in drawbridge.yaml)."
  type        = bool
  default     = false
}

variable "cache_ttl_seconds" {
  description = "How long API Gateway remembers a decision. A token is accepted for up to that much longer than its `exp`, and a revocation takes effect that much later."
  type        = number
  default     = 0
  validation {
    condition     = var.cache_ttl_seconds >= 0 && var.cache_ttl_seconds <= 3600
    error_message = "cache_ttl_seconds must be from 0 (off) to 3600."
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

variable "requests_per_second" {
  description = "Most requests a second to the API."
  type        = number
  default     = 500
  validation {
    condition     = var.requests_per_second >= 1 && var.requests_per_second <= 10000
    error_message = "requests_per_second must be from 1 to 10000."
  }
}

variable "log_kms_key_arn" {
  description = "KMS key that encrypts the access logs."
  type        = string
  validation {
    condition     = can(regex("^arn:[a-z-]+:kms:[a-z0-9-]+:[0-9]{12}:key/", var.log_kms_key_arn))
    error_message = "log_kms_key_arn must be the ARN of a KMS key."
  }
}

variable "log_retention_days" {
  description = "How long access logs are kept, in days; one of CloudWatch's steps."
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

variable "authorizer_function_arn" {
  description = "`function_arn` of the authorizer module."
  type        = string
  validation {
    condition     = can(regex("^arn:[a-z-]+:lambda:[a-z0-9-]+:[0-9]{12}:function:", var.authorizer_function_arn))
    error_message = "authorizer_function_arn must be the ARN of the authorizer's function."
  }
}

variable "stage" {
  description = "Name of the stage."
  type        = string
  default     = "prod"
  validation {
    condition     = can(regex("^[a-zA-Z0-9_-]{1,128}$", var.stage))
    error_message = "stage must be 1 to 128 letters, digits, hyphens and underscores."
  }
}

variable "account_log_role" {
  description = "Whether to give API Gateway a role to write logs with, for all REST APIs of the account in this region. Needed where it has none; takes the place of one that it has."
  type        = bool
  default     = false
}

variable "domain" {
  description = "A domain of one's own, with mutual TLS where truststore_uri (s3://…) is given; null for the default endpoint."
  type = object({
    name               = string
    certificate_arn    = string
    truststore_uri     = optional(string)
    truststore_version = optional(string)
  })
  default = null
  validation {
    condition     = var.domain == null || can(regex("^arn:[a-z-]+:acm:[a-z0-9-]+:[0-9]{12}:certificate/", var.domain.certificate_arn))
    error_message = "domain.certificate_arn must be the ARN of a certificate in ACM, in the API's region."
  }
  validation {
    condition     = try(var.domain.truststore_uri, null) == null || can(regex("^s3://", var.domain.truststore_uri))
    error_message = "domain.truststore_uri must begin with s3://, as API Gateway reads it from S3."
  }
}
