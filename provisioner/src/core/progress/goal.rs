//! Whether what is known of a thing is what its step wants.

use providers::{Kind, Observed, Power};

use super::{Certainty, Thing};
use crate::core::{Blueprint, Goal, Step};

impl Thing {
    /// Whether it exists or may exist.
    #[must_use]
    pub const fn may_exist(&self) -> bool {
        match &self.certainty {
            Certainty::Nothing => false,
            Certainty::Believed | Certainty::Maybe { .. } => true,
            Certainty::Seen(observed) => !observed.is_absent(),
        }
    }

    /// Whether the plan's goal for it is reached.
    #[must_use]
    pub fn meets(&self, step: &Step) -> bool {
        match step.goal {
            Goal::Gone => self.is_gone(step.blueprint.kind()),
            Goal::Recorded => match &self.certainty {
                Certainty::Nothing => true,
                Certainty::Seen(Observed::Leaving(_)) => step.blueprint.kind() == Kind::Key,
                Certainty::Seen(observed) => !matches!(observed, Observed::Pending(_)),
                Certainty::Believed | Certainty::Maybe { .. } => false,
            },
            Goal::Tagged => {
                let is_marked = |found: &providers::Found| match &step.blueprint {
                    Blueprint::Stray { .. } => found.quarantined_until_ms.is_some(),
                    Blueprint::Key { .. }
                    | Blueprint::Volume { .. }
                    | Blueprint::Machine { .. }
                    | Blueprint::Attachment { .. } => true,
                };
                matches!(&self.certainty, Certainty::Seen(Observed::Ready(found)) if is_marked(found))
            }
            Goal::Present | Goal::Running | Goal::Stopped => match &self.certainty {
                Certainty::Seen(Observed::Ready(found)) => {
                    step.goal.power().is_none_or(|power| found.power == Some(power))
                }
                // A machine that can't start, for want of its key say, is off all the same.
                Certainty::Seen(Observed::Broken { found, .. }) => {
                    step.goal == Goal::Stopped && found.power == Some(Power::Stopped)
                }
                Certainty::Nothing | Certainty::Believed | Certainty::Maybe { .. } | Certainty::Seen(_) => false,
            },
        }
    }

    /// Whether it has certainly gone. A key that is scheduled for deletion counts: clouds keep it for days.
    #[must_use]
    pub fn is_gone(&self, kind: Kind) -> bool {
        match &self.certainty {
            Certainty::Nothing | Certainty::Seen(Observed::Absent { .. }) => true,
            Certainty::Seen(Observed::Leaving(_)) => kind == Kind::Key,
            Certainty::Believed | Certainty::Maybe { .. } | Certainty::Seen(_) => false,
        }
    }
}
