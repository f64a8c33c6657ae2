//! What is wrong with a token by itself.

use aws_lc_rs::{
    encoding::AsDer,
    hmac,
    rand::SystemRandom,
    signature::{
        ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair, RSA_PKCS1_SHA256, RSA_PKCS1_SHA384,
        RSA_PKCS1_SHA512, RSA_PSS_SHA256,
    },
};
use base64::{
    Engine,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use drawbridge_tests::http::get;
use num_bigint::BigUint;
use serde_json::{Value, json};

use crate::{
    house::{House, IdpForge, idp_key},
    parts::raw,
    rsa::RawRsa,
};

#[tokio::test]
async fn attack_01_alg_none_is_refused_in_any_case() {
    let house = House::start().await;
    for door in house.doors().await {
        door.allows(&door.good()).await;
        for alg in ["none", "None", "nOnE", "NONE", ""] {
            let unsigned = door.signed_by(&json!({ "alg": alg }), |_| Vec::new());
            door.refuses(&format!("`{alg}` and no signature"), &unsigned, "token.alg_not_allowed").await;
            let signed = door.token(&json!({ "alg": alg }), &json!({}));
            door.refuses(&format!("`{alg}` and the right signature"), &signed, "token.alg_not_allowed").await;
        }
    }
}

#[tokio::test]
async fn attack_02_an_hmac_with_the_public_key_as_secret_is_refused() {
    let house = House::start().await;
    let idp = IdpForge::open(&house.chain).await;
    for door in house.doors().await {
        let (at, path) = match door.name {
            "edge" => (house.chain.address("idp"), "/jwks".to_owned()),
            _ => (house.chain.address("keys"), format!("/jwks/{}/{}", door.backend, door.forge.kid())),
        };
        let set = get(at, &path, None).await;
        let jwk = &set.json()["keys"][0];
        let der = match door.name {
            "edge" => AsDer::<aws_lc_rs::encoding::PublicKeyX509Der<'_>>::as_der(idp.pair.public_key())
                .unwrap()
                .as_ref()
                .to_vec(),
            _ => [P256_PREFIX, &decoded(&jwk["x"]), &decoded(&jwk["y"])].concat(),
        };
        let pem =
            format!("-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n", STANDARD.encode(&der));
        let secrets = [
            ("PEM", pem.clone().into_bytes()),
            ("PEM without its last newline", pem.trim_end().as_bytes().to_vec()),
            ("DER", der),
            ("JWK", jwk.to_string().into_bytes()),
            ("the whole set", set.body.to_vec()),
            ("nothing", Vec::new()),
        ];
        for (form, secret) in secrets {
            for (alg, algorithm) in
                [("HS256", hmac::HMAC_SHA256), ("HS384", hmac::HMAC_SHA384), ("HS512", hmac::HMAC_SHA512)]
            {
                let key = hmac::Key::new(algorithm, &secret);
                let sign = |input: &str| hmac::sign(&key, input.as_bytes()).as_ref().to_vec();
                let token = door.signed_by(&json!({ "alg": alg }), sign);
                door.refuses(&format!("{alg} with {form}"), &token, "token.alg_not_allowed").await;
            }
        }
        door.allows(&door.good()).await;
    }
}

#[tokio::test]
async fn attack_03_a_json_serialisation_is_refused() {
    let house = House::start().await;
    for door in house.doors().await {
        let good = door.good();
        let parts: Vec<_> = good.split('.').collect();
        let (protected, payload, signature) = (parts[0], parts[1], parts[2]);
        // An algorithm in the unprotected header is not covered by any signature.
        let flattened = json!({
            "protected": protected, "header": { "alg": "none" }, "payload": payload, "signature": signature,
        });
        let general =
            json!({ "payload": payload, "signatures": [{ "protected": protected, "signature": signature }] });
        // A comma separates two credentials.
        door.refuses("flattened", &flattened.to_string(), "credentials.ambiguous").await;
        door.refuses("general", &general.to_string(), "credentials.ambiguous").await;
        door.refuses("of one member", &json!({ "payload": payload }).to_string(), "token.malformed").await;
        door.refuses("detached", &format!("{protected}..{signature}"), "token.signature_invalid").await;
        door.allows(&good).await;
    }
}

#[tokio::test]
async fn attack_04_a_key_in_the_header_is_not_believed() {
    let house = House::start().await;
    let own = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
    let point = own.public_key().as_ref();
    let jwk = json!({
        "kty": "EC", "crv": "P-256", "alg": "ES256", "use": "sig",
        "x": URL_SAFE_NO_PAD.encode(&point[1..33]), "y": URL_SAFE_NO_PAD.encode(&point[33..]),
    });
    let sign = |input: &str| own.sign(&SystemRandom::new(), input.as_bytes()).unwrap().as_ref().to_vec();
    for door in house.doors().await {
        let token = door.signed_by(&json!({ "jwk": jwk }), sign);
        door.refuses("self-signed", &token, "token.header_refused").await;
        let token = door.token(&json!({ "jwk": jwk }), &json!({}));
        door.refuses("with a key that is not used", &token, "token.header_refused").await;
        let token = door.signed_by(&json!({ "x5c": [STANDARD.encode(point)] }), sign);
        door.refuses("with a certificate", &token, "token.header_refused").await;
        let without = door.signed_by(&json!({}), sign);
        door.refuses("without its key", &without, "token.signature_invalid").await;
        door.allows(&door.good()).await;
    }
}

#[tokio::test]
async fn attack_07_psychic_signatures_are_refused() {
    let house = House::start().await;
    // The order of P-256 (SEC 2, section 2.4.2).
    let order: [u8; 32] = [
        0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xbc, 0xe6, 0xfa,
        0xad, 0xa7, 0x17, 0x9e, 0x84, 0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63, 0x25, 0x51,
    ];
    let zero = [0; 32];
    for door in house.gates().await {
        let good = door.good();
        let (input, signature) = good.rsplit_once('.').unwrap();
        let signature = URL_SAFE_NO_PAD.decode(signature).unwrap();
        let (r, s) = signature.split_at(32);
        let forged = [
            ("r = s = 0", [zero, zero].concat()),
            ("r = 0", [&zero, s].concat()),
            ("s = 0", [r, &zero].concat()),
            ("r = n", [&order, s].concat()),
            ("s = n", [r, &order].concat()),
            ("r = s = n", [order, order].concat()),
            ("one byte short", signature[1..].to_vec()),
            ("one byte long", [&[0], signature.as_slice()].concat()),
            ("of P-384's length", [signature.as_slice(), &zero].concat()),
            ("DER of r = s = 0", vec![0x30, 0x06, 0x02, 0x01, 0x00, 0x02, 0x01, 0x00]),
            ("nothing", Vec::new()),
        ];
        for (what, signature) in forged {
            let token = format!("{input}.{}", URL_SAFE_NO_PAD.encode(signature));
            door.refuses(what, &token, "token.signature_invalid").await;
        }
        door.allows(&good).await;
    }
}

#[tokio::test]
async fn attack_08_lax_rsa_padding_is_refused() {
    let house = House::start().await;
    let door = house.edge().await;
    let idp = IdpForge::open(&house.chain).await;
    let key = RawRsa::parse(&idp_key(&house.chain));
    let good = door.good();
    let (input, signature) = good.rsplit_once('.').unwrap();
    let signature = URL_SAFE_NO_PAD.decode(signature).unwrap();
    let length = signature.len();

    let mut proper = DIGEST_INFO.to_vec();
    proper
        .extend_from_slice(aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, input.as_bytes()).as_ref());
    let padded = |head: [u8; 2], fill: u8, info: &[u8]| {
        [head.as_slice(), &vec![fill; length - 3 - info.len()], &[0], info].concat()
    };
    let block = padded([0, 1], 0xff, &proper);
    assert_eq!(key.sign(&block), signature, "what is forged below differs only in what its name says");

    let hash = &proper[DIGEST_INFO.len()..];
    let mut garbage = [&[0, 1][..], &[0xff; 8], &[0], &proper].concat();
    garbage.resize(length, 0x5a);
    let without_null =
        [&DIGEST_INFO[..1], &[0x2f, 0x30, 0x0b], &DIGEST_INFO[4..15], &[0x04, 0x20], hash].concat();
    let mut forged = vec![
        ("eight bytes of padding, and garbage behind the hash", key.sign(&garbage)),
        ("a padding that is not ff", key.sign(&padded([0, 1], 0xfe, &proper))),
        ("block type 0", key.sign(&padded([0, 0], 0, &proper))),
        ("block type 2", key.sign(&padded([0, 2], 0xff, &proper))),
        ("no NULL parameter", key.sign(&padded([0, 1], 0xff, &without_null))),
        ("the bare hash", key.sign(&padded([0, 1], 0xff, hash))),
        ("PSS", idp.sign_with(&RSA_PSS_SHA256, input)),
        ("SHA-384", idp.sign_with(&RSA_PKCS1_SHA384, input)),
        ("SHA-512", idp.sign_with(&RSA_PKCS1_SHA512, input)),
        ("another text", idp.sign_with(&RSA_PKCS1_SHA256, "another text")),
        ("0", vec![0; length]),
        ("1", [vec![0; length - 1], vec![1]].concat()),
        ("n", key.modulus.to_bytes_be()),
        ("a zero more", [&[0], signature.as_slice()].concat()),
        ("a byte less", signature[1..].to_vec()),
        ("nothing", Vec::new()),
    ];
    let plus = BigUint::from_bytes_be(&signature) + &key.modulus;
    forged.push(("the modulus more", plus.to_bytes_be()));
    for (what, signature) in forged {
        let token = format!("{input}.{}", URL_SAFE_NO_PAD.encode(signature));
        door.refuses(what, &token, "token.signature_invalid").await;
    }
    door.allows(&good).await;
}

#[tokio::test]
async fn attack_12_what_amplifies_in_a_parser_is_refused_and_the_door_goes_on() {
    let house = House::start().await;
    for door in house.doors().await {
        for (what, token, reason) in [
            ("sixteen thousand dots", ".".repeat(16_000), "token.malformed"),
            ("seventeen thousand dots", ".".repeat(17_000), "token.too_large"),
            ("a segment over the limit", "A".repeat(17_000), "token.too_large"),
        ] {
            door.refuses(what, &token, reason).await;
        }
        let deep = |count: usize| format!("{{\"a\":{}{}", "[".repeat(count), "]".repeat(count));
        let header = door.header().to_string().replacen('{', &format!("{},", deep(600)), 1);
        let claims = door.claims().to_string().replacen('{', &format!("{},", deep(4000)), 1);
        let token = door.token_of(&header, &door.claims().to_string());
        door.refuses("a header of brackets", &token, "token.malformed").await;
        let token = door.token_of(&door.header().to_string(), &claims);
        door.refuses("claims of brackets", &token, "token.claims_malformed").await;
        let many = format!("{{\"a\":[0{}],", ",0".repeat(5000));
        let claims = door.claims().to_string().replacen('{', &many, 1);
        let token = door.token_of(&door.header().to_string(), &claims);
        door.refuses("five thousand values", &token, "token.claims_malformed").await;

        for (what, filler) in [("dots", "."), ("brackets", "["), ("zeros", "A")] {
            let target = door.target();
            let path = door.base.strip_prefix("http://").unwrap().split_once('/').unwrap().1;
            let token = filler.repeat(1_000_000);
            let request = format!(
                "GET /{path}{target} HTTP/1.1\r\nhost: x\r\nconnection: close\r\nauthorization: Bearer {token}\r\n\r\n"
            );
            let answer = raw(&door.base, request.into_bytes()).await;
            let refused = answer.is_empty() || answer.starts_with("HTTP/1.1 4");
            assert!(refused, "{}: a million {what}: {answer:.200}", door.name);
        }
        door.allows(&door.good()).await;
    }
    // A body is no header: what the bridge exchanges has a bound of its own.
    let body = format!(
        "grant_type=urn:ietf:params:oauth:grant-type:token-exchange&audience=orders\
         &subject_token_type=urn:ietf:params:oauth:token-type:jwt&subject_token={}",
        ".".repeat(1_000_000)
    );
    let head = format!(
        "POST /token HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-type: application/x-www-form-urlencoded\r\n\
         content-length: {}\r\n\r\n",
        body.len()
    );
    let answer = raw(house.chain.address("bridge"), [head.into_bytes(), body.into_bytes()].concat()).await;
    assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 4"), "{answer:.200}");
}

#[tokio::test]
async fn attack_14_crit_is_refused_whatever_it_says() {
    let house = House::start().await;
    for door in house.doors().await {
        for crit in [
            json!(["exp"]),
            json!(["b64"]),
            json!(["http://example.com/unknown"]),
            json!([]),
            json!("exp"),
            json!(["exp", "exp"]),
        ] {
            let token = door.token(&json!({ "crit": crit, "b64": true }), &json!({}));
            door.refuses(&format!("crit {crit}"), &token, "token.header_refused").await;
        }
        let token = door.token(&json!({ "b64": false }), &json!({}));
        door.refuses("an unencoded payload", &token, "token.header_refused").await;
        door.allows(&door.good()).await;
    }
}

#[tokio::test]
async fn attack_15_a_claim_of_another_type_is_an_error_and_never_absent() {
    let house = House::start().await;
    for door in house.doors().await {
        for claim in ["exp", "iat", "nbf"] {
            for value in [json!("9999999999"), json!([9_999_999_999_i64]), json!({}), json!(true)] {
                let token = door.token(&json!({}), &json!({ claim: value }));
                door.refuses(&format!("{claim}: {value}"), &token, "token.claims_malformed").await;
            }
        }
        let claims = door.claims();
        let exp = format!("\"exp\":{}", claims["exp"]);
        for odd in ["null", "1e400", "-1e400", "NaN", "0x7fffffff", "9".repeat(40).as_str()] {
            let claims = claims.to_string().replace(&exp, &format!("\"exp\":{odd}"));
            let token = door.token_of(&door.header().to_string(), &claims);
            // A number that is too far away is a lifetime that is too long, at most.
            let answer =
                door.send("GET", &door.target(), &[("authorization", &format!("Bearer {token}"))]).await;
            let record = door.record().await;
            assert_eq!(answer.status, 401, "{}: exp {odd}: {record}", door.name);
            assert_eq!(record["reason"], "token.claims_malformed", "{}: exp {odd}", door.name);
        }
        for (claim, value) in [
            ("aud", json!({ "orders": true })),
            ("aud", json!(1)),
            ("sub", json!(["alice"])),
            ("iss", json!([door.forge.issuer()])),
            ("scope", json!(["customers:read", "invoices:read"])),
            ("jti", json!(7)),
            ("cnf", json!("none")),
        ] {
            let token = door.token(&json!({}), &json!({ claim: value }));
            door.refuses(&format!("{claim}: {value}"), &token, "token.claims_malformed").await;
        }
        door.allows(&door.good()).await;
    }
}

#[tokio::test]
async fn attack_16_a_member_that_is_there_twice_is_refused() {
    let house = House::start().await;
    for door in house.doors().await {
        let (header, claims) = (door.header().to_string(), door.claims().to_string());
        door.allows(&door.token_of(&header, &claims)).await;
        let before = |text: &str, member: &str| text.replacen('{', &format!("{{{member},"), 1);
        let behind = |text: &str, member: &str| format!("{},{member}}}", text.strip_suffix('}').unwrap());
        for member in [r#""alg":"none""#, r#""\u0061lg":"none""#, r#""kid":"x""#, r#""typ":"JWT""#] {
            for header in [before(&header, member), behind(&header, member)] {
                door.refuses(member, &door.token_of(&header, &claims), "token.malformed").await;
            }
        }
        for member in
            [r#""exp":9999999999"#, r#""aud":"orders""#, r#""sub":"root""#, r#""sc\u006fpe":"admin""#]
        {
            for claims in [before(&claims, member), behind(&claims, member)] {
                door.refuses(member, &door.token_of(&header, &claims), "token.claims_malformed").await;
            }
        }
    }
}

#[tokio::test]
async fn attack_21_a_token_of_another_kind_is_refused() {
    let house = House::start().await;
    for door in house.doors().await {
        for typ in ["JWT", "id+jwt", "dpop+jwt", "logout+jwt", "txntoken+jwt", "secevent+jwt", ""] {
            let token = door.token(&json!({ "typ": typ }), &json!({}));
            door.refuses(&format!("typ `{typ}`"), &token, "token.type_not_allowed").await;
        }
        let token = door.token(&json!({ "typ": null }), &json!({}));
        door.refuses("no typ", &token, "token.type_not_allowed").await;
        let other = if door.name == "edge" { "bridged+jwt" } else { "at+jwt" };
        let token = door.token(&json!({ "typ": other }), &json!({}));
        door.refuses("each other's", &token, "token.type_not_allowed").await;
        door.allows(&door.good()).await;
    }
    // Real ones, in the wrong place.
    let consumers = house.chain.token("demo", "customers:read invoices:read").await;
    for door in house.gates().await {
        door.refuses("the consumer's token", &consumers, "token.alg_not_allowed").await;
    }
    let bridged = house.aws().await.good();
    house.edge().await.refuses("a bridged token", &bridged, "token.alg_not_allowed").await;
}

#[tokio::test]
async fn attack_33_odd_claims_are_decided_like_any_other() {
    let house = House::start().await;
    for door in house.doors().await {
        let odd: Vec<(&str, Value)> = vec![
            ("roles", json!([1])),
            ("roles", json!([[[]]])),
            ("roles", json!({ "": { "": "" } })),
            ("realm_access", json!({ "roles": [1, null, {}] })),
            ("realm_access", json!([])),
            ("region", json!("\u{0}\u{ffff}\u{10ffff}")),
            ("", json!("")),
            ("a\r\nx-drawbridge-sub: root", json!("b\r\nc")),
            ("sub", json!("Jörg 💩\r\nx-drawbridge-sub: root")),
            ("sub", json!("\u{202e}toor")),
        ];
        for (claim, value) in odd {
            let token = door.token(&json!({}), &json!({ claim: value }));
            let answer = door.allows(&token).await;
            let caller = &answer.json()["caller"];
            assert_ne!(caller["sub"], "root", "{}: {claim}: {value}", door.name);
        }
        for (claim, reason) in [
            ("sub", "token.claims_malformed"),
            ("iss", "token.claims_malformed"),
            ("scope", "scope.missing"),
            ("aud", "token.audience_mismatch"),
        ] {
            let token = door.token(&json!({}), &json!({ claim: "" }));
            door.refuses(&format!("an empty {claim}"), &token, reason).await;
        }
        for token in ["..", "e30.e30.", "e30.e30.e30", "W10.W10.W10", "bnVsbA.bnVsbA.bnVsbA"] {
            door.refuses(token, token, "token.malformed").await;
        }
        for value in ["Bearer", "Bearer ", "Bearer é", "é", "\u{1f4a9}", "bEaReR \u{fffd}"] {
            let answer = door.send("GET", &door.target(), &[("authorization", value)]).await;
            assert_eq!(answer.status, 401, "{}: {value}: {}", door.name, answer.text());
            let record = door.record().await;
            assert_eq!(record["decision"], "deny", "{}: {value}: {record}", door.name);
        }
        door.allows(&door.good()).await;
    }
}

fn decoded(member: &Value) -> Vec<u8> {
    URL_SAFE_NO_PAD.decode(member.as_str().unwrap()).unwrap()
}

/// `DigestInfo` of SHA-256 up to the hash (RFC 8017, section 9.2, note 1).
const DIGEST_INFO: &[u8] = &[
    0x30, 0x31, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01, 0x05, 0x00,
    0x04, 0x20,
];

/// `SubjectPublicKeyInfo` of a P-256 key up to its coordinates (RFC 5480).
const P256_PREFIX: &[u8] = &[
    0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x86,
    0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00, 0x04,
];
