//! The simulated world: hosts, network and time, driven event by event.

mod faults;
mod files;
mod healing;
mod judge;
pub mod node;

use std::collections::BTreeMap;
use std::io::Write;

use holdfast_core::machine::Done;

use crate::addresses::Addresses;
use crate::client::Env as ClientEnv;
use crate::client::record::History;
use crate::clock::Clock;
use crate::disk::Disk;
use crate::driver::{Driver, Env, Input, Pace, Turn};
use crate::hash::Rolling;
use crate::ids::{Kind, NodeId};
use crate::net::{Net, Paths};
use crate::options::Options;
use crate::oracle::Violation;
use crate::oracle::history::Tree;
use crate::oracle::wire::Taps;
use crate::program::{Boot, Maker};
use crate::queue::{Event, Queue};
use crate::rng::{Keys, Stream};
use crate::schedule::{Entry, Step};
use crate::sink::{Names, Sink};
use crate::time::{Time, ms, us};

use faults::Striking;
pub use judge::Judges;
use node::{Body, Node, State};

/// The configuration file of every server.
pub const CONFIG_PATH: &str = "/data/node.conf";
/// Events one simulated second may take before the run counts as livelocked.
const EVENTS_PER_SECOND_MAX: u64 = 400_000;

/// The simulated world.
pub struct World {
    /// What the run is made of.
    pub options: Options,
    /// All randomness.
    pub keys: Keys,
    /// What will happen.
    pub queue: Queue,
    /// The network.
    pub net: Net,
    /// All hosts.
    pub nodes: Vec<Node>,
    /// The watchers of bytes.
    pub sink: Sink,
    /// What clients did.
    pub history: History,
    /// The oracles' state.
    pub judges: Judges,
    /// The first property that did not hold.
    pub violation: Option<Violation>,
    maker: Maker,
    incarnations: Vec<u32>,
    schedule: Vec<Entry>,
    striking: Vec<Striking>,
    /// Entries that wait for something to be done.
    armed: Vec<u32>,
    /// Servers that were told to end, and whether each time to save.
    leaving: BTreeMap<NodeId, bool>,
    faults_over: bool,
    trace: Option<Trace>,
    second: (u64, u64),
}

/// Where the trace goes and what of it.
pub struct Trace {
    /// Where.
    pub to: Box<dyn Write>,
    /// Also every event with a number in this range.
    pub events: std::ops::Range<u64>,
    /// Whether state transitions, log lines and operations are shown.
    pub transitions: bool,
}

impl World {
    /// A world at its beginning, with every process about to start.
    pub fn new(
        keys: Keys,
        options: Options,
        schedule: Vec<Entry>,
        maker: Maker,
        trace: Option<Trace>,
    ) -> Self {
        let kinds = options.topology.kinds();
        let names = options.topology.names();
        let count = kinds.len();
        let mut queue = Queue::new(keys, count);
        let nodes: Vec<Node> = (kinds.iter().zip(&names).enumerate())
            .map(|(index, (kind, name))| make_node(keys, &options, index, *kind, name))
            .collect();
        for (index, entry) in schedule.iter().enumerate() {
            let number = u32::try_from(index).expect("few faults");
            queue.push(Time::from_millis(entry.at_ms), Event::Fault(number));
            queue.push(Time::from_millis(entry.until_ms), Event::FaultEnd(number));
        }
        let striking = schedule.iter().map(|_| Striking::default()).collect();
        let paths = Paths::new(keys, count, options.network.clone());
        Self {
            net: Net::new(count, paths),
            sink: Sink {
                hash: Rolling::default(),
                taps: Taps::new(kinds, Tree::default()),
                names: Names::new(names),
            },
            history: History::default(),
            judges: Judges::new(&options, schedule.is_empty()),
            violation: None,
            maker,
            incarnations: vec![0; count],
            striking,
            armed: Vec::new(),
            leaving: BTreeMap::new(),
            faults_over: false,
            trace,
            second: (0, 0),
            options,
            keys,
            queue,
            nodes,
            schedule,
        }
    }

    /// Puts a client on its host.
    pub fn seat(&mut self, node: NodeId, client: crate::client::Client) {
        let deadline = client.deadline();
        let host = &mut self.nodes[node.index()];
        host.state = State::Up(Body::Client(Box::new(client)));
        host.wake_by(&mut self.queue, deadline);
    }

    /// Has a host's process started at `at`.
    pub fn start_at(&mut self, node: NodeId, at: Time) {
        self.queue.push(at, Event::Start(node));
    }

    /// Runs until `until` or the first violation.
    pub fn run_until(&mut self, until: Time) {
        while self.violation.is_none() && self.queue.next_at().is_some_and(|at| at <= until) {
            self.step();
        }
        if self.violation.is_none() {
            self.queue.advance(until);
        }
    }

    /// Lets one event happen.
    pub fn step(&mut self) {
        let Some(event) = self.queue.pop() else {
            return;
        };
        let now = self.queue.now();
        let (node, payload) = event.subject();
        self.sink.hash.event(now, node, event.code(), payload);
        self.trace_event(&event);
        self.check_rate(now);
        match event {
            Event::Wake(node) => self.turn(node),
            Event::Slice(end) => self.net.on_slice(&mut self.queue, end),
            Event::Syn(key) => self.net.on_syn(&mut self.queue, key),
            Event::SynAck(key) => self.net.on_syn_ack(&mut self.queue, key),
            Event::Reset(end) => self.net.on_reset(&mut self.queue, end),
            Event::Window(end) => self.net.on_window(end),
            Event::Disk { node, incarnation } => self.on_disk(node, incarnation),
            Event::Done {
                node,
                incarnation,
                job,
            } => self.on_job(node, incarnation, job),
            Event::Fault(entry) => self.strike(entry),
            Event::FaultEnd(entry) => self.relent(entry),
            Event::Trip { entry, node } => self.trip(entry, node),
            Event::Start(node) => self.start(node),
            Event::Look => {}
        }
        self.hand_out_notices();
    }

    /// The incarnation of a node's process.
    pub fn incarnation(&self, node: NodeId) -> u32 {
        self.incarnations[node.index()]
    }

    /// Writes a line of the trace: time, node, kind, text.
    pub fn note(&mut self, node: NodeId, kind: &str, text: &str) {
        if let Some(trace) = &mut self.trace
            && trace.transitions
        {
            let name = self.nodes.get(node.index()).map_or("-", |node| &*node.name);
            // A closed pipe ends the reader's interest, not the run.
            let _ = writeln!(trace.to, "{} {name:<4} {kind:<10} {text}", self.queue.now());
        }
    }

    /// Whether state transitions are traced.
    pub fn tracing(&self) -> bool {
        self.trace.as_ref().is_some_and(|trace| trace.transitions)
    }

    /// Records a violation, unless there is one already.
    pub fn fail(&mut self, violation: Violation) {
        if self.violation.is_none() {
            self.note(NodeId(u16::MAX), "VIOLATION", &violation.to_string());
            self.violation = Some(violation);
        }
    }

    pub(crate) fn judge(&mut self, result: Result<(), Violation>) {
        if let Err(violation) = result {
            self.fail(violation);
        }
    }

    fn turn(&mut self, id: NodeId) {
        let now = self.queue.now();
        let node = &mut self.nodes[id.index()];
        if !node.take_wake(now) {
            return;
        }
        let inputs = node.inbox.len();
        if node.inbox.iter().filter(|input| input.is_read()).count() > 1 {
            self.judges.mark("turn with several reads");
        }
        let disk_failed = node.inbox.iter().any(Input::is_disk_fault);
        if disk_failed {
            node.disk_failed = true;
            node.failed_at = Some(now);
        }
        match &mut node.state {
            State::Down | State::Paused(_) => return,
            State::Up(Body::Machine(driver)) => {
                let mut env = Env {
                    node: id,
                    now: node.clock.now(now),
                    queue: &mut self.queue,
                    net: &mut self.net,
                    disk: &mut node.disk,
                    addresses: &mut node.addresses,
                    draws: &mut node.draws,
                    sink: &mut self.sink,
                    pace: node.pace,
                };
                let turn = driver.turn(&mut env, &mut node.inbox);
                let deadline = driver.deadline();
                node.spend(now, inputs);
                match turn {
                    Turn::Sleep => {}
                    Turn::Again => node.wake_soon(&mut self.queue),
                    Turn::Exit(code) => return self.exited(id, code, disk_failed),
                    Turn::Stuck(timer) => {
                        let message =
                            format!("{id} asks for the timer {timer:?} at or before the present");
                        return self.fail(Violation::new("progress", message));
                    }
                }
                if let Some(deadline) = deadline {
                    let due = node.clock.when(deadline);
                    node.wake_for_timer(&mut self.queue, due);
                }
            }
            State::Up(Body::Client(client)) => {
                let mut env = ClientEnv {
                    node: id,
                    queue: &mut self.queue,
                    net: &mut self.net,
                    sink: &mut self.sink,
                    history: &mut self.history,
                    incarnations: &self.incarnations,
                };
                let notices = node.inbox.drain(..).filter_map(|input| match input {
                    Input::Net(notice) => Some(notice),
                    Input::Done(_) | Input::Spawned(..) | Input::Signal(_) => None,
                });
                client.turn(&mut env, notices);
                let deadline = client.deadline();
                if deadline < Time::NEVER {
                    node.wake_by(&mut self.queue, deadline);
                }
            }
        }
        self.after_turn(id);
    }

    fn on_disk(&mut self, id: NodeId, incarnation: u32) {
        if self.incarnations[id.index()] != incarnation {
            return;
        }
        let now = self.queue.now();
        let node = &mut self.nodes[id.index()];
        match &mut node.state {
            State::Down | State::Up(Body::Client(_)) => {}
            State::Paused(_) => node.stalled_step = true,
            State::Up(Body::Machine(driver)) => {
                let mut env = Env {
                    node: id,
                    now: node.clock.now(now),
                    queue: &mut self.queue,
                    net: &mut self.net,
                    disk: &mut node.disk,
                    addresses: &mut node.addresses,
                    draws: &mut node.draws,
                    sink: &mut self.sink,
                    pace: node.pace,
                };
                if let Some((done, step)) = driver.on_disk(&mut env) {
                    let failed = matches!(done.done, Done::Disk(Err(_)));
                    node.inbox.push_back(Input::Done(done));
                    node.wake_soon(&mut self.queue);
                    let syncs = matches!(step, Step::Sync | Step::SyncDir);
                    // Those of Sentinels say nothing about what has been tested of servers.
                    if failed && syncs && node.kind == Kind::Data {
                        self.judges.mark("failed fsync");
                    }
                    self.stepped(id, step);
                }
            }
        }
    }

    fn on_job(&mut self, id: NodeId, incarnation: u32, job: u32) {
        if self.incarnations[id.index()] != incarnation {
            return;
        }
        let node = &mut self.nodes[id.index()];
        let done = match &mut node.state {
            State::Up(Body::Machine(driver)) | State::Paused(Body::Machine(driver)) => {
                driver.on_job(job)
            }
            State::Down | State::Up(Body::Client(_)) | State::Paused(Body::Client(_)) => None,
        };
        if let Some(done) = done {
            node.inbox.push_back(Input::Done(done));
            node.wake_soon(&mut self.queue);
        }
    }

    /// Starts a process from the configuration on its disk.
    fn start(&mut self, id: NodeId) {
        if !matches!(self.nodes[id.index()].state, State::Down) || !self.net.powered(id) {
            return;
        }
        self.incarnations[id.index()] += 1;
        let incarnation = self.incarnations[id.index()];
        let now = self.queue.now();
        let node = &mut self.nodes[id.index()];
        let entity = match (node.kind, self.options.equal_sentinel_seeds) {
            (Kind::Sentinel, true) => u64::MAX << 32 | u64::from(incarnation),
            (Kind::Sentinel | Kind::Data | Kind::Client, _) => {
                u64::from(id.0) << 32 | u64::from(incarnation)
            }
        };
        let config = node.disk.content(CONFIG_PATH).unwrap_or_default();
        self.judges.durability.starts(id, files::reads_log(config));
        let made = (self.maker)(&Boot {
            kind: node.kind,
            config,
            config_path: CONFIG_PATH,
            seed: self.keys.machine_seed(entity),
            now: node.clock.now(now),
        });
        match made {
            Ok(program) => {
                let driver = Driver::new(program, incarnation);
                node.disk_failed = false;
                node.disk.inherit();
                node.state = State::Up(Body::Machine(Box::new(driver)));
                node.wake_soon(&mut self.queue);
                self.note(id, "start", &format!("incarnation {incarnation}"));
            }
            Err(error) => {
                let config = String::from_utf8_lossy(config);
                let message = format!("{id} does not start from its config: {error}\n{config}");
                self.fail(Violation::new("boot", message));
            }
        }
    }

    /// A process has ended by itself, in a turn in which it was told of a failure of its disk or
    /// was not.
    fn exited(&mut self, id: NodeId, code: u8, disk_failed: bool) {
        self.hear(id);
        if code == 0
            && let Some(all_save) = self.leaving.remove(&id)
        {
            return self.left(id, all_save);
        }
        if code == 1
            && let Some(why) = self.may_end(id, disk_failed)
        {
            return self.ended_for_its_disk(id, why);
        }
        let message = format!("the process of {id} ended by itself with status {code}");
        self.fail(Violation::new("exit", message));
    }

    fn hand_out_notices(&mut self) {
        while let Some((id, notice)) = self.net.poll_notice() {
            let node = &mut self.nodes[id.index()];
            match node.state {
                // Whatever came for a dead process is gone with its connections.
                State::Down => {}
                // It finds out all at once when it goes on.
                State::Paused(_) => node.inbox.push_back(Input::Net(notice)),
                State::Up(_) => {
                    node.inbox.push_back(Input::Net(notice));
                    node.wake_soon(&mut self.queue);
                }
            }
        }
    }

    fn check_rate(&mut self, now: Time) {
        let second = now.as_millis() / 1_000;
        if self.second.0 != second {
            self.second = (second, 0);
        }
        self.second.1 += 1;
        if self.second.1 > EVENTS_PER_SECOND_MAX {
            let message = format!("more than {EVENTS_PER_SECOND_MAX} events in second {second}");
            self.fail(Violation::new("progress", message));
        }
    }

    fn trace_event(&mut self, event: &Event) {
        let number = self.sink.hash.events();
        if let Some(trace) = &mut self.trace
            && trace.events.contains(&number)
        {
            let hash = self.sink.hash.value();
            let line = format!("{number:>9} {} {hash:032x} {event:?}", self.queue.now());
            let _ = writeln!(trace.to, "{line}");
        }
    }
}

fn make_node(keys: Keys, options: &Options, index: usize, kind: Kind, name: &str) -> Node {
    let id = NodeId(u16::try_from(index).expect("few nodes"));
    let entity = index as u64;
    let mut clocks = keys.draws(Stream::Clock, entity);
    let offset = signed(
        clocks.between(0, 2 * options.wall_offset_max_ms),
        options.wall_offset_max_ms,
    );
    let drift = signed(
        clocks.between(0, 2 * options.drift_max_ppm),
        options.drift_max_ppm,
    );
    let uptime = ms(clocks.between(60_000, 90_000_000)).as_nanos();
    let uptime = u64::try_from(uptime).expect("a day");
    let pace = Pace {
        sync_max: us(options.sync_max_us.max(10)),
        ..Pace::default()
    };
    let draws = (
        keys.draws(Stream::Disk, entity),
        keys.draws(Stream::Turn, entity),
    );
    let clock = Clock::new(uptime, offset, drift);
    let beside = options.topology.server_beside(id);
    let own = [Some(id), beside].into_iter().flatten().map(NodeId::ip);
    let addresses = Addresses::new(own.collect());
    Node::new(
        id,
        kind,
        name.to_owned(),
        clock,
        (Disk::default(), addresses),
        draws,
        pace,
    )
}

fn signed(value: u64, zero: u64) -> i64 {
    i64::try_from(value).expect("small") - i64::try_from(zero).expect("small")
}

#[cfg(test)]
mod tests;
