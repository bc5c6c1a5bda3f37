//! The mark on a tenant that is being deleted, when its deletion is called off or tried again.

use sea_orm::{DatabaseTransaction, Value};

use super::{Sql, Store, StoreError, Via};
use crate::{
    core::{OrgId, ProjectId, Request},
    store::sql::Row,
};

impl Store {
    /// The deletion did not begin: the tenant is whole. What another deletion has marked stays marked.
    pub(super) async fn unmark(&self, transaction: &DatabaseTransaction, request: &Request) -> Result<(), StoreError> {
        match *request {
            Request::DeleteProject { project } => {
                let sql = "UPDATE projects SET deleting = $2 WHERE id = $1 \
                           AND NOT EXISTS (SELECT 1 FROM orgs o WHERE o.id = projects.org AND o.deleting) \
                           AND NOT EXISTS (SELECT 1 FROM jobs j WHERE j.project = projects.id AND j.verb = 'delete_project') \
                           AND NOT EXISTS (SELECT 1 FROM job_history h WHERE h.state = 'stuck' \
                                           AND h.project = projects.id AND h.verb = 'delete_project')";
                self.execute(transaction, Sql::with(sql, [project.as_uuid().into(), false.into()])).await?;
            }
            Request::DeleteOrg { org } => {
                let values: [Value; 2] = [org.as_uuid().into(), false.into()];
                let sql = "UPDATE orgs SET deleting = $2 WHERE id = $1";
                self.execute(transaction, Sql::with(sql, values.clone())).await?;
                let sql = "UPDATE projects SET deleting = $2 WHERE org = $1 \
                           AND NOT EXISTS (SELECT 1 FROM jobs j WHERE j.project = projects.id AND j.verb = 'delete_project') \
                           AND NOT EXISTS (SELECT 1 FROM job_history h WHERE h.state = 'stuck' \
                                           AND h.project = projects.id AND h.verb = 'delete_project')";
                self.execute(transaction, Sql::with(sql, values)).await?;
            }
            Request::Provision { .. }
            | Request::Stop { .. }
            | Request::Start { .. }
            | Request::Destroy { .. }
            | Request::DestroyCache { .. }
            | Request::Adopt { .. }
            | Request::Retag { .. }
            | Request::Quarantine { .. }
            | Request::Halt { .. }
            | Request::Collect { .. } => {}
        }
        Ok(())
    }

    /// A job that comes back needs its tenant. A deletion marks it again; anything else may not come between one and its
    /// deletion, which would miss what the job makes.
    pub(super) async fn mark_again(
        &self,
        transaction: &DatabaseTransaction,
        request: &Request,
    ) -> Result<(), StoreError> {
        match *request {
            Request::DeleteProject { project } => {
                let sql = "UPDATE projects SET deleting = $2 WHERE id = $1";
                let sql = Sql::with(sql, [project.as_uuid().into(), true.into()]);
                if self.execute(transaction, sql).await? == 0 { Err(gone("project")) } else { Ok(()) }
            }
            Request::DeleteOrg { org } => self.mark_org(transaction, org).await,
            Request::Provision { project, .. }
            | Request::Stop { project, .. }
            | Request::Start { project, .. }
            | Request::Destroy { project, .. }
            | Request::DestroyCache { project, .. }
            | Request::Adopt { project, .. }
            | Request::Retag { project, .. } => self.expect_whole(transaction, project).await,
            Request::Quarantine { .. } | Request::Halt { .. } | Request::Collect { .. } => Ok(()),
        }
    }

    async fn mark_org(&self, transaction: &DatabaseTransaction, org: OrgId) -> Result<(), StoreError> {
        let values: [Value; 2] = [org.as_uuid().into(), true.into()];
        let sql = Sql::with("UPDATE orgs SET deleting = $2 WHERE id = $1", values.clone());
        if self.execute(transaction, sql).await? == 0 {
            return Err(gone("organization"));
        }
        let sql = Sql::with("UPDATE projects SET deleting = $2 WHERE org = $1", values);
        self.execute(transaction, sql).await.map(drop)
    }

    async fn expect_whole(&self, transaction: &DatabaseTransaction, project: ProjectId) -> Result<(), StoreError> {
        let lock = if self.is_postgres() { " FOR SHARE" } else { "" };
        let sql = Sql::with(
            format!("SELECT id, name, deleting FROM projects WHERE id = $1{lock}"),
            [project.as_uuid().into()],
        );
        let rows = self.query(Via::Within(transaction), sql).await?;
        let row = Row::new("projects", "id", rows.first().ok_or_else(|| gone("project"))?);
        if !row.get::<bool>("deleting")? {
            return Ok(());
        }
        Err(StoreError::Refused {
            field: format!("project {}", row.get::<String>("name")?),
            reason: "it is being deleted, with all that the job left".to_owned(),
            remedy: "follow its deletion with `provisioner job list`".to_owned(),
        })
    }
}

fn gone(what: &str) -> StoreError {
    StoreError::Refused {
        field: what.to_owned(),
        reason: "the job's own has been deleted, with all that the job left".to_owned(),
        remedy: "nothing is left to do".to_owned(),
    }
}
