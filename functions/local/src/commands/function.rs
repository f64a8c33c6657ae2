//! `drawbridge function`.

use clap::{Args, ValueEnum};
use drawbridge_config::{Mistakes, ProcessEnvironment};

use super::{broken, until_parent_ends};
use crate::exit::{Failure, Outcome};

/// Run a deployed function with the environment that its cloud would give it.
#[derive(Debug, Args)]
#[command(after_long_help = EXAMPLES)]
pub struct Arguments {
    /// Which one.
    #[arg(value_enum)]
    name: Name,
}

const EXAMPLES: &str = "\
It is the very code that is deployed; `drawbridge up` starts its functions this way.

Examples:
  AWS_LAMBDA_RUNTIME_API=127.0.0.1:9001 DRAWBRIDGE_BACKEND=orders drawbridge function aws-authorizer
  FUNCTIONS_CUSTOMHANDLER_PORT=9002 drawbridge function azure";

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Name {
    /// The Lambda authorizer of one backend.
    AwsAuthorizer,
    /// The key endpoint on Lambda.
    AwsJwks,
    /// The Functions custom handler.
    Azure,
    /// The bridge beside an edge gateway.
    EdgeBridge,
}

/// Runs it until its host ends it.
///
/// # Errors
/// When it cannot start, or stops.
pub fn run(arguments: Arguments) -> Outcome {
    until_parent_ends(async {
        let environment = ProcessEnvironment;
        match arguments.name {
            Name::AwsAuthorizer => drawbridge_aws_authorizer::run(&environment).await,
            Name::AwsJwks => drawbridge_aws_jwks::run(&environment).await,
            Name::Azure => drawbridge_azure_functions::run(&environment).await,
            Name::EdgeBridge => drawbridge_edge_bridge::run(&environment).await,
        }
        .map_err(|error| match error.downcast::<Mistakes>() {
            Ok(mistakes) => broken(*mistakes),
            Err(error) => Failure::new(error),
        })
    })
}
