//! One key with its value and what is known of it, in 16 bytes and one allocation if it is a
//! short string.

use bytes::{Bytes, BytesMut};

use super::table::TableEntry;
use crate::limits::SHARED_REPLY_BYTES;
use crate::machine::Wall;
use crate::value::{IntText, List, Str, StrRef, Value, ValueRef, alloc_size, parse_int};

/// A key and its value.
#[derive(Debug)]
pub(super) enum Entry {
    /// A string shorter than [`SHARED_REPLY_BYTES`]: see [`Record`].
    Str(Box<[u8]>),
    /// Anything else.
    Object(Box<Object>),
}

const _: () = assert!(size_of::<Entry>() == 16);

/// A key whose value has allocations of its own.
#[derive(Debug)]
pub(super) struct Object {
    key: Box<[u8]>,
    expire: Option<Wall>,
    lru: u32,
    body: Body,
}

#[derive(Debug)]
enum Body {
    /// A string that replies share.
    Shared(Bytes),
    List(List),
}

/// What a new value of a key is made of.
#[derive(Clone, Debug)]
pub(super) enum Content<'a> {
    Int(i64),
    /// Text of fewer than [`SHARED_REPLY_BYTES`]; `true` if an edit made it, which shows in its
    /// encoding.
    Short(&'a [u8], bool),
    Shared(Bytes),
    List(List),
}

impl<'a> Content<'a> {
    /// A string as SET takes it: a number if its text is one.
    #[inline]
    pub(super) fn text(text: &'a [u8]) -> Self {
        match parse_int(text) {
            Some(number) => Self::Int(number),
            None if text.len() < SHARED_REPLY_BYTES => Self::Short(text, false),
            None => Self::Shared(Bytes::copy_from_slice(text)),
        }
    }

    /// A string that an edit made: raw, whatever its text.
    pub(super) fn raw(text: &'a [u8]) -> Self {
        if text.len() < SHARED_REPLY_BYTES {
            Self::Short(text, true)
        } else {
            Self::Shared(Bytes::copy_from_slice(text))
        }
    }

    /// A string that comes as shared bytes; short ones are copied, so that they do not keep a
    /// larger buffer alive.
    pub(super) fn bytes(bytes: &'a Bytes) -> Self {
        if bytes.len() < SHARED_REPLY_BYTES {
            Self::text(bytes)
        } else {
            Self::Shared(bytes.clone())
        }
    }

    pub(super) fn value(value: &'a mut Value) -> Self {
        match value {
            Value::Str(Str::Int(number)) => Self::Int(*number),
            Value::Str(Str::Raw(text)) => Self::text(text),
            Value::Str(Str::Shared(bytes)) => Self::bytes(bytes),
            Value::List(list) => Self::List(core::mem::take(list)),
        }
    }
}

impl TableEntry for Entry {
    #[inline]
    fn key(&self) -> &[u8] {
        match self {
            Self::Str(record) => Record::of(record).key,
            Self::Object(object) => &object.key,
        }
    }

    #[inline]
    fn touch(&self) -> usize {
        match self {
            Self::Str(record) => record.len(),
            Self::Object(_) => 0,
        }
    }
}

impl Entry {
    pub(super) fn new(key: &[u8], content: Content<'_>, expire: Option<Wall>, lru: u32) -> Self {
        let body = match content {
            Content::Int(number) => {
                return Self::record(key, &number.to_le_bytes(), INT, expire, lru);
            }
            Content::Short(text, edited) => {
                let flags = if edited { EDITED } else { 0 };
                return Self::record(key, text, flags, expire, lru);
            }
            Content::Shared(bytes) => Body::Shared(bytes),
            Content::List(list) => Body::List(list),
        };
        Self::Object(Box::new(Object {
            key: key.into(),
            expire,
            lru,
            body,
        }))
    }

    /// The same under another key.
    pub(super) fn with_key(mut self, key: &[u8]) -> Self {
        if let Self::Object(object) = &mut self {
            object.key = key.into();
            return self;
        }
        self.rebuilt(key, self.expire())
    }

    /// A copy; shared bytes stay shared.
    pub(super) fn copy(&self) -> Self {
        match self {
            Self::Str(bytes) => Self::Str(bytes.clone()),
            Self::Object(object) => Self::Object(Box::new(Object {
                key: object.key.clone(),
                expire: object.expire,
                lru: object.lru,
                body: match &object.body {
                    Body::Shared(bytes) => Body::Shared(bytes.clone()),
                    Body::List(list) => Body::List(list.clone()),
                },
            })),
        }
    }

    /// Replaces the value, in place if the new one fits.
    #[inline]
    pub(super) fn set_content(&mut self, content: Content<'_>) {
        if let Self::Str(bytes) = self {
            match &content {
                Content::Int(number) => {
                    return set_record(bytes, &number.to_le_bytes(), INT);
                }
                Content::Short(text, edited) => {
                    return set_record(bytes, text, if *edited { EDITED } else { 0 });
                }
                Content::Shared(_) | Content::List(_) => (),
            }
        }
        *self = Self::new(self.key(), content, self.expire(), self.lru());
    }

    /// Replaces all but the key.
    #[inline]
    pub(super) fn replace(&mut self, content: Content<'_>, expire: Option<Wall>, lru: u32) {
        if self.expire().is_some() == expire.is_some() {
            self.set_content(content);
            self.set_expire(expire);
            self.set_lru(lru);
        } else {
            *self = Self::new(self.key(), content, expire, lru);
        }
    }

    #[inline]
    pub(super) fn value(&self) -> ValueRef<'_> {
        match self {
            Self::Str(bytes) => ValueRef::Str(Record::of(bytes).text()),
            Self::Object(object) => match &object.body {
                Body::Shared(bytes) => ValueRef::Str(StrRef::Shared(bytes)),
                Body::List(list) => ValueRef::List(list),
            },
        }
    }

    pub(super) fn into_value(self) -> Value {
        match self {
            Self::Str(bytes) => Value::Str(Record::of(&bytes).text().to_str()),
            Self::Object(object) => match object.body {
                Body::Shared(bytes) => Value::Str(Str::Shared(bytes)),
                Body::List(list) => Value::List(list),
            },
        }
    }

    pub(super) fn list_mut(&mut self) -> Option<&mut List> {
        match self {
            Self::Object(object) => match &mut object.body {
                Body::List(list) => Some(list),
                Body::Shared(_) => None,
            },
            Self::Str(_) => None,
        }
    }

    /// What OBJECT ENCODING answers.
    pub(super) fn encoding(&self) -> &'static str {
        match self {
            Self::Str(bytes) => {
                let record = Record::of(bytes);
                if record.flags & INT != 0 {
                    "int"
                } else if record.flags & EDITED != 0 || record.value.len() > EMBSTR_BYTES_MAX {
                    "raw"
                } else {
                    "embstr"
                }
            }
            Self::Object(object) => match &object.body {
                Body::Shared(_) => "raw",
                Body::List(list) => list.encoding(),
            },
        }
    }

    #[inline]
    pub(super) fn expire(&self) -> Option<Wall> {
        match self {
            Self::Str(bytes) => {
                if bytes[0] & EXPIRES == 0 {
                    return None;
                }
                let field = bytes[META_BYTES..].first_chunk();
                let field = field.expect("a record that expires says when");
                Some(Wall::from_millis(i64::from_le_bytes(*field)))
            }
            Self::Object(object) => object.expire,
        }
    }

    #[inline]
    pub(super) fn set_expire(&mut self, expire: Option<Wall>) {
        match (&mut *self, expire) {
            (Self::Object(object), _) => object.expire = expire,
            (Self::Str(bytes), Some(at)) if bytes[0] & EXPIRES != 0 => {
                let field = &mut bytes[META_BYTES..META_BYTES + EXPIRE_BYTES];
                field.copy_from_slice(&at.as_millis().to_le_bytes());
            }
            (Self::Str(bytes), None) if bytes[0] & EXPIRES == 0 => (),
            (Self::Str(_), _) => *self = self.rebuilt(self.key(), expire),
        }
    }

    #[inline]
    pub(super) fn lru(&self) -> u32 {
        match self {
            Self::Str(bytes) => u32::from_le_bytes([bytes[1], bytes[2], bytes[3], 0]),
            Self::Object(object) => object.lru,
        }
    }

    /// Keeps the low 24 bits.
    #[inline]
    pub(super) fn set_lru(&mut self, lru: u32) {
        match self {
            Self::Str(bytes) => bytes[1..META_BYTES].copy_from_slice(&lru.to_le_bytes()[..3]),
            Self::Object(object) => object.lru = lru & LRU_BITS,
        }
    }

    /// Writes into the text of a string from `offset` on, with zeros in front if the text is
    /// shorter, and returns its new length. The string is raw from then on.
    pub(super) fn write_at(&mut self, offset: usize, with: &[u8]) -> usize {
        let end = offset
            .checked_add(with.len())
            .expect("the caller bounds the length");
        self.edit_text(end, |text| {
            text[offset..end].copy_from_slice(with);
            text.len()
        })
    }

    /// Lends the text of a string to change it, with zeros added until it is `least` bytes long.
    /// The string is raw from then on.
    pub(super) fn edit_text<R>(&mut self, least: usize, edit: impl FnOnce(&mut [u8]) -> R) -> R {
        if let ValueRef::Str(StrRef::Int(number)) = self.value() {
            let mut scratch = IntText::default();
            let text = StrRef::Int(number).text(&mut scratch);
            self.set_content(Content::Short(text, true));
        }
        match self {
            Self::Str(bytes) => {
                let text = Record::of(bytes).value;
                let (head, len) = (bytes.len() - text.len(), text.len().max(least));
                if len >= SHARED_REPLY_BYTES {
                    let mut longer = BytesMut::with_capacity(len);
                    longer.extend_from_slice(text);
                    longer.resize(len, 0);
                    let result = edit(&mut longer);
                    self.set_content(Content::Shared(longer.freeze()));
                    return result;
                }
                if bytes.len() < head + len {
                    let mut record = core::mem::take(bytes).into_vec();
                    record.reserve_exact(head + len - record.len());
                    record.resize(head + len, 0);
                    *bytes = record.into_boxed_slice();
                }
                bytes[0] |= EDITED;
                edit(&mut bytes[head..])
            }
            Self::Object(object) => {
                let Body::Shared(shared) = &mut object.body else {
                    unreachable!("only strings are edited as text");
                };
                let mut text = match core::mem::take(shared).try_into_mut() {
                    Ok(text) => text,
                    Err(shared) => BytesMut::from(&shared[..]),
                };
                if text.len() < least {
                    text.resize(least, 0);
                }
                let result = edit(&mut text);
                *shared = text.freeze();
                result
            }
        }
    }

    /// Bytes of the entry's allocations.
    #[inline]
    pub(super) fn memory(&self) -> usize {
        match self {
            Self::Str(bytes) => alloc_size(bytes.len()),
            Self::Object(object) => {
                alloc_size(size_of::<Object>())
                    + alloc_size(object.key.len())
                    + match &object.body {
                        Body::Shared(bytes) => alloc_size(bytes.len()),
                        Body::List(list) => list.memory(),
                    }
            }
        }
    }

    /// How many allocations freeing the value takes.
    pub(super) fn free_effort(&self) -> usize {
        match self {
            Self::Str(_) => 1,
            Self::Object(object) => match &object.body {
                Body::Shared(_) => 1,
                Body::List(list) => list.chunk_count(),
            },
        }
    }

    /// The same string with another key or time of expiry.
    fn rebuilt(&self, key: &[u8], expire: Option<Wall>) -> Self {
        let Self::Str(bytes) = self else {
            unreachable!("only records have their key and time in one allocation");
        };
        let record = Record::of(bytes);
        let kept = record.flags & (INT | EDITED);
        Self::record(key, record.value, kept, expire, self.lru())
    }

    fn record(key: &[u8], value: &[u8], flags: u8, expire: Option<Wall>, lru: u32) -> Self {
        let (prefix, width) = key_prefix(key.len());
        let expire_bytes = if expire.is_some() { EXPIRE_BYTES } else { 0 };
        let total = META_BYTES + expire_bytes + width + key.len() + value.len();
        let mut bytes = Vec::with_capacity(total);
        let [low, middle, high, _] = lru.to_le_bytes();
        let flags = if expire.is_some() {
            flags | EXPIRES
        } else {
            flags
        };
        bytes.extend_from_slice(&[flags, low, middle, high]);
        if let Some(at) = expire {
            bytes.extend_from_slice(&at.as_millis().to_le_bytes());
        }
        bytes.extend_from_slice(&prefix[..width]);
        bytes.extend_from_slice(key);
        bytes.extend_from_slice(value);
        Self::Str(bytes.into_boxed_slice())
    }
}

/// The parts of a string's record: flags, LRU or LFU field (3 bytes), time of expiry (8 bytes, if
/// flagged), length of the key (7 bits a byte, the lowest first), key, and the value: its text,
/// or 8 bytes of a number if flagged.
struct Record<'a> {
    flags: u8,
    key: &'a [u8],
    value: &'a [u8],
}

impl<'a> Record<'a> {
    #[inline]
    fn of(bytes: &'a [u8]) -> Self {
        let flags = bytes[0];
        let at = META_BYTES + usize::from(flags & EXPIRES) * EXPIRE_BYTES;
        let rest = &bytes[at + 1..];
        let first = bytes[at];
        let (key, value) = if first < 0x80 {
            rest.split_at(usize::from(first))
        } else {
            Self::split_long_key(first, rest)
        };
        Self { flags, key, value }
    }

    #[cold]
    fn split_long_key(first: u8, rest: &'a [u8]) -> (&'a [u8], &'a [u8]) {
        let mut len = usize::from(first & 0x7f);
        for (at, &byte) in rest.iter().enumerate() {
            len |= usize::from(byte & 0x7f) << (7 * (at + 1));
            if byte < 0x80 {
                return rest[at + 1..].split_at(len);
            }
        }
        unreachable!("a record is written by this module alone, and the length in it ends")
    }

    #[inline]
    fn text(&self) -> StrRef<'a> {
        if self.flags & INT == 0 {
            return StrRef::Raw(self.value);
        }
        let number = self.value.first_chunk().expect("a number has eight bytes");
        StrRef::Int(i64::from_le_bytes(*number))
    }
}

/// Replaces the value of a record, in place if it is as long as the old one.
#[inline]
fn set_record(bytes: &mut Box<[u8]>, value: &[u8], flags: u8) {
    let old = Record::of(bytes).value.len();
    let head = bytes.len() - old;
    if old == value.len() {
        bytes[head..].copy_from_slice(value);
    } else {
        let mut record = core::mem::take(bytes).into_vec();
        record.truncate(head);
        record.reserve_exact(value.len());
        record.extend_from_slice(value);
        *bytes = record.into_boxed_slice();
    }
    bytes[0] = (bytes[0] & EXPIRES) | flags;
}

fn key_prefix(len: usize) -> ([u8; KEY_PREFIX_MAX], usize) {
    let mut bytes = [0; KEY_PREFIX_MAX];
    let (mut rest, mut width) = (len, 0);
    while rest >= 0x80 {
        bytes[width] = (rest & 0x7f) as u8 | 0x80;
        rest >>= 7;
        width += 1;
    }
    bytes[width] = rest as u8;
    (bytes, width + 1)
}

/// Flags and LRU or LFU field.
const META_BYTES: usize = 4;
const EXPIRE_BYTES: usize = 8;
/// Seven bits of a 64-bit length per byte.
const KEY_PREFIX_MAX: usize = 10;
/// Flag: the record has a time of expiry. It is 1, so that it counts the fields.
const EXPIRES: u8 = 1;
/// Flag: the value is a number.
const INT: u8 = 2;
/// Flag: the value was edited, so that it is raw however short it is.
const EDITED: u8 = 4;
/// The longest text of the encoding embstr.
const EMBSTR_BYTES_MAX: usize = 44;
const LRU_BITS: u32 = (1 << 24) - 1;
