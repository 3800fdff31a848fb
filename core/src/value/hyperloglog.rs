//! HyperLogLog: how many different elements were added, about, in a string as Redis stores it.
//!
//! Each element falls into one of [`REGISTERS`] registers by some bits of its hash; a register
//! keeps the longest run of zeros that the rest of a hash began with. The string is a header (the
//! magic `HYLL`, the encoding, three zero bytes and the last estimate, which a flag declares
//! stale) and the registers: dense, six bits each; or sparse, as run lengths.

mod dense;
mod estimate;
mod murmur;
mod selftest;
mod sparse;

pub use selftest::{SelfTestFault, self_test};
pub use sparse::{Opcode, Opcodes};

use dense::Registers6;
use estimate::Histogram;
use sparse::Raise;

/// Why a string is of no use as a HyperLogLog.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum HllFault {
    /// It is none.
    Foreign,
    /// Its registers are damaged.
    Corrupt,
}

/// How the registers are stored.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Encoding {
    /// Six bits each.
    Dense,
    /// As run lengths.
    Sparse,
}

/// A HyperLogLog where it lies.
#[derive(Clone, Copy, Debug)]
pub struct HllRef<'a> {
    text: &'a [u8],
    encoding: Encoding,
}

impl<'a> HllRef<'a> {
    /// Takes a string for a HyperLogLog. Whether sparse registers are sound shows when they are
    /// read.
    pub fn new(text: &'a [u8]) -> Result<Self, HllFault> {
        if text.len() < HEADER_BYTES || !text.starts_with(MAGIC) {
            return Err(HllFault::Foreign);
        }
        let encoding = match text[ENCODING_AT] {
            DENSE if text.len() == DENSE_BYTES => Encoding::Dense,
            SPARSE => Encoding::Sparse,
            _ => return Err(HllFault::Foreign),
        };
        Ok(Self { text, encoding })
    }

    /// How its registers are stored.
    pub const fn encoding(self) -> Encoding {
        self.encoding
    }

    /// The estimate stored with it, unless it is stale.
    pub fn cached(self) -> Option<u64> {
        let field = self.text[CACHE_AT..].first_chunk();
        let cached = u64::from_le_bytes(*field.expect("a header has the field"));
        (cached & STALE == 0).then_some(cached)
    }

    /// The estimate reckoned from the registers.
    pub fn count(self) -> Result<u64, HllFault> {
        let mut histogram = Histogram::default();
        match self.encoding {
            Encoding::Dense => {
                for value in Registers6::new(self.registers()).iter() {
                    histogram.add(value, 1);
                }
            }
            Encoding::Sparse => {
                for opcode in self.opcodes() {
                    histogram.add(opcode.value(), opcode.run());
                }
            }
        }
        histogram.estimate().ok_or(HllFault::Corrupt)
    }

    /// The run lengths of a sparse one.
    pub fn opcodes(self) -> Opcodes<'a> {
        debug_assert_eq!(self.encoding, Encoding::Sparse);
        Opcodes::new(self.registers())
    }

    fn registers(self) -> &'a [u8] {
        &self.text[HEADER_BYTES..]
    }
}

/// A HyperLogLog of its own.
#[derive(Clone, Debug)]
pub struct Hll {
    text: Vec<u8>,
    encoding: Encoding,
}

impl Default for Hll {
    fn default() -> Self {
        Self::new()
    }
}

impl From<HllRef<'_>> for Hll {
    fn from(hll: HllRef<'_>) -> Self {
        Self {
            text: hll.text.to_vec(),
            encoding: hll.encoding,
        }
    }
}

impl Hll {
    /// One to which nothing was added: sparse, its estimate of zero not stale.
    pub fn new() -> Self {
        let mut text = vec![0; HEADER_BYTES];
        text[..MAGIC.len()].copy_from_slice(MAGIC);
        text[ENCODING_AT] = SPARSE;
        sparse::fill(&mut text);
        Self {
            text,
            encoding: Encoding::Sparse,
        }
    }

    /// Adds an element; whether that changed a register. A sparse one longer than
    /// `sparse_bytes_max` becomes dense.
    pub fn add(&mut self, element: &[u8], sparse_bytes_max: u64) -> Result<bool, HllFault> {
        self.raise(place(element), sparse_bytes_max)
    }

    /// Raises registers to those of others, where theirs are higher.
    pub fn raise_to(
        &mut self,
        registers: &Registers,
        sparse_bytes_max: u64,
    ) -> Result<(), HllFault> {
        for (index, &value) in registers.0.iter().enumerate() {
            if value > 0 {
                self.raise(Place { index, value }, sparse_bytes_max)?;
            }
        }
        Ok(())
    }

    /// Makes it dense; false if it was.
    pub fn make_dense(&mut self) -> Result<bool, HllFault> {
        match self.encoding {
            Encoding::Dense => return Ok(false),
            Encoding::Sparse => {}
        }
        let mut registers = Registers::new();
        registers.merge(self.as_ref())?;
        let mut text = self.text[..HEADER_BYTES].to_vec();
        text[ENCODING_AT] = DENSE;
        text.resize(DENSE_BYTES, 0);
        dense::pack(&registers.0, &mut text[HEADER_BYTES..]);
        self.text = text;
        self.encoding = Encoding::Dense;
        Ok(true)
    }

    /// Declares the stored estimate stale.
    pub fn invalidate(&mut self) {
        invalidate(&mut self.text);
    }

    /// Lends it.
    pub fn as_ref(&self) -> HllRef<'_> {
        HllRef {
            text: &self.text,
            encoding: self.encoding,
        }
    }

    /// The string that it is.
    pub fn text(&self) -> &[u8] {
        &self.text
    }

    fn raise(&mut self, place: Place, sparse_bytes_max: u64) -> Result<bool, HllFault> {
        match self.encoding {
            Encoding::Dense => Ok(raise_dense(&mut self.text, place)),
            Encoding::Sparse => match sparse::raise(&mut self.text, place, sparse_bytes_max)? {
                Raise::Done(changed) => Ok(changed),
                Raise::TooLong => {
                    self.make_dense()?;
                    let changed = raise_dense(&mut self.text, place);
                    assert!(changed, "the sparse register was lower");
                    Ok(true)
                }
            },
        }
    }
}

/// Adds an element to a dense one where it lies; whether that changed a register.
pub fn add_dense(text: &mut [u8], element: &[u8]) -> bool {
    raise_dense(text, place(element))
}

/// Declares the stored estimate stale.
pub fn invalidate(text: &mut [u8]) {
    let [.., high] = STALE.to_le_bytes();
    text[HEADER_BYTES - 1] |= high;
}

/// Stores an estimate, which from then on is not stale.
pub fn store_count(text: &mut [u8], count: u64) {
    text[CACHE_AT..HEADER_BYTES].copy_from_slice(&count.to_le_bytes());
}

/// The highest registers of any number of them.
#[derive(Clone, Debug)]
pub struct Registers(Box<[u8; REGISTERS]>);

impl Default for Registers {
    fn default() -> Self {
        Self::new()
    }
}

impl Registers {
    /// Those of none.
    pub fn new() -> Self {
        Self(Box::new([0; REGISTERS]))
    }

    /// Raises them to those of another, where they are higher there.
    pub fn merge(&mut self, hll: HllRef<'_>) -> Result<(), HllFault> {
        match hll.encoding {
            Encoding::Dense => {
                let theirs = Registers6::new(hll.registers());
                for (own, value) in self.0.iter_mut().zip(theirs.iter()) {
                    *own = value.max(*own);
                }
            }
            Encoding::Sparse => {
                let mut rest = &mut self.0[..];
                for opcode in hll.opcodes() {
                    let (run, behind) = rest
                        .split_at_mut_checked(opcode.run())
                        .ok_or(HllFault::Corrupt)?;
                    rest = behind;
                    for own in run {
                        *own = opcode.value().max(*own);
                    }
                }
                if !rest.is_empty() {
                    return Err(HllFault::Corrupt);
                }
            }
        }
        Ok(())
    }

    /// The estimate for all of them together.
    pub fn count(&self) -> u64 {
        let mut histogram = Histogram::default();
        for &value in self.0.iter() {
            histogram.add(value, 1);
        }
        histogram.estimate().expect("all registers were counted")
    }

    /// Each of them.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = u8> + '_ {
        self.0.iter().copied()
    }
}

/// Where an element falls: its register, and what that has to be at least.
#[derive(Clone, Copy, Debug)]
struct Place {
    index: usize,
    value: u8,
}

fn place(element: &[u8]) -> Place {
    let hash = murmur::hash(element);
    let index = (hash % REGISTERS as u64) as usize;
    // The run of zeros ends behind the last bit of the hash.
    let rest = (hash >> INDEX_BITS) | 1 << RUN_MAX;
    let value = rest.trailing_zeros() as u8 + 1;
    Place { index, value }
}

fn raise_dense(text: &mut [u8], place: Place) -> bool {
    dense::raise(&mut text[HEADER_BYTES..], place)
}

/// How many registers there are.
pub const REGISTERS: usize = 1 << INDEX_BITS;
/// Bits of a hash that choose the register.
const INDEX_BITS: u32 = 14;
/// The longest run of zeros in the rest of a hash.
const RUN_MAX: u32 = u64::BITS - INDEX_BITS;

const MAGIC: &[u8] = b"HYLL";
const ENCODING_AT: usize = 4;
const CACHE_AT: usize = 8;
const HEADER_BYTES: usize = 16;
const DENSE: u8 = 0;
const SPARSE: u8 = 1;
/// The length of a dense one.
const DENSE_BYTES: usize = HEADER_BYTES + REGISTERS / 4 * 3;
/// The flag of a stale estimate.
const STALE: u64 = 1 << 63;

#[cfg(test)]
mod tests;
