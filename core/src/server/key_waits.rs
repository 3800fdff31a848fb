//! Who waits for which keys, and which of these have changed.

use crate::machine::{ConnId, Mono};
use crate::resp::{ArgvRef, OwnedArgv};
use crate::value::ValueRef;
use core::ops::Range;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// Whether a key, as it has become, may have what a client waits for. There is no value if the
/// key is gone.
pub type Fits = fn(Option<ValueRef<'_>>) -> bool;

/// A client's wait for something to appear at one of some keys.
#[derive(Debug)]
pub struct KeyWait {
    /// Its place in the order of arrival. It keeps it when its command ran again in vain.
    pub(super) place: u64,
    /// The database its keys are in.
    pub db: usize,
    /// What it runs again when one of the keys may have what it wants.
    pub command: OwnedArgv,
    /// Which arguments of the command are the keys.
    pub keys: Range<usize>,
    /// Which values are worth a try.
    pub fits: Fits,
    /// When it gives up.
    pub deadline: Option<Mono>,
}

impl KeyWait {
    fn keys(&self) -> impl Iterator<Item = &[u8]> {
        let command: ArgvRef<'_> = self.command.as_ref();
        self.keys.clone().map(move |index| command.get(index))
    }

    fn awaits_removal(&self) -> bool {
        (self.fits)(None)
    }
}

/// All waits for keys.
///
/// Commands note the keys they change. When their unit has ended, the noted keys are taken in
/// the order in which they were noted, and of each key the clients in the order in which they
/// came.
#[derive(Debug, Default)]
pub struct KeyWaits {
    by_conn: BTreeMap<ConnId, KeyWait>,
    /// By database, by key. Every key here is waited for.
    by_key: Vec<BTreeMap<Box<[u8]>, Waiters>>,
    deadlines: BTreeSet<(Mono, u64, ConnId)>,
    /// Keys that have changed since their waiting clients were last looked at, each once.
    noted: VecDeque<(usize, Box<[u8]>)>,
}

/// The clients that wait for one key.
#[derive(Debug, Default)]
struct Waiters {
    queue: BTreeMap<u64, ConnId>,
    /// How many of them also wait for the key to go.
    for_removal: usize,
    noted: bool,
}

/// A client in the queue of a key.
#[derive(Clone, Copy, Debug)]
pub(super) struct Waiter {
    pub(super) place: u64,
    pub(super) conn: ConnId,
    pub(super) fits: Fits,
}

impl KeyWaits {
    /// Lets a client wait.
    pub(super) fn insert(&mut self, conn: ConnId, wait: KeyWait) {
        assert!(!wait.keys.is_empty(), "who waits for keys names them");
        if self.by_key.len() <= wait.db {
            self.by_key.resize_with(wait.db + 1, BTreeMap::new);
        }
        let queues = &mut self.by_key[wait.db];
        let for_removal = usize::from(wait.awaits_removal());
        for key in wait.keys() {
            if !queues.contains_key(key) {
                queues.insert(key.into(), Waiters::default());
            }
            let waiters = queues.get_mut(key).expect("it was put there");
            // A key may be named more than once.
            if waiters.queue.insert(wait.place, conn).is_none() {
                waiters.for_removal += for_removal;
            }
        }
        if let Some(at) = wait.deadline {
            self.deadlines.insert((at, wait.place, conn));
        }
        let before = self.by_conn.insert(conn, wait);
        assert!(before.is_none(), "a client waits once at a time");
    }

    /// Ends a client's waiting.
    pub(super) fn remove(&mut self, conn: ConnId) -> Option<KeyWait> {
        let wait = self.by_conn.remove(&conn)?;
        let queues = &mut self.by_key[wait.db];
        for key in wait.keys() {
            let Some(waiters) = queues.get_mut(key) else {
                continue;
            };
            if waiters.queue.remove(&wait.place).is_none() {
                continue;
            }
            waiters.for_removal -= usize::from(wait.awaits_removal());
            if !waiters.queue.is_empty() {
                continue;
            }
            if waiters.noted {
                self.noted
                    .retain(|(db, noted)| *db != wait.db || **noted != *key);
            }
            queues.remove(key);
        }
        if let Some(at) = wait.deadline {
            self.deadlines.remove(&(at, wait.place, conn));
        }
        Some(wait)
    }

    /// Notes that a key has changed, if someone waits for it.
    pub fn note(&mut self, db: usize, key: &[u8]) {
        if self.by_conn.is_empty() {
            return;
        }
        let waiters = self.by_key.get_mut(db).and_then(|keys| keys.get_mut(key));
        if let Some(waiters) = waiters.filter(|waiters| !waiters.noted) {
            waiters.noted = true;
            self.noted.push_back((db, key.into()));
        }
    }

    /// Notes that every key of a database may have changed.
    pub fn note_db(&mut self, db: usize) {
        let Some(queues) = self.by_key.get_mut(db) else {
            return;
        };
        for (key, waiters) in queues {
            if !waiters.noted {
                waiters.noted = true;
                self.noted.push_back((db, key.clone()));
            }
        }
    }

    /// Notes that every key may have changed.
    pub(super) fn note_all(&mut self) {
        (0..self.by_key.len()).for_each(|db| self.note_db(db));
    }

    /// Whether a key has changed and its waiting clients were not looked at.
    pub(super) fn has_noted(&self) -> bool {
        !self.noted.is_empty()
    }

    /// The next key that has changed.
    pub(super) fn next_noted(&mut self) -> Option<(usize, Box<[u8]>)> {
        let (db, key) = self.noted.pop_front()?;
        let waiters = self.by_key[db].get_mut(&key);
        waiters.expect("a noted key is waited for").noted = false;
        Some((db, key))
    }

    /// The first client that waits for a key at a place or behind it.
    pub(super) fn waiter_from(&self, db: usize, key: &[u8], place: u64) -> Option<Waiter> {
        let waiters = self.by_key.get(db)?.get(key)?;
        let (&place, &conn) = waiters.queue.range(place..).next()?;
        Some(Waiter {
            place,
            conn,
            fits: self.by_conn[&conn].fits,
        })
    }

    /// Whether someone waits for a key to go.
    pub(super) fn awaits_removal(&self, db: usize, key: &[u8]) -> bool {
        let waiters = self.by_key.get(db).and_then(|queues| queues.get(key));
        waiters.is_some_and(|waiters| waiters.for_removal > 0)
    }

    /// When the next client gives up.
    pub(super) fn deadline(&self) -> Option<Mono> {
        self.deadlines.first().map(|&(at, _, _)| at)
    }

    /// A client whose time is over.
    pub(super) fn overdue(&self, now: Mono) -> Option<ConnId> {
        let &(at, _, conn) = self.deadlines.first()?;
        (at <= now).then_some(conn)
    }

    /// How many clients have a deadline.
    pub fn timeouts(&self) -> usize {
        self.deadlines.len()
    }

    /// How many keys are waited for.
    pub fn keys(&self) -> usize {
        self.by_key.iter().map(BTreeMap::len).sum()
    }

    /// How many keys someone waits for to go.
    pub fn keys_for_removal(&self) -> usize {
        let waiters = self.by_key.iter().flat_map(BTreeMap::values);
        waiters.filter(|waiters| waiters.for_removal > 0).count()
    }

    /// Panics if the waits contradict themselves.
    pub fn check_invariants(&self) {
        let mut noted = 0;
        for (db, queues) in self.by_key.iter().enumerate() {
            for (key, waiters) in queues {
                assert!(!waiters.queue.is_empty(), "a key here is waited for");
                let waits = || {
                    waiters
                        .queue
                        .iter()
                        .map(|(place, conn)| (place, &self.by_conn[conn]))
                };
                assert!(waits().all(|(place, wait)| *place == wait.place && wait.db == db));
                assert!(waits().all(|(_, wait)| wait.keys().any(|k| *k == **key)));
                let for_removal = waits().filter(|(_, wait)| wait.awaits_removal()).count();
                assert_eq!(waiters.for_removal, for_removal);
                noted += usize::from(waiters.noted);
            }
        }
        assert_eq!(self.noted.len(), noted);
        let timed = self.by_conn.values().filter(|wait| wait.deadline.is_some());
        assert_eq!(self.deadlines.len(), timed.count());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::collection::vec;
    use proptest::prelude::*;

    fn conn(index: u32) -> ConnId {
        ConnId {
            index,
            generation: 0,
        }
    }

    fn wait(place: u64, db: usize, keys: &[&[u8]], fits: Fits) -> KeyWait {
        KeyWait {
            place,
            db,
            command: OwnedArgv::from_slices(keys),
            keys: 0..keys.len(),
            fits,
            deadline: Some(Mono::from_nanos(100 - place % 100)),
        }
    }

    fn names(waits: &KeyWaits, db: usize, key: &[u8]) -> Vec<u32> {
        let (mut place, mut names) = (0, Vec::new());
        while let Some(waiter) = waits.waiter_from(db, key, place) {
            place = waiter.place + 1;
            names.push(waiter.conn.index);
        }
        names
    }

    #[test]
    fn a_key_is_noted_once_and_only_while_someone_waits_for_it() {
        let mut waits = KeyWaits::default();
        waits.note(0, b"a");
        waits.insert(conn(1), wait(1, 0, &[b"a", b"b", b"a"], |v| v.is_some()));
        waits.insert(conn(2), wait(0, 0, &[b"a"], |v| v.is_some()));
        waits.note(1, b"a");
        assert!(!waits.has_noted());
        waits.note(0, b"b");
        waits.note(0, b"a");
        waits.note(0, b"b");
        assert_eq!(names(&waits, 0, b"a"), [2, 1], "by their places");
        assert_eq!(waits.next_noted(), Some((0, b"b".as_slice().into())));
        waits.remove(conn(2));
        waits.note_db(0);
        waits.remove(conn(1));
        assert!(!waits.has_noted());
        assert_eq!(waits.keys(), 0);
        waits.check_invariants();
    }

    #[test]
    fn those_who_wait_for_a_key_to_go_are_counted() {
        let mut waits = KeyWaits::default();
        waits.insert(conn(1), wait(1, 2, &[b"a", b"a"], |_| true));
        waits.insert(conn(2), wait(2, 2, &[b"a", b"b"], |v| v.is_some()));
        assert!(waits.awaits_removal(2, b"a"));
        assert!(!waits.awaits_removal(2, b"b"));
        assert_eq!((waits.keys(), waits.keys_for_removal()), (2, 1));
        waits.remove(conn(1));
        assert_eq!((waits.keys(), waits.keys_for_removal()), (2, 0));
        waits.check_invariants();
    }

    proptest! {
        #[test]
        fn waits_come_and_go_in_any_order(
            ops in vec((0..6u32, 0..2usize, vec(0..4u8, 1..4), any::<bool>()), 0..80),
        ) {
            let mut waits = KeyWaits::default();
            for (place, (index, db, keys, removal)) in ops.iter().enumerate() {
                if waits.remove(conn(*index)).is_none() {
                    let keys: Vec<&[u8]> = keys.iter().map(core::slice::from_ref).collect();
                    let fits: Fits = if *removal { |_| true } else { |v| v.is_some() };
                    waits.insert(conn(*index), wait(place as u64, *db, &keys, fits));
                } else if *removal {
                    let _ = waits.next_noted();
                } else {
                    waits.note(*db, &keys[..1]);
                }
                waits.check_invariants();
                let first = waits.deadline().map(|at| (at, waits.overdue(at).is_some()));
                prop_assert!(first.is_none_or(|(_, over)| over));
            }
        }
    }
}
