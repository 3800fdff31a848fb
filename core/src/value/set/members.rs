//! The members of a large set.

use std::rc::Rc;

use crate::rng::Rng;
use crate::value::alloc_size;
use crate::value::table::{Element, ElementParts, Elements, KeyHasher, Segment, TableEntry};

/// Members, ordered by their hashes.
#[derive(Clone, Debug)]
pub struct Members(Elements<Member>);

#[derive(Clone, Debug)]
pub(super) struct Member(Box<[u8]>);

impl Members {
    pub(super) fn new(hasher: KeyHasher) -> Self {
        Self(Elements::new(hasher))
    }

    /// Adds a member; whether it is new.
    #[inline]
    pub(super) fn add(&mut self, member: &[u8]) -> bool {
        self.0.add(member, || Member(member.into()))
    }

    /// Removes a member; whether it was there.
    pub(super) fn remove(&mut self, member: &[u8]) -> bool {
        self.0.remove(member)
    }

    /// Whether a member is there.
    #[inline]
    pub fn has(&self, member: &[u8]) -> bool {
        self.0.get(member).is_some()
    }

    /// Brings close to the processor what is known of some members.
    pub fn warm(&self, members: &[&[u8]]) {
        self.0.warm(members);
    }

    /// How many members there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// All members, in no particular order.
    pub fn iter(&self) -> impl Iterator<Item = &[u8]> {
        self.0.iter().map(|member| &*member.0)
    }

    /// Visits about `count` members from a cursor on and returns the cursor that goes on behind
    /// them; 0 at the end.
    pub fn scan<'a>(&'a self, cursor: u64, count: usize, mut visit: impl FnMut(&'a [u8])) -> u64 {
        self.0.scan(cursor, count, |member| visit(&member.0))
    }

    /// A member, each as likely as any other; none if there is none.
    pub fn random(&self, rng: &mut Rng) -> Option<&[u8]> {
        self.0.random(rng).map(|member| &*member.0)
    }

    /// Its parts.
    pub(super) fn parts(&self) -> SetParts {
        SetParts(self.0.parts())
    }

    /// Frees members while `left` allocations may be freed; true when none is left.
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

impl TableEntry for Member {
    #[inline]
    fn key(&self) -> &[u8] {
        &self.0
    }

    #[inline]
    fn touch(&self) -> usize {
        self.0.len()
    }
}

impl Element for Member {
    fn memory(&self) -> usize {
        alloc_size(self.0.len())
    }
}

/// The segments of a large set, to be taken one by one.
#[derive(Debug)]
pub struct SetParts(ElementParts<Member>);

/// Some members of a large set.
#[derive(Debug)]
pub struct SetPart(Rc<Segment<Member>>);

impl SetParts {
    /// The next part.
    pub fn take(&mut self) -> Option<SetPart> {
        self.0.take().map(SetPart)
    }

    /// How many members all parts have together.
    pub fn members(&self) -> usize {
        self.0.elements()
    }

    /// Bytes of all parts.
    pub fn memory(&self) -> usize {
        self.0.memory()
    }
}

impl SetPart {
    /// Its members.
    pub fn iter(&self) -> impl Iterator<Item = &[u8]> {
        self.0.entries().iter().map(|member| &*member.0)
    }
}
