//! What stands behind the application's checks on PostgreSQL: with them taken out, the database still keeps tenants apart.

use providers::fake::FakeConfig;
use provisioner::{
    api::{App, Settings},
    core::{Act, JobState, Request, Role, Secret, TokenScope},
    store::{Holder, JobFilter, Store, StoreError},
};
use regions::Arch;
use tests::database::Database;

use crate::{
    stage::{Stage, name},
    table::{grant_for, routes},
};

/// An installation whose API has no checks of its own, and a project of globex's that has everything.
async fn unchecked(walled: bool) -> Stage {
    let database = Database::postgres().await;
    let url = if walled { database.api_url().await } else { database.url().to_owned() };
    let settings = Settings { address_per_sec: 100_000, identity_per_sec: 100_000, ..Settings::default() };
    let stage = Stage::over(database, &url, FakeConfig::instant(), settings, App::unchecked).await;
    stage.job(Request::Provision { project: stage.shop, arch: Arch::X86_64 }).await;
    stage.worker("maker", true).await.unwrap();
    stage.person("boss", stage.globex, Role::Owner).await;
    stage.person("guest", stage.globex, Role::Member).await;
    stage.workflow("ci", (stage.globex, stage.shop), TokenScope::Build).await;
    stage
}

/// Tries every route on globex's things with acme's token. Which of them the service let through.
async fn try_all(stage: &Stage, secret: &Secret) -> Vec<String> {
    let theirs = stage.token(Holder::Org(stage.globex), TokenScope::Read).await;
    let token = stage.store.authenticate(&theirs.hash(), 0).await.unwrap().unwrap().token.to_string();
    let mut through = Vec::new();
    for (method, path, act, body) in routes() {
        let open = [Act::ListOrgs, Act::FindJobs, Act::ListUsers, Act::CreateUser, Act::CreateOrg];
        // What names no tenant is one's own: `own` tells of those.
        if open.contains(&act) || path.starts_with("/v1/user/") {
            continue;
        }
        let job = if path.contains("{job}") {
            let job = stage.job(Request::Stop { project: stage.shop, arch: Arch::X86_64 }).await;
            if path.ends_with("/retry") {
                stage.store.cancel(job, 1).await.unwrap();
            }
            job.to_string()
        } else {
            String::new()
        };
        let path =
            path.replace("acme", "globex").replace("web", "shop").replace("{job}", &job).replace("{token}", &token);
        let path = if path.contains("{grant}") {
            path.replace("{grant}", &grant_for(stage, stage.shop, Arch::X86_64).await)
        } else {
            path
        };
        let body = serde_json::from_str(&body.to_string().replace("web", "shop")).unwrap();
        if act == Act::FollowEvents {
            // Answered before anything is read: the stream's first events tell.
            let response = stage.ask(method, &path, Some(secret)).send().await.unwrap();
            if response.status().is_success() {
                through.push(path);
            }
            continue;
        }
        let answer = stage.send(method.clone(), &path, secret, &body).await;
        if (200..300).contains(&answer.status) {
            through.push(format!("{method} {path}"));
        } else {
            assert!(answer.status < 500, "{method} {path}: {answer:?}");
        }
    }
    through
}

#[tokio::test]
async fn with_the_applications_checks_removed_the_database_still_refuses() {
    let stage = unchecked(true).await;
    let before = (rows(&stage).await, stage.store.org(&name("globex")).await.unwrap());
    let holders = [Holder::Org(stage.acme), Holder::Project(stage.acme, stage.web)];
    for holder in holders {
        let scope = if let Holder::Org(_) = holder { TokenScope::Manage } else { TokenScope::Build };
        let secret = stage.token(holder, scope).await;
        assert_eq!(try_all(&stage, &secret).await, Vec::<String>::new(), "{holder:?}");
        // What names no tenant shows none but the identity's own.
        let orgs = stage.get("/v1/orgs", &secret).await;
        assert!(!orgs.body.to_string().contains("globex"), "{orgs:?}");
        let jobs = stage.get("/v1/jobs", &secret).await;
        assert!(jobs.status == 200 && !jobs.body.to_string().contains("globex"), "{jobs:?}");
        let made =
            stage.send(reqwest::Method::POST, "/v1/orgs", &secret, &serde_json::json!({ "name": "fresh" })).await;
        assert!(made.status >= 400, "{made:?}");
    }
    let workflow = stage.workflow("own", (stage.acme, stage.web), TokenScope::Build).await;
    let person = stage.person("olga", stage.acme, Role::Owner).await;
    for secret in [workflow, person] {
        assert_eq!(try_all(&stage, &secret).await, Vec::<String>::new());
    }
    let after = (rows(&stage).await, stage.store.org(&name("globex")).await.unwrap());
    assert_eq!(before, after, "nothing of theirs has changed");
    assert_eq!(stage.store.check_audit().await.unwrap().flaw, None);
}

/// The proof can fail: for a role that the walls do not hold, the missing checks let everything through.
#[tokio::test]
async fn and_without_the_walls_it_would_not() {
    let stage = unchecked(false).await;
    let secret = stage.token(Holder::Org(stage.acme), TokenScope::Manage).await;
    let through = try_all(&stage, &secret).await;
    assert!(through.len() > 25, "{}: {through:?}", through.len());
}

/// What globex has: members, tokens but for those of the test's own, trusts, machines and volumes, and jobs that were not the test's.
async fn rows(stage: &Stage) -> (usize, usize, usize, usize) {
    let filter = JobFilter {
        org: Some(stage.globex),
        project: None,
        state: Some(JobState::Succeeded),
        limit: 100,
        before: None,
    };
    (
        stage.store.members(stage.globex).await.unwrap().len(),
        stage.store.trusts(stage.globex).await.unwrap().len(),
        stage.store.projects(Some(stage.globex)).await.unwrap().len(),
        stage.store.jobs(filter).await.unwrap().len(),
    )
}

/// What the API's role may not do, asked for by hand.
#[tokio::test]
async fn the_apis_role_sees_nothing_by_itself_and_changes_no_audit() {
    let database = Database::postgres().await;
    let url = database.api_url().await;
    let store = database.store().await;
    store.create_org(&name("acme"), provisioner::core::OrgId::from_uuid(uuid::Uuid::now_v7()), 0).await.unwrap();
    let raw = tests::database::Raw::at(&url).await;
    let owner = database.raw().await;
    assert_eq!(owner.number("SELECT count(*) FROM orgs").await, 1);
    assert_eq!(raw.number("SELECT count(*) FROM orgs").await, 0);
    for sql in [
        "UPDATE audit SET act = 'nothing'",
        "DELETE FROM audit",
        "TRUNCATE audit",
        "ALTER TABLE audit DISABLE TRIGGER ALL",
        "DROP TABLE audit",
        "ALTER TABLE orgs DISABLE ROW LEVEL SECURITY",
        "DROP POLICY tenants ON orgs",
        "SELECT * FROM findings",
        "SELECT * FROM reconcile_runs",
        "INSERT INTO orgs (id, name, deleting, created) VALUES (gen_random_uuid(), 'fresh', false, 0)",
        "CREATE TABLE mine (id int)",
    ] {
        let error = raw.run(sql).await.unwrap_err().to_string();
        let refused = ["permission denied", "must be owner", "row-level security"];
        assert!(refused.iter().any(|words| error.contains(words)), "{sql}: {error}");
    }
}

/// A table that comes later can't be forgotten: whatever says whose it is has a policy.
#[tokio::test]
async fn every_table_that_the_api_touches_and_that_says_whose_it_is_has_walls() {
    let database = Database::postgres().await;
    database.api_url().await;
    let raw = database.raw().await;
    let open = "SELECT count(*) FROM pg_class c JOIN pg_roles r ON r.rolname = current_database() || '_api' \
        WHERE c.relkind = 'r' AND c.relnamespace = current_schema()::regnamespace \
        AND has_table_privilege(r.oid, c.oid, 'SELECT, INSERT, UPDATE, DELETE') \
        AND EXISTS (SELECT 1 FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0 \
            AND a.attname IN ('org', 'project', 'person', 'trust'))";
    assert!(raw.number(open).await > 10);
    assert_eq!(raw.number(&format!("{open} AND NOT c.relrowsecurity")).await, 0);
    // What has none says of nobody whose it is.
    let rest = format!("{} AND NOT c.relrowsecurity", open.split(" AND EXISTS").next().unwrap());
    let named = "'provisioner_migrations', 'regions', 'zones', 'workers', 'lanes', 'job_keys', 'users'";
    assert_eq!(raw.number(&format!("{rest} AND c.relname NOT IN ({named})")).await, 0);
}

/// Each runs as its owner, so that no query takes it in: in SQL it would be planned anew for every request. And each sees the tables of
/// its own schema alone.
#[tokio::test]
async fn what_is_looked_up_before_anybody_is_known_keeps_its_plan_and_its_place() {
    let database = Database::postgres().await;
    let raw = database.raw().await;
    let lookups = "SELECT count(*) FROM pg_proc p JOIN pg_language l ON l.oid = p.prolang \
        WHERE p.prosecdef AND p.proretset AND p.pronamespace = current_schema()::regnamespace";
    assert!(raw.number(lookups).await >= 4);
    assert_eq!(raw.number(&format!("{lookups} AND l.lanname <> 'plpgsql'")).await, 0);
    assert_eq!(raw.number(&format!("{lookups} AND coalesce(p.proconfig::text, '') NOT LIKE '%search_path%'")).await, 0);
}

#[tokio::test]
async fn a_role_that_the_walls_would_not_hold_is_not_let_in() {
    let database = Database::postgres().await;
    for (role, words) in [("postgres", "row-level security would not hold it"), ("nobody_at_all", "no such role")] {
        let error = Store::migrate_for(database.url(), role).await.unwrap_err();
        assert!(matches!(&error, StoreError::Refused { field, .. } if field.contains(role)), "{error}");
        assert!(error.to_string().contains(words), "{error}");
    }
    let error = Store::migrate_for(Database::sqlite().await.url(), "anybody").await.unwrap_err();
    assert!(error.to_string().contains("SQLite has no roles"), "{error}");
    // Who was let in once stays so, and is renewed by a plain `migrate`.
    database.api_url().await;
    let roles = Store::migrate(database.url()).await.unwrap().roles;
    assert!(roles.len() == 1 && roles[0].ends_with("_api"), "{roles:?}");
}
