//! What `up` tells when everything answers.

use std::{fmt::Write, net::SocketAddr, path::Path, time::Duration};

use drawbridge_config::{Backend, Config};
use drawbridge_policy::Route;
use serde_json::{Value, json};

use super::{Addresses, Cloud};
use crate::tls::Certificates;

/// Everything that a user needs to go on.
#[derive(Debug)]
pub(super) struct Ready<'a> {
    /// The user's configuration.
    pub config: &'a Config,
    /// Where everything listens.
    pub addresses: &'a Addresses,
    /// The state folder.
    pub state: &'a Path,
    /// The effective configuration.
    pub effective: &'a Path,
    /// Where the gateways are under mutual TLS.
    pub certificates: Option<&'a Certificates>,
    /// Since the start.
    pub took: Duration,
}

impl Ready<'_> {
    /// For programs.
    pub(super) fn json(&self) -> Value {
        let Addresses { edge, aws, keys, azure, idp, bridge, backends, idp_mtls } = self.addresses;
        let url = |address| format!("http://{address}");
        let backends: serde_json::Map<_, _> =
            backends.iter().map(|(name, address)| (name.to_string(), json!(url(address)))).collect();
        json!({
            "event": "ready",
            "edge": self.gateway(edge),
            "aws": self.gateway(aws),
            "keys": url(keys),
            "azure": self.gateway(azure),
            "idp": url(idp),
            "idp_mtls": idp_mtls.map(|address| self.gateway(&address)),
            "certificates": self.certificates.map(Certificates::folder),
            "bridge": url(bridge),
            "backends": backends,
            "state": self.state,
            "config": self.effective,
            "seconds": self.took.as_secs_f64(),
        })
    }

    /// For people: the addresses, one request that is allowed and one that is denied.
    pub(super) fn human(&self) -> String {
        let mut text = format!(
            "Drawbridge {}: ready in {:.2} s\n\n",
            env!("CARGO_PKG_VERSION"),
            self.took.as_secs_f64()
        );
        for (name, address, note) in self.rows() {
            // Writing into a string does not fail.
            let _ = writeln!(text, "  {name:<18} {address:<24} {note}");
        }
        let _ = writeln!(text, "\nState is in {}; Ctrl-C stops everything.", self.state.display());
        if let Some(certificates) = self.certificates {
            let _ = writeln!(
                text,
                "Certificates are in {}, made anew at every start.\n\
                 A token is bound to the certificate that it is asked for with, a bridged one to the edge's.",
                certificates.folder().display()
            );
        }
        if let Some((allowed, denied)) = self.curls() {
            let _ = write!(text, "\nAllowed:\n  {allowed}\n\nDenied:\n  {denied}\n\nDecisions:");
        }
        text
    }

    fn rows(&self) -> Vec<(String, String, String)> {
        let Addresses { edge, aws, keys, azure, idp, bridge, backends, idp_mtls } = self.addresses;
        let url = |address| format!("http://{address}");
        let behind = |cloud| {
            let names =
                self.config.backends.values().filter(|backend| Cloud::of(self.config, backend) == cloud);
            let paths: Vec<_> = names.map(|backend| format!("/{}", backend.name)).collect();
            if paths.is_empty() { "no backend".to_owned() } else { paths.join(" ") }
        };
        let paths: Vec<_> = self.config.backends.values().map(|backend| backend.path.as_str()).collect();
        let mut rows = vec![
            ("edge".to_owned(), self.gateway(edge), paths.join(" ")),
            ("aws gateway".to_owned(), self.gateway(aws), behind(Cloud::Aws)),
            ("azure gateway".to_owned(), self.gateway(azure), behind(Cloud::Azure)),
            ("key endpoint".to_owned(), url(keys), "/jwks/{backend}/{kid}".to_owned()),
            (
                "identity provider".to_owned(),
                url(idp),
                "for development only; clients demo, admin and guest, each its own secret".to_owned(),
            ),
            ("bridge".to_owned(), url(bridge), "/ext-authz".to_owned()),
        ];
        rows.extend(
            backends.iter().map(|(name, address)| (format!("backend {name}"), url(address), String::new())),
        );
        if let Some(address) = idp_mtls {
            rows.push((
                "idp, mutual TLS".to_owned(),
                self.gateway(address),
                "/token, for bound tokens".to_owned(),
            ));
        }
        rows
    }

    /// Where a gateway is reached.
    fn gateway(&self, address: &SocketAddr) -> String {
        if self.certificates.is_some() { format!("https://{address}") } else { format!("http://{address}") }
    }

    /// What a shell needs to show the certificate of a client, or nothing.
    fn showing(&self, client: &str) -> String {
        let Some(certificates) = self.certificates else { return String::new() };
        let [authority, certificate, key] =
            [certificates.authority(), certificates.certificate(client), certificates.key(client)]
                .map(|file| file.display().to_string());
        format!("--cacert '{authority}' --cert '{certificate}' --key '{key}' ")
    }

    /// A request that is allowed, and one on the same route that is denied.
    fn curls(&self) -> Option<(String, String)> {
        let (backend, route) = self.example()?;
        let edge = self.gateway(&self.addresses.edge);
        let idp = self.gateway(&self.addresses.idp_mtls.unwrap_or(self.addresses.idp));
        let method = route.methods.iter().find(|method| *method == "GET").or(route.methods.first())?;
        let method = if method == "GET" { String::new() } else { format!("-X {method} ") };
        let prefix = backend.path.trim_end_matches('/');
        let url = format!("{edge}{prefix}{}", filled(&route.template));
        // The token of one client in the hands of another, which is the same one where nothing is wrong.
        let with = |client: &str, sender: &str| {
            let (own, shown) = (self.showing(client), self.showing(sender));
            format!(
                "curl {shown}{method}-H \"Authorization: Bearer $(curl -s {own}-u {client}:{client} -H 'Accept: text/plain' \
                 -d grant_type=client_credentials {idp}/token)\" {url}"
            )
        };
        let denied = if self.certificates.is_some() {
            with("demo", "guest")
        } else if route.scopes.is_empty() {
            format!("curl {method}{url}")
        } else {
            with("guest", "guest")
        };
        Some((with("demo", "demo"), denied))
    }

    /// The first route that a scope alone opens, read-only if there is one.
    fn example(&self) -> Option<(&Backend, &Route)> {
        let open = || {
            let backends = self.config.backends.values().rev();
            backends.flat_map(|backend| {
                backend.routes.iter().filter(|route| !route.policy).map(move |route| (backend, route))
            })
        };
        open().find(|(_, route)| route.methods.iter().any(|method| method == "GET")).or_else(|| open().next())
    }
}

/// The template with an example in place of each parameter.
fn filled(template: &str) -> String {
    template
        .split('/')
        .map(|segment| if segment.starts_with('{') { "42" } else { segment })
        .collect::<Vec<_>>()
        .join("/")
}
