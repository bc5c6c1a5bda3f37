//! A person's own tokens: made with no more scope than the one that asks, seen and revoked by nobody else.

use providers::fake::FakeConfig;
use provisioner::{
    api::{App, Settings},
    core::{Role, Secret, TokenScope},
    store::Holder,
};
use reqwest::Method;
use serde_json::{Value, json};
use tests::database::Database;

use crate::stage::Stage;

const PATH: &str = "/v1/user/tokens";

fn asked(scope: &str) -> Value {
    json!({ "name": "laptop", "scope": scope, "expires_in_secs": 600 })
}

async fn ids(stage: &Stage, secret: &Secret) -> Vec<String> {
    let listed = stage.get(PATH, secret).await;
    assert_eq!(listed.status, 200, "{listed:?}");
    assert!(listed.body["items"].as_array().unwrap().iter().all(|token| token["kind"] == "user"), "{listed:?}");
    listed.body["items"].as_array().unwrap().iter().map(|token| token["id"].as_str().unwrap().to_owned()).collect()
}

async fn tokens_come_and_go(database: Database) {
    let stage = Stage::new(database, FakeConfig::instant()).await;
    let olga = stage.person("olga", stage.acme, Role::Owner).await;
    let eve = stage.person("eve", stage.globex, Role::Owner).await;
    let made = stage.send(Method::POST, PATH, &olga, &asked("build")).await;
    assert_eq!((made.status, &made.body["kind"]), (201, &json!("user")), "{made:?}");
    let (id, laptop) = (made.body["id"].as_str().unwrap(), made.body["secret"].as_str().unwrap().parse().unwrap());
    assert_eq!(stage.get("/v1/projects/acme/web", &laptop).await.status, 200);
    assert_eq!(stage.get("/v1/projects/globex/shop", &laptop).await.status, 404);
    // One that is good for less makes none, not even of its own scope: it would outlive its revocation.
    for scope in ["read", "build", "manage"] {
        assert_eq!(stage.send(Method::POST, PATH, &laptop, &asked(scope)).await.status, 403, "{scope}");
    }
    assert_eq!(stage.get(PATH, &laptop).await.status, 403);
    let (hers, others) = (ids(&stage, &olga).await, ids(&stage, &eve).await);
    assert!(hers.len() == 2 && hers.contains(&id.to_owned()) && others.len() == 1, "{hers:?} {others:?}");
    assert!(!others.contains(&hers[0]) && !stage.get(PATH, &olga).await.body.to_string().contains(laptop.reveal()));
    // Another person's token is as one that is not.
    let path = format!("{PATH}/{id}");
    for wrong in [path.as_str(), "/v1/user/tokens/nothing", "/v1/user/tokens/0193e1b0-0000-7000-8000-000000000000"] {
        assert_eq!(stage.send(Method::DELETE, wrong, &eve, &Value::Null).await.status, 404, "{wrong}");
    }
    // A token of the organization is no person's, by whichever way it is asked for.
    let org = stage.token(Holder::Org(stage.acme), TokenScope::Manage).await;
    for method in [Method::POST, Method::GET] {
        let body = if method == Method::POST { asked("read") } else { Value::Null };
        assert_eq!(stage.send(method, PATH, &org, &body).await.status, 404);
    }
    let by_org = format!("/v1/orgs/acme/tokens/{id}");
    assert_eq!(stage.send(Method::DELETE, &by_org, &org, &Value::Null).await.status, 404);
    assert_eq!(stage.get("/v1/projects/acme/web", &laptop).await.status, 200);
    assert_eq!(stage.send(Method::DELETE, &path, &olga, &Value::Null).await.status, 204);
    assert_eq!(stage.get("/v1/projects/acme/web", &laptop).await.status, 401);
    // The one that asks can be revoked as well.
    let own = hers.iter().find(|known| *known != id).unwrap();
    assert_eq!(stage.send(Method::DELETE, &format!("{PATH}/{own}"), &olga, &Value::Null).await.status, 204);
    assert_eq!(stage.get(PATH, &olga).await.status, 401);
    let acts: Vec<String> =
        stage.store.audit(None, 0, 100).await.unwrap().into_iter().map(|entry| entry.deed.act).collect();
    for act in ["user.token.create", "user.token.revoke"] {
        assert!(acts.iter().any(|known| known == act), "{act} in {acts:?}");
    }
}

#[tokio::test]
async fn a_persons_own_tokens_come_and_go_on_sqlite() {
    tokens_come_and_go(Database::sqlite().await).await;
}

#[tokio::test]
async fn a_persons_own_tokens_come_and_go_on_postgres() {
    tokens_come_and_go(Database::postgres().await).await;
}

/// With the application's checks taken out, the statement and the database's walls keep persons apart all the same.
#[tokio::test]
async fn another_persons_tokens_are_behind_walls_as_well() {
    let database = Database::postgres().await;
    let url = database.api_url().await;
    let settings = Settings { address_per_sec: 100_000, identity_per_sec: 100_000, ..Settings::default() };
    let stage = Stage::over(database, &url, FakeConfig::instant(), settings, App::unchecked).await;
    let olga = stage.person("olga", stage.acme, Role::Owner).await;
    // Of the same organization.
    let mike = stage.person("mike", stage.acme, Role::Member).await;
    let (hers, his) = (ids(&stage, &olga).await, ids(&stage, &mike).await);
    assert_eq!((hers.len(), his.len()), (1, 1));
    assert_ne!(hers, his);
    assert_eq!(stage.send(Method::DELETE, &format!("{PATH}/{}", hers[0]), &mike, &Value::Null).await.status, 404);
    assert_eq!(ids(&stage, &olga).await, hers);
}
