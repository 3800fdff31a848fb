//! COMMAND.

use super::table::{COMMANDS, Row};
use super::{Cx, Fail};
use crate::glob;
use crate::resp::{ArgvRef, Reply};

/// COMMAND without a subcommand.
pub(super) fn command(cx: &mut Cx<'_>, _: ArgvRef<'_>) -> Result<(), Fail> {
    let mut reply = cx.reply();
    reply.array(COMMANDS.len());
    COMMANDS.iter().for_each(|row| describe(&mut reply, row));
    Ok(())
}

pub(super) fn count(cx: &mut Cx<'_>, _: ArgvRef<'_>) -> Result<(), Fail> {
    cx.reply()
        .int(i64::try_from(COMMANDS.len()).expect("a small number"));
    Ok(())
}

pub(super) fn info(cx: &mut Cx<'_>, args: ArgvRef<'_>) -> Result<(), Fail> {
    if args.len() == 2 {
        return command(cx, args);
    }
    let names = args.skip(2);
    let mut reply = cx.reply();
    reply.array(names.len());
    for name in names.iter() {
        match named(name) {
            Some(row) => describe(&mut reply, row),
            None => reply.null_array(),
        }
    }
    Ok(())
}

pub(super) fn docs(cx: &mut Cx<'_>, args: ArgvRef<'_>) -> Result<(), Fail> {
    let rows: Vec<&Row> = match args.len() {
        2 => COMMANDS.iter().collect(),
        _ => args.skip(2).iter().filter_map(named).collect(),
    };
    let mut reply = cx.reply();
    reply.map(rows.len());
    for row in rows {
        document(&mut reply, row);
    }
    Ok(())
}

pub(super) fn list(cx: &mut Cx<'_>, args: ArgvRef<'_>) -> Result<(), Fail> {
    let option = |at: usize| args.try_get(at).map(<[u8]>::to_ascii_lowercase);
    let filter = match (option(2).as_deref(), option(3).as_deref(), args.len()) {
        (None, None, _) => None,
        (Some(b"filterby"), Some(by @ (b"module" | b"aclcat" | b"pattern")), 5) => {
            Some((by.to_vec(), args.get(4)))
        }
        (Some(_) | None, _, _) => return Err("ERR syntax error".to_owned()),
    };
    let keep = |row: &&Row| match &filter {
        None => true,
        Some((by, text)) => match by.as_slice() {
            b"pattern" => glob::matches_ignore_case(text, row.name.as_bytes()),
            b"aclcat" => row
                .acl
                .iter()
                .any(|cat| text.eq_ignore_ascii_case(&cat.as_bytes()[1..])),
            // There are no modules.
            _ => false,
        },
    };
    let rows = COMMANDS
        .iter()
        .flat_map(|row| core::iter::once(row).chain(row.subcommands()));
    let rows: Vec<_> = rows.filter(keep).collect();
    let mut reply = cx.reply();
    reply.set(rows.len());
    rows.iter().for_each(|row| reply.bulk(row.name.as_bytes()));
    Ok(())
}

pub(super) fn getkeys(_: &mut Cx<'_>, args: ArgvRef<'_>) -> Result<(), Fail> {
    let known = COMMANDS
        .iter()
        .any(|row| args.get(2).eq_ignore_ascii_case(row.name.as_bytes()));
    Err(match known {
        true => "ERR The command has no key arguments",
        false => "ERR Invalid command specified",
    }
    .to_owned())
}

pub(super) fn help(cx: &mut Cx<'_>, _: ArgvRef<'_>) -> Result<(), Fail> {
    super::help(&mut cx.reply(), "COMMAND", HELP);
    Ok(())
}

/// A command by its full name.
fn named(name: &[u8]) -> Option<&'static Row> {
    let mut rows = COMMANDS
        .iter()
        .flat_map(|row| core::iter::once(row).chain(row.subcommands()));
    rows.find(|row| name.eq_ignore_ascii_case(row.name.as_bytes()))
}

/// A row as COMMAND INFO has it: no command of a Sentinel has keys.
fn describe(reply: &mut Reply<'_>, row: &Row) {
    reply.array(10);
    reply.bulk(row.name.as_bytes());
    reply.int(i64::from(row.arity));
    reply.set(row.flags.len());
    row.flags.iter().for_each(|flag| reply.simple(flag));
    for _ in 0..3 {
        reply.int(0);
    }
    reply.set(row.acl.len());
    row.acl.iter().for_each(|category| reply.simple(category));
    reply.array(0);
    reply.array(0);
    reply.array(row.subcommands().len());
    row.subcommands()
        .iter()
        .for_each(|sub| describe(reply, sub));
}

fn document(reply: &mut Reply<'_>, row: &Row) {
    let subcommands = row.subcommands();
    reply.bulk(row.name.as_bytes());
    reply.map(3 + usize::from(!subcommands.is_empty()));
    for (field, text) in [
        ("summary", row.summary),
        ("since", row.since),
        ("group", row.group),
    ] {
        reply.bulk(field.as_bytes());
        reply.bulk(text.as_bytes());
    }
    if !subcommands.is_empty() {
        reply.bulk(b"subcommands");
        reply.map(subcommands.len());
        subcommands.iter().for_each(|sub| document(reply, sub));
    }
}

const HELP: &[&str] = &[
    "(no subcommand)",
    "    Describe all commands.",
    "COUNT",
    "    Count the commands.",
    "LIST [FILTERBY (MODULE|ACLCAT|PATTERN) <text>]",
    "    List the names of the commands.",
    "INFO [<command-name> ...]",
    "    Describe some commands.",
    "DOCS [<command-name> ...]",
    "    Document some commands.",
    "GETKEYS <full-command>",
    "    Find the keys in a command line.",
];
