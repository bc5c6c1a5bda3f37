//! SIGKILL before and after every single cloud call of a provision, of a destroy and of an organization's deletion, and the
//! reply of every call lost: after a restart there is one of everything or nothing, and every job is accounted for.

#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    unreachable_pub,
    reason = "a test fails by panicking, and lives at the edge"
)]

use std::{
    process::Command,
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use regions::Cloud;
use serde_json::{Value, json};
use tests::{
    binary::{Installation, wait},
    emulator::Emulator,
};

/// Two processors: so many emulators side by side.
const SIDE_BY_SIDE: usize = 2;

/// What is killed in the middle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Act {
    Provision,
    Destroy,
    DeleteOrg,
}

impl Act {
    const ALL: [Self; 3] = [Self::Provision, Self::Destroy, Self::DeleteOrg];

    fn request(self, fleet: &Installation<'_>) -> Result<()> {
        match self {
            Self::Provision => fleet.run(&["builder", "provision", "acme/web", "--arch", "arm64"])?,
            Self::Destroy => fleet.run(&["builder", "destroy", "acme/web", "--arch", "arm64"])?,
            Self::DeleteOrg => fleet.run(&["org", "delete", "acme"])?,
        };
        Ok(())
    }

    /// Keys that are enabled and found by their names, volumes, machines: what must stand at the end.
    const fn remains(self) -> (usize, usize, usize) {
        match self {
            Self::Provision => (1, 2, 1),
            Self::Destroy => (1, 1, 0),
            Self::DeleteOrg => (0, 0, 0),
        }
    }
}

/// What happens to one call.
#[derive(Clone, Copy, Debug)]
enum Blow {
    KillBefore,
    KillAfter,
    LoseReply,
}

/// An installation in which everything that the act needs stands already.
fn ready(emulator: &Emulator, act: Act) -> Result<Installation<'_>> {
    emulator.reset()?;
    let region = region(emulator);
    let fleet = Installation::new(emulator, &[region])?;
    fleet.run(&["org", "create", "acme"])?;
    let cloud = emulator.cloud().as_str();
    fleet.run(&["project", "create", "acme/web", "--residency", "eu", "--cloud", cloud, "--region", region])?;
    if act != Act::Provision {
        Act::Provision.request(&fleet)?;
        fleet.drain()?;
    }
    act.request(&fleet)?;
    emulator.post("reset-calls", &Value::Null)?;
    Ok(fleet)
}

const fn region(emulator: &Emulator) -> &'static str {
    match emulator.cloud() {
        Cloud::Aws => "eu-central-1",
        Cloud::Gcp => "europe-west3",
    }
}

/// Keys, volumes and machines, as the emulator knows them.
fn standing(emulator: &Emulator) -> Result<(usize, usize, usize)> {
    let state = emulator.get("state")?;
    let list = |of: &Value, kind: &str| of[kind].as_array().cloned().unwrap_or_default();
    match emulator.cloud() {
        Cloud::Aws => {
            let region = &state["regions"][region(emulator)];
            let keys = list(region, "keys").iter().filter(|key| key["state"] == "Enabled").count();
            let named = region["aliases"].as_object().into_iter().flatten();
            let aliases = named.filter(|(name, _)| name.contains("acme")).count();
            ensure!(keys == aliases, "{keys} keys and {aliases} aliases");
            Ok((keys, list(region, "volumes").len(), list(region, "instances").len()))
        }
        Cloud::Gcp => {
            let live = |key: &Value| list(key, "versions").iter().any(|version| version["state"] == "ENABLED");
            let keys = list(&state, "keys").iter().filter(|key| live(key)).count();
            let zones: Vec<Value> =
                state["zones"].as_object().into_iter().flatten().map(|(_, zone)| zone.clone()).collect();
            let count = |kind: &str| zones.iter().map(|zone| list(zone, kind).len()).sum();
            Ok((keys, count("disks"), count("instances")))
        }
    }
}

fn one_case(emulator: &Emulator, act: Act, call: usize, blow: Blow) -> Result<()> {
    let fleet = ready(emulator, act)?;
    let mut rule = json!({ "nth": call });
    let child = fleet.worker(&[], |pid| {
        match blow {
            Blow::KillBefore => rule["do"] = json!("kill_before"),
            Blow::KillAfter => rule["do"] = json!("kill_after"),
            Blow::LoseReply => rule["do"] = json!("drop_reply"),
        }
        rule["pid"] = json!(pid);
        emulator.post("rules", &json!([rule]))
    })?;
    let first = wait(child, Duration::from_secs(60))?;
    let fired = emulator.get("rules")?;
    ensure!(fired[0]["fired"] == 1, "the blow did not fall: {fired}");
    ensure!(matches!(blow, Blow::LoseReply) != (first.status.code().is_none()), "{}", first.status);
    emulator.post("rules", &json!([]))?;
    if first.status.code().is_none() {
        fleet.drain()?;
    }
    let jobs = fleet.json(&["job", "list"])?;
    for job in jobs.as_array().context("no list")? {
        ensure!(job["state"] == "succeeded", "a job is {}: {job}", job["state"]);
    }
    let stands = standing(emulator)?;
    ensure!(stands == act.remains(), "keys, volumes, machines: {stands:?}");
    let counts = emulator.counts()?;
    // A call that was killed before it had its effect is counted like any other.
    let most = match (act, blow) {
        (Act::Provision, Blow::KillBefore) => 2,
        (Act::Provision, Blow::KillAfter | Blow::LoseReply) => 1,
        (Act::Destroy | Act::DeleteOrg, _) => 0,
    };
    ensure!(counts.get("kms.CreateKey").copied().unwrap_or(0) <= most, "{counts:?}");
    Ok(())
}

/// How many calls the act makes when nothing happens to it.
fn calls_of(emulator: &Emulator, act: Act) -> Result<usize> {
    let fleet = ready(emulator, act)?;
    fleet.drain()?;
    let total = emulator.get("calls")?["total"].as_u64().context("no total")?;
    Ok(usize::try_from(total)?)
}

#[test]
fn a_kill_or_a_lost_reply_at_every_call_of_aws_leaves_one_or_none() -> Result<()> {
    every_blow(Cloud::Aws)
}

#[test]
fn a_kill_or_a_lost_reply_at_every_call_of_google_cloud_leaves_one_or_none() -> Result<()> {
    every_blow(Cloud::Gcp)
}

fn every_blow(cloud: Cloud) -> Result<()> {
    let scout = Emulator::start(cloud, 0.0)?;
    let mut cases = Vec::new();
    for act in Act::ALL {
        let calls = calls_of(&scout, act)?;
        println!("{cloud} {act:?}: {calls} calls");
        for call in 1..=calls {
            cases.extend([Blow::KillBefore, Blow::KillAfter, Blow::LoseReply].map(|blow| (act, call, blow)));
        }
    }
    drop(scout);
    let place = AtomicUsize::new(0);
    let failures = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..SIDE_BY_SIDE {
            scope.spawn(|| {
                let emulator = Emulator::start(cloud, 0.0);
                while let Some((act, call, blow)) = cases.get(place.fetch_add(1, Ordering::Relaxed)) {
                    let result = emulator.as_ref().map_err(ToString::to_string).and_then(|emulator| {
                        one_case(emulator, *act, *call, *blow).map_err(|error| format!("{error:#}"))
                    });
                    if let (Err(error), Ok(mut failures)) = (result, failures.lock()) {
                        failures.push(format!("{act:?}, call {call}, {blow:?}: {error}"));
                    }
                }
            });
        }
    });
    let failures = failures.into_inner().unwrap_or_default();
    println!("{cloud}: {} kills and lost replies, {} failures", cases.len(), failures.len());
    assert!(failures.is_empty(), "{}", failures.join("\n"));
    Ok(())
}

#[test]
fn a_first_signal_ends_the_worker_in_order_and_hands_its_jobs_back() -> Result<()> {
    let emulator = Emulator::start(Cloud::Aws, 3.0)?;
    let fleet = ready(&emulator, Act::Provision)?;
    let mut pid = 0;
    let child = fleet.worker(&[], |id| {
        pid = id;
        Ok(())
    })?;
    await_call(&emulator, "ec2.RunInstances")?;
    Command::new("kill").args(["-TERM", &pid.to_string()]).status()?;
    let output = wait(child, Duration::from_secs(20))?;
    assert!(output.status.success(), "{}: {}", output.status, String::from_utf8_lossy(&output.stderr));
    let jobs = fleet.json(&["job", "list"])?;
    assert_eq!(jobs[0]["state"], "queued", "{jobs}");
    fleet.drain()?;
    assert_eq!(standing(&emulator)?, Act::Provision.remains());
    assert_eq!(emulator.counts()?.get("ec2.RunInstances"), Some(&1));
    Ok(())
}

fn await_call(emulator: &Emulator, call: &str) -> Result<()> {
    for _ in 0..2_000 {
        if emulator.counts()?.contains_key(call) {
            return Ok(());
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    anyhow::bail!("no {call} in twenty seconds")
}
