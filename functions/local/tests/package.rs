//! `drawbridge package` as an operator runs it: what is in the zip, and what never is.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod support;

use std::{collections::BTreeMap, fs, io::Read, path::Path};

use drawbridge_azure_functions::contract;
use serde_json::Value;
use support::{code, err, out, run};
use zip::ZipArchive;

const X86_64: u8 = 62;
const ARM64: u8 = 183;

const CONFIG: &str = r#"
issuers:
  edge:
    issuer: https://edge.example.com
    keys: { jwks: "https://keys.example.com/jwks/{backend}/{kid}" }
    algorithms: [ES256]
    types: [bridged+jwt]
stores:
  azure: { key_vault: { url: "https://contoso-keys.vault.azure.net" } }
backends:
  orders:
    issuer: edge
    store: azure
    routes: [{ path: "/customers", methods: [GET], scopes: ["customers:read"], policy: true }]
    policy: [./policies/orders.cedar]
"#;

#[test]
fn the_function_app_is_what_the_host_reads_and_an_executable() {
    let folder = folder(X86_64);
    let packed =
        run(folder.path(), &["package", "azure", "--binary", "handler.bin", "--config", "deploy.yaml"], b"");
    assert_eq!(code(&packed), 0, "{}", err(&packed));
    let mut expected = vec![
        ("handler".to_owned(), 0o755, executable(X86_64)),
        ("drawbridge.yaml".to_owned(), 0o644, CONFIG.as_bytes().to_vec()),
        ("host.json".to_owned(), 0o644, contract::HOST_JSON.as_bytes().to_vec()),
        ("policies/orders.cedar".to_owned(), 0o644, b"permit (principal, action, resource);".to_vec()),
    ];
    for (name, json) in contract::FUNCTIONS {
        expected.push((format!("{name}/function.json"), 0o644, json.as_bytes().to_vec()));
    }
    expected[1..].sort();
    assert_eq!(read(&folder.path().join("azure.zip")), expected);
    let host: Value = serde_json::from_str(contract::HOST_JSON).unwrap();
    assert_eq!(host["customHandler"]["description"]["defaultExecutablePath"], contract::EXECUTABLE);
}

#[test]
fn a_lambda_function_is_its_bootstrap_with_or_without_a_configuration() {
    for machine in [X86_64, ARM64] {
        let folder = folder(machine);
        for function in ["authorizer", "jwks", "rotation"] {
            let packed = run(folder.path(), &["package", "aws", function, "--binary", "handler.bin"], b"");
            assert_eq!(code(&packed), 0, "{}", err(&packed));
            let expected = [("bootstrap".to_owned(), 0o755, executable(machine))];
            assert_eq!(read(&folder.path().join(format!("aws-{function}.zip"))), expected);
        }
        let arguments =
            ["package", "aws", "authorizer", "--binary", "handler.bin", "--config", "deploy.yaml"];
        let packed =
            run(folder.path(), &[&arguments[..], &["--output", "a.zip", "--format", "json"]].concat(), b"");
        let said: Value = serde_json::from_str(&out(&packed)).unwrap();
        let names: Vec<String> =
            read(&folder.path().join("a.zip")).into_iter().map(|(name, ..)| name).collect();
        assert_eq!(names, ["bootstrap", "drawbridge.yaml", "policies/orders.cedar"]);
        assert_eq!(said["entries"], Value::from(names));
        assert_eq!(said["architecture"], if machine == ARM64 { "arm64" } else { "x86_64" });
    }
}

#[test]
fn the_same_input_makes_the_same_bytes() {
    let zip = |folder: &Path| {
        let packed =
            run(folder, &["package", "azure", "--binary", "handler.bin", "--config", "deploy.yaml"], b"");
        (fs::read(folder.join("azure.zip")).unwrap(), out(&packed))
    };
    let (one, other) = (folder(X86_64), folder(X86_64));
    let first = zip(one.path());
    assert_eq!(first, zip(other.path()));
    fs::write(one.path().join("policies/orders.cedar"), "forbid (principal, action, resource);").unwrap();
    assert_ne!(first, zip(one.path()));
}

#[test]
fn what_could_not_run_or_must_not_leave_is_refused_with_the_mend() {
    let folder = folder(ARM64);
    let file = |name: &str, text: String| fs::write(folder.path().join(name), text).unwrap();
    file("script", "#!/bin/sh".to_owned());
    file("broken.yaml", "backends: {}".to_owned());
    file(
        "private.yaml",
        CONFIG.replace("key_vault: { url: \"https://contoso-keys.vault.azure.net\" }", "directory: keys"),
    );
    fs::create_dir(folder.path().join("deep")).unwrap();
    file("deep/deploy.yaml", CONFIG.replace("./policies", "../policies"));
    let aws = ["package", "aws", "authorizer", "--output", "never.zip"];
    for (arguments, said) in [
        (
            &["package", "azure", "--output", "never.zip", "--binary", "handler.bin"][..],
            "no executable for Linux on x86_64",
        ),
        (&[&aws[..], &["--binary", "script"]].concat(), "on x86_64 or arm64"),
        (
            &[&aws[..], &["--binary", "nothing"]].concat(),
            "cargo build --profile deploy --package drawbridge-aws-authorizer",
        ),
        (&aws, "target/deploy/aws-authorizer"),
        (&[&aws[..], &["--binary", "handler.bin", "--config", "broken.yaml"]].concat(), "broken.yaml:1:1"),
        (
            &[&aws[..], &["--binary", "handler.bin", "--config", "private.yaml"]].concat(),
            "stores.azure: a `directory`",
        ),
        (
            &[&aws[..], &["--binary", "handler.bin", "--config", "deep/deploy.yaml"]].concat(),
            "`../policies/orders.cedar`",
        ),
    ] {
        let refused = run(folder.path(), arguments, b"");
        assert_eq!(code(&refused), 3, "{arguments:?}: {}", err(&refused));
        assert!(err(&refused).contains(said), "{arguments:?}: {}", err(&refused));
        assert!(!folder.path().join("never.zip").exists(), "{arguments:?}");
    }
}

#[test]
fn what_sam_builds_in_the_folder_of_a_function_is_what_is_deployed() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    // The lines of each section of a profile, by what stands behind its name.
    let profile = |file: &str, name: &str| -> BTreeMap<String, String> {
        let text = fs::read_to_string(root.join(file)).unwrap();
        let sections = text.split("\n[").skip(1).filter_map(|section| section.split_once("]\n"));
        let own = sections.filter_map(|(head, lines)| Some((head.strip_prefix(name)?, lines)));
        own.map(|(head, lines)| {
            let settings =
                lines.lines().filter(|line| !line.starts_with('#') && !line.starts_with("inherits"));
            (head.to_owned(), settings.collect::<Vec<_>>().join("\n").trim().to_owned())
        })
        .collect()
    };
    let deployed = profile("Cargo.toml", "profile.deploy");
    assert!(deployed.len() > 20, "{deployed:?}");
    assert_eq!(profile("functions/.cargo/config.toml", "profile.release"), deployed);
}

/// A folder with a configuration, its policy and an executable.
fn folder(machine: u8) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("policies")).unwrap();
    fs::write(folder.path().join("policies/orders.cedar"), "permit (principal, action, resource);").unwrap();
    fs::write(folder.path().join("deploy.yaml"), CONFIG).unwrap();
    fs::write(folder.path().join("handler.bin"), executable(machine)).unwrap();
    folder
}

/// What passes for one.
fn executable(machine: u8) -> Vec<u8> {
    let mut file = b"\x7fELF\x02\x01\x01".to_vec();
    file.resize(16, 0);
    file.extend([3, 0, machine, 0]);
    file.extend(b"and so on".repeat(1000));
    file
}

/// Names, modes and contents, in the order of the zip.
fn read(zip: &Path) -> Vec<(String, u32, Vec<u8>)> {
    let mut zip = ZipArchive::new(fs::File::open(zip).unwrap()).unwrap();
    (0..zip.len())
        .map(|index| {
            let mut file = zip.by_index(index).unwrap();
            let mut content = Vec::new();
            file.read_to_end(&mut content).unwrap();
            let modified = file.last_modified().unwrap();
            assert_eq!((modified.year(), modified.month(), modified.day(), modified.hour()), (1980, 1, 1, 0));
            (file.name().unwrap().into_owned(), file.unix_mode().unwrap() & 0o7777, content)
        })
        .collect()
}
