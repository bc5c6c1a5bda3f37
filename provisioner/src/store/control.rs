//! What people do to jobs: call them off, have them tried again, forget them after a time.
//!
//! A lane's stamp is raised before a waiting job is touched: a claim that was decided on an older view of it fails then, and one
//! that was faster shows in the lane.

mod tenancy;

use sea_orm::{DatabaseTransaction, Value};

use super::{
    Store, StoreError,
    jobs::{Job, outcome_of},
    lane_key, queue,
    sql::{Row, Sql, Via},
};
use crate::core::{Ending, Fact, JobId, JobState, Outcome, Request};

/// The columns that a job keeps on its way between the hot table and the history.
const KEPT: &str = "id, created, org, project, attempt, rank, cancel_asked, verb, arch, org_name, project_name, key";
/// Whether a job `y` has begun, or is held by a worker that is about to begin.
const BEGUN: &str = "EXISTS (SELECT 1 FROM job_facts f WHERE f.job = y.id) OR \
     EXISTS (SELECT 1 FROM lanes l WHERE l.lane = y.lane AND l.job = y.id)";
/// Jobs that are forgotten in one transaction.
const BATCH: i64 = 500;

/// What became of an attempt to call a waiting or running job off.
enum Called {
    /// It had not begun, and is over.
    Off,
    /// It will be told.
    Asked,
    /// It is not among the waiting and running.
    NotLive,
}

impl Store {
    /// Calls a job off. One that has not begun is over at once; one that has begun takes back what it did; a stuck one is
    /// queued again to do so. Asking twice is asking once.
    ///
    /// # Errors
    /// [`StoreError::NotFound`], and [`StoreError::Refused`] for a job that has ended otherwise than stuck.
    pub async fn cancel(&self, id: JobId, now_ms: i64) -> Result<Job, StoreError> {
        match self.call_off(id, now_ms).await? {
            Called::Off => {}
            Called::Asked => self.notify_cancel(id).await,
            Called::NotLive => self.reopen(id, Fact::CancelAsked, now_ms).await?,
        }
        self.existing(id).await
    }

    /// Has a job tried again that is stuck, failed or was cancelled, under the same id.
    ///
    /// # Errors
    /// [`StoreError::NotFound`], and [`StoreError::Refused`] for a job that has succeeded or not ended, that a younger one has
    /// overtaken which is at work, or whose project is gone or being deleted.
    pub async fn retry(&self, id: JobId, now_ms: i64) -> Result<Job, StoreError> {
        self.reopen(id, Fact::RetryAsked, now_ms).await?;
        self.existing(id).await
    }

    /// Forgets jobs that ended before then, with their facts and keys, and older events. Stuck jobs are never forgotten.
    ///
    /// # Errors
    /// Those of the database; what was forgotten before stays forgotten.
    pub async fn prune(&self, older_than_ms: i64) -> Result<u64, StoreError> {
        let mut total = 0;
        loop {
            let transaction = self.begin().await?;
            let sql = Sql::with(
                "DELETE FROM job_history WHERE id IN (SELECT id FROM job_history WHERE ended < $1 AND state <> 'stuck' \
                 ORDER BY id LIMIT $2) RETURNING id",
                [older_than_ms.into(), BATCH.into()],
            );
            let rows = self.query(Via::Within(&transaction), sql).await?;
            let mut ids: Vec<Value> = Vec::new();
            for row in &rows {
                let row = Row::new("job_history", "id", row);
                ids.push(row.get::<i64>("id")?.into());
            }
            for (table, column, values) in [("job_facts", "job", &ids), ("job_keys", "job", &ids)] {
                if !values.is_empty() {
                    let mut sql = Sql::new(format!("DELETE FROM {table} WHERE {column} IN ("));
                    sql.list(values.iter().cloned()).push(")");
                    self.execute(&transaction, sql).await?;
                }
            }
            if ids.is_empty() {
                self.execute(&transaction, Sql::with("DELETE FROM events WHERE at < $1", [older_than_ms.into()]))
                    .await?;
            }
            self.commit(transaction).await?;
            total += ids.len() as u64;
            if ids.is_empty() {
                return Ok(total);
            }
        }
    }

    async fn existing(&self, id: JobId) -> Result<Job, StoreError> {
        self.job(id).await?.ok_or_else(|| no_job(id))
    }

    async fn call_off(&self, id: JobId, now_ms: i64) -> Result<Called, StoreError> {
        let transaction = self.begin().await?;
        let find = Sql::with("SELECT id, lane FROM jobs WHERE id = $1", [id.0.into()]);
        let rows = self.query(Via::Within(&transaction), find).await?;
        let Some(row) = rows.first() else { return self.leave(transaction, Called::NotLive).await };
        let lane: i64 = Row::new("jobs", "id", row).get("lane")?;
        let stamp = Sql::with(
            "UPDATE lanes SET stamp = stamp + 1 WHERE lane = $1 AND job IS DISTINCT FROM $2",
            [lane.into(), id.0.into()],
        );
        let waiting = self.execute(&transaction, stamp).await? > 0;
        if waiting && self.end_untouched(&transaction, id, now_ms).await? {
            self.commit(transaction).await?;
            return Ok(Called::Off);
        }
        // What waits for its time waits no longer; what runs has a time that does not matter.
        let ask = Sql::with(
            "UPDATE jobs SET cancel_asked = $2, run_at = CASE WHEN run_at > $3 THEN $3 ELSE run_at END WHERE id = $1",
            [id.0.into(), true.into(), now_ms.into()],
        );
        if self.execute(&transaction, ask).await? == 0 {
            return self.leave(transaction, Called::NotLive).await;
        }
        self.commit(transaction).await?;
        if waiting {
            self.notify().await;
        }
        Ok(Called::Asked)
    }

    /// Ends a waiting job that has no facts, and gives back the tenant that it was to delete.
    async fn end_untouched(
        &self,
        transaction: &DatabaseTransaction,
        id: JobId,
        now_ms: i64,
    ) -> Result<bool, StoreError> {
        let take = Sql::with(
            format!(
                "DELETE FROM jobs WHERE id = $1 AND NOT EXISTS (SELECT 1 FROM job_facts f WHERE f.job = $1) RETURNING {KEPT}"
            ),
            [id.0.into()],
        );
        let rows = self.query(Via::Within(transaction), take).await?;
        let Some(row) = rows.first() else { return Ok(false) };
        let row = Row::new("jobs", "id", row);
        let outcome = Outcome { ending: Ending::Cancelled, because: None, remedy: None };
        let state = JobState::Cancelled.as_str();
        let mut values = kept(&row)?;
        values[CANCEL_ASKED] = true.into();
        values.extend([
            now_ms.into(),
            state.into(),
            serde_json::to_string(&outcome).map_err(StoreError::other)?.into(),
        ]);
        let mut sql = Sql::new(format!("INSERT INTO job_history ({KEPT}, ended, state, outcome) VALUES "));
        sql.rows([values]);
        self.execute(transaction, sql).await?;
        if !self.is_postgres() {
            self.tell(transaction, &row, state, now_ms).await?;
        }
        self.unmark(transaction, &request_of(&row)?).await?;
        Ok(true)
    }

    /// Brings a job back from the history, for the reason that the fact states.
    async fn reopen(&self, id: JobId, fact: Fact, now_ms: i64) -> Result<(), StoreError> {
        let cancel = fact == Fact::CancelAsked;
        let states = if cancel { "'stuck'" } else { "'stuck', 'failed', 'cancelled'" };
        let transaction = self.begin().await?;
        let take = Sql::with(
            format!(
                "DELETE FROM job_history WHERE id = $1 AND state IN ({states}) RETURNING {KEPT}, event, ended, state, outcome"
            ),
            [id.0.into()],
        );
        let rows = self.query(Via::Within(&transaction), take).await?;
        let Some(row) = rows.first() else {
            self.run(transaction.rollback()).await?;
            return Err(self.why_not(id, cancel).await?);
        };
        let row = Row::new("job_history", "id", row);
        let request = request_of(&row)?;
        let lane = lane_key(request.lane());
        // A claim of a younger job that was decided before this one was there fails.
        let sql = "INSERT INTO lanes (lane, fence, stamp) VALUES ($1, 0, 0) \
                   ON CONFLICT (lane) DO UPDATE SET stamp = lanes.stamp + 1";
        self.execute(&transaction, Sql::with(sql, [lane.into()])).await?;
        if !cancel && let Some(younger) = self.overtaken_by(&transaction, id, lane).await? {
            self.run(transaction.rollback()).await?;
            return Err(StoreError::Refused {
                field: format!("job {id}"),
                reason: format!("job {younger} came after it, is about the same, and has begun"),
                remedy: format!("see `provisioner job show {younger}`, and try again when it has ended"),
            });
        }
        self.mark_again(&transaction, &request).await?;
        let mut outcome = outcome_of(&row)?.unwrap_or(Outcome::SUCCESS);
        if outcome.ending == Ending::Stuck && self.is_outdated(&transaction, id, &row).await? {
            // Younger jobs have been at what this one was in the middle of: its plan is of another time, and it begins anew.
            outcome.ending = Ending::Failed;
        }
        // The job before its facts: whose these are is told by it.
        let mut values = kept(&row)?;
        values[CANCEL_ASKED] = cancel.into();
        values[ATTEMPT] = row.get::<i32>("attempt")?.saturating_add(1).into();
        values.extend([lane.into(), now_ms.into()]);
        let mut sql = Sql::new(format!("INSERT INTO jobs ({KEPT}, lane, run_at) VALUES "));
        sql.rows([values]);
        self.execute(&transaction, sql).await?;
        let ended_ms: i64 = row.get("ended")?;
        // The history's row was the record of the end.
        for (at_ms, fact) in [(ended_ms, &Fact::Ended { outcome }), (now_ms, &fact)] {
            let sql = Sql::with(
                "INSERT INTO job_facts (job, at, seq, fact) \
                 SELECT $1, $2, (SELECT coalesce(max(f.seq), 0) + 1 FROM job_facts f WHERE f.job = $1), $3",
                [id.0.into(), at_ms.into(), serde_json::to_string(fact).map_err(StoreError::other)?.into()],
            );
            self.execute(&transaction, sql).await?;
        }
        if let Some(event) = row.get::<Option<i64>>("event")? {
            let mut sql = Sql::new("INSERT INTO events (id, at, job, org, project, what) VALUES ");
            sql.rows([vec![
                event.into(),
                ended_ms.into(),
                id.0.into(),
                row.get::<uuid::Uuid>("org")?.into(),
                row.get::<Option<uuid::Uuid>>("project")?.into(),
                row.get::<String>("state")?.into(),
            ]]);
            self.execute(&transaction, sql).await?;
        }
        self.tell(&transaction, &row, if cancel { "cancel asked" } else { "retry asked" }, now_ms).await?;
        self.commit(transaction).await?;
        self.notify().await;
        Ok(())
    }

    /// A younger job of the same lane that is in the middle of its work: an older one that came back now would go before it, and
    /// change what its plan stands on.
    async fn overtaken_by(
        &self,
        transaction: &DatabaseTransaction,
        id: JobId,
        lane: i64,
    ) -> Result<Option<JobId>, StoreError> {
        let sql =
            format!("SELECT y.id FROM jobs y WHERE y.lane = $1 AND y.id > $2 AND ({BEGUN}) ORDER BY y.id LIMIT 1");
        let rows = self.query(Via::Within(transaction), Sql::with(sql, [lane.into(), id.0.into()])).await?;
        rows.first().map(|row| Row::new("jobs", "id", row).get("id").map(JobId)).transpose()
    }

    /// Whether a younger job has begun that has to do with the same builder, project or organization.
    async fn is_outdated(
        &self,
        transaction: &DatabaseTransaction,
        id: JobId,
        row: &Row<'_>,
    ) -> Result<bool, StoreError> {
        let younger = |table: &str, begun: &str| {
            format!(
                "SELECT 1 AS one FROM {table} y WHERE y.id > $1 AND y.org = $2 AND ($3 IS NULL OR y.project IS NULL OR \
                 (y.project = $3 AND ($4 IS NULL OR y.arch IS NULL OR y.arch = $4))) AND ({begun})"
            )
        };
        let project = row.get::<Option<uuid::Uuid>>("project")?;
        let sql = Sql::with(
            format!("{} UNION ALL {} LIMIT 1", younger("jobs", BEGUN), younger("job_history", "y.started IS NOT NULL"),),
            [
                id.0.into(),
                row.get::<uuid::Uuid>("org")?.into(),
                project.into(),
                row.get::<Option<String>>("arch")?.into(),
            ],
        );
        Ok(!self.query(Via::Within(transaction), sql).await?.is_empty())
    }

    async fn tell(
        &self,
        transaction: &DatabaseTransaction,
        row: &Row<'_>,
        what: &str,
        now_ms: i64,
    ) -> Result<(), StoreError> {
        let mut sql = Sql::new("INSERT INTO events (at, job, org, project, what) VALUES ");
        sql.rows([vec![
            now_ms.into(),
            row.get::<i64>("id")?.into(),
            row.get::<uuid::Uuid>("org")?.into(),
            row.get::<Option<uuid::Uuid>>("project")?.into(),
            what.into(),
        ]]);
        self.execute(transaction, sql).await.map(drop)
    }

    async fn leave<T>(&self, transaction: DatabaseTransaction, value: T) -> Result<T, StoreError> {
        self.run(transaction.rollback()).await?;
        Ok(value)
    }

    async fn why_not(&self, id: JobId, cancel: bool) -> Result<StoreError, StoreError> {
        let Some(job) = self.job(id).await? else { return Ok(no_job(id)) };
        let (may, remedy) = if cancel {
            ("cancelled", "nothing is left to call off; to undo what it did, ask for the opposite")
        } else if job.state.has_ended() {
            ("tried again", "enqueue a new one")
        } else {
            ("tried again", "follow it with `provisioner job watch`, or cancel it")
        };
        let reason = format!("it is {} and can't be {may}", job.state.as_str());
        Ok(StoreError::Refused { field: format!("job {id}"), reason, remedy: remedy.to_owned() })
    }
}

fn no_job(id: JobId) -> StoreError {
    let remedy = "see `provisioner job list`; jobs that ended long ago are forgotten".to_owned();
    StoreError::NotFound { what: "job", name: id.to_string(), remedy }
}

fn request_of(row: &Row<'_>) -> Result<Request, StoreError> {
    let arch: Option<String> = row.get("arch")?;
    let verb: String = row.get("verb")?;
    queue::request(&verb, row.get("project")?, row.get("org")?, arch.as_deref())
        .map_err(|reason| row.corrupt("verb", reason))
}

/// Places in [`KEPT`].
const ATTEMPT: usize = 4;
const CANCEL_ASKED: usize = 6;

/// The values of [`KEPT`].
fn kept(row: &Row<'_>) -> Result<Vec<Value>, StoreError> {
    Ok(vec![
        row.get::<i64>("id")?.into(),
        row.get::<i64>("created")?.into(),
        row.get::<uuid::Uuid>("org")?.into(),
        row.get::<Option<uuid::Uuid>>("project")?.into(),
        row.get::<i32>("attempt")?.into(),
        row.get::<i16>("rank")?.into(),
        row.get::<bool>("cancel_asked")?.into(),
        row.get::<String>("verb")?.into(),
        row.get::<Option<String>>("arch")?.into(),
        row.get::<String>("org_name")?.into(),
        row.get::<Option<String>>("project_name")?.into(),
        row.get::<Option<String>>("key")?.into(),
    ])
}
