//! The `drawbridge` binary.

use std::process::ExitCode;

fn main() -> ExitCode {
    drawbridge::cli::run(std::env::args_os())
}
