//! The file of ACL LOAD and ACL SAVE: read as a whole, and replaced as a whole.

use crate::limits::{ACL_FILE_BYTES_MAX, FILE_READ_BYTES};
use crate::machine::{DiskFault, DiskOp, FileId, OpenMode};
use crate::persist::replace::{Advance, Replace};
use bytes::Bytes;
use std::collections::VecDeque;

/// The work on the file, one job after the other. `W` names who waits for a job.
#[derive(Debug)]
pub struct AclFile<W> {
    path: Box<str>,
    file: FileId,
    step: Step,
    /// The first one is being done.
    jobs: VecDeque<(Job, W)>,
}

/// What is asked for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Job {
    /// ACL LOAD
    Load,
    /// ACL SAVE
    Save,
}

#[derive(Debug)]
enum Step {
    Idle,
    Opening,
    Reading(Vec<u8>),
    Closing(Result<Vec<u8>, String>),
    Replacing(Replace),
}

/// What comes next.
#[derive(Debug)]
pub enum Next<W> {
    /// A step on the disk.
    Op(DiskOp),
    /// The file was read, or what to answer since it could not be.
    Loaded(W, Result<Vec<u8>, Vec<u8>>),
    /// The file was written, or what to answer since it could not be.
    Saved(W, Result<(), Vec<u8>>),
}

const NOT_SAVED: &[u8] = b"There was an error trying to save the ACLs. Please check the server \
                           logs for more information";

impl<W> AclFile<W> {
    /// The work on the file at a path, as `file`, which nothing else uses.
    pub fn new(path: &str, file: FileId) -> Self {
        Self {
            path: path.into(),
            file,
            step: Step::Idle,
            jobs: VecDeque::new(),
        }
    }

    /// How many jobs are not done.
    pub fn len(&self) -> usize {
        self.jobs.len()
    }

    /// Whether all is done.
    pub fn is_empty(&self) -> bool {
        self.jobs.is_empty()
    }

    /// Whether someone waits for a job.
    pub fn waits(&self, is_meant: impl Fn(&W) -> bool) -> bool {
        self.jobs.iter().any(|(_, waiter)| is_meant(waiter))
    }

    /// Takes a job.
    pub fn ask(&mut self, job: Job, waiter: W) {
        self.jobs.push_back((job, waiter));
    }

    /// Begins the next job unless one is under way. `image` makes the text to save; the process's
    /// number tells its temporary file from those of others.
    pub fn begin(&mut self, pid: u32, image: impl FnOnce() -> Vec<u8>) -> Option<DiskOp> {
        if !matches!(self.step, Step::Idle) {
            return None;
        }
        let file = self.file;
        let (job, _) = self.jobs.front()?;
        Some(match job {
            Job::Load => {
                self.step = Step::Opening;
                let (path, mode) = (self.path.clone(), OpenMode::Read);
                DiskOp::Open { file, path, mode }
            }
            Job::Save => {
                let image = Bytes::from(image());
                let path = self.path.clone();
                let temp = format!("{path}.tmp-{pid}").into();
                let (replace, op) = Replace::start(file, temp, path, image);
                self.step = Step::Replacing(replace);
                op
            }
        })
    }

    /// Takes the completion of the last step. After the end of a job the next one is begun by
    /// [`begin`](Self::begin).
    pub fn advance(&mut self, result: Result<Bytes, DiskFault>) -> Next<W> {
        match core::mem::replace(&mut self.step, Step::Idle) {
            Step::Idle => panic!("a completion without a job"),
            Step::Opening => match result {
                Ok(_) => self.read(Vec::new()),
                Err(fault) => {
                    let path = &self.path;
                    self.loaded(Err(format!("opening file '{path}': {fault}")))
                }
            },
            Step::Reading(mut text) => match result {
                Ok(more) if more.is_empty() => self.close(Ok(text)),
                Ok(more) if text.len() + more.len() <= ACL_FILE_BYTES_MAX => {
                    text.extend_from_slice(&more);
                    self.read(text)
                }
                Ok(_) => {
                    let path = &self.path;
                    let limit = ACL_FILE_BYTES_MAX;
                    self.close(Err(format!("file '{path}' is longer than {limit} bytes")))
                }
                Err(fault) => {
                    let path = &self.path;
                    self.close(Err(format!("reading file '{path}': {fault}")))
                }
            },
            Step::Closing(text) => self.loaded(text),
            Step::Replacing(replace) => match replace.advance(result.map(|_| ())) {
                Advance::Next(replace, op) => {
                    self.step = Step::Replacing(replace);
                    Next::Op(op)
                }
                Advance::Done => Next::Saved(self.done(Job::Save), Ok(())),
                Advance::Failed(fault) => {
                    tracing::warn!("ACL SAVE failed: {fault}");
                    Next::Saved(self.done(Job::Save), Err(NOT_SAVED.to_vec()))
                }
            },
        }
    }

    fn read(&mut self, text: Vec<u8>) -> Next<W> {
        let (file, at, len) = (self.file, text.len() as u64, FILE_READ_BYTES);
        self.step = Step::Reading(text);
        Next::Op(DiskOp::Read { file, at, len })
    }

    fn close(&mut self, text: Result<Vec<u8>, String>) -> Next<W> {
        self.step = Step::Closing(text);
        Next::Op(DiskOp::Close { file: self.file })
    }

    fn loaded(&mut self, text: Result<Vec<u8>, String>) -> Next<W> {
        let failed = |reason| format!("Error loading ACLs, {reason}").into_bytes();
        Next::Loaded(self.done(Job::Load), text.map_err(failed))
    }

    fn done(&mut self, job: Job) -> W {
        let (done, waiter) = self.jobs.pop_front().expect("a step belongs to a job");
        assert_eq!(done, job, "jobs are done in order");
        waiter
    }
}
