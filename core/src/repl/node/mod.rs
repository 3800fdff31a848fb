//! Replication as one machine: which role the node has, and how its parts change with it.

use core::time::Duration;
use std::collections::VecDeque;

use tracing::{info, warn};

use super::action::Action;
use super::backlog::Backlog;
use super::history::{History, Offset, ReplId};
use super::lineage::RunId;
use super::primary::Primary;
use super::replica::Link;
use super::settings::Settings;
use super::stream::{self, LogStream, Stream, Unit};
use super::wait::Waits;
use crate::machine::{ConnId, Mono, Now, TimerName};
use crate::rng::Rng;

mod failover;
mod follow;
mod report;
mod serve;

use failover::Failover;
pub use failover::{HandoverRequest, ReplicaAddr};
pub use follow::Received;
pub use report::Role;
pub use serve::{Admission, Sync};

/// Replication of one node.
///
/// After its inputs call [`end_turn`](Self::end_turn) and carry out what
/// [`poll_action`](Self::poll_action) yields, and repeat both until it yields nothing; then tell
/// the driver of [`writable_conns`](Self::writable_conns).
///
/// - *Commands* [`feed`](Self::feed) their effects and end with [`end_unit`](Self::end_unit).
/// - *Replicas* come with [`sync`](Self::sync); from then on their output is
///   [`writable`](Self::writable) and [`consume`](Self::consume) here. While
///   [`snapshot_wanted`](Self::snapshot_wanted) names the snapshot being taken, the next piece
///   of it goes to [`snapshot_chunk`](Self::snapshot_chunk).
/// - *The master's bytes* go to [`receive`](Self::receive) until
///   [`is_streaming`](Self::is_streaming); from then on to the server's own parser, with
///   [`stream_received`](Self::stream_received) for every read (and once for what is left over
///   when the stream begins) and [`applied`](Self::applied) for what was executed.
/// - *Every connection* that ends, whoever ended it, is told to [`hung_up`](Self::hung_up).
#[derive(Debug)]
pub struct Replication {
    settings: Settings,
    rng: Rng,
    run_id: RunId,
    history: History,
    backlog: Option<Backlog>,
    stream: Stream,
    /// Where effects go besides, on whichever role, while there is an append-only file.
    log: Option<LogStream>,
    /// How much of the stream is durable in that file.
    durable: Option<Offset>,
    /// The mark up to which that file is durable.
    synced: u64,
    /// Whether that has changed since the waits were looked at.
    synced_moved: bool,
    primary: Primary,
    waits: Waits,
    waited: VecDeque<(ConnId, usize)>,
    /// The link to the master; a node without one is a master.
    link: Option<Link>,
    /// No attempt is made to reach the master for now.
    link_held: bool,
    /// When Sentinels were last seen to watch this node, in whichever role.
    watched_at: Option<Mono>,
    failover: Failover,
    /// Replicas shall be asked how far they are.
    ask_acks: bool,
    fx: VecDeque<Action>,
}

/// What REPLICAOF with a host leads to.
#[derive(Debug, Eq, PartialEq)]
pub enum Following {
    /// It is the master already; nothing was done.
    Already,
    /// The link is being made.
    Started {
        /// Clients whose WAIT a replica can't answer.
        unblock: Vec<ConnId>,
    },
}

/// The place of a dataset in its history, as RDB files carry it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Place {
    /// `repl-id`.
    pub replid: ReplId,
    /// `repl-offset`.
    pub offset: Offset,
    /// `repl-stream-db`.
    pub db: u32,
}

impl Replication {
    /// A master of an empty dataset, without replicas.
    #[must_use]
    pub fn new(now: Now, rng: &Rng, settings: Settings) -> Self {
        let run_id = RunId::new(rng);
        let mut rng = rng.fork("replication");
        Self {
            settings,
            history: History::new(&mut rng),
            rng,
            run_id,
            backlog: None,
            stream: Stream::default(),
            log: None,
            durable: None,
            synced: 0,
            synced_moved: false,
            primary: Primary::new(now.mono),
            waits: Waits::default(),
            waited: VecDeque::new(),
            link: None,
            link_held: false,
            watched_at: None,
            failover: Failover::None,
            ask_acks: false,
            fx: VecDeque::new(),
        }
    }

    /// Takes a change of configuration.
    pub fn configure(&mut self, now: Now, settings: Settings) {
        if let Some(backlog) = &mut self.backlog {
            backlog.resize(settings.backlog_bytes);
        }
        self.settings = settings;
        self.primary.refresh_good(now.mono, &self.settings);
    }

    /// Takes the place in its history of a dataset that was loaded at start. Call it after
    /// [`start_as_replica`](Self::start_as_replica) if the node is configured to be a replica.
    pub fn restore(&mut self, now: Now, place: Place) {
        assert!(
            self.backlog.is_none(),
            "a dataset is loaded before it is served"
        );
        match &mut self.link {
            Some(link) => {
                self.history = History::restored_replica(place.replid, place.offset);
                link.set_cached(place.db);
            }
            None => {
                self.history = History::restored_master(&mut self.rng, place.replid, place.offset);
                self.primary.restart_alone_timer(now.mono);
            }
        }
        self.create_backlog();
    }

    /// Follows the configured master from the start: nothing is known of any history yet.
    pub fn start_as_replica(&mut self, now: Now, host: &str, port: u16) {
        assert!(self.link.is_none());
        self.link = Some(Link::new(now.mono, self.run_id, (host, port), None));
        self.check();
    }

    /// Holds back attempts to reach the master while the dataset's own file is loaded: the place
    /// it names is what to ask the master for.
    pub fn hold_link(&mut self, held: bool) {
        assert!(!self.is_connected(), "it is held back before it is made");
        self.link_held = held;
    }

    /// Follows a master (REPLICAOF with a host).
    pub fn replica_of(&mut self, now: Now, host: &str, port: u16) -> Following {
        // What was executed before this command belongs to the old role's stream.
        self.end_unit(Unit::Atomic);
        let mut unblock = Vec::new();
        let link = match self.link.take() {
            Some(old) if old.host().eq_ignore_ascii_case(host) && old.port() == port => {
                info!(
                    "REPLICAOF would result into synchronization with the master we are \
                     already connected with. No operation performed."
                );
                self.link = Some(old);
                return Following::Already;
            }
            Some(mut old) => {
                // Whoever names another master knows better than a failover under way.
                self.end_failover();
                old.close(now.mono, &mut self.fx);
                Link::new(now.mono, self.run_id, (host, port), None).succeed(&old)
            }
            None => {
                info!(
                    "Before turning into a replica, using my own master parameters to \
                     synthesize a cached master: I may be able to synchronize with the new \
                     master with just a partial transfer."
                );
                self.create_backlog();
                unblock = self.waits.drain();
                self.ask_acks = false;
                let db = self.stream.selected().unwrap_or(0);
                let mut link = Link::new(now.mono, self.run_id, (host, port), Some(db));
                link.want_takeover(self.is_failing_over());
                link
            }
        };
        self.link = Some(link);
        self.check();
        Following::Started { unblock }
    }

    /// Becomes a master (REPLICAOF NO ONE). Answers whether that is a change.
    pub fn promote(&mut self, now: Now) -> bool {
        let Some(mut link) = self.link.take() else {
            return false;
        };
        assert!(
            self.stream.is_flushed(),
            "a replica has no stream of its own"
        );
        link.close(now.mono, &mut self.fx);
        self.end_failover();
        if link.db().is_some() {
            info!("Discarding previously cached master state.");
        }
        // Replicas come back and learn the new id; those of the old master can go on too, up to
        // here. Without the new id a stale replica could be continued on writes it never saw.
        self.history.promote(&mut self.rng);
        warn!(
            "Setting secondary replication ID to {}, valid up to offset: {}. New replication \
             ID is {}",
            self.history.replid2(),
            self.history.second_offset(),
            self.history.replid()
        );
        self.primary
            .close_all(now.mono, &self.settings, &mut self.fx);
        self.primary.restart_alone_timer(now.mono);
        self.stream.force_select();
        self.check();
        true
    }

    /// Takes a new id, so that nobody can go on where they were.
    pub fn change_id(&mut self) {
        self.history.start_fresh(&mut self.rng);
        self.check();
    }

    /// Whether effects of commands go into the stream.
    #[must_use]
    pub const fn feeds(&self) -> bool {
        self.link.is_none() && self.backlog.is_some()
    }

    /// Begins or ends to gather effects for the append-only file.
    pub fn set_logged(&mut self, logged: bool) {
        assert!(self.stream.is_flushed(), "the log begins between units");
        self.log = logged.then(LogStream::default);
    }

    /// What was gathered for the append-only file, while that is done.
    pub fn log_mut(&mut self) -> Option<&mut LogStream> {
        self.log.as_mut()
    }

    /// As [`log_mut`](Self::log_mut), to look at.
    #[must_use]
    pub const fn log(&self) -> Option<&LogStream> {
        self.log.as_ref()
    }

    /// Tells how much of the stream is durable in the append-only file, and up to which mark that
    /// is. Answers whether that is news.
    pub fn set_durable(&mut self, durable: Option<Offset>, synced: u64) -> bool {
        let news = (self.durable, self.synced) != (durable, synced);
        self.durable = durable;
        self.synced_moved |= self.synced != synced;
        self.synced = synced;
        if let Some(link) = &mut self.link {
            link.set_durable(durable);
        }
        news
    }

    /// The mark up to which the append-only file is durable.
    #[must_use]
    pub const fn synced(&self) -> u64 {
        self.synced
    }

    /// Adds one effect of the command that is being executed to its unit.
    pub fn feed<'a>(&mut self, db: u32, args: impl ExactSizeIterator<Item = &'a [u8]>) {
        if self.feeds() || self.log.is_some() {
            self.stream.push(db, args);
        }
    }

    /// Whether all effects so far are in the stream.
    #[must_use]
    pub const fn is_between_units(&self) -> bool {
        self.stream.is_flushed()
    }

    /// Ends the unit of the command that was executed.
    pub fn end_unit(&mut self, unit: Unit) {
        if self.stream.is_flushed() {
            return;
        }
        let feeds = self.feeds();
        let backlog = self.backlog.as_mut().filter(|_| feeds);
        let len = self.stream.flush(unit, backlog, self.log.as_mut());
        self.history.advance(len);
        self.check();
    }

    /// Ends the turn: what is due is done. Units have ended.
    pub fn end_turn(&mut self, now: Now) {
        assert!(self.stream.is_flushed(), "a unit ends with its command");
        let mono = now.mono;
        if self.primary.cron(mono, &self.settings, &mut self.fx) {
            self.ping(mono);
        }
        self.expire_backlog(mono);
        self.send_getack();
        self.primary.plan(mono, &self.settings, &mut self.fx);
        let end = self.backlog_end();
        self.primary
            .enforce_limit(mono, end, &self.settings, &mut self.fx);
        if let Some(backlog) = &mut self.backlog {
            backlog.trim(self.primary.needed());
        }
        self.settle_waits(mono);
        if let Some(link) = &mut self.link
            && !self.link_held
        {
            link.tick(mono, &self.history, &self.settings, &mut self.fx);
        }
        self.advance_failover(mono);
        self.check();
    }

    /// The next thing to carry out.
    #[must_use]
    pub fn poll_action(&mut self) -> Option<Action> {
        self.fx.pop_front()
    }

    /// The next instant [`end_turn`](Self::end_turn) has something to do.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<(Mono, TimerName)> {
        let link = self.link.as_ref().filter(|_| !self.link_held);
        let link = link.and_then(|link| link.deadline(&self.settings));
        let timers = [
            (self.primary.deadline(), TimerName("replicas")),
            (link, TimerName("master link")),
            (self.waits.deadline(), TimerName("wait")),
            (self.failover.deadline(), TimerName("failover")),
            (self.backlog_expiry(), TimerName("repl-backlog-ttl")),
        ];
        let due = timers
            .into_iter()
            .filter_map(|(at, name)| Some((at?, name)));
        due.min_by_key(|&(at, _)| at)
    }

    /// Whether the node is a master.
    #[must_use]
    pub const fn is_master(&self) -> bool {
        self.link.is_none()
    }

    /// The history the dataset belongs to.
    #[must_use]
    pub const fn history(&self) -> &History {
        &self.history
    }

    /// How far the stream has come.
    #[must_use]
    pub const fn offset(&self) -> Offset {
        self.history.offset()
    }

    /// The directives in force.
    #[must_use]
    pub const fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Memory in use for the stream.
    #[must_use]
    pub fn backlog_memory(&self) -> usize {
        self.backlog.as_ref().map_or(0, Backlog::memory)
    }

    /// The place of the dataset for an RDB file written now, if it has one worth knowing.
    #[must_use]
    pub fn place(&self) -> Option<Place> {
        let db = match &self.link {
            // While nothing is selected the next effect selects: any database is right.
            None => self
                .backlog
                .as_ref()
                .map(|_| self.stream.selected().unwrap_or(0)),
            Some(link) => link.db(),
        }?;
        Some(Place {
            replid: self.history.replid(),
            offset: self.history.offset(),
            db,
        })
    }

    /// Panics if something is wrong that must never be at the end of a turn, in the middle of a
    /// unit or not.
    pub fn check_invariants(&self, within_unit: bool) {
        self.check();
        let offset = self.history.offset();
        assert!(
            within_unit || self.stream.is_flushed(),
            "a turn ends behind whole commands and transactions"
        );
        assert!(
            self.history.previous().is_none_or(|p| p.until <= offset),
            "the history before is part of this one"
        );
        if let Some(stream) = self.link.as_ref().and_then(Link::stream) {
            assert!(offset <= stream.read, "what was applied was received");
            assert!(
                self.durable.is_none_or(|durable| durable <= offset),
                "what is told to be durable was applied"
            );
        }
        assert!(
            self.link.is_none() || self.waits.is_empty(),
            "nobody waits for the replicas of a replica"
        );
        self.primary.check_invariants(offset, self.backlog.as_ref());
    }

    /// Asserts what holds between any two calls.
    fn check(&self) {
        if let Some(backlog) = &self.backlog {
            assert_eq!(
                backlog.end(),
                self.history.offset(),
                "the backlog holds the history's last bytes"
            );
        }
        let connected = self
            .link
            .as_ref()
            .is_some_and(|link| link.stream().is_some());
        if connected {
            assert!(
                self.backlog.is_some(),
                "a connected replica can be promoted"
            );
        }
    }

    fn create_backlog(&mut self) {
        let at = self.history.offset();
        let size = self.settings.backlog_bytes;
        self.backlog.get_or_insert_with(|| Backlog::new(at, size));
    }

    /// The place behind which the backlog holds everything.
    #[must_use]
    pub fn backlog_start(&self) -> Option<Offset> {
        self.backlog.as_ref().map(Backlog::start)
    }

    fn backlog_end(&self) -> Option<Offset> {
        self.backlog.as_ref().map(Backlog::end)
    }

    fn ping(&mut self, now: Mono) {
        if self.link.is_some()
            || self.awaits_handover()
            || !self.primary.ping_due(now, &self.settings)
        {
            return;
        }
        if let Some(backlog) = &mut self.backlog {
            self.history.advance(stream::ping(backlog));
        }
    }

    /// Asks once for all who wait.
    fn send_getack(&mut self) {
        if self.awaits_handover() || !core::mem::replace(&mut self.ask_acks, false) {
            return;
        }
        if self.link.is_some() || self.primary.count() == 0 {
            return;
        }
        if let Some(backlog) = &mut self.backlog {
            self.history.advance(stream::getack(backlog));
        }
    }

    fn settle_waits(&mut self, now: Mono) {
        let moved = self.primary.take_acks_moved() | core::mem::take(&mut self.synced_moved);
        let due = self.waits.deadline().is_some_and(|at| at <= now);
        if !self.waits.is_empty() && (moved || due) {
            let primary = &self.primary;
            let over = self
                .waits
                .settle(now, self.synced, |need| primary.acked(need));
            self.waited.extend(over);
        }
    }

    fn expire_backlog(&mut self, now: Mono) {
        if self.backlog_expiry().is_none_or(|at| now < at) {
            return;
        }
        // Writes are no longer counted from here on, so the id must not stand for them.
        self.history.start_fresh(&mut self.rng);
        self.backlog = None;
        info!(
            "Replication backlog freed after {} seconds without connected replicas.",
            self.settings.backlog_ttl.as_secs()
        );
    }

    fn backlog_expiry(&self) -> Option<Mono> {
        if self.link.is_some() || self.backlog.is_none() {
            return None;
        }
        let ttl = Some(self.settings.backlog_ttl).filter(|&ttl| ttl > Duration::ZERO)?;
        Some(self.primary.alone_since()? + ttl)
    }
}
