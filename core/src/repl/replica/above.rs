//! The masters above this server, and the circle there would be if it were one of them.
//!
//! Servers of Holdfast know each other by name. A Redis is taken for the one or the other by its
//! address; and since nothing comes round a circle, a stream shows that there is a master above.

use core::fmt;
use core::net::SocketAddr;
use core::time::Duration;

use tracing::warn;

use crate::machine::Mono;
use crate::repl::lineage::{self, RunId};

/// How often it is said that there is a circle.
const WARN_PERIOD: Duration = Duration::from_secs(60);
/// What the master sent before it became a replica has arrived after so long.
const UNDER_WAY: Duration = Duration::from_secs(1);
/// Whoever waits to be served asks more often than that.
const ASKS_WITHIN: Duration = Duration::from_secs(10);

/// Whom the master of a link follows.
#[derive(Debug)]
pub(super) struct Above {
    own: RunId,
    /// The master first; none if it does not tell.
    masters: Vec<RunId>,
    /// Where the master was last tried to be reached.
    at: Option<SocketAddr>,
    /// Whether a replica of this server has the master's address.
    is_followed_back: bool,
    circle: Circle,
    /// When the stream last showed that there is a master.
    flowed_at: Mono,
    doubt: Option<Doubt>,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Circle {
    No,
    Found { warned_at: Mono },
}

/// Someone with the master's address asks for the stream.
#[derive(Clone, Copy, Debug)]
struct Doubt {
    since: Mono,
    asked_at: Mono,
}

/// Why a master can't be followed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Fault {
    /// It is this server.
    Itself,
    /// It follows this server, if not directly then through others.
    Below,
}

impl Above {
    pub(super) const fn new(now: Mono, own: RunId) -> Self {
        Self {
            own,
            masters: Vec::new(),
            at: None,
            is_followed_back: false,
            circle: Circle::No,
            flowed_at: now,
            doubt: None,
        }
    }

    /// Learns the master's address.
    pub(super) const fn dialed(&mut self, at: SocketAddr) {
        self.at = Some(at);
    }

    /// Learns whether a replica of this server has that address.
    pub(super) const fn note_followed_back(&mut self, is_followed_back: bool) {
        self.is_followed_back = is_followed_back;
    }

    /// Bytes of the stream have come, or all of a dataset.
    pub(super) const fn flowed(&mut self, now: Mono) {
        self.flowed_at = now;
    }

    /// Takes the line in which the master answers.
    pub(super) fn learn(&mut self, line: &[u8], takes_over: bool) -> Option<Fault> {
        if line.is_empty() {
            // The master's keep-alive.
            return None;
        }
        self.masters = lineage::told(line);
        let own = self.masters.iter().position(|&id| id == self.own);
        self.masters.truncate(own.unwrap_or(self.masters.len()));
        let fault = match own {
            Some(0) => Some(Fault::Itself),
            // It follows this server until it has taken over from it.
            Some(_) if takes_over => {
                self.masters.truncate(1);
                None
            }
            Some(_) => Some(Fault::Below),
            None => {
                let is_below = self.is_followed_back && self.masters.is_empty() && !takes_over;
                is_below.then_some(Fault::Below)
            }
        };
        if fault.is_none() {
            self.circle = Circle::No;
        }
        fault
    }

    /// There would be a circle: says so every now and then.
    pub(super) fn refuse(&mut self, now: Mono, fault: Fault, master: impl fmt::Display) {
        if let Circle::Found { warned_at } = self.circle
            && now < warned_at + WARN_PERIOD
        {
            return;
        }
        self.circle = Circle::Found { warned_at: now };
        let what = match fault {
            Fault::Itself => "is this server itself",
            Fault::Below => {
                "replicates from this server, directly or through others: they follow each other \
                 in a circle, and none of them is a master"
            }
        };
        warn!(
            "MASTER {master} {what}. Nothing is replicated until REPLICAOF names another master, \
             or REPLICAOF NO ONE makes one of them a master."
        );
    }

    /// Someone with the master's address asks for the stream. Whether it may be the master, which
    /// can't send anything while it waits for an answer; and whether that is news.
    pub(super) fn doubts(&mut self, now: Mono) -> (bool, bool) {
        let last = self.doubt.filter(|last| now <= last.asked_at + ASKS_WITHIN);
        let since = last.map_or(now, |doubt| doubt.since);
        let doubted = self.flowed_at <= since + UNDER_WAY;
        self.doubt = doubted.then_some(Doubt {
            since,
            asked_at: now,
        });
        (doubted, last.is_none())
    }

    /// The master first, as far as they tell.
    pub(super) fn masters(&self) -> &[RunId] {
        &self.masters
    }

    /// Whether a server that shows itself with this address is at that of the master.
    pub(super) fn is_at(&self, host: &str, ip: &str, port: i64) -> bool {
        let at = |at: SocketAddr| {
            let same = ip.parse() == Ok(at.ip()) || ip.eq_ignore_ascii_case(host);
            same && i64::from(at.port()) == port
        };
        self.at.is_some_and(at)
    }

    /// Whether the master was last found to be this server, or to follow it.
    pub(super) const fn is_circle(&self) -> bool {
        matches!(self.circle, Circle::Found { .. })
    }

    /// Whether it is too long ago that the stream has shown that there is a master, and nothing
    /// else shows it.
    pub(super) fn is_quiet(&self, now: Mono, timeout: Duration) -> bool {
        self.masters.is_empty() && now >= self.flowed_at + timeout
    }
}
