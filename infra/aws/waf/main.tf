# A web ACL in front of REST API stages: managed rules against the common and the known bad, and a rate per address.

terraform {
  required_version = ">= 1.9"
  required_providers {
    aws = { source = "hashicorp/aws", version = ">= 6.0" }
  }
}

locals {
  managed = {
    AWSManagedRulesCommonRuleSet          = 10
    AWSManagedRulesKnownBadInputsRuleSet  = 20
    AWSManagedRulesAmazonIpReputationList = 30
  }
  unlimited = {
    IPV4 = [for range in var.unlimited_addresses : range if !strcontains(range, ":")]
    IPV6 = [for range in var.unlimited_addresses : range if strcontains(range, ":")]
  }
}

# By address family, as WAF keeps them.
resource "aws_wafv2_ip_set" "unlimited" {
  for_each           = { for family, addresses in local.unlimited : family => addresses if length(addresses) > 0 }
  name               = "${var.name}-unlimited-${lower(each.key)}"
  description        = "Edge gateways, which speak for all their consumers"
  scope              = "REGIONAL"
  ip_address_version = each.key
  addresses          = each.value
  tags               = var.tags
}

resource "aws_wafv2_web_acl" "this" {
  #checkov:skip=CKV_AWS_192:AWSManagedRulesKnownBadInputsRuleSet is among the dynamic rules below, which checkov does not unfold
  name        = var.name
  description = "Drawbridge: in front of the gateways of ${var.name}"
  scope       = "REGIONAL"
  tags        = var.tags

  default_action {
    allow {}
  }

  rule {
    name     = "RatePerAddress"
    priority = 0
    action {
      block {
        custom_response {
          response_code = 429
        }
      }
    }
    statement {
      rate_based_statement {
        limit                 = var.requests_per_five_minutes
        evaluation_window_sec = 300
        aggregate_key_type    = "IP"

        # Of the addresses that are left when those of each set are taken out: an AND of two NOTs, where there are two.
        dynamic "scope_down_statement" {
          for_each = length(aws_wafv2_ip_set.unlimited) == 1 ? values(aws_wafv2_ip_set.unlimited) : []
          content {
            not_statement {
              statement {
                ip_set_reference_statement {
                  arn = scope_down_statement.value.arn
                }
              }
            }
          }
        }
        dynamic "scope_down_statement" {
          for_each = length(aws_wafv2_ip_set.unlimited) == 2 ? [1] : []
          content {
            and_statement {
              dynamic "statement" {
                for_each = aws_wafv2_ip_set.unlimited
                content {
                  not_statement {
                    statement {
                      ip_set_reference_statement {
                        arn = statement.value.arn
                      }
                    }
                  }
                }
              }
            }
          }
        }
      }
    }
    visibility_config {
      cloudwatch_metrics_enabled = true
      metric_name                = "${var.name}-rate"
      sampled_requests_enabled   = false # samples hold headers, and headers hold tokens
    }
  }

  dynamic "rule" {
    for_each = local.managed
    content {
      name     = rule.key
      priority = rule.value
      override_action {
        none {}
      }
      statement {
        managed_rule_group_statement {
          name        = rule.key
          vendor_name = "AWS"
        }
      }
      visibility_config {
        cloudwatch_metrics_enabled = true
        metric_name                = "${var.name}-${rule.key}"
        sampled_requests_enabled   = false
      }
    }
  }

  visibility_config {
    cloudwatch_metrics_enabled = true
    metric_name                = var.name
    sampled_requests_enabled   = false
  }
}

resource "aws_wafv2_web_acl_association" "this" {
  for_each     = var.stage_arns
  resource_arn = each.value
  web_acl_arn  = aws_wafv2_web_acl.this.arn
}

resource "aws_cloudwatch_log_group" "this" {
  #checkov:skip=CKV_AWS_338:retention is the caller's choice
  name              = "aws-waf-logs-${var.name}" # WAF logs only to groups of this prefix
  retention_in_days = var.log_retention_days
  kms_key_id        = var.log_kms_key_arn
  tags              = var.tags
}

resource "aws_wafv2_web_acl_logging_configuration" "this" {
  resource_arn            = aws_wafv2_web_acl.this.arn
  log_destination_configs = [aws_cloudwatch_log_group.this.arn]

  dynamic "redacted_fields" {
    for_each = ["authorization", "cookie", "dpop"]
    content {
      single_header {
        name = redacted_fields.value
      }
    }
  }
}
