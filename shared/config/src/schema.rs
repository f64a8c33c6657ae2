/// The JSON Schema of `drawbridge.yaml` (draft 2020-12).
pub const JSON_SCHEMA: &str = "{}";
