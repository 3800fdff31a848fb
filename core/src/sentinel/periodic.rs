//! Connections, and what is sent on them without being asked: PING, INFO and hellos.

use core::net::IpAddr;
use core::time::Duration;

use crate::machine::Mono;
use crate::sentinel::events;
use crate::sentinel::failover::Failover;
use crate::sentinel::hello::Hello;
use crate::sentinel::info::{LinkDown, Role};
use crate::sentinel::instance::{Kind, Reconf};
use crate::sentinel::link::{Channel, Expect, Side, Subscription, reconnect_delay};
use crate::sentinel::pings;
use crate::sentinel::request::Request;
use crate::sentinel::watch::{Act, Times, Watch};
use crate::sentinel::{GroupId, InstanceId, LinkId, Members};

impl Watch {
    /// Makes the connections that are missing and gives up those that don't come about.
    pub(super) fn connect_members(&mut self, now: Mono, group: GroupId) {
        let members: Members = self.groups[group].members().collect();
        for id in members {
            for side in [Side::Command, Side::PubSub] {
                self.connect(now, id, side);
            }
        }
    }

    pub(super) fn connect_times(&self, group: GroupId, times: &mut Times) {
        for id in self.groups[group].members() {
            let link = &self.links[self.instances[id].link];
            for side in [Side::Command, Side::PubSub] {
                if let Some(channel) = link.channel(side) {
                    if side == Side::Command || link.is_up() {
                        times.at("sentinel-reconnect", channel.retry_at());
                    }
                    times.at("sentinel-connect-timeout", channel.give_up_at());
                }
            }
        }
    }

    fn connect(&mut self, now: Mono, id: InstanceId, side: Side) {
        let link_id = self.instances[id].link;
        let link = &self.links[link_id];
        let Some(&channel) = link.channel(side) else {
            return;
        };
        if channel.give_up_at().is_some_and(|at| at <= now) {
            return self.hang_up(now, link_id, side, reconnect_delay(channel.tries()));
        }
        // A server that takes no commands will take no subscription.
        if side == Side::PubSub && !link.is_up() {
            return;
        }
        if channel.retry_at().is_none_or(|at| now < at) {
            return;
        }
        let tries = channel.tries();
        if side == Side::Command {
            self.resolve(id);
        }
        let next = match self.instances[id].addr.socket() {
            Some(to) => {
                self.acts.push_back(Act::Connect {
                    link: link_id,
                    side,
                    to,
                });
                Channel::Connecting {
                    since: now,
                    tries: tries.saturating_add(1),
                }
            }
            None => Channel::Down {
                retry_at: now + UNRESOLVED_RETRY,
                tries,
            },
        };
        *self.links[link_id]
            .channel_mut(side)
            .expect("looked at above") = next;
    }

    /// Asks for the present address of an instance known by name. Whatever is known of it
    /// meanwhile goes on being used.
    fn resolve(&mut self, id: InstanceId) {
        let addr = &self.instances[id].addr;
        if !self.settings.resolve_hostnames || !addr.is_name() {
            return;
        }
        let host: Box<str> = addr.host().into();
        if self.resolving.insert(host.clone()) {
            self.acts.push_back(Act::Resolve(host));
        }
    }

    /// Takes the answer of the resolver; no answer leaves everything as it is.
    pub fn on_resolved(&mut self, now: Mono, host: &str, ip: Option<IpAddr>) {
        self.resolving.remove(host);
        let Some(ip) = ip else {
            return;
        };
        let named: Vec<_> = self
            .instances
            .iter()
            .filter(|(_, one)| one.addr.is_name() && one.addr.host() == host)
            .map(|(id, _)| id)
            .collect();
        for id in named {
            let known = self.instances[id].addr.socket().is_some();
            self.instances[id].addr.resolved(ip);
            let link = self.instances[id].link;
            if !known && let Channel::Down { retry_at, .. } = &mut self.links[link].command {
                *retry_at = now;
            }
            self.mark(self.instances[id].group);
            self.drop_double(id);
        }
    }

    /// Lets go of a replica that turned out to be a server known otherwise already.
    fn drop_double(&mut self, id: InstanceId) {
        let one = &self.instances[id];
        if one.peer().is_some() {
            return;
        }
        let group = &self.groups[one.group];
        let kept = [Some(group.master), group.failover.promoted_replica()];
        let same =
            |other: &InstanceId| *other != id && self.instances[*other].addr.is_same(&one.addr);
        let Some(other) = group.servers().find(same) else {
            return;
        };
        if !kept.contains(&Some(other)) {
            self.remove_replica(other);
        } else if !kept.contains(&Some(id)) {
            self.remove_replica(id);
        }
    }

    /// Takes a connection that was made, or could not be.
    pub fn on_connected(&mut self, now: Mono, link: LinkId, side: Side, made: Result<IpAddr, ()>) {
        let channel = *self.links[link]
            .channel(side)
            .expect("only what there is gets connected");
        assert!(
            matches!(channel, Channel::Connecting { .. }),
            "connected in {channel:?}"
        );
        self.mark_link(link);
        let Ok(local) = made else {
            let kind = match side {
                Side::Command => events::CMD_LINK_RECONNECTION,
                Side::PubSub => events::PUBSUB_LINK_RECONNECTION,
            };
            self.tell_of(kind, self.links[link].users[0], "#Connection refused");
            return self.drop_channel(now, link, side, reconnect_delay(channel.tries()));
        };
        *self.links[link].channel_mut(side).expect("looked at above") = Channel::Up {
            since: now,
            local: Some(local),
            heard: now,
        };
        self.note_own(local);
        if self.links.get(link).is_none() {
            // It was a connection to ourselves, under an identity that we had before.
            return;
        }
        self.greet(now, link, side);
        if side == Side::Command {
            // It may be another process than before.
            for id in self.links[link].users.clone() {
                self.hurry_info(id);
            }
        }
    }

    /// Takes the loss of a connection.
    pub fn on_lost(&mut self, now: Mono, link: LinkId, side: Side) {
        let channel = *self.links[link]
            .channel(side)
            .expect("only what there is gets lost");
        let delay = match channel {
            Channel::Up { since, .. } => (since + RECONNECT_AGE_MIN).since(now),
            Channel::Connecting { tries, .. } | Channel::Down { tries, .. } => {
                reconnect_delay(tries)
            }
        };
        self.drop_channel(now, link, side, delay);
    }

    /// Takes a reply that is none.
    pub fn on_broken(&mut self, now: Mono, link: LinkId, side: Side) {
        self.hang_up(now, link, side, REFUSED_RETRY);
    }

    /// Whether a connection is on the books, made or being made.
    pub fn has_channel(&self, link: LinkId, side: Side) -> bool {
        let channel = self.links.get(link).and_then(|link| link.channel(side));
        channel.is_some_and(|channel| !matches!(channel, Channel::Down { .. }))
    }

    /// Whether a connection stands.
    pub fn is_up(&self, link: LinkId, side: Side) -> bool {
        let channel = self.links.get(link).and_then(|link| link.channel(side));
        matches!(channel, Some(Channel::Up { .. }))
    }

    /// Closes a connection on our part.
    pub(super) fn hang_up(&mut self, now: Mono, link: LinkId, side: Side, delay: Duration) {
        let channel = self.links[link]
            .channel(side)
            .expect("only what there is gets closed");
        if !matches!(channel, Channel::Down { .. }) {
            self.acts.push_back(Act::Close { link, side });
        }
        self.drop_channel(now, link, side, delay);
    }

    /// Closes both connections, to be made anew at once.
    pub(super) fn hang_up_all(&mut self, now: Mono, link: LinkId) {
        self.hang_up(now, link, Side::Command, Duration::ZERO);
        if self.links[link].pubsub.is_some() {
            self.hang_up(now, link, Side::PubSub, Duration::ZERO);
        }
    }

    /// Closes the connections to all other Sentinels, to be made anew at once.
    pub(super) fn hang_up_peers(&mut self, now: Mono) {
        let links: Vec<_> = self.links.iter().map(|(id, _)| id).collect();
        for link in links {
            if self.links[link].pubsub.is_none() {
                self.hang_up(now, link, Side::Command, Duration::ZERO);
            }
        }
    }

    fn drop_channel(&mut self, now: Mono, link: LinkId, side: Side, delay: Duration) {
        self.links[link].drop_channel(side, now + delay, now);
        if side == Side::Command {
            let users = self.links[link].users.clone();
            for id in users {
                self.forget_requests(id);
            }
        }
        self.mark_link(link);
    }

    /// The replies an instance owed will not come.
    fn forget_requests(&mut self, id: InstanceId) {
        let instance = &mut self.instances[id];
        instance.hellos.sent = false;
        if let Some(reported) = instance.reported_mut() {
            reported.asked = false;
            reported.retry_at = None;
        }
        if let Some(peer) = instance.peer_mut() {
            peer.in_flight = 0;
            peer.vote_asked = peer.vote_answered;
            peer.belief.in_flight = false;
        }
    }

    /// What goes first on a new connection.
    fn greet(&mut self, now: Mono, link: LinkId, side: Side) {
        let id = self.links[link].users[0];
        let auth = self.credentials(id);
        let replies = 1 + u8::from(auth.is_some());
        if let Some(auth) = auth {
            self.send(link, side, &auth, Expect::Nothing);
        }
        let prefix = &self.id.as_str()[..8];
        let name = match side {
            Side::Command => format!("sentinel-{prefix}-cmd"),
            Side::PubSub => format!("sentinel-{prefix}-pubsub"),
        };
        self.send(link, side, &Request::SetName(name), Expect::Nothing);
        match side {
            Side::Command => {
                self.ping(now, link);
                if let Some(Channel::Down { retry_at, .. }) = &mut self.links[link].pubsub {
                    *retry_at = now.min(*retry_at);
                }
                match self.instances[id].reported_mut() {
                    Some(reported) => reported.urgent = true,
                    None => self.send(link, side, &Request::InfoServer, Expect::Kin),
                }
            }
            Side::PubSub => {
                self.links[link].subscription = Subscription::Greeting(replies);
                self.send(link, side, &Request::Subscribe, Expect::Nothing);
            }
        }
    }

    fn credentials(&self, id: InstanceId) -> Option<Request> {
        let one = &self.instances[id];
        let (user, pass) = match one.kind {
            Kind::Master(_) | Kind::Replica(_) => {
                let options = &self.groups[one.group].options;
                (options.auth_user.clone(), options.auth_pass.clone()?)
            }
            Kind::Peer(_) => match &self.settings.sentinel_pass {
                Some(pass) => (self.settings.sentinel_user.clone(), pass.clone()),
                None => (None, self.settings.requirepass.clone()?),
            },
        };
        Some(Request::Auth { user, pass })
    }

    /// Sends a command; on the command connection its reply will be an answer to `expect`.
    pub(super) fn send(&mut self, link: LinkId, side: Side, request: &Request, expect: Expect) {
        let instance = &self.instances[self.links[link].users[0]];
        let options = match instance.kind {
            Kind::Master(_) | Kind::Replica(_) => Some(&self.groups[instance.group].options),
            Kind::Peer(_) => None,
        };
        for argv in request.commands(options) {
            if side == Side::Command {
                self.links[link].pending.push_back(expect);
            }
            self.acts.push_back(Act::Send { link, side, argv });
        }
    }

    pub(super) fn send_periodic(&mut self, now: Mono, group: GroupId) {
        let members: Members = self.groups[group].members().collect();
        let is_due = |at: Option<Mono>| at.is_some_and(|at| at <= now);
        // Where one is due, those that are soon go along: they are due together from then on, and
        // wake this process once for all.
        let due = members.iter().filter(|&&id| is_due(self.ping_due(id)));
        let ahead = due.map(|&id| self.ping_period(id) / 2).min();
        for id in members {
            let link = self.instances[id].link;
            if is_due(self.info_due(id)) {
                self.ask_info(id);
            }
            if ahead.is_some_and(|ahead| self.goes_along(now, id, ahead)) {
                self.ping(now, link);
            }
            if self.hello_due(id).is_some_and(|at| at <= now) {
                self.send_hello(id);
            }
        }
    }

    pub(super) fn periodic_times(&self, group: GroupId, times: &mut Times) {
        for id in self.groups[group].members() {
            times.at("sentinel-info", self.info_due(id));
            times.at("sentinel-ping", self.ping_due(id));
            times.at("sentinel-hello", self.hello_due(id));
        }
    }

    fn info_due(&self, id: InstanceId) -> Option<Mono> {
        let instance = &self.instances[id];
        let reported = instance.reported()?;
        if reported.asked || !self.links[instance.link].has_room() {
            return None;
        }
        if reported.retry_at.is_some() {
            return reported.retry_at;
        }
        match &reported.info {
            Some((at, _)) if !reported.urgent => Some(*at + self.info_period(id)),
            Some(_) | None => Some(Mono::default()),
        }
    }

    /// How often INFO is asked for: the closer an instance is to a change, the more often.
    fn info_period(&self, id: InstanceId) -> Duration {
        let instance = &self.instances[id];
        let group = &self.groups[instance.group];
        let Some(facts) = instance.replica() else {
            return self.timing.info_period;
        };
        let promoted = matches!(
            group.failover,
            Failover::WaitPromotion { promoted, .. } if promoted == id
        );
        let following = match facts.reconf {
            Reconf::Sent(_) | Reconf::InProgress => true,
            Reconf::No | Reconf::Done => false,
        };
        if promoted || following {
            return WATCHED_INFO_PERIOD;
        }
        let master_down = self.instances[group.master].s_down.is_some() || group.o_down.is_some();
        let astray = facts.link_down != LinkDown::No || facts.reported.role == Role::Master;
        if master_down || group.failover.is_in_progress() || astray {
            return self.timing.info_period.min(TROUBLED_INFO_PERIOD);
        }
        self.timing.info_period
    }

    /// Asks for INFO, whatever was asked before.
    pub(super) fn ask_info(&mut self, id: InstanceId) {
        let link = self.instances[id].link;
        let reported = self.instances[id]
            .reported_mut()
            .expect("only servers are asked");
        reported.asked = true;
        reported.urgent = false;
        reported.retry_at = None;
        self.send(link, Side::Command, &Request::Info, Expect::Info(id));
    }

    fn ping_due(&self, id: InstanceId) -> Option<Mono> {
        let link = &self.links[self.instances[id].link];
        link.has_room()
            .then(|| link.pings.due(self.ping_period(id)))
    }

    /// Whether a PING is due, or is within the time ahead and there was an answer to the last.
    fn goes_along(&self, now: Mono, id: InstanceId, ahead: Duration) -> bool {
        let pings = &self.links[self.instances[id].link].pings;
        let early = match pings.owed_since() {
            None => ahead.min(self.ping_period(id) / 2),
            Some(_) => Duration::ZERO,
        };
        self.ping_due(id).is_some_and(|at| at <= now + early)
    }

    /// Often enough that a silence is noticed within an eighth more than the time allowed.
    fn ping_period(&self, id: InstanceId) -> Duration {
        let users = &self.links[self.instances[id].link].users;
        let down_after = |&id: &InstanceId| {
            let group = self.instances[id].group;
            self.groups[group].options.down_after / 8
        };
        let shortest = users
            .iter()
            .map(down_after)
            .min()
            .unwrap_or(self.timing.ping_period);
        shortest.clamp(
            PING_PERIOD_MIN,
            self.timing.ping_period.max(PING_PERIOD_MIN),
        )
    }

    fn ping(&mut self, now: Mono, link: LinkId) {
        self.links[link].pings.sent(now);
        self.send(link, Side::Command, &Request::Ping, Expect::Ping(now));
    }

    /// Takes the reply to a PING that was sent at the instant `asked`.
    pub(super) fn on_pong(&mut self, now: Mono, link: LinkId, asked: Mono, reply: &[u8]) {
        let acceptable = pings::is_acceptable(reply);
        let pings = &mut self.links[link].pings;
        pings.answered(now, acceptable);
        if acceptable {
            pings.reach(asked);
        }
        let users = self.links[link].users.clone();
        for id in users {
            let instance = &mut self.instances[id];
            if reply.starts_with(b"PONG")
                && let Some(master) = instance.master_mut()
            {
                master.reboot = None;
            }
            let busy = reply.starts_with(b"BUSY") && instance.s_down.is_some();
            if busy && !instance.script_kill_sent {
                instance.script_kill_sent = true;
                self.send(link, Side::Command, &Request::ScriptKill, Expect::Nothing);
            }
        }
        self.mark_link(link);
    }

    fn hello_due(&self, id: InstanceId) -> Option<Mono> {
        let instance = &self.instances[id];
        if instance.hellos.sent || !self.links[instance.link].has_room() {
            return None;
        }
        let paced = instance.hellos.acked + self.timing.publish_period;
        match instance.hellos {
            hellos if hellos.urgent => Some(Mono::default()),
            hellos => Some(hellos.retry_at.map_or(paced, |at| at.max(paced))),
        }
    }

    fn send_hello(&mut self, id: InstanceId) {
        let link = self.instances[id].link;
        let local = self.links[link].local();
        let announced = self.settings.announce_ip.as_ref().map(ToString::to_string);
        let group = self.instances[id].group;
        let master = self.master_addr(group);
        let hello = Hello {
            ip: announced
                .or_else(|| local.map(|ip| ip.to_string()))
                .expect("a connection that stands has an address of ours"),
            port: self.settings.announce_port.unwrap_or(self.settings.port),
            runid: self.id,
            current_epoch: self.epoch,
            master_name: self.groups[group].name.to_string(),
            master_ip: master.shown(self.settings.announce_hostnames),
            master_port: master.port(),
            master_config_epoch: self.groups[group].config_epoch,
        };
        let hellos = &mut self.instances[id].hellos;
        hellos.sent = true;
        hellos.urgent = false;
        hellos.retry_at = None;
        let request = Request::Hello(hello.encode());
        self.send(link, Side::Command, &request, Expect::Hello(id));
    }

    /// Takes the reply to a hello.
    pub(super) fn on_hello_reply(&mut self, now: Mono, id: InstanceId, accepted: bool) {
        let Some(instance) = self.instances.get_mut(id) else {
            return;
        };
        instance.hellos.sent = false;
        if accepted {
            instance.hellos.acked = now;
        } else {
            instance.hellos.retry_at = Some(now + REFUSED_RETRY);
        }
        let group = instance.group;
        self.mark(group);
    }

    /// Sends hellos about a master to everybody at once.
    pub(super) fn hurry_hellos(&mut self, group: GroupId) {
        let members: Members = self.groups[group].members().collect();
        for id in members {
            self.instances[id].hellos.urgent = true;
        }
        self.mark(group);
    }

    /// Has INFO asked of an instance at once, unless it is on its way.
    pub(super) fn hurry_info(&mut self, id: InstanceId) {
        let group = self.instances[id].group;
        if let Some(reported) = self.instances[id].reported_mut()
            && !reported.asked
            && !reported.urgent
        {
            reported.urgent = true;
            self.mark(group);
        }
    }
}

/// INFO to an instance whose next report the failover is waiting for.
const WATCHED_INFO_PERIOD: Duration = Duration::from_millis(100);
/// INFO to replicas whose master is gone.
const TROUBLED_INFO_PERIOD: Duration = Duration::from_secs(1);
const PING_PERIOD_MIN: Duration = Duration::from_millis(10);
/// A request that was refused is not repeated at the speed of the network.
pub(super) const REFUSED_RETRY: Duration = Duration::from_secs(1);
const UNRESOLVED_RETRY: Duration = Duration::from_millis(500);
/// A connection that was lost is made again at once, unless it is a young one.
const RECONNECT_AGE_MIN: Duration = Duration::from_millis(250);
