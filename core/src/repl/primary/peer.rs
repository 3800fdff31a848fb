//! One replica.

use bytes::Bytes;

use super::handshake::Handshake;
use super::outbound::Outbound;
use crate::machine::{Addr, ConnId, Mono};
use crate::repl::action::SnapshotId;
use crate::repl::history::Offset;

/// How far a replica has come.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum State {
    /// It waits for a snapshot to start.
    Waiting,
    /// It is sent the snapshot that is being taken, or will be once that is in its file.
    Joined(SnapshotId),
    /// It is sent the file with the snapshot.
    Bulk(SnapshotId),
    /// All of the snapshot is on its way, ended by a mark or counted before.
    Draining {
        /// By a mark.
        marked: bool,
    },
    /// It has all of the snapshot but did not say yet that it knows.
    Unacknowledged,
    /// It is sent the stream.
    Online,
}

impl State {
    /// Whether Redis calls it online.
    pub(super) const fn is_online(self) -> bool {
        match self {
            Self::Unacknowledged | Self::Online => true,
            Self::Waiting | Self::Joined(_) | Self::Bulk(_) | Self::Draining { .. } => false,
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Waiting | Self::Joined(_) | Self::Draining { marked: true } => "wait_bgsave",
            Self::Bulk(_) | Self::Draining { marked: false } => "send_bulk",
            Self::Unacknowledged | Self::Online => "online",
        }
    }
}

/// One replica.
#[derive(Debug)]
pub(super) struct Peer {
    pub(super) conn: ConnId,
    remote: Addr,
    pub(super) who: Handshake,
    /// Came by PSYNC; one that came by SYNC knows nothing of offsets.
    pub(super) psync: bool,
    pub(super) state: State,
    pub(super) out: Outbound,
    pub(super) acked: Offset,
    pub(super) acked_durable: Option<Offset>,
    pub(super) asked_at: Mono,
    /// When it last gave a sign of life.
    pub(super) heard_at: Mono,
    /// When it last took a byte, or was first given one after it had taken all.
    pub(super) wrote_at: Mono,
    pub(super) over_soft_since: Option<Mono>,
}

impl Peer {
    pub(super) fn new(now: Mono, conn: ConnId, remote: Addr, who: Handshake, psync: bool) -> Self {
        Self {
            conn,
            remote,
            who,
            psync,
            state: State::Waiting,
            out: Outbound::default(),
            acked: Offset::START,
            acked_durable: None,
            asked_at: now,
            heard_at: now,
            wrote_at: now,
            over_soft_since: None,
        }
    }

    /// Queues bytes that are not part of the stream.
    pub(super) fn send(&mut self, now: Mono, bytes: Bytes) {
        if self.out.head_len() == 0 {
            self.wrote_at = now;
        }
        self.out.push(bytes);
    }

    /// Whether both are connections of the same node, by the address that its clients would use.
    pub(super) fn is_same_node(&self, other: &Self) -> bool {
        let port = self.who.listening_port;
        port != 0 && port == other.who.listening_port && self.ip() == other.ip()
    }

    /// Shares a snapshot that stands at `at` in the stream.
    pub(super) fn join(&mut self, now: Mono, id: SnapshotId, at: Offset, reply: &Bytes) {
        self.state = State::Joined(id);
        self.out.pin(at);
        if self.psync {
            self.send(now, reply.clone());
        }
    }

    /// Whether what comes of a snapshot is for it.
    pub(super) fn takes(&self, id: SnapshotId) -> bool {
        self.state == State::Joined(id) || self.state == State::Bulk(id)
    }

    /// The address its clients would use.
    pub(super) fn ip(&self) -> String {
        ip(&self.who, &self.remote)
    }

    pub(super) fn name(&self) -> String {
        name(&self.who, &self.remote)
    }

    pub(super) fn view(&self, now: Mono) -> ReplicaView<'_> {
        ReplicaView {
            conn: self.conn,
            ip: self.ip(),
            port: self.who.listening_port,
            state: self.state.name(),
            acked: self.acked,
            lag_secs: now.since(self.heard_at).as_secs(),
            online: self.state.is_online(),
            announced_ip: &self.who.announced_ip,
        }
    }
}

/// A replica as INFO and ROLE show it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ReplicaView<'a> {
    /// Its connection.
    pub conn: ConnId,
    /// The address it announced, or the one it connected from.
    pub ip: String,
    /// The port it announced.
    pub port: i64,
    /// `wait_bgsave`, `send_bulk` or `online`.
    pub state: &'static str,
    /// What it last acknowledged.
    pub acked: Offset,
    /// Seconds since it last gave a sign of life.
    pub lag_secs: u64,
    /// Whether it is online.
    pub online: bool,
    /// The address it announced, if it did.
    pub announced_ip: &'a str,
}

/// The name of a replica in the log: the address its clients would use.
pub(super) fn name(who: &Handshake, remote: &Addr) -> String {
    let ip = ip(who, remote);
    let ip = if ip.contains(':') {
        format!("[{ip}]")
    } else {
        ip
    };
    match who.listening_port {
        0 => format!("{ip}:<unknown-replica-port>"),
        port => format!("{ip}:{port}"),
    }
}

pub(super) fn ip(who: &Handshake, remote: &Addr) -> String {
    if !who.announced_ip.is_empty() {
        return who.announced_ip.to_string();
    }
    match remote {
        Addr::Tcp(addr) => addr.ip().to_string(),
        Addr::Unix(path) => path.to_string(),
    }
}
