//! Changes of resource rows, inside the transaction of a record.
//!
//! What a resource is and whose it is never changes: nothing is handed from one project to another. A key is the one thing
//! that several jobs of an organization want at once; while one of them is in the middle of making it, the others wait.

use providers::{Kind, ResourceId};
use sea_orm::{DatabaseTransaction, Value};
use uuid::Uuid;

use super::{Claim, Held, RecordError, Store, StoreError};
use crate::{
    core::{JobId, ProjectId, ResourceRow, RowChange},
    store::{
        Constraint,
        sql::{Row, Sql, Via},
    },
};

/// The columns in the order of [`values`].
const COLUMNS: &str = "id, kind, org, project, arch, cloud, region, zone, residency, remote, state, incarnation, blueprint, \
     address, job, created, updated";

/// What may change of a row that exists, where it is still the same tenant's. A key that is not ready is changed neither while the
/// job that wrote it lives, nor by one that has yet to learn that the cloud has a name for it: it would make a second one.
const UPDATE: &str = " ON CONFLICT (id) DO UPDATE SET cloud = excluded.cloud, region = excluded.region, \
     zone = excluded.zone, residency = excluded.residency, remote = excluded.remote, state = excluded.state, \
     incarnation = excluded.incarnation, blueprint = excluded.blueprint, address = excluded.address, \
     job = excluded.job, updated = excluded.updated \
     WHERE r.kind = excluded.kind AND r.org = excluded.org AND r.project IS NOT DISTINCT FROM excluded.project \
     AND r.arch IS NOT DISTINCT FROM excluded.arch AND NOT (r.kind = 'key' AND r.state <> 'ready' \
     AND r.job <> excluded.job AND (r.remote IS NOT NULL AND excluded.remote IS NULL \
     OR EXISTS (SELECT 1 FROM jobs j WHERE j.id = r.job))) RETURNING id";

impl Store {
    /// Takes rows away, then writes rows: what takes another's place finds it free.
    pub(super) async fn apply(
        &self,
        transaction: &DatabaseTransaction,
        claim: &Claim,
        held: &Held,
        changes: &[RowChange],
        now_ms: i64,
    ) -> Result<(), RecordError> {
        let mut puts: Vec<&ResourceRow> = Vec::new();
        let mut drops: Vec<ResourceId> = Vec::new();
        for change in changes {
            match change {
                RowChange::Put(row) => puts.push(row),
                RowChange::Drop(id) => drops.push(*id),
            }
        }
        // One order for all, so that two jobs that write the same keys don't wait for each other.
        puts.sort_by_key(|row| row.id);
        drops.sort_unstable();
        if let Some(row) = puts.iter().find(|row| !is_of(row, held)) {
            return Err(not_ours(row.kind, row.id, claim.job).into());
        }
        if !drops.is_empty() {
            self.drop_rows(transaction, claim.job, held, &drops).await?;
        }
        if !puts.is_empty() {
            self.put_rows(transaction, claim.job, &puts, now_ms).await?;
        }
        Ok(())
    }

    async fn drop_rows(
        &self,
        transaction: &DatabaseTransaction,
        job: JobId,
        held: &Held,
        ids: &[ResourceId],
    ) -> Result<(), RecordError> {
        let mut sql = Sql::new("DELETE FROM resources WHERE id IN (");
        sql.list(uuids(ids)).push(") AND org = ").bind(held.org);
        if let Some(project) = held.project {
            sql.push(" AND (project IS NULL OR project = ").bind(project).push(")");
        }
        // A key that another live job wrote last is not the one whose absence this job has seen.
        sql.push(" AND NOT (kind = 'key' AND job <> ").bind(job.0);
        sql.push(" AND EXISTS (SELECT 1 FROM jobs j WHERE j.id = resources.job))");
        let gone = self.execute(transaction, sql).await?;
        if usize::try_from(gone).is_ok_and(|gone| gone == ids.len()) {
            return Ok(());
        }
        // Gone before is gone; what is still there may not go.
        self.refuse_left(transaction, job, ids).await
    }

    async fn put_rows(
        &self,
        transaction: &DatabaseTransaction,
        job: JobId,
        rows: &[&ResourceRow],
        now_ms: i64,
    ) -> Result<(), RecordError> {
        let mut sql = Sql::new(format!("INSERT INTO resources AS r ({COLUMNS}) VALUES "));
        let tuples: Vec<Vec<Value>> =
            rows.iter().map(|row| values(row, job, now_ms)).collect::<Result<_, _>>().map_err(StoreError::other)?;
        sql.rows(tuples).push(UPDATE);
        let written: Vec<Uuid> = self
            .query(Via::Within(transaction), sql)
            .await?
            .iter()
            .map(|row| Row::new("resources", "id", row).get("id"))
            .collect::<Result<_, _>>()?;
        let left: Vec<ResourceId> =
            rows.iter().map(|row| row.id).filter(|id| !written.contains(&id.as_uuid())).collect();
        if left.is_empty() { Ok(()) } else { self.refuse_left(transaction, job, &left).await }
    }

    /// Says why those were left alone, as far as they exist.
    async fn refuse_left(
        &self,
        transaction: &DatabaseTransaction,
        job: JobId,
        ids: &[ResourceId],
    ) -> Result<(), RecordError> {
        let mut sql = Sql::new(
            "SELECT r.id, r.kind, r.job, r.remote IS NOT NULL OR EXISTS (SELECT 1 FROM jobs j WHERE j.id = r.job) AS known \
                                FROM resources r WHERE r.id IN (",
        );
        sql.list(uuids(ids)).push(") ORDER BY r.id");
        let rows = self.query(Via::Within(transaction), sql).await?;
        let Some(row) = rows.first() else { return Ok(()) };
        let row = Row::new("resources", "id", row);
        let resource = ResourceId::from_uuid(row.get("id")?);
        let kind: String = row.get("kind")?;
        let by = JobId(row.get("job")?);
        if kind == Kind::Key.as_str() && by != job && row.get("known")? {
            return Err(RecordError::Held { resource, by });
        }
        Err(StoreError::Refused {
            field: format!("{kind} {resource}"),
            reason: format!("it is not job {job}'s to change: it is of another tenant or kind than the job says"),
            remedy: format!("look at the row with `provisioner builder list` and at job {by}, which wrote it last"),
        }
        .into())
    }

    /// What the database refused, in words that name the row.
    pub(super) async fn explain(&self, error: RecordError, changes: &[RowChange]) -> RecordError {
        let RecordError::Store(inner) = &error else { return error };
        match inner.constraint() {
            Some(Constraint::Unique) => {
                for change in changes {
                    if let RowChange::Put(row) = change
                        && let Ok(Some(exists)) = self.rival(row).await
                    {
                        return exists.into();
                    }
                }
                error
            }
            Some(Constraint::ForeignKey) => StoreError::Refused {
                field: "resources".to_owned(),
                reason: "the row's project, region or zone does not exist in its cloud and residency".to_owned(),
                remedy: "if the region is new, run `provisioner migrate`; else its project has been deleted".to_owned(),
            }
            .into(),
            Some(Constraint::Check) | None => error,
        }
    }

    /// The row that stands where that one should.
    async fn rival(&self, row: &ResourceRow) -> Result<Option<StoreError>, StoreError> {
        let mut sql = Sql::new("SELECT id, job, remote FROM resources WHERE id <> ");
        sql.bind(row.id.as_uuid()).push(" AND kind = ").bind(row.kind.as_str()).push(" AND ((org = ");
        sql.bind(row.org.as_uuid()).push(" AND cloud = ").bind(row.region.cloud().as_str()).push(" AND region = ");
        sql.bind(row.region.name()).push(" AND kind = 'key') OR (project = ");
        sql.bind(row.project.map(ProjectId::as_uuid)).push(" AND arch = ").bind(row.arch.map(regions::Arch::as_str));
        sql.push(") OR (cloud = ").bind(row.region.cloud().as_str()).push(" AND region = ").bind(row.region.name());
        sql.push(" AND remote = ").bind(row.remote.as_ref().map(|remote| remote.0.clone())).push(")) ORDER BY id");
        let rows = self.query(Via::Reader, sql).await?;
        let Some(found) = rows.first() else { return Ok(None) };
        let found = Row::new("resources", "id", found);
        let (id, job): (Uuid, i64) = (found.get("id")?, found.get("job")?);
        let remote: Option<String> = found.get("remote")?;
        let remote = remote.map_or_else(String::new, |remote| format!(" ({remote})"));
        Ok(Some(StoreError::Exists {
            what: row.kind.as_str(),
            name: format!("{id}{remote}"),
            remedy: format!("{} {} can't stand beside it; see job {job}, which wrote it last", row.kind, row.id),
        }))
    }
}

/// Whether it belongs to the job's organization, and to its project if the job is of one.
fn is_of(row: &ResourceRow, held: &Held) -> bool {
    let project = row.project.map(ProjectId::as_uuid);
    row.org.as_uuid() == held.org && (project.is_none() || held.project.is_none() || project == held.project)
}

fn not_ours(kind: Kind, id: ResourceId, job: JobId) -> StoreError {
    StoreError::Refused {
        field: format!("{kind} {id}"),
        reason: format!("it is of another tenant than job {job}"),
        remedy: "this is a mistake in the program: report it with the output of `provisioner job show`".to_owned(),
    }
}

fn uuids(ids: &[ResourceId]) -> impl Iterator<Item = Value> {
    ids.iter().map(|id| id.as_uuid().into())
}

fn values(row: &ResourceRow, job: JobId, now_ms: i64) -> Result<Vec<Value>, serde_json::Error> {
    Ok(vec![
        row.id.as_uuid().into(),
        row.kind.as_str().into(),
        row.org.as_uuid().into(),
        row.project.map(ProjectId::as_uuid).into(),
        row.arch.map(regions::Arch::as_str).into(),
        row.region.cloud().as_str().into(),
        row.region.name().into(),
        row.zone.map(regions::Zone::name).into(),
        // The region's, and no other: the foreign keys hold the project and the zone against it.
        row.region.residency().as_str().into(),
        row.remote.as_ref().map(|remote| remote.0.clone()).into(),
        row.state.as_str().into(),
        i64::from(row.incarnation).into(),
        serde_json::to_string(&row.blueprint)?.into(),
        row.address.clone().into(),
        job.0.into(),
        now_ms.into(),
        now_ms.into(),
    ])
}
