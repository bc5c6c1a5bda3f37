//! Looks at a region for all jobs that wait there: one observation a tick, whatever their number.
//!
//! It changes nothing in a cloud and records nothing.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use providers::{CallError, ErrorClass, Kind, Observed, Provider, ResourceId, Spec, Target};
use regions::Region;
use tokio::{sync::oneshot, task::JoinSet};

use super::Clock;

/// How long the first of several jobs that look for the first time waits for the others, in milliseconds.
const GATHER_MS: i64 = 40;
/// How long a key that was seen to be usable is taken for usable, in milliseconds. A machine's own verification follows anyway.
const KEY_TRUST_MS: i64 = 30_000;

type Answer = Result<Observed, CallError>;

struct Waiting {
    target: Target,
    reply: oneshot::Sender<Answer>,
}

#[derive(Default)]
struct Queue {
    waiting: Vec<Waiting>,
    ticking: bool,
    last_ms: Option<i64>,
}

#[derive(Default)]
struct State {
    queues: BTreeMap<Region, Queue>,
    keys: BTreeMap<ResourceId, (i64, Observed)>,
    tickers: JoinSet<()>,
}

/// The looks of one worker. Dropping it ends them.
pub(super) struct Lookout {
    state: Arc<Mutex<State>>,
    look_ms: i64,
    clock: Arc<dyn Clock>,
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Lookout {
    pub(super) fn new(look_ms: u64, clock: Arc<dyn Clock>) -> Self {
        let look_ms = i64::try_from(look_ms).unwrap_or(i64::MAX).max(1);
        Self { state: Arc::default(), look_ms, clock }
    }

    /// What the cloud shows of that target at the region's next tick; at once where nothing is known yet and the last tick is
    /// long enough ago.
    pub(super) async fn look(&self, provider: &Arc<dyn Provider>, target: Target, at_once: bool) -> Answer {
        let is_key = matches!(target.spec, Spec::Key(_));
        if is_key && let Some(observed) = self.trusted(target.spec.id()) {
            return Ok(observed);
        }
        let (reply, answer) = oneshot::channel();
        let region = target.spec.region();
        let id = target.spec.id();
        self.join(provider, region, Waiting { target, reply }, at_once);
        let answer = answer.await.unwrap_or_else(|_| Err(interrupted()));
        if is_key && let Ok(observed) = &answer {
            self.trust(id, observed);
        }
        answer
    }

    /// Remembers a key that was just seen to be usable.
    pub(super) fn trust(&self, key: ResourceId, observed: &Observed) {
        if matches!(observed, Observed::Ready(_)) {
            lock(&self.state).keys.insert(key, (self.clock.now_ms(), observed.clone()));
        }
    }

    /// Forgets that a key was usable.
    pub(super) fn distrust(&self, key: ResourceId) {
        lock(&self.state).keys.remove(&key);
    }

    fn trusted(&self, key: ResourceId) -> Option<Observed> {
        let now_ms = self.clock.now_ms();
        let state = lock(&self.state);
        state.keys.get(&key).filter(|(at, _)| now_ms < at + KEY_TRUST_MS).map(|(_, observed)| observed.clone())
    }

    fn join(&self, provider: &Arc<dyn Provider>, region: Region, waiting: Waiting, at_once: bool) {
        let mut state = lock(&self.state);
        while state.tickers.try_join_next().is_some() {}
        let queue = state.queues.entry(region).or_default();
        queue.waiting.push(waiting);
        if queue.ticking {
            return;
        }
        queue.ticking = true;
        let now_ms = self.clock.now_ms();
        let gathered = now_ms + if at_once { GATHER_MS.min(self.look_ms) } else { self.look_ms };
        let first_ms = gathered.max(queue.last_ms.map_or(i64::MIN, |last| last + self.look_ms));
        let ticker = Ticker {
            state: Arc::clone(&self.state),
            provider: Arc::clone(provider),
            region,
            look_ms: self.look_ms,
            clock: Arc::clone(&self.clock),
        };
        state.tickers.spawn(ticker.run(first_ms - now_ms));
    }
}

fn interrupted() -> CallError {
    CallError::new("observe", ErrorClass::Ambiguous, "Interrupted", "the look was interrupted")
}

struct Ticker {
    state: Arc<Mutex<State>>,
    provider: Arc<dyn Provider>,
    region: Region,
    look_ms: i64,
    clock: Arc<dyn Clock>,
}

impl Ticker {
    /// Ticks as long as anybody waits.
    async fn run(self, first_in_ms: i64) {
        let mut wait_ms = first_in_ms;
        loop {
            tokio::time::sleep(Duration::from_millis(u64::try_from(wait_ms).unwrap_or(0))).await;
            wait_ms = self.look_ms;
            let Some(waiting) = self.take() else { return };
            // Keys cost a call each anyway, and one that can't be looked at is nobody else's trouble.
            let (keys, others): (Vec<Waiting>, Vec<Waiting>) =
                waiting.into_iter().partition(|waiting| waiting.target.spec.kind() == Kind::Key);
            for key in keys {
                self.look(vec![key]).await;
            }
            if !others.is_empty() {
                self.look(others).await;
            }
        }
    }

    async fn look(&self, waiting: Vec<Waiting>) {
        let (targets, replies): (Vec<Target>, Vec<_>) =
            waiting.into_iter().map(|waiting| (waiting.target, waiting.reply)).unzip();
        let answers = self.provider.observe(self.region, &targets).await;
        for (place, reply) in replies.into_iter().enumerate() {
            let answer = match &answers {
                Ok(all) => all.get(place).cloned().ok_or_else(interrupted),
                Err(error) => Err(error.clone()),
            };
            // Whoever stopped waiting needs no answer.
            drop(reply.send(answer));
        }
    }

    fn take(&self) -> Option<Vec<Waiting>> {
        let mut state = lock(&self.state);
        let queue = state.queues.get_mut(&self.region)?;
        queue.waiting.retain(|waiting| !waiting.reply.is_closed());
        if queue.waiting.is_empty() {
            queue.ticking = false;
            return None;
        }
        queue.last_ms = Some(self.clock.now_ms());
        Some(std::mem::take(&mut queue.waiting))
    }
}
