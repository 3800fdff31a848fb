//! Unions, intersections and differences of sets.

use smallvec::SmallVec;

use super::{NO_ORDER, row};
use crate::command::args::Args;
use crate::command::cx::{Cx, write_string};
use crate::command::fail::Fail;
use crate::command::spec::{Arity, Flags as F, Handler, KeyFlags as K, KeySpec, Spec};
use crate::config::NotifyFlags as Class;
use crate::keyspace::Keyspace;
use crate::value::{IntText, Set, SetRef, Shape};

const READS: &[KeySpec] = &[KeySpec::range(1, -1, 1, K::RO.and(K::ACCESS))];
const STORES: &[KeySpec] = &[
    KeySpec::at(1, K::OW.and(K::UPDATE)),
    KeySpec::range(2, -1, 1, K::RO.and(K::ACCESS)),
];
const STORE: F = F::WRITE.and(F::DENYOOM);
const SHARED: &str = "O(N*K): the size of the smallest set and the number of sets";
const UNITED: &str = "O(N) in the number of members of all sets";

/// The rows of these commands.
pub static COMMANDS: &[Spec] = &[
    reading(
        "sdiff",
        sdiff,
        "Returns the members of a set that no other set has.",
        UNITED,
    ),
    storing(
        "sdiffstore",
        sdiffstore,
        "Stores the members of a set that no other set has.",
        UNITED,
    ),
    reading(
        "sinter",
        sinter,
        "Returns the members that all of some sets have.",
        SHARED,
    ),
    row(
        "sintercard",
        sintercard,
        Arity::AtLeast(3),
        F::READONLY,
        &[KeySpec::counted(1, K::RO.and(K::ACCESS))],
        (
            "Returns how many members all of some sets have.",
            "7.0.0",
            SHARED,
            "numkeys key [key ...] [LIMIT limit]",
        ),
    ),
    storing(
        "sinterstore",
        sinterstore,
        "Stores the members that all of some sets have.",
        SHARED,
    ),
    reading(
        "sunion",
        sunion,
        "Returns the members that any of some sets has.",
        UNITED,
    ),
    storing(
        "sunionstore",
        sunionstore,
        "Stores the members that any of some sets has.",
        UNITED,
    ),
];

const fn reading(
    name: &'static str,
    run: Handler,
    summary: &'static str,
    complexity: &'static str,
) -> Spec {
    let docs = (summary, "1.0.0", complexity, "key [key ...]");
    Spec {
        tips: NO_ORDER,
        ..row(name, run, Arity::AtLeast(2), F::READONLY, READS, docs)
    }
}

const fn storing(
    name: &'static str,
    run: Handler,
    summary: &'static str,
    complexity: &'static str,
) -> Spec {
    let docs = (summary, "1.0.0", complexity, "destination key [key ...]");
    row(name, run, Arity::AtLeast(3), STORE, STORES, docs)
}

/// How sets are combined.
#[derive(Clone, Copy, Eq, PartialEq)]
enum Operation {
    Union,
    Inter,
    Diff,
}

/// Keys of sets, each with whether it is there for the command.
type Wanted<'a> = SmallVec<[(&'a [u8], bool); 8]>;

fn sunion(cx: &mut Cx<'_>, args: Args<'_>) -> Result<(), Fail> {
    reply(cx, args, Operation::Union)
}

fn sinter(cx: &mut Cx<'_>, args: Args<'_>) -> Result<(), Fail> {
    reply(cx, args, Operation::Inter)
}

fn sdiff(cx: &mut Cx<'_>, args: Args<'_>) -> Result<(), Fail> {
    reply(cx, args, Operation::Diff)
}

fn sunionstore(cx: &mut Cx<'_>, args: Args<'_>) -> Result<(), Fail> {
    store(cx, args, Operation::Union, "sunionstore")
}

fn sinterstore(cx: &mut Cx<'_>, args: Args<'_>) -> Result<(), Fail> {
    store(cx, args, Operation::Inter, "sinterstore")
}

fn sdiffstore(cx: &mut Cx<'_>, args: Args<'_>) -> Result<(), Fail> {
    store(cx, args, Operation::Diff, "sdiffstore")
}

fn sintercard(cx: &mut Cx<'_>, mut args: Args<'_>) -> Result<(), Fail> {
    let no_keys = || Fail::Plain("numkeys should be greater than 0");
    let count = args.int().map_err(|_| no_keys())?;
    let count = usize::try_from(count).map_err(|_| no_keys())?;
    if count == 0 {
        return Err(no_keys());
    }
    if count > args.left() {
        return Err(Fail::Plain(
            "Number of keys can't be greater than number of args",
        ));
    }
    let keys: SmallVec<[&[u8]; 8]> = (0..count).map(|_| args.bulk()).collect::<Result<_, _>>()?;
    let mut limit = usize::MAX;
    while !args.is_done() {
        if args.left() < 2 || !args.keyword("limit") {
            return Err(Fail::Syntax);
        }
        let negative = || Fail::Plain("LIMIT can't be negative");
        let given = args.int().map_err(|_| negative())?;
        limit = match usize::try_from(given).map_err(|_| negative())? {
            0 => usize::MAX,
            given => given,
        };
    }
    let wanted = look_up(cx, keys.into_iter())?;
    let mut shared = 0;
    let sets = sources(cx.data.keys, cx.data.db, &wanted);
    intersect(sets, |_| {
        shared += 1;
        shared < limit
    });
    cx.out.int(shared as i64);
    Ok(())
}

/// Looks all keys up. As in Redis, a wrong type is found behind a key that is not there too.
fn look_up<'a>(cx: &mut Cx<'_>, keys: impl Iterator<Item = &'a [u8]>) -> Result<Wanted<'a>, Fail> {
    keys.map(|key| Ok((key, cx.data.lend::<Set>(key)?.is_some())))
        .collect()
}

/// The sets themselves; an empty one in the place of each that is not there.
fn sources<'a>(
    keys: &'a Keyspace,
    db: usize,
    wanted: &[(&[u8], bool)],
) -> SmallVec<[SetRef<'a>; 8]> {
    let found = |key: &[u8]| keys.db(db).get(key)?.value().as_collection::<Set>();
    let all = wanted.iter().map(|&(key, shown)| {
        let set = if shown { found(key) } else { None };
        set.unwrap_or(SetRef::Ints(&[]))
    });
    all.collect()
}

/// Calls `each` with the members that all sets have, until it returns false.
fn intersect(mut sets: SmallVec<[SetRef<'_>; 8]>, mut each: impl FnMut(&[u8]) -> bool) {
    sets.sort_by_key(|set| set.len());
    let Some((first, others)) = sets.split_first() else {
        return;
    };
    let mut scratch = IntText::default();
    for member in first.iter() {
        let member = member.text(&mut scratch);
        if others.iter().all(|set| set.has(member)) && !each(member) {
            return;
        }
    }
}

fn combine(sets: SmallVec<[SetRef<'_>; 8]>, operation: Operation, shape: &Shape) -> Set {
    let mut result = Set::new();
    let mut scratch = IntText::default();
    match operation {
        Operation::Inter => intersect(sets, |member| {
            result.add(member, shape);
            true
        }),
        Operation::Union => {
            for member in sets.iter().flat_map(|set| set.iter()) {
                result.add(member.text(&mut scratch), shape);
            }
        }
        Operation::Diff => {
            let Some((first, others)) = sets.split_first() else {
                return result;
            };
            for member in first.iter() {
                let member = member.text(&mut scratch);
                if !others.iter().any(|set| set.has(member)) {
                    result.add(member, shape);
                }
            }
        }
    }
    result
}

fn reply(cx: &mut Cx<'_>, mut args: Args<'_>, operation: Operation) -> Result<(), Fail> {
    let wanted = look_up(cx, args.rest())?;
    let shape = cx.data.st.shape;
    let result = combine(
        sources(cx.data.keys, cx.data.db, &wanted),
        operation,
        &shape,
    );
    let result = result.as_ref();
    cx.out.set(result.len());
    for member in result.iter() {
        write_string(&mut cx.out, Some(member));
    }
    Ok(())
}

fn store(
    cx: &mut Cx<'_>,
    mut args: Args<'_>,
    operation: Operation,
    event: &'static str,
) -> Result<(), Fail> {
    let target = args.bulk()?;
    let wanted = look_up(cx, args.rest())?;
    let shape = cx.data.st.shape;
    let result = combine(
        sources(cx.data.keys, cx.data.db, &wanted),
        operation,
        &shape,
    );
    let len = result.as_ref().len();
    if len > 0 {
        cx.data.set_value(target, result.into());
        cx.data.changed(target, Class::SET, event);
    } else if cx.data.exists(target) {
        cx.data.remove(target);
        cx.data.changed(target, Class::GENERIC, "del");
    }
    cx.out.int(len as i64);
    Ok(())
}
