//! What the database's resource rows should say, derived from the fold.

use providers::{Kind, Observed, Power};

use super::{Certainty, Progress, Thing};
use crate::core::{Goal, JobId, ResourceRow, RowChange, RowState, Step};

impl Progress {
    /// The changes that lead from the rows as `before` had them to the rows as they should be now.
    #[must_use]
    pub fn row_changes(&self, before: &Self, job: JobId) -> Vec<RowChange> {
        let same_plan = before.plan == self.plan;
        let steps = self.plan.iter().flat_map(|plan| plan.steps.iter());
        steps
            .filter(|step| step.blueprint.has_row())
            .filter_map(|step| {
                let now = self.row(step, job);
                // A plan that has just begun finds the rows as its priors say.
                let then = if same_plan { before.row(step, job) } else { prior_row(step, job) };
                match (then, now) {
                    (then, Some(now)) if then.as_ref() != Some(&now) || self.claims(before, step) => {
                        Some(RowChange::Put(Box::new(now)))
                    }
                    (Some(_), None) => Some(RowChange::Drop(step.resource)),
                    (None | Some(_), None | Some(_)) => None,
                }
            })
            .collect()
    }

    /// Whether a call that makes a key has begun since: its row is written even if it says what it said, because writing it is
    /// what only one job at a time may do.
    fn claims(&self, before: &Self, step: &Step) -> bool {
        let called = |progress: &Self| {
            let thing = progress.things.get(&step.resource).filter(|thing| thing.began && thing.may_exist());
            thing.and_then(|thing| thing.called_ms)
        };
        let then = if before.plan == self.plan { called(before) } else { None };
        step.blueprint.kind() == Kind::Key && called(self).is_some() && called(self) != then
    }

    fn row(&self, step: &Step, job: JobId) -> Option<ResourceRow> {
        row_of(step, self.things.get(&step.resource)?, job)
    }
}

fn prior_row(step: &Step, job: JobId) -> Option<ResourceRow> {
    step.prior.as_ref().and_then(|_| row_of(step, &Thing::of(step, 0), job))
}

fn row_of(step: &Step, thing: &Thing, job: JobId) -> Option<ResourceRow> {
    if !thing.may_exist() || (step.goal == Goal::Gone && thing.is_gone(step.blueprint.kind())) {
        return None;
    }
    Some(ResourceRow {
        id: step.resource,
        kind: step.blueprint.kind(),
        org: step.org,
        project: step.project,
        arch: step.arch,
        region: step.blueprint.region(),
        zone: step.blueprint.zone(),
        remote: thing.remote.clone(),
        state: state_of(step, thing),
        incarnation: step.incarnation,
        blueprint: step.blueprint.clone(),
        address: thing.address.clone(),
        job,
        created_ms: 0,
        updated_ms: 0,
    })
}

fn state_of(step: &Step, thing: &Thing) -> RowState {
    match &thing.certainty {
        Certainty::Nothing | Certainty::Maybe { .. } | Certainty::Seen(Observed::Absent { .. }) => RowState::Maybe,
        Certainty::Believed => match (&step.prior, thing.began) {
            (_, true) if step.goal == Goal::Gone => RowState::Leaving,
            (Some(prior), false) => prior.state,
            (_, true) | (None, false) => RowState::Pending,
        },
        Certainty::Seen(Observed::Pending(_)) => RowState::Pending,
        Certainty::Seen(Observed::Ready(found)) if found.power == Some(Power::Stopped) => RowState::Stopped,
        Certainty::Seen(Observed::Ready(_)) => RowState::Ready,
        Certainty::Seen(Observed::Leaving(_)) => RowState::Leaving,
        Certainty::Seen(Observed::Broken { .. }) => RowState::Broken,
    }
}
