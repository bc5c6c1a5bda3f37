//! Compute Engine and Cloud KMS behind the [`Provider`] trait.
//!
//! A cold builder is one `instances.insert`, and so is a builder for an existing cache; waiting is one list of a zone's
//! machines for all that wait there. Names are derived from our ids, and every change carries a request id: what is made
//! twice collides instead of doubling. Nothing here retries, sleeps or draws a random id. What is kept in memory can be lost
//! at any time.
//!
//! The worker's account needs the permissions of the methods that are called here: `compute.instances.*` (create, delete, get,
//! list, setLabels, setMetadata, setServiceAccount, setTags, start, stop), `compute.disks.*` (create, delete, get, list,
//! setLabels, use), `compute.subnetworks.use`, `compute.images.useReadOnly`, `compute.zoneOperations.list`,
//! `compute.projects.get` unless `project_number` is configured, `iam.serviceAccounts.actAs` where builders have a service account;
//! `compute.instances.getIamPolicy`, `.setIamPolicy`, `iap.tunnelInstances.getIamPolicy` and `.setIamPolicy`, to let in whom a grant
//! names; and `cloudkms.keyRings.create`, `cloudkms.cryptoKeys.*` (create, get, list, update, getIamPolicy, and setIamPolicy where
//! we grant), `cloudkms.keyRings.getIamPolicy`, `cloudkms.cryptoKeyVersions.list` and `.destroy`.

mod access;
mod admission;
mod check;
mod clients;
mod codes;
mod config;
mod credentials;
mod disk;
mod error;
mod key;
mod labels;
mod listing;
mod machine;
mod names;
mod observe;
mod operation;
mod stray;
mod verify;

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use regions::{Cloud, Region, Zone};
use tokio::sync::OnceCell;

pub use config::{GcpConfig, GcpConfigError, GcpRegionConfig};

use crate::{
    Access, CallError, Capabilities, Closed, ErrorClass, Kind, Listing, Observed, Opened, PageToken, Power, Provider,
    RemoteId, Spec, StraySpec, Target, Token,
};

/// The time in milliseconds since 1970: a key that rotates has to be told when next.
pub type Now = Arc<dyn Fn() -> i64 + Send + Sync>;

/// Google Cloud. One value serves all regions of one deployment in one project.
pub struct GcpProvider {
    names: names::Names,
    config: GcpConfig,
    now_ms: Now,
    clients: OnceCell<clients::Clients>,
    agent: OnceCell<Arc<str>>,
    /// Key rings that are known to exist.
    rings: Mutex<HashSet<String>>,
    /// The key under which the disks of a machine were verified to be, by the number that Compute Engine gave the machine.
    verified: Mutex<HashMap<u64, RemoteId>>,
    /// What was asked of a machine and has not been seen to end.
    asked: Mutex<HashMap<RemoteId, (operation::Asked, String)>>,
    /// When this process let Compute Engine use a key.
    granted: Mutex<HashMap<RemoteId, i64>>,
}

impl fmt::Debug for GcpProvider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GcpProvider").field("names", &self.names).field("config", &self.config).finish_non_exhaustive()
    }
}

impl GcpProvider {
    /// A provider for that deployment. Application Default Credentials are looked up with the first call.
    ///
    /// # Errors
    /// [`GcpConfigError`], naming the key that can't be right.
    pub fn new(deployment: &str, config: GcpConfig, now_ms: Now) -> Result<Self, GcpConfigError> {
        config.validate()?;
        config::check_deployment(deployment)?;
        Ok(Self {
            names: names::Names { deployment: deployment.to_owned(), project: config.project.clone() },
            config,
            now_ms,
            clients: OnceCell::new(),
            agent: OnceCell::new(),
            rings: Mutex::default(),
            verified: Mutex::default(),
            asked: Mutex::default(),
            granted: Mutex::default(),
        })
    }

    /// The configuration.
    #[must_use]
    pub const fn config(&self) -> &GcpConfig {
        &self.config
    }
}

/// Says for people which thing a call was about.
fn name(spec: &Spec, remote: Option<&RemoteId>) -> String {
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
impl Provider for GcpProvider {
    fn cloud(&self) -> Cloud {
        Cloud::Gcp
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities { attaches_at_birth: true, visibility_secs: self.config.visibility_secs }
    }

    fn zones(&self) -> Vec<Zone> {
        let regions = self.config.regions.keys().filter_map(|name| Region::find(Cloud::Gcp, name).ok());
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
            Spec::Volume(_) | Spec::Stray(_) => Err(unfit("compute.disks.insert", target.spec.kind())),
            Spec::Attachment(_) => Err(unfit("compute.instances.attachDisk", Kind::Attachment)),
        }
    }

    async fn power(&self, token: &Token, target: &Target, power: Power) -> Result<Observed, CallError> {
        match &target.spec {
            Spec::Machine(spec) => self.switch(token, target, self.aimed(target, spec)?, Some(&spec.key), power).await,
            Spec::Stray(StraySpec { kind: Kind::Machine, .. }) => {
                let remote = target.remote.clone().unwrap_or_else(RemoteId::unknown);
                self.switch(token, target, remote, None, power).await
            }
            Spec::Key(_) | Spec::Volume(_) | Spec::Attachment(_) | Spec::Stray(_) => {
                Err(unfit("compute.instances.start", target.spec.kind()))
            }
        }
    }

    async fn observe(&self, region: Region, targets: &[Target]) -> Result<Vec<Observed>, CallError> {
        self.observe_all(region, targets).await
    }

    async fn remove(&self, token: &Token, target: &Target) -> Result<Observed, CallError> {
        match &target.spec {
            Spec::Key(spec) => self.remove_key(target, spec).await,
            Spec::Machine(spec) => self.delete_machine(token, target, self.aimed(target, spec)?).await,
            Spec::Volume(spec) => {
                let remote = target.remote.clone().unwrap_or_else(|| self.disk_of(spec));
                self.delete_disk(token, target, remote).await
            }
            Spec::Stray(spec) => self.remove_stray(token, target, spec).await,
            // A disk is attached with its machine's birth, and let go with its end.
            Spec::Attachment(_) => Err(unfit("compute.instances.detachDisk", Kind::Attachment)),
        }
    }

    async fn tag(&self, token: &Token, target: &Target) -> Result<Observed, CallError> {
        self.write_labels(token, target).await
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
