//! What went wrong, told apart for the log and the operator. Outwardly it is all one answer.

use std::{error::Error, fmt::Debug, iter};

use aws_credential_types::provider::error::CredentialsError;
use aws_sdk_kms::error::{ProvideErrorMetadata, SdkError};
use drawbridge_keys::StoreError;

/// The store's word for an error of either service.
pub(crate) fn refused<E: ProvideErrorMetadata + Error + 'static, R: Debug + 'static>(
    error: SdkError<E, R>,
) -> StoreError {
    match &error {
        SdkError::ServiceError(service) => {
            let code = service.err().code().unwrap_or("an error without a code");
            named(code, service.err().message().unwrap_or_default())
        }
        SdkError::TimeoutError(_) => StoreError::Unavailable("no answer in time".to_owned()),
        SdkError::DispatchFailure(_) if has_no_credentials(&error) => StoreError::Denied(format!(
            "there are no AWS credentials: set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or run where a role \
             is attached; for a session of `aws sso login`: eval \"$(aws configure export-credentials --format env)\" ({})",
            causes(&error)
        )),
        SdkError::DispatchFailure(_) => {
            StoreError::Unavailable(format!("it cannot be reached ({})", causes(&error)))
        }
        SdkError::ResponseError(_) => {
            StoreError::Unavailable(format!("its answer cannot be read ({})", causes(&error)))
        }
        _ => StoreError::Unavailable(causes(&error)),
    }
}

/// By the error codes of both services; those that all services have are listed at
/// <https://docs.aws.amazon.com/secretsmanager/latest/apireference/CommonErrors.html>.
fn named(code: &str, message: &str) -> StoreError {
    let said = bounded(&format!("{code}: {message}"));
    match code {
        "ResourceNotFoundException" | "NotFoundException" => StoreError::NotFound,
        "ResourceExistsException" | "AlreadyExistsException" => StoreError::Exists,
        // A disabled key is a withdrawn one.
        "DisabledException" => StoreError::NotFound,
        "InvalidRequestException" | "KMSInvalidStateException" if message.contains("delet") => {
            StoreError::Deleted(said)
        }
        "DecryptionFailure" | "DecryptionFailureException" => StoreError::Undecryptable(said),
        "AccessDenied"
        | "AccessDeniedException"
        | "NotAuthorized"
        | "OptInRequired"
        | "UnauthorizedOperation"
        | "UnrecognizedClientException"
        | "InvalidClientTokenId"
        | "InvalidSignatureException"
        | "SignatureDoesNotMatch"
        | "IncompleteSignature"
        | "MissingAuthenticationToken"
        | "MissingAuthenticationTokenException"
        | "ExpiredToken"
        | "ExpiredTokenException"
        | "RequestExpired" => StoreError::Denied(said),
        "Throttling"
        | "ThrottlingException"
        | "ThrottledException"
        | "RequestThrottled"
        | "RequestThrottledException"
        | "RequestLimitExceeded"
        | "TooManyRequestsException"
        | "SlowDown" => StoreError::Throttled(said),
        _ => StoreError::Unavailable(said),
    }
}

fn has_no_credentials(error: &(dyn Error + 'static)) -> bool {
    chain(error).any(|cause| cause.is::<CredentialsError>())
}

/// The texts of an error and of what is behind it.
fn causes(error: &(dyn Error + 'static)) -> String {
    let mut texts: Vec<String> = chain(error).map(ToString::to_string).collect();
    texts.dedup();
    bounded(&texts.join(": "))
}

fn chain<'e>(error: &'e (dyn Error + 'static)) -> impl Iterator<Item = &'e (dyn Error + 'static)> {
    iter::successors(Some(error), |&error| error.source())
}

/// On one line, and of a length that fits a log line.
fn bounded(text: &str) -> String {
    text.chars().map(|character| if character.is_control() { ' ' } else { character }).take(400).collect()
}
