//! Writes RDB data piece by piece.

use bytes::Bytes;

use crate::limits::{RDB_CHUNK_BYTES, RDB_COMPRESS_BYTES_MAX};
use crate::machine::Wall;
use crate::persist::crc::Crc64;
use crate::persist::listpack;
use crate::persist::lzf::Compressor;
use crate::persist::out::Out;
use crate::persist::rdb::kind::{
    LEN_32_BITS, LEN_64_BITS, OP_AUX, OP_EOF, OP_EXPIRE_MS, OP_FREQ, OP_FUNCTION2, OP_IDLE,
    OP_RESIZE_DB, OP_SELECT_DB, STR_INT8, STR_INT16, STR_INT32, STR_LZF, TYPE_STRING,
    VERSION_WRITTEN,
};
use crate::persist::rdb::{hash, list, set, stream, zset};
use crate::value::{Parts, StrRef, ValueRef, parse_int};

/// What is stored of a key beside its value.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct KeyMeta {
    /// When it expires, in milliseconds since the Unix epoch.
    pub expire_ms: Option<i64>,
    /// How long ago it was used, when eviction goes by that.
    pub idle_secs: Option<u64>,
    /// How often it is used, on a logarithmic scale, when eviction goes by that.
    pub freq: Option<u8>,
}

/// Where in the replication stream a dataset belongs.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct ReplPoint {
    /// The database the stream has selected, -1 if none.
    pub stream_db: i32,
    /// The id of the history.
    pub id: [u8; 40],
    /// The offset in it.
    pub offset: u64,
}

/// What the head of a file says of the whole.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Preamble {
    /// When it was begun.
    pub created: Wall,
    /// The memory of the dataset.
    pub used_memory: u64,
    /// Its place in the replication stream, if it has one.
    pub repl: Option<ReplPoint>,
    /// Whether it is the base of an append-only file.
    pub aof_base: bool,
}

/// Writes RDB data into chunks.
///
/// Long strings that are shared with the keyspace are passed on without a copy, and a long list
/// can be written in slices.
#[derive(Debug)]
pub struct Encoder {
    out: Out,
    /// Absent if no checksum is wanted.
    sum: Option<Sum>,
    /// Absent if strings are not compressed.
    compressor: Option<Compressor>,
    packer: listpack::Builder,
    scratch: Vec<u8>,
    db: Option<u32>,
    ended: bool,
}

/// The checksum of what was written.
///
/// That of a whole chunk would take as long as several slices of a snapshot, all in the turn that
/// hands the chunk out, so it follows what is written. A shared piece waits until it is handed
/// out, and all behind it with it.
#[derive(Debug, Default)]
struct Sum {
    crc: Crc64,
    /// Bytes it covers that were not handed out.
    ahead: usize,
}

impl Sum {
    /// Takes in what was written behind the pieces that are ready, if there is enough of it.
    fn keep_up(&mut self, ready: usize, tail: &[u8]) {
        let Some(covered) = self.ahead.checked_sub(ready) else {
            return;
        };
        if tail.len() - covered >= SUMMED_AT_ONCE_BYTES {
            self.crc.update(&tail[covered..]);
            self.ahead = ready + tail.len();
        }
    }

    /// Takes in what it does not cover of a chunk.
    fn handed_out(&mut self, chunk: &[u8]) {
        let covered = self.ahead.min(chunk.len());
        self.crc.update(&chunk[covered..]);
        self.ahead -= covered;
    }
}

impl Encoder {
    /// Starts with no output.
    #[must_use]
    pub fn new(compress: bool, checksum: bool) -> Self {
        Self {
            out: Out::default(),
            sum: checksum.then(Sum::default),
            compressor: compress.then(Compressor::new),
            packer: listpack::Builder::new(),
            scratch: Vec::new(),
            db: None,
            ended: false,
        }
    }

    /// Writes the signature and the fields that Redis writes at the head of a file.
    pub fn preamble(&mut self, preamble: &Preamble) {
        self.out
            .tail
            .extend_from_slice(format!("REDIS{VERSION_WRITTEN:04}").as_bytes());
        self.aux(b"redis-ver", REDIS_VERSION.as_bytes());
        self.aux_int(b"redis-bits", 64);
        self.aux_int(b"ctime", preamble.created.as_secs());
        self.aux_int(b"used-mem", saturated(preamble.used_memory));
        if let Some(repl) = &preamble.repl {
            self.aux_int(b"repl-stream-db", i64::from(repl.stream_db));
            self.aux(b"repl-id", &repl.id);
            self.aux_int(b"repl-offset", saturated(repl.offset));
        }
        self.aux_int(b"aof-base", i64::from(preamble.aof_base));
    }

    /// Writes a field about the file as a whole.
    pub fn aux(&mut self, name: &[u8], value: &[u8]) {
        self.out.tail.push(OP_AUX);
        self.string(name);
        self.string(value);
    }

    fn aux_int(&mut self, name: &[u8], value: i64) {
        self.aux(name, itoa::Buffer::new().format(value).as_bytes());
    }

    /// Says that the keys from here on belong to a database. Databases may come in any order and
    /// more than once.
    pub fn select_db(&mut self, db: u32) {
        if self.db != Some(db) {
            self.db = Some(db);
            self.out.tail.push(OP_SELECT_DB);
            self.len(u64::from(db));
        }
    }

    /// Tells how many keys the selected database has, and how many of them expire.
    pub fn resize_db(&mut self, keys: u64, expires: u64) {
        self.out.tail.push(OP_RESIZE_DB);
        self.len(keys);
        self.len(expires);
    }

    /// Writes a function library's source.
    pub fn function(&mut self, library: &[u8]) {
        self.out.tail.push(OP_FUNCTION2);
        self.string(library);
        self.cut();
    }

    /// Writes a key with its value.
    pub fn key(&mut self, key: &[u8], value: ValueRef<'_>, meta: KeyMeta) {
        match value.parts() {
            None => {
                self.key_head(small_kind(value), key, meta);
                self.small(value);
                self.cut();
            }
            Some(mut parts) => {
                self.parts_head(key, &parts, meta);
                while self.part(&mut parts).is_some() {}
            }
        }
    }

    /// Writes the key of a value in parts. [`part`](Self::part) must write them all before
    /// anything else.
    pub fn parts_head(&mut self, key: &[u8], parts: &Parts, meta: KeyMeta) {
        self.key_head(parts_kind(parts), key, meta);
        self.before_parts(parts);
    }

    fn before_parts(&mut self, parts: &Parts) {
        match parts {
            Parts::List(parts) => list::write_head(self, parts),
            Parts::Hash(parts) => hash::write_head(self, parts),
            Parts::Set(parts) => set::write_head(self, parts),
            Parts::Zset(parts) => zset::write_head(self, parts),
            Parts::Stream(parts) => stream::write_head(self, parts),
        }
    }

    /// Writes and drops the next part and returns what that cost, in bytes about; none if there
    /// is none left.
    pub fn part(&mut self, parts: &mut Parts) -> Option<usize> {
        let cost = match parts {
            Parts::List(parts) => list::write_part(self, parts),
            Parts::Hash(parts) => hash::write_part(self, parts),
            Parts::Set(parts) => set::write_part(self, parts),
            Parts::Zset(parts) => zset::write_part(self, parts),
            Parts::Stream(parts) => stream::write_part(self, parts),
        };
        self.cut();
        cost
    }

    fn small(&mut self, value: ValueRef<'_>) {
        match value {
            ValueRef::Str(text) => self.str_value(text),
            ValueRef::List(small) => list::write_small(self, small),
            ValueRef::Hash(small) => hash::write_small(self, small),
            ValueRef::Set(small) => set::write_small(self, small),
            ValueRef::Zset(small) => zset::write_small(self, small),
            ValueRef::Stream(_) => unreachable!("it has parts"),
        }
    }

    /// Writes items as a listpack.
    pub(super) fn listpack<'a>(&mut self, items: impl Iterator<Item = &'a [u8]>) {
        let mut packer = core::mem::take(&mut self.packer);
        items.for_each(|item| packer.push(item));
        packer.finish(|block| self.string(block));
        self.packer = packer;
    }

    /// Writes a listpack of what is pushed.
    pub(super) fn listpack_of(&mut self, push: impl FnOnce(&mut listpack::Builder)) {
        let mut packer = core::mem::take(&mut self.packer);
        push(&mut packer);
        packer.finish(|block| self.string(block));
        self.packer = packer;
    }

    /// Writes bytes as they are.
    pub(super) fn raw(&mut self, bytes: &[u8]) {
        self.out.tail.extend_from_slice(bytes);
    }

    /// Writes the end and, once all chunks before it are taken, the checksum.
    pub fn eof(&mut self) {
        assert!(!self.ended, "RDB data ends once");
        self.out.tail.push(OP_EOF);
        self.ended = true;
    }

    /// Has [`poll_chunk`](Self::poll_chunk) give all that was written, however little.
    pub fn flush(&mut self) {
        assert!(!self.ended, "the end is a chunk anyway");
        self.out.push_tail();
    }

    /// Bytes written but not taken, but for the checksum.
    #[must_use]
    pub fn buffered(&self) -> usize {
        self.out.len()
    }

    /// The next chunk, of about [`RDB_CHUNK_BYTES`], once so much
    /// is there; after the end, what is left.
    #[must_use]
    pub fn poll_chunk(&mut self) -> Option<Bytes> {
        let Some(chunk) = self.out.pop() else {
            return (self.ended && !self.out.tail.is_empty()).then(|| self.last_chunk());
        };
        if let Some(sum) = &mut self.sum {
            sum.handed_out(&chunk);
        }
        Some(chunk)
    }

    fn cut(&mut self) {
        if let Some(sum) = &mut self.sum {
            sum.keep_up(self.out.ready_bytes(), &self.out.tail);
        }
        self.out.cut();
    }

    fn last_chunk(&mut self) -> Bytes {
        let mut last = core::mem::take(&mut self.out.tail);
        let checksum = self.sum.as_mut().map_or(0, |sum| {
            sum.handed_out(&last);
            sum.crc.value()
        });
        last.extend_from_slice(&checksum.to_le_bytes());
        Bytes::from(last)
    }

    fn key_head(&mut self, kind: u8, key: &[u8], meta: KeyMeta) {
        if let Some(expire_ms) = meta.expire_ms {
            self.out.tail.push(OP_EXPIRE_MS);
            self.out.tail.extend_from_slice(&expire_ms.to_le_bytes());
        }
        if let Some(idle_secs) = meta.idle_secs {
            self.out.tail.push(OP_IDLE);
            self.len(idle_secs);
        }
        if let Some(freq) = meta.freq {
            self.out.tail.extend_from_slice(&[OP_FREQ, freq]);
        }
        self.out.tail.push(kind);
        self.string(key);
    }

    fn str_value(&mut self, text: StrRef<'_>) {
        match text {
            StrRef::Int(number) => self.int(number),
            StrRef::Raw(bytes) => self.string(bytes),
            StrRef::Shared(bytes) if self.is_compressed(bytes.len()) => self.string(bytes),
            StrRef::Shared(bytes) if bytes.len() < RDB_CHUNK_BYTES => self.string(bytes),
            StrRef::Shared(bytes) => {
                self.len(wide(bytes.len()));
                self.out.push_shared(bytes.clone());
            }
        }
    }

    fn is_compressed(&self, len: usize) -> bool {
        self.compressor.is_some() && (COMPRESS_LEN_MIN..=RDB_COMPRESS_BYTES_MAX).contains(&len)
    }

    /// Writes a string, as a number or compressed if that is shorter.
    pub(super) fn string(&mut self, bytes: &[u8]) {
        if bytes.len() <= INT32_TEXT_LEN_MAX
            && let Some(number) = parse_int(bytes).and_then(|number| i32::try_from(number).ok())
        {
            return self.int32(number);
        }
        if self.is_compressed(bytes.len()) && self.compressed(bytes) {
            return;
        }
        self.len(wide(bytes.len()));
        self.out.tail.extend_from_slice(bytes);
    }

    fn compressed(&mut self, bytes: &[u8]) -> bool {
        let Some(compressor) = &mut self.compressor else {
            return false;
        };
        let mut block = core::mem::take(&mut self.scratch);
        block.clear();
        let smaller = compressor.compress(bytes, bytes.len() - COMPRESS_GAIN_MIN, &mut block);
        if smaller {
            self.out.tail.push(STR_LZF);
            self.len(wide(block.len()));
            self.len(wide(bytes.len()));
            self.out.tail.extend_from_slice(&block);
        }
        self.scratch = block;
        smaller
    }

    fn int(&mut self, number: i64) {
        match i32::try_from(number) {
            Ok(number) => self.int32(number),
            Err(_) => {
                let mut text = itoa::Buffer::new();
                let text = text.format(number).as_bytes();
                self.len(wide(text.len()));
                self.out.tail.extend_from_slice(text);
            }
        }
    }

    fn int32(&mut self, number: i32) {
        let [a, b, c, d] = number.to_le_bytes();
        match number {
            -0x80..=0x7f => self.out.tail.extend_from_slice(&[STR_INT8, a]),
            -0x8000..=0x7fff => self.out.tail.extend_from_slice(&[STR_INT16, a, b]),
            i32::MIN..=i32::MAX => self.out.tail.extend_from_slice(&[STR_INT32, a, b, c, d]),
        }
    }

    /// Writes a length.
    pub(super) fn len(&mut self, len: u64) {
        let [.., e, f, g, h] = len.to_be_bytes();
        match len {
            0..0x40 => self.out.tail.push(h),
            0x40..0x4000 => self.out.tail.extend_from_slice(&[0x40 | g, h]),
            0x4000..0x1_0000_0000 => self.out.tail.extend_from_slice(&[LEN_32_BITS, e, f, g, h]),
            0x1_0000_0000.. => {
                self.out.tail.push(LEN_64_BITS);
                self.out.tail.extend_from_slice(&len.to_be_bytes());
            }
        }
    }

    /// Writes a value as a DUMP payload has it, and takes it.
    pub(super) fn value_alone(mut self, value: ValueRef<'_>) -> Vec<u8> {
        match value.parts() {
            None => {
                self.out.tail.push(small_kind(value));
                self.small(value);
            }
            Some(mut parts) => {
                self.out.tail.push(parts_kind(&parts));
                self.before_parts(&parts);
                while self.part(&mut parts).is_some() {}
            }
        }
        self.out.into_vec()
    }
}

fn small_kind(value: ValueRef<'_>) -> u8 {
    match value {
        ValueRef::Str(_) => TYPE_STRING,
        ValueRef::List(_) => list::KIND,
        ValueRef::Hash(small) => hash::kind(small),
        ValueRef::Set(small) => set::kind(small),
        ValueRef::Zset(small) => zset::kind(small),
        ValueRef::Stream(_) => unreachable!("it has parts"),
    }
}

fn parts_kind(parts: &Parts) -> u8 {
    match parts {
        Parts::List(_) => list::KIND,
        Parts::Hash(_) => hash::PARTS_KIND,
        Parts::Set(_) => set::PARTS_KIND,
        Parts::Zset(_) => zset::PARTS_KIND,
        Parts::Stream(_) => stream::PARTS_KIND,
    }
}

fn wide(len: usize) -> u64 {
    u64::try_from(len).expect("a length fits 64 bits")
}

fn saturated(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// What Redis calls the version of the server that writes the file.
const REDIS_VERSION: &str = "7.2.4";
/// Bytes that the checksum takes in at once.
const SUMMED_AT_ONCE_BYTES: usize = 4 * 1024;
/// A longer text is no number of 32 bits.
const INT32_TEXT_LEN_MAX: usize = 11;
/// A shorter string is not worth the attempt, as Redis has it.
const COMPRESS_LEN_MIN: usize = 21;
/// Compression that saves less is not kept, as Redis has it.
const COMPRESS_GAIN_MIN: usize = 4;
