#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

mod backend;
mod diagnostics;
pub mod document;
mod issuer;
mod load;
mod local;
mod policies;
mod schema;
mod secrets;
mod store;
mod tree;
mod types;
mod values;
mod whole;
mod yaml;

pub use backend::RESERVED_CLAIMS;
pub use diagnostics::{Mistake, Mistakes};
pub use load::{
    Environment, ProcessEnvironment, load, load_file, load_from_environment, load_leaving_policies,
};
pub use policies::{Policies, PolicyChecks};
pub use schema::JSON_SCHEMA;
pub use types::*;
