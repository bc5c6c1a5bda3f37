//! The worker's one conversation with the queue: what has ended goes out, what may begin comes in, in one statement.

mod ends;

use std::{
    collections::{HashMap, VecDeque},
    panic::AssertUnwindSafe,
    sync::Arc,
};

use futures_util::FutureExt;
use tokio::{sync::mpsc, task::JoinSet};
use tokio_util::sync::CancellationToken;

use crate::{
    core::JobId,
    execute::{Clock, Handled, Handler, Lease},
    store::{
        Claim, Claimed, Finish, Release, Store, StoreError,
        queue::{Ear, Signal, Step, Stepped, marks::Marks},
    },
};

use ends::stuck;

use super::{
    Summary, WorkerConfig,
    heart::{Life, Pulse, millis, sleep_until},
};

/// An idle worker walks over the whole queue at most this often.
const WALK_MS: i64 = 1_000;

/// A draining worker looks this often whether others have finished.
const DRAIN_POLL_MS: i64 = 500;

/// Never more than this in one statement.
const MOST: usize = 1_024;

/// After so many yields without anything new, a batch goes out: some microseconds.
const YIELDS: u32 = 24;

/// Why the pump stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stopped {
    /// It was told to, or there is nothing left to do.
    Done,
    /// The session is over.
    Lost,
}

/// A job that a handler is driving.
struct Running {
    claim: Claim,
    cancel: CancellationToken,
}

type Returned = (Claim, Option<Handled>);

/// One session's work.
pub(super) struct Pump<'a> {
    pub(super) store: &'a Store,
    pub(super) handler: &'a Arc<dyn Handler>,
    pub(super) config: &'a WorkerConfig,
    pub(super) clock: &'a Arc<dyn Clock>,
    pub(super) stop: &'a CancellationToken,
    pub(super) summary: &'a mut Summary,
    life: Life,
    ear: Ear,
    pulses: mpsc::UnboundedReceiver<Pulse>,
    poll_ms: i64,
    running: HashMap<JobId, Running>,
    /// The handlers at work. They go when the pump goes.
    handlers: JoinSet<Returned>,
    finishes: VecDeque<Finish>,
    dropping: Vec<Finish>,
    releases: Vec<Release>,
    marks: Marks,
    /// There may be something to claim.
    hungry: bool,
    /// A statement had no answer: what it claimed, if it did, nobody works on.
    in_doubt: bool,
    next_due_ms: Option<i64>,
    next_poll_ms: i64,
    /// When everything was last walked over, at the latest.
    walked_ms: i64,
    /// After a failure, nothing is tried before this.
    retry_at_ms: i64,
    failures: u32,
    /// As far as a draining worker knows.
    any_left: bool,
}

impl<'a> Pump<'a> {
    #[allow(clippy::too_many_arguments)]
    pub(super) fn new(
        store: &'a Store,
        handler: &'a Arc<dyn Handler>,
        config: &'a WorkerConfig,
        clock: &'a Arc<dyn Clock>,
        stop: &'a CancellationToken,
        summary: &'a mut Summary,
        (life, ear, pulses): (Life, Ear, mpsc::UnboundedReceiver<Pulse>),
        poll_ms: i64,
    ) -> Self {
        let poll_ms = if config.drain { poll_ms.min(DRAIN_POLL_MS) } else { poll_ms };
        Self {
            next_poll_ms: clock.now_ms() + poll_ms,
            store,
            handler,
            config,
            clock,
            stop,
            summary,
            life,
            ear,
            pulses,
            poll_ms,
            running: HashMap::new(),
            handlers: JoinSet::new(),
            finishes: VecDeque::new(),
            dropping: Vec::new(),
            releases: Vec::new(),
            marks: Marks::default(),
            hungry: true,
            in_doubt: false,
            next_due_ms: None,
            walked_ms: 0,
            retry_at_ms: 0,
            failures: 0,
            any_left: true,
        }
    }

    /// Works until it is told to stop, or the session is over.
    pub(super) async fn work(mut self) -> Stopped {
        loop {
            if self.life.lost.is_cancelled() {
                let lost = self.running.len() + self.finishes.len() + self.dropping.len() + self.releases.len();
                self.summary.lost += lost as u64;
                return Stopped::Lost;
            }
            if self.has_work() {
                let lost = self.life.lost.clone();
                tokio::select! {
                    biased;
                    () = lost.cancelled() => {}
                    done = self.act() => if let Err(error) = done { self.wait_after(&error) },
                }
                continue;
            }
            if self.is_done() {
                return Stopped::Done;
            }
            self.listen().await;
        }
    }

    fn is_stopping(&self) -> bool {
        self.stop.is_cancelled()
    }

    /// Slots that nothing occupies.
    fn free(&self) -> usize {
        if self.is_stopping() { 0 } else { self.config.slots.saturating_sub(self.running.len()).min(MOST) }
    }

    fn has_work(&self) -> bool {
        let outgoing = !(self.finishes.is_empty() && self.dropping.is_empty() && self.releases.is_empty());
        (outgoing || (self.hungry && self.free() > 0)) && self.clock.now_ms() >= self.retry_at_ms
    }

    fn is_done(&self) -> bool {
        let idle =
            self.running.is_empty() && self.finishes.is_empty() && self.dropping.is_empty() && self.releases.is_empty();
        idle && (self.is_stopping() || (self.config.drain && !self.any_left))
    }

    /// Waits for whatever comes first.
    async fn listen(&mut self) {
        let mut wake_ms = self.next_due_ms.map_or(self.next_poll_ms, |due| due.min(self.next_poll_ms));
        let now_ms = self.clock.now_ms();
        if self.retry_at_ms > now_ms {
            wake_ms = wake_ms.min(self.retry_at_ms);
        }
        let lost = self.life.lost.clone();
        tokio::select! {
            biased;
            () = lost.cancelled() => {}
            Some(Ok(returned)) = self.handlers.join_next() => {
                self.take(returned);
                self.gather().await;
            }
            Some(pulse) = self.pulses.recv() => self.feel(pulse),
            signal = self.ear.hear() => match signal {
                Signal::Ready => self.hungry = true,
                Signal::Cancel(job) => self.cancel(job),
            },
            () = self.stop.cancelled(), if !self.is_stopping() => {}
            () = sleep_until(&**self.clock, wake_ms) => self.look_at_the_clock(),
        }
    }

    fn look_at_the_clock(&mut self) {
        let now_ms = self.clock.now_ms();
        if self.next_due_ms.is_some_and(|due| due <= now_ms) {
            self.next_due_ms = None;
            self.hungry = true;
        }
        if self.next_poll_ms <= now_ms {
            self.next_poll_ms = now_ms + self.poll_ms;
            self.walked_ms = now_ms;
            self.marks.forget();
            self.hungry = true;
        }
    }

    fn feel(&mut self, pulse: Pulse) {
        match pulse {
            Pulse::Cancels(jobs) => jobs.into_iter().for_each(|job| self.cancel(job)),
            Pulse::TakenOver(jobs) => {
                self.summary.taken_over += jobs;
                self.hungry = true;
            }
        }
    }

    fn cancel(&self, job: JobId) {
        if let Some(running) = self.running.get(&job) {
            running.cancel.cancel();
        }
    }

    /// Takes what else comes back right now: jobs that began together often end together. It yields to the handlers, and waits
    /// for nothing.
    async fn gather(&mut self) {
        let mut fruitless = 0;
        while fruitless < YIELDS && !self.running.is_empty() {
            tokio::task::yield_now().await;
            fruitless += 1;
            while let Some(Ok(returned)) = self.handlers.try_join_next() {
                self.take(returned);
                fruitless = 0;
            }
        }
    }

    /// One round with the queue.
    async fn act(&mut self) -> Result<(), StoreError> {
        if self.in_doubt {
            let known: Vec<_> = self.known().collect();
            let now_ms = self.clock.now_ms();
            self.store.disown_others(&self.life.session, &known, now_ms).await?;
            self.in_doubt = false;
        }
        if !self.releases.is_empty() {
            self.hand_back().await?;
        }
        while let Some(finish) = self.dropping.last().cloned() {
            self.end_tenant(finish).await?;
            self.dropping.pop();
        }
        if !self.finishes.is_empty() || (self.hungry && self.free() > 0) {
            self.step().await?;
        }
        self.failures = 0;
        Ok(())
    }

    /// What this worker knows that it holds.
    fn known(&self) -> impl Iterator<Item = JobId> + '_ {
        let running = self.running.keys().copied();
        let ending = self.finishes.iter().chain(&self.dropping).map(|finish| finish.claim.job);
        running.chain(ending).chain(self.releases.iter().map(|release| release.claim.job))
    }

    async fn step(&mut self) -> Result<(), StoreError> {
        let slots = self.free();
        let batch: Vec<_> = self.finishes.iter().take(MOST).cloned().collect();
        let look_for_any = self.config.drain && batch.is_empty() && self.running.is_empty();
        let now_ms = self.clock.now_ms();
        let running: Vec<i64> = self.known().map(|job| job.0).collect();
        let step = Step {
            session: &self.life.session,
            finishes: &batch,
            running: &running,
            slots,
            marks: &self.marks,
            look_for_any,
            now_ms,
        };
        match self.store.step(&step).await {
            Ok(stepped) => {
                self.finishes.drain(..batch.len());
                self.learn(stepped, &batch, slots, now_ms);
                Ok(())
            }
            Err(error) if error.is_passing() || batch.is_empty() => Err(error),
            Err(error) => {
                tracing::error!(%error, jobs = batch.len(), "a batch of ends was refused; writing them one by one");
                self.finish_singly(batch, now_ms).await
            }
        }
    }

    fn learn(&mut self, stepped: Stepped, batch: &[Finish], slots: usize, now_ms: i64) {
        for finish in batch {
            if stepped.finished.contains(&finish.claim.job) {
                self.count(finish);
            } else {
                tracing::warn!(job = %finish.claim.job, "the job was no longer this worker's when it ended");
                self.summary.lost += 1;
            }
        }
        let ranks = stepped.claimed.iter().flatten().map(|claimed| claimed.priority.saturating_neg());
        self.marks.learn(&stepped.sight, ranks, now_ms);
        self.next_due_ms = stepped.next_due_ms;
        self.any_left = stepped.any;
        if slots > 0 && stepped.claimed.len() < slots && now_ms >= self.walked_ms + WALK_MS {
            // Nothing much is ready: a good time to find what the marks have passed over.
            self.walked_ms = now_ms;
            self.marks.forget();
        }
        if slots > 0 {
            self.hungry = stepped.contested || stepped.claimed.len() >= slots;
        }
        self.summary.claimed += stepped.claimed.len() as u64;
        for claimed in stepped.claimed {
            match claimed {
                Ok(claimed) => self.start(claimed),
                Err(bad) => self.finishes.push_back(stuck(bad.claim, "Unreadable", &bad.reason)),
            }
        }
    }

    fn start(&mut self, claimed: Claimed) {
        let cancel = CancellationToken::new();
        if claimed.cancel_asked {
            cancel.cancel();
        }
        let claim = claimed.claim.clone();
        let lease = Lease::new(
            claim.clone(),
            Arc::clone(&self.life.until_ms),
            self.life.lost.clone(),
            cancel.clone(),
            self.stop.clone(),
        );
        self.running.insert(claim.job, Running { claim: claim.clone(), cancel });
        let handler = Arc::clone(self.handler);
        self.handlers.spawn(async move {
            let handled = AssertUnwindSafe(handler.run(claimed, lease)).catch_unwind().await.ok();
            (claim, handled)
        });
    }

    fn wait_after(&mut self, error: &StoreError) {
        self.failures += 1;
        self.in_doubt = true;
        let wait_ms = 50_i64 << self.failures.min(6);
        self.retry_at_ms = self.clock.now_ms() + wait_ms;
        tracing::warn!(%error, failures = self.failures, wait = ?millis(wait_ms), "the queue can't be reached; nothing is lost");
    }
}
