//! Loading an RDB file through disk effects.

mod intake;

use core::fmt;
use std::collections::VecDeque;

use bytes::Bytes;

pub use intake::{Expired, Intake, IntakeFault, Loaded};

use crate::keyspace::Keyspace;
use crate::limits::{LOAD_READ_BYTES, LOAD_READS_IN_FLIGHT};
use crate::machine::{DiskFault, DiskOp, FileId, OpenMode};
use crate::persist::rdb::{Decoder, Item, Options, RdbFault};

/// A file being read ahead, decoded and put into a keyspace, one piece in each turn.
///
/// The answers to its ops come in the order of the ops. It ends, done or not, with the file
/// closed and nothing left to be answered.
#[derive(Debug)]
pub struct Load {
    phase: Phase,
    file: FileId,
    decoder: Decoder,
    intake: Intake,
    /// Offsets of the reads that were not answered, oldest first.
    reads: VecDeque<u64>,
    /// What was read and not decoded, oldest first.
    pieces: VecDeque<Bytes>,
    /// The offset up to which the file was read without a gap.
    read_to: u64,
    /// Where the next read begins.
    read_from: u64,
    loaded: u64,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Phase {
    Open,
    OpenCancelled,
    Read,
    /// The end of the file was read.
    Drain,
    /// The load has come to its end, which is told once the file is closed.
    Close(LoadEnd),
    Over,
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
        let load = Self {
            phase: Phase::Open,
            file,
            decoder: Decoder::new(options),
            intake,
            reads: VecDeque::new(),
            pieces: VecDeque::new(),
            read_to: 0,
            read_from: 0,
            loaded: 0,
        };
        (
            load,
            DiskOp::Open {
                file,
                path,
                mode: OpenMode::Read,
            },
        )
    }

    /// Takes the answer to the oldest op.
    pub fn handle_done(
        &mut self,
        result: Result<Bytes, DiskFault>,
        ops: &mut Vec<DiskOp>,
    ) -> LoadState {
        match (self.phase, result) {
            (Phase::Open, Ok(_)) => self.phase = Phase::Read,
            (Phase::Open, Err(fault)) => {
                self.phase = Phase::Over;
                return LoadState::Over(match fault {
                    DiskFault::NotFound => LoadEnd::Missing,
                    DiskFault::NoSpace | DiskFault::Failed { .. } => {
                        LoadEnd::Failed(LoadFault::Disk(fault))
                    }
                });
            }
            (Phase::OpenCancelled, Ok(_)) => {
                self.close(LoadEnd::Failed(LoadFault::Cancelled), ops);
            }
            (Phase::OpenCancelled, Err(_)) => {
                self.phase = Phase::Over;
                return LoadState::Over(LoadEnd::Failed(LoadFault::Cancelled));
            }
            (Phase::Read | Phase::Drain, result) => {
                let at = self.reads.pop_front().expect("an answer belongs to an op");
                self.take_piece(at, result, ops);
            }
            (Phase::Close(end), _) => {
                // The reads that were in flight at the end come before the closing.
                if self.reads.pop_front().is_none() {
                    self.phase = Phase::Over;
                    return LoadState::Over(end);
                }
            }
            (Phase::Over, _) => unreachable!("no op is left to be answered"),
        }
        self.read_ahead(ops);
        self.state()
    }

    /// Decodes one piece into the keyspace.
    pub fn step(&mut self, keyspace: &mut Keyspace, ops: &mut Vec<DiskOp>) -> LoadState {
        if !matches!(self.phase, Phase::Read | Phase::Drain) {
            return self.state();
        }
        if let Some(piece) = self.pieces.pop_front() {
            self.read_ahead(ops);
            self.loaded += u64::try_from(piece.len()).expect("a length fits 64 bits");
            self.decoder.feed(&piece);
            if let Err(fault) = self.take_items(keyspace) {
                self.close(LoadEnd::Failed(fault), ops);
            } else if self.decoder.is_done() {
                // Bytes behind the end are not looked at, as in Redis.
                self.close(LoadEnd::Complete, ops);
            }
        } else if self.phase == Phase::Drain {
            let fault = self.decoder.finish().expect_err("its end was not decoded");
            self.close(LoadEnd::Failed(LoadFault::Rdb(fault)), ops);
        }
        self.state()
    }

    /// Gives up.
    pub fn cancel(&mut self, ops: &mut Vec<DiskOp>) {
        match self.phase {
            Phase::Read | Phase::Drain => self.close(LoadEnd::Failed(LoadFault::Cancelled), ops),
            // Whether there is a file to close is not known yet.
            Phase::Open => self.phase = Phase::OpenCancelled,
            Phase::OpenCancelled | Phase::Close(_) | Phase::Over => {}
        }
    }

    /// Bytes decoded so far (`loading_loaded_bytes`).
    #[must_use]
    pub fn loaded(&self) -> u64 {
        self.loaded
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

    fn state(&self) -> LoadState {
        match self.phase {
            Phase::Drain => LoadState::Ready,
            Phase::Read if !self.pieces.is_empty() => LoadState::Ready,
            Phase::Read | Phase::Open | Phase::OpenCancelled | Phase::Close(_) => {
                LoadState::Waiting
            }
            Phase::Over => unreachable!("the end was told"),
        }
    }

    fn take_items(&mut self, keyspace: &mut Keyspace) -> Result<(), LoadFault> {
        loop {
            let offset = self.decoder.offset();
            let Some(item) = self.decoder.next().map_err(LoadFault::Rdb)? else {
                return Ok(());
            };
            let is_end = item == Item::Eof;
            let taken = self.intake.take(keyspace, item);
            taken.map_err(|fault| LoadFault::Intake { fault, offset })?;
            if is_end {
                return Ok(());
            }
        }
    }

    fn take_piece(&mut self, at: u64, result: Result<Bytes, DiskFault>, ops: &mut Vec<DiskOp>) {
        if at != self.read_to || self.phase == Phase::Drain {
            // A shorter answer to the read before left a gap, or the end was found.
            return;
        }
        match result {
            Err(fault) => self.close(LoadEnd::Failed(LoadFault::Disk(fault)), ops),
            Ok(piece) if piece.is_empty() => self.phase = Phase::Drain,
            Ok(piece) => {
                let len = u64::try_from(piece.len()).expect("a length fits 64 bits");
                self.read_to += len;
                if len < u64::from(LOAD_READ_BYTES) {
                    self.read_from = self.read_to;
                }
                self.pieces.push_back(piece);
            }
        }
    }

    fn read_ahead(&mut self, ops: &mut Vec<DiskOp>) {
        while self.phase == Phase::Read
            && self.reads.len() + self.pieces.len() < LOAD_READS_IN_FLIGHT
        {
            let at = self.read_from;
            self.read_from += u64::from(LOAD_READ_BYTES);
            self.reads.push_back(at);
            ops.push(DiskOp::Read {
                file: self.file,
                at,
                len: LOAD_READ_BYTES,
            });
        }
    }

    fn close(&mut self, end: LoadEnd, ops: &mut Vec<DiskOp>) {
        self.pieces.clear();
        self.phase = Phase::Close(end);
        ops.push(DiskOp::Close { file: self.file });
    }
}

impl fmt::Display for LoadFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Disk(DiskFault::NotFound) => f.write_str("No such file or directory"),
            Self::Disk(DiskFault::NoSpace) => f.write_str("No space left on device"),
            Self::Disk(DiskFault::Failed { errno }) => write!(f, "error number {errno}"),
            Self::Rdb(fault) => fault.fmt(f),
            Self::Intake { fault, offset } => write!(f, "{fault}, before byte {offset}"),
            Self::Cancelled => f.write_str("it was cancelled"),
        }
    }
}

#[cfg(test)]
mod tests;
