//! A run of byte strings in one allocation.

use super::{alloc_size, varint};

/// Byte strings in a row, in one allocation, read from either end and cheap to lengthen and
/// shorten at both.
///
/// Each item lies between two copies of its length: one in front, and one behind with its bytes
/// reversed, for walking backwards.
#[derive(Debug, Default)]
pub struct Packed {
    /// Free room, then the items.
    buf: Vec<u8>,
    /// Where the items start.
    start: usize,
    len: usize,
}

impl Clone for Packed {
    /// A copy takes as many bytes as its origin, free room and all: what holds runs has counted
    /// them already.
    fn clone(&self) -> Self {
        let mut buf = Vec::with_capacity(self.buf.capacity());
        buf.extend_from_slice(&self.buf);
        Self { buf, ..*self }
    }
}

impl Packed {
    /// An empty run, without an allocation.
    pub const fn new() -> Self {
        Self {
            buf: Vec::new(),
            start: 0,
            len: 0,
        }
    }

    /// Adds an item behind the others.
    pub fn push_back(&mut self, item: &[u8]) {
        let need = item_size(item.len());
        if self.buf.capacity() - self.buf.len() < need {
            self.make_room_behind(need);
        }
        let (prefix, width) = varint::encode(item.len());
        self.buf.extend_from_slice(&prefix[..width]);
        self.buf.extend_from_slice(item);
        self.buf.extend(prefix[..width].iter().rev());
        self.len += 1;
    }

    /// Adds an item in front of the others.
    pub fn push_front(&mut self, item: &[u8]) {
        let need = item_size(item.len());
        if self.start < need {
            self.make_room_in_front(need);
        }
        self.start -= need;
        write_item(&mut self.buf[self.start..self.start + need], item);
        self.len += 1;
    }

    /// Puts an item before the one at `index`, or at the end if there are just as many.
    pub fn insert(&mut self, index: usize, item: &[u8]) {
        assert!(index <= self.len, "an item is inserted among the others");
        if index == 0 {
            return self.push_front(item);
        }
        if index == self.len {
            return self.push_back(item);
        }
        let at = self.offset_of(index);
        let mut bytes = vec![0; item_size(item.len())];
        write_item(&mut bytes, item);
        self.splice(at, at, &bytes);
        self.len += 1;
    }

    /// Puts an item in the place of another.
    pub fn replace(&mut self, index: usize, item: &[u8]) {
        assert!(index < self.len, "only what is there is replaced");
        let at = self.offset_of(index);
        let end = at + item_size(self.item_at(at).len());
        let mut bytes = vec![0; item_size(item.len())];
        write_item(&mut bytes, item);
        self.splice(at, end, &bytes);
    }

    /// Removes `count` items from the one at `index` on.
    pub fn remove(&mut self, index: usize, count: usize) {
        assert!(index + count <= self.len, "only what is there is removed");
        if count == 0 {
            return;
        }
        let from = self.offset_of(index);
        let mut to = from;
        for _ in 0..count {
            to += item_size(self.item_at(to).len());
        }
        self.len -= count;
        if from == self.start {
            self.start = to;
        } else if to == self.buf.len() {
            self.buf.truncate(from);
        } else {
            self.buf.drain(from..to);
        }
        self.give_back_room();
    }

    /// Removes the first item.
    pub fn drop_front(&mut self) {
        if let Some(item) = self.front() {
            self.start += item_size(item.len());
            self.len -= 1;
            self.give_back_room();
        }
    }

    /// Removes the last item.
    pub fn drop_back(&mut self) {
        if let Some(item) = self.back() {
            self.buf.truncate(self.buf.len() - item_size(item.len()));
            self.len -= 1;
            self.give_back_room();
        }
    }

    /// Moves the items from `index` on into a run of their own.
    pub fn split_off(&mut self, index: usize) -> Self {
        let at = self.offset_of(index);
        let tail = Self {
            buf: self.buf[at..].to_vec(),
            start: 0,
            len: self.len - index,
        };
        self.buf.truncate(at);
        self.len = index;
        self.give_back_room();
        tail
    }

    /// Gives back the room kept for growth.
    pub fn shrink(&mut self) {
        self.buf.drain(..self.start);
        self.start = 0;
        self.buf.shrink_to_fit();
    }

    /// The first item.
    pub fn front(&self) -> Option<&[u8]> {
        (self.len > 0).then(|| self.item_at(self.start))
    }

    /// The last item.
    pub fn back(&self) -> Option<&[u8]> {
        (self.len > 0).then(|| self.item_before(self.buf.len()))
    }

    /// The item at `index`.
    pub fn get(&self, index: usize) -> Option<&[u8]> {
        (index < self.len).then(|| self.item_at(self.offset_of(index)))
    }

    /// How many items there are.
    pub const fn len(&self) -> usize {
        self.len
    }

    /// Whether there is none.
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Bytes the items take.
    pub fn bytes(&self) -> usize {
        self.buf.len() - self.start
    }

    /// Bytes of the allocation.
    pub fn memory(&self) -> usize {
        alloc_size(self.buf.capacity())
    }

    /// The items in order.
    pub fn iter(&self) -> PackedIter<'_> {
        self.range(0, self.len)
    }

    /// The items from `from` to just before `to`, in order.
    pub fn range(&self, from: usize, to: usize) -> PackedIter<'_> {
        assert!(from <= to, "a range runs forwards");
        assert!(to <= self.len, "a range ends with the items");
        let (front, back) = if from == to {
            (self.start, self.start)
        } else {
            (self.offset_of(from), self.offset_of(to))
        };
        PackedIter {
            packed: self,
            front,
            back,
            left: to - from,
        }
    }

    /// Where the item at `index` starts, found from the nearer end.
    fn offset_of(&self, index: usize) -> usize {
        if index <= self.len / 2 {
            let mut at = self.start;
            for _ in 0..index {
                at += item_size(self.item_at(at).len());
            }
            at
        } else {
            let mut at = self.buf.len();
            for _ in index..self.len {
                at -= item_size(self.item_before(at).len());
            }
            at
        }
    }

    fn item_at(&self, at: usize) -> &[u8] {
        let (len, width) = varint::decode(&self.buf[at..]);
        &self.buf[at + width..at + width + len]
    }

    fn item_before(&self, end: usize) -> &[u8] {
        let (len, width) = varint::decode_long(self.buf[..end].iter().rev());
        &self.buf[end - width - len..end - width]
    }

    /// Replaces the bytes from `from` to `to`.
    fn splice(&mut self, from: usize, to: usize, with: &[u8]) {
        if let Some(more) = with.len().checked_sub(to - from)
            && self.buf.capacity() - self.buf.len() < more
        {
            let wanted = alloc_size(self.buf.len() + more);
            self.buf.reserve_exact(wanted - self.buf.len());
        }
        self.buf.splice(from..to, with.iter().copied());
        self.give_back_room();
    }

    #[cold]
    fn make_room_behind(&mut self, need: usize) {
        if self.start >= self.bytes() / 2 {
            self.buf.drain(..self.start);
            self.start = 0;
        }
        let wanted = alloc_size(self.buf.len() + need);
        self.buf.reserve_exact(wanted - self.buf.len());
    }

    #[cold]
    fn make_room_in_front(&mut self, need: usize) {
        let live = self.bytes();
        let total = alloc_size(need + live + live / 4);
        let mut buf = Vec::with_capacity(total);
        buf.resize(total - live, 0);
        buf.extend_from_slice(&self.buf[self.start..]);
        self.start = total - live;
        self.buf = buf;
    }

    /// Keeps the allocation within a small multiple of what the items need.
    fn give_back_room(&mut self) {
        if self.buf.capacity() > 2 * alloc_size(self.bytes()) + ROOM_KEPT {
            self.shrink();
        }
    }
}

impl PartialEq for Packed {
    /// Equal items are an equal run, however much room there is.
    fn eq(&self, other: &Self) -> bool {
        self.buf[self.start..] == other.buf[other.start..]
    }
}

impl Eq for Packed {}

/// Items of a [`Packed`] run, from either end.
#[derive(Clone, Debug)]
pub struct PackedIter<'a> {
    packed: &'a Packed,
    front: usize,
    back: usize,
    left: usize,
}

impl<'a> Iterator for PackedIter<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        self.left = self.left.checked_sub(1)?;
        let item = self.packed.item_at(self.front);
        self.front += item_size(item.len());
        Some(item)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left, Some(self.left))
    }
}

impl DoubleEndedIterator for PackedIter<'_> {
    fn next_back(&mut self) -> Option<Self::Item> {
        self.left = self.left.checked_sub(1)?;
        let item = self.packed.item_before(self.back);
        self.back -= item_size(item.len());
        Some(item)
    }
}

impl ExactSizeIterator for PackedIter<'_> {}

/// Bytes an item of `len` bytes takes with both its lengths.
pub(super) const fn item_size(len: usize) -> usize {
    len + 2 * varint::width(len)
}

fn write_item(into: &mut [u8], item: &[u8]) {
    let (prefix, width) = varint::encode(item.len());
    let end = into.len();
    into[..width].copy_from_slice(&prefix[..width]);
    into[width..end - width].copy_from_slice(item);
    for (place, byte) in into[end - width..].iter_mut().rev().zip(&prefix[..width]) {
        *place = *byte;
    }
}

/// Room below which giving it back is not worth a copy.
const ROOM_KEPT: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::collection::vec;
    use proptest::prelude::*;
    use std::collections::VecDeque;

    #[derive(Clone, Debug)]
    enum Op {
        PushBack(Vec<u8>),
        PushFront(Vec<u8>),
        Insert(usize, Vec<u8>),
        Replace(usize, Vec<u8>),
        Remove(usize, usize),
        DropFront,
        DropBack,
        SplitOff(usize),
        Shrink,
    }

    fn item() -> impl Strategy<Value = Vec<u8>> {
        prop_oneof![
            8 => vec(any::<u8>(), 0..12),
            1 => vec(any::<u8>(), 120..140),
            1 => vec(any::<u8>(), 16_380..16_390),
        ]
    }

    fn op() -> impl Strategy<Value = Op> {
        prop_oneof![
            4 => item().prop_map(Op::PushBack),
            4 => item().prop_map(Op::PushFront),
            2 => (0..64usize, item()).prop_map(|(at, item)| Op::Insert(at, item)),
            2 => (0..64usize, item()).prop_map(|(at, item)| Op::Replace(at, item)),
            1 => (0..64usize, 0..8usize).prop_map(|(at, count)| Op::Remove(at, count)),
            3 => Just(Op::DropFront),
            3 => Just(Op::DropBack),
            1 => (0..64usize).prop_map(Op::SplitOff),
            1 => Just(Op::Shrink),
        ]
    }

    fn apply(packed: &mut Packed, model: &mut VecDeque<Vec<u8>>, op: Op) {
        match op {
            Op::PushBack(item) => {
                packed.push_back(&item);
                model.push_back(item);
            }
            Op::PushFront(item) => {
                packed.push_front(&item);
                model.push_front(item);
            }
            Op::Insert(at, item) => {
                let at = at % (model.len() + 1);
                packed.insert(at, &item);
                model.insert(at, item);
            }
            Op::Replace(at, item) => {
                if !model.is_empty() {
                    let at = at % model.len();
                    packed.replace(at, &item);
                    model[at] = item;
                }
            }
            Op::Remove(at, count) => {
                let at = at % (model.len() + 1);
                let count = count.min(model.len() - at);
                packed.remove(at, count);
                model.drain(at..at + count);
            }
            Op::DropFront => {
                packed.drop_front();
                model.pop_front();
            }
            Op::DropBack => {
                packed.drop_back();
                model.pop_back();
            }
            Op::SplitOff(at) => {
                let at = at % (model.len() + 1);
                let tail = packed.split_off(at);
                let expected = model.split_off(at);
                assert!(tail.iter().eq(expected.iter().map(Vec::as_slice)));
            }
            Op::Shrink => packed.shrink(),
        }
    }

    proptest! {
        #[test]
        fn a_run_behaves_as_a_deque_does(ops in vec(op(), 0..120)) {
            let mut packed = Packed::new();
            let mut model = VecDeque::new();
            for op in ops {
                apply(&mut packed, &mut model, op);
                prop_assert_eq!(packed.len(), model.len());
                prop_assert!(packed.iter().eq(model.iter().map(Vec::as_slice)));
                prop_assert!(packed.iter().rev().eq(model.iter().rev().map(Vec::as_slice)));
                prop_assert_eq!(packed.front(), model.front().map(Vec::as_slice));
                prop_assert_eq!(packed.back(), model.back().map(Vec::as_slice));
                let middle = model.len() / 2;
                prop_assert_eq!(packed.get(middle), model.get(middle).map(Vec::as_slice));
                let bytes = model.iter().map(|item| item_size(item.len())).sum::<usize>();
                prop_assert_eq!(packed.bytes(), bytes);
                prop_assert!(packed.memory() <= 3 * alloc_size(bytes) + 2 * ROOM_KEPT);
            }
        }
    }
}
