//! Keeps a worker's lease, and watches for the others' to run out.
//!
//! The lease in the database ends before the promised time is over, so that a takeover at its end is still within it; and
//! the worker stops trusting it earlier still, so that it has stopped when the takeover comes.

use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use tokio::{sync::mpsc, time};
use tokio_util::sync::CancellationToken;

use crate::{
    core::JobId,
    store::{Session, Store},
};

use super::Clock;

/// The parts of a lease, in milliseconds.
#[derive(Clone, Copy, Debug)]
pub(super) struct Terms {
    /// From one heartbeat to the next.
    pub(super) beat_ms: i64,
    /// How long a heartbeat is good for, as others see it.
    pub(super) lease_ms: i64,
    /// The same, as this worker sees it.
    pub(super) held_ms: i64,
}

impl Terms {
    /// The terms that keep the promise of a takeover within that time.
    pub(super) fn within(promised_ms: i64) -> Self {
        let part = |tenths: i64| (promised_ms * tenths / 10).max(1);
        Self { beat_ms: (promised_ms / 3).max(1), lease_ms: part(8), held_ms: part(7) }
    }
}

/// One session's life, shared by the heart, the pump and the leases.
#[derive(Clone, Debug)]
pub(super) struct Life {
    pub(super) session: Session,
    /// Until when this worker may act.
    pub(super) until_ms: Arc<AtomicI64>,
    /// Cancelled when it is over.
    pub(super) lost: CancellationToken,
}

impl Life {
    pub(super) fn new(session: Session, until_ms: i64) -> Self {
        Self { session, until_ms: Arc::new(AtomicI64::new(until_ms)), lost: CancellationToken::new() }
    }
}

/// What the heart tells the pump.
#[derive(Debug)]
pub(super) enum Pulse {
    /// These jobs, anybody's, are to be called off.
    Cancels(Vec<JobId>),
    /// So many jobs of dead workers are back in the queue.
    TakenOver(u64),
}

/// Beats until the session is over; then `life.lost` is cancelled.
pub(super) async fn beat(
    store: Store,
    life: Life,
    terms: Terms,
    clock: Arc<dyn Clock>,
    pulses: mpsc::UnboundedSender<Pulse>,
) {
    // The first beat comes soon: it brings what the others' leases are.
    let mut beat_at = clock.now_ms() + terms.beat_ms / 4;
    let mut others_until: Option<i64> = None;
    let mut failures = 0_u32;
    loop {
        let sweep_at = others_until.map(|until| until + 1);
        sleep_until(&*clock, sweep_at.map_or(beat_at, |at| at.min(beat_at))).await;
        let now_ms = clock.now_ms();
        if sweep_at.is_some_and(|at| at <= now_ms) {
            others_until = sweep(&store, now_ms, &pulses).await;
        }
        if now_ms < beat_at {
            continue;
        }
        let left = life.until_ms.load(Ordering::Acquire) - now_ms;
        let beating = store.beat(&life.session, now_ms + terms.lease_ms);
        let beaten = time::timeout(millis(left), beating).await;
        match beaten {
            Ok(Ok(Some(beat))) => {
                failures = 0;
                life.until_ms.store(now_ms + terms.held_ms, Ordering::Release);
                beat_at = now_ms + terms.beat_ms;
                others_until = beat.others_until_ms;
                if !beat.cancels.is_empty() {
                    drop(pulses.send(Pulse::Cancels(beat.cancels)));
                }
            }
            Ok(Ok(None)) => {
                tracing::error!(worker = %life.session.worker, "the lease was taken: this worker was given up for dead");
                break;
            }
            Ok(Err(error)) => {
                failures += 1;
                tracing::warn!(%error, failures, "the heartbeat failed");
                beat_at = clock.now_ms() + (50 << failures.min(5)).min(terms.beat_ms);
            }
            Err(_) => tracing::warn!("the heartbeat had no answer"),
        }
        if clock.now_ms() >= life.until_ms.load(Ordering::Acquire) {
            tracing::error!(worker = %life.session.worker, "the lease could not be extended in time");
            break;
        }
    }
    life.lost.cancel();
}

/// Returns when the next of the others' leases runs out.
async fn sweep(store: &Store, now_ms: i64, pulses: &mpsc::UnboundedSender<Pulse>) -> Option<i64> {
    match store.sweep(now_ms).await {
        Ok(swept) => {
            if swept.freed > 0 {
                tracing::warn!(jobs = swept.freed, "took over the jobs of a dead worker");
                drop(pulses.send(Pulse::TakenOver(swept.freed)));
            }
            // A live one's will have been extended by then; its own row is among them, and does no harm.
            swept.next_until_ms.filter(|until| *until > now_ms)
        }
        Err(error) => {
            tracing::warn!(%error, "could not look for dead workers");
            Some(now_ms + 1_000)
        }
    }
}

pub(super) async fn sleep_until(clock: &dyn Clock, at_ms: i64) {
    time::sleep(millis(at_ms.saturating_sub(clock.now_ms()))).await;
}

pub(super) fn millis(ms: i64) -> Duration {
    Duration::from_millis(u64::try_from(ms).unwrap_or(0))
}
