//! A run of entries in one allocation.
//!
//! The bytes are the number and the names of the fields of the first entry, then the entries. An
//! entry is a byte of flags; how far its ID lies behind that of the entry before, unless the flags
//! say it all; and its values, if its fields are those of the first entry, or else the number of
//! its fields, and each field with its value.

use super::id::StreamId;
use super::item::{self, Item, int_size};
use crate::value::{alloc_size, varint};

/// A run of entries.
///
/// Entries that were deleted stay as they are, marked, as in Redis: they count for what the node
/// may hold.
#[derive(Clone, Debug)]
pub struct Node {
    /// The ID of the first entry, deleted or not.
    master: StreamId,
    /// The ID of the last entry, deleted or not.
    last: StreamId,
    live: usize,
    deleted: usize,
    /// Bytes of the field names and entries as a Redis listpack.
    listpack: usize,
    fields: usize,
    /// Where the first entry begins.
    start: usize,
    /// Entries before this one are deleted.
    front: Place,
    bytes: Vec<u8>,
}

/// Where an entry begins, and the ID before its own.
#[derive(Clone, Copy, Debug)]
struct Place {
    at: usize,
    before: StreamId,
}

impl Node {
    /// A node of these field names without entries, the first of which will have this ID.
    pub fn new<'a>(master: StreamId, names: impl ExactSizeIterator<Item = &'a [u8]>) -> Self {
        let mut bytes = Vec::new();
        let fields = names.len();
        push_len(&mut bytes, fields as u64);
        // Behind the names there is a zero in Redis.
        let mut listpack = int_size(fields as i64) + int_size(0);
        for name in names {
            listpack += item::push(&mut bytes, name);
        }
        let before = StreamId::new(master.ms, master.seq.wrapping_sub(1));
        let front = Place {
            at: bytes.len(),
            before,
        };
        Self {
            master,
            last: before,
            live: 0,
            deleted: 0,
            listpack,
            fields,
            start: bytes.len(),
            front,
            bytes,
        }
    }

    /// Adds an entry behind the others, as deleted or not.
    pub fn push<'a>(
        &mut self,
        id: StreamId,
        pairs: impl ExactSizeIterator<Item = (&'a [u8], &'a [u8])> + Clone,
        deleted: bool,
    ) {
        debug_assert!(self.live + self.deleted == 0 || self.last < id);
        let same = self.has_names(pairs.clone().map(|(name, _)| name));
        let mut flags = if same { SAME } else { 0 };
        flags |= if deleted { DELETED } else { 0 };
        self.push_id(id, flags);
        let fields = pairs.len();
        let mut size = int_size(2) + int_size(id.ms.wrapping_sub(self.master.ms).cast_signed());
        size += int_size(id.seq.wrapping_sub(self.master.seq).cast_signed());
        let mut items = fields + 3;
        if !same {
            push_len(&mut self.bytes, fields as u64);
            size += int_size(fields as i64);
            items += fields + 1;
        }
        for (name, value) in pairs {
            if !same {
                size += item::push(&mut self.bytes, name);
            }
            size += item::push(&mut self.bytes, value);
        }
        self.listpack += size + int_size(items as i64);
        self.last = id;
        if deleted {
            self.deleted += 1;
            self.advance();
        } else {
            self.live += 1;
        }
    }

    #[inline]
    fn push_id(&mut self, id: StreamId, flags: u8) {
        let (ms, before) = (id.ms.wrapping_sub(self.last.ms), self.last);
        if ms == 0 && id.seq == before.seq.wrapping_add(1) {
            return self.bytes.push(flags | NEXT);
        }
        if ms != 0 && id.seq == 0 {
            self.bytes.push(flags | FIRST);
            return push_len(&mut self.bytes, ms);
        }
        self.bytes.push(flags);
        push_len(&mut self.bytes, ms);
        let seq = if ms == 0 { id.seq - before.seq } else { id.seq };
        push_len(&mut self.bytes, seq);
    }

    fn has_names<'a>(&self, names: impl ExactSizeIterator<Item = &'a [u8]>) -> bool {
        if names.len() != self.fields {
            return false;
        }
        let mut at = self.names_start();
        for name in names {
            let (own, next) = item::read(&self.bytes, at);
            if !own.with_bytes(|own| own == name) {
                return false;
            }
            at = next;
        }
        true
    }

    /// Marks an entry as deleted, if it is there and is not yet.
    pub fn delete(&mut self, id: StreamId) -> bool {
        let found = self.entries().take_while(|entry| entry.id <= id).last();
        let Some(at) = found.filter(|found| found.id == id).map(|found| found.at) else {
            return false;
        };
        self.mark(at);
        true
    }

    /// Marks the first entry that is not deleted.
    pub fn delete_first(&mut self) {
        let at = self.front.at;
        debug_assert!(self.live > 0);
        self.mark(at);
    }

    fn mark(&mut self, at: usize) {
        self.bytes[at] |= DELETED;
        self.live -= 1;
        self.deleted += 1;
        if at == self.front.at {
            self.advance();
        }
    }

    /// Looks for the first entry that is not deleted.
    fn advance(&mut self) {
        let mut entries = Entries {
            node: self,
            place: self.front,
        };
        let mut front = entries.place;
        while let Some(entry) = entries.step() {
            if !entry.is_deleted() {
                break;
            }
            front = entries.place;
        }
        self.front = front;
    }

    /// A node of the entries up to this ID, behind which all are deleted.
    pub fn up_to(&self, id: StreamId) -> Self {
        let text = |item: Item<'_>| item.with_bytes(<[u8]>::to_vec);
        let names: Vec<Vec<u8>> = self.names().map(text).collect();
        let mut node = Self::new(self.master, names.iter().map(Vec::as_slice));
        for entry in self.all_entries().take_while(|entry| entry.id <= id) {
            let fields = entry
                .fields()
                .map(|(name, value)| (text(name), text(value)));
            let fields: Vec<(Vec<u8>, Vec<u8>)> = fields.collect();
            let pairs = fields.iter().map(|(name, value)| (&name[..], &value[..]));
            node.push(entry.id, pairs, entry.is_deleted());
        }
        assert_eq!(node.live, self.live, "no entry is behind the ID");
        node
    }

    /// Gives back what was allocated for more entries.
    pub fn shrink(&mut self) {
        self.bytes.shrink_to_fit();
    }

    /// Whether there is more room allocated than used.
    pub fn is_loose(&self) -> bool {
        self.bytes.capacity() > self.bytes.len()
    }

    /// The ID of the first entry, deleted or not.
    pub fn master(&self) -> StreamId {
        self.master
    }

    /// The ID of the last entry, deleted or not.
    pub fn last(&self) -> StreamId {
        self.last
    }

    /// How many entries there are.
    pub fn live(&self) -> usize {
        self.live
    }

    /// How many entries are marked as deleted.
    pub fn deleted(&self) -> usize {
        self.deleted
    }

    /// Bytes of the node as a Redis listpack.
    pub fn listpack_bytes(&self) -> usize {
        LISTPACK_FRAME_BYTES
            + int_size(self.live as i64)
            + int_size(self.deleted as i64)
            + self.listpack
    }

    /// Bytes of its allocations.
    pub fn memory(&self) -> usize {
        alloc_size(size_of::<Self>() + 2 * size_of::<usize>()) + alloc_size(self.bytes.capacity())
    }

    /// Bytes that are in use.
    pub fn bytes(&self) -> usize {
        self.bytes.len()
    }

    fn names_start(&self) -> usize {
        varint::width(self.fields)
    }

    /// The field names of the first entry.
    pub fn names(&self) -> impl Iterator<Item = Item<'_>> {
        let mut at = self.names_start();
        (0..self.fields).map(move |_| {
            let (name, next) = item::read(&self.bytes, at);
            at = next;
            name
        })
    }

    /// How many fields the first entry has.
    pub fn name_count(&self) -> usize {
        self.fields
    }

    /// The entries that are not deleted, in order.
    pub fn entries(&self) -> Entries<'_> {
        Entries {
            node: self,
            place: self.front,
        }
    }

    /// All entries, in order, the deleted ones too.
    pub fn all_entries(&self) -> impl Iterator<Item = StreamEntry<'_>> {
        let before = StreamId::new(self.master.ms, self.master.seq.wrapping_sub(1));
        let place = Place {
            at: self.start,
            before,
        };
        let mut entries = Entries { node: self, place };
        core::iter::from_fn(move || entries.step())
    }
}

/// The entries of a node.
#[derive(Clone, Debug)]
pub struct Entries<'a> {
    node: &'a Node,
    place: Place,
}

impl<'a> Entries<'a> {
    /// The next entry, deleted or not.
    #[inline]
    fn step(&mut self) -> Option<StreamEntry<'a>> {
        let bytes = &self.node.bytes;
        let at = self.place.at;
        let flags = *bytes.get(at)?;
        let before = self.place.before;
        let mut next = at + 1;
        let id = if flags & NEXT != 0 {
            StreamId::new(before.ms, before.seq.wrapping_add(1))
        } else {
            let ms = take_len(bytes, &mut next);
            let seq = match (flags & FIRST != 0, ms) {
                (true, _) => 0,
                (false, 0) => before.seq + take_len(bytes, &mut next),
                (false, _) => take_len(bytes, &mut next),
            };
            StreamId::new(before.ms.wrapping_add(ms), seq)
        };
        let same = flags & SAME != 0;
        let fields = if same {
            self.node.fields
        } else {
            take_len(bytes, &mut next) as usize
        };
        let body = next;
        for _ in 0..if same { fields } else { 2 * fields } {
            next = item::skip(bytes, next);
        }
        self.place = Place {
            at: next,
            before: id,
        };
        Some(StreamEntry {
            id,
            node: self.node,
            at,
            body,
            fields,
        })
    }
}

impl<'a> Iterator for Entries<'a> {
    type Item = StreamEntry<'a>;

    #[inline]
    fn next(&mut self) -> Option<StreamEntry<'a>> {
        loop {
            let entry = self.step()?;
            if !entry.is_deleted() {
                return Some(entry);
            }
        }
    }
}

/// An entry where it lies.
#[derive(Clone, Copy, Debug)]
pub struct StreamEntry<'a> {
    /// What it is known by.
    pub id: StreamId,
    node: &'a Node,
    at: usize,
    body: usize,
    fields: usize,
}

impl<'a> StreamEntry<'a> {
    /// How many fields it has.
    pub fn field_count(&self) -> usize {
        self.fields
    }

    /// Whether it is marked as deleted.
    pub fn is_deleted(&self) -> bool {
        self.flags() & DELETED != 0
    }

    /// Whether its fields are those of the first entry of its node.
    pub fn has_master_fields(&self) -> bool {
        self.flags() & SAME != 0
    }

    /// Its fields with their values.
    #[inline]
    pub fn fields(&self) -> impl Iterator<Item = (Item<'a>, Item<'a>)> + use<'a> {
        let node = self.node;
        let same = self.has_master_fields();
        let (mut name_at, mut at) = (node.names_start(), self.body);
        (0..self.fields).map(move |_| {
            let name = if same {
                let (name, next) = item::read(&node.bytes, name_at);
                name_at = next;
                name
            } else {
                let (name, next) = item::read(&node.bytes, at);
                at = next;
                name
            };
            let (value, next) = item::read(&node.bytes, at);
            at = next;
            (name, value)
        })
    }

    fn flags(&self) -> u8 {
        self.node.bytes[self.at]
    }
}

#[inline]
fn push_len(bytes: &mut Vec<u8>, len: u64) {
    if len < 0x80 {
        return bytes.push(len as u8);
    }
    let (text, width) = varint::encode(len as usize);
    bytes.extend_from_slice(&text[..width]);
}

#[inline]
fn take_len(bytes: &[u8], at: &mut usize) -> u64 {
    let (len, width) = varint::decode(&bytes[*at..]);
    *at += width;
    len as u64
}

/// Flag of an entry: it is deleted.
const DELETED: u8 = 1;
/// Flag of an entry: its fields are those of the first one.
const SAME: u8 = 2;
/// Flag of an entry: its ID is the next one.
const NEXT: u8 = 4;
/// Flag of an entry: it is the first one of its millisecond.
const FIRST: u8 = 8;
/// Header and end byte of a listpack.
const LISTPACK_FRAME_BYTES: usize = 7;
