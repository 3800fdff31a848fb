//! The form of large sorted sets.

use super::index::Index;
use super::order::{Item, Key, Order, Walk};
use super::records::{RecordId, Records};
use super::{ZsetChange, ZsetParts};
use crate::value::KeyHasher;

/// A large sorted set: its elements' records, an index to find them by member, and their order.
///
/// Its parts are shared with its clones, so that a clone costs as much as there are parts, not
/// elements.
#[derive(Clone, Debug)]
pub struct BigZset {
    hasher: KeyHasher,
    records: Records,
    index: Index,
    order: Order,
}

impl BigZset {
    pub(super) fn new(hasher: KeyHasher) -> Self {
        Self {
            hasher,
            records: Records::new(),
            index: Index::new(),
            order: Order::new(),
        }
    }

    /// Gives a member the score that `decide` makes of the one it has, if it makes one.
    pub(super) fn upsert(
        &mut self,
        member: &[u8],
        decide: impl FnOnce(Option<f64>) -> Option<f64>,
    ) -> Option<ZsetChange> {
        let hash = self.hasher.hash(member);
        let Some(id) = self.find(hash, member) else {
            let score = decide(None)?;
            self.add(hash, score, member);
            return Some(ZsetChange::Inserted);
        };
        let before = self.records.score(id);
        let score = decide(Some(before))?;
        if score == before {
            return Some(ZsetChange::Same);
        }
        let key = Key {
            score: before,
            member,
        };
        self.order.update(&self.records, key, score, id);
        self.records.set_score(id, score);
        Some(ZsetChange::Updated)
    }

    /// Adds an element whose member is not there.
    pub(super) fn add_new(&mut self, score: f64, member: &[u8]) {
        self.add(self.hasher.hash(member), score, member);
    }

    fn add(&mut self, hash: u64, score: f64, member: &[u8]) {
        let id = self.records.insert(score, member);
        let (hasher, records) = (&self.hasher, &self.records);
        self.index
            .insert(hash, id, |id| hasher.hash(records.member(id)));
        self.order.insert(records, Key { score, member }, id);
    }

    pub(super) fn remove(&mut self, member: &[u8]) -> bool {
        let hash = self.hasher.hash(member);
        let found = self.find(hash, member);
        if let Some(id) = found {
            let score = self.records.score(id);
            self.order.remove(&self.records, Key { score, member });
            let (hasher, records) = (&self.hasher, &self.records);
            self.index
                .remove(hash, id, |id| hasher.hash(records.member(id)));
            self.records.remove(id);
            self.tidy();
        }
        found.is_some()
    }

    /// Moves some records together where removals have left many holes.
    fn tidy(&mut self) {
        let Some((page, moves)) = self.records.evacuate() else {
            return;
        };
        let records = &self.records;
        for (from, to) in moves {
            let (score, member) = (records.score(to), records.member(to));
            self.index.replace(self.hasher.hash(member), from, to);
            self.order.set_id(records, Key { score, member }, to);
        }
        self.records.drop_page(page);
    }

    pub(super) fn len(&self) -> usize {
        self.order.len()
    }

    pub(super) fn score(&self, member: &[u8]) -> Option<f64> {
        let id = self.find(self.hasher.hash(member), member)?;
        Some(self.records.score(id))
    }

    pub(super) fn rank(&self, member: &[u8]) -> Option<(usize, f64)> {
        let score = self.score(member)?;
        Some((self.order.rank(&self.records, Key { score, member }), score))
    }

    /// How many elements have a score of which `before` holds, as it does of the lowest ones.
    pub(super) fn count_scores(&self, before: impl Fn(f64) -> bool) -> usize {
        self.order.count_while(|item| before(item.score()))
    }

    /// How many elements have a member of which `before` holds, as it does of the lowest ones. Good
    /// only if all scores are equal.
    pub(super) fn count_members(&self, before: impl Fn(&[u8]) -> bool) -> usize {
        self.order
            .count_while(|item| before(self.records.member(item.id())))
    }

    pub(super) fn walk(&self, rank: usize) -> Walk<'_> {
        self.order.walk(rank)
    }

    #[inline]
    pub(super) fn element(&self, item: Item) -> (&[u8], f64) {
        (self.records.member(item.id()), item.score())
    }

    pub(super) fn scan<'a>(
        &'a self,
        cursor: u64,
        count: usize,
        mut each: impl FnMut(&'a [u8], f64),
    ) -> u64 {
        let hash_of = |id| self.hasher.hash(self.records.member(id));
        self.index.scan(cursor, count, hash_of, |id| {
            each(self.records.member(id), self.records.score(id));
        })
    }

    pub(super) fn memory(&self) -> usize {
        self.records.memory() + self.index.memory() + self.order.memory()
    }

    pub(super) fn allocations(&self) -> usize {
        self.records.allocations() + self.index.allocations() + self.order.allocations()
    }

    pub(super) fn free_some(&mut self, left: &mut usize) -> bool {
        self.order.free_some(left) && self.index.free_some(left) && self.records.free_some(left)
    }

    pub(super) fn parts(&self) -> ZsetParts {
        ZsetParts {
            pages: self.records.pages(),
            len: self.len(),
        }
    }

    pub(super) fn check_invariants(&self) {
        self.records.check_invariants();
        self.order.check_invariants(&self.records);
        let hash_of = |id| self.hasher.hash(self.records.member(id));
        self.index.check_invariants(self.len(), hash_of);
    }

    #[inline]
    fn find(&self, hash: u64, member: &[u8]) -> Option<RecordId> {
        self.index
            .find(hash, |id| self.records.member(id) == member)
    }
}
