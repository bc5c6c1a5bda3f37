//! The suite that every provider passes, on the modelled cloud in both ways, slow and hiding, and at once.

use async_trait::async_trait;
use regions::{Arch, Cloud, MachineType, Placement, Region};
use uuid::Uuid;

use super::stage::{cloud, pass, place, types};
use crate::conformance::{Abilities, Cloudlike, Creation, Harm, VolumeFacts, suite};
use crate::fake::{FakeCloud, FakeConfig, FakeProvider, Fault, KeyState, Operation, When};
use crate::{KeySpec, Principal, Provider, RemoteId};

pub(super) struct Bench {
    cloud: FakeCloud,
    provider: Box<dyn Provider>,
    zones: &'static [&'static str],
}

#[async_trait]
impl Cloudlike for Bench {
    fn provider(&self) -> &dyn Provider {
        self.provider.as_ref()
    }

    fn abilities(&self) -> Abilities {
        Abilities {
            harms_keys: true,
            sets_room: true,
            loses_replies: true,
            plants_keys: true,
            counts_requests: true,
            reads_volumes: true,
            lets_in: true,
        }
    }

    fn placements(&self) -> Vec<Placement> {
        self.zones.iter().map(|name| place(name)).collect()
    }

    fn machines(&self, arch: Arch) -> Vec<MachineType> {
        types(self.provider.cloud(), arch)
    }

    fn run(&self) -> Uuid {
        Uuid::from_u128(3)
    }

    async fn pass(&self, millis: u64) {
        pass(millis).await;
    }

    fn pause_ms(&self) -> u64 {
        200
    }

    fn patience_ms(&self) -> u64 {
        60_000
    }

    fn now_ms(&self) -> i64 {
        self.cloud.now_ms()
    }

    async fn enter(&self, _: Placement, machine: &RemoteId, who: &Principal) -> bool {
        self.cloud.enter(machine, who)
    }

    async fn harm_key(&self, _: Region, key: &RemoteId, harm: Harm) {
        match harm {
            Harm::Disabled => self.cloud.set_key(key, KeyState::Disabled),
            Harm::PendingDeletion => self.cloud.schedule_key_deletion(key),
        }
    }

    async fn set_room(&self, placement: Placement, machine: MachineType, plenty: bool) {
        self.cloud.set_capacity(placement.zone(), Some(machine.name()), (!plenty).then_some(0));
    }

    async fn lose_reply(&self, creation: Creation) {
        let operation = match creation {
            Creation::Key => Operation::CreateKey,
            Creation::Machine => Operation::RunMachine,
        };
        self.cloud.inject(When::next(operation), Fault::ReplyLost);
    }

    async fn plant_key(&self, spec: &KeySpec) -> RemoteId {
        self.cloud.plant_key(spec)
    }

    async fn requests(&self) -> u64 {
        let calls = self.cloud.calls();
        calls.mutating + calls.describe
    }

    async fn volume(&self, _: Region, remote: &RemoteId) -> Option<VolumeFacts> {
        let volume = self.cloud.snapshot().volumes.into_iter().find(|volume| volume.remote == *remote)?;
        Some(VolumeFacts { key: Some(volume.key), size_gib: volume.size_gib, zone: volume.zone.name().to_owned() })
    }
}

impl Bench {
    /// A cloud in the way of that one; `over` may put something between it and the suite.
    pub(super) fn new(
        kind: Cloud,
        config: FakeConfig,
        over: impl FnOnce(FakeCloud, FakeProvider) -> Box<dyn Provider>,
    ) -> Self {
        let zones: &[&str] = match kind {
            Cloud::Aws => &["aws/us-east-1a", "aws/us-east-1b", "aws/eu-central-1a"],
            Cloud::Gcp => &["gcp/us-central1-a", "gcp/us-central1-b", "gcp/europe-west4-a"],
        };
        let cloud = cloud(config);
        Self { provider: over(cloud.clone(), cloud.provider(kind)), cloud, zones }
    }
}

async fn run(kind: Cloud, config: FakeConfig) {
    let bench = Bench::new(kind, config, |_, provider| Box::new(provider));
    let results = suite(&bench).await;
    for result in &results {
        println!("{result}");
    }
    let failed: Vec<String> = results.iter().filter(|it| it.is_failure()).map(ToString::to_string).collect();
    assert!(failed.is_empty(), "{} of {} failed:\n{}", failed.len(), results.len(), failed.join("\n"));
    let passed = results.iter().filter(|it| it.verdict == crate::conformance::Verdict::Passed).count();
    assert_eq!(passed, results.len(), "the fake can do everything, so nothing is skipped");
    let left = bench.cloud.snapshot();
    assert!(left.machines.is_empty() && left.volumes.iter().all(|volume| volume.leaving), "{left:?}");
}

#[tokio::test(start_paused = true)]
async fn aws_way() {
    run(Cloud::Aws, FakeConfig { page_size: 2, ..FakeConfig::default() }).await;
}

#[tokio::test(start_paused = true)]
async fn gcp_way() {
    run(Cloud::Gcp, FakeConfig { page_size: 2, ..FakeConfig::default() }).await;
}

#[tokio::test(start_paused = true)]
async fn at_once() {
    for kind in Cloud::ALL {
        run(kind, FakeConfig::instant()).await;
    }
}

#[tokio::test(start_paused = true)]
async fn slow_and_hiding() {
    let config = FakeConfig {
        latency_ms: 300,
        boot_ms: 20_000,
        visibility_ms: 5_000,
        list_stale_ms: 3_000,
        page_size: 1,
        ..FakeConfig::default()
    };
    for kind in Cloud::ALL {
        run(kind, config.clone()).await;
    }
}
