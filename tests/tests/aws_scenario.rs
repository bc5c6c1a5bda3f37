//! A fleet's life on the AWS emulator, by the built binary, read back with the AWS CLI and not with our own commands.

#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    unreachable_pub,
    reason = "a test fails by panicking, and lives at the edge"
)]

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result};
use regions::Cloud;
use serde_json::Value;
use tests::{binary::Installation, cli::aws, emulator::Emulator};

const REGIONS: [&str; 2] = ["us-east-1", "eu-central-1"];
/// Organization and project, residency, region.
const PROJECTS: [(&str, &str, &str); 4] = [
    ("acme/api", "us", "us-east-1"),
    ("acme/web", "eu", "eu-central-1"),
    ("globex/core", "us", "us-east-1"),
    ("globex/site", "eu", "eu-central-1"),
];
const ARCHES: [&str; 2] = ["x86_64", "arm64"];

#[test]
fn a_fleet_lives_and_leaves_nothing_but_keys_pending_deletion() -> Result<()> {
    let emulator = Emulator::start(Cloud::Aws, 0.3)?;
    let fleet = Installation::new(&emulator, &REGIONS)?;
    provision(&fleet)?;
    let keys = read_back(&emulator)?;
    assert_eq!(keys.len(), 4, "one key for each organization and region: {keys:?}");

    each_builder(&fleet, "stop")?;
    for region in REGIONS {
        assert_eq!(states(&emulator, region)?, BTreeMap::from([("stopped".to_owned(), 4)]));
    }
    each_builder(&fleet, "start")?;
    let again = read_back(&emulator)?;
    assert_eq!(keys, again, "a start changes no key");
    each_builder(&fleet, "destroy")?;
    for region in REGIONS {
        assert_eq!(states(&emulator, region)?, BTreeMap::new());
        let volumes = aws(&emulator, region, &["ec2", "describe-volumes"])?;
        let states = of(&volumes["Volumes"], |volume| volume["State"].as_str());
        assert_eq!(states, ["available"; 4], "the caches stay when builders go");
    }
    for (project, ..) in PROJECTS {
        for arch in ARCHES {
            fleet.run(&["cache", "destroy", project, "--arch", arch])?;
        }
    }
    fleet.drain()?;
    fleet.run(&["org", "delete", "acme"])?;
    fleet.run(&["org", "delete", "globex"])?;
    fleet.drain()?;
    for region in REGIONS {
        nothing_is_left(&emulator, region)?;
    }
    assert_eq!(fleet.json(&["org", "list"])?, Value::Array(Vec::new()));
    Ok(())
}

#[test]
fn a_builder_on_an_existing_cache_takes_two_mutating_calls_in_the_caches_zone() -> Result<()> {
    let emulator = Emulator::start(Cloud::Aws, 0.2)?;
    let fleet = Installation::new(&emulator, &["us-east-1"])?;
    fleet.run(&["org", "create", "acme"])?;
    fleet.run(&["project", "create", "acme/api", "--residency", "us", "--region", "us-east-1"])?;
    fleet.run(&["builder", "provision", "acme/api", "--arch", "arm64"])?;
    fleet.drain()?;
    let cold = emulator.counts()?;
    assert_eq!(cold.get("ec2.RunInstances"), Some(&1), "{cold:?}");
    assert_eq!((cold.get("ec2.CreateVolume"), cold.get("ec2.AttachVolume")), (None, None), "{cold:?}");
    let first = aws(
        &emulator,
        "us-east-1",
        &["ec2", "describe-volumes", "--filters", "Name=attachment.delete-on-termination,Values=false"],
    )?;
    fleet.run(&["builder", "destroy", "acme/api", "--arch", "arm64"])?;
    fleet.run(&["builder", "provision", "acme/api", "--arch", "arm64"])?;
    emulator.post("reset-calls", &Value::Null)?;
    fleet.drain()?;
    let warm = emulator.counts()?;
    assert_eq!(warm.get("ec2.RunInstances"), Some(&1), "{warm:?}");
    assert_eq!(warm.get("ec2.AttachVolume"), Some(&1), "{warm:?}");
    assert_eq!(warm.get("kms.CreateKey"), None, "{warm:?}");
    let second = aws(
        &emulator,
        "us-east-1",
        &["ec2", "describe-volumes", "--filters", "Name=attachment.delete-on-termination,Values=false"],
    )?;
    assert_eq!(first["Volumes"][0]["VolumeId"], second["Volumes"][0]["VolumeId"], "the cache is the same");
    Ok(())
}

fn provision(fleet: &Installation<'_>) -> Result<()> {
    fleet.run(&["org", "create", "acme"])?;
    fleet.run(&["org", "create", "globex"])?;
    for (project, residency, region) in PROJECTS {
        fleet.run(&[
            "project",
            "create",
            project,
            "--residency",
            residency,
            "--region",
            region,
            "--cache-gib",
            "60",
        ])?;
        for arch in ARCHES {
            fleet.run(&["builder", "provision", project, "--arch", arch])?;
        }
    }
    fleet.drain()
}

fn each_builder(fleet: &Installation<'_>, verb: &str) -> Result<()> {
    for (project, ..) in PROJECTS {
        for arch in ARCHES {
            fleet.run(&["builder", verb, project, "--arch", arch])?;
        }
    }
    fleet.drain()
}

fn of<'a>(list: &'a Value, get: impl Fn(&'a Value) -> Option<&'a str>) -> Vec<&'a str> {
    list.as_array().into_iter().flatten().filter_map(get).collect()
}

fn tags(thing: &Value) -> BTreeMap<&str, &str> {
    let pairs = thing["Tags"].as_array().into_iter().flatten();
    pairs.filter_map(|tag| Some((tag["Key"].as_str()?, tag["Value"].as_str()?))).collect()
}

fn instances(emulator: &Emulator, region: &str) -> Result<Vec<Value>> {
    let all = aws(emulator, region, &["ec2", "describe-instances"])?;
    let reservations = all["Reservations"].as_array().cloned().unwrap_or_default();
    let flat = reservations.iter().flat_map(|one| one["Instances"].as_array().cloned().unwrap_or_default());
    Ok(flat.filter(|instance| instance["State"]["Name"] != "terminated").collect())
}

fn states(emulator: &Emulator, region: &str) -> Result<BTreeMap<String, usize>> {
    let mut states = BTreeMap::new();
    for instance in instances(emulator, region)? {
        *states.entry(instance["State"]["Name"].as_str().unwrap_or_default().to_owned()).or_default() += 1;
    }
    Ok(states)
}

/// The keys by organization and region, after everything about machines and volumes was found right.
fn read_back(emulator: &Emulator) -> Result<BTreeMap<(String, String), String>> {
    let mut keys = BTreeMap::new();
    for region in REGIONS {
        let volumes = aws(emulator, region, &["ec2", "describe-volumes"])?;
        let volumes = volumes["Volumes"].as_array().cloned().unwrap_or_default();
        let machines = instances(emulator, region)?;
        assert_eq!(machines.len(), 4, "{region}");
        let mut owners = BTreeSet::new();
        for machine in &machines {
            let owner = judge_machine(emulator, region, machine, &volumes, &mut keys)?;
            assert!(owners.insert(owner), "two builders of one project and architecture");
        }
        assert_eq!(volumes.len(), 8, "a root and a cache for each");
    }
    let distinct: BTreeSet<&String> = keys.values().collect();
    assert_eq!(distinct.len(), keys.len(), "no two organizations share a key");
    Ok(keys)
}

fn judge_machine(
    emulator: &Emulator,
    region: &str,
    machine: &Value,
    volumes: &[Value],
    keys: &mut BTreeMap<(String, String), String>,
) -> Result<(String, String)> {
    let id = machine["InstanceId"].as_str().context("no id")?;
    let named = tags(machine);
    let org = named.get("provisioner:organization").context("no organization tag")?.to_string();
    let project = named.get("provisioner:project").context("no project tag")?.to_string();
    let arch = named.get("provisioner:arch").context("no architecture tag")?.to_string();
    assert_eq!(machine["State"]["Name"], "running");
    assert_eq!(machine["Architecture"].as_str(), Some(arch.as_str()), "{id}");
    assert_eq!(machine["MetadataOptions"]["HttpTokens"], "required");
    assert_eq!(machine["MetadataOptions"]["HttpPutResponseHopLimit"], 1);
    assert!(machine.get("KeyName").is_none_or(Value::is_null), "no key pair");
    assert_eq!(named.get("provisioner:deployment"), Some(&"test"));
    let user_data =
        aws(emulator, region, &["ec2", "describe-instance-attribute", "--instance-id", id, "--attribute", "userData"])?;
    assert!(
        user_data["UserData"].get("Value").is_none_or(|value| value == ""),
        "user data holds no secret: there is none"
    );

    let alias = format!("alias/provisioner/test/{org}");
    let key = aws(emulator, region, &["kms", "describe-key", "--key-id", &alias])?;
    let arn = key["KeyMetadata"]["Arn"].as_str().context("no key")?.to_owned();
    assert_eq!(key["KeyMetadata"]["KeyState"], "Enabled");
    let rotation = aws(emulator, region, &["kms", "get-key-rotation-status", "--key-id", &arn])?;
    assert_eq!(rotation["KeyRotationEnabled"], true);
    let mine: Vec<&Value> = volumes.iter().filter(|volume| volume["Attachments"][0]["InstanceId"] == id).collect();
    assert_eq!(mine.len(), 2, "a root and a cache");
    for volume in &mine {
        assert_eq!(volume["Encrypted"], true);
        assert_eq!(volume["KmsKeyId"].as_str(), Some(arn.as_str()), "the key of {org} in {region}");
        assert_eq!(volume["VolumeType"], "gp3");
        assert_eq!(volume["Attachments"][0]["State"], "attached");
        let named = tags(volume);
        assert_eq!(named.get("provisioner:organization"), Some(&org.as_str()));
        assert_eq!(named.get("provisioner:project"), Some(&project.as_str()));
    }
    let caches: Vec<_> =
        mine.iter().filter(|volume| volume["Attachments"][0]["DeleteOnTermination"] == false).collect();
    assert_eq!(caches.len(), 1, "one outlives the machine");
    assert_eq!(caches[0]["Size"], 60);
    keys.insert((org, region.to_owned()), arn);
    Ok((project, arch))
}

fn nothing_is_left(emulator: &Emulator, region: &str) -> Result<()> {
    assert_eq!(instances(emulator, region)?, Vec::<Value>::new());
    let volumes = aws(emulator, region, &["ec2", "describe-volumes"])?;
    assert_eq!(volumes["Volumes"], Value::Array(Vec::new()));
    let aliases = aws(emulator, region, &["kms", "list-aliases"])?;
    let ours = of(&aliases["Aliases"], |alias| alias["AliasName"].as_str().filter(|name| name.contains("provisioner")));
    assert!(ours.is_empty(), "{ours:?}");
    let keys = aws(emulator, region, &["kms", "list-keys"])?;
    for id in of(&keys["Keys"], |key| key["KeyId"].as_str()) {
        let key = aws(emulator, region, &["kms", "describe-key", "--key-id", id])?;
        let managed_by_aws = key["KeyMetadata"]["KeyManager"] == "AWS";
        assert!(managed_by_aws || key["KeyMetadata"]["KeyState"] == "PendingDeletion", "{key}");
    }
    Ok(())
}
