//! CLIENT: what a connection is called, who else is there, and holding them all back.

use super::args::Args;
use super::cx::Cx;
use super::fail::{Fail, shown};
use super::help;
use super::spec::{Acl, Arity, Docs, Flags as F, Group, Spec};
use crate::machine::ConnId;
use crate::resp;
use crate::server::blocked::{PauseFor, PauseKind};
use crate::server::client::{Class, ClientFlags};
use crate::server::client_list::Filter;
use core::time::Duration;

const ANY: F = F::NOSCRIPT.and(F::LOADING).and(F::STALE);
const ADMIN: F = ANY.and(F::ADMIN);

/// A row of this family: they differ in few things.
const fn row(
    name: &'static str,
    run: super::spec::Handler,
    arity: Arity,
    flags: F,
    since: &'static str,
    (summary, syntax): (&'static str, &'static str),
) -> Spec {
    Spec {
        name,
        run,
        arity,
        flags,
        acl: Acl::CONNECTION,
        keys: &[],
        tips: &[],
        docs: Docs {
            summary,
            since,
            group: Group::Connection,
            complexity: "O(1)",
            syntax,
        },
        subcommands: &[],
    }
}

/// The family's rows.
pub static COMMANDS: &[Spec] = &[Spec {
    name: "client",
    run: help::container,
    arity: Arity::AtLeast(2),
    flags: F::NONE,
    acl: Acl::SLOW,
    keys: &[],
    tips: &[],
    docs: Docs {
        summary: "Commands about connections.",
        since: "2.4.0",
        group: Group::Connection,
        complexity: "Depends on subcommand.",
        syntax: "",
    },
    subcommands: &[
        row(
            "getname",
            getname,
            Arity::Exactly(2),
            ANY,
            "2.6.9",
            ("Returns the name of the connection.", ""),
        ),
        row(
            "help",
            help,
            Arity::Exactly(2),
            F::LOADING.and(F::STALE),
            "5.0.0",
            ("Lists the subcommands.", ""),
        ),
        row(
            "id",
            id,
            Arity::Exactly(2),
            ANY,
            "5.0.0",
            ("Returns the number of the connection.", ""),
        ),
        Spec {
            tips: &["nondeterministic_output"],
            ..row(
                "info",
                info,
                Arity::Exactly(2),
                ANY,
                "6.2.0",
                ("Describes the connection in a line.", ""),
            )
        },
        row(
            "kill",
            kill,
            Arity::AtLeast(3),
            ADMIN,
            "2.4.0",
            ("Closes connections.", KILL_SYNTAX),
        ),
        Spec {
            tips: &["nondeterministic_output"],
            ..row(
                "list",
                list,
                Arity::AtLeast(2),
                ADMIN,
                "2.4.0",
                ("Describes every connection in a line.", LIST_SYNTAX),
            )
        },
        row(
            "no-evict",
            no_evict,
            Arity::Exactly(3),
            ADMIN,
            "7.0.0",
            (
                "Spares the connection when clients use too much memory.",
                "<ON | OFF>",
            ),
        ),
        row(
            "no-touch",
            no_touch,
            Arity::Exactly(3),
            ANY,
            "7.2.0",
            (
                "Lets commands leave the idle time of keys alone.",
                "<ON | OFF>",
            ),
        ),
        row(
            "pause",
            pause,
            Arity::AtLeast(3),
            ADMIN,
            "3.0.0",
            (
                "Holds the commands of all clients back for a while.",
                "timeout [WRITE | ALL]",
            ),
        ),
        row(
            "reply",
            reply,
            Arity::Exactly(3),
            ANY,
            "3.2.0",
            ("Switches replies on and off.", "<ON | OFF | SKIP>"),
        ),
        row(
            "setinfo",
            setinfo,
            Arity::Exactly(4),
            ANY,
            "7.2.0",
            (
                "Tells the server about the client's library.",
                "<LIB-NAME libname | LIB-VER libver>",
            ),
        ),
        row(
            "setname",
            setname,
            Arity::Exactly(3),
            ANY,
            "2.6.9",
            ("Names the connection.", "connection-name"),
        ),
        row(
            "unblock",
            unblock,
            Arity::AtLeast(3),
            ADMIN,
            "5.0.0",
            (
                "Ends the waiting of another client.",
                "client-id [TIMEOUT | ERROR]",
            ),
        ),
        row(
            "unpause",
            unpause,
            Arity::Exactly(2),
            ADMIN,
            "6.2.0",
            ("Ends CLIENT PAUSE.", ""),
        ),
    ],
}];

const KILL_SYNTAX: &str = "<ip:port | <[ID client-id] | [TYPE <NORMAL | MASTER | REPLICA | \
                           PUBSUB>] | [USER username] | [ADDR ip:port] | [LADDR ip:port] | \
                           [SKIPME <YES | NO>]> ...>";
const LIST_SYNTAX: &str = "[TYPE <NORMAL | MASTER | REPLICA | PUBSUB>] [ID client-id ...]";

fn help(cx: &mut Cx<'_>, _: Args<'_>) -> Result<(), Fail> {
    help::reply(&mut cx.out, "CLIENT", COMMANDS[0].subcommands);
    Ok(())
}

fn id(cx: &mut Cx<'_>, _: Args<'_>) -> Result<(), Fail> {
    let id = cx.client().id;
    cx.out
        .int(i64::try_from(id).expect("client numbers are counted up from 1"));
    Ok(())
}

fn getname(cx: &mut Cx<'_>, _: Args<'_>) -> Result<(), Fail> {
    let name: Box<[u8]> = cx.client().name().into();
    if name.is_empty() {
        cx.out.null()
    } else {
        cx.out.bulk(&name)
    };
    Ok(())
}

/// Names end up in lines of CLIENT LIST and so hold neither blanks nor line ends.
pub(super) fn check_name(name: &[u8]) -> Result<(), Fail> {
    if name.iter().all(|b| (b'!'..=b'~').contains(b)) {
        return Ok(());
    }
    Err(Fail::Plain(
        "Client names cannot contain spaces, newlines or special characters.",
    ))
}

fn setname(cx: &mut Cx<'_>, mut args: Args<'_>) -> Result<(), Fail> {
    let name = args.bulk()?;
    check_name(name)?;
    cx.client().rare_mut().name = name.into();
    cx.out.ok();
    Ok(())
}

fn setinfo(cx: &mut Cx<'_>, mut args: Args<'_>) -> Result<(), Fail> {
    let option = args.bulk()?;
    let value = args.bulk()?;
    let is_name = option.eq_ignore_ascii_case(b"lib-name");
    if !is_name && !option.eq_ignore_ascii_case(b"lib-ver") {
        let text = [b"Unrecognized option '", shown(option), b"'"];
        return Err(Fail::detail(text.concat()));
    }
    if !value.iter().all(|b| (b'!'..=b'~').contains(b)) {
        let option = String::from_utf8_lossy(option);
        return Err(Fail::detail(format!(
            "{option} cannot contain spaces, newlines or special characters."
        )));
    }
    let rare = cx.client().rare_mut();
    *(if is_name {
        &mut rare.lib_name
    } else {
        &mut rare.lib_ver
    }) = value.into();
    cx.out.ok();
    Ok(())
}

fn info(cx: &mut Cx<'_>, _: Args<'_>) -> Result<(), Fail> {
    let line = cx.data.st.describe_client(cx.data.conn);
    cx.out.verbatim(*b"txt", format!("{line}\n").as_bytes());
    Ok(())
}

fn list(cx: &mut Cx<'_>, mut args: Args<'_>) -> Result<(), Fail> {
    let mut filter = Filter::default();
    if args.left() == 2 && args.keyword("type") {
        filter.class = Some(class(args.bulk()?)?);
    } else if args.left() >= 2 && args.keyword("id") {
        let mut ids = Vec::with_capacity(args.left());
        for text in args.rest() {
            let id = resp::parse_int(text).ok_or(Fail::Plain("Invalid client ID"))?;
            // A number that no client can have lists nobody.
            ids.extend(u64::try_from(id));
        }
        filter.ids = Some(ids);
    }
    args.end()?;
    let mut lines = String::new();
    for conn in cx.data.st.select_clients(&filter) {
        lines.push_str(&cx.data.st.describe_client(conn));
        lines.push('\n');
    }
    cx.out.verbatim(*b"txt", lines.as_bytes());
    Ok(())
}

fn misused(args: &Args<'_>) -> Fail {
    Fail::subcommand_syntax(args.argv().get(1), "CLIENT")
}

fn class(name: &[u8]) -> Result<Class, Fail> {
    Class::by_name(name).ok_or_else(|| {
        let text = [b"Unknown client type '", shown(name), b"'"];
        Fail::detail(text.concat())
    })
}

fn kill(cx: &mut Cx<'_>, mut args: Args<'_>) -> Result<(), Fail> {
    // The old form names an address alone and answers OK or an error instead of a count.
    if args.left() == 1 {
        let filter = Filter {
            addr: Some(args.bulk()?),
            ..Filter::default()
        };
        let Some(&conn) = cx.data.st.select_clients(&filter).first() else {
            return Err(Fail::Plain("No such client"));
        };
        kill_one(cx, conn);
        cx.out.ok();
        return Ok(());
    }
    let filter = kill_filter(cx, args)?;
    let victims = cx.data.st.select_clients(&filter);
    for &conn in &victims {
        kill_one(cx, conn);
    }
    cx.out.int(victims.len() as i64);
    Ok(())
}

fn kill_filter<'a>(cx: &Cx<'_>, mut args: Args<'a>) -> Result<Filter<'a>, Fail> {
    let mut filter = Filter {
        except: Some(cx.data.conn),
        ..Filter::default()
    };
    while !args.is_done() {
        if args.left() < 2 {
            return Err(Fail::Syntax);
        }
        if args.keyword("id") {
            let id = resp::parse_int(args.bulk()?).and_then(|id| u64::try_from(id).ok());
            let id = id.filter(|&id| id > 0);
            filter.ids = Some(vec![
                id.ok_or(Fail::Plain("client-id should be greater than 0"))?,
            ]);
        } else if args.keyword("type") {
            filter.class = Some(class(args.bulk()?)?);
        } else if args.keyword("addr") {
            filter.addr = Some(args.bulk()?);
        } else if args.keyword("laddr") {
            filter.laddr = Some(args.bulk()?);
        } else if args.keyword("user") {
            let user = args.bulk()?;
            let found = cx.data.st.users.find(user).ok_or_else(|| {
                let text = [b"No such user '", shown(user), b"'"];
                Fail::detail(text.concat())
            })?;
            filter.user = Some(found);
        } else if args.keyword("skipme") {
            filter.except = if args.keyword("yes") {
                Some(cx.data.conn)
            } else if args.keyword("no") {
                None
            } else {
                return Err(Fail::Syntax);
            };
        } else {
            return Err(Fail::Syntax);
        }
    }
    Ok(filter)
}

/// A client that kills itself still gets its reply.
fn kill_one(cx: &mut Cx<'_>, conn: ConnId) {
    if conn == cx.data.conn {
        cx.data.st.close_after_reply(conn);
    } else {
        cx.data.st.doom(conn);
    }
}

fn switch(cx: &mut Cx<'_>, mut args: Args<'_>, flag: ClientFlags) -> Result<(), Fail> {
    let on = if args.keyword("on") {
        true
    } else if args.keyword("off") {
        false
    } else {
        return Err(Fail::Syntax);
    };
    cx.client().flags.set(flag, on);
    cx.out.ok();
    Ok(())
}

fn no_evict(cx: &mut Cx<'_>, args: Args<'_>) -> Result<(), Fail> {
    switch(cx, args, ClientFlags::NO_EVICT)
}

fn no_touch(cx: &mut Cx<'_>, args: Args<'_>) -> Result<(), Fail> {
    switch(cx, args, ClientFlags::NO_TOUCH)
}

fn reply(cx: &mut Cx<'_>, mut args: Args<'_>) -> Result<(), Fail> {
    let flags = &mut cx.client().flags;
    if args.keyword("on") {
        flags.set(ClientFlags::REPLY_OFF.and(ClientFlags::REPLY_SKIP), false);
        cx.out.unmute();
        cx.out.ok();
    } else if args.keyword("off") {
        flags.set(ClientFlags::REPLY_OFF, true);
    } else if args.keyword("skip") {
        if !flags.has(ClientFlags::REPLY_OFF) {
            flags.set(ClientFlags::REPLY_SKIP_NEXT, true);
        }
    } else {
        return Err(Fail::Syntax);
    }
    Ok(())
}

fn pause(cx: &mut Cx<'_>, mut args: Args<'_>) -> Result<(), Fail> {
    if args.left() > 2 {
        return Err(misused(&args));
    }
    let ms = resp::parse_int(args.bulk()?).ok_or(Fail::TimeoutNotInteger)?;
    let ms = u64::try_from(ms).map_err(|_| Fail::TimeoutNegative)?;
    let kind = if args.is_done() || args.keyword("all") {
        PauseKind::All
    } else if args.keyword("write") {
        PauseKind::Write
    } else {
        return Err(Fail::Plain("CLIENT PAUSE mode must be WRITE or ALL"));
    };
    let until = cx.data.st.now.mono + Duration::from_millis(ms);
    cx.data.st.pause.start(PauseFor::Client, kind, until);
    cx.out.ok();
    Ok(())
}

fn unpause(cx: &mut Cx<'_>, _: Args<'_>) -> Result<(), Fail> {
    cx.data.st.pause.stop(PauseFor::Client);
    cx.out.ok();
    Ok(())
}

fn unblock(cx: &mut Cx<'_>, mut args: Args<'_>) -> Result<(), Fail> {
    if args.left() > 2 {
        return Err(misused(&args));
    }
    let id = args.bulk()?;
    let with_error = if args.is_done() || args.keyword("timeout") {
        false
    } else if args.keyword("error") {
        true
    } else {
        return Err(Fail::Plain(
            "CLIENT UNBLOCK reason should be TIMEOUT or ERROR",
        ));
    };
    let id = resp::parse_int(id).ok_or(Fail::NotInteger)?;
    let conn = u64::try_from(id)
        .ok()
        .and_then(|id| cx.data.st.by_client_id.get(&id).copied());
    let ended = conn.is_some_and(|conn| cx.data.st.unblock(conn, with_error));
    cx.out.int(i64::from(ended));
    Ok(())
}
