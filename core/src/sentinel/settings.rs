//! The settings that concern all masters.

use core::time::Duration;
use std::collections::BTreeMap;

use crate::config::{MasterConfig, VirtualIp};

/// What the operator set for this Sentinel as a whole.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Settings {
    /// The port peers reach this Sentinel on.
    pub port: u16,
    /// `sentinel announce-ip`
    pub announce_ip: Option<Box<str>>,
    /// `sentinel announce-port`
    pub announce_port: Option<u16>,
    /// `sentinel resolve-hostnames`
    pub resolve_hostnames: bool,
    /// `sentinel announce-hostnames`
    pub announce_hostnames: bool,
    /// `sentinel deny-scripts-reconfig`
    pub deny_scripts_reconfig: bool,
    /// `sentinel sentinel-user`
    pub sentinel_user: Option<Box<[u8]>>,
    /// `sentinel sentinel-pass`
    pub sentinel_pass: Option<Box<[u8]>>,
    /// `sentinel state-file`
    pub state_file: Option<Box<str>>,
    /// `sentinel virtual-ip`, by the name of the master.
    pub virtual_ips: BTreeMap<Box<str>, VirtualIp>,
    /// `requirepass`
    pub requirepass: Option<Box<[u8]>>,
}

/// What SENTINEL DEBUG shows and changes: how often a Sentinel does what it does without a reason
/// to do it at once, and how long it waits for what. Changes are not saved.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Timing {
    /// INFO to servers.
    pub info_period: Duration,
    /// PING, at the longest.
    pub ping_period: Duration,
    /// The question whether a master is down.
    pub ask_period: Duration,
    /// Hellos.
    pub publish_period: Duration,
    /// `down-after-milliseconds` of a master that SENTINEL MONITOR adds.
    pub default_down_after: Duration,
    /// `failover-timeout` of such a master.
    pub default_failover_timeout: Duration,
    /// How late a turn has to be for TILT.
    pub tilt_trigger: Duration,
    /// How long TILT lasts.
    pub tilt_period: Duration,
    /// How long a replica may take to take note of its new master.
    pub slave_reconf_timeout: Duration,
    /// A connection younger than this is not given up for its silence.
    pub min_link_reconnect_period: Duration,
    /// How long an election may take.
    pub election_timeout: Duration,
    /// A script that runs longer is killed.
    pub script_max_runtime: Duration,
    /// The delay before the second start of a script; doubled for each one after it.
    pub script_retry_delay: Duration,
}

/// One parameter of SENTINEL DEBUG.
pub(super) type Parameter = (&'static str, fn(&mut Timing) -> &mut Duration);

/// The parameters by their names, in Redis's order.
pub(super) const PARAMETERS: [Parameter; 13] = [
    ("info-period", |timing| &mut timing.info_period),
    ("ping-period", |timing| &mut timing.ping_period),
    ("ask-period", |timing| &mut timing.ask_period),
    ("publish-period", |timing| &mut timing.publish_period),
    ("default-down-after", |timing| {
        &mut timing.default_down_after
    }),
    ("default-failover-timeout", |timing| {
        &mut timing.default_failover_timeout
    }),
    ("tilt-trigger", |timing| &mut timing.tilt_trigger),
    ("tilt-period", |timing| &mut timing.tilt_period),
    ("slave-reconf-timeout", |timing| {
        &mut timing.slave_reconf_timeout
    }),
    ("min-link-reconnect-period", |timing| {
        &mut timing.min_link_reconnect_period
    }),
    ("election-timeout", |timing| &mut timing.election_timeout),
    ("script-max-runtime", |timing| {
        &mut timing.script_max_runtime
    }),
    ("script-retry-delay", |timing| {
        &mut timing.script_retry_delay
    }),
];

impl Default for Timing {
    fn default() -> Self {
        Self {
            info_period: Duration::from_secs(10),
            ping_period: Duration::from_secs(1),
            ask_period: Duration::from_secs(1),
            publish_period: Duration::from_secs(2),
            default_down_after: Duration::from_millis(MasterConfig::DOWN_AFTER_MS),
            default_failover_timeout: Duration::from_millis(MasterConfig::FAILOVER_TIMEOUT_MS),
            tilt_trigger: Duration::from_secs(2),
            tilt_period: Duration::from_secs(30),
            slave_reconf_timeout: Duration::from_secs(10),
            min_link_reconnect_period: Duration::from_secs(15),
            election_timeout: Duration::from_secs(10),
            script_max_runtime: Duration::from_secs(60),
            script_retry_delay: Duration::from_secs(30),
        }
    }
}
