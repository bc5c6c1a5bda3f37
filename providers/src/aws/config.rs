//! The `[aws]` section of the configuration: its shape, and the check that every name in it can be right.
//!
//! It is checked once, when it is loaded. It asks no cloud, and an error always names the key that is wrong.

use std::collections::BTreeMap;

use regions::{Arch, Cloud, Region, Zone};
use serde::{Deserialize, Serialize};

/// The section `[aws]`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AwsConfig {
    /// The regions that may be used, by the provider's name.
    #[serde(default)]
    pub regions: BTreeMap<String, AwsRegionConfig>,
    /// Seconds after which a call counts as unanswered.
    #[serde(default = "call_timeout_secs")]
    pub call_timeout_secs: u32,
    /// Days for which a key that is scheduled for deletion can still be saved: 7 to 30
    /// (AWS KMS API Reference, `ScheduleKeyDeletion`, `PendingWindowInDays`).
    #[serde(default = "key_deletion_days")]
    pub key_deletion_days: u8,
    /// Seconds for which EC2 and KMS may not show what they have just made. Both are eventually consistent and name no
    /// bound (Amazon EC2 Developer Guide, "Eventual consistency"; AWS KMS Developer Guide, "Eventual consistency").
    #[serde(default = "visibility_secs")]
    pub visibility_secs: u32,
}

/// The section `[aws.regions.REGION]`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AwsRegionConfig {
    /// The security groups of every builder.
    pub security_groups: Vec<String>,
    /// The name of the instance profile of every builder.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instance_profile: Option<String>,
    /// For each architecture an image: `ami-...`, or `resolve:ssm:PARAMETER`, which EC2 looks up at launch
    /// (Amazon EC2 API Reference, `RunInstances`, `ImageId`).
    #[serde(default)]
    pub images: BTreeMap<String, String>,
    /// The name that the images give their root device. The root volume is encrypted by overriding it, so it must be
    /// right: `/dev/xvda` on Amazon Linux and Debian, `/dev/sda1` on Ubuntu. It is compared with what the instance
    /// says of itself.
    #[serde(default = "root_device")]
    pub root_device: String,
    /// For each zone in which builders may stand, the subnet.
    #[serde(default)]
    pub subnets: BTreeMap<String, String>,
}

const fn call_timeout_secs() -> u32 {
    30
}

const fn key_deletion_days() -> u8 {
    30
}

const fn visibility_secs() -> u32 {
    60
}

fn root_device() -> String {
    "/dev/xvda".to_owned()
}

impl Default for AwsConfig {
    fn default() -> Self {
        Self {
            regions: BTreeMap::new(),
            call_timeout_secs: call_timeout_secs(),
            key_deletion_days: key_deletion_days(),
            visibility_secs: visibility_secs(),
        }
    }
}

/// A value that can't be right.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{key}: {problem}")]
pub struct AwsConfigError {
    /// The configuration key, in full.
    pub key: String,
    /// What is wrong with it.
    pub problem: String,
}

impl AwsConfigError {
    fn new(key: impl Into<String>, problem: impl Into<String>) -> Self {
        Self { key: key.into(), problem: problem.into() }
    }
}

impl AwsConfig {
    /// Checks all of it.
    ///
    /// # Errors
    /// The first key that can't be right.
    pub fn validate(&self) -> Result<(), AwsConfigError> {
        if !(1..=300).contains(&self.call_timeout_secs) {
            return Err(AwsConfigError::new("aws.call_timeout_secs", "must be from 1 to 300"));
        }
        if !(7..=30).contains(&self.key_deletion_days) {
            return Err(AwsConfigError::new("aws.key_deletion_days", "must be from 7 to 30"));
        }
        if self.visibility_secs > 3600 {
            return Err(AwsConfigError::new("aws.visibility_secs", "must be at most 3600"));
        }
        self.regions.iter().try_for_each(|(name, region)| region.validate(name))
    }

    /// The section of that region.
    #[must_use]
    pub fn region(&self, region: Region) -> Option<&AwsRegionConfig> {
        if region.cloud() == Cloud::Aws { self.regions.get(region.name()) } else { None }
    }

    /// The zones of that region that have a subnet, in the provider's order: those that a plan may choose from.
    #[must_use]
    pub fn usable_zones(&self, region: Region) -> Vec<Zone> {
        let Some(section) = self.region(region) else { return Vec::new() };
        region.zones().filter(|zone| section.subnets.contains_key(zone.name())).collect()
    }
}

impl AwsRegionConfig {
    fn validate(&self, name: &str) -> Result<(), AwsConfigError> {
        let key = format!("aws.regions.{name}");
        let region = Region::find(Cloud::Aws, name).map_err(|error| AwsConfigError::new(&key, error.to_string()))?;
        if self.security_groups.is_empty() {
            return Err(AwsConfigError::new(format!("{key}.security_groups"), "needs at least one security group"));
        }
        for group in &self.security_groups {
            check_id(&format!("{key}.security_groups"), group, "sg-")?;
        }
        if let Some(profile) = &self.instance_profile {
            // IAM API Reference, `CreateInstanceProfile`: [\w+=,.@-]+, 1 to 128 characters.
            let fits = |c: char| c.is_ascii_alphanumeric() || "_+=,.@-".contains(c);
            if profile.is_empty() || profile.len() > 128 || !profile.chars().all(fits) {
                let problem = format!("`{profile}` is not the name of an instance profile (a name, not an ARN)");
                return Err(AwsConfigError::new(format!("{key}.instance_profile"), problem));
            }
        }
        if !self.root_device.starts_with("/dev/") || self.root_device == super::CACHE_DEVICE {
            let problem = format!("`{}` is not a root device name such as /dev/xvda", self.root_device);
            return Err(AwsConfigError::new(format!("{key}.root_device"), problem));
        }
        for (arch, image) in &self.images {
            let key = format!("{key}.images.{arch}");
            arch.parse::<Arch>().map_err(|error| AwsConfigError::new(&key, error.to_string()))?;
            check_image(&key, image)?;
        }
        for (zone, subnet) in &self.subnets {
            let key = format!("{key}.subnets.{zone}");
            region.zone(zone).map_err(|error| AwsConfigError::new(&key, error.to_string()))?;
            check_id(&key, subnet, "subnet-")?;
        }
        Ok(())
    }
}

/// The deployment's name is part of every alias and the value of a tag.
pub(super) fn check_deployment(name: &str) -> Result<(), AwsConfigError> {
    if super::key::fits_alias(name) {
        return Ok(());
    }
    Err(AwsConfigError::new("deployment", format!("`{name}` may have letters, digits, - and _ only, at most 64")))
}

fn check_id(key: &str, id: &str, prefix: &str) -> Result<(), AwsConfigError> {
    let rest = id.strip_prefix(prefix).unwrap_or_default();
    let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    if (8..=32).contains(&rest.len()) && rest.chars().all(fits) {
        return Ok(());
    }
    Err(AwsConfigError::new(key, format!("`{id}` is not an id of the form {prefix}0123456789abcdef0")))
}

fn check_image(key: &str, image: &str) -> Result<(), AwsConfigError> {
    let Some(parameter) = image.strip_prefix("resolve:ssm:") else {
        return check_id(key, image, "ami-").map_err(|_| {
            AwsConfigError::new(key, format!("`{image}` is neither an id ami-... nor resolve:ssm:PARAMETER"))
        });
    };
    // AWS Systems Manager API Reference, `PutParameter`, `Name`; with a version or label after a colon.
    let fits = |c: char| c.is_ascii_alphanumeric() || "_.-/:".contains(c);
    if parameter.is_empty() || !parameter.chars().all(fits) {
        return Err(AwsConfigError::new(key, format!("`{parameter}` is not the name of an SSM parameter")));
    }
    Ok(())
}
