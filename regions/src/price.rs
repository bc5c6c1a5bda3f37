//! List prices: what a machine, a volume, a snapshot or a key costs for a month, for tables that people read.
//!
//! On-demand prices in US dollars before tax, discounts and free tiers, as they stood on a day: never a bill, and never a reason to do
//! anything. What no source gave is `None`; nothing is guessed from a neighbour. A month is 730 hours.

mod aws;
mod gcp;

use std::{fmt, iter, ops};

use crate::{Cloud, Region, SsdKind};

/// The day of the oldest source of machines and volumes that bears one, as ISO 8601. Each table names its own, and says where a few
/// figures are older.
pub const AS_OF: &str = "2025-03-06";

/// Hours in a month, as both clouds count them in their price lists and calculators.
const HOURS_PER_MONTH: u64 = 730;

/// An amount of US dollars, in millionths of one. Its text is rounded to cents: `$12.34`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Money(u64);

impl Money {
    /// Nothing.
    pub const ZERO: Self = Self(0);

    /// That many millionths of a dollar.
    #[must_use]
    pub const fn from_micros(micros: u64) -> Self {
        Self(micros)
    }

    /// Millionths of a dollar.
    #[must_use]
    pub const fn micros(self) -> u64 {
        self.0
    }

    /// Cents, halves rounded up.
    #[must_use]
    pub const fn cents(self) -> u64 {
        self.0 / 10_000 + (self.0 % 10_000 >= 5_000) as u64
    }
}

impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&format!("${}.{:02}", self.cents() / 100, self.cents() % 100))
    }
}

impl ops::Add for Money {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }
}

impl ops::AddAssign for Money {
    fn add_assign(&mut self, other: Self) {
        *self = *self + other;
    }
}

impl iter::Sum for Money {
    fn sum<I: Iterator<Item = Self>>(amounts: I) -> Self {
        amounts.fold(Self::ZERO, ops::Add::add)
    }
}

/// A month of a running machine of that type, by the provider's name for it (`c7g.2xlarge`); its volumes are not in it.
#[must_use]
pub fn machine_month(region: Region, machine_type_word: &str) -> Option<Money> {
    let (hour, eighths) = match region.cloud() {
        Cloud::Aws => aws::machine(region.name(), machine_type_word)?,
        Cloud::Gcp => gcp::machine(region.name(), machine_type_word)?,
    };
    Some(Money((hour * eighths * HOURS_PER_MONTH + 4) / 8))
}

/// A month of a volume of that kind, by the provider's name for it (`gp3`, `pd-ssd`).
///
/// IOPS and throughput cost what is provisioned above the free baseline, on the kinds that sell them; `None` is taken for the
/// baseline. So for a Hyperdisk to which the cloud gave more by default this is the least that it costs.
#[must_use]
pub fn volume_month(
    region: Region,
    ssd_word: &str,
    size_gib: u32,
    iops: Option<u32>,
    throughput_mibps: Option<u32>,
) -> Option<Money> {
    let asked = |free: Performance| Performance {
        iops: iops.unwrap_or(free.iops),
        throughput_mibps: throughput_mibps.unwrap_or(free.throughput_mibps),
    };
    let name = region.name();
    match (region.cloud(), ssd(ssd_word)?) {
        (Cloud::Aws, SsdKind::Gp3) => provisioned(row(aws::GP3, name)?, size_gib, asked(aws::GP3_FREE), aws::GP3_FREE),
        (Cloud::Gcp, SsdKind::PdSsd) => each(row(gcp::STORAGE, name)?[0], size_gib),
        (Cloud::Gcp, SsdKind::PdBalanced) => each(row(gcp::STORAGE, name)?[1], size_gib),
        (Cloud::Gcp, SsdKind::HyperdiskBalanced) => {
            let rates = row(gcp::HYPERDISK_BALANCED, name)?;
            provisioned(rates, size_gib, asked(gcp::HYPERDISK_FREE), gcp::HYPERDISK_FREE)
        }
        (Cloud::Aws, SsdKind::PdSsd | SsdKind::PdBalanced | SsdKind::HyperdiskBalanced)
        | (Cloud::Gcp, SsdKind::Gp3) => None,
    }
}

/// A month of a snapshot of a volume of that size, at most: both clouds charge for the blocks that were written and not seen before.
#[must_use]
pub fn snapshot_month(region: Region, size_gib: u32) -> Option<Money> {
    match region.cloud() {
        Cloud::Aws => each(row(aws::SNAPSHOTS, region.name())?, size_gib),
        Cloud::Gcp => each(row(gcp::STORAGE, region.name())?[2], size_gib),
    }
}

/// A month of a customer-managed key of one version; its use is charged for on top.
#[must_use]
pub const fn key_month(cloud: Cloud) -> Money {
    match cloud {
        Cloud::Aws => Money(aws::KEY),
        Cloud::Gcp => Money(gcp::KEY),
    }
}

/// What a volume does, beyond holding data.
#[derive(Clone, Copy)]
struct Performance {
    iops: u32,
    throughput_mibps: u32,
}

/// A volume that is charged for its size and for what is provisioned above the free performance; rates a GiB, IOPS and MiB/s.
fn provisioned(rates: [u64; 3], size_gib: u32, asked: Performance, free: Performance) -> Option<Money> {
    let iops = each(rates[1], asked.iops.saturating_sub(free.iops))?;
    let throughput = each(rates[2], asked.throughput_mibps.saturating_sub(free.throughput_mibps))?;
    Some(each(rates[0], size_gib)? + iops + throughput)
}

/// That many at that rate; none of a thing costs nothing even where its rate is unknown.
fn each(rate: u64, count: u32) -> Option<Money> {
    if count == 0 { Some(Money::ZERO) } else { known(rate).map(|rate| Money(rate * u64::from(count))) }
}

/// The tables write nought for what is unknown.
fn known(figure: u64) -> Option<u64> {
    (figure != 0).then_some(figure)
}

fn row<T: Copy>(table: &[(&str, T)], region: &str) -> Option<T> {
    table.iter().find(|(name, _)| *name == region).map(|(_, figures)| *figures)
}

/// The kind that a provider calls so.
fn ssd(word: &str) -> Option<SsdKind> {
    match word {
        "gp3" => Some(SsdKind::Gp3),
        "pd-ssd" => Some(SsdKind::PdSsd),
        "pd-balanced" => Some(SsdKind::PdBalanced),
        "hyperdisk-balanced" => Some(SsdKind::HyperdiskBalanced),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
