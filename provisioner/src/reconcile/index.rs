//! What a region was seen to have: an index over its whole listing, and what has been explained of it.

use std::collections::{BTreeMap, HashMap, HashSet};

use providers::{Kind, Listed, RemoteId, ResourceId};

/// A region's things. The one part of a run that grows with the fleet.
#[derive(Debug, Default)]
pub(super) struct Index {
    things: Vec<Listed>,
    explained: Vec<bool>,
    by_remote: HashMap<(Kind, RemoteId), usize>,
    by_id: HashMap<(Kind, ResourceId), Vec<usize>>,
    keys_in_use: HashMap<RemoteId, usize>,
    caches_held: HashMap<RemoteId, usize>,
}

impl Index {
    /// One page more. What a listing shows twice, because it moved from page to page, is there once.
    pub(super) fn extend(&mut self, things: Vec<Listed>) {
        for thing in things {
            let name = (thing.kind, thing.found.remote.clone());
            if self.by_remote.contains_key(&name) {
                continue;
            }
            let place = self.things.len();
            if let Some(id) = thing.id {
                self.by_id.entry((thing.kind, id)).or_default().push(place);
            }
            if let Some(key) = &thing.key {
                *self.keys_in_use.entry(key.clone()).or_default() += 1;
            }
            if let (Kind::Machine, Some(cache)) = (thing.kind, &thing.found.cache) {
                self.caches_held.insert(cache.clone(), place);
            }
            self.by_remote.insert(name, place);
            self.things.push(thing);
            self.explained.push(false);
        }
    }

    /// The thing of that name.
    pub(super) fn named(&self, kind: Kind, remote: &RemoteId) -> Option<&Listed> {
        self.by_remote.get(&(kind, remote.clone())).map(|place| &self.things[*place])
    }

    /// The things that carry that id of ours.
    pub(super) fn with_id(&self, kind: Kind, id: ResourceId) -> Vec<&Listed> {
        let places = self.by_id.get(&(kind, id));
        places.into_iter().flatten().map(|place| &self.things[*place]).collect()
    }

    /// A record names it.
    pub(super) fn explain(&mut self, kind: Kind, remote: &RemoteId) {
        if let Some(place) = self.by_remote.get(&(kind, remote.clone())) {
            self.explained[*place] = true;
        }
    }

    /// How many things a key encrypts.
    pub(super) fn uses_of(&self, key: &RemoteId) -> usize {
        self.keys_in_use.get(key).copied().unwrap_or_default()
    }

    /// What no record names.
    pub(super) fn unexplained(&self) -> impl Iterator<Item = &Listed> {
        self.things.iter().zip(&self.explained).filter(|(_, explained)| !**explained).map(|(thing, _)| thing)
    }

    /// The names of volumes that a record names.
    pub(super) fn explained_volumes(&self) -> HashSet<&RemoteId> {
        let explained = self.things.iter().zip(&self.explained).filter(|(_, explained)| **explained);
        explained.filter(|(thing, _)| thing.kind == Kind::Volume).map(|(thing, _)| &thing.found.remote).collect()
    }

    /// How many there are of each kind.
    pub(super) fn counts(&self) -> BTreeMap<Kind, u64> {
        let mut counts = BTreeMap::new();
        for thing in &self.things {
            *counts.entry(thing.kind).or_default() += 1;
        }
        counts
    }

    /// How many of a kind a record names.
    pub(super) fn explained_of(&self, kind: Kind) -> u64 {
        let explained = self.things.iter().zip(&self.explained).filter(|(_, explained)| **explained);
        explained.filter(|(thing, _)| thing.kind == kind).count() as u64
    }
}
