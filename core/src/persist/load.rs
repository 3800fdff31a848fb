//! Loading an RDB file through disk effects.

mod ahead;
mod batch;
mod intake;

use core::fmt;

use bytes::Bytes;

pub use ahead::ReadAhead;
pub use intake::{Expired, Intake, IntakeFault, Loaded};

use crate::keyspace::Keyspace;
use crate::machine::{DiskFault, DiskOp, FileId};
use crate::persist::rdb::{Decoder, Options, Place, RdbFault};

/// A file being measured, read ahead, decoded and put into a keyspace, one piece in each turn.
///
/// The answers to its ops come in the order of the ops. It ends, done or not, with the file
/// closed and nothing left to be answered.
#[derive(Debug)]
pub struct Load {
    /// What opens the file, as long as it is being measured.
    opening: Option<DiskOp>,
    total: u64,
    ahead: ReadAhead,
    decoder: Decoder,
    intake: Intake,
    /// How it ends, which is told once the file is closed.
    end: Option<LoadEnd>,
    loaded: u64,
    /// Whether all was taken from the decoder that it has.
    drained: bool,
}

/// How a load ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum LoadEnd {
    /// All of the file is in the keyspace.
    Complete,
    /// There is no such file.
    Missing,
    /// It could not be loaded; the keyspace holds what came before the fault.
    Failed(LoadFault),
}

/// What a load came to so far.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum LoadState {
    /// There is more to decode at once: call [`Load::step`] again in the next turn.
    Ready,
    /// The disk is waited for.
    Waiting,
    /// It is over.
    Over(LoadEnd),
}

/// Why a file could not be loaded.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum LoadFault {
    /// It could not be read.
    Disk(DiskFault),
    /// It is no sound RDB file, or holds what is not supported.
    Rdb(RdbFault),
    /// What it holds does not fit this server.
    Intake {
        /// Why.
        fault: IntakeFault,
        /// The byte up to which it was read.
        offset: u64,
    },
    /// The caller wanted it no more.
    Cancelled,
}

impl Load {
    /// Begins to load the file at `path`. `file` must not be in use until the end.
    #[must_use]
    pub fn start(file: FileId, path: Box<str>, options: Options, intake: Intake) -> (Self, DiskOp) {
        let (ahead, opening) = ReadAhead::start(file, path.clone());
        let load = Self {
            opening: Some(opening),
            total: 0,
            ahead,
            decoder: Decoder::new(options),
            intake,
            end: None,
            loaded: 0,
            drained: true,
        };
        (load, DiskOp::Length { path })
    }

    /// Takes the answer to the oldest op.
    pub fn handle_done(
        &mut self,
        result: Result<Bytes, DiskFault>,
        ops: &mut Vec<DiskOp>,
    ) -> LoadState {
        if let Some(opening) = self.opening.take() {
            // If it can't be measured, opening it tells why.
            self.total = result.map_or(0, |bytes| {
                u64::from_le_bytes(bytes[..].try_into().expect("a length has eight bytes"))
            });
            ops.push(opening);
            return LoadState::Waiting;
        }
        if let Err(fault) = self.ahead.handle_done(result, ops) {
            // Only a file that was not opened is closed already.
            let missing = self.ahead.is_closed() && fault == DiskFault::NotFound;
            self.end.get_or_insert(if missing {
                LoadEnd::Missing
            } else {
                LoadEnd::Failed(LoadFault::Disk(fault))
            });
        }
        self.state()
    }

    /// Decodes one piece into the keyspace, or what is left of one; no more than so many keys,
    /// which it counts down.
    pub fn step(
        &mut self,
        keyspace: &mut Keyspace,
        keys: &mut usize,
        ops: &mut Vec<DiskOp>,
    ) -> LoadState {
        if self.end.is_some() {
            return self.state();
        }
        if !self.drained {
            self.decode(keyspace, keys, ops);
        } else if let Some(piece) = self.ahead.next(ops) {
            self.loaded += u64::try_from(piece.len()).expect("a length fits 64 bits");
            self.decoder.feed(&piece);
            self.decode(keyspace, keys, ops);
        } else if self.ahead.is_at_end() {
            let fault = self.decoder.finish().expect_err("its end was not decoded");
            self.close(LoadEnd::Failed(LoadFault::Rdb(fault)), ops);
        }
        self.state()
    }

    /// Gives up.
    pub fn cancel(&mut self, ops: &mut Vec<DiskOp>) {
        if self.end.is_none() {
            self.close(LoadEnd::Failed(LoadFault::Cancelled), ops);
        }
    }

    /// Bytes decoded so far (`loading_loaded_bytes`).
    #[must_use]
    pub fn loaded(&self) -> u64 {
        self.loaded
    }

    /// Bytes of the file (`loading_total_bytes`), as soon as that is known.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.total
    }

    /// What was put into the keyspace, and what the file says of itself.
    #[must_use]
    pub fn intake(&self) -> &Intake {
        &self.intake
    }

    /// As [`intake`](Self::intake), to take the dropped keys from.
    #[must_use]
    pub fn intake_mut(&mut self) -> &mut Intake {
        &mut self.intake
    }

    /// What was being read, and of which key, for whoever looks for the fault.
    #[must_use]
    pub fn place(&self) -> Place<'_> {
        self.decoder.place()
    }

    fn state(&self) -> LoadState {
        match self.end {
            Some(end) if self.ahead.is_closed() => LoadState::Over(end),
            None if !self.drained => LoadState::Ready,
            None if self.ahead.has_piece() || self.ahead.is_at_end() => LoadState::Ready,
            Some(_) | None => LoadState::Waiting,
        }
    }

    fn decode(&mut self, keyspace: &mut Keyspace, keys: &mut usize, ops: &mut Vec<DiskOp>) {
        match self.intake.take_from(&mut self.decoder, keyspace, keys) {
            Err(fault) => self.close(LoadEnd::Failed(fault), ops),
            Ok(drained) => {
                self.drained = drained;
                if self.decoder.is_done() {
                    // Bytes behind the end are not looked at, as in Redis.
                    self.close(LoadEnd::Complete, ops);
                }
            }
        }
    }

    fn close(&mut self, end: LoadEnd, ops: &mut Vec<DiskOp>) {
        self.end = Some(end);
        self.ahead.close(ops);
    }
}

impl fmt::Display for LoadFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Disk(fault) => fault.fmt(f),
            Self::Rdb(fault) => fault.fmt(f),
            Self::Intake { fault, offset } => write!(f, "{fault}, before byte {offset}"),
            Self::Cancelled => f.write_str("it was cancelled"),
        }
    }
}

#[cfg(test)]
mod tests;
