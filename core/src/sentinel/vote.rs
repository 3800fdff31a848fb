//! Answering the other Sentinels, and voting.

use core::time::Duration;

use crate::machine::Mono;
use crate::sentinel::GroupId;
use crate::sentinel::events;
use crate::sentinel::names::{Epoch, RunId};
use crate::sentinel::saver::Version;
use crate::sentinel::watch::Watch;

/// The answer to SENTINEL IS-MASTER-DOWN-BY-ADDR.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct MasterDown {
    /// Whether I find the master down.
    pub down: bool,
    /// My vote, if one was asked for and I have one.
    pub vote: Option<TellableVote>,
}

/// A vote, and when it may be told.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct TellableVote {
    /// For whom.
    pub leader: RunId,
    /// In which epoch.
    pub epoch: Epoch,
    /// Not before this is durable, and not at all if it can't be made so.
    pub version: Version,
}

impl Watch {
    /// Answers a Sentinel that asks about a master, voting if it asks for a vote.
    pub fn answer_master_down(
        &mut self,
        now: Mono,
        host: &str,
        port: u16,
        epoch: Epoch,
        candidate: Option<RunId>,
    ) -> MasterDown {
        let found = self.by_name.values().copied().find(|&group| {
            self.instances[self.groups[group].master]
                .addr
                .is_called(host, port)
        });
        let Some(group) = found else {
            return MasterDown {
                down: false,
                vote: None,
            };
        };
        let s_down = self.instances[self.groups[group].master].s_down.is_some();
        if s_down && self.groups[group].o_down.is_none() {
            // Whoever asks finds the master down: with my own view that may be enough.
            self.hurry_questions(group);
        }
        // Only I ask for votes for me: this question has come back to who put it.
        let candidate = candidate.filter(|&id| id != self.id);
        if let Some(candidate) = candidate {
            self.vote(now, group, epoch, candidate);
        }
        let vote = self.groups[group].vote;
        MasterDown {
            down: s_down && !self.tilt.is_on(),
            vote: candidate.and(vote.leader).map(|leader| TellableVote {
                leader,
                epoch: vote.epoch,
                version: vote.version,
            }),
        }
    }

    /// Gives the vote of an epoch to a candidate if it is still to be given.
    ///
    /// While I carry out a failover of my own, nobody else gets a vote for that master: two
    /// leaders with different epochs would promote two replicas. The states of a failover are
    /// limited in time, and so is this refusal.
    pub(super) fn vote(&mut self, now: Mono, group: GroupId, epoch: Epoch, candidate: RunId) {
        self.adopt_epoch(epoch, Some(group));
        let own = candidate == self.id;
        let g = &self.groups[group];
        if !g.vote.is_free(epoch, g.config_epoch) || (!own && g.failover.is_leading()) {
            return;
        }
        let version = self.saver.touch();
        let g = &mut self.groups[group];
        g.vote.leader = Some(candidate);
        g.vote.epoch = epoch;
        g.vote.version = version;
        g.vote.given = Some(now);
        let master = g.master;
        self.tell(
            events::VOTE_FOR_LEADER,
            Some(master),
            format!("{candidate} {epoch}"),
        );
        if !own {
            // The candidate shall have its time before I try myself.
            let delay = Duration::from_millis(self.desync.below(QUIET_DESYNC_MS));
            let start = &mut self.groups[group].start;
            start.last = Some(now + delay);
            start.at = None;
            start.retry_at = None;
            self.yield_election(now, group);
        }
        self.mark(group);
    }

    /// Takes note of a newer epoch.
    pub(super) fn adopt_epoch(&mut self, epoch: Epoch, group: Option<GroupId>) {
        if self.epoch < epoch {
            self.epoch = epoch;
            self.saver.touch();
            let about = group.map(|group| self.groups[group].master);
            self.tell(events::NEW_EPOCH, about, epoch.to_string());
        }
    }
}

/// The spread of the quiet times after a vote, and of the starts of failovers.
pub(super) const QUIET_DESYNC_MS: u64 = 1000;
