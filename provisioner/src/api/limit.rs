//! How often one address, and one identity, may ask. What is over the limit is told when to come back.

use std::{net::IpAddr, num::NonZeroU32};

use governor::{
    DefaultKeyedRateLimiter, Quota, RateLimiter,
    clock::{Clock as _, DefaultClock},
};

use super::{
    Settings,
    problem::{Kind, Problem},
};
use crate::core::TokenId;

/// The two limits of a server.
pub(crate) struct Limits {
    addresses: DefaultKeyedRateLimiter<IpAddr>,
    identities: DefaultKeyedRateLimiter<TokenId>,
}

impl Limits {
    pub(crate) fn new(settings: &Settings) -> Self {
        Self {
            addresses: RateLimiter::keyed(quota(settings.address_per_sec)),
            identities: RateLimiter::keyed(quota(settings.identity_per_sec)),
        }
    }

    /// Before anything is known of who asks. An IPv6 address counts as its /64, which one customer has.
    pub(crate) fn of_address(&self, address: IpAddr) -> Result<(), Problem> {
        check(&self.addresses, &network(address), "this address asks too often")
    }

    pub(crate) fn of_identity(&self, token: TokenId) -> Result<(), Problem> {
        check(&self.identities, &token, "this token asks too often")
    }

    /// Forgets who has not asked for a while, so that memory does not grow with everybody who ever did.
    pub(crate) fn forget(&self) {
        self.addresses.retain_recent();
        self.identities.retain_recent();
    }
}

/// So many a second, and twice as many at once.
fn quota(per_sec: u32) -> Quota {
    let rate = NonZeroU32::new(per_sec).unwrap_or(NonZeroU32::MIN);
    Quota::per_second(rate).allow_burst(rate.saturating_mul(NonZeroU32::MIN.saturating_add(1)))
}

fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => {
            let mut segments = address.segments();
            segments[4..].fill(0);
            IpAddr::from(segments)
        }
        address @ IpAddr::V4(_) => address,
    }
}

fn check<K: std::hash::Hash + Eq + Clone>(
    limiter: &DefaultKeyedRateLimiter<K>,
    key: &K,
    why: &str,
) -> Result<(), Problem> {
    let Err(until) = limiter.check_key(key) else { return Ok(()) };
    let wait = until.wait_time_from(DefaultClock::default().now());
    let secs = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
    Err(Problem::new(Kind::TooMany, why).remedy("wait as long as Retry-After says").retry_after(secs.max(1)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_asks_too_often_is_told_when_to_come_back() {
        let limits = Limits::new(&Settings { address_per_sec: 2, identity_per_sec: 1, ..Settings::default() });
        let (one, other): (IpAddr, IpAddr) = ("10.0.0.1".parse().unwrap(), "10.0.0.2".parse().unwrap());
        for _ in 0..4 {
            limits.of_address(one).unwrap();
        }
        let refused = limits.of_address(one).unwrap_err();
        assert_eq!((refused.status, refused.retry_secs), (429, Some(1)));
        limits.of_address(other).unwrap();
    }

    #[test]
    fn neighbours_of_one_network_share_a_limit() {
        let parse = |text: &str| network(text.parse().unwrap());
        assert_eq!(parse("2001:db8:1:2:3:4:5:6"), parse("2001:db8:1:2::9"));
        assert_ne!(parse("2001:db8:1:2::9"), parse("2001:db8:1:3::9"));
        assert_eq!(parse("::ffff:10.0.0.1"), parse("10.0.0.1"));
    }
}
