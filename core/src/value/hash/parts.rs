//! A large hash taken apart, for a snapshot.

use std::rc::Rc;
use std::vec;

use super::fields::Field;
use crate::value::table::Segment;

/// The segments of a large hash, to be taken one by one.
#[derive(Debug)]
pub struct HashParts {
    segments: vec::IntoIter<Rc<Segment<Field>>>,
    fields: usize,
    bytes: usize,
}

/// Some fields of a large hash with their values.
#[derive(Debug)]
pub struct HashPart(Rc<Segment<Field>>);

impl HashParts {
    pub(super) fn new(segments: Vec<Rc<Segment<Field>>>, fields: usize, bytes: usize) -> Self {
        Self {
            segments: segments.into_iter(),
            fields,
            bytes,
        }
    }

    /// The next part.
    pub fn take(&mut self) -> Option<HashPart> {
        self.segments.next().map(HashPart)
    }

    /// How many fields all parts have together.
    pub fn fields(&self) -> usize {
        self.fields
    }

    /// Bytes of all parts.
    pub fn memory(&self) -> usize {
        self.bytes
    }
}

impl HashPart {
    /// Its fields with their values.
    pub fn iter(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        self.0.entries().iter().map(Field::parts)
    }
}
