//! The settings that concern all masters.

use core::time::Duration;

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
    /// `requirepass`
    pub requirepass: Option<Box<[u8]>>,
}

/// How often a Sentinel does what it does without a reason to do it at once.
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
    /// How long a replica may take to take note of its new master.
    pub slave_reconf_timeout: Duration,
}

impl Default for Timing {
    fn default() -> Self {
        Self {
            info_period: Duration::from_secs(10),
            ping_period: Duration::from_secs(1),
            ask_period: Duration::from_secs(1),
            publish_period: Duration::from_secs(2),
            slave_reconf_timeout: Duration::from_secs(10),
        }
    }
}
