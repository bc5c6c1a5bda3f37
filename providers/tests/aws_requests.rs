//! What `AwsProvider` sends, byte for byte, and what it makes of the answers, without a cloud.

#[path = "support/answers.rs"]
mod answers;
mod support;

use answers::{
    Shown, account, attachment, changes, detachment, good_volumes, instances, key, rotation, run, volume, volumes,
};
use providers::aws::{AwsConfig, AwsProvider};
use providers::{
    AttachmentSpec, CacheSource, ErrorClass, Kind, MachineSpec, Observed, PageToken, Power, Provider, RemoteId, Spec,
    Target, Token,
};
use regions::Arch;
use support::{
    Answer, CONFIG, KEY, OTHER_KEY, Paper, config, existing, golden, id, key_spec, machine_spec, owner, place, region,
    volume_spec,
};

const MACHINE: &str = "i-00000000000000001";
const CACHE: &str = "vol-0000000000000cace";

fn token() -> Token {
    Token::derive(id("machine"), 1)
}

fn target(spec: Spec, remote: Option<&str>) -> Target {
    Target { spec, remote: remote.map(RemoteId::from) }
}

fn machine(remote: Option<&str>) -> Target {
    target(Spec::Machine(machine_spec(Arch::X86_64)), remote)
}

fn cache(remote: Option<&str>) -> Target {
    target(Spec::Volume(volume_spec(Arch::X86_64)), remote)
}

fn tie() -> Target {
    let spec = AttachmentSpec {
        id: id("attachment"),
        owner: owner(),
        placement: place("us-east-1a"),
        machine: RemoteId::from(MACHINE),
        volume: RemoteId::from(CACHE),
    };
    target(Spec::Attachment(spec), None)
}

fn the_key(remote: Option<&str>) -> Target {
    target(Spec::Key(key_spec()), remote)
}

async fn look(paper: &Paper, target: &Target) -> Observed {
    let region = target.spec.region();
    paper.provider().observe(region, std::slice::from_ref(target)).await.expect("observe").remove(0)
}

fn why(seen: &Observed) -> (ErrorClass, &str, &str) {
    match seen {
        Observed::Broken { why, .. } => (why.class, &why.code, &why.message),
        other => panic!("not broken: {other:?}"),
    }
}

// ---------------------------------------------------------------- requests

#[tokio::test]
async fn a_cold_builder_is_one_request() {
    for (arch, file) in [(Arch::X86_64, "run_cold_x86_64.txt"), (Arch::Arm64, "run_cold_arm64.txt")] {
        let spec = machine_spec(arch);
        let pending = Shown { state: "pending", ..Shown::default() };
        let paper = Paper::new([run(&pending.item(&spec))]);
        let seen = paper.provider().ensure(&token(), &target(Spec::Machine(spec), None)).await.expect("ensure");
        assert!(matches!(&seen, Observed::Pending(found) if found.remote.as_str() == MACHINE), "{seen:?}");
        golden(file, &paper.sent().concat());
    }
}

#[tokio::test]
async fn a_builder_for_an_existing_cache_is_run_and_attach() {
    let spec = existing(Arch::X86_64);
    let pending = Shown { state: "pending", cache: None, ..Shown::default() };
    let paper = Paper::new([run(&pending.item(&spec)), attachment("attaching")]);
    let provider = paper.provider();
    provider.ensure(&token(), &target(Spec::Machine(spec), None)).await.expect("ensure");
    let seen = provider.ensure(&token(), &tie()).await.expect("attach");
    assert!(matches!(seen, Observed::Pending(_)), "{seen:?}");
    golden("run_existing_and_attach.txt", &paper.sent().concat());
}

#[tokio::test]
async fn the_first_key_is_made_finished_and_read_back() {
    let none = Answer::kms_error("NotFoundException");
    let paper = Paper::new([none, account(), key(KEY, "Enabled"), Answer::ok(""), Answer::ok(""), rotation(true)]);
    let seen = paper.provider().ensure(&token(), &the_key(None)).await.expect("ensure");
    assert!(matches!(&seen, Observed::Ready(found) if found.remote.as_str() == KEY), "{seen:?}");
    golden("key_first.txt", &paper.sent().concat());
}

#[tokio::test]
async fn a_machines_life_is_one_request_a_step() {
    let paper = Paper::new([
        changes("StopInstances", "stopping"),
        changes("StartInstances", "pending"),
        changes("TerminateInstances", "shutting-down"),
        detachment("detaching"),
        Answer::ok("<DeleteVolumeResponse><return>true</return></DeleteVolumeResponse>"),
    ]);
    let provider = paper.provider();
    provider.power(&token(), &machine(Some(MACHINE)), Power::Stopped).await.expect("stop");
    provider.power(&token(), &machine(Some(MACHINE)), Power::Running).await.expect("start");
    let seen = provider.remove(&token(), &machine(Some(MACHINE))).await.expect("terminate");
    assert!(matches!(seen, Observed::Leaving(_)), "{seen:?}");
    let seen = provider.remove(&token(), &tie()).await.expect("detach");
    assert!(matches!(seen, Observed::Leaving(_)), "{seen:?}");
    provider.remove(&token(), &cache(Some(CACHE))).await.expect("delete");
    golden("stop_start_terminate_detach_delete.txt", &paper.sent().concat());
}

#[tokio::test]
async fn a_key_is_scheduled_and_loses_its_alias() {
    let paper = Paper::new([key(KEY, "Enabled"), Answer::ok("{}"), Answer::ok("")]);
    let seen = paper.provider().remove(&token(), &the_key(Some(KEY))).await.expect("remove");
    assert!(matches!(seen, Observed::Leaving(_)), "{seen:?}");
    golden("key_remove.txt", &paper.sent().concat());
}

// ---------------------------------------------------------------- keys

#[tokio::test]
async fn a_key_that_has_its_alias_costs_two_calls() {
    let paper = Paper::new([key(KEY, "Enabled"), rotation(true)]);
    let seen = paper.provider().ensure(&token(), &the_key(None)).await.expect("ensure");
    assert!(matches!(seen, Observed::Ready(_)), "{seen:?}");
    assert_eq!(paper.calls(), ["DescribeKey", "GetKeyRotationStatus"]);
}

#[tokio::test]
async fn a_lost_race_for_the_alias_gives_up_only_the_new_key() {
    let paper = Paper::new([
        Answer::kms_error("NotFoundException"),
        account(),
        key(OTHER_KEY, "Enabled"),
        Answer::ok(""),
        Answer::kms_error("AlreadyExistsException"),
        key(KEY, "Enabled"),
        Answer::ok("{}"),
        rotation(true),
    ]);
    let seen = paper.provider().ensure(&token(), &the_key(None)).await.expect("ensure");
    assert!(matches!(&seen, Observed::Ready(found) if found.remote.as_str() == KEY), "{seen:?}");
    let sent = paper.sent();
    assert!(sent[6].starts_with("ScheduleKeyDeletion") && sent[6].contains("99999999-2222"), "{}", sent[6]);
}

#[tokio::test]
async fn a_key_from_before_is_never_given_up_for_the_winner() {
    let paper = Paper::new([
        Answer::kms_error("NotFoundException"),
        key(OTHER_KEY, "Enabled"),
        Answer::ok(""),
        Answer::ok(""),
        Answer::kms_error("AlreadyExistsException"),
        key(KEY, "Enabled"),
        rotation(true),
    ]);
    let seen = paper.provider().ensure(&token(), &the_key(Some(OTHER_KEY))).await.expect("ensure");
    assert!(matches!(&seen, Observed::Ready(found) if found.remote.as_str() == KEY), "{seen:?}");
    assert!(!paper.calls().contains(&"ScheduleKeyDeletion".to_owned()));
}

#[tokio::test]
async fn a_key_that_was_made_is_told_of_whatever_comes_after() {
    for class in ["ThrottlingException", "AccessDeniedException", "KMSInternalException"] {
        let none = Answer::kms_error("NotFoundException");
        let paper = Paper::new([none, account(), key(KEY, "Enabled"), Answer::kms_error(class)]);
        let seen = paper.provider().ensure(&token(), &the_key(None)).await.expect("ensure");
        assert!(matches!(&seen, Observed::Pending(found) if found.remote.as_str() == KEY), "{seen:?}");
    }
}

#[tokio::test]
async fn a_key_that_can_not_be_used_is_diagnosed() {
    for state in ["Disabled", "PendingDeletion", "PendingImport", "Unavailable"] {
        let paper = Paper::new([key(KEY, state)]);
        let seen = look(&paper, &the_key(Some(KEY))).await;
        let (class, code, message) = why(&seen);
        assert_eq!((class, code), (ErrorClass::KeyUnusable, state));
        assert!(message.contains(KEY), "{message}");
        let paper = Paper::new([key(KEY, state)]);
        let seen = paper.provider().ensure(&token(), &the_key(None)).await.expect("ensure");
        assert_eq!(why(&seen).0, ErrorClass::KeyUnusable);
    }
    let paper = Paper::new([Answer::kms_error("AccessDeniedException")]);
    assert_eq!(why(&look(&paper, &the_key(Some(KEY))).await).0, ErrorClass::KeyUnusable);
    // Without its alias, a dying key is on its way out.
    let paper = Paper::new([Answer::kms_error("NotFoundException"), key(KEY, "PendingDeletion")]);
    assert!(matches!(look(&paper, &the_key(Some(KEY))).await, Observed::Leaving(_)));
}

#[tokio::test]
async fn a_stray_key_is_found_by_its_tags_and_finished() {
    let tags = format!(
        r#"{{"Tags":[{{"TagKey":"provisioner:deployment","TagValue":"prod"}},{{"TagKey":"provisioner:resource","TagValue":"{}"}}],"Truncated":false}}"#,
        id("key")
    );
    let paper = Paper::new([
        Answer::kms_error("NotFoundException"),
        Answer::ok(
            r#"{"Aliases":[{"AliasName":"alias/x","TargetKeyId":"k-named"}],"Truncated":true,"NextMarker":"m"}"#,
        ),
        Answer::ok(r#"{"Aliases":[],"Truncated":false}"#),
        Answer::ok(
            r#"{"Keys":[{"KeyId":"k-named","KeyArn":"a"},{"KeyId":"k-other","KeyArn":"b"}],"Truncated":true,"NextMarker":"m"}"#,
        ),
        Answer::ok(r#"{"Tags":[],"Truncated":false}"#),
        Answer::ok(r#"{"Keys":[{"KeyId":"k-dying","KeyArn":"c"},{"KeyId":"k-ours","KeyArn":"d"}],"Truncated":false}"#),
        Answer::ok(tags.clone()),
        key(OTHER_KEY, "PendingDeletion"),
        Answer::ok(tags),
        key(KEY, "Enabled"),
    ]);
    let seen = look(&paper, &the_key(None)).await;
    assert!(matches!(&seen, Observed::Pending(found) if found.remote.as_str() == KEY), "{seen:?}");
    paper.sent();
    let none = Answer::kms_error("NotFoundException");
    paper.answer([none, key(KEY, "Enabled"), Answer::ok(""), Answer::ok(""), Answer::ok(""), rotation(true)]);
    paper.provider().ensure(&token(), &the_key(Some(KEY))).await.expect("ensure");
    let expected =
        ["DescribeKey", "DescribeKey", "EnableKeyRotation", "TagResource", "CreateAlias", "GetKeyRotationStatus"];
    assert_eq!(paper.calls(), expected);
}

#[tokio::test]
async fn removing_a_key_goes_on_where_it_was_cut() {
    // Scheduled, and the alias still there.
    let paper = Paper::new([key(KEY, "PendingDeletion"), Answer::ok("")]);
    assert!(matches!(paper.provider().remove(&token(), &the_key(Some(KEY))).await, Ok(Observed::Leaving(_))));
    assert_eq!(paper.calls(), ["DescribeKey", "DeleteAlias"]);
    // All done.
    let paper = Paper::new([Answer::kms_error("NotFoundException"), key(KEY, "PendingDeletion")]);
    assert!(matches!(paper.provider().remove(&token(), &the_key(Some(KEY))).await, Ok(Observed::Leaving(_))));
    assert_eq!(paper.calls(), ["DescribeKey", "DescribeKey"]);
    // Another key has the alias by now: it keeps it.
    let paper = Paper::new([key(OTHER_KEY, "Enabled"), key(KEY, "Enabled"), Answer::ok("{}")]);
    assert!(matches!(paper.provider().remove(&token(), &the_key(Some(KEY))).await, Ok(Observed::Leaving(_))));
    assert_eq!(paper.calls(), ["DescribeKey", "DescribeKey", "ScheduleKeyDeletion"]);
}

// ---------------------------------------------------------------- machines

#[tokio::test]
async fn waiting_is_one_describe_and_the_volumes_are_read_once() {
    let spec = machine_spec(Arch::X86_64);
    let targets: Vec<Target> = (0..20).map(|_| machine(Some(MACHINE))).collect();
    let pending = Shown { state: "pending", ..Shown::default() }.item(&spec);
    let running = Shown::default().item(&spec);
    let paper = Paper::new([
        instances(&[pending], ""),
        instances(std::slice::from_ref(&running), ""),
        good_volumes(),
        instances(&[running], ""),
    ]);
    let provider = paper.provider();
    for expected in [vec!["DescribeInstances"], vec!["DescribeInstances", "DescribeVolumes"], vec!["DescribeInstances"]]
    {
        let seen = provider.observe(region("us-east-1"), &targets).await.expect("observe");
        assert_eq!(seen.len(), 20);
        assert_eq!(paper.calls(), expected);
        match &seen[19] {
            Observed::Pending(_) if expected.len() == 1 => {}
            Observed::Ready(found) => {
                assert_eq!(found.power, Some(Power::Running));
                assert_eq!(found.address.as_deref(), Some("10.0.0.7"));
                assert_eq!(found.cache.as_ref().map(RemoteId::as_str), Some(CACHE));
            }
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn what_is_not_as_specified_is_broken() {
    let good = Shown::default;
    let cases = [
        (Shown { zone: "us-east-1b", ..good() }, "WrongZone"),
        (Shown { arch: "arm64", ..good() }, "WrongArchitecture"),
        (Shown { tokens: "optional", ..good() }, "MetadataOpen"),
        (Shown { org: "globex", ..good() }, "WrongTags"),
        (Shown { root_device: "/dev/sda1", ..good() }, "WrongRootDevice"),
        (Shown { cache_ends: true, ..good() }, "CacheNotKept"),
    ];
    for (shown, code) in cases {
        let paper = Paper::new([instances(&[shown.item(&machine_spec(Arch::X86_64))], ""), good_volumes()]);
        let seen = look(&paper, &machine(Some(MACHINE))).await;
        assert_eq!((why(&seen).0, why(&seen).1), (ErrorClass::Invalid, code));
    }
    let spec = machine_spec(Arch::X86_64);
    for (root, cache, code) in [
        (None, Some(KEY), "NotEncrypted"),
        (Some(KEY), None, "NotEncrypted"),
        (Some(OTHER_KEY), Some(KEY), "WrongKey"),
        (Some(KEY), Some(OTHER_KEY), "WrongKey"),
    ] {
        let disks = [
            volume("vol-0000000000000000a", "in-use", root, Some(MACHINE), true),
            volume(CACHE, "in-use", cache, Some(MACHINE), false),
        ];
        let paper = Paper::new([instances(&[good().item(&spec)], ""), volumes(&disks, "")]);
        assert_eq!(why(&look(&paper, &machine(Some(MACHINE))).await).1, code);
    }
    // Another cache than the one that it was made for.
    let other = Shown { cache: Some("vol-0000000000000bad0"), ..good() };
    let paper = Paper::new([instances(&[other.item(&spec)], ""), good_volumes()]);
    let seen = look(&paper, &target(Spec::Machine(existing(Arch::X86_64)), Some(MACHINE))).await;
    assert_eq!(why(&seen).1, "WrongCache");
}

#[tokio::test]
async fn a_machine_that_died_says_why() {
    for (reason, class) in [
        ("Server.InsufficientInstanceCapacity", Some(ErrorClass::NoCapacity)),
        ("Server.InternalError", Some(ErrorClass::Unavailable)),
        ("Client.InternalError", Some(ErrorClass::KeyUnusable)),
        ("Client.InvalidKMSKey.InvalidState", Some(ErrorClass::KeyUnusable)),
        ("Client.VolumeLimitExceeded", Some(ErrorClass::Quota)),
        ("Client.InvalidSnapshot.NotFound", Some(ErrorClass::Invalid)),
        ("Client.UserInitiatedShutdown", None),
        ("Client.Nonsense", Some(ErrorClass::Unrecognized)),
    ] {
        let dead = Shown { state: "terminated", reason: Some(reason), cache: None, ..Shown::default() };
        let item = dead.item(&machine_spec(Arch::X86_64));
        let paper = Paper::new([instances(std::slice::from_ref(&item), "")]);
        let Observed::Absent { died } = look(&paper, &machine(Some(MACHINE))).await else { panic!("not absent") };
        assert_eq!(died.map(|why| why.class), class, "{reason}");
        // The shadow of an earlier incarnation says nothing of this one.
        let paper = Paper::new([instances(std::slice::from_ref(&item), "")]);
        assert_eq!(look(&paper, &machine(None)).await, Observed::ABSENT);
        // But the reply to this token does.
        let paper = Paper::new([run(&item)]);
        let seen = paper.provider().ensure(&token(), &machine(None)).await.expect("ensure");
        let spent = class.unwrap_or(ErrorClass::Unavailable);
        assert!(matches!(seen, Observed::Absent { died: Some(why) } if why.class == spent));
        // Or its refusal.
        let refusal = Answer::ec2_error(400, "IdempotentInstanceTerminated");
        let paper = Paper::new([refusal, instances(std::slice::from_ref(&item), "")]);
        let seen = paper.provider().ensure(&token(), &machine(None)).await.expect("ensure");
        assert!(matches!(seen, Observed::Absent { died: Some(why) } if why.class == spent));
        assert!(paper.sent()[1].contains("client-token"));
    }
}

#[tokio::test]
async fn a_start_that_the_key_forbade_is_broken_and_a_stop_is_not() {
    let spec = machine_spec(Arch::X86_64);
    let stopped = |reason| Shown { state: "stopped", reason: Some(reason), ..Shown::default() }.item(&spec);
    let paper = Paper::new([instances(&[stopped("Client.InternalError")], ""), good_volumes()]);
    assert_eq!(why(&look(&paper, &machine(Some(MACHINE))).await).0, ErrorClass::KeyUnusable);
    let paper = Paper::new([instances(&[stopped("Client.UserInitiatedShutdown")], ""), good_volumes()]);
    let seen = look(&paper, &machine(Some(MACHINE))).await;
    assert!(matches!(seen, Observed::Ready(found) if found.power == Some(Power::Stopped) && found.address.is_none()));
}

#[tokio::test]
async fn after_a_lost_reply_things_are_found_by_tag() {
    let spec = machine_spec(Arch::X86_64);
    let paper = Paper::new([instances(&[Shown::default().item(&spec)], ""), good_volumes()]);
    let seen = look(&paper, &machine(None)).await;
    assert!(matches!(&seen, Observed::Ready(found) if found.remote.as_str() == MACHINE), "{seen:?}");
    // The machine is gone, and its volumes are left: the root volume is not taken for the cache.
    let left = [
        volume("vol-0000000000000000a", "available", Some(KEY), None, true),
        volume(CACHE, "available", Some(KEY), None, false),
    ];
    let paper = Paper::new([volumes(&left, "")]);
    let seen = look(&paper, &cache(None)).await;
    assert!(matches!(&seen, Observed::Ready(found) if found.remote.as_str() == CACHE), "{seen:?}");
    let paper = Paper::new([volumes(&left, ""), Answer::ok("<DeleteVolumeResponse/>")]);
    paper.provider().remove(&token(), &cache(None)).await.expect("remove");
    assert!(paper.sent()[1].contains(CACHE));
    // Two where there should be one is never decided by us.
    let two = [Shown::default().item(&spec), Shown { id: "i-00000000000000002", ..Shown::default() }.item(&spec)];
    let paper = Paper::new([instances(&two, ""), good_volumes()]);
    assert_eq!(why(&look(&paper, &machine(None)).await).1, "Duplicate");
}

#[tokio::test]
async fn absence_is_success_and_use_is_a_conflict() {
    let gone = || Answer::ec2_error(400, "InvalidInstanceID.NotFound");
    let paper = Paper::new([gone(), gone(), Answer::ec2_error(400, "InvalidVolume.NotFound")]);
    let provider = paper.provider();
    assert_eq!(provider.remove(&token(), &machine(Some(MACHINE))).await, Ok(Observed::ABSENT));
    assert_eq!(provider.power(&token(), &machine(Some(MACHINE)), Power::Stopped).await, Ok(Observed::ABSENT));
    assert_eq!(provider.remove(&token(), &cache(Some(CACHE))).await, Ok(Observed::ABSENT));
    paper.answer([Answer::ec2_error(400, "VolumeInUse")]);
    let error = provider.remove(&token(), &cache(Some(CACHE))).await.expect_err("attached");
    assert_eq!(error.class(), ErrorClass::Conflict);
    // Detaching what is not attached.
    let free = volumes(&[volume(CACHE, "available", Some(KEY), None, false)], "");
    paper.answer([Answer::ec2_error(400, "IncorrectState"), free]);
    assert_eq!(provider.remove(&token(), &tie()).await, Ok(Observed::ABSENT));
    // Attaching twice is attaching once.
    let held = volumes(&[volume(CACHE, "in-use", Some(KEY), Some(MACHINE), false)], "");
    paper.answer([Answer::ec2_error(400, "VolumeInUse"), held]);
    assert!(matches!(provider.ensure(&token(), &tie()).await, Ok(Observed::Ready(_))));
    let elsewhere = volumes(&[volume(CACHE, "in-use", Some(KEY), Some("i-0000000000000000f"), false)], "");
    paper.answer([Answer::ec2_error(400, "VolumeInUse"), elsewhere]);
    assert_eq!(provider.ensure(&token(), &tie()).await.expect_err("held").class(), ErrorClass::Conflict);
}

// ---------------------------------------------------------------- errors

#[tokio::test]
async fn errors_get_their_class_from_code_and_status() {
    let cut = Answer::ok("<RunInstances");
    let slow = Answer { headers: vec![("retry-after", "3")], ..Answer::ec2_error(503, "RequestLimitExceeded") };
    let blank = |status| Answer { status, headers: Vec::new(), body: String::new() };
    for (answer, class, code) in [
        (slow, ErrorClass::Throttled, "RequestLimitExceeded"),
        (
            Answer::ec2_error(500, "InsufficientInstanceCapacity"),
            ErrorClass::NoCapacity,
            "InsufficientInstanceCapacity",
        ),
        (Answer::ec2_error(500, "SomethingNew"), ErrorClass::Unavailable, "SomethingNew"),
        (Answer::ec2_error(400, "SomethingNew"), ErrorClass::Unrecognized, "SomethingNew"),
        (Answer::ec2_error(400, "IdempotentParameterMismatch"), ErrorClass::Conflict, "IdempotentParameterMismatch"),
        (Answer::ec2_error(403, "UnauthorizedOperation"), ErrorClass::Denied, "UnauthorizedOperation"),
        (Answer::ec2_error(400, "KMS.DisabledException"), ErrorClass::KeyUnusable, "KMS.DisabledException"),
        (blank(502), ErrorClass::Unavailable, "HTTP 502"),
        (blank(429), ErrorClass::Throttled, "HTTP 429"),
        (blank(404), ErrorClass::Unrecognized, "HTTP 404"),
        (cut, ErrorClass::Ambiguous, "Unreadable"),
        (Answer::ok(""), ErrorClass::Ambiguous, "Unreadable"),
    ] {
        let throttled = class == ErrorClass::Throttled && code != "HTTP 429";
        let paper = Paper::new([answer]);
        let error = paper.provider().ensure(&token(), &machine(None)).await.expect_err(code);
        assert_eq!((error.class(), error.trouble.code.as_str()), (class, code), "{error}");
        assert_eq!(error.call, "ec2:RunInstances");
        assert_eq!(error.retry_after_ms, throttled.then_some(3000));
        assert!(error.trouble.message.contains("machine of acme/web in us-east-1"), "{error}");
        assert_eq!(paper.calls().len(), 1, "{code} was tried again");
    }
}

#[tokio::test]
async fn an_endpoint_that_is_not_there_is_told_from_one_that_does_not_answer() {
    use aws_credential_types::{Credentials, provider::SharedCredentialsProvider};
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("listen");
    let silent = format!("http://{}", listener.local_addr().expect("address"));
    let closed = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("listen");
    let refusing = format!("http://{}", closed.local_addr().expect("address"));
    drop(closed);
    let ask = async |endpoint: &str, credentials: bool| {
        let builder = aws_config::defaults(aws_config::BehaviorVersion::v2026_01_12()).endpoint_url(endpoint);
        let known = Credentials::new("AKIDTEST", "secret", None, None, "test");
        let sdk = match credentials {
            true => builder.credentials_provider(known).load().await,
            false => {
                let none = aws_config::environment::EnvironmentVariableCredentialsProvider::new();
                let sdk = builder.no_credentials().load().await.to_builder();
                sdk.credentials_provider(SharedCredentialsProvider::new(none)).build()
            }
        };
        let config = AwsConfig { call_timeout_secs: 1, ..config() };
        let provider = AwsProvider::with_sdk("prod", config, sdk).expect("provider");
        provider.ensure(&token(), &machine(None)).await.expect_err("no answer")
    };
    let error = ask(&refusing, true).await;
    assert_eq!((error.class(), error.trouble.code.as_str()), (ErrorClass::Unavailable, "ConnectionRefused"), "{error}");
    let error = ask(&silent, true).await;
    assert_eq!((error.class(), error.trouble.code.as_str()), (ErrorClass::Ambiguous, "Timeout"), "{error}");
    let error = ask(&silent, false).await;
    assert_eq!((error.class(), error.trouble.code.as_str()), (ErrorClass::Denied, "CredentialsMissing"), "{error}");
    // It answers with a closed connection after it has read the request.
    let server = tokio::spawn(async move {
        use tokio::io::AsyncReadExt;
        loop {
            let (mut stream, _) = listener.accept().await.expect("accept");
            let _ = stream.read(&mut [0; 4096]).await;
        }
    });
    let error = ask(&silent, true).await;
    assert_eq!(error.class(), ErrorClass::Ambiguous, "{error}");
    server.abort();
}

// ---------------------------------------------------------------- listing

#[tokio::test]
async fn a_listing_goes_through_machines_volumes_snapshots_and_keys() {
    let spec = machine_spec(Arch::X86_64);
    let tags = format!(
        r#"{{"Tags":[{{"TagKey":"provisioner:deployment","TagValue":"prod"}},{{"TagKey":"provisioner:organization","TagValue":"acme"}},{{"TagKey":"provisioner:resource","TagValue":"{}"}}],"Truncated":false}}"#,
        id("key")
    );
    let paper = Paper::new([
        instances(&[Shown::default().item(&spec)], "more"),
        instances(&[], ""),
        volumes(
            &[
                volume("vol-0000000000000000a", "in-use", Some(KEY), Some(MACHINE), true),
                volume(CACHE, "in-use", Some(KEY), Some(MACHINE), false),
                volume("vol-0000000000000000b", "available", Some(KEY), None, true),
            ],
            "",
        ),
        Answer::ok(
            r#"<DescribeSnapshotsResponse xmlns="http://ec2.amazonaws.com/doc/2016-11-15/"><snapshotSet><item>
            <snapshotId>snap-0000000000000000a</snapshotId><volumeSize>20</volumeSize><encrypted>false</encrypted>
            <startTime>2026-01-01T00:00:00.000Z</startTime><tagSet><item><key>provisioner:deployment</key>
            <value>prod</value></item></tagSet></item></snapshotSet></DescribeSnapshotsResponse>"#,
        ),
        Answer::ok(r#"{"Keys":[{"KeyId":"k-foreign","KeyArn":"a"},{"KeyId":"k","KeyArn":"b"}],"Truncated":false}"#),
        Answer::ok(r#"{"Tags":[],"Truncated":false}"#),
        Answer::ok(tags),
        key(KEY, "Enabled"),
    ]);
    let provider = paper.provider();
    let (mut things, mut page, mut pages) = (Vec::new(), None, 0);
    loop {
        let listing = provider.list(region("us-east-1"), page).await.expect("list");
        things.extend(listing.things);
        pages += 1;
        page = listing.next;
        if page.is_none() {
            break;
        }
    }
    assert_eq!(pages, 5);
    let told: Vec<_> = things.iter().map(|it| (it.kind, it.id, it.found.remote.as_str())).collect();
    let expected = [
        (Kind::Machine, Some(id("machine")), MACHINE),
        (Kind::Volume, Some(id("cache")), CACHE),
        (Kind::Volume, None, "vol-0000000000000000b"),
        (Kind::Snapshot, None, "snap-0000000000000000a"),
        (Kind::Key, Some(id("key")), KEY),
    ];
    assert_eq!(told, expected);
    assert_eq!(things[0].created_ms, Some(1_767_225_600_000));
    let nonsense = provider.list(region("us-east-1"), Some(PageToken("nonsense".to_owned()))).await;
    assert_eq!(nonsense.expect_err("no page").class(), ErrorClass::Invalid);
}

// ---------------------------------------------------------------- configuration

#[tokio::test]
async fn what_is_not_configured_is_named_before_any_call() {
    let paper = Paper::new([]);
    let provider = paper.provider();
    let named = |spec: MachineSpec| match provider.check(&Spec::Machine(spec)) {
        Err(error) if error.class() == ErrorClass::Invalid => error.trouble.message,
        other => panic!("{other:?}"),
    };
    let cache = CacheSource::Existing { id: id("cache"), remote: RemoteId::from(CACHE) };
    let spec = MachineSpec { cache, ..machine_spec(Arch::X86_64) };
    let zone = MachineSpec { placement: place("us-east-1b"), ..spec.clone() };
    assert!(named(zone).contains("aws.regions.us-east-1.subnets.us-east-1b"));
    let eu = MachineSpec { placement: place("eu-central-1b"), ..spec.clone() };
    assert!(named(eu.clone()).contains("aws.regions.eu-central-1.images.x86_64"));
    let key = MachineSpec { machine: support::machine_type(Arch::Arm64), ..eu };
    assert!(named(key).contains("is not the ARN of a KMS key in eu-central-1"));
    let mut shape = volume_spec(Arch::X86_64);
    shape.shape.throughput_mibps = Some(3000);
    assert!(named(MachineSpec { cache: CacheSource::Born(shape), ..spec }).contains("gp3 can't be"));
    let zones = provider.zones();
    assert_eq!(zones.iter().map(|zone| zone.name()).collect::<Vec<_>>(), ["eu-central-1b", "us-east-1a"]);
    assert!(paper.calls().is_empty());
}

#[test]
fn a_configuration_that_can_not_be_right_names_its_key() {
    let cases = [
        ("regions.us-east-1", "regions.eu-west-2", "aws.regions.eu-west-2: aws region `eu-west-2` is refused"),
        ("regions.us-east-1", "regions.mars-1", "aws.regions.mars-1: unknown aws region"),
        ("us-east-1a =", "us-east-1z =", "aws.regions.us-east-1.subnets.us-east-1z: unknown zone"),
        ("subnet-0123456789abcdef0", "sub-1", "aws.regions.us-east-1.subnets.us-east-1a: `sub-1` is not"),
        ("sg-0123456789abcdef0", "default", "aws.regions.us-east-1.security_groups: `default` is not"),
        ("[\"sg-0123456789abcdef0\"]", "[]", "aws.regions.us-east-1.security_groups: needs at least one"),
        ("ami-0123456789abcdef0", "ubuntu", "aws.regions.us-east-1.images.x86_64: `ubuntu` is neither"),
        ("resolve:ssm:/aws/service", "resolve:ssm:what is", "aws.regions.us-east-1.images.arm64: `what is"),
        ("x86_64 =", "sparc =", "aws.regions.us-east-1.images.sparc: unknown architecture"),
        ("/dev/sda1", "/dev/sdf", "aws.regions.eu-central-1.root_device: `/dev/sdf` is not"),
        ("= \"builder\"", "= \"arn:aws:iam::1:x/builder\"", "aws.regions.us-east-1.instance_profile: `arn:"),
        ("\n[regions.us-east-1]", "key_deletion_days = 3\n[regions.us-east-1]", "aws.key_deletion_days: must be"),
        ("\n[regions.us-east-1]", "call_timeout_secs = 0\n[regions.us-east-1]", "aws.call_timeout_secs: must be"),
    ];
    for (from, to, expected) in cases {
        let text = CONFIG.replace(from, to);
        let config: AwsConfig = toml::from_str(&text).unwrap_or_else(|error| panic!("{to}: {error}"));
        let error = AwsProvider::new("prod", config).expect_err(to).to_string();
        assert!(error.starts_with(expected), "{error}");
    }
    for unknown in ["colour = 1\n", "[regions.us-east-1]\nsecurity_groups = []\nkeypair = \"k\"\n"] {
        let error = toml::from_str::<AwsConfig>(unknown).expect_err(unknown).to_string();
        assert!(error.contains("unknown field"), "{error}");
    }
    assert!(AwsProvider::new("a/b", config()).expect_err("deployment").to_string().starts_with("deployment: "));
    assert_eq!(config().validate(), Ok(()));
}
