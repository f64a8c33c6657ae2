//! The environment, read once.

use std::time::Duration;

use drawbridge_config::Environment;
use drawbridge_keys::BackendName;
use http::{HeaderName, header};
use thiserror::Error;
use url::{Host, Url};

use crate::contract;

/// What the environment says.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    pub(crate) port: u16,
    pub(crate) backend: BackendName,
    /// The one header that carries the caller's token.
    pub(crate) credentials: HeaderName,
    /// The header in which the hop in front writes the client's certificate, whatever the client sent under that name.
    pub(crate) client_certificate: Option<HeaderName>,
    /// Where the application is, if the configuration does not say so already.
    pub(crate) upstream: Option<Url>,
    /// How long nothing may move between client and upstream.
    pub(crate) upstream_timeout: Duration,
    pub(crate) routes: Routes,
}

/// Where the functions stand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Routes {
    /// `/api`, or nothing.
    prefix: String,
}

/// A setting that is missing or wrong, and what to write.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{name} {problem}")]
pub(crate) struct SettingError {
    name: &'static str,
    problem: String,
}

/// A function, and the form in which it is called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Route<'a> {
    /// The host asks whether the handler has started.
    Ready,
    /// Forwarded or proxied HTTP; with the path below the prefix.
    Http(Function, &'a str),
    /// `Data` and `Metadata`.
    Invocation(Function),
    /// Nothing of ours.
    Unknown,
}

/// The functions of this app.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Function {
    Authorize,
    Jwks,
    Proxy,
}

impl Settings {
    pub(crate) fn read(environment: &dyn Environment) -> Result<Self, SettingError> {
        let required =
            |name, meaning: &str| environment.var(name).ok_or_else(|| SettingError::new(name, meaning));
        let port = required(
            contract::PORT,
            "is not set: the Functions host sets it; to start the handler by hand, name a free port",
        )?;
        let backend = required(BACKEND, "is not set: name the backend that this gate guards")?;
        Ok(Self {
            port: port.parse().ok().filter(|port| *port != 0).ok_or_else(|| {
                SettingError::new(contract::PORT, "is no port: write a number from 1 to 65535")
            })?,
            backend: backend.parse().map_err(|_| {
                SettingError::new(
                    BACKEND,
                    "is no name of a backend: lower-case letters, digits and `-`, at most 48",
                )
            })?,
            credentials: match environment.var(CREDENTIALS_HEADER) {
                None => header::AUTHORIZATION,
                Some(name) => name.parse().map_err(|_| {
                    SettingError::new(CREDENTIALS_HEADER, "is no header name, such as `X-Bridged-Token`")
                })?,
            },
            client_certificate: match environment.var(CLIENT_CERTIFICATE_HEADER) {
                None => None,
                Some(name) => Some(name.parse().map_err(|_| {
                    SettingError::new(
                        CLIENT_CERTIFICATE_HEADER,
                        "is no header name, such as `X-ARR-ClientCert`; without it no certificate is read",
                    )
                })?),
            },
            upstream: match environment.var(UPSTREAM) {
                None => None,
                Some(address) => Some(upstream(&address).ok_or_else(|| {
                    SettingError::new(
                        UPSTREAM,
                        "is no address, such as `https://billing.internal.example.com`: https, or http to \
                        this machine, without user, query and fragment",
                    )
                })?),
            },
            upstream_timeout: match environment.var(UPSTREAM_TIMEOUT) {
                None => DEFAULT_TIMEOUT,
                Some(seconds) => timeout(&seconds).ok_or_else(|| {
                    SettingError::new(UPSTREAM_TIMEOUT, "is no time: write whole seconds, `1s` to `225s`")
                })?,
            },
            routes: Routes::new(environment.var(ROUTE_PREFIX).as_deref().unwrap_or("api"))?,
        })
    }
}

impl Routes {
    fn new(prefix: &str) -> Result<Self, SettingError> {
        let prefix = prefix.trim_matches('/');
        let plain = |segment: &str| {
            !segment.is_empty()
                && segment.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
        };
        if prefix.is_empty() {
            Ok(Self { prefix: String::new() })
        } else if prefix.split('/').all(plain) {
            Ok(Self { prefix: format!("/{prefix}") })
        } else {
            Err(SettingError::new(
                ROUTE_PREFIX,
                "is no route prefix: write it as in host.json, such as `api`, or `/` for none",
            ))
        }
    }

    /// Which function a request is for. The two forms never share an address.
    pub(crate) fn find<'a>(&self, method: &http::Method, path: &'a str) -> Route<'a> {
        if path == "/" {
            return Route::Ready;
        }
        match path {
            "/authorize" if self.invocable(method) => return Route::Invocation(Function::Authorize),
            "/jwks" if self.invocable(method) => return Route::Invocation(Function::Jwks),
            "/proxy" if self.invocable(method) => return Route::Invocation(Function::Proxy),
            _ => {}
        }
        match self.below(path) {
            Some(path) => match function(path) {
                Some(function) => Route::Http(function, path),
                None => Route::Unknown,
            },
            None => Route::Unknown,
        }
    }

    /// The path without the prefix.
    pub(crate) fn below<'a>(&self, path: &'a str) -> Option<&'a str> {
        path.strip_prefix(self.prefix.as_str()).filter(|path| path.starts_with('/'))
    }

    /// Without a prefix a forwarded request has the same address as an invocation, whose 200 is no allow.
    fn invocable(&self, method: &http::Method) -> bool {
        method == http::Method::POST && !self.prefix.is_empty()
    }
}

fn function(path: &str) -> Option<Function> {
    match path {
        "/authorize" => Some(Function::Authorize),
        "/proxy" => Some(Function::Proxy),
        _ if path.starts_with("/jwks/") => Some(Function::Jwks),
        _ if path.starts_with("/proxy/") => Some(Function::Proxy),
        _ => None,
    }
}

impl Function {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Authorize => contract::AUTHORIZE,
            Self::Jwks => contract::JWKS,
            Self::Proxy => contract::PROXY,
        }
    }
}

/// As addresses in the configuration are: TLS, but on this machine.
fn upstream(address: &str) -> Option<Url> {
    let url = Url::parse(address).ok()?;
    let on_this_machine = match url.host()? {
        Host::Domain(name) => name == "localhost",
        Host::Ipv4(address) => address.is_loopback(),
        Host::Ipv6(address) => address.is_loopback(),
    };
    let secure = url.scheme() == "https" || (url.scheme() == "http" && on_this_machine);
    let bare = url.username().is_empty() && url.password().is_none() && url.query().is_none();
    (secure && bare && url.fragment().is_none() && !address.contains('\\')).then_some(url)
}

fn timeout(text: &str) -> Option<Duration> {
    let seconds = text.strip_suffix('s')?.parse().ok()?;
    (1..=MAX_TIMEOUT).contains(&seconds).then(|| Duration::from_secs(seconds))
}

impl SettingError {
    fn new(name: &'static str, problem: &str) -> Self {
        Self { name, problem: problem.to_owned() }
    }
}

const BACKEND: &str = "DRAWBRIDGE_BACKEND";
const CLIENT_CERTIFICATE_HEADER: &str = "DRAWBRIDGE_CLIENT_CERTIFICATE_HEADER";
const CREDENTIALS_HEADER: &str = "DRAWBRIDGE_CREDENTIALS_HEADER";
const ROUTE_PREFIX: &str = "DRAWBRIDGE_ROUTE_PREFIX";
const UPSTREAM: &str = "DRAWBRIDGE_UPSTREAM";
const UPSTREAM_TIMEOUT: &str = "DRAWBRIDGE_UPSTREAM_TIMEOUT";

const DEFAULT_TIMEOUT: Duration = Duration::from_secs(100);

/// In seconds. The platform's front end gives up after 230 s without a word; our 504 says more than its own.
const MAX_TIMEOUT: u64 = 225;

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use http::Method;

    use super::*;

    #[test]
    fn the_defaults_are_the_hosts() {
        let settings =
            read(&[("FUNCTIONS_CUSTOMHANDLER_PORT", "7071"), ("DRAWBRIDGE_BACKEND", "billing")]).unwrap();
        assert_eq!((settings.port, settings.backend.as_str()), (7071, "billing"));
        assert_eq!((settings.credentials, settings.client_certificate), (header::AUTHORIZATION, None));
        assert_eq!((settings.upstream, settings.upstream_timeout), (None, Duration::from_secs(100)));
        assert_eq!(settings.routes, Routes::new("api").unwrap());
    }

    #[test]
    fn a_setting_that_is_missing_or_wrong_is_named_with_what_to_write() {
        let port = ("FUNCTIONS_CUSTOMHANDLER_PORT", "7071");
        let backend = ("DRAWBRIDGE_BACKEND", "billing");
        for (settings, name, mend) in [
            (&[backend][..], "FUNCTIONS_CUSTOMHANDLER_PORT", "name a free port"),
            (&[("FUNCTIONS_CUSTOMHANDLER_PORT", "0"), backend], "FUNCTIONS_CUSTOMHANDLER_PORT", "1 to 65535"),
            (&[("FUNCTIONS_CUSTOMHANDLER_PORT", "x"), backend], "FUNCTIONS_CUSTOMHANDLER_PORT", "1 to 65535"),
            (&[port], "DRAWBRIDGE_BACKEND", "name the backend"),
            (&[port, ("DRAWBRIDGE_BACKEND", "../billing")], "DRAWBRIDGE_BACKEND", "lower-case letters"),
            (
                &[port, backend, ("DRAWBRIDGE_CREDENTIALS_HEADER", "a b")],
                "DRAWBRIDGE_CREDENTIALS_HEADER",
                "X-Bridged-Token",
            ),
            (
                &[port, backend, ("DRAWBRIDGE_CLIENT_CERTIFICATE_HEADER", "")],
                "DRAWBRIDGE_CLIENT_CERTIFICATE_HEADER",
                "X-ARR-ClientCert",
            ),
            (&[port, backend, ("DRAWBRIDGE_ROUTE_PREFIX", "a//b")], "DRAWBRIDGE_ROUTE_PREFIX", "`api`"),
            (&[port, backend, ("DRAWBRIDGE_UPSTREAM", "billing")], "DRAWBRIDGE_UPSTREAM", "https"),
            (&[port, backend, ("DRAWBRIDGE_UPSTREAM_TIMEOUT", "100")], "DRAWBRIDGE_UPSTREAM_TIMEOUT", "`1s`"),
        ] {
            let error = read(settings).unwrap_err().to_string();
            assert!(error.starts_with(name) && error.contains(mend), "{error}");
        }
    }

    #[test]
    fn an_upstream_is_reached_by_tls_or_is_on_this_machine() {
        for address in [
            "https://a.example",
            "https://a.example/base/",
            "http://127.0.0.1:8080",
            "http://[::1]",
            "http://localhost",
        ] {
            assert!(upstream(address).is_some(), "{address}");
        }
        for address in [
            "http://a.example",
            "http://127.0.0.1.example",
            "https://user@a.example",
            "https://:password@a.example",
            "https://a.example?q",
            "https://a.example#f",
            "https:\\\\a.example",
            "ftp://127.0.0.1",
            "unix:/socket",
            "",
        ] {
            assert!(upstream(address).is_none(), "{address}");
        }
    }

    #[test]
    fn a_timeout_is_whole_seconds_that_the_platform_waits_for() {
        for (text, expected) in [
            ("1s", Some(1)),
            ("225s", Some(225)),
            ("0s", None),
            ("226s", None),
            ("1m", None),
            ("-1s", None),
            ("s", None),
        ] {
            assert_eq!(timeout(text), expected.map(Duration::from_secs), "{text}");
        }
    }

    #[test]
    fn the_two_forms_never_share_an_address() {
        use Function::{Authorize, Jwks, Proxy};
        for (prefix, method, path, expected) in [
            ("api", Method::GET, "/", Route::Ready),
            ("api", Method::POST, "/", Route::Ready),
            ("api", Method::GET, "/api/authorize", Route::Http(Authorize, "/authorize")),
            ("api", Method::POST, "/api/authorize", Route::Http(Authorize, "/authorize")),
            ("api", Method::GET, "/api/jwks/b/k", Route::Http(Jwks, "/jwks/b/k")),
            ("api", Method::POST, "/authorize", Route::Invocation(Authorize)),
            ("api", Method::POST, "/jwks", Route::Invocation(Jwks)),
            ("api", Method::GET, "/authorize", Route::Unknown),
            ("api", Method::GET, "/jwks/b/k", Route::Unknown),
            ("api", Method::GET, "/api/proxy", Route::Http(Proxy, "/proxy")),
            ("api", Method::DELETE, "/api/proxy//a%2Fb", Route::Http(Proxy, "/proxy//a%2Fb")),
            ("api", Method::POST, "/proxy", Route::Invocation(Proxy)),
            ("api", Method::POST, "/proxy/invoices", Route::Unknown),
            ("api", Method::GET, "/api/proxyinvoices", Route::Unknown),
            ("api", Method::GET, "/api", Route::Unknown),
            ("api", Method::GET, "/apiauthorize", Route::Unknown),
            ("api", Method::GET, "/api/authorize/", Route::Unknown),
            ("api", Method::GET, "/api/jwks", Route::Unknown),
            ("api", Method::GET, "/API/authorize", Route::Unknown),
            ("/a/b/", Method::GET, "/a/b/authorize", Route::Http(Authorize, "/authorize")),
            ("/", Method::GET, "/authorize", Route::Http(Authorize, "/authorize")),
            ("/", Method::POST, "/authorize", Route::Http(Authorize, "/authorize")),
            ("/", Method::POST, "/jwks", Route::Unknown),
            ("/", Method::POST, "/proxy", Route::Http(Proxy, "/proxy")),
            ("/", Method::GET, "/jwks/b/k", Route::Http(Jwks, "/jwks/b/k")),
        ] {
            assert_eq!(
                Routes::new(prefix).unwrap().find(&method, path),
                expected,
                "{prefix} {method} {path}"
            );
        }
    }

    fn read(settings: &[(&str, &str)]) -> Result<Settings, SettingError> {
        struct Fixed(BTreeMap<String, String>);
        impl Environment for Fixed {
            fn var(&self, name: &str) -> Option<String> {
                self.0.get(name).cloned()
            }
        }
        Settings::read(&Fixed(
            settings.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect(),
        ))
    }
}
