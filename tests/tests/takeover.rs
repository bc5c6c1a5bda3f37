//! Two workers on PostgreSQL, three hundred builders, one worker killed in the middle: every builder is there exactly once, and what
//! the dead worker held was taken over.

#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "a test fails by panicking, and lives at the edge")]

use std::{sync::Arc, time::Duration};

use providers::{
    Kind, Provider,
    fake::{FakeCloud, FakeConfig},
};
use provisioner::{
    core::{JobState, OrgId, Policy, ProjectId, Request, scene::CacheShape},
    execute::{Clock, Executor, Providers},
    store::{JobFilter, NewJob, NewProject, Store, WorkerId},
    worker::{self, Summary, WorkerConfig},
};
use regions::{Arch, Cloud, Residency, Size};
use tests::database::Database;
use tokio::{task::JoinHandle, time::Instant};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

const PROJECTS: u128 = 150;
const LEASE_MS: i64 = 3_000;

/// Real time, from one anchor.
struct RealClock(Instant);

impl Clock for RealClock {
    fn now_ms(&self) -> i64 {
        1_800_000_000_000 + i64::try_from(self.0.elapsed().as_millis()).unwrap()
    }
}

fn hire(name: &str, store: &Store, cloud: &FakeCloud, clock: &Arc<RealClock>) -> JoinHandle<Summary> {
    let provider: Arc<dyn Provider> = Arc::new(cloud.provider(Cloud::Aws));
    let clock: Arc<dyn Clock> = Arc::<RealClock>::clone(clock);
    let providers = Providers::from([(Cloud::Aws, provider)]);
    let executor = Executor::new(store.clone(), providers, Policy::default(), Arc::clone(&clock));
    let config =
        WorkerConfig { lease_ms: LEASE_MS, slots: 100, drain: true, ..WorkerConfig::new(WorkerId::from(name)) };
    let store = store.clone();
    tokio::spawn(async move {
        worker::run(store, Arc::new(executor), config, clock, CancellationToken::new()).await.unwrap()
    })
}

fn all() -> JobFilter {
    JobFilter { limit: 1_000, ..JobFilter::default() }
}

async fn ended(store: &Store) -> usize {
    store.jobs(all()).await.unwrap().iter().filter(|job| job.state.has_ended()).count()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_workers_jobs_are_taken_over_and_done_once() {
    let database = Database::postgres().await;
    let store = database.store().await;
    let clock = Arc::new(RealClock(Instant::now()));
    let ticks = Arc::clone(&clock);
    let config = FakeConfig { latency_ms: 5, boot_ms: 1_000, visibility_ms: 200, ..FakeConfig::default() };
    let cloud = FakeCloud::new(config, Arc::new(move || ticks.now_ms()));
    let org = store.create_org(&"acme".parse().unwrap(), OrgId::from_uuid(Uuid::from_u128(1)), 0).await.unwrap();
    for n in 0..PROJECTS {
        let project = NewProject {
            id: ProjectId::from_uuid(Uuid::from_u128(1_000 + n)),
            org: org.id,
            name: format!("project-{n}").parse().unwrap(),
            residency: if n % 2 == 0 { Residency::Us } else { Residency::Eu },
            cloud: Cloud::Aws,
            region: None,
            size: Size::S4x8,
            cache: CacheShape { size_gib: 50, iops: None, throughput_mibps: None },
        };
        let id = project.id;
        store.create_project(project, 0).await.unwrap();
        for arch in Arch::ALL {
            store.enqueue(NewJob::now(Request::Provision { project: id, arch }), clock.now_ms()).await.unwrap();
        }
    }
    let doomed = hire("doomed", &store, &cloud, &clock);
    let heir = hire("heir", &store, &cloud, &clock);
    while ended(&store).await < 60 {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    doomed.abort();
    let killed_ms = clock.now_ms();
    assert!(doomed.await.unwrap_err().is_cancelled());
    let summary = heir.await.unwrap();
    let jobs = store.jobs(all()).await.unwrap();
    let done = jobs.iter().filter(|job| job.state == JobState::Succeeded).count();
    let inherited: Vec<_> = jobs.iter().filter(|job| job.attempt > 1).collect();
    let first_ms = inherited.iter().filter_map(|job| job.started_ms).min();
    println!("{} jobs, {done} succeeded, {} taken over", jobs.len(), inherited.len());
    println!(
        "the first was taken over {:?} ms after the kill, the lease is {LEASE_MS} ms",
        first_ms.map(|ms| ms - killed_ms)
    );
    assert_eq!((jobs.len(), done), (300, 300));
    assert!(summary.taken_over > 0 && !inherited.is_empty(), "the kill came too late to be one: {summary}");
    assert_eq!(cloud.violations(), []);
    let ever = cloud.ever();
    assert_eq!((ever.made(Kind::Machine), ever.made(Kind::Volume)), (300, 300), "each exactly once");
    assert!(ever.keys_by_org.values().all(|keys| *keys as usize <= cloud.snapshot().keys.len()));
    assert_eq!(cloud.snapshot().machines.len(), 300);
}
