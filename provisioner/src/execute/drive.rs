//! One job from its claim to the point where the worker lets go of it.

mod act;

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use providers::{ErrorClass, Found, Observed, Provider, RemoteId, ResourceId, Trouble};
use regions::Cloud;

use super::{Executor, Handled, Lease};
use crate::{
    core::{
        Drop, Ending, Fact, Ground, Move, Now, Outcome, Phase, Plan, PlanError, Progress, Request, RowState, Scene,
        Scope, Stock, next, plan,
    },
    store::{Claimed, Hold, RecordError, StoreError},
};

/// How long a job waits for another that is making the same key, in milliseconds.
const HELD_MS: u64 = 250;
/// How long a deletion waits for older jobs in its scope before it looks again, in milliseconds.
const SCOPE_MS: i64 = 1_000;

/// Why a job is let go without another write.
#[derive(Debug, thiserror::Error)]
pub(super) enum LetGo {
    #[error("the lease was lost")]
    LostLease,
    #[error(transparent)]
    Store(#[from] StoreError),
}

pub(super) struct Drive<'a> {
    executor: &'a Executor,
    claimed: Claimed,
    lease: Lease,
    /// The fold of what is recorded and of what is not yet.
    progress: Progress,
    /// The fold of what is recorded.
    recorded: Progress,
    /// Facts that go out with the next write. None of them may be followed by a cloud call or a wait before it is written.
    unwritten: Vec<Fact>,
}

impl<'a> Drive<'a> {
    pub(super) fn new(executor: &'a Executor, claimed: Claimed, lease: Lease) -> Self {
        let mut progress = Progress::fold(&claimed.entries);
        progress.doubt(executor.clock.now_ms());
        let recorded = progress.clone();
        Self { executor, claimed, lease, progress, recorded, unwritten: Vec::new() }
    }

    fn now_ms(&self) -> i64 {
        self.executor.clock.now_ms()
    }

    fn request(&self) -> &Request {
        &self.claimed.request
    }

    pub(super) async fn run(mut self) -> Result<Handled, LetGo> {
        loop {
            if !self.lease.is_held(self.now_ms()) {
                return Err(LetGo::LostLease);
            }
            if self.lease.cancel_asked() && !self.progress.cancel {
                self.note(Fact::CancelAsked);
            }
            if self.lease.stopping().is_cancelled() {
                self.write().await?;
                return Ok(Handled::Later { run_at_ms: self.now_ms() });
            }
            match self.decide() {
                Move::Plan => {
                    if let Some(handled) = self.plan().await? {
                        return Ok(handled);
                    }
                }
                Move::Call { resource, verb } => self.call(resource, verb).await?,
                Move::Look { resources, from_ms } => {
                    self.write().await?;
                    self.sleep_until(from_ms).await;
                    if self.now_ms() >= from_ms {
                        self.look(&resources).await?;
                    }
                }
                Move::Sleep { until_ms } => {
                    self.write().await?;
                    self.sleep_until(until_ms).await;
                }
                Move::Settle { resource } => self.note(Fact::Settled { resource }),
                Move::Unwind { because, then } => self.note(Fact::Unwinding { because, then }),
                Move::End(outcome) => return self.end(outcome).await,
            }
        }
    }

    fn decide(&self) -> Move {
        let steps = self.progress.plan.iter().flat_map(|plan| plan.steps.iter());
        let clouds: BTreeSet<Cloud> = steps.map(|step| step.blueprint.region().cloud()).collect();
        let secs = clouds.iter().filter_map(|cloud| self.executor.providers.get(cloud));
        let secs = secs.map(|provider| provider.capabilities().visibility_secs);
        let now = Now {
            now_ms: self.now_ms(),
            policy: &self.executor.policy,
            visibility_secs: secs.max().unwrap_or(0),
            seed: self.claimed.claim.job.0.unsigned_abs(),
        };
        next(&self.progress, &now)
    }

    fn note(&mut self, fact: Fact) {
        self.progress.apply(self.now_ms(), &fact);
        self.unwritten.push(fact);
    }

    /// Writes what is unwritten, waiting for other jobs that hold the same key.
    async fn write(&mut self) -> Result<(), LetGo> {
        while let Some(held) = self.try_write().await? {
            self.take_back(held);
            if self.lease.stopping().is_cancelled() {
                // Whoever makes the key may be going, too: what was noted of it is forgotten, and the rest is written.
                return if self.try_write().await?.is_none() { Ok(()) } else { Err(LetGo::LostLease) };
            }
            self.await_key(held).await?;
        }
        Ok(())
    }

    /// Writes what is unwritten; the answer is the key that another job is in the middle of making, if that is in the way.
    async fn try_write(&mut self) -> Result<Option<ResourceId>, LetGo> {
        if self.unwritten.is_empty() {
            return Ok(None);
        }
        let claim = &self.claimed.claim;
        let rows = self.progress.row_changes(&self.recorded, claim.job);
        let now_ms = self.now_ms();
        match self.executor.store.record(claim, self.unwritten.clone(), &rows, now_ms).await {
            Ok(recorded) => {
                // The times of the record are the truth, so the fold is made from it.
                for entry in &recorded.entries {
                    self.recorded.apply(entry.at_ms, &entry.fact);
                }
                self.progress = self.recorded.clone();
                self.unwritten.clear();
                if recorded.cancel_asked && !self.progress.cancel {
                    self.note(Fact::CancelAsked);
                }
                Ok(None)
            }
            Err(RecordError::LostLease) => Err(LetGo::LostLease),
            Err(RecordError::Held { resource, .. }) => Ok(Some(resource)),
            Err(RecordError::Store(error)) => Err(LetGo::Store(error)),
        }
    }

    /// Forgets what was noted about a key that another job holds: what we saw of it is out of date by the time that we may write,
    /// and a call whose beginning was not recorded must not be made.
    fn take_back(&mut self, held: ResourceId) {
        self.unwritten.retain(|fact| match fact {
            Fact::Began { .. } => false,
            Fact::Answered { resource, .. }
            | Fact::Failed { resource, .. }
            | Fact::Saw { resource, .. }
            | Fact::Settled { resource } => *resource != held,
            Fact::Planned { .. }
            | Fact::Unwinding { .. }
            | Fact::CancelAsked
            | Fact::RetryAsked
            | Fact::Ended { .. } => true,
        });
        self.progress = self.recorded.clone();
        let now_ms = self.now_ms();
        for fact in &self.unwritten {
            self.progress.apply(now_ms, fact);
        }
    }

    /// Another job is making that key, or has left it unfinished. What it has made is ours to use, or to finish, as its row says.
    async fn await_key(&mut self, key: ResourceId) -> Result<(), LetGo> {
        tokio::time::sleep(Duration::from_millis(HELD_MS)).await;
        if let Some(row) = self.executor.store.resource(key).await?
            && let Some(remote) = row.remote
        {
            let found = Found::new(remote);
            let is_ready = row.state == RowState::Ready;
            let observed = if is_ready { Observed::Ready(found) } else { Observed::Pending(found) };
            self.note(Fact::Saw { resource: key, observed });
        }
        if self.lease.is_held(self.now_ms()) { Ok(()) } else { Err(LetGo::LostLease) }
    }

    /// Waits, unless a cancellation or the worker's end comes first.
    async fn sleep_until(&self, until_ms: i64) {
        let wait = u64::try_from(until_ms - self.now_ms()).unwrap_or(0);
        if wait == 0 {
            return;
        }
        tokio::select! {
            () = tokio::time::sleep(Duration::from_millis(wait)) => {}
            () = self.interrupted() => {}
        }
    }

    async fn interrupted(&self) {
        let stopping = self.lease.stopping();
        if self.progress.cancel {
            stopping.cancelled().await;
            return;
        }
        tokio::select! {
            () = stopping.cancelled() => {}
            () = self.lease.cancelled() => {}
        }
    }

    async fn plan(&mut self) -> Result<Option<Handled>, LetGo> {
        // The scene is what the rows say, so they must say all that is known; and the changes of rows are told plan by plan.
        self.write().await?;
        let store = &self.executor.store;
        let request = *self.request();
        if request.scope() != Scope::Builder && store.older_jobs_in_scope(&request, self.claimed.claim.job).await? > 0 {
            return Ok(Some(Handled::Later { run_at_ms: self.now_ms() + SCOPE_MS }));
        }
        if let Some((name, hold)) = store.hold_against(&request, self.now_ms()).await? {
            return self.end(held(&request, &name, &hold)).await.map(Some);
        }
        let Some(scene) = store.scene(&request).await? else {
            return self.end(tenant_gone(&request)).await.map(Some);
        };
        if let Request::Destroy { project, arch } = request {
            // A cache is used until its builder goes.
            store.touch(project, arch, self.now_ms()).await?;
        }
        match self.make_plan(&request, &scene) {
            Ok(plan) => {
                self.note(Fact::Planned { plan });
                Ok(None)
            }
            Err(trouble) => self.end(Outcome::of(Ending::Failed, trouble)).await.map(Some),
        }
    }

    fn make_plan(&self, request: &Request, scene: &Scene) -> Result<Plan, Trouble> {
        let cloud = request.project().and_then(|id| scene.projects.iter().find(|project| project.id == id));
        let provider = match cloud.map(|project| project.cloud) {
            Some(cloud) => Some(self.provider(cloud)?),
            None => None,
        };
        let stock = Stock {
            zones: provider.map(|provider| provider.zones()).unwrap_or_default(),
            refused: self.executor.refusals.current(self.now_ms()),
        };
        let capabilities = provider
            .map_or(providers::Capabilities { attaches_at_birth: false, visibility_secs: 0 }, |provider| {
                provider.capabilities()
            });
        let ground = Ground {
            job: self.claimed.claim.job,
            scene,
            stock: &stock,
            capabilities,
            root_gib: self.executor.policy.root_gib,
            generation: self.progress.generation,
            tried: &self.progress.tried,
        };
        let plan = plan(request, &ground).map_err(|error| self.refusal(error))?;
        self.check(&plan)?;
        Ok(plan)
    }

    /// Where candidates ran out, the cloud's own last words say more than ours.
    fn refusal(&self, error: PlanError) -> Trouble {
        match error {
            PlanError::Refused(ours) => match &self.progress.no_capacity {
                Some(last) if ours.class == ErrorClass::NoCapacity => {
                    Trouble { message: format!("{}; the last: {}", ours.message, last.message), ..ours }
                }
                Some(_) | None => ours,
            },
            PlanError::Region(error) => {
                Trouble { class: ErrorClass::Invalid, code: "Misplaced".to_owned(), message: error.to_string() }
            }
        }
    }

    fn provider(&self, cloud: Cloud) -> Result<&Arc<dyn Provider>, Trouble> {
        self.executor.providers.get(&cloud).ok_or_else(|| Trouble {
            class: ErrorClass::Invalid,
            code: "CloudNotConfigured".to_owned(),
            message: format!("this worker's configuration has no [{cloud}] section"),
        })
    }

    /// Asks the configuration about everything that the plan makes, before any cloud call.
    fn check(&self, plan: &Plan) -> Result<(), Trouble> {
        let mut draft = Progress::default();
        draft.apply(0, &Fact::Planned { plan: plan.clone() });
        for thing in draft.things.values_mut() {
            thing.remote.get_or_insert_with(RemoteId::unknown);
        }
        for step in plan.steps.iter().filter(|step| step.prior.is_none()) {
            if let Some(target) = draft.target(step.resource) {
                let provider = self.provider(target.spec.region().cloud())?;
                provider.check(&target.spec).map_err(|error| error.trouble)?;
            }
        }
        Ok(())
    }

    async fn end(&mut self, outcome: Outcome) -> Result<Handled, LetGo> {
        self.write().await?;
        let succeeded = outcome.ending == Ending::Succeeded;
        let drops: Option<Drop> = self.progress.plan.as_ref().filter(|_| succeeded).and_then(|plan| plan.drops);
        let ended = matches!(self.progress.phase, Phase::Ended(_));
        let facts = if ended { Vec::new() } else { vec![Fact::Ended { outcome: outcome.clone() }] };
        Ok(Handled::Ended { outcome, facts, drops })
    }
}

/// Somebody holds what the job was to stop or take away. A tenant's deletion was accepted, and stays so until a person decides.
fn held(request: &Request, name: &str, hold: &Hold) -> Outcome {
    let until = jiff::Timestamp::from_millisecond(hold.until_ms)
        .map_or_else(|_| hold.until_ms.to_string(), |at| at.to_string());
    let message = format!("{name} is held until {until}: {}", hold.reason);
    let because = Trouble { class: ErrorClass::Conflict, code: "Held".to_owned(), message };
    let remedy = "wait, or let it go with `provisioner builder unhold`; then `provisioner job retry`".to_owned();
    let ending = if request.scope() == Scope::Builder { Ending::Failed } else { Ending::Stuck };
    Outcome { ending, because: Some(because), remedy: Some(remedy) }
}

/// A deletion whose tenant has gone has nothing left to do; anything else has nothing to stand on.
fn tenant_gone(request: &Request) -> Outcome {
    match request {
        Request::DeleteProject { .. } | Request::DeleteOrg { .. } => Outcome::SUCCESS,
        Request::Provision { .. }
        | Request::Stop { .. }
        | Request::Start { .. }
        | Request::Destroy { .. }
        | Request::DestroyCache { .. }
        | Request::Adopt { .. }
        | Request::Retag { .. }
        | Request::Quarantine { .. }
        | Request::Halt { .. }
        | Request::Collect { .. } => Outcome::of(
            Ending::Failed,
            Trouble {
                class: ErrorClass::Invalid,
                code: "ProjectGone".to_owned(),
                message: "the project was deleted before the job began".to_owned(),
            },
        ),
    }
}
