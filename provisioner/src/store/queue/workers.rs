//! Workers sign on, beat, are given up for dead, and sign off.

use std::collections::BTreeSet;

use sea_orm::{DatabaseConnection, DatabaseTransaction, DbErr, Value};

use crate::{
    core::JobId,
    store::{Store, StoreError},
};

use super::{Session, Signal, WorkerId, tx};

/// What came of signing on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SignOn {
    /// Welcome.
    Done {
        /// Under this number.
        session: Session,
        /// So many jobs of dead workers were put back into the queue on the way.
        taken_over: u64,
    },
    /// A worker of that name is signed on.
    Held {
        /// Its session.
        session: i32,
        /// Its last heartbeat's number: when it moves, that worker lives.
        beat: i64,
        /// It is given up then, in milliseconds since 1970.
        lease_until_ms: i64,
    },
}

/// What a heartbeat brings back.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Beat {
    /// When the first of the other workers' leases runs out, in milliseconds since 1970.
    pub others_until_ms: Option<i64>,
    /// Jobs, anybody's, that are to be called off.
    pub cancels: Vec<JobId>,
}

/// What a search for dead workers found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Swept {
    /// So many jobs are back in the queue.
    pub freed: u64,
    /// When the next lease runs out, in milliseconds since 1970.
    pub next_until_ms: Option<i64>,
}

impl Store {
    /// Signs a worker on until `lease_until_ms`. What dead workers held, and what its own `previous` session held, is put
    /// back into the queue first.
    ///
    /// # Errors
    ///
    /// The database's.
    pub async fn sign_on(
        &self,
        worker: &WorkerId,
        previous: Option<&Session>,
        lease_until_ms: i64,
        now_ms: i64,
    ) -> Result<SignOn, StoreError> {
        let done = self.run(sign_on(self.db(), worker, previous, lease_until_ms, now_ms)).await?;
        if matches!(done, SignOn::Done { taken_over: 1.., .. }) {
            self.signal(Signal::Ready).await;
        }
        Ok(done)
    }

    /// Extends the lease of all of a worker's jobs. None: the session is over, and its jobs are others'.
    ///
    /// # Errors
    ///
    /// The database's.
    pub async fn beat(&self, session: &Session, lease_until_ms: i64) -> Result<Option<Beat>, StoreError> {
        let beat = self.run(beat(self.db(), session, lease_until_ms)).await?;
        #[cfg(feature = "sabotage")]
        let beat = beat.or_else(|| self.is_unfenced().then(Beat::default));
        Ok(beat)
    }

    /// Puts back into the queue what workers hold whose lease has run out.
    ///
    /// # Errors
    ///
    /// The database's.
    pub async fn sweep(&self, now_ms: i64) -> Result<Swept, StoreError> {
        let swept = self.run(sweep(self.db(), now_ms)).await?;
        if swept.freed > 0 {
            self.signal(Signal::Ready).await;
        }
        Ok(swept)
    }

    /// Puts back into the queue what the session holds besides `known`: what was claimed by a statement whose answer was lost.
    ///
    /// # Errors
    ///
    /// The database's.
    pub(crate) async fn disown_others(
        &self,
        session: &Session,
        known: &[JobId],
        now_ms: i64,
    ) -> Result<u64, StoreError> {
        self.run(disown_others(self.db(), session, known, now_ms)).await
    }

    /// Signs a worker off. What it still holds is put back into the queue.
    ///
    /// # Errors
    ///
    /// The database's.
    pub async fn sign_off(&self, session: &Session, now_ms: i64) -> Result<(), StoreError> {
        let left = self.run(sign_off(self.db(), session, now_ms)).await?;
        if left > 0 {
            self.signal(Signal::Ready).await;
        }
        Ok(())
    }
}

async fn sign_on(
    db: &DatabaseConnection,
    worker: &WorkerId,
    previous: Option<&Session>,
    lease_until_ms: i64,
    now_ms: i64,
) -> Result<SignOn, DbErr> {
    let tx = tx::begin(db).await?;
    let taken_over = bury(&tx, now_ms, previous.map(|session| session.id)).await?;
    let new = tx::one(
        &tx,
        "INSERT INTO workers (name, started, lease_until, beat) VALUES ($1, $2, $3, 0) ON CONFLICT DO NOTHING RETURNING id",
        [worker.0.clone().into(), now_ms.into(), lease_until_ms.into()],
    )
    .await?;
    let done = if let Some(row) = new {
        let session = Session { id: row.try_get_by_index(0)?, worker: worker.clone() };
        SignOn::Done { session, taken_over }
    } else {
        let sql = "SELECT id, beat, lease_until FROM workers WHERE name = $1";
        match tx::one(&tx, sql, [worker.0.clone().into()]).await? {
            Some(row) => SignOn::Held {
                session: row.try_get_by_index(0)?,
                beat: row.try_get_by_index(1)?,
                lease_until_ms: row.try_get_by_index(2)?,
            },
            // It went away between the two statements.
            None => SignOn::Held { session: 0, beat: 0, lease_until_ms: now_ms },
        }
    };
    tx.commit().await?;
    Ok(done)
}

async fn beat(db: &DatabaseConnection, session: &Session, lease_until_ms: i64) -> Result<Option<Beat>, DbErr> {
    let gather = if tx::is_postgres(db) { "json_agg(id)::text" } else { "json_group_array(id)" };
    let sql = format!(
        "UPDATE workers SET lease_until = $2, beat = beat + 1 WHERE id = $1 RETURNING \
         (SELECT min(w.lease_until) FROM workers w WHERE w.id <> $1), (SELECT {gather} FROM jobs WHERE cancel_asked)"
    );
    let Some(row) = tx::one(db, &sql, [session.id.into(), lease_until_ms.into()]).await? else { return Ok(None) };
    let cancels: Option<String> = row.try_get_by_index(1)?;
    let cancels = cancels.map_or(Ok(Vec::new()), |ids| serde_json::from_str(&ids)).map_err(tx::encoding)?;
    Ok(Some(Beat { others_until_ms: row.try_get_by_index(0)?, cancels }))
}

async fn sweep(db: &DatabaseConnection, now_ms: i64) -> Result<Swept, DbErr> {
    let tx = tx::begin(db).await?;
    let freed = bury(&tx, now_ms, None).await?;
    let next = tx::one(&tx, "SELECT min(lease_until) FROM workers", []).await?;
    let next_until_ms = next.map_or(Ok(None), |row| row.try_get_by_index(0))?;
    tx.commit().await?;
    Ok(Swept { freed, next_until_ms })
}

/// Deletes workers whose lease has run out, and that session, and frees what they hold: the fences rise, the jobs may run at once
/// and have one attempt more. Whether a worker is dead is decided by the deletion of its row, so that a heartbeat
/// in the last moment wins or comes too late, and nothing between.
async fn bury(tx: &DatabaseTransaction, now_ms: i64, also: Option<i32>) -> Result<u64, DbErr> {
    let dead = tx::all(
        tx,
        "DELETE FROM workers WHERE lease_until < $1 OR id = $2 RETURNING id",
        [now_ms.into(), also.unwrap_or(0).into()],
    )
    .await?;
    // A worker that was given up and does not know it yet may claim once more before its next heartbeat tells it. Nobody would
    // ever miss that session: what it holds is freed with the rest.
    let lost = tx::all(
        tx,
        "SELECT DISTINCT worker FROM lanes WHERE worker IS NOT NULL AND worker NOT IN (SELECT id FROM workers)",
        [],
    )
    .await?;
    let mut sessions = BTreeSet::new();
    for row in dead.into_iter().chain(lost) {
        sessions.insert(row.try_get_by_index::<i32>(0)?);
    }
    let mut freed = 0;
    for session in sessions {
        freed += free(tx, session, now_ms, 1).await?;
    }
    Ok(freed)
}

async fn free(tx: &DatabaseTransaction, session: i32, now_ms: i64, attempts: i32) -> Result<u64, DbErr> {
    let id: Value = session.into();
    let sql = format!("SELECT job FROM lanes WHERE worker = $1 ORDER BY lane{}", tx::for_update(tx));
    let held = tx::all(tx, &sql, [id.clone()]).await?;
    if held.is_empty() {
        return Ok(0);
    }
    tx::exec(
        tx,
        "UPDATE jobs SET run_at = $2, attempt = attempt + $3 WHERE id IN (SELECT job FROM lanes WHERE worker = $1)",
        [id.clone(), now_ms.into(), attempts.into()],
    )
    .await?;
    tx::exec(
        tx,
        "UPDATE lanes SET job = NULL, worker = NULL, since = NULL, fence = fence + 1, stamp = stamp + 1 WHERE worker = $1",
        [id],
    )
    .await
}

async fn sign_off(db: &DatabaseConnection, session: &Session, now_ms: i64) -> Result<u64, DbErr> {
    let tx = tx::begin(db).await?;
    tx::exec(&tx, "DELETE FROM workers WHERE id = $1", [session.id.into()]).await?;
    let left = free(&tx, session.id, now_ms, 0).await?;
    tx.commit().await?;
    Ok(left)
}

async fn disown_others(db: &DatabaseConnection, session: &Session, known: &[JobId], now_ms: i64) -> Result<u64, DbErr> {
    let tx = tx::begin(db).await?;
    let sql = format!("SELECT lane, job FROM lanes WHERE worker = $1 ORDER BY lane{}", tx::for_update(&tx));
    let mut freed = 0;
    for row in tx::all(&tx, &sql, [session.id.into()]).await? {
        let (lane, job): (i64, i64) = (row.try_get_by_index(0)?, row.try_get_by_index(1)?);
        if known.contains(&JobId(job)) {
            continue;
        }
        tx::exec(&tx, "UPDATE jobs SET run_at = $2 WHERE id = $1", [job.into(), now_ms.into()]).await?;
        freed += tx::exec(
            &tx,
            "UPDATE lanes SET job = NULL, worker = NULL, since = NULL, fence = fence + 1, stamp = stamp + 1 WHERE lane = $1",
            [lane.into()],
        )
        .await?;
    }
    tx.commit().await?;
    Ok(freed)
}
