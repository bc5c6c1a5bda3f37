//! Accepting jobs.

use sea_orm::sqlx::{self, Row, SqlitePool};
use serde_json::json;

use crate::{
    core::JobId,
    store::queue::{intake::New, lane_key},
};

/// The ids are counted here, from the last that was ever given: the rows come back without their order.
const LAST_ID: &str = "SELECT coalesce(max(seq), 0) FROM sqlite_sequence WHERE name = 'jobs'";

const KEYS: &str = "
INSERT INTO job_keys (key, job)
SELECT n.value ->> 8, n.value ->> 0
FROM json_each(?1) n JOIN projects p ON p.id = unhex(n.value ->> 1) AND NOT p.deleting
WHERE n.value ->> 8 IS NOT NULL
ON CONFLICT DO NOTHING";

const LANES: &str = "
INSERT INTO lanes (lane, fence, stamp) SELECT n.value ->> 2, 0, 0 FROM json_each(?1) n WHERE true ON CONFLICT DO NOTHING";

const JOBS: &str = "
INSERT INTO jobs (id, lane, created, run_at, org, project, attempt, rank, cancel_asked, verb, arch, org_name, project_name, key)
SELECT n.value ->> 0, n.value ->> 2, n.value ->> 3, n.value ->> 4, p.org, p.id, 1, n.value ->> 5, 0, n.value ->> 6,
    n.value ->> 7, o.name, p.name, n.value ->> 8
FROM json_each(?1) n
JOIN projects p ON p.id = unhex(n.value ->> 1) AND NOT p.deleting
JOIN orgs o ON o.id = p.org
WHERE n.value ->> 8 IS NULL OR EXISTS (SELECT 1 FROM job_keys k WHERE k.key = n.value ->> 8 AND k.job = n.value ->> 0)
RETURNING id";

/// Writes a batch. Returns, for each, the id under which it was written; none means that its key was taken or its tenant does
/// not admit it.
pub(in crate::store::queue) async fn enqueue(
    pool: &SqlitePool,
    batch: &[New<'_>],
) -> Result<Vec<Option<JobId>>, sqlx::Error> {
    let mut tx = super::begin(pool).await?;
    let last_id: i64 = sqlx::query_scalar(LAST_ID).fetch_one(&mut *tx).await?;
    let rows: Vec<_> = (last_id + 1..)
        .zip(batch)
        .map(|(id, new)| {
            json!([
                id,
                new.project.simple().to_string(),
                lane_key(new.job.request.lane()),
                new.now_ms,
                new.job.run_at_ms,
                new.job.priority.saturating_neg(),
                new.job.request.verb(),
                new.job.request.arch().map(regions::Arch::as_str),
                new.job.key,
            ])
        })
        .collect();
    let rows = serde_json::to_string(&rows).map_err(super::encoding)?;
    if batch.iter().any(|new| new.job.key.is_some()) {
        sqlx::query(KEYS).bind(&rows).execute(&mut *tx).await?;
    }
    sqlx::query(LANES).bind(&rows).execute(&mut *tx).await?;
    let written = sqlx::query(JOBS).bind(&rows).fetch_all(&mut *tx).await?;
    tx.commit().await?;
    let mut ids = vec![None; batch.len()];
    for row in written {
        let id: i64 = row.try_get(0)?;
        if let Some(slot) = usize::try_from(id - last_id - 1).ok().and_then(|nth| ids.get_mut(nth)) {
            *slot = Some(JobId(id));
        }
    }
    Ok(ids)
}
