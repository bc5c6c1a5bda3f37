//! Looking: one `DescribeInstances` and, where needed, one `DescribeVolumes` for any number of targets.
//!
//! Targets whose remote id is known are asked for by id, the rest by tag: at most two describes of each kind. Both use
//! filters, because an id that is gone is then no error. Keys have no call for many: one or two `DescribeKey` for each.

use std::collections::HashMap;

use aws_sdk_ec2::types::{Filter, Instance, Volume};
use regions::Region;

use super::{AwsProvider, attachment, error::refused, machine, tags, verify, volume};
use crate::{CallError, ErrorClass, Kind, MachineSpec, Observed, RemoteId, Spec, Target, Trouble, VolumeSpec};

/// Amazon EC2 User Guide, "List and filter using the CLI and API": at most 200 values in the filters of a call.
const MOST_VALUES: usize = 200;
/// Amazon EC2 API Reference, `DescribeInstances` and `DescribeVolumes`, `MaxResults`.
pub(super) const PAGE: i32 = 1000;

/// A filter.
pub(super) fn filter(name: &str, values: impl IntoIterator<Item = impl Into<String>>) -> Filter {
    let values = values.into_iter().map(Into::into).collect();
    Filter::builder().name(name).set_values(Some(values)).build()
}

impl AwsProvider {
    /// Looks at one.
    pub(super) async fn observe_one(&self, region: Region, target: &Target) -> Result<Observed, CallError> {
        let seen = self.observe_all(region, std::slice::from_ref(target)).await?;
        Ok(seen.into_iter().next().unwrap_or(Observed::ABSENT))
    }

    /// Looks at all of them.
    pub(super) async fn observe_all(&self, region: Region, targets: &[Target]) -> Result<Vec<Observed>, CallError> {
        if let Some(stranger) = targets.iter().find(|target| target.spec.region() != region) {
            let message = format!("{} is not in {region}", super::name(&stranger.spec, stranger.remote.as_ref()));
            return Err(CallError::new("observe", ErrorClass::Invalid, "WrongRegion", message));
        }
        let instances = self.instances_of(region, targets).await?;
        let volumes = self.volumes_of(region, targets, &instances).await?;
        let snapshots = self.snapshots_of(region, targets).await?;
        let mut seen = Vec::with_capacity(targets.len());
        for target in targets {
            seen.push(match &target.spec {
                Spec::Stray(spec) => self.judge_stray(target, spec, &instances, &volumes, &snapshots).await?,
                Spec::Key(spec) => self.observe_key(target, spec).await?,
                Spec::Machine(spec) => self.judge_machine(target, spec, &instances, &volumes),
                Spec::Volume(spec) => self.judge_volume(target, spec, &volumes),
                Spec::Attachment(spec) => {
                    let volume = volumes.iter().find(|volume| volume.volume_id() == Some(spec.volume.as_str()));
                    attachment::judge(spec, volume)
                }
            });
        }
        Ok(seen)
    }

    async fn instances_of(&self, region: Region, targets: &[Target]) -> Result<Vec<Instance>, CallError> {
        let machines = || targets.iter().filter(|target| target.spec.kind() == Kind::Machine);
        let known = machines().filter_map(|target| target.remote.clone()).map(|remote| remote.0).collect();
        let unknown = machines().filter(|target| target.remote.is_none()).map(|t| t.spec.id().to_string()).collect();
        let mut instances = self.instances_by(region, "instance-id", known).await?;
        instances.extend(self.instances_by_tag(region, unknown).await?);
        Ok(instances)
    }

    async fn volumes_of(
        &self,
        region: Region,
        targets: &[Target],
        instances: &[Instance],
    ) -> Result<Vec<Volume>, CallError> {
        let (mut known, mut unknown) = (Vec::new(), Vec::new());
        for target in targets {
            match (&target.spec, &target.remote) {
                (Spec::Volume(_), Some(remote)) => known.push(remote.0.clone()),
                (Spec::Volume(spec), None) => unknown.push(spec.id.to_string()),
                (Spec::Attachment(spec), _) => known.push(spec.volume.0.clone()),
                (Spec::Stray(spec), Some(remote)) if spec.kind == Kind::Volume => known.push(remote.0.clone()),
                (Spec::Machine(_) | Spec::Key(_) | Spec::Stray(_), _) => {}
            }
        }
        // What a stray has for volumes is nobody's specification.
        let is_stray = |instance: &&Instance| {
            let strays = targets.iter().filter(|target| matches!(target.spec, Spec::Stray(_)));
            let mut remotes = strays.filter_map(|target| target.remote.as_ref());
            remotes.any(|remote| instance.instance_id() == Some(remote.as_str()))
        };
        let unread = instances.iter().filter(|instance| !is_stray(instance)).flat_map(machine::volumes_to_read);
        known.extend(unread.filter(|id| self.known_disk(id).is_none()).map(ToOwned::to_owned));
        known.sort_unstable();
        known.dedup();
        let mut volumes = self.volumes_by(region, "volume-id", known).await?;
        volumes.extend(self.volumes_by_tag(region, unknown).await?);
        // The key of a volume that is still being made may not be shown yet.
        self.learn_disks(volumes.iter().filter(|volume| !volume.attachments().is_empty()));
        Ok(volumes)
    }

    fn judge_machine(
        &self,
        target: &Target,
        spec: &MachineSpec,
        instances: &[Instance],
        volumes: &[Volume],
    ) -> Observed {
        let ours: Vec<&Instance> = match &target.remote {
            Some(remote) => instances.iter().filter(|it| it.instance_id() == Some(remote.as_str())).collect(),
            None => {
                let id = spec.id.to_string();
                let tagged = |it: &&Instance| tags::get(it.tags(), tags::RESOURCE) == Some(id.as_str());
                // The shadow of one that was terminated may be of an earlier incarnation: it says nothing of this one.
                let there = instances.iter().filter(tagged).filter(|it| !is_shadow(it));
                let mut there: Vec<&Instance> = there.collect();
                there.sort_by_key(|it| (!machine::is_live(it), it.instance_id().map(ToOwned::to_owned)));
                there.dedup_by_key(|it| it.instance_id().map(ToOwned::to_owned));
                there
            }
        };
        let Some(instance) = ours.first() else { return Observed::ABSENT };
        let live: Vec<&str> = ours.iter().filter(|it| machine::is_live(it)).filter_map(|it| it.instance_id()).collect();
        if live.len() > 1 {
            let message = format!("{} machines carry the tag of one: {}", live.len(), live.join(", "));
            let why = Trouble { class: ErrorClass::Conflict, code: "Duplicate".to_owned(), message };
            return Observed::Broken { found: machine::found(instance, None), why };
        }
        let read = |id: &str| {
            let fresh = volumes.iter().find(|volume| volume.volume_id() == Some(id)).map(verify::Disk::read);
            fresh.or_else(|| self.known_disk(id)).map(|disk| (id.to_owned(), disk))
        };
        let disks: HashMap<String, verify::Disk> =
            machine::volumes_to_read(instance).into_iter().filter_map(read).collect();
        let root = self.root_device(spec.placement.region());
        machine::judge(&self.deployment, root, spec, instance, &disks)
    }

    fn judge_volume(&self, target: &Target, spec: &VolumeSpec, volumes: &[Volume]) -> Observed {
        let (id, root) = (spec.id.to_string(), self.root_device(spec.placement.region()));
        let ours = volumes.iter().filter(|volume| match &target.remote {
            Some(RemoteId(remote)) => volume.volume_id() == Some(remote),
            None => tags::get(volume.tags(), tags::CACHE) == Some(id.as_str()) && !volume::is_root(volume, root),
        });
        let mut ours: Vec<&Volume> = ours.collect();
        ours.sort_by_key(|volume| volume.volume_id().map(ToOwned::to_owned));
        ours.dedup_by_key(|volume| volume.volume_id().map(ToOwned::to_owned));
        volume::judge(&self.deployment, spec, &ours)
    }

    /// The instances that carry one of those ids of ours.
    pub(super) async fn instances_by_tag(&self, region: Region, ids: Vec<String>) -> Result<Vec<Instance>, CallError> {
        self.instances_by(region, &format!("tag:{}", tags::RESOURCE), ids).await
    }

    /// The volumes that carry one of those ids of cache volumes.
    pub(super) async fn volumes_by_tag(&self, region: Region, ids: Vec<String>) -> Result<Vec<Volume>, CallError> {
        self.volumes_by(region, &format!("tag:{}", tags::CACHE), ids).await
    }

    /// The instances that a filter finds, all pages of them.
    pub(super) async fn instances_by(
        &self,
        region: Region,
        name: &str,
        values: Vec<String>,
    ) -> Result<Vec<Instance>, CallError> {
        let what = format!("machines in {}", region.name());
        let ec2 = self.clients(region).await.ec2;
        let mut found = Vec::new();
        for values in values.chunks(MOST_VALUES - 1) {
            let mut next = None;
            loop {
                let request = ec2.describe_instances().set_filters(self.by(name, values)).max_results(PAGE);
                let answer = request.set_next_token(next).send().await;
                let answer = answer.map_err(|error| refused("ec2:DescribeInstances", &what, &error))?;
                next = answer.next_token().filter(|token| !token.is_empty()).map(ToOwned::to_owned);
                let more = answer.reservations.unwrap_or_default().into_iter();
                found.extend(more.flat_map(|reservation| reservation.instances.unwrap_or_default()));
                if next.is_none() {
                    break;
                }
            }
        }
        Ok(found)
    }

    async fn volumes_by(&self, region: Region, name: &str, values: Vec<String>) -> Result<Vec<Volume>, CallError> {
        let what = format!("volumes in {}", region.name());
        let ec2 = self.clients(region).await.ec2;
        let mut found = Vec::new();
        for values in values.chunks(MOST_VALUES - 1) {
            let mut next = None;
            loop {
                let request = ec2.describe_volumes().set_filters(self.by(name, values)).max_results(PAGE);
                let answer = request.set_next_token(next).send().await;
                let answer = answer.map_err(|error| refused("ec2:DescribeVolumes", &what, &error))?;
                next = answer.next_token().filter(|token| !token.is_empty()).map(ToOwned::to_owned);
                found.extend(answer.volumes.unwrap_or_default());
                if next.is_none() {
                    break;
                }
            }
        }
        Ok(found)
    }

    /// By tag, only what is of our deployment counts.
    fn by(&self, name: &str, values: &[String]) -> Option<Vec<Filter>> {
        let mut filters = vec![filter(name, values)];
        if name.starts_with("tag:") {
            filters.push(filter(&format!("tag:{}", tags::DEPLOYMENT), [self.deployment.as_str()]));
        }
        Some(filters)
    }
}

fn is_shadow(instance: &Instance) -> bool {
    matches!(machine::state(instance), Some(aws_sdk_ec2::types::InstanceStateName::Terminated))
}
