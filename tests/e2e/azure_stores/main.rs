//! The key store on Azure Key Vault, over a vault of the tests' own that was written from the REST documentation: the official SDK asks
//! it over TLS, with the 401 challenge, lists in pages, and the troubles that a vault can be in.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "test code: what breaks must fail loudly"
)]

mod failures;
mod laws;
mod peers;
mod processes;

use std::sync::Arc;

use drawbridge_azure::{Access, open_with};
use drawbridge_keys::{BackendName, KeyStore, Kid};
use drawbridge_tests::key_vault::KeyVault;

/// The vault's keys, or its secrets, as a store.
fn store(vault: &KeyVault, secrets: bool) -> Arc<dyn KeyStore> {
    let access = Access::new(vault.credential(), vault.transport());
    open_with(&vault.url().parse().unwrap(), secrets, access)
}

fn orders() -> BackendName {
    "orders".parse().unwrap()
}

/// A kid of `orders` and the version that the vault calls it by.
fn of(kid: &Kid) -> (String, &str) {
    (format!("{}-{}", kid.backend, kid.key_use.name()), kid.version.as_str())
}
