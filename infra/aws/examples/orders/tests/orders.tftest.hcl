mock_provider "aws" {
  source = "../../mocks"
}
mock_provider "archive" {
  mock_data "archive_file" {
    defaults = { output_path = "../../mocks/package.zip", output_base64sha256 = "AA==" }
  }
}

variables {
  config_file  = "drawbridge.yaml"
  upstream_url = "https://orders.internal.example.com"
  packages = {
    authorizer = "../../mocks/package.zip"
    jwks       = "../../mocks/package.zip"
    rotation   = "../../mocks/package.zip"
  }
}

run "a_backend_behind_an_http_api" {
  assert {
    condition     = output.upstream == "https://mock.execute-api.eu-west-1.amazonaws.com"
    error_message = "the edge should be told where the API is"
  }
  assert {
    condition     = endswith(output.jwks, "/jwks/{backend}/{kid}")
    error_message = "the gates should be told where the keys are"
  }
  assert {
    condition     = length(module.rest_api) == 0 && length(module.waf) == 0
    error_message = "there should be one gateway"
  }
  assert {
    condition     = local.guarded.issuers.edge.keys.jwks == output.jwks && local.guarded.issuers.edge.algorithms == ["ES256"]
    error_message = "the authorizer should ask the key endpoint that is deployed here"
  }
  assert {
    condition     = module.jwks.function_name == "drawbridge-orders-jwks"
    error_message = "a second backend of the account should have a key endpoint of its own"
  }
}

run "the_rotation_may_do_what_it_does" {
  assert {
    condition = toset(data.aws_iam_policy_document.rotation.statement[0].actions) == toset([
      "secretsmanager:DescribeSecret", "secretsmanager:GetSecretValue", "secretsmanager:ListSecretVersionIds",
      "secretsmanager:PutSecretValue", "secretsmanager:UpdateSecretVersionStage",
    ])
    error_message = "finishSecret lists versions: without that every scheduled rotation fails"
  }
  assert {
    condition     = one(data.aws_iam_policy_document.rotation.statement[0].resources) == "arn:aws:secretsmanager:eu-west-1:123456789012:secret:drawbridge/orders/*-??????"
    error_message = "the policy should hold before there is a secret, and for no other backend's"
  }
  assert {
    condition = { for condition in data.aws_iam_policy_document.rotation.statement[1].condition : condition.variable => one(condition.values) } == {
      "kms:ViaService"                  = "secretsmanager.eu-west-1.amazonaws.com"
      "kms:EncryptionContext:SecretARN" = local.secret_arns
    }
    error_message = "the key should be used for these secrets alone"
  }
  assert {
    condition     = aws_cloudwatch_metric_alarm.rotation[0].threshold == 1 && aws_cloudwatch_metric_alarm.rotation[0].dimensions["FunctionName"] == module.rotation[0].name && one(aws_cloudwatch_metric_alarm.rotation[0].alarm_actions) == output.alarm_topic_arn
    error_message = "a failed rotation should tell somebody"
  }
}

run "logs_and_alarms_are_encrypted_as_documented" {
  assert {
    condition     = one(data.aws_iam_policy_document.key.statement[1].condition).variable == "kms:EncryptionContext:aws:logs:arn" && one(one(data.aws_iam_policy_document.key.statement[1].condition).values) == "arn:aws:logs:eu-west-1:123456789012:log-group:*"
    error_message = "CloudWatch Logs should use the key for log groups of this account"
  }
  assert {
    condition     = one(one(data.aws_iam_policy_document.key.statement[2].principals).identifiers) == "cloudwatch.amazonaws.com" && length(data.aws_iam_policy_document.key.statement[2].condition) == 0
    error_message = "alarms should be able to publish to the encrypted topic"
  }
}

run "the_bridge_that_signs_and_who_is_told" {
  variables {
    bridge_role_arns = ["arn:aws:iam::123456789012:role/edge"]
    alarm_emails     = ["oncall@example.com"]
  }
  assert {
    condition     = one(local.reading) == "arn:aws:iam::123456789012:role/edge"
    error_message = "the bridge should be among those who may read the signing secret"
  }
  assert {
    condition     = aws_sns_topic_subscription.alarms["oncall@example.com"].protocol == "email"
    error_message = "somebody should be told of alarms"
  }
}

run "a_backend_behind_a_rest_api_and_waf" {
  variables {
    gateway          = "rest"
    account_log_role = true
    edge_addresses   = ["198.51.100.7/32"]
    domain           = { name = "orders.example.com", certificate_arn = "arn:aws:acm:eu-west-1:123456789012:certificate/1", truststore_uri = "s3://trust/ca.pem" }
  }
  assert {
    condition     = length(module.http_api) == 0 && length(module.waf) == 1
    error_message = "a REST API should be behind WAF"
  }
  assert {
    condition     = output.upstream == "https://orders.example.com" && output.domain_target != null
    error_message = "the domain should be the REST API's too"
  }
}

run "keys_that_never_leave_kms" {
  variables { config_file = "tests/kms.yaml" }
  assert {
    condition     = local.region == "eu-central-1" && local.prefix == "team/keys" && local.algorithm == "PS256"
    error_message = "region, prefix and algorithm should be those of the file"
  }
  assert {
    condition     = length(module.rotation) == 0 && length(aws_cloudwatch_metric_alarm.rotation) == 0
    error_message = "Secrets Manager rotates no key of KMS"
  }
  assert {
    condition = { for statement in data.aws_iam_policy_document.bridge.statement : statement.sid => [toset(statement.actions), one(one(statement.condition).values)] } == {
      Sign    = [toset(["kms:DescribeKey", "kms:Sign", "kms:ListResourceTags"]), "team/keys/orders/sig"]
      Encrypt = [toset(["kms:DescribeKey", "kms:GetPublicKey"]), "team/keys/orders/enc"]
    }
    error_message = "the bridge should sign and encrypt with every version of this backend's keys, and do nothing else"
  }
  assert {
    condition     = !contains(keys(local.guarded.issuers.edge), "store") && local.guarded.issuers.edge.keys.jwks == output.jwks
    error_message = "an issuer should have its keys in one way"
  }
  assert {
    condition     = local.routes == ["GET /files/{rest+}", "PUT /files/{rest+}"]
    error_message = "a rest of a path should be written as API Gateway does"
  }
  assert {
    condition     = local.bound
    error_message = "answers about bound tokens should not be cached"
  }
}

run "a_store_in_another_cloud" {
  command = plan
  variables { config_file = "tests/elsewhere.yaml" }
  expect_failures = [aws_kms_key.this]
}

run "a_region_where_the_keys_are_not" {
  command = plan
  variables { region = "eu-central-1" }
  expect_failures = [aws_kms_key.this]
}

run "a_backend_that_is_not_in_the_file" {
  command = plan
  variables { backend = "billing" }
  expect_failures = [var.backend]
}

run "a_file_that_is_no_configuration" {
  command = plan
  variables { config_file = "README.md" }
  expect_failures = [var.config_file]
}
