//! Clients that wait, and what ends their waiting.

use super::Server;
use super::blocked::{Wait, Wish};
use super::client::ClientFlags;
use super::key_waits::Fits;
use super::state::State;
use crate::command::cx::{Cx, Origin, code_of};
use crate::command::fail::Fail;
use crate::machine::ConnId;
use crate::repl::Offset;
use crate::repl::wait::{Kept, Need};
use crate::resp::{ArgvRef, OwnedArgv, Reply};
use core::ops::Range;
use core::time::Duration;

impl Cx<'_> {
    /// WAIT: replies at once, or when enough replicas have what the client has written.
    pub fn wait_for_replicas(&mut self, replicas: usize, timeout: Option<Duration>) {
        let target = self.client().wrote;
        let kept = Kept::InMemory;
        self.wait_for(
            Need {
                target,
                replicas,
                kept,
            },
            timeout,
        );
    }

    /// WAITAOF: as WAIT, for what is durable in append-only files, our own included.
    pub fn wait_for_files(&mut self, here: bool, replicas: usize, timeout: Option<Duration>) {
        let target = self.client().wrote;
        let mark = self.data.st.aof_mark();
        let kept = Kept::OnDisk { mark, here };
        self.wait_for(
            Need {
                target,
                replicas,
                kept,
            },
            timeout,
        );
    }

    fn wait_for(&mut self, need: Need, timeout: Option<Duration>) {
        let (now, conn) = (self.data.st.now, self.data.conn);
        let count = if self.client().flags.has(ClientFlags::EXECUTING) {
            Some(self.data.st.repl.acked(&need))
        } else {
            self.data.st.repl.wait(now, conn, need, timeout)
        };
        match count {
            Some(count) => write_count(&mut self.out, &need, count, self.data.st.repl.synced()),
            None => self.data.st.block(conn, Wait::Replicas { need }),
        }
    }

    /// Lets the client wait until a key among these arguments of `command` may have what it
    /// wants, and runs `command` then; it replies as if it had come only now, or waits on. False
    /// where no client can wait: inside a transaction and in the master's stream.
    ///
    /// A command that waits on has changed nothing by having run again.
    #[must_use]
    pub fn wait_for_keys(
        &mut self,
        command: ArgvRef<'_>,
        keys: Range<usize>,
        fits: Fits,
        timeout: Option<Duration>,
    ) -> bool {
        let (conn, now) = (self.data.conn, self.data.st.now.mono);
        let from_client = self.data.origin == Origin::Client;
        let flags = &mut self.client().flags;
        if flags.has(ClientFlags::SERVED) {
            // Its wait still stands, with its place and its deadline.
            flags.set(ClientFlags::SERVED, false);
            return true;
        }
        if flags.has(ClientFlags::EXECUTING) || !from_client {
            return false;
        }
        flags.set(ClientFlags::BLOCKED, true);
        let wish = Wish {
            command: OwnedArgv::new(command),
            keys,
            fits,
            deadline: timeout.map(|timeout| now + timeout),
        };
        self.data.st.blocked.add_for_keys(conn, self.data.db, wish);
        true
    }

    /// SAVE: replies when the snapshot that was started is on disk.
    pub fn wait_for_save(&mut self) {
        let conn = self.data.conn;
        self.data.st.block(conn, Wait::Save);
    }

    /// FLUSHALL: has what is left saved, and replies when it is on disk, or can't be. Where no
    /// client can wait, or while replicas are sent a snapshot, it replies at once.
    pub fn save_what_is_left(&mut self) {
        let conn = self.data.conn;
        self.data.st.persist.want_save();
        let waits = self.data.origin == Origin::Client
            && !self.client().flags.has(ClientFlags::EXECUTING)
            && !self.data.st.persist.is_occupied();
        if waits {
            self.data.st.block(conn, Wait::Flush);
        } else {
            self.out.ok();
        }
    }
}

impl State {
    /// Lets a client wait; its next command is not read until it is resumed.
    pub(super) fn block(&mut self, conn: ConnId, wait: Wait) {
        self.client_mut(conn).flags.set(ClientFlags::BLOCKED, true);
        self.blocked.add(conn, wait);
    }

    /// CLIENT UNBLOCK: ends a client's waiting, with an error or as if its time were over. False
    /// if it did not wait, or for something that can't be cut short.
    pub fn unblock(&mut self, conn: ConnId, with_error: bool) -> bool {
        let need = match self.blocked.waits_for(conn) {
            Some(Wait::Replicas { need }) => {
                self.repl.stop_waiting(conn);
                Some(need)
            }
            Some(Wait::Keys) => None,
            Some(
                Wait::AclFile
                | Wait::Migrate
                | Wait::Save
                | Wait::Flush
                | Wait::Replay
                | Wait::Shutdown,
            )
            | None => return false,
        };
        if with_error {
            self.answer_error(conn, b"UNBLOCKED client unblocked via CLIENT UNBLOCK");
        } else {
            let told = need.map(|need| (need, self.repl.acked(&need), self.repl.synced()));
            self.answer(conn, |reply| match told {
                Some((need, count, synced)) => write_count(reply, &need, count, synced),
                None => reply.null_array(),
            });
        }
        self.release(conn);
        true
    }

    /// Replies to a client that waits.
    pub(super) fn answer(&mut self, conn: ConnId, write: impl FnOnce(&mut Reply<'_>)) {
        let entry = self.conn_mut(conn);
        let flags = entry.state.flags;
        let reply = entry.reply(entry.state.proto);
        let silent = reply.is_silent() || flags.is_silent();
        write(&mut reply.silenced(silent));
    }

    fn answer_error(&mut self, conn: ConnId, text: &[u8]) {
        self.stats.count_error(&code_of(text));
        self.answer(conn, |reply| reply.error_bytes(text));
    }

    /// Ends a client's waiting; it was replied to.
    pub(super) fn release(&mut self, conn: ConnId) {
        // A command counts once, when it is through.
        if let Some(command) = self.client(conn).last {
            self.stats.command_mut(command).calls += 1;
            self.stats.commands += 1;
        }
        self.resume(conn);
    }

    /// As [`release`](Self::release), of a command that was refused after all.
    pub(super) fn resume(&mut self, conn: ConnId) {
        self.blocked.remove(conn);
        self.client_mut(conn).flags.set(ClientFlags::BLOCKED, false);
        self.conns.mark_writable(conn);
        // What it has sent meanwhile is run at the end of the turn.
        self.backlog.push_back(conn);
    }

    /// Ends the waits for keys whose time is over.
    pub(super) fn end_overdue_waits(&mut self) {
        while let Some(conn) = self.blocked.keys.overdue(self.now.mono) {
            self.answer(conn, |reply| reply.null_array());
            self.release(conn);
        }
    }

    /// Ends every wait of a kind with OK or an error.
    pub(super) fn answer_waiting(&mut self, wait: Wait, result: Result<(), &Fail>) {
        for conn in self.blocked.waiting_for(wait) {
            match result {
                Ok(()) => self.answer(conn, |reply| reply.ok()),
                Err(fail) => self.answer_error(conn, &fail.text()),
            }
            self.release(conn);
        }
    }

    /// A client that waits for something only a master can give is told that this is none any
    /// more, and closed: its view of the dataset is over.
    pub(super) fn end_wait_for_demotion(&mut self, conn: ConnId) {
        if self.blocked.remove(conn).is_some() {
            self.answer_error(conn, DEMOTED.as_bytes());
            self.close_after_reply(conn);
            self.conns.mark_writable(conn);
        }
    }

    /// The end of the stream as it stands, which WAIT waits for.
    pub(super) fn stream_end(&self) -> Offset {
        self.repl.offset()
    }
}

impl Server {
    /// Replication says that a client's WAIT is over.
    pub(super) fn waited(&mut self, conn: ConnId, count: usize) {
        let Some(Wait::Replicas { need }) = self.st.blocked.waits_for(conn) else {
            return;
        };
        let synced = self.st.repl.synced();
        self.st
            .answer(conn, |reply| write_count(reply, &need, count, synced));
        self.st.release(conn);
    }
}

/// Tells how many replicas have what was waited for, and of WAITAOF whether we have.
fn write_count(out: &mut Reply<'_>, need: &Need, count: usize, synced: u64) {
    if let Kept::OnDisk { mark, .. } = need.kept {
        out.array(2);
        out.int(i64::from(mark <= synced));
    }
    out.int(count as i64);
}

const DEMOTED: &str = "UNBLOCKED force unblock from blocking operation, instance state changed \
                       (master -> replica?)";
