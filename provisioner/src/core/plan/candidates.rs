//! Which zone and machine type to try next.

use std::collections::BTreeSet;

use regions::{Arch, MachineType, Placement, Size, Zone, machine_types};
use serde::{Deserialize, Serialize};

/// A zone and a machine type.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Candidate {
    /// The zone, inside the project's residency.
    pub placement: Placement,
    /// The machine type.
    pub machine: MachineType,
}

/// What the candidates are drawn from.
#[derive(Clone, Debug, Default)]
pub struct Stock {
    /// The zones in which the configuration lets machines be placed, the preferred region's first.
    pub zones: Vec<Zone>,
    /// Pairs that refused a short while ago. They are tried last.
    pub refused: BTreeSet<(Zone, String)>,
}

/// All candidates in the order in which they should be tried: the regions in the order of the stock; inside a region the
/// preferred machine type in every zone before the next type; what has just refused at the end.
pub(super) fn candidates(stock: &Stock, allowed: &[Placement], arch: Arch, size: Size) -> Vec<Candidate> {
    let mut regions = Vec::new();
    for placement in allowed {
        if !regions.contains(&placement.region()) {
            regions.push(placement.region());
        }
    }
    let mut fresh = Vec::new();
    let mut stale = Vec::new();
    for region in regions {
        for machine in machine_types(region.cloud(), arch, size) {
            for placement in allowed.iter().copied().filter(|placement| placement.region() == region) {
                if !machine.offered_in(placement.zone()) {
                    continue;
                }
                let refused = stock.refused.contains(&(placement.zone(), machine.name().to_owned()));
                if refused { &mut stale } else { &mut fresh }.push(Candidate { placement, machine });
            }
        }
    }
    fresh.append(&mut stale);
    fresh
}
