variable "backend" {
  description = "The backend's name, as in drawbridge.yaml."
  type        = string
  validation {
    condition     = can(regex("^[a-z0-9]([a-z0-9-]{0,46}[a-z0-9])?$", var.backend))
    error_message = "backend must be 1 to 48 lower-case letters, digits and inner hyphens, as in drawbridge.yaml."
  }
}

variable "prefix" {
  description = "First part of the secrets' names and of the keys' aliases; `stores.*.prefix` of drawbridge.yaml."
  type        = string
  default     = "drawbridge"
  validation {
    condition     = can(regex("^[a-zA-Z0-9_-]+(/[a-zA-Z0-9_-]+)*$", var.prefix)) && length(var.prefix) <= 128
    error_message = "prefix must be 1 to 128 letters, digits, hyphens and underscores, with slashes between, as in drawbridge.yaml."
  }
}

variable "form" {
  description = "secrets-manager (private JWKs that rotate by themselves) or kms (keys that never leave KMS)."
  type        = string
  default     = "secrets-manager"
  validation {
    condition     = contains(["secrets-manager", "kms"], var.form)
    error_message = "form must be secrets-manager or kms."
  }
}

variable "algorithm" {
  description = "Signature algorithm; one of the bridging issuer's `algorithms`."
  type        = string
  default     = "ES256"
  validation {
    condition     = contains(["ES256", "ES384", "ES512", "PS256", "PS384", "PS512", "RS256", "RS384", "RS512", "Ed25519"], var.algorithm)
    error_message = "algorithm must be an asymmetric signature algorithm, such as ES256; symmetric ones do not exist in Drawbridge."
  }
}

variable "encryption" {
  description = "Whether the backend has a decryption key too (`encryption: accepted` or `required`)."
  type        = bool
  default     = false
}

variable "secret_kms_key_arn" {
  description = "KMS key that encrypts the secrets; needed for form = secrets-manager."
  type        = string
  default     = null
  validation {
    condition     = var.secret_kms_key_arn == null || can(regex("^arn:[a-z-]+:kms:[a-z0-9-]+:[0-9]{12}:key/", var.secret_kms_key_arn))
    error_message = "secret_kms_key_arn must be the ARN of a KMS key."
  }
}

variable "rotation_function_arn" {
  description = "ARN of the rotation function; needed for form = secrets-manager."
  type        = string
  default     = null
  validation {
    condition     = var.rotation_function_arn == null || can(regex("^arn:[a-z-]+:lambda:[a-z0-9-]+:[0-9]{12}:function:", var.rotation_function_arn))
    error_message = "rotation_function_arn must be the ARN of a function."
  }
}

variable "readers" {
  description = "ARNs of the roles that may read the secret of each use (`sig`: rotation, key endpoint, bridge; `enc`: rotation, authorizer, bridge). Everybody else is denied; without a list nobody is. Operators who are not listed cannot use `drawbridge keys show`."
  type        = map(list(string))
  default     = {}
  validation {
    condition     = alltrue([for use in keys(var.readers) : contains(["sig", "enc"], use)]) && alltrue([for arns in var.readers : length(arns) > 0])
    error_message = "readers must be lists by use, sig or enc, none of them empty: a secret that nobody may read signs nothing."
  }
  validation {
    condition     = alltrue([for arn in flatten(values(var.readers)) : can(regex("^arn:[a-z-]+:iam::[0-9]{12}:(role|user)/", arn))])
    error_message = "readers must be ARNs of IAM roles, such as arn:aws:iam::123456789012:role/edge; not those of sessions (sts)."
  }
}

variable "rotation_days" {
  description = "Days between rotations."
  type        = number
  default     = 30
  validation {
    condition     = var.rotation_days >= 1 && var.rotation_days <= 90
    error_message = "rotation_days must be from 1 to 90: a signing key older than a quarter is a liability."
  }
}

variable "recovery_window_days" {
  description = "Days for which a deleted secret can be restored."
  type        = number
  default     = 30
  validation {
    condition     = var.recovery_window_days >= 7 && var.recovery_window_days <= 30
    error_message = "recovery_window_days must be from 7 to 30."
  }
}

variable "tags" {
  description = "Tags of everything."
  type        = map(string)
  default     = {}
}
