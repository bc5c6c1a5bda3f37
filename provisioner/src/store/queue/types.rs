//! What the queue takes and gives.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::core::{Drop, Entry, Fact, JobId, OrgId, Outcome, ProjectId, Request};

/// A worker's name, as people know it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct WorkerId(pub String);

impl fmt::Display for WorkerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl From<&str> for WorkerId {
    fn from(text: &str) -> Self {
        Self(text.to_owned())
    }
}

/// A job to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewJob {
    /// What is asked for.
    pub request: Request,
    /// The higher goes first, among jobs of different builders.
    pub priority: i16,
    /// The caller's idempotency key: the same key with the same request is the same job.
    pub key: Option<String>,
    /// Not before then, in milliseconds since 1970. It holds up what comes after it for the same builder.
    pub run_at_ms: Option<i64>,
}

impl NewJob {
    /// That request, at once, with no key.
    #[must_use]
    pub const fn now(request: Request) -> Self {
        Self { request, priority: 0, key: None, run_at_ms: None }
    }
}

/// A job that was accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Enqueued {
    /// Its id.
    pub job: JobId,
    /// False if the key, or a deletion, was accepted before.
    pub fresh: bool,
}

/// A worker that has signed on, until it signs off or its lease runs out. A session that ended never comes back under
/// its number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    /// The number under which the database knows it.
    pub id: i32,
    /// The worker's name.
    pub worker: WorkerId,
}

/// The right to write for a job. Every write checks all of it against the job's lane.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    /// The job.
    pub job: JobId,
    /// The number of the claim in its lane. Any later claim of the lane has a greater one.
    pub fence: i64,
    /// The worker's name.
    pub worker: WorkerId,
    /// The worker's session.
    pub session: i32,
    /// The job's lane: see [`super::lane_key`].
    pub lane: i64,
}

/// A job in a worker's hands.
#[derive(Clone, Debug, PartialEq)]
pub struct Claimed {
    /// The right to it.
    pub claim: Claim,
    /// What is asked for.
    pub request: Request,
    /// The organization.
    pub org: OrgId,
    /// The project; none for an organization's own jobs.
    pub project: Option<ProjectId>,
    /// 1 at first; raised when a dead worker's job is taken over.
    pub attempt: i32,
    /// Its priority.
    pub priority: i16,
    /// When it was accepted, in milliseconds since 1970.
    pub created_ms: i64,
    /// Whether a person asked for it to be called off.
    pub cancel_asked: bool,
    /// What happened to it so far.
    pub entries: Vec<Entry>,
}

/// The end of a job, to be written.
#[derive(Clone, Debug, PartialEq)]
pub struct Finish {
    /// The right to it.
    pub claim: Claim,
    /// How it ended.
    pub outcome: Outcome,
    /// What is yet to be recorded. The [`Fact::Ended`] is kept as the outcome of the history and not twice.
    pub facts: Vec<Fact>,
    /// The tenant's row that goes with it.
    pub drops: Option<Drop>,
}

/// A job to be handed back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Release {
    /// The right to it.
    pub claim: Claim,
    /// When it may run again, in milliseconds since 1970.
    pub run_at_ms: i64,
    /// Whether this was an attempt that came to nothing.
    pub spent: bool,
}
