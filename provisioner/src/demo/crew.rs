//! Two workers in one process, as if they were two: each with its own connection to the database. One of them is going to crash.

use std::{
    future::pending,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
};

use async_trait::async_trait;
use providers::{
    Access, CallError, Capabilities, Closed, Listing, Observed, Opened, PageToken, Power, Provider, Spec, Target,
    Token,
    fake::{FakeCloud, FakeProvider},
};
use regions::{Cloud, Region, Zone};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::{
    cli::Failure,
    core::Policy,
    edge::Anchored,
    execute::{Executor, Providers},
    store::{Store, WorkerId},
    worker::{self, Summary, WorkerConfig, WorkerError},
};

/// So long is a dead worker's work left alone.
const LEASE_MS: i64 = 3_000;
/// The machine after whose making the doomed worker dies.
const FATAL: u32 = 3;

/// The moment of the crash.
#[derive(Clone, Default)]
pub(super) struct Doom {
    machines: Arc<AtomicU32>,
    pub(super) struck: CancellationToken,
}

/// The fake, as the doomed worker sees it: one of its calls has its effect, and the answer never comes.
struct Doomed {
    inner: FakeProvider,
    doom: Doom,
}

#[async_trait]
impl Provider for Doomed {
    fn cloud(&self) -> Cloud {
        self.inner.cloud()
    }

    fn capabilities(&self) -> Capabilities {
        self.inner.capabilities()
    }

    fn zones(&self) -> Vec<Zone> {
        self.inner.zones()
    }

    fn check(&self, spec: &Spec) -> Result<(), CallError> {
        self.inner.check(spec)
    }

    async fn ensure(&self, token: &Token, target: &Target) -> Result<Observed, CallError> {
        let answer = self.inner.ensure(token, target).await;
        let made = matches!(target.spec, Spec::Machine(_)) && answer.is_ok();
        if made && self.doom.machines.fetch_add(1, Ordering::Relaxed) + 1 == FATAL {
            self.doom.struck.cancel();
            return pending().await;
        }
        answer
    }

    async fn power(&self, token: &Token, target: &Target, power: Power) -> Result<Observed, CallError> {
        self.inner.power(token, target, power).await
    }

    async fn observe(&self, region: Region, targets: &[Target]) -> Result<Vec<Observed>, CallError> {
        self.inner.observe(region, targets).await
    }

    async fn tag(&self, token: &Token, target: &Target) -> Result<Observed, CallError> {
        self.inner.tag(token, target).await
    }

    async fn open_access(&self, access: &Access) -> Result<Opened, CallError> {
        self.inner.open_access(access).await
    }

    async fn close_access(&self, access: &Access) -> Result<Closed, CallError> {
        self.inner.close_access(access).await
    }

    async fn remove(&self, token: &Token, target: &Target) -> Result<Observed, CallError> {
        self.inner.remove(token, target).await
    }

    async fn list(&self, region: Region, page: Option<PageToken>) -> Result<Listing, CallError> {
        self.inner.list(region, page).await
    }
}

/// Someone at work.
pub(super) struct Member {
    pub(super) stop: CancellationToken,
    pub(super) task: JoinHandle<Result<Summary, WorkerError>>,
}

/// What workers are made from.
pub(super) struct Yard<'a> {
    pub(super) url: &'a str,
    pub(super) cloud: &'a FakeCloud,
    pub(super) clock: Anchored,
}

impl Yard<'_> {
    /// Puts a worker to work. With a doom it dies of it: abruptly, with all that it holds.
    pub(super) async fn hire(&self, name: &str, doom: Option<Doom>) -> Result<Member, Failure> {
        let store = Store::open(self.url).await?;
        let providers = Cloud::ALL.into_iter().map(|cloud| {
            let fake = self.cloud.provider(cloud);
            let provider: Arc<dyn Provider> = match &doom {
                Some(doom) => Arc::new(Doomed { inner: fake, doom: doom.clone() }),
                None => Arc::new(fake),
            };
            (cloud, provider)
        });
        let clock = Arc::new(self.clock);
        let policy = Policy { look_ms: 250, ..Policy::default() };
        let executor = Executor::new(store.clone(), providers.collect::<Providers>(), policy, clock.clone());
        let config = WorkerConfig {
            slots: 6,
            lease_ms: LEASE_MS,
            poll_ms: Some(200),
            ..WorkerConfig::new(WorkerId::from(name))
        };
        let stop = CancellationToken::new();
        let work = worker::run(store, Arc::new(executor), config, clock, stop.clone());
        let struck = doom.map_or_else(CancellationToken::new, |doom| doom.struck);
        let task = tokio::spawn(async move {
            tokio::select! {
                // Dropping the worker is its crash: nothing of it runs on, and it says goodbye to nobody.
                () = struck.cancelled() => Ok(Summary::default()),
                result = work => result,
            }
        });
        Ok(Member { stop, task })
    }
}
