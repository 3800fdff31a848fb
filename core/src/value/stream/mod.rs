//! Streams: a log of entries, and groups of consumers.

mod group;
mod id;
mod id_map;
mod item;
mod log;
mod node;

pub use group::{Consumer, ConsumerNo, Group, Pending};
pub use id::{IdText, StreamId};
pub use id_map::IdMap;
pub use item::Item;
pub use log::{Bound, Log, LogRange, LogRangeBack, Trim};
pub use node::{Entries, Node, StreamEntry};

use core::ops::Bound::{Excluded, Unbounded};
use std::collections::BTreeMap;
use std::rc::Rc;

use super::{Collection, Form, Tail, Value, ValueRef, alloc_size};

/// A stream.
///
/// A copy shares nodes and groups with it until one of them changes.
#[derive(Clone, Debug, Default)]
pub struct Stream {
    body: Box<Body>,
}

#[derive(Clone, Debug, Default)]
struct Body {
    log: Log,
    groups: BTreeMap<Box<[u8]>, Rc<Group>>,
    /// Bytes of the groups' allocations.
    group_bytes: usize,
}

impl Stream {
    /// Lends it for reading.
    #[inline]
    pub fn as_ref(&self) -> StreamRef<'_> {
        StreamRef(self)
    }

    /// Its entries, to change them.
    pub fn log_mut(&mut self) -> &mut Log {
        &mut self.body.log
    }

    /// Adds a group; false if there is one of that name.
    pub fn create_group(&mut self, name: &[u8], group: Group) -> bool {
        if self.body.groups.contains_key(name) {
            return false;
        }
        self.body.group_bytes += group.memory() + group_overhead(name);
        self.body.groups.insert(name.into(), Rc::new(group));
        true
    }

    /// Removes a group, if there is one of that name.
    pub fn destroy_group(&mut self, name: &[u8]) -> bool {
        let Some(group) = self.body.groups.remove(name) else {
            return false;
        };
        self.body.group_bytes -= group.memory() + group_overhead(name);
        true
    }

    /// Lends the entries and a group to change it; none if there is no such group.
    pub fn edit_group<R>(
        &mut self,
        name: &[u8],
        edit: impl FnOnce(&Log, &mut Group) -> R,
    ) -> Option<R> {
        let body = &mut *self.body;
        let group = Rc::make_mut(body.groups.get_mut(name)?);
        let before = group.memory();
        let result = edit(&body.log, group);
        body.group_bytes = body.group_bytes + group.memory() - before;
        Some(result)
    }

    /// Bytes of its allocations; of those of groups, about as many.
    pub fn memory(&self) -> usize {
        alloc_size(size_of::<Body>()) + self.body.log.memory() + self.body.group_bytes
    }

    /// How many allocations freeing it takes, or about as many.
    pub fn free_effort(&self) -> usize {
        let groups = self.body.groups.values();
        let groups: usize = groups.map(|group| group.free_effort()).sum();
        1 + self.body.log.nodes().len() + groups
    }

    /// Frees elements while `left` allocations may be freed; true when none is left.
    pub(crate) fn free_some(&mut self, left: &mut usize) -> bool {
        if !self.body.log.free_some(left) {
            return false;
        }
        while *left > 0 {
            let Some(mut first) = self.body.groups.first_entry() else {
                return true;
            };
            match Rc::get_mut(first.get_mut()) {
                Some(group) => {
                    if group.free_some(left) {
                        first.remove();
                        *left = left.saturating_sub(1);
                    }
                }
                None => {
                    first.remove();
                    *left -= 1;
                }
            }
        }
        self.body.groups.is_empty()
    }

    /// Panics if the stream contradicts itself.
    pub fn check_invariants(&self) {
        self.body.log.check_invariants();
        let groups = self.body.groups.iter();
        let bytes = groups.map(|(name, group)| {
            group.check_invariants();
            group.memory() + group_overhead(name)
        });
        assert_eq!(self.body.group_bytes, bytes.sum::<usize>());
    }
}

fn group_overhead(name: &[u8]) -> usize {
    alloc_size(name.len()) + size_of::<(Box<[u8]>, Rc<Group>)>()
}

impl PartialEq for Stream {
    /// Equal entries and groups are an equal stream, wherever its nodes end.
    fn eq(&self, other: &Self) -> bool {
        self.as_ref() == other.as_ref()
    }
}

impl Eq for Stream {}

/// A stream to read.
#[derive(Clone, Copy, Debug)]
pub struct StreamRef<'a>(&'a Stream);

impl<'a> StreamRef<'a> {
    /// Its entries.
    #[inline]
    pub fn log(self) -> &'a Log {
        &self.0.body.log
    }

    /// How many groups there are.
    pub fn group_count(self) -> usize {
        self.0.body.groups.len()
    }

    /// The groups by name.
    pub fn groups(self) -> impl Iterator<Item = (&'a [u8], &'a Group)> {
        let groups = self.0.body.groups.iter();
        groups.map(|(name, group)| (&**name, &**group))
    }

    /// The name of the group that comes behind one, or of the first.
    pub fn group_behind(self, name: Option<&[u8]>) -> Option<&'a [u8]> {
        let groups = &self.0.body.groups;
        let from = name.map_or(Unbounded, Excluded);
        let next = groups.range::<[u8], _>((from, Unbounded)).next();
        next.map(|(name, _)| &**name)
    }

    /// The group of a name.
    pub fn group(self, name: &[u8]) -> Option<&'a Group> {
        self.0.body.groups.get(name).map(|group| &**group)
    }

    /// The first entry, from an ID on, that some group has not acknowledged.
    pub fn unacknowledged(self, from: StreamId) -> Option<StreamId> {
        let first = |(_, group): (_, &Group)| Some(group.pending().since(from).next()?.0);
        self.groups().filter_map(first).min()
    }

    /// What OBJECT ENCODING answers.
    pub fn encoding(self) -> &'static str {
        "stream"
    }

    /// What comes behind a group, by name, or behind what is known of the entries.
    pub fn part_behind_group(self, name: Option<&[u8]>) -> Part {
        match self.group_behind(name) {
            Some(name) => Part::Group(name.into()),
            None => Part::End,
        }
    }

    /// What comes behind a consumer of a group, or behind what is known of the group as such.
    pub fn part_behind_consumer(self, name: Box<[u8]>, consumer: Option<&[u8]>) -> Part {
        let group = self.group(&name).expect("it is one of the stream");
        match group.consumer_behind(consumer) {
            Some(consumer) => Part::Consumer(name, consumer.into()),
            None => self.part_behind_group(Some(&name)),
        }
    }

    /// A copy.
    pub fn to_stream(self) -> Stream {
        self.0.clone()
    }

    /// Its parts.
    pub fn parts(self) -> StreamParts {
        StreamParts {
            stream: self.0.clone(),
            next: Part::Node(0),
        }
    }
}

impl PartialEq for StreamRef<'_> {
    fn eq(&self, other: &Self) -> bool {
        let all = |log: &'_ Log| log.range(StreamId::MIN, StreamId::MAX).count();
        let (own, others) = (self.log(), other.log());
        own.last_id == others.last_id
            && own.max_deleted == others.max_deleted
            && own.added == others.added
            && all(own) == all(others)
            && own
                .range(StreamId::MIN, StreamId::MAX)
                .zip(others.range(StreamId::MIN, StreamId::MAX))
                .all(|(a, b)| a.id == b.id && a.fields().eq(b.fields()))
            && self.group_count() == other.group_count()
            && self
                .groups()
                .zip(other.groups())
                .all(|((name, a), (twin, b))| name == twin && a == b)
    }
}

/// The parts of a stream: its nodes, then its groups.
#[derive(Debug)]
pub struct StreamParts {
    stream: Stream,
    next: Part,
}

/// What comes next of a stream that is taken apart.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Part {
    /// The node at this place, or what follows the nodes.
    Node(usize),
    /// A group, by name.
    Group(Box<[u8]>),
    /// Entries of a group that are not acknowledged, from an ID on.
    Pending(Box<[u8]>, StreamId),
    /// The consumers of a group, from the one of a name on.
    Consumer(Box<[u8]>, Box<[u8]>),
    /// What a consumer has not acknowledged, from an ID on.
    Owned(Box<[u8]>, Box<[u8]>, StreamId),
    /// Entries that are there, or that a group has not acknowledged, from an ID on.
    Known(StreamId),
    /// Entries that are gone and that a group has not acknowledged, from an ID on.
    Gone(StreamId),
    /// Nothing.
    End,
}

impl StreamParts {
    /// Bytes of the parts, for which the value's own may be copied.
    pub fn memory(&self) -> usize {
        self.stream.memory()
    }

    /// The stream as it was.
    pub fn stream(&self) -> StreamRef<'_> {
        self.stream.as_ref()
    }

    /// What comes next, to be advanced.
    pub fn split(&mut self) -> (StreamRef<'_>, &mut Part) {
        (self.stream.as_ref(), &mut self.next)
    }
}

impl Collection for Stream {
    type Ref<'a> = StreamRef<'a>;

    fn lent(value: ValueRef<'_>) -> Option<StreamRef<'_>> {
        match value {
            ValueRef::Stream(stream) => Some(stream),
            ValueRef::Str(_)
            | ValueRef::List(_)
            | ValueRef::Hash(_)
            | ValueRef::Set(_)
            | ValueRef::Zset(_) => None,
        }
    }

    fn of(value: &mut Value) -> Option<&mut Self> {
        match value {
            Value::Stream(stream) => Some(stream),
            Value::Str(_) | Value::List(_) | Value::Hash(_) | Value::Set(_) | Value::Zset(_) => {
                None
            }
        }
    }

    fn from_small(_: Form, _: Tail) -> Option<Self> {
        None
    }

    fn into_small(self) -> Result<(Form, Tail), Self> {
        Err(self)
    }

    fn is_small(&self) -> bool {
        false
    }

    /// A stream without entries stays.
    fn is_empty(&self) -> bool {
        false
    }
}

#[cfg(test)]
mod tests;
