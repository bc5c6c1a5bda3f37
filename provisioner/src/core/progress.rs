//! The state of a job: a fold over its facts, and nothing else.
//!
//! Truth has three values. Without a fact there is certainly nothing; a call that was begun and not answered may have
//! made something; an observation is what was last seen.

use std::collections::BTreeMap;

use providers::{CallError, Kind, Observed, RemoteId, ResourceId, Trouble};

use super::{After, Candidate, Ending, Entry, Fact, Outcome, Plan, RowState, Step, Verb};

mod again;
mod goal;
mod rows;
mod target;

/// What is known of a resource.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Certainty {
    /// Nothing is there.
    Nothing,
    /// The database says that it is there; this job has not looked since.
    Believed,
    /// Something may be there: a call that makes it was begun and not answered, or what it made is not shown yet.
    Maybe {
        /// When the last look showed nothing, in milliseconds since 1970; none if nobody has looked.
        looked_ms: Option<i64>,
    },
    /// What was last seen.
    Seen(Observed),
}

/// One resource of the current plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Thing {
    /// What is known of it.
    pub certainty: Certainty,
    /// The cloud's name for it, once known.
    pub remote: Option<RemoteId>,
    /// Its private address, for a machine.
    pub address: Option<String>,
    /// Whether this plan has begun a call on it.
    pub began: bool,
    /// Whether a call that makes it was answered with success.
    pub answered: bool,
    /// Whether a look has shown it since the last call that makes it.
    pub shown: bool,
    /// When a call that makes it was last begun.
    pub called_ms: Option<i64>,
    /// When the first call on it was begun.
    pub since_ms: Option<i64>,
    /// Calls to take it away that were begun, and when the last one was.
    pub removals: (u32, i64),
    /// Failed calls in a row.
    pub failures: u32,
    /// Failed looks in a row.
    pub look_failures: u32,
    /// The last failure, and when.
    pub error: Option<(i64, CallError)>,
    /// What was known before the call that is under way, for when it turns out to have had no effect.
    before: Option<Box<Certainty>>,
}

/// Where a job is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Phase {
    /// It needs a plan.
    Unplanned,
    /// It carries its plan out.
    Forward,
    /// It takes back what was begun.
    Unwinding {
        /// Why.
        because: Trouble,
        /// What follows.
        then: After,
    },
    /// It is over.
    Ended(Outcome),
}

/// The fold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Where the job is.
    pub phase: Phase,
    /// The current plan.
    pub plan: Option<Plan>,
    /// What is known of the plan's resources.
    pub things: BTreeMap<ResourceId, Thing>,
    /// The number that the next plan gets.
    pub generation: u32,
    /// The candidates that were tried.
    pub tried: Vec<Candidate>,
    /// Whether a person asked to call it off.
    pub cancel: bool,
    /// The last refusal for lack of capacity.
    pub no_capacity: Option<Trouble>,
    /// Facts folded so far.
    pub facts: usize,
    /// The phase that a stuck job goes on with.
    halted: Option<Box<Phase>>,
}

impl Default for Progress {
    fn default() -> Self {
        Self {
            phase: Phase::Unplanned,
            plan: None,
            things: BTreeMap::new(),
            generation: 0,
            tried: Vec::new(),
            cancel: false,
            no_capacity: None,
            facts: 0,
            halted: None,
        }
    }
}

impl Thing {
    fn of(step: &Step, at_ms: i64) -> Self {
        let certainty = match step.prior.as_ref().map(|prior| prior.state) {
            None => Certainty::Nothing,
            Some(RowState::Maybe) => Certainty::Maybe { looked_ms: None },
            Some(_) => Certainty::Believed,
        };
        // Another job may have made it just now. A machine or volume that is past that was shown to whoever wrote so; a key
        // is believed as soon as the call that makes it says so.
        let is_key = step.blueprint.kind() == Kind::Key;
        let is_new = |state| is_key || matches!(state, RowState::Maybe | RowState::Pending);
        let called_ms = step.prior.as_ref().filter(|prior| is_new(prior.state)).map(|_| at_ms);
        Self {
            certainty,
            remote: step.prior.as_ref().and_then(|prior| prior.remote.clone()),
            address: None,
            began: false,
            answered: false,
            shown: false,
            called_ms,
            since_ms: None,
            removals: (0, 0),
            failures: 0,
            look_failures: 0,
            error: None,
            before: None,
        }
    }

    fn begin(&mut self, verb: Verb, at_ms: i64) {
        self.began = true;
        self.since_ms.get_or_insert(at_ms);
        let unsure = match verb {
            Verb::Ensure => {
                self.called_ms = Some(at_ms);
                self.shown = false;
                Certainty::Maybe { looked_ms: None }
            }
            Verb::Tag => {
                self.called_ms = Some(at_ms);
                Certainty::Believed
            }
            Verb::Remove => {
                self.removals = (self.removals.0.saturating_add(1), at_ms);
                Certainty::Believed
            }
            Verb::Start | Verb::Stop => Certainty::Believed,
        };
        self.before = Some(Box::new(std::mem::replace(&mut self.certainty, unsure)));
    }

    /// The call had no effect: what was known before it holds again.
    fn restore(&mut self) {
        if let Some(before) = self.before.take() {
            self.certainty = *before;
        }
    }

    fn see(&mut self, observed: &Observed) {
        if let Some(found) = observed.found() {
            self.remote = Some(found.remote.clone());
            self.address = found.address.clone();
        }
        self.before = None;
        self.certainty = Certainty::Seen(observed.clone());
    }

    /// A look that shows nothing proves nothing while the cloud may not yet show what was just made.
    fn see_nothing(&mut self, at_ms: i64, died: Option<Trouble>) {
        let may_be_hidden = died.is_none() && !self.shown && self.called_ms.is_some();
        self.before = None;
        self.certainty = if may_be_hidden {
            Certainty::Maybe { looked_ms: Some(at_ms) }
        } else {
            Certainty::Seen(Observed::Absent { died })
        };
    }
}

impl Progress {
    /// The fold of all facts of a job.
    #[must_use]
    pub fn fold<'a>(entries: impl IntoIterator<Item = &'a Entry>) -> Self {
        let mut progress = Self::default();
        for entry in entries {
            progress.apply(entry.at_ms, &entry.fact);
        }
        progress
    }

    /// One fact more.
    pub fn apply(&mut self, at_ms: i64, fact: &Fact) {
        self.facts += 1;
        match fact {
            Fact::Planned { plan } => self.planned(at_ms, plan),
            Fact::Began { resource, verb, .. } => {
                for id in self.family(*resource, *verb) {
                    if let Some(thing) = self.things.get_mut(&id) {
                        thing.begin(*verb, at_ms);
                    }
                }
            }
            Fact::Answered { resource, verb, observed } => self.answered(at_ms, *resource, *verb, observed),
            Fact::Failed { resource, verb, error } => self.failed(at_ms, *resource, *verb, error),
            Fact::Saw { resource, observed } => self.saw(at_ms, *resource, observed),
            Fact::Settled { resource } => {
                if let Some(thing) = self.things.get_mut(resource) {
                    thing.before = None;
                    thing.certainty = Certainty::Nothing;
                }
            }
            Fact::Unwinding { because, then } => {
                self.phase = Phase::Unwinding { because: because.clone(), then: *then };
                self.forgive();
            }
            Fact::CancelAsked => {
                self.cancel = true;
                self.resume();
            }
            Fact::RetryAsked => {
                self.cancel = false;
                self.resume();
            }
            Fact::Ended { outcome } => {
                let phase = std::mem::replace(&mut self.phase, Phase::Ended(outcome.clone()));
                self.halted = (outcome.ending == Ending::Stuck).then(|| Box::new(phase));
            }
        }
    }

    fn planned(&mut self, at_ms: i64, plan: &Plan) {
        self.phase = Phase::Forward;
        self.generation = plan.generation + 1;
        self.tried.extend(plan.candidate);
        self.things = plan.steps.iter().map(|step| (step.resource, Thing::of(step, at_ms))).collect();
        self.plan = Some(plan.clone());
    }

    /// The resource, and for a call that makes it those that are born with it.
    fn family(&self, resource: ResourceId, verb: Verb) -> Vec<ResourceId> {
        let born = self.born_with(resource).filter(|_| verb == Verb::Ensure);
        std::iter::once(resource).chain(born).collect()
    }

    fn born_with(&self, parent: ResourceId) -> impl Iterator<Item = ResourceId> {
        let steps = self.plan.iter().flat_map(|plan| plan.steps.iter());
        steps.filter(move |step| step.born_with == Some(parent)).map(|step| step.resource)
    }

    fn answered(&mut self, at_ms: i64, resource: ResourceId, verb: Verb, observed: &Observed) {
        if let Some(thing) = self.things.get_mut(&resource) {
            // What finds nothing may have come before the cloud knows its own new thing by its name.
            match observed {
                Observed::Absent { died } if matches!(verb, Verb::Remove | Verb::Ensure) => {
                    thing.see_nothing(at_ms, died.clone());
                }
                Observed::Absent { .. }
                | Observed::Pending(_)
                | Observed::Ready(_)
                | Observed::Leaving(_)
                | Observed::Broken { .. } => thing.see(observed),
            }
            thing.failures = 0;
            thing.error = None;
            thing.answered |= verb == Verb::Ensure;
        }
        if verb == Verb::Ensure {
            self.tell_children(resource, observed);
        }
    }

    fn failed(&mut self, at_ms: i64, resource: ResourceId, verb: Option<Verb>, error: &CallError) {
        if error.class() == providers::ErrorClass::NoCapacity {
            self.no_capacity = Some(error.trouble.clone());
        }
        if let Some(verb) = verb.filter(|_| !error.class().may_have_happened()) {
            for id in self.family(resource, verb) {
                if let Some(thing) = self.things.get_mut(&id) {
                    thing.restore();
                }
            }
        }
        if let Some(thing) = self.things.get_mut(&resource) {
            match verb {
                Some(_) => thing.failures += 1,
                None => thing.look_failures += 1,
            }
            thing.error = Some((at_ms, error.clone()));
        }
    }

    fn saw(&mut self, at_ms: i64, resource: ResourceId, observed: &Observed) {
        let Some(thing) = self.things.get_mut(&resource) else { return };
        thing.look_failures = 0;
        // What was never called, only waited for, has a deadline, too.
        thing.since_ms.get_or_insert(at_ms);
        match observed {
            Observed::Absent { died } => thing.see_nothing(at_ms, died.clone()),
            Observed::Pending(_) | Observed::Ready(_) | Observed::Leaving(_) | Observed::Broken { .. } => {
                thing.see(observed);
                thing.shown = true;
            }
        }
        if let Observed::Absent { died: Some(trouble) } = observed
            && trouble.class == providers::ErrorClass::NoCapacity
        {
            self.no_capacity = Some(trouble.clone());
        }
        self.tell_children(resource, observed);
    }

    /// What a machine's state says of the volume that is born with it.
    fn tell_children(&mut self, parent: ResourceId, observed: &Observed) {
        let children: Vec<ResourceId> = self.born_with(parent).collect();
        for id in children {
            let Some(thing) = self.things.get_mut(&id) else { continue };
            if let Some(remote) = observed.found().and_then(|found| found.cache.clone()) {
                let mut found = providers::Found::new(remote);
                found.attached_to = observed.found().map(|parent| parent.remote.clone());
                let ready = matches!(observed, Observed::Ready(_));
                thing.see(&if ready { Observed::Ready(found) } else { Observed::Pending(found) });
            } else if observed.is_absent() && thing.began && thing.may_exist() {
                // The machine has died; what became of its volume has to be looked up.
                thing.before = None;
                thing.certainty = Certainty::Maybe { looked_ms: None };
            }
        }
    }
}
