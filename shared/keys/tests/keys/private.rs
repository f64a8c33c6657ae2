use drawbridge_keys::{KeyAlgorithm, PrivateJwk, StoreError};
use drawbridge_verify::{Algorithm, JwkError, KeyType, KeyUse, PublicJwk, jwe::KeyManagement};
use serde_json::{Map, Value, json};

use crate::support::ES256;

/// RSA is slow to make in a debug build, so that one key serves for all six algorithms.
fn made(algorithm: Algorithm) -> PrivateJwk {
    static RSA: std::sync::LazyLock<String> = std::sync::LazyLock::new(|| {
        let key = PrivateJwk::generate(KeyAlgorithm::Signature(Algorithm::RS256)).unwrap();
        key.to_json().as_str().to_owned()
    });
    match algorithm.name().get(..2) {
        Some("RS" | "PS") => {
            let mut members = members(&RSA);
            members.insert("alg".to_owned(), algorithm.name().into());
            parse(&members).unwrap()
        }
        _ => PrivateJwk::generate(KeyAlgorithm::Signature(algorithm)).unwrap(),
    }
}

fn members(json: &str) -> Map<String, Value> {
    serde_json::from_str(json).unwrap()
}

fn parse(members: &Map<String, Value>) -> Result<PrivateJwk, StoreError> {
    PrivateJwk::parse(serde_json::to_string(members).unwrap().as_bytes())
}

#[test]
fn a_key_of_every_algorithm_survives_its_json() {
    for algorithm in Algorithm::ALL {
        let key = made(algorithm);
        assert_eq!(key.algorithm(), KeyAlgorithm::Signature(algorithm));
        let again = PrivateJwk::parse(key.to_json().as_bytes()).unwrap();
        assert_eq!(again.to_json(), key.to_json(), "{algorithm}");
        assert_eq!(again.public(), key.public(), "{algorithm}");
        assert_eq!(key.public().algorithm(), Some(algorithm));
    }
}

#[test]
fn the_public_half_is_published_without_any_private_member() {
    for algorithm in Algorithm::ALL {
        let key = made(algorithm);
        let public = members(&key.public().to_json());
        for private in ["d", "p", "q", "dp", "dq", "qi"] {
            assert!(!public.contains_key(private), "{algorithm} {private}");
        }
        assert_eq!(PublicJwk::parse(key.to_json().as_bytes()), Err(JwkError::NotPublic), "{algorithm}");
    }
}

/// As [`made`], for encryption.
fn made_to_decrypt(algorithm: KeyAlgorithm) -> PrivateJwk {
    if algorithm.key_type() != KeyType::Rsa {
        return PrivateJwk::generate(algorithm).unwrap();
    }
    let mut members = members(&made(Algorithm::RS256).to_json());
    members.insert("alg".to_owned(), algorithm.name().into());
    members.insert("use".to_owned(), "enc".into());
    parse(&members).unwrap()
}

fn encryption_algorithms() -> impl Iterator<Item = KeyAlgorithm> {
    KeyAlgorithm::all().filter(|algorithm| algorithm.key_use() == KeyUse::Encryption)
}

#[test]
fn a_key_that_decrypts_survives_its_json_and_publishes_nothing_private() {
    for algorithm in encryption_algorithms() {
        let key = made_to_decrypt(algorithm);
        assert_eq!(key.algorithm(), algorithm);
        let again = PrivateJwk::parse(key.to_json().as_bytes()).unwrap();
        assert_eq!((again.to_json(), again.public()), (key.to_json(), key.public()), "{algorithm}");
        let kid = "billing.enc.1".parse().unwrap();
        let published = members(&key.published(&kid).to_json());
        for (name, value) in [("use", "enc"), ("alg", algorithm.name()), ("kid", "billing.enc.1")] {
            assert_eq!(published[name], value, "{algorithm}");
        }
        for private in ["d", "p", "q", "dp", "dq", "qi"] {
            assert!(!published.contains_key(private), "{algorithm} {private}");
        }
        assert!(key.decrypter(&kid).is_ok(), "{algorithm}");
        assert!(key.decrypter(&"billing.sig.1".parse().unwrap()).is_err(), "{algorithm}");
        assert!(key.signer("billing.sig.1".parse().unwrap()).is_err(), "{algorithm}: it never signs");
    }
    let signing = made(Algorithm::ES256);
    assert!(signing.decrypter(&"billing.enc.1".parse().unwrap()).is_err(), "a key that signs never decrypts");
}

#[test]
fn a_key_that_decrypts_is_made_for_its_algorithm_alone() {
    let unfit = KeyAlgorithm::Encryption(KeyManagement::EcdhEs, KeyType::Rsa);
    assert!(matches!(PrivateJwk::generate(unfit), Err(StoreError::Unsupported(_))));
    let unfit = KeyAlgorithm::Encryption(KeyManagement::RsaOaep256, KeyType::P256);
    assert!(matches!(PrivateJwk::generate(unfit), Err(StoreError::Unsupported(_))));
    for curve in [KeyType::P256, KeyType::P384, KeyType::X25519] {
        let algorithm = KeyAlgorithm::Encryption(KeyManagement::EcdhEsA256Kw, curve);
        let good = members(&made_to_decrypt(algorithm).to_json());
        let other = members(&made_to_decrypt(algorithm).to_json());
        for (name, value) in [
            ("use", json!("sig")),
            ("alg", json!("RSA-OAEP-256")),
            ("alg", json!("RSA1_5")),
            ("alg", json!("dir")),
            ("alg", json!("A256KW")),
            ("alg", json!("PBES2-HS256+A128KW")),
            ("key_ops", json!(["sign"])),
            ("key_ops", json!(["deriveKey", "sign"])),
            ("key_ops", json!([])),
            ("crv", json!("P-521")),
            ("crv", json!("Ed25519")),
            ("x", other["x"].clone()),
            ("d", other["d"].clone()),
            ("d", json!("AA")),
            ("n", json!("AQAB")),
            ("oth", json!([])),
        ] {
            let mut changed = good.clone();
            changed.insert(name.to_owned(), value.clone());
            assert!(matches!(parse(&changed), Err(StoreError::Malformed(_))), "{algorithm} {name}: {value}");
        }
        let mut listed = good.clone();
        listed.insert("key_ops".to_owned(), json!(["deriveKey", "deriveBits"]));
        assert!(parse(&listed).is_ok());
    }
}

#[test]
fn two_new_keys_are_never_the_same() {
    let (one, other) = (made(Algorithm::ES256), made(Algorithm::ES256));
    assert_ne!(one.public().thumbprint(), other.public().thumbprint());
}

#[test]
fn private_and_public_halves_of_two_keys_are_no_key() {
    for (algorithm, public) in [
        (Algorithm::ES256, "x,y"),
        (Algorithm::ES384, "x,y"),
        (Algorithm::ES512, "x,y"),
        (Algorithm::Ed25519, "x"),
    ] {
        let mut mixed = members(&made(algorithm).to_json());
        let other = members(&made(algorithm).to_json());
        for name in public.split(',') {
            mixed.insert(name.to_owned(), other[name].clone());
        }
        assert!(matches!(parse(&mixed), Err(StoreError::Malformed(_))), "{algorithm}");
    }
    // RSA: each private number is checked against the others.
    for name in ["d", "p", "q", "dp", "dq", "qi"] {
        let mut changed = members(&made(Algorithm::RS256).to_json());
        let number = changed[name].as_str().unwrap();
        let flipped = if number.ends_with('A') { "Q" } else { "A" };
        let number = format!("{}{flipped}", &number[..number.len() - 1]);
        changed.insert(name.to_owned(), number.into());
        assert!(matches!(parse(&changed), Err(StoreError::Malformed(_))), "{name}");
    }
}

#[test]
fn whatever_is_not_exactly_a_private_jwk_is_refused() {
    let good = members(&made(Algorithm::ES256).to_json());
    let with = |name: &str, value: Value| {
        let mut changed = good.clone();
        if value.is_null() {
            changed.remove(name)
        } else {
            changed.insert(name.to_owned(), value)
        };
        changed
    };
    assert!(parse(&good).is_ok());
    for (name, value) in [
        ("alg", Value::Null),
        ("alg", json!("none")),
        ("alg", json!("HS256")),
        ("alg", json!("es256")),
        ("alg", json!("ES384")),
        ("alg", json!("RS256")),
        ("alg", json!("Ed25519")),
        ("kty", Value::Null),
        ("kty", json!("oct")),
        ("kty", json!("RSA")),
        ("crv", json!("P-384")),
        ("crv", json!("secp256k1")),
        ("crv", Value::Null),
        ("d", Value::Null),
        ("d", json!("")),
        ("d", json!("AA")),
        ("d", json!(7)),
        ("d", json!(format!("AAAA{}", good["d"].as_str().unwrap()))),
        ("d", json!(format!("{}=", good["d"].as_str().unwrap()))),
        ("x", Value::Null),
        ("y", json!(good["x"].clone())),
        ("n", json!("AQAB")),
        ("p", json!("AQAB")),
        ("use", json!("enc")),
        ("use", json!(["sig"])),
        ("key_ops", json!(["verify"])),
        ("oth", json!([])),
        ("k", json!("c2VjcmV0")),
        ("jku", json!("https://evil.example.com")),
    ] {
        assert!(
            matches!(parse(&with(name, value.clone())), Err(StoreError::Malformed(_))),
            "{name}: {value}"
        );
    }
    let text = serde_json::to_string(&good).unwrap();
    let twice = text.replacen('{', r#"{"d":"AAAA","#, 1);
    let long = format!("{text}{}", " ".repeat(9000));
    for json in ["", "{}", "null", "[]", "not json", &text[1..], &twice, &long, &format!("{text}{text}")] {
        assert!(matches!(PrivateJwk::parse(json.as_bytes()), Err(StoreError::Malformed(_))), "{json}");
    }
    assert!(PrivateJwk::parse(b"\xff\xfe").is_err());
}

#[test]
fn an_error_says_nothing_of_the_key() {
    let good = members(&made(Algorithm::ES256).to_json());
    let secret = good["d"].as_str().unwrap();
    for (name, value) in
        [("d", json!([secret])), ("x", json!(secret)), (secret, json!(secret)), ("alg", json!(secret))]
    {
        let mut changed = good.clone();
        changed.insert(name.to_owned(), value);
        let Err(error) = parse(&changed) else { panic!("`{name}` was accepted") };
        assert!(!error.to_string().contains(secret) && !format!("{error:?}").contains(secret), "{error}");
    }
}

#[test]
fn a_key_that_another_tool_made_can_be_imported() {
    // RFC 7517 appendix A.2, with the `alg` that it lacks; RFC 8037 appendix A.1.
    let p256 = br#"{"kty":"EC","crv":"P-256","x":"MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4",
        "y":"4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM","d":"870MB6gfuTJ4HtUnUvYMyJpr5eUZNP4Bk43bVdj3eAE",
        "alg":"ES256","use":"sig","key_ops":["sign","verify"],"kid":"1"}"#;
    let key = PrivateJwk::parse(p256).unwrap();
    assert_eq!(key.public().kid(), None);
    let ed25519 = br#"{"kty":"OKP","crv":"Ed25519","d":"nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A",
        "x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo","alg":"EdDSA"}"#;
    let key = PrivateJwk::parse(ed25519).unwrap();
    assert_eq!(key.public().thumbprint().to_string(), "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k");
}

#[tokio::test]
async fn an_ed25519_signature_is_the_one_of_rfc_8037() {
    // Appendix A.4.
    let key = PrivateJwk::parse(
        br#"{"kty":"OKP","crv":"Ed25519","d":"nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A",
        "x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo","alg":"EdDSA"}"#,
    )
    .unwrap();
    let signer = key.signer("orders.sig.1".parse().unwrap()).unwrap();
    let signature = signer.sign(b"eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc").await.unwrap();
    let expected = "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg";
    assert_eq!(base64_url(&signature), expected);
}

#[tokio::test]
async fn a_signature_has_the_length_of_its_algorithm_and_holds_under_the_public_half() {
    for (algorithm, length) in [
        (Algorithm::RS256, 256),
        (Algorithm::RS384, 256),
        (Algorithm::RS512, 256),
        (Algorithm::PS256, 256),
        (Algorithm::PS384, 256),
        (Algorithm::PS512, 256),
        (Algorithm::ES256, 64),
        (Algorithm::ES384, 96),
        (Algorithm::ES512, 132),
        (Algorithm::Ed25519, 64),
        (Algorithm::EdDSA, 64),
    ] {
        let key = made(algorithm);
        let kid = "orders.sig.1".parse().unwrap();
        let signer = key.signer(kid).unwrap();
        drop(key);
        for _ in 0..8 {
            assert_eq!(signer.sign(b"input").await.unwrap().len(), length, "{algorithm}");
        }
        assert_eq!((signer.kid().to_string().as_str(), signer.algorithm()), ("orders.sig.1", algorithm));
    }
}

#[test]
fn a_key_for_signing_does_not_sign_under_the_name_of_another_use() {
    let key = PrivateJwk::generate(ES256).unwrap();
    assert!(matches!(key.signer("orders.enc.1".parse().unwrap()), Err(StoreError::Unsupported(_))));
}

fn base64_url(bytes: &[u8]) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(bytes)
}
