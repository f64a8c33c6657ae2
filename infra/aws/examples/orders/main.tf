# One backend, end to end: its signing key and the key's rotation, the key endpoint, the authorizer, an HTTP API (or a REST API
# behind WAF), logs and alarms. `config_file` is the same drawbridge.yaml that the edge reads.

terraform {
  required_version = ">= 1.7"
  required_providers {
    aws     = { source = "hashicorp/aws", version = ">= 6.0" }
    archive = { source = "hashicorp/archive", version = ">= 2.4" }
  }
}

provider "aws" {
  region = var.region
}

data "aws_caller_identity" "current" {}
data "aws_partition" "current" {}

locals {
  config  = yamldecode(file(var.config_file))
  backend = local.config.backends[var.backend]
  routes  = flatten([for route in local.backend.routes : [for method in route.methods : "${method} ${route.path}"]])
  # A route with `policy: true` may look at a path parameter, which API Gateway cannot put into its cache key.
  object_decisions = anytrue([for route in local.backend.routes : try(route.policy, false)])
  # `30s`, `2m` or `1h`, as durations are written.
  units   = { s = 1, m = 60, h = 3600 }
  written = regex("^([0-9]+)([smh])$", try(local.backend.lifetime, "2m"))
  # The address of the key endpoint is known here alone; nobody writes it down twice.
  issuer = local.config.issuers[local.backend.issuer]
  guarded = merge(local.config, {
    issuers = merge(local.config.issuers, { (local.backend.issuer) = merge(local.issuer, { keys = { jwks = module.jwks.url_template } }) })
  })
  encrypted = try(local.backend.encryption, "refused") != "refused"
  lifetime  = tonumber(local.written[0]) * local.units[local.written[1]]
  policies  = { for file in try(local.backend.policy, []) : file => file("${dirname(var.config_file)}/${file}") }
  tags      = { application = "drawbridge", backend = var.backend }
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
      identifiers = ["arn:${data.aws_partition.current.partition}:iam::${data.aws_caller_identity.current.account_id}:root"]
    }
  }
  statement {
    sid       = "LogsAndAlarmsEncrypt"
    actions   = ["kms:Encrypt", "kms:Decrypt", "kms:ReEncrypt*", "kms:GenerateDataKey*", "kms:DescribeKey"]
    resources = ["*"]
    principals {
      type        = "Service"
      identifiers = ["logs.${var.region}.amazonaws.com", "cloudwatch.amazonaws.com"]
    }
    condition {
      test     = "StringEquals"
      variable = "aws:SourceAccount"
      values   = [data.aws_caller_identity.current.account_id]
    }
  }
}

resource "aws_kms_key" "this" {
  description         = "Drawbridge: secrets and logs of ${var.backend}"
  enable_key_rotation = true
  policy              = data.aws_iam_policy_document.key.json
  tags                = local.tags
}

resource "aws_sns_topic" "alarms" {
  name              = "drawbridge-${var.backend}-alarms"
  kms_master_key_id = aws_kms_key.this.arn
  tags              = local.tags
}

data "aws_iam_policy_document" "rotation" {
  statement {
    sid = "RotateTheseSecrets"
    actions = [
      "secretsmanager:DescribeSecret", "secretsmanager:GetSecretValue", "secretsmanager:PutSecretValue",
      "secretsmanager:UpdateSecretVersionStage",
    ]
    resources = values(module.keys.secret_arns)
  }
  statement {
    sid       = "EncryptSecrets"
    actions   = ["kms:Decrypt", "kms:GenerateDataKey"]
    resources = [aws_kms_key.this.arn]
  }
}

module "rotation" {
  source               = "../../function"
  name                 = "drawbridge-${var.backend}-rotation"
  package              = var.packages.rotation
  config               = jsonencode(local.config)
  policies             = local.policies
  architecture         = var.architecture
  permissions          = { rotate = data.aws_iam_policy_document.rotation.json }
  timeout_seconds      = 60
  reserved_concurrency = 2
  log_kms_key_arn      = aws_kms_key.this.arn
  tags                 = local.tags
}

resource "aws_lambda_permission" "rotation" {
  statement_id   = "SecretsManagerRotates"
  action         = "lambda:InvokeFunction"
  function_name  = module.rotation.name
  principal      = "secretsmanager.amazonaws.com"
  source_account = data.aws_caller_identity.current.account_id
}

module "keys" {
  source             = "../../signing-keys"
  backend            = var.backend
  encryption         = local.encrypted
  secret_kms_key_arn = aws_kms_key.this.arn
  # The first rotation makes the first key, and is refused while Secrets Manager may not call the function.
  rotation_function_arn = aws_lambda_permission.rotation.id == "" ? null : module.rotation.arn
  tags                  = local.tags
}

module "jwks" {
  source             = "../../jwks"
  package            = var.packages.jwks
  config             = jsonencode(local.config)
  policies           = local.policies
  architecture       = var.architecture
  secret_arns        = [module.keys.secret_arns["sig"]]
  secret_kms_key_arn = aws_kms_key.this.arn
  log_kms_key_arn    = aws_kms_key.this.arn
  tags               = local.tags
}

module "authorizer" {
  source          = "../../authorizer"
  name            = "drawbridge-${var.backend}"
  backend         = var.backend
  package         = var.packages.authorizer
  config          = jsonencode(local.guarded)
  policies        = local.policies
  architecture    = var.architecture
  decryption      = local.encrypted ? { secret_arn = module.keys.secret_arns["enc"], secret_kms_key_arn = aws_kms_key.this.arn } : null
  log_kms_key_arn = aws_kms_key.this.arn
  tags            = local.tags
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
  cache_ttl_seconds       = var.cache_ttl_seconds
  token_lifetime_seconds  = local.lifetime
  log_kms_key_arn         = aws_kms_key.this.arn
  tags                    = local.tags
}

module "waf" {
  count           = var.gateway == "rest" ? 1 : 0
  source          = "../../waf"
  name            = "drawbridge-${var.backend}"
  stage_arns      = { (var.backend) = module.rest_api[0].stage_arn }
  log_kms_key_arn = aws_kms_key.this.arn
  tags            = local.tags
}

module "observability" {
  source           = "../../observability"
  name             = var.backend
  log_group_name   = module.authorizer.log_group_name
  function_name    = module.authorizer.function_name
  alarm_topic_arns = [aws_sns_topic.alarms.arn]
  tags             = local.tags
}

# What the bridge may do, wherever it runs: read the current keys of this backend, to mint its tokens.
data "aws_iam_policy_document" "bridge" {
  statement {
    sid       = "ReadCurrentKeys"
    actions   = ["secretsmanager:GetSecretValue"]
    resources = values(module.keys.secret_arns)
    condition {
      test     = "StringEquals"
      variable = "secretsmanager:VersionStage"
      values   = ["AWSCURRENT"]
    }
  }
  statement {
    sid       = "DecryptSecrets"
    actions   = ["kms:Decrypt"]
    resources = [aws_kms_key.this.arn]
    condition {
      test     = "StringEquals"
      variable = "kms:ViaService"
      values   = ["secretsmanager.${var.region}.amazonaws.com"]
    }
  }
}

resource "aws_iam_policy" "bridge" {
  name        = "drawbridge-${var.backend}-bridge"
  description = "Mint tokens for ${var.backend}"
  policy      = data.aws_iam_policy_document.bridge.json
  tags        = local.tags
}
