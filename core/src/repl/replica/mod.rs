//! The link to the master.

use core::time::Duration;
use std::borrow::Cow;
use std::collections::VecDeque;

use tracing::{info, warn};

use super::action::{Action, Attempt, CloseReason};
use super::history::{History, Offset, ReplId};
use super::lineage::RunId;
use super::receive::{Place, Receive};
use super::settings::Settings;
use crate::machine::{ConnId, DiskFault, Mono};

mod above;
mod attempt;
mod handshake;
mod keep;
mod online;
mod payload;
mod state;
mod transfer;

#[cfg(test)]
mod tests;

use above::Above;
use keep::Keep;
pub(super) use state::{Connected, Granted, Step};
use state::{State, Transfer};
pub(super) use transfer::Stored;

/// Between two attempts to reach the master at first; doubled with each failure.
const RETRY_MIN: Duration = Duration::from_millis(50);
/// Between two attempts to reach the master at most, as Redis has it.
const RETRY_MAX: Duration = Duration::from_secs(1);
/// How often the master is told how far we are, or that we live.
const ACK_PERIOD: Duration = Duration::from_secs(1);
/// How long half a line of the master is waited for (`CONFIG_REPL_SYNCIO_TIMEOUT`).
const LINE_TIMEOUT: Duration = Duration::from_secs(5);

/// The master named by REPLICAOF, and the link to it.
#[derive(Debug)]
pub struct Link {
    host: Box<str>,
    port: u16,
    state: State,
    /// The database in which the stream goes on where we stopped; `None` if nothing of a master
    /// is known, so that only a whole dataset helps.
    cached: Option<u32>,
    takeover: Takeover,
    attempts: u64,
    failures: u32,
    tried_at: Option<Mono>,
    down_since: Option<Mono>,
    keep: Keep,
    above: Above,
}

/// Whether the master is asked to take over from this node (PSYNC … FAILOVER), and what it said.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Takeover {
    /// It is not asked.
    Unwanted,
    /// It is to be asked, or has not answered.
    Wanted,
    /// It is a master.
    Granted,
    /// It did not want to.
    Refused,
}

/// What the bytes of the master turned out to be.
#[derive(Debug, Eq, PartialEq)]
pub enum Event<'a> {
    /// A dataset begins. Answer with [`receive_to`](super::Replication::receive_to) before
    /// going on.
    Begin,
    /// A piece of a dataset that is received into memory.
    Payload(Cow<'a, [u8]>),
    /// A dataset received into memory is complete. Check and install it, and answer with
    /// [`loaded`](super::Replication::loaded) before going on.
    End,
    /// The stream goes on where we stopped, in this database: what follows are commands.
    Streaming {
        /// The database.
        db: u32,
    },
}

/// Where a dataset is received.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Target {
    /// Into memory, piece by piece, beside the dataset there is.
    Memory,
    /// Into a file.
    Disk(Place),
}

impl Link {
    /// A link to be made. `cached` is the database the own stream is in, if a partial
    /// resynchronization may do.
    pub(super) fn new(
        now: Mono,
        own: RunId,
        (host, port): (&str, u16),
        cached: Option<u32>,
    ) -> Self {
        Self {
            host: host.into(),
            port,
            state: State::Connect {
                at: now,
                again: false,
            },
            cached,
            takeover: Takeover::Unwanted,
            attempts: 0,
            failures: 0,
            tried_at: None,
            down_since: None,
            keep: Keep::default(),
            above: Above::new(now, own),
        }
    }

    /// Takes over from the link to another master.
    pub(super) fn succeed(mut self, old: &Self) -> Self {
        // Answers to the old link's attempts may still be on their way.
        self.attempts = old.attempts;
        self.cached = old.cached;
        self.down_since = old.down_since;
        self
    }

    /// Has the master asked to take over, or not.
    pub(super) const fn want_takeover(&mut self, wanted: bool) {
        self.takeover = if wanted {
            Takeover::Wanted
        } else {
            Takeover::Unwanted
        };
    }

    /// What became of asking it to take over.
    pub(super) const fn takeover(&self) -> Takeover {
        self.takeover
    }

    /// Starts an attempt if it is time for one, and gives up what was silent for too long.
    pub(super) fn tick(
        &mut self,
        now: Mono,
        history: &History,
        settings: &Settings,
        fx: &mut VecDeque<Action>,
    ) {
        if self.deadline(settings).is_none_or(|at| now < at) {
            return;
        }
        match &mut self.state {
            State::Connect { again, .. } => {
                let verb = if *again { "Reconnecting" } else { "Connecting" };
                info!("{verb} to MASTER {}:{}", self.host, self.port);
                self.start_attempt(now, settings, fx);
            }
            State::Resolving { .. } | State::Connecting { .. } => {
                warn!("Timeout connecting to the MASTER...");
                self.fail(now, fx);
            }
            State::Handshake { .. } => {
                warn!("Timeout connecting to the MASTER...");
                self.fail(now, fx);
            }
            State::Transfer(transfer) => {
                if transfer.is_overdue(now, settings) {
                    warn!(
                        "Timeout receiving bulk data from MASTER... If the problem persists try \
                         to set the 'repl-timeout' parameter in redis.conf to a larger value."
                    );
                    self.fail(now, fx);
                } else {
                    transfer.keep_alive(now, fx);
                }
            }
            State::Connected(connected) => {
                if now >= connected.heard_at + settings.timeout {
                    warn!("MASTER timeout: no data nor PING received...");
                    let conn = connected.conn;
                    fx.push_back(Action::Close {
                        conn,
                        reason: CloseReason::Timeout,
                    });
                    self.lost(now, conn);
                } else {
                    connected.acknowledge(now, history.offset(), fx);
                }
            }
        }
    }

    /// Takes bytes of the master that are not its stream.
    pub(super) fn receive<'a>(
        &mut self,
        now: Mono,
        conn: ConnId,
        input: &'a [u8],
        history: &History,
        settings: &Settings,
        fx: &mut VecDeque<Action>,
    ) -> Step<'a> {
        match &mut self.state {
            State::Handshake { conn: current, .. } if *current == conn => {
                self.receive_reply(now, input, history, settings, fx)
            }
            State::Transfer(transfer) if transfer.conn == conn => {
                let step = transfer.receive(now, input, fx);
                if let Step::Failed = step {
                    self.fail(now, fx);
                }
                step
            }
            State::Connect { .. }
            | State::Resolving { .. }
            | State::Connecting { .. }
            | State::Handshake { .. }
            | State::Transfer(_)
            | State::Connected(_) => Step::Stuck,
        }
    }

    /// Decides where the dataset that begins goes.
    pub(super) fn receive_to(&mut self, now: Mono, target: Target, fx: &mut VecDeque<Action>) {
        let State::Transfer(transfer) = &mut self.state else {
            panic!("a place is chosen only for a dataset that begins");
        };
        transfer.receive_to(target, fx);
        transfer.heard_at = now;
    }

    /// What has arrived of the dataset is being decoded.
    pub(super) fn dataset_goes_on(&mut self, now: Mono, fx: &mut VecDeque<Action>) {
        if let State::Transfer(transfer) = &mut self.state {
            transfer.goes_on(now, fx);
        }
    }

    /// Takes the answer to a step on the file the dataset is received into.
    pub(super) fn disk_done(
        &mut self,
        now: Mono,
        attempt: Attempt,
        result: Result<(), DiskFault>,
        fx: &mut VecDeque<Action>,
    ) -> Option<Stored> {
        let State::Transfer(transfer) = &mut self.state else {
            return None;
        };
        if transfer.attempt != attempt {
            return None;
        }
        match transfer.disk_done(now, result, fx) {
            Ok(stored) => stored,
            Err(fault) => {
                warn!(
                    "Write error or short write writing to the DB dump file needed for \
                     MASTER <-> REPLICA synchronization: {fault:?}"
                );
                self.fail(now, fx);
                None
            }
        }
    }

    /// What was granted by the master if the load that has ended belongs to this attempt.
    pub(super) fn loading(&self, attempt: Attempt) -> Option<Granted> {
        match &self.state {
            State::Transfer(transfer) if transfer.attempt == attempt => {
                assert!(transfer.is_loading(), "only a complete dataset is loaded");
                Some(transfer.granted)
            }
            State::Connect { .. }
            | State::Resolving { .. }
            | State::Connecting { .. }
            | State::Handshake { .. }
            | State::Transfer(_)
            | State::Connected(_) => None,
        }
    }

    /// The dataset could not be loaded.
    pub(super) fn load_failed(&mut self, now: Mono, fx: &mut VecDeque<Action>) {
        warn!("Failed trying to load the MASTER synchronization DB");
        if let State::Transfer(transfer) = &mut self.state {
            // There is nothing left to abandon.
            transfer.store_nowhere();
        }
        self.fail(now, fx);
    }

    /// The stream goes on in `db` at the place a file named.
    pub(super) const fn set_cached(&mut self, db: u32) {
        self.cached = Some(db);
    }

    /// Forgets what is known of the master's stream: only a whole dataset helps now.
    pub(super) fn discard_cached(&mut self) {
        self.cached = None;
    }

    /// The connection is gone. Answers whether it was this link's.
    pub(super) fn hung_up(&mut self, now: Mono, conn: ConnId, fx: &mut VecDeque<Action>) -> bool {
        if self.conn() != Some(conn) {
            return false;
        }
        match &mut self.state {
            State::Connected(_) => self.lost(now, conn),
            State::Transfer(transfer) if transfer.is_complete() => {
                // All there is to this dataset has arrived.
                transfer.lost = true;
            }
            State::Transfer(_) => {
                warn!("I/O error trying to sync with MASTER: connection lost");
                self.abandon_transfer(fx);
                self.retry(now, true);
            }
            State::Handshake { .. } | State::Connecting { .. } => {
                warn!("Connection with master lost during the handshake.");
                self.retry(now, true);
            }
            State::Connect { .. } | State::Resolving { .. } => panic!("it has no connection"),
        }
        true
    }

    /// The master broke the protocol: nothing it said can be relied on to go on from.
    pub(super) fn protocol_error(&mut self, now: Mono, fx: &mut VecDeque<Action>) {
        self.cached = None;
        if let State::Connected(connected) = &self.state {
            self.keep.lost(connected.heard_at);
            let conn = connected.conn;
            fx.push_back(Action::Close {
                conn,
                reason: CloseReason::Link,
            });
            warn!("Connection with master lost.");
            self.down_since = Some(now);
            self.retry(now, false);
        } else {
            self.fail(now, fx);
        }
    }

    /// Gives the link up. What is known of the stream stays known.
    pub(super) fn close(&mut self, now: Mono, fx: &mut VecDeque<Action>) {
        if let State::Connected(connected) = &self.state {
            let conn = connected.conn;
            fx.push_back(Action::Close {
                conn,
                reason: CloseReason::Link,
            });
            self.lost(now, conn);
        } else {
            self.fail(now, fx);
        }
    }

    /// Learns whether there is data to be lost, and when Sentinels were last seen to watch.
    pub(super) const fn note(&mut self, holds_data: bool, watched_at: Option<Mono>) {
        self.keep.note(holds_data, watched_at);
    }

    /// Whether the master is refused because it has lost its data.
    pub(super) const fn is_refusing(&self) -> bool {
        self.keep.is_refusing()
    }

    /// Learns whether a replica of this server has the master's address.
    pub(super) const fn note_followed_back(&mut self, is_followed_back: bool) {
        self.above.note_followed_back(is_followed_back);
    }

    /// Whether the handshake is under way.
    pub(super) const fn is_shaking_hands(&self) -> bool {
        matches!(self.state, State::Handshake { .. })
    }

    /// Takes note of bytes of the stream as they come in.
    pub(super) fn received(&mut self, now: Mono, conn: ConnId, len: usize) {
        let Some(stream) = self.stream_mut(conn) else {
            return;
        };
        stream.received(now, len);
        if len > 0 {
            self.above.flowed(now);
        }
    }

    /// Whether a server that shows itself with this address is at that of the master.
    pub(super) fn is_at(&self, ip: &str, port: i64) -> bool {
        self.above.is_at(&self.host, ip, port)
    }

    /// Someone with the master's address asks for the stream. Whether it may be the master, and
    /// whether that is news.
    pub(super) fn doubts(&mut self, now: Mono) -> (bool, bool) {
        self.above.doubts(now)
    }

    /// Whether it is too long ago that the stream has shown that there is a master.
    pub(super) fn is_quiet(&self, now: Mono, timeout: Duration) -> bool {
        self.above.is_quiet(now, timeout)
    }

    /// The masters above this server, its own first, as far as they tell.
    pub(super) fn masters(&self) -> &[RunId] {
        self.above.masters()
    }

    /// Whether the master is this server, or follows it.
    pub(super) const fn is_circle(&self) -> bool {
        self.above.is_circle()
    }

    /// Tells the master with the next tick how far we are.
    pub(super) const fn acknowledge_soon(&mut self, now: Mono) {
        if let State::Connected(connected) = &mut self.state {
            connected.ack_at = now;
        }
    }

    /// Tells how much of the stream is durable in the append-only file, if there is one.
    pub(super) const fn set_durable(&mut self, durable: Option<Offset>) {
        if let State::Connected(connected) = &mut self.state {
            connected.durable = durable;
        }
    }

    /// The connected link over this connection.
    pub(super) fn stream_mut(&mut self, conn: ConnId) -> Option<&mut Connected> {
        match &mut self.state {
            State::Connected(connected) if connected.conn == conn => Some(connected),
            State::Connect { .. }
            | State::Resolving { .. }
            | State::Connecting { .. }
            | State::Handshake { .. }
            | State::Transfer(_)
            | State::Connected(_) => None,
        }
    }

    /// The connected link.
    pub(super) const fn stream(&self) -> Option<&Connected> {
        match &self.state {
            State::Connected(connected) => Some(connected),
            State::Connect { .. }
            | State::Resolving { .. }
            | State::Connecting { .. }
            | State::Handshake { .. }
            | State::Transfer(_) => None,
        }
    }

    /// The dataset that is being received.
    pub(super) fn transfer(&self) -> Option<&Transfer> {
        match &self.state {
            State::Transfer(transfer) => Some(transfer),
            State::Connect { .. }
            | State::Resolving { .. }
            | State::Connecting { .. }
            | State::Handshake { .. }
            | State::Connected(_) => None,
        }
    }

    /// The connection in use.
    pub(super) fn conn(&self) -> Option<ConnId> {
        match &self.state {
            State::Connect { .. } | State::Resolving { .. } => None,
            State::Connecting { conn, .. } => *conn,
            State::Handshake { conn, .. } => Some(*conn),
            State::Transfer(transfer) => (!transfer.lost).then_some(transfer.conn),
            State::Connected(connected) => Some(connected.conn),
        }
    }

    /// Whether bytes of the master are wanted at present.
    pub(super) fn wants_read(&self, conn: ConnId) -> bool {
        match &self.state {
            State::Transfer(transfer) if transfer.conn == conn => transfer.wants_read(),
            State::Connect { .. }
            | State::Resolving { .. }
            | State::Connecting { .. }
            | State::Handshake { .. }
            | State::Transfer(_)
            | State::Connected(_) => true,
        }
    }

    /// `master_host`.
    pub(super) fn host(&self) -> &str {
        &self.host
    }

    /// `master_port`.
    pub(super) const fn port(&self) -> u16 {
        self.port
    }

    /// The database in which the stream goes on, if its place is known.
    pub(super) fn db(&self) -> Option<u32> {
        match &self.state {
            State::Connected(connected) => Some(connected.db),
            State::Connect { .. }
            | State::Resolving { .. }
            | State::Connecting { .. }
            | State::Handshake { .. }
            | State::Transfer(_) => self.cached,
        }
    }

    /// The word ROLE has for the state.
    pub(super) const fn state_name(&self) -> &'static str {
        match self.state {
            State::Connect { .. } => "connect",
            State::Resolving { .. } | State::Connecting { .. } => "connecting",
            State::Handshake { .. } => "handshake",
            State::Transfer(_) => "sync",
            State::Connected(_) => "connected",
        }
    }

    /// Since when the link is down, if it ever was up.
    pub(super) const fn down_since(&self) -> Option<Mono> {
        self.down_since
    }

    /// The next instant something is due.
    pub(super) fn deadline(&self, settings: &Settings) -> Option<Mono> {
        let timeout = settings.timeout;
        match &self.state {
            State::Connect { at, .. } => Some(*at),
            State::Resolving { since, .. } | State::Connecting { since, .. } => {
                Some(*since + timeout)
            }
            State::Handshake {
                heard_at,
                partial_since,
                ..
            } => {
                let line = partial_since.map(|since| since + LINE_TIMEOUT);
                let silence = *heard_at + timeout;
                Some(line.map_or(silence, |line| line.min(silence)))
            }
            State::Transfer(transfer) => transfer.deadline(settings),
            State::Connected(connected) => {
                let silence = connected.heard_at + timeout;
                Some(silence.min(connected.ack_at))
            }
        }
    }

    /// Gives up what the link is at, before it was connected.
    fn fail(&mut self, now: Mono, fx: &mut VecDeque<Action>) {
        self.abandon_transfer(fx);
        if let Some(conn) = self.conn() {
            fx.push_back(Action::Close {
                conn,
                reason: CloseReason::Link,
            });
        }
        self.retry(now, true);
    }

    fn abandon_transfer(&mut self, fx: &mut VecDeque<Action>) {
        if let State::Transfer(transfer) = &mut self.state {
            transfer.abandon(fx);
        }
    }

    fn retry(&mut self, now: Mono, failed: bool) {
        let delay = RETRY_MAX.min(RETRY_MIN * 2_u32.pow(self.failures.min(10)));
        self.failures = if failed { self.failures + 1 } else { 0 };
        let earliest = self.tried_at.map_or(now, |at| at + delay);
        self.state = State::Connect {
            at: now.max(earliest),
            again: !failed,
        };
    }
}
