//! Request rates: a token bucket for each region, one for changes and one for looks.

use std::collections::BTreeMap;

use regions::Region;

use super::config::Throttle;

/// Thousandths of a request, so that all stays whole numbers.
const ONE: i64 = 1_000;

#[derive(Clone, Copy, Debug)]
struct Bucket {
    thousandths: i64,
    at_ms: i64,
}

/// All buckets.
#[derive(Clone, Debug, Default)]
pub(super) struct Buckets(BTreeMap<(Region, bool), Bucket>);

impl Buckets {
    /// Takes one request out.
    ///
    /// # Errors
    /// How many milliseconds to wait until there is one again.
    pub(super) fn take(&mut self, limit: Throttle, region: Region, mutating: bool, now_ms: i64) -> Result<(), u64> {
        let most = i64::from(limit.burst.max(1)) * ONE;
        let per_ms = i64::from(limit.per_sec.max(1));
        let full = Bucket { thousandths: most, at_ms: now_ms };
        let bucket = self.0.entry((region, mutating)).or_insert(full);
        let refill = now_ms.saturating_sub(bucket.at_ms).max(0).saturating_mul(per_ms);
        bucket.thousandths = bucket.thousandths.saturating_add(refill).min(most);
        bucket.at_ms = bucket.at_ms.max(now_ms);
        if bucket.thousandths >= ONE {
            bucket.thousandths -= ONE;
            return Ok(());
        }
        Err(u64::try_from((ONE - bucket.thousandths) / per_ms + 1).unwrap_or(1))
    }
}

#[cfg(test)]
mod tests {
    use regions::Cloud;

    use super::*;

    #[test]
    fn a_bucket_runs_dry_and_fills_up_again() {
        let region = Region::find(Cloud::Aws, "us-east-1").unwrap();
        let limit = Throttle { burst: 2, per_sec: 10 };
        let mut buckets = Buckets::default();
        assert_eq!(buckets.take(limit, region, true, 0), Ok(()));
        assert_eq!(buckets.take(limit, region, true, 0), Ok(()));
        let wait = buckets.take(limit, region, true, 0).unwrap_err();
        assert!((100..=101).contains(&wait), "{wait}");
        assert_eq!(buckets.take(limit, region, false, 0), Ok(()), "looks have a bucket of their own");
        assert_eq!(buckets.take(limit, region, true, 101), Ok(()));
        assert!(buckets.take(limit, region, true, 101).is_err());
    }
}
