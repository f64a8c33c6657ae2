use std::sync::Arc;

use drawbridge_verify::{Algorithms, KeyUse, PublicJwk, PublicKey, Thumbprint, is_kid};

use super::ResolveError;
use crate::{BackendName, Kid};

/// Which kids are asked for, and which keys are used.
pub(super) struct Admission {
    pub(super) own: Option<BackendName>,
    pub(super) algorithms: Algorithms,
    pub(super) without_alg: bool,
    pub(super) pinned: Vec<Thumbprint>,
}

impl Admission {
    /// What can be said of a kid before anything is asked.
    pub(super) fn name(&self, kid: &str) -> Result<(), ResolveError> {
        let Some(own) = &self.own else {
            return if is_kid(kid) { Ok(()) } else { Err(ResolveError::Unknown) };
        };
        match kid.parse::<Kid>() {
            Ok(kid) if kid.backend == *own && kid.key_use == KeyUse::Signing => Ok(()),
            _ => Err(ResolveError::Foreign),
        }
    }

    /// Makes the key ready to verify, or says why it may not be used.
    pub(super) fn key(&self, jwk: &PublicJwk, kid: &str) -> Result<Arc<PublicKey>, String> {
        let key = PublicKey::bind(jwk, kid, self.algorithms, self.without_alg)
            .map_err(|error| error.to_string())?;
        if !self.pinned.is_empty() && !self.pinned.contains(&key.thumbprint()) {
            return Err("its thumbprint is not one of the pinned ones".to_owned());
        }
        Ok(Arc::new(key))
    }
}
