//! Identity sources: where a request must have something before the authorizer is called at all.
//!
//! They are written `method.request.header.X` (REST), `$request.header.X` (HTTP) or `route.request.header.X` (WebSocket), the same
//! with `querystring`, and `context.X` or `$context.X`. Header names are read in any case, query names are not. One that is
//! missing, null or empty is a 401 without a call. For `REQUEST` authorizers of REST APIs the guide says so only where results
//! are cached, the reference of the API's `identitySource` in any case: kept in any case here.
//!
//! <https://docs.aws.amazon.com/apigateway/latest/api/API_CreateAuthorizer.html>,
//! <https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-lambda-authorizer.html>

use super::call::{ACCOUNT, API_ID, Call};

/// One identity source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    Header(String),
    Query(String),
    Context(Variable),
}

/// The context variables that a request has before it is authorized.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Variable {
    AccountId,
    ApiId,
    DomainName,
    HttpMethod,
    Path,
    ResourceId,
    ResourcePath,
    RouteKey,
    SourceIp,
    Stage,
    UserAgent,
}

impl Source {
    /// # Errors
    /// What is wrong and what to write instead.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let expression = text.trim_start_matches('$');
        let request = ["method.request.", "route.request.", "request."]
            .iter()
            .find_map(|prefix| expression.strip_prefix(prefix));
        if let Some(request) = request {
            if let Some(name) = request.strip_prefix("header.").filter(|name| !name.is_empty()) {
                return Ok(Self::Header(name.to_owned()));
            }
            if let Some(name) = request.strip_prefix("querystring.").filter(|name| !name.is_empty()) {
                return Ok(Self::Query(name.to_owned()));
            }
        }
        if let Some(name) = expression.strip_prefix("context.") {
            let known = VARIABLES
                .iter()
                .find(|(known, _)| *known == name)
                .map(|(_, variable)| Self::Context(*variable));
            return known.ok_or_else(|| {
                let names: Vec<_> = VARIABLES.iter().map(|(name, _)| format!("`{name}`")).collect();
                format!("local.aws.identity_sources: `{text}` is no context variable of the local gateway; it has {}", names.join(", "))
            });
        }
        if expression.starts_with("stageVariables.") {
            return Err(format!(
                "local.aws.identity_sources: `{text}`: the stages of the local gateway have no variables; leave it out"
            ));
        }
        Err(format!(
            "local.aws.identity_sources: `{text}` is no identity source; write one such as `$request.header.Authorization`"
        ))
    }

    /// Its value; None where it is missing or empty.
    pub(crate) fn value(&self, call: &Call) -> Option<String> {
        let value = match self {
            Self::Header(name) => call.header(name)?,
            Self::Query(name) => {
                let values =
                    call.query_pairs().into_iter().filter(|(have, _)| have == name).map(|(_, value)| value);
                values.reduce(|joined, value| format!("{joined},{value}"))?
            }
            Self::Context(variable) => variable.value(call),
        };
        (!value.is_empty()).then_some(value)
    }
}

impl Variable {
    fn value(self, call: &Call) -> String {
        match self {
            Self::AccountId => ACCOUNT.to_owned(),
            Self::ApiId => API_ID.to_owned(),
            Self::DomainName => call.domain_name(),
            Self::HttpMethod => call.method.clone(),
            Self::Path => call.path_with_stage(),
            Self::ResourceId | Self::ResourcePath => call.route.resource.clone(),
            Self::RouteKey => call.route.key.clone(),
            Self::SourceIp => call.source_ip.to_string(),
            Self::Stage => call.stage.clone(),
            Self::UserAgent => call.user_agent(),
        }
    }
}

const VARIABLES: [(&str, Variable); 11] = [
    ("accountId", Variable::AccountId),
    ("apiId", Variable::ApiId),
    ("domainName", Variable::DomainName),
    ("httpMethod", Variable::HttpMethod),
    ("identity.sourceIp", Variable::SourceIp),
    ("identity.userAgent", Variable::UserAgent),
    ("path", Variable::Path),
    ("resourceId", Variable::ResourceId),
    ("resourcePath", Variable::ResourcePath),
    ("routeKey", Variable::RouteKey),
    ("stage", Variable::Stage),
];

#[cfg(test)]
mod tests {
    use super::{
        super::call::{ApiKind, tests::call},
        *,
    };

    #[test]
    fn every_api_writes_its_sources_its_own_way() {
        for (text, source) in [
            ("$request.header.Authorization", Source::Header("Authorization".to_owned())),
            ("method.request.header.Authorization", Source::Header("Authorization".to_owned())),
            ("route.request.header.Authorization", Source::Header("Authorization".to_owned())),
            ("$request.querystring.token", Source::Query("token".to_owned())),
            ("method.request.querystring.token", Source::Query("token".to_owned())),
            ("$context.routeKey", Source::Context(Variable::RouteKey)),
            ("context.httpMethod", Source::Context(Variable::HttpMethod)),
            ("context.identity.sourceIp", Source::Context(Variable::SourceIp)),
        ] {
            assert_eq!(Source::parse(text), Ok(source), "{text}");
        }
    }

    #[test]
    fn a_source_that_cannot_be_is_named() {
        for text in [
            "",
            "$request.header.",
            "method.request.path.id",
            "$context.authorizer.x",
            "stageVariables.a",
            "header.X",
            "$request.body",
        ] {
            let error = Source::parse(text).unwrap_err();
            assert!(error.contains(&format!("`{text}`")), "{error}");
        }
    }

    #[test]
    fn a_value_is_there_or_it_is_missing() {
        let headers = [("Authorization", "Bearer x"), ("x-empty", ""), ("user-agent", "curl")];
        let request = call(ApiKind::Http, "GET", "/orders/customers/42?Token=1&Token=2&empty=", &headers);
        let table = [
            ("$request.header.authorization", Some("Bearer x")),
            ("$request.header.AUTHORIZATION", Some("Bearer x")),
            ("$request.header.x-empty", None),
            ("$request.header.x-none", None),
            ("$request.header.not a name", None),
            ("$request.querystring.Token", Some("1,2")),
            ("$request.querystring.token", None),
            ("$request.querystring.empty", None),
            ("$context.routeKey", Some("$default")),
            ("$context.httpMethod", Some("GET")),
            ("$context.path", Some("/orders/customers/42")),
            ("$context.resourcePath", Some("/{proxy+}")),
            ("$context.stage", Some("orders")),
            ("$context.identity.sourceIp", Some("192.0.2.1")),
            ("$context.identity.userAgent", Some("curl")),
            ("$context.apiId", Some("drawbridge")),
            ("$context.accountId", Some("000000000000")),
        ];
        for (source, value) in table {
            assert_eq!(Source::parse(source).unwrap().value(&request).as_deref(), value, "{source}");
        }
    }
}
