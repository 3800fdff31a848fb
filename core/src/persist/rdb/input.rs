//! Bytes that arrive in pieces, read as the primitives of the RDB format.

use core::ops::Range;

use crate::limits::RDB_STRING_BYTES_MAX;
use crate::persist::crc::Crc64;
use crate::persist::listpack::sign_extended;
use crate::persist::lzf;
use crate::persist::rdb::fault::RdbFault;
use crate::persist::rdb::kind::{
    LEN_32_BITS, LEN_64_BITS, STR_INT8, STR_INT16, STR_INT32, STR_LZF,
};

/// A string as it was stored.
#[derive(Debug, Eq, PartialEq)]
pub(super) enum Text {
    /// Bytes that lie in the input until more is fed.
    Span(Range<usize>),
    /// Bytes that had to be put together.
    Owned(Vec<u8>),
    /// A number, which stands for its decimal text.
    Int(i64),
}

/// A length, or the special encoding of a string.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Prefix {
    Len(u64),
    Int { bytes: usize },
    Lzf,
}

/// A string of which the beginning was taken in.
#[derive(Debug)]
struct Partial {
    got: Vec<u8>,
    len: usize,
    /// The length after decompression, if it is compressed.
    plain_len: Option<usize>,
}

/// The unread bytes, the place they are at, and the checksum of those read.
#[derive(Debug)]
pub(super) struct Input {
    buf: Vec<u8>,
    at: usize,
    /// The offset of `buf[0]` in all bytes ever fed.
    base: u64,
    partial: Option<Partial>,
    text_offset: u64,
    /// Covers what lies before `buf[summed]`; absent if nobody asks for it.
    crc: Option<Crc64>,
    summed: usize,
}

impl Input {
    pub(super) fn new(checksum: bool) -> Self {
        Self {
            buf: Vec::new(),
            at: 0,
            base: 0,
            partial: None,
            text_offset: 0,
            crc: checksum.then(Crc64::new),
            summed: 0,
        }
    }

    /// Takes the next bytes. What was lent as a span before is gone.
    pub(super) fn feed(&mut self, bytes: &[u8]) {
        self.sum();
        self.buf.drain(..self.at);
        self.base += u64::try_from(self.at).expect("a length fits 64 bits");
        self.at = 0;
        self.summed = 0;
        self.buf.extend_from_slice(bytes);
    }

    pub(super) fn offset(&self) -> u64 {
        self.base + u64::try_from(self.at).expect("a length fits 64 bits")
    }

    /// Where the string begins that was read last, or is being read.
    pub(super) fn text_offset(&self) -> u64 {
        self.text_offset
    }

    pub(super) fn rest(&self) -> &[u8] {
        &self.buf[self.at..]
    }

    pub(super) fn bytes(&self, span: &Range<usize>) -> &[u8] {
        &self.buf[span.clone()]
    }

    fn sum(&mut self) {
        if let Some(crc) = &mut self.crc {
            crc.update(&self.buf[self.summed..self.at]);
        }
        self.summed = self.at;
    }

    /// The checksum of everything read so far, if it is kept.
    pub(super) fn checksum(&mut self) -> Option<u64> {
        self.sum();
        self.crc.as_ref().map(Crc64::value)
    }

    /// Reads exactly `N` bytes once they are there.
    pub(super) fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let bytes = *self.rest().first_chunk::<N>()?;
        self.at += N;
        Some(bytes)
    }

    /// Reads a byte that says how many bytes of text follow, and those, once all are there.
    pub(super) fn short_text(&mut self) -> Option<&[u8]> {
        let len = usize::from(*self.rest().first()?);
        if self.rest().len() <= len {
            return None;
        }
        self.at += 1 + len;
        Some(&self.buf[self.at - len..self.at])
    }

    /// Reads a length.
    pub(super) fn len(&mut self) -> Result<Option<u64>, RdbFault> {
        match self.prefix(0)? {
            None => Ok(None),
            Some((Prefix::Len(len), taken)) => {
                self.at += taken;
                Ok(Some(len))
            }
            Some((Prefix::Int { .. } | Prefix::Lzf, _)) => Err(RdbFault::Corrupt {
                what: "a length is expected, but there is a string encoding",
                offset: self.offset(),
            }),
        }
    }

    /// Reads `N` lengths in a row, all or none.
    pub(super) fn lens<const N: usize>(&mut self) -> Result<Option<[u64; N]>, RdbFault> {
        let from = self.at;
        let mut lens = [0; N];
        for len in &mut lens {
            let Some(read) = self.len()? else {
                self.at = from;
                return Ok(None);
            };
            *len = read;
        }
        Ok(Some(lens))
    }

    /// The prefix `skip` bytes ahead, and how many bytes it has.
    fn prefix(&self, skip: usize) -> Result<Option<(Prefix, usize)>, RdbFault> {
        let Some(rest) = self.rest().get(skip..) else {
            return Ok(None);
        };
        let Some(&first) = rest.first() else {
            return Ok(None);
        };
        let wide = |bytes: Option<[u8; 8]>, taken| {
            Ok(bytes.map(|bytes| (Prefix::Len(u64::from_be_bytes(bytes)), taken)))
        };
        match first {
            0..=0x3f => Ok(Some((Prefix::Len(u64::from(first)), 1))),
            0x40..=0x7f => Ok(rest.get(1).map(|&low| {
                (
                    Prefix::Len(u64::from(u16::from_be_bytes([first & 0x3f, low]))),
                    2,
                )
            })),
            LEN_32_BITS => wide(
                rest[1..]
                    .first_chunk()
                    .map(|&[a, b, c, d]| [0, 0, 0, 0, a, b, c, d]),
                5,
            ),
            LEN_64_BITS => wide(rest[1..].first_chunk().copied(), 9),
            STR_INT8 => Ok(Some((Prefix::Int { bytes: 1 }, 1))),
            STR_INT16 => Ok(Some((Prefix::Int { bytes: 2 }, 1))),
            STR_INT32 => Ok(Some((Prefix::Int { bytes: 4 }, 1))),
            STR_LZF => Ok(Some((Prefix::Lzf, 1))),
            0x82..=0xbf | 0xc4..=0xff => Err(RdbFault::Corrupt {
                what: "unknown length encoding",
                offset: self.offset(),
            }),
        }
    }

    /// Reads a string. What is there of a long one is taken in at once, so that the input holds
    /// no more than the next piece.
    pub(super) fn text(&mut self) -> Result<Option<Text>, RdbFault> {
        if self.partial.is_none() {
            match self.text_start()? {
                Start::Wait => return Ok(None),
                Start::Whole(text) => return Ok(Some(text)),
                Start::Begun(partial) => self.partial = Some(partial),
            }
        }
        let Some(partial) = &mut self.partial else {
            return Ok(None);
        };
        let wanted = partial.len - partial.got.len();
        let piece = &self.buf[self.at..];
        let piece = &piece[..piece.len().min(wanted)];
        // Not more than is still to come: the string may stay this allocation for long.
        if partial.got.capacity() - partial.got.len() < piece.len() {
            partial
                .got
                .reserve_exact(wanted.min(partial.got.len().max(piece.len())));
        }
        partial.got.extend_from_slice(piece);
        self.at += piece.len();
        match self
            .partial
            .take_if(|partial| partial.got.len() == partial.len)
        {
            None => Ok(None),
            Some(Partial {
                got,
                plain_len: None,
                ..
            }) => Ok(Some(Text::Owned(got))),
            Some(Partial {
                got,
                plain_len: Some(len),
                ..
            }) => inflate(&got, len, self.text_offset).map(Some),
        }
    }

    fn text_start(&mut self) -> Result<Start, RdbFault> {
        let offset = self.offset();
        self.text_offset = offset;
        let Some((prefix, taken)) = self.prefix(0)? else {
            return Ok(Start::Wait);
        };
        match prefix {
            Prefix::Int { bytes } => {
                let Some(number) = self.rest().get(taken..taken + bytes) else {
                    return Ok(Start::Wait);
                };
                let number = sign_extended(number);
                self.at += taken + bytes;
                Ok(Start::Whole(Text::Int(number)))
            }
            Prefix::Len(len) => {
                let len = string_len(len, offset)?;
                self.at += taken;
                if self.rest().len() < len {
                    let partial = Partial {
                        got: Vec::new(),
                        len,
                        plain_len: None,
                    };
                    return Ok(Start::Begun(partial));
                }
                let from = self.at;
                self.at += len;
                Ok(Start::Whole(Text::Span(from..self.at)))
            }
            Prefix::Lzf => self.lzf_start(taken, offset),
        }
    }

    fn lzf_start(&mut self, mut taken: usize, offset: u64) -> Result<Start, RdbFault> {
        let mut lens = [0; 2];
        for len in &mut lens {
            match self.prefix(taken)? {
                None => return Ok(Start::Wait),
                Some((Prefix::Len(announced), more)) => {
                    *len = string_len(announced, offset)?;
                    taken += more;
                }
                Some((Prefix::Int { .. } | Prefix::Lzf, _)) => {
                    let what = "compressed string without a length";
                    return Err(RdbFault::Corrupt { what, offset });
                }
            }
        }
        let [len, plain_len] = lens;
        self.at += taken;
        let Some(block) = self.rest().get(..len) else {
            let plain_len = Some(plain_len);
            return Ok(Start::Begun(Partial {
                got: Vec::new(),
                len,
                plain_len,
            }));
        };
        let text = inflate(block, plain_len, offset)?;
        self.at += len;
        Ok(Start::Whole(text))
    }
}

enum Start {
    Wait,
    Whole(Text),
    Begun(Partial),
}

fn string_len(len: u64, offset: u64) -> Result<usize, RdbFault> {
    let fits = usize::try_from(len)
        .ok()
        .filter(|_| len <= RDB_STRING_BYTES_MAX);
    let len_max = RDB_STRING_BYTES_MAX;
    fits.ok_or(RdbFault::TooLong {
        what: "String",
        len,
        len_max,
        offset,
    })
}

fn inflate(block: &[u8], len: usize, offset: u64) -> Result<Text, RdbFault> {
    let mut plain = Vec::new();
    match lzf::decompress(block, len, &mut plain) {
        Ok(()) => Ok(Text::Owned(plain)),
        Err(fault) => Err(RdbFault::Corrupt {
            what: fault.phrase(),
            offset,
        }),
    }
}
