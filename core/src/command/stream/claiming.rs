//! Entries that consumers were given: looking at them and taking them over.

use smallvec::SmallVec;

use super::reading::{push_claim, push_consumer, push_position};
use super::{FAMILY, READS, UPDATES, ids, no_group, varying, write_entry, write_id};
use crate::command::args::Args;
use crate::command::cx::{Cx, Origin};
use crate::command::fail::{Fail, shown};
use crate::command::spec::{Arity, Flags as F, Spec};
use crate::config::NotifyFlags as Class;
use crate::resp::{Reply, parse_int};
use crate::value::Stream;
use crate::value::stream::{ConsumerNo, Group, Log, Pending, StreamId};

/// The rows of these commands.
pub static COMMANDS: &[Spec] = &[
    varying(FAMILY.row(
        "xautoclaim",
        xautoclaim,
        Arity::AtLeast(6),
        F::WRITE.and(F::FAST),
        super::DELETES,
        (
            "Takes over entries that members of a group were given long ago.",
            "6.2.0",
            "O(1) for a small COUNT",
            "key group consumer min-idle-time start [COUNT count] [JUSTID]",
        ),
    )),
    varying(FAMILY.row(
        "xclaim",
        xclaim,
        Arity::AtLeast(6),
        F::WRITE.and(F::FAST),
        UPDATES,
        (
            "Takes over entries that another member of a group was given.",
            "5.0.0",
            "O(log N) in the number of entries not acknowledged",
            "key group consumer min-idle-time id [id ...] [IDLE ms] [TIME unix-time-milliseconds] \
             [RETRYCOUNT count] [FORCE] [JUSTID] [LASTID lastid]",
        ),
    )),
    varying(FAMILY.row(
        "xpending",
        xpending,
        Arity::AtLeast(3),
        F::READONLY,
        READS,
        (
            "Shows the entries that members of a group have not acknowledged.",
            "5.0.0",
            "O(N) in the number of entries shown",
            "key group [[IDLE min-idle-time] start end count [consumer]]",
        ),
    )),
];

/// A number that is named in the error if it is none.
fn named_int(args: &mut Args<'_>, text: &'static str) -> Result<i64, Fail> {
    parse_int(args.bulk()?).ok_or(Fail::Plain(text))
}

/// Which entries XPENDING shows.
struct Shown<'a> {
    idle: i64,
    start: StreamId,
    end: StreamId,
    count: usize,
    consumer: Option<&'a [u8]>,
}

impl<'a> Shown<'a> {
    fn parse(args: &mut Args<'a>) -> Result<Self, Fail> {
        if !(3..=6).contains(&args.left()) {
            return Err(Fail::Syntax);
        }
        let mut idle = 0;
        if args.keyword("idle") {
            idle = args.int()?;
        }
        if args.left() < 3 {
            return Err(Fail::Syntax);
        }
        let (start, end) = (args.bulk()?, args.bulk()?);
        // Redis reads the count first.
        let count = args.int()?;
        Ok(Self {
            idle,
            start: ids::parse_start(start)?,
            end: ids::parse_end(end)?,
            count: usize::try_from(count).unwrap_or(0),
            consumer: args.peek(),
        })
    }
}

fn xpending(cx: &mut Cx<'_>, mut args: Args<'_>) -> Result<(), Fail> {
    let (key, name) = (args.bulk()?, args.bulk()?);
    let shown = if args.is_done() {
        None
    } else {
        Some(Shown::parse(&mut args)?)
    };
    let now = cx.wall().as_millis();
    let stream = cx.data.lend::<Stream>(key)?;
    let group = stream.and_then(|stream| stream.group(name));
    let group = group.ok_or_else(|| no_group(key, name))?;
    match shown {
        None => summarize(&mut cx.out, group),
        Some(shown) => list_pending(&mut cx.out, group, &shown, now),
    }
    Ok(())
}

fn summarize(out: &mut Reply<'_>, group: &Group) {
    let pending = group.pending();
    out.array(4);
    out.int(pending.len() as i64);
    let (Some(first), Some(last)) = (pending.first(), pending.last()) else {
        out.null();
        out.null();
        out.null_array();
        return;
    };
    write_id(out, first);
    write_id(out, last);
    let busy = || {
        let consumers = group.consumers();
        consumers.filter(|consumer| !consumer.pending().is_empty())
    };
    out.array(busy().count());
    for consumer in busy() {
        out.array(2);
        out.bulk(consumer.name());
        out.bulk_int(consumer.pending().len() as i64);
    }
}

fn list_pending(out: &mut Reply<'_>, group: &Group, shown: &Shown<'_>, now: i64) {
    let entries = out.array_later();
    let mut written = 0;
    let mut show = |id, pending: &Pending| {
        let idle = now - pending.delivered_ms;
        if id > shown.end || written == shown.count {
            return false;
        }
        if shown.idle != 0 && idle < shown.idle {
            return true;
        }
        out.array(4);
        write_id(out, id);
        out.bulk(group.consumer(pending.consumer).name());
        out.int(idle.max(0));
        out.int(pending.deliveries);
        written += 1;
        true
    };
    match shown.consumer.map(|name| group.find(name)) {
        None => {
            let mut all = group.pending().since(shown.start);
            while let Some((id, pending)) = all.next()
                && show(id, pending)
            {}
        }
        Some(None) => {}
        Some(Some(number)) => {
            let mut own = group.consumer(number).pending().since(shown.start);
            while let Some((id, ())) = own.next()
                && let Some(pending) = group.pending().get(id)
                && show(id, pending)
            {}
        }
    }
    out.set_len(entries, written);
}

/// What has become of an entry, and who has or had it.
type Change = (StreamId, Box<[u8]>, Pending);

/// A consumer that takes entries over.
struct Claimer<'a> {
    log: &'a Log,
    group: &'a mut Group,
    consumer: ConsumerNo,
    justid: bool,
    /// The time of delivery that entries get.
    delivered_ms: i64,
    /// How often they were delivered, if that is set.
    deliveries: Option<i64>,
    changes: Vec<Change>,
    got_some: bool,
}

impl Claimer<'_> {
    /// Forgets an entry that is gone.
    fn forget(&mut self, id: StreamId) {
        if let Some(pending) = self.group.acknowledge(id) {
            self.note(id, pending);
        }
    }

    /// Takes an entry over and replies with it.
    fn claim(&mut self, out: &mut Reply<'_>, id: StreamId, deliveries: i64) {
        let counted = deliveries.saturating_add(i64::from(!self.justid));
        let pending = Pending {
            consumer: self.consumer,
            delivered_ms: self.delivered_ms,
            deliveries: self.deliveries.unwrap_or(counted),
        };
        self.group.assign(id, pending);
        self.got_some = true;
        match self.log.get(id) {
            Some(entry) if !self.justid => write_entry(out, entry),
            _ => write_id(out, id),
        }
        self.note(id, pending);
    }

    fn note(&mut self, id: StreamId, pending: Pending) {
        let name = self.group.consumer(pending.consumer).name().into();
        self.changes.push((id, name, pending));
    }
}

/// What claiming came to.
struct Claimed {
    created: bool,
    changes: Vec<Change>,
    last: StreamId,
    read: Option<i64>,
    /// The group has moved on, and no change says so.
    moved: bool,
}

/// Lets a consumer take over entries.
fn claim_with<'k>(
    cx: &mut Cx<'_>,
    (key, name, consumer): (&'k [u8], &'k [u8], &'k [u8]),
    options: &Options,
    claim: impl FnOnce(&mut Claimer<'_>, &mut Reply<'_>),
) -> Result<(), Fail> {
    let now = cx.wall().as_millis();
    let out = &mut cx.out;
    let claimed = cx.data.edit::<Stream, _>(key, false, |stream, _| {
        stream.edit_group(name, |log, group| {
            let moved = options.last > group.last_id;
            group.last_id = group.last_id.max(options.last);
            let known = group.find(consumer);
            let number = known.or_else(|| group.create(consumer, now));
            let number = number.expect("who is not known is made");
            let mut claimer = Claimer {
                log,
                group,
                consumer: number,
                justid: options.justid,
                delivered_ms: options.delivered_ms.unwrap_or(now),
                deliveries: options.deliveries,
                changes: Vec::new(),
                got_some: false,
            };
            claim(&mut claimer, out);
            let (changes, got_some) = (claimer.changes, claimer.got_some);
            let member = group.consumer_mut(number);
            member.seen_ms = now;
            if got_some {
                member.active_ms = Some(now);
            }
            Claimed {
                created: known.is_none(),
                moved: moved && changes.is_empty(),
                changes,
                last: group.last_id,
                read: group.entries_read,
            }
        })
    })?;
    let claimed = claimed.flatten().ok_or_else(|| no_group(key, name))?;
    tell(cx, (key, name, consumer), claimed);
    Ok(())
}

/// Tells replicas and subscribers what was claimed.
fn tell(cx: &mut Cx<'_>, (key, group, claimer): (&[u8], &[u8], &[u8]), claimed: Claimed) {
    cx.replace();
    if claimed.created {
        cx.data.changed_quietly(1, key);
        cx.data.notify(Class::STREAM, "xgroup-createconsumer", key);
        // Else the claims make it.
        if claimed
            .changes
            .iter()
            .all(|(_, owner, _)| **owner != *claimer)
        {
            push_consumer(cx, key, group, claimer);
        }
    }
    let changes = claimed.changes.len() as u64 + u64::from(claimed.moved);
    if changes > 0 {
        cx.data.changed_quietly(changes, key);
    }
    for (id, consumer, pending) in &claimed.changes {
        push_claim(cx, key, group, consumer, *id, pending, claimed.last);
    }
    if claimed.moved {
        push_position(cx, key, group, claimed.last, claimed.read);
    }
}

/// Looks whether there is a group.
fn has_group(cx: &mut Cx<'_>, key: &[u8], name: &[u8]) -> Result<(), Fail> {
    let stream = cx.data.lend::<Stream>(key)?;
    let known = stream.is_some_and(|stream| stream.group(name).is_some());
    if known {
        Ok(())
    } else {
        Err(no_group(key, name))
    }
}

/// The options of XCLAIM.
#[derive(Default)]
struct Options {
    delivered_ms: Option<i64>,
    deliveries: Option<i64>,
    force: bool,
    justid: bool,
    last: StreamId,
}

impl Options {
    fn parse(args: &mut Args<'_>, now: i64, origin: Origin) -> Result<Self, Fail> {
        let mut options = Self::default();
        while !args.is_done() {
            let more = args.left() > 1;
            if args.keyword("force") {
                options.force = true;
            } else if args.keyword("justid") {
                options.justid = true;
            } else if more && args.keyword("idle") {
                let idle = named_int(args, "Invalid IDLE option argument for XCLAIM")?;
                options.delivered_ms = Some(now.wrapping_sub(idle));
            } else if more && args.keyword("time") {
                let time = named_int(args, "Invalid TIME option argument for XCLAIM")?;
                options.delivered_ms = Some(time);
            } else if more && args.keyword("retrycount") {
                let count = named_int(args, "Invalid RETRYCOUNT option argument for XCLAIM")?;
                options.deliveries = (count >= 0).then_some(count);
            } else if more && args.keyword("lastid") {
                options.last = ids::parse(args.bulk()?)?;
            } else {
                let text = [b"Unrecognized XCLAIM option '", shown(args.bulk()?), b"'"];
                return Err(Fail::detail(text.concat()));
            }
        }
        // A clock that is ahead of ours, or nonsense, is no reason to refuse. What a master has
        // noted is noted here, whatever our own clock says.
        let latest = if origin == Origin::Client {
            now
        } else {
            i64::MAX
        };
        options.delivered_ms = options.delivered_ms.filter(|at| (0..=latest).contains(at));
        Ok(options)
    }
}

fn xclaim(cx: &mut Cx<'_>, mut args: Args<'_>) -> Result<(), Fail> {
    let (key, name, consumer) = (args.bulk()?, args.bulk()?, args.bulk()?);
    has_group(cx, key, name)?;
    let idle = named_int(&mut args, "Invalid min-idle-time argument for XCLAIM")?.max(0);
    let mut ids: SmallVec<[StreamId; 8]> = SmallVec::new();
    // What is no ID is an option.
    while let Some(Ok(id)) = args.peek().map(ids::parse) {
        ids.push(id);
        args.bulk()?;
    }
    let now = cx.wall().as_millis();
    let options = Options::parse(&mut args, now, cx.data.origin)?;
    claim_with(cx, (key, name, consumer), &options, |claimer, out| {
        let entries = out.array_later();
        let mut written = 0;
        for id in ids {
            if claimer.log.get(id).is_none() {
                claimer.forget(id);
                continue;
            }
            let pending = claimer.group.pending().get(id).copied();
            let deliveries = match pending {
                Some(pending) if idle > 0 && now - pending.delivered_ms < idle => continue,
                Some(pending) => pending.deliveries,
                // Redis counts the making of it as a delivery.
                None if options.force => 1,
                None => continue,
            };
            claimer.claim(out, id, deliveries);
            written += 1;
        }
        out.set_len(entries, written);
    })
}

/// How many entries XAUTOCLAIM looks at for each that it may claim.
const LOOKS_PER_CLAIM: usize = 10;
/// The most that XAUTOCLAIM may be asked for in Redis.
const CLAIMS_MAX: i64 = i64::MAX / 16;
const TOO_FEW: &str = "COUNT must be > 0";

fn xautoclaim(cx: &mut Cx<'_>, mut args: Args<'_>) -> Result<(), Fail> {
    let (key, name, consumer) = (args.bulk()?, args.bulk()?, args.bulk()?);
    let idle = named_int(&mut args, "Invalid min-idle-time argument for XAUTOCLAIM")?.max(0);
    let start = ids::parse_start(args.bulk()?)?;
    let (mut count, mut options) = (100, Options::default());
    while !args.is_done() {
        if args.left() >= 2 && args.keyword("count") {
            let wanted = named_int(&mut args, TOO_FEW)?;
            if !(1..=CLAIMS_MAX).contains(&wanted) {
                return Err(Fail::Plain(TOO_FEW));
            }
            count = usize::try_from(wanted).unwrap_or(usize::MAX);
        } else if args.keyword("justid") {
            options.justid = true;
        } else {
            return Err(Fail::Syntax);
        }
    }
    has_group(cx, key, name)?;
    let now = cx.wall().as_millis();
    claim_with(cx, (key, name, consumer), &options, |claimer, out| {
        let (ids, next) = claimable(claimer, start, idle, count, now);
        let gone = |id: &&StreamId| claimer.log.get(**id).is_none();
        let deleted: Vec<StreamId> = ids.iter().filter(gone).copied().collect();
        out.array(3);
        write_id(out, next);
        out.array(ids.len() - deleted.len());
        for &id in &ids {
            match claimer.group.pending().get(id).copied() {
                Some(pending) if claimer.log.get(id).is_some() => {
                    claimer.claim(out, id, pending.deliveries);
                }
                _ => claimer.forget(id),
            }
        }
        out.array(deleted.len());
        for id in deleted {
            write_id(out, id);
        }
    })
}

/// The entries to be claimed or forgotten, and where to go on.
fn claimable(
    claimer: &Claimer<'_>,
    start: StreamId,
    idle: i64,
    count: usize,
    now: i64,
) -> (Vec<StreamId>, StreamId) {
    let mut looks = count.saturating_mul(LOOKS_PER_CLAIM);
    let mut ids = Vec::new();
    for (id, pending) in claimer.group.pending().since(start) {
        if looks == 0 || ids.len() == count {
            return (ids, id);
        }
        looks -= 1;
        let due = idle == 0 || now - pending.delivered_ms >= idle;
        if due || claimer.log.get(id).is_none() {
            ids.push(id);
        }
    }
    (ids, StreamId::MIN)
}
