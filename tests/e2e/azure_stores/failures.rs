//! What the store does while its vault is in trouble: each trouble has a reason of its own, and none of them is "no such key".

use std::{sync::Arc, time::Duration};

use drawbridge_azure::{Access, open_with};
use drawbridge_keys::{
    BackendName, KeyAlgorithm, KeyLimits, KeyStore, ResolveError, Resolver, StoreError, StoreSource,
};
use drawbridge_tests::{
    key_vault::{KeyVault, Trouble},
    parts::free_address,
};
use drawbridge_verify::{Algorithm, KeyUse};
use serde_json::json;

use crate::{of, orders, store};

const ES256: KeyAlgorithm = KeyAlgorithm::Signature(Algorithm::ES256);

#[tokio::test]
async fn each_trouble_of_a_vault_has_a_reason_of_its_own() {
    for secrets in [false, true] {
        let vault = KeyVault::start().await;
        let store = store(&vault, secrets);
        let kid = store.create(&orders(), KeyUse::Signing, ES256).await.unwrap();
        let signer = store.signer(&orders()).await.unwrap();
        let throttled = |error: &StoreError| matches!(error, StoreError::Throttled(_));
        let unavailable = |error: &StoreError| matches!(error, StoreError::Unavailable(_));
        let denied = |error: &StoreError| matches!(error, StoreError::Denied(_));
        let malformed = |error: &StoreError| matches!(error, StoreError::Malformed(_));
        let not_found = |error: &StoreError| matches!(error, StoreError::NotFound);
        type Is = dyn Fn(&StoreError) -> bool;
        for (trouble, expected, part) in [
            (Trouble::Throttled(None), &throttled as &Is, "429"),
            (Trouble::Throttled(Some(60)), &throttled, "asks to wait 60 s"),
            (Trouble::Throttled(Some(u64::MAX / 2)), &throttled, "asks to wait"),
            (Trouble::Answer(500, "InternalError", ""), &unavailable, "500 (InternalError)"),
            (Trouble::Answer(503, "ServiceUnavailable", ""), &unavailable, "503"),
            (Trouble::Answer(403, "Forbidden", "ForbiddenByRbac"), &denied, "403 (ForbiddenByRbac)"),
            (Trouble::Answer(403, "Forbidden", "ForbiddenByFirewall"), &denied, "403 (ForbiddenByFirewall)"),
            (Trouble::Answer(401, "Unauthorized", "AKV10032"), &denied, "401 (AKV10032)"),
            (Trouble::Answer(404, "KeyNotFound", ""), &not_found, "no such key"),
            (Trouble::Body("<html>".to_owned()), &malformed, "not one of a vault"),
            (Trouble::Body("{}".to_owned()), &malformed, "orders-sig"),
            (Trouble::Body(format!("[{}]", " ".repeat(2 << 20))), &malformed, "orders-sig"),
            (Trouble::Cut, &unavailable, "orders-sig"),
        ] {
            vault.always(Some(trouble.clone()));
            let error = store.public(&kid).await.unwrap_err();
            assert!(expected(&error) && error.to_string().contains(part), "{trouble:?}: {error}");
            let error = store.signer(&orders()).await.err().unwrap();
            assert!(expected(&error), "{trouble:?}: {error}");
            if !secrets {
                let error = signer.sign(b"input").await.unwrap_err();
                assert!(expected(&error), "{trouble:?}: {error}");
            }
        }
        vault.always(None);
        assert!(store.public(&kid).await.is_ok());
        assert!(signer.sign(b"input").await.is_ok());
    }
}

#[tokio::test]
async fn what_passes_is_waited_for_and_what_does_not_is_not() {
    let vault = KeyVault::start().await;
    let store = store(&vault, false);
    let kid = store.create(&orders(), KeyUse::Signing, ES256).await.unwrap();
    for (troubles, attempts, comes) in [
        (vec![Trouble::Throttled(Some(0)), Trouble::Throttled(None)], 3, true),
        (vec![Trouble::Throttled(Some(1))], 2, true),
        (vec![Trouble::Answer(500, "", ""), Trouble::Cut], 3, true),
        (vec![Trouble::Throttled(Some(0)); 3], 3, false),
        // Longer than there is time for.
        (vec![Trouble::Throttled(Some(3))], 1, false),
        (vec![Trouble::Answer(403, "Forbidden", "AccessDenied")], 1, false),
        (vec![Trouble::Answer(404, "KeyNotFound", "")], 1, false),
        (vec![Trouble::Body("{".to_owned())], 1, false),
    ] {
        vault.requests();
        for trouble in &troubles {
            vault.next(trouble.clone());
        }
        assert_eq!(store.public(&kid).await.is_ok(), comes, "{troubles:?}");
        assert_eq!(vault.requests().len(), attempts, "{troubles:?}");
    }
}

#[tokio::test]
async fn a_vault_that_does_not_answer_is_given_up_in_time() {
    let vault = KeyVault::start().await;
    let store = store(&vault, false);
    let kid = store.create(&orders(), KeyUse::Signing, ES256).await.unwrap();
    vault.always(Some(Trouble::Silence));
    let error = store.public(&kid).await.unwrap_err();
    assert!(
        matches!(&error, StoreError::Unavailable(why) if why.contains("no answer within 2.5 s")),
        "{error}"
    );
    // What was heard before the silence says more.
    vault.next(Trouble::Throttled(Some(0)));
    let error = store.public(&kid).await.unwrap_err();
    assert!(matches!(&error, StoreError::Throttled(_)), "{error}");
}

#[tokio::test]
async fn a_version_is_not_made_twice_when_the_answer_does_not_arrive() {
    for (secrets, made) in [(false, "POST /keys/orders-sig/create"), (true, "PUT /secrets/orders-sig")] {
        let vault = KeyVault::start().await;
        let store = store(&vault, secrets);
        store.create(&orders(), KeyUse::Signing, ES256).await.unwrap();
        let writes = || vault.requests().iter().filter(|request| *request == made).count();
        for trouble in [Trouble::Cut, Trouble::Answer(500, "InternalError", "")] {
            writes();
            vault.break_writes(Some(trouble.clone()));
            let error = store.rotate(&orders(), KeyUse::Signing).await.unwrap_err();
            assert!(matches!(error, StoreError::Unavailable(_)), "{error}");
            assert_eq!(writes(), 1, "{trouble:?}");
        }
        // Where nothing was done, for sure, it is done again.
        vault.break_writes(Some(Trouble::Throttled(Some(0))));
        let error = store.rotate(&orders(), KeyUse::Signing).await.unwrap_err();
        assert!(matches!(error, StoreError::Throttled(_)), "{error}");
        assert_eq!(writes(), 3);
    }
}

#[tokio::test]
async fn no_token_is_given_to_a_vault_whose_challenge_asks_for_somebody_elses() {
    for resource in
        ["https://vault.contoso.com", "https://azure.net.contoso.com", "https://management.azure.com"]
    {
        let vault = KeyVault::start().await;
        vault.challenge_for(resource);
        let error = store(&vault, false).signer(&orders()).await.err().unwrap();
        assert!(matches!(error, StoreError::Denied(_)), "{resource}: {error}");
        assert_eq!((vault.tokens(), vault.requests()), (0, Vec::new()), "{resource}");
    }
}

#[tokio::test]
async fn a_vault_that_cannot_be_reached_or_is_not_the_one_of_its_certificate_is_unavailable() {
    let vault = KeyVault::start().await;
    let other = KeyVault::start().await;
    let url = vault.url().parse().unwrap();
    for transport in [
        vault.transport_to(free_address()),
        // The same name with a certificate of another root.
        vault.transport_to(other.address()),
    ] {
        let store = open_with(&url, false, Access::new(vault.credential(), transport));
        let error = store.signer(&orders()).await.err().unwrap();
        assert!(matches!(error, StoreError::Unavailable(_)), "{error}");
    }
    assert_eq!((vault.tokens(), other.requests()), (0, Vec::new()));
}

#[tokio::test]
async fn a_name_that_a_deleted_key_still_has_says_so() {
    for secrets in [false, true] {
        let vault = KeyVault::start().await;
        let store = store(&vault, secrets);
        let kid = store.create(&orders(), KeyUse::Signing, ES256).await.unwrap();
        vault.delete(&of(&kid).0);
        assert_eq!(store.public(&kid).await, Err(StoreError::NotFound));
        assert_eq!(store.signer(&orders()).await.err(), Some(StoreError::NotFound));
        assert_eq!(store.versions(&orders(), KeyUse::Signing).await, Ok(Vec::new()));
        let error = store.create(&orders(), KeyUse::Signing, ES256).await.unwrap_err();
        let text = error.to_string();
        assert!(matches!(error, StoreError::Unsupported(_)) && text.contains("purge it"), "{text}");
    }
}

#[tokio::test]
async fn what_vault_keys_cannot_do_is_refused_before_the_vault_is_asked() {
    let vault = KeyVault::start().await;
    let store = store(&vault, false);
    for (key_use, name) in [
        (KeyUse::Signing, "Ed25519"),
        (KeyUse::Signing, "EdDSA"),
        (KeyUse::Encryption, "ECDH-ES"),
        (KeyUse::Encryption, "ECDH-ES+A256KW:X25519"),
    ] {
        let error = store.create(&orders(), key_use, name.parse().unwrap()).await.unwrap_err();
        assert!(matches!(error, StoreError::Unsupported(_)), "{name}: {error}");
        assert!(vault.requests().iter().all(|request| request.starts_with("GET ")), "{name}");
    }
}

#[tokio::test]
async fn a_key_that_a_vault_gave_is_used_to_its_hard_limit_while_the_vault_fails_and_not_beyond() {
    let vault = KeyVault::start().await;
    let store = store(&vault, false);
    let kid = store.create(&orders(), KeyUse::Signing, ES256).await.unwrap().to_string();
    let resolver = |fresh: u64, stale: u64| {
        let source = Arc::new(StoreSource(Arc::clone(&store) as Arc<dyn KeyStore>));
        let limits = KeyLimits {
            fresh: Duration::from_millis(fresh),
            stale: Duration::from_millis(stale),
            failing: Duration::ZERO,
            ..KeyLimits::default()
        };
        let own: Option<BackendName> = Some(orders());
        Resolver::new(source, own, [Algorithm::ES256].into_iter().collect(), false, Vec::new(), limits)
    };
    let (patient, strict) = (resolver(1, 3_600_000), resolver(1, 2));
    for resolver in [&patient, &strict] {
        resolver.resolve(&kid, None).await.unwrap();
    }
    for trouble in [
        Trouble::Answer(403, "Forbidden", "ForbiddenByRbac"),
        Trouble::Throttled(Some(60)),
        Trouble::Body("{}".to_owned()),
    ] {
        vault.always(Some(trouble.clone()));
        tokio::time::sleep(Duration::from_millis(20)).await;
        assert!(patient.resolve(&kid, None).await.is_ok(), "{trouble:?}");
        let refused = strict.resolve(&kid, None).await;
        assert!(matches!(refused, Err(ResolveError::Unavailable(_))), "{trouble:?} {refused:?}");
    }
    // An answer that there is no such key is not a failure, and holds at once.
    vault.always(None);
    let (name, version) = (kid.split('.').next().unwrap(), kid.rsplit('.').next().unwrap());
    vault.set(&format!("{name}-sig"), version, &json!({ "enabled": false }));
    tokio::time::sleep(Duration::from_millis(20)).await;
    for resolver in [&patient, &strict] {
        assert_eq!(resolver.resolve(&kid, None).await.err(), Some(ResolveError::Unknown));
    }
}
