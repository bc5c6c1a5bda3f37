//! Every route with every identity, against the rule; and what is another tenant's, by every name that could be guessed.

use std::collections::BTreeSet;

use providers::{Principal, fake::FakeConfig};
use provisioner::{
    core::{Act, GrantId, ProjectId, Request, Role, Secret, Tenants, TokenScope},
    execute::Clock as _,
    store::{Holder, NewGrant},
};
use regions::{Arch, Cloud};
use reqwest::Method;
use serde_json::{Value, json};
use tests::database::Database;
use uuid::Uuid;

use crate::stage::{Stage, Wall};

/// A route: method, path, act and body. `{job}` and the like are filled in.
pub type Route = (Method, &'static str, Act, Value);

/// All of them, those that take away last.
pub fn routes() -> Vec<Route> {
    let (get, post, put, delete) = (Method::GET, Method::POST, Method::PUT, Method::DELETE);
    let none = Value::Null;
    vec![
        (get.clone(), "/v1/orgs", Act::ListOrgs, none.clone()),
        (post.clone(), "/v1/orgs", Act::CreateOrg, json!({ "name": "fresh" })),
        (get.clone(), "/v1/jobs", Act::FindJobs, none.clone()),
        (get.clone(), "/v1/users", Act::ListUsers, none.clone()),
        (post.clone(), "/v1/users", Act::CreateUser, json!({ "name": "somebody" })),
        (get.clone(), "/v1/user/tokens", Act::ListOwnTokens, none.clone()),
        (
            post.clone(),
            "/v1/user/tokens",
            Act::CreateOwnToken,
            json!({ "name": "laptop", "scope": "build", "expires_in_secs": 60 }),
        ),
        (delete.clone(), "/v1/user/tokens/{own}", Act::RevokeOwnToken, none.clone()),
        (get.clone(), "/v1/orgs/acme", Act::GetOrg, none.clone()),
        (get.clone(), "/v1/orgs/acme/audit", Act::ReadAudit, none.clone()),
        (get.clone(), "/v1/orgs/acme/members", Act::ListMembers, none.clone()),
        (put.clone(), "/v1/orgs/acme/members/guest", Act::SetMember, json!({ "role": "member" })),
        (get.clone(), "/v1/orgs/acme/tokens", Act::ListTokens, none.clone()),
        (
            post.clone(),
            "/v1/orgs/acme/tokens",
            Act::CreateToken,
            json!({ "name": "ci", "scope": "read", "expires_in_secs": 60 }),
        ),
        (get.clone(), "/v1/orgs/acme/trusts", Act::ListTrusts, none.clone()),
        (
            post.clone(),
            "/v1/orgs/acme/trusts",
            Act::CreateTrust,
            json!({ "name": "fresh", "repository": "o/r", "repository_id": 1, "owner_id": 2, "projects": ["web"] }),
        ),
        (get.clone(), "/v1/orgs/acme/projects", Act::ListProjects, none.clone()),
        (post.clone(), "/v1/orgs/acme/projects", Act::CreateProject, json!({ "name": "fresh", "residency": "us" })),
        (get.clone(), "/v1/projects/acme/web", Act::GetProject, none.clone()),
        (get.clone(), "/v1/projects/acme/web/jobs", Act::ListJobs, none.clone()),
        (
            post.clone(),
            "/v1/projects/acme/web/jobs",
            Act::ProvisionBuilder,
            json!({ "kind": "provision", "arch": "x86_64" }),
        ),
        (get.clone(), "/v1/jobs/{job}", Act::GetJob, none.clone()),
        (get.clone(), "/v1/jobs/{job}/story", Act::ReadStory, none.clone()),
        (post.clone(), "/v1/jobs/{job}/cancel", Act::CancelJob, none.clone()),
        (post.clone(), "/v1/jobs/{job}/retry", Act::RetryJob, none.clone()),
        (get.clone(), "/v1/projects/acme/web/builders", Act::GetBuilder, none.clone()),
        (get.clone(), "/v1/projects/acme/web/builders/x86_64", Act::GetBuilder, none.clone()),
        (post.clone(), "/v1/projects/acme/web/builders/arm64/acquire", Act::AcquireBuilder, none.clone()),
        (post.clone(), "/v1/projects/acme/web/builders/x86_64/touch", Act::TouchBuilder, none.clone()),
        (post.clone(), "/v1/projects/acme/web/builders/x86_64/release", Act::ReleaseBuilder, none.clone()),
        (post.clone(), "/v1/projects/acme/web/builders/x86_64/provision", Act::ProvisionBuilder, none.clone()),
        (post.clone(), "/v1/projects/acme/web/builders/x86_64/start", Act::StartBuilder, none.clone()),
        (post.clone(), "/v1/projects/acme/web/builders/x86_64/stop", Act::StopBuilder, none.clone()),
        (
            put,
            "/v1/projects/acme/web/builders/x86_64/hold",
            Act::HoldBuilder,
            json!({ "for_secs": 3600, "reason": "a look" }),
        ),
        (delete.clone(), "/v1/projects/acme/web/builders/x86_64/hold", Act::UnholdBuilder, none.clone()),
        (
            post.clone(),
            "/v1/projects/acme/web/builders/x86_64/grants",
            Act::CreateGrant,
            json!({ "principal": "arn:aws:iam::123456789012:role/support", "for_secs": 60, "reason": "a look" }),
        ),
        (get.clone(), "/v1/projects/acme/web/grants", Act::ListGrants, none.clone()),
        (get.clone(), "/v1/projects/acme/web/grants/{grant}", Act::ListGrants, none.clone()),
        (post.clone(), "/v1/projects/acme/web/grants/{grant}/open", Act::OpenGrant, none.clone()),
        (post.clone(), "/v1/projects/acme/web/grants/{grant}/revoke", Act::RevokeGrant, none.clone()),
        (get.clone(), "/v1/projects/acme/web/caches", Act::GetCache, none.clone()),
        (get, "/v1/projects/acme/web/events", Act::FollowEvents, none.clone()),
        (delete.clone(), "/v1/orgs/acme/members/guest", Act::RemoveMember, none.clone()),
        (delete.clone(), "/v1/orgs/acme/trusts/ci", Act::DeleteTrust, none.clone()),
        (delete.clone(), "/v1/orgs/acme/tokens/{token}", Act::RevokeToken, none.clone()),
        (delete.clone(), "/v1/projects/acme/web/builders/x86_64", Act::DestroyBuilder, none.clone()),
        (delete.clone(), "/v1/projects/acme/web/caches/x86_64", Act::DestroyCache, none.clone()),
        (delete.clone(), "/v1/projects/acme/web", Act::DeleteProject, none.clone()),
        (delete, "/v1/orgs/acme", Act::DeleteOrg, none),
    ]
}

/// The identities: their names, and what `docs/access.md` calls them; none for who has no right at all.
const IDENTITIES: [(&str, Option<&str>, TokenScope); 17] = [
    ("operator", Some("operator"), TokenScope::Manage),
    ("operator who reads", Some("operator"), TokenScope::Read),
    ("owner", Some("owner"), TokenScope::Manage),
    ("owner who builds", Some("owner"), TokenScope::Build),
    ("member", Some("member"), TokenScope::Manage),
    ("member who reads", Some("member"), TokenScope::Read),
    ("organization", Some("organization"), TokenScope::Manage),
    ("organization that builds", Some("organization"), TokenScope::Build),
    ("organization that reads", Some("organization"), TokenScope::Read),
    ("project", Some("project"), TokenScope::Build),
    ("project that reads", Some("project"), TokenScope::Read),
    ("workflow", Some("workflow"), TokenScope::Build),
    ("workflow that reads", Some("workflow"), TokenScope::Read),
    ("another workflow", None, TokenScope::Build),
    ("another organization", None, TokenScope::Manage),
    ("another project", None, TokenScope::Build),
    ("another owner", None, TokenScope::Manage),
];

async fn secret(stage: &Stage, who: &str, scope: TokenScope) -> Secret {
    match who {
        "operator" | "operator who reads" => stage.token(Holder::Operator, scope).await,
        "owner" | "owner who builds" => stage.person_with("olga", stage.acme, Role::Owner, scope).await,
        "member" | "member who reads" => stage.person_with("mike", stage.acme, Role::Member, scope).await,
        "another owner" => stage.person("eve", stage.globex, Role::Owner).await,
        "another organization" => stage.token(Holder::Org(stage.globex), scope).await,
        "another project" => stage.token(Holder::Project(stage.globex, stage.shop), scope).await,
        "workflow" | "workflow that reads" => stage.workflow("own", (stage.acme, stage.web), scope).await,
        "another workflow" => stage.workflow("own", (stage.globex, stage.shop), scope).await,
        "project" | "project that reads" => stage.token(Holder::Project(stage.acme, stage.web), scope).await,
        _ => stage.token(Holder::Org(stage.acme), scope).await,
    }
}

/// What the document says of a column and an act: yes, no or unseen; and what the act needs.
fn word(document: &str, column: &str, act: Act) -> (String, String) {
    let cells = |line: &str| -> Vec<String> { line.split('|').map(|cell| cell.trim().to_owned()).collect() };
    let head = document.lines().find(|line| line.starts_with("| act |")).unwrap();
    let at = cells(head).iter().position(|cell| cell == column).unwrap();
    let named = format!("| `{}` |", act.as_str());
    let line = cells(document.lines().find(|line| line.starts_with(&named)).unwrap());
    (line[at].clone(), line[2].clone())
}

/// The status that the document asks for; none where it lets the request through.
fn refusal(who: &str, column: Option<&str>, scope: TokenScope, act: Act) -> Option<u16> {
    let document = include_str!("../../../docs/access.md");
    let at_installation =
        matches!(act, Act::ListOrgs | Act::FindJobs | Act::CreateOrg | Act::ListUsers | Act::CreateUser);
    let is_own = matches!(act, Act::ListOwnTokens | Act::CreateOwnToken | Act::RevokeOwnToken);
    let Some(column) = column else {
        // A person has tokens wherever that person belongs.
        if is_own && who == "another owner" {
            return None;
        }
        // Everybody sees that there is an installation.
        return if matches!(act, Act::ListOrgs | Act::FindJobs) {
            None
        } else if at_installation {
            Some(403)
        } else {
            Some(404)
        };
    };
    let (word, needs) = word(document, column, act);
    let needs = TokenScope::ALL.into_iter().find(|known| known.as_str() == needs).unwrap();
    match word.as_str() {
        "unseen" => Some(404),
        "yes" if scope >= needs => None,
        _ => Some(403),
    }
}

#[tokio::test]
async fn every_route_with_every_identity_is_as_the_document_says_on_sqlite() {
    walk(async || Database::sqlite().await).await;
}

/// As a role that row-level security holds: what the document lets through, it lets through.
#[tokio::test]
async fn every_route_with_every_identity_is_as_the_document_says_on_postgres() {
    walk(async || Database::postgres().await).await;
}

async fn walk(database: impl AsyncFn() -> Database) {
    let mut cells = 0;
    for (who, column, scope) in IDENTITIES {
        let stage = Stage::new(database().await, FakeConfig::instant()).await;
        stage.builder().await;
        stage.person("boss", stage.acme, Role::Owner).await;
        stage.workflow("ci", (stage.acme, stage.web), TokenScope::Build).await;
        stage.person("guest", stage.globex, Role::Owner).await;
        let other = stage.token(Holder::Org(stage.acme), TokenScope::Read).await;
        let token = stage.store.authenticate(&other.hash(), 0).await.unwrap().unwrap().token.to_string();
        let secret = secret(&stage, who, scope).await;
        for (method, path, act, body) in routes() {
            let job = stage.job(Request::Stop { project: stage.web, arch: Arch::X86_64 });
            let job = if path.contains("{job}") { Some(job.await) } else { None };
            if path.ends_with("/retry") {
                stage.store.cancel(job.unwrap(), 1).await.unwrap();
            }
            let path = path.replace("{job}", &job.map_or_else(String::new, |job| job.to_string()));
            let wanted = refusal(who, column, scope, act);
            let path = path.replace("{token}", &token);
            let path = if path.contains("{grant}") { path.replace("{grant}", &granted(&stage).await) } else { path };
            if act == Act::CreateGrant {
                let old = granted(&stage).await.parse().map(GrantId::from_uuid).unwrap();
                stage.store.revoke_grant(old, "test", Wall.now_ms()).await.unwrap();
            }
            let path = if path.contains("{own}") { path.replace("{own}", &own(&stage, &secret).await) } else { path };
            if act == Act::FollowEvents && wanted.is_none() {
                let response = stage.ask(method, &path, Some(&secret)).send().await.unwrap();
                assert_eq!(response.status().as_u16(), 200, "{who} {path}");
                assert_eq!(response.headers()["content-type"], "text/event-stream");
                cells += 1;
                continue;
            }
            let answer = stage.send(method.clone(), &path, &secret, &body).await;
            match wanted {
                Some(status) => assert_eq!(answer.status, status, "{who} {method} {path}: {}", answer.body),
                None => assert!((200..300).contains(&answer.status), "{who} {method} {path}: {answer:?}"),
            }
            if wanted.is_some() {
                assert_eq!(answer.headers["content-type"], "application/problem+json");
                let last = last_deed(&stage).await;
                assert_eq!(
                    (last.0.as_str(), last.1.as_str()),
                    (act.as_str(), if answer.status == 403 { "forbidden" } else { "not-found" })
                );
            }
            cells += 1;
        }
        assert_eq!(stage.store.check_audit().await.unwrap().flaw, None);
    }
    println!("{cells} cells: {} identities, {} routes", IDENTITIES.len(), routes().len());
    assert_eq!(cells, IDENTITIES.len() * routes().len());
}

/// A grant onto web's builder that is live; the one before it makes room.
pub async fn granted(stage: &Stage) -> String {
    let (project, arch) = (stage.web, Arch::X86_64);
    grant_for(stage, project, arch).await
}

/// The same, of any project.
pub async fn grant_for(stage: &Stage, project: ProjectId, arch: Arch) -> String {
    let seen = stage.store.seen_by(&Tenants::All).grants(Some(project), 10).await.unwrap();
    for grant in seen {
        stage.store.revoke_grant(grant.id, "test", Wall.now_ms()).await.unwrap();
        for due in stage.store.take_grants("test", &[Cloud::Aws], 0, Wall.now_ms()).await.unwrap() {
            stage.store.grant_closed(due.grant, "test", Wall.now_ms()).await.unwrap();
        }
    }
    let id = GrantId::from_uuid(Uuid::now_v7());
    let new = NewGrant {
        id,
        project,
        arch,
        principal: Principal::parse(Cloud::Aws, "arn:aws:iam::123456789012:role/support").unwrap(),
        reason: "a look".to_owned(),
        created_by: "test".to_owned(),
        until_ms: Wall.now_ms() + 60_000,
    };
    stage.store.create_grant(&new, Wall.now_ms()).await.unwrap();
    id.to_string()
}

/// A token of the person whose secret it is; any, for who is none or may make none.
async fn own(stage: &Stage, secret: &Secret) -> String {
    let new = json!({ "name": "laptop", "scope": "read", "expires_in_secs": 60 });
    let made = stage.send(Method::POST, "/v1/user/tokens", secret, &new).await;
    made.body["id"].as_str().unwrap_or("0193e1b0-0000-7000-8000-000000000000").to_owned()
}

/// What the audit says last: the act and the outcome.
async fn last_deed(stage: &Stage) -> (String, String) {
    let last = stage.store.check_audit().await.unwrap().last.unwrap().0;
    let entry = stage.store.audit(None, last - 1, 1).await.unwrap().remove(0);
    (entry.deed.act, entry.deed.outcome)
}

#[tokio::test]
async fn no_route_is_outside_the_table() {
    let stage = Stage::new(Database::sqlite().await, FakeConfig::instant()).await;
    let operator = stage.token(Holder::Operator, TokenScope::Read).await;
    let document = stage.get("/openapi.json", &operator).await.body;
    assert_eq!(document["openapi"], "3.1.0");
    let mut described = BTreeSet::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for method in item.as_object().unwrap().keys().filter(|key| *key != "parameters") {
            described.insert(format!("{} {path}", method.to_uppercase()));
        }
    }
    let general = |path: &str| {
        let mut parts: Vec<String> = path.split('/').map(ToOwned::to_owned).collect();
        match (parts.get(2).map(String::as_str), parts.len()) {
            (Some("orgs"), n) if n > 3 => "{org}".clone_into(&mut parts[3]),
            (Some("projects"), _) => {
                "{org}".clone_into(&mut parts[3]);
                "{project}".clone_into(&mut parts[4]);
            }
            (Some(_) | None, _) => {}
        }
        let text = parts.join("/");
        text.replace("x86_64", "{arch}")
            .replace("arm64", "{arch}")
            .replace("members/guest", "members/{user}")
            .replace("trusts/ci", "trusts/{trust}")
            .replace("{own}", "{token}")
    };
    let mut tested: BTreeSet<String> =
        routes().iter().map(|(method, path, ..)| format!("{method} {}", general(path))).collect();
    // These say nothing of anybody.
    tested.extend(["GET /healthz", "GET /readyz", "GET /v1/identity", "POST /v1/oidc/exchange"].map(ToOwned::to_owned));
    assert_eq!(described, tested);
}

/// Names, numbers and ids of another tenant, guessed, swapped and stale: as if there were none.
#[tokio::test]
async fn what_is_another_tenants_is_as_if_it_were_not() {
    for database in [Database::sqlite().await, Database::postgres().await] {
        attempts(database).await;
    }
}

async fn attempts(database: Database) {
    let stage = Stage::new(database, FakeConfig::instant()).await;
    stage.builder().await;
    let foreign_job = stage.job(Request::Provision { project: stage.shop, arch: Arch::Arm64 }).await;
    let foreign_token = stage.token(Holder::Org(stage.globex), TokenScope::Read).await;
    let foreign_token = stage.store.authenticate(&foreign_token.hash(), 0).await.unwrap().unwrap().token;
    let ours = stage.token(Holder::Org(stage.acme), TokenScope::Manage).await;
    let pairs = [
        ("/v1/orgs/globex", "/v1/orgs/nobody"),
        ("/v1/orgs/globex/projects", "/v1/orgs/nobody/projects"),
        ("/v1/projects/globex/shop", "/v1/projects/globex/none"),
        ("/v1/projects/globex/shop", "/v1/projects/acme/shop"),
        ("/v1/projects/globex/shop/builders/arm64", "/v1/projects/acme/none/builders/arm64"),
        (&format!("/v1/jobs/{foreign_job}"), "/v1/jobs/999999"),
    ];
    for (theirs, nobodys) in pairs {
        let (theirs_said, nobodys_said) = (stage.get(theirs, &ours).await, stage.get(nobodys, &ours).await);
        assert_eq!((theirs_said.status, nobodys_said.status), (404, 404), "{theirs}");
        let shape = |body: &Value| body.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
        assert_eq!(shape(&theirs_said.body), shape(&nobodys_said.body));
        assert_eq!(theirs_said.body["title"], nobodys_said.body["title"]);
    }
    for path in [
        format!("/v1/jobs/{foreign_job}/cancel"),
        format!("/v1/jobs/{foreign_job}/retry"),
        "/v1/projects/globex/shop/builders/arm64/acquire".to_owned(),
        "/v1/jobs/-1/cancel".to_owned(),
        "/v1/jobs/1%27/cancel".to_owned(),
    ] {
        assert_eq!(stage.send(Method::POST, &path, &ours, &Value::Null).await.status, 404, "{path}");
    }
    // Swapped: our organization's path, another's token.
    let path = format!("/v1/orgs/acme/tokens/{foreign_token}");
    assert_eq!(stage.send(Method::DELETE, &path, &ours, &Value::Null).await.status, 404);
    // Another's number behind our project's list shows nothing of theirs.
    let listed = stage.get(&format!("/v1/projects/acme/web/jobs?cursor=j{}", foreign_job.0 + 1), &ours).await;
    assert!(listed.body["items"].as_array().unwrap().iter().all(|job| job["org"] == "acme"), "{listed:?}");
    // An idempotency key of another organization is not ours.
    let theirs = stage.token(Holder::Org(stage.globex), TokenScope::Build).await;
    let mut jobs = BTreeSet::new();
    for (secret, path) in [(&theirs, "globex/shop"), (&ours, "acme/web")] {
        let path = format!("/v1/projects/{path}/builders/arm64/provision");
        for fresh in [true, false] {
            let request = stage.ask(Method::POST, &path, Some(secret)).header("Idempotency-Key", "one");
            let answer = crate::stage::answer(request).await;
            assert_eq!((answer.status, &answer.body["fresh"]), (202, &Value::Bool(fresh)), "{answer:?}");
            jobs.insert(answer.body["job"].as_i64());
        }
    }
    assert_eq!(jobs.len(), 2);
    // Stale: what was theirs is not, once they are out.
    let mike = stage.person("mike", stage.acme, Role::Member).await;
    assert_eq!(stage.get("/v1/projects/acme/web", &mike).await.status, 200);
    let user = stage.store.user(&crate::stage::name("mike")).await.unwrap();
    stage.store.remove_member(stage.acme, &user).await.unwrap();
    assert_eq!(stage.get("/v1/projects/acme/web", &mike).await.status, 404);
}
