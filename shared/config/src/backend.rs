//! `backends`: the applications, each with its own keys, routes and policies.

use std::{collections::BTreeMap, fs::File, io::Read, path::Path, time::Duration};

use drawbridge_policy::{Route, Routes};
use drawbridge_verify::jwe::ContentEncryption;
use url::Url;

use crate::{
    Backend, Encryption, Policies, PolicyFile,
    diagnostics::{Report, Reported, list, quote},
    issuer::{MAX_BRIDGED_LIFETIME, MIN_LIFETIME},
    policies::PolicyCheck,
    tree::{Fields, Node, boolean, distinct, fields, items, meant_one, named, word},
    values::{self, address, backend_name, duration, pointer, reference, text},
};

pub(crate) fn backend(
    name: &str,
    node: &Node,
    root: &Node,
    folder: &Path,
    report: &Report,
) -> Result<Backend, Reported> {
    let name = backend_name(name, &node.place, report);
    fields(node, report, |backend| {
        let issuer = backend.required(
            "issuer",
            "the one of the `issuers` whose tokens its gate accepts",
            |node, report| reference(node, "issuers", root, report),
        );
        let audience = backend.optional("audience", values::word);
        let store = backend.optional("store", |node, report| reference(node, "stores", root, report));
        let upstream = backend.optional("upstream", address);
        let path = backend.optional("path", path_prefix);
        let lifetime =
            backend.or("lifetime", DEFAULT_LIFETIME, duration(MIN_LIFETIME..=MAX_BRIDGED_LIFETIME));
        let claims = backend.or("claims", BTreeMap::new(), named(claim));
        let routes =
            backend.required("routes", "what may be asked of it; `routes: []` lets nothing through", routes);
        let (routes, owners) = match routes {
            Ok((routes, owners)) => (Ok(routes), owners),
            Err(reported) => (Err(reported), Vec::new()),
        };
        let policy = backend.or("policy", Vec::new(), |node, report| policy_files(node, folder, report));
        let mapped = || node.field("claims").into_iter().flat_map(Node::names);
        let context =
            backend.or("context", vec!["sub".to_owned()], |node, report| context(node, mapped(), report));
        let encryption = backend.or("encryption", Encryption::default(), word(&ENCRYPTION));
        let content_encryption =
            backend.or("content_encryption", DEFAULT_CONTENT_ENCRYPTION, word(&CONTENT_ENCRYPTION));
        let bound_to = backend.optional("bound_to", text);
        let policies = Policies::default();
        let used = routes.as_ref().map_or(Ok(()), |routes| policies_are_used(backend, routes, report));
        if let (Ok(routes), Ok(claims), Ok(files)) = (&routes, &claims, &policy)
            && routes.iter().any(|route| route.policy)
        {
            let claims = claims.keys().cloned().collect();
            let check = PolicyCheck::new(backend.place_of("policy"), routes, claims, files, policies.clone());
            report.leave(check);
        }
        let sealed = encryption.is_ok_and(|encryption| encryption != Encryption::Refused);
        let opened = if sealed && !backend.has("store") {
            let message = "needs a private key to decrypt with; name its `store`, or leave `encryption` out";
            Err(report.at(backend.place_of("encryption"), message))
        } else {
            Ok(())
        };
        // The default may always be written out.
        let said = if !sealed && content_encryption.is_ok_and(|named| named != DEFAULT_CONTENT_ENCRYPTION) {
            let message = "nothing is encrypted for it; write `encryption: required`, or leave `content_encryption` out";
            Err(report.at(backend.place_of("content_encryption"), message))
        } else {
            Ok(())
        };
        let plain = |upstream: &Option<Url>| upstream.as_ref().is_some_and(|url| url.scheme() == "http");
        let shown = if backend.has("bound_to") && upstream.as_ref().is_ok_and(plain) {
            let message = "no certificate is shown over plain HTTP; write an `https` `upstream`, or leave `bound_to` out";
            Err(report.at(backend.place_of("bound_to"), message))
        } else {
            Ok(())
        };
        used.and(opened).and(said).and(shown)?;
        let name = name?;
        Ok(Backend {
            issuer: issuer?,
            audience: audience?.unwrap_or_else(|| name.to_string()),
            store: store?,
            upstream: upstream?,
            path: path?.unwrap_or_else(|| format!("/{name}")),
            lifetime: lifetime?,
            claims: claims?,
            routes: routes?,
            owners,
            policy: policy?,
            policies,
            context: context?,
            encryption: encryption?,
            content_encryption: content_encryption?,
            bound_to: bound_to?.map(|file| folder.join(file)),
            name,
        })
    })
}

/// The routes, and who answers for each.
fn routes(node: &Node, report: &Report) -> Result<(Routes, Vec<Option<String>>), Reported> {
    let (routes, owners) = items(route)(node, report)?.into_iter().unzip();
    let routes = Routes::new(routes).map_err(|mistakes| {
        let place = |index| &node.item(index).unwrap_or(node).place;
        let reported =
            mistakes.into_iter().map(|mistake| report.at(place(mistake.index), mistake.message)).last();
        reported.unwrap_or_else(|| report.at(&node.place, "cannot be matched; write other routes"))
    })?;
    Ok((routes, owners))
}

fn route(node: &Node, report: &Report) -> Result<(Route, Option<String>), Reported> {
    fields(node, report, |route| {
        let template = route.required(
            "path",
            "the path below the backend, as in `path: \"/customers/{customer}\"`",
            text,
        );
        let methods =
            route.required("methods", "the methods that it takes, as in `methods: [GET]`", items(text));
        let scopes = route.optional("scopes", items(text));
        let policy = route.or("policy", false, boolean);
        let owner = route.optional("owner", text);
        // No scope at all is a decision that somebody makes, not one that happens by leaving a line out.
        if matches!((&scopes, &policy), (Ok(None), Ok(false))) {
            route.mistake(
                "`scopes` is missing; write the scopes that the token must have, or `scopes: \
                 []` if every verified token will do",
            );
        }
        let scopes = scopes.map(Option::unwrap_or_default);
        Ok((Route { template: template?, methods: methods?, scopes: scopes?, policy: policy? }, owner?))
    })
}

fn policy_files(node: &Node, folder: &Path, report: &Report) -> Result<Vec<PolicyFile>, Reported> {
    distinct(|node: &Node, report: &Report| {
        let name = text(node, report)?;
        let text = policy_text(&folder.join(&name)).map_err(|why| {
            report.at(&node.place, format!("{} {why}; paths are relative to the configuration", quote(&name)))
        })?;
        Ok(PolicyFile { name, text })
    })(node, report)
}

fn policy_text(path: &Path) -> Result<String, String> {
    let mut text = String::new();
    let file = File::open(path).map_err(|error| format!("cannot be read: {error}"))?;
    let read = file
        .take(MAX_POLICY_BYTES + 1)
        .read_to_string(&mut text)
        .map_err(|error| format!("cannot be read: {error}"))?;
    if u64::try_from(read).is_ok_and(|read| read <= MAX_POLICY_BYTES) {
        return Ok(text);
    }
    Err(format!("is longer than {MAX_POLICY_BYTES} bytes"))
}

fn policies_are_used(backend: &Fields<'_>, routes: &Routes, report: &Report) -> Result<(), Reported> {
    let asked = routes.iter().position(|route| route.policy);
    let message = match (asked, backend.has("policy")) {
        (Some(index), false) => format!(
            "routes[{index}] has `policy: true`, but there are no `policy` \
             files; name them, as in `policy: [policies/orders.cedar]`"
        ),
        (None, true) => "no route has `policy: true`, so these files would decide nothing; write it at \
                         the routes that they are for"
            .to_owned(),
        _ => return Ok(()),
    };
    Err(report.at(backend.place_of("policy"), message))
}

fn claim(name: &str, node: &Node, report: &Report) -> Result<(String, String), Reported> {
    let pointer = pointer(node, report);
    if RESERVED_CLAIMS.iter().any(|reserved| reserved.eq_ignore_ascii_case(name)) {
        let message =
            format!("{} is the bridge's to set, or nobody's; map the claim to another name", quote(name));
        return Err(report.at(&node.place, message));
    }
    let spelt = |byte: u8| byte.is_ascii_alphanumeric() || b"_.:/-".contains(&byte);
    if name.is_empty() || name.len() > 64 || !name.bytes().all(spelt) {
        let message = format!(
            "{} is no name of a claim; write 1 to 64 letters, digits, `_`, `.`, `:`, `/` and `-`",
            quote(name)
        );
        return Err(report.at(&node.place, message));
    }
    Ok((name.to_owned(), pointer?))
}

/// The claims that become headers and keys of gateways' contexts: they exist, can be spelt as both, and none of them twice.
fn context<'n>(
    node: &Node,
    mapped: impl Iterator<Item = &'n str> + Clone,
    report: &Report,
) -> Result<Vec<String>, Reported> {
    let claims = items(|node: &Node, report: &Report| {
        let claim = text(node, report)?;
        let known = REGISTERED.iter().copied().chain(mapped.clone());
        if !known.clone().any(|known| known == claim) {
            let meant = meant_one(&claim, known);
            let message = format!(
                "{} is no claim of a bridged token; map it under `claims`, or name one of {}{meant}",
                quote(&claim),
                list(REGISTERED)
            );
            return Err(report.at(&node.place, message));
        }
        // `-` and `_` are the same in a header's name to many a server, and so are upper and lower case.
        let plain = claim.starts_with(|first: char| first.is_ascii_lowercase())
            && claim.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_'));
        if !plain {
            let message = format!(
                "{} cannot be part of a header's name; map the claim to a name of lower-case letters, digits and `_`",
                quote(&claim)
            );
            return Err(report.at(&node.place, message));
        }
        if RESERVED_CONTEXT.contains(&claim.as_str()) {
            let message = format!(
                "{} has a meaning of its own in a gateway's context; map the claim to another name",
                quote(&claim)
            );
            return Err(report.at(&node.place, message));
        }
        Ok(claim)
    })(node, report)?;
    for (index, claim) in claims.iter().enumerate() {
        if claims.iter().take(index).any(|first| first == claim) {
            let message = format!("{} is told twice; name it once", quote(claim));
            return Err(report.at(&node.item(index).unwrap_or(node).place, message));
        }
    }
    Ok(claims)
}

/// Where the edge has the backend: whole, plain segments, so that no two readers of a path differ about it.
fn path_prefix(node: &Node, report: &Report) -> Result<String, Reported> {
    let path = text(node, report)?;
    let segment = |part: &str| {
        !part.is_empty()
            && !part.starts_with('.')
            && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte))
    };
    match path.strip_prefix('/') {
        Some(rest) if rest.split('/').all(segment) => Ok(path),
        _ => {
            let message = format!(
                "{} is no path prefix; write `/` and a segment of letters, digits, `-`, `.`, `_` and \
                 `~`, as in `/orders` or `/v1/orders`",
                quote(&path)
            );
            Err(report.at(&node.place, message))
        }
    }
}

const ENCRYPTION: [(&str, Encryption); 3] = [
    ("refused", Encryption::Refused),
    ("accepted", Encryption::Accepted),
    ("required", Encryption::Required),
];

/// What a gate opens, the default first.
const CONTENT_ENCRYPTION: [(&str, ContentEncryption); 4] = [
    (ContentEncryption::A256Gcm.name(), ContentEncryption::A256Gcm),
    (ContentEncryption::A128Gcm.name(), ContentEncryption::A128Gcm),
    (ContentEncryption::A256CbcHs512.name(), ContentEncryption::A256CbcHs512),
    (ContentEncryption::A128CbcHs256.name(), ContentEncryption::A128CbcHs256),
];

/// The claims that the bridge sets by itself.
const REGISTERED: [&str; 12] =
    ["iss", "sub", "aud", "exp", "iat", "nbf", "jti", "txn", "scope", "client_id", "act", "cnf"];

/// The claims that a mapping cannot set: the bridge sets them, or they would mean something to who reads the token.
pub const RESERVED_CLAIMS: [&str; 15] = [
    "act",
    "aud",
    "azp",
    "client_id",
    "cnf",
    "exp",
    "iat",
    "iss",
    "jti",
    "may_act",
    "nbf",
    "scope",
    "sub",
    "txn",
    "typ",
];

/// What API Gateway fills or reserves in an authorizer's context, what the authorizer puts there itself, and the id of the request.
const RESERVED_CONTEXT: [&str; 5] = ["claims", "error", "latency", "principal", "request_id"];

const DEFAULT_CONTENT_ENCRYPTION: ContentEncryption = ContentEncryption::A256Gcm;
const DEFAULT_LIFETIME: Duration = Duration::from_secs(120);
const MAX_POLICY_BYTES: u64 = 256 * 1024;
