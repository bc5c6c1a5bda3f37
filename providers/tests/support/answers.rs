//! Answers as EC2 and KMS write them.

#![allow(dead_code, unreachable_pub)]

use providers::MachineSpec;

use super::{Answer, KEY};

/// How an instance is shown; the defaults are those of a good one.
#[derive(Clone)]
pub struct Shown {
    pub id: &'static str,
    pub state: &'static str,
    pub reason: Option<&'static str>,
    pub zone: &'static str,
    pub arch: &'static str,
    pub tokens: &'static str,
    pub root_device: &'static str,
    pub cache: Option<&'static str>,
    pub cache_ends: bool,
    pub org: &'static str,
}

impl Default for Shown {
    fn default() -> Self {
        Self {
            id: "i-00000000000000001",
            state: "running",
            reason: None,
            zone: "us-east-1a",
            arch: "x86_64",
            tokens: "required",
            root_device: "/dev/xvda",
            cache: Some("vol-0000000000000cace"),
            cache_ends: false,
            org: "acme",
        }
    }
}

impl Shown {
    /// The instance as an item of a reservation.
    pub fn item(&self, spec: &MachineSpec) -> String {
        let Self { id, state, zone, arch, tokens, root_device, cache_ends, org, .. } = self;
        let reason = self
            .reason
            .map(|code| format!("<stateReason><code>{code}</code><message>{code}: so</message></stateReason>"));
        let cache = self.cache.map(|volume| {
            format!(
                "<item><deviceName>/dev/sdf</deviceName><ebs><volumeId>{volume}</volumeId><status>attached</status>\
                 <attachTime>2026-01-01T00:00:00.000Z</attachTime><deleteOnTermination>{cache_ends}</deleteOnTermination></ebs></item>"
            )
        });
        let tags = [
            ("provisioner:deployment", "prod".to_owned()),
            ("provisioner:organization", (*org).to_owned()),
            ("provisioner:project", "web".to_owned()),
            ("provisioner:arch", spec.machine.arch().to_string()),
            ("provisioner:resource", spec.id.to_string()),
        ];
        let tags: String = tags.iter().map(|(k, v)| format!("<item><key>{k}</key><value>{v}</value></item>")).collect();
        format!(
            "<item><instanceId>{id}</instanceId><instanceState><code>16</code><name>{state}</name></instanceState>{reason}\
             <instanceType>{kind}</instanceType><placement><availabilityZone>{zone}</availabilityZone></placement>\
             <architecture>{arch}</architecture><privateIpAddress>10.0.0.7</privateIpAddress>\
             <launchTime>2026-01-02T00:00:00.000Z</launchTime><rootDeviceName>{root_device}</rootDeviceName>\
             <metadataOptions><httpTokens>{tokens}</httpTokens><httpPutResponseHopLimit>1</httpPutResponseHopLimit></metadataOptions>\
             <blockDeviceMapping><item><deviceName>{root_device}</deviceName><ebs><volumeId>vol-0000000000000000a</volumeId>\
             <status>attached</status><attachTime>2026-01-01T00:00:00.000Z</attachTime><deleteOnTermination>true</deleteOnTermination></ebs></item>{cache}\
             </blockDeviceMapping><tagSet>{tags}</tagSet></item>",
            kind = spec.machine.name(),
            reason = reason.unwrap_or_default(),
            cache = cache.unwrap_or_default(),
        )
    }
}

pub fn run(item: &str) -> Answer {
    Answer::ok(format!(
        "<RunInstancesResponse><reservationId>r-1</reservationId><instancesSet>{item}</instancesSet></RunInstancesResponse>"
    ))
}

pub fn instances(items: &[String], next: &str) -> Answer {
    let items: String = items.iter().map(|item| format!("<item><instancesSet>{item}</instancesSet></item>")).collect();
    Answer::ok(format!(
        "<DescribeInstancesResponse><reservationSet>{items}</reservationSet><nextToken>{next}</nextToken></DescribeInstancesResponse>"
    ))
}

/// A volume: its id, its state, its key, the machine it is attached to, and whether it is a root volume.
pub fn volume(id: &str, state: &str, key: Option<&str>, machine: Option<&str>, root: bool) -> String {
    let key = key.map_or_else(
        || "<encrypted>false</encrypted>".to_owned(),
        |key| format!("<encrypted>true</encrypted><kmsKeyId>{key}</kmsKeyId>"),
    );
    let ties = machine.map(|machine| {
        format!(
            "<attachmentSet><item><volumeId>{id}</volumeId><instanceId>{machine}</instanceId><device>/dev/sdf</device>\
             <status>attached</status><deleteOnTermination>{root}</deleteOnTermination></item></attachmentSet>"
        )
    });
    let snapshot = if root { "snap-00000000000000001" } else { "" };
    let tags = [
        ("provisioner:deployment", "prod".to_owned()),
        ("provisioner:organization", "acme".to_owned()),
        ("provisioner:project", "web".to_owned()),
        ("provisioner:arch", "x86_64".to_owned()),
        ("provisioner:machine", super::id("machine").to_string()),
        ("provisioner:cache", super::id("cache").to_string()),
    ];
    let tags: String = tags.iter().map(|(k, v)| format!("<item><key>{k}</key><value>{v}</value></item>")).collect();
    format!(
        "<item><volumeId>{id}</volumeId><size>200</size><snapshotId>{snapshot}</snapshotId><availabilityZone>us-east-1a</availabilityZone>\
         <status>{state}</status><createTime>2026-01-01T00:00:00.000Z</createTime><volumeType>gp3</volumeType>{key}{ties}<tagSet>{tags}</tagSet></item>",
        ties = ties.unwrap_or_default(),
    )
}

/// The two volumes of the good machine.
pub fn good_volumes() -> Answer {
    let machine = Some("i-00000000000000001");
    volumes(
        &[
            volume("vol-0000000000000000a", "in-use", Some(KEY), machine, true),
            volume("vol-0000000000000cace", "in-use", Some(KEY), machine, false),
        ],
        "",
    )
}

pub fn volumes(items: &[String], next: &str) -> Answer {
    Answer::ok(format!(
        "<DescribeVolumesResponse><volumeSet>{}</volumeSet><nextToken>{next}</nextToken></DescribeVolumesResponse>",
        items.concat()
    ))
}

pub fn attachment(state: &str) -> Answer {
    Answer::ok(format!("<AttachVolumeResponse><status>{state}</status></AttachVolumeResponse>"))
}

pub fn detachment(state: &str) -> Answer {
    Answer::ok(format!("<DetachVolumeResponse><status>{state}</status></DetachVolumeResponse>"))
}

pub fn changes(call: &str, state: &str) -> Answer {
    Answer::ok(format!(
        "<{call}Response><instancesSet><item><instanceId>i-00000000000000001</instanceId><currentState><code>0</code>\
         <name>{state}</name></currentState></item></instancesSet></{call}Response>"
    ))
}

pub fn key(arn: &str, state: &str) -> Answer {
    let id = arn.rsplit('/').next().unwrap_or_default();
    Answer::ok(format!(
        r#"{{"KeyMetadata":{{"KeyId":"{id}","Arn":"{arn}","KeyState":"{state}","KeyManager":"CUSTOMER","KeySpec":"SYMMETRIC_DEFAULT","KeyUsage":"ENCRYPT_DECRYPT","MultiRegion":false,"CreationDate":1767225600}}}}"#
    ))
}

pub fn rotation(on: bool) -> Answer {
    Answer::ok(format!(r#"{{"KeyRotationEnabled":{on}}}"#))
}

pub fn account() -> Answer {
    Answer::ok(
        "<GetCallerIdentityResponse><GetCallerIdentityResult><Arn>arn:aws:sts::123456789012:assumed-role/worker/w1</Arn>\
         <UserId>u</UserId><Account>123456789012</Account></GetCallerIdentityResult></GetCallerIdentityResponse>",
    )
}
