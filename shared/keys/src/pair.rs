use aws_lc_rs::{
    rand::SystemRandom,
    rsa::KeyPair as RsaKeyPair,
    signature::{
        EcdsaKeyPair, Ed25519KeyPair, RSA_PKCS1_SHA256, RSA_PKCS1_SHA384, RSA_PKCS1_SHA512, RSA_PSS_SHA256,
        RSA_PSS_SHA384, RSA_PSS_SHA512, RsaEncoding,
    },
};
use drawbridge_verify::Algorithm;

use crate::StoreError;

/// A key pair as AWS-LC keeps it, which wipes it when it is freed.
pub(crate) enum Pair {
    Rsa(RsaKeyPair, &'static dyn RsaEncoding),
    Ecdsa(EcdsaKeyPair),
    Ed25519(Ed25519KeyPair),
}

impl Pair {
    pub(crate) fn rsa(algorithm: Algorithm, pair: RsaKeyPair) -> Result<Self, StoreError> {
        let encoding: &'static dyn RsaEncoding = match algorithm {
            Algorithm::RS256 => &RSA_PKCS1_SHA256,
            Algorithm::RS384 => &RSA_PKCS1_SHA384,
            Algorithm::RS512 => &RSA_PKCS1_SHA512,
            Algorithm::PS256 => &RSA_PSS_SHA256,
            Algorithm::PS384 => &RSA_PSS_SHA384,
            Algorithm::PS512 => &RSA_PSS_SHA512,
            _ => return Err(StoreError::Malformed("`alg` is not one of RSA".to_owned())),
        };
        Ok(Self::Rsa(pair, encoding))
    }

    /// The JWS signature: PKCS#1 v1.5 or PSS with a salt as long as the digest, r||s of fixed length, or RFC 8032.
    pub(crate) fn sign(&self, input: &[u8]) -> Result<Vec<u8>, StoreError> {
        let random = SystemRandom::new();
        let signature = match self {
            Self::Rsa(pair, encoding) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(*encoding, &random, input, &mut signature).map(|()| signature)
            }
            Self::Ecdsa(pair) => pair.sign(&random, input).map(|signature| signature.as_ref().to_vec()),
            Self::Ed25519(pair) => pair.try_sign(input).map(|signature| signature.as_ref().to_vec()),
        };
        signature.map_err(|_| StoreError::Unavailable("the signature could not be made".to_owned()))
    }
}
