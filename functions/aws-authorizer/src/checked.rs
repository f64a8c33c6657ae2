//! Whether the policies fit what they are about.
//!
//! To find out takes longer than all else that the function does at its start, and nobody needs to know before the first event. So
//! it is done beside the first poll, and each answer waits until it is known.

use std::{sync::Arc, thread};

use drawbridge_config::{Mistakes, PolicyChecks};
use tokio::sync::watch;

/// What came of the checks, once they are through.
pub(crate) struct Checked(watch::Receiver<Outcome>);

/// None until it is known.
type Outcome = Option<Result<(), Arc<Mistakes>>>;

/// Policies that nothing may be decided with.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unfit {
    /// They name what no request can have.
    #[error("{0}")]
    Mistakes(Arc<Mistakes>),
    /// The checks ended without a word.
    #[error("the policies could not be checked")]
    Unknown,
}

impl Checked {
    /// For policies that were checked.
    pub(crate) fn already() -> Self {
        Self(watch::channel(Some(Ok(()))).1)
    }

    /// Begins the checks, where there are any.
    ///
    /// # Errors
    /// When no thread can be had for them.
    pub(crate) fn begin(checks: PolicyChecks) -> std::io::Result<Self> {
        if checks.is_empty() {
            return Ok(Self::already());
        }
        let (tell, told) = watch::channel(None);
        thread::Builder::new().name("policies".to_owned()).spawn(move || {
            tell.send_replace(Some(checks.run().map_err(Arc::new)));
        })?;
        Ok(Self(told))
    }

    /// Returns when the policies are known to fit.
    ///
    /// # Errors
    /// [`Unfit`], then and ever after.
    pub(crate) async fn hold(&self) -> Result<(), Unfit> {
        if matches!(*self.0.borrow(), Some(Ok(()))) {
            return Ok(());
        }
        let mut told = self.0.clone();
        // A thread that panics lets go of its end.
        let outcome = told.wait_for(Option::is_some).await.map_err(|_| Unfit::Unknown)?;
        match &*outcome {
            Some(Ok(())) => Ok(()),
            Some(Err(mistakes)) => Err(Unfit::Mistakes(Arc::clone(mistakes))),
            None => Err(Unfit::Unknown),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn checks_that_end_without_a_word_hold_for_nothing() {
        let (tell, told) = watch::channel(None);
        let checked = Checked(told);
        drop(tell);
        assert!(matches!(checked.hold().await, Err(Unfit::Unknown)));
        assert!(Checked::already().hold().await.is_ok());
    }
}
