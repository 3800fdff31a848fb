//! COMMAND: what commands there are.

use super::args::Args;
use super::cx::Cx;
use super::fail::Fail;
use super::help;
use super::keys;
use super::spec::{
    Acl, Arity, Begin, Docs, Find, Flags as F, Group, Handler, KeyFlags, KeySpec, Spec,
};
use super::table::{CommandId, Table};
use crate::glob;
use crate::resp::Reply;

const ANY: F = F::LOADING.and(F::STALE);

/// A row of this family: they differ in few things.
const fn row(
    name: &'static str,
    run: Handler,
    arity: Arity,
    tips: &'static [&'static str],
    docs: (&'static str, &'static str, &'static str),
) -> Spec {
    Spec {
        name,
        run,
        arity,
        flags: ANY,
        acl: Acl::CONNECTION,
        keys: &[],
        tips,
        docs: Docs {
            summary: docs.0,
            since: docs.1,
            group: Group::Server,
            complexity: "O(N) in the number of commands or arguments",
            syntax: docs.2,
        },
        subcommands: &[],
    }
}

const UNORDERED: &[&str] = &["nondeterministic_output_order"];

/// The family's rows.
pub static COMMANDS: &[Spec] = &[Spec {
    name: "command",
    run: command,
    arity: Arity::AtLeast(1),
    flags: ANY,
    acl: Acl::CONNECTION,
    keys: &[],
    tips: UNORDERED,
    docs: Docs {
        summary: "Describes every command.",
        since: "2.8.13",
        group: Group::Server,
        complexity: "O(N) in the number of commands",
        syntax: "",
    },
    subcommands: &[
        row(
            "count",
            count,
            Arity::Exactly(2),
            &[],
            ("Counts the commands.", "2.8.13", ""),
        ),
        row(
            "docs",
            docs,
            Arity::AtLeast(2),
            UNORDERED,
            (
                "Explains commands for people.",
                "7.0.0",
                "[command-name [command-name ...]]",
            ),
        ),
        row(
            "getkeys",
            getkeys,
            Arity::AtLeast(3),
            &[],
            (
                "Finds the keys of a command.",
                "2.8.13",
                "command [arg [arg ...]]",
            ),
        ),
        row(
            "getkeysandflags",
            getkeysandflags,
            Arity::AtLeast(3),
            &[],
            (
                "Finds the keys of a command and what it does to them.",
                "7.0.0",
                "command [arg [arg ...]]",
            ),
        ),
        row(
            "help",
            command_help,
            Arity::Exactly(2),
            &[],
            ("Lists the subcommands.", "5.0.0", ""),
        ),
        row(
            "info",
            info,
            Arity::AtLeast(2),
            UNORDERED,
            (
                "Describes commands.",
                "2.8.13",
                "[command-name [command-name ...]]",
            ),
        ),
        row(
            "list",
            list,
            Arity::AtLeast(2),
            UNORDERED,
            (
                "Lists the names of commands.",
                "7.0.0",
                "[FILTERBY <MODULE module-name | ACLCAT category | PATTERN pattern>]",
            ),
        ),
    ],
}];

fn command(cx: &mut Cx<'_>, _: Args<'_>) -> Result<(), Fail> {
    let table = &cx.data.st.table;
    cx.out.array(table.top().count());
    for id in table.top() {
        write_info(&mut cx.out, table, id);
    }
    Ok(())
}

fn count(cx: &mut Cx<'_>, _: Args<'_>) -> Result<(), Fail> {
    cx.out.int(cx.data.st.table.top().count() as i64);
    Ok(())
}

fn info(cx: &mut Cx<'_>, mut args: Args<'_>) -> Result<(), Fail> {
    let table = &cx.data.st.table;
    if args.is_done() {
        return command(cx, args);
    }
    cx.out.array(args.left());
    for name in args.rest() {
        match table.by_full_name(name) {
            Some(id) => write_info(&mut cx.out, table, id),
            None => cx.out.null(),
        }
    }
    Ok(())
}

/// The ten fields of COMMAND INFO.
pub fn write_info<H>(out: &mut Reply<'_>, table: &Table<H>, id: CommandId) {
    let spec = table.command(id).spec;
    let (first, last, step) = legacy_range(spec.keys);
    out.array(10);
    out.bulk(table.full_name(id).as_bytes());
    out.int(spec.arity.wire());
    out.set(spec.flags.names().count());
    for name in spec.flags.names() {
        out.simple(name);
    }
    out.int(first);
    out.int(last);
    out.int(step);
    let categories = spec.categories();
    let names = Acl::ALL
        .iter()
        .filter(|(acl, _)| categories.has(*acl))
        .map(|(_, name)| name);
    out.set(names.clone().count());
    for name in names {
        out.simple(&format!("@{name}"));
    }
    out.array(spec.tips.len());
    for tip in spec.tips {
        out.bulk(tip.as_bytes());
    }
    out.array(spec.keys.len());
    for key in spec.keys {
        write_key_spec(out, key);
    }
    out.array(spec.subcommands.len());
    for sub in table.subcommands(id) {
        write_info(out, table, sub);
    }
}

/// First key, last key and step, as clients before key specs want them.
fn legacy_range(keys: &[KeySpec]) -> (i64, i64, i64) {
    let mut ranges = keys.iter().filter_map(|key| match (key.begin, key.find) {
        (Begin::Index(first), Find::Range { last, step, .. }) => {
            let (first, last) = (i64::from(first), i64::from(last));
            let last = if last >= 0 { first + last } else { last };
            Some((first, last, i64::from(step)))
        }
        (Begin::Index(_) | Begin::Keyword(..) | Begin::Unknown(_), _) => None,
    });
    let Some((first, mut last, step)) = ranges.next() else {
        return (0, 0, 0);
    };
    for (next, end, _) in ranges.take_while(|&(_, _, next_step)| step == 1 && next_step == 1) {
        if next == last + 1 {
            last = end;
        }
    }
    (first, last, step)
}

fn write_key_spec(out: &mut Reply<'_>, key: &KeySpec) {
    if let Begin::Unknown(why) = key.begin {
        out.map(4);
        out.bulk(b"notes");
        out.bulk(why.as_bytes());
    } else {
        out.map(3);
    }
    out.bulk(b"flags");
    out.set(key.flags.names().count());
    for name in key.flags.names() {
        out.simple(name);
    }
    out.bulk(b"begin_search");
    out.map(2);
    out.bulk(b"type");
    match key.begin {
        Begin::Index(index) => {
            out.bulk(b"index");
            out.bulk(b"spec");
            write_ints(out, &[("index", i64::from(index))]);
        }
        Begin::Keyword(word, from) => {
            out.bulk(b"keyword");
            out.bulk(b"spec");
            out.map(2);
            out.bulk(b"keyword");
            out.bulk(word.as_bytes());
            out.bulk(b"startfrom");
            out.int(i64::from(from));
        }
        Begin::Unknown(_) => write_unknown(out),
    }
    out.bulk(b"find_keys");
    out.map(2);
    out.bulk(b"type");
    match key.find {
        Find::Range { last, step, limit } => {
            out.bulk(b"range");
            out.bulk(b"spec");
            let (last, step, limit) = (i64::from(last), i64::from(step), i64::from(limit));
            write_ints(
                out,
                &[("lastkey", last), ("keystep", step), ("limit", limit)],
            );
        }
        Find::Count { count, first, step } => {
            out.bulk(b"keynum");
            out.bulk(b"spec");
            let (count, first, step) = (i64::from(count), i64::from(first), i64::from(step));
            write_ints(
                out,
                &[("keynumidx", count), ("firstkey", first), ("keystep", step)],
            );
        }
        Find::Unknown => write_unknown(out),
    }
}

fn write_unknown(out: &mut Reply<'_>) {
    out.bulk(b"unknown");
    out.bulk(b"spec");
    out.map(0);
}

fn write_ints(out: &mut Reply<'_>, pairs: &[(&str, i64)]) {
    out.map(pairs.len());
    for (name, value) in pairs {
        out.bulk(name.as_bytes());
        out.int(*value);
    }
}

fn docs(cx: &mut Cx<'_>, mut args: Args<'_>) -> Result<(), Fail> {
    let table = &cx.data.st.table;
    let ids: Vec<_> = if args.is_done() {
        table.top().collect()
    } else {
        args.rest()
            .filter_map(|name| table.by_full_name(name))
            .collect()
    };
    cx.out.map(ids.len());
    for id in ids {
        write_docs(&mut cx.out, table, id);
    }
    Ok(())
}

/// A name and the map COMMAND DOCS has for it.
pub fn write_docs<H>(out: &mut Reply<'_>, table: &Table<H>, id: CommandId) {
    let spec = table.command(id).spec;
    out.bulk(table.full_name(id).as_bytes());
    let has_subcommands = !spec.subcommands.is_empty();
    out.map(4 + usize::from(has_subcommands));
    let texts = [
        ("summary", spec.docs.summary),
        ("since", spec.docs.since),
        ("group", spec.docs.group.name()),
        ("complexity", spec.docs.complexity),
    ];
    for (name, text) in texts {
        out.bulk(name.as_bytes());
        out.bulk(text.as_bytes());
    }
    if has_subcommands {
        out.bulk(b"subcommands");
        out.map(spec.subcommands.len());
        for sub in table.subcommands(id) {
            write_docs(out, table, sub);
        }
    }
}

fn list(cx: &mut Cx<'_>, mut args: Args<'_>) -> Result<(), Fail> {
    let table = &cx.data.st.table;
    let ids: Vec<_> = if args.is_done() {
        table.top().collect()
    } else if args.left() == 3 && args.keyword("filterby") {
        if args.keyword("module") {
            Vec::new()
        } else if args.keyword("aclcat") {
            let wanted = args.bulk()?;
            let category = Acl::by_name(wanted);
            table
                .all()
                .filter(|&id| {
                    category.is_some_and(|acl| table.command(id).spec.categories().has(acl))
                })
                .collect()
        } else if args.keyword("pattern") {
            let pattern = args.bulk()?;
            table
                .all()
                .filter(|&id| glob::matches_ignore_case(pattern, table.full_name(id).as_bytes()))
                .collect()
        } else {
            return Err(Fail::Syntax);
        }
    } else {
        return Err(Fail::Syntax);
    };
    cx.out.array(ids.len());
    for id in ids {
        cx.out.bulk(table.full_name(id).as_bytes());
    }
    Ok(())
}

fn getkeys(cx: &mut Cx<'_>, args: Args<'_>) -> Result<(), Fail> {
    let found = find_keys(cx, args)?;
    cx.out.array(found.len());
    for key in found {
        cx.out.bulk(args.argv().get(2 + key.index));
    }
    Ok(())
}

fn getkeysandflags(cx: &mut Cx<'_>, args: Args<'_>) -> Result<(), Fail> {
    let found = find_keys(cx, args)?;
    cx.out.array(found.len());
    for key in found {
        cx.out.array(2);
        cx.out.bulk(args.argv().get(2 + key.index));
        cx.out.set(key.flags.names().count());
        for name in key.flags.names() {
            cx.out.simple(name);
        }
    }
    Ok(())
}

fn find_keys(cx: &Cx<'_>, args: Args<'_>) -> Result<Vec<keys::KeyArg>, Fail> {
    let argv = args.argv().skip(2);
    let table = &cx.data.st.table;
    let found = table
        .find(argv, None)
        .map_err(|_| Fail::Plain("Invalid command specified"))?;
    let has_keys = |key: &KeySpec| !key.flags.has(KeyFlags::NOT_KEY);
    if !found.spec.keys.iter().any(has_keys) {
        return Err(Fail::Plain("The command has no key arguments"));
    }
    if !found.spec.arity.takes(argv.len()) {
        return Err(Fail::Plain(
            "Invalid number of arguments specified for command",
        ));
    }
    keys::of_command(found.spec, argv).ok_or(Fail::Plain("Invalid arguments specified for command"))
}

fn command_help(cx: &mut Cx<'_>, _: Args<'_>) -> Result<(), Fail> {
    help::reply(&mut cx.out, "COMMAND", COMMANDS[0].subcommands);
    Ok(())
}
