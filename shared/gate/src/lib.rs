//! The pipeline that turns one request into one decision, for every gateway alike.
#![forbid(unsafe_code)]

mod assemble;
mod audit;
mod decision;
mod forward;
mod gate;
mod reason;
mod request;

pub use assemble::{AssembleError, OpenStore, gate_for_backend, gate_for_consumers, open_directory};
pub use audit::{AuditEvent, AuditSink, NoAudit, OcsfLines, Subject};
pub use decision::{Allow, Decision, Deny};
pub use forward::{ForwardAuth, problem, www_authenticate};
pub use gate::{Gate, Grant};
pub use reason::Reason;
pub use request::{Headers, Request};
