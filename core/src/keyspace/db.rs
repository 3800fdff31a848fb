//! One database: a table of entries, with what it knows of expiry, memory and snapshots.

use bytes::Bytes;
use smallvec::SmallVec;

use super::Shared;
use super::entry::{Content, Entry};
use super::handle::{Detached, EntryMut, EntryRef, Slot, Vacant};
use super::snapshot::{SegmentSink, Walk};
use crate::limits::WARM_KEYS_MAX;
use crate::machine::Wall;
use crate::rng::Rng;
use crate::value::table::{Location, SegmentId, Table};
use crate::value::{KeyHasher, Value};

/// Keys that will be looked for soon.
pub type WarmKeys<'a> = SmallVec<[&'a [u8]; WARM_KEYS_MAX]>;

/// One database, to read from.
#[derive(Debug)]
pub struct Db {
    table: Table<Entry>,
    /// How many entries have a time of expiry, and the sum of these times.
    expires: usize,
    expire_sum: i128,
    /// Where the search for expired entries goes on.
    sweep: u64,
    /// Where the search for entries that expire goes on, if it has not found one.
    hunt: Option<u64>,
    /// Bytes of the entries' own allocations.
    entry_bytes: usize,
    walk: Walk,
}

impl Db {
    pub(super) fn new(hasher: KeyHasher, version: u64) -> Self {
        Self {
            table: Table::new(hasher, version),
            expires: 0,
            expire_sum: 0,
            sweep: 0,
            hunt: None,
            entry_bytes: 0,
            walk: Walk::DONE,
        }
    }

    /// Finds a key.
    #[inline]
    pub fn get(&self, key: &[u8]) -> Option<EntryRef<'_>> {
        let at = self.table.look_up(key)?;
        Some(EntryRef(self.table.entry(at)))
    }

    /// Brings close to the processor what is known of some keys, before they are looked for one
    /// after the other. Changes nothing.
    pub fn warm(&self, keys: &WarmKeys<'_>) {
        self.table.warm(&self.hashes(keys));
    }

    /// As [`warm`](Self::warm), for keys that will be added and are hardly there.
    pub fn warm_room(&self, keys: &WarmKeys<'_>) {
        self.table.warm_room(&self.hashes(keys));
    }

    fn hashes(&self, keys: &WarmKeys<'_>) -> SmallVec<[u64; WARM_KEYS_MAX]> {
        keys.iter().map(|key| self.table.hash(key)).collect()
    }

    /// Whether a key is there.
    #[inline]
    pub fn contains(&self, key: &[u8]) -> bool {
        self.get(key).is_some()
    }

    /// Visits about `count` entries from a cursor on and returns the cursor that goes on behind
    /// them, 0 at the end. A key that is there from the first call, with cursor 0, to the last is
    /// visited exactly once, however the database grows and shrinks meanwhile.
    ///
    /// Cursors are below 2^53. One of that size or more is at the end.
    pub fn scan(&self, cursor: u64, count: usize, mut visit: impl FnMut(EntryRef<'_>)) -> u64 {
        self.table
            .scan(cursor, count, &mut |entry| visit(EntryRef(entry)))
    }

    /// An entry, each as likely as any other.
    pub fn random(&self, rng: &mut Rng) -> Option<EntryRef<'_>> {
        self.table.random(rng).map(EntryRef)
    }

    /// Shows `visit` up to `count` entries that expire, picked at random; at least one if there is
    /// any and `budget` suffices. Each random entry and each segment looked at takes one from it.
    ///
    /// Where such entries are many, each is as likely as any other. Where they are so few that
    /// random entries hit none, those of the next segment that has some are taken.
    pub(super) fn sample_expiring(
        &mut self,
        count: usize,
        rng: &mut Rng,
        budget: &mut usize,
        mut visit: impl FnMut(EntryRef<'_>),
    ) {
        let mut found = 0;
        for _ in 0..count.saturating_mul(EXPIRING_TRIES) {
            if found == count || *budget == 0 {
                break;
            }
            *budget -= 1;
            let hit = self.table.random_try(rng);
            if let Some(entry) = hit.filter(|entry| entry.expire().is_some()) {
                found += 1;
                visit(EntryRef(entry));
            }
        }
        if found > 0 || self.expires == 0 {
            return;
        }
        let mut from = self.hunt.take().unwrap_or_else(|| rng.next_u64());
        while *budget > 0 {
            *budget -= 1;
            let id = self.table.segment_of(from);
            let segment = self.table.segment_mut(id);
            if segment.min_expire != i64::MAX {
                let entries = segment.entries();
                *budget = budget.saturating_sub(entries.len() / SWEPT_PER_STEP);
                let start = rng.below(entries.len().max(1) as u64) as usize;
                let (last, first) = entries.split_at(start);
                let expiring = first.iter().chain(last);
                let expiring = expiring.filter(|entry| entry.expire().is_some());
                for entry in expiring.take(count) {
                    found += 1;
                    visit(EntryRef(entry));
                }
                if found > 0 {
                    return;
                }
                segment.min_expire = i64::MAX;
            }
            from = segment.end().unwrap_or(0);
        }
        self.hunt = Some(from);
    }

    /// All entries, in an order that depends on their keys' hashes.
    pub fn iter(&self) -> impl Iterator<Item = EntryRef<'_>> {
        self.table.iter().map(EntryRef)
    }

    /// How many keys there are.
    pub fn len(&self) -> usize {
        self.table.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many keys have a time of expiry.
    pub fn expires(&self) -> usize {
        self.expires
    }

    /// The mean time to live of the keys that expire, in milliseconds.
    pub fn avg_ttl(&self, now: Wall) -> i64 {
        let Ok(count @ 1..) = i128::try_from(self.expires) else {
            return 0;
        };
        let mean = self.expire_sum / count - i128::from(now.as_millis());
        i64::try_from(mean.max(0)).unwrap_or(i64::MAX)
    }

    /// How many segments the keys lie in.
    pub fn segment_count(&self) -> usize {
        self.table.segment_count()
    }

    /// Bytes of all allocations.
    pub fn memory(&self) -> usize {
        self.entry_bytes + self.table.memory()
    }

    /// Bytes of the allocations that are not an entry's own.
    pub fn overhead(&self) -> usize {
        self.table.memory()
    }

    /// Panics if the database contradicts itself.
    pub fn check_invariants(&self) {
        self.table.check_invariants();
        let times = || self.table.iter().filter_map(Entry::expire);
        assert_eq!(self.expires, times().count());
        let sum = times().map(|at| i128::from(at.as_millis())).sum::<i128>();
        assert_eq!(self.expire_sum, sum);
        let memory = self.table.iter().map(Entry::memory).sum::<usize>();
        assert_eq!(self.entry_bytes, memory);
        let mut next = Some(0);
        while let Some(start) = next {
            let segment = self.table.segment(self.table.segment_of(start));
            let first = segment.entries().iter().filter_map(Entry::expire).min();
            assert!(first.is_none_or(|at| segment.min_expire <= at.as_millis()));
            next = segment.end();
        }
    }

    pub(super) fn begin_snapshot(&mut self, origin: usize) {
        self.walk = Walk {
            origin,
            next: Some(0),
        };
    }

    /// Whether the running snapshot is not through the database.
    pub(super) fn is_in_snapshot(&self) -> bool {
        self.walk.next.is_some()
    }

    pub(super) fn end_snapshot(&mut self) {
        self.walk = Walk::DONE;
    }

    /// Emits what the snapshot `version` has not taken, until `budget` runs out; true if nothing
    /// is left.
    pub(super) fn walk_snapshot(
        &mut self,
        version: u64,
        sink: &mut dyn SegmentSink,
        budget: &mut usize,
    ) -> bool {
        while let Some(position) = self.walk.next {
            if *budget == 0 {
                return false;
            }
            let id = self.table.segment_of(position);
            if !self.table.segment(id).is_through(version) {
                let origin = self.walk.origin;
                let taken = self.table.take_pending(id, version, *budget, |entries| {
                    sink.segment(origin, &mut entries.map(EntryRef));
                });
                *budget -= taken;
            }
            *budget = budget.saturating_sub(1);
            let segment = self.table.segment(id);
            if segment.is_through(version) {
                self.walk.next = segment.end();
            }
        }
        true
    }

    /// Makes a database that was flushed ready to be freed.
    pub(super) fn begin_free(&mut self) {
        self.walk.next = Some(0);
    }

    /// Frees segments while `left` allocations may be freed; true if no entry is left.
    pub(super) fn free_some(&mut self, left: &mut usize) -> bool {
        while let Some(position) = self.walk.next {
            if *left == 0 {
                return false;
            }
            let id = self.table.segment_of(position);
            self.walk.next = self.table.segment(id).end();
            let entries = self.table.take_entries(id);
            let memory = entries.iter().map(Entry::memory).sum::<usize>();
            let effort = entries.iter().map(Entry::free_effort).sum::<usize>();
            self.entry_bytes -= memory;
            *left = left.saturating_sub(1 + effort);
        }
        true
    }
}

/// What becomes of a key's time of expiry when its value is replaced.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Ttl {
    /// It stays.
    Keep,
    /// The key no longer expires.
    Clear,
    /// It is this one.
    At(Wall),
}

impl Ttl {
    /// The new time in place of `old`.
    #[inline]
    pub fn apply(self, old: Option<Wall>) -> Option<Wall> {
        match self {
            Self::Keep => old,
            Self::Clear => None,
            Self::At(at) => Some(at),
        }
    }
}

/// One database, to write to.
///
/// Whatever is lent for writing counts as written: if a snapshot is under way and has not got
/// there, it first takes what is about to change.
pub struct DbMut<'a> {
    pub(super) db: &'a mut Db,
    pub(super) shared: &'a mut Shared,
}

impl<'a> DbMut<'a> {
    /// Lends the same database for a shorter time.
    #[inline]
    pub fn reborrow(&mut self) -> DbMut<'_> {
        DbMut {
            db: self.db,
            shared: self.shared,
        }
    }

    /// Finds a key and lends it for writing.
    #[inline]
    pub fn get_mut(&mut self, key: &[u8]) -> Option<EntryMut<'_>> {
        self.reborrow().into_entry(key)
    }

    /// As [`get_mut`](Self::get_mut), for as long as the database is lent.
    #[inline]
    pub fn into_entry(mut self, key: &[u8]) -> Option<EntryMut<'a>> {
        let at = self.db.table.look_up(key)?;
        self.touch(at);
        Some(EntryMut::new(self, at))
    }

    /// The place of a key, taken or not, found once for whatever is decided then.
    #[inline]
    pub fn slot<'k>(&mut self, key: &'k [u8]) -> Slot<'_, 'k> {
        self.reborrow().into_slot(key)
    }

    /// As [`slot`](Self::slot), for as long as the database is lent.
    #[inline]
    pub fn into_slot<'k>(mut self, key: &'k [u8]) -> Slot<'a, 'k> {
        let hash = self.db.table.hash(key);
        match self.db.table.find(hash, key) {
            Some(at) => {
                self.touch(at);
                Slot::Taken(EntryMut::new(self, at))
            }
            None => Slot::Vacant(Vacant {
                db: self,
                hash,
                key,
            }),
        }
    }

    /// Makes the table ready for so many keys in all, with the memory they will need if `room`.
    pub fn spread(&mut self, keys: u64, room: bool) {
        self.db.table.spread(keys, room);
    }

    /// Finds a key for reading and counts that as use, if there is an `rng` to draw from. This is
    /// no write.
    #[inline]
    pub fn access(self, key: &[u8], rng: Option<&mut Rng>) -> Option<EntryRef<'a>> {
        let at = self.db.table.look_up(key)?;
        let entry = self.db.table.entry_mut(at);
        if let Some(rng) = rng {
            entry.set_lru(self.shared.usage.used(entry.lru(), rng));
        }
        Some(EntryRef(entry))
    }

    /// Sets a key to a string.
    #[inline]
    pub fn set_str(&mut self, key: &[u8], text: &[u8], ttl: Ttl) {
        self.set_content(key, Content::text(text), ttl);
    }

    /// Sets a key to a string, sharing the bytes if they are many.
    pub fn set_bytes(&mut self, key: &[u8], bytes: &Bytes, ttl: Ttl) {
        self.set_content(key, Content::bytes(bytes), ttl);
    }

    /// Sets a key to a string that an edit made: raw, even if it looks like a number.
    pub fn set_raw(&mut self, key: &[u8], text: &[u8], ttl: Ttl) {
        self.set_content(key, Content::raw(text), ttl);
    }

    /// Sets a key to any value.
    pub fn insert(&mut self, key: &[u8], mut value: Value, ttl: Ttl) {
        self.set_content(key, Content::value(&mut value), ttl);
    }

    /// Puts what was detached from this or another database under a key, whatever was there.
    pub fn put(&mut self, key: &[u8], detached: Detached) {
        if let Some(old) = self.remove(key) {
            self.discard(old);
        }
        let hash = self.db.table.hash(key);
        self.insert_new(hash, detached.0.with_key(key));
    }

    /// Takes a key with all it has out of the database.
    pub fn remove(&mut self, key: &[u8]) -> Option<Detached> {
        let at = self.db.table.look_up(key)?;
        self.touch(at);
        Some(Detached(self.take(at)))
    }

    /// Removes a key, freeing a long value by and by; false if it was not there.
    pub fn delete(&mut self, key: &[u8]) -> bool {
        let Some(detached) = self.remove(key) else {
            return false;
        };
        self.discard(detached);
        true
    }

    /// Moves what is under one key to another, replacing what was there; false if nothing was
    /// under the first.
    pub fn rename(&mut self, from: &[u8], to: &[u8]) -> bool {
        if from == to {
            return self.db.contains(from);
        }
        let Some(detached) = self.remove(from) else {
            return false;
        };
        self.put(to, detached);
        true
    }

    /// Sets or clears the time of expiry of a key; false if it is not there.
    pub fn set_expire(&mut self, key: &[u8], expire: Option<Wall>) -> bool {
        let Some(mut entry) = self.get_mut(key) else {
            return false;
        };
        entry.set_expire(expire);
        true
    }

    /// Goes on with the search for expired entries and adds their keys to `keys`, which is for
    /// the caller to delete. It ends when `budget`, counted in segments and entries looked at,
    /// runs out; or at the end of the database, which it answers with true, and the next search
    /// starts over.
    pub fn due(&mut self, now: Wall, budget: &mut usize, keys: &mut Vec<Box<[u8]>>) -> bool {
        if self.db.expires == 0 {
            self.db.sweep = 0;
            return true;
        }
        while *budget > 0 {
            let id = self.db.table.segment_of(self.db.sweep);
            let segment = self.db.table.segment_mut(id);
            *budget -= 1;
            if segment.min_expire < now.as_millis() {
                *budget = budget.saturating_sub(segment.len());
                let mut first = i64::MAX;
                for entry in segment.entries() {
                    let Some(at) = entry.expire() else { continue };
                    first = first.min(at.as_millis()).min(EXPIRE_LATEST);
                    if at < now {
                        keys.push(EntryRef(entry).key().into());
                    }
                }
                segment.min_expire = first;
            }
            let end = segment.end();
            self.db.sweep = end.unwrap_or(0);
            if end.is_none() {
                return true;
            }
        }
        false
    }

    /// Frees a value that is no longer needed: at once if it is small, by and by if not.
    pub fn discard(&mut self, detached: Detached) {
        self.shared.garbage.take_content(&mut { detached.0 });
    }

    #[inline]
    fn set_content(&mut self, key: &[u8], content: Content<'_>, ttl: Ttl) {
        match self.slot(key) {
            Slot::Taken(mut entry) => entry.set_content(content, ttl),
            Slot::Vacant(vacant) => {
                vacant.insert_content(content, ttl.apply(None));
            }
        }
    }

    /// Makes an entry ready to be changed: a snapshot under way first takes it as it is.
    #[inline]
    pub(super) fn touch(&mut self, at: Location) {
        if self.shared.snapshot.is_some() {
            self.take_before_change(at);
        }
    }

    #[cold]
    fn take_before_change(&mut self, at: Location) {
        if let Some(snapshot) = &mut self.shared.snapshot
            && self.db.table.take_once(at, self.shared.version)
        {
            let entry = EntryRef(self.db.table.entry(at));
            let origin = self.db.walk.origin;
            snapshot
                .sink()
                .segment(origin, &mut core::iter::once(entry));
        }
    }

    /// Adds an entry whose key is not there.
    pub(super) fn insert_new(&mut self, hash: u64, entry: Entry) -> Location {
        let mut segment = self.db.table.segment_of(hash);
        while self.db.table.is_full(segment) {
            self.db.table.split(segment);
            segment = self.db.table.segment_of(hash);
        }
        self.db.entry_bytes += entry.memory();
        let expire = entry.expire();
        let at = self.db.table.insert(segment, hash, entry);
        if self.shared.snapshot.is_some() {
            // It is younger than the snapshot.
            self.db.table.take_once(at, self.shared.version);
        }
        self.change_expire(segment, None, expire);
        at
    }

    /// Takes out an entry that was touched.
    pub(super) fn take(&mut self, at: Location) -> Entry {
        let entry = self.db.table.remove(at);
        self.db.entry_bytes -= entry.memory();
        self.change_expire(at.segment, entry.expire(), None);
        let snapshot = self
            .shared
            .snapshot
            .is_some()
            .then_some(self.shared.version);
        let mut segment = at.segment;
        while let Some(buddy) = self.db.table.sparse_buddy(segment) {
            segment = self.db.table.merge(segment, buddy, snapshot);
        }
        entry
    }

    #[inline]
    fn change_expire(&mut self, id: SegmentId, old: Option<Wall>, new: Option<Wall>) {
        if let Some(at) = old {
            self.db.expires -= 1;
            self.db.expire_sum -= i128::from(at.as_millis());
        }
        if let Some(at) = new {
            self.db.expires += 1;
            self.db.expire_sum += i128::from(at.as_millis());
            let segment = self.db.table.segment_mut(id);
            let first = segment.min_expire.min(at.as_millis());
            segment.min_expire = first.min(EXPIRE_LATEST);
        }
    }
}

impl core::ops::Deref for DbMut<'_> {
    type Target = Db;

    fn deref(&self) -> &Db {
        self.db
    }
}

/// What an [`EntryMut`] needs of its database.
impl DbMut<'_> {
    #[inline]
    pub(super) fn entry(&self, at: Location) -> &Entry {
        self.db.table.entry(at)
    }

    #[inline]
    pub(super) fn entry_mut(&mut self, at: Location) -> &mut Entry {
        self.db.table.entry_mut(at)
    }

    /// Accounts for an entry's memory after it was lent for writing.
    #[inline]
    pub(super) fn settle(&mut self, at: Location, memory_before: usize) {
        let memory = self.entry(at).memory();
        self.db.entry_bytes = self.db.entry_bytes - memory_before + memory;
    }

    #[inline]
    pub(super) fn replace_content(&mut self, at: Location, content: Content<'_>, ttl: Ttl) {
        let entry = self.db.table.entry_mut(at);
        let lru = self.shared.usage.replaced(entry.lru());
        let old = entry.expire();
        let new = ttl.apply(old);
        self.shared.garbage.take_content(entry);
        entry.replace(content, new, lru);
        if old != new {
            self.change_expire(at.segment, old, new);
        }
    }

    pub(super) fn replace_expire(&mut self, at: Location, new: Option<Wall>) {
        let entry = self.db.table.entry_mut(at);
        let old = entry.expire();
        entry.set_expire(new);
        self.change_expire(at.segment, old, new);
    }
}

/// Any later time counts as this one, so that a segment with an entry that expires is known by it.
const EXPIRE_LATEST: i64 = i64::MAX - 1;
/// Entries looked at one after the other that cost as much as a random one.
const SWEPT_PER_STEP: usize = 8;
/// Random places looked at for each entry that shall expire.
const EXPIRING_TRIES: usize = 8;
