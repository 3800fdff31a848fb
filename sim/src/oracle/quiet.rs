//! The no-fault oracle: where nothing goes wrong, nothing is announced as wrong.

use super::Violation;
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

/// Watches a run without faults once its group has formed.
pub struct Quiet {
    /// When the group must have formed.
    pub from: Time,
}

impl Quiet {
    /// Takes in an event a Sentinel announced.
    pub fn announced(&self, at: Time, node: NodeId, event: &str) -> Result<(), Violation> {
        let name = event.split(' ').next().unwrap_or(event);
        if at < self.from || !ALARMS.contains(&name) {
            return Ok(());
        }
        let message = format!("{node} announced {event:?} at {at} though nothing was wrong");
        Err(Violation::new(ORACLE, message))
    }

    /// Takes in a full resynchronisation.
    pub fn full_sync(&self, at: Time, master: NodeId, replica: NodeId) -> Result<(), Violation> {
        if at < self.from {
            return Ok(());
        }
        let message = format!("{replica} needed everything from {master} at {at}");
        Err(Violation::new(ORACLE, message))
    }

    /// Takes in that a replica has connected anew and goes on where it was.
    pub fn partial_sync(&self, at: Time, master: NodeId, replica: NodeId) -> Result<(), Violation> {
        if at < self.from {
            return Ok(());
        }
        let message = format!("{replica} lost {master} at {at} though nothing was wrong");
        Err(Violation::new(ORACLE, message))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn alarms_after_the_start_are_violations() {
        let quiet = Quiet {
            from: Time::from_millis(10),
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
}
