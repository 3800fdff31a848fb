//! What a command works with.

use super::fail::Fail;
use super::table::CommandId;
use crate::config::NotifyFlags as Class;
use crate::keyspace::{Detached, EntryMut, EntryRef, Keyspace, Slot, Ttl};
use crate::machine::{ConnId, Wall};
use crate::resp::{ArgvRef, Reply};
use crate::server::client::{Client, ClientFlags};
use crate::server::state::State;
use crate::value::{Collection, IntText, Shape, StrRef, Value};
use bytes::Bytes;
use std::borrow::Cow;

/// The context of one command: its reply, and the data it may touch.
pub struct Cx<'a> {
    /// The reply, in the client's protocol.
    pub out: Reply<'a>,
    /// The keys and all else of the server.
    pub data: Data<'a>,
    /// The command that runs.
    pub id: CommandId,
}

/// The dataset as one command sees it: one database, one moment, one origin.
pub struct Data<'a> {
    /// All databases.
    pub keys: &'a mut Keyspace,
    /// Everything of the server but its keys.
    pub st: &'a mut State,
    /// The connection that sent the command.
    pub conn: ConnId,
    /// The selected database.
    pub db: usize,
    /// Where the command comes from.
    pub origin: Origin,
}

/// Where a command comes from. The only thing in which the ways to execute one differ.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Origin {
    /// A client of ours.
    Client,
    /// The stream of our master.
    Master,
    /// The append-only file being loaded.
    Log,
}

impl Origin {
    /// By what the client is.
    pub fn of(flags: ClientFlags) -> Self {
        if flags.has(ClientFlags::MASTER) {
            Self::Master
        } else if flags.has(ClientFlags::LOADER) {
            Self::Log
        } else {
            Self::Client
        }
    }
}

/// Replies with a string, or with null if there is none.
#[inline]
pub fn write_string(out: &mut Reply<'_>, found: Option<StrRef<'_>>) {
    match found {
        None => out.null(),
        Some(StrRef::Raw(bytes)) => out.bulk(bytes),
        Some(StrRef::Int(number)) => out.bulk_int(number),
        Some(StrRef::Shared(bytes)) => out.bulk_shared(bytes),
    }
}

impl Cx<'_> {
    /// The session that sent the command.
    pub fn client(&mut self) -> &mut Client {
        self.data.st.client_mut(self.data.conn)
    }

    /// Replies with an error and counts it.
    pub fn fail(&mut self, fail: &Fail) {
        let text = fail.text();
        self.data.st.stats.count_error(&code_of(&text));
        self.out.error_bytes(&text);
    }

    /// The wall clock, which stands still while a unit runs.
    pub fn wall(&self) -> Wall {
        self.data.st.now.wall
    }

    /// The command changed something but does not go to replicas and the log as it came; what
    /// does is pushed by [`push`](Self::push).
    pub fn replace(&mut self) {
        self.data.st.unit.replace();
    }

    /// Sends an operation to replicas and the log.
    pub fn push(&mut self, args: &[&[u8]]) {
        self.data.st.feed(self.data.db, args.iter().copied());
    }

    /// Sends a command that changes no key, as it came.
    pub fn propagate_unchanged(&mut self, argv: ArgvRef<'_>) {
        self.replace();
        self.data.st.feed(self.data.db, argv.iter());
    }

    /// Sends this instead of the command as it came.
    pub fn propagate_as(&mut self, args: &[&[u8]]) {
        self.replace();
        self.push(args);
    }
}

/// The first word of an error, under which it is counted.
pub fn code_of(text: &[u8]) -> Cow<'_, str> {
    let end = memchr::memchr(b' ', text).unwrap_or(text.len());
    String::from_utf8_lossy(&text[..end])
}

impl Data<'_> {
    /// Finds a key to read it. Expired keys are missing, and are removed if that is our right.
    pub fn read(&mut self, key: &[u8]) -> Option<EntryRef<'_>> {
        let counts = self.counts_as_use();
        self.find(key, counts)
    }

    /// As [`read`](Self::read), without counting that as use of the key.
    pub fn inspect(&mut self, key: &[u8]) -> Option<EntryRef<'_>> {
        self.find(key, false)
    }

    /// As [`read`](Self::read), counting that as use even for a client that wants no key touched.
    pub fn use_key(&mut self, key: &[u8]) -> Option<EntryRef<'_>> {
        self.find(key, true)
    }

    fn find(&mut self, key: &[u8], counts_as_use: bool) -> Option<EntryRef<'_>> {
        self.expire_if_due(key);
        let (now, hides) = (self.st.now.wall, self.hides_expired());
        let rng = counts_as_use.then_some(&mut self.st.rng);
        let found = self.keys.db_mut(self.db).access(key, rng);
        let shown = found.filter(|entry| !(hides && entry.is_expired(now)));
        if shown.is_some() {
            self.st.stats.hits += 1;
        } else {
            self.st.stats.misses += 1;
            self.st.notify(Class::KEY_MISS, "keymiss", self.db, key);
        }
        shown
    }

    fn counts_as_use(&self) -> bool {
        !self.st.client(self.conn).flags.has(ClientFlags::NO_TOUCH)
    }

    /// Finds a key to look at it, which counts neither as use nor as a look-up.
    pub fn read_untouched(&mut self, key: &[u8]) -> Option<EntryRef<'_>> {
        self.expire_if_due(key);
        let (now, hides) = (self.st.now.wall, self.hides_expired());
        let found = self.keys.db(self.db).get(key);
        found.filter(|entry| !(hides && entry.is_expired(now)))
    }

    /// Finds a string to read it.
    #[inline]
    pub fn read_str(&mut self, key: &[u8]) -> Result<Option<StrRef<'_>>, Fail> {
        let found = self.read(key);
        found
            .map(|entry| entry.value().as_str().ok_or(Fail::WrongType))
            .transpose()
    }

    /// Finds a string that is about to be changed, which counts as no look-up.
    pub fn held_str(&mut self, key: &[u8]) -> Result<Option<StrRef<'_>>, Fail> {
        let found = self.read_untouched(key);
        found
            .map(|entry| entry.value().as_str().ok_or(Fail::WrongType))
            .transpose()
    }

    /// Finds a collection to read it.
    #[inline]
    pub fn lend<T: Collection>(&mut self, key: &[u8]) -> Result<Option<T::Ref<'_>>, Fail> {
        let found = self.read(key);
        found
            .map(|entry| entry.value().as_collection::<T>().ok_or(Fail::WrongType))
            .transpose()
    }

    /// As [`lend`](Self::lend), with all else of the server: its generator draws elements.
    pub fn lend_with_state<T: Collection>(
        &mut self,
        key: &[u8],
    ) -> Result<Option<(T::Ref<'_>, &mut State)>, Fail> {
        let is_there = self.lend::<T>(key)?.is_some();
        Ok(self.with_state::<T>(key).filter(|_| is_there))
    }

    /// As [`peek`](Self::peek), with all else of the server.
    pub fn peek_with_state<T: Collection>(
        &mut self,
        key: &[u8],
    ) -> Result<Option<(T::Ref<'_>, &mut State)>, Fail> {
        let is_there = self.peek::<T>(key)?.is_some();
        Ok(self.with_state::<T>(key).filter(|_| is_there))
    }

    fn with_state<T: Collection>(&mut self, key: &[u8]) -> Option<(T::Ref<'_>, &mut State)> {
        let found = self.keys.db(self.db).get(key)?;
        Some((found.value().as_collection::<T>()?, &mut *self.st))
    }

    /// Finds a collection that is about to be changed, which does not count as reading it.
    pub fn peek<T: Collection>(&mut self, key: &[u8]) -> Result<Option<T::Ref<'_>>, Fail> {
        let found = self.read_untouched(key);
        found
            .map(|entry| entry.value().as_collection::<T>().ok_or(Fail::WrongType))
            .transpose()
    }

    /// Finds a key to change it.
    pub fn write(&mut self, key: &[u8]) -> Option<EntryMut<'_>> {
        match self.slot(key) {
            Slot::Taken(entry) => Some(entry),
            Slot::Vacant(_) => None,
        }
    }

    /// The place of a key that is about to be changed or made.
    fn slot<'k>(&mut self, key: &'k [u8]) -> Slot<'_, 'k> {
        self.expire_to_write(key);
        let counts = self.counts_as_use();
        let mut slot = self.keys.db_mut(self.db).into_slot(key);
        if let Slot::Taken(entry) = &mut slot
            && counts
        {
            entry.count_use(&mut self.st.rng);
        }
        slot
    }

    /// Tells subscribers of keyspace events that a key was made.
    fn created(&mut self, key: &[u8]) {
        self.st.notify(Class::NEW, "new", self.db, key);
    }

    /// Whether a key is there.
    pub fn exists(&mut self, key: &[u8]) -> bool {
        self.read_untouched(key).is_some()
    }

    /// Sets a key to a string, sharing the bytes if they came in a buffer of their own.
    pub fn set_str(&mut self, key: &[u8], shared: Option<&Bytes>, text: &[u8], ttl: Ttl) {
        self.note_expiry(key, ttl.apply(None));
        match (self.slot(key), shared) {
            (Slot::Taken(mut entry), Some(bytes)) => return entry.set_bytes(bytes, ttl),
            (Slot::Taken(mut entry), None) => return entry.set_str(text, ttl),
            (Slot::Vacant(place), Some(bytes)) => drop(place.set_bytes(bytes, ttl.apply(None))),
            (Slot::Vacant(place), None) => drop(place.set_str(text, ttl.apply(None))),
        }
        self.created(key);
    }

    /// Puts a value under a key that is not there.
    pub fn insert(&mut self, key: &[u8], value: Value, ttl: Ttl) {
        self.note_expiry(key, ttl.apply(None));
        self.keys.db_mut(self.db).insert(key, value, ttl);
        self.created(key);
    }

    /// Sets a key to a value, whatever was there; it does not expire.
    pub fn set_value(&mut self, key: &[u8], value: Value) {
        match self.slot(key) {
            Slot::Taken(mut entry) => return entry.set_value(value, Ttl::Clear),
            Slot::Vacant(place) => drop(place.insert(value, None)),
        }
        self.created(key);
    }

    /// Stores what a command has made, which counts as so many changes; if that is empty, what was
    /// there is removed.
    pub fn store<T: Collection>(
        &mut self,
        key: &[u8],
        collection: T,
        changes: u64,
        class: Class,
        event: &str,
    ) {
        if !collection.is_empty() {
            self.set_value(key, collection.into());
            self.changed_by(changes, key, class, event);
        } else if self.exists(key) {
            self.remove(key);
            self.changed(key, Class::GENERIC, "del");
        }
    }

    /// Adds to the integer a key holds, or to 0.
    pub fn add_int(&mut self, key: &[u8], by: i64) -> Result<i64, Fail> {
        match self.slot(key) {
            Slot::Taken(mut entry) => {
                let text = entry.value().as_str().ok_or(Fail::WrongType)?;
                let before = text.as_int().ok_or(Fail::NotInteger)?;
                let sum = before.checked_add(by).ok_or(Fail::Overflow)?;
                entry.set_int(sum, Ttl::Keep);
                return Ok(sum);
            }
            Slot::Vacant(place) => drop(place.set_int(by, None)),
        }
        self.created(key);
        Ok(by)
    }

    /// Changes the string a key holds, or an empty one.
    pub fn edit_str<R>(
        &mut self,
        key: &[u8],
        edit: impl FnOnce(&mut crate::keyspace::StrMut<'_>) -> R,
    ) -> Result<R, Fail> {
        let (mut entry, made) = match self.slot(key) {
            Slot::Taken(entry) => (entry, false),
            Slot::Vacant(place) => (place.set_str(b"", None), true),
        };
        let mut text = entry.str_mut().ok_or(Fail::WrongType)?;
        let result = edit(&mut text);
        drop(entry);
        if made {
            self.created(key);
        }
        Ok(result)
    }

    /// Changes the collection a key holds; one that was left empty goes with its key. If there is
    /// none it is made on demand, or nothing is done.
    pub fn edit<T: Collection, R>(
        &mut self,
        key: &[u8],
        make: bool,
        change: impl FnOnce(&mut T, &Shape) -> R,
    ) -> Result<Option<R>, Fail> {
        let shape = self.st.shape;
        let (result, made) = match self.slot(key) {
            Slot::Taken(mut entry) => {
                let result = entry.edit::<T, _>(|collection| {
                    let result = change(collection, &shape);
                    (result, collection.is_empty())
                });
                let (result, empty) = result.ok_or(Fail::WrongType)?;
                if empty {
                    entry.delete();
                }
                return Ok(Some(result));
            }
            Slot::Vacant(_) if !make => return Ok(None),
            Slot::Vacant(place) => {
                let mut collection = T::default();
                let result = change(&mut collection, &shape);
                let made = !collection.is_empty();
                if made {
                    drop(place.insert(collection.into(), None));
                }
                (result, made)
            }
        };
        if made {
            self.created(key);
        }
        Ok(Some(result))
    }

    /// Deletes a key; its value is freed in slices if it is large.
    pub fn remove(&mut self, key: &[u8]) -> bool {
        self.keys.db_mut(self.db).delete(key)
    }

    /// Takes a key out, with all it has.
    pub fn take(&mut self, key: &[u8]) -> Option<Detached> {
        self.keys.db_mut(self.db).remove(key)
    }

    /// Puts in what was taken out, under any name.
    pub fn put(&mut self, key: &[u8], detached: Detached) {
        self.note_expiry(key, detached.as_ref().expire());
        self.keys.db_mut(self.db).put(key, detached);
        self.created(key);
    }

    /// Does something in another database.
    pub fn in_db<R>(&mut self, db: usize, act: impl FnOnce(&mut Self) -> R) -> R {
        let before = core::mem::replace(&mut self.db, db);
        let result = act(self);
        self.db = before;
        result
    }

    /// Notes that a key's value changed: for replicas, watchers and subscribers of keyspace
    /// events.
    pub fn changed(&mut self, key: &[u8], class: Class, event: &str) {
        self.changed_by(1, key, class, event);
    }

    /// As [`changed`](Self::changed), for several changes at once.
    pub fn changed_by(&mut self, count: u64, key: &[u8], class: Class, event: &str) {
        self.changed_quietly(count, key);
        self.st.notify(class, event, self.db, key);
    }

    /// As [`changed_by`](Self::changed_by), for changes that are no event.
    pub fn changed_quietly(&mut self, count: u64, key: &[u8]) {
        self.st.unit.changed(count);
        self.st.touch_watched(self.db, key);
    }

    /// Tells subscribers of keyspace events.
    pub fn notify(&mut self, class: Class, event: &str, key: &[u8]) {
        self.st.notify(class, event, self.db, key);
    }

    /// Whether this server decides when keys expire, at this moment and for this command.
    pub fn may_expire(&self) -> bool {
        self.origin == Origin::Client && self.st.decides_expiry()
    }

    /// Whether keys whose time has come are missing for the command. The stream of the master
    /// says itself what is gone, and so does the append-only file.
    pub fn hides_expired(&self) -> bool {
        self.origin == Origin::Client
    }

    /// The moment by which keys have expired for the command.
    pub fn now_for_expiry(&self) -> Wall {
        if self.hides_expired() {
            self.st.now.wall
        } else {
            Wall::from_millis(i64::MIN)
        }
    }

    fn expire_if_due(&mut self, key: &[u8]) {
        let any = self.keys.db(self.db).expires() > 0;
        if any && self.may_expire() && self.has_expired(self.db, key) {
            self.st.delete_expired(self.keys, self.db, key);
        }
    }

    /// As [`expire_if_due`](Self::expire_if_due), before a command changes the key. A writable
    /// replica deletes it too, or its clients would go on with what they can't see.
    fn expire_to_write(&mut self, key: &[u8]) {
        if self.keys.db(self.db).expires() == 0 || self.origin != Origin::Client {
            return;
        }
        let may = self.st.decides_expiry() || self.st.decides_own_expiry();
        if may && self.has_expired(self.db, key) {
            self.st.delete_expired(self.keys, self.db, key);
        }
    }

    /// Remembers when a key expires that a client of a writable replica has made.
    fn note_expiry(&mut self, key: &[u8], at: Option<Wall>) {
        if let Some(at) = at.filter(|_| self.origin == Origin::Client && self.st.is_replica()) {
            self.st.own_expiry.remember(self.db, key, at);
        }
    }

    /// Sets when a key that is there expires.
    pub fn set_expire(&mut self, key: &[u8], at: Wall) {
        self.note_expiry(key, Some(at));
        self.keys.db_mut(self.db).set_expire(key, Some(at));
    }

    /// Deletes keys that were found to have expired, if that is our right.
    pub fn delete_all_expired(&mut self, keys: &[Box<[u8]>]) {
        if self.may_expire() {
            for key in keys {
                self.st.delete_expired(self.keys, self.db, key);
            }
            self.end_deletions();
        }
    }

    /// Lets what has expired go to replicas by itself, not wrapped as if it belonged together,
    /// unless it stands among the commands of a transaction.
    fn end_deletions(&mut self) {
        if !self.st.client(self.conn).flags.has(ClientFlags::EXECUTING) {
            self.st.end_batch();
        }
    }

    /// Whether a key is there but its time has come.
    pub fn has_expired(&self, db: usize, key: &[u8]) -> bool {
        self.keys
            .db(db)
            .get(key)
            .is_some_and(|entry| entry.is_expired(self.st.now.wall))
    }

    /// Whether a key the client watches has expired since: that counts as a change, though
    /// nobody may have noticed it yet.
    pub fn watched_expired(&self) -> bool {
        let watched = self.st.watch.of(self.conn);
        watched
            .iter()
            .any(|w| !w.was_expired && self.has_expired(w.db, &w.key))
    }

    /// Deletes every key of a database, telling those who watch one of them.
    pub fn flush(&mut self, db: usize) {
        self.replace_watched(db, None);
        self.st.blocked.keys.note_db(db);
        let count = self.keys.flush(db) as u64;
        self.st.unit.changed(count);
    }

    /// Exchanges two databases, telling those who watch a key of either.
    pub fn swap(&mut self, one: usize, other: usize) {
        self.replace_watched(one, Some(other));
        self.replace_watched(other, Some(one));
        self.st.blocked.keys.note_db(one);
        self.st.blocked.keys.note_db(other);
        self.keys.swap(one, other);
        self.st.unit.changed(1);
    }

    /// Tells those who watch a key of a database that the keys of another one, or none at all,
    /// are about to stand in their place. A key that had expired and is gone, or has expired
    /// there as well, has not changed (db.c, touchAllWatchedKeysInDb).
    fn replace_watched(&mut self, db: usize, with: Option<usize>) {
        let (mut touched, mut expired) = (Vec::new(), Vec::new());
        for (key, conns) in self.st.watch.in_db(db) {
            let was = self.keys.db(db).contains(key);
            let will = with.is_some_and(|with| self.keys.db(with).contains(key));
            if !was && !will {
                continue;
            }
            let stale = with.is_some_and(|with| self.has_expired(with, key));
            for &conn in conns {
                let had = self.st.watch.had_expired(conn, db, key);
                if had && !will {
                    expired.push((conn, key.to_vec(), false));
                } else if !had && !was && stale {
                    expired.push((conn, key.to_vec(), true));
                } else if !(had && stale) {
                    touched.push(conn);
                }
            }
        }
        for (conn, key, has) in expired {
            self.st.watch.set_expired(conn, db, &key, has);
        }
        self.st.dirty_watchers(&touched);
    }

    /// Some key that has not expired.
    pub fn random_key(&mut self) -> Option<Box<[u8]>> {
        /// Where nothing but expired keys may be left, one of them is shown in the end, as
        /// Redis does (db.c, dbRandomKey).
        const TRIES: usize = 100;
        let now = self.now_for_expiry();
        let mut last = None;
        for _ in 0..TRIES {
            let entry = self.keys.db(self.db).random(&mut self.st.rng)?;
            let key: Box<[u8]> = entry.key().into();
            if !entry.is_expired(now) {
                return Some(key);
            }
            if self.may_expire() {
                self.st.delete_expired(self.keys, self.db, &key);
                self.end_deletions();
            }
            last = Some(key);
        }
        last
    }
}

/// The bytes of a string, those of a number written into `scratch`.
pub fn bytes_of<'a>(text: StrRef<'a>, scratch: &'a mut IntText) -> &'a [u8] {
    text.text(scratch)
}
