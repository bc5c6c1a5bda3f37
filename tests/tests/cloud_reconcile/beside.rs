//! Reconcile while jobs provision: with no brake of age and on the first sighting, it asks for nothing that concerns them, and
//! in the end there is nothing to find.

use std::{
    fs::OpenOptions,
    io::Write as _,
    process::{Child, Command, Stdio},
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use regions::Cloud;
use serde_json::{Deserializer, Value, json};
use tests::{
    binary::{self, Installation},
    cli::aws,
    emulator::Emulator,
};

use crate::ground::{self, Verdicts, ask, enqueued, loosen, reconcile, text, verdicts};

fn provisions_beside(cloud: Cloud, region: &'static str) -> Result<()> {
    let jobs = ground::number("BESIDE", 30);
    let emulator = Emulator::start(cloud, 0.5)?;
    let fleet = Installation::new(&emulator, &[region])?;
    loosen(&fleet)?;
    let mut file = OpenOptions::new().append(true).open(fleet.file("provisioner.toml"))?;
    file.write_all(b"min_sightings = 1\n")?;
    fleet.run(&["org", "create", "acme"])?;
    let names: Vec<String> = (0..jobs).map(|n| format!("p-{n}")).collect();
    ask(&fleet, cloud, region, names.iter().map(String::as_str))?;
    // Answers are late, so a run meets every stage of a birth.
    emulator.post("rules", &json!([{ "do": "delay", "secs": 0.05 }]))?;
    let mut worker = fleet.worker(&["--slots", "8"], |_| Ok(()))?;
    let (mut runs, mut met) = (0, 0);
    while worker.try_wait()?.is_none() {
        let report = reconcile(&fleet, &[], &[0])?;
        ensure!(enqueued(&report) == 0, "a thing in flight was touched: {:#}", report["items"]);
        let records = report["regions"][0]["records"].as_u64().unwrap_or_default();
        met += u64::from(records > 0 && records < 2 * jobs as u64 + 1);
        runs += 1;
    }
    let ended = binary::wait(worker, Duration::from_secs(60))?;
    ensure!(ended.status.success(), "{}", String::from_utf8_lossy(&ended.stderr));
    ensure!(met > 0, "none of {runs} runs met a house that was half built");
    let succeeded = fleet.json(&["job", "list", "--state", "succeeded", "--limit", "1000"])?;
    assert_eq!(succeeded.as_array().map_or(0, Vec::len), jobs);
    assert_eq!(verdicts(&reconcile(&fleet, &[], &[0])?), Verdicts::new());
    println!(
        "{jobs} jobs on {cloud}: {runs} runs beside them, {met} of which met a part of the house; nothing touched"
    );
    Ok(())
}

#[test]
fn nothing_in_flight_is_touched_on_aws() -> Result<()> {
    provisions_beside(Cloud::Aws, "us-east-1")
}

#[test]
fn nothing_in_flight_is_touched_on_google() -> Result<()> {
    provisions_beside(Cloud::Gcp, "us-central1")
}

/// `reconcile --every`, with its output in a file; stopped when it is dropped.
struct Watch {
    child: Child,
    output: std::path::PathBuf,
}

impl Watch {
    fn start(fleet: &Installation<'_>, emulator: &Emulator, every: &str) -> Result<Self> {
        let output = fleet.file("watch.json");
        let child = Command::new(binary::path())
            .args(["reconcile", "--every", every, "--output", "json"])
            .env("PROVISIONER_CONFIG", fleet.file("provisioner.toml"))
            .envs(emulator.environment())
            .stdout(Stdio::from(std::fs::File::create(&output)?))
            .stderr(Stdio::null())
            .spawn()?;
        Ok(Self { child, output })
    }

    /// The reports so far.
    fn reports(&self) -> Result<Vec<Value>> {
        let text = std::fs::read_to_string(&self.output)?;
        Ok(Deserializer::from_str(&text).into_iter().map_while(Result::ok).collect())
    }

    /// The first report past so many that is as it should be.
    fn await_report(&mut self, past: usize, wanted: impl Fn(&Value) -> bool) -> Result<(usize, Value)> {
        loop {
            let found = self.reports()?.into_iter().enumerate().skip(past).find(|(_, report)| wanted(report));
            if let Some(found) = found {
                return Ok(found);
            }
            ensure!(self.child.try_wait()?.is_none(), "reconcile ended");
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// `EVERY` sets how often it runs. What is born between two runs is flagged by the next that begins.
#[test]
fn an_orphan_is_flagged_by_the_next_run_with_its_age() -> Result<()> {
    let every = std::env::var("EVERY").unwrap_or_else(|_| "2s".to_owned());
    let emulator = Emulator::start(Cloud::Aws, 0.5)?;
    let fleet = Installation::new(&emulator, &["us-east-1"])?;
    fleet.run(&["org", "create", "acme"])?;
    ask(&fleet, Cloud::Aws, "us-east-1", ["healthy"])?;
    fleet.drain()?;
    let mut watch = Watch::start(&fleet, &emulator, &every)?;
    watch.await_report(0, |_| true)?;
    let like = aws(&emulator, "us-east-1", &["ec2", "describe-instances"])?;
    let like = &like["Reservations"][0]["Instances"][0];
    let [image, subnet] = ["ImageId", "SubnetId"].map(|field| text(&like[field]));
    let mut words = vec!["ec2", "run-instances", "--image-id", &image, "--subnet-id", &subnet, "--count", "1"];
    let tags = "ResourceType=instance,Tags=[{Key=provisioner:deployment,Value=test},{Key=provisioner:organization,Value=acme}]";
    words.extend(["--instance-type", "c7i.2xlarge", "--metadata-options", "HttpTokens=required"]);
    words.extend(["--tag-specifications", tags]);
    let before = watch.reports()?.len();
    let made = aws(&emulator, "us-east-1", &words)?;
    let orphan = text(&made["Instances"][0]["InstanceId"]);
    let is_it = |item: &&Value| item["remote"] == orphan.as_str() && item["verdict"] == "orphan";
    let items = |report: &Value| report["items"].as_array().cloned().unwrap_or_default();
    let (run, report) = watch.await_report(before, |report| items(report).iter().any(|item| is_it(&item)))?;
    // One run may have been under way while the orphan was born.
    ensure!(run <= before + 1, "born after {before} runs, flagged by run {}", run + 1);
    let found = items(&report);
    let item = found.iter().find(is_it).context("the orphan")?;
    let born = item["created_ms"].as_i64().context("its birth")?;
    let flagged = report["ended_ms"].as_i64().context("the end of the run")?;
    println!("every {every}: flagged {:.1} s after its birth, by the next run", (flagged - born) as f64 / 1_000.0);
    let shown = fleet.run(&["reconcile", "show", &report["run"].to_string()])?;
    ensure!(shown.contains("AGE") && shown.contains(&orphan), "{shown}");
    println!("{shown}");
    Ok(())
}
