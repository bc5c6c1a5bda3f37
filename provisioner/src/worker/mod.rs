//! The worker: claims jobs, keeps its lease alive, hands each job to a [`Handler`], writes down how it ended.
//!
//! One pump talks to the queue: it finishes what has ended and claims for the slots that are free, in one statement. One
//! heart keeps the lease. Neither knows what a job does. All waiting is `tokio::time`, all reading of the time is the
//! [`Clock`]; nothing here looks at a wall.

mod heart;
mod pump;

use std::{fmt, sync::Arc};

use tokio::{sync::mpsc, task::JoinSet};
use tokio_util::sync::CancellationToken;

use crate::{
    execute::{Clock, Handler},
    store::{Backend, Session, SignOn, Store, StoreError, WorkerId},
};

use heart::{Life, Terms, sleep_until};
use pump::{Pump, Stopped};

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
    let terms = Terms::within(config.lease_ms);
    let mut summary = Summary::default();
    let Some(mut session) = sign_on(&store, &config, terms, &*clock, &stop, &mut summary).await? else {
        return Ok(summary);
    };
    loop {
        let life = Life::new(session.clone(), clock.now_ms() + terms.held_ms);
        let (pulses_in, pulses) = mpsc::unbounded_channel();
        let mut heart = JoinSet::new();
        heart.spawn(heart::beat(store.clone(), life.clone(), terms, Arc::clone(&clock), pulses_in));
        let ear = store.listen().await;
        let poll_ms = poll_ms(&store, &config);
        let pump =
            Pump::new(&store, &handler, &config, &clock, &stop, &mut summary, (life.clone(), ear, pulses), poll_ms);
        let stopped = pump.work().await;
        drop(heart);
        match stopped {
            Stopped::Done => {
                if let Err(error) = store.sign_off(&session, clock.now_ms()).await {
                    tracing::warn!(%error, "could not sign off; the lease runs out by itself");
                }
                return Ok(summary);
            }
            Stopped::Lost => match sign_on_again(&store, &session, terms, &*clock, &stop).await {
                Some(new) => session = new,
                None => return Ok(summary),
            },
        }
    }
}

fn poll_ms(store: &Store, config: &WorkerConfig) -> i64 {
    let default = match store.backend() {
        Backend::Postgres => 20_000,
        Backend::Sqlite => 500,
    };
    config.poll_ms.and_then(|ms| i64::try_from(ms).ok()).unwrap_or(default).max(1)
}

/// Signs on. A name that a dead worker left is waited for, a live one's is an error. None: stopped meanwhile.
async fn sign_on(
    store: &Store,
    config: &WorkerConfig,
    terms: Terms,
    clock: &dyn Clock,
    stop: &CancellationToken,
    summary: &mut Summary,
) -> Result<Option<Session>, WorkerError> {
    let mut seen = None;
    loop {
        let now_ms = clock.now_ms();
        match store.sign_on(&config.id, None, now_ms + terms.lease_ms, now_ms).await? {
            SignOn::Done { session, taken_over } => {
                summary.taken_over += taken_over;
                return Ok(Some(session));
            }
            SignOn::Held { session, beat, lease_until_ms } => {
                if seen.is_some_and(|before| before != (session, beat)) {
                    return Err(WorkerError::NameTaken(config.id.clone()));
                }
                if seen.is_none() {
                    tracing::info!(worker = %config.id, "the name is in use: waiting to see whether its worker lives");
                }
                seen = Some((session, beat));
                let wake_ms = (lease_until_ms + 1).min(now_ms + terms.beat_ms);
                tokio::select! {
                    () = stop.cancelled() => return Ok(None),
                    () = sleep_until(clock, wake_ms) => {}
                }
            }
        }
    }
}

/// Signs on after a session was lost, however long it takes. None: stopped meanwhile.
async fn sign_on_again(
    store: &Store,
    lost: &Session,
    terms: Terms,
    clock: &dyn Clock,
    stop: &CancellationToken,
) -> Option<Session> {
    let mut wait_ms = 100;
    loop {
        if stop.is_cancelled() {
            return None;
        }
        let now_ms = clock.now_ms();
        match store.sign_on(&lost.worker, Some(lost), now_ms + terms.lease_ms, now_ms).await {
            Ok(SignOn::Done { session, .. }) => return Some(session),
            Ok(SignOn::Held { .. }) => tracing::error!(worker = %lost.worker, "another worker took this worker's name"),
            Err(error) => tracing::warn!(%error, "can't sign on again yet"),
        }
        tokio::select! {
            () = stop.cancelled() => {}
            () = sleep_until(clock, now_ms + wait_ms) => {}
        }
        wait_ms = (wait_ms * 2).min(terms.beat_ms.max(100));
    }
}
