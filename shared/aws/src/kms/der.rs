//! What KMS answers in DER, as JOSE has it.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD as BASE64URL};
use der::{
    Decode, Reader, SliceReader,
    asn1::{AnyRef, BitStringRef, UintRef},
};
use drawbridge_verify::{KeyType, PublicJwk};
use serde_json::json;

/// An ECDSA signature (RFC 3279 section 2.2.3) as r and s of `length` bytes each (RFC 7518 section 3.4).
pub(super) fn fixed_signature(der: &[u8], length: usize) -> Option<Vec<u8>> {
    let (r, s) = two_numbers(der)?;
    let mut fixed = Vec::with_capacity(2 * length);
    for number in [r, s] {
        let padding = length.checked_sub(number.len())?;
        fixed.resize(fixed.len() + padding, 0);
        fixed.extend_from_slice(number);
    }
    Some(fixed)
}

/// A SubjectPublicKeyInfo (RFC 5280 section 4.1.2.7) of a key of this type. That its point is on the curve, and that it is strong enough, is
/// what the JWK is checked for.
pub(super) fn public_key(spki: &[u8], key_type: KeyType) -> Option<PublicJwk> {
    let mut reader = SliceReader::new(spki).ok()?;
    let key = reader.sequence(|info| {
        AnyRef::decode(info)?;
        BitStringRef::decode(info)
    });
    let key: BitStringRef<'_> = key.ok().filter(|_| reader.is_finished())?;
    let key = key.as_bytes()?;
    let members = match key_type {
        KeyType::Rsa => {
            let (n, e) = two_numbers(key)?;
            json!({ "kty": "RSA", "n": BASE64URL.encode(n), "e": BASE64URL.encode(e) })
        }
        KeyType::P256 => on_curve("P-256", key)?,
        KeyType::P384 => on_curve("P-384", key)?,
        KeyType::P521 | KeyType::Ed25519 | KeyType::X25519 => return None,
    };
    PublicJwk::parse(members.to_string().as_bytes()).ok()
}

/// An uncompressed point (SEC 1 section 2.3.3).
fn on_curve(curve: &str, point: &[u8]) -> Option<serde_json::Value> {
    let coordinates = point.strip_prefix(&[4])?;
    let (x, y) = coordinates.split_at_checked(coordinates.len() / 2)?;
    Some(json!({ "kty": "EC", "crv": curve, "x": BASE64URL.encode(x), "y": BASE64URL.encode(y) }))
}

/// A sequence of exactly two numbers that are not negative, without their sign bytes.
fn two_numbers(der: &[u8]) -> Option<(&[u8], &[u8])> {
    let mut reader = SliceReader::new(der).ok()?;
    let numbers =
        reader.sequence(|pair| Ok::<_, der::Error>((UintRef::decode(pair)?, UintRef::decode(pair)?)));
    let (first, second) = numbers.ok().filter(|_| reader.is_finished())?;
    Some((first.as_bytes(), second.as_bytes()))
}

#[cfg(test)]
mod tests {
    use aws_lc_rs::{
        encoding::AsDer,
        rand::SystemRandom,
        signature::{
            ECDSA_P256_SHA256_ASN1_SIGNING, ECDSA_P256_SHA256_FIXED, ECDSA_P384_SHA384_ASN1_SIGNING,
            ECDSA_P384_SHA384_FIXED, EcdsaKeyPair, KeyPair, UnparsedPublicKey,
        },
    };
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_signature_in_der_is_the_same_signature_at_fixed_length() {
        let curves = [
            (&ECDSA_P256_SHA256_ASN1_SIGNING, &ECDSA_P256_SHA256_FIXED, 32),
            (&ECDSA_P384_SHA384_ASN1_SIGNING, &ECDSA_P384_SHA384_FIXED, 48),
        ];
        for (signing, verifying, length) in curves {
            let pair = EcdsaKeyPair::generate(signing).unwrap();
            // Often enough for a number with a sign byte, and for one with a byte less.
            for message in 0..600_u32 {
                let message = message.to_be_bytes();
                let signed = pair.sign(&SystemRandom::new(), &message).unwrap();
                let fixed = fixed_signature(signed.as_ref(), length).unwrap();
                assert_eq!(fixed.len(), 2 * length);
                let public = UnparsedPublicKey::new(verifying, pair.public_key().as_ref());
                public.verify(&message, &fixed).unwrap();
            }
        }
    }

    #[test]
    fn what_is_not_strictly_a_signature_of_the_curve_is_refused() {
        let table: [(&str, &[u8]); 11] = [
            ("nothing", &[]),
            ("an empty sequence", &[0x30, 0]),
            ("one number", &[0x30, 3, 2, 1, 1]),
            ("three numbers", &[0x30, 9, 2, 1, 1, 2, 1, 1, 2, 1, 1]),
            ("something behind it", &[0x30, 6, 2, 1, 1, 2, 1, 1, 0]),
            ("a negative number", &[0x30, 6, 2, 1, 0x80, 2, 1, 1]),
            ("a sign byte that is not needed", &[0x30, 7, 2, 2, 0, 1, 2, 1, 1]),
            ("a length in more bytes than needed", &[0x30, 0x81, 6, 2, 1, 1, 2, 1, 1]),
            ("an indefinite length", &[0x30, 0x80, 2, 1, 1, 2, 1, 1, 0, 0]),
            ("another tag", &[0x31, 6, 2, 1, 1, 2, 1, 1]),
            ("cut off", &[0x30, 6, 2, 1, 1, 2, 1]),
        ];
        for (what, der) in table {
            assert_eq!(fixed_signature(der, 32), None, "{what}");
        }
        let long = [&[0x30, 38, 2, 33, 1][..], &[0; 32], &[2, 1, 1]].concat();
        assert_eq!(fixed_signature(&long, 32), None, "a number that is longer than the curve's");
        assert!(fixed_signature(&long, 48).is_some());
    }

    #[test]
    fn a_public_key_is_that_of_its_kind_or_none() {
        let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING).unwrap();
        let spki = pair.public_key().as_der().unwrap();
        let jwk = public_key(spki.as_ref(), KeyType::P256).unwrap();
        assert_eq!(jwk.key_type(), KeyType::P256);
        for other in [KeyType::P384, KeyType::Rsa, KeyType::Ed25519] {
            assert_eq!(public_key(spki.as_ref(), other), None);
        }
        let longer = [spki.as_ref(), &[0]].concat();
        assert_eq!(public_key(&longer, KeyType::P256), None);
        let mut off = spki.as_ref().to_vec();
        *off.last_mut().unwrap() ^= 1;
        assert_eq!(public_key(&off, KeyType::P256), None, "a point that is not on the curve");
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = fixed_signature(&bytes, 32);
            for key_type in [KeyType::Rsa, KeyType::P256, KeyType::P384] {
                let _ = public_key(&bytes, key_type);
            }
        }
    }
}
