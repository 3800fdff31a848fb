//! Pointing the other replicas to the new master, and the end of a failover.

use crate::machine::Mono;
use crate::sentinel::events;
use crate::sentinel::instance::Reconf;
use crate::sentinel::link::TICK;
use crate::sentinel::record::Step;
use crate::sentinel::watch::Watch;
use crate::sentinel::{GroupId, InstanceId};

impl Watch {
    pub(super) fn reconf_slaves(
        &mut self,
        now: Mono,
        group: GroupId,
        promoted: InstanceId,
        since: Mono,
    ) {
        self.release_stuck(now, group);
        let timeout = self.groups[group].options.failover_timeout + TICK;
        let timed_out = since + timeout <= now;
        // A new master that is down already needs the next failover, which can't begin before
        // this one ends.
        let lost = self.instances[promoted].s_down.is_some();
        if !timed_out && !lost && !self.all_done(group, promoted) {
            return self.reconf_next(now, group, promoted);
        }
        let master = self.groups[group].master;
        if timed_out {
            self.tell_of(events::FAILOVER_END_FOR_TIMEOUT, master, "");
        }
        self.tell_of(events::FAILOVER_END, master, "");
        if !timed_out && !lost {
            self.record_step(now, group, Step::Reconfigured);
        }
        let end = if timed_out {
            events::FAILOVER_END_FOR_TIMEOUT
        } else {
            events::FAILOVER_END
        };
        self.record_end(now, group, end.name);
        if timed_out {
            self.reconf_rest(group, promoted);
        }
        let to = self.instances[promoted].addr.clone();
        self.switch_master(now, group, to);
    }

    /// Lets go of replicas that took no note of their new master in time.
    fn release_stuck(&mut self, now: Mono, group: GroupId) {
        let limit = self.timing.slave_reconf_timeout + TICK;
        for id in self.groups[group].replicas.clone() {
            let facts = self.instances[id]
                .replica_mut()
                .expect("replicas are replicas");
            match facts.reconf {
                Reconf::Sent(at) if at + limit <= now => {
                    facts.reconf = Reconf::Done;
                    self.tell_of(events::SLAVE_RECONF_SENT_TIMEOUT, id, "");
                }
                Reconf::Sent(_) | Reconf::No | Reconf::InProgress | Reconf::Done => {}
            }
        }
    }

    fn all_done(&self, group: GroupId, promoted: InstanceId) -> bool {
        self.groups[group].replicas.iter().all(|&id| {
            id == promoted || self.instances[id].s_down.is_some() || self.reconf(id) == Reconf::Done
        })
    }

    fn reconf(&self, id: InstanceId) -> Reconf {
        self.instances[id]
            .replica()
            .expect("replicas are replicas")
            .reconf
    }

    /// Tells as many replicas as may load from the new master at the same time.
    fn reconf_next(&mut self, now: Mono, group: GroupId, promoted: InstanceId) {
        let g = &self.groups[group];
        let parallel = usize::try_from(g.options.parallel_syncs).expect("a u32 fits a usize");
        let busy = |&&id: &&InstanceId| match self.reconf(id) {
            Reconf::Sent(_) | Reconf::InProgress => true,
            Reconf::No | Reconf::Done => false,
        };
        let in_progress = g.replicas.iter().filter(busy).count();
        let waiting: Vec<_> = g
            .replicas
            .iter()
            .copied()
            .filter(|&id| {
                id != promoted
                    && self.reconf(id) == Reconf::No
                    && self.links[self.instances[id].link].is_up()
            })
            .take(parallel.saturating_sub(in_progress))
            .collect();
        for id in waiting {
            self.send_role(id, Some(self.endpoint_of(promoted)));
            let facts = self.instances[id]
                .replica_mut()
                .expect("replicas are replicas");
            facts.reconf = Reconf::Sent(now);
            self.tell_of(events::SLAVE_RECONF_SENT, id, "");
        }
    }

    /// At the end of its time a failover tells everybody it did not get to. The promoted
    /// replica itself is told nothing: it would follow itself.
    fn reconf_rest(&mut self, group: GroupId, promoted: InstanceId) {
        for id in self.groups[group].replicas.clone() {
            let told = match self.reconf(id) {
                Reconf::Sent(_) | Reconf::Done => true,
                Reconf::No | Reconf::InProgress => false,
            };
            if id == promoted || told || !self.links[self.instances[id].link].is_up() {
                continue;
            }
            self.send_role(id, Some(self.endpoint_of(promoted)));
            self.tell_of(events::SLAVE_RECONF_SENT_BE, id, "");
        }
    }

    /// How servers are told of an instance.
    pub(super) fn endpoint_of(&self, id: InstanceId) -> (String, u16) {
        let addr = &self.instances[id].addr;
        (addr.shown(self.settings.announce_hostnames), addr.port())
    }

    /// Takes note of how far a replica is, from its INFO.
    pub(super) fn reconf_progress(&mut self, group: GroupId, id: InstanceId) {
        let Some(promoted) = self.groups[group].failover.new_master() else {
            return;
        };
        let follows = {
            let target = &self.instances[promoted].addr;
            let facts = self.instances[id].replica().expect("replicas are replicas");
            facts.master.as_ref().is_some_and(|master| {
                master.is_same(target) || target.is_called(master.host(), master.port())
            })
        };
        if matches!(self.reconf(id), Reconf::Sent(_)) && follows {
            self.instances[id].replica_mut().expect("just read").reconf = Reconf::InProgress;
            self.tell_of(events::SLAVE_RECONF_INPROG, id, "");
        }
        let link_up = self.instances[id].replica().expect("just read").link_up;
        if self.reconf(id) == Reconf::InProgress && link_up {
            self.instances[id].replica_mut().expect("just read").reconf = Reconf::Done;
            self.tell_of(events::SLAVE_RECONF_DONE, id, "");
        }
    }
}
