output "secret_arns" {
  description = "ARN of the secret of each use (`sig`, `enc`); empty for KMS keys."
  value       = { for use, secret in aws_secretsmanager_secret.this : use => secret.arn }
}

output "key_arns" {
  description = "ARN of the KMS key of each use; empty for secrets."
  value       = { for use, key in aws_kms_key.this : use => key.arn }
}
