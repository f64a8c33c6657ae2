use std::{borrow::Cow, fmt};

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use thiserror::Error;

/// A request path that means one thing only: percent-decoded once, segment by segment.
///
/// No segment of it holds a `/`, so that matching the decoded text is matching its segments.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Path<'a> {
    decoded: Cow<'a, str>,
}

/// The path could be read in more than one way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("the path is not canonical: {0}")]
pub struct PathRefused(pub &'static str);

impl<'a> Path<'a> {
    /// The longest path that is read, in bytes, as it stands in the request and without its query.
    pub const MAX_BYTES: usize = 2048;

    /// Refuses what two parsers may read differently.
    ///
    /// Refused are, as they are or percent-encoded: `//`, `.` and `..` segments (also with the trailing dots and spaces that
    /// Windows drops), `\`, `;`, `#`, `%` (double encoding), control characters, and the look-alikes of these that compatibility
    /// normalisation turns into them. Further: no leading slash, invalid percent-encoding, an encoded `/` or `?`, bytes that are
    /// not UTF-8 and more than [`MAX_BYTES`](Self::MAX_BYTES). A query (`?…`) is cut off.
    ///
    /// The classes are those of CVE-2021-31920 and GHSA-p224-6x5r-fjpm.
    ///
    /// # Errors
    /// [`PathRefused`].
    pub fn parse(target: &'a str) -> Result<Self, PathRefused> {
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        if path.len() > Self::MAX_BYTES {
            return Err(PathRefused("longer than 2048 bytes"));
        }
        if !path.starts_with('/') {
            return Err(PathRefused("it does not start with `/`"));
        }
        if query.contains('#') {
            return Err(PathRefused("a fragment"));
        }
        encoding(path)?;
        let decoded = percent_decode_str(path).decode_utf8().map_err(|_| PathRefused("not UTF-8"))?;
        characters(&decoded)?;
        segments(&decoded)?;
        Ok(Self { decoded })
    }

    /// The decoded path. Where it came from an encoded one, it is not for a URL again: [`Display`](fmt::Display) is.
    pub fn decoded(&self) -> &str {
        &self.decoded
    }
}

impl fmt::Display for Path<'_> {
    /// The canonical percent-encoded form; parses to the same path.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", utf8_percent_encode(&self.decoded, ENCODED))
    }
}

/// Every `%` starts two hexadecimal digits, and none of them hides a delimiter.
fn encoding(path: &str) -> Result<(), PathRefused> {
    let mut rest = path.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        if byte != b'%' {
            continue;
        }
        let [high, low, after @ ..] = rest else {
            return Err(PathRefused("invalid percent-encoding"));
        };
        match (high, low.to_ascii_lowercase()) {
            (b'2', b'f') => return Err(PathRefused("an encoded `/`")),
            (b'3', b'f') => return Err(PathRefused("an encoded `?`")),
            (b'2', b'5') => return Err(PathRefused("an encoded `%`")),
            (high, low) if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() => rest = after,
            _ => return Err(PathRefused("invalid percent-encoding")),
        }
    }
    Ok(())
}

fn characters(decoded: &str) -> Result<(), PathRefused> {
    for character in decoded.chars() {
        match character {
            '\\' => return Err(PathRefused("a backslash")),
            ';' => return Err(PathRefused("path parameters")),
            '#' => return Err(PathRefused("a fragment")),
            _ if character.is_control() => return Err(PathRefused("a control character")),
            _ if character.is_ascii() => {}
            _ if LOOK_ALIKES.contains(&character) => {
                return Err(PathRefused("a look-alike of a delimiter"));
            }
            _ => {}
        }
    }
    Ok(())
}

fn segments(decoded: &str) -> Result<(), PathRefused> {
    // What stands before the leading slash is no segment, and what follows a trailing one is an empty last one.
    let mut segments = decoded.split('/').skip(1).peekable();
    while let Some(segment) = segments.next() {
        if segment.is_empty() && segments.peek().is_some() {
            return Err(PathRefused("an empty segment"));
        }
        if !segment.is_empty() && segment.bytes().all(|byte| matches!(byte, b'.' | b' ')) {
            return Err(PathRefused("a dot segment"));
        }
    }
    Ok(())
}

/// What a path segment may hold as it is (RFC 3986 section 3.3), less what this parser refuses.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'/')
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~')
    .remove(b'!')
    .remove(b'$')
    .remove(b'&')
    .remove(b'\'')
    .remove(b'(')
    .remove(b')')
    .remove(b'*')
    .remove(b'+')
    .remove(b',')
    .remove(b'=')
    .remove(b':')
    .remove(b'@');

/// What NFKC, or the best-fit mapping of Windows code pages, turns into `/`, `\`, `.`, `;`, `#`, `?` or `%`.
const LOOK_ALIKES: [char; 31] = [
    '\u{037e}', '\u{2024}', '\u{2025}', '\u{2026}', '\u{2044}', '\u{2047}', '\u{2048}', '\u{2049}',
    '\u{2215}', '\u{2216}', '\u{29f5}', '\u{29f8}', '\u{29f9}', '\u{fe14}', '\u{fe15}', '\u{fe16}',
    '\u{fe19}', '\u{fe52}', '\u{fe54}', '\u{fe56}', '\u{fe5f}', '\u{fe68}', '\u{fe6a}', '\u{ff03}',
    '\u{ff05}', '\u{ff0e}', '\u{ff0f}', '\u{ff1b}', '\u{ff1f}', '\u{ff3c}', '\u{ff61}',
];

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn attack_24_a_path_that_two_parsers_may_read_differently_is_refused() {
        let refused = [
            "",
            "*",
            "admin",
            "http://host/admin",
            "?a=b",
            "//admin",
            "/a//b",
            "/a//",
            "//",
            "/.",
            "/..",
            "/./admin",
            "/a/../admin",
            "/a/..",
            "/a/.",
            "/a/%2e%2e/admin",
            "/a/%2E./admin",
            "/a/.%2e",
            "/%2e",
            "/a/.../b",
            "/a/..%20/b",
            "/a/.%20",
            "/a/ /b",
            "/a%2fb",
            "/a%2Fb",
            "/a/..%2fadmin",
            "/a%5cb",
            "/a\\b",
            "/a/..\\admin",
            "/a%00b",
            "/a\0b",
            "/a%0d%0aSet-Cookie:x",
            "/a\r\nb",
            "/a\tb",
            "/a%7f",
            "/a\u{7f}",
            "/a%252fb",
            "/a%25",
            "/a%2525",
            "/%",
            "/%2",
            "/%zz",
            "/%2%66",
            "/a;b",
            "/..;/admin",
            "/a/..;a=b/c",
            "/a%3bb",
            "/a%3Bb",
            "/a#b",
            "/a#",
            "/a%23b",
            "/a?b#c",
            "/a%3fb",
            "/a%3Fb=c",
            "/%c0%af",
            "/%c0%2e",
            "/%ff",
            "/%e2%80%ae%c3",
            "/%c2%85",
            "/a\u{ff0f}b",
            "/%ef%bc%8fadmin",
            "/%ef%bc%8e%ef%bc%8e/admin",
            "/a%e2%88%95b",
            "/%u002e",
            "/a/%2e%2e%3b/b",
        ];
        for target in refused {
            assert!(Path::parse(target).is_err(), "{target:?} was read as {:?}", Path::parse(target));
        }
        let long = format!("/{}", "a".repeat(Path::MAX_BYTES));
        assert_eq!(Path::parse(&long), Err(PathRefused("longer than 2048 bytes")));
    }

    #[test]
    fn a_canonical_path_is_decoded_once() {
        let table = [
            ("/", "/"),
            ("/customers/4711", "/customers/4711"),
            ("/customers/", "/customers/"),
            ("/customers?page=2&x=//../%2f;", "/customers"),
            ("/customers?", "/customers"),
            ("/caf%C3%A9/%41", "/café/A"),
            ("/café", "/café"),
            ("/a%20b", "/a b"),
            ("/a+b", "/a+b"),
            ("/.well-known/a..b", "/.well-known/a..b"),
            ("/a:b@c,d=e(f)*!$&'~_-", "/a:b@c,d=e(f)*!$&'~_-"),
            ("/%3Cb%3E", "/<b>"),
        ];
        for (target, decoded) in table {
            assert_eq!(Path::parse(target).map(|path| path.decoded().to_owned()).as_deref(), Ok(decoded));
        }
        let longest = format!("/{}?{}", "a".repeat(Path::MAX_BYTES - 1), "q".repeat(100));
        assert!(Path::parse(&longest).is_ok());
    }

    proptest! {
        #[test]
        fn the_encoded_form_parses_to_the_same_path(
            target in prop_oneof![any::<String>(), "/([a-z%é. ~/]|%[0-9a-fA-F]{2}){0,24}"],
        ) {
            if let Ok(path) = Path::parse(&target) {
                let encoded = path.to_string();
                prop_assert!(encoded.is_ascii());
                prop_assert_eq!(Path::parse(&encoded), Ok(path.clone()));
            }
        }

        #[test]
        fn what_is_read_has_no_second_reading(target in "/(\\.|/|%2[ef5]|%5c|;|#|\\\\|a|%c0|%af|\u{ff0f}| ){0,12}") {
            if let Ok(path) = Path::parse(&target) {
                let decoded = path.decoded();
                let delimiters = ['\\', ';', '#', '%', '?', '\u{ff0f}'];
                prop_assert!(!decoded.contains("//") && !decoded.contains(delimiters));
                prop_assert!(decoded.split('/').all(|segment| segment != "." && segment != ".."));
            }
        }
    }
}
