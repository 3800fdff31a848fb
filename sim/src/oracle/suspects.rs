//! Who may serve what was never written, because a bit turned over in a file without a checksum.
//!
//! No server can know that, and Redis does not either. Of such a server no oracle that looks at
//! data has anything to expect until it has been sent everything by a master that is sound. A
//! master of which the same is true makes the data of the whole run worth nothing from then on.

use std::collections::BTreeMap;

use crate::ids::NodeId;
use crate::time::Time;

/// Which servers that are.
#[derive(Debug, Default)]
pub struct Suspects {
    nodes: BTreeMap<NodeId, Suspect>,
    /// One of them has been a master.
    spread: bool,
}

#[derive(Debug, Default)]
struct Suspect {
    /// Its dataset may be wrong.
    now: bool,
    /// When it last was.
    until: Option<Time>,
    /// It is being sent everything, by one that is suspect or is not.
    receives: Option<bool>,
}

impl Suspects {
    /// A bit has turned over in what a node will start from.
    pub fn rots(&mut self, node: NodeId, at: Time) {
        let suspect = self.nodes.entry(node).or_default();
        (suspect.now, suspect.until) = (true, Some(at));
    }

    /// A node's dataset is gone.
    pub fn wiped(&mut self, node: NodeId) {
        self.nodes.entry(node).or_default().now = false;
    }

    /// A node's process has died.
    pub fn died(&mut self, node: NodeId) {
        self.nodes.entry(node).or_default().receives = None;
    }

    /// A replica is sent everything that its master has.
    pub fn is_sent_all(&mut self, replica: NodeId, master: NodeId) {
        let from = self.is(master);
        self.nodes.entry(replica).or_default().receives = Some(from);
    }

    /// A replica goes on with what it has.
    pub fn goes_on(&mut self, replica: NodeId) {
        self.nodes.entry(replica).or_default().receives = None;
    }

    /// A node that serves was looked at: as a master, or as a replica with its link up or down.
    pub fn observe(&mut self, node: NodeId, at: Time, is_master: bool, link_up: bool) {
        let Some(suspect) = self.nodes.get_mut(&node) else {
            return;
        };
        if link_up && let Some(from) = suspect.receives.take() {
            suspect.now = from;
        }
        if suspect.now {
            suspect.until = Some(at);
            self.spread |= is_master;
        }
    }

    /// Whether a node's dataset may be wrong.
    pub fn is(&self, node: NodeId) -> bool {
        self.nodes.get(&node).is_some_and(|suspect| suspect.now)
    }

    /// Whether it may have been so since then.
    pub fn was(&self, node: NodeId, since: Time) -> bool {
        let until = self.nodes.get(&node).and_then(|suspect| suspect.until);
        self.is(node) || until.is_some_and(|until| since <= until)
    }

    /// Whether one of them has been a master.
    pub const fn have_spread(&self) -> bool {
        self.spread
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: NodeId = NodeId(0);
    const B: NodeId = NodeId(1);

    fn at(ms: u64) -> Time {
        Time::from_millis(ms)
    }

    #[test]
    fn a_replica_is_sound_again_once_it_has_all_that_a_sound_master_has() {
        let mut suspects = Suspects::default();
        suspects.rots(B, at(1));
        suspects.observe(B, at(2), false, true);
        assert!(suspects.is(B) && suspects.was(B, at(2)));
        suspects.is_sent_all(B, A);
        suspects.observe(B, at(3), false, false);
        assert!(suspects.is(B), "it is still being sent that");
        suspects.goes_on(B);
        suspects.observe(B, at(4), false, true);
        assert!(suspects.is(B), "it was given up");
        suspects.is_sent_all(B, A);
        suspects.observe(B, at(5), false, true);
        assert!(!suspects.is(B) && suspects.was(B, at(4)) && !suspects.was(B, at(6)));
        assert!(!suspects.have_spread());
    }

    #[test]
    fn what_a_suspect_sends_makes_suspect() {
        let mut suspects = Suspects::default();
        suspects.rots(A, at(1));
        suspects.is_sent_all(B, A);
        suspects.observe(B, at(2), false, true);
        assert!(suspects.is(B) && !suspects.have_spread());
        suspects.observe(A, at(3), true, false);
        assert!(suspects.have_spread());
        suspects.wiped(A);
        assert!(!suspects.is(A) && suspects.have_spread());
    }
}
