//! A database of its own for each test, SQLite or PostgreSQL, with a way in behind the store's back.
//!
//! Nothing is left: a SQLite file goes with its directory, a PostgreSQL database is dropped, also when the test panics. A
//! test that needs PostgreSQL fails without it: a suite that skips half of itself proves half.

use std::{
    env, process,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
        mpsc,
    },
};

use provisioner::store::{Guard, Store};
use sea_orm::{ConnectionTrait, DatabaseConnection, DbErr, Statement};
use tempfile::TempDir;

/// The variable that names the server: the URL of a superuser, as `scripts/with-postgres` sets it.
pub const POSTGRES: &str = "PROVISIONER_TEST_POSTGRES";

/// A database of a test.
#[derive(Debug)]
pub struct Database {
    url: String,
    postgres: Option<Postgres>,
    _directory: Option<TempDir>,
}

impl Database {
    /// A migrated SQLite file.
    pub async fn sqlite() -> Self {
        Self::empty_sqlite().migrated().await
    }

    /// A migrated PostgreSQL database.
    pub async fn postgres() -> Self {
        Self::empty_postgres().await.migrated().await
    }

    /// The path of a SQLite file that does not exist yet.
    pub fn empty_sqlite() -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let url = format!("sqlite://{}", directory.path().join("test.db").display());
        Self { url, postgres: None, _directory: Some(directory) }
    }

    /// A PostgreSQL database without a schema.
    pub async fn empty_postgres() -> Self {
        let postgres = Postgres::create().await;
        Self { url: postgres.url(), postgres: Some(postgres), _directory: None }
    }

    async fn migrated(self) -> Self {
        Store::migrate(&self.url).await.expect("a new database takes the schema");
        self
    }

    /// Where it is.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Where it is for the API: on PostgreSQL as a role that is nothing but the API's, which row-level security holds.
    pub async fn api_url(&self) -> String {
        let Some(postgres) = &self.postgres else { return self.url.clone() };
        let role = postgres.role();
        let make = format!(
            "DO $$ BEGIN CREATE ROLE {role} LOGIN; EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$"
        );
        command(&self.url, &make).await;
        Store::migrate_for(&self.url, &role).await.expect("the role is let in");
        let (scheme, place) = self.url.split_once("://").expect("the URL has a scheme");
        let place = place.split_once('@').map_or(place, |(_, place)| place);
        format!("{scheme}://{role}@{place}")
    }

    /// Whether it is PostgreSQL.
    pub const fn is_postgres(&self) -> bool {
        self.postgres.is_some()
    }

    /// The store over it.
    pub async fn store(&self) -> Store {
        Store::open(&self.url).await.expect("the database opens")
    }

    /// A way in behind the store's back.
    pub async fn raw(&self) -> Raw {
        Raw::at(&self.url).await
    }
}

/// One connection that does what it is told.
#[derive(Debug)]
pub struct Raw(DatabaseConnection);

impl Raw {
    /// One that connects there.
    pub async fn at(url: &str) -> Self {
        let mut options = sea_orm::ConnectOptions::new(url);
        options.max_connections(1).sqlx_logging(false);
        Self(sea_orm::Database::connect(options).await.expect("the database opens"))
    }

    /// Runs statements, separated by semicolons.
    ///
    /// # Errors
    /// What the database says.
    pub async fn run(&self, sql: &str) -> Result<(), DbErr> {
        self.0.execute_unprepared(sql).await.map(drop)
    }

    /// The first column of the first row, as a number.
    pub async fn number(&self, sql: &str) -> i64 {
        let statement = Statement::from_string(self.0.get_database_backend(), sql);
        let row = self.0.query_one_raw(statement).await.expect("the query runs").expect("there is a row");
        row.try_get_by_index(0).expect("it is a number")
    }
}

/// A guard for [`Store::with_guard`] under paused time: while the database works the clock stands still. Tokio does not move a
/// paused clock while a blocking task runs.
pub fn still_clock() -> Guard {
    Arc::new(|| {
        let (sender, receiver) = mpsc::channel::<()>();
        tokio::task::spawn_blocking(move || receiver.recv().is_ok());
        Box::new(sender)
    })
}

/// A database on the server, dropped with this value.
#[derive(Debug)]
struct Postgres {
    server: String,
    name: String,
}

static SERIAL: AtomicU32 = AtomicU32::new(0);

impl Postgres {
    async fn create() -> Self {
        let server = env::var(POSTGRES).unwrap_or_else(|_| {
            panic!(
                "{POSTGRES} is not set: run `make test`, or `scripts/with-postgres cargo test`, which start a server"
            )
        });
        let name = format!("test_{}_{}", process::id(), SERIAL.fetch_add(1, Ordering::Relaxed));
        command(&server, &format!("CREATE DATABASE {name}")).await;
        Self { server, name }
    }

    /// The role of its API, if that was made: the server's, and gone with the database.
    fn role(&self) -> String {
        format!("{}_api", self.name)
    }

    fn url(&self) -> String {
        let (base, _) = self.server.rsplit_once('/').expect("the server's URL names a database");
        format!("{base}/{}", self.name)
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        let server = self.server.clone();
        let sql = [format!("DROP DATABASE {} WITH (FORCE)", self.name), format!("DROP ROLE IF EXISTS {}", self.role())];
        // The test's own runtime may be on its way out, or its time may stand still.
        let dropping = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
            for sql in sql {
                runtime.block_on(command(&server, &sql));
            }
        });
        if dropping.join().is_err() {
            eprintln!("the database {} is left behind", self.name);
        }
    }
}

async fn command(server: &str, sql: &str) {
    let mut options = sea_orm::ConnectOptions::new(server);
    options.max_connections(1).sqlx_logging(false);
    let db = sea_orm::Database::connect(options).await.expect("the server answers");
    db.execute_unprepared(sql).await.expect("the server does as it is told");
    db.close().await.expect("the connection closes");
}
