//! Replicas and Sentinels an operator has had forgotten.
//!
//! Whoever is gone may still be spoken of: a master lists a replica until it notices that the
//! connection is dead, and a hello may lie in a buffer. So whoever was forgotten is not taken in
//! again for a while. A Sentinel that lives all the same does not count until then; the newer
//! configuration it tells of does, as anybody's.

use core::time::Duration;
use std::collections::VecDeque;

use crate::limits::SENTINEL_FORGOTTEN_MAX;
use crate::machine::Mono;
use crate::sentinel::GroupId;
use crate::sentinel::events;
use crate::sentinel::names::{HostAddr, RunId};
use crate::sentinel::watch::Watch;

/// Twice the time after which a master gives a silent replica up, unless it is told otherwise.
pub(super) const FORGET_PERIOD: Duration = Duration::from_secs(120);

/// Those of one master, oldest first.
#[derive(Debug, Default)]
pub struct Forgotten {
    replicas: VecDeque<(HostAddr, Mono)>,
    peers: VecDeque<(RunId, Mono)>,
}

/// Why somebody is not forgotten.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum ForgetRefusal {
    /// It is not known.
    Unknown,
    /// It is being made the master.
    Promoted,
    /// It is up: its vote counts with all the others, so it has to count here.
    Up,
}

impl Forgotten {
    /// Whether this replica is not to be taken in.
    pub fn has_replica(&self, now: Mono, addr: &HostAddr) -> bool {
        let same = |(one, until): &(HostAddr, Mono)| now < *until && one.is_same(addr);
        self.replicas.iter().any(same)
    }

    /// Whether this Sentinel is not to be taken in.
    pub fn has_peer(&self, now: Mono, id: RunId) -> bool {
        self.peers
            .iter()
            .any(|&(one, until)| now < until && one == id)
    }

    fn note_replica(&mut self, now: Mono, addr: HostAddr) {
        note(&mut self.replicas, now, addr);
    }

    fn note_peer(&mut self, now: Mono, id: RunId) {
        note(&mut self.peers, now, id);
    }
}

/// Those whose time is over make room, and of too many the oldest one does.
fn note<T>(known: &mut VecDeque<(T, Mono)>, now: Mono, one: T) {
    known.retain(|&(_, until)| now < until);
    if known.len() >= SENTINEL_FORGOTTEN_MAX {
        known.pop_front();
    }
    known.push_back((one, now + FORGET_PERIOD));
}

impl Watch {
    /// Forgets a replica.
    pub(super) fn forget_replica(
        &mut self,
        now: Mono,
        group: GroupId,
        host: &str,
        port: u16,
    ) -> Result<(), ForgetRefusal> {
        let g = &self.groups[group];
        let called = |&id: &_| self.instances[id].addr.is_called(host, port);
        let id = g.replicas.iter().copied().find(called);
        let id = id.ok_or(ForgetRefusal::Unknown)?;
        if g.failover.promoted_replica() == Some(id) {
            return Err(ForgetRefusal::Promoted);
        }
        let addr = self.instances[id].addr.clone();
        self.tell_of(events::SLAVE_FORGOTTEN, id, "");
        self.remove_replica(id);
        self.groups[group].forgotten.note_replica(now, addr);
        Ok(())
    }

    /// Forgets a Sentinel that is down, under this master.
    ///
    /// While it is up, a majority counted without it and one counted with it, by the others,
    /// need not have a voter in common.
    pub(super) fn forget_peer(
        &mut self,
        now: Mono,
        group: GroupId,
        runid: RunId,
    ) -> Result<(), ForgetRefusal> {
        let peers = self.groups[group].peers.iter().copied();
        let id = { peers }.find(|&id| self.instances[id].runid == Some(runid));
        let id = id.ok_or(ForgetRefusal::Unknown)?;
        if self.instances[id].s_down.is_none() {
            return Err(ForgetRefusal::Up);
        }
        self.tell_of(events::SENTINEL_FORGOTTEN, id, "");
        self.remove_peer(id);
        self.groups[group].forgotten.note_peer(now, runid);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(secs: u64) -> Mono {
        Mono::from_nanos(secs * 1_000_000_000)
    }

    #[test]
    fn who_was_forgotten_stays_so_for_its_time() {
        let mut forgotten = Forgotten::default();
        let addr = HostAddr::new("10.0.0.1", 6379);
        let id = RunId::parse(&[b'a'; 40]).unwrap();
        forgotten.note_replica(at(1), addr.clone());
        forgotten.note_peer(at(1), id);
        assert!(forgotten.has_replica(at(120), &addr));
        assert!(!forgotten.has_replica(at(121), &addr));
        assert!(!forgotten.has_replica(at(1), &HostAddr::new("10.0.0.1", 6380)));
        assert!(forgotten.has_peer(at(120), id));
        assert!(!forgotten.has_peer(at(121), id));
    }

    #[test]
    fn only_so_many_are_remembered() {
        let mut forgotten = Forgotten::default();
        let nth = |n: usize| HostAddr::new(&format!("10.1.{}.{}", n / 200, n % 200), 6379);
        for n in 0..=SENTINEL_FORGOTTEN_MAX {
            forgotten.note_replica(at(1), nth(n));
        }
        assert!(!forgotten.has_replica(at(2), &nth(0)));
        assert!(forgotten.has_replica(at(2), &nth(1)));
        assert!(forgotten.has_replica(at(2), &nth(SENTINEL_FORGOTTEN_MAX)));
    }
}
