//! The machines under test and the views the oracles take of them.

use std::net::SocketAddr;

use holdfast_core::config::{Config, SentinelConfig, Source};
use holdfast_core::machine::Now;
use holdfast_core::repl::Offset;
use holdfast_core::sentinel::failover::Failover;
use holdfast_core::sentinel::info::LinkDown;
use holdfast_core::sentinel::names::{Epoch, HostAddr};
use holdfast_core::sentinel::{Sentinel, view};
use holdfast_core::server::{Launch, Server, digest};
use holdfast_core::value::List;

use crate::client::MASTER_NAME;
use crate::ids::{Kind, NodeId};
use crate::program::{
    Boot, FailoverState, Id, Log, MasterView, Program, ReplicaView, Saves, SentinelView, ServerView,
};

/// Makes the process of a node.
pub fn make(boot: &Boot<'_>) -> Result<Box<dyn Program>, String> {
    match boot.kind {
        Kind::Sentinel => make_sentinel(boot),
        Kind::Data => make_server(boot),
        Kind::Client => Err("clients are not processes of ours".to_owned()),
    }
}

/// Makes a data server.
pub fn make_server(boot: &Boot<'_>) -> Result<Box<dyn Program>, String> {
    let source = Source::new(boot.config_path, boot.config);
    let mut include = |_: &str| Err("nothing is included".to_owned());
    let mut config = Config::load(&[source], &mut include).map_err(|error| error.to_string())?;
    config.set_file(boot.config_path);
    let launch = Launch {
        pid: 1,
        os: "Simulated".into(),
        program: "holdfast".into(),
        executable: "/usr/bin/holdfast".into(),
        config_file: boot.config_path.into(),
        acl_file: None,
        supervised: "no",
        allocator: "none".into(),
        system_memory: 1 << 34,
    };
    Ok(Box::new(Server::new(config, launch, boot.seed, boot.now)))
}

/// Makes a Sentinel.
pub fn make_sentinel(boot: &Boot<'_>) -> Result<Box<dyn Program>, String> {
    let source = Source::new(boot.config_path, boot.config);
    let mut include = |_: &str| Err("nothing is included".to_owned());
    let mut config =
        SentinelConfig::load(&[source], &mut include).map_err(|error| error.to_string())?;
    config.config.set_file(boot.config_path);
    Ok(Box::new(Sentinel::new(config, boot.seed, boot.now)))
}

impl Program for Server {
    fn server(&self) -> Option<ServerView> {
        let state = self.state();
        let repl = &state.repl;
        let history = repl.history();
        Some(ServerView {
            replid: *history.replid().as_bytes(),
            replid2: *history.replid2().as_bytes(),
            second_offset: history.second_offset(),
            offset: history.offset().get(),
            master: repl.master().map(|(host, port)| {
                let ip = host
                    .parse()
                    .expect("hosts of the world are given by address");
                SocketAddr::new(ip, port)
            }),
            link_up: repl.is_connected(),
            loading: state.is_loading(),
            placed: repl.place().is_some(),
            hands_over: repl.is_failing_over() && !repl.awaits_handover(),
            backlog_from: repl.backlog_start().map(Offset::get),
        })
    }

    fn busy_with(&self) -> Vec<&'static str> {
        let state = self.state();
        let busy = [
            (state.is_loading(), "crash mid-load"),
            (state.aof.is_rewriting(), "crash mid-rewrite"),
            (state.persist.is_saving(), "crash mid-save"),
            (state.repl.receiving().is_some(), "crash mid-transfer"),
        ];
        let busy = busy.into_iter().filter(|(is, _)| *is);
        busy.map(|(_, mark)| mark).collect()
    }

    fn saves(&self) -> Saves {
        let persist = &self.state().persist;
        Saves {
            done: persist.saves(),
            under_way: persist.is_saving(),
        }
    }

    fn rewrites(&self) -> bool {
        self.state().aof.is_rewriting() || self.state().persist.is_saving()
    }

    fn dataset_digest(&self) -> Option<u128> {
        let digest = digest::dataset(self.keys());
        let (half, _) = digest.split_at(16);
        Some(u128::from_le_bytes(half.try_into().expect("sixteen bytes")))
    }

    fn log(&self) -> Log {
        let aof = &self.state().aof;
        Log {
            sound: aof.is_sound(),
            durable: aof.is_durable(),
        }
    }

    fn check_invariants(&self) {
        Self::check_invariants(self);
    }

    fn has_element(&self, list: u32, element: u64) -> bool {
        let (key, element) = (format!("list:{list}"), element.to_string());
        let entry = self.keys().db(0).get(key.as_bytes());
        let list = entry.and_then(|entry| entry.value().as_collection::<List>());
        list.is_some_and(|list| list.iter().any(|item| *item == *element.as_bytes()))
    }
}

impl Program for Sentinel {
    fn sentinel(&self, now: Now) -> Option<SentinelView> {
        let watch = self.watch();
        Some(SentinelView {
            myid: id(watch.id().as_str()),
            current_epoch: watch.epoch().0,
            tilt: watch.is_in_tilt(),
            masters: watch
                .masters()
                .filter(|master| master.name == MASTER_NAME)
                .map(|master| master_view(self, now, &master))
                .collect(),
        })
    }

    fn check_invariants(&self) {
        Self::check_invariants(self);
    }
}

fn master_view(sentinel: &Sentinel, now: Now, master: &view::MasterView<'_>) -> MasterView {
    let replicas = sentinel.watch().replicas(now.mono, master.name);
    MasterView {
        name: master.name.to_owned(),
        addr: socket(master.addr),
        quorum: master.quorum,
        config_epoch: master.config_epoch.0,
        leader: master.leader.map(|leader| id(leader.as_str())),
        leader_epoch: master.leader_epoch.0,
        failover_epoch: master.failover.epoch().map_or(0, |Epoch(epoch)| epoch),
        state: match master.failover {
            Failover::Idle => FailoverState::None,
            Failover::WaitStart { .. } => FailoverState::WaitStart,
            Failover::SelectSlave { .. } => FailoverState::SelectSlave,
            Failover::SendSlaveofNoOne { .. } => FailoverState::SendSlaveofNoOne,
            Failover::WaitPromotion { .. } => FailoverState::WaitPromotion,
            Failover::ReconfSlaves { .. } => FailoverState::ReconfSlaves,
        },
        forced: master.failover.is_forced(),
        s_down: master.s_down,
        o_down: master.o_down,
        others: master.peers,
        replicas: replicas.iter().map(replica_view).collect(),
    }
}

fn replica_view(replica: &view::ReplicaView<'_>) -> ReplicaView {
    let candidate = &replica.candidate;
    ReplicaView {
        addr: socket(candidate.key),
        runid: candidate.runid.map(|runid| id(runid.as_str())),
        priority: candidate.priority,
        replid: candidate.replid.map(|replid| id(replid.as_str())),
        offset: candidate.offset,
        promoted: replica.is_promoted,
        eligible: replica.is_good,
        never_linked: candidate.link_down == LinkDown::Never,
        followed: candidate.followed,
    }
}

/// An address of the simulated world, where every host keeps its own, whether a Sentinel has looked
/// it up or not.
fn socket(addr: &HostAddr) -> SocketAddr {
    let known = || {
        let number = addr.host().strip_prefix('d')?.parse::<u16>().ok()?;
        Some(NodeId(number - 1).at(addr.port()))
    };
    addr.socket()
        .or_else(known)
        .expect("hosts of the world have an address or a name of a data node")
}

fn id(text: &str) -> Id {
    text.as_bytes()
        .try_into()
        .expect("ids have forty characters")
}
