//! Taking masters, replicas and Sentinels in and out, and moving a master to another address.

use crate::limits::{PEERS_PER_MASTER_MAX, REPLICAS_PER_MASTER_MAX};
use crate::machine::Mono;
use crate::sentinel::arena::Arena;
use crate::sentinel::election::Vote;
use crate::sentinel::events;
use crate::sentinel::failover::Failover;
use crate::sentinel::forget::Forgotten;
use crate::sentinel::group::{Group, Options, Start};
use crate::sentinel::instance::{
    FormerMaster, Hellos, Histories, Instance, Kind, MasterFacts, PeerFacts, ReplicaFacts,
};
use crate::sentinel::link::{Channel, Link, Side};
use crate::sentinel::names::{Epoch, HostAddr, RunId, endpoint_text};
use crate::sentinel::record::Records;
use crate::sentinel::scripts::Script;
use crate::sentinel::watch::{Act, Watch};
use crate::sentinel::{GroupId, InstanceId, LinkId};

/// An instance to be taken in.
struct Newcomer<'a> {
    name: &'a str,
    addr: HostAddr,
    runid: Option<RunId>,
    kind: Kind,
    /// Connections to that process which are there already.
    link: Option<LinkId>,
}

impl Watch {
    /// Starts to watch a master. The name must be free.
    pub(super) fn add_group(
        &mut self,
        now: Mono,
        name: &str,
        addr: HostAddr,
        options: Options,
    ) -> GroupId {
        assert!(!self.by_name.contains_key(name), "a name is monitored once");
        let vote = Vote {
            // Votes given under this name before it was removed must not be given again.
            epoch: self.epoch,
            ..Vote::default()
        };
        let newcomer = Newcomer {
            name,
            addr,
            runid: None,
            kind: Kind::Master(MasterFacts::new(now)),
            link: None,
        };
        let state_file = self.settings.state_file.is_some();
        let configured = state_file.then(|| (newcomer.addr.host().into(), newcomer.addr.port()));
        let (instances, links) = (&mut self.instances, &mut self.links);
        let group = self.groups.insert_with(|group| Group {
            name: name.into(),
            configured,
            master: take_in(instances, links, now, group, newcomer),
            replicas: Vec::new(),
            peers: Vec::new(),
            options,
            config_epoch: Epoch(0),
            vote,
            o_down: None,
            failover: Failover::Idle,
            start: Start::default(),
            histories: Histories::default(),
            records: Records::default(),
            forgotten: Forgotten::default(),
        });
        self.by_name.insert(name.into(), group);
        self.mark(group);
        group
    }

    /// Stops to watch a master and everything that belongs to it.
    pub(super) fn remove_group(&mut self, group: GroupId) {
        self.unmark(group);
        for id in self.groups[group].members().collect::<Vec<_>>() {
            self.remove_instance(id);
        }
        let removed = self
            .groups
            .remove(group)
            .expect("only what is there gets removed");
        self.by_name.remove(&removed.name);
        self.settings.virtual_ips.remove(&removed.name);
    }

    /// Takes in a replica unless it is known.
    pub(super) fn add_replica(
        &mut self,
        now: Mono,
        group: GroupId,
        addr: HostAddr,
    ) -> Option<InstanceId> {
        self.add_replica_on(now, group, addr, None)
    }

    fn add_replica_on(
        &mut self,
        now: Mono,
        group: GroupId,
        addr: HostAddr,
        link: Option<LinkId>,
    ) -> Option<InstanceId> {
        let g = &self.groups[group];
        let is_known = |id: InstanceId| self.instances[id].addr.is_same(&addr);
        if addr.port() == 0 || g.servers().any(is_known) {
            return None;
        }
        if g.replicas.len() >= REPLICAS_PER_MASTER_MAX {
            tracing::debug!("Not watching replica {addr:?} of {}: too many", g.name);
            return None;
        }
        let host = addr.shown(self.settings.announce_hostnames);
        let newcomer = Newcomer {
            name: &endpoint_text(&host, addr.port()),
            addr,
            runid: None,
            kind: Kind::Replica(Box::new(ReplicaFacts::new(now))),
            link,
        };
        let id = take_in(&mut self.instances, &mut self.links, now, group, newcomer);
        self.groups[group].replicas.push(id);
        self.tell_of(events::SLAVE, id, "");
        self.mark(group);
        Some(id)
    }

    /// Takes in another Sentinel, which shares the connection it has under other masters.
    pub(super) fn add_peer(
        &mut self,
        now: Mono,
        group: GroupId,
        runid: RunId,
        addr: HostAddr,
    ) -> Option<InstanceId> {
        let g = &self.groups[group];
        if g.peers.len() >= PEERS_PER_MASTER_MAX {
            tracing::debug!(
                "Not taking note of Sentinel {runid} for {}: too many",
                g.name
            );
            return None;
        }
        let known = self.instances.iter().find(|(_, one)| {
            one.peer().is_some() && one.runid == Some(runid) && one.addr.is_same(&addr)
        });
        let newcomer = Newcomer {
            name: runid.as_str(),
            link: known.map(|(_, one)| one.link),
            addr,
            runid: Some(runid),
            kind: Kind::Peer(PeerFacts::new(now)),
        };
        let id = take_in(&mut self.instances, &mut self.links, now, group, newcomer);
        self.groups[group].peers.push(id);
        self.mark(group);
        Some(id)
    }

    /// Lets go of a replica.
    pub(super) fn remove_replica(&mut self, id: InstanceId) {
        let group = self.instances[id].group;
        self.groups[group].replicas.retain(|&replica| replica != id);
        self.remove_instance(id);
        self.mark(group);
    }

    /// Lets go of another Sentinel under one master.
    pub(super) fn remove_peer(&mut self, id: InstanceId) {
        let group = self.instances[id].group;
        self.groups[group].peers.retain(|&peer| peer != id);
        self.remove_instance(id);
        self.mark(group);
    }

    fn remove_instance(&mut self, id: InstanceId) {
        let link = self.detach(id);
        self.drop_unused(link);
    }

    /// Takes an instance out and leaves its connections.
    fn detach(&mut self, id: InstanceId) -> LinkId {
        let removed = self
            .instances
            .remove(id)
            .expect("only what is there gets removed");
        self.links[removed.link].users.retain(|&user| user != id);
        removed.link
    }

    fn drop_unused(&mut self, link: LinkId) {
        if !self.links[link].users.is_empty() {
            return;
        }
        for side in [Side::Command, Side::PubSub] {
            match self.links[link].channel(side) {
                Some(Channel::Connecting { .. } | Channel::Up { .. }) => {
                    self.acts.push_back(Act::Close { link, side });
                }
                Some(Channel::Down { .. }) | None => {}
            }
        }
        self.links.remove(link);
    }

    /// Makes the server at `addr` the master of a group and the present one a replica.
    ///
    /// All servers start as new: what they reported, and what was found of them, was under the
    /// old configuration. Connections are kept where the address stays, and with them the
    /// silence counted on them.
    pub(super) fn switch_master(&mut self, now: Mono, group: GroupId, addr: HostAddr) {
        let old = self.groups[group].master;
        let announced = self.announced_master(group);
        // At the end of a failover of our own, its outcome is what was announced already.
        let old_addr = if announced.is_same(&addr) {
            self.instances[old].addr.clone()
        } else {
            announced
        };
        let announce = self.settings.announce_hostnames;
        let text = format!(
            "{} {} {} {} {}",
            self.groups[group].name,
            old_addr.shown(announce),
            old_addr.port(),
            addr.shown(announce),
            addr.port()
        );
        self.tell(events::SWITCH_MASTER, Some(old), text);
        let reported = self.instances[old].reported().expect("a master reports");
        let replaced = FormerMaster {
            runid: self.instances[old].runid,
            replid: reported.replid,
        };
        let servers: Vec<_> = self.groups[group].servers().collect();
        let places: Vec<_> = servers
            .into_iter()
            .map(|id| {
                let before = self.instances[id].replica().and_then(|facts| facts.former);
                let former = if id == old { Some(replaced) } else { before };
                (self.instances[id].addr.clone(), former, self.detach(id))
            })
            .collect();
        let known = places.iter().find(|(one, ..)| one.is_same(&addr));
        let link = known.map(|(.., link)| *link);
        let addr = match known {
            Some((known, ..)) => addr.with_ip_of(known),
            None => addr,
        };
        self.install_master(now, group, addr, link);
        for (addr, former, link) in &places {
            if let Some(id) = self.add_replica_on(now, group, addr.clone(), Some(*link)) {
                self.instances[id].replica_mut().expect("just made").former = *former;
            }
        }
        for (.., link) in places {
            self.drop_unused(link);
        }
        self.saver.touch();
        self.mark(group);
    }

    /// The address that goes with the configuration's epoch: the promoted replica's once it is
    /// a master, though the group is switched only when its replicas follow.
    pub(super) fn announced_master(&self, group: GroupId) -> HostAddr {
        let g = &self.groups[group];
        let master = g.failover.new_master().unwrap_or(g.master);
        self.instances[master].addr.clone()
    }

    /// Forgets the replicas and Sentinels of a master, and any failover.
    pub fn reset_group(&mut self, now: Mono, group: GroupId) {
        self.record_end(now, group, events::RESET_MASTER.name);
        let master = self.groups[group].master;
        let addr = self.instances[master].addr.clone();
        for id in self.groups[group].members().collect::<Vec<_>>() {
            self.remove_instance(id);
        }
        self.groups[group].peers.clear();
        self.groups[group].forgotten = Forgotten::default();
        self.install_master(now, group, addr, None);
        let master = self.groups[group].master;
        self.tell_of(events::RESET_MASTER, master, "");
        self.saver.touch();
        self.mark(group);
    }

    /// Puts a new master object into a group whose servers were taken out, as at its start.
    fn install_master(&mut self, now: Mono, group: GroupId, addr: HostAddr, link: Option<LinkId>) {
        let name = self.groups[group].name.clone();
        let newcomer = Newcomer {
            name: &name,
            addr,
            runid: None,
            kind: Kind::Master(MasterFacts::new(now)),
            link,
        };
        let master = take_in(&mut self.instances, &mut self.links, now, group, newcomer);
        let g = &mut self.groups[group];
        g.master = master;
        g.replicas.clear();
        g.o_down = None;
        g.failover = Failover::Idle;
        g.start = Start::default();
        g.vote.leader = None;
        for id in g.peers.clone() {
            let peer = self.instances[id].peer_mut().expect("peers are peers");
            peer.says_down = false;
            peer.leader = None;
        }
    }

    /// Tells clients' configurations where the master went.
    pub(super) fn run_reconfig_script(
        &mut self,
        group: GroupId,
        role: &str,
        from: &HostAddr,
        to: &HostAddr,
    ) {
        let g = &self.groups[group];
        let Some(path) = &g.options.client_reconfig_script else {
            return;
        };
        let announce = self.settings.announce_hostnames;
        let args = [
            g.name.to_string(),
            role.to_owned(),
            "start".to_owned(),
            from.shown(announce),
            from.port().to_string(),
            to.shown(announce),
            to.port().to_string(),
        ];
        self.acts.push_back(Act::Run(Script {
            path: path.clone(),
            args: args.into(),
        }));
    }
}

fn take_in(
    instances: &mut Arena<Instance>,
    links: &mut Arena<Link>,
    now: Mono,
    group: GroupId,
    newcomer: Newcomer<'_>,
) -> InstanceId {
    let Newcomer {
        name,
        addr,
        runid,
        kind,
        link,
    } = newcomer;
    let has_pubsub = !matches!(kind, Kind::Peer(_));
    let link = link.unwrap_or_else(|| links.insert(Link::new(has_pubsub, now)));
    let id = instances.insert(Instance {
        group,
        name: name.into(),
        addr,
        runid,
        link,
        s_down: None,
        down_onset: None,
        hellos: Hellos::new(now),
        script_kill_sent: false,
        kind,
    });
    links[link].users.push(id);
    id
}
