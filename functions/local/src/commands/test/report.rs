//! What became of the tests, for people and for programs.

use std::{collections::BTreeMap, fmt::Write};

use drawbridge_config::Mistakes;
use drawbridge_gate::{Decision, Reason};
use serde_json::{Value, json};

use super::file::{Expected, TestFile};
use crate::{
    cli::Format,
    commands::check::object,
    exit::{Exit, Failure, Outcome},
    output::print,
};

/// What the gate made of a test.
#[derive(Debug)]
pub(super) struct Got {
    pub(super) decision: Decision,
    /// What the audit log would say beside the reason.
    pub(super) detail: Option<String>,
}

/// Of all files.
#[derive(Debug, Default)]
pub(super) struct Results(Vec<FileResults>);

#[derive(Debug)]
struct FileResults {
    file: String,
    backend: String,
    tests: Vec<TestResult>,
}

#[derive(Debug)]
struct TestResult {
    name: String,
    line: usize,
    expected: Side,
    got: Side,
    detail: Option<String>,
}

/// What was expected, or what came.
#[derive(Debug)]
struct Side {
    reason: Reason,
    context: Option<BTreeMap<String, String>>,
}

impl Results {
    pub(super) fn add(&mut self, file: &TestFile, got: Vec<Got>) {
        let tests = file.tests.iter().zip(got).map(|(test, Got { decision, detail })| {
            let Expected { reason, context } = &test.expected;
            let expected = Side { reason: *reason, context: context.clone() };
            let told = match &decision {
                // Only where the test says what it expects.
                Decision::Allow(allow) if context.is_some() => Some(allow.context.iter().cloned().collect()),
                _ => None,
            };
            let got = Side { reason: decision.reason(), context: told };
            TestResult { name: test.name.clone(), line: test.line, expected, got, detail }
        });
        self.0.push(FileResults {
            file: file.name.clone(),
            backend: file.backend.to_string(),
            tests: tests.collect(),
        });
    }

    /// Whether everything was as expected.
    pub(super) fn passed(&self) -> bool {
        self.count(false) == 0
    }

    /// A table for each file, the differences under each test that failed, and the count.
    pub(super) fn human(&self) -> String {
        let mut text = String::new();
        for FileResults { file, backend, tests } in &self.0 {
            let width = |side: fn(&TestResult) -> String, head: &str| {
                tests.iter().map(|test| side(test).chars().count()).chain([head.len()]).max().unwrap_or(0)
            };
            let name = width(|test| test.name.clone(), "name");
            let expected = width(|test| test.expected.verdict(), "expected");
            // Writing to a text cannot fail.
            let _ = writeln!(
                text,
                "{file}: backend {backend}\n        {:name$}  {:expected$}  got",
                "name", "expected"
            );
            for test in tests {
                let ok = if test.ok() { "ok  " } else { "FAIL" };
                let (wanted, got) = (test.expected.verdict(), test.got.verdict());
                let _ = writeln!(text, "  {ok}  {:name$}  {wanted:expected$}  {got}", test.name);
                for line in test.difference() {
                    let _ = writeln!(text, "          {line}");
                }
                if !test.ok() {
                    let _ = writeln!(text, "          at {file}:{}", test.line);
                }
            }
        }
        let _ = write!(text, "{} passed, {} failed", self.count(true), self.count(false));
        text
    }

    pub(super) fn json(&self) -> String {
        let files: Vec<_> = self.0.iter().map(FileResults::object).collect();
        json!({ "passed": self.count(true), "failed": self.count(false), "files": files }).to_string()
    }

    fn count(&self, ok: bool) -> usize {
        self.0.iter().flat_map(|file| &file.tests).filter(|test| test.ok() == ok).count()
    }
}

impl FileResults {
    fn object(&self) -> Value {
        let tests: Vec<_> = self.tests.iter().map(TestResult::object).collect();
        json!({ "file": self.file, "backend": self.backend, "tests": tests })
    }
}

impl TestResult {
    fn ok(&self) -> bool {
        self.expected.reason == self.got.reason && self.expected.context == self.got.context
    }

    /// `-` is what was expected, `+` what came; nothing where they are the same.
    fn difference(&self) -> Vec<String> {
        let mut lines = Vec::new();
        if self.expected.reason != self.got.reason {
            lines.push(format!("- {}", self.expected.verdict()));
            let detail = self.detail.as_ref().map(|detail| format!(": {detail}")).unwrap_or_default();
            lines.push(format!("+ {}{detail}", self.got.verdict()));
            return lines;
        }
        let nothing = BTreeMap::new();
        let (expected, got) = (&self.expected.context, &self.got.context);
        let (expected, got) = (expected.as_ref().unwrap_or(&nothing), got.as_ref().unwrap_or(&nothing));
        let names: std::collections::BTreeSet<_> = expected.keys().chain(got.keys()).collect();
        for name in names {
            let (wanted, came) = (expected.get(name), got.get(name));
            if wanted != came {
                lines.extend(wanted.map(|value| format!("- context.{name}: {value:?}")));
                lines.extend(came.map(|value| format!("+ context.{name}: {value:?}")));
            }
        }
        lines
    }

    fn object(&self) -> Value {
        let Self { name, line, expected, got, detail } = self;
        json!({
            "name": name,
            "line": line,
            "ok": self.ok(),
            "expected": expected.object(),
            "got": got.object(),
            "detail": detail,
        })
    }
}

impl Side {
    fn decision(&self) -> &'static str {
        if self.reason == Reason::Allowed { "allow" } else { "deny" }
    }

    /// `allow`, or `deny` and why.
    fn verdict(&self) -> String {
        match self.reason {
            Reason::Allowed => self.decision().to_owned(),
            reason => format!("{} {reason}", self.decision()),
        }
    }

    fn object(&self) -> Value {
        let mut object = json!({ "decision": self.decision(), "reason": self.reason.code() });
        if let (Some(members), Some(context)) = (object.as_object_mut(), &self.context) {
            members.insert("context".to_owned(), json!(context));
        }
        object
    }
}

/// The mistakes of files that cannot be used.
pub(super) fn invalid(mistakes: Mistakes, format: Format) -> Outcome {
    match format {
        Format::Human => Err(Failure::invalid(format!("the tests cannot be run:\n{mistakes}"))),
        Format::Json => {
            let Mistakes(mistakes) = mistakes;
            print(&json!({ "mistakes": mistakes.iter().map(object).collect::<Vec<_>>() }).to_string())?;
            Ok(Exit::Invalid)
        }
    }
}
