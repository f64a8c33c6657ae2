//! How long an answer says that it is fresh: RFC 9111 section 4.2.1, for a private cache.

use std::time::Duration;

use reqwest::header::{AGE, CACHE_CONTROL, HeaderMap};

/// `max-age` less what the answer has aged on its way; zero for `no-store`, `no-cache`, and directives that contradict
/// themselves or make no sense; nothing where the answer does not say.
pub(crate) fn of(headers: &HeaderMap) -> Option<Duration> {
    let mut max_age = None;
    for value in headers.get_all(CACHE_CONTROL) {
        // Extension directives may quote commas; splitting there as well can only find less freshness, never more.
        for directive in value.to_str().unwrap_or("no-store").split(',') {
            let (name, argument) = directive.split_once('=').unwrap_or((directive, ""));
            let name = name.trim();
            if name.eq_ignore_ascii_case("no-store") || name.eq_ignore_ascii_case("no-cache") {
                return Some(Duration::ZERO);
            }
            if name.eq_ignore_ascii_case("max-age") {
                let seconds = seconds(argument.trim().trim_matches('"')).unwrap_or(0);
                max_age = Some(max_age.map_or(seconds, |other: u64| other.min(seconds)));
            }
        }
    }
    let age = headers.get(AGE).map_or(Some(0), |age| seconds(age.to_str().ok()?.trim()));
    max_age.map(|max_age| Duration::from_secs(age.map_or(0, |age| max_age.saturating_sub(age))))
}

/// `delta-seconds` (RFC 9111 section 1.2.2); numbers that are too large are as large as they can be.
fn seconds(text: &str) -> Option<u64> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| text.parse().unwrap_or(u64::from(u32::MAX)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_fresh_for_as_long_as_its_headers_say() {
        for (headers, expected) in [
            (&[][..], None),
            (&[("cache-control", "public")], None),
            (&[("cache-control", "max-age=300")], Some(300)),
            (&[("cache-control", "public, Max-Age=300, immutable")], Some(300)),
            (&[("cache-control", "max-age=\"300\"")], Some(300)),
            (&[("cache-control", "s-maxage=9, max-age=300")], Some(300)),
            (&[("cache-control", "max-age=300, max-age=60")], Some(60)),
            (&[("cache-control", "max-age=300"), ("cache-control", "max-age=60")], Some(60)),
            (&[("cache-control", "max-age=300"), ("age", "120")], Some(180)),
            (&[("cache-control", "max-age=300"), ("age", "500")], Some(0)),
            (&[("cache-control", "max-age=300"), ("age", "soon")], Some(0)),
            (&[("cache-control", "max-age=300, no-cache")], Some(0)),
            (&[("cache-control", "no-store, max-age=300")], Some(0)),
            (&[("cache-control", "max-age=-1")], Some(0)),
            (&[("cache-control", "max-age=")], Some(0)),
            (&[("cache-control", "max-age=1e9")], Some(0)),
            (&[("cache-control", "max-age=99999999999999999999999")], Some(u64::from(u32::MAX))),
        ] {
            let mut map = HeaderMap::new();
            for (name, value) in headers {
                map.append(*name, value.parse().unwrap());
            }
            assert_eq!(of(&map), expected.map(Duration::from_secs), "{headers:?}");
        }
    }
}
