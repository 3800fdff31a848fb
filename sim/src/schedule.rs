//! The faults of a run, each an entry that stands by itself: drawn from the seed before the run,
//! or read from a file. Removing one changes nothing else.

use holdfast_core::machine::DiskOp;
use serde::{Deserialize, Serialize};

use crate::ids::NodeId;
use crate::options::Options;
use crate::rng::{Draws, Keys, Stream};

/// No fault strikes before the group has formed.
const CALM_START_MS: u64 = 8_000;

/// One fault.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Entry {
    /// When it strikes, milliseconds.
    pub at_ms: u64,
    /// When it ends.
    pub until_ms: u64,
    /// What happens.
    #[serde(flatten)]
    pub fault: Fault,
}

/// What happens.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Fault {
    /// A process dies; its system lives. It is started again at the end.
    Kill {
        /// Whose.
        target: Target,
    },
    /// A process dies and is started again at once.
    Reboot {
        /// Whose.
        target: Target,
    },
    /// A host loses power, and what its disk had not synced. It is started again at the end.
    Power {
        /// Which.
        target: Target,
    },
    /// A process stands still while its system and its clocks run on.
    Pause {
        /// Whose.
        target: Target,
    },
    /// Hosts are cut off from all others.
    Isolate {
        /// Those on the one side.
        group: Vec<Target>,
        /// Which way packets are lost.
        direction: Direction,
    },
    /// Two hosts are cut off from each other.
    Cut {
        /// The one.
        one: Target,
        /// The other.
        other: Target,
        /// Which way packets are lost.
        direction: Direction,
    },
    /// All connections between two hosts break.
    Reset {
        /// The one.
        one: Target,
        /// The other.
        other: Target,
    },
    /// Everything to and from a host takes longer.
    Slow {
        /// Which.
        target: Target,
        /// By how much, microseconds.
        extra_us: u64,
    },
    /// A wall clock jumps.
    Jump {
        /// Whose.
        target: Target,
        /// By how much, milliseconds.
        by_ms: i64,
    },
    /// A clock runs fast or slow until the end.
    Drift {
        /// Whose.
        target: Target,
        /// By how much, parts per million.
        ppm: i64,
    },
    /// Syncs fail until the end.
    SyncFails {
        /// Whose.
        target: Target,
        /// Whether the host loses power at the end.
        #[serde(default)]
        power: bool,
    },
    /// Writes find no space until the end.
    DiskFull {
        /// Whose.
        target: Target,
    },
    /// The next sync fails, and no other.
    OneSyncFails {
        /// Whose.
        target: Target,
        /// Whether the host loses power at the end.
        #[serde(default)]
        power: bool,
    },
    /// Reads and writes fail until the end.
    DiskFails {
        /// Whose.
        target: Target,
    },
    /// The disk does nothing until the end.
    Stall {
        /// Whose.
        target: Target,
    },
    /// A host loses power, and a bit turns over in one of its RDB files.
    BitFlip {
        /// Which.
        target: Target,
        /// Or in the append-only file, or its manifest.
        #[serde(default)]
        any: bool,
    },
    /// At the end a host loses power and comes back with the disk it has now, except its
    /// configuration.
    GoBack {
        /// Which.
        target: Target,
    },
    /// A host loses power and comes back with nothing but its configuration.
    Wipe {
        /// Which.
        target: Target,
    },
    /// A host dies between two steps on its disk, if its process takes them before the end.
    Between {
        /// Which.
        target: Target,
        /// Behind which step.
        step: Step,
        /// Behind how many of these.
        count: u32,
        /// Whether it loses power, or only its process.
        power: bool,
    },
    /// An operator has a server look after its files, or end.
    Upkeep {
        /// To which server.
        target: Target,
        /// What.
        order: Upkeep,
    },
    /// An operator says SENTINEL FAILOVER.
    Failover {
        /// To which Sentinel.
        target: Target,
    },
    /// An operator says FAILOVER.
    Handover {
        /// To which server.
        target: Target,
        /// `TIMEOUT`, milliseconds.
        timeout_ms: u64,
        /// To the best replica, `FORCE`.
        force: bool,
    },
    /// An operator says CLIENT KILL TYPE.
    Unlink {
        /// To which server.
        target: Target,
        /// Of which connections: those to its replicas, or the one to its master.
        replicas: bool,
    },
    /// An operator changes something at a Sentinel, if it is safe to.
    Order {
        /// To which Sentinel.
        target: Target,
        /// What.
        what: Change,
    },
    /// A Sentinel is restarted on another port, and at the end on its own.
    Move {
        /// Which.
        target: Target,
    },
    /// A Sentinel is restarted with another identity, and with all else it knows.
    Rename {
        /// Which.
        target: Target,
    },
    /// Names that a host looks up are not found until the end.
    NoNames {
        /// Which.
        target: Target,
    },
    /// Names that a host looks up take long until the end.
    LateNames {
        /// Which.
        target: Target,
        /// At most so long, milliseconds.
        most_ms: u64,
    },
    /// The next host whose process does this loses power at that moment.
    Decision {
        /// What it does.
        moment: Moment,
    },
}

/// What an operator changes at a Sentinel.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Change {
    /// `SENTINEL SET` of parallel-syncs.
    Set(u32),
    /// `SENTINEL RESET`.
    Reset,
    /// `SENTINEL FORGET-REPLICA` of a replica whose process is ended, and started at the end.
    ForgetReplica,
    /// The process of another Sentinel is ended. At the end comes `SENTINEL FORGET-SENTINEL`, and
    /// it is started again.
    ForgetSentinel,
    /// `SENTINEL REMOVE` of the second master, and at the end `SENTINEL MONITOR`.
    Unwatch,
}

impl Change {
    /// All of them.
    const ALL: &'static [Self] = &[
        Self::Set(1),
        Self::Set(2),
        Self::Reset,
        Self::ForgetReplica,
        Self::ForgetSentinel,
        Self::Unwatch,
    ];
}

/// Something a process commits itself to, whose traces on the disk are not complete yet.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Moment {
    /// A Sentinel tells of its vote.
    Vote,
    /// A Sentinel asks for votes.
    Candidacy,
    /// An elected Sentinel is choosing a replica.
    Select,
    /// An elected Sentinel has chosen a replica it can't reach.
    Send,
    /// An elected Sentinel has told a replica to become the master.
    Order,
    /// An elected Sentinel has seen the promotion.
    Reconf,
    /// A Sentinel announces a new master.
    Switch,
    /// A server changes its role.
    Role,
    /// A server begins to load a dataset.
    Load,
    /// A server begins to write its dataset anew, into whichever file.
    Rewrite,
}

impl Moment {
    /// All of them.
    const ALL: &'static [Self] = &[
        Self::Vote,
        Self::Candidacy,
        Self::Select,
        Self::Send,
        Self::Order,
        Self::Reconf,
        Self::Switch,
        Self::Role,
        Self::Load,
        Self::Rewrite,
    ];
}

/// What a process does to its disk.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Step {
    /// Opens or makes a file.
    Open,
    /// Appends to a file.
    Append,
    /// Reads from a file.
    Read,
    /// Syncs a file.
    Sync,
    /// Cuts a file.
    Truncate,
    /// Closes a file.
    Close,
    /// Renames a file.
    Rename,
    /// Removes a file.
    Remove,
    /// Syncs a directory.
    SyncDir,
    /// Anything else.
    Other,
}

impl Step {
    /// Those behind which hosts die.
    const ALL: &'static [Self] = &[
        Self::Open,
        Self::Append,
        Self::Read,
        Self::Sync,
        Self::Truncate,
        Self::Close,
        Self::Rename,
        Self::Remove,
        Self::SyncDir,
    ];

    /// What a step is.
    pub const fn of(op: &DiskOp) -> Self {
        match op {
            DiskOp::Open { .. } => Self::Open,
            DiskOp::Append { .. } => Self::Append,
            DiskOp::Read { .. } => Self::Read,
            DiskOp::Sync { .. } => Self::Sync,
            DiskOp::Truncate { .. } => Self::Truncate,
            DiskOp::Close { .. } => Self::Close,
            DiskOp::Rename { .. } => Self::Rename,
            DiskOp::Remove { .. } => Self::Remove,
            DiskOp::SyncDir { .. } => Self::SyncDir,
            DiskOp::Length { .. }
            | DiskOp::MakeDir { .. }
            | DiskOp::ChangeDir { .. }
            | DiskOp::CanRun { .. } => Self::Other,
        }
    }
}

/// What an operator has a server do about its files.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Upkeep {
    /// BGSAVE
    Save,
    /// BGSAVE SCHEDULE
    SaveSoon,
    /// SAVE
    SaveNow,
    /// BGREWRITEAOF
    Rewrite,
    /// CONFIG SET appendonly yes
    LogOn,
    /// CONFIG SET appendonly no
    LogOff,
    /// The same, and CONFIG REWRITE
    LogOnForGood,
    /// The same, and CONFIG REWRITE
    LogOffForGood,
    /// SHUTDOWN
    Shutdown,
    /// SHUTDOWN SAVE
    ShutdownSave,
    /// SIGTERM
    Terminate,
}

impl Upkeep {
    /// All of them, those more than once that something hangs on that comes later.
    const ALL: &'static [Self] = &[
        Self::Save,
        Self::SaveSoon,
        Self::SaveNow,
        Self::Rewrite,
        Self::LogOn,
        Self::LogOff,
        Self::LogOnForGood,
        Self::LogOffForGood,
        Self::Shutdown,
        Self::Shutdown,
        Self::ShutdownSave,
        Self::Terminate,
        Self::Terminate,
    ];

    /// Whether it ends the server, and then whether it has it save in any case.
    pub const fn ends(self) -> Option<bool> {
        match self {
            Self::Save
            | Self::SaveSoon
            | Self::SaveNow
            | Self::Rewrite
            | Self::LogOn
            | Self::LogOff
            | Self::LogOnForGood
            | Self::LogOffForGood => None,
            Self::Shutdown | Self::Terminate => Some(false),
            Self::ShutdownSave => Some(true),
        }
    }

    /// The commands it consists of, if it is no signal.
    pub const fn commands(self) -> &'static [&'static [&'static [u8]]] {
        const REWRITE: &[&[u8]] = &[b"CONFIG", b"REWRITE"];
        const ON: &[&[u8]] = &[b"CONFIG", b"SET", b"appendonly", b"yes"];
        const OFF: &[&[u8]] = &[b"CONFIG", b"SET", b"appendonly", b"no"];
        match self {
            Self::Save => &[&[b"BGSAVE"]],
            Self::SaveSoon => &[&[b"BGSAVE", b"SCHEDULE"]],
            Self::SaveNow => &[&[b"SAVE"]],
            Self::Rewrite => &[&[b"BGREWRITEAOF"]],
            Self::LogOn => &[ON],
            Self::LogOff => &[OFF],
            Self::LogOnForGood => &[ON, REWRITE],
            Self::LogOffForGood => &[OFF, REWRITE],
            Self::Shutdown => &[&[b"SHUTDOWN"]],
            Self::ShutdownSave => &[&[b"SHUTDOWN", b"SAVE"]],
            Self::Terminate => &[],
        }
    }
}

/// A node, by name or by what it is when the fault strikes.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Target {
    /// That node.
    Node(u16),
    /// The master as most Sentinels know it.
    Master,
    /// The replica with the most data.
    BestReplica,
    /// A Sentinel that runs a failover, or any.
    Leader,
}

/// Which way packets are lost, seen from the first side.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// Both.
    Both,
    /// What it sends.
    Out,
    /// What it is sent.
    In,
}

impl Fault {
    /// A word for traces and counts.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Kill { .. } => "kill",
            Self::Reboot { .. } => "reboot",
            Self::Power { .. } => "power",
            Self::Pause { .. } => "pause",
            Self::Isolate { .. } => "isolate",
            Self::Cut { .. } => "cut",
            Self::Reset { .. } => "reset",
            Self::Slow { .. } => "slow",
            Self::Jump { .. } => "jump",
            Self::Drift { .. } => "drift",
            Self::SyncFails { .. } => "sync_fails",
            Self::DiskFull { .. } => "disk_full",
            Self::OneSyncFails { .. } => "one_sync_fails",
            Self::DiskFails { .. } => "disk_fails",
            Self::Stall { .. } => "stall",
            Self::BitFlip { .. } => "bit_flip",
            Self::GoBack { .. } => "go_back",
            Self::Wipe { .. } => "wipe",
            Self::Between { .. } => "between",
            Self::Upkeep { .. } => "upkeep",
            Self::Failover { .. } => "failover",
            Self::Handover { .. } => "handover",
            Self::Unlink { .. } => "unlink",
            Self::Order { .. } => "order",
            Self::Move { .. } => "move",
            Self::Rename { .. } => "rename",
            Self::NoNames { .. } => "no_names",
            Self::LateNames { .. } => "late_names",
            Self::Decision { .. } => "decision",
        }
    }
}

/// The schedule of a seed, in order of time.
pub fn draw(keys: Keys, options: &Options) -> Vec<Entry> {
    let mut entries = Vec::new();
    for (family, (name, mean_ms)) in options.families.by_name().into_iter().enumerate() {
        let Some(mean_ms) = mean_ms else { continue };
        let mut draws = keys.draws(Stream::Faults, family as u64);
        let mut at_ms = CALM_START_MS;
        loop {
            at_ms += draws.between(1, 2 * mean_ms);
            if at_ms >= options.safety_ms {
                break;
            }
            entries.push(draw_entry(&mut draws, name, at_ms, options));
        }
    }
    entries.sort_by_key(|entry| entry.at_ms);
    entries
}

fn draw_entry(draws: &mut Draws, family: &str, at_ms: u64, options: &Options) -> Entry {
    let down_after = options.knobs.down_after_ms;
    let lasting = |draws: &mut Draws| at_ms + draws.log_between(50, 4 * down_after + 5_000);
    let (fault, until_ms) = match family {
        "kill" => {
            let target = any(draws, options, 0.4);
            (Fault::Kill { target }, lasting(draws))
        }
        "reboot" => (draw_reboot(draws, options), at_ms),
        "power" => {
            let target = any(draws, options, 0.4);
            (Fault::Power { target }, lasting(draws))
        }
        "pause" => {
            let target = any(draws, options, 0.4);
            (Fault::Pause { target }, lasting(draws))
        }
        "partition" => (draw_partition(draws, options), lasting(draws)),
        "pair" => (draw_pair(draws, options), lasting(draws)),
        "reset" => {
            let (one, other) = (any(draws, options, 0.5), any(draws, options, 0.1));
            (Fault::Reset { one, other }, at_ms)
        }
        "slow" => {
            let fault = Fault::Slow {
                target: any(draws, options, 0.4),
                extra_us: draws.log_between(1_000, 2 * down_after * 1_000),
            };
            (fault, lasting(draws))
        }
        "clock" if draws.chance(0.5) => {
            let by_ms = either_way(draws, 100, 120_000);
            let target = any(draws, options, 0.2);
            (Fault::Jump { target, by_ms }, at_ms)
        }
        "clock" => {
            let ppm = either_way(draws, 10, 200_000);
            let target = any(draws, options, 0.2);
            (Fault::Drift { target, ppm }, lasting(draws))
        }
        "disk" => (draw_disk(draws, options), lasting(draws)),
        "operator" => (draw_order(draws, options), at_ms),
        "rot" => {
            let target = data(draws, options);
            let until = lasting(draws);
            let any = options.rot_anywhere && draws.chance(0.7);
            (Fault::BitFlip { target, any }, until)
        }
        "amnesia" => (draw_amnesia(draws, options), lasting(draws)),
        "between" => (draw_between(draws, options), lasting(draws) + 5_000),
        "decision" => {
            let moment = *draws.pick(Moment::ALL);
            (Fault::Decision { moment }, lasting(draws) + down_after)
        }
        "orders" => (draw_change(draws, options), lasting(draws)),
        "moves" => (draw_move(draws, options), lasting(draws)),
        "names" => (draw_names(draws, options), lasting(draws)),
        other => unreachable!("there is no fault family {other}"),
    };
    Entry {
        at_ms,
        until_ms,
        fault,
    }
}

fn draw_change(draws: &mut Draws, options: &Options) -> Fault {
    let target = any_sentinel(draws, options);
    let what = *draws.pick(Change::ALL);
    Fault::Order { target, what }
}

fn draw_move(draws: &mut Draws, options: &Options) -> Fault {
    let target = any_sentinel(draws, options);
    match draws.chance(0.3) {
        true => Fault::Rename { target },
        false => Fault::Move { target },
    }
}

fn draw_pair(draws: &mut Draws, options: &Options) -> Fault {
    Fault::Cut {
        one: any(draws, options, 0.5),
        other: any(draws, options, 0.2),
        direction: draw_direction(draws),
    }
}

fn draw_amnesia(draws: &mut Draws, options: &Options) -> Fault {
    let target = data(draws, options);
    match draws.chance(0.5) {
        true => Fault::GoBack { target },
        false => Fault::Wipe { target },
    }
}

fn draw_between(draws: &mut Draws, options: &Options) -> Fault {
    Fault::Between {
        target: any_server(draws, options),
        step: *draws.pick(Step::ALL),
        count: u32::try_from(draws.log_between(1, 40)).expect("small"),
        power: draws.chance(0.7),
    }
}

fn either_way(draws: &mut Draws, low: u64, high: u64) -> i64 {
    let size = i64::try_from(draws.log_between(low, high)).expect("small");
    if draws.chance(0.5) { size } else { -size }
}

fn draw_order(draws: &mut Draws, options: &Options) -> Fault {
    if draws.chance(0.4) {
        return Fault::Handover {
            target: Target::Master,
            timeout_ms: draws.log_between(1, 2 * options.knobs.down_after_ms),
            force: draws.chance(0.3),
        };
    }
    match draws.below(4) {
        0 => {
            let target = any_server(draws, options);
            let replicas = draws.chance(0.3);
            Fault::Unlink { target, replicas }
        }
        1 => {
            let target = node(draws, options.topology.sentinels().collect());
            Fault::Failover { target }
        }
        _ => Fault::Upkeep {
            target: data(draws, options),
            order: *draws.pick(Upkeep::ALL),
        },
    }
}

fn draw_names(draws: &mut Draws, options: &Options) -> Fault {
    let target = any_sentinel(draws, options);
    if draws.chance(0.6) {
        return Fault::NoNames { target };
    }
    let most_ms = draws.log_between(100, 20_000);
    Fault::LateNames { target, most_ms }
}

fn any_sentinel(draws: &mut Draws, options: &Options) -> Target {
    node(draws, options.topology.sentinels().collect())
}

fn draw_reboot(draws: &mut Draws, options: &Options) -> Fault {
    let target = if draws.chance(0.8) {
        Target::Master
    } else {
        node(draws, options.topology.data().collect())
    };
    Fault::Reboot { target }
}

fn draw_disk(draws: &mut Draws, options: &Options) -> Fault {
    let target = match draws.chance(0.5) {
        true => data(draws, options),
        false => any_server(draws, options),
    };
    let power = draws.chance(0.5);
    match draws.below(8) {
        0..=2 => Fault::SyncFails { target, power },
        3 => Fault::OneSyncFails { target, power },
        4 | 5 => Fault::DiskFull { target },
        6 => Fault::DiskFails { target },
        _ => Fault::Stall { target },
    }
}

/// Mostly the master with some clients, away from the majority of Sentinels; or any group.
fn draw_partition(draws: &mut Draws, options: &Options) -> Fault {
    let topology = &options.topology;
    let mut group = Vec::new();
    if draws.chance(0.6) {
        group.push(Target::Master);
        let minority = u64::from(topology.sentinels.div_ceil(2) - 1);
        let mut sentinels: Vec<NodeId> = topology.sentinels().collect();
        draws.shuffle(&mut sentinels);
        let company = usize::try_from(draws.between(0, minority)).expect("few");
        group.extend(sentinels[..company].iter().map(|node| Target::Node(node.0)));
        group.extend(
            (topology.clients())
                .filter(|_| draws.chance(0.5))
                .map(|node| Target::Node(node.0)),
        );
    } else {
        let nodes = topology
            .data()
            .chain(topology.sentinels())
            .chain(topology.clients());
        group.extend(
            nodes
                .filter(|_| draws.chance(0.4))
                .map(|node| Target::Node(node.0)),
        );
    }
    Fault::Isolate {
        group,
        direction: draw_direction(draws),
    }
}

fn draw_direction(draws: &mut Draws) -> Direction {
    *draws.pick(&[
        Direction::Both,
        Direction::Both,
        Direction::Out,
        Direction::In,
    ])
}

/// A server, with that chance one picked for its role.
fn any(draws: &mut Draws, options: &Options, by_role: f64) -> Target {
    if draws.chance(by_role) {
        return *draws.pick(&[
            Target::Master,
            Target::Master,
            Target::BestReplica,
            Target::Leader,
        ]);
    }
    any_server(draws, options)
}

fn any_server(draws: &mut Draws, options: &Options) -> Target {
    let topology = &options.topology;
    node(draws, topology.data().chain(topology.sentinels()).collect())
}

/// A data server, half the time the master or its best replica.
fn data(draws: &mut Draws, options: &Options) -> Target {
    if draws.chance(0.5) {
        return *draws.pick(&[Target::Master, Target::BestReplica]);
    }
    node(draws, options.topology.data().collect())
}

fn node(draws: &mut Draws, of: Vec<NodeId>) -> Target {
    Target::Node(draws.pick(&of).0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn removing_a_family_leaves_the_faults_of_all_others_as_they_were() {
        let keys = Keys::new(3);
        let mut options = Options::draw(keys);
        options.families.kill = Some(5_000);
        options.families.pause = Some(5_000);
        options.families.reset = Some(3_000);
        let all = draw(keys, &options);
        options.families.kill = None;
        let fewer = draw(keys, &options);
        let rest: Vec<&Entry> = (all.iter())
            .filter(|entry| !matches!(entry.fault, Fault::Kill { .. }))
            .collect();
        assert!(rest.len() < all.len());
        assert_eq!(rest, fewer.iter().collect::<Vec<_>>());
    }

    #[test]
    fn a_schedule_survives_a_file() {
        for seed in 0..50 {
            let keys = Keys::new(seed);
            let entries = draw(keys, &Options::draw(keys));
            let text = serde_json::to_string_pretty(&entries).unwrap();
            assert_eq!(serde_json::from_str::<Vec<Entry>>(&text).unwrap(), entries);
        }
    }
}
