/// The JSON Schema of `drawbridge.yaml` (draft 2020-12).
///
/// It says what a single field can be; what fields mean together is checked by [`load`](crate::load) alone.
pub const JSON_SCHEMA: &str = include_str!("../drawbridge.schema.json");
