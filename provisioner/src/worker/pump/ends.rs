//! How jobs leave a worker: ended, handed back or lost.

use providers::{ErrorClass, Trouble};

use super::{Pump, Returned};
use crate::{
    core::{Ending, Fact, Outcome},
    execute::Handled,
    store::{Claim, Finish, RecordError, Release, StoreError},
};

/// A handler that panicked gets its job again after this time.
const AFTER_PANIC_MS: i64 = 10_000;

impl Pump<'_> {
    /// A handler came back.
    pub(super) fn take(&mut self, (claim, handled): Returned) {
        if self.running.get(&claim.job).is_none_or(|running| running.claim != claim) {
            return;
        }
        self.running.remove(&claim.job);
        let now_ms = self.clock.now_ms();
        match handled {
            Some(Handled::Ended { outcome, facts, drops }) => {
                let finish = Finish { claim, outcome, facts, drops };
                if drops.is_some() { self.dropping.push(finish) } else { self.finishes.push_back(finish) }
            }
            Some(Handled::Later { run_at_ms }) => self.releases.push(Release { claim, run_at_ms, spent: false }),
            // The claim is as good as a dead worker's: whoever has it now is not disturbed, and if nobody has, somebody will.
            Some(Handled::Lost) => {
                self.summary.lost += 1;
                self.releases.push(Release { claim, run_at_ms: now_ms + self.config.lease_ms, spent: true });
            }
            None => {
                tracing::error!(job = %claim.job, "the handler panicked; the job is tried again");
                self.releases.push(Release { claim, run_at_ms: now_ms + AFTER_PANIC_MS, spent: true });
            }
        }
    }

    pub(super) async fn hand_back(&mut self) -> Result<(), StoreError> {
        let back = self.store.release_all(&self.releases, self.is_stopping()).await?;
        let now_ms = self.clock.now_ms();
        for release in self.releases.drain(..) {
            if !back.contains(&release.claim.job) {
                self.summary.lost += u64::from(!release.spent);
                continue;
            }
            self.summary.handed_back += 1;
            if release.run_at_ms <= now_ms {
                self.hungry = true;
            } else {
                self.next_due_ms = Some(self.next_due_ms.map_or(release.run_at_ms, |due| due.min(release.run_at_ms)));
            }
        }
        Ok(())
    }

    /// The end of a deletion. If the tenant can't go, the job is stuck, and says why.
    pub(super) async fn end_tenant(&mut self, finish: Finish) -> Result<(), StoreError> {
        match self.store.finish_dropping(&finish, self.clock.now_ms()).await {
            Ok(()) => self.count(&finish),
            Err(RecordError::LostLease) => self.summary.lost += 1,
            Err(RecordError::Store(error)) if error.is_passing() => return Err(error),
            Err(error) => self.finishes.push_back(stuck(finish.claim, "TenantNotGone", &error.to_string())),
        }
        Ok(())
    }

    /// One end that can't be written must not keep the others from it: its job is stuck, and says why; and if not even that
    /// can be written, it is tried again later.
    pub(super) async fn finish_singly(&mut self, batch: Vec<Finish>, now_ms: i64) -> Result<(), StoreError> {
        for finish in batch {
            let claim = finish.claim.clone();
            if !self.finish_one(finish, now_ms).await? {
                let last =
                    stuck(claim.clone(), "EndNotWritten", "the end of the job could not be written: see the log");
                if !self.finish_one(last, now_ms).await? {
                    self.releases.push(Release { claim, run_at_ms: now_ms + AFTER_PANIC_MS, spent: true });
                }
            }
            self.finishes.pop_front();
        }
        Ok(())
    }

    /// False if the database refuses just this.
    async fn finish_one(&mut self, finish: Finish, now_ms: i64) -> Result<bool, StoreError> {
        match self.store.finish(vec![finish.clone()], now_ms).await.pop() {
            Some(Err(RecordError::Store(error))) if error.is_passing() => Err(error),
            Some(Err(RecordError::Store(error))) => {
                tracing::error!(job = %finish.claim.job, %error, "the end of a job was refused");
                Ok(false)
            }
            Some(Ok(())) => {
                self.count(&finish);
                Ok(true)
            }
            Some(Err(RecordError::LostLease | RecordError::Held { .. })) | None => {
                self.summary.lost += 1;
                Ok(true)
            }
        }
    }

    pub(super) fn count(&mut self, finish: &Finish) {
        match finish.outcome.ending {
            Ending::Succeeded => self.summary.succeeded += 1,
            Ending::Failed | Ending::Cancelled | Ending::Stuck => self.summary.unsuccessful += 1,
        }
    }
}

pub(super) fn stuck(claim: Claim, code: &str, message: &str) -> Finish {
    let message = message.replace('\0', "\u{fffd}");
    let because = Trouble { class: ErrorClass::Unrecognized, code: code.to_owned(), message };
    let outcome = Outcome::of(Ending::Stuck, because);
    Finish { claim, facts: vec![Fact::Ended { outcome: outcome.clone() }], outcome, drops: None }
}
