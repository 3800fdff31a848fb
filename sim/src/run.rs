//! One run: boot, faults and work, then the liveness phase, then the accounts.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Once;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use crate::client::record::{Element, Op, Outcome as Fate};
use crate::client::workload::Plan as Work;
use crate::client::{Client, Patience, Role};
use crate::ids::NodeId;
use crate::options::{DATA_PORT, Options, SENTINEL_PORT};
use crate::oracle::Violation;
use crate::oracle::history::Position;
use crate::oracle::liveness::{self, Core};
use crate::oracle::loss::{self, Ground, Losses};
use crate::oracle::quiet::{Part, Quiet};
use crate::program::{FailoverState, Maker, ReplicaView};
use crate::rng::{Keys, Stream};
use crate::schedule::{self, Entry};
use crate::setup;
use crate::time::{Time, ms};
use crate::trace::{self, Detail};
use crate::world::{Trace, World};

/// Everything a run is determined by.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Plan {
    /// The root of all randomness.
    pub seed: u64,
    /// What the run is made of.
    pub options: Options,
    /// Its faults.
    pub schedule: Vec<Entry>,
}

impl Plan {
    /// The plan of a seed.
    pub fn of_seed(seed: u64) -> Self {
        let keys = Keys::new(seed);
        let options = Options::draw(keys);
        let schedule = schedule::draw(keys, &options);
        Self {
            seed,
            options,
            schedule,
        }
    }
}

/// What a run came to.
pub struct Outcome {
    /// The seed.
    pub seed: u64,
    /// What was wrong.
    pub violation: Option<Violation>,
    /// Events that happened.
    pub events: u64,
    /// The hash over them.
    pub hash: u128,
    /// The hash after every 1,024 of them.
    pub checkpoints: Vec<u128>,
    /// How long the run was in its own time.
    pub simulated: Duration,
    /// How long it took.
    pub wall: Duration,
    /// Sentinel events, by name.
    pub sentinel_events: BTreeMap<String, u64>,
    /// Faults that struck, by kind.
    pub faults: BTreeMap<&'static str, u64>,
    /// Rare states that were reached.
    pub marks: BTreeMap<&'static str, u64>,
    /// Acknowledged writes that were lost, with their excuses.
    pub losses: Losses,
    /// Reads that contradicted each other because the history had branched.
    pub splits: usize,
    /// How long at most replicas could not reach a master that took a write, and
    /// `min-replicas-max-lag`.
    pub alone: Option<(Duration, Duration)>,
}

/// Carries a plan out.
pub fn run(plan: &Plan, maker: Maker, trace: Option<Trace>) -> Outcome {
    install_panic_hook();
    let started = Instant::now();
    let all = trace.as_ref().is_some_and(|trace| trace.transitions);
    let detail = if all { Detail::All } else { Detail::Events };
    let mut run = Run {
        losses: Losses::default(),
        splits: 0,
        world: World::new(
            Keys::new(plan.seed),
            plan.options.clone(),
            plan.schedule.clone(),
            maker,
            trace,
        ),
    };
    let panicked = trace::capture(detail, || {
        catch_unwind(AssertUnwindSafe(|| run.carry_out())).is_err()
    });
    let world = &mut run.world;
    if panicked {
        let message = PANIC.take().unwrap_or_else(|| "a panic".to_owned());
        world.fail(Violation::new("panic", message));
    }
    Outcome {
        seed: plan.seed,
        violation: world.violation.take(),
        events: world.sink.hash.events(),
        hash: world.sink.hash.value(),
        checkpoints: world.sink.hash.checkpoints().to_vec(),
        simulated: world.queue.now().since(Time::ZERO),
        wall: started.elapsed(),
        sentinel_events: std::mem::take(&mut world.judges.events),
        faults: std::mem::take(&mut world.judges.faults),
        marks: std::mem::take(&mut world.judges.marks),
        losses: run.losses,
        splits: run.splits,
        alone: world.judges.alone.longest(),
    }
}

struct Run {
    world: World,
    losses: Losses,
    splits: usize,
}

impl Run {
    fn carry_out(&mut self) {
        self.boot();
        let safety = Time::from_millis(self.world.options.safety_ms);
        self.world.run_until(safety);
        if self.world.violation.is_some() {
            return;
        }
        let core = self.choose_core();
        self.world.judges.quiet = None;
        self.world.heal(&core);
        let result = self
            .recover(&core)
            .and_then(|master| self.settle(&core, master));
        self.world.judge(result);
    }

    fn boot(&mut self) {
        let world = &mut self.world;
        let topology = world.options.topology.clone();
        for (node, config) in setup::configs(world.keys, &world.options) {
            world.nodes[node.index()]
                .disk
                .install(crate::world::CONFIG_PATH, &config);
        }
        let mut draws = world.keys.draws(Stream::Options, 7);
        for node in topology.data().chain(topology.side()) {
            world.start_at(node, Time::from_millis(draws.between(1, 50)));
        }
        for node in topology.sentinels() {
            world.start_at(node, Time::from_millis(draws.between(100, 400)));
        }
        let sentinels: Vec<_> = topology.sentinels().map(|s| s.at(SENTINEL_PORT)).collect();
        let mut seats: Vec<(NodeId, Role)> = Vec::new();
        for (index, node) in (0..).zip(topology.clients()) {
            let role = if index < topology.workers {
                Role::Worker
            } else if index < topology.workers + topology.followers {
                Role::Follower
            } else {
                Role::Reader
            };
            seats.push((node, role));
        }
        seats.push((topology.operator(), Role::Operator));
        seats.push((topology.verifier(), Role::Verifier));
        for (node, role) in seats {
            let client_draws = world.keys.draws(Stream::Client, u64::from(node.0));
            let work = Work::new(world.options.workload.clone(), node, client_draws);
            let patience = Patience {
                sentinel_ms: 500,
                server_ms: world.options.patience_ms,
            };
            let start = Time::from_millis(draws.between(500, 1_500));
            let client = Client::new(role, sentinels.clone(), work, patience, start);
            world.seat(node, client);
        }
    }

    /// A majority of Sentinels, one data node at least that is or may become master, one client
    /// at least.
    fn choose_core(&self) -> Core {
        let world = &self.world;
        let topology = &world.options.topology;
        let mut draws = world.keys.draws(Stream::Core, 0);
        let mut sentinels: Vec<NodeId> = topology.sentinels().collect();
        draws.shuffle(&mut sentinels);
        let least = (sentinels.len() / 2 + 1).max(usize::from(topology.quorum));
        let count = least + draws.index(sentinels.len() - least + 1);
        let voters: Vec<usize> = (sentinels.iter())
            .map(|sentinel| world.voters(*sentinel))
            .collect();
        let count = liveness::enough(&voters, count);
        let sentinels: BTreeSet<NodeId> = sentinels.into_iter().take(count).collect();

        let mut data: BTreeSet<NodeId> = topology.data().collect();
        if let Some(master) = self.settled_master() {
            let mut electable: Vec<NodeId> = (topology.data())
                .filter(|node| *node != master && self.electable(*node, &sentinels))
                .collect();
            draws.shuffle(&mut electable);
            let must = match electable.first() {
                Some(heir) if draws.chance(0.5) => {
                    data.remove(&master);
                    *heir
                }
                Some(_) | None => master,
            };
            data.retain(|node| *node == must || draws.chance(0.6));
            self.drop_orphans(&mut data, master, &sentinels);
        }

        let mut clients: Vec<NodeId> = topology.clients().collect();
        let workers = usize::from(topology.workers + topology.followers);
        let must = clients[draws.index(workers)];
        clients.retain(|node| *node == must || draws.chance(0.6));
        clients.extend([topology.operator(), topology.verifier()]);
        Core {
            sentinels,
            data,
            clients: clients.into_iter().collect(),
        }
    }

    /// Leaves out replicas of replicas that Sentinels do not know of and whose own master is left
    /// out: nobody could tell them of another.
    fn drop_orphans(
        &self,
        data: &mut BTreeSet<NodeId>,
        master: NodeId,
        sentinels: &BTreeSet<NodeId>,
    ) {
        let led = |node: NodeId| node == master || self.known(node, sentinels, |_| true);
        loop {
            let orphan = data.iter().copied().find(|&node| {
                let above = self.world.judges.server(node).and_then(|view| view.master);
                let kept = above.and_then(|above| NodeId::by_ip(above.ip(), usize::MAX));
                !led(node) && !kept.is_some_and(|above| data.contains(&above))
            });
            match orphan {
                Some(orphan) => data.remove(&orphan),
                None => return,
            };
        }
    }

    /// Whether each of these Sentinels knows a replica, and knows that of it.
    fn known(
        &self,
        node: NodeId,
        sentinels: &BTreeSet<NodeId>,
        what: impl Fn(&ReplicaView) -> bool,
    ) -> bool {
        sentinels.iter().all(|sentinel| {
            self.world.judges.sentinel(*sentinel).is_some_and(|view| {
                let mut replicas = view.masters.iter().flat_map(|master| &master.replicas);
                replicas.any(|replica| replica.addr == node.at(DATA_PORT) && what(replica))
            })
        })
    }

    /// The master, if all Sentinels are up, agree on it and leave it in peace.
    fn settled_master(&self) -> Option<NodeId> {
        let world = &self.world;
        let known = world.known_master()?;
        let view = world.judges.server(known)?;
        let agreed = world.options.topology.sentinels().all(|node| {
            world.judges.sentinel(node).is_some_and(|view| {
                view.masters.iter().all(|master| {
                    master.addr == known.at(DATA_PORT) && master.state == FailoverState::None
                })
            })
        });
        (agreed && view.master.is_none() && !view.loading).then_some(known)
    }

    /// Whether a replica could be promoted by these Sentinels without its master.
    fn electable(&self, node: NodeId, sentinels: &BTreeSet<NodeId>) -> bool {
        let world = &self.world;
        let synced = (world.judges.server(node))
            .is_some_and(|view| view.master.is_some() && view.link_up && !view.loading);
        synced && self.known(node, sentinels, |replica| replica.eligible)
    }

    /// Runs until the core agrees and its clients are served.
    fn recover(&mut self, core: &Core) -> Result<NodeId, Violation> {
        let world = &mut self.world;
        let start = world.queue.now();
        let mut deadline = liveness::deadline(start, &world.options.knobs);
        if world.options.families.orders.is_some() {
            // Whoever was forgotten is not taken in again for so long.
            deadline = deadline + Duration::from_secs(120);
        }
        let mut since: Option<(NodeId, Time)> = None;
        loop {
            let now = world.queue.now() + ms(100);
            world.run_until(now);
            if world.violation.is_some() {
                return Ok(NodeId(0));
            }
            let server = |node| world.judges.server(node);
            let sentinel = |node| world.judges.sentinel(node).cloned();
            let why = match liveness::agreed(core, DATA_PORT, server, sentinel) {
                Ok(master) => {
                    let from = match since {
                        Some((known, from)) if known == master => from,
                        Some(_) | None => now,
                    };
                    since = Some((master, from));
                    let misplaced = misplaced(world, core, master);
                    match unserved(world, core, master, from).or(misplaced) {
                        None => {
                            if 2 * now.since(start) > deadline.since(start) {
                                world.judges.mark("liveness deadline half used");
                            }
                            return Ok(master);
                        }
                        Some(why) => why,
                    }
                }
                Err(why) => {
                    since = None;
                    why
                }
            };
            if now > deadline {
                let spent = now.since(start).as_secs();
                let message = format!("{spent} s after the core was healed: {why}");
                return Err(Violation::new("liveness", message));
            }
        }
    }

    /// Stops the work, waits until all copies are equal, reads everything back and settles the
    /// accounts.
    fn settle(&mut self, core: &Core, master: NodeId) -> Result<(), Violation> {
        if self.world.violation.is_some() {
            return Ok(());
        }
        for node in self.world.options.topology.clients() {
            if let Some(client) = self.world.nodes[node.index()].client_mut() {
                client.retire();
            }
        }
        self.converge(core)?;
        self.rest(core);
        if self.world.violation.is_some() {
            return Ok(());
        }
        // Of such data not even the form is certain.
        if self.world.judges.suspects.have_spread() {
            self.world.judges.mark("data of which nobody can know");
            return Ok(());
        }
        let lists = self.read_back()?;
        if self.world.violation.is_some() {
            return Ok(());
        }
        self.account(core, master, lists)
    }

    fn converge(&mut self, core: &Core) -> Result<(), Violation> {
        let world = &mut self.world;
        let deadline = world.queue.now() + Duration::from_secs(120);
        loop {
            let now = world.queue.now() + ms(200);
            world.run_until(now);
            if world.violation.is_some() {
                return Ok(());
            }
            let views: Vec<_> = (core.data.iter())
                .map(|node| (*node, world.judges.server(*node)))
                .collect();
            let places: BTreeSet<_> = (views.iter())
                .map(|(_, view)| view.map(|view| (view.replid, view.offset)))
                .collect();
            if places.len() == 1 && !places.contains(&None) {
                for (node, view) in views {
                    let view = view.expect("no place is unknown");
                    world.compare_dataset(node, &view);
                }
                return Ok(());
            }
            if now > deadline {
                let places: Vec<String> = (views.iter())
                    .map(|(node, view)| format!("{node} at {:?}", view.map(|view| view.offset)))
                    .collect();
                let message = format!("replicas do not catch up: {}", places.join(", "));
                return Err(Violation::new("liveness", message));
            }
        }
    }

    /// Lets the group stand for a while, in which nothing may be announced as wrong with its master
    /// and no replica connect anew.
    fn rest(&mut self, core: &Core) {
        let now = self.world.queue.now();
        self.world.run_until(now + CALM);
        let from = self.world.queue.now();
        let above = core.data.iter().filter_map(|node| {
            let above = self.world.judges.server(*node)?.master?;
            Some((*node, NodeId::by_ip(above.ip(), usize::MAX)?))
        });
        let part = Some(Part {
            core: core.clone(),
            above: above.collect(),
        });
        self.world.judges.quiet = Some(Quiet { from, part });
        self.world.run_until(from + REST);
    }

    fn read_back(&mut self) -> Result<BTreeMap<u32, Vec<Element>>, Violation> {
        let world = &mut self.world;
        let verifier = world.options.topology.verifier();
        let written: BTreeSet<u32> = (world.history.records().iter())
            .filter_map(|record| record.pushed())
            .flat_map(|(_, lists)| lists.into_iter().flatten())
            .collect();
        let start = world.queue.now();
        let node = &mut world.nodes[verifier.index()];
        let client = node.client_mut().expect("the verifier has a client");
        client.verify(
            start,
            written.iter().map(|&list| Op::Read { list, script: None }),
        );
        node.wake_by(&mut world.queue, start);
        let deadline = start + Duration::from_secs(60);
        loop {
            let now = world.queue.now() + ms(50);
            world.run_until(now);
            if world.violation.is_some() {
                return Ok(BTreeMap::new());
            }
            let node = &mut world.nodes[verifier.index()];
            let left = node
                .client_mut()
                .expect("the verifier has a client")
                .unverified();
            if left == 0 {
                break;
            }
            if now > deadline {
                let message = format!("{left} lists can't be read back");
                return Err(Violation::new("liveness", message));
            }
        }
        let records = world.history.records().iter();
        Ok(records
            .filter(|record| record.client == verifier)
            .filter_map(|record| match (&record.op, &record.outcome) {
                (Op::Read { list, .. }, Fate::List(elements)) => Some((*list, elements.clone())),
                _ => None,
            })
            .collect())
    }

    fn account(
        &mut self,
        core: &Core,
        master: NodeId,
        lists: BTreeMap<u32, Vec<Element>>,
    ) -> Result<(), Violation> {
        let world = &self.world;
        let tree = &world.sink.taps.tree;
        let index = tree.index()?;
        self.splits = world.judges.append.explain(tree, &index)?;
        let view = world.judges.server(master).expect("the master is up");
        let knobs = &world.options.knobs;
        let frozen = Time::from_millis(world.options.safety_ms);
        let mut faults = world.judges.fault_times.clone();
        if !world.options.quiet() {
            // Packets that are lost, or too slow for the time allowed, are a fault all along.
            faults.push((Time::ZERO, frozen));
        }
        let ground = Ground {
            reigns: world.judges.reigns.clone(),
            held: world.judges.held.clone(),
            deaths: world.judges.deaths.clone(),
            faults,
            grace: ms(2 * knobs.failover_timeout_ms + knobs.down_after_ms + 60_000),
            full_syncs: world.judges.full_syncs.iter().map(|(_, at)| *at).collect(),
            data_nodes: world.options.topology.above.len(),
            master,
            frozen,
            frozen_out: (world.options.topology.data())
                .filter(|node| !core.has(*node))
                .collect(),
            end: Position {
                replid: view.replid,
                offset: view.offset,
            },
            lists,
        };
        self.losses = loss::account(world.history.records(), tree, &index, &ground)?;
        Ok(())
    }
}

/// What was on its way when the faults ended has arrived by then, and Sentinels have put right what
/// orders of the operator had moved.
const CALM: Duration = Duration::from_secs(30);
/// How long a group stands after all: longer than any interval that replication and Sentinels
/// have, and than most draws of `repl-timeout` and `down-after-milliseconds`.
const REST: Duration = Duration::from_secs(20);

/// A client of the core that has not been served since.
///
/// Writes are not to be had where `min-replicas-to-write` asks for more replicas of the master
/// than the core has.
fn unserved(world: &World, core: &Core, master: NodeId, since: Time) -> Option<String> {
    let direct = (core.data.iter())
        .filter_map(|node| world.judges.server(*node)?.master)
        .filter(|above| *above == master.at(DATA_PORT))
        .count();
    let topology = &world.options.topology;
    let readers = topology.workers + topology.followers;
    let writable = direct >= world.options.knobs.min_replicas as usize;
    (0..).zip(topology.clients()).find_map(|(index, node)| {
        if !core.clients.contains(&node) {
            return None;
        }
        let served = world.judges.served.get(&node).copied().unwrap_or_default();
        let fresh = |at: Option<Time>| at.is_some_and(|at| at >= since);
        if index >= readers {
            // A reader needs a replica that Sentinels announce; the core may have none.
            return None;
        }
        if writable && !fresh(served.write) {
            return Some(format!("client {node} can't write"));
        }
        (!fresh(served.read)).then(|| format!("client {node} can't read"))
    })
}

/// The virtual IP is where the master is, and nowhere else.
fn misplaced(world: &World, core: &Core, master: NodeId) -> Option<String> {
    if !world.options.virtual_ip {
        return None;
    }
    let topology = &world.options.topology;
    let expected: Vec<_> = (core.sentinels.iter().copied())
        .filter(|sentinel| topology.server_beside(*sentinel) == Some(master))
        .collect();
    let holders = world.holders();
    (holders != expected).then(|| {
        format!(
            "the virtual IP is on the hosts of {holders:?}, the master's is that of {expected:?}"
        )
    })
}

thread_local! {
    static PANIC: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// Keeps the message of a panic for the report instead of printing it.
fn install_panic_hook() {
    static INSTALLED: Once = Once::new();
    INSTALLED.call_once(|| {
        let usual = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            if !trace::capturing() {
                return usual(info);
            }
            let payload = info.payload();
            let text = (payload.downcast_ref::<&str>().copied())
                .or_else(|| payload.downcast_ref::<String>().map(String::as_str))
                .unwrap_or("a panic");
            let place = info
                .location()
                .map_or_else(String::new, |at| format!(" at {at}"));
            PANIC.set(Some(format!("{text}{place}")));
        }));
    });
}
