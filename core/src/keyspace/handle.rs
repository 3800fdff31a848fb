//! What the keyspace lends and hands out: entries to read, to write, and on their own.

use bytes::Bytes;

use super::db::{DbMut, Ttl};
use super::entry::{Content, Entry};
use crate::limits::SHARED_REPLY_BYTES;
use crate::machine::Wall;
use crate::rng::Rng;
use crate::value::table::{Location, TableEntry as _};
use crate::value::{Collection, Form, StrRef, Value, ValueRef};

/// A key and its value, to read.
#[derive(Clone, Copy, Debug)]
pub struct EntryRef<'a>(pub(super) &'a Entry);

impl<'a> EntryRef<'a> {
    /// The key.
    pub fn key(self) -> &'a [u8] {
        self.0.key()
    }

    /// The value.
    #[inline]
    pub fn value(self) -> ValueRef<'a> {
        self.0.value()
    }

    /// The bytes of a small collection, and what they are.
    pub fn small(self) -> Option<(Form, &'a [u8])> {
        self.0.small()
    }

    /// When the key expires.
    #[inline]
    pub fn expire(self) -> Option<Wall> {
        self.0.expire()
    }

    /// Whether the key has expired. It has not at the very millisecond.
    #[inline]
    pub fn is_expired(self, now: Wall) -> bool {
        self.expire().is_some_and(|at| at < now)
    }

    /// The 24 bits for the eviction policy.
    pub fn lru(self) -> u32 {
        self.0.lru()
    }

    /// What OBJECT ENCODING answers.
    pub fn encoding(self) -> &'static str {
        self.0.encoding()
    }

    /// Bytes of the entry's allocations and its place in the table.
    pub fn memory(self) -> usize {
        self.0.memory() + size_of::<Entry>()
    }

    /// A copy that belongs to no database.
    pub fn copy(self) -> Detached {
        Detached(self.0.copy())
    }
}

/// A key and its value that belong to no database.
#[derive(Debug)]
pub struct Detached(pub(super) Entry);

impl Detached {
    /// Lends it.
    pub fn as_ref(&self) -> EntryRef<'_> {
        EntryRef(&self.0)
    }

    /// The value on its own.
    pub fn into_value(self) -> Value {
        self.0.into_value()
    }
}

/// The place of a key.
pub enum Slot<'a, 'k> {
    /// It is there.
    Taken(EntryMut<'a>),
    /// It is not.
    Vacant(Vacant<'a, 'k>),
}

/// The place of a key that is not there.
pub struct Vacant<'a, 'k> {
    pub(super) db: DbMut<'a>,
    pub(super) hash: u64,
    pub(super) key: &'k [u8],
}

impl<'a> Vacant<'a, '_> {
    /// Puts a string there.
    #[inline]
    pub fn set_str(self, text: &[u8], expire: Option<Wall>) -> EntryMut<'a> {
        self.insert_content(Content::text(text), expire)
    }

    /// Puts a string there, sharing the bytes if they are many.
    pub fn set_bytes(self, bytes: &Bytes, expire: Option<Wall>) -> EntryMut<'a> {
        self.insert_content(Content::bytes(bytes), expire)
    }

    /// Puts a number there.
    #[inline]
    pub fn set_int(self, number: i64, expire: Option<Wall>) -> EntryMut<'a> {
        self.insert_content(Content::Int(number), expire)
    }

    /// Puts any value there.
    pub fn insert(self, mut value: Value, expire: Option<Wall>) -> EntryMut<'a> {
        self.insert_content(Content::value(&mut value), expire)
    }

    #[inline]
    pub(super) fn insert_content(
        mut self,
        content: Content<'_>,
        expire: Option<Wall>,
    ) -> EntryMut<'a> {
        let entry = Entry::new(self.key, content, expire, self.db.shared.usage.fresh());
        let at = self.db.insert_new(self.hash, entry);
        EntryMut::new(self.db, at)
    }
}

/// A key and its value, to write.
pub struct EntryMut<'a> {
    db: DbMut<'a>,
    at: Location,
    /// The memory accounted for; none once the entry is gone.
    accounted: Option<usize>,
}

impl<'a> EntryMut<'a> {
    #[inline]
    pub(super) fn new(db: DbMut<'a>, at: Location) -> Self {
        let accounted = Some(db.entry(at).memory());
        Self { db, at, accounted }
    }

    /// Sets the value to a string.
    #[inline]
    pub fn set_str(&mut self, text: &[u8], ttl: Ttl) {
        self.set_content(Content::text(text), ttl);
    }

    /// Sets the value to a string, sharing the bytes if they are many.
    pub fn set_bytes(&mut self, bytes: &Bytes, ttl: Ttl) {
        self.set_content(Content::bytes(bytes), ttl);
    }

    /// Sets the value to a number.
    #[inline]
    pub fn set_int(&mut self, number: i64, ttl: Ttl) {
        self.set_content(Content::Int(number), ttl);
    }

    /// Sets the value.
    pub fn set_value(&mut self, mut value: Value, ttl: Ttl) {
        self.set_content(Content::value(&mut value), ttl);
    }

    /// Lends the string for a change, if it is one.
    #[inline]
    pub fn str_mut(&mut self) -> Option<StrMut<'_>> {
        let entry = self.db.entry_mut(self.at);
        entry.value().as_str().is_some().then_some(StrMut(entry))
    }

    /// Lends the value for a change, if it is a collection of this kind. One that becomes empty
    /// is for the caller to remove.
    #[inline]
    pub fn edit<T: Collection, R>(&mut self, change: impl FnOnce(&mut T) -> R) -> Option<R> {
        self.value().as_collection::<T>()?;
        self.db.entry_mut(self.at).edit(change)
    }

    /// Sets or clears the time of expiry.
    pub fn set_expire(&mut self, expire: Option<Wall>) {
        self.db.replace_expire(self.at, expire);
    }

    /// Counts a use.
    #[inline]
    pub fn count_use(&mut self, rng: &mut Rng) {
        let usage = self.db.shared.usage;
        let entry = self.db.entry_mut(self.at);
        entry.set_lru(usage.used(entry.lru(), rng));
    }

    /// Counts it as new.
    pub fn renew_usage(&mut self) {
        let fresh = self.db.shared.usage.fresh();
        self.db.entry_mut(self.at).set_lru(fresh);
    }

    /// Takes over when it was last used, or how often it was, if it is that what is kept.
    pub fn restore_usage(&mut self, idle_secs: Option<u64>, freq: Option<u8>) {
        if let Some(lru) = self.db.shared.usage.restored(idle_secs, freq) {
            self.db.entry_mut(self.at).set_lru(lru);
        }
    }

    /// Takes the key with all it has out of the database.
    pub fn remove(mut self) -> Detached {
        Detached(self.take())
    }

    /// Removes the key, freeing a long value by and by.
    pub fn delete(mut self) {
        let detached = Detached(self.take());
        self.db.discard(detached);
    }

    /// Lends it for reading.
    #[inline]
    pub fn as_ref(&self) -> EntryRef<'_> {
        EntryRef(self.db.entry(self.at))
    }

    /// The key.
    pub fn key(&self) -> &[u8] {
        self.as_ref().key()
    }

    /// The value.
    #[inline]
    pub fn value(&self) -> ValueRef<'_> {
        self.as_ref().value()
    }

    /// When the key expires.
    #[inline]
    pub fn expire(&self) -> Option<Wall> {
        self.as_ref().expire()
    }

    /// Whether the key has expired. It has not at the very millisecond.
    #[inline]
    pub fn is_expired(&self, now: Wall) -> bool {
        self.as_ref().is_expired(now)
    }

    fn take(&mut self) -> Entry {
        self.settle();
        self.db.take(self.at)
    }

    /// Accounts for the entry's memory as it has become.
    #[inline]
    fn settle(&mut self) {
        if let Some(before) = self.accounted.take() {
            self.db.settle(self.at, before);
        }
    }

    #[inline]
    pub(super) fn set_content(&mut self, content: Content<'_>, ttl: Ttl) {
        self.db.replace_content(self.at, content, ttl);
    }
}

impl Drop for EntryMut<'_> {
    #[inline]
    fn drop(&mut self) {
        self.settle();
    }
}

/// A string, to write. It keeps its time of expiry.
#[derive(Debug)]
pub struct StrMut<'a>(&'a mut Entry);

impl StrMut<'_> {
    /// The string as it is.
    #[inline]
    pub fn get(&self) -> StrRef<'_> {
        let text = self.0.value().as_str();
        text.expect("only a string is lent as one")
    }

    /// Sets it to a number.
    #[inline]
    pub fn set_int(&mut self, number: i64) {
        self.0.set_content(Content::Int(number));
    }

    /// Sets it to a text.
    #[inline]
    pub fn set(&mut self, text: &[u8]) {
        self.0.set_content(Content::text(text));
    }

    /// Sets it to a text of fewer than [`SHARED_REPLY_BYTES`] that stays one, even if it looks
    /// like a number.
    pub fn set_text(&mut self, text: &[u8]) {
        assert!(
            text.len() < SHARED_REPLY_BYTES,
            "only short texts lie with their keys"
        );
        self.0.set_content(Content::Short(text, false));
    }

    /// Sets it to a text that an edit made: raw, even if it looks like a number.
    pub fn set_raw(&mut self, text: &[u8]) {
        self.0.set_content(Content::raw(text));
    }

    /// Lends its bytes to change them in place, with zeros added until there are `least`. The
    /// caller bounds the length.
    pub fn edit<R>(&mut self, least: usize, edit: impl FnOnce(&mut [u8]) -> R) -> R {
        self.0.edit_text(least, edit)
    }

    /// Adds bytes at its end and returns its new length.
    pub fn append(&mut self, tail: &[u8]) -> usize {
        let len = self.get().len();
        self.0.write_at(len, tail)
    }

    /// Overwrites bytes from `offset` on, with zeros in front of them if it is shorter, and
    /// returns its new length. The caller bounds the length.
    pub fn set_range(&mut self, offset: usize, with: &[u8]) -> usize {
        self.0.write_at(offset, with)
    }
}
