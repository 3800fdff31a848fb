//! Small collections as bytes that lie behind other bytes in one allocation.

use super::table::KeyHasher;
use super::varint;
use crate::limits::{PACK_BYTES_MAX, PACK_ITEMS_MAX};

/// The end of an allocation: bytes of a value, behind `base` bytes that belong to whoever keeps
/// it. The keyspace keeps a key there.
#[derive(Clone, Debug, Default)]
pub struct Tail {
    buf: Vec<u8>,
    base: usize,
}

impl Tail {
    /// Takes an allocation of which the first `base` bytes are not the value's.
    pub fn new(buf: Vec<u8>, base: usize) -> Self {
        assert!(base <= buf.len(), "a tail begins inside its allocation");
        Self { buf, base }
    }

    /// The allocation, and how many of its bytes are not the value's.
    pub fn into_parts(self) -> (Vec<u8>, usize) {
        (self.buf, self.base)
    }

    /// The value's bytes.
    #[inline]
    pub fn bytes(&self) -> &[u8] {
        &self.buf[self.base..]
    }

    /// The value's bytes, to change without a change of length.
    #[inline]
    pub fn bytes_mut(&mut self) -> &mut [u8] {
        &mut self.buf[self.base..]
    }

    /// Makes `old` bytes at `at` into `new` bytes and lends them; what was there may still be.
    pub fn resize(&mut self, at: usize, old: usize, new: usize) -> &mut [u8] {
        let (from, len) = (self.base + at, self.buf.len());
        assert!(from + old <= len, "only what is there is replaced");
        if new > old {
            let more = new - old;
            if self.base == 0 {
                self.buf.reserve(more);
            } else {
                // Its owner keeps it without room to spare.
                self.buf.reserve_exact(more);
            }
            self.buf.resize(len + more, 0);
            self.buf.copy_within(from + old..len, from + new);
        } else {
            self.buf.copy_within(from + old.., from + new);
            self.buf.truncate(len - (old - new));
        }
        &mut self.buf[from..from + new]
    }
}

/// Byte strings one behind the other, each behind its length, with their number in front of all:
/// the small form of most collections.
#[derive(Clone, Debug, Default)]
pub struct Pack(Tail);

/// A [`Pack`] to read.
#[derive(Clone, Copy, Debug)]
pub struct PackRef<'a>(&'a [u8]);

impl Pack {
    /// An empty pack, without an allocation.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes bytes that were a pack before.
    pub fn from_tail(tail: Tail) -> Self {
        Self(tail)
    }

    /// Gives its bytes away.
    pub fn into_tail(self) -> Tail {
        self.0
    }

    /// Lends it.
    #[inline]
    pub fn as_ref(&self) -> PackRef<'_> {
        PackRef(self.0.bytes())
    }

    /// Adds an item behind the others.
    pub fn push(&mut self, item: &[u8]) {
        self.insert(self.as_ref().end(), item);
    }

    /// Puts an item at a position, before the one that lies there, and returns the position
    /// behind it.
    pub fn insert(&mut self, at: usize, item: &[u8]) -> usize {
        let len = self.as_ref().len();
        assert!(len < PACK_ITEMS_MAX, "a pack is left before it is full");
        if self.0.bytes().is_empty() {
            self.0.resize(0, 0, COUNT_BYTES);
        }
        let size = item_size(item);
        write_item(self.0.resize(at, 0, size), item);
        self.set_len(len + 1);
        at + size
    }

    /// Puts an item in the place of the one at a position, and returns the position behind it.
    pub fn replace(&mut self, at: usize, item: &[u8]) -> usize {
        let (_, end) = self.as_ref().item(at);
        let size = item_size(item);
        write_item(self.0.resize(at, end - at, size), item);
        at + size
    }

    /// Removes `count` items from the one at a position on.
    pub fn remove(&mut self, at: usize, count: usize) {
        let mut end = at;
        for _ in 0..count {
            (_, end) = self.as_ref().item(end);
        }
        self.0.resize(at, end - at, 0);
        self.set_len(self.as_ref().len() - count);
    }

    fn set_len(&mut self, len: usize) {
        let count = u16::try_from(len).expect("a pack is left before it is full");
        self.0.bytes_mut()[..COUNT_BYTES].copy_from_slice(&count.to_le_bytes());
    }
}

impl<'a> PackRef<'a> {
    /// Reads bytes that a [`Pack`] wrote.
    #[inline]
    pub fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    /// The bytes, as [`Pack::from_tail`] takes them.
    pub fn bytes(self) -> &'a [u8] {
        self.0
    }

    /// How many items there are.
    #[inline]
    pub fn len(self) -> usize {
        let count = self.0.first_chunk();
        count.map_or(0, |&count| usize::from(u16::from_le_bytes(count)))
    }

    /// Whether there is none.
    #[inline]
    pub fn is_empty(self) -> bool {
        self.len() == 0
    }

    /// Whether there is room for `items` more of `bytes` bytes in all.
    pub fn has_room(self, items: usize, bytes: usize) -> bool {
        // Beside its bytes, an item has its length.
        let more = bytes + items * varint::width(PACK_BYTES_MAX);
        self.len() + items <= PACK_ITEMS_MAX && self.0.len() + more <= PACK_BYTES_MAX
    }

    /// The position of the first item.
    #[inline]
    pub fn start(self) -> usize {
        COUNT_BYTES
    }

    /// The position behind the last item.
    #[inline]
    pub fn end(self) -> usize {
        self.0.len().max(COUNT_BYTES)
    }

    /// The item at a position, and the position behind it.
    #[inline]
    pub fn item(self, at: usize) -> (&'a [u8], usize) {
        let (len, width) = varint::decode(&self.0[at..]);
        let end = at + width + len;
        (&self.0[at + width..end], end)
    }

    /// The position of the first item that equals `item`, looking at every `stride`-th from the
    /// first on; there are a multiple of `stride` items.
    #[inline]
    pub fn find(self, item: &[u8], stride: usize) -> Option<usize> {
        let mut at = self.start();
        while at < self.0.len() {
            let (found, mut end) = self.item(at);
            if found == item {
                return Some(at);
            }
            for _ in 1..stride {
                (_, end) = self.item(end);
            }
            at = end;
        }
        None
    }

    /// The position of the item with this index.
    pub fn position(self, index: usize) -> Option<usize> {
        if index >= self.len() {
            return None;
        }
        let mut at = self.start();
        for _ in 0..index {
            (_, at) = self.item(at);
        }
        Some(at)
    }

    /// Whether some item is there twice, looking at every `stride`-th as [`find`](Self::find) does.
    pub fn has_twins(self, stride: usize, hasher: &KeyHasher) -> bool {
        if self.len() / stride > ITEMS_COMPARED_MAX {
            let items = self.iter().step_by(stride);
            let mut hashes: Vec<u64> = items.map(|item| hasher.hash(item)).collect();
            hashes.sort_unstable();
            if hashes.windows(2).all(|pair| pair[0] != pair[1]) {
                return false;
            }
        }
        let mut at = self.start();
        while at < self.end() {
            let (item, mut end) = self.item(at);
            if self.find(item, stride) != Some(at) {
                return true;
            }
            for _ in 1..stride {
                (_, end) = self.item(end);
            }
            at = end;
        }
        false
    }

    /// The items in order.
    #[inline]
    pub fn iter(self) -> PackIter<'a> {
        PackIter {
            pack: self,
            at: self.start(),
            left: self.len(),
        }
    }
}

impl<'a> IntoIterator for PackRef<'a> {
    type Item = &'a [u8];
    type IntoIter = PackIter<'a>;

    fn into_iter(self) -> PackIter<'a> {
        self.iter()
    }
}

/// The items of a [`Pack`] in order.
#[derive(Clone, Debug)]
pub struct PackIter<'a> {
    pack: PackRef<'a>,
    at: usize,
    left: usize,
}

impl<'a> Iterator for PackIter<'a> {
    type Item = &'a [u8];

    #[inline]
    fn next(&mut self) -> Option<&'a [u8]> {
        self.left = self.left.checked_sub(1)?;
        let (item, end) = self.pack.item(self.at);
        self.at = end;
        Some(item)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left, Some(self.left))
    }
}

impl ExactSizeIterator for PackIter<'_> {}

fn item_size(item: &[u8]) -> usize {
    varint::width(item.len()) + item.len()
}

fn write_item(into: &mut [u8], item: &[u8]) {
    let (prefix, width) = varint::encode(item.len());
    into[..width].copy_from_slice(&prefix[..width]);
    into[width..].copy_from_slice(item);
}

const COUNT_BYTES: usize = 2;
/// Up to so many items are compared with each other; of more, their hashes are compared.
const ITEMS_COMPARED_MAX: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::collection::vec;
    use proptest::prelude::*;

    #[derive(Clone, Debug)]
    enum Op {
        Push(Vec<u8>),
        Insert(usize, Vec<u8>),
        Replace(usize, Vec<u8>),
        Remove(usize, usize),
        MoveToAnotherBase,
    }

    fn item() -> impl Strategy<Value = Vec<u8>> {
        prop_oneof![4 => vec(any::<u8>(), 0..6), 1 => vec(any::<u8>(), 120..300)]
    }

    fn op() -> impl Strategy<Value = Op> {
        prop_oneof![
            4 => item().prop_map(Op::Push),
            3 => (0..64_usize, item()).prop_map(|(at, item)| Op::Insert(at, item)),
            3 => (0..64_usize, item()).prop_map(|(at, item)| Op::Replace(at, item)),
            3 => (0..64_usize, 0..4_usize).prop_map(|(at, count)| Op::Remove(at, count)),
            1 => Just(Op::MoveToAnotherBase),
        ]
    }

    fn apply(pack: &mut Pack, model: &mut Vec<Vec<u8>>, op: Op) {
        let position = |pack: &Pack, index| {
            let pack = pack.as_ref();
            pack.position(index).unwrap_or(pack.end())
        };
        match op {
            Op::Push(item) => {
                pack.push(&item);
                model.push(item);
            }
            Op::Insert(index, item) => {
                let index = index % (model.len() + 1);
                pack.insert(position(pack, index), &item);
                model.insert(index, item);
            }
            Op::Replace(index, item) => {
                if !model.is_empty() {
                    let index = index % model.len();
                    pack.replace(position(pack, index), &item);
                    model[index] = item;
                }
            }
            Op::Remove(index, count) => {
                let index = index % (model.len() + 1);
                let count = count.min(model.len() - index);
                if count > 0 {
                    pack.remove(position(pack, index), count);
                    model.drain(index..index + count);
                }
            }
            Op::MoveToAnotherBase => {
                let (buf, base) = core::mem::take(pack).into_tail().into_parts();
                let mut moved = b"key".to_vec();
                moved.extend_from_slice(&buf[base..]);
                *pack = Pack::from_tail(Tail::new(moved, 3));
            }
        }
    }

    proptest! {
        #[test]
        fn a_pack_behaves_as_a_vector_does(ops in vec(op(), 0..80)) {
            let mut pack = Pack::new();
            let mut model: Vec<Vec<u8>> = Vec::new();
            for op in ops {
                apply(&mut pack, &mut model, op);
                let read = pack.as_ref();
                prop_assert_eq!(read.len(), model.len());
                prop_assert!(read.iter().eq(model.iter().map(Vec::as_slice)));
                for stride in (1..3).filter(|stride| model.len() % stride == 0) {
                    for wanted in &model {
                        let index = model.iter().step_by(stride).position(|item| item == wanted);
                        let at = index.and_then(|index| read.position(index * stride));
                        prop_assert_eq!(read.find(wanted, stride), at);
                    }
                }
            }
        }
    }
}
