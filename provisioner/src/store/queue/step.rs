//! One step of a worker: finish what has ended, claim for the free slots.

use std::collections::BTreeMap;

use crate::{
    core::{Fact, JobId, Outcome},
    store::{Backend, RecordError, Store, StoreError},
};

use super::{
    Claimed, Finish, Release, Session, Signal, ending,
    marks::{Marks, Sight},
    postgres, sqlite,
};

/// What a worker asks of the queue in one go.
#[derive(Debug)]
pub(crate) struct Step<'a> {
    /// Who asks.
    pub(crate) session: &'a Session,
    /// What has ended. None of it drops a tenant.
    pub(crate) finishes: &'a [Finish],
    /// The jobs that it holds and that have not ended, to be passed over quickly. It may be incomplete.
    pub(crate) running: &'a [i64],
    /// How many jobs it can take.
    pub(crate) slots: usize,
    /// What it knows of the front of the queue.
    pub(crate) marks: &'a Marks,
    /// Whether to look if any job at all is left.
    pub(crate) look_for_any: bool,
    /// The time in milliseconds since 1970.
    pub(crate) now_ms: i64,
}

/// What came of it.
#[derive(Debug, Default)]
pub(crate) struct Stepped {
    /// The jobs whose end is written. Those that are missing were no longer the session's.
    pub(crate) finished: Vec<JobId>,
    /// The jobs that are the session's now, in the order in which they should start.
    pub(crate) claimed: Vec<Result<Claimed, Unreadable>>,
    /// Whether another worker was faster with some: claim again.
    pub(crate) contested: bool,
    /// When the next job that waits for its time is due.
    pub(crate) next_due_ms: Option<i64>,
    /// Whether any job is queued or running, if that was asked; as it was before this step.
    pub(crate) any: bool,
    /// What the marks can learn.
    pub(crate) sight: Sight,
}

/// A job that was claimed and can't be understood.
#[derive(Debug)]
pub(crate) struct Unreadable {
    /// The right to it.
    pub(crate) claim: super::Claim,
    /// What is wrong with it.
    pub(crate) reason: String,
}

impl Finish {
    /// The outcome as the history keeps it: nothing for a plain success.
    pub(super) fn outcome_json(&self) -> Result<Option<String>, serde_json::Error> {
        if self.outcome == Outcome::SUCCESS {
            return Ok(None);
        }
        serde_json::to_string(&self.outcome).map(Some)
    }

    /// The facts but the end, which the history's row stands for.
    pub(super) fn facts_json(&self) -> Result<Vec<String>, serde_json::Error> {
        self.facts.iter().filter(|fact| !matches!(fact, Fact::Ended { .. })).map(serde_json::to_string).collect()
    }
}

impl Store {
    /// Finishes and claims.
    pub(crate) async fn step(&self, step: &Step<'_>) -> Result<Stepped, StoreError> {
        match self.backend() {
            Backend::Postgres => {
                let pool = self.tuned().await;
                self.sql(postgres::step(pool, step)).await
            }
            Backend::Sqlite => self.sql(sqlite::step(self.db().get_sqlite_connection_pool(), step)).await,
        }
    }

    /// Claims up to `slots` jobs that may run now.
    ///
    /// # Errors
    ///
    /// The database's. A job that can't be understood is an error, too, and stays claimed.
    pub async fn claim(&self, session: &Session, slots: usize, now_ms: i64) -> Result<Vec<Claimed>, StoreError> {
        let marks = Marks::default();
        let step = Step { session, finishes: &[], running: &[], slots, marks: &marks, look_for_any: false, now_ms };
        let stepped = self.step(&step).await?;
        stepped.claimed.into_iter().map(|claimed| claimed.map_err(|bad| corrupt(&bad))).collect()
    }

    /// Moves jobs that have ended into the history. One that its worker has lost does not keep the others from it.
    pub async fn finish(&self, finishes: Vec<Finish>, now_ms: i64) -> Vec<Result<(), RecordError>> {
        let mut results: Vec<Result<(), RecordError>> = finishes.iter().map(|_| Err(RecordError::LostLease)).collect();
        // One statement serves one session.
        let mut by_session: BTreeMap<i32, Vec<usize>> = BTreeMap::new();
        for (nth, finish) in finishes.iter().enumerate() {
            if finish.drops.is_some() {
                results[nth] = self.finish_dropping(finish, now_ms).await;
            } else {
                by_session.entry(finish.claim.session).or_default().push(nth);
            }
        }
        let marks = Marks::default();
        for (id, nths) in by_session {
            let session = Session { id, worker: finishes[nths[0]].claim.worker.clone() };
            let batch: Vec<_> = nths.iter().map(|&nth| finishes[nth].clone()).collect();
            let step = Step {
                session: &session,
                finishes: &batch,
                running: &[],
                slots: 0,
                marks: &marks,
                look_for_any: false,
                now_ms,
            };
            let stepped = self.step(&step).await;
            for nth in nths {
                results[nth] = match &stepped {
                    Ok(stepped) if stepped.finished.contains(&finishes[nth].claim.job) => Ok(()),
                    Ok(_) => Err(RecordError::LostLease),
                    Err(error) => Err(RecordError::Store(error.clone())),
                };
            }
        }
        results
    }

    /// Moves one job that takes a tenant's row with it into the history, both or neither.
    pub(crate) async fn finish_dropping(&self, finish: &Finish, now_ms: i64) -> Result<(), RecordError> {
        let held = self.run(ending::finish_dropping(self.db(), finish, now_ms)).await?;
        if held { Ok(()) } else { Err(RecordError::LostLease) }
    }

    /// Hands jobs back, in one statement, and tells the other workers, if asked to. Returns those that were still their worker's.
    ///
    /// # Errors
    ///
    /// The database's.
    pub async fn release_all(&self, releases: &[Release], tell: bool) -> Result<Vec<JobId>, StoreError> {
        let released = match self.backend() {
            Backend::Postgres => {
                let pool = self.tuned().await;
                self.sql(postgres::release(pool, releases)).await?
            }
            Backend::Sqlite => self.sql(sqlite::release(self.db().get_sqlite_connection_pool(), releases)).await?,
        };
        if tell {
            self.signal(Signal::Ready).await;
        }
        Ok(released)
    }

    /// Hands one job back.
    ///
    /// # Errors
    ///
    /// It is no longer its worker's; or the database's.
    pub async fn release(&self, claim: &super::Claim, run_at_ms: i64) -> Result<(), RecordError> {
        let release = Release { claim: claim.clone(), run_at_ms, spent: false };
        let released = self.release_all(&[release], true).await?;
        if released.is_empty() { Err(RecordError::LostLease) } else { Ok(()) }
    }
}

fn corrupt(bad: &Unreadable) -> StoreError {
    StoreError::Corrupt {
        table: "jobs",
        id: bad.claim.job.to_string(),
        column: "verb, project, arch, or a fact",
        reason: bad.reason.clone(),
    }
}
