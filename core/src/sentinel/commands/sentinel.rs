//! SENTINEL subcommands that only look, and the one other Sentinels ask with.

use super::{Cx, Fail, encoded};
use crate::machine::Mono;
use crate::resp::{ArgvRef, Reply, parse_int};
use crate::sentinel::InstanceId;
use crate::sentinel::file::Which;
use crate::sentinel::names::{Epoch, RunId, parse_port};
use crate::sentinel::scripts::JobState;
use crate::sentinel::view::Fields;

pub(super) fn masters(cx: &mut Cx<'_>, _: ArgvRef<'_>) -> Result<(), Fail> {
    let watch = &cx.sentinel.watch;
    let ids = watch
        .by_name
        .values()
        .map(|&group| watch.groups[group].master)
        .collect();
    show_all(cx, ids);
    Ok(())
}

pub(super) fn master(cx: &mut Cx<'_>, args: ArgvRef<'_>) -> Result<(), Fail> {
    let group = cx.master(args.get(2))?;
    let master = cx.sentinel.watch.groups[group].master;
    let fields = cx.sentinel.watch.fields(cx.now.mono, master);
    show(&mut cx.reply(), &fields);
    Ok(())
}

/// Replicas that don't want to be announced are not.
pub(super) fn replicas(cx: &mut Cx<'_>, args: ArgvRef<'_>) -> Result<(), Fail> {
    let group = cx.master(args.get(2))?;
    let watch = &cx.sentinel.watch;
    let announced = |id: &InstanceId| {
        watch.instances[*id]
            .replica()
            .is_some_and(|facts| facts.announced)
    };
    let ids = watch.groups[group]
        .replicas
        .iter()
        .copied()
        .filter(announced)
        .collect();
    show_all(cx, ids);
    Ok(())
}

pub(super) fn sentinels(cx: &mut Cx<'_>, args: ArgvRef<'_>) -> Result<(), Fail> {
    let group = cx.master(args.get(2))?;
    let ids = cx.sentinel.watch.groups[group].peers.clone();
    show_all(cx, ids);
    Ok(())
}

/// What became of the latest failovers.
pub(super) fn failovers(cx: &mut Cx<'_>, args: ArgvRef<'_>) -> Result<(), Fail> {
    let group = cx.master(args.get(2))?;
    let all = cx.sentinel.watch.failovers(cx.now, group);
    let mut reply = cx.reply();
    reply.array(all.len());
    all.iter().for_each(|fields| show(&mut reply, fields));
    Ok(())
}

fn show_all(cx: &mut Cx<'_>, ids: Vec<InstanceId>) {
    let now = cx.now.mono;
    let all: Vec<_> = ids
        .into_iter()
        .map(|id| cx.sentinel.watch.fields(now, id))
        .collect();
    let mut reply = cx.reply();
    reply.array(all.len());
    all.iter().for_each(|fields| show(&mut reply, fields));
}

fn show(reply: &mut Reply<'_>, fields: &Fields) {
    reply.map(fields.len());
    for (name, value) in fields {
        reply.bulk(name.as_bytes());
        reply.bulk(value.as_bytes());
    }
}

pub(super) fn master_addr(cx: &mut Cx<'_>, args: ArgvRef<'_>) -> Result<(), Fail> {
    let Ok(group) = cx.master(args.get(2)) else {
        cx.reply().null_array();
        return Ok(());
    };
    let watch = &cx.sentinel.watch;
    let addr = watch.master_addr(group);
    let (host, port) = (
        addr.shown(watch.settings.announce_hostnames),
        addr.port().to_string(),
    );
    let mut reply = cx.reply();
    reply.array(2);
    reply.bulk(host.as_bytes());
    reply.bulk(port.as_bytes());
    Ok(())
}

pub(super) fn myid(cx: &mut Cx<'_>, _: ArgvRef<'_>) -> Result<(), Fail> {
    let id = cx.sentinel.watch.id;
    cx.reply().bulk(id.as_str().as_bytes());
    Ok(())
}

pub(super) fn ckquorum(cx: &mut Cx<'_>, args: ArgvRef<'_>) -> Result<(), Fail> {
    let group = cx.master(args.get(2))?;
    let watch = &cx.sentinel.watch;
    let reach = watch.reach(&watch.groups[group]);
    let usable = reach.usable;
    let mut text = String::new();
    if !reach.has_quorum() {
        text.push_str(
            ". Not enough available Sentinels to reach the specified quorum for this master",
        );
    }
    if !reach.has_majority() {
        text.push_str(
            ". Not enough available Sentinels to reach the majority and authorize a failover",
        );
    }
    if !text.is_empty() {
        return Err(format!("NOQUORUM {usable} usable Sentinels{text}"));
    }
    cx.reply().simple(&format!(
        "OK {usable} usable Sentinels. Quorum and failover authorization can be reached"
    ));
    Ok(())
}

/// Answers another Sentinel. A vote leaves this process only after the file that holds it is on
/// the disk; one that can't be saved was not given.
pub(super) fn is_master_down(cx: &mut Cx<'_>, args: ArgvRef<'_>) -> Result<(), Fail> {
    let not_integer = || "ERR value is not an integer or out of range".to_owned();
    let port = parse_int(args.get(3)).ok_or_else(not_integer)?;
    let epoch = parse_int(args.get(4)).ok_or_else(not_integer)?;
    let epoch = u64::try_from(epoch).map(Epoch).map_err(|_| not_integer())?;
    let candidate = match args.get(5) {
        b"*" => None,
        _ if !epoch.is_credible() => return Err(not_integer()),
        text => Some(RunId::parse(text).ok_or_else(|| "ERR Invalid runid".to_owned())?),
    };
    let host = String::from_utf8_lossy(args.get(2)).into_owned();
    let port = u16::try_from(port).unwrap_or(0);
    let answer = cx
        .sentinel
        .watch
        .answer_master_down(cx.now.mono, &host, port, epoch, candidate);
    let down = i64::from(answer.down);
    let write = move |reply: &mut Reply<'_>, leader: &[u8], epoch: u64| {
        reply.array(3);
        reply.int(down);
        reply.bulk(leader);
        reply.int(i64::try_from(epoch).unwrap_or(i64::MAX));
    };
    match answer.vote {
        Some(vote) => cx.reply_when_saved(
            (Which::State, vote.version),
            |reply| write(reply, vote.leader.as_str().as_bytes(), vote.epoch.0),
            |reply| write(reply, b"*", 0),
        ),
        None => write(&mut cx.reply(), b"*", 0),
    }
    Ok(())
}

pub(super) fn info_cache(cx: &mut Cx<'_>, args: ArgvRef<'_>) -> Result<(), Fail> {
    let mut groups = Vec::new();
    for name in args.skip(2).iter() {
        if let Ok(group) = cx.master(name)
            && !groups.contains(&group)
        {
            groups.push(group);
        }
    }
    let now = cx.now.mono;
    let proto = cx.client().proto;
    let text = encoded(proto, |reply| {
        // A plain array in RESP3 too.
        reply.array(2 * groups.len());
        for &group in &groups {
            let group = &cx.sentinel.watch.groups[group];
            reply.bulk(group.name.as_bytes());
            reply.array(group.servers().count());
            for id in group.servers() {
                cached(
                    reply,
                    now,
                    cx.sentinel.watch.instances[id]
                        .reported()
                        .and_then(|one| one.info.as_ref()),
                );
            }
        }
    });
    cx.reply().raw(&text);
    Ok(())
}

fn cached(reply: &mut Reply<'_>, now: Mono, info: Option<&(Mono, Box<[u8]>)>) {
    reply.array(2);
    match info {
        Some((at, text)) => {
            reply.int(i64::try_from(now.since(*at).as_millis()).unwrap_or(i64::MAX));
            reply.bulk(text);
        }
        None => {
            reply.int(0);
            reply.null();
        }
    }
}

pub(super) fn pending_scripts(cx: &mut Cx<'_>, _: ArgvRef<'_>) -> Result<(), Fail> {
    let now = cx.now.mono;
    let proto = cx.client().proto;
    let text = encoded(proto, |reply| {
        let jobs = cx.sentinel.scripts.jobs();
        reply.array(jobs.len());
        for job in jobs {
            reply.map(5);
            reply.bulk(b"argv");
            reply.array(job.script.args.len() + 1);
            reply.bulk(job.script.path.as_bytes());
            job.script
                .args
                .iter()
                .for_each(|arg| reply.bulk(arg.as_bytes()));
            let (flags, pid, field, span) = match job.state {
                JobState::Running { since, pid, .. } => {
                    ("running", pid, "run-time", now.since(since))
                }
                JobState::Scheduled { at } => {
                    let delay = at.map_or(core::time::Duration::ZERO, |at| at.since(now));
                    ("scheduled", None, "run-delay", delay)
                }
            };
            reply.bulk(b"flags");
            reply.bulk(flags.as_bytes());
            reply.bulk(b"pid");
            reply.bulk(pid.unwrap_or(0).to_string().as_bytes());
            reply.bulk(field.as_bytes());
            reply.bulk(span.as_millis().to_string().as_bytes());
            reply.bulk(b"retry-num");
            reply.bulk(job.starts.to_string().as_bytes());
        }
    });
    cx.reply().raw(&text);
    Ok(())
}

pub(super) fn help(cx: &mut Cx<'_>, _: ArgvRef<'_>) -> Result<(), Fail> {
    super::help(&mut cx.reply(), "SENTINEL", HELP);
    Ok(())
}

const HELP: &[&str] = &[
    "CKQUORUM <master-name>",
    "    Tell whether the quorum and the majority for a failover can be reached.",
    "CONFIG GET <param>",
    "    Show settings that concern all masters.",
    "CONFIG SET <param> <value>",
    "    Change a setting that concerns all masters.",
    "DEBUG [<param> <value> ...]",
    "    Show the periods and time limits, in milliseconds, or change some until the end of this run.",
    "FAILOVER <master-name>",
    "    Fail a master over that is up; a majority of the Sentinels has to agree.",
    "FAILOVERS <master-name>",
    "    Tell what became of the latest failovers of a master, and when each step was taken.",
    "FLUSHCONFIG",
    "    Write the configuration file with the present state in it.",
    "FORGET-REPLICA <master-name> <ip> <port>",
    "    Forget a replica that is gone; it is not taken in again for two minutes.",
    "FORGET-SENTINEL <master-name> <runid>",
    "    Forget a Sentinel that is down; it is not taken in again for two minutes.",
    "GET-MASTER-ADDR-BY-NAME <master-name>",
    "    Tell the address of a master.",
    "INFO-CACHE <master-name>",
    "    Show the INFO last received from a master and its replicas.",
    "IS-MASTER-DOWN-BY-ADDR <ip> <port> <current-epoch> <runid>",
    "    Tell whether this Sentinel finds a master down, and vote if asked to.",
    "MASTER <master-name>",
    "    Show a master.",
    "MASTERS",
    "    Show all masters.",
    "MONITOR <name> <ip> <port> <quorum>",
    "    Start to monitor a master.",
    "MYID",
    "    Tell the id of this Sentinel.",
    "PENDING-SCRIPTS",
    "    Show the scripts queued and running.",
    "REMOVE <master-name>",
    "    Stop monitoring a master.",
    "REPLICAS <master-name>",
    "    Show the replicas of a master.",
    "RESET <pattern>",
    "    Forget the replicas and Sentinels of all masters whose name matches.",
    "SENTINELS <master-name>",
    "    Show the other Sentinels that monitor a master.",
    "SET <master-name> <option> <value> [<option> <value> ...]",
    "    Change the settings of a master.",
    "SIMULATE-FAILURE [CRASH-AFTER-ELECTION] [CRASH-AFTER-PROMOTION] [HELP]",
    "    Have this Sentinel crash when it matters.",
];

/// A port, of which 0 is one that can't be connected to.
pub(super) fn port(text: &[u8]) -> Result<u16, Fail> {
    if parse_int(text).is_none() {
        return Err("ERR Invalid port".to_owned());
    }
    parse_port(text).ok_or_else(|| "ERR Invalid port number.".to_owned())
}
