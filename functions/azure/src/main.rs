//! The custom handler of the Function App: `defaultExecutablePath` of `host.json`.

use std::{io::Write, process::ExitCode};

use drawbridge_config::{Mistakes, ProcessEnvironment};

#[tokio::main]
async fn main() -> ExitCode {
    match drawbridge_azure_functions::run(&ProcessEnvironment).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // The host logs what comes here as an error; where even that fails there is nobody to tell.
            let _ = writeln!(std::io::stderr(), "{error}");
            if error.is::<Mistakes>() { ExitCode::from(3) } else { ExitCode::FAILURE }
        }
    }
}
