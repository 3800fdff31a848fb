//! Some fields of a hash: drawn by chance, or a walk through all in steps.

use super::FAMILY;
use crate::command::args::Args;
use crate::command::cx::Cx;
use crate::command::fail::Fail;
use crate::command::scan::{self, ScanOptions, Walked};
use crate::command::spec::{Arity, Flags as F, KeyFlags as K, KeySpec, Spec};
use crate::limits::DRAWN_BYTES_MAX;
use crate::resp::{Proto, Reply};
use crate::value::{Hash, HashRef};

const READS: &[KeySpec] = &[KeySpec::at(1, K::RO.and(K::ACCESS))];
const NOT_DETERMINISTIC: &[&str] = &["nondeterministic_output"];

/// The rows of these commands.
pub static COMMANDS: &[Spec] = &[
    Spec {
        tips: NOT_DETERMINISTIC,
        ..FAMILY.row(
            "hrandfield",
            hrandfield,
            Arity::AtLeast(2),
            F::READONLY,
            READS,
            (
                "Returns fields of a hash, drawn by chance.",
                "6.2.0",
                "O(N) in the number of fields returned",
                "key [count [WITHVALUES]]",
            ),
        )
    },
    Spec {
        tips: NOT_DETERMINISTIC,
        ..FAMILY.row(
            "hscan",
            hscan,
            Arity::AtLeast(3),
            F::READONLY,
            READS,
            (
                "Walks through the fields of a hash in steps.",
                "2.8.0",
                "O(N) in COUNT; a whole walk is O(N) in the number of fields",
                "key cursor [MATCH pattern] [COUNT count]",
            ),
        )
    },
];

fn hrandfield(cx: &mut Cx<'_>, mut args: Args<'_>) -> Result<(), Fail> {
    let key = args.bulk()?;
    if !args.is_done() {
        let count = args.int_with_negative()?;
        let with_values = !args.is_done();
        if with_values {
            if args.left() > 1 || !args.keyword("withvalues") {
                return Err(Fail::Syntax);
            }
            if count.unsigned_abs() > COUNT_WITH_VALUES_MAX {
                return Err(Fail::OutOfRange);
            }
        }
        return draw(cx, key, count, with_values);
    }
    let found = cx.data.lend_with_state::<Hash>(key)?;
    match found.and_then(|(hash, st)| hash.random(&mut st.rng)) {
        Some((field, _)) => cx.out.bulk(field),
        None => cx.out.null(),
    }
    Ok(())
}

/// Replies with so many different fields, or with fields drawn so many times if the count is
/// negative.
fn draw(cx: &mut Cx<'_>, key: &[u8], count: i64, with_values: bool) -> Result<(), Fail> {
    let Some((hash, st)) = cx.data.lend_with_state::<Hash>(key)? else {
        cx.out.array(0);
        return Ok(());
    };
    let out = &mut cx.out;
    let nested = with_values && out.proto() == Proto::Resp3;
    let pair = |out: &mut Reply<'_>, field: &[u8], value: &[u8]| {
        if nested {
            out.array(2);
        }
        out.bulk(field);
        if with_values {
            out.bulk(value);
        }
    };
    let flat = if with_values && !nested { 2 } else { 1 };
    let wanted = usize::try_from(count.unsigned_abs()).unwrap_or(usize::MAX);
    if count < 0 {
        check_draws(hash, wanted)?;
        out.array(wanted * flat);
        hash.draw(wanted, &mut st.rng, |field, value| pair(out, field, value));
    } else {
        let wanted = wanted.min(hash.len());
        out.array(wanted * flat);
        hash.sample(wanted, &mut st.rng, |field, value| pair(out, field, value));
    }
    Ok(())
}

/// Redis draws until its memory is used up.
fn check_draws(hash: HashRef<'_>, count: usize) -> Result<(), Fail> {
    let each = hash.memory() / hash.len();
    if each.saturating_mul(count) > DRAWN_BYTES_MAX {
        return Err(Fail::OutOfRange);
    }
    Ok(())
}

fn hscan(cx: &mut Cx<'_>, mut args: Args<'_>) -> Result<(), Fail> {
    let key = args.bulk()?;
    let cursor = scan::cursor(args.bulk()?)?;
    // Redis reads the options only if there is a hash.
    let Some(hash) = cx.data.lend::<Hash>(key)? else {
        scan::nothing(&mut cx.out);
        return Ok(());
    };
    let options = ScanOptions::parse(args, Walked::Pairs("novalues"))?;
    let mut found = Vec::new();
    let next = hash.scan(cursor, options.count, |field, value| {
        if options.selects(field) {
            found.push((field, value));
        }
    });
    let each = if options.names_only { 1 } else { 2 };
    scan::found(&mut cx.out, next, each * found.len());
    for (field, value) in found {
        cx.out.bulk(field);
        if !options.names_only {
            cx.out.bulk(value);
        }
    }
    Ok(())
}

/// Of pairs, half as many are counted, as Redis has it.
const COUNT_WITH_VALUES_MAX: u64 = i64::MAX as u64 / 2;
