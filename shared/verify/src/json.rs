//! Strict JSON: borrowed, bounded, and without duplicate member names at any depth.

use std::borrow::Cow;

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
    /// Nesting depth.
    pub depth: usize,
    /// Values in the whole document.
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
        let _ = (text, bounds);
        todo!()
    }

    /// The text of a string.
    pub fn as_str(&self) -> Option<&str> {
        if let Self::String(text) = self { Some(text) } else { None }
    }

    /// A member of an object.
    pub fn member(&self, name: &str) -> Option<&Value<'a>> {
        let _ = name;
        todo!()
    }

    /// The value that a JSON Pointer (RFC 6901) names.
    pub fn pointer(&self, pointer: &str) -> Option<&Value<'a>> {
        let _ = pointer;
        todo!()
    }

    /// The value as `serde_json` has it, for crossing into other libraries.
    pub fn to_json(&self) -> serde_json::Value {
        todo!()
    }
}
