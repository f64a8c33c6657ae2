#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]
#![warn(missing_docs)]

use std::{
    error::Error,
    io::{self, Write},
};

use drawbridge_aws::rotation::{Rotation, RotationError};
use drawbridge_config::Environment;
use drawbridge_keys::Version;
use lambda_runtime::{Diagnostic, LambdaEvent, service_fn};
use serde::Deserialize;

/// What Secrets Manager sends. Members that it adds are none of ours.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Event {
    /// One of the four steps.
    pub step: String,
    /// The secret's ARN.
    pub secret_id: String,
    /// The id of the version that is rotated to.
    pub client_request_token: String,
}

/// Serves the Lambda Runtime API until the runtime ends the process.
///
/// # Errors
/// A process that Lambda did not start, no region, a Runtime API that does not answer.
pub async fn run(environment: &dyn Environment) -> Result<(), Box<dyn Error + Send + Sync>> {
    drawbridge_aws::started_by_lambda(environment)?;
    let rotation = &Rotation::from_environment().await?;
    lambda_runtime::run(service_fn(|event: LambdaEvent<Event>| async move {
        let event = event.payload;
        let done = answer(rotation, &event).await;
        log(&event, done.as_ref().err());
        done.map_err(|error| Diagnostic {
            error_type: "RotationError".to_owned(),
            error_message: error.to_string(),
        })
    }))
    .await
}

/// Does what one event asks for.
///
/// # Errors
/// [`RotationError`], which Lambda passes on to Secrets Manager.
pub async fn answer(rotation: &Rotation, event: &Event) -> Result<(), RotationError> {
    let version: Version = event.client_request_token.parse().map_err(|_| RotationError::NotPending)?;
    rotation.step(event.step.parse()?, &event.secret_id, &version).await
}

/// One line for the function's log. An event that is refused may hold anything; JSON keeps it on its line.
fn log(event: &Event, error: Option<&RotationError>) {
    let line = serde_json::json!({
        "level": if error.is_some() { "error" } else { "info" },
        "step": event.step,
        "secret": event.secret_id,
        "version": event.client_request_token,
        "message": error.map_or_else(|| "done".to_owned(), ToString::to_string),
    });
    // Lambda reports the failure itself; without the line it is only less well explained.
    let _ = writeln!(io::stdout().lock(), "{line}");
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Nothing;

    impl Environment for Nothing {
        fn var(&self, _name: &str) -> Option<String> {
            None
        }
    }

    #[tokio::test]
    async fn started_by_hand_it_says_what_starts_it() {
        let said = run(&Nothing).await.unwrap_err().to_string();
        assert!(said.starts_with("AWS_LAMBDA_RUNTIME_API is not set"), "{said}");
    }
}
