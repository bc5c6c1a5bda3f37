//! Handing jobs back.

use sea_orm::sqlx::{self, Row, SqlitePool};
use serde_json::json;

use crate::{core::JobId, store::queue::Release};

const FREE: &str = "
UPDATE lanes SET job = NULL, worker = NULL, since = NULL, fence = fence + 1, stamp = stamp + 1
FROM json_each(?1) r
WHERE lanes.lane = r.value ->> 0 AND lanes.job = r.value ->> 1 AND lanes.fence = r.value ->> 2
    AND lanes.worker = r.value ->> 3
RETURNING lane";

const BACK: &str = "
UPDATE jobs SET run_at = r.value ->> 4, attempt = attempt + (r.value ->> 5)
FROM json_each(?1) r WHERE jobs.id = r.value ->> 1 AND jobs.lane IN (SELECT value FROM json_each(?2))
RETURNING id";

/// Returns the jobs that were handed back.
pub(in crate::store::queue) async fn release(
    pool: &SqlitePool,
    releases: &[Release],
) -> Result<Vec<JobId>, sqlx::Error> {
    let rows: Vec<_> = releases
        .iter()
        .map(|release| {
            let claim = &release.claim;
            json!([claim.lane, claim.job, claim.fence, claim.session, release.run_at_ms, i32::from(release.spent)])
        })
        .collect();
    let rows = serde_json::to_string(&rows).map_err(super::encoding)?;
    let mut tx = super::begin(pool).await?;
    let lanes: Vec<i64> = sqlx::query_scalar(FREE).bind(&rows).fetch_all(&mut *tx).await?;
    let lanes = serde_json::to_string(&lanes).map_err(super::encoding)?;
    let back = sqlx::query(BACK).bind(&rows).bind(&lanes).fetch_all(&mut *tx).await?;
    tx.commit().await?;
    back.iter().map(|row| row.try_get(0).map(JobId)).collect()
}
