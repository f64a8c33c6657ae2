use aws_lc_rs::{digest::Digest, signature::ParsedPublicKey};

use crate::{Algorithm, Algorithms, JwkError, PublicJwk, Thumbprint, jwk::Named};

/// A public key ready to verify: parsed once, bound to one kid and one algorithm.
#[derive(Debug)]
pub struct PublicKey {
    kid: String,
    algorithm: Algorithm,
    thumbprint: Thumbprint,
    signature_length: usize,
    key: ParsedPublicKey,
}

impl PublicKey {
    /// Binds a JWK to the kid it was asked for and to its one algorithm.
    ///
    /// The JWK's `alg` must be in `allowed`. Where it has none and `without_alg` is set, the single member of `allowed` that
    /// fits the key type is taken; none or several is an error. Of `use`, `key_ops` and `alg` at least one must say that the
    /// key is for signatures, and none that it is for something else.
    ///
    /// # Errors
    /// `WrongUse`, `AlgorithmNotAllowed`, `Weak`, `Malformed` when the JWK's kid is not `kid`.
    pub fn bind(
        jwk: &PublicJwk,
        kid: &str,
        allowed: Algorithms,
        without_alg: bool,
    ) -> Result<Self, JwkError> {
        if jwk.kid() != Some(kid) {
            return Err(JwkError::Malformed("the kid is not the one that was asked for"));
        }
        if !jwk.may_verify() {
            return Err(JwkError::WrongUse);
        }
        let fits =
            |algorithm: &Algorithm| algorithm.key_type() == jwk.key_type() && allowed.contains(*algorithm);
        let algorithm = match jwk.algorithm {
            Named::Signature(algorithm) => Some(algorithm).filter(fits),
            Named::Nothing if without_alg => {
                let mut fitting = allowed.iter().filter(fits);
                fitting.next().filter(|_| fitting.next().is_none())
            }
            Named::Nothing | Named::KeyManagement(_) | Named::Other(_) => None,
        };
        let algorithm = algorithm.ok_or(JwkError::AlgorithmNotAllowed)?;
        Ok(Self {
            kid: kid.to_owned(),
            algorithm,
            thumbprint: jwk.thumbprint(),
            signature_length: jwk.material.signature_length(),
            key: jwk.material.verifier(algorithm)?,
        })
    }

    /// The kid.
    pub fn kid(&self) -> &str {
        &self.kid
    }

    /// The algorithm.
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// RFC 7638.
    pub fn thumbprint(&self) -> Thumbprint {
        self.thumbprint
    }

    /// Whether `signature` is this key's over `message`.
    pub(crate) fn holds(&self, message: &[u8], signature: &[u8]) -> bool {
        signature.len() == self.signature_length && self.key.verify_sig(message, signature).is_ok()
    }

    /// As [`holds`](Self::holds), for who has the SHA-256 of the message: where the algorithm signs that, it is not made again.
    pub(crate) fn holds_of(&self, message: &[u8], sha256: &Digest, signature: &[u8]) -> bool {
        match self.algorithm {
            Algorithm::RS256 | Algorithm::PS256 | Algorithm::ES256 => {
                signature.len() == self.signature_length
                    && self.key.verify_digest_sig(sha256, signature).is_ok()
            }
            _ => self.holds(message, signature),
        }
    }
}
