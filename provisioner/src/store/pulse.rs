//! How the queue stands, in numbers, for those who watch the service.

use super::{
    Store, StoreError,
    sql::{Row, Sql, Via},
};

/// The queue at a moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pulse {
    /// Jobs that wait for a worker, for their time or for an older one.
    pub queued: i64,
    /// Jobs that a worker holds.
    pub running: i64,
    /// Jobs that need a person.
    pub stuck: i64,
    /// Jobs that failed, of those that are remembered.
    pub failed: i64,
    /// How long the oldest of the waiting ones has been waiting, in milliseconds.
    pub oldest_ms: i64,
    /// Workers whose lease has not run out.
    pub workers: i64,
}

impl Store {
    /// How the queue stands. Three statements; the first goes through all jobs that have not ended.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn pulse(&self, now_ms: i64) -> Result<Pulse, StoreError> {
        let mut pulse = Pulse::default();
        let sql = Sql::with(
            "SELECT CAST(count(*) AS bigint) AS live, CAST(count(l.job) AS bigint) AS running, \
             min(CASE WHEN l.job IS NULL AND coalesce(j.run_at, j.created) <= $1 THEN j.created END) AS oldest \
             FROM jobs j LEFT JOIN lanes l ON l.lane = j.lane AND l.job = j.id",
            [now_ms.into()],
        );
        for row in &self.query(Via::Reader, sql).await? {
            let row = Row::new("jobs", "live", row);
            let live: i64 = row.get("live")?;
            pulse.running = row.get("running")?;
            pulse.queued = live - pulse.running;
            pulse.oldest_ms = row.get::<Option<i64>>("oldest")?.map_or(0, |oldest| (now_ms - oldest).max(0));
        }
        // In the words of the index that holds these alone.
        let sql = Sql::new(
            "SELECT state, CAST(count(*) AS bigint) AS jobs FROM job_history WHERE state IN ('failed', 'stuck') GROUP BY state",
        );
        for row in &self.query(Via::Reader, sql).await? {
            let row = Row::new("job_history", "state", row);
            match row.get::<String>("state")?.as_str() {
                "stuck" => pulse.stuck = row.get("jobs")?,
                _ => pulse.failed = row.get("jobs")?,
            }
        }
        let sql = Sql::with(
            "SELECT CAST(count(*) AS bigint) AS workers FROM workers WHERE lease_until > $1",
            [now_ms.into()],
        );
        for row in &self.query(Via::Reader, sql).await? {
            pulse.workers = Row::new("workers", "workers", row).get("workers")?;
        }
        Ok(pulse)
    }
}
