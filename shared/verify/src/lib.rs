//! One bridged token in, verified claims out: strict JOSE parsing, algorithms, signatures and claim rules.
//!
//! Pure: no I/O, no clock of its own, no async. Each stage hands the next a value that only it can build:
//!
//! ```text
//! &str ──Unverified::parse──▶ Unverified ──Rules::admit──▶ Admitted ──verify(key)──▶ Authentic ──claims(now)──▶ Verified
//!        bounded, strict       header rules, offline        signature held            claim rules held
//! ```
#![forbid(unsafe_code)]

mod algorithm;
mod claims;
mod error;
pub mod json;
mod jwk;
mod jws;
mod rules;
mod time;

pub use algorithm::{Algorithm, Algorithms, KeyType};
pub use claims::{Confirmation, Verified};
pub use error::{JwkError, TokenError};
pub use jwk::{JwkSet, KeyUse, PublicJwk, PublicKey, Thumbprint};
pub use jws::{Admitted, Authentic, Unverified};
pub use rules::{MediaType, Relaxation, Rules};
pub use time::UnixTime;
