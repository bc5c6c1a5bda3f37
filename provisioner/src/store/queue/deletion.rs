//! Accepting the deletion of a project or an organization; and jobs about things that belong to no project.
//!
//! The mark on the tenant and the job are written in one transaction. From then on the tenant admits no job: whoever
//! enqueues holds the project's row while it does, so that it was either there before the mark, with a smaller id, or sees it.

use providers::ResourceId;
use sea_orm::{DatabaseTransaction, DbErr, Value};
use uuid::Uuid;

use crate::core::{JobId, Lane, OrgId, ProjectId, Request};

use super::{
    NewJob,
    intake::{Known, known_key},
    lane_key, tx,
};

/// What came of it.
#[derive(Debug)]
pub(super) enum Accepted {
    /// The job, and whether it is new.
    Job { job: JobId, fresh: bool },
    /// The key was given before.
    Known(Known),
    /// The key is just being given to another caller's job.
    Retry,
    /// There is no such project or organization.
    NoTenant,
    /// The organization of that name takes the project with it.
    OrgDeleting(String),
}

/// A tenant as it stood.
struct Tenant {
    org: Uuid,
    org_name: String,
    project: Option<Uuid>,
    project_name: Option<String>,
    org_deleting: bool,
}

/// Accepts it, in that transaction. A deletion that is under way is the same job. None if the request deletes nothing.
pub(super) async fn accept(tx: DatabaseTransaction, new: &NewJob, now_ms: i64) -> Result<Accepted, DbErr> {
    if let Some(key) = &new.key {
        let sql = "INSERT INTO job_keys (key, job) VALUES ($1, 0) ON CONFLICT DO NOTHING";
        if tx::exec(&tx, sql, [key.into()]).await? == 0 {
            return Ok(known_key(&tx, key).await?.map_or(Accepted::Retry, Accepted::Known));
        }
    }
    let tenant = match new.request.lane() {
        Lane::Org(org) => mark_org(&tx, org).await?,
        Lane::Project(project) | Lane::Builder(project, _) => mark_project(&tx, project).await?,
        Lane::Stray(finding) => owner_of(&tx, finding).await?,
    };
    let Some(tenant) = tenant else { return Ok(Accepted::NoTenant) };
    let lane = lane_key(new.request.lane());
    let live = tx::one(
        &tx,
        "SELECT id FROM jobs WHERE lane = $1 AND verb = $2 ORDER BY id LIMIT 1",
        [lane.into(), new.request.verb().into()],
    )
    .await?;
    let live: Option<i64> = live.map(|row| row.try_get_by_index(0)).transpose()?;
    let (id, fresh) = match live {
        Some(id) => (id, false),
        None if tenant.org_deleting => return Ok(Accepted::OrgDeleting(tenant.org_name)),
        None => (write(&tx, new, lane, tenant, now_ms).await?, true),
    };
    if let Some(key) = &new.key {
        tx::exec(&tx, "UPDATE job_keys SET job = $2 WHERE key = $1", [key.into(), id.into()]).await?;
    }
    tx.commit().await?;
    Ok(Accepted::Job { job: JobId(id), fresh })
}

async fn mark_org(tx: &DatabaseTransaction, org: OrgId) -> Result<Option<Tenant>, DbErr> {
    let id: Value = org.as_uuid().into();
    let sql = format!("SELECT name FROM orgs WHERE id = $1{}", tx::for_update(tx));
    let Some(row) = tx::one(tx, &sql, [id.clone()]).await? else { return Ok(None) };
    let sql = format!("SELECT id FROM projects WHERE org = $1 ORDER BY id{}", tx::for_update(tx));
    tx::all(tx, &sql, [id.clone()]).await?;
    tx::exec(tx, "UPDATE orgs SET deleting = true WHERE id = $1", [id.clone()]).await?;
    tx::exec(tx, "UPDATE projects SET deleting = true WHERE org = $1", [id]).await?;
    let org_name = row.try_get_by_index(0)?;
    Ok(Some(Tenant { org: org.as_uuid(), org_name, project: None, project_name: None, org_deleting: false }))
}

async fn mark_project(tx: &DatabaseTransaction, project: ProjectId) -> Result<Option<Tenant>, DbErr> {
    let id: Value = project.as_uuid().into();
    let sql = format!("SELECT org, name FROM projects WHERE id = $1{}", tx::for_update(tx));
    let Some(row) = tx::one(tx, &sql, [id.clone()]).await? else { return Ok(None) };
    let org: Uuid = row.try_get_by_index(0)?;
    let Some(owner) = tx::one(tx, "SELECT name, deleting FROM orgs WHERE id = $1", [org.into()]).await? else {
        return Ok(None);
    };
    tx::exec(tx, "UPDATE projects SET deleting = true WHERE id = $1", [id]).await?;
    Ok(Some(Tenant {
        org,
        org_name: owner.try_get_by_index(0)?,
        project: Some(project.as_uuid()),
        project_name: Some(row.try_get_by_index(1)?),
        org_deleting: owner.try_get_by_index(1)?,
    }))
}

/// The organization to which a finding's thing belongs by its tags; no id where there is none of that name.
async fn owner_of(tx: &DatabaseTransaction, finding: ResourceId) -> Result<Option<Tenant>, DbErr> {
    let sql = "SELECT org, org_name FROM findings WHERE id = $1";
    let Some(row) = tx::one(tx, sql, [finding.as_uuid().into()]).await? else { return Ok(None) };
    let org: Option<Uuid> = row.try_get_by_index(0)?;
    Ok(Some(Tenant {
        org: org.unwrap_or_default(),
        org_name: row.try_get_by_index(1)?,
        // The job's column for its project says which finding it is about.
        project: Some(finding.as_uuid()),
        project_name: None,
        org_deleting: false,
    }))
}

async fn write(tx: &DatabaseTransaction, new: &NewJob, lane: i64, tenant: Tenant, now_ms: i64) -> Result<i64, DbErr> {
    let sql = "INSERT INTO lanes (lane, fence, stamp) VALUES ($1, 0, 0) ON CONFLICT DO NOTHING";
    tx::exec(tx, sql, [lane.into()]).await?;
    let row = tx::one(
        tx,
        "INSERT INTO jobs (lane, created, run_at, org, project, attempt, rank, cancel_asked, verb, org_name, project_name, key) \
         VALUES ($1, $2, $3, $4, $5, 1, $6, false, $7, $8, $9, $10) RETURNING id",
        [
            lane.into(),
            now_ms.into(),
            new.run_at_ms.into(),
            tenant.org.into(),
            tenant.project.into(),
            new.priority.saturating_neg().into(),
            new.request.verb().into(),
            tenant.org_name.into(),
            tenant.project_name.into(),
            new.key.clone().into(),
        ],
    )
    .await?;
    row.ok_or_else(|| DbErr::RecordNotInserted)?.try_get_by_index(0)
}

/// Whether that request is accepted here.
pub(super) const fn is_accepted_here(request: &Request) -> bool {
    matches!(request.lane(), Lane::Project(_) | Lane::Org(_) | Lane::Stray(_))
}
