#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

mod algorithm;
mod base64;
mod claims;
mod error;
mod header;
pub mod json;
pub mod jwe;
mod jwk;
mod jwk_set;
mod jws;
mod material;
mod proof;
mod public_key;
mod rules;
mod thumbprint;
mod time;
#[cfg(test)]
mod vectors;

pub use algorithm::{Algorithm, Algorithms, KeyType};
pub use claims::{Confirmation, Verified};
pub use error::{JwkError, TokenError};
pub use jwk::{KeyUse, PublicJwk};
pub use jwk_set::JwkSet;
pub use jws::{Admitted, Authentic, Unverified};
pub use proof::{Digested, Proof, TokenDigest};
pub use public_key::PublicKey;
pub use rules::{MediaType, Relaxation, Rules, is_kid};
pub use thumbprint::Thumbprint;
pub use time::UnixTime;
