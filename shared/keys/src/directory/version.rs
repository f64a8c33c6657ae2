use std::str::FromStr;

use drawbridge_verify::{KeyUse, UnixTime};
use uuid::{NoContext, Timestamp, Uuid};

use crate::{BackendName, Kid, StoreError, Version};

/// The version of a key in a directory store: a UUID v7 (RFC 9562 section 5.7). Orders by the time at which it was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct VersionId(Uuid);

impl VersionId {
    /// A new version, later than `current` even when the clock went backwards, because the newest version is the current one.
    pub(super) fn after(current: Option<Self>, now: UnixTime) -> Self {
        let floor = current.map_or(0, |current| current.millis() + 1);
        let millis = u64::try_from(now.as_secs()).unwrap_or(0).saturating_mul(1000).max(floor);
        let nanos = u32::try_from(millis % 1000).unwrap_or(0) * 1_000_000;
        Self(Uuid::new_v7(Timestamp::from_unix(NoContext, millis / 1000, nanos)))
    }

    /// When it was made.
    pub(super) fn created(self) -> UnixTime {
        UnixTime::from_secs(i64::try_from(self.millis() / 1000).unwrap_or(i64::MAX))
    }

    /// Its name.
    pub(super) fn of(self, backend: BackendName, key_use: KeyUse) -> Kid {
        Kid::new(backend, key_use, Version::from(self.0))
    }

    fn millis(self) -> u64 {
        let (seconds, nanos) = self.0.get_timestamp().map_or((0, 0), |timestamp| timestamp.to_unix());
        seconds.saturating_mul(1000).saturating_add(u64::from(nanos / 1_000_000))
    }
}

impl FromStr for VersionId {
    type Err = StoreError;

    /// The canonical text alone, so that one file has one name, also where file names have no case.
    fn from_str(text: &str) -> Result<Self, StoreError> {
        let uuid = Uuid::try_parse(text).map_err(|_| StoreError::NotFound)?;
        let canonical = uuid.hyphenated().encode_lower(&mut Uuid::encode_buffer()) == text;
        if canonical && uuid.get_version_num() == 7 { Ok(Self(uuid)) } else { Err(StoreError::NotFound) }
    }
}

impl std::fmt::Display for VersionId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.hyphenated().fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_new_version_is_later_than_the_current_one_whatever_the_clock_says(
            then in 0_i64..1 << 40, now in i64::MIN..1 << 40
        ) {
            let current = VersionId::after(None, UnixTime::from_secs(then));
            let new = VersionId::after(Some(current), UnixTime::from_secs(now));
            prop_assert!(new > current);
            prop_assert_eq!(new.to_string().parse::<VersionId>(), Ok(new));
            prop_assert!(new.created() >= current.created());
        }

        #[test]
        fn a_version_knows_when_it_was_made(at in 0_i64..1 << 38) {
            prop_assert_eq!(VersionId::after(None, UnixTime::from_secs(at)).created(), UnixTime::from_secs(at));
        }
    }

    #[test]
    fn only_the_canonical_text_of_a_version_7_uuid_names_a_version() {
        let text = "0198c5e2-7a10-7cc2-9d4e-3f6f0f1f2a11";
        assert!(text.parse::<VersionId>().is_ok());
        for other in [
            &text.to_uppercase(),
            &text.replace('-', ""),
            "0198c5e2-7a10-4cc2-9d4e-3f6f0f1f2a11",
            "00000000-0000-0000-0000-000000000000",
            "latest",
            "a",
        ] {
            assert_eq!(other.parse::<VersionId>(), Err(StoreError::NotFound), "{other}");
        }
    }
}
