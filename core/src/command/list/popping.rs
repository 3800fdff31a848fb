//! Elements from the first of several lists that has some.

use super::{End, is_list, row, take};
use crate::command::args::Args;
use crate::command::blocking;
use crate::command::cx::Cx;
use crate::command::fail::Fail;
use crate::command::spec::{Arity, Flags as F, KeyFlags as K, KeySpec, Spec};
use crate::resp::ArgvRef;
use crate::value::List;
use core::ops::Range;

const TAKE: K = K::RW.and(K::ACCESS).and(K::DELETE);

/// The rows of these commands.
pub static COMMANDS: &[Spec] = &[
    row(
        "blmpop",
        blmpop,
        Arity::AtLeast(5),
        F::WRITE.and(F::BLOCKING).and(F::MOVABLE_KEYS),
        &[KeySpec::counted(2, TAKE)],
        (
            "Takes elements from the first of some lists that has any, and waits for one if \
             none has.",
            "7.0.0",
            "O(N+M) in the number of keys and of elements taken",
            "timeout numkeys key [key ...] <LEFT | RIGHT> [COUNT count]",
        ),
    ),
    row(
        "blpop",
        blpop,
        Arity::AtLeast(3),
        F::WRITE.and(F::BLOCKING),
        &[KeySpec::range(1, -2, 1, TAKE)],
        (
            "Takes the first element of the first of some lists that has any, and waits for one \
             if none has.",
            "2.0.0",
            "O(N) in the number of keys",
            "key [key ...] timeout",
        ),
    ),
    row(
        "brpop",
        brpop,
        Arity::AtLeast(3),
        F::WRITE.and(F::BLOCKING),
        &[KeySpec::range(1, -2, 1, TAKE)],
        (
            "Takes the last element of the first of some lists that has any, and waits for one \
             if none has.",
            "2.0.0",
            "O(N) in the number of keys",
            "key [key ...] timeout",
        ),
    ),
    row(
        "lmpop",
        lmpop,
        Arity::AtLeast(4),
        F::WRITE.and(F::MOVABLE_KEYS),
        &[KeySpec::counted(1, TAKE)],
        (
            "Takes elements from the first of some lists that has any.",
            "7.0.0",
            "O(N+M) in the number of keys and of elements taken",
            "numkeys key [key ...] <LEFT | RIGHT> [COUNT count]",
        ),
    ),
];

/// Which elements are wanted, from which lists.
struct Harvest<'a> {
    argv: ArgvRef<'a>,
    /// Which arguments are the keys.
    keys: Range<usize>,
    end: End,
    count: usize,
}

impl<'a> Harvest<'a> {
    /// Takes what LMPOP takes.
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

    /// Looks for a list that has elements; its key, and how many are to be taken.
    fn find(&self, cx: &mut Cx<'_>) -> Result<Option<(&'a [u8], usize)>, Fail> {
        for at in self.keys.clone() {
            let key = self.argv.get(at);
            if let Some(len) = cx.data.peek::<List>(key)?.map(|list| list.len()) {
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
        take(cx, key, self.end, count)?;
        let mut digits = itoa::Buffer::new();
        let count = digits.format(count).as_bytes();
        cx.propagate_as(&[self.end.pop_command(), key, count]);
        Ok(true)
    }

    /// Takes an element and replies with the key and it; false if there is none.
    fn take_one(&self, cx: &mut Cx<'_>) -> Result<bool, Fail> {
        let Some((key, _)) = self.find(cx)? else {
            return Ok(false);
        };
        cx.out.array(2);
        cx.out.bulk(key);
        take(cx, key, self.end, 1)?;
        cx.propagate_as(&[self.end.pop_command(), key]);
        Ok(true)
    }

    /// Waits until one of the lists may have elements.
    fn wait(self, cx: &mut Cx<'_>, timeout: Option<core::time::Duration>) {
        if !cx.wait_for_keys(self.argv, self.keys, is_list, timeout) {
            cx.out.null_array();
        }
    }
}

fn at_least_one(args: &mut Args<'_>, what: &'static str) -> Result<usize, Fail> {
    let number = args
        .int()
        .ok()
        .and_then(|number| usize::try_from(number).ok());
    let number = number.filter(|&number| number > 0);
    number.ok_or(Fail::ZeroCount(what))
}

fn lmpop(cx: &mut Cx<'_>, mut args: Args<'_>) -> Result<(), Fail> {
    if !Harvest::parse(&mut args)?.take_some(cx)? {
        cx.out.null_array();
    }
    Ok(())
}

fn blmpop(cx: &mut Cx<'_>, mut args: Args<'_>) -> Result<(), Fail> {
    let timeout = args.bulk()?;
    let harvest = Harvest::parse(&mut args)?;
    // Redis reads the timeout behind all else.
    let timeout = blocking::timeout(timeout, cx.wall())?;
    if !harvest.take_some(cx)? {
        harvest.wait(cx, timeout);
    }
    Ok(())
}

fn blpop(cx: &mut Cx<'_>, args: Args<'_>) -> Result<(), Fail> {
    pop_or_wait(cx, args, End::Head)
}

fn brpop(cx: &mut Cx<'_>, args: Args<'_>) -> Result<(), Fail> {
    pop_or_wait(cx, args, End::Tail)
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
