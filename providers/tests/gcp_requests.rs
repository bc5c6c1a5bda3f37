//! What goes over the wire to Google, to the letter, and what is concluded from what comes back.
//!
//! The answers are on paper: a server on loopback that gives them in order and keeps what it was asked.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use providers::gcp::{GcpConfig, GcpProvider, GcpRegionConfig};
use providers::{
    CacheSource, ErrorClass, KeySpec, MachineSpec, Observed, Owner, Power, Provider, RemoteId, ResourceId, Spec,
    Target, Token, VolumeShape, VolumeSpec,
};
use regions::{Arch, Cloud, Placement, Region, Size, SsdKind};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use uuid::Uuid;

const KEY: &str = "projects/acme-builds/locations/europe-west3/keyRings/provisioner-prod/cryptoKeys/acme-0123456789ab";
const ZONE: &str = "projects/acme-builds/zones/europe-west3-a";
/// 2026-11-23T00:00:00Z.
const NOW_MS: i64 = 1_795_392_000_000;

/// A request: method and path, query, body.
#[derive(Clone, Debug)]
struct Asked {
    line: String,
    query: Vec<String>,
    body: Value,
    credentials: Option<String>,
}

/// An answer: status, further headers, body.
type Answer = (u16, &'static str, String);

#[derive(Clone, Default)]
struct Paper {
    answers: Arc<Mutex<VecDeque<Answer>>>,
    asked: Arc<Mutex<Vec<Asked>>>,
}

impl Paper {
    fn answer(&self, status: u16, body: &Value) {
        self.answers.lock().expect("answers").push_back((status, "", body.to_string()));
    }

    fn raw(&self, answer: Answer) {
        self.answers.lock().expect("answers").push_back(answer);
    }

    fn asked(&self) -> Vec<Asked> {
        std::mem::take(&mut *self.asked.lock().expect("asked"))
    }

    async fn serve(self, listener: TcpListener) {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(self.clone().talk(stream));
        }
    }

    async fn talk(self, mut stream: TcpStream) {
        let mut bytes = Vec::new();
        loop {
            let head = loop {
                if let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
                    break end + 4;
                }
                if stream.read_buf(&mut bytes).await.unwrap_or(0) == 0 {
                    return;
                }
            };
            let text = String::from_utf8_lossy(&bytes[..head]).into_owned();
            let header = |name: &str| {
                let lines = text.lines().filter_map(|line| line.split_once(':'));
                let mut found = lines.filter(|(key, _)| key.eq_ignore_ascii_case(name));
                found.next().map(|(_, value)| value.trim().to_owned())
            };
            let length: usize = header("content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
            while bytes.len() < head + length {
                if stream.read_buf(&mut bytes).await.unwrap_or(0) == 0 {
                    return;
                }
            }
            let body = serde_json::from_slice(&bytes[head..head + length]).unwrap_or(Value::Null);
            let mut words = text.split_whitespace();
            let (method, target) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
            let (path, query) = target.split_once('?').unwrap_or((target, ""));
            // What the client adds to every request says nothing about ours.
            let mut query: Vec<String> = query
                .split('&')
                .filter(|part| !part.is_empty() && !part.starts_with('$') && !part.starts_with("%24"))
                .map(ToOwned::to_owned)
                .collect();
            query.sort_unstable();
            let asked = Asked { line: format!("{method} {path}"), query, body, credentials: header("authorization") };
            self.asked.lock().expect("asked").push(asked);
            let answer = self.answers.lock().expect("answers").pop_front();
            let Some((status, headers, body)) = answer else { return };
            let reply = format!(
                "HTTP/1.1 {status} Said\r\ncontent-type: application/json\r\n{headers}content-length: {}\r\n\r\n{body}",
                body.len()
            );
            if stream.write_all(reply.as_bytes()).await.is_err() {
                return;
            }
            bytes.drain(..head + length);
        }
    }
}

async fn provider(change: impl FnOnce(&mut GcpConfig)) -> (Paper, GcpProvider) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let mut config = GcpConfig::new("acme-builds");
    config.endpoint = Some(format!("http://{}", listener.local_addr().expect("an address")));
    config.project_number = Some(123_456_789_012);
    let image = |arch: &str| format!("projects/debian-cloud/global/images/family/debian-12-{arch}");
    config.images = [("x86_64", "amd64"), ("arm64", "arm64")].map(|(arch, name)| (arch.to_owned(), image(name))).into();
    let section = GcpRegionConfig { subnetwork: "builders".to_owned(), ..GcpRegionConfig::default() };
    config.regions.insert("europe-west3".to_owned(), section);
    change(&mut config);
    let paper = Paper::default();
    tokio::spawn(paper.clone().serve(listener));
    (paper, GcpProvider::new("prod", config, Arc::new(|| NOW_MS)).expect("a provider"))
}

fn id(role: &str) -> ResourceId {
    ResourceId::derive(Uuid::from_u128(7), role)
}

fn token() -> Token {
    Token::derive(id("machine"), 1)
}

fn owner() -> Owner {
    Owner { org: "acme".to_owned(), project: Some("web".to_owned()) }
}

fn place() -> Placement {
    let region = Region::find(Cloud::Gcp, "europe-west3").expect("a region");
    Placement::check(region.residency(), region.zone("europe-west3-a").expect("a zone")).expect("a placement")
}

fn cache() -> VolumeSpec {
    let shape =
        VolumeShape { ssd: SsdKind::HyperdiskBalanced, size_gib: 100, iops: Some(6_000), throughput_mibps: Some(300) };
    let key = RemoteId::from(KEY);
    VolumeSpec { id: id("cache"), owner: owner(), placement: place(), arch: Arch::Arm64, shape, key }
}

fn machine(cache: CacheSource) -> MachineSpec {
    let machine = regions::machine_types(Cloud::Gcp, Arch::Arm64, Size::S16x32).next().expect("a type");
    MachineSpec {
        id: id("machine"),
        owner: owner(),
        placement: place(),
        machine,
        root_gib: 30,
        key: RemoteId::from(KEY),
        cache,
    }
}

fn target(spec: MachineSpec) -> Target {
    Target { spec: Spec::Machine(spec), remote: None }
}

fn operation(more: &Value) -> Value {
    let mut operation = json!({
        "kind": "compute#operation", "id": "1", "name": "operation-1", "operationType": "insert", "status": "RUNNING",
    });
    for (key, value) in more.as_object().into_iter().flatten() {
        operation[key] = value.clone();
    }
    operation
}

/// The names that our ids make: of the machine, of its root and of its cache. They never change, because what stands in the
/// cloud is found by them.
fn names(spec: &MachineSpec) -> (String, String, String) {
    let name = |kind: &str, id: ResourceId| format!("{kind}-{}", Uuid::new_v5(&id.as_uuid(), b"prod").simple());
    (name("builder", spec.id), name("root", spec.id), name("cache", id("cache")))
}

#[tokio::test]
async fn a_cold_builder_is_this_one_request() {
    let (paper, provider) = provider(|_| {}).await;
    paper.answer(200, &operation(&json!({})));
    let spec = machine(CacheSource::Born(cache()));
    let (builder, root, disk) = names(&spec);
    let seen = provider.ensure(&token(), &target(spec.clone())).await.expect("made");
    let Observed::Pending(found) = seen else { panic!("{seen:?}") };
    assert_eq!(found.remote.as_str(), format!("{ZONE}/instances/{builder}"));
    let asked = paper.asked();
    assert_eq!(asked.len(), 1, "{asked:?}");
    assert_eq!(asked[0].line, format!("POST /compute/v1/{ZONE}/instances"));
    assert_eq!(asked[0].query, [format!("requestId={}", token().as_str())]);
    assert_eq!(asked[0].credentials.as_deref(), Some("Bearer emulated"), "never a real credential in the clear");
    let ours = json!({
        "provisioner-deployment": "prod", "provisioner-organization": "acme", "provisioner-project": "web",
        "provisioner-arch": "arm64",
    });
    let labels = |more: &[(&str, String)]| {
        let mut labels = ours.clone();
        more.iter().for_each(|(key, value)| labels[*key] = json!(value));
        labels
    };
    let expected = json!({
        "name": builder,
        "machineType": "zones/europe-west3-a/machineTypes/c4a-highcpu-16",
        "labels": labels(&[("provisioner-resource", spec.id.to_string()), ("provisioner-cache", id("cache").to_string())]),
        "disks": [
            {
                "boot": true, "type": "PERSISTENT", "mode": "READ_WRITE", "autoDelete": true,
                "diskEncryptionKey": { "kmsKeyName": KEY },
                "initializeParams": {
                    "diskName": root, "diskSizeGb": "30",
                    "diskType": "zones/europe-west3-a/diskTypes/hyperdisk-balanced",
                    "sourceImage": "projects/debian-cloud/global/images/family/debian-12-arm64",
                    "labels": labels(&[("provisioner-machine", spec.id.to_string())]),
                },
            },
            {
                "boot": false, "type": "PERSISTENT", "mode": "READ_WRITE", "autoDelete": false, "deviceName": "cache",
                "diskEncryptionKey": { "kmsKeyName": KEY },
                "initializeParams": {
                    "diskName": disk, "diskSizeGb": "100", "provisionedIops": "6000", "provisionedThroughput": "300",
                    "diskType": "zones/europe-west3-a/diskTypes/hyperdisk-balanced",
                    "labels": labels(&[("provisioner-cache", id("cache").to_string())]),
                },
            },
        ],
        "networkInterfaces": [{ "subnetwork": "projects/acme-builds/regions/europe-west3/subnetworks/builders" }],
        "metadata": { "items": [
            { "key": "enable-oslogin", "value": "TRUE" }, { "key": "block-project-ssh-keys", "value": "TRUE" },
        ] },
        "shieldedInstanceConfig": { "enableSecureBoot": true, "enableVtpm": true, "enableIntegrityMonitoring": true },
    });
    assert_eq!(asked[0].body, expected);
}

#[tokio::test]
async fn what_the_configuration_adds_is_there_and_nothing_else() {
    let (paper, provider) = provider(|config| {
        config.external_ip = true;
        config.service_account = Some("builder@acme-builds.iam.gserviceaccount.com".to_owned());
        config.scopes = vec!["https://www.googleapis.com/auth/logging.write".to_owned()];
        config.network_tags = vec!["builders".to_owned()];
    })
    .await;
    paper.answer(200, &operation(&json!({})));
    let remote = RemoteId(format!("{ZONE}/disks/cache-of-before"));
    let spec = machine(CacheSource::Existing { id: id("cache"), remote: remote.clone() });
    provider.ensure(&token(), &target(spec)).await.expect("made");
    let body = paper.asked().remove(0).body;
    assert_eq!(
        body["disks"][1],
        json!({
            "boot": false, "type": "PERSISTENT", "mode": "READ_WRITE", "autoDelete": false, "deviceName": "cache",
            "source": remote.as_str(),
        }),
        "a cache that exists comes with the same call"
    );
    assert_eq!(
        body["networkInterfaces"][0]["accessConfigs"],
        json!([{ "name": "External NAT", "type": "ONE_TO_ONE_NAT" }])
    );
    assert_eq!(body["tags"], json!({ "items": ["builders"] }));
    assert_eq!(
        body["serviceAccounts"],
        json!([{
            "email": "builder@acme-builds.iam.gserviceaccount.com",
            "scopes": ["https://www.googleapis.com/auth/logging.write"],
        }])
    );
}

#[tokio::test]
async fn every_change_has_the_request_id_of_its_attempt() {
    let (paper, provider) = provider(|_| {}).await;
    let spec = machine(CacheSource::Born(cache()));
    let (builder, _, disk) = names(&spec);
    let attempt = |n: u32| Token::of_attempt(id("machine"), &n.to_string());
    for _ in 0..4 {
        paper.answer(200, &operation(&json!({})));
    }
    let target = target(spec);
    provider.power(&attempt(1), &target, Power::Stopped).await.expect("stopped");
    provider.power(&attempt(2), &target, Power::Running).await.expect("started");
    provider.remove(&attempt(3), &target).await.expect("deleted");
    let volume = Target { spec: Spec::Volume(cache()), remote: None };
    provider.remove(&attempt(4), &volume).await.expect("deleted");
    let lines: Vec<(String, Vec<String>)> = paper.asked().into_iter().map(|asked| (asked.line, asked.query)).collect();
    let wanted = [
        format!("POST /compute/v1/{ZONE}/instances/{builder}/stop"),
        format!("POST /compute/v1/{ZONE}/instances/{builder}/start"),
        format!("DELETE /compute/v1/{ZONE}/instances/{builder}"),
        format!("DELETE /compute/v1/{ZONE}/disks/{disk}"),
    ];
    for (n, ((line, query), wanted)) in (1..).zip(lines.iter().zip(&wanted)) {
        assert_eq!(line, wanted);
        assert_eq!(query, &[format!("requestId={}", attempt(n).as_str())]);
    }
    assert_eq!(lines.len(), 4);
}

#[tokio::test]
async fn a_key_is_made_rotating_and_for_compute_engine_alone() {
    let (paper, provider) = provider(|_| {}).await;
    let region = Region::find(Cloud::Gcp, "europe-west3").expect("a region");
    let spec = KeySpec { id: id("key"), owner: Owner { org: "acme".to_owned(), project: None }, region };
    let ring = "projects/acme-builds/locations/europe-west3/keyRings/provisioner-prod";
    let name = format!("{ring}/cryptoKeys/acme-{}", &id("key").as_uuid().simple().to_string()[..12]);
    let key = json!({
        "name": name, "purpose": "ENCRYPT_DECRYPT", "rotationPeriod": "7776000s",
        "primary": { "name": format!("{name}/cryptoKeyVersions/1"), "state": "ENABLED" },
    });
    paper.answer(404, &json!({ "error": { "code": 404, "message": "none", "status": "NOT_FOUND" } }));
    paper.answer(409, &json!({ "error": { "code": 409, "message": "there", "status": "ALREADY_EXISTS" } }));
    paper.answer(200, &key);
    let others = json!({ "role": "roles/viewer", "members": ["group:auditors@acme.example"] });
    paper.answer(200, &json!({ "version": 3, "etag": "YWJj", "bindings": [others] }));
    paper.answer(200, &json!({ "version": 3, "etag": "ZGVm" }));
    let target = Target { spec: Spec::Key(spec), remote: None };
    let seen = provider.ensure(&token(), &target).await.expect("made");
    assert!(matches!(&seen, Observed::Ready(found) if found.remote.as_str() == name), "{seen:?}");
    let asked = paper.asked();
    let lines: Vec<&str> = asked.iter().map(|asked| asked.line.as_str()).collect();
    assert_eq!(
        lines,
        [
            format!("GET /v1/{name}"),
            "POST /v1/projects/acme-builds/locations/europe-west3/keyRings".to_owned(),
            format!("POST /v1/{ring}/cryptoKeys"),
            format!("GET /v1/{name}:getIamPolicy"),
            format!("POST /v1/{name}:setIamPolicy"),
        ]
    );
    let body = &asked[2].body;
    assert_eq!(body["rotationPeriod"], "7776000s");
    assert_eq!(body["nextRotationTime"], "2027-02-21T00:00:00Z", "ninety days from now");
    assert_eq!(body["destroyScheduledDuration"], "2592000s");
    assert_eq!(
        body["labels"],
        json!({
            "provisioner-deployment": "prod", "provisioner-organization": "acme",
            "provisioner-resource": id("key").to_string(),
        })
    );
    let policy = &asked[4].body["policy"];
    assert_eq!(policy["etag"], "YWJj", "nobody's change is undone");
    assert_eq!(
        policy["bindings"],
        json!([
            { "role": "roles/viewer", "members": ["group:auditors@acme.example"] },
            {
                "role": "roles/cloudkms.cryptoKeyEncrypterDecrypter",
                "members": ["serviceAccount:service-123456789012@compute-system.iam.gserviceaccount.com"],
            },
        ])
    );
}

fn refusal(status: u16, reason: &str) -> Value {
    let message = "The cloud's own words, which nothing is read from: QUOTA_EXCEEDED";
    json!({ "error": { "code": status, "message": message, "errors": [{ "domain": "global", "reason": reason, "message": message }] } })
}

#[tokio::test]
async fn refusals_are_classified_by_reason_and_status() {
    let (paper, provider) = provider(|_| {}).await;
    let good_key = || {
        let key = json!({
            "name": KEY, "purpose": "ENCRYPT_DECRYPT", "rotationPeriod": "7776000s",
            "primary": { "name": format!("{KEY}/cryptoKeyVersions/1"), "state": "ENABLED" },
        });
        let member = "serviceAccount:service-123456789012@compute-system.iam.gserviceaccount.com";
        let binding = json!({ "role": "roles/cloudkms.cryptoKeyEncrypterDecrypter", "members": [member] });
        (key, json!({ "version": 3, "bindings": [binding] }))
    };
    for (status, reason, class) in [
        (403, "rateLimitExceeded", ErrorClass::Throttled),
        (403, "quotaExceeded", ErrorClass::Quota),
        (503, "backendError", ErrorClass::Unavailable),
        (500, "somethingNew", ErrorClass::Unavailable),
        (401, "authError", ErrorClass::Denied),
        (403, "forbidden", ErrorClass::Denied),
        (400, "invalid", ErrorClass::Invalid),
        (400, "resourceInUseByAnotherResource", ErrorClass::Conflict),
        (412, "conditionNotMet", ErrorClass::Denied),
        (400, "somethingNew", ErrorClass::Unrecognized),
    ] {
        paper.answer(status, &refusal(status, reason));
        // Where the key may be the reason, it is looked at: this one is sound.
        let (key, policy) = good_key();
        let is_policy = reason == "conditionNotMet";
        if !is_policy && matches!(class, ErrorClass::Denied | ErrorClass::Invalid | ErrorClass::Unrecognized) {
            paper.answer(200, &key);
            paper.answer(200, &policy);
            let version = json!({ "name": format!("{KEY}/cryptoKeyVersions/1"), "state": "ENABLED" });
            paper.answer(200, &json!({ "cryptoKeyVersions": [version] }));
        }
        let error = provider.ensure(&token(), &target(machine(CacheSource::Born(cache())))).await.expect_err(reason);
        assert_eq!((error.class(), error.trouble.code.as_str()), (class, reason), "{error}");
    }
    let throttled = refusal(429, "rateLimitExceeded").to_string();
    paper.raw((429, "retry-after: 7\r\n", throttled));
    let error = provider.ensure(&token(), &target(machine(CacheSource::Born(cache())))).await.expect_err("throttled");
    assert_eq!((error.class(), error.retry_after_ms), (ErrorClass::Throttled, Some(7_000)));
    for (status, body) in [(200, "<html>"), (400, "<html>"), (200, "")] {
        paper.raw((status, "", body.to_owned()));
        let error = provider.ensure(&token(), &target(machine(CacheSource::Born(cache())))).await.expect_err(body);
        assert_eq!(error.class(), ErrorClass::Ambiguous, "{status} {body}: {error}");
    }
    // No answer at all.
    let error = provider.ensure(&token(), &target(machine(CacheSource::Born(cache())))).await.expect_err("silence");
    assert_eq!(error.class(), ErrorClass::Ambiguous, "{error}");
}

#[tokio::test]
async fn an_error_inside_a_200_is_an_error() {
    let (paper, provider) = provider(|_| {}).await;
    for (code, class) in [
        ("ZONE_RESOURCE_POOL_EXHAUSTED", ErrorClass::NoCapacity),
        ("ZONE_RESOURCE_POOL_EXHAUSTED_WITH_DETAILS", ErrorClass::NoCapacity),
        ("STOCKOUT", ErrorClass::NoCapacity),
        ("QUOTA_EXCEEDED", ErrorClass::Quota),
        ("RESOURCE_IN_USE_BY_ANOTHER_RESOURCE", ErrorClass::Conflict),
        ("INTERNAL_ERROR", ErrorClass::Unavailable),
    ] {
        let errors = json!([{ "code": code, "message": "words" }]);
        paper.answer(200, &operation(&json!({ "status": "DONE", "error": { "errors": errors } })));
        let answer = provider.ensure(&token(), &target(machine(CacheSource::Born(cache())))).await;
        // What another request may cure is the death of what this one made; the rest is a refusal.
        let trouble = match answer {
            Ok(Observed::Absent { died: Some(trouble) }) if class.remedy() == providers::Remedy::ObserveFirst => {
                trouble
            }
            Err(error) if class.remedy() != providers::Remedy::ObserveFirst => error.trouble,
            other => panic!("{code}: {other:?}"),
        };
        assert_eq!((trouble.class, trouble.code.as_str()), (class, code));
    }
}

#[tokio::test]
async fn an_old_version_that_is_disabled_is_named() {
    let (paper, provider) = provider(|_| {}).await;
    paper.answer(400, &refusal(400, "somethingNew"));
    let primary = json!({ "name": format!("{KEY}/cryptoKeyVersions/2"), "state": "ENABLED" });
    paper.answer(200, &json!({ "name": KEY, "purpose": "ENCRYPT_DECRYPT", "primary": primary }));
    let member = "serviceAccount:service-123456789012@compute-system.iam.gserviceaccount.com";
    let binding = json!({ "role": "roles/cloudkms.cryptoKeyEncrypterDecrypter", "members": [member] });
    paper.answer(200, &json!({ "version": 3, "bindings": [binding] }));
    let old = json!({ "name": format!("{KEY}/cryptoKeyVersions/1"), "state": "DISABLED" });
    paper.answer(200, &json!({ "cryptoKeyVersions": [primary, old] }));
    let error = provider.ensure(&token(), &target(machine(CacheSource::Born(cache())))).await.expect_err("locked");
    assert_eq!(error.class(), ErrorClass::KeyUnusable);
    assert!(error.trouble.message.contains(&format!("versions enable 1 --key {KEY}")), "{error}");
}

#[tokio::test]
async fn a_strangers_machine_of_our_name_is_not_adopted() {
    let (paper, provider) = provider(|_| {}).await;
    let spec = machine(CacheSource::Born(cache()));
    let (builder, ..) = names(&spec);
    paper.answer(409, &refusal(409, "alreadyExists"));
    let stranger = json!({ "name": builder, "status": "RUNNING", "labels": { "provisioner-deployment": "staging" } });
    paper.answer(200, &stranger);
    let error = provider.ensure(&token(), &target(spec)).await.expect_err("a stranger");
    assert_eq!((error.class(), error.trouble.code.as_str()), (ErrorClass::Conflict, "alreadyExists"));
}

#[tokio::test]
async fn nothing_of_another_project_is_touched() {
    let (paper, provider) = provider(|_| {}).await;
    let remote = Some(RemoteId::from("projects/other/zones/europe-west3-a/instances/builder"));
    let foreign = Target { remote, ..target(machine(CacheSource::Born(cache()))) };
    let error = provider.remove(&token(), &foreign).await.expect_err("another project's");
    assert_eq!(error.class(), ErrorClass::Invalid);
    assert!(paper.asked().is_empty(), "and nobody was asked");
}
