//! The worker's engine on both databases.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use async_trait::async_trait;
use provisioner::{
    core::{Fact, JobId, Outcome},
    execute::{Clock, Handled, Handler, Lease},
    store::{Claimed, NewJob, Store, WorkerId},
    worker::{Summary, WorkerConfig, WorkerError, run},
};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::db::{Db, NOW, TestClock, on_both, on_postgres, provision, until};

/// Does nothing for a while, and remembers what it did.
#[derive(Default)]
struct Sleeper {
    nap: Duration,
    /// How many times each job was driven to its end while its lease was held.
    done: Mutex<BTreeMap<JobId, u32>>,
    began: Mutex<BTreeMap<JobId, u32>>,
    panics: bool,
}

impl Sleeper {
    fn napping(ms: u64) -> Arc<Self> {
        Arc::new(Self { nap: Duration::from_millis(ms), ..Self::default() })
    }

    fn began(&self) -> usize {
        self.began.lock().unwrap().len()
    }
}

#[async_trait]
impl Handler for Sleeper {
    async fn run(&self, claimed: Claimed, lease: Lease) -> Handled {
        let again = {
            let mut began = self.began.lock().unwrap();
            let times = began.entry(claimed.claim.job).or_default();
            *times += 1;
            *times > 1
        };
        assert!(!self.panics || again, "on purpose");
        tokio::select! {
            () = lease.stopping().cancelled() => return Handled::Later { run_at_ms: NOW },
            () = lease.lost().cancelled() => return Handled::Lost,
            () = lease.cancelled() => {}
            () = tokio::time::sleep(self.nap) => {}
        }
        *self.done.lock().unwrap().entry(claimed.claim.job).or_default() += 1;
        Handled::Ended {
            outcome: Outcome::SUCCESS,
            facts: vec![Fact::Ended { outcome: Outcome::SUCCESS }],
            drops: None,
        }
    }
}

struct Worker {
    stop: CancellationToken,
    task: JoinHandle<Result<Summary, WorkerError>>,
}

impl Worker {
    fn start(store: &Store, handler: &Arc<Sleeper>, clock: &Arc<TestClock>, config: WorkerConfig) -> Self {
        let stop = CancellationToken::new();
        let handler: Arc<dyn Handler> = Arc::clone(handler) as _;
        let clock: Arc<dyn Clock> = Arc::clone(clock) as _;
        let task = tokio::spawn(run(store.clone(), handler, config, clock, stop.clone()));
        Self { stop, task }
    }

    async fn stop(self) -> Summary {
        self.stop.cancel();
        self.task.await.unwrap().unwrap()
    }

    /// As SIGKILL would: nothing is handed back, nothing is signed off.
    async fn kill(self) {
        self.task.abort();
        drop(self.task.await);
    }
}

fn config(name: &str) -> WorkerConfig {
    WorkerConfig { slots: 32, lease_ms: 3_000, ..WorkerConfig::new(WorkerId::from(name)) }
}

fn draining(name: &str) -> WorkerConfig {
    WorkerConfig { drain: true, ..config(name) }
}

async fn fill(db: &Db, jobs: u128, lanes: u128) {
    for n in 0..jobs {
        db.enqueue(provision(n % lanes)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_draining_worker_ends_when_nothing_is_left() {
    on_both(async |db: &Db| {
        fill(db, 300, 70).await;
        let (handler, clock) = (Sleeper::napping(0), TestClock::new());
        let later = NewJob { run_at_ms: Some(NOW + 600), ..NewJob::now(provision(900)) };
        db.store.enqueue(later, NOW).await.unwrap();
        let summary = Worker::start(&db.store, &handler, &clock, draining("a")).task.await.unwrap().unwrap();
        assert_eq!((summary.claimed, summary.succeeded, summary.lost), (301, 301, 0));
        assert_eq!((db.live().await, db.succeeded().await), (0, 301));
        assert!(clock.now_ms() >= NOW + 600);
        assert_eq!(db.number("SELECT count(*) FROM workers").await, 0);
        assert_eq!(db.number("SELECT count(*) FROM lanes WHERE worker IS NOT NULL").await, 0);
        // With nothing to do it ends at once.
        let summary = Worker::start(&db.store, &handler, &clock, draining("a")).task.await.unwrap().unwrap();
        assert_eq!(summary, Summary::default());
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_idle_worker_is_woken() {
    on_both(async |db: &Db| {
        let (handler, clock) = (Sleeper::napping(0), TestClock::new());
        // It looks by itself once an hour: what begins before that was told of.
        let worker =
            Worker::start(&db.store, &handler, &clock, WorkerConfig { poll_ms: Some(3_600_000), ..config("a") });
        tokio::time::sleep(Duration::from_millis(300)).await;
        let other = db.another().await;
        let store = if db.is_postgres { &other } else { &db.store };
        store.enqueue(NewJob::now(provision(1)), NOW).await.unwrap();
        until("it began", async || handler.began() == 1).await;
        // And when a job's time has come, and not before.
        let run_at_ms = clock.now_ms() + 300;
        let later = NewJob { run_at_ms: Some(run_at_ms), ..NewJob::now(provision(2)) };
        let job = store.enqueue(later, NOW).await.unwrap().job;
        until("it began when its time had come", async || handler.began() == 2).await;
        until("it ended", async || store.job(job).await.unwrap().unwrap().ended_ms.is_some()).await;
        let started_ms = store.job(job).await.unwrap().unwrap().started_ms.unwrap();
        assert!(started_ms >= run_at_ms, "{started_ms} < {run_at_ms}");
        worker.stop().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stopped_worker_hands_its_jobs_back() {
    on_both(async |db: &Db| {
        fill(db, 50, 50).await;
        let (handler, clock) = (Sleeper::napping(60_000), TestClock::new());
        let worker = Worker::start(&db.store, &handler, &clock, config("a"));
        until("32 began", async || handler.began() == 32).await;
        let summary = worker.stop().await;
        assert_eq!((summary.claimed, summary.handed_back, summary.lost), (32, 32, 0));
        assert_eq!(db.live().await, 50);
        assert_eq!(db.number("SELECT count(*) FROM lanes WHERE worker IS NOT NULL").await, 0);
        assert_eq!(db.number("SELECT max(attempt) FROM jobs").await, 1);
        let handler = Sleeper::napping(0);
        let summary = Worker::start(&db.store, &handler, &clock, draining("a")).task.await.unwrap().unwrap();
        assert_eq!(summary.succeeded, 50);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_workers_jobs_are_taken_over_when_its_lease_is_over() {
    on_both(async |db: &Db| {
        fill(db, 300, 250).await;
        let (doomed, heir, clock) = (Sleeper::napping(30), Sleeper::napping(30), TestClock::new());
        let other = db.another().await;
        let victim = Worker::start(&db.store, &doomed, &clock, config("victim"));
        let survivor = Worker::start(&other, &heir, &clock, draining("survivor"));
        until("some are done", async || doomed.done.lock().unwrap().len() >= 40).await;
        victim.kill().await;
        let lease_until = db.number("SELECT lease_until FROM workers WHERE name = 'victim'").await;
        until("taken over", async || db.number("SELECT count(*) FROM workers").await == 1).await;
        assert!(clock.now_ms() >= lease_until, "not a moment before");
        let summary = survivor.task.await.unwrap().unwrap();
        assert!(summary.taken_over > 0, "{summary}");
        assert_eq!((db.live().await, db.succeeded().await), (0, 300));
        assert!(db.number("SELECT max(attempt) FROM job_history").await == 2);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_live_workers_cannot_share_a_name_but_a_dead_ones_is_free() {
    on_both(async |db: &Db| {
        let (handler, clock) = (Sleeper::napping(10), TestClock::new());
        let first = Worker::start(&db.store, &handler, &clock, config("a"));
        until("signed on", async || db.number("SELECT count(*) FROM workers").await == 1).await;
        let second = Worker::start(&db.store, &handler, &clock, config("a"));
        let refused = second.task.await.unwrap().unwrap_err();
        assert!(matches!(&refused, WorkerError::NameTaken(name) if name.0 == "a"), "{refused}");
        first.kill().await;
        let third = Worker::start(&db.store, &handler, &clock, draining("a"));
        assert_eq!(third.task.await.unwrap().unwrap(), Summary::default());
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_that_was_given_up_drops_its_jobs_and_signs_on_anew() {
    on_both(async |db: &Db| {
        fill(db, 10, 10).await;
        let (handler, clock) = (Sleeper::napping(3_000), TestClock::new());
        let worker = Worker::start(&db.store, &handler, &clock, config("a"));
        until("all began", async || handler.began() == 10).await;
        db.sql("UPDATE workers SET lease_until = 0").await;
        assert_eq!(db.store.sweep(clock.now_ms()).await.unwrap().freed, 10);
        until("all began again", async || handler.began.lock().unwrap().values().all(|times| *times == 2)).await;
        until("all are done", async || db.succeeded().await == 10).await;
        let summary = worker.stop().await;
        assert_eq!((summary.claimed, summary.lost, summary.succeeded), (20, 10, 10));
        assert!(handler.done.lock().unwrap().values().all(|times| *times == 1));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_handler_that_panics_gets_its_job_again() {
    on_both(async |db: &Db| {
        let job = db.enqueue(provision(1)).await;
        let handler = Arc::new(Sleeper { panics: true, ..Sleeper::default() });
        let worker = Worker::start(&db.store, &handler, &TestClock::new(), config("a"));
        let back = format!("SELECT count(*) FROM jobs WHERE id = {job} AND attempt = 2 AND run_at IS NOT NULL");
        until("it is back", async || db.number(&back).await == 1).await;
        worker.stop().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_that_cannot_be_read_is_stuck_and_loud() {
    on_both(async |db: &Db| {
        let job = db.enqueue(provision(1)).await;
        db.enqueue(provision(2)).await;
        db.sql(&format!("UPDATE jobs SET verb = 'conquer' WHERE id = {job}")).await;
        let summary = Worker::start(&db.store, &Sleeper::napping(0), &TestClock::new(), draining("a"));
        let summary = summary.task.await.unwrap().unwrap();
        assert_eq!((summary.succeeded, summary.unsuccessful), (1, 1));
        let outcome = db.text("SELECT outcome FROM job_history WHERE state = 'stuck'").await.unwrap();
        assert!(outcome.contains("conquer"), "{outcome}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cancellation_reaches_the_handler() {
    on_both(async |db: &Db| {
        let job = db.enqueue(provision(1)).await;
        let (handler, clock) = (Sleeper::napping(60_000), TestClock::new());
        let worker = Worker::start(&db.store, &handler, &clock, config("a"));
        until("it began", async || handler.began() == 1).await;
        db.sql(&format!("UPDATE jobs SET cancel_asked = true WHERE id = {job}")).await;
        until("it is done", async || db.succeeded().await == 1).await;
        worker.stop().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_lost_when_connections_break() {
    on_postgres(async |db: &Db| {
        fill(db, 600, 300).await;
        let (handler, clock) = (Sleeper::napping(5), TestClock::new());
        let worker = Worker::start(&db.store, &handler, &clock, draining("a"));
        for _ in 0..8 {
            tokio::time::sleep(Duration::from_millis(60)).await;
            db.sql(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() \
                 AND pid <> pg_backend_pid()",
            )
            .await;
        }
        let summary = worker.task.await.unwrap().unwrap();
        assert_eq!((db.live().await, db.succeeded().await), (0, 600), "{summary}");
        assert_eq!(db.number("SELECT count(*) FROM lanes WHERE worker IS NOT NULL").await, 0);
    })
    .await;
}
