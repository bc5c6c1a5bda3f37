//! The clouds' grants under `deploy/`: every call that the providers can make is granted, what those calls need of others is, and
//! nothing else. Calls are read from the source, and AWS's own models say which methods are calls.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    process::Command,
};

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use tests::root;

use super::{unit, yaml};

/// What EC2 does with a key in the caller's name (Amazon EBS User Guide, "Requirements for Amazon EBS encryption"), a
/// parameter that names an image (Amazon EC2 User Guide, "Reference AMIs using Systems Manager parameters"), and the role of a builder.
const FOR_OTHERS: [&str; 7] = [
    "iam:PassRole",
    "kms:CreateGrant",
    "kms:Decrypt",
    "kms:GenerateDataKeyWithoutPlaintext",
    "kms:ReEncryptFrom",
    "kms:ReEncryptTo",
    "ssm:GetParameters",
];

fn source(folder: &str) -> Result<String> {
    let mut text = String::new();
    let mut folders = vec![root().join("providers/src").join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder)? {
            let path = entry?.path();
            if path.is_dir() && !path.ends_with("tests") {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                text.push_str(&fs::read_to_string(&path)?);
            }
        }
    }
    Ok(text)
}

/// The AWS SDK's methods, by the models that the AWS CLI is made from: `run_instances` is `ec2:RunInstances`.
fn methods() -> Result<BTreeMap<String, String>> {
    let script = "
import json, botocore, botocore.session
session = botocore.session.get_session()
print(json.dumps({botocore.xform_name(name): f'{service}:{name}' for service in ('ec2', 'kms', 'ssm', 'sts')
                  for name in session.get_service_model(service).operation_names}))";
    let output = Command::new(root().join(".venv/bin/python")).args(["-c", script]).output()?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Ok(serde_json::from_slice(&output.stdout)?)
}

fn words(value: &Value) -> Vec<String> {
    match value {
        Value::String(one) => vec![one.clone()],
        Value::Array(many) => many.iter().filter_map(|one| one.as_str().map(ToOwned::to_owned)).collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => Vec::new(),
    }
}

#[test]
fn aws_grants_what_is_called_and_nothing_else() -> Result<()> {
    let (source, methods) = (source("aws")?, methods()?);
    let called = methods.iter().filter(|(method, _)| source.contains(&format!(".{method}()")));
    let mut needed: BTreeSet<String> = called.map(|(_, action)| action.clone()).collect();
    ensure!(needed.len() > 20 && needed.contains("ec2:RunInstances"), "{needed:?}");
    needed.extend(FOR_OTHERS.map(ToOwned::to_owned));
    let policy: Value = serde_json::from_str(&unit("aws/worker-policy.json")?)?;
    let statements = policy["Statement"].as_array().context("statements")?;
    let granted: BTreeSet<String> = statements.iter().flat_map(|statement| words(&statement["Action"])).collect();
    assert_eq!(granted, needed);
    assert!(granted.iter().all(|action| !action.contains('*')), "no wildcard");
    Ok(())
}

/// What changes a thing is bound to things of our deployment, or to the birth of one.
#[test]
fn aws_changes_only_what_carries_our_tag() -> Result<()> {
    let policy: Value = serde_json::from_str(&unit("aws/worker-policy.json")?)?;
    // What these touch has no tags of ours, or is bound by its name.
    let bound_otherwise =
        ["LaunchFrom", "EndSessions", "NameKeys", "ImagesByParameter", "BuildersHaveARole", "TagAtBirth"];
    for statement in policy["Statement"].as_array().context("statements")? {
        let name = statement["Sid"].as_str().context("a name")?;
        let looks = |action: &String| {
            let verb = action.split(':').nth(1).unwrap_or_default();
            ["Describe", "List", "Get"].iter().any(|look| verb.starts_with(look))
        };
        if bound_otherwise.contains(&name) || words(&statement["Action"]).iter().all(looks) {
            continue;
        }
        let text = statement["Condition"].to_string();
        let tag = |kind: &str| text.contains(&format!("\"aws:{kind}/provisioner:deployment\":\"DEPLOYMENT\""));
        ensure!(tag("RequestTag") || tag("ResourceTag"), "{name}: {text}");
    }
    let birth = policy["Statement"].as_array().into_iter().flatten().find(|it| it["Sid"] == "TagAtBirth");
    assert_eq!(birth.context("TagAtBirth")?["Condition"]["StringEquals"]["ec2:CreateAction"], "RunInstances");
    Ok(())
}

/// Permissions of Google's methods (Compute Engine and Cloud KMS REST references, "IAM permissions" of each method).
fn permissions(method: &str) -> Option<&'static [&'static str]> {
    Some(match method {
        "compute.instances.insert" => &[
            "compute.instances.create",
            "compute.instances.setLabels",
            "compute.instances.setMetadata",
            "compute.instances.setServiceAccount",
            "compute.instances.setTags",
            "compute.disks.create",
            "compute.disks.setLabels",
            "compute.disks.use",
            "compute.images.useReadOnly",
            "compute.subnetworks.use",
            "compute.subnetworks.useExternalIp",
            "iam.serviceAccounts.actAs",
        ],
        "compute.instances.attachDisk" => &["compute.instances.attachDisk", "compute.disks.use"],
        "compute.instances.detachDisk" => &["compute.instances.detachDisk", "compute.disks.use"],
        "compute.instances.delete" => &["compute.instances.delete"],
        "compute.instances.get" => &["compute.instances.get"],
        "compute.instances.list" => &["compute.instances.list"],
        "compute.instances.setLabels" => &["compute.instances.setLabels"],
        "compute.instances.start" => &["compute.instances.start"],
        "compute.instances.stop" => &["compute.instances.stop"],
        "compute.disks.insert" => &["compute.disks.create", "compute.disks.setLabels"],
        "compute.disks.delete" => &["compute.disks.delete"],
        "compute.disks.get" => &["compute.disks.get"],
        "compute.disks.list" => &["compute.disks.list"],
        "compute.disks.setLabels" => &["compute.disks.setLabels"],
        "compute.snapshots.delete" => &["compute.snapshots.delete"],
        "compute.snapshots.get" => &["compute.snapshots.get"],
        "compute.snapshots.list" => &["compute.snapshots.list"],
        "compute.snapshots.setLabels" => &["compute.snapshots.setLabels"],
        "compute.projects.get" => &["compute.projects.get"],
        "compute.zoneOperations.list" => &["compute.zoneOperations.list"],
        "compute.instances.getIamPolicy" => &["compute.instances.getIamPolicy"],
        "compute.instances.setIamPolicy" => &["compute.instances.setIamPolicy"],
        "iap.getIamPolicy" => &["iap.tunnelInstances.getIamPolicy"],
        "iap.setIamPolicy" => &["iap.tunnelInstances.setIamPolicy"],
        "cloudkms.keyRings.create" => &["cloudkms.keyRings.create"],
        "cloudkms.cryptoKeys.create" => &["cloudkms.cryptoKeys.create"],
        "cloudkms.cryptoKeys.get" => &["cloudkms.cryptoKeys.get"],
        "cloudkms.cryptoKeys.list" => &["cloudkms.cryptoKeys.list"],
        "cloudkms.cryptoKeys.patch" => &["cloudkms.cryptoKeys.update"],
        "cloudkms.cryptoKeyVersions.destroy" => &["cloudkms.cryptoKeyVersions.destroy"],
        "cloudkms.cryptoKeyVersions.list" => &["cloudkms.cryptoKeyVersions.list"],
        "cloudkms.getIamPolicy" => &["cloudkms.cryptoKeys.getIamPolicy", "cloudkms.keyRings.getIamPolicy"],
        "cloudkms.setIamPolicy" => &["cloudkms.cryptoKeys.setIamPolicy"],
        _ => return None,
    })
}

#[test]
fn google_grants_what_is_called_and_nothing_else() -> Result<()> {
    let source = source("gcp")?;
    let quoted = source.split('"').skip(1).step_by(1);
    let is_call = |text: &&str| {
        ["compute.", "cloudkms.", "iap."].iter().any(|service| text.starts_with(service))
            && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '.')
    };
    let called: BTreeSet<&str> = quoted.filter(is_call).collect();
    ensure!(called.len() > 20 && called.contains("compute.instances.insert"), "{called:?}");
    let mut needed = BTreeSet::new();
    for method in called {
        let permissions = permissions(method).with_context(|| format!("no permissions are known of {method}"))?;
        needed.extend(permissions.iter().map(|permission| (*permission).to_owned()));
    }
    let role = yaml(&unit("gcp/worker-role.yaml")?)?;
    let granted: BTreeSet<String> = words(&role["includedPermissions"]).into_iter().collect();
    assert_eq!(granted, needed);
    Ok(())
}
