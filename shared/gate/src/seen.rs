use drawbridge_verify::{Admitted, Authentic, Proof, PublicKey, TokenDigest, TokenError};
use quick_cache::sync::Cache;

/// The tokens whose signatures held, so that the same token's is not checked again.
///
/// It holds no decision and no claim: header rules, key, claims, sender, route and policy are asked each time. The key is the one
/// that the kid names at that moment, so that one that was revoked or replaced takes its tokens with it. Only good signatures
/// get in, so that nobody but the issuer can fill it.
pub(crate) struct Seen(Cache<TokenDigest, Proof>);

impl Seen {
    /// Checks the signature, or knows that it was checked. No lock is held while it is.
    pub(crate) fn verify<'r>(
        &self,
        token: Admitted<'r, '_>,
        key: &PublicKey,
    ) -> Result<Authentic<'r>, TokenError> {
        let token = token.digested();
        let digest = token.digest();
        let known = self.0.get(&digest);
        let (authentic, proof) = token.verify(key, known.as_ref())?;
        if known != Some(proof) {
            self.0.insert(digest, proof);
        }
        Ok(authentic)
    }

    fn holding(tokens: usize) -> Self {
        Self(Cache::new(tokens))
    }
}

impl Default for Seen {
    fn default() -> Self {
        Self::holding(TOKENS)
    }
}

/// Some 150 bytes each. What is one too many takes the place of one that was met less often.
const TOKENS: usize = 4096;

#[cfg(test)]
mod tests {
    use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
    use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
    use drawbridge_verify::{Algorithm, MediaType, PublicJwk, Rules, Unverified};

    use super::*;

    #[test]
    fn a_token_is_remembered_once_and_only_when_its_signature_held() {
        let (seen, rules, pair) = (Seen::holding(64), rules(), pair(1));
        let key = public(&pair);
        let right = token(&pair, 1);
        for _ in 0..3 {
            assert!(seen.verify(admitted(&rules, &right), &key).is_ok());
            assert_eq!(seen.0.len(), 1);
        }
        for number in 0..100 {
            let forged = token(&self::pair(2), number);
            assert_eq!(
                seen.verify(admitted(&rules, &forged), &key).unwrap_err(),
                TokenError::SignatureInvalid
            );
        }
        assert_eq!(seen.0.len(), 1);
    }

    #[test]
    fn under_another_key_of_the_same_kid_it_is_as_if_never_seen() {
        let (seen, rules, pair) = (Seen::holding(64), rules(), pair(1));
        let right = token(&pair, 1);
        assert!(seen.verify(admitted(&rules, &right), &public(&pair)).is_ok());
        let other = public(&self::pair(2));
        assert_eq!(seen.verify(admitted(&rules, &right), &other).unwrap_err(), TokenError::SignatureInvalid);
        assert!(seen.verify(admitted(&rules, &right), &public(&pair)).is_ok());
    }

    #[test]
    fn a_flood_of_different_tokens_does_not_make_it_grow() {
        let (seen, rules, pair) = (Seen::holding(64), rules(), pair(1));
        let key = public(&pair);
        for number in 0..1000 {
            assert!(seen.verify(admitted(&rules, &token(&pair, number)), &key).is_ok());
        }
        assert!(seen.0.len() <= 64, "{}", seen.0.len());
        assert_eq!(Seen::default().0.capacity(), TOKENS as u64);
    }

    fn admitted<'r, 't>(rules: &'r Rules, token: &'t str) -> Admitted<'r, 't> {
        rules.admit(Unverified::parse(token, rules.max_token_bytes).unwrap()).unwrap()
    }

    fn pair(seed: u8) -> Ed25519KeyPair {
        Ed25519KeyPair::from_seed_unchecked(&[seed; 32]).unwrap()
    }

    fn public(pair: &Ed25519KeyPair) -> PublicKey {
        let jwk = format!(
            r#"{{"kty":"OKP","crv":"Ed25519","alg":"EdDSA","use":"sig","kid":"k","x":"{}"}}"#,
            URL_SAFE_NO_PAD.encode(pair.public_key())
        );
        let jwk = PublicJwk::parse(jwk.as_bytes()).unwrap();
        PublicKey::bind(&jwk, "k", [Algorithm::EdDSA].into_iter().collect(), false).unwrap()
    }

    fn token(pair: &Ed25519KeyPair, number: u32) -> String {
        let header = URL_SAFE_NO_PAD.encode(r#"{"alg":"EdDSA","typ":"at+jwt","kid":"k"}"#);
        let input = format!("{header}.{}", URL_SAFE_NO_PAD.encode(format!(r#"{{"jti":"{number}"}}"#)));
        let signature = pair.sign(input.as_bytes());
        format!("{input}.{}", URL_SAFE_NO_PAD.encode(signature.as_ref()))
    }

    fn rules() -> Rules {
        Rules {
            issuer: "https://login.example.com".to_owned(),
            audiences: vec!["https://api.example.com".to_owned()],
            single_audience: false,
            algorithms: [Algorithm::EdDSA].into_iter().collect(),
            types: vec![MediaType::new("at+jwt")],
            max_lifetime: None,
            skew: std::time::Duration::ZERO,
            require_jti: false,
            require_client_id: false,
            max_token_bytes: 1024,
            relaxed: Vec::new(),
        }
    }
}
