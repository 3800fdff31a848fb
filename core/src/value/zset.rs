//! Sorted sets.

use super::{Collection, Form, Pack, PackRef, Tail, Value, ValueRef};

/// A sorted set.
#[derive(Clone, Debug)]
pub enum Zset {
    /// Few short elements.
    Small(Pack),
    /// Many elements, or long ones.
    Big(Box<Table>),
}

/// PLACEHOLDER.
#[derive(Clone, Debug, Default)]
pub struct Table {}

/// A sorted set to read.
#[derive(Clone, Copy, Debug)]
pub enum ZsetRef<'a> {
    /// Few short elements.
    Small(PackRef<'a>),
    /// Many elements, or long ones.
    Big(&'a Table),
}

/// The parts of a large sorted set. PLACEHOLDER.
#[derive(Debug)]
pub struct ZsetParts {}

impl ZsetParts {
    /// Bytes of the parts that are left.
    pub fn memory(&self) -> usize {
        0
    }
}

impl Zset {
    /// An empty sorted set.
    pub fn new() -> Self {
        Self::Small(Pack::new())
    }

    /// Lends it for reading.
    #[inline]
    pub fn as_ref(&self) -> ZsetRef<'_> {
        match self {
            Self::Small(pack) => ZsetRef::Small(pack.as_ref()),
            Self::Big(table) => ZsetRef::Big(table),
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

impl<'a> ZsetRef<'a> {
    /// A small one out of its bytes.
    #[inline]
    pub(super) fn small(bytes: &'a [u8]) -> Self {
        Self::Small(PackRef::new(bytes))
    }

    /// What OBJECT ENCODING answers.
    pub fn encoding(self) -> &'static str {
        match self {
            Self::Small(_) => "listpack",
            Self::Big(_) => "skiplist",
        }
    }

    /// How many elements there are.
    pub fn len(self) -> usize {
        match self {
            Self::Small(pack) => pack.len() / 2,
            Self::Big(_) => 0,
        }
    }

    /// Whether there is none.
    pub fn is_empty(self) -> bool {
        self.len() == 0
    }

    /// A copy.
    pub fn to_zset(self) -> Zset {
        match self {
            Self::Small(pack) => Zset::Small(Pack::from_tail(Tail::new(pack.bytes().to_vec(), 0))),
            Self::Big(table) => Zset::Big(Box::new(table.clone())),
        }
    }

    /// The parts of a large one.
    pub fn parts(self) -> Option<ZsetParts> {
        match self {
            Self::Small(_) => None,
            Self::Big(_) => Some(ZsetParts {}),
        }
    }
}

impl Collection for Zset {
    type Ref<'a> = ZsetRef<'a>;

    fn lent(value: ValueRef<'_>) -> Option<ZsetRef<'_>> {
        match value {
            ValueRef::Zset(zset) => Some(zset),
            _ => None,
        }
    }

    fn of(value: &mut Value) -> Option<&mut Self> {
        match value {
            Value::Zset(zset) => Some(zset),
            _ => None,
        }
    }

    fn from_small(form: Form, tail: Tail) -> Option<Self> {
        (form == Form::Zset).then(|| Self::Small(Pack::from_tail(tail)))
    }

    fn into_small(self) -> Result<(Form, Tail), Self> {
        match self {
            Self::Small(pack) => Ok((Form::Zset, pack.into_tail())),
            Self::Big(_) => Err(self),
        }
    }

    fn is_small(&self) -> bool {
        matches!(self, Self::Small(_))
    }

    fn is_empty(&self) -> bool {
        self.as_ref().is_empty()
    }
}

impl Default for Zset {
    fn default() -> Self {
        Self::new()
    }
}

impl PartialEq for Zset {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Small(one), Self::Small(two)) => one.as_ref().iter().eq(two.as_ref().iter()),
            _ => false,
        }
    }
}

impl Eq for Zset {}
