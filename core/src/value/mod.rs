//! The values that keys hold. Knows no RESP, no client and no clock.

mod alloc;
pub mod bits;
pub mod extended;
pub mod geo;
mod hash;
pub mod hyperloglog;
pub mod lcs;
mod list;
mod pack;
mod packed;
mod parts;
mod pick;
mod score;
mod set;
mod shape;
pub mod stream;
mod string;
pub(crate) mod table;
pub(crate) mod varint;
mod zset;

use crate::limits::WARM_ELEMENTS_MIN;
pub use crate::resp::fmt_double as score_text;
pub use alloc::alloc_size;
pub use hash::{Fields, Hash, HashParts, HashRef};
pub use list::{Fill, List, ListIter, ListParts, ListRef};
pub use pack::{Pack, PackIter, PackRef, Tail};
pub use packed::{Packed, PackedIter};
pub use parts::Parts;
pub use score::{long_score_text, parse_score, parse_score_bound};
pub use set::{Members, Set, SetParts, SetRef};
pub use shape::{NodeLimits, PackLimits, Shape};
pub use stream::{Stream, StreamParts, StreamRef};
pub use string::{IntText, Str, StrRef, parse_int};
pub use table::KeyHasher;
pub use zset::{
    BigZset, LexBound, LexRange, ScoreRange, Zset, ZsetChange, ZsetIter, ZsetParts, ZsetRef,
};

/// A value of its own, outside the keyspace.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Value {
    /// A string.
    Str(Str),
    /// A list.
    List(List),
    /// A hash.
    Hash(Hash),
    /// A set.
    Set(Set),
    /// A sorted set.
    Zset(Zset),
    /// A stream.
    Stream(Stream),
}

/// A kind of value that is made of elements.
///
/// A small one is bytes that can lie in the allocation of its key; a large one has allocations of
/// its own.
pub trait Collection: Default + Into<Value> + 'static {
    /// The collection to read.
    type Ref<'a>: Copy;

    /// The value, if it is of this kind.
    fn lent(value: ValueRef<'_>) -> Option<Self::Ref<'_>>;
    /// The value, if it is of this kind, to change.
    fn of(value: &mut Value) -> Option<&mut Self>;
    /// A small one out of bytes that were one before; none if they were of another kind.
    fn from_small(form: Form, tail: Tail) -> Option<Self>;
    /// The bytes of a small one; a large one comes back as it is.
    fn into_small(self) -> Result<(Form, Tail), Self>;
    /// Whether it is a small one.
    fn is_small(&self) -> bool;
    /// Whether it has no elements and its key is to go.
    fn is_empty(&self) -> bool;
}

/// What the bytes of a small collection are.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Form {
    /// A list: a [`Pack`].
    List,
    /// A hash: a [`Pack`].
    Hash,
    /// A set of integers.
    Ints,
    /// A set: a [`Pack`].
    Set,
    /// A sorted set: a [`Pack`].
    Zset,
}

impl Value {
    /// Lends the value.
    pub fn as_ref(&self) -> ValueRef<'_> {
        match self {
            Self::Str(text) => ValueRef::Str(text.as_ref()),
            Self::List(list) => ValueRef::List(list.as_ref()),
            Self::Hash(hash) => ValueRef::Hash(hash.as_ref()),
            Self::Set(set) => ValueRef::Set(set.as_ref()),
            Self::Zset(zset) => ValueRef::Zset(zset.as_ref()),
            Self::Stream(stream) => ValueRef::Stream(stream.as_ref()),
        }
    }

    /// Bytes of the value's own allocations.
    pub fn memory(&self) -> usize {
        match self {
            Self::Str(Str::Int(_)) => 0,
            Self::Str(Str::Raw(text)) => alloc_size(text.len()),
            Self::Str(Str::Shared(bytes)) => alloc_size(bytes.len()),
            Self::List(list) => list.memory(),
            Self::Hash(hash) => hash.memory(),
            Self::Set(set) => set.memory(),
            Self::Zset(zset) => zset.memory(),
            Self::Stream(stream) => stream.memory(),
        }
    }

    /// How many allocations freeing the value takes, or about as many.
    pub fn free_effort(&self) -> usize {
        match self {
            Self::Str(_) => 1,
            Self::List(list) => list.free_effort(),
            Self::Hash(hash) => hash.free_effort(),
            Self::Set(set) => set.free_effort(),
            Self::Zset(zset) => zset.free_effort(),
            Self::Stream(stream) => stream.free_effort(),
        }
    }

    /// Frees elements while `left` allocations may be freed; true when none is left.
    pub(crate) fn free_some(&mut self, left: &mut usize) -> bool {
        match self {
            Self::Str(_) => true,
            Self::List(list) => list.free_some(left),
            Self::Hash(hash) => hash.free_some(left),
            Self::Set(set) => set.free_some(left),
            Self::Zset(zset) => zset.free_some(left),
            Self::Stream(stream) => stream.free_some(left),
        }
    }

    /// The bytes of a small collection; any other value comes back as it is.
    pub(crate) fn into_small(self) -> Result<(Form, Tail), Self> {
        match self {
            Self::Str(_) => Err(self),
            Self::List(list) => list.into_small().map_err(Self::List),
            Self::Hash(hash) => hash.into_small().map_err(Self::Hash),
            Self::Set(set) => set.into_small().map_err(Self::Set),
            Self::Zset(zset) => zset.into_small().map_err(Self::Zset),
            Self::Stream(stream) => stream.into_small().map_err(Self::Stream),
        }
    }
}

impl Default for Value {
    fn default() -> Self {
        Self::Str(Str::Int(0))
    }
}

impl From<Str> for Value {
    fn from(text: Str) -> Self {
        Self::Str(text)
    }
}

impl From<List> for Value {
    fn from(list: List) -> Self {
        Self::List(list)
    }
}

impl From<Hash> for Value {
    fn from(hash: Hash) -> Self {
        Self::Hash(hash)
    }
}

impl From<Set> for Value {
    fn from(set: Set) -> Self {
        Self::Set(set)
    }
}

impl From<Zset> for Value {
    fn from(zset: Zset) -> Self {
        Self::Zset(zset)
    }
}

impl From<Stream> for Value {
    fn from(stream: Stream) -> Self {
        Self::Stream(stream)
    }
}

/// A value where it lies.
#[derive(Clone, Copy, Debug)]
pub enum ValueRef<'a> {
    /// A string.
    Str(StrRef<'a>),
    /// A list.
    List(ListRef<'a>),
    /// A hash.
    Hash(HashRef<'a>),
    /// A set.
    Set(SetRef<'a>),
    /// A sorted set.
    Zset(ZsetRef<'a>),
    /// A stream.
    Stream(StreamRef<'a>),
}

impl<'a> ValueRef<'a> {
    /// A small collection out of its bytes.
    #[inline]
    pub fn small(form: Form, bytes: &'a [u8]) -> Self {
        match form {
            Form::List => Self::List(ListRef::small(bytes)),
            Form::Hash => Self::Hash(HashRef::small(bytes)),
            Form::Ints => Self::Set(SetRef::ints(bytes)),
            Form::Set => Self::Set(SetRef::small(bytes)),
            Form::Zset => Self::Zset(ZsetRef::small(bytes)),
        }
    }

    /// What TYPE answers.
    pub fn type_name(self) -> &'static str {
        match self {
            Self::Str(_) => "string",
            Self::List(_) => "list",
            Self::Hash(_) => "hash",
            Self::Set(_) => "set",
            Self::Zset(_) => "zset",
            Self::Stream(_) => "stream",
        }
    }

    /// What OBJECT ENCODING answers of a collection; none of a string.
    pub fn encoding(self) -> Option<&'static str> {
        match self {
            Self::Str(_) => None,
            Self::List(list) => Some(list.encoding()),
            Self::Hash(hash) => Some(hash.encoding()),
            Self::Set(set) => Some(set.encoding()),
            Self::Zset(zset) => Some(zset.encoding()),
            Self::Stream(stream) => Some(stream.encoding()),
        }
    }

    /// The string, if it is one.
    #[inline]
    pub fn as_str(self) -> Option<StrRef<'a>> {
        match self {
            Self::Str(text) => Some(text),
            Self::List(_) | Self::Hash(_) | Self::Set(_) | Self::Zset(_) | Self::Stream(_) => None,
        }
    }

    /// The collection, if it is of this kind.
    #[inline]
    pub fn as_collection<T: Collection>(self) -> Option<T::Ref<'a>> {
        T::lent(self)
    }

    /// Copies the value. Large ones share their parts with the copy until one of them changes.
    pub fn to_value(self) -> Value {
        match self {
            Self::Str(text) => Value::Str(text.to_str()),
            Self::List(list) => Value::List(list.to_list()),
            Self::Hash(hash) => Value::Hash(hash.to_hash()),
            Self::Set(set) => Value::Set(set.to_set()),
            Self::Zset(zset) => Value::Zset(zset.to_zset()),
            Self::Stream(stream) => Value::Stream(stream.to_stream()),
        }
    }

    /// Whether it has so many elements that [`warm`](Self::warm) is worth it.
    pub fn is_wide(self) -> bool {
        match self {
            Self::Hash(HashRef::Big(fields)) => fields.len() >= WARM_ELEMENTS_MIN,
            Self::Set(SetRef::Big(members)) => members.len() >= WARM_ELEMENTS_MIN,
            Self::Str(_)
            | Self::List(_)
            | Self::Hash(HashRef::Small(_))
            | Self::Set(SetRef::Ints(_) | SetRef::Small(_))
            | Self::Zset(_)
            | Self::Stream(_) => false,
        }
    }

    /// Brings close to the processor what is known of some elements, before they are looked for
    /// one after the other.
    pub fn warm(self, elements: &[&[u8]]) {
        match self {
            Self::Hash(HashRef::Big(fields)) => fields.warm(elements),
            Self::Set(SetRef::Big(members)) => members.warm(elements),
            Self::Str(_)
            | Self::List(_)
            | Self::Hash(HashRef::Small(_))
            | Self::Set(SetRef::Ints(_) | SetRef::Small(_))
            | Self::Zset(_)
            | Self::Stream(_) => (),
        }
    }

    /// The parts of a large collection; none of any other value.
    pub fn parts(self) -> Option<Parts> {
        match self {
            Self::Str(_) => None,
            Self::List(list) => list.parts().map(Parts::List),
            Self::Hash(hash) => hash.parts().map(Parts::Hash),
            Self::Set(set) => set.parts().map(Parts::Set),
            Self::Zset(zset) => zset.parts().map(Parts::Zset),
            Self::Stream(stream) => Some(Parts::Stream(stream.parts())),
        }
    }
}
