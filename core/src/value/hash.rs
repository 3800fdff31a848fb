//! Hashes.

use super::{Collection, Form, Pack, PackRef, Tail, Value, ValueRef};

/// A hash.
#[derive(Clone, Debug)]
pub enum Hash {
    /// Few short elements.
    Small(Pack),
    /// Many elements, or long ones.
    Big(Box<Table>),
}

/// PLACEHOLDER.
#[derive(Clone, Debug, Default)]
pub struct Table {}

/// A hash to read.
#[derive(Clone, Copy, Debug)]
pub enum HashRef<'a> {
    /// Few short elements.
    Small(PackRef<'a>),
    /// Many elements, or long ones.
    Big(&'a Table),
}

/// The parts of a large hash. PLACEHOLDER.
#[derive(Debug)]
pub struct HashParts {}

impl HashParts {
    /// Bytes of the parts that are left.
    pub fn memory(&self) -> usize {
        0
    }
}

impl Hash {
    /// An empty hash.
    pub fn new() -> Self {
        Self::Small(Pack::new())
    }

    /// Lends it for reading.
    #[inline]
    pub fn as_ref(&self) -> HashRef<'_> {
        match self {
            Self::Small(pack) => HashRef::Small(pack.as_ref()),
            Self::Big(table) => HashRef::Big(table),
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

impl<'a> HashRef<'a> {
    /// A small one out of its bytes.
    #[inline]
    pub(super) fn small(bytes: &'a [u8]) -> Self {
        Self::Small(PackRef::new(bytes))
    }

    /// What OBJECT ENCODING answers.
    pub fn encoding(self) -> &'static str {
        match self {
            Self::Small(_) => "listpack",
            Self::Big(_) => "hashtable",
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
    pub fn to_hash(self) -> Hash {
        match self {
            Self::Small(pack) => Hash::Small(Pack::from_tail(Tail::new(pack.bytes().to_vec(), 0))),
            Self::Big(table) => Hash::Big(Box::new(table.clone())),
        }
    }

    /// The parts of a large one.
    pub fn parts(self) -> Option<HashParts> {
        match self {
            Self::Small(_) => None,
            Self::Big(_) => Some(HashParts {}),
        }
    }
}

impl Collection for Hash {
    type Ref<'a> = HashRef<'a>;

    fn lent(value: ValueRef<'_>) -> Option<HashRef<'_>> {
        match value {
            ValueRef::Hash(hash) => Some(hash),
            _ => None,
        }
    }

    fn of(value: &mut Value) -> Option<&mut Self> {
        match value {
            Value::Hash(hash) => Some(hash),
            _ => None,
        }
    }

    fn from_small(form: Form, tail: Tail) -> Option<Self> {
        (form == Form::Hash).then(|| Self::Small(Pack::from_tail(tail)))
    }

    fn into_small(self) -> Result<(Form, Tail), Self> {
        match self {
            Self::Small(pack) => Ok((Form::Hash, pack.into_tail())),
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

impl Default for Hash {
    fn default() -> Self {
        Self::new()
    }
}

impl PartialEq for Hash {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Small(one), Self::Small(two)) => one.as_ref().iter().eq(two.as_ref().iter()),
            _ => false,
        }
    }
}

impl Eq for Hash {}
