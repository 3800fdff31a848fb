//! A segment: the entries of one range of hashes.

use super::TableEntry;
use super::hash::KeyHasher;
use super::taken::Taken;
use crate::limits::SEGMENT_ENTRIES_MAX;
use crate::value::alloc_size;
use smallvec::SmallVec;

/// At most [`SEGMENT_ENTRIES_MAX`] entries whose hashes share their top `depth` bits.
///
/// The entries lie densely, in no order; an index of 16-bit slots finds them. An entry's home
/// slot rises with its hash, and an entry that finds its home taken goes into the next free slot,
/// without wrapping around. So a run of slots without a vacant one holds all the entries whose
/// homes lie in it, and walking the runs walks the entries in order of their hashes.
#[derive(Debug)]
pub(crate) struct Segment<E> {
    entries: Vec<E>,
    index: Vec<Slot>,
    /// Slots that are a home; those behind them take what overflows.
    homes: u32,
    /// Slots whose entry was removed but which a run needs.
    dead: u32,
    /// The lowest hash of the range.
    pub(crate) start: u64,
    /// The snapshot that is through with this segment, or that it is younger than.
    version: u64,
    /// What a later snapshot has got of it meanwhile.
    taken: Option<Box<Taken>>,
    /// No entry expires before; the maximum if none expires at all.
    pub(crate) min_expire: i64,
    /// Bytes of the entries' and the index's allocations.
    heap: u32,
    pub(crate) depth: u8,
}

/// A vacant or dead slot, or the low bits of a hash over the place of an entry.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
struct Slot(u16);

/// Where an entry lies in its segment; good until the segment changes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place {
    slot: u16,
    entry: u16,
}

impl<E: TableEntry> Segment<E> {
    /// An empty segment, without an allocation.
    pub(crate) fn new(start: u64, depth: u8, version: u64) -> Self {
        Self {
            entries: Vec::new(),
            index: Vec::new(),
            homes: 0,
            dead: 0,
            start,
            version,
            taken: None,
            min_expire: i64::MAX,
            heap: 0,
            depth,
        }
    }

    /// Finds the entry with this key.
    #[inline]
    pub(crate) fn find(&self, hash: u64, key: &[u8]) -> Option<Place> {
        let home = self.home(hash);
        let tag = Slot::tag(hash);
        for (distance, &slot) in self.index.get(home..)?.iter().enumerate() {
            if slot.0 & Slot::TAG_BITS == tag
                && let Some(entry) = self.entries.get(slot.entry())
                && entry.key() == key
            {
                return Some(Place {
                    slot: (home + distance) as u16,
                    entry: slot.entry() as u16,
                });
            }
            if slot == Slot::VACANT {
                return None;
            }
        }
        None
    }

    /// Reads the slot where the search for a hash starts.
    #[inline]
    pub(crate) fn warm_index(&self, hash: u64) -> usize {
        self.index
            .get(self.home(hash))
            .map_or(0, |slot| slot.entry())
    }

    /// Reads the slot where the search for a hash starts, and the end of the entries.
    #[inline]
    pub(crate) fn warm_room(&self, hash: u64) -> usize {
        let last = self.entries.last().map_or(0, TableEntry::touch);
        self.warm_index(hash) ^ last
    }

    /// The first entry that may be the one searched for, which is not read.
    #[inline]
    pub(crate) fn likely(&self, hash: u64) -> Option<&E> {
        let tag = Slot::tag(hash);
        let slots = self.index.get(self.home(hash)..)?;
        let mut nearby = slots.iter().take(WARM_SLOTS);
        let slot = nearby.find(|slot| slot.0 & Slot::TAG_BITS == tag)?;
        self.entries.get(slot.entry())
    }

    /// Adds an entry whose key is not there yet.
    pub(crate) fn insert(&mut self, hash: u64, entry: E, hasher: &KeyHasher) -> Place {
        let len = self.entries.len();
        assert!(len < SEGMENT_ENTRIES_MAX, "a full segment is split first");
        if len == self.entries.capacity() {
            let wanted = alloc_size((len + 1) * size_of::<E>()) / size_of::<E>();
            self.entries.reserve_exact(wanted.max(ENTRIES_MIN) - len);
            self.measure();
        }
        let (limit, _) = INDEX_SIZES[index_class(self.index.len())];
        if len == limit || self.index.is_empty() {
            self.reindex(len + 1, hasher);
        } else if len + self.dead as usize >= limit + limit / 4 {
            self.reindex(limit, hasher);
        }
        self.entries.push(entry);
        let slot = self.occupy(hash, len);
        Place {
            slot,
            entry: len as u16,
        }
    }

    /// Takes an entry out.
    pub(crate) fn remove(&mut self, place: Place, hasher: &KeyHasher) -> E {
        let last = self.entries.len() - 1;
        if usize::from(place.entry) != last {
            let moved = self.slot_of(last, hasher);
            self.index[moved].move_to(usize::from(place.entry));
        }
        self.vacate(usize::from(place.slot));
        if let Some(taken) = &mut self.taken {
            taken.swap_remove(usize::from(place.entry), last);
        }
        let entry = self.entries.swap_remove(usize::from(place.entry));
        if self.entries.is_empty() {
            self.min_expire = i64::MAX;
        }
        self.shrink(hasher);
        entry
    }

    /// Moves the upper half of the range into a segment of its own.
    pub(crate) fn split(&mut self, hasher: &KeyHasher) -> Self {
        let bit = 1 << (63 - self.depth);
        let depth = self.depth + 1;
        let mut low = Self::new(self.start, depth, self.version);
        let mut high = Self::new(self.start | bit, depth, self.version);
        let hashes = self.hashes(hasher);
        let risen = hashes.iter().filter(|&&hash| hash & bit != 0).count();
        low.reserve(hashes.len() - risen);
        high.reserve(risen);
        let taken = self.taken.take();
        if let Some(taken) = &taken {
            low.taken = Some(Box::new(Taken::new(taken.version)));
            high.taken = low.taken.clone();
        }
        for (place, (entry, hash)) in self.entries.drain(..).zip(hashes).enumerate() {
            let half = if hash & bit == 0 { &mut low } else { &mut high };
            half.entries.push(entry);
            let last = half.entries.len() - 1;
            half.occupy(hash, last);
            if let Some((taken, into)) = taken.as_ref().zip(half.taken.as_mut()) {
                into.set(last, taken.has(place));
            }
        }
        low.min_expire = self.min_expire;
        high.min_expire = self.min_expire;
        low.measure();
        high.measure();
        *self = low;
        high
    }

    /// Takes over the entries of the segment with the other half of the range, while the snapshot
    /// of that version is under way, if one is.
    pub(crate) fn merge(&mut self, buddy: Self, hasher: &KeyHasher, snapshot: Option<u64>) {
        assert_eq!(
            self.depth, buddy.depth,
            "halves of a range are equally deep"
        );
        assert_eq!(self.start ^ buddy.start, 1 << (64 - self.depth));
        self.depth -= 1;
        self.start &= buddy.start;
        self.merge_taken(&buddy, snapshot);
        self.min_expire = self.min_expire.min(buddy.min_expire);
        let len = self.entries.len() + buddy.entries.len();
        let wanted = entries_capacity::<E>(len);
        self.entries.reserve_exact(wanted - self.entries.len());
        self.entries.extend(buddy.entries);
        self.reindex(len, hasher);
        self.measure();
    }

    fn merge_taken(&mut self, buddy: &Self, snapshot: Option<u64>) {
        let version = self.version.min(buddy.version);
        self.taken = snapshot
            .filter(|&snapshot| version < snapshot)
            .map(|snapshot| {
                let mut taken = Taken::new(snapshot);
                for entry in 0..self.entries.len() {
                    taken.set(entry, !self.is_pending(entry, snapshot));
                }
                for entry in 0..buddy.entries.len() {
                    taken.set(
                        self.entries.len() + entry,
                        !buddy.is_pending(entry, snapshot),
                    );
                }
                Box::new(taken)
            });
        self.version = version;
    }

    /// Whether the snapshot of that version still has to take an entry.
    fn is_pending(&self, entry: usize, snapshot: u64) -> bool {
        let taken = || {
            let taken = self.taken.as_ref();
            taken.is_some_and(|taken| taken.version == snapshot && taken.has(entry))
        };
        self.version < snapshot && !taken()
    }

    /// Counts an entry as one that the snapshot need not take any more; false if it had no need
    /// to before.
    pub(crate) fn take_once(&mut self, place: Place, snapshot: u64) -> bool {
        let entry = usize::from(place.entry);
        let pending = self.is_pending(entry, snapshot);
        if pending {
            self.set_taken(&[place.entry], snapshot);
        }
        pending
    }

    /// Shows `take` entries that the snapshot has to take, `limit` of them at most, and counts
    /// them as taken; returns how many they were. With the last of them it is through.
    pub(crate) fn take_pending(
        &mut self,
        snapshot: u64,
        limit: usize,
        take: impl FnOnce(&mut dyn Iterator<Item = &E>),
    ) -> usize {
        let places = (0..self.entries.len()).filter(|&at| self.is_pending(at, snapshot));
        let mut places: SmallVec<[u16; SEGMENT_ENTRIES_MAX]> = places.map(|at| at as u16).collect();
        let whole = places.len() <= limit;
        places.truncate(limit);
        let entries = places.iter().map(|&at| &self.entries[usize::from(at)]);
        warm(entries.clone());
        take(&mut { entries });
        if whole {
            self.set_through(snapshot);
        } else {
            self.set_taken(&places, snapshot);
        }
        places.len()
    }

    fn set_taken(&mut self, places: &[u16], snapshot: u64) {
        let taken = self.taken.take().filter(|taken| taken.version == snapshot);
        let mut taken = taken.unwrap_or_else(|| Box::new(Taken::new(snapshot)));
        places
            .iter()
            .for_each(|&at| taken.set(usize::from(at), true));
        self.taken = Some(taken);
        self.measure();
    }

    /// Whether the snapshot was here before.
    pub(crate) fn is_through(&self, snapshot: u64) -> bool {
        self.version >= snapshot
    }

    /// Says that the snapshot has taken all entries.
    fn set_through(&mut self, snapshot: u64) {
        self.version = snapshot;
        self.taken = None;
        self.measure();
    }

    /// Calls `visit` with the entries from the hash `from` on, in order of their hashes, until
    /// it says to stop. The hash is visited with its entry.
    pub(crate) fn visit_from<'a>(
        &'a self,
        from: u64,
        hasher: &KeyHasher,
        visit: &mut impl FnMut(u64, &'a E) -> bool,
    ) -> bool {
        let mut run: Vec<(u64, u16)> = Vec::new();
        let home = if from <= self.start {
            0
        } else {
            self.home(from)
        };
        let slots = self.index.get(home..).unwrap_or(&[]);
        for &slot in slots.iter().chain(&[Slot::VACANT]) {
            if slot != Slot::VACANT {
                if slot != Slot::DEAD {
                    let hash = hasher.hash(self.entries[slot.entry()].key());
                    if hash >= from {
                        run.push((hash, slot.entry() as u16));
                    }
                }
                continue;
            }
            run.sort_unstable();
            for (hash, entry) in run.drain(..) {
                if !visit(hash, &self.entries[usize::from(entry)]) {
                    return false;
                }
            }
        }
        true
    }

    /// Takes all entries out.
    pub(crate) fn take_entries(&mut self) -> Vec<E> {
        self.index = Vec::new();
        self.taken = None;
        self.heap = 0;
        core::mem::take(&mut self.entries)
    }

    #[inline]
    pub(crate) fn entry(&self, place: Place) -> &E {
        &self.entries[usize::from(place.entry)]
    }

    #[inline]
    pub(crate) fn entry_mut(&mut self, place: Place) -> &mut E {
        &mut self.entries[usize::from(place.entry)]
    }

    pub(crate) fn entries(&self) -> &[E] {
        &self.entries
    }

    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    /// Bytes of the segment's own allocations.
    pub(crate) fn heap(&self) -> usize {
        self.heap as usize
    }

    /// The first hash after the range; none if it reaches to the end.
    pub(crate) fn end(&self) -> Option<u64> {
        // A range of depth 0 has 2^64 hashes, and its end does not fit either.
        let hashes = 1_u64.checked_shl(64 - u32::from(self.depth))?;
        self.start.checked_add(hashes)
    }

    /// Panics if the segment contradicts itself.
    pub(crate) fn check_invariants(&self, hasher: &KeyHasher) {
        assert!(self.entries.len() <= SEGMENT_ENTRIES_MAX);
        let mut seen = vec![false; self.entries.len()];
        let mut dead = 0;
        for (at, &slot) in self.index.iter().enumerate() {
            match slot {
                Slot::VACANT => continue,
                Slot::DEAD => {
                    dead += 1;
                    continue;
                }
                Slot(_) => (),
            }
            let hash = hasher.hash(self.entries[slot.entry()].key());
            assert!(!core::mem::replace(&mut seen[slot.entry()], true));
            assert_eq!(slot.0 & Slot::TAG_BITS, Slot::tag(hash));
            assert!(self.start <= hash && self.end().is_none_or(|end| hash < end));
            let home = self.home(hash);
            assert!(home <= at);
            assert!(
                self.index[home..at]
                    .iter()
                    .all(|&slot| slot != Slot::VACANT)
            );
        }
        assert!(seen.into_iter().all(|seen| seen), "every entry has a slot");
        assert_eq!(self.dead, dead);
        assert_eq!(self.heap, self.allocated());
    }

    /// The slot where the search for a hash starts.
    #[inline]
    fn home(&self, hash: u64) -> usize {
        let within = (hash << self.depth) >> 32;
        ((within * u64::from(self.homes)) >> 32) as usize
    }

    /// Gives an entry its slot.
    fn occupy(&mut self, hash: u64, entry: usize) -> u16 {
        let home = self.home(hash);
        let taken = Slot::new(hash, entry);
        for (distance, slot) in self.index[home..].iter_mut().enumerate() {
            if *slot == Slot::VACANT || *slot == Slot::DEAD {
                self.dead -= u32::from(*slot == Slot::DEAD);
                *slot = taken;
                return (home + distance) as u16;
            }
        }
        self.index.push(taken);
        self.measure();
        (self.index.len() - 1) as u16
    }

    /// Frees a slot, and the dead ones before it if nothing behind needs them.
    fn vacate(&mut self, slot: usize) {
        let needed = self
            .index
            .get(slot + 1)
            .is_some_and(|&next| next != Slot::VACANT);
        if needed {
            self.index[slot] = Slot::DEAD;
            self.dead += 1;
            return;
        }
        self.index[slot] = Slot::VACANT;
        for before in self.index[..slot].iter_mut().rev() {
            if *before != Slot::DEAD {
                break;
            }
            *before = Slot::VACANT;
            self.dead -= 1;
        }
    }

    fn slot_of(&self, entry: usize, hasher: &KeyHasher) -> usize {
        let hash = hasher.hash(self.entries[entry].key());
        let home = self.home(hash);
        let slot = Slot::new(hash, entry);
        let distance = self.index[home..].iter().position(|&other| other == slot);
        home + distance.expect("every entry has a slot")
    }

    fn hashes(&self, hasher: &KeyHasher) -> Vec<u64> {
        warm(self.entries.iter());
        self.entries
            .iter()
            .map(|entry| hasher.hash(entry.key()))
            .collect()
    }

    /// Builds the index anew, for as many as `room` entries.
    fn reindex(&mut self, room: usize, hasher: &KeyHasher) {
        let hashes = self.hashes(hasher);
        self.clear_index(room);
        for (entry, hash) in hashes.into_iter().enumerate() {
            self.occupy(hash, entry);
        }
        self.measure();
    }

    fn clear_index(&mut self, room: usize) {
        let fits = |&&(limit, _): &&(usize, usize)| room <= limit;
        let (_, slots) = INDEX_SIZES
            .iter()
            .find(fits)
            .expect("a segment is split when full");
        self.index = vec![Slot::VACANT; *slots];
        self.homes = (slots - slots / 32 - 1) as u32;
        self.dead = 0;
    }

    fn reserve(&mut self, len: usize) {
        self.entries.reserve_exact(entries_capacity::<E>(len));
        self.clear_index(len);
    }

    /// Makes room for `len` entries in all.
    pub(crate) fn widen(&mut self, len: usize, hasher: &KeyHasher) {
        let capacity = entries_capacity::<E>(len);
        if self.entries.capacity() < capacity {
            self.entries.reserve_exact(capacity - self.entries.len());
        }
        let (limit, _) = INDEX_SIZES[index_class(self.index.len())];
        if limit < len || self.index.is_empty() {
            self.reindex(len, hasher);
        }
        self.measure();
    }

    /// Gives back memory that the entries no longer need.
    fn shrink(&mut self, hasher: &KeyHasher) {
        let len = self.entries.len();
        if len == 0 {
            self.take_entries();
            self.homes = 0;
            self.dead = 0;
            return;
        }
        if self.entries.capacity() > ENTRIES_MIN && len <= self.entries.capacity() / 2 {
            self.entries.shrink_to(entries_capacity::<E>(len + len / 4));
            self.measure();
        }
        let (limit, _) = INDEX_SIZES[index_class(self.index.len())];
        if limit > ENTRIES_MIN && len <= limit / 4 {
            self.reindex(len * 2, hasher);
        }
    }

    fn measure(&mut self) {
        self.heap = self.allocated();
    }

    fn allocated(&self) -> u32 {
        let entries = alloc_size(self.entries.capacity() * size_of::<E>());
        let index = alloc_size(self.index.capacity() * size_of::<Slot>());
        let taken = self
            .taken
            .as_ref()
            .map_or(0, |_| alloc_size(size_of::<Taken>()));
        (entries + index + taken) as u32
    }
}

impl<E: Clone> Clone for Segment<E> {
    /// The copy has as much room, and so takes the memory that is accounted for.
    fn clone(&self) -> Self {
        Self {
            entries: roomy(&self.entries),
            index: roomy(&self.index),
            homes: self.homes,
            dead: self.dead,
            start: self.start,
            version: self.version,
            taken: self.taken.clone(),
            min_expire: self.min_expire,
            heap: self.heap,
            depth: self.depth,
        }
    }
}

fn roomy<T: Clone>(items: &Vec<T>) -> Vec<T> {
    let mut copy = Vec::with_capacity(items.capacity());
    copy.extend_from_slice(items);
    copy
}

impl Slot {
    /// No entry here, and none of any run beyond.
    const VACANT: Self = Self(u16::MAX);
    /// No entry here, but a run goes on.
    const DEAD: Self = Self(u16::MAX - 1);
    const TAG_BITS: u16 = !Self::ENTRY_BITS;
    const ENTRY_BITS: u16 = (1 << 9) - 1;

    fn new(hash: u64, entry: usize) -> Self {
        Self(Self::tag(hash) | entry as u16)
    }

    /// The low bits of a hash, which have no part in placing the entry.
    #[inline]
    fn tag(hash: u64) -> u16 {
        (hash as u16) << 9
    }

    #[inline]
    fn entry(self) -> usize {
        usize::from(self.0 & Self::ENTRY_BITS)
    }

    fn move_to(&mut self, entry: usize) {
        self.0 = (self.0 & Self::TAG_BITS) | entry as u16;
    }
}

/// Brings the keys of entries close to the processor: to wait for the memory of one after the
/// other takes longer than all else that is done with them.
fn warm<'a, E: TableEntry + 'a>(entries: impl Iterator<Item = &'a E>) {
    core::hint::black_box(entries.fold(0, |sum, entry| sum ^ entry.key().len()));
}

/// The capacity that an allocation for `len` entries comes to.
fn entries_capacity<E>(len: usize) -> usize {
    if len == 0 {
        return 0;
    }
    (alloc_size(len * size_of::<E>()) / size_of::<E>()).max(ENTRIES_MIN)
}

/// Which of [`INDEX_SIZES`] an index has; overflowing made it longer, if anything.
fn index_class(slots: usize) -> usize {
    let fits = |&(_, size): &(usize, usize)| size <= slots;
    INDEX_SIZES.iter().rposition(fits).unwrap_or(0)
}

/// Slots looked at ahead of a search. Most are found within so many.
const WARM_SLOTS: usize = 4;

/// The fewest entries that memory is reserved for.
const ENTRIES_MIN: usize = 4;

/// How many entries an index of how many slots is for: about 0.6 of them, and an allocation that
/// is used to the full.
const INDEX_SIZES: [(usize, usize); 8] = [
    (4, 8),
    (8, 16),
    (16, 32),
    (32, 56),
    (64, 112),
    (128, 224),
    (256, 448),
    (SEGMENT_ENTRIES_MAX, 768),
];

const _: () = assert!(SEGMENT_ENTRIES_MAX < Slot::DEAD.0 as usize & Slot::ENTRY_BITS as usize);
