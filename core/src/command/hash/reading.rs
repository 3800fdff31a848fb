//! Looking at hashes.

use super::FAMILY;
use crate::command::args::Args;
use crate::command::cx::Cx;
use crate::command::fail::Fail;
use crate::command::spec::{Arity, Flags as F, KeyFlags as K, KeySpec, Spec};
use crate::value::Hash;

const READ: F = F::READONLY.and(F::FAST);
const READS: &[KeySpec] = &[KeySpec::at(1, K::RO.and(K::ACCESS))];
const LOOKS: &[KeySpec] = &[KeySpec::at(1, K::RO)];
const NO_ORDER: &[&str] = &["nondeterministic_output_order"];

/// The rows of these commands.
pub static COMMANDS: &[Spec] = &[
    FAMILY.row(
        "hexists",
        hexists,
        Arity::Exactly(3),
        READ,
        LOOKS,
        (
            "Tells whether a hash has a field.",
            "2.0.0",
            "O(1)",
            "key field",
        ),
    ),
    FAMILY.row(
        "hget",
        hget,
        Arity::Exactly(3),
        READ,
        READS,
        (
            "Returns the value of a field of a hash.",
            "2.0.0",
            "O(1)",
            "key field",
        ),
    ),
    Spec {
        tips: NO_ORDER,
        ..FAMILY.row(
            "hgetall",
            hgetall,
            Arity::Exactly(2),
            F::READONLY,
            READS,
            (
                "Returns all fields of a hash with their values.",
                "2.0.0",
                "O(N) in the number of fields",
                "key",
            ),
        )
    },
    Spec {
        tips: NO_ORDER,
        ..FAMILY.row(
            "hkeys",
            hkeys,
            Arity::Exactly(2),
            F::READONLY,
            READS,
            (
                "Returns all fields of a hash.",
                "2.0.0",
                "O(N) in the number of fields",
                "key",
            ),
        )
    },
    FAMILY.row(
        "hlen",
        hlen,
        Arity::Exactly(2),
        READ,
        LOOKS,
        (
            "Returns how many fields a hash has.",
            "2.0.0",
            "O(1)",
            "key",
        ),
    ),
    FAMILY.row(
        "hmget",
        hmget,
        Arity::AtLeast(3),
        READ,
        READS,
        (
            "Returns the values of some fields of a hash.",
            "2.0.0",
            "O(N) in the number of fields asked for",
            "key field [field ...]",
        ),
    ),
    FAMILY.row(
        "hstrlen",
        hstrlen,
        Arity::Exactly(3),
        READ,
        LOOKS,
        (
            "Returns how long the value of a field of a hash is.",
            "3.2.0",
            "O(1)",
            "key field",
        ),
    ),
    Spec {
        tips: NO_ORDER,
        ..FAMILY.row(
            "hvals",
            hvals,
            Arity::Exactly(2),
            F::READONLY,
            READS,
            (
                "Returns all values of a hash.",
                "2.0.0",
                "O(N) in the number of fields",
                "key",
            ),
        )
    },
];

fn hget(cx: &mut Cx<'_>, mut args: Args<'_>) -> Result<(), Fail> {
    let (key, field) = (args.bulk()?, args.bulk()?);
    let hash = cx.data.lend::<Hash>(key)?;
    match hash.and_then(|hash| hash.get(field)) {
        Some(value) => cx.out.bulk(value),
        None => cx.out.null(),
    }
    Ok(())
}

fn hmget(cx: &mut Cx<'_>, mut args: Args<'_>) -> Result<(), Fail> {
    let hash = cx.data.lend::<Hash>(args.bulk()?)?;
    let fields = args.rest();
    cx.out.array(fields.len());
    for field in fields {
        match hash.and_then(|hash| hash.get(field)) {
            Some(value) => cx.out.bulk(value),
            None => cx.out.null(),
        }
    }
    Ok(())
}

fn hgetall(cx: &mut Cx<'_>, mut args: Args<'_>) -> Result<(), Fail> {
    let Some(hash) = cx.data.lend::<Hash>(args.bulk()?)? else {
        cx.out.map(0);
        return Ok(());
    };
    cx.out.map(hash.len());
    for (field, value) in hash.iter() {
        cx.out.bulk(field);
        cx.out.bulk(value);
    }
    Ok(())
}

fn hkeys(cx: &mut Cx<'_>, mut args: Args<'_>) -> Result<(), Fail> {
    let Some(hash) = cx.data.lend::<Hash>(args.bulk()?)? else {
        cx.out.array(0);
        return Ok(());
    };
    cx.out.array(hash.len());
    hash.iter().for_each(|(field, _)| cx.out.bulk(field));
    Ok(())
}

fn hvals(cx: &mut Cx<'_>, mut args: Args<'_>) -> Result<(), Fail> {
    let Some(hash) = cx.data.lend::<Hash>(args.bulk()?)? else {
        cx.out.array(0);
        return Ok(());
    };
    cx.out.array(hash.len());
    hash.iter().for_each(|(_, value)| cx.out.bulk(value));
    Ok(())
}

fn hlen(cx: &mut Cx<'_>, mut args: Args<'_>) -> Result<(), Fail> {
    let hash = cx.data.lend::<Hash>(args.bulk()?)?;
    cx.out.int(hash.map_or(0, |hash| hash.len() as i64));
    Ok(())
}

fn hexists(cx: &mut Cx<'_>, mut args: Args<'_>) -> Result<(), Fail> {
    let (key, field) = (args.bulk()?, args.bulk()?);
    let hash = cx.data.lend::<Hash>(key)?;
    let found = hash.and_then(|hash| hash.get(field));
    cx.out.int(i64::from(found.is_some()));
    Ok(())
}

fn hstrlen(cx: &mut Cx<'_>, mut args: Args<'_>) -> Result<(), Fail> {
    let (key, field) = (args.bulk()?, args.bulk()?);
    let hash = cx.data.lend::<Hash>(key)?;
    let value = hash.and_then(|hash| hash.get(field));
    cx.out.int(value.map_or(0, |value| value.len() as i64));
    Ok(())
}
