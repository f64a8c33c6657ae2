//! What can only be checked on the whole document: that its parts do not contradict one another.

use std::collections::BTreeMap;

use drawbridge_keys::BackendName;
use drawbridge_verify::Relaxation;

use crate::{
    Backend, Config, Issuer, Keys, Store,
    diagnostics::{Report, quote},
    issuer::{DEFAULT_BRIDGED_LIFETIME, MAX_BRIDGED_LIFETIME},
    tree::{Node, Place},
    values::show,
};

/// Reports contradictions among the parts that could be read, and fills in the defaults that depend on other parts.
pub(crate) fn reconcile(config: &mut Config, root: &Node, report: &Report) {
    for name in
        config.backends.values().map(|backend| &backend.issuer).collect::<std::collections::BTreeSet<_>>()
    {
        if let Some(issuer) = config.issuers.get_mut(name) {
            bridged(name, issuer, root, report);
        }
    }
    let config = &*config;
    config.backends.values().for_each(|backend| lifetime(backend, config, root, report));
    separate(&config.backends, root, report);
    stores(&config.stores, root, report);
    if let Some((name, issuer)) =
        config.consumers.as_ref().and_then(|name| config.issuers.get_key_value(name))
    {
        consumers(name, issuer, config, root, report);
    }
}

/// An issuer whose tokens a gate accepts: short-lived, typed, for one backend at a time.
fn bridged(name: &str, issuer: &mut Issuer, root: &Node, report: &Report) {
    let place = |field| root.place_of(&["issuers", name, field]);
    let max_lifetime = *issuer.max_lifetime.get_or_insert(DEFAULT_BRIDGED_LIFETIME);
    if max_lifetime > MAX_BRIDGED_LIFETIME {
        let message =
            format!("bridged tokens live at most {}; write that or less", show(MAX_BRIDGED_LIFETIME));
        report.at(place("max_lifetime"), message);
    }
    if issuer.relax.contains(&Relaxation::UntypedTokens) {
        report.at(
            place("relax"),
            "bridged tokens always have a type; leave `accept_untyped_tokens` out and name it in `types`",
        );
    }
    if !issuer.audiences.is_empty() {
        report.at(
            place("audience"),
            "bridged tokens are for one backend; leave this out, and write \
             `audience` at the backend if its name will not do",
        );
    }
}

fn lifetime(backend: &Backend, config: &Config, root: &Node, report: &Report) {
    let most = config.issuers.get(&backend.issuer).and_then(|issuer| issuer.max_lifetime);
    if let Some(most) = most.filter(|most| backend.lifetime > *most) {
        let path = ["backends", backend.name.as_str(), "lifetime"];
        let message = format!(
            "`lifetime` is {}, but `issuers.{}` signs for at most {}; write that or less",
            show(backend.lifetime),
            backend.issuer,
            show(most)
        );
        report.at(root.place_of(&path), message);
    }
}

/// No two backends share an audience or a part of the edge's paths.
fn separate(backends: &BTreeMap<BackendName, Backend>, root: &Node, report: &Report) {
    let place = |backend: &Backend, field| root.place_of(&["backends", backend.name.as_str(), field]);
    let mut audiences = BTreeMap::new();
    for backend in backends.values() {
        if let Some(first) = audiences.insert(&backend.audience, &backend.name) {
            let message = format!(
                "{} is the audience of `{first}` too; a token for one would open the other, write another",
                quote(&backend.audience)
            );
            report.at(place(backend, "audience"), message);
        }
    }
    let mut paths: Vec<_> =
        backends.values().map(|backend| (format!("{}/", backend.path), backend)).collect();
    paths.sort_by(|(a, _), (b, _)| a.cmp(b));
    let mut covering: Option<&(String, &Backend)> = None;
    for path in &paths {
        match covering {
            Some((prefix, first)) if path.0.starts_with(prefix.as_str()) => {
                let message = format!(
                    "{} is inside {} of `{}`; give each backend a path of its own",
                    quote(&path.1.path),
                    quote(&first.path),
                    first.name
                );
                report.at(place(path.1, "path"), message);
            }
            _ => covering = Some(path),
        }
    }
}

fn stores(stores: &BTreeMap<String, Store>, root: &Node, report: &Report) {
    for (index, (name, store)) in stores.iter().enumerate() {
        if let Some((first, _)) = stores.iter().take(index).find(|(_, first)| *first == store) {
            let message =
                format!("is the same store as `{first}`; leave one of the two out and name the other");
            report.at(root.place_of(&["stores", name]), message);
        }
    }
}

/// A consumer's token is never a bridged one and the other way round: other `iss`, other types, other audiences, other keys
/// (RFC 8725 section 3.12).
fn consumers(name: &str, issuer: &Issuer, config: &Config, root: &Node, report: &Report) {
    let place = |field| root.place_of(&["issuers", name, field]);
    if issuer.audiences.is_empty() {
        report.at(
            place("audience"),
            "the edge accepts its tokens, so it needs an `audience`; write what their `aud` names the edge",
        );
    }
    if let Keys::Jwks(address) = &issuer.keys
        && address.contains("{backend}")
    {
        report.at(
            keys_place(name, root),
            "the consumers' tokens are for no backend, so `{backend}` \
             names nothing; write an address without placeholders",
        );
    }
    for backend in config.backends.values() {
        let at = |field| root.place_of(&["backends", backend.name.as_str(), field]);
        if backend.issuer == name {
            let message = format!(
                "`{name}` signs for the `consumers`; bridged tokens need an issuer of their own, name another"
            );
            report.at(at("issuer"), message);
        }
        if issuer.audiences.contains(&backend.audience) {
            let message = format!(
                "{} is an audience of the consumers' tokens too (`issuers.{name}`); write another",
                quote(&backend.audience)
            );
            report.at(at("audience"), message);
        }
        if backend.store.is_some()
            && matches!(&issuer.keys, Keys::Store(store) if Some(store) == backend.store.as_ref())
        {
            let message = format!(
                "`issuers.{name}` takes the consumers' keys from this store; keep the keys of backends in another"
            );
            report.at(at("store"), message);
        }
    }
    for (other_name, other) in &config.issuers {
        if other_name == name || !config.backends.values().any(|backend| backend.issuer == *other_name) {
            continue;
        }
        let at = |field| root.place_of(&["issuers", other_name, field]);
        if other.issuer == issuer.issuer {
            report.at(
                at("issuer"),
                format!("`issuers.{name}` has the same `iss`; bridged tokens need one of their own"),
            );
        }
        if other.types.iter().any(|other| issuer.types.contains(other)) {
            let message = format!(
                "a type of `issuers.{name}`, which signs for the consumers, is accepted here too; name \
                 one of its own, as in `types: [bridged+jwt]`"
            );
            report.at(at("types"), message);
        }
        if other.keys == issuer.keys && other.keys != Keys::Discovery {
            report.at(
                keys_place(other_name, root),
                format!("`issuers.{name}` has the same keys; bridged tokens need keys of their own"),
            );
        }
    }
}

/// `keys`, or the short form that stands for it.
fn keys_place<'n>(issuer: &str, root: &'n Node) -> &'n Place {
    let written = |field: &&str| {
        root.field("issuers").and_then(|issuers| issuers.field(issuer)?.field(field)).is_some()
    };
    let field = ["keys", "jwks", "store"].into_iter().find(written).unwrap_or("keys");
    root.place_of(&["issuers", issuer, field])
}
