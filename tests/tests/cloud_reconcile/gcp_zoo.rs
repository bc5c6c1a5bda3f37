//! One of everything on the Google Cloud emulator, made with gcloud where it is on the machine and by the API's own calls where it
//! is not.

use std::{collections::BTreeSet, thread::sleep, time::Duration};

use anyhow::{Context, Result, ensure};
use regions::Cloud;
use serde_json::{Value, json};
use tempfile::TempDir;
use tests::{
    binary::Installation,
    cli::{PROJECT, gcloud, google, has_gcloud},
    emulator::Emulator,
};
use uuid::Uuid;

use crate::ground::{self, Verdicts, last, loosen, reconcile, recorded, settle, tamper, text, verdicts};

const REGION: &str = "us-central1";
const ZONE: &str = "us-central1-a";
/// Builders to which something happens.
const STRANGE: [&str; 13] = [
    "missing",
    "off",
    "untagged",
    "calm",
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

type Labels<'l> = Vec<(&'l str, String)>;

struct Zoo<'a> {
    emulator: &'a Emulator,
    home: TempDir,
    fleet: Installation<'a>,
    wanted: Verdicts,
}

impl Zoo<'_> {
    /// By gcloud, or by the call that gcloud makes.
    fn person(&self, words: &[&str], method: &str, path: &str, body: &Value) -> Result<()> {
        if has_gcloud() {
            return gcloud(self.emulator, self.home.path(), words).map(drop);
        }
        self.emulator.cloud_send(method, path, body)
    }

    /// The same about something of the zone.
    fn zonal(&self, words: &[&str], method: &str, path: &str, body: &Value) -> Result<()> {
        let words: Vec<&str> = words.iter().copied().chain(["--zone", ZONE]).collect();
        self.person(&words, method, &format!("/compute/v1/projects/{PROJECT}/zones/{ZONE}/{path}"), body)
    }

    fn plant(&mut self, verdict: &str, remote: &str) {
        self.wanted.insert((verdict.to_owned(), last(remote).to_owned()));
    }

    fn machine_of(&self, project: &str) -> Result<String> {
        Ok(last(&recorded(&self.fleet, project, "machine")?).to_owned())
    }

    fn disk_of(&self, project: &str) -> Result<String> {
        Ok(last(&recorded(&self.fleet, project, "volume")?).to_owned())
    }

    fn of(&self, collection: &str, name: &str) -> Result<Value> {
        let all = google(self.emulator, self.home.path(), collection)?;
        let found = all.into_iter().find(|thing| thing["name"] == name);
        found.with_context(|| format!("no {name} in {collection}"))
    }

    fn disk(&self, name: &str, labels: &Labels<'_>, key: Option<&str>) -> Result<()> {
        let written = written(labels);
        let mut words = vec!["compute", "disks", "create", name, "--type", "pd-ssd", "--size", "50"];
        if !labels.is_empty() {
            words.extend(["--labels", &written]);
        }
        words.extend(key.into_iter().flat_map(|key| ["--kms-key", key]));
        let mut body = json!({ "name": name, "sizeGb": "50", "labels": object(labels),
            "type": format!("projects/{PROJECT}/zones/{ZONE}/diskTypes/pd-ssd") });
        if let Some(key) = key {
            body["diskEncryptionKey"] = json!({ "kmsKeyName": key });
        }
        self.zonal(&words, "POST", "disks", &body)
    }

    fn machine(&self, name: &str, labels: &Labels<'_>) -> Result<()> {
        let (written, image) = (written(labels), format!("projects/{PROJECT}/global/images/builder-x86-64"));
        let words = ["compute", "instances", "create", name, "--machine-type", "n2-standard-8", "--image", &image];
        let words: Vec<&str> = words.into_iter().chain(["--labels", &written]).collect();
        let body = json!({ "name": name, "labels": object(labels),
            "machineType": format!("zones/{ZONE}/machineTypes/n2-standard-8"),
            "networkInterfaces": [{ "network": "global/networks/default" }],
            "disks": [{ "boot": true, "autoDelete": true, "initializeParams": { "sourceImage": image } }] });
        self.zonal(&words, "POST", "instances", &body)
    }

    /// The records' things: taken away, switched, changed.
    fn meddle(&mut self) -> Result<()> {
        for (name, verdict) in [("missing", "missing"), ("lost-cache", "missing"), ("ghost", "")] {
            let machine = self.machine_of(name)?;
            let words = ["compute", "instances", "delete", &machine];
            self.zonal(&words, "DELETE", &format!("instances/{machine}"), &Value::Null)?;
            if !verdict.is_empty() {
                self.plant(verdict, &machine);
            }
        }
        for (name, verdict) in [("off", "wrong_state"), ("retyped", "wrong_shape")] {
            let machine = self.machine_of(name)?;
            let words = ["compute", "instances", "stop", &machine];
            self.zonal(&words, "POST", &format!("instances/{machine}/stop"), &Value::Null)?;
            self.plant(verdict, &machine);
        }
        let untagged = self.of("instances", &self.machine_of("untagged")?)?;
        let name = text(&untagged["name"]);
        let mut labels = untagged["labels"].clone();
        labels.as_object_mut().context("labels")?.remove("provisioner-project");
        let words = ["compute", "instances", "remove-labels", &name, "--labels", "provisioner-project"];
        let body = json!({ "labels": labels, "labelFingerprint": untagged["labelFingerprint"] });
        self.zonal(&words, "POST", &format!("instances/{name}/setLabels"), &body)?;
        self.plant("wrong_tags", &name);
        let grown = self.disk_of("grown")?;
        let words = ["compute", "disks", "resize", &grown, "--size", "333"];
        self.zonal(&words, "POST", &format!("disks/{grown}/resize"), &json!({ "sizeGb": "333" }))?;
        self.plant("wrong_shape", &grown);
        sleep(Duration::from_secs(2));
        let retyped = self.machine_of("retyped")?;
        let words = ["compute", "instances", "set-machine-type", &retyped, "--machine-type", "c4-highcpu-32"];
        let body = json!({ "machineType": format!("zones/{ZONE}/machineTypes/c4-highcpu-32") });
        self.zonal(&words, "POST", &format!("instances/{retyped}/setMachineType"), &body)?;
        sleep(Duration::from_secs(1));
        let words = ["compute", "instances", "start", &retyped];
        self.zonal(&words, "POST", &format!("instances/{retyped}/start"), &Value::Null)?;
        let lost = self.disk_of("lost-cache")?;
        let words = ["compute", "disks", "delete", &lost];
        self.zonal(&words, "DELETE", &format!("disks/{lost}"), &Value::Null)?;
        self.plant("missing", &lost);
        Ok(())
    }

    /// A database that was restored from a backup: it does not know what became of its jobs.
    fn forget(&mut self) -> Result<()> {
        for (name, change, verdict) in [
            ("half", "remote = NULL, state = 'maybe'", "half_born"),
            ("ghost", "remote = NULL, state = 'maybe'", "half_born"),
            ("leaving", "state = 'leaving'", "stuck_leaving"),
            ("job-lost", "state = 'pending'", "job_lost"),
        ] {
            let machine = recorded(&self.fleet, name, "machine")?;
            tamper(&self.fleet, change, &machine)?;
            self.plant(verdict, if name == "ghost" { "" } else { &machine });
        }
        Ok(())
    }

    /// What no record names.
    fn strays(&mut self, key: &str) -> Result<()> {
        let fresh = || Uuid::now_v7().to_string();
        let twin = self.of("instances", &self.machine_of("twin")?)?;
        let id = text(&twin["labels"]["provisioner-resource"]);
        self.machine("second", &labels("twin", "provisioner-resource", &id))?;
        self.plant("duplicate", "second");
        self.machine("nowhere", &labels("healthy-0", "provisioner-resource", &fresh()))?;
        self.plant("orphan", "nowhere");
        self.machine("abroad", &labels("abroad", "provisioner-resource", &fresh()))?;
        self.plant("misplaced", "abroad");
        self.disk("kept", &labels("healthy-0", "provisioner-cache", &fresh()), Some(key))?;
        self.plant("orphan", "kept");
        self.disk("nobodys", &labels("nobody", "provisioner-cache", &fresh()), Some(key))?;
        self.plant("orphan", "nobodys");
        self.disk("bare", &labels("healthy-0", "provisioner-cache", &fresh()), None)?;
        self.plant("unencrypted", "bare");
        let foreign = self.key("people", "theirs", &Vec::new())?;
        self.disk("otherkey", &labels("healthy-0", "provisioner-cache", &fresh()), Some(&foreign))?;
        self.plant("wrong_key", "otherkey");
        let mut of_key = labels("", "provisioner-resource", &fresh());
        of_key.retain(|(label, _)| !matches!(*label, "provisioner-project" | "provisioner-arch"));
        self.key("provisioner-test", "stray", &of_key)?;
        self.plant("stray_key", "stray");
        let cache = self.disk_of("snapped")?;
        let of_snapshot = labels("snapped", "provisioner-cache", &fresh());
        let written = written(&of_snapshot);
        let words = ["compute", "snapshots", "create", "picture", "--source-disk", &cache, "--source-disk-zone", ZONE];
        let words: Vec<&str> = words.into_iter().chain(["--labels", &written, "--storage-location", REGION]).collect();
        let source = format!("projects/{PROJECT}/zones/{ZONE}/disks/{cache}");
        let body = json!({ "name": "picture", "sourceDisk": source, "labels": object(&of_snapshot),
            "storageLocations": [REGION] });
        self.person(&words, "POST", &format!("/compute/v1/projects/{PROJECT}/global/snapshots"), &body)?;
        self.plant("orphan", "picture");
        // Another deployment's, and nobody's.
        let mut theirs = labels("healthy-0", "provisioner-cache", &fresh());
        theirs[0].1 = "other".to_owned();
        self.disk("theirs", &theirs, Some(key))?;
        self.disk("plain", &Vec::new(), None)
    }

    /// A key that nobody has a record of, which Compute Engine may use.
    fn key(&self, ring: &str, name: &str, labels: &Labels<'_>) -> Result<String> {
        let place = format!("projects/{PROJECT}/locations/{REGION}/keyRings");
        if ring == "people" {
            let words = ["kms", "keyrings", "create", ring, "--location", REGION];
            self.person(&words, "POST", &format!("/v1/{place}?keyRingId={ring}"), &json!({}))?;
            let agent = text(&self.emulator.get(&format!("regions/{REGION}"))?["service_agent"]);
            let role = json!({ "role": "roles/cloudkms.cryptoKeyEncrypterDecrypter",
                "members": [agent] });
            self.emulator.post("project-policy", &json!({ "bindings": [role] }))?;
        }
        let written = written(labels);
        let mut words = vec!["kms", "keys", "create", name, "--location", REGION, "--keyring", ring];
        words.extend(["--purpose", "encryption"]);
        if !labels.is_empty() {
            words.extend(["--labels", &written]);
        }
        let body = json!({ "purpose": "ENCRYPT_DECRYPT", "labels": object(labels) });
        self.person(&words, "POST", &format!("/v1/{place}/{ring}/cryptoKeys?cryptoKeyId={name}"), &body)?;
        Ok(format!("{place}/{ring}/cryptoKeys/{name}"))
    }
}

fn labels<'l>(project: &str, kind: &'l str, id: &str) -> Labels<'l> {
    let all = [
        ("provisioner-deployment", "test"),
        ("provisioner-organization", "acme"),
        ("provisioner-project", project),
        ("provisioner-arch", "x86_64"),
        (kind, id),
    ];
    all.into_iter().map(|(label, value)| (label, value.to_owned())).collect()
}

fn written(labels: &Labels<'_>) -> String {
    labels.iter().map(|(label, value)| format!("{label}={value}")).collect::<Vec<_>>().join(",")
}

fn object(labels: &Labels<'_>) -> Value {
    labels.iter().map(|(label, value)| ((*label).to_owned(), Value::from(value.as_str()))).collect()
}

#[test]
fn a_zoo_made_with_gcloud_is_named_whole_and_mended() -> Result<()> {
    let healthy = ground::number("HEALTHY", 12);
    let emulator = Emulator::start(Cloud::Gcp, 0.1)?;
    let fleet = Installation::new(&emulator, &[REGION])?;
    loosen(&fleet)?;
    fleet.run(&["org", "create", "acme"])?;
    fleet.run(&["project", "create", "acme/abroad", "--residency", "eu", "--cloud", "gcp"])?;
    let plain: Vec<String> = (0..healthy).map(|n| format!("healthy-{n}")).collect();
    ground::ask(&fleet, Cloud::Gcp, REGION, STRANGE.into_iter().chain(plain.iter().map(String::as_str)))?;
    fleet.drain()?;
    let home = tempfile::tempdir()?;
    let mut zoo = Zoo { emulator: &emulator, home, fleet, wanted: Verdicts::new() };
    assert_eq!(verdicts(&reconcile(&zoo.fleet, &[], &[0])?), Verdicts::new());
    let key = text(&zoo.of("disks", &zoo.disk_of("healthy-0")?)?["diskEncryptionKey"]["kmsKeyName"]);
    let key = key.split("/cryptoKeyVersions").next().context("a key")?.to_owned();
    let calm = zoo.machine_of("calm")?;

    zoo.meddle()?;
    zoo.forget()?;
    zoo.strays(&key)?;
    sleep(Duration::from_secs(3));
    let plan = zoo.fleet.file("plan.json");
    let seen = reconcile(&zoo.fleet, &["--plan", plan.to_str().context("a path")?], &[3])?;
    assert_eq!(verdicts(&seen), zoo.wanted, "{}", serde_json::to_string_pretty(&seen["items"])?);
    let all: BTreeSet<&str> = zoo.wanted.iter().map(|(verdict, _)| verdict.as_str()).collect();
    ensure!(all.len() == 13, "of thirteen kinds of drift there are {all:?}");

    let runs = settle(&zoo.fleet, 8)?;
    assert_eq!(zoo.fleet.json(&["job", "list", "--state", "failed"])?, Value::Array(Vec::new()));
    let left = reconcile(&zoo.fleet, &[], &[1])?;
    let kept = ["kept", "nobodys", "picture"];
    let waits: Verdicts = zoo
        .wanted
        .iter()
        .filter(|(verdict, name)| match verdict.as_str() {
            "misplaced" | "unencrypted" | "wrong_key" | "wrong_shape" | "stray_key" => true,
            "orphan" => kept.contains(&name.as_str()),
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
    let marked =
        |name: &str| -> Result<bool> { Ok(zoo.of("disks", name)?["labels"]["provisioner-quarantine"].is_string()) };
    for (name, is_ours) in [("kept", true), ("nobodys", true), ("bare", true), ("theirs", false), ("plain", false)] {
        assert_eq!(marked(name)?, is_ours, "{name}");
    }
    assert_eq!(zoo.machine_of("calm")?, calm);
    Ok(())
}
