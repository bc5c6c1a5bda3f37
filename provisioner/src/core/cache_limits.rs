//! What a cache volume can be at all, so that a wish that no SSD grants is refused before any cloud call.

use regions::Cloud;

use super::scene::CacheShape;

/// From and to, both included.
type Range = (u32, u32);

/// The widest limits of the SSD kinds that a cloud's machine types prefer.
struct Limits {
    size_gib: Range,
    iops: Range,
    throughput_mibps: Range,
    iops_for_gib: u32,
    /// Operations a second that a MiB a second takes.
    iops_for_mibps: u32,
    kind: &'static str,
}

/// gp3 (Amazon EBS User Guide, "General Purpose SSD volumes"): 1 GiB to 64 TiB, 3,000 to 80,000 IOPS, 125 to 2,000 MiB/s, at
/// most 500 IOPS for a GiB and 0.25 MiB/s for an operation a second.
const AWS: Limits = Limits {
    size_gib: (1, 65_536),
    iops: (3_000, 80_000),
    throughput_mibps: (125, 2_000),
    iops_for_gib: 500,
    iops_for_mibps: 4,
    kind: "gp3",
};

/// Hyperdisk Balanced (Compute Engine documentation, "About Hyperdisk", size and performance limits): 4 GiB to 64 TiB, 3,000 to
/// 160,000 IOPS, 140 to 2,400 MiB/s, at most 500 IOPS for a GiB and one MiB/s for every 4 operations a second.
const GCP: Limits = Limits {
    size_gib: (4, 65_536),
    iops: (3_000, 160_000),
    throughput_mibps: (140, 2_400),
    iops_for_gib: 500,
    iops_for_mibps: 4,
    kind: "hyperdisk-balanced",
};

/// A cache that no SSD of that cloud can be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{value} {problem}")]
pub struct CacheShapeError {
    /// The field of [`CacheShape`].
    pub field: &'static str,
    /// What was asked for.
    pub value: u32,
    /// Why it can't be.
    pub problem: String,
    /// The values that would do, both included.
    pub allowed: Range,
}

impl CacheShapeError {
    fn new(field: &'static str, value: u32, allowed: Range, limits: &Limits) -> Self {
        let problem = format!("is not what a {} volume can have: {} to {}", limits.kind, allowed.0, allowed.1);
        Self { field, value, problem, allowed }
    }

    /// What would do.
    #[must_use]
    pub fn remedy(&self) -> String {
        format!("choose from {} to {}", self.allowed.0, self.allowed.1)
    }
}

impl CacheShape {
    /// Whether an SSD of that cloud can be like this.
    ///
    /// # Errors
    /// [`CacheShapeError`], which names the field and what would do.
    pub fn validate(self, cloud: Cloud) -> Result<(), CacheShapeError> {
        let limits = match cloud {
            Cloud::Aws => &AWS,
            Cloud::Gcp => &GCP,
        };
        within("size_gib", self.size_gib, limits.size_gib, limits)?;
        let (least, most) = limits.iops;
        if let Some(iops) = self.iops {
            // Below the base rate the ratio does not count: every volume has that much.
            let most = most.min(self.size_gib.saturating_mul(limits.iops_for_gib)).max(least);
            within("iops", iops, (least, most), limits)?;
        }
        if let Some(throughput) = self.throughput_mibps {
            let (slowest, fastest) = limits.throughput_mibps;
            let most = fastest.min(self.iops.unwrap_or(least) / limits.iops_for_mibps).max(slowest);
            within("throughput_mibps", throughput, (slowest, most), limits)?;
        }
        Ok(())
    }
}

fn within(field: &'static str, value: u32, allowed: Range, limits: &Limits) -> Result<(), CacheShapeError> {
    if (allowed.0..=allowed.1).contains(&value) {
        Ok(())
    } else {
        Err(CacheShapeError::new(field, value, allowed, limits))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(size_gib: u32, iops: Option<u32>, throughput_mibps: Option<u32>) -> Result<(), &'static str> {
        CacheShape { size_gib, iops, throughput_mibps }.validate(Cloud::Aws).map_err(|error| error.field)
    }

    #[test]
    fn what_gp3_can_be_is_accepted_and_nothing_else() {
        assert_eq!(check(100, None, None), Ok(()));
        assert_eq!(check(65_536, Some(80_000), Some(2_000)), Ok(()));
        assert_eq!(check(1, Some(3_000), Some(125)), Ok(()));
        assert_eq!(check(0, None, None), Err("size_gib"));
        assert_eq!(check(65_537, None, None), Err("size_gib"));
        assert_eq!(check(100, Some(2_999), None), Err("iops"));
        assert_eq!(check(10, Some(5_001), None), Err("iops"));
        assert_eq!(check(10, Some(5_000), None), Ok(()));
        assert_eq!(check(100, None, Some(751)), Err("throughput_mibps"));
        assert_eq!(check(100, Some(4_000), Some(1_000)), Ok(()));
    }
}
