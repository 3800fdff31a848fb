//! Reading sentinel.conf.
//!
//! The order of the lines does not matter: options of no master are read first, then the masters,
//! then what belongs to each of them.

use core::net::IpAddr;

use super::super::fault::{ConfigError, Fault};
use super::super::load::{Include, Loader, Mode, Source};
use super::super::row::parse_bool;
use super::super::store::{Config, Directive};
use super::super::text::parse_int;
use super::{GLOBAL_OPTIONS, MasterConfig, ScriptKind, SentinelConfig, VirtualIp};
use crate::limits::{SENTINEL_KNOWN_MAX, SENTINEL_MASTERS_MAX, SENTINEL_VIRTUAL_IPS_MAX};

impl SentinelConfig {
    /// Reads the sources of a Sentinel in order.
    ///
    /// Whether scripts can be run is for [`check_scripts`](Self::check_scripts).
    pub fn load(sources: &[Source], include: &mut Include<'_>) -> Result<Self, ConfigError> {
        let mode = Mode::Sentinel(Vec::new());
        let mut loader = Loader::new(Config::sentinel_default(), mode, include);
        for source in sources {
            loader.read(source, 0)?;
        }
        let Mode::Sentinel(mut lines) = loader.mode else {
            unreachable!("the mode does not change");
        };
        let mut sentinel = Self::new(loader.config);
        lines.sort_by_key(phase);
        for line in lines {
            sentinel
                .apply(&line)
                .map_err(|fault| line.origin.error(fault))?;
        }
        Ok(sentinel)
    }

    fn apply(&mut self, line: &Directive) -> Result<(), Fault> {
        let option = option_of(line);
        let args: Vec<&[u8]> = line.args[1..].iter().map(Vec::as_slice).collect();
        match (option.as_str(), args.as_slice()) {
            ("monitor", &[name, host, port, quorum]) => self.monitor(name, host, port, quorum),
            (global, &[value]) if GLOBAL_OPTIONS.contains(&global) => self.global(global, value),
            // A Sentinel remembered without its id is of no use.
            ("known-sentinel", &[name, _, _]) => self.master(name).map(|_| ()),
            ("known-replica" | "known-slave", &[name, host, port]) => {
                let replica = (self.host(host)?, parse_port(port)?);
                let known = &mut self.master(name)?.known_replicas;
                let repeated = "Duplicate hostname and port for replica.";
                add(known, replica, repeated, |old, new| old == new)
            }
            ("configured", &[name, host, port]) => {
                let configured = (self.host(host)?, parse_port(port)?);
                self.master(name)?.configured = Some(configured);
                Ok(())
            }
            ("known-sentinel", &[name, host, port, runid]) => {
                let repeated = "Duplicate runid for sentinel.";
                let malformed = "Malformed Sentinel id in known-sentinel option.";
                let runid = parse_id(runid, malformed)?;
                let sentinel = (self.host(host)?, parse_port(port)?, runid);
                let known = &mut self.master(name)?.known_sentinels;
                add(known, sentinel, repeated, |old, new| old.2 == new.2)
            }
            ("rename-command", &[name, from, to]) => {
                let renamed = (parse_text(from)?, parse_text(to)?);
                let known = &mut self.master(name)?.renamed_commands;
                let repeated = "Same command renamed multiple times with rename-command.";
                add(known, renamed, repeated, |old, new| {
                    old.0.eq_ignore_ascii_case(&new.0)
                })
            }
            ("notification-script", &[name, path]) => {
                let path = parse_text(path)?;
                self.master(name)?.notification_script = Some(path.clone());
                let origin = line.origin.clone();
                self.scripts.push((ScriptKind::Notification, path, origin));
                Ok(())
            }
            ("client-reconfig-script", &[name, path]) => {
                let path = parse_text(path)?;
                self.master(name)?.client_reconfig_script = Some(path.clone());
                let origin = line.origin.clone();
                self.scripts
                    .push((ScriptKind::ClientReconfig, path, origin));
                Ok(())
            }
            ("virtual-ip", &[name, address, interface]) => {
                self.virtual_ip(line, name, address, interface, None)
            }
            ("virtual-ip", &[name, address, interface, at_exit]) => {
                self.virtual_ip(line, name, address, interface, Some(at_exit))
            }
            (option, &[name, value]) => self.master(name)?.apply(option, value),
            (_, _) => Err(UNRECOGNIZED),
        }
    }

    fn global(&mut self, option: &str, value: &[u8]) -> Result<(), Fault> {
        let yes_or_no = |reason| parse_bool(value).ok_or(Fault::Because(reason));
        match option {
            "myid" => self.myid = Some(parse_id(value, "Malformed Sentinel id in myid option.")?),
            "current-epoch" => self.current_epoch = parse_number(value, 0, u64::MAX)?,
            "deny-scripts-reconfig" => {
                self.deny_scripts_reconfig =
                    yes_or_no("Please specify yes or no for the deny-scripts-reconfig options.")?;
            }
            "resolve-hostnames" => {
                self.resolve_hostnames =
                    yes_or_no("Please specify yes or no for the resolve-hostnames option.")?;
            }
            "announce-hostnames" => {
                self.announce_hostnames =
                    yes_or_no("Please specify yes or no for the announce-hostnames option.")?;
            }
            "announce-ip" => self.announce_ip = non_empty(value).map(parse_text).transpose()?,
            "announce-port" => self.announce_port = parse_port(value)?,
            "sentinel-user" => self.sentinel_user = non_empty(value).map(<[u8]>::to_vec),
            "state-file" => self.state_file = non_empty(value).map(parse_text).transpose()?,
            "sentinel-pass" => self.sentinel_pass = non_empty(value).map(<[u8]>::to_vec),
            _ => return Err(UNRECOGNIZED),
        }
        Ok(())
    }

    fn monitor(
        &mut self,
        name: &[u8],
        host: &[u8],
        port: &[u8],
        quorum: &[u8],
    ) -> Result<(), Fault> {
        let name = parse_text(name)?;
        let quorum = parse_int(quorum).and_then(|quorum| u32::try_from(quorum).ok());
        let quorum = quorum.filter(|&quorum| quorum > 0);
        let quorum = quorum.ok_or(Fault::Because("Quorum must be 1 or greater."))?;
        let (port, host) = (parse_port(port)?, self.host(host)?);
        if self.masters.iter().any(|master| master.name == name) {
            return Err(Fault::Because("Duplicate master name."));
        }
        if self.masters.len() == SENTINEL_MASTERS_MAX {
            return Err(Fault::Because("too many masters"));
        }
        self.masters
            .push(MasterConfig::new(&name, &host, port, quorum));
        Ok(())
    }

    fn virtual_ip(
        &mut self,
        line: &Directive,
        name: &[u8],
        address: &[u8],
        interface: &[u8],
        at_exit: Option<&[u8]>,
    ) -> Result<(), Fault> {
        let at_exit = at_exit.map(parse_text).transpose()?;
        let (address, interface) = (parse_text(address)?, parse_text(interface)?);
        let spec = VirtualIp::parse(&address, &interface, at_exit.as_deref())?;
        self.master(name)?;
        let others = self.masters.iter();
        let others = others.filter(|master| master.name.as_bytes() != name);
        check_virtual_ip(
            &spec,
            others.filter_map(|master| master.virtual_ip.as_ref()),
        )?;
        self.master(name)?.virtual_ip = Some(spec.clone());
        self.virtual_ips.push((spec, line.origin.clone()));
        Ok(())
    }

    fn master(&mut self, name: &[u8]) -> Result<&mut MasterConfig, Fault> {
        self.masters
            .iter_mut()
            .find(|master| master.name.as_bytes() == name)
            .ok_or(Fault::Because("No such master with specified name."))
    }

    /// A host as it is written: an address, or where names are allowed a name.
    fn host(&self, host: &[u8]) -> Result<String, Fault> {
        let host = parse_text(host)?;
        let is_address = host.parse::<IpAddr>().is_ok();
        if is_address || (self.resolve_hostnames && !host.is_empty()) {
            Ok(host)
        } else {
            Err(Fault::Because("Can't resolve instance hostname."))
        }
    }
}

impl MasterConfig {
    fn apply(&mut self, option: &str, value: &[u8]) -> Result<(), Fault> {
        match option {
            "down-after-milliseconds" => self.down_after_ms = parse_time(value)?,
            "failover-timeout" => self.failover_timeout_ms = parse_time(value)?,
            "parallel-syncs" => {
                let syncs = parse_number(value, 1, u32::MAX.into())?;
                self.parallel_syncs = u32::try_from(syncs).expect("the range fits 32 bits");
            }
            "master-reboot-down-after-period" => {
                self.master_reboot_down_after_ms = parse_int(value)
                    .and_then(|time| u64::try_from(time).ok())
                    .ok_or(Fault::Because("negative time parameter."))?;
            }
            "auth-pass" => self.auth_pass = non_empty(value).map(<[u8]>::to_vec),
            "auth-user" => self.auth_user = non_empty(value).map(<[u8]>::to_vec),
            "auto-failover" => {
                self.auto_failover = parse_bool(value).ok_or(Fault::Because(
                    "Please specify yes or no for the auto-failover option.",
                ))?;
            }
            "config-epoch" => self.config_epoch = parse_number(value, 0, u64::MAX)?,
            "leader-epoch" => self.leader_epoch = parse_number(value, 0, u64::MAX)?,
            _ => return Err(UNRECOGNIZED),
        }
        Ok(())
    }
}

/// Whether a virtual IP goes with those of the other masters.
pub fn check_virtual_ip<'a>(
    spec: &VirtualIp,
    others: impl Iterator<Item = &'a VirtualIp>,
) -> Result<(), Fault> {
    let mut count = 0;
    for other in others {
        count += 1;
        if other.address == spec.address {
            return Err(Fault::Because("another master has this virtual IP."));
        }
    }
    if count >= SENTINEL_VIRTUAL_IPS_MAX {
        return Err(Fault::Because("too many virtual IPs."));
    }
    Ok(())
}

const UNRECOGNIZED: Fault = Fault::Because("Unrecognized sentinel configuration statement.");

fn option_of(line: &Directive) -> String {
    String::from_utf8_lossy(&line.args[0]).to_ascii_lowercase()
}

fn phase(line: &Directive) -> u8 {
    match option_of(line).as_str() {
        "monitor" => 1,
        option if GLOBAL_OPTIONS.contains(&option) => 0,
        _ => 2,
    }
}

/// Adds an item unless one like it is there, for which `repeated` is the reason to give.
fn add<T>(
    known: &mut Vec<T>,
    item: T,
    repeated: &'static str,
    same: impl Fn(&T, &T) -> bool,
) -> Result<(), Fault> {
    if known.iter().any(|old| same(old, &item)) {
        return Err(Fault::Because(repeated));
    }
    if known.len() == SENTINEL_KNOWN_MAX {
        return Err(Fault::Because(
            "too many lines of this option for one master",
        ));
    }
    known.push(item);
    Ok(())
}

fn non_empty(value: &[u8]) -> Option<&[u8]> {
    Some(value).filter(|value| !value.is_empty())
}

fn parse_text(value: &[u8]) -> Result<String, Fault> {
    let text = core::str::from_utf8(value);
    text.map(str::to_owned)
        .map_err(|_| Fault::Because("argument must be valid UTF-8"))
}

/// Ids travel between Sentinels in comma-separated messages.
fn parse_id(value: &[u8], malformed: &'static str) -> Result<String, Fault> {
    let fits = |byte: &u8| byte.is_ascii_graphic() && *byte != b',';
    if value.len() == 40 && value.iter().all(fits) {
        return parse_text(value);
    }
    Err(Fault::Because(malformed))
}

fn parse_port(value: &[u8]) -> Result<u16, Fault> {
    let port = parse_int(value).and_then(|port| u16::try_from(port).ok());
    port.ok_or(Fault::Because("Invalid port number."))
}

fn parse_time(value: &[u8]) -> Result<u64, Fault> {
    let time = parse_int(value).and_then(|time| u64::try_from(time).ok());
    time.filter(|&time| time > 0)
        .ok_or(Fault::Because("negative or zero time parameter."))
}

fn parse_number(value: &[u8], min: u64, max: u64) -> Result<u64, Fault> {
    let digits = core::str::from_utf8(value).map_err(|_| Fault::NotInt)?;
    // Epochs take all of 64 bits.
    let number: u64 = match parse_int(value) {
        Some(number) => u64::try_from(number).unwrap_or(0),
        None => digits.parse().map_err(|_| Fault::NotInt)?,
    };
    if !(min..=max).contains(&number) || digits.starts_with('-') {
        return Err(Fault::Range {
            min: min.into(),
            max: max.into(),
        });
    }
    Ok(number)
}
