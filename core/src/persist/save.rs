//! Writing a snapshot to a file that then replaces the old one.

use std::collections::VecDeque;

use bytes::Bytes;

use crate::limits::{SAVE_APPENDS_IN_FLIGHT_MAX, SAVE_SYNC_BYTES};
use crate::machine::{DiskFault, DiskOp, FileId, OpenMode};
use crate::persist::replace::{Advance, Replace, ReplaceFault, ReplaceStep};

/// A file being written chunk by chunk under a temporary name.
///
/// The answers to its ops come in the order of the ops. It asks for chunks only while few are on
/// their way to the disk, so whoever makes them is paced by the disk.
#[derive(Debug)]
pub struct Save {
    phase: Phase,
    file: FileId,
    temp: Box<str>,
    target: Box<str>,
    /// Steps that were not answered, oldest first.
    in_flight: VecDeque<ReplaceStep>,
    appended: u64,
    /// Bytes appended since the last sync was asked for.
    unsynced: usize,
    syncs_by_and_by: bool,
    cancelled: bool,
    /// No more chunks will come.
    ended: bool,
}

#[derive(Debug)]
enum Phase {
    /// The file is being made.
    Open,
    Write,
    /// All chunks are on their way.
    Drain,
    /// It failed, or was cancelled; what is in flight is waited for.
    Fail(ReplaceFault),
    /// The file is whole and takes its name, or is being removed.
    Finish(Replace),
    Over,
}

/// Ends a file that is not wanted any more as a fault would.
const CANCELLED: DiskFault = DiskFault::Failed { errno: 0 };

/// What became of the file.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum SaveState {
    /// It is being written.
    Working,
    /// It is durable and has its name.
    Saved,
    /// It is gone, and the old one is untouched (unless only the last sync of the directory
    /// failed).
    Failed(ReplaceFault),
}

impl Save {
    /// Begins to write `temp`, which will replace `target` in the same directory. `file` must not
    /// be in use until the end. `syncs_by_and_by` spreads the work of syncing over the time of
    /// writing (`rdb-save-incremental-fsync`).
    #[must_use]
    pub fn start(
        file: FileId,
        temp: Box<str>,
        target: Box<str>,
        syncs_by_and_by: bool,
    ) -> (Self, DiskOp) {
        let (path, mode) = (temp.clone(), OpenMode::CreateDirect);
        let save = Self {
            phase: Phase::Open,
            file,
            temp,
            target,
            in_flight: VecDeque::from([ReplaceStep::Open]),
            appended: 0,
            unsynced: 0,
            syncs_by_and_by,
            cancelled: false,
            ended: false,
        };
        (save, DiskOp::Open { file, path, mode })
    }

    /// Whether the next chunk may be appended.
    #[must_use]
    pub fn has_room(&self) -> bool {
        matches!(self.phase, Phase::Write) && self.in_flight.len() < SAVE_APPENDS_IN_FLIGHT_MAX
    }

    /// Appends a chunk. There must be room.
    pub fn append(&mut self, chunk: Bytes, ops: &mut Vec<DiskOp>) {
        assert!(self.has_room(), "a chunk is appended while there is room");
        self.appended += u64::try_from(chunk.len()).expect("a length fits 64 bits");
        self.unsynced += chunk.len();
        self.in_flight.push_back(ReplaceStep::Append);
        ops.push(DiskOp::Append {
            file: self.file,
            data: chunk,
        });
        if self.syncs_by_and_by && self.unsynced >= SAVE_SYNC_BYTES {
            self.unsynced = 0;
            self.in_flight.push_back(ReplaceStep::Sync);
            ops.push(DiskOp::Sync { file: self.file });
        }
    }

    /// Says that all chunks were appended.
    pub fn end(&mut self, ops: &mut Vec<DiskOp>) {
        self.ended = true;
        if matches!(self.phase, Phase::Write) {
            self.phase = Phase::Drain;
            self.go_on(ops);
        }
    }

    /// Gives up: the temporary file is removed. The state says when. If the step that gives the
    /// file its name was asked for already, that is what becomes of it.
    pub fn cancel(&mut self, ops: &mut Vec<DiskOp>) {
        self.cancelled = true;
        if matches!(self.phase, Phase::Open | Phase::Write | Phase::Drain) {
            self.phase = Phase::Fail(ReplaceFault {
                step: ReplaceStep::Cancel,
                fault: CANCELLED,
            });
            self.go_on(ops);
        }
    }

    /// Takes the answer to the oldest op.
    pub fn handle_done(
        &mut self,
        result: Result<(), DiskFault>,
        ops: &mut Vec<DiskOp>,
    ) -> SaveState {
        if let Phase::Finish(_) = self.phase {
            return self.finish(result, ops);
        }
        let step = self
            .in_flight
            .pop_front()
            .expect("an answer belongs to an op");
        match (&self.phase, result) {
            (Phase::Open, Ok(())) if self.ended => self.phase = Phase::Drain,
            (Phase::Open, Ok(())) => self.phase = Phase::Write,
            // The first fault is the one that is reported.
            (Phase::Fail(_), _) | (Phase::Write | Phase::Drain, Ok(())) => {}
            (Phase::Open | Phase::Write | Phase::Drain, Err(fault)) => {
                self.phase = Phase::Fail(ReplaceFault { step, fault });
            }
            (Phase::Finish(_) | Phase::Over, _) => unreachable!("no op is left to be answered"),
        }
        match self.phase {
            Phase::Fail(why) if step == ReplaceStep::Open && result.is_err() => {
                self.phase = Phase::Over;
                SaveState::Failed(why)
            }
            Phase::Open | Phase::Write | Phase::Drain | Phase::Fail(_) => {
                self.go_on(ops);
                SaveState::Working
            }
            Phase::Finish(_) | Phase::Over => unreachable!("neither follows an answer at once"),
        }
    }

    /// The name of the file until it is whole.
    #[must_use]
    pub fn temp(&self) -> &str {
        &self.temp
    }

    /// Bytes appended so far.
    #[must_use]
    pub fn appended(&self) -> u64 {
        self.appended
    }

    /// Goes on to the end once nothing is in flight.
    fn go_on(&mut self, ops: &mut Vec<DiskOp>) {
        if !self.in_flight.is_empty() {
            return;
        }
        let (temp, target) = (self.temp.clone(), self.target.clone());
        let (replace, op) = match self.phase {
            Phase::Drain => Replace::seal(self.file, temp, target),
            Phase::Fail(why) => Replace::abandon(self.file, temp, why),
            Phase::Open | Phase::Write | Phase::Finish(_) | Phase::Over => return,
        };
        self.phase = Phase::Finish(replace);
        ops.push(op);
    }

    fn finish(&mut self, result: Result<(), DiskFault>, ops: &mut Vec<DiskOp>) -> SaveState {
        let Phase::Finish(replace) = core::mem::replace(&mut self.phase, Phase::Over) else {
            unreachable!("the file is being finished");
        };
        let given_up = self.cancelled && !replace.is_named();
        let result = if given_up { Err(CANCELLED) } else { result };
        match replace.advance(result) {
            Advance::Next(replace, op) => {
                self.phase = Phase::Finish(replace);
                ops.push(op);
                SaveState::Working
            }
            Advance::Done => SaveState::Saved,
            Advance::Failed(why) => SaveState::Failed(why),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::RDB_CHUNK_BYTES;

    const FAULT: DiskFault = DiskFault::NoSpace;
    const FILE: FileId = FileId(3);

    fn started() -> (Save, Vec<DiskOp>) {
        let (save, op) = Save::start(FILE, "temp-1.rdb".into(), "dump.rdb".into(), true);
        (save, vec![op])
    }

    /// Writes `chunks` of the usual size, with the answer `Err` for the op at `failing`.
    fn run(chunks: usize, failing: usize) -> (Vec<DiskOp>, SaveState) {
        let (mut save, mut ops) = started();
        let (mut left, mut answered) = (chunks, 0);
        loop {
            while left > 0 && save.has_room() {
                save.append(Bytes::from(vec![7; RDB_CHUNK_BYTES]), &mut ops);
                left -= 1;
            }
            if left == 0 {
                save.end(&mut ops);
            }
            assert!(ops.len() - answered <= SAVE_APPENDS_IN_FLIGHT_MAX + 1);
            let result = if answered == failing {
                Err(FAULT)
            } else {
                Ok(())
            };
            answered += 1;
            let state = save.handle_done(result, &mut ops);
            if state != SaveState::Working {
                assert_eq!(answered, ops.len(), "no op is left to be answered");
                return (ops, state);
            }
        }
    }

    fn tail(ops: &[DiskOp], len: usize) -> &[DiskOp] {
        &ops[ops.len() - len..]
    }

    #[test]
    fn a_file_is_synced_before_it_takes_its_name() {
        const CHUNKS: usize = 2 * SAVE_SYNC_BYTES / RDB_CHUNK_BYTES + 1;
        let (ops, state) = run(CHUNKS, usize::MAX);
        assert_eq!(state, SaveState::Saved);
        let expected = [
            DiskOp::Sync { file: FILE },
            DiskOp::Close { file: FILE },
            DiskOp::Rename {
                from: "temp-1.rdb".into(),
                to: "dump.rdb".into(),
            },
            DiskOp::SyncDir { path: ".".into() },
        ];
        assert_eq!(tail(&ops, 4), expected);
        let appends = ops
            .iter()
            .filter(|op| matches!(op, DiskOp::Append { .. }))
            .count();
        assert_eq!(appends, CHUNKS);
        let syncs = ops
            .iter()
            .filter(|op| matches!(op, DiskOp::Sync { .. }))
            .count();
        assert_eq!(syncs, 1 + 2);
    }

    #[test]
    fn a_file_without_bytes_is_whole_as_soon_as_it_is_there() {
        for late in [false, true] {
            let (mut save, mut ops) = started();
            if !late {
                save.end(&mut ops);
            }
            let mut state = save.handle_done(Ok(()), &mut ops);
            if late {
                save.end(&mut ops);
            }
            while state == SaveState::Working {
                state = save.handle_done(Ok(()), &mut ops);
            }
            assert_eq!(state, SaveState::Saved);
            assert_eq!(ops.len(), 5);
        }
    }

    #[test]
    fn a_fault_at_any_step_leaves_no_temporary_file() {
        let (sound, _) = run(9, usize::MAX);
        for failing in 0..sound.len() {
            let (ops, state) = run(9, failing);
            let SaveState::Failed(why) = state else {
                panic!("{failing}: {state:?}")
            };
            assert_eq!(why.fault, FAULT);
            let renamed = ops.iter().any(|op| matches!(op, DiskOp::Rename { .. }));
            let removed = ops.last()
                == Some(&DiskOp::Remove {
                    path: "temp-1.rdb".into(),
                });
            match why.step {
                ReplaceStep::Open => assert_eq!(ops.len(), 1),
                ReplaceStep::Append | ReplaceStep::Sync | ReplaceStep::Close => {
                    assert!(removed);
                    assert!(!renamed);
                }
                ReplaceStep::Rename => assert!(removed),
                ReplaceStep::SyncDir => assert!(renamed),
                ReplaceStep::Cancel => panic!("nobody cancelled"),
            }
        }
    }

    #[test]
    fn a_cancelled_file_waits_for_what_is_in_flight() {
        let (mut save, mut ops) = started();
        assert_eq!(save.handle_done(Ok(()), &mut ops), SaveState::Working);
        save.append(Bytes::from_static(b"a"), &mut ops);
        save.append(Bytes::from_static(b"b"), &mut ops);
        save.cancel(&mut ops);
        save.end(&mut ops);
        assert!(!save.has_room());
        assert_eq!(ops.len(), 3);
        assert_eq!(save.handle_done(Ok(()), &mut ops), SaveState::Working);
        assert_eq!(save.handle_done(Err(FAULT), &mut ops), SaveState::Working);
        assert_eq!(ops.last(), Some(&DiskOp::Close { file: FILE }));
        assert_eq!(save.handle_done(Ok(()), &mut ops), SaveState::Working);
        let SaveState::Failed(why) = save.handle_done(Ok(()), &mut ops) else {
            panic!("cancelled")
        };
        assert_eq!(why.step, ReplaceStep::Cancel);
        assert_eq!(
            ops.last(),
            Some(&DiskOp::Remove {
                path: "temp-1.rdb".into()
            })
        );
    }

    #[test]
    fn a_whole_file_that_is_cancelled_takes_its_name_only_if_that_was_asked_for() {
        for (answered, renamed) in [(2, false), (3, false), (4, true), (5, true)] {
            let (mut save, mut ops) = started();
            let _ = save.handle_done(Ok(()), &mut ops);
            save.append(Bytes::from_static(b"a"), &mut ops);
            save.end(&mut ops);
            let mut state = SaveState::Working;
            for number in 1.. {
                if number == answered {
                    save.cancel(&mut ops);
                }
                if state != SaveState::Working {
                    break;
                }
                state = save.handle_done(Ok(()), &mut ops);
            }
            let named = ops.iter().any(|op| matches!(op, DiskOp::Rename { .. }));
            assert_eq!(named, renamed, "{answered}");
            assert_eq!(state == SaveState::Saved, renamed, "{answered}");
        }
    }

    #[test]
    fn a_file_that_is_cancelled_before_it_is_made_is_removed() {
        let (mut save, mut ops) = started();
        save.cancel(&mut ops);
        assert_eq!(save.handle_done(Ok(()), &mut ops), SaveState::Working);
        assert_eq!(save.handle_done(Ok(()), &mut ops), SaveState::Working);
        assert_eq!(
            tail(&ops, 2)[1],
            DiskOp::Remove {
                path: "temp-1.rdb".into()
            }
        );
        assert!(matches!(
            save.handle_done(Ok(()), &mut ops),
            SaveState::Failed(_)
        ));
    }
}
