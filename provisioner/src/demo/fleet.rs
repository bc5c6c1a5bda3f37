//! The sample fleet: three organizations, seven projects in both residencies and on both clouds, twelve builders.

use regions::{Arch, Cloud, Region, Residency, Size, Zone, machine_types, regions};

use crate::{
    cli::Failure,
    core::{JobId, Name, ProjectId, Request, scene::CacheShape},
    edge,
    store::{NewJob, NewProject, Store},
};

/// A project of the sample.
pub(super) struct Sample {
    org: &'static str,
    project: &'static str,
    residency: Residency,
    cloud: Cloud,
    region: Option<&'static str>,
    size: Size,
    arches: &'static [Arch],
}

const X86: &[Arch] = &[Arch::X86_64];
const ARM: &[Arch] = &[Arch::Arm64];
const BOTH: &[Arch] = &Arch::ALL;

const fn sample(
    (org, project): (&'static str, &'static str),
    residency: Residency,
    (cloud, region): (Cloud, Option<&'static str>),
    size: Size,
    arches: &'static [Arch],
) -> Sample {
    Sample { org, project, residency, cloud, region, size, arches }
}

pub(super) const ORGS: [&str; 3] = ["acme", "globex", "initech"];

const SAMPLES: [Sample; 7] = [
    sample(("acme", "web"), Residency::Us, (Cloud::Aws, Some("us-east-1")), Size::S16x32, BOTH),
    sample(("acme", "mobile"), Residency::Us, (Cloud::Aws, None), Size::S8x16, ARM),
    sample(("acme", "ml"), Residency::Eu, (Cloud::Aws, Some("eu-central-1")), Size::S32x64, BOTH),
    sample(("globex", "shop"), Residency::Eu, (Cloud::Aws, Some("eu-west-1")), Size::S16x32, BOTH),
    sample(("globex", "data"), Residency::Us, (Cloud::Gcp, Some("us-central1")), Size::S16x32, BOTH),
    sample(("initech", "payroll"), Residency::Us, (Cloud::Aws, Some("us-west-2")), Size::S4x8, X86),
    sample(("initech", "reports"), Residency::Eu, (Cloud::Gcp, Some("europe-west4")), Size::S8x16, BOTH),
];

/// The regions that the modelled clouds have open.
const OPEN: [&str; 6] = ["us-east-1", "us-west-2", "eu-central-1", "eu-west-1", "us-central1", "europe-west4"];

/// The zones of the open regions.
pub(super) fn zones() -> Vec<Zone> {
    regions().filter(|region| OPEN.contains(&region.name())).flat_map(Region::zones).collect()
}

/// A zone and the machine type that it has none of: the first choice of `acme/web` on arm64.
pub(super) fn shortage() -> Option<(Zone, &'static str)> {
    let zone = Region::find(Cloud::Aws, "us-east-1").ok()?.zones().next()?;
    let machine = machine_types(Cloud::Aws, Arch::Arm64, Size::S16x32).find(|machine| machine.offered_in(zone))?;
    Some((zone, machine.name()))
}

/// A builder of the sample and the job that makes it.
#[derive(Clone, Debug)]
pub(super) struct Ordered {
    /// `acme/web arm64`.
    pub(super) name: String,
    pub(super) project: ProjectId,
    pub(super) arch: Arch,
    pub(super) residency: Residency,
    pub(super) job: JobId,
}

pub(super) fn name(text: &str) -> Result<Name, Failure> {
    text.parse().map_err(|error: crate::core::NameError| Failure::failed(error.to_string()))
}

/// Makes the tenants and asks for their builders.
pub(super) async fn order(store: &Store, now_ms: i64) -> Result<Vec<Ordered>, Failure> {
    let mut orgs = Vec::new();
    for org in ORGS {
        orgs.push(store.create_org(&name(org)?, edge::new_org_id(), now_ms).await?);
    }
    let mut ordered = Vec::new();
    for sample in &SAMPLES {
        let Some(org) = orgs.iter().find(|org| org.name.as_str() == sample.org) else { continue };
        let region = sample.region.map(|region| Region::find(sample.cloud, region)).transpose();
        let new = NewProject {
            id: edge::new_project_id(),
            org: org.id,
            name: name(sample.project)?,
            residency: sample.residency,
            cloud: sample.cloud,
            region: region.map_err(|error| Failure::failed(error.to_string()))?,
            size: sample.size,
            cache: CacheShape { size_gib: 100, iops: None, throughput_mibps: None },
        };
        let project = store.create_project(new, now_ms).await?.id;
        for arch in sample.arches.iter().copied() {
            let job = store.enqueue(NewJob::now(Request::Provision { project, arch }), now_ms).await?.job;
            let name = format!("{}/{} {arch}", sample.org, sample.project);
            ordered.push(Ordered { name, project, arch, residency: sample.residency, job });
        }
    }
    Ok(ordered)
}
