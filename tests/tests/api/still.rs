//! What a token may no more: an answer that waits ends with it, and a job of somebody else's is not decided about.

use std::time::Duration;

use providers::fake::FakeConfig;
use provisioner::{
    core::{Request, Role, Secret, TokenScope},
    store::Holder,
};
use regions::Arch;
use reqwest::Method;
use serde_json::{Value, json};
use tests::database::Database;

use crate::stage::{Stage, answer};

const EVENTS: &str = "/v1/projects/acme/web/events";

async fn stage() -> Stage {
    Stage::new(Database::sqlite().await, FakeConfig::instant()).await
}

/// What is still said of a stream, to its end.
async fn rest(mut response: reqwest::Response) -> String {
    let mut text = String::new();
    while let Some(chunk) = tokio::time::timeout(Duration::from_secs(30), response.chunk()).await.unwrap().unwrap() {
        text.push_str(&String::from_utf8_lossy(&chunk));
    }
    text
}

async fn revoke(stage: &Stage, owner: &Secret, secret: &Secret) {
    let token = stage.store.authenticate(&secret.hash(), 0).await.unwrap().unwrap().token;
    let path = format!("/v1/orgs/acme/tokens/{token}");
    assert_eq!(stage.send(Method::DELETE, &path, owner, &Value::Null).await.status, 204);
}

#[tokio::test]
async fn a_stream_ends_with_the_token_and_with_the_membership() {
    let stage = stage().await;
    let owner = stage.person("olga", stage.acme, Role::Owner).await;
    let member = stage.person("mike", stage.acme, Role::Member).await;
    let project = stage.token(Holder::Project(stage.acme, stage.web), TokenScope::Read).await;
    let theirs = stage.ask(Method::GET, EVENTS, Some(&project)).send().await.unwrap();
    let his = stage.ask(Method::GET, EVENTS, Some(&member)).send().await.unwrap();
    let hers = stage.ask(Method::GET, EVENTS, Some(&owner)).send().await.unwrap();
    assert_eq!(
        (theirs.status(), his.status(), hers.status()),
        (200.try_into().unwrap(), 200.try_into().unwrap(), 200.try_into().unwrap())
    );
    revoke(&stage, &owner, &project).await;
    let out = stage.send(Method::DELETE, "/v1/orgs/acme/members/mike", &owner, &Value::Null).await;
    assert_eq!(out.status, 204);
    stage.builder().await;
    for said in [rest(theirs).await, rest(his).await] {
        assert!(!said.contains("data:"), "what happened afterwards was told: {said}");
    }
    let mut hers = hers;
    let chunk = tokio::time::timeout(Duration::from_secs(30), hers.chunk()).await.unwrap().unwrap().unwrap();
    assert!(String::from_utf8_lossy(&chunk).contains("data:"), "who is still let sees it");
}

#[tokio::test]
async fn a_long_poll_ends_with_the_token() {
    let stage = stage().await;
    let owner = stage.person("olga", stage.acme, Role::Owner).await;
    let project = stage.token(Holder::Project(stage.acme, stage.web), TokenScope::Read).await;
    // Somebody waits for a builder whose job nobody works on.
    stage.job(Request::Provision { project: stage.web, arch: Arch::X86_64 }).await;
    let path = "/v1/projects/acme/web/builders/x86_64?wait_secs=60";
    let poll = tokio::spawn(answer(stage.ask(Method::GET, path, Some(&project))));
    tokio::time::sleep(Duration::from_millis(200)).await;
    revoke(&stage, &owner, &project).await;
    let said = tokio::time::timeout(Duration::from_secs(30), poll).await.expect("it ends before its time").unwrap();
    assert_eq!(said.status, 401, "{said:?}");
}

/// To call a deletion off, or to have it tried again, is to decide about it: a build's token does neither.
#[tokio::test]
async fn who_may_not_ask_for_a_job_may_not_decide_about_it() {
    let stage = stage().await;
    let owner = stage.person("olga", stage.acme, Role::Owner).await;
    let builds = [
        stage.person("mike", stage.acme, Role::Member).await,
        stage.token(Holder::Project(stage.acme, stage.web), TokenScope::Build).await,
        stage.token(Holder::Org(stage.acme), TokenScope::Build).await,
    ];
    let jobs = [
        (Request::Stop { project: stage.web, arch: Arch::X86_64 }, true),
        (Request::Adopt { project: stage.web, arch: Arch::X86_64 }, false),
        (Request::DestroyCache { project: stage.web, arch: Arch::X86_64 }, false),
        (Request::DeleteProject { project: stage.web }, false),
    ];
    for (request, is_theirs) in jobs {
        let job = stage.job(request).await;
        for (verb, ends) in [("cancel", "cancelled"), ("retry", "queued")] {
            let path = format!("/v1/jobs/{job}/{verb}");
            for secret in builds.iter().filter(|_| !is_theirs) {
                let said = stage.send(Method::POST, &path, secret, &Value::Null).await;
                assert_eq!(said.status, 403, "{request:?} {verb}: {said:?}");
            }
            let secret = if is_theirs { &builds[1] } else { &owner };
            let said = stage.send(Method::POST, &path, secret, &Value::Null).await;
            assert_eq!((said.status, said.body["state"].as_str()), (200, Some(ends)), "{request:?} {verb}: {said:?}");
        }
    }
}

/// Every refusal is in the audit, also of what a request names besides its path, and of names that no list shows.
#[tokio::test]
async fn what_is_refused_after_the_door_is_told_as_well() {
    let stage = Stage::new(Database::sqlite().await, FakeConfig::instant()).await;
    let owner = stage.person("olga", stage.acme, Role::Owner).await;
    let token = json!({ "name": "ci", "scope": "manage", "expires_in_secs": 60, "project": "web" });
    let unknown = json!({ "name": "ci", "scope": "read", "expires_in_secs": 60, "project": "nothing" });
    let job = json!({ "kind": "provision", "arch": "arm64", "priority": 5 });
    for (method, path, body, act, status) in [
        (Method::POST, "/v1/projects/acme/web/jobs", job, "builder.provision", 403),
        (Method::POST, "/v1/orgs/acme/tokens", token, "token.create", 409),
        (Method::POST, "/v1/orgs/acme/tokens", unknown, "token.create", 404),
        (Method::DELETE, "/v1/orgs/acme/tokens/nothing", Value::Null, "token.revoke", 404),
        (Method::DELETE, "/v1/user/tokens/nothing", Value::Null, "user.token.revoke", 404),
        (Method::DELETE, "/v1/orgs/acme/trusts/x", Value::Null, "trust.delete", 404),
        (Method::DELETE, "/v1/orgs/acme/members/nobody", Value::Null, "member.remove", 404),
        (Method::PUT, "/v1/orgs/acme/members/nobody", json!({ "role": "member" }), "member.set", 404),
    ] {
        let before = stage.store.check_audit().await.unwrap().last.map_or(0, |(seq, _)| seq);
        let answer = stage.send(method, path, &owner, &body).await;
        assert_eq!(answer.status, status, "{path}: {answer:?}");
        let told = stage.store.audit(None, before, 10).await.unwrap();
        assert!(told.iter().any(|it| it.deed.act == act && it.deed.outcome != "accepted"), "{path}: {told:?}");
    }
}
