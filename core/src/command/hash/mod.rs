//! Hashes: fields with values.

pub mod counting;
pub mod picking;
pub mod reading;

use super::args::Args;
use super::cx::Cx;
use super::fail::Fail;
use super::spec::{Acl, Arity, Family, Flags as F, Group, KeyFlags as K, KeySpec, Spec};
use crate::config::NotifyFlags as Class;
use crate::value::{Collection as _, Hash};

const FAMILY: Family = Family {
    acl: Acl::HASH,
    group: Group::Hash,
};

const SET: F = F::WRITE.and(F::DENYOOM).and(F::FAST);
const UPDATES: &[KeySpec] = &[KeySpec::at(1, K::RW.and(K::UPDATE))];
const INSERTS: &[KeySpec] = &[KeySpec::at(1, K::RW.and(K::INSERT))];

/// The rows of the commands that set and delete fields.
pub static COMMANDS: &[Spec] = &[
    FAMILY.row(
        "hdel",
        hdel,
        Arity::AtLeast(3),
        F::WRITE.and(F::FAST),
        &[KeySpec::at(1, K::RW.and(K::DELETE))],
        (
            "Removes fields from a hash.",
            "2.0.0",
            "O(N) in the number of fields",
            "key field [field ...]",
        ),
    ),
    FAMILY.row(
        "hmset",
        hmset,
        Arity::AtLeast(4),
        SET,
        UPDATES,
        (
            "Gives fields of a hash their values.",
            "2.0.0",
            "O(N) in the number of fields",
            "key field value [field value ...]",
        ),
    ),
    FAMILY.row(
        "hset",
        hset,
        Arity::AtLeast(4),
        SET,
        UPDATES,
        (
            "Gives fields of a hash their values and tells how many are new.",
            "2.0.0",
            "O(N) in the number of fields",
            "key field value [field value ...]",
        ),
    ),
    FAMILY.row(
        "hsetnx",
        hsetnx,
        Arity::Exactly(4),
        SET,
        INSERTS,
        (
            "Gives a field of a hash a value if it has none.",
            "2.0.0",
            "O(1)",
            "key field value",
        ),
    ),
];

fn hset(cx: &mut Cx<'_>, args: Args<'_>) -> Result<(), Fail> {
    let added = set(cx, args, "hset")?;
    cx.out.int(added);
    Ok(())
}

fn hmset(cx: &mut Cx<'_>, args: Args<'_>) -> Result<(), Fail> {
    set(cx, args, "hmset")?;
    cx.out.ok();
    Ok(())
}

/// Sets fields; how many of them are new.
fn set(cx: &mut Cx<'_>, mut args: Args<'_>, command: &str) -> Result<i64, Fail> {
    let key = args.bulk()?;
    let mut texts = args.rest();
    let count = texts.len();
    if count % 2 == 1 {
        return Err(Fail::Arity(command.into()));
    }
    let added = cx.data.edit::<Hash, _>(key, true, |hash, shape| {
        hash.will_take(texts.clone(), shape);
        let mut added = 0;
        while let Some((field, value)) = texts.next().zip(texts.next()) {
            added += i64::from(hash.set(field, value, shape));
        }
        added
    })?;
    let changes = count as u64 / 2;
    cx.data.changed_by(changes, key, Class::HASH, "hset");
    Ok(added.expect("it is made on demand"))
}

fn hsetnx(cx: &mut Cx<'_>, mut args: Args<'_>) -> Result<(), Fail> {
    let key = args.bulk()?;
    let (field, value) = (args.bulk()?, args.bulk()?);
    let added = cx.data.edit::<Hash, _>(key, true, |hash, shape| {
        let is_new = hash.as_ref().get(field).is_none();
        if is_new {
            hash.set(field, value, shape);
        }
        is_new
    })?;
    let added = added.expect("it is made on demand");
    if added {
        cx.data.changed(key, Class::HASH, "hset");
    }
    cx.out.int(i64::from(added));
    Ok(())
}

fn hdel(cx: &mut Cx<'_>, mut args: Args<'_>) -> Result<(), Fail> {
    let key = args.bulk()?;
    let fields = args.rest();
    let removed = cx.data.edit::<Hash, _>(key, false, |hash, _| {
        let removed = fields.filter(|field| hash.remove(field)).count();
        (removed, hash.is_empty())
    })?;
    let Some((removed @ 1.., emptied)) = removed else {
        cx.out.int(0);
        return Ok(());
    };
    cx.data.changed_by(removed as u64, key, Class::HASH, "hdel");
    if emptied {
        cx.data.notify(Class::GENERIC, "del", key);
    }
    cx.out.int(removed as i64);
    Ok(())
}
