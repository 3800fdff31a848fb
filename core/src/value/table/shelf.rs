//! Who owns the segments of a table.

use std::rc::Rc;

use super::segment::Segment;
use super::{SegmentId, TableEntry};
use crate::value::alloc_size;

/// Keeps segments by their ids.
pub(crate) trait Shelf<E>: Default {
    /// Takes a segment and gives it an id that no other has.
    fn insert(&mut self, segment: Segment<E>) -> SegmentId;
    /// Gives a segment back; its id is free.
    fn remove(&mut self, id: SegmentId) -> Segment<E>;
    /// Lends a segment.
    fn get(&self, id: SegmentId) -> &Segment<E>;
    /// Lends a segment for a change.
    fn get_mut(&mut self, id: SegmentId) -> &mut Segment<E>;
    /// How many segments there are.
    fn live(&self) -> usize;
    /// Bytes of the shelf's own allocations.
    fn memory(&self) -> usize;
}

/// Segments of one table, in pages that never move, so that more of them cost no copy of the
/// others.
#[derive(Debug)]
pub(crate) struct Owned<E> {
    pages: Vec<Vec<Segment<E>>>,
    free: Vec<u32>,
}

impl<E> Default for Owned<E> {
    fn default() -> Self {
        Self {
            pages: Vec::new(),
            free: Vec::new(),
        }
    }
}

impl<E: TableEntry> Shelf<E> for Owned<E> {
    fn insert(&mut self, segment: Segment<E>) -> SegmentId {
        if let Some(id) = self.free.pop().map(SegmentId) {
            *self.get_mut(id) = segment;
            return id;
        }
        if self
            .pages
            .last()
            .is_none_or(|page| page.len() == PAGE_SEGMENTS)
        {
            // The first page grows by and by, since most databases stay small.
            let room = if self.pages.is_empty() {
                1
            } else {
                PAGE_SEGMENTS
            };
            self.pages.push(Vec::with_capacity(room));
        }
        let last = self.pages.len() - 1;
        let page = &mut self.pages[last];
        page.push(segment);
        let id = last * PAGE_SEGMENTS + page.len() - 1;
        SegmentId(u32::try_from(id).expect("fewer segments than bytes of memory"))
    }

    fn remove(&mut self, id: SegmentId) -> Segment<E> {
        let segment = core::mem::replace(self.get_mut(id), vacant());
        self.free.push(id.0);
        segment
    }

    #[inline]
    fn get(&self, SegmentId(id): SegmentId) -> &Segment<E> {
        &self.pages[id as usize / PAGE_SEGMENTS][id as usize % PAGE_SEGMENTS]
    }

    #[inline]
    fn get_mut(&mut self, SegmentId(id): SegmentId) -> &mut Segment<E> {
        &mut self.pages[id as usize / PAGE_SEGMENTS][id as usize % PAGE_SEGMENTS]
    }

    fn live(&self) -> usize {
        self.pages.iter().map(Vec::len).sum::<usize>() - self.free.len()
    }

    fn memory(&self) -> usize {
        let first = self.pages.first().map_or(0, Vec::capacity);
        let page = alloc_size(PAGE_SEGMENTS * size_of::<Segment<E>>());
        alloc_size(first * size_of::<Segment<E>>())
            + self.pages.len().saturating_sub(1) * page
            + alloc_size(self.pages.capacity() * size_of::<Vec<Segment<E>>>())
            + alloc_size(self.free.capacity() * size_of::<u32>())
    }
}

/// Segments that clones of a table have in common until one of them changes a segment.
#[derive(Clone, Debug)]
pub(crate) struct Shared<E> {
    segments: Vec<Rc<Segment<E>>>,
    free: Vec<u32>,
}

impl<E> Shared<E> {
    /// The segments, one of no entries in the place of each free id.
    pub(super) fn all(&self) -> &[Rc<Segment<E>>] {
        &self.segments
    }

    /// Takes the last segment, for a table that is being freed.
    pub(super) fn pop(&mut self) -> Option<Rc<Segment<E>>> {
        self.segments.pop()
    }
}

impl<E> Default for Shared<E> {
    fn default() -> Self {
        Self {
            segments: Vec::new(),
            free: Vec::new(),
        }
    }
}

impl<E: TableEntry + Clone> Shelf<E> for Shared<E> {
    fn insert(&mut self, segment: Segment<E>) -> SegmentId {
        let segment = Rc::new(segment);
        if let Some(id) = self.free.pop() {
            self.segments[id as usize] = segment;
            return SegmentId(id);
        }
        self.segments.push(segment);
        let id = u32::try_from(self.segments.len() - 1);
        SegmentId(id.expect("fewer segments than bytes of memory"))
    }

    fn remove(&mut self, id: SegmentId) -> Segment<E> {
        self.free.push(id.0);
        let gone = core::mem::replace(&mut self.segments[id.0 as usize], Rc::new(vacant()));
        Rc::unwrap_or_clone(gone)
    }

    #[inline]
    fn get(&self, SegmentId(id): SegmentId) -> &Segment<E> {
        &self.segments[id as usize]
    }

    #[inline]
    fn get_mut(&mut self, SegmentId(id): SegmentId) -> &mut Segment<E> {
        Rc::make_mut(&mut self.segments[id as usize])
    }

    fn live(&self) -> usize {
        self.segments.len() - self.free.len()
    }

    fn memory(&self) -> usize {
        self.segments.len() * alloc_size(RC_BYTES + size_of::<Segment<E>>())
            + alloc_size(self.segments.capacity() * size_of::<Rc<Segment<E>>>())
            + alloc_size(self.free.capacity() * size_of::<u32>())
    }
}

fn vacant<E: TableEntry>() -> Segment<E> {
    Segment::new(0, 0, 0)
}

const PAGE_SEGMENTS: usize = 64;
/// What a shared allocation has beside its content: two counts.
const RC_BYTES: usize = 16;
