//! Publish and subscribe.

use super::args::Args;
use super::cx::Cx;
use super::fail::Fail;
use super::help;
use super::spec::{Acl, Arity, Docs, Flags as F, Group, Handler, KeyFlags, KeySpec, Spec};
use crate::pubsub::Kind;
use crate::server::client::ClientFlags;

const SUBSCRIBE: F = F::PUBSUB
    .and(F::NOSCRIPT)
    .and(F::LOADING)
    .and(F::STALE)
    .and(F::SUBSCRIBED);
const PUBLISH: F = F::PUBSUB
    .and(F::LOADING)
    .and(F::STALE)
    .and(F::FAST)
    .and(F::MAY_REPLICATE);
const SHOW: F = F::PUBSUB.and(F::LOADING).and(F::STALE);
/// Shard channels are routed like keys.
const SHARD_CHANNELS: &[KeySpec] = &[KeySpec::range(1, -1, 1, KeyFlags::NOT_KEY)];

/// A row of this family: they differ in few things.
const fn row(
    name: &'static str,
    run: Handler,
    arity: Arity,
    flags: F,
    keys: &'static [KeySpec],
    docs: (&'static str, &'static str, &'static str),
) -> Spec {
    Spec {
        name,
        run,
        arity,
        flags,
        acl: Acl::NONE,
        keys,
        tips: &[],
        docs: Docs {
            summary: docs.0,
            since: docs.1,
            group: Group::PubSub,
            complexity: "O(N) in the number of channels, patterns or receivers",
            syntax: docs.2,
        },
        subcommands: &[],
    }
}

/// The family's rows.
pub static COMMANDS: &[Spec] = &[
    row(
        "psubscribe",
        psubscribe,
        Arity::AtLeast(2),
        SUBSCRIBE,
        &[],
        (
            "Subscribes to the channels that match patterns.",
            "2.0.0",
            "pattern [pattern ...]",
        ),
    ),
    row(
        "publish",
        publish,
        Arity::Exactly(3),
        PUBLISH,
        &[],
        ("Sends a message to a channel.", "2.0.0", "channel message"),
    ),
    Spec {
        name: "pubsub",
        run: help::container,
        arity: Arity::AtLeast(2),
        flags: F::NONE,
        acl: Acl::SLOW,
        keys: &[],
        tips: &[],
        docs: Docs {
            summary: "Commands about subscriptions.",
            since: "2.8.0",
            group: Group::PubSub,
            complexity: "Depends on subcommand.",
            syntax: "",
        },
        subcommands: &[
            row(
                "channels",
                channels,
                Arity::AtLeast(2),
                SHOW,
                &[],
                ("Lists the channels with subscribers.", "2.8.0", "[pattern]"),
            ),
            row(
                "help",
                pubsub_help,
                Arity::Exactly(2),
                F::LOADING.and(F::STALE),
                &[],
                ("Lists the subcommands.", "6.2.0", ""),
            ),
            row(
                "numpat",
                numpat,
                Arity::Exactly(2),
                SHOW,
                &[],
                ("Counts the patterns that are subscribed to.", "2.8.0", ""),
            ),
            row(
                "numsub",
                numsub,
                Arity::AtLeast(2),
                SHOW,
                &[],
                (
                    "Counts the subscribers of channels.",
                    "2.8.0",
                    "[channel [channel ...]]",
                ),
            ),
            row(
                "shardchannels",
                shardchannels,
                Arity::AtLeast(2),
                SHOW,
                &[],
                (
                    "Lists the shard channels with subscribers.",
                    "7.0.0",
                    "[pattern]",
                ),
            ),
            row(
                "shardnumsub",
                shardnumsub,
                Arity::AtLeast(2),
                SHOW,
                &[],
                (
                    "Counts the subscribers of shard channels.",
                    "7.0.0",
                    "[shardchannel [shardchannel ...]]",
                ),
            ),
        ],
    },
    row(
        "punsubscribe",
        punsubscribe,
        Arity::AtLeast(1),
        SUBSCRIBE,
        &[],
        (
            "Ends subscriptions to patterns.",
            "2.0.0",
            "[pattern [pattern ...]]",
        ),
    ),
    row(
        "spublish",
        spublish,
        Arity::Exactly(3),
        PUBLISH,
        &[KeySpec::at(1, KeyFlags::NOT_KEY)],
        (
            "Sends a message to a shard channel.",
            "7.0.0",
            "shardchannel message",
        ),
    ),
    row(
        "ssubscribe",
        ssubscribe,
        Arity::AtLeast(2),
        SUBSCRIBE,
        SHARD_CHANNELS,
        (
            "Subscribes to shard channels.",
            "7.0.0",
            "shardchannel [shardchannel ...]",
        ),
    ),
    row(
        "subscribe",
        subscribe,
        Arity::AtLeast(2),
        SUBSCRIBE,
        &[],
        ("Subscribes to channels.", "2.0.0", "channel [channel ...]"),
    ),
    row(
        "sunsubscribe",
        sunsubscribe,
        Arity::AtLeast(1),
        SUBSCRIBE,
        SHARD_CHANNELS,
        (
            "Ends subscriptions to shard channels.",
            "7.0.0",
            "[shardchannel [shardchannel ...]]",
        ),
    ),
    row(
        "unsubscribe",
        unsubscribe,
        Arity::AtLeast(1),
        SUBSCRIBE,
        &[],
        (
            "Ends subscriptions to channels.",
            "2.0.0",
            "[channel [channel ...]]",
        ),
    ),
];

fn subscribe(cx: &mut Cx<'_>, args: Args<'_>) -> Result<(), Fail> {
    add(cx, args, Kind::Channel)
}

fn psubscribe(cx: &mut Cx<'_>, args: Args<'_>) -> Result<(), Fail> {
    add(cx, args, Kind::Pattern)
}

fn ssubscribe(cx: &mut Cx<'_>, args: Args<'_>) -> Result<(), Fail> {
    // Unlike the others, which transactions have been able to hold for longer.
    if cx.client().flags.has(ClientFlags::EXECUTING) {
        return Err(Fail::Plain(
            "SSUBSCRIBE isn't allowed for a DENY BLOCKING client",
        ));
    }
    add(cx, args, Kind::Shard)
}

fn unsubscribe(cx: &mut Cx<'_>, args: Args<'_>) -> Result<(), Fail> {
    remove(cx, args, Kind::Channel)
}

fn punsubscribe(cx: &mut Cx<'_>, args: Args<'_>) -> Result<(), Fail> {
    remove(cx, args, Kind::Pattern)
}

fn sunsubscribe(cx: &mut Cx<'_>, args: Args<'_>) -> Result<(), Fail> {
    remove(cx, args, Kind::Shard)
}

fn add(cx: &mut Cx<'_>, mut args: Args<'_>, kind: Kind) -> Result<(), Fail> {
    let conn = cx.data.conn;
    for name in args.rest() {
        cx.data.st.pubsub.subscribe(conn, kind, name);
        cx.client().flags.set(ClientFlags::SUBSCRIBER, true);
        confirm(cx, kind.subscribed(), Some(name), kind);
    }
    Ok(())
}

fn remove(cx: &mut Cx<'_>, mut args: Args<'_>, kind: Kind) -> Result<(), Fail> {
    let conn = cx.data.conn;
    if args.is_done() {
        let names = cx.data.st.pubsub.names_of(conn, kind);
        if names.is_empty() {
            confirm(cx, kind.unsubscribed(), None, kind);
        }
        for name in &names {
            cx.data.st.pubsub.unsubscribe(conn, kind, name);
            confirm(cx, kind.unsubscribed(), Some(name), kind);
        }
    } else {
        for name in args.rest() {
            cx.data.st.pubsub.unsubscribe(conn, kind, name);
            confirm(cx, kind.unsubscribed(), Some(name), kind);
        }
    }
    let any = cx.data.st.pubsub.has_any(conn);
    cx.client().flags.set(ClientFlags::SUBSCRIBER, any);
    Ok(())
}

fn confirm(cx: &mut Cx<'_>, what: &str, name: Option<&[u8]>, kind: Kind) {
    let count = cx.data.st.pubsub.confirmed(cx.data.conn, kind);
    cx.out.pushed(3, |out| {
        out.bulk(what.as_bytes());
        match name {
            Some(name) => out.bulk(name),
            None => out.null(),
        }
        out.int(count as i64);
    });
}

fn publish(cx: &mut Cx<'_>, mut args: Args<'_>) -> Result<(), Fail> {
    let (channel, message) = (args.bulk()?, args.bulk()?);
    let receivers = cx.data.st.publish(channel, message);
    cx.propagate_unchanged(args.argv());
    cx.out.int(receivers as i64);
    Ok(())
}

fn spublish(cx: &mut Cx<'_>, mut args: Args<'_>) -> Result<(), Fail> {
    let (channel, message) = (args.bulk()?, args.bulk()?);
    let receivers = cx.data.st.publish_shard(channel, message);
    cx.propagate_unchanged(args.argv());
    cx.out.int(receivers as i64);
    Ok(())
}

fn channels(cx: &mut Cx<'_>, args: Args<'_>) -> Result<(), Fail> {
    list_active(cx, args, Kind::Channel)
}

fn shardchannels(cx: &mut Cx<'_>, args: Args<'_>) -> Result<(), Fail> {
    list_active(cx, args, Kind::Shard)
}

fn list_active(cx: &mut Cx<'_>, args: Args<'_>, kind: Kind) -> Result<(), Fail> {
    let pattern = args.peek();
    if args.left() > 1 {
        return Err(Fail::subcommand_syntax(args.argv().get(1), "PUBSUB"));
    }
    let pubsub = &cx.data.st.pubsub;
    cx.out.array(pubsub.active(kind, pattern).count());
    for name in pubsub.active(kind, pattern) {
        cx.out.bulk(name);
    }
    Ok(())
}

fn numsub(cx: &mut Cx<'_>, args: Args<'_>) -> Result<(), Fail> {
    count_subscribers(cx, args, Kind::Channel)
}

fn shardnumsub(cx: &mut Cx<'_>, args: Args<'_>) -> Result<(), Fail> {
    count_subscribers(cx, args, Kind::Shard)
}

fn count_subscribers(cx: &mut Cx<'_>, mut args: Args<'_>, kind: Kind) -> Result<(), Fail> {
    cx.out.array(2 * args.left());
    for name in args.rest() {
        cx.out.bulk(name);
        cx.out.int(cx.data.st.pubsub.subscribers(kind, name) as i64);
    }
    Ok(())
}

fn numpat(cx: &mut Cx<'_>, _: Args<'_>) -> Result<(), Fail> {
    cx.out.int(cx.data.st.pubsub.names(Kind::Pattern) as i64);
    Ok(())
}

fn pubsub_help(cx: &mut Cx<'_>, _: Args<'_>) -> Result<(), Fail> {
    let pubsub = COMMANDS
        .iter()
        .find(|row| row.name == "pubsub")
        .expect("it is in its table");
    help::reply(&mut cx.out, "PUBSUB", pubsub.subcommands);
    Ok(())
}
