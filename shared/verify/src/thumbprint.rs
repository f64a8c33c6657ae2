use std::{fmt, str::FromStr};

use aws_lc_rs::digest;

use crate::{JwkError, base64};

/// RFC 7638 SHA-256 thumbprint of a public key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Thumbprint([u8; 32]);

impl Thumbprint {
    /// Digests the required members of a JWK, in lexical order and without white space (RFC 7638 section 3).
    pub(crate) fn of(members: &str) -> Self {
        let mut bytes = [0; 32];
        for (to, from) in bytes.iter_mut().zip(digest::digest(&digest::SHA256, members.as_bytes()).as_ref()) {
            *to = *from;
        }
        Self(bytes)
    }

    /// The digest itself.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl FromStr for Thumbprint {
    type Err = JwkError;

    /// Reads base64url without padding, 43 characters.
    fn from_str(text: &str) -> Result<Self, JwkError> {
        let bytes = base64::decode(text).and_then(|bytes| bytes.try_into().ok());
        bytes.map(Self).ok_or(JwkError::Malformed("not the SHA-256 thumbprint of a key"))
    }
}

impl fmt::Display for Thumbprint {
    /// base64url without padding.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&base64::encode(&self.0))
    }
}
