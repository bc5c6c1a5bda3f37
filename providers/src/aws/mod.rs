//! Amazon EC2, EBS and KMS behind the [`Provider`] trait.
//!
//! A key is two requests and an alias, a cold builder is one `RunInstances`, and waiting is one `DescribeInstances` for
//! all that wait. Nothing here retries, sleeps or draws a random token. What is kept in memory (clients, the account's
//! id, what was read of volumes that can't change) can be lost at any time.
//!
//! The worker's role needs, besides the EC2 actions that are called here: `kms:CreateKey`, `kms:DescribeKey`,
//! `kms:EnableKeyRotation`, `kms:GetKeyRotationStatus`, `kms:CreateAlias`, `kms:DeleteAlias`, `kms:ListKeys`,
//! `kms:ListAliases`, `kms:ListResourceTags`, `kms:TagResource`, `kms:ScheduleKeyDeletion`; and through EC2
//! (`kms:ViaService`) `kms:CreateGrant`, `kms:Decrypt`, `kms:GenerateDataKeyWithoutPlaintext` and `kms:ReEncrypt*`
//! (Amazon EBS User Guide, "Requirements for Amazon EBS encryption", permissions for IAM users); `ssm:GetParameters`
//! where an image is `resolve:ssm:`; `ssm:DescribeSessions` and
//! `ssm:TerminateSession`, to end what a grant let in; and `iam:PassRole` where there is an instance profile.

mod access;
mod attachment;
mod check;
mod clients;
mod codes;
mod config;
mod error;
mod key;
mod listing;
mod machine;
mod observe;
mod policy;
mod power;
mod stray;
mod strays;
mod tags;
mod verify;
mod volume;

use std::collections::HashMap;
use std::sync::Mutex;

use async_trait::async_trait;
use aws_config::SdkConfig;
use regions::{Cloud, Region, Zone};
use tokio::sync::OnceCell;

pub use config::{AwsConfig, AwsConfigError, AwsRegionConfig};

use crate::{
    Access, CallError, Capabilities, Closed, ErrorClass, Kind, Listing, Observed, Opened, PageToken, Power, Provider,
    Spec, Target, Token,
};

/// Where the cache volume is attached. Nitro instances show it as an NVMe device; the name still has to be given
/// (Amazon EBS User Guide, "Device names for volumes on Amazon EC2 instances": `/dev/sd[f-p]` for data volumes).
const CACHE_DEVICE: &str = "/dev/sdf";

/// AWS. One value serves all regions of one deployment.
#[derive(Debug)]
pub struct AwsProvider {
    deployment: String,
    config: AwsConfig,
    /// Credentials, endpoint and HTTP client, shared by all regions.
    base: OnceCell<SdkConfig>,
    clients: Mutex<HashMap<Region, clients::Clients>>,
    account: OnceCell<clients::Account>,
    /// What was read of volumes and can't change. Saves the second describe of a machine that was verified.
    disks: Mutex<HashMap<String, verify::Disk>>,
}

impl AwsProvider {
    /// A provider for that deployment. The SDK's own chains of credentials and settings are read with the first call.
    ///
    /// # Errors
    /// [`AwsConfigError`], naming the key that can't be right.
    pub fn new(deployment: &str, config: AwsConfig) -> Result<Self, AwsConfigError> {
        config.validate()?;
        config::check_deployment(deployment)?;
        Ok(Self {
            deployment: deployment.to_owned(),
            config,
            base: OnceCell::new(),
            clients: Mutex::default(),
            account: OnceCell::new(),
            disks: Mutex::default(),
        })
    }

    /// The same, with credentials, endpoint and HTTP client from the caller. Retries and time limits stay ours.
    ///
    /// # Errors
    /// [`AwsConfigError`], naming the key that can't be right.
    pub fn with_sdk(deployment: &str, config: AwsConfig, sdk: SdkConfig) -> Result<Self, AwsConfigError> {
        Ok(Self { base: OnceCell::new_with(Some(sdk)), ..Self::new(deployment, config)? })
    }

    /// The configuration.
    #[must_use]
    pub const fn config(&self) -> &AwsConfig {
        &self.config
    }
}

/// Says for people which thing a call was about.
fn name(spec: &Spec, remote: Option<&crate::RemoteId>) -> String {
    let owner = spec.owner();
    let project = owner.project.as_ref().map(|project| format!("/{project}")).unwrap_or_default();
    let remote = remote.map(|remote| format!(" ({remote})")).unwrap_or_default();
    format!("{} of {}{project} in {}{remote}", spec.kind(), owner.org, spec.region().name())
}

/// The answer to a verb that the thing does not have.
fn unfit(call: &str, kind: Kind) -> CallError {
    CallError::new(call, ErrorClass::Invalid, "UnfitKind", format!("a {kind} can't be asked for this"))
}

#[async_trait]
impl Provider for AwsProvider {
    fn cloud(&self) -> Cloud {
        Cloud::Aws
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities { attaches_at_birth: false, visibility_secs: self.config.visibility_secs }
    }

    fn zones(&self) -> Vec<Zone> {
        let regions = self.config.regions.keys().filter_map(|name| Region::find(Cloud::Aws, name).ok());
        regions.flat_map(|region| self.config.usable_zones(region)).collect()
    }

    fn check(&self, spec: &Spec) -> Result<(), CallError> {
        self.check_spec(spec)
    }

    async fn ensure(&self, token: &Token, target: &Target) -> Result<Observed, CallError> {
        self.check_spec(&target.spec)?;
        match &target.spec {
            Spec::Key(spec) => self.ensure_key(target, spec).await,
            Spec::Machine(spec) => self.ensure_machine(token, target, spec).await,
            Spec::Attachment(spec) => self.attach(target, spec).await,
            Spec::Volume(_) | Spec::Stray(_) => Err(unfit("ec2:CreateVolume", target.spec.kind())),
        }
    }

    async fn power(&self, _: &Token, target: &Target, power: Power) -> Result<Observed, CallError> {
        match &target.spec {
            Spec::Machine(_) => self.switch(target, power).await,
            Spec::Stray(spec) if spec.kind == Kind::Machine => self.switch(target, power).await,
            Spec::Key(_) | Spec::Volume(_) | Spec::Attachment(_) | Spec::Stray(_) => {
                Err(unfit("ec2:StartInstances", target.spec.kind()))
            }
        }
    }

    async fn observe(&self, region: Region, targets: &[Target]) -> Result<Vec<Observed>, CallError> {
        self.observe_all(region, targets).await
    }

    async fn remove(&self, _: &Token, target: &Target) -> Result<Observed, CallError> {
        match &target.spec {
            Spec::Key(spec) => self.remove_key(target, spec).await,
            Spec::Machine(_) => self.terminate(target).await,
            Spec::Volume(_) => self.delete_volume(target).await,
            Spec::Attachment(spec) => self.detach(target, spec).await,
            Spec::Stray(spec) => self.remove_stray(target, spec).await,
        }
    }

    async fn tag(&self, _: &Token, target: &Target) -> Result<Observed, CallError> {
        self.write_tags(target).await
    }

    async fn list(&self, region: Region, page: Option<PageToken>) -> Result<Listing, CallError> {
        self.list_page(region, page).await
    }

    async fn open_access(&self, access: &Access) -> Result<Opened, CallError> {
        self.open_way(access).await
    }

    async fn close_access(&self, access: &Access) -> Result<Closed, CallError> {
        self.close_way(access).await
    }
}
