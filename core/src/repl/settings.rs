//! What the configuration says about replication.

use core::net::IpAddr;
use core::time::Duration;

/// The directives replication reads; the server keeps them up to date.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Settings {
    /// `repl-backlog-size`.
    pub backlog_bytes: usize,
    /// `repl-backlog-ttl`; zero keeps the backlog for ever.
    pub backlog_ttl: Duration,
    /// `repl-ping-replica-period`.
    pub ping_period: Duration,
    /// `repl-timeout`.
    pub timeout: Duration,
    /// `replica-keep-data-timeout`: how long a master that has lost its data is refused; zero is
    /// not at all.
    pub keep_data: Duration,
    /// `repl-diskless-sync`: whether a full synchronization waits for company.
    pub diskless_sync: bool,
    /// `repl-diskless-sync-delay`: how long it waits.
    pub diskless_delay: Duration,
    /// `repl-diskless-sync-max-replicas`: with how many it waits no longer; 0 is no limit.
    pub diskless_max_replicas: usize,
    /// `repl-diskless-load`.
    pub diskless_load: DisklessLoad,
    /// `min-replicas-to-write`; 0 turns the check off.
    pub min_replicas: usize,
    /// `min-replicas-max-lag`; zero turns the check off.
    pub min_replicas_lag: Duration,
    /// `client-output-buffer-limit replica`.
    pub output_limit: OutputLimit,
    /// `replica-priority`.
    pub priority: u32,
    /// `replica-read-only`.
    pub read_only: bool,
    /// `replica-announced`.
    pub announced: bool,
    /// `replica-announce-ip`.
    pub announce_ip: Option<Box<str>>,
    /// The port to announce: `replica-announce-port`, or the one clients connect to.
    pub announce_port: u16,
    /// `masteruser`.
    pub master_user: Option<Box<[u8]>>,
    /// `masterauth`.
    pub master_auth: Option<Box<[u8]>>,
    /// `bind-source-addr`.
    pub bind_source: Option<IpAddr>,
}

/// `repl-diskless-load`: where a replica puts a dataset it receives.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum DisklessLoad {
    /// Into a file first, always.
    Disabled,
    /// Into memory if there is nothing in it yet.
    OnEmptyDb,
    /// Into memory beside the old dataset, which it then replaces.
    Swapdb,
}

/// How much a replica may lag behind in unread output before it is dropped.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct OutputLimit {
    /// Never more than this; 0 is no limit.
    pub hard: u64,
    /// Not more than this for long; 0 is no limit.
    pub soft: u64,
    /// How long is long.
    pub soft_for: Duration,
}

impl Default for Settings {
    /// Redis's defaults.
    fn default() -> Self {
        Self {
            backlog_bytes: 1024 * 1024,
            backlog_ttl: Duration::from_secs(3600),
            ping_period: Duration::from_secs(10),
            timeout: Duration::from_secs(60),
            keep_data: Duration::from_secs(180),
            diskless_sync: true,
            diskless_delay: Duration::from_secs(5),
            diskless_max_replicas: 0,
            diskless_load: DisklessLoad::Disabled,
            min_replicas: 0,
            min_replicas_lag: Duration::from_secs(10),
            output_limit: OutputLimit {
                hard: 256 * 1024 * 1024,
                soft: 64 * 1024 * 1024,
                soft_for: Duration::from_secs(60),
            },
            priority: 100,
            read_only: true,
            announced: true,
            announce_ip: None,
            announce_port: 6379,
            master_user: None,
            master_auth: None,
            bind_source: None,
        }
    }
}
