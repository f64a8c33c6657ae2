# The keys of one backend: for signing, and where asked for decryption. Secrets that the rotation function fills, or KMS keys
# that never leave.

terraform {
  required_version = ">= 1.9"
  required_providers {
    aws = { source = "hashicorp/aws", version = ">= 6.0" }
  }
}

locals {
  uses    = toset(var.encryption ? ["sig", "enc"] : ["sig"])
  secrets = var.form == "secrets-manager" ? local.uses : toset([])
  keys    = var.form == "kms" ? local.uses : toset([])
  kms_spec = {
    ES256 = "ECC_NIST_P256"
    ES384 = "ECC_NIST_P384"
    PS256 = "RSA_3072"
    RS256 = "RSA_3072"
  }
}

resource "aws_secretsmanager_secret" "this" {
  for_each                = local.secrets
  name                    = "${var.prefix}/${var.backend}/${each.key}"
  description             = "Drawbridge: ${each.key == "sig" ? "signs" : "decrypts"} the bridged tokens of ${var.backend}"
  kms_key_id              = var.secret_kms_key_arn
  recovery_window_in_days = var.recovery_window_days
  tags                    = merge(var.tags, { "drawbridge:algorithm" = each.key == "sig" ? var.algorithm : "ECDH-ES+A256KW" })

  lifecycle {
    precondition {
      condition     = var.secret_kms_key_arn != null && var.rotation_function_arn != null
      error_message = "form = \"secrets-manager\" needs secret_kms_key_arn, which encrypts the secrets, and rotation_function_arn, which makes their versions; or choose form = \"kms\"."
    }
  }
}

# Who could read a signing key could sign. Whatever another policy of the account allows, these alone may.
data "aws_iam_policy_document" "readers" {
  for_each = { for use, readers in var.readers : use => readers if contains(local.secrets, use) }
  statement {
    sid       = "NobodyElseReads"
    effect    = "Deny"
    actions   = ["secretsmanager:GetSecretValue"]
    resources = ["*"] # in a secret's policy: this secret
    principals {
      type        = "*"
      identifiers = ["*"]
    }
    condition {
      test     = "ArnNotEquals"
      variable = "aws:PrincipalArn"
      values   = each.value
    }
  }
}

resource "aws_secretsmanager_secret_policy" "this" {
  for_each            = data.aws_iam_policy_document.readers
  secret_arn          = aws_secretsmanager_secret.this[each.key].arn
  policy              = each.value.json
  block_public_policy = true
}

# The first rotation runs at once and makes the first version: no key ever passes through Terraform's state.
resource "aws_secretsmanager_secret_rotation" "this" {
  for_each            = local.secrets
  secret_id           = aws_secretsmanager_secret.this[each.key].id
  rotation_lambda_arn = var.rotation_function_arn
  rotate_immediately  = true

  rotation_rules {
    automatically_after_days = var.rotation_days
  }

  depends_on = [aws_secretsmanager_secret_policy.this] # closed before there is a key in it
}

resource "aws_kms_key" "this" {
  #checkov:skip=CKV_AWS_7:KMS rotates symmetric keys only; an asymmetric key is rotated by making a new one behind the alias
  #checkov:skip=CKV2_AWS_64:the account's default key policy delegates to IAM, where the functions' roles name keys by the tag `drawbridge:key`
  for_each                 = local.keys
  description              = "Drawbridge: ${each.key == "sig" ? "signs" : "decrypts"} the bridged tokens of ${var.backend}"
  customer_master_key_spec = each.key == "sig" ? local.kms_spec[var.algorithm] : "RSA_3072"
  key_usage                = each.key == "sig" ? "SIGN_VERIFY" : "ENCRYPT_DECRYPT"
  deletion_window_in_days  = 30
  tags = merge(var.tags, {
    "drawbridge:algorithm" = each.key == "sig" ? var.algorithm : "RSA-OAEP-256"
    "drawbridge:key"       = "${var.prefix}/${var.backend}/${each.key}"
  })

  lifecycle {
    precondition {
      condition     = contains(keys(local.kms_spec), var.algorithm)
      error_message = "form = \"kms\" signs with ES256, ES384, PS256 or RS256; for ${var.algorithm} choose form = \"secrets-manager\"."
    }
  }
}

resource "aws_kms_alias" "this" {
  for_each      = local.keys
  name          = "alias/${var.prefix}/${var.backend}/${each.key}"
  target_key_id = aws_kms_key.this[each.key].key_id

  lifecycle {
    ignore_changes = [target_key_id] # `drawbridge keys rotate` makes a new key and moves the alias to it
  }
}
