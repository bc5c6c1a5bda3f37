//! All that carries the deployment's label, page by page: machines, then disks, zone by zone, then snapshots,
//! then keys.
//!
//! Left out, because they are parts or shadows and not things: root disks of machines, and keys that were removed. A root
//! disk that outlived its machine is listed, without an id.

use google_cloud_compute_v1::model::{Disk, Instance, Snapshot, disk, instance::Status, snapshot};
use google_cloud_kms_v1::model::CryptoKey;
use regions::{Cloud, Region};

use super::names::Collection;
use super::observe::PAGE;
use super::{GcpProvider, error, labels, names, verify};
use crate::{CallError, ErrorClass, Found, Kind, Listed, Listing, PageToken, Power, RemoteId};

/// A page: what it is of, in which zone, and the cloud's own token.
struct Place<'a> {
    phase: &'a str,
    zone: &'a str,
    token: Option<String>,
}

type Page = (Vec<Listed>, Option<String>);

impl GcpProvider {
    pub(super) async fn list_page(&self, region: Region, page: Option<PageToken>) -> Result<Listing, CallError> {
        let zones: Vec<&str> = region.zones().map(|zone| zone.name()).collect();
        let stations: Vec<(&str, &str)> = zones
            .iter()
            .map(|zone| ("machines", *zone))
            .chain(zones.iter().map(|zone| ("disks", *zone)))
            .chain([("snapshots", ""), ("keys", "")])
            .collect();
        let text = page.map_or_else(|| format!("{}:{}:", stations[0].0, stations[0].1), |page| page.0);
        let wrong =
            || CallError::new("list", ErrorClass::Invalid, "WrongPage", format!("`{text}` is no page of this listing"));
        let mut parts = text.splitn(3, ':');
        let (phase, zone) = (parts.next().ok_or_else(wrong)?, parts.next().ok_or_else(wrong)?);
        let at = stations.iter().position(|station| *station == (phase, zone)).ok_or_else(wrong)?;
        let token = parts.next().filter(|token| !token.is_empty()).map(ToOwned::to_owned);
        let place = Place { phase, zone, token };
        let (things, next) = match place.phase {
            "machines" => self.list_machines(&place).await?,
            "disks" => self.list_disks(&place).await?,
            "snapshots" => self.list_snapshots(region, &place).await?,
            _ => self.list_keys(region, &place).await?,
        };
        let next = match next {
            Some(token) => Some(PageToken(format!("{phase}:{zone}:{token}"))),
            None => stations.get(at + 1).map(|(phase, zone)| PageToken(format!("{phase}:{zone}:"))),
        };
        Ok(Listing { things, next })
    }

    fn ours(&self) -> String {
        format!("labels.{} = \"{}\"", labels::DEPLOYMENT, self.names.deployment)
    }

    async fn list_machines(&self, place: &Place<'_>) -> Result<Page, CallError> {
        let request = (self.clients().await?.instances.list())
            .set_project(&self.names.project)
            .set_zone(place.zone)
            .set_filter(self.ours())
            .set_max_results(PAGE)
            .set_or_clear_page_token(place.token.clone());
        let what = format!("machines in {}", place.zone);
        let answer = self.send("compute.instances.list", &what, request.send()).await?;
        let things = answer.items.iter().map(|instance| self.listed_machine(place.zone, instance)).collect();
        Ok((things, answer.next_page_token.filter(|token| !token.is_empty())))
    }

    async fn list_disks(&self, place: &Place<'_>) -> Result<Page, CallError> {
        let request = (self.clients().await?.disks.list())
            .set_project(&self.names.project)
            .set_zone(place.zone)
            .set_filter(self.ours())
            .set_max_results(PAGE)
            .set_or_clear_page_token(place.token.clone());
        let what = format!("disks in {}", place.zone);
        let answer = self.send("compute.disks.list", &what, request.send()).await?;
        let things = answer.items.iter().filter_map(|disk| self.listed_disk(place.zone, disk)).collect();
        Ok((things, answer.next_page_token.filter(|token| !token.is_empty())))
    }

    /// Snapshots are the project's; one belongs to the region where it is stored, or else where its disk stood.
    async fn list_snapshots(&self, region: Region, place: &Place<'_>) -> Result<Page, CallError> {
        let call = "compute.snapshots.list";
        let request = (self.clients().await?.snapshots.list())
            .set_project(&self.names.project)
            .set_filter(self.ours())
            .set_max_results(PAGE)
            .set_or_clear_page_token(place.token.clone());
        let what = format!("snapshots of project {}", self.names.project);
        let answer = self.send(call, &what, request.send()).await?;
        let here = answer.items.iter().filter(|snapshot| region_of(snapshot) == Some(region));
        let things = here.map(|snapshot| self.listed_snapshot(snapshot)).collect();
        Ok((things, answer.next_page_token.filter(|token| !token.is_empty())))
    }

    async fn list_keys(&self, region: Region, place: &Place<'_>) -> Result<Page, CallError> {
        let (_, ring) = self.names.key_ring(region.name());
        let call = "cloudkms.cryptoKeys.list";
        let request = (self.clients().await?.kms.list_crypto_keys())
            .set_parent(&ring)
            .set_page_size(100)
            .set_page_token(place.token.clone().unwrap_or_default());
        let answer = match self.try_send(call, &ring, request.send()).await? {
            Ok(answer) => answer,
            // No key ring: no key was ever made there.
            Err(error) if error::is_not_found(&error) => return Ok((Vec::new(), None)),
            Err(error) => return Err(error::refused(call, &ring, &error)),
        };
        let mine = |key: &&CryptoKey| {
            key.labels.get(labels::DEPLOYMENT) == Some(&self.names.deployment)
                && !key.labels.contains_key(labels::LEAVING)
        };
        let things = answer.crypto_keys.iter().filter(mine).map(listed_key).collect();
        Ok((things, Some(answer.next_page_token).filter(|token| !token.is_empty())))
    }

    fn listed_machine(&self, zone: &str, instance: &Instance) -> Listed {
        let power = match &instance.status {
            Some(Status::Running) => Some(Power::Running),
            Some(Status::Terminated | Status::Stopped) => Some(Power::Stopped),
            _ => None,
        };
        let remote = self.names.remote(zone, Collection::Instances, instance.name.as_deref().unwrap_or_default());
        Listed {
            kind: Kind::Machine,
            id: labels::id(&instance.labels, labels::RESOURCE),
            owner: labels::owner_of(&instance.labels),
            arch: labels::arch(&instance.labels),
            zone: Some(zone.to_owned()),
            found: self.found_machine(&remote, instance, power),
            key: None,
            created_ms: instance.creation_timestamp.as_deref().and_then(millis),
            shape: instance.machine_type.as_deref().map(|kind| names::last(kind).to_owned()),
            size_gib: None,
            is_leaving: instance.status == Some(Status::Deprovisioning),
        }
    }

    fn listed_disk(&self, zone: &str, disk: &Disk) -> Option<Listed> {
        let found = self.found_disk(disk);
        let is_root = disk.labels.contains_key(labels::MACHINE) && !disk.labels.contains_key(labels::CACHE);
        if disk.status == Some(disk::Status::Deleting) || (is_root && found.attached_to.is_some()) {
            return None;
        }
        Some(Listed {
            kind: Kind::Volume,
            id: labels::id(&disk.labels, labels::CACHE),
            owner: labels::owner_of(&disk.labels),
            arch: labels::arch(&disk.labels),
            zone: Some(zone.to_owned()),
            key: verify::key_of(disk.disk_encryption_key.as_ref()),
            created_ms: disk.creation_timestamp.as_deref().and_then(millis),
            shape: disk.r#type.as_deref().map(|kind| names::last(kind).to_owned()),
            size_gib: disk.size_gb.and_then(|size| u32::try_from(size).ok()),
            is_leaving: false,
            found,
        })
    }

    fn listed_snapshot(&self, snapshot: &Snapshot) -> Listed {
        Listed {
            kind: Kind::Snapshot,
            id: None,
            owner: labels::owner_of(&snapshot.labels),
            arch: labels::arch(&snapshot.labels),
            zone: None,
            found: self.found_snapshot(snapshot),
            key: verify::key_of(snapshot.snapshot_encryption_key.as_ref()),
            created_ms: snapshot.creation_timestamp.as_deref().and_then(millis),
            shape: None,
            size_gib: snapshot.disk_size_gb.and_then(|size| u32::try_from(size).ok()),
            is_leaving: snapshot.status == Some(snapshot::Status::Deleting),
        }
    }
}

fn region_of(snapshot: &Snapshot) -> Option<Region> {
    let mut stored = snapshot.storage_locations.iter().filter_map(|place| Region::find(Cloud::Gcp, place).ok());
    stored.next().or_else(|| {
        let (zone, _) = names::zone_and_name(snapshot.source_disk.as_deref()?)?;
        Region::find(Cloud::Gcp, zone.rsplit_once('-')?.0).ok()
    })
}

fn listed_key(key: &CryptoKey) -> Listed {
    let created = key.create_time.as_ref();
    Listed {
        kind: Kind::Key,
        id: labels::id(&key.labels, labels::RESOURCE),
        owner: labels::owner_of(&key.labels),
        arch: None,
        zone: None,
        found: Found {
            quarantined_until_ms: labels::quarantined_until(&key.labels),
            ..Found::new(RemoteId(key.name.clone()))
        },
        key: None,
        created_ms: created.map(|time| time.seconds() * 1_000 + i64::from(time.nanos()) / 1_000_000),
        shape: None,
        size_gib: None,
        is_leaving: false,
    }
}

/// RFC 3339, as Compute Engine writes times.
fn millis(text: &str) -> Option<i64> {
    text.parse::<jiff::Timestamp>().ok().map(jiff::Timestamp::as_millisecond)
}
