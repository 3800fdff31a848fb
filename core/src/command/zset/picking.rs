//! Some elements of a sorted set: drawn by chance, or a walk through all in steps.

use super::{FAMILY, write_element, write_len};
use crate::command::args::Args;
use crate::command::cx::Cx;
use crate::command::fail::Fail;
use crate::command::scan::{self, ScanOptions, Walked};
use crate::command::spec::{Arity, Flags as F, KeyFlags as K, KeySpec, Spec};
use crate::limits::DRAWN_BYTES_MAX;
use crate::value::{Zset, ZsetRef, long_score_text, score_text};

const READS: &[KeySpec] = &[KeySpec::at(1, K::RO.and(K::ACCESS))];
const NOT_DETERMINISTIC: &[&str] = &["nondeterministic_output"];

/// The rows of these commands.
pub static COMMANDS: &[Spec] = &[
    Spec {
        tips: NOT_DETERMINISTIC,
        ..FAMILY.row(
            "zrandmember",
            zrandmember,
            Arity::AtLeast(2),
            F::READONLY,
            READS,
            (
                "Returns members of a sorted set, drawn by chance.",
                "6.2.0",
                "O(N) in the number of members returned",
                "key [count [WITHSCORES]]",
            ),
        )
    },
    Spec {
        tips: NOT_DETERMINISTIC,
        ..FAMILY.row(
            "zscan",
            zscan,
            Arity::AtLeast(3),
            F::READONLY,
            READS,
            (
                "Walks through the members of a sorted set in steps.",
                "2.8.0",
                "O(N) in COUNT; a whole walk is O(N) in the number of members",
                "key cursor [MATCH pattern] [COUNT count]",
            ),
        )
    },
];

fn zrandmember(cx: &mut Cx<'_>, mut args: Args<'_>) -> Result<(), Fail> {
    let key = args.bulk()?;
    if !args.is_done() {
        let count = args.int_with_negative()?;
        let with_scores = !args.is_done();
        if with_scores {
            if args.left() > 1 || !args.keyword("withscores") {
                return Err(Fail::Syntax);
            }
            if count.unsigned_abs() > COUNT_WITH_SCORES_MAX {
                return Err(Fail::OutOfRange);
            }
        }
        return draw(cx, key, count, with_scores);
    }
    let found = cx.data.lend_with_state::<Zset>(key)?;
    match found.and_then(|(zset, st)| zset.random(&mut st.rng)) {
        Some((member, _)) => cx.out.bulk(member),
        None => cx.out.null(),
    }
    Ok(())
}

/// Replies with so many different members, or with members drawn so many times if the count is
/// negative.
fn draw(cx: &mut Cx<'_>, key: &[u8], count: i64, with_scores: bool) -> Result<(), Fail> {
    let Some((zset, st)) = cx.data.lend_with_state::<Zset>(key)? else {
        cx.out.array(0);
        return Ok(());
    };
    let out = &mut cx.out;
    let wanted = usize::try_from(count.unsigned_abs()).unwrap_or(usize::MAX);
    if count < 0 {
        check_draws(zset, wanted)?;
        write_len(out, wanted, with_scores);
        for _ in 0..wanted {
            if let Some((member, score)) = zset.random(&mut st.rng) {
                write_element(out, member, with_scores.then_some(score));
            }
        }
    } else {
        let wanted = wanted.min(zset.len());
        write_len(out, wanted, with_scores);
        zset.sample(wanted, &mut st.rng, |member, score| {
            write_element(out, member, with_scores.then_some(score));
        });
    }
    Ok(())
}

/// Redis draws until its memory is used up.
fn check_draws(zset: ZsetRef<'_>, count: usize) -> Result<(), Fail> {
    let each = zset.memory() / zset.len();
    if each.saturating_mul(count) > DRAWN_BYTES_MAX {
        return Err(Fail::OutOfRange);
    }
    Ok(())
}

fn zscan(cx: &mut Cx<'_>, mut args: Args<'_>) -> Result<(), Fail> {
    let key = args.bulk()?;
    let cursor = scan::cursor(args.bulk()?)?;
    // Redis reads the options only if there is a sorted set.
    let Some(zset) = cx.data.lend::<Zset>(key)? else {
        scan::nothing(&mut cx.out);
        return Ok(());
    };
    let options = ScanOptions::parse(args, Walked::Pairs("noscores"))?;
    let mut found = Vec::new();
    let next = zset.scan(cursor, options.count, |member, score| {
        if options.selects(member) {
            found.push((member, score));
        }
    });
    let small = matches!(zset, ZsetRef::Small(_));
    let each = if options.names_only { 1 } else { 2 };
    scan::found(&mut cx.out, next, each * found.len());
    for (member, score) in found {
        cx.out.bulk(member);
        if options.names_only {
            continue;
        }
        // A text in either protocol, which Redis writes in another way for each form.
        if small {
            cx.out.bulk(score_text(score).as_bytes());
        } else {
            cx.out.bulk(long_score_text(score).as_bytes());
        }
    }
    Ok(())
}

/// Of pairs, half as many are counted, as Redis has it.
const COUNT_WITH_SCORES_MAX: u64 = i64::MAX as u64 / 2;
