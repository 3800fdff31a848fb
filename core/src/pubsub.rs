//! Who listens to which channel.

use crate::glob;
use crate::machine::ConnId;
use std::collections::{BTreeMap, BTreeSet};

/// The three ways of subscribing, each with its own command pair.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Kind {
    /// SUBSCRIBE: a channel by name.
    Channel,
    /// PSUBSCRIBE: all channels that match a pattern.
    Pattern,
    /// SSUBSCRIBE: a shard channel by name.
    Shard,
}

impl Kind {
    /// The first word of a confirmation.
    pub const fn subscribed(self) -> &'static str {
        match self {
            Self::Channel => "subscribe",
            Self::Pattern => "psubscribe",
            Self::Shard => "ssubscribe",
        }
    }

    /// The first word of the confirmation of an end.
    pub const fn unsubscribed(self) -> &'static str {
        match self {
            Self::Channel => "unsubscribe",
            Self::Pattern => "punsubscribe",
            Self::Shard => "sunsubscribe",
        }
    }
}

/// The subscriptions of every connection. All orders are by name and by connection.
#[derive(Debug, Default)]
pub struct PubSub {
    channels: Index,
    patterns: Index,
    shards: Index,
}

/// One direction per question: who has a name, and which names has a connection.
#[derive(Debug, Default)]
struct Index {
    by_name: BTreeMap<Box<[u8]>, BTreeSet<ConnId>>,
    by_conn: BTreeMap<ConnId, BTreeSet<Box<[u8]>>>,
}

/// A message's way to one receiver.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Route<'a> {
    /// By the channel's name.
    Channel(ConnId),
    /// By a pattern.
    Pattern(ConnId, &'a [u8]),
}

impl PubSub {
    /// Adds a subscription; false if it was there.
    pub fn subscribe(&mut self, conn: ConnId, kind: Kind, name: &[u8]) -> bool {
        let index = self.index_mut(kind);
        let new = index.by_conn.entry(conn).or_default().insert(name.into());
        if new {
            index.by_name.entry(name.into()).or_default().insert(conn);
        }
        new
    }

    /// Ends a subscription; false if there was none.
    pub fn unsubscribe(&mut self, conn: ConnId, kind: Kind, name: &[u8]) -> bool {
        let index = self.index_mut(kind);
        let Some(names) = index.by_conn.get_mut(&conn) else {
            return false;
        };
        if !names.remove(name) {
            return false;
        }
        if names.is_empty() {
            index.by_conn.remove(&conn);
        }
        let conns = index
            .by_name
            .get_mut(name)
            .expect("both directions hold a subscription");
        assert!(conns.remove(&conn), "both directions hold a subscription");
        if conns.is_empty() {
            index.by_name.remove(name);
        }
        true
    }

    /// Ends every subscription of a connection.
    pub fn forget(&mut self, conn: ConnId) {
        for kind in [Kind::Channel, Kind::Pattern, Kind::Shard] {
            for name in self.names_of(conn, kind) {
                self.unsubscribe(conn, kind, &name);
            }
        }
    }

    /// What a connection is subscribed to, in one way.
    pub fn names_of(&self, conn: ConnId, kind: Kind) -> Vec<Box<[u8]>> {
        let names = self.index(kind).by_conn.get(&conn);
        names.map_or_else(Vec::new, |names| names.iter().cloned().collect())
    }

    /// How many subscriptions of one kind a connection has.
    pub fn count_of(&self, conn: ConnId, kind: Kind) -> usize {
        self.index(kind).by_conn.get(&conn).map_or(0, BTreeSet::len)
    }

    /// The number Redis puts behind a confirmation: shard subscriptions are counted apart.
    pub fn confirmed(&self, conn: ConnId, kind: Kind) -> usize {
        match kind {
            Kind::Shard => self.count_of(conn, Kind::Shard),
            Kind::Channel | Kind::Pattern => {
                self.count_of(conn, Kind::Channel) + self.count_of(conn, Kind::Pattern)
            }
        }
    }

    /// Whether a connection has any subscription.
    pub fn has_any(&self, conn: ConnId) -> bool {
        [Kind::Channel, Kind::Pattern, Kind::Shard]
            .iter()
            .any(|&k| self.count_of(conn, k) > 0)
    }

    /// Whether nobody listens to anything; lets a publisher skip the search.
    pub fn is_silent(&self) -> bool {
        self.channels.by_name.is_empty() && self.patterns.by_name.is_empty()
    }

    /// Who gets a message: first by name, then by pattern.
    pub fn receivers<'a>(&'a self, channel: &'a [u8]) -> impl Iterator<Item = Route<'a>> {
        let by_name = self.channels.by_name.get(channel).into_iter().flatten();
        let by_pattern = self
            .patterns
            .by_name
            .iter()
            .filter(|(p, _)| glob::matches(p, channel));
        by_name.map(|&conn| Route::Channel(conn)).chain(
            by_pattern.flat_map(|(p, conns)| conns.iter().map(|&conn| Route::Pattern(conn, p))),
        )
    }

    /// Who gets a message on a shard channel.
    pub fn shard_receivers(&self, channel: &[u8]) -> impl Iterator<Item = ConnId> {
        self.shards
            .by_name
            .get(channel)
            .into_iter()
            .flatten()
            .copied()
    }

    /// Channels (or shard channels) with a subscriber, those that match a pattern if one is given.
    pub fn active<'a>(
        &'a self,
        kind: Kind,
        pattern: Option<&'a [u8]>,
    ) -> impl Iterator<Item = &'a [u8]> {
        let names = self.index(kind).by_name.keys().map(|name| &**name);
        names.filter(move |name| pattern.is_none_or(|p| glob::matches(p, name)))
    }

    /// How many connections listen to a name.
    pub fn subscribers(&self, kind: Kind, name: &[u8]) -> usize {
        self.index(kind).by_name.get(name).map_or(0, BTreeSet::len)
    }

    /// How many different names of one kind have a subscriber.
    pub fn names(&self, kind: Kind) -> usize {
        self.index(kind).by_name.len()
    }

    /// How many connections subscribe to anything.
    pub fn clients(&self) -> usize {
        let mut all: BTreeSet<ConnId> = BTreeSet::new();
        for index in [&self.channels, &self.patterns, &self.shards] {
            all.extend(index.by_conn.keys().copied());
        }
        all.len()
    }

    fn index(&self, kind: Kind) -> &Index {
        match kind {
            Kind::Channel => &self.channels,
            Kind::Pattern => &self.patterns,
            Kind::Shard => &self.shards,
        }
    }

    fn index_mut(&mut self, kind: Kind) -> &mut Index {
        match kind {
            Kind::Channel => &mut self.channels,
            Kind::Pattern => &mut self.patterns,
            Kind::Shard => &mut self.shards,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn conn(index: u32) -> ConnId {
        ConnId {
            index,
            generation: 0,
        }
    }

    #[test]
    fn a_message_reaches_names_before_patterns_and_each_way_once() {
        let mut pubsub = PubSub::default();
        assert!(pubsub.subscribe(conn(1), Kind::Pattern, b"n*"));
        assert!(pubsub.subscribe(conn(1), Kind::Channel, b"news"));
        assert!(!pubsub.subscribe(conn(1), Kind::Channel, b"news"));
        assert!(pubsub.subscribe(conn(2), Kind::Channel, b"olds"));

        let routes: Vec<_> = pubsub.receivers(b"news").collect();
        assert_eq!(
            routes,
            [Route::Channel(conn(1)), Route::Pattern(conn(1), b"n*")]
        );
        assert_eq!(pubsub.confirmed(conn(1), Kind::Channel), 2);
    }

    #[test]
    fn a_forgotten_connection_leaves_nothing_behind() {
        let mut pubsub = PubSub::default();
        for kind in [Kind::Channel, Kind::Pattern, Kind::Shard] {
            pubsub.subscribe(conn(3), kind, b"x");
        }
        pubsub.forget(conn(3));
        assert!(!pubsub.has_any(conn(3)));
        assert!(pubsub.is_silent());
        assert_eq!(pubsub.names(Kind::Shard), 0);
        assert_eq!(pubsub.clients(), 0);
    }
}
