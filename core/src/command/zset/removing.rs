//! Elements removed from one rank, score or member to another.

use super::ranges::{By, Ends};
use super::{FAMILY, remove_ranks};
use crate::command::args::Args;
use crate::command::cx::Cx;
use crate::command::fail::Fail;
use crate::command::spec::{Arity, Flags as F, KeyFlags as K, KeySpec, Spec};
use crate::value::Zset;

const DELETES: &[KeySpec] = &[KeySpec::at(1, K::RW.and(K::DELETE))];
const REMOVED: &str = "O(log(N)+M): the size of the set and the number of members removed";

/// The rows of these commands.
pub static COMMANDS: &[Spec] = &[
    FAMILY.row(
        "zremrangebylex",
        zremrangebylex,
        Arity::Exactly(4),
        F::WRITE,
        DELETES,
        (
            "Removes the members in a range from a sorted set of equal scores.",
            "2.8.9",
            REMOVED,
            "key min max",
        ),
    ),
    FAMILY.row(
        "zremrangebyrank",
        zremrangebyrank,
        Arity::Exactly(4),
        F::WRITE,
        DELETES,
        (
            "Removes the members in a range of ranks from a sorted set.",
            "2.0.0",
            REMOVED,
            "key start stop",
        ),
    ),
    FAMILY.row(
        "zremrangebyscore",
        zremrangebyscore,
        Arity::Exactly(4),
        F::WRITE,
        DELETES,
        (
            "Removes the members whose scores lie in a range from a sorted set.",
            "1.2.0",
            REMOVED,
            "key min max",
        ),
    ),
];

fn zremrangebyrank(cx: &mut Cx<'_>, args: Args<'_>) -> Result<(), Fail> {
    remove(cx, args, By::Rank, "zremrangebyrank")
}

fn zremrangebyscore(cx: &mut Cx<'_>, args: Args<'_>) -> Result<(), Fail> {
    remove(cx, args, By::Score, "zremrangebyscore")
}

fn zremrangebylex(cx: &mut Cx<'_>, args: Args<'_>) -> Result<(), Fail> {
    remove(cx, args, By::Member, "zremrangebylex")
}

fn remove(cx: &mut Cx<'_>, mut args: Args<'_>, by: By, event: &str) -> Result<(), Fail> {
    let (key, min, max) = (args.bulk()?, args.bulk()?, args.bulk()?);
    let ends = Ends::parse(by, min, max)?;
    let zset = cx.data.peek::<Zset>(key)?;
    let ranks = zset.map_or(0..0, |zset| ends.ranks(zset, false));
    let removed = ranks.len();
    if removed > 0 {
        remove_ranks(cx, key, event, ranks)?;
    }
    cx.out.int(removed as i64);
    Ok(())
}
