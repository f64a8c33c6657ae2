//! The arithmetic of the vault: on private JWKs that it alone has, by what the documentation says of each algorithm.

use aws_lc_rs::{
    digest::{self, Digest},
    encoding::AsDer,
    rsa::{
        KeyPair as RsaKeyPair, KeyPairComponents, OAEP_SHA1_MGF1SHA1, OAEP_SHA256_MGF1SHA256,
        OaepPrivateDecryptingKey, PrivateDecryptingKey, PublicKeyComponents,
    },
    signature::{
        ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, ECDSA_P521_SHA512_FIXED_SIGNING,
        EcdsaKeyPair, RSA_PKCS1_SHA256, RSA_PKCS1_SHA384, RSA_PKCS1_SHA512, RSA_PSS_SHA256, RSA_PSS_SHA384,
        RSA_PSS_SHA512, RsaEncoding,
    },
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD as BASE64URL};
use drawbridge_keys::PrivateJwk;
use serde_json::{Value, json};

/// A key of the type that a request to create one asks for. None for a request that makes no sense.
pub(super) fn generate(asked: &Value) -> Option<Value> {
    let algorithm = match (asked["kty"].as_str()?, asked["crv"].as_str(), asked["key_size"].as_u64()) {
        ("EC" | "EC-HSM", Some("P-256"), None) => "ES256",
        ("EC" | "EC-HSM", Some("P-384"), None) => "ES384",
        ("EC" | "EC-HSM", Some("P-521"), None) => "ES512",
        ("RSA" | "RSA-HSM", None, Some(2048)) => "RS256",
        _ => return None,
    };
    let key = PrivateJwk::generate(algorithm.parse().unwrap()).unwrap();
    let mut jwk: Value = serde_json::from_str(&key.to_json()).unwrap();
    for member in ["alg", "use"] {
        jwk.as_object_mut().unwrap().remove(member);
    }
    jwk["kty"] = asked["kty"].clone();
    jwk["key_ops"] = asked["key_ops"].clone();
    Some(jwk)
}

/// Its public half.
pub(super) fn public(jwk: &Value) -> Value {
    let mut public = jwk.clone();
    for member in ["d", "p", "q", "dp", "dq", "qi"] {
        public.as_object_mut().unwrap().remove(member);
    }
    public
}

/// A signature over a digest; for ECDSA r and s (RFC 7518 section 3.4).
pub(super) fn sign(jwk: &Value, asked: &Value) -> Option<Value> {
    let (algorithm, value) = (asked["alg"].as_str()?, bytes(&asked["value"])?);
    let hash = match algorithm.get(2..)? {
        "256" => &digest::SHA256,
        "384" => &digest::SHA384,
        "512" => &digest::SHA512,
        _ => return None,
    };
    let digest = Digest::import_less_safe(&value, hash).ok()?;
    let signature = match algorithm.get(..2)? {
        "ES" => elliptic(jwk, algorithm)?.sign_digest(&digest).ok()?.as_ref().to_vec(),
        _ => {
            let padding: &'static dyn RsaEncoding = match algorithm {
                "RS256" => &RSA_PKCS1_SHA256,
                "RS384" => &RSA_PKCS1_SHA384,
                "RS512" => &RSA_PKCS1_SHA512,
                "PS256" => &RSA_PSS_SHA256,
                "PS384" => &RSA_PSS_SHA384,
                "PS512" => &RSA_PSS_SHA512,
                _ => return None,
            };
            let key = rsa(jwk)?;
            let mut signature = vec![0; key.public_modulus_len()];
            key.sign_digest(padding, &digest, &mut signature).ok()?;
            signature
        }
    };
    Some(json!(BASE64URL.encode(signature)))
}

/// What was wrapped. None where it does not unwrap.
pub(super) fn unwrap(jwk: &Value, asked: &Value) -> Option<Value> {
    let padding = match asked["alg"].as_str()? {
        "RSA-OAEP" => &OAEP_SHA1_MGF1SHA1,
        "RSA-OAEP-256" => &OAEP_SHA256_MGF1SHA256,
        _ => return None,
    };
    let der = rsa(jwk)?.as_der().ok()?;
    let key = OaepPrivateDecryptingKey::new(PrivateDecryptingKey::from_pkcs8(der.as_ref()).ok()?).ok()?;
    let mut plain = vec![0; key.min_output_size()];
    let plain = key.decrypt(padding, &bytes(&asked["value"])?, &mut plain, None).ok()?;
    Some(json!(BASE64URL.encode(plain)))
}

fn elliptic(jwk: &Value, algorithm: &str) -> Option<EcdsaKeyPair> {
    let signing = match (jwk["crv"].as_str()?, algorithm) {
        ("P-256", "ES256") => &ECDSA_P256_SHA256_FIXED_SIGNING,
        ("P-384", "ES384") => &ECDSA_P384_SHA384_FIXED_SIGNING,
        ("P-521", "ES512") => &ECDSA_P521_SHA512_FIXED_SIGNING,
        _ => return None,
    };
    let point = [vec![4], bytes(&jwk["x"])?, bytes(&jwk["y"])?].concat();
    EcdsaKeyPair::from_private_key_and_public_key(signing, &bytes(&jwk["d"])?, &point).ok()
}

fn rsa(jwk: &Value) -> Option<RsaKeyPair> {
    let components = KeyPairComponents {
        public_key: PublicKeyComponents { n: bytes(&jwk["n"])?, e: bytes(&jwk["e"])? },
        d: bytes(&jwk["d"])?,
        p: bytes(&jwk["p"])?,
        q: bytes(&jwk["q"])?,
        dP: bytes(&jwk["dp"])?,
        dQ: bytes(&jwk["dq"])?,
        qInv: bytes(&jwk["qi"])?,
    };
    RsaKeyPair::from_components(&components).ok()
}

fn bytes(text: &Value) -> Option<Vec<u8>> {
    BASE64URL.decode(text.as_str()?).ok()
}
