//! What the API may read: every query here is narrowed by the tenants that the identity sees, whatever the request names. What is
//! not theirs is not found, in the very words for what nobody has.

use providers::Kind;

use super::{
    Event, Job, JobFilter, Store, StoreError,
    jobs::{ENDED, HOT, job_of},
    resources::RESOURCE,
    sql::{Row, Sql, Via},
    tenants::{ORG, PROJECT, no_org, org_of, project_of},
};
use crate::core::{JobId, Name, Org, OrgId, Project, ProjectId, ResourceRow, Tenants, audit::AuditEntry};

/// The store, as far as some tenants go.
#[derive(Clone, Copy, Debug)]
pub struct Tenancy<'a> {
    pub(super) store: &'a Store,
    pub(super) tenants: &'a Tenants,
}

impl Store {
    /// The store, as far as those tenants go.
    #[must_use]
    pub const fn seen_by<'a>(&'a self, tenants: &'a Tenants) -> Tenancy<'a> {
        Tenancy { store: self, tenants }
    }
}

impl Tenancy<'_> {
    /// The organizations, by name. For a project's token: none.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn orgs(&self) -> Result<Vec<Org>, StoreError> {
        let mut sql = Sql::new(format!("SELECT {ORG} FROM orgs o WHERE true"));
        sql.within(self.tenants, "o.id", None).push(" ORDER BY o.name");
        self.store.query(Via::Reader, sql).await?.iter().map(org_of).collect()
    }

    /// The organization of that name.
    ///
    /// # Errors
    /// [`StoreError::NotFound`].
    pub async fn org(&self, name: &Name) -> Result<Org, StoreError> {
        let mut sql = Sql::with(format!("SELECT {ORG} FROM orgs o WHERE o.name = $1"), [name.as_str().into()]);
        sql.within(self.tenants, "o.id", None);
        let rows = self.store.query(Via::Reader, sql).await?;
        rows.first().map_or_else(|| Err(no_org(name.as_str())), org_of)
    }

    /// The projects of an organization, by name.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn projects(&self, org: OrgId) -> Result<Vec<Project>, StoreError> {
        let mut sql = Sql::with(format!("SELECT {PROJECT} FROM projects p WHERE p.org = $1"), [org.as_uuid().into()]);
        sql.within(self.tenants, "p.org", Some("p.id")).push(" ORDER BY p.name");
        self.store.query(Via::Reader, sql).await?.iter().map(project_of).collect()
    }

    /// The project of that name in the organization of that name.
    ///
    /// # Errors
    /// [`StoreError::NotFound`], whichever of the two there is not.
    pub async fn project(&self, org: &Name, project: &Name) -> Result<(Org, Project), StoreError> {
        let mut sql = Sql::with(
            format!(
                "SELECT {ORG}, {PROJECT} FROM projects p JOIN orgs o ON o.id = p.org WHERE o.name = $1 AND p.name = $2"
            ),
            [org.as_str().into(), project.as_str().into()],
        );
        sql.within(self.tenants, "p.org", Some("p.id"));
        let rows = self.store.query(Via::Reader, sql).await?;
        let row = rows.first().ok_or_else(|| StoreError::NotFound {
            what: "project",
            name: format!("{org}/{project}"),
            remedy: "check the name, or create it".to_owned(),
        })?;
        Ok((org_of(row)?, project_of(row)?))
    }

    /// The machines or volumes of a project.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn resources(&self, project: ProjectId, kind: Kind) -> Result<Vec<ResourceRow>, StoreError> {
        let mut sql = Sql::with(
            format!("SELECT {RESOURCE} FROM resources r WHERE r.project = $1 AND r.kind = $2"),
            [project.as_uuid().into(), kind.as_str().into()],
        );
        sql.within(self.tenants, "r.org", Some("r.project")).push(" ORDER BY r.arch");
        self.store.read_resources(sql).await
    }

    /// A job.
    ///
    /// # Errors
    /// [`StoreError::NotFound`].
    pub async fn job(&self, id: JobId) -> Result<Job, StoreError> {
        let mut sql = Sql::with(format!("{HOT} WHERE j.id = $1"), [id.0.into()]);
        sql.within(self.tenants, "j.org", Some("j.project"));
        sql.push(" UNION ALL ").push(ENDED).push(" WHERE j.id = $1");
        sql.within(self.tenants, "j.org", Some("j.project"));
        let rows = self.store.query(Via::Reader, sql).await?;
        let none = || StoreError::NotFound {
            what: "job",
            name: id.to_string(),
            remedy: "check the number; jobs that ended are kept for some weeks".to_owned(),
        };
        rows.first().map_or_else(|| Err(none()), job_of)
    }

    /// The jobs that the filter lets through, newest first.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn jobs(&self, filter: JobFilter) -> Result<Vec<Job>, StoreError> {
        self.store.jobs_within(filter, self.tenants).await
    }

    /// A project's events after that number, oldest first.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn events(&self, project: ProjectId, after: i64, limit: u32) -> Result<Vec<Event>, StoreError> {
        let limit = i64::from(limit);
        let mut sql = Sql::with(
            "SELECT * FROM (SELECT id, at, job, org, project, what, access FROM events WHERE id > $1 AND project = $3",
            [after.into(), limit.into(), project.as_uuid().into()],
        );
        sql.within(self.tenants, "org", Some("project")).push(" ORDER BY id LIMIT $2) e");
        if self.store.is_postgres() {
            sql.push(
                " UNION ALL SELECT * FROM (SELECT event, ended, id, org, project, state, CAST(NULL AS uuid) FROM job_history \
                 WHERE event > $1 AND project = $3",
            );
            sql.within(self.tenants, "org", Some("project")).push(" ORDER BY event LIMIT $2) h");
        }
        sql.push(" ORDER BY id LIMIT $2");
        let rows = self.store.query(Via::Reader, sql).await?;
        rows.iter().map(super::events::event_of).collect()
    }

    /// Entries of an organization's audit after that number, oldest first.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn audit(&self, org: OrgId, after: i64, limit: u32) -> Result<Vec<AuditEntry>, StoreError> {
        let is_theirs = match self.tenants {
            Tenants::All => true,
            Tenants::Orgs(orgs) => orgs.contains(&org),
            Tenants::Projects(..) => false,
        };
        if is_theirs { self.store.audit(Some(org), after, limit).await } else { Ok(Vec::new()) }
    }

    /// The last number of an event that there is.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn last_event(&self) -> Result<i64, StoreError> {
        let mut text = "SELECT coalesce(max(id), 0) AS last FROM events".to_owned();
        if self.store.is_postgres() {
            text = format!("SELECT greatest(({text}), (SELECT coalesce(max(event), 0) FROM job_history)) AS last");
        }
        // A number alone, of which only later ones matter: nobody's rows are shown, and no rows have to be gone through.
        let rows = self.store.within(&Tenants::All, None).query(Via::Reader, Sql::new(text)).await?;
        rows.first().map_or(Ok(0), |row| Row::new("events", "last", row).get("last"))
    }
}
