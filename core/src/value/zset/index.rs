//! Finds the record of a member: a hash table that grows a segment at a time.

use std::rc::Rc;

use hashbrown::HashTable;

use super::records::RecordId;
use crate::limits::ZSET_SEGMENT_ENTRIES;
use crate::value::alloc_size;

/// Records by the hash of their members.
///
/// The top bits of a hash choose its segment. There are as many segments as the number of records
/// asks for: the next one takes half of the range of the segment whose turn it is, so that no
/// step costs more than one segment. Segments are numbered by the bits of their range, reversed.
#[derive(Clone, Debug)]
pub(super) struct Index {
    segments: Vec<Rc<HashTable<u32>>>,
    len: usize,
    /// Bytes of the segments.
    heap: usize,
}

impl Index {
    pub(super) fn new() -> Self {
        Self {
            segments: vec![Rc::new(HashTable::new())],
            len: 0,
            heap: SEGMENT_SELF_BYTES,
        }
    }

    /// The record with this hash that `eq` accepts.
    #[inline]
    pub(super) fn find(&self, hash: u64, eq: impl Fn(RecordId) -> bool) -> Option<RecordId> {
        let segment = &self.segments[self.segment_of(hash)];
        let found = segment.find(spread(hash), |&id| eq(RecordId(id)));
        found.map(|&id| RecordId(id))
    }

    /// Adds a record that is not there yet; `hash_of` gives the hash of any record.
    pub(super) fn insert(&mut self, hash: u64, id: RecordId, hash_of: impl Fn(RecordId) -> u64) {
        let at = self.segment_of(hash);
        self.change(at, |segment| {
            segment.insert_unique(spread(hash), id.0, |&id| spread(hash_of(RecordId(id))));
        });
        self.len += 1;
        if self.len > self.segments.len() * ZSET_SEGMENT_ENTRIES {
            self.split(hash_of);
        }
    }

    /// Removes a record.
    pub(super) fn remove(&mut self, hash: u64, id: RecordId, hash_of: impl Fn(RecordId) -> u64) {
        let at = self.segment_of(hash);
        let segment = Rc::make_mut(&mut self.segments[at]);
        let entry = segment.find_entry(spread(hash), |&found| found == id.0);
        entry.expect("every record is in the index").remove();
        self.len -= 1;
        let few = self.segments.len() * ZSET_SEGMENT_ENTRIES / SHRINK;
        if self.len < few && self.segments.len() > 1 {
            self.merge(hash_of);
        }
    }

    /// Gives a record another id.
    pub(super) fn replace(&mut self, hash: u64, from: RecordId, to: RecordId) {
        let at = self.segment_of(hash);
        let segment = Rc::make_mut(&mut self.segments[at]);
        let slot = segment.find_mut(spread(hash), |&found| found == from.0);
        *slot.expect("every record is in the index") = to.0;
    }

    /// Calls `visit` with about `count` records from a cursor on, in order of their hashes, and
    /// returns the cursor that goes on behind them; 0 at the end.
    ///
    /// A cursor is a position: the top bits of a hash. Records at one position are visited
    /// together, so a record is visited by just one call, whatever else comes and goes.
    pub(super) fn scan(
        &self,
        cursor: u64,
        count: usize,
        hash_of: impl Fn(RecordId) -> u64,
        mut visit: impl FnMut(RecordId),
    ) -> u64 {
        let (mut cursor, mut left) = (cursor, count.max(1));
        while cursor < CURSOR_END {
            let hash = cursor << CURSOR_SHIFT;
            let (at, depth) = self.segment_and_depth(hash);
            let narrow = CURSOR_BITS - depth;
            let end = ((cursor >> narrow) + 1) << narrow;
            let position = |id: u32| hash_of(RecordId(id)) >> CURSOR_SHIFT;
            let here = self.segments[at].iter().map(|&id| (position(id), id));
            let mut here: Vec<(u64, u32)> = here.filter(|found| found.0 >= cursor).collect();
            here.sort_unstable();
            let mut last = None;
            for (position, id) in here {
                if left == 0 && last != Some(position) {
                    return position;
                }
                last = Some(position);
                left = left.saturating_sub(1);
                visit(RecordId(id));
            }
            cursor = end;
            if left == 0 && cursor < CURSOR_END {
                return cursor;
            }
        }
        0
    }

    pub(super) fn memory(&self) -> usize {
        self.heap + alloc_size(self.segments.capacity() * size_of::<Rc<HashTable<u32>>>())
    }

    pub(super) fn allocations(&self) -> usize {
        self.segments.len()
    }

    /// Frees segments while `left` allocations may be freed; true when none is left.
    pub(super) fn free_some(&mut self, left: &mut usize) -> bool {
        while *left > 0 {
            let Some(segment) = self.segments.pop() else {
                self.len = 0;
                return true;
            };
            self.heap -= segment_size(&segment);
            *left -= 1;
        }
        self.segments.is_empty()
    }

    /// Panics if the index contradicts itself or lacks a record.
    pub(super) fn check_invariants(&self, len: usize, hash_of: impl Fn(RecordId) -> u64) {
        assert_eq!(self.len, len);
        let found: usize = self.segments.iter().map(|segment| segment.len()).sum();
        assert_eq!(found, len);
        let heap: usize = self.segments.iter().map(|it| segment_size(it)).sum();
        assert_eq!(heap, self.heap);
        for (at, segment) in self.segments.iter().enumerate() {
            for &id in segment.iter() {
                assert_eq!(self.segment_of(hash_of(RecordId(id))), at);
            }
        }
    }

    #[inline]
    fn segment_of(&self, hash: u64) -> usize {
        self.segment_and_depth(hash).0
    }

    /// The segment of a hash, and how many of its top bits all hashes of the segment share.
    #[inline]
    fn segment_and_depth(&self, hash: u64) -> (usize, u32) {
        let count = self.segments.len();
        let level = count.ilog2();
        let bits = hash.reverse_bits();
        let low = (bits & ((1 << level) - 1)) as usize;
        // Whether it has given half of its range away already.
        if low + (1 << level) < count {
            ((bits & ((2 << level) - 1)) as usize, level + 1)
        } else {
            (low, level)
        }
    }

    /// Adds a segment, which takes half of another one.
    fn split(&mut self, hash_of: impl Fn(RecordId) -> u64) {
        let new = self.segments.len();
        let from = new - (1 << new.ilog2());
        let source = core::mem::take(&mut self.segments[from]);
        self.heap -= segment_size(&source);
        let half = source.len() / 2;
        let mut pair = [
            HashTable::with_capacity(half),
            HashTable::with_capacity(half),
        ];
        for &id in source.iter() {
            let hash = hash_of(RecordId(id));
            let upper = hash.reverse_bits() >> new.ilog2() & 1;
            pair[upper as usize]
                .insert_unique(spread(hash), id, |&id| spread(hash_of(RecordId(id))));
        }
        let [lower, upper] = pair.map(Rc::new);
        self.heap += segment_size(&lower) + segment_size(&upper);
        self.segments[from] = lower;
        self.segments.push(upper);
    }

    /// Gives the entries of the last segment back to the one that they were split from.
    fn merge(&mut self, hash_of: impl Fn(RecordId) -> u64) {
        let gone = self.segments.pop().expect("there are two at least");
        self.heap -= segment_size(&gone);
        let last = self.segments.len();
        self.change(last - (1 << last.ilog2()), |segment| {
            for &id in gone.iter() {
                let hash = |id| spread(hash_of(RecordId(id)));
                segment.insert_unique(hash(id), id, |&id| hash(id));
            }
        });
    }

    fn change(&mut self, at: usize, change: impl FnOnce(&mut HashTable<u32>)) {
        let segment = Rc::make_mut(&mut self.segments[at]);
        let before = alloc_size(segment.allocation_size());
        change(segment);
        self.heap = self.heap - before + alloc_size(segment.allocation_size());
    }
}

/// Hashes of one segment share their top bits, by which hashbrown tells entries apart.
#[inline]
fn spread(hash: u64) -> u64 {
    hash.rotate_left(32)
}

fn segment_size(segment: &HashTable<u32>) -> usize {
    SEGMENT_SELF_BYTES + alloc_size(segment.allocation_size())
}

/// A shared allocation: two counts and the table.
const SEGMENT_SELF_BYTES: usize = alloc_size(16 + size_of::<HashTable<u32>>());
/// Scan cursors stay below it: some clients read them as doubles.
const CURSOR_BITS: u32 = 53;
const CURSOR_END: u64 = 1 << CURSOR_BITS;
const CURSOR_SHIFT: u32 = 64 - CURSOR_BITS;
/// An index this many times sparser than it grows merges segments.
const SHRINK: usize = 4;
