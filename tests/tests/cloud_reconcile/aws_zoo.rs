//! One of everything on the AWS emulator, made with the AWS CLI.

use std::{thread::sleep, time::Duration};

use anyhow::{Context, Result, ensure};
use regions::Cloud;
use serde_json::Value;
use tests::{binary::Installation, cli::aws, emulator::Emulator};
use uuid::Uuid;

use crate::ground::{self, Verdicts, last, loosen, reconcile, recorded, settle, tamper, text, verdicts};

const REGION: &str = "us-east-1";
/// Builders to which something happens.
const STRANGE: [&str; 12] = [
    "missing",
    "off",
    "untagged",
    "twin",
    "lost-cache",
    "grown",
    "retyped",
    "half",
    "ghost",
    "leaving",
    "job-lost",
    "snapped",
];

struct Zoo<'a> {
    emulator: &'a Emulator,
    fleet: Installation<'a>,
    wanted: Verdicts,
}

impl Zoo<'_> {
    fn aws(&self, arguments: &[&str]) -> Result<Value> {
        aws(self.emulator, REGION, arguments)
    }

    fn plant(&mut self, verdict: &str, remote: &str) {
        self.wanted.insert((verdict.to_owned(), last(remote).to_owned()));
    }

    fn machine_of(&self, project: &str) -> Result<String> {
        recorded(&self.fleet, project, "machine")
    }

    fn volume_of(&self, project: &str) -> Result<String> {
        recorded(&self.fleet, project, "volume")
    }

    /// A volume that nobody has a record of.
    fn volume(&self, project: &str, more: &[&str]) -> Result<String> {
        let tags = tags("volume", project, &[("provisioner:cache", &Uuid::now_v7().to_string())]);
        let mut arguments = vec!["ec2", "create-volume", "--availability-zone", "us-east-1a", "--size", "50"];
        arguments.extend(["--volume-type", "gp3", "--tag-specifications", &tags]);
        arguments.extend(more);
        Ok(self.aws(&arguments)?["VolumeId"].as_str().context("a volume")?.to_owned())
    }

    /// A machine that nobody has a record of.
    fn machine(&self, project: &str, id: &str) -> Result<String> {
        let like = self.aws(&["ec2", "describe-instances", "--filters", "Name=instance-state-name,Values=running"])?;
        let like = &like["Reservations"][0]["Instances"][0];
        let [image, subnet, kind] = ["ImageId", "SubnetId", "InstanceType"].map(|field| text(&like[field]));
        let tags = tags("instance", project, &[("provisioner:resource", id)]);
        let mut words = vec!["ec2", "run-instances", "--image-id", &image, "--subnet-id", &subnet, "--count", "1"];
        words.extend(["--instance-type", &kind, "--metadata-options", "HttpTokens=required"]);
        words.extend(["--tag-specifications", &tags]);
        Ok(self.aws(&words)?["Instances"][0]["InstanceId"].as_str().context("an instance")?.to_owned())
    }

    /// The records' things: taken away, switched, changed.
    fn meddle(&mut self) -> Result<()> {
        let [missing, off, untagged] = ["missing", "off", "untagged"].map(|name| self.machine_of(name));
        let (missing, off, untagged) = (missing?, off?, untagged?);
        let (lost_machine, lost) = (self.machine_of("lost-cache")?, self.volume_of("lost-cache")?);
        let (ghost, retyped) = (self.machine_of("ghost")?, self.machine_of("retyped")?);
        self.aws(&["ec2", "terminate-instances", "--instance-ids", &missing, &lost_machine, &ghost])?;
        self.aws(&["ec2", "stop-instances", "--instance-ids", &off, &retyped])?;
        self.aws(&["ec2", "delete-tags", "--resources", &untagged, "--tags", "Key=provisioner:project"])?;
        let grown = self.volume_of("grown")?;
        self.aws(&["ec2", "modify-volume", "--volume-id", &grown, "--size", "333"])?;
        sleep(Duration::from_secs(2));
        let other = "{\"Value\":\"m7i.8xlarge\"}";
        self.aws(&["ec2", "modify-instance-attribute", "--instance-id", &retyped, "--instance-type", other])?;
        self.aws(&["ec2", "start-instances", "--instance-ids", &retyped])?;
        self.aws(&["ec2", "delete-volume", "--volume-id", &lost])?;
        for (verdict, remote) in [
            ("missing", &missing),
            ("missing", &lost_machine),
            ("missing", &lost),
            ("wrong_state", &off),
            ("wrong_tags", &untagged),
            ("wrong_shape", &grown),
            ("wrong_shape", &retyped),
        ] {
            self.plant(verdict, remote);
        }
        Ok(())
    }

    /// A database that was restored from a backup: it does not know what became of its jobs.
    fn forget(&mut self) -> Result<()> {
        let [half, ghost, leaving, job_lost] =
            ["half", "ghost", "leaving", "job-lost"].map(|name| self.machine_of(name));
        let (half, leaving, job_lost) = (half?, leaving?, job_lost?);
        tamper(&self.fleet, "remote = NULL, state = 'maybe'", &half)?;
        tamper(&self.fleet, "remote = NULL, state = 'maybe'", &ghost?)?;
        tamper(&self.fleet, "state = 'leaving'", &leaving)?;
        tamper(&self.fleet, "state = 'pending'", &job_lost)?;
        self.plant("half_born", &half);
        self.plant("half_born", "");
        self.plant("stuck_leaving", &leaving);
        self.plant("job_lost", &job_lost);
        Ok(())
    }

    /// What no record names. The answer is what is to stay as it is: an orphan that is kept, and others' things.
    fn strays(&mut self, key: &str) -> Result<(String, [String; 2])> {
        let twin = self.machine_of("twin")?;
        let twin = self.aws(&["ec2", "describe-instances", "--instance-ids", &twin])?;
        let tags_of_twin = twin["Reservations"][0]["Instances"][0]["Tags"].as_array().cloned().unwrap_or_default();
        let id = tags_of_twin.iter().find(|tag| tag["Key"] == "provisioner:resource").context("our id")?;
        let duplicate = self.machine("acme/twin", &text(&id["Value"]))?;
        self.plant("duplicate", &duplicate);
        let orphan = self.machine("acme/healthy-0", &Uuid::now_v7().to_string())?;
        self.plant("orphan", &orphan);
        let abroad = self.machine("acme/abroad", &Uuid::now_v7().to_string())?;
        self.plant("misplaced", &abroad);
        let under = ["--encrypted", "--kms-key-id", key];
        let kept = self.volume("acme/healthy-0", &under)?;
        self.plant("orphan", &kept);
        let nobodys = self.volume("gone/away", &under)?;
        self.plant("orphan", &nobodys);
        let bare = self.volume("acme/healthy-0", &[])?;
        self.plant("unencrypted", &bare);
        let foreign = text(&self.aws(&["kms", "create-key"])?["KeyMetadata"]["Arn"]);
        let other = self.volume("acme/healthy-0", &["--encrypted", "--kms-key-id", &foreign])?;
        self.plant("wrong_key", &other);
        let said = ["TagKey=provisioner:deployment,TagValue=test", "TagKey=provisioner:organization,TagValue=acme"];
        let stray = text(&self.aws(&["kms", "create-key", "--tags", said[0], said[1]])?["KeyMetadata"]["Arn"]);
        self.plant("stray_key", &stray);
        let cache = self.volume_of("snapped")?;
        let words = tags("snapshot", "acme/snapped", &[("provisioner:cache", &Uuid::now_v7().to_string())]);
        let words = ["ec2", "create-snapshot", "--volume-id", &cache, "--tag-specifications", &words];
        let snapshot = text(&self.aws(&words)?["SnapshotId"]);
        self.plant("orphan", &snapshot);
        // Another deployment's, and nobody's.
        let theirs = self.volume("acme/healthy-0", &under)?;
        let label = "Key=provisioner:deployment,Value=other";
        self.aws(&["ec2", "create-tags", "--resources", &theirs, "--tags", label])?;
        let plain = self.aws(&["ec2", "create-volume", "--availability-zone", "us-east-1a", "--size", "1"])?;
        Ok((kept, [theirs, text(&plain["VolumeId"])]))
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

#[test]
fn a_zoo_made_with_the_aws_cli_is_named_whole_and_mended() -> Result<()> {
    let healthy = ground::number("HEALTHY", 20);
    let emulator = Emulator::start(Cloud::Aws, 0.1)?;
    let fleet = Installation::new(&emulator, &[REGION])?;
    loosen(&fleet)?;
    fleet.run(&["org", "create", "acme"])?;
    fleet.run(&["project", "create", "acme/abroad", "--residency", "eu"])?;
    let plain: Vec<String> = (0..healthy).map(|n| format!("healthy-{n}")).collect();
    ground::ask(&fleet, Cloud::Aws, REGION, STRANGE.into_iter().chain(plain.iter().map(String::as_str)))?;
    fleet.drain()?;
    let mut zoo = Zoo { emulator: &emulator, fleet, wanted: Verdicts::new() };
    assert_eq!(verdicts(&reconcile(&zoo.fleet, &[], &[0])?), Verdicts::new());
    let volume = zoo.volume_of("healthy-0")?;
    let key = text(&zoo.aws(&["ec2", "describe-volumes", "--volume-ids", &volume])?["Volumes"][0]["KmsKeyId"]);

    zoo.meddle()?;
    zoo.forget()?;
    let (kept, others) = zoo.strays(&key)?;
    sleep(Duration::from_secs(3));
    let plan = zoo.fleet.file("plan.json");
    let seen = reconcile(&zoo.fleet, &["--plan", plan.to_str().context("a path")?], &[3])?;
    assert_eq!(verdicts(&seen), zoo.wanted, "{}", serde_json::to_string_pretty(&seen["items"])?);
    let all: std::collections::BTreeSet<&str> = zoo.wanted.iter().map(|(verdict, _)| verdict.as_str()).collect();
    ensure!(all.len() == 13, "of thirteen kinds of drift there are {all:?}");

    let runs = settle(&zoo.fleet, 8)?;
    assert_eq!(zoo.fleet.json(&["job", "list", "--state", "failed"])?, Value::Array(Vec::new()));
    let left = reconcile(&zoo.fleet, &[], &[1])?;
    let waits: Verdicts = zoo
        .wanted
        .iter()
        .filter(|(verdict, name)| match verdict.as_str() {
            "misplaced" | "unencrypted" | "wrong_key" | "wrong_shape" | "stray_key" => true,
            "orphan" => !name.starts_with("i-"),
            _ => false,
        })
        .cloned()
        .collect();
    assert_eq!(verdicts(&left), waits, "{}", serde_json::to_string_pretty(&left["items"])?);
    for item in left["items"].as_array().into_iter().flatten() {
        let outcome = &item["outcome"];
        ensure!(outcome["decision"] == "person" || outcome["brake"] == "quarantine", "{item:#}");
    }
    assert_eq!(verdicts(&reconcile(&zoo.fleet, &[], &[1])?), waits, "there is nothing new");
    let (strange, named, left) = (STRANGE.len(), zoo.wanted.len(), waits.len());
    println!("{healthy} + {strange} pairs: {named} verdicts, none false; {runs} runs mended what may be; {left} wait");
    // Volumes are all there; the marked one says until when.
    let volumes = zoo.aws(&["ec2", "describe-volumes", "--volume-ids", &kept, &others[0], &others[1]])?;
    let volumes = volumes["Volumes"].as_array().cloned().unwrap_or_default();
    assert_eq!(volumes.len(), 3);
    let is_marked = |volume: &&Value| volume["Tags"].to_string().contains("provisioner:quarantine");
    let marked: Vec<String> = volumes.iter().filter(is_marked).map(|volume| text(&volume["VolumeId"])).collect();
    assert_eq!(marked, [kept]);
    Ok(())
}
