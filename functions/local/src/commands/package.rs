//! `drawbridge package`.

mod binary;

use std::{
    collections::BTreeMap,
    fs,
    io::{self, Cursor, Write},
    path::{Component, Path, PathBuf},
};

use aws_lc_rs::digest::{SHA256, digest};
use base64::{Engine, prelude::BASE64_STANDARD};
use clap::{Args, Subcommand, ValueEnum};
use drawbridge_azure_functions::contract;
use drawbridge_config::{Config, Store, load_file};
use serde_json::json;
use zip::{CompressionMethod, DateTime, ZipWriter, result::ZipError, write::SimpleFileOptions};

use self::binary::Architecture;
use super::{CONFIG, broken};
use crate::{
    cli::Format,
    exit::{Exit, Failure, Outcome},
    output::print,
};

/// Make the zip of a function that is deployed.
#[derive(Debug, Args)]
#[command(after_long_help = EXAMPLES)]
pub struct Arguments {
    #[command(subcommand)]
    what: What,
}

const EXAMPLES: &str = "\
The executable bit is set whatever the file system here knows of one, and the same input makes the same bytes.

Examples:
  cargo build --profile deploy -p drawbridge-azure-functions
  drawbridge package azure --config drawbridge.yaml
  az functionapp deployment source config-zip -g GROUP -n APP --src azure.zip

  drawbridge package aws authorizer --config drawbridge.yaml --binary target/aarch64-unknown-linux-gnu/deploy/aws-authorizer
  aws lambda update-function-code --function-name orders-authorizer --zip-file fileb://aws-authorizer.zip";

const AWS_EXAMPLES: &str = "\
Examples:
  drawbridge package aws authorizer --config drawbridge.yaml --output authorizer.zip

  cargo lambda build --profile deploy --target x86_64-unknown-linux-gnu.2.34 -p drawbridge-aws-jwks
  drawbridge package aws jwks --binary target/lambda/aws-jwks/bootstrap";

#[derive(Debug, Subcommand)]
enum What {
    /// The Function App, for Flex Consumption and for Linux plans: `authorize`, `jwks` and `proxy`.
    #[command(after_long_help = "Example:\n  drawbridge package azure --config drawbridge.yaml")]
    Azure {
        #[command(flatten)]
        common: Common,
    },
    /// A Lambda function, for `provided.al2023`, which has glibc 2.34: built on Linux with no later one, or by cargo-lambda.
    #[command(after_long_help = AWS_EXAMPLES)]
    Aws {
        /// Which one.
        #[arg(value_enum)]
        function: Lambda,
        #[command(flatten)]
        common: Common,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Lambda {
    /// The authorizer of one backend.
    Authorizer,
    /// The key endpoint.
    Jwks,
    /// The rotation of signing keys in Secrets Manager.
    Rotation,
}

#[derive(Debug, Args)]
struct Common {
    /// The zip. Default: `azure.zip`, or `aws-<function>.zip`.
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// A configuration to put beside the executable as `drawbridge.yaml`, with its policies. Default: `drawbridge.yaml` in this folder, if
    /// there is one and the function reads one; without it `DRAWBRIDGE_CONFIG` has to hold it.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// The executable for Linux. Default: what `cargo build --profile deploy` makes.
    #[arg(long, value_name = "FILE")]
    binary: Option<PathBuf>,
    /// How to print the result.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// Makes the zip and says what is in it.
///
/// # Errors
/// An executable or a configuration that cannot be deployed, a file that cannot be written.
pub fn run(arguments: Arguments) -> Outcome {
    let (deployable, common) = match arguments.what {
        What::Azure { common } => (Deployable::azure(), common),
        What::Aws { function, common } => (Deployable::aws(function), common),
    };
    let built = Path::new("target/deploy").join(deployable.binary);
    let path = common.binary.as_ref().unwrap_or(&built);
    let executable = fs::read(path).map_err(|error| {
        Failure::invalid(format!(
            "cannot read `{}`: {error}; build it with `cargo build --profile deploy --package {}`, or name it with --binary",
            path.display(),
            deployable.package,
        ))
    })?;
    let architecture = Architecture::of(&executable)
        .filter(|architecture| deployable.runs_on.contains(architecture))
        .ok_or_else(|| {
            let runs_on: Vec<_> = deployable.runs_on.iter().map(Architecture::name).collect();
            let runs_on = runs_on.join(" or ");
            Failure::invalid(format!("`{}` is no executable for Linux on {runs_on}", path.display()))
        })?;

    let mut entries = deployable.files;
    let beside = || Some(PathBuf::from(CONFIG)).filter(|file| deployable.configured && file.is_file());
    if let Some(config) = common.config.or_else(beside) {
        entries.extend(configuration(&config)?);
    }
    let zip = zip(deployable.executable, &executable, &entries)
        .map_err(|error| Failure::new(format!("cannot make the zip: {error}")))?;
    let output = common.output.unwrap_or_else(|| PathBuf::from(deployable.output));
    write(&output, &zip)
        .map_err(|error| Failure::new(format!("cannot write `{}`: {error}", output.display())))?;

    let names: Vec<&str> =
        [deployable.executable].into_iter().chain(entries.keys().map(String::as_str)).collect();
    let hash = BASE64_STANDARD.encode(digest(&SHA256, &zip));
    print(&match common.format {
        Format::Human => format!(
            "{}: {} bytes for {}: {}\nsha256 {hash}",
            output.display(),
            zip.len(),
            architecture.name(),
            names.join(", "),
        ),
        Format::Json => json!({
            "file": output.display().to_string(), "bytes": zip.len(), "sha256": hash,
            "architecture": architecture.name(), "entries": names,
        })
        .to_string(),
    })?;
    Ok(Exit::Ok)
}

/// What a cloud takes.
struct Deployable {
    /// The package and the name of its executable, as cargo has them.
    package: &'static str,
    binary: &'static str,
    /// The executable's name in the zip.
    executable: &'static str,
    runs_on: &'static [Architecture],
    /// Whether it reads a configuration.
    configured: bool,
    files: Entries,
    output: String,
}

/// Names and contents. Sorted, so that the same files make the same zip.
type Entries = BTreeMap<String, Vec<u8>>;

impl Deployable {
    fn azure() -> Self {
        let functions = contract::FUNCTIONS
            .map(|(name, json)| (format!("{name}/function.json"), json.as_bytes().to_vec()));
        let host = ("host.json".to_owned(), contract::HOST_JSON.as_bytes().to_vec());
        Self {
            package: "drawbridge-azure-functions",
            binary: "drawbridge-azure-functions",
            executable: contract::EXECUTABLE,
            runs_on: &[Architecture::X86_64],
            configured: true,
            files: functions.into_iter().chain([host]).collect(),
            output: "azure.zip".to_owned(),
        }
    }

    fn aws(function: Lambda) -> Self {
        let (package, binary) = match function {
            Lambda::Authorizer => ("drawbridge-aws-authorizer", "aws-authorizer"),
            Lambda::Jwks => ("drawbridge-aws-jwks", "aws-jwks"),
            Lambda::Rotation => ("drawbridge-aws-rotation", "aws-rotation"),
        };
        Self {
            package,
            binary,
            executable: "bootstrap",
            runs_on: &[Architecture::X86_64, Architecture::Aarch64],
            configured: function != Lambda::Rotation,
            files: Entries::new(),
            output: format!("{binary}.zip"),
        }
    }
}

/// The configuration under the name that functions look for, and its policies where it says they are.
fn configuration(path: &Path) -> Result<Entries, Failure> {
    let config = load_file(path).map_err(broken)?;
    deployable(&config)?;
    let text = fs::read(path)
        .map_err(|error| Failure::invalid(format!("cannot read `{}`: {error}", path.display())))?;
    let mut entries = Entries::from([("drawbridge.yaml".to_owned(), text)]);
    for policy in config.backends.values().flat_map(|backend| &backend.policy) {
        let name = below(&policy.name).ok_or_else(|| {
            Failure::invalid(format!(
                "the policy `{}` is not below the configuration's folder, and so would not be found where it is deployed",
                policy.name
            ))
        })?;
        entries.insert(name, policy.text.clone().into_bytes());
    }
    Ok(entries)
}

/// Private keys go into no zip.
fn deployable(config: &Config) -> Result<(), Failure> {
    for (name, store) in &config.stores {
        if matches!(store, Store::Directory(_)) {
            return Err(Failure::invalid(format!(
                "stores.{name}: a `directory` of private keys is not deployed; name a store of the cloud"
            )));
        }
    }
    Ok(())
}

/// A relative path as it stands in a zip, if it leads nowhere else.
fn below(path: &str) -> Option<String> {
    let parts = Path::new(path).components().filter(|part| *part != Component::CurDir);
    let names = parts.map(|part| match part {
        Component::Normal(name) => name.to_str(),
        _ => None,
    });
    names.collect::<Option<Vec<_>>>().map(|names| names.join("/"))
}

/// The zip, with a time and modes that are nobody's.
fn zip(name: &str, executable: &[u8], entries: &Entries) -> Result<Vec<u8>, ZipError> {
    let file = SimpleFileOptions::default()
        .compression_method(CompressionMethod::Deflated)
        .last_modified_time(DateTime::default())
        .unix_permissions(0o644);
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    zip.start_file(name, file.unix_permissions(0o755))?;
    zip.write_all(executable)?;
    for (name, content) in entries {
        zip.start_file(name.as_str(), file)?;
        zip.write_all(content)?;
    }
    Ok(zip.finish()?.into_inner())
}

/// Whole, or not at all.
fn write(path: &Path, content: &[u8]) -> io::Result<()> {
    let mut temporary = path.as_os_str().to_owned();
    temporary.push(".tmp");
    fs::write(&temporary, content)?;
    fs::rename(&temporary, path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_policy_stands_in_the_zip_where_the_configuration_looks_for_it() {
        for (path, expected) in [
            ("policies/orders.cedar", Some("policies/orders.cedar")),
            ("./policies//./orders.cedar", Some("policies/orders.cedar")),
            ("../orders.cedar", None),
            ("policies/../orders.cedar", None),
            ("/etc/orders.cedar", None),
        ] {
            assert_eq!(below(path).as_deref(), expected, "{path}");
        }
    }
}
