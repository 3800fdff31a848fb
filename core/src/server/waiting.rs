//! Clients that wait, and what ends their waiting.

use super::Server;
use super::blocked::Wait;
use super::client::ClientFlags;
use super::state::State;
use crate::command::cx::{Cx, code_of};
use crate::command::fail::Fail;
use crate::machine::ConnId;
use crate::repl::Offset;
use core::time::Duration;

impl Cx<'_> {
    /// WAIT: replies at once, or when enough replicas have what the client has written.
    pub fn wait_for_replicas(&mut self, replicas: usize, timeout: Option<Duration>) {
        let (now, conn) = (self.data.st.now, self.data.conn);
        let target = self.client().wrote;
        let in_transaction = self.client().flags.has(ClientFlags::EXECUTING);
        if in_transaction {
            let count = self.data.st.repl.acked(target);
            self.out.int(count as i64);
            return;
        }
        match self.data.st.repl.wait(now, conn, target, replicas, timeout) {
            Some(count) => self.out.int(count as i64),
            None => self.data.st.block(conn, Wait::Replicas { target }),
        }
    }

    /// SAVE: replies when the snapshot that was started is on disk.
    pub fn wait_for_save(&mut self) {
        let conn = self.data.conn;
        self.data.st.block(conn, Wait::Save);
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
        let Some(Wait::Replicas { target }) = self.blocked.waits_for(conn) else {
            return false;
        };
        self.repl.stop_waiting(conn);
        let count = self.repl.acked(target);
        let entry = self.conn_mut(conn);
        let mut reply = entry.reply(entry.state.proto);
        if with_error {
            reply.error("UNBLOCKED client unblocked via CLIENT UNBLOCK");
        } else {
            reply.int(count as i64);
        }
        self.release(conn);
        true
    }

    /// Ends a client's waiting; it was replied to.
    pub(super) fn release(&mut self, conn: ConnId) {
        self.blocked.remove(conn);
        self.client_mut(conn).flags.set(ClientFlags::BLOCKED, false);
        self.conns.mark_writable(conn);
        // What it has sent meanwhile is run at the end of the turn.
        self.backlog.push_back(conn);
    }

    /// Ends every wait of a kind with OK or an error.
    pub(super) fn answer_waiting(&mut self, wait: Wait, result: Result<(), &Fail>) {
        let waiting: Vec<_> = self
            .blocked
            .iter()
            .filter(|(_, w)| *w == wait)
            .map(|(conn, _)| conn)
            .collect();
        for conn in waiting {
            let entry = self.conn_mut(conn);
            let mut reply = entry.reply(entry.state.proto);
            match result {
                Ok(()) => reply.ok(),
                Err(fail) => {
                    let text = fail.to_string();
                    reply.error(&text);
                    self.stats.count_error(code_of(&text));
                }
            }
            self.release(conn);
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
        if self.st.blocked.waits_for(conn).is_none() {
            return;
        }
        let entry = self.st.conn_mut(conn);
        entry.reply(entry.state.proto).int(count as i64);
        self.st.release(conn);
    }

    /// Clients that wait for something only a master can give are told that it is none any more,
    /// and closed: their view of the dataset is over.
    pub(super) fn unblock_for_demotion(&mut self, conns: Vec<ConnId>) {
        for conn in conns {
            if self.st.blocked.remove(conn).is_some() {
                let entry = self.st.conn_mut(conn);
                entry.reply(entry.state.proto).error(
                    "UNBLOCKED force unblock from blocking operation, instance state changed \
                     (master -> replica?)",
                );
                self.st.close_after_reply(conn);
                self.st.conns.mark_writable(conn);
            }
        }
    }
}
