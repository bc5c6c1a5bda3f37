//! The audit: appended to under a lock, each entry tied to the one before, read and checked page by page. The database itself
//! refuses to change or to lose an entry (see the migration).

use std::{
    mem,
    sync::{Mutex, MutexGuard, PoisonError},
};

use sea_orm::{QueryResult, Value};
use tokio::sync::oneshot;
use uuid::Uuid;

use super::{
    Backend, Store, StoreError,
    sql::{Row, Sql, Via},
};
use crate::core::{
    OrgId, TokenId,
    audit::{AuditEntry, Deed},
};

/// Of those who append at the same time one goes first: an advisory lock that nothing else uses.
const LOCK: i64 = 0x7072_6f76_6175_6474;
/// Entries that are checked at a time.
const PAGE: u32 = 1_000;

/// Entries that are written in one statement.
const MOST: usize = 256;

/// Entries that wait to be written.
#[derive(Debug, Default)]
pub(super) struct Deeds(Mutex<Waiting>);

#[derive(Debug, Default)]
struct Waiting {
    deeds: Vec<(Deed, oneshot::Sender<Result<i64, StoreError>>)>,
    /// Whether a task is at work that will see to them.
    served: bool,
}

impl Deeds {
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a check of the whole audit says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checked {
    /// Entries that are sound.
    pub sound: u64,
    /// The last of them: its number and its hash. Who keeps both elsewhere notices when the end is cut off.
    pub last: Option<(i64, String)>,
    /// What is wrong with the next one, if something is.
    pub flaw: Option<String>,
}

impl Store {
    /// Writes an entry. Those who come while others are being written are written together, after them: one lock, one commit.
    ///
    /// # Errors
    /// Those of the database: what is to be told by the audit must not be done then.
    pub async fn append_deed(&self, deed: Deed) -> Result<i64, StoreError> {
        let (answer, answered) = oneshot::channel();
        let leads = {
            let mut waiting = self.shared.deeds.lock();
            waiting.deeds.push((deed, answer));
            !mem::replace(&mut waiting.served, true)
        };
        if leads {
            // A task of its own: a caller that goes away must not take the others' entries with it. What it writes is of many tenants.
            tokio::spawn(serve(Self { scope: None, ..self.clone() }));
        }
        answered.await.unwrap_or_else(|_| Err(StoreError::unreachable("this process is shutting down")))
    }

    /// Writes entries in that order, each tied to the one before, and gives the number of the first.
    async fn write_deeds(&self, deeds: Vec<Deed>) -> Result<i64, StoreError> {
        let transaction = self.begin().await?;
        if self.backend() == Backend::Postgres {
            let sql = Sql::with("SELECT pg_advisory_xact_lock($1)::text AS lock", [LOCK.into()]);
            self.query(Via::Within(&transaction), sql).await?;
        }
        let head = match self.backend() {
            Backend::Postgres => "SELECT seq, hash FROM audit_head()",
            Backend::Sqlite => "SELECT seq, hash FROM audit ORDER BY seq DESC LIMIT 1",
        };
        let rows = self.query(Via::Within(&transaction), Sql::new(head)).await?;
        let mut last: Option<(i64, String)> = match rows.first() {
            Some(row) => {
                let row = Row::new("audit", "seq", row);
                Some((row.get("seq")?, row.get("hash")?))
            }
            None => None,
        };
        let first = last.as_ref().map_or(1, |(seq, _)| seq + 1);
        let mut entries = Vec::with_capacity(deeds.len());
        for deed in deeds {
            let entry = AuditEntry::after(last.as_ref().map(|(seq, hash)| (*seq, hash.as_str())), deed);
            last = Some((entry.seq, entry.hash.clone()));
            entries.push(columns(entry));
        }
        let mut sql = Sql::new(
            "INSERT INTO audit (seq, at, identity, token, address, act, org, resource, outcome, detail, previous, hash) VALUES ",
        );
        sql.rows(entries);
        self.execute(&transaction, sql).await?;
        self.commit(transaction).await?;
        Ok(first)
    }

    /// Makes a change that the audit tells of: the entry is there before the change is, so that no crash leaves a change without
    /// one. If it comes to nothing, a second entry says so.
    ///
    /// # Errors
    /// Those of the change and of the database.
    pub async fn audited<T>(
        &self,
        deed: Deed,
        change: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        self.append_deed(deed.clone()).await?;
        let error = match change.await {
            Ok(made) => return Ok(made),
            Err(error) => error,
        };
        let detail = Some(error.told());
        self.append_deed(Deed { outcome: "failed".to_owned(), detail, ..deed }).await?;
        Err(error)
    }

    /// Entries after that number, oldest first: of one organization, or all.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn audit(&self, org: Option<OrgId>, after: i64, limit: u32) -> Result<Vec<AuditEntry>, StoreError> {
        let mut sql = Sql::with(
            "SELECT seq, at, identity, token, address, act, org, resource, outcome, detail, previous, hash FROM audit \
             WHERE seq > $1",
            [after.into()],
        );
        if let Some(org) = org {
            sql.push(" AND org = ").bind(org.as_uuid());
        }
        sql.push(" ORDER BY seq LIMIT ").bind(i64::from(limit));
        self.query(Via::Reader, sql).await?.iter().map(entry_of).collect()
    }

    /// Goes through the whole audit, page by page, up to the first flaw.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn check_audit(&self) -> Result<Checked, StoreError> {
        let mut checked = Checked { sound: 0, last: None, flaw: None };
        loop {
            let after = checked.last.as_ref().map_or(0, |(seq, _)| *seq);
            let page = self.audit(None, after, PAGE).await?;
            for entry in &page {
                let last = checked.last.as_ref().map(|(seq, hash)| (*seq, hash.as_str()));
                if let Some(flaw) = entry.flaw(last) {
                    return Ok(Checked { flaw: Some(flaw), ..checked });
                }
                checked.last = Some((entry.seq, entry.hash.clone()));
                checked.sound += 1;
            }
            if page.len() < PAGE as usize {
                return Ok(checked);
            }
        }
    }
}

/// Works until nothing waits.
async fn serve(store: Store) {
    loop {
        let batch: Vec<_> = {
            let mut waiting = store.shared.deeds.lock();
            if waiting.deeds.is_empty() {
                waiting.served = false;
                return;
            }
            let most = waiting.deeds.len().min(MOST);
            waiting.deeds.drain(..most).collect()
        };
        let (deeds, answers): (Vec<_>, Vec<_>) = batch.into_iter().unzip();
        let written = store.write_deeds(deeds).await;
        for (n, answer) in (0..).zip(answers) {
            // Who has gone away waits for no answer.
            drop(answer.send(written.clone().map(|first| first + n)));
        }
    }
}

fn columns(entry: AuditEntry) -> Vec<Value> {
    let AuditEntry { seq, deed, previous, hash } = entry;
    vec![
        seq.into(),
        deed.at_ms.into(),
        deed.identity.into(),
        deed.token.map(TokenId::as_uuid).into(),
        deed.address.into(),
        deed.act.into(),
        deed.org.map(OrgId::as_uuid).into(),
        deed.resource.into(),
        deed.outcome.into(),
        deed.detail.into(),
        previous.into(),
        hash.into(),
    ]
}

fn entry_of(row: &QueryResult) -> Result<AuditEntry, StoreError> {
    let row = Row::new("audit", "seq", row);
    let deed = Deed {
        at_ms: row.get("at")?,
        identity: row.get("identity")?,
        token: row.get::<Option<Uuid>>("token")?.map(TokenId::from_uuid),
        address: row.get("address")?,
        act: row.get("act")?,
        org: row.get::<Option<Uuid>>("org")?.map(OrgId::from_uuid),
        resource: row.get("resource")?,
        outcome: row.get("outcome")?,
        detail: row.get("detail")?,
    };
    Ok(AuditEntry { seq: row.get("seq")?, deed, previous: row.get("previous")?, hash: row.get("hash")? })
}
