# One backend, end to end: its signing key and the key's rotation, the key endpoint, the authorizer, an HTTP API (or a REST API
# behind WAF), logs and alarms. `config_file` is the same drawbridge.yaml that the edge reads; what it says of keys and routes is
# taken from there.

terraform {
  required_version = ">= 1.9"
  required_providers {
    aws     = { source = "hashicorp/aws", version = ">= 6.0" }
    archive = { source = "hashicorp/archive", version = ">= 2.4" }
  }
}

provider "aws" {
  region = local.region
}

data "aws_caller_identity" "current" {}
data "aws_partition" "current" {}

locals {
  config  = yamldecode(file(var.config_file))
  backend = local.config.backends[var.backend]
  issuer  = local.config.issuers[local.backend.issuer]

  # Where the keys are, by the backend's store.
  store   = try(local.config.stores[local.backend.store], null)
  form    = can(local.store.secrets_manager) ? "secrets-manager" : can(local.store.kms) ? "kms" : null
  secrets = local.form != "kms"
  prefix  = try(local.store.secrets_manager.prefix, local.store.kms.prefix, "drawbridge")
  there   = try(local.store.secrets_manager.region, local.store.kms.region, null)
  region  = coalesce(var.region, local.there, "eu-west-1")

  # The first of the issuer's algorithms that a key of this form can have.
  signs = {
    secrets-manager = ["ES256", "ES384", "ES512", "PS256", "PS384", "PS512", "RS256", "RS384", "RS512", "Ed25519"]
    kms             = ["ES256", "ES384", "PS256", "RS256"]
  }
  named     = [for algorithm in try(local.issuer.algorithms, []) : algorithm == "EdDSA" ? "Ed25519" : algorithm]
  algorithm = try([for algorithm in local.named : algorithm if contains(local.signs[local.form], algorithm)][0], null)

  # API Gateway writes a parameter that takes the rest of the path as `{rest+}`.
  routes = flatten([for route in local.backend.routes : [
    for method in route.methods : "${method} ${replace(route.path, "/\\{\\*([^}]*)\\}/", "{$1+}")}"
  ]])
  # A route with `policy: true` may look at a path parameter, which API Gateway cannot put into its cache key.
  object_decisions = anytrue([for route in local.backend.routes : try(route.policy, false)])
  # `30s`, `2m` or `1h`, as durations are written.
  units     = { s = 1, m = 60, h = 3600 }
  written   = regex("^([0-9]+)([smh])$", try(local.backend.lifetime, "2m"))
  lifetime  = tonumber(local.written[0]) * local.units[local.written[1]]
  encrypted = try(local.backend.encryption, "refused") != "refused"
  bound     = can(local.backend.bound_to)

  # The address of the key endpoint is known here alone, and takes the place of whatever the file says of the issuer's keys.
  guarded = merge(local.config, {
    issuers = merge(local.config.issuers, {
      (local.backend.issuer) = merge(
        { for member, value in local.issuer : member => value if !contains(["keys", "jwks", "store"], member) },
        { keys = { jwks = module.jwks.url_template } },
      )
    })
  })
  # Those of every backend: whoever reads the file reads them all.
  policies = { for file in distinct(flatten([for backend in values(local.config.backends) : try(backend.policy, [])])) : file => file("${dirname(var.config_file)}/${file}") }
  tags     = { application = "drawbridge", backend = var.backend }

  arn = "arn:${data.aws_partition.current.partition}"
  # Every secret of this backend, by its name rather than by the secret: the rotation function may rotate before there is one.
  # Secrets Manager puts a hyphen and six characters behind a name.
  secret_arns = "${local.arn}:secretsmanager:${local.region}:${data.aws_caller_identity.current.account_id}:secret:${local.prefix}/${var.backend}/*-??????"
  every_key   = "${local.arn}:kms:${local.region}:${data.aws_caller_identity.current.account_id}:key/*"
  for_secrets = "secretsmanager.${local.region}.${data.aws_partition.current.dns_suffix}"
  reading     = concat(var.bridge_role_arns, var.key_reader_arns)
}

# One key for secrets, logs and the alarm topic.
data "aws_iam_policy_document" "key" {
  #checkov:skip=CKV_AWS_109:a key policy's `*` is this key
  #checkov:skip=CKV_AWS_111:a key policy's `*` is this key
  #checkov:skip=CKV_AWS_356:a key policy's `*` is this key
  statement {
    sid       = "AccountAdministers"
    actions   = ["kms:*"]
    resources = ["*"]
    principals {
      type        = "AWS"
      identifiers = ["${local.arn}:iam::${data.aws_caller_identity.current.account_id}:root"]
    }
  }
  # https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/encrypt-log-data-kms.html
  statement {
    sid       = "LogsEncrypt"
    actions   = ["kms:Encrypt", "kms:Decrypt", "kms:ReEncrypt*", "kms:GenerateDataKey*", "kms:DescribeKey"]
    resources = ["*"]
    principals {
      type        = "Service"
      identifiers = ["logs.${local.region}.${data.aws_partition.current.dns_suffix}"]
    }
    condition {
      test     = "ArnLike"
      variable = "kms:EncryptionContext:aws:logs:arn"
      values   = ["${local.arn}:logs:${local.region}:${data.aws_caller_identity.current.account_id}:log-group:*"]
    }
  }
  # https://repost.aws/knowledge-center/cloudwatch-configure-alarm-sns
  statement {
    sid       = "AlarmsTell"
    actions   = ["kms:Decrypt", "kms:GenerateDataKey*"]
    resources = ["*"]
    principals {
      type        = "Service"
      identifiers = ["cloudwatch.amazonaws.com"]
    }
  }
}

resource "aws_kms_key" "this" {
  description         = "Drawbridge: secrets and logs of ${var.backend}"
  enable_key_rotation = true
  policy              = data.aws_iam_policy_document.key.json
  tags                = local.tags

  # What everything here depends on is where the file is held against what can be deployed.
  lifecycle {
    precondition {
      condition     = local.form != null
      error_message = "backends.${var.backend}.store in ${var.config_file} must name one of `stores` that is a `secrets_manager` or `kms`; keys elsewhere are not made here."
    }
    precondition {
      condition     = local.there == null || local.there == local.region
      error_message = "The store of ${var.backend} is in another region than region: leave `region` unset to deploy where the keys are, or change one of them."
    }
    precondition {
      condition     = local.form == null || local.algorithm != null
      error_message = "issuers.${local.backend.issuer}.algorithms in ${var.config_file} names none that a key of this store can have; a `kms` store signs with ES256, ES384, PS256 or RS256."
    }
  }
}

resource "aws_sns_topic" "alarms" {
  name              = "drawbridge-${var.backend}-alarms"
  kms_master_key_id = aws_kms_key.this.arn
  tags              = local.tags
}

resource "aws_sns_topic_subscription" "alarms" {
  for_each  = toset(var.alarm_emails)
  topic_arn = aws_sns_topic.alarms.arn
  protocol  = "email"
  endpoint  = each.key
}

data "aws_iam_policy_document" "rotation" {
  statement {
    sid = "RotateTheseSecrets"
    actions = [
      "secretsmanager:DescribeSecret", "secretsmanager:GetSecretValue", "secretsmanager:ListSecretVersionIds",
      "secretsmanager:PutSecretValue", "secretsmanager:UpdateSecretVersionStage",
    ]
    resources = [local.secret_arns]
  }
  statement {
    sid       = "EncryptSecrets"
    actions   = ["kms:Decrypt", "kms:GenerateDataKey"]
    resources = [aws_kms_key.this.arn]
    condition {
      test     = "StringEquals"
      variable = "kms:ViaService"
      values   = [local.for_secrets]
    }
    condition {
      test     = "StringLike"
      variable = "kms:EncryptionContext:SecretARN"
      values   = [local.secret_arns]
    }
  }
}

# Keys in KMS are rotated by `drawbridge keys rotate`.
module "rotation" {
  count           = local.secrets ? 1 : 0
  source          = "../../function"
  name            = "drawbridge-${var.backend}-rotation"
  package         = var.packages.rotation
  config          = jsonencode(local.config)
  policies        = local.policies
  architecture    = var.architecture
  permissions     = { rotate = data.aws_iam_policy_document.rotation.json }
  timeout_seconds = 60
  log_kms_key_arn = aws_kms_key.this.arn
  tags            = local.tags
}

resource "aws_lambda_permission" "rotation" {
  count          = local.secrets ? 1 : 0
  statement_id   = "SecretsManagerRotates"
  action         = "lambda:InvokeFunction"
  function_name  = module.rotation[0].name
  principal      = "secretsmanager.amazonaws.com"
  source_account = data.aws_caller_identity.current.account_id
}

# Secrets Manager tries again for a while, and then leaves the old key in use until the next rotation is due.
resource "aws_cloudwatch_metric_alarm" "rotation" {
  count               = local.secrets ? 1 : 0
  alarm_name          = "${var.backend}-rotation"
  alarm_description   = "A key of ${var.backend} was not rotated; the one before stays in use. Look into ${module.rotation[0].log_group_name}."
  namespace           = "AWS/Lambda"
  metric_name         = "Errors"
  dimensions          = { FunctionName = module.rotation[0].name }
  statistic           = "Sum"
  period              = 300
  evaluation_periods  = 1
  threshold           = 1
  comparison_operator = "GreaterThanOrEqualToThreshold"
  treat_missing_data  = "notBreaching"
  alarm_actions       = [aws_sns_topic.alarms.arn]
  ok_actions          = [aws_sns_topic.alarms.arn]
  tags                = local.tags
}

module "keys" {
  source             = "../../signing-keys"
  backend            = var.backend
  prefix             = local.prefix
  form               = local.secrets ? "secrets-manager" : "kms" # where it is neither, the key above says so
  algorithm          = coalesce(local.algorithm, "ES256")
  encryption         = local.encrypted
  secret_kms_key_arn = local.secrets ? aws_kms_key.this.arn : null
  # The first rotation makes the first key, and is refused while Secrets Manager may not call the function.
  rotation_function_arn = one([for permission in aws_lambda_permission.rotation : permission.id == "" ? null : module.rotation[0].arn])
  tags                  = local.tags

  readers = {
    sig = concat(module.rotation[*].role_arn, [module.jwks.role_arn], local.reading)
    enc = concat(module.rotation[*].role_arn, [module.authorizer.role_arn], local.reading)
  }
}

module "jwks" {
  source               = "../../jwks"
  name                 = "drawbridge-${var.backend}-jwks"
  package              = var.packages.jwks
  config               = jsonencode(local.config)
  policies             = local.policies
  architecture         = var.architecture
  secret_arns          = local.secrets ? [module.keys.secret_arns["sig"]] : []
  secret_kms_key_arn   = local.secrets ? aws_kms_key.this.arn : null
  key_names            = local.secrets ? [] : [module.keys.key_names["sig"]]
  reserved_concurrency = var.reserved_concurrency
  log_kms_key_arn      = aws_kms_key.this.arn
  tags                 = local.tags
}

module "authorizer" {
  source               = "../../authorizer"
  name                 = "drawbridge-${var.backend}"
  backend              = var.backend
  package              = var.packages.authorizer
  config               = jsonencode(local.guarded)
  policies             = local.policies
  architecture         = var.architecture
  reserved_concurrency = var.reserved_concurrency
  log_kms_key_arn      = aws_kms_key.this.arn
  tags                 = local.tags

  decryption = !local.encrypted ? null : {
    form               = local.secrets ? "secrets-manager" : "kms"
    secret_arn         = local.secrets ? module.keys.secret_arns["enc"] : null
    secret_kms_key_arn = local.secrets ? aws_kms_key.this.arn : null
    key_name           = local.secrets ? null : module.keys.key_names["enc"]
  }
}

module "http_api" {
  count                    = var.gateway == "http" ? 1 : 0
  source                   = "../../http-api"
  name                     = var.backend
  upstream_url             = var.upstream_url
  authorizer_invoke_arn    = module.authorizer.invoke_arn
  authorizer_function_name = module.authorizer.function_name
  http_response            = module.authorizer.http_response
  routes                   = local.routes
  context                  = try(local.backend.context, ["sub"])
  object_decisions         = local.object_decisions
  bound                    = local.bound
  cache_ttl_seconds        = var.cache_ttl_seconds
  token_lifetime_seconds   = local.lifetime
  domain                   = var.domain
  log_kms_key_arn          = aws_kms_key.this.arn
  tags                     = local.tags
}

module "rest_api" {
  count                   = var.gateway == "rest" ? 1 : 0
  source                  = "../../rest-api"
  name                    = var.backend
  upstream_url            = var.upstream_url
  authorizer_invoke_arn   = module.authorizer.invoke_arn
  authorizer_function_arn = module.authorizer.function_arn
  context                 = try(local.backend.context, ["sub"])
  object_decisions        = local.object_decisions
  bound                   = local.bound
  cache_ttl_seconds       = var.cache_ttl_seconds
  token_lifetime_seconds  = local.lifetime
  domain                  = var.domain
  account_log_role        = var.account_log_role
  log_kms_key_arn         = aws_kms_key.this.arn
  tags                    = local.tags
}

module "waf" {
  count               = var.gateway == "rest" ? 1 : 0
  source              = "../../waf"
  name                = "drawbridge-${var.backend}"
  stage_arns          = { (var.backend) = module.rest_api[0].stage_arn }
  unlimited_addresses = var.edge_addresses
  log_kms_key_arn     = aws_kms_key.this.arn
  tags                = local.tags
}

module "observability" {
  source           = "../../observability"
  name             = var.backend
  log_group_name   = module.authorizer.log_group_name
  function_name    = module.authorizer.function_name
  api              = { id = one(module.http_api[*].api_id), name = one(module.rest_api[*].api_name) }
  alarm_topic_arns = [aws_sns_topic.alarms.arn]
  tags             = local.tags
}

module "key_endpoint" {
  source           = "../../observability"
  name             = "${var.backend}-keys"
  function_name    = module.jwks.function_name
  api              = { id = module.jwks.api_id }
  alarm_topic_arns = [aws_sns_topic.alarms.arn]
  tags             = local.tags
}

# What the bridge may do, wherever it runs: sign with the current key of this backend and, where it encrypts, encrypt to the current one.
data "aws_iam_policy_document" "bridge" {
  dynamic "statement" {
    for_each = local.secrets ? [1] : []
    content {
      sid       = "ReadCurrentKeys"
      actions   = ["secretsmanager:GetSecretValue"]
      resources = values(module.keys.secret_arns)
      condition {
        test     = "StringEquals"
        variable = "secretsmanager:VersionStage"
        values   = ["AWSCURRENT"]
      }
    }
  }
  dynamic "statement" {
    for_each = local.secrets ? [1] : []
    content {
      sid       = "DecryptSecrets"
      actions   = ["kms:Decrypt"]
      resources = [aws_kms_key.this.arn]
      condition {
        test     = "StringEquals"
        variable = "kms:ViaService"
        values   = [local.for_secrets]
      }
      condition {
        test     = "StringEquals"
        variable = "kms:EncryptionContext:SecretARN"
        values   = values(module.keys.secret_arns)
      }
    }
  }
  dynamic "statement" {
    for_each = local.secrets ? {} : merge(
      { sig = ["kms:DescribeKey", "kms:Sign", "kms:ListResourceTags"] },
      local.encrypted ? { enc = ["kms:DescribeKey", "kms:GetPublicKey"] } : {},
    )
    content {
      sid       = statement.key == "sig" ? "Sign" : "Encrypt"
      actions   = statement.value
      resources = [local.every_key]
      # A rotation makes another key, with the same tag.
      condition {
        test     = "StringEquals"
        variable = "aws:ResourceTag/drawbridge:key"
        values   = [module.keys.key_names[statement.key]]
      }
    }
  }
}

resource "aws_iam_policy" "bridge" {
  name        = "drawbridge-${var.backend}-bridge"
  description = "Mint tokens for ${var.backend}"
  policy      = data.aws_iam_policy_document.bridge.json
  tags        = local.tags
}
