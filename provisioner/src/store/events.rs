//! What happened lately, for those who follow.
//!
//! A feed, not the record: the facts of a job are the record. Events are numbered when they are written and seen when they
//! are committed. On PostgreSQL two that are written at the same moment may become visible in the other order, so that one
//! who follows should ask again from a little before the last number that was seen.

use sea_orm::QueryResult;

use super::{
    Store, StoreError,
    sql::{Row, Sql, Via},
};
use crate::core::{GrantId, JobId, OrgId, ProjectId};

/// Something that happened to a job, or to a grant of debug access.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// Its number. Later ones have greater ones.
    pub id: i64,
    /// When, in milliseconds since 1970.
    pub at_ms: i64,
    /// The job; none for what happened to a grant.
    pub job: Option<JobId>,
    /// The grant; none for what happened to a job.
    pub grant: Option<GrantId>,
    /// The organization.
    pub org: OrgId,
    /// The project; none for an organization's own job.
    pub project: Option<ProjectId>,
    /// What, in a few words; the job's state for its end.
    pub what: String,
}

impl Store {
    /// The first events after that number. One statement.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn events(&self, after: i64, limit: u32) -> Result<Vec<Event>, StoreError> {
        let limit = i64::from(limit);
        let mut sql = Sql::with(
            "SELECT * FROM (SELECT id, at, job, org, project, what, access FROM events WHERE id > $1 ORDER BY id LIMIT $2) e",
            [after.into(), limit.into()],
        );
        // On PostgreSQL a job's row in the history is the event of its end.
        if self.is_postgres() {
            sql.push(
                " UNION ALL SELECT * FROM (SELECT event, ended, id, org, project, state, CAST(NULL AS uuid) FROM job_history \
                 WHERE event > $1 ORDER BY event LIMIT $2) h",
            );
        }
        sql.push(" ORDER BY id LIMIT $2");
        let rows = self.query(Via::Reader, sql).await?;
        rows.iter().map(event_of).collect()
    }
}

pub(super) fn event_of(row: &QueryResult) -> Result<Event, StoreError> {
    let row = Row::new("events", "id", row);
    Ok(Event {
        id: row.get("id")?,
        at_ms: row.get("at")?,
        job: Some(row.get("job")?).filter(|job| *job != 0).map(JobId),
        grant: row.get::<Option<uuid::Uuid>>("access")?.map(GrantId::from_uuid),
        org: OrgId::from_uuid(row.get("org")?),
        project: row.get::<Option<uuid::Uuid>>("project")?.map(ProjectId::from_uuid),
        what: row.get("what")?,
    })
}
