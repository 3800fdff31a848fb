//! The elements of a large collection.

use std::rc::Rc;
use std::vec;

use super::{KeyHasher, Segment, Shared, Table, TableEntry};
use crate::limits::WARM_KEYS_MAX;
use crate::rng::Rng;
use crate::value::alloc_size;
use smallvec::SmallVec;

/// What [`Elements`] holds.
pub(crate) trait Element: TableEntry + Clone {
    /// Bytes of its own allocations.
    fn memory(&self) -> usize;
}

/// Elements of a collection, ordered by the hash of their keys.
///
/// A clone shares all of them; a change copies only the segment that it touches.
#[derive(Clone, Debug)]
pub(crate) struct Elements<E> {
    table: Table<E, Shared<E>>,
    /// Bytes of the elements' own allocations.
    heap: usize,
}

impl<E: Element> Elements<E> {
    pub(crate) fn new(hasher: KeyHasher) -> Self {
        Self {
            table: Table::new(hasher, 0),
            heap: 0,
        }
    }

    /// Adds an element if there is none with its key, else changes the one that is there; whether
    /// it was added.
    #[inline]
    pub(crate) fn put(
        &mut self,
        key: &[u8],
        make: impl FnOnce() -> E,
        change: impl FnOnce(&mut E),
    ) -> bool {
        let hash = self.table.hash(key);
        if let Some(at) = self.table.find(hash, key) {
            let found = self.table.entry_mut(at);
            let before = found.memory();
            change(found);
            self.heap = self.heap - before + found.memory();
            return false;
        }
        self.insert(hash, make());
        true
    }

    /// Adds an element if there is none with its key; whether that is so.
    #[inline]
    pub(crate) fn add(&mut self, key: &[u8], make: impl FnOnce() -> E) -> bool {
        let hash = self.table.hash(key);
        if self.table.find(hash, key).is_some() {
            return false;
        }
        self.insert(hash, make());
        true
    }

    /// Removes an element; whether it was there.
    pub(crate) fn remove(&mut self, key: &[u8]) -> bool {
        let hash = self.table.hash(key);
        let Some(at) = self.table.find(hash, key) else {
            return false;
        };
        self.heap -= self.table.remove(at).memory();
        let mut segment = at.segment;
        while let Some(buddy) = self.table.sparse_buddy(segment) {
            segment = self.table.merge(segment, buddy, None);
        }
        true
    }

    /// Finds an element.
    #[inline]
    pub(crate) fn get(&self, key: &[u8]) -> Option<&E> {
        let at = self.table.look_up(key)?;
        Some(self.table.entry(at))
    }

    /// Brings close to the processor what is known of some elements.
    pub(crate) fn warm(&self, keys: &[&[u8]]) {
        let keys = keys.iter().take(WARM_KEYS_MAX);
        let hashes: SmallVec<[u64; WARM_KEYS_MAX]> = keys.map(|key| self.table.hash(key)).collect();
        self.table.warm(&hashes);
    }

    /// How many elements there are.
    pub(crate) fn len(&self) -> usize {
        self.table.len()
    }

    /// All elements, in no particular order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &E> {
        self.table.iter()
    }

    /// Visits about `count` elements from a cursor on and returns the cursor that goes on behind
    /// them; 0 at the end.
    pub(crate) fn scan<'a>(
        &'a self,
        cursor: u64,
        count: usize,
        mut visit: impl FnMut(&'a E),
    ) -> u64 {
        self.table.scan(cursor, count, &mut visit)
    }

    /// An element, each as likely as any other; none if there is none.
    pub(crate) fn random(&self, rng: &mut Rng) -> Option<&E> {
        self.table.random(rng)
    }

    /// The elements in parts.
    pub(crate) fn parts(&self) -> ElementParts<E> {
        ElementParts {
            segments: self.table.segments().into_iter(),
            elements: self.len(),
        }
    }

    /// Frees elements while `left` allocations may be freed; true when none is left.
    pub(crate) fn free_some(&mut self, left: &mut usize) -> bool {
        while *left > 0 {
            let Some(segment) = self.table.shed() else {
                return true;
            };
            *left = left.saturating_sub(segment.len().max(1));
            self.heap -= segment.entries().iter().map(E::memory).sum::<usize>();
        }
        self.table.len() == 0
    }

    /// Bytes of all allocations but the one it lies in.
    pub(crate) fn memory(&self) -> usize {
        self.table.memory() + self.heap
    }

    /// Panics if it contradicts itself.
    pub(crate) fn check_invariants(&self) {
        self.table.check_invariants();
        let heap = self.table.iter().map(E::memory).sum::<usize>();
        assert_eq!(self.heap, heap);
    }

    fn insert(&mut self, hash: u64, element: E) {
        let mut segment = self.table.segment_of(hash);
        while self.table.is_full(segment) {
            self.table.split(segment);
            segment = self.table.segment_of(hash);
        }
        self.heap += element.memory();
        self.table.insert(segment, hash, element);
    }
}

/// The segments of [`Elements`], to be taken one by one.
#[derive(Debug)]
pub(crate) struct ElementParts<E> {
    segments: vec::IntoIter<Rc<Segment<E>>>,
    elements: usize,
}

impl<E> ElementParts<E> {
    /// The next part, which may have no elements.
    pub(crate) fn take(&mut self) -> Option<Rc<Segment<E>>> {
        self.segments.next()
    }

    /// How many elements all parts have together.
    pub(crate) fn elements(&self) -> usize {
        self.elements
    }

    /// Bytes it takes to hold the parts that are left. Their elements are not counted: they are
    /// those of the collection until it changes them, and a snapshot that waited for all of a
    /// large one to be written would hold up every client.
    pub(crate) fn memory(&self) -> usize {
        alloc_size(self.segments.len() * size_of::<Rc<Segment<E>>>())
    }
}
