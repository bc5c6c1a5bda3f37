//! The whole life of keys, machines and volumes against `scripts/aws-emulator`: an EC2 and KMS endpoint with its own
//! will.
//!
//! With `AWS_ENDPOINT_URL` set it uses that endpoint; else it starts the emulator, which ends with this process. A
//! script that is not there is a failure.

mod support;

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use aws_config::SdkConfig;
use aws_credential_types::Credentials;
use aws_sdk_ec2::types::Filter;
use providers::aws::{AwsConfig, AwsProvider, AwsRegionConfig};
use providers::{
    AttachmentSpec, CacheSource, KeySpec, MachineSpec, Observed, Owner, Power, Provider, RemoteId, ResourceId, Spec,
    Target, Token, VolumeSpec,
};
use regions::{Arch, Region};
use support::{machine_spec, place, region};
use uuid::Uuid;

/// The token of a switch or a removal, which EC2 has no use for.
fn attempt() -> Token {
    Token::of_attempt(ResourceId::from_uuid(Uuid::from_u128(1)), "1")
}

/// The emulator's address. It is started once, watches its parent, and ends with it.
fn endpoint() -> String {
    if let Ok(url) = std::env::var("AWS_ENDPOINT_URL") {
        return url;
    }
    let script = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../scripts/aws-emulator");
    let child = Command::new(&script).arg("--parent-watch").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
    let mut child = child.unwrap_or_else(|error| panic!("{}: {error}", script.display()));
    let mut lines = BufReader::new(child.stdout.take().expect("stdout")).lines();
    let url = lines.by_ref().map_while(Result::ok).find_map(|line| {
        let line = line.trim().trim_start_matches("export ").to_owned();
        line.strip_prefix("AWS_ENDPOINT_URL=").map(|url| url.trim_matches(['"', '\'']).to_owned())
    });
    // Its pipes stay open for as long as this process lives: closing one would end it early.
    std::thread::spawn(move || {
        let _stdin = child.stdin.take();
        lines.for_each(drop);
        child.wait()
    });
    url.expect("the emulator prints AWS_ENDPOINT_URL=...")
}

async fn sdk(url: &str) -> SdkConfig {
    let credentials = Credentials::new("AKIDTEST", "secret", None, None, "test");
    let loader = aws_config::defaults(aws_config::BehaviorVersion::v2026_01_12());
    loader.endpoint_url(url).region("us-east-1").credentials_provider(credentials).load().await
}

/// What an account offers, as a person would look it up to write the configuration.
async fn discover(sdk: &SdkConfig, region: Region) -> AwsRegionConfig {
    let name = aws_sdk_ec2::config::Region::new(region.name());
    let ec2 = aws_sdk_ec2::Client::new(&sdk.to_builder().region(name).build());
    let mut config = AwsRegionConfig::default();
    for subnet in ec2.describe_subnets().send().await.expect("subnets").subnets() {
        let zone = subnet.availability_zone().expect("zone").to_owned();
        config.subnets.insert(zone, subnet.subnet_id().expect("id").to_owned());
    }
    let groups = ec2.describe_security_groups().send().await.expect("groups");
    config.security_groups = vec![groups.security_groups()[0].group_id().expect("id").to_owned()];
    // One distribution for both architectures, told by the name of its root device.
    let mut images = Vec::new();
    for arch in Arch::ALL {
        let filter = Filter::builder().name("architecture").values(arch.as_str()).build();
        let found = ec2.describe_images().filters(filter).send().await.expect("images").images.unwrap_or_default();
        images.push((arch, found));
    }
    let of = |device: &str| {
        let pick = |(arch, found): &(Arch, Vec<aws_sdk_ec2::types::Image>)| {
            let image = found.iter().find(|image| image.root_device_name() == Some(device))?;
            Some((arch.to_string(), image.image_id()?.to_owned()))
        };
        images.iter().map(pick).collect::<Option<_>>()
    };
    let devices = ["/dev/xvda", "/dev/sda1"];
    let (device, images) = devices.iter().find_map(|device| Some((device, of(device)?))).expect("images for both");
    config.root_device = (*device).to_owned();
    config.images = images;
    config
}

struct Bench {
    provider: AwsProvider,
    run: Uuid,
}

impl Bench {
    async fn new() -> Self {
        let sdk = sdk(&endpoint()).await;
        let mut config = AwsConfig::default();
        for region in ["us-east-1", "eu-central-1"].map(region) {
            config.regions.insert(region.name().to_owned(), discover(&sdk, region).await);
        }
        let run = Uuid::from_u128(u128::from(std::process::id()));
        Self {
            provider: AwsProvider::with_sdk(&format!("test-{}", std::process::id()), config, sdk).expect("provider"),
            run,
        }
    }

    fn id(&self, role: &str) -> ResourceId {
        ResourceId::derive(self.run, role)
    }

    fn key(&self, org: &str, region: Region) -> KeySpec {
        let owner = Owner { org: org.to_owned(), project: None };
        KeySpec { id: self.id(&format!("key {org} {region}")), owner, region }
    }

    fn machine(&self, role: &str, arch: Arch, zone: &str, key: &RemoteId) -> MachineSpec {
        let CacheSource::Born(volume) = machine_spec(arch).cache else { unreachable!() };
        let placement = place(zone);
        let cache = VolumeSpec { id: self.id(&format!("cache {role}")), placement, key: key.clone(), ..volume };
        let id = self.id(role);
        MachineSpec { id, placement, key: key.clone(), cache: CacheSource::Born(cache), ..machine_spec(arch) }
    }

    async fn look(&self, target: &Target) -> Observed {
        let seen = self.provider.observe(target.spec.region(), std::slice::from_ref(target)).await;
        seen.expect("observe").remove(0)
    }

    async fn wait(&self, target: &Target, what: &str, done: impl Fn(&Observed) -> bool) -> Observed {
        let mut last = None;
        let looking = async {
            loop {
                let seen = self.look(target).await;
                if done(&seen) {
                    return seen;
                }
                last = Some(seen);
                tokio::time::sleep(Duration::from_millis(200)).await;
            }
        };
        let outcome = tokio::time::timeout(Duration::from_secs(90), looking).await;
        outcome.unwrap_or_else(|_| panic!("{what}: {last:?}"))
    }
}

fn at(power: Power) -> impl Fn(&Observed) -> bool {
    move |seen| matches!(seen, Observed::Ready(found) if found.power == Some(power))
}

fn remote(seen: &Observed) -> RemoteId {
    seen.found().unwrap_or_else(|| panic!("nothing there: {seen:?}")).remote.clone()
}

fn known(spec: Spec, remote: &RemoteId) -> Target {
    Target { spec, remote: Some(remote.clone()) }
}

fn unknown(spec: Spec) -> Target {
    Target { spec, remote: None }
}

#[tokio::test]
async fn a_whole_life() {
    let bench = Bench::new().await;
    let provider = &bench.provider;
    for (zone, arch) in [("us-east-1a", Arch::X86_64), ("eu-central-1b", Arch::Arm64)] {
        let place = place(zone);
        // A key: made once, found again, found without being known.
        let spec = bench.key("acme", place.region());
        let token = Token::derive(spec.id, 1);
        let target = unknown(Spec::Key(spec.clone()));
        assert_eq!(bench.look(&target).await, Observed::ABSENT);
        let key = remote(&provider.ensure(&token, &target).await.expect("key"));
        assert_eq!(remote(&provider.ensure(&token, &target).await.expect("key again")), key);
        assert!(matches!(bench.look(&known(Spec::Key(spec.clone()), &key)).await, Observed::Ready(_)));

        // A cold builder: one token, one machine.
        let cold = bench.machine(&format!("cold {zone}"), arch, zone, &key);
        let token = Token::derive(cold.id, 1);
        let target = unknown(Spec::Machine(cold.clone()));
        let id = remote(&provider.ensure(&token, &target).await.expect("run"));
        assert_eq!(remote(&provider.ensure(&token, &target).await.expect("run again")), id);
        let machine = known(Spec::Machine(cold.clone()), &id);
        let seen = bench.wait(&machine, "running", at(Power::Running)).await;
        let found = seen.found().expect("found");
        assert!(found.address.is_some(), "{seen:?}");
        let cache = found.cache.clone().expect("a cache");
        assert_eq!(remote(&bench.look(&target).await), id, "found by tag");

        // Its cache, known and unknown.
        let CacheSource::Born(volume) = cold.cache.clone() else { unreachable!() };
        for target in [known(Spec::Volume(volume.clone()), &cache), unknown(Spec::Volume(volume.clone()))] {
            let seen = bench.look(&target).await;
            assert!(matches!(&seen, Observed::Ready(found) if found.remote == cache), "{seen:?}");
            assert_eq!(seen.found().and_then(|found| found.attached_to.clone()), Some(id.clone()));
        }
        let refused = provider.remove(&attempt(), &known(Spec::Volume(volume.clone()), &cache)).await;
        assert_eq!(refused.expect_err("attached").class(), providers::ErrorClass::Conflict);

        // Off and on; twice is once.
        for power in [Power::Stopped, Power::Stopped, Power::Running, Power::Running] {
            provider.power(&attempt(), &machine, power).await.expect("power");
            bench.wait(&machine, "power", at(power)).await;
        }

        // Gone, and the cache stays.
        provider.remove(&attempt(), &machine).await.expect("terminate");
        bench.wait(&machine, "terminated", Observed::is_absent).await;
        assert!(matches!(provider.remove(&attempt(), &machine).await, Ok(Observed::Absent { .. })));
        assert!(matches!(provider.remove(&attempt(), &target).await, Ok(Observed::Absent { .. })));
        let free = |seen: &Observed| matches!(seen, Observed::Ready(found) if found.attached_to.is_none());
        bench.wait(&unknown(Spec::Volume(volume.clone())), "free", free).await;

        // A builder for the cache that exists.
        let source = CacheSource::Existing { id: volume.id, remote: cache.clone() };
        let warm = MachineSpec { id: bench.id(&format!("warm {zone}")), cache: source, ..cold };
        let token = Token::derive(warm.id, 1);
        let target = unknown(Spec::Machine(warm.clone()));
        let id = remote(&provider.ensure(&token, &target).await.expect("run"));
        let machine = known(Spec::Machine(warm.clone()), &id);
        bench.wait(&machine, "running", at(Power::Running)).await;
        let tie = AttachmentSpec {
            id: bench.id(&format!("tie {zone}")),
            owner: warm.owner.clone(),
            placement: place,
            machine: id.clone(),
            volume: cache.clone(),
        };
        let tie = unknown(Spec::Attachment(tie));
        assert_eq!(bench.look(&tie).await, Observed::ABSENT);
        provider.ensure(&token, &tie).await.expect("attach");
        bench.wait(&tie, "attached", |seen| matches!(seen, Observed::Ready(_))).await;
        provider.ensure(&token, &tie).await.expect("attach again");
        let seen = bench.wait(&machine, "ready", |seen| seen.found().is_some_and(|it| it.cache.is_some())).await;
        assert_eq!(seen.found().and_then(|found| found.cache.clone()), Some(cache.clone()));
        provider.remove(&attempt(), &tie).await.expect("detach");
        bench.wait(&tie, "detached", Observed::is_absent).await;
        assert!(matches!(provider.remove(&attempt(), &tie).await, Ok(Observed::Absent { .. })));

        // All of it, listed.
        let mut things = list(provider, place.region()).await;
        things.sort_unstable();
        let mut expected = vec![key.0.clone(), id.0.clone(), cache.0.clone()];
        expected.sort_unstable();
        assert_eq!(things, expected);

        // Nothing stays but a key on its way out.
        provider.remove(&attempt(), &machine).await.expect("terminate");
        bench.wait(&machine, "terminated", Observed::is_absent).await;
        let volume = known(Spec::Volume(volume), &cache);
        provider.remove(&attempt(), &volume).await.expect("delete");
        bench.wait(&volume, "deleted", Observed::is_absent).await;
        assert!(matches!(provider.remove(&attempt(), &volume).await, Ok(Observed::Absent { .. })));
        let target = known(Spec::Key(spec.clone()), &key);
        for _ in 0..2 {
            let seen = provider.remove(&attempt(), &target).await;
            assert!(matches!(seen, Ok(Observed::Leaving(_))), "{seen:?}");
        }
        assert!(matches!(bench.look(&target).await, Observed::Leaving(_)));
        assert_eq!(bench.look(&unknown(Spec::Key(spec))).await, Observed::ABSENT);
        assert_eq!(list(provider, place.region()).await, Vec::<String>::new());
    }
}

async fn list(provider: &AwsProvider, region: Region) -> Vec<String> {
    let (mut things, mut page) = (Vec::new(), None);
    loop {
        let listing = provider.list(region, page).await.expect("list");
        things.extend(listing.things.into_iter().map(|thing| thing.found.remote.0));
        page = listing.next;
        if page.is_none() {
            return things;
        }
    }
}
