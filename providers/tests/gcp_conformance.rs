//! The suite that every provider passes, on Google Cloud against `scripts/gcp-emulator`.
//!
//! With `GCP_ENDPOINT_URL` set it uses the emulator there; else it starts one, which ends with this process.

mod loopback;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use loopback::{Control, endpoint};
use providers::conformance::{Abilities, Cloudlike, Creation, Harm, VolumeFacts, suite};
use providers::gcp::{GcpConfig, GcpProvider, GcpRegionConfig};
use providers::{KeySpec, Principal, Provider, RemoteId};
use regions::{Arch, Cloud, MachineType, Placement, Region, Size};
use serde_json::{Value, json};
use uuid::Uuid;

struct Bench {
    control: Control,
    provider: GcpProvider,
}

impl Bench {
    async fn new() -> Self {
        let url = endpoint("gcp-emulator", "GCP_ENDPOINT_URL");
        let control = Control(url.clone());
        let here = control.ask("GET", "regions/us-central1", &Value::Null).await;
        // The emulator hides nothing unless told to.
        let mut config =
            GcpConfig { visibility_secs: 0, ..GcpConfig::new(here["project"].as_str().expect("a project")) };
        config.endpoint = Some(url);
        config.images = serde_json::from_value(here["families"].clone()).expect("images");
        for region in ["us-central1", "europe-west4"] {
            let section = GcpRegionConfig { subnetwork: "default".to_owned(), ..GcpRegionConfig::default() };
            config.regions.insert(region.to_owned(), section);
        }
        let deployment = format!("suite-{}", std::process::id());
        let provider = GcpProvider::new(&deployment, config, Arc::new(now_ms)).expect("provider");
        Self { control, provider }
    }

    async fn kms(&self, verb: &str, path: &str, body: &Value) -> Value {
        self.control.send(verb, &format!("/v1/{path}"), body).await
    }
}

#[expect(clippy::disallowed_methods, reason = "a test lives at the edge")]
fn now_ms() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("after 1970");
    i64::try_from(since.as_millis()).expect("a time")
}

#[async_trait]
impl Cloudlike for Bench {
    fn provider(&self) -> &dyn Provider {
        &self.provider
    }

    fn abilities(&self) -> Abilities {
        Abilities {
            harms_keys: true,
            sets_room: true,
            loses_replies: true,
            // A key is found by its name: there are no strays.
            plants_keys: false,
            counts_requests: true,
            reads_volumes: true,
            lets_in: true,
        }
    }

    fn placements(&self) -> Vec<Placement> {
        let place = |(region, zone): (&str, &str)| {
            let region = Region::find(Cloud::Gcp, region).expect("region");
            Placement::check(region.residency(), region.zone(zone).expect("zone")).expect("placement")
        };
        let zones =
            [("us-central1", "us-central1-a"), ("us-central1", "us-central1-b"), ("europe-west4", "europe-west4-a")];
        zones.into_iter().map(place).collect()
    }

    fn machines(&self, arch: Arch) -> Vec<MachineType> {
        Size::ALL.into_iter().flat_map(|size| regions::machine_types(Cloud::Gcp, arch, size)).collect()
    }

    fn run(&self) -> Uuid {
        Uuid::from_u128(u128::from(std::process::id()))
    }

    async fn pass(&self, millis: u64) {
        tokio::time::sleep(Duration::from_millis(millis)).await;
    }

    fn pause_ms(&self) -> u64 {
        100
    }

    fn patience_ms(&self) -> u64 {
        30_000
    }

    #[expect(clippy::disallowed_methods, reason = "the edge of a test: the emulator's time is the real one")]
    fn now_ms(&self) -> i64 {
        jiff::Timestamp::now().as_millisecond()
    }

    async fn enter(&self, at: Placement, machine: &RemoteId, who: &Principal) -> bool {
        let name = machine.as_str().rsplit('/').next().unwrap_or_default();
        let asked = json!({ "zone": at.zone().name(), "instance": name, "member": who.as_str() });
        self.control.ask("POST", "enter", &asked).await["in"].as_bool().expect("a word")
    }

    async fn harm_key(&self, _: Region, key: &RemoteId, harm: Harm) {
        let primary = self.kms("GET", key.as_str(), &Value::Null).await["primary"]["name"].clone();
        let version = primary.as_str().expect("a primary version");
        match harm {
            Harm::Disabled => {
                self.kms("PATCH", &format!("{version}?updateMask=state"), &json!({ "state": "DISABLED" })).await;
            }
            Harm::PendingDeletion => drop(self.kms("POST", &format!("{version}:destroy"), &json!({})).await),
        }
    }

    async fn set_room(&self, placement: Placement, machine: MachineType, plenty: bool) {
        let hole = json!({ "zone": placement.zone().name(), "type": machine.name() });
        self.control.ask("POST", "capacity", &if plenty { json!([]) } else { json!([hole]) }).await;
    }

    async fn lose_reply(&self, creation: Creation) {
        let action = match creation {
            Creation::Key => "cryptoKeys.create",
            Creation::Machine => "instances.insert",
        };
        let rule = json!([{ "action": action, "nth": 1, "times": 1, "do": "drop_reply" }]);
        self.control.ask("POST", "rules", &rule).await;
    }

    async fn plant_key(&self, _: &KeySpec) -> RemoteId {
        unreachable!("the abilities do not have it")
    }

    async fn requests(&self) -> u64 {
        self.control.ask("GET", "calls", &Value::Null).await["total"].as_u64().expect("a total")
    }

    async fn volume(&self, _: Region, remote: &RemoteId) -> Option<VolumeFacts> {
        let disk = self.control.send("GET", &format!("/compute/v1/{remote}"), &Value::Null).await;
        let key = disk["diskEncryptionKey"]["kmsKeyName"].as_str()?.split("/cryptoKeyVersions/").next()?;
        Some(VolumeFacts {
            key: Some(RemoteId::from(key)),
            size_gib: disk["sizeGb"].as_str()?.parse().ok()?,
            zone: disk["zone"].as_str()?.rsplit('/').next()?.to_owned(),
        })
    }
}

#[tokio::test]
async fn gcp_passes_the_suite() {
    let bench = Bench::new().await;
    let results = suite(&bench).await;
    for result in &results {
        println!("{result}");
    }
    let failed: Vec<String> = results.iter().filter(|it| it.is_failure()).map(ToString::to_string).collect();
    assert!(failed.is_empty(), "{} of {} failed:\n{}", failed.len(), results.len(), failed.join("\n"));
}
