use aws_lc_rs::digest::{Digest, SHA256, digest};

use crate::{Admitted, Authentic, PublicKey, Thumbprint, TokenError};

/// An admitted token with the digest of all its bytes, by which a caller can tell that it has met it before.
#[derive(Debug)]
pub struct Digested<'r, 't> {
    token: Admitted<'r, 't>,
    /// SHA-256 of what the signature is over.
    signed: Digest,
    digest: TokenDigest,
}

/// SHA-256 of a whole token: of the SHA-256 of what is signed, and the signature, neither of which has two spellings. Says nothing
/// of whether the token is good.
///
/// In two steps, because most algorithms sign the first one: for these a token is digested once, not twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TokenDigest([u8; 32]);

/// That one key signed one token. Only [`Digested::verify`] makes one, and it holds for those bytes and that key alone.
///
/// It proves the signature and nothing else: claims, times and the right to use the key are checked each time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Proof {
    token: TokenDigest,
    key: Thumbprint,
}

impl<'r, 't> Admitted<'r, 't> {
    /// Digests the token.
    pub fn digested(self) -> Digested<'r, 't> {
        let signed = digest(&SHA256, self.signed.as_bytes());
        let digest = TokenDigest::of(&signed, self.decoded.signature());
        Digested { token: self, signed, digest }
    }
}

impl<'r> Digested<'r, '_> {
    /// What the token is known by.
    pub fn digest(&self) -> TokenDigest {
        self.digest
    }

    /// As [`Admitted::verify`], and gives a proof of it. Where `known` is a proof for this token and this key, it stands for the
    /// signature; any other is not looked at further.
    ///
    /// `key` must be the one that the kid names now: a proof does not make a key that was revoked a good one.
    ///
    /// # Errors
    /// As [`Admitted::verify`], whatever `known` is.
    pub fn verify(
        self,
        key: &PublicKey,
        known: Option<&Proof>,
    ) -> Result<(Authentic<'r>, Proof), TokenError> {
        let proof = Proof { token: self.digest, key: key.thumbprint() };
        let authentic = self.token.verify_where(key, |token| {
            let (signed, signature) = (token.signed.as_bytes(), token.decoded.signature());
            known == Some(&proof) || key.holds_of(signed, &self.signed, signature)
        })?;
        Ok((authentic, proof))
    }
}

impl TokenDigest {
    fn of(signed: &Digest, signature: &[u8]) -> Self {
        // In one call, which needs less memory of the library's own than a context that is fed twice.
        let digest = digest(&SHA256, &[signed.as_ref(), signature].concat());
        let mut bytes = [0; 32];
        for (to, from) in bytes.iter_mut().zip(digest.as_ref()) {
            *to = *from;
        }
        Self(bytes)
    }
}
