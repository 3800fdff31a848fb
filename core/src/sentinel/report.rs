//! Drawing conclusions from INFO.

use crate::machine::Mono;
use crate::resp::Value;
use crate::sentinel::events;
use crate::sentinel::info::{Info, Role};
use crate::sentinel::instance::Kind;
use crate::sentinel::names::HostAddr;
use crate::sentinel::periodic::REFUSED_RETRY;
use crate::sentinel::watch::Watch;
use crate::sentinel::{GroupId, InstanceId};

impl Watch {
    /// Takes the reply to INFO.
    pub(super) fn on_info(&mut self, now: Mono, id: InstanceId, reply: &Value) {
        let Some(instance) = self.instances.get_mut(id) else {
            return;
        };
        let group = instance.group;
        let reported = instance
            .reported_mut()
            .expect("only servers are asked for INFO");
        reported.asked = false;
        self.mark(group);
        let Some(text) = reply.as_text() else {
            let reported = self.instances[id].reported_mut().expect("just read");
            reported.retry_at = Some(now + REFUSED_RETRY);
            return;
        };
        let info = Info::parse(text);
        self.note_run(now, id, &info);
        self.note_replicas(now, id, &info);
        self.note_replication(now, id, &info);
        let reported = self.instances[id].reported_mut().expect("just read");
        reported.info = Some((now, text.into()));
        reported.replid = info.replid;
        reported.replid2 = info.replid2;
        if id == self.groups[group].master && info.role == Some(Role::Master) {
            let g = &mut self.groups[group];
            g.histories.note(info.replid2, g.config_epoch);
            g.histories.note(info.replid, g.config_epoch);
        }
        if let Some(role) = info.role {
            self.note_role(now, id, role);
            if !self.tilt.is_on() {
                self.act_on_role(now, group, id, role);
            }
        }
    }

    fn note_run(&mut self, now: Mono, id: InstanceId, info: &Info) {
        let Some(runid) = info.run_id else {
            return;
        };
        let instance = &mut self.instances[id];
        let rebooted = instance.runid.is_some_and(|known| known != runid);
        instance.runid = Some(runid);
        if !rebooted {
            return;
        }
        let watched = !self.groups[self.instances[id].group]
            .options
            .reboot_down_after
            .is_zero();
        if let Some(master) = self.instances[id].master_mut()
            && watched
        {
            master.reboot = Some(now);
        }
        self.tell_of(events::REBOOT, id, "");
        if let Kind::Master(_) = self.instances[id].kind {
            // Whether it has lost its data they know.
            for replica in self.groups[self.instances[id].group].replicas.clone() {
                self.hurry_info(replica);
            }
        }
    }

    /// A master names its replicas; those of a replica are its own affair.
    fn note_replicas(&mut self, now: Mono, id: InstanceId, info: &Info) {
        let Kind::Master(_) = self.instances[id].kind else {
            return;
        };
        let group = self.instances[id].group;
        for (host, port) in &info.replicas {
            let addr = HostAddr::new(host, *port);
            if addr.is_name() && !self.settings.resolve_hostnames {
                continue;
            }
            if self.groups[group].forgotten.has_replica(now, &addr) {
                continue;
            }
            if self.add_replica(now, group, addr).is_some() {
                self.saver.touch();
            }
        }
    }

    fn note_replication(&mut self, now: Mono, id: InstanceId, info: &Info) {
        let slave = info.role == Some(Role::Slave);
        let master = info.master.as_ref().filter(|_| slave);
        let master = master.map(|(host, port)| HostAddr::new(host, *port));
        let facts = match &mut self.instances[id].kind {
            Kind::Master(facts) => {
                facts.follows = master;
                facts.link_down = info.link_down;
                return;
            }
            Kind::Replica(facts) => facts,
            Kind::Peer(_) => unreachable!("Sentinels are not asked for INFO"),
        };
        facts.link_down = info.link_down;
        facts.refuses = (info.sync_refused && slave).then(|| facts.refuses.unwrap_or(now));
        if !slave {
            return;
        }
        if master.is_some() && master != facts.master {
            facts.master = master;
            facts.conf_changed = now;
        }
        facts.link_up = info.link_up.unwrap_or(facts.link_up);
        facts.priority = info.priority.unwrap_or(facts.priority);
        facts.offset = info.offset.unwrap_or(facts.offset);
        facts.announced = info.announced.unwrap_or(facts.announced);
        facts.former = None;
    }

    fn note_role(&mut self, now: Mono, id: InstanceId, role: Role) {
        let instance = &mut self.instances[id];
        let reported = instance.reported_mut().expect("only servers report roles");
        if reported.role == role {
            return;
        }
        reported.role = role;
        reported.role_since = now;
        let expected = match &mut instance.kind {
            Kind::Master(_) => Role::Master,
            Kind::Replica(facts) => {
                if role == Role::Slave {
                    facts.conf_changed = now;
                }
                Role::Slave
            }
            Kind::Peer(_) => unreachable!("Sentinels are not asked for INFO"),
        };
        let kind = if role == expected {
            events::ROLE_CHANGE
        } else {
            events::ROLE_CHANGE_BACK
        };
        self.tell_of(kind, id, &format!("new reported role is {}", role.as_str()));
    }

    fn act_on_role(&mut self, now: Mono, group: GroupId, id: InstanceId, role: Role) {
        if self.is_awaited(group, id, role) {
            self.promotion_seen(now, group);
        } else if role == Role::Slave && self.instances[id].replica().is_some() {
            self.reconf_progress(group, id);
        }
    }
}
