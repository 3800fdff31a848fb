//! The entries of a stream.

use std::collections::VecDeque;
use std::rc::Rc;

use super::id::StreamId;
use super::node::{Entries, Node, StreamEntry};
use crate::limits::STREAM_NODE_BYTES_MAX;
use crate::value::{NodeLimits, alloc_size};

/// Entries in nodes, and what is known of those that were there.
#[derive(Clone, Debug, Default)]
pub struct Log {
    nodes: VecDeque<Rc<Node>>,
    len: usize,
    /// Bytes of the nodes' allocations.
    heap: usize,
    /// The last ID ever given; see [`set_last_id`](Self::set_last_id).
    pub last_id: StreamId,
    /// The highest ID that XDEL removed.
    pub max_deleted: StreamId,
    /// How many entries were ever added.
    pub added: u64,
}

/// Which entries at the beginning are too many.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Bound {
    /// All but so many at the end.
    Length(u64),
    /// Those before an ID.
    Id(StreamId),
}

/// How entries are removed from the beginning.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Trim {
    /// What is too much.
    pub bound: Bound,
    /// Only whole nodes.
    pub roughly: bool,
    /// Nodes are left alone that would make it more entries than this; 0 is no limit.
    pub limit: u64,
}

impl Log {
    /// How many entries there are.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Adds an entry whose ID is above all others.
    pub fn append<'a>(
        &mut self,
        id: StreamId,
        pairs: impl ExactSizeIterator<Item = (&'a [u8], &'a [u8])> + Clone,
        limits: NodeLimits,
    ) {
        debug_assert!(id > self.last_id, "IDs ascend");
        let bytes = pairs.clone().map(|(name, value)| name.len() + value.len());
        let bytes: usize = bytes.sum();
        let room = self.nodes.back().is_some_and(|node| {
            node.listpack_bytes() + bytes < node_bytes(limits)
                && (limits.entries == 0 || node.live() + node.deleted() < limits.entries)
        });
        if !room {
            if let Some(last) = self.nodes.len().checked_sub(1)
                && self.nodes[last].is_loose()
            {
                self.change(last, Node::shrink);
            }
            let names = pairs.clone().map(|(name, _)| name);
            let node = Node::new(id, names);
            self.heap += node.memory();
            self.nodes.push_back(Rc::new(node));
        }
        self.change(self.nodes.len() - 1, |node| node.push(id, pairs, false));
        self.len += 1;
        self.added += 1;
        self.last_id = id;
    }

    /// Adds a node that was stored somewhere, behind all others.
    pub fn push_node(&mut self, mut node: Node) {
        node.shrink();
        self.heap += node.memory();
        self.len += node.live();
        self.nodes.push_back(Rc::new(node));
    }

    /// Removes entries from the beginning and returns how many.
    pub fn trim(&mut self, trim: Trim) -> u64 {
        let mut removed = 0;
        while let Some(node) = self.nodes.front() {
            let live = node.live() as u64;
            let whole = match trim.bound {
                Bound::Length(most) if self.len as u64 <= most => break,
                Bound::Length(most) => self.len as u64 - live >= most,
                Bound::Id(least) => node.last() < least,
            };
            if trim.limit > 0 && removed + live > trim.limit {
                break;
            }
            if whole {
                self.remove_node(0);
                removed += live;
                continue;
            }
            if !trim.roughly {
                removed += self.trim_first_node(trim.bound);
            }
            break;
        }
        removed
    }

    fn trim_first_node(&mut self, bound: Bound) -> u64 {
        let node = &self.nodes[0];
        let excess = match bound {
            Bound::Length(most) => self.len - usize::try_from(most).unwrap_or(usize::MAX),
            Bound::Id(least) => {
                let before = node.entries().take_while(|entry| entry.id < least);
                before.count()
            }
        };
        if excess > 0 {
            self.change(0, |node| (0..excess).for_each(|_| node.delete_first()));
            self.len -= excess;
        }
        excess as u64
    }

    /// Removes an entry, if it is there.
    pub fn delete(&mut self, id: StreamId) -> bool {
        let Some(at) = self.node_of(id) else {
            return false;
        };
        if !self.nodes[at].entries().any(|entry| entry.id == id) {
            return false;
        }
        if self.nodes[at].live() == 1 {
            self.remove_node(at);
        } else {
            self.change(at, |node| {
                node.delete(id);
            });
            self.len -= 1;
        }
        self.max_deleted = self.max_deleted.max(id);
        true
    }

    /// Sets the last ID ever given, which is below no entry. What was deleted behind it leaves no
    /// trace, so that IDs still ascend when they are given again.
    pub fn set_last_id(&mut self, id: StreamId) {
        while let Some(at) = self.nodes.len().checked_sub(1)
            && self.nodes[at].last() > id
        {
            if self.nodes[at].live() == 0 {
                self.remove_node(at);
            } else {
                self.change(at, |node| *node = node.up_to(id));
            }
        }
        self.last_id = id;
    }

    fn remove_node(&mut self, at: usize) {
        let node = self.nodes.remove(at).expect("the node was found");
        self.heap -= node.memory();
        self.len -= node.live();
    }

    #[inline]
    fn change(&mut self, at: usize, change: impl FnOnce(&mut Node)) {
        // A shared node is copied, and the copy may be smaller.
        let before = self.nodes[at].memory();
        let node = Rc::make_mut(&mut self.nodes[at]);
        change(node);
        self.heap = self.heap + node.memory() - before;
    }

    /// The node that an ID would be in.
    fn node_of(&self, id: StreamId) -> Option<usize> {
        // Most that is looked for is at the end.
        if self.nodes.back().is_some_and(|node| node.master() <= id) {
            return Some(self.nodes.len() - 1);
        }
        let behind = self.nodes.partition_point(|node| node.master() <= id);
        behind.checked_sub(1)
    }

    /// The entry of an ID.
    pub fn get(&self, id: StreamId) -> Option<StreamEntry<'_>> {
        let node = &self.nodes[self.node_of(id)?];
        node.entries().find(|entry| entry.id == id)
    }

    /// The first entry.
    pub fn first(&self) -> Option<StreamEntry<'_>> {
        self.nodes.iter().find_map(|node| node.entries().next())
    }

    /// The last entry.
    pub fn last(&self) -> Option<StreamEntry<'_>> {
        self.nodes
            .iter()
            .rev()
            .find_map(|node| node.entries().last())
    }

    /// The ID of the first entry; 0-0 if there is none.
    pub fn first_id(&self) -> StreamId {
        self.first().map_or(StreamId::MIN, |entry| entry.id)
    }

    /// The entries from one ID to another, both included.
    pub fn range(&self, from: StreamId, to: StreamId) -> LogRange<'_> {
        let at = self.node_of(from).unwrap_or(0);
        let entries = self.nodes.get(at).map(|node| node.entries());
        LogRange {
            nodes: &self.nodes,
            next: at + 1,
            entries,
            from,
            to,
        }
    }

    /// As [`range`](Self::range), the last one first.
    pub fn range_backwards(&self, from: StreamId, to: StreamId) -> LogRangeBack<'_> {
        LogRangeBack {
            nodes: &self.nodes,
            left: self.node_of(to).map_or(0, |at| at + 1),
            entries: Vec::new(),
            from,
            to,
        }
    }

    /// Whether an entry with an ID from this one on was removed by XDEL from among those that are
    /// left.
    pub fn has_gaps_from(&self, id: StreamId) -> bool {
        !self.is_empty()
            && self.max_deleted != StreamId::MIN
            && id <= self.max_deleted
            && self.first_id() <= self.max_deleted
    }

    /// How many entries were ever added up to this ID, if that can be told.
    pub fn count_up_to(&self, id: StreamId) -> Option<i64> {
        let added = self.added.cast_signed();
        if self.added == 0 {
            return Some(0);
        }
        if self.is_empty() && id <= self.last_id {
            return Some(added);
        }
        if id >= self.last_id {
            return (id == self.last_id).then_some(added);
        }
        let first = self.first_id();
        if self.max_deleted != StreamId::MIN && self.max_deleted >= first {
            return None;
        }
        let removed = added - self.len as i64;
        match id.cmp(&first) {
            core::cmp::Ordering::Less => Some(removed),
            core::cmp::Ordering::Equal => Some(removed + 1),
            core::cmp::Ordering::Greater => None,
        }
    }

    /// The nodes in order.
    pub fn nodes(&self) -> impl ExactSizeIterator<Item = &Node> + DoubleEndedIterator {
        self.nodes.iter().map(|node| &**node)
    }

    /// One of the nodes.
    pub fn node(&self, at: usize) -> Option<&Node> {
        self.nodes.get(at).map(|node| &**node)
    }

    /// Bytes of its allocations.
    pub fn memory(&self) -> usize {
        let places = self.nodes.capacity() * size_of::<Rc<Node>>();
        self.heap + if places > 0 { alloc_size(places) } else { 0 }
    }

    pub(super) fn free_some(&mut self, left: &mut usize) -> bool {
        while *left > 0 && !self.nodes.is_empty() {
            *left -= 1;
            self.remove_node(0);
        }
        self.nodes.is_empty()
    }

    /// Panics if the log contradicts itself.
    pub(super) fn check_invariants(&self) {
        assert_eq!(self.heap, self.nodes().map(Node::memory).sum::<usize>());
        assert_eq!(self.len, self.nodes().map(Node::live).sum::<usize>());
        let mut before = None;
        for node in self.nodes() {
            assert_eq!(node.live(), node.entries().count());
            assert_eq!(node.live() + node.deleted(), node.all_entries().count());
            assert_eq!(
                node.all_entries().next().map(|entry| entry.id),
                Some(node.master())
            );
            assert_eq!(
                node.all_entries().last().map(|entry| entry.id),
                Some(node.last())
            );
            for entry in node.all_entries() {
                assert!(before < Some(entry.id));
                before = Some(entry.id);
            }
        }
        assert!(before <= Some(self.last_id));
    }
}

fn node_bytes(limits: NodeLimits) -> usize {
    if limits.bytes == 0 {
        STREAM_NODE_BYTES_MAX
    } else {
        limits.bytes.min(STREAM_NODE_BYTES_MAX)
    }
}

/// Entries in order.
#[derive(Clone, Debug)]
pub struct LogRange<'a> {
    nodes: &'a VecDeque<Rc<Node>>,
    next: usize,
    entries: Option<Entries<'a>>,
    from: StreamId,
    to: StreamId,
}

impl<'a> Iterator for LogRange<'a> {
    type Item = StreamEntry<'a>;

    #[inline]
    fn next(&mut self) -> Option<StreamEntry<'a>> {
        loop {
            let Some(entry) = self.entries.as_mut()?.next() else {
                self.entries = self.nodes.get(self.next).map(|node| node.entries());
                self.next += 1;
                continue;
            };
            if entry.id > self.to {
                self.entries = None;
                return None;
            }
            if entry.id >= self.from {
                return Some(entry);
            }
        }
    }
}

/// Entries in reverse order.
#[derive(Clone, Debug)]
pub struct LogRangeBack<'a> {
    nodes: &'a VecDeque<Rc<Node>>,
    /// The nodes before this one are still to come.
    left: usize,
    /// Entries of a node, the next one last.
    entries: Vec<StreamEntry<'a>>,
    from: StreamId,
    to: StreamId,
}

impl<'a> Iterator for LogRangeBack<'a> {
    type Item = StreamEntry<'a>;

    fn next(&mut self) -> Option<StreamEntry<'a>> {
        while self.entries.is_empty() {
            self.left = self.left.checked_sub(1)?;
            let node = &self.nodes[self.left];
            if node.last() < self.from {
                self.left = 0;
                return None;
            }
            self.entries.reserve(node.live());
            let within = node.entries().take_while(|entry| entry.id <= self.to);
            self.entries
                .extend(within.skip_while(|entry| entry.id < self.from));
        }
        self.entries.pop()
    }
}
