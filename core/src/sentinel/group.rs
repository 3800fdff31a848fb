//! One monitored master with everything that belongs to it.

use core::time::Duration;
use std::collections::BTreeMap;

use crate::machine::Mono;
use crate::sentinel::InstanceId;
use crate::sentinel::election::Vote;
use crate::sentinel::failover::Failover;
use crate::sentinel::forget::Forgotten;
use crate::sentinel::instance::Histories;
use crate::sentinel::names::Epoch;
use crate::sentinel::record::Records;

/// A monitored master, its replicas, and the Sentinels that watch it too.
#[derive(Debug)]
pub struct Group {
    /// The name it was configured under.
    pub name: Box<str>,
    /// Where the operator's file has the master, if what is learnt is kept elsewhere.
    pub configured: Option<(Box<str>, u16)>,
    /// The master.
    pub master: InstanceId,
    /// Its replicas, in the order they became known.
    pub replicas: Vec<InstanceId>,
    /// The other Sentinels, in the order they became known.
    pub peers: Vec<InstanceId>,
    /// What the operator set.
    pub options: Options,
    /// The epoch that made the present configuration.
    pub config_epoch: Epoch,
    /// My vote.
    pub vote: Vote,
    /// Objectively down, and since when.
    pub o_down: Option<Mono>,
    /// Where its failover stands.
    pub failover: Failover,
    /// When failovers may start.
    pub start: Start,
    /// What its masters have written.
    pub histories: Histories,
    /// What became of its failovers.
    pub(super) records: Records,
    /// Who was forgotten by name.
    pub forgotten: Forgotten,
}

/// The settings of one master.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Options {
    /// How many Sentinels have to find the master down.
    pub quorum: u32,
    /// `down-after-milliseconds`
    pub down_after: Duration,
    /// `failover-timeout`
    pub failover_timeout: Duration,
    /// `parallel-syncs`
    pub parallel_syncs: u32,
    /// `master-reboot-down-after-period`; zero is never.
    pub reboot_down_after: Duration,
    /// `notification-script`
    pub notification_script: Option<Box<str>>,
    /// `client-reconfig-script`
    pub client_reconfig_script: Option<Box<str>>,
    /// `auth-user`
    pub auth_user: Option<Box<[u8]>>,
    /// `auth-pass`
    pub auth_pass: Option<Box<[u8]>>,
    /// `auto-failover`: whether a failover may start without an operator's word.
    pub auto_failover: bool,
    /// `rename-command`: lower-case name to the name in use.
    pub renamed: BTreeMap<String, String>,
}

/// What holds the start of a failover back.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Start {
    /// When the last one was started, by me or by the Sentinel I voted for.
    pub last: Option<Mono>,
    /// When the one that is due begins, so that not all begin at once.
    pub at: Option<Mono>,
    /// Elections in a row that nobody could win.
    pub splits: u32,
    /// After an election that nobody could win, when to try again.
    pub retry_at: Option<Mono>,
    /// Whether the last one ended for want of a replica to promote.
    pub no_good_slave: bool,
    /// The instant of the last "Next failover delay" line.
    pub delay_logged: Option<Mono>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            quorum: 2,
            down_after: Duration::from_secs(30),
            failover_timeout: Duration::from_secs(180),
            parallel_syncs: 1,
            reboot_down_after: Duration::ZERO,
            notification_script: None,
            client_reconfig_script: None,
            auth_user: None,
            auth_pass: None,
            auto_failover: true,
            renamed: BTreeMap::new(),
        }
    }
}

impl Options {
    /// Under which name a command goes to the servers of this master.
    pub fn command_name<'a>(&'a self, name: &'a str) -> &'a str {
        self.renamed
            .get(&name.to_ascii_lowercase())
            .map_or(name, String::as_str)
    }
}

impl Start {
    /// Since when the next failover may start; `None` if it may not wait for anything.
    pub fn allowed_at(&self, failover_timeout: Duration) -> Option<Mono> {
        match self.retry_at {
            Some(at) => Some(at),
            None => self
                .last
                .map(|last| last + failover_timeout.saturating_mul(2)),
        }
    }
}

impl Group {
    /// Everybody who has a vote, this Sentinel among them.
    pub fn voters(&self) -> usize {
        self.peers.len() + 1
    }

    /// The master, its replicas and the other Sentinels, in this order.
    pub fn members(&self) -> impl Iterator<Item = InstanceId> {
        let replicas = self.replicas.iter().copied();
        core::iter::once(self.master)
            .chain(replicas)
            .chain(self.peers.iter().copied())
    }

    /// The servers: the master and its replicas.
    pub fn servers(&self) -> impl Iterator<Item = InstanceId> {
        core::iter::once(self.master).chain(self.replicas.iter().copied())
    }
}
