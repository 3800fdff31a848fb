//! Reading a file ahead of whoever decodes it.

use std::collections::VecDeque;

use bytes::Bytes;

use crate::limits::{LOAD_READ_BYTES, LOAD_READS_IN_FLIGHT};
use crate::machine::{DiskFault, DiskOp, FileId, OpenMode};

/// A file from which a few pieces are always on their way.
///
/// The answers to its ops come in the order of the ops. It is closed by its user, or by itself
/// after a fault.
#[derive(Debug)]
pub struct ReadAhead {
    phase: Phase,
    file: FileId,
    /// Offsets of the reads that were not answered, oldest first.
    reads: VecDeque<u64>,
    /// What was read and not taken, oldest first.
    pieces: VecDeque<Bytes>,
    /// The offset up to which the file was read without a gap.
    read_to: u64,
    /// Where the next read begins.
    read_from: u64,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Phase {
    Open,
    /// Nobody wants it any more, but whether there is a file to close is not known yet.
    OpenUnwanted,
    Read,
    /// The end of the file was read.
    End,
    Close,
    Closed,
}

impl ReadAhead {
    /// Begins to read the file at `path`. `file` must not be in use until it is closed.
    #[must_use]
    pub fn start(file: FileId, path: Box<str>) -> (Self, DiskOp) {
        let ahead = Self {
            phase: Phase::Open,
            file,
            reads: VecDeque::new(),
            pieces: VecDeque::new(),
            read_to: 0,
            read_from: 0,
        };
        let mode = OpenMode::Read;
        (ahead, DiskOp::Open { file, path, mode })
    }

    /// Takes the answer to the oldest op. After a fault nothing more comes of the file.
    pub fn handle_done(
        &mut self,
        result: Result<Bytes, DiskFault>,
        ops: &mut Vec<DiskOp>,
    ) -> Result<(), DiskFault> {
        match (self.phase, result) {
            (Phase::Open, Ok(_)) => self.phase = Phase::Read,
            (Phase::Open | Phase::OpenUnwanted, Err(fault)) => {
                self.phase = Phase::Closed;
                return Err(fault);
            }
            (Phase::OpenUnwanted, Ok(_)) => {
                self.phase = Phase::Read;
                self.close(ops);
            }
            (Phase::Read | Phase::End, result) => {
                let at = self.reads.pop_front().expect("an answer belongs to an op");
                self.take_piece(at, result, ops)?;
            }
            (Phase::Close, _) => {
                // The reads that were in flight at the end come before the closing.
                if self.reads.pop_front().is_none() {
                    self.phase = Phase::Closed;
                }
            }
            (Phase::Closed, _) => unreachable!("no op is left to be answered"),
        }
        self.read_on(ops);
        Ok(())
    }

    /// The next piece, if it is there.
    pub fn next(&mut self, ops: &mut Vec<DiskOp>) -> Option<Bytes> {
        let piece = self.pieces.pop_front()?;
        self.read_on(ops);
        Some(piece)
    }

    /// Whether the next piece is there.
    #[must_use]
    pub fn has_piece(&self) -> bool {
        !self.pieces.is_empty()
    }

    /// Whether every piece was taken and there are no more.
    #[must_use]
    pub fn is_at_end(&self) -> bool {
        self.phase == Phase::End && self.pieces.is_empty()
    }

    /// Gives the rest up.
    pub fn close(&mut self, ops: &mut Vec<DiskOp>) {
        match self.phase {
            Phase::Read | Phase::End => {
                self.pieces.clear();
                self.phase = Phase::Close;
                ops.push(DiskOp::Close { file: self.file });
            }
            Phase::Open => self.phase = Phase::OpenUnwanted,
            Phase::OpenUnwanted | Phase::Close | Phase::Closed => {}
        }
    }

    /// Whether nothing is left to be answered and the file's id is free.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.phase == Phase::Closed
    }

    fn take_piece(
        &mut self,
        at: u64,
        result: Result<Bytes, DiskFault>,
        ops: &mut Vec<DiskOp>,
    ) -> Result<(), DiskFault> {
        if at != self.read_to || self.phase == Phase::End {
            // A shorter answer to the read before left a gap, or the end was found.
            return Ok(());
        }
        match result {
            Err(fault) => {
                self.close(ops);
                return Err(fault);
            }
            Ok(piece) if piece.is_empty() => self.phase = Phase::End,
            Ok(piece) => {
                let len = u64::try_from(piece.len()).expect("a length fits 64 bits");
                self.read_to += len;
                if len < u64::from(LOAD_READ_BYTES) {
                    self.read_from = self.read_to;
                }
                self.pieces.push_back(piece);
            }
        }
        Ok(())
    }

    fn read_on(&mut self, ops: &mut Vec<DiskOp>) {
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
}
