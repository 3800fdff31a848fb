//! The hash-ordered table: a directory of segments.

mod elements;
mod hash;
mod segment;
mod shelf;
mod taken;

use crate::limits::{SEGMENT_DEPTH_MAX, SEGMENT_ENTRIES_MAX, WARM_KEYS_MAX};
use crate::rng::Rng;
use crate::value::alloc_size;
use core::marker::PhantomData;
pub(crate) use elements::{Element, ElementParts, Elements};
pub use hash::KeyHasher;
use segment::Place;
pub(crate) use segment::Segment;
pub(crate) use shelf::{Owned, Shared, Shelf};
use smallvec::SmallVec;
use std::rc::Rc;

/// What a [`Table`] holds.
pub(crate) trait TableEntry {
    /// What tells it from the others.
    fn key(&self) -> &[u8];
    /// Reads the entry itself and nothing it points to.
    fn touch(&self) -> usize;
}

/// Entries by key, ordered by the hash of their keys.
///
/// The directory maps the top bits of a hash to a segment. A full segment splits in two, which
/// doubles the directory only if the segment had all of its bits; sparse halves merge again. So
/// no step costs more than one segment and a copy of the directory, of four bytes per some
/// hundreds of entries.
///
/// The shelf says who owns the segments: the table alone, or its clones as well.
#[derive(Clone, Debug)]
pub(crate) struct Table<E, S = Owned<E>> {
    hasher: KeyHasher,
    /// `2^bits` segments, each as often as its range is wide.
    directory: Vec<u32>,
    bits: u8,
    segments: S,
    /// How many segments there are of each depth.
    depths: [u32; SEGMENT_DEPTH_MAX as usize + 1],
    len: usize,
    /// Bytes of the segments' allocations.
    heap: usize,
    entry: PhantomData<E>,
}

/// Where an entry lies; good until the table changes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Location {
    pub(crate) segment: SegmentId,
    place: Place,
}

/// A segment of a table.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct SegmentId(u32);

impl<E: TableEntry, S: Shelf<E>> Table<E, S> {
    /// An empty table, younger than the snapshot of `version`.
    pub(crate) fn new(hasher: KeyHasher, version: u64) -> Self {
        let mut segments = S::default();
        let SegmentId(first) = segments.insert(Segment::new(0, 0, version));
        let mut depths = [0; SEGMENT_DEPTH_MAX as usize + 1];
        depths[0] = 1;
        Self {
            hasher,
            directory: vec![first],
            bits: 0,
            segments,
            depths,
            len: 0,
            heap: 0,
            entry: PhantomData,
        }
    }

    #[inline]
    pub(crate) fn hash(&self, key: &[u8]) -> u64 {
        self.hasher.hash(key)
    }

    /// Finds the entry with this key.
    #[inline]
    pub(crate) fn find(&self, hash: u64, key: &[u8]) -> Option<Location> {
        let segment = self.segment_of(hash);
        let place = self.segment(segment).find(hash, key)?;
        Some(Location { segment, place })
    }

    /// Finds the entry with this key, which is not even hashed where there is none.
    #[inline]
    pub(crate) fn look_up(&self, key: &[u8]) -> Option<Location> {
        if self.len == 0 {
            return None;
        }
        self.find(self.hash(key), key)
    }

    /// Brings close to the processor what [`find`](Self::find) will look at for some hashes.
    ///
    /// A find waits for memory three times in a row: for the index, the entry and its record.
    /// Here the waits for different keys overlap, since none depends on what another one brings.
    pub(crate) fn warm(&self, hashes: &[u64]) {
        let slots = hashes
            .iter()
            .map(|&hash| self.segment(self.segment_of(hash)).warm_index(hash));
        core::hint::black_box(slots.fold(0, |sum: usize, slot| sum ^ slot));
        let entries: SmallVec<[&E; WARM_KEYS_MAX]> = hashes
            .iter()
            .filter_map(|&hash| self.segment(self.segment_of(hash)).likely(hash))
            .collect();
        let shallow = entries.iter().map(|entry| entry.touch());
        core::hint::black_box(shallow.fold(0, |sum: usize, len| sum ^ len));
        let deep = entries.iter().map(|entry| entry.key().len());
        core::hint::black_box(deep.fold(0, |sum: usize, len| sum ^ len));
    }

    /// Brings close to the processor what [`insert`](Self::insert) will look at for some hashes.
    pub(crate) fn warm_room(&self, hashes: &[u64]) {
        let read = hashes
            .iter()
            .map(|&hash| self.segment(self.segment_of(hash)).warm_room(hash));
        core::hint::black_box(read.fold(0, |sum: usize, read| sum ^ read));
    }

    /// The segment that covers a hash.
    #[inline]
    pub(crate) fn segment_of(&self, hash: u64) -> SegmentId {
        SegmentId(self.directory[self.directory_index(hash)])
    }

    /// Adds an entry whose key is not there yet to a segment that has room.
    pub(crate) fn insert(&mut self, segment: SegmentId, hash: u64, entry: E) -> Location {
        let place = self.resize(segment, |segment, hasher| {
            segment.insert(hash, entry, hasher)
        });
        self.len += 1;
        Location { segment, place }
    }

    /// Takes an entry out.
    pub(crate) fn remove(&mut self, location: Location) -> E {
        self.len -= 1;
        self.resize(location.segment, |segment, hasher| {
            segment.remove(location.place, hasher)
        })
    }

    /// Whether a segment has no room for another entry.
    pub(crate) fn is_full(&self, segment: SegmentId) -> bool {
        self.segment(segment).len() == SEGMENT_ENTRIES_MAX
    }

    /// Splits a segment in two.
    pub(crate) fn split(&mut self, id: SegmentId) {
        let depth = self.segment(id).depth;
        assert!(
            depth < SEGMENT_DEPTH_MAX,
            "hashes spread evenly over their range"
        );
        if depth == self.bits {
            let twice = self.directory.iter().flat_map(|&segment| [segment; 2]);
            self.directory = twice.collect();
            self.bits += 1;
        }
        self.heap -= self.segment(id).heap();
        let high = self.segments.get_mut(id).split(&self.hasher);
        self.heap += self.segment(id).heap() + high.heap();
        let (start, end) = (high.start, high.end());
        let new = self.segments.insert(high);
        self.point(start, end, new);
        self.depths[usize::from(depth)] -= 1;
        self.depths[usize::from(depth) + 1] += 2;
    }

    /// Splits segments until so many entries in all will fit, if hashes spread as they should.
    /// With `room` each gets the memory for its share at once.
    ///
    /// To split a full segment, or to give one that grows a longer index, takes a look at every
    /// key in it; here there are few yet.
    pub(crate) fn spread(&mut self, entries: u64, room: bool) {
        let share = |depth: u8| usize::try_from(entries >> depth).unwrap_or(usize::MAX);
        let mut depth = 0;
        while share(depth) > SPREAD_ENTRIES_MAX && depth < SEGMENT_DEPTH_MAX {
            depth += 1;
        }
        let mut next = Some(0);
        while let Some(from) = next {
            let id = self.segment_of(from);
            if self.segment(id).depth < depth {
                self.split(id);
                continue;
            }
            if room && self.segment(id).depth == depth {
                self.resize(id, |segment, hasher| segment.widen(share(depth), hasher));
            }
            next = self.segment(id).end();
        }
    }

    /// The segment with the other half of the next wider range, if both are so sparse that they
    /// should be one.
    pub(crate) fn sparse_buddy(&self, id: SegmentId) -> Option<SegmentId> {
        let segment = self.segment(id);
        if segment.depth == 0 || segment.len() > MERGED_ENTRIES_MAX {
            return None;
        }
        let buddy_start = segment.start ^ (1 << (64 - segment.depth));
        let buddy_id = self.segment_of(buddy_start);
        let buddy = self.segment(buddy_id);
        let sparse = segment.len() + buddy.len() <= MERGED_ENTRIES_MAX;
        (sparse && buddy.depth == segment.depth).then_some(buddy_id)
    }

    /// Merges a segment with its buddy; the merged one has the id that is returned.
    pub(crate) fn merge(
        &mut self,
        id: SegmentId,
        buddy: SegmentId,
        snapshot: Option<u64>,
    ) -> SegmentId {
        let depth = usize::from(self.segment(id).depth);
        let gone = self.segments.remove(buddy);
        self.heap -= gone.heap() + self.segment(id).heap();
        self.segments
            .get_mut(id)
            .merge(gone, &self.hasher, snapshot);
        self.heap += self.segment(id).heap();
        let (start, end) = (self.segment(id).start, self.segment(id).end());
        self.point(start, end, id);
        self.depths[depth] -= 2;
        self.depths[depth - 1] += 1;
        while self.bits > 0 && self.depths[usize::from(self.bits)] == 0 {
            self.directory = self.directory.iter().copied().step_by(2).collect();
            self.bits -= 1;
        }
        id
    }

    /// Counts an entry as one that the snapshot of that version need not take any more; false if
    /// it had no need to before.
    pub(crate) fn take_once(&mut self, at: Location, snapshot: u64) -> bool {
        self.resize(at.segment, |segment, _| {
            segment.take_once(at.place, snapshot)
        })
    }

    /// Shows `take` entries of a segment that the snapshot of that version has to take, `limit` of
    /// them at most, and counts them as taken; returns how many they were.
    pub(crate) fn take_pending(
        &mut self,
        id: SegmentId,
        snapshot: u64,
        limit: usize,
        take: impl FnOnce(&mut dyn Iterator<Item = &E>),
    ) -> usize {
        self.resize(id, |segment, _| segment.take_pending(snapshot, limit, take))
    }

    /// Calls `visit` with about `count` entries from a cursor on, in order of their hashes, and
    /// returns the cursor that goes on behind them; 0 at the end.
    ///
    /// A cursor is a position: the top bits of a hash. Entries at one position are visited
    /// together, so an entry is visited by just one call, whatever else comes and goes.
    pub(crate) fn scan<'a>(
        &'a self,
        cursor: u64,
        count: usize,
        visit: &mut impl FnMut(&'a E),
    ) -> u64 {
        if cursor >= CURSOR_END {
            return 0;
        }
        let mut from = cursor << CURSOR_SHIFT;
        let mut left = count.max(1);
        let mut last = None;
        loop {
            let segment = self.segment(self.segment_of(from));
            let whole = segment.visit_from(from, &self.hasher, &mut |hash, entry| {
                let position = hash >> CURSOR_SHIFT;
                if left == 0 && last != Some(position) {
                    return false;
                }
                last = Some(position);
                left = left.saturating_sub(1);
                visit(entry);
                true
            });
            match segment.end() {
                Some(end) if whole && left > 0 => from = end,
                Some(end) if whole => return end >> CURSOR_SHIFT,
                None if whole => return 0,
                Some(_) | None => return last.map_or(0, |last| last + 1),
            }
        }
    }

    /// An entry, each as likely as any other.
    pub(crate) fn random(&self, rng: &mut Rng) -> Option<&E> {
        if self.len == 0 {
            return None;
        }
        for _ in 0..RANDOM_TRIES_MAX {
            if let Some(entry) = self.random_try(rng) {
                return Some(entry);
            }
        }
        let mut from = rng.next_u64();
        loop {
            let segment = self.segment(self.segment_of(from));
            if segment.len() > 0 {
                let nth = usize::try_from(rng.below(segment.len() as u64));
                return segment.entries().get(nth.expect("a segment is small"));
            }
            from = segment.end().unwrap_or(0);
        }
    }

    /// One try to hit an entry, each as likely as any other.
    #[inline]
    pub(crate) fn random_try(&self, rng: &mut Rng) -> Option<&E> {
        let segment = self.segment(self.segment_of(rng.next_u64()));
        // A range twice as wide is met twice as often, so it is taken half as often.
        let spread = (SEGMENT_ENTRIES_MAX as u64) << (self.bits - segment.depth);
        let ticket = usize::try_from(rng.below(spread)).unwrap_or(usize::MAX);
        segment.entries().get(ticket)
    }

    /// All entries, segment by segment in the order of their ranges.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &E> {
        let mut next = Some(0);
        core::iter::from_fn(move || {
            let segment = self.segment(self.segment_of(next?));
            next = segment.end();
            Some(segment.entries())
        })
        .flatten()
    }

    #[inline]
    pub(crate) fn segment(&self, id: SegmentId) -> &Segment<E> {
        self.segments.get(id)
    }

    #[inline]
    pub(crate) fn segment_mut(&mut self, id: SegmentId) -> &mut Segment<E> {
        self.segments.get_mut(id)
    }

    #[inline]
    pub(crate) fn entry(&self, location: Location) -> &E {
        self.segment(location.segment).entry(location.place)
    }

    #[inline]
    pub(crate) fn entry_mut(&mut self, location: Location) -> &mut E {
        self.segment_mut(location.segment).entry_mut(location.place)
    }

    /// Takes all entries of a segment out, for a table that is being freed.
    pub(crate) fn take_entries(&mut self, id: SegmentId) -> Vec<E> {
        let entries = self.resize(id, |segment, _| segment.take_entries());
        self.len -= entries.len();
        entries
    }

    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// How many segments there are.
    pub(crate) fn segment_count(&self) -> usize {
        self.depths.iter().sum::<u32>() as usize
    }

    /// Bytes of the table's own allocations, without what its entries own.
    pub(crate) fn memory(&self) -> usize {
        let directory = alloc_size(self.directory.capacity() * size_of::<u32>());
        self.heap + directory + self.segments.memory()
    }

    /// Panics if the table contradicts itself.
    pub(crate) fn check_invariants(&self) {
        assert_eq!(self.directory.len(), 1 << self.bits);
        let mut depths = [0; SEGMENT_DEPTH_MAX as usize + 1];
        let (mut len, mut heap) = (0, 0);
        let mut next = Some(0);
        while let Some(start) = next {
            let id = self.segment_of(start);
            let segment = self.segment(id);
            segment.check_invariants(&self.hasher);
            assert_eq!(
                segment.start, start,
                "ranges follow each other without a gap"
            );
            let first = self.directory_index(start);
            let wide = 1 << (self.bits - segment.depth);
            let mine = &self.directory[first..first + wide];
            assert!(mine.iter().all(|&slot| slot == id.0));
            depths[usize::from(segment.depth)] += 1;
            len += segment.len();
            heap += segment.heap();
            next = segment.end();
        }
        assert_eq!(depths, self.depths);
        assert_eq!(len, self.len);
        assert_eq!(heap, self.heap);
        assert!(self.bits == 0 || depths[usize::from(self.bits)] > 0);
        assert_eq!(self.segments.live(), self.segment_count());
    }

    #[inline]
    fn directory_index(&self, hash: u64) -> usize {
        // Two shifts, since shifting by all 64 bits at once is not defined.
        ((hash >> 1) >> (63 - self.bits)) as usize
    }

    fn resize<R>(
        &mut self,
        id: SegmentId,
        change: impl FnOnce(&mut Segment<E>, &KeyHasher) -> R,
    ) -> R {
        let segment = self.segments.get_mut(id);
        let before = segment.heap();
        let result = change(segment, &self.hasher);
        self.heap = self.heap - before + segment.heap();
        result
    }

    fn point(&mut self, start: u64, end: Option<u64>, id: SegmentId) {
        let first = self.directory_index(start);
        let last = end.map_or(self.directory.len(), |end| self.directory_index(end));
        self.directory[first..last].fill(id.0);
    }
}

impl<E: TableEntry + Clone> Table<E, Shared<E>> {
    /// The segments, some of them without entries, in no particular order.
    pub(crate) fn segments(&self) -> Vec<Rc<Segment<E>>> {
        self.segments.all().to_vec()
    }

    /// Takes a segment out of a table that is being freed and good for nothing else from then on.
    pub(crate) fn shed(&mut self) -> Option<Rc<Segment<E>>> {
        let segment = self.segments.pop()?;
        self.len -= segment.len();
        self.heap -= segment.heap();
        Some(segment)
    }
}

/// Scan cursors stay below it: some clients read them as doubles.
const CURSOR_END: u64 = 1 << 53;
const CURSOR_SHIFT: u32 = 64 - 53;
/// How many entries a segment is to have at most if it is made for entries to come: hashes do not
/// spread evenly to the last one.
const SPREAD_ENTRIES_MAX: usize = SEGMENT_ENTRIES_MAX * 7 / 8;
/// Halves with so few entries together become one.
const MERGED_ENTRIES_MAX: usize = SEGMENT_ENTRIES_MAX / 4;
/// Even in a table that is as sparse as merging lets it be, so many misses in a row do not occur
/// in practice.
const RANDOM_TRIES_MAX: usize = 256;

const _: () = assert!(64 - CURSOR_SHIFT > SEGMENT_DEPTH_MAX as u32);
