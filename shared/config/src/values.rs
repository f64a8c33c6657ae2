//! The values that fields hold: each reader lets through only what the rest of Drawbridge can use without asking again.

use std::{net::IpAddr, ops::RangeInclusive, time::Duration};

use drawbridge_keys::BackendName;
use drawbridge_verify::{MediaType, Relaxation, Thumbprint};
use url::{Host, Url};

use crate::{
    diagnostics::{Report, Reported, list, quote},
    tree::{self, Node, Place, Value, distinct, meant_one, some},
};

/// Text of 1 to 1024 bytes, without control characters and white space around it.
pub fn text(node: &Node, report: &Report) -> Result<String, Reported> {
    let text = match &node.value {
        Value::Text(text) => text,
        value @ (Value::Bool(_) | Value::Integer(_) | Value::Float(_)) => {
            let kind = if matches!(value, Value::Bool(_)) { "boolean" } else { "number" };
            return Err(report.at(&node.place, format!("is a {kind}; put it in quotes to write it as text")));
        }
        _ => return Err(node.expected("text", report)),
    };
    if text.is_empty() {
        return Err(report.at(&node.place, "is empty; write text or leave it out"));
    }
    if text.len() > MAX_TEXT {
        return Err(report.at(&node.place, format!("is longer than {MAX_TEXT} bytes; shorten it")));
    }
    if text.contains(char::is_control) || text.trim() != text {
        let message =
            format!("{} has white space around it or a control character in it; leave that out", quote(text));
        return Err(report.at(&node.place, message));
    }
    Ok(text.clone())
}

/// One text or a list of some.
pub(crate) fn one_or_some(node: &Node, report: &Report) -> Result<Vec<String>, Reported> {
    match node.value {
        Value::List(_) => some("at least one", distinct(word))(node, report),
        _ => Ok(vec![word(node, report)?]),
    }
}

/// Text without white space: an issuer, an audience.
pub(crate) fn word(node: &Node, report: &Report) -> Result<String, Reported> {
    let text = text(node, report)?;
    if text.contains(char::is_whitespace) {
        return Err(report.at(&node.place, format!("{} has white space in it; leave that out", quote(&text))));
    }
    Ok(text)
}

/// The name of an issuer or a store: `[A-Za-z0-9_-]{1,64}`.
pub(crate) fn name(name: &str, place: &Place, report: &Report) -> Result<String, Reported> {
    if name.is_empty()
        || name.len() > 64
        || !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte))
    {
        let message = format!("{} is no name; write 1 to 64 letters, digits, `_` and `-`", quote(name));
        return Err(report.at(place, message));
    }
    Ok(name.to_owned())
}

/// The name of a backend, which becomes a DNS label, a part of secret names and of kids.
pub(crate) fn backend_name(name: &str, place: &Place, report: &Report) -> Result<BackendName, Reported> {
    name.parse().map_err(|_| {
        let message = format!(
            "{} is no name of a backend; write 1 to 48 lower-case letters, digits and `-`, with a \
             letter or digit at both ends",
            quote(name)
        );
        report.at(place, message)
    })
}

/// A reference to one of the names in a section of the file.
pub(crate) fn reference(
    node: &Node,
    section: &str,
    root: &Node,
    report: &Report,
) -> Result<String, Reported> {
    let name = text(node, report)?;
    let known = || root.field(section).into_iter().flat_map(Node::names);
    if known().any(|known| known == name) {
        return Ok(name);
    }
    let known_names = match known().next() {
        Some(_) => format!("there are {}{}", list(known()), meant_one(&name, known())),
        None => format!("there are none; add it to `{section}`"),
    };
    Err(report.at(&node.place, format!("{} is none of the `{section}`: {known_names}", quote(&name))))
}

/// `30s`, `5m` or `1h`, within bounds.
pub(crate) fn duration(
    bounds: RangeInclusive<Duration>,
) -> impl Fn(&Node, &Report) -> Result<Duration, Reported> {
    move |node, report| {
        let Value::Text(text) = &node.value else {
            return Err(node.expected("a duration such as `30s`, `5m` or `1h`", report));
        };
        let digits = text.strip_suffix(['s', 'm', 'h']).unwrap_or_default();
        let short = (1..=6).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit());
        // Of what the library reads, only the whole number with one unit: one way to write a duration is enough.
        let duration = short.then(|| humantime::parse_duration(text).ok()).flatten().ok_or_else(|| {
            report.at(
                &node.place,
                format!(
                    "{} is no duration; write a whole number and a unit, as in `30s`, `5m` or `1h`",
                    quote(text)
                ),
            )
        })?;
        if bounds.contains(&duration) {
            return Ok(duration);
        }
        let (least, most) = (show(*bounds.start()), show(*bounds.end()));
        Err(report
            .at(&node.place, format!("{} is not between {least} and {most}; write one that is", quote(text))))
    }
}

/// A duration as it is written: `2m`, `90s`.
pub(crate) fn show(duration: Duration) -> String {
    match duration.as_secs() {
        0 => "0s".to_owned(),
        seconds if seconds % 3600 == 0 => format!("{}h", seconds / 3600),
        seconds if seconds % 60 == 0 => format!("{}m", seconds / 60),
        seconds => format!("{seconds}s"),
    }
}

/// A whole number within bounds.
pub(crate) fn integer(bounds: RangeInclusive<u32>) -> impl Fn(&Node, &Report) -> Result<u32, Reported> {
    move |node, report| {
        let what = format!("a whole number from {} to {}", bounds.start(), bounds.end());
        let Value::Integer(value) = node.value else { return Err(node.expected(&what, report)) };
        u32::try_from(value)
            .ok()
            .filter(|value| bounds.contains(value))
            .ok_or_else(|| report.at(&node.place, format!("`{value}` is out of bounds; write {what}")))
    }
}

/// A `typ` of access tokens. `JWT` and the types of other kinds of token are refused (RFC 8725 sections 3.11 and 3.12).
pub(crate) fn media_type(node: &Node, report: &Report) -> Result<MediaType, Reported> {
    let text = text(node, report)?;
    let parts: Vec<_> = text.split('/').collect();
    if parts.len() > 2 || !parts.iter().all(|part| is_token(part)) {
        return Err(
            report.at(&node.place, format!("{} is no media type; write one such as `at+jwt`", quote(&text)))
        );
    }
    let media_type = MediaType::new(&text);
    let refused = REFUSED_TYPES.iter().find(|(name, _)| media_type.matches(name));
    refused.map_or(Ok(media_type), |(_, why)| Err(report.at(&node.place, format!("{} {why}", quote(&text)))))
}

/// An RFC 7638 thumbprint.
pub(crate) fn thumbprint(node: &Node, report: &Report) -> Result<Thumbprint, Reported> {
    let text = text(node, report)?;
    text.parse().map_err(|_| {
        let message = format!(
            "{} is no thumbprint; write the SHA-256 of RFC 7638 in base64url, 43 characters",
            quote(&text)
        );
        report.at(&node.place, message)
    })
}

/// A named weakening.
pub(crate) fn relaxation(node: &Node, report: &Report) -> Result<Relaxation, Reported> {
    tree::word(&RELAXATIONS.map(|relaxation| (relaxation.name(), relaxation)))(node, report)
}

/// A JSON Pointer (RFC 6901) to one claim.
pub(crate) fn pointer(node: &Node, report: &Report) -> Result<String, Reported> {
    let text = text(node, report)?;
    if !text.starts_with('/') {
        let message = format!(
            "{} is no JSON Pointer; write where the claim stands, as in `/realm_access/roles`",
            quote(&text)
        );
        return Err(report.at(&node.place, message));
    }
    if text.split('~').skip(1).any(|rest| !rest.starts_with(['0', '1'])) {
        let message =
            format!("{} has a `~` that escapes nothing; write `~0` for `~` and `~1` for `/`", quote(&text));
        return Err(report.at(&node.place, message));
    }
    Ok(text)
}

/// An absolute `https` address, or `http` on this machine, without a user, a query or a fragment.
pub(crate) fn address(node: &Node, report: &Report) -> Result<Url, Reported> {
    let text = text(node, report)?;
    let url = parse_url(&text, &node.place, report)?;
    if url.scheme() == "http" && !is_loopback(&url) {
        return Err(
            report.at(&node.place, format!("{} is not encrypted on its way; write `https`", quote(&text)))
        );
    }
    if url.query().is_some() {
        return Err(report.at(&node.place, format!("{} has a query; leave it out", quote(&text))));
    }
    Ok(url)
}

/// An `http` or `https` address without a user and a fragment.
pub(crate) fn parse_url(text: &str, place: &Place, report: &Report) -> Result<Url, Reported> {
    // The library mends `https:host` and `\`; an address that others may read otherwise is refused.
    let full = (text.starts_with("https://") || text.starts_with("http://")) && !text.contains(['\\', ' ']);
    let url = full.then(|| Url::parse(text).ok()).flatten().filter(Url::has_host).ok_or_else(|| {
        // Before an `@` may stand a password.
        let shown = if text.contains('@') { "the text".to_owned() } else { quote(text) };
        report.at(place, format!("{shown} is no address; write it in full, as in `https://example.com/path`"))
    })?;
    if !url.username().is_empty() || url.password().is_some() {
        // Not quoted: what stands there may be a password.
        return Err(report.at(
            place,
            "the address has a user or password in it; a configuration holds no secrets, leave it out",
        ));
    }
    if url.fragment().is_some() {
        return Err(
            report.at(place, format!("{} has a fragment; leave out what begins with `#`", quote(text)))
        );
    }
    Ok(url)
}

/// Whether the host is this machine.
pub(crate) fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(ip)) => IpAddr::from(ip).is_loopback(),
        Some(Host::Ipv6(ip)) => IpAddr::from(ip).is_loopback(),
        None => false,
    }
}

/// `token` of RFC 9110 section 5.6.2, which header names and the halves of media types are.
pub(crate) fn is_token(text: &str) -> bool {
    !text.is_empty()
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte))
}

const MAX_TEXT: usize = 1024;

const RELAXATIONS: [Relaxation; 3] =
    [Relaxation::UntypedTokens, Relaxation::KeysWithoutAlg, Relaxation::HttpOnLoopback];

const REFUSED_TYPES: [(&str, &str); 5] = [
    (
        "jwt",
        "types nothing, every kind of token may carry it; name the issuer's own type, or write `relax: \
         [accept_untyped_tokens]` if it has none",
    ),
    ("dpop+jwt", "is the type of DPoP proofs, not of access tokens; name the issuer's own type"),
    ("logout+jwt", "is the type of logout tokens, not of access tokens; name the issuer's own type"),
    ("secevent+jwt", "is the type of security events, not of access tokens; name the issuer's own type"),
    (
        "txntoken+jwt",
        "is the type of transaction tokens, which never leave their trust domain; name a type of your own",
    ),
];
