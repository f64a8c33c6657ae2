output "secret_arns" {
  description = "ARN of the secret of each use (`sig`, `enc`); empty for KMS keys."
  value       = { for use, secret in aws_secretsmanager_secret.this : use => secret.arn }
}

output "key_names" {
  description = "Value of the tag `drawbridge:key` of each use's KMS keys, by which permissions are given: a rotation makes another key with it. Empty for secrets."
  value       = { for use, key in aws_kms_key.this : use => key.tags["drawbridge:key"] }
}
