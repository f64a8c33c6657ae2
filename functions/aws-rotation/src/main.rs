//! The rotation function: `bootstrap` on `provided.al2023`.

use std::{io::Write, process::ExitCode};

use drawbridge_config::ProcessEnvironment;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match drawbridge_aws_rotation::run(&ProcessEnvironment).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Lambda puts this into the function's log; where even that fails there is nobody to tell.
            let _ = writeln!(std::io::stderr(), "{error}");
            ExitCode::FAILURE
        }
    }
}
