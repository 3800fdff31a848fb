//! What the simulator runs on a node, and what oracles may see of it.

use std::net::SocketAddr;

use holdfast_core::machine::{Machine, Now};

use crate::ids::Kind;

/// Forty characters that name a replication history, a server run or a Sentinel.
pub type Id = [u8; 40];

/// A machine with views for the oracles. A view is read-only and shows no more than a machine's
/// own replies to INFO, ROLE and SENTINEL commands do.
pub trait Program: Machine {
    /// Where a data server stands in its replication history.
    fn server(&self) -> Option<ServerView> {
        None
    }

    /// A digest of a data server's whole dataset; costs time in its size.
    fn dataset_digest(&self) -> Option<u128> {
        None
    }

    /// Whether a data server has an element in one of the lists that clients push to.
    fn has_element(&self, _list: u32, _element: u64) -> bool {
        false
    }

    /// What a data server says of its append-only file.
    fn log(&self) -> Log {
        Log::default()
    }

    /// What a data server says of the saves of its dataset.
    fn saves(&self) -> Saves {
        Saves::default()
    }

    /// What a data server is in the middle of, if it dies now.
    fn busy_with(&self) -> Vec<&'static str> {
        Vec::new()
    }

    /// Whether a data server writes its dataset anew to a file.
    fn rewrites(&self) -> bool {
        false
    }

    /// What a Sentinel thinks of the masters it watches.
    fn sentinel(&self, _now: Now) -> Option<SentinelView> {
        None
    }

    /// Panics if something is wrong that must never be.
    fn check_invariants(&self) {}
}

/// A data server's append-only file.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Log {
    /// It is found at the next start with all that is done, and nothing is wrong with it.
    pub sound: bool,
    /// All that is in it is durable.
    pub durable: bool,
}

/// The saves of a data server's dataset to its RDB file.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Saves {
    /// Those that have succeeded since it started.
    pub done: u64,
    /// Whether one is under way.
    pub under_way: bool,
}

/// A data server's replication state.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct ServerView {
    /// The name of its history.
    pub replid: Id,
    /// The name of the history before that; zeros if none.
    pub replid2: Id,
    /// The last offset at which `replid2` is valid, plus one; -1 if never.
    pub second_offset: i64,
    /// Bytes of the history produced or applied.
    pub offset: u64,
    /// Whom it replicates; `None` for a master.
    pub master: Option<SocketAddr>,
    /// Whether the link to that master is up.
    pub link_up: bool,
    /// Whether it is loading a dataset.
    pub loading: bool,
    /// Whether history and offset describe its dataset: not before it has a backlog or was synced.
    pub placed: bool,
    /// Whether it asks its master to take over from it.
    pub hands_over: bool,
    /// The offset behind which its backlog holds everything.
    pub backlog_from: Option<u64>,
}

/// A Sentinel's state.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct SentinelView {
    /// Its lasting name.
    pub myid: Id,
    /// The newest epoch it has seen.
    pub current_epoch: u64,
    /// Whether it mistrusts its clock.
    pub tilt: bool,
    /// The masters it watches, by name.
    pub masters: Vec<MasterView>,
}

/// A Sentinel's view of one master.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct MasterView {
    /// Its configured name.
    pub name: String,
    /// The address clients are given.
    pub addr: SocketAddr,
    /// Sentinels that must agree that it is down.
    pub quorum: u32,
    /// The version of the address.
    pub config_epoch: u64,
    /// The candidate this Sentinel last voted for.
    pub leader: Option<Id>,
    /// The epoch of that vote.
    pub leader_epoch: u64,
    /// The epoch of the failover it runs or last ran.
    pub failover_epoch: u64,
    /// Where that failover stands.
    pub state: FailoverState,
    /// Whether an operator forced it.
    pub forced: bool,
    /// Subjectively down.
    pub s_down: bool,
    /// Objectively down.
    pub o_down: bool,
    /// Other Sentinels it knows of.
    pub others: usize,
    /// The replicas it knows of.
    pub replicas: Vec<ReplicaView>,
}

/// The states of a failover, by Redis's names.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum FailoverState {
    /// none
    None,
    /// wait_start
    WaitStart,
    /// select_slave
    SelectSlave,
    /// send_slaveof_noone
    SendSlaveofNoOne,
    /// wait_promotion
    WaitPromotion,
    /// reconf_slaves
    ReconfSlaves,
    /// update_config
    UpdateConfig,
}

/// A Sentinel's view of one replica.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ReplicaView {
    /// Its address.
    pub addr: SocketAddr,
    /// Its run id, once known.
    pub runid: Option<Id>,
    /// Lower is preferred; 0 is never promoted.
    pub priority: u32,
    /// The history it follows, by its last INFO.
    pub replid: Option<Id>,
    /// Bytes it has applied, by its last INFO.
    pub offset: u64,
    /// Whether it is the chosen one of a failover.
    pub promoted: bool,
    /// Whether a promotion may choose it now.
    pub eligible: bool,
    /// Whether it says that it never had a link to its master since it started.
    pub never_linked: bool,
    /// Whether the configured master follows it.
    pub followed: bool,
}

/// What a process is started from.
pub struct Boot<'a> {
    /// What it is.
    pub kind: Kind,
    /// The content of its configuration file as it is on disk.
    pub config: &'a [u8],
    /// The path of that file.
    pub config_path: &'a str,
    /// All its randomness.
    pub seed: [u8; 32],
    /// The clocks at its start.
    pub now: Now,
}

/// Makes the machines of a run. The error is what the process would print before it exits.
pub type Maker = fn(&Boot<'_>) -> Result<Box<dyn Program>, String>;
