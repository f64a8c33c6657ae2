//! The native events, one kind each, as one request to the gate.

use std::{borrow::Cow, net::IpAddr};

use drawbridge_gate::Request;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;
use serde_json::value::RawValue;
use thiserror::Error;

use crate::{
    arn::{Called, MethodArn},
    text::{Lists, Pairs, Text},
};

/// One invocation by API Gateway.
#[derive(Debug)]
pub(crate) struct Event<'e> {
    /// What kind of API calls.
    pub(crate) kind: Kind,
    method: Cow<'e, str>,
    /// Path and query.
    target: Cow<'e, str>,
    headers: Vec<(Text<'e>, Text<'e>)>,
    source_ip: Option<IpAddr>,
    client_certificate: Option<Text<'e>>,
    request_id: Option<Text<'e>>,
    arn: Option<Text<'e>>,
}

/// The kinds of API and authorizer, each with an event of its own.
///
/// <https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-lambda-authorizer-input.html>,
/// <https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-lambda-authorizer.html>,
/// <https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-websocket-api-lambda-auth.html>
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// `type: TOKEN`: the token and the method ARN, nothing else.
    RestToken,
    /// `type: REQUEST` without a version.
    RestRequest,
    /// `version: 1.0`.
    Http10,
    /// `version: 2.0`.
    Http20,
    /// `type: REQUEST` with `eventType: CONNECT`.
    WebSocket,
}

/// No event that API Gateway sends to an authorizer. Says what is wrong with it, never what is in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("malformed event: {0}")]
pub(crate) struct EventError(&'static str);

impl<'e> Event<'e> {
    /// # Errors
    /// [`EventError`].
    pub(crate) fn parse(json: &'e str) -> Result<Self, EventError> {
        let native: Native<'_> = serde_json::from_str(json).map_err(|_| MALFORMED)?;
        match native.kind()? {
            Kind::RestToken => native.token(),
            Kind::WebSocket => native.connect(),
            kind @ (Kind::RestRequest | Kind::Http10) => native.request(kind),
            Kind::Http20 => native.http20(),
        }
    }

    /// What the gate is asked. `invocation` is Lambda's id of the call, for events that bring no id of the request.
    pub(crate) fn request<'r>(&'r self, invocation: &'r str) -> Request<'r> {
        Request {
            method: &self.method,
            target: &self.target,
            headers: self.headers.iter().map(|(name, value)| (&**name, value.as_bytes())).collect(),
            source_ip: self.source_ip,
            client_certificate: self.client_certificate.as_ref().map(|pem| pem.as_bytes()),
            request_id: self.request_id.as_deref().or(Some(invocation)).filter(|id| !id.is_empty()),
        }
    }

    /// The method of the request.
    pub(crate) fn method(&self) -> &str {
        &self.method
    }

    /// The ARN that a policy is evaluated for.
    ///
    /// # Errors
    /// When there is none of the documented form.
    pub(crate) fn arn(&self) -> Result<MethodArn<'_>, EventError> {
        let arn = self.arn.as_deref().ok_or(EventError("no method ARN"))?;
        MethodArn::parse(arn).ok_or(EventError("no method ARN of the documented form"))
    }
}

/// The members of all the kinds that are read; which of them there must be is for the kind to say.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Native<'e> {
    #[serde(borrow, rename = "type")]
    type_: Option<Text<'e>>,
    version: Option<Text<'e>>,
    authorization_token: Option<Text<'e>>,
    method_arn: Option<Text<'e>>,
    route_arn: Option<Text<'e>>,
    http_method: Option<Text<'e>>,
    path: Option<Text<'e>>,
    raw_path: Option<Text<'e>>,
    raw_query_string: Option<Text<'e>>,
    /// Read only where it says more than its `multiValue…`: in it is the token once more.
    headers: Option<&'e RawValue>,
    multi_value_headers: Option<Lists<'e>>,
    /// As `headers`.
    query_string_parameters: Option<&'e RawValue>,
    multi_value_query_string_parameters: Option<Lists<'e>>,
    #[serde(default)]
    request_context: Context<'e>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Context<'e> {
    #[serde(borrow)]
    event_type: Option<Text<'e>>,
    request_id: Option<Text<'e>>,
    stage: Option<Text<'e>>,
    domain_name: Option<Text<'e>>,
    identity: Option<Identity<'e>>,
    http: Option<Http<'e>>,
    authentication: Option<Authentication<'e>>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Identity<'e> {
    #[serde(borrow)]
    source_ip: Option<Text<'e>>,
    client_cert: Option<ClientCertificate<'e>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Http<'e> {
    #[serde(borrow)]
    method: Option<Text<'e>>,
    source_ip: Option<Text<'e>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Authentication<'e> {
    #[serde(borrow)]
    client_cert: Option<ClientCertificate<'e>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ClientCertificate<'e> {
    #[serde(borrow)]
    client_cert_pem: Option<Text<'e>>,
}

impl<'e> Native<'e> {
    fn kind(&self) -> Result<Kind, EventError> {
        match (self.type_.as_deref(), self.version.as_deref()) {
            (Some("TOKEN"), None) => Ok(Kind::RestToken),
            (Some("REQUEST"), Some("2.0")) => Ok(Kind::Http20),
            (Some("REQUEST"), Some("1.0")) => Ok(Kind::Http10),
            // Some runtimes are shown WebSocket events with a version of the function in them.
            (Some("REQUEST"), None | Some("$LATEST")) => match self.request_context.event_type.as_deref() {
                None => Ok(Kind::RestRequest),
                Some("CONNECT") => Ok(Kind::WebSocket),
                Some(_) => Err(EventError("a WebSocket event other than CONNECT")),
            },
            _ => Err(EventError("of no known type and version")),
        }
    }

    /// The path stands in the method ARN alone, and the token is all there is of the headers.
    fn token(self) -> Result<Event<'e>, EventError> {
        let arn = self.method_arn.ok_or(EventError("no methodArn"))?;
        let parsed = MethodArn::parse(&arn).ok_or(EventError("no method ARN of the documented form"))?;
        let Called::Method { method, path } = parsed.called() else {
            return Err(EventError("a method ARN without a method"));
        };
        let (method, target) = (method.to_owned(), format!("/{path}"));
        Ok(Event {
            kind: Kind::RestToken,
            method: Cow::Owned(method),
            target: Cow::Owned(target),
            headers: self.authorization_token.into_iter().map(|token| (AUTHORIZATION, token)).collect(),
            source_ip: None,
            client_certificate: None,
            request_id: None,
            arn: Some(arn),
        })
    }

    fn request(mut self, kind: Kind) -> Result<Event<'e>, EventError> {
        let headers = self.headers()?;
        let path = self.path.take().ok_or(EventError("no path"))?.0;
        let target = self.target(path)?;
        let identity = self.request_context.identity.unwrap_or_default();
        Ok(Event {
            kind,
            method: self.http_method.ok_or(EventError("no httpMethod"))?.0,
            target,
            headers,
            source_ip: address(identity.source_ip),
            client_certificate: pem(identity.client_cert),
            request_id: self.request_context.request_id,
            arn: self.method_arn,
        })
    }

    /// The path of `$connect` is fixed: routes name it as `GET /$connect`.
    fn connect(mut self) -> Result<Event<'e>, EventError> {
        let headers = self.headers()?;
        let target = self.target(Cow::Borrowed("/$connect"))?;
        let identity = self.request_context.identity.unwrap_or_default();
        Ok(Event {
            kind: Kind::WebSocket,
            method: Cow::Borrowed("GET"),
            target,
            headers,
            source_ip: address(identity.source_ip),
            client_certificate: pem(identity.client_cert),
            request_id: self.request_context.request_id,
            arn: self.method_arn,
        })
    }

    fn http20(mut self) -> Result<Event<'e>, EventError> {
        let headers = self.headers()?;
        let raw_path = self.raw_path.ok_or(EventError("no rawPath"))?.0;
        let context = self.request_context;
        let stage = context.stage.ok_or(EventError("no stage"))?;
        // API Gateway's own domain has the stage in its path, a custom domain has not.
        let own_domain = context.domain_name.as_deref().is_none_or(|domain| domain.contains(".execute-api."));
        let path = match &*stage {
            "$default" => raw_path,
            _ if !own_domain => raw_path,
            stage => without_stage(raw_path, stage).ok_or(EventError("a path without its stage"))?,
        };
        let http = context.http.ok_or(EventError("no requestContext.http"))?;
        let query = self.raw_query_string.map(|query| query.0).unwrap_or_default();
        Ok(Event {
            kind: Kind::Http20,
            method: http.method.ok_or(EventError("no method"))?.0,
            target: with_query(path, &query),
            headers,
            source_ip: address(http.source_ip),
            client_certificate: pem(context
                .authentication
                .and_then(|authentication| authentication.client_cert)),
            request_id: context.request_id,
            arn: self.route_arn,
        })
    }

    /// `multiValueHeaders` where there are any: `headers` holds only the last of repeated ones, or in HTTP APIs all of them with
    /// commas between, which the gate takes for what it is.
    fn headers(&mut self) -> Result<Vec<(Text<'e>, Text<'e>)>, EventError> {
        either(self.multi_value_headers.take(), self.headers)
    }

    /// The path, and the query as it would stand in a URL.
    fn target(&mut self, path: Cow<'e, str>) -> Result<Cow<'e, str>, EventError> {
        let query = either(self.multi_value_query_string_parameters.take(), self.query_string_parameters)?;
        if query.is_empty() {
            return Ok(path);
        }
        let mut target = String::with_capacity(path.len() + QUERY);
        target.push_str(&path);
        for (index, (name, value)) in query.iter().enumerate() {
            target.push(if index == 0 { '?' } else { '&' });
            target.extend(utf8_percent_encode(name, NON_ALPHANUMERIC));
            target.push('=');
            target.extend(utf8_percent_encode(value, NON_ALPHANUMERIC));
        }
        Ok(Cow::Owned(target))
    }
}

/// All values of each name, or else the one that each has.
fn either<'e>(
    all: Option<Lists<'e>>,
    one: Option<&'e RawValue>,
) -> Result<Vec<(Text<'e>, Text<'e>)>, EventError> {
    match (all, one) {
        (Some(Lists(all)), _) if !all.is_empty() => Ok(all),
        (_, Some(one)) => match serde_json::from_str(one.get()) {
            Ok(Pairs(one)) => Ok(one),
            Err(_) => Err(MALFORMED),
        },
        _ => Ok(Vec::new()),
    }
}

fn without_stage<'e>(path: Cow<'e, str>, stage: &str) -> Option<Cow<'e, str>> {
    let cut = |path: &str| {
        let rest = path.strip_prefix('/')?.strip_prefix(stage)?;
        (rest.is_empty() || rest.starts_with('/')).then_some(rest.len())
    };
    let length = cut(&path)?;
    if length == 0 {
        return Some(Cow::Borrowed("/"));
    }
    let start = path.len() - length;
    match path {
        Cow::Borrowed(path) => path.get(start..).map(Cow::Borrowed),
        Cow::Owned(path) => path.get(start..).map(|path| Cow::Owned(path.to_owned())),
    }
}

fn with_query<'e>(path: Cow<'e, str>, query: &str) -> Cow<'e, str> {
    if query.is_empty() { path } else { Cow::Owned([&path, "?", query].concat()) }
}

fn address(text: Option<Text<'_>>) -> Option<IpAddr> {
    text?.parse().ok()
}

fn pem(certificate: Option<ClientCertificate<'_>>) -> Option<Text<'_>> {
    certificate?.client_cert_pem.filter(|pem| !pem.is_empty())
}

/// Room for most queries, in bytes.
const QUERY: usize = 64;

const MALFORMED: EventError = EventError("not of the documented form");

const AUTHORIZATION: Text<'static> = Text(Cow::Borrowed("authorization"));
