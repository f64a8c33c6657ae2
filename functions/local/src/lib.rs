//! The whole chain on one machine, and the operator's commands: what the `drawbridge` binary is made of.
#![forbid(unsafe_code)]

pub mod aws;
pub mod azure;
pub mod backend;
pub mod cli;
pub mod commands;
pub mod edge;
pub mod exit;
pub mod files;
pub mod idp;
pub mod output;
pub mod process;
pub mod proxy;
pub mod tls;
pub mod up;
