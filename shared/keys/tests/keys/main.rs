//! What the crate promises, one file for each part.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "tests"
)]

mod attacks;
mod decrypters;
mod directory;
mod discovery;
mod http;
mod private;
mod resolver;
mod store_source;
mod support;
mod unwraps;
