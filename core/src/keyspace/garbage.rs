//! What is no longer part of the dataset and waits to be freed in slices.

use std::collections::VecDeque;

use super::db::Db;
use super::entry::Entry;
use crate::limits::LAZY_FREE_ALLOCATIONS;
use crate::value::List;

/// Databases and long values to be freed by and by.
#[derive(Debug, Default)]
pub(super) struct Garbage {
    items: VecDeque<Item>,
}

#[derive(Debug)]
enum Item {
    Db(Box<Db>),
    List(List),
}

impl Garbage {
    pub(super) fn add_db(&mut self, mut db: Db) {
        if !db.is_empty() {
            db.begin_free();
            self.items.push_back(Item::Db(Box::new(db)));
        }
    }

    /// Takes over a value that is about to go if freeing it at once would take long.
    pub(super) fn take_content(&mut self, entry: &mut Entry) {
        if entry.free_effort() > LAZY_FREE_ALLOCATIONS
            && let Some(list) = entry.list_mut()
        {
            self.items.push_back(Item::List(core::mem::take(list)));
        }
    }

    /// Frees about `allocations` of what waits; true when nothing waits any more.
    pub(super) fn free_some(&mut self, allocations: usize) -> bool {
        let mut left = allocations;
        while let Some(item) = self.items.front_mut() {
            let done = match item {
                Item::Db(db) => db.free_some(&mut left),
                Item::List(list) => list.free_some(&mut left),
            };
            if !done {
                return false;
            }
            self.items.pop_front();
        }
        true
    }

    pub(super) fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    pub(super) fn memory(&self) -> usize {
        let memory = |item: &Item| match item {
            Item::Db(db) => db.memory(),
            Item::List(list) => list.memory(),
        };
        self.items.iter().map(memory).sum()
    }
}
