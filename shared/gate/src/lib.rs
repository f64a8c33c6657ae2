#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]
#![warn(missing_docs)]

mod assemble;
mod audit;
mod checks;
mod context;
mod credentials;
mod decision;
mod decryption;
mod forward;
mod gate;
mod ocsf;
mod reason;
mod refusal;
mod request;
mod seen;
mod sender;
mod standing;

pub use assemble::{
    AssembleError, OpenStore, gate_for_backend, gate_for_consumers, gate_over, gates_for_consumers,
    open_audit, open_directory,
};
pub use audit::{AuditError, AuditEvent, AuditSink, NoAudit, OcsfLines, Subject};
pub use checks::Check;
pub use decision::{Allow, Decision, Deny};
pub use forward::{ForwardAuth, problem, www_authenticate};
pub use gate::{Gate, Grant};
pub use reason::Reason;
pub use request::{Headers, Request, is_identity_header, request_id};
pub use standing::Standing;
