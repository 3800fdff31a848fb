//! Sparse registers: runs of zeros, and short runs of equal small values.

use smallvec::SmallVec;

use super::{HEADER_BYTES, HllFault, Place, REGISTERS};

/// A run of equal registers, as it is stored.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Opcode {
    /// Up to 64 zeros, in a byte.
    Zero(usize),
    /// Any number of zeros, in two bytes.
    LongZero(usize),
    /// Up to four registers of a value up to 32, in a byte.
    Value(u8, usize),
}

impl Opcode {
    /// What every register of the run is.
    pub const fn value(self) -> u8 {
        match self {
            Self::Zero(_) | Self::LongZero(_) => 0,
            Self::Value(value, _) => value,
        }
    }

    /// How many registers there are.
    pub const fn run(self) -> usize {
        match self {
            Self::Zero(run) | Self::LongZero(run) | Self::Value(_, run) => run,
        }
    }

    const fn size(self) -> usize {
        match self {
            Self::Zero(_) | Self::Value(..) => 1,
            Self::LongZero(_) => 2,
        }
    }

    /// Reads the first one.
    fn first(bytes: &[u8]) -> Option<Self> {
        let (&first, rest) = bytes.split_first()?;
        Some(if first & VALUE != 0 {
            Self::Value((first >> 2 & 31) + 1, usize::from(first & 3) + 1)
        } else if first & LONG_ZERO != 0 {
            // A damaged string may end in between; Redis reads the zero that follows it in memory.
            let low = rest.first().copied().unwrap_or(0);
            Self::LongZero((usize::from(first & 63) << 8 | usize::from(low)) + 1)
        } else {
            Self::Zero(usize::from(first) + 1)
        })
    }

    /// The shortest run of zeros, if there are any.
    fn zeros(run: usize) -> Option<Self> {
        match run {
            0 => None,
            1..=ZERO_RUN_MAX => Some(Self::Zero(run)),
            _ => Some(Self::LongZero(run)),
        }
    }

    fn write(self, into: &mut impl Extend<u8>) {
        let short = |run: usize| (run - 1) as u8;
        match self {
            Self::Zero(run) => into.extend([short(run)]),
            Self::LongZero(run) => {
                let [high, low] = ((run - 1) as u16).to_be_bytes();
                into.extend([LONG_ZERO | high, low]);
            }
            Self::Value(value, run) => into.extend([VALUE | (value - 1) << 2 | short(run)]),
        }
    }
}

/// The runs of a string, one after the other.
#[derive(Clone, Copy, Debug)]
pub struct Opcodes<'a>(&'a [u8]);

impl<'a> Opcodes<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }
}

impl Iterator for Opcodes<'_> {
    type Item = Opcode;

    fn next(&mut self) -> Option<Opcode> {
        let opcode = Opcode::first(self.0)?;
        self.0 = self.0.get(opcode.size()..).unwrap_or_default();
        Some(opcode)
    }
}

/// What became of a register that was to be raised.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Raise {
    /// It is as high; whether it was lower.
    Done(bool),
    /// The string would become too long, or the value does not fit.
    TooLong,
}

/// Adds registers that are all zero to a header.
pub(super) fn fill(text: &mut Vec<u8>) {
    Opcode::LongZero(REGISTERS).write(text);
}

/// Raises a register in the string whose registers these are.
pub(super) fn raise(text: &mut Vec<u8>, place: Place, bytes_max: u64) -> Result<Raise, HllFault> {
    if place.value > VALUE_MAX {
        return Ok(Raise::TooLong);
    }
    let (mut at, mut before_it, mut first) = (HEADER_BYTES, HEADER_BYTES, 0);
    let old = loop {
        let rest = text.get(at..).unwrap_or_default();
        let opcode = Opcode::first(rest).ok_or(HllFault::Corrupt)?;
        if place.index < first + opcode.run() {
            break opcode;
        }
        before_it = at;
        at += opcode.size();
        first += opcode.run();
    };
    if old.value() >= place.value {
        return Ok(Raise::Done(false));
    }
    let new = split(old, place.index - first, place.value);
    let end = text.len().min(at + old.size());
    let grown = text.len() - (end - at) + new.len();
    if grown > text.len() && grown as u64 > bytes_max {
        return Ok(Raise::TooLong);
    }
    text.splice(at..end, new);
    join(text, before_it);
    Ok(Raise::Done(true))
}

/// A run in which the register at `index` has become another value.
fn split(old: Opcode, index: usize, value: u8) -> SmallVec<[u8; SPLIT_BYTES_MAX]> {
    let behind = old.run() - index - 1;
    let rest = |run: usize| match old {
        Opcode::Zero(_) | Opcode::LongZero(_) => Opcode::zeros(run),
        Opcode::Value(value, _) => (run > 0).then_some(Opcode::Value(value, run)),
    };
    let mut bytes = SmallVec::new();
    let parts = [rest(index), Some(Opcode::Value(value, 1)), rest(behind)];
    for opcode in parts.into_iter().flatten() {
        opcode.write(&mut bytes);
    }
    bytes
}

/// Joins equal values that have become neighbours, from an opcode on. Redis looks at five, and the
/// string must come out the same.
fn join(text: &mut Vec<u8>, mut at: usize) {
    const STEPS: usize = 5;
    for _ in 0..STEPS {
        let Some(opcode) = text.get(at..).and_then(Opcode::first) else {
            return;
        };
        let next = text.get(at + 1..).and_then(Opcode::first);
        if let (Opcode::Value(value, run), Some(Opcode::Value(same, more))) = (opcode, next)
            && value == same
            && run + more <= VALUE_RUN_MAX
        {
            let mut joined = SmallVec::<[u8; 1]>::new();
            Opcode::Value(value, run + more).write(&mut joined);
            text.splice(at..at + 2, joined);
        } else {
            at += opcode.size();
        }
    }
}

/// The mark of a value's byte.
const VALUE: u8 = 0x80;
/// The mark of the first byte of many zeros.
const LONG_ZERO: u8 = 0x40;
const ZERO_RUN_MAX: usize = 64;
const VALUE_RUN_MAX: usize = 4;
/// The highest value a byte has room for.
const VALUE_MAX: u8 = 32;
/// Two long runs of zeros around a value.
const SPLIT_BYTES_MAX: usize = 5;
