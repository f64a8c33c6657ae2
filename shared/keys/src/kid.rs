use std::{fmt, str::FromStr};

use drawbridge_verify::KeyUse;
use thiserror::Error;
use uuid::Uuid;

/// The name of a backend: `[a-z0-9]([a-z0-9-]{0,46}[a-z0-9])?`, so that it is a DNS label, a secret's name and a key's name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BackendName(String);

/// The version of a key: `[A-Za-z0-9-]{1,64}`, as Secrets Manager and Key Vault name theirs.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Version(String);

/// `<backend>.<use>.<version>`: names exactly one key. At most 117 characters.
///
/// ```
/// # use drawbridge_keys::{Kid, KidError};
/// let kid: Kid = "orders.sig.0198c5e2-7a10-7cc2-9d4e-3f6f0f1f2a11".parse()?;
/// assert_eq!(kid.backend.as_str(), "orders");
/// assert!("orders.sig.../../etc/passwd".parse::<Kid>().is_err());
/// # Ok::<(), KidError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Kid {
    /// Whose key it is.
    pub backend: BackendName,
    /// What it is for.
    pub key_use: KeyUse,
    /// Which one it is.
    pub version: Version,
}

/// The text breaks a grammar. Holds nothing of the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum KidError {
    /// Not a [`Kid`].
    #[error("not a kid of the form `<backend>.<use>.<version>`")]
    Kid,
    /// Not a [`BackendName`].
    #[error("not a backend name: 1 to 48 of `a-z`, `0-9` and `-`, with no `-` at either end")]
    Backend,
    /// Not a [`Version`].
    #[error("not a key version: 1 to 64 of `A-Z`, `a-z`, `0-9` and `-`")]
    Version,
}

impl Kid {
    /// The name of one version of a backend's key.
    pub const fn new(backend: BackendName, key_use: KeyUse, version: Version) -> Self {
        Self { backend, key_use, version }
    }
}

impl FromStr for Kid {
    type Err = KidError;

    fn from_str(text: &str) -> Result<Self, KidError> {
        let mut parts = text.split('.');
        let (Some(backend), Some(key_use), Some(version), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(KidError::Kid);
        };
        let key_use = match key_use {
            "sig" => KeyUse::Signing,
            "enc" => KeyUse::Encryption,
            _ => return Err(KidError::Kid),
        };
        let backend = backend.parse().map_err(|_| KidError::Kid)?;
        let version = version.parse().map_err(|_| KidError::Kid)?;
        Ok(Self { backend, key_use, version })
    }
}

impl fmt::Display for Kid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.backend, self.key_use.name(), self.version)
    }
}

impl BackendName {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for BackendName {
    type Err = KidError;

    fn from_str(text: &str) -> Result<Self, KidError> {
        let fits = (1..=48).contains(&text.len())
            && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
            && !text.starts_with('-')
            && !text.ends_with('-');
        if fits { Ok(Self(text.to_owned())) } else { Err(KidError::Backend) }
    }
}

impl fmt::Display for BackendName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Version {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Version {
    type Err = KidError;

    fn from_str(text: &str) -> Result<Self, KidError> {
        let fits = (1..=64).contains(&text.len())
            && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
        if fits { Ok(Self(text.to_owned())) } else { Err(KidError::Version) }
    }
}

/// Lower-case hexadecimal with hyphens, as in version names that a store of ours makes.
impl From<Uuid> for Version {
    fn from(uuid: Uuid) -> Self {
        Self(uuid.hyphenated().to_string())
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn every_kid_of_the_grammar_parses_and_prints_as_it_was(
            text in "[a-z0-9]([a-z0-9-]{0,46}[a-z0-9])?\\.(sig|enc)\\.[A-Za-z0-9-]{1,64}"
        ) {
            let kid: Kid = text.parse().unwrap();
            prop_assert_eq!(kid.to_string(), text);
        }

        #[test]
        fn whatever_parses_prints_as_it_was_and_is_safe_as_a_path_segment(text in any::<String>()) {
            if let Ok(kid) = text.parse::<Kid>() {
                prop_assert_eq!(kid.to_string(), text.as_str());
                prop_assert!(drawbridge_verify::is_kid(&text));
                prop_assert!(text != "." && text != "..");
            }
        }

        #[test]
        fn one_changed_character_outside_the_grammar_is_refused(
            text in "[a-z0-9]{1,10}\\.sig\\.[A-Za-z0-9-]{1,20}",
            at in any::<prop::sample::Index>(),
            bad in "[^A-Za-z0-9.-]",
        ) {
            let mut characters: Vec<char> = text.chars().collect();
            let at = at.index(characters.len());
            characters[at] = bad.chars().next().unwrap();
            let changed: String = characters.into_iter().collect();
            prop_assert_eq!(changed.parse::<Kid>(), Err(KidError::Kid));
        }

        #[test]
        fn kids_order_as_their_parts_do(
            a in "[a-z]{1,4}\\.(sig|enc)\\.[a-z]{1,4}", b in "[a-z]{1,4}\\.(sig|enc)\\.[a-z]{1,4}"
        ) {
            let (a, b): (Kid, Kid) = (a.parse().unwrap(), b.parse().unwrap());
            prop_assert_eq!(a == b, a.to_string() == b.to_string());
        }
    }

    #[test]
    fn attack_06_a_kid_that_would_be_a_path_a_query_or_a_log_line_is_no_kid() {
        let long = format!("orders.sig.{}", "a".repeat(10_240));
        for text in [
            "",
            ".",
            "..",
            "../../dev/null",
            "orders.sig.../../dev/null",
            "orders.sig.%2e%2e%2f",
            "orders.sig.1' UNION SELECT 1",
            "orders.sig.1\r\nX-Injected: 1",
            "orders.sig.1\0",
            "orders.sig.1 ",
            " orders.sig.1",
            "orders.sig.é",
            "orders.sig",
            "orders.sig.",
            ".sig.1",
            "orders..1",
            "orders.sig.1.2",
            "orders.SIG.1",
            "Orders.sig.1",
            "-orders.sig.1",
            "orders-.sig.1",
            "orders.sign.1",
            long.as_str(),
        ] {
            assert_eq!(text.parse::<Kid>(), Err(KidError::Kid), "{text:?}");
        }
    }

    #[test]
    fn names_have_their_exact_bounds() {
        assert!("a".parse::<BackendName>().is_ok());
        assert!("a".repeat(48).parse::<BackendName>().is_ok());
        assert_eq!("a".repeat(49).parse::<BackendName>(), Err(KidError::Backend));
        assert_eq!("".parse::<BackendName>(), Err(KidError::Backend));
        assert!("a".repeat(64).parse::<Version>().is_ok());
        assert_eq!("a".repeat(65).parse::<Version>(), Err(KidError::Version));
        assert_eq!("".parse::<Version>(), Err(KidError::Version));
        let longest = format!("{}.enc.{}", "a".repeat(48), "b".repeat(64));
        assert_eq!(longest.len(), 117);
        assert!(longest.parse::<Kid>().is_ok());
    }
}
