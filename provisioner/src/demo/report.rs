//! What is told at the end: what stands, what it took, and whether anything leaked.

use providers::{Kind, fake::FakeCloud};
use serde::Serialize;

use super::{
    fleet::Ordered,
    proof::{Books, Proof, compare},
};
use crate::{
    cli::{
        Failure,
        screen::{Screen, or_dash},
        time,
        view::{BuilderView, JobView},
    },
    core::ResourceRow,
    store::{ResourceFilter, Store},
};

/// A builder at the end.
#[derive(Debug, Serialize)]
struct Standing {
    project: String,
    arch: &'static str,
    residency: &'static str,
    zone: Option<&'static str>,
    #[serde(rename = "type")]
    machine: Option<&'static str>,
    state: String,
    ready_ms: Option<i64>,
    /// Requests to the cloud that change something, for the machine and its cache.
    mutating_calls: u64,
    /// Requests that looked at it, most of them at many builders at once.
    looks: u64,
}

#[derive(Serialize)]
struct Report<'a> {
    builders: &'a [Standing],
    proof: &'a Proof,
    elapsed_ms: i64,
    mutating_calls: u64,
    describe_calls: u64,
}

/// Reads what stands, compares it with the cloud, and says so. What leaked is a failure.
pub(super) async fn tell(
    store: &Store,
    cloud: &FakeCloud,
    orders: &[Ordered],
    screen: Screen,
    elapsed_ms: i64,
) -> Result<(), Failure> {
    let projects = store.projects(None).await?;
    let rows = store.resources(ResourceFilter::default()).await?;
    let proof = compare(cloud, &Books { projects: &projects, rows: &rows });
    let mut standing = Vec::new();
    for order in orders {
        let job = store.job(order.job).await?.map(JobView::from);
        standing.push(stands(order, job.as_ref(), &rows, cloud));
    }
    let calls = cloud.calls();
    if screen.is_json() {
        let report = Report {
            builders: &standing,
            proof: &proof,
            elapsed_ms,
            mutating_calls: calls.mutating,
            describe_calls: calls.describe,
        };
        screen.json(&report)?;
    } else {
        screen.line("\nWhat stands")?;
        print(screen, &standing)?;
        screen.line(&format!(
            "\n{} calls to the cloud in all: {} that change something, {} that look ({} builders share a look)",
            calls.mutating + calls.describe,
            calls.mutating,
            calls.describe,
            orders.len()
        ))?;
        screen.line("\nThe proof")?;
        prove(screen, &proof)?;
    }
    if proof.faults.is_empty() {
        return Ok(());
    }
    Err(Failure::failed(format!("{} things are not as they should be", proof.faults.len()))
        .remedy("this is a bug: please report it with the lines above"))
}

fn stands(order: &Ordered, job: Option<&JobView>, rows: &[ResourceRow], cloud: &FakeCloud) -> Standing {
    let of = |kind: Kind| {
        rows.iter().find(|row| row.kind == kind && row.project == Some(order.project) && row.arch == Some(order.arch))
    };
    let machine = of(Kind::Machine);
    let view = machine.map(|row| BuilderView::new("", "", row, rows));
    let calls = machine.map(|row| cloud.calls_of(row.id)).unwrap_or_default();
    let project = order.name.split(' ').next().unwrap_or_default().to_owned();
    let ready = job.and_then(|job| Some(job.ms.ended? - job.ms.created));
    let gone = if of(Kind::Volume).is_some() { "destroyed, cache kept" } else { "gone" };
    Standing {
        project,
        arch: order.arch.as_str(),
        residency: order.residency.as_str(),
        zone: view.as_ref().and_then(|view| view.zone),
        machine: view.as_ref().and_then(|view| view.machine),
        state: view.map_or_else(|| gone.to_owned(), |view| view.state),
        ready_ms: ready,
        mutating_calls: calls.mutating,
        looks: calls.describe,
    }
}

fn print(screen: Screen, standing: &[Standing]) -> Result<(), Failure> {
    let rows = standing.iter().map(|row| {
        vec![
            row.project.clone(),
            row.arch.to_owned(),
            row.residency.to_owned(),
            or_dash(row.zone),
            or_dash(row.machine),
            row.state.clone(),
            or_dash(row.ready_ms.map(time::span)),
            if row.machine.is_some() { row.mutating_calls.to_string() } else { "-".to_owned() },
            if row.machine.is_some() { row.looks.to_string() } else { "-".to_owned() },
        ]
    });
    let head = ["PROJECT", "ARCH", "RESIDENCY", "ZONE", "TYPE", "STATE", "READY AFTER", "CALLS", "LOOKS"];
    screen.table(&head, rows.collect(), "nothing")
}

fn prove(screen: Screen, proof: &Proof) -> Result<(), Failure> {
    screen.line(&format!(
        "  in the cloud {}, in the database {}, the same in both {}",
        proof.in_cloud, proof.in_database, proof.matched
    ))?;
    screen.line(&format!(
        "  encrypted with their own organization's key {} of {}, inside their residency {} of {}",
        proof.encrypted, proof.things, proof.in_residency, proof.things
    ))?;
    for fault in &proof.faults {
        screen.line(&format!("  WRONG: {fault}"))?;
    }
    if proof.faults.is_empty() { screen.line("  nothing leaked") } else { Ok(()) }
}
