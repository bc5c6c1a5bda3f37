//! Opening and migrating, and what stands in the way.

use std::time::Duration;

use provisioner::store::{Store, StoreError};
use regions::regions;
use tests::database::{Database, still_clock};

use crate::fixture::{Fixture, NOW, acme, name};

on_both!(
    twice_is_once,
    a_newer_schema_is_refused,
    a_new_catalogue_adds_rows,
    many_migrate_at_once,
    accesses_pass_through_the_guard,
    many_write_at_once,
);

async fn twice_is_once(fixture: Fixture) {
    let again = Store::migrate(fixture.database.url()).await.unwrap();
    assert_eq!(again.applied, Vec::<String>::new());
    assert_eq!(Some(again.schema), migrations::names().pop());
    let zones: usize = regions().map(|region| region.zones().count()).sum();
    assert_eq!(fixture.count("regions").await, regions().count() as i64);
    assert_eq!(fixture.count("zones").await, zones as i64);
    assert_eq!(fixture.store.orgs().await.unwrap().len(), 2, "tenants stay");
}

async fn a_newer_schema_is_refused(fixture: Fixture) {
    let newer = "INSERT INTO provisioner_migrations (version, applied_at) VALUES ('m9999_future', 0)";
    fixture.raw.run(newer).await.unwrap();
    for refused in
        [Store::open(fixture.database.url()).await.map(drop), Store::migrate(fixture.database.url()).await.map(drop)]
    {
        let error = refused.unwrap_err();
        assert!(matches!(error, StoreError::NewerSchema { .. }), "{error}");
        assert!(error.to_string().contains("m9999_future") && error.to_string().contains("upgrade"), "{error}");
    }
    let last = migrations::names().pop().unwrap();
    let older = format!("DELETE FROM provisioner_migrations WHERE version IN ('m9999_future', '{last}')");
    fixture.raw.run(&older).await.unwrap();
    let error = Store::open(fixture.database.url()).await.unwrap_err();
    assert!(error.to_string().contains(&last) && error.to_string().contains("provisioner migrate"), "{error}");
}

async fn a_new_catalogue_adds_rows(fixture: Fixture) {
    fixture.raw.run("DELETE FROM zones WHERE region = 'eu-north-1'").await.unwrap();
    fixture.raw.run("DELETE FROM regions WHERE name = 'eu-north-1'").await.unwrap();
    fixture.raw.run("INSERT INTO regions VALUES ('aws', 'eu-former-1', 'eu')").await.unwrap();
    let error = Store::open(fixture.database.url()).await.unwrap_err();
    assert!(error.to_string().contains("aws/eu-north-1a") && error.to_string().contains("migrate"), "{error}");
    Store::migrate(fixture.database.url()).await.unwrap();
    assert_eq!(fixture.count("regions").await, regions().count() as i64 + 1, "none is taken away");
    Store::open(fixture.database.url()).await.unwrap();

    fixture.raw.run("DELETE FROM zones WHERE region = 'us-east-1'").await.unwrap();
    fixture.raw.run("UPDATE regions SET residency = 'eu' WHERE name = 'us-east-1'").await.unwrap();
    let error = Store::migrate(fixture.database.url()).await.unwrap_err();
    assert!(error.to_string().contains("aws/us-east-1"), "{error}");
}

async fn many_migrate_at_once(fixture: Fixture) {
    let empty =
        if fixture.database.is_postgres() { Database::empty_postgres().await } else { Database::empty_sqlite() };
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..16 {
        let url = empty.url().to_owned();
        tasks.spawn(async move { Store::migrate(&url).await.unwrap().applied.len() });
    }
    let mut applied: Vec<usize> = tasks.join_all().await;
    applied.sort_unstable();
    assert_eq!((applied.len(), applied[..15].iter().sum::<usize>(), applied[15]), (16, 0, migrations::names().len()));
}

async fn accesses_pass_through_the_guard(fixture: Fixture) {
    tokio::time::pause();
    let store = Store::open_with_guard(fixture.database.url(), still_clock()).await.unwrap();
    let start = tokio::time::Instant::now();
    for n in 0..50 {
        // A timer in the near future, which a paused clock jumps to as soon as nobody works.
        let nap = tokio::spawn(tokio::time::sleep(Duration::from_secs(60)));
        store.org(&name("acme")).await.unwrap();
        let id = provisioner::core::OrgId::from_uuid(uuid::Uuid::from_u128(1_000 + n));
        store.create_org(&name(&format!("org-{n}")), id, NOW).await.unwrap();
        nap.abort();
    }
    assert_eq!(start.elapsed(), Duration::ZERO, "the clock moved while the database worked");
}

async fn many_write_at_once(fixture: Fixture) {
    // Two handles stand for two processes.
    let other = fixture.database.store().await;
    let mut tasks = tokio::task::JoinSet::new();
    for n in 0..40 {
        let store = if n % 2 == 0 { fixture.store.clone() } else { other.clone() };
        let id = provisioner::core::OrgId::from_uuid(uuid::Uuid::from_u128(1_000 + n));
        tasks.spawn(async move { store.create_org(&name(&format!("org-{n}")), id, NOW).await.unwrap() });
    }
    tasks.join_all().await;
    assert_eq!(fixture.count("orgs").await, 42);
}

fn no_schema(error: &StoreError) -> bool {
    matches!(error, StoreError::NoSchema { .. }) && error.to_string().contains("provisioner migrate")
}

#[tokio::test]
async fn a_sqlite_file_without_schema_is_refused() {
    let database = Database::empty_sqlite();
    let error = Store::open(database.url()).await.unwrap_err();
    assert!(no_schema(&error) && error.to_string().contains("test.db"), "{error}");
    let path = database.url().trim_start_matches("sqlite://").to_owned();
    assert!(!std::path::Path::new(&path).exists(), "opening makes no file");
    std::fs::write(&path, "").unwrap();
    assert!(no_schema(&Store::open(database.url()).await.unwrap_err()));
    std::fs::write(&path, "no database at all, but long enough to be read as the header of one ".repeat(20)).unwrap();
    let error = Store::open(database.url()).await.unwrap_err();
    assert!(matches!(error, StoreError::Unreachable { .. }), "{error}");
    assert!(error.to_string().contains("test.db") && error.to_string().contains("not a database"), "{error}");
}

#[tokio::test]
async fn a_postgres_database_without_schema_is_refused() {
    let database = Database::empty_postgres().await;
    assert!(no_schema(&Store::open(database.url()).await.unwrap_err()));
}

#[tokio::test]
async fn an_unreachable_server_is_named_without_its_password() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    let error = Store::open(&format!("postgres://me:hush@127.0.0.1:{port}/fleet")).await.unwrap_err();
    assert!(matches!(error, StoreError::Unreachable { .. }), "{error}");
    let text = error.to_string();
    assert!(text.contains(&format!("postgres://me@127.0.0.1:{port}/fleet")) && !text.contains("hush"), "{text}");
    // The first refusal tells: the pool would go on trying, and then say that it took too long.
    assert!(text.contains("refused"), "{text}");
    let error = Store::open("sqlite:///no/such/directory/a.db").await.unwrap_err();
    assert!(no_schema(&error), "{error}");
    let error = Store::migrate("sqlite:///no/such/directory/a.db").await.unwrap_err();
    assert!(matches!(error, StoreError::Unreachable { .. }), "{error}");
}

#[tokio::test]
async fn a_server_that_is_lost_is_unreachable_and_comes_back() {
    let fixture = Fixture::postgres().await;
    let end = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity \
               WHERE datname = current_database() AND pid <> pg_backend_pid()";
    fixture.raw.number(end).await;
    let error = fixture.store.orgs().await.unwrap_err();
    assert!(matches!(error, StoreError::Unreachable { .. }), "{error}");
    let mut tries = 0;
    while fixture.store.orgs().await.is_err() {
        tries += 1;
        assert!(tries < 20, "broken connections are replaced");
    }
}

#[tokio::test]
async fn a_missing_database_or_grant_is_told() {
    let fixture = Fixture::postgres().await;
    let error = Store::open(&format!("{}x", fixture.database.url())).await.unwrap_err();
    assert!(matches!(error, StoreError::Unreachable { .. }), "{error}");
    fixture.raw.run("DROP ROLE IF EXISTS store_guest").await.unwrap();
    fixture.raw.run("CREATE ROLE store_guest LOGIN").await.unwrap();
    let guest = fixture.database.url().replace("postgres@", "store_guest@");
    let error = Store::open(&guest).await.unwrap_err();
    assert!(matches!(error, StoreError::Denied { .. }) && error.to_string().contains("store_guest"), "{error}");
    fixture.raw.run("DROP ROLE store_guest").await.unwrap();
}

#[tokio::test]
async fn a_read_only_database_can_be_read() {
    let sqlite = Fixture::sqlite().await;
    let postgres = Fixture::postgres().await;
    let urls = [
        format!("{}?mode=ro", sqlite.database.url()),
        format!("{}?options=-c%20default_transaction_read_only=on", postgres.database.url()),
    ];
    for url in urls {
        let store = Store::open(&url).await.unwrap();
        assert_eq!(store.orgs().await.unwrap().len(), 2);
        let error = store.create_org(&name("late"), acme(), NOW).await.unwrap_err();
        assert!(matches!(error, StoreError::ReadOnly { .. }), "{error}");
        let error = Store::migrate(&url).await.unwrap_err();
        assert!(matches!(error, StoreError::ReadOnly { .. }), "{error}");
    }
}

#[tokio::test]
async fn other_urls_are_refused_and_not_repeated() {
    for url in ["mysql://me:hush@host/db", "hush", "sqlite://", "postgres://me:hush@host:port/db"] {
        let error = Store::open(url).await.unwrap_err();
        assert!(matches!(error, StoreError::Refused { .. }), "{url}: {error}");
        assert!(error.to_string().contains("sqlite://FILE") && !error.to_string().contains("hush"), "{error}");
    }
}

#[tokio::test]
async fn a_database_in_memory_is_alone() {
    let first = Store::open("sqlite::memory:").await.unwrap();
    first.create_org(&name("acme"), acme(), NOW).await.unwrap();
    for _ in 0..100 {
        let store = Store::open("sqlite::memory:").await.unwrap();
        assert_eq!(store.orgs().await.unwrap(), []);
    }
    assert_eq!(first.orgs().await.unwrap().len(), 1);
}

#[tokio::test]
async fn only_postgres_has_a_clock() {
    assert_eq!(Fixture::sqlite().await.store.server_now_ms().await.unwrap(), None);
    assert!(Fixture::postgres().await.store.server_now_ms().await.unwrap().unwrap() > NOW);
}
