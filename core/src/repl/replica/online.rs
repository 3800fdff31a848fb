//! The link while the stream flows, and how it comes to that and ends.

use std::borrow::Cow;
use std::collections::VecDeque;

use tracing::{info, warn};

use super::state::{Connected, Granted, State};
use super::{ACK_PERIOD, Link, handshake};
use crate::limits::REPL_OPEN_MULTI_BYTES_MAX;
use crate::machine::{ConnId, Mono};
use crate::repl::action::Action;
use crate::repl::history::{History, Offset};

impl Link {
    /// Goes on with the stream after the dataset was loaded; it starts in `db`.
    pub(in crate::repl) fn go_online(
        &mut self,
        now: Mono,
        db: u32,
        history: &History,
        fx: &mut VecDeque<Action>,
    ) {
        let State::Transfer(transfer) = &self.state else {
            panic!("only a transfer ends with a dataset");
        };
        let psync = transfer.granted != Granted::Sync;
        let (conn, lost, marked) = (transfer.conn, transfer.lost, transfer.marked);
        info!("MASTER <-> REPLICA sync: Finished with success");
        self.enter_stream(now, conn, db, psync, history);
        self.above.flowed(now);
        if lost {
            self.lost(now, conn);
        } else if marked && let State::Connected(connected) = &mut self.state {
            // The master holds the stream back until it hears this.
            connected.acknowledge(now, history.offset(), fx);
        }
    }

    /// Goes on with the stream after a partial resynchronization. Answers its database.
    pub(in crate::repl) fn resume(&mut self, now: Mono, conn: ConnId, history: &History) -> u32 {
        let db = self.cached.expect("a place was named when asking");
        self.enter_stream(now, conn, db, true, history);
        db
    }

    pub(super) fn enter_stream(
        &mut self,
        now: Mono,
        conn: ConnId,
        db: u32,
        psync: bool,
        history: &History,
    ) {
        self.failures = 0;
        self.cached = None;
        self.down_since = None;
        self.keep.followed();
        self.state = State::Connected(Connected {
            conn,
            db,
            psync,
            read: history.offset(),
            heard_at: now,
            ack_at: now + ACK_PERIOD,
            held: Vec::new(),
            durable: None,
        });
    }

    /// The connected link is gone; the place in the stream is kept.
    pub(super) fn lost(&mut self, now: Mono, conn: ConnId) {
        let State::Connected(connected) = &self.state else {
            panic!("only a connected link is lost");
        };
        assert_eq!(connected.conn, conn);
        warn!("Connection with master lost.");
        self.keep.lost(connected.heard_at);
        // What was received of an open transaction is received again.
        self.cached = connected.psync.then_some(connected.db);
        if self.cached.is_some() {
            info!("Caching the disconnected master state.");
        }
        self.down_since = Some(now);
        self.retry(now, false);
    }
}

impl Connected {
    /// Counts bytes of the stream as they come in.
    pub(in crate::repl) fn received(&mut self, now: Mono, len: usize) {
        self.read = self.read.plus(len);
        self.heard_at = now;
    }

    /// Takes the bytes of commands that were executed. Answers those which now belong to the
    /// history: none while a transaction is open, since it may never be completed.
    pub(in crate::repl) fn applied<'a>(
        &mut self,
        raw: &'a [u8],
        db: u32,
        in_multi: bool,
    ) -> Result<Cow<'a, [u8]>, MultiTooLong> {
        if in_multi {
            if self.held.len() + raw.len() > REPL_OPEN_MULTI_BYTES_MAX {
                return Err(MultiTooLong);
            }
            self.held.extend_from_slice(raw);
            return Ok(Cow::Borrowed(&[]));
        }
        self.db = db;
        if self.held.is_empty() {
            return Ok(Cow::Borrowed(raw));
        }
        let mut held = core::mem::take(&mut self.held);
        held.extend_from_slice(raw);
        Ok(Cow::Owned(held))
    }

    pub(super) fn acknowledge(&mut self, now: Mono, offset: Offset, fx: &mut VecDeque<Action>) {
        self.ack_at = now + ACK_PERIOD;
        if self.psync {
            let (mut digits, mut more) = (itoa::Buffer::new(), itoa::Buffer::new());
            let offset = digits.format(offset.get()).as_bytes();
            let ack: [&[u8]; 3] = [b"REPLCONF", b"ACK", offset];
            let send = match self.durable {
                None => handshake::send(self.conn, &ack),
                Some(durable) => {
                    let durable = more.format(durable.get()).as_bytes();
                    let fack: [&[u8]; 2] = [b"FACK", durable];
                    handshake::send(self.conn, &[&ack[..], &fack].concat())
                }
            };
            fx.push_back(send);
        }
    }
}

/// A transaction of the master is longer than can be kept.
#[derive(Debug, Eq, PartialEq)]
pub(in crate::repl) struct MultiTooLong;
