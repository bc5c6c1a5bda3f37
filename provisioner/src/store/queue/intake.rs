//! Where jobs come in. Callers that come together are written together, by one of this process's connections.
//!
//! Nobody waits for company: a batch is what has come while the batch before it was being written, as with a group commit.

use std::{mem, sync::Arc};

use sea_orm::{ConnectionTrait, DbErr, QueryResult};
use tokio::sync::oneshot;
use uuid::Uuid;

use crate::{
    core::{JobId, Request},
    store::{
        Backend, Store, StoreError,
        scope::Scope,
        sql::{Sql, Via},
    },
};

use super::{
    Enqueued, NewJob, Signal,
    deletion::{self, Accepted},
    postgres, rows, sqlite, tx,
};

/// More jobs than this are not written in one statement.
const MOST: usize = 256;

/// After so many yields without anything new, a batch goes out.
const YIELDS: u32 = 24;

/// The longest idempotency key, in bytes.
const KEY_BYTES: usize = 200;

/// Jobs that wait to be written.
#[derive(Debug, Default)]
pub(super) struct Asks {
    waiting: Vec<Ask>,
    /// Whether a task is at work that will see to them.
    served: bool,
}

#[derive(Debug)]
struct Ask {
    job: NewJob,
    now_ms: i64,
    /// Of whose transaction it may be a part: jobs of several tenants are not written in one that is about the rows of one.
    scope: Option<Arc<Scope>>,
    answer: oneshot::Sender<Result<Enqueued, StoreError>>,
}

/// One job of a batch.
#[derive(Debug)]
pub(super) struct New<'a> {
    pub(super) job: &'a NewJob,
    pub(super) project: Uuid,
    pub(super) now_ms: i64,
}

/// The job for which a key stands.
#[derive(Debug)]
pub(super) struct Known {
    pub(super) job: JobId,
    /// What it was asked; none if that can't be read.
    pub(super) request: Option<Request>,
}

impl Known {
    /// From job, verb, org, project and arch.
    pub(super) fn read(row: &QueryResult) -> Result<Self, DbErr> {
        let (verb, org): (Option<String>, Option<Uuid>) = (row.try_get_by_index(1)?, row.try_get_by_index(2)?);
        let (project, arch): (Option<Uuid>, Option<String>) = (row.try_get_by_index(3)?, row.try_get_by_index(4)?);
        let request = match (verb, org) {
            (Some(verb), Some(org)) => rows::request(&verb, project, org, arch.as_deref()).ok(),
            (None, _) | (_, None) => None,
        };
        Ok(Self { job: JobId(row.try_get_by_index(0)?), request })
    }

    fn answer(&self, new: &NewJob) -> Result<Enqueued, StoreError> {
        if self.request == Some(new.request) {
            Ok(Enqueued { job: self.job, fresh: false })
        } else {
            Err(StoreError::KeyReused { key: new.key.clone().unwrap_or_default(), job: self.job })
        }
    }
}

impl Store {
    /// Accepts a job. When this returns, the job survives the plug.
    ///
    /// # Errors
    ///
    /// `KeyReused` if the key stands for another request; `NotFound` and `Refused` if the tenant is not there or on its way out;
    /// or the database's. After an outage the job may have been accepted: ask again with the same key.
    pub async fn enqueue(&self, job: NewJob, now_ms: i64) -> Result<Enqueued, StoreError> {
        check_key(&job)?;
        if deletion::is_accepted_here(&job.request) {
            return self.enqueue_deletion(&job, now_ms).await;
        }
        let (answer, answered) = oneshot::channel();
        let asks = Arc::clone(&self.queue().asks);
        let lead = {
            let mut asks = lock(&asks);
            asks.waiting.push(Ask { job, now_ms, scope: self.scope.clone(), answer });
            !mem::replace(&mut asks.served, true)
        };
        if lead {
            // A task of its own: a caller that goes away must not take the others' jobs with it.
            tokio::spawn(serve(self.clone()));
        }
        answered.await.unwrap_or_else(|_| Err(StoreError::unreachable("this process is shutting down")))
    }

    async fn enqueue_deletion(&self, job: &NewJob, now_ms: i64) -> Result<Enqueued, StoreError> {
        loop {
            match self.run(deletion::accept(self.begin().await?, job, now_ms)).await? {
                Accepted::Job { job, fresh } => {
                    self.signal(Signal::Ready).await;
                    return Ok(Enqueued { job, fresh });
                }
                Accepted::Known(known) => return known.answer(job),
                Accepted::Retry => tokio::task::yield_now().await,
                Accepted::NoTenant => return Err(no_tenant(&job.request)),
                Accepted::OrgDeleting(org) => return Err(deleting("organization", &org)),
            }
        }
    }

    /// Writes a batch and answers it.
    async fn write(&self, batch: Vec<Ask>) {
        match self.write_new(&batch).await {
            Ok(ids) => {
                let mut refused = Vec::new();
                for (ask, id) in batch.into_iter().zip(ids) {
                    match id {
                        Some(job) => drop(ask.answer.send(Ok(Enqueued { job, fresh: true }))),
                        None => refused.push(ask),
                    }
                }
                for ask in refused {
                    let why = self.why_refused(&ask.job).await;
                    drop(ask.answer.send(why));
                }
            }
            Err(error) => {
                for ask in batch {
                    drop(ask.answer.send(Err(error.clone())));
                }
            }
        }
    }

    async fn write_new(&self, batch: &[Ask]) -> Result<Vec<Option<JobId>>, StoreError> {
        let new: Vec<_> = batch
            .iter()
            .map(|ask| New {
                job: &ask.job,
                project: ask.job.request.project().map_or_else(Uuid::nil, crate::core::ProjectId::as_uuid),
                now_ms: ask.now_ms,
            })
            .collect();
        match self.backend() {
            Backend::Postgres => {
                let told = self.queue().pace.take();
                let pool = self.tuned().await;
                let ids = match &self.scope {
                    None => self.sql(postgres::enqueue(pool, &new, told)).await?,
                    Some(scope) => {
                        self.sql(async {
                            let mut transaction = pool.begin_with(scope.begin()).await?;
                            let ids = postgres::enqueue(&mut *transaction, &new, told).await?;
                            transaction.commit().await?;
                            Ok(ids)
                        })
                        .await?
                    }
                };
                if !told {
                    self.tell_soon();
                }
                Ok(ids)
            }
            Backend::Sqlite => {
                let ids = self.sql(sqlite::enqueue(self.db().get_sqlite_connection_pool(), &new)).await?;
                self.signal(Signal::Ready).await;
                Ok(ids)
            }
        }
    }

    /// Why a job was not written: its key is known, or its tenant does not admit it.
    async fn why_refused(&self, job: &NewJob) -> Result<Enqueued, StoreError> {
        if let Some(key) = &job.key
            && let Some(row) = self.query(Via::Reader, Sql::with(KNOWN, [key.into()])).await?.first()
        {
            return self.run(async { Known::read(row) }).await?.answer(job);
        }
        let Some(project) = job.request.project() else { return Err(no_tenant(&job.request)) };
        let sql = Sql::with("SELECT name, deleting FROM projects WHERE id = $1", [project.as_uuid().into()]);
        let rows = self.query(Via::Reader, sql).await?;
        let Some(row) = rows.first() else { return Err(no_tenant(&job.request)) };
        let name: String = self.run(async { row.try_get_by_index(0) }).await?;
        Err(deleting("project", &name))
    }
}

/// Works until nothing waits.
async fn serve(store: Store) {
    loop {
        // Callers that were answered a moment ago get a chance to come back before the next batch goes out: some microseconds.
        let (mut before, mut fruitless) = (0, 0);
        while fruitless < YIELDS && before < MOST {
            tokio::task::yield_now().await;
            let now = lock(&store.queue().asks).waiting.len();
            fruitless = if now > before { 0 } else { fruitless + 1 };
            before = now;
        }
        let batch = {
            let mut asks = lock(&store.queue().asks);
            if asks.waiting.is_empty() {
                asks.served = false;
                return;
            }
            take_batch(&mut asks.waiting)
        };
        let scope = batch.first().and_then(|ask| ask.scope.clone());
        Store { scope, ..store.clone() }.write(batch).await;
    }
}

/// The oldest of them, all in one scope, and no key twice: the second is to find the first.
fn take_batch(waiting: &mut Vec<Ask>) -> Vec<Ask> {
    let mut keys = std::collections::BTreeSet::new();
    let scope = waiting.first().and_then(|ask| ask.scope.clone());
    let mut batch = Vec::new();
    let mut rest = Vec::new();
    for ask in waiting.drain(..) {
        let repeats = ask.job.key.as_ref().is_some_and(|key| !keys.insert(key.clone()));
        if repeats || ask.scope != scope || batch.len() >= MOST { rest.push(ask) } else { batch.push(ask) }
    }
    *waiting = rest;
    batch
}

/// The job for which a key stands, and what it was asked.
const KNOWN: &str = "SELECT k.job, coalesce(j.verb, h.verb), coalesce(j.org, h.org), coalesce(j.project, h.project), \
     coalesce(j.arch, h.arch) \
     FROM job_keys k LEFT JOIN jobs j ON j.id = k.job LEFT JOIN job_history h ON h.id = k.job WHERE k.key = $1";

/// The job for which the key stands, and what it was asked.
pub(super) async fn known_key<C: ConnectionTrait>(connection: &C, key: &str) -> Result<Option<Known>, DbErr> {
    let row = tx::one(connection, KNOWN, [key.into()]).await?;
    row.map(|row| Known::read(&row)).transpose()
}

fn check_key(job: &NewJob) -> Result<(), StoreError> {
    let Some(key) = &job.key else { return Ok(()) };
    if key.is_empty() || key.len() > KEY_BYTES || key.chars().any(char::is_control) {
        return Err(StoreError::Refused {
            field: "key".into(),
            reason: format!("an idempotency key has 1 to {KEY_BYTES} bytes and no control characters"),
            remedy: "use an id of your own for the request, such as a UUID".into(),
        });
    }
    Ok(())
}

fn no_tenant(request: &Request) -> StoreError {
    let (what, name) = match (request, request.project()) {
        (Request::DeleteOrg { org }, _) => ("organization", org.to_string()),
        (Request::Quarantine { stray } | Request::Halt { stray } | Request::Collect { stray }, _) => {
            ("finding", stray.to_string())
        }
        (_, Some(project)) => ("project", project.to_string()),
        (_, None) => ("project", String::new()),
    };
    StoreError::NotFound { what, name, remedy: "create it first, or check the name".into() }
}

fn deleting(what: &str, name: &str) -> StoreError {
    StoreError::Refused {
        field: what.into(),
        reason: format!("{what} `{name}` is being deleted"),
        remedy: "wait for the deletion to end, then create it anew".into(),
    }
}

/// A panic while the lock was held left a list of jobs that is as good as any.
fn lock(asks: &std::sync::Mutex<Asks>) -> std::sync::MutexGuard<'_, Asks> {
    asks.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}
