//! Elements from one rank, score or member to another.

use super::{FAMILY, store, write_elements};
use crate::command::args::Args;
use crate::command::cx::Cx;
use crate::command::fail::Fail;
use crate::command::range;
use crate::command::spec::{Arity, Flags as F, KeyFlags as K, KeySpec, Spec};
use crate::value::{LexBound, LexRange, ScoreRange, Zset, ZsetRef, parse_score_bound};
use core::ops::Range;

const READS: &[KeySpec] = &[KeySpec::at(1, K::RO.and(K::ACCESS))];
const STORES: &[KeySpec] = &[
    KeySpec::at(1, K::OW.and(K::UPDATE)),
    KeySpec::at(2, K::RO.and(K::ACCESS)),
];
const COUNT: F = F::READONLY.and(F::FAST);
const RETURNED: &str = "O(log(N)+M): the size of the set and the number of members returned";

/// The rows of these commands.
pub static COMMANDS: &[Spec] = &[
    FAMILY.row(
        "zcount",
        zcount,
        Arity::Exactly(4),
        COUNT,
        READS,
        (
            "Returns how many members of a sorted set have scores in a range.",
            "2.0.0",
            "O(log(N)) in the size of the set",
            "key min max",
        ),
    ),
    FAMILY.row(
        "zlexcount",
        zlexcount,
        Arity::Exactly(4),
        COUNT,
        READS,
        (
            "Returns how many members of a sorted set of equal scores lie in a range.",
            "2.8.9",
            "O(log(N)) in the size of the set",
            "key min max",
        ),
    ),
    FAMILY.row(
        "zrange",
        zrange,
        Arity::AtLeast(4),
        F::READONLY,
        READS,
        (
            "Returns the members of a sorted set whose ranks, scores or names lie in a range.",
            "1.2.0",
            RETURNED,
            "key start stop [BYSCORE | BYLEX] [REV] [LIMIT offset count] [WITHSCORES]",
        ),
    ),
    FAMILY.row(
        "zrangebylex",
        zrangebylex,
        Arity::AtLeast(4),
        F::READONLY,
        READS,
        (
            "Returns the members in a range of a sorted set of equal scores.",
            "2.8.9",
            RETURNED,
            "key min max [LIMIT offset count]",
        ),
    ),
    FAMILY.row(
        "zrangebyscore",
        zrangebyscore,
        Arity::AtLeast(4),
        F::READONLY,
        READS,
        (
            "Returns the members of a sorted set whose scores lie in a range.",
            "1.0.5",
            RETURNED,
            "key min max [WITHSCORES] [LIMIT offset count]",
        ),
    ),
    FAMILY.row(
        "zrangestore",
        zrangestore,
        Arity::AtLeast(5),
        F::WRITE.and(F::DENYOOM),
        STORES,
        (
            "Stores what ZRANGE returns.",
            "6.2.0",
            "O(log(N)+M): the size of the set and the number of members stored",
            "dst src min max [BYSCORE | BYLEX] [REV] [LIMIT offset count]",
        ),
    ),
    FAMILY.row(
        "zrevrange",
        zrevrange,
        Arity::AtLeast(4),
        F::READONLY,
        READS,
        (
            "Returns the members in a range of ranks of a sorted set, the highest first.",
            "1.2.0",
            RETURNED,
            "key start stop [WITHSCORES]",
        ),
    ),
    FAMILY.row(
        "zrevrangebylex",
        zrevrangebylex,
        Arity::AtLeast(4),
        F::READONLY,
        READS,
        (
            "Returns the members in a range of a sorted set of equal scores, the last first.",
            "2.8.9",
            RETURNED,
            "key max min [LIMIT offset count]",
        ),
    ),
    FAMILY.row(
        "zrevrangebyscore",
        zrevrangebyscore,
        Arity::AtLeast(4),
        F::READONLY,
        READS,
        (
            "Returns the members of a sorted set whose scores lie in a range, the highest first.",
            "2.2.0",
            RETURNED,
            "key max min [WITHSCORES] [LIMIT offset count]",
        ),
    ),
];

/// What a range is of.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum By {
    Rank,
    Score,
    Member,
}

/// From where to where.
#[derive(Clone, Copy, Debug)]
pub(super) enum Ends<'a> {
    /// Indexes, which count from the end if they are negative.
    Ranks(i64, i64),
    Scores(ScoreRange),
    Members(LexRange<'a>),
}

impl<'a> Ends<'a> {
    pub(super) fn parse(by: By, min: &'a [u8], max: &'a [u8]) -> Result<Self, Fail> {
        match by {
            By::Rank => {
                let read = |text| crate::resp::parse_int(text).ok_or(Fail::NotInteger);
                Ok(Self::Ranks(read(min)?, read(max)?))
            }
            By::Score => {
                let (min, above_min) = score(min)?;
                let (max, below_max) = score(max)?;
                Ok(Self::Scores(ScoreRange {
                    min,
                    above_min,
                    max,
                    below_max,
                }))
            }
            By::Member => Ok(Self::Members(LexRange {
                min: member(min)?,
                max: member(max)?,
            })),
        }
    }

    /// The ranks of the elements inside, counted from the lowest score.
    pub(super) fn ranks(self, zset: ZsetRef<'_>, rev: bool) -> Range<usize> {
        match self {
            Self::Scores(scores) => zset.scores_within(scores),
            Self::Members(members) => zset.members_within(members, rev),
            Self::Ranks(start, stop) => {
                let len = zset.len();
                let ranks = range::of(start, stop, len).unwrap_or(0..0);
                if rev {
                    len - ranks.end..len - ranks.start
                } else {
                    ranks
                }
            }
        }
    }
}

/// A score, and whether it is itself outside the range.
fn score(text: &[u8]) -> Result<(f64, bool), Fail> {
    let (outside, number) = match text {
        [b'(', number @ ..] => (true, number),
        number => (false, number),
    };
    let score = parse_score_bound(number);
    let score = score.ok_or(Fail::Plain("min or max is not a float"))?;
    Ok((score, outside))
}

fn member(text: &[u8]) -> Result<LexBound<'_>, Fail> {
    match text {
        b"-" => Ok(LexBound::Lowest),
        b"+" => Ok(LexBound::Highest),
        [b'[', member @ ..] => Ok(LexBound::Including(member)),
        [b'(', member @ ..] => Ok(LexBound::Excluding(member)),
        _ => Err(Fail::Plain("min or max not valid string range item")),
    }
}

/// What a command of this file looks for.
struct Query<'a> {
    key: &'a [u8],
    ends: Ends<'a>,
    rev: bool,
    offset: i64,
    /// Without a limit if negative.
    limit: i64,
    with_scores: bool,
}

impl<'a> Query<'a> {
    /// Takes all that is left. The command may have settled what the range is of, and in which
    /// direction it runs.
    fn parse(
        mut args: Args<'a>,
        by: Option<By>,
        rev: Option<bool>,
        stores: bool,
    ) -> Result<Self, Fail> {
        let (key, first, second) = (args.bulk()?, args.bulk()?, args.bulk()?);
        let (mut by, mut rev) = (by, rev);
        let (mut offset, mut limit, mut with_scores) = (0, -1, false);
        while !args.is_done() {
            if !stores && args.keyword("withscores") {
                with_scores = true;
            } else if args.left() >= 3 && args.keyword("limit") {
                (offset, limit) = (args.int()?, args.int()?);
            } else if rev.is_none() && args.keyword("rev") {
                rev = Some(true);
            } else if by.is_none() && args.keyword("bylex") {
                by = Some(By::Member);
            } else if by.is_none() && args.keyword("byscore") {
                by = Some(By::Score);
            } else {
                return Err(Fail::Syntax);
            }
        }
        let (by, rev) = (by.unwrap_or(By::Rank), rev.unwrap_or(false));
        if limit != -1 && by == By::Rank {
            return Err(Fail::Plain(LIMIT_OF_RANKS));
        }
        if with_scores && by == By::Member {
            return Err(Fail::Plain(SCORES_OF_MEMBERS));
        }
        let (min, max) = if rev && by != By::Rank {
            (second, first)
        } else {
            (first, second)
        };
        Ok(Self {
            key,
            ends: Ends::parse(by, min, max)?,
            rev,
            offset,
            limit,
            with_scores,
        })
    }

    /// The ranks of the elements looked for.
    fn ranks(&self, zset: ZsetRef<'_>) -> Range<usize> {
        let Range { mut start, mut end } = self.ends.ranks(zset, self.rev);
        if let Ends::Ranks(..) = self.ends {
            return start..end;
        }
        // In Redis a negative offset runs past the last element.
        let skipped = usize::try_from(self.offset).unwrap_or(usize::MAX);
        let most = usize::try_from(self.limit).unwrap_or(usize::MAX);
        let skipped = skipped.min(end - start);
        if self.rev {
            end -= skipped;
            start = start.max(end.saturating_sub(most));
        } else {
            start += skipped;
            end = end.min(start.saturating_add(most));
        }
        start..end
    }

    fn reply(&self, cx: &mut Cx<'_>) -> Result<(), Fail> {
        let Some(zset) = cx.data.lend::<Zset>(self.key)? else {
            cx.out.array(0);
            return Ok(());
        };
        let found = zset.range(self.ranks(zset), self.rev);
        write_elements(&mut cx.out, found, self.with_scores);
        Ok(())
    }
}

const LIMIT_OF_RANKS: &str =
    "syntax error, LIMIT is only supported in combination with either BYSCORE or BYLEX";
const SCORES_OF_MEMBERS: &str = "syntax error, WITHSCORES not supported in combination with BYLEX";

fn zrange(cx: &mut Cx<'_>, args: Args<'_>) -> Result<(), Fail> {
    Query::parse(args, None, None, false)?.reply(cx)
}

fn zrevrange(cx: &mut Cx<'_>, args: Args<'_>) -> Result<(), Fail> {
    Query::parse(args, Some(By::Rank), Some(true), false)?.reply(cx)
}

fn zrangebyscore(cx: &mut Cx<'_>, args: Args<'_>) -> Result<(), Fail> {
    Query::parse(args, Some(By::Score), Some(false), false)?.reply(cx)
}

fn zrevrangebyscore(cx: &mut Cx<'_>, args: Args<'_>) -> Result<(), Fail> {
    Query::parse(args, Some(By::Score), Some(true), false)?.reply(cx)
}

fn zrangebylex(cx: &mut Cx<'_>, args: Args<'_>) -> Result<(), Fail> {
    Query::parse(args, Some(By::Member), Some(false), false)?.reply(cx)
}

fn zrevrangebylex(cx: &mut Cx<'_>, args: Args<'_>) -> Result<(), Fail> {
    Query::parse(args, Some(By::Member), Some(true), false)?.reply(cx)
}

fn zrangestore(cx: &mut Cx<'_>, mut args: Args<'_>) -> Result<(), Fail> {
    let target = args.bulk()?;
    let query = Query::parse(args, None, None, true)?;
    let shape = cx.data.st.shape;
    let mut result = Zset::new();
    if let Some(zset) = cx.data.lend::<Zset>(query.key)? {
        let ranks = query.ranks(zset);
        if let Ends::Ranks(..) = query.ends {
            // Redis knows beforehand how many there are.
            result.will_grow(ranks.len(), 0, &shape);
        }
        // From the lowest on, which is quick to build.
        for (member, score) in zset.range(ranks, false) {
            result.insert(score, member, &shape);
        }
    }
    store(cx, target, result, "zrangestore");
    Ok(())
}

fn zcount(cx: &mut Cx<'_>, args: Args<'_>) -> Result<(), Fail> {
    count(cx, args, By::Score)
}

fn zlexcount(cx: &mut Cx<'_>, args: Args<'_>) -> Result<(), Fail> {
    count(cx, args, By::Member)
}

fn count(cx: &mut Cx<'_>, mut args: Args<'_>, by: By) -> Result<(), Fail> {
    let (key, min, max) = (args.bulk()?, args.bulk()?, args.bulk()?);
    let ends = Ends::parse(by, min, max)?;
    let zset = cx.data.lend::<Zset>(key)?;
    let count = zset.map_or(0, |zset| ends.ranks(zset, false).len());
    cx.out.int(count as i64);
    Ok(())
}
