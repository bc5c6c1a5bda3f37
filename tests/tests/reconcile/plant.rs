//! What the tests of reconcile plant.

use anyhow::{Context, Result};
use providers::{CacheSource, Kind, MachineSpec, RemoteId, ResourceId, VolumeShape, VolumeSpec, fake::FakeConfig};
use provisioner::{
    core::{Effect, Request},
    reconcile::{Brake, Decision, Report},
};
use regions::{Arch, Cloud, MachineType, Placement, Region, Residency, Size};
use tests::house::{House, owner};
use uuid::Uuid;

pub(crate) const HEALTHY: usize = 12;

/// A region of the catalogue.
pub(crate) fn region(cloud: Cloud, name: &str) -> Region {
    Region::find(cloud, name).expect("a region")
}

/// Where most is planted.
pub(crate) fn virginia() -> Region {
    region(Cloud::Aws, "us-east-1")
}

/// Two regions of AWS and one of Google Cloud; listings have many pages.
pub(crate) fn config() -> FakeConfig {
    let zones = ["us-east-1", "eu-west-1"].map(|name| region(Cloud::Aws, name)).into_iter().flat_map(Region::zones);
    let google = region(Cloud::Gcp, "europe-west3").zones();
    FakeConfig { zones: zones.chain(google).collect(), ..FakeConfig::default() }
}

/// A house with so many healthy builders, at rest.
pub(crate) async fn house(healthy: usize) -> Result<House> {
    let mut house = House::new(config()).await?;
    for n in 0..healthy {
        let path = format!("acme/healthy-{n}");
        let place = match n % 3 {
            0 => virginia(),
            1 => region(Cloud::Aws, "eu-west-1"),
            _ => region(Cloud::Gcp, "europe-west3"),
        };
        let project = house.found(&path, place).await?;
        house.ask(Request::Provision { project, arch: Arch::X86_64 }).await?;
    }
    house.work().await?;
    house.pass(700).await;
    anyhow::ensure!(house.failures().await?.is_empty(), "{:?}", house.failures().await?);
    Ok(house)
}

/// More builders in Virginia, at rest.
pub(crate) async fn builders(house: &mut House, names: &[&str]) -> Result<()> {
    for name in names {
        let project = house.found(&format!("acme/{name}"), virginia()).await?;
        house.ask(Request::Provision { project, arch: Arch::Arm64 }).await?;
    }
    house.work().await?;
    house.pass(700).await;
    Ok(())
}

/// An id that no record has.
pub(crate) fn id(text: &str) -> ResourceId {
    ResourceId::derive(Uuid::from_u128(77), text)
}

/// The key of acme in Virginia.
pub(crate) async fn key(house: &House) -> Result<RemoteId> {
    let rows = house.rows().await?;
    let key = rows.iter().find(|row| row.kind == Kind::Key && row.region == virginia()).context("no key")?;
    key.remote.clone().context("no name")
}

pub(crate) fn placement(region: Region, residency: Residency) -> Placement {
    Placement::check(residency, region.zones().next().expect("a zone")).expect("inside")
}

/// A cache volume as ours are.
pub(crate) fn volume(of: &str, name: &str, key: &RemoteId, at: Placement) -> VolumeSpec {
    let ssd = machine_type(at).ssds()[0];
    let shape = VolumeShape { ssd, size_gib: 100, iops: None, throughput_mibps: None };
    VolumeSpec { id: id(name), owner: owner(of), placement: at, arch: Arch::Arm64, shape, key: key.clone() }
}

pub(crate) fn machine_type(at: Placement) -> MachineType {
    let all = regions::machine_types(at.zone().cloud(), Arch::Arm64, Size::ALL[0]);
    all.into_iter().find(|machine| machine.offered_in(at.zone())).expect("a machine type")
}

/// A builder as ours are, with a cache that is born with it.
pub(crate) fn machine(of: &str, name: &str, key: &RemoteId, at: Placement) -> MachineSpec {
    MachineSpec {
        id: id(name),
        owner: owner(of),
        placement: at,
        machine: machine_type(at),
        root_gib: 10,
        key: key.clone(),
        cache: CacheSource::Born(volume(of, &format!("{name}-cache"), key, at)),
    }
}

/// How many items that brake has stopped.
pub(crate) fn braked(report: &Report, brake: Brake) -> usize {
    let is = |outcome: &Decision| matches!(outcome, Decision::Braked { brake: found, .. } if *found == brake);
    report.items.iter().filter(|item| is(&item.outcome)).count()
}

/// How many removals a run has enqueued.
pub(crate) fn removals(report: &Report) -> usize {
    let goes = |item: &&provisioner::reconcile::Item| {
        matches!(item.outcome, Decision::Enqueued { .. }) && item.due.effect() == Effect::Removes
    };
    report.items.iter().filter(goes).count()
}
