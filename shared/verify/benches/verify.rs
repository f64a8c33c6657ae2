//! What strictness costs: the whole way of a token with 1 KB of claims against the bare signature check.
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

use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P384_SHA384_FIXED, ED25519, ParsedPublicKey, RSA_PKCS1_2048_8192_SHA256,
    RSA_PSS_2048_8192_SHA256, RsaPublicKeyComponents,
};
use base64_simd::URL_SAFE_NO_PAD;
use criterion::Criterion;
use drawbridge_verify::{Algorithm, KeyUse, PublicKey, Rules, Unverified};
use serde_json::{Value, json};

use make::{KID, NOW, Private, claims, header, rules, token, with};

#[path = "../tests/verify/make.rs"]
#[allow(dead_code, reason = "the tests use the rest of it")]
mod make;

/// Algorithm, and the most that the whole way may take of the bare signature check.
const TARGETS: [(Algorithm, f64); 5] = [
    (Algorithm::RS256, 1.20),
    (Algorithm::PS256, 1.20),
    (Algorithm::ES256, 1.10),
    (Algorithm::ES384, 1.05),
    (Algorithm::EdDSA, 1.12),
];

fn main() {
    let cases: Vec<_> = TARGETS.iter().map(|(algorithm, target)| (Case::new(*algorithm), *target)).collect();
    // `cargo test --benches` only sees that everything runs.
    if std::env::args().any(|argument| argument == "--bench") {
        println!("{:<8}{:>10}{:>10}{:>8}{:>8}", "", "raw µs", "whole µs", "ratio", "target");
        for (case, target) in &cases {
            let (raw, whole) = case.least_times();
            let ratio = whole.as_secs_f64() / raw.as_secs_f64();
            let verdict = if ratio <= *target { "" } else { "  missed" };
            let [raw, whole] = [raw, whole].map(|time| time.as_secs_f64() * 1e6);
            println!(
                "{:<8}{raw:>10.2}{whole:>10.2}{ratio:>8.3}{target:>8.2}{verdict}",
                case.algorithm.name()
            );
        }
    }
    let mut criterion =
        Criterion::default().configure_from_args().sample_size(20).measurement_time(Duration::from_secs(1));
    for (case, _) in &cases {
        criterion.bench_function(case.algorithm.name(), |bencher| bencher.iter(|| case.whole()));
    }
    criterion.bench_function("parse and admit", |bencher| bencher.iter(|| cases[2].0.admitted()));
    criterion.final_summary();
}

/// One token, and both ways to check it.
struct Case {
    algorithm: Algorithm,
    token: String,
    rules: Rules,
    key: PublicKey,
    signed: Vec<u8>,
    signature: Vec<u8>,
    raw_key: ParsedPublicKey,
}

impl Case {
    fn new(algorithm: Algorithm) -> Self {
        let token = token(algorithm, &header(algorithm), &kilobyte());
        let (signed, signature) = token.rsplit_once('.').unwrap();
        Self {
            algorithm,
            rules: rules(),
            key: make::key(algorithm),
            signed: signed.as_bytes().to_vec(),
            signature: URL_SAFE_NO_PAD.decode_to_vec(signature).unwrap(),
            raw_key: raw_key(algorithm),
            token,
        }
    }

    fn raw(&self) {
        self.raw_key.verify_sig(black_box(&self.signed), black_box(&self.signature)).unwrap();
    }

    fn whole(&self) {
        let token = Unverified::parse(black_box(&self.token), self.rules.max_token_bytes).unwrap();
        let authentic = self.rules.admit(token).unwrap().verify(&self.key).unwrap();
        black_box(authentic.claims(NOW).unwrap());
    }

    fn admitted(&self) {
        let token = Unverified::parse(black_box(&self.token), self.rules.max_token_bytes).unwrap();
        black_box(self.rules.admit(token).unwrap());
    }

    /// The least time of either, over rounds that take turns, so that both see the same weather.
    fn least_times(&self) -> (Duration, Duration) {
        const ROUNDS: usize = 60;
        const CALLS: u32 = 200;
        let time = |call: &dyn Fn()| {
            let start = Instant::now();
            (0..CALLS).for_each(|_| call());
            start.elapsed() / CALLS
        };
        let rounds: Vec<_> = (0..ROUNDS).map(|_| (time(&|| self.raw()), time(&|| self.whole()))).collect();
        (rounds.iter().map(|round| round.0).min().unwrap(), rounds.iter().map(|round| round.1).min().unwrap())
    }
}

/// Claims as a busy identity provider writes them: 1 KB of JSON.
fn kilobyte() -> Value {
    let claims = with(
        claims(),
        "realm_access",
        json!({"roles": ["sales", "offline_access", "uma_authorization", "auditor"]}),
    );
    let claims = with(
        claims,
        "resource_access",
        json!({"orders": {"roles": ["reader", "writer"]}, "account": {"roles": ["view"]}}),
    );
    let claims = with(claims, "email", json!("ada.lovelace@example.com"));
    let claims = with(claims, "email_verified", json!(true));
    let claims = with(claims, "auth_time", json!(NOW.as_secs() - 900));
    let claims = with(claims, "acr", json!("urn:example:loa:2"));
    let claims = with(claims, "sid", json!("2b0c9f6e-5f3e-4a0f-8a54-1d2f3c4b5a69"));
    let claims = with(claims, "custom", json!({"region": "emea", "tier": 3, "limits": [100, 250, 0.75]}));
    let short = claims.to_string().len() + r#","note":"""#.len();
    let claims = with(claims, "note", json!("n".repeat(1024 - short)));
    assert_eq!(claims.to_string().len(), 1024);
    claims
}

fn raw_key(algorithm: Algorithm) -> ParsedPublicKey {
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
