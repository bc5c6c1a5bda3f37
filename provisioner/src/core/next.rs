//! What to do now: a pure function of a job's progress, the policy and the time.

use providers::{CallError, ErrorClass, Kind, Observed, Power, Remedy, ResourceId, Trouble};

use super::{After, Certainty, Ending, Goal, Outcome, Phase, Plan, Policy, Progress, Step, Thing, Verb};

mod leaving;

use leaving::taking_away;

/// How long tags that were written may take to be shown, in milliseconds.
const TAGS_SHOWN_MS: i64 = 10_000;

/// The next move of a job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Move {
    /// Make a plan and record it.
    Plan,
    /// Record that this call begins, make it, record its answer.
    Call {
        /// On what.
        resource: ResourceId,
        /// Which call.
        verb: Verb,
    },
    /// Look at these; record what is new.
    Look {
        /// At what.
        resources: Vec<ResourceId>,
        /// Not before then, in milliseconds since 1970.
        from_ms: i64,
    },
    /// Do nothing until then, in milliseconds since 1970.
    Sleep {
        /// Until when.
        until_ms: i64,
    },
    /// Record that nothing is there: a look after the window in which the cloud may hide it has shown nothing.
    Settle {
        /// Of what.
        resource: ResourceId,
    },
    /// Record that from here on what was begun is taken back.
    Unwind {
        /// Why.
        because: Trouble,
        /// What follows.
        then: After,
    },
    /// Record the end.
    End(Outcome),
}

/// The circumstances of a decision.
#[derive(Clone, Copy, Debug)]
pub struct Now<'a> {
    /// The time, in milliseconds since 1970.
    pub now_ms: i64,
    /// Delays and caps.
    pub policy: &'a Policy,
    /// Seconds for which the cloud may not show what it has just made.
    pub visibility_secs: u32,
    /// Seed of the jitter: the job's id.
    pub seed: u64,
}

/// What to do now.
#[must_use]
pub fn next(progress: &Progress, now: &Now<'_>) -> Move {
    match (&progress.phase, &progress.plan) {
        (Phase::Ended(outcome), _) => Move::End(outcome.clone()),
        (Phase::Unplanned, _) | (_, None) => {
            if progress.cancel {
                Move::End(cancelled())
            } else {
                Move::Plan
            }
        }
        (Phase::Forward, Some(plan)) => forward(progress, plan, now),
        (Phase::Unwinding { because, then }, Some(plan)) => unwind(progress, plan, because, *then, now),
    }
}

fn cancelled() -> Outcome {
    Outcome { ending: Ending::Cancelled, because: None, remedy: None }
}

fn asked_to_cancel() -> Trouble {
    let message = "a person asked for the job to be called off".to_owned();
    Trouble { class: ErrorClass::Invalid, code: "Cancelled".to_owned(), message }
}

/// What one step wants.
enum Want {
    Met,
    Act(Move),
    /// Nothing to do but look again.
    Watch,
}

fn forward(progress: &Progress, plan: &Plan, now: &Now<'_>) -> Move {
    if progress.cancel {
        if plan.steps.iter().any(Step::is_undone) {
            return Move::Unwind { because: asked_to_cancel(), then: After::Cancel };
        }
        if progress.things.values().all(|thing| !thing.began) {
            return Move::End(cancelled());
        }
        // What has begun to go, or to switch, can't be half done: it is carried to its end.
    }
    let mut watched = Vec::new();
    let mut kind = None;
    for step in &plan.steps {
        let Some(thing) = progress.things.get(&step.resource) else { continue };
        if step.born_with.is_some() || thing.meets(step) {
            continue;
        }
        // Steps wait for those before them, except that things of one kind get on side by side.
        if kind.is_some_and(|earlier| earlier != step.blueprint.kind()) {
            break;
        }
        let want = match step.goal {
            Goal::Gone => taking_away(step, thing, now),
            Goal::Recorded => recording(step, thing, now),
            Goal::Present | Goal::Running | Goal::Stopped | Goal::Tagged => making(step, thing, now),
        };
        match want {
            Want::Met => {}
            Want::Act(Move::Sleep { until_ms }) if !watched.is_empty() => {
                return look(progress, watched, now, Some(until_ms));
            }
            Want::Act(action) => return action,
            Want::Watch => {
                kind = Some(step.blueprint.kind());
                watched.push(step.resource);
            }
        }
    }
    if watched.is_empty() { Move::End(Outcome::SUCCESS) } else { look(progress, watched, now, None) }
}

fn unwind(progress: &Progress, plan: &Plan, because: &Trouble, then: After, now: &Now<'_>) -> Move {
    for step in plan.steps.iter().rev().filter(|step| step.is_undone()) {
        let Some(thing) = progress.things.get(&step.resource) else { continue };
        if skips_undo(thing, now.policy) {
            continue;
        }
        match taking_away(step, thing, now) {
            Want::Met => {}
            Want::Act(action) => return action,
            Want::Watch => return look(progress, vec![step.resource], now, None),
        }
    }
    match then {
        After::Replan if progress.cancel => Move::End(cancelled()),
        After::Replan if progress.tried.len() >= now.policy.max_candidates as usize => {
            Move::End(Outcome::of(Ending::Failed, because.clone()))
        }
        After::Replan => Move::Plan,
        After::Fail => Move::End(Outcome::of(Ending::Failed, because.clone())),
        After::Cancel => Move::End(cancelled()),
    }
}

#[cfg(feature = "sabotage")]
fn skips_undo(thing: &Thing, policy: &Policy) -> bool {
    policy.sabotage == Some(super::policy::Sabotage::UndoOnlySucceeded)
        && !matches!(thing.certainty, Certainty::Seen(_))
}

#[cfg(not(feature = "sabotage"))]
const fn skips_undo(_: &Thing, _: &Policy) -> bool {
    false
}

/// Looks are paced: a look at what was just called, or looked at, waits its turn.
fn look(progress: &Progress, resources: Vec<ResourceId>, now: &Now<'_>, at_most_ms: Option<i64>) -> Move {
    let blocked = resources.iter().filter_map(|id| progress.things.get(id)).filter_map(|thing| {
        let (at, error) = thing.error.as_ref().filter(|_| thing.look_failures > 0)?;
        Some(at + delay(error, thing.look_failures, now))
    });
    let from_ms = blocked.max().unwrap_or(now.now_ms).max(now.now_ms);
    let from_ms = at_most_ms.map_or(from_ms, |most| from_ms.min(most));
    Move::Look { resources, from_ms }
}

fn delay(error: &CallError, failures: u32, now: &Now<'_>) -> i64 {
    let asked = error.retry_after_ms.unwrap_or(0);
    let ours = now.policy.delay_ms(error.class(), failures, now.seed);
    i64::try_from(asked.max(ours)).unwrap_or(i64::MAX / 4)
}

/// When the next call on it may be made.
fn ready_ms(thing: &Thing, now: &Now<'_>) -> i64 {
    let failed = thing.error.as_ref().filter(|_| thing.failures > 0);
    failed.map_or(i64::MIN, |(at, error)| at + delay(error, thing.failures, now))
}

fn call(step: &Step, thing: &Thing, verb: Verb, now: &Now<'_>) -> Want {
    let ready_ms = ready_ms(thing, now);
    if ready_ms > now.now_ms {
        return Want::Act(Move::Sleep { until_ms: ready_ms });
    }
    Want::Act(Move::Call { resource: step.resource, verb })
}

fn stuck(because: &Trouble) -> Want {
    Want::Act(Move::End(Outcome::of(Ending::Stuck, because.clone())))
}

/// What exists has no other candidate: only what this job makes is tried elsewhere.
fn give_up(step: &Step, because: &Trouble) -> Want {
    let elsewhere = because.class.remedy() == Remedy::Replan && step.prior.is_none();
    let then = if elsewhere { After::Replan } else { After::Fail };
    Want::Act(Move::Unwind { because: because.clone(), then })
}

/// What the last failed call or look on a step calls for before anything else; nothing if the step just goes on.
fn verdict(step: &Step, thing: &Thing, now: &Now<'_>) -> Option<Want> {
    let (_, error) = thing.error.as_ref()?;
    let trouble = naming(step, thing, &error.trouble);
    let looked = thing.look_failures > 0;
    match error.class().remedy() {
        Remedy::Halt => Some(stuck(&trouble)),
        // A look that is refused leaves us blind: neither forward nor back is safe.
        Remedy::Unwind | Remedy::Replan if looked => Some(stuck(&trouble)),
        Remedy::Unwind | Remedy::Replan => Some(give_up(step, &trouble)),
        Remedy::Retry | Remedy::ObserveFirst => {
            let most = now.policy.max_attempts;
            // Who asks too often is told to wait, not that it can't be: the deadline is bound enough.
            let waits = error.class() == ErrorClass::Throttled;
            (!waits && (thing.failures >= most || thing.look_failures >= most)).then(|| give_up(step, &trouble))
        }
    }
}

/// The same trouble, with the resource named for whoever reads it.
fn naming(step: &Step, thing: &Thing, trouble: &Trouble) -> Trouble {
    let kind = step.blueprint.kind();
    let name = thing.remote.as_ref().map_or_else(|| format!("{kind} {}", step.resource), |r| format!("{kind} {r}"));
    let place = step.blueprint.zone().map_or_else(|| step.blueprint.region().to_string(), |zone| zone.to_string());
    let message = format!("{name} in {place}: {}", trouble.message);
    Trouble { class: trouble.class, code: trouble.code.clone(), message }
}

fn ours(class: ErrorClass, code: &str, message: &str) -> Trouble {
    Trouble { class, code: code.to_owned(), message: message.to_owned() }
}

/// From when on a look that shows nothing is to be believed.
#[must_use]
pub fn shown_by_ms(thing: &Thing, visibility_secs: u32) -> i64 {
    thing.called_ms.map_or(i64::MIN, |called| called + i64::from(visibility_secs) * 1_000)
}

fn is_late(thing: &Thing, now: &Now<'_>) -> bool {
    thing.since_ms.is_some_and(|since| now.now_ms - since > now.policy.step_deadline_ms())
}

/// A step towards a resource that is to be there.
fn making(step: &Step, thing: &Thing, now: &Now<'_>) -> Want {
    if let Some(want) = verdict(step, thing, now) {
        return want;
    }
    if is_late(thing, now) {
        let late = ours(ErrorClass::Unavailable, "DeadlineExceeded", "it did not get ready within the step's deadline");
        return give_up(step, &naming(step, thing, &late));
    }
    let kind = step.blueprint.kind();
    match &thing.certainty {
        Certainty::Nothing => call(step, thing, Verb::Ensure, now),
        Certainty::Believed | Certainty::Maybe { looked_ms: None } => Want::Watch,
        Certainty::Maybe { looked_ms: Some(looked) } => {
            if !thing.answered && kind == Kind::Key && *looked < shown_by_ms(thing, now.visibility_secs) {
                // A key has no token: what the lost call may have made must be found, or certainly not be there.
                let from_ms = shown_by_ms(thing, now.visibility_secs).max(now.now_ms);
                Want::Act(Move::Look { resources: vec![step.resource], from_ms })
            } else if !thing.answered {
                // The same token again: whatever the lost call did, there will be one.
                call(step, thing, Verb::Ensure, now)
            } else if *looked < shown_by_ms(thing, now.visibility_secs) {
                Want::Watch
            } else {
                vanished(step, thing, None)
            }
        }
        Certainty::Seen(Observed::Pending(_)) if kind == Kind::Key && step.goal != Goal::Tagged => {
            finishing(step, thing, now)
        }
        Certainty::Seen(Observed::Pending(_)) => Want::Watch,
        Certainty::Seen(Observed::Ready(_)) if step.goal == Goal::Tagged => tagging(step, thing, now),
        Certainty::Seen(Observed::Ready(_)) => switching(step, thing, now),
        Certainty::Seen(Observed::Leaving(_)) if kind == Kind::Key => {
            let why = ours(ErrorClass::KeyUnusable, "PendingDeletion", "the key is scheduled for deletion");
            give_up(step, &naming(step, thing, &why))
        }
        Certainty::Seen(Observed::Leaving(_)) => Want::Watch,
        Certainty::Seen(Observed::Absent { died }) => vanished(step, thing, died.as_ref()),
        Certainty::Seen(Observed::Broken { found, why }) => {
            // What a key has locked, what finds no room, and what its host has let down is no danger to anybody: the job
            // fails and says so.
            let harmless =
                matches!(why.class, ErrorClass::KeyUnusable | ErrorClass::NoCapacity | ErrorClass::Unavailable);
            if harmless && !thing.began && found.power == Some(Power::Stopped) && step.goal == Goal::Running {
                // Clouds show why the last start failed until the next one: what this job sees may long be mended.
                return call(step, thing, Verb::Start, now);
            }
            if step.goal == Goal::Stopped && found.power == Some(Power::Running) {
                // Whatever is wrong with it, it is less of a danger when it is off.
                return call(step, thing, Verb::Stop, now);
            }
            if step.goal == Goal::Tagged && why.code == providers::WRONG_TAGS {
                return tagging(step, thing, now);
            }
            let why = naming(step, thing, why);
            if step.goal == Goal::Tagged {
                return give_up(step, &why);
            }
            // What another job made is never taken away because it looks wrong: a person looks first.
            if step.is_undone() || harmless || kind == Kind::Key { give_up(step, &why) } else { stuck(&why) }
        }
    }
}

/// A step towards a record that says what the cloud shows. It calls nothing.
fn recording(step: &Step, thing: &Thing, now: &Now<'_>) -> Want {
    if let Some(want) = verdict(step, thing, now) {
        return want;
    }
    if is_late(thing, now) {
        let late =
            ours(ErrorClass::Unavailable, "DeadlineExceeded", "it did not come to rest within the step's deadline");
        return give_up(step, &naming(step, thing, &late));
    }
    match &thing.certainty {
        Certainty::Nothing => Want::Met,
        Certainty::Maybe { looked_ms: Some(looked) } => settling(step, thing, *looked, now),
        Certainty::Believed | Certainty::Maybe { looked_ms: None } | Certainty::Seen(_) => Want::Watch,
    }
}

/// A look has shown nothing: it is believed when the time has passed in which the cloud may hide what it has just made.
fn settling(step: &Step, thing: &Thing, looked: i64, now: &Now<'_>) -> Want {
    let from_ms = shown_by_ms(thing, now.visibility_secs);
    if looked >= from_ms {
        return Want::Act(Move::Settle { resource: step.resource });
    }
    let from_ms = from_ms.max(ready_ms(thing, now));
    Want::Act(Move::Look { resources: vec![step.resource], from_ms })
}

/// Tags that are written may take a moment to be shown: they are not written again before.
fn tagging(step: &Step, thing: &Thing, now: &Now<'_>) -> Want {
    match thing.called_ms.filter(|_| thing.began).map(|called| called + TAGS_SHOWN_MS) {
        Some(until_ms) if until_ms > now.now_ms => Want::Watch,
        Some(_) | None => call(step, thing, Verb::Tag, now),
    }
}

/// A key that another call may finish, at the pace of looks.
fn finishing(step: &Step, thing: &Thing, now: &Now<'_>) -> Want {
    let pace_ms = i64::try_from(now.policy.look_ms).unwrap_or(i64::MAX / 4);
    match thing.called_ms.filter(|_| thing.answered).map(|called| called + pace_ms) {
        Some(until_ms) if until_ms > now.now_ms => Want::Act(Move::Sleep { until_ms }),
        Some(_) | None => call(step, thing, Verb::Ensure, now),
    }
}

fn switching(step: &Step, thing: &Thing, now: &Now<'_>) -> Want {
    match step.goal.power() {
        Some(Power::Running) => call(step, thing, Verb::Start, now),
        Some(Power::Stopped) => call(step, thing, Verb::Stop, now),
        None => Want::Met,
    }
}

/// Something that should be there is certainly not.
fn vanished(step: &Step, thing: &Thing, died: Option<&Trouble>) -> Want {
    let gone = ours(ErrorClass::Unavailable, "Vanished", "it was there and is there no more");
    let why = naming(step, thing, died.unwrap_or(&gone));
    if step.prior.is_some() && step.goal == Goal::Stopped {
        return Want::Act(Move::Unwind { because: why, then: After::Fail });
    }
    let then = match why.class.remedy() {
        Remedy::Unwind | Remedy::Halt => After::Fail,
        Remedy::Retry | Remedy::ObserveFirst | Remedy::Replan => After::Replan,
    };
    Want::Act(Move::Unwind { because: why, then })
}
