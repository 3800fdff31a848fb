//! SENTINEL CONFIG.

use super::{Cx, Fail, shown};
use crate::glob;
use crate::resp::ArgvRef;
use crate::sentinel::names::parse_port;

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
    cx.save_settings_and_ok();
    Ok(())
}
