//! Where one failover stands.

use crate::machine::Mono;
use crate::sentinel::InstanceId;
use crate::sentinel::names::Epoch;

/// The state of the failover of one master. Each state owns exactly the facts that exist while
/// it lasts, and is left by value.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Failover {
    /// There is none.
    #[default]
    Idle,
    /// The votes are being gathered.
    WaitStart {
        /// What is voted on.
        epoch: Epoch,
        /// Whether an operator asked for it.
        forced: bool,
        /// Since when.
        since: Mono,
    },
    /// Elected; the replica to promote is being chosen.
    SelectSlave {
        /// Won.
        epoch: Epoch,
        /// Whether an operator asked for it.
        forced: bool,
        /// Since when.
        since: Mono,
    },
    /// The replica is chosen and is to be told.
    SendSlaveofNoOne {
        /// Won.
        epoch: Epoch,
        /// Chosen.
        promoted: InstanceId,
        /// Whether an operator asked for it.
        forced: bool,
        /// Since when.
        since: Mono,
    },
    /// The replica was told; its INFO has to show it as a master.
    WaitPromotion {
        /// Won.
        epoch: Epoch,
        /// Told.
        promoted: InstanceId,
        /// Whether an operator asked for it.
        forced: bool,
        /// Since when.
        since: Mono,
        /// When it was told last.
        told: Mono,
    },
    /// The replica is the master; the others are being pointed to it.
    ReconfSlaves {
        /// Won, and the epoch of the configuration now in force.
        epoch: Epoch,
        /// The new master.
        promoted: InstanceId,
        /// Whether an operator asked for it.
        forced: bool,
        /// Since when.
        since: Mono,
    },
}

impl Failover {
    /// Starts to gather votes.
    pub fn start(self, epoch: Epoch, forced: bool, now: Mono) -> Self {
        assert_eq!(self, Self::Idle, "one failover at a time");
        Self::WaitStart {
            epoch,
            forced,
            since: now,
        }
    }

    /// The votes are enough.
    pub fn elected(self, now: Mono) -> Self {
        let Self::WaitStart { epoch, forced, .. } = self else {
            panic!("elected in {self:?}");
        };
        Self::SelectSlave {
            epoch,
            forced,
            since: now,
        }
    }

    /// The replica is chosen.
    pub fn selected(self, promoted: InstanceId, now: Mono) -> Self {
        let Self::SelectSlave { epoch, forced, .. } = self else {
            panic!("selected in {self:?}");
        };
        Self::SendSlaveofNoOne {
            epoch,
            promoted,
            forced,
            since: now,
        }
    }

    /// The replica was told.
    pub fn told(self, now: Mono) -> Self {
        let Self::SendSlaveofNoOne {
            epoch,
            promoted,
            forced,
            ..
        } = self
        else {
            panic!("told in {self:?}");
        };
        Self::WaitPromotion {
            epoch,
            promoted,
            forced,
            since: now,
            told: now,
        }
    }

    /// The replica may not have heard and was told again.
    pub fn told_again(self, now: Mono) -> Self {
        let Self::WaitPromotion {
            epoch,
            promoted,
            forced,
            since,
            ..
        } = self
        else {
            panic!("told again in {self:?}");
        };
        Self::WaitPromotion {
            epoch,
            promoted,
            forced,
            since,
            told: now,
        }
    }

    /// The replica shows as a master.
    pub fn promoted(self, now: Mono) -> Self {
        let Self::WaitPromotion {
            epoch,
            promoted,
            forced,
            ..
        } = self
        else {
            panic!("promoted in {self:?}");
        };
        Self::ReconfSlaves {
            epoch,
            promoted,
            forced,
            since: now,
        }
    }

    /// Whether there is one.
    pub fn is_in_progress(&self) -> bool {
        match self {
            Self::Idle => false,
            Self::WaitStart { .. }
            | Self::SelectSlave { .. }
            | Self::SendSlaveofNoOne { .. }
            | Self::WaitPromotion { .. }
            | Self::ReconfSlaves { .. } => true,
        }
    }

    /// Whether the election is won and the failover is being carried out.
    pub fn is_leading(&self) -> bool {
        self.is_in_progress() && !matches!(self, Self::WaitStart { .. })
    }

    /// The epoch it is carried out in.
    pub fn epoch(&self) -> Option<Epoch> {
        match *self {
            Self::Idle => None,
            Self::WaitStart { epoch, .. }
            | Self::SelectSlave { epoch, .. }
            | Self::SendSlaveofNoOne { epoch, .. }
            | Self::WaitPromotion { epoch, .. }
            | Self::ReconfSlaves { epoch, .. } => Some(epoch),
        }
    }

    /// The replica chosen.
    pub fn promoted_replica(&self) -> Option<InstanceId> {
        match *self {
            Self::Idle | Self::WaitStart { .. } | Self::SelectSlave { .. } => None,
            Self::SendSlaveofNoOne { promoted, .. }
            | Self::WaitPromotion { promoted, .. }
            | Self::ReconfSlaves { promoted, .. } => Some(promoted),
        }
    }

    /// The new master, once it is one.
    pub fn new_master(&self) -> Option<InstanceId> {
        match *self {
            Self::Idle
            | Self::WaitStart { .. }
            | Self::SelectSlave { .. }
            | Self::SendSlaveofNoOne { .. }
            | Self::WaitPromotion { .. } => None,
            Self::ReconfSlaves { promoted, .. } => Some(promoted),
        }
    }

    /// Whether an operator asked for it.
    pub fn is_forced(&self) -> bool {
        match *self {
            Self::Idle => false,
            Self::WaitStart { forced, .. }
            | Self::SelectSlave { forced, .. }
            | Self::SendSlaveofNoOne { forced, .. }
            | Self::WaitPromotion { forced, .. }
            | Self::ReconfSlaves { forced, .. } => forced,
        }
    }

    /// Redis's name of the state.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Idle => "none",
            Self::WaitStart { .. } => "wait_start",
            Self::SelectSlave { .. } => "select_slave",
            Self::SendSlaveofNoOne { .. } => "send_slaveof_noone",
            Self::WaitPromotion { .. } => "wait_promotion",
            Self::ReconfSlaves { .. } => "reconf_slaves",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failover_goes_through_its_states_in_order() {
        let replica = InstanceId::dangling(1);
        let now = Mono::default();
        let mut failover = Failover::default();
        let mut names = vec![failover.name()];
        failover = failover.start(Epoch(7), false, now);
        names.push(failover.name());
        assert!(!failover.is_leading());
        failover = failover.elected(now);
        names.push(failover.name());
        assert!(failover.is_leading());
        failover = failover.selected(replica, now);
        names.push(failover.name());
        failover = failover.told(now);
        names.push(failover.name());
        assert_eq!(failover.new_master(), None);
        failover = failover.promoted(now);
        names.push(failover.name());
        assert_eq!(failover.new_master(), Some(replica));
        assert_eq!(failover.epoch(), Some(Epoch(7)));
        let expected = [
            "none",
            "wait_start",
            "select_slave",
            "send_slaveof_noone",
            "wait_promotion",
            "reconf_slaves",
        ];
        assert_eq!(names, expected);
    }
}
