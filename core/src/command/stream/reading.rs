//! Reading what is new in several streams, alone or as a member of a group.

use core::ops::Range;
use core::time::Duration;

use smallvec::SmallVec;

use super::{FAMILY, ids, no_group, write_entry, write_id};
use crate::command::args::Args;
use crate::command::cx::Cx;
use crate::command::fail::Fail;
use crate::command::spec::{Arity, Begin, Find, Flags as F, KeyFlags as K, KeySpec, Spec};
use crate::config::NotifyFlags as Class;
use crate::resp::{self, ArgvRef, Proto, Reply};
use crate::server::client::ClientFlags;
use crate::value::stream::{ConsumerNo, Group, Log, Pending, StreamId};
use crate::value::{Stream, ValueRef};

const fn streams(from: i8) -> KeySpec {
    KeySpec {
        begin: Begin::Keyword("STREAMS", from),
        find: Find::Range {
            last: -1,
            step: 1,
            limit: 2,
        },
        flags: K::RO.and(K::ACCESS),
    }
}

/// The rows of these commands.
pub static COMMANDS: &[Spec] = &[
    FAMILY.row(
        "xread",
        xread,
        Arity::AtLeast(4),
        F::READONLY.and(F::BLOCKING).and(F::MOVABLE_KEYS),
        &[streams(1)],
        (
            "Returns entries of some streams behind given ones, and waits for one if there is \
             none.",
            "5.0.0",
            "O(N) in the number of entries returned",
            "[COUNT count] [BLOCK milliseconds] STREAMS key [key ...] id [id ...]",
        ),
    ),
    FAMILY.row(
        "xreadgroup",
        xreadgroup,
        Arity::AtLeast(7),
        F::WRITE.and(F::BLOCKING).and(F::MOVABLE_KEYS),
        &[streams(4)],
        (
            "Returns entries of some streams to a member of a group, and waits for one if there \
             is none.",
            "5.0.0",
            "O(M) in the number of entries returned",
            "GROUP group consumer [COUNT count] [BLOCK milliseconds] [NOACK] STREAMS key \
             [key ...] id [id ...]",
        ),
    ),
];

/// What a client wants to read.
struct Wanted<'a> {
    argv: ArgvRef<'a>,
    /// How long it waits, if it does.
    block: Option<Option<Duration>>,
    count: usize,
    /// Which arguments are the keys. As many IDs follow.
    keys: Range<usize>,
    group: Option<Member<'a>>,
}

/// Who reads for a group.
#[derive(Clone, Copy)]
struct Member<'a> {
    group: &'a [u8],
    consumer: &'a [u8],
    /// Nothing has to be acknowledged.
    noack: bool,
}

/// From where on a stream is read.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum After {
    /// Behind an ID; for a group, what the consumer has not acknowledged.
    Id(StreamId),
    /// What nobody in the group has got.
    New,
}

impl<'a> Wanted<'a> {
    /// A script can't wait, and is told so.
    fn check_within_script(&self, cx: &mut Cx<'_>, command: &str) -> Result<(), Fail> {
        if self.block.is_some() && cx.client().flags.has(ClientFlags::SCRIPT) {
            let text = format!("{command} command is not allowed with BLOCK option from scripts");
            return Err(Fail::Detail(text.into_bytes().into()));
        }
        Ok(())
    }

    fn parse(args: &mut Args<'a>, grouped: bool) -> Result<Self, Fail> {
        let argv = args.argv();
        let (mut block, mut count) = (None, 0);
        let (mut names, mut noack) = (None, false);
        loop {
            let more = args.left().checked_sub(1).ok_or(Fail::Syntax)?;
            if more >= 1 && args.keyword("block") {
                block = Some(timeout(args.bulk()?)?);
            } else if more >= 1 && args.keyword("count") {
                count = args.int()?;
            } else if more >= 1 && args.keyword("streams") {
                break;
            } else if more >= 2 && args.keyword("group") {
                if !grouped {
                    return Err(only_grouped("GROUP"));
                }
                names = Some((args.bulk()?, args.bulk()?));
            } else if args.keyword("noack") {
                if !grouped {
                    return Err(only_grouped("NOACK"));
                }
                noack = true;
            } else {
                return Err(Fail::Syntax);
            }
        }
        if args.left() % 2 == 1 {
            return Err(unbalanced(grouped));
        }
        if grouped && names.is_none() {
            return Err(Fail::Plain("Missing GROUP option for XREADGROUP"));
        }
        let first = args.position();
        Ok(Self {
            argv,
            block,
            count: match usize::try_from(count) {
                Ok(0) | Err(_) => usize::MAX,
                Ok(count) => count,
            },
            keys: first..first + args.left() / 2,
            group: names.map(|(group, consumer)| Member {
                group,
                consumer,
                noack,
            }),
        })
    }

    fn keys(&self) -> impl Iterator<Item = (&'a [u8], &'a [u8])> + use<'a> {
        let (argv, streams) = (self.argv, self.keys.len());
        self.keys
            .clone()
            .map(move |at| (argv.get(at), argv.get(at + streams)))
    }

    /// From where on each stream is read.
    fn starts(&self, cx: &mut Cx<'_>) -> Result<SmallVec<[After; 4]>, Fail> {
        self.keys()
            .map(|(key, id)| {
                let stream = cx.data.lend::<Stream>(key)?;
                if let Some(member) = self.group {
                    let known = stream.is_some_and(|stream| stream.group(member.group).is_some());
                    if !known {
                        return Err(no_group_to_read(key, member.group));
                    }
                }
                match (id, self.group.is_some()) {
                    (b"$", true) => Err(Fail::Plain(NO_LAST_ID)),
                    (b"$", false) => {
                        let last = stream.map(|stream| stream.log().last_id);
                        Ok(After::Id(last.unwrap_or_default()))
                    }
                    // The last entry there is, or the next to come. Later servers than Redis
                    // 7.2 have it.
                    (b"+", false) => {
                        let log = stream.map(|stream| stream.log());
                        let before = log.and_then(|log| log.last()?.id.prev());
                        let last = log.map(|log| log.last_id);
                        Ok(After::Id(before.or(last).unwrap_or_default()))
                    }
                    (b">", false) => Err(Fail::Plain(
                        "The > ID can be specified only when calling XREADGROUP using the GROUP \
                         <group> <consumer> option.",
                    )),
                    (b">", true) => Ok(After::New),
                    (id, grouped) => Ok(match ids::parse(id)? {
                        // Redis tells `>` by the ID that it takes for it.
                        StreamId::MAX if grouped => After::New,
                        id => After::Id(id),
                    }),
                }
            })
            .collect()
    }

    /// Lets the client wait, with the IDs that `$` stands for, or replies with nothing.
    fn wait(&self, cx: &mut Cx<'_>, starts: &[After]) {
        let Some(timeout) = self.block else {
            cx.out.null_array();
            return;
        };
        let streams = self.keys.len();
        let texts: SmallVec<[_; 4]> = starts.iter().map(|start| start.text()).collect();
        let word = |at: usize| {
            let start = at.checked_sub(self.keys.end).filter(|&at| at < streams);
            match start {
                Some(stream) if self.argv.get(at) == b"$" => texts[stream].bytes(),
                _ => self.argv.get(at),
            }
        };
        let words: Vec<&[u8]> = (0..self.argv.len()).map(word).collect();
        let command = resp::OwnedArgv::from_slices(&words);
        // A group that goes, with its stream or alone, is the end of waiting for it.
        let fits = if self.group.is_some() {
            |_: Option<ValueRef<'_>>| true
        } else {
            |value: Option<ValueRef<'_>>| {
                value.is_some_and(|value| value.as_collection::<Stream>().is_some())
            }
        };
        if !cx.wait_for_keys(command.as_ref(), self.keys.clone(), fits, timeout) {
            cx.out.null_array();
        }
    }
}

impl After {
    fn text(self) -> crate::value::stream::IdText {
        match self {
            Self::Id(id) => id,
            Self::New => StreamId::MAX,
        }
        .text()
    }
}

fn timeout(text: &[u8]) -> Result<Option<Duration>, Fail> {
    let ms = resp::parse_int(text).ok_or(Fail::TimeoutNotInteger)?;
    let ms = u64::try_from(ms).map_err(|_| Fail::TimeoutNegative)?;
    Ok((ms > 0).then(|| Duration::from_millis(ms)))
}

fn only_grouped(option: &str) -> Fail {
    Fail::detail(format!(
        "The {option} option is only supported by XREADGROUP. You called XREAD instead."
    ))
}

fn unbalanced(grouped: bool) -> Fail {
    let (command, symbol) = if grouped {
        ("xreadgroup", '>')
    } else {
        ("xread", '$')
    };
    Fail::detail(format!(
        "Unbalanced '{command}' list of streams: for each stream key an ID or '{symbol}' must be \
         specified."
    ))
}

fn no_group_to_read(key: &[u8], group: &[u8]) -> Fail {
    let text = no_group(key, group).text();
    Fail::whole([&text[..], b" in XREADGROUP with GROUP option"].concat())
}

/// Begins a stream's part of the reply.
fn write_key(out: &mut Reply<'_>, key: &[u8]) {
    if out.proto() == Proto::Resp2 {
        out.array(2);
    }
    out.bulk(key);
}

fn later(out: &Reply<'_>) -> resp::Later {
    match out.proto() {
        Proto::Resp2 => out.array_later(),
        Proto::Resp3 => out.map_later(),
    }
}

fn xread(cx: &mut Cx<'_>, mut args: Args<'_>) -> Result<(), Fail> {
    let wanted = Wanted::parse(&mut args, false)?;
    wanted.check_within_script(cx, "xread")?;
    let starts = wanted.starts(cx)?;
    let (mut streams, mut written) = (None, 0);
    for ((key, _), start) in wanted.keys().zip(&starts) {
        let After::Id(after) = *start else { continue };
        let Some(from) = after.next() else { continue };
        let Some(stream) = cx.data.peek::<Stream>(key)? else {
            continue;
        };
        let mut entries = stream.log().range(from, StreamId::MAX).peekable();
        if entries.peek().is_none() {
            continue;
        }
        if streams.is_none() {
            streams = Some(later(&cx.out));
        }
        written += 1;
        write_key(&mut cx.out, key);
        super::write_entries(&mut cx.out, entries.take(wanted.count));
    }
    match streams {
        Some(streams) => cx.out.set_len(streams, written),
        None => wanted.wait(cx, &starts),
    }
    Ok(())
}

/// What a stream gave to a member of a group.
#[derive(Default)]
struct Delivery {
    /// The consumer was not known before.
    created: bool,
    /// Whether there is something to reply with.
    replied: bool,
    delivered: Vec<(StreamId, Pending)>,
    /// Where the group is, if it has moved.
    moved: Option<(StreamId, Option<i64>)>,
}

fn xreadgroup(cx: &mut Cx<'_>, mut args: Args<'_>) -> Result<(), Fail> {
    let wanted = Wanted::parse(&mut args, true)?;
    wanted.check_within_script(cx, "xreadgroup")?;
    let starts = wanted.starts(cx)?;
    let member = wanted.group.ok_or(Fail::Syntax)?;
    let now = cx.wall().as_millis();
    let (mut streams, mut written) = (None, 0);
    for ((key, _), &start) in wanted.keys().zip(&starts) {
        let out = &mut cx.out;
        let delivery = cx.data.edit::<Stream, _>(key, false, |stream, _| {
            stream.edit_group(member.group, |log, group| {
                let mut visit = Visit::begin(log, group, member, now);
                if visit.has_some(start) {
                    if streams.is_none() {
                        streams = Some(later(out));
                    }
                    written += 1;
                    write_key(out, key);
                    visit.deliver(out, start, wanted.count);
                }
                visit.delivery
            })
        })?;
        if let Some(delivery) = delivery.flatten() {
            tell(cx, key, member, delivery);
        }
    }
    match streams {
        Some(streams) => cx.out.set_len(streams, written),
        None => wanted.wait(cx, &starts),
    }
    Ok(())
}

/// A member of a group at one stream.
struct Visit<'a> {
    log: &'a Log,
    group: &'a mut Group,
    consumer: ConsumerNo,
    noack: bool,
    now: i64,
    delivery: Delivery,
}

impl<'a> Visit<'a> {
    fn begin(log: &'a Log, group: &'a mut Group, member: Member<'_>, now: i64) -> Self {
        let known = group.find(member.consumer);
        let consumer = known.or_else(|| group.create(member.consumer, now));
        let consumer = consumer.expect("who is not known is made");
        group.consumer_mut(consumer).seen_ms = now;
        Self {
            log,
            group,
            consumer,
            noack: member.noack,
            now,
            delivery: Delivery {
                created: known.is_none(),
                ..Delivery::default()
            },
        }
    }

    /// Whether there is something to reply with, were it no entries.
    fn has_some(&self, start: After) -> bool {
        match start {
            After::Id(_) => true,
            After::New => {
                let last = self.log.last();
                last.is_some_and(|last| last.id > self.group.last_id)
            }
        }
    }

    fn deliver(&mut self, out: &mut Reply<'_>, start: After, count: usize) {
        self.delivery.replied = true;
        match start {
            After::New => self.deliver_new(out, count),
            After::Id(after) => {
                let from = after
                    .next()
                    .expect("behind the last ID there is nothing but news");
                self.deliver_again(out, from, count);
            }
        }
    }

    fn deliver_new(&mut self, out: &mut Reply<'_>, count: usize) {
        let Some(from) = self.group.last_id.next() else {
            return out.array(0);
        };
        let entries = out.array_later();
        let mut written = 0;
        for entry in self.log.range(from, StreamId::MAX).take(count) {
            write_entry(out, entry);
            written += 1;
            self.advance(entry.id);
            if !self.noack {
                let pending = Pending {
                    consumer: self.consumer,
                    delivered_ms: self.now,
                    deliveries: 1,
                };
                self.group.assign(entry.id, pending);
                self.delivery.delivered.push((entry.id, pending));
            }
        }
        out.set_len(entries, written);
        if !self.delivery.delivered.is_empty() {
            self.group.consumer_mut(self.consumer).active_ms = Some(self.now);
        }
        self.delivery.moved = Some((self.group.last_id, self.group.entries_read));
    }

    /// Counts an entry that the group has read.
    fn advance(&mut self, id: StreamId) {
        let group = &mut *self.group;
        match &mut group.entries_read {
            Some(read) if !self.log.has_gaps_from(id) => *read += 1,
            read => {
                if self.log.added > 0 {
                    *read = self.log.count_up_to(id);
                }
            }
        }
        group.last_id = id;
    }

    fn deliver_again(&mut self, out: &mut Reply<'_>, from: StreamId, count: usize) {
        let pending = self.group.consumer(self.consumer).pending().since(from);
        let ids: Vec<StreamId> = pending.map(|(id, ())| id).take(count).collect();
        out.array(ids.len());
        for id in ids {
            match self.log.get(id) {
                Some(entry) => {
                    write_entry(out, entry);
                    self.group.deliver_again(id, self.now);
                }
                None => {
                    out.array(2);
                    write_id(out, id);
                    out.null_array();
                }
            }
        }
    }
}

/// Tells replicas and subscribers what has become of a group.
fn tell(cx: &mut Cx<'_>, key: &[u8], member: Member<'_>, delivery: Delivery) {
    cx.replace();
    if delivery.created {
        cx.data.changed_quietly(1, key);
        cx.data.notify(Class::STREAM, "xgroup-createconsumer", key);
        // Else the claims make it.
        if delivery.delivered.is_empty() {
            push_consumer(cx, key, member.group, member.consumer);
        }
    }
    if delivery.replied {
        cx.data.changed_quietly(1, key);
    }
    let Some((last, read)) = delivery.moved else {
        return;
    };
    for (id, pending) in delivery.delivered {
        // Each says up to where the group has read, so that what a replica has is always sound.
        push_claim(cx, key, member.group, member.consumer, id, &pending, last);
    }
    push_position(cx, key, member.group, last, read);
}

/// Sends that there is a consumer.
pub(super) fn push_consumer(cx: &mut Cx<'_>, key: &[u8], group: &[u8], consumer: &[u8]) {
    cx.push(&[b"XGROUP", b"CREATECONSUMER", key, group, consumer]);
}

/// Sends what has become of an entry that a consumer has.
pub(super) fn push_claim(
    cx: &mut Cx<'_>,
    key: &[u8],
    group: &[u8],
    consumer: &[u8],
    id: StreamId,
    pending: &Pending,
    last: StreamId,
) {
    let (mut delivered, mut deliveries) = (itoa::Buffer::new(), itoa::Buffer::new());
    cx.push(&[
        b"XCLAIM",
        key,
        group,
        consumer,
        b"0",
        id.text().bytes(),
        b"TIME",
        delivered.format(pending.delivered_ms).as_bytes(),
        b"RETRYCOUNT",
        deliveries.format(pending.deliveries).as_bytes(),
        b"FORCE",
        b"JUSTID",
        b"LASTID",
        last.text().bytes(),
    ]);
}

/// Sends up to where a group has read.
pub(super) fn push_position(
    cx: &mut Cx<'_>,
    key: &[u8],
    group: &[u8],
    last: StreamId,
    read: Option<i64>,
) {
    let mut digits = itoa::Buffer::new();
    cx.push(&[
        b"XGROUP",
        b"SETID",
        key,
        group,
        last.text().bytes(),
        b"ENTRIESREAD",
        digits.format(read.unwrap_or(-1)).as_bytes(),
    ]);
}

const NO_LAST_ID: &str = "The $ ID is meaningless in the context of XREADGROUP: you want to read the history of \
     this consumer by specifying a proper ID, or use the > ID to get new messages. The $ ID \
     would just return an empty result set.";
