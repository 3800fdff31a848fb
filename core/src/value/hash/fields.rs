//! The fields of a large hash.

use super::HashParts;
use crate::rng::Rng;
use crate::value::table::{Element, Elements, KeyHasher, TableEntry};
use crate::value::{alloc_size, varint};

/// Fields with their values, ordered by the hash of the field.
#[derive(Clone, Debug)]
pub struct Fields(Elements<Field>);

/// A field with its value in one allocation: the length of the field, the field, the value.
#[derive(Clone, Debug)]
pub(crate) struct Field(Box<[u8]>);

impl Fields {
    pub(super) fn new(hasher: KeyHasher) -> Self {
        Self(Elements::new(hasher))
    }

    /// Gives a field a value; whether the field is new.
    pub(super) fn set(&mut self, field: &[u8], value: &[u8]) -> bool {
        let make = || Field::new(field, value);
        self.0.put(field, make, |found| found.set_value(value))
    }

    /// As [`set`](Self::set), if the field is not there; whether that is so.
    pub(super) fn add(&mut self, field: &[u8], value: &[u8]) -> bool {
        self.0.add(field, || Field::new(field, value))
    }

    /// Removes a field; whether it was there.
    pub(super) fn remove(&mut self, field: &[u8]) -> bool {
        self.0.remove(field)
    }

    /// The value of a field.
    #[inline]
    pub fn get(&self, field: &[u8]) -> Option<&[u8]> {
        self.0.get(field).map(Field::value)
    }

    /// Brings close to the processor what is known of some fields.
    pub fn warm(&self, fields: &[&[u8]]) {
        self.0.warm(fields);
    }

    /// How many fields there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// All fields with their values, in no particular order.
    pub fn iter(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        self.0.iter().map(Field::parts)
    }

    /// Visits about `count` fields from a cursor on and returns the cursor that goes on behind
    /// them; 0 at the end.
    pub fn scan<'a>(
        &'a self,
        cursor: u64,
        count: usize,
        mut visit: impl FnMut(&'a [u8], &'a [u8]),
    ) -> u64 {
        self.0.scan(cursor, count, |entry| {
            let (field, value) = entry.parts();
            visit(field, value);
        })
    }

    /// A field with its value, each as likely as any other; none if there is none.
    pub fn random(&self, rng: &mut Rng) -> Option<(&[u8], &[u8])> {
        self.0.random(rng).map(Field::parts)
    }

    /// Its parts.
    pub fn parts(&self) -> HashParts {
        HashParts::new(self.0.parts())
    }

    /// Frees fields while `left` allocations may be freed; true when none is left.
    pub(super) fn free_some(&mut self, left: &mut usize) -> bool {
        self.0.free_some(left)
    }

    /// Bytes of all allocations.
    pub fn memory(&self) -> usize {
        alloc_size(size_of::<Self>()) + self.0.memory()
    }

    /// Panics if it contradicts itself.
    pub(super) fn check_invariants(&self) {
        self.0.check_invariants();
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
}

impl Element for Field {
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
