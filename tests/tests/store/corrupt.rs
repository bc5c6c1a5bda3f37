//! Rows that were made unsound behind the store's back are told, by table, id and column, and never used.

use provisioner::{
    core::RowState,
    store::{JobFilter, ResourceFilter, StoreError},
};

use crate::fixture::{Fixture, acme, frankfurt, key, machine, name, provision, resource, volume, web};

on_both!(tenants, resources, jobs_and_facts);

/// Takes the database's own rules away. What is left is what the store checks.
async fn unguard(fixture: &Fixture) {
    let sql = if fixture.database.is_postgres() {
        "DO $$ DECLARE c record; BEGIN
            FOR c IN SELECT conrelid::regclass AS t, conname FROM pg_constraint WHERE contype IN ('f', 'c') AND connamespace = 'public'::regnamespace
            LOOP EXECUTE format('ALTER TABLE %s DROP CONSTRAINT %I', c.t, c.conname); END LOOP;
         END $$"
    } else {
        "PRAGMA foreign_keys = OFF; PRAGMA ignore_check_constraints = ON;"
    };
    fixture.raw.run(sql).await.unwrap();
}

/// Sets a column, sees what is said of it, sets it back.
async fn spoiled<T: std::fmt::Debug>(
    fixture: &Fixture,
    (table, set, back): (&str, &str, &str),
    expect: (&'static str, String, &'static str),
    read: impl AsyncFn() -> Result<T, StoreError>,
) {
    fixture.raw.run(&format!("UPDATE {table} SET {set}")).await.unwrap();
    let error = read().await.expect_err(set);
    let StoreError::Corrupt { table: said, id, column, .. } = &error else { panic!("{set}: {error}") };
    assert_eq!((*said, id, *column), (expect.0, &expect.1, expect.2), "{set}: {error}");
    assert!(error.to_string().contains(&expect.1) && error.to_string().contains(expect.2), "{error}");
    fixture.raw.run(&format!("UPDATE {table} SET {back}")).await.unwrap();
    read().await.unwrap();
}

async fn tenants(fixture: Fixture) {
    unguard(&fixture).await;
    let org = async || fixture.store.orgs().await;
    let changes = ("orgs", "name = 'Not a name' WHERE name = 'acme'", "name = 'acme' WHERE name = 'Not a name'");
    spoiled(&fixture, changes, ("orgs", acme().to_string(), "org_name"), org).await;
    let project = async || fixture.store.project(&name("acme"), &name("web")).await;
    let cases = [
        ("residency = 'uk'", "residency = 'eu'", "residency"),
        ("cloud = 'azure'", "cloud = 'aws'", "cloud"),
        ("region = 'us-east-1'", "region = NULL", "region"),
        ("region = 'eu-west-2'", "region = NULL", "region"),
        ("size = '1x1'", "size = '4x8'", "size"),
        ("cache_gib = -1", "cache_gib = 50", "cache_gib"),
        ("cache_iops = 99999999999", "cache_iops = NULL", "cache_iops"),
    ];
    for (set, back, column) in cases {
        let (set, back) = (format!("{set} WHERE name = 'web'"), format!("{back} WHERE name = 'web'"));
        spoiled(&fixture, ("projects", &set, &back), ("projects", web().to_string(), column), project).await;
    }
}

async fn resources(fixture: Fixture) {
    unguard(&fixture).await;
    let session = fixture.session("w").await;
    let claim = fixture.claim(&session, provision(web())).await.claim;
    let rows = [
        key(1, acme(), frankfurt(), RowState::Ready),
        volume(2, acme(), web(), frankfurt()),
        machine(3, acme(), web(), frankfurt()),
    ];
    fixture.put(&claim, &rows).await.unwrap();
    let read = async || fixture.store.resources(ResourceFilter::default()).await;
    let zone = rows[2].zone.unwrap();
    let back = format!("zone = '{}', region = 'eu-central-1', residency = 'eu', cloud = 'aws'", zone.name());
    let cases = [
        ("kind = 'disk'".to_owned(), "kind = 'machine'".to_owned(), "kind"),
        ("state = 'fine'".to_owned(), "state = 'ready'".to_owned(), "state"),
        ("arch = 'riscv'".to_owned(), "arch = 'arm64'".to_owned(), "arch"),
        ("cloud = 'azure'".to_owned(), back.clone(), "cloud"),
        ("residency = 'us'".to_owned(), back.clone(), "residency"),
        ("residency = 'uk'".to_owned(), back.clone(), "residency"),
        ("region = 'eu-west-2'".to_owned(), back.clone(), "region"),
        ("region = 'us-east-1', zone = 'us-east-1a'".to_owned(), back.clone(), "residency"),
        ("zone = 'us-east-1a'".to_owned(), back.clone(), "zone"),
        ("region = 'us-east-1', zone = 'us-east-1a', residency = 'us'".to_owned(), back.clone(), "blueprint"),
        ("incarnation = -1".to_owned(), "incarnation = 0".to_owned(), "incarnation"),
        ("blueprint = '{'".to_owned(), blueprint(&rows[2]), "blueprint"),
        (blueprint(&rows[1]), blueprint(&rows[2]), "blueprint"),
        (blueprint(&rows[2]).replace("\"eu\"", "\"us\""), blueprint(&rows[2]), "blueprint"),
    ];
    let id = fixture.id(resource(3).as_uuid());
    for (set, back, column) in cases {
        let (set, back) = (format!("{set} WHERE id = {id}"), format!("{back} WHERE id = {id}"));
        let expect = ("resources", resource(3).to_string(), column);
        spoiled(&fixture, ("resources", &set, &back), expect, read).await;
    }
}

fn blueprint(row: &provisioner::core::ResourceRow) -> String {
    format!("blueprint = '{}'", serde_json::to_string(&row.blueprint).unwrap())
}

async fn jobs_and_facts(fixture: Fixture) {
    let session = fixture.session("w").await;
    let claim = fixture.claim(&session, provision(web())).await.claim;
    fixture.put(&claim, &[key(1, acme(), frankfurt(), RowState::Ready)]).await.unwrap();
    let job = claim.job;
    let read = async || fixture.store.jobs(JobFilter { limit: 10, ..JobFilter::default() }).await;
    for (set, back, column) in [
        ("verb = 'dance'", "verb = 'provision'", "verb"),
        ("arch = 'riscv'", "arch = 'arm64'", "verb"),
        ("project = NULL", &format!("project = {}", fixture.id(web().as_uuid())), "verb"),
        ("org_name = ''", "org_name = 'acme'", "org_name"),
    ] {
        spoiled(&fixture, ("jobs", set, back), ("jobs", job.to_string(), column), read).await;
    }
    let good = format!("fact = '{}'", serde_json::to_string(&crate::fixture::settled(resource(1))).unwrap());
    let entries = async || fixture.store.entries(job).await;
    spoiled(&fixture, ("job_facts", "fact = '{}'", &good), ("job_facts", job.to_string(), "fact"), entries).await;
    let outcome = provisioner::core::Outcome::SUCCESS;
    fixture.finish(&claim, outcome).await;
    let ended = ("job_history", "state = 'failed'", "state = 'succeeded'");
    spoiled(&fixture, ended, ("jobs", job.to_string(), "outcome"), read).await;
    let ended = ("job_history", "state = 'dead'", "state = 'succeeded'");
    spoiled(&fixture, ended, ("jobs", job.to_string(), "state"), read).await;
}
