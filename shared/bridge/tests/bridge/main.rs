//! What the bridge and the key endpoint promise, over real keys in a directory.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

mod binding;
mod bridging;
mod endpoint;
mod exchange;
mod laws;
mod sealing;
mod signing;
mod support;
