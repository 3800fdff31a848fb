//! The 24 bits that an entry has for eviction: when it was last used, or how often it is.

use crate::machine::Wall;
use crate::rng::Rng;

/// How the bits of all entries are kept and read, at one moment.
///
/// By recency they are seconds. By frequency they are minutes (16 bits) and a counter (8 bits)
/// that rises the more rarely the higher it is, and falls with time.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Usage {
    /// 24 bits of the seconds since the epoch.
    clock: u32,
    /// 16 bits of the minutes.
    minutes: u32,
    tracked: Tracked,
}

/// What eviction goes by.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Tracked {
    /// Neither; recency is kept all the same.
    Neither,
    /// When an entry was last used.
    Recency,
    /// How often it is used.
    Frequency {
        /// How much harder it is for a counter to rise the higher it is.
        log_factor: u32,
        /// Minutes in which a counter falls by one; 0 if it never does.
        decay_minutes: u32,
    },
}

impl Usage {
    /// At a moment.
    pub fn new(now: Wall, tracked: Tracked) -> Self {
        let secs = now.as_secs();
        let bits = |value: i64, mask: u32| (value & i64::from(mask)) as u32;
        Self {
            clock: bits(secs, CLOCK_MAX),
            minutes: bits(secs / 60, MINUTES_MAX),
            tracked,
        }
    }

    /// Whether the bits tell how often an entry is used.
    #[inline]
    pub fn counts_frequency(self) -> bool {
        match self.tracked {
            Tracked::Frequency { .. } => true,
            Tracked::Neither | Tracked::Recency => false,
        }
    }

    /// The bits of a new entry.
    #[inline]
    pub fn fresh(self) -> u32 {
        if self.counts_frequency() {
            self.with_freq(FREQ_NEW)
        } else {
            self.clock
        }
    }

    /// The bits of an entry that is used.
    #[inline]
    pub fn used(self, bits: u32, rng: &mut Rng) -> u32 {
        match self.tracked {
            Tracked::Neither | Tracked::Recency => self.clock,
            Tracked::Frequency { log_factor, .. } => {
                self.with_freq(risen(self.freq(bits), log_factor, rng))
            }
        }
    }

    /// The bits of an entry whose value is replaced: how often it is used stays as it was.
    #[inline]
    pub fn replaced(self, bits: u32) -> u32 {
        if self.counts_frequency() {
            bits
        } else {
            self.clock
        }
    }

    /// Seconds since an entry was used.
    pub fn idle_secs(self, bits: u32) -> u32 {
        match self.clock.checked_sub(bits) {
            Some(idle) => idle,
            None => self.clock + (CLOCK_MAX - bits),
        }
    }

    /// An entry's counter as it has fallen since it was kept.
    pub fn freq(self, bits: u32) -> u8 {
        let [count, ..] = bits.to_le_bytes();
        let Tracked::Frequency { decay_minutes, .. } = self.tracked else {
            return count;
        };
        let kept = bits >> 8;
        let elapsed = match self.minutes.checked_sub(kept) {
            Some(elapsed) => elapsed,
            None => MINUTES_MAX - kept + self.minutes,
        };
        let fallen = elapsed.checked_div(decay_minutes).unwrap_or(0);
        count.saturating_sub(u8::try_from(fallen).unwrap_or(u8::MAX))
    }

    /// The bits of an entry that was last used so many seconds ago. What lies further back than
    /// the clock reaches counts as half its range ago.
    pub fn with_idle(self, secs: u64) -> u32 {
        let used = u64::from(self.clock).checked_sub(secs);
        let used = used.and_then(|used| u32::try_from(used).ok());
        used.unwrap_or((self.clock + CLOCK_MAX / 2) % CLOCK_MAX)
    }

    /// The bits of an entry with this counter.
    #[inline]
    pub fn with_freq(self, count: u8) -> u32 {
        self.minutes << 8 | u32::from(count)
    }

    /// The bits that a file or a RESTORE gives an entry, if it gives what is kept here.
    pub fn restored(self, idle_secs: Option<u64>, freq: Option<u8>) -> Option<u32> {
        if self.counts_frequency() {
            freq.map(|count| self.with_freq(count))
        } else {
            idle_secs.map(|secs| self.with_idle(secs))
        }
    }

    /// What a file says of an entry: seconds since its use, or its counter, if eviction goes by
    /// that.
    pub fn saved(self, bits: u32) -> (Option<u64>, Option<u8>) {
        match self.tracked {
            Tracked::Neither => (None, None),
            Tracked::Recency => (Some(self.idle_secs(bits).into()), None),
            Tracked::Frequency { .. } => (None, Some(self.freq(bits))),
        }
    }
}

/// A counter after another use: it rises with a chance of 1 in what it is above that of a new
/// entry, times the factor.
#[inline]
fn risen(count: u8, log_factor: u32, rng: &mut Rng) -> u8 {
    let above = u64::from(count.saturating_sub(FREQ_NEW));
    let chances = above * u64::from(log_factor) + 1;
    if count < u8::MAX && rng.below(chances) == 0 {
        count + 1
    } else {
        count
    }
}

const CLOCK_MAX: u32 = (1 << 24) - 1;
const MINUTES_MAX: u32 = (1 << 16) - 1;
/// New entries must not be the first to go.
const FREQ_NEW: u8 = 5;

#[cfg(test)]
mod tests {
    use super::*;

    fn by_frequency(minute: i64) -> Usage {
        let tracked = Tracked::Frequency {
            log_factor: 10,
            decay_minutes: 2,
        };
        Usage::new(Wall::from_millis(minute * 60_000), tracked)
    }

    #[test]
    fn idle_time_is_counted_across_the_end_of_the_clock() {
        let at = |secs: i64| Usage::new(Wall::from_millis(secs * 1_000), Tracked::Recency);
        let before = at(i64::from(CLOCK_MAX) - 10);
        assert_eq!(before.idle_secs(before.fresh()), 0);
        assert_eq!(at(i64::from(CLOCK_MAX) + 20).idle_secs(before.fresh()), 29);
        assert_eq!(before.idle_secs(before.with_idle(1_000)), 1_000);
        let early = at(5);
        assert_eq!(early.idle_secs(early.with_idle(5)), 5);
        let far = early.idle_secs(early.with_idle(u64::MAX));
        assert_eq!(far, CLOCK_MAX - CLOCK_MAX / 2);
    }

    #[test]
    fn a_counter_falls_by_one_in_the_time_that_is_set() {
        let bits = by_frequency(1_000).with_freq(7);
        for (minute, count) in [(1_000, 7), (1_001, 7), (1_002, 6), (1_009, 3), (2_000, 0)] {
            assert_eq!(by_frequency(minute).freq(bits), count, "minute {minute}");
        }
        let late = by_frequency(i64::from(MINUTES_MAX) - 1).with_freq(7);
        assert_eq!(by_frequency(i64::from(MINUTES_MAX) + 4).freq(late), 5);
        let kept = Usage {
            tracked: Tracked::Frequency {
                log_factor: 10,
                decay_minutes: 0,
            },
            ..by_frequency(60_000)
        };
        assert_eq!(kept.freq(bits), 7);
    }

    /// The means that the comment on `lfu-log-factor` in redis.conf lists, within their spread.
    #[test]
    fn a_counter_rises_with_the_logarithm_of_uses() {
        let usage = by_frequency(3);
        let mut rng = Rng::new([9; 32]);
        for (uses, expected) in [(100, 10.0), (1_000, 18.0), (100_000, 142.0)] {
            let runs = 20;
            let mut sum = 0.0;
            for _ in 0..runs {
                let bits = (0..uses).fold(usage.fresh(), |bits, _| usage.used(bits, &mut rng));
                sum += f64::from(usage.freq(bits));
            }
            let mean = sum / f64::from(runs);
            assert!((mean - expected).abs() < expected / 5.0, "{uses}: {mean}");
        }
        assert_eq!(usage.freq(usage.used(usage.with_freq(255), &mut rng)), 255);
    }

    #[test]
    fn a_replaced_value_keeps_its_counter_but_not_its_idle_time() {
        let usage = by_frequency(3);
        assert_eq!(usage.replaced(usage.with_freq(77)), usage.with_freq(77));
        let usage = Usage::new(Wall::from_millis(90_000), Tracked::Neither);
        assert_eq!(usage.idle_secs(usage.replaced(usage.with_idle(60))), 0);
        assert_eq!(usage.saved(usage.fresh()), (None, None));
        assert_eq!(usage.restored(None, Some(3)), None);
    }
}
