//! A job that is taken up again: by another worker, or because a person asks.

use providers::Observed;

use super::{Certainty, Phase, Progress};

impl Progress {
    /// What a job's new holder has to assume: a call of the holder before may still be on its way, and its clock may have
    /// been another. So whatever may be hidden may have been made just now, and the time in which nobody worked counts for nothing.
    pub fn doubt(&mut self, now_ms: i64) {
        for thing in self.things.values_mut() {
            thing.since_ms = thing.since_ms.map(|_| now_ms);
            if let Some((at_ms, _)) = &mut thing.error {
                *at_ms = (*at_ms).min(now_ms);
            }
            if !thing.shown {
                thing.called_ms = thing.called_ms.map(|_| now_ms);
            }
        }
    }

    /// A stuck job goes on where it halted, with eyes opened anew; one that failed or was cancelled has nothing left and begins anew.
    pub(super) fn resume(&mut self) {
        if let Phase::Ended(_) = self.phase {
            self.phase = self.halted.take().map_or(Phase::Unplanned, |phase| *phase);
            if self.phase == Phase::Unplanned {
                self.tried.clear();
            }
            self.forgive();
            for thing in self.things.values_mut() {
                if let Certainty::Seen(
                    Observed::Pending(_) | Observed::Ready(_) | Observed::Leaving(_) | Observed::Broken { .. },
                ) = thing.certainty
                {
                    thing.certainty = Certainty::Believed;
                }
            }
        }
    }

    pub(super) fn forgive(&mut self) {
        for thing in self.things.values_mut() {
            thing.failures = 0;
            thing.look_failures = 0;
            thing.error = None;
            thing.since_ms = None;
            thing.removals = (0, 0);
        }
    }
}
