//! SENTINEL DEBUG.

use core::time::Duration;

use super::{Cx, Fail, shown};
use crate::resp::{ArgvRef, parse_int};
use crate::sentinel::settings::PARAMETERS;

/// Shows the periods and limits, or changes some: one after the other, those before a bad one stay.
pub(super) fn debug(cx: &mut Cx<'_>, args: ArgvRef<'_>) -> Result<(), Fail> {
    let words: Vec<_> = args.skip(2).iter().collect();
    if words.is_empty() {
        show(cx);
        return Ok(());
    }
    let mut timing = cx.sentinel.watch.timing;
    let mut outcome = Ok(());
    for pair in words.chunks(2) {
        let name = pair[0];
        let unknown = || {
            let name = shown(name);
            format!("ERR Unknown option or number of arguments for SENTINEL DEBUG '{name}'")
        };
        let found = PARAMETERS
            .iter()
            .find(|(known, _)| name.eq_ignore_ascii_case(known.as_bytes()));
        let (Some((_, field)), Some(&value)) = (found, pair.get(1)) else {
            outcome = Err(unknown());
            break;
        };
        let Some(span) = parse_int(value)
            .and_then(|n| u64::try_from(n).ok())
            .filter(|&n| n > 0)
        else {
            let (value, name) = (shown(value), shown(name));
            outcome = Err(format!(
                "ERR Invalid argument '{value}' for SENTINEL DEBUG '{name}'"
            ));
            break;
        };
        *field(&mut timing) = Duration::from_millis(span);
    }
    cx.sentinel.set_timing(timing);
    if outcome.is_ok() {
        cx.reply().ok();
    }
    outcome
}

fn show(cx: &mut Cx<'_>) {
    let mut timing = cx.sentinel.watch.timing;
    let mut reply = cx.reply();
    reply.map(PARAMETERS.len());
    for (name, field) in PARAMETERS {
        reply.bulk(name.to_ascii_uppercase().as_bytes());
        reply.bulk(field(&mut timing).as_millis().to_string().as_bytes());
    }
}
