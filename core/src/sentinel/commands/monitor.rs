//! SENTINEL MONITOR, REMOVE, RESET, FAILOVER and FLUSHCONFIG.

use core::net::IpAddr;

use super::{Cx, Fail, save_failed, sentinel};
use crate::glob;
use crate::limits::SENTINEL_MASTERS_MAX;
use crate::resp::{ArgvRef, parse_int};
use crate::sentinel::completions::Monitor;
use crate::sentinel::events;
use crate::sentinel::file::Which;
use crate::sentinel::forget::ForgetRefusal;
use crate::sentinel::lead::FailoverRefusal;
use crate::sentinel::machine::Sentinel;
use crate::sentinel::names::{HostAddr, RunId};

pub(super) fn monitor(cx: &mut Cx<'_>, args: ArgvRef<'_>) -> Result<(), Fail> {
    let quorum = parse_int(args.get(5)).ok_or("ERR Invalid quorum")?;
    let port = sentinel::port(args.get(4))?;
    let quorum = u32::try_from(quorum).ok().filter(|&quorum| quorum > 0);
    let quorum = quorum.ok_or("ERR Quorum must be 1 or greater.")?;
    let text = |at| str::from_utf8(args.get(at)).ok();
    let bad_host = || "ERR Invalid IP address or hostname specified".to_owned();
    let host = text(3)
        .filter(|host| !host.is_empty())
        .ok_or_else(bad_host)?;
    let name = text(2)
        .filter(|name| is_name(name))
        .ok_or("ERR Invalid master name")?;
    let request = Monitor {
        name: name.into(),
        addr: HostAddr::new(host, port),
        quorum,
    };
    check_free(cx.sentinel, &request.name)?;
    if host.parse::<IpAddr>().is_ok() {
        cx.sentinel.start_monitoring(cx.now.mono, request);
        cx.save_settings_and_ok();
    } else if cx.sentinel.watch.settings.resolve_hostnames {
        let slot = cx.defer();
        cx.sentinel.monitor_when_resolved(cx.conn, slot, request);
    } else {
        return Err(bad_host());
    }
    Ok(())
}

/// Names go into messages of comma-separated and lines of space-separated words.
fn is_name(name: &str) -> bool {
    !name.is_empty()
        && name
            .bytes()
            .all(|byte| byte > b' ' && !matches!(byte, b',' | b'"' | b'\''))
}

/// Whether one more master can be monitored under this name.
pub(in super::super) fn check_free(sentinel: &Sentinel, name: &str) -> Result<(), Fail> {
    let masters = &sentinel.watch.by_name;
    if masters.contains_key(name) {
        return Err("ERR Duplicate master name.".to_owned());
    }
    if masters.len() >= SENTINEL_MASTERS_MAX {
        return Err(format!(
            "ERR This Sentinel monitors {SENTINEL_MASTERS_MAX} masters already"
        ));
    }
    Ok(())
}

pub(super) fn remove(cx: &mut Cx<'_>, args: ArgvRef<'_>) -> Result<(), Fail> {
    let group = cx.master(args.get(2))?;
    let watch = &mut cx.sentinel.watch;
    let master = watch.groups[group].master;
    watch.tell_of(events::UNMONITOR, master, "");
    watch.remove_group(group);
    cx.save_settings_and_ok();
    Ok(())
}

pub(super) fn forget_replica(cx: &mut Cx<'_>, args: ArgvRef<'_>) -> Result<(), Fail> {
    let group = cx.master(args.get(2))?;
    let port = sentinel::port(args.get(4))?;
    let host = String::from_utf8_lossy(args.get(3));
    let watch = &mut cx.sentinel.watch;
    let outcome = watch.forget_replica(cx.now.mono, group, &host, port);
    outcome.map_err(|refusal| match refusal {
        ForgetRefusal::Promoted => "INPROG This replica is being promoted",
        ForgetRefusal::Unknown | ForgetRefusal::Up => "ERR No such replica with that address",
    })?;
    cx.save_and_ok();
    Ok(())
}

pub(super) fn forget_sentinel(cx: &mut Cx<'_>, args: ArgvRef<'_>) -> Result<(), Fail> {
    const UNKNOWN: &str = "ERR No such Sentinel with that id";
    let group = cx.master(args.get(2))?;
    let id = RunId::parse(args.get(3)).ok_or(UNKNOWN)?;
    let outcome = cx.sentinel.watch.forget_peer(cx.now.mono, group, id);
    outcome.map_err(|refusal| match refusal {
        ForgetRefusal::Up => "ERR This Sentinel is up: stop it first, and wait until it is down",
        ForgetRefusal::Unknown | ForgetRefusal::Promoted => UNKNOWN,
    })?;
    cx.save_and_ok();
    Ok(())
}

pub(super) fn reset(cx: &mut Cx<'_>, args: ArgvRef<'_>) -> Result<(), Fail> {
    let watch = &mut cx.sentinel.watch;
    let matching: Vec<_> = watch
        .by_name
        .iter()
        .filter(|(name, _)| glob::matches_ignore_case(args.get(2), name.as_bytes()))
        .map(|(_, &group)| group)
        .collect();
    let count = i64::try_from(matching.len()).expect("limits keep masters far below 2^63");
    if matching.is_empty() {
        cx.reply().int(0);
        return Ok(());
    }
    for group in matching {
        watch.reset_group(cx.now.mono, group);
    }
    let version = (Which::State, cx.sentinel.watch.saver.touch());
    cx.reply_when_saved(version, |reply| reply.int(count), save_failed);
    Ok(())
}

pub(super) fn failover(cx: &mut Cx<'_>, args: ArgvRef<'_>) -> Result<(), Fail> {
    let group = cx.master(args.get(2))?;
    let forced = cx.sentinel.watch.force_failover(cx.now.mono, group);
    forced.map_err(|refusal| match refusal {
        FailoverRefusal::InProgress => "INPROG Failover already in progress",
        FailoverRefusal::NoGoodSlave => "NOGOODSLAVE No suitable replica to promote",
    })?;
    cx.reply().ok();
    Ok(())
}

pub(super) fn flushconfig(cx: &mut Cx<'_>, _: ArgvRef<'_>) -> Result<(), Fail> {
    cx.save_and_ok();
    Ok(())
}
