//! The `[fake]` section of the configuration: how slow, how full and how moody the modelled cloud is.

use regions::{Region, Zone};
use serde::{Deserialize, Serialize};

use super::FaultRates;

/// The section `[fake]`. Durations are the longest that occur: jitter only shortens them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct FakeConfig {
    /// Everything that looks like chance is derived from it.
    pub seed: u64,
    /// How much shorter than its maximum a duration may be, in per cent.
    pub jitter_percent: u8,
    /// What one request takes, half of it before its effect and half of it after.
    pub latency_ms: u64,
    /// From the creation of a machine until it runs; the same for a start.
    pub boot_ms: u64,
    /// From a stop until the machine is off.
    pub stop_ms: u64,
    /// From a termination until the machine is gone.
    pub terminate_ms: u64,
    /// How long a machine that is gone is still shown as a shadow to those who ask by its id.
    pub shadow_ms: u64,
    /// From the birth of a volume until it can be used.
    pub volume_ms: u64,
    /// From an attach until it is done.
    pub attach_ms: u64,
    /// From a detach until it is done.
    pub detach_ms: u64,
    /// From the deletion of a volume until it is gone.
    pub delete_ms: u64,
    /// From the creation of a machine until an asynchronous failure takes it away.
    pub fail_ms: u64,
    /// The waiting period of a key that is scheduled for deletion.
    pub key_deletion_ms: u64,
    /// How long observations and listings do not show what has just been made.
    pub visibility_ms: u64,
    /// How old the picture is that listings draw.
    pub list_stale_ms: u64,
    /// What a provider says of [`crate::Capabilities::visibility_secs`]; derived from the durations where it is none.
    pub visibility_secs: Option<u32>,
    /// Things on a page of a listing.
    pub page_size: u32,
    /// The machine types that zones have a known number of. What is not named is plentiful.
    pub capacity: Vec<Stock>,
    /// How many in a thousand new machines die of a lack of capacity after the cloud has said yes.
    pub late_no_capacity_per_mille: u32,
    /// How many machines a region lets the account have; none is no limit.
    pub machines_per_region: Option<u32>,
    /// The request rate that a region allows; none is no limit. Mutating and describing requests have a bucket each.
    pub throttle: Option<Throttle>,
    /// The zones that may be used, the preferred ones first; all of the catalogue where it is empty.
    pub zones: Vec<Zone>,
    /// Whether a machine is created with an existing volume attached; the cloud's own way where it is none.
    pub attaches_at_birth: Option<bool>,
    /// How many requests the log keeps.
    pub log_size: usize,
    /// Faults by chance.
    pub faults: FaultRates,
}

/// A number of machines of one type in one zone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Stock {
    /// The zone.
    pub zone: Zone,
    /// The provider's name of the machine type; none for every type.
    #[serde(default)]
    pub machine: Option<String>,
    /// How many may run at a time.
    pub count: u32,
}

/// A token bucket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Throttle {
    /// Requests that may come at once.
    pub burst: u32,
    /// Requests a second in the long run.
    pub per_sec: u32,
}

impl Default for FakeConfig {
    fn default() -> Self {
        Self {
            seed: 1,
            jitter_percent: 30,
            latency_ms: 40,
            boot_ms: 2_000,
            stop_ms: 1_500,
            terminate_ms: 1_500,
            shadow_ms: 3_600_000,
            volume_ms: 600,
            attach_ms: 500,
            detach_ms: 500,
            delete_ms: 500,
            fail_ms: 1_200,
            key_deletion_ms: 7 * 24 * 3_600_000,
            visibility_ms: 400,
            list_stale_ms: 0,
            visibility_secs: None,
            page_size: 100,
            capacity: Vec::new(),
            late_no_capacity_per_mille: 0,
            machines_per_region: None,
            throttle: None,
            zones: Vec::new(),
            attaches_at_birth: None,
            log_size: 100_000,
            faults: FaultRates::default(),
        }
    }
}

impl FakeConfig {
    /// A cloud in which everything is at once: no latency, no lasting states, no delayed visibility.
    #[must_use]
    pub fn instant() -> Self {
        Self {
            latency_ms: 0,
            boot_ms: 0,
            stop_ms: 0,
            terminate_ms: 0,
            volume_ms: 0,
            attach_ms: 0,
            detach_ms: 0,
            delete_ms: 0,
            fail_ms: 0,
            visibility_ms: 0,
            ..Self::default()
        }
    }

    /// Seconds after which an absence is to be believed, counted from before the call: a call is a few requests, and each
    /// may be late.
    pub(super) fn visibility_secs(&self) -> u32 {
        let millis = self.visibility_ms + 3 * (self.latency_ms + self.faults.longest_delay_ms());
        self.visibility_secs.unwrap_or_else(|| u32::try_from(millis.div_ceil(1_000)).unwrap_or(u32::MAX))
    }

    /// Whether it says nothing against that zone.
    pub(super) fn allows(&self, zone: Zone) -> bool {
        self.zones.is_empty() || self.zones.contains(&zone)
    }

    /// Whether it says nothing against that region.
    pub(super) fn allows_region(&self, region: Region) -> bool {
        self.zones.is_empty() || self.zones.iter().any(|zone| zone.region() == region)
    }
}
