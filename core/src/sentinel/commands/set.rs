//! SENTINEL SET.

use core::time::Duration;

use super::{Cx, Fail, NO_SUCH_MASTER, encoded, save_failed, shown};
use crate::config::{VirtualIp, check_virtual_ip};
use crate::conn::SlotId;
use crate::limits::SENTINEL_LOOKUPS_MAX;
use crate::machine::{ConnId, DiskOp, Mono};
use crate::resp::{ArgvRef, Proto, parse_int};
use crate::sentinel::GroupId;
use crate::sentinel::completions::Waiting;
use crate::sentinel::events;
use crate::sentinel::file::Which;
use crate::sentinel::group::Group;
use crate::sentinel::machine::Sentinel;
use crate::sentinel::saver::Version;
use crate::sentinel::watch::Watch;

/// Changes settings of one master, one option after the other; those before a bad one stay.
///
/// Whether a script can be run is for the system to say, so it is asked first for all of them.
pub(super) fn set(cx: &mut Cx<'_>, args: ArgvRef<'_>) -> Result<(), Fail> {
    let group = cx.master(args.get(2))?;
    let words: Vec<_> = args.skip(3).iter().collect();
    let unchecked = if cx.sentinel.watch.settings.deny_scripts_reconfig {
        Vec::new()
    } else {
        scripts_in(&words)
    };
    if unchecked.is_empty() {
        let version = set_all(cx.sentinel, cx.now.mono, group, &words, &[])?;
        cx.reply_when_saved(version, |reply| reply.ok(), save_failed);
        return Ok(());
    }
    let (proto, slot) = (cx.client().proto, cx.defer());
    let request = SetRequest {
        reply: slot.map(|slot| (cx.conn, slot, proto)),
        group,
        words: words.into_iter().map(Box::from).collect(),
        unchecked,
        runnable: Vec::new(),
    };
    cx.sentinel.check_scripts(request)
}

/// A SENTINEL SET that waits to learn which scripts can be run.
#[derive(Debug)]
pub(in super::super) struct SetRequest {
    reply: Option<(ConnId, SlotId, Proto)>,
    group: GroupId,
    words: Vec<Box<[u8]>>,
    unchecked: Vec<Box<str>>,
    runnable: Vec<Box<str>>,
}

impl Sentinel {
    /// Has the next script looked at; at the end the settings are changed.
    fn check_scripts(&mut self, request: SetRequest) -> Result<(), Fail> {
        let asked = |waiting: &&Waiting| matches!(waiting, Waiting::CanRun(_));
        if self.waiting.values().filter(asked).count() >= SENTINEL_LOOKUPS_MAX {
            return Err("ERR Too many scripts are being looked at".to_owned());
        }
        let path = request.unchecked[0].clone();
        self.ask_disk(DiskOp::CanRun { path }, Waiting::CanRun(Box::new(request)));
        Ok(())
    }

    /// Takes the answer to that.
    pub(in super::super) fn on_can_run(
        &mut self,
        now: Mono,
        mut request: Box<SetRequest>,
        can_run: bool,
    ) {
        let path = request.unchecked.remove(0);
        if can_run {
            request.runnable.push(path);
        }
        if let Some(path) = request.unchecked.first().cloned() {
            return self.ask_disk(DiskOp::CanRun { path }, Waiting::CanRun(request));
        }
        let words: Vec<_> = request.words.iter().map(|word| &**word).collect();
        let outcome = if self.watch.groups.get(request.group).is_some() {
            set_all(self, now, request.group, &words, &request.runnable)
        } else {
            Err(NO_SUCH_MASTER.to_owned())
        };
        let Some((conn, slot, proto)) = request.reply else {
            return;
        };
        match outcome {
            Ok(version) => {
                let saved = encoded(proto, |reply| reply.ok());
                self.reply_later(conn, slot, version, saved, encoded(proto, save_failed));
            }
            Err(fail) => {
                let error = encoded(proto, |reply| reply.error(&fail));
                self.conns.fill(conn, slot, &error);
            }
        }
    }
}

/// The scripts that these options name, up to one that makes no sense.
fn scripts_in(words: &[&[u8]]) -> Vec<Box<str>> {
    let mut paths = Vec::new();
    let mut rest = words;
    while let Some((option, values)) = rest.split_first() {
        let Ok(setting) = Setting::parse(option, values) else {
            break;
        };
        paths.extend(setting.script().map(Box::from));
        rest = &values[setting.words()..];
    }
    paths
}

/// Sets all options there are; the state of the file that holds them.
fn set_all(
    sentinel: &mut Sentinel,
    now: Mono,
    group: GroupId,
    words: &[&[u8]],
    runnable: &[Box<str>],
) -> Result<(Which, Version), Fail> {
    let mut rest = words;
    let mut changes = 0;
    while let Some((option, values)) = rest.split_first() {
        match set_one(&mut sentinel.watch, now, group, option, values, runnable) {
            Ok(used) => rest = &values[used..],
            Err(fail) if changes > 0 => {
                sentinel.touch_settings();
                return Err(fail);
            }
            Err(fail) => return Err(fail),
        }
        changes += 1;
    }
    Ok(sentinel.touch_settings())
}

/// One setting of a master, with the value it is to have.
enum Setting {
    DownAfter(Duration),
    FailoverTimeout(Duration),
    ParallelSyncs(u32),
    Quorum(u32),
    RebootDownAfter(Duration),
    NotificationScript(Option<Box<str>>),
    ClientReconfigScript(Option<Box<str>>),
    AuthPass(Option<Box<[u8]>>),
    AuthUser(Option<Box<[u8]>>),
    VirtualIp(Option<VirtualIp>),
    RenameCommand { old: String, new: String },
    AutoFailover(bool),
}

impl Setting {
    /// Reads an option and its first value; `RENAME-COMMAND` takes the next one as well.
    fn parse(option: &[u8], values: &[&[u8]]) -> Result<Self, Fail> {
        let unknown = || {
            let option = shown(option);
            format!("ERR Unknown option or number of arguments for SENTINEL SET '{option}'")
        };
        let &value = values.first().ok_or_else(unknown)?;
        let bad = || {
            let (value, option) = (shown(value), shown(option));
            format!("ERR Invalid argument '{value}' for SENTINEL SET '{option}'")
        };
        let number = || {
            parse_int(value)
                .and_then(|n| u64::try_from(n).ok())
                .ok_or_else(bad)
        };
        let positive = || number().and_then(|n| if n > 0 { Ok(n) } else { Err(bad()) });
        let count = || positive().and_then(|n| u32::try_from(n).map_err(|_| bad()));
        let span = || positive().map(Duration::from_millis);
        let text = || str::from_utf8(value).map_err(|_| bad());
        let path = || text().map(|path| (!path.is_empty()).then(|| path.into()));
        let secret = || (!value.is_empty()).then(|| Box::from(value));
        Ok(match option.to_ascii_lowercase().as_slice() {
            b"down-after-milliseconds" => Self::DownAfter(span()?),
            b"failover-timeout" => Self::FailoverTimeout(span()?),
            b"parallel-syncs" => Self::ParallelSyncs(count()?),
            b"quorum" => Self::Quorum(count()?),
            b"master-reboot-down-after-period" => {
                Self::RebootDownAfter(Duration::from_millis(number()?))
            }
            b"notification-script" => Self::NotificationScript(path()?),
            b"client-reconfig-script" => Self::ClientReconfigScript(path()?),
            b"auth-pass" => Self::AuthPass(secret()),
            b"auth-user" => Self::AuthUser(secret()),
            b"auto-failover" => match &*value.to_ascii_lowercase() {
                b"yes" => Self::AutoFailover(true),
                b"no" => Self::AutoFailover(false),
                _ => return Err(bad()),
            },
            b"virtual-ip" if value.is_empty() => Self::VirtualIp(None),
            b"virtual-ip" => {
                let spec = VirtualIp::parse_words(text()?);
                Self::VirtualIp(Some(spec.map_err(|_| bad())?))
            }
            b"rename-command" => {
                let new = str::from_utf8(values.get(1).ok_or_else(unknown)?).map_err(|_| bad())?;
                let old = text()?.to_ascii_lowercase();
                if old.is_empty() || new.is_empty() {
                    return Err(bad());
                }
                let new = new.to_owned();
                Self::RenameCommand { old, new }
            }
            _ => return Err(unknown()),
        })
    }

    /// How many words its value takes.
    fn words(&self) -> usize {
        if matches!(self, Self::RenameCommand { .. }) {
            2
        } else {
            1
        }
    }

    fn is_script(&self) -> bool {
        matches!(
            self,
            Self::NotificationScript(_) | Self::ClientReconfigScript(_)
        )
    }

    /// The script it names.
    fn script(&self) -> Option<&str> {
        match self {
            Self::NotificationScript(path) | Self::ClientReconfigScript(path) => path.as_deref(),
            Self::DownAfter(_)
            | Self::FailoverTimeout(_)
            | Self::ParallelSyncs(_)
            | Self::Quorum(_)
            | Self::RebootDownAfter(_)
            | Self::AuthPass(_)
            | Self::AuthUser(_)
            | Self::VirtualIp(_)
            | Self::RenameCommand { .. }
            | Self::AutoFailover(_) => None,
        }
    }

    /// Why it can't be set when its script can't be run.
    fn not_runnable(&self) -> &'static str {
        if matches!(self, Self::NotificationScript(_)) {
            "ERR Notification script seems non existing or non executable"
        } else {
            "ERR Client reconfiguration script seems non existing or non executable"
        }
    }

    fn is_credential(&self) -> bool {
        matches!(self, Self::AuthPass(_) | Self::AuthUser(_))
    }

    fn apply(self, watch: &mut Watch, group: GroupId) {
        let Group { options, name, .. } = &mut watch.groups[group];
        let virtual_ips = &mut watch.settings.virtual_ips;
        match self {
            Self::VirtualIp(None) => drop(virtual_ips.remove(name)),
            Self::VirtualIp(Some(spec)) => drop(virtual_ips.insert(name.clone(), spec)),
            Self::DownAfter(span) => options.down_after = span,
            Self::FailoverTimeout(span) => options.failover_timeout = span,
            Self::ParallelSyncs(count) => options.parallel_syncs = count,
            Self::Quorum(count) => options.quorum = count,
            Self::RebootDownAfter(span) => options.reboot_down_after = span,
            Self::NotificationScript(path) => options.notification_script = path,
            Self::ClientReconfigScript(path) => options.client_reconfig_script = path,
            Self::AuthPass(pass) => options.auth_pass = pass,
            Self::AuthUser(user) => options.auth_user = user,
            Self::AutoFailover(on) => options.auto_failover = on,
            Self::RenameCommand { old, new } if old.eq_ignore_ascii_case(&new) => {
                options.renamed.remove(&old);
            }
            Self::RenameCommand { old, new } => {
                options.renamed.insert(old, new);
            }
        }
    }
}

/// Sets one option and returns how many words its value took.
fn set_one(
    watch: &mut Watch,
    now: Mono,
    group: GroupId,
    option: &[u8],
    values: &[&[u8]],
    runnable: &[Box<str>],
) -> Result<usize, Fail> {
    let setting = Setting::parse(option, values)?;
    if setting.is_script() && watch.settings.deny_scripts_reconfig {
        return Err(DENIED.to_owned());
    }
    if let Some(path) = setting.script()
        && !runnable.iter().any(|known| **known == *path)
    {
        return Err(setting.not_runnable().to_owned());
    }
    let words = setting.words();
    let value = if matches!(setting, Setting::AuthPass(_)) {
        "******".to_owned()
    } else {
        String::from_utf8_lossy(&values[..words].join(&b' ')).into_owned()
    };
    let reconnect = setting.is_credential();
    if let Setting::VirtualIp(Some(spec)) = &setting {
        let name = &watch.groups[group].name;
        let others = watch.settings.virtual_ips.iter();
        let others = others.filter(|(other, _)| *other != name);
        check_virtual_ip(spec, others.map(|(_, spec)| spec))
            .map_err(|fault| format!("ERR Can't set the virtual IP: {fault}"))?;
    }
    setting.apply(watch, group);
    if reconnect {
        let servers: Vec<_> = watch.groups[group].servers().collect();
        for id in servers {
            let link = watch.instances[id].link;
            watch.hang_up_all(now, link);
        }
    }
    let master = watch.groups[group].master;
    watch.tell_of(events::SET, master, &format!("{} {value}", shown(option)));
    watch.mark(group);
    Ok(words)
}

const DENIED: &str = "ERR Reconfiguration of scripts path is denied for security reasons. Check \
                      the deny-scripts-reconfig configuration directive in your Sentinel \
                      configuration";
