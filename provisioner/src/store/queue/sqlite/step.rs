//! Finish and claim, in one transaction.

use sea_orm::sqlx::{self, Row, Sqlite, SqlitePool, Transaction, sqlite::SqliteRow};
use serde_json::json;

use crate::{
    core::JobId,
    store::queue::{
        Finish,
        rows::JobColumns,
        step::{Step, Stepped},
    },
};

/// Frees the lanes that are still the claims'.
const FREE: &str = "
UPDATE lanes SET job = NULL, worker = NULL, fence = fence + 1, stamp = stamp + 1
FROM json_each(?1) f
WHERE lanes.lane = f.value ->> 0 AND lanes.job = f.value ->> 1 AND lanes.fence = f.value ->> 2 AND lanes.worker = ?2
RETURNING lane";

const KEEP: &str = "
INSERT INTO job_history (id, created, started, ended, org, project, attempt, rank, cancel_asked, state, verb, arch,
    org_name, project_name, worker, key, outcome)
SELECT j.id, j.created, l.since, ?3, j.org, j.project, j.attempt, j.rank, j.cancel_asked, f.value ->> 3, j.verb, j.arch,
    j.org_name, j.project_name, ?4, j.key, f.value ->> 4
FROM json_each(?1) f JOIN jobs j ON j.id = f.value ->> 1 JOIN lanes l ON l.lane = j.lane
WHERE j.lane IN (SELECT value FROM json_each(?2))
RETURNING id";

const EVENT: &str = "
INSERT INTO events (at, job, org, project, what)
SELECT ended, id, org, project, state FROM job_history WHERE id IN (SELECT value FROM json_each(?1))";

const NOTE: &str = "
INSERT INTO job_facts (job, at, seq, fact)
SELECT f.value ->> 0, ?2, (SELECT coalesce(max(k.seq), 0) FROM job_facts k WHERE k.job = f.value ->> 0) + (f.value ->> 1),
    f.value ->> 2
FROM json_each(?1) f WHERE f.value ->> 0 IN (SELECT value FROM json_each(?3))";

const GONE: &str = "DELETE FROM jobs WHERE id IN (SELECT value FROM json_each(?1))";

/// The guarded claim: of ready jobs and of those whose time has come, the first whose lane is free and has no older job. A
/// session that was given up and does not know it yet gets none.
const CLAIM: &str = "
UPDATE lanes SET job = c.id, worker = ?1, since = ?2, fence = fence + 1, stamp = stamp + 1
FROM (
    SELECT * FROM (
        SELECT * FROM (
            SELECT j.id, j.lane, j.rank FROM jobs j INDEXED BY jobs_ready
            WHERE j.run_at IS NULL
                AND (SELECT l.worker IS NULL FROM lanes l WHERE l.lane = j.lane)
                AND NOT EXISTS (SELECT 1 FROM jobs o WHERE o.lane = j.lane AND o.id < j.id)
            ORDER BY j.rank, j.id LIMIT ?3
        )
        UNION ALL
        SELECT * FROM (
            SELECT j.id, j.lane, j.rank FROM jobs j INDEXED BY jobs_due
            WHERE j.run_at IS NOT NULL AND j.run_at <= ?2
                AND (SELECT l.worker IS NULL FROM lanes l WHERE l.lane = j.lane)
                AND NOT EXISTS (SELECT 1 FROM jobs o WHERE o.lane = j.lane AND o.id < j.id)
            ORDER BY j.run_at LIMIT ?3
        )
    )
    ORDER BY rank, id LIMIT ?3
) c
WHERE lanes.lane = c.lane AND lanes.worker IS NULL AND EXISTS (SELECT 1 FROM workers WHERE id = ?1)
RETURNING job";

const READ: &str = "
SELECT j.id, j.lane, l.fence, j.created, j.org, j.project, j.attempt, j.rank, j.cancel_asked, j.verb, j.arch,
    CASE WHEN j.run_at IS NOT NULL THEN
        (SELECT json_group_array(json_array(f.seq, f.at, f.fact) ORDER BY f.seq) FROM job_facts f WHERE f.job = j.id) END
FROM json_each(?1) c JOIN jobs j ON j.id = c.value JOIN lanes l ON l.lane = j.lane
ORDER BY j.rank, j.id";

const LOOK: &str = "
SELECT (SELECT run_at FROM jobs WHERE run_at IS NOT NULL AND run_at > ?1 ORDER BY run_at LIMIT 1),
    EXISTS (SELECT 1 FROM jobs)";

/// See [`crate::store::queue::step`].
pub(in crate::store::queue) async fn step(pool: &SqlitePool, step: &Step<'_>) -> Result<Stepped, sqlx::Error> {
    let mut stepped = Stepped::default();
    let mut tx = super::begin(pool).await?;
    if !step.finishes.is_empty() {
        stepped.finished = finish(&mut tx, step).await?;
    }
    if step.slots > 0 {
        let ids: Vec<i64> = sqlx::query_scalar(CLAIM)
            .bind(step.session.id)
            .bind(step.now_ms)
            .bind(i64::try_from(step.slots).unwrap_or(i64::MAX))
            .fetch_all(&mut *tx)
            .await?;
        if !ids.is_empty() {
            let ids = serde_json::to_string(&ids).map_err(super::encoding)?;
            let rows = sqlx::query(READ).bind(ids).fetch_all(&mut *tx).await?;
            for row in &rows {
                stepped.claimed.push(columns(row)?.into_claimed(step.session));
            }
        }
    }
    let look = sqlx::query(LOOK).bind(step.now_ms).fetch_one(&mut *tx).await?;
    stepped.next_due_ms = look.try_get(0)?;
    stepped.any = look.try_get(1)?;
    tx.commit().await?;
    Ok(stepped)
}

async fn finish(tx: &mut Transaction<'static, Sqlite>, step: &Step<'_>) -> Result<Vec<JobId>, sqlx::Error> {
    let ends = step.finishes.iter().map(end).collect::<Result<Vec<_>, _>>()?;
    let ends = serde_json::to_string(&ends).map_err(super::encoding)?;
    let lanes: Vec<i64> = sqlx::query_scalar(FREE).bind(&ends).bind(step.session.id).fetch_all(&mut **tx).await?;
    let lanes = serde_json::to_string(&lanes).map_err(super::encoding)?;
    let ids: Vec<i64> = sqlx::query_scalar(KEEP)
        .bind(&ends)
        .bind(&lanes)
        .bind(step.now_ms)
        .bind(&step.session.worker.0)
        .fetch_all(&mut **tx)
        .await?;
    let gone = serde_json::to_string(&ids).map_err(super::encoding)?;
    sqlx::query(EVENT).bind(&gone).execute(&mut **tx).await?;
    let mut facts = Vec::new();
    for finish in step.finishes {
        for (nth, fact) in (1..).zip(finish.facts_json().map_err(super::encoding)?) {
            facts.push(json!([finish.claim.job, nth, fact]));
        }
    }
    if !facts.is_empty() {
        let facts = serde_json::to_string(&facts).map_err(super::encoding)?;
        sqlx::query(NOTE).bind(facts).bind(step.now_ms).bind(&gone).execute(&mut **tx).await?;
    }
    sqlx::query(GONE).bind(&gone).execute(&mut **tx).await?;
    Ok(ids.into_iter().map(JobId).collect())
}

fn end(finish: &Finish) -> Result<serde_json::Value, sqlx::Error> {
    let outcome = finish.outcome_json().map_err(super::encoding)?;
    let claim = &finish.claim;
    Ok(json!([claim.lane, claim.job, claim.fence, finish.outcome.ending.state().as_str(), outcome]))
}

fn columns(row: &SqliteRow) -> Result<JobColumns, sqlx::Error> {
    Ok(JobColumns {
        id: row.try_get(0)?,
        lane: row.try_get(1)?,
        fence: row.try_get(2)?,
        created: row.try_get(3)?,
        org: row.try_get(4)?,
        project: row.try_get(5)?,
        attempt: row.try_get(6)?,
        rank: row.try_get(7)?,
        cancel_asked: row.try_get(8)?,
        verb: row.try_get(9)?,
        arch: row.try_get(10)?,
        entries: row.try_get(11)?,
    })
}
