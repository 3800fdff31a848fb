//! What belongs to IDs, in their order.

use std::collections::BTreeMap;
use std::collections::btree_map::Range as ChunkRange;
use std::rc::Rc;

use super::id::StreamId;
use crate::limits::STREAM_PENDING_PER_CHUNK;

/// A map by ID in runs, which copies of the map share until one of them changes a run.
#[derive(Clone, Debug)]
pub struct IdMap<V> {
    /// By the first ID each has had. None is empty.
    chunks: BTreeMap<StreamId, Rc<Vec<(StreamId, V)>>>,
    len: usize,
}

impl<V> Default for IdMap<V> {
    fn default() -> Self {
        Self {
            chunks: BTreeMap::new(),
            len: 0,
        }
    }
}

impl<V: Clone> IdMap<V> {
    /// How many there are.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Sets what belongs to an ID; true if there was nothing.
    pub fn insert(&mut self, id: StreamId, value: V) -> bool {
        let before = self.chunks.range(..=id).next_back();
        let Some((&key, _)) = before.or_else(|| self.chunks.first_key_value()) else {
            self.chunks.insert(id, Rc::new(vec![(id, value)]));
            self.len = 1;
            return true;
        };
        let chunk = self.chunks.get_mut(&key).expect("it was found there");
        // What goes behind a full run begins a new one, so that runs of IDs that come in order
        // are full.
        let full = chunk.len() >= STREAM_PENDING_PER_CHUNK;
        if full && chunk.last().is_some_and(|&(last, _)| last < id) {
            self.chunks.insert(id, Rc::new(vec![(id, value)]));
            self.len += 1;
            return true;
        }
        let entries = Rc::make_mut(chunk);
        match entries.binary_search_by_key(&id, |&(id, _)| id) {
            Ok(at) => {
                entries[at].1 = value;
                return false;
            }
            Err(at) => entries.insert(at, (id, value)),
        }
        self.len += 1;
        let half = full.then(|| entries.split_off(entries.len() / 2));
        if id < key {
            let chunk = self.chunks.remove(&key).expect("it was found there");
            self.chunks.insert(id, chunk);
        }
        if let Some(half) = half {
            self.chunks.insert(half[0].0, Rc::new(half));
        }
        true
    }

    /// Takes what belongs to an ID.
    pub fn remove(&mut self, id: StreamId) -> Option<V> {
        let (&key, chunk) = self.chunks.range_mut(..=id).next_back()?;
        let at = chunk.binary_search_by_key(&id, |&(id, _)| id).ok()?;
        let (_, value) = Rc::make_mut(chunk).remove(at);
        self.len -= 1;
        if chunk.is_empty() {
            self.chunks.remove(&key);
        }
        Some(value)
    }

    /// What belongs to an ID.
    pub fn get(&self, id: StreamId) -> Option<&V> {
        let (_, chunk) = self.chunks.range(..=id).next_back()?;
        let at = chunk.binary_search_by_key(&id, |&(id, _)| id).ok()?;
        Some(&chunk[at].1)
    }

    /// What belongs to an ID, to change it.
    pub fn get_mut(&mut self, id: StreamId) -> Option<&mut V> {
        let (_, chunk) = self.chunks.range_mut(..=id).next_back()?;
        let at = chunk.binary_search_by_key(&id, |&(id, _)| id).ok()?;
        Some(&mut Rc::make_mut(chunk)[at].1)
    }

    /// All from an ID on.
    pub fn since(&self, id: StreamId) -> IdMapIter<'_, V> {
        let first = self.chunks.range(..=id).next_back();
        let first = first.map_or(id, |(&key, _)| key);
        let mut chunks = self.chunks.range(first..);
        let chunk = chunks.next().map_or(&[][..], |(_, chunk)| chunk);
        let at = chunk.partition_point(|&(other, _)| other < id);
        IdMapIter {
            chunk: &chunk[at..],
            chunks,
        }
    }

    /// The first ID.
    pub fn first(&self) -> Option<StreamId> {
        let (_, chunk) = self.chunks.first_key_value()?;
        chunk.first().map(|&(id, _)| id)
    }

    /// The last ID.
    pub fn last(&self) -> Option<StreamId> {
        let (_, chunk) = self.chunks.last_key_value()?;
        chunk.last().map(|&(id, _)| id)
    }

    /// How many allocations hold it.
    pub fn chunk_count(&self) -> usize {
        self.chunks.len()
    }

    /// Frees runs while `left` allocations may be freed; true when none is left.
    pub(super) fn free_some(&mut self, left: &mut usize) -> bool {
        while *left > 0
            && let Some((_, chunk)) = self.chunks.pop_first()
        {
            *left -= 1;
            self.len -= chunk.len();
        }
        self.chunks.is_empty()
    }
}

/// Some of a map, in order.
#[derive(Clone, Debug)]
pub struct IdMapIter<'a, V> {
    chunk: &'a [(StreamId, V)],
    chunks: ChunkRange<'a, StreamId, Rc<Vec<(StreamId, V)>>>,
}

impl<'a, V> Iterator for IdMapIter<'a, V> {
    type Item = (StreamId, &'a V);

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(((id, value), rest)) = self.chunk.split_first() {
                self.chunk = rest;
                return Some((*id, value));
            }
            self.chunk = self.chunks.next()?.1;
        }
    }
}
