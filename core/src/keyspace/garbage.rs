//! What is no longer part of the dataset and waits to be freed in slices.

use std::collections::VecDeque;

use super::db::Db;
use super::entry::Entry;
use crate::limits::LAZY_FREE_ALLOCATIONS;
use crate::value::Value;

/// Databases and long values to be freed by and by.
#[derive(Debug, Default)]
pub(super) struct Garbage {
    /// Each with how many keys had it.
    items: VecDeque<(Item, u64)>,
    /// Keys of those that have been freed.
    freed: u64,
    /// Bytes of all of them.
    bytes: usize,
}

#[derive(Debug)]
enum Item {
    Db(Box<Db>),
    Value(Value),
}

impl Garbage {
    pub(super) fn add_db(&mut self, mut db: Db) {
        if !db.is_empty() {
            db.begin_free();
            let keys = db.len() as u64;
            self.push(Item::Db(Box::new(db)), keys);
        }
    }

    /// Takes over a value that is about to go if freeing it at once would take long.
    pub(super) fn take_content(&mut self, entry: &mut Entry) {
        if entry.free_effort() > LAZY_FREE_ALLOCATIONS
            && let Some(value) = entry.take_large()
        {
            self.push(Item::Value(value), 1);
        }
    }

    /// Frees about `allocations` of what waits; true when nothing waits any more.
    pub(super) fn free_some(&mut self, allocations: usize) -> bool {
        let mut left = allocations;
        while let Some((item, _)) = self.items.front_mut() {
            let before = item.memory();
            let done = match item {
                Item::Db(db) => db.free_some(&mut left),
                Item::Value(value) => value.free_some(&mut left),
            };
            self.bytes -= before - item.memory();
            if !done {
                return false;
            }
            if let Some((item, keys)) = self.items.pop_front() {
                self.bytes -= item.memory();
                self.freed += keys;
            }
        }
        true
    }

    pub(super) fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    pub(super) fn memory(&self) -> usize {
        self.bytes
    }

    /// How many keys had what waits.
    pub(super) fn pending(&self) -> u64 {
        self.items.iter().map(|(_, keys)| keys).sum()
    }

    /// How many keys had what has been freed.
    pub(super) fn freed(&self) -> u64 {
        self.freed
    }

    /// Counts anew what is freed.
    pub(super) fn forget_freed(&mut self) {
        self.freed = 0;
    }

    /// Panics if it contradicts itself.
    pub(super) fn check_invariants(&self) {
        let bytes = self
            .items
            .iter()
            .map(|(item, _)| item.memory())
            .sum::<usize>();
        assert_eq!(self.bytes, bytes);
    }

    fn push(&mut self, item: Item, keys: u64) {
        self.bytes += item.memory();
        self.items.push_back((item, keys));
    }
}

impl Item {
    fn memory(&self) -> usize {
        match self {
            Self::Db(db) => db.memory(),
            Self::Value(value) => value.memory(),
        }
    }
}
