//! What happens to a simulated fleet: who asks for what, and when.

use anyhow::Result;
use fastrand::Rng;
use provisioner::{
    core::{JobId, Name, OrgId, ProjectId, Request, scene::CacheShape},
    store::{NewJob, NewProject, Store, StoreError},
};
use regions::{Arch, Cloud, Region, Residency, Size};
use uuid::Uuid;

/// Something that happens.
#[derive(Clone, Copy, Debug)]
pub(super) enum Event {
    /// A control plane asks, perhaps twice with one key.
    Ask { request: Request, key: Option<u32>, priority: i16 },
    /// A person calls off one of the jobs so far, counted from the newest.
    Cancel { back: i64 },
    /// A person retries one of the jobs so far.
    Retry { back: i64 },
    /// A worker dies, and another comes after that many milliseconds.
    Crash { pause_ms: u64 },
    /// Cloud and database are compared, and what differs is mended.
    Reconcile,
}

/// Organizations and projects.
pub(super) struct Fleet {
    orgs: Vec<OrgId>,
    projects: Vec<ProjectId>,
}

fn name(text: &str) -> Result<Name> {
    Ok(text.parse()?)
}

impl Fleet {
    /// Founds two organizations with a few projects in both residencies and on both clouds.
    pub(super) async fn found(store: &Store, rng: &mut Rng, now_ms: i64) -> Result<Self> {
        let mut fleet = Self { orgs: Vec::new(), projects: Vec::new() };
        for org in ["acme", "globex"] {
            let id = OrgId::from_uuid(Uuid::from_u128(rng.u128(..)));
            store.create_org(&name(org)?, id, now_ms).await?;
            fleet.orgs.push(id);
            for place in 0..rng.usize(1..4) {
                let project = new_project(rng, id, &format!("project-{place}"))?;
                store.create_project(project.clone(), now_ms).await?;
                fleet.projects.push(project.id);
            }
        }
        Ok(fleet)
    }

    /// A random script of that length.
    pub(super) fn script(&self, rng: &mut Rng, length_ms: u64) -> Vec<(u64, Event)> {
        let mut script = Vec::new();
        for _ in 0..rng.usize(4..24) {
            let at_ms = rng.u64(0..length_ms);
            let key = (rng.u8(0..3) == 0).then(|| rng.u32(0..4));
            let ask = Event::Ask { request: self.request(rng), key, priority: rng.i16(-1..2) };
            script.push((at_ms, ask));
            match rng.u8(0..10) {
                0 | 1 => script.push((at_ms + rng.u64(0..6_000), Event::Cancel { back: rng.i64(0..4) })),
                2 => script.push((at_ms + rng.u64(0..20_000), Event::Retry { back: rng.i64(0..6) })),
                _ => {}
            }
        }
        if rng.u8(0..3) == 0 {
            let request = Request::DeleteProject { project: self.projects[rng.usize(0..self.projects.len())] };
            script.push((rng.u64(length_ms / 2..length_ms), Event::Ask { request, key: None, priority: 0 }));
        }
        if rng.u8(0..4) == 0 {
            let request = Request::DeleteOrg { org: self.orgs[rng.usize(0..self.orgs.len())] };
            script.push((rng.u64(length_ms / 2..length_ms), Event::Ask { request, key: None, priority: 0 }));
        }
        script
    }

    fn request(&self, rng: &mut Rng) -> Request {
        let project = self.projects[rng.usize(0..self.projects.len())];
        let arch = if rng.bool() { Arch::X86_64 } else { Arch::Arm64 };
        match rng.u8(0..12) {
            0..=5 => Request::Provision { project, arch },
            6 => Request::Stop { project, arch },
            7 => Request::Start { project, arch },
            8..=10 => Request::Destroy { project, arch },
            _ => Request::DestroyCache { project, arch },
        }
    }

    /// Makes an event happen. A refusal is an answer; a broken database is not.
    pub(super) async fn play(&self, store: &Store, rng: &mut Rng, event: Event, now_ms: i64) -> Result<()> {
        let newest = |store: Store| async move {
            let jobs = store.jobs(super::all()).await?;
            Ok::<_, StoreError>(jobs.first().map_or(0, |job| job.id.0))
        };
        let answer = match event {
            Event::Ask { request, key, priority } => {
                let key = key.map(|key| format!("{key}-{}", request.verb()));
                let run_at_ms = (rng.u8(0..8) == 0).then(|| now_ms + rng.i64(0..10_000));
                store.enqueue(NewJob { request, priority, key, run_at_ms }, now_ms).await.map(drop)
            }
            Event::Cancel { back } => store.cancel(JobId(newest(store.clone()).await? - back), now_ms).await.map(drop),
            Event::Retry { back } => store.retry(JobId(newest(store.clone()).await? - back), now_ms).await.map(drop),
            Event::Crash { .. } | Event::Reconcile => Ok(()),
        };
        match answer {
            Ok(()) | Err(StoreError::Refused { .. } | StoreError::KeyReused { .. } | StoreError::NotFound { .. }) => {
                Ok(())
            }
            Err(error) => Err(error.into()),
        }
    }
}

fn new_project(rng: &mut Rng, org: OrgId, text: &str) -> Result<NewProject> {
    let residency = if rng.bool() { Residency::Us } else { Residency::Eu };
    let cloud = if rng.u8(0..4) == 0 { Cloud::Gcp } else { Cloud::Aws };
    let pinned = match (cloud, residency) {
        (Cloud::Aws, Residency::Us) => "us-east-1",
        (Cloud::Aws, Residency::Eu) => "eu-central-1",
        (Cloud::Gcp, Residency::Us) => "us-central1",
        (Cloud::Gcp, Residency::Eu) => "europe-west4",
    };
    let region = if rng.bool() { Some(Region::find(cloud, pinned)?) } else { None };
    Ok(NewProject {
        id: ProjectId::from_uuid(Uuid::from_u128(rng.u128(..))),
        org,
        name: name(text)?,
        residency,
        cloud,
        region,
        size: Size::S4x8,
        cache: CacheShape { size_gib: 50, iops: None, throughput_mibps: None },
    })
}
