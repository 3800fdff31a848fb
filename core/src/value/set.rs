//! Sets.

use super::{Collection, Form, Pack, PackRef, Tail, Value, ValueRef};

/// A set.
#[derive(Clone, Debug)]
pub enum Set {
    /// Integers.
    Ints(Tail),
    /// Few short elements.
    Small(Pack),
    /// Many elements, or long ones.
    Big(Box<Table>),
}

/// PLACEHOLDER.
#[derive(Clone, Debug, Default)]
pub struct Table {}

/// A set to read.
#[derive(Clone, Copy, Debug)]
pub enum SetRef<'a> {
    /// Integers.
    Ints(&'a [u8]),
    /// Few short elements.
    Small(PackRef<'a>),
    /// Many elements, or long ones.
    Big(&'a Table),
}

/// The parts of a large set. PLACEHOLDER.
#[derive(Debug)]
pub struct SetParts {}

impl SetParts {
    /// Bytes of the parts that are left.
    pub fn memory(&self) -> usize {
        0
    }
}

impl Set {
    /// An empty set.
    pub fn new() -> Self {
        Self::Small(Pack::new())
    }

    /// Lends it for reading.
    #[inline]
    pub fn as_ref(&self) -> SetRef<'_> {
        match self {
            Self::Ints(tail) => SetRef::Ints(tail.bytes()),
            Self::Small(pack) => SetRef::Small(pack.as_ref()),
            Self::Big(table) => SetRef::Big(table),
        }
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
        *self = Self::new();
        true
    }
}

impl<'a> SetRef<'a> {
    /// A small one out of its bytes.
    #[inline]
    pub(super) fn small(bytes: &'a [u8]) -> Self {
        Self::Small(PackRef::new(bytes))
    }

    /// One of integers out of its bytes.
    #[inline]
    pub(super) fn ints(bytes: &'a [u8]) -> Self {
        Self::Ints(bytes)
    }

    /// What OBJECT ENCODING answers.
    pub fn encoding(self) -> &'static str {
        match self {
            Self::Ints(_) => "intset",
            Self::Small(_) => "listpack",
            Self::Big(_) => "hashtable",
        }
    }

    /// How many elements there are.
    pub fn len(self) -> usize {
        match self {
            Self::Ints(_) => 0,
            Self::Small(pack) => pack.len(),
            Self::Big(_) => 0,
        }
    }

    /// Whether there is none.
    pub fn is_empty(self) -> bool {
        self.len() == 0
    }

    /// A copy.
    pub fn to_set(self) -> Set {
        match self {
            Self::Ints(bytes) => Set::Ints(Tail::new(bytes.to_vec(), 0)),
            Self::Small(pack) => Set::Small(Pack::from_tail(Tail::new(pack.bytes().to_vec(), 0))),
            Self::Big(table) => Set::Big(Box::new(table.clone())),
        }
    }

    /// The parts of a large one.
    pub fn parts(self) -> Option<SetParts> {
        match self {
            Self::Ints(_) | Self::Small(_) => None,
            Self::Big(_) => Some(SetParts {}),
        }
    }
}

impl Collection for Set {
    type Ref<'a> = SetRef<'a>;

    fn lent(value: ValueRef<'_>) -> Option<SetRef<'_>> {
        match value {
            ValueRef::Set(set) => Some(set),
            _ => None,
        }
    }

    fn of(value: &mut Value) -> Option<&mut Self> {
        match value {
            Value::Set(set) => Some(set),
            _ => None,
        }
    }

    fn from_small(form: Form, tail: Tail) -> Option<Self> {
        match form {
            Form::Ints => Some(Self::Ints(tail)),
            Form::Set => Some(Self::Small(Pack::from_tail(tail))),
            Form::List | Form::Hash | Form::Zset => None,
        }
    }

    fn into_small(self) -> Result<(Form, Tail), Self> {
        match self {
            Self::Ints(tail) => Ok((Form::Ints, tail)),
            Self::Small(pack) => Ok((Form::Set, pack.into_tail())),
            Self::Big(_) => Err(self),
        }
    }

    fn is_small(&self) -> bool {
        matches!(self, Self::Ints(_) | Self::Small(_))
    }

    fn is_empty(&self) -> bool {
        self.as_ref().is_empty()
    }
}

impl Default for Set {
    fn default() -> Self {
        Self::new()
    }
}

impl PartialEq for Set {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Small(one), Self::Small(two)) => one.as_ref().iter().eq(two.as_ref().iter()),
            _ => false,
        }
    }
}

impl Eq for Set {}
