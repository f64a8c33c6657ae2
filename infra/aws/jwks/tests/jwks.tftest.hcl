mock_provider "aws" {
  source = "../mocks"
}
mock_provider "archive" {
  mock_data "archive_file" {
    defaults = { output_path = "../mocks/package.zip", output_base64sha256 = "AA==" }
  }
}

variables {
  package            = "../mocks/package.zip"
  config             = "{\"issuers\":{},\"backends\":{\"orders\":{}}}"
  log_kms_key_arn    = "arn:aws:kms:eu-west-1:123456789012:key/11111111-2222-3333-4444-555555555555"
  secret_kms_key_arn = "arn:aws:kms:eu-west-1:123456789012:key/11111111-2222-3333-4444-555555555555"
  secret_arns        = ["arn:aws:secretsmanager:eu-west-1:123456789012:secret:drawbridge/orders/sig-AbCdEf"]
}

run "one_key_at_a_time_and_nothing_else" {
  command = plan
  assert {
    condition     = aws_apigatewayv2_route.this.route_key == "GET /jwks/{backend}/{kid}"
    error_message = "the one route should name a backend and a kid"
  }
  assert {
    condition     = toset(data.aws_iam_policy_document.read.statement[0].resources) == toset(var.secret_arns)
    error_message = "the endpoint should read the given secrets and no others"
  }
  assert {
    condition     = toset(data.aws_iam_policy_document.read.statement[0].actions) == toset(["secretsmanager:GetSecretValue"])
    error_message = "the endpoint should read values and nothing else"
  }
  assert {
    condition = { for condition in data.aws_iam_policy_document.read.statement[1].condition : condition.variable => toset(condition.values) } == {
      "kms:ViaService"                  = toset(["secretsmanager.eu-west-1.amazonaws.com"])
      "kms:EncryptionContext:SecretARN" = toset(var.secret_arns)
    }
    error_message = "the key should decrypt these secrets alone, and for Secrets Manager alone"
  }
  assert {
    condition     = !contains(flatten(data.aws_iam_policy_document.read.statement[*].actions), "kms:Sign")
    error_message = "the endpoint should not be able to sign"
  }
  assert {
    condition     = aws_apigatewayv2_stage.this.default_route_settings[0].throttling_rate_limit == 100
    error_message = "the endpoint should be throttled"
  }
}

run "kms_keys_are_read_by_their_public_half" {
  command = plan
  variables {
    secret_arns        = []
    secret_kms_key_arn = null
    key_names          = ["drawbridge/orders/sig"]
  }
  assert {
    condition     = toset(data.aws_iam_policy_document.read.statement[0].actions) == toset(["kms:GetPublicKey", "kms:DescribeKey", "kms:ListResourceTags"])
    error_message = "the endpoint should read public keys alone"
  }
  assert {
    condition = (endswith(one(data.aws_iam_policy_document.read.statement[0].resources), ":key/*") &&
      one(data.aws_iam_policy_document.read.statement[0].condition).variable == "aws:ResourceTag/drawbridge:key" &&
    toset(one(data.aws_iam_policy_document.read.statement[0].condition).values) == toset(var.key_names))
    error_message = "every version of these keys should be readable, also those that a rotation makes, and no other key"
  }
}

run "the_address_to_write_into_the_configuration" {
  assert {
    condition     = output.url_template == "https://mock.execute-api.eu-west-1.amazonaws.com/jwks/{backend}/{kid}"
    error_message = "the output should be a template that drawbridge.yaml takes"
  }
}

run "nothing_to_publish" {
  command = plan
  variables { secret_arns = [] }
  expect_failures = [var.key_names]
}

run "secrets_that_could_not_be_decrypted" {
  command = plan
  variables { secret_kms_key_arn = null }
  expect_failures = [var.secret_kms_key_arn]
}

run "a_decryption_key_is_not_published" {
  command = plan
  variables { key_names = ["drawbridge/orders/enc"] }
  expect_failures = [var.key_names]
}

run "a_secret_by_its_name" {
  command = plan
  variables { secret_arns = ["drawbridge/orders/sig"] }
  expect_failures = [var.secret_arns]
}
