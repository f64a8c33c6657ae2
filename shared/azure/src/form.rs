//! What keys and secrets of a vault have in common: versions with attributes, and an algorithm in a tag.

use std::{cmp::Reverse, collections::HashMap, sync::Arc};

use async_trait::async_trait;
use azure_core::time::OffsetDateTime;
use drawbridge_keys::{Decrypter, KeyAlgorithm, Kid, Signer, StoreError, Version};
use drawbridge_verify::{PublicJwk, UnixTime};

/// One of the two forms in which a vault holds the keys of backends, by the names of [`crate::name`].
#[async_trait]
pub(crate) trait Form: Send + Sync {
    type Held: Held;

    /// A version, or the newest one. None where it is there and the vault does not give it out in its state; `NotFound` where it
    /// is not there.
    async fn at(&self, name: &str, version: Option<&Version>) -> Result<Option<Self::Held>, StoreError>;
    /// Every version, in any order.
    async fn list(&self, name: &str) -> Result<Vec<Listed>, StoreError>;
    /// Every name in the vault, ours or not.
    async fn names(&self) -> Result<Vec<String>, StoreError>;
    /// Makes a version: of the same kind as `like`, where there is one.
    async fn add(
        &self,
        name: &str,
        algorithm: KeyAlgorithm,
        like: Option<&Self::Held>,
    ) -> Result<Version, StoreError>;
    /// Disables a version.
    async fn disable(&self, name: &str, version: &Version) -> Result<(), StoreError>;
}

/// A version that was read.
pub(crate) trait Held: Send + Sync {
    fn version(&self) -> &Version;
    fn attributes(&self) -> &Attributes;
    fn algorithm(&self) -> KeyAlgorithm;
    /// The public half under its name.
    fn published(&self, kid: &Kid) -> PublicJwk;
    fn signer(&self, kid: Kid) -> Result<Arc<dyn Signer>, StoreError>;
    fn decrypter(&self, kid: &Kid) -> Result<Arc<dyn Decrypter>, StoreError>;
}

/// A version as a list shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Listed {
    pub(crate) version: Version,
    pub(crate) attributes: Attributes,
    /// What its tag says.
    pub(crate) algorithm: Option<KeyAlgorithm>,
}

/// The attributes of a version, in seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Attributes {
    pub(crate) enabled: bool,
    pub(crate) created: UnixTime,
    pub(crate) not_before: Option<UnixTime>,
    pub(crate) expires: Option<UnixTime>,
}

impl Attributes {
    /// None where the vault does not say whether the version is enabled, or when it was made, which it always does.
    pub(crate) fn new(
        enabled: Option<bool>,
        created: Option<OffsetDateTime>,
        not_before: Option<OffsetDateTime>,
        expires: Option<OffsetDateTime>,
    ) -> Option<Self> {
        let seconds = |time: OffsetDateTime| UnixTime::from_secs(time.unix_timestamp());
        Some(Self {
            enabled: enabled?,
            created: seconds(created?),
            not_before: not_before.map(seconds),
            expires: expires.map(seconds),
        })
    }

    /// Enabled, active and not expired. Key Vault itself gives out secrets and public keys outside of their times, and lets expired
    /// keys unwrap; here such a version is retired.
    pub(crate) fn usable(&self, now: UnixTime) -> bool {
        self.enabled
            && self.not_before.is_none_or(|from| from <= now)
            && self.expires.is_none_or(|until| now < until)
    }

    /// From when it was the newest one.
    pub(crate) fn effective(&self) -> UnixTime {
        self.not_before.map_or(self.created, |from| from.max(self.created))
    }
}

/// Sorts the newest first. A vault lists versions in the order of their names and tells the time of their making by the second, so
/// that of two that were made in one second `newest`, which the vault gives for the name alone, is the newer one.
pub(crate) fn newest_first(versions: &mut [Listed], newest: Option<&Version>) {
    versions.sort_by(|a, b| {
        let order = |listed: &Listed| (Reverse(listed.attributes.created), Some(&listed.version) != newest);
        order(a).cmp(&order(b)).then_with(|| a.version.cmp(&b.version))
    });
}

/// The algorithm that a tag names; an error where it names none.
pub(crate) fn tagged(tags: Option<&HashMap<String, String>>) -> Result<Option<KeyAlgorithm>, &'static str> {
    match tags.and_then(|tags| tags.get(TAG)) {
        None => Ok(None),
        Some(name) => name.parse().map(Some).map_err(|()| "its tag names no algorithm"),
    }
}

/// The tags of a new version.
pub(crate) fn tags(algorithm: KeyAlgorithm) -> HashMap<String, String> {
    HashMap::from([(TAG.to_owned(), algorithm.to_string())])
}

/// The tag that says what a version is for.
const TAG: &str = "drawbridge-algorithm";

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(seconds: i64) -> UnixTime {
        UnixTime::from_secs(seconds)
    }

    fn listed(version: &str, created: i64) -> Listed {
        let attributes = Attributes { enabled: true, created: at(created), not_before: None, expires: None };
        Listed { version: version.parse().unwrap(), attributes, algorithm: None }
    }

    proptest! {
        #[test]
        fn a_version_is_usable_from_its_first_second_to_the_one_before_its_last(
            enabled: bool, from in proptest::option::of(0_i64..9), until in proptest::option::of(0_i64..9), now in 0_i64..9
        ) {
            let attributes = Attributes {
                enabled, created: at(0), not_before: from.map(at), expires: until.map(at)
            };
            let within = (from.unwrap_or(0)..until.unwrap_or(i64::MAX)).contains(&now);
            prop_assert_eq!(attributes.usable(at(now)), enabled && within);
        }

        #[test]
        fn the_newest_is_first_whatever_the_order_of_the_list(times in proptest::collection::vec(0_i64..4, 1..6)) {
            let mut versions: Vec<_> =
                times.iter().enumerate().map(|(at, created)| listed(&format!("{at}"), *created)).collect();
            let latest = *times.iter().max().unwrap();
            let newest = versions.iter().rfind(|listed| listed.attributes.created == at(latest)).unwrap().version.clone();
            newest_first(&mut versions, Some(&newest));
            prop_assert_eq!(&versions[0].version, &newest);
            prop_assert!(versions.is_sorted_by_key(|listed| Reverse(listed.attributes.created)));
        }
    }

    #[test]
    fn attributes_that_a_vault_always_sends_are_not_made_up() {
        let now = OffsetDateTime::now_utc();
        assert!(Attributes::new(Some(true), Some(now), None, None).is_some());
        assert!(Attributes::new(None, Some(now), None, None).is_none());
        assert!(Attributes::new(Some(true), None, None, None).is_none());
    }

    #[test]
    fn a_tag_reads_back_and_another_word_in_it_is_an_error() {
        for algorithm in KeyAlgorithm::all() {
            assert_eq!(tagged(Some(&tags(algorithm))), Ok(Some(algorithm)));
        }
        assert_eq!(tagged(None), Ok(None));
        assert_eq!(tagged(Some(&HashMap::new())), Ok(None));
        assert!(tagged(Some(&HashMap::from([(TAG.to_owned(), "HS256".to_owned())]))).is_err());
    }
}
