//! The key stores on AWS, over services that were not written here: MiniStack for Secrets Manager and KMS, and moto as a second opinion on
//! Secrets Manager. moto's KMS is none: it hashes a digest again and salts RSASSA-PSS with as much as fits.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "test code: what breaks must fail loudly"
)]

use std::{
    path::Path,
    process::{Command, Output, Stdio},
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_kms::{
    config::Credentials,
    types::{KeySpec, KeyUsageType},
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD as BASE64URL};
use drawbridge_aws::{ALGORITHM, Kms, SecretsManager};
use drawbridge_keys::{
    BackendName, KeyAlgorithm, KeyState, KeyStore, Kid, PrivateJwk, StoreError, conformance,
};
use drawbridge_tests::{
    binary::drawbridge,
    parts::{MiniStack, Moto},
};
use drawbridge_verify::{
    Algorithm, KeyType, KeyUse, PublicJwk, UnixTime,
    jwe::{ContentEncryption, EncryptionKey, Jwe, KeyManagement},
};
use serde_json::{Value, json};

#[tokio::test]
async fn secrets_manager_keeps_the_laws_of_a_store() {
    let Some(services) = MiniStack::start() else { return };
    conformance::holds(&secrets(&sdk(&services.url()).await), &for_secrets()).await;
}

#[tokio::test]
async fn secrets_manager_keeps_the_laws_of_a_store_in_a_second_opinion() {
    let (signing, encryption): (Vec<_>, Vec<_>) =
        for_secrets().into_iter().partition(|algorithm| algorithm.key_use() == KeyUse::Signing);
    // moto fails where the versions of a secret are asked for that never was, so that no two backends differ in use.
    for algorithms in [signing, encryption] {
        let Some(services) = Moto::start() else { return };
        conformance::holds(&secrets(&sdk(&services.url()).await), &algorithms).await;
    }
}

#[tokio::test]
async fn kms_keeps_the_laws_of_a_store() {
    let Some(services) = MiniStack::start() else { return };
    let signing =
        [Algorithm::ES256, Algorithm::ES384, Algorithm::PS256, Algorithm::RS256].map(KeyAlgorithm::from);
    let algorithms = [&signing[..], &[KeyManagement::RsaOaep256.into()]].concat();
    conformance::holds(&kms(&sdk(&services.url()).await), &algorithms).await;
}

#[tokio::test]
async fn what_kms_signs_somebody_elses_library_verifies() {
    let Some(services) = MiniStack::start() else { return };
    let store = kms(&sdk(&services.url()).await);
    for algorithm in [Algorithm::ES256, Algorithm::ES384, Algorithm::PS256, Algorithm::RS256] {
        let backend: BackendName = algorithm.name().to_lowercase().parse().unwrap();
        let kid = store.create(&backend, KeyUse::Signing, algorithm.into()).await.unwrap();
        let signer = store.signer(&backend).await.unwrap();
        let token = token(signer.as_ref(), &json!({ "sub": "demo", "padding": "x".repeat(6000) })).await;
        let jwk: jsonwebtoken::jwk::Jwk =
            serde_json::from_str(&store.public(&kid).await.unwrap().to_json()).unwrap();
        let mut rules = jsonwebtoken::Validation::new(algorithm.name().parse().unwrap());
        rules.required_spec_claims.clear();
        rules.validate_exp = false;
        let key = jsonwebtoken::DecodingKey::from_jwk(&jwk).unwrap();
        let verified = jsonwebtoken::decode::<Value>(&token, &key, &rules).unwrap();
        assert_eq!((&verified.claims["sub"], verified.header.kid), (&json!("demo"), Some(kid.to_string())));
    }
}

#[tokio::test]
async fn a_pending_version_is_neither_published_nor_used_nor_listed() {
    let Some(services) = MiniStack::start() else { return };
    let sdk = sdk(&services.url()).await;
    let (store, client) = (secrets(&sdk), aws_sdk_secretsmanager::Client::new(&sdk));
    let current = store.create(&orders(), KeyUse::Signing, Algorithm::ES256.into()).await.unwrap();
    let key = PrivateJwk::generate(Algorithm::ES256.into()).unwrap();
    let pending =
        Kid::new(orders(), KeyUse::Signing, "0198c5e2-7a10-7cc2-9d4e-3f6f0f1f2a11".parse().unwrap());
    let put = client.put_secret_value().secret_id(SIGNING).client_request_token(pending.version.as_str());
    put.secret_string(key.to_json().as_str()).version_stages("AWSPENDING").send().await.unwrap();

    assert_eq!(store.public(&pending).await, Err(StoreError::NotFound));
    assert_eq!(store.signer(&orders()).await.unwrap().kid(), &current);
    assert_eq!(states(&store, KeyUse::Signing).await, [(current, KeyState::Current)]);
}

#[tokio::test]
async fn of_three_rotations_within_the_hour_the_third_waits_and_nothing_that_signed_is_lost() {
    let Some(services) = MiniStack::start() else { return };
    let store = secrets(&sdk(&services.url()).await);
    let sig = KeyUse::Signing;
    let first = store.create(&orders(), sig, Algorithm::ES256.into()).await.unwrap();
    let second = store.rotate(&orders(), sig).await.unwrap();
    let third = store.rotate(&orders(), sig).await.unwrap();
    for kid in [&first, &second, &third] {
        assert!(store.public(kid).await.is_ok(), "{kid}");
    }
    let refused = store.rotate(&orders(), sig).await.unwrap_err();
    assert!(
        matches!(&refused, StoreError::Unsupported(what) if what.contains(first.version.as_str())),
        "{refused}"
    );
    assert_eq!(store.signer(&orders()).await.unwrap().kid(), &third);

    store.revoke(&first).await.unwrap();
    let fourth = store.rotate(&orders(), sig).await.unwrap();
    for kid in [&second, &third, &fourth] {
        assert!(store.public(kid).await.is_ok(), "{kid}");
    }
    assert_eq!(store.public(&first).await, Err(StoreError::NotFound));
}

#[tokio::test]
async fn a_rotation_retires_what_nothing_valid_was_signed_with() {
    let Some(services) = MiniStack::start() else { return };
    let sdk = sdk(&services.url()).await;
    let stores: [(Arc<dyn KeyStore>, Arc<dyn KeyStore>); 2] = [
        (Arc::new(secrets(&sdk)), Arc::new(secrets(&sdk).with_clock(Arc::new(in_two_hours())))),
        (Arc::new(kms(&sdk)), Arc::new(kms(&sdk).with_clock(Arc::new(in_two_hours())))),
    ];
    for (now, later) in stores {
        let sig = KeyUse::Signing;
        let first = now.create(&orders(), sig, Algorithm::ES256.into()).await.unwrap();
        let second = now.rotate(&orders(), sig).await.unwrap();
        let third = now.rotate(&orders(), sig).await.unwrap();
        let fourth = later.rotate(&orders(), sig).await.unwrap();
        for kid in [&first, &second] {
            assert_eq!(now.public(kid).await, Err(StoreError::NotFound), "{kid}");
        }
        for kid in [&third, &fourth] {
            assert!(now.public(kid).await.is_ok(), "{kid}");
        }
    }
}

#[tokio::test]
async fn a_secret_that_was_made_without_a_value_is_filled_with_the_key_that_its_tag_names() {
    // MiniStack makes a version without a value of it.
    let Some(services) = Moto::start() else { return };
    let sdk = sdk(&services.url()).await;
    let (store, client) = (secrets(&sdk), aws_sdk_secretsmanager::Client::new(&sdk));
    let tag = aws_sdk_secretsmanager::types::Tag::builder().key(ALGORITHM).value("ES384").build();
    client.create_secret().name(SIGNING).tags(tag).send().await.unwrap();

    assert_eq!(store.rotate(&orders(), KeyUse::Signing).await, Err(StoreError::NotFound));
    let other = store.create(&orders(), KeyUse::Signing, Algorithm::ES256.into()).await;
    assert!(matches!(&other, Err(StoreError::Unsupported(what)) if what.contains("ES384")), "{other:?}");
    let kid = store.create(&orders(), KeyUse::Signing, Algorithm::ES384.into()).await.unwrap();
    assert_eq!(store.signer(&orders()).await.unwrap().kid(), &kid);
    let again = store.create(&orders(), KeyUse::Signing, Algorithm::ES384.into()).await;
    assert_eq!(again, Err(StoreError::Exists));
}

#[tokio::test]
async fn a_deleted_secret_and_a_deleted_key_are_told_from_ones_that_never_were() {
    let Some(services) = MiniStack::start() else { return };
    let sdk = sdk(&services.url()).await;
    let (secrets, kms) = (secrets(&sdk), kms(&sdk));
    let secret = secrets.create(&orders(), KeyUse::Signing, Algorithm::ES256.into()).await.unwrap();
    let key = kms.create(&orders(), KeyUse::Signing, Algorithm::ES256.into()).await.unwrap();
    let client = aws_sdk_secretsmanager::Client::new(&sdk);
    client.delete_secret().secret_id(SIGNING).send().await.unwrap();
    let client = aws_sdk_kms::Client::new(&sdk);
    client.schedule_key_deletion().key_id(key.version.as_str()).send().await.unwrap();

    assert!(matches!(secrets.public(&secret).await, Err(StoreError::Deleted(_))));
    assert!(matches!(secrets.signer(&orders()).await.err(), Some(StoreError::Deleted(_))));
    assert!(matches!(kms.public(&key).await, Err(StoreError::Deleted(_))));
    assert!(matches!(kms.signer(&orders()).await.err(), Some(StoreError::Deleted(_))));
}

#[tokio::test]
async fn every_secret_is_listed_however_many_pages_there_are_and_no_other() {
    let Some(services) = MiniStack::start() else { return };
    let sdk = sdk(&services.url()).await;
    let (store, client) = (secrets(&sdk), aws_sdk_secretsmanager::Client::new(&sdk));
    let mut expected = Vec::new();
    for number in 0..120 {
        client
            .create_secret()
            .name(format!("drawbridge/b{number}/sig"))
            .secret_string("{}")
            .send()
            .await
            .unwrap();
        expected.push(format!("b{number}").parse().unwrap());
    }
    for other in ["drawbridge/x", "drawbridge/x/y", "drawbridge/x/sig/y", "drawbridge/X/sig", "other/x/sig"] {
        client.create_secret().name(other).secret_string("{}").send().await.unwrap();
    }
    expected.sort();
    assert_eq!(store.backends().await, Ok(expected));
}

#[tokio::test]
async fn a_key_that_no_alias_of_the_backend_names_is_no_key_of_it_whatever_its_id_says() {
    let Some(services) = MiniStack::start() else { return };
    let sdk = sdk(&services.url()).await;
    let (store, client) = (kms(&sdk), aws_sdk_kms::Client::new(&sdk));
    let sig = KeyUse::Signing;
    let first = store.create(&orders(), sig, Algorithm::ES256.into()).await.unwrap();
    let stranger = client.create_key().key_spec(KeySpec::EccNistP256).key_usage(KeyUsageType::SignVerify);
    let stranger = stranger.send().await.unwrap().key_metadata.unwrap().key_id;
    let stranger = Kid::new(orders(), sig, stranger.parse().unwrap());
    assert_eq!(store.public(&stranger).await, Err(StoreError::NotFound));
    assert_eq!(store.revoke(&stranger).await, Err(StoreError::NotFound));

    // An alias that names one version and leads to the key of another.
    let alias = format!("alias/drawbridge/orders/sig/{}", stranger.version);
    client.create_alias().alias_name(alias).target_key_id(first.version.as_str()).send().await.unwrap();
    assert_eq!(store.public(&stranger).await, Err(StoreError::NotFound));
    assert_eq!(states(&store, sig).await, [(first, KeyState::Current)]);
}

#[tokio::test]
async fn a_kms_key_of_infrastructure_code_is_found_by_its_one_alias_and_rotates_from_there() {
    let Some(services) = MiniStack::start() else { return };
    let sdk = sdk(&services.url()).await;
    let (store, client) = (kms(&sdk), aws_sdk_kms::Client::new(&sdk));
    let sig = KeyUse::Signing;
    let team = aws_sdk_kms::types::Tag::builder().tag_key("team").tag_value("sales").build().unwrap();
    let made =
        client.create_key().key_spec(KeySpec::EccNistP384).key_usage(KeyUsageType::SignVerify).tags(team);
    let made = made.send().await.unwrap().key_metadata.unwrap().key_id;
    client
        .create_alias()
        .alias_name("alias/drawbridge/orders/sig")
        .target_key_id(&made)
        .send()
        .await
        .unwrap();

    let first = store.signer(&orders()).await.unwrap().kid().clone();
    assert_eq!(first.version.as_str(), made);
    assert!(store.public(&first).await.is_ok());
    let second = store.rotate(&orders(), sig).await.unwrap();
    assert!(store.public(&first).await.is_ok(), "what it signed can still be verified");
    assert_eq!(states(&store, sig).await, [(second.clone(), KeyState::Current), (first, KeyState::Previous)]);
    let tags =
        client.list_resource_tags().key_id(second.version.as_str()).send().await.unwrap().tags.unwrap();
    let mut tags: Vec<_> = tags.iter().map(|tag| (tag.tag_key(), tag.tag_value())).collect();
    tags.sort_unstable();
    assert_eq!(
        tags,
        [("drawbridge:algorithm", "ES384"), ("drawbridge:key", "drawbridge/orders/sig"), ("team", "sales")]
    );
}

#[tokio::test]
async fn a_kms_key_of_another_kind_is_refused_and_not_guessed_about() {
    let Some(services) = MiniStack::start() else { return };
    let sdk = sdk(&services.url()).await;
    let (store, client) = (kms(&sdk), aws_sdk_kms::Client::new(&sdk));
    // An RSA key that does not say which padding, a curve that is not used here, and a key to decrypt with where one is to sign.
    let kinds = [
        (KeySpec::Rsa2048, KeyUsageType::SignVerify),
        (KeySpec::EccSecgP256K1, KeyUsageType::SignVerify),
        (KeySpec::Rsa2048, KeyUsageType::EncryptDecrypt),
    ];
    for (number, (spec, usage)) in kinds.into_iter().enumerate() {
        let backend: BackendName = format!("b{number}").parse().unwrap();
        let made = client.create_key().key_spec(spec).key_usage(usage).send().await.unwrap();
        let made = made.key_metadata.unwrap().key_id;
        let alias = format!("alias/drawbridge/{backend}/sig");
        client.create_alias().alias_name(alias).target_key_id(&made).send().await.unwrap();
        let kid = Kid::new(backend.clone(), KeyUse::Signing, made.parse().unwrap());
        assert!(matches!(store.signer(&backend).await.err(), Some(StoreError::Malformed(_))), "{number}");
        assert!(matches!(store.public(&kid).await, Err(StoreError::Malformed(_))), "{number}");
    }
}

#[tokio::test]
async fn an_encrypted_key_that_kms_does_not_decrypt_opens_nothing_and_is_no_failure() {
    let Some(services) = MiniStack::start() else { return };
    let store = kms(&sdk(&services.url()).await);
    let kid = store.create(&orders(), KeyUse::Encryption, KeyManagement::RsaOaep256.into()).await.unwrap();
    let decrypter = store.decrypter(&kid).await.unwrap();
    // The same name on another key, of the same length and of another.
    for bits in [3072, 2048] {
        let stranger = rsa_public(bits).named_for_encryption(&kid.to_string(), KeyManagement::RsaOaep256);
        let stranger = EncryptionKey::bind(&stranger, &kid.to_string(), ContentEncryption::A256Gcm).unwrap();
        let token = stranger.encrypt("a signed token").unwrap();
        let sealed = Jwe::parse(&token, 16 * 1024).unwrap().admit(decrypter.recipient()).unwrap();
        let key = decrypter.unwrap(&sealed).await.expect("it is not a failure of the store's");
        assert!(sealed.open(key).is_err());
    }
}

#[tokio::test]
async fn an_operator_keeps_the_keys_of_both_stores_at_the_command_line() {
    let Some(services) = MiniStack::start() else { return };
    let (folder, url) = (folder(), services.url());
    for store in ["secrets", "kms"] {
        let at = |command: &[&str]| {
            let arguments = [&["keys"], command, &["--config", "drawbridge.yaml", "--store", store]].concat();
            let output = run(folder.path(), &url, &arguments);
            assert_eq!(output.status.code(), Some(0), "{command:?}: {output:?}");
            String::from_utf8(output.stdout).unwrap()
        };
        let kid = |said: String| said.trim().rsplit(' ').next().unwrap().to_owned();
        assert_eq!(at(&["list"]).trim(), "no keys");
        let first = kid(at(&["create", "--backend", store]));
        let second = kid(at(&["rotate", "--backend", store]));
        let encryption = kid(at(&["create", "--backend", store, "--use", "enc"]));
        let listed: Value = serde_json::from_str(&at(&["list", "--format", "json"])).unwrap();
        let listed: Vec<_> =
            listed.as_array().unwrap().iter().map(|key| (&key["kid"], &key["state"])).collect();
        assert_eq!(
            listed,
            [
                (&json!(second), &json!("current")),
                (&json!(first), &json!("previous")),
                (&json!(encryption), &json!("current"))
            ]
        );
        let shown: Value = serde_json::from_str(&at(&["show", &first, "--format", "json"])).unwrap();
        assert_eq!((&shown["kid"], &shown["d"]), (&json!(first), &Value::Null));
        at(&["revoke", &first]);
        let output = run(
            folder.path(),
            &url,
            &["keys", "show", &first, "--config", "drawbridge.yaml", "--store", store],
        );
        assert_eq!(output.status.code(), Some(1), "{output:?}");
    }
}

#[tokio::test]
async fn a_gate_beside_its_store_decides_with_the_keys_of_either() {
    let Some(services) = MiniStack::start() else { return };
    let (folder, sdk) = (folder(), sdk(&services.url()).await);
    let stores: [(&str, Arc<dyn KeyStore>); 2] =
        [("secrets", Arc::new(secrets(&sdk))), ("kms", Arc::new(kms(&sdk)))];
    for (name, store) in stores {
        let backend: BackendName = name.parse().unwrap();
        store.create(&backend, KeyUse::Signing, Algorithm::ES256.into()).await.unwrap();
        let signer = store.signer(&backend).await.unwrap();
        let claims = json!({
            "iss": "https://edge.example.com", "aud": name, "sub": "demo", "jti": "1", "scope": "customers:read",
            "iat": 1_767_225_600, "exp": 1_767_225_660,
        });
        let token = token(signer.as_ref(), &claims).await;
        let request = json!({
            "method": "GET", "uri": "/customers/42", "headers": { "authorization": [format!("Bearer {token}")] }
        });
        let request = request.to_string();
        let decided = |token: &str| {
            let arguments =
                ["explain", "--config", "drawbridge.yaml", "--backend", name, "--at", "1767225600"];
            run(folder.path(), &services.url(), &[&arguments[..], &["--request", token]].concat())
        };
        let allowed = decided(&request);
        assert_eq!(allowed.status.code(), Some(0), "{allowed:?}");
        // A kid of a version that never was is a denial, and no failure.
        let unknown = request.replace(
            &BASE64URL.encode(header(signer.as_ref())),
            &BASE64URL.encode(
                header(signer.as_ref())
                    .replace(signer.kid().version.as_str(), "0198c5e2-7a10-7cc2-9d4e-3f6f0f1f2a11"),
            ),
        );
        let denied = decided(&unknown);
        assert_eq!(denied.status.code(), Some(2), "{denied:?}");
        assert!(String::from_utf8_lossy(&denied.stdout).contains("key.unknown"), "{denied:?}");
    }
}

#[test]
fn without_credentials_an_operator_is_told_what_to_do() {
    let folder = folder();
    let mut command = Command::new(drawbridge());
    command.env_clear().env("AWS_EC2_METADATA_DISABLED", "true").env("HOME", folder.path());
    command.args(["keys", "list", "--config", "drawbridge.yaml", "--store", "secrets"]);
    let output = command.current_dir(folder.path()).stdin(Stdio::null()).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("there are no AWS credentials: set AWS_PROFILE"), "{said}");
    assert_eq!(said.trim().lines().count(), 1, "{said}");
}

const SIGNING: &str = "drawbridge/orders/sig";

fn orders() -> BackendName {
    "orders".parse().unwrap()
}

fn secrets(sdk: &SdkConfig) -> SecretsManager {
    SecretsManager::over("drawbridge", sdk)
}

fn kms(sdk: &SdkConfig) -> Kms {
    Kms::over("drawbridge", sdk)
}

fn for_secrets() -> Vec<KeyAlgorithm> {
    let signing = [Algorithm::ES256, Algorithm::PS256, Algorithm::Ed25519].map(KeyAlgorithm::from);
    let agreed = KeyAlgorithm::Encryption(KeyManagement::EcdhEsA256Kw, KeyType::X25519);
    [&signing[..], &[KeyManagement::RsaOaep256.into(), agreed]].concat()
}

async fn sdk(url: &str) -> SdkConfig {
    aws_config::defaults(BehaviorVersion::v2026_01_12())
        .region(Region::new("eu-west-1"))
        .endpoint_url(url)
        .credentials_provider(Credentials::new("test", "test", None, None, "test"))
        .load()
        .await
}

async fn states(store: &dyn KeyStore, key_use: KeyUse) -> Vec<(Kid, KeyState)> {
    let versions = store.versions(&orders(), key_use).await.unwrap();
    versions.into_iter().map(|version| (version.kid, version.state)).collect()
}

fn header(signer: &dyn drawbridge_keys::Signer) -> String {
    json!({ "alg": signer.algorithm().name(), "typ": "bridged+jwt", "kid": signer.kid().to_string() })
        .to_string()
}

async fn token(signer: &dyn drawbridge_keys::Signer, claims: &Value) -> String {
    let signed = format!("{}.{}", BASE64URL.encode(header(signer)), BASE64URL.encode(claims.to_string()));
    let signature = signer.sign(signed.as_bytes()).await.unwrap();
    format!("{signed}.{}", BASE64URL.encode(signature))
}

fn rsa_public(bits: usize) -> PublicJwk {
    use aws_lc_rs::rsa::{KeyPair, KeySize, PublicKeyComponents};
    use aws_lc_rs::signature::KeyPair as _;
    let size = if bits == 2048 { KeySize::Rsa2048 } else { KeySize::Rsa3072 };
    let pair = KeyPair::generate(size).unwrap();
    let PublicKeyComponents { n, e } = PublicKeyComponents::<Vec<u8>>::from(pair.public_key());
    let jwk = json!({ "kty": "RSA", "n": BASE64URL.encode(n), "e": BASE64URL.encode(e) });
    PublicJwk::parse(jwk.to_string().as_bytes()).unwrap()
}

fn in_two_hours() -> UnixTime {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap() + Duration::from_secs(2 * 3600);
    UnixTime::from_secs(now.as_secs().try_into().unwrap())
}

/// A configuration with one backend for each store.
fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let routes =
        json!([{ "path": "/customers/{customer}", "methods": ["GET"], "scopes": ["customers:read"] }]);
    let issuer = |store: &str| {
        json!({
            "issuer": "https://edge.example.com", "keys": { "store": store }, "algorithms": ["ES256"],
            "types": ["bridged+jwt"],
        })
    };
    let config = json!({
        "issuers": { "edge": issuer("secrets"), "edge-kms": issuer("kms") },
        "stores": {
            "secrets": { "secrets_manager": { "region": "eu-west-1" } },
            "kms": { "kms": { "region": "eu-west-1" } },
        },
        "backends": {
            "secrets": { "issuer": "edge", "audience": "secrets", "store": "secrets", "routes": routes },
            "kms": { "issuer": "edge-kms", "audience": "kms", "store": "kms", "routes": routes },
        },
    });
    std::fs::write(folder.path().join("drawbridge.yaml"), config.to_string()).unwrap();
    folder
}

fn run(folder: &Path, url: &str, arguments: &[&str]) -> Output {
    let mut command = Command::new(drawbridge());
    command.env_clear().env("AWS_ENDPOINT_URL", url).env("AWS_ACCESS_KEY_ID", "test");
    command.env("AWS_SECRET_ACCESS_KEY", "test").current_dir(folder).stdin(Stdio::null());
    command.args(arguments).output().unwrap()
}
