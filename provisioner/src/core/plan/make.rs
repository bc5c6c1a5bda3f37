//! From a request and a scene to a plan. Pure: the same input is the same plan.

use std::collections::BTreeMap;

use providers::{Capabilities, ErrorClass, Kind, Owner, RemoteId, ResourceId, Trouble};
use regions::{Arch, Placement, Region, Size};

use super::{Blueprint, Candidate, Drop, Goal, Plan, PlanError, Prior, Step, Stock, candidates::candidates};
use crate::core::{JobId, Org, Project, ProjectId, Request, ResourceRow, RowState, Scene};

/// What a plan is made from, besides the request.
#[derive(Clone, Copy, Debug)]
pub struct Ground<'a> {
    /// The job that asks.
    pub job: JobId,
    /// What the database knows.
    pub scene: &'a Scene,
    /// Where machines may be placed.
    pub stock: &'a Stock,
    /// What the cloud can do.
    pub capabilities: Capabilities,
    /// Capacity of root volumes in GiB.
    pub root_gib: u32,
    /// The number of this plan.
    pub generation: u32,
    /// What earlier plans of the job have tried.
    pub tried: &'a [Candidate],
}

/// The plan for a request.
///
/// # Errors
/// [`PlanError`] where the request can't be met as things are. Nothing has been touched then.
pub fn plan(request: &Request, ground: &Ground<'_>) -> Result<Plan, PlanError> {
    match *request {
        Request::Provision { project, arch } => ground.provision(ground.project(project)?, arch),
        Request::Stop { project, arch } => ground.switch(ground.project(project)?, arch, Goal::Stopped),
        Request::Start { project, arch } => ground.switch(ground.project(project)?, arch, Goal::Running),
        Request::Destroy { project, arch } => {
            Ok(ground.going(|row| row.kind == Kind::Machine && belongs(row, project, arch), None))
        }
        Request::DestroyCache { project, arch } => ground.destroy_cache(ground.project(project)?, arch),
        Request::Adopt { project, arch } => Ok(ground.each(ground.project(project)?, arch, Goal::Recorded)),
        Request::Retag { project, arch } => Ok(ground.each(ground.project(project)?, arch, Goal::Tagged)),
        Request::Quarantine { stray } => ground.stray(stray, Goal::Tagged),
        Request::Halt { stray } => ground.stray(stray, Goal::Stopped),
        Request::Collect { stray } => ground.stray(stray, Goal::Gone),
        Request::DeleteProject { project } => {
            Ok(ground.going(|row| row.project == Some(project), Some(Drop::Project(project))))
        }
        Request::DeleteOrg { org } => Ok(ground.going(|row| row.org == org, Some(Drop::Org(org)))),
    }
}

fn belongs(row: &ResourceRow, project: ProjectId, arch: Arch) -> bool {
    row.project == Some(project) && row.arch == Some(arch)
}

fn refused(class: ErrorClass, code: &str, message: String) -> PlanError {
    PlanError::Refused(Trouble { class, code: code.to_owned(), message })
}

impl Ground<'_> {
    fn org(&self) -> &Org {
        &self.scene.org
    }

    fn project(&self, id: ProjectId) -> Result<&Project, PlanError> {
        let found = self.scene.projects.iter().find(|project| project.id == id);
        found.ok_or_else(|| refused(ErrorClass::Invalid, "ProjectGone", format!("project {id} no longer exists")))
    }

    fn row(&self, kind: Kind, project: &Project, arch: Arch) -> Option<&ResourceRow> {
        self.scene.resources.iter().find(|row| row.kind == kind && belongs(row, project.id, arch))
    }

    fn owner(&self, project: Option<ProjectId>) -> Owner {
        let project = self.scene.projects.iter().find(|known| Some(known.id) == project);
        Owner { org: self.org().name.to_string(), project: project.map(|project| project.name.to_string()) }
    }

    fn fresh(&self, resource: ResourceId, project: Option<(&Project, Arch)>, blueprint: Blueprint, goal: Goal) -> Step {
        Step {
            resource,
            org: self.org().id,
            project: project.map(|(project, _)| project.id),
            arch: project.map(|(_, arch)| arch),
            owner: self.owner(project.map(|(project, _)| project.id)),
            blueprint,
            goal,
            incarnation: self.generation,
            prior: None,
            born_with: None,
        }
    }

    fn prior(&self, row: &ResourceRow, goal: Goal) -> Step {
        Step {
            resource: row.id,
            org: row.org,
            project: row.project,
            arch: row.arch,
            owner: self.owner(row.project),
            blueprint: row.blueprint.clone(),
            goal,
            incarnation: row.incarnation,
            prior: Some(Prior { remote: row.remote.clone(), state: row.state }),
            born_with: None,
        }
    }

    fn finished(&self, candidate: Option<Candidate>, steps: Vec<Step>, drops: Option<Drop>) -> Plan {
        let names = |row: &ResourceRow| row.remote.clone().map(|remote| (row.id, remote));
        let known: BTreeMap<ResourceId, RemoteId> = self
            .scene
            .resources
            .iter()
            .filter(|row| steps.iter().any(|step| refers(&step.blueprint, row.id)))
            .filter_map(names)
            .collect();
        Plan { generation: self.generation, candidate, steps, known, drops }
    }

    /// The organization's key of that region: the row's, or the one that is to be made.
    fn key(&self, region: Region) -> Step {
        let row = self.scene.resources.iter().find(|row| row.kind == Kind::Key && row.region == region);
        match row {
            Some(row) => self.prior(row, Goal::Present),
            None => {
                let id = ResourceId::derive(self.org().id.as_uuid(), &format!("key/{region}"));
                let mut step = self.fresh(id, None, Blueprint::Key { region }, Goal::Present);
                // Another plan of the job may find that the key has been made meanwhile: it is the same request.
                step.incarnation = 0;
                step
            }
        }
    }

    fn provision(&self, project: &Project, arch: Arch) -> Result<Plan, PlanError> {
        match (self.row(Kind::Machine, project, arch), self.row(Kind::Volume, project, arch)) {
            (Some(machine), volume) => Ok(self.standing(machine, volume, Goal::Running)),
            (None, Some(volume)) => self.on_cache(project, arch, volume),
            (None, None) => self.cold(project, arch),
        }
    }

    /// A builder that the database knows: see to it that it is as it should be.
    fn standing(&self, machine: &ResourceRow, volume: Option<&ResourceRow>, goal: Goal) -> Plan {
        let mut steps = Vec::new();
        if goal == Goal::Running {
            steps.push(self.key(machine.region));
        }
        if let (Some(volume), Blueprint::Machine { births_cache: true, .. }) = (volume, &machine.blueprint) {
            let mut step = self.prior(volume, Goal::Present);
            step.born_with = Some(machine.id);
            steps.push(step);
        }
        steps.push(self.prior(machine, goal));
        self.finished(None, steps, None)
    }

    fn switch(&self, project: &Project, arch: Arch, goal: Goal) -> Result<Plan, PlanError> {
        let Some(machine) = self.row(Kind::Machine, project, arch) else {
            let name = format!("{}/{} {arch}", self.org().name, project.name);
            let message = format!("{name} has no builder: provision it first");
            return Err(refused(ErrorClass::Invalid, "NoBuilder", message));
        };
        Ok(self.standing(machine, self.row(Kind::Volume, project, arch), goal))
    }

    fn cold(&self, project: &Project, arch: Arch) -> Result<Plan, PlanError> {
        let allowed = self.allowed(project)?;
        let candidate = self.choose(candidates(self.stock, &allowed, arch, project.size), arch, project.size)?;
        let key = self.key(candidate.placement.region());
        let origin = project.id.as_uuid();
        let machine = ResourceId::derive(origin, &format!("machine/{arch}/{}", self.job));
        let cache = ResourceId::derive(origin, &format!("volume/{arch}/{}", self.job));
        let ssd = candidate.machine.ssds().first().copied().ok_or_else(|| no_ssd(candidate))?;
        let shape = project.cache.on(ssd);
        let placement = candidate.placement;
        let blueprint = Blueprint::Volume { placement, arch, shape, key: key.resource };
        let mut volume = self.fresh(cache, Some((project, arch)), blueprint, Goal::Present);
        volume.born_with = Some(machine);
        let blueprint = self.machine(candidate, key.resource, cache, true);
        let machine = self.fresh(machine, Some((project, arch)), blueprint, Goal::Running);
        Ok(self.finished(Some(candidate), vec![key, volume, machine], None))
    }

    /// A new builder for a cache volume that exists, and that pins its zone.
    fn on_cache(&self, project: &Project, arch: Arch, volume: &ResourceRow) -> Result<Plan, PlanError> {
        let Blueprint::Volume { placement, shape, .. } = &volume.blueprint else {
            let message = format!("the row of volume {} describes a {}", volume.id, volume.blueprint.kind());
            return Err(refused(ErrorClass::Invalid, "CorruptRow", message));
        };
        if !self.stock.zones.contains(&placement.zone()) {
            return Err(refused(ErrorClass::Invalid, "ZoneNotConfigured", not_configured(*placement)));
        }
        let fitting = candidates(self.stock, &[*placement], arch, project.size)
            .into_iter()
            .filter(|candidate| candidate.machine.ssds().contains(&shape.ssd));
        let candidate = self.choose(fitting.collect(), arch, project.size)?;
        let key = self.key(placement.region());
        let cache = self.prior(volume, Goal::Present);
        let origin = project.id.as_uuid();
        let id = ResourceId::derive(origin, &format!("machine/{arch}/{}", self.job));
        let blueprint = self.machine(candidate, key.resource, volume.id, false);
        let machine = self.fresh(id, Some((project, arch)), blueprint, Goal::Running);
        let mut steps = vec![key, cache, machine];
        if !self.capabilities.attaches_at_birth {
            let tie = ResourceId::derive(origin, &format!("attachment/{arch}/{}", self.job));
            let blueprint = Blueprint::Attachment { placement: *placement, machine: id, volume: volume.id };
            steps.push(self.fresh(tie, Some((project, arch)), blueprint, Goal::Present));
        }
        Ok(self.finished(Some(candidate), steps, None))
    }

    fn machine(&self, candidate: Candidate, key: ResourceId, cache: ResourceId, births_cache: bool) -> Blueprint {
        let Candidate { placement, machine } = candidate;
        Blueprint::Machine { placement, machine, root_gib: self.root_gib, key, cache, births_cache }
    }

    /// The builder and its cache as they are known, each to get there.
    fn each(&self, project: &Project, arch: Arch, goal: Goal) -> Plan {
        let rows = [Kind::Volume, Kind::Machine].into_iter().filter_map(|kind| self.row(kind, project, arch));
        self.finished(None, rows.map(|row| self.prior(row, goal)).collect(), None)
    }

    /// Something that no record explains. What one explains by now is left alone.
    fn stray(&self, id: ResourceId, goal: Goal) -> Result<Plan, PlanError> {
        let Some(stray) = self.scene.stray.as_ref().filter(|stray| stray.id == id) else {
            let message = format!("finding {id} is no longer open: nothing is left to be done");
            return Err(refused(ErrorClass::Invalid, "FindingClosed", message));
        };
        if let Some(resource) = stray.explained_by {
            let message = format!("{} {} is the record's own by now ({resource})", stray.kind, stray.remote);
            return Err(refused(ErrorClass::Conflict, "Explained", message));
        }
        let step = Step {
            resource: stray.id,
            org: self.org().id,
            project: None,
            arch: None,
            owner: stray.owner.clone(),
            blueprint: Blueprint::Stray { region: stray.region, of: stray.kind, until_ms: stray.quarantine_until_ms },
            goal,
            incarnation: 0,
            prior: Some(Prior { remote: Some(stray.remote.clone()), state: RowState::Ready }),
            born_with: None,
        };
        Ok(self.finished(None, vec![step], None))
    }

    fn destroy_cache(&self, project: &Project, arch: Arch) -> Result<Plan, PlanError> {
        if self.row(Kind::Machine, project, arch).is_some() {
            let name = format!("{}/{} {arch}", self.org().name, project.name);
            let message = format!("{name} still has a builder: destroy the builder first, then its cache");
            return Err(refused(ErrorClass::Invalid, "BuilderStands", message));
        }
        Ok(self.going(|row| row.kind == Kind::Volume && belongs(row, project.id, arch), None))
    }

    /// Everything that matches is to go: machines, then the volumes that they held, then the keys.
    fn going(&self, matches: impl Fn(&ResourceRow) -> bool, drops: Option<Drop>) -> Plan {
        let mut rows: Vec<&ResourceRow> = self.scene.resources.iter().filter(|row| matches(row)).collect();
        let order = |kind| match kind {
            Kind::Machine | Kind::Attachment => 0,
            Kind::Volume | Kind::Snapshot => 1,
            Kind::Key => 2,
        };
        rows.sort_by_key(|row| (order(row.kind), row.id));
        self.finished(None, rows.into_iter().map(|row| self.prior(row, Goal::Gone)).collect(), drops)
    }

    /// The placements that the project's residency and region and the configuration allow.
    fn allowed(&self, project: &Project) -> Result<Vec<Placement>, PlanError> {
        let mine = |zone: &&regions::Zone| {
            zone.cloud() == project.cloud && project.region.is_none_or(|region| region == zone.region())
        };
        let zones = self.stock.zones.iter().filter(mine);
        let allowed: Vec<Placement> =
            zones.filter_map(|zone| Placement::check(project.residency, *zone).ok()).collect();
        if allowed.is_empty() {
            let place = project.region.map_or_else(
                || format!("any {} region inside residency {}", project.cloud, project.residency),
                |region| region.to_string(),
            );
            let section = project.region.map_or_else(|| "REGION".to_owned(), |region| region.name().to_owned());
            let message = format!(
                "no zone of {place} is configured: see that [{}.regions.{section}] is there and has its subnets",
                project.cloud
            );
            return Err(refused(ErrorClass::Invalid, "NoZoneConfigured", message));
        }
        Ok(allowed)
    }

    fn choose(&self, all: Vec<Candidate>, arch: Arch, size: Size) -> Result<Candidate, PlanError> {
        let tried = self.tried.len();
        if all.is_empty() {
            let message =
                format!("no machine type for {arch} of size {size} is offered in the zones that are configured");
            return Err(refused(ErrorClass::Invalid, "NoMachineType", message));
        }
        all.into_iter().find(|candidate| !self.tried.contains(candidate)).ok_or_else(|| {
            let message = format!("none of the {tried} allowed pairs of zone and machine type has capacity");
            refused(ErrorClass::NoCapacity, "CandidatesExhausted", message)
        })
    }
}

fn refers(blueprint: &Blueprint, id: ResourceId) -> bool {
    match blueprint {
        Blueprint::Key { .. } | Blueprint::Stray { .. } => false,
        Blueprint::Volume { key, .. } => *key == id,
        Blueprint::Machine { key, cache, .. } => *key == id || *cache == id,
        Blueprint::Attachment { machine, volume, .. } => *machine == id || *volume == id,
    }
}

fn no_ssd(candidate: Candidate) -> PlanError {
    refused(ErrorClass::Invalid, "NoSsd", format!("machine type {} takes no SSD", candidate.machine))
}

fn not_configured(placement: Placement) -> String {
    let (zone, region) = (placement.zone(), placement.region());
    let section = format!("{}.regions.{}", zone.cloud(), region.name());
    format!("the cache volume stands in {zone}, which is not configured: add `{}` to [{section}]", zone.name())
}
