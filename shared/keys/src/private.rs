use std::sync::Arc;

use async_trait::async_trait;
use aws_lc_rs::{
    agreement::{PrivateKey, X25519},
    encoding::{AsBigEndian, AsDer, Curve25519SeedBin},
    rsa::{KeyPair as RsaKeyPair, KeyPairComponents, KeySize, PublicKeyComponents},
    signature::{
        ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, ECDSA_P521_SHA512_FIXED_SIGNING,
        EcdsaKeyPair, EcdsaSigningAlgorithm, Ed25519KeyPair, KeyPair as _,
    },
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD as BASE64URL};
use drawbridge_verify::{
    Algorithm, KeyType, KeyUse, PublicJwk,
    jwe::{ContentEncryption, DecryptionKey},
};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::{Decrypter, KeyAlgorithm, Kid, Signer, StoreError, decrypter::LocalDecrypter, pair::Pair};

/// A private JWK (RFC 7517, RFC 7518 section 6, RFC 8037): wiped when dropped, never printed.
///
/// A value of this type has been checked: its private half belongs to its public half, its algorithm to its type.
///
/// ```compile_fail
/// # let key = drawbridge_keys::PrivateJwk::parse(b"{}").unwrap();
/// println!("{key:?}"); // a private key cannot be printed
/// ```
pub struct PrivateJwk {
    algorithm: KeyAlgorithm,
    public: PublicJwk,
    json: Zeroizing<String>,
    secret: Secret,
}

/// The key made ready for the one thing that it does.
enum Secret {
    Signs(Algorithm, Arc<Pair>),
    Decrypts(Arc<DecryptionKey>),
}

/// The members of a private JWK. They borrow from the text, so that no copy of a secret is made; a member that is not here, is
/// there twice, or needs unescaping is an error.
#[derive(Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
#[rustfmt::skip]
struct Members<'a> {
    kty: &'a str,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")] crv: Option<&'a str>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")] x: Option<&'a str>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")] y: Option<&'a str>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")] n: Option<&'a str>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")] e: Option<&'a str>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")] d: Option<&'a str>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")] p: Option<&'a str>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")] q: Option<&'a str>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")] dp: Option<&'a str>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")] dq: Option<&'a str>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")] qi: Option<&'a str>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")] alg: Option<&'a str>,
    #[serde(borrow, default, rename = "use", skip_serializing_if = "Option::is_none")] key_use: Option<&'a str>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")] kid: Option<&'a str>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")] key_ops: Option<Vec<&'a str>>,
}

/// The largest private JWK that is read, in bytes: an RSA key of 8192 bits needs 6.3 KB.
pub(crate) const MAX_PRIVATE_JWK: usize = 8 * 1024;

impl PrivateJwk {
    /// Makes a new key. RSA keys have 2048 bits: a stronger key makes every decision of every gate slower, and keys are rotated.
    ///
    /// RSA takes up to half a second of CPU time, so that async callers use a blocking thread; the others take microseconds.
    ///
    /// # Errors
    /// `Unavailable` when the random generator fails, `Unsupported` for an algorithm that does not fit its key type.
    pub fn generate(algorithm: KeyAlgorithm) -> Result<Self, StoreError> {
        let unfit =
            || StoreError::Unsupported(format!("`{algorithm}` is not an algorithm that keys are made for"));
        if !algorithm.fits() {
            return Err(unfit());
        }
        let failed =
            |_| StoreError::Unavailable("no key could be made: the random generator failed".to_owned());
        let name = algorithm.name();
        let json = match algorithm.key_type() {
            KeyType::Rsa => rsa_json(name, &RsaKeyPair::generate(KeySize::Rsa2048).map_err(failed)?)?,
            key_type @ (KeyType::P256 | KeyType::P384 | KeyType::P521) => {
                let curve = Curve::of(key_type).ok_or_else(unfit)?;
                ec_json(name, &curve, &EcdsaKeyPair::generate(curve.signing).map_err(failed)?)?
            }
            KeyType::Ed25519 => ed25519_json(name, &Ed25519KeyPair::generate().map_err(failed)?)?,
            KeyType::X25519 => x25519_json(name, &PrivateKey::generate(&X25519).map_err(failed)?)?,
        };
        Self::parse(json.as_bytes())
    }

    /// Parses a private JWK strictly: known members only, each once; `alg` present and fit for the key type; `use` and `key_ops`,
    /// where present, those of `alg`; private and public half of one key.
    ///
    /// # Errors
    /// `Malformed`, with what is wrong but nothing of the key.
    pub fn parse(json: &[u8]) -> Result<Self, StoreError> {
        if json.len() > MAX_PRIVATE_JWK {
            return Err(malformed("longer than 8 KiB"));
        }
        // The parser's own message may quote what it read, which here is a secret.
        let members: Members<'_> = serde_json::from_slice(json)
            .map_err(|_| malformed("not a JSON object of a private JWK's members"))?;
        let named: KeyAlgorithm = members
            .alg
            .and_then(|name| name.parse().ok())
            .ok_or_else(|| malformed("`alg` does not name an algorithm that keys are made for"))?;
        let key_use = named.key_use();
        expect(members.key_use.is_none_or(|stated| stated == key_use.name()), "`use` is not that of `alg`")?;
        if let Some(listed) = &members.key_ops {
            let (needs, never) = operations(key_use);
            let fit = needs.iter().any(|operation| listed.contains(operation))
                && !never.iter().any(|operation| listed.contains(operation));
            expect(fit, "`key_ops` does not allow what `alg` is for")?;
        }
        let members = Members { key_use: Some(key_use.name()), key_ops: None, kid: None, ..members };
        let json = to_json(&members)?;
        let secret = match named {
            KeyAlgorithm::Signature(algorithm) => {
                Secret::Signs(algorithm, Arc::new(pair(algorithm, &members)?))
            }
            KeyAlgorithm::Encryption(..) => Secret::Decrypts(Arc::new(decryption_key(&members, &json)?)),
        };
        let half = Members { d: None, p: None, q: None, dp: None, dq: None, qi: None, ..members };
        let public = PublicJwk::parse(to_json(&half)?.as_bytes())
            .map_err(|error| malformed(&format!("its public half is refused: {error}")))?;
        // The public half knows the curve, which the name of an algorithm does not say.
        let algorithm =
            KeyAlgorithm::of(&public).ok_or_else(|| malformed("`kty` and `crv` do not fit `alg`"))?;
        Ok(Self { algorithm, public, json, secret })
    }

    /// The JSON, for writing into a store.
    pub fn to_json(&self) -> Zeroizing<String> {
        self.json.clone()
    }

    /// The public half, with `use` and `alg`, without a name.
    pub fn public(&self) -> &PublicJwk {
        &self.public
    }

    /// Its algorithm.
    pub fn algorithm(&self) -> KeyAlgorithm {
        self.algorithm
    }

    /// The public half under its name, as it is published.
    pub fn published(&self, kid: &Kid) -> PublicJwk {
        let (public, kid) = (self.public.clone(), kid.to_string());
        match self.algorithm {
            KeyAlgorithm::Signature(algorithm) => public.named(&kid, KeyUse::Signing, algorithm),
            KeyAlgorithm::Encryption(algorithm, _) => public.named_for_encryption(&kid, algorithm),
        }
    }

    /// The key as a signer in this process, loaded once; it does not go when this value goes.
    ///
    /// # Errors
    /// `Unsupported` when the key does not sign, or `kid` names no signing key.
    pub fn signer(&self, kid: Kid) -> Result<Arc<dyn Signer>, StoreError> {
        match &self.secret {
            Secret::Signs(algorithm, pair) if kid.key_use == KeyUse::Signing => {
                Ok(Arc::new(LocalSigner { kid, algorithm: *algorithm, pair: Arc::clone(pair) }))
            }
            _ => Err(StoreError::Unsupported(format!("`{kid}` is not the name of a signing key"))),
        }
    }

    /// The key as one that decrypts in this process, every content encryption that there is.
    ///
    /// # Errors
    /// `Unsupported` when the key does not decrypt, or `kid` names no encryption key.
    pub fn decrypter(&self, kid: &Kid) -> Result<Arc<dyn Decrypter>, StoreError> {
        match &self.secret {
            Secret::Decrypts(key) if kid.key_use == KeyUse::Encryption => {
                Ok(Arc::new(LocalDecrypter::new(kid, Arc::clone(key))))
            }
            _ => Err(StoreError::Unsupported(format!("`{kid}` is not the name of an encryption key"))),
        }
    }
}

/// Signs with a key that is in this process.
struct LocalSigner {
    kid: Kid,
    algorithm: Algorithm,
    pair: Arc<Pair>,
}

#[async_trait]
impl Signer for LocalSigner {
    fn kid(&self) -> &Kid {
        &self.kid
    }

    fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    async fn sign(&self, input: &[u8]) -> Result<Vec<u8>, StoreError> {
        self.pair.sign(input)
    }
}

/// What JWA says of an elliptic curve (RFC 7518 section 6.2.1).
struct Curve {
    name: &'static str,
    /// Bytes of a coordinate, and of the private scalar.
    length: usize,
    signing: &'static EcdsaSigningAlgorithm,
}

impl Curve {
    fn of(key_type: KeyType) -> Option<Self> {
        let (name, length, signing) = match key_type {
            KeyType::P256 => ("P-256", 32, &ECDSA_P256_SHA256_FIXED_SIGNING),
            KeyType::P384 => ("P-384", 48, &ECDSA_P384_SHA384_FIXED_SIGNING),
            KeyType::P521 => ("P-521", 66, &ECDSA_P521_SHA512_FIXED_SIGNING),
            KeyType::Rsa | KeyType::Ed25519 | KeyType::X25519 => return None,
        };
        Some(Self { name, length, signing })
    }
}

/// What `key_ops` must list one of, and may list none of (RFC 7517 section 4.3: no key for two unrelated things).
fn operations(key_use: KeyUse) -> (&'static [&'static str], &'static [&'static str]) {
    const SIGNING: &[&str] = &["sign"];
    const DECRYPTING: &[&str] = &["decrypt", "unwrapKey", "deriveKey", "deriveBits"];
    match key_use {
        KeyUse::Signing => (SIGNING, &[]),
        KeyUse::Encryption => (DECRYPTING, &["sign", "verify"]),
    }
}

fn pair(algorithm: Algorithm, members: &Members<'_>) -> Result<Pair, StoreError> {
    match algorithm.key_type() {
        KeyType::Rsa => rsa_pair(algorithm, members),
        KeyType::P256 | KeyType::P384 | KeyType::P521 => ec_pair(algorithm, members),
        KeyType::Ed25519 => ed25519_pair(members),
        KeyType::X25519 => Err(malformed("`alg` does not name a signature algorithm")),
    }
}

/// `json` are the members as they are kept.
fn decryption_key(members: &Members<'_>, json: &str) -> Result<DecryptionKey, StoreError> {
    match members.kty {
        "RSA" => {
            expect(members.crv.or(members.x).or(members.y).is_none(), "an RSA key has no `crv`, `x` or `y`")?;
        }
        "OKP" => {
            expect(members.y.is_none(), "an X25519 key has no `y`")?;
            expect_no_rsa(members)?;
        }
        _ => expect_no_rsa(members)?,
    }
    // The kid is the store's: here the key has no name yet.
    DecryptionKey::parse(json.as_bytes(), "", &ContentEncryption::ALL)
        .map_err(|error| malformed(&error.to_string()))
}

fn rsa_pair(algorithm: Algorithm, members: &Members<'_>) -> Result<Pair, StoreError> {
    expect(members.kty == "RSA", "`kty` does not fit `alg`")?;
    expect(members.crv.or(members.x).or(members.y).is_none(), "an RSA key has no `crv`, `x` or `y`")?;
    let components = KeyPairComponents {
        public_key: PublicKeyComponents { n: decode("n", members.n)?, e: decode("e", members.e)? },
        d: decode("d", members.d)?,
        p: decode("p", members.p)?,
        q: decode("q", members.q)?,
        dP: decode("dp", members.dp)?,
        dQ: decode("dq", members.dq)?,
        qInv: decode("qi", members.qi)?,
    };
    // AWS-LC checks here that n = pq, that d fits e, and the CRT values.
    let pair =
        RsaKeyPair::from_components(&components).map_err(|_| malformed("not one consistent RSA key"))?;
    Pair::rsa(algorithm, pair)
}

fn ec_pair(algorithm: Algorithm, members: &Members<'_>) -> Result<Pair, StoreError> {
    let curve =
        Curve::of(algorithm.key_type()).ok_or_else(|| malformed("`alg` is not one of an elliptic curve"))?;
    expect(members.kty == "EC" && members.crv == Some(curve.name), "`kty` and `crv` do not fit `alg`")?;
    expect_no_rsa(members)?;
    let (x, y, d) = (decode("x", members.x)?, decode("y", members.y)?, decode("d", members.d)?);
    let exact = [&x, &y, &d].into_iter().all(|number| number.len() == curve.length);
    expect(exact, "`x`, `y` and `d` do not have the length of the curve")?;
    let point = [&[4][..], &x, &y].concat();
    let pair = EcdsaKeyPair::from_private_key_and_public_key(curve.signing, &d, &point)
        .map_err(|_| malformed("its private and public halves are not one key of the curve"))?;
    Ok(Pair::Ecdsa(pair))
}

fn ed25519_pair(members: &Members<'_>) -> Result<Pair, StoreError> {
    expect(members.kty == "OKP" && members.crv == Some("Ed25519"), "`kty` and `crv` do not fit `alg`")?;
    expect(members.y.is_none(), "an Ed25519 key has no `y`")?;
    expect_no_rsa(members)?;
    let (x, d) = (decode("x", members.x)?, decode("d", members.d)?);
    let pair = Ed25519KeyPair::from_seed_and_public_key(&d, &x)
        .map_err(|_| malformed("its private and public halves are not one Ed25519 key"))?;
    Ok(Pair::Ed25519(pair))
}

fn expect_no_rsa(members: &Members<'_>) -> Result<(), StoreError> {
    let Members { n, e, p, q, dp, dq, qi, .. } = members;
    expect([n, e, p, q, dp, dq, qi].into_iter().all(Option::is_none), "it has members of an RSA key")
}

fn rsa_json(algorithm: &str, pair: &RsaKeyPair) -> Result<Zeroizing<String>, StoreError> {
    let der = pair.as_der().map_err(|_| malformed("the new key could not be exported"))?;
    let numbers = rsa_numbers(der.as_ref()).ok_or_else(|| malformed("the new key could not be exported"))?;
    let [n, e, d, p, q, dp, dq, qi] = numbers.map(encode);
    to_json(&Members {
        kty: "RSA",
        n: Some(&n),
        e: Some(&e),
        d: Some(&d),
        p: Some(&p),
        q: Some(&q),
        dp: Some(&dp),
        dq: Some(&dq),
        qi: Some(&qi),
        alg: Some(algorithm),
        ..Members::default()
    })
}

fn ec_json(algorithm: &str, curve: &Curve, pair: &EcdsaKeyPair) -> Result<Zeroizing<String>, StoreError> {
    let unusable = || malformed("the new key could not be exported");
    let point = pair.public_key().as_ref().strip_prefix(&[4]).ok_or_else(unusable)?;
    let (x, y) = point.split_at_checked(curve.length).ok_or_else(unusable)?;
    let scalar = pair.private_key().as_be_bytes().map_err(|_| unusable())?;
    let (x, y, d) = (encode(x), encode(y), encode(scalar.as_ref()));
    to_json(&Members {
        kty: "EC",
        crv: Some(curve.name),
        x: Some(&x),
        y: Some(&y),
        d: Some(&d),
        alg: Some(algorithm),
        ..Members::default()
    })
}

fn ed25519_json(algorithm: &str, pair: &Ed25519KeyPair) -> Result<Zeroizing<String>, StoreError> {
    let seed = pair
        .seed()
        .and_then(|seed| seed.as_be_bytes())
        .map_err(|_| malformed("the new key could not be exported"))?;
    let (x, d) = (encode(pair.public_key().as_ref()), encode(seed.as_ref()));
    to_json(&Members {
        kty: "OKP",
        crv: Some("Ed25519"),
        x: Some(&x),
        d: Some(&d),
        alg: Some(algorithm),
        ..Members::default()
    })
}

fn x25519_json(algorithm: &str, key: &PrivateKey) -> Result<Zeroizing<String>, StoreError> {
    let unusable = |_| malformed("the new key could not be exported");
    let seed: Curve25519SeedBin<'_> = key.as_be_bytes().map_err(unusable)?;
    let public = key.compute_public_key().map_err(unusable)?;
    let (x, d) = (encode(public.as_ref()), encode(seed.as_ref()));
    to_json(&Members {
        kty: "OKP",
        crv: Some("X25519"),
        x: Some(&x),
        d: Some(&d),
        alg: Some(algorithm),
        ..Members::default()
    })
}

/// The numbers n, e, d, p, q, dp, dq, qi of a PKCS#8 RSA key (RFC 8017 appendix A.1.2) that AWS-LC has just written.
fn rsa_numbers(pkcs8: &[u8]) -> Option<[&[u8]; 8]> {
    const INTEGER: u8 = 0x02;
    const OCTETS: u8 = 0x04;
    const SEQUENCE: u8 = 0x30;
    fn take<'d>(der: &mut &'d [u8], tag: u8) -> Option<&'d [u8]> {
        let rest = der.strip_prefix(&[tag])?;
        let (&first, rest) = rest.split_first()?;
        let (length, rest) = if first < 0x80 {
            (usize::from(first), rest)
        } else {
            let (bytes, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
            (bytes.iter().fold(0_usize, |length, byte| (length << 8) | usize::from(*byte)), rest)
        };
        let (value, rest) = rest.split_at_checked(length)?;
        *der = rest;
        Some(value)
    }
    let mut der = pkcs8;
    let mut info = take(&mut der, SEQUENCE)?;
    take(&mut info, INTEGER)?;
    take(&mut info, SEQUENCE)?;
    let mut key = take(&mut info, OCTETS)?;
    let mut numbers = take(&mut key, SEQUENCE)?;
    take(&mut numbers, INTEGER)?;
    let mut found = [&[][..]; 8];
    for number in &mut found {
        let value = take(&mut numbers, INTEGER)?;
        // JWK numbers have no sign byte (RFC 7518 section 2, Base64urlUInt).
        *number = value.strip_prefix(&[0]).unwrap_or(value);
    }
    Some(found)
}

fn encode(bytes: &[u8]) -> Zeroizing<String> {
    Zeroizing::new(BASE64URL.encode(bytes))
}

fn decode(name: &str, text: Option<&str>) -> Result<Zeroizing<Vec<u8>>, StoreError> {
    let text = text.ok_or_else(|| malformed(&format!("`{name}` is missing")))?;
    let bytes = BASE64URL.decode(text).map_err(|_| malformed(&format!("`{name}` is not base64url")))?;
    Ok(Zeroizing::new(bytes))
}

/// Writes into a buffer that never grows, because growing would leave copies of the secret behind.
fn to_json(members: &Members<'_>) -> Result<Zeroizing<String>, StoreError> {
    let mut json = Zeroizing::new(Vec::with_capacity(MAX_PRIVATE_JWK + 256));
    serde_json::to_writer(&mut *json, members).map_err(|_| malformed("it cannot be written as JSON"))?;
    String::from_utf8(std::mem::take(&mut *json))
        .map(Zeroizing::new)
        .map_err(|_| malformed("it cannot be written as JSON"))
}

fn expect(held: bool, otherwise: &str) -> Result<(), StoreError> {
    if held { Ok(()) } else { Err(malformed(otherwise)) }
}

fn malformed(what: &str) -> StoreError {
    StoreError::Malformed(what.to_owned())
}
