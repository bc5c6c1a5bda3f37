//! The rules that the database keeps by itself, tried behind the store's back: raw SQL, no code of ours in the way.
//!
//! Each case is a row that differs from a sound one in one thing. The sound one is tried first, so that a case can't
//! be refused for a reason that nobody meant.

use crate::fixture::{Fixture, acme, api, globex, resource, shop, web};

on_both!(
    resources_keep_to_their_tenant_and_place,
    one_of_each,
    projects_keep_to_their_place,
    names_are_unique,
    tenants_with_something_left_stay,
    zones_lie_in_their_region,
);

/// A row of `resources` as SQL, in the order of [`COLUMNS`].
type Row = [(&'static str, String); 17];

fn text(text: &str) -> String {
    format!("'{text}'")
}

/// A sound machine of acme's project in Frankfurt.
fn machine(fixture: &Fixture) -> Row {
    [
        ("id", fixture.id(resource(1).as_uuid())),
        ("kind", text("machine")),
        ("org", fixture.id(acme().as_uuid())),
        ("project", fixture.id(web().as_uuid())),
        ("arch", text("arm64")),
        ("cloud", text("aws")),
        ("region", text("eu-central-1")),
        ("zone", text("eu-central-1a")),
        ("residency", text("eu")),
        ("remote", text("i-1")),
        ("state", text("ready")),
        ("incarnation", "0".to_owned()),
        ("blueprint", text("{}")),
        ("address", "NULL".to_owned()),
        ("job", "1".to_owned()),
        ("created", "0".to_owned()),
        ("updated", "0".to_owned()),
    ]
}

/// A sound key of acme's in Frankfurt.
fn key(fixture: &Fixture) -> Row {
    let nulls = ["project", "arch", "zone"].map(|column| (column, "NULL".to_owned()));
    with(with(machine(fixture), nulls), [("kind", text("key")), ("remote", text("arn-1"))])
}

fn with<const N: usize>(mut row: Row, changes: [(&'static str, String); N]) -> Row {
    for (column, value) in changes {
        row.iter_mut().find(|(name, _)| *name == column).unwrap().1 = value;
    }
    row
}

fn insert(row: &Row) -> String {
    let columns: Vec<&str> = row.iter().map(|(column, _)| *column).collect();
    let values: Vec<&str> = row.iter().map(|(_, value)| value.as_str()).collect();
    format!("INSERT INTO resources ({}) VALUES ({})", columns.join(", "), values.join(", "))
}

async fn is_refused(fixture: &Fixture, sql: &str) {
    let error = fixture.raw.run(sql).await.expect_err(sql);
    let (words, text) = (["constraint", "violates", "datatype"], error.to_string().to_lowercase());
    assert!(words.iter().any(|word| text.contains(word)), "refused for another reason: {sql}: {error}");
}

async fn resources_keep_to_their_tenant_and_place(fixture: Fixture) {
    let id = |uuid| fixture.id(uuid);
    let (machine, key) = (machine(&fixture), key(&fixture));
    for sound in [&machine, &key] {
        fixture.raw.run(&insert(sound)).await.unwrap();
        fixture.raw.run("DELETE FROM resources").await.unwrap();
    }
    let null = || "NULL".to_owned();
    let cases = [
        // Another tenant's.
        with(machine.clone(), [("project", id(shop().as_uuid()))]),
        with(machine.clone(), [("org", id(globex().as_uuid()))]),
        with(machine.clone(), [("project", id(resource(9).as_uuid()))]),
        with(key.clone(), [("org", id(resource(9).as_uuid()))]),
        // Outside the project's residency: its own row says so, or lies.
        with(machine.clone(), [("region", text("us-east-1")), ("zone", text("us-east-1a")), ("residency", text("us"))]),
        with(machine.clone(), [("region", text("us-east-1")), ("zone", text("us-east-1a"))]),
        with(machine.clone(), [("residency", text("us"))]),
        with(machine.clone(), [("project", id(api().as_uuid()))]),
        with(key.clone(), [("residency", text("us"))]),
        with(key.clone(), [("region", text("eu-west-2"))]),
        // A zone of another region, of another cloud, of none.
        with(machine.clone(), [("zone", text("eu-west-1a"))]),
        with(machine.clone(), [("zone", text("us-east-1a"))]),
        with(machine.clone(), [("zone", text("nowhere"))]),
        with(
            machine.clone(),
            [("cloud", text("gcp")), ("region", text("europe-west3")), ("zone", text("europe-west3-a"))],
        ),
        // Nulls, which would turn a foreign key off.
        with(machine.clone(), [("project", null())]),
        with(machine.clone(), [("zone", null())]),
        with(machine.clone(), [("arch", null())]),
        with(machine.clone(), [("org", null())]),
        with(machine.clone(), [("cloud", null())]),
        with(machine.clone(), [("region", null())]),
        with(machine.clone(), [("residency", null())]),
        with(machine.clone(), [("kind", null())]),
        with(key.clone(), [("project", id(web().as_uuid()))]),
        with(key.clone(), [("zone", text("eu-central-1a"))]),
        with(key.clone(), [("arch", text("arm64"))]),
        // Words that are none.
        with(machine.clone(), [("kind", text("attachment"))]),
        with(machine.clone(), [("state", text("fine"))]),
        with(machine.clone(), [("arch", text("riscv"))]),
        with(machine.clone(), [("incarnation", "-1".to_owned())]),
        with(machine.clone(), [("remote", text(""))]),
    ];
    for case in cases {
        is_refused(&fixture, &insert(&case)).await;
    }
    // Nor can it be moved there later.
    fixture.raw.run(&insert(&machine)).await.unwrap();
    let shop = id(shop().as_uuid());
    let moves = [
        format!("UPDATE resources SET project = {shop}"),
        "UPDATE resources SET region = 'us-east-1', zone = 'us-east-1a', residency = 'us'".to_owned(),
        "UPDATE resources SET zone = 'us-east-1a'".to_owned(),
        "UPDATE projects SET residency = 'us'".to_owned(),
        "UPDATE projects SET cloud = 'gcp'".to_owned(),
        "UPDATE zones SET residency = 'us' WHERE name = 'eu-central-1a'".to_owned(),
        "UPDATE regions SET residency = 'us' WHERE name = 'eu-central-1'".to_owned(),
        "DELETE FROM zones WHERE name = 'eu-central-1a'".to_owned(),
    ];
    for sql in moves {
        is_refused(&fixture, &sql).await;
    }
}

async fn one_of_each(fixture: Fixture) {
    let id = |n| ("id", fixture.id(resource(n).as_uuid()));
    let (machine, key) = (machine(&fixture), key(&fixture));
    let volume = with(machine.clone(), [id(2), ("kind", text("volume")), ("remote", text("vol-1"))]);
    let other = with(machine.clone(), [id(3), ("arch", text("x86_64")), ("remote", text("i-2"))]);
    let key = with(key, [id(4)]);
    let ireland = with(key.clone(), [id(5), ("region", text("eu-west-1"))]);
    for sound in [&machine, &volume, &other, &key, &ireland] {
        fixture.raw.run(&insert(sound)).await.unwrap();
    }
    let elsewhere = [("region", text("eu-west-1")), ("zone", text("eu-west-1a"))];
    let cases = [
        with(machine.clone(), [id(10), ("remote", text("i-9"))]),
        with(with(machine.clone(), elsewhere), [id(10), ("remote", "NULL".to_owned())]),
        with(volume, [id(10), ("remote", text("vol-9"))]),
        with(key, [id(10), ("remote", text("arn-9"))]),
        // One machine, two masters.
        with(other, [id(10), ("project", fixture.id(shop().as_uuid())), ("org", fixture.id(globex().as_uuid()))]),
        with(machine, [("remote", text("i-9")), ("arch", text("arm64"))]),
    ];
    for case in cases {
        is_refused(&fixture, &insert(&case)).await;
    }
}

async fn projects_keep_to_their_place(fixture: Fixture) {
    let insert = |project: &str| {
        let (id, org) = (fixture.id(resource(1).as_uuid()), fixture.id(acme().as_uuid()));
        format!(
            "INSERT INTO projects (id, org, name, deleting, created, residency, cloud, region, size, cache_gib, cache_iops) \
             VALUES ({id}, {org}, 'new', false, 0, {project})"
        )
    };
    for sound in ["'eu', 'aws', 'eu-central-1', '4x8', 50, 3000", "'eu', 'aws', NULL, '4x8', 50, NULL"] {
        fixture.raw.run(&insert(sound)).await.unwrap();
        fixture.raw.run("DELETE FROM projects WHERE name = 'new'").await.unwrap();
    }
    let cases = [
        "'us', 'aws', 'eu-central-1', '4x8', 50, NULL",
        "'eu', 'gcp', 'eu-central-1', '4x8', 50, NULL",
        "'eu', 'aws', 'eu-west-2', '4x8', 50, NULL",
        "'uk', 'aws', NULL, '4x8', 50, NULL",
        "'eu', 'azure', NULL, '4x8', 50, NULL",
        "NULL, 'aws', 'eu-central-1', '4x8', 50, NULL",
        "'eu', NULL, 'eu-central-1', '4x8', 50, NULL",
        "'eu', 'aws', NULL, '1x1', 50, NULL",
        "'eu', 'aws', NULL, '4x8', 0, NULL",
        "'eu', 'aws', NULL, '4x8', 50, 0",
    ];
    for case in cases {
        is_refused(&fixture, &insert(case)).await;
    }
}

async fn names_are_unique(fixture: Fixture) {
    is_refused(&fixture, "UPDATE orgs SET name = 'acme'").await;
    is_refused(&fixture, "UPDATE projects SET name = 'web'").await;
    is_refused(&fixture, "UPDATE orgs SET name = 'a'").await;
}

async fn tenants_with_something_left_stay(fixture: Fixture) {
    is_refused(&fixture, "DELETE FROM orgs").await;
    fixture.raw.run(&insert(&machine(&fixture))).await.unwrap();
    fixture.raw.run(&insert(&with(key(&fixture), [("id", fixture.id(resource(2).as_uuid()))]))).await.unwrap();
    is_refused(&fixture, "DELETE FROM projects WHERE name = 'web'").await;
    fixture.raw.run("DELETE FROM resources WHERE kind = 'machine'").await.unwrap();
    fixture.raw.run("DELETE FROM projects").await.unwrap();
    is_refused(&fixture, "DELETE FROM orgs WHERE name = 'acme'").await;
    fixture.raw.run("DELETE FROM resources").await.unwrap();
    fixture.raw.run("DELETE FROM orgs").await.unwrap();
}

async fn zones_lie_in_their_region(fixture: Fixture) {
    is_refused(&fixture, "INSERT INTO zones VALUES ('aws', 'eu-central-1', 'eu-central-1z', 'us')").await;
    is_refused(&fixture, "INSERT INTO zones VALUES ('aws', 'eu-west-2', 'eu-west-2a', 'eu')").await;
    is_refused(&fixture, "INSERT INTO regions VALUES ('aws', 'eu-central-1', 'us')").await;
    is_refused(&fixture, "INSERT INTO regions VALUES ('aws', 'eu-west-2', 'uk')").await;
}
