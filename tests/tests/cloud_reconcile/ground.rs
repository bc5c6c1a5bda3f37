//! What both clouds' tests stand on: a fleet of healthy builders, runs of reconcile, and what they say.

use std::{collections::BTreeSet, fs::OpenOptions, io::Write as _, thread::sleep, time::Duration};

use anyhow::{Context, Result, ensure};
use regions::Cloud;
use serde_json::Value;
use tests::binary::Installation;

/// A verdict, and the last part of the cloud's name of what it is about.
pub type Verdicts = BTreeSet<(String, String)>;

/// A number from the environment, or else this one.
pub fn number(variable: &str, usual: usize) -> usize {
    std::env::var(variable).ok().and_then(|text| text.parse().ok()).unwrap_or(usual)
}

/// Lets the brakes go that need hours, and those whose shares a small house can't keep to; two sightings, quarantine and the caps stay.
pub fn loosen(fleet: &Installation<'_>) -> Result<()> {
    let mut file = OpenOptions::new().append(true).open(fleet.file("provisioner.toml"))?;
    Ok(file.write_all(b"[reconcile]\nmin_age_secs = 0\nsettle_secs = 0\nmax_percent = 100\n")?)
}

/// Projects of acme with a builder each, asked for.
pub fn ask<'p>(
    fleet: &Installation<'_>,
    cloud: Cloud,
    region: &str,
    names: impl IntoIterator<Item = &'p str>,
) -> Result<()> {
    for name in names {
        let (path, cloud) = (format!("acme/{name}"), cloud.to_string());
        fleet.run(&["project", "create", &path, "--residency", "us", "--region", region, "--cloud", &cloud])?;
        fleet.run(&["builder", "provision", &path, "--arch", "x86_64"])?;
    }
    Ok(())
}

/// One run, which must end with one of these codes: its report.
pub fn reconcile(fleet: &Installation<'_>, arguments: &[&str], codes: &[i32]) -> Result<Value> {
    let mut whole = vec!["reconcile", "--output", "json"];
    whole.extend(arguments);
    let output = fleet.attempt(&whole)?;
    let code = output.status.code().unwrap_or(-1);
    ensure!(codes.contains(&code), "exit {code}: {}", String::from_utf8_lossy(&output.stderr));
    Ok(serde_json::from_slice(&output.stdout)?)
}

/// What a report names.
pub fn verdicts(report: &Value) -> Verdicts {
    let items = report["items"].as_array().into_iter().flatten();
    items.map(|item| (text(&item["verdict"]), last(&text(&item["remote"])).to_owned())).collect()
}

/// How many jobs a run has asked for.
pub fn enqueued(report: &Value) -> usize {
    let items = report["items"].as_array().into_iter().flatten();
    items.filter(|item| item["outcome"]["decision"] == "enqueued").count()
}

/// Runs, each with a worker behind it, until one asks for nothing; says how many asked for something.
pub fn settle(fleet: &Installation<'_>, at_most: usize) -> Result<usize> {
    for run in 0..at_most {
        let report = reconcile(fleet, &[], &[0, 1])?;
        // The first sees what it may touch only when it has been seen twice.
        if run > 0 && enqueued(&report) == 0 {
            return Ok(run);
        }
        fleet.drain()?;
        sleep(Duration::from_secs(1));
    }
    anyhow::bail!("{at_most} runs, and there is still something to do")
}

/// Edits the database behind the program's back, as one that was restored from a backup: the row of that thing of the cloud.
pub fn tamper(fleet: &Installation<'_>, change: &str, remote: &str) -> Result<()> {
    let connection = rusqlite::Connection::open(fleet.file("provisioner.db"))?;
    let changed = connection.execute(&format!("UPDATE resources SET {change} WHERE remote = ?1"), [remote])?;
    ensure!(changed == 1, "{changed} rows are of {remote}: {change}");
    Ok(())
}

/// The cloud's name of what a record is about, as the database has it.
pub fn recorded(fleet: &Installation<'_>, project: &str, kind: &str) -> Result<String> {
    let connection = rusqlite::Connection::open(fleet.file("provisioner.db"))?;
    let sql = "SELECT r.remote FROM resources r JOIN projects p ON p.id = r.project WHERE p.name = ?1 AND r.kind = ?2";
    connection.query_row(sql, [project, kind], |row| row.get(0)).with_context(|| format!("no {kind} of {project}"))
}

pub fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

pub fn last(name: &str) -> &str {
    name.rsplit('/').next().unwrap_or_default()
}
