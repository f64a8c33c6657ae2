//! The attack classes, each a test by its number, against running gateways of both clouds and the edge.
//!
//! What is wrong with each request is only what its name says: the tokens are signed with the real keys, and the same request
//! without the attack is let through. Every refusal is checked for its status and for the reason on record.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "test code: what breaks must fail loudly"
)]

mod encryption;
mod failures;
mod house;
mod keys;
mod parts;
mod requests;
mod rsa;
mod tokens;
