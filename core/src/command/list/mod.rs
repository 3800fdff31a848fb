//! Lists: pushing, popping and looking.

pub mod elements;
pub mod moving;
pub mod popping;

use super::args::Args;
use super::cx::Cx;
use super::fail::Fail;
use super::range;
use super::spec::{Acl, Arity, Family, Flags as F, Group, KeyFlags as K, KeySpec, Spec};
use crate::config::NotifyFlags as Class;
use crate::value::List;

const FAMILY: Family = Family {
    acl: Acl::LIST,
    group: Group::List,
};

const PUSH: F = F::WRITE.and(F::DENYOOM).and(F::FAST);
const POP: F = F::WRITE.and(F::FAST);
const INSERTS: &[KeySpec] = &[KeySpec::at(1, K::RW.and(K::INSERT))];
const TAKES: &[KeySpec] = &[KeySpec::at(1, K::RW.and(K::ACCESS).and(K::DELETE))];

/// The family's rows.
pub static COMMANDS: &[Spec] = &[
    FAMILY.row(
        "llen",
        llen,
        Arity::Exactly(2),
        F::READONLY.and(F::FAST),
        &[KeySpec::at(1, K::RO)],
        ("Returns the length of a list.", "1.0.0", "O(1)", "key"),
    ),
    FAMILY.row(
        "lpop",
        lpop,
        Arity::AtLeast(2),
        POP,
        TAKES,
        (
            "Takes elements from the head of a list.",
            "1.0.0",
            "O(N) in the number taken",
            "key [count]",
        ),
    ),
    FAMILY.row(
        "lpush",
        lpush,
        Arity::AtLeast(3),
        PUSH,
        INSERTS,
        (
            "Puts elements before the head of a list.",
            "1.0.0",
            "O(N) in the number of elements",
            "key element [element ...]",
        ),
    ),
    FAMILY.row(
        "lpushx",
        lpushx,
        Arity::AtLeast(3),
        PUSH,
        INSERTS,
        (
            "Puts elements before the head of a list that exists.",
            "2.2.0",
            "O(N) in the number of elements",
            "key element [element ...]",
        ),
    ),
    FAMILY.row(
        "lrange",
        lrange,
        Arity::Exactly(4),
        F::READONLY,
        &[KeySpec::at(1, K::RO.and(K::ACCESS))],
        (
            "Returns part of a list.",
            "1.0.0",
            "O(S+N): the distance to the part and its length",
            "key start stop",
        ),
    ),
    FAMILY.row(
        "rpop",
        rpop,
        Arity::AtLeast(2),
        POP,
        TAKES,
        (
            "Takes elements from the tail of a list.",
            "1.0.0",
            "O(N) in the number taken",
            "key [count]",
        ),
    ),
    FAMILY.row(
        "rpush",
        rpush,
        Arity::AtLeast(3),
        PUSH,
        INSERTS,
        (
            "Puts elements behind the tail of a list.",
            "1.0.0",
            "O(N) in the number of elements",
            "key element [element ...]",
        ),
    ),
    FAMILY.row(
        "rpushx",
        rpushx,
        Arity::AtLeast(3),
        PUSH,
        INSERTS,
        (
            "Puts elements behind the tail of a list that exists.",
            "2.2.0",
            "O(N) in the number of elements",
            "key element [element ...]",
        ),
    ),
];

/// An end of a list.
#[derive(Clone, Copy, Eq, PartialEq)]
enum End {
    Head,
    Tail,
}

impl End {
    /// Takes `LEFT` or `RIGHT`.
    fn parse(args: &mut Args<'_>) -> Result<Self, Fail> {
        if args.keyword("left") {
            Ok(Self::Head)
        } else if args.keyword("right") {
            Ok(Self::Tail)
        } else {
            Err(Fail::Syntax)
        }
    }

    fn push(self, list: &mut List, element: &[u8]) {
        match self {
            Self::Head => list.push_front(element),
            Self::Tail => list.push_back(element),
        }
    }

    fn pop(self, list: &mut List) -> Vec<u8> {
        let element = match self {
            Self::Head => list.pop_front(),
            Self::Tail => list.pop_back(),
        };
        element.expect("no more is taken than there is")
    }

    const fn push_event(self) -> &'static str {
        match self {
            Self::Head => "lpush",
            Self::Tail => "rpush",
        }
    }

    const fn pop_event(self) -> &'static str {
        match self {
            Self::Head => "lpop",
            Self::Tail => "rpop",
        }
    }

    /// The command that takes elements from this end.
    const fn pop_command(self) -> &'static [u8] {
        match self {
            Self::Head => b"LPOP",
            Self::Tail => b"RPOP",
        }
    }
}

fn lpush(cx: &mut Cx<'_>, args: Args<'_>) -> Result<(), Fail> {
    push(cx, args, End::Head, true)
}

fn rpush(cx: &mut Cx<'_>, args: Args<'_>) -> Result<(), Fail> {
    push(cx, args, End::Tail, true)
}

fn lpushx(cx: &mut Cx<'_>, args: Args<'_>) -> Result<(), Fail> {
    push(cx, args, End::Head, false)
}

fn rpushx(cx: &mut Cx<'_>, args: Args<'_>) -> Result<(), Fail> {
    push(cx, args, End::Tail, false)
}

fn push(cx: &mut Cx<'_>, mut args: Args<'_>, end: End, make: bool) -> Result<(), Fail> {
    let key = args.bulk()?;
    let elements = args.rest();
    let pushed = elements.len() as u64;
    let bytes = elements.clone().map(<[u8]>::len).sum();
    let len = cx.data.edit::<List, _>(key, make, |list, shape| {
        list.will_grow(shape.list, elements.len(), bytes);
        for element in elements {
            end.push(list, element);
        }
        list.as_ref().len()
    })?;
    let Some(len) = len else {
        cx.out.int(0);
        return Ok(());
    };
    cx.data
        .changed_by(pushed, key, Class::LIST, end.push_event());
    cx.out.int(len as i64);
    Ok(())
}

fn llen(cx: &mut Cx<'_>, mut args: Args<'_>) -> Result<(), Fail> {
    let len = cx
        .data
        .lend::<List>(args.bulk()?)?
        .map_or(0, |list| list.len());
    cx.out.int(len as i64);
    Ok(())
}

fn lrange(cx: &mut Cx<'_>, mut args: Args<'_>) -> Result<(), Fail> {
    let key = args.bulk()?;
    let (start, stop) = (args.int()?, args.int()?);
    let Some(list) = cx.data.lend::<List>(key)? else {
        cx.out.array(0);
        return Ok(());
    };
    let Some(range) = range::of(start, stop, list.len()) else {
        cx.out.array(0);
        return Ok(());
    };
    cx.out.array(range.len());
    for element in list.range(range.start, range.end) {
        cx.out.bulk(element);
    }
    Ok(())
}

fn lpop(cx: &mut Cx<'_>, args: Args<'_>) -> Result<(), Fail> {
    pop(cx, args, End::Head)
}

fn rpop(cx: &mut Cx<'_>, args: Args<'_>) -> Result<(), Fail> {
    pop(cx, args, End::Tail)
}

fn pop(cx: &mut Cx<'_>, mut args: Args<'_>, end: End) -> Result<(), Fail> {
    if args.left() > 2 {
        return Err(Fail::Arity(end.pop_event().into()));
    }
    let key = args.bulk()?;
    let count = if args.is_done() {
        None
    } else {
        Some(
            usize::try_from(args.int().map_err(|_| Fail::NotPositive)?)
                .map_err(|_| Fail::NotPositive)?,
        )
    };
    let there = cx.data.peek::<List>(key)?.map(|list| list.len());
    let Some(len) = there else {
        match count {
            None => cx.out.null(),
            Some(_) => cx.out.null_array(),
        }
        return Ok(());
    };
    let taken = count.unwrap_or(1).min(len);
    if count.is_some() {
        cx.out.array(taken);
    }
    if taken > 0 {
        take(cx, key, end, taken)?;
    }
    Ok(())
}

/// Takes elements from a list that has as many, and replies with each.
fn take(cx: &mut Cx<'_>, key: &[u8], end: End, count: usize) -> Result<(), Fail> {
    let out = &mut cx.out;
    let left = cx.data.edit::<List, _>(key, false, |list, shape| {
        for _ in 0..count {
            out.bulk(&end.pop(list));
        }
        list.has_shrunk(shape.list);
        list.as_ref().len()
    })?;
    cx.data
        .changed_by(count as u64, key, Class::LIST, end.pop_event());
    if left == Some(0) {
        cx.data.notify(Class::GENERIC, "del", key);
    }
    Ok(())
}
