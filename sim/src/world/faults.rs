//! Carries out the schedule.

use holdfast_core::machine::Signal;

use crate::client::{MASTER_NAME, Order, SIDE_NAME};
use crate::disk::{Faults, Image};
use crate::driver::Input;
use crate::ids::NodeId;
use crate::options::{DATA_PORT, SENTINEL_PORT};
use crate::oracle::history::Position;
use crate::program::{FailoverState, ServerView};
use crate::queue::Event;
use crate::rng::Stream;
use crate::schedule::{Change, Direction, Fault, Moment, Step, Target, Upkeep};
use crate::time::{Time, ms, us};

use super::World;
use super::node::{Body, State};

/// What an entry did, so that it can be undone.
#[derive(Default)]
pub(super) struct Striking {
    pub(super) node: Option<NodeId>,
    /// Whose process was ended for an order.
    ended: Option<NodeId>,
    pub(super) cuts: Vec<(NodeId, NodeId)>,
    /// Steps that are let pass before the host dies.
    left: u32,
    /// What the disk held when it began, and whether that was suspect.
    image: Option<(Image, bool)>,
}

impl World {
    /// A schedule entry strikes.
    pub(super) fn strike(&mut self, number: u32) {
        if self.faults_over {
            return;
        }
        let entry = self.schedule[number as usize].clone();
        let (from, to) = (
            Time::from_millis(entry.at_ms),
            Time::from_millis(entry.until_ms),
        );
        self.judges.fault_times.push((from, to));
        *self.judges.faults.entry(entry.fault.name()).or_default() += 1;
        let text = format!("begins until {:>8} ms {:?}", entry.until_ms, entry.fault);
        let node = self.resolve_fault(&entry.fault);
        self.note(node.unwrap_or(NodeId(u16::MAX)), "fault", &text);
        self.striking[number as usize].node = node;
        self.act(number, node, &entry.fault, to);
    }

    fn act(&mut self, number: u32, node: Option<NodeId>, fault: &Fault, until: Time) {
        match fault {
            Fault::Kill { .. } => self.on_node(node, |world, node| world.crash(node, false)),
            Fault::Reboot { .. } => self.on_node(node, Self::reboot),
            Fault::Power { .. } => self.on_node(node, |world, node| world.crash(node, true)),
            Fault::Pause { .. } => self.on_node(node, Self::pause),
            Fault::Isolate { group, direction } => self.isolate(number, group, *direction),
            Fault::Cut {
                one,
                other,
                direction,
            } => {
                if let (Some(one), Some(other)) = (self.resolve(*one), self.resolve(*other)) {
                    self.cut(number, one, other, *direction);
                }
            }
            Fault::Reset { one, other } => {
                if let (Some(one), Some(other)) = (self.resolve(*one), self.resolve(*other)) {
                    self.net.reset_between(&mut self.queue, one, other);
                }
            }
            Fault::Slow { extra_us, .. } => {
                let extra = us(*extra_us);
                self.on_node(node, |world, node| world.slow(node, extra));
            }
            Fault::Jump { by_ms, .. } => self.on_node(node, |world, node| {
                world.nodes[node.index()].clock.jump_wall(*by_ms);
            }),
            Fault::Drift { ppm, .. } => self.on_node(node, |world, node| world.drift(node, *ppm)),
            Fault::SyncFails { .. }
            | Fault::OneSyncFails { .. }
            | Fault::DiskFails { .. }
            | Fault::DiskFull { .. }
            | Fault::Stall { .. } => self.spoil(node, |faults| begin(faults, fault, until)),
            &Fault::BitFlip { any, .. } => self.on_node(node, |world, node| {
                world.turn_bit(node, any);
            }),
            Fault::Wipe { .. } => self.on_node(node, Self::wipe),
            Fault::GoBack { .. } => self.on_node(node, |world, node| {
                world.striking[number as usize].image = Some(world.image(node));
            }),
            Fault::Between { count, .. } => {
                self.striking[number as usize].left = *count;
                self.armed.push(number);
            }
            Fault::Upkeep { .. }
            | Fault::Failover { .. }
            | Fault::Handover { .. }
            | Fault::Unlink { .. } => {
                self.on_node(node, |world, node| world.give_order(node, fault));
            }
            &Fault::Order { what, .. } => {
                let ended = node.and_then(|sentinel| self.change(sentinel, what));
                self.striking[number as usize].ended = ended;
            }
            Fault::Rename { .. } => self.on_node(node, Self::rename),
            Fault::Move { .. } => self.on_node(node, |world, sentinel| {
                world.move_to(sentinel, SENTINEL_PORT + 1);
            }),
            Fault::NoNames { .. } => self.on_node(node, |world, node| {
                world.nodes[node.index()].pace.resolve_fails = true;
            }),
            &Fault::LateNames { most_ms, .. } => self.on_node(node, |world, node| {
                world.nodes[node.index()].pace.resolve_max = ms(most_ms);
            }),
            Fault::Decision { .. } => self.armed.push(number),
        }
    }

    /// Has the operator do what a fault is.
    fn give_order(&mut self, node: NodeId, fault: &Fault) {
        if let &Fault::Upkeep { order, .. } = fault {
            self.look_after(node, order);
        } else if let Fault::Failover { .. } = fault {
            self.order(Order::failover(node.at(SENTINEL_PORT)));
        } else if let &Fault::Unlink { replicas, .. } = fault {
            self.order(Order::unlink(node.at(DATA_PORT), replicas));
        } else if let &Fault::Handover {
            timeout_ms, force, ..
        } = fault
            // An operator looks first whether the sentinels know them all: whoever takes over
            // without being known stays unknown.
            && self.all_known()
        {
            self.order_handover(node, timeout_ms, force);
        }
    }

    /// Has the operator look after the files of a server, or end it.
    fn look_after(&mut self, id: NodeId, order: Upkeep) {
        if let Some(saves) = order.ends() {
            let all = self.leaving.entry(id).or_insert(true);
            *all &= saves;
        }
        for command in Order::upkeep(id.at(DATA_PORT), order) {
            self.order(command);
        }
        let node = &mut self.nodes[id.index()];
        if order == Upkeep::Terminate && !matches!(node.state, State::Down) {
            node.inbox.push_back(Input::Signal(Signal::Terminate));
            node.wake_soon(&mut self.queue);
        }
    }

    /// A process has done something that an entry may be waiting for.
    pub(super) fn done(&mut self, id: NodeId, what: Moment) {
        let schedule = &self.schedule;
        let waits = |&number: &u32| {
            let fault = &schedule[number as usize].fault;
            *fault == Fault::Decision { moment: what }
        };
        if let Some(place) = self.armed.iter().position(waits) {
            let entry = self.armed.remove(place);
            let event = Event::Trip { entry, node: id };
            self.queue.push(self.queue.now(), event);
        }
    }

    /// A host loses power by an entry that waited for it.
    pub(super) fn trip(&mut self, number: u32, id: NodeId) {
        let over = Time::from_millis(self.schedule[number as usize].until_ms) <= self.queue.now();
        if self.faults_over || over {
            return;
        }
        let text = format!("trips {:?}", self.schedule[number as usize].fault);
        self.note(id, "fault", &text);
        let power = if let Fault::Between { power, .. } = self.schedule[number as usize].fault {
            self.judges.mark("crash between two disk steps");
            power
        } else {
            self.judges.mark("crash at a decision");
            true
        };
        self.striking[number as usize].node = Some(id);
        self.crash(id, power);
    }

    /// A node has taken a step on its disk: whoever waits for that strikes.
    pub(super) fn stepped(&mut self, id: NodeId, taken: Step) {
        if self.faults_over {
            return;
        }
        let (schedule, striking) = (&self.schedule, &mut self.striking);
        let due = self.armed.iter().position(|&number| {
            let struck = &mut striking[number as usize];
            let Fault::Between { step, .. } = schedule[number as usize].fault else {
                return false;
            };
            let counts = step == taken && struck.node == Some(id);
            struck.left -= u32::from(counts);
            counts && struck.left == 0
        });
        if let Some(place) = due {
            let entry = self.armed.remove(place);
            let draws = &mut self.nodes[id.index()].draws;
            // At once, or when something has come of it already.
            let after = match draws.chance(0.5) {
                true => us(0),
                false => draws.log_duration(us(10), ms(20)),
            };
            let at = self.queue.now() + after;
            self.queue.push(at, Event::Trip { entry, node: id });
        }
    }

    /// Has a disk fail in some way, or no longer.
    fn spoil(&mut self, node: Option<NodeId>, how: impl FnOnce(&mut Faults)) {
        if let Some(node) = node {
            how(&mut self.nodes[node.index()].disk.faults);
        }
    }

    /// A process dies of a fault.
    pub(super) fn crash(&mut self, id: NodeId, power: bool) {
        if let Some(driver) = self.nodes[id.index()].driver() {
            for mark in driver.program().busy_with() {
                self.judges.mark(mark);
            }
        }
        self.kill(id, power);
    }

    /// A schedule entry ends.
    pub(super) fn relent(&mut self, number: u32) {
        if self.faults_over {
            return;
        }
        self.armed.retain(|&waiting| waiting != number);
        let struck = std::mem::take(&mut self.striking[number as usize]);
        for (from, to) in struck.cuts {
            self.net.mend(&mut self.queue, from, to);
        }
        let Some(node) = struck.node else { return };
        match self.schedule[number as usize].fault {
            Fault::Kill { .. } => self.start_at(node, self.queue.now()),
            Fault::Power { .. }
            | Fault::Decision { .. }
            | Fault::Between { .. }
            | Fault::BitFlip { .. }
            | Fault::Wipe { .. } => self.restore(node),
            Fault::GoBack { .. } => {
                let (image, suspect) = struck.image.expect("it was taken when it began");
                self.crash(node, true);
                self.change_disk(node, Some(&image));
                if suspect {
                    self.judges.suspects.rots(node, self.queue.now());
                }
                self.restore(node);
            }
            Fault::Pause { .. } => self.resume(node),
            Fault::Slow { .. } => self.slow(node, us(0)),
            Fault::Drift { .. } => self.drift(node, 0),
            Fault::SyncFails { power, .. } | Fault::OneSyncFails { power, .. } => {
                self.spoil(struck.node, |faults| {
                    (faults.sync, faults.one_sync) = (false, false);
                });
                if power {
                    self.crash(node, true);
                    self.net.restore_power(&mut self.queue, node);
                    self.start_at(node, self.queue.now() + ms(200));
                }
            }
            Fault::DiskFails { .. } => self.spoil(struck.node, |faults| faults.dead = false),
            Fault::DiskFull { .. } => self.spoil(struck.node, |faults| faults.full = false),
            Fault::Order { what, .. } => self.end_change(node, what, struck.ended),
            Fault::Move { .. } => self.move_to(node, SENTINEL_PORT),
            Fault::NoNames { .. } | Fault::LateNames { .. } => self.give_names(node),
            Fault::Rename { .. }
            | Fault::Isolate { .. }
            | Fault::Cut { .. }
            | Fault::Reset { .. }
            | Fault::Reboot { .. }
            | Fault::Jump { .. }
            | Fault::Failover { .. }
            | Fault::Handover { .. }
            | Fault::Stall { .. }
            | Fault::Upkeep { .. }
            | Fault::Unlink { .. } => {}
        }
        let text = format!("ends {:?}", self.schedule[number as usize].fault);
        self.note(node, "fault", &text);
    }

    fn on_node(&mut self, node: Option<NodeId>, what: impl FnOnce(&mut Self, NodeId)) {
        if let Some(node) = node {
            what(self, node);
        }
    }

    /// Ends a process and starts it again before anybody can take it for down.
    fn reboot(&mut self, id: NodeId) {
        self.note_held(id);
        self.kill(id, false);
        self.start_at(id, self.queue.now() + ms(1));
    }

    /// Takes note of what the replicas of a master hold that is about to die and come back empty.
    /// They are to keep it if nothing else happens in this run.
    fn note_held(&mut self, id: NodeId) {
        let options = &self.options;
        let promised = options.families.only_reboots() && options.quiet();
        let Some(top) = self.judges.server(id).filter(|_| promised) else {
            return;
        };
        let Some(replicas) = self.in_place(id, &top) else {
            // Who has yet to find its place may take its data from an empty master.
            self.judges.held.clear();
            return;
        };
        // Sentinel prefers by priority, and only then by data.
        let ranked = (options.topology.priority.iter()).any(|priority| *priority != 100);
        let offsets = replicas.iter().map(|view| view.offset);
        let offset = if ranked { offsets.min() } else { offsets.max() };
        let Some(offset) = offset else { return };
        let replid = top.replid;
        self.judges.held.push(Position { replid, offset });
        self.judges.mark("reboot with replicas in place");
    }

    /// The others, if they all replicate this master and go on with its history, and all Sentinels
    /// know them.
    pub(super) fn in_place(&self, id: NodeId, top: &ServerView) -> Option<Vec<ServerView>> {
        let replicas: Vec<ServerView> = (self.options.topology.data())
            .filter(|&node| node != id)
            .filter_map(|node| self.judges.server(node))
            .filter(|view| view.master == Some(id.at(DATA_PORT)))
            .filter(|view| view.link_up && view.replid == top.replid)
            .collect();
        let all = replicas.len() + 1 == self.options.topology.above.len();
        (top.master.is_none() && all && self.all_known()).then_some(replicas)
    }

    /// Ends a process; with its power a host also loses what its disk had not synced.
    pub(super) fn kill(&mut self, id: NodeId, power: bool) {
        let now = self.queue.now();
        let doubtful = self.has_doubtful_files(id, now);
        self.nodes[id.index()].files_doubtful = doubtful;
        let node = &mut self.nodes[id.index()];
        match std::mem::replace(&mut node.state, State::Down) {
            State::Up(Body::Machine(driver)) | State::Paused(Body::Machine(driver)) => {
                driver.die(&mut node.disk, &mut node.draws);
            }
            State::Down | State::Up(Body::Client(_)) | State::Paused(Body::Client(_)) => {}
        }
        node.inbox.clear();
        node.stalled_step = false;
        if power {
            node.disk.lose_power(&mut node.draws);
            node.addresses.clear();
            self.net.lose_power(id);
        } else {
            self.net.kill(&mut self.queue, id);
        }
        self.judges.died(id, now, power);
    }

    /// Gives a host its power back and starts its process, if it has none.
    pub(super) fn restore(&mut self, id: NodeId) {
        self.net.restore_power(&mut self.queue, id);
        self.start_at(id, self.queue.now());
    }

    pub(super) fn pause(&mut self, id: NodeId) {
        let node = &mut self.nodes[id.index()];
        node.state = match std::mem::replace(&mut node.state, State::Down) {
            State::Up(body) => State::Paused(body),
            state @ (State::Down | State::Paused(_)) => state,
        };
        if matches!(node.state, State::Paused(_)) {
            self.judges.durability.stands(id, self.queue.now());
        }
    }

    pub(super) fn resume(&mut self, id: NodeId) {
        let node = &mut self.nodes[id.index()];
        node.state = match std::mem::replace(&mut node.state, State::Down) {
            State::Paused(body) => State::Up(body),
            state @ (State::Down | State::Up(_)) => state,
        };
        self.judges.durability.goes_on(id, self.queue.now());
        node.wake_soon(&mut self.queue);
        if std::mem::take(&mut node.stalled_step) {
            let event = Event::Disk {
                node: id,
                incarnation: self.incarnations[id.index()],
            };
            self.queue.push(self.queue.now(), event);
        }
    }

    pub(super) fn drift(&mut self, id: NodeId, ppm: i64) {
        let now = self.queue.now();
        self.nodes[id.index()].clock.set_drift(now, ppm);
        // A deadline that was converted at the old rate may come too late at the new one.
        self.nodes[id.index()].wake_soon(&mut self.queue);
    }

    fn slow(&mut self, id: NodeId, extra: std::time::Duration) {
        for index in 0..self.nodes.len() {
            let other = self.nodes[index].id;
            self.net.slow(id, other, extra);
            self.net.slow(other, id, extra);
        }
    }

    fn cut(&mut self, number: u32, one: NodeId, other: NodeId, direction: Direction) {
        let pairs: &[(NodeId, NodeId)] = match direction {
            Direction::Both => &[(one, other), (other, one)],
            Direction::Out => &[(one, other)],
            Direction::In => &[(other, one)],
        };
        for &(from, to) in pairs {
            if from != to {
                self.net.cut(from, to);
                self.striking[number as usize].cuts.push((from, to));
            }
        }
    }

    fn isolate(&mut self, number: u32, group: &[Target], direction: Direction) {
        let inside: Vec<NodeId> = group
            .iter()
            .filter_map(|target| self.resolve(*target))
            .collect();
        let all = self.nodes.iter().map(|node| node.id);
        let outside: Vec<NodeId> = all.filter(|node| !inside.contains(node)).collect();
        for one in &inside {
            for other in &outside {
                self.cut(number, *one, *other, direction);
            }
        }
    }

    fn order_handover(&mut self, server: NodeId, timeout_ms: u64, force: bool) {
        let best = self.resolve(Target::BestReplica).filter(|_| force);
        let to = best.map(|replica| replica.at(DATA_PORT));
        self.order(Order::handover(server.at(DATA_PORT), timeout_ms, to));
    }

    /// Has the operator say something.
    fn order(&mut self, order: Order) {
        let operator = self.options.topology.operator();
        let now = self.queue.now();
        let node = &mut self.nodes[operator.index()];
        if let Some(client) = node.client_mut() {
            client.order(now, order);
        }
        node.wake_by(&mut self.queue, now);
    }

    fn resolve_fault(&self, fault: &Fault) -> Option<NodeId> {
        match fault {
            Fault::Kill { target }
            | Fault::Reboot { target }
            | Fault::Power { target }
            | Fault::Pause { target }
            | Fault::Slow { target, .. }
            | Fault::Jump { target, .. }
            | Fault::Drift { target, .. }
            | Fault::SyncFails { target, .. }
            | Fault::DiskFull { target }
            | Fault::OneSyncFails { target, .. }
            | Fault::DiskFails { target }
            | Fault::Stall { target }
            | Fault::BitFlip { target, .. }
            | Fault::GoBack { target }
            | Fault::Wipe { target }
            | Fault::Between { target, .. }
            | Fault::Upkeep { target, .. }
            | Fault::Failover { target }
            | Fault::Handover { target, .. }
            | Fault::Unlink { target, .. }
            | Fault::Order { target, .. }
            | Fault::Move { target }
            | Fault::Rename { target }
            | Fault::NoNames { target }
            | Fault::LateNames { target, .. } => self.resolve(*target),
            Fault::Isolate { .. }
            | Fault::Cut { .. }
            | Fault::Reset { .. }
            | Fault::Decision { .. } => None,
        }
    }

    /// Restarts a Sentinel on another port.
    pub(super) fn move_to(&mut self, id: NodeId, port: u16) {
        self.edit(id, "port ", &port.to_string());
    }

    /// Gives a Sentinel another identity.
    fn rename(&mut self, id: NodeId) {
        let mut draws = self
            .keys
            .draws(Stream::Core, 1_000 + self.queue.now().as_millis());
        let digits = (0..40).map(|_| char::from(*draws.pick(b"0123456789abcdef")));
        self.edit(id, "sentinel myid ", &digits.collect::<String>());
    }

    /// Changes a line of a configuration file, and restarts the process if it runs.
    fn edit(&mut self, id: NodeId, directive: &str, value: &str) {
        let config = self.nodes[id.index()].disk.content(super::CONFIG_PATH);
        let config = String::from_utf8(config.unwrap_or_default().to_vec());
        let config = config.expect("a configuration is text");
        let lines = config
            .lines()
            .map(|line| match line.strip_prefix(directive) {
                Some(_) => format!("{directive}{value}\n"),
                None => format!("{line}\n"),
            });
        let moved: String = lines.collect();
        if moved == config {
            return;
        }
        let was_up = !matches!(self.nodes[id.index()].state, State::Down);
        self.kill(id, false);
        let disk = &mut self.nodes[id.index()].disk;
        disk.install(super::CONFIG_PATH, moved.as_bytes());
        if was_up {
            self.start_at(id, self.queue.now());
        }
    }

    pub(super) fn give_names(&mut self, id: NodeId) {
        let pace = &mut self.nodes[id.index()].pace;
        pace.resolve_fails = false;
        pace.resolve_max = crate::driver::Pace::default().resolve_max;
    }

    /// Has the operator change something at a Sentinel, if a careful one would: whoever makes
    /// Sentinels forget others needs a quorum that is a majority, and peace. Returns whose
    /// process was ended for it.
    fn change(&mut self, sentinel: NodeId, what: Change) -> Option<NodeId> {
        let topology = self.options.topology.clone();
        let at = sentinel.at(SENTINEL_PORT);
        match what {
            Change::Set(syncs) => {
                let syncs = syncs.to_string();
                let words = ["SET", MASTER_NAME, "parallel-syncs", &syncs];
                self.order(Order::to_sentinel(at, &words));
            }
            Change::Reset if self.may_forget() && self.all_known() && self.all_come_back() => {
                self.order(Order::to_sentinel(at, &["RESET", MASTER_NAME]));
            }
            Change::ForgetReplica if self.is_in_order() => {
                let master = self.known_master();
                let comes_back = |&node: &NodeId| Some(node) != master && self.comes_back(node);
                let node = topology.data().find(comes_back)?;
                self.kill(node, false);
                let (ip, port) = (node.ip().to_string(), DATA_PORT.to_string());
                let words = ["FORGET-REPLICA", MASTER_NAME, &ip, &port];
                self.order(Order::to_sentinel(at, &words));
                return Some(node);
            }
            Change::ForgetSentinel if self.may_forget() => {
                let node = topology.sentinels().find(|&node| node != sentinel)?;
                self.kill(node, false);
                return Some(node);
            }
            Change::Unwatch if topology.side => {
                self.order(Order::to_sentinel(at, &["REMOVE", SIDE_NAME]));
            }
            Change::Reset | Change::ForgetReplica | Change::ForgetSentinel | Change::Unwatch => {}
        }
        None
    }

    fn end_change(&mut self, sentinel: NodeId, what: Change, ended: Option<NodeId>) {
        let now = self.queue.now();
        match (what, ended) {
            (Change::Unwatch, _) => self.watch_side(sentinel),
            (Change::ForgetSentinel, Some(node)) => {
                if let Some(id) = self.identity(node)
                    && self.may_forget()
                {
                    let words = ["FORGET-SENTINEL", MASTER_NAME, &id];
                    let at = sentinel.at(SENTINEL_PORT);
                    self.order(Order::to_sentinel(at, &words));
                }
                self.start_at(node, now + ms(3_000));
            }
            (_, Some(node)) => self.start_at(node, now),
            (_, None) => {}
        }
    }

    fn may_forget(&self) -> bool {
        let topology = &self.options.topology;
        topology.quorum >= topology.majority() && self.is_peaceful() && self.is_in_order()
    }

    /// Whether the servers are what the Sentinels take them for: whoever is forgotten while it is
    /// the master is found by nobody.
    fn is_in_order(&self) -> bool {
        let master = self.known_master();
        let agrees = |node| {
            let view = self.judges.server(node);
            view.is_none_or(|view| view.master.is_none() == (Some(node) == master))
        };
        master.is_some_and(|node| self.judges.server(node).is_some())
            && self.options.topology.data().all(agrees)
    }

    /// Whether a server that is started from its file is a replica. One that Sentinels have
    /// forgotten joins its group again by that only: a master that nobody knows stays one.
    fn comes_back(&self, node: NodeId) -> bool {
        let config = self.nodes[node.index()].disk.content(super::CONFIG_PATH);
        let config = std::str::from_utf8(config.unwrap_or_default());
        let config = config.expect("a configuration is text");
        config.lines().any(|line| line.starts_with("replicaof "))
    }

    /// Whether all servers but the master do.
    fn all_come_back(&self) -> bool {
        let master = self.known_master();
        let mut others = (self.options.topology.data()).filter(|&node| Some(node) != master);
        others.all(|node| self.comes_back(node))
    }

    fn watch_side(&mut self, sentinel: NodeId) {
        if let Some(side) = self.options.topology.side() {
            let (ip, port) = (side.ip().to_string(), DATA_PORT.to_string());
            let quorum = self.options.topology.quorum.to_string();
            let words = ["MONITOR", SIDE_NAME, &ip, &port, &quorum];
            let at = sentinel.at(SENTINEL_PORT);
            self.order(Order::to_sentinel(at, &words));
            let words = ["SET", SIDE_NAME, "auto-failover", "no"];
            self.order(Order::to_sentinel(at, &words));
        }
    }

    /// A Sentinel's identity, as its file has it.
    fn identity(&self, node: NodeId) -> Option<String> {
        let config = self.nodes[node.index()].disk.content(super::CONFIG_PATH)?;
        let config = std::str::from_utf8(config).ok()?;
        let id = config
            .lines()
            .find_map(|line| line.strip_prefix("sentinel myid "));
        id.map(str::to_owned)
    }

    /// Whether no Sentinel that is up sees or does anything out of the ordinary.
    fn is_peaceful(&self) -> bool {
        let sentinels = self.options.topology.sentinels();
        let views = sentinels.filter_map(|node| self.judges.sentinel(node));
        { views }
            .flat_map(|view| &view.masters)
            .all(|master| !master.s_down && !master.o_down && master.state == FailoverState::None)
    }

    /// Whether every Sentinel knows every server.
    fn all_known(&self) -> bool {
        let servers = || {
            self.options
                .topology
                .data()
                .map(|server| server.at(DATA_PORT))
        };
        self.options.topology.sentinels().all(|sentinel| {
            let view = self.judges.sentinel(sentinel);
            view.and_then(|view| view.masters.first())
                .is_some_and(|master| {
                    let known = |addr| master.replicas.iter().any(|replica| replica.addr == addr);
                    servers().all(|addr| addr == master.addr || known(addr))
                })
        })
    }

    /// The node a target means at present.
    fn resolve(&self, target: Target) -> Option<NodeId> {
        let sentinels = || self.options.topology.sentinels();
        match target {
            Target::Node(node) => (usize::from(node) < self.nodes.len()).then_some(NodeId(node)),
            Target::Master => self.known_master().or(Some(NodeId(0))),
            Target::BestReplica => (self.options.topology.data())
                .filter_map(|node| Some((self.judges.server(node)?, node)))
                .filter(|(view, _)| view.master.is_some())
                .max_by_key(|(view, _)| view.offset)
                .map(|(_, node)| node),
            Target::Leader => sentinels()
                .find(|node| {
                    self.judges.sentinel(*node).is_some_and(|view| {
                        let mut masters = view.masters.iter();
                        masters.any(|master| master.state != FailoverState::None)
                    })
                })
                .or_else(|| sentinels().next()),
        }
    }

    /// The master that the Sentinel with the newest configuration knows.
    pub fn known_master(&self) -> Option<NodeId> {
        (self.options.topology.sentinels())
            .filter_map(|node| self.judges.sentinel(node)?.masters.first())
            .max_by_key(|master| master.config_epoch)
            .and_then(|master| NodeId::by_ip(master.addr.ip(), self.nodes.len()))
    }
}

/// Has a disk begin to fail as a fault says.
fn begin(faults: &mut Faults, fault: &Fault, until: Time) {
    faults.sync |= matches!(fault, Fault::SyncFails { .. });
    faults.one_sync |= matches!(fault, Fault::OneSyncFails { .. });
    faults.dead |= matches!(fault, Fault::DiskFails { .. });
    faults.full |= matches!(fault, Fault::DiskFull { .. });
    if let Fault::Stall { .. } = fault {
        faults.stalled_until = until;
    }
}
