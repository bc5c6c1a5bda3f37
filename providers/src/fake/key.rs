//! An organization's key: made, given rotation and last its alias, each a request of its own, so that a fault in between
//! leaves a stray key. The alias is unique for an organization and region, and decides races.

use regions::Region;

use super::call::Operation;
use super::request::{About, Asker};
use super::state::{KeyState, State};
use super::trouble;
use crate::{CallError, ErrorClass, Found, KeySpec, Kind, Observed, RemoteId, Target, Trouble};

impl State {
    /// The key to which the organization's alias leads.
    pub(super) fn named_key(&self, region: Region, org: &str) -> Option<RemoteId> {
        self.aliases.get(&(region, org.to_owned())).cloned()
    }

    fn has_alias(&self, remote: &RemoteId) -> bool {
        self.aliases.values().any(|target| target == remote)
    }

    fn is_dying(&self, remote: &RemoteId) -> bool {
        self.keys.get(remote).is_some_and(|key| matches!(key.state, KeyState::PendingDeletion { .. }))
    }

    /// What a key is. One that can be used and has its alias is ready, one without still needs finishing. A dying one
    /// without alias is on its way out; one that still has it was not removed by us, or not wholly.
    pub(super) fn judge_key(&self, remote: &RemoteId) -> Observed {
        let Some(key) = self.keys.get(remote).filter(|key| !key.gone) else { return Observed::ABSENT };
        let found = Found::new(remote.clone());
        let has_alias = self.has_alias(remote);
        match (key.state, self.key_trouble(remote, key.region)) {
            (KeyState::PendingDeletion { .. }, _) if !has_alias => Observed::Leaving(found),
            (_, Some(why)) => Observed::Broken { found, why },
            (_, None) if has_alias => Observed::Ready(found),
            (_, None) => Observed::Pending(found),
        }
    }

    fn is_shown(&self, remote: &RemoteId) -> bool {
        self.keys.get(remote).is_some_and(|key| !key.gone && key.visible_ms <= self.now_ms)
    }

    /// What a look at one key shows; none if only a search by tag can tell.
    fn look_at_key(&self, target: &Target, spec: &KeySpec) -> Option<Observed> {
        let named = self.named_key(spec.region, &spec.owner.org).filter(|key| self.is_shown(key));
        match (&target.remote, named) {
            (Some(remote), _) if self.is_shown(remote) => Some(self.judge_key(remote)),
            (Some(_), _) => Some(Observed::ABSENT),
            (None, Some(key)) => Some(self.judge_key(&key)),
            (None, None) => None,
        }
    }

    /// The keys that carry this key's tags, have no alias and are not dying.
    fn stray_keys(&self, spec: &KeySpec) -> Vec<RemoteId> {
        let is_stray = |(remote, key): &(&RemoteId, &super::state::Key)| {
            key.region == spec.region
                && key.tags.names(spec.id)
                && self.is_shown(remote)
                && !self.is_dying(remote)
                && !self.has_alias(remote)
        };
        self.keys.iter().filter(is_stray).map(|(remote, _)| remote.clone()).collect()
    }

    /// What keeps a key from being changed.
    fn key_refusal(&self, remote: &RemoteId, also_dying: bool) -> Option<Trouble> {
        let dying = || also_dying && self.is_dying(remote);
        match self.keys.get(remote).filter(|key| !key.gone).map(|key| key.state) {
            None => Some(trouble(ErrorClass::Conflict, "NotFoundException", format!("there is no key {remote}"))),
            Some(KeyState::Denied) => self.key_trouble(remote, self.keys.get(remote)?.region),
            Some(_) if dying() => {
                let message = format!("key {remote} is scheduled for deletion");
                Some(trouble(ErrorClass::KeyUnusable, "KMSInvalidStateException", message))
            }
            Some(KeyState::Enabled | KeyState::Disabled | KeyState::PendingDeletion { .. }) => None,
        }
    }
}

impl Asker {
    async fn judge_named(&self, about: &About, spec: &KeySpec) -> Result<Option<Observed>, CallError> {
        let look = |state: &mut State| {
            let named = state.named_key(spec.region, &spec.owner.org);
            Ok(named.map(|key| state.judge_key(&key)))
        };
        self.request(Operation::DescribeKey, about.clone(), look).await
    }

    /// Finds the key by its alias, or finishes the one that is known, or makes one.
    pub(super) async fn ensure_key(&self, target: &Target, spec: &KeySpec) -> Result<Observed, CallError> {
        let about = About::one(Kind::Key, spec.id);
        if let Some(seen) = self.judge_named(&about, spec).await? {
            return Ok(seen);
        }
        if let Some(remote) = &target.remote {
            let seen = self.request(Operation::DescribeKey, about.clone(), |state| Ok(state.judge_key(remote))).await?;
            return match seen {
                Observed::Pending(found) => self.finish_key(&about, spec, &found.remote, false).await,
                Observed::Absent { .. } | Observed::Ready(_) | Observed::Leaving(_) | Observed::Broken { .. } => {
                    Ok(seen)
                }
            };
        }
        let create = |state: &mut State| {
            state.note_key(spec.id, &spec.owner.org);
            Ok(state.add_key(spec))
        };
        let made = self.request(Operation::CreateKey, about.clone(), create).await?;
        // The key exists: that must not be forgotten over what came after. The next ensure names the error if it lasts.
        let finished = self.finish_key(&about, spec, &made, true).await;
        Ok(finished.unwrap_or_else(|_| Observed::Pending(Found::new(made))))
    }

    async fn finish_key(
        &self,
        about: &About,
        spec: &KeySpec,
        key: &RemoteId,
        fresh: bool,
    ) -> Result<Observed, CallError> {
        let rotate = |state: &mut State| {
            if let Some(why) = state.key_refusal(key, true) {
                return Err(self.refusal(Operation::RotateKey, why));
            }
            if let Some(key) = state.keys.get_mut(key) {
                key.rotates = true;
            }
            Ok(())
        };
        self.request(Operation::RotateKey, about.clone(), rotate).await?;
        let name = |state: &mut State| {
            if let Some(why) = state.key_refusal(key, true) {
                return Err(self.refusal(Operation::AliasKey, why));
            }
            let alias = (spec.region, spec.owner.org.clone());
            Ok(state.aliases.entry(alias).or_insert_with(|| key.clone()).clone())
        };
        let winner = self.request(Operation::AliasKey, about.clone(), name).await?;
        if winner == *key {
            return Ok(Observed::Ready(Found::new(winner)));
        }
        if fresh {
            // Another worker's key has the alias. Ours is new, and nobody was told of it.
            self.schedule_key_deletion(about, key).await?;
        }
        let seen = self.judge_named(about, spec).await?;
        Ok(seen.unwrap_or(Observed::ABSENT))
    }

    pub(super) async fn schedule_key_deletion(&self, about: &About, key: &RemoteId) -> Result<(), CallError> {
        let doom = |state: &mut State| {
            if let Some(why) = state.key_refusal(key, false) {
                return Err(self.refusal(Operation::ScheduleKeyDeletion, why));
            }
            if !state.is_dying(key) {
                state.doom_key(key);
            }
            Ok(())
        };
        self.request(Operation::ScheduleKeyDeletion, about.clone(), doom).await
    }

    /// Schedules the deletion, then takes the alias away. Without a known remote and alias all strays go.
    pub(super) async fn remove_key(&self, target: &Target, spec: &KeySpec) -> Result<Observed, CallError> {
        let about = About::one(Kind::Key, spec.id);
        let look = |state: &mut State| Ok(state.named_key(spec.region, &spec.owner.org));
        let named = self.request(Operation::DescribeKey, about.clone(), look).await?;
        let ours = named.filter(|key| target.remote.as_ref().is_none_or(|remote| remote == key));
        if let Some(key) = ours {
            self.schedule_key_deletion(&about, &key).await?;
            let forget = |state: &mut State| {
                state.aliases.retain(|_, target| *target != key);
                Ok(state.judge_key(&key))
            };
            return self.request(Operation::DeleteAlias, about, forget).await;
        }
        let doomed = match &target.remote {
            Some(remote) => vec![remote.clone()],
            None => self.request(Operation::ListKeys, about.clone(), |state| Ok(state.stray_keys(spec))).await?,
        };
        let mut seen = Observed::ABSENT;
        for key in doomed {
            let look = |state: &mut State| Ok(state.judge_key(&key));
            seen = self.request(Operation::DescribeKey, about.clone(), look).await?;
            if let Observed::Pending(found) | Observed::Ready(found) | Observed::Broken { found, .. } = seen {
                self.schedule_key_deletion(&about, &key).await?;
                seen = Observed::Leaving(found);
            }
        }
        Ok(seen)
    }

    /// One request for each key, and one search for all those that neither alias nor remote id leads to.
    pub(super) async fn observe_keys(&self, targets: &[(&Target, &KeySpec)]) -> Result<Vec<Observed>, CallError> {
        let mut seen = Vec::with_capacity(targets.len());
        for (target, spec) in targets {
            let about = About::one(Kind::Key, spec.id);
            let look = |state: &mut State| Ok(state.look_at_key(target, spec));
            seen.push(self.request(Operation::DescribeKey, about, look).await?);
        }
        let unknown = |(seen, (_, spec)): (&Option<Observed>, &(&Target, &KeySpec))| seen.is_none().then_some(spec.id);
        let resources: Vec<_> = seen.iter().zip(targets).filter_map(unknown).collect();
        if resources.is_empty() {
            return Ok(seen.into_iter().flatten().collect());
        }
        let search = |state: &mut State| {
            let first = |spec: &KeySpec| state.stray_keys(spec).first().map(|key| state.judge_key(key));
            let known = seen.iter().zip(targets).map(|(seen, (_, spec))| seen.clone().or_else(|| first(spec)));
            Ok(known.map(|seen| seen.unwrap_or(Observed::ABSENT)).collect())
        };
        self.request(Operation::ListKeys, About { kind: Kind::Key, resources }, search).await
    }
}
