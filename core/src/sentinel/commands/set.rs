//! SENTINEL SET and SENTINEL CONFIG.

use core::time::Duration;

use super::{Cx, Fail, shown};
use crate::glob;
use crate::resp::{ArgvRef, parse_int};
use crate::sentinel::GroupId;
use crate::sentinel::events;
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

/// Sets one option and returns how many words its value took.
fn set_one(
    cx: &mut Cx<'_>,
    group: GroupId,
    option: &[u8],
    values: &[&[u8]],
) -> Result<usize, Fail> {
    let unknown = || {
        let option = shown(option);
        format!("ERR Unknown option or number of arguments for SENTINEL SET '{option}'")
    };
    let word = option.to_ascii_lowercase();
    let &value = values.first().ok_or_else(unknown)?;
    let bad = |value: &[u8]| {
        let (value, option) = (shown(value), shown(option));
        format!("ERR Invalid argument '{value}' for SENTINEL SET '{option}'")
    };
    let positive = || {
        parse_int(value)
            .and_then(|n| u64::try_from(n).ok())
            .filter(|&n| n > 0)
    };
    let count = || {
        positive()
            .and_then(|n| u32::try_from(n).ok())
            .ok_or_else(|| bad(value))
    };
    let span = || {
        positive()
            .map(Duration::from_millis)
            .ok_or_else(|| bad(value))
    };
    let text = || str::from_utf8(value).map_err(|_| bad(value));
    let secret = || (!value.is_empty()).then(|| Box::from(value));
    let denied = cx.sentinel.watch.settings.deny_scripts_reconfig;
    let options = &mut cx.sentinel.watch.groups[group].options;
    let mut used = 1;
    let mut shown_value = String::from_utf8_lossy(value).into_owned();
    match word.as_slice() {
        b"down-after-milliseconds" => options.down_after = span()?,
        b"failover-timeout" => options.failover_timeout = span()?,
        b"parallel-syncs" => options.parallel_syncs = count()?,
        b"quorum" => options.quorum = count()?,
        b"master-reboot-down-after-period" => {
            let period = parse_int(value).and_then(|n| u64::try_from(n).ok());
            options.reboot_down_after = Duration::from_millis(period.ok_or_else(|| bad(value))?);
        }
        b"notification-script" | b"client-reconfig-script" => {
            if denied {
                return Err(DENIED.to_owned());
            }
            let path = text()?;
            let path = (!path.is_empty()).then(|| path.into());
            match word.as_slice() {
                b"notification-script" => options.notification_script = path,
                _ => options.client_reconfig_script = path,
            }
        }
        b"auth-pass" => {
            options.auth_pass = secret();
            shown_value = "******".to_owned();
        }
        b"auth-user" => options.auth_user = secret(),
        b"rename-command" => {
            let &new = values.get(1).ok_or_else(unknown)?;
            let new = str::from_utf8(new)
                .ok()
                .filter(|new| !new.is_empty())
                .ok_or_else(|| bad(new))?;
            let old = text()?.to_ascii_lowercase();
            if old.is_empty() {
                return Err(bad(value));
            }
            shown_value = format!("{shown_value} {new}");
            if old.eq_ignore_ascii_case(new) {
                options.renamed.remove(&old);
            } else {
                options.renamed.insert(old, new.to_owned());
            }
            used = 2;
        }
        _ => return Err(unknown()),
    }
    let watch = &mut cx.sentinel.watch;
    if matches!(word.as_slice(), b"auth-pass" | b"auth-user") {
        let servers: Vec<_> = watch.groups[group].servers().collect();
        for id in servers {
            let link = watch.instances[id].link;
            watch.hang_up_all(cx.now.mono, link);
        }
    }
    let master = watch.groups[group].master;
    watch.tell_of(
        events::SET,
        master,
        &format!("{} {shown_value}", shown(option)),
    );
    watch.mark(group);
    Ok(used)
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
