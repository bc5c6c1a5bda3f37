//! How a command fails: the exit status, what is said, and what to do about it.

use std::{fmt, io::Write as _};

use serde::Serialize;

use super::args::Output;
use crate::{config::ConfigError, store::StoreError};

/// A command that did not do what it was asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Failure {
    /// 1 failure, 2 bad usage or configuration.
    pub(crate) status: u8,
    /// What is wrong. Empty if it has been said already.
    pub(crate) message: String,
    /// What to do about it, a line each.
    pub(crate) remedies: Vec<String>,
}

impl Failure {
    /// It could not be done.
    pub(crate) fn failed(message: impl Into<String>) -> Self {
        Self { status: 1, message: message.into(), remedies: Vec::new() }
    }

    /// It was asked for in a way that can't be done.
    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self { status: 2, message: message.into(), remedies: Vec::new() }
    }

    /// It failed, and the output says so already.
    pub(crate) const fn told() -> Self {
        Self { status: 1, message: String::new(), remedies: Vec::new() }
    }

    /// The same with a remedy more.
    pub(crate) fn remedy(mut self, remedy: impl Into<String>) -> Self {
        self.remedies.push(remedy.into());
        self
    }

    /// Says it on standard error.
    pub(crate) fn report(&self, output: Output) {
        if self.message.is_empty() {
            return;
        }
        let text = match output {
            Output::Table => self.to_string(),
            Output::Json => {
                let said = Said { error: &self.message, remedies: &self.remedies, exit_status: self.status };
                serde_json::to_string(&said).unwrap_or_else(|_| self.to_string())
            }
        };
        // Standard error may be closed; there is nobody left to tell then.
        let _ = writeln!(std::io::stderr(), "{text}");
    }
}

#[derive(Serialize)]
struct Said<'a> {
    error: &'a str,
    remedies: &'a [String],
    exit_status: u8,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "error: {}", self.message)?;
        self.remedies.iter().try_for_each(|remedy| write!(f, "\n  remedy: {remedy}"))
    }
}

impl From<ConfigError> for Failure {
    fn from(error: ConfigError) -> Self {
        Self::usage(error.to_string()).remedy(error.remedy)
    }
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        Self::failed(format!("the output can't be written: {error}"))
    }
}

impl From<serde_json::Error> for Failure {
    fn from(error: serde_json::Error) -> Self {
        Self::failed(format!("the output can't be written as JSON: {error}"))
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::NotFound { what, name, remedy } => {
                Self::failed(format!("{what} `{name}` does not exist")).remedy(remedy)
            }
            StoreError::Exists { what, name, remedy } => {
                Self::failed(format!("{what} `{name}` exists already")).remedy(remedy)
            }
            StoreError::Refused { field, reason, remedy } => Self::failed(format!("{field}: {reason}")).remedy(remedy),
            // The others say in one sentence what is wrong and what to do.
            other => Self::failed(other.to_string()),
        }
    }
}
