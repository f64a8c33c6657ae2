//! The private-key side: claim mapping, minting bridged tokens, and the key endpoint that answers one kid at a time.
#![forbid(unsafe_code)]

mod bridge;
mod endpoint;
mod mint;

pub use bridge::{Bridge, BridgeError, Bridged};
pub use endpoint::{KeyAnswer, KeyEndpoint};
pub use mint::{Minter, Mapping};
