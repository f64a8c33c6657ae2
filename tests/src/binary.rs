//! The binaries under test, built by the same cargo that builds the tests.

use std::{
    path::{Path, PathBuf},
    process::Command,
    sync::OnceLock,
};

/// The `drawbridge` binary.
pub fn drawbridge() -> &'static Path {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| build("drawbridge", "drawbridge"))
}

/// Builds the binary `name` of `package` in the profile of the running test, and says where it is.
pub fn build(package: &str, name: &str) -> PathBuf {
    // target/<profile>/deps/<this test>
    let test = std::env::current_exe().unwrap();
    let folder = test.parent().and_then(Path::parent).unwrap();
    let profile = match folder.file_name().and_then(|name| name.to_str()) {
        Some("debug") | None => "dev",
        Some(profile) => profile,
    };
    // `tests/run` has built everything at once. Building one package alone resolves features anew, and so much of the graph again.
    let built = folder.join(name);
    if std::env::var_os("DRAWBRIDGE_BINARIES_ARE_BUILT").is_some() && built.exists() {
        return built;
    }
    let status = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
        .args([
            "build",
            "--quiet",
            "--offline",
            "--locked",
            "--profile",
            profile,
            "--package",
            package,
            "--bin",
            name,
        ])
        .current_dir(workspace())
        .status()
        .unwrap();
    assert!(status.success(), "`cargo build --package {package} --bin {name}` failed");
    built
}

/// The root of the workspace.
pub fn workspace() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}
