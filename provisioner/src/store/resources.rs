//! What exists or may exist in the clouds, read. It is written by [`Store::record`](super::Store::record) alone.

use providers::{Kind, RemoteId, ResourceId};
use regions::{Arch, Cloud, Placement, Region, Residency, Zone};
use sea_orm::QueryResult;

use super::{
    Store, StoreError,
    sql::{Row, Sql, Via},
    tenants::{ORG, PROJECT, org_of, project_of},
};
use crate::core::{Blueprint, JobId, OrgId, ProjectId, Request, ResourceRow, RowState, Scene, Scope};

/// Which resources; all, where nothing is said.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ResourceFilter {
    /// Of that organization.
    pub org: Option<OrgId>,
    /// Of that project. Keys are of no project.
    pub project: Option<ProjectId>,
    /// Of that kind.
    pub kind: Option<Kind>,
}

pub(super) const RESOURCE: &str = "r.id, r.kind, r.org, r.project, r.arch, r.cloud, r.region, r.zone, r.residency, r.remote, r.state, \
     r.incarnation, r.blueprint, r.address, r.job, r.created, r.updated";

impl Store {
    /// The resources that the filter lets through, oldest first.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn resources(&self, filter: ResourceFilter) -> Result<Vec<ResourceRow>, StoreError> {
        let mut sql = Sql::new(format!("SELECT {RESOURCE} FROM resources r WHERE true"));
        if let Some(org) = filter.org {
            sql.push(" AND r.org = ").bind(org.as_uuid());
        }
        if let Some(project) = filter.project {
            sql.push(" AND r.project = ").bind(project.as_uuid());
        }
        if let Some(kind) = filter.kind {
            sql.push(" AND r.kind = ").bind(kind.as_str());
        }
        sql.push(" ORDER BY r.created, r.id");
        self.read_resources(sql).await
    }

    /// The resource of that id, if there is one.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn resource(&self, id: ResourceId) -> Result<Option<ResourceRow>, StoreError> {
        let sql = Sql::with(format!("SELECT {RESOURCE} FROM resources r WHERE r.id = $1"), [id.as_uuid().into()]);
        Ok(self.read_resources(sql).await?.pop())
    }

    /// What a plan for that request may depend on; none if its tenant is gone. Two statements, three for an organization.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn scene(&self, request: &Request) -> Result<Option<Scene>, StoreError> {
        match (request.scope(), request.project()) {
            (Scope::Org(org), _) => self.scene_of_org(org).await,
            (Scope::Project(project), _) | (Scope::Builder, Some(project)) => self.scene_of_project(project).await,
            (Scope::Builder, None) => match request.stray() {
                Some(stray) => self.scene_of_stray(stray).await,
                None => Ok(None),
            },
        }
    }

    async fn scene_of_project(&self, project: ProjectId) -> Result<Option<Scene>, StoreError> {
        let sql = Sql::with(
            format!("SELECT {ORG}, {PROJECT} FROM projects p JOIN orgs o ON o.id = p.org WHERE p.id = $1"),
            [project.as_uuid().into()],
        );
        let rows = self.query(Via::Reader, sql).await?;
        let Some(row) = rows.first() else { return Ok(None) };
        let (org, project) = (org_of(row)?, project_of(row)?);
        // Two branches, one index each.
        let sql = Sql::with(
            format!(
                "SELECT {RESOURCE} FROM resources r WHERE r.project = $1 UNION ALL \
                 SELECT {RESOURCE} FROM resources r WHERE r.org = $2 AND r.kind = 'key'"
            ),
            [project.id.as_uuid().into(), org.id.as_uuid().into()],
        );
        let resources = self.read_resources(sql).await?;
        Ok(Some(Scene { org, projects: vec![project], resources, stray: None }))
    }

    async fn scene_of_org(&self, org: OrgId) -> Result<Option<Scene>, StoreError> {
        let sql = Sql::with(format!("SELECT {ORG} FROM orgs o WHERE o.id = $1"), [org.as_uuid().into()]);
        let rows = self.query(Via::Reader, sql).await?;
        let Some(row) = rows.first() else { return Ok(None) };
        let found = org_of(row)?;
        let sql = Sql::with(
            format!("SELECT {PROJECT} FROM projects p WHERE p.org = $1 ORDER BY p.name"),
            [org.as_uuid().into()],
        );
        let projects = self.query(Via::Reader, sql).await?.iter().map(project_of).collect::<Result<_, _>>()?;
        let filter = ResourceFilter { org: Some(org), ..ResourceFilter::default() };
        Ok(Some(Scene { org: found, projects, resources: self.resources(filter).await?, stray: None }))
    }

    pub(super) async fn read_resources(&self, sql: Sql) -> Result<Vec<ResourceRow>, StoreError> {
        let rows = self.query(Via::Reader, sql).await?;
        rows.iter().map(resource_of).collect()
    }
}

pub(super) fn resource_of(row: &QueryResult) -> Result<ResourceRow, StoreError> {
    let row = Row::new("resources", "id", row);
    let kind = row.word::<Kind>("kind")?;
    let region = region_of(&row)?;
    let zone = zone_of(&row, region)?;
    let blueprint: Blueprint = row.json("blueprint")?;
    if (blueprint.kind(), blueprint.region(), blueprint.zone()) != (kind, region, zone) {
        return Err(row.corrupt("blueprint", "it is of another kind, region or zone than the row"));
    }
    Ok(ResourceRow {
        id: ResourceId::from_uuid(row.get("id")?),
        kind,
        org: OrgId::from_uuid(row.get("org")?),
        project: row.get::<Option<uuid::Uuid>>("project")?.map(ProjectId::from_uuid),
        arch: row.parse_some::<Arch>("arch")?,
        region,
        zone,
        remote: row.get::<Option<String>>("remote")?.map(RemoteId),
        state: row.word::<RowState>("state")?,
        incarnation: row.number("incarnation")?,
        blueprint,
        address: row.get("address")?,
        job: JobId(row.get("job")?),
        created_ms: row.get("created")?,
        updated_ms: row.get("updated")?,
    })
}

/// The region, which lies in the residency of its row.
fn region_of(row: &Row<'_>) -> Result<Region, StoreError> {
    let residency: Residency = row.parse("residency")?;
    let name: String = row.get("region")?;
    let region = Region::find(row.parse::<Cloud>("cloud")?, &name).map_err(|error| row.corrupt("region", error))?;
    region.inside(residency).map_err(|error| row.corrupt("residency", error))
}

/// The zone, which lies in the region and in the residency of its row.
fn zone_of(row: &Row<'_>, region: Region) -> Result<Option<Zone>, StoreError> {
    let residency: Residency = row.parse("residency")?;
    let check = |name: String| Placement::check(residency, region.zone(&name)?).map(Placement::zone);
    row.get::<Option<String>>("zone")?.map(check).transpose().map_err(|error| row.corrupt("zone", error))
}
