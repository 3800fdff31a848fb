//! Lengths of few bytes: seven bits per byte, the lowest first; the top bit says that more follow.

/// Bytes of the longest, of 64 bits.
pub(crate) const VARINT_MAX: usize = 10;

/// A length written, and how many bytes it takes.
#[inline]
pub(crate) fn encode(len: usize) -> ([u8; VARINT_MAX], usize) {
    let mut bytes = [0; VARINT_MAX];
    let (mut rest, mut width) = (len, 0);
    while rest >= 0x80 {
        bytes[width] = (rest & 0x7f) as u8 | 0x80;
        rest >>= 7;
        width += 1;
    }
    bytes[width] = rest as u8;
    (bytes, width + 1)
}

/// How many bytes a length takes.
#[inline]
pub(crate) const fn width(len: usize) -> usize {
    let mut width = 1;
    let mut rest = len >> 7;
    while rest > 0 {
        rest >>= 7;
        width += 1;
    }
    width
}

/// The length at the start of `bytes`, which this module wrote, and how many bytes it takes.
#[inline]
pub(crate) fn decode(bytes: &[u8]) -> (usize, usize) {
    let first = bytes[0];
    if first < 0x80 {
        return (usize::from(first), 1);
    }
    decode_long(bytes.iter())
}

/// As [`decode`], of bytes that come in any direction.
pub(crate) fn decode_long<'a>(bytes: impl Iterator<Item = &'a u8>) -> (usize, usize) {
    let mut len = 0;
    for (at, &byte) in bytes.enumerate() {
        len |= usize::from(byte & 0x7f) << (7 * at);
        if byte & 0x80 == 0 {
            return (len, at + 1);
        }
    }
    unreachable!("a length is written by this module alone, and it ends")
}
