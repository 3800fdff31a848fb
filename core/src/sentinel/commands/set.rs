//! SENTINEL SET and SENTINEL CONFIG.

use core::time::Duration;

use super::{Cx, Fail, shown};
use crate::glob;
use crate::resp::{ArgvRef, parse_int};
use crate::sentinel::GroupId;
use crate::sentinel::events;
use crate::sentinel::group::Options;
use crate::sentinel::names::parse_port;

/// Changes settings of one master, one option after the other; those before a bad one stay.
pub(super) fn set(cx: &mut Cx<'_>, args: ArgvRef<'_>) -> Result<(), Fail> {
    let group = cx.master(args.get(2))?;
    let words: Vec<_> = args.skip(3).iter().collect();
    let mut rest = words.as_slice();
    let mut outcome = Ok(());
    let mut changes = 0;
    while let Some((option, values)) = rest.split_first() {
        match set_one(cx, group, option, values) {
            Ok(used) => rest = &values[used..],
            Err(fail) => {
                outcome = Err(fail);
                break;
            }
        }
        changes += 1;
    }
    match outcome {
        Ok(()) => cx.save_and_ok(),
        Err(_) if changes > 0 => drop(cx.sentinel.watch.saver.touch()),
        Err(_) => {}
    }
    outcome
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
    RenameCommand { old: String, new: String },
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

    fn is_credential(&self) -> bool {
        matches!(self, Self::AuthPass(_) | Self::AuthUser(_))
    }

    fn apply(self, options: &mut Options) {
        match self {
            Self::DownAfter(span) => options.down_after = span,
            Self::FailoverTimeout(span) => options.failover_timeout = span,
            Self::ParallelSyncs(count) => options.parallel_syncs = count,
            Self::Quorum(count) => options.quorum = count,
            Self::RebootDownAfter(span) => options.reboot_down_after = span,
            Self::NotificationScript(path) => options.notification_script = path,
            Self::ClientReconfigScript(path) => options.client_reconfig_script = path,
            Self::AuthPass(pass) => options.auth_pass = pass,
            Self::AuthUser(user) => options.auth_user = user,
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
    cx: &mut Cx<'_>,
    group: GroupId,
    option: &[u8],
    values: &[&[u8]],
) -> Result<usize, Fail> {
    let setting = Setting::parse(option, values)?;
    let watch = &mut cx.sentinel.watch;
    if setting.is_script() && watch.settings.deny_scripts_reconfig {
        return Err(DENIED.to_owned());
    }
    let words = setting.words();
    let value = if matches!(setting, Setting::AuthPass(_)) {
        "******".to_owned()
    } else {
        String::from_utf8_lossy(&values[..words].join(&b' ')).into_owned()
    };
    let reconnect = setting.is_credential();
    setting.apply(&mut watch.groups[group].options);
    if reconnect {
        let servers: Vec<_> = watch.groups[group].servers().collect();
        for id in servers {
            let link = watch.instances[id].link;
            watch.hang_up_all(cx.now.mono, link);
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

pub(super) fn config(cx: &mut Cx<'_>, args: ArgvRef<'_>) -> Result<(), Fail> {
    let word = args.get(2).to_ascii_lowercase();
    match (word.as_slice(), args.len()) {
        (b"get", 4) => {
            config_get(cx, args.get(3));
            Ok(())
        }
        (b"set", 5) => config_set(cx, args.get(3), args.get(4)),
        (_, _) => Err(
            "ERR Only SENTINEL CONFIG GET <option> / SET <option> <value> are \
                       supported."
                .to_owned(),
        ),
    }
}

fn config_get(cx: &mut Cx<'_>, pattern: &[u8]) {
    let settings = &cx.sentinel.watch.settings;
    let yes_no = |on: bool| if on { b"yes".to_vec() } else { b"no".to_vec() };
    let bytes = |secret: &Option<Box<[u8]>>| secret.as_deref().unwrap_or_default().to_vec();
    let ip = settings.announce_ip.as_deref().unwrap_or_default();
    let all = [
        ("resolve-hostnames", yes_no(settings.resolve_hostnames)),
        ("announce-hostnames", yes_no(settings.announce_hostnames)),
        ("announce-ip", ip.as_bytes().to_vec()),
        (
            "announce-port",
            settings.announce_port.unwrap_or(0).to_string().into_bytes(),
        ),
        ("sentinel-user", bytes(&settings.sentinel_user)),
        ("sentinel-pass", bytes(&settings.sentinel_pass)),
    ];
    let matching: Vec<_> = all
        .iter()
        .filter(|(name, _)| glob::matches_ignore_case(pattern, name.as_bytes()))
        .collect();
    let mut reply = cx.reply();
    reply.map(matching.len());
    for (name, value) in matching {
        reply.bulk(name.as_bytes());
        reply.bulk(value);
    }
}

fn config_set(cx: &mut Cx<'_>, option: &[u8], value: &[u8]) -> Result<(), Fail> {
    let invalid = || {
        let option = shown(option);
        format!(
            "ERR Invalid value '{}' to SENTINEL CONFIG SET '{option}'",
            shown(value)
        )
    };
    let yes_no = || match &*value.to_ascii_lowercase() {
        b"yes" => Ok(true),
        b"no" => Ok(false),
        _ => Err(invalid()),
    };
    let secret = || (!value.is_empty()).then(|| Box::from(value));
    let settings = &mut cx.sentinel.watch.settings;
    let mut peers_changed = false;
    match &*option.to_ascii_lowercase() {
        b"resolve-hostnames" => settings.resolve_hostnames = yes_no()?,
        b"announce-hostnames" => settings.announce_hostnames = yes_no()?,
        b"announce-ip" => {
            let text = str::from_utf8(value).map_err(|_| invalid())?;
            settings.announce_ip = (!text.is_empty()).then(|| text.into());
        }
        b"announce-port" => {
            let port = parse_port(value).ok_or_else(invalid)?;
            settings.announce_port = (port != 0).then_some(port);
        }
        b"sentinel-user" => {
            settings.sentinel_user = secret();
            peers_changed = true;
        }
        b"sentinel-pass" => {
            settings.sentinel_pass = secret();
            peers_changed = true;
        }
        _ => {
            let option = shown(option);
            return Err(format!(
                "ERR Invalid argument '{option}' to SENTINEL CONFIG SET"
            ));
        }
    }
    if peers_changed {
        cx.sentinel.watch.hang_up_peers(cx.now.mono);
    }
    cx.save_and_ok();
    Ok(())
}
