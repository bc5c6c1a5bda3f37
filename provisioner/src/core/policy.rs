//! The numbers: how long, how often, how many.

use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBuilder};
use providers::ErrorClass;
use serde::{Deserialize, Serialize};

/// Delays, deadlines and caps. All of it can be set under `[policy]`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Policy {
    /// How many times a step's calls may fail before the job is unwound.
    pub max_attempts: u32,
    /// How many candidates (machine type and zone) a job tries.
    pub max_candidates: u32,
    /// Milliseconds between two looks at a region while something is pending there.
    pub look_ms: u64,
    /// First delay after a failure, in milliseconds.
    pub backoff_first_ms: u64,
    /// Longest delay after a failure, in milliseconds.
    pub backoff_most_ms: u64,
    /// Seconds that a step may take from its first call until its resource is as it should be.
    pub step_deadline_secs: u64,
    /// Seconds for which a zone and machine type that refused are tried last.
    pub refusal_secs: u64,
    /// Capacity of a builder's root volume in GiB.
    pub root_gib: u32,
    /// What tests break on purpose.
    #[cfg(feature = "sabotage")]
    #[serde(skip)]
    pub sabotage: Option<Sabotage>,
}

/// Breaks of the rules, for tests that show that the simulation notices them.
#[cfg(feature = "sabotage")]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sabotage {
    /// Every attempt has another token.
    RandomTokens,
    /// Writes are accepted from workers that lost their lease.
    NoFencing,
    /// Only what was answered is taken back.
    UndoOnlySucceeded,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            max_attempts: 10,
            max_candidates: 24,
            look_ms: 1_000,
            backoff_first_ms: 500,
            backoff_most_ms: 60_000,
            step_deadline_secs: 900,
            refusal_secs: 300,
            root_gib: 30,
            #[cfg(feature = "sabotage")]
            sabotage: None,
        }
    }
}

impl Policy {
    /// The delay after the `failures`th failure in a row (from 1) of that class. It doubles, is capped, and has a jitter that
    /// depends on `seed` alone.
    #[must_use]
    pub fn delay_ms(&self, class: ErrorClass, failures: u32, seed: u64) -> u64 {
        let first = match class {
            ErrorClass::Throttled => self.backoff_first_ms * 2,
            ErrorClass::Unavailable
            | ErrorClass::Ambiguous
            | ErrorClass::NoCapacity
            | ErrorClass::Quota
            | ErrorClass::Denied
            | ErrorClass::KeyUnusable
            | ErrorClass::Invalid
            | ErrorClass::Conflict
            | ErrorClass::Unrecognized => self.backoff_first_ms,
        };
        let most = Duration::from_millis(self.backoff_most_ms);
        let delays = ExponentialBuilder::default()
            .with_min_delay(Duration::from_millis(first))
            .with_max_delay(most)
            .with_max_times(64)
            .with_jitter()
            .with_jitter_seed(seed.wrapping_add(u64::from(failures)));
        let nth = failures.saturating_sub(1).min(63) as usize;
        let delay = delays.build().nth(nth).unwrap_or(most);
        u64::try_from(delay.as_millis()).unwrap_or(self.backoff_most_ms)
    }

    /// The first number that can't be meant, as key and problem.
    #[must_use]
    pub fn problem(&self) -> Option<(&'static str, &'static str)> {
        let wrong = [
            (!(1..=1_000).contains(&self.max_attempts), "policy.max_attempts", "must be from 1 to 1000"),
            (!(1..=1_000).contains(&self.max_candidates), "policy.max_candidates", "must be from 1 to 1000"),
            (!(10..=600_000).contains(&self.look_ms), "policy.look_ms", "must be from 10 to 600000"),
            (!(1..=3_600_000).contains(&self.backoff_first_ms), "policy.backoff_first_ms", "must be from 1 to 3600000"),
            (
                !(self.backoff_first_ms..=86_400_000).contains(&self.backoff_most_ms),
                "policy.backoff_most_ms",
                "must be from policy.backoff_first_ms to 86400000",
            ),
            (
                !(10..=86_400).contains(&self.step_deadline_secs),
                "policy.step_deadline_secs",
                "must be from 10 to 86400",
            ),
            (self.refusal_secs > 86_400, "policy.refusal_secs", "must be at most 86400"),
            (!(8..=16_384).contains(&self.root_gib), "policy.root_gib", "must be from 8 to 16384"),
        ];
        wrong.into_iter().find(|(wrong, ..)| *wrong).map(|(_, key, problem)| (key, problem))
    }

    /// The same deadline in milliseconds.
    #[must_use]
    pub fn step_deadline_ms(&self) -> i64 {
        i64::try_from(self.step_deadline_secs.saturating_mul(1_000)).unwrap_or(i64::MAX)
    }
}
