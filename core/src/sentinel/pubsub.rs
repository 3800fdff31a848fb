//! Who listens to which channel.

use std::collections::{BTreeMap, BTreeSet};

use crate::glob;
use crate::machine::ConnId;

/// The subscriptions of all connections.
#[derive(Debug, Default)]
pub(super) struct PubSub {
    channels: Book,
    patterns: Book,
}

/// One kind of subscriptions, from both ends.
#[derive(Debug, Default)]
struct Book {
    by_name: BTreeMap<Box<[u8]>, BTreeSet<ConnId>>,
    by_conn: BTreeMap<ConnId, BTreeSet<Box<[u8]>>>,
}

/// Which kind of subscription.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Kind {
    /// To a channel by its name.
    Channel,
    /// To all channels a pattern matches.
    Pattern,
}

impl PubSub {
    /// Subscribes a connection, unless it is.
    pub(super) fn subscribe(&mut self, conn: ConnId, kind: Kind, name: &[u8]) {
        let book = self.book_mut(kind);
        if book.by_conn.entry(conn).or_default().insert(name.into()) {
            book.by_name.entry(name.into()).or_default().insert(conn);
        }
    }

    /// Ends a subscription, if there is one.
    pub(super) fn unsubscribe(&mut self, conn: ConnId, kind: Kind, name: &[u8]) {
        self.book_mut(kind).remove(conn, name);
    }

    /// Ends all subscriptions of a connection.
    pub(super) fn forget(&mut self, conn: ConnId) {
        for kind in [Kind::Channel, Kind::Pattern] {
            for name in self.of(conn, kind) {
                self.unsubscribe(conn, kind, &name);
            }
        }
    }

    /// What a connection is subscribed to.
    pub(super) fn of(&self, conn: ConnId, kind: Kind) -> Vec<Box<[u8]>> {
        let names = self.book(kind).by_conn.get(&conn);
        names
            .map(|names| names.iter().cloned().collect())
            .unwrap_or_default()
    }

    /// How many subscriptions of one kind a connection has.
    pub(super) fn count(&self, conn: ConnId, kind: Kind) -> usize {
        self.book(kind).by_conn.get(&conn).map_or(0, BTreeSet::len)
    }

    /// How many subscriptions a connection has.
    pub(super) fn total(&self, conn: ConnId) -> usize {
        self.count(conn, Kind::Channel) + self.count(conn, Kind::Pattern)
    }

    /// How many names of one kind anybody is subscribed to.
    pub(super) fn names(&self, kind: Kind) -> usize {
        self.book(kind).by_name.len()
    }

    /// Who gets a message on a channel: those subscribed to it, then those whose pattern
    /// matches, with the pattern.
    pub(super) fn receivers<'a>(
        &'a self,
        channel: &'a [u8],
    ) -> impl Iterator<Item = (ConnId, Option<&'a [u8]>)> {
        let direct = self.channels.by_name.get(channel).into_iter().flatten();
        let matching = self.patterns.by_name.iter();
        let matching = matching.filter(move |(pattern, _)| glob::matches(pattern, channel));
        let matching = matching
            .flat_map(|(pattern, conns)| conns.iter().map(move |&conn| (conn, Some(&**pattern))));
        direct.map(|&conn| (conn, None)).chain(matching)
    }

    fn book(&self, kind: Kind) -> &Book {
        match kind {
            Kind::Channel => &self.channels,
            Kind::Pattern => &self.patterns,
        }
    }

    fn book_mut(&mut self, kind: Kind) -> &mut Book {
        match kind {
            Kind::Channel => &mut self.channels,
            Kind::Pattern => &mut self.patterns,
        }
    }
}

impl Book {
    fn remove(&mut self, conn: ConnId, name: &[u8]) {
        if let Some(names) = self.by_conn.get_mut(&conn) {
            names.remove(name);
            if names.is_empty() {
                self.by_conn.remove(&conn);
            }
        }
        if let Some(conns) = self.by_name.get_mut(name) {
            conns.remove(&conn);
            if conns.is_empty() {
                self.by_name.remove(name);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn conn(index: u32) -> ConnId {
        ConnId {
            index,
            generation: 1,
        }
    }

    #[test]
    fn channels_come_before_patterns_and_each_subscription_counts() {
        let mut pubsub = PubSub::default();
        pubsub.subscribe(conn(1), Kind::Pattern, b"+*");
        pubsub.subscribe(conn(1), Kind::Channel, b"+sdown");
        pubsub.subscribe(conn(2), Kind::Channel, b"+odown");
        pubsub.subscribe(conn(1), Kind::Channel, b"+sdown");
        let got: Vec<_> = pubsub.receivers(b"+sdown").collect();
        assert_eq!(got, [(conn(1), None), (conn(1), Some(&b"+*"[..]))]);
        assert_eq!((pubsub.total(conn(1)), pubsub.total(conn(2))), (2, 1));
    }

    #[test]
    fn a_connection_that_is_gone_leaves_nothing_behind() {
        let mut pubsub = PubSub::default();
        pubsub.subscribe(conn(1), Kind::Pattern, b"*");
        pubsub.subscribe(conn(1), Kind::Channel, b"c");
        pubsub.forget(conn(1));
        assert_eq!(pubsub.receivers(b"c").count(), 0);
        assert_eq!(
            (pubsub.names(Kind::Channel), pubsub.names(Kind::Pattern)),
            (0, 0)
        );
    }
}
