mock_provider "aws" {
  mock_data "aws_iam_policy_document" {
    defaults = { json = "{\"Version\":\"2012-10-17\",\"Statement\":[]}" }
  }
  mock_resource "aws_secretsmanager_secret" {
    defaults = { arn = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:drawbridge/orders/sig-AbCdEf" }
  }
  mock_resource "aws_kms_key" {
    defaults = { arn = "arn:aws:kms:eu-west-1:123456789012:key/11111111-2222-3333-4444-555555555555" }
  }
}

variables {
  backend               = "orders"
  secret_kms_key_arn    = "arn:aws:kms:eu-west-1:123456789012:key/11111111-2222-3333-4444-555555555555"
  rotation_function_arn = "arn:aws:lambda:eu-west-1:123456789012:function:rotation"
}

run "one_secret_of_the_documented_name" {
  command = plan
  assert {
    condition     = keys(aws_secretsmanager_secret.this) == ["sig"] && aws_secretsmanager_secret.this["sig"].name == "drawbridge/orders/sig"
    error_message = "there should be one secret, drawbridge/orders/sig"
  }
  assert {
    condition     = aws_secretsmanager_secret.this["sig"].kms_key_id == var.secret_kms_key_arn
    error_message = "the secret should be encrypted with the given key"
  }
  assert {
    condition     = aws_secretsmanager_secret_rotation.this["sig"].rotate_immediately
    error_message = "the first version should be made by the first rotation, at once"
  }
  assert {
    condition     = length(aws_kms_key.this) == 0
    error_message = "there should be no KMS key"
  }
}

run "a_decryption_key_only_where_asked" {
  command = plan
  variables { encryption = true }
  assert {
    condition     = keys(aws_secretsmanager_secret.this) == ["enc", "sig"]
    error_message = "there should be a secret of each use"
  }
}

run "kms_keys_sign_and_never_leave" {
  command = plan
  variables {
    form                  = "kms"
    encryption            = true
    secret_kms_key_arn    = null
    rotation_function_arn = null
  }
  assert {
    condition     = aws_kms_key.this["sig"].key_usage == "SIGN_VERIFY" && aws_kms_key.this["sig"].customer_master_key_spec == "ECC_NIST_P256"
    error_message = "ES256 should be a signing key on P-256"
  }
  assert {
    condition     = aws_kms_key.this["enc"].key_usage == "ENCRYPT_DECRYPT"
    error_message = "the encryption key should decrypt and not sign"
  }
  assert {
    condition     = aws_kms_alias.this["sig"].name == "alias/drawbridge/orders/sig"
    error_message = "the alias should be the documented one"
  }
  assert {
    condition     = output.key_names == { sig = "drawbridge/orders/sig", enc = "drawbridge/orders/enc" }
    error_message = "permissions should go by the tag that every version of the key has"
  }
  assert {
    condition     = length(aws_secretsmanager_secret.this) == 0
    error_message = "there should be no secret"
  }
}

run "kms_has_no_ed25519_here" {
  command = plan
  variables {
    form      = "kms"
    algorithm = "Ed25519"
  }
  expect_failures = [aws_kms_key.this]
}

run "a_secret_needs_its_key_and_its_rotation" {
  command = plan
  variables { rotation_function_arn = null }
  expect_failures = [aws_secretsmanager_secret.this]
}

run "a_backend_name_that_is_no_name" {
  command = plan
  variables { backend = "Orders/../x" }
  expect_failures = [var.backend]
}

run "whoever_is_not_listed_does_not_read" {
  command = plan
  variables {
    encryption = true
    readers = {
      sig = ["arn:aws:iam::123456789012:role/edge"]
      enc = ["arn:aws:iam::123456789012:role/edge", "arn:aws:iam::123456789012:role/gate"]
    }
  }
  assert {
    condition     = alltrue([for document in data.aws_iam_policy_document.readers : document.statement[0].effect == "Deny" && toset(document.statement[0].actions) == toset(["secretsmanager:GetSecretValue"])])
    error_message = "reading should be denied, and nothing else"
  }
  assert {
    condition = alltrue([for use, document in data.aws_iam_policy_document.readers : one(document.statement[0].condition).test == "ArnNotEquals" &&
    one(document.statement[0].condition).variable == "aws:PrincipalArn" && toset(one(document.statement[0].condition).values) == toset(var.readers[use])])
    error_message = "the listed roles should be the ones that are not denied"
  }
  assert {
    condition     = keys(aws_secretsmanager_secret_policy.this) == ["enc", "sig"] && aws_secretsmanager_secret_policy.this["sig"].block_public_policy
    error_message = "each secret should have its policy"
  }
}

run "readers_of_kms_keys_are_those_of_iam" {
  command = plan
  variables {
    form                  = "kms"
    secret_kms_key_arn    = null
    rotation_function_arn = null
    readers               = { sig = ["arn:aws:iam::123456789012:role/edge"] }
  }
  assert {
    condition     = length(aws_secretsmanager_secret_policy.this) == 0
    error_message = "a key that never leaves has no secret to close"
  }
}

run "a_reader_that_is_a_session" {
  command = plan
  variables { readers = { sig = ["arn:aws:sts::123456789012:assumed-role/edge/i-1"] } }
  expect_failures = [var.readers]
}

run "a_secret_that_nobody_reads" {
  command = plan
  variables { readers = { sig = [] } }
  expect_failures = [var.readers]
}

run "a_rotation_that_is_no_function" {
  command = plan
  variables { rotation_function_arn = "drawbridge-orders-rotation" }
  expect_failures = [var.rotation_function_arn]
}

run "a_symmetric_algorithm" {
  command = plan
  variables { algorithm = "HS256" }
  expect_failures = [var.algorithm]
}
