//! Reconcile by the built binary on the AWS emulator: what people with consoles leave behind, planted with the AWS CLI, among
//! healthy builders. `HEALTHY` sets how many.

#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    unreachable_pub,
    reason = "a test fails by panicking, and lives at the edge"
)]

use std::{collections::BTreeSet, fs::OpenOptions, io::Write as _};

use anyhow::{Context, Result, ensure};
use regions::Cloud;
use serde_json::Value;
use tests::{binary::Installation, cli::aws, emulator::Emulator};

const REGION: &str = "us-east-1";

struct Zoo<'a> {
    emulator: &'a Emulator,
    fleet: Installation<'a>,
}

impl Zoo<'_> {
    fn aws(&self, arguments: &[&str]) -> Result<Value> {
        aws(self.emulator, REGION, arguments)
    }

    /// One run, which must end with one of these codes.
    fn reconcile(&self, arguments: &[&str], codes: &[i32]) -> Result<Value> {
        let mut whole = vec!["reconcile", "--output", "json"];
        whole.extend(arguments);
        let output = self.fleet.attempt(&whole)?;
        let code = output.status.code().unwrap_or(-1);
        ensure!(codes.contains(&code), "exit {code}: {}", String::from_utf8_lossy(&output.stderr));
        Ok(serde_json::from_slice(&output.stdout)?)
    }

    /// The cloud's name for a builder's machine or volume.
    fn remote(&self, project: &str, kind: &str) -> Result<String> {
        let tag = format!("Name=tag:provisioner:project,Values={}", project.split('/').nth(1).context("a path")?);
        let found = if kind == "machine" {
            let found = self.aws(&["ec2", "describe-instances", "--filters", &tag])?;
            found["Reservations"][0]["Instances"][0]["InstanceId"].clone()
        } else {
            let cache = "Name=attachment.delete-on-termination,Values=false";
            self.aws(&["ec2", "describe-volumes", "--filters", &tag, cache])?["Volumes"][0]["VolumeId"].clone()
        };
        found.as_str().map(ToOwned::to_owned).with_context(|| format!("no {kind} of {project}"))
    }

    fn volume(&self, project: &str, more: &[&str]) -> Result<String> {
        let tags = tags("volume", project, &[("provisioner:cache", &uuid::Uuid::now_v7().to_string())]);
        let mut arguments = vec!["ec2", "create-volume", "--availability-zone", "us-east-1a", "--size", "50"];
        arguments.extend(["--volume-type", "gp3", "--tag-specifications", &tags]);
        arguments.extend(more);
        Ok(self.aws(&arguments)?["VolumeId"].as_str().context("a volume")?.to_owned())
    }

    fn machine(&self, project: &str, id: &str) -> Result<String> {
        let like = self.aws(&["ec2", "describe-instances", "--filters", "Name=instance-state-name,Values=running"])?;
        let like = &like["Reservations"][0]["Instances"][0];
        let (image, subnet) =
            (like["ImageId"].as_str().context("image")?, like["SubnetId"].as_str().context("subnet")?);
        let kind = like["InstanceType"].as_str().context("type")?;
        let tags = tags("instance", project, &[("provisioner:resource", id)]);
        let made = self.aws(&[
            "ec2",
            "run-instances",
            "--image-id",
            image,
            "--subnet-id",
            subnet,
            "--instance-type",
            kind,
            "--count",
            "1",
            "--metadata-options",
            "HttpTokens=required",
            "--tag-specifications",
            &tags,
        ])?;
        Ok(made["Instances"][0]["InstanceId"].as_str().context("an instance")?.to_owned())
    }
}

fn tags(kind: &str, project: &str, more: &[(&str, &str)]) -> String {
    let (org, name) = project.split_once('/').unwrap_or((project, ""));
    let mut all =
        vec![("provisioner:deployment", "test"), ("provisioner:organization", org), ("provisioner:project", name)];
    all.push(("provisioner:arch", "x86_64"));
    all.extend(more);
    let all: Vec<String> = all.iter().map(|(key, value)| format!("{{Key={key},Value={value}}}")).collect();
    format!("ResourceType={kind},Tags=[{}]", all.join(","))
}

fn verdicts(report: &Value) -> BTreeSet<(String, String)> {
    let items = report["items"].as_array().into_iter().flatten();
    items
        .map(|item| {
            let text = |key: &str| item[key].as_str().unwrap_or_default().to_owned();
            let remote = text("remote");
            (text("verdict"), remote.rsplit('/').next().unwrap_or_default().to_owned())
        })
        .collect()
}

/// The brakes that need hours are let go; two sightings, caps and quarantine stay.
fn brakes(fleet: &Installation<'_>) -> Result<()> {
    let mut file = OpenOptions::new().append(true).open(fleet.file("provisioner.toml"))?;
    let text = "[reconcile]\nmin_age_secs = 0\nsettle_secs = 0\nmax_percent = 100\n";
    Ok(file.write_all(text.as_bytes())?)
}

#[test]
fn a_zoo_made_with_the_aws_cli_is_named_whole_and_mended() -> Result<()> {
    let healthy: usize = std::env::var("HEALTHY").ok().and_then(|text| text.parse().ok()).unwrap_or(20);
    let emulator = Emulator::start(Cloud::Aws, 0.1)?;
    let fleet = Installation::new(&emulator, &[REGION])?;
    brakes(&fleet)?;
    fleet.run(&["org", "create", "acme"])?;
    let strange = ["acme/missing", "acme/off", "acme/untagged", "acme/twin", "acme/lost-cache"];
    let plain: Vec<String> = (0..healthy).map(|n| format!("acme/healthy-{n}")).collect();
    for project in strange.into_iter().chain(plain.iter().map(String::as_str)) {
        fleet.run(&["project", "create", project, "--residency", "us", "--region", REGION])?;
        fleet.run(&["builder", "provision", project, "--arch", "x86_64"])?;
    }
    fleet.drain()?;
    let zoo = Zoo { emulator: &emulator, fleet };
    assert_eq!(verdicts(&zoo.reconcile(&[], &[0])?), BTreeSet::new());

    let key = zoo.fleet.json(&["cache", "list"])?[0]["key"].as_str().map(ToOwned::to_owned);
    let listed = zoo.aws(&["ec2", "describe-volumes"])?;
    let key = key.or_else(|| listed["Volumes"][0]["KmsKeyId"].as_str().map(ToOwned::to_owned)).context("a key")?;
    let foreign = zoo.aws(&["kms", "create-key"])?["KeyMetadata"]["Arn"].as_str().context("a key")?.to_owned();
    let stray_tags = ["TagKey=provisioner:deployment,TagValue=test", "TagKey=provisioner:organization,TagValue=acme"];
    let mut wanted = BTreeSet::new();
    let mut plant = |verdict: &str, remote: &str| wanted.extend([(verdict.to_owned(), remote.to_owned())]);

    let missing = zoo.remote("acme/missing", "machine")?;
    let off = zoo.remote("acme/off", "machine")?;
    let untagged = zoo.remote("acme/untagged", "machine")?;
    let (lost_machine, lost) = (zoo.remote("acme/lost-cache", "machine")?, zoo.remote("acme/lost-cache", "volume")?);
    zoo.aws(&["ec2", "terminate-instances", "--instance-ids", &missing, &lost_machine])?;
    zoo.aws(&["ec2", "stop-instances", "--instance-ids", &off])?;
    zoo.aws(&["ec2", "delete-tags", "--resources", &untagged, "--tags", "Key=provisioner:project"])?;
    let twin_id = zoo.aws(&["ec2", "describe-instances", "--instance-ids", &zoo.remote("acme/twin", "machine")?])?;
    let twin_tags = twin_id["Reservations"][0]["Instances"][0]["Tags"].as_array().cloned().unwrap_or_default();
    let twin_id = twin_tags.iter().find(|tag| tag["Key"] == "provisioner:resource").context("our id")?;
    plant("duplicate", &zoo.machine("acme/twin", twin_id["Value"].as_str().context("our id")?)?);
    plant("orphan", &zoo.machine("acme/healthy-0", &uuid::Uuid::now_v7().to_string())?);
    let orphan = zoo.volume("acme/healthy-0", &["--encrypted", "--kms-key-id", &key])?;
    plant("orphan", &orphan);
    plant("orphan", &zoo.volume("gone/away", &["--encrypted", "--kms-key-id", &key])?);
    plant("unencrypted", &zoo.volume("acme/healthy-0", &[])?);
    plant("wrong_key", &zoo.volume("acme/healthy-0", &["--encrypted", "--kms-key-id", &foreign])?);
    let stray = zoo.aws(&["kms", "create-key", "--tags", stray_tags[0], stray_tags[1]])?;
    let stray = stray["KeyMetadata"]["Arn"].as_str().context("a key")?.to_owned();
    plant("stray_key", stray.rsplit('/').next().unwrap_or_default());
    plant("missing", &missing);
    plant("missing", &lost_machine);
    plant("wrong_state", &off);
    plant("wrong_tags", &untagged);
    std::thread::sleep(std::time::Duration::from_secs(3));
    zoo.aws(&["ec2", "delete-volume", "--volume-id", &lost])?;
    plant("missing", &lost);
    // Another deployment's, and nobody's.
    let theirs = zoo.volume("acme/healthy-0", &["--encrypted", "--kms-key-id", &key])?;
    zoo.aws(&["ec2", "create-tags", "--resources", &theirs, "--tags", "Key=provisioner:deployment,Value=other"])?;
    let nobodys = zoo.aws(&["ec2", "create-volume", "--availability-zone", "us-east-1a", "--size", "1"])?;
    let nobodys = nobodys["VolumeId"].as_str().context("a volume")?.to_owned();
    std::thread::sleep(std::time::Duration::from_secs(3));

    let plan = zoo.fleet.file("plan.json");
    let seen = zoo.reconcile(&["--plan", plan.to_str().context("a path")?], &[3])?;
    assert_eq!(verdicts(&seen), wanted, "{}", serde_json::to_string_pretty(&seen["items"])?);
    for _ in 0..6 {
        zoo.reconcile(&[], &[0, 1])?;
        zoo.fleet.drain()?;
        std::thread::sleep(std::time::Duration::from_secs(1));
    }
    let failed = zoo.fleet.json(&["job", "list", "--state", "failed"])?;
    assert_eq!(failed, Value::Array(Vec::new()));
    let left = zoo.reconcile(&[], &[1])?;
    let still: BTreeSet<String> = verdicts(&left).into_iter().map(|(verdict, _)| verdict).collect();
    let kept = ["orphan", "stray_key", "unencrypted", "wrong_key"].map(ToOwned::to_owned);
    assert_eq!(still, BTreeSet::from(kept), "{}", serde_json::to_string_pretty(&left["items"])?);
    for item in left["items"].as_array().into_iter().flatten() {
        let outcome = &item["outcome"];
        let waits = outcome["decision"] == "person" || outcome["brake"] == "quarantine";
        assert!(waits, "{item:#}");
    }
    let again = zoo.reconcile(&[], &[1])?;
    assert_eq!(verdicts(&again), verdicts(&left), "there is nothing new");
    // Volumes are all there; the marked one says until when.
    let volumes = zoo.aws(&["ec2", "describe-volumes", "--volume-ids", &orphan, &theirs, &nobodys])?;
    let volumes = volumes["Volumes"].as_array().cloned().unwrap_or_default();
    assert_eq!(volumes.len(), 3);
    let marked: Vec<&Value> = volumes
        .iter()
        .filter(|volume| volume["Tags"].to_string().contains("provisioner:quarantine"))
        .map(|volume| &volume["VolumeId"])
        .collect();
    assert_eq!(marked, [&Value::String(orphan)]);
    Ok(())
}
