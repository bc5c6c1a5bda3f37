//! The numbers of the brakes: how old, how often, how many.

use serde::{Deserialize, Serialize};

/// The section `[reconcile]`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// Seconds for which something must have been there, by the cloud's clock and by our own sightings, before anything is
    /// done about it.
    pub min_age_secs: i64,
    /// Seconds for which a record must have been at rest before it is compared.
    pub settle_secs: i64,
    /// Runs that must have seen it.
    pub min_sightings: u32,
    /// Seconds for which a stray volume, snapshot or key is kept, marked, before it is taken away.
    pub quarantine_secs: i64,
    /// Things that a run may take away.
    pub max_removals: u32,
    /// Builders that a run may make.
    pub max_creations: u32,
    /// Things that a run may switch, mark or write down.
    pub max_changes: u32,
    /// Percent of the things of a kind in a region that a run may take away; one is always allowed.
    pub max_percent: u32,
    /// Repairs of one finding after which a person is called.
    pub max_repairs: u32,
    /// Seconds after which something that is on its way out is stuck there.
    pub leaving_secs: i64,
    /// Days after which a cache without a builder is reported.
    pub cache_unused_days: i64,
    /// Seconds after which a run that went silent has lost its right to run.
    pub lease_secs: i64,
    /// Days for which runs are kept.
    pub history_days: i64,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            min_age_secs: 600,
            settle_secs: 60,
            min_sightings: 2,
            quarantine_secs: 14 * 86_400,
            max_removals: 20,
            max_creations: 20,
            max_changes: 200,
            max_percent: 10,
            max_repairs: 3,
            leaving_secs: 1_800,
            cache_unused_days: 30,
            lease_secs: 120,
            history_days: 90,
        }
    }
}

impl Settings {
    /// The first number that can't be meant, as key and problem.
    #[must_use]
    pub fn problem(&self) -> Option<(&'static str, &'static str)> {
        let wrong = [
            (!(0..=86_400).contains(&self.min_age_secs), "reconcile.min_age_secs", "must be from 0 to 86400"),
            (!(0..=3_600).contains(&self.settle_secs), "reconcile.settle_secs", "must be from 0 to 3600"),
            (!(1..=100).contains(&self.min_sightings), "reconcile.min_sightings", "must be from 1 to 100"),
            (
                !(0..=31_536_000).contains(&self.quarantine_secs),
                "reconcile.quarantine_secs",
                "must be from 0 to 31536000",
            ),
            (self.max_percent > 100, "reconcile.max_percent", "must be at most 100"),
            (!(1..=100).contains(&self.max_repairs), "reconcile.max_repairs", "must be from 1 to 100"),
            (!(60..=604_800).contains(&self.leaving_secs), "reconcile.leaving_secs", "must be from 60 to 604800"),
            (!(1..=3_650).contains(&self.cache_unused_days), "reconcile.cache_unused_days", "must be from 1 to 3650"),
            (!(10..=3_600).contains(&self.lease_secs), "reconcile.lease_secs", "must be from 10 to 3600"),
            (!(1..=3_650).contains(&self.history_days), "reconcile.history_days", "must be from 1 to 3650"),
        ];
        wrong.into_iter().find(|(wrong, ..)| *wrong).map(|(_, key, problem)| (key, problem))
    }
}
