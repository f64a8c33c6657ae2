//! Strict JSON: borrowed, bounded, and without duplicate member names at any depth.
//!
//! RFC 8725 section 2.9 and RFC 7519 section 4: parsers that disagree about which of two members counts can be made to see
//! two different tokens, so a duplicate refuses the document. Text is UTF-8 without a byte order mark; numbers are `i64` or a
//! finite `f64`; nothing may follow the value.

use std::{borrow::Cow, fmt};

use serde::{
    Serialize, Serializer,
    de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor},
};

/// A JSON value that borrows from its text.
#[derive(Clone, Debug, PartialEq)]
pub enum Value<'a> {
    /// `null`
    Null,
    /// `true` or `false`
    Bool(bool),
    /// A whole number in the range of `i64`.
    Integer(i64),
    /// Any other finite number.
    Float(f64),
    /// A string.
    String(Cow<'a, str>),
    /// An array.
    Array(Vec<Value<'a>>),
    /// An object; names are unique, order is that of the text.
    Object(Vec<(Cow<'a, str>, Value<'a>)>),
}

/// Bounds of one document.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// How deep arrays and objects may nest; 0 allows none. Never more than 127, whatever is asked for.
    pub depth: usize,
    /// Values in the whole document, each array, object and scalar counted.
    pub values: usize,
}

/// The text is not JSON within the bounds, or has a duplicate member name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not strict JSON within bounds")]
pub struct Refused;

impl<'a> Value<'a> {
    /// Parses a whole document.
    ///
    /// # Errors
    /// [`Refused`].
    pub fn parse(text: &'a [u8], bounds: Bounds) -> Result<Self, Refused> {
        let text = str::from_utf8(text).map_err(|_| Refused)?;
        let mut left = bounds.values;
        let mut deserializer = serde_json::Deserializer::from_str(text);
        let value = Node { depth: bounds.depth, left: &mut left, room: MEMBERS }
            .deserialize(&mut deserializer)
            .map_err(|_| Refused)?;
        deserializer.end().map_err(|_| Refused)?;
        Ok(value)
    }

    /// The text of a string.
    pub fn as_str(&self) -> Option<&str> {
        if let Self::String(text) = self { Some(text) } else { None }
    }

    /// A member of an object.
    pub fn member(&self, name: &str) -> Option<&Value<'a>> {
        let Self::Object(members) = self else { return None };
        members.iter().find(|(member, _)| member == name).map(|(_, value)| value)
    }

    /// The value that a JSON Pointer (RFC 6901) names.
    pub fn pointer(&self, pointer: &str) -> Option<&Value<'a>> {
        if pointer.is_empty() {
            return Some(self);
        }
        pointer.strip_prefix('/')?.split('/').try_fold(self, |value, token| match value {
            Self::Object(_) => value.member(&unescaped(token)?),
            Self::Array(items) => items.get(index(token)?),
            _ => None,
        })
    }

    /// The value as `serde_json` has it, for crossing into other libraries.
    pub fn to_json(&self) -> serde_json::Value {
        match self {
            Self::Null => serde_json::Value::Null,
            Self::Bool(value) => (*value).into(),
            Self::Integer(value) => (*value).into(),
            Self::Float(value) => (*value).into(),
            Self::String(text) => text.as_ref().into(),
            Self::Array(items) => items.iter().map(Self::to_json).collect(),
            Self::Object(members) => {
                members.iter().map(|(name, value)| (name.as_ref().to_owned(), value.to_json())).collect()
            }
        }
    }
}

/// Members in the order of the text.
impl Serialize for Value<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Null => serializer.serialize_unit(),
            Self::Bool(value) => serializer.serialize_bool(*value),
            Self::Integer(value) => serializer.serialize_i64(*value),
            Self::Float(value) => serializer.serialize_f64(*value),
            Self::String(text) => serializer.serialize_str(text),
            Self::Array(items) => serializer.collect_seq(items),
            Self::Object(members) => {
                serializer.collect_map(members.iter().map(|(name, value)| (name, value)))
            }
        }
    }
}

/// A reference token of RFC 6901 section 4 with `~1` and `~0` resolved; none when a `~` stands for nothing.
fn unescaped(token: &str) -> Option<Cow<'_, str>> {
    if !token.contains('~') {
        return Some(Cow::Borrowed(token));
    }
    let mut text = String::with_capacity(token.len());
    let mut characters = token.chars();
    while let Some(character) = characters.next() {
        text.push(match character {
            '~' => match characters.next()? {
                '0' => '~',
                '1' => '/',
                _ => return None,
            },
            other => other,
        });
    }
    Some(Cow::Owned(text))
}

/// An array index of RFC 6901 section 4: digits alone, and no leading zero.
fn index(token: &str) -> Option<usize> {
    let canonical = token == "0" || !token.starts_with('0');
    let digits = token.bytes().all(|byte| byte.is_ascii_digit());
    if canonical && digits { token.parse().ok() } else { None }
}

/// One value, and what is left of the bounds for it.
struct Node<'b> {
    depth: usize,
    left: &'b mut usize,
    /// Members of an object to make room for.
    room: usize,
}

/// Most headers and claims have no more members than this.
const MEMBERS: usize = 16;

impl<'de> DeserializeSeed<'de> for Node<'_> {
    type Value = Value<'de>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value<'de>, D::Error> {
        *self.left = self.left.checked_sub(1).ok_or_else(|| D::Error::custom(Refused))?;
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Node<'_> {
    type Value = Value<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value within bounds")
    }

    fn visit_unit<E: Error>(self) -> Result<Value<'de>, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Value<'de>, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Value<'de>, E> {
        Ok(Value::Integer(value))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Value<'de>, E> {
        Ok(i64::try_from(value).map_or(Value::Float(value as f64), Value::Integer))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Value<'de>, E> {
        if value.is_finite() { Ok(Value::Float(value)) } else { Err(E::custom(Refused)) }
    }

    fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<Value<'de>, E> {
        Ok(Value::String(Cow::Borrowed(text)))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Value<'de>, E> {
        Ok(Value::String(Cow::Owned(text.to_owned())))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Value<'de>, A::Error> {
        let depth = self.depth.checked_sub(1).ok_or_else(|| A::Error::custom(Refused))?;
        let mut items = Vec::new();
        while let Some(item) = access.next_element_seed(Node { depth, left: self.left, room: 0 })? {
            items.push(item);
        }
        Ok(Value::Array(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Value<'de>, A::Error> {
        let depth = self.depth.checked_sub(1).ok_or_else(|| A::Error::custom(Refused))?;
        let mut members = Vec::<(Cow<'de, str>, Value<'de>)>::with_capacity(self.room);
        let mut seen = Seen::default();
        while let Some(name) = access.next_key_seed(Name)? {
            if seen.perhaps(&name) && members.iter().any(|(other, _)| *other == name) {
                return Err(A::Error::custom(Refused));
            }
            members.push((name, access.next_value_seed(Node { depth, left: self.left, room: 0 })?));
        }
        Ok(Value::Object(members))
    }
}

/// A member name, borrowed where it has no escapes.
struct Name;

impl<'de> DeserializeSeed<'de> for Name {
    type Value = Cow<'de, str>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Cow<'de, str>, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl<'de> Visitor<'de> for Name {
    type Value = Cow<'de, str>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a member name")
    }

    fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<Cow<'de, str>, E> {
        Ok(Cow::Borrowed(text))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Cow<'de, str>, E> {
        Ok(Cow::Owned(text.to_owned()))
    }
}

/// A filter of one word before the search for a duplicate name: most names of an object differ in length or last byte.
#[derive(Default)]
struct Seen(u64);

impl Seen {
    /// Remembers `name`; false when it was certainly not there before.
    fn perhaps(&mut self, name: &str) -> bool {
        let last = usize::from(name.bytes().next_back().unwrap_or_default());
        let bit = 1 << ((name.len() ^ last << 2) & 63);
        let perhaps = self.0 & bit != 0;
        self.0 |= bit;
        perhaps
    }
}
