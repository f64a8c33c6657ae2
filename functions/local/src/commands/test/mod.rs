//! `drawbridge test`.

mod file;
mod mint;
mod report;

use std::{path::PathBuf, sync::Arc};

use clap::Args;
use drawbridge_config::{Encryption, Mistakes};
use drawbridge_gate::{Decision, Gate, Headers, Request, gate_over};
use drawbridge_keys::{Clock, SystemClock};
use http::{HeaderMap, HeaderValue, header::AUTHORIZATION};

use self::{
    file::{Test, TestFile, Token},
    mint::Mint,
    report::{Got, Results},
};
use super::{explain::Witness, runtime};
use crate::{
    cli::Format,
    exit::{Exit, Failure, Outcome},
    output::print,
};

/// Test routes, scopes and policies: claims and a request in, decision and reason out.
#[derive(Debug, Args)]
#[command(long_about = LONG, after_long_help = EXAMPLES)]
pub struct Arguments {
    /// The files of tests.
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// The configuration, instead of the one that each file names.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// How to print the results.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

const LONG: &str = r#"Test routes, scopes and policies: claims and a request in, decision and reason out.

Each test is decided by the gate of a backend as it is deployed. Its token is minted for it, with a key that is made for this run,
so that no key store and no network is needed. A file of tests:

  config: drawbridge.yaml                # relative to this file; `--config` goes before it
  backend: orders
  tests:
    - name: a customer is read with the scope for it
      claims: { scope: customers:read, roles: [sales] }
      request: { method: GET, uri: /customers/42 }
      decision: allow
      context: { sub: somebody, roles: [sales] }
    - name: a customer is not read with another scope
      claims: { scope: invoices:read }
      request: { method: GET, uri: /customers/42 }
      decision: deny
      reason: scope.missing

What a test can say:
  claims    over right ones: `iss`, `aud`, `sub`, `client_id`, `jti`, `iat` and `exp` are filled in; null takes one out
  header    over the right header of the token: `alg`, `typ`, `kid`; null takes one out
  token     `none`, or a text that is sent instead of a minted token
  request   `method`, `uri`, and where they matter `headers`, `source_ip` and `client_certificate` (PEM)
  at        the moment: seconds since 1970, or 2026-01-01T00:00:00Z. Default: now
  decision  `allow` or `deny`
  reason    why it is denied, as in the audit log
  context   all that the backend is told of an allowed request

The tokens are signed and not encrypted, whatever the backend's `encryption` says, and pinned `thumbprints` do not count."#;

const EXAMPLES: &str = "\
Exits with 0 when everything is as expected, 1 when something is not, 3 when a file or its configuration cannot be used.

Examples:
  drawbridge test policies/*.test.yaml
  drawbridge test orders.test.yaml --config staging.yaml --format json";

/// Runs the tests of all files, where every file can be used.
///
/// # Errors
/// When a file cannot be used, no key can be made, or nothing can be printed.
pub fn run(arguments: Arguments) -> Outcome {
    let (mut files, mut mistakes) = (Vec::new(), Vec::new());
    for file in &arguments.files {
        match TestFile::read(file, arguments.config.as_deref()) {
            Ok(file) => files.push(file),
            Err(Mistakes(more)) => mistakes
                .extend(more.into_iter().filter(|mistake| !mistakes.contains(mistake)).collect::<Vec<_>>()),
        }
    }
    if !mistakes.is_empty() {
        return report::invalid(Mistakes(mistakes), arguments.format);
    }
    let runtime = runtime()?;
    let mut results = Results::default();
    for mut file in files {
        let got = runtime.block_on(decide(&mut file))?;
        results.add(&file, got);
    }
    print(&match arguments.format {
        Format::Human => results.human(),
        Format::Json => results.json(),
    })?;
    Ok(if results.passed() { Exit::Ok } else { Exit::Failure })
}

/// What the gate makes of each test of a file.
async fn decide(file: &mut TestFile) -> Result<Vec<Got>, Failure> {
    let name = file.name.clone();
    let failed = |error: &dyn std::fmt::Display| Failure::new(format!("{name}: {error}"));
    if let Some(backend) = file.config.backends.get_mut(&file.backend) {
        // The tokens are not encrypted; what is tested is what is inside.
        backend.encryption = Encryption::Refused;
        if let Some(issuer) = file.config.issuers.get_mut(&backend.issuer) {
            // Pins are of real keys, and budgets are for strangers.
            issuer.thumbprints.clear();
            issuer.key_limits.fetches_per_minute = u32::MAX;
            issuer.key_limits.fetches_per_minute_and_source = u32::MAX;
        }
    }
    let backend = file.config.backends.get(&file.backend);
    let issued = backend.and_then(|backend| Some((backend, file.config.issuers.get(&backend.issuer)?)));
    let (backend, issuer) = issued.ok_or_else(|| failed(&"the backend has no issuer"))?;
    let (mint, source) = Mint::new(backend, issuer).map_err(|error| failed(&error))?;
    let witness = Arc::new(Witness::default());
    let gate = gate_over(&file.config, &file.backend, source, Arc::clone(&witness) as _)
        .map_err(|error| Failure::invalid(format!("{name}: {error}")))?;
    let mut got = Vec::with_capacity(file.tests.len());
    for test in &file.tests {
        let decision = try_one(test, &mint, &gate).await.map_err(|error| failed(&error))?;
        got.push(Got { decision, detail: witness.testimony().detail });
    }
    Ok(got)
}

async fn try_one(test: &Test, mint: &Mint<'_>, gate: &Gate) -> Result<Decision, drawbridge_keys::StoreError> {
    let now = test.at.unwrap_or_else(|| SystemClock.now());
    let token = match &test.token {
        Token::Minted { header, claims } => Some(mint.token(header, claims, now).await?),
        Token::None => None,
        Token::Text(text) => Some(text.clone()),
    };
    let mut headers = HeaderMap::new();
    // A text that no header can hold cannot reach a gate; what is left of it there is nothing.
    let bearer = token.map(|token| HeaderValue::try_from(format!("Bearer {token}")));
    if let Some(Ok(bearer)) = bearer {
        headers.insert(AUTHORIZATION, bearer);
    }
    for (name, value) in &test.request.headers {
        headers.append(name, value.clone());
    }
    let request = Request {
        method: test.request.method.as_str(),
        target: &test.request.uri,
        headers: Headers::from(&headers),
        source_ip: test.request.source_ip,
        client_certificate: test.request.client_certificate.as_ref().map(|pem| pem.as_bytes()),
        request_id: None,
    };
    Ok(gate.decide(&request, now).await)
}
