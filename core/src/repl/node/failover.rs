//! FAILOVER: a master hands over to a replica that has everything it has.

use core::fmt;
use core::time::Duration;

use tracing::{info, warn};

use super::Replication;
use crate::machine::{Mono, Now};
use crate::repl::action::Action;
use crate::repl::replica::Takeover;

/// What FAILOVER asks for.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct HandoverRequest {
    /// To whom; to the first that has everything if nobody is named.
    pub to: Option<ReplicaAddr>,
    /// Hand over at the end of the timeout, whatever the replica lacks.
    pub force: bool,
    /// How long to wait for the replica.
    pub timeout: Option<Duration>,
}

/// Where a replica serves its clients, as it is shown in INFO.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ReplicaAddr {
    /// The address it announced, or the one it connected from.
    pub host: Box<str>,
    /// The port it announced.
    pub port: u16,
}

impl fmt::Display for ReplicaAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.host, self.port)
    }
}

/// Where a failover stands. As long as there is one, the server holds writes back.
#[derive(Debug, Default)]
pub(super) enum Failover {
    /// There is none.
    #[default]
    None,
    /// A replica is to acknowledge all of the stream, which nothing is added to.
    Waiting {
        request: HandoverRequest,
        until: Option<Mono>,
    },
    /// This node follows the replica it chose, and asks it to take over.
    HandingOver,
}

impl Failover {
    /// `master_failover_state`.
    pub(super) const fn state(&self) -> &'static str {
        match self {
            Self::None => "no-failover",
            Self::Waiting { .. } => "waiting-for-sync",
            Self::HandingOver => "failover-in-progress",
        }
    }

    /// When it is waited no longer.
    pub(super) const fn deadline(&self) -> Option<Mono> {
        match self {
            Self::Waiting { until, .. } => *until,
            Self::None | Self::HandingOver => None,
        }
    }
}

impl Replication {
    /// Starts to hand over. While it [`is_failing_over`](Self::is_failing_over) no command may
    /// write. The error is one of Redis's texts, without its code.
    pub fn start_failover(
        &mut self,
        now: Now,
        request: HandoverRequest,
    ) -> Result<(), &'static str> {
        if self.is_failing_over() {
            return Err("FAILOVER already in progress.");
        }
        if self.link.is_some() {
            return Err("FAILOVER is not valid when server is a replica.");
        }
        if self.primary.count() == 0 {
            return Err("FAILOVER requires connected replicas.");
        }
        if request.force && (request.to.is_none() || request.timeout.is_none()) {
            return Err(
                "FAILOVER with force option requires both a timeout and target HOST and IP.",
            );
        }
        match &request.to {
            Some(to) => {
                let online = self
                    .online_replicas()
                    .find_map(|(addr, online, _)| (addr == *to).then_some(online))
                    .ok_or("FAILOVER target HOST and PORT is not a replica.")?;
                if !online {
                    return Err("FAILOVER target replica is not online.");
                }
                info!("FAILOVER requested to {to}.");
            }
            None => info!("FAILOVER requested."),
        }
        let until = request.timeout.map(|timeout| now.mono + timeout);
        self.failover = Failover::Waiting { request, until };
        Ok(())
    }

    /// Calls a failover off. Answers whether there was one.
    pub fn abort_failover(&mut self) -> bool {
        let running = self.is_failing_over();
        if running {
            self.give_failover_up("Failover manually aborted");
        }
        running
    }

    /// Whether this node hands over: nothing may be written, not even by the passing of time.
    #[must_use]
    pub const fn is_failing_over(&self) -> bool {
        !matches!(self.failover, Failover::None)
    }

    /// Whether a replica is waited for. This node stays the master until that is decided, and
    /// puts nothing of its own into the stream, whose end the replica would not reach.
    #[must_use]
    pub const fn awaits_handover(&self) -> bool {
        matches!(self.failover, Failover::Waiting { .. })
    }

    /// Takes the next step once the one before is done.
    pub(super) fn advance_failover(&mut self, now: Mono) {
        match &self.failover {
            Failover::None => {}
            Failover::Waiting { request, until } => {
                if let Some(synced) = self.synced_replica(request.to.as_ref()) {
                    info!("Failover target {synced} is synced, failing over.");
                    self.hand_over(synced);
                } else if until.is_some_and(|until| until <= now) {
                    match (&request.to, request.force) {
                        (Some(to), true) => {
                            let to = to.clone();
                            warn!("Failover to {to} time out exceeded, failing over.");
                            self.hand_over(to);
                        }
                        (_, _) => {
                            self.give_failover_up("Replica never caught up before timeout");
                        }
                    }
                }
            }
            Failover::HandingOver => match self.link.as_ref().map(|link| link.takeover()) {
                Some(Takeover::Refused) => {
                    self.give_failover_up("Failover target rejected psync request");
                }
                Some(Takeover::Wanted) => {}
                // Its master now, or one that somebody else named.
                Some(Takeover::Granted | Takeover::Unwanted) | None => self.end_failover(),
            },
        }
    }

    /// Ends a failover, whatever became of it.
    pub(super) fn end_failover(&mut self) {
        self.failover = Failover::None;
        if let Some(link) = &mut self.link {
            link.want_takeover(false);
        }
    }

    fn hand_over(&mut self, to: ReplicaAddr) {
        self.failover = Failover::HandingOver;
        self.fx.push_back(Action::Follow { master: to });
    }

    fn give_failover_up(&mut self, why: &str) {
        warn!("Aborting a failover: {why}");
        let follows = matches!(self.failover, Failover::HandingOver);
        self.end_failover();
        if follows {
            self.fx.push_back(Action::Promote);
        }
    }

    /// The replica, or any, that has all of the stream.
    fn synced_replica(&self, wanted: Option<&ReplicaAddr>) -> Option<ReplicaAddr> {
        let end = self.history.offset();
        self.online_replicas()
            .find(|(addr, online, acked)| {
                *online && *acked == end && wanted.is_none_or(|wanted| addr == wanted)
            })
            .map(|(addr, ..)| addr)
    }

    /// The replicas that can be connected to, whether they are online, and what they have.
    fn online_replicas(&self) -> impl Iterator<Item = (ReplicaAddr, bool, super::Offset)> {
        // The time plays no part in what is asked for here.
        let views = self.primary.views(Mono::default());
        views.filter_map(|view| {
            let port = u16::try_from(view.port).ok()?;
            let host = view.ip.into();
            Some((ReplicaAddr { host, port }, view.online, view.acked))
        })
    }
}
