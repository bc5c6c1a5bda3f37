//! A service with two organizations, their people and their tokens; a worker when it is called.

use std::{net::SocketAddr, sync::Arc};

use providers::{
    Provider,
    fake::{FakeCloud, FakeConfig},
};
use provisioner::{
    api::{self, App, Door, Settings},
    core::{
        JobId, Name, OrgId, Policy, ProjectId, Request, Role, Secret, TokenId, TokenKind, TokenScope, Trust, TrustId,
        UserId, scene::CacheShape,
    },
    execute::{Clock, Executor, Providers},
    store::{Holder, NewExchange, NewJob, NewProject, NewToken, NewTrust, Store, WorkerId},
    worker::{self, WorkerConfig},
};
use regions::{Arch, Cloud, Residency, Size};
use reqwest::{Client, Method, RequestBuilder};
use serde_json::Value;
use tests::database::Database;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

pub struct Wall;

impl Clock for Wall {
    fn now_ms(&self) -> i64 {
        jiff::Timestamp::now().as_millisecond()
    }
}

pub struct Stage {
    pub store: Store,
    pub cloud: FakeCloud,
    pub client: Client,
    pub address: SocketAddr,
    pub scheme: &'static str,
    pub metrics: Option<SocketAddr>,
    pub acme: OrgId,
    pub globex: OrgId,
    pub web: ProjectId,
    pub shop: ProjectId,
    stop: CancellationToken,
    _database: Database,
}

pub fn name(text: &str) -> Name {
    text.parse().unwrap()
}

/// A whole answer.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub body: Value,
    pub headers: reqwest::header::HeaderMap,
}

impl Stage {
    pub async fn new(database: Database, cloud: FakeConfig) -> Self {
        let settings = Settings { address_per_sec: 100_000, identity_per_sec: 100_000, ..Settings::default() };
        Self::with(database, cloud, settings).await
    }

    pub async fn with(database: Database, cloud: FakeConfig, settings: Settings) -> Self {
        let url = database.api_url().await;
        Self::over(database, &url, cloud, settings, App::new).await
    }

    /// With an API that connects there, and is made by that.
    pub async fn over(
        database: Database,
        url: &str,
        cloud: FakeConfig,
        settings: Settings,
        app: fn(Store, Arc<dyn Clock>, &Settings) -> App,
    ) -> Self {
        let store = database.store().await;
        let now_ms = Wall.now_ms();
        let (acme, globex) = (OrgId::from_uuid(Uuid::now_v7()), OrgId::from_uuid(Uuid::now_v7()));
        let (web, shop) = (ProjectId::from_uuid(Uuid::now_v7()), ProjectId::from_uuid(Uuid::now_v7()));
        for (id, org, project, called) in [(acme, "acme", web, "web"), (globex, "globex", shop, "shop")] {
            store.create_org(&name(org), id, now_ms).await.unwrap();
            let new = NewProject {
                id: project,
                org: id,
                name: name(called),
                residency: Residency::Eu,
                cloud: Cloud::Aws,
                region: None,
                size: Size::S4x8,
                cache: CacheShape { size_gib: 50, iops: None, throughput_mibps: None },
            };
            store.create_project(new, now_ms).await.unwrap();
        }
        let (stop, settings) = (CancellationToken::new(), Settings { listen: ([127, 0, 0, 1], 0).into(), ..settings });
        let door = Door::open(&settings).await.unwrap();
        let (address, scheme) = (door.address().unwrap(), if door.is_secure() { "https" } else { "http" });
        let metrics = door.metrics_address().unwrap();
        let app = app(Store::open(url).await.unwrap(), Arc::new(Wall), &settings);
        let until = stop.clone();
        tokio::spawn(async move { api::serve(app, door, &settings, until).await.unwrap() });
        let cloud = FakeCloud::new(cloud, Arc::new(|| Wall.now_ms()));
        let client = Client::new();
        Self { store, cloud, client, address, scheme, metrics, acme, globex, web, shop, stop, _database: database }
    }

    pub fn url(&self, path: &str) -> String {
        format!("{}://{}{path}", self.scheme, self.address)
    }

    pub fn ask(&self, method: Method, path: &str, secret: Option<&Secret>) -> RequestBuilder {
        let request = self.client.request(method, self.url(path));
        match secret {
            Some(secret) => request.bearer_auth(secret.reveal()),
            None => request,
        }
    }

    pub async fn send(&self, method: Method, path: &str, secret: &Secret, body: &Value) -> Answer {
        let request = self.ask(method, path, Some(secret));
        answer(if body.is_null() { request } else { request.json(body) }).await
    }

    pub async fn get(&self, path: &str, secret: &Secret) -> Answer {
        self.send(Method::GET, path, secret, &Value::Null).await
    }

    pub async fn token(&self, holder: Holder, scope: TokenScope) -> Secret {
        self.token_until(holder, scope, Wall.now_ms() + 3_600_000).await
    }

    pub async fn token_until(&self, holder: Holder, scope: TokenScope, expires_ms: i64) -> Secret {
        let id = Uuid::now_v7();
        let mut random = [0; 32];
        random[..16].copy_from_slice(id.as_bytes());
        let secret = Secret::new(holder.kind(), random);
        let new = NewToken {
            id: TokenId::from_uuid(id),
            hash: secret.hash(),
            holder,
            scope,
            name: "test".to_owned(),
            created_by: "test".to_owned(),
            expires_ms,
        };
        self.store.create_token(&new, expires_ms - 3_600_000).await.unwrap();
        secret
    }

    /// The token of a workflow that a trust of that name has let in.
    pub async fn workflow(&self, called: &str, (org, project): (OrgId, ProjectId), scope: TokenScope) -> Secret {
        let trust = Trust {
            id: TrustId::from_uuid(Uuid::now_v7()),
            org,
            name: name(called),
            repository: "octo-org/octo-repo".parse().unwrap(),
            repository_id: 74,
            owner_id: 65,
            environment: None,
            refs: None,
            scope,
            projects: [project].into(),
        };
        let (id, now_ms) = (Uuid::now_v7(), Wall.now_ms());
        let mut random = [1; 32];
        random[..16].copy_from_slice(id.as_bytes());
        let secret = Secret::new(TokenKind::Workflow, random);
        let exchange = NewExchange {
            id: TokenId::from_uuid(id),
            hash: secret.hash(),
            trust: trust.id,
            run: "workflow test".to_owned(),
            expires_ms: now_ms + 900_000,
        };
        self.store.create_trust(&NewTrust { trust, created_by: "test".to_owned() }, now_ms).await.unwrap();
        self.store.create_exchange(&exchange, now_ms).await.unwrap();
        secret
    }

    pub async fn person(&self, called: &str, org: OrgId, role: Role) -> Secret {
        self.person_with(called, org, role, TokenScope::Manage).await
    }

    /// A person, and a token of that person's that is good for so much.
    pub async fn person_with(&self, called: &str, org: OrgId, role: Role, scope: TokenScope) -> Secret {
        let id = UserId::from_uuid(Uuid::now_v7());
        let user = self.store.create_user(&name(called), id, Wall.now_ms()).await.unwrap();
        self.store.set_member(org, &user, role, Wall.now_ms()).await.unwrap();
        self.token(Holder::User(user.id), scope).await
    }

    pub async fn job(&self, request: Request) -> JobId {
        self.store.enqueue(NewJob::now(request), Wall.now_ms()).await.unwrap().job
    }

    /// A worker of that name, until it is stopped or has drained the queue.
    pub fn worker(&self, called: &str, drain: bool) -> tokio::task::JoinHandle<()> {
        let clouds = Cloud::ALL.into_iter();
        let providers: Providers =
            clouds.map(|kind| (kind, Arc::new(self.cloud.provider(kind)) as Arc<dyn Provider>)).collect();
        let executor = Executor::new(self.store.clone(), providers, Policy::default(), Arc::new(Wall));
        let config = WorkerConfig { drain, ..WorkerConfig::new(WorkerId(called.to_owned())) };
        let (store, stop) = (self.store.clone(), self.stop.clone());
        tokio::spawn(async move {
            worker::run(store, Arc::new(executor), config, Arc::new(Wall), stop).await.unwrap();
        })
    }

    /// A builder of web that runs.
    pub async fn builder(&self) {
        self.job(Request::Provision { project: self.web, arch: Arch::X86_64 }).await;
        self.worker("maker", true).await.unwrap();
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

pub async fn answer(request: RequestBuilder) -> Answer {
    let response = request.send().await.unwrap();
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    let body = response.text().await.unwrap();
    Answer { status, headers, body: serde_json::from_str(&body).unwrap_or(Value::String(body)) }
}
