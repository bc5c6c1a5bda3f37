//! The database: tenants, resources, jobs and what happened to them. The only place that knows SQL.
//!
//! One behaviour on PostgreSQL and SQLite; `tests/tests/store.rs` proves it on both. No clock is read here: the time comes in
//! as an argument. Nothing read back is trusted: a row that the types or the catalogue refuse is
//! [`StoreError::Corrupt`].

mod acquire;
mod audit;
mod connect;
mod control;
mod error;
mod events;
mod findings;
mod grants;
mod jobs;
mod people;
mod pulse;
pub(crate) mod queue;
mod record;
mod records;
mod resources;
mod scope;
mod snapshot;
mod sql;
mod tenancy;
mod tenants;
mod tokens;
mod trusts;
mod upkeep;
mod wards;

use std::{
    fmt,
    future::Future,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use sea_orm::DatabaseConnection;

pub use acquire::Acquired;
pub use audit::Checked;
pub use connect::Migrated;
pub use error::{Constraint, RecordError, StoreError};
pub use events::Event;
pub use findings::{Run, Sighting};
pub use grants::{Grant, GrantState, NewGrant};
pub use jobs::{Job, JobFilter};
pub use people::{Member, User};
pub use pulse::Pulse;
pub use queue::{Beat, Claim, Claimed, Enqueued, Finish, NewJob, Release, Session, SignOn, Swept, WorkerId, lane_key};
pub use record::Recorded;
pub use records::{KnownOwner, Mate, Record, Work};
pub use resources::ResourceFilter;
pub use tenancy::Tenancy;
pub use tenants::NewProject;
pub use tokens::{Holder, NewToken, Token, Unproved};
pub use trusts::{NewExchange, NewTrust};
pub use upkeep::{Hold, Rules};
pub use wards::Due;

/// Which database it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Backend {
    /// Embedded: one writing connection, several reading ones.
    Sqlite,
    /// A server, shared by all workers.
    Postgres,
}

/// Makes something that lives as long as one access to the database. See [`Store::with_guard`].
pub type Guard = Arc<dyn Fn() -> Box<dyn Send> + Send + Sync>;

/// A handle to the database. Clones share connections and counters.
#[derive(Clone)]
pub struct Store {
    shared: Arc<Shared>,
    guard: Option<Guard>,
    /// What every transaction says of itself, where the database walls tenants off.
    scope: Option<Arc<scope::Scope>>,
    #[cfg(feature = "sabotage")]
    unfenced: bool,
}

struct Shared {
    backend: Backend,
    /// The URL without its password, for messages.
    place: String,
    /// Whether the database holds this user to the tenants that a transaction names.
    is_walled: bool,
    writer: DatabaseConnection,
    /// On PostgreSQL and for a database in memory the same as `writer`.
    reader: DatabaseConnection,
    statements: AtomicU64,
    commits: AtomicU64,
    queue: queue::Queue,
    deeds: audit::Deeds,
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Store").field(&self.shared.place).finish()
    }
}

impl Store {
    /// Opens a database whose schema is this program's. `sqlite::memory:` makes a new one, with its schema, for this handle
    /// and its clones alone.
    ///
    /// # Errors
    /// [`StoreError::NoSchema`], [`StoreError::NewerSchema`], [`StoreError::Unreachable`], [`StoreError::Denied`], and
    /// [`StoreError::Refused`] for a URL of another kind.
    pub async fn open(url: &str) -> Result<Self, StoreError> {
        connect::open(url, None).await
    }

    /// As [`Store::open`], with a guard from the first access on.
    ///
    /// # Errors
    /// As [`Store::open`].
    pub async fn open_with_guard(url: &str, guard: Guard) -> Result<Self, StoreError> {
        connect::open(url, Some(guard)).await
    }

    /// Gives a database the schema and the catalogue of this program, in one transaction; changes nothing if it has them. A
    /// SQLite file is made if there is none.
    ///
    /// # Errors
    /// [`StoreError::NewerSchema`], [`StoreError::Unreachable`], [`StoreError::ReadOnly`], [`StoreError::DiskFull`] and the
    /// like.
    pub async fn migrate(url: &str) -> Result<Migrated, StoreError> {
        connect::migrate(url, None).await
    }

    /// Whether the database answers and has every change of the schema that this program knows. What a newer release has added does not
    /// matter to one that is running already.
    ///
    /// # Errors
    /// [`StoreError::NoSchema`]; those of the database.
    pub async fn is_ready(&self) -> Result<(), StoreError> {
        self.count(2, 0);
        self.run(connect::is_whole(self.reader(), self.place())).await
    }

    /// The same, and lets a role of the server in for the API: with its rights, and held to its tenants' rows. Whoever was let in
    /// before gets what a newer schema needs in any case.
    ///
    /// # Errors
    /// [`StoreError::Refused`] if there is no such role, or one that the walls would not hold; those of [`Store::migrate`].
    pub async fn migrate_for(url: &str, role: &str) -> Result<Migrated, StoreError> {
        connect::migrate(url, Some(role)).await
    }

    /// The same store, with `guard` called at the beginning of every access to the database and what it gives dropped at the
    /// end. With it a test whose time is paused keeps the clock still while the database works: tokio moves a
    /// paused clock on as soon as nothing but a timer is left to wait for, and it does not see the database.
    #[must_use]
    pub fn with_guard(mut self, guard: Guard) -> Self {
        self.guard = Some(guard);
        self
    }

    /// Which database it is.
    #[must_use]
    pub fn backend(&self) -> Backend {
        self.shared.backend
    }

    /// The database's URL without its password.
    #[must_use]
    pub fn place(&self) -> &str {
        &self.shared.place
    }

    /// SQL statements sent by this handle and its clones so far, BEGIN and COMMIT included.
    #[must_use]
    pub fn statements(&self) -> u64 {
        self.shared.statements.load(Ordering::Relaxed)
    }

    /// Writing transactions committed by this handle and its clones so far, single statements included.
    #[must_use]
    pub fn commits(&self) -> u64 {
        self.shared.commits.load(Ordering::Relaxed)
    }

    /// PostgreSQL's clock in milliseconds since 1970, which all of its workers share; none on SQLite, which has no other clock than
    /// the machine's.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn server_now_ms(&self) -> Result<Option<i64>, StoreError> {
        if !self.is_postgres() {
            return Ok(None);
        }
        let sql = sql::Sql::new("SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint AS now");
        let rows = self.query(sql::Via::Reader, sql).await?;
        rows.first().map(|row| sql::Row::new("clock", "now", row).get("now")).transpose()
    }

    /// Whether the database itself keeps this user to the rows of the tenants that a transaction names: PostgreSQL, for a role that does
    /// not own the tables.
    #[must_use]
    pub fn is_walled(&self) -> bool {
        self.shared.is_walled
    }

    fn is_postgres(&self) -> bool {
        self.shared.backend == Backend::Postgres
    }

    /// What the queue keeps in memory.
    pub(crate) fn queue(&self) -> &queue::Queue {
        &self.shared.queue
    }

    /// The connection for writes: on SQLite the only one that writes.
    pub(crate) fn db(&self) -> &DatabaseConnection {
        &self.shared.writer
    }

    /// Connections for reads.
    pub(crate) fn reader(&self) -> &DatabaseConnection {
        &self.shared.reader
    }

    /// The choke point: every await of the database passes through here. It counts nothing: see [`Store::count`].
    pub(crate) async fn run<T, E: Into<StoreError>>(
        &self,
        access: impl Future<Output = Result<T, E>>,
    ) -> Result<T, StoreError> {
        let _guard = self.guard.as_ref().map(|guard| guard());
        access.await.map_err(|error| error.into().at(&self.shared.place))
    }

    /// Counts statements that were sent and writing transactions that were committed.
    pub(crate) fn count(&self, statements: u64, commits: u64) {
        self.shared.statements.fetch_add(statements, Ordering::Relaxed);
        self.shared.commits.fetch_add(commits, Ordering::Relaxed);
    }
}
