//! What workers do about grants of debug access: take what is due, and record what has come of it.

use providers::{Access, Principal};
use regions::{Cloud, Placement};

use super::{
    GrantState, Store, StoreError,
    grants::{COLUMNS, grant_of},
    sql::{Row, Sql, Via},
};
use crate::core::GrantId;

/// A grant at which a worker is to do something, and has the right to for a while.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Due {
    /// The grant.
    pub grant: GrantId,
    /// The way in.
    pub access: Access,
    /// Whether it is to be opened; else it is to be closed.
    pub opens: bool,
    /// When its opening was last begun.
    pub tried_ms: Option<i64>,
}

impl Store {
    /// What there is to do about grants at that time, taken for as long as the lease: others leave it alone until then. Of what has run
    /// out, the way is to be closed.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn take_grants(
        &self,
        holder: &str,
        clouds: &[Cloud],
        lease_ms: i64,
        now_ms: i64,
    ) -> Result<Vec<Due>, StoreError> {
        // What was never opened needs nobody.
        let sql = Sql::with(
            "SELECT 1 AS one FROM grants WHERE state <> 'closed' AND look <= $1 AND lease <= $1 \
             AND (state IN ('opening', 'closing') OR until <= $1) LIMIT 1",
            [now_ms.into()],
        );
        if self.query(Via::Reader, sql).await?.is_empty() {
            return Ok(Vec::new());
        }
        let transaction = self.begin().await?;
        let sql = Sql::with(
            "UPDATE grants SET state = CASE WHEN state = 'granted' THEN 'closed' ELSE 'closing' END \
             WHERE state IN ('granted', 'opening', 'open') AND until <= $1 RETURNING id, state",
            [now_ms.into()],
        );
        for row in &self.query(Via::Within(&transaction), sql).await? {
            let id = GrantId::from_uuid(Row::new("grants", "id", row).get("id")?);
            self.tell_of_grant(&transaction, id, "its time is over", now_ms).await?;
        }
        let mut sql = Sql::with(
            "UPDATE grants SET holder = $2, lease = $3, tried = CASE WHEN state = 'opening' THEN $1 ELSE tried END \
             WHERE state IN ('opening', 'closing') AND look <= $1 AND lease <= $1 AND cloud IN (",
            [now_ms.into(), holder.into(), (now_ms + lease_ms).into()],
        );
        sql.list(clouds.iter().map(|cloud| cloud.as_str().into())).push(&format!(") RETURNING {COLUMNS}"));
        let rows = self.query(Via::Within(&transaction), sql).await?;
        self.commit(transaction).await?;
        let due = |row| {
            let grant = grant_of(row)?;
            let (Some((machine, zone)), Some(remote)) = (grant.way, grant.remote) else { return Ok(None) };
            let corrupt = |reason: String| Row::new("grants", "id", row).corrupt("principal", reason);
            let principal = Principal::parse(zone.cloud(), &grant.principal).map_err(|bad| corrupt(bad.to_string()))?;
            let placement =
                Placement::check(zone.region().residency(), zone).map_err(|bad| corrupt(bad.to_string()))?;
            let grant_id = grant.id.as_uuid();
            let access = Access { grant: grant_id, machine, remote, placement, principal, until_ms: grant.until_ms };
            let opens = grant.state == GrantState::Opening;
            Ok(Some(Due { grant: grant.id, access, opens, tried_ms: grant.tried_ms }))
        };
        rows.iter().filter_map(|row| due(row).transpose()).collect()
    }

    /// The way is open. Nothing changes where the grant has been revoked meanwhile, or another has taken it: then it is closed by whoever
    /// comes next.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn grant_opened(&self, id: GrantId, holder: &str, command: &str, now_ms: i64) -> Result<(), StoreError> {
        let sql = "UPDATE grants SET state = 'open', command = $3, problem = NULL, lease = 0, look = until \
                   WHERE id = $1 AND holder = $2 AND state = 'opening' RETURNING id";
        self.move_grant(id, sql, vec![holder.into(), command.into()], "open", now_ms).await
    }

    /// Nothing of it is left.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn grant_closed(&self, id: GrantId, holder: &str, now_ms: i64) -> Result<(), StoreError> {
        let sql = "UPDATE grants SET state = 'closed', command = NULL, lease = 0 \
                   WHERE id = $1 AND holder = $2 AND state = 'closing' RETURNING id";
        self.move_grant(id, sql, vec![holder.into()], "closed: nobody is let in any more", now_ms).await
    }

    /// The way can't be opened: what there may be of it is taken away.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn grant_refused(&self, id: GrantId, holder: &str, problem: &str, now_ms: i64) -> Result<(), StoreError> {
        let sql = "UPDATE grants SET state = 'closing', problem = $3, lease = 0 \
                   WHERE id = $1 AND holder = $2 AND state = 'opening' RETURNING id";
        let what = format!("could not be opened: {problem}");
        self.move_grant(id, sql, vec![holder.into(), problem.into()], &what, now_ms).await
    }

    /// It is to be looked at again then; with what went wrong, if something did.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn grant_again(
        &self,
        id: GrantId,
        holder: &str,
        problem: Option<&str>,
        look_ms: i64,
    ) -> Result<(), StoreError> {
        let sql = Sql::with(
            "UPDATE grants SET look = $3, problem = coalesce($4, problem), lease = 0 WHERE id = $1 AND holder = $2",
            [id.as_uuid().into(), holder.into(), look_ms.into(), problem.map(ToOwned::to_owned).into()],
        );
        self.query(Via::Alone, sql).await.map(drop)
    }

    async fn move_grant(
        &self,
        id: GrantId,
        sql: &str,
        mut values: Vec<sea_orm::Value>,
        what: &str,
        now_ms: i64,
    ) -> Result<(), StoreError> {
        let transaction = self.begin().await?;
        values.insert(0, id.as_uuid().into());
        let holder = values[1].clone();
        if self.query(Via::Within(&transaction), Sql::with(sql, values)).await?.is_empty() {
            // It was ended meanwhile: whoever is to close it need not wait for the lease.
            let sql = "UPDATE grants SET lease = 0 WHERE id = $1 AND holder = $2";
            self.execute(&transaction, Sql::with(sql, [id.as_uuid().into(), holder])).await?;
        } else {
            self.tell_of_grant(&transaction, id, what, now_ms).await?;
        }
        self.commit(transaction).await
    }
}
