//! The suite that every provider passes, on AWS against `scripts/aws-emulator`.
//!
//! With `AWS_ENDPOINT_URL` set it uses the emulator there, whose states may last some seconds; else it starts one, which
//! ends with this process.

mod loopback;

use std::time::Duration;

use async_trait::async_trait;
use aws_config::SdkConfig;
use aws_credential_types::Credentials;
use aws_sdk_kms::types::Tag;
use loopback::{Control, endpoint};
use providers::aws::{AwsConfig, AwsProvider, AwsRegionConfig};
use providers::conformance::{Abilities, Cloudlike, Creation, Harm, VolumeFacts, suite};
use providers::{KeySpec, Principal, Provider, RemoteId};
use regions::{Arch, Cloud, MachineType, Placement, Region, Size};
use serde_json::{Value, json};
use uuid::Uuid;

async fn region_of(control: &Control, region: &str) -> AwsRegionConfig {
    let found = control.ask("GET", &format!("regions/{region}"), &Value::Null).await;
    AwsRegionConfig {
        security_groups: vec![found["security_group"].as_str().expect("a group").to_owned()],
        images: serde_json::from_value(found["images"].clone()).expect("images"),
        subnets: serde_json::from_value(found["subnets"].clone()).expect("subnets"),
        root_device: "/dev/xvda".to_owned(),
        ..AwsRegionConfig::default()
    }
}

struct Bench {
    control: Control,
    sdk: SdkConfig,
    deployment: String,
    provider: AwsProvider,
}

impl Bench {
    async fn new() -> Self {
        let url = endpoint("aws-emulator", "AWS_ENDPOINT_URL");
        let credentials = Credentials::new("AKIDTEST", "secret", None, None, "test");
        let loader = aws_config::defaults(aws_config::BehaviorVersion::v2026_01_12());
        let sdk = loader.endpoint_url(&url).region("us-east-1").credentials_provider(credentials).load().await;
        let control = Control(url);
        // The emulator hides nothing unless told to.
        let mut config = AwsConfig { visibility_secs: 0, ..AwsConfig::default() };
        for region in ["us-east-1", "eu-central-1"] {
            config.regions.insert(region.to_owned(), region_of(&control, region).await);
        }
        let deployment = format!("suite-{}", std::process::id());
        let provider = AwsProvider::with_sdk(&deployment, config, sdk.clone()).expect("provider");
        Self { control, sdk, deployment, provider }
    }

    fn kms(&self, region: Region) -> aws_sdk_kms::Client {
        let name = aws_sdk_kms::config::Region::new(region.name());
        aws_sdk_kms::Client::new(&self.sdk.to_builder().region(name).build())
    }
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
            plants_keys: true,
            counts_requests: true,
            reads_volumes: true,
            lets_in: true,
        }
    }

    fn placements(&self) -> Vec<Placement> {
        let place = |(region, zone): (&str, &str)| {
            let region = Region::find(Cloud::Aws, region).expect("region");
            Placement::check(region.residency(), region.zone(zone).expect("zone")).expect("placement")
        };
        let zones = [("us-east-1", "us-east-1a"), ("us-east-1", "us-east-1b"), ("eu-central-1", "eu-central-1a")];
        zones.into_iter().map(place).collect()
    }

    fn machines(&self, arch: Arch) -> Vec<MachineType> {
        Size::ALL.into_iter().flat_map(|size| regions::machine_types(Cloud::Aws, arch, size)).collect()
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
        let key = format!("AKID{}", Uuid::new_v5(&self.run(), who.as_str().as_bytes()).simple());
        self.control.ask("POST", "principals", &json!({ key.clone(): who.as_str() })).await;
        let credentials = aws_credential_types::provider::SharedCredentialsProvider::new(Credentials::new(
            key, "secret", None, None, "somebody",
        ));
        let name = aws_sdk_ec2::config::Region::new(at.region().name());
        let sdk = self.sdk.to_builder().region(name).credentials_provider(credentials).build();
        let start = aws_sdk_ssm::Client::new(&sdk).start_session().target(machine.as_str()).send().await;
        start.is_ok()
    }

    async fn harm_key(&self, region: Region, key: &RemoteId, harm: Harm) {
        let kms = self.kms(region);
        match harm {
            Harm::Disabled => drop(kms.disable_key().key_id(key.as_str()).send().await.expect("disabled")),
            Harm::PendingDeletion => {
                drop(kms.schedule_key_deletion().key_id(key.as_str()).send().await.expect("scheduled"));
            }
        }
    }

    async fn set_room(&self, placement: Placement, machine: MachineType, plenty: bool) {
        let hole = json!({ "zone": placement.zone().name(), "type": machine.name() });
        self.control.ask("POST", "capacity", &if plenty { json!([]) } else { json!([hole]) }).await;
    }

    async fn lose_reply(&self, creation: Creation) {
        let action = match creation {
            Creation::Key => "CreateKey",
            Creation::Machine => "RunInstances",
        };
        let rule = json!([{ "action": action, "nth": 1, "times": 1, "do": "drop_reply" }]);
        self.control.ask("POST", "rules", &rule).await;
    }

    async fn plant_key(&self, spec: &KeySpec) -> RemoteId {
        let tags = [
            ("provisioner:deployment", self.deployment.clone()),
            ("provisioner:organization", spec.owner.org.clone()),
            ("provisioner:resource", spec.id.to_string()),
        ];
        let tags = tags.into_iter().map(|(key, value)| Tag::builder().tag_key(key).tag_value(value).build());
        let tags = tags.collect::<Result<_, _>>().expect("tags");
        let made = self.kms(spec.region).create_key().set_tags(Some(tags)).send().await.expect("a key");
        RemoteId::from(made.key_metadata().and_then(|key| key.arn()).expect("its ARN"))
    }

    async fn requests(&self) -> u64 {
        self.control.ask("GET", "calls", &Value::Null).await["total"].as_u64().expect("a total")
    }

    async fn volume(&self, region: Region, remote: &RemoteId) -> Option<VolumeFacts> {
        let name = aws_sdk_ec2::config::Region::new(region.name());
        let ec2 = aws_sdk_ec2::Client::new(&self.sdk.to_builder().region(name).build());
        let answer = ec2.describe_volumes().volume_ids(remote.as_str()).send().await.ok()?;
        let volume = answer.volumes().first()?;
        Some(VolumeFacts {
            key: volume.kms_key_id().filter(|_| volume.encrypted() == Some(true)).map(RemoteId::from),
            size_gib: u32::try_from(volume.size().unwrap_or_default()).unwrap_or_default(),
            zone: volume.availability_zone().unwrap_or_default().to_owned(),
        })
    }
}

#[tokio::test]
async fn aws_passes_the_suite() {
    let bench = Bench::new().await;
    let results = suite(&bench).await;
    for result in &results {
        println!("{result}");
    }
    let failed: Vec<String> = results.iter().filter(|it| it.is_failure()).map(ToString::to_string).collect();
    assert!(failed.is_empty(), "{} of {} failed:\n{}", failed.len(), results.len(), failed.join("\n"));
}
