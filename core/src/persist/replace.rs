//! Replacing a file so that a crash at any step leaves either the old or the new content.

use core::fmt;

use bytes::Bytes;

use crate::machine::{DiskFault, DiskOp, FileId, OpenMode};

/// One replacement of a file: a temporary file is written and synced, takes the target's name,
/// and the directory is synced.
///
/// Steps follow each other by [`advance`](Self::advance), each as the one before it is answered.
/// After a fault the temporary file is closed and removed.
#[derive(Debug)]
pub struct Replace {
    step: Step,
    file: FileId,
    temp: Box<str>,
    target: Box<str>,
}

#[derive(Debug)]
enum Step {
    Open {
        image: Bytes,
    },
    Append,
    Sync,
    Close,
    Rename,
    SyncDir,
    /// Closing after a fault.
    Abandon(ReplaceFault),
    /// Removing after a fault.
    Remove(ReplaceFault),
}

/// What comes after a step.
#[derive(Debug)]
#[must_use]
pub enum Advance {
    /// Another one.
    Next(Replace, DiskOp),
    /// The target has its new content, durably.
    Done,
    /// It was given up, and the temporary file removed.
    Failed(ReplaceFault),
}

/// Why a file was not replaced.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct ReplaceFault {
    /// The step that failed.
    pub step: ReplaceStep,
    /// Why.
    pub fault: DiskFault,
}

/// The steps that can fail.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum ReplaceStep {
    /// Making the temporary file.
    Open,
    /// Writing it.
    Append,
    /// Making its content durable.
    Sync,
    /// Closing it.
    Close,
    /// Giving it the target's name.
    Rename,
    /// Making that durable. The target has its new content, but a crash may undo it.
    SyncDir,
    /// None: the caller wanted it no more.
    Cancel,
}

impl Replace {
    /// Starts to replace `target` with `image` by way of `temp`, which lies in the same
    /// directory. `file` must not be in use until the end.
    #[must_use]
    pub fn start(file: FileId, temp: Box<str>, target: Box<str>, image: Bytes) -> (Self, DiskOp) {
        assert_ne!(temp, target, "the target is never written in place");
        let (path, mode) = (temp.clone(), OpenMode::Create);
        let step = Step::Open { image };
        (
            Self {
                step,
                file,
                temp,
                target,
            },
            DiskOp::Open { file, path, mode },
        )
    }

    /// Starts after the caller has written `temp` to its end.
    #[must_use]
    pub fn seal(file: FileId, temp: Box<str>, target: Box<str>) -> (Self, DiskOp) {
        assert_ne!(temp, target, "the target is never written in place");
        (
            Self {
                step: Step::Sync,
                file,
                temp,
                target,
            },
            DiskOp::Sync { file },
        )
    }

    /// Gives up what the caller has written to `temp`, which is open.
    #[must_use]
    pub fn abandon(file: FileId, temp: Box<str>, why: ReplaceFault) -> (Self, DiskOp) {
        let target = Box::default();
        (
            Self {
                step: Step::Abandon(why),
                file,
                temp,
                target,
            },
            DiskOp::Close { file },
        )
    }

    /// Whether the step that is under way gives the target its content, or one behind that.
    #[must_use]
    pub const fn is_named(&self) -> bool {
        matches!(self.step, Step::Rename | Step::SyncDir)
    }

    /// Takes the answer to the step before.
    pub fn advance(self, result: Result<(), DiskFault>) -> Advance {
        let Self {
            step,
            file,
            temp,
            target,
        } = self;
        let next = |step, op| {
            Advance::Next(
                Self {
                    step,
                    file,
                    temp: temp.clone(),
                    target: target.clone(),
                },
                op,
            )
        };
        match (step, result) {
            (Step::Open { image }, Ok(())) => {
                next(Step::Append, DiskOp::Append { file, data: image })
            }
            (Step::Append, Ok(())) => next(Step::Sync, DiskOp::Sync { file }),
            (Step::Sync, Ok(())) => next(Step::Close, DiskOp::Close { file }),
            (Step::Close, Ok(())) => {
                let (from, to) = (temp.clone(), target.clone());
                next(Step::Rename, DiskOp::Rename { from, to })
            }
            (Step::Rename, Ok(())) => next(
                Step::SyncDir,
                DiskOp::SyncDir {
                    path: directory_of(&target).into(),
                },
            ),
            (Step::SyncDir, Ok(())) => Advance::Done,
            (Step::Open { .. }, Err(fault)) => Advance::Failed(ReplaceFault {
                step: ReplaceStep::Open,
                fault,
            }),
            (Step::SyncDir, Err(fault)) => Advance::Failed(ReplaceFault {
                step: ReplaceStep::SyncDir,
                fault,
            }),
            (Step::Append, Err(fault)) => {
                let why = ReplaceFault {
                    step: ReplaceStep::Append,
                    fault,
                };
                next(Step::Abandon(why), DiskOp::Close { file })
            }
            (Step::Sync, Err(fault)) => {
                let why = ReplaceFault {
                    step: ReplaceStep::Sync,
                    fault,
                };
                next(Step::Abandon(why), DiskOp::Close { file })
            }
            // A file that could not be closed is closed all the same, as Linux has it.
            (Step::Close, Err(fault)) => {
                let why = ReplaceFault {
                    step: ReplaceStep::Close,
                    fault,
                };
                next(Step::Remove(why), DiskOp::Remove { path: temp.clone() })
            }
            (Step::Rename, Err(fault)) => {
                let why = ReplaceFault {
                    step: ReplaceStep::Rename,
                    fault,
                };
                next(Step::Remove(why), DiskOp::Remove { path: temp.clone() })
            }
            (Step::Abandon(why), Ok(()) | Err(_)) => {
                next(Step::Remove(why), DiskOp::Remove { path: temp.clone() })
            }
            (Step::Remove(why), Ok(()) | Err(_)) => Advance::Failed(why),
        }
    }
}

impl fmt::Display for ReplaceFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = match self.step {
            ReplaceStep::Open => "opening the temporary file",
            ReplaceStep::Append => "writing the temporary file",
            ReplaceStep::Sync => "syncing the temporary file",
            ReplaceStep::Close => "closing the temporary file",
            ReplaceStep::Rename => "renaming the temporary file",
            ReplaceStep::SyncDir => "syncing the directory",
            ReplaceStep::Cancel => return f.write_str("it was cancelled"),
        };
        write!(f, "{what}: {}", self.fault)
    }
}

/// The directory that a path lies in.
#[must_use]
pub fn directory_of(path: &str) -> &str {
    match path.rsplit_once('/') {
        None => ".",
        Some(("", _)) => "/",
        Some((directory, _)) => directory,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FAULT: DiskFault = DiskFault::Failed { errno: 5 };

    /// All ops, with the answer `Err` for the one at `failing`, and the end.
    fn run(failing: usize) -> (Vec<DiskOp>, Option<ReplaceFault>) {
        let image = Bytes::from_static(b"new");
        let (mut replace, op) = Replace::start(FileId(7), "d/temp".into(), "d/file".into(), image);
        let mut ops = vec![op];
        loop {
            let result = if ops.len() - 1 == failing {
                Err(FAULT)
            } else {
                Ok(())
            };
            match replace.advance(result) {
                Advance::Next(next, op) => {
                    replace = next;
                    ops.push(op);
                }
                Advance::Done => return (ops, None),
                Advance::Failed(fault) => return (ops, Some(fault)),
            }
        }
    }

    fn sound_ops() -> Vec<DiskOp> {
        let file = FileId(7);
        vec![
            DiskOp::Open {
                file,
                path: "d/temp".into(),
                mode: OpenMode::Create,
            },
            DiskOp::Append {
                file,
                data: Bytes::from_static(b"new"),
            },
            DiskOp::Sync { file },
            DiskOp::Close { file },
            DiskOp::Rename {
                from: "d/temp".into(),
                to: "d/file".into(),
            },
            DiskOp::SyncDir { path: "d".into() },
        ]
    }

    #[test]
    fn the_target_appears_only_with_durable_content() {
        assert_eq!(run(usize::MAX), (sound_ops(), None));
    }

    #[test]
    fn a_fault_at_any_step_leaves_no_temporary_file() {
        use ReplaceStep::{Append, Close, Open, Rename, Sync, SyncDir};
        for (failing, step) in [Open, Append, Sync, Close, Rename, SyncDir]
            .into_iter()
            .enumerate()
        {
            let (ops, fault) = run(failing);
            assert_eq!(fault, Some(ReplaceFault { step, fault: FAULT }));
            assert_eq!(ops[..=failing], sound_ops()[..=failing]);
            let close = DiskOp::Close { file: FileId(7) };
            let remove = DiskOp::Remove {
                path: "d/temp".into(),
            };
            let cleanup = match step {
                Append | Sync => vec![close, remove],
                Close | Rename => vec![remove],
                Open | SyncDir | ReplaceStep::Cancel => vec![],
            };
            assert_eq!(ops[failing + 1..], cleanup);
        }
    }

    #[test]
    fn the_directory_of_a_path_is_never_empty() {
        assert_eq!(directory_of("dump.rdb"), ".");
        assert_eq!(directory_of("/dump.rdb"), "/");
        assert_eq!(directory_of("/var/lib/dump.rdb"), "/var/lib");
    }
}
