//! Keys that clients of a writable replica gave a time to live.
//!
//! A replica leaves expiry to its master, which knows nothing of these: the replica deletes them
//! itself, as Redis does (expire.c, expireSlaveKeys).

use crate::limits::OWN_EXPIRY_KEYS_MAX;
use crate::machine::Wall;
use std::collections::{BTreeMap, BTreeSet};

/// The keys and when they are due.
#[derive(Debug, Default)]
pub struct OwnExpiry {
    by_key: BTreeMap<(usize, Box<[u8]>), Wall>,
    by_time: BTreeSet<(Wall, usize, Box<[u8]>)>,
}

impl OwnExpiry {
    /// Remembers a key, or that it is due at another time. Of too many, those that come later
    /// stay where they are when they are due, shown to nobody.
    pub fn remember(&mut self, db: usize, key: &[u8], at: Wall) {
        let name = (db, key.into());
        let known = self.by_key.get(&name).copied();
        if let Some(before) = known {
            self.by_time.remove(&(before, db, key.into()));
        } else if self.by_key.len() >= OWN_EXPIRY_KEYS_MAX {
            return;
        }
        self.by_time.insert((at, db, key.into()));
        self.by_key.insert(name, at);
        assert_eq!(self.by_key.len(), self.by_time.len());
    }

    /// Takes a key whose time has come, whatever has become of it.
    pub(super) fn take_due(&mut self, now: Wall) -> Option<(usize, Box<[u8]>)> {
        if self.by_time.first()?.0 >= now {
            return None;
        }
        let (_, db, key) = self.by_time.pop_first().expect("it was looked at");
        let name = (db, key);
        let known = self.by_key.remove(&name);
        assert!(known.is_some(), "both directions hold a key");
        Some(name)
    }

    /// Forgets all of them.
    pub fn clear(&mut self) {
        self.by_key.clear();
        self.by_time.clear();
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.by_key.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.by_key.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_due_once_at_the_time_it_was_given_last() {
        let at = Wall::from_millis;
        let mut own = OwnExpiry::default();
        own.remember(0, b"a", at(10));
        own.remember(1, b"a", at(20));
        own.remember(0, b"a", at(30));
        assert_eq!(own.len(), 2);
        assert_eq!(own.take_due(at(20)), None);
        assert_eq!(own.take_due(at(21)), Some((1, b"a".as_slice().into())));
        assert_eq!(own.take_due(at(30)), None);
        assert_eq!(own.take_due(at(31)), Some((0, b"a".as_slice().into())));
        assert!(own.is_empty());
    }
}
