//! AWS's services as others wrote them.

use std::{
    net::SocketAddr,
    process::{Command, Stdio},
};

use tempfile::TempDir;

use super::{Process, free_address, part};

/// MiniStack: Secrets Manager, KMS, IAM, Lambda and API Gateway, with nothing kept between runs. Takes any credentials.
#[derive(Debug)]
pub struct MiniStack {
    address: SocketAddr,
    _process: Process,
    /// Where it unpacks functions.
    _folder: TempDir,
}

/// moto: a second opinion on Secrets Manager. Takes any credentials.
#[derive(Debug)]
pub struct Moto {
    address: SocketAddr,
    _process: Process,
}

impl MiniStack {
    /// Starts it with functions run as processes. None after a loud line when it is not installed.
    pub fn start() -> Option<Self> {
        let binary = part("python/bin/ministack")?;
        let (address, folder) = (free_address(), tempfile::tempdir().unwrap());
        let process = Process::start(
            Command::new(binary)
                .env("GATEWAY_PORT", address.port().to_string())
                .env("BIND_HOST", "127.0.0.1")
                .env("MINISTACK_HOST", "127.0.0.1")
                .env("LAMBDA_EXECUTOR", "local")
                .env("PERSIST_STATE", "0")
                .env("DOCKER_HOST", "")
                .env("TMPDIR", folder.path())
                .env("LOG_LEVEL", "ERROR")
                .current_dir(folder.path())
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .stderr(Stdio::null()),
        )
        .ready(address);
        Some(Self { address, _process: process, _folder: folder })
    }

    /// The endpoint of every service, without a slash at the end.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }
}

impl Moto {
    /// Starts it. None after a loud line when it is not installed.
    pub fn start() -> Option<Self> {
        let binary = part("python/bin/moto_server")?;
        let address = free_address();
        let process = Process::start(
            Command::new(binary)
                .args(["-H", "127.0.0.1", "-p", &address.port().to_string()])
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .stderr(Stdio::null()),
        )
        .ready(address);
        Some(Self { address, _process: process })
    }

    /// The endpoint of every service, without a slash at the end.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }
}
