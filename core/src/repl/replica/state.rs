//! The states of the link to the master; each owns the facts that exist while it lasts.

use super::handshake::Stage;
use super::payload::Payload;
use super::{Event, Receive, ReplId};
use crate::machine::{ConnId, Mono};
use crate::repl::action::Attempt;
use crate::repl::history::Offset;

/// Where the link stands.
#[derive(Debug)]
pub(super) enum State {
    /// To be made at an instant.
    Connect {
        at: Mono,
        /// After a connected link was lost.
        again: bool,
    },
    /// The master's name is being looked up.
    Resolving { attempt: Attempt, since: Mono },
    /// The connection is being made.
    Connecting {
        attempt: Attempt,
        conn: Option<ConnId>,
        since: Mono,
    },
    /// Replies are awaited, one line each.
    Handshake {
        conn: ConnId,
        stage: Stage,
        heard_at: Mono,
        /// Since when half a line is there.
        partial_since: Option<Mono>,
    },
    /// A whole dataset is on its way.
    Transfer(Box<Transfer>),
    /// The stream is.
    Connected(Connected),
}

/// What the master promised its dataset to be.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(in crate::repl) enum Granted {
    /// Its history at this place (`+FULLRESYNC`).
    Full(ReplId, Offset),
    /// Nothing: it is too old to have a name for its history.
    Sync,
}

/// A whole dataset on its way.
#[derive(Debug)]
pub(in crate::repl) struct Transfer {
    pub(super) attempt: Attempt,
    pub(super) conn: ConnId,
    pub(super) granted: Granted,
    pub(super) phase: Phase,
    pub(super) store: Store,
    /// Its length; -1 before it is announced, 0 if it is not known even then.
    pub(in crate::repl) size: i64,
    pub(in crate::repl) read: i64,
    /// Whether it was announced with a mark at its end.
    pub(super) marked: bool,
    pub(super) heard_at: Mono,
    pub(super) newline_at: Mono,
    /// The connection was lost after all had arrived.
    pub(super) lost: bool,
}

/// How far a dataset has come.
#[derive(Debug)]
pub(super) enum Phase {
    /// It is to be announced.
    Header,
    /// It was announced; where it goes is to be decided.
    Undecided(Payload),
    /// It arrives.
    Payload(Payload),
    /// All of it has arrived and is being made durable.
    Storing,
    /// It is being loaded.
    Loading,
}

/// Where a dataset goes.
#[derive(Debug)]
pub(super) enum Store {
    /// Nowhere yet, or no more.
    Nowhere,
    Memory,
    Disk(Receive),
}

/// The stream of the master.
#[derive(Debug)]
pub(in crate::repl) struct Connected {
    pub(super) conn: ConnId,
    /// The database it is in, at the last place that belongs to the history.
    pub(super) db: u32,
    /// Whether the master counts offsets.
    pub(super) psync: bool,
    /// Bytes received.
    pub(in crate::repl) read: Offset,
    pub(in crate::repl) heard_at: Mono,
    pub(super) ack_at: Mono,
    /// Commands of an open transaction.
    pub(super) held: Vec<u8>,
    /// How much is durable in the append-only file.
    pub(super) durable: Option<Offset>,
}

/// What came of some input.
#[derive(Debug, Eq, PartialEq)]
pub(in crate::repl) enum Step<'a> {
    /// So many bytes were used up; go on.
    Consumed(usize),
    /// So many bytes were used up, and the server must know something before going on.
    Event(usize, Event<'a>),
    /// The stream goes on, under this id if it is another.
    Continue {
        consumed: usize,
        replid: Option<ReplId>,
    },
    /// More input is needed, or a decision.
    Stuck,
    /// The link was given up.
    Failed,
}
