//! What may be asked and how: what is right, credentials, paths and methods.

use serde_json::json;

use super::{Corpus, TARGET};

impl Corpus<'_> {
    pub(super) fn valid(&mut self) {
        let good = self.good();
        for scheme in ["Bearer", "bearer", "BEARER"] {
            self.add(
                format!("scheme {scheme}"),
                "GET",
                TARGET,
                &[("authorization", &format!("{scheme} {good}"))],
                "allowed",
            );
        }
        for target in [
            "/customers/42",
            "/customers/a-b_c~d",
            "/customers/42?page=2&page=3",
            "/customers/caf%C3%A9",
            "/customers/a%20b",
        ] {
            self.add(
                format!("path {target}"),
                "GET",
                target,
                &[("authorization", &format!("Bearer {good}"))],
                "allowed",
            );
        }
        for (name, changes) in [
            ("audience as an array of one", json!({ "aud": ["orders"] })),
            ("more scopes than needed", json!({ "scope": "a customers:read invoices:read" })),
            ("a fractional exp", json!({ "exp": self.now as f64 + 100.5 })),
            ("nbf now", json!({ "nbf": self.now })),
            ("iat within the skew", json!({ "iat": self.now + 20, "exp": self.now + 100 })),
            ("expired within the skew", json!({ "iat": self.now - 100, "exp": self.now - 5 })),
            ("claims that nobody reads", json!({ "x": { "y": [1, 2, { "z": null }] }, "ü": "ö" })),
            ("no roles", json!({ "roles": null })),
            ("a subject with spaces and umlauts", json!({ "sub": "Jörg  Müller" })),
            ("a subject like an injection", json!({ "sub": "a\r\nx-drawbridge-sub: root" })),
            ("a subject like a policy", json!({ "sub": "*" })),
            ("no client_id", json!({ "client_id": null })),
            ("odd roles", json!({ "roles": [1, null, { "a": [] }] })),
        ] {
            self.with_claims(name, &changes, "allowed");
        }
        for typ in ["bridged+jwt", "application/bridged+jwt", "BRIDGED+JWT", "Application/Bridged+JWT"] {
            self.with_header(format!("typ {typ}"), &json!({ "typ": typ }), "allowed");
        }
        self.with_header("unknown header members", &json!({ "x": 1, "cty": "JWT" }), "allowed");
        for (name, value, reason) in [
            ("x-forwarded-for", "10.0.0.1", "allowed"),
            ("x-forwarded-proto", "http", "allowed"),
            ("x-forwarded-host", "evil.example", "allowed"),
            ("x-original-url", "/admin", "allowed"),
            ("x-rewrite-url", "/admin", "allowed"),
            ("x-drawbridge-sub", "root", "allowed"),
            ("x-drawbridge-roles", "[\"admin\"]", "allowed"),
            ("x_drawbridge_sub", "root", "request.identity_header"),
            ("x-drawbridge-admin", "true", "request.identity_header"),
        ] {
            let bearer = format!("Bearer {good}");
            self.add(
                format!("with {name}"),
                "GET",
                TARGET,
                &[("authorization", &bearer), (name, value)],
                reason,
            );
        }
    }

    pub(super) fn credentials(&mut self) {
        let good = self.good();
        let bearer = format!("Bearer {good}");
        self.add("no credentials", "GET", TARGET, &[], "credentials.missing");
        self.add("no credentials on an unknown route", "GET", "/nothing", &[], "credentials.missing");
        for (name, value) in [
            ("Basic", "Basic YTpi"),
            ("DPoP", "DPoP x"),
            ("Negotiate", "Negotiate x"),
            ("a bare token", good.as_str()),
        ] {
            self.add(
                format!("scheme {name}"),
                "GET",
                TARGET,
                &[("authorization", value)],
                "credentials.scheme",
            );
        }
        self.add(
            "the token in the query",
            "GET",
            &format!("{TARGET}?access_token={good}"),
            &[],
            "credentials.ambiguous",
        );
        self.add(
            "the token in header and query",
            "GET",
            &format!("{TARGET}?access_token={good}"),
            &[("authorization", &bearer)],
            "credentials.ambiguous",
        );
    }

    pub(super) fn requests(&mut self) {
        let bearer = format!("Bearer {}", self.good());
        for target in [
            "/",
            "/customers",
            "/customers/",
            "/customers/1/orders",
            "/Customers/1",
            "/customerss/1",
            "/admin",
            "/customers/1/",
            "/$connect",
        ] {
            self.add(
                format!("unknown route {target}"),
                "GET",
                target,
                &[("authorization", &bearer)],
                "route.unknown",
            );
        }
        for method in ["POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"] {
            self.add(
                format!("method {method}"),
                method,
                TARGET,
                &[("authorization", &bearer)],
                "route.unknown",
            );
        }
        for target in [
            "//customers/1",
            "/customers//1",
            "/customers/.",
            "/customers/..",
            "/customers/../admin",
            "/./customers/1",
            "/customers/%2e%2e",
            "/customers/%2E",
            "/customers/a%2fb",
            "/customers/a%2Fb",
            "/customers/a%5cb",
            "/customers/a%5Cb",
            "/customers/%00",
            "/customers/%252e",
            "/customers/1;admin=1",
            "/customers/..;/admin",
            "/customers/%3b",
            "/customers/%zz",
            "/customers/%",
            "/customers/%c3",
            "/customers/a%0ab",
            "/customers/a\\b",
        ] {
            self.add(
                format!("path {target}"),
                "GET",
                target,
                &[("authorization", &bearer)],
                "request.path_refused",
            );
        }
        for name in ["X-HTTP-Method-Override", "X-HTTP-Method", "X-Method-Override"] {
            self.add(
                format!("with {name}"),
                "GET",
                TARGET,
                &[("authorization", &bearer), (name, "DELETE")],
                "request.method_override",
            );
        }
    }
}
