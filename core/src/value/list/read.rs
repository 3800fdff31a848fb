//! Lists to read.

use super::List;
use super::iter::ListIter;
use super::quicklist::Quicklist;
use crate::value::{Pack, PackRef, Packed, Tail};

/// A list to read.
#[derive(Clone, Copy, Debug)]
pub enum ListRef<'a> {
    /// Few bytes, and a listpack to those who ask.
    Small(PackRef<'a>),
    /// Any other.
    Large(&'a Quicklist),
}

impl<'a> ListRef<'a> {
    /// A small one out of its bytes.
    #[inline]
    pub(in crate::value) fn small(bytes: &'a [u8]) -> Self {
        Self::Small(PackRef::new(bytes))
    }

    /// What OBJECT ENCODING answers.
    pub fn encoding(self) -> &'static str {
        match self {
            Self::Small(_) => "listpack",
            Self::Large(list) => list.encoding(),
        }
    }

    /// How many items there are.
    #[inline]
    pub fn len(self) -> usize {
        match self {
            Self::Small(pack) => pack.len(),
            Self::Large(list) => list.len(),
        }
    }

    /// Whether there is none.
    #[inline]
    pub fn is_empty(self) -> bool {
        self.len() == 0
    }

    /// The item at the head.
    pub fn front(self) -> Option<&'a [u8]> {
        self.get(0)
    }

    /// The item at the tail.
    pub fn back(self) -> Option<&'a [u8]> {
        match self {
            Self::Small(_) => self.get(self.len().checked_sub(1)?),
            Self::Large(list) => list.back(),
        }
    }

    /// The item at `index`.
    pub fn get(self, index: usize) -> Option<&'a [u8]> {
        match self {
            Self::Small(pack) => Some(pack.item(pack.position(index)?).0),
            Self::Large(list) => list.get(index),
        }
    }

    /// The items from head to tail.
    pub fn iter(self) -> ListIter<'a> {
        self.range(0, self.len())
    }

    /// The items from `from` to just before `to`.
    pub fn range(self, from: usize, to: usize) -> ListIter<'a> {
        assert!(from <= to, "a range runs forwards");
        assert!(to <= self.len(), "a range ends with the items");
        match self {
            Self::Small(pack) => ListIter::small(pack, from, to),
            Self::Large(list) => ListIter::Large(list.range(from, to)),
        }
    }

    /// How many chunks hold the items; none of a small list.
    pub fn chunk_count(self) -> usize {
        match self {
            Self::Small(_) => 0,
            Self::Large(list) => list.chunk_count(),
        }
    }

    /// Bytes of the items in a chunk, and how many they are.
    pub fn chunk(self, index: usize) -> (usize, usize) {
        match self {
            Self::Small(_) => (0, 0),
            Self::Large(list) => (list.chunk(index).bytes(), list.chunk(index).len()),
        }
    }

    /// A copy.
    pub fn to_list(self) -> List {
        match self {
            Self::Small(pack) => List::Small(Pack::from_tail(Tail::new(pack.bytes().to_vec(), 0))),
            Self::Large(list) => List::Large(Box::new(list.clone())),
        }
    }

    /// The parts of a large one.
    pub fn parts(self) -> Option<ListParts> {
        match self {
            Self::Small(_) => None,
            Self::Large(list) => Some(ListParts {
                list: list.clone(),
                next: 0,
            }),
        }
    }
}

impl<'a> IntoIterator for ListRef<'a> {
    type Item = &'a [u8];
    type IntoIter = ListIter<'a>;

    fn into_iter(self) -> ListIter<'a> {
        self.iter()
    }
}

/// The chunks of a list, to be taken one by one.
#[derive(Debug)]
pub struct ListParts {
    list: Quicklist,
    next: usize,
}

impl ListParts {
    /// The next chunk.
    pub fn take(&mut self) -> Option<&Packed> {
        if self.next == self.list.chunk_count() {
            return None;
        }
        self.next += 1;
        Some(self.list.chunk(self.next - 1))
    }

    /// How many chunks are left.
    pub fn len(&self) -> usize {
        self.list.chunk_count() - self.next
    }

    /// Whether none is left.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Bytes of all parts.
    pub fn memory(&self) -> usize {
        self.list.memory()
    }
}
