//! Commands out of bytes, over any split of them.

use core::fmt;

use bytes::Bytes;

use super::inline::split_into;
use super::{Argv, parse_int};
use crate::limits;

/// Who sends the commands.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Sender {
    /// A client: empty commands are skipped.
    #[default]
    Client,
    /// A replica: as a client, but an empty line is a sign of life, and so an empty command.
    Replica,
    /// Our master: its arguments may be of any length, its empty commands count in the offset,
    /// and an inline command means that the stream is broken.
    Master,
}

/// What a sender may ask of the parser.
#[derive(Clone, Copy, Debug)]
pub struct ParseLimits {
    /// The longest argument: `proto-max-bulk-len`.
    pub bulk_max: i64,
    /// Whether the sender has authenticated, or need not.
    pub authenticated: bool,
    /// Who it is.
    pub from: Sender,
}

/// A sender that does not keep to the protocol. Its connection has to be closed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum ProtocolError {
    /// The number of arguments is not a number or too great.
    MultibulkLength,
    /// More arguments than a client may send before it has authenticated.
    UnauthenticatedMultibulkLength,
    /// The line with the number of arguments does not end.
    MultibulkLineTooLong,
    /// The length of an argument is not a number, negative or too great.
    BulkLength,
    /// A longer argument than a client may send before it has authenticated.
    UnauthenticatedBulkLength,
    /// The line with the length of an argument does not end.
    BulkLineTooLong,
    /// Something else in the place of an argument's length.
    ExpectedBulk {
        /// What stands there instead of `$`.
        got: u8,
    },
    /// An inline command does not end.
    InlineTooLong,
    /// The quotes of an inline command do not match.
    UnbalancedQuotes,
    /// Our master sent an inline command.
    InlineFromMaster,
}

impl ProtocolError {
    /// The text after `-ERR ` that Redis answers with. May hold any byte of the peer's.
    pub fn reply(self) -> Vec<u8> {
        let mut text = self.to_string().into_bytes();
        if let Self::ExpectedBulk { got } = self {
            text = b"Protocol error: expected '$', got '".to_vec();
            text.extend_from_slice(&[got, b'\'']);
        }
        text
    }
}

impl fmt::Display for ProtocolError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = match self {
            Self::MultibulkLength => "Protocol error: invalid multibulk length",
            Self::UnauthenticatedMultibulkLength => {
                "Protocol error: unauthenticated multibulk length"
            }
            Self::MultibulkLineTooLong => "Protocol error: too big mbulk count string",
            Self::BulkLength => "Protocol error: invalid bulk length",
            Self::UnauthenticatedBulkLength => "Protocol error: unauthenticated bulk length",
            Self::BulkLineTooLong => "Protocol error: too big bulk count string",
            Self::ExpectedBulk { got } => {
                let got = char::from(*got);
                return write!(f, "Protocol error: expected '$', got '{got}'");
            }
            Self::InlineTooLong => "Protocol error: too big inline request",
            Self::UnbalancedQuotes => "Protocol error: unbalanced quotes in request",
            Self::InlineFromMaster => "Protocol error: Master using the inline protocol. Desync?",
        };
        f.write_str(text)
    }
}

impl core::error::Error for ProtocolError {}

/// What a look at the bytes came to.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Parsed {
    /// A command takes the first `len` bytes.
    Command {
        /// Not counting arguments in buffers of their own.
        len: usize,
    },
    /// The first `len` bytes say nothing: an empty line or an array of nothing.
    Nothing {
        /// At least 1.
        len: usize,
    },
    /// A command is not complete yet. All bytes stay.
    Incomplete,
    /// A command is not complete, and the bytes from `keep` on went into a big argument's own
    /// buffer, as all bytes up to its end have to.
    Diverted {
        /// How many bytes stay.
        keep: usize,
    },
}

/// Finds commands in bytes that may arrive in any portions, looking at every byte once.
#[derive(Debug, Default)]
pub struct Parser {
    state: State,
    /// Bytes of the command that are parsed.
    at: usize,
    /// Bytes of the command that hold no end of the line begun at `at`.
    scanned: usize,
    partial: Option<Box<Partial>>,
}

#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
enum State {
    /// Before a command or in its first line.
    #[default]
    Start,
    /// At the line with an argument's length.
    Length { missing: u32 },
    /// At an argument that counts as missing.
    Bulk { missing: u32, len: usize },
    /// In an argument that has a buffer of its own and counts as missing.
    Big { missing: u32 },
}

/// What is there of a command that came in parts.
#[derive(Debug, Default)]
struct Partial {
    argv: Argv,
    big: BigBulk,
}

/// A big argument on its way, with its line end.
#[derive(Debug, Default)]
struct BigBulk {
    /// Initialised as far as bytes may be read into it.
    bytes: Vec<u8>,
    filled: usize,
    len: usize,
}

impl Parser {
    /// Looks for a command at the start of `bytes`, which must begin with those left by the last
    /// call, and puts its arguments into `argv`.
    pub fn parse(
        &mut self,
        bytes: &[u8],
        argv: &mut Argv,
        limits: &ParseLimits,
    ) -> Result<Parsed, ProtocolError> {
        match &mut self.partial {
            Some(partial) => core::mem::swap(argv, &mut partial.argv),
            None => argv.clear(),
        }
        if self.is_idle() && limits.authenticated {
            if let Some(len) = whole(bytes, argv, limits) {
                return Ok(Parsed::Command { len });
            }
            argv.clear();
        }
        let parsed = match self.advance(bytes, argv, limits) {
            Ok(parsed) => parsed,
            Err(error) => {
                self.reset();
                return Err(error);
            }
        };
        match parsed {
            Parsed::Command { .. } | Parsed::Nothing { .. } => self.reset(),
            Parsed::Incomplete | Parsed::Diverted { .. } => {
                if !argv.is_empty() || self.partial.is_some() {
                    let partial = self.partial.get_or_insert_default();
                    core::mem::swap(argv, &mut partial.argv);
                    argv.clear();
                }
            }
        }
        Ok(parsed)
    }

    /// Room for the big argument on its way, if there is one; never empty.
    pub fn big_space(&mut self) -> Option<&mut [u8]> {
        let big = self.big_mut().filter(|big| big.filled < big.len)?;
        if big.filled == big.bytes.len() {
            let grown = big
                .filled
                .saturating_mul(2)
                .max(limits::BIG_BULK_TRUST_BYTES);
            big.bytes.resize(grown.min(big.len), 0);
        }
        Some(&mut big.bytes[big.filled..])
    }

    /// Gives back the room that is left for the big argument on its way.
    pub fn shrink(&mut self) {
        if let Some(big) = self.big_mut() {
            big.bytes.truncate(big.filled);
            big.bytes.shrink_to_fit();
        }
    }

    /// Takes the first bytes of the room lent by [`big_space`](Self::big_space).
    pub fn big_filled(&mut self, filled: usize) {
        let big = self
            .big_mut()
            .expect("room was lent only for a big argument");
        assert!(
            filled <= big.bytes.len() - big.filled,
            "more bytes than there was room for"
        );
        big.filled += filled;
    }

    /// Whether the next byte starts a command.
    pub fn is_idle(&self) -> bool {
        self.state == State::Start && self.scanned == 0
    }

    /// Forgets a command that is not complete.
    pub fn reset(&mut self) {
        self.state = State::Start;
        self.at = 0;
        self.scanned = 0;
        self.partial = None;
    }

    /// Bytes received of big arguments of the command that is not complete.
    pub fn big_len(&self) -> usize {
        let whole = self
            .partial
            .as_deref()
            .map_or(0, |partial| partial.argv.big_bytes());
        whole + self.big().map_or(0, |big| big.filled)
    }

    /// Memory held beyond the struct itself.
    pub fn memory(&self) -> usize {
        self.partial.as_deref().map_or(0, |partial| {
            size_of::<Partial>() + partial.argv.memory() + partial.big.bytes.capacity()
        })
    }

    fn advance(
        &mut self,
        bytes: &[u8],
        argv: &mut Argv,
        limits: &ParseLimits,
    ) -> Result<Parsed, ProtocolError> {
        let (mut missing, mut len) = match self.state {
            State::Start => match bytes.first() {
                None => return Ok(Parsed::Incomplete),
                Some(b'*') => match self.count(bytes, limits)? {
                    None => return Ok(Parsed::Incomplete),
                    Some(0) => return Ok(Parsed::Nothing { len: self.at }),
                    Some(count) => (count, None),
                },
                Some(_) => return self.inline(bytes, argv, limits),
            },
            State::Length { missing } => (missing, None),
            State::Bulk { missing, len } => (missing, Some(len)),
            State::Big { missing } => {
                let Some((big, end)) = self.finished_big() else {
                    return Ok(Parsed::Incomplete);
                };
                argv.push_big(self.at, big, end);
                (missing - 1, None)
            }
        };
        while missing > 0 {
            let bulk_len = match len.take() {
                Some(len) => len,
                None => match self.length(bytes, limits)? {
                    Some(len) => len,
                    None => {
                        self.state = State::Length { missing };
                        return Ok(Parsed::Incomplete);
                    }
                },
            };
            // The two bytes after an argument are not looked at, as in Redis.
            if bytes.len() - self.at < bulk_len + 2 {
                return Ok(self.wait_for_bulk(bytes, missing, bulk_len));
            }
            argv.push(self.at, bulk_len);
            self.take(bulk_len + 2);
            missing -= 1;
        }
        Ok(Parsed::Command { len: self.at })
    }

    fn wait_for_bulk(&mut self, bytes: &[u8], missing: u32, len: usize) -> Parsed {
        if len < limits::BIG_BULK_BYTES {
            self.state = State::Bulk { missing, len };
            return Parsed::Incomplete;
        }
        let arrived = &bytes[self.at..];
        let len = len + 2;
        let mut buffer = vec![0; len.min(limits::BIG_BULK_TRUST_BYTES.max(arrived.len()))];
        buffer[..arrived.len()].copy_from_slice(arrived);
        let partial = self.partial.get_or_insert_default();
        partial.big = BigBulk {
            bytes: buffer,
            filled: arrived.len(),
            len,
        };
        self.state = State::Big { missing };
        Parsed::Diverted { keep: self.at }
    }

    /// The big argument on its way, if it is all there, and the two bytes after it.
    fn finished_big(&mut self) -> Option<(Bytes, [u8; 2])> {
        let big = self.big_mut().filter(|big| big.filled == big.len)?;
        let mut bytes = core::mem::take(big).bytes;
        let end = *bytes.last_chunk().expect("its line end came with it");
        bytes.truncate(bytes.len() - end.len());
        Some((bytes.into(), end))
    }

    fn big(&self) -> Option<&BigBulk> {
        let receiving = matches!(self.state, State::Big { .. });
        self.partial
            .as_deref()
            .map(|partial| &partial.big)
            .filter(|_| receiving)
    }

    fn big_mut(&mut self) -> Option<&mut BigBulk> {
        let receiving = matches!(self.state, State::Big { .. });
        self.partial
            .as_deref_mut()
            .map(|partial| &mut partial.big)
            .filter(|_| receiving)
    }

    /// The number of arguments; 0 if there are to be none.
    fn count(&mut self, bytes: &[u8], limits: &ParseLimits) -> Result<Option<u32>, ProtocolError> {
        let Some(line) = self.line(bytes, ProtocolError::MultibulkLineTooLong)? else {
            return Ok(None);
        };
        let count = line.number.filter(|&count| count <= limits::MULTIBULK_MAX);
        let count = count.ok_or(ProtocolError::MultibulkLength)?;
        if !limits.authenticated && count > limits::MULTIBULK_UNAUTHENTICATED_MAX {
            return Err(ProtocolError::UnauthenticatedMultibulkLength);
        }
        Ok(Some(u32::try_from(count).unwrap_or(0)))
    }

    /// The length of the next argument.
    fn length(
        &mut self,
        bytes: &[u8],
        limits: &ParseLimits,
    ) -> Result<Option<usize>, ProtocolError> {
        let Some(line) = self.line(bytes, ProtocolError::BulkLineTooLong)? else {
            return Ok(None);
        };
        if line.kind != b'$' {
            return Err(ProtocolError::ExpectedBulk { got: line.kind });
        }
        let number = line.number.ok_or(ProtocolError::BulkLength)?;
        let len = usize::try_from(number).map_err(|_| ProtocolError::BulkLength)?;
        if limits.from != Sender::Master && number > limits.bulk_max || len > LEN_MAX {
            return Err(ProtocolError::BulkLength);
        }
        if !limits.authenticated && number > limits::BULK_UNAUTHENTICATED_MAX {
            return Err(ProtocolError::UnauthenticatedBulkLength);
        }
        Ok(Some(len))
    }

    /// Takes the line at `at`: a type byte and a number, ended by `\r` and any byte, as in Redis.
    fn line(
        &mut self,
        bytes: &[u8],
        too_long: ProtocolError,
    ) -> Result<Option<Line>, ProtocolError> {
        let rest = &bytes[self.at..];
        if let Some((kind, number, len)) = short_line(rest) {
            self.take(len);
            return Ok(Some(Line {
                kind,
                number: Some(number as i64),
            }));
        }
        let from = self.scanned - self.at;
        let Some(end) = memchr::memchr(b'\r', &rest[from..]).map(|found| from + found) else {
            self.scanned = bytes.len();
            return if rest.len() > limits::INLINE_BYTES_MAX {
                Err(too_long)
            } else {
                Ok(None)
            };
        };
        self.scanned = self.at + end;
        if end > limits::INLINE_BYTES_MAX {
            return Err(too_long);
        }
        if rest.len() < end + 2 {
            return Ok(None);
        }
        self.take(end + 2);
        // A line that begins with its end has the end for its type, and no number.
        let number = rest.get(1..end).and_then(parse_int);
        Ok(Some(Line {
            kind: rest[0],
            number,
        }))
    }

    fn take(&mut self, len: usize) {
        self.at += len;
        self.scanned = self.at;
    }

    fn inline(
        &mut self,
        bytes: &[u8],
        argv: &mut Argv,
        limits: &ParseLimits,
    ) -> Result<Parsed, ProtocolError> {
        let found = memchr::memchr(b'\n', &bytes[self.scanned..]);
        let end = found.map_or(bytes.len(), |found| self.scanned + found);
        self.scanned = end;
        if end > limits::INLINE_BYTES_MAX {
            return Err(ProtocolError::InlineTooLong);
        }
        if found.is_none() {
            return Ok(Parsed::Incomplete);
        }
        let line = bytes[..end].strip_suffix(b"\r").unwrap_or(&bytes[..end]);
        split_into(line, argv).map_err(|_| ProtocolError::UnbalancedQuotes)?;
        if limits.from == Sender::Master && !line.is_empty() {
            return Err(ProtocolError::InlineFromMaster);
        }
        let len = end + 1;
        Ok(if argv.is_empty() {
            Parsed::Nothing { len }
        } else {
            Parsed::Command { len }
        })
    }
}

/// A line with a number.
struct Line {
    kind: u8,
    number: Option<i64>,
}

/// So that a length and its line end always fit a `usize`, far above any `proto-max-bulk-len`.
const LEN_MAX: usize = usize::MAX >> 2;

/// Takes a command that is there from its first byte to its last and has short lines only, as
/// nearly all do, and returns its length. Of any other it may have taken some arguments.
#[inline]
fn whole(bytes: &[u8], argv: &mut Argv, limits: &ParseLimits) -> Option<usize> {
    let (b'*', count @ 1.., mut at) = short_line(bytes)? else {
        return None;
    };
    for _ in 0..count {
        let (b'$', len, line) = short_line(bytes.get(at..)?)? else {
            return None;
        };
        let start = at + line;
        at = start + len + 2;
        let refused = len as i64 > limits.bulk_max && limits.from != Sender::Master;
        if refused || at > bytes.len() {
            return None;
        }
        argv.push(start, len);
    }
    Some(at)
}

/// Reads a line with a number of up to four digits and returns its type byte, the number and its
/// length. Anything unusual is left to the general way.
#[inline]
fn short_line(bytes: &[u8]) -> Option<(u8, usize, usize)> {
    let digit = |byte: u8| usize::from(byte.wrapping_sub(b'0'));
    let (kind, number, len) = match *bytes {
        [kind, a, b'\r', _, ..] => (kind, [0, 0, 0, digit(a)], 4),
        [kind, a, b, b'\r', _, ..] => (kind, [0, 0, digit(a), digit(b)], 5),
        [kind, a, b, c, b'\r', _, ..] => (kind, [0, digit(a), digit(b), digit(c)], 6),
        [kind, a, b, c, d, b'\r', _, ..] => (kind, [a, b, c, d].map(digit), 7),
        _ => return None,
    };
    // A first digit of 0 is only right on its own.
    if number.iter().any(|&digit| digit > 9) || len > 4 && number[7 - len] == 0 {
        return None;
    }
    let [a, b, c, d] = number;
    Some((kind, a * 1000 + b * 100 + c * 10 + d, len))
}

#[cfg(test)]
mod tests;
