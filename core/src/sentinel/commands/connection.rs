//! PING, AUTH, HELLO and SHUTDOWN.

use super::{Cx, Fail, shown};
use crate::acl::Reason;
use crate::config::REDIS_VERSION;
use crate::resp::{ArgvRef, Proto, parse_int};
use crate::sentinel::client::is_clean;
use crate::sentinel::pubsub::Kind;

pub(super) fn ping(cx: &mut Cx<'_>, args: ArgvRef<'_>) -> Result<(), Fail> {
    if args.len() > 2 {
        return Err("ERR wrong number of arguments for 'ping' command".to_owned());
    }
    let conn = cx.conn;
    let subscribed = [Kind::Channel, Kind::Pattern]
        .iter()
        .any(|&kind| cx.sentinel.pubsub.count(conn, kind) > 0);
    let mut reply = cx.reply();
    if subscribed && reply.proto() == Proto::Resp2 {
        reply.array(2);
        reply.bulk(b"pong");
        reply.bulk(args.try_get(1).unwrap_or_default());
    } else if let Some(text) = args.try_get(1) {
        reply.bulk(text);
    } else {
        reply.simple("PONG");
    }
    Ok(())
}

pub(super) fn auth(cx: &mut Cx<'_>, args: ArgvRef<'_>) -> Result<(), Fail> {
    if args.len() > 3 {
        return Err("ERR syntax error".to_owned());
    }
    if args.len() == 2 && cx.sentinel.users.default_needs_no_password() {
        return Err(
            "ERR AUTH <password> called without any password configured for the \
                    default user. Are you sure your configuration is correct?"
                .to_owned(),
        );
    }
    let (user, pass) = match args.len() {
        2 => (&b"default"[..], args.get(1)),
        _ => (args.get(1), args.get(2)),
    };
    authenticate(cx, args.get(0), user, pass)?;
    cx.reply().ok();
    Ok(())
}

/// `word` is the command that asks.
fn authenticate(cx: &mut Cx<'_>, word: &[u8], user: &[u8], pass: &[u8]) -> Result<(), Fail> {
    let Some(id) = cx.sentinel.users.authenticate(user, pass) else {
        let (now, conn) = (cx.now, cx.conn);
        cx.sentinel
            .log_incident(now, conn, Reason::Auth, word, Some(user));
        return Err("WRONGPASS invalid username-password pair or user is disabled.".to_owned());
    };
    let client = cx.client();
    client.authenticated = true;
    client.user = id;
    Ok(())
}

pub(super) fn hello(cx: &mut Cx<'_>, args: ArgvRef<'_>) -> Result<(), Fail> {
    let proto = match args.try_get(1).map(parse_int) {
        None => None,
        Some(None) => {
            return Err("ERR Protocol version is not an integer or out of range".to_owned());
        }
        Some(Some(2)) => Some(Proto::Resp2),
        Some(Some(3)) => Some(Proto::Resp3),
        Some(Some(_)) => return Err("NOPROTO unsupported protocol version".to_owned()),
    };
    let mut name = None;
    let mut at = 2;
    while let Some(option) = args.try_get(at) {
        let more = args.len() - at - 1;
        if option.eq_ignore_ascii_case(b"auth") && more >= 2 {
            authenticate(cx, args.get(0), args.get(at + 1), args.get(at + 2))?;
            at += 3;
        } else if option.eq_ignore_ascii_case(b"setname") && more >= 1 {
            name = Some(checked_name(args.get(at + 1))?);
            at += 2;
        } else {
            return Err(format!(
                "ERR Syntax error in HELLO option '{}'",
                shown(option)
            ));
        }
    }
    if !cx.client().authenticated {
        return Err(
            "NOAUTH HELLO must be called with the client already authenticated, \
                    otherwise the HELLO <proto> AUTH <user> <pass> option can be used to \
                    authenticate the client and select the RESP protocol version at the same time"
                .to_owned(),
        );
    }
    let client = cx.client();
    if let Some(proto) = proto {
        client.proto = proto;
    }
    if let Some(name) = name {
        client.name = name;
    }
    let (id, proto) = (client.id, client.proto);
    let mut reply = cx.reply();
    reply.map(6);
    reply.bulk(b"server");
    reply.bulk(b"redis");
    reply.bulk(b"version");
    reply.bulk(REDIS_VERSION.as_bytes());
    reply.bulk(b"proto");
    reply.int(proto.version());
    reply.bulk(b"id");
    reply.int(i64::try_from(id).unwrap_or(i64::MAX));
    reply.bulk(b"mode");
    reply.bulk(b"sentinel");
    reply.bulk(b"modules");
    reply.array(0);
    Ok(())
}

/// A name for a connection.
pub(super) fn checked_name(name: &[u8]) -> Result<Box<str>, Fail> {
    match str::from_utf8(name) {
        Ok(text) if is_clean(name) => Ok(text.into()),
        Ok(_) | Err(_) => Err(
            "ERR Client names cannot contain spaces, newlines or special \
                               characters."
                .to_owned(),
        ),
    }
}

pub(super) fn shutdown(cx: &mut Cx<'_>, args: ArgvRef<'_>) -> Result<(), Fail> {
    let known = [&b"nosave"[..], b"save", b"now", b"force"];
    let words = args.skip(1);
    if words
        .iter()
        .all(|word| known.iter().any(|one| word.eq_ignore_ascii_case(one)))
    {
        cx.sentinel
            .shut_down(cx.now.mono, "User requested shutdown...");
        return Ok(());
    }
    // There is never a shutdown under way that could be called off.
    if words.len() == 1 && words.get(0).eq_ignore_ascii_case(b"abort") {
        return Err("ERR No shutdown in progress.".to_owned());
    }
    Err("ERR syntax error".to_owned())
}
