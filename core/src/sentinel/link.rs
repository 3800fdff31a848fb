//! The two connections to an instance, and the one shared by all masters to a Sentinel.

use core::net::IpAddr;
use core::time::Duration;
use std::collections::VecDeque;

use crate::limits::LINK_PENDING_MAX;
use crate::machine::Mono;
use crate::sentinel::InstanceId;
use crate::sentinel::names::Epoch;
use crate::sentinel::pings::Pings;

/// Which of the two connections.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Side {
    /// Commands and their replies.
    Command,
    /// The subscription to the hellos.
    PubSub,
}

/// The connections to one process.
#[derive(Debug)]
pub struct Link {
    /// The instances that stand for this process, one per master it is known under.
    pub users: Vec<InstanceId>,
    /// For commands.
    pub command: Channel,
    /// For hellos; Sentinels are spoken to directly and have none.
    pub pubsub: Option<Channel>,
    /// How far the subscription on it is.
    pub subscription: Subscription,
    /// The failure detector's figures.
    pub pings: Pings,
    /// Replies to come, oldest first.
    pub pending: VecDeque<Expect>,
    /// Whether it has said on this connection that it is a Sentinel of Holdfast's.
    pub kin: bool,
}

/// One connection.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Channel {
    /// There is none.
    Down {
        /// When to make one.
        retry_at: Mono,
        /// Attempts since the last one that succeeded.
        tries: u32,
    },
    /// It is being made.
    Connecting {
        /// Since when.
        since: Mono,
        /// Attempts since the last one that succeeded.
        tries: u32,
    },
    /// It stands.
    Up {
        /// Since when.
        since: Mono,
        /// Our own address on it.
        local: Option<IpAddr>,
        /// When anything was last read from it.
        heard: Mono,
    },
}

/// How far the subscription to the hellos is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Subscription {
    /// So many replies come before the one to SUBSCRIBE.
    Greeting(u8),
    /// It stands.
    Confirmed,
}

/// What a reply on the command connection will be the answer to.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Expect {
    /// Nothing that matters.
    Nothing,
    /// PING, sent at that instant
    Ping(Mono),
    /// INFO
    Info(InstanceId),
    /// INFO of another Sentinel, which says whose program it is
    Kin,
    /// PUBLISH of a hello
    Hello(InstanceId),
    /// SENTINEL IS-MASTER-DOWN-BY-ADDR, in whose election if it asked for a vote
    MasterDown(InstanceId, Option<Epoch>),
    /// SENTINEL GET-MASTER-ADDR-BY-NAME, sent at that instant
    MasterAddr(InstanceId, Mono),
}

impl Link {
    /// No connection yet; the first attempts are due at once.
    pub fn new(has_pubsub: bool, now: Mono) -> Self {
        let idle = Channel::Down {
            retry_at: now,
            tries: 0,
        };
        Self {
            users: Vec::new(),
            command: idle,
            pubsub: has_pubsub.then_some(idle),
            subscription: Subscription::Greeting(0),
            pings: Pings::new(now),
            pending: VecDeque::new(),
            kin: false,
        }
    }

    /// One of the connections.
    pub fn channel(&self, side: Side) -> Option<&Channel> {
        match side {
            Side::Command => Some(&self.command),
            Side::PubSub => self.pubsub.as_ref(),
        }
    }

    /// One of the connections.
    pub fn channel_mut(&mut self, side: Side) -> Option<&mut Channel> {
        match side {
            Side::Command => Some(&mut self.command),
            Side::PubSub => self.pubsub.as_mut(),
        }
    }

    /// Whether commands can be sent.
    pub fn is_up(&self) -> bool {
        matches!(self.command, Channel::Up { .. })
    }

    /// Whether a connection that is needed is missing.
    pub fn is_disconnected(&self) -> bool {
        let missing = |channel: &Channel| !matches!(channel, Channel::Up { .. });
        let heard = |channel| !missing(channel) && self.subscription == Subscription::Confirmed;
        missing(&self.command) || !self.pubsub.as_ref().is_none_or(heard)
    }

    /// Whether the periodic commands may add to what is pending.
    pub fn has_room(&self) -> bool {
        self.is_up() && self.pending.len() < LINK_PENDING_MAX * self.users.len().max(1)
    }

    /// Our own address towards this process.
    pub fn local(&self) -> Option<IpAddr> {
        match self.command {
            Channel::Up { local, .. } => local,
            Channel::Down { .. } | Channel::Connecting { .. } => None,
        }
    }

    /// Drops a connection from the books, to be made again at `retry_at`.
    ///
    /// Replies that were to come on it will not.
    pub fn drop_channel(&mut self, side: Side, retry_at: Mono, now: Mono) {
        let channel = self
            .channel_mut(side)
            .expect("only a channel there is gets dropped");
        let tries = channel.tries();
        *channel = Channel::Down { retry_at, tries };
        if side == Side::PubSub {
            self.subscription = Subscription::Greeting(0);
        }
        if side == Side::Command {
            self.pending.clear();
            self.kin = false;
            self.pings.lost(now);
        }
    }

    /// When the command connection is to be given up for being dead while the system still
    /// believes in it. One younger than `age_min` is not.
    pub fn stale_at(&self, down_after: Duration, age_min: Duration) -> Option<Mono> {
        let Channel::Up { since, .. } = self.command else {
            return None;
        };
        let half = down_after / 2 + TICK;
        let silent = (self.pings.owed_since()? + half).max(self.pings.last_answer() + half);
        Some(silent.max(since + age_min))
    }

    /// When the subscription is to be given up for its silence: our own hellos come back on it.
    pub fn mute_at(&self, publish_period: Duration, age_min: Duration) -> Option<Mono> {
        match self.pubsub? {
            Channel::Up { since, heard, .. } => {
                Some((heard + publish_period * 3).max(since + age_min))
            }
            Channel::Down { .. } | Channel::Connecting { .. } => None,
        }
    }
}

impl Channel {
    /// When the next attempt to connect is due.
    pub fn retry_at(&self) -> Option<Mono> {
        match *self {
            Self::Down { retry_at, .. } => Some(retry_at),
            Self::Connecting { .. } | Self::Up { .. } => None,
        }
    }

    /// When an attempt to connect is to be given up.
    pub fn give_up_at(&self) -> Option<Mono> {
        match *self {
            Self::Connecting { since, .. } => Some(since + CONNECT_MAX),
            Self::Down { .. } | Self::Up { .. } => None,
        }
    }

    /// Attempts since the last one that succeeded.
    pub fn tries(&self) -> u32 {
        match *self {
            Self::Down { tries, .. } | Self::Connecting { tries, .. } => tries,
            Self::Up { .. } => 0,
        }
    }
}

/// How long to wait before the attempt after `tries` that failed.
///
/// A connection that stood is made again at once. A server that was restarted is noticed within
/// the longest delay, which is what its way back into the group begins with.
pub(super) fn reconnect_delay(tries: u32) -> Duration {
    match tries {
        0 => Duration::ZERO,
        1.. => RECONNECT_MIN
            .saturating_mul(1 << tries.min(8))
            .min(RECONNECT_MAX),
    }
}

const RECONNECT_MIN: Duration = Duration::from_millis(25);
const RECONNECT_MAX: Duration = Duration::from_millis(500);
/// Shorter than the second retransmission of a SYN, which a healed partition would wait for.
const CONNECT_MAX: Duration = Duration::from_secs(2);
/// Where a limit has to be passed and not only reached.
pub(super) const TICK: Duration = Duration::from_millis(1);

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(ms: u64) -> Mono {
        Mono::from_nanos(ms * 1_000_000)
    }

    #[test]
    fn losing_the_command_connection_forgets_the_replies_that_were_to_come() {
        let mut link = Link::new(true, at(0));
        link.command = Channel::Up {
            since: at(0),
            local: None,
            heard: at(0),
        };
        link.pings.answered(at(5), true);
        link.pending.push_back(Expect::Ping(at(5)));
        link.drop_channel(Side::Command, at(10), at(10));
        assert!(link.pending.is_empty());
        assert_eq!(link.pings.owed_since(), Some(at(10)));
        assert!(link.is_disconnected());
    }

    #[test]
    fn a_link_without_its_subscription_counts_as_disconnected() {
        let up = Channel::Up {
            since: at(0),
            local: None,
            heard: at(0),
        };
        let mut link = Link::new(true, at(0));
        link.command = up;
        assert!(link.is_up() && link.is_disconnected());
        link.pubsub = Some(up);
        assert!(link.is_disconnected());
        link.subscription = Subscription::Confirmed;
        assert!(!link.is_disconnected());
    }

    #[test]
    fn a_young_connection_is_not_given_up_for_silence() {
        let mut link = Link::new(true, at(0));
        link.command = Channel::Up {
            since: at(0),
            local: None,
            heard: at(0),
        };
        let (second, age_min) = (Duration::from_secs(1), Duration::from_secs(15));
        assert_eq!(link.stale_at(second, age_min), Some(at(15_000)));
        link.pings.answered(at(20_000), true);
        assert_eq!(link.stale_at(second, age_min), None);
        link.pings.sent(at(21_000));
        assert_eq!(link.stale_at(second, age_min), Some(at(21_501)));
    }

    #[test]
    fn attempts_slow_down_to_two_a_second() {
        let delays: Vec<_> = (0..7)
            .map(|tries| reconnect_delay(tries).as_millis())
            .collect();
        assert_eq!(delays, [0, 50, 100, 200, 400, 500, 500]);
    }
}
