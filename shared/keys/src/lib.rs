#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

mod algorithm;
mod clock;
#[cfg(any(test, feature = "conformance"))]
pub mod conformance;
mod decrypter;
mod decrypters;
pub mod directory;
mod discovery;
mod freshness;
mod http;
mod jwks;
mod kept;
mod kid;
mod pair;
mod private;
mod resolver;
mod source;
mod store;
mod unchanged;
mod unwraps;

pub use algorithm::KeyAlgorithm;
pub use clock::{Clock, SystemClock};
pub use decrypters::Decrypters;
pub use discovery::Discovery;
pub use http::{HttpClient, RemoteError};
pub use jwks::JwksUrl;
pub use kept::{Keeping, Kept, KeptByKid};
pub use kid::{BackendName, Kid, KidError, Version};
pub use private::PrivateJwk;
pub use resolver::{KeyLimits, ResolveError, Resolver};
pub use source::{Fetched, KeySource, STORE, SourceError, StoreSource};
pub use store::{Decrypter, KeyState, KeyStore, KeyVersion, RETIRE_AFTER, Signer, StoreError};
