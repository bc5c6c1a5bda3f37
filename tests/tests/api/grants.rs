//! Debug access from an owner's word to the cloud and back, by the API and by the command line through it.

use std::{sync::Arc, time::Duration};

use providers::{Principal, Provider, fake::FakeConfig};
use provisioner::{
    core::{Role, Secret, TokenScope},
    execute::{Patience, Providers, Warden},
    store::Holder,
};
use regions::{Arch, Cloud};
use reqwest::Method;
use serde_json::{Value, json};
use tests::database::Database;
use tokio_util::sync::CancellationToken;

use crate::stage::{Answer, Stage, Wall};

const WHO: &str = "arn:aws:iam::123456789012:role/support";
const BUILDER: &str = "/v1/projects/acme/web/builders/x86_64";

/// A warden beside the stage's workers, that does not wait for what a real cloud takes.
pub fn warden(stage: &Stage, stop: &CancellationToken) -> tokio::task::JoinHandle<()> {
    let clouds = Cloud::ALL.into_iter();
    let providers: Providers =
        clouds.map(|kind| (kind, Arc::new(stage.cloud.provider(kind)) as Arc<dyn Provider>)).collect();
    let patience = Patience { settle_ms: 0, again_ms: 100, ..Patience::default() };
    let warden =
        Warden { store: stage.store.clone(), providers, clock: Arc::new(Wall), name: "warden".to_owned(), patience };
    tokio::spawn(warden.run(stop.clone()))
}

fn asked(for_secs: u32) -> Value {
    json!({ "principal": WHO, "for_secs": for_secs, "reason": "INC-4711: it does not build" })
}

async fn post(stage: &Stage, path: &str, secret: &Secret, body: &Value) -> Answer {
    stage.send(Method::POST, path, secret, body).await
}

async fn until(stage: &Stage, path: &str, secret: &Secret, state: &str) -> Value {
    for _ in 0..200 {
        let seen = stage.get(path, secret).await;
        if seen.body["state"] == state {
            return seen.body;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("{path} does not get {state}: {:?}", stage.get(path, secret).await)
}

async fn from_word_to_end(database: Database) {
    let stage = Stage::new(database, FakeConfig::instant()).await;
    stage.builder().await;
    let (stop, machine) = (CancellationToken::new(), stage.cloud.snapshot().machines[0].remote.clone());
    let _warden = warden(&stage, &stop);
    let (owner, operator) =
        (stage.person("olga", stage.acme, Role::Owner).await, stage.token(Holder::Operator, TokenScope::Manage).await);
    let who = Principal::parse(Cloud::Aws, WHO).unwrap();
    // Without a grant there is nothing to open, and nobody but an owner grants.
    let none = format!("/v1/projects/acme/web/grants/{}", uuid::Uuid::now_v7());
    assert_eq!(post(&stage, &format!("{none}/open"), &operator, &Value::Null).await.status, 404);
    assert_eq!(post(&stage, &format!("{BUILDER}/grants"), &operator, &asked(60)).await.status, 403);
    assert!(!stage.cloud.enter(&machine, &who));

    let made = post(&stage, &format!("{BUILDER}/grants"), &owner, &asked(600)).await;
    assert_eq!((made.status, &made.body["state"]), (201, &json!("granted")), "{made:?}");
    assert!(!stage.cloud.enter(&machine, &who), "a grant alone lets nobody in");
    let again = post(&stage, &format!("{BUILDER}/grants"), &owner, &asked(600)).await;
    assert_eq!((again.status, &again.body["field"]), (409, &json!("builder")), "{again:?}");
    let path = format!("/v1/projects/acme/web/grants/{}", made.body["id"].as_str().unwrap());

    assert_eq!(post(&stage, &format!("{path}/open"), &operator, &Value::Null).await.status, 202);
    let open = stage.get(&format!("{path}?wait_secs=30"), &owner).await.body;
    assert_eq!(open["state"], "open", "{open}");
    assert!(open["command"].as_str().unwrap().contains(machine.as_str()), "{open}");
    assert!(stage.cloud.enter(&machine, &who), "it lets in whom it names");
    assert!(!stage.cloud.enter(&machine, &Principal::parse(Cloud::Aws, &format!("{WHO}-2")).unwrap()));
    // It holds: what would take the builder away is refused for as long.
    let holds = stage.store.holds(jiff::Timestamp::now().as_millisecond()).await.unwrap();
    assert!(
        holds
            .iter()
            .any(|(project, arch, hold)| (*project, *arch) == (stage.web, Arch::X86_64) && hold.reason.contains(WHO))
    );

    assert_eq!(post(&stage, &format!("{path}/revoke"), &owner, &Value::Null).await.status, 200);
    let closed = until(&stage, &path, &owner, "closed").await;
    assert_eq!((&closed["command"], closed["revoked_by"].as_str().unwrap().contains("olga")), (&Value::Null, true));
    assert!(!stage.cloud.enter(&machine, &who) && stage.cloud.ways().is_empty());
    assert!(stage.cloud.inside(&machine).is_empty(), "whoever was in has been put out");
    assert!(stage.store.holds(0).await.unwrap().is_empty());
    let late = post(&stage, &format!("{path}/open"), &operator, &Value::Null).await;
    assert_eq!((late.status, &late.body["field"]), (409, &json!("grant")), "{late:?}");

    // The owners see it as events, and all of it is in the audit.
    let events = stage.store.events(0, 1_000).await.unwrap();
    let told: Vec<&str> = events.iter().filter(|it| it.grant.is_some()).map(|it| it.what.as_str()).collect();
    for word in ["granted to", "asks to be let in", "open", "revoked by", "closed"] {
        assert!(told.iter().any(|what| what.contains(word)), "{word} in {told:?}");
    }
    let deeds = stage.store.audit(Some(stage.acme), 0, 1_000).await.unwrap();
    for (act, outcome) in [
        ("grant.create", "forbidden"),
        ("grant.open", "not-found"),
        ("grant.create", "accepted"),
        ("grant.open", "accepted"),
        ("grant.revoke", "accepted"),
        ("grant.open", "failed"),
    ] {
        assert!(deeds.iter().any(|it| it.deed.act == act && it.deed.outcome == outcome), "{act} {outcome}");
    }
    stop.cancel();
}

#[tokio::test]
async fn from_an_owners_word_to_its_end_on_sqlite() {
    from_word_to_end(Database::sqlite().await).await;
}

#[tokio::test]
async fn from_an_owners_word_to_its_end_on_postgres() {
    from_word_to_end(Database::postgres().await).await;
}

#[tokio::test]
async fn its_time_ends_it() {
    let stage = Stage::new(Database::sqlite().await, FakeConfig::instant()).await;
    stage.builder().await;
    let (stop, machine) = (CancellationToken::new(), stage.cloud.snapshot().machines[0].remote.clone());
    let _warden = warden(&stage, &stop);
    let (owner, who) =
        (stage.person("olga", stage.acme, Role::Owner).await, Principal::parse(Cloud::Aws, WHO).unwrap());
    let made = post(&stage, &format!("{BUILDER}/grants"), &owner, &asked(6)).await;
    let path = format!("/v1/projects/acme/web/grants/{}", made.body["id"].as_str().unwrap());
    assert_eq!(post(&stage, &format!("{path}/open"), &owner, &Value::Null).await.status, 202);
    assert_eq!(stage.get(&format!("{path}?wait_secs=5"), &owner).await.body["state"], "open");
    assert!(stage.cloud.enter(&machine, &who));
    until(&stage, &path, &owner, "closed").await;
    assert!(!stage.cloud.enter(&machine, &who) && stage.cloud.inside(&machine).is_empty());
    stop.cancel();
}

#[tokio::test]
async fn what_is_wrong_is_told_by_its_field_and_lets_nobody_in() {
    let stage = Stage::new(Database::sqlite().await, FakeConfig::instant()).await;
    let owner = stage.person("olga", stage.acme, Role::Owner).await;
    let good = asked(60);
    let with = |field: &str, value: Value| {
        let mut body = good.clone();
        body[field] = value;
        body
    };
    for (body, field) in [
        (with("principal", json!("*")), "principal"),
        (with("principal", json!("user:Ann@example.com")), "principal"),
        (with("principal", json!("arn:aws:iam::123456789012:role/*")), "principal"),
        (with("for_secs", json!(0)), "for_secs"),
        (with("for_secs", json!(28_801)), "for_secs"),
        (with("reason", json!("  ")), "reason"),
    ] {
        let answer = post(&stage, &format!("{BUILDER}/grants"), &owner, &body).await;
        assert_eq!((answer.status, &answer.body["field"]), (422, &json!(field)), "{body}: {answer:?}");
        assert!(answer.body["remedy"].is_string());
    }
    // Well said, and of the other cloud.
    let elsewhere = with("principal", json!("user:ann@example.com"));
    let answer = post(&stage, &format!("{BUILDER}/grants"), &owner, &elsewhere).await;
    assert_eq!((answer.status, &answer.body["field"]), (409, &json!("principal")), "{answer:?}");
    // There is no builder to be let onto.
    let made = post(&stage, &format!("{BUILDER}/grants"), &owner, &good).await;
    let path = format!("/v1/projects/acme/web/grants/{}", made.body["id"].as_str().unwrap());
    let answer = post(&stage, &format!("{path}/open"), &owner, &Value::Null).await;
    assert_eq!((answer.status, &answer.body["field"]), (409, &json!("builder")), "{answer:?}");
    // Another project's, another organization's.
    let foreign = path.replace("acme/web", "globex/shop");
    for path in [foreign.as_str(), "/v1/projects/acme/web/grants/nothing", "/v1/projects/acme/web/grants/1"] {
        assert_eq!(stage.get(path, &owner).await.status, 404, "{path}");
    }
    let eve = stage.person("eve", stage.globex, Role::Owner).await;
    for path in [path.as_str(), foreign.as_str()] {
        assert_eq!(stage.get(path, &eve).await.status, 404, "{path}");
        assert_eq!(post(&stage, &format!("{path}/revoke"), &eve, &Value::Null).await.status, 404, "{path}");
    }
    assert!(stage.cloud.ways().is_empty());
}
