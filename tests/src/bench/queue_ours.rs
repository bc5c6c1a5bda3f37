//! Our queue under the same loads, with everything on: order and exclusion per builder, fences, history, events.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result};
use async_trait::async_trait;
use provisioner::{
    core::{Fact, Outcome, ProjectId, Request},
    execute::{Clock, Handled, Handler, Lease},
    store::{Claimed, NewJob, Store, WorkerId},
    worker::{Summary, WorkerConfig, WorkerError, run},
};
use regions::Arch;
use sea_orm::{ConnectionTrait, Database, DatabaseConnection, Statement};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// Builders among which the jobs are spread.
const BUILDERS: usize = 5_000;

/// A database with tenants in it, and another connection for looking.
#[derive(Debug)]
pub(super) struct Ours {
    pub(super) url: String,
    pub(super) store: Store,
    pub(super) side: DatabaseConnection,
}

impl Ours {
    pub(super) async fn new(url: &str) -> Result<Self> {
        Store::migrate(url).await?;
        let side = Database::connect(url).await?;
        let is_postgres = side.get_database_backend() == sea_orm::DbBackend::Postgres;
        let quote = |id: Uuid| if is_postgres { format!("'{id}'") } else { format!("x'{}'", id.simple()) };
        let org = quote(Uuid::from_u128(1 << 100));
        let mut sql = format!("INSERT INTO orgs (id, name, deleting, created) VALUES ({org}, 'acme', false, 0);");
        for n in 0..BUILDERS / 2 {
            let id = quote(project(n).as_uuid());
            sql.push_str(&format!(
                "INSERT INTO projects (id, org, name, residency, cloud, size, cache_gib, deleting, created) \
                 VALUES ({id}, {org}, 'project-{n}', 'us', 'aws', '4x8', 10, false, 0);"
            ));
        }
        side.execute_unprepared(&format!("BEGIN; {sql} COMMIT;")).await?;
        Ok(Self { url: url.to_owned(), store: Store::open(url).await?, side })
    }

    pub(super) async fn number(&self, sql: &str) -> Result<f64> {
        let statement = Statement::from_string(self.side.get_database_backend(), sql.to_owned());
        let row = self.side.query_one_raw(statement).await?.context("no row")?;
        Ok(row.try_get_by_index::<f64>(0)?)
    }

    pub(super) async fn sql(&self, sql: &str) -> Result<()> {
        self.side.execute_unprepared(sql).await?;
        Ok(())
    }

    /// Another process's handle, as far as the database can tell.
    pub(super) async fn another(&self) -> Result<Store> {
        Ok(Store::open(&self.url).await?)
    }

    /// A transaction that keeps the snapshot it has now, until it is dropped.
    pub(super) async fn another_session(&self) -> Result<sea_orm::DatabaseTransaction> {
        use sea_orm::TransactionTrait;
        let other = Database::connect(&self.url).await?;
        let tx = other.begin_with_config(Some(sea_orm::IsolationLevel::RepeatableRead), None).await?;
        tx.execute_unprepared("SELECT count(*) FROM jobs").await?;
        Ok(tx)
    }

    /// Jobs a second, enqueued one by one by so many tasks.
    pub(super) async fn enqueue(&self, jobs: usize, tasks: usize) -> Result<f64> {
        let next = Arc::new(AtomicUsize::new(0));
        let begun = Instant::now();
        let mut running = Vec::new();
        for _ in 0..tasks {
            let (store, next) = (self.store.clone(), Arc::clone(&next));
            running.push(tokio::spawn(async move {
                loop {
                    let n = next.fetch_add(1, Ordering::Relaxed);
                    if n >= jobs {
                        return Ok::<_, anyhow::Error>(());
                    }
                    store.enqueue(NewJob::now(request(n)), now_ms()).await?;
                }
            }));
        }
        for task in running {
            task.await??;
        }
        Ok(jobs as f64 / begun.elapsed().as_secs_f64())
    }

    /// Jobs a second that a worker drains, with so many in flight.
    pub(super) async fn drain(&self, jobs: usize, slots: usize) -> Result<f64> {
        let store = self.another().await?;
        let begun = Instant::now();
        let worker = Worker::start(&store, Arc::new(Noop::default()), slots, true);
        let summary = worker.task.await??;
        let took = begun.elapsed().as_secs_f64();
        anyhow::ensure!(summary.succeeded == jobs as u64, "{summary}");
        Ok(jobs as f64 / took)
    }

    /// Milliseconds from before `enqueue` to the start of the handler in an idle worker.
    pub(super) async fn latencies(&self, samples: usize) -> Result<Vec<f64>> {
        let store = self.another().await?;
        let noop = Arc::new(Noop::default());
        let worker = Worker::start(&store, Arc::clone(&noop), 32, false);
        tokio::time::sleep(Duration::from_millis(500)).await;
        let mut out = Vec::new();
        for n in 0..samples {
            tokio::time::sleep(super::queue::gap(n)).await;
            let begun = Instant::now();
            self.store.enqueue(NewJob::now(request(n * 7)), now_ms()).await?;
            noop.wait_for(n + 1).await;
            out.push(noop.last_start().duration_since(begun).as_secs_f64() * 1_000.0);
        }
        worker.stop().await?;
        Ok(out)
    }

    /// So many jobs, so far apart, for an idle worker; returns when all are in the history.
    pub(super) async fn trickle(&self, jobs: usize, gap: Duration) -> Result<()> {
        for n in 0..jobs {
            tokio::time::sleep(gap).await;
            self.store.enqueue(NewJob::now(request(n * 7)), now_ms()).await?;
        }
        tokio::time::sleep(gap * 10).await;
        Ok(())
    }
}

pub(super) fn project(n: usize) -> ProjectId {
    // As version 7 has it: a time in front, chance behind.
    let chance = (n as u128 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c834) >> 66;
    ProjectId::from_uuid(Uuid::from_u128((0x0192_f0c1_0000_7000_8000_u128 << 48) + ((n as u128) << 80) + chance))
}

pub(super) fn request(n: usize) -> Request {
    let arch = if n.is_multiple_of(2) { Arch::X86_64 } else { Arch::Arm64 };
    Request::Provision { project: project(n / 2 % (BUILDERS / 2)), arch }
}

fn now_ms() -> i64 {
    1_700_000_000_000
}

/// Ends every job at once.
#[derive(Debug, Default)]
pub(super) struct Noop {
    started: AtomicUsize,
    last: Mutex<Option<Instant>>,
    changed: tokio::sync::Notify,
}

impl Noop {
    async fn wait_for(&self, jobs: usize) {
        loop {
            let changed = self.changed.notified();
            if self.started.load(Ordering::Acquire) >= jobs {
                return;
            }
            changed.await;
        }
    }

    fn last_start(&self) -> Instant {
        self.last.lock().ok().and_then(|last| *last).unwrap_or_else(Instant::now)
    }
}

#[async_trait]
impl Handler for Noop {
    async fn run(&self, _: Claimed, _: Lease) -> Handled {
        if let Ok(mut last) = self.last.lock() {
            *last = Some(Instant::now());
        }
        self.started.fetch_add(1, Ordering::Release);
        self.changed.notify_one();
        let outcome = Outcome::SUCCESS;
        Handled::Ended { outcome: outcome.clone(), facts: vec![Fact::Ended { outcome }], drops: None }
    }
}

struct BenchClock(Instant);

impl Clock for BenchClock {
    fn now_ms(&self) -> i64 {
        now_ms() + i64::try_from(self.0.elapsed().as_millis()).unwrap_or(0)
    }
}

pub(super) struct Worker {
    stop: CancellationToken,
    task: JoinHandle<Result<Summary, WorkerError>>,
}

impl Worker {
    pub(super) fn start(store: &Store, handler: Arc<Noop>, slots: usize, drain: bool) -> Self {
        static SERIAL: AtomicUsize = AtomicUsize::new(0);
        let name = format!("worker-{}", SERIAL.fetch_add(1, Ordering::Relaxed));
        let config = WorkerConfig { slots, drain, ..WorkerConfig::new(WorkerId(name)) };
        let stop = CancellationToken::new();
        let clock = Arc::new(BenchClock(Instant::now()));
        let task = tokio::spawn(run(store.clone(), handler, config, clock, stop.clone()));
        Self { stop, task }
    }

    pub(super) async fn stop(self) -> Result<Summary> {
        self.stop.cancel();
        Ok(self.task.await??)
    }
}
