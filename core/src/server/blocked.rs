//! Clients that wait, and CLIENT PAUSE.

use crate::machine::{ConnId, Mono};
use crate::repl::Offset;
use std::collections::{BTreeMap, VecDeque};

/// What a client waits for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Wait {
    /// WAIT: replicas that have the stream up to here. Replication keeps count and time.
    Replicas {
        /// The end of the stream behind the client's last write.
        target: Offset,
    },
    /// SAVE: the end of the snapshot.
    Save,
    /// SHUTDOWN: the end of the process, or the reason why not.
    Shutdown,
}

/// All waiting clients, in order of arrival.
#[derive(Debug, Default)]
pub struct Blocked {
    by_conn: BTreeMap<ConnId, Wait>,
    arrival: VecDeque<ConnId>,
}

impl Blocked {
    /// Lets a client wait.
    pub fn add(&mut self, conn: ConnId, wait: Wait) {
        let before = self.by_conn.insert(conn, wait);
        assert!(before.is_none(), "a client waits for one thing at a time");
        self.arrival.push_back(conn);
    }

    /// Ends a client's waiting; what it waited for, if it did.
    pub fn remove(&mut self, conn: ConnId) -> Option<Wait> {
        let wait = self.by_conn.remove(&conn)?;
        self.arrival.retain(|&c| c != conn);
        Some(wait)
    }

    /// What a client waits for, if it does.
    pub fn waits_for(&self, conn: ConnId) -> Option<Wait> {
        self.by_conn.get(&conn).copied()
    }

    /// Everyone who waits, in order of arrival.
    pub fn iter(&self) -> impl Iterator<Item = (ConnId, Wait)> {
        self.arrival.iter().map(|conn| (*conn, self.by_conn[conn]))
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
    /// Those that may write.
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
}

/// The pauses in force and who is held back by them.
#[derive(Debug, Default)]
pub struct Pause {
    client: Option<(PauseKind, Mono)>,
    shutdown: Option<(PauseKind, Mono)>,
    postponed: Vec<ConnId>,
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

    /// Ends a pause.
    pub fn stop(&mut self, why: PauseFor) {
        *self.slot(why) = None;
    }

    fn slot(&mut self, why: PauseFor) -> &mut Option<(PauseKind, Mono)> {
        match why {
            PauseFor::Client => &mut self.client,
            PauseFor::Shutdown => &mut self.shutdown,
        }
    }

    /// Ends the pauses whose time is over.
    pub fn expire(&mut self, now: Mono) {
        for slot in [&mut self.client, &mut self.shutdown] {
            if slot.is_some_and(|(_, until)| until <= now) {
                *slot = None;
            }
        }
    }

    /// What is held back at present.
    pub fn kind(&self) -> Option<PauseKind> {
        self.client
            .iter()
            .chain(&self.shutdown)
            .map(|&(kind, _)| kind)
            .max()
    }

    /// When the next pause ends.
    pub fn deadline(&self) -> Option<Mono> {
        self.client
            .iter()
            .chain(&self.shutdown)
            .map(|&(_, until)| until)
            .min()
    }

    /// Remembers a client that is held back.
    pub fn postpone(&mut self, conn: ConnId) {
        self.postponed.push(conn);
    }

    /// Everyone who was held back, once nothing is.
    pub fn released(&mut self) -> Vec<ConnId> {
        if self.kind().is_some() {
            Vec::new()
        } else {
            core::mem::take(&mut self.postponed)
        }
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
        assert_eq!(blocked.iter().collect::<Vec<_>>(), [(conn, Wait::Save)]);
        assert_eq!(blocked.remove(conn), Some(Wait::Save));
        assert_eq!(blocked.remove(conn), None);
        assert!(blocked.is_empty());
    }

    #[test]
    fn overlapping_pauses_end_one_by_one() {
        let mut pause = Pause::default();
        pause.start(PauseFor::Client, PauseKind::All, at(10));
        pause.start(PauseFor::Shutdown, PauseKind::Write, at(20));
        pause.postpone(ConnId {
            index: 1,
            generation: 0,
        });
        pause.expire(at(10));
        assert_eq!(pause.kind(), Some(PauseKind::Write));
        assert!(pause.released().is_empty());
        pause.expire(at(20));
        assert_eq!((pause.kind(), pause.released().len()), (None, 1));
    }
}
