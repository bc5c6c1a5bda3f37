//! Accepting jobs.

use sea_orm::sqlx::{self, PgExecutor, Row};

use crate::{
    core::JobId,
    store::queue::{intake::New, lane_key},
};

/// Numbers what its tenant admits, in the order in which it came; takes the keys that are free; writes the jobs that have none or
/// got theirs. The tenant's row is locked so that a deletion that is being accepted right now waits, or is seen.
/// `$10` tells the workers, too: see [`crate::store::queue::wake`].
const ENQUEUE: &str = "
WITH numbered AS MATERIALIZED (
    SELECT nextval('jobs_id_seq') AS id, i.*
    FROM (
        SELECT i.*, p.org, p.name AS project_name, o.name AS org_name
        FROM unnest($1::uuid[], $2::bigint[], $3::bigint[], $4::bigint[], $5::smallint[], $6::text[], $7::text[], $8::text[],
            $9::bigint[]) AS i (project, lane, created, run_at, rank, verb, arch, key, nth)
        CROSS JOIN LATERAL (
            SELECT p.org, p.name FROM projects p WHERE p.id = i.project AND NOT p.deleting FOR KEY SHARE
        ) p
        CROSS JOIN LATERAL (SELECT o.name FROM orgs o WHERE o.id = p.org OFFSET 0) o
        ORDER BY i.nth
    ) i
), keyed AS (
    INSERT INTO job_keys (key, job) SELECT key, id FROM numbered WHERE key IS NOT NULL ORDER BY key
    ON CONFLICT DO NOTHING RETURNING job
), laned AS (
    INSERT INTO lanes (lane, fence, stamp) SELECT DISTINCT lane, 0, 0 FROM numbered ORDER BY lane ON CONFLICT DO NOTHING
), written AS (
    INSERT INTO jobs (id, lane, created, run_at, org, project, attempt, rank, cancel_asked, verb, arch, org_name,
        project_name, key)
    SELECT id, lane, created, run_at, org, project, 1, rank, false, verb, arch, org_name, project_name, key
    FROM numbered WHERE key IS NULL OR id IN (SELECT job FROM keyed)
    RETURNING id
), told AS MATERIALIZED (
    SELECT pg_notify('provisioner_jobs', '') WHERE $10
)
SELECT n.nth, n.id, (SELECT count(*) FROM told) FROM numbered n WHERE n.id IN (SELECT id FROM written)";

/// Writes a batch. Returns, for each, the id under which it was written; none means that its key was taken or its tenant does
/// not admit it.
pub(in crate::store::queue) async fn enqueue(
    connection: impl PgExecutor<'_>,
    batch: &[New<'_>],
    tell: bool,
) -> Result<Vec<Option<JobId>>, sqlx::Error> {
    let column = |of: fn(&New<'_>) -> i64| batch.iter().map(of).collect::<Vec<_>>();
    let rows = sqlx::query(ENQUEUE)
        .bind(batch.iter().map(|new| new.project).collect::<Vec<_>>())
        .bind(column(|new| lane_key(new.job.request.lane())))
        .bind(column(|new| new.now_ms))
        .bind(batch.iter().map(|new| new.job.run_at_ms).collect::<Vec<_>>())
        .bind(batch.iter().map(|new| new.job.priority.saturating_neg()).collect::<Vec<_>>())
        .bind(batch.iter().map(|new| new.job.request.verb()).collect::<Vec<_>>())
        .bind(batch.iter().map(|new| new.job.request.arch().map(regions::Arch::as_str)).collect::<Vec<_>>())
        .bind(batch.iter().map(|new| new.job.key.as_deref()).collect::<Vec<_>>())
        .bind((0_i64..).take(batch.len()).collect::<Vec<_>>())
        .bind(tell)
        .fetch_all(connection)
        .await?;
    let mut ids = vec![None; batch.len()];
    for row in rows {
        let nth: i64 = row.try_get(0)?;
        if let Some(id) = usize::try_from(nth).ok().and_then(|nth| ids.get_mut(nth)) {
            *id = Some(JobId(row.try_get(1)?));
        }
    }
    Ok(ids)
}
