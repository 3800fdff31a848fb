//! Bits of strings, counted from the most significant bit of the first byte on. Behind the end of
//! a string all bits are zero.

mod field;

pub use field::{Field, Overflow};

use core::ops::Range;

/// An operation that makes one string of two, bit by bit.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum BitOp {
    /// Set where both are.
    And,
    /// Set where one is.
    Or,
    /// Set where they differ.
    Xor,
}

impl BitOp {
    /// Combines `into` with `text`. The result is as long as the longer one.
    pub fn fold(self, into: &mut Vec<u8>, text: &[u8]) {
        if into.len() < text.len() {
            into.resize(text.len(), 0);
        }
        let (common, behind) = into.split_at_mut(text.len());
        match self {
            Self::And => {
                zip_words(common, text, |one, two| one & two);
                behind.fill(0);
            }
            Self::Or => zip_words(common, text, |one, two| one | two),
            Self::Xor => zip_words(common, text, |one, two| one ^ two),
        }
    }
}

/// Turns every bit over.
pub fn invert(text: &mut [u8]) {
    for byte in text {
        *byte = !*byte;
    }
}

/// The bit at `at`.
pub fn bit(text: &[u8], at: u64) -> bool {
    let byte = usize::try_from(at / 8).ok().and_then(|byte| text.get(byte));
    byte.is_some_and(|byte| byte & mask(at) != 0)
}

/// Sets or clears the bit at `at`, which must lie within the text.
pub fn set_bit(text: &mut [u8], at: u64, on: bool) {
    let byte = &mut text[index(at)];
    if on {
        *byte |= mask(at);
    } else {
        *byte &= !mask(at);
    }
}

/// How many bits are set in a range, which must lie within the text.
pub fn count(text: &[u8], range: Range<u64>) -> u64 {
    if range.is_empty() {
        return 0;
    }
    let bytes = &text[index(range.start)..=index(range.end - 1)];
    let before = bytes[0] & !from_bit(range.start);
    let behind = match range.end % 8 {
        0 => 0,
        rest => bytes[bytes.len() - 1] & from_bit(rest),
    };
    let all: u64 = ones(bytes);
    all - u64::from(before.count_ones()) - u64::from(behind.count_ones())
}

/// The first bit that is `on` in a range, which must lie within the text.
pub fn find(text: &[u8], on: bool, range: Range<u64>) -> Option<u64> {
    if range.is_empty() {
        return None;
    }
    let bytes = &text[index(range.start)..=index(range.end - 1)];
    // Looked for is always a set bit: what is looked through is turned over if need be.
    let flip = if on { 0 } else { u8::MAX };
    let first = (bytes[0] ^ flip) & from_bit(range.start);
    let base = range.start - range.start % 8;
    let found = if first != 0 {
        base + u64::from(first.leading_zeros())
    } else {
        base + 8 + first_set(&bytes[1..], flip)?
    };
    (found < range.end).then_some(found)
}

/// The first set bit of the bytes, each turned over by `flip`.
fn first_set(bytes: &[u8], flip: u8) -> Option<u64> {
    let (words, rest) = bytes.as_chunks::<WORD_BYTES>();
    let all_flip = u64::from_ne_bytes([flip; WORD_BYTES]);
    let mut at = 0;
    for word in words {
        let word = u64::from_be_bytes(*word) ^ all_flip;
        if word != 0 {
            return Some(at + u64::from(word.leading_zeros()));
        }
        at += u64::from(u64::BITS);
    }
    for byte in rest {
        let byte = byte ^ flip;
        if byte != 0 {
            return Some(at + u64::from(byte.leading_zeros()));
        }
        at += 8;
    }
    None
}

fn ones(bytes: &[u8]) -> u64 {
    let (words, rest) = bytes.as_chunks::<WORD_BYTES>();
    let words = words.iter().map(|word| u64::from_ne_bytes(*word));
    let in_words: u64 = words.map(|word| u64::from(word.count_ones())).sum();
    let in_rest: u64 = rest.iter().map(|byte| u64::from(byte.count_ones())).sum();
    in_words + in_rest
}

/// Two texts of the same length, word by word.
fn zip_words(into: &mut [u8], text: &[u8], join: impl Fn(u64, u64) -> u64) {
    let (words, rest) = into.as_chunks_mut::<WORD_BYTES>();
    let (with_words, with_rest) = text.as_chunks::<WORD_BYTES>();
    for (word, with) in words.iter_mut().zip(with_words) {
        let joined = join(u64::from_ne_bytes(*word), u64::from_ne_bytes(*with));
        *word = joined.to_ne_bytes();
    }
    for (byte, &with) in rest.iter_mut().zip(with_rest) {
        let [low, ..] = join(u64::from(*byte), u64::from(with)).to_le_bytes();
        *byte = low;
    }
}

fn index(at: u64) -> usize {
    usize::try_from(at / 8).expect("the bit lies in memory")
}

const fn mask(at: u64) -> u8 {
    0x80 >> (at % 8)
}

/// The bits of a byte from this one on.
const fn from_bit(at: u64) -> u8 {
    0xff >> (at % 8)
}

const WORD_BYTES: usize = size_of::<u64>();

#[cfg(test)]
mod tests;
