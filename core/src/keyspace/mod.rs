//! The dataset: a hash-ordered table per database, with expiry and memory accounting.
//!
//! Keys are ordered by a keyed hash of 64 bits and lie in segments of some hundreds. From that
//! order follow scans that neither miss nor repeat, snapshots without a copy, and samples that
//! are evenly spread.

mod db;
mod entry;
mod evict;
mod garbage;
mod handle;
mod snapshot;
mod usage;

use core::any::Any;

pub use db::{Db, DbMut, Ttl, WarmKeys};
pub use evict::{Evictor, Order, Rule, Victim};
pub use handle::{Detached, EntryMut, EntryRef, Slot, StrMut, Vacant};
pub use snapshot::SegmentSink;
pub use usage::{Tracked, Usage};

use crate::machine::Wall;
use crate::rng::Rng;
use crate::value::KeyHasher;
use garbage::Garbage;
use snapshot::Snapshot;

/// All databases of a server.
pub struct Keyspace {
    dbs: Vec<Db>,
    shared: Shared,
}

/// What the databases have in common.
struct Shared {
    hasher: KeyHasher,
    /// The number of the snapshot under way or last taken. A segment of a lower one has entries
    /// that the snapshot under way has not taken.
    version: u64,
    snapshot: Option<Snapshot>,
    garbage: Garbage,
    /// How it is kept when entries are used.
    usage: Usage,
}

impl Keyspace {
    /// As many empty databases. Where keys lie in them depends on `rng` alone.
    pub fn new(databases: usize, rng: &mut Rng) -> Self {
        let shared = Shared {
            hasher: KeyHasher::new(rng),
            version: 1,
            snapshot: None,
            garbage: Garbage::default(),
            usage: Usage::new(Wall::from_millis(0), Tracked::Neither),
        };
        let db = || Db::new(shared.hasher, shared.version);
        Self {
            dbs: core::iter::repeat_with(db).take(databases).collect(),
            shared,
        }
    }

    /// What places keys, and the elements of large values.
    pub fn hasher(&self) -> KeyHasher {
        self.shared.hasher
    }

    /// One database, to write to.
    #[inline]
    pub fn db_mut(&mut self, db: usize) -> DbMut<'_> {
        DbMut {
            db: &mut self.dbs[db],
            shared: &mut self.shared,
        }
    }

    /// Exchanges two databases.
    pub fn swap(&mut self, one: usize, other: usize) {
        self.dbs.swap(one, other);
    }

    /// Empties a database and returns how many keys it had. They wait to be freed.
    pub fn flush(&mut self, db: usize) -> usize {
        let empty = Db::new(self.shared.hasher, self.shared.version);
        let flushed = core::mem::replace(&mut self.dbs[db], empty);
        let keys = flushed.len();
        match &mut self.shared.snapshot {
            Some(snapshot) if flushed.is_in_snapshot() => snapshot.keep(flushed),
            Some(_) | None => self.shared.garbage.add_db(flushed),
        }
        keys
    }

    /// Empties all databases and returns how many keys they had.
    pub fn flush_all(&mut self) -> usize {
        (0..self.dbs.len()).map(|db| self.flush(db)).sum()
    }

    /// Frees about as many allocations of what waits to be freed; true when nothing waits.
    pub fn free_some(&mut self, allocations: usize) -> bool {
        self.shared.garbage.free_some(allocations)
    }

    /// How many keys had what waits to be freed, and how many what was freed by and by.
    pub fn freed(&self) -> (u64, u64) {
        (self.shared.garbage.pending(), self.shared.garbage.freed())
    }

    /// Counts anew what is freed.
    pub fn forget_freed(&mut self) {
        self.shared.garbage.forget_freed();
    }

    /// Begins a snapshot of the dataset as it is now. There is one at a time.
    pub fn begin_snapshot(&mut self, sink: Box<dyn SegmentSink>) {
        assert!(self.shared.snapshot.is_none(), "one snapshot at a time");
        self.shared.version += 1;
        self.shared.snapshot = Some(Snapshot::new(sink));
        for (index, db) in self.dbs.iter_mut().enumerate() {
            db.begin_snapshot(index);
        }
    }

    /// Goes on with the snapshot by about as many entries; true when its sink has got them all.
    pub fn step_snapshot(&mut self, entries: usize) -> bool {
        let snapshot = self.shared.snapshot.as_mut();
        let snapshot = snapshot.expect("a step belongs to a snapshot");
        let mut budget = entries;
        snapshot.step(&mut self.dbs, self.shared.version, &mut budget)
    }

    /// Ends the snapshot, done or not, and gives its sink back.
    pub fn end_snapshot(&mut self) -> Option<Box<dyn SegmentSink>> {
        let (sink, flushed) = self.shared.snapshot.take()?.finish();
        for db in &mut self.dbs {
            db.end_snapshot();
        }
        for db in flushed {
            self.shared.garbage.add_db(db);
        }
        Some(sink)
    }

    /// The sink of the snapshot under way, if it is of this type.
    pub fn snapshot_sink<S: SegmentSink>(&mut self) -> Option<&mut S> {
        let sink: &mut dyn Any = self.shared.snapshot.as_mut()?.sink();
        sink.downcast_mut()
    }

    /// Whether a snapshot is under way.
    pub fn has_snapshot(&self) -> bool {
        self.shared.snapshot.is_some()
    }

    /// Says how it is kept from here on when entries are used. To be called as time goes on.
    pub fn set_usage(&mut self, usage: Usage) {
        self.shared.usage = usage;
    }

    /// How it is kept when entries are used.
    #[inline]
    pub fn usage(&self) -> Usage {
        self.shared.usage
    }

    /// One database, to read from.
    #[inline]
    pub fn db(&self, db: usize) -> &Db {
        &self.dbs[db]
    }

    /// The databases.
    pub fn dbs(&self) -> &[Db] {
        &self.dbs
    }

    /// How many keys there are in all databases.
    pub fn len(&self) -> usize {
        self.dbs.iter().map(Db::len).sum()
    }

    /// Whether all databases are empty.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether something waits to be freed.
    pub fn has_garbage(&self) -> bool {
        !self.shared.garbage.is_empty()
    }

    /// Bytes of all allocations, counted from the data alone.
    pub fn memory(&self) -> usize {
        let dbs = self.dbs.iter().map(Db::memory).sum::<usize>();
        dbs + self.shared.garbage.memory() + self.kept_memory()
    }

    /// Bytes of them that are no longer part of the dataset, but kept for the snapshot under way.
    pub fn kept_memory(&self) -> usize {
        self.shared.snapshot.as_ref().map_or(0, Snapshot::memory)
    }

    /// Panics if the keyspace contradicts itself.
    pub fn check_invariants(&self) {
        self.dbs.iter().for_each(Db::check_invariants);
        self.shared.garbage.check_invariants();
    }
}

#[cfg(test)]
mod tests;
