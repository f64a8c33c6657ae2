//! The signing key of a running chain in a tester's hands.

use std::{path::Path, sync::Arc};

use drawbridge_keys::{KeyStore, Signer, directory::DirectoryStore};
use futures_util::FutureExt;

use crate::{chain::Chain, corpus::Forge};

/// Signs anything with the current key of one backend.
pub struct ChainForge {
    signer: Arc<dyn Signer>,
    issuer: String,
}

impl ChainForge {
    /// The key of `backend` in the chain's store.
    pub async fn open(chain: &Chain, backend: &str) -> Self {
        let config: serde_json::Value =
            serde_json::from_slice(&std::fs::read(chain.effective_config()).unwrap())
                .expect("the effective configuration is JSON");
        let issuer = config["backends"][backend]["issuer"].as_str().unwrap();
        let issuer = config["issuers"][issuer]["issuer"].as_str().unwrap().to_owned();
        Self::at(&chain.state().join("keys"), backend, &issuer).await
    }

    /// The key of `backend` in a directory store.
    pub async fn at(store: &Path, backend: &str, issuer: &str) -> Self {
        let signer = DirectoryStore::new(store).signer(&backend.parse().unwrap()).await.unwrap();
        Self { signer, issuer: issuer.to_owned() }
    }
}

impl Forge for ChainForge {
    fn kid(&self) -> String {
        self.signer.kid().to_string()
    }

    fn sign(&self, input: &str) -> Vec<u8> {
        self.signer.sign(input.as_bytes()).now_or_never().expect("a key on disk signs at once").unwrap()
    }

    fn issuer(&self) -> String {
        self.issuer.clone()
    }
}
