//! What a whole decision costs, from the bytes of API Gateway's event to the bytes of the answer, against the bare verification
//! of the token's RS256 signature by the library with a parsed key.
//!
//! `cargo bench -p drawbridge-aws-authorizer --bench decision [-- PART OF A NAME]`
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a benchmark fails by panicking, and its output is what it is for"
)]

use std::{env, hint::black_box, time::Instant};

use aws_lc_rs::signature::{ParsedPublicKey, RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use drawbridge_aws_authorizer::Authorizer;
use drawbridge_keys::KeyStore;
use drawbridge_verify::Algorithm;
use serde_json::Value;
use tokio::runtime::Runtime;

use support::{HTTP_2_0, House, PLAIN, REST_REQUEST, WITH_POLICY, answer};

#[path = "../tests/support/mod.rs"]
mod support;

/// Tokens in a round, which are new in each. Few, so that a round fits between two interruptions of a busy machine.
const TOKENS: usize = 60;

/// The first of them are not measured: what ran in between has left nothing in the processor's caches.
const WARM: usize = 10;

/// The least of so many rounds counts.
const ROUNDS: usize = 300;

fn main() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let house = runtime.block_on(House::new(Algorithm::RS256));
    let key = runtime.block_on(parsed(&house));
    let part = env::args().skip(1).find(|argument| !argument.starts_with("--")).unwrap_or_default();
    let cases: Vec<_> = CASES
        .iter()
        .filter(|case| case.name.contains(&part))
        .map(|case| (case, runtime.block_on(house.authorizer_of(case.stage_wide))))
        .collect();

    // `cargo test --benches` only sees that everything runs.
    let rounds = if env::args().any(|argument| argument == "--bench") { ROUNDS } else { 1 };
    // Of each case and of the bare verification just before it.
    let mut least = vec![(f64::INFINITY, f64::INFINITY); cases.len()];
    for round in 0..rounds {
        let tokens: Vec<_> =
            (0..TOKENS).map(|number| runtime.block_on(house.token(&format!("{round}-{number}")))).collect();
        let signed: Vec<_> = tokens.iter().map(|token| parts(token)).collect();
        // They take turns, so that all see the same weather.
        for ((case, authorizer), (least, least_bare)) in cases.iter().zip(&mut least) {
            *least_bare = least_bare.min(bare(&key, &signed));
            *least = least.min(case.decisions(&runtime, authorizer, &tokens));
        }
    }

    let least_bare = least.iter().map(|(_, bare)| *bare).fold(f64::INFINITY, f64::min);
    println!(
        "RS256, 1 KB of claims, least of {rounds} rounds of {}; bare verification {least_bare:.2} µs",
        TOKENS - WARM
    );
    println!("{:<56}{:>9}{:>8}{:>14}", "event bytes in, answer bytes out", "µs", "ratio", "target");
    let of = |name: &str| {
        cases.iter().zip(&least).find(|((case, _), _)| case.name == name).map(|(_, (least, _))| *least)
    };
    for ((case, _), (measured, bare)) in cases.iter().zip(&least) {
        let ratio = measured / bare;
        let (target, held) = match case.target {
            Target::Ratio(most) => (format!("≤ {most:.2} ×"), ratio <= most),
            Target::Micros(most) => (format!("≤ {most} µs"), *measured <= most),
            Target::MicrosMore(than, most) => {
                let Some(than) = of(than) else { continue };
                let more = measured - than;
                println!(
                    "{:<56}{more:>9.2}{:>8}{:>14}  {}",
                    case.name,
                    "",
                    format!("≤ {most} µs"),
                    said(more <= most)
                );
                continue;
            }
        };
        println!("{:<56}{measured:>9.2}{ratio:>8.3}{target:>14}  {}", case.name, said(held));
    }
}

/// What is measured, and what it ought to be.
struct Case {
    name: &'static str,
    event: &'static str,
    path: &'static str,
    /// Whether one policy answers for the whole stage.
    stage_wide: bool,
    met: Met,
    target: Target,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Met {
    First,
    Again,
}

enum Target {
    /// At most so many times the bare verification.
    Ratio(f64),
    Micros(f64),
    /// At most so many µs more than another case.
    MicrosMore(&'static str, f64),
}

const HTTP: Case = Case {
    name: "a decision, HTTP API 2.0, simple answer",
    event: HTTP_2_0,
    path: PLAIN,
    stage_wide: false,
    met: Met::First,
    target: Target::Ratio(1.5),
};
const REST: Case = Case {
    name: "a decision, REST REQUEST, policy for the route",
    event: REST_REQUEST,
    path: "/customers/42",
    ..HTTP
};
const HTTP_AGAIN: &str = "the same token again, HTTP API 2.0, simple answer";

const CASES: [Case; 7] = [
    HTTP,
    REST,
    Case { name: "a decision, REST REQUEST, policy for the stage", stage_wide: true, ..REST },
    Case { name: HTTP_AGAIN, met: Met::Again, target: Target::Micros(10.0), ..HTTP },
    Case {
        name: "the same token again, REST REQUEST, policy for the route",
        met: Met::Again,
        target: Target::Micros(10.0),
        ..REST
    },
    Case {
        name: "the same token again, REST REQUEST, policy for the stage",
        met: Met::Again,
        stage_wide: true,
        target: Target::Micros(10.0),
        ..REST
    },
    Case {
        name: "what three Cedar policies add",
        path: WITH_POLICY,
        met: Met::Again,
        target: Target::MicrosMore(HTTP_AGAIN, 5.0),
        ..HTTP
    },
];

impl Case {
    /// An event for each token, without the indentation that API Gateway does not send.
    fn events(&self, tokens: &[String]) -> Vec<Vec<u8>> {
        let path = if self.event == HTTP_2_0 { PLAIN } else { REST.path };
        let event: String = self.event.replace(path, self.path).lines().map(str::trim).collect();
        tokens.iter().map(|token| event.replace("{token}", token).into_bytes()).collect()
    }

    /// The mean time of a decision in µs.
    fn decisions(&self, runtime: &Runtime, authorizer: &Authorizer, tokens: &[String]) -> f64 {
        let events = self.events(tokens);
        let (warm, measured) = events.split_at(WARM);
        let all = async |events: &[Vec<u8>]| {
            for event in events {
                black_box(answer(authorizer, black_box(event)).await.unwrap());
            }
        };
        runtime.block_on(async {
            if self.met == Met::Again {
                all(measured).await;
            }
            all(warm).await;
            let start = Instant::now();
            all(measured).await;
            micros(start) / measured.len() as f64
        })
    }
}

/// The mean time of checking a signature with a parsed key in µs.
fn bare(key: &ParsedPublicKey, tokens: &[(Vec<u8>, Vec<u8>)]) -> f64 {
    let (warm, measured) = tokens.split_at(WARM);
    let all = |tokens: &[(Vec<u8>, Vec<u8>)]| {
        for (signed, signature) in tokens {
            key.verify_sig(black_box(signed), black_box(signature)).unwrap();
        }
    };
    all(warm);
    let start = Instant::now();
    all(measured);
    micros(start) / measured.len() as f64
}

fn micros(since: Instant) -> f64 {
    since.elapsed().as_secs_f64() * 1e6
}

/// What is signed, and the signature.
fn parts(token: &str) -> (Vec<u8>, Vec<u8>) {
    let (signed, signature) = token.rsplit_once('.').unwrap();
    (signed.as_bytes().to_vec(), URL_SAFE_NO_PAD.decode(signature).unwrap())
}

async fn parsed(house: &House) -> ParsedPublicKey {
    let jwk = house.store.public(&house.kid().parse().unwrap()).await.unwrap();
    let members: Value = serde_json::from_str(&jwk.to_json()).unwrap();
    let number = |name: &str| URL_SAFE_NO_PAD.decode(members[name].as_str().unwrap()).unwrap();
    RsaPublicKeyComponents { n: number("n"), e: number("e") }
        .to_parsed_public_key(&RSA_PKCS1_2048_8192_SHA256)
        .unwrap()
}

fn said(held: bool) -> &'static str {
    if held { "ok" } else { "missed" }
}
