//! PFSELFTEST: whether the code does on this machine what it does on others.

use core::fmt;

use super::{Encoding, Hll, HllFault, Place, REGISTERS, Registers};

/// What is wrong.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum SelfTestFault {
    /// A register does not hold what was put there.
    Register {
        /// Which one.
        index: usize,
        /// What was put there.
        expected: u8,
        /// What it holds.
        found: u8,
    },
    /// The estimate is too far away.
    Estimate {
        /// How many elements there are.
        count: u64,
        /// By how many the estimate is wrong.
        error: u64,
    },
    /// The same elements make different registers.
    Encodings,
    /// The registers are damaged.
    Corrupt,
}

impl From<HllFault> for SelfTestFault {
    fn from(_: HllFault) -> Self {
        Self::Corrupt
    }
}

impl fmt::Display for SelfTestFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Register {
                index,
                expected,
                found,
            } => write!(
                f,
                "TESTFAILED Register {index} should be {expected} but is {found}"
            ),
            Self::Estimate { count, error } => {
                write!(f, "TESTFAILED Too big error. card:{count} abserr:{error}")
            }
            Self::Encodings => f.write_str("TESTFAILED dense/sparse disagree"),
            Self::Corrupt => f.write_str("TESTFAILED registers are damaged"),
        }
    }
}

/// Checks registers, encodings and estimates with a few hundred thousand elements.
pub fn self_test() -> Result<(), SelfTestFault> {
    check_registers()?;
    check_estimates()
}

fn check_registers() -> Result<(), SelfTestFault> {
    let mut dense = Hll::new();
    dense.make_dense()?;
    // A walk that meets every register, with every value in between.
    const STRIDE: usize = 5_003;
    let mut expected = [0; REGISTERS];
    for step in 0..REGISTERS * 4 {
        let index = step * STRIDE % REGISTERS;
        let value = (step * 7 % 64) as u8;
        expected[index] = value.max(expected[index]);
        dense.raise(Place { index, value }, 0)?;
    }
    let mut registers = Registers::new();
    registers.merge(dense.as_ref())?;
    for (index, (found, expected)) in registers.iter().zip(expected).enumerate() {
        if found != expected {
            return Err(SelfTestFault::Register {
                index,
                expected,
                found,
            });
        }
    }
    Ok(())
}

fn check_estimates() -> Result<(), SelfTestFault> {
    /// Six times the relative standard error.
    const ERROR_MAX: f64 = 6.0 * 1.04 / 128.0;
    let (mut plain, mut dense) = (Hll::new(), Hll::new());
    dense.make_dense()?;
    let mut checkpoint = 1;
    for count in 1..=COUNT_MAX {
        let element = (count ^ SEED).to_le_bytes();
        plain.add(&element, SPARSE_BYTES_MAX)?;
        dense.add(&element, SPARSE_BYTES_MAX)?;
        if count != checkpoint {
            continue;
        }
        let estimate = dense.as_ref().count()?;
        let error = estimate.abs_diff(count);
        let most = (ERROR_MAX * count as f64).ceil() as u64;
        if error > most {
            return Err(SelfTestFault::Estimate { count, error });
        }
        let small = count <= 100;
        let encoding_fits = !small || plain.as_ref().encoding() == Encoding::Sparse;
        if !encoding_fits || plain.as_ref().count()? != estimate {
            return Err(SelfTestFault::Encodings);
        }
        checkpoint *= 10;
    }
    Ok(())
}

const COUNT_MAX: u64 = 100_000;
const SEED: u64 = 0x5bd1_e995_9e37_79b9;
const SPARSE_BYTES_MAX: u64 = 3_000;
