//! What is no longer part of the dataset and waits to be freed in slices.

use std::collections::VecDeque;

use super::db::Db;
use super::entry::Entry;
use crate::limits::LAZY_FREE_ALLOCATIONS;
use crate::value::Value;

/// Databases and long values to be freed by and by.
#[derive(Debug, Default)]
pub(super) struct Garbage {
    items: VecDeque<Item>,
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
            self.push(Item::Db(Box::new(db)));
        }
    }

    /// Takes over a value that is about to go if freeing it at once would take long.
    pub(super) fn take_content(&mut self, entry: &mut Entry) {
        if entry.free_effort() > LAZY_FREE_ALLOCATIONS
            && let Some(value) = entry.take_large()
        {
            self.push(Item::Value(value));
        }
    }

    /// Frees about `allocations` of what waits; true when nothing waits any more.
    pub(super) fn free_some(&mut self, allocations: usize) -> bool {
        let mut left = allocations;
        while let Some(item) = self.items.front_mut() {
            let before = item.memory();
            let done = match item {
                Item::Db(db) => db.free_some(&mut left),
                Item::Value(value) => value.free_some(&mut left),
            };
            self.bytes -= before - item.memory();
            if !done {
                return false;
            }
            if let Some(item) = self.items.pop_front() {
                self.bytes -= item.memory();
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

    /// Panics if it contradicts itself.
    pub(super) fn check_invariants(&self) {
        let bytes = self.items.iter().map(Item::memory).sum::<usize>();
        assert_eq!(self.bytes, bytes);
    }

    fn push(&mut self, item: Item) {
        self.bytes += item.memory();
        self.items.push_back(item);
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
