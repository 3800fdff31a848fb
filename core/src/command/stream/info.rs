//! What is known of streams and groups.

use super::{FAMILY, write_entries, write_entry, write_id};
use crate::command::args::Args;
use crate::command::cx::Cx;
use crate::command::fail::Fail;
use crate::command::help;
use crate::command::spec::{Acl, Arity, Docs, Flags as F, Group as Family, KeyFlags as K};
use crate::command::spec::{KeySpec, Spec};
use crate::resp::Reply;
use crate::value::Stream;
use crate::value::stream::{Consumer, Group, Log, StreamEntry, StreamId};

const AT_TWO: &[KeySpec] = &[KeySpec::at(2, K::RO.and(K::ACCESS))];

/// The rows of these commands.
pub static COMMANDS: &[Spec] = &[Spec {
    name: "xinfo",
    run: help::container,
    arity: Arity::AtLeast(2),
    flags: F::NONE,
    acl: Acl::SLOW,
    keys: &[],
    tips: &[],
    docs: Docs {
        summary: "Commands that tell of streams.",
        since: "5.0.0",
        group: Family::Stream,
        complexity: "Depends on subcommand.",
        syntax: "",
    },
    subcommands: SUBCOMMANDS,
}];

static SUBCOMMANDS: &[Spec] = &[
    super::varying(FAMILY.row(
        "consumers",
        consumers,
        Arity::Exactly(4),
        F::READONLY,
        AT_TWO,
        (
            "Shows the consumers of a group.",
            "5.0.0",
            "O(N) in the number of consumers",
            "key group",
        ),
    )),
    FAMILY.row(
        "groups",
        groups,
        Arity::Exactly(3),
        F::READONLY,
        AT_TWO,
        (
            "Shows the groups of a stream.",
            "5.0.0",
            "O(N) in the number of groups",
            "key",
        ),
    ),
    FAMILY.row(
        "help",
        info_help,
        Arity::Exactly(2),
        F::LOADING.and(F::STALE),
        &[],
        ("Lists the subcommands.", "5.0.0", "O(1)", ""),
    ),
    FAMILY.row(
        "stream",
        stream_info,
        Arity::AtLeast(3),
        F::READONLY,
        AT_TWO,
        (
            "Shows what is known of a stream.",
            "5.0.0",
            "O(1), and O(N) with FULL",
            "key [FULL [COUNT count]]",
        ),
    ),
];

fn info_help(cx: &mut Cx<'_>, _: Args<'_>) -> Result<(), Fail> {
    help::reply(&mut cx.out, "XINFO", SUBCOMMANDS);
    Ok(())
}

/// Up to how many entries FULL shows: all, or so many.
fn parse_full(args: &mut Args<'_>) -> Result<Option<usize>, Fail> {
    /// What FULL shows if it is not told how many.
    const USUAL: usize = 10;
    let word = args.argv().get(1);
    if args.is_done() {
        return Ok(None);
    }
    if !matches!(args.left(), 1 | 3) || !args.keyword("full") {
        return Err(Fail::subcommand_syntax(word, "XINFO"));
    }
    if args.is_done() {
        return Ok(Some(USUAL));
    }
    if !args.keyword("count") {
        return Err(Fail::subcommand_syntax(word, "XINFO"));
    }
    let count = args.int()?;
    Ok(Some(match usize::try_from(count) {
        Ok(0) => usize::MAX,
        Ok(count) => count,
        Err(_) => USUAL,
    }))
}

fn stream_info(cx: &mut Cx<'_>, mut args: Args<'_>) -> Result<(), Fail> {
    let stream = cx.data.lend::<Stream>(args.bulk()?)?;
    let stream = stream.ok_or(Fail::NoSuchKey)?;
    let full = parse_full(&mut args)?;
    let (out, log) = (&mut cx.out, stream.log());
    out.map(if full.is_some() { 9 } else { 10 });
    write_figures(out, log);
    let Some(count) = full else {
        pair(out, "groups", stream.group_count() as i64);
        out.bulk(b"first-entry");
        write_optional(out, log.first());
        out.bulk(b"last-entry");
        write_optional(out, log.last());
        return Ok(());
    };
    out.bulk(b"entries");
    write_entries(out, log.range(StreamId::MIN, StreamId::MAX).take(count));
    out.bulk(b"groups");
    out.array(stream.group_count());
    for (name, group) in stream.groups() {
        write_group_in_full(out, log, name, group, count);
    }
    Ok(())
}

fn write_figures(out: &mut Reply<'_>, log: &Log) {
    let nodes = log.nodes().len() as i64;
    pair(out, "length", log.len() as i64);
    pair(out, "radix-tree-keys", nodes);
    // Redis's tree has a root, and at least one node more for each key.
    pair(out, "radix-tree-nodes", nodes + 1);
    id_pair(out, "last-generated-id", log.last_id);
    id_pair(out, "max-deleted-entry-id", log.max_deleted);
    pair(out, "entries-added", log.added.cast_signed());
    id_pair(out, "recorded-first-entry-id", log.first_id());
}

fn pair(out: &mut Reply<'_>, name: &str, value: i64) {
    out.bulk(name.as_bytes());
    out.int(value);
}

fn id_pair(out: &mut Reply<'_>, name: &str, id: StreamId) {
    out.bulk(name.as_bytes());
    write_id(out, id);
}

fn optional_pair(out: &mut Reply<'_>, name: &str, value: Option<i64>) {
    out.bulk(name.as_bytes());
    match value {
        Some(value) => out.int(value),
        None => out.null(),
    }
}

fn write_optional(out: &mut Reply<'_>, entry: Option<StreamEntry<'_>>) {
    match entry {
        Some(entry) => write_entry(out, entry),
        None => out.null(),
    }
}

/// How many entries a group has not read, if that can be told.
fn lag(log: &Log, group: &Group) -> Option<i64> {
    let added = log.added.cast_signed();
    if log.added == 0 {
        return Some(0);
    }
    match group.entries_read {
        Some(read) if !log.has_gaps_from(group.last_id) => Some(added - read),
        _ => log.count_up_to(group.last_id).map(|read| added - read),
    }
}

fn write_group_in_full(out: &mut Reply<'_>, log: &Log, name: &[u8], group: &Group, count: usize) {
    out.map(7);
    out.bulk(b"name");
    out.bulk(name);
    id_pair(out, "last-delivered-id", group.last_id);
    optional_pair(out, "entries-read", group.entries_read);
    optional_pair(out, "lag", lag(log, group));
    let all = group.pending();
    pair(out, "pel-count", all.len() as i64);
    out.bulk(b"pending");
    out.array(all.len().min(count));
    for (id, pending) in all.since(StreamId::MIN).take(count) {
        out.array(4);
        write_id(out, id);
        out.bulk(group.consumer(pending.consumer).name());
        out.int(pending.delivered_ms);
        out.int(pending.deliveries);
    }
    out.bulk(b"consumers");
    out.array(group.consumer_count());
    for consumer in group.consumers() {
        write_consumer_in_full(out, group, consumer, count);
    }
}

fn write_consumer_in_full(out: &mut Reply<'_>, group: &Group, consumer: &Consumer, count: usize) {
    let own = consumer.pending();
    out.map(5);
    out.bulk(b"name");
    out.bulk(consumer.name());
    pair(out, "seen-time", consumer.seen_ms);
    pair(out, "active-time", consumer.active_ms.unwrap_or(-1));
    pair(out, "pel-count", own.len() as i64);
    out.bulk(b"pending");
    out.array(own.len().min(count));
    for (id, ()) in own.since(StreamId::MIN).take(count) {
        let pending = group.pending().get(id);
        let pending = pending.expect("what a consumer has is pending in its group");
        out.array(3);
        write_id(out, id);
        out.int(pending.delivered_ms);
        out.int(pending.deliveries);
    }
}

fn groups(cx: &mut Cx<'_>, mut args: Args<'_>) -> Result<(), Fail> {
    let stream = cx.data.lend::<Stream>(args.bulk()?)?;
    let stream = stream.ok_or(Fail::NoSuchKey)?;
    let (out, log) = (&mut cx.out, stream.log());
    out.array(stream.group_count());
    for (name, group) in stream.groups() {
        out.map(6);
        out.bulk(b"name");
        out.bulk(name);
        pair(out, "consumers", group.consumer_count() as i64);
        pair(out, "pending", group.pending().len() as i64);
        id_pair(out, "last-delivered-id", group.last_id);
        optional_pair(out, "entries-read", group.entries_read);
        optional_pair(out, "lag", lag(log, group));
    }
    Ok(())
}

fn consumers(cx: &mut Cx<'_>, mut args: Args<'_>) -> Result<(), Fail> {
    let (key, name) = (args.bulk()?, args.bulk()?);
    let now = cx.wall().as_millis();
    let stream = cx.data.lend::<Stream>(key)?;
    let stream = stream.ok_or(Fail::NoSuchKey)?;
    let group = stream.group(name);
    let group = group.ok_or_else(|| super::groups::no_such_group(key, name))?;
    let out = &mut cx.out;
    out.array(group.consumer_count());
    for consumer in group.consumers() {
        out.map(4);
        out.bulk(b"name");
        out.bulk(consumer.name());
        pair(out, "pending", consumer.pending().len() as i64);
        pair(out, "idle", (now - consumer.seen_ms).max(0));
        let inactive = consumer.active_ms.map_or(-1, |at| (now - at).max(0));
        pair(out, "inactive", inactive);
    }
    Ok(())
}
