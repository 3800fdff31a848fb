//! All that decides, and the order in which it does.

use core::net::{IpAddr, SocketAddr};
use core::time::Duration;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

use crate::machine::{AddressOp, Mono, Now, TimerName};
use crate::rng::Rng;
use crate::sentinel::arena::Arena;
use crate::sentinel::events::{self, Event, EventKind, Level};
use crate::sentinel::failover::Failover;
use crate::sentinel::group::Group;
use crate::sentinel::instance::{Instance, Kind};
use crate::sentinel::link::{Link, Side};
use crate::sentinel::names::{Epoch, HostAddr, RunId};
use crate::sentinel::saver::Saver;
use crate::sentinel::scripts::Script;
use crate::sentinel::settings::{Settings, Timing};
use crate::sentinel::tilt::Tilt;
use crate::sentinel::virtual_ip::{HolderId, VirtualIps};
use crate::sentinel::{GroupId, InstanceId, LinkId};

/// The deciding half of a Sentinel.
///
/// Conditions are levels, not edges: whatever happens to a master marks it, and
/// [`settle`](Self::settle) then looks at everything that could follow from its state, down to
/// the next instant at which time alone would change the outcome.
#[derive(Debug)]
pub struct Watch {
    /// This Sentinel's identity.
    pub(super) id: RunId,
    /// The newest epoch seen in any election.
    pub(super) epoch: Epoch,
    /// That epoch in the image being saved, and in the file.
    sealed_epoch: Epoch,
    pub(super) durable_epoch: Epoch,
    pub(super) groups: Arena<Group>,
    pub(super) by_name: BTreeMap<Box<str>, GroupId>,
    pub(super) instances: Arena<Instance>,
    pub(super) links: Arena<Link>,
    pub(super) settings: Settings,
    pub(super) timing: Timing,
    pub(super) saver: Saver,
    pub(super) tilt: Tilt,
    pub(super) desync: Rng,
    pub(super) resolving: BTreeSet<Box<str>>,
    /// Addresses of this host that connections were made from.
    pub(super) own_ips: BTreeSet<IpAddr>,
    pub(super) simulate: SimulateFailure,
    pub(super) virtual_ips: VirtualIps,
    pub(super) acts: VecDeque<Act>,
    marked: BTreeSet<GroupId>,
    timers: Timers,
}

/// Something to be done outside.
#[derive(Debug, PartialEq)]
pub enum Act {
    /// Tell the world.
    Tell(Event),
    /// Make a connection.
    Connect {
        /// Of which link.
        link: LinkId,
        /// Which one.
        side: Side,
        /// Where to.
        to: SocketAddr,
    },
    /// Close a connection, or give up making it.
    Close {
        /// Of which link.
        link: LinkId,
        /// Which one.
        side: Side,
    },
    /// Send a command.
    Send {
        /// On which link.
        link: LinkId,
        /// On which of its connections.
        side: Side,
        /// The arguments.
        argv: Vec<Vec<u8>>,
    },
    /// Look a name up.
    Resolve(Box<str>),
    /// Run a script.
    Run(Script),
    /// Do something to the addresses of this host.
    Address(HolderId, AddressOp),
    /// End the process.
    Exit(u8),
}

/// At which points a crash shall be simulated.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) struct SimulateFailure {
    /// When elected.
    pub after_election: bool,
    /// When the promotion is confirmed.
    pub after_promotion: bool,
}

/// The exit status of a simulated crash.
pub(super) const SIMULATED_CRASH: u8 = 99;

/// The next instant of each master.
#[derive(Debug, Default)]
struct Timers {
    queue: BTreeSet<(Mono, GroupId)>,
    armed: BTreeMap<GroupId, (Mono, TimerName)>,
}

/// Collects the instants at which time alone may change something, and keeps the next one.
pub(super) struct Times {
    now: Mono,
    next: Option<(Mono, TimerName)>,
}

impl Watch {
    /// Watches nothing yet.
    pub fn new(id: RunId, settings: Settings, seed: &Rng, now: Now) -> Self {
        Self {
            id,
            epoch: Epoch(0),
            sealed_epoch: Epoch(0),
            durable_epoch: Epoch(0),
            groups: Arena::default(),
            by_name: BTreeMap::new(),
            instances: Arena::default(),
            links: Arena::default(),
            settings,
            timing: Timing::default(),
            saver: Saver::default(),
            tilt: Tilt::new(now),
            // Sentinels that got the same seed still must not all try at the same time.
            desync: seed.fork("desync").fork(id.as_str()),
            resolving: BTreeSet::new(),
            own_ips: BTreeSet::new(),
            simulate: SimulateFailure::default(),
            virtual_ips: VirtualIps::default(),
            acts: VecDeque::new(),
            marked: BTreeSet::new(),
            timers: Timers::default(),
        }
    }

    /// Looks at the clocks; the first thing in every turn.
    pub fn observe(&mut self, now: Now) {
        let lapse = self.tilt.observe(now);
        if lapse.late > Duration::ZERO {
            let ids: Vec<_> = self.links.iter().map(|(id, _)| id).collect();
            for id in ids {
                self.links[id].pings.excuse(now.mono, lapse.late);
            }
        }
        if lapse.tilt {
            self.tell(events::TILT, None, "#tilt mode entered".to_owned());
        }
        if self.tilt.leave_if_over(now.mono) {
            self.tell(events::TILT_OVER, None, "#tilt mode exited".to_owned());
            self.mark_all();
        }
    }

    /// Draws every conclusion there is to draw; the last thing in every turn.
    pub fn settle(&mut self, now: Now) {
        let mut rounds = 0_usize;
        while let Some(group) = self.next_group(now.mono) {
            self.tend(now.mono, group);
            rounds += 1;
            assert!(
                rounds <= ROUNDS_MAX * (self.groups.len() + 1),
                "settling does not settle"
            );
        }
        self.tend_virtual_ips(now.mono);
        self.tilt.plan(now, self.group_deadline().map(|(at, _)| at));
    }

    /// Ends a turn after which nothing more will be done.
    pub(super) fn settle_nothing(&mut self, now: Now) {
        self.tilt.plan(now, None);
    }

    /// Fixes what a save holds, at the moment its image is made.
    pub(super) fn seal(&mut self) {
        self.saver.seal();
        self.sealed_epoch = self.epoch;
    }

    /// Takes the end of a save.
    pub(super) fn on_saved(&mut self, now: Mono, saved: bool) {
        self.saver.finish(now, saved);
        if saved {
            assert!(
                self.durable_epoch <= self.sealed_epoch,
                "the file's epoch never goes back"
            );
            self.durable_epoch = self.sealed_epoch;
        }
        // An election may have waited for the own vote.
        let electing =
            |id: &GroupId| matches!(self.groups[*id].failover, Failover::WaitStart { .. });
        let electing: Vec<_> = self.by_name.values().copied().filter(electing).collect();
        self.marked.extend(electing);
    }

    /// Goes by other periods and limits from here on.
    pub(super) fn set_timing(&mut self, timing: Timing) {
        self.timing = timing;
        self.tilt.trigger = timing.tilt_trigger;
        self.tilt.period = timing.tilt_period;
        self.mark_all();
    }

    /// Something to be done, in the order in which it was decided.
    pub fn poll_act(&mut self) -> Option<Act> {
        self.acts.pop_front()
    }

    /// The next instant at which time alone may change something.
    pub fn deadline(&self) -> (Mono, TimerName) {
        let heartbeat = (self.tilt.planned(), TimerName("sentinel-heartbeat"));
        let tilt = self
            .tilt
            .ends_at()
            .map(|at| (at, TimerName("sentinel-tilt-end")));
        let group = self.group_deadline();
        let address = self.virtual_ip_deadline();
        [tilt, group, address]
            .into_iter()
            .flatten()
            .fold(heartbeat, |one, two| if two.0 < one.0 { two } else { one })
    }

    /// Has a master looked at again.
    pub(super) fn mark(&mut self, group: GroupId) {
        self.marked.insert(group);
    }

    /// Has every master that a process belongs to looked at again.
    pub(super) fn mark_link(&mut self, link: LinkId) {
        let users = self.links[link].users.clone();
        for id in users {
            let group = self.instances[id].group;
            self.mark(group);
        }
    }

    pub(super) fn mark_all(&mut self) {
        self.marked.extend(self.by_name.values().copied());
    }

    /// Forgets the timers of a master that is no more.
    pub(super) fn unmark(&mut self, group: GroupId) {
        self.marked.remove(&group);
        self.timers.disarm(group);
    }

    fn next_group(&mut self, now: Mono) -> Option<GroupId> {
        self.marked.pop_first().or_else(|| self.timers.pop_due(now))
    }

    fn group_deadline(&self) -> Option<(Mono, TimerName)> {
        let (_, group) = self.timers.queue.first()?;
        self.timers.armed.get(group).copied()
    }

    /// Everything that can follow from the state of one master, in order.
    fn tend(&mut self, now: Mono, group: GroupId) {
        self.connect_members(now, group);
        if !self.tilt.is_on() {
            self.judge_members(now, group);
            self.forget_answers(now, group);
            self.judge_master(now, group);
            self.drive_failover(now, group);
            self.ask_peers(now, group);
            self.correct_replicas(now, group);
        }
        self.send_periodic(now, group);
        self.arm(now, group);
    }

    fn arm(&mut self, now: Mono, group: GroupId) {
        let mut times = Times { now, next: None };
        self.connect_times(group, &mut times);
        self.periodic_times(group, &mut times);
        if !self.tilt.is_on() {
            self.down_times(group, &mut times);
            self.failover_times(group, &mut times);
            self.ask_times(group, &mut times);
            self.correct_times(group, &mut times);
        }
        self.timers.arm(group, times.next);
    }

    /// The address clients are told: the promoted replica's as soon as it is one.
    pub(super) fn master_addr(&self, group: GroupId) -> &HostAddr {
        let group = &self.groups[group];
        let id = group.failover.new_master().unwrap_or(group.master);
        &self.instances[id].addr
    }

    /// Whether acting on the word of this master is safe: it is up, says that it is one, and
    /// said so lately.
    pub(super) fn is_sane(&self, now: Mono, group: GroupId) -> bool {
        let group = &self.groups[group];
        let master = &self.instances[group.master];
        let reported = master.reported().expect("a master reports");
        let fresh = master
            .info_age(now)
            .is_some_and(|age| age < self.timing.info_period * 2);
        reported.role == crate::sentinel::info::Role::Master
            && master.s_down.is_none()
            && group.o_down.is_none()
            && fresh
    }

    /// Tells the world, on behalf of an instance if one is concerned.
    pub(super) fn tell(&mut self, kind: EventKind, about: Option<InstanceId>, text: String) {
        let script = match kind.level {
            Level::Warning => about.and_then(|id| {
                let group = &self.groups[self.instances[id].group];
                group.options.notification_script.clone()
            }),
            Level::Debug | Level::Verbose | Level::Notice => None,
        };
        self.acts.push_back(Act::Tell(Event { kind, text, script }));
    }

    /// Tells the world of something that happened to an instance, which is named.
    pub(super) fn tell_of(&mut self, kind: EventKind, id: InstanceId, more: &str) {
        let mut text = self.describe(id);
        if !more.is_empty() {
            text.push(' ');
            text.push_str(more);
        }
        self.tell(kind, Some(id), text);
    }

    /// `<type> <name> <ip> <port>`, and for others than masters ` @ <name> <ip> <port>`.
    pub(super) fn describe(&self, id: InstanceId) -> String {
        let one = &self.instances[id];
        let kind = one.kind_name();
        match one.kind {
            Kind::Master(_) => format!("{kind} {}", self.place(&one.name, &one.addr)),
            Kind::Replica(_) | Kind::Peer(_) => {
                self.describe_member(one.group, kind, &one.name, &one.addr)
            }
        }
    }

    /// The same of a member of a group that need not be watched.
    pub(super) fn describe_member(
        &self,
        group: GroupId,
        kind: &str,
        name: &str,
        addr: &HostAddr,
    ) -> String {
        let group = &self.groups[group];
        let master = self.place(&group.name, &self.instances[group.master].addr);
        format!("{kind} {} @ {master}", self.place(name, addr))
    }

    fn place(&self, name: &str, addr: &HostAddr) -> String {
        let host = addr.shown(self.settings.announce_hostnames);
        format!("{name} {host} {}", addr.port())
    }

    /// Finds what must never be wrong, at a cost that only tests and the simulator can pay.
    ///
    /// # Panics
    ///
    /// If it is wrong.
    pub fn check_invariants(&self) {
        for (id, group) in self.groups.iter() {
            assert_eq!(
                self.by_name.get(&group.name),
                Some(&id),
                "names and groups agree"
            );
            assert!(
                group.config_epoch <= self.epoch,
                "no configuration is newer than the epoch"
            );
            assert!(
                group.vote.epoch <= self.epoch,
                "no vote is newer than the epoch"
            );
            for member in group.members() {
                let instance = self.instances.get(member).expect("members exist");
                assert_eq!(instance.group, id, "members know where they belong");
                let link = self.links.get(instance.link).expect("links exist");
                assert!(link.users.contains(&member), "links know who uses them");
            }
            if let Some(epoch) = group.failover.epoch() {
                assert!(epoch <= self.epoch, "a failover's epoch was counted to");
            }
            if let Some(promoted) = group.failover.promoted_replica() {
                assert!(group.replicas.contains(&promoted), "a replica is promoted");
            }
            if group.failover == Failover::Idle {
                let telling = group.replicas.iter().any(|&id| {
                    let facts = self.instances[id].replica().expect("replicas are replicas");
                    facts.reconf != crate::sentinel::instance::Reconf::No
                });
                assert!(!telling, "replicas are reconfigured within a failover");
            }
        }
        for (id, link) in self.links.iter() {
            assert!(!link.users.is_empty(), "nobody keeps a link without a use");
            for &user in &link.users {
                assert_eq!(self.instances[user].link, id, "users know their link");
            }
        }
    }
}

impl Timers {
    fn arm(&mut self, group: GroupId, next: Option<(Mono, TimerName)>) {
        self.disarm(group);
        if let Some((at, name)) = next {
            self.queue.insert((at, group));
            self.armed.insert(group, (at, name));
        }
    }

    fn disarm(&mut self, group: GroupId) {
        if let Some((at, _)) = self.armed.remove(&group) {
            self.queue.remove(&(at, group));
        }
    }

    fn pop_due(&mut self, now: Mono) -> Option<GroupId> {
        let &(at, group) = self.queue.first()?;
        if now < at {
            return None;
        }
        self.disarm(group);
        Some(group)
    }
}

impl Times {
    /// The time that it is.
    pub(super) fn now(&self) -> Mono {
        self.now
    }

    /// An instant. One that has passed has had its effect already: everything was looked at
    /// with the time that it is.
    pub(super) fn at(&mut self, name: &'static str, at: impl Into<Option<Mono>>) {
        if let Some(at) = at.into()
            && self.now < at
            && self.next.is_none_or(|(next, _)| at < next)
        {
            self.next = Some((at, TimerName(name)));
        }
    }
}

/// How often one master may be looked at in one turn; far more than any chain of consequences.
const ROUNDS_MAX: usize = 64;
