//! Entries that a snapshot has got but not encoded.

use core::fmt;
use std::collections::VecDeque;

use bytes::Bytes;

use crate::keyspace::{EntryRef, SegmentSink, Usage};
use crate::limits::SNAPSHOT_AHEAD_BYTES;
use crate::machine::Wall;
use crate::persist::rdb::KeyMeta;
use crate::persist::snapshot::form::Writer;
use crate::value::{Form, Parts, StrRef, ValueRef};

/// Takes entries as they were and encodes them by and by.
pub(super) struct Held {
    writer: Writer,
    /// How to read what is kept of an entry's use.
    usage: Usage,
    /// Oldest first, none empty.
    batches: VecDeque<Batch>,
    /// The large value that is being encoded, and what was counted for it.
    parts: Option<(Box<Parts>, usize)>,
    /// Bytes of all that is held.
    bytes: usize,
    /// Keys encoded.
    keys: usize,
}

/// Entries of one database.
struct Batch {
    db: u32,
    /// Keys, each with its text if it is short, one after another.
    texts: Vec<u8>,
    records: Vec<Record>,
    /// The record that comes next, and where its key begins.
    next: usize,
    at: usize,
}

struct Record {
    key_len: usize,
    expire: Option<Wall>,
    lru: u32,
    body: Body,
}

enum Body {
    Int(i64),
    /// As many bytes behind the key.
    Text(usize),
    Shared(Bytes),
    /// A small collection, of as many bytes behind the key.
    Small(Form, usize),
    Parts(Box<Parts>),
}

impl Held {
    pub(super) fn new(writer: Writer, usage: Usage) -> Self {
        Self {
            writer,
            usage,
            batches: VecDeque::new(),
            parts: None,
            bytes: 0,
            keys: 0,
        }
    }

    pub(super) fn writer(&mut self) -> &mut Writer {
        &mut self.writer
    }

    /// Whether all entries that came are encoded.
    pub(super) fn is_empty(&self) -> bool {
        self.batches.is_empty() && self.parts.is_none()
    }

    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    pub(super) fn keys(&self) -> usize {
        self.keys
    }

    /// Encodes entries of about `budget` bytes, and no more than `keys` whole ones.
    pub(super) fn encode_some(&mut self, budget: usize, keys: usize) {
        let mut left = budget;
        let enough = self.keys.saturating_add(keys);
        while left > 0 && self.keys < enough && self.writer.buffered() < SNAPSHOT_AHEAD_BYTES {
            let cost = if self.parts.is_some() {
                self.encode_part()
            } else {
                self.encode_record()
            };
            if cost == 0 {
                return;
            }
            left = left.saturating_sub(cost);
        }
    }

    /// Encodes the next part of the value under way; returns what that cost.
    fn encode_part(&mut self) -> usize {
        let Some((parts, held)) = &mut self.parts else {
            return 0;
        };
        let cost = self.writer.part(parts);
        if cost.is_none() {
            self.bytes -= *held;
            self.keys += 1;
            self.parts = None;
        }
        cost.unwrap_or(0).max(1)
    }

    /// Encodes the next record; returns what that cost, 0 if there is none.
    fn encode_record(&mut self) -> usize {
        let Some(batch) = self.batches.front_mut() else {
            return 0;
        };
        let Record {
            key_len,
            expire,
            lru,
            body,
        } = &mut batch.records[batch.next];
        let (key, rest) = batch.texts[batch.at..].split_at(*key_len);
        let (idle_secs, freq) = self.usage.saved(*lru);
        let meta = KeyMeta {
            expire_ms: expire.map(Wall::as_millis),
            idle_secs,
            freq,
        };
        self.writer.select_db(batch.db);
        let mut text_len = 0;
        let mut shared_len = 0;
        match core::mem::replace(body, Body::Int(0)) {
            Body::Int(number) => {
                self.writer
                    .key(key, ValueRef::Str(StrRef::Int(number)), meta);
            }
            Body::Text(len) => {
                self.writer
                    .key(key, ValueRef::Str(StrRef::Raw(&rest[..len])), meta);
                text_len = len;
            }
            Body::Shared(bytes) => {
                self.writer
                    .key(key, ValueRef::Str(StrRef::Shared(&bytes)), meta);
                shared_len = bytes.len();
            }
            Body::Small(form, len) => {
                let value = ValueRef::small(form, &rest[..len]);
                self.writer.key(key, value, meta);
                text_len = len;
            }
            Body::Parts(parts) => {
                self.writer.parts_head(key, &parts, meta);
                let held = parts.memory();
                self.parts = Some((parts, held));
            }
        }
        self.keys += usize::from(self.parts.is_none());
        let own = RECORD_BYTES + *key_len + text_len;
        self.bytes -= own + shared_len;
        batch.at += *key_len + text_len;
        batch.next += 1;
        if batch.next == batch.records.len() {
            self.batches.pop_front();
        }
        own + shared_len
    }

    fn hold(&mut self, db: u32, entry: EntryRef<'_>) {
        let batch = match self.batches.back_mut() {
            Some(batch) if batch.db == db && batch.texts.len() < BATCH_BYTES => batch,
            Some(_) | None => {
                self.batches.push_back(Batch::new(db));
                self.batches.back_mut().expect("it was pushed")
            }
        };
        let key = entry.key();
        batch.texts.extend_from_slice(key);
        let mut bytes = RECORD_BYTES + key.len();
        let body = match entry.value() {
            ValueRef::Str(StrRef::Int(number)) => Body::Int(number),
            ValueRef::Str(StrRef::Raw(text)) => {
                batch.texts.extend_from_slice(text);
                bytes += text.len();
                Body::Text(text.len())
            }
            ValueRef::Str(StrRef::Shared(shared)) => {
                bytes += shared.len();
                Body::Shared(shared.clone())
            }
            collection @ (ValueRef::List(_)
            | ValueRef::Hash(_)
            | ValueRef::Set(_)
            | ValueRef::Zset(_)
            | ValueRef::Stream(_)) => match (collection.parts(), entry.small()) {
                (Some(parts), _) => {
                    bytes += parts.memory();
                    Body::Parts(Box::new(parts))
                }
                (None, Some((form, small))) => {
                    batch.texts.extend_from_slice(small);
                    bytes += small.len();
                    Body::Small(form, small.len())
                }
                (None, None) => unreachable!("a collection is small or has parts"),
            },
        };
        batch.records.push(Record {
            key_len: key.len(),
            expire: entry.expire(),
            lru: entry.lru(),
            body,
        });
        self.bytes += bytes;
    }
}

impl SegmentSink for Held {
    fn segment(&mut self, db: usize, entries: &mut dyn Iterator<Item = EntryRef<'_>>) {
        let db = u32::try_from(db).expect("databases are few");
        for entry in entries {
            self.hold(db, entry);
        }
    }
}

impl fmt::Debug for Held {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Held")
            .field("bytes", &self.bytes)
            .field("keys", &self.keys)
            .finish()
    }
}

impl Batch {
    fn new(db: u32) -> Self {
        Self {
            db,
            texts: Vec::new(),
            records: Vec::new(),
            next: 0,
            at: 0,
        }
    }
}

/// A batch of so many bytes of keys and texts gets no further entry.
const BATCH_BYTES: usize = 64 * 1024;
const RECORD_BYTES: usize = size_of::<Record>();
