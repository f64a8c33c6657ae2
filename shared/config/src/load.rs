use std::{
    fs::File,
    io::{self, Read},
    path::{Path, PathBuf},
};

use crate::{
    Audit, Config, Local, Mistakes, PolicyChecks,
    backend::backend,
    diagnostics::{Report, Reported},
    issuer::issuer,
    local::{audit, local},
    secrets,
    store::store,
    tree::{fields, named},
    values::{name, reference},
    whole::reconcile,
    yaml,
};

/// Reads environment variables; tests bring their own.
pub trait Environment {
    /// The value of `name`, if it is set and not empty.
    fn var(&self, name: &str) -> Option<String>;
}

/// The process's environment.
#[derive(Clone, Copy, Debug, Default)]
pub struct ProcessEnvironment;

impl Environment for ProcessEnvironment {
    fn var(&self, name: &str) -> Option<String> {
        std::env::var(name).ok().filter(|value| !value.is_empty())
    }
}

/// `DRAWBRIDGE_CONFIG`: names a file or holds the document; `./drawbridge.yaml` when not set.
///
/// It is the document where it begins with `{` or has a line break. Paths in it are then relative to the working directory.
///
/// # Errors
/// As [`load_file`].
pub fn load_from_environment(environment: &dyn Environment) -> Result<Config, Mistakes> {
    Source::named(environment)?.load()
}

/// As [`load_from_environment`], but for the policies, which are read and no more: whether they fit is for who asked to find out
/// before anything is decided.
///
/// # Errors
/// As [`load_file`].
pub fn load_leaving_policies(environment: &dyn Environment) -> Result<(Config, PolicyChecks), Mistakes> {
    let source = Source::named(environment)?;
    let report = Report::new(&source.name);
    let config = source.read(&report);
    let checks = PolicyChecks::new(&source.name, report.left());
    Ok((settled(config, report)?, checks))
}

/// Reads, parses and checks a file.
///
/// # Errors
/// As [`load`]; also when the file cannot be read.
pub fn load_file(file: &Path) -> Result<Config, Mistakes> {
    Source::file(file)?.load()
}

/// Parses and checks a document. Paths in it are relative to `folder`.
///
/// # Errors
/// Every mistake in it.
pub fn load(text: &str, file: &str, folder: &Path) -> Result<Config, Mistakes> {
    Source { text: text.to_owned(), name: file.to_owned(), folder: folder.to_owned() }.load()
}

/// A document, not yet parsed.
struct Source {
    text: String,
    name: String,
    folder: PathBuf,
}

impl Source {
    fn named(environment: &dyn Environment) -> Result<Self, Mistakes> {
        match environment.var(VARIABLE) {
            None => Self::file(Path::new("drawbridge.yaml")),
            Some(text) if text.trim_start().starts_with('{') || text.contains('\n') => {
                Ok(Self { text, name: format!("<{VARIABLE}>"), folder: PathBuf::from(".") })
            }
            Some(file) => Self::file(Path::new(&file)),
        }
    }

    fn file(file: &Path) -> Result<Self, Mistakes> {
        let name = file.display().to_string();
        match read(file) {
            Ok(text) => Ok(Self { text, name, folder: file.parent().unwrap_or(Path::new("")).to_owned() }),
            Err(error) => {
                let report = Report::new(&name);
                report.whole(format!(
                    "cannot be read: {error}; name another file, or hold the document, in `{VARIABLE}`"
                ));
                Err(report.into_mistakes())
            }
        }
    }

    /// With the policies checked.
    fn load(&self) -> Result<Config, Mistakes> {
        let report = Report::new(&self.name);
        let config = self.read(&report);
        for policies in report.left() {
            // What it finds is in the report.
            let _ = policies.run(&report);
        }
        settled(config, report)
    }

    fn read(&self, report: &Report) -> Result<Config, Reported> {
        document(&self.text, &self.folder, report)
    }
}

/// The configuration, if nothing was reported.
fn settled(config: Result<Config, Reported>, report: Report) -> Result<Config, Mistakes> {
    match config {
        Ok(config) if report.is_empty() => Ok(config),
        _ => Err(report.into_mistakes()),
    }
}

fn document(text: &str, folder: &Path, report: &Report) -> Result<Config, Reported> {
    let root = &yaml::parse(text, "`issuers` and `backends`", report)?;
    secrets::refuse(root, report)?;
    fields(root, report, |file| {
        let issuers = file.required(
            "issuers",
            "who signs tokens, by a name of your own",
            named(|key, node, report| both(name(key, &node.place, report), issuer(node, root, report))),
        );
        let stores = file.or(
            "stores",
            Default::default(),
            named(|key, node, report| both(name(key, &node.place, report), store(node, folder, report))),
        );
        let backends = file.required(
            "backends",
            "the applications behind the gateways, by name",
            named(|key, node, report| {
                let backend = backend(key, node, root, folder, report)?;
                Ok((backend.name.clone(), backend))
            }),
        );
        let consumers = file.optional("consumers", |node, report| reference(node, "issuers", root, report));
        let audit = file.or("audit", Audit::OcsfStdout, |node, report| audit(node, folder, report));
        let local = file.or("local", Local::default(), local);
        let mut config = Config {
            issuers: issuers.unwrap_or_default(),
            stores: stores.unwrap_or_default(),
            backends: backends.unwrap_or_default(),
            consumers: consumers.unwrap_or_default(),
            audit: audit.unwrap_or(Audit::OcsfStdout),
            local: local.unwrap_or_default(),
        };
        reconcile(&mut config, root, report);
        Ok(config)
    })
}

fn both<A, B>(a: Result<A, Reported>, b: Result<B, Reported>) -> Result<(A, B), Reported> {
    Ok((a?, b?))
}

/// The text of a document.
pub(crate) fn read(file: &Path) -> io::Result<String> {
    let mut text = String::new();
    // One byte more than allowed, so that too much is seen to be too much.
    let limit = u64::try_from(yaml::MAX_BYTES).unwrap_or(u64::MAX).saturating_add(1);
    File::open(file)?.take(limit).read_to_string(&mut text)?;
    Ok(text)
}

const VARIABLE: &str = "DRAWBRIDGE_CONFIG";
