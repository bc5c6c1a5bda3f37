//! What must hold at the end of a simulation, whatever happened in it.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Result, ensure};
use providers::{
    Kind, ResourceId,
    fake::{FakeCloud, KeyState},
};
use provisioner::{
    core::{Entry, Fact, JobId, JobState, RowState},
    store::{ResourceFilter, Store},
};

/// What a simulation did, for the sum that the test prints.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Jobs by how they ended.
    pub jobs: BTreeMap<JobState, usize>,
    /// Machines that were made.
    pub machines: usize,
    /// What stands at the end.
    pub standing: usize,
    /// Runs of reconcile that came to their end.
    pub reconciled: usize,
    /// What those runs found and left alone.
    pub findings: usize,
}

/// Compares the cloud with the database, and both with the rules.
pub(super) async fn judge(store: &Store, cloud: &FakeCloud) -> Result<Report> {
    let violations = cloud.violations();
    ensure!(violations.is_empty(), "rules were broken: {violations:?}");
    let ever = cloud.ever();
    for ((kind, tenant), most) in &ever.max_live {
        ensure!(*most <= 1, "{tenant} had {most} of {kind} at one moment");
    }
    let jobs = store.jobs(super::all()).await?;
    let mut report = Report::default();
    for job in &jobs {
        ensure!(job.state.has_ended(), "job {} is {:?}", job.id, job.state);
        *report.jobs.entry(job.state).or_default() += 1;
        one_hand(job.id, &store.entries(job.id).await?)?;
    }
    let rows = store.resources(ResourceFilter::default()).await?;
    let snapshot = cloud.snapshot();
    let of = |kind: Kind| -> BTreeSet<ResourceId> {
        // A key that was perhaps made is looked for by the next job that needs it; nothing else may stay a perhaps.
        let told = rows.iter().filter(|row| row.kind == kind);
        told.filter(|row| kind != Kind::Key || row.state != RowState::Maybe).map(|row| row.id).collect()
    };
    let machines: BTreeSet<ResourceId> = snapshot.machines.iter().filter_map(|machine| machine.id).collect();
    let volumes: BTreeSet<ResourceId> = snapshot.volumes.iter().filter_map(|volume| volume.id).collect();
    ensure!(snapshot.machines.len() == machines.len(), "a machine stands twice");
    ensure!(snapshot.volumes.len() == volumes.len(), "a volume stands twice");
    ensure!(
        of(Kind::Machine) == machines,
        "machines: the database says {:?}, the cloud {machines:?}",
        of(Kind::Machine)
    );
    ensure!(of(Kind::Volume) == volumes, "volumes: the database says {:?}, the cloud {volumes:?}", of(Kind::Volume));
    let mut keys = BTreeMap::new();
    for key in snapshot.keys.iter().filter(|key| key.state == KeyState::Enabled) {
        *keys.entry((key.org.clone(), key.region)).or_insert(0) += 1;
        ensure!(rows.iter().any(|row| row.kind == Kind::Key && Some(row.id) == key.id), "a key without a row: {key:?}");
    }
    ensure!(keys.values().all(|count| *count == 1), "an organization has two keys in a region: {keys:?}");
    for id in of(Kind::Key) {
        ensure!(snapshot.keys.iter().any(|key| key.id == Some(id)), "a row without a key: {id}");
    }
    report.machines = ever.by_resource.iter().filter(|((kind, _), _)| *kind == Kind::Machine).count();
    report.standing = machines.len() + volumes.len();
    Ok(report)
}

/// A job's facts are one story: whoever has lost it writes nothing more. Two hands would plan the same thing twice, or go on after
/// the end.
fn one_hand(job: JobId, entries: &[Entry]) -> Result<()> {
    let (mut generation, mut ended) = (None, false);
    for Entry { fact, .. } in entries {
        match fact {
            Fact::RetryAsked => (generation, ended) = (None, false),
            Fact::CancelAsked => {}
            other => {
                ensure!(!ended, "job {job} went on after its end: {other:?}");
                ended = matches!(other, Fact::Ended { .. });
            }
        }
        if let Fact::Planned { plan } = fact {
            ensure!(generation < Some(plan.generation), "job {job} planned twice at once: {entries:?}");
            generation = Some(plan.generation);
        }
    }
    Ok(())
}
