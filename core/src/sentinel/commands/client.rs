//! CLIENT.

use super::connection::checked_name;
use super::{Cx, Fail, shown};
use crate::acl::UserId;
use crate::machine::{ConnId, Mono};
use crate::resp::{ArgvRef, parse_int};
use crate::sentinel::client::{Replies, Subscriptions, is_clean, list_line};
use crate::sentinel::machine::Sentinel;
use crate::sentinel::pubsub::Kind;

const SYNTAX: &str = "ERR syntax error";

pub(super) fn id(cx: &mut Cx<'_>, _: ArgvRef<'_>) -> Result<(), Fail> {
    let id = cx.client().id;
    cx.reply().int(i64::try_from(id).unwrap_or(i64::MAX));
    Ok(())
}

/// Nothing is tracked here, so nothing is redirected.
pub(super) fn getredir(cx: &mut Cx<'_>, _: ArgvRef<'_>) -> Result<(), Fail> {
    cx.reply().int(-1);
    Ok(())
}

/// No command of a Sentinel blocks its client, so none is set free.
pub(super) fn unblock(cx: &mut Cx<'_>, args: ArgvRef<'_>) -> Result<(), Fail> {
    if let Some(reason) = args.try_get(3)
        && !reason.eq_ignore_ascii_case(b"timeout")
        && !reason.eq_ignore_ascii_case(b"error")
    {
        return Err("ERR CLIENT UNBLOCK reason should be TIMEOUT or ERROR".to_owned());
    }
    if args.len() > 4 {
        return Err("ERR syntax error".to_owned());
    }
    parse_int(args.get(2)).ok_or("ERR value is not an integer or out of range")?;
    cx.reply().int(0);
    Ok(())
}

pub(super) fn getname(cx: &mut Cx<'_>, _: ArgvRef<'_>) -> Result<(), Fail> {
    let name = cx.client().name.clone();
    if name.is_empty() {
        cx.reply().null();
    } else {
        cx.reply().bulk(name.as_bytes());
    }
    Ok(())
}

pub(super) fn setname(cx: &mut Cx<'_>, args: ArgvRef<'_>) -> Result<(), Fail> {
    cx.client().name = checked_name(args.get(2))?;
    cx.reply().ok();
    Ok(())
}

pub(super) fn setinfo(cx: &mut Cx<'_>, args: ArgvRef<'_>) -> Result<(), Fail> {
    let (field, value) = (args.get(2), args.get(3));
    let text = str::from_utf8(value).ok().filter(|_| is_clean(value));
    let client = cx.client();
    let (slot, word) = if field.eq_ignore_ascii_case(b"lib-name") {
        (&mut client.lib_name, "lib-name")
    } else if field.eq_ignore_ascii_case(b"lib-ver") {
        (&mut client.lib_ver, "lib-ver")
    } else {
        return Err(format!("ERR Unrecognized option '{}'", shown(field)));
    };
    let Some(text) = text else {
        return Err(format!(
            "ERR {word} cannot contain spaces, newlines or special characters."
        ));
    };
    *slot = text.into();
    cx.reply().ok();
    Ok(())
}

pub(super) fn reply(cx: &mut Cx<'_>, args: ArgvRef<'_>) -> Result<(), Fail> {
    let word = args.get(2).to_ascii_lowercase();
    match &*word {
        b"on" => {
            cx.client().replies = Replies::On;
            cx.silent = false;
            cx.reply().ok();
        }
        b"off" => cx.client().replies = Replies::Off,
        b"skip" => {
            if cx.client().replies == Replies::On {
                cx.client().replies = Replies::SkipNext;
            }
        }
        _ => return Err(SYNTAX.to_owned()),
    }
    Ok(())
}

pub(super) fn no_evict(cx: &mut Cx<'_>, args: ArgvRef<'_>) -> Result<(), Fail> {
    cx.client().no_evict = on_or_off(args.get(2))?;
    cx.reply().ok();
    Ok(())
}

pub(super) fn no_touch(cx: &mut Cx<'_>, args: ArgvRef<'_>) -> Result<(), Fail> {
    cx.client().no_touch = on_or_off(args.get(2))?;
    cx.reply().ok();
    Ok(())
}

fn on_or_off(word: &[u8]) -> Result<bool, Fail> {
    if word.eq_ignore_ascii_case(b"on") {
        Ok(true)
    } else if word.eq_ignore_ascii_case(b"off") {
        Ok(false)
    } else {
        Err(SYNTAX.to_owned())
    }
}

pub(super) fn info(cx: &mut Cx<'_>, _: ArgvRef<'_>) -> Result<(), Fail> {
    let line = line(cx, cx.conn).expect("a client describes itself");
    cx.reply().verbatim(*b"txt", format!("{line}\n").as_bytes());
    Ok(())
}

pub(super) fn list(cx: &mut Cx<'_>, args: ArgvRef<'_>) -> Result<(), Fail> {
    let clients = clients(cx);
    let word = args.try_get(2).map(<[u8]>::to_ascii_lowercase);
    let chosen: Vec<_> = match (word.as_deref(), args.len()) {
        (None, _) => clients,
        (Some(b"type"), 4) => {
            let kind = Type::parse(args.get(3))?;
            clients
                .into_iter()
                .filter(|&(conn, _)| Type::of(cx, conn) == kind)
                .collect()
        }
        (Some(b"id"), 4..) => {
            let ids = args
                .skip(3)
                .iter()
                .map(client_id)
                .collect::<Option<Vec<_>>>();
            let ids = ids.ok_or_else(|| "ERR Invalid client ID".to_owned())?;
            clients
                .into_iter()
                .filter(|(_, id)| ids.contains(id))
                .collect()
        }
        (Some(_), _) => return Err(SYNTAX.to_owned()),
    };
    let mut text = String::new();
    for (conn, _) in chosen {
        if let Some(line) = line(cx, conn) {
            text.push_str(&line);
            text.push('\n');
        }
    }
    cx.reply().verbatim(*b"txt", text.as_bytes());
    Ok(())
}

/// What `CLIENT KILL` is told to look for.
#[derive(Default)]
struct Filter {
    id: Option<u64>,
    addr: Option<String>,
    laddr: Option<String>,
    kind: Option<Type>,
    user: Option<UserId>,
    maxage: Option<u64>,
    skipme: bool,
}

pub(super) fn kill(cx: &mut Cx<'_>, args: ArgvRef<'_>) -> Result<(), Fail> {
    let old_form = args.len() == 3;
    let filter = if old_form {
        Filter {
            addr: Some(shown(args.get(2))),
            ..Filter::default()
        }
    } else {
        Filter::parse(cx, args)?
    };
    let doomed: Vec<_> = clients(cx)
        .into_iter()
        .filter(|&(conn, id)| filter.matches(cx, conn, id))
        .map(|(conn, _)| conn)
        .collect();
    for &conn in &doomed {
        if conn == cx.conn {
            cx.sentinel.conns.close_after_reply(conn);
        } else {
            cx.sentinel.conns.close(conn);
        }
    }
    let count = i64::try_from(doomed.len()).expect("limits keep clients far below 2^63");
    // The killer's own reply has to be written before its connection counts as closing.
    let silent = cx.silent;
    let conn = cx
        .sentinel
        .conns
        .get_mut(cx.conn)
        .expect("a client runs its command");
    let proto = conn.state.client().expect("clients run commands").proto;
    let mut reply = crate::resp::Reply::new(&mut conn.out, proto).silenced(silent);
    match (old_form, count) {
        (false, count) => reply.int(count),
        (true, 0) => return Err("ERR No such client".to_owned()),
        (true, _) => reply.ok(),
    }
    Ok(())
}

impl Filter {
    fn parse(cx: &Cx<'_>, args: ArgvRef<'_>) -> Result<Self, Fail> {
        let mut filter = Self {
            skipme: true,
            ..Self::default()
        };
        let words: Vec<_> = args.skip(2).iter().collect();
        for pair in words.chunks(2) {
            let [option, value] = pair else {
                return Err(SYNTAX.to_owned());
            };
            match &*option.to_ascii_lowercase() {
                b"id" => {
                    let id = client_id(value);
                    let text = "ERR client-id should be greater than 0";
                    filter.id = Some(id.ok_or_else(|| text.to_owned())?);
                }
                b"addr" => filter.addr = Some(shown(value)),
                b"laddr" => filter.laddr = Some(shown(value)),
                b"type" => filter.kind = Some(Type::parse(value)?),
                b"user" => filter.user = Some(user_named(cx, value)?),
                b"maxage" => {
                    let age = client_id(value);
                    let text = "ERR maxage is not an integer or out of range";
                    filter.maxage = Some(age.ok_or_else(|| text.to_owned())?);
                }
                b"skipme" if value.eq_ignore_ascii_case(b"yes") => filter.skipme = true,
                b"skipme" if value.eq_ignore_ascii_case(b"no") => filter.skipme = false,
                _ => return Err(SYNTAX.to_owned()),
            }
        }
        Ok(filter)
    }

    fn matches(&self, cx: &Cx<'_>, conn: ConnId, id: u64) -> bool {
        let Some(one) = cx.sentinel.conns.get(conn) else {
            return false;
        };
        let peer = one.peer.as_ref();
        let remote = peer.map(|peer| peer.remote.to_string());
        let local = peer.map(|peer| peer.local.to_string());
        let user = one.state.client().map(|client| client.user);
        let age = one
            .state
            .client()
            .map(|client| cx.now.mono.since(client.since).as_secs());
        self.id.is_none_or(|wanted| wanted == id)
            && self
                .addr
                .as_ref()
                .is_none_or(|wanted| Some(wanted) == remote.as_ref())
            && self
                .laddr
                .as_ref()
                .is_none_or(|wanted| Some(wanted) == local.as_ref())
            && self.kind.is_none_or(|wanted| wanted == Type::of(cx, conn))
            && self.user.is_none_or(|wanted| user == Some(wanted))
            && self
                .maxage
                .is_none_or(|wanted| age.is_some_and(|age| age >= wanted))
            && !(self.skipme && conn == cx.conn)
    }
}

fn user_named(cx: &Cx<'_>, name: &[u8]) -> Result<UserId, Fail> {
    let found = cx.sentinel.users.find(name);
    found.ok_or_else(|| format!("ERR No such user '{}'", shown(name)))
}

/// What CLIENT LIST and KILL tell apart.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Type {
    Normal,
    PubSub,
    Replica,
    Master,
}

impl Type {
    fn parse(word: &[u8]) -> Result<Self, Fail> {
        match &*word.to_ascii_lowercase() {
            b"normal" => Ok(Self::Normal),
            b"pubsub" => Ok(Self::PubSub),
            b"slave" | b"replica" => Ok(Self::Replica),
            b"master" => Ok(Self::Master),
            _ => Err(format!("ERR Unknown client type '{}'", shown(word))),
        }
    }

    fn of(cx: &Cx<'_>, conn: ConnId) -> Self {
        if cx.sentinel.pubsub.total(conn) > 0 {
            Self::PubSub
        } else {
            Self::Normal
        }
    }
}

/// All clients in the order of their slots, with their ids.
fn clients(cx: &Cx<'_>) -> Vec<(ConnId, u64)> {
    let conns = cx.sentinel.conns.iter();
    conns
        .filter_map(|conn| Some((conn.id(), conn.state.client()?.id)))
        .collect()
}

fn line(cx: &Cx<'_>, conn: ConnId) -> Option<String> {
    client_line(cx.sentinel, cx.now.mono, conn)
}

/// The line of CLIENT LIST about a client.
pub(in super::super) fn client_line(
    sentinel: &Sentinel,
    now: Mono,
    conn: ConnId,
) -> Option<String> {
    let one = sentinel.conns.get(conn)?;
    let subs = Subscriptions {
        channels: sentinel.pubsub.count(conn, Kind::Channel),
        patterns: sentinel.pubsub.count(conn, Kind::Pattern),
    };
    let client = one.state.client()?;
    let user = sentinel.users.name(client.user);
    Some(list_line(one, client, user, subs, now))
}

fn client_id(word: &[u8]) -> Option<u64> {
    u64::try_from(parse_int(word)?).ok().filter(|&id| id > 0)
}

pub(super) fn help(cx: &mut Cx<'_>, _: ArgvRef<'_>) -> Result<(), Fail> {
    super::help(&mut cx.reply(), "CLIENT", HELP);
    Ok(())
}

const HELP: &[&str] = &[
    "GETNAME",
    "    Tell the name of this connection.",
    "GETREDIR",
    "    Tell to which client tracking is redirected: here to none.",
    "ID",
    "    Tell the id of this connection.",
    "INFO",
    "    Describe this connection.",
    "KILL <ip:port>",
    "    Close the connection made from <ip:port>.",
    "KILL <option> <value> [<option> <value> [...]]",
    "    Close connections by ID, ADDR, LADDR, TYPE, USER or MAXAGE; SKIPME (YES|NO).",
    "LIST [TYPE (NORMAL|MASTER|REPLICA|PUBSUB)] [ID <id> [<id> ...]]",
    "    Describe connections.",
    "NO-EVICT (ON|OFF)",
    "    Protect this connection from eviction.",
    "NO-TOUCH (ON|OFF)",
    "    Keep this connection's reads from counting as uses.",
    "REPLY (ON|OFF|SKIP)",
    "    Turn replies to this connection off and on.",
    "SETINFO (LIB-NAME|LIB-VER) <value>",
    "    Describe the library of this client.",
    "SETNAME <name>",
    "    Name this connection.",
    "UNBLOCK <clientid> [TIMEOUT|ERROR]",
    "    Set a blocked client free; no client of a Sentinel is.",
];
