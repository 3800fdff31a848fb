//! Subscriptions to events, and hellos from peers.

use super::{Cx, Fail};
use crate::limits::SENTINEL_SUBSCRIPTIONS_MAX;
use crate::resp::{ArgvRef, Reply};
use crate::sentinel::hello::HELLO_CHANNEL;
use crate::sentinel::pubsub::Kind;

pub(super) fn subscribe(cx: &mut Cx<'_>, args: ArgvRef<'_>) -> Result<(), Fail> {
    join(cx, args, Kind::Channel, "subscribe")
}

pub(super) fn psubscribe(cx: &mut Cx<'_>, args: ArgvRef<'_>) -> Result<(), Fail> {
    join(cx, args, Kind::Pattern, "psubscribe")
}

pub(super) fn unsubscribe(cx: &mut Cx<'_>, args: ArgvRef<'_>) -> Result<(), Fail> {
    leave(cx, args, Kind::Channel, "unsubscribe")
}

pub(super) fn punsubscribe(cx: &mut Cx<'_>, args: ArgvRef<'_>) -> Result<(), Fail> {
    leave(cx, args, Kind::Pattern, "punsubscribe")
}

fn join(cx: &mut Cx<'_>, args: ArgvRef<'_>, kind: Kind, word: &str) -> Result<(), Fail> {
    let held = cx.sentinel.pubsub.total(cx.conn);
    if held + args.len() > SENTINEL_SUBSCRIPTIONS_MAX {
        return Err(format!(
            "ERR A client may have {SENTINEL_SUBSCRIPTIONS_MAX} subscriptions"
        ));
    }
    for name in args.skip(1).iter() {
        cx.sentinel.pubsub.subscribe(cx.conn, kind, name);
        let total = cx.sentinel.pubsub.total(cx.conn);
        confirm(&mut cx.reply(), word, Some(name), total);
    }
    Ok(())
}

fn leave(cx: &mut Cx<'_>, args: ArgvRef<'_>, kind: Kind, word: &str) -> Result<(), Fail> {
    let names: Vec<Box<[u8]>> = match args.len() {
        1 => cx.sentinel.pubsub.of(cx.conn, kind),
        _ => args.skip(1).iter().map(Into::into).collect(),
    };
    if names.is_empty() {
        let total = cx.sentinel.pubsub.total(cx.conn);
        confirm(&mut cx.reply(), word, None, total);
    }
    for name in names {
        cx.sentinel.pubsub.unsubscribe(cx.conn, kind, &name);
        let total = cx.sentinel.pubsub.total(cx.conn);
        confirm(&mut cx.reply(), word, Some(&name), total);
    }
    Ok(())
}

fn confirm(reply: &mut Reply<'_>, word: &str, name: Option<&[u8]>, total: usize) {
    reply.pushed(3, |reply| {
        reply.bulk(word.as_bytes());
        match name {
            Some(name) => reply.bulk(name),
            None => reply.null(),
        }
        reply.int(i64::try_from(total).unwrap_or(i64::MAX));
    });
}

pub(super) fn publish(cx: &mut Cx<'_>, args: ArgvRef<'_>) -> Result<(), Fail> {
    if args.get(1) != HELLO_CHANNEL.as_bytes() {
        return Err("ERR Only HELLO messages are accepted by Sentinel instances.".to_owned());
    }
    cx.sentinel.watch.on_hello(cx.now.mono, args.get(2));
    cx.reply().int(1);
    Ok(())
}
