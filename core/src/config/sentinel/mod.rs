//! sentinel.conf: what a Sentinel is told to watch, and its durable memory.

mod load;
mod rewrite;
mod state;
mod virtual_ip;

use super::fault::{ConfigError, Fault, Origin};
use super::store::Config;

pub use load::check_virtual_ip;
pub use rewrite::{rewrite_sentinel, rewrite_settings};
pub use state::state_text;
pub use virtual_ip::VirtualIp;

/// A Sentinel's configuration and state, as its file holds them.
#[derive(Clone, Debug, PartialEq)]
pub struct SentinelConfig {
    /// The text of the file of ACL users that `aclfile` names.
    pub acl_file: Option<Box<[u8]>>,
    /// The directives a Sentinel shares with a server.
    pub config: Config,
    /// Forty characters; `None` until the first start has chosen them.
    pub myid: Option<String>,
    /// The highest epoch heard of.
    pub current_epoch: u64,
    /// Whether SENTINEL SET may not change scripts.
    pub deny_scripts_reconfig: bool,
    /// Whether hosts may be names.
    pub resolve_hostnames: bool,
    /// Whether hosts are shown by name.
    pub announce_hostnames: bool,
    /// The address others are told to reach us at.
    pub announce_ip: Option<String>,
    /// The port others are told to reach us at; 0 for the real one.
    pub announce_port: u16,
    /// The user at other Sentinels.
    pub sentinel_user: Option<Vec<u8>>,
    /// The password for other Sentinels.
    pub sentinel_pass: Option<Vec<u8>>,
    /// Where what the Sentinel learns is kept, if not in the operator's file.
    pub state_file: Option<String>,
    /// What is watched, by unique name.
    pub masters: Vec<MasterConfig>,
    /// Where virtual IPs are given, for [`check_virtual_ips`](Self::check_virtual_ips).
    virtual_ips: Vec<(VirtualIp, Origin)>,
    /// Where scripts are named, for [`check_scripts`](Self::check_scripts).
    scripts: Vec<(ScriptKind, String, Origin)>,
}

/// One watched master.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct MasterConfig {
    /// Its name.
    pub name: String,
    /// Its address, or its host name where names are allowed.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// Where the operator's file has it, if what was learnt is kept elsewhere.
    pub configured: Option<(String, u16)>,
    /// How many Sentinels must agree that it is down.
    pub quorum: u32,
    /// Silence after which it counts as down.
    pub down_after_ms: u64,
    /// How long a failover may take.
    pub failover_timeout_ms: u64,
    /// How many replicas are reconfigured at a time.
    pub parallel_syncs: u32,
    /// How long it may be loading after a restart; 0 for any time.
    pub master_reboot_down_after_ms: u64,
    /// Run at events.
    pub notification_script: Option<String>,
    /// Run when the address changes.
    pub client_reconfig_script: Option<String>,
    /// The address that is to be where the master is.
    pub virtual_ip: Option<VirtualIp>,
    /// The password of the master and its replicas.
    pub auth_pass: Option<Vec<u8>>,
    /// The user at the master and its replicas.
    pub auth_user: Option<Vec<u8>>,
    /// Whether a failover may start without an operator's word.
    pub auto_failover: bool,
    /// The epoch of its present address.
    pub config_epoch: u64,
    /// The epoch of our last vote.
    pub leader_epoch: u64,
    /// Host and port of each replica.
    pub known_replicas: Vec<(String, u16)>,
    /// Host, port and id of each other Sentinel.
    pub known_sentinels: Vec<(String, u16, String)>,
    /// A command's name and what the master calls it.
    pub renamed_commands: Vec<(String, String)>,
}

impl SentinelConfig {
    /// A Sentinel that watches nothing.
    pub fn new(config: Config) -> Self {
        Self {
            acl_file: None,
            config,
            myid: None,
            current_epoch: 0,
            deny_scripts_reconfig: true,
            resolve_hostnames: false,
            announce_hostnames: false,
            announce_ip: None,
            announce_port: 0,
            sentinel_user: None,
            sentinel_pass: None,
            state_file: None,
            masters: Vec::new(),
            virtual_ips: Vec::new(),
            scripts: Vec::new(),
        }
    }

    /// Refuses scripts that can't be run, as only the system can tell.
    pub fn check_scripts(
        &self,
        mut is_executable: impl FnMut(&str) -> bool,
    ) -> Result<(), ConfigError> {
        for (kind, path, origin) in &self.scripts {
            if !is_executable(path) {
                return Err(origin.error(Fault::Because(kind.not_executable())));
            }
        }
        Ok(())
    }

    /// Refuses virtual IPs that this process can't put on an interface, as only the system can
    /// tell.
    pub fn check_virtual_ips(
        &self,
        mut check: impl FnMut(&VirtualIp) -> Result<(), String>,
    ) -> Result<(), ConfigError> {
        for (spec, origin) in &self.virtual_ips {
            check(spec).map_err(|reason| origin.error(Fault::Other(reason.into())))?;
        }
        Ok(())
    }
}

impl MasterConfig {
    /// Silence after which a master counts as down, unless it is told otherwise.
    pub const DOWN_AFTER_MS: u64 = 30_000;
    /// How long a failover may take, unless it is told otherwise.
    pub const FAILOVER_TIMEOUT_MS: u64 = 180_000;
    /// Replicas reconfigured at a time, unless it is told otherwise.
    pub const PARALLEL_SYNCS: u32 = 1;

    /// A master with the defaults.
    pub fn new(name: &str, host: &str, port: u16, quorum: u32) -> Self {
        Self {
            name: name.to_owned(),
            host: host.to_owned(),
            port,
            configured: None,
            quorum,
            down_after_ms: Self::DOWN_AFTER_MS,
            failover_timeout_ms: Self::FAILOVER_TIMEOUT_MS,
            parallel_syncs: Self::PARALLEL_SYNCS,
            master_reboot_down_after_ms: 0,
            notification_script: None,
            client_reconfig_script: None,
            virtual_ip: None,
            auth_pass: None,
            auth_user: None,
            auto_failover: true,
            config_epoch: 0,
            leader_epoch: 0,
            known_replicas: Vec::new(),
            known_sentinels: Vec::new(),
            renamed_commands: Vec::new(),
        }
    }
}

/// What a script is for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum ScriptKind {
    Notification,
    ClientReconfig,
}

impl ScriptKind {
    fn not_executable(self) -> &'static str {
        match self {
            Self::Notification => "Notification script seems non existing or non executable.",
            Self::ClientReconfig => {
                "Client reconfiguration script seems non existing or non executable."
            }
        }
    }
}

/// Options that are of no master.
pub(super) const GLOBAL_OPTIONS: &[&str] = &[
    "myid",
    "current-epoch",
    "deny-scripts-reconfig",
    "resolve-hostnames",
    "announce-hostnames",
    "announce-ip",
    "announce-port",
    "sentinel-user",
    "sentinel-pass",
    "state-file",
];

#[cfg(test)]
mod tests;
