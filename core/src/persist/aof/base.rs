//! The base of the log as plain commands, for who wants to read it (`aof-use-rdb-preamble no`).
//!
//! The commands are those that Redis writes. A collection comes in groups of elements, and what a
//! stream knows beside its entries in commands made for that.

mod stream;

use bytes::Bytes;

use crate::limits::RDB_CHUNK_BYTES;
use crate::persist::out::Out;
use crate::resp::{bulk, header};
use crate::value::{IntText, ListRef, Parts, SetRef, StrRef, ValueRef, ZsetRef, score_text};

/// Elements of a collection in one command, as Redis has it.
const ELEMENTS_PER_COMMAND: usize = 64;

/// Writes a dataset as commands, into chunks.
#[derive(Debug, Default)]
pub struct Commands {
    out: Out,
    db: Option<u32>,
    /// The key that is being written.
    key: Vec<u8>,
    expire_ms: Option<i64>,
    elements: Elements,
    /// What stands behind the last command.
    tail: Bytes,
    ended: bool,
}

/// Elements that are not in a command yet.
#[derive(Debug, Default)]
struct Elements {
    name: &'static str,
    /// Arguments that an element has.
    each: usize,
    count: usize,
    bytes: Vec<u8>,
}

impl Commands {
    /// Writes `head` first and `tail` at the end; both are lines that are no commands, or empty.
    #[must_use]
    pub fn new(head: &[u8], tail: Bytes) -> Self {
        let mut commands = Self {
            tail,
            ..Self::default()
        };
        commands.out.tail.extend_from_slice(head);
        commands
    }

    /// Says that the keys from here on belong to a database.
    pub fn select_db(&mut self, db: u32) {
        if self.db != Some(db) {
            self.db = Some(db);
            let mut text = itoa::Buffer::new();
            self.command(&[b"SELECT", text.format(db).as_bytes()]);
        }
    }

    /// Writes a key with its value.
    pub fn key(&mut self, key: &[u8], value: ValueRef<'_>, expire_ms: Option<i64>) {
        match value.parts() {
            None => {
                self.begin(key, expire_ms);
                self.small(value);
                self.end_key();
            }
            Some(mut parts) => {
                self.parts_head(key, &parts, expire_ms);
                while self.part(&mut parts).is_some() {}
            }
        }
    }

    /// Begins with the key of a value in parts. [`part`](Self::part) must write them all before
    /// anything else.
    pub fn parts_head(&mut self, key: &[u8], parts: &Parts, expire_ms: Option<i64>) {
        self.begin(key, expire_ms);
        match parts {
            Parts::List(_) => self.gather("RPUSH", 1),
            Parts::Hash(_) => self.gather("HMSET", 2),
            Parts::Set(_) => self.gather("SADD", 1),
            Parts::Zset(_) => self.gather("ZADD", 2),
            Parts::Stream(_) => {}
        }
    }

    /// Writes and drops the next part and returns what that cost, in bytes about; none if there
    /// is none left.
    pub fn part(&mut self, parts: &mut Parts) -> Option<usize> {
        let cost = match parts {
            Parts::List(parts) => parts.take().map(|chunk| {
                chunk.iter().for_each(|item| self.element(&[item]));
                chunk.bytes()
            }),
            Parts::Hash(parts) => parts.take().map(|part| {
                let mut cost = 0;
                for (field, value) in part.iter() {
                    self.element(&[field, value]);
                    cost += field.len() + value.len();
                }
                cost
            }),
            Parts::Set(parts) => parts.take().map(|part| {
                let mut cost = 0;
                for member in part.iter() {
                    self.element(&[member]);
                    cost += member.len();
                }
                cost
            }),
            Parts::Zset(parts) => parts.take(|member, score| {
                self.element(&[score_text(score).as_bytes(), member]);
            }),
            Parts::Stream(parts) => self.stream_part(parts),
        };
        if cost.is_none() {
            self.end_key();
        }
        self.out.cut();
        cost
    }

    /// Writes the end.
    pub fn eof(&mut self) {
        assert!(!self.ended, "commands end once");
        self.out.tail.extend_from_slice(&self.tail);
        self.ended = true;
    }

    /// Bytes written but not taken.
    #[must_use]
    pub fn buffered(&self) -> usize {
        self.out.len()
    }

    /// Has [`poll_chunk`](Self::poll_chunk) give all that was written, however little.
    pub fn flush(&mut self) {
        self.out.push_tail();
    }

    /// The next chunk, of about [`RDB_CHUNK_BYTES`], once so much is there; after the end, what
    /// is left.
    #[must_use]
    pub fn poll_chunk(&mut self) -> Option<Bytes> {
        if self.ended {
            self.out.push_tail();
        }
        self.out.pop()
    }

    fn begin(&mut self, key: &[u8], expire_ms: Option<i64>) {
        self.key.clear();
        self.key.extend_from_slice(key);
        self.expire_ms = expire_ms;
    }

    /// Writes what is known of the key beside its value.
    fn end_key(&mut self) {
        self.end_elements();
        if let Some(expire_ms) = self.expire_ms.take() {
            let mut text = itoa::Buffer::new();
            self.of_key(&[b"PEXPIREAT"], &[text.format(expire_ms).as_bytes()]);
        }
        self.out.cut();
    }

    fn small(&mut self, value: ValueRef<'_>) {
        match value {
            ValueRef::Str(text) => self.string(text),
            ValueRef::List(list) => self.small_list(list),
            ValueRef::Hash(hash) => {
                self.gather("HMSET", 2);
                for (field, value) in hash.iter() {
                    self.element(&[field, value]);
                }
            }
            ValueRef::Set(set) => self.small_set(set),
            ValueRef::Zset(zset) => self.small_zset(zset),
            ValueRef::Stream(_) => unreachable!("it has parts"),
        }
    }

    fn small_list(&mut self, list: ListRef<'_>) {
        self.gather("RPUSH", 1);
        for item in list.iter() {
            self.element(&[item]);
        }
    }

    fn small_set(&mut self, set: SetRef<'_>) {
        self.gather("SADD", 1);
        let mut scratch = IntText::default();
        for member in set.iter() {
            self.element(&[member.text(&mut scratch)]);
        }
    }

    fn small_zset(&mut self, zset: ZsetRef<'_>) {
        self.gather("ZADD", 2);
        for (member, score) in zset.iter() {
            self.element(&[score_text(score).as_bytes(), member]);
        }
    }

    fn string(&mut self, text: StrRef<'_>) {
        let mut scratch = IntText::default();
        array(&mut self.out.tail, 3);
        bulk(&mut self.out.tail, b"SET");
        bulk(&mut self.out.tail, &self.key);
        match text {
            StrRef::Shared(bytes) if bytes.len() >= RDB_CHUNK_BYTES => {
                header(&mut self.out.tail, b'$', bytes.len());
                self.out.push_shared(bytes.clone());
                self.out.tail.extend_from_slice(b"\r\n");
            }
            StrRef::Shared(bytes) => bulk(&mut self.out.tail, bytes),
            StrRef::Int(_) | StrRef::Raw(_) => {
                bulk(&mut self.out.tail, text.text(&mut scratch));
            }
        }
    }

    /// What follows are elements, of so many arguments each, that a command adds to the key.
    fn gather(&mut self, name: &'static str, each: usize) {
        (self.elements.name, self.elements.each) = (name, each);
    }

    fn element(&mut self, args: &[&[u8]]) {
        assert_eq!(args.len(), self.elements.each, "elements are alike");
        for arg in args {
            bulk(&mut self.elements.bytes, arg);
        }
        self.elements.count += 1;
        // Long ones are not gathered: they are large enough by themselves.
        let full = self.elements.bytes.len() >= RDB_CHUNK_BYTES;
        if full || self.elements.count == ELEMENTS_PER_COMMAND {
            self.end_elements();
        }
    }

    fn end_elements(&mut self) {
        let elements = &mut self.elements;
        if elements.count == 0 {
            return;
        }
        let out = &mut self.out.tail;
        array(out, 2 + elements.count * elements.each);
        bulk(out, elements.name.as_bytes());
        bulk(out, &self.key);
        out.append(&mut elements.bytes);
        elements.count = 0;
        self.out.cut();
    }

    fn command(&mut self, args: &[&[u8]]) {
        array(&mut self.out.tail, args.len());
        args.iter().for_each(|arg| bulk(&mut self.out.tail, arg));
    }

    /// Writes a command with the key behind some words.
    fn of_key(&mut self, words: &[&[u8]], args: &[&[u8]]) {
        let out = &mut self.out.tail;
        array(out, words.len() + 1 + args.len());
        words.iter().for_each(|word| bulk(out, word));
        bulk(out, &self.key);
        args.iter().for_each(|arg| bulk(out, arg));
    }
}

fn array(out: &mut Vec<u8>, len: usize) {
    header(out, b'*', len);
}
