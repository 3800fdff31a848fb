//! The fields of a large hash.

use super::HashParts;
use crate::limits::WARM_KEYS_MAX;
use crate::rng::Rng;
use crate::value::table::{KeyHasher, Shared, Table, TableEntry};
use crate::value::{alloc_size, varint};
use smallvec::SmallVec;

/// Fields with their values, ordered by the hash of the field.
///
/// A clone shares all of them; a change copies only the segment that it touches.
#[derive(Clone, Debug)]
pub struct Fields {
    table: Table<Field, Shared<Field>>,
    /// Bytes of the fields' own allocations.
    heap: usize,
}

/// A field with its value in one allocation: the length of the field, the field, the value.
#[derive(Clone, Debug)]
pub(crate) struct Field(Box<[u8]>);

impl Fields {
    pub(super) fn new(hasher: KeyHasher) -> Self {
        Self {
            table: Table::new(hasher, 0),
            heap: 0,
        }
    }

    /// Gives a field a value; whether the field is new.
    pub(super) fn set(&mut self, field: &[u8], value: &[u8]) -> bool {
        let hash = self.table.hash(field);
        if let Some(at) = self.table.find(hash, field) {
            let found = self.table.entry_mut(at);
            let before = found.memory();
            found.set_value(value);
            self.heap = self.heap - before + found.memory();
            return false;
        }
        self.insert(hash, Field::new(field, value));
        true
    }

    /// As [`set`](Self::set), if the field is not there; whether that is so.
    pub(super) fn add(&mut self, field: &[u8], value: &[u8]) -> bool {
        let hash = self.table.hash(field);
        if self.table.find(hash, field).is_some() {
            return false;
        }
        self.insert(hash, Field::new(field, value));
        true
    }

    /// Removes a field; whether it was there.
    pub(super) fn remove(&mut self, field: &[u8]) -> bool {
        let hash = self.table.hash(field);
        let Some(at) = self.table.find(hash, field) else {
            return false;
        };
        self.heap -= self.table.remove(at).memory();
        let mut segment = at.segment;
        while let Some(buddy) = self.table.sparse_buddy(segment) {
            segment = self.table.merge(segment, buddy, None);
        }
        true
    }

    /// The value of a field.
    #[inline]
    pub fn get(&self, field: &[u8]) -> Option<&[u8]> {
        let at = self.table.find(self.table.hash(field), field)?;
        Some(self.table.entry(at).value())
    }

    /// Brings close to the processor what is known of some fields.
    pub fn warm(&self, fields: &[&[u8]]) {
        let hashes = fields.iter().take(WARM_KEYS_MAX);
        let hashes: SmallVec<[u64; WARM_KEYS_MAX]> =
            hashes.map(|field| self.table.hash(field)).collect();
        self.table.warm(&hashes);
    }

    /// How many fields there are.
    pub fn len(&self) -> usize {
        self.table.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// All fields with their values, in no particular order.
    pub fn iter(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        self.table.iter().map(Field::parts)
    }

    /// Visits about `count` fields from a cursor on and returns the cursor that goes on behind
    /// them; 0 at the end.
    pub fn scan<'a>(
        &'a self,
        cursor: u64,
        count: usize,
        mut visit: impl FnMut(&'a [u8], &'a [u8]),
    ) -> u64 {
        self.table.scan(cursor, count, &mut |entry| {
            let (field, value) = entry.parts();
            visit(field, value);
        })
    }

    /// A field with its value, each as likely as any other; none if there is none.
    pub fn random(&self, rng: &mut Rng) -> Option<(&[u8], &[u8])> {
        self.table.random(rng).map(Field::parts)
    }

    /// Its parts.
    pub fn parts(&self) -> HashParts {
        HashParts::new(self.table.segments(), self.len(), self.memory())
    }

    /// Frees fields while `left` allocations may be freed; true when none is left.
    pub(super) fn free_some(&mut self, left: &mut usize) -> bool {
        while *left > 0 {
            let Some(segment) = self.table.shed() else {
                return true;
            };
            *left = left.saturating_sub(segment.len().max(1));
            self.heap -= segment.entries().iter().map(Field::memory).sum::<usize>();
        }
        self.table.len() == 0
    }

    /// Bytes of all allocations.
    pub fn memory(&self) -> usize {
        alloc_size(size_of::<Self>()) + self.table.memory() + self.heap
    }

    /// Panics if it contradicts itself.
    #[cfg(test)]
    pub(super) fn check_invariants(&self) {
        self.table.check_invariants();
        let heap = self.table.iter().map(Field::memory).sum::<usize>();
        assert_eq!(self.heap, heap);
    }

    fn insert(&mut self, hash: u64, field: Field) {
        let mut segment = self.table.segment_of(hash);
        while self.table.is_full(segment) {
            self.table.split(segment);
            segment = self.table.segment_of(hash);
        }
        self.heap += field.memory();
        self.table.insert(segment, hash, field);
    }
}

impl Field {
    fn new(field: &[u8], value: &[u8]) -> Self {
        let (prefix, width) = varint::encode(field.len());
        let mut bytes = Vec::with_capacity(width + field.len() + value.len());
        bytes.extend_from_slice(&prefix[..width]);
        bytes.extend_from_slice(field);
        bytes.extend_from_slice(value);
        Self(bytes.into_boxed_slice())
    }

    /// Writes in place if the new value is as long as the old one.
    fn set_value(&mut self, value: &[u8]) {
        let (len, width) = varint::decode(&self.0);
        let head = width + len;
        if self.0.len() == head + value.len() {
            self.0[head..].copy_from_slice(value);
            return;
        }
        let mut bytes = core::mem::take(&mut self.0).into_vec();
        bytes.truncate(head);
        bytes.reserve_exact(value.len());
        bytes.extend_from_slice(value);
        self.0 = bytes.into_boxed_slice();
    }

    #[inline]
    pub(super) fn parts(&self) -> (&[u8], &[u8]) {
        let (len, width) = varint::decode(&self.0);
        self.0[width..].split_at(len)
    }

    #[inline]
    fn value(&self) -> &[u8] {
        self.parts().1
    }

    fn memory(&self) -> usize {
        alloc_size(self.0.len())
    }
}

impl TableEntry for Field {
    #[inline]
    fn key(&self) -> &[u8] {
        self.parts().0
    }

    #[inline]
    fn touch(&self) -> usize {
        self.0.len()
    }
}
