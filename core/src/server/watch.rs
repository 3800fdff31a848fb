//! WATCH: who must be told when a key changes.

use crate::machine::ConnId;
use std::collections::BTreeMap;

/// The watched keys of all connections.
#[derive(Debug, Default)]
pub struct Watch {
    /// By database, by key. A connection stands once per key.
    keys: Vec<BTreeMap<Box<[u8]>, Vec<ConnId>>>,
    by_conn: BTreeMap<ConnId, Vec<Watched>>,
}

/// A key someone watches.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Watched {
    /// Its database.
    pub db: usize,
    /// Its name.
    pub key: Box<[u8]>,
    /// Whether it had expired already, so that its removal is no change.
    pub was_expired: bool,
}

impl Watch {
    /// For so many databases.
    pub fn new(databases: usize) -> Self {
        Self {
            keys: vec![BTreeMap::new(); databases],
            by_conn: BTreeMap::new(),
        }
    }

    /// Starts watching.
    pub fn add(&mut self, conn: ConnId, watched: Watched) {
        let list = self.by_conn.entry(conn).or_default();
        if list
            .iter()
            .any(|w| w.db == watched.db && w.key == watched.key)
        {
            return;
        }
        self.keys[watched.db]
            .entry(watched.key.clone())
            .or_default()
            .push(conn);
        list.push(watched);
    }

    /// Ends every watch of a connection.
    pub fn forget(&mut self, conn: ConnId) {
        for watched in self.by_conn.remove(&conn).unwrap_or_default() {
            let keys = &mut self.keys[watched.db];
            let conns = keys
                .get_mut(&watched.key)
                .expect("both directions hold a watch");
            conns.retain(|&c| c != conn);
            if conns.is_empty() {
                keys.remove(&watched.key);
            }
        }
    }

    /// What a connection watches.
    pub fn of(&self, conn: ConnId) -> &[Watched] {
        self.by_conn.get(&conn).map_or(&[], Vec::as_slice)
    }

    /// Whether a key had expired already when a connection began to watch it.
    pub fn had_expired(&self, conn: ConnId, db: usize, key: &[u8]) -> bool {
        let mut list = self.of(conn).iter();
        list.any(|watched| watched.db == db && *watched.key == *key && watched.was_expired)
    }

    /// Takes a key that a connection watches for one that has expired, or no more for one.
    pub fn set_expired(&mut self, conn: ConnId, db: usize, key: &[u8], expired: bool) {
        let list = self.by_conn.get_mut(&conn).into_iter().flatten();
        for watched in list {
            if watched.db == db && *watched.key == *key {
                watched.was_expired = expired;
            }
        }
    }

    /// Whether nothing is watched; lets a write skip the search.
    pub fn is_idle(&self) -> bool {
        self.by_conn.is_empty()
    }

    /// Who watches a key.
    pub fn watchers(&self, db: usize, key: &[u8]) -> &[ConnId] {
        self.keys[db].get(key).map_or(&[], Vec::as_slice)
    }

    /// Every watched key of a database, with its watchers.
    pub fn in_db(&self, db: usize) -> impl Iterator<Item = (&[u8], &[ConnId])> {
        self.keys[db].iter().map(|(key, conns)| (&**key, &**conns))
    }

    /// How many keys are watched.
    pub fn keys(&self) -> usize {
        self.keys.iter().map(BTreeMap::len).sum()
    }

    /// How many connections watch something.
    pub fn clients(&self) -> usize {
        self.by_conn.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_knows_its_watchers_until_they_are_forgotten() {
        let conn = |index| ConnId {
            index,
            generation: 1,
        };
        let watched = |key: &[u8]| Watched {
            db: 1,
            key: key.into(),
            was_expired: false,
        };
        let mut watch = Watch::new(2);
        watch.add(conn(1), watched(b"a"));
        watch.add(conn(1), watched(b"a"));
        watch.add(conn(2), watched(b"a"));
        assert_eq!(watch.watchers(1, b"a"), [conn(1), conn(2)]);
        assert!(watch.watchers(0, b"a").is_empty());
        watch.forget(conn(1));
        assert_eq!(watch.watchers(1, b"a"), [conn(2)]);
        watch.forget(conn(2));
        assert!(watch.is_idle());
        assert_eq!(watch.in_db(1).count(), 0);
    }
}
