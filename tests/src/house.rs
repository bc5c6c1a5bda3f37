//! A whole house on paused time: a database in a file, the modelled cloud, workers when they are called, and reconcile.
//!
//! It never looks at a real clock. What a test does behind the house's back it does to the cloud or to the file.

use std::{collections::BTreeMap, path::PathBuf, sync::Arc, time::Duration};

use anyhow::{Context, Result, bail};
use providers::{
    Owner, Provider, RemoteId, ResourceId,
    fake::{FakeCloud, FakeConfig},
};
use provisioner::{
    core::{JobState, Name, Policy, ProjectId, Request, ResourceRow, Verdict, scene::CacheShape},
    execute::{Clock, Executor, Providers},
    reconcile::{Decision, Mode, Reconciler, Report, Settings},
    store::{JobFilter, NewJob, NewProject, ResourceFilter, Store, WorkerId},
    worker::{self, WorkerConfig},
};
use regions::{Arch, Cloud, Region, Residency, Size};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::liar::{Liar, Lie, Lies};
use crate::simulation::time::{SimulatedClock, guard};

/// The house.
pub struct House {
    /// The database.
    pub store: Store,
    /// The cloud.
    pub cloud: FakeCloud,
    /// The time.
    clock: Arc<dyn Clock>,
    /// The clock by which reconcile goes: another, where a test wants it wrong.
    watch: Arc<dyn Clock>,
    /// The brakes.
    pub settings: Settings,
    policy: Policy,
    lies: Lies,
    file: PathBuf,
    projects: BTreeMap<String, ProjectId>,
    workers: u32,
    _dir: TempDir,
}

/// Runs a test on paused time.
///
/// # Errors
/// The test's.
pub fn on_paused_time<T>(test: impl Future<Output = Result<T>>) -> Result<T> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build()?;
    let result = runtime.block_on(test);
    runtime.shutdown_background();
    result
}

impl House {
    /// An empty one.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn new(config: FakeConfig) -> Result<Self> {
        let dir = tempfile::tempdir()?;
        let file = dir.path().join("house.db");
        let url = format!("sqlite://{}", file.display());
        migrate(url.clone())?;
        let store = Store::open_with_guard(&url, guard()).await?;
        let clock = Arc::new(SimulatedClock::new(0));
        let ticks = Arc::clone(&clock);
        let cloud = FakeCloud::new(config, Arc::new(move || ticks.now_ms()));
        Ok(Self {
            store,
            cloud,
            watch: Arc::clone(&clock) as Arc<dyn Clock>,
            clock,
            settings: Settings::default(),
            policy: Policy::default(),
            lies: Lies::default(),
            file,
            projects: BTreeMap::new(),
            workers: 0,
            _dir: dir,
        })
    }

    /// Has reconcile go by a clock that is off by so much from here on.
    pub fn set_watch(&mut self, skew_ms: i64) {
        struct Skewed(Arc<dyn Clock>, i64);
        impl Clock for Skewed {
            fn now_ms(&self) -> i64 {
                self.0.now_ms() + self.1
            }
        }
        self.watch = Arc::new(Skewed(Arc::clone(&self.clock), skew_ms));
    }

    /// The time, in milliseconds since 1970.
    #[must_use]
    pub fn now_ms(&self) -> i64 {
        self.clock.now_ms()
    }

    /// Lets time pass.
    pub async fn pass(&self, secs: u64) {
        tokio::time::sleep(Duration::from_secs(secs)).await;
    }

    /// The clouds.
    #[must_use]
    pub fn providers(&self) -> Providers {
        let clouds = Cloud::ALL.into_iter();
        clouds.map(|cloud| (cloud, Arc::new(self.cloud.provider(cloud)) as Arc<dyn Provider>)).collect()
    }

    /// What reconcile is told of a region from here on; the truth if there is no lie.
    pub fn tell(&self, region: Region, lie: Option<Lie>) {
        let mut lies = self.lies.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        lies.remove(&region);
        lies.extend(lie.map(|lie| (region, lie)));
    }

    /// All that a region shows in a listing.
    ///
    /// # Errors
    /// The cloud's.
    pub async fn listing(&self, region: Region) -> Result<Vec<providers::Listed>> {
        let provider = self.cloud.provider(region.cloud());
        let (mut things, mut page) = (Vec::new(), None);
        loop {
            let listing = provider.list(region, page).await?;
            things.extend(listing.things);
            page = listing.next;
            if page.is_none() {
                return Ok(things);
            }
        }
    }

    /// Founds `org/project` in that region, with its organization if it is new.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn found(&mut self, path: &str, region: Region) -> Result<ProjectId> {
        let (org, project) = path.split_once('/').context("ORG/PROJECT")?;
        let org: Name = org.parse()?;
        let org = match self.store.org(&org).await {
            Ok(found) => found.id,
            Err(_) => {
                let id = provisioner::core::OrgId::from_uuid(uuid(path, "org"));
                self.store.create_org(&org, id, self.now_ms()).await?.id
            }
        };
        let id = ProjectId::from_uuid(uuid(path, "project"));
        let residency = Residency::ALL.into_iter().find(|it| region.inside(*it).is_ok()).context("residency")?;
        let new = NewProject {
            id,
            org,
            name: project.parse()?,
            residency,
            cloud: region.cloud(),
            region: Some(region),
            size: Size::ALL[0],
            cache: CacheShape { size_gib: 100, iops: None, throughput_mibps: None },
        };
        self.store.create_project(new, self.now_ms()).await?;
        self.projects.insert(path.to_owned(), id);
        Ok(id)
    }

    /// The project of that path.
    #[must_use]
    pub fn project(&self, path: &str) -> ProjectId {
        self.projects[path]
    }

    /// Enqueues.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn ask(&self, request: Request) -> Result<()> {
        self.store.enqueue(NewJob::now(request), self.now_ms()).await?;
        Ok(())
    }

    /// Has a worker do what there is to do.
    ///
    /// # Errors
    /// If it does not come to an end.
    pub async fn work(&mut self) -> Result<()> {
        self.workers += 1;
        let executor =
            Executor::new(self.store.clone(), self.providers(), self.policy.clone(), Arc::clone(&self.clock));
        let id = WorkerId(format!("worker-{}", self.workers));
        let config = WorkerConfig { slots: 64, drain: true, ..WorkerConfig::new(id) };
        let run = worker::run(
            self.store.clone(),
            Arc::new(executor),
            config,
            Arc::clone(&self.clock),
            CancellationToken::new(),
        );
        match tokio::time::timeout(Duration::from_secs(7_200), run).await {
            Ok(result) => {
                result?;
                Ok(())
            }
            Err(_) => bail!("the queue is not drained"),
        }
    }

    /// Signs a worker on that does nothing.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn stand_by(&self) -> Result<()> {
        let now_ms = self.now_ms();
        self.store.sign_on(&WorkerId("stand-by".to_owned()), None, now_ms + 30_000, now_ms).await?;
        Ok(())
    }

    /// Reconcile over this house.
    #[must_use]
    pub fn reconciler(&self) -> Reconciler {
        let lying = |provider| Arc::new(Liar::new(provider, Arc::clone(&self.lies))) as Arc<dyn Provider>;
        Reconciler::new(
            self.store.clone(),
            self.providers().into_iter().map(|(cloud, provider)| (cloud, lying(provider))).collect(),
            self.policy.clone(),
            self.settings.clone(),
            Arc::clone(&self.watch),
        )
    }

    /// One run.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn reconcile(&self, mode: &Mode) -> Result<Report> {
        Ok(self.reconciler().run("test", mode).await?)
    }

    /// A run that repairs, the work that it asked for, and time for what it made to settle.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn round(&mut self) -> Result<Report> {
        let report = self.reconcile(&Mode::Repair).await?;
        self.work().await?;
        self.pass(700).await;
        Ok(report)
    }

    /// All rows.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn rows(&self) -> Result<Vec<ResourceRow>> {
        Ok(self.store.resources(ResourceFilter::default()).await?)
    }

    /// The row of that builder's machine or volume.
    ///
    /// # Errors
    /// If there is none.
    pub async fn row(&self, path: &str, arch: Arch, kind: providers::Kind) -> Result<ResourceRow> {
        let rows = self.rows().await?;
        let project = self.project(path);
        let found =
            rows.into_iter().find(|row| row.project == Some(project) && row.arch == Some(arch) && row.kind == kind);
        found.with_context(|| format!("no {kind} of {path} {arch}"))
    }

    /// The cloud's name of it.
    ///
    /// # Errors
    /// If there is none.
    pub async fn remote(&self, path: &str, arch: Arch, kind: providers::Kind) -> Result<RemoteId> {
        self.row(path, arch, kind).await?.remote.context("no name")
    }

    /// Changes the database behind the program's back.
    ///
    /// # Errors
    /// Those of the database.
    pub fn tamper(&self, sql: &str, id: ResourceId) -> Result<()> {
        let connection = rusqlite::Connection::open(&self.file)?;
        let changed = connection.execute(sql, [id.as_uuid().as_bytes().as_slice()])?;
        if changed == 1 { Ok(()) } else { bail!("{changed} rows were changed: {sql}") }
    }

    /// Jobs that ended otherwise than well.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn failures(&self) -> Result<Vec<String>> {
        let mut failures = Vec::new();
        for state in [JobState::Failed, JobState::Stuck, JobState::Cancelled] {
            let filter = JobFilter { state: Some(state), limit: 1_000, ..JobFilter::default() };
            let jobs = self.store.jobs(filter).await?;
            failures.extend(
                jobs.into_iter().map(|job| format!("job {} {}: {:?}", job.id, job.request.verb(), job.outcome)),
            );
        }
        Ok(failures)
    }
}

/// On a thread of its own, where time is not paused: nothing is guarded yet.
fn migrate(url: String) -> Result<()> {
    let migrated = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(Store::migrate(&url))?;
        Ok(())
    });
    migrated.join().unwrap_or_else(|_| bail!("the migration panicked"))
}

fn uuid(path: &str, what: &str) -> Uuid {
    Uuid::new_v5(&Uuid::NAMESPACE_DNS, format!("{what}/{path}").as_bytes())
}

/// `verdict kind` of all that was found, sorted.
#[must_use]
pub fn verdicts(report: &Report) -> Vec<(Verdict, String)> {
    let mut found: Vec<_> = report.items.iter().map(|item| (item.finding.verdict, item.finding.subject())).collect();
    found.sort();
    found
}

/// The jobs that a run enqueued, as verdict and repair.
#[must_use]
pub fn enqueued(report: &Report) -> Vec<(Verdict, &'static str)> {
    let items = report.items.iter().filter(|item| matches!(item.outcome, Decision::Enqueued { .. }));
    let mut done: Vec<_> = items.map(|item| (item.finding.verdict, item.due.as_str())).collect();
    done.sort_unstable();
    done
}

/// An owner.
#[must_use]
pub fn owner(path: &str) -> Owner {
    let (org, project) = path.split_once('/').map_or((path, None), |(org, project)| (org, Some(project.to_owned())));
    Owner { org: org.to_owned(), project }
}
