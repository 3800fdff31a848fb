//! Asking the other Sentinels: is the master down, and do I have your vote?

use crate::machine::Mono;
use crate::resp::Value;
use crate::sentinel::failover::Failover;
use crate::sentinel::link::{Expect, Side, TICK};
use crate::sentinel::names::{Epoch, RunId};
use crate::sentinel::request::Request;
use crate::sentinel::watch::{Times, Watch};
use crate::sentinel::{GroupId, InstanceId};

impl Watch {
    /// Asks every Sentinel that is due to be asked.
    pub(super) fn ask_peers(&mut self, now: Mono, group: GroupId) {
        for id in self.groups[group].peers.clone() {
            let election = self.election_to_ask(id);
            let due = self.question_due(id).is_some_and(|at| at <= now);
            if election.is_some() || due {
                self.ask(now, id);
            }
        }
    }

    pub(super) fn ask_times(&self, group: GroupId, times: &mut Times) {
        for &id in &self.groups[group].peers {
            times.at("sentinel-ask", self.question_due(id));
            times.at("sentinel-answer-expiry", self.answer_expires(id));
        }
    }

    /// Has every Sentinel asked at once.
    pub(super) fn hurry_questions(&mut self, group: GroupId) {
        for id in self.groups[group].peers.clone() {
            self.instances[id]
                .peer_mut()
                .expect("peers are peers")
                .urgent = true;
        }
        self.mark(group);
    }

    /// The election in which this Sentinel's vote was not asked for yet.
    fn election_to_ask(&self, id: InstanceId) -> Option<Epoch> {
        let instance = &self.instances[id];
        let peer = instance.peer().expect("peers are peers");
        match self.groups[instance.group].failover {
            Failover::WaitStart { epoch, .. } if peer.vote_asked < epoch => {
                self.links[instance.link].has_room().then_some(epoch)
            }
            Failover::Idle
            | Failover::WaitStart { .. }
            | Failover::SelectSlave { .. }
            | Failover::SendSlaveofNoOne { .. }
            | Failover::WaitPromotion { .. }
            | Failover::ReconfSlaves { .. } => None,
        }
    }

    fn question_due(&self, id: InstanceId) -> Option<Mono> {
        let instance = &self.instances[id];
        let peer = instance.peer().expect("peers are peers");
        let group = &self.groups[instance.group];
        let electing = matches!(group.failover, Failover::WaitStart { .. });
        let wanted = electing || self.instances[group.master].s_down.is_some();
        if !wanted || peer.in_flight > 0 || !self.links[instance.link].has_room() {
            return None;
        }
        let Some(asked) = peer.asked else {
            return Some(Mono::default());
        };
        if peer.urgent {
            return Some(asked + TICK);
        }
        Some(peer.answered.map_or(asked, |at| at.max(asked)) + self.timing.ask_period)
    }

    fn ask(&mut self, now: Mono, id: InstanceId) {
        let instance = &self.instances[id];
        let (link, group) = (instance.link, instance.group);
        let master = &self.instances[self.groups[group].master].addr;
        let (host, port) = (
            master.shown(self.settings.announce_hostnames),
            master.port(),
        );
        let election = match self.groups[group].failover {
            Failover::WaitStart { epoch, .. } => Some(epoch),
            Failover::Idle
            | Failover::SelectSlave { .. }
            | Failover::SendSlaveofNoOne { .. }
            | Failover::WaitPromotion { .. }
            | Failover::ReconfSlaves { .. } => None,
        };
        let request = Request::IsMasterDown {
            host,
            port,
            epoch: election.unwrap_or(self.epoch),
            candidate: election.map(|_| self.id),
        };
        let peer = self.instances[id].peer_mut().expect("peers are peers");
        peer.asked = Some(now);
        peer.urgent = false;
        peer.in_flight += 1;
        if let Some(epoch) = election {
            peer.vote_asked = epoch;
        }
        self.send(
            link,
            Side::Command,
            &request,
            Expect::MasterDown(id, election),
        );
    }

    /// Takes an answer. One that isn't of the agreed form says nothing.
    pub(super) fn on_answer(
        &mut self,
        now: Mono,
        id: InstanceId,
        election: Option<Epoch>,
        reply: &Value,
    ) {
        let Some(instance) = self.instances.get_mut(id) else {
            return;
        };
        let (group, name) = (instance.group, instance.name.clone());
        let peer = instance.peer_mut().expect("questions go to peers");
        peer.in_flight = peer.in_flight.saturating_sub(1);
        self.mark(group);
        let Some((down, leader, epoch)) = parse_answer(reply) else {
            return;
        };
        let peer = self.instances[id]
            .peer_mut()
            .expect("questions go to peers");
        peer.answered = Some(now);
        peer.says_down = down;
        if let Some(leader) = leader {
            if peer.leader_epoch != epoch {
                tracing::warn!("{name} voted for {leader} {epoch}");
            }
            peer.leader = Some(leader);
            peer.leader_epoch = epoch;
        }
        if let Some(election) = election {
            peer.vote_answered = peer.vote_answered.max(election);
        }
    }

    fn answer_expires(&self, id: InstanceId) -> Option<Mono> {
        let peer = self.instances[id].peer().expect("peers are peers");
        let kept = peer.says_down || peer.leader.is_some();
        let limit = self.timing.ask_period * 5 + TICK;
        peer.answered.filter(|_| kept).map(|at| at + limit)
    }

    /// Forgets answers that are too old, before anything is decided by them.
    pub(super) fn forget_answers(&mut self, now: Mono, group: GroupId) {
        for id in self.groups[group].peers.clone() {
            if self.answer_expires(id).is_some_and(|at| at <= now) {
                let peer = self.instances[id].peer_mut().expect("peers are peers");
                peer.says_down = false;
                peer.leader = None;
            }
        }
    }
}

/// Whether the master is down there, and the vote given, if it tells of one.
fn parse_answer(reply: &Value) -> Option<(bool, Option<RunId>, Epoch)> {
    let [down, leader, epoch] = reply.as_array()? else {
        return None;
    };
    let epoch = Epoch(u64::try_from(epoch.as_int()?).ok()?);
    if !epoch.is_credible() {
        return None;
    }
    let leader = leader.as_text()?;
    let leader = if leader == b"*" {
        None
    } else {
        Some(RunId::parse(leader)?)
    };
    Some((down.as_int()? == 1, leader, epoch))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_answer_of_the_agreed_form_counts() {
        let id = vec![b'a'; 40];
        let answer = |down, leader: &[u8], epoch| {
            Value::Array(vec![
                Value::Int(down),
                Value::Bulk(leader.to_vec()),
                Value::Int(epoch),
            ])
        };
        assert_eq!(
            parse_answer(&answer(1, b"*", 0)),
            Some((true, None, Epoch(0)))
        );
        let vote = Some((false, RunId::parse(&id), Epoch(7)));
        assert_eq!(parse_answer(&answer(0, &id, 7)), vote);
        assert_eq!(parse_answer(&answer(1, b"short", 7)), None);
        assert_eq!(parse_answer(&answer(1, b"*", -1)), None);
        assert_eq!(parse_answer(&Value::Int(1)), None);
        assert_eq!(parse_answer(&Value::Array(vec![])), None);
    }
}
