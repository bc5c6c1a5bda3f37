//! Remembers which zone had no machine of a type a short while ago, so that the next job tries another first.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Mutex, PoisonError},
};

use regions::Zone;

use crate::core::Candidate;

/// Pairs that refused, and until when that is remembered. It lives in the process: forgetting costs one call.
#[derive(Debug, Default)]
pub(super) struct Refusals(Mutex<BTreeMap<(Zone, String), i64>>);

impl Refusals {
    /// Remembers a refusal until then.
    pub(super) fn add(&self, candidate: Candidate, until_ms: i64) {
        let pair = (candidate.placement.zone(), candidate.machine.name().to_owned());
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(pair, until_ms);
    }

    /// What is still remembered.
    pub(super) fn current(&self, now_ms: i64) -> BTreeSet<(Zone, String)> {
        let mut pairs = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        pairs.retain(|_, until_ms| *until_ms > now_ms);
        pairs.keys().cloned().collect()
    }
}
