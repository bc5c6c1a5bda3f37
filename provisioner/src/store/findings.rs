//! What reconcile keeps: its findings from run to run, the runs, and the lease that lets one run at a time.
//!
//! A finding's row says when it was first seen and how often, what was done about it, and how long a stray is kept. A
//! finding that its region no longer shows is dropped.

use std::collections::BTreeMap;

use providers::{Owner, ResourceId};
use regions::Region;
use sea_orm::Value;

use super::{
    Store, StoreError,
    sql::{Row, Sql, Via},
};
use crate::core::{Finding, JobId, JobState, Name, Org, OrgId, Scene, Stray};

/// Findings that are written in one statement.
const BATCH: usize = 200;

/// A finding, and what is remembered of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sighting {
    /// When it was first seen, by our own clock, in milliseconds since 1970.
    pub first_seen_ms: i64,
    /// When it was last seen.
    pub last_seen_ms: i64,
    /// The runs that have seen it in a row.
    pub sightings: u32,
    /// Until when it is kept; none if nobody has said.
    pub quarantine_until_ms: Option<i64>,
    /// Repairs that were enqueued.
    pub repairs: u32,
    /// The last of them.
    pub job: Option<JobId>,
    /// How that job ended, if it has and is remembered.
    pub job_state: Option<JobState>,
    /// The finding as it was last seen.
    pub finding: Finding,
}

/// A run of reconcile.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Run {
    /// Its number.
    pub id: i64,
    /// When it began, in milliseconds since 1970.
    pub started_ms: i64,
    /// When it ended; none if it has not, or was cut off.
    pub ended_ms: Option<i64>,
    /// Who ran it.
    pub runner: String,
    /// What it was to do.
    pub mode: String,
    /// What it saw and did, as JSON.
    pub report: Option<String>,
}

impl Store {
    /// The findings of a region as the runs before left them. One statement.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn sightings(&self, region: Region) -> Result<BTreeMap<ResourceId, Sighting>, StoreError> {
        let mut sql = Sql::new(
            "SELECT f.id, f.first_seen, f.last_seen, f.sightings, f.quarantine_until, f.repairs, f.job, f.subject, \
             h.state AS job_state FROM findings f LEFT JOIN job_history h ON h.id = f.job WHERE f.cloud = ",
        );
        sql.bind(region.cloud().as_str()).push(" AND f.region = ").bind(region.name());
        let rows = self.query(Via::Reader, sql).await?;
        let mut found = BTreeMap::new();
        for row in &rows {
            let row = Row::new("findings", "id", row);
            found.insert(ResourceId::from_uuid(row.get("id")?), sighting_of(&row)?);
        }
        Ok(found)
    }

    /// Writes what a run has seen of a region, and forgets what it has not. A statement for each 200 findings, and one.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn see(&self, region: Region, run: i64, findings: &[Finding], now_ms: i64) -> Result<(), StoreError> {
        for batch in findings.chunks(BATCH) {
            let mut sql = Sql::new(
                "INSERT INTO findings (id, cloud, region, kind, remote, org, org_name, first_seen, last_seen, last_run, \
                 sightings, repairs, subject) VALUES ",
            );
            let rows = batch.iter().map(|finding| {
                let subject = serde_json::to_string(finding).map_err(StoreError::other)?;
                let name = finding.org_name.parse::<Name>().map_or_else(|_| "unknown".to_owned(), String::from);
                Ok(vec![
                    finding.id.as_uuid().into(),
                    region.cloud().as_str().into(),
                    region.name().into(),
                    finding.kind.as_str().into(),
                    finding.remote.as_ref().map(ToString::to_string).into(),
                    finding.org.map(OrgId::as_uuid).into(),
                    name.into(),
                    now_ms.into(),
                    now_ms.into(),
                    run.into(),
                    1_i64.into(),
                    0_i64.into(),
                    subject.into(),
                ])
            });
            sql.rows(rows.collect::<Result<Vec<Vec<Value>>, StoreError>>()?);
            sql.push(
                " ON CONFLICT (id) DO UPDATE SET last_seen = excluded.last_seen, subject = excluded.subject, \
                 org = excluded.org, org_name = excluded.org_name, remote = excluded.remote, last_run = excluded.last_run, \
                 sightings = findings.sightings + CASE WHEN findings.last_run = excluded.last_run THEN 0 ELSE 1 END",
            );
            self.query(Via::Alone, sql).await?;
        }
        let mut sql = Sql::new("DELETE FROM findings WHERE cloud = ");
        sql.bind(region.cloud().as_str()).push(" AND region = ").bind(region.name());
        sql.push(" AND last_run <> ").bind(run);
        self.query(Via::Alone, sql).await.map(drop)
    }

    /// Says until when a stray is kept.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn keep_until(&self, finding: ResourceId, until_ms: i64) -> Result<(), StoreError> {
        let sql = Sql::with(
            "UPDATE findings SET quarantine_until = $2 WHERE id = $1",
            [finding.as_uuid().into(), until_ms.into()],
        );
        self.query(Via::Alone, sql).await.map(drop)
    }

    /// Notes that a repair was enqueued.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn repaired_by(&self, finding: ResourceId, job: JobId) -> Result<(), StoreError> {
        let sql = Sql::with(
            "UPDATE findings SET job = $2, repairs = repairs + 1 WHERE id = $1",
            [finding.as_uuid().into(), job.0.into()],
        );
        self.query(Via::Alone, sql).await.map(drop)
    }

    /// All open findings, the oldest first.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn findings(&self) -> Result<Vec<Sighting>, StoreError> {
        let sql = Sql::new(
            "SELECT f.id, f.first_seen, f.last_seen, f.sightings, f.quarantine_until, f.repairs, f.job, f.subject, \
             h.state AS job_state FROM findings f LEFT JOIN job_history h ON h.id = f.job ORDER BY f.first_seen, f.id",
        );
        let rows = self.query(Via::Reader, sql).await?;
        rows.iter().map(|row| sighting_of(&Row::new("findings", "id", row))).collect()
    }

    /// What a job about something without a record stands on. Two statements.
    pub(super) async fn scene_of_stray(&self, id: ResourceId) -> Result<Option<Scene>, StoreError> {
        let sql = Sql::with(
            "SELECT f.id, f.first_seen, f.last_seen, f.sightings, f.quarantine_until, f.repairs, f.job, f.subject, f.org_name, \
             f.org, CAST(NULL AS text) AS job_state FROM findings f WHERE f.id = $1",
            [id.as_uuid().into()],
        );
        let rows = self.query(Via::Reader, sql).await?;
        let Some(row) = rows.first() else { return Ok(None) };
        let row = Row::new("findings", "id", row);
        let Sighting { finding, quarantine_until_ms, .. } = sighting_of(&row)?;
        let Some(remote) = finding.remote else { return Ok(None) };
        // Whatever a record names by now, by the cloud's name, is no stray any more.
        let sql = Sql::with(
            "SELECT id FROM resources WHERE cloud = $1 AND region = $2 AND kind = $3 AND remote = $4",
            [
                finding.region.cloud().as_str().into(),
                finding.region.name().into(),
                finding.kind.as_str().into(),
                remote.as_str().into(),
            ],
        );
        let named = self.query(Via::Reader, sql).await?;
        let explained = named.first().map(|row| Row::new("resources", "id", row).get("id")).transpose()?;
        let org = Org {
            id: OrgId::from_uuid(row.get::<Option<uuid::Uuid>>("org")?.unwrap_or_default()),
            name: row.parse("org_name")?,
            created_ms: 0,
            deleting: false,
        };
        let stray = Stray {
            id,
            kind: finding.kind,
            region: finding.region,
            remote,
            owner: Owner { org: finding.org_name, project: finding.project_name },
            quarantine_until_ms,
            explained_by: explained.map(ResourceId::from_uuid),
        };
        Ok(Some(Scene { org, projects: Vec::new(), resources: Vec::new(), stray: Some(stray) }))
    }

    /// Begins a run, and gives its number.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn begin_run(&self, runner: &str, mode: &str, now_ms: i64) -> Result<i64, StoreError> {
        let sql = Sql::with(
            "INSERT INTO reconcile_runs (started, runner, mode) VALUES ($1, $2, $3) RETURNING id",
            [now_ms.into(), runner.into(), mode.into()],
        );
        let rows = self.query(Via::Alone, sql).await?;
        let row = rows.first().ok_or_else(|| StoreError::other("a run that was begun has no number"))?;
        Row::new("reconcile_runs", "id", row).get("id")
    }

    /// Ends a run with its report.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn end_run(&self, run: i64, report: &str, now_ms: i64) -> Result<(), StoreError> {
        let sql = Sql::with(
            "UPDATE reconcile_runs SET ended = $2, report = $3 WHERE id = $1",
            [run.into(), now_ms.into(), report.into()],
        );
        self.query(Via::Alone, sql).await.map(drop)
    }

    /// The last runs, newest first; or that one run.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn runs(&self, one: Option<i64>, limit: u32) -> Result<Vec<Run>, StoreError> {
        let mut sql = Sql::new("SELECT id, started, ended, runner, mode, report FROM reconcile_runs");
        if let Some(id) = one {
            sql.push(" WHERE id = ").bind(id);
        }
        sql.push(" ORDER BY id DESC LIMIT ").bind(i64::from(limit));
        let rows = self.query(Via::Reader, sql).await?;
        rows.iter()
            .map(|row| {
                let row = Row::new("reconcile_runs", "id", row);
                Ok(Run {
                    id: row.get("id")?,
                    started_ms: row.get("started")?,
                    ended_ms: row.get("ended")?,
                    runner: row.get("runner")?,
                    mode: row.get("mode")?,
                    report: row.get("report")?,
                })
            })
            .collect()
    }

    /// Forgets runs that began before then.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn prune_runs(&self, older_than_ms: i64) -> Result<(), StoreError> {
        let sql = Sql::with("DELETE FROM reconcile_runs WHERE started < $1", [older_than_ms.into()]);
        self.query(Via::Alone, sql).await.map(drop)
    }

    /// Takes or extends the right to run, until then; the answer is who has it otherwise.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn take_lease(&self, runner: &str, until_ms: i64, now_ms: i64) -> Result<Option<String>, StoreError> {
        let sql = Sql::with(
            "INSERT INTO reconcile_lease (name, runner, until) VALUES ('reconcile', $1, $2) \
             ON CONFLICT (name) DO UPDATE SET runner = excluded.runner, until = excluded.until \
             WHERE reconcile_lease.runner = excluded.runner OR reconcile_lease.until <= $3 RETURNING name",
            [runner.into(), until_ms.into(), now_ms.into()],
        );
        if !self.query(Via::Alone, sql).await?.is_empty() {
            return Ok(None);
        }
        let rows = self.query(Via::Reader, Sql::new("SELECT name, runner FROM reconcile_lease")).await?;
        let other = rows.first().map(|row| Row::new("reconcile_lease", "name", row).get("runner")).transpose()?;
        Ok(Some(other.unwrap_or_else(|| "another".to_owned())))
    }

    /// Gives the right to run back.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn give_lease(&self, runner: &str) -> Result<(), StoreError> {
        let sql = Sql::with("DELETE FROM reconcile_lease WHERE runner = $1", [runner.into()]);
        self.query(Via::Alone, sql).await.map(drop)
    }
}

fn sighting_of(row: &Row<'_>) -> Result<Sighting, StoreError> {
    Ok(Sighting {
        first_seen_ms: row.get("first_seen")?,
        last_seen_ms: row.get("last_seen")?,
        sightings: row.number("sightings")?,
        quarantine_until_ms: row.get("quarantine_until")?,
        repairs: row.number("repairs")?,
        job: row.get::<Option<i64>>("job")?.map(JobId),
        job_state: match row.get::<Option<String>>("job_state")? {
            Some(_) => Some(row.word("job_state")?),
            None => None,
        },
        finding: row.json("subject")?,
    })
}
