//! What keeps or ends a builder: holds, uses, and projects' rules.

use regions::Arch;

use super::{
    Store, StoreError,
    sql::{Row, Sql, Via},
};
use crate::core::{ProjectId, Request};

/// What holds a builder: somebody's word, or debug access that is open on it.
const HELD: &str = "(SELECT project, arch, until, reason FROM holds UNION ALL \
    SELECT project, arch, until, 'debug access of ' || principal || ' (' || reason || '); `provisioner debug revoke` ends it' \
    FROM grants WHERE state IN ('opening', 'open') AND revoked IS NULL)";

/// A builder that nobody but its owner may touch for a while.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hold {
    /// Until when, in milliseconds since 1970.
    pub until_ms: i64,
    /// Why, in the words of whoever holds it.
    pub reason: String,
}

/// What a project asks for when its builders and caches are not used. Seconds; none is never.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rules {
    /// After which a builder is switched off.
    pub idle_stop_secs: Option<i64>,
    /// After which it is taken away; its cache stays.
    pub idle_destroy_secs: Option<i64>,
    /// After which a cache without a builder is taken away.
    pub cache_destroy_secs: Option<i64>,
}

impl Store {
    /// Holds a builder until then: reconcile leaves it alone, and jobs that stop it or take it away are refused.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn hold(&self, project: ProjectId, arch: Arch, hold: &Hold, now_ms: i64) -> Result<(), StoreError> {
        let mut sql = Sql::new("INSERT INTO holds (project, arch, until, reason, created) VALUES ");
        sql.rows([vec![
            project.as_uuid().into(),
            arch.as_str().into(),
            hold.until_ms.into(),
            hold.reason.clone().into(),
            now_ms.into(),
        ]]);
        sql.push(" ON CONFLICT (project, arch) DO UPDATE SET until = excluded.until, reason = excluded.reason");
        self.query(Via::Alone, sql).await.map(drop)
    }

    /// Lets a builder go. False if nobody held it.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn let_go(&self, project: ProjectId, arch: Arch) -> Result<bool, StoreError> {
        let sql = Sql::with(
            "DELETE FROM holds WHERE project = $1 AND arch = $2 RETURNING until",
            [project.as_uuid().into(), arch.as_str().into()],
        );
        Ok(!self.query(Via::Alone, sql).await?.is_empty())
    }

    /// Until when the workers' leases last, by the workers' clocks; none if no worker is signed on.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn leased_until(&self) -> Result<Option<i64>, StoreError> {
        let rows = self.query(Via::Reader, Sql::new("SELECT max(lease_until) AS until FROM workers")).await?;
        rows.first().map_or(Ok(None), |row| Row::new("workers", "until", row).get("until"))
    }

    /// Who holds something that the request would stop or take away, at that time: the builder's name and the hold.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn hold_against(&self, request: &Request, now_ms: i64) -> Result<Option<(String, Hold)>, StoreError> {
        let mut sql = Sql::new(format!(
            "SELECT o.name AS org_name, p.name AS project_name, h.arch, h.until, h.reason FROM {HELD} h \
             JOIN projects p ON p.id = h.project JOIN orgs o ON o.id = p.org WHERE h.until > ",
        ));
        sql.bind(now_ms);
        match *request {
            Request::Stop { project, arch }
            | Request::Destroy { project, arch }
            | Request::DestroyCache { project, arch } => {
                sql.push(" AND h.project = ").bind(project.as_uuid()).push(" AND h.arch = ").bind(arch.as_str());
            }
            Request::DeleteProject { project } => drop(sql.push(" AND h.project = ").bind(project.as_uuid())),
            Request::DeleteOrg { org } => drop(sql.push(" AND p.org = ").bind(org.as_uuid())),
            Request::Provision { .. }
            | Request::Start { .. }
            | Request::Adopt { .. }
            | Request::Retag { .. }
            | Request::Quarantine { .. }
            | Request::Halt { .. }
            | Request::Collect { .. } => return Ok(None),
        }
        sql.push(" ORDER BY h.until DESC LIMIT 1");
        let rows = self.query(Via::Reader, sql).await?;
        let Some(row) = rows.first() else { return Ok(None) };
        let row = Row::new("holds", "project_name", row);
        let (org, project): (String, String) = (row.get("org_name")?, row.get("project_name")?);
        let name = format!("{org}/{project} {}", row.get::<String>("arch")?);
        Ok(Some((name, Hold { until_ms: row.get("until")?, reason: row.get("reason")? })))
    }

    /// All holds that have not run out, with the builders' names.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn holds(&self, now_ms: i64) -> Result<Vec<(ProjectId, Arch, Hold)>, StoreError> {
        let sql =
            Sql::with(format!("SELECT project, arch, until, reason FROM {HELD} h WHERE until > $1"), [now_ms.into()]);
        let rows = self.query(Via::Reader, sql).await?;
        rows.iter()
            .map(|row| {
                let row = Row::new("holds", "project", row);
                let hold = Hold { until_ms: row.get("until")?, reason: row.get("reason")? };
                Ok((ProjectId::from_uuid(row.get("project")?), row.parse("arch")?, hold))
            })
            .collect()
    }

    /// Notes that a builder is being used. A time that is older than what is known changes nothing.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn touch(&self, project: ProjectId, arch: Arch, now_ms: i64) -> Result<(), StoreError> {
        let sql = Sql::with(
            "INSERT INTO builder_uses (project, arch, at) VALUES ($1, $2, $3) \
             ON CONFLICT (project, arch) DO UPDATE SET at = excluded.at WHERE builder_uses.at < excluded.at",
            [project.as_uuid().into(), arch.as_str().into(), now_ms.into()],
        );
        self.query(Via::Alone, sql).await.map(drop)
    }

    /// A project's rules.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn rules(&self, project: ProjectId) -> Result<Rules, StoreError> {
        let sql = Sql::with(
            "SELECT id, idle_stop, idle_destroy, cache_destroy FROM projects WHERE id = $1",
            [project.as_uuid().into()],
        );
        let rows = self.query(Via::Reader, sql).await?;
        let Some(row) = rows.first() else { return Ok(Rules::default()) };
        let row = Row::new("projects", "id", row);
        Ok(Rules {
            idle_stop_secs: row.get("idle_stop")?,
            idle_destroy_secs: row.get("idle_destroy")?,
            cache_destroy_secs: row.get("cache_destroy")?,
        })
    }

    /// Gives a project its rules.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn set_rules(&self, project: ProjectId, rules: Rules) -> Result<(), StoreError> {
        let sql = Sql::with(
            "UPDATE projects SET idle_stop = $2, idle_destroy = $3, cache_destroy = $4 WHERE id = $1",
            [
                project.as_uuid().into(),
                rules.idle_stop_secs.into(),
                rules.idle_destroy_secs.into(),
                rules.cache_destroy_secs.into(),
            ],
        );
        self.query(Via::Alone, sql).await.map(drop)
    }
}
