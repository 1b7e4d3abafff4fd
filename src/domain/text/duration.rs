//! Writes durations for people.

use std::time::Duration;

/// In seconds, as in `15 s` or `0.3 s`.
pub fn seconds(duration: Duration) -> String {
    format!("{} s", duration.as_secs_f64())
}

/// The same, rounded up to whole seconds.
pub fn whole_seconds(duration: Duration) -> String {
    format!("{} s", duration.as_secs() + u64::from(duration.subsec_nanos() > 0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_in_seconds() {
        for (milliseconds, text) in [(15_000, "15 s"), (300, "0.3 s"), (2_700, "2.7 s")] {
            assert_eq!(seconds(Duration::from_millis(milliseconds)), text);
        }
        for (milliseconds, text) in [(7_000, "7 s"), (300, "1 s"), (2_001, "3 s")] {
            assert_eq!(whole_seconds(Duration::from_millis(milliseconds)), text);
        }
    }
}
