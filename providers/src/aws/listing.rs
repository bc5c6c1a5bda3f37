//! All that carries the deployment's tag, page by page: machines, then volumes, then snapshots, then keys.
//!
//! Left out, because they are parts or shadows and not things: terminated instances, deleted volumes, root volumes of
//! machines, and keys whose deletion is scheduled. A root volume that outlived its machine is listed, without an id.

use aws_sdk_ec2::types::{Instance, InstanceStateName, Snapshot, Volume};
use aws_smithy_types::DateTime;
use regions::Region;

use super::observe::{PAGE, filter};
use super::{AwsProvider, error::refused, key, machine, stray, strays, tags, volume};
use crate::{CallError, ErrorClass, Found, Kind, Listed, Listing, Owner, PageToken, Power, RemoteId};

/// The phases, and what stands before the cloud's own token of a page.
const PHASES: [&str; 4] = ["machines", "volumes", "snapshots", "keys"];

impl AwsProvider {
    pub(super) async fn list_page(&self, region: Region, page: Option<PageToken>) -> Result<Listing, CallError> {
        let text = page.map_or_else(|| "machines:".to_owned(), |page| page.0);
        let (phase, token) = text.split_once(':').unwrap_or((text.as_str(), ""));
        let token = Some(token.to_owned()).filter(|token| !token.is_empty());
        let (things, next) = match phase {
            "machines" => self.list_machines(region, token).await?,
            "volumes" => self.list_volumes(region, token).await?,
            "snapshots" => self.list_snapshots(region, token).await?,
            "keys" => self.list_keys(region, token).await?,
            _ => {
                let message = format!("`{text}` is no page of this listing");
                return Err(CallError::new("list", ErrorClass::Invalid, "WrongPage", message));
            }
        };
        let following = PHASES.iter().skip_while(|name| **name != phase).nth(1);
        let next = match next {
            Some(token) => Some(PageToken(format!("{phase}:{token}"))),
            None => following.map(|phase| PageToken(format!("{phase}:"))),
        };
        Ok(Listing { things, next })
    }

    async fn list_machines(
        &self,
        region: Region,
        token: Option<String>,
    ) -> Result<(Vec<Listed>, Option<String>), CallError> {
        let states = ["pending", "running", "stopping", "stopped", "shutting-down"];
        let request = (self.clients(region).await.ec2.describe_instances())
            .filters(filter(&format!("tag:{}", tags::DEPLOYMENT), [self.deployment.as_str()]))
            .filters(filter("instance-state-name", states))
            .max_results(PAGE)
            .set_next_token(token);
        let what = format!("machines in {}", region.name());
        let answer = request.send().await.map_err(|error| refused("ec2:DescribeInstances", &what, &error))?;
        let next = answer.next_token().filter(|token| !token.is_empty()).map(ToOwned::to_owned);
        let instances = answer.reservations().iter().flat_map(|reservation| reservation.instances());
        Ok((instances.filter_map(listed_machine).collect(), next))
    }

    async fn list_volumes(
        &self,
        region: Region,
        token: Option<String>,
    ) -> Result<(Vec<Listed>, Option<String>), CallError> {
        let request = (self.clients(region).await.ec2.describe_volumes())
            .filters(filter(&format!("tag:{}", tags::DEPLOYMENT), [self.deployment.as_str()]))
            .max_results(PAGE)
            .set_next_token(token);
        let what = format!("volumes in {}", region.name());
        let answer = request.send().await.map_err(|error| refused("ec2:DescribeVolumes", &what, &error))?;
        let next = answer.next_token().filter(|token| !token.is_empty()).map(ToOwned::to_owned);
        Ok((
            answer.volumes().iter().filter_map(|volume| listed_volume(volume, self.root_device(region))).collect(),
            next,
        ))
    }

    async fn list_snapshots(
        &self,
        region: Region,
        token: Option<String>,
    ) -> Result<(Vec<Listed>, Option<String>), CallError> {
        let request = (self.clients(region).await.ec2.describe_snapshots())
            .owner_ids("self")
            .filters(filter(&format!("tag:{}", tags::DEPLOYMENT), [self.deployment.as_str()]))
            .max_results(PAGE)
            .set_next_token(token);
        let what = format!("snapshots in {}", region.name());
        let answer = request.send().await.map_err(|error| refused("ec2:DescribeSnapshots", &what, &error))?;
        let next = answer.next_token().filter(|token| !token.is_empty()).map(ToOwned::to_owned);
        Ok((answer.snapshots().iter().map(listed_snapshot).collect(), next))
    }

    async fn list_keys(
        &self,
        region: Region,
        token: Option<String>,
    ) -> Result<(Vec<Listed>, Option<String>), CallError> {
        let kms = self.clients(region).await;
        let (ids, next) = strays::key_page(&kms, region, token).await?;
        let mut things = Vec::new();
        for id in ids {
            let Some(tags) = strays::key_tags(&kms, &id).await? else { continue };
            if tags::get_of_key(&tags, tags::DEPLOYMENT) != Some(self.deployment.as_str()) {
                continue;
            }
            let Some(key) = key::describe(&kms, &id).await?.filter(|key| !key::is_dying(key)) else { continue };
            let org = tags::get_of_key(&tags, tags::ORGANIZATION);
            things.push(Listed {
                kind: Kind::Key,
                id: tags::id(tags::get_of_key(&tags, tags::RESOURCE)),
                owner: org.map(|org| Owner { org: org.to_owned(), project: None }),
                arch: None,
                zone: None,
                found: Found {
                    quarantined_until_ms: tags::quarantined_until(tags::get_of_key(&tags, tags::QUARANTINE)),
                    ..Found::new(key::arn(&key))
                },
                key: None,
                created_ms: key.creation_date().and_then(millis),
                shape: None,
                size_gib: None,
                is_leaving: false,
            });
        }
        Ok((things, next))
    }
}

fn listed_machine(instance: &Instance) -> Option<Listed> {
    let power = match machine::state(instance) {
        Some(InstanceStateName::Running) => Some(Power::Running),
        Some(InstanceStateName::Stopped) => Some(Power::Stopped),
        Some(InstanceStateName::Terminated) => return None,
        _ => None,
    };
    // A restart renews the launch time; the first attachment of a disk is as old as the machine.
    let disks = instance.block_device_mappings().iter().filter_map(|mapping| mapping.ebs()?.attach_time());
    let created = instance.launch_time().into_iter().chain(disks).filter_map(millis).min();
    Some(Listed {
        kind: Kind::Machine,
        id: tags::id(tags::get(instance.tags(), tags::RESOURCE)),
        owner: tags::owner_of(instance.tags()),
        arch: instance.architecture().and_then(|arch| tags::arch(Some(arch.as_str()))),
        zone: instance.placement().and_then(|placement| placement.availability_zone()).map(ToOwned::to_owned),
        found: machine::found(instance, power),
        key: None,
        created_ms: created,
        shape: instance.instance_type().map(|kind| kind.as_str().to_owned()),
        size_gib: None,
        is_leaving: machine::state(instance) == Some(&InstanceStateName::ShuttingDown),
    })
}

fn listed_volume(volume: &Volume, root_device: &str) -> Option<Listed> {
    let is_root = volume::is_root(volume, root_device);
    if volume::is_gone(volume) || (is_root && volume::attached_to(volume).is_some()) {
        return None;
    }
    let encrypted = volume.encrypted() == Some(true);
    Some(Listed {
        kind: Kind::Volume,
        id: tags::id(tags::get(volume.tags(), tags::CACHE)).filter(|_| !is_root),
        owner: tags::owner_of(volume.tags()),
        arch: tags::arch(tags::get(volume.tags(), tags::ARCH)),
        zone: volume.availability_zone().map(ToOwned::to_owned),
        found: volume::found(volume),
        key: volume.kms_key_id().filter(|_| encrypted).map(RemoteId::from),
        created_ms: volume.create_time().and_then(millis),
        shape: volume.volume_type().map(|kind| kind.as_str().to_owned()),
        size_gib: volume.size().and_then(|size| u32::try_from(size).ok()),
        is_leaving: false,
    })
}

fn listed_snapshot(snapshot: &Snapshot) -> Listed {
    let encrypted = snapshot.encrypted() == Some(true);
    Listed {
        kind: Kind::Snapshot,
        id: None,
        owner: tags::owner_of(snapshot.tags()),
        arch: tags::arch(tags::get(snapshot.tags(), tags::ARCH)),
        zone: None,
        found: stray::found_snapshot(snapshot),
        key: snapshot.kms_key_id().filter(|_| encrypted).map(RemoteId::from),
        created_ms: snapshot.start_time().and_then(millis),
        shape: None,
        size_gib: snapshot.volume_size().and_then(|size| u32::try_from(size).ok()),
        is_leaving: false,
    }
}

fn millis(time: &DateTime) -> Option<i64> {
    time.to_millis().ok()
}
