mock_provider "aws" {
  source = "../mocks"
}
mock_provider "archive" {
  mock_data "archive_file" {
    defaults = { output_path = "../mocks/package.zip", output_base64sha256 = "AA==" }
  }
}

variables {
  name            = "drawbridge-orders"
  backend         = "orders"
  package         = "../mocks/package.zip"
  config          = "{\"issuers\":{},\"backends\":{\"orders\":{}}}"
  log_kms_key_arn = "arn:aws:kms:eu-west-1:123456789012:key/11111111-2222-3333-4444-555555555555"
}

run "it_may_read_nothing_without_encryption" {
  command = plan
  assert {
    condition     = length(data.aws_iam_policy_document.decrypt) == 0
    error_message = "a gate without encryption should be allowed nothing"
  }
}

run "it_reads_its_own_decryption_key_and_no_other" {
  command = plan
  variables {
    decryption = {
      secret_arn         = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:drawbridge/orders/enc-AbCdEf"
      secret_kms_key_arn = "arn:aws:kms:eu-west-1:123456789012:key/11111111-2222-3333-4444-555555555555"
    }
  }
  assert {
    condition     = toset(data.aws_iam_policy_document.decrypt[0].statement[0].resources) == toset([var.decryption.secret_arn])
    error_message = "a gate should read its own decryption key alone"
  }
  assert {
    condition     = toset(data.aws_iam_policy_document.decrypt[0].statement[0].actions) == toset(["secretsmanager:GetSecretValue"])
    error_message = "a gate should read a value and nothing else"
  }
  assert {
    condition = { for condition in data.aws_iam_policy_document.decrypt[0].statement[1].condition : condition.variable => one(condition.values) } == {
      "kms:ViaService"                  = "secretsmanager.eu-west-1.amazonaws.com"
      "kms:EncryptionContext:SecretARN" = var.decryption.secret_arn
    }
    error_message = "the key should decrypt this secret alone, and for Secrets Manager alone"
  }
}

run "a_kms_key_unwraps_and_does_not_sign" {
  command = plan
  variables {
    decryption = { form = "kms", key_name = "drawbridge/orders/enc" }
  }
  assert {
    condition     = toset(data.aws_iam_policy_document.decrypt[0].statement[0].actions) == toset(["kms:Decrypt", "kms:DescribeKey"])
    error_message = "a gate should unwrap and nothing else"
  }
  assert {
    condition = (endswith(one(data.aws_iam_policy_document.decrypt[0].statement[0].resources), ":key/*") &&
      one(data.aws_iam_policy_document.decrypt[0].statement[0].condition).variable == "aws:ResourceTag/drawbridge:key" &&
    one(one(data.aws_iam_policy_document.decrypt[0].statement[0].condition).values) == "drawbridge/orders/enc")
    error_message = "every version of its key should unwrap, also those that a rotation makes, and no other key"
  }
}

run "a_backend_that_is_not_configured" {
  command = plan
  variables { backend = "billing" }
  expect_failures = [var.backend]
}

run "an_answer_that_no_gateway_takes" {
  command = plan
  variables { http_response = "yes" }
  expect_failures = [var.http_response]
}

run "a_form_that_is_none" {
  command = plan
  variables { decryption = { form = "file" } }
  expect_failures = [var.decryption]
}

run "a_secret_that_is_not_named" {
  command = plan
  variables { decryption = { form = "secrets-manager" } }
  expect_failures = [var.decryption]
}

run "a_kms_key_that_signs" {
  command = plan
  variables { decryption = { form = "kms", key_name = "drawbridge/orders/sig" } }
  expect_failures = [var.decryption]
}
