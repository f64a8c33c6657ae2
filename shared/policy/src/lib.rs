//! May these verified claims make this request: canonical paths, routes, scopes. Pure.
#![forbid(unsafe_code)]

mod path;
mod routes;

pub use path::{Path, PathRefused};
pub use routes::{Denied, Match, Route, RouteMistake, Routes};
