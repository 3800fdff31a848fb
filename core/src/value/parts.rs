//! Large values taken apart, for a snapshot.

use super::{HashParts, ListParts, SetParts, StreamParts, ZsetParts};

/// A large value as it was at one moment, to be read part by part.
///
/// Taking it costs about as much as it has parts, not elements: the parts stay shared with the
/// value, which copies one when it changes it.
#[derive(Debug)]
pub enum Parts {
    /// Of a list.
    List(ListParts),
    /// Of a hash.
    Hash(HashParts),
    /// Of a set.
    Set(SetParts),
    /// Of a sorted set.
    Zset(ZsetParts),
    /// Of a stream.
    Stream(StreamParts),
}

impl Parts {
    /// Bytes it takes to hold them, as far as they are not shared.
    pub fn memory(&self) -> usize {
        match self {
            Self::List(parts) => parts.memory(),
            Self::Hash(parts) => parts.memory(),
            Self::Set(parts) => parts.memory(),
            Self::Zset(parts) => parts.memory(),
            Self::Stream(parts) => parts.memory(),
        }
    }
}
