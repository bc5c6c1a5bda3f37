//! Reconcile by the built binary on the Google Cloud emulator: what people with consoles leave behind, planted with gcloud where it
//! is on the machine and by the API's own calls where it is not, among healthy builders. `HEALTHY` sets how many.

#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    unreachable_pub,
    reason = "a test fails by panicking, and lives at the edge"
)]

use std::{collections::BTreeSet, fs::OpenOptions, io::Write as _, thread::sleep, time::Duration};

use anyhow::{Context, Result, ensure};
use regions::Cloud;
use serde_json::{Value, json};
use tempfile::TempDir;
use tests::{
    binary::Installation,
    cli::{PROJECT, gcloud, google, has_gcloud},
    emulator::Emulator,
};

const REGION: &str = "us-central1";
const ZONE: &str = "us-central1-a";

struct Zoo<'a> {
    emulator: &'a Emulator,
    home: TempDir,
    fleet: Installation<'a>,
}

impl Zoo<'_> {
    /// By gcloud, or by the call that gcloud makes.
    fn person(&self, arguments: &[&str], method: &str, path: &str, body: &Value) -> Result<()> {
        if has_gcloud() {
            return gcloud(self.emulator, self.home.path(), arguments).map(drop);
        }
        self.emulator.cloud_send(method, &format!("/compute/v1/projects/{PROJECT}/zones/{ZONE}/{path}"), body)
    }

    fn reconcile(&self, arguments: &[&str], codes: &[i32]) -> Result<Value> {
        let mut whole = vec!["reconcile", "--output", "json"];
        whole.extend(arguments);
        let output = self.fleet.attempt(&whole)?;
        let code = output.status.code().unwrap_or(-1);
        ensure!(codes.contains(&code), "exit {code}: {}", String::from_utf8_lossy(&output.stderr));
        Ok(serde_json::from_slice(&output.stdout)?)
    }

    fn of(&self, collection: &str, project: &str) -> Result<Value> {
        let all = google(self.emulator, self.home.path(), collection)?;
        let found = all.into_iter().find(|thing| thing["labels"]["provisioner-project"] == project);
        found.with_context(|| format!("none of {project} in {collection}"))
    }

    fn name(&self, project: &str) -> Result<String> {
        Ok(self.of("instances", project)?["name"].as_str().context("a name")?.to_owned())
    }

    fn disk(&self, name: &str, labels: &[(&str, &str)], key: Option<&str>) -> Result<()> {
        let written: Vec<String> = labels.iter().map(|(label, value)| format!("{label}={value}")).collect();
        let written = written.join(",");
        let mut arguments =
            vec!["compute", "disks", "create", name, "--zone", ZONE, "--type", "pd-ssd", "--size", "50"];
        arguments.extend(["--labels", &written]);
        arguments.extend(key.into_iter().flat_map(|key| ["--kms-key", key]));
        let labels: serde_json::Map<String, Value> =
            labels.iter().map(|(label, value)| ((*label).to_owned(), Value::from(*value))).collect();
        let mut body = json!({ "name": name, "sizeGb": "50", "labels": labels,
            "type": format!("projects/{PROJECT}/zones/{ZONE}/diskTypes/pd-ssd") });
        if let Some(key) = key {
            body["diskEncryptionKey"] = json!({ "kmsKeyName": key });
        }
        self.person(&arguments, "POST", "disks", &body)
    }
}

fn verdicts(report: &Value) -> BTreeSet<(String, String)> {
    let items = report["items"].as_array().into_iter().flatten();
    let last = |text: &str| text.rsplit('/').next().unwrap_or_default().to_owned();
    items
        .map(|item| (last(item["verdict"].as_str().unwrap()), last(item["remote"].as_str().unwrap_or_default())))
        .collect()
}

#[test]
fn a_zoo_made_with_gcloud_is_named_whole_and_mended() -> Result<()> {
    let healthy: usize = std::env::var("HEALTHY").ok().and_then(|text| text.parse().ok()).unwrap_or(12);
    let emulator = Emulator::start(Cloud::Gcp, 0.1)?;
    let fleet = Installation::new(&emulator, &[REGION])?;
    let mut file = OpenOptions::new().append(true).open(fleet.file("provisioner.toml"))?;
    file.write_all(b"[reconcile]\nmin_age_secs = 0\nsettle_secs = 0\nmax_percent = 100\n")?;
    fleet.run(&["org", "create", "acme"])?;
    let plain: Vec<String> = (0..healthy).map(|n| format!("healthy-{n}")).collect();
    for name in ["missing", "off", "untagged", "calm"].into_iter().chain(plain.iter().map(String::as_str)) {
        let path = format!("acme/{name}");
        fleet.run(&["project", "create", &path, "--residency", "us", "--region", REGION, "--cloud", "gcp"])?;
        fleet.run(&["builder", "provision", &path, "--arch", "x86_64"])?;
    }
    fleet.drain()?;
    let zoo = Zoo { emulator: &emulator, home: tempfile::tempdir()?, fleet };
    assert_eq!(verdicts(&zoo.reconcile(&[], &[0])?), BTreeSet::new());

    let mut wanted = BTreeSet::new();
    let mut plant = |verdict: &str, name: &str| wanted.extend([(verdict.to_owned(), name.to_owned())]);
    let (off, untagged) = (zoo.of("instances", "off")?, zoo.of("instances", "untagged")?);
    let (off, untagged_name) = (off["name"].as_str().context("a name")?, untagged["name"].as_str().context("a name")?);
    let (missing, calm) = (zoo.name("missing")?, zoo.name("calm")?);
    let words = ["compute", "instances", "stop", off, "--zone", ZONE];
    zoo.person(&words, "POST", &format!("instances/{off}/stop"), &Value::Null)?;
    plant("wrong_state", off);
    let mut labels = untagged["labels"].clone();
    labels.as_object_mut().context("labels")?.remove("provisioner-project");
    let words =
        ["compute", "instances", "remove-labels", untagged_name, "--zone", ZONE, "--labels", "provisioner-project"];
    let body = json!({ "labels": labels, "labelFingerprint": untagged["labelFingerprint"] });
    zoo.person(&words, "POST", &format!("instances/{untagged_name}/setLabels"), &body)?;
    plant("wrong_tags", untagged_name);
    let words = ["compute", "instances", "delete", &missing, "--zone", ZONE];
    zoo.person(&words, "DELETE", &format!("instances/{missing}"), &Value::Null)?;
    plant("missing", &missing);
    let key = zoo.of("disks", "healthy-0")?["diskEncryptionKey"]["kmsKeyName"].as_str().context("a key")?.to_owned();
    let key = key.split("/cryptoKeyVersions").next().context("a key")?.to_owned();
    let ours = |project: &'static str, id: &'static str| {
        [
            ("provisioner-deployment", "test"),
            ("provisioner-organization", "acme"),
            ("provisioner-project", project),
            ("provisioner-arch", "x86_64"),
            ("provisioner-cache", id),
        ]
    };
    zoo.disk("orphan", &ours("healthy-0", "01a20a26-1c76-70cf-ac44-7df6c1144501"), Some(&key))?;
    zoo.disk("nobodys", &ours("nobody", "01a20a26-1c76-70cf-ac44-7df6c1144502"), Some(&key))?;
    zoo.disk("bare", &ours("healthy-0", "01a20a26-1c76-70cf-ac44-7df6c1144503"), None)?;
    plant("orphan", "orphan");
    plant("orphan", "nobodys");
    plant("unencrypted", "bare");
    let mut theirs = ours("healthy-0", "01a20a26-1c76-70cf-ac44-7df6c1144504");
    theirs[0].1 = "other";
    zoo.disk("theirs", &theirs, Some(&key))?;
    sleep(Duration::from_secs(3));

    let plan = zoo.fleet.file("plan.json");
    let seen = zoo.reconcile(&["--plan", plan.to_str().context("a path")?], &[3])?;
    assert_eq!(verdicts(&seen), wanted, "{}", serde_json::to_string_pretty(&seen["items"])?);
    for _ in 0..4 {
        zoo.reconcile(&[], &[0, 1])?;
        zoo.fleet.drain()?;
        sleep(Duration::from_secs(1));
    }
    assert_eq!(zoo.fleet.json(&["job", "list", "--state", "failed"])?, Value::Array(Vec::new()));
    let left = zoo.reconcile(&[], &[1])?;
    let kept = [("orphan", "nobodys"), ("orphan", "orphan"), ("unencrypted", "bare")];
    let kept: BTreeSet<_> = kept.into_iter().map(|(verdict, name)| (verdict.to_owned(), name.to_owned())).collect();
    assert_eq!(verdicts(&left), kept, "{}", serde_json::to_string_pretty(&left["items"])?);
    for item in left["items"].as_array().into_iter().flatten() {
        assert_eq!(item["outcome"]["brake"], "quarantine", "{item:#}");
    }
    assert_eq!(verdicts(&zoo.reconcile(&[], &[1])?), kept, "there is nothing new");
    let disks = google(&emulator, zoo.home.path(), "disks")?;
    let marked = |name: &str| {
        let disk = disks.iter().find(|disk| disk["name"] == name);
        disk.map(|disk| disk["labels"].as_object().is_some_and(|all| all.contains_key("provisioner-quarantine")))
    };
    assert_eq!(["orphan", "nobodys", "bare", "theirs"].map(marked), [Some(true), Some(true), Some(true), Some(false)]);
    assert_eq!(zoo.name("calm")?, calm);
    Ok(())
}
