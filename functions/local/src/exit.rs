//! How commands end.

use std::{fmt::Display, process::ExitCode};

use crate::{aws::AwsError, azure::AzureError};

/// What an exit code means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// Done, valid, or every request allowed.
    Ok = 0,
    /// It could not be done.
    Failure = 1,
    /// A request was denied.
    Denied = 2,
    /// Arguments, configuration or input are wrong.
    Invalid = 3,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// Why a command did not do what it was asked, in words for whoever asked.
#[derive(Debug)]
pub struct Failure {
    /// [`Exit::Failure`] or [`Exit::Invalid`].
    pub exit: Exit,
    /// What happened and what to do.
    pub message: String,
}

impl Failure {
    /// It could not be done.
    pub fn new(message: impl Display) -> Self {
        Self { exit: Exit::Failure, message: message.to_string() }
    }

    /// What was asked is wrong.
    pub fn invalid(message: impl Display) -> Self {
        Self { exit: Exit::Invalid, message: message.to_string() }
    }
}

impl From<String> for Failure {
    fn from(message: String) -> Self {
        Self::new(message)
    }
}

impl From<AwsError> for Failure {
    fn from(error: AwsError) -> Self {
        match error {
            AwsError::Configuration(_) => Self::invalid(error),
            error => Self::new(error),
        }
    }
}

impl From<AzureError> for Failure {
    fn from(error: AzureError) -> Self {
        Self::new(error)
    }
}

/// What a command returns.
pub type Outcome = Result<Exit, Failure>;
