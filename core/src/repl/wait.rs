//! Clients that wait until replicas have their writes.

use std::collections::{BTreeMap, BTreeSet};

use super::history::Offset;
use crate::machine::{ConnId, Mono};

/// The clients blocked in WAIT and WAITAOF.
#[derive(Debug, Default)]
pub struct Waits {
    waiting: BTreeMap<ConnId, Wait>,
    deadlines: BTreeSet<(Mono, ConnId)>,
}

/// What a client waits for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Need {
    /// How far replicas shall be.
    pub target: Offset,
    /// How many of them.
    pub replicas: usize,
    /// What it takes to have something.
    pub kept: Kept,
}

/// What it takes to have something.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Kept {
    /// Having applied it.
    InMemory,
    /// Having it in the append-only file, durably.
    OnDisk {
        /// The mark of it in our own file.
        mark: u64,
        /// Whether that must be durable too.
        here: bool,
    },
}

#[derive(Clone, Copy, Debug)]
struct Wait {
    need: Need,
    deadline: Option<Mono>,
}

impl Need {
    /// Whether so many replicas, and what is durable in our own file, are enough.
    #[must_use]
    pub fn is_met(&self, replicas: usize, synced: u64) -> bool {
        let here = match self.kept {
            Kept::InMemory => true,
            Kept::OnDisk { mark, here } => !here || mark <= synced,
        };
        here && replicas >= self.replicas
    }
}

impl Waits {
    /// Blocks a client until it has what it needs, at most until `deadline`.
    pub fn add(&mut self, conn: ConnId, need: Need, deadline: Option<Mono>) {
        let wait = Wait { need, deadline };
        let before = self.waiting.insert(conn, wait);
        assert!(before.is_none(), "a blocked client runs no command");
        if let Some(at) = deadline {
            self.deadlines.insert((at, conn));
        }
    }

    /// Forgets a client. Answers whether it was waiting.
    pub fn remove(&mut self, conn: ConnId) -> bool {
        let Some(wait) = self.waiting.remove(&conn) else {
            return false;
        };
        if let Some(at) = wait.deadline {
            self.deadlines.remove(&(at, conn));
        }
        true
    }

    /// How many clients have a deadline.
    pub fn timeouts(&self) -> usize {
        self.deadlines.len()
    }

    /// Forgets all clients and names them.
    pub fn drain(&mut self) -> Vec<ConnId> {
        self.deadlines.clear();
        core::mem::take(&mut self.waiting).into_keys().collect()
    }

    /// The clients whose wait is over, with the number of replicas each is told of. What has a
    /// mark up to `synced` is durable in our own file.
    pub fn settle(
        &mut self,
        now: Mono,
        synced: u64,
        acked: impl Fn(&Need) -> usize,
    ) -> Vec<(ConnId, usize)> {
        let mut over = Vec::new();
        for (&conn, wait) in &self.waiting {
            // Each counts for its own target: another client's count says nothing about it.
            let count = acked(&wait.need);
            let expired = wait.deadline.is_some_and(|at| at <= now);
            if wait.need.is_met(count, synced) || expired {
                over.push((conn, count));
            }
        }
        for &(conn, _) in &over {
            self.remove(conn);
        }
        over
    }

    /// The next instant a wait ends by itself.
    #[must_use]
    pub fn deadline(&self) -> Option<Mono> {
        self.deadlines.first().map(|&(at, _)| at)
    }

    /// Whether anyone waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty()
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

    fn need(target: i64, replicas: usize) -> Need {
        Need {
            target: at(target),
            replicas,
            kept: Kept::InMemory,
        }
    }

    fn at(n: i64) -> Offset {
        Offset::new(n).unwrap()
    }

    #[test]
    fn each_waits_for_its_own_target() {
        let mut waits = Waits::default();
        let acks = [at(10), at(20)];
        let acked = |need: &Need| acks.iter().filter(|&&ack| ack >= need.target).count();
        waits.add(conn(1), need(10, 2), None);
        waits.add(conn(2), need(15, 2), None);
        assert_eq!(waits.settle(Mono::default(), 0, acked), [(conn(1), 2)]);
        let acked = |_: &Need| 2;
        assert_eq!(waits.settle(Mono::default(), 0, acked), [(conn(2), 2)]);
        assert!(waits.is_empty());
    }

    #[test]
    fn a_deadline_ends_the_wait_with_the_count_there_is() {
        let mut waits = Waits::default();
        let deadline = Mono::from_nanos(50);
        waits.add(conn(1), need(10, 3), Some(deadline));
        assert_eq!(waits.deadline(), Some(deadline));
        assert_eq!(waits.settle(Mono::from_nanos(49), 0, |_| 1), []);
        assert_eq!(waits.settle(Mono::from_nanos(50), 0, |_| 1), [(conn(1), 1)]);
        assert_eq!(waits.deadline(), None);
    }

    #[test]
    fn our_own_file_counts_if_it_is_asked_for() {
        let mut waits = Waits::default();
        let (mark, here) = (7, true);
        let kept = Kept::OnDisk { mark, here };
        waits.add(conn(1), Need { kept, ..need(0, 0) }, None);
        assert_eq!(waits.settle(Mono::default(), 6, |_| 0), []);
        assert_eq!(waits.settle(Mono::default(), 7, |_| 0), [(conn(1), 0)]);
    }

    #[test]
    fn a_client_that_leaves_is_forgotten() {
        let mut waits = Waits::default();
        waits.add(conn(1), need(1, 1), Some(Mono::from_nanos(9)));
        assert!(waits.remove(conn(1)));
        assert!(!waits.remove(conn(1)));
        assert_eq!(waits.deadline(), None);
        assert_eq!(waits.settle(Mono::from_nanos(99), 0, |_| 9), []);
    }
}
