//! Clients that wait, and CLIENT PAUSE.

use super::key_waits::{Fits, KeyWait, KeyWaits};
use crate::machine::{ConnId, Mono};
use crate::repl::wait::Need;
use crate::resp::OwnedArgv;
use core::ops::Range;
use std::collections::BTreeMap;

/// What a client waits for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Wait {
    /// WAIT and WAITAOF: replicas, and our own file, that have what the client has written.
    /// Replication keeps count and time.
    Replicas {
        /// What is waited for.
        need: Need,
    },
    /// ACL LOAD and ACL SAVE: the end of the work on the file.
    AclFile,
    /// SAVE: the end of the snapshot.
    Save,
    /// FLUSHALL: that what it has deleted is gone from the disk too.
    Flush,
    /// DEBUG LOADAOF: the end of the load.
    Replay,
    /// MIGRATE: the answers of its target.
    Migrate,
    /// SHUTDOWN: the end of the process, or the reason why not.
    Shutdown,
    /// BLPOP and its kin: something at one of some keys, as [`KeyWaits`] has them.
    Keys,
}

/// What a command waits for that can't have it at once.
#[derive(Debug)]
pub struct Wish {
    /// The command, to be run again when one of its keys may have what it wants.
    pub command: OwnedArgv,
    /// Which of its arguments are the keys.
    pub keys: Range<usize>,
    /// Which values are worth a try.
    pub fits: Fits,
    /// When it gives up.
    pub deadline: Option<Mono>,
}

/// All waiting clients, in order of arrival.
#[derive(Debug, Default)]
pub struct Blocked {
    by_conn: BTreeMap<ConnId, (u64, Wait)>,
    arrival: BTreeMap<u64, ConnId>,
    next_place: u64,
    /// The keys that those wait for who wait for keys.
    pub keys: KeyWaits,
}

impl Blocked {
    /// Lets a client wait.
    pub fn add(&mut self, conn: ConnId, wait: Wait) {
        assert!(wait != Wait::Keys, "a wait for keys says for which");
        self.next_place += 1;
        self.insert(conn, self.next_place, wait);
    }

    /// Lets a client wait for keys of a database.
    pub fn add_for_keys(&mut self, conn: ConnId, db: usize, wish: Wish) {
        self.next_place += 1;
        let wait = KeyWait {
            place: self.next_place,
            db,
            command: wish.command,
            keys: wish.keys,
            fits: wish.fits,
            deadline: wish.deadline,
        };
        self.put_back(conn, wait);
    }

    /// Ends a client's waiting for keys while its command runs again.
    pub(super) fn take(&mut self, conn: ConnId) -> Option<KeyWait> {
        let wait = self.keys.remove(conn)?;
        let place = self.by_conn.remove(&conn).map(|(place, _)| place);
        assert_eq!(place, Some(wait.place), "a wait for keys is a wait");
        self.arrival.remove(&wait.place);
        Some(wait)
    }

    /// Lets a client go on waiting, at its old place.
    pub(super) fn put_back(&mut self, conn: ConnId, wait: KeyWait) {
        self.insert(conn, wait.place, Wait::Keys);
        self.keys.insert(conn, wait);
    }

    fn insert(&mut self, conn: ConnId, place: u64, wait: Wait) {
        let before = self.by_conn.insert(conn, (place, wait));
        assert!(before.is_none(), "a client waits for one thing at a time");
        let before = self.arrival.insert(place, conn);
        assert!(before.is_none(), "a place is taken once");
    }

    /// Ends a client's waiting; what it waited for, if it did.
    pub fn remove(&mut self, conn: ConnId) -> Option<Wait> {
        let (place, wait) = self.by_conn.remove(&conn)?;
        self.arrival.remove(&place);
        let keys = self.keys.remove(conn);
        assert_eq!(keys.is_some(), wait == Wait::Keys, "keys are waited for");
        Some(wait)
    }

    /// What a client waits for, if it does.
    pub fn waits_for(&self, conn: ConnId) -> Option<Wait> {
        self.by_conn.get(&conn).map(|&(_, wait)| wait)
    }

    /// Everyone who waits for this, in order of arrival.
    pub fn waiting_for(&self, wait: Wait) -> Vec<ConnId> {
        let waits = |conn: &&ConnId| self.waits_for(**conn) == Some(wait);
        self.arrival.values().filter(waits).copied().collect()
    }

    /// How many wait.
    pub fn len(&self) -> usize {
        self.by_conn.len()
    }

    /// Whether nobody waits.
    pub fn is_empty(&self) -> bool {
        self.by_conn.is_empty()
    }
}

/// Which commands CLIENT PAUSE holds back.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum PauseKind {
    /// Those that write keys.
    Keys,
    /// Also those that write nothing but go into the stream, as PUBLISH.
    Write,
    /// All of them.
    All,
}

/// Who asked for a pause; the pauses of different askers overlap.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum PauseFor {
    /// CLIENT PAUSE.
    Client,
    /// SHUTDOWN, while replicas catch up.
    Shutdown,
    /// FAILOVER, until another node is the master.
    Failover,
    /// MIGRATE, until its target has answered.
    Migrate,
}

/// The pauses in force and who is held back by them.
#[derive(Debug, Default)]
pub struct Pause {
    client: Option<(PauseKind, Mono)>,
    shutdown: Option<(PauseKind, Mono)>,
    failover: Option<(PauseKind, Mono)>,
    migrate: Option<(PauseKind, Mono)>,
    /// Each with the mildest kind of pause that holds it back.
    postponed: Vec<(ConnId, PauseKind)>,
}

impl Pause {
    /// Starts or extends a pause. The stricter kind and the later end win, as in Redis.
    pub fn start(&mut self, why: PauseFor, kind: PauseKind, until: Mono) {
        let slot = self.slot(why);
        *slot = Some(match *slot {
            Some((k, u)) => (k.max(kind), u.max(until)),
            None => (kind, until),
        });
    }

    /// Has a pause hold back less.
    pub fn ease(&mut self, why: PauseFor, kind: PauseKind) {
        if let Some((held, _)) = self.slot(why) {
            *held = kind.min(*held);
        }
    }

    /// Ends a pause.
    pub fn stop(&mut self, why: PauseFor) {
        *self.slot(why) = None;
    }

    fn slot(&mut self, why: PauseFor) -> &mut Option<(PauseKind, Mono)> {
        match why {
            PauseFor::Client => &mut self.client,
            PauseFor::Shutdown => &mut self.shutdown,
            PauseFor::Failover => &mut self.failover,
            PauseFor::Migrate => &mut self.migrate,
        }
    }

    /// Ends the pauses whose time is over.
    pub fn expire(&mut self, now: Mono) {
        let slots = [
            &mut self.client,
            &mut self.shutdown,
            &mut self.failover,
            &mut self.migrate,
        ];
        for slot in slots {
            if slot.is_some_and(|(_, until)| until <= now) {
                *slot = None;
            }
        }
    }

    /// What is held back at present.
    pub fn kind(&self) -> Option<PauseKind> {
        self.all().map(|(kind, _)| kind).max()
    }

    /// When the next pause ends.
    pub fn deadline(&self) -> Option<Mono> {
        self.all().map(|(_, until)| until).min()
    }

    fn all(&self) -> impl Iterator<Item = (PauseKind, Mono)> {
        [self.client, self.shutdown, self.failover, self.migrate]
            .into_iter()
            .flatten()
    }

    /// Remembers a client that is held back by pauses of this kind, and stricter ones.
    pub fn postpone(&mut self, conn: ConnId, kind: PauseKind) {
        self.postponed.push((conn, kind));
    }

    /// Everyone who is held back no more, in the order in which they came.
    ///
    /// Who still is is not asked again: what came before a change of role waits for its end.
    pub fn released(&mut self) -> Vec<ConnId> {
        let kind = self.kind();
        let is_free =
            |&mut (_, held): &mut (ConnId, PauseKind)| kind.is_none_or(|kind| kind < held);
        let free = self.postponed.extract_if(.., is_free);
        free.map(|(conn, _)| conn).collect()
    }

    /// How many are held back.
    pub fn postponed(&self) -> usize {
        self.postponed.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use core::time::Duration;

    fn at(ms: u64) -> Mono {
        Mono::default() + Duration::from_millis(ms)
    }

    #[test]
    fn waiting_ends_once() {
        let conn = ConnId {
            index: 1,
            generation: 0,
        };
        let mut blocked = Blocked::default();
        blocked.add(conn, Wait::Save);
        assert_eq!(blocked.waiting_for(Wait::Save), [conn]);
        assert_eq!(blocked.remove(conn), Some(Wait::Save));
        assert_eq!(blocked.remove(conn), None);
        assert!(blocked.is_empty());
    }

    #[test]
    fn who_waits_on_keeps_its_place_and_its_deadline() {
        let conn = |index| ConnId {
            index,
            generation: 0,
        };
        let mut blocked = Blocked::default();
        for index in [1, 2] {
            let wish = Wish {
                command: OwnedArgv::from_slices(&[b"blpop", b"k", b"1"]),
                keys: 1..2,
                fits: |value| value.is_some(),
                deadline: Some(at(u64::from(index))),
            };
            blocked.add_for_keys(conn(index), 0, wish);
        }
        let wait = blocked.take(conn(1)).expect("it waits");
        assert_eq!(blocked.waiting_for(Wait::Keys), [conn(2)]);
        assert_eq!(blocked.keys.deadline(), Some(at(2)));
        blocked.put_back(conn(1), wait);
        assert_eq!(blocked.waiting_for(Wait::Keys), [conn(1), conn(2)]);
        assert_eq!(blocked.keys.overdue(at(1)), Some(conn(1)));
        blocked.keys.check_invariants();
        assert_eq!(blocked.remove(conn(1)), Some(Wait::Keys));
        assert_eq!(blocked.keys.timeouts(), 1);
    }

    #[test]
    fn overlapping_pauses_end_one_by_one_and_release_whom_the_rest_does_not_hold() {
        let conn = |index| ConnId {
            index,
            generation: 0,
        };
        let mut pause = Pause::default();
        pause.start(PauseFor::Client, PauseKind::All, at(10));
        pause.start(PauseFor::Failover, PauseKind::Write, at(20));
        let kinds = [PauseKind::Keys, PauseKind::Write, PauseKind::All];
        for (index, kind) in (0..).zip(kinds) {
            pause.postpone(conn(index), kind);
        }
        assert!(pause.released().is_empty());
        pause.expire(at(10));
        assert_eq!(pause.kind(), Some(PauseKind::Write));
        assert_eq!(pause.released(), [conn(2)]);
        pause.ease(PauseFor::Failover, PauseKind::Keys);
        pause.ease(PauseFor::Failover, PauseKind::Write);
        assert_eq!(pause.kind(), Some(PauseKind::Keys));
        assert_eq!(pause.released(), [conn(1)]);
        pause.expire(at(20));
        assert_eq!((pause.kind(), pause.released()), (None, vec![conn(0)]));
    }
}
