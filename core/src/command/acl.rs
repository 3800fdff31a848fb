//! ACL: users and what they may do.

use super::args::Args;
use super::cx::Cx;
use super::fail::{Fail, shown};
use super::help;
use super::spec::{Acl, Arity, Docs, Flags as F, Group, Handler, Spec};
use crate::acl::{self, Job, PASSWORD_BITS_MAX, report};
use crate::resp;

const ANY: F = F::NOSCRIPT.and(F::LOADING).and(F::STALE);
const ADMIN: F = ANY.and(F::ADMIN);
const EVERYWHERE: &[&str] = &["request_policy:all_nodes", "response_policy:all_succeeded"];

/// A row of this family: they differ in few things.
const fn row(
    name: &'static str,
    run: Handler,
    arity: Arity,
    flags: F,
    tips: &'static [&'static str],
    docs: (&'static str, &'static str),
) -> Spec {
    Spec {
        name,
        run,
        arity,
        flags,
        acl: Acl::SLOW,
        keys: &[],
        tips,
        docs: Docs {
            summary: docs.0,
            since: "6.0.0",
            group: Group::Server,
            complexity: "O(N) in the number of users, rules or entries",
            syntax: docs.1,
        },
        subcommands: &[],
    }
}

/// The family's rows.
pub static COMMANDS: &[Spec] = &[Spec {
    name: "acl",
    run: help::container,
    arity: Arity::AtLeast(2),
    flags: F::NONE,
    acl: Acl::SLOW,
    keys: &[],
    tips: &[],
    docs: Docs {
        summary: "Commands about users and their permissions.",
        since: "6.0.0",
        group: Group::Server,
        complexity: "Depends on subcommand.",
        syntax: "",
    },
    subcommands: &[
        row(
            "cat",
            cat,
            Arity::AtLeast(2),
            ANY,
            &[],
            (
                "Lists the categories of commands, or the commands of one.",
                "[category]",
            ),
        ),
        row(
            "deluser",
            deluser,
            Arity::AtLeast(3),
            ADMIN,
            EVERYWHERE,
            (
                "Removes users, and closes their connections.",
                "username [username ...]",
            ),
        ),
        Spec {
            docs: Docs {
                summary: "Tells whether a user may run a command, without running it.",
                since: "7.0.0",
                group: Group::Server,
                complexity: "O(N) in the number of users, rules or entries",
                syntax: "username command [arg [arg ...]]",
            },
            ..row("dryrun", dryrun, Arity::AtLeast(4), ADMIN, &[], ("", ""))
        },
        row(
            "genpass",
            genpass,
            Arity::AtLeast(2),
            ANY,
            &[],
            (
                "Makes up a password of 256 bits, or of as many as are given.",
                "[bits]",
            ),
        ),
        row(
            "getuser",
            getuser,
            Arity::Exactly(3),
            ADMIN,
            &[],
            ("Describes a user.", "username"),
        ),
        row(
            "help",
            acl_help,
            Arity::Exactly(2),
            F::LOADING.and(F::STALE),
            &[],
            ("Lists the subcommands.", ""),
        ),
        row(
            "list",
            list,
            Arity::Exactly(2),
            ADMIN,
            &[],
            ("Lists the users in the form of the configuration file.", ""),
        ),
        row(
            "load",
            load,
            Arity::Exactly(2),
            ADMIN,
            &[],
            ("Reads the users from the file of users.", ""),
        ),
        row(
            "log",
            log,
            Arity::AtLeast(2),
            ADMIN,
            &[],
            (
                "Shows what was denied to users, or forgets it.",
                "[count | RESET]",
            ),
        ),
        row(
            "save",
            save,
            Arity::Exactly(2),
            ADMIN,
            EVERYWHERE,
            ("Writes the users to the file of users.", ""),
        ),
        row(
            "setuser",
            setuser,
            Arity::AtLeast(3),
            ADMIN,
            EVERYWHERE,
            ("Makes or changes a user.", "username [rule [rule ...]]"),
        ),
        row(
            "users",
            users,
            Arity::Exactly(2),
            ADMIN,
            &[],
            ("Lists the names of the users.", ""),
        ),
        row(
            "whoami",
            whoami,
            Arity::Exactly(2),
            ANY,
            &[],
            ("Tells which user the connection is.", ""),
        ),
    ],
}];

fn misused(args: &Args<'_>) -> Fail {
    Fail::subcommand_syntax(args.argv().get(1), "ACL")
}

fn cat(cx: &mut Cx<'_>, mut args: Args<'_>) -> Result<(), Fail> {
    match args.left() {
        0 => report::categories(&mut cx.out),
        1 => {
            let name = args.bulk()?;
            let Some(category) = Acl::by_name(name) else {
                let name = &shown(name)[..shown(name).len().min(128)];
                let text = [b"Unknown category '", name, b"'"];
                return Err(Fail::detail(text.concat()));
            };
            report::category(&mut cx.out, cx.data.st.users.catalog(), category);
        }
        _ => return Err(misused(&args)),
    }
    Ok(())
}

fn deluser(cx: &mut Cx<'_>, mut args: Args<'_>) -> Result<(), Fail> {
    let names = args.rest();
    if names.clone().any(|name| name == b"default") {
        return Err(Fail::Plain("The 'default' user cannot be removed"));
    }
    let mut deleted = 0;
    for name in names {
        if let Some(user) = cx.data.st.users.delete(name) {
            cx.expel(user);
            deleted += 1;
        }
    }
    cx.out.int(deleted);
    Ok(())
}

fn dryrun(cx: &mut Cx<'_>, mut args: Args<'_>) -> Result<(), Fail> {
    let name = args.bulk()?;
    let st = &*cx.data.st;
    let user = st.users.find(name).ok_or_else(|| {
        let text = [b"User '", shown(name), b"' not found"];
        Fail::detail(text.concat())
    })?;
    let argv = args.argv().skip(3);
    let found = st.table.find(argv, None).map_err(|_| {
        let text = [b"Command '", shown(argv.get(0)), b"' not found"];
        Fail::detail(text.concat())
    })?;
    if !found.spec.arity.takes(argv.len()) {
        return Err(Fail::Arity(st.table.full_name(found.id)));
    }
    match st.check(user, &found, argv) {
        Ok(()) => cx.out.ok(),
        Err(denied) => {
            let (name, command) = (st.users.name(user), st.name_of(&found));
            let text = report::full_denial(denied, name, command, argv);
            cx.out.bulk(&text);
        }
    }
    Ok(())
}

fn genpass(cx: &mut Cx<'_>, mut args: Args<'_>) -> Result<(), Fail> {
    let bits = match args.left() {
        0 => 256,
        1 => args.int()?,
        _ => return Err(misused(&args)),
    };
    let password = acl::new_password(bits, &mut cx.data.st.rng).ok_or_else(|| {
        Fail::detail(format!(
            "ACL GENPASS argument must be the number of bits for the output password, a positive \
             number up to {PASSWORD_BITS_MAX}"
        ))
    })?;
    cx.out.bulk(&password);
    Ok(())
}

fn getuser(cx: &mut Cx<'_>, mut args: Args<'_>) -> Result<(), Fail> {
    report::user(&mut cx.out, &cx.data.st.users, args.bulk()?);
    Ok(())
}

fn list(cx: &mut Cx<'_>, _: Args<'_>) -> Result<(), Fail> {
    report::list(&mut cx.out, &cx.data.st.users);
    Ok(())
}

fn users(cx: &mut Cx<'_>, _: Args<'_>) -> Result<(), Fail> {
    report::names(&mut cx.out, &cx.data.st.users);
    Ok(())
}

fn whoami(cx: &mut Cx<'_>, _: Args<'_>) -> Result<(), Fail> {
    let user = cx.client().user;
    cx.out.bulk(cx.data.st.users.name(user));
    Ok(())
}

fn load(cx: &mut Cx<'_>, _: Args<'_>) -> Result<(), Fail> {
    cx.work_on_acl_file(Job::Load)
}

fn save(cx: &mut Cx<'_>, _: Args<'_>) -> Result<(), Fail> {
    cx.work_on_acl_file(Job::Save)
}

fn log(cx: &mut Cx<'_>, mut args: Args<'_>) -> Result<(), Fail> {
    /// Entries that are shown if no number is given.
    const SHOWN: usize = 10;
    let count = match args.left() {
        0 => SHOWN,
        1 if args.keyword("reset") => {
            cx.data.st.acl_log.clear();
            cx.out.ok();
            return Ok(());
        }
        1 => {
            let count = resp::parse_int(args.bulk()?).ok_or(Fail::NotInteger)?;
            usize::try_from(count).unwrap_or(0)
        }
        _ => return Err(misused(&args)),
    };
    let now = cx.wall();
    report::log(&mut cx.out, &cx.data.st.acl_log, now, count);
    Ok(())
}

fn setuser(cx: &mut Cx<'_>, mut args: Args<'_>) -> Result<(), Fail> {
    let name = args.bulk()?;
    if !acl::is_name(name) {
        return Err(Fail::Plain(
            "Usernames can't contain spaces or null characters",
        ));
    }
    let rules: Vec<_> = args.rest().collect();
    let narrowed = cx.data.st.users.set(name, &rules);
    let narrowed = narrowed.map_err(|fault| Fail::detail(fault.text()))?;
    if let Some((user, channels)) = narrowed {
        cx.silence(user, &channels);
    }
    cx.data.st.users_changed();
    cx.out.ok();
    Ok(())
}

fn acl_help(cx: &mut Cx<'_>, _: Args<'_>) -> Result<(), Fail> {
    help::reply(&mut cx.out, "ACL", COMMANDS[0].subcommands);
    Ok(())
}
