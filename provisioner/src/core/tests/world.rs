//! A database and a cloud in a few lines, for trying the pure core: tokens, states that last, a window in which new things are hidden.

use std::collections::{BTreeMap, BTreeSet};

use providers::{
    CacheSource, CallError, Capabilities, ErrorClass, Found, Kind, Observed, Power, RemoteId, ResourceId, Spec, Token,
    Trouble,
};
use regions::{Arch, Cloud, Region, Residency, Size};
use uuid::Uuid;

use crate::core::{
    Ending, Entry, Fact, Ground, JobId, Move, Now, Org, OrgId, Policy, Progress, Project, ProjectId, Request,
    ResourceRow, RowChange, RowState, Scene, Stock, Verb, next, plan, scene::CacheShape,
};

const VISIBLE_AFTER_MS: i64 = 4_000;
const TAKES_MS: i64 = 2_000;

pub(super) fn org_id() -> OrgId {
    OrgId::from_uuid(Uuid::from_u128(1))
}

pub(super) fn project_id(n: u128) -> ProjectId {
    ProjectId::from_uuid(Uuid::from_u128(n))
}

/// One failing call: which, how, and whether it has its effect all the same.
pub(super) struct Fault {
    pub(super) call: usize,
    pub(super) class: ErrorClass,
    pub(super) effect: bool,
}

/// How a cloud tells that a machine can't start.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Refusal {
    AtOnce,
    Later,
}

#[derive(Clone)]
struct Body {
    kind: Kind,
    id: ResourceId,
    remote: RemoteId,
    cache: Option<RemoteId>,
    born_ms: i64,
    rests_ms: i64,
    power: Power,
    leaving: bool,
    attached_to: Option<RemoteId>,
    died: Option<Trouble>,
    /// Why the last start came to nothing.
    lame: Option<Trouble>,
}

/// The database's rows, the cloud's things, and the one job that runs.
pub(super) struct World {
    pub(super) now_ms: i64,
    pub(super) rows: BTreeMap<ResourceId, ResourceRow>,
    pub(super) facts: Vec<Entry>,
    pub(super) calls: usize,
    pub(super) fault: Option<Fault>,
    /// Stop when there are so many facts; and if a call has just been announced, make it or not.
    pub(super) crash: Option<(usize, bool)>,
    /// So many of the machines that are asked for find no capacity.
    pub(super) full: usize,
    pub(super) key_is_bad: bool,
    /// Starts are refused for lack of capacity: by the call itself, or only after it has been answered.
    pub(super) refuses_starts: Option<Refusal>,
    bodies: Vec<Body>,
    tokens: BTreeMap<String, usize>,
    job: i64,
}

impl World {
    pub(super) fn new() -> Self {
        Self {
            now_ms: 1_000,
            rows: BTreeMap::new(),
            facts: Vec::new(),
            calls: 0,
            fault: None,
            crash: None,
            full: 0,
            key_is_bad: false,
            refuses_starts: None,
            bodies: Vec::new(),
            tokens: BTreeMap::new(),
            job: 0,
        }
    }

    pub(super) fn after(requests: &[Request]) -> Self {
        let mut world = Self::new();
        for request in requests {
            assert_eq!(world.run(request, Vec::new()), Ending::Succeeded);
        }
        world
    }

    /// Keys, volumes and machines that stand.
    pub(super) fn standing(&self) -> (usize, usize, usize) {
        let of = |kind| self.bodies.iter().filter(|body| body.kind == kind && self.stands(body)).count();
        (of(Kind::Key), of(Kind::Volume), of(Kind::Machine))
    }

    fn stands(&self, body: &Body) -> bool {
        body.died.is_none() && !(body.leaving && (body.kind == Kind::Key || self.now_ms >= body.rests_ms))
    }

    /// What stands is exactly what the rows say, and nothing twice.
    pub(super) fn check(&self) {
        let standing: BTreeSet<ResourceId> = self
            .bodies
            .iter()
            .filter(|body| body.kind != Kind::Attachment && self.stands(body))
            .map(|body| body.id)
            .collect();
        // A key is not taken back, so one that was perhaps made stays a perhaps until the next job needs it.
        let settled =
            |row: &&ResourceRow| row.kind != Kind::Key || row.state != RowState::Maybe || standing.contains(&row.id);
        let rows: BTreeSet<ResourceId> = self.rows.values().filter(settled).map(|row| row.id).collect();
        let stuck = matches!(self.facts.last().map(|entry| &entry.fact), Some(Fact::Ended { outcome }) if outcome.ending == Ending::Stuck);
        if stuck {
            assert!(standing.is_subset(&rows), "a stuck job knows of all that stands\n{}", self.story());
        } else {
            assert_eq!(standing, rows, "\n{}", self.story());
        }
        for kind in [Kind::Key, Kind::Volume, Kind::Machine] {
            let live = self.bodies.iter().filter(|body| body.kind == kind && self.stands(body)).count();
            assert!(live <= 1, "{live} of {kind}\n{}", self.story());
        }
    }

    pub(super) fn story(&self) -> String {
        self.facts.iter().map(|entry| format!("{:>7} {:?}\n", entry.at_ms, entry.fact)).collect()
    }

    pub(super) fn began(&self, kind: Kind) -> ResourceId {
        let progress = Progress::fold(&self.facts);
        progress.plan.unwrap().steps.iter().find(|step| step.blueprint.kind() == kind).unwrap().resource
    }

    fn scene(&self) -> Scene {
        let name = |text: &str| text.parse().unwrap();
        let org = Org { id: org_id(), name: name("acme"), created_ms: 0, deleting: false };
        let project = Project {
            id: project_id(7),
            org: org.id,
            name: name("web"),
            residency: Residency::Eu,
            cloud: Cloud::Aws,
            region: None,
            size: Size::S16x32,
            cache: CacheShape { size_gib: 50, iops: None, throughput_mibps: None },
            created_ms: 0,
            deleting: false,
        };
        Scene { org, projects: vec![project], resources: self.rows.values().cloned().collect(), stray: None }
    }

    /// Runs a job to its end, or to the crash. `facts` are those of a job that is taken over.
    pub(super) fn run(&mut self, request: &Request, facts: Vec<Entry>) -> Ending {
        if facts.is_empty() {
            self.job += 1;
        }
        self.facts = facts;
        let policy = Policy::default();
        for _ in 0..10_000 {
            let progress = Progress::fold(&self.facts);
            let visibility_secs = u32::try_from(VISIBLE_AFTER_MS / 1_000).unwrap();
            let now = Now { now_ms: self.now_ms, policy: &policy, visibility_secs, seed: 9 };
            let go_on = match next(&progress, &now) {
                Move::Plan => {
                    let fact = self.plan(request, &progress);
                    self.push(fact)
                }
                Move::Call { resource, verb } => self.call(&progress, resource, verb),
                Move::Look { resources, from_ms } => {
                    self.now_ms = from_ms.max(self.now_ms + 500);
                    self.look(&resources)
                }
                Move::Sleep { until_ms } => {
                    self.now_ms = until_ms;
                    true
                }
                Move::Settle { resource } => self.push(Fact::Settled { resource }),
                Move::Unwind { because, then } => self.push(Fact::Unwinding { because, then }),
                Move::End(outcome) => {
                    if !matches!(progress.phase, crate::core::Phase::Ended(_)) {
                        self.push(Fact::Ended { outcome: outcome.clone() });
                    }
                    return outcome.ending;
                }
            };
            if !go_on {
                return Ending::Stuck;
            }
        }
        panic!("no end\n{}", self.story());
    }

    fn plan(&self, request: &Request, progress: &Progress) -> Fact {
        let scene = self.scene();
        let zones = Region::find(Cloud::Aws, "eu-central-1").unwrap().zones().collect();
        let ground = Ground {
            job: JobId(self.job),
            scene: &scene,
            stock: &Stock { zones, refused: BTreeSet::new() },
            capabilities: Capabilities { attaches_at_birth: false, visibility_secs: 4 },
            root_gib: 10,
            generation: progress.generation,
            tried: &progress.tried,
        };
        match plan(request, &ground) {
            Ok(plan) => Fact::Planned { plan },
            Err(crate::core::PlanError::Refused(because)) => {
                Fact::Ended { outcome: crate::core::Outcome::of(Ending::Failed, because) }
            }
            Err(error) => panic!("{error}"),
        }
    }

    /// Records a fact as the store would. False if the worker dies of it.
    fn push(&mut self, fact: Fact) -> bool {
        let before = Progress::fold(&self.facts);
        let seq = i32::try_from(self.facts.len()).unwrap() + 1;
        self.facts.push(Entry { seq, at_ms: self.now_ms, fact });
        let after = Progress::fold(&self.facts);
        for change in after.row_changes(&before, JobId(self.job)) {
            match change {
                RowChange::Put(row) => drop(self.rows.insert(row.id, *row)),
                RowChange::Drop(id) => drop(self.rows.remove(&id)),
            }
        }
        self.crash.is_none_or(|(cut, _)| self.facts.len() <= cut)
    }

    fn call(&mut self, progress: &Progress, resource: ResourceId, verb: Verb) -> bool {
        let step = progress.plan.as_ref().unwrap().step(resource).unwrap();
        let token = Token::derive(resource, step.incarnation);
        let target = progress.target(resource).unwrap();
        let alive = self.push(Fact::Began { resource, verb, token: Some(token.clone()) });
        if !alive && self.crash.is_some_and(|(_, made)| !made) {
            return false;
        }
        let number = self.calls;
        self.calls += 1;
        let fault = self.fault.as_ref().filter(|fault| fault.call == number).map(|fault| (fault.class, fault.effect));
        let answer = match fault {
            Some((class, false)) => Err(class),
            Some((class, true)) => {
                drop(self.effect(&target.spec, &token, verb));
                Err(class)
            }
            None => self.effect(&target.spec, &token, verb),
        };
        self.now_ms += 100;
        if !alive {
            return false;
        }
        self.push(match answer {
            Ok(observed) => Fact::Answered { resource, verb, observed },
            Err(class) => {
                Fact::Failed { resource, verb: Some(verb), error: CallError::new("call", class, "Code", "a fault") }
            }
        })
    }

    fn effect(&mut self, spec: &Spec, token: &Token, verb: Verb) -> Result<Observed, ErrorClass> {
        match verb {
            Verb::Ensure => self.make(spec, token),
            Verb::Start | Verb::Stop => {
                let power = if verb == Verb::Start { Power::Running } else { Power::Stopped };
                let (now_ms, id) = (self.now_ms, spec.id());
                let refusal = self.refuses_starts.filter(|_| verb == Verb::Start);
                if refusal == Some(Refusal::AtOnce) {
                    return Err(ErrorClass::NoCapacity);
                }
                let body = self.bodies.iter_mut().rfind(|body| body.id == id).unwrap();
                body.lame = refusal.map(|_| {
                    let message = "the zone is full".to_owned();
                    Trouble { class: ErrorClass::NoCapacity, code: "Full".to_owned(), message }
                });
                body.power = if body.lame.is_some() { Power::Stopped } else { power };
                body.rests_ms = now_ms + TAKES_MS;
                Ok(self.observe(id, true))
            }
            Verb::Tag => Ok(self.observe(spec.id(), true)),
            Verb::Remove => self.remove(spec.id()),
        }
    }

    fn make(&mut self, spec: &Spec, token: &Token) -> Result<Observed, ErrorClass> {
        if !self.tokens.contains_key(token.as_str()) {
            if matches!(spec, Spec::Machine(_)) && self.full > 0 {
                self.full -= 1;
                return Err(ErrorClass::NoCapacity);
            }
            let cache = self.birth(spec);
            self.tokens.insert(token.as_str().to_owned(), self.bodies.len());
            let rests_ms = self.now_ms + TAKES_MS;
            self.add(spec.kind(), spec.id(), rests_ms, cache);
        }
        Ok(self.observe(spec.id(), true))
    }

    fn birth(&mut self, spec: &Spec) -> Option<RemoteId> {
        let Spec::Machine(machine) = spec else { return None };
        match &machine.cache {
            CacheSource::Born(volume) => Some(self.add(Kind::Volume, volume.id, self.now_ms, None)),
            CacheSource::Existing { .. } => None,
        }
    }

    fn add(&mut self, kind: Kind, id: ResourceId, rests_ms: i64, cache: Option<RemoteId>) -> RemoteId {
        let remote = RemoteId(format!("{kind}-{}", self.bodies.len()));
        let (born_ms, power) = (self.now_ms, Power::Running);
        let rests_ms = if kind == Kind::Key { born_ms } else { rests_ms };
        let body = Body {
            kind,
            id,
            remote: remote.clone(),
            cache,
            born_ms,
            rests_ms,
            power,
            leaving: false,
            attached_to: None,
            died: None,
            lame: None,
        };
        self.bodies.push(body);
        remote
    }

    fn remove(&mut self, id: ResourceId) -> Result<Observed, ErrorClass> {
        let now_ms = self.now_ms;
        let holder = |world: &Self, remote: &RemoteId| {
            world.bodies.iter().any(|body| body.cache.as_ref() == Some(remote) && world.stands(body))
        };
        let place =
            self.bodies.iter().rposition(|body| body.id == id).filter(|place| self.stands(&self.bodies[*place]));
        let Some(place) = place else { return Ok(Observed::ABSENT) };
        if self.bodies[place].kind == Kind::Volume && holder(self, &self.bodies[place].remote) {
            return Err(ErrorClass::Conflict);
        }
        self.bodies[place].leaving = true;
        self.bodies[place].rests_ms = now_ms + TAKES_MS;
        Ok(self.observe(id, true))
    }

    fn observe(&mut self, id: ResourceId, direct: bool) -> Observed {
        let now_ms = self.now_ms;
        let bad = self.key_is_bad;
        let Some(place) = self.bodies.iter().rposition(|body| body.id == id) else { return Observed::ABSENT };
        let body = &mut self.bodies[place];
        let hidden = !direct && body.kind != Kind::Key && now_ms < body.born_ms + VISIBLE_AFTER_MS / 2;
        if hidden || (body.leaving && now_ms >= body.rests_ms && body.kind != Kind::Key) {
            return Observed::ABSENT;
        }
        if bad && body.kind == Kind::Machine && now_ms >= body.rests_ms {
            let message = "the key can't be used".to_owned();
            let why = Trouble { class: ErrorClass::KeyUnusable, code: "Key".to_owned(), message };
            body.died = Some(why.clone());
            if let Some(place) = place.checked_sub(1) {
                self.bodies[place].died = Some(why.clone());
            }
            return Observed::Absent { died: Some(why) };
        }
        if body.died.is_some() {
            return Observed::ABSENT;
        }
        let mut found = Found::new(body.remote.clone());
        found.cache = body.cache.clone();
        found.attached_to = body.attached_to.clone();
        if body.leaving {
            return Observed::Leaving(found);
        }
        if now_ms < body.rests_ms {
            return Observed::Pending(found);
        }
        found.power = (body.kind == Kind::Machine).then_some(body.power);
        match body.lame.clone() {
            Some(why) => Observed::Broken { found, why },
            None => Observed::Ready(found),
        }
    }

    fn look(&mut self, resources: &[ResourceId]) -> bool {
        let mut alive = true;
        for id in resources {
            let observed = self.observe(*id, false);
            if alive {
                alive = self.push(Fact::Saw { resource: *id, observed });
            }
        }
        alive
    }
}

#[test]
fn arm_machines_of_the_default_size_exist() {
    assert!(regions::machine_types(Cloud::Aws, Arch::Arm64, Size::default()).count() > 0);
}
