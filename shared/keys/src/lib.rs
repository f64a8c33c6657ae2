//! Which key a kid names: the kid grammar, where public keys come from, the caching resolver, and where private keys live.
#![forbid(unsafe_code)]

pub mod directory;
mod clock;
mod jwks;
mod kid;
mod private;
mod resolver;
mod source;
mod store;

pub use clock::{Clock, SystemClock};
pub use jwks::{HttpClient, JwksUrl, Discovery, RemoteError};
pub use kid::{BackendName, Kid, KidError, Version};
pub use private::{KeyAlgorithm, PrivateJwk};
pub use resolver::{KeyLimits, ResolveError, Resolver};
pub use source::{Fetched, KeySource, SourceError, StoreSource};
pub use store::{KeyState, KeyStore, KeyVersion, Signer, StoreError};
