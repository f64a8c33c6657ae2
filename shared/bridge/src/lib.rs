#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]
#![warn(missing_docs)]

mod binding;
mod bridge;
mod endpoint;
mod limit;
mod mint;
mod sealing;
mod signing;
mod stores;

pub use bridge::{Bridge, BridgeError, Bridged, Exchange};
pub use endpoint::{KeyAnswer, KeyEndpoint};
pub use mint::{Claims, Mapping, MappingError, MintError, Minter, MinterError, Refused};
