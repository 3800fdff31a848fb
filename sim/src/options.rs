//! What a run is made of: everything but its faults, drawn from the seed or read from a file.

use std::net::{IpAddr, Ipv4Addr};

use serde::{Deserialize, Serialize};

use crate::client::workload::Workload;
use crate::ids::{Kind, NodeId};
use crate::net::Quality;
use crate::rng::{Draws, Keys, Stream};

/// The port of every data server.
pub const DATA_PORT: u16 = 6379;
/// The port of every Sentinel.
pub const SENTINEL_PORT: u16 = 26379;

/// The address that is to be where the master is.
pub const VIRTUAL_IP: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 9, 0, 100));

/// The option set of one run.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Options {
    /// How long faults and work go on, milliseconds.
    pub safety_ms: u64,
    /// Who there is.
    pub topology: Topology,
    /// The settings of servers and Sentinels.
    pub knobs: Knobs,
    /// The network when no fault is at work.
    pub network: Quality,
    /// The most a sync takes, microseconds.
    pub sync_max_us: u64,
    /// What clients do.
    pub workload: Workload,
    /// How long a client waits for a server, milliseconds.
    pub patience_ms: u64,
    /// How far off wall clocks are at the start, milliseconds.
    pub wall_offset_max_ms: u64,
    /// How much clocks gain or lose, parts per million.
    pub drift_max_ppm: u64,
    /// Whether all Sentinels draw the same random numbers.
    pub equal_sentinel_seeds: bool,
    /// Whether there is a virtual IP.
    #[serde(default)]
    pub virtual_ip: bool,
    /// Whether bits turn over in append-only files and manifests as well.
    #[serde(default)]
    pub rot_anywhere: bool,
    /// Which faults there are.
    pub families: Families,
}

/// Who there is.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Topology {
    /// For each data node the one it replicates at first; the first is the master and names itself.
    pub above: Vec<u16>,
    /// The replica priority of each data node.
    pub priority: Vec<u32>,
    /// Sentinels.
    pub sentinels: u16,
    /// Sentinels that must agree that the master is down.
    pub quorum: u16,
    /// Clients of the master.
    pub workers: u16,
    /// Clients of the master that listen for `+switch-master`.
    pub followers: u16,
    /// Clients of replicas.
    pub readers: u16,
    /// Whether the Sentinels watch a second master, without replicas and automatic failovers.
    #[serde(default)]
    pub side: bool,
}

/// The settings of servers and Sentinels.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Knobs {
    /// down-after-milliseconds
    pub down_after_ms: u64,
    /// failover-timeout
    pub failover_timeout_ms: u64,
    /// parallel-syncs
    pub parallel_syncs: u32,
    /// repl-backlog-size
    pub backlog_bytes: u64,
    /// repl-timeout
    pub repl_timeout_s: u64,
    /// repl-ping-replica-period
    pub repl_ping_s: u64,
    /// repl-diskless-sync-delay
    pub diskless_delay_s: u64,
    /// repl-diskless-load
    pub diskless_load: String,
    /// Replicas are sent a file: repl-diskless-sync no
    #[serde(default)]
    pub through_file: bool,
    /// min-replicas-to-write
    pub min_replicas: u32,
    /// min-replicas-max-lag
    pub min_replicas_lag_s: u64,
    /// appendonly
    #[serde(default)]
    pub appendonly: bool,
    /// appendfsync
    #[serde(default)]
    pub appendfsync: String,
    /// save
    #[serde(default)]
    pub save: String,
    /// auto-aof-rewrite-min-size
    #[serde(default = "two_kilobytes")]
    pub rewrite_min: String,
    /// repl-backlog-ttl
    #[serde(default = "an_hour")]
    pub backlog_ttl_s: u64,
    /// Whether the Sentinels are given the master by name.
    #[serde(default)]
    pub names: bool,
    /// Whether the Sentinels have scripts to run.
    #[serde(default)]
    pub scripts: bool,
    /// rdb-key-save-delay
    #[serde(default)]
    pub save_delay_us: u64,
    /// key-load-delay
    #[serde(default)]
    pub load_delay_us: u64,
    /// Bases of the append-only file are plain commands: aof-use-rdb-preamble no
    #[serde(default)]
    pub plain_base: bool,
    /// Whether replicas and Sentinels come as users of their own, who may do nothing but their
    /// work.
    #[serde(default)]
    pub users: bool,
    /// replica-keep-data-timeout
    #[serde(default)]
    pub keep_data_s: u64,
    /// What each data node does otherwise with its files than all; none if nothing.
    #[serde(default)]
    pub files: Vec<FileKnobs>,
}

/// The settings of one server's files.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct FileKnobs {
    /// appendfsync
    pub appendfsync: String,
    /// aof-timestamp-enabled
    pub timestamps: bool,
    /// rdbcompression
    pub compression: bool,
    /// rdbchecksum
    pub checksum: bool,
}

impl Knobs {
    /// `appendfsync` of a data node.
    pub fn appendfsync(&self, node: NodeId) -> &str {
        let own = self.files.get(node.index());
        own.map_or(&self.appendfsync, |files| &files.appendfsync)
    }

    /// Whether every RDB file has a checksum, whoever wrote it.
    pub fn all_checked(&self) -> bool {
        self.files.iter().all(|files| files.checksum)
    }
}

fn two_kilobytes() -> String {
    "2kb".to_owned()
}

const fn an_hour() -> u64 {
    3_600
}

/// For each family the mean time between two of its faults, milliseconds; `None` is off.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Serialize)]
pub struct Families {
    /// Processes die and come back.
    pub kill: Option<u64>,
    /// Hosts lose power and come back.
    pub power: Option<u64>,
    /// Processes stop and go on.
    pub pause: Option<u64>,
    /// Groups of hosts are cut off.
    pub partition: Option<u64>,
    /// Pairs of hosts are cut.
    pub pair: Option<u64>,
    /// Connections break.
    pub reset: Option<u64>,
    /// A host's links become slow.
    pub slow: Option<u64>,
    /// Clocks jump and drift.
    pub clock: Option<u64>,
    /// Syncs fail, disks fill up.
    pub disk: Option<u64>,
    /// An operator forces failovers.
    pub operator: Option<u64>,
    /// Hosts lose power at the moment their process commits itself to something.
    pub decision: Option<u64>,
    /// Bits turn over in files at rest.
    #[serde(default)]
    pub rot: Option<u64>,
    /// Hosts come back with an older disk, or an empty one.
    #[serde(default)]
    pub amnesia: Option<u64>,
    /// Hosts die between two steps on their disk.
    #[serde(default)]
    pub between: Option<u64>,
    /// Operators change what Sentinels watch, and how.
    pub orders: Option<u64>,
    /// Sentinels move to another port.
    pub moves: Option<u64>,
    /// Names are not resolved, or late.
    pub names: Option<u64>,
    /// Servers die and come back at once.
    #[serde(default)]
    pub reboot: Option<u64>,
}

impl Families {
    /// Whether there are no faults at all.
    pub fn all_off(&self) -> bool {
        *self == Self::default()
    }

    /// Whether servers that die and come back at once are the only faults.
    pub fn only_reboots(&self) -> bool {
        let rest = Self {
            reboot: None,
            ..*self
        };
        self.reboot.is_some() && rest.all_off()
    }

    /// The families by name.
    pub const fn by_name(&self) -> [(&'static str, Option<u64>); 18] {
        [
            ("kill", self.kill),
            ("power", self.power),
            ("pause", self.pause),
            ("partition", self.partition),
            ("pair", self.pair),
            ("reset", self.reset),
            ("slow", self.slow),
            ("clock", self.clock),
            ("disk", self.disk),
            ("operator", self.operator),
            ("decision", self.decision),
            ("rot", self.rot),
            ("amnesia", self.amnesia),
            ("between", self.between),
            ("orders", self.orders),
            ("moves", self.moves),
            ("names", self.names),
            ("reboot", self.reboot),
        ]
    }
}

impl Topology {
    /// Nodes of all kinds, with the verifying client and the operator.
    pub fn nodes(&self) -> usize {
        let clients = self.workers + self.followers + self.readers + 2;
        self.above.len() + usize::from(self.sentinels + clients) + usize::from(self.side)
    }

    /// The kind of every node: data, Sentinels, clients, the operator, the verifier.
    pub fn kinds(&self) -> Vec<Kind> {
        let clients = self.workers + self.followers + self.readers + 2;
        let mut kinds = vec![Kind::Data; self.above.len()];
        kinds.extend(vec![Kind::Sentinel; usize::from(self.sentinels)]);
        kinds.extend(vec![Kind::Client; usize::from(clients)]);
        kinds.extend(self.side.then_some(Kind::Data));
        kinds
    }

    /// The names of every node, in the same order.
    pub fn names(&self) -> Vec<String> {
        let mut counts = [0; 3];
        (self.kinds().into_iter())
            .map(|kind| {
                let count = &mut counts[kind as usize];
                *count += 1;
                format!("{}{count}", kind.letter())
            })
            .collect()
    }

    /// The data nodes.
    pub fn data(&self) -> impl Iterator<Item = NodeId> + use<> {
        let nodes = u16::try_from(self.above.len()).expect("few nodes");
        (0..nodes).map(NodeId)
    }

    /// The Sentinels.
    pub fn sentinels(&self) -> impl Iterator<Item = NodeId> + use<> {
        let first = u16::try_from(self.above.len()).expect("few nodes");
        (first..first + self.sentinels).map(NodeId)
    }

    /// The server on the host of a Sentinel: the first server is on that of the first Sentinel.
    pub fn server_beside(&self, sentinel: NodeId) -> Option<NodeId> {
        let index = self.sentinels().position(|one| one == sentinel)?;
        self.data().nth(index)
    }

    /// The clients that work or read, without operator and verifier.
    pub fn clients(&self) -> impl Iterator<Item = NodeId> + use<> {
        let first = u16::try_from(self.above.len()).expect("few nodes") + self.sentinels;
        (first..first + self.workers + self.followers + self.readers).map(NodeId)
    }

    /// The second master.
    pub fn side(&self) -> Option<NodeId> {
        let last = u16::try_from(self.nodes() - 1).expect("few nodes");
        self.side.then_some(NodeId(last))
    }

    /// How many Sentinels are a majority.
    pub const fn majority(&self) -> u16 {
        self.sentinels / 2 + 1
    }

    /// The client through which an operator gives orders.
    pub fn operator(&self) -> NodeId {
        NodeId(self.verifier().0 - 1)
    }

    /// The client that reads everything back at the end.
    pub fn verifier(&self) -> NodeId {
        let nodes = self.nodes() - usize::from(self.side);
        NodeId(u16::try_from(nodes).expect("few nodes") - 1)
    }
}

impl Options {
    /// The option set of a seed.
    pub fn draw(keys: Keys) -> Self {
        let mut draws = keys.draws(Stream::Options, 0);
        let mut topology = draw_topology(&mut keys.draws(Stream::Options, 1));
        let mut extras = keys.draws(Stream::Options, 9);
        topology.side = extras.chance(0.5);
        let mut knobs = draw_knobs(&mut keys.draws(Stream::Options, 2), &topology);
        draw_log(&mut keys.draws(Stream::Options, 7), &mut knobs);
        draw_kept(&mut keys.draws(Stream::Options, 8), &mut knobs);
        knobs.names = extras.chance(0.3);
        knobs.scripts = extras.chance(0.3);
        knobs.users = keys.draws(Stream::Options, 10).chance(0.3);
        knobs.through_file = keys.draws(Stream::Options, 13).chance(0.25);
        let mut families = draw_families(&mut keys.draws(Stream::Options, 3));
        let mut reboots = keys.draws(Stream::Options, 11);
        draw_reboots(&mut reboots, &mut knobs, &mut families);
        draw_files(&mut keys.draws(Stream::Options, 14), &topology, &mut knobs);
        let rough = draws.chance(0.5) && !families.all_off() && !families.only_reboots();
        let network = draw_network(&mut keys.draws(Stream::Options, 4), &knobs, rough);
        let mut workload = draw_workload(&mut keys.draws(Stream::Options, 5));
        draw_upkeep(&mut keys.draws(Stream::Options, 15), &mut workload);
        let mut clocks = keys.draws(Stream::Options, 6);
        Self {
            safety_ms: draws.between(40_000, 80_000),
            topology,
            knobs,
            network,
            sync_max_us: draws.log_between(100, if rough { 200_000 } else { 5_000 }),
            workload,
            patience_ms: draws.log_between(500, 5_000),
            wall_offset_max_ms: if clocks.chance(0.5) {
                clocks.log_between(1, 3_600_000)
            } else {
                0
            },
            drift_max_ppm: if clocks.chance(0.5) {
                clocks.log_between(1, 1_000)
            } else {
                0
            },
            equal_sentinel_seeds: draws.chance(0.05),
            virtual_ip: keys.draws(Stream::Options, 12).chance(0.5),
            rot_anywhere: families.rot.is_some() && keys.draws(Stream::Options, 16).chance(0.4),
            families,
        }
    }

    /// Whether nothing in this run can be taken for a failure.
    pub fn quiet(&self) -> bool {
        let answer_us = 4 * self.network.latency_max_us + 10_000;
        self.network.loss_ppm == 0 && answer_us < self.knobs.down_after_ms * 1_000 / 2
    }
}

fn draw_topology(draws: &mut Draws) -> Topology {
    let data = if draws.chance(0.5) {
        3
    } else {
        draws.between(1, 5)
    };
    let sentinels = if draws.chance(0.5) {
        3
    } else {
        draws.between(1, 5)
    };
    let chained = draws.chance(0.25);
    let above = (0..data)
        .map(|node| match node {
            0 | 1 => 0,
            _ if chained && draws.chance(0.5) => draws.between(1, node - 1),
            _ => 0,
        })
        .map(|above| u16::try_from(above).expect("few nodes"))
        .collect();
    let ranked = draws.chance(0.25);
    let priority = (0..data)
        .map(|_| match ranked {
            true => *draws.pick(&[1, 10, 100, 100]),
            false => 100,
        })
        .collect();
    let majority = sentinels / 2 + 1;
    let quorum = if draws.chance(0.5) {
        majority
    } else {
        draws.between(1, sentinels)
    };
    Topology {
        above,
        priority,
        sentinels: u16::try_from(sentinels).expect("few"),
        quorum: u16::try_from(quorum).expect("few"),
        workers: u16::try_from(draws.between(1, 3)).expect("few"),
        followers: u16::try_from(draws.between(0, 2)).expect("few"),
        readers: u16::try_from(draws.between(0, 2)).expect("few"),
        side: false,
    }
}

/// Most knobs have their usual value, each may have any.
fn draw_knobs(draws: &mut Draws, topology: &Topology) -> Knobs {
    let replicas = topology.above.len() as u64 - 1;
    let odd = |draws: &mut Draws| draws.chance(0.25);
    Knobs {
        down_after_ms: if odd(draws) {
            draws.log_between(200, 30_000)
        } else {
            draws.log_between(500, 4_000)
        },
        failover_timeout_ms: if odd(draws) {
            draws.log_between(1_000, 60_000)
        } else {
            draws.log_between(4_000, 15_000)
        },
        parallel_syncs: u32::try_from(draws.between(1, 3)).expect("few"),
        backlog_bytes: if odd(draws) { 16 * 1024 } else { 1024 * 1024 },
        repl_timeout_s: if odd(draws) { draws.between(2, 60) } else { 10 },
        repl_ping_s: if odd(draws) { draws.between(1, 10) } else { 1 },
        diskless_delay_s: if odd(draws) { draws.between(0, 5) } else { 0 },
        diskless_load: if odd(draws) { "swapdb" } else { "disabled" }.to_owned(),
        through_file: false,
        min_replicas: if replicas > 0 && odd(draws) {
            u32::try_from(draws.between(1, replicas)).expect("few")
        } else {
            0
        },
        min_replicas_lag_s: draws.between(1, 10),
        appendonly: false,
        appendfsync: String::new(),
        save: String::new(),
        rewrite_min: two_kilobytes(),
        backlog_ttl_s: an_hour(),
        names: false,
        users: false,
        scripts: false,
        save_delay_us: 0,
        load_delay_us: 0,
        plain_base: false,
        keep_data_s: 0,
        files: Vec::new(),
    }
}

/// Masters that come back at once. Without files they come back empty; in some runs nothing else
/// happens, and then nothing that a replica held may be lost.
fn draw_reboots(draws: &mut Draws, knobs: &mut Knobs, families: &mut Families) {
    knobs.keep_data_s = match draws.chance(0.2) {
        true => 0,
        false => draws.log_between(2, 200),
    };
    let mean = draws.log_between(10_000, 40_000);
    if draws.chance(0.08) {
        *families = Families::default();
        knobs.appendonly = false;
        knobs.keep_data_s = 180;
        families.reboot = Some(mean);
    } else if draws.chance(0.3) && !families.all_off() {
        families.reboot = Some(mean);
    }
}

const POLICIES: [&str; 4] = ["always", "always", "everysec", "no"];

fn draw_log(draws: &mut Draws, knobs: &mut Knobs) {
    knobs.appendonly = draws.chance(0.6);
    knobs.appendfsync = (*draws.pick(&POLICIES)).to_owned();
    knobs.plain_base = draws.chance(0.3);
    // So that few keys take as long as many.
    let delay = |draws: &mut Draws| {
        let slow = draws.chance(0.2);
        let delay = draws.log_between(100, 5_000);
        if slow { delay } else { 0 }
    };
    knobs.save_delay_us = delay(draws);
    knobs.load_delay_us = delay(draws);
}

/// Each server has its files as it likes.
fn draw_files(draws: &mut Draws, topology: &Topology, knobs: &mut Knobs) {
    let (own_policy, own_form) = (draws.chance(0.5), draws.chance(0.5));
    let files = topology.data().map(|_| {
        let policy = *draws.pick(&["always", "everysec", "no"]);
        let (timestamps, compression) = (draws.chance(0.4), draws.chance(0.5));
        let checksum = draws.chance(0.5);
        FileKnobs {
            appendfsync: match own_policy {
                true => policy.to_owned(),
                false => knobs.appendfsync.clone(),
            },
            timestamps: own_form && timestamps,
            compression: !own_form || compression,
            checksum: !own_form || checksum,
        }
    });
    knobs.files = files.collect();
}

/// What clients do about files.
fn draw_upkeep(draws: &mut Draws, workload: &mut Workload) {
    workload.upkeep_ppm = sometimes(draws, 100_000);
    workload.kept_ppm = sometimes(draws, 200_000);
    let flushes = draws.chance(0.04);
    let often = up_to(draws, 30_000);
    workload.flush_ppm = if flushes { often } else { 0 };
}

fn draw_kept(draws: &mut Draws, knobs: &mut Knobs) {
    if draws.chance(0.4) {
        knobs.save = (*draws.pick(&["1 1", "5 20", "20 1"])).to_owned();
    }
    // So that rewrites are no rare thing, or one is.
    knobs.rewrite_min = (*draws.pick(&["2kb", "64mb"])).to_owned();
    if draws.chance(0.2) {
        knobs.backlog_ttl_s = draws.between(1, 10);
    }
}

fn draw_families(draws: &mut Draws) -> Families {
    if draws.chance(0.08) {
        return Families::default();
    }
    let mut draw = |p: f64, low: u64, high: u64| {
        let on = draws.chance(p);
        let mean = draws.log_between(low, high);
        on.then_some(mean)
    };
    let mut family = |low: u64, high: u64| draw(0.5, low, high);
    Families {
        kill: family(4_000, 40_000),
        power: family(6_000, 60_000),
        pause: family(3_000, 40_000),
        partition: family(4_000, 40_000),
        pair: family(3_000, 40_000),
        reset: family(500, 20_000),
        slow: family(4_000, 40_000),
        clock: family(4_000, 40_000),
        disk: family(8_000, 60_000),
        operator: family(8_000, 60_000),
        decision: family(3_000, 30_000),
        orders: family(4_000, 40_000),
        moves: family(8_000, 60_000),
        names: family(4_000, 40_000),
        rot: draw(0.25, 8_000, 60_000),
        amnesia: draw(0.25, 10_000, 80_000),
        between: draw(0.5, 4_000, 30_000),
        reboot: None,
    }
}

fn draw_network(draws: &mut Draws, knobs: &Knobs, rough: bool) -> Quality {
    let latency_min_us = draws.log_between(20, 500);
    if !rough {
        return Quality {
            latency_min_us,
            latency_max_us: latency_min_us * 2,
            cut_ppm: if draws.chance(0.5) { 50_000 } else { 0 },
            ..Quality::CALM
        };
    }
    let far = (knobs.down_after_ms * 1_000 / 20).clamp(latency_min_us + 1, 40_000);
    Quality {
        latency_min_us,
        latency_max_us: draws.log_between(latency_min_us, far),
        cut_ppm: sometimes(draws, 300_000),
        loss_ppm: sometimes(draws, 20_000),
        bandwidth: draws.log_between(100_000, 1_000_000_000),
        window_bytes: u32::try_from(draws.log_between(4_096, 512 * 1_024)).expect("small"),
    }
}

fn draw_workload(draws: &mut Draws) -> Workload {
    Workload {
        think_ms: draws.log_between(20, 1_000),
        lists: u32::try_from(draws.between(1, 6)).expect("few"),
        list_len: u32::try_from(draws.log_between(10, 60)).expect("few"),
        push_ppm: 300_000 + up_to(draws, 400_000),
        wait_ppm: sometimes(draws, 200_000),
        multi_ppm: sometimes(draws, 300_000),
        read_ppm: 300_000 + up_to(draws, 300_000),
        expire_ppm: sometimes(draws, 1_000_000),
        idle_ppm: sometimes(draws, 20_000),
        mixed_ppm: sometimes(draws, 500_000),
        scripts: true,
        upkeep_ppm: 0,
        kept_ppm: 0,
        flush_ppm: 0,
    }
}

/// Half the time nothing, else up to `most`.
fn sometimes(draws: &mut Draws, most: u64) -> u32 {
    if draws.chance(0.5) {
        up_to(draws, most)
    } else {
        0
    }
}

fn up_to(draws: &mut Draws, most: u64) -> u32 {
    u32::try_from(draws.between(1, most)).expect("at most a million")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_vary_stay_in_bounds_and_survive_a_file() {
        let (mut all_off, mut only_reboots) = (0, 0);
        let mut quorums = [false; 6];
        for seed in 0..500 {
            let options = Options::draw(Keys::new(seed));
            let topology = &options.topology;
            assert!((1..=5).contains(&topology.above.len()));
            assert!(1 <= topology.quorum && topology.quorum <= topology.sentinels);
            for (node, above) in topology.above.iter().enumerate().skip(1) {
                assert!(usize::from(*above) < node, "replicas form a tree");
            }
            all_off += usize::from(options.families.all_off());
            only_reboots += usize::from(options.families.only_reboots());
            quorums[usize::from(topology.quorum)] = true;
            let text = serde_json::to_string(&options).unwrap();
            assert_eq!(serde_json::from_str::<Options>(&text).unwrap(), options);
        }
        assert!(all_off > 10);
        assert!(only_reboots > 10);
        assert_eq!(quorums[1..], [true; 5]);
    }
}
