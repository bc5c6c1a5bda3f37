//! What happened to a job, in order. Facts are appended and never changed; everything else is derived from them.

use providers::{CallError, Observed, ResourceId, Token, Trouble};
use serde::{Deserialize, Serialize};

use super::{Outcome, Plan};

/// What is done to a resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verb {
    /// Make it, or find it.
    Ensure,
    /// Switch a machine on.
    Start,
    /// Switch a machine off.
    Stop,
    /// Write its tags.
    Tag,
    /// Take it away.
    Remove,
}

impl Verb {
    /// The word for it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ensure => "ensure",
            Self::Start => "start",
            Self::Stop => "stop",
            Self::Tag => "tag",
            Self::Remove => "remove",
        }
    }
}

/// What follows an unwinding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum After {
    /// The job fails.
    Fail,
    /// The next candidate is tried.
    Replan,
    /// The job is cancelled.
    Cancel,
}

/// One thing that happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "fact")]
pub enum Fact {
    /// A plan was made. Those before it have been unwound.
    Planned {
        /// The plan.
        plan: Plan,
    },
    /// A call is about to be made. Written before it, so that a crash leaves a trace of what may exist.
    Began {
        /// On what.
        resource: ResourceId,
        /// Which call.
        verb: Verb,
        /// Its idempotency token, where it has one.
        token: Option<Token>,
    },
    /// The call was answered.
    Answered {
        /// On what.
        resource: ResourceId,
        /// Which call.
        verb: Verb,
        /// The answer.
        observed: Observed,
    },
    /// The call failed.
    Failed {
        /// On what.
        resource: ResourceId,
        /// Which call; none when a mere look failed.
        verb: Option<Verb>,
        /// How.
        error: CallError,
    },
    /// A look at the cloud showed something new.
    Saw {
        /// At what.
        resource: ResourceId,
        /// What it showed.
        observed: Observed,
    },
    /// Nothing is there: a look after the window in which the cloud may hide what it has just made has shown nothing.
    Settled {
        /// Of what.
        resource: ResourceId,
    },
    /// From here on, what was begun is taken back.
    Unwinding {
        /// Why.
        because: Trouble,
        /// What follows.
        then: After,
    },
    /// A person asked for it to be called off.
    CancelAsked,
    /// A person asked for another try after it was stuck, or failed.
    RetryAsked,
    /// The end.
    Ended {
        /// Which, and why.
        outcome: Outcome,
    },
}

/// A fact with its place and time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Its number within the job, from 1.
    pub seq: i32,
    /// When it was recorded, in milliseconds since 1970.
    pub at_ms: i64,
    /// What happened.
    #[serde(flatten)]
    pub fact: Fact,
}
