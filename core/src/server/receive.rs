//! A dataset that arrives from the master.

use super::Server;
use super::state::State;
use crate::keyspace::{Keyspace, Ttl};
use crate::machine::Wall;
use crate::persist::rdb::{Decoder, Item, Options, RdbFault};
use crate::repl::action::Attempt;
use crate::repl::receive::Place;
use crate::repl::replica::{Event, Target};
use crate::value::Fill;
use std::borrow::Cow;

/// A dataset being decoded beside the one that is served.
#[derive(Default)]
pub(super) struct Incoming {
    decoding: Option<Decoding>,
}

struct Decoding {
    decoder: Decoder,
    keys: Keyspace,
    db: usize,
    stream_db: Option<u32>,
    fault: Option<RdbFault>,
}

impl Incoming {
    /// An event that owns its bytes, so that the buffer they came in is free.
    pub(super) fn own(event: Event<'_>) -> Event<'static> {
        match event {
            Event::Begin => Event::Begin,
            Event::Payload(bytes) => Event::Payload(Cow::Owned(bytes.into_owned())),
            Event::End => Event::End,
            Event::Streaming { db } => Event::Streaming { db },
        }
    }

    /// Starts with an empty dataset.
    pub(super) fn begin(&mut self, keys: Keyspace, fill: Fill) {
        let options = Options {
            checksum: true,
            fill,
        };
        let decoder = Decoder::new(options);
        self.decoding = Some(Decoding {
            decoder,
            keys,
            db: 0,
            stream_db: None,
            fault: None,
        });
    }

    /// Takes the next bytes. What is wrong with them shows at the end.
    pub(super) fn feed(&mut self, bytes: &[u8]) {
        let Some(decoding) = &mut self.decoding else {
            return;
        };
        if decoding.fault.is_none() {
            decoding.decoder.feed(bytes);
            decoding.fault = decoding.take_items().err();
        }
    }

    /// The finished dataset and the database its stream is in, if all of it was sound.
    pub(super) fn finish(&mut self) -> Result<(Keyspace, Option<u32>), RdbFault> {
        let decoding = self.decoding.take().expect("what ends was begun");
        if let Some(fault) = decoding.fault {
            return Err(fault);
        }
        decoding.decoder.finish()?;
        Ok((decoding.keys, decoding.stream_db))
    }

    /// Forgets what has arrived.
    pub(super) fn abandon(&mut self, _: Attempt) {
        self.decoding = None;
    }
}

impl Decoding {
    fn take_items(&mut self) -> Result<(), RdbFault> {
        while let Some(item) = self.decoder.next()? {
            match item {
                Item::Aux {
                    name: b"repl-stream-db",
                    value,
                } => {
                    let text = core::str::from_utf8(value).unwrap_or_default();
                    self.stream_db = text.parse().ok();
                }
                Item::SelectDb(db) => self.db = db as usize,
                Item::Key { key, value, meta } => {
                    let ttl = meta
                        .expire_ms
                        .map_or(Ttl::Clear, |ms| Ttl::At(Wall::from_millis(ms)));
                    self.keys.db_mut(self.db).insert(key, value, ttl);
                }
                Item::Aux { .. }
                | Item::ResizeDb { .. }
                | Item::EmptyKey { .. }
                | Item::Function { .. }
                | Item::ModuleAux { .. }
                | Item::Eof => {}
            }
        }
        Ok(())
    }
}
