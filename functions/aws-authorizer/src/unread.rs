//! The bytes of an event on their way past the runtime library.
//!
//! The library reads every event as JSON before it calls the function. This function reads it once more, and most of an event is
//! tokens and certificates: reading it is a good part of what a decision costs. So the bytes are set aside before the library
//! reads them, and the function reads them alone.

use std::sync::{Mutex, PoisonError};

use bytes::Bytes;
use lambda_runtime::LambdaInvocation;

/// The event of the invocation that is under way: Lambda gives a process one at a time.
#[derive(Default)]
pub(crate) struct Unread(Mutex<Option<(String, Bytes)>>);

impl Unread {
    /// Sets the event aside; what the library reads instead is `null`.
    pub(crate) fn keep(&self, mut invocation: LambdaInvocation) -> LambdaInvocation {
        let event = std::mem::replace(&mut invocation.body, Bytes::from_static(b"null"));
        let kept = (invocation.context.request_id.clone(), event);
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(kept);
        invocation
    }

    /// The event of this invocation, once. None for any other, which is a failure.
    pub(crate) fn take(&self, invocation: &str) -> Option<Bytes> {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        kept.filter(|(id, _)| id == invocation).map(|(_, event)| event)
    }
}
