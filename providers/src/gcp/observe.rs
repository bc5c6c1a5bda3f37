//! Looks at many: one list of a zone's machines for all that wait there. Its disks are listed when they are asked for
//! themselves, or when a machine does not tell under which keys its own are; its operations when something is missing or did
//! not change as it was asked to.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::PoisonError;

use google_cloud_compute_v1::model::{AttachedDisk, Disk, Instance, attached_disk::Architecture, instance::Status};
use regions::{Arch, Region};

use super::machine::CACHE_DEVICE;
use super::names::{self, Collection};
use super::operation::{self, Asked, Latest, MOST_NAMES};
use super::verify::{disk_trouble, encryption_trouble, instance_trouble, key_of, wrong};
use super::{GcpProvider, labels, name};
use crate::{CacheSource, CallError, ErrorClass, Found, Kind, MachineSpec, Observed, Power, RemoteId, Spec, Target};

/// The most that one page has (Compute Engine API reference, `instances.list`, `maxResults`).
pub(super) const PAGE: u32 = 500;
/// More machines than one process drives; past it the memory starts anew.
const MOST_VERIFIED: usize = 20_000;

/// What was read of one zone.
#[derive(Default)]
pub(super) struct View {
    pub(super) instances: HashMap<String, Instance>,
    pub(super) disks: HashMap<String, Disk>,
    operations: Latest,
}

impl GcpProvider {
    pub(super) async fn observe_one(&self, region: Region, target: &Target) -> Result<Observed, CallError> {
        let seen = self.observe_all(region, std::slice::from_ref(target)).await?;
        Ok(seen.into_iter().next().unwrap_or(Observed::ABSENT))
    }

    pub(super) async fn observe_all(&self, region: Region, targets: &[Target]) -> Result<Vec<Observed>, CallError> {
        if let Some(stray) = targets.iter().find(|target| target.spec.region() != region) {
            let message = format!("{} is not in {region}", name(&stray.spec, stray.remote.as_ref()));
            return Err(CallError::new("observe", ErrorClass::Invalid, "WrongRegion", message));
        }
        let mut zones: BTreeMap<&str, Vec<&Target>> = BTreeMap::new();
        for target in targets {
            if let Some(zone) = zone_of(target) {
                zones.entry(zone).or_default().push(target);
            }
        }
        let mut views = BTreeMap::new();
        for (zone, targets) in zones {
            views.insert(zone, self.view(zone, &targets).await?);
        }
        let mut seen = Vec::with_capacity(targets.len());
        for target in targets {
            let view = zone_of(target).and_then(|zone| views.get(zone));
            seen.push(match (&target.spec, view) {
                (Spec::Stray(spec), view) => self.judge_stray(target, spec, view).await?,
                (Spec::Key(spec), _) => self.observe_key(target, spec).await?,
                (Spec::Machine(spec), Some(view)) => self.judge_machine(target, spec, view).await,
                (Spec::Volume(spec), Some(view)) => {
                    let remote = target.remote.clone().unwrap_or_else(|| self.disk_of(spec));
                    let disk = view.disks.get(names::last(remote.as_str())).filter(|disk| {
                        target.remote.is_some()
                            || (labels::id(&disk.labels, labels::CACHE) == Some(spec.id)
                                && disk.labels.get(labels::DEPLOYMENT) == Some(&self.names.deployment))
                    });
                    self.judge_disk(spec, disk)
                }
                (Spec::Machine(_) | Spec::Volume(_) | Spec::Attachment(_), _) => Observed::ABSENT,
            });
        }
        Ok(seen)
    }

    async fn view(&self, zone: &str, targets: &[&Target]) -> Result<View, CallError> {
        let (mut machines, mut disks) = (BTreeSet::new(), BTreeSet::new());
        for target in targets {
            match &target.spec {
                Spec::Machine(spec) => drop(machines.insert(self.machine_name(target, spec))),
                Spec::Volume(spec) => {
                    let remote = target.remote.clone().unwrap_or_else(|| self.disk_of(spec));
                    disks.insert(names::last(remote.as_str()).to_owned());
                }
                Spec::Stray(spec) => {
                    let named = target.remote.iter().map(|remote| names::last(remote.as_str()).to_owned());
                    match spec.kind {
                        Kind::Machine => machines.extend(named),
                        Kind::Volume => disks.extend(named),
                        Kind::Key | Kind::Snapshot | Kind::Attachment => {}
                    }
                }
                Spec::Key(_) | Spec::Attachment(_) => {}
            }
        }
        let mut view = View { instances: self.instances_named(zone, machines).await?, ..View::default() };
        let mut unclear = Vec::new();
        for target in targets {
            let Spec::Machine(spec) = &target.spec else { continue };
            let machine = self.machine_name(target, spec);
            match view.instances.get(&machine) {
                Some(instance) => {
                    if is_at_rest(instance) && !self.is_verified(instance, &spec.key) {
                        // A machine tells the keys of its disks; one that it does not tell is read.
                        let silent =
                            instance.disks.iter().filter(|disk| key_of(disk.disk_encryption_key.as_ref()).is_none());
                        disks.extend(silent.filter_map(source).map(ToOwned::to_owned));
                    }
                    match self.asked(&self.names.remote(zone, Collection::Instances, &machine)) {
                        Some(Asked::Start | Asked::Stop | Asked::Delete) if is_at_rest(instance) => {
                            unclear.push(machine)
                        }
                        Some(_) | None => {}
                    }
                }
                // What the cloud itself took away is told to those who know that it was there.
                None if target.remote.is_some() => unclear.push(machine),
                None => {}
            }
        }
        view.disks = self.disks_named(zone, disks).await?;
        if !unclear.is_empty() {
            view.operations = self.latest_operations(zone, &unclear).await?;
        }
        Ok(view)
    }

    fn machine_name(&self, target: &Target, spec: &MachineSpec) -> String {
        let remote = target.remote.as_ref().map(|remote| names::last(remote.as_str()).to_owned());
        remote.unwrap_or_else(|| self.names.machine(spec.id))
    }

    async fn judge_machine(&self, target: &Target, spec: &MachineSpec, view: &View) -> Observed {
        let machine = self.machine_name(target, spec);
        let remote = self.names.remote(spec.placement.zone().name(), Collection::Instances, &machine);
        let what = name(&target.spec, Some(&remote));
        let last = view.operations.get(&machine);
        let there = view.instances.get(&machine).filter(|instance| {
            // What has our name by chance, and is not ours, is not there for us.
            target.remote.is_some()
                || (labels::id(&instance.labels, labels::RESOURCE) == Some(spec.id)
                    && instance.labels.get(labels::DEPLOYMENT) == Some(&self.names.deployment))
        });
        let Some(instance) = there else {
            if self.asked(&remote) == Some(Asked::Insert) && self.is_behind(&remote, last) {
                return Observed::Pending(Found::new(remote));
            }
            if last.is_some_and(operation::is_done) {
                self.forget(&remote);
            }
            let Some(last) = last else { return Observed::ABSENT };
            let is_insertion = last.operation_type.as_deref() == Some("insert");
            if !operation::is_done(last) {
                let found = Found::new(remote);
                return if is_insertion { Observed::Pending(found) } else { Observed::Leaving(found) };
            }
            let died = operation::trouble(last, &what).filter(|_| is_insertion);
            return match died {
                Some(trouble) => Observed::Absent { died: Some(self.explained_trouble(trouble, &spec.key).await) },
                None => Observed::ABSENT,
            };
        };
        if self.asked(&remote) == Some(Asked::Insert) {
            self.forget(&remote);
        }
        let found = self.found_machine(&remote, instance, None);
        match &instance.status {
            Some(Status::Running) => self.at_rest(&what, spec, instance, view, Power::Running).await,
            Some(Status::Terminated | Status::Stopped) => {
                self.at_rest(&what, spec, instance, view, Power::Stopped).await
            }
            Some(Status::Deprovisioning) => Observed::Leaving(found),
            Some(Status::Stopping) if self.asked(&remote) == Some(Asked::Delete) => Observed::Leaving(found),
            Some(Status::Suspended) => {
                let why = wrong("Suspended", format!("machine {remote} is suspended, which we never do: resume it"));
                Observed::Broken { found, why }
            }
            _ => Observed::Pending(found),
        }
    }

    async fn at_rest(
        &self,
        what: &str,
        spec: &MachineSpec,
        instance: &Instance,
        view: &View,
        power: Power,
    ) -> Observed {
        let machine = instance.name.as_deref().unwrap_or_default();
        let remote = self.names.remote(spec.placement.zone().name(), Collection::Instances, machine);
        let found = self.found_machine(&remote, instance, Some(power));
        if let Some(asked) = self.asked(&remote) {
            match view.operations.get(machine) {
                last if self.is_behind(&remote, last) => {
                    return if asked == Asked::Delete { Observed::Leaving(found) } else { Observed::Pending(found) };
                }
                // It has not begun to change yet.
                Some(last) if !operation::is_done(last) => {
                    return if asked == Asked::Delete { Observed::Leaving(found) } else { Observed::Pending(found) };
                }
                last => {
                    self.forget(&remote);
                    if let Some(trouble) = last.and_then(|last| operation::trouble(last, what)) {
                        let why = self.explained_trouble(trouble, &spec.key).await;
                        return Observed::Broken { found, why };
                    }
                }
            }
        }
        if let Some(why) = instance_trouble(&self.names.deployment, self.config.external_ip, spec, instance) {
            return Observed::Broken { found, why };
        }
        self.judge_disks(spec, instance, view, found)
    }

    /// Holds the disks of a machine at rest against its specification.
    fn judge_disks(&self, spec: &MachineSpec, instance: &Instance, view: &View, found: Found) -> Observed {
        let cache = instance.disks.iter().find(|disk| disk.device_name.as_deref() == Some(CACHE_DEVICE));
        let wanted = match &spec.cache {
            CacheSource::Born(volume) => self.names.cache(volume.id),
            CacheSource::Existing { remote, .. } => names::last(remote.as_str()).to_owned(),
        };
        let broken = |found: &Found, code: &str, message: String| Observed::Broken {
            found: found.clone(),
            why: wrong(code, message),
        };
        let id = found.remote.as_str();
        let Some(cache) = cache else {
            return broken(&found, "NoCache", format!("machine {id} has no disk as its device {CACHE_DEVICE}"));
        };
        if source(cache) != Some(wanted.as_str()) {
            let other = source(cache).unwrap_or_default();
            return broken(&found, "WrongCache", format!("machine {id} has {other} as its cache, not {wanted}"));
        }
        if cache.auto_delete == Some(true) {
            return broken(&found, "CacheNotKept", format!("the cache disk of machine {id} would be deleted with it"));
        }
        if self.is_verified(instance, &spec.key) {
            return Observed::Ready(found);
        }
        let zone = spec.placement.zone().name();
        for attached in &instance.disks {
            let part = if attached.boot == Some(true) { "root disk" } else { "disk" };
            let told = key_of(attached.disk_encryption_key.as_ref());
            let place = attached.source.as_deref().and_then(names::zone_and_name);
            let trouble = match (told, place, source(attached).and_then(|name| view.disks.get(name))) {
                (Some(key), Some((place, name)), _) => {
                    encryption_trouble(&format!("{part} {name}"), Some(&key), place, &spec.key, zone)
                }
                (_, _, Some(disk)) => disk_trouble(part, disk, &spec.key, zone),
                (_, _, None) => return Observed::Pending(found),
            };
            if let Some(why) = trouble {
                return Observed::Broken { found, why };
            }
            if attached.boot == Some(true)
                && let Some(arch) = attached.architecture.as_ref().and_then(architecture)
                && arch != spec.machine.arch()
            {
                let message =
                    format!("machine {id} boots an image for {arch}, not {}: see gcp.images", spec.machine.arch());
                return broken(&found, "WrongArchitecture", message);
            }
        }
        self.learn(instance, &spec.key);
        Observed::Ready(found)
    }

    /// The facts of an instance.
    pub(super) fn found_machine(&self, remote: &RemoteId, instance: &Instance, power: Option<Power>) -> Found {
        let cache =
            instance.disks.iter().find(|disk| disk.device_name.as_deref() == Some(CACHE_DEVICE)).and_then(source);
        let zone = names::last(instance.zone.as_deref().unwrap_or_default());
        let address = instance.network_interfaces.first().and_then(|interface| interface.network_ip.clone());
        Found {
            power,
            cache: cache.map(|name| self.names.remote(zone, Collection::Disks, name)),
            address: address.filter(|_| power == Some(Power::Running)),
            quarantined_until_ms: labels::quarantined_until(&instance.labels),
            ..Found::new(remote.clone())
        }
    }

    /// Whether the disks of that machine have been verified: they can't change while it lives. The number is never used again.
    fn is_verified(&self, instance: &Instance, key: &RemoteId) -> bool {
        let verified = self.verified.lock().unwrap_or_else(PoisonError::into_inner);
        instance.id.is_some_and(|id| verified.get(&id) == Some(key))
    }

    fn learn(&self, instance: &Instance, key: &RemoteId) {
        let mut verified = self.verified.lock().unwrap_or_else(PoisonError::into_inner);
        if verified.len() > MOST_VERIFIED {
            verified.clear();
        }
        verified.extend(instance.id.map(|id| (id, key.clone())));
    }

    async fn instances_named(
        &self,
        zone: &str,
        machines: BTreeSet<String>,
    ) -> Result<HashMap<String, Instance>, CallError> {
        let (call, what) = ("compute.instances.list", format!("machines in {zone}"));
        let instances = &self.clients().await?.instances;
        let mut found = HashMap::new();
        for filter in filters(machines) {
            let mut page = None;
            loop {
                let request = instances.list().set_project(&self.names.project).set_zone(zone).set_filter(&filter);
                let request = request.set_max_results(PAGE).set_or_clear_page_token(page);
                let answer = self.send(call, &what, request.send()).await?;
                found.extend(answer.items.into_iter().filter_map(|item| Some((item.name.clone()?, item))));
                page = answer.next_page_token.filter(|token| !token.is_empty());
                if page.is_none() {
                    break;
                }
            }
        }
        Ok(found)
    }

    async fn disks_named(&self, zone: &str, disks: BTreeSet<String>) -> Result<HashMap<String, Disk>, CallError> {
        let (call, what) = ("compute.disks.list", format!("disks in {zone}"));
        let client = &self.clients().await?.disks;
        let mut found = HashMap::new();
        for filter in filters(disks) {
            let mut page = None;
            loop {
                let request = client.list().set_project(&self.names.project).set_zone(zone).set_filter(&filter);
                let request = request.set_max_results(PAGE).set_or_clear_page_token(page);
                let answer = self.send(call, &what, request.send()).await?;
                found.extend(answer.items.into_iter().filter_map(|item| Some((item.name.clone()?, item))));
                page = answer.next_page_token.filter(|token| !token.is_empty());
                if page.is_none() {
                    break;
                }
            }
        }
        Ok(found)
    }
}

/// Filters that find those names.
fn filters(names: BTreeSet<String>) -> Vec<String> {
    let names: Vec<String> = names.into_iter().map(|name| format!("(name = {name})")).collect();
    names.chunks(MOST_NAMES).map(|chunk| chunk.join(" OR ")).collect()
}

fn zone_of(target: &Target) -> Option<&str> {
    match &target.spec {
        Spec::Key(_) => None,
        Spec::Stray(_) => {
            target.remote.as_ref().and_then(|remote| names::zone_and_name(remote.as_str())).map(|(zone, _)| zone)
        }
        Spec::Volume(spec) => Some(spec.placement.zone().name()),
        Spec::Machine(spec) => Some(spec.placement.zone().name()),
        Spec::Attachment(spec) => Some(spec.placement.zone().name()),
    }
}

fn is_at_rest(instance: &Instance) -> bool {
    matches!(instance.status, Some(Status::Running | Status::Terminated | Status::Stopped))
}

/// The name of an attached disk.
fn source(disk: &AttachedDisk) -> Option<&str> {
    disk.source.as_deref().map(names::last)
}

fn architecture(arch: &Architecture) -> Option<Arch> {
    match arch {
        Architecture::Arm64 => Some(Arch::Arm64),
        Architecture::X8664 => Some(Arch::X86_64),
        _ => None,
    }
}
