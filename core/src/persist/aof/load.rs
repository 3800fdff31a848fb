//! Reading the files of the log in order.

mod fault;
mod upgrade;

use std::collections::VecDeque;

use bytes::Bytes;
use tracing::{info, warn};

use super::Names;
use super::manifest::{Manifest, Part};
use crate::keyspace::Keyspace;
use crate::limits::{AOF_MANIFEST_LINE_BYTES_MAX, AOF_MANIFEST_LINES_MAX};
use crate::machine::{DiskFault, DiskOp, FileId, OpenMode, Wall};
use crate::persist::load::{Expired, Intake, Loaded, ReadAhead};
use crate::persist::rdb::{Decoder, Options, ReplPoint};

pub use fault::AofFault;

/// The log being loaded.
///
/// It finds the files, moves the single file of a server before 7.0 to where it belongs, puts RDB
/// data into the keyspace and hands out everything else as bytes for the server to execute. The
/// answers to its ops come in the order of the ops.
#[derive(Debug)]
pub struct AofLoad {
    file: FileId,
    names: Names,
    options: Options,
    now: Wall,
    stage: Stage,
    manifest: Manifest,
    /// The length of each file.
    lens: Vec<u64>,
    /// The last file is to be cut back to its length.
    cut: bool,
    /// Bytes of files read so far.
    read: u64,
    /// What came of RDB data that is behind it.
    loaded: Option<Loaded>,
    repl_point: Option<ReplPoint>,
}

#[derive(Debug)]
enum Stage {
    Manifest {
        ahead: ReadAhead,
        text: Vec<u8>,
    },
    /// It is looked whether the base is where it belongs or still where it was before 7.0.
    Moved,
    /// It is looked whether there is a single file of a server before 7.0.
    Single,
    /// Steps that follow each other, and what comes behind them.
    Steps(VecDeque<DiskOp>, Behind),
    /// It is looked how long the files are.
    Measure,
    Part(Box<Reading>),
    /// What is in flight is waited for.
    Fail(ReadAhead, AofFault),
    Over,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Behind {
    Upgrade,
    Truncation,
}

/// A file being read.
#[derive(Debug)]
struct Reading {
    index: usize,
    ahead: ReadAhead,
    body: Body,
    /// Whether all was taken of its RDB data that was read.
    drained: bool,
    /// How long its RDB data is.
    preamble: u64,
    /// The server has said how it ends.
    ended: bool,
}

#[derive(Debug)]
enum Body {
    /// Too little is there to know what it is.
    Head(Vec<u8>),
    Rdb(Box<Decoder>, Box<Intake>),
    Commands,
}

/// What is to be done next.
#[derive(Debug, Eq, PartialEq)]
pub enum AofState {
    /// The disk is waited for.
    Waiting,
    /// There is more to do at once: call [`AofLoad::step`] again.
    Ready,
    /// Bytes of commands to be executed; then as `Ready`.
    Commands(Bytes),
    /// The file was read to its end: call [`AofLoad::part_over`].
    PartOver,
    /// It is over.
    Over(AofEnd),
}

/// How a load ended.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum AofEnd {
    /// There is no log.
    Missing(Manifest),
    /// All of it was handed out.
    Complete {
        /// Its files.
        manifest: Manifest,
        /// How long the last file is.
        last_len: u64,
        /// How long all files are.
        total_len: u64,
        /// How long the base is.
        base_len: u64,
    },
    /// It can't be loaded.
    Failed(AofFault),
}

/// How the commands of a file ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Tail {
    /// With the last byte of a command, outside any transaction.
    Whole,
    /// In the middle of a command.
    Cut {
        /// Where the last whole command ends.
        valid: u64,
    },
    /// In the middle of a transaction.
    CutInTransaction {
        /// Where the transaction begins.
        valid: u64,
    },
}

impl AofLoad {
    /// Begins to load the log. `file` must not be in use until the end.
    #[must_use]
    pub fn start(file: FileId, names: Names, options: Options, now: Wall) -> (Self, DiskOp) {
        let (ahead, op) = ReadAhead::start(file, names.manifest());
        let load = Self {
            file,
            names,
            options,
            now,
            stage: Stage::Manifest {
                ahead,
                text: Vec::new(),
            },
            manifest: Manifest::default(),
            lens: Vec::new(),
            cut: false,
            read: 0,
            loaded: None,
            repl_point: None,
        };
        (load, op)
    }

    /// Takes the answer to the oldest op.
    pub fn handle_done(
        &mut self,
        result: Result<Bytes, DiskFault>,
        ops: &mut Vec<DiskOp>,
    ) -> AofState {
        match core::mem::replace(&mut self.stage, Stage::Over) {
            Stage::Manifest { ahead, text } => self.manifest_answered(ahead, text, result, ops),
            Stage::Moved => match result {
                Ok(_) => self.measure(ops),
                Err(_) => self.look_for_single(ops),
            },
            Stage::Single => match result {
                Ok(_) => self.upgrade(ops),
                Err(_) if self.manifest.is_empty() => {
                    let manifest = core::mem::take(&mut self.manifest);
                    AofState::Over(AofEnd::Missing(manifest))
                }
                Err(_) => self.measure(ops),
            },
            Stage::Steps(rest, behind) => self.step_done(rest, behind, result, ops),
            Stage::Measure => self.measured(result, ops),
            Stage::Part(mut reading) => {
                let name = || self.part(reading.index).name.clone();
                if let Err(fault) = reading.ahead.handle_done(result, ops) {
                    let name = name();
                    return self.fail_in(reading.ahead, AofFault::Read { name, fault }, ops);
                }
                if reading.ended && reading.ahead.is_closed() {
                    return self.open_part(reading.index + 1, ops);
                }
                self.stage = Stage::Part(reading);
                self.state()
            }
            Stage::Fail(mut ahead, why) => {
                // The first fault is the one that is told.
                let _ = ahead.handle_done(result, ops);
                self.fail_in(ahead, why, ops)
            }
            Stage::Over => unreachable!("no op is left to be answered"),
        }
    }

    /// Goes on with the next piece, or what is left of one; of RDB data with no more than so many
    /// keys, which it counts down.
    pub fn step(
        &mut self,
        keyspace: &mut Keyspace,
        keys: &mut usize,
        ops: &mut Vec<DiskOp>,
    ) -> AofState {
        let Stage::Part(reading) = &mut self.stage else {
            return self.state();
        };
        if reading.ended {
            return AofState::Waiting;
        }
        if !reading.drained {
            return self.decode(keyspace, keys, ops);
        }
        let piece = reading.ahead.next(ops);
        self.read += piece.as_ref().map_or(0, |piece| piece.len() as u64);
        let at_end = reading.ahead.is_at_end();
        match (&mut reading.body, piece) {
            (Body::Head(head), piece) => {
                head.extend_from_slice(&piece.unwrap_or_default());
                if head.len() >= MAGIC.len() || at_end {
                    let head = core::mem::take(head);
                    return self.begin_body(head, keyspace, keys, ops);
                }
            }
            (Body::Rdb(decoder, _), Some(piece)) => {
                decoder.feed(&piece);
                return self.decode(keyspace, keys, ops);
            }
            (Body::Rdb(decoder, _), None) if at_end => {
                let why = decoder.finish().expect_err("it did not end");
                return self.preamble_fault(why.to_string(), ops);
            }
            (Body::Commands, Some(piece)) => return AofState::Commands(piece),
            (Body::Rdb(..) | Body::Commands, None) => {}
        }
        self.state()
    }

    /// Says how the commands of the file that was read to its end ended. A last file that was
    /// cut is cut back to what is whole if `may_truncate`.
    pub fn part_over(&mut self, tail: Tail, may_truncate: bool, ops: &mut Vec<DiskOp>) -> AofState {
        let Stage::Part(reading) = &mut self.stage else {
            unreachable!("a file was being read");
        };
        let (index, last) = (reading.index, reading.index + 1 == self.lens.len());
        let name = self.manifest.parts().nth(index).expect("it was read");
        let name = name.name.clone();
        let valid = match tail {
            Tail::Whole => {
                reading.ended = true;
                reading.ahead.close(ops);
                return AofState::Waiting;
            }
            Tail::Cut { valid } => valid,
            Tail::CutInTransaction { valid } => {
                warn!("Revert incomplete MULTI/EXEC transaction in AOF file {name}");
                valid
            }
        };
        if !may_truncate {
            return self.fail(AofFault::Truncated { name }, ops);
        }
        warn!("!!! Warning: short read while loading the AOF file {name}!!!");
        if !last {
            return self.fail(AofFault::NotLast, ops);
        }
        reading.ended = true;
        reading.ahead.close(ops);
        warn!("!!! Truncating the AOF {name} at offset {valid} !!!");
        self.lens[index] = valid;
        self.cut = true;
        AofState::Waiting
    }

    /// The server found that the log can't be loaded.
    pub fn fail(&mut self, why: AofFault, ops: &mut Vec<DiskOp>) -> AofState {
        let Stage::Part(reading) = core::mem::replace(&mut self.stage, Stage::Over) else {
            unreachable!("a file was being read");
        };
        self.fail_in(reading.ahead, why, ops)
    }

    /// The file being read.
    #[must_use]
    pub fn current(&self) -> Option<&Part> {
        self.reading().map(|reading| self.part(reading.index))
    }

    /// Whether it is the base.
    #[must_use]
    pub fn is_in_base(&self) -> bool {
        self.current().is_some() && self.current() == self.manifest.base()
    }

    /// Where in a replication stream the RDB data belongs that was just read, if it says so.
    pub fn take_repl_point(&mut self) -> Option<ReplPoint> {
        self.repl_point.take()
    }

    /// How many bytes of the file being read are RDB data.
    #[must_use]
    pub fn preamble(&self) -> u64 {
        self.reading().map_or(0, |reading| reading.preamble)
    }

    /// Bytes read so far (`loading_loaded_bytes`).
    #[must_use]
    pub fn read(&self) -> u64 {
        self.read
    }

    /// Bytes of all files (`loading_total_bytes`).
    #[must_use]
    pub fn total(&self) -> u64 {
        self.lens.iter().sum()
    }

    /// What came of the RDB data, if there was any.
    #[must_use]
    pub fn loaded(&self) -> Option<&Loaded> {
        match self.reading().map(|reading| &reading.body) {
            Some(Body::Rdb(_, intake)) => Some(intake.loaded()),
            Some(Body::Head(_) | Body::Commands) | None => self.loaded.as_ref(),
        }
    }

    fn reading(&self) -> Option<&Reading> {
        if let Stage::Part(reading) = &self.stage {
            Some(reading)
        } else {
            None
        }
    }

    fn state(&self) -> AofState {
        let Stage::Part(reading) = &self.stage else {
            return AofState::Waiting;
        };
        if reading.ended {
            AofState::Waiting
        } else if reading.ahead.has_piece() || !reading.drained {
            AofState::Ready
        } else if !reading.ahead.is_at_end() {
            AofState::Waiting
        } else {
            match reading.body {
                Body::Commands => AofState::PartOver,
                Body::Head(_) | Body::Rdb(..) => AofState::Ready,
            }
        }
    }

    fn part(&self, index: usize) -> &Part {
        let part = self.manifest.parts().nth(index);
        part.expect("there are so many files")
    }

    fn manifest_answered(
        &mut self,
        mut ahead: ReadAhead,
        mut text: Vec<u8>,
        result: Result<Bytes, DiskFault>,
        ops: &mut Vec<DiskOp>,
    ) -> AofState {
        let name: Box<str> = format!("{}.manifest", self.names.stem).into();
        if let Err(fault) = ahead.handle_done(result, ops) {
            if ahead.is_closed() && fault == DiskFault::NotFound {
                info!("The AOF manifest file {name} doesn't exist");
                return self.look_for_single(ops);
            }
            return self.fail_in(ahead, AofFault::Read { name, fault }, ops);
        }
        while let Some(piece) = ahead.next(ops) {
            text.extend_from_slice(&piece);
        }
        // Longer ones are found faulty for their number of lines.
        let enough = text.len() > AOF_MANIFEST_LINES_MAX * AOF_MANIFEST_LINE_BYTES_MAX;
        if ahead.is_at_end() || enough {
            ahead.close(ops);
        }
        if !ahead.is_closed() {
            self.stage = Stage::Manifest { ahead, text };
            return AofState::Waiting;
        }
        match Manifest::parse(&text) {
            Err(fault) => self.fail_in(ahead, AofFault::Manifest(fault), ops),
            Ok(manifest) => {
                self.manifest = manifest;
                self.find_base(ops)
            }
        }
    }

    fn run(
        &mut self,
        mut steps: VecDeque<DiskOp>,
        behind: Behind,
        ops: &mut Vec<DiskOp>,
    ) -> AofState {
        ops.push(steps.pop_front().expect("there is a step"));
        self.stage = Stage::Steps(steps, behind);
        AofState::Waiting
    }

    fn step_done(
        &mut self,
        rest: VecDeque<DiskOp>,
        behind: Behind,
        result: Result<Bytes, DiskFault>,
        ops: &mut Vec<DiskOp>,
    ) -> AofState {
        let (names, last) = (&self.names, self.lens.len().saturating_sub(1));
        if let Err(fault) = result {
            let why = match behind {
                Behind::Upgrade => AofFault::Upgrade {
                    names: names.clone(),
                    fault,
                },
                Behind::Truncation => AofFault::Truncating {
                    name: self.part(last).name.clone(),
                    fault,
                },
            };
            return AofState::Over(AofEnd::Failed(why));
        }
        if !rest.is_empty() {
            return self.run(rest, behind, ops);
        }
        match behind {
            Behind::Upgrade => {
                let Names { dir, stem } = names;
                info!(
                    "Successfully migrated an old-style AOF file ({stem}) into the AOF directory \
                     ({dir})."
                );
                self.measure(ops)
            }
            Behind::Truncation => {
                let name = &self.part(last).name;
                warn!("AOF {name} loaded anyway because aof-load-truncated is enabled");
                self.complete()
            }
        }
    }

    fn measure(&mut self, ops: &mut Vec<DiskOp>) -> AofState {
        let Some(part) = self.manifest.parts().nth(self.lens.len()) else {
            return self.open_part(0, ops);
        };
        let path = self.names.path(&part.name);
        ops.push(DiskOp::Length { path });
        self.stage = Stage::Measure;
        AofState::Waiting
    }

    fn measured(&mut self, result: Result<Bytes, DiskFault>, ops: &mut Vec<DiskOp>) -> AofState {
        match result {
            Ok(bytes) => {
                let bytes = bytes[..].try_into().expect("a length has eight bytes");
                self.lens.push(u64::from_le_bytes(bytes));
                self.measure(ops)
            }
            Err(fault) => {
                let name = self.part(self.lens.len()).name.clone();
                AofState::Over(AofEnd::Failed(AofFault::Length { name, fault }))
            }
        }
    }

    fn open_part(&mut self, index: usize, ops: &mut Vec<DiskOp>) -> AofState {
        if index == self.lens.len() {
            return self.finish(ops);
        }
        let path = self.names.path(&self.part(index).name);
        let (ahead, op) = ReadAhead::start(self.file, path);
        ops.push(op);
        self.stage = Stage::Part(Box::new(Reading {
            index,
            ahead,
            body: Body::Head(Vec::new()),
            drained: true,
            preamble: 0,
            ended: false,
        }));
        AofState::Waiting
    }

    /// All files were read; the last one may have to be cut back.
    fn finish(&mut self, ops: &mut Vec<DiskOp>) -> AofState {
        let (Some(last), Some(&len)) = (self.manifest.parts().last(), self.lens.last()) else {
            return self.complete();
        };
        if !self.cut {
            return self.complete();
        }
        let (file, path) = (self.file, self.names.path(&last.name));
        let steps = [
            DiskOp::Open {
                file,
                path,
                mode: OpenMode::Append,
            },
            DiskOp::Truncate { file, len },
            DiskOp::Sync { file },
            DiskOp::Close { file },
        ];
        self.run(VecDeque::from(steps), Behind::Truncation, ops)
    }

    fn complete(&mut self) -> AofState {
        let base = self.manifest.base().and_then(|_| self.lens.first());
        AofState::Over(AofEnd::Complete {
            last_len: self.lens.last().copied().unwrap_or(0),
            total_len: self.total(),
            base_len: base.copied().unwrap_or(0),
            manifest: core::mem::take(&mut self.manifest),
        })
    }

    fn begin_body(
        &mut self,
        head: Vec<u8>,
        keyspace: &mut Keyspace,
        keys: &mut usize,
        ops: &mut Vec<DiskOp>,
    ) -> AofState {
        let Stage::Part(reading) = &mut self.stage else {
            unreachable!("a file was being read");
        };
        if !head.starts_with(MAGIC) {
            reading.body = Body::Commands;
            return AofState::Commands(head.into());
        }
        info!("Reading RDB base file on AOF loading...");
        let mut decoder = Decoder::new(self.options);
        decoder.feed(&head);
        // What has expired is kept: commands that follow may still see or revive it.
        let intake = Intake::new(self.now, Expired::Keep);
        reading.body = Body::Rdb(Box::new(decoder), Box::new(intake));
        self.decode(keyspace, keys, ops)
    }

    fn decode(
        &mut self,
        keyspace: &mut Keyspace,
        keys: &mut usize,
        ops: &mut Vec<DiskOp>,
    ) -> AofState {
        let Stage::Part(reading) = &mut self.stage else {
            unreachable!("a file was being read");
        };
        let Body::Rdb(decoder, intake) = &mut reading.body else {
            unreachable!("RDB data was being read");
        };
        match intake.take_from(decoder, keyspace, keys) {
            Ok(drained) => reading.drained = drained,
            Err(why) => return self.preamble_fault(why.to_string(), ops),
        }
        if !decoder.is_done() {
            return self.state();
        }
        let rest = Bytes::copy_from_slice(decoder.rest());
        reading.preamble = decoder.offset();
        self.repl_point = intake.repl_point();
        self.loaded = Some(intake.loaded().clone());
        reading.body = Body::Commands;
        AofState::Commands(rest)
    }

    fn preamble_fault(&mut self, why: String, ops: &mut Vec<DiskOp>) -> AofState {
        let name = self.current().expect("it was read").name.clone();
        self.fail(AofFault::Preamble { name, why }, ops)
    }

    /// Ends with a fault as soon as nothing is in flight.
    fn fail_in(&mut self, mut ahead: ReadAhead, why: AofFault, ops: &mut Vec<DiskOp>) -> AofState {
        ahead.close(ops);
        if ahead.is_closed() {
            self.stage = Stage::Over;
            return AofState::Over(AofEnd::Failed(why));
        }
        self.stage = Stage::Fail(ahead, why);
        AofState::Waiting
    }
}

/// What RDB data begins with.
const MAGIC: &[u8] = b"REDIS";

#[cfg(test)]
mod tests;
