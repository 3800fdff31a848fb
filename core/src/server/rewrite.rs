//! CONFIG REWRITE: the file is read, rewritten and replaced, without stopping for any of it.

use super::Server;
use super::state::{Purpose, State};
use crate::command::cx::Cx;
use crate::config;
use crate::conn::SlotId;
use crate::limits;
use crate::machine::{ConnId, DiskFault, DiskOp, Done, FileId, OpenMode};
use crate::persist::replace::{Advance, Replace};
use bytes::Bytes;

/// Where the rewriting of the configuration file stands.
#[derive(Debug, Default)]
pub(super) struct Rewriter {
    step: Step,
    /// Replies to give when the pass that runs is over.
    waiting: Vec<(ConnId, SlotId)>,
    /// Replies that want another pass, since the parameters may have changed meanwhile.
    again: Vec<(ConnId, SlotId)>,
}

#[derive(Debug, Default)]
enum Step {
    #[default]
    Idle,
    Opening,
    Reading {
        text: Vec<u8>,
    },
    Closing {
        text: Result<Vec<u8>, DiskFault>,
    },
    Replacing(Replace),
}

/// The file id of the configuration file; no other part uses it.
const FILE: FileId = FileId(1);

impl Cx<'_> {
    /// Rewrites the configuration file; the reply is given when that is done.
    pub fn reply_when_rewritten(&mut self) {
        let conn = self.data.conn;
        let slot = self.out.out().defer();
        let st = &mut *self.data.st;
        if matches!(st.rewriter.step, Step::Idle) {
            st.rewriter.waiting.push((conn, slot));
            st.start_rewrite();
        } else {
            st.rewriter.again.push((conn, slot));
        }
    }
}

impl State {
    fn start_rewrite(&mut self) {
        let path = self
            .config
            .file()
            .expect("only a server with a file rewrites it")
            .into();
        self.rewriter.step = Step::Opening;
        let op = DiskOp::Open {
            file: FILE,
            path,
            mode: OpenMode::Read,
        };
        self.effects.disk(Purpose::Rewrite, op);
    }

    fn read_on(&mut self, text: Vec<u8>) {
        let (at, len) = (text.len() as u64, limits::FILE_READ_BYTES);
        self.rewriter.step = Step::Reading { text };
        self.effects.disk(
            Purpose::Rewrite,
            DiskOp::Read {
                file: FILE,
                at,
                len,
            },
        );
    }

    fn close_file(&mut self, text: Result<Vec<u8>, DiskFault>) {
        self.rewriter.step = Step::Closing { text };
        self.effects
            .disk(Purpose::Rewrite, DiskOp::Close { file: FILE });
    }

    fn replace_file(&mut self, old: &[u8]) {
        let path = self
            .config
            .file()
            .expect("only a server with a file rewrites it");
        let temp = format!("{path}-{}.tmp", self.launch.pid);
        let image = Bytes::from(config::rewrite(old, &self.config, &self.user_lines()));
        let (replace, op) = Replace::start(FILE, temp.into(), path.into(), image);
        self.rewriter.step = Step::Replacing(replace);
        self.effects.disk(Purpose::Rewrite, op);
    }

    /// What `user` lines say. With a file of users there are none.
    fn user_lines(&self) -> Vec<Vec<u8>> {
        if !self.config.aclfile().is_empty() {
            return Vec::new();
        }
        let users = self.users.iter();
        users
            .map(|(name, user)| [name, b" ", &user.describe()[..]].concat())
            .collect()
    }

    fn rewrite_ended(&mut self, error: Option<String>) {
        self.rewriter.step = Step::Idle;
        let reply = match &error {
            None => {
                tracing::info!("CONFIG REWRITE executed with success.");
                "+OK\r\n".to_string()
            }
            Some(error) => {
                tracing::warn!("CONFIG REWRITE failed: {error}");
                self.stats.count_error("ERR");
                format!("-ERR Rewriting config file: {error}\r\n")
            }
        };
        for (conn, slot) in core::mem::take(&mut self.rewriter.waiting) {
            self.conns.fill(conn, slot, reply.as_bytes());
        }
        self.rewriter.waiting = core::mem::take(&mut self.rewriter.again);
        if !self.rewriter.waiting.is_empty() {
            self.start_rewrite();
        }
    }
}

impl Server {
    /// A step of the rewriting is done.
    pub(super) fn rewrite_answered(&mut self, done: Done) {
        let Done::Disk(result) = done else {
            unreachable!("a Disk is answered in kind")
        };
        let st = &mut self.st;
        match (core::mem::take(&mut st.rewriter.step), result) {
            (Step::Opening, Ok(_)) => st.read_on(Vec::new()),
            // A file that was removed meanwhile is written anew.
            (Step::Opening, Err(DiskFault::NotFound)) => st.replace_file(b""),
            (Step::Reading { text }, Ok(bytes)) if bytes.is_empty() => st.close_file(Ok(text)),
            (Step::Reading { mut text }, Ok(bytes)) => {
                text.extend_from_slice(&bytes);
                st.read_on(text);
            }
            (Step::Reading { .. }, Err(fault)) => st.close_file(Err(fault)),
            (Step::Closing { text: Ok(text) }, _) => st.replace_file(&text),
            (Step::Replacing(replace), result) => match replace.advance(result.map(|_| ())) {
                Advance::Next(replace, op) => {
                    st.rewriter.step = Step::Replacing(replace);
                    st.effects.disk(Purpose::Rewrite, op);
                }
                Advance::Done => st.rewrite_ended(None),
                Advance::Failed(fault) => st.rewrite_ended(Some(fault.to_string())),
            },
            (Step::Opening, Err(fault)) | (Step::Closing { text: Err(fault) }, _) => {
                st.rewrite_ended(Some(format!("the file can't be read: {fault:?}")));
            }
            (Step::Idle, _) => unreachable!("a completion answers a step"),
        }
    }
}
