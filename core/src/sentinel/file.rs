//! The files of a Sentinel: read before they are written, so that the operator's lines survive, and
//! replaced as a whole, if they change.

use bytes::Bytes;

use crate::limits::SENTINEL_FILE_BYTES_MAX;
use crate::machine::{DiskFault, DiskOp, FileId, OpenMode};
use crate::persist::replace::{Advance, Replace};

/// A file of a Sentinel, and how far a save of it is.
#[derive(Debug)]
pub(super) struct StateFile {
    which: Which,
    path: Box<str>,
    step: Step,
    /// What the disk holds for sure, once it was written by this process.
    durable: Option<Vec<u8>>,
    /// What is being written.
    writing: Vec<u8>,
}

/// Which file.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Which {
    /// The one with what was learnt.
    State,
    /// The operator's, where that is another one.
    Settings,
}

/// Where a save stands. Each step waits for one completion.
#[derive(Debug)]
enum Step {
    /// There is none.
    Idle,
    /// The file is being opened.
    Open,
    /// This much of it was read.
    Read(Vec<u8>),
    /// All of it was read, or that failed, and it is being closed.
    Close(Result<Vec<u8>, SaveFault>),
    /// The new text is being written.
    Replace(Replace),
}

/// What a save needs next.
#[derive(Debug)]
pub(super) enum Next {
    /// A step on the disk.
    Op(DiskOp),
    /// The new text, made from the old one; goes to [`StateFile::write`].
    Image(Vec<u8>),
    /// Nothing: it is over.
    Done(Result<(), SaveFault>),
}

/// Why a state was not saved, in words.
pub(super) type SaveFault = String;

const READ_BYTES: u32 = 1024 * 1024;

impl StateFile {
    /// The file at a path.
    pub(super) fn new(which: Which, path: &str) -> Self {
        Self {
            which,
            path: path.into(),
            step: Step::Idle,
            durable: None,
            writing: Vec::new(),
        }
    }

    /// The file id saves use; one save of a file is under way at a time.
    const fn id(&self) -> FileId {
        match self.which {
            Which::State => FileId(0),
            Which::Settings => FileId(1),
        }
    }

    /// Where it is.
    pub(super) fn path(&self) -> &str {
        &self.path
    }

    /// Whether this process has saved it, and nothing went wrong since.
    pub(super) fn was_written(&self) -> bool {
        self.durable.is_some()
    }

    /// Begins a save.
    pub(super) fn begin(&mut self) -> DiskOp {
        assert!(matches!(self.step, Step::Idle), "one save at a time");
        self.step = Step::Open;
        DiskOp::Open {
            file: self.id(),
            path: self.path.clone(),
            mode: OpenMode::Read,
        }
    }

    /// Whether a save is over without a step, `old` being all of the text to write.
    ///
    /// What was learnt has to be durable, of which only what this process has written is sure.
    /// An operator's file that says it all is left alone.
    pub(super) fn is_saved(&self, old: &[u8], text: &[u8]) -> bool {
        old == text
            && match self.which {
                Which::State => self.durable.as_deref() == Some(text),
                Which::Settings => true,
            }
    }

    /// Goes on with the text to write.
    pub(super) fn write(&mut self, text: Vec<u8>) -> DiskOp {
        assert!(
            matches!(self.step, Step::Idle),
            "the old text was handed out"
        );
        self.durable = None;
        self.writing.clone_from(&text);
        let temp = format!("{}.tmp", self.path).into();
        let (replace, op) = Replace::start(self.id(), temp, self.path.clone(), text.into());
        self.step = Step::Replace(replace);
        op
    }

    /// Takes the completion of the last step.
    pub(super) fn advance(&mut self, result: Result<Bytes, DiskFault>) -> Next {
        match core::mem::replace(&mut self.step, Step::Idle) {
            Step::Idle => panic!("a completion without a save"),
            Step::Open => match result {
                Ok(_) => self.read(Vec::new()),
                // Removed by the operator, it is made anew.
                Err(DiskFault::NotFound) => Next::Image(Vec::new()),
                Err(fault) => Next::Done(Err(format!("opening it: {fault:?}"))),
            },
            Step::Read(mut text) => match result {
                Ok(more) if more.is_empty() => self.close(Ok(text)),
                Ok(more) if text.len() + more.len() <= SENTINEL_FILE_BYTES_MAX => {
                    text.extend_from_slice(&more);
                    self.read(text)
                }
                Ok(_) => {
                    let limit = SENTINEL_FILE_BYTES_MAX;
                    self.close(Err(format!("it is longer than {limit} bytes")))
                }
                Err(fault) => self.close(Err(format!("reading it: {fault:?}"))),
            },
            Step::Close(Ok(text)) => Next::Image(text),
            Step::Close(Err(fault)) => Next::Done(Err(fault)),
            Step::Replace(replace) => match replace.advance(result.map(|_| ())) {
                Advance::Next(replace, op) => {
                    self.step = Step::Replace(replace);
                    Next::Op(op)
                }
                Advance::Done => {
                    self.durable = Some(core::mem::take(&mut self.writing));
                    Next::Done(Ok(()))
                }
                Advance::Failed(fault) => Next::Done(Err(fault.to_string())),
            },
        }
    }

    fn read(&mut self, text: Vec<u8>) -> Next {
        let at = u64::try_from(text.len()).expect("a length fits");
        self.step = Step::Read(text);
        Next::Op(DiskOp::Read {
            file: self.id(),
            at,
            len: READ_BYTES,
        })
    }

    fn close(&mut self, text: Result<Vec<u8>, SaveFault>) -> Next {
        self.step = Step::Close(text);
        Next::Op(DiskOp::Close { file: self.id() })
    }
}
