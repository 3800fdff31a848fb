//! The one place where clocks are read.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

use holdfast_core::machine::{Mono, Now, Wall};

/// Both clocks of the process; monotonic time counts from its start.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    origin: Instant,
}

impl Clock {
    /// Starts monotonic time.
    pub fn start() -> Self {
        Self {
            origin: Instant::now(),
        }
    }

    /// Reads both clocks.
    pub fn now(&self) -> Now {
        Now {
            mono: self.mono(),
            wall: wall(),
        }
    }

    /// Reads the monotonic clock.
    pub fn mono(&self) -> Mono {
        let nanos = self.origin.elapsed().as_nanos();
        // The first instant is not 0, so that a machine may take 0 for never.
        Mono::from_nanos(
            u64::try_from(nanos)
                .unwrap_or(u64::MAX - 1)
                .saturating_add(1),
        )
    }
}

/// Milliseconds since the epoch; negative before it.
pub(crate) fn wall() -> Wall {
    let millis = match SystemTime::now().duration_since(UNIX_EPOCH) {
        Ok(since) => i64::try_from(since.as_millis()).unwrap_or(i64::MAX),
        Err(before) => i64::try_from(before.duration().as_millis()).map_or(i64::MIN, |ms| -ms),
    };
    Wall::from_millis(millis)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn monotonic_time_starts_above_zero_and_does_not_go_back() {
        let clock = Clock::start();
        let first = clock.mono();
        assert!(first > Mono::default());
        assert!(clock.mono() >= first);
    }

    #[test]
    fn wall_time_is_that_of_the_system() {
        // 2020-01-01.
        assert!(wall().as_secs() > 1_577_836_800);
    }
}
