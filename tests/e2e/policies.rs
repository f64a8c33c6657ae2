//! Policies end to end: sales staff see the customers of their own region, admins see all, through both clouds' gateways.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "test code: what breaks must fail loudly"
)]

use drawbridge_tests::{
    chain::Chain,
    corpus::{Forge, token},
    forge::ChainForge,
    http::get,
};
use serde_json::{Value, json};

const POLICY: &str = r#"
@id("own-region")
permit (principal, action == Action::"GET /regions/{region}/customers", resource)
when { principal.roles.contains("sales") && principal.region == resource.region };

@id("admins")
permit (principal, action, resource) when { principal.roles.contains("admin") };

@id("nobody-in-antarctica")
forbid (principal, action, resource) when { resource.region == "aq" };
"#;

/// The same backend twice: once behind each cloud's gateway.
async fn chain() -> Chain {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("policies")).unwrap();
    std::fs::write(folder.path().join("policies/customers.cedar"), POLICY).unwrap();
    let backend = |store: &str| {
        json!({
            "issuer": "edge", "store": store, "upstream": "https://customers.example.com",
            "claims": { "roles": "/realm_access/roles", "region": "/custom/region" },
            "routes": [{ "path": "/regions/{region}/customers", "methods": ["GET"], "scopes": ["customers:read"], "policy": true }],
            "policy": ["policies/customers.cedar"],
            "context": ["sub", "roles"],
        })
    };
    let config = json!({
        "issuers": {
            "login": { "issuer": "https://login.example.com", "audience": "https://api.example.com", "keys": "discovery", "algorithms": ["RS256"] },
            "edge": {
                "issuer": "https://edge.example.com", "keys": { "jwks": "https://keys.example.com/jwks/{backend}/{kid}" },
                "algorithms": ["ES256"], "types": ["bridged+jwt"],
            },
        },
        "stores": {
            "aws": { "secrets_manager": { "prefix": "drawbridge" } },
            "azure": { "key_vault": { "url": "https://contoso-keys.vault.azure.net" } },
        },
        "backends": { "west": backend("aws"), "east": backend("azure") },
        "consumers": "login",
    });
    Chain::start_in_folder(folder, &config.to_string()).await
}

#[tokio::test]
async fn sales_staff_see_the_customers_of_their_own_region_through_both_clouds() {
    let chain = chain().await;
    let sales = chain.token("demo", "customers:read").await; // sales in eu
    let admin = chain.token("admin", "customers:read").await;

    for backend in ["west", "east"] {
        let own = chain.through_edge(&format!("/{backend}/regions/eu/customers"), Some(&sales)).await;
        assert_eq!(own.status, 200, "{backend}: {}", own.text());
        let decision = gate(&chain, backend).await;
        assert_eq!(decision["policies"], json!(["own-region"]), "{decision}");

        let other = chain.through_edge(&format!("/{backend}/regions/us/customers"), Some(&sales)).await;
        assert_eq!(other.status, 403, "{backend}: {}", other.text());
        assert_eq!(gate(&chain, backend).await["reason"], "policy.denied");

        let any = chain.through_edge(&format!("/{backend}/regions/us/customers"), Some(&admin)).await;
        assert_eq!(any.status, 200, "{backend}: {}", any.text());
        assert_eq!(gate(&chain, backend).await["policies"], json!(["admins"]));

        let forbidden = chain.through_edge(&format!("/{backend}/regions/aq/customers"), Some(&admin)).await;
        assert_eq!(forbidden.status, 403, "{backend}: a forbid wins: {}", forbidden.text());
        let decision = gate(&chain, backend).await;
        assert_eq!(
            (&decision["reason"], &decision["policies"]),
            (&json!("policy.denied"), &json!(["nobody-in-antarctica"]))
        );
    }
}

#[tokio::test]
async fn attack_32_a_policy_that_cannot_be_evaluated_denies_in_both_clouds() {
    let chain = chain().await;
    for (backend, gateway) in [("west", "aws"), ("east", "azure")] {
        let forge = ChainForge::open(&chain, backend).await;
        let now =
            std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs() as i64;
        let base = format!("{}/{backend}", chain.address(gateway));
        let with = |claims: Value| token(&forge as &dyn Forge, now, &json!({}), &merged(claims, backend));
        let right = with(json!({ "roles": ["sales"], "region": "eu" }));
        assert_eq!(get(&base, "/regions/eu/customers", Some(&right)).await.status, 200);
        gate(&chain, backend).await;
        // A region that is no text, roles that are missing: whatever a policy would have made of them.
        for odd in [
            json!({ "roles": ["sales"], "region": 7 }),
            json!({ "roles": null }),
            json!({ "roles": [1], "region": "eu" }),
        ] {
            let answer = get(&base, "/regions/eu/customers", Some(&with(odd.clone()))).await;
            assert_eq!(answer.status, 403, "{backend} {odd}: {}", answer.text());
            assert_eq!(gate(&chain, backend).await["reason"], "policy.error", "{backend} {odd}");
        }
    }
}

fn merged(mut claims: Value, audience: &str) -> Value {
    claims["aud"] = json!(audience);
    claims
}

async fn gate(chain: &Chain, backend: &str) -> Value {
    chain.decision(|decision| decision["subject"] == "gate" && decision["backend"] == backend).await
}
