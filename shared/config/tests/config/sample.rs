//! What the loader makes of the examples.

use std::{collections::BTreeMap, path::Path, time::Duration};

use drawbridge_config::{
    Audit, AwsAuthorizer, AzureMode, Config, Encryption, Environment, Keys, Store, load, load_file,
    load_from_environment, load_leaving_policies,
};
use drawbridge_verify::{Algorithm, Relaxation, jwe::ContentEncryption};

use crate::to_json;

pub(crate) const EXAMPLE: &str = include_str!("../../examples/drawbridge.yaml");
pub(crate) const EVERYTHING: &str = include_str!("everything.yaml");
pub(crate) const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/examples");

fn example() -> Config {
    load_file(&Path::new(FOLDER).join("drawbridge.yaml")).unwrap()
}

#[test]
fn the_example_is_read_with_its_defaults() {
    let config = example();
    assert_eq!(config.consumers.as_deref(), Some("login"));
    assert_eq!(config.audit, Audit::OcsfStdout);

    let login = &config.issuers["login"];
    assert_eq!(login.issuer, "https://login.example.com");
    assert_eq!(login.audiences, ["https://api.example.com"]);
    assert_eq!(login.keys, Keys::Discovery);
    assert_eq!(login.algorithms.iter().collect::<Vec<_>>(), [Algorithm::RS256, Algorithm::ES256]);
    assert!(login.types[0].matches("at+jwt"));
    assert_eq!(login.max_lifetime, None);
    assert_eq!(login.skew, Duration::from_secs(30));
    assert_eq!(login.max_token_bytes, 16384);
    assert_eq!(login.key_limits.fresh, Duration::from_secs(300));
    assert_eq!(login.key_limits.stale, Duration::from_secs(3600));
    assert_eq!((login.thumbprints.len(), login.relax.len()), (0, 0));

    let edge = &config.issuers["edge"];
    assert_eq!(edge.keys, Keys::Jwks("https://keys.example.com/jwks/{backend}/{kid}".to_owned()));
    assert_eq!(edge.max_lifetime, Some(Duration::from_secs(300)));

    let region = Some("eu-west-1".to_owned());
    assert_eq!(config.stores["aws"], Store::SecretsManager { prefix: "drawbridge".to_owned(), region });
    let url = "https://contoso-keys.vault.azure.net".parse().unwrap();
    assert_eq!(config.stores["azure"], Store::KeyVault { url, secrets: false });

    let orders = &config.backends[&"orders".parse().unwrap()];
    assert_eq!(
        (orders.name.as_str(), orders.issuer.as_str(), orders.store.as_deref()),
        ("orders", "edge", Some("aws"))
    );
    assert_eq!((orders.audience.as_str(), orders.path.as_str()), ("orders", "/orders"));
    assert_eq!(orders.lifetime, Duration::from_secs(120));
    assert_eq!(orders.claims["roles"], "/realm_access/roles");
    assert_eq!(orders.context, ["sub", "roles", "txn"]);
    assert_eq!(orders.encryption, Encryption::Refused);
    assert_eq!(orders.policy[0].name, "policies/orders.cedar");
    assert!(orders.policy[0].text.contains("permit"));
    assert_eq!(orders.routes.iter().map(|route| route.policy).collect::<Vec<_>>(), [false, true]);

    let billing = &config.backends[&"billing".parse().unwrap()];
    assert_eq!(billing.encryption, Encryption::Required);
    assert_eq!((billing.content_encryption, &billing.bound_to), (ContentEncryption::A256Gcm, &None));
    assert_eq!(billing.context, ["sub"]);
    assert_eq!(billing.upstream.as_ref().unwrap().as_str(), "https://contoso-billing.azurewebsites.net/");

    assert_eq!(config.local.authorizer, AwsAuthorizer::Http20Simple);
    assert_eq!(config.local.identity_sources, ["$request.header.Authorization"]);
    assert_eq!((config.local.cache_ttl, config.local.azure), (Duration::ZERO, AzureMode::Forward));
}

#[test]
fn every_field_is_read() {
    let config = load(EVERYTHING, "f", Path::new(FOLDER)).unwrap();
    let login = &config.issuers["login"];
    assert_eq!(login.audiences, ["https://api.example.com", "urn:example:api"]);
    assert_eq!(login.keys, Keys::Jwks("http://127.0.0.1:9000/keys?set=1".to_owned()));
    assert!(login.types[1].matches("application/vnd.example+jwt"));
    assert_eq!((login.skew, login.max_token_bytes), (Duration::ZERO, 65536));
    assert_eq!(login.max_lifetime, Some(Duration::from_secs(86400)));
    assert_eq!(
        (login.key_limits.fresh, login.key_limits.stale),
        (Duration::from_secs(60), Duration::from_secs(7200))
    );
    assert_eq!(login.key_limits.fetches_per_minute, 600);
    assert_eq!(login.key_limits.fetches_per_minute_and_source, 100);
    assert_eq!(login.thumbprints[0].to_string(), "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs");
    assert_eq!(
        login.relax,
        [Relaxation::UntypedTokens, Relaxation::KeysWithoutAlg, Relaxation::HttpOnLoopback]
    );
    assert_eq!(config.issuers["edge"].keys, Keys::Store("dev".to_owned()));
    assert_eq!(config.issuers["old"].keys, Keys::Store("kms".to_owned()));

    assert_eq!(config.stores["dev"], Store::Directory(Path::new(FOLDER).join("keys")));
    assert_eq!(
        config.stores["secrets"],
        Store::SecretsManager { prefix: "drawbridge".to_owned(), region: None }
    );
    assert_eq!(
        config.stores["kms"],
        Store::Kms { prefix: "team/api".to_owned(), region: Some("us-gov-east-1".to_owned()) }
    );
    assert!(matches!(&config.stores["vault"], Store::KeyVault { secrets: true, .. }));

    let orders = &config.backends[&"orders".parse().unwrap()];
    assert_eq!((orders.audience.as_str(), orders.path.as_str()), ("urn:example:orders", "/v1/orders"));
    assert_eq!(orders.lifetime, Duration::from_secs(600));
    assert_eq!(orders.encryption, Encryption::Accepted);
    assert_eq!(orders.owners, [Some("team-customers".to_owned()), None]);
    assert_eq!(orders.content_encryption, ContentEncryption::A128CbcHs256);
    assert_eq!(orders.bound_to, Some(Path::new(FOLDER).join("tls/edge.pem")));
    assert_eq!(orders.upstream.as_ref().unwrap().as_str(), "https://localhost:3000/prod");

    assert_eq!(config.audit, Audit::OcsfFile(Path::new(FOLDER).join("audit.jsonl")));
    assert_eq!(config.local.authorizer, AwsAuthorizer::RestToken);
    assert_eq!(config.local.cache_ttl, Duration::from_secs(300));
    assert_eq!(config.local.identity_sources, ["method.request.header.X-Token"]);
    assert_eq!(config.local.identity_validation.as_deref(), Some(r"^Bearer [-\w.]+$"));
    assert_eq!(config.local.azure, AzureMode::Invoke);
}

#[test]
fn the_identity_source_is_named_as_the_kind_of_api_names_it() {
    for (authorizer, source) in [
        ("rest-token", "method.request.header.Authorization"),
        ("rest-request", "method.request.header.Authorization"),
        ("http-1.0", "$request.header.Authorization"),
        ("http-2.0-iam", "$request.header.Authorization"),
        ("http-2.0-simple", "$request.header.Authorization"),
        ("websocket", "route.request.header.Authorization"),
    ] {
        let text = format!("{}local: {{ aws: {{ authorizer: {authorizer} }} }}\n", crate::mistakes::BASE);
        assert_eq!(load(&text, "f", Path::new(FOLDER)).unwrap().local.identity_sources, [source]);
    }
}

#[test]
fn json_says_the_same_as_yaml() {
    for sample in [EXAMPLE, EVERYTHING] {
        let yaml = format!("{:?}", load(sample, "f", Path::new(FOLDER)).unwrap());
        let json = to_json(sample);
        for text in [json.to_string(), serde_json::to_string_pretty(&json).unwrap(), tabbed(&json)] {
            assert_eq!(format!("{:?}", load(&text, "f", Path::new(FOLDER)).unwrap()), yaml);
        }
    }
}

/// JSON as other tools indent it.
fn tabbed(json: &serde_json::Value) -> String {
    serde_json::to_string_pretty(json).unwrap().replace("  ", "\t").replace('\n', "\r\n")
}

#[test]
fn what_json_escapes_is_read() {
    let text = r#"{"issuers":{"e":{"issuer":"https:\/\/e.example\u002ecom","keys":{"jwks":"https://k"},"algorithms":["ES256"]}},
        "backends":{"orders":{"issuer":"e","audience":"\ud83d\ude80\u00e9","routes":[]}}}"#;
    let config = load(text, "f", Path::new("")).unwrap();
    assert_eq!(config.issuers["e"].issuer, "https://e.example.com");
    assert_eq!(config.backends[&"orders".parse().unwrap()].audience, "🚀é");
}

#[test]
fn the_variable_names_a_file_or_holds_the_document() {
    struct Variables(BTreeMap<&'static str, String>);
    impl Environment for Variables {
        fn var(&self, name: &str) -> Option<String> {
            self.0.get(name).cloned()
        }
    }
    let load =
        |value: &str| load_from_environment(&Variables([("DRAWBRIDGE_CONFIG", value.to_owned())].into()));

    assert_eq!(load(&format!("{FOLDER}/drawbridge.yaml")).unwrap().backends.len(), 2);
    assert_eq!(load(crate::mistakes::BASE).unwrap().backends.len(), 2);
    assert_eq!(load(&to_json(crate::mistakes::BASE).to_string()).unwrap().backends.len(), 2);
    assert_eq!(load("{}").unwrap_err().0[0].file, "<DRAWBRIDGE_CONFIG>");

    let missing = load("/nowhere/drawbridge.yaml").unwrap_err().to_string();
    assert!(missing.starts_with("/nowhere/drawbridge.yaml: cannot be read: "), "{missing}");
    let default = load_from_environment(&Variables(BTreeMap::new())).unwrap_err().to_string();
    assert!(default.starts_with("drawbridge.yaml: cannot be read: "), "{default}");
}

#[test]
fn policies_that_are_left_are_found_to_fit_or_not_when_they_are_checked() {
    struct Document(String);
    impl Environment for Document {
        fn var(&self, _name: &str) -> Option<String> {
            Some(self.0.clone())
        }
    }

    let ready = |config: &Config| config.backends[&"orders".parse().unwrap()].policies.get().is_some();
    let (config, checks) = load_leaving_policies(&Document(format!("{FOLDER}/drawbridge.yaml"))).unwrap();
    assert!(!checks.is_empty() && !ready(&config));
    assert_eq!(checks.run(), Ok(()));
    assert!(ready(&config));
    let (_, checks) = load_leaving_policies(&Document(crate::mistakes::BASE.to_owned())).unwrap();
    assert!(checks.is_empty());

    // A policy of the example reads the region of a path that has none.
    let wrong = EXAMPLE.replace("/regions/{region}/customers", "/regions/{area}/customers");
    let wrong = wrong.replace("policies/orders.cedar", &format!("{FOLDER}/policies/orders.cedar"));
    let (config, checks) = load_leaving_policies(&Document(wrong.clone())).unwrap();
    assert_eq!(config.backends.len(), 2);
    let left = checks.run().unwrap_err();
    assert!(!ready(&config));
    assert_eq!(left, load_from_environment(&Document(wrong.clone())).unwrap_err());
    assert!(left.to_string().contains("there is no such action"), "{left}");

    // Any other mistake is told at once.
    let also = wrong.replace("algorithms: [ES256]", "algorithms: [ES255]");
    let told = load_leaving_policies(&Document(also)).err().unwrap().to_string();
    assert!(told.contains("ES255") && !told.contains("no such action"), "{told}");
}

#[test]
fn a_file_that_is_too_long_or_no_text_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("drawbridge.yaml");
    std::fs::write(&file, " ".repeat(2 << 20)).unwrap();
    assert!(load_file(&file).unwrap_err().to_string().contains("is longer than 1048576 bytes"));
    std::fs::write(&file, [0xff, 0xfe, b'a']).unwrap();
    assert!(load_file(&file).unwrap_err().to_string().contains("cannot be read"));
}

#[test]
fn a_byte_order_mark_is_passed_over() {
    load(&format!("\u{feff}{EXAMPLE}"), "f", Path::new(FOLDER)).unwrap();
}

#[test]
fn loading_the_example_takes_this_long() {
    let start = std::time::Instant::now();
    let rounds = 20;
    (0..rounds).for_each(|_| drop(load(EXAMPLE, "f", Path::new(FOLDER)).unwrap()));
    println!("loading the example: {:?}", start.elapsed() / rounds);
}
