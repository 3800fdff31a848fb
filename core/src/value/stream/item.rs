//! How a field name or a value lies in a node.
//!
//! The first byte says what follows: below 0x80 it is a number itself; from 0x80 on the length of
//! a short text; from 0xe0 on the bytes of a number less one; from 0xe8 on the upper bits of a
//! length of two bytes; from 0xf0 on the bytes of a length. Texts of numbers are kept as numbers.

use crate::value::parse_int;

/// A field name or a value.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Item<'a> {
    /// A text.
    Text(&'a [u8]),
    /// A number, which stands for its decimal text.
    Int(i64),
}

impl Item<'_> {
    /// Calls `with` with its text.
    #[inline]
    pub fn with_bytes<R>(self, with: impl FnOnce(&[u8]) -> R) -> R {
        match self {
            Self::Text(text) => with(text),
            Self::Int(number) => with(itoa::Buffer::new().format(number).as_bytes()),
        }
    }
}

/// Adds an item and returns how many bytes it takes as an entry of a Redis listpack.
#[inline]
pub(super) fn push(bytes: &mut Vec<u8>, text: &[u8]) -> usize {
    // No text longer than that of the smallest number is one.
    let number = if text.len() <= INT_TEXT_MAX {
        parse_int(text)
    } else {
        None
    };
    match number {
        Some(number) => {
            push_int(bytes, number);
            int_size(number)
        }
        None => {
            push_text(bytes, text);
            text_size(text.len())
        }
    }
}

fn push_int(bytes: &mut Vec<u8>, number: i64) {
    if (0..0x80).contains(&number) {
        return bytes.push(number as u8);
    }
    let unused = if number < 0 {
        number.leading_ones()
    } else {
        number.leading_zeros()
    };
    // One bit of the number is its sign.
    let width = (64 - unused as usize) / 8 + 1;
    bytes.push(INT + (width - 1) as u8);
    bytes.extend_from_slice(&number.to_le_bytes()[..width]);
}

#[inline]
fn push_text(bytes: &mut Vec<u8>, text: &[u8]) {
    let len = text.len();
    if len < SHORT_END {
        bytes.push(SHORT + len as u8);
    } else if len < SHORT_END + MEDIUM_COUNT {
        let rest = len - SHORT_END;
        bytes.extend_from_slice(&[MEDIUM | (rest >> 8) as u8, rest as u8]);
    } else {
        let width = 8 - (len as u64).leading_zeros() as usize / 8;
        bytes.push(LONG + (width - 1) as u8);
        bytes.extend_from_slice(&(len as u64).to_le_bytes()[..width]);
    }
    bytes.extend_from_slice(text);
}

/// The item that begins at `at`, and where the next one does.
#[inline]
pub(super) fn read(bytes: &[u8], at: usize) -> (Item<'_>, usize) {
    let first = bytes[at];
    if first < SHORT {
        return (Item::Int(i64::from(first)), at + 1);
    }
    if !(INT..MEDIUM).contains(&first) {
        let (from, to) = text_span(bytes, at);
        return (Item::Text(&bytes[from..to]), to);
    }
    let width = usize::from(first - INT) + 1;
    let end = at + 1 + width;
    let mut wide = [0; 8];
    wide[8 - width..].copy_from_slice(&bytes[at + 1..end]);
    (
        Item::Int(i64::from_le_bytes(wide) >> (8 * (8 - width))),
        end,
    )
}

/// Where the item behind the one at `at` begins.
#[inline]
pub(super) fn skip(bytes: &[u8], at: usize) -> usize {
    match bytes[at] {
        0..SHORT => at + 1,
        first @ INT..MEDIUM => at + 2 + usize::from(first - INT),
        SHORT..INT | MEDIUM.. => text_span(bytes, at).1,
    }
}

#[inline]
fn text_span(bytes: &[u8], at: usize) -> (usize, usize) {
    let first = bytes[at];
    if first < INT {
        let from = at + 1;
        return (from, from + usize::from(first - SHORT));
    }
    if first < LONG {
        let from = at + 2;
        let rest = usize::from(first & 7) << 8 | usize::from(bytes[at + 1]);
        return (from, from + SHORT_END + rest);
    }
    let width = usize::from(first - LONG) + 1;
    let from = at + 1 + width;
    let mut wide = [0; 8];
    wide[..width].copy_from_slice(&bytes[at + 1..from]);
    (from, from + u64::from_le_bytes(wide) as usize)
}

/// Bytes of a number as an entry of a Redis listpack.
#[inline]
pub(super) const fn int_size(number: i64) -> usize {
    match number {
        0..=127 => 2,
        -4096..=4095 => 3,
        -0x8000..=0x7fff => 4,
        -0x80_0000..=0x7f_ffff => 5,
        -0x8000_0000..=0x7fff_ffff => 6,
        _ => 10,
    }
}

/// Bytes of a text as an entry of a Redis listpack.
#[inline]
fn text_size(len: usize) -> usize {
    let body = match len {
        0..64 => 1 + len,
        64..4096 => 2 + len,
        _ => 5 + len,
    };
    body + match body {
        0..128 => 1,
        128..16_383 => 2,
        16_383..2_097_151 => 3,
        2_097_151..268_435_455 => 4,
        _ => 5,
    }
}

/// `-9223372036854775808`
const INT_TEXT_MAX: usize = 20;
const SHORT: u8 = 0x80;
const INT: u8 = 0xe0;
const MEDIUM: u8 = 0xe8;
const LONG: u8 = 0xf0;
const SHORT_END: usize = (INT - SHORT) as usize;
const MEDIUM_COUNT: usize = 1 << 11;
