//! Claims that break a rule, under a signature that holds.

use serde_json::json;

use super::{Corpus, claims};

impl Corpus<'_> {
    pub(super) fn claim_rules(&mut self) {
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
            (
                "bound to a certificate where none is shown",
                json!({ "cnf": { "x5t#S256": "bwcK0esc3ACC3DB2Y5_lESsXE8o9ltc05O89jdN-dg2" } }),
                "sender.mismatch",
            ),
            (
                "bound to a certificate and a key",
                json!({ "cnf": { "x5t#S256": "bwcK0esc3ACC3DB2Y5_lESsXE8o9ltc05O89jdN-dg2", "jkt": "x" } }),
                "sender.unsupported",
            ),
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

    pub(super) fn claim_types(&mut self) {
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
        for value in [json!("x"), json!(1), json!([]), json!({ "x5t#S256": 1 }), json!({ "x5t#S256": null })]
        {
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
}
