//! The dataset as it was at one moment, without a second process and without a copy.

use core::any::Any;

use super::db::Db;
use super::handle::EntryRef;

/// Takes the entries of a snapshot, in no particular order.
pub trait SegmentSink: Any {
    /// Takes some entries of the database that had this index when the snapshot began: some of a
    /// segment as the snapshot comes to it, or a single one that is about to change before. Every
    /// entry of that moment comes exactly once, with the value it had then.
    fn segment(&mut self, db: usize, entries: &mut dyn Iterator<Item = EntryRef<'_>>);
}

/// A snapshot under way.
pub(super) struct Snapshot {
    sink: Box<dyn SegmentSink>,
    /// Databases that were flushed before the snapshot had been through them.
    flushed: Vec<Db>,
}

/// How far the running snapshot has come in a database.
#[derive(Clone, Copy, Debug)]
pub(super) struct Walk {
    /// The database's index when the snapshot began.
    pub(super) origin: usize,
    /// The lowest hash that the walk has not passed; none when it is through.
    pub(super) next: Option<u64>,
}

impl Walk {
    /// Nothing in the database belongs to a snapshot.
    pub(super) const DONE: Self = Self {
        origin: 0,
        next: None,
    };
}

impl Snapshot {
    pub(super) fn new(sink: Box<dyn SegmentSink>) -> Self {
        Self {
            sink,
            flushed: Vec::new(),
        }
    }

    pub(super) fn sink(&mut self) -> &mut dyn SegmentSink {
        &mut *self.sink
    }

    /// Keeps a flushed database until the snapshot is through it.
    pub(super) fn keep(&mut self, db: Db) {
        self.flushed.push(db);
    }

    /// Goes on through the databases until `budget` runs out or they are done.
    pub(super) fn step(&mut self, dbs: &mut [Db], version: u64, budget: &mut usize) -> bool {
        let sink = &mut *self.sink;
        self.flushed
            .iter_mut()
            .chain(dbs)
            .all(|db| db.walk_snapshot(version, sink, budget))
    }

    pub(super) fn finish(self) -> (Box<dyn SegmentSink>, Vec<Db>) {
        (self.sink, self.flushed)
    }

    pub(super) fn memory(&self) -> usize {
        self.flushed.iter().map(Db::memory).sum()
    }
}
