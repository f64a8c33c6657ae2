//! `drawbridge decide`.

mod line;

use std::{
    io::{self, BufRead, BufReader, Write},
    path::PathBuf,
    sync::Arc,
    time::Duration,
};

use clap::Args;
use drawbridge_config::{Backend, Config, load_file};
use drawbridge_gate::{AuditSink, Gate, NoAudit, Reason, gate_for_backend};
use drawbridge_keys::{Clock, HttpClient, SystemClock};
use drawbridge_verify::{Relaxation, UnixTime};

use self::line::Answer;
pub(super) use self::line::Line;
use super::{CONFIG, backend_names, broken, runtime};
use crate::exit::{Exit, Failure, Outcome};

/// Decide requests: one JSON object a line in, one decision a line out, in order.
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
}

const LONG: &str = r#"Decide requests: one JSON object a line in, one decision a line out, in order.

A request is
  {"id":…,"method":"GET","uri":"/customers/42","headers":{"authorization":["Bearer …"]},"source_ip":"192.0.2.1","client_certificate":null}
where `id` is any string or number, `uri` the path and query, and `client_certificate` the PEM of the client's certificate; `id`,
`source_ip` and `client_certificate` may be left out. A decision is
  {"id":…,"decision":"allow"|"deny","status":…,"reason":…,"principal":…,"context":{…},"issuer":…,"kid":…}
A line that is no request is denied as `request.malformed`, and nothing stops the run. Each decision is written before the next
line is waited for. Lines longer than 1 MiB are malformed."#;

const EXAMPLES: &str = r#"Exits with 0 when every request was allowed, 2 when one was denied, 3 when the configuration cannot be used.

Examples:
  drawbridge decide --backend orders < requests.jsonl
  drawbridge decide --config deploy/drawbridge.yaml --at 1767225600 < requests.jsonl | grep '"deny"'"#;

/// Decides the requests of stdin.
///
/// # Errors
/// When the configuration cannot be used, or stdin and stdout cannot.
pub fn run(arguments: Arguments) -> Outcome {
    let runtime = runtime()?;
    let gate = {
        let _guard = runtime.enter();
        let mut config = load_file(&arguments.config).map_err(broken)?;
        // Decisions are about the requests and not about how fast they are read: the hundredth unknown kid is as unknown as the first.
        for issuer in config.issuers.values_mut() {
            issuer.key_limits.fetches_per_minute = UNBUDGETED;
            issuer.key_limits.fetches_per_minute_and_source = UNBUDGETED;
        }
        gate(&config, choose(&config, arguments.backend.as_deref())?, Arc::new(NoAudit))?
    };
    let at = arguments.at.map(UnixTime::from_secs);
    let mut input = BufReader::new(io::stdin().lock());
    let mut output = io::BufWriter::new(io::stdout().lock());
    let mut exit = Exit::Ok;
    let mut line = Vec::new();
    while let Some(read) = next_line(&mut input, &mut line).map_err(unreadable)? {
        let line = match read {
            Read::Whole => Line::parse(&line),
            Read::TooLong => Err(None),
        };
        let now = at.unwrap_or_else(|| SystemClock.now());
        let decided;
        let answer = match &line {
            Ok(line) => {
                decided = runtime.block_on(gate.decide(&line.request(), now));
                Answer::new(line.id, &decided)
            }
            Err(id) => Answer::malformed(*id),
        };
        if answer.reason != Reason::Allowed.code() {
            exit = Exit::Denied;
        }
        serde_json::to_writer(&mut output, &answer).map_err(|error| unwritable(error.into()))?;
        output.write_all(b"\n").map_err(unwritable)?;
        // Whoever waits for this answer before sending the next line gets it now; a pipe full of lines is not slowed down.
        if !input.buffer().contains(&b'\n') {
            output.flush().map_err(unwritable)?;
        }
    }
    output.flush().map_err(unwritable)?;
    Ok(exit)
}

/// The gate of a backend over the keys that the configuration names, which are in a store or behind an address.
///
/// # Errors
/// When it cannot be put together.
pub(super) fn gate(config: &Config, backend: &Backend, audit: Arc<dyn AuditSink>) -> Result<Gate, Failure> {
    let on_loopback = config
        .issuers
        .get(&backend.issuer)
        .is_some_and(|issuer| issuer.relax.contains(&Relaxation::HttpOnLoopback));
    let http = HttpClient::new(KEY_FETCH, on_loopback).map_err(Failure::new)?;
    gate_for_backend(config, &backend.name, &http, &drawbridge_stores::open, audit).map_err(Failure::invalid)
}

/// The backend of that name, or the only one.
///
/// # Errors
/// When there is none, or which one is not said.
pub(super) fn choose<'c>(config: &'c Config, name: Option<&str>) -> Result<&'c Backend, Failure> {
    let mut backends = config.backends.values();
    match (name, backends.next(), backends.next()) {
        (Some(name), ..) => {
            config.backends.values().find(|backend| backend.name.as_str() == name).ok_or_else(|| {
                Failure::invalid(format!(
                    "there is no backend `{name}`; the configuration has {}",
                    backend_names(config)
                ))
            })
        }
        (None, Some(only), None) => Ok(only),
        (None, None, _) => Err(Failure::invalid("the configuration has no `backends`")),
        (None, Some(_), Some(_)) => {
            Err(Failure::invalid(format!("name the backend with `--backend`: {}", backend_names(config))))
        }
    }
}

enum Read {
    Whole,
    TooLong,
}

/// The next line without its end, or at most [`MAX_LINE`] of it. None at the end of the input.
fn next_line(input: &mut impl BufRead, line: &mut Vec<u8>) -> io::Result<Option<Read>> {
    line.clear();
    let read = io::Read::take(&mut *input, MAX_LINE + 1).read_until(b'\n', line)?;
    if read == 0 {
        return Ok(None);
    }
    if line.last() == Some(&b'\n') {
        line.pop();
        return Ok(Some(Read::Whole));
    }
    if read as u64 <= MAX_LINE {
        return Ok(Some(Read::Whole));
    }
    loop {
        let buffered = input.fill_buf()?;
        if buffered.is_empty() {
            return Ok(Some(Read::TooLong));
        }
        let end = buffered.iter().position(|byte| *byte == b'\n');
        let length = end.map_or(buffered.len(), |end| end + 1);
        input.consume(length);
        if end.is_some() {
            return Ok(Some(Read::TooLong));
        }
    }
}

fn unreadable(error: io::Error) -> Failure {
    Failure::new(format!("cannot read stdin: {error}"))
}

fn unwritable(error: io::Error) -> Failure {
    Failure::new(format!("cannot write to stdout: {error}"))
}

/// Far above any request that a gateway takes: 10 KiB of headers at API Gateway, 64 KiB at the largest elsewhere.
const MAX_LINE: u64 = 1024 * 1024;

/// Fetches a minute: more than one after another can be.
const UNBUDGETED: u32 = 1_000_000;

/// As in the functions: inside the budget of an authorizer.
const KEY_FETCH: Duration = Duration::from_secs(3);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_that_is_too_long_is_passed_over_without_being_kept() {
        let limit = usize::try_from(MAX_LINE).unwrap();
        let text =
            [vec![b'a'; limit], vec![b'b'; limit + 1], vec![b'c'; 3 * limit], b"d".to_vec()].join(&b'\n');
        let mut input = BufReader::new(text.as_slice());
        let mut line = Vec::new();
        let mut seen = Vec::new();
        while let Some(read) = next_line(&mut input, &mut line).unwrap() {
            assert!(line.len() <= limit + 1);
            seen.push((matches!(read, Read::Whole), line.first().copied(), line.len()));
        }
        assert_eq!(
            seen,
            [
                (true, Some(b'a'), limit),
                (false, Some(b'b'), limit + 1),
                (false, Some(b'c'), limit + 1),
                (true, Some(b'd'), 1),
            ]
        );
    }

    #[test]
    fn every_newline_ends_a_line_and_the_last_one_needs_none() {
        for (text, lines) in [("", 0), ("\n", 1), ("a", 1), ("a\n", 1), ("\n\n", 2), ("a\n\nb", 3)] {
            let mut input = BufReader::new(text.as_bytes());
            let mut line = Vec::new();
            let mut count = 0;
            while next_line(&mut input, &mut line).unwrap().is_some() {
                count += 1;
            }
            assert_eq!(count, lines, "{text:?}");
        }
    }
}
