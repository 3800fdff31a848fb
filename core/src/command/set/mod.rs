//! Sets: members, each once.

pub mod combining;
pub mod picking;

use super::args::Args;
use super::cx::{Cx, write_string};
use super::fail::Fail;
use super::spec::{Acl, Arity, Family, Flags as F, Group, KeyFlags as K, KeySpec, Spec};
use crate::config::NotifyFlags as Class;
use crate::value::{Collection as _, Set};

const FAMILY: Family = Family {
    acl: Acl::SET,
    group: Group::Set,
};

const READ: F = F::READONLY.and(F::FAST);
const LOOKS: &[KeySpec] = &[KeySpec::at(1, K::RO)];
const READS: &[KeySpec] = &[KeySpec::at(1, K::RO.and(K::ACCESS))];
const NO_ORDER: &[&str] = &["nondeterministic_output_order"];

/// The rows of the commands that add, remove and look.
pub static COMMANDS: &[Spec] = &[
    FAMILY.row(
        "sadd",
        sadd,
        Arity::AtLeast(3),
        F::WRITE.and(F::DENYOOM).and(F::FAST),
        &[KeySpec::at(1, K::RW.and(K::INSERT))],
        (
            "Adds members to a set.",
            "1.0.0",
            "O(N) in the number of members",
            "key member [member ...]",
        ),
    ),
    FAMILY.row(
        "scard",
        scard,
        Arity::Exactly(2),
        READ,
        LOOKS,
        (
            "Returns how many members a set has.",
            "1.0.0",
            "O(1)",
            "key",
        ),
    ),
    FAMILY.row(
        "sismember",
        sismember,
        Arity::Exactly(3),
        READ,
        LOOKS,
        (
            "Tells whether a set has a member.",
            "1.0.0",
            "O(1)",
            "key member",
        ),
    ),
    Spec {
        tips: NO_ORDER,
        ..FAMILY.row(
            "smembers",
            smembers,
            Arity::Exactly(2),
            F::READONLY,
            READS,
            (
                "Returns all members of a set.",
                "1.0.0",
                "O(N) in the number of members",
                "key",
            ),
        )
    },
    FAMILY.row(
        "smismember",
        smismember,
        Arity::AtLeast(3),
        READ,
        READS,
        (
            "Tells which of some members a set has.",
            "6.2.0",
            "O(N) in the number of members asked for",
            "key member [member ...]",
        ),
    ),
    FAMILY.row(
        "smove",
        smove,
        Arity::Exactly(4),
        F::WRITE.and(F::FAST),
        &[
            KeySpec::at(1, K::RW.and(K::ACCESS).and(K::DELETE)),
            KeySpec::at(2, K::RW.and(K::INSERT)),
        ],
        (
            "Moves a member from one set to another.",
            "1.0.0",
            "O(1)",
            "source destination member",
        ),
    ),
    FAMILY.row(
        "srem",
        srem,
        Arity::AtLeast(3),
        F::WRITE.and(F::FAST),
        &[KeySpec::at(1, K::RW.and(K::DELETE))],
        (
            "Removes members from a set.",
            "1.0.0",
            "O(N) in the number of members",
            "key member [member ...]",
        ),
    ),
];

fn sadd(cx: &mut Cx<'_>, mut args: Args<'_>) -> Result<(), Fail> {
    let key = args.bulk()?;
    let members = args.rest();
    let (count, first) = (members.len(), members.clone().next().unwrap_or_default());
    let added = cx.data.edit::<Set, _>(key, true, |set, shape| {
        set.will_take(first, count, shape);
        members.filter(|member| set.add(member, shape)).count()
    })?;
    let added = added.expect("it is made on demand");
    if added > 0 {
        cx.data.changed_by(added as u64, key, Class::SET, "sadd");
    }
    cx.out.int(added as i64);
    Ok(())
}

fn srem(cx: &mut Cx<'_>, mut args: Args<'_>) -> Result<(), Fail> {
    let key = args.bulk()?;
    let mut members = args.rest();
    let removed = cx.data.edit::<Set, _>(key, false, |set, _| {
        let mut removed = 0;
        // A set that has become empty is gone.
        while !set.is_empty()
            && let Some(member) = members.next()
        {
            removed += usize::from(set.remove(member));
        }
        (removed, set.is_empty())
    })?;
    let Some((removed @ 1.., emptied)) = removed else {
        cx.out.int(0);
        return Ok(());
    };
    cx.data.changed_by(removed as u64, key, Class::SET, "srem");
    if emptied {
        cx.data.notify(Class::GENERIC, "del", key);
    }
    cx.out.int(removed as i64);
    Ok(())
}

fn smove(cx: &mut Cx<'_>, mut args: Args<'_>) -> Result<(), Fail> {
    let (from, to, member) = (args.bulk()?, args.bulk()?, args.bulk()?);
    let Some(has) = cx.data.peek::<Set>(from)?.map(|set| set.has(member)) else {
        cx.out.int(0);
        return Ok(());
    };
    cx.data.peek::<Set>(to)?;
    if from == to || !has {
        cx.out.int(i64::from(has));
        return Ok(());
    }
    let left = cx.data.edit::<Set, _>(from, false, |set, _| {
        set.remove(member);
        set.as_ref().len()
    })?;
    cx.data.changed(from, Class::SET, "srem");
    if left == Some(0) {
        cx.data.notify(Class::GENERIC, "del", from);
    }
    let added = cx.data.edit::<Set, _>(to, true, |set, shape| {
        set.will_take(member, 1, shape);
        set.add(member, shape)
    })?;
    if added == Some(true) {
        cx.data.changed(to, Class::SET, "sadd");
    }
    cx.out.int(1);
    Ok(())
}

fn scard(cx: &mut Cx<'_>, mut args: Args<'_>) -> Result<(), Fail> {
    let set = cx.data.lend::<Set>(args.bulk()?)?;
    cx.out.int(set.map_or(0, |set| set.len() as i64));
    Ok(())
}

fn sismember(cx: &mut Cx<'_>, mut args: Args<'_>) -> Result<(), Fail> {
    let (key, member) = (args.bulk()?, args.bulk()?);
    let set = cx.data.lend::<Set>(key)?;
    cx.out
        .int(i64::from(set.is_some_and(|set| set.has(member))));
    Ok(())
}

fn smismember(cx: &mut Cx<'_>, mut args: Args<'_>) -> Result<(), Fail> {
    let set = cx.data.lend::<Set>(args.bulk()?)?;
    let members = args.rest();
    cx.out.array(members.len());
    for member in members {
        cx.out
            .int(i64::from(set.is_some_and(|set| set.has(member))));
    }
    Ok(())
}

fn smembers(cx: &mut Cx<'_>, mut args: Args<'_>) -> Result<(), Fail> {
    let Some(set) = cx.data.lend::<Set>(args.bulk()?)? else {
        cx.out.set(0);
        return Ok(());
    };
    cx.out.set(set.len());
    set.iter()
        .for_each(|member| write_string(&mut cx.out, Some(member)));
    Ok(())
}
