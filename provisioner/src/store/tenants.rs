//! Organizations and projects. They are made here; they go only with the job that deletes them.

use regions::{Cloud, Region, Residency, Size};
use sea_orm::{QueryResult, Value};

use super::{
    Store, StoreError,
    sql::{Row, Sql, Via},
};
use crate::core::{Name, Org, OrgId, Project, ProjectId, scene::CacheShape};

/// A project to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewProject {
    /// Its id, made at the edge.
    pub id: ProjectId,
    /// Its organization.
    pub org: OrgId,
    /// Its name, unique within the organization.
    pub name: Name,
    /// Where its data must stay.
    pub residency: Residency,
    /// Its cloud, for life.
    pub cloud: Cloud,
    /// The region to which it is bound, if to one.
    pub region: Option<Region>,
    /// The size of its builders.
    pub size: Size,
    /// The shape of its cache volumes.
    pub cache: CacheShape,
}

/// The columns of an organization and of a project, side by side, as [`org_of`] and [`project_of`] read them.
pub(super) const ORG: &str = "o.id AS org_id, o.name AS org_name, o.deleting AS org_deleting, o.created AS org_created";
pub(super) const PROJECT: &str = "p.id, p.org, p.name, p.residency, p.cloud, p.region, p.size, p.cache_gib, \
     p.cache_iops, p.cache_mibps, p.deleting, p.created";

impl Store {
    /// Makes an organization.
    ///
    /// # Errors
    /// [`StoreError::Exists`] if the name is taken, even by one that is being deleted.
    pub async fn create_org(&self, name: &Name, id: OrgId, now_ms: i64) -> Result<Org, StoreError> {
        let mut sql = Sql::new("INSERT INTO orgs (id, name, deleting, created) VALUES ");
        sql.rows([vec![id.as_uuid().into(), name.as_str().into(), false.into(), now_ms.into()]]);
        sql.push(" ON CONFLICT (name) DO NOTHING RETURNING id");
        if self.query(Via::Alone, sql).await?.is_empty() {
            let remedy = "use another name, or wait for its deletion to end".to_owned();
            return Err(StoreError::Exists { what: "organization", name: name.to_string(), remedy });
        }
        Ok(Org { id, name: name.clone(), created_ms: now_ms, deleting: false })
    }

    /// All organizations, by name.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn orgs(&self) -> Result<Vec<Org>, StoreError> {
        let rows = self.query(Via::Reader, Sql::new(format!("SELECT {ORG} FROM orgs o ORDER BY o.name"))).await?;
        rows.iter().map(org_of).collect()
    }

    /// The organization of that name.
    ///
    /// # Errors
    /// [`StoreError::NotFound`].
    pub async fn org(&self, name: &Name) -> Result<Org, StoreError> {
        let sql = Sql::with(format!("SELECT {ORG} FROM orgs o WHERE o.name = $1"), [name.as_str().into()]);
        let rows = self.query(Via::Reader, sql).await?;
        rows.first().map_or_else(|| Err(no_org(name.as_str())), org_of)
    }

    /// Makes a project.
    ///
    /// # Errors
    /// [`StoreError::Refused`] for a region outside the residency or in another cloud and for an organization that is being
    /// deleted, [`StoreError::NotFound`] if there is none, [`StoreError::Exists`] if it has a project of that name.
    pub async fn create_project(&self, new: NewProject, now_ms: i64) -> Result<Project, StoreError> {
        check_region(&new)?;
        let shape = new.cache;
        let values: [Value; 12] = [
            new.id.as_uuid().into(),
            new.name.as_str().into(),
            new.residency.as_str().into(),
            new.cloud.as_str().into(),
            new.region.map(Region::name).into(),
            new.size.as_str().into(),
            i64::from(shape.size_gib).into(),
            shape.iops.map(i64::from).into(),
            shape.throughput_mibps.map(i64::from).into(),
            false.into(),
            now_ms.into(),
            new.org.as_uuid().into(),
        ];
        // The transaction orders it against the acceptance of the organization's deletion: that marks the projects that it sees.
        let transaction = self.begin().await?;
        let lock = if self.is_postgres() { " FOR SHARE" } else { "" };
        let sql = Sql::with(
            format!("SELECT o.name, o.deleting FROM orgs o WHERE o.id = $1{lock}"),
            [new.org.as_uuid().into()],
        );
        let rows = self.query(Via::Within(&transaction), sql).await?;
        let org = rows.first().ok_or_else(|| no_org(&new.org.to_string()))?;
        let org = Row::new("orgs", "name", org);
        let org_name: String = org.get("name")?;
        if org.get("deleting")? {
            return Err(StoreError::Refused {
                field: format!("organization {org_name}"),
                reason: "it is being deleted".to_owned(),
                remedy: "create the project in another one".to_owned(),
            });
        }
        let sql = Sql::with(
            "INSERT INTO projects (id, name, residency, cloud, region, size, cache_gib, cache_iops, cache_mibps, \
             deleting, created, org) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12) \
             ON CONFLICT (org, name) DO NOTHING RETURNING id",
            values,
        );
        if self.query(Via::Within(&transaction), sql).await?.is_empty() {
            let name = format!("{org_name}/{}", new.name);
            let remedy = "use another name, or wait for its deletion to end".to_owned();
            return Err(StoreError::Exists { what: "project", name, remedy });
        }
        self.commit(transaction).await?;
        let NewProject { id, org, name, residency, cloud, region, size, cache } = new;
        Ok(Project { id, org, name, residency, cloud, region, size, cache, created_ms: now_ms, deleting: false })
    }

    /// The projects of one organization, or all, by name, each with its organization.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn projects(&self, org: Option<OrgId>) -> Result<Vec<(Org, Project)>, StoreError> {
        let mut sql = Sql::new(format!("SELECT {ORG}, {PROJECT} FROM projects p JOIN orgs o ON o.id = p.org"));
        if let Some(org) = org {
            sql.push(" WHERE p.org = ").bind(org.as_uuid());
        }
        sql.push(" ORDER BY o.name, p.name");
        let rows = self.query(Via::Reader, sql).await?;
        rows.iter().map(|row| Ok((org_of(row)?, project_of(row)?))).collect()
    }

    /// The project of that name in the organization of that name.
    ///
    /// # Errors
    /// [`StoreError::NotFound`], which says which of the two there is not.
    pub async fn project(&self, org: &Name, project: &Name) -> Result<(Org, Project), StoreError> {
        let sql = Sql::with(
            format!(
                "SELECT {ORG}, {PROJECT} FROM orgs o LEFT JOIN projects p ON p.org = o.id AND p.name = $2 WHERE o.name = $1"
            ),
            [org.as_str().into(), project.as_str().into()],
        );
        let rows = self.query(Via::Reader, sql).await?;
        let row = rows.first().ok_or_else(|| no_org(org.as_str()))?;
        if Row::new("projects", "name", row).get::<Option<String>>("name")?.is_none() {
            return Err(StoreError::NotFound {
                what: "project",
                name: format!("{org}/{project}"),
                remedy: format!("see `provisioner project list {org}`, or create it with `provisioner project create`"),
            });
        }
        Ok((org_of(row)?, project_of(row)?))
    }
}

/// The database would refuse it as well, in words that help nobody.
fn check_region(new: &NewProject) -> Result<(), StoreError> {
    let Some(region) = new.region else { return Ok(()) };
    let refused = |reason: String, remedy: &str| {
        Err(StoreError::Refused { field: "region".to_owned(), reason, remedy: remedy.to_owned() })
    };
    if region.cloud() != new.cloud {
        return refused(format!("{region} is not a region of {}", new.cloud), "name a region of the project's cloud");
    }
    match region.inside(new.residency) {
        Ok(_) => Ok(()),
        Err(error) => refused(error.to_string(), "or give the project the other residency"),
    }
}

pub(super) fn no_org(name: &str) -> StoreError {
    let remedy = "see `provisioner org list`, or create it with `provisioner org create`".to_owned();
    StoreError::NotFound { what: "organization", name: name.to_owned(), remedy }
}

pub(super) fn org_of(row: &QueryResult) -> Result<Org, StoreError> {
    let row = Row::new("orgs", "org_id", row);
    Ok(Org {
        id: OrgId::from_uuid(row.get("org_id")?),
        name: row.parse("org_name")?,
        created_ms: row.get("org_created")?,
        deleting: row.get("org_deleting")?,
    })
}

pub(super) fn project_of(row: &QueryResult) -> Result<Project, StoreError> {
    let row = Row::new("projects", "id", row);
    let residency: Residency = row.parse("residency")?;
    let cloud: Cloud = row.parse("cloud")?;
    let region = row.get::<Option<String>>("region")?;
    let region = region.map(|name| Region::find(cloud, &name).and_then(|region| region.inside(residency)));
    Ok(Project {
        id: ProjectId::from_uuid(row.get("id")?),
        org: OrgId::from_uuid(row.get("org")?),
        name: row.parse("name")?,
        residency,
        cloud,
        region: region.transpose().map_err(|error| row.corrupt("region", error))?,
        size: row.parse("size")?,
        cache: CacheShape {
            size_gib: row.number("cache_gib")?,
            iops: row.number_some("cache_iops")?,
            throughput_mibps: row.number_some("cache_mibps")?,
        },
        created_ms: row.get("created")?,
        deleting: row.get("deleting")?,
    })
}
