//! A builder machine: the one request that makes it, what is asked of it later, and its end.

use google_cloud_compute_v1::model::{
    AccessConfig, AttachedDisk, AttachedDiskInitializeParams, CustomerEncryptionKey, Instance, Metadata,
    NetworkInterface, Operation, ServiceAccount, ShieldedInstanceConfig, Tags, access_config, attached_disk,
    instance::Status, metadata::Items,
};

use super::names::{self, Collection};
use super::operation::{self, Asked};
use super::{GcpProvider, error, labels, name};
use crate::{
    CacheSource, CallError, ErrorClass, Found, MachineSpec, Observed, Power, Remedy, RemoteId, Target, Token, Trouble,
    VolumeSpec,
};

/// The name under which the guest sees its cache: `/dev/disk/by-id/google-cache`
/// (Compute Engine documentation, "Disk symlinks").
pub(super) const CACHE_DEVICE: &str = "cache";

/// What every builder is told: people come in by OS Login only, and the project's own SSH keys open nothing
/// (Compute Engine documentation, "Set up OS Login", "Restrict SSH keys from VMs").
pub(super) const METADATA: [(&str, &str); 2] = [("enable-oslogin", "TRUE"), ("block-project-ssh-keys", "TRUE")];

impl GcpProvider {
    /// One `instances.insert`, with a request id and a name of its own: what it made before is found again by both.
    pub(super) async fn ensure_machine(
        &self,
        token: &Token,
        target: &Target,
        spec: &MachineSpec,
    ) -> Result<Observed, CallError> {
        if target.remote.is_some() {
            return self.observe_one(spec.placement.region(), target).await;
        }
        let call = "compute.instances.insert";
        let what = name(&target.spec, None);
        let request = (self.clients().await?.instances.insert())
            .set_project(&self.names.project)
            .set_zone(spec.placement.zone().name())
            .set_request_id(token.as_str())
            .set_body(self.body(spec)?);
        match self.try_send(call, &what, request.send()).await? {
            Ok(operation) => {
                self.remember(&self.remote_of(spec), Asked::Insert, &operation);
                self.inserted(call, &what, spec, &operation).await
            }
            // Nothing was sent that could be out of date: it is the organization's policy that forbids it (public reports of
            // `Constraint constraints/compute... violated`, 412 `conditionNotMet`).
            Err(error) if error.http_status_code() == Some(412) => {
                let mut refusal = error::refused(call, &what, &error);
                refusal.trouble.class = ErrorClass::Denied;
                Err(refusal)
            }
            Err(error) if error::is_already_there(&error) => {
                self.collided(&what, spec, error::refused(call, &what, &error)).await
            }
            Err(error) => Err(self.explained(error::refused(call, &what, &error), &spec.key).await),
        }
    }

    /// The whole request.
    pub(super) fn body(&self, spec: &MachineSpec) -> Result<Instance, CallError> {
        let zone = spec.placement.zone();
        let (cache, subnetwork) = (self.cache_disk(spec), self.subnetwork(zone.region())?);
        let mut interface = NetworkInterface::new().set_subnetwork(subnetwork);
        if self.config.external_ip {
            let outside = AccessConfig::new().set_name("External NAT").set_type(access_config::Type::OneToOneNat);
            interface = interface.set_access_configs([outside]);
        }
        let items = METADATA.map(|(key, value)| Items::new().set_key(key).set_value(value));
        let shielded = ShieldedInstanceConfig::new()
            .set_enable_secure_boot(true)
            .set_enable_vtpm(true)
            .set_enable_integrity_monitoring(true);
        let mut body = Instance::new()
            .set_name(self.names.machine(spec.id))
            .set_machine_type(names::in_zone(zone, "machineTypes", spec.machine.name()))
            .set_labels(labels::of_machine(&self.names.deployment, spec))
            .set_disks([self.root_disk(spec)?, cache])
            .set_network_interfaces([interface])
            .set_metadata(Metadata::new().set_items(items))
            .set_shielded_instance_config(shielded);
        if !self.config.network_tags.is_empty() {
            body = body.set_tags(Tags::new().set_items(self.config.network_tags.clone()));
        }
        if let Some(account) = &self.config.service_account {
            let account = ServiceAccount::new().set_email(account).set_scopes(self.config.scopes.clone());
            body = body.set_service_accounts([account]);
        }
        Ok(body)
    }

    fn root_disk(&self, spec: &MachineSpec) -> Result<AttachedDisk, CallError> {
        let Some(ssd) = spec.machine.ssds().first() else {
            let message = format!("machine type {} takes no SSD", spec.machine);
            return Err(CallError::new("check", ErrorClass::Invalid, "WrongSsd", message));
        };
        let params = AttachedDiskInitializeParams::new()
            .set_disk_name(self.names.root(spec.id))
            .set_disk_size_gb(i64::from(spec.root_gib))
            .set_disk_type(names::in_zone(spec.placement.zone(), "diskTypes", crate::ssd_name(*ssd)))
            .set_source_image(self.image(spec)?)
            .set_labels(labels::of_root(&self.names.deployment, spec));
        Ok(disk(true)
            .set_initialize_params(params)
            .set_disk_encryption_key(encryption(&spec.key))
            .set_auto_delete(true))
    }

    fn cache_disk(&self, spec: &MachineSpec) -> AttachedDisk {
        match &spec.cache {
            CacheSource::Born(volume) => self.newborn(volume),
            CacheSource::Existing { remote, .. } => disk(false).set_source(remote.as_str()),
        }
        .set_device_name(CACHE_DEVICE)
        .set_auto_delete(false)
    }

    fn newborn(&self, spec: &VolumeSpec) -> AttachedDisk {
        let params = AttachedDiskInitializeParams::new()
            .set_disk_name(self.names.cache(spec.id))
            .set_disk_size_gb(i64::from(spec.shape.size_gib))
            .set_disk_type(names::in_zone(spec.placement.zone(), "diskTypes", crate::ssd_name(spec.shape.ssd)))
            .set_or_clear_provisioned_iops(spec.shape.iops.map(i64::from))
            .set_or_clear_provisioned_throughput(spec.shape.throughput_mibps.map(i64::from))
            .set_labels(labels::of_cache(&self.names.deployment, spec));
        disk(false).set_initialize_params(params).set_disk_encryption_key(encryption(&spec.key))
    }

    /// What the answer to an insertion says: a new operation, or that of an earlier request with this id.
    async fn inserted(
        &self,
        call: &str,
        what: &str,
        spec: &MachineSpec,
        operation: &Operation,
    ) -> Result<Observed, CallError> {
        if let Some(trouble) = operation::trouble(operation, what) {
            if trouble.class.remedy() == Remedy::ObserveFirst {
                // The same request again has the same end: it needs another.
                return Ok(Observed::Absent { died: Some(trouble) });
            }
            let error = CallError { call: call.to_owned(), trouble, retry_after_ms: None };
            return Err(self.explained(error, &spec.key).await);
        }
        let remote = self.remote_of(spec);
        if !operation::is_done(operation) {
            return Ok(Observed::Pending(Found::new(remote)));
        }
        // An earlier request, which is past: its machine may be, too.
        match self.get_machine(what, &remote).await? {
            Some(instance) => Ok(self.on_its_way(&remote, &instance)),
            // It is gone, or not shown yet.
            None => Ok(Observed::ABSENT),
        }
    }

    /// There is something of that name: ours, from an earlier life of this request, or a stranger.
    async fn collided(&self, what: &str, spec: &MachineSpec, refusal: CallError) -> Result<Observed, CallError> {
        let remote = self.remote_of(spec);
        let Some(instance) = self.get_machine(what, &remote).await? else { return Err(refusal) };
        let is_ours = labels::differing(&instance.labels, &labels::of_machine(&self.names.deployment, spec)).is_none();
        let is_same = names::last(instance.machine_type.as_deref().unwrap_or_default()) == spec.machine.name();
        if is_ours && is_same { Ok(self.on_its_way(&remote, &instance)) } else { Err(refusal) }
    }

    fn on_its_way(&self, remote: &RemoteId, instance: &Instance) -> Observed {
        let goes = instance.status == Some(Status::Deprovisioning)
            || (instance.status == Some(Status::Stopping) && self.asked(remote) == Some(Asked::Delete));
        let found = Found::new(remote.clone());
        if goes { Observed::Leaving(found) } else { Observed::Pending(found) }
    }

    /// Starts or stops. What comes of it only a later look can tell.
    pub(super) async fn switch(
        &self,
        token: &Token,
        target: &Target,
        remote: RemoteId,
        key: Option<&RemoteId>,
        power: Power,
    ) -> Result<Observed, CallError> {
        let (zone, machine) = self.place_of(&remote)?;
        let what = name(&target.spec, Some(&remote));
        let instances = &self.clients().await?.instances;
        let (call, asked, answer) = match power {
            Power::Running => {
                let request = instances.start().set_project(&self.names.project).set_zone(zone).set_instance(machine);
                let call = "compute.instances.start";
                (call, Asked::Start, self.try_send(call, &what, request.set_request_id(token.as_str()).send()).await?)
            }
            Power::Stopped => {
                let request = instances.stop().set_project(&self.names.project).set_zone(zone).set_instance(machine);
                let call = "compute.instances.stop";
                (call, Asked::Stop, self.try_send(call, &what, request.set_request_id(token.as_str()).send()).await?)
            }
        };
        match answer {
            Ok(operation) => match operation::trouble(&operation, &what) {
                Some(trouble) => {
                    let error = CallError { call: call.to_owned(), trouble, retry_after_ms: None };
                    Err(self.explained_by(error, key).await)
                }
                None => {
                    self.remember(&remote, asked, &operation);
                    Ok(Observed::Pending(Found::new(remote)))
                }
            },
            Err(error) if error::is_not_found(&error) => Ok(Observed::ABSENT),
            Err(error) => Err(self.explained_by(error::refused(call, &what, &error), key).await),
        }
    }

    async fn explained_by(&self, error: CallError, key: Option<&RemoteId>) -> CallError {
        match key {
            Some(key) => self.explained(error, key).await,
            None => error,
        }
    }

    /// Deletes it; the root disk goes with it, the cache stays.
    pub(super) async fn delete_machine(
        &self,
        token: &Token,
        target: &Target,
        remote: RemoteId,
    ) -> Result<Observed, CallError> {
        let call = "compute.instances.delete";
        let (zone, machine) = self.place_of(&remote)?;
        let what = name(&target.spec, Some(&remote));
        let request = (self.clients().await?.instances.delete())
            .set_project(&self.names.project)
            .set_zone(zone)
            .set_instance(machine)
            .set_request_id(token.as_str());
        match self.try_send(call, &what, request.send()).await? {
            Ok(operation) => {
                self.remember(&remote, Asked::Delete, &operation);
                Ok(Observed::Leaving(Found::new(remote)))
            }
            Err(error) if error::is_not_found(&error) => Ok(Observed::ABSENT),
            Err(error) => Err(error::refused(call, &what, &error)),
        }
    }

    pub(super) async fn get_machine(&self, what: &str, remote: &RemoteId) -> Result<Option<Instance>, CallError> {
        let call = "compute.instances.get";
        let (zone, machine) = self.place_of(remote)?;
        let request = self.clients().await?.instances.get().set_project(&self.names.project).set_zone(zone);
        match self.try_send(call, what, request.set_instance(machine).send()).await? {
            Ok(instance) => Ok(Some(instance)),
            Err(error) if error::is_not_found(&error) => Ok(None),
            Err(error) => Err(error::refused(call, what, &error)),
        }
    }

    /// The full name that a machine has.
    pub(super) fn remote_of(&self, spec: &MachineSpec) -> RemoteId {
        self.names.remote(spec.placement.zone().name(), Collection::Instances, &self.names.machine(spec.id))
    }

    /// The machine that a call concerns: the known one, or the one that has the name. A name with somebody else's path is no
    /// name of ours.
    pub(super) fn aimed(&self, target: &Target, spec: &MachineSpec) -> Result<RemoteId, CallError> {
        let remote = target.remote.clone().unwrap_or_else(|| self.remote_of(spec));
        self.place_of(&remote).map(|_| ())?;
        Ok(remote)
    }

    /// What Compute Engine says of a bad key differs, and has no code of its own: if the key is bad, that is what it was.
    pub(super) async fn explained(&self, error: CallError, key: &RemoteId) -> CallError {
        let trouble = self.explained_trouble(error.trouble.clone(), key).await;
        CallError { trouble, ..error }
    }

    /// The same, for an operation that failed.
    pub(super) async fn explained_trouble(&self, trouble: Trouble, key: &RemoteId) -> Trouble {
        let may_be_the_key = match trouble.class {
            ErrorClass::Invalid | ErrorClass::Denied | ErrorClass::Unrecognized | ErrorClass::KeyUnusable => true,
            ErrorClass::Throttled
            | ErrorClass::Unavailable
            | ErrorClass::Ambiguous
            | ErrorClass::NoCapacity
            | ErrorClass::Quota
            | ErrorClass::Conflict => false,
        };
        if !may_be_the_key {
            return trouble;
        }
        match self.key_trouble(key).await {
            Some(why) => Trouble { message: format!("{}; {}", why.message, trouble.message), ..why },
            None if trouble.class != ErrorClass::Invalid && self.was_just_admitted(key) => {
                let message = format!(
                    "Compute Engine was allowed to use key {key} just now, which may take minutes to be known: {}",
                    trouble.message
                );
                Trouble { class: ErrorClass::Unavailable, message, ..trouble }
            }
            None => trouble,
        }
    }
}

fn disk(boot: bool) -> AttachedDisk {
    AttachedDisk::new()
        .set_boot(boot)
        .set_type(attached_disk::Type::Persistent)
        .set_mode(attached_disk::Mode::ReadWrite)
}

fn encryption(key: &RemoteId) -> CustomerEncryptionKey {
    CustomerEncryptionKey::new().set_kms_key_name(key.as_str())
}
