//! What a Sentinel shows of its state: field lists for operators, figures for oracles.

use core::time::Duration;

use crate::machine::{Mono, Now};
use crate::sentinel::failover::Failover;
use crate::sentinel::group::Group;
use crate::sentinel::info::LinkDown;
use crate::sentinel::instance::{Instance, Kind, Reconf, Reported};
use crate::sentinel::names::{Epoch, HostAddr, RunId};
use crate::sentinel::record::{self, Record, STEPS};
use crate::sentinel::select::Candidate;
use crate::sentinel::watch::Watch;
use crate::sentinel::{GroupId, InstanceId};

/// One monitored master, for those who check what a group of Sentinels does.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct MasterView<'a> {
    /// Its name.
    pub name: &'a str,
    /// The address clients are told.
    pub addr: &'a HostAddr,
    /// The epoch of the configuration that made it so.
    pub config_epoch: Epoch,
    /// Whether I find it down.
    pub s_down: bool,
    /// Whether enough Sentinels do.
    pub o_down: bool,
    /// Where its failover stands.
    pub failover: Failover,
    /// For whom I voted last.
    pub leader: Option<RunId>,
    /// In which epoch.
    pub leader_epoch: Epoch,
    /// Whether that vote would survive a crash.
    pub vote_is_durable: bool,
    /// Replicas known.
    pub replicas: usize,
    /// Other Sentinels known.
    pub peers: usize,
    /// How many Sentinels have to find it down.
    pub quorum: u32,
}

/// One replica, for those who check which is promoted.
#[derive(Clone, Debug)]
pub struct ReplicaView<'a> {
    /// What a choice would go by; the key is its address.
    pub candidate: Candidate<&'a HostAddr>,
    /// Whether it could be promoted.
    pub is_good: bool,
    /// Whether it is the one being promoted.
    pub is_promoted: bool,
}

/// How many Sentinels could take part in a failover, and how many have to.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reach {
    /// Those that are up, this one among them.
    pub(super) usable: usize,
    /// To find the master down.
    pub(super) quorum: usize,
    /// To elect a leader.
    pub(super) majority: usize,
}

impl Reach {
    /// Whether a master can be found down.
    pub(super) fn has_quorum(self) -> bool {
        self.quorum <= self.usable
    }

    /// Whether a leader can be elected.
    pub(super) fn has_majority(self) -> bool {
        self.majority <= self.usable
    }
}

/// The names and values of one instance, in the order Redis has them.
pub type Fields = Vec<(&'static str, String)>;

impl Watch {
    /// This Sentinel's identity.
    pub fn id(&self) -> RunId {
        self.id
    }

    /// The newest epoch known.
    pub fn epoch(&self) -> Epoch {
        self.epoch
    }

    /// The newest epoch that a crash would not lose.
    pub fn durable_epoch(&self) -> Epoch {
        self.durable_epoch
    }

    /// Whether nothing is acted on at present.
    pub fn is_in_tilt(&self) -> bool {
        self.tilt.is_on()
    }

    /// All masters, by name.
    pub fn masters(&self) -> impl Iterator<Item = MasterView<'_>> {
        self.by_name.values().map(|&id| self.master_view(id))
    }

    /// The replicas of a master, by its name; none if there is no such master.
    pub fn replicas(&self, now: Mono, name: &str) -> Vec<ReplicaView<'_>> {
        let Some(&group) = self.by_name.get(name) else {
            return Vec::new();
        };
        let measure = self.measure(now, group);
        let promoted = self.groups[group].failover.promoted_replica();
        let view = |candidate: Candidate<InstanceId>| {
            let id = candidate.key;
            ReplicaView {
                is_good: candidate.is_good(&measure),
                is_promoted: promoted == Some(id),
                candidate: candidate.keyed(&self.instances[id].addr),
            }
        };
        self.candidates(now, group).into_iter().map(view).collect()
    }

    fn master_view(&self, id: GroupId) -> MasterView<'_> {
        let group = &self.groups[id];
        MasterView {
            name: &group.name,
            addr: self.master_addr(id),
            config_epoch: group.config_epoch,
            s_down: self.instances[group.master].s_down.is_some(),
            o_down: group.o_down.is_some(),
            failover: group.failover,
            leader: group.vote.leader,
            leader_epoch: group.vote.epoch,
            vote_is_durable: self.saver.is_durable(group.vote.version),
            replicas: group.replicas.len(),
            peers: group.peers.len(),
            quorum: group.options.quorum,
        }
    }

    /// What SENTINEL MASTER, REPLICAS and SENTINELS show of an instance.
    pub(super) fn fields(&self, now: Mono, id: InstanceId) -> Fields {
        let one = &self.instances[id];
        let group = &self.groups[one.group];
        let link = &self.links[one.link];
        let mut fields: Fields = vec![
            ("name", one.name.to_string()),
            ("ip", one.addr.shown(self.settings.announce_hostnames)),
            ("port", one.addr.port().to_string()),
            (
                "runid",
                one.runid.map(|id| id.to_string()).unwrap_or_default(),
            ),
            ("flags", self.flags(id)),
            ("link-pending-commands", link.pending.len().to_string()),
            ("link-refcount", link.users.len().to_string()),
        ];
        if matches!(one.kind, Kind::Master(_)) && group.failover.is_in_progress() {
            fields.push(("failover-state", group.failover.name().to_owned()));
        }
        fields.push(("last-ping-sent", ms(link.pings.silence(now))));
        fields.push(("last-ok-ping-reply", ms(now.since(link.pings.available()))));
        fields.push(("last-ping-reply", ms(now.since(link.pings.last_answer()))));
        if let Some(since) = one.s_down {
            fields.push(("s-down-time", ms(now.since(since))));
        }
        if let (Kind::Master(_), Some(since)) = (&one.kind, group.o_down) {
            fields.push(("o-down-time", ms(now.since(since))));
        }
        fields.push(("down-after-milliseconds", ms(group.options.down_after)));
        if let Some(reported) = one.reported() {
            report_fields(&mut fields, now, reported);
        }
        match &one.kind {
            Kind::Master(_) => self.master_fields(&mut fields, one.group),
            Kind::Replica(_) => replica_fields(&mut fields, one),
            Kind::Peer(peer) => {
                let leader = peer
                    .leader
                    .map_or_else(|| "?".to_owned(), |id| id.to_string());
                fields.push(("last-hello-message", ms(now.since(peer.heard))));
                fields.push(("voted-leader", leader));
                fields.push(("voted-leader-epoch", peer.leader_epoch.to_string()));
            }
        }
        fields
    }

    fn master_fields(&self, fields: &mut Fields, group: GroupId) {
        let group = &self.groups[group];
        let options = &group.options;
        fields.push(("config-epoch", group.config_epoch.to_string()));
        fields.push(("num-slaves", group.replicas.len().to_string()));
        fields.push(("num-other-sentinels", group.peers.len().to_string()));
        fields.push(("quorum", options.quorum.to_string()));
        fields.push(("failover-timeout", ms(options.failover_timeout)));
        fields.push(("parallel-syncs", options.parallel_syncs.to_string()));
        let auto = if options.auto_failover { "yes" } else { "no" };
        if let Some(path) = &options.notification_script {
            fields.push(("notification-script", path.to_string()));
        }
        if let Some(path) = &options.client_reconfig_script {
            fields.push(("client-reconfig-script", path.to_string()));
        }
        if let Some(spec) = self.settings.virtual_ips.get(&group.name) {
            let state = self.virtual_ip_state(&group.name).unwrap_or("unknown");
            fields.push(("virtual-ip", spec.to_string()));
            fields.push(("virtual-ip-state", state.to_owned()));
        }
        fields.push(("auto-failover", auto.to_owned()));
        let leader = group.vote.leader;
        let leader = leader.map_or_else(|| "?".to_owned(), |id| id.to_string());
        fields.push(("voted-leader", leader));
        fields.push(("voted-leader-epoch", group.vote.epoch.to_string()));
        let reach = self.reach(group);
        let authorized = reach.has_quorum() && reach.has_majority();
        fields.push(("usable-sentinels", reach.usable.to_string()));
        let authorized = if authorized { "yes" } else { "no" };
        fields.push(("failover-authorized", authorized.to_owned()));
    }

    /// How many Sentinels could take part in a failover.
    pub(super) fn reach(&self, group: &Group) -> Reach {
        let up = |id: &&InstanceId| self.instances[**id].s_down.is_none();
        Reach {
            usable: 1 + group.peers.iter().filter(up).count(),
            quorum: usize::try_from(group.options.quorum).expect("a u32 fits a usize"),
            majority: group.voters() / 2 + 1,
        }
    }

    /// The failovers of a master, newest first.
    pub(super) fn failovers(&self, now: Now, group: GroupId) -> Vec<Fields> {
        let records = self.groups[group].records.iter();
        records
            .map(|record| self.record_fields(now, record))
            .collect()
    }

    /// Steps are told by how long after the first one they were taken; -1 is never.
    fn record_fields(&self, now: Now, record: &Record) -> Fields {
        let announce = self.settings.announce_hostnames;
        let role = match record.role {
            record::Role::Leader => "leader",
            record::Role::Observer => "observer",
        };
        let began = record.began();
        let age = i64::try_from(now.mono.since(began).as_millis()).unwrap_or(i64::MAX);
        let time = now.wall.as_millis().saturating_sub(age);
        let to = record.to.as_ref();
        let mut fields: Fields = vec![
            ("epoch", record.epoch.to_string()),
            ("role", role.to_owned()),
            (
                "outcome",
                record.outcome.unwrap_or("in-progress").to_owned(),
            ),
            ("from-ip", record.from.shown(announce)),
            ("from-port", record.from.port().to_string()),
            (
                "to-ip",
                to.map_or_else(|| "?".to_owned(), |to| to.shown(announce)),
            ),
            ("to-port", to.map_or(0, HostAddr::port).to_string()),
            ("time", time.to_string()),
        ];
        for (name, step) in STEPS {
            let after = record.at(step).map(|at| ms(at.since(began)));
            fields.push((name, after.unwrap_or_else(|| "-1".to_owned())));
        }
        fields
    }

    /// The flags of an instance, in Redis's order.
    fn flags(&self, id: InstanceId) -> String {
        let one = &self.instances[id];
        let group = &self.groups[one.group];
        let is_master = matches!(one.kind, Kind::Master(_));
        let reconf = one.replica().map_or(Reconf::No, |facts| facts.reconf);
        let promoted = group.failover.promoted_replica() == Some(id);
        let flags = [
            (one.s_down.is_some(), "s_down"),
            (is_master && group.o_down.is_some(), "o_down"),
            (true, one.kind_name()),
            (self.links[one.link].is_disconnected(), "disconnected"),
            (one.peer().is_some_and(|peer| peer.says_down), "master_down"),
            (
                is_master && group.failover.is_in_progress(),
                "failover_in_progress",
            ),
            (promoted, "promoted"),
            (matches!(reconf, Reconf::Sent(_)), "reconf_sent"),
            (reconf == Reconf::InProgress, "reconf_inprog"),
            (reconf == Reconf::Done, "reconf_done"),
            (is_master && group.failover.is_forced(), "force_failover"),
            (one.script_kill_sent, "script_kill_sent"),
        ];
        let set: Vec<_> = flags
            .iter()
            .filter(|(set, _)| *set)
            .map(|(_, name)| *name)
            .collect();
        set.join(",")
    }

    /// `masterN:` of INFO.
    pub(super) fn info_line(&self, id: GroupId) -> String {
        let group = &self.groups[id];
        let master = &self.instances[group.master];
        let status = match (group.o_down, master.s_down) {
            (Some(_), _) => "odown",
            (None, Some(_)) => "sdown",
            (None, None) => "ok",
        };
        format!(
            "name={},status={status},address={}:{},slaves={},sentinels={}",
            group.name,
            master.addr.shown(self.settings.announce_hostnames),
            master.addr.port(),
            group.replicas.len(),
            group.voters()
        )
    }
}

fn report_fields(fields: &mut Fields, now: Mono, reported: &Reported) {
    // Redis shows the age of the epoch for an INFO that never came.
    let refresh = reported
        .info
        .as_ref()
        .map_or_else(|| now.since(Mono::default()), |(at, _)| now.since(*at));
    fields.push(("info-refresh", ms(refresh)));
    fields.push(("role-reported", reported.role.as_str().to_owned()));
    fields.push(("role-reported-time", ms(now.since(reported.role_since))));
}

fn replica_fields(fields: &mut Fields, one: &Instance) {
    let facts = one.replica().expect("called for replicas");
    let link_down = match facts.link_down {
        LinkDown::No => "0".to_owned(),
        LinkDown::ForSecs(secs) => secs.saturating_mul(1000).to_string(),
        LinkDown::Never => "-1000".to_owned(),
    };
    let host = facts.master.as_ref().map_or("?", |master| master.host());
    let port = facts.master.as_ref().map_or(0, HostAddr::port);
    fields.push(("master-link-down-time", link_down));
    fields.push((
        "master-link-status",
        if facts.link_up { "ok" } else { "err" }.to_owned(),
    ));
    fields.push(("master-host", host.to_owned()));
    fields.push(("master-port", port.to_string()));
    fields.push(("slave-priority", facts.priority.to_string()));
    fields.push(("slave-repl-offset", facts.offset.to_string()));
    fields.push(("replica-announced", u8::from(facts.announced).to_string()));
}

fn ms(span: Duration) -> String {
    span.as_millis().to_string()
}
