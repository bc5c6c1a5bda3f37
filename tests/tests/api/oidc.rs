//! Workflows' tokens: a good one works from end to end, and nothing that only looks like one does.

use providers::fake::FakeConfig;
use provisioner::{
    api::{OidcSettings, Settings},
    core::{Role, Secret, TokenScope},
    execute::Clock as _,
    store::Holder,
};
use reqwest::Method;
use serde_json::{Value, json};
use tests::database::Database;

use crate::{
    issuer::{Issuer, Pair, base64url},
    stage::{Answer, Stage, Wall, answer},
};

const AUDIENCE: &str = "https://builders.example";
const EXCHANGE: &str = "/v1/oidc/exchange";

struct Scene {
    stage: Stage,
    issuer: Issuer,
    pair: Pair,
    owner: Secret,
}

impl Scene {
    async fn new(database: Database) -> Self {
        let pair = Pair::new("one");
        let issuer = Issuer::start(vec![pair.public()]).await;
        let oidc = OidcSettings { issuer: issuer.url.clone(), audience: Some(AUDIENCE.to_owned()), token_secs: 300 };
        let settings = Settings { oidc, address_per_sec: 100_000, identity_per_sec: 100_000, ..Settings::default() };
        let stage = Stage::with(database, FakeConfig::instant(), settings).await;
        let owner = stage.person("olga", stage.acme, Role::Owner).await;
        Self { stage, issuer, pair, owner }
    }

    /// What GitHub would claim of a run of acme's repository.
    fn claims(&self) -> Value {
        let now = Wall.now_ms() / 1_000;
        json!({
            "iss": self.issuer.url, "aud": AUDIENCE, "sub": "repo:octo-org/octo-repo:ref:refs/heads/main",
            "iat": now, "nbf": now - 5, "exp": now + 300, "jti": "8a1c", "repository": "octo-org/octo-repo",
            "repository_owner": "octo-org", "repository_id": "74", "repository_owner_id": "65", "ref": "refs/heads/main",
            "ref_type": "branch", "run_id": "4711", "actor": "octocat", "event_name": "push", "runner_environment": "github-hosted",
        })
    }

    /// The same with some of it changed; null takes a claim out.
    fn but(&self, changes: Value) -> Value {
        let mut claims = self.claims();
        for (name, value) in changes.as_object().unwrap() {
            match value {
                Value::Null => drop(claims.as_object_mut().unwrap().remove(name)),
                value => claims[name] = value.clone(),
            }
        }
        claims
    }

    async fn trust(&self, changes: Value) -> Answer {
        let mut trust = json!({
            "name": "ci", "repository": "octo-org/octo-repo", "repository_id": 74, "owner_id": 65, "projects": ["web"],
        });
        for (name, value) in changes.as_object().unwrap() {
            trust[name] = value.clone();
        }
        self.stage.send(Method::POST, "/v1/orgs/acme/trusts", &self.owner, &trust).await
    }

    async fn exchange(&self, token: &str, org: &str, trust: Option<&str>) -> Answer {
        let mut body = json!({ "token": token, "org": org });
        if let Some(trust) = trust {
            body["trust"] = json!(trust);
        }
        answer(self.stage.ask(Method::POST, EXCHANGE, None).json(&body)).await
    }
}

/// From the owner's word to a builder, and to the end of the trust.
async fn end_to_end(database: Database) {
    let scene = Scene::new(database).await;
    let stage = &scene.stage;
    let made = scene.trust(json!({ "refs": "refs/heads/*" })).await;
    assert_eq!((made.status, &made.body["projects"]), (201, &json!(["web"])), "{made:?}");
    let token = scene.pair.token(&scene.claims());
    let got = scene.exchange(&token, "acme", None).await;
    assert_eq!((got.status, &got.body["projects"]), (201, &json!(["acme/web"])), "{got:?}");
    let secret: Secret = got.body["secret"].as_str().unwrap().parse().unwrap();
    assert!(secret.reveal().starts_with("prvw_"));
    let expires: jiff::Timestamp = got.body["expires_at"].as_str().unwrap().parse().unwrap();
    assert!((Wall.now_ms() + 200_000..Wall.now_ms() + 300_000).contains(&expires.as_millisecond()));
    // It builds in its project, and sees nothing else.
    let path = "/v1/projects/acme/web/builders/arm64/acquire";
    assert_eq!(stage.send(Method::POST, path, &secret, &Value::Null).await.status, 202);
    stage.worker("w", true).await.unwrap();
    let ready = stage.send(Method::POST, path, &secret, &Value::Null).await;
    assert!(ready.status == 200 && ready.body["endpoint"].is_string(), "{ready:?}");
    for other in ["/v1/orgs/acme", "/v1/orgs/acme/trusts", "/v1/projects/globex/shop", "/v1/projects/acme/api"] {
        assert_eq!(stage.get(other, &secret).await.status, 404, "{other}");
    }
    assert_eq!(stage.send(Method::DELETE, "/v1/projects/acme/web", &secret, &Value::Null).await.status, 403);
    let who = stage.get("/v1/identity", &secret).await.body["name"].as_str().unwrap().to_owned();
    assert_eq!(who, "workflow octo-org/octo-repo@refs/heads/main run 4711 by trust acme/ci");
    // All of it is in the audit, and the secret is nowhere.
    let entries = stage.store.audit(Some(stage.acme), 0, 100).await.unwrap();
    let deed = |act: &str| entries.iter().find(|entry| entry.deed.act == act).map(|entry| entry.deed.clone());
    let exchanged = deed("oidc.exchange").unwrap();
    assert_eq!((exchanged.outcome.as_str(), exchanged.resource.as_str()), ("accepted", "acme ci"));
    assert_eq!(deed("builder.acquire").unwrap().token, exchanged.token);
    assert!(!format!("{entries:?}").contains(&secret.reveal()[5..25]));
    // The trust goes, and with it what came of it.
    let gone = stage.send(Method::DELETE, "/v1/orgs/acme/trusts/ci", &scene.owner, &Value::Null).await;
    assert_eq!(gone.status, 204);
    assert_eq!(stage.get("/v1/identity", &secret).await.status, 401);
    assert_eq!(scene.exchange(&token, "acme", None).await.status, 403);
    let again = stage.send(Method::DELETE, "/v1/orgs/acme/trusts/ci", &scene.owner, &Value::Null).await;
    assert_eq!(again.status, 404);
}

#[tokio::test]
async fn a_good_token_works_from_end_to_end_on_sqlite() {
    end_to_end(Database::sqlite().await).await;
}

#[tokio::test]
async fn a_good_token_works_from_end_to_end_on_postgres() {
    end_to_end(Database::postgres().await).await;
}

/// Tokens that prove nothing: what is wrong with each, and the token.
fn forgeries(scene: &Scene) -> Vec<(&'static str, String)> {
    let (pair, other) = (&scene.pair, Pair::new("one"));
    let head = |changes: Value| {
        let mut head = json!({ "typ": "JWT", "alg": "RS256", "kid": "one" });
        for (name, value) in changes.as_object().unwrap() {
            head[name] = value.clone();
        }
        head
    };
    let claims = scene.claims().to_string();
    let good = pair.token(&scene.claims());
    let parts: Vec<&str> = good.split('.').collect();
    let now = Wall.now_ms() / 1_000;
    let with_head = |changes: Value| pair.signed(&head(changes), &claims);
    let with = |changes: Value| pair.token(&scene.but(changes));
    let unsigned =
        |alg: &str| format!("{}.{}.", base64url(head(json!({ "alg": alg })).to_string().as_bytes()), parts[1]);
    let hmac = {
        let mut header = jsonwebtoken::Header::new(jsonwebtoken::Algorithm::HS256);
        header.kid = Some("one".to_owned());
        let key = jsonwebtoken::EncodingKey::from_secret(pair.keys.public_key_raw());
        jsonwebtoken::encode(&header, &scene.claims(), &key).unwrap()
    };
    let doubled = claims.replacen('{', "{\"repository\":\"evil/evil\",", 1);
    vec![
        ("no algorithm", unsigned("none")),
        ("no algorithm, in other letters", unsigned("NoNe")),
        ("no algorithm, with a signature", with_head(json!({ "alg": "none" }))),
        ("HS256 with the public key as its secret", hmac),
        ("HS256 in the header alone", with_head(json!({ "alg": "HS256" }))),
        ("RS384", with_head(json!({ "alg": "RS384" }))),
        ("RS512", with_head(json!({ "alg": "RS512" }))),
        ("PS256", with_head(json!({ "alg": "PS256" }))),
        ("ES256", with_head(json!({ "alg": "ES256" }))),
        ("EdDSA", with_head(json!({ "alg": "EdDSA" }))),
        ("an algorithm in lower case", with_head(json!({ "alg": "rs256" }))),
        ("another's key under the same name", other.token(&scene.claims())),
        ("a key that the issuer does not have", with_head(json!({ "kid": "two" }))),
        ("no name of a key", pair.signed(&json!({ "typ": "JWT", "alg": "RS256" }), &claims)),
        ("an empty name of a key", with_head(json!({ "kid": "" }))),
        ("a path for the name of a key", with_head(json!({ "kid": "../../../../dev/null" }))),
        ("a key of its own", other.signed(&head(json!({ "jwk": other.public() })), &claims)),
        ("a place for its key", other.signed(&head(json!({ "jku": "http://127.0.0.1:1/jwks" })), &claims)),
        ("a place for its certificate", with_head(json!({ "x5u": "http://127.0.0.1:1/cert" }))),
        ("a certificate of its own", with_head(json!({ "x5c": ["AAAA"] }))),
        ("something that has to be understood", with_head(json!({ "crit": ["exp"] }))),
        ("another type of token", with_head(json!({ "typ": "at+jwt" }))),
        (
            "claims of another token",
            format!(
                "{}.{}.{}",
                parts[0],
                base64url(scene.but(json!({ "repository_id": "75" })).to_string().as_bytes()),
                parts[2]
            ),
        ),
        ("a signature that is cut", format!("{}.{}.{}", parts[0], parts[1], &parts[2][..parts[2].len() - 4])),
        ("no signature", format!("{}.{}.", parts[0], parts[1])),
        (
            "the signature of another token",
            format!("{}.{}.{}", parts[0], parts[1], with(json!({ "jti": "b" })).rsplit('.').next().unwrap()),
        ),
        ("two parts", format!("{}.{}", parts[0], parts[1])),
        ("four parts", format!("{good}.{}", parts[2])),
        ("five parts, as if encrypted", format!("{good}.{}.{}", parts[2], parts[1])),
        ("not base64url", good.replace('.', ".+/")),
        ("padding", format!("{good}==")),
        ("white space", format!("{good}\n")),
        ("too long", pair.token(&scene.but(json!({ "actor": "a".repeat(7_000) })))),
        ("claims that are no object", pair.signed(&head(json!({})), "[1]")),
        ("claims that are no JSON", pair.signed(&head(json!({})), "{\"iss\":")),
        ("one of our own secrets", scene.owner.reveal().to_owned()),
        ("its time is over", with(json!({ "iat": now - 400, "exp": now - 60 }))),
        ("its time was over long ago", with(json!({ "iat": 1, "exp": 2 }))),
        ("no end", with(json!({ "exp": null }))),
        ("an end in words", with(json!({ "exp": "never" }))),
        ("an end beyond all numbers", with(json!({ "exp": i64::MAX }))),
        ("a negative end", with(json!({ "exp": i64::MIN }))),
        ("made in the future", with(json!({ "iat": now + 120, "exp": now + 300 }))),
        ("no time of making", with(json!({ "iat": null }))),
        ("good from the future on", with(json!({ "nbf": now + 120 }))),
        ("a life of days", with(json!({ "exp": now + 86_400 }))),
        ("another issuer", with(json!({ "iss": "https://token.actions.githubusercontent.com" }))),
        ("the issuer with a slash", with(json!({ "iss": format!("{}/", scene.issuer.url) }))),
        ("no issuer", with(json!({ "iss": null }))),
        ("several issuers", with(json!({ "iss": [scene.issuer.url, "x"] }))),
        ("another audience", with(json!({ "aud": "https://github.com/octo-org" }))),
        ("an audience that begins like ours", with(json!({ "aud": format!("{AUDIENCE}.evil.example") }))),
        ("our audience in capitals", with(json!({ "aud": AUDIENCE.to_uppercase() }))),
        ("our audience among others", with(json!({ "aud": [AUDIENCE, "https://evil.example"] }))),
        ("no audience", with(json!({ "aud": null }))),
        ("no repository", with(json!({ "repository": null }))),
        ("no number of the repository", with(json!({ "repository_id": null }))),
        ("a number that is none in the letters of JSON", with(json!({ "repository_id": 74 }))),
        ("a claim twice", pair.signed(&head(json!({})), &doubled)),
    ]
}

#[tokio::test]
async fn forged_and_stale_tokens_prove_nothing() {
    let scene = Scene::new(Database::sqlite().await).await;
    assert_eq!(scene.trust(json!({})).await.status, 201);
    let forgeries = forgeries(&scene);
    assert!(forgeries.len() >= 25);
    for (what, token) in &forgeries {
        let said = scene.exchange(token, "acme", None).await;
        assert_eq!((said.status, said.body["field"].as_str()), (401, Some("token")), "{what}: {said:?}");
        assert_eq!(said.body["type"], "urn:provisioner:problem:unauthenticated");
    }
    println!("{} kinds of forged and stale tokens, all refused", forgeries.len());
    let good = scene.exchange(&scene.pair.token(&scene.claims()), "acme", None).await;
    assert_eq!(good.status, 201, "{good:?}");
    // Whatever names of keys came, the issuer was asked once or twice.
    assert!(scene.issuer.asked() <= 2, "{}", scene.issuer.asked());
    // Each refusal is in the audit of the installation, and in nobody else's.
    let all = scene.stage.store.audit(None, 0, 1_000).await.unwrap();
    let refused = |entries: &[provisioner::core::audit::AuditEntry]| {
        entries
            .iter()
            .filter(|entry| entry.deed.act == "oidc.exchange" && entry.deed.outcome == "unauthenticated")
            .count()
    };
    assert_eq!(refused(&all), forgeries.len());
    assert_eq!(refused(&scene.stage.store.audit(Some(scene.stage.acme), 0, 1_000).await.unwrap()), 0);
}

#[tokio::test]
async fn look_alikes_are_proved_and_not_trusted() {
    let scene = Scene::new(Database::sqlite().await).await;
    let narrow = json!({ "environment": "prod", "refs": "refs/heads/release/*" });
    assert_eq!(scene.trust(narrow).await.status, 201);
    let run = |changes: Value| {
        let mut claims = scene.but(json!({ "environment": "prod", "ref": "refs/heads/release/1" }));
        for (name, value) in changes.as_object().unwrap() {
            claims[name] = value.clone();
        }
        if let Some(repository) = changes["repository"].as_str() {
            claims["sub"] = json!(format!("repo:{repository}:environment:prod"));
            claims["repository_owner"] = json!(repository.split('/').next().unwrap());
        }
        scene.pair.token(&claims)
    };
    assert_eq!(scene.exchange(&run(json!({})), "acme", None).await.status, 201);
    let immutable = json!({ "sub": "repo:octo-org@65/octo-repo@74:environment:prod" });
    assert_eq!(scene.exchange(&run(immutable), "acme", Some("ci")).await.status, 201);
    let look_alikes = [
        ("case of the owner", json!({ "repository": "Octo-Org/octo-repo" })),
        ("case of the name", json!({ "repository": "octo-org/Octo-Repo" })),
        ("a longer name", json!({ "repository": "octo-org/octo-repo-2" })),
        ("a longer owner", json!({ "repository": "octo-org-2/octo-repo" })),
        ("the name as an owner", json!({ "repository": "octo-repo/octo-org" })),
        ("a renamed owner", json!({ "repository": "new-org/octo-repo" })),
        ("the owner's old name, taken by another", json!({ "repository_owner_id": "66", "repository_id": "75" })),
        ("the repository's old name, made anew", json!({ "repository_id": "75" })),
        ("moved to another owner of that name", json!({ "repository_owner_id": "66" })),
        ("another environment", json!({ "environment": "Prod" })),
        ("an environment that begins like it", json!({ "environment": "production" })),
        ("no environment", json!({ "environment": null })),
        ("another branch", json!({ "ref": "refs/heads/main" })),
        ("a branch below", json!({ "ref": "refs/heads/release/1/x" })),
        ("a tag of that name", json!({ "ref": "refs/tags/release/1" })),
        ("a subject of another", json!({ "sub": "repo:other/octo-repo:environment:prod" })),
    ];
    for (what, changes) in look_alikes {
        let said = scene.exchange(&run(changes), "acme", None).await;
        assert_eq!((said.status, said.body["field"].as_str()), (403, Some("token")), "{what}: {said:?}");
    }
    // Whether an organization exists is not told.
    let (theirs, nobodys) =
        (scene.exchange(&run(json!({})), "globex", None).await, scene.exchange(&run(json!({})), "nobody", None).await);
    assert_eq!((theirs.status, nobodys.status), (403, 403));
    assert_eq!(theirs.body.to_string().replace("globex", "nobody"), nobodys.body.to_string());
    assert_eq!(scene.exchange(&run(json!({})), "acme", Some("other")).await.status, 403);
    // Owners learn what differs, of those that have to do with their repository.
    let entries = scene.stage.store.audit(Some(scene.stage.acme), 0, 1_000).await.unwrap();
    let why: Vec<&str> = entries
        .iter()
        .filter(|entry| entry.deed.outcome == "forbidden")
        .filter_map(|entry| entry.deed.detail.as_deref())
        .collect();
    assert!(
        why.iter().any(|why| why.contains("number differs")) && why.iter().any(|why| why.contains("another ref")),
        "{why:?}"
    );
}

#[tokio::test]
async fn a_trust_is_for_projects_of_its_own_and_says_what_it_means() {
    let scene = Scene::new(Database::sqlite().await).await;
    let wrong = [
        (json!({ "projects": [] }), 422, "projects"),
        (json!({ "projects": ["Web"] }), 422, "projects"),
        (json!({ "name": "C" }), 422, "name"),
        (json!({ "repository": "octo-org" }), 422, "repository"),
        (json!({ "repository": "https://github.com/octo-org/octo-repo" }), 422, "repository"),
        (json!({ "repository_id": 0 }), 422, "repository_id"),
        (json!({ "owner_id": -1 }), 422, "body"),
        (json!({ "owner_id": 1.5 }), 422, "body"),
        (json!({ "refs": "main" }), 422, "refs"),
        (json!({ "refs": "refs/heads/**" }), 422, "refs"),
        (json!({ "environment": "" }), 422, "environment"),
        (json!({ "scope": "manage" }), 422, "scope"),
        (json!({ "extra": 1 }), 422, "body"),
    ];
    for (changes, status, field) in wrong {
        let said = scene.trust(changes.clone()).await;
        assert_eq!((said.status, said.body["field"].as_str()), (status, Some(field)), "{changes}: {said:?}");
    }
    assert_eq!(scene.trust(json!({ "projects": ["shop"] })).await.status, 404, "another organization's project");
    assert_eq!(scene.trust(json!({})).await.status, 201);
    assert_eq!(scene.trust(json!({})).await.status, 409);
    assert_eq!(scene.trust(json!({ "name": "other", "scope": "read" })).await.status, 201);
    // Two that agree: the workflow says which.
    let token = scene.pair.token(&scene.claims());
    let said = scene.exchange(&token, "acme", None).await;
    assert_eq!((said.status, said.body["field"].as_str()), (422, Some("trust")), "{said:?}");
    let got = scene.exchange(&token, "acme", Some("other")).await;
    assert_eq!((got.status, &got.body["scope"]), (201, &json!("read")));
    let secret: Secret = got.body["secret"].as_str().unwrap().parse().unwrap();
    let path = "/v1/projects/acme/web/builders/arm64/acquire";
    assert_eq!(scene.stage.send(Method::POST, path, &secret, &Value::Null).await.status, 403);
    assert_eq!(scene.stage.get("/v1/projects/acme/web", &secret).await.status, 200);
    let listed = scene.stage.get("/v1/orgs/acme/trusts", &scene.owner).await.body;
    assert_eq!(listed["items"].as_array().unwrap().len(), 2, "{listed}");
}

/// Without an audience nothing is exchanged; without the issuer it is said that it has to do with that.
#[tokio::test]
async fn an_installation_without_an_audience_or_an_issuer_says_so() {
    let stage = Stage::new(Database::sqlite().await, FakeConfig::instant()).await;
    let token = Pair::new("one").token(&json!({}));
    let body = json!({ "token": token, "org": "acme" });
    assert_eq!(answer(stage.ask(Method::POST, EXCHANGE, None).json(&body)).await.status, 404);
    let oidc = OidcSettings {
        issuer: "http://127.0.0.1:1".to_owned(),
        audience: Some(AUDIENCE.to_owned()),
        ..OidcSettings::default()
    };
    let settings = Settings { oidc, ..Settings::default() };
    let stage = Stage::with(Database::sqlite().await, FakeConfig::instant(), settings).await;
    let said = answer(stage.ask(Method::POST, EXCHANGE, None).json(&body)).await;
    assert_eq!((said.status, said.headers.contains_key("retry-after")), (503, true), "{said:?}");
    let token = stage.token(Holder::Org(stage.acme), TokenScope::Read).await;
    assert_eq!(stage.get("/v1/orgs/acme", &token).await.status, 200, "others are served all the same");
}
