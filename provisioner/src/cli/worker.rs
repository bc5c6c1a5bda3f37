//! `worker`: builds what a worker needs, runs it, and stops it when it is told to.

use std::{io::Write as _, sync::Arc};

use providers::{
    Provider,
    aws::AwsProvider,
    fake::{FakeCloud, FakeConfig},
    gcp::GcpProvider,
};
use regions::Cloud;
use serde::Serialize;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use super::{Failure, args::WorkerArgs, session::Session};
use crate::{
    config::{Config, WorkerSection},
    edge::Anchored,
    execute::{Clock, Executor, Patience, Providers, Warden},
    store::{Store, WorkerId},
    worker::{self, Summary, WorkerConfig, WorkerError},
};

/// How often finished jobs that are too old are cleared away.
const PRUNE_SECS: u64 = 3_600;

/// A worker's settings, checked before the database is opened.
pub(crate) struct Plan {
    /// The real clouds; none where the configuration has a modelled one.
    providers: Providers,
    config: WorkerConfig,
    history_ms: i64,
}

impl Plan {
    pub(crate) fn new(config: &Config, args: &WorkerArgs) -> Result<Self, Failure> {
        let section = WorkerSection {
            slots: args.slots.unwrap_or(config.worker.slots),
            lease_secs: args.lease_secs.unwrap_or(config.worker.lease_secs),
            ..config.worker
        };
        if let Some((key, problem)) = section.problem() {
            let flag = key.replace("worker.", "--").replace('_', "-");
            return Err(Failure::usage(format!("{flag} {problem}")).remedy("correct the flag"));
        }
        let id = match &args.id {
            Some(id) if id.is_empty() || id.len() > 100 || id.chars().any(char::is_control) => {
                return Err(Failure::usage("--id must have 1 to 100 printable characters").remedy("correct the flag"));
            }
            Some(id) => WorkerId(id.clone()),
            None => WorkerId(format!("{}-{}", host(), std::process::id())),
        };
        let worker = WorkerConfig {
            slots: section.slots,
            lease_ms: i64::from(section.lease_secs) * 1_000,
            poll_ms: section.poll_secs.map(|secs| u64::from(secs) * 1_000),
            drain: args.drain,
            ..WorkerConfig::new(id)
        };
        let history_ms = i64::from(section.history_days) * 86_400_000;
        Ok(Self { providers: providers(config)?, config: worker, history_ms })
    }
}

/// The clouds that the configuration opens.
pub(crate) fn providers(config: &Config) -> Result<Providers, Failure> {
    let mut providers = Providers::new();
    if config.fake.is_some() {
        return Ok(providers);
    }
    let deployment = || {
        config.deployment.as_deref().ok_or_else(|| {
            Failure::usage("a worker needs the deployment's name: it marks everything that it makes").remedy(
                "set `deployment = \"NAME\"` in the configuration file, or PROVISIONER_DEPLOYMENT; never change it afterwards",
            )
        })
    };
    if let Some(aws) = config.aws.as_ref().filter(|aws| !aws.regions.is_empty()) {
        let provider = AwsProvider::new(deployment()?, aws.clone())
            .map_err(|error| Failure::usage(error.to_string()).remedy(format!("correct `{}`", error.key)))?;
        providers.insert(Cloud::Aws, Arc::new(provider) as Arc<dyn Provider>);
    }
    if let Some(gcp) = config.gcp.as_ref().filter(|gcp| !gcp.regions.is_empty()) {
        let clock = Anchored::to_wall();
        let provider = GcpProvider::new(deployment()?, gcp.clone(), Arc::new(move || clock.now_ms()))
            .map_err(|error| Failure::usage(error.to_string()).remedy(format!("correct `{}`", error.key)))?;
        providers.insert(Cloud::Gcp, Arc::new(provider) as Arc<dyn Provider>);
    }
    if providers.is_empty() {
        return Err(Failure::usage("a worker needs a cloud, and the configuration opens none").remedy(
            "add a section [aws.regions.REGION] with security_groups, images and subnets, or [gcp] and [gcp.regions.REGION] with a \
             subnetwork; to look around without an account, \
             run `provisioner demo`",
        ));
    }
    Ok(providers)
}

/// A modelled cloud in the place of every real one.
pub(crate) fn modelled(config: FakeConfig, clock: Anchored) -> Providers {
    tracing::warn!(
        "THE CLOUD IS A MODEL: [fake] is in the configuration, nothing real is made, and all that it knows is gone when this \
         process ends"
    );
    let cloud = FakeCloud::new(config, Arc::new(move || clock.now_ms()));
    Cloud::ALL.into_iter().map(|kind| (kind, Arc::new(cloud.provider(kind)) as Arc<dyn Provider>)).collect()
}

pub(crate) fn host() -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let name = name.trim();
    if name.is_empty() { "worker".to_owned() } else { name.to_owned() }
}

/// Works until it is stopped, or with `--drain` until nothing is left.
pub(crate) async fn work(session: &Session, plan: Plan) -> Result<(), Failure> {
    let stop = CancellationToken::new();
    listen(stop.clone())?;
    work_until(session, plan, stop).await
}

/// The same, until it is told to stop by whoever else has the signals.
pub(crate) async fn work_until(session: &Session, plan: Plan, stop: CancellationToken) -> Result<(), Failure> {
    let clock: Arc<dyn Clock> = Arc::new(session.clock);
    let Plan { mut providers, config, history_ms } = plan;
    if let Some(fake) = &session.config.fake {
        providers = modelled(fake.clone(), session.clock);
    }
    let clouds: Vec<&str> = providers.keys().map(|cloud| cloud.as_str()).collect();
    tracing::info!(worker = %config.id, slots = config.slots, lease_ms = config.lease_ms, drain = config.drain,
        clouds = clouds.join(","), "the worker starts");
    let id = config.id.clone();
    let warden = Warden {
        store: session.store.clone(),
        providers: providers.clone(),
        clock: Arc::clone(&clock),
        name: id.to_string(),
        patience: Patience::default(),
    };
    let executor = Executor::new(session.store.clone(), providers, session.config.policy.clone(), Arc::clone(&clock));
    let pruning = tokio::spawn(prune(session.store.clone(), session.clock, history_ms));
    let watched = stop.child_token();
    let watching = tokio::spawn(warden.run(watched.clone()));
    let result = worker::run(session.store.clone(), Arc::new(executor), config, clock, stop).await;
    pruning.abort();
    // It ends after what it is at.
    watched.cancel();
    drop(watching.await);
    summary(session, &id, &result?)
}

/// The last line.
fn summary(session: &Session, id: &WorkerId, summary: &Summary) -> Result<(), Failure> {
    #[derive(Serialize)]
    struct Said<'a> {
        worker: &'a WorkerId,
        #[serde(flatten)]
        summary: &'a Summary,
    }
    if session.screen.is_json() {
        return session.screen.json(&Said { worker: id, summary });
    }
    session.screen.line(&format!("worker {id}: {summary}"))?;
    if summary.unsuccessful > 0 && session.screen.terminal {
        session.screen.line("  which ones: provisioner job list --state failed (or stuck, cancelled)")?;
    }
    Ok(())
}

/// The first signal stops the worker gently, the second at once.
pub(crate) fn listen(stop: CancellationToken) -> Result<(), Failure> {
    let told = |error: std::io::Error| Failure::failed(format!("signals can't be received: {error}"));
    let mut terminate = signal(SignalKind::terminate()).map_err(told)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(told)?;
    tokio::spawn(async move {
        let mut one = async || {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
        };
        one().await;
        tracing::info!("stopping: what is in flight ends, leases are handed back; a second signal ends it at once");
        stop.cancel();
        one().await;
        let _ =
            writeln!(std::io::stderr(), "stopped at once; what was under way is taken over when the lease has run out");
        std::process::exit(1);
    });
    Ok(())
}

/// Clears away finished jobs and their stories when they are old enough.
async fn prune(store: Store, clock: Anchored, history_ms: i64) {
    let mut ticks = tokio::time::interval(std::time::Duration::from_secs(PRUNE_SECS));
    loop {
        ticks.tick().await;
        match store.prune(clock.now_ms() - history_ms).await {
            Ok(0) => {}
            Ok(jobs) => tracing::info!(jobs, "old jobs were cleared from the history"),
            Err(error) => tracing::warn!(%error, "the history could not be cleared; tried again later"),
        }
    }
}

impl From<WorkerError> for Failure {
    fn from(error: WorkerError) -> Self {
        match error {
            WorkerError::NameTaken(_) => {
                Self::failed(error.to_string()).remedy("give it a name of its own with --id, or leave --id out")
            }
            WorkerError::Store(error) => error.into(),
        }
    }
}
