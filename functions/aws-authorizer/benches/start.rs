//! What a cold start costs: the function as Lambda starts it, a process that talks to the Lambda Runtime API, here one of the
//! bench's own on this machine, and fetches its key over TLS from a key endpoint, also of the bench's own. The machine's root
//! certificates are loaded as on Lambda, with the bench's added to them.
//!
//! `cargo bench -p drawbridge-aws-authorizer --bench start`
//!
//! There is one binary. It links a cloud's client library and starts it only for a store: configurations without one are held to
//! the start of a function without the library, and the binary to the size of one with it. Beside it stand the authorizers in
//! `peers`, where they are installed; they fetch their key without TLS.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a benchmark fails by panicking, and its output is what it is for"
)]

use std::{
    env, fs,
    io::{BufRead, BufReader, Cursor, Write},
    net::{SocketAddr, TcpListener},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::Arc,
    thread,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use drawbridge_keys::KeyStore;
use drawbridge_verify::Algorithm;
use rcgen::{CertificateParams, KeyPair};
use rustls_pki_types::PrivateKeyDer;
use tokio_rustls::rustls::{ServerConfig, ServerConnection, Stream, crypto::aws_lc_rs::default_provider};
use zip::{ZipWriter, write::SimpleFileOptions};

use support::{HTTP_2_0, House, LAMBDA, REST_REQUEST};

#[path = "../tests/support/mod.rs"]
mod support;

/// The least of so many starts counts.
const STARTS: usize = 20;

fn main() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let house = runtime.block_on(House::new(Algorithm::ES256));
    let token = runtime.block_on(house.token_at("1", now()));
    let key = runtime.block_on(house.store.public(&house.kid().parse().unwrap())).unwrap();
    let set = format!(r#"{{"keys":[{}]}}"#, key.to_json());
    let (endpoint, roots) = key_endpoint(set.clone());
    let roots = house.file("roots.pem", &roots);
    let mut functions = authorizers(&house, endpoint, &roots);
    functions.extend(peers(plain_key_endpoint(set)));

    // `cargo test --benches` only sees that everything runs.
    let starts = if env::args().any(|argument| argument == "--bench") { STARTS } else { 1 };
    println!("{:<36}{:<22}{:>9}{:>15}", format!("least of {starts} starts"), "", "", "target");
    for function in functions {
        let event = function.event.replace("{token}", &token);
        let all: Vec<_> = (0..starts).map(|_| function.start(&event)).collect();
        let least = |of: fn(&Start) -> f64| all.iter().map(of).fold(f64::INFINITY, f64::min);
        let target = function.target.as_ref();
        let rows = [
            (
                "start to first poll",
                least(|start| start.first_poll.as_secs_f64() * 1e3),
                "ms",
                target.map(|target| target.poll),
            ),
            (
                "… first decision",
                least(|start| start.first_decision.as_secs_f64() * 1e3),
                "ms",
                target.map(|target| target.decision),
            ),
            ("resident", least(|start| start.resident), "MB", None),
            ("resident at most", least(|start| start.peak), "MB", None),
            ("zipped", zipped(&function.package), "MB", None),
        ];
        for (index, (what, measured, unit, most)) in rows.into_iter().enumerate() {
            row(if index == 0 { function.name } else { "" }, what, measured, unit, most);
        }
    }
    let size = fs::metadata(AUTHORIZER).unwrap().len();
    row("the binary, one for all", "size", size as f64 / 1e6, "MB", Some(SIZE));
}

fn row(name: &str, what: &str, measured: f64, unit: &str, most: Option<f64>) {
    let target = most.map_or_else(String::new, |most| {
        format!("{:>12}  {}", format!("≤ {most} {unit}"), if measured <= most { "ok" } else { "missed" })
    });
    println!("{name:<36}{what:<22}{measured:>9.2} {unit}{target}");
}

/// A command that is started as Lambda starts a function.
struct Function {
    name: &'static str,
    program: PathBuf,
    arguments: Vec<PathBuf>,
    /// The files and folders that are deployed.
    package: Vec<PathBuf>,
    environment: Vec<(&'static str, String)>,
    event: &'static str,
    /// What its answer has in it when it allows, without white space.
    allowed: &'static str,
    target: Option<Target>,
}

/// At most so many ms.
struct Target {
    poll: f64,
    decision: f64,
}

const PLAIN: Target = Target { poll: 4.0, decision: 15.0 };
const WITH_STORE: Target = Target { poll: 8.0, decision: 15.0 };

/// The binary, with a cloud's client library in it: at most so many MB (10⁶ bytes).
const SIZE: f64 = 15.0;

const AUTHORIZER: &str = env!("CARGO_BIN_EXE_aws-authorizer");

fn authorizers(house: &House, endpoint: SocketAddr, roots: &Path) -> Vec<Function> {
    let jwks = format!(r#"{{ jwks: "https://localhost:{}/jwks/{{backend}}/{{kid}}" }}"#, endpoint.port());
    let authorizer = |name, file, policies, changes: &[(&str, &str)], target| {
        let config = fs::read_to_string(house.config(policies)).unwrap();
        let config = config.replace("{ store: here }", &jwks).replace("/dev/null", "stdout");
        let config = changes.iter().fold(config, |config, (from, to)| {
            assert!(config.contains(from), "{from}");
            config.replace(from, to)
        });
        Function {
            name,
            program: AUTHORIZER.into(),
            arguments: Vec::new(),
            package: vec![AUTHORIZER.into()],
            environment: vec![
                ("DRAWBRIDGE_BACKEND", "orders".to_owned()),
                ("DRAWBRIDGE_CONFIG", house.file(file, &config).display().to_string()),
                ("SSL_CERT_FILE", roots.display().to_string()),
            ],
            event: HTTP_2_0,
            allowed: r#""isAuthorized":true"#,
            target: Some(target),
        }
    };
    let secrets_manager = [
        ("{ directory: keys }", "{ secrets_manager: { prefix: drawbridge, region: eu-west-1 } }"),
        ("    store: here\n", "    store: here\n    encryption: accepted\n"),
    ];
    vec![
        authorizer("kid-scoped JWKS", "plain.yaml", false, &[], PLAIN),
        authorizer("…, three policies", "policies.yaml", true, &[], PLAIN),
        authorizer("…, Secrets Manager to decrypt with", "store.yaml", false, &secrets_manager, WITH_STORE),
    ]
}

/// Those that `peers/install` has installed.
fn peers(endpoint: SocketAddr) -> Vec<Function> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/peers");
    let node = env::split_paths(&env::var_os("PATH").unwrap_or_default())
        .map(|folder| folder.join("node"))
        .find(|program| program.exists());
    let python = folder.join("python/bin/python3");
    let peers = [
        (
            "Node.js, aws-jwt-verify",
            node,
            folder.join("node/authorizer.mjs"),
            folder.join("node/node_modules"),
        ),
        (
            "Python, PyJWT",
            python.exists().then_some(python),
            folder.join("python/authorizer.py"),
            folder.join("python/lib"),
        ),
    ];
    let mut functions = Vec::new();
    for (name, program, script, libraries) in peers {
        match program {
            Some(program) if script.exists() => functions.push(Function {
                name,
                program,
                package: vec![script.clone(), libraries],
                arguments: vec![script],
                environment: vec![
                    ("PEER_ISSUER", "https://edge.example.com".to_owned()),
                    ("PEER_AUDIENCE", "orders".to_owned()),
                    ("PEER_SCOPE", "customers:read".to_owned()),
                    ("PEER_JWKS", format!("http://{endpoint}/jwks/orders/{{kid}}")),
                ],
                event: REST_REQUEST,
                allowed: r#""Effect":"Allow""#,
                target: None,
            }),
            _ => println!("skipped: {name} is not installed; benches/peers/README.md says how"),
        }
    }
    functions
}

/// One start, from the moment that the process was asked for.
struct Start {
    first_poll: Duration,
    first_decision: Duration,
    /// MB after it.
    resident: f64,
    peak: f64,
}

impl Function {
    fn start(&self, event: &str) -> Start {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let api = listener.local_addr().unwrap().to_string();
        let mut command = Command::new(&self.program);
        command
            .args(&self.arguments)
            .env_clear()
            .envs(LAMBDA.map(|name| (name, "128")))
            .stdout(Stdio::null());
        command
            .env("AWS_LAMBDA_RUNTIME_API", api)
            .envs(self.environment.iter().map(|(name, value)| (name, value)));

        let begun = Instant::now();
        let mut process = command.spawn().unwrap();
        let (mut stream, _) = listener.accept().unwrap();
        stream.set_nodelay(true).unwrap();
        let mut requests = BufReader::new(stream.try_clone().unwrap());
        let (line, _) = request(&mut requests);
        let first_poll = begun.elapsed();
        assert!(line.starts_with("GET /2018-06-01/runtime/invocation/next "), "{line}");
        let head = "Lambda-Runtime-Aws-Request-Id: 1\r\nLambda-Runtime-Deadline-Ms: 4102444800000\r\n\
                    Lambda-Runtime-Invoked-Function-Arn: arn:aws:lambda:eu-west-1:123456789012:function:authorizer\r\n";
        respond(&mut stream, "200 OK", head, event);
        let (line, answer) = request(&mut requests);
        let first_decision = begun.elapsed();
        assert!(line.starts_with("POST /2018-06-01/runtime/invocation/1/response "), "{line}: {answer}");
        let plain = answer.replace(char::is_whitespace, "");
        assert!(plain.contains(self.allowed), "{}: {answer}", self.name);
        let status = fs::read_to_string(format!("/proc/{}/status", process.id())).unwrap();
        process.kill().unwrap();
        process.wait().unwrap();
        let megabytes = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
            line.trim().trim_end_matches(" kB").parse::<f64>().unwrap() * 1024.0 / 1e6
        };
        Start { first_poll, first_decision, resident: megabytes("VmRSS:"), peak: megabytes("VmHWM:") }
    }
}

/// Answers every request with one key set, over TLS. Its address, and the root certificates to trust: the machine's and its own.
fn key_endpoint(set: String) -> (SocketAddr, String) {
    let key = KeyPair::generate().unwrap();
    let certificate =
        CertificateParams::new(vec!["localhost".to_owned()]).unwrap().self_signed(&key).unwrap();
    let private = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], private)
        .unwrap();
    let config = Arc::new(config);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let (mut stream, config, set) = (stream.unwrap(), Arc::clone(&config), set.clone());
            thread::spawn(move || {
                let mut connection = ServerConnection::new(config).unwrap();
                let mut stream = Stream::new(&mut connection, &mut stream);
                request(&mut BufReader::new(&mut stream));
                respond(&mut stream, "200 OK", "Content-Type: application/jwk-set+json\r\n", &set);
            });
        }
    });
    let machine = fs::read_to_string("/etc/ssl/certs/ca-certificates.crt").unwrap_or_default();
    (address, format!("{machine}\n{}", certificate.pem()))
}

/// As [`key_endpoint`], without TLS.
fn plain_key_endpoint(set: String) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            request(&mut BufReader::new(&mut stream));
            respond(&mut stream, "200 OK", "Content-Type: application/jwk-set+json\r\n", &set);
        }
    });
    address
}

/// The request line and the body.
fn request(stream: &mut impl BufRead) -> (String, String) {
    let mut lines = Vec::new();
    loop {
        let mut line = String::new();
        stream.read_line(&mut line).unwrap();
        if line.trim().is_empty() {
            break;
        }
        lines.push(line.trim().to_ascii_lowercase());
        if lines.len() == 1 {
            lines[0] = line.trim().to_owned();
        }
    }
    let length = lines.iter().find_map(|line| line.strip_prefix("content-length:"));
    let mut body = vec![0; length.map_or(0, |length| length.trim().parse().unwrap())];
    stream.read_exact(&mut body).unwrap();
    (lines.into_iter().next().unwrap_or_default(), String::from_utf8(body).unwrap())
}

fn respond(stream: &mut impl Write, status: &str, headers: &str, body: &str) {
    let length = body.len();
    let answer = format!("HTTP/1.1 {status}\r\n{headers}Content-Length: {length}\r\n\r\n{body}");
    stream.write_all(answer.as_bytes()).unwrap();
    stream.flush().unwrap();
}

/// MB of a zip of these files and of what is in these folders, as it would be deployed: without the installer, which a virtual
/// environment of Python brings along.
fn zipped(package: &[PathBuf]) -> f64 {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    let mut left = package.to_vec();
    while let Some(path) = left.pop() {
        if path.is_dir() {
            let entries = fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path());
            left.extend(entries.filter(|path| {
                let name = path.file_name().unwrap().to_string_lossy();
                !["pip", "setuptools", "pkg_resources", "_distutils_hack"]
                    .iter()
                    .any(|tool| name.starts_with(tool))
            }));
        } else {
            zip.start_file(path.display().to_string(), SimpleFileOptions::default()).unwrap();
            zip.write_all(&fs::read(path).unwrap()).unwrap();
        }
    }
    zip.finish().unwrap().into_inner().len() as f64 / 1e6
}

/// Seconds since 1970.
fn now() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs().try_into().unwrap()
}
