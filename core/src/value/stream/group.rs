//! Consumer groups.

use core::ops::Bound::{Excluded, Unbounded};
use std::collections::BTreeMap;
use std::rc::Rc;

use super::id::StreamId;
use super::id_map::IdMap;
use crate::value::alloc_size;

/// What some consumers share.
#[derive(Clone, Debug, Default)]
pub struct Group {
    /// The last entry that was delivered.
    pub last_id: StreamId,
    /// How many entries of all ever added were delivered; none if nobody knows.
    pub entries_read: Option<i64>,
    pending: IdMap<Pending>,
    /// By number; a number is used again once its consumer is gone.
    consumers: Vec<Option<Rc<Consumer>>>,
    names: BTreeMap<Box<[u8]>, ConsumerNo>,
    name_bytes: usize,
}

/// An entry that was delivered and not acknowledged.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Pending {
    /// Who has it.
    pub consumer: ConsumerNo,
    /// When it was delivered last, in milliseconds since the Unix epoch.
    pub delivered_ms: i64,
    /// How often it was delivered.
    pub deliveries: i64,
}

/// A consumer within its group.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct ConsumerNo(u32);

/// A member of a group.
#[derive(Clone, Debug)]
pub struct Consumer {
    name: Box<[u8]>,
    /// When it last asked for something, in milliseconds since the Unix epoch.
    pub seen_ms: i64,
    /// When it last got something.
    pub active_ms: Option<i64>,
    pending: IdMap<()>,
}

impl Consumer {
    /// Its name.
    pub fn name(&self) -> &[u8] {
        &self.name
    }

    /// The IDs of the entries it has not acknowledged.
    pub fn pending(&self) -> &IdMap<()> {
        &self.pending
    }
}

impl Group {
    /// A group that has been delivered everything up to an entry.
    pub fn new(last_id: StreamId, entries_read: Option<i64>) -> Self {
        Self {
            last_id,
            entries_read,
            ..Self::default()
        }
    }

    /// All entries that are not acknowledged.
    pub fn pending(&self) -> &IdMap<Pending> {
        &self.pending
    }

    /// How many consumers there are.
    pub fn consumer_count(&self) -> usize {
        self.names.len()
    }

    /// The consumers by name.
    pub fn consumers(&self) -> impl Iterator<Item = &Consumer> {
        self.names.values().map(|&number| self.consumer(number))
    }

    /// The name of the consumer that comes behind one, or of the first.
    pub fn consumer_behind(&self, name: Option<&[u8]>) -> Option<&[u8]> {
        let from = name.map_or(Unbounded, Excluded);
        let next = self.names.range::<[u8], _>((from, Unbounded)).next();
        next.map(|(name, _)| &**name)
    }

    /// The consumer of a name.
    pub fn find(&self, name: &[u8]) -> Option<ConsumerNo> {
        self.names.get(name).copied()
    }

    /// A consumer.
    pub fn consumer(&self, number: ConsumerNo) -> &Consumer {
        let slot = &self.consumers[number.0 as usize];
        slot.as_ref().expect("a number in use has a consumer")
    }

    /// A consumer, to change it.
    pub fn consumer_mut(&mut self, number: ConsumerNo) -> &mut Consumer {
        let slot = &mut self.consumers[number.0 as usize];
        Rc::make_mut(slot.as_mut().expect("a number in use has a consumer"))
    }

    /// Adds a consumer; none if there is one of that name.
    pub fn create(&mut self, name: &[u8], seen_ms: i64) -> Option<ConsumerNo> {
        if self.names.contains_key(name) {
            return None;
        }
        let consumer = Some(Rc::new(Consumer {
            name: name.into(),
            seen_ms,
            active_ms: None,
            pending: IdMap::default(),
        }));
        // With as many slots as names none is free, which spares the search.
        let free = if self.names.len() == self.consumers.len() {
            None
        } else {
            self.consumers.iter().position(Option::is_none)
        };
        let at = free.unwrap_or(self.consumers.len());
        match free {
            Some(at) => self.consumers[at] = consumer,
            None => self.consumers.push(consumer),
        }
        let number = ConsumerNo(u32::try_from(at).expect("consumers fit into memory"));
        self.names.insert(name.into(), number);
        self.name_bytes += name.len();
        Some(number)
    }

    /// Removes a consumer with all it has not acknowledged; how much that was.
    pub fn remove(&mut self, name: &[u8]) -> Option<usize> {
        let number = self.names.remove(name)?;
        self.name_bytes -= name.len();
        let consumer = self.consumers[number.0 as usize].take();
        let consumer = consumer.expect("a number in use has a consumer");
        for (id, ()) in consumer.pending.since(StreamId::MIN) {
            self.pending.remove(id);
        }
        Some(consumer.pending.len())
    }

    /// Notes that a consumer has an entry, whoever had it before.
    pub fn assign(&mut self, id: StreamId, pending: Pending) {
        if let Some(before) = self.pending.get_mut(id) {
            let owner = core::mem::replace(before, pending).consumer;
            if owner == pending.consumer {
                return;
            }
            self.consumer_mut(owner).pending.remove(id);
        } else {
            self.pending.insert(id, pending);
        }
        self.consumer_mut(pending.consumer).pending.insert(id, ());
    }

    /// Takes an entry from whoever has it.
    pub fn acknowledge(&mut self, id: StreamId) -> Option<Pending> {
        let pending = self.pending.remove(id)?;
        self.consumer_mut(pending.consumer).pending.remove(id);
        Some(pending)
    }

    /// Notes another delivery of an entry to the one who has it.
    pub fn deliver_again(&mut self, id: StreamId, now_ms: i64) {
        if let Some(pending) = self.pending.get_mut(id) {
            pending.delivered_ms = now_ms;
            pending.deliveries += 1;
        }
    }

    /// About the bytes of its allocations, found without a look at all of them.
    pub fn memory(&self) -> usize {
        const PENDING: usize =
            size_of::<(StreamId, Pending)>() + size_of::<StreamId>() + PENDING_OVERHEAD;
        let consumer = alloc_size(size_of::<Consumer>()) + CONSUMER_OVERHEAD;
        alloc_size(size_of::<Self>())
            + self.pending.len() * PENDING
            + self.consumers.len() * consumer
            + 2 * self.name_bytes
    }

    /// How many allocations freeing it takes, or about as many.
    pub fn free_effort(&self) -> usize {
        1 + 2 * self.pending.chunk_count() + 3 * self.consumers.len()
    }

    pub(super) fn free_some(&mut self, left: &mut usize) -> bool {
        if !self.pending.free_some(left) {
            return false;
        }
        while *left > 0 {
            let Some(Some(consumer)) = self.consumers.last_mut() else {
                if self.consumers.pop().is_none() {
                    return true;
                }
                continue;
            };
            if Rc::make_mut(consumer).pending.free_some(left) {
                self.consumers.pop();
                *left = left.saturating_sub(2);
            }
        }
        false
    }

    /// Panics if the group contradicts itself.
    pub(super) fn check_invariants(&self) {
        let mut pending = 0;
        for (name, &number) in &self.names {
            let consumer = self.consumer(number);
            assert_eq!(*name, consumer.name);
            for (id, ()) in consumer.pending.since(StreamId::MIN) {
                assert_eq!(self.pending.get(id).map(|p| p.consumer), Some(number));
                pending += 1;
            }
        }
        assert_eq!(pending, self.pending.len());
        assert_eq!(pending, self.pending.since(StreamId::MIN).count());
        let taken = self.consumers.iter().flatten().count();
        assert_eq!(taken, self.names.len());
    }
}

/// What a map keeps free, per element.
const PENDING_OVERHEAD: usize = 16;
/// What a name costs twice, and its places in a map and a row.
const CONSUMER_OVERHEAD: usize = 96;

impl PartialEq for Group {
    /// Equal consumers by name; their numbers do not matter.
    fn eq(&self, other: &Self) -> bool {
        self.last_id == other.last_id
            && self.entries_read == other.entries_read
            && self.consumer_count() == other.consumer_count()
            && self.consumers().zip(other.consumers()).all(|(a, b)| {
                a.name == b.name
                    && a.seen_ms == b.seen_ms
                    && a.active_ms == b.active_ms
                    && a.pending.len() == b.pending.len()
                    && a.pending
                        .since(StreamId::MIN)
                        .all(|(id, ())| self.delivery(id) == other.delivery(id))
            })
    }
}

impl Group {
    fn delivery(&self, id: StreamId) -> Option<(&[u8], i64, i64)> {
        let pending = self.pending.get(id)?;
        let name = &self.consumer(pending.consumer).name;
        Some((name, pending.delivered_ms, pending.deliveries))
    }
}
