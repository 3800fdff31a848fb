//! The configuration file: read before it is written, so that the operator's lines survive, and
//! replaced as a whole.

use bytes::Bytes;

use crate::limits::SENTINEL_FILE_BYTES_MAX;
use crate::machine::{DiskFault, DiskOp, FileId, OpenMode};

/// The file of a Sentinel, and how far a save of it is.
#[derive(Debug)]
pub(super) struct StateFile {
    path: Box<str>,
    step: Step,
}

/// Where a save stands. Each step waits for one completion.
#[derive(Debug)]
enum Step {
    Idle,
    OpenOld,
    ReadOld {
        text: Vec<u8>,
    },
    CloseOld {
        text: Vec<u8>,
    },
    Create {
        image: Bytes,
        temp: Box<str>,
    },
    Append {
        temp: Box<str>,
    },
    Sync {
        temp: Box<str>,
    },
    CloseNew {
        temp: Box<str>,
    },
    Rename {
        temp: Box<str>,
    },
    SyncDir,
    /// Removing what is left of a save that failed.
    Discard {
        temp: Box<str>,
        fault: DiskFault,
    },
    Removing {
        fault: DiskFault,
    },
}

/// What a save needs next.
#[derive(Debug, PartialEq)]
pub(super) enum Next {
    /// A step on the disk.
    Op(DiskOp),
    /// The new text, made from the old one; goes to [`StateFile::write`].
    Image(Vec<u8>),
    /// Nothing: it is over.
    Done(Result<(), DiskFault>),
}

/// The file id saves use; one save is under way at a time.
const FILE: FileId = FileId(0);
const READ_BYTES: u32 = 1024 * 1024;

impl StateFile {
    /// The file at an absolute path.
    pub(super) fn new(path: &str) -> Self {
        Self {
            path: path.into(),
            step: Step::Idle,
        }
    }

    /// Where it is.
    pub(super) fn path(&self) -> &str {
        &self.path
    }

    /// Begins a save.
    pub(super) fn begin(&mut self) -> DiskOp {
        assert!(matches!(self.step, Step::Idle), "one save at a time");
        self.step = Step::OpenOld;
        DiskOp::Open {
            file: FILE,
            path: self.path.clone(),
            mode: OpenMode::Read,
        }
    }

    /// Goes on with the text to write.
    pub(super) fn write(&mut self, image: Vec<u8>) -> DiskOp {
        assert!(
            matches!(self.step, Step::Idle),
            "the old text was handed out"
        );
        let temp: Box<str> = format!("{}.tmp", self.path).into();
        self.step = Step::Create {
            image: image.into(),
            temp: temp.clone(),
        };
        DiskOp::Open {
            file: FILE,
            path: temp,
            mode: OpenMode::Create,
        }
    }

    /// Takes the completion of the last step.
    pub(super) fn advance(&mut self, result: Result<Bytes, DiskFault>) -> Next {
        let step = core::mem::replace(&mut self.step, Step::Idle);
        match (step, result) {
            (Step::Idle, _) => panic!("a completion without a save"),
            (Step::OpenOld, Ok(_)) => self.read(Vec::new()),
            (Step::OpenOld, Err(DiskFault::NotFound)) => Next::Image(Vec::new()),
            (Step::OpenOld, Err(fault)) => Next::Done(Err(fault)),
            (Step::ReadOld { mut text }, Ok(more)) => {
                text.extend_from_slice(&more);
                if more.is_empty() || text.len() > SENTINEL_FILE_BYTES_MAX {
                    self.close_old(text)
                } else {
                    self.read(text)
                }
            }
            (Step::ReadOld { .. }, Err(fault)) => {
                self.step = Step::Removing { fault };
                Next::Op(DiskOp::Close { file: FILE })
            }
            (Step::CloseOld { text }, _) => Next::Image(text),
            (Step::Create { image, temp }, Ok(_)) => {
                self.step = Step::Append { temp };
                Next::Op(DiskOp::Append {
                    file: FILE,
                    data: image,
                })
            }
            (Step::Create { .. }, Err(fault)) => Next::Done(Err(fault)),
            (Step::Append { temp }, Ok(_)) => {
                self.step = Step::Sync { temp };
                Next::Op(DiskOp::Sync { file: FILE })
            }
            (Step::Sync { temp }, Ok(_)) => {
                self.step = Step::CloseNew { temp };
                Next::Op(DiskOp::Close { file: FILE })
            }
            (Step::Append { temp } | Step::Sync { temp }, Err(fault)) => {
                self.step = Step::Discard { temp, fault };
                Next::Op(DiskOp::Close { file: FILE })
            }
            (Step::CloseNew { temp }, Ok(_)) => {
                let op = DiskOp::Rename {
                    from: temp.clone(),
                    to: self.path.clone(),
                };
                self.step = Step::Rename { temp };
                Next::Op(op)
            }
            (Step::CloseNew { temp }, Err(fault)) => self.remove(temp, fault),
            (Step::Discard { temp, fault }, _) => self.remove(temp, fault),
            (Step::Removing { fault }, _) => Next::Done(Err(fault)),
            (Step::Rename { .. }, Ok(_)) => {
                self.step = Step::SyncDir;
                Next::Op(DiskOp::SyncDir {
                    path: directory(&self.path).into(),
                })
            }
            (Step::Rename { temp }, Err(fault)) => self.remove(temp, fault),
            (Step::SyncDir, result) => Next::Done(result.map(|_| ())),
        }
    }

    fn read(&mut self, text: Vec<u8>) -> Next {
        let at = u64::try_from(text.len()).expect("a length fits");
        self.step = Step::ReadOld { text };
        Next::Op(DiskOp::Read {
            file: FILE,
            at,
            len: READ_BYTES,
        })
    }

    fn close_old(&mut self, text: Vec<u8>) -> Next {
        self.step = Step::CloseOld { text };
        Next::Op(DiskOp::Close { file: FILE })
    }

    fn remove(&mut self, temp: Box<str>, fault: DiskFault) -> Next {
        self.step = Step::Removing { fault };
        Next::Op(DiskOp::Remove { path: temp })
    }
}

fn directory(path: &str) -> &str {
    match path.rfind('/') {
        Some(0) => "/",
        Some(at) => &path[..at],
        None => ".",
    }
}
