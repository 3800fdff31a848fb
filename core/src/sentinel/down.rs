//! Who is down: in my own eyes, and in those of enough others.

use crate::machine::Mono;
use crate::sentinel::events;
use crate::sentinel::info::Role;
use crate::sentinel::instance::Kind;
use crate::sentinel::link::{Side, TICK};
use crate::sentinel::watch::{Times, Watch};
use crate::sentinel::{GroupId, InstanceId, Members};

impl Watch {
    /// Decides for each member of a group whether it is subjectively down, and gives up
    /// connections that are dead without the system having noticed.
    pub(super) fn judge_members(&mut self, now: Mono, group: GroupId) {
        // The master last: what a replica says of it counts no more once that is found down.
        let master = self.groups[group].master;
        let others = self.groups[group].members().filter(|&id| id != master);
        let members: Members = others.chain([master]).collect();
        for id in members {
            self.drop_stale(now, id);
            self.judge(now, id);
        }
    }

    fn drop_stale(&mut self, now: Mono, id: InstanceId) {
        let instance = &self.instances[id];
        let down_after = self.groups[instance.group].options.down_after;
        let link = instance.link;
        let is_due = |at: Option<Mono>| at.is_some_and(|at| at <= now);
        let age_min = self.timing.min_link_reconnect_period;
        if is_due(self.links[link].stale_at(down_after, age_min)) {
            self.hang_up(now, link, Side::Command, core::time::Duration::ZERO);
        }
        if is_due(self.links[link].mute_at(self.timing.publish_period, age_min)) {
            self.hang_up(now, link, Side::PubSub, core::time::Duration::ZERO);
        }
    }

    fn judge(&mut self, now: Mono, id: InstanceId) {
        let down = self.down_at(id).is_some_and(|at| at <= now);
        let instance = &mut self.instances[id];
        match (instance.s_down, down) {
            (None, true) => {
                instance.s_down = Some(now);
                instance.down_onset = Some(now);
                self.tell_of(events::SDOWN, id, "");
                self.on_down(id);
            }
            (Some(_), false) => {
                instance.s_down = None;
                instance.script_kill_sent = false;
                self.tell_of(events::SDOWN_OVER, id, "");
            }
            (None, false) | (Some(_), true) => {}
        }
    }

    /// Prepares for what follows when a master goes down: the peers are asked at once, and the
    /// replicas report while the election is held, so that the choice has fresh figures.
    fn on_down(&mut self, id: InstanceId) {
        let Kind::Master(_) = self.instances[id].kind else {
            return;
        };
        let group = self.instances[id].group;
        self.hurry_questions(group);
        for replica in self.groups[group].replicas.clone() {
            self.hurry_info(replica);
        }
    }

    /// When an instance is subjectively down, if nothing more is heard of it.
    fn down_at(&self, id: InstanceId) -> Option<Mono> {
        let instance = &self.instances[id];
        let options = &self.groups[instance.group].options;
        let owed = self.links[instance.link].pings.owed_since();
        let silent = owed.map(|since| since + options.down_after + TICK);
        let Kind::Master(facts) = &instance.kind else {
            return silent;
        };
        let lost = options.down_after + self.timing.info_period * 2 + TICK;
        let demoted =
            (facts.reported.role == Role::Slave).then(|| facts.reported.role_since + lost);
        let rebooting = facts
            .reboot
            .map(|since| since + options.reboot_down_after + TICK);
        let lost = self.lost_data_at(instance.group, id);
        [silent, demoted, rebooting, lost]
            .into_iter()
            .flatten()
            .min()
    }

    /// When the first of its replicas said that this master has lost its data. It is of no use to
    /// anybody then, however well it answers.
    pub(super) fn lost_data_at(&self, group: GroupId, master: InstanceId) -> Option<Mono> {
        let addr = &self.instances[master].addr;
        let refuses = |&id: &InstanceId| {
            let replica = &self.instances[id];
            let facts = replica.replica()?;
            let follows = facts.master.as_ref().is_some_and(|at| at.is_same(addr));
            facts
                .refuses
                .filter(|_| follows && replica.s_down.is_none())
        };
        self.groups[group].replicas.iter().filter_map(refuses).min()
    }

    pub(super) fn down_times(&self, group: GroupId, times: &mut Times) {
        let down_after = self.groups[group].options.down_after;
        let age_min = self.timing.min_link_reconnect_period;
        for id in self.groups[group].members() {
            times.at("sentinel-sdown", self.down_at(id));
            let link = &self.links[self.instances[id].link];
            times.at("sentinel-stale-link", link.stale_at(down_after, age_min));
            let mute_at = link.mute_at(self.timing.publish_period, age_min);
            times.at("sentinel-mute-link", mute_at);
        }
    }

    /// Decides whether enough Sentinels find the master down.
    pub(super) fn judge_master(&mut self, now: Mono, group: GroupId) {
        let (agreed, quorum) = self.down_count(group);
        let down = agreed >= quorum;
        let master = self.groups[group].master;
        match (self.groups[group].o_down, down) {
            (None, true) => {
                self.groups[group].o_down = Some(now);
                self.instances[master].down_onset = Some(now);
                self.tell_of(events::ODOWN, master, &format!("#quorum {agreed}/{quorum}"));
            }
            (Some(_), false) => {
                self.groups[group].o_down = None;
                self.tell_of(events::ODOWN_OVER, master, "");
            }
            (None, false) | (Some(_), true) => {}
        }
    }

    /// How many Sentinels find the master down, and how many it takes.
    fn down_count(&self, group: GroupId) -> (usize, usize) {
        let group = &self.groups[group];
        let quorum = usize::try_from(group.options.quorum).expect("a u32 fits a usize");
        if self.instances[group.master].s_down.is_none() {
            return (0, quorum.max(1));
        }
        let agreeing = |&&id: &&InstanceId| {
            self.instances[id]
                .peer()
                .expect("peers are peers")
                .says_down
        };
        (1 + group.peers.iter().filter(agreeing).count(), quorum)
    }
}
