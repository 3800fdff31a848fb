//! A dataset that arrives from the master.

use bytes::Bytes;

use super::Server;
use super::loading::Progress;
use super::persist::{Receiving, Stance};
use super::state::State;
use crate::keyspace::Keyspace;
use crate::machine::{ConnId, FileId};
use crate::persist::load::{Expired, Intake, Loaded};
use crate::persist::pace::Pace;
use crate::persist::rdb::{Decoder, Options};
use crate::repl::action::Attempt;
use crate::repl::receive::{Place, temp_name};
use crate::repl::replica::{Event, Target};
use std::borrow::Cow;

/// The file id of a dataset being received; no other part uses it.
const FILE: FileId = FileId(3);

/// A dataset being decoded beside the one that is served.
#[derive(Default)]
pub(super) struct Incoming {
    decoding: Option<Decoding>,
}

struct Decoding {
    decoder: Decoder,
    intake: Intake,
    keys: Keyspace,
    /// What is wrong with it, which shows when all of it is there.
    fault: Option<String>,
}

/// A dataset of which all was sound.
struct Received {
    keys: Keyspace,
    functions: Vec<Bytes>,
    /// The database its stream is in.
    db: Option<u32>,
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

    fn begin(&mut self, keys: Keyspace, intake: Intake, options: Options) {
        let decoder = Decoder::new(options);
        self.decoding = Some(Decoding {
            decoder,
            intake,
            keys,
            fault: None,
        });
    }

    /// Takes the next bytes.
    fn feed(&mut self, bytes: &[u8]) {
        if let Some(decoding) = &mut self.decoding
            && decoding.fault.is_none()
        {
            decoding.decoder.feed(bytes);
        }
    }

    /// Decodes what there is, but no more than so many keys, which it counts down; whether that
    /// was all of it, and what came of everything so far.
    fn decode(&mut self, keys: &mut usize) -> Option<(bool, &Loaded)> {
        let decoding = self.decoding.as_mut()?;
        let all = decoding.fault.is_some() || decoding.take_items(keys);
        Some((all, decoding.intake.loaded()))
    }

    fn finish(&mut self) -> Result<Received, String> {
        let mut decoding = self.decoding.take().expect("what ends was begun");
        if let Some(fault) = decoding.fault {
            return Err(fault);
        }
        decoding
            .decoder
            .finish()
            .map_err(|fault| fault.to_string())?;
        let point = decoding.intake.repl_point();
        let db = point.and_then(|point| u32::try_from(point.stream_db).ok());
        Ok(Received {
            keys: decoding.keys,
            functions: core::mem::take(&mut decoding.intake.loaded_mut().functions),
            db,
        })
    }

    /// Forgets what has arrived.
    pub(super) fn abandon(&mut self, _: Attempt) {
        self.decoding = None;
    }
}

impl Decoding {
    /// Whether it took all that there is, or as much as it can.
    fn take_items(&mut self, keys: &mut usize) -> bool {
        let taken = self
            .intake
            .take_from(&mut self.decoder, &mut self.keys, keys);
        taken.unwrap_or_else(|fault| {
            self.fault = Some(fault.to_string());
            true
        })
    }
}

impl State {
    /// Where a dataset is received into a file.
    fn receiving_place(&self) -> Place {
        Place {
            file: FILE,
            temp: temp_name(self.now.wall, self.launch.pid).into(),
            target: self.config.dbfilename().into(),
            dir: ".".into(),
        }
    }
}

impl Server {
    /// A dataset begins to arrive over a link.
    pub(super) fn begin_receiving(&mut self, link: ConnId) {
        let target = if self.st.repl.loads_into_memory(self.keys.is_empty()) {
            let mut rng = self.st.rng.fork("received");
            let mut keys = Keyspace::new(self.keys.dbs().len(), &mut rng);
            keys.set_usage(self.st.usage());
            let intake = Intake::new(self.st.now.wall, Expired::Keep);
            self.incoming.begin(keys, intake, self.st.decode_options());
            self.st.persist.loaded = (0, 0);
            self.st.persist.receiving = Some(Receiving {
                stance: if self.st.repl.receives_own_history() {
                    Stance::Beside
                } else {
                    Stance::Instead
                },
                link,
                started: self.st.now,
                progress: Progress {
                    total: self.st.repl.receiving_size(),
                    ..Progress::default()
                },
                pace: Pace::new(self.st.now.mono),
                held: false,
            });
            tracing::info!("MASTER <-> REPLICA sync: Loading DB in memory");
            Target::Memory
        } else {
            Target::Disk(self.st.receiving_place())
        };
        self.st.repl.receive_to(self.st.now, target);
    }

    /// More of the dataset has arrived in memory.
    pub(super) fn receive_payload(&mut self, bytes: &[u8]) {
        if let Some(receiving) = &mut self.st.persist.receiving {
            receiving.progress.read += bytes.len() as u64;
        }
        self.incoming.feed(bytes);
        self.decode_received();
    }

    /// Goes on with what had to wait of a dataset that arrives in memory.
    pub(super) fn advance_receiving(&mut self) {
        let Some(Receiving {
            link, held: true, ..
        }) = self.st.persist.receiving
        else {
            return;
        };
        self.decode_received();
        if !self.st.persist.is_held_back(link) {
            self.master_input.push(link);
        }
    }

    fn decode_received(&mut self) {
        let persist = &mut self.st.persist;
        let Some(receiving) = &mut persist.receiving else {
            return;
        };
        let (now, delay) = (self.st.now, self.st.config.key_load_delay());
        let allowed = receiving.pace.allowed(now.mono, delay);
        let mut left = allowed;
        let Some((all, loaded)) = self.incoming.decode(&mut left) else {
            return;
        };
        receiving.held = !all;
        receiving.pace.spend(allowed - left, delay);
        receiving.progress.used_memory = loaded.used_memory;
        persist.loaded = loaded.counts();
        self.st.repl.dataset_goes_on(now);
    }

    /// All of the dataset has arrived in memory: it takes the place of the old one, or is
    /// forgotten if it is not sound.
    pub(super) fn install_received(&mut self, already_read: usize) {
        let Some(attempt) = self.st.repl.receiving() else {
            return;
        };
        self.st.persist.receiving = None;
        let outcome = match self.incoming.finish() {
            Ok(Received {
                keys,
                functions,
                db,
            }) => {
                tracing::info!("MASTER <-> REPLICA sync: Swapping active DB with loaded DB");
                self.drop_snapshot();
                self.abandon_aof();
                self.st.persist.functions = functions;
                let mut old = core::mem::replace(&mut self.keys, keys);
                old.flush_all();
                self.retired.push(old);
                self.dataset_replaced();
                Ok(db)
            }
            Err(fault) => {
                tracing::warn!("MASTER <-> REPLICA sync: the dataset can't be used: {fault}");
                Err(())
            }
        };
        if let Some((link, db)) = self.installed(attempt, outcome) {
            self.stream_starts(link, db, already_read);
        }
    }

    /// Frees a slice of datasets that were replaced.
    pub(super) fn free_retired(&mut self, allocations: usize) {
        if let Some(old) = self.retired.last_mut()
            && old.free_some(allocations)
        {
            self.retired.pop();
        }
    }
}
