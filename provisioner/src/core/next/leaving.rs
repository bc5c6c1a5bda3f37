//! The way out: steps towards what is to be gone.

use providers::{ErrorClass, Kind, Observed, Remedy, Trouble};

use super::{Move, Now, Want, call, naming, ours, settling, stuck};
use crate::core::{After, Blueprint, Certainty, Step, Thing, Verb};

/// A step towards a resource that is to be gone. There is no cap on attempts: only what is permanent makes it stuck.
pub(super) fn taking_away(step: &Step, thing: &Thing, now: &Now<'_>) -> Want {
    if thing.is_gone(step.blueprint.kind()) {
        return Want::Met;
    }
    if let Some((_, error)) = &thing.error {
        let trouble = naming(step, thing, &error.trouble);
        match error.class().remedy() {
            Remedy::Unwind | Remedy::Halt => return stuck(&trouble),
            Remedy::ObserveFirst
                if error.class() == ErrorClass::Conflict && thing.failures > now.policy.max_attempts =>
            {
                return stuck(&trouble);
            }
            Remedy::Retry | Remedy::ObserveFirst | Remedy::Replan => {}
        }
    }
    if let Some(because) = protection(step, thing, now) {
        return Want::Act(Move::Unwind { because: naming(step, thing, &because), then: After::Fail });
    }
    match &thing.certainty {
        Certainty::Nothing | Certainty::Seen(Observed::Absent { .. }) => Want::Met,
        // What no record explains is looked at once more before it goes.
        Certainty::Believed if matches!(step.blueprint, Blueprint::Stray { .. }) && !thing.began => Want::Watch,
        Certainty::Believed | Certainty::Seen(Observed::Pending(_) | Observed::Ready(_) | Observed::Broken { .. }) => {
            removing(step, thing, now)
        }
        Certainty::Maybe { looked_ms: None } => Want::Watch,
        Certainty::Maybe { looked_ms: Some(looked) } => settling(step, thing, *looked, now),
        Certainty::Seen(Observed::Leaving(_)) => Want::Watch,
    }
}

/// A cloud may say yes to a removal and not carry it out: it is asked again, ever more slowly.
fn removing(step: &Step, thing: &Thing, now: &Now<'_>) -> Want {
    let (removals, last_ms) = thing.removals;
    let wait_ms = now.policy.delay_ms(ErrorClass::Conflict, removals, now.seed);
    let until_ms = last_ms.saturating_add(i64::try_from(wait_ms).unwrap_or(i64::MAX / 4));
    if removals > 0 && thing.failures == 0 && until_ms > now.now_ms {
        return Want::Act(Move::Look { resources: vec![step.resource], from_ms: until_ms });
    }
    call(step, thing, Verb::Remove, now)
}

/// What keeps something that no record explains from being taken away, as the look before shows it.
fn protection(step: &Step, thing: &Thing, now: &Now<'_>) -> Option<Trouble> {
    let Blueprint::Stray { of, until_ms, .. } = &step.blueprint else { return None };
    let Certainty::Seen(Observed::Ready(found)) = &thing.certainty else { return None };
    if let Some(holder) = found.attached_to.as_ref().filter(|_| *of == Kind::Volume) {
        let message = format!("it is attached to {holder}: somebody uses it");
        return Some(ours(ErrorClass::Conflict, "InUse", &message));
    }
    match (until_ms, found.quarantined_until_ms) {
        (Some(_), None) => {
            let message = "the mark of its quarantine was taken off: somebody wants to keep it";
            Some(ours(ErrorClass::Conflict, "Released", message))
        }
        (Some(_), Some(until)) if until > now.now_ms => {
            let message = "its quarantine is not over: its mark says so";
            Some(ours(ErrorClass::Conflict, "Quarantined", message))
        }
        (Some(_), Some(_)) | (None, _) => None,
    }
}
