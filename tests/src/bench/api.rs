//! What the API bears: a fixed mix of requests, beside a bare axum handler that sends one `SELECT 1` to the same database in the same run.
//!
//! The mix is 80 % acquire of a builder that is ready, 15 % a look at one, 5 % a job asked for (`mix.lua`), with one token over 20 builders.
//! wrk sends it by 32 connections of two threads, each its next request when the last was answered: a closed loop, so that p99 is that
//! of the requests that were sent, and says nothing of those that would have been waiting. The server, the database and wrk share this machine's
//! processors, for ours and for the bare one alike. No worker runs: the queue grows by the jobs that are asked for. Five seconds of
//! each in turn, three times, and the median.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use anyhow::{Context as _, Result, ensure};
use axum::{Router, extract::State, http::StatusCode, routing::get};
use providers::{
    Provider,
    fake::{FakeCloud, FakeConfig},
};
use provisioner::{
    api::{self, App, Door, Settings},
    core::{OrgId, Policy, ProjectId, Request, Secret, TokenId, TokenScope, scene::CacheShape},
    execute::{Clock, Executor, Providers},
    store::{Holder, NewJob, NewProject, NewToken, Store, WorkerId},
    worker::{self, WorkerConfig},
};
use regions::{Arch, Cloud, Residency, Size};
use sea_orm::{ConnectionTrait as _, DatabaseConnection, Statement};
use serde::Deserialize;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::{
    server::Server,
    table::{Table, median},
};

/// Projects whose builders are ready, and projects about which jobs are asked for; `mix.lua` knows them.
const READY: usize = 10;
const QUEUED: usize = 50;
const ROUNDS: usize = 3;
const SECS: u32 = 5;
/// As many as our own store has.
const POSTGRES_CONNECTIONS: u32 = 16;
const SQLITE_CONNECTIONS: u32 = 4;
/// Requests of a kind for which statements are counted.
const COUNTED: usize = 200;

struct Wall;

impl Clock for Wall {
    fn now_ms(&self) -> i64 {
        jiff::Timestamp::now().as_millisecond()
    }
}

/// Measures and prints the table.
///
/// # Errors
/// No server, no wrk, or a request that fails.
pub async fn run() -> Result<bool> {
    let wrk = std::process::Command::new(crate::root().join("scripts/wrk")).output()?;
    ensure!(wrk.status.success(), "{}", String::from_utf8_lossy(&wrk.stderr));
    let wrk = String::from_utf8(wrk.stdout)?.trim().to_owned();
    let (files, server, mut table) = (tempfile::tempdir()?, Server::start()?, Table::default());
    let sqlite = format!("sqlite://{}", files.path().join("api.db").display());
    measure(&wrk, "SQLite", &sqlite, &sqlite, &mut table).await?;
    let admin = sea_orm::Database::connect(server.url("postgres")).await?;
    for name in ["api", "walled"] {
        admin.execute_unprepared(&format!("CREATE DATABASE {name}")).await?;
    }
    measure(&wrk, "PostgreSQL", &server.url("api"), &server.url("api"), &mut table).await?;
    admin.execute_unprepared("CREATE ROLE api LOGIN").await?;
    let (url, role) = (server.url("walled"), server.url("walled").replace("postgres@", "api@"));
    Store::migrate_for(&url, "api").await?;
    measure(&wrk, "PostgreSQL, row-level security", &url, &role, &mut table).await?;
    Ok(table
        .print("The API beside a bare handler with one SELECT 1: 80 % acquire, 15 % get, 5 % enqueue, 32 connections"))
}

/// One database, as its owner and as the API reaches it.
async fn measure(wrk: &str, called: &str, owner: &str, url: &str, table: &mut Table) -> Result<()> {
    let (stop, secret) = (CancellationToken::new(), prepare(owner).await?);
    let store = Store::open(url).await?;
    let ours = serve(store.clone(), stop.clone()).await?;
    let bare = serve_bare(url, stop.clone()).await?;
    for (kind, send) in KINDS {
        let before = store.statements();
        let token = secret.reveal().to_owned();
        tokio::task::spawn_blocking(move || (0..COUNTED).try_for_each(|n| send(&format!("http://{ours}"), &token, n)))
            .await??;
        let each = (store.statements() - before) as f64 / COUNTED as f64;
        table.figure(&format!("{called}: SQL statements for {kind}"), each, None);
    }
    let (mut mine, mut theirs) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        theirs.push(load(wrk, bare, None).await?);
        mine.push(load(wrk, ours, Some(&secret)).await?);
    }
    let of = |runs: &[Load], figure: Figure| median(runs.iter().map(figure).collect());
    table.ratio(
        &format!("{called}: requests a second"),
        of(&mine, Load::per_sec),
        of(&theirs, Load::per_sec),
        "",
        None,
    );
    let latencies: [(&str, Figure); 2] = [("median", |load| load.median_ms), ("p99", |load| load.p99_ms)];
    for (what, figure) in latencies {
        table.ratio(&format!("{called}: {what}"), of(&mine, figure), of(&theirs, figure), " ms", None);
    }
    stop.cancel();
    Ok(())
}

/// One number of a run.
type Figure = fn(&Load) -> f64;

/// What wrk says of a run.
#[derive(Debug, Deserialize)]
struct Load {
    requests: u64,
    secs: f64,
    median_ms: f64,
    p99_ms: f64,
    errors: u64,
}

impl Load {
    fn per_sec(&self) -> f64 {
        self.requests as f64 / self.secs
    }
}

async fn load(wrk: &str, address: SocketAddr, secret: Option<&Secret>) -> Result<Load> {
    let mut command = tokio::process::Command::new(wrk);
    command.args(["--threads", "2", "--connections", "32", "--duration", &format!("{SECS}s"), "--timeout", "10s"]);
    command.arg("--script").arg(crate::root().join("tests/src/bench/mix.lua")).arg(format!("http://{address}"));
    if let Some(secret) = secret {
        command.env("BENCH_TOKEN", secret.reveal());
    }
    let output = command.output().await?;
    let told = String::from_utf8(output.stdout)?;
    ensure!(output.status.success(), "wrk: {told}{}", String::from_utf8_lossy(&output.stderr));
    let load: Load = serde_json::from_str(told.lines().last().context("wrk said nothing")?)?;
    ensure!(load.errors == 0 && load.requests > 0, "{load:?}");
    Ok(load)
}

type Send = fn(&str, &str, usize) -> Result<()>;

/// One request of each kind, which must be answered as the mix means it: a builder that is not ready would be no load.
const KINDS: [(&str, Send); 3] = [
    ("an acquire", |url, token, n| {
        sent(
            ureq::post(builder(url, n) + "/acquire").header("Authorization", format!("Bearer {token}")).send_empty(),
            200,
        )
    }),
    ("a get", |url, token, n| {
        sent(ureq::get(builder(url, n)).header("Authorization", format!("Bearer {token}")).call(), 200)
    }),
    ("an enqueue", |url, token, n| {
        let url = format!("{url}/v1/projects/acme/queued-{}/jobs", n % QUEUED);
        let request = ureq::post(url).header("Authorization", format!("Bearer {token}"));
        sent(request.send_json(serde_json::json!({ "kind": "provision", "arch": "arm64" })), 202)
    }),
];

fn builder(url: &str, n: usize) -> String {
    format!("{url}/v1/projects/acme/ready-{}/builders/{}", n % READY, Arch::ALL[n / READY % 2])
}

fn sent(answer: Result<ureq::http::Response<ureq::Body>, ureq::Error>, wanted: u16) -> Result<()> {
    let status = answer?.status().as_u16();
    ensure!(status == wanted, "{status} instead of {wanted}");
    Ok(())
}

/// An organization with projects, ready builders in some of them, and a token.
async fn prepare(url: &str) -> Result<Secret> {
    Store::migrate(url).await?;
    let (store, now_ms) = (Store::open(url).await?, Wall.now_ms());
    let org = store.create_org(&"acme".parse()?, OrgId::from_uuid(Uuid::now_v7()), now_ms).await?.id;
    let ready = (0..READY).map(|n| format!("ready-{n}"));
    for name in ready.chain((0..QUEUED).map(|n| format!("queued-{n}"))) {
        let id = ProjectId::from_uuid(Uuid::now_v7());
        let project = NewProject {
            id,
            org,
            name: name.parse()?,
            residency: Residency::Eu,
            cloud: Cloud::Aws,
            region: None,
            size: Size::S4x8,
            cache: CacheShape { size_gib: 50, iops: None, throughput_mibps: None },
        };
        store.create_project(project, now_ms).await?;
        for arch in Arch::ALL.into_iter().filter(|_| name.starts_with("ready")) {
            store.enqueue(NewJob::now(Request::Provision { project: id, arch }), now_ms).await?;
        }
    }
    let cloud = FakeCloud::new(FakeConfig::instant(), Arc::new(|| Wall.now_ms()));
    let providers = Providers::from([(Cloud::Aws, Arc::new(cloud.provider(Cloud::Aws)) as Arc<dyn Provider>)]);
    let executor = Executor::new(store.clone(), providers, Policy::default(), Arc::new(Wall));
    let config = WorkerConfig { drain: true, ..WorkerConfig::new(WorkerId::from("bench")) };
    worker::run(store.clone(), Arc::new(executor), config, Arc::new(Wall), CancellationToken::new()).await?;
    let holder = Holder::Org(org);
    let secret = Secret::new(holder.kind(), [7; 32]);
    let token = NewToken {
        id: TokenId::from_uuid(Uuid::now_v7()),
        hash: secret.hash(),
        holder,
        scope: TokenScope::Build,
        name: "bench".to_owned(),
        created_by: "bench".to_owned(),
        expires_ms: now_ms + 3_600_000,
    };
    store.create_token(&token, now_ms).await?;
    Ok(secret)
}

async fn serve(store: Store, stop: CancellationToken) -> Result<SocketAddr> {
    let settings = Settings {
        listen: ([127, 0, 0, 1], 0).into(),
        address_per_sec: 1_000_000,
        identity_per_sec: 1_000_000,
        ..Settings::default()
    };
    let door = Door::open(&settings).await?;
    let (address, app) = (door.address()?, App::new(store, Arc::new(Wall), &settings));
    tokio::spawn(async move { api::serve(app, door, &settings, stop).await });
    Ok(address)
}

/// The bare thing.
async fn serve_bare(url: &str, stop: CancellationToken) -> Result<SocketAddr> {
    let mut options = sea_orm::ConnectOptions::new(url);
    let most = if url.starts_with("sqlite") { SQLITE_CONNECTIONS } else { POSTGRES_CONNECTIONS };
    options
        .max_connections(most)
        .test_before_acquire(false)
        .acquire_timeout(Duration::from_secs(10))
        .sqlx_logging(false);
    let db = sea_orm::Database::connect(options).await?;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let router = Router::new().route("/", get(one)).with_state(db);
    let serving = axum::serve(listener, router).with_graceful_shutdown(stop.cancelled_owned());
    tokio::spawn(async move { serving.await });
    Ok(address)
}

async fn one(State(db): State<DatabaseConnection>) -> Result<String, StatusCode> {
    let row = db.query_one_raw(Statement::from_string(db.get_database_backend(), "SELECT 1")).await;
    let row = row.ok().flatten().ok_or(StatusCode::INTERNAL_SERVER_ERROR)?;
    let number: i32 = row.try_get_by_index(0).map_err(|_| StatusCode::INTERNAL_SERVER_ERROR)?;
    Ok(number.to_string())
}
