//! Jobs as people see them: the waiting, the running and the ended as one.

use regions::Arch;
use sea_orm::{QueryResult, Value};

use super::{
    Store, StoreError, lane_key, queue,
    sql::{Row, Sql, Via},
};
use crate::core::{Entry, Fact, JobId, JobState, Lane, Name, OrgId, Outcome, ProjectId, Request, Scope, Tenants};

/// A job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Job {
    /// Its id.
    pub id: JobId,
    /// What was asked for.
    pub request: Request,
    /// The organization.
    pub org: OrgId,
    /// Its name when the job was accepted: the story of a deletion can still be read afterwards.
    pub org_name: Name,
    /// The project; none for an organization's own job.
    pub project: Option<ProjectId>,
    /// Its name when the job was accepted.
    pub project_name: Option<Name>,
    /// The architecture; none for a deletion.
    pub arch: Option<Arch>,
    /// Where it stands.
    pub state: JobState,
    /// The higher goes first, among jobs of different builders.
    pub priority: i16,
    /// 1 at first; raised whenever it is begun anew.
    pub attempt: i32,
    /// Not before then. All times are milliseconds since 1970.
    pub run_at_ms: i64,
    /// When it was accepted.
    pub created_ms: i64,
    /// When it was claimed last, of a job that runs or has ended.
    pub started_ms: Option<i64>,
    /// When it ended.
    pub ended_ms: Option<i64>,
    /// The name of the worker that runs it, or ran it last.
    pub worker: Option<String>,
    /// Whether a person asked for it to be called off.
    pub cancel_asked: bool,
    /// How it ended.
    pub outcome: Option<Outcome>,
    /// The caller's idempotency key.
    pub key: Option<String>,
}

/// Which jobs; all, where nothing is said.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct JobFilter {
    /// In that state.
    pub state: Option<JobState>,
    /// Of that organization.
    pub org: Option<OrgId>,
    /// Of that project.
    pub project: Option<ProjectId>,
    /// At most so many.
    pub limit: u32,
    /// Older than that one: the last of the page before.
    pub before: Option<JobId>,
}

pub(super) const HOT: &str = "SELECT j.id, j.org, j.project, j.verb, j.arch, j.org_name, j.project_name, j.attempt, j.rank, \
     j.cancel_asked, j.key, j.created, coalesce(j.run_at, j.created) AS run_at, l.since AS started, \
     CAST(NULL AS bigint) AS ended, w.name AS worker, CASE WHEN l.job IS NULL THEN 'queued' ELSE 'running' END AS state, \
     CAST(NULL AS text) AS outcome \
     FROM jobs j LEFT JOIN lanes l ON l.lane = j.lane AND l.job = j.id LEFT JOIN workers w ON w.id = l.worker";

pub(super) const ENDED: &str = "SELECT j.id, j.org, j.project, j.verb, j.arch, j.org_name, j.project_name, j.attempt, j.rank, \
     j.cancel_asked, j.key, j.created, j.created AS run_at, j.started, j.ended, j.worker, j.state, j.outcome \
     FROM job_history j";

impl Store {
    /// The job of that id, if it is remembered. One statement.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn job(&self, id: JobId) -> Result<Option<Job>, StoreError> {
        let sql = Sql::with(format!("{HOT} WHERE j.id = $1 UNION ALL {ENDED} WHERE j.id = $1"), [id.0.into()]);
        self.query(Via::Reader, sql).await?.first().map(job_of).transpose()
    }

    /// The jobs that the filter lets through, newest first. One statement.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn jobs(&self, filter: JobFilter) -> Result<Vec<Job>, StoreError> {
        self.jobs_within(filter, &Tenants::All).await
    }

    /// The same, of those tenants alone.
    pub(super) async fn jobs_within(&self, filter: JobFilter, tenants: &Tenants) -> Result<Vec<Job>, StoreError> {
        let mut sql = Sql::default();
        let mut branches = 0;
        let state = filter.state;
        if state.is_none_or(|state| !state.has_ended()) {
            sql.push("SELECT * FROM (").push(HOT).push(" WHERE true");
            match state {
                Some(JobState::Queued) => drop(sql.push(" AND l.job IS NULL")),
                Some(JobState::Running) => drop(sql.push(" AND l.job IS NOT NULL")),
                Some(JobState::Succeeded | JobState::Failed | JobState::Cancelled | JobState::Stuck) | None => {}
            }
            narrow(&mut sql, &filter, tenants);
            branches += 1;
        }
        if state.is_none_or(JobState::has_ended) {
            sql.push(if branches > 0 { " UNION ALL " } else { "" });
            sql.push("SELECT * FROM (").push(ENDED).push(" WHERE true");
            if let Some(state) = state {
                sql.push(" AND j.state = ").bind(state.as_str());
            }
            narrow(&mut sql, &filter, tenants);
        }
        sql.push(" ORDER BY id DESC LIMIT ").bind(i64::from(filter.limit));
        self.query(Via::Reader, sql).await?.iter().map(job_of).collect()
    }

    /// What happened to a job, in order; nothing if there is no such job. One statement.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn entries(&self, id: JobId) -> Result<Vec<Entry>, StoreError> {
        // The end is kept once, in the history.
        let sql = Sql::with(
            "SELECT seq, at, fact, CAST(NULL AS text) AS state, CAST(NULL AS text) AS outcome, job \
             FROM job_facts WHERE job = $1 UNION ALL \
             SELECT 2147483647, ended, CAST(NULL AS text), state, outcome, id FROM job_history WHERE id = $1 ORDER BY seq",
            [id.0.into()],
        );
        let mut entries: Vec<Entry> = Vec::new();
        for row in &self.query(Via::Reader, sql).await? {
            let row = Row::new("job_facts", "job", row);
            let (seq, fact) = if row.get::<Option<String>>("state")?.is_some() {
                let outcome = outcome_of(&row)?.unwrap_or(Outcome::SUCCESS);
                (entries.last().map_or(0, |last| last.seq) + 1, Fact::Ended { outcome })
            } else {
                (row.get("seq")?, row.json("fact")?)
            };
            entries.push(Entry { seq, at_ms: row.get("at")?, fact });
        }
        Ok(entries)
    }

    /// How many older jobs have yet to end inside the scope of a deletion; none for other requests.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn older_jobs_in_scope(&self, request: &Request, id: JobId) -> Result<u64, StoreError> {
        let mut sql = Sql::with("SELECT count(*) AS older FROM jobs WHERE id < $1", [id.0.into()]);
        match request.scope() {
            Scope::Builder => return Ok(0),
            Scope::Project(project) => {
                // The lanes have an index; what collides with them in number is left out.
                let lanes =
                    Arch::ALL.map(|arch| Lane::Builder(project, arch)).into_iter().chain([Lane::Project(project)]);
                sql.push(" AND lane IN (").list(lanes.map(|lane| Value::from(lane_key(lane)))).push(")");
                sql.push(" AND project = ").bind(project.as_uuid());
            }
            Scope::Org(org) => drop(sql.push(" AND org = ").bind(org.as_uuid())),
        }
        let rows = self.query(Via::Reader, sql).await?;
        rows.first().map_or(Ok(0), |row| Row::new("jobs", "id", row).number("older"))
    }
}

/// The end of a branch: what the filter says, and no more rows than are wanted.
fn narrow(sql: &mut Sql, filter: &JobFilter, tenants: &Tenants) {
    sql.within(tenants, "j.org", Some("j.project"));
    if let Some(org) = filter.org {
        sql.push(" AND j.org = ").bind(org.as_uuid());
    }
    if let Some(project) = filter.project {
        sql.push(" AND j.project = ").bind(project.as_uuid());
    }
    if let Some(before) = filter.before {
        sql.push(" AND j.id < ").bind(before.0);
    }
    sql.push(" ORDER BY j.id DESC LIMIT ").bind(i64::from(filter.limit)).push(") page");
}

pub(super) fn job_of(row: &QueryResult) -> Result<Job, StoreError> {
    let row = Row::new("jobs", "id", row);
    let (verb, arch): (String, Option<String>) = (row.get("verb")?, row.get("arch")?);
    let (org, project) = (row.get("org")?, row.get("project")?);
    let request = queue::request(&verb, project, org, arch.as_deref()).map_err(|reason| row.corrupt("verb", reason))?;
    let state = row.word("state")?;
    let ended_ms: Option<i64> = row.get("ended")?;
    let outcome = if ended_ms.is_some() { Some(outcome_of(&row)?.unwrap_or(Outcome::SUCCESS)) } else { None };
    if outcome.as_ref().is_some_and(|outcome| outcome.ending.state() != state) {
        return Err(row.corrupt("outcome", "it is not the outcome of the row's state"));
    }
    Ok(Job {
        id: JobId(row.get("id")?),
        request,
        org: OrgId::from_uuid(org),
        org_name: row.parse("org_name")?,
        project: request.project(),
        project_name: row.parse_some("project_name")?,
        arch: row.parse_some("arch")?,
        state,
        priority: row.get::<i16>("rank")?.saturating_neg(),
        attempt: row.get("attempt")?,
        run_at_ms: row.get("run_at")?,
        created_ms: row.get("created")?,
        started_ms: row.get("started")?,
        ended_ms,
        worker: row.get("worker")?,
        cancel_asked: row.get("cancel_asked")?,
        outcome,
        key: row.get("key")?,
    })
}

/// The outcome of a row of the history; none stands for a plain success.
pub(super) fn outcome_of(row: &Row<'_>) -> Result<Option<Outcome>, StoreError> {
    if row.get::<Option<String>>("outcome")?.is_none() {
        return Ok(None);
    }
    row.json("outcome").map(Some)
}
