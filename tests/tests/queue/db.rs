//! Databases for the queue's suite: a SQLite file, and a PostgreSQL database of its own if `PROVISIONER_TEST_POSTGRES` names a
//! server.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use provisioner::{
    core::{OrgId, ProjectId, Request},
    execute::Clock,
    store::{Claimed, NewJob, Session, SignOn, Store, WorkerId},
};
use regions::Arch;
use sea_orm::{ConnectionTrait, Database, DatabaseConnection, Statement};
use uuid::Uuid;

/// A time for tests that bring their own.
pub const NOW: i64 = 1_700_000_000_000;

pub struct Db {
    pub url: String,
    pub store: Store,
    /// Another way in, for looking and for meddling.
    pub side: DatabaseConnection,
    pub is_postgres: bool,
    _file: Option<tempfile::TempDir>,
}

static SERIAL: AtomicU32 = AtomicU32::new(0);

/// Runs the test on each database that there is.
pub async fn on_both(test: impl AsyncFn(&Db)) {
    on_sqlite(&test).await;
    on_postgres(&test).await;
}

pub async fn on_sqlite(test: impl AsyncFn(&Db)) {
    let file = tempfile::tempdir().unwrap();
    let url = format!("sqlite://{}/queue.db", file.path().display());
    Store::migrate(&url).await.unwrap();
    let db = Db {
        store: Store::open(&url).await.unwrap(),
        side: Database::connect(&url).await.unwrap(),
        url,
        is_postgres: false,
        _file: Some(file),
    };
    db.people().await;
    test(&db).await;
}

pub async fn on_postgres(test: impl AsyncFn(&Db)) {
    let Ok(server) = std::env::var("PROVISIONER_TEST_POSTGRES") else {
        eprintln!("PROVISIONER_TEST_POSTGRES is not set: SQLite only");
        return;
    };
    let name = format!("queue_{}_{}", std::process::id(), SERIAL.fetch_add(1, Ordering::Relaxed));
    let (base, _) = server.rsplit_once('/').unwrap();
    let admin = Database::connect(&server).await.unwrap();
    admin.execute_unprepared(&format!("CREATE DATABASE {name}")).await.unwrap();
    let url = format!("{base}/{name}");
    Store::migrate(&url).await.unwrap();
    let db = Db {
        store: Store::open(&url).await.unwrap(),
        side: Database::connect(&url).await.unwrap(),
        url,
        is_postgres: true,
        _file: None,
    };
    db.people().await;
    test(&db).await;
    drop(db);
    admin.execute_unprepared(&format!("DROP DATABASE {name} WITH (FORCE)")).await.unwrap();
}

/// The organization of all projects here.
pub fn org() -> OrgId {
    OrgId::from_uuid(Uuid::from_u128(1 << 100))
}

pub fn project(n: u128) -> ProjectId {
    ProjectId::from_uuid(Uuid::from_u128((2 << 100) + n))
}

pub fn provision(n: u128) -> Request {
    Request::Provision { project: project(n), arch: Arch::Arm64 }
}

impl Db {
    /// One organization with a thousand projects.
    async fn people(&self) {
        let organization = self.uuid(org().as_uuid());
        let mut sql =
            format!("INSERT INTO orgs (id, name, deleting, created) VALUES ({organization}, 'acme', false, 0);");
        for n in 0..1_000 {
            let id = self.uuid(project(n).as_uuid());
            sql.push_str(&format!(
                "INSERT INTO projects (id, org, name, residency, cloud, size, cache_gib, deleting, created) \
                 VALUES ({id}, {organization}, 'project-{n}', 'us', 'aws', '4x8', 10, false, 0);"
            ));
        }
        self.side.execute_unprepared(&format!("BEGIN; {sql} COMMIT;")).await.unwrap();
    }

    /// An id as this database's SQL writes it.
    pub fn uuid(&self, id: Uuid) -> String {
        if self.is_postgres { format!("'{id}'") } else { format!("x'{}'", id.simple()) }
    }

    /// Another process's handle, as far as the database can tell.
    pub async fn another(&self) -> Store {
        Store::open(&self.url).await.unwrap()
    }

    pub async fn sql(&self, sql: &str) {
        self.side.execute_unprepared(sql).await.unwrap();
    }

    pub async fn number(&self, sql: &str) -> i64 {
        let statement = Statement::from_string(self.side.get_database_backend(), sql.to_owned());
        let row = self.side.query_one_raw(statement).await.unwrap().unwrap();
        // PostgreSQL says how wide a number is, and reads it as nothing else.
        row.try_get_by_index(0).or_else(|_| row.try_get_by_index::<i32>(0).map(i64::from)).unwrap()
    }

    pub async fn text(&self, sql: &str) -> Option<String> {
        let statement = Statement::from_string(self.side.get_database_backend(), sql.to_owned());
        self.side.query_one_raw(statement).await.unwrap().and_then(|row| row.try_get_by_index(0).unwrap())
    }

    /// Jobs that are queued or running.
    pub async fn live(&self) -> i64 {
        self.number("SELECT count(*) FROM jobs").await
    }

    /// Jobs that succeeded.
    pub async fn succeeded(&self) -> i64 {
        self.number("SELECT count(*) FROM job_history WHERE state = 'succeeded'").await
    }

    pub async fn enqueue(&self, request: Request) -> i64 {
        self.store.enqueue(NewJob::now(request), NOW).await.unwrap().job.0
    }
}

pub async fn sign_on(store: &Store, name: &str, now_ms: i64) -> Session {
    match store.sign_on(&WorkerId::from(name), None, now_ms + 10_000, now_ms).await.unwrap() {
        SignOn::Done { session, .. } => session,
        SignOn::Held { .. } => panic!("{name} is taken"),
    }
}

pub fn ids(claimed: &[Claimed]) -> Vec<i64> {
    claimed.iter().map(|claimed| claimed.claim.job.0).collect()
}

/// A clock that follows tokio's time.
pub struct TestClock(tokio::time::Instant);

impl TestClock {
    pub fn new() -> Arc<Self> {
        Arc::new(Self(tokio::time::Instant::now()))
    }
}

impl Clock for TestClock {
    fn now_ms(&self) -> i64 {
        NOW + i64::try_from(self.0.elapsed().as_millis()).unwrap()
    }
}

/// Waits until it is so.
pub async fn until(what: &str, so: impl AsyncFn() -> bool) {
    for _ in 0..1_000 {
        if so().await {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("never so: {what}");
}
