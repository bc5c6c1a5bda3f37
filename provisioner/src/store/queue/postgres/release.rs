//! Handing jobs back.

use sea_orm::sqlx::{self, PgPool};

use crate::{core::JobId, store::queue::Release};

use super::fence;

/// Frees the lanes that are still the claims', and gives the jobs their time. A job that came back has a `run_at`, always.
const RELEASE: &str = "
WITH said AS MATERIALIZED (
    SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::integer[], $4::integer[], $5::bigint[], $6::boolean[])
        AS s (lane, job, fence, worker, run_at, spent) ORDER BY lane
), freed AS (
    UPDATE lanes l SET job = NULL, worker = NULL, since = NULL, fence = l.fence + 1, stamp = l.stamp + 1
    FROM said s WHERE l.lane = s.lane AND l.job = s.job AND l.fence = s.fence AND l.worker = s.worker
    RETURNING s.job, s.run_at, s.spent
)
UPDATE jobs j SET run_at = f.run_at, attempt = j.attempt + f.spent::integer FROM freed f WHERE j.id = f.job RETURNING j.id";

/// Returns the jobs that were handed back.
pub(in crate::store::queue) async fn release(pool: &PgPool, releases: &[Release]) -> Result<Vec<JobId>, sqlx::Error> {
    let ids: Vec<i64> = sqlx::query_scalar(RELEASE)
        .bind(releases.iter().map(|release| release.claim.lane).collect::<Vec<_>>())
        .bind(releases.iter().map(|release| release.claim.job.0).collect::<Vec<_>>())
        .bind(releases.iter().map(|release| fence(&release.claim)).collect::<Vec<_>>())
        .bind(releases.iter().map(|release| release.claim.session).collect::<Vec<_>>())
        .bind(releases.iter().map(|release| release.run_at_ms).collect::<Vec<_>>())
        .bind(releases.iter().map(|release| release.spent).collect::<Vec<_>>())
        .fetch_all(pool)
        .await?;
    Ok(ids.into_iter().map(JobId).collect())
}
