//! One HTTP request streamed to an upstream and its answer streamed back, by the rules that every gateway here keeps.
//!
//! * Hop-by-hop headers end at this hop, in both directions, with every header that `Connection` names (RFC 9110 section 7.6.1).
//!   They go before the gateway's own headers are set, so that `Connection: x-drawbridge-sub` cannot take one of those away.
//!   Trailers end here too (RFC 9110 section 6.5.1).
//! * The client's copies of what gateways say (`x-drawbridge-*`, also with `_` for `-`, which many servers read as the same name)
//!   never pass (CVE-2025-64484, CVE-2026-40575), nor do its claims about where a request came from (`Forwarded`,
//!   `X-Forwarded-*`, `X-Original-*`, `X-Real-IP`, `Client-Cert*`).
//! * The path that was authorised is the path that is sent: one that the URL parser would rewrite is refused.
//! * No redirect is followed, no request sent twice, no proxy of the environment used, no body kept in memory.
//! * An exchange in which nothing moves is given up, and one whose client goes away ends with it.
#![forbid(unsafe_code)]
#![warn(missing_docs)]

mod activity;
mod body;
mod error;
mod forward;
mod headers;

pub use body::{AnswerBody, BodyError};
pub use error::ForwardError;
pub use forward::{Forward, builder, client, exchange, forward};
pub use headers::{strip, strip_hop_by_hop, strip_provenance};

use std::time::Duration;

/// How long an exchange may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// How long nothing may move in either direction, before the answer's head and after.
    pub idle: Duration,
    /// How long all of it may take; None is as long as something moves.
    pub total: Option<Duration>,
}

impl Limits {
    /// As long as something moves at least every `idle`.
    pub const fn idle(idle: Duration) -> Self {
        Self { idle, total: None }
    }
}
