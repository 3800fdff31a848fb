//! Elements that go from one list to another.

use super::{End, FAMILY};
use crate::command::args::Args;
use crate::command::blocking;
use crate::command::cx::Cx;
use crate::command::fail::Fail;
use crate::command::harvest;
use crate::command::spec::{Arity, Flags as F, KeyFlags as K, KeySpec, Spec};
use crate::config::NotifyFlags as Class;
use crate::value::List;

const MOVE: F = F::WRITE.and(F::DENYOOM);
const WAIT: F = MOVE.and(F::BLOCKING);
const FROM_TO: &[KeySpec] = &[
    KeySpec::at(1, K::RW.and(K::ACCESS).and(K::DELETE)),
    KeySpec::at(2, K::RW.and(K::INSERT)),
];

/// The rows of these commands.
pub static COMMANDS: &[Spec] = &[
    FAMILY.row(
        "blmove",
        blmove,
        Arity::Exactly(6),
        WAIT,
        FROM_TO,
        (
            "Moves an element from one list to another, and waits for it if there is none.",
            "6.2.0",
            "O(1)",
            "source destination <LEFT | RIGHT> <LEFT | RIGHT> timeout",
        ),
    ),
    FAMILY.row(
        "brpoplpush",
        brpoplpush,
        Arity::Exactly(4),
        WAIT,
        FROM_TO,
        (
            "Moves the last element of a list before the head of another, and waits for it if \
             there is none.",
            "2.2.0",
            "O(1)",
            "source destination timeout",
        ),
    ),
    FAMILY.row(
        "lmove",
        lmove,
        Arity::Exactly(5),
        MOVE,
        FROM_TO,
        (
            "Moves an element from one list to another.",
            "6.2.0",
            "O(1)",
            "source destination <LEFT | RIGHT> <LEFT | RIGHT>",
        ),
    ),
    FAMILY.row(
        "rpoplpush",
        rpoplpush,
        Arity::Exactly(3),
        MOVE,
        FROM_TO,
        (
            "Moves the last element of a list before the head of another.",
            "1.2.0",
            "O(1)",
            "source destination",
        ),
    ),
];

/// From where an element goes to where. Both may be ends of the same list.
#[derive(Clone, Copy)]
struct Route<'a> {
    from: (&'a [u8], End),
    to: (&'a [u8], End),
}

impl<'a> Route<'a> {
    /// Takes both keys and both ends.
    fn parse(args: &mut Args<'a>) -> Result<Self, Fail> {
        let (from, to) = (args.bulk()?, args.bulk()?);
        Ok(Self {
            from: (from, End::parse(args)?),
            to: (to, End::parse(args)?),
        })
    }

    /// Takes both keys.
    fn parse_keys(args: &mut Args<'a>) -> Result<Self, Fail> {
        Ok(Self {
            from: (args.bulk()?, End::Tail),
            to: (args.bulk()?, End::Head),
        })
    }
}

/// Moves an element and replies with it; false if there is none.
fn shift(cx: &mut Cx<'_>, route: Route<'_>) -> Result<bool, Fail> {
    let ((from, taken_at), (to, put_at)) = (route.from, route.to);
    if cx.data.peek::<List>(from)?.is_none() {
        return Ok(false);
    }
    let turns = from == to;
    if !turns {
        cx.data.peek::<List>(to)?;
    }
    let taken = cx.data.edit::<List, _>(from, false, |list, shape| {
        let element = taken_at.pop(list);
        if turns {
            list.will_grow(shape.list, 1, element.len());
            put_at.push(list, &element);
        }
        list.has_shrunk(shape.list);
        (element, list.as_ref().len())
    })?;
    let (element, left) = taken.expect("the list is there");
    if !turns {
        cx.data.edit::<List, _>(to, true, |list, shape| {
            list.will_grow(shape.list, 1, element.len());
            put_at.push(list, &element);
        })?;
    }
    // Redis tells of the arrival first, and counts one change.
    cx.data.changed_by(0, to, Class::LIST, put_at.push_event());
    cx.data.changed(from, Class::LIST, taken_at.pop_event());
    if left == 0 {
        cx.data.notify(Class::GENERIC, "del", from);
    }
    cx.out.bulk(&element);
    Ok(true)
}

fn shift_or_null(cx: &mut Cx<'_>, route: Route<'_>) -> Result<(), Fail> {
    if !shift(cx, route)? {
        cx.out.null();
    }
    Ok(())
}

fn lmove(cx: &mut Cx<'_>, mut args: Args<'_>) -> Result<(), Fail> {
    let route = Route::parse(&mut args)?;
    shift_or_null(cx, route)
}

fn rpoplpush(cx: &mut Cx<'_>, mut args: Args<'_>) -> Result<(), Fail> {
    let route = Route::parse_keys(&mut args)?;
    shift_or_null(cx, route)
}

/// Moves an element or waits for one; whether it was moved.
fn shift_or_wait(cx: &mut Cx<'_>, route: Route<'_>, mut args: Args<'_>) -> Result<bool, Fail> {
    let timeout = blocking::timeout(args.bulk()?, cx.wall())?;
    if shift(cx, route)? {
        return Ok(true);
    }
    if !cx.wait_for_keys(args.argv(), 1..2, harvest::is_of::<List>, timeout) {
        cx.out.null();
    }
    Ok(false)
}

fn blmove(cx: &mut Cx<'_>, mut args: Args<'_>) -> Result<(), Fail> {
    let argv = args.argv();
    let route = Route::parse(&mut args)?;
    if shift_or_wait(cx, route, args)? {
        cx.propagate_as(&[b"LMOVE", argv.get(1), argv.get(2), argv.get(3), argv.get(4)]);
    }
    Ok(())
}

fn brpoplpush(cx: &mut Cx<'_>, mut args: Args<'_>) -> Result<(), Fail> {
    let route = Route::parse_keys(&mut args)?;
    if shift_or_wait(cx, route, args)? {
        cx.propagate_as(&[b"RPOPLPUSH", route.from.0, route.to.0]);
    }
    Ok(())
}
