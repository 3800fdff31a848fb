//! Elements taken from either end, of one sorted set or of the first of several that has some.

use super::{FAMILY, remove_ranks};
use crate::command::args::Args;
use crate::command::cx::Cx;
use crate::command::fail::Fail;
use crate::command::harvest;
use crate::command::spec::{Arity, Flags as F, KeyFlags as K, KeySpec, Spec};
use crate::resp::Proto;
use crate::value::{Zset, ZsetRef};

const TAKE: K = K::RW.and(K::ACCESS).and(K::DELETE);
const WAIT: F = F::WRITE.and(F::FAST).and(F::BLOCKING);

/// The rows of these commands.
pub static COMMANDS: &[Spec] = &[
    FAMILY.row(
        "bzmpop",
        bzmpop,
        Arity::AtLeast(5),
        F::WRITE.and(F::BLOCKING).and(F::MOVABLE_KEYS),
        &[KeySpec::counted(2, TAKE)],
        (
            "Takes members from the first of some sorted sets that has any, and waits for one if \
             none has.",
            "7.0.0",
            "O(K+M*log(N)): the number of keys, that of members taken and the size of the set",
            "timeout numkeys key [key ...] <MIN | MAX> [COUNT count]",
        ),
    ),
    FAMILY.row(
        "bzpopmax",
        bzpopmax,
        Arity::AtLeast(3),
        WAIT,
        &[KeySpec::range(1, -2, 1, TAKE)],
        (
            "Takes the member with the highest score from the first of some sorted sets that has \
             any, and waits for one if none has.",
            "5.0.0",
            "O(log(N)) in the size of the set",
            "key [key ...] timeout",
        ),
    ),
    FAMILY.row(
        "bzpopmin",
        bzpopmin,
        Arity::AtLeast(3),
        WAIT,
        &[KeySpec::range(1, -2, 1, TAKE)],
        (
            "Takes the member with the lowest score from the first of some sorted sets that has \
             any, and waits for one if none has.",
            "5.0.0",
            "O(log(N)) in the size of the set",
            "key [key ...] timeout",
        ),
    ),
    FAMILY.row(
        "zmpop",
        zmpop,
        Arity::AtLeast(4),
        F::WRITE.and(F::MOVABLE_KEYS),
        &[KeySpec::counted(1, TAKE)],
        (
            "Takes members from the first of some sorted sets that has any.",
            "7.0.0",
            "O(K+M*log(N)): the number of keys, that of members taken and the size of the set",
            "numkeys key [key ...] <MIN | MAX> [COUNT count]",
        ),
    ),
    FAMILY.row(
        "zpopmax",
        zpopmax,
        Arity::AtLeast(2),
        F::WRITE.and(F::FAST),
        &[KeySpec::at(1, TAKE)],
        (
            "Takes the members with the highest scores from a sorted set.",
            "5.0.0",
            "O(M*log(N)): the number of members taken and the size of the set",
            "key [count]",
        ),
    ),
    FAMILY.row(
        "zpopmin",
        zpopmin,
        Arity::AtLeast(2),
        F::WRITE.and(F::FAST),
        &[KeySpec::at(1, TAKE)],
        (
            "Takes the members with the lowest scores from a sorted set.",
            "5.0.0",
            "O(M*log(N)): the number of members taken and the size of the set",
            "key [count]",
        ),
    ),
];

/// Which scores go first.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum End {
    Lowest,
    Highest,
}

impl End {
    /// Takes `MIN` or `MAX`.
    fn parse(args: &mut Args<'_>) -> Result<Self, Fail> {
        if args.keyword("min") {
            Ok(Self::Lowest)
        } else if args.keyword("max") {
            Ok(Self::Highest)
        } else {
            Err(Fail::Syntax)
        }
    }

    const fn event(self) -> &'static str {
        match self {
            Self::Lowest => "zpopmin",
            Self::Highest => "zpopmax",
        }
    }

    /// The command that takes elements from this end.
    const fn command(self) -> &'static [u8] {
        match self {
            Self::Lowest => b"ZPOPMIN",
            Self::Highest => b"ZPOPMAX",
        }
    }
}

/// Takes elements from a sorted set that has as many, and replies with each and its score.
fn take(cx: &mut Cx<'_>, key: &[u8], end: End, count: usize, pairs: bool) -> Result<(), Fail> {
    let Some(zset) = cx.data.peek::<Zset>(key)? else {
        return Ok(());
    };
    let (ranks, rev) = match end {
        End::Lowest => (0..count, false),
        End::Highest => (zset.len() - count..zset.len(), true),
    };
    for (member, score) in zset.range(ranks.clone(), rev) {
        if pairs {
            cx.out.array(2);
        }
        cx.out.bulk(member);
        cx.out.double(score);
    }
    remove_ranks(cx, key, end.event(), ranks)
}

fn zpopmin(cx: &mut Cx<'_>, args: Args<'_>) -> Result<(), Fail> {
    pop(cx, args, End::Lowest)
}

fn zpopmax(cx: &mut Cx<'_>, args: Args<'_>) -> Result<(), Fail> {
    pop(cx, args, End::Highest)
}

fn pop(cx: &mut Cx<'_>, mut args: Args<'_>, end: End) -> Result<(), Fail> {
    if args.left() > 2 {
        return Err(Fail::Syntax);
    }
    let key = args.bulk()?;
    let count = if args.is_done() {
        None
    } else {
        let count = args
            .int()
            .ok()
            .and_then(|count| usize::try_from(count).ok());
        Some(count.ok_or(Fail::NotPositive)?)
    };
    let len = cx.data.peek::<Zset>(key)?.map_or(0, |zset| zset.len());
    let taken = count.unwrap_or(1).min(len);
    let pairs = count.is_some() && cx.out.proto() == Proto::Resp3;
    cx.out.array(if pairs { taken } else { 2 * taken });
    if taken > 0 {
        take(cx, key, end, taken, pairs)?;
    }
    Ok(())
}

impl harvest::End for End {
    type Kind = Zset;

    fn parse(args: &mut Args<'_>) -> Result<Self, Fail> {
        Self::parse(args)
    }

    fn len(zset: ZsetRef<'_>) -> usize {
        zset.len()
    }

    fn command(self) -> &'static [u8] {
        Self::command(self)
    }

    fn take_some(self, cx: &mut Cx<'_>, key: &[u8], count: usize) -> Result<(), Fail> {
        cx.out.array(count);
        take(cx, key, self, count, true)
    }

    fn take_one(self, cx: &mut Cx<'_>, key: &[u8]) -> Result<(), Fail> {
        cx.out.array(3);
        cx.out.bulk(key);
        take(cx, key, self, 1, false)
    }
}

fn zmpop(cx: &mut Cx<'_>, args: Args<'_>) -> Result<(), Fail> {
    harvest::pop_some::<End>(cx, args)
}

fn bzmpop(cx: &mut Cx<'_>, args: Args<'_>) -> Result<(), Fail> {
    harvest::pop_some_or_wait::<End>(cx, args)
}

fn bzpopmin(cx: &mut Cx<'_>, args: Args<'_>) -> Result<(), Fail> {
    harvest::pop_or_wait(cx, args, End::Lowest)
}

fn bzpopmax(cx: &mut Cx<'_>, args: Args<'_>) -> Result<(), Fail> {
    harvest::pop_or_wait(cx, args, End::Highest)
}
