//! Where the elements of a large sorted set lie: one record of each, its score and its member.

use std::rc::Rc;

use smallvec::SmallVec;

use crate::limits::{ZSET_INLINE_BYTES_MAX, ZSET_PAGE_BYTES};
use crate::value::alloc_size;

/// Names a record: its page and its place in it, in units.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct RecordId(pub(super) u32);

/// Records in pages, which clones have in common until one of them changes a page.
///
/// A record is a header of two bytes, eight bytes of score and the member, rounded up to units.
/// The header is the member's length, or says that the member lies in an allocation of its own
/// (its number follows the score), or that there is a hole: of how many units, and behind it the
/// holes of the same size before and after it.
#[derive(Clone, Debug)]
pub(super) struct Records {
    pages: Vec<Rc<Page>>,
    /// Pages without an allocation.
    vacant: Vec<u32>,
    /// The page that new records are added to.
    fill: u32,
    /// The first hole of each size in units.
    holes: Vec<u32>,
    longs: Vec<Rc<[u8]>>,
    free_longs: Vec<u32>,
    /// Units of all pages, and those of them that are records.
    used: usize,
    live: usize,
    /// Where the next search for a sparse page begins.
    sweep: u32,
    /// Bytes of the pages and the long members.
    heap: usize,
}

#[derive(Debug, Default)]
struct Page {
    bytes: Vec<u8>,
    /// Units that are records.
    live: usize,
}

impl Clone for Page {
    /// As large an allocation, so that what is counted for a page stays true of its copy.
    fn clone(&self) -> Self {
        let mut bytes = Vec::with_capacity(self.bytes.capacity());
        bytes.extend_from_slice(&self.bytes);
        Self {
            bytes,
            live: self.live,
        }
    }
}

impl Records {
    pub(super) fn new() -> Self {
        Self {
            pages: Vec::new(),
            vacant: Vec::new(),
            fill: NONE,
            holes: Vec::new(),
            longs: Vec::new(),
            free_longs: Vec::new(),
            used: 0,
            live: 0,
            sweep: 0,
            heap: 0,
        }
    }

    /// Adds a record.
    pub(super) fn insert(&mut self, score: f64, member: &[u8]) -> RecordId {
        let long = member.len() > ZSET_INLINE_BYTES_MAX;
        let units = if long {
            LONG_UNITS
        } else {
            units_of(member.len())
        };
        let id = self.allocate(units);
        let number = long.then(|| self.insert_long(member));
        let (page, at) = self.place_mut(id);
        page.live += units;
        let record = &mut page.bytes[at..at + units * UNIT];
        record[SCORE..MEMBER].copy_from_slice(&score.to_le_bytes());
        if let Some(number) = number {
            record[..SCORE].copy_from_slice(&LONG.to_le_bytes());
            record[MEMBER..MEMBER + 4].copy_from_slice(&number.to_le_bytes());
        } else {
            record[..SCORE].copy_from_slice(&(member.len() as u16).to_le_bytes());
            record[MEMBER..MEMBER + member.len()].copy_from_slice(member);
        }
        self.live += units;
        id
    }

    /// Removes a record.
    pub(super) fn remove(&mut self, id: RecordId) {
        let record = self.record(id);
        let units = record_units(record);
        if header(record) == LONG {
            let number = long_number(record);
            let gone = core::mem::replace(&mut self.longs[number as usize], Rc::from([]));
            self.heap -= long_size(gone.len());
            self.free_longs.push(number);
        }
        self.live -= units;
        let (page, _) = self.place_mut(id);
        page.live -= units;
        let empty = page.live == 0;
        self.add_hole(id.0, units);
        if empty {
            self.release(page_of(id.0));
        }
    }

    #[inline]
    pub(super) fn score(&self, id: RecordId) -> f64 {
        score_of(self.record(id))
    }

    pub(super) fn set_score(&mut self, id: RecordId, score: f64) {
        let (page, at) = self.place_mut(id);
        page.bytes[at + SCORE..at + MEMBER].copy_from_slice(&score.to_le_bytes());
    }

    #[inline]
    pub(super) fn member(&self, id: RecordId) -> &[u8] {
        member_of(self.record(id), &self.longs)
    }

    /// How many bytes the pages and long members take.
    pub(super) fn memory(&self) -> usize {
        self.heap
            + alloc_size(self.pages.capacity() * size_of::<Rc<Page>>())
            + alloc_size(self.holes.capacity() * size_of::<u32>())
            + alloc_size(self.longs.capacity() * size_of::<Rc<[u8]>>())
            + alloc_size(self.free_longs.capacity() * size_of::<u32>())
            + alloc_size(self.vacant.capacity() * size_of::<u32>())
    }

    /// How many allocations there are.
    pub(super) fn allocations(&self) -> usize {
        self.pages.len() + self.longs.len()
    }

    /// The pages as they are, to read them one by one.
    pub(super) fn pages(&self) -> Pages {
        Pages {
            pages: self.pages.clone(),
            longs: self.longs.clone(),
            bytes: self.heap,
        }
    }

    /// Frees pages and long members while `left` allocations may be freed; true when none is
    /// left. Nothing may be read any more.
    pub(super) fn free_some(&mut self, left: &mut usize) -> bool {
        while *left > 0 {
            let mut effort = 1;
            if let Some(page) = self.pages.pop() {
                self.heap -= page_size(&page);
                effort = PAGE_EFFORT;
            } else if let Some(long) = self.longs.pop() {
                if !long.is_empty() {
                    self.heap -= long_size(long.len());
                }
            } else {
                *self = Self::new();
                return true;
            }
            *left = left.saturating_sub(effort);
        }
        false
    }

    /// A page to be emptied, if more of all pages are holes than records: it is about to be given
    /// back, and its records are copied to other pages. The ids that change are returned; the old
    /// ones can be read until [`drop_page`](Self::drop_page).
    pub(super) fn evacuate(&mut self) -> Option<(u32, Moves)> {
        let holes = self.used - self.live;
        if holes <= self.live || holes < HOLES_MIN {
            return None;
        }
        let page = self.sparse_page()?;
        self.unlink_holes(page);
        let mut moves = Moves::new();
        let source = Rc::clone(&self.pages[page as usize]);
        for (at, record) in walk(&source.bytes) {
            if is_hole(record) {
                continue;
            }
            let units = record_units(record);
            let to = self.allocate(units);
            let (target, place) = self.place_mut(to);
            target.live += units;
            target.bytes[place..place + units * UNIT].copy_from_slice(record);
            moves.push((id_at(page, at), to));
        }
        // Its records count twice until it is dropped.
        self.live += source.live;
        Some((page, moves))
    }

    /// Gives back a page whose records have moved.
    pub(super) fn drop_page(&mut self, page: u32) {
        let gone = core::mem::take(&mut self.pages[page as usize]);
        self.live -= gone.live;
        self.used -= gone.bytes.len() / UNIT;
        self.heap -= page_size(&gone);
        self.vacant.push(page);
    }

    /// Panics if the records contradict themselves.
    pub(super) fn check_invariants(&self) {
        let (mut used, mut live, mut heap, mut holes) = (0, 0, 0, 0);
        for page in &self.pages {
            let mut here = 0;
            for (_, record) in walk(&page.bytes) {
                if is_hole(record) {
                    holes += 1;
                } else {
                    here += record_units(record);
                }
            }
            assert_eq!(here, page.live);
            assert!(page.bytes.len() <= ZSET_PAGE_BYTES);
            live += here;
            used += page.bytes.len() / UNIT;
            heap += page_size(page);
        }
        assert_eq!((used, live), (self.used, self.live));
        let longs = self.longs.iter().filter(|long| !long.is_empty());
        heap += longs.map(|long| long_size(long.len())).sum::<usize>();
        assert_eq!(heap, self.heap);
        let mut linked = 0;
        for (units, &first) in self.holes.iter().enumerate() {
            let (mut hole, mut before) = (first, NONE);
            while hole != NONE {
                let bytes = self.record(RecordId(hole));
                assert!(is_hole(bytes) && record_units(bytes) == units);
                assert_eq!(link(bytes, BEFORE), before);
                (before, hole) = (hole, link(bytes, AFTER));
                linked += 1;
            }
        }
        assert_eq!(linked, holes);
    }

    /// The bytes from a record's start to the end of its page.
    #[inline]
    fn record(&self, id: RecordId) -> &[u8] {
        &self.pages[page_of(id.0) as usize].bytes[offset_of(id.0)..]
    }

    fn place_mut(&mut self, id: RecordId) -> (&mut Page, usize) {
        let page = &mut self.pages[page_of(id.0) as usize];
        (Rc::make_mut(page), offset_of(id.0))
    }

    /// Room for a record: a hole of its size, or the end of the last page.
    fn allocate(&mut self, units: usize) -> RecordId {
        if let Some(&hole) = self.holes.get(units)
            && hole != NONE
        {
            self.unlink(hole);
            return RecordId(hole);
        }
        let fits = self
            .pages
            .get(self.fill as usize)
            .is_some_and(|page| page.bytes.len() + units * UNIT <= ZSET_PAGE_BYTES);
        if !fits {
            self.fill = self.add_page();
        }
        let fill = self.fill;
        // The first page grows by and by, since most sets have one.
        let step = if self.pages.len() == 1 {
            1
        } else {
            ZSET_PAGE_BYTES
        };
        let page = Rc::make_mut(&mut self.pages[fill as usize]);
        let at = page.bytes.len();
        let needed = at + units * UNIT;
        if page.bytes.capacity() < needed {
            let before = alloc_size(page.bytes.capacity());
            let room = needed.max(2 * at).max(step).min(ZSET_PAGE_BYTES);
            page.bytes.reserve_exact(room - at);
            self.heap = self.heap - before + alloc_size(page.bytes.capacity());
        }
        page.bytes.resize(needed, 0);
        self.used += units;
        id_at(fill, at)
    }

    fn add_page(&mut self) -> u32 {
        self.heap += PAGE_SELF_BYTES;
        if let Some(page) = self.vacant.pop() {
            self.pages[page as usize] = Rc::new(Page::default());
            return page;
        }
        let page = u32::try_from(self.pages.len()).unwrap_or(NONE);
        assert!(
            page < PAGES_MAX,
            "a sorted set is far smaller than its ids can tell apart"
        );
        self.pages.push(Rc::new(Page::default()));
        page
    }

    fn insert_long(&mut self, member: &[u8]) -> u32 {
        self.heap += long_size(member.len());
        let long = Rc::from(member);
        if let Some(number) = self.free_longs.pop() {
            self.longs[number as usize] = long;
            return number;
        }
        self.longs.push(long);
        u32::try_from(self.longs.len() - 1).expect("a record is larger than a unit")
    }

    fn add_hole(&mut self, id: u32, units: usize) {
        if self.holes.len() <= units {
            self.holes.resize(units + 1, NONE);
        }
        let after = core::mem::replace(&mut self.holes[units], id);
        let (page, at) = self.place_mut(RecordId(id));
        let hole = &mut page.bytes[at..];
        hole[..SCORE].copy_from_slice(&(HOLE | units as u16).to_le_bytes());
        hole[BEFORE..BEFORE + 4].copy_from_slice(&NONE.to_le_bytes());
        hole[AFTER..AFTER + 4].copy_from_slice(&after.to_le_bytes());
        if after != NONE {
            self.set_link(after, BEFORE, id);
        }
    }

    fn unlink(&mut self, id: u32) {
        let hole = self.record(RecordId(id));
        let units = record_units(hole);
        let (before, after) = (link(hole, BEFORE), link(hole, AFTER));
        if before == NONE {
            self.holes[units] = after;
        } else {
            self.set_link(before, AFTER, after);
        }
        if after != NONE {
            self.set_link(after, BEFORE, before);
        }
    }

    fn set_link(&mut self, hole: u32, which: usize, to: u32) {
        let (page, at) = self.place_mut(RecordId(hole));
        page.bytes[at + which..at + which + 4].copy_from_slice(&to.to_le_bytes());
    }

    fn unlink_holes(&mut self, page: u32) {
        let bytes = &self.pages[page as usize].bytes;
        let holes: Vec<u32> = walk(bytes)
            .filter(|(_, record)| is_hole(record))
            .map(|(at, _)| id_at(page, at).0)
            .collect();
        for hole in holes {
            self.unlink(hole);
        }
    }

    /// Gives back a page that has nothing but holes.
    fn release(&mut self, page: u32) {
        self.unlink_holes(page);
        if page == self.fill {
            self.fill = NONE;
        }
        self.drop_page(page);
    }

    /// A page with room to gain, looked for in a few pages from where the last search ended.
    fn sparse_page(&mut self) -> Option<u32> {
        let count = self.pages.len() as u32;
        for _ in 0..SWEEP_PAGES {
            let page = self.sweep % count;
            self.sweep = page + 1;
            let Page { bytes, live } = &*self.pages[page as usize];
            let sparse = live * UNIT * 4 <= bytes.len() * 3;
            if page != self.fill && !bytes.is_empty() && sparse {
                return Some(page);
            }
        }
        None
    }
}

/// The pages of a large sorted set as they were at one moment, taken one by one.
#[derive(Debug)]
pub(super) struct Pages {
    pages: Vec<Rc<Page>>,
    longs: Vec<Rc<[u8]>>,
    bytes: usize,
}

impl Pages {
    /// Reads the elements of the next page and drops it; the bytes that it has, none if there is
    /// no further page.
    pub(super) fn take(&mut self, mut each: impl FnMut(&[u8], f64)) -> Option<usize> {
        let page = self.pages.pop()?;
        let mut cost = page.bytes.len();
        for (_, record) in walk(&page.bytes) {
            if !is_hole(record) {
                let member = member_of(record, &self.longs);
                if header(record) == LONG {
                    cost += member.len();
                }
                each(member, score_of(record));
            }
        }
        Some(cost)
    }

    /// Bytes of all pages there were.
    pub(super) fn memory(&self) -> usize {
        self.bytes
    }
}

/// Records that have moved: where from and where to.
pub(super) type Moves = SmallVec<[(RecordId, RecordId); 8]>;

/// What lies in a page, each with its place.
fn walk(bytes: &[u8]) -> impl Iterator<Item = (usize, &[u8])> {
    let mut at = 0;
    core::iter::from_fn(move || {
        let rest = bytes.get(at..).filter(|rest| !rest.is_empty())?;
        let place = at;
        at += record_units(rest) * UNIT;
        Some((place, &rest[..at - place]))
    })
}

#[inline]
fn header(record: &[u8]) -> u16 {
    u16::from_le_bytes([record[0], record[1]])
}

#[inline]
fn score_of(record: &[u8]) -> f64 {
    let bytes = record[SCORE..MEMBER].first_chunk();
    f64::from_le_bytes(*bytes.expect("a score has eight bytes"))
}

#[inline]
fn member_of<'a>(record: &'a [u8], longs: &'a [Rc<[u8]>]) -> &'a [u8] {
    match header(record) {
        LONG => &longs[long_number(record) as usize],
        len => &record[MEMBER..MEMBER + usize::from(len)],
    }
}

fn long_number(record: &[u8]) -> u32 {
    link(record, MEMBER)
}

fn link(record: &[u8], at: usize) -> u32 {
    let bytes = record[at..].first_chunk();
    u32::from_le_bytes(*bytes.expect("a link has four bytes"))
}

fn is_hole(record: &[u8]) -> bool {
    header(record) & HOLE != 0
}

fn record_units(record: &[u8]) -> usize {
    match header(record) {
        LONG => LONG_UNITS,
        hole if hole & HOLE != 0 => usize::from(hole & !HOLE),
        len => units_of(usize::from(len)),
    }
}

const fn units_of(len: usize) -> usize {
    (MEMBER + len).div_ceil(UNIT)
}

const fn page_of(id: u32) -> u32 {
    id / PAGE_UNITS
}

const fn offset_of(id: u32) -> usize {
    (id % PAGE_UNITS) as usize * UNIT
}

fn id_at(page: u32, offset: usize) -> RecordId {
    RecordId(page * PAGE_UNITS + (offset / UNIT) as u32)
}

fn page_size(page: &Page) -> usize {
    if page.bytes.capacity() == 0 {
        0
    } else {
        PAGE_SELF_BYTES + alloc_size(page.bytes.capacity())
    }
}

fn long_size(len: usize) -> usize {
    alloc_size(RC_BYTES + len)
}

const UNIT: usize = 4;
const PAGE_UNITS: u32 = (ZSET_PAGE_BYTES / UNIT) as u32;
/// So that every place in a page has an id, and one id is left over.
const PAGES_MAX: u32 = u32::MAX / PAGE_UNITS;
const NONE: u32 = u32::MAX;
/// Where in a record its score and its member begin.
const SCORE: usize = 2;
const MEMBER: usize = 10;
/// Where in a hole the links are.
const BEFORE: usize = 4;
const AFTER: usize = 8;
const HOLE: u16 = 1 << 15;
/// The header of a record whose member lies elsewhere.
const LONG: u16 = HOLE - 1;
const LONG_UNITS: usize = units_of(4);
/// Giving a page back to the system takes as long as freeing so many small allocations.
const PAGE_EFFORT: usize = 32;
/// Fewer units of holes are not worth the work of moving records.
const HOLES_MIN: usize = 4 * PAGE_UNITS as usize;
/// Pages that one search for a sparse one looks at.
const SWEEP_PAGES: usize = 16;
/// What a shared allocation has beside its content: two counts.
const RC_BYTES: usize = 16;
const PAGE_SELF_BYTES: usize = alloc_size(RC_BYTES + size_of::<Page>());

const _: () = assert!(
    units_of(0) * UNIT >= AFTER + 4,
    "a hole has room for its links"
);
const _: () = assert!(ZSET_INLINE_BYTES_MAX < LONG as usize);
const _: () = assert!(units_of(ZSET_INLINE_BYTES_MAX) < PAGE_UNITS as usize);
const _: () = assert!(ZSET_PAGE_BYTES.is_power_of_two());
