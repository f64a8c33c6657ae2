//! The policies of a backend, and whether they fit its routes and claims: as much work as all else of reading a configuration.

use std::sync::{Arc, OnceLock};

use drawbridge_policy::{Routes, cedar::CedarPolicies};

use crate::{
    Mistakes, PolicyFile,
    diagnostics::{Report, Reported},
    tree::Place,
};

/// The policies of a backend, once they were checked.
#[derive(Clone, Debug, Default)]
pub struct Policies(Arc<OnceLock<CedarPolicies>>);

/// Policies that were read but not yet compared with the routes and claims that they are about.
///
/// Until [`run`](Self::run) there are no [`Policies`] to decide with.
#[derive(Debug)]
#[must_use = "there is nothing to decide with before it was run"]
pub struct PolicyChecks {
    file: String,
    checks: Vec<PolicyCheck>,
}

/// The policies of one backend.
#[derive(Debug)]
pub(crate) struct PolicyCheck {
    /// Where the configuration names them.
    path: String,
    routes: Routes,
    claims: Vec<String>,
    files: Vec<PolicyFile>,
    /// Where they are waited for.
    checked: Policies,
}

impl Policies {
    /// None where they have mistakes, were not checked yet, or no route has `policy: true`.
    pub fn get(&self) -> Option<&CedarPolicies> {
        self.0.get()
    }
}

impl PolicyChecks {
    pub(crate) fn new(file: &str, checks: Vec<PolicyCheck>) -> Self {
        Self { file: file.to_owned(), checks }
    }

    /// Whether there is nothing to run.
    pub fn is_empty(&self) -> bool {
        self.checks.is_empty()
    }

    /// Takes milliseconds.
    ///
    /// # Errors
    /// Every name and type in a policy that no request can have.
    pub fn run(self) -> Result<(), Mistakes> {
        let report = Report::new(&self.file);
        let held = self.checks.iter().map(|check| check.run(&report)).fold(Ok(()), Result::and);
        held.map_err(|_| report.into_mistakes())
    }
}

impl PolicyCheck {
    /// `place` names the files.
    pub(crate) fn new(
        place: &Place,
        routes: &Routes,
        claims: Vec<String>,
        files: &[PolicyFile],
        checked: Policies,
    ) -> Self {
        Self { path: place.path.to_string(), routes: routes.clone(), claims, files: files.to_vec(), checked }
    }

    pub(crate) fn run(&self, report: &Report) -> Result<(), Reported> {
        let texts: Vec<_> = self.files.iter().map(|file| (file.name.as_str(), file.text.as_str())).collect();
        let claims = self.claims.iter().map(String::as_str);
        let mistakes = match CedarPolicies::new(&self.routes, claims, &texts) {
            Ok(policies) => {
                // A check is run once.
                let _ = self.checked.0.set(policies);
                return Ok(());
            }
            Err(mistakes) => mistakes,
        };
        let reported = mistakes.into_iter().map(|mistake| {
            report.within(&self.path, mistake.file, mistake.line, mistake.column, mistake.message)
        });
        reported.last().map_or(Ok(()), Err)
    }
}
