//! `issuers`: who signs tokens, and where their public keys come from.

use std::{ops::RangeInclusive, time::Duration};

use drawbridge_keys::KeyLimits;
use drawbridge_verify::{Algorithm, Algorithms, MediaType, Relaxation};
use url::Url;

use crate::{
    Issuer, Keys,
    diagnostics::{Report, Reported, list, quote},
    tree::{Fields, Node, Place, Value, distinct, fields, meant_one, some},
    values::{
        duration, integer, is_loopback, media_type, one_or_some, parse_url, reference, relaxation, text,
        thumbprint, word,
    },
};

pub(crate) fn issuer(node: &Node, root: &Node, report: &Report) -> Result<Issuer, Reported> {
    fields(node, report, |issuer| {
        let name = issuer.required("issuer", "the exact `iss` of its tokens", word);
        let audiences = issuer.or("audience", Vec::new(), one_or_some);
        let relax = issuer.or("relax", Vec::new(), distinct(relaxation));
        // Where `relax` itself is wrong, what it might have allowed is no second mistake.
        let http = relax.as_ref().map_or(true, |relax| relax.contains(&Relaxation::HttpOnLoopback));
        let keys = keys(issuer, http, root);
        let algorithms = issuer.required(
            "algorithms",
            "the ones it signs with, as in `algorithms: [ES256]`",
            |node, report| algorithms(node, keys.as_ref().ok(), report),
        );
        let types =
            issuer.optional("types", some("at least one, as in `types: [at+jwt]`", distinct(media_type)));
        let max_lifetime = issuer.optional("max_lifetime", duration(MIN_LIFETIME..=LONGEST));
        let skew = issuer.or("skew", DEFAULT_SKEW, duration(Duration::ZERO..=MAX_SKEW));
        let max_token_bytes =
            issuer.or("max_token_bytes", DEFAULT_TOKEN_BYTES, integer(MIN_TOKEN_BYTES..=MAX_TOKEN_BYTES));
        let key_limits = issuer.or("key_cache", KeyLimits::default(), key_cache);
        let thumbprints = issuer.or("thumbprints", Vec::new(), distinct(thumbprint));
        let name = match (name, &keys) {
            (Ok(name), Ok(Keys::Discovery)) => {
                discovered(&name, issuer.place_of("issuer"), http, report).map(|()| name)
            }
            (name, _) => name,
        };
        Ok(Issuer {
            issuer: name?,
            audiences: audiences?,
            keys: keys?,
            algorithms: algorithms?,
            types: types?.unwrap_or_else(|| vec![MediaType::new("at+jwt")]),
            max_lifetime: max_lifetime?,
            skew: skew?,
            max_token_bytes: usize::try_from(max_token_bytes?).unwrap_or(usize::MAX),
            key_limits: key_limits?,
            thumbprints: thumbprints?,
            relax: relax?,
        })
    })
}

/// `keys: discovery`, `keys: { jwks: URL }`, `keys: { store: NAME }`, or `jwks: URL` or `store: NAME` without `keys`.
fn keys(issuer: &mut Fields<'_>, http: bool, root: &Node) -> Result<Keys, Reported> {
    let jwks = |node: &Node, report: &Report| jwks(node, http, report).map(Keys::Jwks);
    let store = |node: &Node, report: &Report| reference(node, "stores", root, report).map(Keys::Store);
    let written = issuer.optional("keys", |node, report| match &node.value {
        Value::Text(text) if text == "discovery" => Ok(Keys::Discovery),
        Value::Map(_) => fields(node, report, |keys| {
            let forms = [keys.optional("jwks", jwks), keys.optional("store", store)];
            one(forms).unwrap_or_else(|| {
                Err(keys.mistake("must hold exactly one of `jwks` and `store`; write one"))
            })
        }),
        _ => Err(node.expected("one of `discovery`, `{ jwks: URL }` and `{ store: NAME }`", report)),
    });
    let forms = [written, issuer.optional("jwks", jwks), issuer.optional("store", store)];
    one(forms).unwrap_or_else(|| {
        Err(issuer.mistake(
            "must say in exactly one way where its keys come from; write one of `keys: discovery`, \
             `jwks: URL` and `store: NAME`",
        ))
    })
}

/// The only one of some alternatives that was written; none where none or several were.
pub(crate) fn one<T>(
    forms: impl IntoIterator<Item = Result<Option<T>, Reported>>,
) -> Option<Result<T, Reported>> {
    let mut written = forms.into_iter().filter_map(Result::transpose);
    let only = written.next();
    if written.next().is_some() { None } else { only }
}

/// The address of a JWK Set, or of one key where it has placeholders.
fn jwks(node: &Node, http: bool, report: &Report) -> Result<String, Reported> {
    let address = text(node, report)?;
    placeholders(&address).map_err(|message| report.at(&node.place, message))?;
    origin(&address, &node.place, http, report)?;
    Ok(address)
}

/// Keys come over TLS, or from this machine where `http` is allowed by name.
fn origin(address: &str, place: &Place, http: bool, report: &Report) -> Result<Url, Reported> {
    let url = parse_url(address, place, report)?;
    if url.scheme() == "https" || (http && is_loopback(&url)) {
        return Ok(url);
    }
    let also = if is_loopback(&url) {
        ", or `relax: [allow_http_on_loopback]` for keys from this machine"
    } else {
        ""
    };
    Err(report.at(place, format!("{} is not encrypted on its way; write `https`{also}", quote(address))))
}

/// Discovery appends its well-known path to the `iss` (OpenID Connect Discovery 1.0 section 4).
fn discovered(name: &str, place: &Place, http: bool, report: &Report) -> Result<(), Reported> {
    if origin(name, place, http, report)?.query().is_some() {
        let message = format!(
            "{} has a query, which `keys: discovery` does not allow; write `jwks: URL` instead",
            quote(name)
        );
        return Err(report.at(place, message));
    }
    Ok(())
}

/// `{backend}` and `{kid}` stand in the path, each once, or not at all.
fn placeholders(address: &str) -> Result<(), String> {
    let after_scheme = address.split_once("://").map_or(address, |(_, rest)| rest);
    let (host, rest) = after_scheme.split_once('/').unwrap_or((after_scheme, ""));
    let (path, query) = rest.split_once('?').unwrap_or((rest, ""));
    if [host, query].iter().any(|part| part.contains(['{', '}'])) {
        return Err(format!("{} has a placeholder outside its path; move it into the path", quote(address)));
    }
    let left = path.replacen("{backend}", "", 1).replacen("{kid}", "", 1);
    if left.contains(['{', '}']) {
        return Err(format!(
            "{} has other placeholders than one `{{backend}}` and one `{{kid}}`; leave them out",
            quote(address)
        ));
    }
    match (path.contains("{backend}"), path.contains("{kid}")) {
        (true, false) => {
            Err(format!("{} has `{{backend}}` without `{{kid}}`; write both or none", quote(address)))
        }
        (false, true) => {
            Err(format!("{} has `{{kid}}` without `{{backend}}`; write both or none", quote(address)))
        }
        _ => Ok(()),
    }
}

fn algorithms(node: &Node, keys: Option<&Keys>, report: &Report) -> Result<Algorithms, Reported> {
    // At the field and not at the item: the mend is often another list.
    let algorithm = |item: &Node, report: &Report| {
        let name = text(item, report)?;
        name.parse::<Algorithm>().map_err(|()| report.at(&node.place, unknown_algorithm(&name, keys)))
    };
    Ok(some("at least one, as in `algorithms: [ES256]`", distinct(algorithm))(node, report)?
        .into_iter()
        .collect())
}

fn unknown_algorithm(name: &str, keys: Option<&Keys>) -> String {
    let quoted = quote(name);
    let upper = name.to_ascii_uppercase();
    if upper == "NONE" {
        return format!("{quoted} means that nothing is signed; name {ADVICE}");
    }
    if upper.starts_with("HS") {
        return match keys {
            Some(Keys::Discovery) => {
                format!("{quoted} is symmetric, but `keys: discovery` publishes public keys; name {ADVICE}")
            }
            Some(Keys::Jwks(_)) => {
                format!("{quoted} is symmetric, but `jwks` publishes public keys; name {ADVICE}")
            }
            _ => format!("{quoted} is symmetric, so whoever verifies could sign; name {ADVICE}"),
        };
    }
    if ["RSA", "ECDH", "DIR", "PBES2", "A128", "A192", "A256"].iter().any(|prefix| upper.starts_with(prefix))
    {
        return format!(
            "{quoted} encrypts, but `algorithms` are for signatures; name {ADVICE}, and see \
             `encryption` of a backend"
        );
    }
    if let Some(known) = Algorithm::ALL.iter().find(|known| known.name().eq_ignore_ascii_case(name)) {
        return format!("{quoted} is spelt `{known}`; names are compared exactly");
    }
    let known = || Algorithm::ALL.iter().map(|algorithm| algorithm.name());
    format!("{quoted} is none of {}{}", list(known()), meant_one(name, known()))
}

fn key_cache(node: &Node, report: &Report) -> Result<KeyLimits, Reported> {
    fields(node, report, |cache| {
        let defaults = KeyLimits::default();
        let fresh = cache.or("fresh", defaults.fresh, duration(Duration::from_secs(1)..=MAX_STALE));
        let stale = cache.or("stale", defaults.stale, duration(Duration::from_secs(1)..=MAX_STALE));
        let fetches = cache.or("fetches_per_minute", defaults.fetches_per_minute, integer(FETCHES));
        let of_source = cache.or(
            "fetches_per_minute_and_source",
            defaults.fetches_per_minute_and_source,
            integer(FETCHES),
        );
        let (fresh, stale) = (fresh?, stale?);
        if fresh > stale {
            let field = if cache.has("fresh") { "fresh" } else { "stale" };
            return Err(report.at(
                cache.place_of(field),
                "`fresh` is longer than `stale`, after which no key is used; make it shorter",
            ));
        }
        Ok(KeyLimits {
            fresh,
            stale,
            fetches_per_minute: fetches?,
            fetches_per_minute_and_source: of_source?,
            ..defaults
        })
    })
}

/// The shortest life of a token that any setting allows.
pub(crate) const MIN_LIFETIME: Duration = Duration::from_secs(10);

/// The longest life of a bridged token, whatever the configuration says.
pub(crate) const MAX_BRIDGED_LIFETIME: Duration = Duration::from_secs(3600);

/// `max_lifetime` of an issuer that a backend names.
pub(crate) const DEFAULT_BRIDGED_LIFETIME: Duration = Duration::from_secs(300);

const ADVICE: &str = "RS256, PS256, ES256 or EdDSA";
const DEFAULT_SKEW: Duration = Duration::from_secs(30);
const MAX_SKEW: Duration = Duration::from_secs(60);
const DEFAULT_TOKEN_BYTES: u32 = 16 * 1024;
const MIN_TOKEN_BYTES: u32 = 256;
const MAX_TOKEN_BYTES: u32 = 64 * 1024;
/// Of kids never seen before. More than this would be an attack that the key source pays for.
const FETCHES: RangeInclusive<u32> = 1..=10_000;
const MAX_STALE: Duration = Duration::from_secs(24 * 3600);
/// For issuers whose lifetime is not ours to bound: no token is good for longer than a month.
const LONGEST: Duration = Duration::from_secs(31 * 24 * 3600);
