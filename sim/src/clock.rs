//! What a node's clocks say: a monotonic clock with a rate of its own and a wall clock that jumps.

use holdfast_core::machine::{Mono, Now, Wall};

use crate::time::Time;

const MILLION: i128 = 1_000_000;
/// 2024-01-01T00:00:00Z: where wall clocks start.
const EPOCH_MS: i64 = 1_704_067_200_000;

/// The clocks of one host. They run on while its processes are dead or stopped.
#[derive(Clone, Debug)]
pub struct Clock {
    anchor: Time,
    mono_at_anchor: u64,
    /// Gain against the world's time in parts per million.
    drift_ppm: i64,
    wall_offset_ms: i64,
}

impl Clock {
    /// A clock whose monotonic origin lies `uptime_nanos` before the run, and whose wall clock is
    /// `wall_offset_ms` off.
    pub const fn new(uptime_nanos: u64, wall_offset_ms: i64, drift_ppm: i64) -> Self {
        Self {
            anchor: Time::ZERO,
            mono_at_anchor: uptime_nanos,
            drift_ppm,
            wall_offset_ms,
        }
    }

    /// Both clocks at a moment.
    pub fn now(&self, at: Time) -> Now {
        let mono = self.mono(at);
        let run_ms = i64::try_from(mono / 1_000_000).expect("a run lasts less than 292 years");
        Now {
            mono: Mono::from_nanos(mono),
            wall: Wall::from_millis(EPOCH_MS + run_ms + self.wall_offset_ms),
        }
    }

    /// The first moment at which the monotonic clock shows `mono` or later.
    pub fn when(&self, mono: Mono) -> Time {
        let ahead = mono.as_nanos().saturating_sub(self.mono_at_anchor);
        if self.drift_ppm == 0 {
            return Time::from_nanos(self.anchor.as_nanos().saturating_add(ahead));
        }
        let rate = MILLION + i128::from(self.drift_ppm);
        let real = (i128::from(ahead) * MILLION + rate - 1).div_euclid(rate);
        let real = u64::try_from(real).unwrap_or(u64::MAX);
        Time::from_nanos(self.anchor.as_nanos().saturating_add(real))
    }

    /// Sets the rate from `at` on.
    pub fn set_drift(&mut self, at: Time, drift_ppm: i64) {
        self.mono_at_anchor = self.mono(at);
        self.anchor = at;
        self.drift_ppm = drift_ppm;
    }

    /// Moves the wall clock, forward or back.
    pub const fn jump_wall(&mut self, by_ms: i64) {
        self.wall_offset_ms += by_ms;
    }

    fn mono(&self, at: Time) -> u64 {
        let passed = at.as_nanos().saturating_sub(self.anchor.as_nanos());
        if self.drift_ppm == 0 {
            return self.mono_at_anchor + passed;
        }
        let rate = MILLION + i128::from(self.drift_ppm);
        let shown = (i128::from(passed) * rate).div_euclid(MILLION);
        self.mono_at_anchor + u64::try_from(shown).expect("clocks do not run backwards")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_deadline_is_reached_at_the_moment_it_was_converted_to() {
        for drift in [-200_000, -37, 0, 37, 200_000] {
            let mut clock = Clock::new(123_456_789, 50, drift);
            clock.set_drift(Time::from_nanos(1_000_003), drift / 2);
            for ahead in [1u64, 2, 3, 999, 1_000_000_007] {
                let start = Time::from_nanos(5_000_000_011);
                let deadline = Mono::from_nanos(clock.now(start).mono.as_nanos() + ahead);
                let at = clock.when(deadline);
                assert!(clock.now(at).mono >= deadline);
                assert!(clock.now(Time::from_nanos(at.as_nanos() - 1)).mono < deadline);
            }
        }
    }

    #[test]
    fn a_wall_jump_leaves_the_monotonic_clock_alone() {
        let mut clock = Clock::new(0, 0, 0);
        let at = Time::from_millis(500);
        let before = clock.now(at);
        clock.jump_wall(-30_000);
        let after = clock.now(at);
        assert_eq!(before.mono, after.mono);
        assert_eq!(before.wall.as_millis() - 30_000, after.wall.as_millis());
    }
}
