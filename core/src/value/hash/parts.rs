//! A large hash taken apart, for a snapshot.

use std::rc::Rc;

use super::fields::Field;
use crate::value::table::{ElementParts, Segment};

/// The segments of a large hash, to be taken one by one.
#[derive(Debug)]
pub struct HashParts(ElementParts<Field>);

/// Some fields of a large hash with their values.
#[derive(Debug)]
pub struct HashPart(Rc<Segment<Field>>);

impl HashParts {
    pub(super) fn new(parts: ElementParts<Field>) -> Self {
        Self(parts)
    }

    /// The next part.
    pub fn take(&mut self) -> Option<HashPart> {
        self.0.take().map(HashPart)
    }

    /// How many fields all parts have together.
    pub fn fields(&self) -> usize {
        self.0.elements()
    }

    /// Bytes it takes to hold them, as far as they are not shared.
    pub fn memory(&self) -> usize {
        self.0.memory()
    }
}

impl HashPart {
    /// Its fields with their values.
    pub fn iter(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        self.0.entries().iter().map(Field::parts)
    }
}
