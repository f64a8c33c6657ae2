//! Tokens in an envelope: signed, and encrypted to the backend (RFC 7519 section 11.2).

use std::{net::IpAddr, time::Duration};

use drawbridge_config::Encryption;
use drawbridge_keys::Decrypters;
use drawbridge_verify::jwe::{Jwe, Nested};
use tokio::time::timeout;

use crate::{Reason, refusal::Refusal};

/// Whether tokens come in envelopes, and the keys that open them.
pub(crate) enum Decryption {
    /// They do not. The parser of signed tokens says so.
    Refused,
    /// They may.
    Accepted(Keys),
    /// They must.
    Required(Keys),
}

/// None where the gate stands over keys that were made to be tried.
pub(crate) type Keys = Option<Decrypters>;

impl Decryption {
    /// What the configuration says of it.
    pub(crate) fn encryption(&self) -> Encryption {
        match self {
            Self::Refused => Encryption::Refused,
            Self::Accepted(_) => Encryption::Accepted,
            Self::Required(_) => Encryption::Required,
        }
    }

    /// Opens an envelope; None for a token without one. What was inside has everything to prove still.
    ///
    /// The kid is checked before the store is asked, and the algorithm is that of the key. From the encrypted key on there is
    /// one reason for everything.
    pub(crate) async fn open(
        &self,
        token: &str,
        max_bytes: usize,
        peer: Option<IpAddr>,
    ) -> Result<Option<Nested>, Refusal> {
        let sealed = || token.split('.').nth(SIGNED).is_some();
        let keys = match self {
            Self::Refused => return Ok(None),
            Self::Accepted(keys) | Self::Required(keys) if sealed() => keys,
            Self::Accepted(_) => return Ok(None),
            Self::Required(_) => return Err(Reason::TokenEncryptionRequired.into()),
        };
        let opened = match keys {
            Some(keys) => open(keys, token, max_bytes, peer).await,
            None => Err(Refusal::because(Reason::KeyUnavailable, &"there is no store to decrypt with")),
        };
        opened.map(Some).map_err(Refusal::of_envelope)
    }
}

async fn open(
    keys: &Decrypters,
    token: &str,
    max_bytes: usize,
    peer: Option<IpAddr>,
) -> Result<Nested, Refusal> {
    let token = Jwe::parse(token, max_bytes)?;
    let decrypter = keys.resolve(token.kid(), peer).await?;
    let token = token.admit(decrypter.recipient())?;
    let unavailable = |why: &dyn ToString| Refusal::because(Reason::KeyUnavailable, &why.to_string());
    let key = timeout(UNWRAP, decrypter.unwrap(&token))
        .await
        .map_err(|_| unavailable(&"the key store did not unwrap in time"))?
        .map_err(|error| unavailable(&error))?;
    Ok(token.open(key)?)
}

/// Whatever has more segments than a signed token and its like is taken for an encrypted one, which has five.
const SIGNED: usize = 4;

/// How long a vault may take.
const UNWRAP: Duration = Duration::from_secs(3);
