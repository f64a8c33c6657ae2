//! What may be shown of a token.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use drawbridge_gate::Request;
use drawbridge_verify::json::{Bounds, Value as Strict};
use serde_json::Value;

/// Sizes, members of a header within their grammar, and the claims of a token whose signature held.
#[derive(Default)]
pub(super) struct Token {
    pub(super) bytes: usize,
    pub(super) segments: usize,
    /// Of the signed token, or of the envelope that it is in: what is inside of that cannot be read here.
    header: Value,
    pub(super) header_bytes: usize,
    pub(super) claims: Value,
}

impl Token {
    /// The one token of a request that the gate found one in. `signed`: whether the gate found that its signature held.
    pub(super) fn of(request: &Request<'_>, signed: bool) -> Self {
        let value = request.headers.all("authorization").next().and_then(|value| str::from_utf8(value).ok());
        let Some((_, token)) = value.and_then(|value| value.split_once(' ')) else { return Self::default() };
        let segments: Vec<_> = token.split('.').collect();
        let decode = |segment: Option<&&str>| {
            segment.and_then(|segment| URL_SAFE_NO_PAD.decode(segment).ok()).unwrap_or_default()
        };
        let header = decode(segments.first());
        let claims = if signed && segments.len() == 3 { decode(segments.get(1)) } else { Vec::new() };
        Self {
            bytes: token.len(),
            segments: segments.len(),
            header: json(&header),
            header_bytes: header.len(),
            claims: json(&claims),
        }
    }

    /// Whether it is in an envelope, or was taken for one that is.
    pub(super) fn sealed(&self) -> bool {
        self.segments > 4
    }

    pub(super) fn members(&self) -> Option<usize> {
        self.header.as_object().map(serde_json::Map::len)
    }

    /// A member of the header that names an algorithm, a type or a key, where it is what such a name can be.
    pub(super) fn member(&self, name: &str) -> String {
        let marks: &[u8] = match name {
            "alg" | "enc" => b"+-",
            "typ" => b"+-./",
            _ => b"-._",
        };
        let fits = |byte: u8| byte.is_ascii_alphanumeric() || marks.contains(&byte);
        match self.header.get(name) {
            None => "none".to_owned(),
            Some(Value::String(text)) if (1..=128).contains(&text.len()) && text.bytes().all(fits) => {
                text.clone()
            }
            Some(_) => "not shown: outside its grammar".to_owned(),
        }
    }
}

/// Strict JSON, or null.
fn json(text: &[u8]) -> Value {
    Strict::parse(text, Bounds { depth: 16, values: 2048 }).map_or(Value::Null, |value| value.to_json())
}
