//! Listings of an emulator that lie to the built binary: it changes nothing, says which region it left alone, and the other
//! region goes on.

use std::{collections::BTreeMap, time::Instant};

use anyhow::{Context, Result, ensure};
use regions::Cloud;
use serde_json::{Value, json};
use tests::{binary::Installation, emulator::Emulator};

use crate::ground::{self, Verdicts, enqueued, loosen, reconcile, recorded, verdicts};

/// So few on a page that a listing has several.
const PAGE: u32 = 3;

struct House<'a> {
    emulator: &'a Emulator,
    fleet: Installation<'a>,
    /// The region that lies, and the one that does not.
    regions: [&'static str; 2],
}

/// What there is: every thing of both regions, with state and tags.
type Picture = BTreeMap<String, String>;

impl<'a> House<'a> {
    fn new(emulator: &'a Emulator, regions: [&'static str; 2]) -> Result<Self> {
        let fleet = Installation::new(emulator, &regions)?;
        loosen(&fleet)?;
        fleet.run(&["org", "create", "acme"])?;
        let cloud = emulator.cloud().to_string();
        for (residency, region) in ["us", "eu"].into_iter().zip(regions) {
            for n in 0..7 {
                let path = format!("acme/{residency}-{n}");
                let words = ["project", "create", &path, "--residency", residency, "--region", region];
                fleet.run(&words.into_iter().chain(["--cloud", &cloud]).collect::<Vec<_>>())?;
                fleet.run(&["builder", "provision", &path, "--arch", "x86_64"])?;
            }
        }
        fleet.drain()?;
        emulator.post("settings", &json!({ "page_size": PAGE }))?;
        Ok(Self { emulator, fleet, regions })
    }

    fn picture(&self) -> Result<Picture> {
        let state = self.emulator.get("state")?;
        let mut found = Picture::new();
        for (region, held) in state["regions"].as_object().context("regions")? {
            for (kind, things) in held.as_object().context("kinds")? {
                for thing in things.as_array().into_iter().flatten() {
                    let name = thing["id"].as_str().or(thing["name"].as_str()).unwrap_or_default();
                    if name.is_empty() {
                        continue;
                    }
                    let labels = if thing["tags"].is_null() { &thing["labels"] } else { &thing["tags"] };
                    let told = format!("{} {} {labels}", thing["state"], thing["status"]);
                    found.insert(format!("{region} {kind} {name}"), told);
                }
            }
        }
        Ok(found)
    }

    /// What the listings of the first region do from now on.
    fn lie(&self, rule: Option<Value>) -> Result<()> {
        let rules: Vec<Value> = rule
            .into_iter()
            .flat_map(|rule| self.scopes().into_iter().map(move |scope| (rule.clone(), scope)))
            .map(|(mut rule, (name, value))| {
                rule["listing"] = Value::Bool(true);
                rule[name] = Value::from(value);
                rule
            })
            .collect();
        self.emulator.post("rules", &Value::Array(rules))
    }

    /// A listing of Compute Engine is a zone's.
    fn scopes(&self) -> Vec<(&'static str, String)> {
        let region = self.regions[0];
        match self.emulator.cloud() {
            Cloud::Aws => vec![("region", region.to_owned())],
            Cloud::Gcp => ["a", "b", "c", "f"].map(|zone| ("zone", format!("{region}-{zone}"))).to_vec(),
        }
    }

    /// The region that lies is left alone, and the other one is compared.
    fn is_not_believed(&self, what: &str, report: &Value) -> Result<()> {
        for region in report["regions"].as_array().context("regions")? {
            let name = region["region"].as_str().unwrap_or_default();
            if name.ends_with(self.regions[0]) {
                ensure!(!region["failed"].is_null(), "{what} is believed: {report:#}");
            } else {
                ensure!(region["failed"].is_null() && region["records"].as_u64() > Some(14), "{what}: {region:#}");
            }
        }
        Ok(())
    }

    fn tell(&self, what: &str, rule: Value) -> Result<()> {
        let before = self.picture()?;
        ensure!(before.len() >= 28, "{before:#?}");
        self.lie(Some(rule))?;
        for _ in 0..3 {
            let report = reconcile(&self.fleet, &[], &[1])?;
            ensure!(enqueued(&report) == 0, "{what}: {:#}", report["items"]);
            self.is_not_believed(what, &report)?;
        }
        self.fleet.drain()?;
        self.lie(None)?;
        assert_eq!(self.picture()?, before, "{what}");
        assert_eq!(verdicts(&reconcile(&self.fleet, &[], &[0])?), Verdicts::new(), "after {what}");
        Ok(())
    }

    /// A picture from before one was taken away and another was made, under a minimum age that is longer than the picture is old.
    fn old(&self) -> Result<()> {
        let file = self.fleet.file("provisioner.toml");
        let config = std::fs::read_to_string(&file)?.replace("min_age_secs = 0", "min_age_secs = 600");
        std::fs::write(&file, config)?;
        let then = Instant::now();
        let gone = recorded(&self.fleet, "us-0", "machine")?;
        self.fleet.run(&["builder", "destroy", "acme/us-0", "--arch", "x86_64"])?;
        let cloud = self.emulator.cloud().to_string();
        ground::ask(&self.fleet, self.emulator.cloud(), self.regions[0], ["us-new"])?;
        self.fleet.drain()?;
        let before = self.picture()?;
        let is_there = before.keys().any(|name| gone.ends_with(name.rsplit(' ').next().unwrap_or("?")));
        ensure!(!is_there, "{gone} of {cloud} is still there");
        let mut noticed = 0;
        for _ in 0..3 {
            self.lie(Some(json!({ "do": "stale", "secs": then.elapsed().as_secs_f64() })))?;
            let report = reconcile(&self.fleet, &[], &[0, 1])?;
            ensure!(enqueued(&report) == 0, "an old listing: {:#}", report["items"]);
            let is_named = verdicts(&report).iter().any(|(_, name)| gone.ends_with(name.as_str()));
            let lines = report["regions"].as_array().into_iter().flatten();
            noticed += u32::from(is_named || lines.into_iter().any(|region| !region["failed"].is_null()));
        }
        // What has gone is named as an orphan, or what is new is there when it is looked up by name: then the listing is unmasked.
        ensure!(noticed == 3, "the picture is not old: {gone} is not in it");
        self.fleet.drain()?;
        self.lie(None)?;
        assert_eq!(self.picture()?, before, "an old listing");
        assert_eq!(verdicts(&reconcile(&self.fleet, &[], &[0])?), Verdicts::new());
        Ok(())
    }
}

fn nothing_is_believed(cloud: Cloud, regions: [&'static str; 2]) -> Result<()> {
    let emulator = Emulator::start(cloud, 0.1)?;
    let house = House::new(&emulator, regions)?;
    assert_eq!(verdicts(&reconcile(&house.fleet, &[], &[0])?), Verdicts::new());
    house.tell("a listing that is cut", json!({ "do": "cut" }))?;
    house.tell("an empty listing", json!({ "do": "empty" }))?;
    house.tell("a 500", json!({ "do": "error", "code": "InternalError", "status": 500, "message": "no" }))?;
    house.old()
}

#[test]
fn lies_of_aws_are_not_believed() -> Result<()> {
    nothing_is_believed(Cloud::Aws, ["us-east-1", "eu-west-1"])
}

#[test]
fn lies_of_google_are_not_believed() -> Result<()> {
    nothing_is_believed(Cloud::Gcp, ["us-central1", "europe-west4"])
}
