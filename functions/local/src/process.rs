//! Starting this binary again as one of its parts, so that nothing of what was started outlives who started it.

use std::{ffi::OsStr, io, process::Stdio, thread, time::Duration};

use tokio::{
    process::{Child, Command},
    sync::oneshot,
};

/// Set for every child: its stdin is a pipe that its parent holds, and it ends when that pipe does.
pub const EXIT_WITH_PARENT: &str = "DRAWBRIDGE_EXIT_WITH_PARENT";

/// Starts `drawbridge function <name>` with `env` and nothing else of this process's environment but [`INHERITED`].
///
/// The child's stdout and stderr are pipes for the caller to read. Its stdin is the caller's hold on it: the child exits at its
/// end, however the caller ends. [`Child::wait`] closes stdin: take it out first (`child.stdin.take()`) and keep it, where the
/// child is waited for while it works.
///
/// # Errors
/// When the process cannot be started.
pub fn spawn_function(name: &str, env: Vec<(String, String)>) -> io::Result<Child> {
    spawn(["function", name], env)
}

/// As [`spawn_function`], for `drawbridge <arguments>`.
///
/// # Errors
/// When the process cannot be started.
pub fn spawn<S: AsRef<OsStr>>(
    arguments: impl IntoIterator<Item = S>,
    env: Vec<(String, String)>,
) -> io::Result<Child> {
    let mut command = Command::new(std::env::current_exe()?);
    command
        .args(arguments)
        .env_clear()
        .envs(INHERITED.iter().filter_map(|name| Some((name, std::env::var_os(name)?))))
        .env(EXIT_WITH_PARENT, "1")
        .envs(env)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    // Its own group: Ctrl-C in a terminal is for the parent, which ends its children in its own order.
    #[cfg(unix)]
    command.process_group(0);
    command.spawn()
}

/// In a child: comes when the parent is gone, so that what is running can be dropped, and with it the children of this child.
/// Never comes where no parent asked for it.
pub async fn parent_gone() {
    if std::env::var_os(EXIT_WITH_PARENT).is_none_or(|value| value != "1") {
        return std::future::pending().await;
    }
    let (sender, receiver) = oneshot::channel();
    // A thread of its own: a blocking read must not hold up the runtime, nor a busy runtime the exit.
    thread::spawn(move || {
        // An error is an end too: the pipe is then no hold on this process any more.
        let _ = io::copy(&mut io::stdin().lock(), &mut io::sink());
        let _ = sender.send(());
        thread::sleep(GRACE);
        std::process::exit(0);
    });
    let _ = receiver.await;
}

/// How long a child may take to drop what it runs.
const GRACE: Duration = Duration::from_secs(1);

/// What a child needs of its parent's environment to run at all, and to trust the same certificate authorities.
pub const INHERITED: [&str; 5] = ["SystemRoot", "TMPDIR", "SSL_CERT_FILE", "SSL_CERT_DIR", "RUST_BACKTRACE"];
