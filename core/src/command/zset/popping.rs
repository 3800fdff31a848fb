//! Elements taken from either end, of one sorted set or of the first of several that has some.

use super::{remove_ranks, row};
use crate::command::args::Args;
use crate::command::blocking;
use crate::command::cx::Cx;
use crate::command::fail::Fail;
use crate::command::spec::{Arity, Flags as F, KeyFlags as K, KeySpec, Spec};
use crate::resp::{ArgvRef, Proto};
use crate::value::{ValueRef, Zset};
use core::ops::Range;
use core::time::Duration;

const TAKE: K = K::RW.and(K::ACCESS).and(K::DELETE);
const WAIT: F = F::WRITE.and(F::FAST).and(F::BLOCKING);

/// The rows of these commands.
pub static COMMANDS: &[Spec] = &[
    row(
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
    row(
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
    row(
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
    row(
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
    row(
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
    row(
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

/// Which elements are wanted, from which sorted sets.
struct Harvest<'a> {
    argv: ArgvRef<'a>,
    /// Which arguments are the keys.
    keys: Range<usize>,
    end: End,
    count: usize,
}

impl<'a> Harvest<'a> {
    /// Takes what ZMPOP takes.
    fn parse(args: &mut Args<'a>) -> Result<Self, Fail> {
        let keys = at_least_one(args, "numkeys")?;
        let first = args.position();
        for _ in 0..keys {
            args.bulk()?;
        }
        let keys = first..args.position();
        let end = End::parse(args)?;
        let mut count = None;
        while !args.is_done() {
            if count.is_none() && args.left() >= 2 && args.keyword("count") {
                count = Some(at_least_one(args, "count")?);
            } else {
                return Err(Fail::Syntax);
            }
        }
        Ok(Self {
            argv: args.argv(),
            keys,
            end,
            count: count.unwrap_or(1),
        })
    }

    /// Looks for a sorted set that has elements; its key, and how many are to be taken.
    fn find(&self, cx: &mut Cx<'_>) -> Result<Option<(&'a [u8], usize)>, Fail> {
        for at in self.keys.clone() {
            let key = self.argv.get(at);
            if let Some(len) = cx.data.peek::<Zset>(key)?.map(|zset| zset.len()) {
                return Ok(Some((key, self.count.min(len))));
            }
        }
        Ok(None)
    }

    /// Takes elements and replies with the key and an array of them; false if there are none.
    fn take_some(&self, cx: &mut Cx<'_>) -> Result<bool, Fail> {
        let Some((key, count)) = self.find(cx)? else {
            return Ok(false);
        };
        cx.out.array(2);
        cx.out.bulk(key);
        cx.out.array(count);
        take(cx, key, self.end, count, true)?;
        let mut digits = itoa::Buffer::new();
        let count = digits.format(count).as_bytes();
        cx.propagate_as(&[self.end.command(), key, count]);
        Ok(true)
    }

    /// Takes an element and replies with the key and it; false if there is none.
    fn take_one(&self, cx: &mut Cx<'_>) -> Result<bool, Fail> {
        let Some((key, _)) = self.find(cx)? else {
            return Ok(false);
        };
        cx.out.array(3);
        cx.out.bulk(key);
        take(cx, key, self.end, 1, false)?;
        cx.propagate_as(&[self.end.command(), key]);
        Ok(true)
    }

    /// Waits until one of the sorted sets may have elements.
    fn wait(self, cx: &mut Cx<'_>, timeout: Option<Duration>) {
        if !cx.wait_for_keys(self.argv, self.keys, is_zset, timeout) {
            cx.out.null_array();
        }
    }
}

/// Whether a key holds what is waited for.
fn is_zset(value: Option<ValueRef<'_>>) -> bool {
    value.is_some_and(|value| value.as_collection::<Zset>().is_some())
}

fn at_least_one(args: &mut Args<'_>, what: &'static str) -> Result<usize, Fail> {
    let number = args
        .int()
        .ok()
        .and_then(|number| usize::try_from(number).ok());
    let number = number.filter(|&number| number > 0);
    number.ok_or(Fail::ZeroCount(what))
}

fn zmpop(cx: &mut Cx<'_>, mut args: Args<'_>) -> Result<(), Fail> {
    if !Harvest::parse(&mut args)?.take_some(cx)? {
        cx.out.null_array();
    }
    Ok(())
}

fn bzmpop(cx: &mut Cx<'_>, mut args: Args<'_>) -> Result<(), Fail> {
    let timeout = args.bulk()?;
    let harvest = Harvest::parse(&mut args)?;
    // Redis reads the timeout behind all else.
    let timeout = blocking::timeout(timeout, cx.wall())?;
    if !harvest.take_some(cx)? {
        harvest.wait(cx, timeout);
    }
    Ok(())
}

fn bzpopmin(cx: &mut Cx<'_>, args: Args<'_>) -> Result<(), Fail> {
    pop_or_wait(cx, args, End::Lowest)
}

fn bzpopmax(cx: &mut Cx<'_>, args: Args<'_>) -> Result<(), Fail> {
    pop_or_wait(cx, args, End::Highest)
}

fn pop_or_wait(cx: &mut Cx<'_>, args: Args<'_>, end: End) -> Result<(), Fail> {
    let argv = args.argv();
    let last = argv.len() - 1;
    let timeout = blocking::timeout(argv.get(last), cx.wall())?;
    let harvest = Harvest {
        argv,
        keys: args.position()..last,
        end,
        count: 1,
    };
    if !harvest.take_one(cx)? {
        harvest.wait(cx, timeout);
    }
    Ok(())
}
