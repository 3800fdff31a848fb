//! ACL.

use super::table::{Found, find};
use super::{Cx, Fail, shown};
use crate::acl::{self, Acl, Job, PASSWORD_BITS_MAX, report};
use crate::limits::ACL_FILE_JOBS_MAX;
use crate::resp::{ArgvRef, Reply, parse_int};
use crate::sentinel::machine::Sentinel;

/// The reply of a command, and the Sentinel it tells of.
fn with_reply(cx: &mut Cx<'_>, write: impl FnOnce(&mut Reply<'_>, &Sentinel)) {
    let proto = cx.client().proto;
    let mut out = crate::conn::OutBuf::default();
    write(&mut Reply::new(&mut out, proto), cx.sentinel);
    cx.reply().raw(&out.into_bytes());
}

fn misused(args: ArgvRef<'_>) -> Fail {
    let word = shown(args.get(1));
    format!("ERR unknown subcommand or wrong number of arguments for '{word}'. Try ACL HELP.")
}

pub(super) fn cat(cx: &mut Cx<'_>, args: ArgvRef<'_>) -> Result<(), Fail> {
    match args.len() {
        2 => report::categories(&mut cx.reply()),
        3 => {
            let category = Acl::by_name(args.get(2));
            let category =
                category.ok_or_else(|| format!("ERR Unknown category '{}'", shown(args.get(2))))?;
            with_reply(cx, |reply, sentinel| {
                report::category(reply, sentinel.users.catalog(), category);
            });
        }
        _ => return Err(misused(args)),
    }
    Ok(())
}

pub(super) fn deluser(cx: &mut Cx<'_>, args: ArgvRef<'_>) -> Result<(), Fail> {
    let names = args.skip(2);
    if names.iter().any(|name| name == b"default") {
        return Err("ERR The 'default' user cannot be removed".to_owned());
    }
    let mut deleted = 0;
    let mut gone = Vec::new();
    for name in names.iter() {
        if let Some(user) = cx.sentinel.users.delete(name) {
            deleted += 1;
            gone.push(user);
        }
    }
    // Replied to before the connection counts as closing.
    cx.reply().int(deleted);
    for user in gone {
        cx.sentinel.expel(user, cx.conn);
    }
    Ok(())
}

pub(super) fn dryrun(cx: &mut Cx<'_>, args: ArgvRef<'_>) -> Result<(), Fail> {
    let user = cx.sentinel.users.find(args.get(2));
    let user = user.ok_or_else(|| format!("ERR User '{}' not found", shown(args.get(2))))?;
    let argv = args.skip(3);
    let row = match find(argv) {
        Found::Row(row, _) => row,
        Found::WrongArity(row) => {
            let name = row.name;
            return Err(format!(
                "ERR wrong number of arguments for '{name}' command"
            ));
        }
        Found::Unknown | Found::UnknownSubcommand(_) => {
            let name = shown(argv.get(0));
            return Err(format!("ERR Command '{name}' not found"));
        }
    };
    match cx.sentinel.check(user, row, argv) {
        Ok(()) => cx.reply().ok(),
        Err(denied) => {
            let name = cx.sentinel.users.name(user);
            let text = report::full_denial(denied, name, row.name, argv);
            cx.reply().bulk(&text);
        }
    }
    Ok(())
}

pub(super) fn genpass(cx: &mut Cx<'_>, args: ArgvRef<'_>) -> Result<(), Fail> {
    let bits = match args.len() {
        2 => 256,
        3 => parse_int(args.get(2))
            .ok_or_else(|| "ERR value is not an integer or out of range".to_owned())?,
        _ => return Err(misused(args)),
    };
    let password = acl::new_password(bits, &mut cx.sentinel.rng).ok_or_else(|| {
        format!(
            "ERR ACL GENPASS argument must be the number of bits for the output password, a \
             positive number up to {PASSWORD_BITS_MAX}"
        )
    })?;
    cx.reply().bulk(&password);
    Ok(())
}

pub(super) fn getuser(cx: &mut Cx<'_>, args: ArgvRef<'_>) -> Result<(), Fail> {
    with_reply(cx, |reply, sentinel| {
        report::user(reply, &sentinel.users, args.get(2));
    });
    Ok(())
}

pub(super) fn list(cx: &mut Cx<'_>, _: ArgvRef<'_>) -> Result<(), Fail> {
    with_reply(cx, |reply, sentinel| report::list(reply, &sentinel.users));
    Ok(())
}

pub(super) fn users(cx: &mut Cx<'_>, _: ArgvRef<'_>) -> Result<(), Fail> {
    with_reply(cx, |reply, sentinel| report::names(reply, &sentinel.users));
    Ok(())
}

pub(super) fn whoami(cx: &mut Cx<'_>, _: ArgvRef<'_>) -> Result<(), Fail> {
    let user = cx.client().user;
    with_reply(cx, |reply, sentinel| reply.bulk(sentinel.users.name(user)));
    Ok(())
}

pub(super) fn load(cx: &mut Cx<'_>, _: ArgvRef<'_>) -> Result<(), Fail> {
    on_file(cx, Job::Load)
}

pub(super) fn save(cx: &mut Cx<'_>, _: ArgvRef<'_>) -> Result<(), Fail> {
    on_file(cx, Job::Save)
}

fn on_file(cx: &mut Cx<'_>, job: Job) -> Result<(), Fail> {
    if cx.sentinel.config.aclfile().is_empty() {
        return Err(NO_FILE.to_owned());
    }
    if cx.sentinel.acl_file.len() >= ACL_FILE_JOBS_MAX {
        return Err("ERR too many ACL LOAD and ACL SAVE are under way".to_owned());
    }
    let waiter = (cx.conn, cx.defer());
    cx.sentinel.work_on_acl_file(job, waiter);
    Ok(())
}

pub(super) fn log(cx: &mut Cx<'_>, args: ArgvRef<'_>) -> Result<(), Fail> {
    /// Entries that are shown if no number is given.
    const SHOWN: usize = 10;
    let count = match args.try_get(2) {
        None => SHOWN,
        Some(_) if args.len() > 3 => return Err(misused(args)),
        Some(word) if word.eq_ignore_ascii_case(b"reset") => {
            cx.sentinel.acl_log.clear();
            cx.reply().ok();
            return Ok(());
        }
        Some(word) => {
            let count = parse_int(word);
            let text = "ERR value is not an integer or out of range";
            usize::try_from(count.ok_or_else(|| text.to_owned())?).unwrap_or(0)
        }
    };
    let now = cx.now.wall;
    with_reply(cx, |reply, sentinel| {
        report::log(reply, &sentinel.acl_log, now, count);
    });
    Ok(())
}

pub(super) fn setuser(cx: &mut Cx<'_>, args: ArgvRef<'_>) -> Result<(), Fail> {
    let name = args.get(2);
    if !acl::is_name(name) {
        return Err("ERR Usernames can't contain spaces or null characters".to_owned());
    }
    let rules: Vec<_> = args.skip(3).iter().collect();
    let narrowed = cx.sentinel.users.set(name, &rules);
    let text = |text: Vec<u8>| format!("ERR {}", String::from_utf8_lossy(&text));
    let narrowed = narrowed.map_err(|fault| text(fault.text()))?;
    cx.reply().ok();
    if let Some((user, channels)) = narrowed {
        cx.sentinel.silence(user, &channels, cx.conn);
    }
    Ok(())
}

pub(super) fn help(cx: &mut Cx<'_>, _: ArgvRef<'_>) -> Result<(), Fail> {
    super::help(&mut cx.reply(), "ACL", HELP);
    Ok(())
}

const HELP: &[&str] = &[
    "CAT [<category>]",
    "    List the categories of commands, or the commands of one.",
    "DELUSER <username> [<username> ...]",
    "    Remove users, and close their connections.",
    "DRYRUN <username> <command> [<arg> ...]",
    "    Tell whether a user may run a command, without running it.",
    "GENPASS [<bits>]",
    "    Make up a password of 256 bits, or of as many as are given.",
    "GETUSER <username>",
    "    Describe a user.",
    "LIST",
    "    List the users in the form of the configuration file.",
    "LOAD",
    "    Read the users from the file of users.",
    "LOG [<count> | RESET]",
    "    Show what was denied to users, or forget it.",
    "SAVE",
    "    Write the users to the file of users.",
    "SETUSER <username> <rule> [<rule> ...]",
    "    Make or change a user.",
    "USERS",
    "    List the names of the users.",
    "WHOAMI",
    "    Tell which user this connection is.",
];

const NO_FILE: &str = "ERR This Redis instance is not configured to use an ACL file. You may want to \
                       specify users via the ACL SETUSER command and then issue a SENTINEL \
                       FLUSHCONFIG in order to store users in the configuration.";
