//! Chance that is none: numbers that follow from a seed, a purpose and a count, in whatever order they are asked for.

/// The source of all that looks random in the modelled cloud.
#[derive(Clone, Copy, Debug)]
pub(super) struct Dice(pub(super) u64);

/// What a number is for. Two purposes never share a stream.
#[derive(Clone, Copy, Debug)]
pub(super) enum Purpose {
    Fault,
    FaultDelay,
    Jitter,
    Capacity,
    Name,
}

impl Dice {
    /// The number for that purpose and count (the finalizer of SplitMix64 over a mix of the three).
    pub(super) const fn roll(self, purpose: Purpose, count: u64) -> u64 {
        let mut x = self.0 ^ (purpose as u64).wrapping_mul(0xd6e8_feb8_6659_fd93);
        x = x.wrapping_add(count.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15));
        x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        x ^ (x >> 31)
    }

    /// A number below `limit`; nought where that is nought.
    pub(super) const fn below(self, purpose: Purpose, count: u64, limit: u64) -> u64 {
        if limit == 0 { 0 } else { self.roll(purpose, count) % limit }
    }

    /// `longest`, shortened by at most that many per cent.
    pub(super) fn jitter(self, count: u64, longest_ms: u64, percent: u8) -> i64 {
        let most = longest_ms.saturating_mul(u64::from(percent.min(100))) / 100;
        let shorter = longest_ms - self.below(Purpose::Jitter, count, most + 1);
        i64::try_from(shorter).unwrap_or(i64::MAX / 4)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_question_has_the_same_answer() {
        let (one, other) = (Dice(7), Dice(8));
        assert_eq!(one.roll(Purpose::Fault, 3), one.roll(Purpose::Fault, 3));
        assert_ne!(one.roll(Purpose::Fault, 3), one.roll(Purpose::Fault, 4));
        assert_ne!(one.roll(Purpose::Fault, 3), one.roll(Purpose::Jitter, 3));
        assert_ne!(one.roll(Purpose::Fault, 3), other.roll(Purpose::Fault, 3));
    }

    #[test]
    fn jitter_only_shortens() {
        for count in 0..1_000 {
            let millis = Dice(1).jitter(count, 1_000, 30);
            assert!((700..=1_000).contains(&millis), "{millis}");
        }
        assert_eq!(Dice(1).jitter(5, 0, 30), 0);
    }
}
