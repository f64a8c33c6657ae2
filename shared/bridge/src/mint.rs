use std::collections::BTreeMap;

/// Bridged claim → where it stands in the consumer's claims. Cannot set a registered claim.
#[derive(Clone, Debug, Default)]
pub struct Mapping(pub BTreeMap<String, String>);

/// Mints the bridged tokens of one backend.
pub struct Minter {
    _private: (),
}
