//! Answers to what nobody should send: each is a problem with its type, the field and the remedy, and nothing is done.

use providers::fake::FakeConfig;
use provisioner::{
    api::Settings,
    core::{Secret, TokenKind, TokenScope},
    execute::Clock as _,
    store::Holder,
};
use reqwest::Method;
use serde_json::{Value, json};
use tests::database::Database;

use crate::stage::{Stage, Wall, answer};

#[tokio::test]
async fn who_is_not_known_is_refused() {
    let stage = Stage::new(Database::sqlite().await, FakeConfig::instant()).await;
    let good = stage.token(Holder::Operator, TokenScope::Read).await;
    let expired = stage.token_until(Holder::Operator, TokenScope::Read, Wall.now_ms() - 1).await;
    let revoked = stage.token(Holder::Operator, TokenScope::Read).await;
    let id = stage.store.authenticate(&revoked.hash(), 0).await.unwrap().unwrap().token;
    assert_eq!(stage.get("/v1/orgs", &revoked).await.status, 200);
    stage.store.revoke_token(id, None, Wall.now_ms()).await.unwrap();
    let unknown = Secret::new(TokenKind::Operator, [7; 32]);
    let text = good.reveal();
    let cut = &text[..text.len() - 1];
    let mut values = vec![
        format!("Bearer {}", expired.reveal()),
        format!("Bearer {}", revoked.reveal()),
        format!("Bearer {}", unknown.reveal()),
        format!("Bearer {cut}"),
        format!("Basic {text}"),
        text.to_owned(),
        "Bearer".to_owned(),
        "Bearer ".to_owned(),
        format!("Bearer {text}{text}"),
        format!("Bearer {}", text.to_uppercase()),
    ];
    values.push(format!("Bearer {}", "x".repeat(5_000)));
    for value in values {
        let said = answer(stage.ask(Method::GET, "/v1/orgs", None).header("Authorization", &value)).await;
        assert_eq!((said.status, said.body["field"].as_str()), (401, Some("Authorization")), "{value} {said:?}");
        assert!(said.headers["www-authenticate"].to_str().unwrap().starts_with("Bearer"));
    }
    assert_eq!(answer(stage.ask(Method::GET, "/v1/orgs", None)).await.status, 401);
    assert_eq!(stage.get("/v1/orgs", &good).await.status, 200);
    // Secrets that were good once, or could have been, are in the audit; what is none is not worth a line.
    let entries = stage.store.audit(None, 0, 100).await.unwrap();
    assert_eq!(entries.iter().filter(|entry| entry.deed.outcome == "unauthenticated").count(), 3);
    assert!(entries.iter().all(|entry| !format!("{entry:?}").contains(&text[5..20])));
}

#[tokio::test]
async fn bad_input_names_its_field_and_the_remedy() {
    let stage = Stage::new(Database::sqlite().await, FakeConfig::instant()).await;
    let secret = stage.token(Holder::Operator, TokenScope::Manage).await;
    let projects = "/v1/orgs/acme/projects";
    let wrong = [
        ("/v1/orgs", json!({ "name": "A" }), 422, "name"),
        ("/v1/orgs", json!({ "name": "acme" }), 409, "name"),
        ("/v1/orgs", json!({ "name": "fine", "more": 1 }), 422, "body"),
        ("/v1/orgs", json!({}), 422, "body"),
        (projects, json!({ "name": "x1", "residency": "asia" }), 422, "body"),
        (projects, json!({ "name": "x1", "residency": "eu", "region": "eu-west-2" }), 422, "region"),
        (projects, json!({ "name": "x1", "residency": "eu", "region": "us-east-1" }), 409, "region"),
        (projects, json!({ "name": "x1", "residency": "eu", "cache_gib": 0 }), 422, "cache_gib"),
        ("/v1/orgs/acme/tokens", json!({ "name": "", "scope": "read", "expires_in_secs": 60 }), 422, "name"),
        ("/v1/orgs/acme/tokens", json!({ "name": "x", "scope": "read", "expires_in_secs": 0 }), 422, "expires"),
        (
            "/v1/orgs/acme/tokens",
            json!({ "name": "x", "scope": "manage", "project": "web", "expires_in_secs": 60 }),
            409,
            "scope",
        ),
        ("/v1/projects/acme/web/jobs", json!({ "kind": "explode", "arch": "arm64" }), 422, "body"),
        ("/v1/projects/acme/web/jobs", json!({ "kind": "stop", "arch": "arm64", "priority": 0.5 }), 422, "body"),
        ("/v1/projects/acme/web/jobs", json!({ "kind": "stop", "arch": "arm64", "priority": 1e300 }), 422, "body"),
    ];
    for (path, body, status, field) in wrong {
        let said = stage.send(Method::POST, path, &secret, &body).await;
        assert_eq!((said.status, said.body["field"].as_str()), (status, Some(field)), "{path} {body}: {said:?}");
        assert!(said.body["remedy"].is_string() && said.body["detail"].is_string(), "{said:?}");
        assert_eq!(said.body["status"], status);
    }
    for (path, field) in [
        ("/v1/projects/acme/web/jobs?limit=0", "limit"),
        ("/v1/projects/acme/web/jobs?cursor=a1", "cursor"),
        ("/v1/projects/acme/web/jobs?cursor=j1%27", "cursor"),
        ("/v1/projects/acme/web/jobs?state=odd", "query"),
        ("/v1/projects/acme/web/jobs?color=red", "query"),
        ("/v1/orgs/acme/audit?limit=5000", "limit"),
        ("/v1/projects/acme/web/builders/arm64?wait_secs=61", "wait_secs"),
    ] {
        let said = stage.get(path, &secret).await;
        assert!(matches!(said.status, 400 | 422) && said.body["field"] == field, "{path} {said:?}");
    }
    // JSON has one kind of numbers.
    let whole = json!({ "kind": "stop", "arch": "arm64", "priority": -7.0 });
    assert_eq!(stage.send(Method::POST, "/v1/projects/acme/web/jobs", &secret, &whole).await.status, 202);
    let asked = |body: &'static str, kind: &'static str| {
        stage.ask(Method::POST, "/v1/orgs", Some(&secret)).header("Content-Type", kind).body(body)
    };
    assert_eq!(answer(asked("{\"name\":", "application/json")).await.status, 400);
    assert_eq!(answer(asked("name=acme", "application/x-www-form-urlencoded")).await.status, 415);
    let large = json!({ "name": "a".repeat(20_000) }).to_string();
    let large =
        stage.ask(Method::POST, "/v1/orgs", Some(&secret)).header("Content-Type", "application/json").body(large);
    assert_eq!(answer(large).await.status, 413);
    assert_eq!(stage.get("/v1/nothing", &secret).await.body["type"], "urn:provisioner:problem:not-found");
    assert_eq!(stage.send(Method::DELETE, "/v1/orgs", &secret, &Value::Null).await.status, 405);
    for wrong in ["x".repeat(200), "a b".to_owned(), "a\tb".to_owned()] {
        let key = stage.ask(Method::POST, "/v1/projects/acme/web/builders/arm64/start", Some(&secret));
        let said = answer(key.header("Idempotency-Key", &wrong)).await;
        assert_eq!((said.status, said.body["field"].as_str()), (422, Some("Idempotency-Key")), "{wrong:?}");
    }
}

/// PostgreSQL's text holds no NUL: what names a thing so is not found, and in the audit.
#[tokio::test]
async fn a_name_that_no_text_may_hold_is_not_found_on_postgres() {
    let stage = Stage::new(Database::postgres().await, FakeConfig::instant()).await;
    let secret = stage.token(Holder::Operator, TokenScope::Manage).await;
    for path in ["/v1/orgs/a%00b", "/v1/projects/acme/we%00b", "/v1/projects/acme/web/builders/%00", "/v1/jobs/%00"] {
        let said = stage.get(path, &secret).await;
        assert_eq!(said.status, 404, "{path} {said:?}");
    }
    let trust = stage.send(Method::DELETE, "/v1/orgs/acme/trusts/c%00i", &secret, &Value::Null).await;
    let token = stage.send(Method::DELETE, "/v1/orgs/acme/tokens/%00", &secret, &Value::Null).await;
    let member = stage.send(Method::DELETE, "/v1/orgs/acme/members/%00", &secret, &Value::Null).await;
    assert_eq!((trust.status, token.status, member.status), (404, 404, 404), "{trust:?} {token:?} {member:?}");
    assert_eq!(stage.store.check_audit().await.unwrap().flaw, None);
}

#[tokio::test]
async fn the_same_key_is_the_same_job_and_another_request_is_refused() {
    let stage = Stage::new(Database::sqlite().await, FakeConfig::instant()).await;
    let secret = stage.token(Holder::Org(stage.acme), TokenScope::Build).await;
    let ask = async |verb: &str| {
        let path = format!("/v1/projects/acme/web/builders/arm64/{verb}");
        answer(stage.ask(Method::POST, &path, Some(&secret)).header("Idempotency-Key", "k1")).await
    };
    let (first, again, other) = (ask("provision").await, ask("provision").await, ask("stop").await);
    assert_eq!((first.status, again.status, &first.body["job"]), (202, 202, &again.body["job"]));
    assert_eq!((other.status, other.body["type"].as_str()), (409, Some("urn:provisioner:problem:key-reused")));
    assert_eq!(other.body["job"], first.body["job"]);
}

#[tokio::test]
async fn who_asks_too_often_is_told_when_to_come_back() {
    let settings = Settings { identity_per_sec: 5, address_per_sec: 1_000, ..Settings::default() };
    let stage = Stage::with(Database::sqlite().await, FakeConfig::instant(), settings).await;
    let (one, two) = (
        stage.token(Holder::Org(stage.acme), TokenScope::Read).await,
        stage.token(Holder::Org(stage.acme), TokenScope::Read).await,
    );
    let mut refused = 0;
    for _ in 0..30 {
        let said = stage.get("/v1/identity", &one).await;
        if said.status == 429 {
            assert!(said.headers.contains_key("retry-after"), "{said:?}");
            refused += 1;
        }
    }
    assert!(refused > 0);
    assert_eq!(stage.get("/v1/identity", &two).await.status, 200, "another token has a limit of its own");
}

#[tokio::test]
async fn a_service_is_ready_when_its_database_is() {
    let database = Database::sqlite().await;
    let raw = database.raw().await;
    let stage = Stage::new(database, FakeConfig::instant()).await;
    let ready = async || answer(stage.ask(Method::GET, "/readyz", None)).await;
    assert_eq!(ready().await.status, 200);
    raw.run("UPDATE provisioner_migrations SET version = version || '_of_yesterday' WHERE version LIKE 'm0007%'")
        .await
        .unwrap();
    let lacking = ready().await;
    assert_eq!((lacking.status, &lacking.body["remedy"]), (503, &json!("run `provisioner migrate`")), "{lacking:?}");
    assert!(lacking.headers.contains_key("retry-after"));
    raw.run("UPDATE provisioner_migrations SET version = replace(version, '_of_yesterday', '')").await.unwrap();
    // A newer release has migrated: this one goes on.
    raw.run("INSERT INTO provisioner_migrations (version, applied_at) VALUES ('m9999_tomorrow', 0)").await.unwrap();
    assert_eq!(ready().await.status, 200);
}

#[tokio::test]
async fn pages_go_on_where_the_one_before_ended() {
    let stage = Stage::new(Database::sqlite().await, FakeConfig::instant()).await;
    let secret = stage.token(Holder::Org(stage.acme), TokenScope::Manage).await;
    for _ in 0..7 {
        stage.send(Method::POST, "/v1/projects/acme/web/builders/arm64/provision", &secret, &Value::Null).await;
    }
    for (path, all) in [("/v1/projects/acme/web/jobs", 7), ("/v1/orgs/acme/audit", 7)] {
        let (mut seen, mut cursor) = (Vec::new(), String::new());
        loop {
            let page = stage.get(&format!("{path}?limit=3{cursor}"), &secret).await.body;
            let items = page["items"].as_array().unwrap();
            seen.extend(items.iter().map(|item| item["id"].as_i64().or(item["seq"].as_i64()).unwrap()));
            match page["next"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => break,
            }
        }
        let unique: std::collections::BTreeSet<i64> = seen.iter().copied().collect();
        assert_eq!((seen.len(), unique.len()), (all, all), "{path}");
    }
}
