//! Keyed randomness: every draw is a function of (seed, stream, entity, counter), so that
//! removing one draw moves no other stream.

use std::hash::Hasher as _;
use std::time::Duration;

use siphasher::sip128::{Hasher128 as _, SipHasher13};

/// What a series of draws is for. The numbers are part of every recorded run.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Stream {
    /// The option set.
    Options = 1,
    /// The fault schedule; entity: the fault family.
    Faults = 2,
    /// Latency and slicing; entity: the directed pair of hosts.
    Link = 3,
    /// Disk latency and what a power loss leaves; entity: the node.
    Disk = 4,
    /// The seed of a machine; entity: node and incarnation.
    Machine = 5,
    /// Operations and pauses of a client; entity: the client.
    Client = 6,
    /// Clock offsets; entity: the node.
    Clock = 7,
    /// Which of two simultaneous events comes first; entity: the node.
    Tie = 8,
    /// Scheduling delay of a process; entity: the node.
    Turn = 9,
    /// What a fault does when it strikes; entity: the schedule entry.
    Strike = 10,
    /// Exit codes and run times of scripts; entity: the node.
    Script = 11,
    /// Which nodes survive into the liveness phase.
    Core = 12,
}

/// The root of all randomness of one run.
#[derive(Clone, Copy, Debug)]
pub struct Keys {
    seed: u64,
}

impl Keys {
    /// The keys of one seed.
    pub const fn new(seed: u64) -> Self {
        Self { seed }
    }

    /// The series of draws of one entity in one stream.
    pub fn draws(self, stream: Stream, entity: u64) -> Draws {
        let mut hasher = SipHasher13::new_with_keys(self.seed, stream as u64);
        hasher.write_u64(entity);
        let hash = hasher.finish128();
        Draws {
            key: hash.h1,
            salt: hash.h2,
            counter: 0,
        }
    }

    /// A seed for a machine.
    pub fn machine_seed(self, entity: u64) -> [u8; 32] {
        let mut draws = self.draws(Stream::Machine, entity);
        let mut seed = [0; 32];
        for chunk in seed.chunks_exact_mut(8) {
            chunk.copy_from_slice(&draws.next_u64().to_le_bytes());
        }
        seed
    }
}

/// One keyed series of draws.
#[derive(Clone, Debug)]
pub struct Draws {
    key: u64,
    salt: u64,
    counter: u64,
}

impl Draws {
    /// Any 64 bits.
    pub fn next_u64(&mut self) -> u64 {
        self.counter += 1;
        let mut mixed = self.key ^ self.counter.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)).wrapping_add(self.salt)
    }

    /// A number below `bound`, which must not be 0.
    pub fn below(&mut self, bound: u64) -> u64 {
        assert!(bound > 0, "no number lies below 0");
        let wide = u128::from(self.next_u64()) * u128::from(bound);
        u64::try_from(wide >> 64).expect("the high half of a 128-bit product fits 64 bits")
    }

    /// A number from `low` to `high`, both included.
    pub fn between(&mut self, low: u64, high: u64) -> u64 {
        assert!(low <= high, "an interval ends at or after its start");
        low + self.below(high - low + 1)
    }

    /// An index into something of that length.
    pub fn index(&mut self, len: usize) -> usize {
        let bound = u64::try_from(len).expect("lengths fit 64 bits");
        usize::try_from(self.below(bound)).expect("it is below a usize")
    }

    /// True once in `1 / p` times.
    pub fn chance(&mut self, p: f64) -> bool {
        self.unit() < p
    }

    /// True that many times in a million.
    pub fn odds(&mut self, ppm: u32) -> bool {
        self.below(1_000_000) < u64::from(ppm)
    }

    /// A number in [0, 1).
    pub fn unit(&mut self) -> f64 {
        const SCALE: f64 = 1.0 / (1u64 << 53) as f64;
        (self.next_u64() >> 11) as f64 * SCALE
    }

    /// A number from `low` to `high` whose logarithm is uniform, so every magnitude is as likely.
    pub fn log_between(&mut self, low: u64, high: u64) -> u64 {
        assert!(
            0 < low && low <= high,
            "a logarithm needs a positive interval"
        );
        // Octaves by integer arithmetic: `f64::exp` differs between platforms in the last bit,
        // and a run must hash the same everywhere.
        let low_octave = low.ilog2();
        let octaves = u64::from(high.ilog2() - low_octave) + 1;
        loop {
            let octave = low_octave + u32::try_from(self.below(octaves)).expect("at most 64");
            let start = 1u64 << octave;
            let value = start + self.below(start);
            if low <= value && value <= high {
                return value;
            }
        }
    }

    /// A duration between two others, each magnitude as likely.
    pub fn log_duration(&mut self, low: Duration, high: Duration) -> Duration {
        Duration::from_nanos(self.log_between(nanos(low).max(1), nanos(high).max(1)))
    }

    /// One of several.
    pub fn pick<'a, T>(&mut self, of: &'a [T]) -> &'a T {
        &of[self.index(of.len())]
    }

    /// Puts items in random order.
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            let other = self.index(last + 1);
            items.swap(last, other);
        }
    }
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_and_entities_are_independent_and_repeatable() {
        let keys = Keys::new(7);
        let first: Vec<u64> = {
            let mut draws = keys.draws(Stream::Link, 3);
            (0..8).map(|_| draws.next_u64()).collect()
        };
        let mut again = keys.draws(Stream::Link, 3);
        assert_eq!(first, (0..8).map(|_| again.next_u64()).collect::<Vec<_>>());
        assert_ne!(first[0], keys.draws(Stream::Link, 4).next_u64());
        assert_ne!(first[0], keys.draws(Stream::Disk, 3).next_u64());
        assert_ne!(first[0], Keys::new(8).draws(Stream::Link, 3).next_u64());
    }

    #[test]
    fn log_draws_reach_every_magnitude_within_their_bounds() {
        let mut draws = Keys::new(1).draws(Stream::Options, 0);
        let mut small = 0;
        for _ in 0..1000 {
            let value = draws.log_between(200, 30_000);
            assert!((200..=30_000).contains(&value));
            small += usize::from(value < 2_500);
        }
        assert!(
            (300..700).contains(&small),
            "{small} of 1000 below the geometric mean"
        );
    }

    #[test]
    fn chances_come_about_as_often_as_asked() {
        let mut draws = Keys::new(1).draws(Stream::Options, 1);
        let hits = (0..10_000).filter(|_| draws.chance(0.25)).count();
        assert!((2_300..2_700).contains(&hits));
    }
}
