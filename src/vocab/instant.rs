//! RFC 3339 timestamps of the contract and the audit log.

use jiff::Timestamp;

/// A timestamp in UTC with milliseconds: a session that starts again within the second in which an administrator
/// ended it must be distinguishable from one that did not.
pub fn rfc3339_millis(unix_ms: u64) -> String {
    let millis = i64::try_from(unix_ms).unwrap_or(i64::MAX);
    format!("{:.3}", Timestamp::from_millisecond(millis).unwrap_or(Timestamp::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timestamps_have_milliseconds() {
        assert_eq!(rfc3339_millis(1_795_440_600_999), "2026-11-23T13:30:00.999Z");
        assert_eq!(rfc3339_millis(0), "1970-01-01T00:00:00.000Z");
        assert!(!rfc3339_millis(u64::MAX).is_empty());
    }
}
