//! `drawbridge.yaml`: one file for the edge, the gates and the key endpoint. Every mistake at once, with its place and the mend.
#![forbid(unsafe_code)]

mod diagnostics;
mod load;
mod schema;
mod tree;
mod types;

pub use diagnostics::{Mistake, Mistakes};
pub use load::{load, load_file, load_from_environment, Environment, ProcessEnvironment};
pub use schema::JSON_SCHEMA;
pub use types::*;
