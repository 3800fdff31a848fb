//! Sorted sets: adding and removing elements, and looking for them by member.

pub mod combining;
pub mod picking;
pub mod popping;
pub mod ranges;
pub mod removing;

use super::args::Args;
use super::cx::Cx;
use super::fail::Fail;
use super::spec::{Acl, Arity, Family, Flags as F, Group, KeyFlags as K, KeySpec, Spec};
use crate::config::NotifyFlags as Class;
use crate::resp::{Proto, Reply};
use crate::value::{Zset, ZsetChange, parse_score};
use core::ops::Range;
use smallvec::SmallVec;

const FAMILY: Family = Family {
    acl: Acl::SORTEDSET,
    group: Group::SortedSet,
};

const ADD: F = F::WRITE.and(F::DENYOOM).and(F::FAST);
const LOOK: F = F::READONLY.and(F::FAST);
const READS: &[KeySpec] = &[KeySpec::at(1, K::RO.and(K::ACCESS))];

/// The rows of the commands of this file.
pub static COMMANDS: &[Spec] = &[
    FAMILY.row(
        "zadd",
        zadd,
        Arity::AtLeast(4),
        ADD,
        &[KeySpec::at(1, K::RW.and(K::UPDATE))],
        (
            "Adds members with their scores to a sorted set, or changes the scores of members.",
            "1.2.0",
            "O(log(N)) for each member, N being the size of the set",
            "key [NX | XX] [GT | LT] [CH] [INCR] score member [score member ...]",
        ),
    ),
    FAMILY.row(
        "zcard",
        zcard,
        Arity::Exactly(2),
        LOOK,
        &[KeySpec::at(1, K::RO)],
        (
            "Returns how many members a sorted set has.",
            "1.2.0",
            "O(1)",
            "key",
        ),
    ),
    FAMILY.row(
        "zincrby",
        zincrby,
        Arity::Exactly(4),
        ADD,
        &[KeySpec::at(1, K::RW.and(K::ACCESS).and(K::UPDATE))],
        (
            "Adds to the score of a member of a sorted set.",
            "1.2.0",
            "O(log(N)) in the size of the set",
            "key increment member",
        ),
    ),
    FAMILY.row(
        "zmscore",
        zmscore,
        Arity::AtLeast(3),
        LOOK,
        READS,
        (
            "Returns the scores of several members of a sorted set.",
            "6.2.0",
            "O(N) in the number of members",
            "key member [member ...]",
        ),
    ),
    FAMILY.row(
        "zrank",
        zrank,
        Arity::AtLeast(3),
        LOOK,
        READS,
        (
            "Returns how many members of a sorted set come before one.",
            "2.0.0",
            "O(log(N)) in the size of the set",
            "key member [WITHSCORE]",
        ),
    ),
    FAMILY.row(
        "zrem",
        zrem,
        Arity::AtLeast(3),
        F::WRITE.and(F::FAST),
        &[KeySpec::at(1, K::RW.and(K::DELETE))],
        (
            "Removes members from a sorted set.",
            "1.2.0",
            "O(M*log(N)): the number of members and the size of the set",
            "key member [member ...]",
        ),
    ),
    FAMILY.row(
        "zrevrank",
        zrevrank,
        Arity::AtLeast(3),
        LOOK,
        READS,
        (
            "Returns how many members of a sorted set come behind one.",
            "2.0.0",
            "O(log(N)) in the size of the set",
            "key member [WITHSCORE]",
        ),
    ),
    FAMILY.row(
        "zscore",
        zscore,
        Arity::Exactly(3),
        LOOK,
        READS,
        (
            "Returns the score of a member of a sorted set.",
            "1.2.0",
            "O(1)",
            "key member",
        ),
    ),
];

/// The options of ZADD.
#[derive(Clone, Copy, Default)]
pub(super) struct Conditions {
    /// Only members that are not there.
    pub(super) nx: bool,
    /// Only members that are there.
    pub(super) xx: bool,
    /// Only to a higher score.
    gt: bool,
    /// Only to a lower score.
    lt: bool,
    /// Replies with how many have changed, not how many were added.
    pub(super) ch: bool,
    /// Adds to the score, and replies with it.
    incr: bool,
}

impl Conditions {
    /// Takes the words in front of the first score.
    fn parse(args: &mut Args<'_>) -> Self {
        let mut all = Self::default();
        loop {
            let word = if args.keyword("nx") {
                &mut all.nx
            } else if args.keyword("xx") {
                &mut all.xx
            } else if args.keyword("ch") {
                &mut all.ch
            } else if args.keyword("incr") {
                &mut all.incr
            } else if args.keyword("gt") {
                &mut all.gt
            } else if args.keyword("lt") {
                &mut all.lt
            } else {
                return all;
            };
            *word = true;
        }
    }

    fn check(self, elements: usize) -> Result<(), Fail> {
        let text = if self.nx && self.xx {
            "XX and NX options at the same time are not compatible"
        } else if (self.nx && (self.gt || self.lt)) || (self.gt && self.lt) {
            "GT, LT, and/or NX options at the same time are not compatible"
        } else if self.incr && elements > 1 {
            "INCR option supports a single increment-element pair"
        } else {
            return Ok(());
        };
        Err(Fail::Plain(text))
    }

    /// The score that a member gets for the one given, if it gets one.
    fn decide(self, given: f64, before: Option<f64>) -> Option<f64> {
        let Some(before) = before else {
            return (!self.xx).then_some(given);
        };
        let score = if self.incr { before + given } else { given };
        let kept = self.nx || (self.lt && score >= before) || (self.gt && score <= before);
        (!kept).then_some(score)
    }
}

/// What ZADD came to.
#[derive(Default)]
struct Outcome {
    added: usize,
    updated: usize,
    /// The score that the last member has got.
    score: Option<f64>,
    /// A sum was no number; nothing was changed.
    nan: bool,
}

fn zadd(cx: &mut Cx<'_>, mut args: Args<'_>) -> Result<(), Fail> {
    let key = args.bulk()?;
    let conditions = Conditions::parse(&mut args);
    if args.is_done() || !args.left().is_multiple_of(2) {
        return Err(Fail::Syntax);
    }
    conditions.check(args.left() / 2)?;
    add(cx, key, conditions, args)
}

fn zincrby(cx: &mut Cx<'_>, mut args: Args<'_>) -> Result<(), Fail> {
    let key = args.bulk()?;
    let conditions = Conditions {
        incr: true,
        ..Conditions::default()
    };
    add(cx, key, conditions, args)
}

fn add(cx: &mut Cx<'_>, key: &[u8], how: Conditions, mut args: Args<'_>) -> Result<(), Fail> {
    let mut pairs: SmallVec<[(f64, &[u8]); 8]> = SmallVec::new();
    while !args.is_done() {
        let score = parse_score(args.bulk()?).ok_or(Fail::NotFloat)?;
        pairs.push((score, args.bulk()?));
    }
    put(cx, key, how, &pairs)?;
    Ok(())
}

/// Adds members with their scores and replies; how many have changed.
pub(super) fn put(
    cx: &mut Cx<'_>,
    key: &[u8],
    how: Conditions,
    pairs: &[(f64, &[u8])],
) -> Result<usize, Fail> {
    let longest = pairs.iter().map(|(_, member)| member.len()).max();
    let outcome = cx.data.edit::<Zset, _>(key, !how.xx, |zset, shape| {
        let mut outcome = Outcome::default();
        zset.will_grow(pairs.len(), longest.unwrap_or(0), shape);
        for &(given, member) in pairs {
            let mut nan = false;
            outcome.score = None;
            let decide = |before| {
                let score = how.decide(given, before)?;
                nan = score.is_nan();
                outcome.score = Some(score);
                (!nan).then_some(score)
            };
            match zset.upsert(member, shape, decide) {
                Some(ZsetChange::Inserted) => outcome.added += 1,
                Some(ZsetChange::Updated) => outcome.updated += 1,
                Some(ZsetChange::Same) | None => {}
            }
            outcome.nan |= nan;
        }
        outcome
    })?;
    let outcome = outcome.unwrap_or_default();
    if outcome.nan {
        return Err(Fail::Plain("resulting score is not a number (NaN)"));
    }
    let changed = outcome.added + outcome.updated;
    if changed > 0 {
        let event = if how.incr { "zincr" } else { "zadd" };
        cx.data.changed_by(changed as u64, key, Class::ZSET, event);
    }
    match (how.incr, outcome.score) {
        (true, Some(score)) => cx.out.double(score),
        (true, None) => cx.out.null(),
        (false, _) if how.ch => cx.out.int(changed as i64),
        (false, _) => cx.out.int(outcome.added as i64),
    }
    Ok(changed)
}

fn zrem(cx: &mut Cx<'_>, mut args: Args<'_>) -> Result<(), Fail> {
    let key = args.bulk()?;
    let members = args.rest();
    let removed = cx.data.edit::<Zset, _>(key, false, |zset, _| {
        let removed = members.filter(|member| zset.remove(member)).count();
        (removed, zset.as_ref().len())
    })?;
    let (removed, left) = removed.unwrap_or((0, 0));
    has_shrunk(cx, key, "zrem", removed, left);
    cx.out.int(removed as i64);
    Ok(())
}

/// Tells of removed elements, and of the key if it went with the last of them.
fn has_shrunk(cx: &mut Cx<'_>, key: &[u8], event: &str, removed: usize, left: usize) {
    if removed > 0 {
        cx.data.changed_by(removed as u64, key, Class::ZSET, event);
        if left == 0 {
            cx.data.notify(Class::GENERIC, "del", key);
        }
    }
}

/// Removes the elements of some ranks, with the key if there are no others, and tells of it.
fn remove_ranks(cx: &mut Cx<'_>, key: &[u8], event: &str, ranks: Range<usize>) -> Result<(), Fail> {
    let len = cx.data.peek::<Zset>(key)?.map_or(0, |zset| zset.len());
    let removed = ranks.len();
    if removed == len {
        // What is large is freed by and by.
        cx.data.remove(key);
    } else if removed > 0 {
        cx.data
            .edit::<Zset, _>(key, false, |zset, _| zset.remove_range(ranks))?;
    }
    has_shrunk(cx, key, event, removed, len - removed);
    Ok(())
}

/// Puts a sorted set in the place of whatever a key holds, or deletes the key if it is empty, and
/// replies with its length.
fn store(cx: &mut Cx<'_>, key: &[u8], zset: Zset, event: &str) {
    cx.out.int(zset.as_ref().len() as i64);
    cx.data.store(key, zset, 1, Class::ZSET, event);
}

/// Replies with elements, and their scores if wanted: behind each, or in pairs in RESP3.
fn write_elements<'a>(
    out: &mut Reply<'_>,
    elements: impl ExactSizeIterator<Item = (&'a [u8], f64)>,
    with_scores: bool,
) {
    write_len(out, elements.len(), with_scores);
    for (member, score) in elements {
        write_element(out, member, with_scores.then_some(score));
    }
}

fn write_len(out: &mut Reply<'_>, elements: usize, with_scores: bool) {
    let flat = with_scores && out.proto() == Proto::Resp2;
    out.array(if flat { 2 * elements } else { elements });
}

fn write_element(out: &mut Reply<'_>, member: &[u8], score: Option<f64>) {
    if score.is_some() && out.proto() == Proto::Resp3 {
        out.array(2);
    }
    out.bulk(member);
    if let Some(score) = score {
        out.double(score);
    }
}

fn zcard(cx: &mut Cx<'_>, mut args: Args<'_>) -> Result<(), Fail> {
    let zset = cx.data.lend::<Zset>(args.bulk()?)?;
    cx.out.int(zset.map_or(0, |zset| zset.len()) as i64);
    Ok(())
}

fn zscore(cx: &mut Cx<'_>, mut args: Args<'_>) -> Result<(), Fail> {
    let zset = cx.data.lend::<Zset>(args.bulk()?)?;
    let member = args.bulk()?;
    match zset.and_then(|zset| zset.score(member)) {
        Some(score) => cx.out.double(score),
        None => cx.out.null(),
    }
    Ok(())
}

fn zmscore(cx: &mut Cx<'_>, mut args: Args<'_>) -> Result<(), Fail> {
    let zset = cx.data.lend::<Zset>(args.bulk()?)?;
    let members = args.rest();
    cx.out.array(members.len());
    for member in members {
        match zset.and_then(|zset| zset.score(member)) {
            Some(score) => cx.out.double(score),
            None => cx.out.null(),
        }
    }
    Ok(())
}

fn zrank(cx: &mut Cx<'_>, args: Args<'_>) -> Result<(), Fail> {
    rank(cx, args, false)
}

fn zrevrank(cx: &mut Cx<'_>, args: Args<'_>) -> Result<(), Fail> {
    rank(cx, args, true)
}

fn rank(cx: &mut Cx<'_>, mut args: Args<'_>, rev: bool) -> Result<(), Fail> {
    if args.left() > 3 {
        return Err(Fail::Arity(if rev { "zrevrank" } else { "zrank" }.into()));
    }
    let (key, member) = (args.bulk()?, args.bulk()?);
    let with_score = args.keyword("withscore");
    args.end()?;
    let zset = cx.data.lend::<Zset>(key)?;
    let found = zset.and_then(|zset| {
        let (rank, score) = zset.rank(member)?;
        Some((if rev { zset.len() - 1 - rank } else { rank }, score))
    });
    match found {
        Some((rank, score)) if with_score => {
            cx.out.array(2);
            cx.out.int(rank as i64);
            cx.out.double(score);
        }
        Some((rank, _)) => cx.out.int(rank as i64),
        None if with_score => cx.out.null_array(),
        None => cx.out.null(),
    }
    Ok(())
}
