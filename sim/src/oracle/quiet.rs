//! The no-fault oracle: where nothing goes wrong, nothing is announced as wrong.

use std::collections::BTreeMap;

use super::Violation;
use super::liveness::Core;
use crate::client::MASTER_NAME;
use crate::ids::NodeId;
use crate::time::Time;

const ORACLE: &str = "quiet";
const ALARMS: [&str; 5] = [
    "+sdown",
    "+odown",
    "+switch-master",
    "+try-failover",
    "+tilt",
];

/// Watches a run without faults once its group has formed, or a group that is left in peace after
/// its faults.
pub struct Quiet {
    /// From when on nothing is wrong.
    pub from: Time,
    /// Where nothing is wrong, if that is only there.
    pub part: Option<Part>,
}

/// A part of a group.
pub struct Part {
    /// Nothing is wrong with the master of these, as they see it.
    pub core: Core,
    /// What its replicas replicate from. Whom a Sentinel sends elsewhere may connect anew.
    pub above: BTreeMap<NodeId, NodeId>,
}

impl Quiet {
    /// Takes in an event a Sentinel announced.
    pub fn announced(&self, at: Time, node: NodeId, event: &str) -> Result<(), Violation> {
        let mut words = event.split(' ');
        let alarm = words.next().is_some_and(|name| ALARMS.contains(&name));
        // `+switch-master` names the master alone; others say that it is one.
        let of = words.find(|word| *word != "master");
        let watched =
            (self.part.as_ref()).is_none_or(|part| part.core.has(node) && of == Some(MASTER_NAME));
        if at < self.from || !alarm || !watched {
            return Ok(());
        }
        let message = format!("{node} announced {event:?} at {at} though nothing was wrong");
        Err(Violation::new(ORACLE, message))
    }

    /// Takes in a full resynchronisation.
    pub fn full_sync(&self, at: Time, master: NodeId, replica: NodeId) -> Result<(), Violation> {
        if at < self.from || !self.are_together(master, replica) {
            return Ok(());
        }
        let message = format!("{replica} needed everything from {master} at {at}");
        Err(Violation::new(ORACLE, message))
    }

    /// Takes in that a replica has connected anew and goes on where it was.
    pub fn partial_sync(&self, at: Time, master: NodeId, replica: NodeId) -> Result<(), Violation> {
        if at < self.from || !self.are_together(master, replica) {
            return Ok(());
        }
        let message = format!("{replica} lost {master} at {at} though nothing was wrong");
        Err(Violation::new(ORACLE, message))
    }

    fn are_together(&self, master: NodeId, replica: NodeId) -> bool {
        (self.part.as_ref())
            .is_none_or(|part| part.core.has(master) && part.above.get(&replica) == Some(&master))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn alarms_after_the_start_are_violations() {
        let quiet = Quiet {
            from: Time::from_millis(10),
            part: None,
        };
        let (early, late) = (Time::from_millis(9), Time::from_millis(10));
        let down = "+sdown master mymaster 10.0.0.1 6379";
        quiet.announced(early, NodeId(5), down).unwrap();
        assert!(quiet.announced(late, NodeId(5), down).is_err());
        quiet
            .announced(late, NodeId(5), "+sentinel sentinel x")
            .unwrap();
        quiet.full_sync(early, NodeId(0), NodeId(1)).unwrap();
        assert!(quiet.full_sync(late, NodeId(0), NodeId(1)).is_err());
        quiet.partial_sync(early, NodeId(0), NodeId(1)).unwrap();
        assert!(quiet.partial_sync(late, NodeId(0), NodeId(1)).is_err());
    }

    #[test]
    fn within_a_part_only_what_concerns_its_master_is_an_alarm() {
        let quiet = Quiet {
            from: Time::ZERO,
            part: Some(Part {
                core: Core {
                    sentinels: BTreeSet::from([NodeId(5)]),
                    data: BTreeSet::from([NodeId(0), NodeId(1)]),
                    clients: BTreeSet::new(),
                },
                above: BTreeMap::from([(NodeId(1), NodeId(0))]),
            }),
        };
        let announced = |node, event| quiet.announced(Time::ZERO, NodeId(node), event);
        announced(
            5,
            "+sdown slave 10.0.0.2:6379 10.0.0.2 6379 @ mymaster 10.0.0.1 6379",
        )
        .unwrap();
        announced(5, "+sdown master side 10.0.0.9 6379").unwrap();
        announced(5, "+switch-master mymaster 10.0.0.1 6379 10.0.0.2 6379").unwrap_err();
        announced(5, "+odown master mymaster 10.0.0.1 6379 #quorum 2/2").unwrap_err();
        announced(6, "+odown master mymaster 10.0.0.1 6379 #quorum 2/2").unwrap();
        quiet.full_sync(Time::ZERO, NodeId(0), NodeId(2)).unwrap();
        quiet
            .full_sync(Time::ZERO, NodeId(0), NodeId(1))
            .unwrap_err();
        quiet
            .partial_sync(Time::ZERO, NodeId(2), NodeId(1))
            .unwrap();
        quiet
            .partial_sync(Time::ZERO, NodeId(0), NodeId(1))
            .unwrap_err();
    }
}
