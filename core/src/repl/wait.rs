//! Clients that wait until replicas have their writes.

use std::collections::{BTreeMap, BTreeSet};

use super::history::Offset;
use crate::machine::{ConnId, Mono};

/// The clients blocked in WAIT.
#[derive(Debug, Default)]
pub struct Waits {
    waiting: BTreeMap<ConnId, Wait>,
    deadlines: BTreeSet<(Mono, ConnId)>,
}

#[derive(Clone, Copy, Debug)]
struct Wait {
    target: Offset,
    replicas: usize,
    deadline: Option<Mono>,
}

impl Waits {
    /// Blocks a client until `replicas` have the stream up to `target`, at most until `deadline`.
    pub fn add(&mut self, conn: ConnId, target: Offset, replicas: usize, deadline: Option<Mono>) {
        let wait = Wait {
            target,
            replicas,
            deadline,
        };
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

    /// The clients whose wait is over, with the number of replicas each is told of.
    pub fn settle(&mut self, now: Mono, acked: impl Fn(Offset) -> usize) -> Vec<(ConnId, usize)> {
        let mut over = Vec::new();
        for (&conn, wait) in &self.waiting {
            // Each counts for its own target: another client's count says nothing about it.
            let count = acked(wait.target);
            let expired = wait.deadline.is_some_and(|at| at <= now);
            if count >= wait.replicas || expired {
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

    fn at(n: i64) -> Offset {
        Offset::new(n).unwrap()
    }

    #[test]
    fn each_waits_for_its_own_target() {
        let mut waits = Waits::default();
        let acks = [at(10), at(20)];
        let acked = |target| acks.iter().filter(|&&ack| ack >= target).count();
        waits.add(conn(1), at(10), 2, None);
        waits.add(conn(2), at(15), 2, None);
        assert_eq!(waits.settle(Mono::default(), acked), [(conn(1), 2)]);
        let acked = |_| 2;
        assert_eq!(waits.settle(Mono::default(), acked), [(conn(2), 2)]);
        assert!(waits.is_empty());
    }

    #[test]
    fn a_deadline_ends_the_wait_with_the_count_there_is() {
        let mut waits = Waits::default();
        let deadline = Mono::from_nanos(50);
        waits.add(conn(1), at(10), 3, Some(deadline));
        assert_eq!(waits.deadline(), Some(deadline));
        assert_eq!(waits.settle(Mono::from_nanos(49), |_| 1), []);
        assert_eq!(waits.settle(Mono::from_nanos(50), |_| 1), [(conn(1), 1)]);
        assert_eq!(waits.deadline(), None);
    }

    #[test]
    fn a_client_that_leaves_is_forgotten() {
        let mut waits = Waits::default();
        waits.add(conn(1), at(1), 1, Some(Mono::from_nanos(9)));
        assert!(waits.remove(conn(1)));
        assert!(!waits.remove(conn(1)));
        assert_eq!(waits.deadline(), None);
        assert_eq!(waits.settle(Mono::from_nanos(99), |_| 9), []);
    }
}
