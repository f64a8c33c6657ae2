# The Lambda authorizer of one backend. It may read its own decryption key where it has one, and nothing else.

terraform {
  required_version = ">= 1.9"
  required_providers {
    aws = { source = "hashicorp/aws", version = ">= 6.0" }
  }
}

data "aws_caller_identity" "current" {}
data "aws_partition" "current" {}
data "aws_region" "current" {}

locals {
  secret = var.decryption == null ? false : var.decryption.form == "secrets-manager"
}

data "aws_iam_policy_document" "decrypt" {
  count = var.decryption == null ? 0 : 1

  dynamic "statement" {
    for_each = local.secret ? [var.decryption] : []
    content {
      sid       = "ReadOwnDecryptionKey"
      actions   = ["secretsmanager:GetSecretValue"]
      resources = [statement.value.secret_arn]
    }
  }
  dynamic "statement" {
    for_each = local.secret ? [var.decryption] : []
    content {
      sid       = "DecryptSecret"
      actions   = ["kms:Decrypt"]
      resources = [statement.value.secret_kms_key_arn]
      condition {
        test     = "StringEquals"
        variable = "kms:ViaService"
        values   = ["secretsmanager.${data.aws_region.current.region}.${data.aws_partition.current.dns_suffix}"]
      }
      condition {
        test     = "StringEquals"
        variable = "kms:EncryptionContext:SecretARN"
        values   = [statement.value.secret_arn]
      }
    }
  }
  dynamic "statement" {
    for_each = local.secret || var.decryption == null ? [] : [var.decryption]
    content {
      sid       = "UnwrapContentKeys"
      actions   = ["kms:Decrypt", "kms:DescribeKey"]
      resources = ["arn:${data.aws_partition.current.partition}:kms:${data.aws_region.current.region}:${data.aws_caller_identity.current.account_id}:key/*"]
      # A rotation makes another key, with the same tag.
      condition {
        test     = "StringEquals"
        variable = "aws:ResourceTag/drawbridge:key"
        values   = [statement.value.key_name]
      }
    }
  }
}

module "function" {
  source               = "../function"
  name                 = var.name
  package              = var.package
  config               = var.config
  policies             = var.policies
  architecture         = var.architecture
  permissions          = { for document in data.aws_iam_policy_document.decrypt : "decrypt" => document.json }
  log_kms_key_arn      = var.log_kms_key_arn
  log_retention_days   = var.log_retention_days
  reserved_concurrency = var.reserved_concurrency
  tags                 = var.tags

  environment = {
    DRAWBRIDGE_BACKEND       = var.backend
    DRAWBRIDGE_HTTP_RESPONSE = var.http_response
  }
}
