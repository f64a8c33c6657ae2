#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]
#![warn(missing_docs)]

pub mod cedar;
mod path;
mod routes;
mod template;

pub use path::{Path, PathRefused};
pub use routes::{Denied, METHODS, Match, Route, RouteMistake, Routes};
