//! Content encryption (RFC 7518 section 5): AES-GCM, and AES-CBC with an HMAC over everything that was sent.

use std::fmt;

use aws_lc_rs::{
    aead::{AES_128_GCM, AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey},
    cipher::{
        AES_128, AES_256, DecryptionContext, EncryptionContext, PaddedBlockDecryptingKey,
        PaddedBlockEncryptingKey, UnboundCipherKey,
    },
    constant_time,
    error::Unspecified,
    hmac,
    iv::FixedLength,
    rand,
};
use zeroize::{Zeroize, Zeroizing};

use super::ContentEncryption;

/// The key of one token's content: wiped when dropped, never printed.
pub struct ContentKey(Zeroizing<Vec<u8>>);

impl ContentKey {
    /// A key that a vault unwrapped. Its length is checked where it is used.
    pub fn new(bytes: Zeroizing<Vec<u8>>) -> Self {
        Self(bytes)
    }

    /// A new key.
    pub(crate) fn random(encryption: ContentEncryption) -> Result<Self, Unspecified> {
        let mut bytes = Zeroizing::new(vec![0; encryption.key_length()]);
        rand::fill(&mut bytes)?;
        Ok(Self(bytes))
    }

    /// `key` where it has the length for `encryption`; otherwise a random one (RFC 7516 section 11.5), which is made in every case, so
    /// that the two cases differ in nothing but the bytes. Should the generator ever fail it is empty, which no encryption takes.
    pub(crate) fn or_decoy(encryption: ContentEncryption, key: Option<Zeroizing<Vec<u8>>>) -> Self {
        let decoy = Self::random(encryption).unwrap_or_else(|_| Self(Zeroizing::default()));
        key.filter(|key| key.len() == encryption.key_length()).map_or(decoy, Self)
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for ContentKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ContentKey").finish_non_exhaustive()
    }
}

/// Authenticates and decrypts in place. Nothing tells one failure from another.
pub(crate) fn open(
    encryption: ContentEncryption,
    key: &ContentKey,
    protected: &[u8],
    iv: &[u8],
    ciphertext: Vec<u8>,
    tag: &[u8],
) -> Option<Zeroizing<Vec<u8>>> {
    let mut content = Zeroizing::new(ciphertext);
    let length = match Cipher::new(encryption, key)? {
        Cipher::Gcm(key) => {
            let nonce = Nonce::try_assume_unique_for_key(iv).ok()?;
            // The library takes shorter tags than JWA does.
            let tag = Some(tag).filter(|tag| tag.len() == GCM_TAG)?;
            key.open_in_place_separate_tag(nonce, Aad::from(protected), tag, &mut content).ok()?.len()
        }
        Cipher::CbcHmac { mac, mac_length, key } => {
            let iv: [u8; CBC_IV] = iv.try_into().ok()?;
            let expected = tag_of(&mac, protected, &iv, &content);
            constant_time::verify_slices_are_equal(expected.as_ref().get(..mac_length)?, tag).ok()?;
            let key = PaddedBlockDecryptingKey::cbc_pkcs7(key).ok()?;
            key.decrypt(&mut content, DecryptionContext::Iv128(FixedLength::from(iv))).ok()?.len()
        }
    };
    content.truncate(length);
    Some(content)
}

/// Encrypts under a key that is used once. Answers IV, ciphertext and tag.
pub(crate) fn seal(
    encryption: ContentEncryption,
    key: &ContentKey,
    protected: &[u8],
    plain: &[u8],
) -> Option<(Vec<u8>, Vec<u8>, Vec<u8>)> {
    match Cipher::new(encryption, key)? {
        Cipher::Gcm(key) => {
            let mut iv = [0; GCM_IV];
            rand::fill(&mut iv).ok()?;
            let mut content = plain.to_vec();
            let nonce = Nonce::assume_unique_for_key(iv);
            let tag = key.seal_in_place_separate_tag(nonce, Aad::from(protected), &mut content).ok()?;
            Some((iv.to_vec(), content, tag.as_ref().to_vec()))
        }
        Cipher::CbcHmac { mac, mac_length, key } => {
            let mut iv = [0; CBC_IV];
            rand::fill(&mut iv).ok()?;
            // Room for the padding, so that no copy of the plain text is left behind by growing.
            let mut content = Vec::with_capacity(plain.len() + CBC_IV);
            content.extend_from_slice(plain);
            let encrypting = PaddedBlockEncryptingKey::cbc_pkcs7(key).ok()?;
            let context = EncryptionContext::Iv128(FixedLength::from(iv));
            if encrypting.less_safe_encrypt(&mut content, context).is_err() {
                content.zeroize();
                return None;
            }
            let tag = tag_of(&mac, protected, &iv, &content);
            let tag = tag.as_ref().get(..mac_length)?.to_vec();
            Some((iv.to_vec(), content, tag))
        }
    }
}

/// A content key, made ready; none when it has the wrong length.
#[allow(clippy::large_enum_variant, reason = "one stands on the stack for the time of one call")]
enum Cipher {
    Gcm(LessSafeKey),
    CbcHmac { mac: hmac::Key, mac_length: usize, key: UnboundCipherKey },
}

impl Cipher {
    fn new(encryption: ContentEncryption, key: &ContentKey) -> Option<Self> {
        let key = Some(key.as_bytes()).filter(|key| key.len() == encryption.key_length())?;
        let gcm =
            |algorithm| UnboundKey::new(algorithm, key).ok().map(|key| Self::Gcm(LessSafeKey::new(key)));
        // RFC 7518 section 5.2.2.1: the first half authenticates, the second encrypts, and the tag is half the HMAC.
        let cbc = |cipher, digest| {
            let (mac, encrypting) = key.split_at_checked(key.len() / 2)?;
            let key = UnboundCipherKey::new(cipher, encrypting).ok()?;
            Some(Self::CbcHmac { mac: hmac::Key::new(digest, mac), mac_length: mac.len(), key })
        };
        match encryption {
            ContentEncryption::A128Gcm => gcm(&AES_128_GCM),
            ContentEncryption::A256Gcm => gcm(&AES_256_GCM),
            ContentEncryption::A128CbcHs256 => cbc(&AES_128, hmac::HMAC_SHA256),
            ContentEncryption::A256CbcHs512 => cbc(&AES_256, hmac::HMAC_SHA512),
        }
    }
}

/// The HMAC over protected header, IV, ciphertext and the header's length in bits (RFC 7518 section 5.2.2.1).
fn tag_of(mac: &hmac::Key, protected: &[u8], iv: &[u8], ciphertext: &[u8]) -> hmac::Tag {
    let bits = (protected.len() as u64).saturating_mul(8);
    let mut context = hmac::Context::with_key(mac);
    for part in [protected, iv, ciphertext, &bits.to_be_bytes()] {
        context.update(part);
    }
    context.sign()
}

const GCM_IV: usize = 12;
const GCM_TAG: usize = 16;
const CBC_IV: usize = 16;
