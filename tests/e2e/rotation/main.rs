//! A rotation in the midst of traffic, and a revocation after it, in each cloud: the bridge signs with the cloud's store, the gate
//! verifies over the key endpoint.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "test code: what breaks must fail loudly"
)]

mod aws;
mod azure;
mod load;
mod world;
