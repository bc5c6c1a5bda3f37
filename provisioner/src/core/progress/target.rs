//! From a plan's blueprint to what a provider is asked: our ids become the cloud's names, as far as they are known.

use std::collections::BTreeMap;

use providers::{
    AttachmentSpec, CacheSource, KeySpec, MachineSpec, RemoteId, ResourceId, Spec, StraySpec, Target, VolumeSpec,
};

use super::Progress;
use crate::core::{Blueprint, Fact, Goal, Plan, Step};

impl Progress {
    /// What a provider is asked about one resource that is there already, by a step of its own.
    #[must_use]
    pub fn target_of(step: Step, known: BTreeMap<ResourceId, RemoteId>) -> Option<Target> {
        let resource = step.resource;
        let plan = Plan { generation: 0, candidate: None, steps: vec![step], known, drops: None };
        let mut draft = Self::default();
        draft.apply(0, &Fact::Planned { plan });
        draft.target(resource)
    }

    /// What a provider is asked about that resource; none if the plan does not have it, or if the cloud's name of something
    /// that it needs is not known.
    #[must_use]
    pub fn target(&self, resource: ResourceId) -> Option<Target> {
        let step = self.plan.as_ref()?.step(resource)?;
        let remote = self.things.get(&resource).and_then(|thing| thing.remote.clone());
        Some(Target { spec: self.spec(step)?, remote })
    }

    /// The cloud's name of a resource: as this job has seen it, else as the database had it when the plan was made.
    #[must_use]
    pub fn remote(&self, resource: ResourceId) -> Option<RemoteId> {
        let seen = self.things.get(&resource).and_then(|thing| thing.remote.clone());
        seen.or_else(|| self.plan.as_ref()?.known.get(&resource).cloned())
    }

    fn spec(&self, step: &Step) -> Option<Spec> {
        let owner = step.owner.clone();
        Some(match &step.blueprint {
            Blueprint::Key { region } => Spec::Key(KeySpec { id: step.resource, owner, region: *region }),
            Blueprint::Volume { .. } => Spec::Volume(self.volume(step)?),
            Blueprint::Machine { placement, machine, root_gib, key, cache, births_cache } => {
                let cache = match self.plan.as_ref()?.step(*cache).filter(|_| *births_cache) {
                    Some(volume) => CacheSource::Born(self.volume(volume)?),
                    None => CacheSource::Existing { id: *cache, remote: self.named(step, *cache)? },
                };
                Spec::Machine(MachineSpec {
                    id: step.resource,
                    owner,
                    placement: *placement,
                    machine: *machine,
                    root_gib: *root_gib,
                    key: self.named(step, *key)?,
                    cache,
                })
            }
            Blueprint::Attachment { placement, machine, volume } => Spec::Attachment(AttachmentSpec {
                id: step.resource,
                owner,
                placement: *placement,
                machine: self.remote(*machine)?,
                volume: self.remote(*volume)?,
            }),
            Blueprint::Stray { region, of, until_ms } => Spec::Stray(StraySpec {
                id: step.resource,
                owner,
                kind: *of,
                region: *region,
                quarantine_until_ms: *until_ms,
            }),
        })
    }

    fn volume(&self, step: &Step) -> Option<VolumeSpec> {
        let Blueprint::Volume { placement, arch, shape, key } = &step.blueprint else { return None };
        Some(VolumeSpec {
            id: step.resource,
            owner: step.owner.clone(),
            placement: *placement,
            arch: *arch,
            shape: *shape,
            key: self.named(step, *key)?,
        })
    }

    /// The cloud's name of what a step's resource was made with. What is to go goes by its own name, whatever that was.
    fn named(&self, step: &Step, resource: ResourceId) -> Option<RemoteId> {
        self.remote(resource).or_else(|| (step.goal == Goal::Gone).then(RemoteId::unknown))
    }
}
