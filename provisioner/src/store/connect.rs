//! Connecting, and bringing the schema up to date.
//!
//! SQLite gets exactly one connection that writes: writers queue up in the pool, in order, instead of meeting in the file. A
//! write is on the disk when it has been answered (WAL, `synchronous=FULL`).

use std::{
    sync::{Arc, atomic::AtomicU64},
    time::Duration,
};

use backon::{ConstantBuilder, Retryable};
use migrations::{Migrator, MigratorTrait};
use sea_orm::{
    ConnectionTrait, DatabaseConnection, DatabaseTransaction, SqliteTransactionMode, Statement, TransactionOptions,
    TransactionTrait,
    sqlx::{
        ConnectOptions, Connection as _,
        postgres::{PgConnectOptions, PgPoolOptions},
        sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous},
    },
};
use tokio::sync::OnceCell;

use super::{Backend, Guard, Shared, Store, StoreError, snapshot::Snapshot};

/// How long an operation waits for a connection, and a new connection for the server.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long a SQLite connection waits for another process that writes.
const BUSY: Duration = Duration::from_secs(10);
const POSTGRES_CONNECTIONS: u32 = 16;
const SQLITE_READERS: u32 = 4;
/// Two that migrate at once take turns: an advisory lock that nothing else uses.
const MIGRATION_LOCK: i64 = 0x7072_6f76_6973_696f;

/// What [`Store::migrate`] did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Migrated {
    /// The changes that were made, in order; empty if there was nothing to do.
    pub applied: Vec<String>,
    /// The schema that the database has now: the name of its last change.
    pub schema: String,
    /// The server's roles that may serve the API.
    pub roles: Vec<String>,
}

/// A database URL that has been understood.
enum Address {
    Memory,
    Sqlite(Box<SqliteConnectOptions>),
    Postgres(Box<PgConnectOptions>),
}

impl Address {
    fn parse(url: &str) -> Result<Self, StoreError> {
        let refused = |reason: String| StoreError::Refused {
            field: "database".to_owned(),
            reason,
            remedy: "use sqlite://FILE or postgres://USER:PASSWORD@HOST:PORT/NAME".to_owned(),
        };
        let scheme = url.split_once(':').map_or("", |(scheme, _)| scheme);
        match scheme {
            "sqlite" if url.contains(":memory:") || url.contains("mode=memory") => Ok(Self::Memory),
            "sqlite" => {
                let options: SqliteConnectOptions = url.parse().map_err(|error| refused(format!("{error}")))?;
                if options.get_filename().as_os_str().is_empty() {
                    return Err(refused("the URL names no file".to_owned()));
                }
                Ok(Self::Sqlite(Box::new(durable(options))))
            }
            "postgres" | "postgresql" => {
                let options: PgConnectOptions = url.parse().map_err(|error| refused(format!("{error}")))?;
                Ok(Self::Postgres(Box::new(options.application_name("provisioner").disable_statement_logging())))
            }
            // Not shown: what was meant for another field may hold a secret.
            _ => Err(refused("it is not the URL of a SQLite or PostgreSQL database".to_owned())),
        }
    }

    fn backend(&self) -> Backend {
        match self {
            Self::Memory | Self::Sqlite(_) => Backend::Sqlite,
            Self::Postgres(_) => Backend::Postgres,
        }
    }

    /// For messages: no password in it.
    fn place(&self) -> String {
        match self {
            Self::Memory => "sqlite::memory:".to_owned(),
            Self::Sqlite(options) => format!("sqlite://{}", options.get_filename().display()),
            Self::Postgres(options) => {
                let (user, host, port) = (options.get_username(), options.get_host(), options.get_port());
                format!("postgres://{user}@{host}:{port}/{}", options.get_database().unwrap_or(user))
            }
        }
    }

    async fn connect_writer(&self, create: bool) -> Result<DatabaseConnection, StoreError> {
        match self {
            Self::Memory => sqlite_pool(SqliteConnectOptions::new().in_memory(true).filename(":memory:"), 1).await,
            Self::Sqlite(options) => sqlite_pool((**options).clone().create_if_missing(create), 1).await,
            Self::Postgres(options) => postgres_pool(options).await,
        }
    }

    async fn connect_reader(&self, writer: &DatabaseConnection) -> Result<DatabaseConnection, StoreError> {
        match self {
            Self::Memory | Self::Postgres(_) => Ok(writer.clone()),
            Self::Sqlite(options) => {
                let options = (**options).clone().pragma("query_only", "ON");
                sqlite_pool(options, SQLITE_READERS).await
            }
        }
    }
}

fn durable(options: SqliteConnectOptions) -> SqliteConnectOptions {
    options
        .create_if_missing(false)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .foreign_keys(true)
        .busy_timeout(BUSY)
}

async fn sqlite_pool(options: SqliteConnectOptions, most: u32) -> Result<DatabaseConnection, StoreError> {
    let options = options.foreign_keys(true).disable_statement_logging();
    let memory = options.get_filename().as_os_str() == ":memory:";
    let connect = async || {
        // A connection to memory must never be closed, and one to a file need not be.
        let pool = SqlitePoolOptions::new()
            .max_connections(most)
            .test_before_acquire(false)
            .idle_timeout(None)
            .max_lifetime(None)
            .acquire_timeout(PATIENCE)
            // SQLite rolls back by itself when the disk is full, and a connection that still believes in its transaction can
            // begin no other: a file's is closed, and opened anew.
            .before_acquire(move |connection, _| Box::pin(async move { Ok(memory || !connection.is_in_transaction()) }))
            .connect_with(options.clone())
            .await?;
        Ok(DatabaseConnection::from(pool))
    };
    // A file that becomes WAL, or whose log goes back into it, is locked in a way that SQLite's own patience does not cover
    // (SQLite, "Write-Ahead Logging", on queries that return SQLITE_BUSY in WAL mode).
    let every = Duration::from_millis(20);
    let times = (BUSY.as_millis() / every.as_millis()) as usize;
    let patient = ConstantBuilder::new().with_delay(every).with_max_times(times);
    connect.retry(patient).sleep(tokio::time::sleep).when(|error| matches!(error, StoreError::Busy { .. })).await
}

async fn postgres_pool(options: &PgConnectOptions) -> Result<DatabaseConnection, StoreError> {
    // The pool would try again and again and then only say that it took too long: the first connection tells why.
    match tokio::time::timeout(PATIENCE, options.connect()).await {
        Ok(connection) => drop(connection?),
        Err(_) => return Err(StoreError::unreachable(format!("no answer within {} s", PATIENCE.as_secs()))),
    }
    let pool = PgPoolOptions::new()
        .max_connections(POSTGRES_CONNECTIONS)
        .test_before_acquire(false)
        .before_acquire(|connection, meta| {
            Box::pin(async move {
                // A round trip for a connection that has long been idle, which a firewall may have forgotten.
                if meta.idle_for >= Duration::from_secs(30) {
                    connection.ping().await?;
                }
                Ok(true)
            })
        })
        .acquire_timeout(PATIENCE)
        .connect_with(options.clone())
        .await?;
    Ok(DatabaseConnection::from(pool))
}

impl Store {
    /// Begins a transaction that will write. SQLite takes the lock at once: one that reads first and asks for it later can
    /// be refused.
    pub(crate) async fn begin(&self) -> Result<DatabaseTransaction, StoreError> {
        self.count(1, 0);
        let transaction = self.run(begin(self.db())).await?;
        if let Some(scope) = &self.scope {
            self.send(&transaction, scope.sql()).await?;
        }
        Ok(transaction)
    }

    /// Ends a transaction for good.
    pub(crate) async fn commit(&self, transaction: DatabaseTransaction) -> Result<(), StoreError> {
        self.count(1, 1);
        self.run(transaction.commit()).await
    }
}

async fn begin(db: &DatabaseConnection) -> Result<DatabaseTransaction, sea_orm::DbErr> {
    let options = TransactionOptions {
        sqlite_transaction_mode: (db.get_database_backend() == sea_orm::DbBackend::Sqlite)
            .then_some(SqliteTransactionMode::Immediate),
        ..TransactionOptions::default()
    };
    db.begin_with_options(options).await
}

pub(super) async fn open(url: &str, guard: Option<Guard>) -> Result<Store, StoreError> {
    let address = Address::parse(url)?;
    let place = address.place();
    let _guard = guard.as_ref().map(|guard| guard());
    let opened = async {
        if let Address::Sqlite(options) = &address
            && !options.get_filename().exists()
        {
            return Err(StoreError::NoSchema { database: place.clone(), missing: "the file".to_owned() });
        }
        let writer = address.connect_writer(false).await?;
        if let Address::Memory = address {
            SNAPSHOT.get_or_try_init(snapshot).await?.restore(&writer).await?;
        } else {
            check(&writer, &place).await?;
        }
        let is_walled = is_walled(&writer).await?;
        let reader = address.connect_reader(&writer).await?;
        Ok((writer, reader, is_walled))
    };
    let (writer, reader, is_walled) = opened.await.map_err(|error: StoreError| error.at(&place))?;
    let backend = address.backend();
    let (statements, commits) = (AtomicU64::new(0), AtomicU64::new(0));
    let (queue, deeds) = (super::queue::Queue::default(), super::audit::Deeds::default());
    let shared = Shared { backend, place, is_walled, writer, reader, statements, commits, queue, deeds };
    Ok(Store {
        shared: Arc::new(shared),
        guard: guard.clone(),
        scope: None,
        #[cfg(feature = "sabotage")]
        unfenced: false,
    })
}

/// Whether policies hold the user of that connection.
async fn is_walled(db: &DatabaseConnection) -> Result<bool, StoreError> {
    if db.get_database_backend() != sea_orm::DbBackend::Postgres {
        return Ok(false);
    }
    let sql = "SELECT row_security_active('orgs') AS walled";
    let row = db.query_one_raw(Statement::from_string(sea_orm::DbBackend::Postgres, sql)).await?;
    Ok(row.map_or(Ok(false), |row| row.try_get("", "walled"))?)
}

/// The schema as it is after all changes, for databases in memory: tests open thousands of them.
static SNAPSHOT: OnceCell<Snapshot> = OnceCell::const_new();

async fn snapshot() -> Result<Snapshot, StoreError> {
    let db = Address::Memory.connect_writer(true).await?;
    bring_up(&db, "sqlite::memory:", None).await?;
    Snapshot::take(&db).await
}

pub(super) async fn migrate(url: &str, role: Option<&str>) -> Result<Migrated, StoreError> {
    let address = Address::parse(url)?;
    let place = address.place();
    let migrated = async {
        let db = address.connect_writer(true).await?;
        let migrated = bring_up(&db, &place, role).await;
        // The last connection to a SQLite file puts the log back into it.
        let closed = db.close().await;
        let migrated = migrated?;
        closed?;
        Ok(migrated)
    };
    migrated.await.map_err(|error: StoreError| error.at(&place))
}

async fn bring_up(db: &DatabaseConnection, place: &str, role: Option<&str>) -> Result<Migrated, StoreError> {
    let transaction = begin(db).await?;
    if transaction.get_database_backend() == sea_orm::DbBackend::Postgres {
        let lock = Statement::from_sql_and_values(
            sea_orm::DbBackend::Postgres,
            "SELECT pg_advisory_xact_lock($1)",
            [MIGRATION_LOCK.into()],
        );
        transaction.execute_raw(lock).await?;
    }
    let before = applied(&transaction).await?;
    refuse_newer(&before, place)?;
    Migrator::up(&transaction, None).await?;
    migrations::seed(&transaction).await?;
    let roles = migrations::admit(&transaction, role).await?.map_err(|unfit| refuse_role(role, unfit))?;
    transaction.commit().await?;
    let names = migrations::names();
    let schema = names.last().cloned().unwrap_or_default();
    Ok(Migrated { applied: names.into_iter().filter(|name| !before.contains(name)).collect(), schema, roles })
}

fn refuse_role(role: Option<&str>, unfit: migrations::Unfit) -> StoreError {
    let name = role.unwrap_or_default();
    let (reason, remedy) = match unfit {
        migrations::Unfit::Missing => (
            "the server has no such role".to_owned(),
            format!("CREATE ROLE {name:?} LOGIN PASSWORD '...'; SQLite has no roles at all"),
        ),
        migrations::Unfit::Unheld => (
            "row-level security would not hold it: it is a superuser, bypasses it, or may act as the tables' owner"
                .to_owned(),
            "name a role that is nothing but the API's".to_owned(),
        ),
    };
    StoreError::Refused { field: format!("--app-role {name}"), reason, remedy }
}

async fn check(db: &DatabaseConnection, place: &str) -> Result<(), StoreError> {
    let applied = applied(db).await?;
    refuse_newer(&applied, place)?;
    let mut missing: Vec<String> = migrations::names().into_iter().filter(|name| !applied.contains(name)).collect();
    if missing.is_empty() {
        missing = migrations::missing(db).await?;
    }
    if missing.is_empty() {
        return Ok(());
    }
    Err(StoreError::NoSchema { database: place.to_owned(), missing: missing.join(", ") })
}

/// Whether no change of the schema is missing.
pub(super) async fn is_whole(db: &DatabaseConnection, place: &str) -> Result<(), StoreError> {
    let applied = applied(db).await?;
    let missing: Vec<String> = migrations::names().into_iter().filter(|name| !applied.contains(name)).collect();
    if missing.is_empty() {
        return Ok(());
    }
    Err(StoreError::NoSchema { database: place.to_owned(), missing: missing.join(", ") })
}

fn refuse_newer(applied: &[String], place: &str) -> Result<(), StoreError> {
    let known = migrations::names();
    let unknown: Vec<&str> = applied.iter().filter(|name| !known.contains(name)).map(String::as_str).collect();
    if unknown.is_empty() {
        return Ok(());
    }
    Err(StoreError::NewerSchema { database: place.to_owned(), unknown: unknown.join(", ") })
}

/// The changes that the database has had; none if it has not been set up.
async fn applied<C: ConnectionTrait>(db: &C) -> Result<Vec<String>, StoreError> {
    let backend = db.get_database_backend();
    let exists = match backend {
        sea_orm::DbBackend::Postgres => "SELECT 1 WHERE to_regclass($1) IS NOT NULL",
        _ => "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = $1",
    };
    let exists = Statement::from_sql_and_values(backend, exists, [migrations::TABLE.into()]);
    if db.query_one_raw(exists).await?.is_none() {
        return Ok(Vec::new());
    }
    let sql = format!("SELECT version FROM {} ORDER BY version", migrations::TABLE);
    let rows = db.query_all_raw(Statement::from_string(backend, sql)).await?;
    rows.iter().map(|row| Ok(row.try_get("", "version")?)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::{Name, OrgId};

    #[tokio::test]
    async fn a_full_disk_is_told_and_nothing_is_lost() {
        let store = Store::open("sqlite::memory:").await.unwrap();
        let create = async |n: u128| {
            let name: Name = format!("org-{n}").parse().unwrap();
            store.create_org(&name, OrgId::from_uuid(uuid::Uuid::from_u128(n)), 0).await
        };
        store.db().execute_unprepared("PRAGMA max_page_count = 1").await.unwrap();
        let mut made = 0;
        let error = loop {
            match create(made).await {
                Ok(_) => made += 1,
                Err(error) => break error,
            }
        };
        assert!(matches!(error, StoreError::DiskFull { .. }) && error.to_string().contains("make room"), "{error}");
        assert_eq!(store.orgs().await.unwrap().len() as u128, made);
        store.db().execute_unprepared("PRAGMA max_page_count = 100000").await.unwrap();
        create(made).await.unwrap();
    }

    #[tokio::test]
    async fn a_full_disk_that_is_freed_can_be_written_again() {
        let file = std::env::temp_dir().join(format!("provisioner-full-{}.db", std::process::id()));
        let url = format!("sqlite://{}", file.display());
        Store::migrate(&url).await.unwrap();
        let store = Store::open(&url).await.unwrap();
        store.db().execute_unprepared("PRAGMA max_page_count = 1").await.unwrap();
        let transaction = store.begin().await.unwrap();
        let fill = "INSERT INTO events (at, job, org, what) VALUES (0, 0, x'00', hex(zeroblob(100000)))";
        let error = transaction.execute_unprepared(fill).await.unwrap_err();
        assert!(matches!(StoreError::from(error), StoreError::DiskFull { .. }));
        drop(transaction);
        // The limit is the connection's own: one that is opened anew stands for a disk that has been freed.
        let transaction = store.begin().await.unwrap();
        transaction.execute_unprepared(fill).await.unwrap();
        store.commit(transaction).await.unwrap();
        drop(store);
        for suffix in ["", "-wal", "-shm"] {
            let _ = std::fs::remove_file(format!("{}{suffix}", file.display()));
        }
    }

    #[tokio::test]
    async fn sqlite_is_durable_strict_and_has_one_writer() {
        let file = std::env::temp_dir().join(format!("provisioner-connect-{}.db", std::process::id()));
        let url = format!("sqlite://{}", file.display());
        Store::migrate(&url).await.unwrap();
        let store = Store::open(&url).await.unwrap();
        for (pragma, expected) in [("synchronous", 2), ("foreign_keys", 1)] {
            let sql = format!("PRAGMA {pragma}");
            for db in [store.db(), store.reader()] {
                let row = db.query_one_raw(Statement::from_string(sea_orm::DbBackend::Sqlite, &sql)).await.unwrap();
                assert_eq!(row.unwrap().try_get_by_index::<i32>(0).unwrap(), expected, "{pragma}");
            }
        }
        let sql = "PRAGMA journal_mode";
        let row = store.db().query_one_raw(Statement::from_string(sea_orm::DbBackend::Sqlite, sql)).await.unwrap();
        assert_eq!(row.unwrap().try_get_by_index::<String>(0).unwrap(), "wal");
        assert_eq!(store.db().get_sqlite_connection_pool().options().get_max_connections(), 1);
        let error = store.reader().execute_unprepared("DELETE FROM orgs").await.unwrap_err();
        assert!(matches!(StoreError::from(error), StoreError::ReadOnly { .. }));
        drop(store);
        for suffix in ["", "-wal", "-shm"] {
            let _ = std::fs::remove_file(format!("{}{suffix}", file.display()));
        }
    }
}
