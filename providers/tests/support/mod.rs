//! A cloud made of paper: it keeps the requests that the SDK would have sent, and gives the answers that a test wrote
//! down.

#![allow(dead_code, unreachable_pub)]

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_smithy_runtime_api::client::http::{
    HttpConnector, HttpConnectorFuture, SharedHttpClient, SharedHttpConnector, http_client_fn,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_types::body::SdkBody;
use providers::aws::{AwsConfig, AwsProvider};
use providers::{CacheSource, KeySpec, MachineSpec, Owner, RemoteId, ResourceId, VolumeShape, VolumeSpec};
use regions::{Arch, Cloud, MachineType, Placement, Region, Residency, SsdKind};
use uuid::Uuid;

/// The configuration of the tests, as a person would write it.
pub const CONFIG: &str = r#"
[regions.us-east-1]
security_groups = ["sg-0123456789abcdef0"]
instance_profile = "builder"
images = { x86_64 = "ami-0123456789abcdef0", arm64 = "resolve:ssm:/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-arm64" }
[regions.us-east-1.subnets]
us-east-1a = "subnet-0123456789abcdef0"

[regions.eu-central-1]
security_groups = ["sg-0fedcba9876543210"]
root_device = "/dev/sda1"
images = { arm64 = "ami-0fedcba9876543210" }
[regions.eu-central-1.subnets]
eu-central-1b = "subnet-0fedcba9876543210"
"#;

/// An answer that is still to be given.
#[derive(Clone, Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: Vec<(&'static str, &'static str)>,
    pub body: String,
}

impl Answer {
    pub fn ok(body: impl Into<String>) -> Self {
        Self { status: 200, headers: Vec::new(), body: body.into() }
    }

    /// EC2's form of a refusal.
    pub fn ec2_error(status: u16, code: &str) -> Self {
        let body = format!(
            "<Response><Errors><Error><Code>{code}</Code><Message>as the test wrote</Message></Error></Errors>\
             <RequestID>r-1</RequestID></Response>"
        );
        Self { status, headers: Vec::new(), body }
    }

    /// KMS's form of a refusal.
    pub fn kms_error(code: &str) -> Self {
        let body = format!(r#"{{"__type":"{code}","message":"as the test wrote"}}"#);
        Self { status: 400, headers: Vec::new(), body }
    }
}

/// What was sent, and what is to be answered.
#[derive(Clone, Debug, Default)]
pub struct Paper {
    sent: Arc<Mutex<Vec<String>>>,
    answers: Arc<Mutex<VecDeque<Answer>>>,
}

impl Paper {
    /// These answers, in this order.
    pub fn new(answers: impl IntoIterator<Item = Answer>) -> Self {
        let paper = Self::default();
        paper.answer(answers);
        paper
    }

    /// More answers.
    pub fn answer(&self, answers: impl IntoIterator<Item = Answer>) {
        self.answers.lock().expect("lock").extend(answers);
    }

    /// All that was sent since the last look, each request in readable lines.
    pub fn sent(&self) -> Vec<String> {
        std::mem::take(&mut *self.sent.lock().expect("lock"))
    }

    /// The same, only the names of the operations.
    pub fn calls(&self) -> Vec<String> {
        self.sent().iter().map(|text| text.lines().next().unwrap_or_default().to_owned()).collect()
    }

    /// A provider whose requests all end here.
    pub fn provider(&self) -> AwsProvider {
        let connector = SharedHttpConnector::new(self.clone());
        let client: SharedHttpClient = http_client_fn(move |_, _| connector.clone());
        let credentials = Credentials::new("AKIDTEST", "secret", None, None, "test");
        let sdk = aws_config::SdkConfig::builder()
            .behavior_version(aws_config::BehaviorVersion::v2026_01_12())
            .credentials_provider(SharedCredentialsProvider::new(credentials))
            .sleep_impl(aws_smithy_async_sleep())
            .http_client(client)
            .build();
        AwsProvider::with_sdk("prod", config(), sdk).expect("provider")
    }
}

fn aws_smithy_async_sleep() -> impl aws_sdk_ec2::config::AsyncSleep + 'static {
    #[derive(Debug)]
    struct Tokio;
    impl aws_sdk_ec2::config::AsyncSleep for Tokio {
        fn sleep(&self, duration: std::time::Duration) -> aws_sdk_ec2::config::Sleep {
            aws_sdk_ec2::config::Sleep::new(tokio::time::sleep(duration))
        }
    }
    Tokio
}

impl HttpConnector for Paper {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        self.sent.lock().expect("lock").push(readable(&request));
        let answer = self.answers.lock().expect("lock").pop_front();
        let Some(Answer { status, headers, body }) = answer else {
            panic!("nobody wrote an answer to\n{}", readable(&request));
        };
        let status = status.try_into().expect("status");
        let mut response = HttpResponse::new(status, SdkBody::from(body));
        for (name, value) in headers {
            response.headers_mut().insert(name, value);
        }
        HttpConnectorFuture::ready(Ok(response))
    }
}

/// The operation's name in the first line, then its parameters.
fn readable(request: &HttpRequest) -> String {
    let body = String::from_utf8_lossy(request.body().bytes().expect("body in memory")).into_owned();
    if let Some(target) = request.headers().get("x-amz-target") {
        let mut json: serde_json::Value = serde_json::from_str(&body).expect("json");
        if let Some(policy) = json.get_mut("Policy") {
            *policy = serde_json::from_str(policy.as_str().expect("text")).expect("policy");
        }
        let name = target.rsplit('.').next().unwrap_or(target);
        return format!("{name}\n{}\n", serde_json::to_string_pretty(&json).expect("json"));
    }
    let pairs: Vec<(String, String)> = body
        .split('&')
        .filter_map(|pair| pair.split_once('='))
        .map(|(name, value)| (decoded(name), decoded(value)))
        .collect();
    let name = pairs.iter().find(|(name, _)| name == "Action").map_or("?", |(_, value)| value.as_str());
    let rest = pairs.iter().filter(|(name, _)| name != "Action" && name != "Version");
    let lines: String = rest.map(|(name, value)| format!("{name} = {value}\n")).collect();
    format!("{name}\n{lines}")
}

fn decoded(text: &str) -> String {
    let mut bytes = text.bytes();
    let mut out = Vec::new();
    while let Some(byte) = bytes.next() {
        match byte {
            b'+' => out.push(b' '),
            b'%' => {
                let hex: String = bytes.by_ref().take(2).map(char::from).collect();
                out.push(u8::from_str_radix(&hex, 16).expect("hex"));
            }
            other => out.push(other),
        }
    }
    String::from_utf8(out).expect("utf-8")
}

/// Compares with the file of that name; `UPDATE_GOLDEN=1` writes it instead.
pub fn golden(name: &str, actual: &str) {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden/aws").join(name);
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&path, actual).expect("write");
        return;
    }
    let expected = std::fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(expected, actual, "{} differs: if that is meant, run again with UPDATE_GOLDEN=1", path.display());
}

/// [`CONFIG`], read.
pub fn config() -> AwsConfig {
    toml::from_str(CONFIG).expect("config")
}

pub const KEY: &str = "arn:aws:kms:us-east-1:123456789012:key/11111111-2222-3333-4444-555555555555";
pub const OTHER_KEY: &str = "arn:aws:kms:us-east-1:123456789012:key/99999999-2222-3333-4444-555555555555";

pub fn id(role: &str) -> ResourceId {
    ResourceId::derive(Uuid::from_u128(7), role)
}

pub fn region(name: &str) -> Region {
    Region::find(Cloud::Aws, name).expect("region")
}

pub fn place(zone: &str) -> Placement {
    let region = region(&zone[..zone.len() - 1]);
    let residency = if zone.starts_with("us-") { Residency::Us } else { Residency::Eu };
    Placement::check(residency, region.zone(zone).expect("zone")).expect("placement")
}

pub fn owner() -> Owner {
    Owner { org: "acme".to_owned(), project: Some("web".to_owned()) }
}

pub fn key_spec() -> KeySpec {
    let owner = Owner { org: "acme".to_owned(), project: None };
    KeySpec { id: id("key"), owner, region: region("us-east-1") }
}

pub fn machine_type(arch: Arch) -> MachineType {
    // By name: the order of the catalogue is nothing to these tests.
    let name = match arch {
        Arch::X86_64 => "aws/c7i.4xlarge",
        Arch::Arm64 => "aws/c7g.4xlarge",
    };
    MachineType::try_from(name.to_owned()).expect("a type of the catalogue")
}

pub fn volume_spec(arch: Arch) -> VolumeSpec {
    VolumeSpec {
        id: id("cache"),
        owner: owner(),
        placement: place("us-east-1a"),
        arch,
        shape: VolumeShape { ssd: SsdKind::Gp3, size_gib: 200, iops: Some(6000), throughput_mibps: Some(500) },
        key: RemoteId::from(KEY),
    }
}

pub fn machine_spec(arch: Arch) -> MachineSpec {
    MachineSpec {
        id: id("machine"),
        owner: owner(),
        placement: place("us-east-1a"),
        machine: machine_type(arch),
        root_gib: 40,
        key: RemoteId::from(KEY),
        cache: CacheSource::Born(volume_spec(arch)),
    }
}

pub fn existing(arch: Arch) -> MachineSpec {
    let cache = CacheSource::Existing { id: id("cache"), remote: RemoteId::from("vol-0000000000000cace") };
    MachineSpec { cache, ..machine_spec(arch) }
}
