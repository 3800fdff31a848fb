//! What happens on the network by itself: requests, slices, resets and windows arrive.

use crate::ids::{ConnKey, End, Side};
use crate::queue::{Event, Queue};
use crate::time::ms;

use super::conn::{Life, Piece, Stage};
use super::{ECONNREFUSED, ECONNRESET, ETIMEDOUT, Net, Notice, SYN_ATTEMPTS};

impl Net {
    /// [`Event::Syn`]: a connection request arrives, or its last repetition is given up.
    pub fn on_syn(&mut self, queue: &mut Queue, key: ConnKey) {
        let Some(conn) = self.conn(key) else { return };
        let (caller, callee) = (conn.end(Side::Caller), conn.end(Side::Callee));
        let (from, to, port) = (caller.node, callee.node, callee.addr.port());
        if conn.attempts >= SYN_ATTEMPTS {
            self.conns[key.index as usize].stage = Stage::Refused;
            self.conclude(key, Err(ETIMEDOUT));
            return;
        }
        let host = &self.hosts[to.index()];
        let passes = self.paths.open(from, to) && host.powered;
        let listening = host.listening.contains(&port);
        let conn = &mut self.conns[key.index as usize];
        if !passes {
            let wait = ms(1_000 << conn.attempts);
            conn.attempts += 1;
            queue.push(queue.now() + wait, Event::Syn(key));
            return;
        }
        let latency = self.paths.latency(to, from);
        let conn = &mut self.conns[key.index as usize];
        if listening {
            conn.stage = Stage::Answered;
            let end = End {
                conn: key,
                side: Side::Callee,
            };
            self.notices.push_back((to, Notice::Accept(end)));
        } else {
            conn.stage = Stage::Refused;
        }
        queue.push(queue.now() + latency, Event::SynAck(key));
    }

    /// [`Event::SynAck`]: the answer to a request arrives.
    pub fn on_syn_ack(&mut self, queue: &mut Queue, key: ConnKey) {
        let Some(conn) = self.conn(key) else { return };
        let (from, to) = (conn.end(Side::Caller).node, conn.end(Side::Callee).node);
        if conn.end(Side::Caller).life != Life::Open {
            return;
        }
        if !self.paths.open(to, from) {
            queue.push(queue.now() + ms(1_000), Event::SynAck(key));
            return;
        }
        if conn.stage == Stage::Refused {
            self.conclude(key, Err(ECONNREFUSED));
            return;
        }
        self.conns[key.index as usize].stage = Stage::Established;
        self.conclude(key, Ok(()));
        let callee = End {
            conn: key,
            side: Side::Callee,
        };
        let state = self.conns[key.index as usize].end_mut(Side::Callee);
        if std::mem::take(&mut state.wants_room) && state.life == Life::Open {
            self.notices.push_back((to, Notice::Writable(callee)));
        }
        self.on_slice(queue, callee);
    }

    /// [`Event::Slice`]: what `from` sent may arrive.
    pub fn on_slice(&mut self, queue: &mut Queue, from: End) {
        loop {
            let Some(conn) = self.conn_mut(from.conn) else {
                return;
            };
            let (source, target) = (conn.end(from.side).node, conn.end(from.side.other()).node);
            let receiver = conn.end(from.side.other()).life;
            let established = conn.stage == Stage::Established;
            let flow = conn.flow_from(from.side);
            let due = flow
                .slices
                .front()
                .is_some_and(|slice| slice.at <= queue.now());
            if flow.held || !due || !established {
                return;
            }
            if !self.paths.open(source, target) || !self.hosts[target.index()].powered {
                self.conns[from.conn.index as usize]
                    .flow_from(from.side)
                    .held = true;
                return;
            }
            if receiver != Life::Open {
                self.bounce(queue, from);
                return;
            }
            self.deliver(from);
        }
    }

    /// [`Event::Reset`]: a reset arrives at this end.
    pub fn on_reset(&mut self, queue: &mut Queue, end: End) {
        let Some(conn) = self.conn(end.conn) else {
            return;
        };
        if conn.end(end.side).life != Life::Open {
            return;
        }
        let (own, peer) = (conn.end(end.side).node, conn.end(end.side.other()).node);
        if !self.paths.open(peer, own) {
            queue.push(queue.now() + ms(1_000), Event::Reset(end));
            return;
        }
        let conn = &mut self.conns[end.conn.index as usize];
        conn.end_mut(end.side).error = Some(ECONNRESET);
        self.tell_readable(end);
    }

    /// [`Event::Window`]: an end may write again.
    pub fn on_window(&mut self, end: End) {
        if let Some(conn) = self.conn(end.conn)
            && conn.end(end.side).life == Life::Open
        {
            self.notices
                .push_back((conn.end(end.side).node, Notice::Writable(end)));
        }
    }

    fn deliver(&mut self, from: End) {
        let conn = &mut self.conns[from.conn.index as usize];
        let flow = conn.flow_from(from.side);
        let slice = flow.slices.pop_front().expect("the caller saw it");
        match slice.what {
            Piece::Bytes(len) => flow.arrived += len,
            Piece::Fin => flow.ended = true,
            Piece::Rst => conn.end_mut(from.side.other()).error = Some(ECONNRESET),
        }
        self.tell_readable(from.peer());
    }

    /// Answers what was sent to an end nobody holds.
    fn bounce(&mut self, queue: &mut Queue, from: End) {
        let conn = &mut self.conns[from.conn.index as usize];
        let (source, target) = (conn.end(from.side).node, conn.end(from.side.other()).node);
        let flow = conn.flow_from(from.side);
        let data = (flow.slices.iter()).any(|slice| matches!(slice.what, Piece::Bytes(_)));
        flow.slices.clear();
        flow.bytes.clear();
        if data {
            let latency = self.paths.latency(target, source);
            queue.push(queue.now() + latency, Event::Reset(from));
        }
    }

    fn conclude(&mut self, key: ConnKey, result: Result<(), i32>) {
        let caller = self.conns[key.index as usize].end(Side::Caller);
        let end = End {
            conn: key,
            side: Side::Caller,
        };
        self.notices
            .push_back((caller.node, Notice::Connected(end, result)));
    }
}
