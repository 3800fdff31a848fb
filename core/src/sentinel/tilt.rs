//! Notices that this process did not run for a while, or that the clocks jumped.

use core::time::Duration;

use crate::machine::{Mono, Now};

/// Guards against acting on a picture of the world that is older than it looks.
///
/// A turn is planned at least every [`HEARTBEAT`]; one that comes much later than planned says
/// that the process was stopped or starved. The two clocks drifting apart says that the whole
/// machine was.
#[derive(Debug)]
pub struct Tilt {
    /// When the next turn has to come at the latest.
    planned: Mono,
    last: Now,
    since: Option<Mono>,
    /// Length of the mode.
    pub period: Duration,
    /// How late a turn has to be.
    pub trigger: Duration,
}

/// What a look at the clocks tells.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Lapse {
    /// How much later than planned this turn is; lateness of no account is none.
    pub late: Duration,
    /// Whether that is a reason for TILT.
    pub tilt: bool,
}

/// The longest a machine sleeps, so that it notices that it was stopped.
pub const HEARTBEAT: Duration = Duration::from_millis(500);
/// A turn may be this late on a busy machine without anybody being excused for it.
const GRACE: Duration = Duration::from_millis(20);

impl Tilt {
    /// Starts to watch the clocks.
    pub fn new(now: Now) -> Self {
        Self {
            planned: now.mono + HEARTBEAT,
            last: now,
            since: None,
            period: Duration::from_secs(30),
            trigger: Duration::from_secs(2),
        }
    }

    /// Looks at the clocks at the start of a turn, before anything is decided.
    pub fn observe(&mut self, now: Now) -> Lapse {
        let late = now.mono.since(self.planned);
        let late = if late > GRACE { late } else { Duration::ZERO };
        let tilt = late > self.trigger || self.clock_jump(now) > self.trigger;
        if tilt {
            self.since = Some(now.mono);
        }
        self.last = now;
        // One lapse is reported once, whatever number of inputs the turn still has.
        self.planned = self.planned.max(now.mono);
        Lapse { late, tilt }
    }

    /// Ends a turn: the next is planned for `deadline`, or the heartbeat if that comes first.
    pub fn plan(&mut self, now: Now, deadline: Option<Mono>) {
        let heartbeat = now.mono + HEARTBEAT;
        self.planned = deadline
            .map_or(heartbeat, |at| at.min(heartbeat))
            .max(now.mono);
    }

    /// Leaves the mode when its time is over; tells whether this call did.
    pub fn leave_if_over(&mut self, now: Mono) -> bool {
        let over = self.ends_at().is_some_and(|end| end <= now);
        if over {
            self.since = None;
        }
        over
    }

    /// Whether nothing may be acted on.
    pub fn is_on(&self) -> bool {
        self.since.is_some()
    }

    /// Since when the mode lasts.
    pub fn since(&self) -> Option<Mono> {
        self.since
    }

    /// When the mode will be over.
    pub fn ends_at(&self) -> Option<Mono> {
        self.since.map(|since| since + self.period)
    }

    /// When the next turn has to come at the latest.
    pub fn planned(&self) -> Mono {
        self.planned
    }

    /// How far the wall clock moved away from the steady one since the last look.
    fn clock_jump(&self, now: Now) -> Duration {
        let steady = now.mono.since(self.last.mono).as_millis();
        let wall = i128::from(now.wall.as_millis()) - i128::from(self.last.wall.as_millis());
        let steady = i128::try_from(steady).expect("milliseconds in a u64 of nanoseconds fit");
        let jump = u64::try_from((wall - steady).unsigned_abs()).unwrap_or(u64::MAX);
        Duration::from_millis(jump)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::machine::Wall;

    fn at(ms: u64, wall_ms: i64) -> Now {
        Now {
            mono: Mono::from_nanos(ms * 1_000_000),
            wall: Wall::from_millis(wall_ms),
        }
    }

    #[test]
    fn a_turn_two_seconds_late_starts_it_and_thirty_seconds_end_it() {
        let mut tilt = Tilt::new(at(0, 0));
        assert_eq!(tilt.observe(at(400, 400)), Lapse::default());
        tilt.plan(at(400, 400), None);
        let lapse = tilt.observe(at(2901, 2901));
        assert_eq!(
            (lapse.late, lapse.tilt),
            (Duration::from_millis(2001), true)
        );
        assert_eq!(tilt.observe(at(2901, 2901)), Lapse::default());
        assert!(!tilt.leave_if_over(at(32_900, 0).mono));
        assert!(tilt.leave_if_over(at(32_901, 0).mono));
        assert!(!tilt.is_on());
    }

    #[test]
    fn a_short_pause_is_lateness_and_not_tilt() {
        let mut tilt = Tilt::new(at(0, 0));
        tilt.plan(at(0, 0), Some(at(100, 0).mono));
        let lapse = tilt.observe(at(1500, 1500));
        assert_eq!(
            (lapse.late, lapse.tilt),
            (Duration::from_millis(1400), false)
        );
        assert!(!tilt.is_on());
    }

    #[test]
    fn a_wall_clock_that_jumps_either_way_starts_it() {
        for wall in [-2300, 2401] {
            let mut tilt = Tilt::new(at(0, 0));
            assert!(tilt.observe(at(400, wall)).tilt, "{wall}");
        }
        assert!(!Tilt::new(at(0, 0)).observe(at(400, 1900)).tilt);
    }
}
