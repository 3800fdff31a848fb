//! Putting what RDB data says into a keyspace.

use core::fmt;
use std::collections::VecDeque;

use bytes::Bytes;

use super::LoadFault;
use super::batch::{Batch, Taken};
use crate::keyspace::{DbMut, Keyspace, Slot};
use crate::limits::WARM_DB_KEYS_MIN;
use crate::machine::Wall;
use crate::persist::rdb::{Decoder, Item, KeyMeta, ReplPoint};
use crate::value::{Value, parse_int};

/// Puts items into a keyspace and remembers what they say of the whole.
#[derive(Debug)]
pub struct Intake {
    now: Wall,
    expired: Expired,
    /// Keys that were dropped, to be told.
    dropped: VecDeque<(usize, Box<[u8]>)>,
    db: usize,
    announced: Announced,
    /// Empty between calls.
    batch: Batch,
    loaded: Loaded,
    stream_db: Option<i32>,
    repl_id: Option<[u8; 40]>,
    repl_offset: Option<u64>,
}

/// What becomes of keys that have expired already.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Expired {
    /// They are loaded, as replicas do: the master will delete them.
    Keep,
    /// They are not, as masters do.
    Drop,
    /// They are not, and [`Intake::poll_dropped`] tells them, for the replicas to be told.
    DropAndTell,
}

/// What came of a load.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Loaded {
    /// Keys put into the keyspace.
    pub keys: u64,
    /// Keys that had expired and were dropped.
    pub expired: u64,
    /// Keys without elements, which were skipped.
    pub empty: u64,
    /// The memory of the dataset when it was written (`loading_rdb_used_mem`).
    pub used_memory: u64,
    /// Whether the data is the base of an append-only file.
    pub aof_base: bool,
    /// The sources of function libraries.
    pub functions: Vec<Bytes>,
}

impl Loaded {
    /// Keys put into the keyspace, and keys that had expired and were dropped.
    #[must_use]
    pub fn counts(&self) -> (u64, u64) {
        (self.keys, self.expired)
    }
}

/// Why an item can't be put into the keyspace.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum IntakeFault {
    /// There are not so many databases.
    NoSuchDb {
        /// The one that was selected.
        db: u32,
        /// How many there are.
        databases: usize,
    },
    /// The same key came twice in one database. The log says which.
    DuplicateKey {
        /// The database.
        db: usize,
    },
}

/// How many keys a database is said to get.
///
/// A table that is made for them in time need not look at every key again as it grows. It is
/// believed in steps, by the keys that have come: what is said costs no memory.
#[derive(Clone, Copy, Debug)]
struct Announced {
    keys: u64,
    /// With how many keys the next step is taken.
    spread_at: usize,
}

impl Announced {
    const NOTHING: Self = Self {
        keys: 0,
        spread_at: usize::MAX,
    };

    const fn new(keys: u64) -> Self {
        Self {
            keys,
            spread_at: SPREAD_KEYS_MIN,
        }
    }

    fn spread(&mut self, db: &mut DbMut<'_>) {
        let len = db.len();
        let room = self.keys <= len as u64 * ROOM_TRUST;
        db.spread(self.keys.min(len as u64 * TRUST), room);
        self.spread_at = if room { usize::MAX } else { len * 2 };
    }
}

/// With fewer keys nothing is gained.
const SPREAD_KEYS_MIN: usize = 1024;
/// For each key that has come so many are believed to come: segments that stay empty take a third
/// of a byte for each.
const TRUST: u64 = 64;
/// For so many there is to be room at once, which takes 20 bytes for each.
const ROOM_TRUST: u64 = 8;

impl Intake {
    /// Starts in database 0.
    #[must_use]
    pub fn new(now: Wall, expired: Expired) -> Self {
        Self {
            now,
            expired,
            dropped: VecDeque::new(),
            db: 0,
            announced: Announced::NOTHING,
            batch: Batch::default(),
            loaded: Loaded::default(),
            stream_db: None,
            repl_id: None,
            repl_offset: None,
        }
    }

    /// Puts what a decoder has into a keyspace, no more than so many keys, which it counts down;
    /// whether it took all that there is. What came before a fault is in the keyspace.
    pub fn take_from(
        &mut self,
        decoder: &mut Decoder,
        keyspace: &mut Keyspace,
        keys: &mut usize,
    ) -> Result<bool, LoadFault> {
        let mut all = false;
        while !all && *keys > 0 {
            let offset = decoder.offset();
            let item = match decoder.next() {
                Ok(Some(Item::Key { key, value, meta })) => {
                    *keys -= 1;
                    self.take_key(key, value, meta, offset);
                    if self.batch.is_full() {
                        self.settle(keyspace)?;
                    }
                    continue;
                }
                Ok(item) => Ok(item),
                Err(fault) => Err(LoadFault::Rdb(fault)),
            };
            self.settle(keyspace)?;
            let item = item?;
            all = matches!(item, None | Some(Item::Eof));
            if let Some(item) = item {
                let taken = self.take(keyspace, item);
                taken.map_err(|fault| LoadFault::Intake { fault, offset })?;
            }
        }
        self.settle(keyspace)?;
        Ok(all)
    }

    /// Takes anything but a key.
    fn take(&mut self, keyspace: &Keyspace, item: Item<'_>) -> Result<(), IntakeFault> {
        match item {
            Item::Key { .. } => unreachable!("keys wait for each other"),
            Item::SelectDb(db) => self.select(keyspace, db)?,
            Item::Aux { name, value } => self.take_aux(name, value),
            Item::EmptyKey { key } => self.skip_empty(key),
            Item::Function { library } => {
                if self.loaded.functions.is_empty() {
                    tracing::warn!(
                        "The RDB file has functions, which can't be called here. They are kept \
                         for the files and replicas to come."
                    );
                }
                self.loaded.functions.push(Bytes::copy_from_slice(library));
            }
            Item::ModuleAux { module } => {
                let module = module.escape_ascii();
                tracing::warn!(
                    "The RDB file contains AUX module data I can't load: no matching module \
                     '{module}'. It was skipped."
                );
            }
            Item::ResizeDb { keys, .. } => self.announced = Announced::new(keys),
            Item::Eof => self.log_end(),
        }
        Ok(())
    }

    /// The next key that was dropped because it had expired, with its database.
    #[must_use]
    pub fn poll_dropped(&mut self) -> Option<(usize, Box<[u8]>)> {
        self.dropped.pop_front()
    }

    /// What was loaded so far.
    #[must_use]
    pub fn loaded(&self) -> &Loaded {
        &self.loaded
    }

    /// The same, to take the functions from.
    pub fn loaded_mut(&mut self) -> &mut Loaded {
        &mut self.loaded
    }

    /// Where in a replication stream the data belongs, if it says so in full.
    #[must_use]
    pub fn repl_point(&self) -> Option<ReplPoint> {
        Some(ReplPoint {
            stream_db: self.stream_db?,
            id: self.repl_id?,
            offset: self.repl_offset?,
        })
    }

    fn select(&mut self, keyspace: &Keyspace, db: u32) -> Result<(), IntakeFault> {
        let databases = keyspace.dbs().len();
        let index = usize::try_from(db).ok().filter(|&index| index < databases);
        self.db = index.ok_or(IntakeFault::NoSuchDb { db, databases })?;
        self.announced = Announced::NOTHING;
        Ok(())
    }

    fn take_key(&mut self, key: &[u8], value: Value, meta: KeyMeta, offset: u64) {
        let expire = meta.expire_ms.map(Wall::from_millis);
        if self.expired == Expired::Keep || expire.is_none_or(|at| at >= self.now) {
            self.batch.push(key, value, meta, offset);
            return;
        }
        self.loaded.expired += 1;
        if self.expired == Expired::DropAndTell {
            self.dropped.push_back((self.db, key.into()));
        }
    }

    /// Puts the keys that wait into the keyspace.
    fn settle(&mut self, keyspace: &mut Keyspace) -> Result<(), LoadFault> {
        if self.batch.is_empty() {
            return Ok(());
        }
        let mut db = keyspace.db_mut(self.db);
        if db.len() >= self.announced.spread_at {
            self.announced.spread(&mut db);
        }
        if db.len() >= WARM_DB_KEYS_MIN {
            db.warm_room(&self.batch.keys());
        }
        for Taken {
            key,
            value,
            meta,
            offset,
        } in self.batch.drain()
        {
            let Slot::Vacant(vacant) = db.slot(key) else {
                let (key, db) = (key.escape_ascii(), self.db);
                tracing::warn!("RDB has duplicated key '{key}' in DB {db}");
                let fault = IntakeFault::DuplicateKey { db };
                return Err(LoadFault::Intake { fault, offset });
            };
            let mut entry = vacant.insert(value, meta.expire_ms.map(Wall::from_millis));
            entry.restore_usage(meta.idle_secs, meta.freq);
            self.loaded.keys += 1;
        }
        Ok(())
    }

    fn take_aux(&mut self, name: &[u8], value: &[u8]) {
        let text = value.escape_ascii();
        let number = parse_int(value);
        match name {
            b"repl-stream-db" => self.stream_db = number.and_then(|db| i32::try_from(db).ok()),
            b"repl-id" => self.repl_id = value.try_into().ok(),
            b"repl-offset" => {
                self.repl_offset = number.and_then(|offset| u64::try_from(offset).ok());
            }
            b"redis-ver" => tracing::info!("Loading RDB produced by version {text}"),
            b"ctime" => {
                let age = self
                    .now
                    .as_secs()
                    .saturating_sub(number.unwrap_or(0))
                    .max(0);
                tracing::info!("RDB age {age} seconds");
            }
            b"used-mem" => {
                self.loaded.used_memory = number.and_then(|n| u64::try_from(n).ok()).unwrap_or(0);
                let mega = self.loaded.used_memory / 1024 * 100 / 1024;
                let (whole, rest) = (mega / 100, mega % 100);
                tracing::info!("RDB memory usage when created {whole}.{rest:02} Mb");
            }
            b"aof-base" => {
                self.loaded.aof_base = number == Some(1);
                if self.loaded.aof_base {
                    tracing::info!("RDB is base AOF");
                }
            }
            // Scripts of Redis before 7.0 are not loaded, nor are they by Redis 7.0.
            b"redis-bits" | b"aof-preamble" | b"lua" => {}
            _ => {
                let name = name.escape_ascii();
                tracing::trace!("Unrecognized RDB AUX field: '{name}'");
            }
        }
    }

    fn log_end(&self) {
        let Loaded {
            keys,
            expired,
            empty,
            ..
        } = self.loaded;
        if empty > 0 {
            tracing::info!(
                "Done loading RDB, keys loaded: {keys}, keys expired: {expired}, empty keys \
                 skipped: {empty}."
            );
        } else {
            tracing::info!("Done loading RDB, keys loaded: {keys}, keys expired: {expired}.");
        }
    }

    fn skip_empty(&mut self, key: &[u8]) {
        self.loaded.empty += 1;
        if self.loaded.empty <= EMPTY_KEYS_LOGGED_MAX {
            tracing::info!("rdbLoadObject skipping empty key: {}", key.escape_ascii());
        }
    }
}

impl fmt::Display for IntakeFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoSuchDb { db, databases } => write!(
                f,
                "Data file was created with a Redis server configured to handle more than \
                 {databases} databases: it has database {db}. Raise `databases`"
            ),
            Self::DuplicateKey { db } => write!(f, "RDB has a duplicated key in DB {db}"),
        }
    }
}

/// The log names no more of them, as in Redis.
const EMPTY_KEYS_LOGGED_MAX: u64 = 10;

#[cfg(test)]
mod tests;
