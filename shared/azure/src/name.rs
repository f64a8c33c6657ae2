//! `<backend>-<use>`: what the keys of a backend are called in a vault.

use drawbridge_keys::{BackendName, Version};
use drawbridge_verify::KeyUse;

/// The name of a key or secret. The use is what stands behind the last hyphen and has none itself, so that a backend whose own
/// name has hyphens is not mistaken for another: `orders-enc` + `sig` is `orders-enc-sig`. At most 52 characters of `a-z`, `0-9` and
/// `-`, of the 127 that Key Vault allows.
pub(crate) fn name(backend: &BackendName, key_use: KeyUse) -> String {
    format!("{backend}-{}", key_use.name())
}

/// Whose key, and for what, a name stands for; None for what is none of ours.
pub(crate) fn parse(name: &str) -> Option<(BackendName, KeyUse)> {
    let (backend, key_use) = name.rsplit_once('-')?;
    let key_use = [KeyUse::Signing, KeyUse::Encryption].into_iter().find(|known| known.name() == key_use)?;
    Some((backend.parse().ok()?, key_use))
}

/// Whether a version can be one of a vault's: 32 lower-case hexadecimal digits. Others are not asked for, also because a vault
/// takes the two cases of a digit for one, and one key has one kid.
pub(crate) fn is_native(version: &Version) -> bool {
    let digits = version.as_str().as_bytes();
    digits.len() == 32 && digits.iter().all(|digit| digit.is_ascii_digit() || (b'a'..=b'f').contains(digit))
}

/// The version in the identifier of an object of `collection` (`keys` or `secrets`), which must be the one called `name`:
/// `https://VAULT/COLLECTION/NAME/VERSION`.
pub(crate) fn version_of(id: Option<&str>, collection: &str, name: &str) -> Option<Version> {
    let id = url::Url::parse(id?).ok()?;
    let mut segments = id.path_segments()?;
    let (Some(found), Some(named), Some(version), None) =
        (segments.next(), segments.next(), segments.next(), segments.next())
    else {
        return None;
    };
    let version: Version = version.parse().ok()?;
    (found == collection && named == name && is_native(&version)).then_some(version)
}

/// The name in the identifier of an object of `collection`, whatever its version.
pub(crate) fn name_of(id: Option<&str>, collection: &str) -> Option<String> {
    let id = url::Url::parse(id?).ok()?;
    let mut segments = id.path_segments()?;
    (segments.next()? == collection).then(|| segments.next().map(str::to_owned)).flatten()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_name_stands_for_one_backend_and_use_and_they_for_it(
            backend in "[a-z0-9]([a-z0-9-]{0,46}[a-z0-9])?", signing in any::<bool>()
        ) {
            let backend: BackendName = backend.parse().unwrap();
            let key_use = if signing { KeyUse::Signing } else { KeyUse::Encryption };
            let name = name(&backend, key_use);
            prop_assert!(name.len() <= 127);
            prop_assert!(name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-'));
            prop_assert_eq!(parse(&name), Some((backend, key_use)));
        }

        #[test]
        fn whatever_is_a_name_of_ours_is_made_again_from_what_it_stands_for(text in "[A-Za-z0-9-]{0,60}") {
            if let Some((backend, key_use)) = parse(&text) {
                prop_assert_eq!(name(&backend, key_use), text);
            }
        }
    }

    #[test]
    fn a_backend_with_hyphens_is_not_mistaken_for_another() {
        let named = |text: &str| parse(text).map(|(backend, key_use)| (backend.to_string(), key_use));
        assert_eq!(named("orders-enc-sig"), Some(("orders-enc".to_owned(), KeyUse::Signing)));
        assert_eq!(named("orders-sig-enc"), Some(("orders-sig".to_owned(), KeyUse::Encryption)));
        for text in
            ["sig", "-sig", "orders", "orders-", "orders-SIG", "Orders-sig", "orders--sig", "orders-tls"]
        {
            assert_eq!(named(text), None, "{text}");
        }
    }

    #[test]
    fn an_identifier_gives_its_version_where_it_names_what_was_asked_for() {
        let version = "6d8ad2a1b2c34d5e8f90a1b2c3d4e5f6";
        let found = |id: &str| version_of(Some(id), "keys", "orders-sig").map(|version| version.to_string());
        let id = format!("https://contoso.vault.azure.net/keys/orders-sig/{version}");
        assert_eq!(found(&id).as_deref(), Some(version));
        for other in [
            String::new(),
            id.replace("/keys/", "/secrets/"),
            id.replace("orders-sig", "orders-enc"),
            id.replace("orders-sig", "Orders-sig"),
            id.replace(version, ""),
            id.replace(version, "latest"),
            id.to_uppercase(),
            format!("{id}/"),
            format!("{id}/sign"),
            format!("{id}0"),
        ] {
            assert_eq!(found(&other), None, "{other}");
        }
    }
}
