//! What builders cost on the emulators: calls, and time over the cloud's own.

use std::{collections::BTreeMap, time::Duration};

use anyhow::{Context, Result};
use jiff::Timestamp;
use regions::Cloud;
use serde_json::Value;

use crate::{
    binary::{Installation, wait},
    emulator::Emulator,
};

/// How long the emulator's machines boot.
const BOOT_SECS: f64 = 2.0;
/// Architectures of the sample's projects.
const ARCHES: [&str; 2] = ["x86_64", "arm64"];

/// One row of the table.
struct Row {
    what: String,
    run: u64,
    mutating: u64,
    describes: u64,
    over_secs: f64,
}

/// Measures and prints the table.
///
/// # Errors
/// If the emulator or a command fails, or a bound is not kept.
pub fn run() -> Result<()> {
    let aws = Emulator::start(Cloud::Aws, BOOT_SECS)?;
    let gcp = Emulator::start(Cloud::Gcp, BOOT_SECS)?;
    let rows = [
        cold(&aws, 1)?,
        cold(&aws, 20)?,
        cold(&gcp, 1)?,
        cold(&gcp, 20)?,
        warm(&gcp)?,
        Row { what: "reference, 1 cold".to_owned(), run: 1, mutating: 3, describes: 12, over_secs: 2.1 },
        Row { what: "reference, 20 cold".to_owned(), run: 20, mutating: 60, describes: 52, over_secs: 3.4 },
    ];
    println!("\nCalls on the emulators, whose machines boot for {BOOT_SECS} seconds");
    println!("(the reference: Depot's own agent on an emulator of AWS, as the issue gives it)\n");
    println!("{:<22}{:>14}{:>12}{:>12}{:>14}", "builders", "creations", "mutating", "looks", "s over boot");
    for row in &rows {
        let Row { what, run, mutating, describes, over_secs } = row;
        println!("{what:<22}{run:>14}{mutating:>12}{describes:>12}{over_secs:>14.1}");
    }
    let creations: Vec<(u64, u64)> = rows.iter().take(5).map(|row| (row.run, row.mutating)).collect();
    anyhow::ensure!(
        creations == [(1, 1), (20, 20), (1, 1), (20, 20), (1, 1)],
        "a builder is one creation and no other change"
    );
    anyhow::ensure!(rows[1].describes <= 8 && rows[3].describes <= 8, "twenty cold builders wait with at most 8 looks");
    Ok(())
}

/// So many cold builders at once, of one organization.
fn cold(emulator: &Emulator, builders: usize) -> Result<Row> {
    emulator.reset()?;
    let (cloud, region) = home(emulator);
    let fleet = Installation::new(emulator, &[region])?;
    fleet.run(&["org", "create", "acme"])?;
    for place in 0..builders {
        let project = format!("acme/p{}", place / ARCHES.len());
        if place % ARCHES.len() == 0 {
            fleet.run(&["project", "create", &project, "--residency", "us", "--cloud", cloud, "--region", region])?;
        }
        fleet.run(&["builder", "provision", &project, "--arch", ARCHES[place % ARCHES.len()]])?;
    }
    measure(&fleet, emulator, format!("{cloud}, {builders} cold"))
}

/// A builder for a cache that exists, on a cloud that attaches it with the same call.
fn warm(emulator: &Emulator) -> Result<Row> {
    emulator.reset()?;
    let (cloud, region) = home(emulator);
    let fleet = Installation::new(emulator, &[region])?;
    fleet.run(&["org", "create", "acme"])?;
    fleet.run(&["project", "create", "acme/pp", "--residency", "us", "--cloud", cloud, "--region", region])?;
    for verb in ["provision", "destroy"] {
        fleet.run(&["builder", verb, "acme/pp", "--arch", "arm64"])?;
        fleet.drain()?;
    }
    fleet.run(&["builder", "provision", "acme/pp", "--arch", "arm64"])?;
    measure(&fleet, emulator, format!("{cloud}, 1 on a cache"))
}

const fn home(emulator: &Emulator) -> (&'static str, &'static str) {
    match emulator.cloud() {
        Cloud::Aws => ("aws", "us-east-1"),
        Cloud::Gcp => ("gcp", "us-central1"),
    }
}

/// Lets a worker do what is queued, and counts.
fn measure(fleet: &Installation<'_>, emulator: &Emulator, what: String) -> Result<Row> {
    emulator.post("reset-calls", &Value::Null)?;
    let worker = fleet.worker(&[], |_| Ok(()))?;
    let output = wait(worker, Duration::from_secs(120))?;
    anyhow::ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let counts = emulator.counts()?;
    let jobs = fleet.json(&["job", "list", "--limit", "100"])?;
    let before = if what.ends_with("cache") { 2 } else { 0 };
    let over_secs = span_secs(&jobs, before)? - BOOT_SECS;
    let (service, creation) = match emulator.cloud() {
        Cloud::Aws => ("ec2.", "ec2.RunInstances"),
        Cloud::Gcp => ("compute.", "compute.instances.insert"),
    };
    // The project's number is asked for once in a process, and is no look at anything.
    let is_look =
        |action: &str| action.starts_with("Describe") || action.ends_with(".list") || action.ends_with("s.get");
    let machines = |looks: bool| {
        let actions = counts.iter().filter_map(|(call, n)| Some((call.strip_prefix(service)?, n)));
        let actions = actions.filter(|(action, _)| *action != "projects.get");
        actions.filter(|(action, _)| is_look(action) == looks).map(|(_, n)| n).sum::<u64>()
    };
    print_counts(&what, &counts);
    Ok(Row {
        run: counts.get(creation).copied().unwrap_or(0),
        mutating: machines(false),
        describes: machines(true),
        over_secs,
        what,
    })
}

fn print_counts(what: &str, counts: &BTreeMap<String, u64>) {
    let all: Vec<String> = counts.iter().map(|(call, n)| format!("{call} {n}")).collect();
    println!("{what}: {}", all.join(", "));
}

/// From the first job's start to the last one's end, without so many earlier jobs.
fn span_secs(jobs: &Value, before: usize) -> Result<f64> {
    let mut jobs: Vec<&Value> = jobs.as_array().into_iter().flatten().collect();
    jobs.sort_by_key(|job| job["id"].as_i64());
    let jobs = &jobs[before..];
    let times = |name: &str| -> Result<Vec<Timestamp>> {
        let texts = jobs.iter().map(|job| job[name].as_str().context("a job has no time"));
        texts.map(|text| Ok(text?.parse()?)).collect()
    };
    let first = times("started_at")?.into_iter().min().context("no job")?;
    let last = times("ended_at")?.into_iter().max().context("no job")?;
    Ok(last.duration_since(first).as_secs_f64())
}
