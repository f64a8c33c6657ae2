//! The JWKS function: `bootstrap` on `provided.al2023`.

use std::process::ExitCode;

use drawbridge_config::ProcessEnvironment;
use drawbridge_serve::log;

#[tokio::main]
async fn main() -> ExitCode {
    match drawbridge_aws_jwks::run(&ProcessEnvironment).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            log::error(&error.to_string());
            ExitCode::FAILURE
        }
    }
}
