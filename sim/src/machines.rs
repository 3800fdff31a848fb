//! The machines under test and the views the oracles take of them.

use holdfast_core::config::{SentinelConfig, Source};
use holdfast_core::machine::Now;
use holdfast_core::sentinel::failover::Failover;
use holdfast_core::sentinel::names::{Epoch, HostAddr};
use holdfast_core::sentinel::{Sentinel, view};

use crate::ids::Kind;
use crate::program::{Boot, FailoverState, Id, MasterView, Program, ReplicaView, SentinelView};

/// Makes the process of a node.
pub fn make(boot: &Boot<'_>) -> Result<Box<dyn Program>, String> {
    match boot.kind {
        Kind::Sentinel => make_sentinel(boot),
        Kind::Data | Kind::Client => Err(format!("there is no machine for {:?} nodes", boot.kind)),
    }
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

impl Program for Sentinel {
    fn sentinel(&self, now: Now) -> Option<SentinelView> {
        let watch = self.watch();
        Some(SentinelView {
            myid: id(watch.id().as_str()),
            current_epoch: watch.epoch().0,
            tilt: watch.is_in_tilt(),
            masters: watch
                .masters()
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
    }
}

/// An address of the simulated world, where every host is given by its address.
fn socket(addr: &HostAddr) -> std::net::SocketAddr {
    addr.socket()
        .expect("hosts of the world are given by address")
}

fn id(text: &str) -> Id {
    text.as_bytes()
        .try_into()
        .expect("ids have forty characters")
}
