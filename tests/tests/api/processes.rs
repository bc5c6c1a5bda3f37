//! The built binary as it runs in production: several processes of the API and several workers over one database, one cloud behind all of them,
//! and callers of many builders at once.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use anyhow::{Result, ensure};
use futures_util::future::join_all;
use provisioner::{
    core::JobState,
    store::{JobFilter, Store},
};
use regions::Cloud;
use reqwest::Client;
use serde_json::Value;
use tests::{
    binary::{Installation, Running},
    database::Database,
    emulator::Emulator,
};

const REGION: &str = "eu-central-1";
const ORGS: usize = 5;
const ARCHS: [&str; 2] = ["x86_64", "arm64"];
/// For each builder.
const CALLERS: usize = 20;

/// Asks until it is told the endpoint, as often as it is told to.
async fn endpoint(client: &Client, url: &str, secret: &str) -> Result<String> {
    loop {
        let response = client.post(url).bearer_auth(secret).send().await?;
        let (status, again) = (response.status().as_u16(), response.headers().get("retry-after").cloned());
        let body: Value = response.json().await?;
        match (status, body["endpoint"].as_str()) {
            (200, Some(endpoint)) => return Ok(endpoint.to_owned()),
            (202, _) => {
                let secs = again.and_then(|secs| secs.to_str().ok()?.parse().ok()).unwrap_or(1);
                tokio::time::sleep(Duration::from_secs(secs)).await;
            }
            _ => anyhow::bail!("{url}: {status} {body}"),
        }
    }
}

/// Builders, their callers, and the processes at whose doors they ask in turn.
struct Crowd<'a> {
    fleet: &'a Installation<'a>,
    store: Store,
    builders: usize,
    doors: Vec<String>,
}

impl Crowd<'_> {
    /// Organizations with so many builders in all, and a token for each organization: the builders' paths and tokens.
    fn prepare(&self) -> Result<Vec<(String, String)>> {
        let mut builders = Vec::new();
        for n in 0..ORGS {
            let org = format!("org-{n}");
            self.fleet.run(&["org", "create", &org])?;
            let secret = self.fleet.run(&["token", "create", "--org", &org, "--scope", "build"])?.trim().to_owned();
            for project in 0..self.builders / ORGS / ARCHS.len() {
                let path = format!("{org}/project-{project}");
                self.fleet.run(&["project", "create", &path, "--residency", "eu", "--region", REGION])?;
                builders
                    .extend(ARCHS.map(|arch| (format!("/v1/projects/{path}/builders/{arch}/acquire"), secret.clone())));
            }
        }
        ensure!(builders.len() == self.builders, "{} builders", builders.len());
        Ok(builders)
    }

    /// All at once: one endpoint for each builder, one job, one machine, one cache.
    async fn ask(&self, emulator: &Emulator) -> Result<()> {
        let (client, builders) = (Client::new(), self.prepare()?);
        let calls = (0..CALLERS * self.builders).map(|n| {
            let (path, secret) = &builders[n / CALLERS];
            let (url, secret, client) =
                (format!("{}{path}", self.doors[n % self.doors.len()]), secret.clone(), client.clone());
            let path = path.clone();
            tokio::spawn(async move { (path, endpoint(&client, &url, &secret).await) })
        });
        let mut endpoints: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for told in join_all(calls).await {
            let (path, endpoint) = told?;
            endpoints.entry(path).or_default().insert(endpoint?);
        }
        ensure!(
            endpoints.values().all(|told| told.len() == 1),
            "callers of one builder were told several: {endpoints:?}"
        );
        let distinct: BTreeSet<&String> = endpoints.values().flatten().collect();
        ensure!((endpoints.len(), distinct.len()) == (self.builders, self.builders), "{endpoints:?}");
        let jobs = self.store.jobs(JobFilter { limit: 1_000, ..JobFilter::default() }).await?;
        ensure!(jobs.len() == self.builders, "{} jobs", jobs.len());
        ensure!(jobs.iter().all(|job| job.state == JobState::Succeeded), "{jobs:?}");
        let workers: BTreeSet<_> = jobs.iter().filter_map(|job| job.worker.clone()).collect();
        let state = emulator.get("state")?;
        let count = |kind: &str| state["regions"][REGION][kind].as_array().map_or(0, Vec::len);
        // Each machine has a root volume beside its cache; an organization has one key.
        let (machines, volumes, keys) = (count("instances"), count("volumes"), count("keys"));
        ensure!((machines, volumes, keys) == (self.builders, 2 * self.builders, ORGS), "{machines}, {volumes}, {keys}");
        let calls = emulator.counts()?.get("ec2.RunInstances").copied().unwrap_or(0);
        println!(
            "{} callers at {} doors: {} endpoints, {} jobs by {} workers, {machines} machines by {calls} calls of RunInstances",
            CALLERS * self.builders,
            self.doors.len(),
            distinct.len(),
            jobs.len(),
            workers.len(),
        );
        Ok(())
    }
}

const LIMITS: &str = "[api]\naddress_per_sec = 100000\nidentity_per_sec = 100000\n";

fn serve(fleet: &Installation<'_>, log: &str, more: &[&str]) -> Result<(Running, String)> {
    let mut process = fleet.start(log, &[&["serve", "--listen", "127.0.0.1:0"], more].concat())?;
    let url = process.told("listening on ")?;
    Ok((process, url))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_callers_of_fifty_builders_at_two_doors_get_fifty_machines_on_postgres() -> Result<()> {
    let (emulator, database) = (Emulator::start(Cloud::Aws, 1.0)?, Database::postgres().await);
    let fleet = Installation::new(&emulator, &[REGION])?.over(database.url())?;
    fleet.configure(LIMITS)?;
    let (_one, first) = serve(&fleet, "serve-1.log", &[])?;
    let (_two, second) = serve(&fleet, "serve-2.log", &[])?;
    let _workers = ["worker-1", "worker-2"].map(|id| fleet.start(id, &["worker", "--id", id, "--lease-secs", "10"]));
    let crowd = Crowd { fleet: &fleet, store: database.store().await, builders: 50, doors: vec![first, second] };
    crowd.ask(&emulator).await
}

/// SQLite is for one process, which does both.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn callers_of_twenty_builders_get_twenty_machines_of_one_process_on_sqlite() -> Result<()> {
    let (emulator, database) = (Emulator::start(Cloud::Aws, 1.0)?, Database::sqlite().await);
    let fleet = Installation::new(&emulator, &[REGION])?.over(database.url())?;
    fleet.configure(LIMITS)?;
    let (_all, door) = serve(&fleet, "serve.log", &["--worker"])?;
    let crowd = Crowd { fleet: &fleet, store: database.store().await, builders: 20, doors: vec![door] };
    crowd.ask(&emulator).await
}
