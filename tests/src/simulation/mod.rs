//! The simulation: from a seed a random fleet, random requests, faults, cancellations, workers that crash and clocks that differ, all on
//! paused time, with the real store, the real worker, the real executor and the modelled cloud. At the end the cloud and
//! the database must say the same.
//!
//! It never looks at a real clock, and everything that looks like chance comes from the seed.

mod judge;
mod script;
pub(crate) mod time;

use std::{fmt::Write as _, sync::Arc, time::Duration};

use anyhow::{Context, Result, bail, ensure};
use fastrand::Rng;
use providers::{
    Kind, Provider,
    fake::{FakeCloud, FakeConfig, FaultRates},
};
use provisioner::{
    core::{JobState, Policy, Verdict, policy::Sabotage},
    execute::{Clock, Executor, Providers},
    reconcile::{self, Decision, Item, Mode, Reconciler, Settings},
    store::{JobFilter, Store, StoreError, WorkerId},
    worker::{self, WorkerConfig},
};
use regions::Cloud;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

pub use judge::Report;
use time::SimulatedClock;

/// How long workers hold a job without a heartbeat, in milliseconds.
const LEASE_MS: i64 = 6_000;
/// How long chaos reigns, in milliseconds. Then the cloud calms down and one sound worker drains the queue.
const CHAOS_MS: u64 = 90_000;

/// A queue that is not drained within this much calm weather never will be.
const DRAIN_AT_MOST: Duration = Duration::from_secs(3_600);

/// Runs one seed.
///
/// # Errors
/// What was not as it must be.
pub fn simulate(seed: u64, sabotage: Option<Sabotage>) -> Result<Report> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build()?;
    let result = runtime.block_on(async {
        // Paused time: whoever is not done by then never will be.
        let run = tokio::time::timeout(DRAIN_AT_MOST * 8, Simulation::run(seed, sabotage));
        run.await.context("it does not come to an end")?
    });
    // Blocking tasks are guards of accesses that were dropped; none is waited for.
    runtime.shutdown_background();
    result.with_context(|| format!("seed {seed}"))
}

struct Simulation {
    rng: Rng,
    store: Store,
    cloud: FakeCloud,
    clock: Arc<SimulatedClock>,
    policy: Policy,
    workers: u32,
    reports: Vec<reconcile::Report>,
    /// No two clocks agree: what one worker holds others take over, and it goes on unknowing. Full zones have both plan anew.
    astray: bool,
}

struct Worker {
    task: JoinHandle<()>,
}

impl Simulation {
    async fn run(seed: u64, sabotage: Option<Sabotage>) -> Result<Report> {
        let mut rng = Rng::with_seed(seed);
        let clock = Arc::new(SimulatedClock::new(0));
        let mut store = Store::open_with_guard("sqlite::memory:", time::guard()).await?;
        if sabotage == Some(Sabotage::NoFencing) {
            store = store.without_fencing();
        }
        let ticks = Arc::clone(&clock);
        let astray = rng.u8(0..3) == 0;
        let cloud = FakeCloud::new(weather(seed, &mut rng, astray), Arc::new(move || ticks.now_ms()));
        let policy = Policy { sabotage, step_deadline_secs: 120, backoff_most_ms: 20_000, ..Policy::default() };
        let mut simulation = Self { rng, store, cloud, clock, policy, workers: 0, reports: Vec::new(), astray };
        let fleet = script::Fleet::found(&simulation.store, &mut simulation.rng, simulation.clock.now_ms()).await?;
        simulation.chaos(&fleet).await?;
        simulation.settle().await?;
        simulation.converge().await?;
        for item in simulation.reports.iter().flat_map(|report| &report.items) {
            // Whoever plays in this simulation uses the program only: there is nothing to mend.
            let is_told = matches!(item.outcome, Decision::Enqueued { .. });
            ensure!(!is_told, "reconcile mended what was in flight: {item:?}");
        }
        let mut report = judge::judge(&simulation.store, &simulation.cloud).await?;
        report.reconciled = simulation.reports.len();
        report.findings = simulation.reports.iter().map(|report| report.items.len()).sum();
        Ok(report)
    }

    fn providers(&self) -> Providers {
        let clouds = Cloud::ALL.into_iter();
        clouds.map(|cloud| (cloud, Arc::new(self.cloud.provider(cloud)) as Arc<dyn Provider>)).collect()
    }

    /// A worker whose clock is off by so much.
    fn hire(&mut self, skew_ms: i64, drain: bool) -> Worker {
        self.workers += 1;
        let clock: Arc<dyn Clock> = Arc::new(self.clock.skewed(skew_ms));
        let executor = Executor::new(self.store.clone(), self.providers(), self.policy.clone(), Arc::clone(&clock));
        let id = WorkerId(format!("worker-{}", self.workers));
        let config = WorkerConfig { slots: 6, lease_ms: LEASE_MS, drain, ..WorkerConfig::new(id) };
        let store = self.store.clone();
        let task = tokio::spawn(async move {
            // A worker that can't start in the chaos is one that is not there.
            drop(worker::run(store, Arc::new(executor), config, clock, CancellationToken::new()).await);
        });
        Worker { task }
    }

    async fn chaos(&mut self, fleet: &script::Fleet) -> Result<()> {
        let mut moments = fleet.script(&mut self.rng, CHAOS_MS);
        for _ in 0..self.rng.usize(1..4) {
            let crash = script::Event::Crash { pause_ms: self.rng.u64(0..8_000) };
            moments.push((self.rng.u64(0..CHAOS_MS), crash));
        }
        for _ in 0..self.rng.usize(0..8) {
            moments.push((self.rng.u64(0..CHAOS_MS), script::Event::Reconcile));
        }
        moments.sort_by_key(|(at_ms, _)| *at_ms);
        let astray = self.astray;
        let mut workers = Vec::new();
        for _ in 0..self.rng.usize(1..4) + usize::from(astray) {
            let skew_ms = self.skew(astray);
            workers.push(self.hire(skew_ms, false));
        }
        let (mut passed_ms, mut runs) = (0, Vec::new());
        for (at_ms, event) in moments {
            tokio::time::sleep(Duration::from_millis(at_ms - passed_ms)).await;
            passed_ms = at_ms;
            match event {
                script::Event::Crash { pause_ms } => {
                    let place = self.rng.usize(0..workers.len());
                    workers[place].task.abort();
                    let skew_ms = self.skew(astray);
                    if pause_ms > 4_000 || workers.len() == 1 {
                        workers[place] = self.hire(skew_ms, false);
                    } else {
                        workers.push(self.hire(skew_ms, false));
                    }
                }
                script::Event::Reconcile => {
                    let skew_ms = self.skew(astray);
                    let reconciler = self.reconciler(skew_ms);
                    runs.push(tokio::spawn(async move { reconciler.run("chaos", &Mode::Repair).await }));
                }
                other => fleet.play(&self.store, &mut self.rng, other, self.clock.now_ms()).await?,
            }
        }
        for worker in workers {
            worker.task.abort();
        }
        for run in runs {
            // One that is still at it is cut off, as a process is.
            run.abort();
            if let Ok(report) = run.await {
                self.reports.push(report?);
            }
        }
        Ok(())
    }

    /// Reconcile with brakes that let go soon: nobody has meddled, so whatever it does it does to what is in flight.
    fn reconciler(&self, skew_ms: i64) -> Reconciler {
        let settings = Settings { min_age_secs: 1, settle_secs: 45, max_percent: 100, ..Settings::default() };
        let clock: Arc<dyn Clock> = Arc::new(self.clock.skewed(skew_ms));
        Reconciler::new(self.store.clone(), self.providers(), self.policy.clone(), settings, clock)
    }

    /// What is left of the chaos is found and mended, and then there is nothing more to find.
    async fn converge(&mut self) -> Result<()> {
        for _ in 0..8 {
            let report = self.reconciler(0).run("calm", &Mode::Repair).await?;
            // A key that was perhaps made is for the next builder that needs it.
            let waits = |item: &Item| {
                (item.finding.verdict, item.finding.kind) == (Verdict::HalfBorn, Kind::Key)
                    && matches!(item.outcome, Decision::Person { .. })
            };
            let is_over = report.items.iter().all(waits) && report.regions.iter().all(|region| region.failed.is_none());
            self.reports.push(report);
            if is_over {
                return Ok(());
            }
            self.settle().await?;
        }
        bail!("reconcile does not come to an end: {:#?}", self.reports.last())
    }

    fn skew(&mut self, astray: bool) -> i64 {
        if astray || self.rng.u8(0..4) == 0 { self.rng.i64(-20_000..20_000) } else { 0 }
    }

    /// Calm weather, one sound worker, and a person who retries what is stuck.
    async fn settle(&mut self) -> Result<()> {
        self.cloud.calm();
        // What was still on its way to the cloud arrives, and the last skewed lease runs out.
        tokio::time::sleep(Duration::from_secs(60)).await;
        for _ in 0..6 {
            let worker = self.hire(0, true);
            if tokio::time::timeout(DRAIN_AT_MOST, worker.task).await.is_err() {
                bail!("the queue is not drained after {DRAIN_AT_MOST:?} of calm weather:\n{}", self.stories().await?);
            }
            let stuck = JobFilter { state: Some(JobState::Stuck), ..all() };
            let stuck = self.store.jobs(stuck).await?;
            if stuck.is_empty() {
                tokio::time::sleep(Duration::from_secs(60)).await;
                return Ok(());
            }
            let mut retried = 0;
            for job in stuck {
                match self.store.retry(job.id, self.clock.now_ms()).await {
                    Ok(_) => retried += 1,
                    // Its project has gone since, with all that it left.
                    Err(StoreError::Refused { .. }) => {}
                    Err(error) => return Err(error.into()),
                }
            }
            if retried == 0 {
                tokio::time::sleep(Duration::from_secs(60)).await;
                return Ok(());
            }
        }
        bail!("jobs are still stuck after retries in calm weather:\n{}", self.stories().await?)
    }

    /// What happened to the jobs that need explaining.
    async fn stories(&self) -> Result<String> {
        let mut text = String::new();
        for job in self.store.jobs(all()).await? {
            if job.state.has_ended() && job.state != JobState::Stuck {
                continue;
            }
            writeln!(text, "{job:?}")?;
            let entries = self.store.entries(job.id).await?;
            for entry in entries.iter().skip(entries.len().saturating_sub(30)) {
                writeln!(text, "  {} {:?}", entry.at_ms, entry.fact)?;
            }
        }
        Ok(text)
    }
}

/// Every job there is.
pub(crate) fn all() -> JobFilter {
    JobFilter { state: None, org: None, project: None, limit: 10_000, before: None }
}

/// A cloud with moods.
fn weather(seed: u64, rng: &mut Rng, astray: bool) -> FakeConfig {
    let mut rate = |most: u32| if rng.bool() { rng.u32(0..most) } else { 0 };
    let faults = FaultRates {
        reply_lost: rate(60),
        request_lost: if astray { 250 } else { rate(60) },
        throttled: rate(80),
        unavailable: rate(60),
        unavailable_after: rate(60),
        no_capacity: if astray { 300 } else { rate(200) },
        delay: if astray { 200 } else { rate(60) },
        delay_ms: 4_000,
    };
    let (latency_ms, visibility_ms) = (rng.u64(0..200), rng.u64(0..3_000));
    // Fixed, because it must not shrink with the faults when these end while calls are still on their way.
    let visible_ms = visibility_ms + 3 * (latency_ms + faults.delay_ms);
    FakeConfig {
        seed,
        latency_ms,
        boot_ms: rng.u64(500..8_000),
        visibility_ms,
        visibility_secs: u32::try_from(visible_ms / 1_000 + 1).ok(),
        late_no_capacity_per_mille: if rng.u8(0..5) == 0 { 150 } else { 0 },
        faults,
        ..FakeConfig::default()
    }
}
