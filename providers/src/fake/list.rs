//! Listings: page by page, machines, then volumes, then keys; of a picture that may be some time old.
//!
//! As from a real cloud, shadows are left out, and keys and volumes on their way out. Where a page goes on is the name of
//! its last thing, so what comes and goes in between shifts nothing.

use std::collections::BTreeMap;
use std::ops::Bound;

use regions::Region;

use super::call::Operation;
use super::request::{About, Asker};
use super::state::{KeyState, State, Tags, VolumeLife};
use crate::{CallError, ErrorClass, Found, Kind, Listed, Listing, PageToken, RemoteId, ssd_name};

/// The phases of a listing, in order, and the request that each makes.
const PHASES: [(Kind, Operation); 3] = [
    (Kind::Machine, Operation::DescribeMachines),
    (Kind::Volume, Operation::DescribeVolumes),
    (Kind::Key, Operation::ListKeys),
];

impl State {
    /// Up to a page of things of that kind whose names come after `after`, and whether there are more.
    fn page(&self, kind: Kind, region: Region, after: &str) -> (Vec<Listed>, bool) {
        let stale_ms = i64::try_from(self.config.list_stale_ms).unwrap_or(i64::MAX / 4);
        let then_ms = self.now_ms.saturating_sub(stale_ms);
        let size = self.config.page_size.max(1) as usize;
        let mut things = match kind {
            Kind::Machine => self.list_machines(region, after, then_ms, size + 1),
            Kind::Volume => self.list_volumes(region, after, then_ms, size + 1),
            Kind::Key => self.list_keys(region, after, then_ms, size + 1),
            Kind::Attachment | Kind::Snapshot => Vec::new(),
        };
        let more = things.len() > size;
        things.truncate(size);
        (things, more)
    }

    fn list_machines(&self, region: Region, after: &str, then_ms: i64, most: usize) -> Vec<Listed> {
        let listed = past(&self.machines, after).filter(|(_, machine)| {
            machine.tags.ours
                && machine.spec.placement.region() == region
                && was_there(machine.visible_ms, machine.gone_ms, then_ms)
        });
        let list = |(remote, machine): (&RemoteId, &super::state::Machine)| {
            let zone = Some(machine.spec.placement.zone().name());
            let thing = listed_as(Kind::Machine, &machine.tags, zone, self.found_machine(remote), machine.created_ms);
            let is_leaving = machine.life == super::state::MachineLife::Terminating;
            Listed { shape: Some(machine.spec.machine.name().to_owned()), is_leaving, ..thing }
        };
        listed.map(list).take(most).collect()
    }

    fn list_volumes(&self, region: Region, after: &str, then_ms: i64, most: usize) -> Vec<Listed> {
        let listed = past(&self.volumes, after).filter(|(_, volume)| {
            volume.tags.ours
                && volume.life != VolumeLife::Deleting
                && volume.placement.region() == region
                && was_there(volume.visible_ms, volume.gone_ms, then_ms)
        });
        let list = |(remote, volume): (&RemoteId, &super::state::Volume)| {
            let zone = Some(volume.placement.zone().name());
            let thing = listed_as(Kind::Volume, &volume.tags, zone, self.found_volume(remote), volume.created_ms);
            Listed {
                key: volume.key(),
                size_gib: Some(volume.size_gib),
                shape: Some(ssd_name(volume.ssd).to_owned()),
                ..thing
            }
        };
        listed.map(list).take(most).collect()
    }

    fn list_keys(&self, region: Region, after: &str, then_ms: i64, most: usize) -> Vec<Listed> {
        let listed = past(&self.keys, after).filter(|(_, key)| {
            key.tags.ours
                && key.region == region
                && !key.gone
                && key.visible_ms <= then_ms
                && !matches!(key.state, KeyState::PendingDeletion { .. })
        });
        let list = |(remote, key): (&RemoteId, &super::state::Key)| {
            let quarantined_until_ms = key.tags.quarantined_until_ms;
            let found = Found { quarantined_until_ms, ..Found::new(remote.clone()) };
            listed_as(Kind::Key, &key.tags, None, found, key.created_ms)
        };
        listed.map(list).take(most).collect()
    }
}

/// Those whose names come after that one.
fn past<'a, T>(things: &'a BTreeMap<RemoteId, T>, after: &str) -> impl Iterator<Item = (&'a RemoteId, &'a T)> {
    things.range((Bound::Excluded(RemoteId::from(after)), Bound::Unbounded))
}

fn was_there(visible_ms: i64, gone_ms: Option<i64>, then_ms: i64) -> bool {
    visible_ms <= then_ms && gone_ms.is_none_or(|gone| gone > then_ms)
}

fn listed_as(kind: Kind, tags: &Tags, zone: Option<&str>, found: Found, created_ms: i64) -> Listed {
    Listed {
        kind,
        id: tags.id,
        owner: tags.owner.clone(),
        arch: tags.arch,
        zone: zone.map(ToOwned::to_owned),
        found,
        key: None,
        created_ms: Some(created_ms),
        shape: None,
        size_gib: None,
        is_leaving: false,
    }
}

impl Asker {
    /// One page: one request.
    pub(super) async fn list(&self, region: Region, page: Option<PageToken>) -> Result<Listing, CallError> {
        let start = || format!("{region} {} ", Kind::Machine);
        let text = page.map_or_else(start, |page| page.0);
        let (phase, after) = self.whence(region, &text)?;
        let (kind, operation) = PHASES[phase];
        let about = About { kind, resources: Vec::new() };
        let (things, more) = self.request(operation, about, |state| Ok(state.page(kind, region, &after))).await?;
        let next = match things.last() {
            Some(last) if more => Some(format!("{region} {kind} {}", last.found.remote)),
            Some(_) | None => PHASES.get(phase + 1).map(|(kind, _)| format!("{region} {kind} ")),
        };
        Ok(Listing { things, next: next.map(PageToken) })
    }

    fn whence(&self, region: Region, text: &str) -> Result<(usize, String), CallError> {
        let wrong = || {
            let message = format!("`{text}` is no page of a listing of {region}");
            self.error(Operation::DescribeMachines, ErrorClass::Invalid, "InvalidPaginationToken", &message)
        };
        let mut parts = text.splitn(3, ' ');
        let (Some(of), Some(kind), Some(after)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(wrong());
        };
        let phase = PHASES.iter().position(|(phase, _)| phase.as_str() == kind);
        let phase = phase.filter(|_| of == region.to_string()).ok_or_else(wrong)?;
        Ok((phase, after.to_owned()))
    }
}
