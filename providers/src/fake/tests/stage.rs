//! A cloud on tokio's paused time, and specifications by the word.

use std::sync::Arc;
use std::time::Duration;

use regions::{Arch, Cloud, MachineType, Placement, Region, Size, Zone};
use uuid::Uuid;

use crate::fake::{FakeCloud, FakeConfig, FakeProvider};
use crate::{
    CacheSource, CallError, KeySpec, MachineSpec, Observed, Owner, Provider, RemoteId, ResourceId, Spec, Target, Token,
    VolumeShape, VolumeSpec,
};

#[expect(clippy::disallowed_methods, reason = "the edge of a test: virtual time, which tokio keeps")]
pub(super) fn cloud(config: FakeConfig) -> FakeCloud {
    let start = tokio::time::Instant::now();
    let passed = move || i64::try_from(tokio::time::Instant::now().duration_since(start).as_millis()).unwrap();
    FakeCloud::new(config, Arc::new(move || 1_700_000_000_000 + passed()))
}

pub(super) fn zone(name: &str) -> Zone {
    Zone::try_from(name.to_owned()).unwrap()
}

pub(super) fn place(name: &str) -> Placement {
    let zone = zone(name);
    Placement::check(zone.region().residency(), zone).unwrap()
}

pub(super) fn types(cloud: Cloud, arch: Arch) -> Vec<MachineType> {
    Size::ALL.into_iter().flat_map(|size| regions::machine_types(cloud, arch, size)).collect()
}

pub(super) fn id(role: &str) -> ResourceId {
    ResourceId::derive(Uuid::from_u128(7), role)
}

pub(super) async fn pass(millis: u64) {
    tokio::time::sleep(Duration::from_millis(millis)).await;
}

/// One cloud, its provider, and organization `acme` in one zone.
pub(super) struct Stage {
    pub(super) cloud: FakeCloud,
    pub(super) provider: FakeProvider,
    pub(super) at: Placement,
}

impl Stage {
    pub(super) fn new(config: FakeConfig) -> Self {
        let cloud = cloud(config);
        let provider = cloud.provider(Cloud::Aws);
        Self { cloud, provider, at: place("aws/eu-central-1a") }
    }

    pub(super) fn region(&self) -> Region {
        self.at.region()
    }

    pub(super) fn key_spec(&self, org: &str) -> KeySpec {
        let owner = Owner { org: org.to_owned(), project: None };
        KeySpec { id: id(&format!("key {org}")), owner, region: self.region() }
    }

    pub(super) async fn key(&self, org: &str) -> RemoteId {
        match self.ensure(&Spec::Key(self.key_spec(org))).await.unwrap() {
            Observed::Ready(found) => found.remote,
            other => panic!("{other:?}"),
        }
    }

    /// A cold arm64 machine of `acme` and that project.
    pub(super) fn machine(&self, project: &str, key: &RemoteId) -> MachineSpec {
        let machine = types(self.at.zone().cloud(), Arch::Arm64)[0];
        let owner = Owner { org: "acme".to_owned(), project: Some(project.to_owned()) };
        let shape = VolumeShape { ssd: machine.ssds()[0], size_gib: 50, iops: None, throughput_mibps: None };
        let cache = VolumeSpec {
            id: id(&format!("volume {project}")),
            owner: owner.clone(),
            placement: self.at,
            arch: Arch::Arm64,
            shape,
            key: key.clone(),
        };
        MachineSpec {
            id: id(&format!("machine {project}")),
            owner,
            placement: self.at,
            machine,
            root_gib: 20,
            key: key.clone(),
            cache: CacheSource::Born(cache),
        }
    }

    pub(super) async fn ensure(&self, spec: &Spec) -> Result<Observed, CallError> {
        self.ensure_as(spec, 0).await
    }

    pub(super) async fn ensure_as(&self, spec: &Spec, incarnation: u32) -> Result<Observed, CallError> {
        let target = Target { spec: spec.clone(), remote: None };
        self.provider.ensure(&Token::derive(spec.id(), incarnation), &target).await
    }

    pub(super) async fn begin(&self, spec: &MachineSpec) -> RemoteId {
        match self.ensure(&Spec::Machine(spec.clone())).await.unwrap() {
            Observed::Pending(found) => found.remote,
            other => panic!("{other:?}"),
        }
    }

    pub(super) async fn look(&self, spec: &Spec, remote: Option<&RemoteId>) -> Observed {
        let target = Target { spec: spec.clone(), remote: remote.cloned() };
        self.provider.observe(spec.region(), &[target]).await.unwrap().remove(0)
    }
}

/// The token of a switch or a removal; the model ignores it.
pub(super) fn attempt() -> Token {
    Token::of_attempt(id("attempt"), "1")
}
