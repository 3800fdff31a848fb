//! Groups of consumers, and what they acknowledge.

use super::{FAMILY, ids, parse_ids};
use crate::command::args::Args;
use crate::command::cx::Cx;
use crate::command::fail::{Fail, shown};
use crate::command::help;
use crate::command::spec::{Acl, Arity, Docs, Flags as F, Group as Family, Handler};
use crate::command::spec::{KeyFlags as K, KeySpec, Spec};
use crate::config::NotifyFlags as Class;
use crate::value::Stream;
use crate::value::stream::{Group, StreamId};

const INSERTS: &[KeySpec] = &[KeySpec::at(2, K::RW.and(K::INSERT))];
const UPDATES: &[KeySpec] = &[KeySpec::at(2, K::RW.and(K::UPDATE))];
const DELETES: &[KeySpec] = &[KeySpec::at(2, K::RW.and(K::DELETE))];

const fn sub(
    name: &'static str,
    run: Handler,
    arity: Arity,
    flags: F,
    keys: &'static [KeySpec],
    docs: (&'static str, &'static str, &'static str),
) -> Spec {
    let docs = (docs.0, docs.1, "O(1)", docs.2);
    FAMILY.row(name, run, arity, flags, keys, docs)
}

/// The rows of these commands.
pub static COMMANDS: &[Spec] = &[
    FAMILY.row(
        "xack",
        xack,
        Arity::AtLeast(4),
        F::WRITE.and(F::FAST),
        super::UPDATES,
        (
            "Acknowledges entries that a member of a group was given.",
            "5.0.0",
            "O(1) per entry",
            "key group id [id ...]",
        ),
    ),
    Spec {
        name: "xgroup",
        run: help::container,
        arity: Arity::AtLeast(2),
        flags: F::NONE,
        acl: Acl::SLOW,
        keys: &[],
        tips: &[],
        docs: Docs {
            summary: "Commands about groups of consumers.",
            since: "5.0.0",
            group: Family::Stream,
            complexity: "Depends on subcommand.",
            syntax: "",
        },
        subcommands: SUBCOMMANDS,
    },
];

static SUBCOMMANDS: &[Spec] = &[
    sub(
        "create",
        create,
        Arity::AtLeast(5),
        F::WRITE.and(F::DENYOOM),
        INSERTS,
        (
            "Makes a group.",
            "5.0.0",
            "key group <id | $> [MKSTREAM] [ENTRIESREAD entries-read]",
        ),
    ),
    sub(
        "createconsumer",
        create_consumer,
        Arity::Exactly(5),
        F::WRITE.and(F::DENYOOM),
        INSERTS,
        (
            "Makes a consumer of a group.",
            "6.2.0",
            "key group consumer",
        ),
    ),
    sub(
        "delconsumer",
        delete_consumer,
        Arity::Exactly(5),
        F::WRITE,
        DELETES,
        (
            "Removes a consumer from a group.",
            "5.0.0",
            "key group consumer",
        ),
    ),
    sub(
        "destroy",
        destroy,
        Arity::Exactly(4),
        F::WRITE,
        DELETES,
        ("Removes a group.", "5.0.0", "key group"),
    ),
    sub(
        "help",
        group_help,
        Arity::Exactly(2),
        F::LOADING.and(F::STALE),
        &[],
        ("Lists the subcommands.", "5.0.0", ""),
    ),
    sub(
        "setid",
        set_id,
        Arity::AtLeast(5),
        F::WRITE,
        UPDATES,
        (
            "Sets up to where a group has read.",
            "5.0.0",
            "key group <id | $> [ENTRIESREAD entries-read]",
        ),
    ),
];

fn group_help(cx: &mut Cx<'_>, _: Args<'_>) -> Result<(), Fail> {
    help::reply(&mut cx.out, "XGROUP", SUBCOMMANDS);
    Ok(())
}

pub(super) fn no_such_group(key: &[u8], group: &[u8]) -> Fail {
    let text: [&[u8]; 5] = [
        b"NOGROUP No such consumer group '",
        shown(group),
        b"' for key name '",
        shown(key),
        b"'",
    ];
    Fail::whole(text.concat())
}

const NO_KEY: Fail = Fail::Plain(
    "The XGROUP subcommand requires the key to exist. Note that for CREATE you may want to use \
     the MKSTREAM option to create an empty stream automatically.",
);

/// The options of CREATE and SETID.
#[derive(Default)]
struct Options {
    make: bool,
    read: Option<i64>,
}

impl Options {
    fn parse(args: &mut Args<'_>, creates: bool) -> Result<Self, Fail> {
        let mut options = Self::default();
        let word = args.argv().get(1);
        let container = || Fail::subcommand_syntax(word, "XGROUP");
        // Redis looks at their number when it has looked for the group.
        while !args.is_done() {
            if creates && args.keyword("mkstream") {
                options.make = true;
            } else if args.left() >= 2 && args.keyword("entriesread") {
                let read = args.int()?;
                if read < -1 {
                    return Err(Fail::Plain("value for ENTRIESREAD must be positive or -1"));
                }
                options.read = (read >= 0).then_some(read);
            } else {
                return Err(container());
            }
        }
        Ok(options)
    }
}

/// The last ID of a stream, if the text is `$`, or the ID that it is.
fn position(text: &[u8], last: StreamId) -> Result<StreamId, Fail> {
    if text == b"$" {
        Ok(last)
    } else {
        ids::parse(text)
    }
}

/// Looks for a stream that has to be there, and its group.
fn find(cx: &mut Cx<'_>, key: &[u8], group: &[u8]) -> Result<(StreamId, bool), Fail> {
    let stream = cx.data.peek::<Stream>(key)?.ok_or(NO_KEY)?;
    Ok((stream.log().last_id, stream.group(group).is_some()))
}

fn create(cx: &mut Cx<'_>, mut args: Args<'_>) -> Result<(), Fail> {
    let word = args.argv().get(1);
    let too_many = args.argv().len() > 8;
    let (key, name, start) = (args.bulk()?, args.bulk()?, args.bulk()?);
    let options = Options::parse(&mut args, true)?;
    let stream = cx.data.peek::<Stream>(key)?;
    let last = stream.map(|stream| stream.log().last_id);
    if last.is_none() && !options.make {
        return Err(NO_KEY);
    }
    if too_many {
        return Err(Fail::subcommand_syntax(word, "XGROUP"));
    }
    let start = position(start, last.unwrap_or_default())?;
    let created = cx.data.edit::<Stream, _>(key, true, |stream, _| {
        stream.create_group(name, Group::new(start, options.read))
    })?;
    if created != Some(true) {
        return Err(Fail::Coded("BUSYGROUP Consumer Group name already exists"));
    }
    cx.data.changed(key, Class::STREAM, "xgroup-create");
    cx.out.ok();
    Ok(())
}

fn set_id(cx: &mut Cx<'_>, mut args: Args<'_>) -> Result<(), Fail> {
    let word = args.argv().get(1);
    let count = args.argv().len();
    let (key, name, start) = (args.bulk()?, args.bulk()?, args.bulk()?);
    let options = Options::parse(&mut args, false)?;
    let (last, known) = find(cx, key, name)?;
    if !known {
        return Err(no_such_group(key, name));
    }
    if count != 5 && count != 7 {
        return Err(Fail::subcommand_syntax(word, "XGROUP"));
    }
    let start = match start {
        b"-" => StreamId::MIN,
        b"+" => StreamId::MAX,
        start => position(start, last)?,
    };
    cx.data.edit::<Stream, _>(key, false, |stream, _| {
        stream.edit_group(name, |_, group| {
            group.last_id = start;
            group.entries_read = options.read;
        })
    })?;
    cx.data.changed(key, Class::STREAM, "xgroup-setid");
    cx.out.ok();
    Ok(())
}

fn destroy(cx: &mut Cx<'_>, mut args: Args<'_>) -> Result<(), Fail> {
    let (key, name) = (args.bulk()?, args.bulk()?);
    let (_, known) = find(cx, key, name)?;
    if known {
        cx.data
            .edit::<Stream, _>(key, false, |stream, _| stream.destroy_group(name))?;
        cx.data.changed(key, Class::STREAM, "xgroup-destroy");
    }
    cx.out.int(i64::from(known));
    Ok(())
}

fn create_consumer(cx: &mut Cx<'_>, mut args: Args<'_>) -> Result<(), Fail> {
    let (key, name, consumer) = (args.bulk()?, args.bulk()?, args.bulk()?);
    let (_, known) = find(cx, key, name)?;
    if !known {
        return Err(no_such_group(key, name));
    }
    let now = cx.wall().as_millis();
    let created = cx.data.edit::<Stream, _>(key, false, |stream, _| {
        stream.edit_group(name, |_, group| group.create(consumer, now).is_some())
    })?;
    let created = created.flatten() == Some(true);
    if created {
        cx.data.changed(key, Class::STREAM, "xgroup-createconsumer");
    }
    cx.out.int(i64::from(created));
    Ok(())
}

fn delete_consumer(cx: &mut Cx<'_>, mut args: Args<'_>) -> Result<(), Fail> {
    let (key, name, consumer) = (args.bulk()?, args.bulk()?, args.bulk()?);
    let (_, known) = find(cx, key, name)?;
    if !known {
        return Err(no_such_group(key, name));
    }
    let removed = cx.data.edit::<Stream, _>(key, false, |stream, _| {
        stream.edit_group(name, |_, group| group.remove(consumer))
    })?;
    let removed = removed.flatten().flatten();
    if removed.is_some() {
        cx.data.changed(key, Class::STREAM, "xgroup-delconsumer");
    }
    cx.out.int(removed.unwrap_or(0) as i64);
    Ok(())
}

fn xack(cx: &mut Cx<'_>, mut args: Args<'_>) -> Result<(), Fail> {
    let (key, name) = (args.bulk()?, args.bulk()?);
    // Redis reads the IDs only if there is a group.
    let known = cx.data.lend::<Stream>(key)?;
    if known.is_none_or(|stream| stream.group(name).is_none()) {
        cx.out.int(0);
        return Ok(());
    }
    let ids = parse_ids(args.rest())?;
    let count = cx.data.edit::<Stream, _>(key, false, |stream, _| {
        stream.edit_group(name, |_, group| {
            let ids = ids.iter();
            ids.filter(|&&id| group.acknowledge(id).is_some()).count()
        })
    })?;
    let count = count.flatten().unwrap_or(0);
    if count > 0 {
        cx.data.changed_quietly(count as u64, key);
    }
    cx.out.int(count as i64);
    Ok(())
}
