variable "name" {
  description = "Name of the API."
  type        = string
}

variable "upstream_url" {
  description = "Where allowed requests go: the backend's address, without a path, as the request's own path takes its place."
  type        = string
  validation {
    condition     = can(regex("^https://[a-zA-Z0-9.-]+(:[0-9]+)?$", var.upstream_url))
    error_message = "upstream_url must be https:// and a host, such as https://orders.internal.example.com, without a path or a slash at the end: the request's path takes its place, and what follows the gateway carries the caller's identity."
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

variable "authorizer_function_name" {
  description = "`function_name` of the authorizer module."
  type        = string
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

variable "routes" {
  description = "Route keys, such as \"GET /customers/{customer}\"; the backend's `routes` in drawbridge.yaml."
  type        = list(string)
  validation {
    condition     = length(var.routes) > 0 && alltrue([for route in var.routes : can(regex("^(GET|HEAD|POST|PUT|PATCH|DELETE|OPTIONS) /", route))])
    error_message = "routes must list route keys of a method and a path, such as \"GET /customers/{customer}\"; ANY and $default would reach what drawbridge.yaml does not name."
  }
}

variable "http_response" {
  description = "`http_response` of the authorizer module: simple or iam."
  type        = string
  default     = "simple"
  validation {
    condition     = contains(["simple", "iam"], var.http_response)
    error_message = "http_response must be simple or iam, and match the authorizer function."
  }
}

variable "private" {
  description = "VPC link to a private backend and the HTTPS listener of its load balancer, whose certificate has the host of upstream_url; null for a public one."
  type = object({
    vpc_link_id  = string
    listener_arn = string
  })
  default = null
  validation {
    condition     = var.private == null || can(regex("^arn:[a-z-]+:elasticloadbalancing:[a-z0-9-]+:[0-9]{12}:listener/", var.private.listener_arn))
    error_message = "private.listener_arn must be the ARN of a listener of an application or network load balancer, which an HTTP API takes instead of an address."
  }
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
