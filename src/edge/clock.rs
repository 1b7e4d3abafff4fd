//! The clock. Everything that depends on the time is handed a [`Clock`] or a `now`.

use jiff::Timestamp;

use crate::domain::token::reuse::Moment;

/// The operating system's clocks.
#[derive(Clone, Copy, Debug)]
pub struct Clock;

impl Clock {
    /// The time now, by the wall clock.
    #[expect(clippy::disallowed_methods, reason = "this is the door that the lint points to")]
    pub fn now(self) -> Timestamp {
        Timestamp::now()
    }

    /// The time now by every clock that the machine has; `None` where there is one clock only.
    pub fn moment(self) -> Option<Moment> {
        let (since_boot, awake) = machine::clocks()?;
        Some(Moment { wall: self.now().as_millisecond(), since_boot, awake, boot: machine::boot() })
    }
}

#[cfg(unix)]
mod machine {
    use rustix::time::{ClockId, Timespec, clock_gettime};

    /// Milliseconds since the machine started: those of its sleep included, and without them.
    pub(super) fn clocks() -> Option<(i64, i64)> {
        // On macOS the monotonic clock goes on while the machine sleeps.
        #[cfg(target_os = "linux")]
        let since_boot = ClockId::Boottime;
        #[cfg(not(target_os = "linux"))]
        let since_boot = ClockId::Monotonic;
        Some((milliseconds(clock_gettime(since_boot))?, milliseconds(clock_gettime(ClockId::Monotonic))?))
    }

    fn milliseconds(time: Timespec) -> Option<i64> {
        time.tv_sec.checked_mul(1000)?.checked_add(time.tv_nsec / 1_000_000)
    }

    /// The name that the kernel gave to this start.
    pub(super) fn boot() -> String {
        std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default().trim().to_owned()
    }
}

#[cfg(not(unix))]
mod machine {
    pub(super) fn clocks() -> Option<(i64, i64)> {
        None
    }

    pub(super) fn boot() -> String {
        String::new()
    }
}
