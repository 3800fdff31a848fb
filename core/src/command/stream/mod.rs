//! Streams: adding, removing and looking.

pub mod claiming;
pub mod groups;
mod ids;
pub mod info;
pub mod reading;
mod trimming;

use smallvec::SmallVec;

use super::args::Args;
use super::cx::Cx;
use super::fail::{Fail, shown};
use super::spec::{Acl, Arity, Family, Flags as F, Group, KeyFlags as K, KeySpec, Spec};
use crate::config::NotifyFlags as Class;
use crate::limits::STREAM_NODE_BYTES_MAX;
use crate::machine::Wall;
use crate::resp::Reply;
use crate::value::stream::{Item, Log, StreamEntry, StreamId, Trim};
use crate::value::{Shape, Stream};
use ids::NewId;
use trimming::Trimming;

const FAMILY: Family = Family {
    acl: Acl::STREAM,
    group: Group::Stream,
};

/// The same, for a command that does not always do the same.
const fn varying(spec: Spec) -> Spec {
    Spec {
        tips: &["nondeterministic_output"],
        ..spec
    }
}

const READS: &[KeySpec] = &[KeySpec::at(1, K::RO.and(K::ACCESS))];
const UPDATES: &[KeySpec] = &[KeySpec::at(1, K::RW.and(K::UPDATE))];
const DELETES: &[KeySpec] = &[KeySpec::at(1, K::RW.and(K::DELETE))];

/// The family's rows.
pub static COMMANDS: &[Spec] = &[
    varying(FAMILY.row(
        "xadd",
        xadd,
        Arity::AtLeast(5),
        F::WRITE.and(F::DENYOOM).and(F::FAST),
        UPDATES,
        (
            "Adds an entry to a stream.",
            "5.0.0",
            "O(1), and O(N) in the number of entries trimmed",
            "key [NOMKSTREAM] [<MAXLEN | MINID> [= | ~] threshold [LIMIT count]] <* | id> field \
             value [field value ...]",
        ),
    )),
    FAMILY.row(
        "xdel",
        xdel,
        Arity::AtLeast(3),
        F::WRITE.and(F::FAST),
        DELETES,
        (
            "Removes entries from a stream.",
            "5.0.0",
            "O(1) per entry",
            "key id [id ...]",
        ),
    ),
    FAMILY.row(
        "xlen",
        xlen,
        Arity::Exactly(2),
        F::READONLY.and(F::FAST),
        &[KeySpec::at(1, K::RO)],
        (
            "Returns the number of entries of a stream.",
            "5.0.0",
            "O(1)",
            "key",
        ),
    ),
    FAMILY.row(
        "xrange",
        xrange,
        Arity::AtLeast(4),
        F::READONLY,
        READS,
        (
            "Returns the entries of a stream within a range of IDs.",
            "5.0.0",
            "O(N) in the number of entries returned",
            "key start end [COUNT count]",
        ),
    ),
    FAMILY.row(
        "xrevrange",
        xrevrange,
        Arity::AtLeast(4),
        F::READONLY,
        READS,
        (
            "Returns the entries of a stream within a range of IDs, the last one first.",
            "5.0.0",
            "O(N) in the number of entries returned",
            "key end start [COUNT count]",
        ),
    ),
    FAMILY.row(
        "xsetid",
        xsetid,
        Arity::AtLeast(3),
        F::WRITE.and(F::DENYOOM).and(F::FAST),
        UPDATES,
        (
            "Sets the last ID of a stream. For the server's own use.",
            "5.0.0",
            "O(1)",
            "key last-id [ENTRIESADDED entries-added] [MAXDELETEDID max-deleted-id]",
        ),
    ),
    varying(FAMILY.row(
        "xtrim",
        xtrim,
        Arity::AtLeast(4),
        F::WRITE,
        DELETES,
        (
            "Removes entries from the beginning of a stream.",
            "5.0.0",
            "O(N) in the number of entries removed",
            "key <MAXLEN | MINID> [= | ~] threshold [LIMIT count]",
        ),
    )),
];

fn now_ms(now: Wall) -> u64 {
    u64::try_from(now.as_millis()).unwrap_or(0)
}

/// Replies with an ID.
fn write_id(out: &mut Reply<'_>, id: StreamId) {
    out.bulk(id.text().bytes());
}

fn write_item(out: &mut Reply<'_>, item: Item<'_>) {
    match item {
        Item::Text(text) => out.bulk(text),
        Item::Int(number) => out.bulk_int(number),
    }
}

/// Replies with an entry: its ID and its fields.
fn write_entry(out: &mut Reply<'_>, entry: StreamEntry<'_>) {
    out.array(2);
    write_id(out, entry.id);
    out.array(2 * entry.field_count());
    for (name, value) in entry.fields() {
        write_item(out, name);
        write_item(out, value);
    }
}

fn no_group(key: &[u8], group: &[u8]) -> Fail {
    let text: [&[u8]; 5] = [
        b"NOGROUP No such key '",
        shown(key),
        b"' or consumer group '",
        shown(group),
        b"'",
    ];
    Fail::whole(text.concat())
}

/// The bytes of the fields and values of an entry.
fn pair_bytes(argv: crate::resp::ArgvRef<'_>, from: usize) -> usize {
    (from..argv.len()).map(|at| argv.get(at).len()).sum()
}

const EXHAUSTED: Fail =
    Fail::Plain("The stream has exhausted the last possible ID, unable to add more items");
const TOO_SMALL: Fail =
    Fail::Plain("The ID specified in XADD is equal or smaller than the target stream top item");

/// The ID of an entry that is to be added.
fn pick_id(wanted: NewId, last: StreamId, now: Wall) -> Result<StreamId, Fail> {
    if last == StreamId::MAX {
        return Err(EXHAUSTED);
    }
    let id = match wanted {
        NewId::Auto => {
            let ms = now_ms(now);
            if ms > last.ms {
                StreamId::new(ms, 0)
            } else {
                last.next().ok_or(EXHAUSTED)?
            }
        }
        NewId::NextOf(ms) if ms == last.ms => {
            StreamId::new(ms, last.seq.checked_add(1).ok_or(TOO_SMALL)?)
        }
        NewId::NextOf(ms) => StreamId::new(ms, 0),
        NewId::Exactly(id) => id,
    };
    if id <= last {
        return Err(TOO_SMALL);
    }
    Ok(id)
}

/// What XADD takes before the fields.
struct Addition {
    make: bool,
    trimming: Option<Trimming>,
    id: NewId,
    /// Where the ID stands.
    id_at: usize,
}

impl Addition {
    fn parse(cx: &Cx<'_>, args: &mut Args<'_>) -> Result<Self, Fail> {
        let mut trimming = trimming::Parser::default();
        let mut make = true;
        loop {
            if args.peek() == Some(b"*") || !trimming.take(args)? {
                if args.keyword("nomkstream") {
                    make = false;
                    continue;
                }
                break;
            }
        }
        let id_at = args.position();
        let id = ids::parse_new(args.bulk()?)?;
        let trimming = trimming.finish(cx)?;
        if args.left() < 2 || args.left() % 2 == 1 {
            return Err(Fail::Arity("xadd".into()));
        }
        if id == NewId::Exactly(StreamId::MIN) {
            return Err(Fail::Plain(
                "The ID specified in XADD must be greater than 0-0",
            ));
        }
        Ok(Self {
            make,
            trimming,
            id,
            id_at,
        })
    }
}

fn xadd(cx: &mut Cx<'_>, mut args: Args<'_>) -> Result<(), Fail> {
    let key = args.bulk()?;
    let argv = args.argv();
    let addition = Addition::parse(cx, &mut args)?;
    let from = args.position();
    if pair_bytes(argv, from) > STREAM_NODE_BYTES_MAX {
        return Err(Fail::Plain("Elements are too large to be stored"));
    }
    let pairs = (0..(argv.len() - from) / 2)
        .map(move |pair| (argv.get(from + 2 * pair), argv.get(from + 2 * pair + 1)));
    let now = cx.wall();
    let trim = addition.trimming.as_ref().map(|trimming| trimming.trim);
    let add = |stream: &mut Stream, shape: &Shape| {
        let log = stream.log_mut();
        let id = pick_id(addition.id, log.last_id, now)?;
        log.append(id, pairs, shape.stream);
        let trimmed = trim.map_or(0, |trim| log.trim(trim));
        Ok::<_, Fail>((id, trimmed, outcome(log, trim)))
    };
    let Some(added) = cx.data.edit(key, addition.make, add)? else {
        cx.out.null();
        return Ok(());
    };
    let (id, trimmed, outcome) = added?;
    cx.data.changed(key, Class::STREAM, "xadd");
    if trimmed > 0 {
        cx.data.notify(Class::STREAM, "xtrim", key);
    }
    let text = id.text();
    cx.out.bulk(text.bytes());
    let chosen = !matches!(addition.id, NewId::Exactly(_));
    let rough = addition.trimming.filter(|trimming| trimming.trim.roughly);
    if chosen || rough.is_some() {
        cx.replace();
        let id = (addition.id_at, text.bytes());
        propagate(cx, argv, Some(id), rough.as_ref(), &outcome);
    }
    Ok(())
}

/// What trimming has left, by which replicas shall trim exactly.
fn outcome(log: &Log, trim: Option<Trim>) -> Vec<u8> {
    match trim {
        Some(trim) if trim.roughly => trimming::threshold(log, trim.bound),
        _ => Vec::new(),
    }
}

/// Sends a command with the ID that was given and with what trimming came to.
fn propagate(
    cx: &mut Cx<'_>,
    argv: crate::resp::ArgvRef<'_>,
    id: Option<(usize, &[u8])>,
    rough: Option<&Trimming>,
    outcome: &[u8],
) {
    let mut words: SmallVec<[&[u8]; 16]> = SmallVec::new();
    for (at, word) in argv.iter().enumerate() {
        let word = match (id, rough) {
            (Some((id_at, id)), _) if at == id_at => id,
            (_, Some(rough)) if at + 1 == rough.threshold_at => b"=",
            (_, Some(rough)) if at == rough.threshold_at => outcome,
            // Exact trimming knows no limit.
            (_, Some(rough)) if rough.limit_at.is_some_and(|l| (l..l + 2).contains(&at)) => {
                continue;
            }
            _ => word,
        };
        words.push(word);
    }
    cx.push(&words);
}

fn xtrim(cx: &mut Cx<'_>, mut args: Args<'_>) -> Result<(), Fail> {
    let key = args.bulk()?;
    let argv = args.argv();
    let mut parser = trimming::Parser::default();
    while !args.is_done() {
        if !parser.take(&mut args)? {
            return Err(Fail::Syntax);
        }
    }
    let trimming = parser.finish(cx)?.ok_or(Fail::Plain(
        "syntax error, XTRIM must be called with a trimming strategy",
    ))?;
    let trimmed = cx.data.edit::<Stream, _>(key, false, |stream, _| {
        let log = stream.log_mut();
        (log.trim(trimming.trim), outcome(log, Some(trimming.trim)))
    })?;
    let (trimmed, outcome) = trimmed.unwrap_or_default();
    if trimmed > 0 {
        cx.data.changed_by(trimmed, key, Class::STREAM, "xtrim");
        if trimming.trim.roughly {
            cx.replace();
            propagate(cx, argv, None, Some(&trimming), &outcome);
        }
    }
    cx.out.int(trimmed as i64);
    Ok(())
}

fn xlen(cx: &mut Cx<'_>, mut args: Args<'_>) -> Result<(), Fail> {
    let stream = cx.data.lend::<Stream>(args.bulk()?)?;
    let len = stream.map_or(0, |stream| stream.log().len());
    cx.out.int(len as i64);
    Ok(())
}

fn xrange(cx: &mut Cx<'_>, args: Args<'_>) -> Result<(), Fail> {
    range(cx, args, false)
}

fn xrevrange(cx: &mut Cx<'_>, args: Args<'_>) -> Result<(), Fail> {
    range(cx, args, true)
}

fn range(cx: &mut Cx<'_>, mut args: Args<'_>, backwards: bool) -> Result<(), Fail> {
    let key = args.bulk()?;
    let (first, second) = (args.bulk()?, args.bulk()?);
    let (start, end) = if backwards {
        (second, first)
    } else {
        (first, second)
    };
    let (start, end) = (ids::parse_start(start)?, ids::parse_end(end)?);
    let mut count = usize::MAX;
    while !args.is_done() {
        if args.left() < 2 || !args.keyword("count") {
            return Err(Fail::Syntax);
        }
        count = usize::try_from(args.int()?).unwrap_or(0);
    }
    let Some(stream) = cx.data.lend::<Stream>(key)? else {
        cx.out.array(0);
        return Ok(());
    };
    if count == 0 {
        cx.out.null_array();
        return Ok(());
    }
    let log = stream.log();
    if backwards {
        write_entries(&mut cx.out, log.range_backwards(start, end).take(count));
    } else {
        write_entries(&mut cx.out, log.range(start, end).take(count));
    }
    Ok(())
}

fn write_entries<'a>(out: &mut Reply<'_>, entries: impl Iterator<Item = StreamEntry<'a>>) {
    let later = out.array_later();
    let mut written = 0;
    for entry in entries {
        write_entry(out, entry);
        written += 1;
    }
    out.set_len(later, written);
}

fn xdel(cx: &mut Cx<'_>, mut args: Args<'_>) -> Result<(), Fail> {
    let key = args.bulk()?;
    // Redis reads the IDs only if there is a stream.
    if cx.data.peek::<Stream>(key)?.is_none() {
        cx.out.int(0);
        return Ok(());
    }
    let ids = parse_ids(args.rest())?;
    let deleted = cx.data.edit::<Stream, _>(key, false, |stream, _| {
        let log = stream.log_mut();
        ids.iter().filter(|&&id| log.delete(id)).count()
    })?;
    let deleted = deleted.unwrap_or(0);
    if deleted > 0 {
        cx.data
            .changed_by(deleted as u64, key, Class::STREAM, "xdel");
    }
    cx.out.int(deleted as i64);
    Ok(())
}

fn parse_ids<'a>(texts: impl Iterator<Item = &'a [u8]>) -> Result<SmallVec<[StreamId; 8]>, Fail> {
    texts.map(ids::parse).collect()
}

/// What XSETID sets.
struct Settings {
    last: StreamId,
    added: Option<u64>,
    max_deleted: StreamId,
}

impl Settings {
    fn parse(args: &mut Args<'_>) -> Result<Self, Fail> {
        let mut settings = Self {
            last: ids::parse(args.bulk()?)?,
            added: None,
            max_deleted: StreamId::MIN,
        };
        while !args.is_done() {
            if args.left() >= 2 && args.keyword("entriesadded") {
                let added = args.int()?;
                let added = u64::try_from(added)
                    .map_err(|_| Fail::Plain("entries_added must be positive"))?;
                settings.added = Some(added);
            } else if args.left() >= 2 && args.keyword("maxdeletedid") {
                settings.max_deleted = ids::parse(args.bulk()?)?;
                if settings.last < settings.max_deleted {
                    return Err(Fail::Plain(
                        "The ID specified in XSETID is smaller than the provided \
                         max_deleted_entry_id",
                    ));
                }
            } else {
                return Err(Fail::Syntax);
            }
        }
        Ok(settings)
    }

    fn check(&self, log: &Log) -> Result<(), Fail> {
        if self.last < log.max_deleted {
            return Err(Fail::Plain(
                "The ID specified in XSETID is smaller than current max_deleted_entry_id",
            ));
        }
        let Some(top) = log.last() else {
            return Ok(());
        };
        if self.last < top.id {
            return Err(Fail::Plain(
                "The ID specified in XSETID is smaller than the target stream top item",
            ));
        }
        if self.added.is_some_and(|added| added < log.len() as u64) {
            return Err(Fail::Plain(
                "The entries_added specified in XSETID is smaller than the target stream length",
            ));
        }
        Ok(())
    }
}

fn xsetid(cx: &mut Cx<'_>, mut args: Args<'_>) -> Result<(), Fail> {
    let key = args.bulk()?;
    let settings = Settings::parse(&mut args)?;
    let stream = cx.data.peek::<Stream>(key)?.ok_or(Fail::NoSuchKey)?;
    settings.check(stream.log())?;
    cx.data.edit::<Stream, _>(key, false, |stream, _| {
        let log = stream.log_mut();
        log.set_last_id(settings.last);
        log.added = settings.added.unwrap_or(log.added);
        if settings.max_deleted != StreamId::MIN {
            log.max_deleted = settings.max_deleted;
        }
    })?;
    cx.data.changed(key, Class::STREAM, "xsetid");
    cx.out.ok();
    Ok(())
}
