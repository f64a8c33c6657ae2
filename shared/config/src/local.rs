//! `audit` and `local`: where decisions are recorded, and what only `drawbridge up` reads.

use std::{path::Path, time::Duration};

use crate::{
    Audit, AwsAuthorizer, AzureMode, Local,
    diagnostics::{Report, Reported, quote},
    tree::{Node, distinct, fields, word},
    values::{duration, is_token, text},
};

pub(crate) fn audit(node: &Node, folder: &Path, report: &Report) -> Result<Audit, Reported> {
    fields(node, report, |audit| {
        audit.or("ocsf", Audit::OcsfStdout, |node, report| {
            let to = text(node, report)?;
            Ok(if to == "stdout" { Audit::OcsfStdout } else { Audit::OcsfFile(folder.join(to)) })
        })
    })
}

pub(crate) fn local(node: &Node, report: &Report) -> Result<Local, Reported> {
    fields(node, report, |local| {
        let aws = local.or("aws", Local::default(), aws);
        let azure = local.or("azure", AzureMode::Forward, |node, report| {
            fields(node, report, |azure| azure.or("mode", AzureMode::Forward, word(&MODES)))
        });
        Ok(Local { azure: azure?, ..aws? })
    })
}

impl Default for Local {
    fn default() -> Self {
        let authorizer = AwsAuthorizer::Http20Simple;
        Self {
            authorizer,
            cache_ttl: Duration::ZERO,
            identity_sources: vec![format!("{}Authorization", authorizer.header_source())],
            identity_validation: None,
            azure: AzureMode::Forward,
        }
    }
}

fn aws(node: &Node, report: &Report) -> Result<Local, Reported> {
    fields(node, report, |aws| {
        let authorizer = aws.or("authorizer", AwsAuthorizer::Http20Simple, word(&AUTHORIZERS));
        let cache_ttl = aws.or("cache_ttl", Duration::ZERO, duration(Duration::ZERO..=MAX_CACHE_TTL));
        let sources = aws.optional("identity_sources", |node, report| match authorizer {
            Ok(authorizer) => identity_sources(node, authorizer, report),
            Err(reported) => Err(reported),
        });
        let validation = aws.optional("identity_validation", regular_expression);
        let authorizer = authorizer?;
        if aws.has("identity_validation") && authorizer != AwsAuthorizer::RestToken {
            let message = "only `authorizer: rest-token` has a validation expression; leave it out";
            return Err(report.at(aws.place_of("identity_validation"), message));
        }
        let (cache_ttl, identity_sources) = (
            cache_ttl?,
            sources?.unwrap_or_else(|| vec![format!("{}Authorization", authorizer.header_source())]),
        );
        if identity_sources.is_empty() && !cache_ttl.is_zero() {
            let message = "there is nothing to cache by; name an identity source, or write `cache_ttl: 0s`";
            return Err(report.at(aws.place_of("identity_sources"), message));
        }
        Ok(Local {
            authorizer,
            cache_ttl,
            identity_sources,
            identity_validation: validation?,
            ..Local::default()
        })
    })
}

/// The selection expressions of the authorizer's kind of API; a token authorizer has exactly one, a header.
fn identity_sources(
    node: &Node,
    authorizer: AwsAuthorizer,
    report: &Report,
) -> Result<Vec<String>, Reported> {
    let header = authorizer.header_source();
    let sources = distinct(|node: &Node, report: &Report| {
        let source = text(node, report)?;
        let query = header.replace("header", "querystring");
        let (context, variable) = if header.starts_with('$') {
            ("$context.", "$stageVariables.")
        } else {
            ("context.", "stageVariables.")
        };
        let kinds = match authorizer {
            AwsAuthorizer::RestToken => vec![header],
            _ => vec![header, query.as_str(), context, variable],
        };
        if kinds.iter().any(|kind| source.strip_prefix(kind).is_some_and(is_token)) {
            return Ok(source);
        }
        if source.contains(".path.") {
            let message = format!(
                "{}: API Gateway takes no path parameters as identity sources; leave it out, with \
                 `cache_ttl: 0s`",
                quote(&source)
            );
            return Err(report.at(&node.place, message));
        }
        Err(report.at(
            &node.place,
            format!(
                "{} is no identity source of this authorizer; write one such as `{header}Authorization`",
                quote(&source)
            ),
        ))
    })(node, report)?;
    if authorizer == AwsAuthorizer::RestToken && sources.len() != 1 {
        return Err(report.at(&node.place, "a token authorizer has exactly one identity source; write one"));
    }
    Ok(sources)
}

fn regular_expression(node: &Node, report: &Report) -> Result<String, Reported> {
    let expression = text(node, report)?;
    match regex_syntax::Parser::new().parse(&expression) {
        Ok(_) => Ok(expression),
        Err(_) => Err(report.at(
            &node.place,
            format!(
                "{} is no regular expression; write one such as `^Bearer [-A-Za-z0-9._]+$`",
                quote(&expression)
            ),
        )),
    }
}

impl AwsAuthorizer {
    /// Whether an authorizer of this kind is told the client's certificate, where its API has mutual TLS. A token authorizer is told
    /// the token alone, and a WebSocket API has no mutual TLS.
    /// <https://docs.aws.amazon.com/apigateway/latest/developerguide/rest-api-mutual-tls.html>
    pub const fn sees_certificates(self) -> bool {
        match self {
            Self::RestToken | Self::WebSocket => false,
            Self::RestRequest | Self::Http10 | Self::Http20Iam | Self::Http20Simple => true,
        }
    }

    /// How this kind of API names a request header, up to the header's name.
    fn header_source(self) -> &'static str {
        match self {
            Self::RestToken | Self::RestRequest => "method.request.header.",
            Self::Http10 | Self::Http20Iam | Self::Http20Simple => "$request.header.",
            Self::WebSocket => "route.request.header.",
        }
    }
}

const AUTHORIZERS: [(&str, AwsAuthorizer); 6] = [
    ("rest-token", AwsAuthorizer::RestToken),
    ("rest-request", AwsAuthorizer::RestRequest),
    ("http-1.0", AwsAuthorizer::Http10),
    ("http-2.0-iam", AwsAuthorizer::Http20Iam),
    ("http-2.0-simple", AwsAuthorizer::Http20Simple),
    ("websocket", AwsAuthorizer::WebSocket),
];

const MODES: [(&str, AzureMode); 3] =
    [("forward", AzureMode::Forward), ("proxy", AzureMode::Proxy), ("invoke", AzureMode::Invoke)];

/// API Gateway's own limit.
const MAX_CACHE_TTL: Duration = Duration::from_secs(3600);
