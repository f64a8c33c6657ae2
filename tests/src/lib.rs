//! The harness of the end-to-end tests: starts the real processes and the real parts, and speaks HTTP to them.
//!
//! Everything listens on loopback ports that the harness or the process picks, and is ended by its process id.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::print_stderr,
    reason = "this crate is test code: a broken harness must fail loudly"
)]

pub mod binary;
pub mod chain;
pub mod corpus;
pub mod forge;
pub mod http;
pub mod key_vault;
pub mod parts;
pub mod tls;
