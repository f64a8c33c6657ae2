//! What strictness costs: the whole way of a token with 1 KB of claims against the bare operations of the library.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a benchmark fails by panicking, and its output is what it is for"
)]

use std::{
    hint::black_box,
    time::{Duration, Instant},
};

use aws_lc_rs::{
    agreement::{self, ECDH_P256, PrivateKey, UnparsedPublicKey},
    encoding::{AsBigEndian, EcPrivateKeyBin},
    rsa::{
        KeySize, OAEP_SHA256_MGF1SHA256, OaepPrivateDecryptingKey, OaepPublicEncryptingKey,
        PrivateDecryptingKey,
    },
    signature::{
        ECDSA_P256_SHA256_FIXED, ECDSA_P384_SHA384_FIXED, ED25519, ParsedPublicKey,
        RSA_PKCS1_2048_8192_SHA256, RSA_PSS_2048_8192_SHA256, RsaPublicKeyComponents,
    },
};
use base64_simd::URL_SAFE_NO_PAD;
use criterion::Criterion;
use drawbridge_verify::{
    Algorithm, KeyUse, PublicJwk, Unverified,
    jwe::{ContentEncryption, DecryptionKey, EncryptionKey, Jwe, KeyManagement},
};
use serde_json::{Value, json};

use make::{KID, NOW, Private, claims, encode, header, rules, token, with};

#[path = "../tests/verify/make.rs"]
#[allow(dead_code, reason = "the tests use the rest of it")]
mod make;

/// One kind of token, and the most that the whole way may take of the bare operations.
struct Case {
    name: String,
    target: f64,
    bare: Box<dyn Fn()>,
    whole: Box<dyn Fn()>,
}

fn main() {
    let signed = [
        (Algorithm::RS256, 1.20),
        (Algorithm::PS256, 1.20),
        (Algorithm::ES256, 1.10),
        (Algorithm::ES384, 1.05),
        (Algorithm::EdDSA, 1.12),
    ];
    let mut cases: Vec<_> =
        signed.into_iter().map(|(algorithm, target)| Case::signed(algorithm, target)).collect();
    cases.push(Case::nested(KeyManagement::RsaOaep256, rsa_private(), bare_rsa(), 1.05));
    cases.push(Case::nested(KeyManagement::EcdhEsA256Kw, ec_private(), bare_agreement(), 1.12));

    // `cargo test --benches` only sees that everything runs.
    if std::env::args().any(|argument| argument == "--bench") {
        println!(
            "{:<24}{:>10}{:>10}{:>8}{:>8}",
            "least of 60 rounds", "bare µs", "whole µs", "ratio", "target"
        );
        cases.iter().for_each(Case::print);
    }
    let mut criterion =
        Criterion::default().configure_from_args().sample_size(20).measurement_time(Duration::from_secs(1));
    for case in &cases {
        criterion.bench_function(&case.name, |bencher| bencher.iter(|| (case.whole)()));
    }
    criterion.final_summary();
}

impl Case {
    fn signed(algorithm: Algorithm, target: f64) -> Self {
        let token = token(algorithm, &header(algorithm), &kilobyte());
        let (rules, key) = (rules(), make::key(algorithm));
        let whole = move || {
            let token = Unverified::parse(black_box(&token), rules.max_token_bytes).unwrap();
            let authentic = rules.admit(token).unwrap().verify(&key).unwrap();
            black_box(authentic.claims(NOW).unwrap());
        };
        Self {
            name: algorithm.name().to_owned(),
            target,
            bare: bare_verification(algorithm),
            whole: Box::new(whole),
        }
    }

    /// A token signed with ES256 inside an encrypted one.
    fn nested(algorithm: KeyManagement, private: Value, bare: Box<dyn Fn()>, target: f64) -> Self {
        let private = with(with(private, "alg", json!(algorithm.name())), "use", json!("enc"));
        let opening =
            DecryptionKey::parse(private.to_string().as_bytes(), KID, &[ContentEncryption::A256Gcm]).unwrap();
        let public =
            ["d", "p", "q", "dp", "dq", "qi"].into_iter().fold(private, |jwk, name| with(jwk, name, None));
        let public =
            PublicJwk::parse(public.to_string().as_bytes()).unwrap().named_for_encryption(KID, algorithm);
        let sealing = EncryptionKey::bind(&public, KID, ContentEncryption::A256Gcm).unwrap();
        let nested =
            sealing.encrypt(&token(Algorithm::ES256, &header(Algorithm::ES256), &kilobyte())).unwrap();

        let (rules, key) = (rules(), make::key(Algorithm::ES256));
        let whole = move || {
            let opened =
                opening.decrypt(Jwe::parse(black_box(&nested), rules.max_token_bytes).unwrap()).unwrap();
            let token = Unverified::parse(opened.as_str(), rules.max_token_bytes).unwrap();
            let authentic = rules.admit(token).unwrap().verify(&key).unwrap();
            black_box(authentic.claims(NOW).unwrap());
        };
        let verification = bare_verification(Algorithm::ES256);
        let bare = move || {
            bare();
            verification();
        };
        Self { name: format!("{algorithm}, ES256"), target, bare: Box::new(bare), whole: Box::new(whole) }
    }

    /// The least time of either way, over rounds that take turns, so that both see the same weather.
    fn print(&self) {
        const ROUNDS: usize = 60;
        const CALLS: u32 = 200;
        let time = |call: &dyn Fn()| {
            let start = Instant::now();
            (0..CALLS).for_each(|_| call());
            start.elapsed() / CALLS
        };
        let rounds: Vec<_> = (0..ROUNDS).map(|_| (time(&self.bare), time(&self.whole))).collect();
        let bare = rounds.iter().map(|round| round.0).min().unwrap().as_secs_f64() * 1e6;
        let whole = rounds.iter().map(|round| round.1).min().unwrap().as_secs_f64() * 1e6;
        let ratio = whole / bare;
        let verdict = if ratio <= self.target { "" } else { "  missed" };
        println!("{:<24}{bare:>10.2}{whole:>10.2}{ratio:>8.3}{:>8.2}{verdict}", self.name, self.target);
    }
}

/// Claims as a busy identity provider writes them: 1 KB of JSON.
fn kilobyte() -> Value {
    let more = json!({
        "realm_access": {"roles": ["sales", "offline_access", "uma_authorization", "auditor"]},
        "resource_access": {"orders": {"roles": ["reader", "writer"]}, "account": {"roles": ["view"]}},
        "email": "ada.lovelace@example.com",
        "email_verified": true,
        "auth_time": NOW.as_secs() - 900,
        "acr": "urn:example:loa:2",
        "sid": "2b0c9f6e-5f3e-4a0f-8a54-1d2f3c4b5a69",
        "custom": {"region": "emea", "tier": 3, "limits": [100, 250, 0.75]},
    });
    let claims = more
        .as_object()
        .unwrap()
        .iter()
        .fold(claims(), |claims, (name, value)| with(claims, name, value.clone()));
    let short = claims.to_string().len() + r#","note":"""#.len();
    let claims = with(claims, "note", json!("n".repeat(1024 - short)));
    assert_eq!(claims.to_string().len(), 1024);
    claims
}

/// The signature of such a token, checked with a parsed key.
fn bare_verification(algorithm: Algorithm) -> Box<dyn Fn()> {
    let token = token(algorithm, &header(algorithm), &kilobyte());
    let (signed, signature) = token.rsplit_once('.').unwrap();
    let (signed, signature) = (signed.as_bytes().to_vec(), URL_SAFE_NO_PAD.decode_to_vec(signature).unwrap());
    let key = bare_key(algorithm);
    Box::new(move || key.verify_sig(black_box(&signed), black_box(&signature)).unwrap())
}

fn bare_key(algorithm: Algorithm) -> ParsedPublicKey {
    let members = Private::of(algorithm.key_type()).jwk().named(KID, KeyUse::Signing, algorithm).to_json();
    let members: Value = serde_json::from_str(&members).unwrap();
    let number = |name: &str| URL_SAFE_NO_PAD.decode_to_vec(members[name].as_str().unwrap()).unwrap();
    let point = || [vec![4], number("x"), number("y")].concat();
    match algorithm {
        Algorithm::RS256 | Algorithm::PS256 => {
            let parameters = if algorithm == Algorithm::RS256 {
                &RSA_PKCS1_2048_8192_SHA256
            } else {
                &RSA_PSS_2048_8192_SHA256
            };
            RsaPublicKeyComponents { n: number("n"), e: number("e") }
                .to_parsed_public_key(parameters)
                .unwrap()
        }
        Algorithm::ES256 => ParsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point()).unwrap(),
        Algorithm::ES384 => ParsedPublicKey::new(&ECDSA_P384_SHA384_FIXED, point()).unwrap(),
        Algorithm::EdDSA => ParsedPublicKey::new(&ED25519, number("x")).unwrap(),
        other => panic!("{other} has no target"),
    }
}

fn rsa_private() -> Value {
    serde_json::from_str(include_str!("../tests/verify/rfc7516_a1.json")).unwrap()
}

fn ec_private() -> Value {
    let key = PrivateKey::generate(&ECDH_P256).unwrap();
    let public = key.compute_public_key().unwrap();
    let (x, y) = public.as_ref()[1..].split_at(32);
    let d: EcPrivateKeyBin<'_> = key.as_be_bytes().unwrap();
    json!({"kty": "EC", "crv": "P-256", "x": encode(x), "y": encode(y), "d": encode(d.as_ref())})
}

/// RSA-OAEP of a content key.
fn bare_rsa() -> Box<dyn Fn()> {
    let key = PrivateDecryptingKey::generate(KeySize::Rsa2048).unwrap();
    let public = OaepPublicEncryptingKey::new(key.public_key()).unwrap();
    let mut encrypted = vec![0; 256];
    public.encrypt(&OAEP_SHA256_MGF1SHA256, &[7; 32], &mut encrypted, None).unwrap();
    let key = OaepPrivateDecryptingKey::new(key).unwrap();
    Box::new(move || {
        let mut plain = [0; 256];
        black_box(key.decrypt(&OAEP_SHA256_MGF1SHA256, black_box(&encrypted), &mut plain, None).unwrap());
    })
}

/// The agreement with an ephemeral key, which has to be read first.
fn bare_agreement() -> Box<dyn Fn()> {
    let key = PrivateKey::generate(&ECDH_P256).unwrap();
    let ephemeral = PrivateKey::generate(&ECDH_P256).unwrap().compute_public_key().unwrap();
    Box::new(move || {
        let public = UnparsedPublicKey::new(&ECDH_P256, black_box(ephemeral.as_ref()));
        agreement::agree(&key, public, (), |secret| Ok(black_box(secret.len()))).map(drop).unwrap();
    })
}
