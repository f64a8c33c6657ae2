//! Who answers for which route.

use std::collections::BTreeMap;

use drawbridge_config::Config;
use serde_json::{Map, Value, json};

/// The routes by their owners; nobody's under None. Empty where no route has an owner at all: then nobody keeps them here.
pub(super) struct Owners<'c>(BTreeMap<Option<&'c str>, Vec<String>>);

impl<'c> Owners<'c> {
    pub(super) fn of(config: &'c Config) -> Self {
        let mut owners = BTreeMap::<_, Vec<_>>::new();
        for backend in config.backends.values() {
            for (route, owner) in backend.routes.iter().zip(&backend.owners) {
                let route = format!("{} {} {}", backend.name, route.methods.join(","), route.template);
                owners.entry(owner.as_deref()).or_default().push(route);
            }
        }
        if owners.keys().all(Option::is_none) {
            owners.clear();
        }
        Self(owners)
    }

    /// One line for each owner.
    pub(super) fn lines(&self) -> impl Iterator<Item = String> {
        self.0.iter().rev().map(|(owner, routes)| match owner {
            Some(owner) => format!("owner {owner}: {}", routes.join("; ")),
            None => format!("without an owner: {}", routes.join("; ")),
        })
    }

    pub(super) fn json(&self) -> Value {
        let owned = self.0.iter().filter_map(|(owner, routes)| Some(((*owner)?.to_owned(), json!(routes))));
        let unowned = self.0.get(&None).cloned().unwrap_or_default();
        json!({ "owned": owned.collect::<Map<_, _>>(), "unowned": unowned })
    }
}
