//! Whether the policies of a backend fit its routes and claims: as much work as all else of reading a configuration.

use drawbridge_policy::{Routes, cedar::CedarPolicies};

use crate::{
    Mistakes, PolicyFile,
    diagnostics::{Report, Reported},
    tree::Place,
};

/// Policies that were read but not yet compared with the routes and claims that they are about.
///
/// They name what no request can have until [`run`](Self::run) says otherwise: nothing may be decided before.
#[derive(Debug)]
#[must_use = "nothing may be decided before it was run"]
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
    pub(crate) fn new(place: &Place, routes: &Routes, claims: Vec<String>, files: &[PolicyFile]) -> Self {
        Self { path: place.path.to_string(), routes: routes.clone(), claims, files: files.to_vec() }
    }

    pub(crate) fn run(&self, report: &Report) -> Result<(), Reported> {
        let texts: Vec<_> = self.files.iter().map(|file| (file.name.as_str(), file.text.as_str())).collect();
        let mistakes = CedarPolicies::check(&self.routes, self.claims.iter().map(String::as_str), &texts);
        let reported = mistakes.into_iter().map(|mistake| {
            report.within(&self.path, mistake.file, mistake.line, mistake.column, mistake.message)
        });
        reported.last().map_or(Ok(()), Err)
    }
}
