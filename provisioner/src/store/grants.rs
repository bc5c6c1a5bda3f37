//! Grants of debug access, and how far each one's way in is.
//!
//! `granted` by an owner; `opening` once an operator has asked for it; `open` when the cloud lets the principal in; `closing` from its end
//! on (its time, its revocation, or a way that could not be opened) until nothing of it is left; `closed`. What the way leads to is recorded
//! before the cloud is asked, so that whoever opens may die at any moment and another closes.

use providers::{Principal, RemoteId, ResourceId};
use regions::{Arch, Zone};
use sea_orm::QueryResult;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{
    Store, StoreError, Tenancy,
    sql::{Row, Sql, Via},
};
use crate::core::{GrantId, OrgId, ProjectId, ResourceRow, RowState};

pub(super) const COLUMNS: &str = "id, org, project, arch, principal, reason, created, created_by, until, revoked, revoked_by, state, \
    opened_by, machine, remote, cloud, zone, command, problem, tried";

/// How far a grant is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GrantState {
    /// Nobody has asked to be let in.
    Granted,
    /// A worker is to open the way.
    Opening,
    /// The principal may come in.
    Open,
    /// A worker is to take the way away.
    Closing,
    /// It is over, and nothing of it is left.
    Closed,
}

impl GrantState {
    /// The name in the database and in output.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Granted => "granted",
            Self::Opening => "opening",
            Self::Open => "open",
            Self::Closing => "closing",
            Self::Closed => "closed",
        }
    }
}

/// A grant to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewGrant {
    /// Its id, made at the edge.
    pub id: GrantId,
    /// Whose builder it is.
    pub project: ProjectId,
    /// Which one.
    pub arch: Arch,
    /// Who is to be let in.
    pub principal: Principal,
    /// Why.
    pub reason: String,
    /// The owner who grants it.
    pub created_by: String,
    /// Its end, in milliseconds since 1970.
    pub until_ms: i64,
}

/// A grant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant {
    /// Its id.
    pub id: GrantId,
    /// The organization.
    pub org: OrgId,
    /// The project.
    pub project: ProjectId,
    /// Which builder of it.
    pub arch: Arch,
    /// Who is let in.
    pub principal: String,
    /// Why.
    pub reason: String,
    /// When it was granted, in milliseconds since 1970.
    pub created_ms: i64,
    /// By whom.
    pub created_by: String,
    /// Its end.
    pub until_ms: i64,
    /// When it was revoked, if it was.
    pub revoked_ms: Option<i64>,
    /// By whom.
    pub revoked_by: Option<String>,
    /// How far it is.
    pub state: GrantState,
    /// Who asked for the way to be opened.
    pub opened_by: Option<String>,
    /// The machine that it was opened on, in the cloud's words.
    pub remote: Option<RemoteId>,
    /// What the principal enters by.
    pub command: Option<String>,
    /// What went wrong last.
    pub problem: Option<String>,
    pub(super) way: Option<(ResourceId, Zone)>,
    pub(super) tried_ms: Option<i64>,
}

impl Grant {
    /// Whether it lets anybody in at that time.
    #[must_use]
    pub fn is_live(&self, now_ms: i64) -> bool {
        self.revoked_ms.is_none()
            && now_ms < self.until_ms
            && matches!(self.state, GrantState::Granted | GrantState::Opening | GrantState::Open)
    }
}

fn refused(field: &str, reason: impl Into<String>, remedy: &str) -> StoreError {
    StoreError::Refused { field: field.to_owned(), reason: reason.into(), remedy: remedy.to_owned() }
}

fn no_grant(id: GrantId) -> StoreError {
    let remedy = "see which there are with `provisioner debug list`".to_owned();
    StoreError::NotFound { what: "grant", name: id.to_string(), remedy }
}

impl Store {
    /// Grants access to a builder. One at a time: what was granted before and has run out without having been opened makes room.
    ///
    /// # Errors
    /// [`StoreError::Refused`] where the builder has a grant that is not closed; [`StoreError::NotFound`] without the project; the
    /// database refuses more than eight hours.
    pub async fn create_grant(&self, new: &NewGrant, now_ms: i64) -> Result<(), StoreError> {
        let place = [new.project.as_uuid().into(), new.arch.as_str().into()];
        let transaction = self.begin().await?;
        let [project, arch] = place.clone();
        let sql = Sql::with(
            "UPDATE grants SET state = 'closed' WHERE project = $1 AND arch = $2 AND state = 'granted' AND until <= $3",
            [project, arch, now_ms.into()],
        );
        self.execute(&transaction, sql).await?;
        let [project, arch] = place;
        let sql = Sql::with(
            "INSERT INTO grants (id, org, project, arch, principal, reason, created, created_by, until, state, look, lease) \
             SELECT $1, org, id, $3, $4, $5, $6, $7, $8, 'granted', 0, 0 FROM projects WHERE id = $2 \
             ON CONFLICT DO NOTHING RETURNING id",
            [
                new.id.as_uuid().into(),
                project,
                arch,
                new.principal.as_str().into(),
                new.reason.clone().into(),
                now_ms.into(),
                new.created_by.clone().into(),
                new.until_ms.into(),
            ],
        );
        if self.query(Via::Within(&transaction), sql).await?.is_empty() {
            return Err(refused(
                "builder",
                "it has a grant that is not closed",
                "see `provisioner debug list`; revoke that one first, and let a worker close it",
            ));
        }
        let what = format!("granted to {} by {}", new.principal, new.created_by);
        self.tell_of_grant(&transaction, new.id, &what, now_ms).await?;
        self.commit(transaction).await
    }

    /// Asks for the way of a grant to be opened, onto the machine that the builder has now. Asking again changes nothing.
    ///
    /// # Errors
    /// [`StoreError::NotFound`]; [`StoreError::Refused`] for a grant that is over, or a builder that does not run.
    pub async fn open_grant(&self, id: GrantId, by: &str, now_ms: i64) -> Result<(), StoreError> {
        let grant = self.grant(id).await?;
        if !grant.is_live(now_ms) {
            let remedy = "ask an owner of the organization for a new one (`provisioner debug grant`)";
            return Err(refused("grant", "it is over: nobody is let in by it", remedy));
        }
        if grant.state != GrantState::Granted {
            return Ok(());
        }
        let rows = self.seen_by(&crate::core::Tenants::All).resources(grant.project, providers::Kind::Machine).await?;
        let row = rows.into_iter().find(|row| row.arch == Some(grant.arch) && row.state == RowState::Ready);
        let Some(ResourceRow { id: machine, remote: Some(remote), zone: Some(zone), .. }) = row else {
            return Err(refused(
                "builder",
                "it does not run",
                "start it with `provisioner builder start`, then ask again",
            ));
        };
        let transaction = self.begin().await?;
        let sql = Sql::with(
            "UPDATE grants SET state = 'opening', opened_by = $2, machine = $3, remote = $4, cloud = $5, zone = $6, look = $7 \
             WHERE id = $1 AND state = 'granted' AND revoked IS NULL AND until > $7 RETURNING id",
            [
                id.as_uuid().into(),
                by.into(),
                machine.as_uuid().into(),
                remote.0.into(),
                zone.cloud().as_str().into(),
                zone.to_string().into(),
                now_ms.into(),
            ],
        );
        if !self.query(Via::Within(&transaction), sql).await?.is_empty() {
            self.tell_of_grant(&transaction, id, &format!("{by} asks to be let in"), now_ms).await?;
        }
        self.commit(transaction).await
    }

    /// Ends a grant before its time. Ending it twice is ending it once.
    ///
    /// # Errors
    /// [`StoreError::NotFound`].
    pub async fn revoke_grant(&self, id: GrantId, by: &str, now_ms: i64) -> Result<(), StoreError> {
        let transaction = self.begin().await?;
        let sql = Sql::with(
            "UPDATE grants SET revoked = $2, revoked_by = $3, look = $2, \
             state = CASE WHEN state = 'granted' THEN 'closed' ELSE 'closing' END \
             WHERE id = $1 AND state <> 'closed' AND revoked IS NULL RETURNING id",
            [id.as_uuid().into(), now_ms.into(), by.into()],
        );
        if self.query(Via::Within(&transaction), sql).await?.is_empty() {
            self.grant(id).await?;
            return Ok(());
        }
        self.tell_of_grant(&transaction, id, &format!("revoked by {by}"), now_ms).await?;
        self.commit(transaction).await
    }

    /// A grant.
    ///
    /// # Errors
    /// [`StoreError::NotFound`].
    pub async fn grant(&self, id: GrantId) -> Result<Grant, StoreError> {
        self.seen_by(&crate::core::Tenants::All).grant(id).await
    }

    pub(super) async fn tell_of_grant(
        &self,
        transaction: &sea_orm::DatabaseTransaction,
        id: GrantId,
        what: &str,
        now_ms: i64,
    ) -> Result<(), StoreError> {
        let what: String = format!("debug access: {what}").chars().take(500).collect();
        let sql = Sql::with(
            "INSERT INTO events (at, job, org, project, what, access) SELECT $2, 0, org, project, $3, id FROM grants WHERE id = $1",
            [id.as_uuid().into(), now_ms.into(), what.into()],
        );
        self.execute(transaction, sql).await.map(drop)
    }
}

impl Tenancy<'_> {
    /// The grants of a project, newest first.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn grants(&self, project: Option<ProjectId>, limit: u32) -> Result<Vec<Grant>, StoreError> {
        let mut sql = Sql::new(format!("SELECT {COLUMNS} FROM grants WHERE true"));
        if let Some(project) = project {
            sql.push(" AND project = ").bind(project.as_uuid());
        }
        sql.within(self.tenants, "org", Some("project")).push(" ORDER BY created DESC, id DESC LIMIT ");
        sql.bind(i64::from(limit));
        self.store.query(Via::Reader, sql).await?.iter().map(grant_of).collect()
    }

    /// A grant.
    ///
    /// # Errors
    /// [`StoreError::NotFound`].
    pub async fn grant(&self, id: GrantId) -> Result<Grant, StoreError> {
        let mut sql = Sql::with(format!("SELECT {COLUMNS} FROM grants WHERE id = $1"), [id.as_uuid().into()]);
        sql.within(self.tenants, "org", Some("project"));
        let rows = self.store.query(Via::Reader, sql).await?;
        rows.first().map_or_else(|| Err(no_grant(id)), grant_of)
    }
}

pub(super) fn grant_of(row: &QueryResult) -> Result<Grant, StoreError> {
    let row = Row::new("grants", "id", row);
    let way = match (row.get::<Option<Uuid>>("machine")?, row.get::<Option<String>>("zone")?) {
        (Some(machine), Some(zone)) => {
            let zone = Zone::try_from(zone).map_err(|error| row.corrupt("zone", error))?;
            Some((ResourceId::from_uuid(machine), zone))
        }
        (Some(_) | None, Some(_) | None) => None,
    };
    Ok(Grant {
        id: GrantId::from_uuid(row.get("id")?),
        org: OrgId::from_uuid(row.get("org")?),
        project: ProjectId::from_uuid(row.get("project")?),
        arch: row.parse("arch")?,
        principal: row.get("principal")?,
        reason: row.get("reason")?,
        created_ms: row.get("created")?,
        created_by: row.get("created_by")?,
        until_ms: row.get("until")?,
        revoked_ms: row.get("revoked")?,
        revoked_by: row.get("revoked_by")?,
        state: row.word("state")?,
        opened_by: row.get("opened_by")?,
        remote: row.get::<Option<String>>("remote")?.map(RemoteId),
        command: row.get("command")?,
        problem: row.get("problem")?,
        way,
        tried_ms: row.get("tried")?,
    })
}
