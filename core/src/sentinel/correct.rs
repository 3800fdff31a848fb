//! Bringing servers back into the configuration: masters that are none, and replicas that
//! follow somebody else.

use core::time::Duration;

use crate::machine::Mono;
use crate::sentinel::election;
use crate::sentinel::events;
use crate::sentinel::info::Role;
use crate::sentinel::link::TICK;
use crate::sentinel::watch::{Times, Watch};
use crate::sentinel::{GroupId, InstanceId};

/// What is wrong with a server.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Astray {
    /// It is to be a replica and says that it is a master.
    Master,
    /// It is a replica of somebody else.
    OtherMaster,
}

impl Watch {
    /// Corrects the servers that have been astray for long enough.
    pub(super) fn correct_replicas(&mut self, now: Mono, group: GroupId) {
        if self.groups[group].failover.is_in_progress() {
            return;
        }
        for id in self.groups[group].replicas.clone() {
            if let Some((astray, due)) = self.correction(now, id)
                && due <= now
                && self.is_sane(now, group)
                && self.is_confirmed(now, group, id, due)
            {
                self.correct(now, id, astray);
            }
        }
    }

    pub(super) fn correct_times(&self, group: GroupId, times: &mut Times) {
        if self.groups[group].failover.is_in_progress() {
            return;
        }
        for &id in &self.groups[group].replicas {
            times.at(
                "sentinel-correct",
                self.correction(times.now(), id).map(|(_, due)| due),
            );
        }
    }

    /// What is wrong with a replica, and when it is to be corrected.
    ///
    /// A wrong role may be the work of a leader whose new configuration did not get here yet,
    /// and must not be undone. Its hellos come every publish period, so a role that stood for
    /// four of them, at a server that was there all the time, is nobody's promotion. A wrong
    /// master gets the time of a whole failover.
    fn correction(&self, now: Mono, id: InstanceId) -> Option<(Astray, Mono)> {
        let one = &self.instances[id];
        let group = &self.groups[one.group];
        let facts = one.replica().expect("replicas are replicas");
        facts.reported.info.as_ref()?;
        let again = facts
            .corrected
            .map_or_else(Mono::default, |at| at + CORRECT_AGAIN);
        let settled = |since: Mono, span: Duration| {
            one.down_onset.map_or(since, |onset| onset.max(since)) + span + TICK
        };
        match facts.reported.role {
            Role::Master => {
                let hellos = settled(facts.reported.role_since, self.timing.publish_period * 4);
                let due = self.returned(now, id).map_or(hellos, |at| at.min(hellos));
                Some((Astray::Master, due.max(again)))
            }
            Role::Slave => {
                let master = facts.master.as_ref()?;
                let target = &self.instances[group.master].addr;
                let follows =
                    target.is_same(master) || target.is_called(master.host(), master.port());
                let due = settled(facts.conf_changed, group.options.failover_timeout);
                (!follows).then(|| (Astray::OtherMaster, due.max(again)))
            }
        }
    }

    /// When a master that a failover replaced, and that comes back as one, may be demoted.
    ///
    /// Whom a leader promotes reports as a replica first: it has to be one to be chosen. So a
    /// server that was the master of the configuration before this one, has not reported as a
    /// replica since, and carries the history it had as that master has not been promoted by
    /// anybody. The present master has to be beyond doubt, and no newer election may be known
    /// to have been held. The Sentinels take turns: what the first one does is enough, and the
    /// others see it.
    fn returned(&self, now: Mono, id: InstanceId) -> Option<Mono> {
        let one = &self.instances[id];
        let group = &self.groups[one.group];
        let facts = one.replica().expect("replicas are replicas");
        let former = facts.former.as_ref()?;
        let master = &self.instances[group.master];
        let undisputed = group.vote.epoch <= group.config_epoch
            && master.had_no_down_for(now, self.timing.publish_period * 4);
        let present = master.reported().and_then(|reported| reported.replid);
        let present = (group.config_epoch, present);
        let histories = &group.histories;
        if !undisputed || !former.is_still(one.runid, &facts.reported, histories, present) {
            return None;
        }
        let others = group
            .peers
            .iter()
            .filter(|&&peer| self.instances[peer].s_down.is_none());
        let others = others.filter_map(|&peer| self.instances[peer].runid);
        let rank = election::rank(&group.name, group.config_epoch, self.id, others);
        Some(facts.reported.role_since + TURN.saturating_mul(rank))
    }

    /// Whether the master showed as one a moment ago, and the replica as astray when it was due
    /// to be corrected, not only before. Asks them otherwise.
    fn is_confirmed(&mut self, now: Mono, group: GroupId, id: InstanceId, due: Mono) -> bool {
        let master = self.groups[group].master;
        let reported_since = |id: InstanceId, since: Mono| {
            let info = self.instances[id]
                .reported()
                .and_then(|reported| reported.info.as_ref());
            info.is_some_and(|(at, _)| since <= *at)
        };
        let fresh = [(master, now - FRESH_INFO), (id, due)];
        let stale: Vec<_> = fresh
            .into_iter()
            .filter(|&(id, since)| !reported_since(id, since))
            .collect();
        for &(id, _) in &stale {
            self.hurry_info(id);
        }
        stale.is_empty()
    }

    fn correct(&mut self, now: Mono, id: InstanceId, astray: Astray) {
        let one = &self.instances[id];
        if !self.links[one.link].is_up() || one.s_down.is_some() {
            return;
        }
        let master = self.endpoint_of(self.groups[one.group].master);
        self.send_role(id, Some(master));
        self.instances[id]
            .replica_mut()
            .expect("replicas are replicas")
            .corrected = Some(now);
        let kind = match astray {
            Astray::Master => events::CONVERT_TO_SLAVE,
            Astray::OtherMaster => events::FIX_SLAVE_CONFIG,
        };
        self.tell_of(kind, id, "");
    }
}

/// How long a correction is given to show.
const CORRECT_AGAIN: Duration = Duration::from_secs(1);
/// A report of the master older than this is asked for again before anybody is told to follow it.
const FRESH_INFO: Duration = Duration::from_secs(1);
/// How long each Sentinel leaves a returned master to the one before it.
const TURN: Duration = Duration::from_millis(100);
