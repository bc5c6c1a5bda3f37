//! A worker's right to a job, as the job's handler sees it.

use std::{
    future::Future,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
};

use tokio_util::sync::CancellationToken;

use crate::store::Claim;

/// The right to drive one job. It ends when the worker could not extend its lease in time, or lost it.
#[derive(Clone, Debug)]
pub struct Lease {
    claim: Claim,
    until_ms: Arc<AtomicI64>,
    lost: CancellationToken,
    cancel: CancellationToken,
    stopping: CancellationToken,
}

impl Lease {
    /// A lease that holds until `until_ms` says otherwise or `lost` is cancelled.
    #[must_use]
    pub fn new(
        claim: Claim,
        until_ms: Arc<AtomicI64>,
        lost: CancellationToken,
        cancel: CancellationToken,
        stopping: CancellationToken,
    ) -> Self {
        Self { claim, until_ms, lost, cancel, stopping }
    }

    /// The claim, for every write of the job.
    #[must_use]
    pub const fn claim(&self) -> &Claim {
        &self.claim
    }

    /// Whether the job is still ours at that time. Make no cloud call when it is not.
    #[must_use]
    pub fn is_held(&self, now_ms: i64) -> bool {
        !self.lost.is_cancelled() && now_ms < self.until_ms.load(Ordering::Acquire)
    }

    /// Cancelled when the job is certainly no longer ours.
    #[must_use]
    pub const fn lost(&self) -> &CancellationToken {
        &self.lost
    }

    /// Whether a person asked for the job to be called off.
    #[must_use]
    pub fn cancel_asked(&self) -> bool {
        self.cancel.is_cancelled()
    }

    /// Resolves when a person asks for the job to be called off.
    pub fn cancelled(&self) -> impl Future<Output = ()> + Send + '_ {
        self.cancel.cancelled()
    }

    /// Cancelled when the worker shuts down: finish the call in flight, then return [`super::Handled::Later`].
    #[must_use]
    pub const fn stopping(&self) -> &CancellationToken {
        &self.stopping
    }
}
