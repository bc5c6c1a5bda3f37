//! Times and durations in words. Pure: what time it is comes in as an argument.

use jiff::Timestamp;

/// RFC 3339 in UTC, with milliseconds. What lies outside the calendar is shown as the number that it is.
pub(crate) fn rfc3339(at_ms: i64) -> String {
    match Timestamp::from_millisecond(at_ms) {
        Ok(at) => format!("{at:.3}"),
        Err(_) => at_ms.to_string(),
    }
}

/// To the second, for people.
pub(crate) fn clock_time(at_ms: i64) -> String {
    match Timestamp::from_millisecond(at_ms.div_euclid(1_000) * 1_000) {
        Ok(at) => at.strftime("%Y-%m-%d %H:%M:%SZ").to_string(),
        Err(_) => at_ms.to_string(),
    }
}

/// A length of time in at most two units: `340ms`, `1.2s`, `2m 05s`, `3h 12m`, `4d 01h`.
pub(crate) fn span(ms: i64) -> String {
    let ms = ms.max(0);
    let secs = ms / 1_000;
    match secs {
        0 => format!("{ms}ms"),
        1..=59 => format!("{}.{}s", secs, (ms % 1_000) / 100),
        60..=3_599 => format!("{}m {:02}s", secs / 60, secs % 60),
        3_600..=86_399 => format!("{}h {:02}m", secs / 3_600, secs / 60 % 60),
        _ => format!("{}d {:02}h", secs / 86_400, secs / 3_600 % 24),
    }
}

/// How long ago that was, in one or two units.
pub(crate) fn age(at_ms: i64, now_ms: i64) -> String {
    span(now_ms.saturating_sub(at_ms).max(0) / 1_000 * 1_000).replace(".0s", "s").replace("0ms", "0s")
}

/// The time since the beginning of a story: `+0.012s`, `+1m 07.300s`.
pub(crate) fn offset(ms: i64) -> String {
    let sign = if ms < 0 { '-' } else { '+' };
    let ms = ms.abs();
    let (minutes, secs, rest) = (ms / 60_000, ms / 1_000 % 60, ms % 1_000);
    if minutes == 0 { format!("{sign}{secs}.{rest:03}s") } else { format!("{sign}{minutes}m {secs:02}.{rest:03}s") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_utc_and_spans_are_short() {
        assert_eq!(rfc3339(1_795_416_361_042), "2026-11-23T06:46:01.042Z");
        assert_eq!(rfc3339(1_795_416_361_000), "2026-11-23T06:46:01.000Z");
        assert_eq!(clock_time(1_795_416_361_042), "2026-11-23 06:46:01Z");
        let spans = [(0, "0ms"), (340, "340ms"), (1_290, "1.2s"), (125_000, "2m 05s"), (11_520_000, "3h 12m")];
        for (ms, text) in spans {
            assert_eq!(span(ms), text);
        }
        assert_eq!(span(349_200_000), "4d 01h");
        assert_eq!((age(0, 3_400).as_str(), age(5, 400).as_str()), ("3s", "0s"));
        assert_eq!((offset(12).as_str(), offset(67_300).as_str()), ("+0.012s", "+1m 07.300s"));
    }
}
