//! The rolling hash of a run: proof that two runs were the same, and where they parted.

use std::hash::Hasher as _;

use siphasher::sip128::{Hasher128 as _, SipHasher13};

use crate::time::Time;

/// Events between two checkpoints.
pub const CHECKPOINT_EVENTS: u64 = 1024;

/// A running 128-bit hash over everything that happens.
pub struct Rolling {
    state: SipHasher13,
    events: u64,
    checkpoints: Vec<u128>,
}

impl Default for Rolling {
    fn default() -> Self {
        Self {
            state: SipHasher13::new(),
            events: 0,
            checkpoints: Vec::new(),
        }
    }
}

impl Rolling {
    /// Takes in one event.
    pub fn event(&mut self, at: Time, node: u16, kind: u8, payload: u64) {
        self.state.write_u64(at.as_nanos());
        self.state.write_u64(u64::from(node) << 8 | u64::from(kind));
        self.state.write_u64(payload);
        self.events += 1;
        if self.events.is_multiple_of(CHECKPOINT_EVENTS) {
            self.checkpoints.push(self.value());
        }
    }

    /// Takes in bytes that went over a wire or to a disk during the current event.
    pub fn bytes(&mut self, bytes: &[u8]) {
        self.state.write(bytes);
    }

    /// Events taken in so far.
    pub const fn events(&self) -> u64 {
        self.events
    }

    /// The hash so far.
    pub fn value(&self) -> u128 {
        self.state.finish128().as_u128()
    }

    /// The hash after every [`CHECKPOINT_EVENTS`] events.
    pub fn checkpoints(&self) -> &[u128] {
        &self.checkpoints
    }
}

/// A 64-bit digest of a few bytes, for payloads.
pub fn digest(bytes: &[u8]) -> u64 {
    let mut hasher = SipHasher13::new();
    hasher.write(bytes);
    hasher.finish128().h1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_difference_shows_in_every_later_checkpoint() {
        let mut one = Rolling::default();
        let mut two = Rolling::default();
        for n in 0..5_000 {
            one.event(Time::from_nanos(n), 1, 2, 0);
            two.event(Time::from_nanos(n), 1, 2, u64::from(n == 2_500));
        }
        let same: Vec<bool> = (one.checkpoints().iter())
            .zip(two.checkpoints())
            .map(|(a, b)| a == b)
            .collect();
        assert_eq!(same, [true, true, false, false]);
        assert_ne!(one.value(), two.value());
    }
}
