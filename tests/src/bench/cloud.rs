//! What builders cost on the AWS emulator: calls, and time over the cloud's own.

use std::{collections::BTreeMap, time::Duration};

use anyhow::{Context, Result};
use jiff::Timestamp;
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
    let emulator = Emulator::start(BOOT_SECS)?;
    let rows = [
        cold(&emulator, 1)?,
        cold(&emulator, 20)?,
        Row { what: "reference, 1 cold".to_owned(), run: 1, mutating: 3, describes: 12, over_secs: 2.1 },
        Row { what: "reference, 20 cold".to_owned(), run: 20, mutating: 60, describes: 52, over_secs: 3.4 },
    ];
    println!("\nCalls on the AWS emulator, whose machines boot for {BOOT_SECS} seconds");
    println!("(the reference: Depot's own agent on the same emulator, as the issue gives it)\n");
    println!("{:<22}{:>14}{:>12}{:>12}{:>14}", "builders", "RunInstances", "mutating", "describes", "s over boot");
    for row in &rows {
        let Row { what, run, mutating, describes, over_secs } = row;
        println!("{what:<22}{run:>14}{mutating:>12}{describes:>12}{over_secs:>14.1}");
    }
    anyhow::ensure!(rows[0].run == 1 && rows[1].run == 20, "a cold builder is one RunInstances");
    anyhow::ensure!(rows[1].describes <= 8, "twenty cold builders wait with at most 8 describes");
    Ok(())
}

/// So many cold builders at once, of one organization.
fn cold(emulator: &Emulator, builders: usize) -> Result<Row> {
    emulator.reset()?;
    let fleet = Installation::new(emulator, &["us-east-1"])?;
    fleet.run(&["org", "create", "acme"])?;
    for place in 0..builders {
        let project = format!("acme/p{}", place / ARCHES.len());
        if place % ARCHES.len() == 0 {
            fleet.run(&["project", "create", &project, "--residency", "us", "--region", "us-east-1"])?;
        }
        fleet.run(&["builder", "provision", &project, "--arch", ARCHES[place % ARCHES.len()]])?;
    }
    emulator.post("reset-calls", &Value::Null)?;
    let worker = fleet.worker(&[], |_| Ok(()))?;
    let output = wait(worker, Duration::from_secs(120))?;
    anyhow::ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let counts = emulator.counts()?;
    let jobs = fleet.json(&["job", "list", "--limit", "100"])?;
    let over_secs = span_secs(&jobs)? - BOOT_SECS;
    let ec2 = |wanted: fn(&str) -> bool| {
        let actions = counts.iter().filter_map(|(call, n)| Some((call.strip_prefix("ec2.")?, n)));
        actions.filter(|(action, _)| wanted(action)).map(|(_, n)| n).sum::<u64>()
    };
    print_counts(builders, &counts);
    Ok(Row {
        what: format!("{builders} cold"),
        run: counts.get("ec2.RunInstances").copied().unwrap_or(0),
        mutating: ec2(|action| !action.starts_with("Describe")),
        describes: ec2(|action| action.starts_with("Describe")),
        over_secs,
    })
}

fn print_counts(builders: usize, counts: &BTreeMap<String, u64>) {
    let all: Vec<String> = counts.iter().map(|(call, n)| format!("{call} {n}")).collect();
    println!("{builders} cold: {}", all.join(", "));
}

/// From the first job's start to the last one's end.
fn span_secs(jobs: &Value) -> Result<f64> {
    let times = |name: &str| -> Result<Vec<Timestamp>> {
        let texts = jobs.as_array().into_iter().flatten().map(|job| job[name].as_str().context("a job has no time"));
        texts.map(|text| Ok(text?.parse()?)).collect()
    };
    let first = times("started_at")?.into_iter().min().context("no job")?;
    let last = times("ended_at")?.into_iter().max().context("no job")?;
    Ok(last.duration_since(first).as_secs_f64())
}
