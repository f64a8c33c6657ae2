//! A function that stays warm for days must not grow: decisions leave the heap where it was.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test")]

mod support;

use std::alloc::System;

use drawbridge_aws_authorizer::Authorizer;
use drawbridge_verify::Algorithm;
use stats_alloc::{INSTRUMENTED_SYSTEM, StatsAlloc};
use support::{HTTP_2_0, House, PLAIN, REST_REQUEST, WITH_POLICY, answer};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// A million in a release build.
const DECISIONS: usize = if cfg!(debug_assertions) { 20_000 } else { 1_000_000 };

// One test in this binary: what others allocate at the same time would count.
#[tokio::test]
async fn many_decisions_leave_the_heap_where_it_was() {
    let house = House::new(Algorithm::ES256).await;
    let authorizer = house.authorizer().await;
    let events = events(&house).await;

    // What is kept once is not growth: keys, tokens seen, the shapes of what the allocator is asked for.
    let (allowed, denied) = decide(&authorizer, &events, 4 * events.len()).await;
    // Four times each: two good tokens in the three shapes of a route that they may take.
    assert_eq!((allowed, denied), (4 * 6, 4 * (events.len() - 6)), "both kinds of decision are made");
    let before = in_use();
    decide(&authorizer, &events, DECISIONS).await;
    let grown = in_use() - before;
    // An eighth of a byte a decision in a debug build: less than the smallest thing that one could leave behind.
    assert!(grown.abs() < 2048, "{grown} bytes after {DECISIONS} decisions");
}

/// Good and hostile, in every shape that takes another way.
async fn events(house: &House) -> Vec<Vec<u8>> {
    let good = house.token("one").await;
    let (signed, _) = good.rsplit_once('.').unwrap();
    let forged = format!("{signed}.{}", "A".repeat(86));
    let kid = good.replacen("ey", "ez", 1);
    let large = "x".repeat(20_000);
    let mut events = Vec::new();
    for shape in [
        HTTP_2_0.to_owned(),
        REST_REQUEST.to_owned(),
        HTTP_2_0.replace(PLAIN, WITH_POLICY),
        HTTP_2_0.replace(PLAIN, "/prod/regions/apac/customers"),
        HTTP_2_0.replace(PLAIN, "/prod/nowhere"),
    ] {
        for token in [&good, &house.token("two").await, &forged, &kid, &large, "a.b.c", ""] {
            events.push(shape.replace("{token}", token).into_bytes());
        }
    }
    events
}

/// How many requests were allowed, and how many denied: by an answer that says so, or by an error.
async fn decide(authorizer: &Authorizer, events: &[Vec<u8>], times: usize) -> (usize, usize) {
    let (mut allowed, mut denied) = (0, 0);
    for event in events.iter().cycle().take(times) {
        match answer(authorizer, event).await {
            Ok(answer) if allows(&answer) => allowed += 1,
            _ => denied += 1,
        }
    }
    (allowed, denied)
}

/// Of the two forms of an answer.
fn allows(answer: &[u8]) -> bool {
    let answer: serde_json::Value = serde_json::from_slice(answer).unwrap();
    let statements = answer["policyDocument"]["Statement"].as_array();
    answer["isAuthorized"] == true
        || statements
            .is_some_and(|statements| statements.iter().any(|statement| statement["Effect"] == "Allow"))
}

/// Bytes.
fn in_use() -> isize {
    let stats = ALLOCATOR.stats();
    stats.bytes_allocated.wrapping_sub(stats.bytes_deallocated).cast_signed()
}
