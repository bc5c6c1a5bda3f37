//! What a worker and whoever drives its jobs agree on: the time, a run of one job, and how it came back.

use async_trait::async_trait;

use super::Lease;
use crate::{
    core::{Drop, Fact, Outcome},
    store::Claimed,
};

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
