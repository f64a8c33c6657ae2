use std::borrow::Cow;

use thiserror::Error;

/// A request path that means one thing only: percent-decoded once, segment by segment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Path<'a> {
    _raw: Cow<'a, str>,
}

/// The path could be read in more than one way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("the path is not canonical: {0}")]
pub struct PathRefused(pub &'static str);

impl<'a> Path<'a> {
    /// Refuses what two parsers may read differently: no leading slash, `//`, `.` and `..` segments, `\`, `;`, `#`, control
    /// characters, invalid percent-encoding, encoded slash, backslash, NUL or dot segments, `%25` (double encoding), invalid UTF-8.
    /// A query (`?…`) is cut off.
    ///
    /// # Errors
    /// [`PathRefused`].
    pub fn parse(target: &'a str) -> Result<Self, PathRefused> { let _ = target; todo!() }
}
