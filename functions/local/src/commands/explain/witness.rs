use std::sync::{Mutex, PoisonError};

use drawbridge_gate::{AuditError, AuditEvent, AuditSink};

/// Hears what the gate would write into the audit log, and writes nothing.
#[derive(Debug, Default)]
pub(in crate::commands) struct Witness(Mutex<Testimony>);

/// What the last line would have said.
#[derive(Clone, Debug, Default)]
pub(in crate::commands) struct Testimony {
    pub(in crate::commands) detail: Option<String>,
    pub(in crate::commands) method: Option<String>,
    pub(in crate::commands) route: Option<String>,
    pub(in crate::commands) policies: Vec<String>,
}

impl Witness {
    pub(in crate::commands) fn testimony(&self) -> Testimony {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl AuditSink for Witness {
    fn record(&self, event: &AuditEvent<'_>) -> Result<(), AuditError> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Testimony {
            detail: event.detail.map(str::to_owned),
            method: event.method.map(str::to_owned),
            route: event.route.map(str::to_owned),
            policies: event.policies.to_vec(),
        };
        Ok(())
    }
}
