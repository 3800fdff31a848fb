//! One TCP connection: two ends, two directions, each a queue of bytes of which a first part has
//! arrived.

use std::collections::VecDeque;
use std::net::SocketAddr;

use holdfast_core::machine::ConnId;

use crate::ids::{NodeId, Side};
use crate::time::Time;

/// A connection from its request to the close of both ends.
pub(super) struct Conn {
    pub(super) serial: u32,
    pub(super) ends: [EndState; 2],
    /// By the side that sends.
    pub(super) flows: [Flow; 2],
    /// Connection requests sent so far.
    pub(super) attempts: u32,
    pub(super) stage: Stage,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Stage {
    /// The request is under way.
    Requested,
    /// The callee's system said yes; the answer is under way.
    Answered,
    /// The callee's system said no; the answer is under way.
    Refused,
    /// Both know.
    Established,
}

/// One end as its host's system keeps it.
pub(super) struct EndState {
    pub(super) node: NodeId,
    pub(super) addr: SocketAddr,
    pub(super) owner: Option<ConnId>,
    pub(super) life: Life,
    /// What reading reports once the arrived bytes are read.
    pub(super) error: Option<i32>,
    /// The process was told that there is something to read and has not read since.
    pub(super) told_readable: bool,
    /// The process wanted to write more than there was room for.
    pub(super) wants_room: bool,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Life {
    Open,
    /// Closed by its process or its system; the peer is told.
    Closed,
    /// Lost with its host's power; the peer is not told.
    Vanished,
}

/// One direction.
#[derive(Default)]
pub(super) struct Flow {
    /// Written and not yet read.
    pub(super) bytes: VecDeque<u8>,
    /// How many of them have arrived.
    pub(super) arrived: usize,
    /// The rest, in pieces.
    pub(super) slices: VecDeque<Slice>,
    /// Read, but the acknowledgement could not get back.
    pub(super) late_acks: usize,
    /// The sender has closed and everything before has arrived.
    pub(super) ended: bool,
    /// Slices came to a cut path or a dead host and wait to be sent again.
    pub(super) held: bool,
    /// No slice arrives before this.
    pub(super) last_arrival: Time,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Slice {
    pub(super) at: Time,
    pub(super) what: Piece,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Piece {
    Bytes(usize),
    Fin,
    Rst,
}

impl Conn {
    pub(super) fn new(serial: u32, caller: EndState, callee: EndState) -> Self {
        Self {
            serial,
            ends: [caller, callee],
            flows: [Flow::default(), Flow::default()],
            attempts: 0,
            stage: Stage::Requested,
        }
    }

    pub(super) const fn end(&self, side: Side) -> &EndState {
        &self.ends[side.index()]
    }

    pub(super) const fn end_mut(&mut self, side: Side) -> &mut EndState {
        &mut self.ends[side.index()]
    }

    /// The direction in which `side` sends.
    pub(super) const fn flow_from(&mut self, side: Side) -> &mut Flow {
        &mut self.flows[side.index()]
    }

    /// Whether no process holds an end of it.
    pub(super) fn dead(&self) -> bool {
        self.ends.iter().all(|end| end.life != Life::Open)
    }
}

impl EndState {
    pub(super) const fn new(node: NodeId, addr: SocketAddr) -> Self {
        Self {
            node,
            addr,
            owner: None,
            life: Life::Open,
            error: None,
            told_readable: false,
            wants_room: false,
        }
    }
}

impl Flow {
    /// Bytes that take up room in the window.
    pub(super) fn unacked(&self) -> usize {
        self.bytes.len() + self.late_acks
    }

    pub(super) fn push(&mut self, at: Time, what: Piece) {
        assert!(at >= self.last_arrival, "a stream does not overtake itself");
        self.last_arrival = at;
        self.slices.push_back(Slice { at, what });
    }

    /// Joins everything under way into one piece that arrives at `at`, as a retransmission does.
    pub(super) fn resend(&mut self, at: Time) {
        self.held = false;
        let mut bytes = 0;
        let mut end = None;
        for slice in self.slices.drain(..) {
            match slice.what {
                Piece::Bytes(len) => bytes += len,
                Piece::Fin | Piece::Rst => end = Some(slice.what),
            }
        }
        self.last_arrival = at;
        if bytes > 0 {
            self.slices.push_back(Slice {
                at,
                what: Piece::Bytes(bytes),
            });
        }
        if let Some(what) = end {
            self.slices.push_back(Slice { at, what });
        }
    }

    /// Takes up to `into.len()` arrived bytes.
    pub(super) fn read(&mut self, into: &mut [u8]) -> usize {
        let len = into.len().min(self.arrived);
        let (front, back) = self.bytes.as_slices();
        let first = len.min(front.len());
        into[..first].copy_from_slice(&front[..first]);
        into[first..len].copy_from_slice(&back[..len - first]);
        self.bytes.drain(..len);
        self.arrived -= len;
        len
    }
}
