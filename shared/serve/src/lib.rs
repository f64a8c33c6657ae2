//! What every function that is a process does: it listens within bounds, and writes log lines.
//!
//! Both are for a process with one client that is trusted to be itself (a gateway, a Functions host) and not to be kind.
#![forbid(unsafe_code)]
#![warn(missing_docs)]

pub mod log;
mod server;

pub use server::{MAX_HEADERS, serve};
