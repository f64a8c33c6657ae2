//! A running chain with its three guarded doors, and the keys that each trusts in the attacker's hands.

use std::time::{SystemTime, UNIX_EPOCH};

use aws_lc_rs::{
    rand::SystemRandom,
    signature::{RSA_PKCS1_SHA256, RsaEncoding, RsaKeyPair},
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use drawbridge_tests::{
    chain::Chain,
    corpus::{self, Forge},
    forge::ChainForge,
    http::{Answer, get, send},
};
use serde_json::{Value, json};

/// Who trusts whom, with two backends in two clouds. Nothing is encrypted.
pub(crate) fn config(local: &Value) -> Value {
    json!({
        "issuers": {
            "login": {
                "issuer": "https://login.example.com", "audience": AUDIENCE, "keys": "discovery",
                "algorithms": ["RS256"], "types": ["at+jwt"],
            },
            "edge": {
                "issuer": "https://edge.example.com",
                "keys": { "jwks": "https://keys.example.com/jwks/{backend}/{kid}" },
                "algorithms": ["ES256"], "types": ["bridged+jwt"], "max_lifetime": "5m",
            },
        },
        "stores": {
            "aws": { "secrets_manager": { "prefix": "drawbridge", "region": "eu-west-1" } },
            "azure": { "key_vault": { "url": "https://contoso-keys.vault.azure.net" } },
        },
        "backends": {
            "orders": {
                "issuer": "edge", "store": "aws", "upstream": "https://orders.example.com",
                "routes": [
                    { "path": "/customers/{customer}", "methods": ["GET"], "scopes": ["customers:read"] },
                    { "path": "/customers", "methods": ["POST"], "scopes": ["customers:write"] },
                ],
                "claims": { "roles": "/realm_access/roles" },
                "context": ["sub", "roles", "txn"],
            },
            "billing": {
                "issuer": "edge", "store": "azure", "upstream": "https://billing.azurewebsites.net",
                "routes": [
                    { "path": "/invoices/{invoice}", "methods": ["GET"], "scopes": ["invoices:read"] },
                    { "path": "/invoices", "methods": ["POST"], "scopes": ["invoices:write"] },
                ],
                "context": ["sub", "txn"],
            },
        },
        "consumers": "login",
        "local": local,
    })
}

/// The chain under attack.
pub(crate) struct House {
    pub(crate) chain: Chain,
}

impl House {
    pub(crate) async fn start() -> Self {
        Self::of(&config(&json!({}))).await
    }

    pub(crate) async fn of(config: &Value) -> Self {
        Self { chain: Chain::start_with(&config.to_string()).await }
    }

    /// The gate of `orders`, behind API Gateway.
    pub(crate) async fn aws(&self) -> Door<'_> {
        Door {
            chain: &self.chain,
            name: "aws",
            base: format!("{}/orders", self.chain.address("aws")),
            subject: "gate",
            backend: "orders",
            forge: Box::new(ChainForge::open(&self.chain, "orders").await),
            collection: "/customers",
            header: json!({}),
            claims: json!({}),
        }
    }

    /// The gate of `billing`, behind Functions.
    pub(crate) async fn azure(&self) -> Door<'_> {
        Door {
            chain: &self.chain,
            name: "azure",
            base: format!("{}/billing", self.chain.address("azure")),
            subject: "gate",
            backend: "billing",
            forge: Box::new(ChainForge::open(&self.chain, "billing").await),
            collection: "/invoices",
            header: json!({}),
            claims: json!({ "aud": "billing", "scope": "invoices:read" }),
        }
    }

    /// The edge, in front of `orders`.
    pub(crate) async fn edge(&self) -> Door<'_> {
        let forge = IdpForge::open(&self.chain).await;
        Door {
            chain: &self.chain,
            name: "edge",
            base: format!("{}/orders", self.chain.address("edge")),
            subject: "edge",
            backend: "orders",
            forge: Box::new(forge),
            collection: "/customers",
            header: json!({ "alg": "RS256", "typ": "at+jwt" }),
            claims: json!({ "aud": AUDIENCE }),
        }
    }

    /// The gates of both clouds.
    pub(crate) async fn gates(&self) -> [Door<'_>; 2] {
        [self.aws().await, self.azure().await]
    }

    /// Whatever decides on tokens.
    pub(crate) async fn doors(&self) -> [Door<'_>; 3] {
        [self.aws().await, self.azure().await, self.edge().await]
    }
}

/// A listener that decides, and what it takes for a right token.
pub(crate) struct Door<'h> {
    chain: &'h Chain,
    pub(crate) name: &'static str,
    pub(crate) base: String,
    subject: &'static str,
    pub(crate) backend: &'static str,
    pub(crate) forge: Box<dyn Forge>,
    /// The route that the usual token may not take, with `POST`.
    pub(crate) collection: &'static str,
    header: Value,
    claims: Value,
}

impl Door<'_> {
    /// The route that the usual token may take.
    pub(crate) fn target(&self) -> String {
        format!("{}/42", self.collection)
    }

    /// The header of a right token.
    pub(crate) fn header(&self) -> Value {
        changed(corpus::header(self.forge.as_ref()), &self.header)
    }

    /// The claims of a right token.
    pub(crate) fn claims(&self) -> Value {
        changed(corpus::claims(self.forge.as_ref(), now()), &self.claims)
    }

    /// A right token.
    pub(crate) fn good(&self) -> String {
        self.token(&json!({}), &json!({}))
    }

    /// A right token with members set (or, with null, taken out), signed with the right key.
    pub(crate) fn token(&self, header: &Value, claims: &Value) -> String {
        self.token_of(
            &changed(self.header(), header).to_string(),
            &changed(self.claims(), claims).to_string(),
        )
    }

    /// Any text, signed with the right key.
    pub(crate) fn token_of(&self, header: &str, claims: &str) -> String {
        corpus::token_of(self.forge.as_ref(), header, claims)
    }

    /// A right token with members of its header set, signed by something else.
    pub(crate) fn signed_by(&self, header: &Value, sign: impl FnOnce(&str) -> Vec<u8>) -> String {
        let header = changed(self.header(), header).to_string();
        let input = format!(
            "{}.{}",
            URL_SAFE_NO_PAD.encode(header),
            URL_SAFE_NO_PAD.encode(self.claims().to_string())
        );
        let signature = URL_SAFE_NO_PAD.encode(sign(&input));
        format!("{input}.{signature}")
    }

    pub(crate) async fn send(&self, method: &str, target: &str, headers: &[(&str, &str)]) -> Answer {
        send(method, &self.base, target, headers, "").await
    }

    /// The door's next decision on record. What the edge lets through is decided on again behind it, and that goes with it.
    pub(crate) async fn record(&self) -> Value {
        let (mut own, mut behind) = (None, self.name != "edge");
        loop {
            let decided = self
                .chain
                .decision(|decision| {
                    let subject = &decision["subject"];
                    let asked = *subject == self.subject || self.name == "edge" && *subject == "gate";
                    asked && decision["backend"] == self.backend
                })
                .await;
            if decided["subject"] == self.subject {
                behind |= decided["decision"] != "allow";
                own = Some(decided);
            } else {
                behind = true;
            }
            if behind && let Some(own) = own.take() {
                return own;
            }
        }
    }

    /// The positive control: the usual request with this token is let through.
    pub(crate) async fn allows(&self, token: &str) -> Answer {
        let bearer = format!("Bearer {token}");
        self.allows_request("the control", "GET", &self.target(), &[("authorization", &bearer)]).await
    }

    pub(crate) async fn allows_request(
        &self,
        what: &str,
        method: &str,
        target: &str,
        headers: &[(&str, &str)],
    ) -> Answer {
        let answer = self.send(method, target, headers).await;
        let record = self.record().await;
        assert_eq!(record["reason"], "allowed", "{}: {what}: {record}", self.name);
        assert_eq!(answer.status, 200, "{}: {what}: {}", self.name, answer.text());
        answer
    }

    /// The usual request with this token is refused, and for this reason.
    pub(crate) async fn refuses(&self, what: &str, token: &str, reason: &str) {
        let bearer = format!("Bearer {token}");
        self.refuses_request(what, "GET", &self.target(), &[("authorization", &bearer)], reason).await;
    }

    pub(crate) async fn refuses_request(
        &self,
        what: &str,
        method: &str,
        target: &str,
        headers: &[(&str, &str)],
        reason: &str,
    ) {
        let answer = self.send(method, target, headers).await;
        assert_eq!(answer.status, self.status(reason), "{}: {what}: {}", self.name, answer.text());
        if !self.asks_about(headers) {
            return;
        }
        let record = self.record().await;
        assert_eq!(record["reason"], reason, "{}: {what}: {record}", self.name);
        assert_eq!(record["decision"], "deny", "{}: {what}: {record}", self.name);
    }

    /// API Gateway answers a request without its identity source by itself, so that nothing is decided.
    fn asks_about(&self, headers: &[(&str, &str)]) -> bool {
        self.name != "aws"
            || headers
                .iter()
                .any(|(name, value)| name.eq_ignore_ascii_case("authorization") && !value.is_empty())
    }

    /// API Gateway knows 401 for `Unauthorized`, 403 for a deny and 500 for a failure; the others answer as is.
    pub(crate) fn status(&self, reason: &str) -> u16 {
        let status = match reason {
            "request.malformed"
            | "request.method_override"
            | "request.identity_header"
            | "request.path_refused"
            | "credentials.ambiguous" => 400,
            "route.unknown" | "scope.missing" | "policy.denied" | "policy.error" | "context.too_large" => 403,
            "key.unavailable" | "internal" => 503,
            _ => 401,
        };
        match (self.name, status) {
            ("aws", 400) => 403,
            ("aws", 503) => 500,
            (_, status) => status,
        }
    }
}

/// Signs anything with the key of the chain's identity provider.
pub(crate) struct IdpForge {
    pub(crate) pair: RsaKeyPair,
    kid: String,
    issuer: String,
}

impl IdpForge {
    pub(crate) async fn open(chain: &Chain) -> Self {
        let issuer = chain.address("idp").to_owned();
        let keys = get(&issuer, "/jwks", None).await;
        assert_eq!(keys.status, 200, "{}", keys.text());
        let kid = keys.json()["keys"][0]["kid"].as_str().unwrap().to_owned();
        let der = idp_key(chain);
        let pair = RsaKeyPair::from_pkcs8(&der).or_else(|_| RsaKeyPair::from_der(&der)).unwrap();
        Self { pair, kid, issuer }
    }

    pub(crate) fn sign_with(&self, padding: &'static dyn RsaEncoding, input: &str) -> Vec<u8> {
        let mut signature = vec![0; self.pair.public_modulus_len()];
        self.pair.sign(padding, &SystemRandom::new(), input.as_bytes(), &mut signature).unwrap();
        signature
    }
}

impl Forge for IdpForge {
    fn kid(&self) -> String {
        self.kid.clone()
    }

    fn sign(&self, input: &str) -> Vec<u8> {
        self.sign_with(&RSA_PKCS1_SHA256, input)
    }

    fn issuer(&self) -> String {
        self.issuer.clone()
    }
}

/// The private key of the chain's identity provider.
pub(crate) fn idp_key(chain: &Chain) -> Vec<u8> {
    std::fs::read(chain.state().join("idp-RS256.der")).unwrap()
}

pub(crate) fn now() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs() as i64
}

/// With members set or, with null, taken out.
pub(crate) fn changed(mut value: Value, changes: &Value) -> Value {
    for (name, to) in changes.as_object().unwrap() {
        if to.is_null() {
            value.as_object_mut().unwrap().remove(name);
        } else {
            value[name] = to.clone();
        }
    }
    value
}

const AUDIENCE: &str = "https://api.example.com";
