//! The real parts that `tests/parts/install` puts under `target/parts`.

use std::{
    fs::OpenOptions,
    io::Write,
    net::{SocketAddr, TcpListener, TcpStream},
    path::PathBuf,
    process::{Child, Command},
    time::{Duration, Instant},
};

use crate::binary::workspace;

mod aws;

pub use aws::{MiniStack, Moto};

/// A part that was installed, or None after a loud line, which `tests/run` repeats at its end. With `CI=true` a missing part is a
/// failure.
pub fn part(path: &str) -> Option<PathBuf> {
    let part = workspace().join("target/parts").join(path);
    if part.exists() {
        return Some(part);
    }
    let ci = std::env::var("CI").is_ok_and(|ci| ci == "true");
    assert!(!ci, "{} is missing: run tests/parts/install", part.display());
    let skipped = format!("{} is missing: run tests/parts/install", part.display());
    eprintln!("SKIPPED: {skipped}");
    // A runner does not show what a test prints that passes.
    if let Some(skips) = std::env::var_os("DRAWBRIDGE_SKIPS") {
        let mut skips = OpenOptions::new().append(true).create(true).open(skips).unwrap();
        // At once: other tests write to it as well.
        skips.write_all(format!("{skipped}\n").as_bytes()).unwrap();
    }
    None
}

/// A process that is ended, by its id, when this goes.
#[derive(Debug)]
pub struct Process(Child);

impl Process {
    /// Starts a process.
    pub fn start(command: &mut Command) -> Self {
        Self(command.spawn().unwrap_or_else(|error| panic!("{command:?}: {error}")))
    }

    /// Waits until something accepts connections at `address`.
    pub fn ready(mut self, address: SocketAddr) -> Self {
        let until = Instant::now() + Duration::from_secs(20);
        while TcpStream::connect(address).is_err() {
            if let Some(status) = self.0.try_wait().unwrap() {
                panic!("ended with {status} before it listened at {address}");
            }
            assert!(Instant::now() < until, "nothing listens at {address}");
            std::thread::sleep(Duration::from_millis(20));
        }
        self
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A loopback address whose port was free a moment ago.
pub fn free_address() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}
