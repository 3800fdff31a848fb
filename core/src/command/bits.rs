//! Bits of strings.

mod field;

use super::args::Args;
use super::cx::Cx;
use super::fail::Fail;
use super::range;
use super::spec::{Acl, Arity, Family, Flags as F, Group, KeyFlags as K, KeySpec, Spec};
use crate::config::NotifyFlags as Class;
use crate::keyspace::Ttl;
use crate::resp;
use crate::value::IntText;
use crate::value::bits::{self, BitOp, Field};
use core::ops::Range;

const FAMILY: Family = Family {
    acl: Acl::BITMAP,
    group: Group::Bitmap,
};

const WRITE: F = F::WRITE.and(F::DENYOOM);
const GETS: &[KeySpec] = &[KeySpec::at(1, K::RO.and(K::ACCESS))];
const CHANGES: K = K::RW.and(K::ACCESS).and(K::UPDATE);

/// The family's rows.
pub static COMMANDS: &[Spec] = &[
    FAMILY.row(
        "bitcount",
        bitcount,
        Arity::AtLeast(2),
        F::READONLY,
        GETS,
        (
            "Counts the bits that are set in a string.",
            "2.6.0",
            "O(N) in the length looked at",
            "key [start end [BYTE | BIT]]",
        ),
    ),
    FAMILY.row(
        "bitfield",
        field::bitfield,
        Arity::AtLeast(2),
        WRITE,
        &[KeySpec::at(1, CHANGES.and(K::VARIABLE_FLAGS))],
        (
            "Reads and changes integers of any width in a string.",
            "3.2.0",
            "O(1) per operation",
            "key [GET encoding offset | [OVERFLOW <WRAP | SAT | FAIL>] <SET encoding offset value | INCRBY encoding offset increment> [GET encoding offset | [OVERFLOW <WRAP | SAT | FAIL>] <SET encoding offset value | INCRBY encoding offset increment> ...]]",
        ),
    ),
    FAMILY.row(
        "bitfield_ro",
        field::bitfield_ro,
        Arity::AtLeast(2),
        F::READONLY.and(F::FAST),
        GETS,
        (
            "Reads integers of any width in a string.",
            "6.0.0",
            "O(1) per operation",
            "key [GET encoding offset [GET encoding offset ...]]",
        ),
    ),
    FAMILY.row(
        "bitop",
        bitop,
        Arity::AtLeast(4),
        WRITE,
        &[
            KeySpec::at(2, K::OW.and(K::UPDATE)),
            KeySpec::range(3, -1, 1, K::RO.and(K::ACCESS)),
        ],
        (
            "Stores what a bitwise operation makes of some strings.",
            "2.6.0",
            "O(N) in the length of the strings",
            "<AND | OR | XOR | NOT> destkey key [key ...]",
        ),
    ),
    FAMILY.row(
        "bitpos",
        bitpos,
        Arity::AtLeast(3),
        F::READONLY,
        GETS,
        (
            "Finds the first bit of a string that is set or not.",
            "2.8.7",
            "O(N) in the length looked at",
            "key bit [start [end [BYTE | BIT]]]",
        ),
    ),
    FAMILY.row(
        "getbit",
        getbit,
        Arity::Exactly(3),
        F::READONLY.and(F::FAST),
        GETS,
        ("Returns a bit of a string.", "2.2.0", "O(1)", "key offset"),
    ),
    FAMILY.row(
        "setbit",
        setbit,
        Arity::Exactly(4),
        WRITE,
        &[KeySpec::at(1, CHANGES)],
        (
            "Sets or clears a bit of a string and returns what it was.",
            "2.2.0",
            "O(1)",
            "key offset value",
        ),
    ),
];

fn setbit(cx: &mut Cx<'_>, mut args: Args<'_>) -> Result<(), Fail> {
    let key = args.bulk()?;
    let at = offset(cx, args.bulk()?, None)?;
    let on = match args.bulk()? {
        b"0" => false,
        b"1" => true,
        _ => return Err(Fail::Plain("bit is not an integer or out of range")),
    };
    let least = bytes_up_to(at);
    let (before, changed) = cx.data.edit_str(key, |text| {
        let grows = text.get().len() < least;
        text.edit(least, |bytes| {
            let before = bits::bit(bytes, at);
            bits::set_bit(bytes, at, on);
            (before, grows || before != on)
        })
    })?;
    if changed {
        cx.data.changed(key, Class::STRING, "setbit");
    }
    cx.out.int(i64::from(before));
    Ok(())
}

fn getbit(cx: &mut Cx<'_>, mut args: Args<'_>) -> Result<(), Fail> {
    let key = args.bulk()?;
    let at = offset(cx, args.bulk()?, None)?;
    let found = cx.data.read_str(key)?;
    let on = found.is_some_and(|text| bits::bit(text.text(&mut IntText::default()), at));
    cx.out.int(i64::from(on));
    Ok(())
}

/// Where a bit is. With a field, `#n` is the n-th of such fields.
fn offset(cx: &Cx<'_>, text: &[u8], field: Option<Field>) -> Result<u64, Fail> {
    const WRONG: Fail = Fail::Plain("bit offset is not an integer or out of range");
    let (number, unit) = match (text, field) {
        ([b'#', number @ ..], Some(field)) => (number, u64::from(field.bits())),
        _ => (text, 1),
    };
    let count = resp::parse_int(number).and_then(|n| u64::try_from(n).ok());
    let at = count.and_then(|count| count.checked_mul(unit));
    let at = at.filter(|&at| i64::try_from(at).is_ok()).ok_or(WRONG)?;
    // What could be done before must be done again, whatever the limit.
    let bounded = cx.data.origin == super::cx::Origin::Client;
    if bounded && at / 8 >= cx.data.st.config.proto_max_bulk_len() {
        return Err(WRONG);
    }
    Ok(at)
}

/// The length of a string whose last byte has this bit.
fn bytes_up_to(at: u64) -> usize {
    usize::try_from(at / 8 + 1).expect("strings are bounded far below")
}

/// A part of a string, in bytes or bits, as the client gave it.
#[derive(Clone, Copy)]
struct Part {
    start: i64,
    end: i64,
    unit: Unit,
}

#[derive(Clone, Copy)]
enum Unit {
    Byte,
    Bit,
}

impl Unit {
    fn parse(args: &mut Args<'_>) -> Result<Self, Fail> {
        if args.keyword("bit") {
            Ok(Self::Bit)
        } else if args.keyword("byte") {
            Ok(Self::Byte)
        } else {
            Err(Fail::Syntax)
        }
    }
}

impl Part {
    /// The bits meant of a string with so many bytes.
    fn bits(
        self,
        bytes: usize,
        rule: fn(i64, i64, usize) -> Option<Range<usize>>,
    ) -> Option<Range<u64>> {
        let (len, width) = match self.unit {
            Unit::Byte => (bytes, 8),
            Unit::Bit => (bytes * 8, 1),
        };
        let range = rule(self.start, self.end, len)?;
        Some(range.start as u64 * width..range.end as u64 * width)
    }
}

fn bitcount(cx: &mut Cx<'_>, mut args: Args<'_>) -> Result<(), Fail> {
    let key = args.bulk()?;
    let part = match args.left() {
        0 => None,
        2 | 3 => {
            let (start, end) = (args.int()?, args.int()?);
            let unit = if args.is_done() {
                Unit::Byte
            } else {
                Unit::parse(&mut args)?
            };
            Some(Part { start, end, unit })
        }
        _ => return Err(Fail::Syntax),
    };
    let mut digits = IntText::default();
    let found = cx.data.read_str(key)?;
    let text = found.map_or(&b""[..], |text| text.text(&mut digits));
    let range = match part {
        None => Some(0..text.len() as u64 * 8),
        Some(part) => part.bits(text.len(), range::of_text),
    };
    let count = range.map_or(0, |range| bits::count(text, range));
    cx.out.int(count.cast_signed());
    Ok(())
}

fn bitpos(cx: &mut Cx<'_>, mut args: Args<'_>) -> Result<(), Fail> {
    let key = args.bulk()?;
    let on = match args.int()? {
        0 => false,
        1 => true,
        _ => return Err(Fail::Plain("The bit argument must be 1 or 0.")),
    };
    let (part, open) = bitpos_part(args)?;
    let mut digits = IntText::default();
    let Some(found) = cx.data.read_str(key)? else {
        // A missing key is an endless row of zeros.
        cx.out.int(if on { NOT_FOUND } else { 0 });
        return Ok(());
    };
    let text = found.text(&mut digits);
    let Some(range) = part.bits(text.len(), range::clamped) else {
        cx.out.int(NOT_FOUND);
        return Ok(());
    };
    let end = range.end;
    let at = match bits::find(text, on, range) {
        Some(at) => at.cast_signed(),
        // Without an end that was given, zeros follow the string.
        None if open && !on => end.cast_signed(),
        None => NOT_FOUND,
    };
    cx.out.int(at);
    Ok(())
}

/// Where BITPOS looks, and whether it goes on behind the string.
fn bitpos_part(mut args: Args<'_>) -> Result<(Part, bool), Fail> {
    let given = args.left();
    if given > 3 {
        return Err(Fail::Syntax);
    }
    let mut part = Part {
        start: 0,
        end: -1,
        unit: Unit::Byte,
    };
    if given > 0 {
        part.start = args.int()?;
    }
    if given > 1 {
        let mut behind = args;
        behind.bulk()?;
        // Redis looks at the unit before the end.
        if given > 2 {
            part.unit = Unit::parse(&mut behind)?;
        }
        part.end = args.int()?;
    }
    Ok((part, given < 2))
}

fn bitop(cx: &mut Cx<'_>, mut args: Args<'_>) -> Result<(), Fail> {
    let op = if args.keyword("and") {
        Some(BitOp::And)
    } else if args.keyword("or") {
        Some(BitOp::Or)
    } else if args.keyword("xor") {
        Some(BitOp::Xor)
    } else if args.keyword("not") {
        None
    } else {
        return Err(Fail::Syntax);
    };
    let destination = args.bulk()?;
    if op.is_none() && args.left() != 1 {
        return Err(Fail::Plain(
            "BITOP NOT must be called with a single source key.",
        ));
    }
    let mut result = source(cx, args.bulk()?, |text| text.to_vec())?;
    match op {
        Some(op) => {
            for key in args.rest() {
                source(cx, key, |text| op.fold(&mut result, text))?;
            }
        }
        None => bits::invert(&mut result),
    }
    if !result.is_empty() {
        let mut db = cx.data.keys.db_mut(cx.data.db);
        db.set_raw(destination, &result, Ttl::Clear);
        cx.data.changed(destination, Class::STRING, "set");
    } else if cx.data.remove(destination) {
        cx.data.changed(destination, Class::GENERIC, "del");
    }
    cx.out.int(result.len() as i64);
    Ok(())
}

/// Does something with a string, empty if there is none.
fn source<R>(cx: &mut Cx<'_>, key: &[u8], with: impl FnOnce(&[u8]) -> R) -> Result<R, Fail> {
    let mut digits = IntText::default();
    let found = cx.data.read_str(key)?;
    Ok(with(found.map_or(&b""[..], |text| text.text(&mut digits))))
}

/// The answer of BITPOS where there is no such bit.
const NOT_FOUND: i64 = -1;
