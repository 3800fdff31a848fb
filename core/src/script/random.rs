//! The random numbers of scripts.

/// The linear congruential generator of the drand48 family (POSIX), as it starts without a seed:
/// scripts draw the same numbers on every server, and those that Redis gives them.
#[derive(Clone, Copy, Debug)]
pub(super) struct Random48(u64);

const MODULUS_MASK: u64 = (1 << 48) - 1;

impl Default for Random48 {
    fn default() -> Self {
        Self(0x1234_ABCD_330E)
    }
}

impl Random48 {
    /// Starts anew from a seed.
    pub(super) fn seeded(seed: i32) -> Self {
        Self((u64::from(seed.cast_unsigned()) << 16) | 0x330E)
    }

    /// The next 31 bits.
    pub(super) fn next(&mut self) -> u32 {
        self.0 = self.0.wrapping_mul(0x5_DEEC_E66D).wrapping_add(0xB) & MODULUS_MASK;
        u32::try_from(self.0 >> 17).expect("31 of 48 bits")
    }

    /// At least 0 and less than 1.
    pub(super) fn fraction(&mut self) -> f64 {
        const MAX: u32 = i32::MAX as u32;
        f64::from(self.next() % MAX) / f64::from(MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_numbers_are_those_of_redis() {
        // redis-server 7.0.15: EVAL "return tostring(math.random())" 0, twice, then with
        // math.randomseed(5) before it.
        let mut random = Random48::default();
        let near = |value: f64, text: &str| assert_eq!(format!("{value:.14}"), text);
        near(random.fraction(), "0.39646477363839");
        near(random.fraction(), "0.84048536971234");
        near(Random48::seeded(5).fraction(), "0.52483957937213");
    }
}
