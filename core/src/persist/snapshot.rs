//! The dataset as it is at one moment, as RDB data, without a second process.
//!
//! The keyspace calls [`Held`] with every entry of that moment once: as the snapshot walks, and
//! before an entry changes that the walk has not reached. It copies them (long values are shared
//! instead), which is quick, and encodes them by and by, a slice in each turn.

mod form;
mod held;

use bytes::Bytes;

use crate::keyspace::Keyspace;
use crate::limits::{
    SNAPSHOT_AHEAD_BYTES, SNAPSHOT_HELD_BYTES_MAX, SNAPSHOT_HELD_SHARE, SNAPSHOT_TURN_BYTES,
};
use crate::persist::aof::base::Commands;
use crate::persist::rdb::{Encoder, Preamble};
use form::Writer;
use held::Held;

/// What a snapshot shall hold beside the keys, and in which form.
#[derive(Clone, Debug, Default)]
pub struct SnapshotOptions {
    /// Whether strings are compressed (`rdbcompression`).
    pub compress: bool,
    /// Whether there is a checksum (`rdbchecksum`).
    pub checksum: bool,
    /// The fields at its head.
    pub preamble: Preamble,
    /// The sources of function libraries.
    pub functions: Vec<Bytes>,
    /// Whether it is RDB data.
    pub form: Form,
}

/// What a snapshot is written as.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub enum Form {
    /// RDB data.
    #[default]
    Rdb,
    /// Commands that make the dataset, as the base of an append-only file. Of the options nothing
    /// else counts.
    Commands {
        /// Lines that are no commands, before them.
        head: Bytes,
        /// The same behind them.
        tail: Bytes,
    },
}

/// How far a snapshot has come.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Progress {
    /// Keys encoded.
    pub keys: usize,
    /// Keys there were when it began.
    pub keys_total: usize,
    /// Bytes taken from it.
    pub bytes: u64,
    /// Bytes of memory it has at present, beside the dataset.
    pub held: usize,
}

/// A snapshot under way: a stream of RDB chunks to be taken by whoever writes them to a file or
/// to replicas.
///
/// It lives in the keyspace that it was begun in, which must be given to every call.
#[derive(Debug)]
pub struct Snapshot {
    keys_total: usize,
    bytes: u64,
    phase: Phase,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Phase {
    /// The walk has not come to its end.
    Walk,
    /// All entries are held or encoded.
    Rest,
    /// All is encoded.
    Encoded,
    /// All was taken.
    Done,
}

impl Snapshot {
    /// Begins a snapshot of the keyspace as it is now. There is one at a time.
    pub fn begin(keyspace: &mut Keyspace, options: &SnapshotOptions) -> Self {
        let writer = match &options.form {
            Form::Rdb => Writer::Rdb(Box::new(rdb_head(keyspace, options))),
            Form::Commands { head, tail } => {
                Writer::Commands(Box::new(Commands::new(head, tail.clone())))
            }
        };
        let keys_total = keyspace.len();
        let usage = keyspace.usage();
        keyspace.begin_snapshot(Box::new(Held::new(writer, usage)));
        Self {
            keys_total,
            bytes: 0,
            phase: Phase::Walk,
        }
    }

    /// Does one turn's share of the work, unless what is encoded already waits to be taken.
    /// Returns whether there is more to do at once.
    pub fn step(&mut self, keyspace: &mut Keyspace) -> bool {
        self.step_paced(keyspace, usize::MAX)
    }

    /// As [`step`](Self::step), with no more than so many keys; without any, neither with the
    /// end.
    pub fn step_paced(&mut self, keyspace: &mut Keyspace, keys: usize) -> bool {
        let waiting = held(keyspace);
        if waiting.writer().buffered() >= SNAPSHOT_AHEAD_BYTES {
            return false;
        }
        if keys == 0 && (!waiting.is_empty() || self.phase == Phase::Rest) {
            return false;
        }
        if self.phase == Phase::Walk
            && waiting.is_empty()
            && keyspace.step_snapshot(WALK_STEP_ENTRIES)
        {
            self.phase = Phase::Rest;
        }
        let held = held(keyspace);
        if !held.is_empty() {
            held.encode_some(SNAPSHOT_TURN_BYTES, keys);
            if keys < usize::MAX {
                // The keys that may come are on their way, few as they are.
                held.writer().flush();
            }
            return true;
        }
        match self.phase {
            Phase::Walk => true,
            // The walk came to its end just now.
            Phase::Rest if keys == 0 => true,
            Phase::Rest => {
                assert_eq!(held.keys(), self.keys_total, "every key comes exactly once");
                held.writer().eof();
                // A file without a single command has no bytes.
                self.phase = match held.writer().buffered() {
                    0 => Phase::Done,
                    1.. => Phase::Encoded,
                };
                true
            }
            Phase::Encoded | Phase::Done => false,
        }
    }

    /// The next chunk of the stream. None yet, or none any more if the snapshot
    /// [`is_done`](Self::is_done).
    #[must_use]
    pub fn poll_chunk(&mut self, keyspace: &mut Keyspace) -> Option<Bytes> {
        let writer = held(keyspace).writer();
        let chunk = writer.poll_chunk()?;
        self.bytes += u64::try_from(chunk.len()).expect("a length fits 64 bits");
        if self.phase == Phase::Encoded && writer.buffered() == 0 {
            self.phase = Phase::Done;
        }
        Some(chunk)
    }

    /// Whether all of the stream was taken.
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.phase == Phase::Done
    }

    /// Whether it holds so much that commands that write must wait until some is taken. Whoever
    /// writes the chunks to a file waits for the disk; whoever sends them to a replica that does
    /// not read should rather give the snapshot up.
    #[must_use]
    pub fn wants_stall(&self, keyspace: &mut Keyspace) -> bool {
        let share = keyspace.memory() / SNAPSHOT_HELD_SHARE;
        self.memory(keyspace) > SNAPSHOT_HELD_BYTES_MAX + share
    }

    /// How far it has come.
    #[must_use]
    pub fn progress(&self, keyspace: &mut Keyspace) -> Progress {
        Progress {
            keys: held(keyspace).keys(),
            keys_total: self.keys_total,
            bytes: self.bytes,
            held: self.memory(keyspace),
        }
    }

    /// Bytes of memory it has.
    #[must_use]
    pub fn memory(&self, keyspace: &mut Keyspace) -> usize {
        let held = held(keyspace);
        held.bytes() + held.writer().buffered()
    }

    /// Ends it, done or not.
    pub fn end(self, keyspace: &mut Keyspace) {
        let sink = keyspace.end_snapshot();
        assert!(sink.is_some(), "a snapshot is under way until it is ended");
    }
}

fn rdb_head(keyspace: &Keyspace, options: &SnapshotOptions) -> Encoder {
    let mut encoder = Encoder::new(options.compress, options.checksum);
    encoder.preamble(&options.preamble);
    options
        .functions
        .iter()
        .for_each(|library| encoder.function(library));
    for (index, db) in keyspace.dbs().iter().enumerate() {
        if !db.is_empty() {
            encoder.select_db(u32::try_from(index).expect("databases are few"));
            let wide = |count| u64::try_from(count).expect("a count fits 64 bits");
            encoder.resize_db(wide(db.len()), wide(db.expires()));
        }
    }
    encoder
}

fn held(keyspace: &mut Keyspace) -> &mut Held {
    keyspace
        .snapshot_sink()
        .expect("the snapshot lives in this keyspace")
}

/// Entries that the walk takes in one turn; the segments they lie in count too.
const WALK_STEP_ENTRIES: usize = 24;

#[cfg(test)]
mod tests;
