//! Whether a new key does what it is for.

use std::time::Duration;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD as BASE64URL};
use drawbridge_keys::{KeyAlgorithm, Kid, PrivateJwk};
use drawbridge_verify::{
    Algorithm, MediaType, PublicKey, Rules, Unverified,
    jwe::{ContentEncryption, EncryptionKey, Jwe},
};

use super::RotationError;

/// Signs and verifies, or encrypts and decrypts, through the same code as the bridge and the gates.
pub(super) async fn works(key: &PrivateJwk, kid: &Kid) -> Result<(), RotationError> {
    let proven = match key.algorithm() {
        KeyAlgorithm::Signature(algorithm) => {
            verifies(&signed(key, kid, algorithm).await?, key, kid, algorithm)
        }
        KeyAlgorithm::Encryption(..) => decrypts(key, kid).await?,
        _ => None,
    };
    proven.ok_or(RotationError::Broken)
}

async fn signed(key: &PrivateJwk, kid: &Kid, algorithm: Algorithm) -> Result<String, RotationError> {
    let header = format!(r#"{{"alg":"{algorithm}","typ":"{TYPE}","kid":"{kid}"}}"#);
    let input = format!("{}.{}", BASE64URL.encode(header), BASE64URL.encode("{}"));
    let signature = key.signer(kid.clone())?.sign(input.as_bytes()).await?;
    Ok(format!("{input}.{}", BASE64URL.encode(signature)))
}

fn verifies(token: &str, key: &PrivateJwk, kid: &Kid, algorithm: Algorithm) -> Option<()> {
    let algorithms = [algorithm].into_iter().collect();
    let rules = Rules {
        issuer: String::new(),
        audiences: Vec::new(),
        single_audience: true,
        algorithms,
        types: vec![MediaType::new(TYPE)],
        max_lifetime: None,
        skew: Duration::ZERO,
        require_jti: true,
        require_client_id: false,
        max_token_bytes: MOST,
        relaxed: Vec::new(),
    };
    let admitted = rules.admit(Unverified::parse(token, MOST).ok()?).ok()?;
    let public = PublicKey::bind(&key.published(kid), &kid.to_string(), algorithms, false).ok()?;
    admitted.verify(&public).ok().map(drop)
}

async fn decrypts(key: &PrivateJwk, kid: &Kid) -> Result<Option<()>, RotationError> {
    let decrypter = key.decrypter(kid)?;
    let name = kid.to_string();
    let encrypted = EncryptionKey::bind(&key.published(kid), &name, ContentEncryption::A256Gcm)
        .ok()
        .and_then(|public| public.encrypt(TYPE).ok());
    let Some(encrypted) = encrypted else { return Ok(None) };
    let sealed = Jwe::parse(&encrypted, MOST).and_then(|token| token.admit(decrypter.recipient()));
    let Ok(sealed) = sealed else { return Ok(None) };
    let content_key = decrypter.unwrap(&sealed).await?;
    Ok(sealed.open(content_key).ok().filter(|opened| opened.as_str() == TYPE).map(drop))
}

/// No verifier of ours accepts a token of this type.
const TYPE: &str = "rotation-test";

/// Bytes of the longest test token, with room: an RSA-OAEP key of 8192 bits takes 1.4 KB of it.
const MOST: usize = 4096;
