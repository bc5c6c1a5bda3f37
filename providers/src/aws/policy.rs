//! The policy of an organization's key, as an auditor would want to read it.

use serde_json::{Value, json};

use super::clients::Account;

/// What administers a key and can't use it. `kms:CreateGrant` is not among them: a grant is use handed on.
const ADMINISTRATION: [&str; 20] = [
    "kms:CancelKeyDeletion",
    "kms:CreateAlias",
    "kms:DeleteAlias",
    "kms:DescribeKey",
    "kms:DisableKey",
    "kms:EnableKey",
    "kms:EnableKeyRotation",
    "kms:GetKeyPolicy",
    "kms:GetKeyRotationStatus",
    "kms:ListGrants",
    "kms:ListKeyPolicies",
    "kms:ListKeyRotations",
    "kms:ListResourceTags",
    "kms:PutKeyPolicy",
    "kms:RevokeGrant",
    "kms:RotateKeyOnDemand",
    "kms:ScheduleKeyDeletion",
    "kms:TagResource",
    "kms:UpdateAlias",
    "kms:UpdateKeyDescription",
];

/// The policy. Each statement names the account and so leaves the last word to IAM: nobody may anything by this policy
/// alone, and nobody may more than it says, whatever IAM allows. The account can always mend it, so it locks nobody out
/// (AWS KMS Developer Guide, "Default key policy", the account's root principal; "Condition keys for AWS KMS").
///
/// Disabling rotation and removing tags are in no statement: they take a change of this policy first, which shows.
pub(super) fn document(account: &Account, region: &str) -> String {
    let Account { partition, id } = account;
    let everyone: Value = json!({ "AWS": format!("arn:{partition}:iam::{id}:root") });
    let through_ec2 = json!({ "kms:CallerAccount": id, "kms:ViaService": format!("ec2.{region}.amazonaws.com") });
    let document = json!({
        "Version": "2012-10-17",
        "Id": "provisioner-cache-key",
        "Statement": [
            {
                "Sid": "AdministrationWithoutUse",
                "Effect": "Allow",
                "Principal": everyone,
                "Action": ADMINISTRATION,
                "Resource": "*",
            },
            {
                "Sid": "UseThroughEc2OfThisRegionOnly",
                "Effect": "Allow",
                "Principal": everyone,
                "Action": ["kms:Decrypt", "kms:DescribeKey", "kms:Encrypt", "kms:GenerateDataKey*", "kms:ReEncrypt*"],
                "Resource": "*",
                "Condition": { "StringEquals": through_ec2 },
            },
            {
                "Sid": "GrantsToAwsResourcesThroughEc2Only",
                "Effect": "Allow",
                "Principal": everyone,
                "Action": "kms:CreateGrant",
                "Resource": "*",
                "Condition": { "Bool": { "kms:GrantIsForAWSResource": "true" }, "StringEquals": through_ec2 },
            },
        ],
    });
    document.to_string()
}
