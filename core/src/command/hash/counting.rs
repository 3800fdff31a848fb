//! Numbers in the fields of a hash.

use super::{FAMILY, SET};
use crate::command::args::Args;
use crate::command::cx::Cx;
use crate::command::fail::Fail;
use crate::command::spec::{Arity, KeyFlags as K, KeySpec, Spec};
use crate::config::NotifyFlags as Class;
use crate::resp;
use crate::value::Hash;
use crate::value::extended::Extended;

const COUNTS: &[KeySpec] = &[KeySpec::at(1, K::RW.and(K::ACCESS).and(K::UPDATE))];

/// The rows of these commands.
pub static COMMANDS: &[Spec] = &[
    FAMILY.row(
        "hincrby",
        hincrby,
        Arity::Exactly(4),
        SET,
        COUNTS,
        (
            "Adds to the integer in a field of a hash.",
            "2.0.0",
            "O(1)",
            "key field increment",
        ),
    ),
    FAMILY.row(
        "hincrbyfloat",
        hincrbyfloat,
        Arity::Exactly(4),
        SET,
        COUNTS,
        (
            "Adds to the number in a field of a hash.",
            "2.6.0",
            "O(1)",
            "key field increment",
        ),
    ),
];

fn hincrby(cx: &mut Cx<'_>, mut args: Args<'_>) -> Result<(), Fail> {
    let (key, field, by) = (args.bulk()?, args.bulk()?, args.int()?);
    let sum = cx.data.edit::<Hash, _>(key, true, |hash, shape| {
        let before = match hash.as_ref().get(field) {
            Some(text) => resp::parse_int(text).ok_or(NOT_INTEGER)?,
            None => 0,
        };
        let sum = before.checked_add(by).ok_or(Fail::Overflow)?;
        let mut digits = itoa::Buffer::new();
        hash.set(field, digits.format(sum).as_bytes(), shape);
        Ok::<_, Fail>(sum)
    })?;
    let sum = sum.expect("it is made on demand")?;
    cx.data.changed(key, Class::HASH, "hincrby");
    cx.out.int(sum);
    Ok(())
}

fn hincrbyfloat(cx: &mut Cx<'_>, mut args: Args<'_>) -> Result<(), Fail> {
    let (key, field) = (args.bulk()?, args.bulk()?);
    let by = Extended::parse(args.bulk()?).ok_or(Fail::NotFloat)?;
    if !by.is_finite() {
        return Err(Fail::Plain("value is NaN or Infinity"));
    }
    let text = cx.data.edit::<Hash, _>(key, true, |hash, shape| {
        let before = match hash.as_ref().get(field) {
            Some(text) => Extended::parse(text).ok_or(NOT_FLOAT)?,
            None => Extended::ZERO,
        };
        let sum = before.plus(by);
        if !sum.is_finite() {
            return Err(Fail::NanOrInfinity);
        }
        let text = sum.text();
        hash.set(field, text.as_bytes(), shape);
        Ok(text)
    })?;
    let text = text.expect("it is made on demand")?;
    cx.data.changed(key, Class::HASH, "hincrbyfloat");
    // The sum of floats depends on the machine that adds: replicas get the result.
    cx.propagate_as(&[b"HSET", key, field, text.as_bytes()]);
    cx.out.bulk(text.as_bytes());
    Ok(())
}

const NOT_INTEGER: Fail = Fail::Plain("hash value is not an integer");
const NOT_FLOAT: Fail = Fail::Plain("hash value is not a float");
