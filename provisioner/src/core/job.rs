//! How jobs stand and how they end.

use providers::Trouble;
use serde::{Deserialize, Serialize};

/// Where a job stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum JobState {
    /// Waiting for a worker, or for its time.
    Queued,
    /// A worker holds it.
    Running,
    /// It did what it was asked.
    Succeeded,
    /// It could not, and took back what it had begun.
    Failed,
    /// It was called off, and took back what it had begun.
    Cancelled,
    /// It needs a person.
    Stuck,
}

impl JobState {
    /// The name in the database and in output.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Running => "running",
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
            Self::Stuck => "stuck",
        }
    }

    /// Whether nothing more happens by itself.
    #[must_use]
    pub const fn has_ended(self) -> bool {
        match self {
            Self::Queued | Self::Running => false,
            Self::Succeeded | Self::Failed | Self::Cancelled | Self::Stuck => true,
        }
    }
}

/// The four ends of a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ending {
    /// Done.
    Succeeded,
    /// Not done, and unwound.
    Failed,
    /// Called off, and unwound.
    Cancelled,
    /// Halted; a person must look.
    Stuck,
}

impl Ending {
    /// The job state that it leads to.
    #[must_use]
    pub const fn state(self) -> JobState {
        match self {
            Self::Succeeded => JobState::Succeeded,
            Self::Failed => JobState::Failed,
            Self::Cancelled => JobState::Cancelled,
            Self::Stuck => JobState::Stuck,
        }
    }
}

/// An end and its reason.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outcome {
    /// Which end.
    pub ending: Ending,
    /// Why, for all but success; it names the resource.
    pub because: Option<Trouble>,
    /// What a person can do about it.
    pub remedy: Option<String>,
}

impl Outcome {
    /// Success.
    pub const SUCCESS: Self = Self { ending: Ending::Succeeded, because: None, remedy: None };

    /// Any other end, with the advice that goes with its class.
    #[must_use]
    pub fn of(ending: Ending, because: Trouble) -> Self {
        let remedy = Some(because.class.advice().to_owned());
        Self { ending, because: Some(because), remedy }
    }
}
