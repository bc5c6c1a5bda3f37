//! What makes clouds hard, one by one.

use regions::{Arch, Cloud};

use super::stage::{Stage, attempt, cloud, id, pass, place, types, zone};
use crate::fake::{FakeConfig, KeyState, Rule, Throttle};
use crate::{
    AttachmentSpec, CacheSource, ErrorClass, Kind, MachineSpec, Observed, Owner, Power, Provider, RemoteId, Spec,
    Target, Token,
};

fn slow() -> FakeConfig {
    FakeConfig { jitter_percent: 0, latency_ms: 0, ..FakeConfig::default() }
}

fn rules(stage: &Stage) -> Vec<Rule> {
    stage.cloud.violations().into_iter().map(|violation| violation.rule).collect()
}

/// A machine of that project, running, and its cache.
async fn up(stage: &Stage, project: &str, key: &RemoteId) -> (MachineSpec, RemoteId, RemoteId) {
    let spec = stage.machine(project, key);
    let remote = stage.begin(&spec).await;
    pass(10_000).await;
    let seen = stage.look(&Spec::Machine(spec.clone()), Some(&remote)).await;
    let Observed::Ready(found) = seen else { panic!("{seen:?}") };
    (spec, remote, found.cache.unwrap())
}

#[tokio::test(start_paused = true)]
async fn a_bad_key_is_told_only_after_the_cloud_has_said_yes() {
    let stage = Stage::new(slow());
    let key = stage.key("acme").await;
    let spec = stage.machine("web", &key);
    stage.cloud.disable_key(&key);
    let remote = stage.begin(&spec).await;
    let machine = Spec::Machine(spec.clone());
    pass(1_000).await;
    assert!(matches!(stage.look(&machine, Some(&remote)).await, Observed::Pending(_)));
    pass(1_000).await;
    let Observed::Absent { died: Some(why) } = stage.look(&machine, Some(&remote)).await else { panic!() };
    assert_eq!(why.class, ErrorClass::KeyUnusable);
    assert!(stage.cloud.snapshot().volumes.is_empty(), "its volume vanished with it");
    // The token is burnt, even when the key is well again; the next one works.
    stage.cloud.set_key(&key, KeyState::Enabled);
    let again = stage.ensure(&machine).await.unwrap();
    assert!(
        matches!(&again, Observed::Absent { died: Some(why) } if why.class == ErrorClass::KeyUnusable),
        "{again:?}"
    );
    assert!(matches!(stage.ensure_as(&machine, 1).await.unwrap(), Observed::Pending(_)));
    assert_eq!(stage.cloud.ever().by_resource[&(Kind::Machine, spec.id)], 2);
    assert_eq!(stage.cloud.ever().most_live(Kind::Machine), 1);
    assert_eq!(rules(&stage), []);
}

#[tokio::test(start_paused = true)]
async fn a_start_under_a_bad_key_ends_where_it_began() {
    let stage = Stage::new(slow());
    let key = stage.key("acme").await;
    let (spec, remote, cache) = up(&stage, "web", &key).await;
    let target = Target { spec: Spec::Machine(spec), remote: Some(remote.clone()) };
    stage.provider.power(&attempt(), &target, Power::Stopped).await.unwrap();
    pass(5_000).await;
    stage.cloud.set_key(&key, KeyState::Denied);
    stage.provider.power(&attempt(), &target, Power::Running).await.unwrap();
    pass(5_000).await;
    let Observed::Broken { found, why } = stage.look(&target.spec, Some(&remote)).await else { panic!() };
    assert_eq!((found.power, why.class), (Some(Power::Stopped), ErrorClass::KeyUnusable));
    assert_eq!(found.cache, Some(cache), "what holds data does not vanish");
    stage.cloud.set_key(&key, KeyState::Enabled);
    stage.provider.power(&attempt(), &target, Power::Running).await.unwrap();
    pass(5_000).await;
    assert!(matches!(stage.look(&target.spec, Some(&remote)).await, Observed::Ready(_)));
}

#[tokio::test(start_paused = true)]
async fn capacity_can_fail_at_once_or_late() {
    let stage = Stage::new(slow());
    let key = stage.key("acme").await;
    let (one, two) = (stage.machine("one", &key), stage.machine("two", &key));
    stage.cloud.set_capacity(stage.at.zone(), Some(one.machine.name()), Some(1));
    let first = stage.begin(&one).await;
    let refused = stage.ensure(&Spec::Machine(two.clone())).await.unwrap_err();
    assert_eq!(refused.class(), ErrorClass::NoCapacity);
    assert_eq!(stage.cloud.snapshot().machines.len(), 1, "nothing happened");
    let elsewhere = MachineSpec { placement: place("aws/eu-central-1b"), ..stage.machine("three", &key) };
    let elsewhere = MachineSpec { cache: born_at(&elsewhere), ..elsewhere };
    stage.cloud.fail_late(1);
    let late = stage.begin(&elsewhere).await;
    pass(5_000).await;
    let Observed::Absent { died: Some(why) } = stage.look(&Spec::Machine(elsewhere), Some(&late)).await else {
        panic!()
    };
    assert_eq!(why.class, ErrorClass::NoCapacity);
    // A machine that is off gives its room away, and may not get it back.
    let target = Target { spec: Spec::Machine(one), remote: Some(first) };
    stage.provider.power(&attempt(), &target, Power::Stopped).await.unwrap();
    pass(5_000).await;
    stage.begin(&two).await;
    let refused = stage.provider.power(&attempt(), &target, Power::Running).await.unwrap_err();
    assert_eq!(refused.class(), ErrorClass::NoCapacity);
}

fn born_at(machine: &MachineSpec) -> CacheSource {
    match machine.cache.clone() {
        CacheSource::Born(volume) => CacheSource::Born(crate::VolumeSpec { placement: machine.placement, ..volume }),
        existing @ CacheSource::Existing { .. } => existing,
    }
}

#[tokio::test(start_paused = true)]
async fn a_region_has_a_quota() {
    let stage = Stage::new(FakeConfig { machines_per_region: Some(1), ..slow() });
    let key = stage.key("acme").await;
    stage.begin(&stage.machine("one", &key)).await;
    let refused = stage.ensure(&Spec::Machine(stage.machine("two", &key))).await.unwrap_err();
    assert_eq!(refused.class(), ErrorClass::Quota);
}

#[tokio::test(start_paused = true)]
async fn who_asks_too_often_is_throttled_and_told_how_long() {
    let stage = Stage::new(FakeConfig { throttle: Some(Throttle { burst: 3, per_sec: 2 }), ..slow() });
    let key = stage.key("acme").await;
    let error = stage.ensure(&Spec::Machine(stage.machine("one", &key))).await.unwrap_err();
    assert_eq!(error.class(), ErrorClass::Throttled);
    assert!(stage.cloud.snapshot().machines.is_empty());
    pass(error.retry_after_ms.unwrap()).await;
    stage.begin(&stage.machine("one", &key)).await;
}

#[tokio::test(start_paused = true)]
async fn what_was_just_made_is_hidden_but_not_from_its_token() {
    let stage = Stage::new(FakeConfig { visibility_ms: 1_000, ..slow() });
    let key = stage.key("acme").await;
    let spec = stage.machine("web", &key);
    let machine = Spec::Machine(spec.clone());
    let remote = stage.begin(&spec).await;
    assert_eq!(stage.look(&machine, Some(&remote)).await, Observed::ABSENT);
    assert_eq!(stage.look(&machine, None).await, Observed::ABSENT);
    assert!(stage.provider.list(stage.region(), None).await.unwrap().things.is_empty());
    assert_eq!(stage.begin(&spec).await, remote);
    assert!(stage.provider.capabilities().visibility_secs >= 1);
    pass(1_000).await;
    assert!(!stage.look(&machine, None).await.is_absent());
    assert_eq!(stage.provider.list(stage.region(), None).await.unwrap().things.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_stale_listing_shows_what_is_gone_and_not_what_is_new() {
    let stage = Stage::new(FakeConfig { list_stale_ms: 5_000, visibility_ms: 0, ..slow() });
    let key = stage.key("acme").await;
    let (spec, remote, _) = up(&stage, "web", &key).await;
    stage
        .provider
        .remove(&attempt(), &Target { spec: Spec::Machine(spec), remote: Some(remote.clone()) })
        .await
        .unwrap();
    pass(3_000).await;
    let new = stage.begin(&stage.machine("new", &key)).await;
    let listed = async || {
        let things = stage.provider.list(stage.region(), None).await.unwrap().things;
        things.into_iter().map(|thing| thing.found.remote).collect::<Vec<_>>()
    };
    assert_eq!(listed().await, [remote]);
    pass(6_000).await;
    assert_eq!(listed().await, [new]);
}

#[tokio::test(start_paused = true)]
async fn two_that_race_for_a_key_get_the_same_one() {
    let stage = Stage::new(FakeConfig { latency_ms: 20, ..slow() });
    let spec = Spec::Key(stage.key_spec("acme"));
    let (one, other) = tokio::join!(stage.ensure(&spec), stage.ensure(&spec));
    let (Observed::Ready(one), Observed::Ready(other)) = (one.unwrap(), other.unwrap()) else { panic!() };
    assert_eq!(one, other);
    let keys = stage.cloud.snapshot().keys;
    assert_eq!(keys.len(), 2);
    for key in keys {
        let winner = key.remote == one.remote;
        assert_eq!(key.has_alias, winner);
        assert_eq!(matches!(key.state, KeyState::PendingDeletion { .. }), !winner, "the loser goes");
    }
}

#[tokio::test(start_paused = true)]
async fn a_key_is_gone_when_its_waiting_period_ends() {
    let stage = Stage::new(FakeConfig { key_deletion_ms: 86_400_000, ..slow() });
    let key = stage.key("acme").await;
    let target = Target { spec: Spec::Key(stage.key_spec("acme")), remote: Some(key.clone()) };
    stage.provider.remove(&attempt(), &target).await.unwrap();
    pass(86_000_000).await;
    assert!(matches!(stage.look(&target.spec, Some(&key)).await, Observed::Leaving(_)));
    pass(400_000).await;
    assert!(stage.look(&target.spec, Some(&key)).await.is_absent());
    // One that a person had scheduled, and saved, lives on.
    let second = stage.key("acme").await;
    stage.cloud.schedule_key_deletion(&second);
    stage.cloud.set_key(&second, KeyState::Enabled);
    pass(90_000_000).await;
    assert!(matches!(stage.look(&target.spec, Some(&second)).await, Observed::Ready(_)));
}

#[tokio::test(start_paused = true)]
async fn things_without_tags_are_not_ours_to_see() {
    let stage = Stage::new(slow());
    let key = stage.key("acme").await;
    let (spec, remote, cache) = up(&stage, "web", &key).await;
    stage.cloud.strip_tags(&remote);
    stage.cloud.strip_tags(&cache);
    let machine = Spec::Machine(spec);
    assert!(stage.look(&machine, None).await.is_absent());
    let Observed::Broken { why, .. } = stage.look(&machine, Some(&remote)).await else { panic!() };
    assert_eq!(why.code, "WrongTags");
    assert!(stage.provider.list(stage.region(), None).await.unwrap().things.is_empty());
}

#[tokio::test(start_paused = true)]
async fn what_happens_behind_our_back_is_seen() {
    let stage = Stage::new(slow());
    let (key, other) = (stage.key("acme").await, stage.key("globex").await);
    let (spec, remote, cache) = up(&stage, "web", &key).await;
    let CacheSource::Born(volume) = spec.cache.clone() else { panic!() };
    let machine = Spec::Machine(spec);
    stage.cloud.set_volume_key(&cache, &other);
    let Observed::Broken { why, .. } = stage.look(&Spec::Volume(volume.clone()), Some(&cache)).await else { panic!() };
    assert_eq!(why.code, "WrongKey");
    stage.cloud.set_volume_key(&cache, &key);
    stage.cloud.stop(&remote);
    let Observed::Ready(found) = stage.look(&machine, Some(&remote)).await else { panic!() };
    assert_eq!(found.power, Some(Power::Stopped));
    stage.cloud.terminate(&remote);
    pass(5_000).await;
    assert!(stage.look(&machine, Some(&remote)).await.is_absent());
    assert!(matches!(stage.look(&Spec::Volume(volume.clone()), Some(&cache)).await, Observed::Ready(_)));
    stage.cloud.destroy_volume(&cache);
    assert!(stage.look(&Spec::Volume(volume), Some(&cache)).await.is_absent());
    assert_eq!(rules(&stage), []);
}

#[tokio::test(start_paused = true)]
async fn broken_rules_are_noticed_and_not_prevented() {
    let stage = Stage::new(slow());
    let (key, foreign) = (stage.key("acme").await, stage.key("globex").await);
    let (spec, remote, cache) = up(&stage, "web", &key).await;
    assert_eq!(rules(&stage), []);
    // A second machine, with a second volume, for the same project and architecture.
    let second = Spec::Machine(spec.clone());
    stage.ensure_as(&second, 1).await.unwrap();
    assert_eq!(rules(&stage), [Rule::OneMachine, Rule::OneVolume]);
    assert_eq!(stage.cloud.ever().most_live(Kind::Machine), 2);
    assert_eq!(stage.cloud.ever().most_live(Kind::Volume), 2);
    // A key of another organization, for machine and volume.
    stage.begin(&stage.machine("api", &foreign)).await;
    assert_eq!(rules(&stage)[2..], [Rule::OwnKey, Rule::OwnKey]);
    // A volume at a machine of another project.
    let target = Target { spec: second.clone(), remote: Some(remote) };
    stage.provider.remove(&attempt(), &target).await.unwrap();
    pass(10_000).await;
    let (warm, holder) = {
        let cache = CacheSource::Existing { id: id("volume web"), remote: cache.clone() };
        let spec = MachineSpec { cache, ..stage.machine("docs", &key) };
        (spec.clone(), stage.begin(&spec).await)
    };
    pass(10_000).await;
    let tie = AttachmentSpec {
        id: id("tie"),
        owner: warm.owner.clone(),
        placement: stage.at,
        machine: holder.clone(),
        volume: cache,
    };
    stage.ensure(&Spec::Attachment(tie)).await.unwrap();
    assert_eq!(rules(&stage)[4..], [Rule::OwnVolume]);
    // A removal in another's name.
    let thief = Owner { org: "globex".to_owned(), project: Some("web".to_owned()) };
    let target = Target { spec: Spec::Machine(MachineSpec { owner: thief, ..warm }), remote: Some(holder) };
    stage.provider.remove(&attempt(), &target).await.unwrap();
    assert_eq!(rules(&stage)[5..], [Rule::OwnRemoval]);
    // A project that moves to another residency.
    let abroad = MachineSpec { placement: place("aws/us-east-1a"), ..stage.machine("web", &key) };
    stage.ensure_as(&Spec::Machine(MachineSpec { cache: born_at(&abroad), ..abroad }), 7).await.unwrap();
    assert!(rules(&stage)[6..].contains(&Rule::SameResidency), "{:?}", rules(&stage));
}

#[tokio::test(start_paused = true)]
async fn a_machine_on_its_way_out_makes_room_for_the_next() {
    let stage = Stage::new(slow());
    let key = stage.key("acme").await;
    let (spec, remote, _) = up(&stage, "web", &key).await;
    let target = Target { spec: Spec::Machine(spec.clone()), remote: Some(remote) };
    assert!(matches!(stage.provider.remove(&attempt(), &target).await.unwrap(), Observed::Leaving(_)));
    stage.begin(&MachineSpec { id: id("next"), ..spec }).await;
    assert_eq!(stage.cloud.ever().most_live(Kind::Machine), 1);
}

#[tokio::test(start_paused = true)]
async fn requests_are_counted_as_a_real_cloud_would() {
    let stage = Stage::new(slow());
    let key = stage.key("acme").await;
    stage.cloud.clear_calls();
    let specs: Vec<MachineSpec> = (0..20).map(|n| stage.machine(&format!("p{n}"), &key)).collect();
    let mut targets = Vec::new();
    for spec in &specs {
        let remote = Some(stage.begin(spec).await);
        targets.push(Target { spec: Spec::Machine(spec.clone()), remote });
    }
    pass(10_000).await;
    let seen = stage.provider.observe(stage.region(), &targets).await.unwrap();
    assert!(seen.iter().all(|seen| matches!(seen, Observed::Ready(_))));
    let calls = stage.cloud.calls();
    assert_eq!((calls.mutating, calls.describe), (20, 1));
    assert_eq!(stage.cloud.calls_by_name()["ec2:RunInstances"], 20);
    let own = stage.cloud.calls_of(specs[3].id);
    assert_eq!((own.mutating, own.describe), (1, 1));
    assert_eq!(stage.cloud.log().len(), 21);
}

#[tokio::test(start_paused = true)]
async fn the_same_seed_is_the_same_cloud() {
    async fn play(seed: u64) -> String {
        let stage = Stage::new(FakeConfig {
            seed,
            faults: crate::fake::FaultRates { reply_lost: 200, unavailable: 200, ..Default::default() },
            ..FakeConfig::default()
        });
        for project in ["a", "b", "c", "d"] {
            let spec = Spec::Key(stage.key_spec(project));
            let Ok(Observed::Ready(found)) = stage.ensure(&spec).await else { continue };
            drop(stage.ensure(&Spec::Machine(stage.machine(project, &found.remote))).await);
            pass(700).await;
        }
        format!("{:?} {:?}", stage.cloud.log(), stage.cloud.snapshot())
    }
    assert_eq!(play(5).await, play(5).await);
    assert_ne!(play(5).await, play(6).await);
}

#[tokio::test(start_paused = true)]
async fn a_clock_that_goes_back_undoes_nothing() {
    let now_ms = std::sync::Arc::new(std::sync::atomic::AtomicI64::new(100_000));
    let clock = std::sync::Arc::clone(&now_ms);
    let cloud = crate::fake::FakeCloud::new(
        FakeConfig::instant(),
        std::sync::Arc::new(move || clock.load(std::sync::atomic::Ordering::SeqCst)),
    );
    let stage = Stage { provider: cloud.provider(Cloud::Aws), cloud, at: place("aws/eu-central-1a") };
    let key = stage.key("acme").await;
    now_ms.store(0, std::sync::atomic::Ordering::SeqCst);
    let spec = stage.machine("web", &key);
    let remote = stage.begin(&spec).await;
    assert!(matches!(stage.look(&Spec::Machine(spec), Some(&remote)).await, Observed::Ready(_)));
}

#[test]
fn the_configuration_refuses_what_it_does_not_know() {
    let config: FakeConfig = toml::from_str(
        "seed = 9\nboot_ms = 10\nzones = [\"aws/us-east-1a\"]\n[faults]\nreply_lost = 3\n[[capacity]]\nzone = \"aws/us-east-1a\"\ncount = 0\n",
    )
    .unwrap();
    assert_eq!((config.seed, config.boot_ms, config.faults.reply_lost), (9, 10, 3));
    assert_eq!(config.capacity[0].count, 0);
    let error = toml::from_str::<FakeConfig>("boot = 10").unwrap_err().to_string();
    assert!(error.contains("boot"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn what_the_configuration_lacks_is_named_before_any_request() {
    let stage = Stage::new(FakeConfig { zones: vec![zone("aws/us-east-1a")], ..slow() });
    assert_eq!(stage.provider.zones(), [zone("aws/us-east-1a")]);
    let error = stage.ensure(&Spec::Machine(stage.machine("web", &RemoteId::from("key")))).await.unwrap_err();
    assert_eq!(error.class(), ErrorClass::Invalid);
    assert!(error.to_string().contains("fake.zones"), "{error}");
    let volume = stage.machine("web", &RemoteId::from("key"));
    let CacheSource::Born(volume) = volume.cache else { panic!() };
    let target = Target { spec: Spec::Volume(volume.clone()), remote: None };
    let token = Token::derive(volume.id, 0);
    assert_eq!(stage.provider.ensure(&token, &target).await.unwrap_err().class(), ErrorClass::Invalid);
    assert_eq!(stage.cloud.calls(), crate::fake::Tally::default());
    let gcp = cloud(FakeConfig::instant()).provider(Cloud::Gcp);
    assert!(gcp.capabilities().attaches_at_birth);
    assert!(gcp.zones().iter().all(|zone| zone.cloud() == Cloud::Gcp));
    assert!(!types(Cloud::Gcp, Arch::Arm64).is_empty());
}
