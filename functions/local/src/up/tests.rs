use serde_json::{Value, json};

use drawbridge_config::load;

use super::*;

fn sample() -> Config {
    load(SAMPLE[0].1, "drawbridge.yaml", Path::new("sample")).unwrap()
}

fn local(config: &Config) -> Value {
    let addresses = Addresses::choose(0, config.backends.keys(), false).unwrap();
    effective(config, &addresses, Path::new("/state/keys"), None).unwrap().config
}

#[test]
fn the_sample_is_valid_and_stands_in_both_clouds() {
    let config = sample();
    let clouds: Vec<_> = config
        .backends
        .values()
        .map(|backend| (backend.name.to_string(), Cloud::of(&config, backend)))
        .collect();
    assert_eq!(clouds, [("billing".to_owned(), Cloud::Azure), ("orders".to_owned(), Cloud::Aws)]);
}

#[test]
fn what_is_elsewhere_is_replaced_and_the_rest_stays() {
    let config = sample();
    let addresses = Addresses::choose(0, config.backends.keys(), false).unwrap();
    let effective = effective(&config, &addresses, Path::new("/state/keys"), None).unwrap().config;

    let login = &effective["issuers"]["login"];
    assert_eq!(login["issuer"], format!("http://{}", addresses.idp));
    assert_eq!(login["keys"], "discovery");
    assert_eq!(login["relax"], json!(["allow_http_on_loopback"]));
    assert_eq!(login["audience"], json!(["https://api.example.com"]));
    let edge = &effective["issuers"]["edge"];
    assert_eq!(edge["issuer"], "https://edge.example.com", "only its keys are elsewhere");
    assert_eq!(edge["keys"]["jwks"], format!("http://{}/jwks/{{backend}}/{{kid}}", addresses.keys));
    assert_eq!(effective["stores"], json!({ "local": { "directory": "/state/keys" } }));
    assert_eq!(effective["backends"]["orders"]["upstream"], format!("http://{}/orders", addresses.aws));
    assert_eq!(effective["backends"]["billing"]["upstream"], format!("http://{}/billing", addresses.azure));
    assert_eq!(
        effective["backends"]["orders"]["routes"][0],
        json!({
            "path": "/customers/{customer}", "methods": ["GET"], "scopes": ["customers:read"],
        })
    );
}

/// Loading what was written and writing it again changes nothing: no part of the configuration is lost on the way.
#[test]
fn the_effective_configuration_is_a_configuration() {
    let text = r#"
issuers:
  login:
    issuer: https://login.example.com
    audience: [https://api.example.com, https://api.example.org]
    keys: discovery
    algorithms: [PS256]
    types: [at+jwt, custom+jwt]
    max_lifetime: 1h
    skew: 5s
    max_token_bytes: 8192
    key_cache: { fresh: 1m, stale: 10m, fetches_per_minute: 7, fetches_per_minute_and_source: 3 }
    thumbprints: [NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs]
    relax: [accept_untyped_tokens]
  edge: { issuer: https://edge.example.com, jwks: "https://keys.example.com/jwks/{backend}/{kid}", algorithms: [ES384], types: [bridged+jwt] }
stores:
  here: { directory: keys }
backends:
  first:
    issuer: edge
    audience: urn:first
    store: here
    path: /one
    lifetime: 1m
    claims: { roles: /roles }
    routes: [{ path: "/{*rest}", methods: [GET, POST], scopes: [], owner: team-first }]
    context: [sub, roles]
    encryption: required
    content_encryption: A128CBC-HS256
  second:
    issuer: edge
    upstream: https://second.azurewebsites.net
    routes: []
consumers: login
audit: { ocsf: audit.jsonl }
local: { aws: { authorizer: rest-token, cache_ttl: 1m }, azure: { mode: invoke } }
"#;
    let config = load(text, "drawbridge.yaml", Path::new("sample")).unwrap();
    let once = local(&config);
    let again = load(&once.to_string(), "config.json", Path::new("sample")).unwrap();
    let twice = local(&again);
    // Where a backend stands is known by its upstream's name only the first time; everything else stays as it was.
    let without_places = |mut config: Value| {
        for backend in config["backends"].as_object_mut().unwrap().values_mut() {
            backend["upstream"].take();
        }
        config["issuers"]["login"]["issuer"].take();
        config["issuers"]["edge"]["keys"].take();
        config
    };
    assert_eq!(without_places(once.clone()), without_places(twice));
    assert_eq!(once["issuers"]["login"]["thumbprints"], Value::Null, "the keys made here are others");
    assert_eq!(once["issuers"]["login"]["skew"], "5s");
    let cache = json!({ "fresh": "60s", "stale": "600s", "fetches_per_minute": 7, "fetches_per_minute_and_source": 3 });
    assert_eq!(once["issuers"]["login"]["key_cache"], cache);
    assert_eq!(once["local"]["aws"]["authorizer"], "rest-token");
    assert_eq!(once["backends"]["first"]["routes"][0]["owner"], "team-first");
    assert_eq!(once["backends"]["first"]["content_encryption"], "A128CBC-HS256");
}

#[test]
fn under_mutual_tls_the_gateways_are_reached_by_https_and_every_backend_is_bound_to_the_edge() {
    let config = sample();
    let addresses = Addresses::choose(0, config.backends.keys(), true).unwrap();
    let certificates = Certificates::new("/state/tls".into());
    let made = effective(&config, &addresses, Path::new("/state/keys"), Some(&certificates)).unwrap().config;
    for (name, gateway) in [("orders", addresses.aws), ("billing", addresses.azure)] {
        let backend = &made["backends"][name];
        assert_eq!(backend["upstream"], format!("https://{gateway}/{name}"));
        assert_eq!(backend["bound_to"], "/state/tls/edge.pem");
    }
    assert_eq!(made["issuers"]["login"]["issuer"], format!("http://{}", addresses.idp));
    let edge = &made["issuers"]["edge"]["keys"]["jwks"];
    assert_eq!(
        edge,
        &format!("http://{}/jwks/{{backend}}/{{kid}}", addresses.keys),
        "the keys are for everybody"
    );

    let ready = Ready {
        config: &config,
        addresses: &addresses,
        state: Path::new("/state"),
        effective: Path::new("/state/config.json"),
        certificates: Some(&certificates),
        took: std::time::Duration::from_millis(420),
    };
    let text = ready.human();
    let showing = |name: &str| {
        format!("--cacert '/state/tls/ca.pem' --cert '/state/tls/{name}.pem' --key '/state/tls/{name}.key' ")
    };
    let token = format!(
        "-H \"Authorization: Bearer $(curl -s {}-u demo:demo -H 'Accept: text/plain' -d grant_type=client_credentials https://{}/token)\" \
         https://{}/orders/customers/42",
        showing("demo"),
        addresses.idp_mtls.unwrap(),
        addresses.edge
    );
    for sender in ["demo", "guest"] {
        assert!(text.contains(&format!("  curl {}{token}", showing(sender))), "{text}");
    }
    assert_eq!(ready.json()["idp_mtls"], format!("https://{}", addresses.idp_mtls.unwrap()));
}

#[test]
fn what_cannot_run_here_says_what_to_write() {
    let addresses = Addresses::choose(0, [].iter(), false).unwrap();
    let refused = |text: &str| {
        let config = load(text, "drawbridge.yaml", Path::new("sample")).unwrap();
        effective(&config, &addresses, Path::new("/k"), None).unwrap_err()
    };
    let without_consumers = SAMPLE[0].1.replace("consumers: login ", "# ");
    assert_eq!(refused(&without_consumers), NotRunnable::NoConsumers);
}

#[test]
fn the_curls_are_for_a_route_that_a_scope_opens() {
    let config = sample();
    let addresses = Addresses::choose(0, config.backends.keys(), false).unwrap();
    let ready = Ready {
        config: &config,
        addresses: &addresses,
        state: Path::new("/state"),
        effective: Path::new("/state/config.json"),
        certificates: None,
        took: std::time::Duration::from_millis(420),
    };
    let text = ready.human();
    assert!(text.contains("ready in 0.42 s"), "{text}");
    let allowed = format!(
        "-u demo:demo -H 'Accept: text/plain' -d grant_type=client_credentials http://{}/token)\" http://{}/orders/customers/42\n",
        addresses.idp, addresses.edge
    );
    assert!(text.contains(&allowed), "{text}");
    assert!(text.contains("-u guest:guest"), "{text}");
}
