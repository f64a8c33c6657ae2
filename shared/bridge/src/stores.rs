use std::{
    collections::{BTreeMap, btree_map::Entry},
    sync::Arc,
};

use drawbridge_config::{Config, Store};
use drawbridge_keys::{BackendName, KeyStore, StoreError};

use crate::BridgeError;

/// The store of every backend that names one, each opened once; not of those for which `open` has none.
///
/// # Errors
/// When a store cannot be opened.
pub(crate) fn open_stores(
    config: &Config,
    mut open: impl FnMut(&str, &Store) -> Result<Option<Arc<dyn KeyStore>>, StoreError>,
) -> Result<BTreeMap<BackendName, Arc<dyn KeyStore>>, BridgeError> {
    let mut opened: BTreeMap<&str, Option<Arc<dyn KeyStore>>> = BTreeMap::new();
    let mut stores = BTreeMap::new();
    for (name, backend) in &config.backends {
        let Some(store) = &backend.store else { continue };
        let store = match opened.entry(store) {
            Entry::Occupied(entry) => entry.into_mut(),
            Entry::Vacant(entry) => {
                let configured = config.stores.get(store).ok_or_else(|| {
                    BridgeError(format!("backends.{name}.store: there is no store `{store}`"))
                })?;
                entry.insert(
                    open(store, configured)
                        .map_err(|error| BridgeError(format!("stores.{store}: {error}")))?,
                )
            }
        };
        if let Some(store) = store {
            stores.insert(name.clone(), Arc::clone(store));
        }
    }
    Ok(stores)
}
