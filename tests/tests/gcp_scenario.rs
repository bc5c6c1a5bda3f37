//! A fleet's life on the Google Cloud emulator, by the built binary, read back with gcloud (or, where there is none, from the API
//! itself) and not with our own commands. And what goes wrong: full zones, keys, disks that are in use, tenants of both clouds.

#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    unreachable_pub,
    reason = "a test fails by panicking, and lives at the edge"
)]

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result};
use regions::Cloud;
use serde_json::{Value, json};
use tests::{
    binary::Installation,
    cli::{aws, google, google_keys, has_gcloud},
    emulator::Emulator,
};

const REGIONS: [&str; 2] = ["us-central1", "europe-west3"];
/// Organization and project, residency, region.
const PROJECTS: [(&str, &str, &str); 4] = [
    ("acme/api", "us", "us-central1"),
    ("acme/web", "eu", "europe-west3"),
    ("globex/core", "us", "us-central1"),
    ("globex/site", "eu", "europe-west3"),
];
const ARCHES: [&str; 2] = ["x86_64", "arm64"];

#[test]
fn a_fleet_lives_and_leaves_nothing_but_destroyed_key_versions() -> Result<()> {
    println!("read back with {}", if has_gcloud() { "gcloud" } else { "the API: there is no gcloud here" });
    let home = tempfile::tempdir()?;
    let emulator = Emulator::start(Cloud::Gcp, 0.3)?;
    let fleet = Installation::new(&emulator, &REGIONS)?;
    for org in ["acme", "globex"] {
        fleet.run(&["org", "create", org])?;
    }
    for (project, residency, region) in PROJECTS {
        create(&fleet, project, residency, region)?;
    }
    each_builder(&fleet, "provision")?;
    let keys = read_back(&emulator, home.path())?;
    assert_eq!(keys.len(), 4, "one key for each organization and region: {keys:?}");
    each_builder(&fleet, "stop")?;
    assert_eq!(states(&emulator, home.path())?, BTreeMap::from([("TERMINATED".to_owned(), 8)]));
    each_builder(&fleet, "start")?;
    assert_eq!(read_back(&emulator, home.path())?, keys, "a start changes no key");
    each_builder(&fleet, "destroy")?;
    assert_eq!(states(&emulator, home.path())?, BTreeMap::new());
    let disks = google(&emulator, home.path(), "disks")?;
    assert_eq!(disks.len(), 8, "the caches stay when builders go");
    assert!(disks.iter().all(|disk| disk["users"].as_array().is_none_or(Vec::is_empty)), "{disks:?}");
    for (project, ..) in PROJECTS {
        for arch in ARCHES {
            fleet.run(&["cache", "destroy", project, "--arch", arch])?;
        }
    }
    fleet.drain()?;
    for org in ["acme", "globex"] {
        fleet.run(&["org", "delete", org])?;
    }
    fleet.drain()?;
    assert_eq!(google(&emulator, home.path(), "instances")?, Vec::<Value>::new());
    assert_eq!(google(&emulator, home.path(), "disks")?, Vec::<Value>::new());
    for region in REGIONS {
        for key in google_keys(&emulator, home.path(), region)? {
            let versions = key["versions"].as_array().context("no versions")?;
            assert!(versions.iter().all(|version| version["state"] == "DESTROY_SCHEDULED"), "{key}");
            assert!(key.get("rotationPeriod").is_none(), "a rotation would make a version anew: {key}");
        }
    }
    assert_eq!(fleet.json(&["org", "list"])?, json!([]));
    Ok(())
}

fn create(fleet: &Installation<'_>, project: &str, residency: &str, region: &str) -> Result<()> {
    let place = ["--residency", residency, "--cloud", "gcp", "--region", region, "--cache-gib", "60"];
    fleet.run(&[&["project", "create", project][..], &place].concat()).map(drop)
}

fn each_builder(fleet: &Installation<'_>, verb: &str) -> Result<()> {
    for (project, ..) in PROJECTS {
        for arch in ARCHES {
            fleet.run(&["builder", verb, project, "--arch", arch])?;
        }
    }
    fleet.drain()
}

fn last(path: &Value) -> &str {
    path.as_str().and_then(|path| path.rsplit('/').next()).unwrap_or_default()
}

fn states(emulator: &Emulator, home: &std::path::Path) -> Result<BTreeMap<String, usize>> {
    let mut states = BTreeMap::new();
    for instance in google(emulator, home, "instances")? {
        *states.entry(instance["status"].as_str().unwrap_or_default().to_owned()).or_default() += 1;
    }
    Ok(states)
}

/// The keys by organization and region, after everything about machines and disks was found right.
fn read_back(emulator: &Emulator, home: &std::path::Path) -> Result<BTreeMap<(String, String), String>> {
    let machines = google(emulator, home, "instances")?;
    let disks = google(emulator, home, "disks")?;
    assert_eq!((machines.len(), disks.len()), (8, 16), "a root and a cache for each");
    let mut keys = BTreeMap::new();
    let mut owners = BTreeSet::new();
    for machine in &machines {
        let owner = judge_machine(machine, &disks, &mut keys)?;
        assert!(owners.insert(owner), "two builders of one project and architecture");
    }
    for region in REGIONS {
        for key in google_keys(emulator, home, region)? {
            let org = key["labels"]["provisioner-organization"].as_str().context("no organization")?;
            assert_eq!(keys.get(&(org.to_owned(), region.to_owned())).map(String::as_str), key["name"].as_str());
            assert_eq!(key["primary"]["state"], "ENABLED");
            assert!(key["rotationPeriod"].is_string() && key["nextRotationTime"].is_string(), "{key}");
        }
    }
    let distinct: BTreeSet<&String> = keys.values().collect();
    assert_eq!(distinct.len(), keys.len(), "no two organizations share a key");
    Ok(keys)
}

fn judge_machine(
    machine: &Value,
    disks: &[Value],
    keys: &mut BTreeMap<(String, String), String>,
) -> Result<(String, String, String)> {
    let label =
        |of: &Value, name: &str| of["labels"][name].as_str().map(ToOwned::to_owned).context("a label is missing");
    let (org, project) = (label(machine, "provisioner-organization")?, label(machine, "provisioner-project")?);
    let arch = label(machine, "provisioner-arch")?;
    assert_eq!(label(machine, "provisioner-deployment")?, "test");
    assert_eq!(machine["status"], "RUNNING");
    let zone = last(&machine["zone"]);
    let region = zone.rsplit_once('-').context("no region")?.0.to_owned();
    let (_, _, home) = PROJECTS.iter().find(|(name, ..)| *name == format!("{org}/{project}")).context("a stranger")?;
    assert_eq!(region, *home);
    let shielded = &machine["shieldedInstanceConfig"];
    for part in ["enableSecureBoot", "enableVtpm", "enableIntegrityMonitoring"] {
        assert_eq!(shielded[part], true, "{part}");
    }
    let interface = &machine["networkInterfaces"][0];
    assert!(
        interface["networkIP"].is_string() && interface.get("accessConfigs").is_none(),
        "no external IP: {interface}"
    );
    let items = machine["metadata"]["items"].as_array().context("no metadata")?;
    let told: BTreeMap<&str, &str> =
        items.iter().filter_map(|item| Some((item["key"].as_str()?, item["value"].as_str()?))).collect();
    assert_eq!(told, BTreeMap::from([("block-project-ssh-keys", "TRUE"), ("enable-oslogin", "TRUE")]));
    assert!(machine.get("serviceAccounts").is_none(), "no credentials unless configured");
    let attached = machine["disks"].as_array().context("no disks")?;
    assert_eq!(attached.len(), 2);
    for tie in attached {
        let disk =
            disks.iter().find(|disk| last(&disk["selfLink"]) == last(&tie["source"]) && last(&disk["zone"]) == zone);
        let disk = disk.context("an attached disk is not listed")?;
        let version = disk["diskEncryptionKey"]["kmsKeyName"].as_str().context("not encrypted")?;
        let key = version.split("/cryptoKeyVersions/").next().unwrap_or_default();
        assert!(
            key.contains(&format!("/locations/{region}/")) && key.contains(&format!("/cryptoKeys/{org}-")),
            "{key}"
        );
        let known = keys.entry((org.clone(), region.clone())).or_insert_with(|| key.to_owned());
        assert_eq!(known, key, "one key for an organization in a region");
        assert_eq!(label(disk, "provisioner-organization")?, org);
        assert_eq!(label(disk, "provisioner-project")?, project);
        assert_eq!(tie["autoDelete"], tie["boot"], "the cache outlives the machine, the root does not");
        if tie["boot"] == true {
            let image = disk["architecture"].as_str().unwrap_or_default().to_lowercase();
            assert_eq!(image, arch, "the image's architecture");
        } else {
            assert_eq!((disk["sizeGb"].as_str(), tie["deviceName"].as_str()), (Some("60"), Some("cache")));
        }
    }
    Ok((org, project, arch))
}

/// An installation with one project, in that region.
fn lone<'a>(emulator: &'a Emulator, region: &str, residency: &str) -> Result<Installation<'a>> {
    let fleet = Installation::new(emulator, &[region])?;
    fleet.run(&["org", "create", "acme"])?;
    create(&fleet, "acme/web", residency, region)?;
    Ok(fleet)
}

const BUILDER: [&str; 3] = ["acme/web", "--arch", "arm64"];

fn ask(fleet: &Installation<'_>, verb: &str) -> Result<()> {
    fleet.run(&[&["builder", verb][..], &BUILDER].concat())?;
    fleet.drain()
}

/// The newest job: its state, the class and the text of its trouble, and the whole story.
fn newest(fleet: &Installation<'_>) -> Result<(String, String, String)> {
    let jobs = fleet.json(&["job", "list", "--limit", "100"])?;
    let job = jobs.as_array().into_iter().flatten().max_by_key(|job| job["id"].as_i64()).context("no job")?.clone();
    let id = job["id"].to_string();
    let story = fleet.run(&["job", "show", id.trim_matches('"')])?;
    let class = job["outcome"]["because"]["class"].as_str().unwrap_or_default().to_owned();
    Ok((job["state"].as_str().unwrap_or_default().to_owned(), class, story))
}

fn zones_of(emulator: &Emulator) -> Result<Vec<String>> {
    let state = emulator.get("state")?;
    Ok(state["zones"].as_object().into_iter().flatten().map(|(name, _)| name.clone()).collect())
}

#[test]
fn full_zones_are_left_for_others_inside_the_residency_and_a_cache_stays_where_it_is() -> Result<()> {
    let emulator = Emulator::start(Cloud::Gcp, 0.1)?;
    // One zone has none of the first type: another zone of the region has.
    let fleet = lone(&emulator, "us-central1", "us")?;
    emulator.post("capacity", &json!([{ "zone": "us-central1-a" }]))?;
    ask(&fleet, "provision")?;
    assert_eq!(newest(&fleet)?.0, "succeeded", "{}", newest(&fleet)?.2);
    assert_eq!(zones_of(&emulator)?, ["us-central1-b"], "no stray disk elsewhere");
    // The cache's only zone is full: the job ends, says so, and leaves the cache alone.
    ask(&fleet, "destroy")?;
    let before = emulator.get("state")?["zones"]["us-central1-b"]["disks"][0]["id"].clone();
    emulator.post("capacity", &json!([{ "zone": "us-central1-b" }]))?;
    ask(&fleet, "provision")?;
    let (state, class, story) = newest(&fleet)?;
    assert_eq!((state.as_str(), class.as_str()), ("failed", "no_capacity"), "{story}");
    let after = emulator.get("state")?;
    assert_eq!(after["zones"]["us-central1-b"]["disks"][0]["id"], before);
    assert_eq!(after["zones"].as_object().map(serde_json::Map::len), Some(1), "{after}");
    emulator.post("capacity", &json!([]))?;
    ask(&fleet, "provision")?;
    assert_eq!(newest(&fleet)?.0, "succeeded", "{}", newest(&fleet)?.2);
    // And a start in a full zone: told in the story, the machine kept.
    ask(&fleet, "stop")?;
    emulator.post("capacity", &json!([{}]))?;
    ask(&fleet, "start")?;
    let (state, class, story) = newest(&fleet)?;
    assert_eq!((state.as_str(), class.as_str()), ("failed", "no_capacity"), "{story}");
    emulator.post("capacity", &json!([]))?;
    ask(&fleet, "start")?;
    assert_eq!(newest(&fleet)?.0, "succeeded", "{}", newest(&fleet)?.2);
    drop(fleet);

    // Every zone of a region: the other region of the residency has room.
    emulator.reset()?;
    let fleet = Installation::new(&emulator, &["europe-west3", "europe-west4"])?;
    fleet.run(&["org", "create", "acme"])?;
    fleet.run(&["project", "create", "acme/web", "--residency", "eu", "--cloud", "gcp"])?;
    emulator.post("capacity", &json!([{ "region": "europe-west3" }]))?;
    ask(&fleet, "provision")?;
    assert_eq!(newest(&fleet)?.0, "succeeded", "{}", newest(&fleet)?.2);
    let zones = zones_of(&emulator)?;
    assert_eq!(zones.len(), 1, "{zones:?}");
    assert!(zones[0].starts_with("europe-west4-"), "{zones:?}");
    Ok(())
}

#[test]
fn trouble_is_diagnosed_by_class_with_its_remedy() -> Result<()> {
    let emulator = Emulator::start(Cloud::Gcp, 0.1)?;
    for key_check in ["sync", "async"] {
        emulator.reset()?;
        emulator.post("settings", &json!({ "key_check": key_check }))?;
        let fleet = lone(&emulator, "europe-west3", "eu")?;
        ask(&fleet, "provision")?;
        assert_eq!(newest(&fleet)?.0, "succeeded", "{}", newest(&fleet)?.2);
        let key = emulator.get("state")?["keys"][0]["name"].as_str().context("no key")?.to_owned();

        // A disabled version.
        ask(&fleet, "stop")?;
        version_to(&emulator, &key, "DISABLED")?;
        ask(&fleet, "start")?;
        told(&fleet, "failed", "key_unusable", &["gcloud kms keys versions enable 1 --key", &key])?;
        version_to(&emulator, &key, "ENABLED")?;
        ask(&fleet, "start")?;
        assert_eq!(newest(&fleet)?.0, "succeeded", "{}", newest(&fleet)?.2);

        // Compute Engine's agent is denied behind our back, and then allowed again.
        ask(&fleet, "stop")?;
        emulator.post("deny-key", &json!({ "key": key }))?;
        ask(&fleet, "start")?;
        let (state, _, story) = newest(&fleet)?;
        assert_ne!(state, "succeeded", "{story}");
        assert!(story.contains("cryptoKeyVersions.useToEncrypt"), "{story}");
        emulator.post("deny-key", &json!({ "key": key, "deny": false }))?;
    }
    Ok(())
}

fn version_to(emulator: &Emulator, key: &str, state: &str) -> Result<()> {
    let path = format!("/v1/{key}/cryptoKeyVersions/1?updateMask=state");
    emulator.cloud_send("PATCH", &path, &json!({ "state": state }))
}

fn told(fleet: &Installation<'_>, state: &str, class: &str, words: &[&str]) -> Result<()> {
    let (is, of, story) = newest(fleet)?;
    assert_eq!((is.as_str(), of.as_str()), (state, class), "{story}");
    for word in words {
        assert!(story.contains(word), "`{word}` is not in the story:\n{story}");
    }
    Ok(())
}

#[test]
fn a_missing_binding_and_a_disk_in_use_are_named() -> Result<()> {
    let emulator = Emulator::start(Cloud::Gcp, 0.1)?;
    let fleet = lone(&emulator, "us-central1", "us")?;
    let file = fleet.file("provisioner.toml");
    let text = std::fs::read_to_string(&file)?;
    std::fs::write(&file, text.replace("[gcp]\n", "[gcp]\ngrant_key_access = false\n"))?;
    ask(&fleet, "provision")?;
    let agent = "serviceAccount:service-123456789012@compute-system.iam.gserviceaccount.com";
    told(
        &fleet,
        "failed",
        "key_unusable",
        &["roles/cloudkms.cryptoKeyEncrypterDecrypter", agent, "gcloud kms keys add-iam-policy-binding"],
    )?;
    std::fs::write(&file, text)?;
    ask(&fleet, "provision")?;
    assert_eq!(newest(&fleet)?.0, "succeeded", "{}", newest(&fleet)?.2);

    // Somebody else's machine takes the cache.
    ask(&fleet, "destroy")?;
    let state = emulator.get("state")?;
    let (zone, held) = state["zones"].as_object().into_iter().flatten().next().context("no zone")?;
    let disk = held["disks"][0]["name"].as_str().context("no disk")?;
    let image = "projects/debian-cloud/global/images/family/debian-12-arm64";
    let thief = json!({
        "name": "thief",
        "machineType": format!("zones/{zone}/machineTypes/c4a-standard-4"),
        "networkInterfaces": [{ "subnetwork": "regions/us-central1/subnetworks/default" }],
        "disks": [
            { "boot": true, "initializeParams": { "sourceImage": image, "diskType": format!("zones/{zone}/diskTypes/hyperdisk-balanced") } },
            { "source": format!("zones/{zone}/disks/{disk}") },
        ],
    });
    emulator.cloud_send("POST", &format!("/compute/v1/projects/emulated-project/zones/{zone}/instances"), &thief)?;
    fleet.run(&["cache", "destroy", BUILDER[0], BUILDER[1], BUILDER[2]])?;
    // It is never detached from here; the job goes on trying until somebody lets it go.
    let worker = fleet.worker(&[], |_| Ok(()))?;
    std::thread::sleep(std::time::Duration::from_secs(3));
    let (_, _, story) = newest(&fleet)?;
    assert!(story.contains("resourceInUseByAnotherResource") && story.contains("conflict"), "{story}");
    let path = format!("/compute/v1/projects/emulated-project/zones/{zone}/instances/thief");
    emulator.cloud_send("DELETE", &path, &Value::Null)?;
    let output = tests::binary::wait(worker, std::time::Duration::from_secs(60))?;
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(newest(&fleet)?.0, "succeeded", "{}", newest(&fleet)?.2);
    Ok(())
}

#[test]
fn one_worker_serves_both_clouds_and_an_organization_leaves_both() -> Result<()> {
    let google_cloud = Emulator::start(Cloud::Gcp, 0.1)?;
    let amazon = Emulator::start(Cloud::Aws, 0.1)?;
    let fleet = Installation::of(&[(&amazon, &["eu-central-1"]), (&google_cloud, &["europe-west3"])])?;
    fleet.run(&["org", "create", "acme"])?;
    fleet.run(&["project", "create", "acme/amazon", "--residency", "eu", "--cloud", "aws"])?;
    fleet.run(&["project", "create", "acme/google", "--residency", "eu", "--cloud", "gcp"])?;
    for project in ["acme/amazon", "acme/google"] {
        fleet.run(&["builder", "provision", project, "--arch", "arm64"])?;
    }
    fleet.drain()?;
    assert_eq!(google_cloud.counts()?.get("compute.instances.insert"), Some(&1));
    assert_eq!(google_cloud.counts()?.get("compute.disks.insert"), None);
    assert_eq!(amazon.counts()?.get("ec2.RunInstances"), Some(&1));
    fleet.run(&["org", "delete", "acme"])?;
    fleet.drain()?;
    assert_eq!(google_cloud.get("state")?["zones"], json!({}));
    let left = aws(&amazon, "eu-central-1", &["ec2", "describe-volumes"])?;
    assert_eq!(left["Volumes"], json!([]));
    assert_eq!(fleet.json(&["org", "list"])?, json!([]));
    Ok(())
}
