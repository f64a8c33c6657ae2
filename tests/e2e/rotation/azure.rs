//! Key Vault, which has the private key and signs every token. A rotation is a new version.

use std::sync::Arc;

use drawbridge_azure::{Access, open_with};
use drawbridge_keys::Kid;
use drawbridge_tests::key_vault::KeyVault;
use drawbridge_verify::KeyUse;
use serde_json::json;

use crate::{
    load::{Load, a_revoked_key_is_refused_in_time},
    world::{KEPT, World, orders},
};

async fn world() -> (KeyVault, World) {
    let vault = KeyVault::start().await;
    let access = Access::new(vault.credential(), vault.transport());
    let store = open_with(&vault.url().parse().unwrap(), false, access);
    store.create(&orders(), KeyUse::Signing, "ES256".parse().unwrap()).await.unwrap();
    let configured = json!({ "key_vault": { "url": vault.url() } });
    let world = World::over(store, &configured).await;
    (vault, world)
}

async fn rotate(world: &mut World) -> Kid {
    let kid = world.store.rotate(&orders(), KeyUse::Signing).await.unwrap();
    world.elapse(KEPT).await;
    kid
}

#[tokio::test]
async fn no_request_is_denied_while_the_vault_rotates_its_keys_under_load() {
    let (vault, mut world) = world().await;
    let mut load = Load::new(&world);
    let first = world.store.signer(&orders()).await.unwrap().kid().clone();
    load.signs(&world, &first).await;
    let mut kids = vec![first];
    for _ in 0..2 {
        let store = Arc::clone(&world.store);
        let rotating = tokio::spawn(async move { store.rotate(&orders(), KeyUse::Signing).await });
        let kid = load.during(&mut world, "the rotation", rotating).await.unwrap();
        load.signs(&world, &kid).await;
        kids.push(kid);
    }
    load.had(3);

    // Each key has signed where it is, and all that was ever asked of the vault is what stands here.
    let requests = vault.requests();
    for kid in &kids {
        assert!(requests.contains(&format!("POST /keys/orders-sig/{}/sign", kid.version)), "{kid}");
    }
    for request in &requests {
        let asked = request.starts_with("GET /keys/orders-sig/")
            || request == "GET /keys/orders-sig"
            || request == "POST /keys/orders-sig/create"
            || (request.starts_with("POST /keys/orders-sig/") && request.ends_with("/sign"));
        assert!(asked, "{request}");
    }
}

#[tokio::test]
async fn a_version_revoked_in_the_vault_is_refused_within_the_maximum_key_age() {
    let (_vault, world) = world().await;
    a_revoked_key_is_refused_in_time(world, rotate).await;
}
