//! What a whole decision costs, from the bytes of API Gateway's event to the bytes of the answer, against the bare verification
//! of the token's RS256 signature by the library with a parsed key.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a benchmark fails by panicking, and its output is what it is for"
)]

use std::{hint::black_box, time::Instant};

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

/// Different tokens in a round; each round has an authorizer that has seen none of them.
const TOKENS: usize = 200;

fn main() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let house = runtime.block_on(House::new(Algorithm::RS256));
    let tokens: Vec<_> =
        (0..TOKENS).map(|number| runtime.block_on(house.token(&number.to_string()))).collect();
    let events = |event: &str| -> Vec<Vec<u8>> {
        tokens.iter().map(|token| event.replace("{token}", token).into_bytes()).collect()
    };
    let (http, rest) = (events(HTTP_2_0), events(REST_REQUEST));
    let policy = events(&HTTP_2_0.replace(PLAIN, WITH_POLICY));
    let bare = runtime.block_on(bare(&house, &tokens));

    // `cargo test --benches` only sees that everything runs.
    let rounds = if std::env::args().any(|argument| argument == "--bench") { 60 } else { 1 };
    let mut least = [f64::INFINITY; 6];
    for _ in 0..rounds {
        // They take turns, so that all see the same weather.
        let round = [
            time(&bare),
            decisions(&runtime, &house, &http, Met::First),
            decisions(&runtime, &house, &rest, Met::First),
            decisions(&runtime, &house, &http, Met::Again),
            decisions(&runtime, &house, &rest, Met::Again),
            decisions(&runtime, &house, &policy, Met::Again),
        ];
        least.iter_mut().zip(round).for_each(|(least, round)| *least = least.min(round));
    }
    let [bare, http, rest, http_again, rest_again, policy_again] = least;

    println!("RS256, 1 KB of claims, least of {rounds} rounds of {TOKENS}; bare verification {bare:.2} µs");
    println!("{:<52}{:>10}{:>8}{:>12}", "event bytes in, answer bytes out", "µs", "ratio", "target");
    let ratio = |name: &str, measured: f64| {
        let ratio = measured / bare;
        println!("{name:<52}{measured:>10.2}{ratio:>8.3}{:>12}{}", "ratio 1.50", missed(ratio > 1.5));
    };
    ratio("a decision, HTTP API 2.0, simple answer", http);
    ratio("a decision, REST REQUEST, policy as answer", rest);
    let most = |name: &str, measured: f64, target: f64| {
        println!("{name:<52}{measured:>10.2}{:>8}{target:>9} µs{}", "", missed(measured > target));
    };
    most("the same token again, HTTP API 2.0", http_again, 10.0);
    most("the same token again, REST REQUEST", rest_again, 10.0);
    most("what three Cedar policies add", policy_again - http_again, 5.0);
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Met {
    First,
    Again,
}

/// The mean time of a decision in µs.
fn decisions(runtime: &Runtime, house: &House, events: &[Vec<u8>], met: Met) -> f64 {
    let authorizer: Authorizer = runtime.block_on(house.authorizer());
    let all = async || {
        for event in events {
            black_box(answer(&authorizer, black_box(event)).await.unwrap());
        }
    };
    runtime.block_on(async {
        if met == Met::Again {
            all().await;
        }
        let start = Instant::now();
        all().await;
        start.elapsed().as_secs_f64() * 1e6 / events.len() as f64
    })
}

fn time(call: impl Fn(usize)) -> f64 {
    let start = Instant::now();
    (0..TOKENS).for_each(call);
    start.elapsed().as_secs_f64() * 1e6 / TOKENS as f64
}

/// The signatures of the tokens, checked with a parsed key.
async fn bare(house: &House, tokens: &[String]) -> impl Fn(usize) {
    let jwk = house.store.public(&house.kid().parse().unwrap()).await.unwrap();
    let members: Value = serde_json::from_str(&jwk.to_json()).unwrap();
    let number = |name: &str| URL_SAFE_NO_PAD.decode(members[name].as_str().unwrap()).unwrap();
    let key: ParsedPublicKey = RsaPublicKeyComponents { n: number("n"), e: number("e") }
        .to_parsed_public_key(&RSA_PKCS1_2048_8192_SHA256)
        .unwrap();
    let tokens: Vec<_> = tokens
        .iter()
        .map(|token| {
            let (signed, signature) = token.rsplit_once('.').unwrap();
            (signed.as_bytes().to_vec(), URL_SAFE_NO_PAD.decode(signature).unwrap())
        })
        .collect();
    move |token| {
        let (signed, signature) = &tokens[token];
        key.verify_sig(black_box(signed), black_box(signature)).unwrap();
    }
}

fn missed(missed: bool) -> &'static str {
    if missed { "  missed" } else { "" }
}
