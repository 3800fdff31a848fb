//! The network: TCP connections between hosts, as their systems keep them.
//!
//! Bytes arrive in order, in slices of any size, after a latency drawn per slice. A cut path
//! holds slices back and delivers them, joined, some time after it is mended. A host without
//! power answers nothing; once it is back it resets connections it no longer knows. Keep-alive
//! probes are not modelled: a silent half-open connection stays one.

mod arrival;
mod conn;
mod paths;

use std::collections::{BTreeSet, VecDeque};
use std::io::IoSlice;
use std::net::SocketAddr;
use std::time::Duration;

use holdfast_core::machine::ConnId;
use slab::Slab;

use crate::ids::{ConnKey, End, NodeId, Side};
use crate::queue::{Event, Queue};
use crate::time::ms;

use conn::{Conn, EndState, Life, Piece, Stage};
pub use paths::{Paths, Quality};

const ECONNRESET: i32 = 104;
const ETIMEDOUT: i32 = 110;
const ECONNREFUSED: i32 = 111;
const EADDRINUSE: i32 = 98;
/// Connection requests a system sends before it gives up, one second apart, then two, four, …
const SYN_ATTEMPTS: u32 = 6;

/// What a process is told.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Notice {
    /// Somebody connected.
    Accept(End),
    /// An attempt to connect has ended.
    Connected(End, Result<(), i32>),
    /// There is something to read: bytes, the end or an error.
    Readable(End),
    /// There is room to write again.
    Writable(End),
}

/// What reading came to.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Read {
    /// That many bytes.
    Bytes(usize),
    /// Nothing at present.
    Empty,
    /// The peer has closed.
    Eof,
    /// The connection is broken.
    Broken(i32),
}

/// The two addresses of an end.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Ways {
    /// The end's own node.
    pub node: NodeId,
    /// The node of the other end.
    pub peer_node: NodeId,
    /// The end's own address.
    pub local: SocketAddr,
    /// The other end's address.
    pub remote: SocketAddr,
}

/// All connections and the hosts' network stacks.
pub struct Net {
    conns: Slab<Conn>,
    serial: u32,
    hosts: Vec<Host>,
    paths: Paths,
    notices: VecDeque<(NodeId, Notice)>,
}

struct Host {
    powered: bool,
    listening: BTreeSet<u16>,
    next_port: u16,
}

impl Net {
    /// A network of that many hosts.
    pub fn new(nodes: usize, paths: Paths) -> Self {
        let hosts = (0..nodes)
            .map(|_| Host {
                powered: true,
                listening: BTreeSet::new(),
                next_port: 32_768,
            })
            .collect();
        Self {
            conns: Slab::new(),
            serial: 0,
            hosts,
            paths,
            notices: VecDeque::new(),
        }
    }

    /// The next thing a process is to be told.
    pub fn poll_notice(&mut self) -> Option<(NodeId, Notice)> {
        self.notices.pop_front()
    }

    /// Opens a port for connections.
    pub fn listen(&mut self, node: NodeId, port: u16) -> Result<u16, i32> {
        let host = &mut self.hosts[node.index()];
        let port = if port == 0 { host.take_port() } else { port };
        if host.listening.insert(port) {
            Ok(port)
        } else {
            Err(EADDRINUSE)
        }
    }

    /// Closes a port.
    pub fn unlisten(&mut self, node: NodeId, port: u16) {
        self.hosts[node.index()].listening.remove(&port);
    }

    /// Begins to connect; [`Notice::Connected`] tells how it ended.
    pub fn connect(
        &mut self,
        queue: &mut Queue,
        from: NodeId,
        to: SocketAddr,
        owner: ConnId,
    ) -> End {
        let target = if to.ip().is_loopback() {
            Some(from)
        } else {
            NodeId::by_ip(to.ip(), self.hosts.len())
        };
        self.serial += 1;
        let port = self.hosts[from.index()].take_port();
        let mut caller = EndState::new(from, from.at(port));
        caller.owner = Some(owner);
        // An address nobody has behaves as a host that never answers: the callee is the caller
        // itself, in a stage nothing leads out of but the last attempt.
        let callee = EndState::new(target.unwrap_or(from), to);
        let index = self.conns.insert(Conn::new(self.serial, caller, callee));
        let key = ConnKey {
            index: u32::try_from(index).expect("fewer than 2^32 connections"),
            serial: self.serial,
        };
        let latency = match target {
            Some(node) => self.paths.latency(from, node),
            None => {
                self.conns[index].attempts = SYN_ATTEMPTS;
                ms(63_000)
            }
        };
        queue.push(queue.now() + latency, Event::Syn(key));
        End {
            conn: key,
            side: Side::Caller,
        }
    }

    /// Names the connection an accepted end belongs to in its process.
    pub fn adopt(&mut self, end: End, owner: ConnId) {
        let conn = self.conn_mut(end.conn).expect("the process holds the end");
        conn.end_mut(end.side).owner = Some(owner);
    }

    /// The process's name for an end; `None` if the end is gone or was never adopted.
    pub fn owner(&self, end: End) -> Option<ConnId> {
        let state = self.conn(end.conn)?.end(end.side);
        state.owner.filter(|_| state.life == Life::Open)
    }

    /// Whether a process still holds this end.
    pub fn holds(&self, end: End) -> bool {
        self.conn(end.conn)
            .is_some_and(|conn| conn.end(end.side).life == Life::Open)
    }

    /// Whether a connection still exists in some form.
    pub fn exists(&self, key: ConnKey) -> bool {
        self.conn(key).is_some()
    }

    /// The addresses of an end.
    pub fn ways(&self, end: End) -> Option<Ways> {
        let conn = self.conn(end.conn)?;
        let (own, peer) = (conn.end(end.side), conn.end(end.side.other()));
        Some(Ways {
            node: own.node,
            peer_node: peer.node,
            local: own.addr,
            remote: peer.addr,
        })
    }

    /// Reads what has arrived.
    pub fn read(&mut self, queue: &mut Queue, end: End, into: &mut [u8]) -> Read {
        let Some(conn) = self.conn_mut(end.conn) else {
            return Read::Broken(ECONNRESET);
        };
        let (own, peer) = (conn.end(end.side).node, conn.end(end.side.other()).node);
        conn.end_mut(end.side).told_readable = false;
        let flow = conn.flow_from(end.side.other());
        let len = flow.read(into);
        if len == 0 {
            let ended = flow.ended;
            return match conn.end(end.side).error {
                Some(errno) => Read::Broken(errno),
                None if ended => Read::Eof,
                None => Read::Empty,
            };
        }
        let more = flow.arrived > 0 || flow.ended || conn.end(end.side).error.is_some();
        if more {
            self.tell_readable(end);
        }
        if !self.paths.open(own, peer) {
            self.conns[end.conn.index as usize]
                .flow_from(end.side.other())
                .late_acks += len;
        }
        self.offer_room(queue, end.peer());
        Read::Bytes(len)
    }

    /// Writes as much as there is room for, and says how much that was.
    pub fn write(&mut self, queue: &mut Queue, end: End, parts: &[IoSlice<'_>]) -> usize {
        let window = self.paths.quality().window_bytes as usize;
        let Some(conn) = self.conn_mut(end.conn) else {
            return 0;
        };
        if conn.end(end.side).error.is_some() {
            return 0;
        }
        if conn.stage != Stage::Established {
            conn.end_mut(end.side).wants_room = true;
            return 0;
        }
        let flow = conn.flow_from(end.side);
        let mut room = window.saturating_sub(flow.unacked());
        let mut written = 0;
        let mut short = false;
        for part in parts {
            let len = part.len().min(room);
            flow.bytes.extend(&part[..len]);
            written += len;
            room -= len;
            short |= len < part.len();
        }
        conn.end_mut(end.side).wants_room = short;
        self.send(queue, end, written);
        written
    }

    /// Closes an end, as `close(2)` does: the peer reads what was written, then the end; it is
    /// reset if there was something unread.
    pub fn close(&mut self, queue: &mut Queue, end: End) {
        let Some(conn) = self.conn_mut(end.conn) else {
            return;
        };
        if conn.end(end.side).life != Life::Open {
            return;
        }
        let unread = !conn.flow_from(end.side.other()).bytes.is_empty();
        conn.end_mut(end.side).life = Life::Closed;
        let told = match conn.stage {
            Stage::Requested | Stage::Refused => false,
            Stage::Answered | Stage::Established => true,
        };
        if conn.dead() || !told {
            self.conns.remove(end.conn.index as usize);
            return;
        }
        let what = if unread { Piece::Rst } else { Piece::Fin };
        self.dispatch(queue, end, what, 0);
    }

    /// Closes everything a process had, as its system does when it dies.
    pub fn kill(&mut self, queue: &mut Queue, node: NodeId) {
        self.hosts[node.index()].listening.clear();
        for end in self.ends_at(node) {
            self.close(queue, end);
        }
    }

    /// Takes a host's power: its ends vanish without a word.
    pub fn lose_power(&mut self, node: NodeId) {
        let host = &mut self.hosts[node.index()];
        host.listening.clear();
        host.powered = false;
        for end in self.ends_at(node) {
            let conn = &mut self.conns[end.conn.index as usize];
            conn.end_mut(end.side).life = Life::Vanished;
            if conn.dead() {
                self.conns.remove(end.conn.index as usize);
            }
        }
    }

    /// Gives a host its power back; what peers still send it is answered by resets.
    pub fn restore_power(&mut self, queue: &mut Queue, node: NodeId) {
        self.hosts[node.index()].powered = true;
        self.resend_held(queue, |_, to| to == node);
    }

    /// Whether a host has power.
    pub fn powered(&self, node: NodeId) -> bool {
        self.hosts[node.index()].powered
    }

    /// Breaks every connection between two hosts.
    pub fn reset_between(&mut self, queue: &mut Queue, one: NodeId, two: NodeId) {
        for end in self.ends_at(one) {
            let conn = &self.conns[end.conn.index as usize];
            if conn.end(end.side.other()).node == two && conn.stage == Stage::Established {
                queue.push(queue.now(), Event::Reset(end));
                queue.push(queue.now(), Event::Reset(end.peer()));
            }
        }
    }

    /// Cuts the path in one direction.
    pub fn cut(&mut self, from: NodeId, to: NodeId) {
        self.paths.cut(from, to);
    }

    /// Takes one cut back.
    pub fn mend(&mut self, queue: &mut Queue, from: NodeId, to: NodeId) {
        if !self.paths.mend(from, to) {
            return;
        }
        self.resend_held(queue, |a, b| (a, b) == (from, to));
        for end in self.ends_at(from) {
            let conn = &mut self.conns[end.conn.index as usize];
            if conn.end(end.side.other()).node == to {
                conn.flow_from(end.side.other()).late_acks = 0;
                self.offer_room(queue, end.peer());
            }
        }
    }

    /// Adds latency to one direction.
    pub fn slow(&mut self, from: NodeId, to: NodeId, extra: Duration) {
        self.paths.slow(from, to, extra);
    }

    /// Replaces how the network behaves.
    pub fn set_quality(&mut self, quality: Quality) {
        self.paths.set_quality(quality);
    }

    /// Whether packets pass in that direction.
    pub fn open(&self, from: NodeId, to: NodeId) -> bool {
        self.paths.open(from, to)
    }

    /// Connections that exist in some form.
    pub fn conns(&self) -> usize {
        self.conns.len()
    }

    fn tell_readable(&mut self, end: End) {
        let conn = &mut self.conns[end.conn.index as usize];
        let state = conn.end_mut(end.side);
        if state.life == Life::Open && !state.told_readable {
            state.told_readable = true;
            self.notices.push_back((state.node, Notice::Readable(end)));
        }
    }

    /// Sends bytes that were just put in the flow, in slices.
    fn send(&mut self, queue: &mut Queue, end: End, mut len: usize) {
        while len > 0 {
            let conn = &self.conns[end.conn.index as usize];
            let (from, to) = (conn.end(end.side).node, conn.end(end.side.other()).node);
            let cut = self.paths.cut_at(from, to, len);
            self.dispatch(queue, end, Piece::Bytes(cut), cut);
            len -= cut;
        }
    }

    fn dispatch(&mut self, queue: &mut Queue, end: End, what: Piece, len: usize) {
        let conn = &self.conns[end.conn.index as usize];
        let (from, to) = (conn.end(end.side).node, conn.end(end.side.other()).node);
        let travel = self.paths.latency(from, to);
        let on_wire = self.paths.transmission(len);
        let flow = self.conns[end.conn.index as usize].flow_from(end.side);
        let at = (queue.now() + travel + on_wire).max(flow.last_arrival + on_wire);
        flow.push(at, what);
        if !flow.held {
            queue.push(at, Event::Slice(end));
        }
    }

    fn offer_room(&mut self, queue: &mut Queue, writer: End) {
        let window = self.paths.quality().window_bytes as usize;
        let conn = &mut self.conns[writer.conn.index as usize];
        let (from, to) = (
            conn.end(writer.side.other()).node,
            conn.end(writer.side).node,
        );
        let room = window.saturating_sub(conn.flow_from(writer.side).unacked());
        let state = conn.end_mut(writer.side);
        if state.wants_room && state.life == Life::Open && room >= window / 4 {
            state.wants_room = false;
            let latency = self.paths.latency(from, to);
            queue.push(queue.now() + latency, Event::Window(writer));
        }
    }

    fn resend_held(&mut self, queue: &mut Queue, which: impl Fn(NodeId, NodeId) -> bool) {
        for index in 0..self.conns.capacity() {
            for side in [Side::Caller, Side::Callee] {
                let Some(conn) = self.conns.get_mut(index) else {
                    continue;
                };
                let (from, to) = (conn.end(side).node, conn.end(side.other()).node);
                let serial = conn.serial;
                // What a host without power had yet to send again is gone with it.
                let gone = conn.end(side).life == Life::Vanished;
                if gone || !which(from, to) || !conn.flow_from(side).held {
                    continue;
                }
                let at = queue.now() + self.paths.retransmission(from, to);
                self.conns[index].flow_from(side).resend(at);
                let conn = ConnKey {
                    index: u32::try_from(index).expect("fewer than 2^32 connections"),
                    serial,
                };
                queue.push(at, Event::Slice(End { conn, side }));
            }
        }
    }

    fn ends_at(&self, node: NodeId) -> Vec<End> {
        let mut ends = Vec::new();
        for (index, conn) in &self.conns {
            for side in [Side::Caller, Side::Callee] {
                let state = conn.end(side);
                let known = side == Side::Caller
                    || matches!(conn.stage, Stage::Answered | Stage::Established);
                if state.node == node && state.life == Life::Open && known {
                    let conn = ConnKey {
                        index: u32::try_from(index).expect("fewer than 2^32 connections"),
                        serial: conn.serial,
                    };
                    ends.push(End { conn, side });
                }
            }
        }
        ends
    }

    fn conn(&self, key: ConnKey) -> Option<&Conn> {
        let conn = self.conns.get(key.index as usize)?;
        (conn.serial == key.serial).then_some(conn)
    }

    fn conn_mut(&mut self, key: ConnKey) -> Option<&mut Conn> {
        let conn = self.conns.get_mut(key.index as usize)?;
        (conn.serial == key.serial).then_some(conn)
    }
}

impl Host {
    fn take_port(&mut self) -> u16 {
        let port = self.next_port;
        self.next_port = if port == u16::MAX { 32_768 } else { port + 1 };
        port
    }
}

#[cfg(test)]
mod tests;
