//! One request to one of the APIs, as API Gateway sees it.

use std::net::IpAddr;

use drawbridge_config::AwsAuthorizer;
use drawbridge_policy::{Path, Routes};
use http::{HeaderMap, header, request::Parts};
use jiff::Timestamp;
use uuid::Uuid;

use crate::tls::ClientCertificate;

/// The region of everything here. No region of AWS is called that.
pub(crate) const REGION: &str = "local-1";
/// The account of everything here.
pub(crate) const ACCOUNT: &str = "000000000000";
/// All backends are stages of one API.
pub(crate) const API_ID: &str = "drawbridge";

/// The three APIs of API Gateway, which differ in their rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ApiKind {
    Rest,
    Http,
    WebSocket,
}

/// One request.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    pub(crate) api: ApiKind,
    /// `$default` has no part in the URL.
    pub(crate) stage: String,
    pub(crate) method: String,
    /// What follows the stage, as the client wrote it; begins with `/`.
    pub(crate) path: String,
    /// As the client wrote it, without `?`.
    pub(crate) query: String,
    pub(crate) headers: HeaderMap,
    pub(crate) source_ip: IpAddr,
    /// The one of a mutual TLS domain name; API Gateway has these for REST and HTTP APIs alone.
    pub(crate) certificate: Option<ClientCertificate>,
    pub(crate) route: Route,
    pub(crate) request_id: String,
    pub(crate) at: Timestamp,
}

/// The route of the API that a request takes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Route {
    /// `$context.routeKey`: `GET /customers/{customer}`, or `$default`.
    pub(crate) key: String,
    /// The resource of a REST API: `/customers/{customer}`, or `/{proxy+}`.
    pub(crate) resource: String,
    pub(crate) parameters: Vec<(String, String)>,
}

impl ApiKind {
    /// The API that has authorizers of this kind.
    pub(crate) fn of(authorizer: AwsAuthorizer) -> Self {
        match authorizer {
            AwsAuthorizer::RestToken | AwsAuthorizer::RestRequest => Self::Rest,
            AwsAuthorizer::Http10 | AwsAuthorizer::Http20Iam | AwsAuthorizer::Http20Simple => Self::Http,
            AwsAuthorizer::WebSocket => Self::WebSocket,
        }
    }
}

impl Call {
    /// A request to a stage, whose path comes first in the URL. None when there is no stage in it.
    pub(crate) fn of_stage(api: ApiKind, parts: &Parts, source_ip: IpAddr) -> Option<Self> {
        let (stage, path) = split_stage(parts.uri.path())?;
        Some(Self::new(api, stage, path, parts, source_ip))
    }

    /// A request to the `$default` stage of an HTTP API.
    pub(crate) fn of_default_stage(parts: &Parts, source_ip: IpAddr) -> Self {
        Self::new(ApiKind::Http, "$default", parts.uri.path(), parts, source_ip)
    }

    fn new(api: ApiKind, stage: &str, path: &str, parts: &Parts, source_ip: IpAddr) -> Self {
        Self {
            api,
            stage: stage.to_owned(),
            method: parts.method.as_str().to_owned(),
            path: if path.is_empty() { "/".to_owned() } else { path.to_owned() },
            query: parts.uri.query().unwrap_or_default().to_owned(),
            headers: parts.headers.clone(),
            source_ip,
            certificate: None,
            route: Route::catch_all(path),
            request_id: Uuid::new_v4().to_string(),
            at: Timestamp::now(),
        }
    }

    /// The same request from a client that has shown its certificate.
    pub(crate) fn shown(mut self, certificate: Option<ClientCertificate>) -> Self {
        self.certificate = certificate.filter(|_| self.api != ApiKind::WebSocket);
        self
    }

    /// The same request on the route that it takes among the configured ones.
    pub(crate) fn routed(mut self, routes: &Routes) -> Self {
        if let Some(route) = Route::find(routes, &self.method, &self.path) {
            self.route = route;
        }
        self
    }

    /// The ARN that the authorizer is told and its policy is evaluated for.
    pub(crate) fn arn(&self) -> String {
        let Self { stage, method, path, .. } = self;
        let called = match self.api {
            ApiKind::WebSocket => "$connect".to_owned(),
            ApiKind::Rest | ApiKind::Http => format!("{method}{path}"),
        };
        format!("arn:aws:execute-api:{REGION}:{ACCOUNT}:{API_ID}/{stage}/{called}")
    }

    /// The path with its stage, as it stands in the URL.
    pub(crate) fn path_with_stage(&self) -> String {
        if self.stage == "$default" { self.path.clone() } else { format!("/{}{}", self.stage, self.path) }
    }

    /// A header's value: HTTP APIs join repeated ones with commas, the others know only the last.
    pub(crate) fn header(&self, name: &str) -> Option<String> {
        let mut values = self
            .headers
            .get_all(name)
            .iter()
            .map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned());
        match self.api {
            ApiKind::Http => values.reduce(|joined, value| format!("{joined},{value}")),
            ApiKind::Rest | ApiKind::WebSocket => values.next_back(),
        }
    }

    /// The query's names and values, decoded, in order.
    pub(crate) fn query_pairs(&self) -> Vec<(String, String)> {
        url::form_urlencoded::parse(self.query.as_bytes()).into_owned().collect()
    }

    /// The domain of API Gateway's own for the API.
    pub(crate) fn domain_name(&self) -> String {
        format!("{API_ID}.execute-api.{REGION}.amazonaws.com")
    }

    /// `User-Agent`; empty where there is none.
    pub(crate) fn user_agent(&self) -> String {
        let agent = self.headers.get(header::USER_AGENT);
        agent.map(|agent| String::from_utf8_lossy(agent.as_bytes()).into_owned()).unwrap_or_default()
    }

    /// When it came, as access logs have it.
    pub(crate) fn time(&self) -> String {
        self.at.strftime("%d/%b/%Y:%H:%M:%S +0000").to_string()
    }
}

impl Route {
    fn find(routes: &Routes, method: &str, path: &str) -> Option<Self> {
        let path = Path::parse(path).ok()?;
        let found = routes.find(method, &path).ok()?;
        // API Gateway writes `{rest+}` where the configuration has `{*rest}`.
        let resource = match found.route.template.split_once("{*") {
            Some((before, name)) => format!("{before}{{{}+}}", name.trim_end_matches('}')),
            None => found.route.template.clone(),
        };
        let parameters =
            found.parameters.iter().map(|(name, value)| ((*name).to_owned(), value.clone().into_owned()));
        Some(Self { key: format!("{method} {resource}"), parameters: parameters.collect(), resource })
    }

    fn catch_all(path: &str) -> Self {
        let proxy = path.strip_prefix('/').unwrap_or(path).to_owned();
        Self {
            key: "$default".to_owned(),
            resource: "/{proxy+}".to_owned(),
            parameters: vec![("proxy".to_owned(), proxy)],
        }
    }
}

/// `/orders/customers/42` as `orders` and `/customers/42`.
fn split_stage(path: &str) -> Option<(&str, &str)> {
    let rest = path.strip_prefix('/')?;
    let end = rest.find('/').unwrap_or(rest.len());
    let (stage, path) = rest.split_at_checked(end)?;
    (!stage.is_empty()).then_some((stage, path))
}

#[cfg(test)]
pub(crate) mod tests {
    use http::Request;

    use super::*;

    /// A call of `method` `uri` with headers.
    pub(crate) fn call(api: ApiKind, method: &str, uri: &str, headers: &[(&str, &str)]) -> Call {
        let mut request = Request::builder().method(method).uri(uri);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let (parts, ()) = request.body(()).unwrap().into_parts();
        Call::of_stage(api, &parts, IpAddr::from([192, 0, 2, 1])).unwrap()
    }

    fn routes() -> Routes {
        let route = |template: &str| drawbridge_policy::Route {
            template: template.to_owned(),
            methods: vec!["GET".to_owned()],
            scopes: Vec::new(),
            policy: false,
        };
        Routes::new(vec![route("/customers/{customer}"), route("/files/{*rest}")]).unwrap()
    }

    #[test]
    fn the_stage_is_the_first_segment_and_the_rest_is_left_as_it_is() {
        let table = [
            ("/orders/customers/42", Some(("orders", "/customers/42"))),
            ("/orders", Some(("orders", ""))),
            ("/orders/", Some(("orders", "/"))),
            ("/orders//a/../%2f", Some(("orders", "//a/../%2f"))),
            ("//orders", None),
            ("/", None),
            ("*", None),
        ];
        for (path, expected) in table {
            assert_eq!(split_stage(path), expected, "{path}");
        }
        assert_eq!(call(ApiKind::Http, "GET", "/orders", &[]).path, "/");
    }

    #[test]
    fn the_arn_names_method_and_path_without_the_stage_twice() {
        let table = [
            (ApiKind::Http, "/orders/customers/42?a=b", "orders/GET/customers/42"),
            (ApiKind::Rest, "/orders/", "orders/GET/"),
            (ApiKind::Rest, "/orders//a:b%2f", "orders/GET//a:b%2f"),
            (ApiKind::WebSocket, "/orders", "orders/$connect"),
        ];
        for (api, uri, tail) in table {
            assert_eq!(
                call(api, "GET", uri, &[]).arn(),
                format!("arn:aws:execute-api:local-1:000000000000:drawbridge/{tail}")
            );
        }
    }

    #[test]
    fn repeated_headers_are_joined_by_http_apis_alone() {
        let headers = [("x-a", "1"), ("x-a", "2")];
        assert_eq!(call(ApiKind::Http, "GET", "/o/", &headers).header("X-A").as_deref(), Some("1,2"));
        assert_eq!(call(ApiKind::Rest, "GET", "/o/", &headers).header("x-a").as_deref(), Some("2"));
        assert_eq!(call(ApiKind::Rest, "GET", "/o/", &headers).header("x-b"), None);
    }

    #[test]
    fn a_request_takes_a_configured_route_or_the_catch_all() {
        let table = [
            (
                "GET",
                "/o/customers/4%202",
                "GET /customers/{customer}",
                "/customers/{customer}",
                ("customer", "4 2"),
            ),
            ("GET", "/o/files/a/b", "GET /files/{rest+}", "/files/{rest+}", ("rest", "a/b")),
            ("POST", "/o/customers/42", "$default", "/{proxy+}", ("proxy", "customers/42")),
            ("GET", "/o/customers/..", "$default", "/{proxy+}", ("proxy", "customers/..")),
        ];
        for (method, uri, key, resource, (name, value)) in table {
            let route = call(ApiKind::Http, method, uri, &[]).routed(&routes()).route;
            assert_eq!((route.key.as_str(), route.resource.as_str()), (key, resource), "{uri}");
            assert_eq!(route.parameters, [(name.to_owned(), value.to_owned())], "{uri}");
        }
    }
}
