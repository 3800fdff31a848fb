//! Hellos: finding the other Sentinels, and taking over newer configurations.

use core::net::{IpAddr, SocketAddr};

use crate::limits::SENTINEL_OWN_ADDRESSES_MAX;
use crate::machine::Mono;
use crate::resp::Value;
use crate::sentinel::events;
use crate::sentinel::failover::Failover;
use crate::sentinel::hello::{HELLO_CHANNEL, Hello};
use crate::sentinel::link::{Channel, Expect, Side, Subscription};
use crate::sentinel::names::HostAddr;
use crate::sentinel::periodic::REFUSED_RETRY;
use crate::sentinel::watch::Watch;
use crate::sentinel::{GroupId, InstanceId, LinkId};

impl Watch {
    /// Takes something read from a link: on the command connection the next reply, on the other
    /// a message.
    pub fn on_reply(&mut self, now: Mono, link: LinkId, side: Side, reply: &Value) {
        if let Some(Channel::Up { heard, .. }) = self.links[link].channel_mut(side) {
            *heard = now;
        }
        match side {
            Side::PubSub => self.on_pushed(now, link, reply),
            Side::Command => match self.links[link].pending.pop_front() {
                Some(expect) => self.on_expected(now, link, expect, reply),
                // A reply to nothing: whatever is there, it is no server that answers in turn.
                None => self.hang_up(now, link, Side::Command, UNASKED_DELAY),
            },
        }
    }

    fn on_expected(&mut self, now: Mono, link: LinkId, expect: Expect, reply: &Value) {
        match expect {
            Expect::Nothing => {}
            Expect::Ping(asked) => {
                if let Some(text) = reply.as_text().or_else(|| reply.as_error()) {
                    self.on_pong(now, link, asked, text);
                }
            }
            Expect::Kin => {
                let text = reply.as_text().unwrap_or_default();
                self.links[link].kin = text.split(|&byte| byte == b'\n').any(is_kin);
            }
            Expect::Info(id) => self.on_info(now, id, reply),
            Expect::Hello(id) => self.on_hello_reply(now, id, reply.as_error().is_none()),
            Expect::MasterDown(id, election) => self.on_answer(now, id, election, reply),
            Expect::MasterAddr(id, asked) => self.on_belief(id, asked, reply),
        }
    }

    /// Takes a message, or what comes before the first one: the replies to the greeting, which
    /// don't matter, and the one to SUBSCRIBE, without which there is nothing to listen to.
    fn on_pushed(&mut self, now: Mono, link: LinkId, reply: &Value) {
        match self.links[link].subscription {
            Subscription::Greeting(0) if reply.as_error().is_some() => {
                self.hang_up(now, link, Side::PubSub, REFUSED_RETRY);
            }
            Subscription::Greeting(0) => {
                self.links[link].subscription = Subscription::Confirmed;
                self.mark_link(link);
            }
            Subscription::Greeting(more) => {
                self.links[link].subscription = Subscription::Greeting(more - 1);
            }
            Subscription::Confirmed => self.on_message(now, reply),
        }
    }

    fn on_message(&mut self, now: Mono, message: &Value) {
        let Some([kind, channel, payload]) = message.as_array() else {
            return;
        };
        let is_hello = kind.as_text() == Some(b"message")
            && channel.as_text() == Some(HELLO_CHANNEL.as_bytes());
        if let Some(payload) = payload.as_text()
            && is_hello
        {
            self.on_hello(now, payload);
        }
    }

    /// Takes a hello, from a subscription or straight from a peer.
    pub fn on_hello(&mut self, now: Mono, payload: &[u8]) {
        let Some(hello) = Hello::parse(payload) else {
            return;
        };
        if hello.runid == self.id || hello.port == 0 || self.is_own(&hello.ip, hello.port) {
            return;
        }
        let Some(&group) = self.by_name.get(hello.master_name.as_str()) else {
            return;
        };
        let speaker = self.find_speaker(now, group, &hello);
        // A configuration's epoch was counted to by somebody, whatever that one says besides.
        let epoch = hello.current_epoch.max(hello.master_config_epoch);
        self.adopt_epoch(epoch, Some(group));
        match speaker {
            Some(speaker) => {
                let peer = self.instances[speaker].peer_mut();
                peer.expect("peers are peers").heard = now;
            }
            // Its vote does not count here. But if it lives, others may have elected it, with my
            // own vote among theirs, and then its master is everybody's.
            None if self.groups[group].forgotten.has_peer(now, hello.runid) => {}
            None => return,
        }
        if self.groups[group].config_epoch < hello.master_config_epoch {
            self.adopt_config(now, group, speaker, &hello);
        }
    }

    /// Whether this is where others reach me. A hello of the identity I had before may come late;
    /// whoever takes itself for another counts its own vote twice.
    fn is_own(&self, host: &str, port: u16) -> bool {
        let settings = &self.settings;
        let announced = settings.announce_ip.as_deref() == Some(host);
        let mine = || host.parse().is_ok_and(|ip| self.own_ips.contains(&ip));
        (announced && settings.announce_port.unwrap_or(settings.port) == port)
            || (settings.port == port && mine())
    }

    /// Takes note of an address of this host, and lets go of whom I have taken for another there.
    pub(super) fn note_own(&mut self, ip: IpAddr) {
        if self.own_ips.len() >= SENTINEL_OWN_ADDRESSES_MAX || !self.own_ips.insert(ip) {
            return;
        }
        let me = SocketAddr::new(ip, self.settings.port);
        let mistaken: Vec<_> = self
            .instances
            .iter()
            .filter(|(_, one)| one.peer().is_some() && one.addr.socket() == Some(me))
            .map(|(id, _)| id)
            .collect();
        for id in mistaken {
            self.remove_peer(id);
            self.saver.touch();
        }
    }

    /// The Sentinel that speaks, taken in if it is new and moved if it has moved.
    fn find_speaker(&mut self, now: Mono, group: GroupId, hello: &Hello) -> Option<InstanceId> {
        let addr = HostAddr::new(&hello.ip, hello.port);
        if addr.is_name() && !self.settings.resolve_hostnames {
            return None;
        }
        let peers = self.groups[group].peers.clone();
        let by_id = peers
            .iter()
            .copied()
            .find(|&id| self.instances[id].runid == Some(hello.runid));
        if let Some(id) = by_id
            && self.instances[id].addr.is_called(&hello.ip, hello.port)
        {
            return Some(id);
        }
        if let Some(old) = by_id {
            let text = format!("ip {} port {} for {}", hello.ip, hello.port, hello.runid);
            self.tell_of(events::SENTINEL_ADDRESS_SWITCH, old, &text);
            self.remove_peer(old);
        }
        self.clear_place(group, &addr);
        if self.groups[group].forgotten.has_peer(now, hello.runid) {
            return None;
        }
        let id = self.add_peer(now, group, hello.runid, addr)?;
        match by_id {
            Some(_) => self.move_elsewhere(now, id),
            None => self.tell_of(events::SENTINEL, id, ""),
        }
        self.saver.touch();
        Some(id)
    }

    /// Lets go of whoever is known at an address that is another's now: two who are one process
    /// would count its vote twice.
    fn clear_place(&mut self, group: GroupId, addr: &HostAddr) {
        let peers = self.groups[group].peers.iter().copied();
        let taken = { peers }.find(|&id| self.instances[id].addr.is_same(addr));
        if let Some(invalid) = taken {
            self.tell_of(events::SENTINEL_INVALID_ADDR, invalid, "");
            self.forget_sentinel(invalid);
        }
    }

    /// Lets go of a Sentinel under all masters: another one is now where it was.
    fn forget_sentinel(&mut self, id: InstanceId) {
        let runid = self.instances[id].runid;
        let same: Vec<_> = self
            .instances
            .iter()
            .filter(|(_, one)| one.peer().is_some() && one.runid == runid)
            .map(|(id, _)| id)
            .collect();
        for id in same {
            self.remove_peer(id);
        }
    }

    /// Moves a Sentinel that changed its address under the other masters too.
    fn move_elsewhere(&mut self, now: Mono, id: InstanceId) {
        let one = &self.instances[id];
        let (runid, addr) = (
            one.runid.expect("a Sentinel is known by its id"),
            one.addr.clone(),
        );
        let others: Vec<_> = self
            .instances
            .iter()
            .filter(|(other, one)| *other != id && one.peer().is_some() && one.runid == Some(runid))
            .map(|(other, one)| (other, one.group))
            .collect();
        for (other, group) in others {
            self.remove_peer(other);
            self.clear_place(group, &addr);
            if let Some(moved) = self.add_peer(now, group, runid, addr.clone()) {
                self.tell_of(events::SENTINEL_ADDRESS_UPDATE, moved, "");
            }
        }
    }

    /// Takes over a newer configuration: epoch and address, or neither.
    fn adopt_config(
        &mut self,
        now: Mono,
        group: GroupId,
        speaker: Option<InstanceId>,
        hello: &Hello,
    ) {
        let addr = HostAddr::new(&hello.master_ip, hello.master_port);
        if addr.is_name() && !self.settings.resolve_hostnames {
            return;
        }
        self.groups[group].config_epoch = hello.master_config_epoch;
        self.saver.touch();
        let from = self.announced_master(group);
        if from.is_called(&hello.master_ip, hello.master_port) {
            return self.yield_failover(now, group);
        }
        let speaker = match speaker {
            Some(speaker) => self.describe(speaker),
            None => {
                let addr = HostAddr::new(&hello.ip, hello.port);
                self.describe_member(group, "sentinel", hello.runid.as_str(), &addr)
            }
        };
        let master = self.groups[group].master;
        self.tell(events::CONFIG_UPDATE_FROM, Some(master), speaker);
        let (epoch, outcome) = (hello.master_config_epoch, events::CONFIG_UPDATE_FROM.name);
        self.record_update(now, group, epoch, addr.clone(), outcome);
        self.switch_master(now, group, addr.clone());
        self.run_reconfig_script(group, "observer", &from, &addr);
        self.hurry_hellos(group);
    }

    /// Gives up a failover whose epoch was overtaken by a configuration that keeps the master.
    fn yield_failover(&mut self, now: Mono, group: GroupId) {
        let g = &self.groups[group];
        if g.failover
            .epoch()
            .is_none_or(|epoch| g.config_epoch < epoch)
        {
            return;
        }
        match g.failover {
            Failover::Idle | Failover::ReconfSlaves { .. } => {}
            Failover::WaitStart { .. } | Failover::SelectSlave { .. } => {
                self.abort(now, group, events::ABORT_NOT_ELECTED);
            }
            Failover::SendSlaveofNoOne { .. } | Failover::WaitPromotion { .. } => {
                self.abort(now, group, events::ABORT_SLAVE_TIMEOUT);
            }
        }
    }
}

/// Whether a line of INFO is the one that only Holdfast has.
fn is_kin(line: &[u8]) -> bool {
    line.trim_ascii_end() == b"server_name:holdfast"
}

/// How long a server that answers out of turn is left alone.
const UNASKED_DELAY: core::time::Duration = core::time::Duration::from_secs(1);
