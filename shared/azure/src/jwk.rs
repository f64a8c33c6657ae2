//! A vault's JSON Web Key, made into one of ours.

use azure_security_keyvault_keys::models::{CurveName, JsonWebKey, KeyType as VaultType};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD as BASE64URL};
use drawbridge_keys::KeyAlgorithm;
use drawbridge_verify::{Algorithm, KeyType, KeyUse, PublicJwk, jwe::KeyManagement};
use serde_json::json;

/// A public key in a vault, and what it is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct VaultKey {
    pub(crate) public: PublicJwk,
    pub(crate) algorithm: KeyAlgorithm,
    /// Whether the private half is in hardware.
    pub(crate) hardware: bool,
    /// Bytes of a signature, and of a wrapped key.
    pub(crate) length: usize,
}

impl VaultKey {
    /// Reads what a vault gave for a key of `key_use`. `tagged` is the algorithm that its tag names; without one it is the one of its
    /// curve, or RS256, or RSA-OAEP-256.
    ///
    /// Only public members are taken, and they go through the same strict parser as every published key. A key whose operations are
    /// those of another use, or of both, is refused: one that unwraps would sign what looks like a wrapped key, and the other way
    /// round.
    pub(crate) fn read(
        jwk: &JsonWebKey,
        key_use: KeyUse,
        tagged: Option<KeyAlgorithm>,
    ) -> Result<Self, &'static str> {
        let (hardware, length, public) = match jwk.kty {
            Some(VaultType::Rsa | VaultType::RsaHsm) => rsa(jwk)?,
            Some(VaultType::Ec | VaultType::EcHsm) => elliptic(jwk)?,
            _ => return Err("its type is neither RSA nor that of an elliptic curve"),
        };
        let public =
            PublicJwk::parse(public.to_string().as_bytes()).map_err(|_| "its public half is refused")?;
        let algorithm = match tagged {
            Some(algorithm) => algorithm,
            None => usual(public.key_type(), key_use).ok_or("there is no algorithm for its type and use")?,
        };
        if algorithm.key_use() != key_use || algorithm.key_type() != public.key_type() {
            return Err("its tag names an algorithm that does not fit its type and use");
        }
        let may = |operation: &str| jwk.key_ops.iter().flatten().any(|listed| listed == operation);
        let fit = match key_use {
            KeyUse::Signing => may("sign") && !may("unwrapKey") && !may("decrypt"),
            KeyUse::Encryption => may("unwrapKey") && !may("sign"),
        };
        fit.then_some(Self { public, algorithm, hardware, length })
            .ok_or("its operations are not those of its use alone: `sign` and `verify`, or `wrapKey` and `unwrapKey`")
    }
}

type Members = (bool, usize, serde_json::Value);

fn rsa(jwk: &JsonWebKey) -> Result<Members, &'static str> {
    let (Some(n), Some(e)) = (&jwk.n, &jwk.e) else { return Err("it has no modulus or exponent") };
    let (n, e) = (number(n), number(e));
    let public = json!({ "kty": "RSA", "n": BASE64URL.encode(n), "e": BASE64URL.encode(e) });
    Ok((jwk.kty == Some(VaultType::RsaHsm), n.len(), public))
}

fn elliptic(jwk: &JsonWebKey) -> Result<Members, &'static str> {
    let (crv, length) = match jwk.crv {
        Some(CurveName::P256) => ("P-256", 32),
        Some(CurveName::P384) => ("P-384", 48),
        Some(CurveName::P521) => ("P-521", 66),
        _ => return Err("its curve is none that is used here"),
    };
    let (Some(x), Some(y)) = (&jwk.x, &jwk.y) else { return Err("it has no point") };
    let (x, y) = (coordinate(x, length)?, coordinate(y, length)?);
    let public = json!({ "kty": "EC", "crv": crv, "x": BASE64URL.encode(x), "y": BASE64URL.encode(y) });
    Ok((jwk.kty == Some(VaultType::EcHsm), 2 * length, public))
}

/// Without the zeros before it, which RFC 7518 section 2 does not allow and some exporters write.
fn number(bytes: &[u8]) -> &[u8] {
    let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
    bytes.get(zeros..).unwrap_or_default()
}

/// At the length of the curve (RFC 7518 section 6.2.1.2): others write coordinates as numbers, without the zeros before them.
fn coordinate(bytes: &[u8], length: usize) -> Result<Vec<u8>, &'static str> {
    let number = number(bytes);
    let zeros = length.checked_sub(number.len()).ok_or("a coordinate is longer than its curve")?;
    Ok([&vec![0; zeros], number].concat())
}

fn usual(key_type: KeyType, key_use: KeyUse) -> Option<KeyAlgorithm> {
    match (key_type, key_use) {
        (KeyType::P256, KeyUse::Signing) => Some(Algorithm::ES256.into()),
        (KeyType::P384, KeyUse::Signing) => Some(Algorithm::ES384.into()),
        (KeyType::P521, KeyUse::Signing) => Some(Algorithm::ES512.into()),
        (KeyType::Rsa, KeyUse::Signing) => Some(Algorithm::RS256.into()),
        (KeyType::Rsa, KeyUse::Encryption) => Some(KeyManagement::RsaOaep256.into()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use drawbridge_keys::PrivateJwk;
    use serde_json::Value;

    use super::*;

    /// The key as a vault would give it.
    fn exported(algorithm: &str, operations: &[&str]) -> (PrivateJwk, JsonWebKey) {
        let key = PrivateJwk::generate(algorithm.parse().unwrap()).unwrap();
        let mut jwk: Value = serde_json::from_str(&key.public().to_json()).unwrap();
        jwk["key_ops"] = json!(operations);
        let jwk = serde_json::from_value(jwk).unwrap();
        (key, jwk)
    }

    const SIGN: &[&str] = &["sign", "verify"];
    const WRAP: &[&str] = &["wrapKey", "unwrapKey"];

    #[test]
    fn a_key_has_the_algorithm_of_its_tag_or_the_usual_one_of_its_type_and_use() {
        let tag = |name: &str| name.parse().ok();
        for (made, operations, key_use, tagged, expected) in [
            ("ES256", SIGN, KeyUse::Signing, None, Ok("ES256")),
            ("ES384", SIGN, KeyUse::Signing, None, Ok("ES384")),
            ("ES512", SIGN, KeyUse::Signing, None, Ok("ES512")),
            ("RS256", SIGN, KeyUse::Signing, None, Ok("RS256")),
            ("PS256", SIGN, KeyUse::Signing, tag("PS256"), Ok("PS256")),
            ("RSA-OAEP", WRAP, KeyUse::Encryption, None, Ok("RSA-OAEP-256")),
            ("RSA-OAEP", WRAP, KeyUse::Encryption, tag("RSA-OAEP"), Ok("RSA-OAEP")),
            ("ES256", SIGN, KeyUse::Signing, tag("ES384"), Err("fit")),
            ("RS256", SIGN, KeyUse::Signing, tag("RSA-OAEP"), Err("fit")),
            ("ES256", SIGN, KeyUse::Signing, tag("Ed25519"), Err("fit")),
            ("ES256", WRAP, KeyUse::Encryption, None, Err("no algorithm")),
            ("ES256", WRAP, KeyUse::Encryption, tag("ECDH-ES"), Ok("ECDH-ES")),
        ] {
            let (key, jwk) = exported(made, operations);
            let read = VaultKey::read(&jwk, key_use, tagged);
            match expected {
                Ok(name) => {
                    let read = read.unwrap();
                    assert_eq!(read.algorithm.to_string(), name);
                    assert_eq!(read.public.thumbprint(), key.public().thumbprint());
                }
                Err(part) => assert!(read.unwrap_err().contains(part), "{made} {tagged:?}"),
            }
        }
    }

    #[test]
    fn a_key_of_two_uses_or_of_another_is_refused() {
        let both = ["sign", "verify", "wrapKey", "unwrapKey", "encrypt", "decrypt"];
        for (operations, signs, unwraps) in [
            (SIGN, true, false),
            (WRAP, false, true),
            (&["sign"][..], true, false),
            (&["unwrapKey"], false, true),
            (&["unwrapKey", "decrypt"], false, true),
            (&["sign", "decrypt"], false, false),
            (&both, false, false),
            (&["verify", "wrapKey"], false, false),
            (&[], false, false),
        ] {
            let (_, jwk) = exported("RS256", operations);
            assert_eq!(VaultKey::read(&jwk, KeyUse::Signing, None).is_ok(), signs, "{operations:?}");
            assert_eq!(VaultKey::read(&jwk, KeyUse::Encryption, None).is_ok(), unwraps, "{operations:?}");
        }
        let (_, jwk) = exported("RS256", SIGN);
        let without = JsonWebKey { key_ops: None, ..jwk };
        assert!(VaultKey::read(&without, KeyUse::Signing, None).is_err());
    }

    #[test]
    fn zeros_before_a_number_do_not_matter_and_a_point_off_its_curve_does() {
        // One key in 128 has a coordinate that begins with a zero.
        let (_, jwk) = std::iter::repeat_with(|| exported("ES256", SIGN))
            .find(|(_, jwk)| jwk.x.as_ref().is_some_and(|x| x[0] == 0))
            .unwrap();
        let x = jwk.x.clone().unwrap();
        let read =
            |x: Vec<u8>| VaultKey::read(&JsonWebKey { x: Some(x), ..jwk.clone() }, KeyUse::Signing, None);
        let whole = read(x.clone()).unwrap();
        assert_eq!(read(x[1..].to_vec()).unwrap(), whole);
        assert_eq!(read([&[0], x.as_slice()].concat()).unwrap(), whole);
        assert!(read(x[2..].to_vec()).is_err());
        assert!(read([&[1], x.as_slice()].concat()).is_err());
        assert!(read(Vec::new()).is_err());

        let (_, jwk) = exported("RS256", SIGN);
        let n = jwk.n.clone().unwrap();
        let longer = JsonWebKey { n: Some([&[0], n.as_slice()].concat()), ..jwk.clone() };
        assert_eq!(
            VaultKey::read(&longer, KeyUse::Signing, None),
            VaultKey::read(&jwk, KeyUse::Signing, None)
        );
    }

    #[test]
    fn what_is_no_key_of_ours_is_refused() {
        let (_, ec) = exported("ES256", SIGN);
        let (_, rsa) = exported("RS256", SIGN);
        let hsm = JsonWebKey { kty: Some(VaultType::EcHsm), ..ec.clone() };
        assert!(VaultKey::read(&hsm, KeyUse::Signing, None).unwrap().hardware);
        let with = |change: fn(&mut JsonWebKey)| {
            let mut jwk = ec.clone();
            change(&mut jwk);
            jwk
        };
        for jwk in [
            with(|jwk| jwk.kty = None),
            with(|jwk| jwk.kty = Some(VaultType::Oct)),
            with(|jwk| jwk.kty = Some(VaultType::Rsa)),
            with(|jwk| jwk.crv = Some(CurveName::P256K)),
            with(|jwk| jwk.crv = Some(CurveName::P384)),
            with(|jwk| jwk.crv = None),
            with(|jwk| jwk.y = None),
            with(|jwk| jwk.y = jwk.x.clone()),
            JsonWebKey { e: Some(vec![3]), ..rsa.clone() },
            JsonWebKey { n: rsa.n.as_ref().map(|n| n[128..].to_vec()), ..rsa },
        ] {
            assert!(VaultKey::read(&jwk, KeyUse::Signing, None).is_err());
        }
    }
}
