//! Replies of other servers, as values.

use core::fmt;

use super::parse_int;
use crate::limits;

/// A reply from another server, RESP2 or RESP3. Attributes are left out.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// A status.
    Simple(Vec<u8>),
    /// An error, without the `-`; also a bulk error.
    Error(Vec<u8>),
    /// An integer.
    Int(i64),
    /// A bulk string.
    Bulk(Vec<u8>),
    /// No value: a null, a null bulk or a null array.
    Null,
    /// An array.
    Array(Vec<Self>),
    /// A map, in the order it came in.
    Map(Vec<(Self, Self)>),
    /// A set.
    Set(Vec<Self>),
    /// Out-of-band data.
    Push(Vec<Self>),
    /// A double.
    Double(f64),
    /// A boolean.
    Bool(bool),
    /// The digits of an integer of any size.
    BigNumber(Vec<u8>),
    /// A text with its format.
    Verbatim([u8; 3], Vec<u8>),
}

impl Value {
    /// The text of a status, bulk string or verbatim text.
    pub fn as_text(&self) -> Option<&[u8]> {
        match self {
            Self::Simple(text) | Self::Bulk(text) | Self::Verbatim(_, text) => Some(text),
            Self::Error(_)
            | Self::Int(_)
            | Self::Null
            | Self::Array(_)
            | Self::Map(_)
            | Self::Set(_)
            | Self::Push(_)
            | Self::Double(_)
            | Self::Bool(_)
            | Self::BigNumber(_) => None,
        }
    }

    /// The elements of an array, set or push.
    pub fn as_array(&self) -> Option<&[Self]> {
        match self {
            Self::Array(items) | Self::Set(items) | Self::Push(items) => Some(items),
            Self::Simple(_)
            | Self::Error(_)
            | Self::Int(_)
            | Self::Bulk(_)
            | Self::Null
            | Self::Map(_)
            | Self::Double(_)
            | Self::Bool(_)
            | Self::BigNumber(_)
            | Self::Verbatim(..) => None,
        }
    }

    /// The integer.
    pub const fn as_int(&self) -> Option<i64> {
        if let Self::Int(value) = self {
            Some(*value)
        } else {
            None
        }
    }

    /// The text of an error.
    pub fn as_error(&self) -> Option<&[u8]> {
        if let Self::Error(text) = self {
            Some(text)
        } else {
            None
        }
    }
}

/// A reply that breaks the protocol or a bound. The link has to be closed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum ReplyFault {
    /// No reply starts with this byte.
    Type {
        /// The byte.
        got: u8,
    },
    /// A line or a string does not end where it should.
    LineEnd,
    /// A number, length or boolean that is none.
    Number,
    /// The reply nests too deep.
    TooDeep,
    /// The reply takes too much memory.
    TooBig,
}

impl fmt::Display for ReplyFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Type { got } => {
                write!(
                    f,
                    "Protocol error, got {:?} as reply type byte",
                    char::from(*got)
                )
            }
            Self::LineEnd => f.write_str("Protocol error, line end missing in a reply"),
            Self::Number => f.write_str("Protocol error, bad number in a reply"),
            Self::TooDeep => {
                write!(
                    f,
                    "Reply nests deeper than {} levels",
                    limits::VALUE_DEPTH_MAX
                )
            }
            Self::TooBig => f.write_str("Reply is too big"),
        }
    }
}

impl core::error::Error for ReplyFault {}

/// Finds replies in bytes that may arrive in any portions.
#[derive(Debug)]
pub struct ReplyParser {
    state: State,
    /// What is there of a line.
    line: Vec<u8>,
    /// The aggregates around what comes next, outermost first.
    stack: Vec<Frame>,
    bytes: usize,
    bytes_max: usize,
}

#[derive(Debug)]
enum State {
    Line,
    Bulk {
        kind: BulkKind,
        len: usize,
        text: Vec<u8>,
    },
}

#[derive(Clone, Copy, Debug)]
enum BulkKind {
    String,
    Error,
    Verbatim,
}

#[derive(Debug)]
struct Frame {
    kind: FrameKind,
    missing: usize,
    items: Vec<Value>,
}

#[derive(Clone, Copy, Debug)]
enum FrameKind {
    Array,
    Map,
    Set,
    Push,
    Attribute,
}

impl Default for ReplyParser {
    fn default() -> Self {
        Self::new(limits::VALUE_BYTES_MAX)
    }
}

impl ReplyParser {
    /// Takes replies that need at most `bytes_max` bytes of memory each.
    pub const fn new(bytes_max: usize) -> Self {
        Self {
            state: State::Line,
            line: Vec::new(),
            stack: Vec::new(),
            bytes: 0,
            bytes_max,
        }
    }

    /// Takes bytes off the front of `data` until a reply is complete or none are left.
    pub fn next(&mut self, data: &mut &[u8]) -> Result<Option<Value>, ReplyFault> {
        while !data.is_empty() {
            let value = match core::mem::replace(&mut self.state, State::Line) {
                State::Line => self.line(data)?,
                State::Bulk { kind, len, text } => self.bulk(kind, len, text, data)?,
            };
            if let Some(reply) = value.and_then(|value| self.complete(value)) {
                self.bytes = 0;
                return Ok(Some(reply));
            }
        }
        Ok(None)
    }

    /// Whether the next byte starts a reply.
    pub fn is_idle(&self) -> bool {
        matches!(self.state, State::Line) && self.line.is_empty() && self.stack.is_empty()
    }

    /// Takes a line, or what there is of it, and returns the value it is, if it is one.
    fn line(&mut self, data: &mut &[u8]) -> Result<Option<Value>, ReplyFault> {
        let found = memchr::memchr(b'\n', data);
        let (part, rest) = data.split_at(found.map_or(data.len(), |end| end + 1));
        *data = rest;
        self.charge(part.len())?;
        let mut joined = core::mem::take(&mut self.line);
        if found.is_none() {
            joined.extend_from_slice(part);
            self.line = joined;
            return Ok(None);
        }
        let line = if joined.is_empty() {
            part
        } else {
            joined.extend_from_slice(part);
            &joined
        };
        let line = line.strip_suffix(b"\r\n").ok_or(ReplyFault::LineEnd)?;
        self.charge(size_of::<Value>())?;
        self.typed(line)
    }

    fn typed(&mut self, line: &[u8]) -> Result<Option<Value>, ReplyFault> {
        let (&kind, rest) = line.split_first().ok_or(ReplyFault::LineEnd)?;
        let value = match kind {
            b'+' => Value::Simple(rest.to_vec()),
            b'-' => Value::Error(rest.to_vec()),
            b':' => Value::Int(parse_int(rest).ok_or(ReplyFault::Number)?),
            b'$' => return self.start_bulk(BulkKind::String, rest),
            b'!' => return self.start_bulk(BulkKind::Error, rest),
            b'=' => return self.start_bulk(BulkKind::Verbatim, rest),
            b'*' => return self.start_aggregate(FrameKind::Array, rest),
            b'%' => return self.start_aggregate(FrameKind::Map, rest),
            b'~' => return self.start_aggregate(FrameKind::Set, rest),
            b'>' => return self.start_aggregate(FrameKind::Push, rest),
            b'|' => return self.start_aggregate(FrameKind::Attribute, rest),
            b'_' if rest.is_empty() => Value::Null,
            b',' => Value::Double(double(rest).ok_or(ReplyFault::Number)?),
            b'#' if rest == b"t" => Value::Bool(true),
            b'#' if rest == b"f" => Value::Bool(false),
            b'(' if is_integer(rest) => Value::BigNumber(rest.to_vec()),
            b'_' | b'#' | b'(' => return Err(ReplyFault::Number),
            got => return Err(ReplyFault::Type { got }),
        };
        Ok(Some(value))
    }

    fn start_bulk(&mut self, kind: BulkKind, len: &[u8]) -> Result<Option<Value>, ReplyFault> {
        let Some(len) = length(len)? else {
            return Ok(Some(Value::Null));
        };
        if len > self.bytes_max - self.bytes {
            return Err(ReplyFault::TooBig);
        }
        self.state = State::Bulk {
            kind,
            len,
            text: Vec::new(),
        };
        Ok(None)
    }

    fn bulk(
        &mut self,
        kind: BulkKind,
        len: usize,
        mut text: Vec<u8>,
        data: &mut &[u8],
    ) -> Result<Option<Value>, ReplyFault> {
        let framed = len + 2;
        let (part, rest) = data.split_at(data.len().min(framed - text.len()));
        *data = rest;
        self.charge(part.len())?;
        text.extend_from_slice(part);
        if text.len() < framed {
            self.state = State::Bulk { kind, len, text };
            return Ok(None);
        }
        if !text.ends_with(b"\r\n") {
            return Err(ReplyFault::LineEnd);
        }
        text.truncate(len);
        Ok(Some(match kind {
            BulkKind::String => Value::Bulk(text),
            BulkKind::Error => Value::Error(text),
            BulkKind::Verbatim => match text[..] {
                [a, b, c, b':', ref rest @ ..] => Value::Verbatim([a, b, c], rest.to_vec()),
                _ => return Err(ReplyFault::LineEnd),
            },
        }))
    }

    fn start_aggregate(
        &mut self,
        kind: FrameKind,
        len: &[u8],
    ) -> Result<Option<Value>, ReplyFault> {
        let Some(len) = length(len)? else {
            return Ok(Some(Value::Null));
        };
        let per_entry = match kind {
            FrameKind::Array | FrameKind::Set | FrameKind::Push => 1,
            FrameKind::Map | FrameKind::Attribute => 2,
        };
        let missing = len.checked_mul(per_entry).ok_or(ReplyFault::TooBig)?;
        if missing > (self.bytes_max - self.bytes) / size_of::<Value>() {
            return Err(ReplyFault::TooBig);
        }
        let frame = Frame {
            kind,
            missing,
            items: Vec::new(),
        };
        if missing == 0 {
            return Ok(frame.into_value());
        }
        if self.stack.len() >= limits::VALUE_DEPTH_MAX {
            return Err(ReplyFault::TooDeep);
        }
        self.stack.push(frame);
        Ok(None)
    }

    /// Puts a value where it belongs and returns the reply if that completes it.
    fn complete(&mut self, mut value: Value) -> Option<Value> {
        while let Some(frame) = self.stack.last_mut() {
            frame.items.push(value);
            frame.missing -= 1;
            if frame.missing > 0 {
                return None;
            }
            value = self.stack.pop().and_then(Frame::into_value)?;
        }
        Some(value)
    }

    fn charge(&mut self, bytes: usize) -> Result<(), ReplyFault> {
        if bytes > self.bytes_max - self.bytes {
            return Err(ReplyFault::TooBig);
        }
        self.bytes += bytes;
        Ok(())
    }
}

impl Frame {
    /// The aggregate; nothing if it is an attribute, which is no value.
    fn into_value(self) -> Option<Value> {
        match self.kind {
            FrameKind::Array => Some(Value::Array(self.items)),
            FrameKind::Set => Some(Value::Set(self.items)),
            FrameKind::Push => Some(Value::Push(self.items)),
            FrameKind::Map => {
                let mut pairs = Vec::with_capacity(self.items.len() / 2);
                let mut items = self.items.into_iter();
                while let (Some(key), Some(value)) = (items.next(), items.next()) {
                    pairs.push((key, value));
                }
                Some(Value::Map(pairs))
            }
            FrameKind::Attribute => None,
        }
    }
}

/// A length; nothing for -1.
fn length(text: &[u8]) -> Result<Option<usize>, ReplyFault> {
    match parse_int(text) {
        Some(-1) => Ok(None),
        Some(len) => usize::try_from(len)
            .map(Some)
            .map_err(|_| ReplyFault::Number),
        None => Err(ReplyFault::Number),
    }
}

fn double(text: &[u8]) -> Option<f64> {
    let text = core::str::from_utf8(text).ok()?;
    text.parse().ok()
}

fn is_integer(text: &[u8]) -> bool {
    let digits = text.strip_prefix(b"-").unwrap_or(text);
    !digits.is_empty() && digits.iter().all(u8::is_ascii_digit)
}

#[cfg(test)]
mod tests;
