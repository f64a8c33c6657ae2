//! One corpus of requests to the gate of `orders`, valid and hostile, each with the reason it must be decided for.
//!
//! Every gateway, `decide` and the forward-auth surface get the same requests, so that a decision that depended on the gateway
//! would be seen. The tokens are signed with the real signing key of `orders`: what is wrong with each is only what its name says.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Value, json};

/// One request and what must be decided about it.
#[derive(Clone, Debug)]
pub struct Case {
    /// A sentence fragment that names it.
    pub name: String,
    /// The method.
    pub method: String,
    /// Path and query as sent.
    pub target: String,
    /// Headers as sent.
    pub headers: Vec<(String, String)>,
    /// The stable reason; `allowed` for an allow.
    pub reason: &'static str,
}

/// Signs as the bridge of `orders` does, but whatever it is given.
pub trait Forge {
    /// The kid of the current signing key.
    fn kid(&self) -> String;
    /// A JWS signature under that key.
    fn sign(&self, input: &str) -> Vec<u8>;
    /// `iss` of bridged tokens.
    fn issuer(&self) -> String;
}

/// The header of a right token.
pub fn header(forge: &dyn Forge) -> Value {
    json!({ "alg": "ES256", "typ": "bridged+jwt", "kid": forge.kid() })
}

/// The claims of a right token.
pub fn claims(forge: &dyn Forge, now: i64) -> Value {
    json!({
        "iss": forge.issuer(), "aud": "orders", "sub": "alice", "jti": "3b6c1e9a-0001", "client_id": "partner",
        "iat": now, "exp": now + 120, "scope": "customers:read",
        "roles": ["sales"], "region": "eu", "txn": "txn-1",
    })
}

/// A compact token of any header and payload text.
pub fn token_of(forge: &dyn Forge, header: &str, payload: &str) -> String {
    let input = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(payload));
    let signature = URL_SAFE_NO_PAD.encode(forge.sign(&input));
    format!("{input}.{signature}")
}

/// A right token with some members set (or, with null, taken out).
pub fn token(forge: &dyn Forge, now: i64, header_changes: &Value, claim_changes: &Value) -> String {
    let change = |mut value: Value, changes: &Value| {
        for (name, to) in changes.as_object().unwrap() {
            if to.is_null() {
                value.as_object_mut().unwrap().remove(name);
            } else {
                value[name] = to.clone();
            }
        }
        value
    };
    let header = change(header(forge), header_changes);
    let claims = change(claims(forge, now), claim_changes);
    token_of(forge, &header.to_string(), &claims.to_string())
}

/// The whole corpus for a moment `now`.
pub fn corpus(forge: &dyn Forge, now: i64) -> Vec<Case> {
    let mut corpus = Corpus { forge, now, cases: Vec::new() };
    corpus.valid();
    corpus.credentials();
    corpus.structure();
    corpus.header_rules();
    corpus.kids();
    corpus.signatures();
    corpus.claim_rules();
    corpus.claim_types();
    corpus.requests();
    corpus.cases
}

/// The route that most cases ask for.
const TARGET: &str = "/customers/42";

struct Corpus<'f> {
    forge: &'f dyn Forge,
    now: i64,
    cases: Vec<Case>,
}

impl Corpus<'_> {
    fn add(
        &mut self,
        name: impl Into<String>,
        method: &str,
        target: &str,
        headers: &[(&str, &str)],
        reason: &'static str,
    ) {
        self.cases.push(Case {
            name: name.into(),
            method: method.to_owned(),
            target: target.to_owned(),
            headers: headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
            reason,
        });
    }

    fn bearer(&mut self, name: impl Into<String>, token: &str, reason: &'static str) {
        self.add(name, "GET", TARGET, &[("authorization", &format!("Bearer {token}"))], reason);
    }

    fn with_header(&mut self, name: impl Into<String>, changes: &Value, reason: &'static str) {
        let token = token(self.forge, self.now, changes, &json!({}));
        self.bearer(name, &token, reason);
    }

    fn with_claims(&mut self, name: impl Into<String>, changes: &Value, reason: &'static str) {
        let token = token(self.forge, self.now, &json!({}), changes);
        self.bearer(name, &token, reason);
    }

    /// Header and payload as text, for what `Value` cannot say.
    fn raw(
        &mut self,
        name: impl Into<String>,
        header: Option<String>,
        payload: Option<String>,
        reason: &'static str,
    ) {
        let header = header.unwrap_or_else(|| self::header(self.forge).to_string());
        let payload = payload.unwrap_or_else(|| claims(self.forge, self.now).to_string());
        let token = token_of(self.forge, &header, &payload);
        self.bearer(name, &token, reason);
    }

    fn good(&self) -> String {
        token(self.forge, self.now, &json!({}), &json!({}))
    }

    fn valid(&mut self) {
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
        for (name, value) in [
            ("x-forwarded-for", "10.0.0.1"),
            ("x-forwarded-proto", "http"),
            ("x-forwarded-host", "evil.example"),
            ("x-original-url", "/admin"),
            ("x-rewrite-url", "/admin"),
            ("x-drawbridge-sub", "root"),
            ("x_drawbridge_sub", "root"),
            ("x-drawbridge-roles", "[\"admin\"]"),
        ] {
            let bearer = format!("Bearer {good}");
            self.add(
                format!("with {name}"),
                "GET",
                TARGET,
                &[("authorization", &bearer), (name, value)],
                "allowed",
            );
        }
    }

    fn credentials(&mut self) {
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

    fn structure(&mut self) {
        let good = self.good();
        let parts: Vec<&str> = good.split('.').collect();
        let (header, payload, signature) = (parts[0], parts[1], parts[2]);
        for (name, token) in [
            ("one segment", header.to_owned()),
            ("two segments", format!("{header}.{payload}")),
            ("four segments", format!("{good}.{signature}")),
            ("six segments", format!("{good}.a.b.c")),
            ("an empty header", format!(".{payload}.{signature}")),
            ("only dots", "..".to_owned()),
            ("a thousand dots", ".".repeat(1000)),
            ("padding", format!("{header}.{payload}=.{signature}")),
            ("padded signature", format!("{good}==")),
            ("standard base64", format!("{header}.{}+/.{signature}", &payload[..payload.len() - 2])),
            ("a brace", format!("{{{good}}}")),
            ("a flattened JSON serialisation", format!("{{\"payload\":\"{payload}\"}}")),
            ("a percent sign", format!("{header}.{payload}%2e.{signature}")),
            ("a length of one more", format!("{header}A.{payload}.{signature}")),
        ] {
            self.bearer(name, &token, "token.malformed");
        }
        // Segments may be empty; what nobody signed does not verify.
        self.bearer("an empty payload", &format!("{header}..{signature}"), "token.signature_invalid");
        self.bearer("an empty signature", &format!("{header}.{payload}."), "token.signature_invalid");
        let json =
            format!("{{\"protected\":\"{header}\",\"payload\":\"{payload}\",\"signature\":\"{signature}\"}}");
        self.bearer("JSON serialisation", &json, "credentials.ambiguous");
        for (name, text) in [
            ("no object", "[]"),
            ("a string", "\"alg\""),
            ("null", "null"),
            ("empty text", " "),
            ("trailing text", "{\"alg\":\"ES256\"} x"),
            ("a comment", "{/**/\"alg\":\"ES256\"}"),
            ("a single quote", "{'alg':'ES256'}"),
            ("no alg", "{\"typ\":\"bridged+jwt\",\"kid\":\"orders.sig.1\"}"),
            ("alg a number", "{\"alg\":256,\"typ\":\"bridged+jwt\",\"kid\":\"orders.sig.1\"}"),
            ("alg null", "{\"alg\":null,\"typ\":\"bridged+jwt\",\"kid\":\"orders.sig.1\"}"),
            ("alg an array", "{\"alg\":[\"ES256\"],\"typ\":\"bridged+jwt\",\"kid\":\"orders.sig.1\"}"),
            ("typ a number", "{\"alg\":\"ES256\",\"typ\":1,\"kid\":\"orders.sig.1\"}"),
            ("kid a number", "{\"alg\":\"ES256\",\"typ\":\"bridged+jwt\",\"kid\":7}"),
            (
                "duplicate alg",
                "{\"alg\":\"ES256\",\"alg\":\"ES256\",\"typ\":\"bridged+jwt\",\"kid\":\"orders.sig.1\"}",
            ),
            (
                "duplicate kid",
                "{\"alg\":\"ES256\",\"typ\":\"bridged+jwt\",\"kid\":\"orders.sig.1\",\"kid\":\"orders.sig.1\"}",
            ),
            (
                "duplicate by escape",
                "{\"alg\":\"ES256\",\"\\u0061lg\":\"none\",\"typ\":\"bridged+jwt\",\"kid\":\"orders.sig.1\"}",
            ),
            ("deep nesting", "{\"alg\":\"ES256\",\"x\":[[[[[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]]]]]}"),
        ] {
            self.raw(format!("header is {name}"), Some(text.to_owned()), None, "token.malformed");
        }
        let large = "A".repeat(17_000);
        self.bearer("a token over the limit", &large, "token.too_large");
        let filler = "x".repeat(3000);
        self.raw(
            "a header over its limit",
            Some(
                json!({ "alg": "ES256", "typ": "bridged+jwt", "kid": "orders.sig.1", "x": filler })
                    .to_string(),
            ),
            None,
            "token.malformed",
        );
    }

    fn header_rules(&mut self) {
        for alg in [
            "none", "None", "nOnE", "NONE", "", "HS256", "HS384", "HS512", "RS1", "ES256K", "es256", "Es256",
            "ES256 ", "dir",
        ] {
            self.with_header(format!("alg `{alg}`"), &json!({ "alg": alg }), "token.alg_not_allowed");
        }
        for alg in
            ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES384", "ES512", "EdDSA", "Ed25519"]
        {
            self.with_header(
                format!("alg {alg}, which the issuer may not use"),
                &json!({ "alg": alg }),
                "token.alg_not_allowed",
            );
        }
        for typ in [
            "JWT",
            "jwt",
            "at+jwt",
            "application/at+jwt",
            "dpop+jwt",
            "logout+jwt",
            "id+jwt",
            "bridged",
            "",
            "text/bridged+jwt",
        ] {
            self.with_header(format!("typ `{typ}`"), &json!({ "typ": typ }), "token.type_not_allowed");
        }
        self.with_header("no typ", &json!({ "typ": null }), "token.type_not_allowed");
        for (name, value) in [
            ("crit", json!(["exp"])),
            ("crit", json!([])),
            ("crit", json!(["b64"])),
            ("b64", json!(false)),
            ("b64", json!(true)),
            ("jwk", json!({ "kty": "EC", "crv": "P-256", "x": "AA", "y": "AA" })),
            ("jku", json!("http://127.0.0.1:9/jwks")),
            ("x5u", json!("http://127.0.0.1:9/cert")),
            ("x5c", json!(["MIIB"])),
            ("zip", json!("DEF")),
        ] {
            self.with_header(format!("{name} {value}"), &json!({ name: value }), "token.header_refused");
        }
    }

    fn kids(&mut self) {
        let own = self.forge.kid();
        self.with_header("no kid", &json!({ "kid": null }), "token.kid_missing");
        for kid in [
            "",
            "../../dev/null",
            "/etc/passwd",
            "a b",
            "orders.sig.1'--",
            "' UNION SELECT 1",
            "a\r\nb",
            "a\u{0}b",
            "ü",
            "%2e%2e",
            "orders.sig.1\\",
            "orders/sig/1",
            "orders.sig.{kid}",
            "http://127.0.0.1:9/",
            "orders.sig.1?x=1",
            "orders.sig.1#x",
            "*",
            "$(id)",
        ] {
            self.with_header(format!("kid {kid:?}"), &json!({ "kid": kid }), "token.kid_malformed");
        }
        self.with_header("a kid of 129 letters", &json!({ "kid": "k".repeat(129) }), "token.kid_malformed");
        for kid in [
            own.replacen("orders", "billing", 1),
            own.replacen(".sig.", ".enc.", 1),
            "billing.sig.1".to_owned(),
            "orders".to_owned(),
            "orders.sig".to_owned(),
            "sig.orders.1".to_owned(),
            "ORDERS.sig.1".to_owned(),
            "orders.SIG.1".to_owned(),
            "orders.sig.1.2".to_owned(),
            "..".to_owned(),
            "orders..1".to_owned(),
            ".sig.1".to_owned(),
            "orders.sig.".to_owned(),
            "ordersx.sig.1".to_owned(),
        ] {
            self.with_header(format!("foreign kid {kid}"), &json!({ "kid": kid }), "key.foreign");
        }
        for version in ["1", "00000000-0000-0000-0000-000000000000"] {
            self.with_header(
                format!("unknown version {version}"),
                &json!({ "kid": format!("orders.sig.{version}") }),
                "key.unknown",
            );
        }
    }

    fn signatures(&mut self) {
        let good = self.good();
        let (input, signature) = good.rsplit_once('.').unwrap();
        let signature = URL_SAFE_NO_PAD.decode(signature).unwrap();
        // The order of P-256 (SEC 2, section 2.4.2).
        let order: [u8; 32] = [
            0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xbc, 0xe6,
            0xfa, 0xad, 0xa7, 0x17, 0x9e, 0x84, 0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63, 0x25, 0x51,
        ];
        let zero = [0u8; 32];
        let (r, s) = signature.split_at(32);
        let mut forged: Vec<(String, Vec<u8>)> = vec![
            ("r = s = 0".into(), [zero, zero].concat()),
            ("r = 0".into(), [&zero, s].concat()),
            ("s = 0".into(), [r, &zero].concat()),
            ("r = n".into(), [&order, s].concat()),
            ("s = n".into(), [r, &order].concat()),
            ("r = s = n".into(), [order, order].concat()),
            ("a byte short".into(), signature[..63].to_vec()),
            ("a byte long".into(), [signature.as_slice(), &[0]].concat()),
            ("one byte".into(), vec![0]),
            ("twice".into(), [signature.as_slice(), signature.as_slice()].concat()),
            ("as DER".into(), [&[0x30, 0x44, 0x02, 0x20], r, &[0x02, 0x20], s].concat()),
            ("halves swapped".into(), [s, r].concat()),
        ];
        for bit in (0..signature.len() * 8).step_by(73) {
            let mut flipped = signature.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            forged.push((format!("bit {bit} flipped"), flipped));
        }
        for (name, signature) in forged {
            self.bearer(
                format!("signature: {name}"),
                &format!("{input}.{}", URL_SAFE_NO_PAD.encode(signature)),
                "token.signature_invalid",
            );
        }
        let other = token(self.forge, self.now, &json!({}), &json!({ "sub": "mallory" }));
        let payload = other.split('.').nth(1).unwrap();
        let (head, tail) = (good.split('.').next().unwrap(), good.rsplit('.').next().unwrap());
        self.bearer(
            "another token's payload",
            &format!("{head}.{payload}.{tail}"),
            "token.signature_invalid",
        );
    }

    fn claim_rules(&mut self) {
        let now = self.now;
        for (name, changes, reason) in [
            ("expired", json!({ "iat": now - 200, "exp": now - 60 }), "token.expired"),
            ("expired long ago", json!({ "iat": 1, "exp": 100 }), "token.expired"),
            ("exp zero", json!({ "iat": 0, "exp": 0 }), "token.expired"),
            ("exp negative", json!({ "iat": -10, "exp": -5 }), "token.claims_malformed"),
            ("not yet valid", json!({ "nbf": now + 60 }), "token.not_yet_valid"),
            ("issued in the future", json!({ "iat": now + 90, "exp": now + 120 }), "token.issued_in_future"),
            ("a lifetime over the limit", json!({ "exp": now + 301 }), "token.lifetime_too_long"),
            ("a lifetime of a year", json!({ "exp": now + 31_536_000 }), "token.lifetime_too_long"),
            ("another issuer", json!({ "iss": "https://login.example.com" }), "token.issuer_mismatch"),
            (
                "an issuer with a slash more",
                json!({ "iss": format!("{}/", self.forge.issuer()) }),
                "token.issuer_mismatch",
            ),
            (
                "an issuer in capitals",
                json!({ "iss": self.forge.issuer().to_uppercase() }),
                "token.issuer_mismatch",
            ),
            ("an empty issuer", json!({ "iss": "" }), "token.claims_malformed"),
            ("another audience", json!({ "aud": "billing" }), "token.audience_mismatch"),
            ("an audience in capitals", json!({ "aud": "Orders" }), "token.audience_mismatch"),
            ("an empty audience", json!({ "aud": "" }), "token.audience_mismatch"),
            ("no audiences", json!({ "aud": [] }), "token.audience_mismatch"),
            ("two audiences", json!({ "aud": ["orders", "billing"] }), "token.audience_mismatch"),
            ("a joined audience", json!({ "aud": "orders billing" }), "token.audience_mismatch"),
            ("no iss", json!({ "iss": null }), "token.claim_missing"),
            ("no aud", json!({ "aud": null }), "token.claim_missing"),
            ("no sub", json!({ "sub": null }), "token.claim_missing"),
            ("no exp", json!({ "exp": null }), "token.claim_missing"),
            ("no iat", json!({ "iat": null }), "token.claim_missing"),
            ("no jti", json!({ "jti": null }), "token.claim_missing"),
            ("an unknown confirmation", json!({ "cnf": { "kid": "x" } }), "sender.unsupported"),
            ("an empty confirmation", json!({ "cnf": {} }), "sender.unsupported"),
            (
                "a DPoP key",
                json!({ "cnf": { "jkt": "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I" } }),
                "sender.unsupported",
            ),
            ("no scope", json!({ "scope": null }), "scope.missing"),
            ("an empty scope", json!({ "scope": "" }), "scope.missing"),
            ("another scope", json!({ "scope": "customers:write" }), "scope.missing"),
            ("a scope in capitals", json!({ "scope": "Customers:Read" }), "scope.missing"),
            ("a longer scope", json!({ "scope": "customers:readx" }), "scope.missing"),
            ("a shorter scope", json!({ "scope": "customers:rea" }), "scope.missing"),
            ("a wildcard scope", json!({ "scope": "*" }), "scope.missing"),
        ] {
            self.with_claims(name, &changes, reason);
        }
    }

    fn claim_types(&mut self) {
        let odd = [json!("1"), json!(true), json!([1]), json!({ "a": 1 })];
        for claim in ["exp", "iat", "nbf"] {
            for value in &odd {
                self.with_claims(
                    format!("{claim} is {value}"),
                    &json!({ claim: value }),
                    "token.claims_malformed",
                );
            }
        }
        let odd = [json!(1), json!(true), json!({ "a": 1 }), json!([{}])];
        for claim in ["iss", "sub", "jti", "aud", "scope", "client_id", "azp"] {
            for value in &odd {
                self.with_claims(
                    format!("{claim} is {value}"),
                    &json!({ claim: value }),
                    "token.claims_malformed",
                );
            }
        }
        for value in [json!("x"), json!(1), json!([])] {
            self.with_claims(format!("cnf is {value}"), &json!({ "cnf": value }), "token.claims_malformed");
        }
        self.with_claims("an empty subject", &json!({ "sub": "" }), "token.claims_malformed");
        let text = claims(self.forge, self.now).to_string();
        let with = |more: &str| Some(format!("{},{more}}}", text.strip_suffix('}').unwrap()));
        for more in [
            "\"exp\":99999999999",
            "\"aud\":\"billing\"",
            "\"sub\":\"root\"",
            "\"\\u0073ub\":\"root\"",
            "\"a\":{\"b\":1,\"b\":2}",
            "\"a\":1e400",
            "\"a\":-1e999",
            "\"a\":NaN",
            "\"a\":01",
            "\"a\":[1,]",
            "\"a\":\"\\ud800\"",
            "\"nbf\":1e400",
            "\"a\":.5",
            "\"nbf\":null",
            "\"cnf\":null",
        ] {
            self.raw(format!("payload with {more}"), None, with(more), "token.claims_malformed");
        }
        for payload in ["[]", "null", "\"x\"", "1", " ", "{", "{}{}", "{\"iss\":}", "x"] {
            self.raw(
                format!("payload `{payload}`"),
                None,
                Some(payload.to_owned()),
                "token.claims_malformed",
            );
        }
        let deep = format!("\"a\":{}1{}", "[".repeat(200), "]".repeat(200));
        self.raw("a payload of two hundred brackets", None, with(&deep), "token.claims_malformed");
    }

    fn requests(&mut self) {
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

#[cfg(test)]
mod tests {
    use super::*;

    struct Nobody;
    impl Forge for Nobody {
        fn kid(&self) -> String {
            "orders.sig.7".into()
        }
        fn sign(&self, _input: &str) -> Vec<u8> {
            vec![1; 64]
        }
        fn issuer(&self) -> String {
            "https://edge.example.com".into()
        }
    }

    #[test]
    fn the_corpus_has_at_least_three_hundred_cases_of_different_names() {
        let cases = corpus(&Nobody, 1_800_000_000);
        let mut names: Vec<_> = cases.iter().map(|case| &case.name).collect();
        names.sort();
        names.dedup();
        assert_eq!(names.len(), cases.len(), "every name is there once");
        assert!(names.len() >= 300, "{}", names.len());
        assert!(cases.iter().filter(|case| case.reason == "allowed").count() >= 30);
    }
}
