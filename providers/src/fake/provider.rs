//! The [`Provider`] trait over the modelled cloud.

use async_trait::async_trait;
use regions::{Cloud, Region, Zone};

use super::FakeCloud;
use super::call::Verb;
use super::request::Asker;
use crate::{
    Access, CacheSource, CallError, Capabilities, Closed, ErrorClass, Kind, Listing, MachineSpec, Observed, Opened,
    PageToken, Power, Provider, Spec, Target, Token, VolumeSpec,
};

/// A provider of the modelled cloud. It keeps nothing: all state is the cloud's.
#[derive(Clone, Debug)]
pub struct FakeProvider {
    cloud: FakeCloud,
    kind: Cloud,
}

fn invalid(code: &str, message: String) -> CallError {
    CallError::new("check", ErrorClass::Invalid, code, message)
}

fn unfit(kind: Kind) -> CallError {
    invalid("UnfitKind", format!("a {kind} can't be asked for this"))
}

impl FakeProvider {
    pub(super) const fn new(cloud: FakeCloud, kind: Cloud) -> Self {
        Self { cloud, kind }
    }

    fn asker(&self, verb: Verb, region: Region) -> Result<Asker, CallError> {
        if region.cloud() != self.kind {
            return Err(invalid("WrongCloud", format!("{region} is not a region of {}", self.kind)));
        }
        Ok(Asker { cloud: self.cloud.clone(), kind: self.kind, verb, region })
    }

    fn check_machine(&self, spec: &MachineSpec) -> Result<(), CallError> {
        let zone = spec.placement.zone();
        self.check_zone(zone)?;
        if spec.machine.cloud() != self.kind {
            return Err(invalid("WrongCloud", format!("{} is not a machine type of {}", spec.machine, self.kind)));
        }
        if !spec.machine.offered_in(zone) {
            return Err(invalid("NotOffered", format!("{} is not offered in {zone}", spec.machine)));
        }
        let CacheSource::Born(volume) = &spec.cache else { return Ok(()) };
        self.check_volume(volume)?;
        if volume.owner != spec.owner || volume.placement != spec.placement || volume.key != spec.key {
            let message = "a newborn cache has its machine's owner, placement and key".to_owned();
            return Err(invalid("UnlikeMachine", message));
        }
        if volume.arch != spec.machine.arch() {
            return Err(invalid("UnlikeMachine", "a newborn cache has its machine's architecture".to_owned()));
        }
        if !spec.machine.ssds().contains(&volume.shape.ssd) {
            return Err(invalid("WrongSsd", format!("{} takes no {:?}", spec.machine, volume.shape.ssd)));
        }
        Ok(())
    }

    fn check_volume(&self, spec: &VolumeSpec) -> Result<(), CallError> {
        self.check_zone(spec.placement.zone())?;
        if spec.shape.size_gib == 0 {
            return Err(invalid("WrongSize", "a volume of nought GiB can't be made".to_owned()));
        }
        Ok(())
    }

    fn check_zone(&self, zone: Zone) -> Result<(), CallError> {
        if self.cloud.config().allows(zone) {
            return Ok(());
        }
        Err(invalid("NotConfigured", format!("{zone} is not among fake.zones")))
    }
}

#[async_trait]
impl Provider for FakeProvider {
    fn cloud(&self) -> Cloud {
        self.kind
    }

    fn capabilities(&self) -> Capabilities {
        let config = self.cloud.config();
        Capabilities {
            attaches_at_birth: config.attaches_at_birth.unwrap_or(self.kind == Cloud::Gcp),
            visibility_secs: config.visibility_secs(),
        }
    }

    fn zones(&self) -> Vec<Zone> {
        let configured = self.cloud.config().zones;
        if configured.is_empty() {
            let regions = regions::regions().filter(|region| region.cloud() == self.kind);
            return regions.flat_map(Region::zones).collect();
        }
        configured.into_iter().filter(|zone| zone.cloud() == self.kind).collect()
    }

    fn check(&self, spec: &Spec) -> Result<(), CallError> {
        let region = spec.region();
        if region.cloud() != self.kind {
            return Err(invalid("WrongCloud", format!("{region} is not a region of {}", self.kind)));
        }
        match spec {
            Spec::Key(_) if !self.cloud.config().allows_region(region) => {
                Err(invalid("NotConfigured", format!("{region} has no zone among fake.zones")))
            }
            Spec::Key(_) => Ok(()),
            Spec::Machine(spec) => self.check_machine(spec),
            Spec::Volume(spec) => self.check_volume(spec),
            Spec::Attachment(spec) => self.check_zone(spec.placement.zone()),
            Spec::Stray(_) => Ok(()),
        }
    }

    async fn ensure(&self, token: &Token, target: &Target) -> Result<Observed, CallError> {
        self.check(&target.spec)?;
        let asker = self.asker(Verb::Ensure, target.spec.region())?;
        match &target.spec {
            Spec::Key(spec) => asker.ensure_key(target, spec).await,
            Spec::Machine(spec) => {
                asker.ensure_machine(token, target, spec, self.capabilities().attaches_at_birth).await
            }
            Spec::Attachment(spec) => asker.attach(spec).await,
            Spec::Volume(_) | Spec::Stray(_) => Err(unfit(target.spec.kind())),
        }
    }

    async fn power(&self, _: &Token, target: &Target, power: Power) -> Result<Observed, CallError> {
        let verb = match power {
            Power::Running => Verb::Start,
            Power::Stopped => Verb::Stop,
        };
        match &target.spec {
            Spec::Machine(spec) => self.asker(verb, target.spec.region())?.switch_machine(target, spec, power).await,
            Spec::Stray(spec) if spec.kind == Kind::Machine => {
                self.asker(verb, spec.region)?.switch_stray(target, spec, power).await
            }
            Spec::Key(_) | Spec::Volume(_) | Spec::Attachment(_) | Spec::Stray(_) => Err(unfit(target.spec.kind())),
        }
    }

    async fn observe(&self, region: Region, targets: &[Target]) -> Result<Vec<Observed>, CallError> {
        let attaches = self.capabilities().attaches_at_birth;
        self.asker(Verb::Observe, region)?.observe(region, targets, attaches).await
    }

    async fn remove(&self, _: &Token, target: &Target) -> Result<Observed, CallError> {
        let asker = self.asker(Verb::Remove, target.spec.region())?;
        match &target.spec {
            Spec::Key(spec) => asker.remove_key(target, spec).await,
            Spec::Machine(spec) => asker.remove_machine(target, spec).await,
            Spec::Volume(spec) => asker.remove_volume(target, spec).await,
            Spec::Attachment(spec) => asker.detach(spec).await,
            Spec::Stray(spec) => asker.remove_stray(target, spec).await,
        }
    }

    async fn tag(&self, _: &Token, target: &Target) -> Result<Observed, CallError> {
        self.asker(Verb::Tag, target.spec.region())?.write_tags(target).await
    }

    async fn list(&self, region: Region, page: Option<PageToken>) -> Result<Listing, CallError> {
        self.asker(Verb::List, region)?.list(region, page).await
    }

    async fn open_access(&self, access: &Access) -> Result<Opened, CallError> {
        self.asker(Verb::Open, access.placement.region())?.open_way(access).await
    }

    async fn close_access(&self, access: &Access) -> Result<Closed, CallError> {
        self.asker(Verb::Close, access.placement.region())?.close_way(access).await
    }
}
