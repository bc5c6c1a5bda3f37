//! Lengths of time and times, as they are typed.

use jiff::Timestamp;

/// `90s`, `10m`, `24h` or `7d`, in seconds.
pub(crate) fn parse_secs(text: &str) -> Result<i64, String> {
    let wrong = || format!("`{text}` is not a length of time: use a number and s, m, h or d, such as 10m or 24h");
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let unit = match &text[digits.len()..] {
        "s" => 1,
        "m" => 60,
        "h" => 3_600,
        "d" => 86_400,
        _ => return Err(wrong()),
    };
    let number: i64 = digits.parse().map_err(|_| wrong())?;
    let secs = number.checked_mul(unit).filter(|secs| (1..=3_650 * 86_400).contains(secs));
    secs.ok_or_else(|| format!("`{text}` must be more than nothing and at most ten years"))
}

/// A moment: RFC 3339, or a length of time from now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Moment {
    /// Milliseconds since 1970.
    At(i64),
    /// Seconds from now.
    In(i64),
}

impl Moment {
    /// In milliseconds since 1970.
    pub(crate) const fn ms(self, now_ms: i64) -> i64 {
        match self {
            Self::At(at_ms) => at_ms,
            Self::In(secs) => now_ms.saturating_add(secs * 1_000),
        }
    }
}

pub(crate) fn parse_moment(text: &str) -> Result<Moment, String> {
    if let Ok(at) = text.parse::<Timestamp>() {
        return Ok(Moment::At(at.as_millisecond()));
    }
    parse_secs(text).map(Moment::In).map_err(|_| {
        format!("`{text}` is not a time: use RFC 3339, such as 2026-11-24T18:00:00Z, or a length of time from now, such as 8h")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_and_times_are_understood_or_refused() {
        assert_eq!(parse_secs("90s"), Ok(90));
        assert_eq!(parse_secs("10m"), Ok(600));
        assert_eq!(parse_secs("24h"), Ok(86_400));
        assert_eq!(parse_secs("7d"), Ok(604_800));
        for bad in ["", "10", "m", "0s", "-5m", "1w", "1.5h", "99999999999999999999h", "5000d", "10 m"] {
            assert!(parse_secs(bad).is_err(), "{bad}");
        }
        assert_eq!(parse_moment("1970-01-01T00:00:01Z"), Ok(Moment::At(1_000)));
        assert_eq!(parse_moment("8h").map(|moment| moment.ms(5)), Ok(28_800_005));
        assert!(parse_moment("tomorrow").is_err());
    }
}
