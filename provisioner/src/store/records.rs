//! What reconcile reads: records with what is around them, page by page; what jobs are at; owners and ids that tags name.

use std::collections::{BTreeMap, BTreeSet};

use providers::{Kind, RemoteId, ResourceId};
use regions::{Arch, Cloud, Region, Residency};
use sea_orm::Value;
use uuid::Uuid;

use super::{
    Store, StoreError,
    resources::{RESOURCE, resource_of},
    sql::{Row, Sql, Via},
    upkeep::{Hold, Rules},
};
use crate::core::{JobId, OrgId, ProjectId, Request, ResourceRow, RowState};

/// Names and ids that are looked up in one statement.
const BATCH: usize = 500;

/// A resource with what is around it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// The row.
    pub row: ResourceRow,
    /// Its organization's name.
    pub org_name: String,
    /// Its project's name.
    pub project_name: Option<String>,
    /// Whether its project or organization is being deleted.
    pub deleting: bool,
    /// The other of the pair: a machine's volume, a volume's machine.
    pub mate: Option<Mate>,
    /// Who holds its builder.
    pub hold: Option<Hold>,
    /// When its builder was last said to be used, in milliseconds since 1970.
    pub used_ms: Option<i64>,
    /// Its project's rules.
    pub rules: Rules,
}

/// The other of a pair.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mate {
    /// Our id of it.
    pub id: ResourceId,
    /// The cloud's name for it.
    pub remote: Option<RemoteId>,
    /// How it stands.
    pub state: RowState,
}

/// What jobs are at, and what they are stuck at.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Work {
    /// Builders with a job that has not ended.
    pub builders: BTreeSet<(ProjectId, Arch)>,
    /// Projects with a job of their own.
    pub projects: BTreeSet<ProjectId>,
    /// Organizations with a job of their own.
    pub orgs: BTreeSet<OrgId>,
    /// Organizations with any job at all: their keys may be in the making.
    pub busy_orgs: BTreeSet<OrgId>,
    /// Findings with a job.
    pub findings: BTreeSet<ResourceId>,
    /// Stuck jobs of builders.
    pub stuck: BTreeMap<(ProjectId, Arch), JobId>,
}

impl Work {
    /// Whether a job may be at that builder.
    #[must_use]
    pub fn is_at(&self, org: OrgId, builder: Option<(ProjectId, Arch)>) -> bool {
        let at = |(project, arch)| self.builders.contains(&(project, arch)) || self.projects.contains(&project);
        self.orgs.contains(&org) || builder.map_or_else(|| self.busy_orgs.contains(&org), at)
    }

    /// Both.
    pub fn merge(&mut self, other: Self) {
        self.builders.extend(other.builders);
        self.projects.extend(other.projects);
        self.orgs.extend(other.orgs);
        self.busy_orgs.extend(other.busy_orgs);
        self.findings.extend(other.findings);
        self.stuck.extend(other.stuck);
    }
}

/// An owner as tags name it, found in the database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KnownOwner {
    /// The organization.
    pub org: OrgId,
    /// The project, where the tags name one that there is.
    pub project: Option<(ProjectId, Cloud, Residency)>,
}

impl Store {
    /// The regions in which there is a record.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn recorded_regions(&self) -> Result<Vec<Region>, StoreError> {
        let rows = self.query(Via::Reader, Sql::new("SELECT DISTINCT cloud, region FROM resources")).await?;
        rows.iter()
            .map(|row| {
                let row = Row::new("resources", "region", row);
                let name: String = row.get("region")?;
                Region::find(row.parse::<Cloud>("cloud")?, &name).map_err(|error| row.corrupt("region", error))
            })
            .collect()
    }

    /// A page of the region's records, in the order of their ids. One statement.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn records(
        &self,
        region: Region,
        after: Option<ResourceId>,
        limit: u32,
    ) -> Result<Vec<Record>, StoreError> {
        let mut sql = Sql::new(format!(
            "SELECT {RESOURCE}, o.name AS org_name, p.name AS project_name, \
             CAST(CASE WHEN o.deleting OR coalesce(p.deleting, o.deleting) THEN 1 ELSE 0 END AS bigint) AS going, m.id AS mate, m.remote AS mate_remote, \
             m.state AS mate_state, h.until AS held_until, h.reason AS held_reason, u.at AS used, p.idle_stop, \
             p.idle_destroy, p.cache_destroy \
             FROM resources r JOIN orgs o ON o.id = r.org LEFT JOIN projects p ON p.id = r.project \
             LEFT JOIN resources m ON m.project = r.project AND m.arch = r.arch AND m.kind <> r.kind AND m.kind <> 'key' \
             LEFT JOIN holds h ON h.project = r.project AND h.arch = r.arch \
             LEFT JOIN builder_uses u ON u.project = r.project AND u.arch = r.arch \
             WHERE r.cloud = "
        ));
        sql.bind(region.cloud().as_str()).push(" AND r.region = ").bind(region.name());
        if let Some(after) = after {
            sql.push(" AND r.id > ").bind(after.as_uuid());
        }
        sql.push(" ORDER BY r.id LIMIT ").bind(i64::from(limit));
        let rows = self.query(Via::Reader, sql).await?;
        rows.iter()
            .map(|found| {
                let row = Row::new("resources", "id", found);
                let mate: Option<Uuid> = row.get("mate")?;
                let mate = match mate {
                    Some(id) => Some(Mate {
                        id: ResourceId::from_uuid(id),
                        remote: row.get::<Option<String>>("mate_remote")?.map(RemoteId),
                        state: row.word("mate_state")?,
                    }),
                    None => None,
                };
                let until: Option<i64> = row.get("held_until")?;
                let reason: Option<String> = row.get("held_reason")?;
                Ok(Record {
                    row: resource_of(found)?,
                    org_name: row.get("org_name")?,
                    project_name: row.get("project_name")?,
                    deleting: row.get::<i64>("going")? != 0,
                    mate,
                    hold: until.zip(reason).map(|(until_ms, reason)| Hold { until_ms, reason }),
                    used_ms: row.get("used")?,
                    rules: Rules {
                        idle_stop_secs: row.get("idle_stop")?,
                        idle_destroy_secs: row.get("idle_destroy")?,
                        cache_destroy_secs: row.get("cache_destroy")?,
                    },
                })
            })
            .collect()
    }

    /// The keys of a region: whose, and the cloud's name for each. One statement.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn keys_of(&self, region: Region) -> Result<BTreeMap<ResourceId, (OrgId, Option<RemoteId>)>, StoreError> {
        let sql = Sql::with(
            "SELECT id, org, remote FROM resources WHERE kind = 'key' AND cloud = $1 AND region = $2",
            [region.cloud().as_str().into(), region.name().into()],
        );
        let rows = self.query(Via::Reader, sql).await?;
        rows.iter()
            .map(|row| {
                let row = Row::new("resources", "id", row);
                let remote: Option<String> = row.get("remote")?;
                Ok((ResourceId::from_uuid(row.get("id")?), (OrgId::from_uuid(row.get("org")?), remote.map(RemoteId))))
            })
            .collect()
    }

    /// What jobs are at. Two statements.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn work(&self) -> Result<Work, StoreError> {
        let mut work = Work::default();
        let rows = self.query(Via::Reader, Sql::new("SELECT DISTINCT verb, org, project, arch FROM jobs")).await?;
        for row in &rows {
            let row = Row::new("jobs", "verb", row);
            let (verb, arch): (String, Option<String>) = (row.get("verb")?, row.get("arch")?);
            let request = super::queue::request(&verb, row.get("project")?, row.get("org")?, arch.as_deref());
            let request = request.map_err(|reason| row.corrupt("verb", reason))?;
            let org = OrgId::from_uuid(row.get("org")?);
            work.busy_orgs.insert(org);
            match (request.project().zip(request.arch()), request.project(), request.stray()) {
                (Some(builder), _, _) => drop(work.builders.insert(builder)),
                (None, Some(project), _) => drop(work.projects.insert(project)),
                (None, None, Some(finding)) => drop(work.findings.insert(finding)),
                (None, None, None) => drop(work.orgs.insert(org)),
            }
        }
        let sql = Sql::new("SELECT id, verb, org, project, arch FROM job_history WHERE state = 'stuck' ORDER BY id");
        for row in &self.query(Via::Reader, sql).await? {
            let row = Row::new("job_history", "id", row);
            let (verb, arch): (String, Option<String>) = (row.get("verb")?, row.get("arch")?);
            let request = super::queue::request(&verb, row.get("project")?, row.get("org")?, arch.as_deref());
            let request: Request = request.map_err(|reason| row.corrupt("verb", reason))?;
            if let Some(builder) = request.project().zip(request.arch()) {
                work.stuck.insert(builder, JobId(row.get("id")?));
            }
        }
        Ok(work)
    }

    /// The owners that tags name, as far as the database knows them. A statement for each 500 organizations.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn owners(
        &self,
        names: &BTreeSet<(String, Option<String>)>,
    ) -> Result<BTreeMap<(String, Option<String>), KnownOwner>, StoreError> {
        let mut known = BTreeMap::new();
        let names: Vec<&(String, Option<String>)> = names.iter().collect();
        for names in names.chunks(BATCH) {
            let mut sql = Sql::new(
                "SELECT o.id AS org, o.name AS org_name, p.id AS project, p.name AS project_name, p.cloud, p.residency \
                 FROM orgs o LEFT JOIN projects p ON p.org = o.id AND p.name IN (",
            );
            sql.list(names.iter().map(|(_, project)| Value::from(project.clone().unwrap_or_default())));
            sql.push(") WHERE o.name IN (").list(names.iter().map(|(org, _)| Value::from(org.clone()))).push(")");
            for row in &self.query(Via::Reader, sql).await? {
                let row = Row::new("projects", "org", row);
                let (org, org_name) = (OrgId::from_uuid(row.get("org")?), row.get::<String>("org_name")?);
                known.entry((org_name.clone(), None)).or_insert(KnownOwner { org, project: None });
                if let Some(project) = row.get::<Option<Uuid>>("project")? {
                    let project = (ProjectId::from_uuid(project), row.parse("cloud")?, row.parse("residency")?);
                    let name: Option<String> = row.get("project_name")?;
                    known.insert((org_name, name), KnownOwner { org, project: Some(project) });
                }
            }
        }
        Ok(known)
    }

    /// Those of the ids for which there is a record, wherever it is. A statement for each 500.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn recorded(
        &self,
        ids: &[ResourceId],
    ) -> Result<BTreeMap<ResourceId, (Kind, Region, Option<RemoteId>)>, StoreError> {
        let mut known = BTreeMap::new();
        for ids in ids.chunks(BATCH) {
            let mut sql = Sql::new("SELECT id, kind, cloud, region, remote FROM resources WHERE id IN (");
            sql.list(ids.iter().map(|id| Value::from(id.as_uuid()))).push(")");
            for row in &self.query(Via::Reader, sql).await? {
                let row = Row::new("resources", "id", row);
                let name: String = row.get("region")?;
                let region = Region::find(row.parse::<Cloud>("cloud")?, &name);
                let region = region.map_err(|error| row.corrupt("region", error))?;
                let remote: Option<String> = row.get("remote")?;
                let id = ResourceId::from_uuid(row.get("id")?);
                known.insert(id, (row.word("kind")?, region, remote.map(RemoteId)));
            }
        }
        Ok(known)
    }

    /// Whether the database has any project: one that has none is hardly the one that goes with a cloud full of machines.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn has_projects(&self) -> Result<bool, StoreError> {
        let rows = self.query(Via::Reader, Sql::new("SELECT id FROM projects LIMIT 1")).await?;
        Ok(!rows.is_empty())
    }
}
