//! The replicas of this node.

use core::time::Duration;
use std::collections::{BTreeMap, VecDeque};

use bytes::Bytes;
use tracing::{info, warn};

use super::action::{Action, CloseReason};
use super::backlog::Backlog;
use super::history::{History, Offset};
use super::settings::Settings;
use super::wait::{Kept, Need};
use crate::machine::{Addr, ConnId, Mono, Slices};

mod admission;
mod circle;
mod handshake;
mod outbound;
mod peer;
mod transfer;

#[cfg(test)]
mod tests;

pub use admission::Psync;
pub(super) use admission::admit;
use circle::SIGN_PERIOD;
pub use handshake::{Contents, Handshake, Replconf};
pub(super) use handshake::{Request, integer};
pub use peer::ReplicaView;
use peer::{Peer, State};
pub use transfer::StartFault;
use transfer::Transfer;

/// How often waiting replicas get their keep-alive and silent ones are looked for.
const CRON_PERIOD: Duration = Duration::from_secs(1);

/// How often what was counted for INFO happened.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct SyncStats {
    /// `sync_full`.
    pub full: u64,
    /// `sync_partial_ok`.
    pub partial_ok: u64,
    /// `sync_partial_err`.
    pub partial_err: u64,
}

/// The replicas of this node, what they said of themselves, and what each is being sent.
#[derive(Debug)]
pub struct Primary {
    /// What connections that are no replicas yet said of themselves.
    described: BTreeMap<ConnId, Handshake>,
    /// In the order in which they came.
    replicas: Vec<Peer>,
    transfer: Option<Transfer>,
    snapshots: u64,
    /// When the next snapshot shall start.
    start_at: Option<Mono>,
    /// No snapshot before this instant: the last try found the slot taken.
    retry_at: Mono,
    /// Since when there have been no replicas.
    alone_since: Option<Mono>,
    cron_at: Mono,
    /// When the last PING went out, or the first replica came.
    pinged_at: Mono,
    good: usize,
    /// When one of them is too old to be counted, unless it is heard of before.
    good_until: Option<Mono>,
    acks_moved: bool,
    stats: SyncStats,
}

impl Primary {
    /// A node without replicas.
    pub(super) fn new(now: Mono) -> Self {
        Self {
            described: BTreeMap::new(),
            replicas: Vec::new(),
            transfer: None,
            snapshots: 0,
            start_at: None,
            retry_at: now,
            alone_since: Some(now),
            cron_at: now + CRON_PERIOD,
            pinged_at: now,
            good: 0,
            good_until: None,
            acks_moved: false,
            stats: SyncStats::default(),
        }
    }

    /// What the connection said of itself so far.
    pub(super) fn describe(&mut self, conn: ConnId) -> &mut Handshake {
        match self.replicas.iter().position(|peer| peer.conn == conn) {
            Some(at) => &mut self.replicas[at].who,
            None => self.described.entry(conn).or_default(),
        }
    }

    /// The name of the replica this connection is or wants to be, for the log.
    pub(super) fn name(&self, conn: ConnId, remote: &Addr) -> String {
        let blank = Handshake::default();
        peer::name(self.described.get(&conn).unwrap_or(&blank), remote)
    }

    /// Makes the connection a replica that waits for a snapshot.
    pub(super) fn attach_for_snapshot(
        &mut self,
        now: Mono,
        conn: ConnId,
        remote: Addr,
        psync: bool,
    ) {
        self.stats.full += 1;
        self.attach(now, conn, remote, psync);
    }

    /// Makes the connection a replica that goes on with the stream at `cursor`.
    pub(super) fn attach_for_stream(
        &mut self,
        now: Mono,
        conn: ConnId,
        remote: Addr,
        cursor: Offset,
        history: &History,
        settings: &Settings,
    ) {
        self.stats.partial_ok += 1;
        let peer = self.attach(now, conn, remote, true);
        let reply = if peer.who.psync2 {
            format!("+CONTINUE {}\r\n", history.replid())
        } else {
            "+CONTINUE\r\n".to_owned()
        };
        peer.send(now, Bytes::from(reply));
        peer.out.pin(cursor);
        peer.out.flow();
        peer.state = State::Online;
        let (bytes, name) = (history.offset().since(cursor), peer.name());
        info!(
            "Partial resynchronization request from {name} accepted. Sending {bytes} bytes of \
             backlog starting from offset {}.",
            cursor.next_byte()
        );
        self.refresh_good(now, settings);
    }

    /// Counts a request for a partial resynchronization that could not be granted.
    pub(super) const fn refused_partial(&mut self) {
        self.stats.partial_err += 1;
    }

    /// Takes an acknowledgement. It says that the replica lives even if it says nothing else.
    pub(super) fn acknowledge(
        &mut self,
        now: Mono,
        conn: ConnId,
        applied: Option<Offset>,
        durable: Option<Offset>,
        settings: &Settings,
    ) {
        let Some(peer) = self.replica_mut(conn) else {
            return;
        };
        peer.acked = peer.acked.max(applied.unwrap_or_default());
        peer.acked_durable = peer.acked_durable.max(durable);
        peer.heard_at = now;
        if let State::Unacknowledged = peer.state {
            peer.state = State::Online;
            peer.out.flow();
        }
        self.acks_moved = true;
        self.refresh_good(now, settings);
    }

    /// Takes a sign of life that is no acknowledgement: a bare newline.
    pub(super) fn heard(&mut self, now: Mono, conn: ConnId) {
        if let Some(peer) = self.replica_mut(conn) {
            peer.heard_at = now;
        }
    }

    /// Forgets a connection, replica or not.
    pub(super) fn forget(
        &mut self,
        now: Mono,
        conn: ConnId,
        settings: &Settings,
        fx: &mut VecDeque<Action>,
    ) {
        self.described.remove(&conn);
        let Some(at) = self.replicas.iter().position(|peer| peer.conn == conn) else {
            return;
        };
        let peer = self.replicas.remove(at);
        warn!("Connection with replica {} lost.", peer.name());
        self.stop_unwanted_transfer(fx);
        if self.replicas.is_empty() {
            self.alone_since = Some(now);
        }
        self.refresh_good(now, settings);
    }

    /// Closes every replica's connection, so that they come back and learn the new state of
    /// things.
    pub(super) fn close_all(&mut self, now: Mono, settings: &Settings, fx: &mut VecDeque<Action>) {
        while let Some(conn) = self.replicas.first().map(|peer| peer.conn) {
            self.close(now, conn, CloseReason::Resync, settings, fx);
        }
        assert!(self.replicas.is_empty());
    }

    /// Starts counting anew how long there have been no replicas.
    pub(super) fn restart_alone_timer(&mut self, now: Mono) {
        if self.replicas.is_empty() {
            self.alone_since = Some(now);
        }
    }

    /// Does what is due once a second, and answers whether that second is over.
    pub(super) fn cron(
        &mut self,
        now: Mono,
        settings: &Settings,
        fx: &mut VecDeque<Action>,
    ) -> bool {
        if now < self.cron_at {
            return false;
        }
        self.cron_at = now + CRON_PERIOD;
        self.keep_alive(now);
        self.close_silent(now, settings, fx);
        self.refresh_good(now, settings);
        true
    }

    /// Counts synchronizations from here on (CONFIG RESETSTAT).
    pub(super) fn reset_stats(&mut self) {
        self.stats = SyncStats::default();
    }

    /// Whether a PING is due in the stream.
    pub(super) fn ping_due(&mut self, now: Mono, settings: &Settings) -> bool {
        let period = settings.ping_period.max(CRON_PERIOD);
        let due = !self.replicas.is_empty() && now >= self.pinged_at + period;
        if due {
            self.pinged_at = now;
        }
        due
    }

    /// Closes replicas that let too much pile up.
    pub(super) fn enforce_limit(
        &mut self,
        now: Mono,
        end: Option<Offset>,
        settings: &Settings,
        fx: &mut VecDeque<Action>,
    ) {
        let limit = settings.output_limit;
        // A limit below the backlog's size would drop replicas for what costs nothing to keep.
        let hard = limit.hard.max(settings.backlog_bytes as u64);
        let mut over = Vec::new();
        for peer in &mut self.replicas {
            // A snapshot waits for who is slow: what is under way of it is bounded as it is, and
            // may be one large value.
            let lag = peer.out.lag(end);
            let soft = limit.soft > 0 && lag > limit.soft;
            let since = *peer.over_soft_since.get_or_insert(now);
            if !soft {
                peer.over_soft_since = None;
            }
            let lasting = soft && now.since(since) >= limit.soft_for;
            if (limit.hard > 0 && lag > hard) || lasting {
                warn!(
                    "Client of replica {} scheduled to be closed ASAP for overcoming of output \
                     buffer limits.",
                    peer.name()
                );
                over.push(peer.conn);
            }
        }
        for conn in over {
            self.close(now, conn, CloseReason::OutputLimit, settings, fx);
        }
    }

    /// Whether acknowledgements came in since this was last asked.
    pub(super) const fn take_acks_moved(&mut self) -> bool {
        core::mem::replace(&mut self.acks_moved, false)
    }

    /// Counts the replicas that are good enough for `min-replicas-to-write`.
    pub(super) fn refresh_good(&mut self, now: Mono, settings: &Settings) {
        let fresh = |peer: &&Peer| {
            // Ages count in whole seconds, as they are shown.
            let lag = now.since(peer.heard_at).as_secs();
            peer.state.is_online() && lag <= settings.min_replicas_lag.as_secs()
        };
        let live = self.replicas.iter().filter(|peer| !self.is_left(peer));
        let heard = live.filter(fresh).map(|peer| peer.heard_at);
        let (good, oldest) = (heard.clone().count(), heard.min());
        let lasts = settings.min_replicas_lag + Duration::from_secs(1);
        self.good = good;
        self.good_until = oldest.map(|oldest| oldest + lasts);
    }

    /// Whether a replica that was good by the last count may be too old by now.
    pub(super) fn is_good_outdated(&self, now: Mono) -> bool {
        self.good_until.is_some_and(|until| until <= now)
    }

    /// Takes back what the driver wrote to a replica.
    pub(super) fn consume(
        &mut self,
        now: Mono,
        conn: ConnId,
        written: usize,
        end: Option<Offset>,
        settings: &Settings,
        fx: &mut VecDeque<Action>,
    ) {
        let Some(peer) = self.replica_mut(conn) else {
            return;
        };
        if written > 0 {
            peer.wrote_at = now;
        }
        peer.out.consume(written, end);
        let State::Draining { marked } = peer.state else {
            return;
        };
        if peer.out.head_len() == 0 {
            self.delivered(now, conn, marked, settings, fx);
        }
    }

    /// Lends what may be written to a replica now.
    pub(super) fn writable<'a>(
        &'a self,
        conn: ConnId,
        backlog: Option<&'a Backlog>,
        slices: &mut Slices<'a>,
    ) {
        if let Some(peer) = self.replica(conn) {
            peer.out.writable(backlog, slices);
        }
    }

    /// The replicas there is something to write to.
    pub(super) fn writable_conns(&self, end: Option<Offset>) -> impl Iterator<Item = ConnId> {
        self.replicas
            .iter()
            .filter(move |peer| peer.out.is_writable(end))
            .map(|peer| peer.conn)
    }

    /// The place in the stream before which no replica needs anything.
    pub(super) fn needed(&self) -> Option<Offset> {
        self.replicas
            .iter()
            .filter_map(|peer| peer.out.cursor())
            .min()
    }

    /// Panics if a replica is owed what there is not, or has what was never sent.
    pub(super) fn check_invariants(&self, offset: Offset, backlog: Option<&Backlog>) {
        for peer in &self.replicas {
            assert!(peer.acked <= offset, "a replica has what there is");
            if let Some(cursor) = peer.out.cursor() {
                assert!(
                    backlog.is_some_and(|backlog| backlog.reaches(cursor)),
                    "what a replica is still to be sent is kept"
                );
            }
        }
    }

    /// Bytes kept for one replica.
    pub(super) fn pending(&self, conn: ConnId, end: Option<Offset>) -> u64 {
        self.replica(conn).map_or(0, |peer| peer.out.pending(end))
    }

    /// Whether the connection is a replica.
    pub(super) fn is_replica(&self, conn: ConnId) -> bool {
        self.replica(conn).is_some()
    }

    /// How many replicas there are, in whichever state.
    pub(super) const fn count(&self) -> usize {
        self.replicas.len()
    }

    /// How many replicas are good enough for `min-replicas-to-write`.
    pub(super) const fn good(&self) -> usize {
        self.good
    }

    /// How many replicas have what is asked for.
    pub(super) fn acked(&self, need: &Need) -> usize {
        let at = |peer: &Peer| match need.kept {
            Kept::InMemory => Some(peer.acked),
            Kept::OnDisk { .. } => peer.acked_durable,
        };
        let has = |peer: &&Peer| peer.state.is_online() && at(peer) >= Some(need.target);
        let live = self.replicas.iter().filter(|peer| !self.is_left(peer));
        live.filter(has).count()
    }

    /// Since when there have been no replicas.
    pub(super) const fn alone_since(&self) -> Option<Mono> {
        self.alone_since
    }

    /// Whether the connection wants a part of the snapshot only and can't be sent one as it is
    /// taken.
    pub(super) fn lacks_eof_for_filter(&self, conn: ConnId) -> bool {
        let who = self.described.get(&conn);
        who.is_some_and(|who| who.contents != Contents::All && !who.eof)
    }

    /// What was counted for INFO.
    pub(super) const fn stats(&self) -> SyncStats {
        self.stats
    }

    /// The replicas as INFO and ROLE show them.
    pub(super) fn views(&self, now: Mono) -> impl Iterator<Item = ReplicaView<'_>> {
        self.replicas.iter().map(move |peer| peer.view(now))
    }

    /// The next instant something is due, as long as there are replicas.
    pub(super) fn deadline(&self) -> Option<Mono> {
        if self.replicas.is_empty() {
            return None;
        }
        Some(
            self.start_at
                .map_or(self.cron_at, |at| at.min(self.cron_at)),
        )
    }

    /// Whether a connection seems to be what a replica has left behind that has come back: it was
    /// silent since another came from the same address, as one does whose host has lost power, but
    /// for what may have been on its way by then.
    fn is_left(&self, peer: &Peer) -> bool {
        self.replicas.iter().any(|other| {
            let is_newer = peer.asked_at < other.asked_at;
            is_newer && peer.heard_at < other.asked_at + SIGN_PERIOD && other.is_same_node(peer)
        })
    }

    fn attach(&mut self, now: Mono, conn: ConnId, remote: Addr, psync: bool) -> &mut Peer {
        assert!(self.replica(conn).is_none(), "a replica attaches once");
        let who = self.described.remove(&conn).unwrap_or_default();
        if self.replicas.is_empty() {
            // The cron slept while there was nobody to look after.
            self.cron_at = now + CRON_PERIOD;
            self.pinged_at = now;
        }
        self.alone_since = None;
        self.replicas.push(Peer::new(now, conn, remote, who, psync));
        self.replicas.last_mut().expect("it was just added")
    }

    fn close(
        &mut self,
        now: Mono,
        conn: ConnId,
        reason: CloseReason,
        settings: &Settings,
        fx: &mut VecDeque<Action>,
    ) {
        fx.push_back(Action::Close { conn, reason });
        self.forget(now, conn, settings, fx);
    }

    /// A replica can only tell a long snapshot from a dead master by these.
    fn keep_alive(&mut self, now: Mono) {
        let saving = self
            .transfer
            .as_ref()
            .filter(|transfer| transfer.is_saving());
        let saving = saving.map(Transfer::id);
        for peer in &mut self.replicas {
            let waits = match peer.state {
                State::Waiting => true,
                // What is sent while it is taken must not be interrupted.
                State::Joined(id) => saving == Some(id),
                State::Bulk(_) | State::Draining { .. } | State::Unacknowledged | State::Online => {
                    false
                }
            };
            if waits && peer.out.head_len() == 0 {
                peer.send(now, Bytes::from_static(b"\n"));
            }
        }
    }

    fn close_silent(&mut self, now: Mono, settings: &Settings, fx: &mut VecDeque<Action>) {
        let mut silent = Vec::new();
        for peer in &self.replicas {
            match peer.state {
                State::Unacknowledged | State::Online => {
                    // Those that said SYNC never acknowledge.
                    if peer.psync && now.since(peer.heard_at) > settings.timeout {
                        let name = peer.name();
                        warn!("Disconnecting timedout replica (streaming sync): {name}");
                        silent.push(peer.conn);
                    }
                }
                State::Joined(_) | State::Bulk(_) | State::Draining { .. } => {
                    let stuck = peer.out.head_len() > 0;
                    if stuck && now.since(peer.wrote_at) > settings.timeout {
                        let name = peer.name();
                        warn!("Disconnecting timedout replica (full sync): {name}");
                        silent.push(peer.conn);
                    }
                }
                State::Waiting => {}
            }
        }
        for conn in silent {
            self.close(now, conn, CloseReason::Timeout, settings, fx);
        }
    }

    /// Looks for replicas that have taken all of a snapshot before its end was known.
    fn drained(&mut self, now: Mono, settings: &Settings, fx: &mut VecDeque<Action>) {
        let empty = |peer: &Peer| match peer.state {
            State::Draining { marked } if peer.out.head_len() == 0 => Some((peer.conn, marked)),
            State::Waiting
            | State::Joined(_)
            | State::Bulk(_)
            | State::Draining { .. }
            | State::Unacknowledged
            | State::Online => None,
        };
        let done: Vec<_> = self.replicas.iter().filter_map(empty).collect();
        for (conn, marked) in done {
            self.delivered(now, conn, marked, settings, fx);
        }
    }

    /// The whole snapshot has left for a replica.
    fn delivered(
        &mut self,
        now: Mono,
        conn: ConnId,
        marked: bool,
        settings: &Settings,
        fx: &mut VecDeque<Action>,
    ) {
        let peer = self.replica_mut(conn).expect("it was just written to");
        let name = peer.name();
        if marked {
            info!(
                "Streamed RDB transfer with replica {name} succeeded (socket). Waiting for \
                 REPLCONF ACK from replica to enable streaming"
            );
        }
        if peer.who.rdb_only {
            info!("RDB transfer completed, rdb only replica ({name}) should be disconnected asap");
            self.close(now, conn, CloseReason::Delivered, settings, fx);
            return;
        }
        peer.heard_at = now;
        // Bytes after the mark would keep a replica from finding it, so the stream waits until
        // the replica says that it did.
        peer.state = if marked {
            State::Unacknowledged
        } else {
            peer.out.flow();
            State::Online
        };
        info!("Synchronization with replica {name} succeeded");
        self.refresh_good(now, settings);
    }

    fn replica(&self, conn: ConnId) -> Option<&Peer> {
        self.replicas.iter().find(|peer| peer.conn == conn)
    }

    fn replica_mut(&mut self, conn: ConnId) -> Option<&mut Peer> {
        self.replicas.iter_mut().find(|peer| peer.conn == conn)
    }
}
