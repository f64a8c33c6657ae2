//! The laws of [`KeyStore`], as a test-suite that every implementation runs on an empty store.
//!
//! ```no_run
//! # use drawbridge_keys::{conformance, directory::DirectoryStore, KeyAlgorithm};
//! # use drawbridge_verify::Algorithm;
//! # async fn test(folder: &std::path::Path) {
//! conformance::holds(&DirectoryStore::new(folder), &[KeyAlgorithm::Signature(Algorithm::ES256)]).await;
//! # }
//! ```
#![allow(
    clippy::panic,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test-suite, compiled for tests alone"
)]

use std::time::Duration;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD as BASE64URL};
use drawbridge_verify::{
    Algorithm, KeyUse, MediaType, PublicJwk, PublicKey, Rules, UnixTime, Unverified,
    jwe::{ContentEncryption, EncryptionKey, Jwe},
};

use crate::{BackendName, KeyAlgorithm, KeyState, KeyStore, Kid, Signer, StoreError, Version};

/// Checks every law, for each of `algorithms` on a backend of its own. The store must be empty, and nobody else may use it.
///
/// # Panics
/// At the first law that does not hold, with its sentence.
pub async fn holds(store: &dyn KeyStore, algorithms: &[KeyAlgorithm]) {
    let mut backends = Vec::new();
    for algorithm in algorithms {
        let backend: BackendName =
            format!("conformance-{}", algorithm.to_string().to_lowercase().replace(['+', ':'], "-"))
                .parse()
                .unwrap();
        a_backend_without_keys_has_nothing(store, &backend, algorithm.key_use()).await;
        the_life_of_a_key(store, &backend, *algorithm).await;
        backends.push(backend);
    }
    backends.sort();
    assert_eq!(store.backends().await, Ok(backends.clone()), "every backend with keys is listed, in order");
    for backends in backends.windows(2) {
        keys_of_one_backend_are_not_those_of_another(store, &backends[0], &backends[1]).await;
    }
}

async fn a_backend_without_keys_has_nothing(store: &dyn KeyStore, backend: &BackendName, key_use: KeyUse) {
    // A store that was never written to may not be there yet, and says so.
    let nothing = |error: StoreError| matches!(error, StoreError::NotFound | StoreError::Unavailable(_));
    let signer = store.signer(backend).await.err();
    assert!(signer.is_some_and(nothing), "there is no signer before the first key");
    let key = store.encryption_key(backend).await.err();
    assert!(key.is_some_and(nothing), "there is nothing to encrypt to before the first key");
    let rotated = store.rotate(backend, key_use).await.err();
    assert!(rotated.is_some_and(nothing), "there is nothing to rotate before the first key");
    let kid = Kid::new(backend.clone(), key_use, never_was());
    let public = store.public(&kid).await.err();
    assert!(public.is_some_and(nothing), "a version that never was is not published");
}

async fn the_life_of_a_key(store: &dyn KeyStore, backend: &BackendName, algorithm: KeyAlgorithm) {
    let key_use = algorithm.key_use();
    let first = store.create(backend, key_use, algorithm).await.expect("the first key is made");
    assert_eq!((&first.backend, first.key_use), (backend, key_use), "the kid names the backend and the use");
    assert_eq!(first.to_string().parse::<Kid>().as_ref(), Ok(&first), "the kid keeps to the grammar");
    assert_eq!(
        store.create(backend, key_use, algorithm).await,
        Err(StoreError::Exists),
        "there is one first key"
    );
    published_and_used(store, &first, algorithm).await;
    states(store, backend, algorithm, &[(&first, KeyState::Current)]).await;
    assert_eq!(store.revoke(&first).await, Err(StoreError::InUse), "the current version cannot be revoked");

    let second = store.rotate(backend, key_use).await.expect("the key is rotated");
    assert_ne!(first, second, "a rotation makes a new version");
    let (old, new) = (store.public(&first).await.unwrap(), store.public(&second).await.unwrap());
    assert_ne!(old.thumbprint(), new.thumbprint(), "a rotation makes a new key");
    published_and_used(store, &second, algorithm).await;
    states(store, backend, algorithm, &[(&second, KeyState::Current), (&first, KeyState::Previous)]).await;

    assert_eq!(store.revoke(&first).await, Ok(()), "the previous version can be revoked");
    assert_eq!(store.public(&first).await, Err(StoreError::NotFound), "a revoked version is not published");
    if key_use == KeyUse::Encryption {
        let revoked = store.decrypter(&first).await.err();
        assert_eq!(revoked, Some(StoreError::NotFound), "a revoked version does not decrypt");
    }
    assert_eq!(store.revoke(&first).await, Ok(()), "revoking it again is fine");
    published_and_used(store, &second, algorithm).await;
    let versions = store.versions(backend, key_use).await.unwrap();
    assert_eq!(
        versions.first().map(|version| &version.kid),
        Some(&second),
        "the current version is listed first"
    );
    let listed = versions.iter().find(|version| version.kid == first).map(|version| version.state);
    assert!(
        matches!(listed, None | Some(KeyState::Revoked)),
        "a revoked version is listed as such, or not at all"
    );

    let kid = Kid::new(backend.clone(), key_use, never_was());
    assert_eq!(
        store.public(&kid).await,
        Err(StoreError::NotFound),
        "a version that never was is not published"
    );
    assert_eq!(
        store.revoke(&kid).await,
        Err(StoreError::NotFound),
        "a version that never was cannot be revoked"
    );
    let other_use = match key_use {
        KeyUse::Signing => KeyUse::Encryption,
        KeyUse::Encryption => KeyUse::Signing,
    };
    let other = Kid::new(backend.clone(), other_use, second.version.clone());
    assert_eq!(store.public(&other).await, Err(StoreError::NotFound), "a version has one use");
    let none = store.versions(backend, other_use).await;
    assert_eq!(none, Ok(Vec::new()), "keys of one use are not listed under another");
}

async fn keys_of_one_backend_are_not_those_of_another(
    store: &dyn KeyStore,
    one: &BackendName,
    other: &BackendName,
) {
    let mut versions = store.versions(one, KeyUse::Signing).await.unwrap();
    versions.extend(store.versions(one, KeyUse::Encryption).await.unwrap());
    let kid = versions.swap_remove(0).kid;
    let foreign = Kid::new(other.clone(), kid.key_use, kid.version);
    assert_eq!(store.public(&foreign).await, Err(StoreError::NotFound), "a version belongs to one backend");
    assert_eq!(
        store.revoke(&foreign).await,
        Err(StoreError::NotFound),
        "a version is revoked by its own name alone"
    );
}

async fn states(
    store: &dyn KeyStore,
    backend: &BackendName,
    algorithm: KeyAlgorithm,
    expected: &[(&Kid, KeyState)],
) {
    let versions = store.versions(backend, algorithm.key_use()).await.expect("the versions are listed");
    let found: Vec<_> = versions.iter().map(|version| (&version.kid, version.state)).collect();
    assert_eq!(found, expected, "the versions are listed newest first, with their states");
    assert!(versions.iter().all(|version| version.algorithm == algorithm), "a rotation keeps the algorithm");
    assert!(
        versions.iter().all(|version| version.created > UnixTime::from_secs(0)),
        "a version knows when it was made"
    );
}

/// The public half is named and stated as whoever uses it needs it, and what one half does the other undoes.
async fn published_and_used(store: &dyn KeyStore, kid: &Kid, algorithm: KeyAlgorithm) {
    let public = store.public(kid).await.expect("the version is published");
    assert_eq!(public.kid(), Some(kid.to_string().as_str()), "the public half is named by its kid");
    assert_eq!(public.key_use(), Some(kid.key_use), "the public half states its use");
    assert_eq!(KeyAlgorithm::of(&public), Some(algorithm), "the public half states its algorithm");
    match algorithm {
        KeyAlgorithm::Signature(algorithm) => signs(store, kid, &public, algorithm).await,
        KeyAlgorithm::Encryption(..) => decrypts(store, kid, &public).await,
    }
}

async fn signs(store: &dyn KeyStore, kid: &Kid, public: &PublicJwk, algorithm: Algorithm) {
    let signer = store.signer(&kid.backend).await.expect("there is a signer");
    assert_eq!(signer.kid(), kid, "the current version signs");
    assert_eq!(signer.algorithm(), algorithm, "the signer has the algorithm of the key");
    let token = token(signer.as_ref()).await;
    assert!(verifies(&token, public, algorithm), "what the signer signs, the public half verifies");
    let (signed, _) = token.rsplit_once('.').unwrap();
    let again = signer.sign(signed.as_bytes()).await.unwrap();
    assert!(
        verifies(&format!("{signed}.{}", BASE64URL.encode(again)), public, algorithm),
        "a signer can be used again"
    );
}

async fn decrypts(store: &dyn KeyStore, kid: &Kid, public: &PublicJwk) {
    let current = store.encryption_key(&kid.backend).await.expect("there is a key to encrypt to");
    assert_eq!(&current, public, "the current version is encrypted to");
    let decrypter = store.decrypter(kid).await.expect("the version decrypts");
    let name = kid.to_string();
    assert_eq!(decrypter.recipient().kid(), name, "the recipient has the name of the key");
    for encryption in ContentEncryption::ALL {
        let nested =
            EncryptionKey::bind(public, &name, encryption).unwrap().encrypt("a signed token").unwrap();
        let sealed = Jwe::parse(&nested, 16 * 1024).unwrap().admit(decrypter.recipient());
        let sealed = sealed.expect("the recipient admits what was encrypted to it");
        let key = decrypter.unwrap(&sealed).await.expect("the store unwraps");
        let opened = sealed.open(key).expect("what was encrypted to the public half, the private half opens");
        assert_eq!(opened.as_str(), "a signed token");
    }
}

const ISSUER: &str = "https://conformance.example.com";

async fn token(signer: &dyn Signer) -> String {
    let header =
        format!(r#"{{"alg":"{}","typ":"bridged+jwt","kid":"{}"}}"#, signer.algorithm(), signer.kid());
    let claims = format!(r#"{{"iss":"{ISSUER}","aud":"a","sub":"s","iat":1000,"exp":1060,"jti":"1"}}"#);
    let signed = format!("{}.{}", BASE64URL.encode(header), BASE64URL.encode(claims));
    let signature = signer.sign(signed.as_bytes()).await.expect("the signer signs");
    format!("{signed}.{}", BASE64URL.encode(signature))
}

fn verifies(token: &str, public: &PublicJwk, algorithm: Algorithm) -> bool {
    let algorithms = [algorithm].into_iter().collect();
    let rules = Rules {
        issuer: ISSUER.to_owned(),
        audiences: vec!["a".to_owned()],
        single_audience: true,
        algorithms,
        types: vec![MediaType::new("bridged+jwt")],
        max_lifetime: Some(Duration::from_secs(300)),
        skew: Duration::ZERO,
        require_jti: true,
        require_client_id: false,
        max_token_bytes: 4096,
        relaxed: Vec::new(),
    };
    let admitted = rules.admit(Unverified::parse(token, 4096).unwrap()).unwrap();
    let key = PublicKey::bind(public, admitted.kid(), algorithms, false).unwrap();
    admitted.verify(&key).is_ok_and(|authentic| authentic.claims(UnixTime::from_secs(1000)).is_ok())
}

fn never_was() -> Version {
    "0198c5e2-7a10-7cc2-9d4e-3f6f0f1f2a11".parse().unwrap()
}
