//! Keys, rules and tokens for the tests; made here so that hostile tokens can be made as easily as good ones.

use std::{sync::LazyLock, time::Duration};

use aws_lc_rs::{
    encoding::AsDer,
    rand::SystemRandom,
    rsa::KeySize,
    signature::{
        ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, ECDSA_P521_SHA512_FIXED_SIGNING,
        EcdsaKeyPair, Ed25519KeyPair, KeyPair, RSA_PKCS1_SHA256, RSA_PKCS1_SHA384, RSA_PKCS1_SHA512,
        RSA_PSS_SHA256, RSA_PSS_SHA384, RSA_PSS_SHA512, RsaKeyPair, RsaPublicKeyComponents,
    },
};
use base64_simd::URL_SAFE_NO_PAD;
use drawbridge_verify::{
    Algorithm, Algorithms, KeyType, KeyUse, MediaType, PublicJwk, PublicKey, Rules, TokenError, UnixTime,
    Unverified,
};
use serde_json::{Value, json};

/// When the tests take place.
pub(crate) const NOW: UnixTime = UnixTime::from_secs(1_800_000_000);

pub(crate) const KID: &str = "orders.sig.1";

/// The private half of a test key.
pub(crate) enum Private {
    Rsa(RsaKeyPair),
    Ec(EcdsaKeyPair, KeyType),
    Ed25519(Ed25519KeyPair),
}

static RSA: LazyLock<Private> =
    LazyLock::new(|| Private::Rsa(RsaKeyPair::generate(KeySize::Rsa2048).unwrap()));
static P256: LazyLock<Private> = LazyLock::new(|| {
    Private::Ec(EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap(), KeyType::P256)
});
static P384: LazyLock<Private> = LazyLock::new(|| {
    Private::Ec(EcdsaKeyPair::generate(&ECDSA_P384_SHA384_FIXED_SIGNING).unwrap(), KeyType::P384)
});
static P521: LazyLock<Private> = LazyLock::new(|| {
    Private::Ec(EcdsaKeyPair::generate(&ECDSA_P521_SHA512_FIXED_SIGNING).unwrap(), KeyType::P521)
});
static ED25519: LazyLock<Private> = LazyLock::new(|| Private::Ed25519(Ed25519KeyPair::generate().unwrap()));

impl Private {
    /// The test key of a type; there is one.
    pub(crate) fn of(key_type: KeyType) -> &'static Self {
        match key_type {
            KeyType::Rsa => &RSA,
            KeyType::P256 => &P256,
            KeyType::P384 => &P384,
            KeyType::P521 => &P521,
            KeyType::Ed25519 => &ED25519,
            KeyType::X25519 => panic!("X25519 does not sign"),
        }
    }

    pub(crate) fn sign(&self, algorithm: Algorithm, input: &[u8]) -> Vec<u8> {
        match self {
            Self::Rsa(pair) => {
                let encoding = match algorithm {
                    Algorithm::RS256 => &RSA_PKCS1_SHA256,
                    Algorithm::RS384 => &RSA_PKCS1_SHA384,
                    Algorithm::RS512 => &RSA_PKCS1_SHA512,
                    Algorithm::PS256 => &RSA_PSS_SHA256,
                    Algorithm::PS384 => &RSA_PSS_SHA384,
                    Algorithm::PS512 => &RSA_PSS_SHA512,
                    other => panic!("{other} is not of RSA"),
                };
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(encoding, &SystemRandom::new(), input, &mut signature).unwrap();
                signature
            }
            Self::Ec(pair, _) => pair.sign(&SystemRandom::new(), input).unwrap().as_ref().to_vec(),
            Self::Ed25519(pair) => pair.sign(input).as_ref().to_vec(),
        }
    }

    /// `kty` and the public members.
    pub(crate) fn members(&self) -> Value {
        match self {
            Self::Rsa(pair) => {
                let public = RsaPublicKeyComponents::<Vec<u8>>::from(pair.public_key());
                json!({"kty": "RSA", "n": encode(public.n), "e": encode(public.e)})
            }
            Self::Ec(pair, key_type) => {
                let point = &pair.public_key().as_ref()[1..];
                let (x, y) = point.split_at(point.len() / 2);
                json!({"kty": "EC", "crv": curve(*key_type), "x": encode(x), "y": encode(y)})
            }
            Self::Ed25519(pair) => json!({"kty": "OKP", "crv": "Ed25519", "x": encode(pair.public_key())}),
        }
    }

    pub(crate) fn jwk(&self) -> PublicJwk {
        PublicJwk::parse(self.members().to_string().as_bytes()).unwrap()
    }

    /// PKCS #8 for other libraries (for RSA, PKCS #1).
    pub(crate) fn der(&self) -> Vec<u8> {
        match self {
            Self::Rsa(pair) => pair.as_der().unwrap().as_ref().to_vec(),
            Self::Ec(pair, _) => pair.to_pkcs8v1().unwrap().as_ref().to_vec(),
            Self::Ed25519(pair) => pair.to_pkcs8().unwrap().as_ref().to_vec(),
        }
    }
}

pub(crate) fn curve(key_type: KeyType) -> &'static str {
    match key_type {
        KeyType::P256 => "P-256",
        KeyType::P384 => "P-384",
        KeyType::P521 => "P-521",
        KeyType::Ed25519 => "Ed25519",
        KeyType::Rsa | KeyType::X25519 => panic!("no curve that signs"),
    }
}

/// The public test key, bound to one algorithm and [`KID`].
pub(crate) fn key(algorithm: Algorithm) -> PublicKey {
    let jwk = Private::of(algorithm.key_type()).jwk().named(KID, KeyUse::Signing, algorithm);
    PublicKey::bind(&jwk, KID, only(algorithm), false).unwrap()
}

pub(crate) fn only(algorithm: Algorithm) -> Algorithms {
    [algorithm].into_iter().collect()
}

pub(crate) fn rules() -> Rules {
    Rules {
        issuer: "https://login.example.com".to_owned(),
        audiences: vec!["https://api.example.com".to_owned()],
        single_audience: false,
        algorithms: Algorithm::ALL.into_iter().collect(),
        types: vec![MediaType::new("at+jwt")],
        max_lifetime: Some(Duration::from_secs(3600)),
        skew: Duration::from_secs(30),
        require_jti: false,
        require_client_id: false,
        max_token_bytes: 16 * 1024,
        relaxed: Vec::new(),
    }
}

pub(crate) fn header(algorithm: Algorithm) -> Value {
    json!({"alg": algorithm.name(), "typ": "at+jwt", "kid": KID})
}

pub(crate) fn claims() -> Value {
    json!({
        "iss": "https://login.example.com",
        "aud": "https://api.example.com",
        "sub": "ada",
        "client_id": "shop",
        "scope": "customers:read orders:write",
        "jti": "a-token",
        "iat": NOW.as_secs() - 10,
        "exp": NOW.as_secs() + 290,
    })
}

/// A member set or, with `None`, taken away.
pub(crate) fn with(mut object: Value, name: &str, value: impl Into<Option<Value>>) -> Value {
    let members = object.as_object_mut().unwrap();
    match value.into() {
        Some(value) => members.insert(name.to_owned(), value),
        None => members.remove(name),
    };
    object
}

/// Signs whatever it is given: texts, so that they may be anything but strict JSON.
pub(crate) fn token_of(algorithm: Algorithm, header: &str, payload: &[u8]) -> String {
    let signed = format!("{}.{}", encode(header), encode(payload));
    let signature = Private::of(algorithm.key_type()).sign(algorithm, signed.as_bytes());
    format!("{signed}.{}", encode(signature))
}

pub(crate) fn token(algorithm: Algorithm, header: &Value, claims: &Value) -> String {
    token_of(algorithm, &header.to_string(), claims.to_string().as_bytes())
}

pub(crate) fn encode(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode_to_string(bytes)
}

/// The whole way, with the test key of `algorithm` and a closer look at what was verified.
pub(crate) fn verify_with(token: &str, rules: &Rules, key: &PublicKey) -> Result<(), TokenError> {
    let authentic = rules.admit(Unverified::parse(token, rules.max_token_bytes)?)?.verify(key)?;
    let verified = authentic.claims(NOW)?;
    assert!(!verified.subject().is_empty());
    assert_eq!(verified.issuer(), rules.issuer);
    Ok(())
}

/// The whole way for a token that says it is ES256.
pub(crate) fn verify(token: &str) -> Result<(), TokenError> {
    verify_with(token, &rules(), &key(Algorithm::ES256))
}

/// What becomes of an ES256 token with these claims.
pub(crate) fn claiming(claims: &Value, rules: &Rules) -> Result<(), TokenError> {
    let token = token(Algorithm::ES256, &header(Algorithm::ES256), claims);
    verify_with(&token, rules, &key(Algorithm::ES256))
}

/// What becomes of an ES256 token with this header.
pub(crate) fn headed(header: &str, rules: &Rules) -> Result<(), TokenError> {
    let token = token_of(Algorithm::ES256, header, claims().to_string().as_bytes());
    verify_with(&token, rules, &key(Algorithm::ES256))
}
