//! How many keys may be written or read by a time, where each is to take a while.
//!
//! `rdb-key-save-delay` and `key-load-delay` make a small dataset last as long as a large one,
//! for who wants to see what happens meanwhile.

use core::time::Duration;

use crate::machine::Mono;

/// Keys on their way, each with a delay behind it.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    /// When the next key may come.
    due: Mono,
}

impl Pace {
    /// The first key may come at once.
    #[must_use]
    pub const fn new(now: Mono) -> Self {
        Self { due: now }
    }

    /// How many keys may come, with so many microseconds behind each; a negative number is of
    /// how many keys one has a microsecond behind it.
    #[must_use]
    pub fn allowed(&mut self, now: Mono, delay: i64) -> usize {
        let nanos = nanos(delay);
        if nanos == 0 {
            self.due = now;
            return usize::MAX;
        }
        if now < self.due {
            return 0;
        }
        let past = now.as_nanos() - self.due.as_nanos();
        usize::try_from(past / nanos).map_or(usize::MAX, |keys| keys.saturating_add(1))
    }

    /// So many of them have come.
    pub fn spend(&mut self, keys: usize, delay: i64) {
        let keys = u64::try_from(keys).expect("a count fits 64 bits");
        self.due = self.due + Duration::from_nanos(nanos(delay).saturating_mul(keys));
    }

    /// When the next key may come, if that lies ahead.
    #[must_use]
    pub fn deadline(&self, now: Mono) -> Option<Mono> {
        (self.due > now).then_some(self.due)
    }
}

fn nanos(delay: i64) -> u64 {
    let magnitude = delay.unsigned_abs();
    if delay < 0 {
        1000 / magnitude
    } else {
        magnitude.saturating_mul(1000)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Mono = Mono::from_nanos(5_000_000);

    fn at(micros: u64) -> Mono {
        START + Duration::from_micros(micros)
    }

    #[test]
    fn each_key_has_the_delay_behind_it() {
        let mut pace = Pace::new(START);
        assert_eq!(pace.allowed(at(0), 100), 1);
        pace.spend(1, 100);
        assert_eq!(pace.allowed(at(99), 100), 0);
        assert_eq!(pace.deadline(at(99)), Some(at(100)));
        assert_eq!(pace.allowed(at(100), 100), 1);
        assert_eq!(pace.deadline(at(100)), None);
        assert_eq!(pace.allowed(at(450), 100), 4);
        pace.spend(3, 100);
        assert_eq!(pace.allowed(at(450), 100), 1);
    }

    #[test]
    fn without_a_delay_nothing_waits_and_nothing_is_owed() {
        let mut pace = Pace::new(START);
        pace.spend(1000, 1000);
        assert_eq!(pace.allowed(at(1), 0), usize::MAX);
        assert_eq!(pace.deadline(at(1)), None);
        pace.spend(1000, 0);
        assert_eq!(pace.allowed(at(1), 7), 1);
    }

    #[test]
    fn a_negative_delay_is_a_part_of_a_microsecond() {
        let mut pace = Pace::new(START);
        pace.spend(100, -50);
        assert_eq!(pace.deadline(at(1)), Some(at(2)));
        assert_eq!(pace.allowed(at(1), i64::MIN), usize::MAX);
        pace.spend(usize::MAX, i64::MAX);
        assert_eq!(pace.allowed(at(1_000_000), i64::MAX), 0);
    }
}
