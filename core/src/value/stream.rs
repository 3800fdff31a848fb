//! Streams.

use super::{Collection, Form, Tail, Value, ValueRef};

/// A stream. PLACEHOLDER: it is never small.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Stream {}

/// A stream to read.
#[derive(Clone, Copy, Debug)]
pub struct StreamRef<'a>(&'a Stream);

/// The parts of a stream. PLACEHOLDER.
#[derive(Debug)]
pub struct StreamParts {}

impl StreamParts {
    /// Bytes of the parts that are left.
    pub fn memory(&self) -> usize {
        0
    }
}

impl Stream {
    /// Lends it for reading.
    #[inline]
    pub fn as_ref(&self) -> StreamRef<'_> {
        StreamRef(self)
    }

    /// Bytes of its allocations.
    pub fn memory(&self) -> usize {
        0
    }

    /// How many allocations freeing it takes.
    pub fn free_effort(&self) -> usize {
        1
    }

    /// Frees elements while `left` allocations may be freed; true when none is left.
    pub(crate) fn free_some(&mut self, left: &mut usize) -> bool {
        *left = left.saturating_sub(1);
        true
    }
}

impl StreamRef<'_> {
    /// What OBJECT ENCODING answers.
    pub fn encoding(self) -> &'static str {
        "stream"
    }

    /// A copy.
    pub fn to_stream(self) -> Stream {
        self.0.clone()
    }

    /// Its parts.
    pub fn parts(self) -> StreamParts {
        StreamParts {}
    }
}

impl Collection for Stream {
    type Ref<'a> = StreamRef<'a>;

    fn lent(value: ValueRef<'_>) -> Option<StreamRef<'_>> {
        match value {
            ValueRef::Stream(stream) => Some(stream),
            _ => None,
        }
    }

    fn of(value: &mut Value) -> Option<&mut Self> {
        match value {
            Value::Stream(stream) => Some(stream),
            _ => None,
        }
    }

    fn from_small(_: Form, _: Tail) -> Option<Self> {
        None
    }

    fn into_small(self) -> Result<(Form, Tail), Self> {
        Err(self)
    }

    fn is_small(&self) -> bool {
        false
    }

    /// A stream without entries stays.
    fn is_empty(&self) -> bool {
        false
    }
}
