//! Connections: read buffers, ordered replies with fences, and the table of them all.

mod input;
mod outbuf;

pub use input::Input;
pub use outbuf::{LogPos, Mark, OutBuf, SlotId};

use core::ops::Range;
use std::collections::VecDeque;

use slab::Slab;

use crate::limits;
use crate::machine::{ConnId, Peer, Slices};
use crate::resp::{Proto, Reply};

/// One connection and what the machine knows of it.
#[derive(Debug)]
pub struct Conn<S> {
    id: ConnId,
    /// Both ends, where they are known.
    pub peer: Option<Peer>,
    /// What is to be sent.
    pub out: OutBuf,
    /// What the machine keeps with the connection.
    pub state: S,
    input: Received,
    closing: Closing,
    /// Whether it is queued for the driver to write.
    queued: bool,
    /// Whether it is listed as waiting for the log.
    fenced: bool,
}

/// How far the end of a connection is decided.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Closing {
    /// It stays.
    No,
    /// It is closed when everything is sent.
    AfterReply,
    /// It is closed without sending anything more.
    Now,
}

/// Where the input of a connection is.
#[derive(Debug)]
enum Received {
    Here(Input),
    /// Being worked on; its size when it was taken.
    Taken {
        len: usize,
        memory: usize,
    },
}

impl<S> Conn<S> {
    /// Its id.
    pub const fn id(&self) -> ConnId {
        self.id
    }

    /// How far its end is decided.
    pub const fn closing(&self) -> Closing {
        self.closing
    }

    /// Bytes received and not consumed; while they are worked on, as many as there were.
    pub fn input_len(&self) -> usize {
        match &self.input {
            Received::Here(input) => input.len(),
            Received::Taken { len, .. } => *len,
        }
    }

    /// Memory held for received bytes.
    pub fn input_memory(&self) -> usize {
        match &self.input {
            Received::Here(input) => input.memory(),
            Received::Taken { memory, .. } => *memory,
        }
    }

    /// A writer of replies; silent once the connection is to be closed.
    ///
    /// Whoever uses it calls [`Conns::mark_writable`] afterwards, unless the connection's input
    /// is to be put back anyway.
    pub fn reply(&mut self, proto: Proto) -> Reply<'_> {
        let silent = self.closing != Closing::No;
        Reply::new(&mut self.out, proto).silenced(silent)
    }
}

/// The table of connections, with the buffers they share.
#[derive(Debug)]
pub struct Conns<S> {
    slots: Slab<Conn<S>>,
    generation: u32,
    /// Lent for reading to whichever connection has little pending. Empty while it is taken.
    scratch: Vec<u8>,
    lent: Option<Loan>,
    /// What was read and is to be worked on with what else the turn brings, in the order it came.
    held: VecDeque<Held>,
    /// Connections that have something to write, each once.
    writable: VecDeque<ConnId>,
    /// Connections whose output waits for the log, each once.
    fenced: Vec<ConnId>,
    /// Connections that are due to be closed.
    due: VecDeque<ConnId>,
    durable: LogPos,
    /// Reply buffers that no connection needs at present.
    spares: Vec<Vec<u8>>,
}

/// The room lent last.
#[derive(Clone, Copy, Debug)]
struct Loan {
    conn: ConnId,
    /// Where in the scratch it is, with what was pending in front of it; `None` if the room is the
    /// connection's own.
    scratch: Option<usize>,
}

/// Bytes received that are still in the scratch, and all that their connection has.
#[derive(Debug)]
struct Held {
    conn: ConnId,
    bytes: Range<usize>,
}

impl<S> Default for Conns<S> {
    fn default() -> Self {
        Self {
            slots: Slab::new(),
            generation: 0,
            scratch: Vec::new(),
            lent: None,
            held: VecDeque::new(),
            writable: VecDeque::new(),
            fenced: Vec::new(),
            due: VecDeque::new(),
            durable: LogPos::default(),
            spares: Vec::new(),
        }
    }
}

impl<S> Conns<S> {
    /// A table without connections.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a connection: one that was accepted, with its peer, or one to be made.
    pub fn insert(&mut self, peer: Option<Peer>, state: S) -> ConnId {
        let entry = self.slots.vacant_entry();
        let index = u32::try_from(entry.key()).expect("fewer than 2^32 connections");
        self.generation = self.generation.wrapping_add(1);
        let id = ConnId {
            index,
            generation: self.generation,
        };
        entry.insert(Conn {
            id,
            peer,
            out: OutBuf::default(),
            state,
            input: Received::Here(Input::default()),
            closing: Closing::No,
            queued: false,
            fenced: false,
        });
        id
    }

    /// Forgets a connection; its id is dead from here on.
    pub fn remove(&mut self, id: ConnId) -> Option<S> {
        self.get(id)?;
        self.lent = self.lent.filter(|loan| loan.conn != id);
        self.held.retain(|held| held.conn != id);
        let mut conn = self.slots.remove(id.index as usize);
        Self::recycle(&mut self.spares, &mut conn.out);
        Some(conn.state)
    }

    /// A connection, if it is still there.
    pub fn get(&self, id: ConnId) -> Option<&Conn<S>> {
        self.slots
            .get(id.index as usize)
            .filter(|conn| conn.id == id)
    }

    /// A connection, if it is still there.
    pub fn get_mut(&mut self, id: ConnId) -> Option<&mut Conn<S>> {
        find(&mut self.slots, id)
    }

    /// All connections in the order of their slots.
    pub fn iter(&self) -> impl Iterator<Item = &Conn<S>> {
        self.slots.iter().map(|(_, conn)| conn)
    }

    /// All connections in the order of their slots.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = &mut Conn<S>> {
        self.slots.iter_mut().map(|(_, conn)| conn)
    }

    /// How many connections there are.
    pub fn len(&self) -> usize {
        self.slots.len()
    }

    /// Whether there is no connection.
    pub fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }

    /// Lends room for the next bytes of a connection; never empty. The loan ends with the next
    /// call, for whichever connection.
    pub fn read_space(&mut self, id: ConnId) -> &mut [u8] {
        if self.scratch.is_empty() {
            self.scratch.resize(limits::READ_SCRATCH_BYTES, 0);
        }
        let conn = find(&mut self.slots, id);
        let input = match conn.map(|conn| &mut conn.input) {
            Some(Received::Here(input)) => input,
            Some(Received::Taken { .. }) | None => panic!("only a connection at rest can read"),
        };
        let pending = input.bytes().len();
        let start = self.held.back().map_or(0, |last| last.bytes.end);
        let in_scratch = !input.wants_big() && pending <= limits::READ_GROW_BYTES;
        let scratch = in_scratch.then_some(start);
        self.lent = Some(Loan { conn: id, scratch });
        match scratch {
            Some(start) => &mut self.scratch[start + pending..],
            None => input.space(),
        }
    }

    /// Gives back the room that a connection at rest holds for bytes to come; a loan of it ends.
    pub fn shrink_input(&mut self, id: ConnId) {
        self.lent.take_if(|loan| loan.conn == id);
        if let Some(Received::Here(input)) = find(&mut self.slots, id).map(|conn| &mut conn.input) {
            input.shrink();
        }
    }

    /// Takes the input of a connection to work on, with `filled` bytes that were put at the start
    /// of the room lent last; 0 if none was.
    ///
    /// To be given back with [`put_back`](Self::put_back).
    pub fn take_input(&mut self, id: ConnId, filled: usize) -> Input {
        let loan = self.lent.take_if(|loan| loan.conn == id);
        assert!(
            filled == 0 || loan.is_some(),
            "bytes came without room lent for them"
        );
        self.take(id, filled, loan.and_then(|loan| loan.scratch))
    }

    /// Leaves the `filled` bytes that were put at the start of the room lent last where they are
    /// until [`take_held`](Self::take_held); false if they are too many for that, or not all that
    /// their connection has.
    #[must_use]
    pub fn hold(&mut self, id: ConnId, filled: usize) -> bool {
        let loan = self.lent.filter(|loan| loan.conn == id);
        let Some(start) = loan.and_then(|loan| loan.scratch) else {
            return false;
        };
        let Some(conn) = self.get(id) else {
            return false;
        };
        let idle = matches!(&conn.input, Received::Here(input) if input.is_idle());
        let room = self.held.len() < limits::HELD_READS_MAX;
        if !idle || !room || filled > limits::HELD_READ_BYTES_MAX {
            return false;
        }
        assert!(!self.is_held(id), "what is held is all there is");
        self.lent = None;
        let bytes = start..start + filled;
        self.held.push_back(Held { conn: id, bytes });
        true
    }

    /// Whether what a connection has sent is held.
    pub fn is_held(&self, id: ConnId) -> bool {
        self.held.iter().any(|held| held.conn == id)
    }

    /// What is held, in the order it came.
    pub fn held(&self) -> impl ExactSizeIterator<Item = (ConnId, &[u8])> {
        let part = |held: &Held| (held.conn, held.bytes.clone());
        let parts = self.held.iter().map(part);
        parts.map(|(conn, bytes)| (conn, &self.scratch[bytes]))
    }

    /// Takes the input of the connection that has been held the longest, as
    /// [`take_input`](Self::take_input) does.
    pub fn take_held(&mut self) -> Option<(ConnId, Input)> {
        let Held { conn, bytes } = self.held.pop_front()?;
        let input = self.take(conn, bytes.len(), Some(bytes.start));
        Some((conn, input))
    }

    fn take(&mut self, id: ConnId, filled: usize, scratch: Option<usize>) -> Input {
        let conn = find(&mut self.slots, id);
        let conn = conn.expect("only a connection that is there has input");
        let input = core::mem::replace(&mut conn.input, Received::Taken { len: 0, memory: 0 });
        let Received::Here(mut input) = input else {
            panic!("input is taken once at a time");
        };
        if filled > 0 {
            if let Some(start) = scratch {
                input.borrow(core::mem::take(&mut self.scratch), start);
            }
            input.filled(filled);
        }
        conn.input = Received::Taken {
            len: input.len(),
            memory: input.memory(),
        };
        if let Some(spare) = self.spares.pop() {
            conn.out.give_spare(spare);
        }
        input
    }

    /// Takes back the input of a connection, which may be gone by now, and queues its output.
    pub fn put_back(&mut self, id: ConnId, mut input: Input) {
        if let Some(scratch) = input.give_back() {
            self.scratch = scratch;
        }
        input.settle();
        let Some(conn) = find(&mut self.slots, id) else {
            return;
        };
        assert!(
            matches!(conn.input, Received::Taken { .. }),
            "input is put back once"
        );
        conn.input = Received::Here(input);
        if conn.out.is_empty() {
            Self::recycle(&mut self.spares, &mut conn.out);
        } else {
            self.mark_writable(id);
        }
    }

    /// Queues a connection for the driver to write, if it has anything to send.
    pub fn mark_writable(&mut self, id: ConnId) {
        let Some(conn) = find(&mut self.slots, id) else {
            return;
        };
        if !conn.queued && !conn.out.is_empty() {
            conn.queued = true;
            self.writable.push_back(id);
        }
    }

    /// A connection that has something to write and had not when last asked, or has more now.
    #[must_use]
    pub fn poll_writable(&mut self) -> Option<ConnId> {
        while let Some(id) = self.writable.pop_front() {
            let durable = self.durable;
            let Some(conn) = find(&mut self.slots, id) else {
                continue;
            };
            conn.queued = false;
            if !conn.fenced && conn.out.is_fenced(durable) {
                conn.fenced = true;
                self.fenced.push(id);
            }
            if conn.closing != Closing::Now && conn.out.has_writable(durable) {
                return Some(id);
            }
        }
        None
    }

    /// The connections that have got output since the driver was last told of theirs.
    pub fn queued(&self) -> impl Iterator<Item = ConnId> {
        self.writable.iter().copied()
    }

    /// Lends the bytes of a connection that may be written now.
    pub fn writable<'a>(&'a self, id: ConnId, slices: &mut Slices<'a>) {
        if let Some(conn) = self.get(id) {
            conn.out.writable(self.durable, slices);
        }
    }

    /// Takes back the first `written` of the bytes lent.
    pub fn consume(&mut self, id: ConnId, written: usize) {
        let conn = find(&mut self.slots, id);
        let conn = conn.expect("only a connection that is there can write");
        conn.out.consume(written, self.durable);
        if conn.out.is_empty() {
            Self::recycle(&mut self.spares, &mut conn.out);
            if conn.closing == Closing::AfterReply {
                self.due.push_back(id);
            }
        }
    }

    /// Fills in a deferred reply of a connection, which may be gone by now.
    pub fn fill(&mut self, id: ConnId, slot: SlotId, reply: &[u8]) {
        if let Some(conn) = self.get_mut(id) {
            conn.out.fill(slot, reply);
            if conn.out.is_empty() {
                self.consume(id, 0);
            } else {
                self.mark_writable(id);
            }
        }
    }

    /// Tells that the log is durable up to `pos`, which shows what waited for it.
    pub fn set_durable(&mut self, pos: LogPos) {
        assert!(self.durable <= pos, "what is durable stays so");
        if self.durable < pos {
            self.durable = pos;
            for id in core::mem::take(&mut self.fenced) {
                if let Some(conn) = self.get_mut(id) {
                    conn.fenced = false;
                    self.mark_writable(id);
                }
            }
        }
    }

    /// Up to where the log is durable.
    pub const fn durable(&self) -> LogPos {
        self.durable
    }

    /// Closes a connection when everything is sent.
    pub fn close_after_reply(&mut self, id: ConnId) {
        if let Some(conn) = self.get_mut(id)
            && conn.closing == Closing::No
        {
            conn.closing = Closing::AfterReply;
            if conn.out.is_empty() {
                self.due.push_back(id);
            }
        }
    }

    /// Closes a connection without sending anything more.
    pub fn close(&mut self, id: ConnId) {
        if let Some(conn) = self.get_mut(id)
            && conn.closing != Closing::Now
        {
            conn.closing = Closing::Now;
            self.due.push_back(id);
        }
    }

    /// A connection that is due to be closed. The machine tells the driver and removes it.
    #[must_use]
    pub fn poll_close(&mut self) -> Option<ConnId> {
        while let Some(id) = self.due.pop_front() {
            let Some(conn) = self.get(id) else {
                continue;
            };
            // The last reply may have been written after its end was decided: its last byte makes
            // the connection due again.
            if conn.closing == Closing::Now || conn.out.is_empty() {
                return Some(id);
            }
        }
        None
    }

    /// Keeps the buffer of drained output for others.
    fn recycle(spares: &mut Vec<Vec<u8>>, out: &mut OutBuf) {
        if let Some(spare) = out.take_spare()
            && spares.len() < limits::REPLY_SPARES_MAX
        {
            spares.push(spare);
        }
    }
}

/// A connection, while the rest of the table is in use.
fn find<S>(slots: &mut Slab<Conn<S>>, id: ConnId) -> Option<&mut Conn<S>> {
    slots
        .get_mut(id.index as usize)
        .filter(|conn| conn.id == id)
}

#[cfg(test)]
mod tests;
