//! The estimator of Otmar Ertl ("New cardinality estimation algorithms for HyperLogLog sketches",
//! algorithm 6), which Redis uses.

use super::{REGISTERS, RUN_MAX};

/// How many registers have each value.
pub(super) struct Histogram {
    counts: [usize; VALUES],
}

impl Default for Histogram {
    fn default() -> Self {
        Self {
            counts: [0; VALUES],
        }
    }
}

impl Histogram {
    /// Counts registers of one value.
    #[inline]
    pub(super) fn add(&mut self, value: u8, registers: usize) {
        self.counts[usize::from(value)] += registers;
    }

    /// How many elements were added, about. `None` if not every register was counted once.
    pub(super) fn estimate(&self) -> Option<u64> {
        if self.counts.iter().sum::<usize>() != REGISTERS {
            return None;
        }
        let all = REGISTERS as f64;
        let highest = RUN_MAX as usize + 1;
        let mut sum = all * tau((all - self.counts[highest] as f64) / all);
        for count in self.counts[1..highest].iter().rev() {
            sum = (sum + *count as f64) * 0.5;
        }
        sum += all * sigma(self.counts[0] as f64 / all);
        Some((ALPHA * all * all / sum).round() as u64)
    }
}

/// The correction for registers that are still zero.
fn sigma(mut x: f64) -> f64 {
    if x == 1.0 {
        return f64::INFINITY;
    }
    let (mut weight, mut sum) = (1.0, x);
    loop {
        x *= x;
        let before = sum;
        sum += x * weight;
        weight += weight;
        if sum == before {
            return sum;
        }
    }
}

/// The correction for registers that can't grow.
fn tau(mut x: f64) -> f64 {
    if x == 0.0 || x == 1.0 {
        return 0.0;
    }
    let (mut weight, mut sum) = (1.0, 1.0 - x);
    loop {
        x = x.sqrt();
        let before = sum;
        weight *= 0.5;
        sum -= (1.0 - x) * (1.0 - x) * weight;
        if sum == before {
            return sum / 3.0;
        }
    }
}

/// Six bits' worth.
const VALUES: usize = 64;
/// Half of the reciprocal of the natural logarithm of 2.
const ALPHA: f64 = 0.721_347_520_444_481_7;
