//! Tokens that break a rule before their claims are read: structure, header, kid, signature.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::json;

use super::{Corpus, token};

impl Corpus<'_> {
    pub(super) fn structure(&mut self) {
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

    pub(super) fn header_rules(&mut self) {
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

    pub(super) fn kids(&mut self) {
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

    pub(super) fn signatures(&mut self) {
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
}
