//! Values out of RDB data, from whichever form they were stored in.

use bytes::Bytes;

use crate::limits::SHARED_REPLY_BYTES;
use crate::persist::listpack::{self, Entry, PackFault};
use crate::persist::rdb::fault::RdbFault;
use crate::persist::rdb::input::{Input, Text};
use crate::persist::rdb::kind::TYPE_STRING;
use crate::persist::rdb::{hash, list, set, stream, zset};
use crate::persist::{ziplist, zipmap};
use crate::value::{Shape, Str, Value};

/// How far the reading of one value has come.
#[derive(Debug)]
pub(super) enum ValueReader {
    Str,
    List(list::Reader),
    Hash(hash::Reader),
    Set(set::Reader),
    Zset(zset::Reader),
    Stream(stream::Reader),
}

/// What a step of reading came to.
pub(super) enum Progress {
    /// More bytes are needed.
    Wait,
    /// The value is there.
    Ready(Value),
    /// The value has no elements, which no key may have.
    Empty,
}

impl ValueReader {
    /// Starts on a value of a type; none for a type that is not supported.
    pub(super) fn new(kind: u8) -> Option<Self> {
        (kind == TYPE_STRING)
            .then_some(Self::Str)
            .or_else(|| list::Reader::new(kind).map(Self::List))
            .or_else(|| hash::Reader::new(kind).map(Self::Hash))
            .or_else(|| set::Reader::new(kind).map(Self::Set))
            .or_else(|| zset::Reader::new(kind).map(Self::Zset))
            .or_else(|| stream::Reader::new(kind).map(Self::Stream))
    }

    /// Reads on as far as the input goes.
    pub(super) fn read(&mut self, input: &mut Input, shape: &Shape) -> Result<Progress, RdbFault> {
        match self {
            Self::Str => Ok(match input.text()? {
                None => Progress::Wait,
                Some(text) => Progress::Ready(Value::Str(string(text, input))),
            }),
            Self::List(reader) => reader.read(input, shape),
            Self::Hash(reader) => reader.read(input, shape),
            Self::Set(reader) => reader.read(input, shape),
            Self::Zset(reader) => reader.read(input, shape),
            Self::Stream(reader) => reader.read(input, shape),
        }
    }
}

fn string(text: Text, input: &Input) -> Str {
    match text {
        Text::Int(number) => Str::Int(number),
        Text::Span(span) if span.len() >= SHARED_REPLY_BYTES => {
            Str::Shared(Bytes::copy_from_slice(input.bytes(&span)))
        }
        Text::Span(span) => Str::new(input.bytes(&span)),
        Text::Owned(bytes) if bytes.len() >= SHARED_REPLY_BYTES => Str::Shared(bytes.into()),
        Text::Owned(bytes) => Str::new(&bytes),
    }
}

/// Calls `with` with the bytes of a text.
pub(super) fn with_text<R>(text: &Text, input: &Input, with: impl FnOnce(&[u8]) -> R) -> R {
    match text {
        Text::Int(number) => Entry::Int(*number).with_bytes(with),
        Text::Span(span) => with(input.bytes(span)),
        Text::Owned(bytes) => with(bytes),
    }
}

/// Calls `each` with the entries of a listpack in order.
pub(super) fn each_listpack(
    text: &Text,
    input: &Input,
    each: impl FnMut(&[u8]),
) -> Result<(), RdbFault> {
    let block = block(text, input)?;
    each_entry(listpack::Reader::new(block), input, each)
}

/// Calls `each` with the entries of a ziplist in order.
pub(super) fn each_ziplist(
    text: &Text,
    input: &Input,
    each: impl FnMut(&[u8]),
) -> Result<(), RdbFault> {
    let block = block(text, input)?;
    each_entry(ziplist::Reader::new(block), input, each)
}

/// Calls `each` with the fields and values of a zipmap in turn.
pub(super) fn each_zipmap(
    text: &Text,
    input: &Input,
    each: impl FnMut(&[u8]),
) -> Result<(), RdbFault> {
    let block = block(text, input)?;
    each_entry(zipmap::Reader::new(block), input, each)
}

/// The bytes of a text that must not be a number.
pub(super) fn block<'a>(text: &'a Text, input: &'a Input) -> Result<&'a [u8], RdbFault> {
    match text {
        Text::Span(span) => Ok(input.bytes(span)),
        Text::Owned(bytes) => Ok(bytes),
        Text::Int(_) => Err(RdbFault::Corrupt {
            what: "a number where a packed list is expected",
            offset: input.text_offset(),
        }),
    }
}

fn each_entry<'a>(
    entries: Result<impl Iterator<Item = Result<Entry<'a>, PackFault>>, PackFault>,
    input: &Input,
    mut each: impl FnMut(&[u8]),
) -> Result<(), RdbFault> {
    let fault = |fault: PackFault| RdbFault::Corrupt {
        what: fault.what,
        offset: input.text_offset(),
    };
    for entry in entries.map_err(fault)? {
        entry.map_err(fault)?.with_bytes(&mut each);
    }
    Ok(())
}
