//! The values that keys hold. Knows no RESP, no client and no clock.

mod alloc;
pub mod bits;
pub mod extended;
pub mod hyperloglog;
pub mod lcs;
mod list;
mod packed;
mod string;

pub use alloc::alloc_size;
pub use list::{Fill, List, ListIter};
pub use packed::{Packed, PackedIter};
pub use string::{IntText, Str, StrRef, parse_int};

/// A value of its own, outside the keyspace.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Value {
    /// A string.
    Str(Str),
    /// A list.
    List(List),
}

impl Value {
    /// Lends the value.
    pub fn as_ref(&self) -> ValueRef<'_> {
        match self {
            Self::Str(text) => ValueRef::Str(text.as_ref()),
            Self::List(list) => ValueRef::List(list),
        }
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

/// A value where it lies.
#[derive(Clone, Copy, Debug)]
pub enum ValueRef<'a> {
    /// A string.
    Str(StrRef<'a>),
    /// A list.
    List(&'a List),
}

impl<'a> ValueRef<'a> {
    /// What TYPE answers.
    pub fn type_name(self) -> &'static str {
        match self {
            Self::Str(_) => "string",
            Self::List(_) => "list",
        }
    }

    /// The string, if it is one.
    pub fn as_str(self) -> Option<StrRef<'a>> {
        match self {
            Self::Str(text) => Some(text),
            Self::List(_) => None,
        }
    }

    /// The list, if it is one.
    pub fn as_list(self) -> Option<&'a List> {
        match self {
            Self::List(list) => Some(list),
            Self::Str(_) => None,
        }
    }

    /// Copies the value.
    pub fn to_value(self) -> Value {
        match self {
            Self::Str(text) => Value::Str(text.to_str()),
            Self::List(list) => Value::List(list.clone()),
        }
    }
}
