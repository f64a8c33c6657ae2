//! `drawbridge explain`.

mod report;
mod seen;
mod token;
mod witness;

use std::{
    io::{self, Read},
    path::PathBuf,
    sync::Arc,
};

use clap::Args;
use drawbridge_config::load_file;
use drawbridge_gate::{Check, Decision, Headers, Request};
use drawbridge_keys::{Clock, SystemClock};
use drawbridge_verify::{UnixTime, Verified, json::Value as Claims};

pub(super) use self::witness::Witness;
use self::{report::Report, seen::Seen};
use super::{CONFIG, broken, decide, runtime};
use crate::{
    cli::Format,
    exit::{Exit, Failure, Outcome},
    output::print,
};

/// Explain one decision: every check in order, its result, the value that it saw and the limit.
#[derive(Debug, Args)]
#[command(long_about = LONG, after_long_help = EXAMPLES)]
pub struct Arguments {
    /// The configuration.
    #[arg(long, value_name = "FILE", default_value = CONFIG)]
    config: PathBuf,
    /// Whose gate decides. May be left out when there is only one backend.
    #[arg(long, value_name = "NAME")]
    backend: Option<String>,
    /// Decide as at this moment instead of now, in seconds since 1970-01-01T00:00:00Z.
    #[arg(long, value_name = "UNIX_SECONDS", allow_hyphen_values = true)]
    at: Option<i64>,
    /// The token; `-` reads it from stdin, where no list of processes shows it.
    #[arg(long, required_unless_present = "request")]
    token: Option<String>,
    /// The request, as `decide` reads it; `-` reads it from stdin.
    #[arg(long, value_name = "JSON")]
    request: Option<String>,
    /// How to print the result.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

const LONG: &str = r#"Explain one decision: every check in order, its result, the value that it saw and the limit.

The gate of the backend decides, with the keys that the configuration names; nothing is written to the audit log. A check has
`held`, has `failed`, or was `not reached`, because one before it failed. A token without a request is checked up to who sends it;
the path, the route and what belongs to it are not reached then.

A request is one JSON object as in `drawbridge decide --help`. With `--token` it gets the token in its `authorization` header.

Shown are sizes, `alg`, `typ` and `kid` of the token, and its claims once its signature held. The token itself is not shown, nor
is anything that an unverified one claims."#;

const EXAMPLES: &str = r#"Exits with 0 when it is allowed, 2 when it is denied, 3 when the configuration or the request cannot be used.

Examples:
  drawbridge explain --backend orders --token - < token.txt
  drawbridge explain --config drawbridge.yaml --request '{"method":"GET","uri":"/customers/42","headers":{}}' --token - < token.txt
  drawbridge explain --config drawbridge.yaml --at 1767225600 --request - --format json < request.json"#;

/// Explains the decision about a token or a request.
///
/// # Errors
/// When the configuration, the token or the request cannot be used.
pub fn run(arguments: Arguments) -> Outcome {
    let config = load_file(&arguments.config).map_err(broken)?;
    let backend = decide::choose(&config, arguments.backend.as_deref())?;
    let (token, line) = (arguments.token.as_deref(), arguments.request.as_deref());
    if token == Some(STDIN) && line == Some(STDIN) {
        return Err(Failure::invalid("only one of `--token` and `--request` can be read from stdin"));
    }
    let token = token.map(text).transpose()?;
    let line = line.map(text).transpose()?;
    let parsed = line.as_deref().map(|line| decide::Line::parse(line.as_bytes()));
    let line = parsed.transpose().map_err(|_| {
        let why = line.as_deref().map(|line| decide::Line::mistake(line.as_bytes())).unwrap_or_default();
        Failure::invalid(format!(
            "this is no request: {why}; `drawbridge decide --help` shows what one looks like"
        ))
    })?;

    let bearer = token.map(|token| format!("Bearer {}", token.trim()));
    let for_route = line.is_some();
    let request = line.as_ref().map_or_else(alone, decide::Line::request);
    if bearer.is_some() && request.headers.all("authorization").next().is_some() {
        return Err(Failure::invalid(
            "the request has an `authorization` header; leave out `--token`, or the header",
        ));
    }
    let bearer = bearer.as_ref().map(|bearer| ("authorization", bearer.as_bytes()));
    let request = Request { headers: request.headers.iter().chain(bearer).collect(), ..request };

    let now = arguments.at.map_or_else(|| SystemClock.now(), UnixTime::from_secs);
    let witness = Arc::new(Witness::default());
    let runtime = runtime()?;
    let gate = {
        let _guard = runtime.enter();
        decide::gate(&config, backend, Arc::clone(&witness) as _)?
    };
    let claims = |claims: &Verified<'_>| claims.pointer("").map(Claims::to_json);
    let (decision, granted) = runtime.block_on(async {
        if for_route {
            gate.decide_and(&request, now, |grant| claims(grant.claims)).await
        } else {
            gate.authenticate_and(&request, now, claims).await
        }
    });

    let testimony = witness.testimony();
    let failed = Check::failed(decision.reason(), testimony.detail.as_deref());
    let keys = seen::keys(&config, &backend.issuer);
    let seen = Seen::new(&request, now, &decision, &testimony, keys, failed, granted.flatten());
    let rows = report::rows(&gate, &seen, failed, for_route);
    let report = Report { backend: backend.name.as_str(), seen: &seen, rows };
    print(&match arguments.format {
        Format::Human => report.human(),
        Format::Json => report.json(),
    })?;
    Ok(match decision {
        Decision::Allow(_) => Exit::Ok,
        Decision::Deny(_) => Exit::Denied,
    })
}

/// A request that is for no route, for a token alone.
fn alone<'a>() -> Request<'a> {
    Request {
        method: "",
        target: "/",
        headers: Headers::default(),
        source_ip: None,
        client_certificate: None,
        request_id: None,
    }
}

/// An argument, or stdin in its place.
fn text(argument: &str) -> Result<String, Failure> {
    if argument != STDIN {
        return Ok(argument.to_owned());
    }
    let mut text = String::new();
    io::stdin()
        .lock()
        .take(MAX_INPUT + 1)
        .read_to_string(&mut text)
        .map_err(|error| Failure::invalid(format!("cannot read stdin: {error}")))?;
    if text.len() as u64 > MAX_INPUT {
        return Err(Failure::invalid(format!(
            "stdin has more than {MAX_INPUT} bytes, and no token or request is that long; send one alone"
        )));
    }
    Ok(text)
}

const STDIN: &str = "-";

/// As the longest line of `decide`.
const MAX_INPUT: u64 = 1024 * 1024;
