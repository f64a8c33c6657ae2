//! `drawbridge check`.

mod caching;
mod owners;

use std::{
    io::Read,
    path::{Path, PathBuf},
};

use clap::Args;
use drawbridge_config::{Config, JSON_SCHEMA, Mistake, Mistakes, load, load_file};
use serde_json::{Map, Value, json};

use self::{
    caching::{Caching, caching},
    owners::Owners,
};
use crate::{
    cli::Format,
    exit::{Exit, Failure, Outcome},
    output::print,
};

/// Check a configuration: every mistake at once, with its line, column and the mend.
#[derive(Debug, Args)]
#[command(after_long_help = EXAMPLES)]
pub struct Arguments {
    /// The configuration; `-` reads it from stdin.
    #[arg(default_value = "drawbridge.yaml", value_name = "FILE")]
    file: PathBuf,
    /// Print the JSON Schema of the configuration instead, for editors.
    #[arg(long)]
    schema: bool,
    /// How to print the result.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

const EXAMPLES: &str = "\
Exits with 0 when the configuration is valid and 3 when it is not. Of each backend it says whether one policy of its AWS
authorizer is right for every route (stage-wide: API Gateway may cache it by token alone) or for one route only, and why; and who
answers for which route, where the routes say so. What would be allowed or refused wrongly all the same is a warning.

Examples:
  drawbridge check
  drawbridge check deploy/drawbridge.yaml --format json
  terraform output -raw drawbridge_config | drawbridge check -
  drawbridge check --schema > drawbridge.schema.json";

/// Prints the mistakes of a configuration, or what is in it and what may be remembered of its authorizers.
///
/// # Errors
/// When nothing can be printed.
pub fn run(arguments: Arguments) -> Outcome {
    if arguments.schema {
        print(JSON_SCHEMA.trim_end())?;
        return Ok(Exit::Ok);
    }
    let loaded = if arguments.file == Path::new("-") { from_stdin()? } else { load_file(&arguments.file) };
    let exit = if loaded.is_ok() { Exit::Ok } else { Exit::Invalid };
    print(&match (loaded, arguments.format) {
        (Ok(config), Format::Human) => {
            let (backends, warnings) = caching(&config);
            let first = format!("{}: ok: {}", arguments.file.display(), summary(&config));
            let backends = backends.iter().map(Caching::to_string);
            let warnings = warnings.iter().map(|warning| format!("warning: {warning}"));
            let owners = Owners::of(&config);
            [first]
                .into_iter()
                .chain(backends)
                .chain(owners.lines())
                .chain(warnings)
                .collect::<Vec<_>>()
                .join("\n")
        }
        (Ok(config), Format::Json) => {
            let (backends, warnings) = caching(&config);
            let backends: Map<_, _> = backends.iter().map(Caching::json).collect();
            let owners = Owners::of(&config).json();
            json!({ "valid": true, "mistakes": [], "backends": backends, "owners": owners, "warnings": warnings }).to_string()
        }
        (Err(mistakes), Format::Human) => mistakes.to_string(),
        (Err(Mistakes(mistakes)), Format::Json) => {
            let mistakes: Vec<_> = mistakes.iter().map(object).collect();
            json!({ "valid": false, "mistakes": mistakes }).to_string()
        }
    })?;
    Ok(exit)
}

/// What would be allowed, refused or not run all the same; `up` says it as well.
pub(crate) fn warnings(config: &Config) -> Vec<String> {
    caching(config).1
}

fn from_stdin() -> Result<Result<Config, Mistakes>, Failure> {
    let mut text = String::new();
    std::io::stdin()
        .lock()
        .read_to_string(&mut text)
        .map_err(|error| Failure::invalid(format!("cannot read stdin: {error}")))?;
    Ok(load(&text, "<stdin>", Path::new(".")))
}

fn summary(config: &Config) -> String {
    let routes = config.backends.values().map(|backend| backend.routes.iter().count()).sum();
    [
        counted(config.issuers.len(), "issuer"),
        counted(config.stores.len(), "store"),
        counted(config.backends.len(), "backend"),
        counted(routes, "route"),
    ]
    .join(", ")
}

fn counted(count: usize, thing: &str) -> String {
    format!("{count} {thing}{}", if count == 1 { "" } else { "s" })
}

pub(super) fn object(mistake: &Mistake) -> Value {
    let Mistake { file, line, column, path, message } = mistake;
    json!({ "file": file, "line": line, "column": column, "path": path, "message": message })
}
