//! The two things that a job does to a cloud: it calls, and it looks.

use std::{sync::Arc, time::Duration};

use providers::{CallError, ErrorClass, Observed, Power, Provider, ResourceId, Spec, Target, Token};

use super::{Drive, LetGo};
use crate::core::{Blueprint, Certainty, Fact, Step, Verb, shown_by_ms};

/// A provider bounds its own calls; this bounds a provider that does not.
const CALL_LIMIT: Duration = Duration::from_secs(120);

impl Drive<'_> {
    fn step(&self, resource: ResourceId) -> Option<&Step> {
        self.progress.plan.as_ref()?.step(resource)
    }

    pub(super) async fn call(&mut self, resource: ResourceId, verb: Verb) -> Result<(), LetGo> {
        let Some((provider, target)) = self.aim(resource) else {
            let because = unaimed(resource);
            self.note(Fact::Failed { resource, verb: Some(verb), error: because });
            return Ok(());
        };
        let token = self.token(resource, verb);
        self.note(Fact::Began { resource, verb, token: Some(token.clone()) });
        if let Some(held) = self.try_write().await? {
            self.take_back(held);
            return self.await_key(held).await;
        }
        if !self.lease.is_held(self.now_ms()) {
            return Err(LetGo::LostLease);
        }
        let answer = tokio::time::timeout(CALL_LIMIT, perform(&*provider, verb, &token, &target)).await;
        let answer = answer.unwrap_or_else(|_| {
            Err(CallError::new(verb.as_str(), ErrorClass::Ambiguous, "NoAnswer", "the provider gave no answer in time"))
        });
        self.heed(resource, &target, verb, &answer);
        self.note(match answer {
            Ok(observed) => Fact::Answered { resource, verb, observed },
            Err(error) => Fact::Failed { resource, verb: Some(verb), error },
        });
        Ok(())
    }

    /// What the worker's other jobs should know of an answer.
    fn heed(&self, resource: ResourceId, target: &Target, verb: Verb, answer: &Result<Observed, CallError>) {
        match (&target.spec, answer) {
            (Spec::Key(_), Ok(observed)) if verb == Verb::Ensure => self.executor.lookout.trust(resource, observed),
            (Spec::Key(_), Ok(_) | Err(_)) => self.executor.lookout.distrust(resource),
            (Spec::Machine(_), Err(error)) if error.class() == ErrorClass::NoCapacity => {
                self.shun_candidate();
            }
            (Spec::Machine(_), Err(error)) if error.class() == ErrorClass::KeyUnusable => self.distrust_key(resource),
            (Spec::Machine(_) | Spec::Volume(_) | Spec::Attachment(_) | Spec::Stray(_), Ok(_) | Err(_)) => {}
        }
    }

    /// The zone has no such machine now: other jobs try it last for a while.
    fn shun_candidate(&self) {
        let secs = i64::try_from(self.executor.policy.refusal_secs).unwrap_or(i64::MAX / 2_000);
        if let Some(candidate) = self.progress.plan.as_ref().and_then(|plan| plan.candidate) {
            self.executor.refusals.add(candidate, self.now_ms() + secs * 1_000);
        }
    }

    fn distrust_key(&self, resource: ResourceId) {
        if let Some(Blueprint::Machine { key, .. }) = self.step(resource).map(|step| &step.blueprint) {
            self.executor.lookout.distrust(*key);
        }
    }

    fn aim(&self, resource: ResourceId) -> Option<(Arc<dyn Provider>, Target)> {
        let target = self.progress.target(resource)?;
        let provider = self.executor.providers.get(&target.spec.region().cloud())?;
        Some((Arc::clone(provider), target))
    }

    /// What makes something has one token for its incarnation; everything else has one for each attempt that is recorded.
    fn token(&self, resource: ResourceId, verb: Verb) -> Token {
        if verb != Verb::Ensure {
            let attempt = format!("{}/{}/{}", self.claimed.claim.job, self.progress.facts, verb.as_str());
            return Token::of_attempt(resource, &attempt);
        }
        let incarnation = self.step(resource).map_or(0, |step| step.incarnation);
        #[cfg(feature = "sabotage")]
        if self.executor.policy.sabotage == Some(crate::core::policy::Sabotage::RandomTokens) {
            return Token::from_string(format!("{resource}-{}", self.now_ms()));
        }
        Token::derive(resource, incarnation)
    }

    pub(super) async fn look(&mut self, resources: &[ResourceId]) -> Result<(), LetGo> {
        let aims: Vec<_> = resources.iter().map(|id| (*id, self.aim(*id), self.is_unknown(*id))).collect();
        let lookout = &self.executor.lookout;
        let looks = aims.into_iter().map(|(id, aim, at_once)| async move {
            match aim {
                Some((provider, target)) => (id, lookout.look(&provider, target, at_once).await),
                None => (id, Err(unaimed(id))),
            }
        });
        let seen = tokio::select! {
            seen = futures_util::future::join_all(looks) => seen,
            () = self.interrupted() => return Ok(()),
        };
        for (resource, answer) in seen {
            match answer {
                Ok(observed) if self.is_news(resource, &observed) => {
                    match &observed {
                        Observed::Absent { died: Some(why) } if why.class == ErrorClass::KeyUnusable => {
                            self.distrust_key(resource);
                        }
                        Observed::Absent { died: Some(why) } if why.class == ErrorClass::NoCapacity => {
                            self.shun_candidate();
                        }
                        Observed::Absent { .. }
                        | Observed::Pending(_)
                        | Observed::Ready(_)
                        | Observed::Leaving(_)
                        | Observed::Broken { .. } => {}
                    }
                    self.note(Fact::Saw { resource, observed });
                }
                Ok(_) => {}
                Err(error) => self.note(Fact::Failed { resource, verb: None, error }),
            }
        }
        Ok(())
    }

    fn is_unknown(&self, resource: ResourceId) -> bool {
        let thing = self.progress.things.get(&resource);
        thing.is_none_or(|thing| matches!(thing.certainty, Certainty::Believed | Certainty::Maybe { .. }))
    }

    /// Whether a look tells more than is recorded already.
    fn is_news(&self, resource: ResourceId, observed: &Observed) -> bool {
        let Some(thing) = self.progress.things.get(&resource) else { return false };
        if thing.look_failures > 0 {
            return true;
        }
        match &thing.certainty {
            Certainty::Nothing | Certainty::Believed | Certainty::Maybe { looked_ms: None } => true,
            Certainty::Maybe { looked_ms: Some(_) } => {
                let secs = self.aim(resource).map_or(0, |(provider, _)| provider.capabilities().visibility_secs);
                *observed != Observed::ABSENT || self.now_ms() >= shown_by_ms(thing, secs)
            }
            Certainty::Seen(before) => before != observed || !thing.shown,
        }
    }
}

async fn perform(provider: &dyn Provider, verb: Verb, token: &Token, target: &Target) -> Result<Observed, CallError> {
    match verb {
        Verb::Ensure => provider.ensure(token, target).await,
        Verb::Start => provider.power(token, target, Power::Running).await,
        Verb::Stop => provider.power(token, target, Power::Stopped).await,
        Verb::Tag => provider.tag(token, target).await,
        Verb::Remove => provider.remove(token, target).await,
    }
}

fn unaimed(resource: ResourceId) -> CallError {
    let message =
        format!("resource {resource} can't be described: the cloud's name of something that it needs is not known");
    CallError::new("plan", ErrorClass::Unrecognized, "Unaimed", message)
}
