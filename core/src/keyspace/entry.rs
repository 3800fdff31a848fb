//! One key with its value and what is known of it, in 16 bytes and one allocation if the value is
//! a short string or a small collection.

use bytes::{Bytes, BytesMut};
use smallvec::SmallVec;

use crate::limits::SHARED_REPLY_BYTES;
use crate::machine::Wall;
use crate::value::table::TableEntry;
use crate::value::{
    Collection, Form, IntText, Str, StrRef, Tail, Value, ValueRef, alloc_size, parse_int, varint,
};

/// A key and its value.
#[derive(Debug)]
pub(super) enum Entry {
    /// A string shorter than [`SHARED_REPLY_BYTES`] or a small collection: see [`Record`].
    Record(Box<[u8]>),
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
    /// A string that replies share, or a large collection.
    body: Value,
}

/// What a new value of a key is made of.
#[derive(Clone, Debug)]
pub(super) enum Content<'a> {
    Int(i64),
    /// Text of fewer than [`SHARED_REPLY_BYTES`]; `true` if an edit made it, which shows in its
    /// encoding.
    Short(&'a [u8], bool),
    Shared(Bytes),
    Collection(Value),
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
            Value::List(_) | Value::Hash(_) | Value::Set(_) | Value::Zset(_) | Value::Stream(_) => {
                Self::Collection(core::mem::take(value))
            }
        }
    }
}

impl TableEntry for Entry {
    #[inline]
    fn key(&self) -> &[u8] {
        match self {
            Self::Record(record) => Record::of(record).key,
            Self::Object(object) => &object.key,
        }
    }

    #[inline]
    fn touch(&self) -> usize {
        match self {
            Self::Record(record) => record.len(),
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
            Content::Shared(bytes) => Value::Str(Str::Shared(bytes)),
            Content::Collection(value) => match value.into_small() {
                Ok((form, tail)) => {
                    return Self::record(key, tail.bytes(), form_bits(form), expire, lru);
                }
                Err(large) => large,
            },
        };
        Self::object(key, expire, lru, body)
    }

    fn object(key: &[u8], expire: Option<Wall>, lru: u32, body: Value) -> Self {
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
            Self::Record(bytes) => Self::Record(bytes.clone()),
            Self::Object(object) => Self::Object(Box::new(Object {
                key: object.key.clone(),
                expire: object.expire,
                lru: object.lru,
                body: object.body.clone(),
            })),
        }
    }

    /// Replaces the value, in place if the new one fits.
    #[inline]
    pub(super) fn set_content(&mut self, content: Content<'_>) {
        if let Self::Record(bytes) = self {
            match &content {
                Content::Int(number) => {
                    return set_record(bytes, &number.to_le_bytes(), INT);
                }
                Content::Short(text, edited) => {
                    return set_record(bytes, text, if *edited { EDITED } else { 0 });
                }
                Content::Shared(_) | Content::Collection(_) => (),
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
            Self::Record(bytes) => Record::of(bytes).value(),
            Self::Object(object) => object.body.as_ref(),
        }
    }

    pub(super) fn into_value(self) -> Value {
        match self {
            Self::Record(bytes) => Record::of(&bytes).value().to_value(),
            Self::Object(object) => object.body,
        }
    }

    /// The bytes of a small collection, and what they are.
    pub(super) fn small(&self) -> Option<(Form, &[u8])> {
        match self {
            Self::Record(bytes) => Some((form_of(bytes[0])?, Record::of(bytes).bytes)),
            Self::Object(_) => None,
        }
    }

    /// Takes a large value away, if there is one.
    pub(super) fn take_large(&mut self) -> Option<Value> {
        match self {
            Self::Record(_) => None,
            Self::Object(object) => Some(core::mem::take(&mut object.body)),
        }
    }

    /// Lends the value for a change, if it is a collection of this kind.
    #[inline]
    pub(super) fn edit<T: Collection, R>(&mut self, change: impl FnOnce(&mut T) -> R) -> Option<R> {
        match self {
            Self::Record(_) => self.edit_record(change),
            Self::Object(object) => {
                let collection = T::of(&mut object.body)?;
                let result = change(collection);
                if collection.is_small() {
                    let small = core::mem::take(collection).into();
                    let Object { expire, lru, .. } = **object;
                    *self = Self::new(&object.key, Content::Collection(small), expire, lru);
                }
                Some(result)
            }
        }
    }

    fn edit_record<T: Collection, R>(&mut self, change: impl FnOnce(&mut T) -> R) -> Option<R> {
        let Self::Record(bytes) = self else {
            unreachable!("the caller has looked");
        };
        let form = form_of(bytes[0])?;
        let base = bytes.len() - Record::of(bytes).bytes.len();
        // The change may drop the allocation, and the key with it.
        let head: SmallVec<[u8; HEAD_BYTES]> = bytes[..base].into();
        let tail = Tail::new(core::mem::take(bytes).into_vec(), base);
        let Some(mut collection) = T::from_small(form, tail) else {
            unreachable!("forms are asked for by those who know them");
        };
        let result = change(&mut collection);
        match collection.into_small() {
            Ok((form, tail)) => {
                let (mut record, at) = tail.into_parts();
                if at != base {
                    record.splice(..at, head.iter().copied());
                }
                record[0] = head[0] & EXPIRES | form_bits(form);
                *bytes = record.into_boxed_slice();
            }
            Err(large) => {
                *bytes = head.into_vec().into_boxed_slice();
                *self = Self::object(self.key(), self.expire(), self.lru(), large.into());
            }
        }
        Some(result)
    }

    /// What OBJECT ENCODING answers.
    pub(super) fn encoding(&self) -> &'static str {
        let value = self.value();
        let text = match value.encoding() {
            Some(encoding) => return encoding,
            None => value.as_str(),
        };
        match (self, text) {
            (_, Some(StrRef::Int(_))) => "int",
            (Self::Record(bytes), Some(StrRef::Raw(text)))
                if bytes[0] & EDITED == 0 && text.len() <= EMBSTR_BYTES_MAX =>
            {
                "embstr"
            }
            (_, _) => "raw",
        }
    }

    #[inline]
    pub(super) fn expire(&self) -> Option<Wall> {
        match self {
            Self::Record(bytes) => {
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
            (Self::Record(bytes), Some(at)) if bytes[0] & EXPIRES != 0 => {
                let field = &mut bytes[META_BYTES..META_BYTES + EXPIRE_BYTES];
                field.copy_from_slice(&at.as_millis().to_le_bytes());
            }
            (Self::Record(bytes), None) if bytes[0] & EXPIRES == 0 => (),
            (Self::Record(_), _) => *self = self.rebuilt(self.key(), expire),
        }
    }

    #[inline]
    pub(super) fn lru(&self) -> u32 {
        match self {
            Self::Record(bytes) => u32::from_le_bytes([bytes[1], bytes[2], bytes[3], 0]),
            Self::Object(object) => object.lru,
        }
    }

    /// Keeps the low 24 bits.
    #[inline]
    pub(super) fn set_lru(&mut self, lru: u32) {
        match self {
            Self::Record(bytes) => bytes[1..META_BYTES].copy_from_slice(&lru.to_le_bytes()[..3]),
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
            Self::Record(bytes) => {
                let text = Record::of(bytes).bytes;
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
                let Value::Str(Str::Shared(shared)) = &mut object.body else {
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
            Self::Record(bytes) => alloc_size(bytes.len()),
            Self::Object(object) => {
                alloc_size(size_of::<Object>())
                    + alloc_size(object.key.len())
                    + object.body.memory()
            }
        }
    }

    /// How many allocations freeing the value takes.
    pub(super) fn free_effort(&self) -> usize {
        match self {
            Self::Record(_) => 1,
            Self::Object(object) => object.body.free_effort(),
        }
    }

    /// The same record with another key or time of expiry.
    fn rebuilt(&self, key: &[u8], expire: Option<Wall>) -> Self {
        let Self::Record(bytes) = self else {
            unreachable!("only records have their key and time in one allocation");
        };
        let record = Record::of(bytes);
        Self::record(
            key,
            record.bytes,
            record.flags & !EXPIRES,
            expire,
            self.lru(),
        )
    }

    fn record(key: &[u8], value: &[u8], flags: u8, expire: Option<Wall>, lru: u32) -> Self {
        let (prefix, width) = varint::encode(key.len());
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
        Self::Record(bytes.into_boxed_slice())
    }
}

/// The parts of a record: flags, LRU or LFU field (3 bytes), time of expiry (8 bytes, if
/// flagged), length of the key (as [`varint`] has it), key, and the value: the text of a string,
/// or 8 bytes of a number if flagged, or the bytes of a small collection if there is a form.
struct Record<'a> {
    flags: u8,
    key: &'a [u8],
    bytes: &'a [u8],
}

impl<'a> Record<'a> {
    #[inline]
    fn of(bytes: &'a [u8]) -> Self {
        let flags = bytes[0];
        let at = META_BYTES + usize::from(flags & EXPIRES) * EXPIRE_BYTES;
        let (len, width) = varint::decode(&bytes[at..]);
        let (key, bytes) = bytes[at + width..].split_at(len);
        Self { flags, key, bytes }
    }

    #[inline]
    fn value(&self) -> ValueRef<'a> {
        match form_of(self.flags) {
            None if self.flags & INT == 0 => ValueRef::Str(StrRef::Raw(self.bytes)),
            None => {
                let number = self.bytes.first_chunk().expect("a number has eight bytes");
                ValueRef::Str(StrRef::Int(i64::from_le_bytes(*number)))
            }
            Some(form) => ValueRef::small(form, self.bytes),
        }
    }
}

/// The form of a record's collection; none if it is a string.
#[inline]
fn form_of(flags: u8) -> Option<Form> {
    match flags >> FORM_SHIFT {
        0 => None,
        1 => Some(Form::List),
        2 => Some(Form::Hash),
        3 => Some(Form::Ints),
        4 => Some(Form::Set),
        5 => Some(Form::Zset),
        _ => unreachable!("records are written by this module alone"),
    }
}

/// The flags that say so.
const fn form_bits(form: Form) -> u8 {
    let number = match form {
        Form::List => 1,
        Form::Hash => 2,
        Form::Ints => 3,
        Form::Set => 4,
        Form::Zset => 5,
    };
    number << FORM_SHIFT
}

/// Replaces the value of a record, in place if it is as long as the old one.
#[inline]
fn set_record(bytes: &mut Box<[u8]>, value: &[u8], flags: u8) {
    let old = Record::of(bytes).bytes.len();
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

/// Flags and LRU or LFU field.
const META_BYTES: usize = 4;
const EXPIRE_BYTES: usize = 8;
/// Flag: the record has a time of expiry. It is 1, so that it counts the fields.
const EXPIRES: u8 = 1;
/// Flag: the value is a number.
const INT: u8 = 2;
/// Flag: the value was edited, so that it is raw however short it is.
const EDITED: u8 = 4;
/// The flags from here on are the form of a collection.
const FORM_SHIFT: u32 = 3;
/// Room on the stack for what is in front of a value; longer keys are rare.
const HEAD_BYTES: usize = 64;
/// The longest text of the encoding embstr.
const EMBSTR_BYTES_MAX: usize = 44;
const LRU_BITS: u32 = (1 << 24) - 1;
