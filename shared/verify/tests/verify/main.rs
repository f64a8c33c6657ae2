//! What the crate promises, tried through its public interface.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod attacks;
mod claims;
mod forged;
mod json;
mod jwe;
mod keys;
mod make;
mod proof;
mod properties;
mod published;
mod second_opinion;
mod tokens;
