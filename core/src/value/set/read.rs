//! Sets to read.

use super::{Members, Set, SetParts, alloc_size, ints};
use crate::value::{IntText, Pack, PackRef, StrRef, Tail, parse_int};

/// A set to read.
#[derive(Clone, Copy, Debug)]
pub enum SetRef<'a> {
    /// See [`Set::Ints`].
    Ints(&'a [u8]),
    /// See [`Set::Small`].
    Small(PackRef<'a>),
    /// See [`Set::Big`].
    Big(&'a Members),
}

impl Set {
    /// Lends it for reading.
    #[inline]
    pub fn as_ref(&self) -> SetRef<'_> {
        match self {
            Self::Ints(tail) => SetRef::Ints(tail.bytes()),
            Self::Small(pack) => SetRef::Small(pack.as_ref()),
            Self::Big(members) => SetRef::Big(members),
        }
    }
}

impl<'a> SetRef<'a> {
    /// A pack out of its bytes.
    #[inline]
    pub(in crate::value) fn small(bytes: &'a [u8]) -> Self {
        Self::Small(PackRef::new(bytes))
    }

    /// One of integers out of its bytes.
    #[inline]
    pub(in crate::value) fn ints(bytes: &'a [u8]) -> Self {
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

    /// How many members there are.
    #[inline]
    pub fn len(self) -> usize {
        match self {
            Self::Ints(bytes) => ints::len(bytes),
            Self::Small(pack) => pack.len(),
            Self::Big(members) => members.len(),
        }
    }

    /// Whether there is none.
    #[inline]
    pub fn is_empty(self) -> bool {
        self.len() == 0
    }

    /// Whether a member is there.
    #[inline]
    pub fn has(self, member: &[u8]) -> bool {
        match self {
            Self::Ints(bytes) => parse_int(member).is_some_and(|number| ints::has(bytes, number)),
            Self::Small(pack) => pack.find(member, 1).is_some(),
            Self::Big(members) => members.has(member),
        }
    }

    /// Whether a member of another set is there.
    #[inline]
    pub fn holds(self, member: StrRef<'_>) -> bool {
        match (self, member) {
            (Self::Ints(bytes), StrRef::Int(number)) => ints::has(bytes, number),
            (_, StrRef::Raw(text)) => self.has(text),
            (_, StrRef::Int(_) | StrRef::Shared(_)) => {
                self.has(member.text(&mut IntText::default()))
            }
        }
    }

    /// All members; integers as such where they are kept as such.
    pub fn iter(self) -> impl Iterator<Item = StrRef<'a>> {
        let (ints, small, big) = match self {
            Self::Ints(bytes) => (Some(ints::iter(bytes)), None, None),
            Self::Small(pack) => (None, Some(pack.iter()), None),
            Self::Big(members) => (None, None, Some(members.iter())),
        };
        let ints = ints.into_iter().flatten().map(StrRef::Int);
        let small = small.into_iter().flatten().map(StrRef::Raw);
        let big = big.into_iter().flatten().map(StrRef::Raw);
        ints.chain(small).chain(big)
    }

    /// The member at an index, of a set that has an order.
    pub(super) fn at(self, index: usize) -> Option<StrRef<'a>> {
        match self {
            Self::Ints(bytes) => {
                (index < ints::len(bytes)).then(|| StrRef::Int(ints::get(bytes, index)))
            }
            Self::Small(pack) => Some(StrRef::Raw(pack.item(pack.position(index)?).0)),
            Self::Big(_) => None,
        }
    }

    /// Visits about `count` members from a cursor on and returns the cursor that goes on behind
    /// them; 0 at the end. A small set is visited whole.
    pub fn scan(self, cursor: u64, count: usize, mut visit: impl FnMut(StrRef<'a>)) -> u64 {
        match self {
            Self::Ints(_) | Self::Small(_) => {
                self.iter().for_each(visit);
                0
            }
            Self::Big(members) => members.scan(cursor, count, |member| visit(StrRef::Raw(member))),
        }
    }

    /// Bytes of its allocations.
    pub fn memory(self) -> usize {
        match self {
            Self::Ints(bytes) => alloc_size(bytes.len()),
            Self::Small(pack) => alloc_size(pack.bytes().len()),
            Self::Big(members) => members.memory(),
        }
    }

    /// A copy, which shares what is large.
    pub fn to_set(self) -> Set {
        match self {
            Self::Ints(bytes) => Set::Ints(Tail::new(bytes.to_vec(), 0)),
            Self::Small(pack) => Set::Small(Pack::from_tail(Tail::new(pack.bytes().to_vec(), 0))),
            Self::Big(members) => Set::Big(Box::new(members.clone())),
        }
    }

    /// The parts of a large one.
    pub fn parts(self) -> Option<SetParts> {
        match self {
            Self::Ints(_) | Self::Small(_) => None,
            Self::Big(members) => Some(members.parts()),
        }
    }
}
