//! Large lists: a deque of packed chunks.

mod removal;

use std::collections::VecDeque;
use std::rc::Rc;

use super::Fill;
use super::fill::listpack_entry_size;
use crate::limits::LIST_CHUNK_BYTES;
use crate::value::packed::item_size;
use crate::value::{Packed, PackedIter, alloc_size};

/// A list of byte strings, quick at both ends.
///
/// Its items lie in chunks, none of them empty, each of at most [`LIST_CHUNK_BYTES`] unless a
/// single long item or an item put in its middle makes it longer. Clones share chunks until one
/// of them changes a chunk.
#[derive(Clone, Debug)]
pub struct Quicklist {
    chunks: Chunks,
    len: usize,
    /// Bytes of the chunks' allocations.
    heap: usize,
    /// Bytes of all items as entries of a Redis listpack, which the encoding depends on.
    listpack: usize,
    quicklist: bool,
}

#[derive(Clone, Debug)]
enum Chunks {
    One(Packed),
    Many(VecDeque<Rc<Packed>>),
}

impl Quicklist {
    /// An empty list.
    pub const fn new() -> Self {
        Self {
            chunks: Chunks::One(Packed::new()),
            len: 0,
            heap: 0,
            listpack: 0,
            quicklist: false,
        }
    }

    /// Adds an item at the tail.
    pub fn push_back(&mut self, item: &[u8]) {
        if self.back_is_full(item) {
            self.resize_chunk(self.chunks.len() - 1, Packed::shrink);
            self.chunks.many().push_back(Rc::default());
        }
        self.resize_chunk(self.chunks.len() - 1, |chunk| chunk.push_back(item));
        self.len += 1;
        self.listpack += listpack_entry_size(item);
    }

    /// Adds an item at the head.
    pub fn push_front(&mut self, item: &[u8]) {
        if self.front_is_full(item) {
            self.resize_chunk(0, Packed::shrink);
            self.chunks.many().push_front(Rc::default());
        }
        self.resize_chunk(0, |chunk| chunk.push_front(item));
        self.len += 1;
        self.listpack += listpack_entry_size(item);
    }

    /// Removes the item at the tail.
    pub fn pop_back(&mut self) -> Option<Vec<u8>> {
        let item = self.back()?.to_vec();
        self.drop_back();
        Some(item)
    }

    /// Removes the item at the head.
    pub fn pop_front(&mut self) -> Option<Vec<u8>> {
        let item = self.front()?.to_vec();
        self.drop_front();
        Some(item)
    }

    /// Removes the item at the tail without a copy of it.
    pub fn drop_back(&mut self) {
        let Some(item) = self.back() else { return };
        self.listpack -= listpack_entry_size(item);
        self.len -= 1;
        let last = self.chunks.len() - 1;
        self.resize_chunk(last, Packed::drop_back);
        self.drop_if_empty(last);
    }

    /// Removes the item at the head without a copy of it.
    pub fn drop_front(&mut self) {
        let Some(item) = self.front() else { return };
        self.listpack -= listpack_entry_size(item);
        self.len -= 1;
        self.resize_chunk(0, Packed::drop_front);
        self.drop_if_empty(0);
    }

    /// Puts an item before the one at `index`, or at the tail if there are just as many.
    pub fn insert(&mut self, index: usize, item: &[u8]) {
        assert!(index <= self.len, "an item is inserted among the others");
        if index == self.len {
            return self.push_back(item);
        }
        if index == 0 {
            return self.push_front(item);
        }
        let (chunk, offset) = self.locate(index);
        self.resize_chunk(chunk, |chunk| chunk.insert(offset, item));
        self.len += 1;
        self.listpack += listpack_entry_size(item);
        self.split_if_long(chunk, offset);
    }

    /// Puts an item in the place of the one at `index`.
    pub fn set(&mut self, index: usize, item: &[u8]) {
        assert!(index < self.len, "only what is there is replaced");
        let (chunk, offset) = self.locate(index);
        let old = self.chunks.at(chunk).get(offset).map(listpack_entry_size);
        self.listpack -= old.expect("the index lies in the list");
        self.listpack += listpack_entry_size(item);
        self.resize_chunk(chunk, |chunk| chunk.replace(offset, item));
        self.split_if_long(chunk, offset);
    }

    /// Removes `count` items from the one at `index` on.
    pub fn remove(&mut self, index: usize, count: usize) {
        assert!(count <= self.len, "no more is removed than is there");
        assert!(index <= self.len - count, "only what is there is removed");
        let gone = self.range(index, index + count);
        self.listpack -= gone.map(listpack_entry_size).sum::<usize>();
        let mut left = count;
        while left > 0 {
            let (chunk, offset) = self.locate(index);
            let here = left.min(self.chunks.at(chunk).len() - offset);
            self.resize_chunk(chunk, |chunk| chunk.remove(offset, here));
            self.len -= here;
            left -= here;
            self.drop_if_empty(chunk);
        }
        if count > 0 && index < self.len {
            self.merge_around(index);
        }
    }

    /// Frees chunks from the head on while `left` allocations may be freed; true when none of the
    /// items is left.
    pub(crate) fn free_some(&mut self, left: &mut usize) -> bool {
        while *left > 0 && self.len > 0 {
            *left -= 1;
            self.remove(0, self.chunks.at(0).len());
        }
        self.len == 0
    }

    /// Says that the list is a quicklist to those who ask.
    pub fn set_quicklist(&mut self) {
        self.quicklist = true;
    }

    /// Whether the list is few bytes in a single chunk, and not to be called a quicklist.
    pub fn fits(&self, bytes: usize) -> bool {
        !self.quicklist && self.chunks.len() == 1 && self.chunks.at(0).bytes() <= bytes
    }

    /// Makes the list a quicklist if `count` more items of `bytes` bytes in all go beyond what
    /// list-max-listpack-size allows a listpack. Commands call it before they add items.
    pub fn will_grow(&mut self, fill: Fill, count: usize, bytes: usize) {
        if !self.quicklist {
            self.quicklist = fill.is_exceeded(self.listpack_bytes() + bytes, self.len + count);
        }
    }

    /// Makes the list a listpack again if it has become small enough. Commands call it after
    /// they have removed items.
    pub fn has_shrunk(&mut self, fill: Fill) {
        if self.quicklist && self.fits_one_node(fill) {
            self.quicklist = !fill.is_far_below(self.listpack_bytes(), self.len);
        }
    }

    /// Chooses the encoding of a list that was built whole.
    pub fn settle(&mut self, fill: Fill) {
        self.quicklist = fill.is_exceeded(self.listpack_bytes(), self.len);
    }

    /// What OBJECT ENCODING answers.
    pub fn encoding(&self) -> &'static str {
        if self.quicklist {
            "quicklist"
        } else {
            "listpack"
        }
    }

    /// How many items there are.
    pub const fn len(&self) -> usize {
        self.len
    }

    /// Whether there is none.
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// How many chunks hold the items.
    pub fn chunk_count(&self) -> usize {
        self.chunks.len()
    }

    /// One of the runs of items that the list is made of, in order. None is empty, unless it is
    /// the only one.
    pub fn chunk(&self, index: usize) -> &Packed {
        self.chunks.at(index)
    }

    /// Bytes of the list's allocations.
    pub fn memory(&self) -> usize {
        self.heap
            + match &self.chunks {
                Chunks::One(_) => 0,
                Chunks::Many(many) => {
                    alloc_size(many.capacity() * size_of::<Rc<Packed>>())
                        + many.len() * alloc_size(RC_BYTES + size_of::<Packed>())
                }
            }
    }

    /// The item at the head.
    pub fn front(&self) -> Option<&[u8]> {
        self.chunks.at(0).front()
    }

    /// The item at the tail.
    pub fn back(&self) -> Option<&[u8]> {
        self.chunks.at(self.chunks.len() - 1).back()
    }

    /// The item at `index`.
    pub fn get(&self, index: usize) -> Option<&[u8]> {
        if index >= self.len {
            return None;
        }
        let (chunk, offset) = self.locate(index);
        self.chunks.at(chunk).get(offset)
    }

    /// The items from head to tail.
    pub fn iter(&self) -> QuicklistIter<'_> {
        self.range(0, self.len)
    }

    /// The items from `from` to just before `to`.
    pub fn range(&self, from: usize, to: usize) -> QuicklistIter<'_> {
        assert!(from <= to, "a range runs forwards");
        assert!(to <= self.len, "a range ends with the items");
        if from == to {
            return QuicklistIter {
                chunks: &self.chunks,
                front: EMPTY.iter(),
                middle: 0..0,
                back: EMPTY.iter(),
                left: 0,
            };
        }
        let (first, start) = self.locate(from);
        let (last, end) = self.locate(to - 1);
        let (front, back) = if first == last {
            (self.chunks.at(first).range(start, end + 1), EMPTY.iter())
        } else {
            let first = self.chunks.at(first);
            (
                first.range(start, first.len()),
                self.chunks.at(last).range(0, end + 1),
            )
        };
        QuicklistIter {
            chunks: &self.chunks,
            front,
            middle: first + 1..last.max(first + 1),
            back,
            left: to - from,
        }
    }

    /// Panics if the list contradicts itself.
    pub fn check_invariants(&self) {
        let chunks = || (0..self.chunks.len()).map(|index| self.chunks.at(index));
        assert_eq!(self.len, chunks().map(Packed::len).sum::<usize>());
        assert_eq!(self.heap, chunks().map(Packed::memory).sum::<usize>());
        let listpack = self.iter().map(listpack_entry_size).sum::<usize>();
        assert_eq!(self.listpack, listpack);
        if self.chunks.len() > 1 {
            assert!(chunks().all(|chunk| !chunk.is_empty()));
        }
    }

    fn back_is_full(&self, item: &[u8]) -> bool {
        let chunk = self.chunks.at(self.chunks.len() - 1);
        !chunk.is_empty() && chunk.bytes() + item_size(item.len()) > LIST_CHUNK_BYTES
    }

    fn front_is_full(&self, item: &[u8]) -> bool {
        let chunk = self.chunks.at(0);
        !chunk.is_empty() && chunk.bytes() + item_size(item.len()) > LIST_CHUNK_BYTES
    }

    fn resize_chunk(&mut self, index: usize, change: impl FnOnce(&mut Packed)) {
        let chunk = self.chunks.at_mut(index);
        self.heap -= chunk.memory();
        change(chunk);
        self.heap += chunk.memory();
    }

    fn drop_if_empty(&mut self, index: usize) {
        if self.chunks.at(index).is_empty()
            && let Some(chunk) = self.chunks.remove(index)
        {
            self.heap -= chunk.memory();
        }
    }

    /// Splits a chunk into which the item at `offset` was put.
    fn split_if_long(&mut self, index: usize, offset: usize) {
        let chunk = self.chunks.at(index);
        if chunk.bytes() <= LIST_CHUNK_BYTES || chunk.len() == 1 {
            return;
        }
        let long = chunk
            .get(offset)
            .is_some_and(|item| item.len() > LIST_CHUNK_BYTES / 2);
        if !long {
            return self.split_chunk(index, chunk.len() / 2);
        }
        if offset + 1 < chunk.len() {
            self.split_chunk(index, offset + 1);
        }
        if offset > 0 {
            self.split_chunk(index, offset);
        }
    }

    fn split_chunk(&mut self, index: usize, offset: usize) {
        let mut tail = Packed::new();
        self.resize_chunk(index, |chunk| tail = chunk.split_off(offset));
        self.heap += tail.memory();
        self.chunks.many().insert(index + 1, Rc::new(tail));
    }

    /// Joins the chunk that holds the item at `index` with the one before it if they are small.
    fn merge_around(&mut self, index: usize) {
        let (chunk, _) = self.locate(index);
        let Some(before) = chunk.checked_sub(1) else {
            return;
        };
        let bytes = self.chunks.at(before).bytes() + self.chunks.at(chunk).bytes();
        if bytes <= LIST_CHUNK_BYTES / 2 {
            self.merge_with_next(before);
        }
    }

    fn merge_with_next(&mut self, index: usize) {
        let gone = self.chunks.remove(index + 1);
        let gone = gone.expect("there are two chunks at least");
        self.heap -= gone.memory();
        self.resize_chunk(index, |into| {
            gone.iter().for_each(|item| into.push_back(item))
        });
    }

    /// The chunk of the item at `index` and the item's index in it, found from the nearer end.
    fn locate(&self, index: usize) -> (usize, usize) {
        debug_assert!(index < self.len);
        let mut offset = index;
        if index < self.len / 2 {
            for chunk in 0..self.chunks.len() {
                let len = self.chunks.at(chunk).len();
                if offset < len {
                    return (chunk, offset);
                }
                offset -= len;
            }
        } else {
            let mut behind = self.len;
            for chunk in (0..self.chunks.len()).rev() {
                behind -= self.chunks.at(chunk).len();
                if behind <= index {
                    return (chunk, index - behind);
                }
            }
        }
        unreachable!("the chunks hold as many items as the list counts")
    }

    fn listpack_bytes(&self) -> usize {
        LISTPACK_FRAME_BYTES + self.listpack
    }

    /// Redis makes a listpack only of a quicklist that has come down to a single node.
    fn fits_one_node(&self, fill: Fill) -> bool {
        self.chunks.len() == 1
            || fill
                .node_bytes()
                .is_some_and(|node| node > LIST_CHUNK_BYTES)
    }
}

impl Default for Quicklist {
    fn default() -> Self {
        Self::new()
    }
}

impl Chunks {
    fn len(&self) -> usize {
        match self {
            Self::One(_) => 1,
            Self::Many(many) => many.len(),
        }
    }

    fn at(&self, index: usize) -> &Packed {
        match self {
            Self::One(chunk) => {
                debug_assert!(index == 0);
                chunk
            }
            Self::Many(many) => &many[index],
        }
    }

    fn at_mut(&mut self, index: usize) -> &mut Packed {
        match self {
            Self::One(chunk) => {
                debug_assert!(index == 0);
                chunk
            }
            Self::Many(many) => Rc::make_mut(&mut many[index]),
        }
    }

    fn many(&mut self) -> &mut VecDeque<Rc<Packed>> {
        if let Self::One(chunk) = self {
            *self = Self::Many(VecDeque::from([Rc::new(core::mem::take(chunk))]));
        }
        match self {
            Self::Many(many) => many,
            Self::One(_) => unreachable!("the single chunk was moved into a deque above"),
        }
    }

    /// Takes a chunk out, unless it is the only one.
    fn remove(&mut self, index: usize) -> Option<Rc<Packed>> {
        let Self::Many(many) = self else { return None };
        if many.len() == 1 {
            return None;
        }
        let gone = many.remove(index);
        if many.len() == 1
            && let Some(last) = many.pop_front()
        {
            *self = Self::One(Rc::unwrap_or_clone(last));
        } else if many.capacity() > 4 * many.len() {
            many.shrink_to(2 * many.len());
        }
        gone
    }
}

/// Items of a [`Quicklist`], from either end.
#[derive(Clone, Debug)]
pub struct QuicklistIter<'a> {
    chunks: &'a Chunks,
    front: PackedIter<'a>,
    /// The chunks between those that `front` and `back` walk.
    middle: core::ops::Range<usize>,
    back: PackedIter<'a>,
    left: usize,
}

impl<'a> Iterator for QuicklistIter<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        self.left = self.left.checked_sub(1)?;
        loop {
            if let Some(item) = self.front.next() {
                return Some(item);
            }
            match self.middle.next() {
                Some(chunk) => self.front = self.chunks.at(chunk).iter(),
                None => return self.back.next(),
            }
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left, Some(self.left))
    }
}

impl DoubleEndedIterator for QuicklistIter<'_> {
    fn next_back(&mut self) -> Option<Self::Item> {
        self.left = self.left.checked_sub(1)?;
        loop {
            if let Some(item) = self.back.next_back() {
                return Some(item);
            }
            match self.middle.next_back() {
                Some(chunk) => self.back = self.chunks.at(chunk).iter(),
                None => return self.front.next_back(),
            }
        }
    }
}

impl ExactSizeIterator for QuicklistIter<'_> {}

static EMPTY: Packed = Packed::new();

/// A listpack's header and end mark.
pub(super) const LISTPACK_FRAME_BYTES: usize = 7;
/// What a shared allocation has beside its content: two counts.
const RC_BYTES: usize = 16;
