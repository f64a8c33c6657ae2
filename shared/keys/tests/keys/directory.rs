use std::{fs, path::Path, sync::Arc, time::Duration};

use drawbridge_keys::{
    BackendName, KeyAlgorithm, KeySource, KeyState, KeyStore, Kid, RETIRE_AFTER, SourceError, StoreError,
    StoreSource, conformance, directory::DirectoryStore,
};
use drawbridge_verify::{KeyUse, UnixTime};

use crate::support::ES256;

struct Place {
    folder: tempfile::TempDir,
    store: DirectoryStore,
}

fn place() -> Place {
    let folder = tempfile::tempdir().unwrap();
    let store = DirectoryStore::new(folder.path().join("keys"));
    Place { folder, store }
}

fn orders() -> BackendName {
    "orders".parse().unwrap()
}

impl Place {
    fn path_of(&self, kid: &Kid, state: &str) -> std::path::PathBuf {
        let folder = format!("{}.{}", kid.backend, kid.key_use.name());
        self.folder.path().join("keys").join(folder).join(format!("{}.{state}", kid.version))
    }

    async fn created(&self) -> Kid {
        self.store.create(&orders(), KeyUse::Signing, ES256).await.unwrap()
    }
}

#[tokio::test]
async fn the_directory_store_keeps_every_law_of_a_key_store() {
    // RSA keys are slow to make, and those of one use differ in nothing but the name of their algorithm.
    let algorithms: Vec<_> = KeyAlgorithm::all()
        .filter(|algorithm| !matches!(algorithm.name(), "RS384" | "RS512" | "PS384" | "PS512" | "RSA-OAEP"))
        .collect();
    conformance::holds(&place().store, &algorithms).await;
}

#[cfg(unix)]
#[tokio::test]
async fn only_the_owner_can_read_what_the_store_writes() {
    let place = place();
    let first = place.created().await;
    place.store.rotate(&orders(), KeyUse::Signing).await.unwrap();
    place.store.revoke(&first).await.unwrap();
    let root = place.folder.path().join("keys");
    assert_eq!(mode(&root), 0o700);
    assert_eq!(mode(&root.join("orders.sig")), 0o700);
    for entry in fs::read_dir(root.join("orders.sig")).unwrap() {
        assert_eq!(mode(&entry.unwrap().path()), 0o600);
    }
}

#[cfg(unix)]
#[tokio::test]
async fn a_key_that_others_can_reach_is_refused_with_the_mend() {
    let place = place();
    let kid = place.created().await;
    let file = place.path_of(&kid, "jwk");
    for (path, bad, good) in [
        (file.as_path(), 0o640, 0o600),
        (file.as_path(), 0o604, 0o600),
        (file.as_path(), 0o620, 0o600),
        (file.parent().unwrap(), 0o770, 0o700),
        (file.parent().unwrap(), 0o702, 0o700),
        (file.parent().unwrap().parent().unwrap(), 0o720, 0o700),
    ] {
        set_mode(path, bad);
        for error in [place.store.public(&kid).await.err(), place.store.signer(&orders()).await.err()] {
            let Some(StoreError::Denied(text)) = error else { panic!("{path:?} {bad:o}: {error:?}") };
            assert!(text.contains(&format!("chmod {good:o} '{}'", path.display())), "{text}");
        }
        set_mode(path, good);
        assert!(place.store.public(&kid).await.is_ok());
    }
}

#[tokio::test]
async fn a_folder_that_is_missing_says_so_and_is_made_by_the_first_key() {
    let place = place();
    let kid = "orders.sig.0198c5e2-7a10-7cc2-9d4e-3f6f0f1f2a11".parse().unwrap();
    for error in [
        place.store.public(&kid).await.err(),
        place.store.signer(&orders()).await.err(),
        place.store.rotate(&orders(), KeyUse::Signing).await.err(),
        place.store.revoke(&kid).await.err(),
        place.store.versions(&orders(), KeyUse::Signing).await.err(),
        place.store.backends().await.err(),
    ] {
        let Some(StoreError::Unavailable(text)) = error else { panic!("{error:?}") };
        assert!(text.contains("does not exist") && text.contains("drawbridge keys create"), "{text}");
    }
    place.created().await;
    assert!(place.store.signer(&orders()).await.is_ok());
    assert_eq!(place.store.public(&kid).await, Err(StoreError::NotFound));
}

#[tokio::test]
async fn a_path_that_is_a_file_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("keys");
    fs::write(&file, "").unwrap();
    for root in [file.clone(), file.join("below")] {
        let store = DirectoryStore::new(root);
        for error in [
            store.create(&orders(), KeyUse::Signing, ES256).await.err(),
            store.signer(&orders()).await.err(),
            store.backends().await.err(),
        ] {
            let Some(StoreError::Unavailable(text)) = error else { panic!("{error:?}") };
            assert!(text.contains("file") && text.contains("name a folder"), "{text}");
        }
    }
}

#[tokio::test]
async fn a_file_that_is_no_key_is_refused_and_named() {
    let place = place();
    let kid = place.created().await;
    let file = place.path_of(&kid, "jwk");
    let other = DirectoryStore::new(place.folder.path().join("other"));
    let other_kid = other.create(&orders(), KeyUse::Signing, ES256).await.unwrap();
    let other_json = fs::read_to_string(
        place.folder.path().join("other/orders.sig").join(format!("{}.jwk", other_kid.version)),
    )
    .unwrap();
    let half = fs::read_to_string(&file).unwrap().len() / 2;
    for content in ["", "{}", "not json", &other_json[..half], &"x".repeat(100_000)] {
        fs::write(&file, content).unwrap();
        for error in [
            place.store.public(&kid).await.err(),
            place.store.signer(&orders()).await.err(),
            place.store.versions(&orders(), KeyUse::Signing).await.err(),
            place.store.rotate(&orders(), KeyUse::Signing).await.err(),
        ] {
            let Some(StoreError::Malformed(text)) = error else { panic!("{content}: {error:?}") };
            assert!(text.contains(file.to_str().unwrap()) && text.contains("restore"), "{text}");
        }
    }
    fs::remove_file(&file).unwrap();
    fs::create_dir(&file).unwrap();
    assert!(matches!(place.store.public(&kid).await, Err(StoreError::Malformed(_))));
}

#[tokio::test]
async fn a_version_that_is_no_name_of_a_file_is_not_looked_for() {
    let place = place();
    let kid = place.created().await;
    let upper = kid.version.as_str().to_uppercase();
    let bare = kid.version.as_str().replace('-', "");
    fs::write(place.path_of(&kid, "jwk").with_file_name("latest.jwk"), "{}").unwrap();
    for version in [upper.as_str(), bare.as_str(), "latest", "a"] {
        let other: Kid = format!("orders.sig.{version}").parse().unwrap();
        assert_eq!(place.store.public(&other).await, Err(StoreError::NotFound), "{version}");
        assert_eq!(place.store.revoke(&other).await, Err(StoreError::NotFound), "{version}");
    }
    assert_eq!(place.store.versions(&orders(), KeyUse::Signing).await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_revoked_version_keeps_its_public_half_alone() {
    let place = place();
    let first = place.created().await;
    place.store.rotate(&orders(), KeyUse::Signing).await.unwrap();
    place.store.revoke(&first).await.unwrap();
    assert!(!place.path_of(&first, "jwk").exists());
    let left = fs::read_to_string(place.path_of(&first, "revoked")).unwrap();
    assert!(!left.contains("\"d\""), "{left}");
}

#[tokio::test]
async fn a_revocation_that_was_interrupted_holds_and_can_be_finished() {
    let place = place();
    let first = place.created().await;
    place.store.rotate(&orders(), KeyUse::Signing).await.unwrap();
    fs::rename(place.path_of(&first, "jwk"), place.path_of(&first, "revoked")).unwrap();
    assert_eq!(place.store.public(&first).await, Err(StoreError::NotFound));
    let versions = place.store.versions(&orders(), KeyUse::Signing).await.unwrap();
    assert_eq!(versions[1].state, KeyState::Revoked);
    assert_eq!(place.store.revoke(&first).await, Ok(()));
    assert!(!fs::read_to_string(place.path_of(&first, "revoked")).unwrap().contains("\"d\""));
}

#[tokio::test]
async fn what_a_crash_left_behind_is_not_a_version() {
    let place = place();
    let kid = place.created().await;
    let folder = place.path_of(&kid, "jwk").parent().unwrap().to_owned();
    fs::write(folder.join(".new-x1y2z3"), "{\"kty\":").unwrap();
    fs::write(folder.join(format!("{}.jwk.bak", kid.version)), "{}").unwrap();
    fs::write(place.folder.path().join("keys/README"), "").unwrap();
    fs::create_dir(place.folder.path().join("keys/billing.sig")).unwrap();
    assert_eq!(place.store.backends().await, Ok(vec![orders()]));
    assert_eq!(place.store.versions(&orders(), KeyUse::Signing).await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_rotation_withdraws_versions_that_were_superseded_long_ago_and_no_others() {
    let place = place();
    let at = |seconds| place.store.clone().with_clock(Arc::new(UnixTime::from_secs(seconds)));
    let a = at(10_000).create(&orders(), KeyUse::Signing, ES256).await.unwrap();
    let b = at(20_000).rotate(&orders(), KeyUse::Signing).await.unwrap();
    let c = at(20_060).rotate(&orders(), KeyUse::Signing).await.unwrap();
    for kid in [&a, &b, &c] {
        assert!(place.store.public(kid).await.is_ok(), "a token of a minute ago is still verified");
    }
    let retire_after = i64::try_from(RETIRE_AFTER.as_secs()).unwrap();
    let d = at(20_000 + retire_after).rotate(&orders(), KeyUse::Signing).await.unwrap();
    assert!(place.store.public(&a).await.is_ok(), "a token of the last moment may be valid still");
    let e = at(20_000 + retire_after + 1).rotate(&orders(), KeyUse::Signing).await.unwrap();
    assert_eq!(place.store.public(&a).await, Err(StoreError::NotFound));
    for kid in [&b, &c, &d, &e] {
        assert!(place.store.public(kid).await.is_ok());
    }
    let f = at(1_000_000).rotate(&orders(), KeyUse::Signing).await.unwrap();
    let states: Vec<_> = place.store.versions(&orders(), KeyUse::Signing).await.unwrap();
    let states: Vec<_> = states.iter().map(|version| (&version.kid, version.state)).collect();
    use KeyState::{Current, Previous, Revoked};
    let revoked = [&d, &c, &b, &a].map(|kid| (kid, Revoked));
    assert_eq!(states, [&[(&f, Current), (&e, Previous)][..], &revoked].concat());
}

#[tokio::test]
async fn a_clock_that_went_backwards_does_not_make_an_old_version_current() {
    let place = place();
    let at = |seconds| place.store.clone().with_clock(Arc::new(UnixTime::from_secs(seconds)));
    at(2_000_000_000).create(&orders(), KeyUse::Signing, ES256).await.unwrap();
    let new = at(1_000_000_000).rotate(&orders(), KeyUse::Signing).await.unwrap();
    assert_eq!(place.store.signer(&orders()).await.unwrap().kid(), &new);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn readers_always_find_a_key_that_is_published_while_others_rotate() {
    let place = place();
    place.created().await;
    let writers: Vec<_> = (0..3)
        .map(|_| {
            let store = DirectoryStore::new(place.folder.path().join("keys"));
            tokio::spawn(async move {
                for _ in 0..15 {
                    let kid = store.rotate(&orders(), KeyUse::Signing).await.unwrap();
                    assert!(store.public(&kid).await.is_ok());
                }
            })
        })
        .collect();
    let readers: Vec<_> = (0..3)
        .map(|_| {
            let store = place.store.clone();
            tokio::spawn(async move {
                for _ in 0..100 {
                    let signer = store.signer(&orders()).await.unwrap();
                    assert!(store.public(signer.kid()).await.is_ok());
                }
            })
        })
        .collect();
    for task in writers.into_iter().chain(readers) {
        task.await.unwrap();
    }
    let versions = place.store.versions(&orders(), KeyUse::Signing).await.unwrap();
    assert_eq!(versions.len(), 46, "no rotation is lost");
}

#[tokio::test]
async fn of_two_who_make_the_first_key_one_does() {
    let place = place();
    let tasks: Vec<_> = (0..8)
        .map(|_| {
            let store = place.store.clone();
            tokio::spawn(async move { store.create(&orders(), KeyUse::Signing, ES256).await })
        })
        .collect();
    let mut made = 0;
    for task in tasks {
        match task.await.unwrap() {
            Ok(_) => made += 1,
            Err(error) => assert_eq!(error, StoreError::Exists),
        }
    }
    assert_eq!(made, 1);
}

#[tokio::test]
async fn a_key_is_made_for_the_use_of_its_algorithm() {
    let made = place().store.create(&orders(), KeyUse::Encryption, ES256).await;
    assert!(matches!(made, Err(StoreError::Unsupported(_))));
}

#[tokio::test]
async fn a_store_is_a_key_source_and_its_revocations_hold_for_the_next_read() {
    let place = place();
    let first = place.created().await;
    place.store.rotate(&orders(), KeyUse::Signing).await.unwrap();
    let source = StoreSource(Arc::new(place.store.clone()));
    let fetched = source.fetch(&first.to_string()).await.unwrap();
    assert_eq!(fetched.keys[0].kid(), Some(first.to_string().as_str()));
    assert_eq!(fetched.max_age, None::<Duration>);
    place.store.revoke(&first).await.unwrap();
    assert_eq!(source.fetch(&first.to_string()).await.err(), Some(SourceError::NotFound));
    assert_eq!(source.fetch("not a kid").await.err(), Some(SourceError::NotFound));
    fs::remove_dir_all(place.folder.path().join("keys")).unwrap();
    assert!(matches!(source.fetch(&first.to_string()).await, Err(SourceError::Unavailable(_))));
}

#[cfg(unix)]
fn mode(path: &Path) -> u32 {
    std::os::unix::fs::PermissionsExt::mode(&fs::metadata(path).unwrap().permissions()) & 0o777
}

#[cfg(unix)]
fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(mode)).unwrap();
}
