//! What will happen: a heap of events ordered by time, then by node, then by age.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use crate::ids::{ConnKey, End, NodeId};
use crate::rng::{Keys, Stream};
use crate::time::Time;

/// Something that happens at its time.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Event {
    /// A process may run: input waits, a timer is due or both.
    Wake(NodeId),
    /// Bytes sent by this end may have arrived.
    Slice(End),
    /// A connection request reaches the callee's host.
    Syn(ConnKey),
    /// The answer to a connection request reaches the caller.
    SynAck(ConnKey),
    /// A reset reaches this end.
    Reset(End),
    /// This end has room to write again.
    Window(End),
    /// The first step in a node's disk queue is done.
    Disk {
        /// Whose.
        node: NodeId,
        /// Of which incarnation of its process.
        incarnation: u32,
    },
    /// A lookup or a script has ended.
    Done {
        /// Whose.
        node: NodeId,
        /// Of which incarnation of its process.
        incarnation: u32,
        /// Which of its jobs.
        job: u32,
    },
    /// A schedule entry strikes.
    Fault(u32),
    /// A schedule entry ends.
    FaultEnd(u32),
    /// A host loses power by a schedule entry that waited for what its process has just done.
    Trip {
        /// Which entry.
        entry: u32,
        /// Whose host.
        node: NodeId,
    },
    /// A process is started on a node.
    Start(NodeId),
    /// The run looks at the world.
    Look,
}

impl Event {
    /// A number for the hash.
    pub const fn code(&self) -> u8 {
        match self {
            Self::Wake(_) => 1,
            Self::Slice(_) => 2,
            Self::Syn(_) => 3,
            Self::SynAck(_) => 4,
            Self::Reset(_) => 5,
            Self::Window(_) => 6,
            Self::Disk { .. } => 7,
            Self::Done { .. } => 8,
            Self::Fault(_) => 9,
            Self::FaultEnd(_) => 10,
            Self::Start(_) => 11,
            Self::Look => 12,
            Self::Trip { .. } => 13,
        }
    }

    /// The node and a payload for the hash.
    pub const fn subject(&self) -> (u16, u64) {
        match *self {
            Self::Wake(node) | Self::Start(node) => (node.0, 0),
            Self::Slice(end) | Self::Reset(end) | Self::Window(end) => (
                u16::MAX,
                (end.conn.serial as u64) << 1 | end.side.index() as u64,
            ),
            Self::Syn(conn) | Self::SynAck(conn) => (u16::MAX, conn.serial as u64),
            Self::Disk { node, incarnation } => (node.0, incarnation as u64),
            Self::Done {
                node,
                incarnation,
                job,
            } => (node.0, (incarnation as u64) << 32 | job as u64),
            Self::Fault(entry) | Self::FaultEnd(entry) => (u16::MAX, entry as u64),
            Self::Trip { entry, node } => (node.0, entry as u64),
            Self::Look => (u16::MAX, 0),
        }
    }
}

/// The events to come and the time of the present one.
pub struct Queue {
    heap: BinaryHeap<Reverse<Scheduled>>,
    now: Time,
    seq: u64,
    ties: Vec<u16>,
}

#[derive(Clone, Copy, Eq, Ord, PartialEq, PartialOrd)]
struct Scheduled {
    at: Time,
    /// Orders simultaneous events of different nodes, differently in every run.
    tie: u16,
    seq: u64,
    event: Event,
}

impl Queue {
    /// An empty queue for that many nodes.
    pub fn new(keys: Keys, nodes: usize) -> Self {
        let ties = (0..nodes)
            .map(|node| {
                let mut draws = keys.draws(Stream::Tie, node as u64);
                u16::try_from(draws.below(1 << 16)).expect("below 2^16")
            })
            .collect();
        Self {
            heap: BinaryHeap::new(),
            now: Time::ZERO,
            seq: 0,
            ties,
        }
    }

    /// Puts an event in; one that lies in the past happens at once.
    pub fn push(&mut self, at: Time, event: Event) {
        let (node, _) = event.subject();
        let tie = self.ties.get(usize::from(node)).copied().unwrap_or(0);
        self.seq += 1;
        self.heap.push(Reverse(Scheduled {
            at: at.max(self.now),
            tie,
            seq: self.seq,
            event,
        }));
    }

    /// Moves on to the next event.
    pub fn pop(&mut self) -> Option<Event> {
        let Reverse(next) = self.heap.pop()?;
        assert!(next.at >= self.now, "time ran backwards");
        self.now = next.at;
        Some(next.event)
    }

    /// Lets time pass without an event.
    pub fn advance(&mut self, until: Time) {
        assert!(
            self.next_at().is_none_or(|next| until <= next),
            "an event is skipped"
        );
        self.now = self.now.max(until);
    }

    /// When the next event happens.
    pub fn next_at(&self) -> Option<Time> {
        self.heap.peek().map(|Reverse(next)| next.at)
    }

    /// The time of the last event taken out.
    pub const fn now(&self) -> Time {
        self.now
    }

    /// Events waiting.
    pub fn len(&self) -> usize {
        self.heap.len()
    }

    /// Whether nothing will ever happen again.
    pub fn is_empty(&self) -> bool {
        self.heap.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_come_in_order_of_time_and_of_age_within_a_node() {
        let mut queue = Queue::new(Keys::new(1), 2);
        queue.push(Time::from_millis(2), Event::Look);
        queue.push(Time::from_millis(1), Event::Fault(1));
        queue.push(Time::from_millis(1), Event::Fault(2));
        let order: Vec<Event> = std::iter::from_fn(|| queue.pop()).collect();
        assert_eq!(order, [Event::Fault(1), Event::Fault(2), Event::Look]);
        assert_eq!(queue.now(), Time::from_millis(2));
    }
}
