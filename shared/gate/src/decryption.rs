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
    let key = timeout(UNWRAP, keys.unwrap(decrypter.as_ref(), &token, peer))
        .await
        .map_err(|_| unavailable(&"the key store did not unwrap in time"))?
        .map_err(|error| unavailable(&error))?;
    let opened = token.open(key);
    if opened.is_err() {
        keys.did_not_open(decrypter.as_ref(), peer);
    }
    Ok(opened?)
}

/// Whatever has more segments than a signed token and its like is taken for an encrypted one, which has five.
const SIGNED: usize = 4;

/// How long a vault may take, and waiting for one's turn to ask it.
const UNWRAP: Duration = Duration::from_secs(3);

#[cfg(test)]
mod tests {
    use std::sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    };

    use async_trait::async_trait;
    use drawbridge_keys::{
        BackendName, Decrypter, KeyAlgorithm, KeyLimits, KeyStore, KeyVersion, Kid, PrivateJwk, Signer,
        StoreError,
    };
    use drawbridge_verify::{
        KeyUse, PublicJwk,
        jwe::{ContentEncryption, ContentKey, EncryptionKey, KeyManagement, Recipient, Sealed},
    };

    use super::*;

    const KID: &str = "vault.enc.1";

    /// A store with one key that never leaves it, which counts how many tokens it is unwrapping.
    struct Vault {
        key: Arc<PrivateJwk>,
        at_once: Arc<AtomicUsize>,
        most_at_once: Arc<AtomicUsize>,
    }

    struct Remote {
        key: Arc<dyn Decrypter>,
        at_once: Arc<AtomicUsize>,
        most_at_once: Arc<AtomicUsize>,
    }

    #[async_trait]
    impl Decrypter for Remote {
        fn recipient(&self) -> &Recipient {
            self.key.recipient()
        }
        async fn unwrap(&self, sealed: &Sealed<'_>) -> Result<ContentKey, StoreError> {
            let at_once = self.at_once.fetch_add(1, Ordering::Relaxed) + 1;
            self.most_at_once.fetch_max(at_once, Ordering::Relaxed);
            tokio::time::sleep(Duration::from_millis(5)).await;
            self.at_once.fetch_sub(1, Ordering::Relaxed);
            self.key.unwrap(sealed).await
        }
    }

    #[async_trait]
    impl KeyStore for Vault {
        async fn decrypter(&self, kid: &Kid) -> Result<Arc<dyn Decrypter>, StoreError> {
            let key = self.key.decrypter(kid)?;
            let (at_once, most_at_once) = (Arc::clone(&self.at_once), Arc::clone(&self.most_at_once));
            Ok(Arc::new(Remote { key, at_once, most_at_once }))
        }
        async fn public(&self, _: &Kid) -> Result<PublicJwk, StoreError> {
            Err(StoreError::NotFound)
        }
        async fn signer(&self, _: &BackendName) -> Result<Arc<dyn Signer>, StoreError> {
            Err(StoreError::NotFound)
        }
        async fn versions(&self, _: &BackendName, _: KeyUse) -> Result<Vec<KeyVersion>, StoreError> {
            Ok(Vec::new())
        }
        async fn backends(&self) -> Result<Vec<BackendName>, StoreError> {
            Ok(Vec::new())
        }
        async fn create(&self, _: &BackendName, _: KeyUse, _: KeyAlgorithm) -> Result<Kid, StoreError> {
            Err(StoreError::Exists)
        }
        async fn rotate(&self, _: &BackendName, _: KeyUse) -> Result<Kid, StoreError> {
            Err(StoreError::NotFound)
        }
        async fn revoke(&self, _: &Kid) -> Result<(), StoreError> {
            Err(StoreError::NotFound)
        }
    }

    #[tokio::test]
    async fn a_peer_that_sends_forged_envelopes_gets_two_places_in_the_vault_and_another_the_rest() {
        let key = PrivateJwk::generate(KeyAlgorithm::from(KeyManagement::EcdhEsA256Kw)).unwrap();
        let vault = Vault { key: Arc::new(key), at_once: Arc::default(), most_at_once: Arc::default() };
        let most_at_once = Arc::clone(&vault.most_at_once);
        let public = vault.key.published(&KID.parse().unwrap());
        let good = EncryptionKey::bind(&public, KID, ContentEncryption::A256Gcm).unwrap().encrypt("a.b.c");
        let good = good.unwrap();
        // Another tag of the right length.
        let forged = format!("{}.{}", good.rsplit_once('.').unwrap().0, "A".repeat(22));
        let keys = Decrypters::new(Arc::new(vault), "vault".parse().unwrap(), &KeyLimits::default());
        let gate = Decryption::Required(Some(keys));
        let (forger, other) = (Some([192, 0, 2, 66].into()), Some([192, 0, 2, 1].into()));
        let opened = async |token: &str, peer: Option<IpAddr>| match gate.open(token, 8192, peer).await {
            Ok(_) => Reason::Allowed,
            Err(refusal) => refusal.reason,
        };
        for _ in 0..21 {
            assert_eq!(opened(&forged, forger).await, Reason::TokenDecryptionFailed);
            assert_eq!(opened(&good, other).await, Reason::Allowed);
        }
        for (peer, expected) in [(forger, 2), (other, 8)] {
            most_at_once.store(0, Ordering::Relaxed);
            let all = [(); 8].map(|()| opened(&good, peer));
            let [a, b, c, d, e, f, g, h] = all;
            let all = tokio::join!(a, b, c, d, e, f, g, h);
            assert_eq!(all.0, Reason::Allowed);
            assert_eq!(all.7, Reason::Allowed, "nobody is turned away");
            assert_eq!(most_at_once.load(Ordering::Relaxed), expected);
        }
    }
}
