//! `drawbridge up`: the whole chain on one machine, each part a process of its own where the cloud has one.

mod addresses;
mod certificates;
mod decisions;
mod effective;
mod parts;
mod ready;
mod report;
mod signals;
mod state;

use std::{
    collections::{HashMap, VecDeque},
    io::{self, IsTerminal, Write},
    path::{Path, PathBuf},
    time::Instant,
};

use drawbridge_config::{Config, load_file};
use drawbridge_keys::Kid;

pub use self::{
    addresses::{Addresses, PortError},
    effective::{Cloud, Effective, NotRunnable, effective},
};
use self::{
    decisions::DecisionLine,
    parts::{Event, Part, Parts},
    report::Ready,
    signals::Signals,
    state::State,
};
use crate::{
    cli::Format,
    edge,
    exit::{Exit, Failure, Outcome},
    output::print,
    tls::Certificates,
};
pub(crate) use effective::taken;

/// What `up` is asked for.
#[derive(Debug)]
pub struct Options {
    /// The configuration, if not the default one.
    pub config: Option<PathBuf>,
    /// The state folder.
    pub state: PathBuf,
    /// Whether the gateways are under mutual TLS, even where the configuration does not ask for it.
    pub mtls: bool,
    /// The first port; 0 for any.
    pub port: u16,
    /// How to print.
    pub format: Format,
}

/// Starts everything, tells when it answers, shows decisions, and ends everything when it is told to.
///
/// # Errors
/// One line that says what is wrong and what to do.
pub async fn up(options: Options) -> Outcome {
    let start = Instant::now();
    let mut signals =
        Signals::new().map_err(|error| Failure::new(format!("cannot listen to signals: {error}")))?;
    // A configuration of the user's is read before anything is written; the sample is written to be read.
    let given = options
        .config
        .as_deref()
        .or_else(|| Some(Path::new("drawbridge.yaml")).filter(|file| file.is_file()));
    let config = given.map(load_file).transpose().map_err(Failure::invalid)?;
    let state = State::open(&options.state)?;
    let config = config.map_or_else(|| sample(&state), Ok)?;
    for warning in crate::commands::check::warnings(&config) {
        // Where stderr is closed nobody wants to know.
        let _ = writeln!(io::stderr().lock(), "drawbridge: warning: {warning}");
    }
    let kids = state.current_keys(&config).await?;
    let certificates =
        (options.mtls || certificates::wanted(&config)).then(|| certificates::make(&state)).transpose()?;
    let certificates = certificates.as_ref();

    let mut attempt = 0;
    let (addresses, file, mut parts) = loop {
        attempt += 1;
        let addresses = Addresses::choose(options.port, config.backends.keys(), certificates.is_some())
            .map_err(Failure::new)?;
        let file = write_effective(&config, &addresses, &state, certificates)?;
        let mut parts = Parts::new();
        let all = all_parts(&config, &addresses, &file, state.folder(), certificates);
        let started = started(&mut parts, all, &config, &addresses, &kids, certificates);
        let started = tokio::select! {
            started = started => started,
            () = signals.next() => {
                parts.stop().await;
                return Ok(Exit::Ok);
            }
        };
        match started {
            Ok(()) => break (addresses, file, parts),
            Err(failure) => {
                parts.stop().await;
                // Somebody may have taken a free port before the part that it was meant for. Nothing else is mended by other ports.
                if options.port != 0 || attempt == ATTEMPTS || !in_use(&failure) {
                    return Err(failure);
                }
            }
        }
    };

    let took = start.elapsed();
    let ready = Ready {
        config: &config,
        addresses: &addresses,
        state: state.folder(),
        effective: &file,
        certificates,
        took,
    };
    let shown = match options.format {
        Format::Human => print(&ready.human()),
        Format::Json => print(&ready.json().to_string()),
    };
    let outcome = match shown {
        Ok(()) => watch(&mut parts, &mut signals, options.format).await,
        Err(failure) => Err(failure),
    };
    parts.stop().await;
    outcome
}

/// Shows what happens until it is time to stop.
async fn watch(parts: &mut Parts, signals: &mut Signals, format: Format) -> Outcome {
    let colour = io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    let mut last = HashMap::new();
    loop {
        let event = tokio::select! {
            () = signals.next() => return Ok(Exit::Ok),
            event = parts.next() => event,
        };
        match event {
            Some(Event::Line { part, line }) => match DecisionLine::parse(&line) {
                Some(decision) => print(&match format {
                    Format::Human => decision.human(colour),
                    Format::Json => decision.json(&part).to_string(),
                })?,
                None => {
                    // Where stderr is closed nobody wants to know.
                    let _ = writeln!(io::stderr().lock(), "[{part}] {line}");
                    last.insert(part, line);
                }
            },
            Some(Event::Ended { part, status }) => return Err(ended(&part, status, last.remove(&part))),
            None => return Err(Failure::new("every part has ended")),
        }
    }
}

/// Starts every part and comes when all of them answer.
async fn started(
    parts: &mut Parts,
    all: Vec<Part>,
    config: &Config,
    addresses: &Addresses,
    kids: &[Kid],
    certificates: Option<&Certificates>,
) -> Result<(), Failure> {
    for part in all {
        let name = part.name.clone();
        parts.start(part).map_err(|error| Failure::new(format!("cannot start `{name}`: {error}")))?;
    }
    let azure = config.backends.values().find(|backend| Cloud::of(config, backend) == Cloud::Azure);
    let answering = ready::all_answer(addresses, kids, azure.map(|backend| &backend.name), certificates);
    tokio::pin!(answering);
    let mut last = HashMap::<String, VecDeque<String>>::new();
    loop {
        tokio::select! {
            answer = &mut answering => return answer.map_err(|silent| silent.with(&last)),
            event = parts.next() => match event {
                Some(Event::Line { part, line }) => {
                    let lines = last.entry(part).or_default();
                    lines.truncate(LAST - 1);
                    lines.push_front(line);
                }
                Some(Event::Ended { part, status }) => {
                    let line = last.remove(&part).and_then(|mut lines| lines.pop_front());
                    return Err(ended(&part, status, line));
                }
                None => return Err(Failure::new("every part has ended")),
            },
        }
    }
}

/// Whether a part did not start because of its port.
fn in_use(failure: &Failure) -> bool {
    failure.message.contains("in use")
}

fn ended(part: &str, status: io::Result<std::process::ExitStatus>, last: Option<String>) -> Failure {
    let status = status.map_or_else(|error| error.to_string(), |status| status.to_string());
    let said = last.map(|line| format!(": {}", line.trim_start_matches("drawbridge: "))).unwrap_or_default();
    Failure::new(format!("`{part}` ended unexpectedly ({status}){said}; everything else is stopped"))
}

/// The built-in sample, in the state folder for whoever wants to read or change it.
fn sample(state: &State) -> Result<Config, Failure> {
    for (name, text) in SAMPLE {
        state.write(&format!("sample/{name}"), text.as_bytes())?;
    }
    load_file(&state.folder().join("sample/drawbridge.yaml")).map_err(Failure::invalid)
}

fn write_effective(
    config: &Config,
    addresses: &Addresses,
    state: &State,
    certificates: Option<&Certificates>,
) -> Result<PathBuf, Failure> {
    let effective = effective(config, addresses, &state.keys(), certificates).map_err(Failure::invalid)?;
    for (name, text) in &effective.policies {
        state.write(&format!("policies/{name}"), text.as_bytes())?;
    }
    state.write("config.json", format!("{:#}\n", effective.config).as_bytes())
}

/// Every process of the chain that `up` starts itself. The gateways start their functions.
fn all_parts(
    config: &Config,
    addresses: &Addresses,
    file: &Path,
    state: &Path,
    certificates: Option<&Certificates>,
) -> Vec<Part> {
    let environment = vec![("DRAWBRIDGE_CONFIG".to_owned(), file.display().to_string())];
    let under_tls = |mut part: Part| {
        let folder = certificates.map(|certificates| certificates.folder().display().to_string());
        part.arguments.extend(folder.into_iter().flat_map(|folder| ["--tls".to_owned(), folder]));
        part
    };
    let part = |name: &str, arguments: &[&str]| Part {
        name: name.to_owned(),
        arguments: arguments.iter().map(ToString::to_string).collect(),
        environment: environment.clone(),
    };
    let Addresses { edge, aws, keys, azure, idp, bridge, backends, idp_mtls } = addresses;
    let listen = |address: &std::net::SocketAddr| address.to_string();

    let state = state.display().to_string();
    let mut provider = under_tls(part("idp", &["serve", "idp", "--listen", &listen(idp), "--state", &state]));
    if let Some(address) = idp_mtls {
        provider.arguments.extend(["--mtls-listen".to_owned(), listen(address)]);
    }
    let edge = part("edge", &["serve", "edge", "--listen", &listen(edge), "--bridge", &listen(bridge)]);
    let mut parts = vec![provider, under_tls(edge)];
    let mut bridge_part = part("edge-bridge", &["function", "edge-bridge"]);
    bridge_part.environment.push(("DRAWBRIDGE_LISTEN".to_owned(), listen(bridge)));
    // The edge writes it, or takes it away.
    bridge_part
        .environment
        .push(("DRAWBRIDGE_CLIENT_CERTIFICATE_HEADER".to_owned(), edge::CLIENT_CERT.to_string()));
    parts.push(bridge_part);

    let mut behind_aws = part(
        "aws-gateway",
        &["serve", "aws-gateway", "--listen", &listen(aws), "--keys-listen", &listen(keys)],
    );
    let mut behind_azure = part("azure-gateway", &["serve", "azure-gateway", "--listen", &listen(azure)]);
    for backend in config.backends.values() {
        let Some(address) = backends.get(&backend.name) else { continue };
        let gateway = match Cloud::of(config, backend) {
            Cloud::Aws => &mut behind_aws,
            Cloud::Azure => &mut behind_azure,
        };
        gateway.arguments.extend(["--backend".to_owned(), format!("{}=http://{address}", backend.name)]);
        let name = backend.name.as_str();
        parts.push(part(name, &["serve", "backend", "--name", name, "--listen", &listen(address)]));
    }
    parts.extend([behind_aws, behind_azure].map(under_tls));
    parts
}

/// What runs where no configuration is given.
const SAMPLE: [(&str, &str); 2] = [
    ("drawbridge.yaml", include_str!("../../sample/drawbridge.yaml")),
    ("policies/orders.cedar", include_str!("../../sample/policies/orders.cedar")),
];

/// How many of a part's last lines are shown where it does not answer.
const LAST: usize = 5;

/// How often free ports are chosen anew.
const ATTEMPTS: u32 = 3;

#[cfg(test)]
mod tests;
