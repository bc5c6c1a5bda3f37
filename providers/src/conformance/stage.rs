//! What every case stands on: fresh ids and owners, things brought up and waited for, and the cleaning up afterwards.

use std::fmt;
use std::sync::{
    Mutex, PoisonError,
    atomic::{AtomicU32, Ordering},
};

use regions::{Arch, MachineType, Placement, Region, Residency};
use uuid::Uuid;

use super::{Abilities, Cloudlike};
use crate::{
    AttachmentSpec, CacheSource, CallError, ErrorClass, Found, KeySpec, MachineSpec, Observed, Owner, Power, Provider,
    RemoteId, ResourceId, Spec, Target, Token, VolumeShape, VolumeSpec,
};

/// Why a case did not pass.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Flaw {
    /// It can't be tried here.
    Skip(String),
    /// A promise is broken.
    Fail(String),
}

impl From<CallError> for Flaw {
    fn from(error: CallError) -> Self {
        Self::Fail(error.to_string())
    }
}

/// A failure.
pub(super) fn fail<T>(why: impl Into<String>) -> Result<T, Flaw> {
    Err(Flaw::Fail(why.into()))
}

/// A failure unless that holds.
pub(super) fn check(holds: bool, why: impl FnOnce() -> String) -> Result<(), Flaw> {
    if holds { Ok(()) } else { Err(Flaw::Fail(why())) }
}

/// The same, for two values.
pub(super) fn same<T: PartialEq + fmt::Debug>(what: &str, is: &T, wanted: &T) -> Result<(), Flaw> {
    check(is == wanted, || format!("{what} is {is:?}, not {wanted:?}"))
}

/// The stage of one case.
pub(super) struct Stage<'a> {
    pub(super) cloud: &'a dyn Cloudlike,
    case: &'static str,
    made: Mutex<Vec<Target>>,
    attempts: AtomicU32,
}

impl<'a> Stage<'a> {
    pub(super) fn new(cloud: &'a dyn Cloudlike, case: &'static str) -> Self {
        Self { cloud, case, made: Mutex::default(), attempts: AtomicU32::new(0) }
    }

    pub(super) fn provider(&self) -> &'a dyn Provider {
        self.cloud.provider()
    }

    /// Goes on only where the backend can do that.
    pub(super) fn needs(&self, what: &str, able: impl Fn(&Abilities) -> bool) -> Result<(), Flaw> {
        if able(&self.cloud.abilities()) {
            return Ok(());
        }
        Err(Flaw::Skip(format!("the backend does not say that it {what}")))
    }

    /// A zone of that residency.
    pub(super) fn placement(&self, residency: Residency) -> Result<Placement, Flaw> {
        let found = self.cloud.placements().into_iter().find(|placement| placement.residency() == residency);
        found.ok_or_else(|| Flaw::Skip(format!("no zone in residency {residency}")))
    }

    /// A zone that every case can use.
    pub(super) fn home(&self) -> Result<Placement, Flaw> {
        let found = self.cloud.placements().into_iter().next();
        found.ok_or_else(|| Flaw::Skip("no zone at all".to_owned()))
    }

    /// Another zone of the same region.
    pub(super) fn neighbour(&self, of: Placement) -> Result<Placement, Flaw> {
        let near = |other: &Placement| other.region() == of.region() && other.zone() != of.zone();
        let found = self.cloud.placements().into_iter().find(near);
        found.ok_or_else(|| Flaw::Skip(format!("no second zone in {}", of.region())))
    }

    /// The machine types of that architecture that the zone can have.
    pub(super) fn machine_types(&self, arch: Arch, at: Placement) -> Vec<MachineType> {
        self.cloud.machines(arch).into_iter().filter(|machine| machine.offered_in(at.zone())).collect()
    }

    /// An id that no other case and no other run has.
    pub(super) fn id(&self, role: &str) -> ResourceId {
        ResourceId::derive(self.cloud.run(), &format!("{}/{role}", self.case))
    }

    fn org(&self, org: &str) -> String {
        let hash = Uuid::new_v5(&self.cloud.run(), format!("{}/{org}", self.case).as_bytes()).simple().to_string();
        format!("{org}-{}", &hash[..12])
    }

    /// An organization's key.
    pub(super) fn key_spec(&self, org: &str, region: Region) -> KeySpec {
        let owner = Owner { org: self.org(org), project: None };
        KeySpec { id: self.id(&format!("key {org} {region}")), owner, region }
    }

    /// A cold machine of organization `acme`, with a cache that is born with it.
    pub(super) fn cold(&self, role: &str, at: Placement, arch: Arch, key: &RemoteId) -> Result<MachineSpec, Flaw> {
        let Some(machine) = self.machine_types(arch, at).first().copied() else {
            return Err(Flaw::Skip(format!("no {arch} machine type in {}", at.zone())));
        };
        let owner = Owner { org: self.org("acme"), project: Some(role.replace(' ', "-")) };
        let Some(ssd) = machine.ssds().first().copied() else { return fail(format!("{machine} takes no SSD")) };
        let shape = VolumeShape { ssd, size_gib: 20, iops: None, throughput_mibps: None };
        let id = self.id(&format!("cache {role}"));
        let cache = VolumeSpec { id, owner: owner.clone(), placement: at, arch, shape, key: key.clone() };
        Ok(MachineSpec {
            id: self.id(&format!("machine {role}")),
            owner,
            placement: at,
            machine,
            root_gib: 10,
            key: key.clone(),
            cache: CacheSource::Born(cache),
        })
    }

    /// The same machine again, of a later life, on the cache that the first one left.
    pub(super) fn warm(&self, role: &str, first: &MachineSpec, cache: &RemoteId) -> Result<MachineSpec, Flaw> {
        let CacheSource::Born(volume) = &first.cache else { return fail("the first machine had no newborn cache") };
        let cache = CacheSource::Existing { id: volume.id, remote: cache.clone() };
        Ok(MachineSpec { id: self.id(&format!("machine {role}")), cache, ..first.clone() })
    }

    /// Remembers a thing for the cleaning up.
    pub(super) fn remember(&self, target: &Target) {
        let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        made.push(target.clone());
        if let Spec::Machine(MachineSpec { cache: CacheSource::Born(volume), .. }) = &target.spec {
            made.push(Target { spec: Spec::Volume(volume.clone()), remote: None });
        }
    }

    /// One call of `ensure`, with the token of the first incarnation.
    pub(super) async fn ensure(&self, spec: &Spec, remote: Option<&RemoteId>) -> Result<Observed, CallError> {
        let target = Target { spec: spec.clone(), remote: remote.cloned() };
        self.remember(&target);
        self.provider().ensure(&Token::derive(spec.id(), 0), &target).await
    }

    /// One look at one thing.
    pub(super) async fn look(&self, spec: &Spec, remote: Option<&RemoteId>) -> Result<Observed, Flaw> {
        let target = Target { spec: spec.clone(), remote: remote.cloned() };
        let seen = self.provider().observe(spec.region(), &[target]).await?;
        let [seen] = seen.as_slice() else { return fail(format!("one target has {} answers", seen.len())) };
        Ok(seen.clone())
    }

    /// Looks until it is so.
    pub(super) async fn wait(
        &self,
        what: &str,
        spec: &Spec,
        remote: Option<&RemoteId>,
        so: impl Fn(&Observed) -> bool + Send,
    ) -> Result<Observed, Flaw> {
        let mut passed_ms = 0;
        loop {
            let seen = self.look(spec, remote).await?;
            if so(&seen) {
                return Ok(seen);
            }
            if passed_ms > self.cloud.patience_ms() {
                return fail(format!("waited in vain for {what}; the last look shows {seen:?}"));
            }
            self.cloud.pass(self.cloud.pause_ms()).await;
            passed_ms += self.cloud.pause_ms();
        }
    }

    /// Lets the time pass in which the cloud may hide what it has just made.
    pub(super) async fn outwait_hiding(&self) {
        self.cloud.pass(u64::from(self.provider().capabilities().visibility_secs) * 1_000 + 1).await;
    }

    /// A finished key.
    pub(super) async fn key(&self, org: &str, region: Region) -> Result<RemoteId, Flaw> {
        let spec = Spec::Key(self.key_spec(org, region));
        let mut remote = None;
        for _ in 0..5 {
            match self.ensure(&spec, remote.as_ref()).await? {
                Observed::Ready(found) => return Ok(found.remote),
                Observed::Pending(found) => remote = Some(found.remote),
                other => return fail(format!("a new key is {other:?}")),
            }
        }
        fail("a key does not get ready after five calls")
    }

    /// A running machine as specified, verified.
    pub(super) async fn machine(&self, spec: &MachineSpec) -> Result<Found, Flaw> {
        let spec = Spec::Machine(spec.clone());
        let remote = self.begun(&spec).await?;
        self.running(&spec, &remote).await
    }

    /// The name of a machine that was asked for.
    pub(super) async fn begun(&self, spec: &Spec) -> Result<RemoteId, Flaw> {
        match self.ensure(spec, None).await? {
            Observed::Pending(found) | Observed::Ready(found) => Ok(found.remote),
            other => fail(format!("the answer to a creation is {other:?}")),
        }
    }

    /// Waits until it runs, is verified, and shows its newborn cache.
    pub(super) async fn running(&self, spec: &Spec, remote: &RemoteId) -> Result<Found, Flaw> {
        let runs = |seen: &Observed| {
            matches!(seen, Observed::Ready(found) if found.power == Some(Power::Running))
                || matches!(seen, Observed::Broken { .. } | Observed::Absent { died: Some(_) })
        };
        match self.wait("a running machine", spec, Some(remote), runs).await? {
            Observed::Ready(found) => {
                same("the machine's remote id", &found.remote, remote)?;
                Ok(found)
            }
            other => fail(format!("a new machine is {other:?}")),
        }
    }

    /// A running machine and its cache volume.
    pub(super) async fn machine_and_cache(&self, spec: &MachineSpec) -> Result<(Found, RemoteId), Flaw> {
        let found = self.machine(spec).await?;
        match found.cache.clone() {
            Some(cache) => Ok((found, cache)),
            None => fail("a machine that is ready does not tell of its newborn cache"),
        }
    }

    fn attempt(&self, target: &Target) -> Token {
        let attempt = self.attempts.fetch_add(1, Ordering::Relaxed);
        Token::of_attempt(target.spec.id(), &format!("{}/{attempt}", self.cloud.run()))
    }

    /// One call of `remove`.
    pub(super) async fn remove(&self, target: &Target) -> Result<Observed, CallError> {
        self.provider().remove(&self.attempt(target), target).await
    }

    /// One call of `power`.
    pub(super) async fn power(&self, target: &Target, power: Power) -> Result<Observed, CallError> {
        self.provider().power(&self.attempt(target), target, power).await
    }

    /// Removes a thing and waits until it is gone.
    pub(super) async fn gone(&self, spec: &Spec, remote: Option<&RemoteId>) -> Result<(), Flaw> {
        let target = Target { spec: spec.clone(), remote: remote.cloned() };
        match self.remove(&target).await? {
            Observed::Absent { .. } | Observed::Leaving(_) => {}
            other => return fail(format!("the answer to a removal is {other:?}")),
        }
        self.wait("its end", spec, remote, Observed::is_absent).await?;
        Ok(())
    }

    /// The tie between a machine and a cache.
    pub(super) fn tie(&self, machine: &MachineSpec, remote: &RemoteId, volume: &RemoteId) -> Spec {
        Spec::Attachment(AttachmentSpec {
            id: self.id(&format!("tie {remote} {volume}")),
            owner: machine.owner.clone(),
            placement: machine.placement,
            machine: remote.clone(),
            volume: volume.clone(),
        })
    }

    /// Takes everything away that the case has made: machines first, keys last. What is attached or on its way is waited for.
    pub(super) async fn clean(&self) -> Result<(), String> {
        let mut made = std::mem::take(&mut *self.made.lock().unwrap_or_else(PoisonError::into_inner));
        made.sort_by_key(|target| match target.spec {
            Spec::Attachment(_) => 0,
            Spec::Machine(_) => 1,
            Spec::Volume(_) => 2,
            Spec::Key(_) | Spec::Stray(_) => 3,
        });
        self.outwait_hiding().await;
        for target in made.iter().filter(|target| !matches!(target.spec, Spec::Attachment(_))) {
            self.sweep(target).await?;
        }
        Ok(())
    }

    async fn sweep(&self, target: &Target) -> Result<(), String> {
        // By tag, so that nothing is left that a lost answer hides.
        let target = Target { spec: target.spec.clone(), remote: None };
        let mut passed_ms = 0;
        loop {
            let error = match self.remove(&target).await {
                Ok(Observed::Absent { .. }) => return Ok(()),
                Ok(Observed::Leaving(_)) if matches!(target.spec, Spec::Key(_)) => return Ok(()),
                Ok(_) => None,
                Err(error) if error.class() == ErrorClass::Conflict => Some(error),
                Err(error) => return Err(error.to_string()),
            };
            if passed_ms > self.cloud.patience_ms() {
                return Err(format!("{} {} does not go: {error:?}", target.spec.kind(), target.spec.id()));
            }
            self.cloud.pass(self.cloud.pause_ms()).await;
            passed_ms += self.cloud.pause_ms();
        }
    }
}
