//! How idle workers learn that there is something to do.
//!
//! On PostgreSQL by NOTIFY. It takes a lock on the whole database from just before the commit until after it, so that inside
//! enqueueing transactions it makes them queue up behind each other's fsync. Two things keep that away: a process enqueues
//! over one connection, and its statement carries the NOTIFY only if the process has not sent one for a while
//! ([`GAP_MS`]): then it saves a statement and costs nobody anything. Otherwise one NOTIFY follows after the commit, one at
//! a time, for all that was enqueued meanwhile, in a transaction that waits for no disk.
//!
//! On SQLite by a signal inside the process. Behind both stands the workers' slow poll.

use std::{
    sync::atomic::{AtomicBool, AtomicI64, Ordering},
    time::Duration,
};

use sea_orm::sqlx::{self, postgres::PgListener};
use tokio::{sync::broadcast, time::Instant};

use crate::{
    core::JobId,
    store::{Backend, Store},
};

use super::postgres::CHANNEL;

/// At most every so many milliseconds does an enqueueing statement carry a NOTIFY of its own.
const GAP_MS: i64 = 20;

/// What a worker may hear.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Signal {
    /// There may be jobs to claim.
    Ready,
    /// That job is to be called off.
    Cancel(JobId),
}

impl Signal {
    fn payload(self) -> String {
        match self {
            Self::Ready => String::new(),
            Self::Cancel(job) => format!("cancel {job}"),
        }
    }

    fn parse(payload: &str) -> Self {
        payload.strip_prefix("cancel ").and_then(|job| job.parse().ok()).map_or(Self::Ready, Self::Cancel)
    }
}

/// Who may tell, and when.
#[derive(Debug)]
pub(super) struct Pace {
    start: Instant,
    last_ms: AtomicI64,
    /// A task is telling.
    telling: AtomicBool,
    /// Something was enqueued since it began.
    again: AtomicBool,
}

impl Default for Pace {
    #[expect(clippy::disallowed_methods, reason = "it paces wake-ups, which no decision depends on")]
    fn default() -> Self {
        Self {
            start: Instant::now(),
            last_ms: AtomicI64::new(-GAP_MS),
            telling: AtomicBool::new(false),
            again: AtomicBool::new(false),
        }
    }
}

impl Pace {
    /// Whether an enqueueing statement may tell by itself.
    pub(super) fn take(&self) -> bool {
        let now_ms = i64::try_from(self.start.elapsed().as_millis()).unwrap_or(i64::MAX);
        let last_ms = self.last_ms.load(Ordering::Relaxed);
        let free = now_ms >= last_ms + GAP_MS && !self.telling.load(Ordering::Relaxed);
        if free {
            self.last_ms.store(now_ms, Ordering::Relaxed);
        }
        free
    }
}

/// A transaction that need not be on disk before its commit returns: a NOTIFY does not survive a crash anyway.
const TELL: &str = "SELECT set_config('synchronous_commit', 'off', true), pg_notify($1, $2)";

impl Store {
    /// Tells the workers. What is lost here is found by their slow poll.
    pub(crate) async fn signal(&self, signal: Signal) {
        match self.backend() {
            Backend::Sqlite => drop(self.queue().signals.send(signal)),
            Backend::Postgres => {
                let pool = self.tuned().await;
                let telling = sqlx::query(TELL).bind(CHANNEL).bind(signal.payload()).execute(pool);
                if let Err(error) = self.sql(telling).await {
                    tracing::warn!(%error, "could not wake the workers");
                }
            }
        }
    }

    /// Tells the workers that there is something to claim, for instance after a retry.
    pub(crate) async fn notify(&self) {
        self.signal(Signal::Ready).await;
    }

    /// Tells the worker that holds the job that it is to be called off. It would see the flag at its next write or heartbeat.
    pub(crate) async fn notify_cancel(&self, job: JobId) {
        self.signal(Signal::Cancel(job)).await;
    }

    /// Tells the workers after a commit, one telling at a time.
    pub(super) fn tell_soon(&self) {
        let pace = &self.queue().pace;
        pace.again.store(true, Ordering::Release);
        if pace.telling.swap(true, Ordering::AcqRel) {
            return;
        }
        let store = self.clone();
        tokio::spawn(async move {
            let pace = &store.queue().pace;
            loop {
                while pace.again.swap(false, Ordering::AcqRel) {
                    store.notify().await;
                    tokio::time::sleep(Duration::from_millis(1)).await;
                }
                pace.telling.store(false, Ordering::Release);
                // Whoever came between the two lines above saw a task at work that was not.
                if !pace.again.load(Ordering::Acquire) || pace.telling.swap(true, Ordering::AcqRel) {
                    return;
                }
            }
        });
    }

    /// Begins to listen.
    pub(crate) async fn listen(&self) -> Ear {
        match self.backend() {
            Backend::Sqlite => Ear::Process(self.queue().signals.subscribe()),
            Backend::Postgres => Ear::Postgres { pool: self.tuned().await.clone(), listener: None },
        }
    }
}

/// A worker's ear.
#[derive(Debug)]
pub(crate) enum Ear {
    /// SQLite's.
    Process(broadcast::Receiver<Signal>),
    /// PostgreSQL's.
    Postgres {
        /// Where connections come from.
        pool: sqlx::PgPool,
        /// The connection, once there is one.
        listener: Option<PgListener>,
    },
}

impl Ear {
    /// The next signal. What may have been missed is heard as [`Signal::Ready`]. It may be dropped at any time and called again.
    pub(crate) async fn hear(&mut self) -> Signal {
        match self {
            Self::Process(signals) => match signals.recv().await {
                Ok(signal) => signal,
                Err(broadcast::error::RecvError::Lagged(_)) => Signal::Ready,
                Err(broadcast::error::RecvError::Closed) => std::future::pending().await,
            },
            Self::Postgres { pool, listener } => loop {
                let Some(connected) = listener else {
                    match connect(pool).await {
                        Ok(new) => {
                            *listener = Some(new);
                            return Signal::Ready;
                        }
                        Err(error) => {
                            tracing::warn!(%error, "cannot listen to the database; the slow poll goes on");
                            tokio::time::sleep(Duration::from_secs(1)).await;
                            continue;
                        }
                    }
                };
                match connected.try_recv().await {
                    Ok(Some(notification)) => return Signal::parse(notification.payload()),
                    Ok(None) => return Signal::Ready,
                    Err(error) => {
                        tracing::warn!(%error, "lost the connection on which the database tells of jobs");
                        *listener = None;
                    }
                }
            },
        }
    }
}

async fn connect(pool: &sqlx::PgPool) -> Result<PgListener, sqlx::Error> {
    let mut listener = PgListener::connect_with(pool).await?;
    listener.listen(CHANNEL).await?;
    Ok(listener)
}
