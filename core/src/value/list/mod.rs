//! Lists: bytes beside their key while they are small, then a deque of packed chunks.

mod fill;
mod iter;
mod quicklist;
mod read;

pub use fill::Fill;
use fill::listpack_entry_size;
pub use iter::ListIter;
use quicklist::{LISTPACK_FRAME_BYTES, Quicklist};
pub use read::{ListParts, ListRef};

use super::{Collection, Form, Pack, Tail, Value, ValueRef, alloc_size};
use crate::limits::LIST_SMALL_BYTES;

/// A list of byte strings.
#[derive(Clone, Debug)]
pub enum List {
    /// At most [`LIST_SMALL_BYTES`], and a listpack to those who ask.
    Small(Pack),
    /// Any other.
    Large(Box<Quicklist>),
}

impl List {
    /// An empty list.
    pub fn new() -> Self {
        Self::Small(Pack::new())
    }

    /// Lends it for reading.
    #[inline]
    pub fn as_ref(&self) -> ListRef<'_> {
        match self {
            Self::Small(pack) => ListRef::Small(pack.as_ref()),
            Self::Large(list) => ListRef::Large(list),
        }
    }

    /// Adds an item at the tail.
    pub fn push_back(&mut self, item: &[u8]) {
        match self.with_room_for(item) {
            Self::Small(pack) => pack.push(item),
            Self::Large(list) => list.push_back(item),
        }
    }

    /// Adds an item at the head.
    pub fn push_front(&mut self, item: &[u8]) {
        match self.with_room_for(item) {
            Self::Small(pack) => {
                pack.insert(pack.as_ref().start(), item);
            }
            Self::Large(list) => list.push_front(item),
        }
    }

    /// Removes the item at the tail.
    pub fn pop_back(&mut self) -> Option<Vec<u8>> {
        let item = self.as_ref().back()?.to_vec();
        self.drop_back();
        Some(item)
    }

    /// Removes the item at the head.
    pub fn pop_front(&mut self) -> Option<Vec<u8>> {
        let item = self.as_ref().front()?.to_vec();
        self.drop_front();
        Some(item)
    }

    /// Removes the item at the tail without a copy of it.
    pub fn drop_back(&mut self) {
        match self {
            Self::Small(pack) => {
                let last = pack.as_ref().len().checked_sub(1);
                if let Some(at) = last.and_then(|last| pack.as_ref().position(last)) {
                    pack.remove(at, 1);
                }
            }
            Self::Large(list) => list.drop_back(),
        }
    }

    /// Removes the item at the head without a copy of it.
    pub fn drop_front(&mut self) {
        match self {
            Self::Small(pack) if pack.as_ref().is_empty() => (),
            Self::Small(pack) => pack.remove(pack.as_ref().start(), 1),
            Self::Large(list) => list.drop_front(),
        }
    }

    /// Puts an item before the one at `index`, or at the tail if there are just as many.
    pub fn insert(&mut self, index: usize, item: &[u8]) {
        let len = self.as_ref().len();
        assert!(index <= len, "an item is inserted among the others");
        match self.with_room_for(item) {
            Self::Small(pack) => {
                let at = pack.as_ref().position(index);
                pack.insert(at.unwrap_or_else(|| pack.as_ref().end()), item);
            }
            Self::Large(list) => list.insert(index, item),
        }
    }

    /// Puts an item in the place of the one at `index`.
    pub fn set(&mut self, index: usize, item: &[u8]) {
        match self.with_room_for(item) {
            Self::Small(pack) => {
                let at = pack.as_ref().position(index);
                pack.replace(at.expect("only what is there is replaced"), item);
            }
            Self::Large(list) => list.set(index, item),
        }
    }

    /// Removes `count` items from the one at `index` on.
    pub fn remove(&mut self, index: usize, count: usize) {
        match self {
            Self::Small(pack) => {
                let len = pack.as_ref().len();
                assert!(count <= len, "no more is removed than is there");
                assert!(index <= len - count, "only what is there is removed");
                if let Some(at) = pack.as_ref().position(index)
                    && count > 0
                {
                    pack.remove(at, count);
                }
            }
            Self::Large(list) => list.remove(index, count),
        }
    }

    /// Removes up to `most` items that equal `item`, the nearest to the head first or to the
    /// tail, and returns how many.
    pub fn remove_equal(&mut self, item: &[u8], most: usize, from_tail: bool) -> usize {
        let pack = match self {
            Self::Small(pack) => pack,
            Self::Large(list) => return list.remove_equal(item, most, from_tail),
        };
        let equal = |other: &&[u8]| *other == item;
        let found = pack.as_ref().iter().filter(equal).count();
        let gone = found.min(most);
        let mut spared = if from_tail { found - gone } else { 0 };
        let (mut at, mut left) = (pack.as_ref().start(), gone);
        while left > 0 {
            let (other, next) = pack.as_ref().item(at);
            if other != item {
                at = next;
            } else if spared > 0 {
                spared -= 1;
                at = next;
            } else {
                pack.remove(at, 1);
                left -= 1;
            }
        }
        gone
    }

    /// Makes the list a quicklist if `count` more items of `bytes` bytes in all go beyond what
    /// list-max-listpack-size allows a listpack. Commands call it before they add items.
    pub fn will_grow(&mut self, fill: Fill, count: usize, bytes: usize) {
        match self {
            Self::Small(pack) => {
                let pack = pack.as_ref();
                // Enough for most, without a look at each item.
                let most = LISTPACK_FRAME_BYTES + LISTPACK_ENTRY_MORE * pack.bytes().len();
                let len = pack.len() + count;
                if fill.is_exceeded(most + bytes, len)
                    && fill.is_exceeded(listpack_bytes(self.as_ref()) + bytes, len)
                {
                    self.large().set_quicklist();
                }
            }
            Self::Large(list) => list.will_grow(fill, count, bytes),
        }
    }

    /// Makes the list a listpack again if it has become small enough. Commands call it after
    /// they have removed items.
    pub fn has_shrunk(&mut self, fill: Fill) {
        if let Self::Large(list) = self {
            list.has_shrunk(fill);
            // Half of it, so that a list that goes up and down does not move each time.
            if list.fits(LIST_SMALL_BYTES / 2) {
                let mut pack = Pack::new();
                list.iter().for_each(|item| pack.push(item));
                *self = Self::Small(pack);
            }
        }
    }

    /// Chooses the encoding of a list that was built whole.
    pub fn settle(&mut self, fill: Fill) {
        match self {
            Self::Small(_) => self.will_grow(fill, 0, 0),
            Self::Large(list) => list.settle(fill),
        }
    }

    /// Bytes of the list's allocations.
    pub fn memory(&self) -> usize {
        match self {
            Self::Small(pack) => alloc_size(pack.as_ref().bytes().len()),
            Self::Large(list) => alloc_size(size_of::<Quicklist>()) + list.memory(),
        }
    }

    /// How many allocations freeing it takes.
    pub fn free_effort(&self) -> usize {
        match self {
            Self::Small(_) => 1,
            Self::Large(list) => 1 + list.chunk_count(),
        }
    }

    /// Frees chunks from the head on while `left` allocations may be freed; true when none of the
    /// items is left.
    pub(crate) fn free_some(&mut self, left: &mut usize) -> bool {
        match self {
            Self::Small(_) => {
                *self = Self::new();
                true
            }
            Self::Large(list) => list.free_some(left),
        }
    }

    /// Panics if the list contradicts itself.
    pub fn check_invariants(&self) {
        match self {
            Self::Small(pack) => assert!(pack.as_ref().bytes().len() <= LIST_SMALL_BYTES),
            Self::Large(list) => list.check_invariants(),
        }
    }

    /// Moves a small list to chunks if it would grow too large with another item.
    fn with_room_for(&mut self, item: &[u8]) -> &mut Self {
        if let Self::Small(pack) = self
            && pack.as_ref().bytes().len() + item.len() + ITEM_MORE > LIST_SMALL_BYTES
        {
            self.large();
        }
        self
    }

    fn large(&mut self) -> &mut Quicklist {
        if let Self::Small(pack) = self {
            let mut list = Quicklist::new();
            pack.as_ref().iter().for_each(|item| list.push_back(item));
            *self = Self::Large(Box::new(list));
        }
        match self {
            Self::Large(list) => list,
            Self::Small(_) => unreachable!("it was moved above"),
        }
    }
}

/// Bytes of a listpack of the same items.
fn listpack_bytes(list: ListRef<'_>) -> usize {
    LISTPACK_FRAME_BYTES + list.iter().map(listpack_entry_size).sum::<usize>()
}

impl Collection for List {
    type Ref<'a> = ListRef<'a>;

    #[inline]
    fn lent(value: ValueRef<'_>) -> Option<ListRef<'_>> {
        match value {
            ValueRef::List(list) => Some(list),
            ValueRef::Str(_)
            | ValueRef::Hash(_)
            | ValueRef::Set(_)
            | ValueRef::Zset(_)
            | ValueRef::Stream(_) => None,
        }
    }

    #[inline]
    fn of(value: &mut Value) -> Option<&mut Self> {
        match value {
            Value::List(list) => Some(list),
            Value::Str(_) | Value::Hash(_) | Value::Set(_) | Value::Zset(_) | Value::Stream(_) => {
                None
            }
        }
    }

    fn from_small(form: Form, tail: Tail) -> Option<Self> {
        (form == Form::List).then(|| Self::Small(Pack::from_tail(tail)))
    }

    fn into_small(self) -> Result<(Form, Tail), Self> {
        match self {
            Self::Small(pack) => Ok((Form::List, pack.into_tail())),
            Self::Large(_) => Err(self),
        }
    }

    fn is_small(&self) -> bool {
        matches!(self, Self::Small(_))
    }

    fn is_empty(&self) -> bool {
        self.as_ref().is_empty()
    }
}

impl Default for List {
    fn default() -> Self {
        Self::new()
    }
}

impl PartialEq for List {
    /// Equal items are an equal list, wherever its chunks end.
    fn eq(&self, other: &Self) -> bool {
        let (one, two) = (self.as_ref(), other.as_ref());
        one.len() == two.len() && one.iter().eq(two.iter())
    }
}

impl Eq for List {}

impl<'a> FromIterator<&'a [u8]> for List {
    fn from_iter<I: IntoIterator<Item = &'a [u8]>>(items: I) -> Self {
        let mut list = Self::new();
        for item in items {
            list.push_back(item);
        }
        list
    }
}

/// More than the length of an item takes in a small list, and the number of them all.
const ITEM_MORE: usize = 8;
/// An entry of a listpack is at most so many times as long as a small list's item.
const LISTPACK_ENTRY_MORE: usize = 2;

#[cfg(test)]
mod tests;
