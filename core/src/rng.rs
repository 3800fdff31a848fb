//! One seed per machine, forked by purpose.

use rand::{Rng as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use siphasher::sip128::{Hasher128 as _, SipHasher13};
use std::hash::Hasher as _;

/// The randomness of one machine or one purpose within it.
///
/// Forks are independent of how much was drawn before, so a new draw in one place moves no other.
#[derive(Clone, Debug)]
pub struct Rng {
    seed: [u8; 32],
    stream: ChaCha8Rng,
}

impl Rng {
    /// Starts from a seed.
    pub fn new(seed: [u8; 32]) -> Self {
        Self {
            seed,
            stream: ChaCha8Rng::from_seed(seed),
        }
    }

    /// The generator for one purpose.
    #[must_use]
    pub fn fork(&self, purpose: &str) -> Self {
        let mut seed = [0; 32];
        for (half, chunk) in seed.chunks_exact_mut(16).enumerate() {
            let mut hasher = SipHasher13::new();
            hasher.write(&self.seed);
            hasher.write_usize(half);
            hasher.write(purpose.as_bytes());
            chunk.copy_from_slice(&hasher.finish128().as_bytes());
        }
        Self::new(seed)
    }

    /// Any 64 bits.
    pub fn next_u64(&mut self) -> u64 {
        self.stream.next_u64()
    }

    /// A number below `bound`, which must not be 0.
    pub fn below(&mut self, bound: u64) -> u64 {
        assert!(bound > 0, "no number lies below 0");
        // Multiply-shift; its bias is below 2^-32 for the small bounds in use.
        let wide = u128::from(self.next_u64()) * u128::from(bound);
        u64::try_from(wide >> 64).expect("the high half of a 128-bit product fits 64 bits")
    }

    /// Forty lower-case hexadecimal digits, the form of a run id or replication id.
    pub fn hex40(&mut self) -> [u8; 40] {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        let mut id = [0; 40];
        for chunk in id.chunks_exact_mut(8) {
            let mut bits = self.next_u64();
            for digit in chunk {
                *digit = DIGITS[usize::try_from(bits & 15).expect("four bits")];
                bits >>= 4;
            }
        }
        id
    }

    /// Fills a buffer.
    pub fn fill(&mut self, into: &mut [u8]) {
        self.stream.fill_bytes(into);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fork_does_not_depend_on_what_was_drawn_before() {
        let mut one = Rng::new([7; 32]);
        let two = Rng::new([7; 32]);
        one.next_u64();
        assert_eq!(one.fork("runid").hex40(), two.fork("runid").hex40());
        assert_ne!(one.fork("runid").hex40(), two.fork("replid").hex40());
    }

    #[test]
    fn draws_stay_below_their_bound() {
        let mut rng = Rng::new([1; 32]);
        for bound in 1..200 {
            assert!(rng.below(bound) < bound);
        }
    }
}
