//! Unions, intersections and differences of sets.

use smallvec::SmallVec;

use super::{FAMILY, NO_ORDER};
use crate::command::args::Args;
use crate::command::cx::{Cx, write_string};
use crate::command::fail::Fail;
use crate::command::spec::{Arity, Flags as F, Handler, KeyFlags as K, KeySpec, Spec};
use crate::config::NotifyFlags as Class;
use crate::keyspace::Keyspace;
use crate::limits::SETS_COMPARED_MAX;
use crate::value::{IntText, Set, SetRef, Shape, StrRef};

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
    FAMILY.row(
        "sintercard",
        sintercard,
        Arity::AtLeast(3),
        F::READONLY.and(F::MOVABLE_KEYS),
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
        ..FAMILY.row(name, run, Arity::AtLeast(2), F::READONLY, READS, docs)
    }
}

const fn storing(
    name: &'static str,
    run: Handler,
    summary: &'static str,
    complexity: &'static str,
) -> Spec {
    let docs = (summary, "1.0.0", complexity, "destination key [key ...]");
    FAMILY.row(name, run, Arity::AtLeast(3), STORE, STORES, docs)
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

/// The sets under them.
type Sources<'a> = SmallVec<[SetRef<'a>; 8]>;

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
    let mut found = 0;
    let sets = sources(cx.data.keys, cx.data.db, &wanted);
    intersect(sets, |_| {
        found += 1;
        found < limit
    });
    cx.out.int(found as i64);
    Ok(())
}

/// Looks all keys up. As in Redis, a wrong type is found behind a key that is not there too.
fn look_up<'a>(cx: &mut Cx<'_>, keys: impl Iterator<Item = &'a [u8]>) -> Result<Wanted<'a>, Fail> {
    keys.map(|key| Ok((key, cx.data.lend::<Set>(key)?.is_some())))
        .collect()
}

/// The sets themselves; an empty one in the place of each that is not there.
fn sources<'a>(keys: &'a Keyspace, db: usize, wanted: &[(&[u8], bool)]) -> Sources<'a> {
    let found = |key: &[u8]| keys.db(db).get(key)?.value().as_collection::<Set>();
    let all = wanted.iter().map(|&(key, shown)| {
        let set = if shown { found(key) } else { None };
        set.unwrap_or(SetRef::Ints(&[]))
    });
    all.collect()
}

/// Visits the members that any set has, each once.
fn unite(sets: &[SetRef<'_>], shape: &Shape, mut visit: impl FnMut(StrRef<'_>)) {
    if sets.len() > SETS_COMPARED_MAX {
        return united(sets, shape).as_ref().iter().for_each(visit);
    }
    for (at, set) in sets.iter().enumerate() {
        for member in set.iter() {
            if !sets[..at].iter().any(|before| before.holds(member)) {
                visit(member);
            }
        }
    }
}

/// The union as a set of its own.
fn united(sets: &[SetRef<'_>], shape: &Shape) -> Set {
    let mut result = Set::new();
    for member in sets.iter().flat_map(|set| set.iter()) {
        result.take(member, shape);
    }
    result
}

/// Visits the members that all sets have, until `visit` returns false.
fn intersect(mut sets: Sources<'_>, mut visit: impl FnMut(StrRef<'_>) -> bool) {
    sets.sort_by_key(|set| set.len());
    let Some((first, others)) = sets.split_first() else {
        return;
    };
    for member in first.iter() {
        if others.iter().all(|set| set.holds(member)) && !visit(member) {
            return;
        }
    }
}

/// The intersection as a set of its own, in the form that Redis gives it.
fn shared(sets: Sources<'_>, shape: &Shape) -> Set {
    let smallest = sets.iter().min_by_key(|set| set.len());
    let mut result = smallest.map_or_else(Set::new, |&set| Set::for_members_of(set));
    intersect(sets, |member| result.take(member, shape));
    result.settle(shape);
    result
}

/// Visits the members of the first set that no other has.
fn subtract(mut sets: Sources<'_>, mut visit: impl FnMut(StrRef<'_>)) {
    let Some((first, others)) = sets.split_first_mut() else {
        return;
    };
    // The largest is the likeliest to have a member.
    others.sort_by_key(|set| core::cmp::Reverse(set.len()));
    for member in first.iter() {
        if !others.iter().any(|set| set.holds(member)) {
            visit(member);
        }
    }
}

/// The difference as a set of its own.
fn remaining(sets: Sources<'_>, shape: &Shape) -> Set {
    let mut result = Set::new();
    if !is_removed(&sets) {
        subtract(sets, |member| {
            result.take(member, shape);
        });
        return result;
    }
    let Some((first, others)) = sets.split_first() else {
        return result;
    };
    for member in first.iter() {
        result.take(member, shape);
    }
    let mut scratch = IntText::default();
    for member in others.iter().flat_map(|set| set.iter()) {
        if result.as_ref().is_empty() {
            break;
        }
        result.remove(member.text(&mut scratch));
    }
    result
}

/// Whether a difference is made by removal from a copy of the first set: where that takes less
/// than looking for each of its members in all others, by the measure of Redis. The form of what
/// is stored depends on it.
fn is_removed(sets: &[SetRef<'_>]) -> bool {
    let Some(first) = sets.first() else {
        return false;
    };
    let there = sets.iter().filter(|set| !set.is_empty()).count();
    let removals: usize = sets.iter().map(|set| set.len()).sum();
    first.len().saturating_mul(there) / 2 > removals
}

fn combined(sets: Sources<'_>, operation: Operation, shape: &Shape) -> Set {
    match operation {
        Operation::Union => united(&sets, shape),
        Operation::Inter => shared(sets, shape),
        Operation::Diff => remaining(sets, shape),
    }
}

fn reply(cx: &mut Cx<'_>, mut args: Args<'_>, operation: Operation) -> Result<(), Fail> {
    let wanted = look_up(cx, args.rest())?;
    let shape = cx.data.st.shape;
    let sets = sources(cx.data.keys, cx.data.db, &wanted);
    let later = cx.out.set_later();
    let mut len = 0;
    let mut show = |member: StrRef<'_>| {
        write_string(&mut cx.out, Some(member));
        len += 1;
    };
    match operation {
        Operation::Union => unite(&sets, &shape, show),
        Operation::Inter => intersect(sets, |member| {
            show(member);
            true
        }),
        Operation::Diff if is_removed(&sets) => {
            remaining(sets, &shape).as_ref().iter().for_each(show);
        }
        Operation::Diff => subtract(sets, show),
    }
    cx.out.set_len(later, len);
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
    let sets = sources(cx.data.keys, cx.data.db, &wanted);
    let result = combined(sets, operation, &shape);
    let len = result.as_ref().len();
    cx.data.store(target, result, 1, Class::SET, event);
    cx.out.int(len as i64);
    Ok(())
}
