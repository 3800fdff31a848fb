//! Estimates of how many different elements were added.

use super::args::Args;
use super::cx::Cx;
use super::fail::{Fail, shown};
use super::spec::{Acl, Arity, Family, Flags as F, Group, KeyFlags as K, KeySpec, Spec};
use crate::config::NotifyFlags as Class;
use crate::value::IntText;
use crate::value::hyperloglog::{
    self, Encoding, Hll, HllFault, HllRef, Opcode, REGISTERS, Registers,
};

const FAMILY: Family = Family {
    acl: Acl::HYPERLOGLOG,
    group: Group::HyperLogLog,
};

const WRITE: F = F::WRITE.and(F::DENYOOM);

/// The family's rows.
pub static COMMANDS: &[Spec] = &[
    FAMILY.row(
        "pfadd",
        pfadd,
        Arity::AtLeast(2),
        WRITE.and(F::FAST),
        &[KeySpec::at(1, K::RW.and(K::INSERT))],
        (
            "Adds elements to a HyperLogLog.",
            "2.8.9",
            "O(1) per element",
            "key [element [element ...]]",
        ),
    ),
    FAMILY.row(
        "pfcount",
        pfcount,
        Arity::AtLeast(2),
        F::READONLY,
        // It stores the estimate.
        &[KeySpec::range(1, -1, 1, K::RW.and(K::ACCESS))],
        (
            "Estimates how many different elements some HyperLogLogs have together.",
            "2.8.9",
            "O(1) for one key whose estimate is stored, O(N) in the number of keys otherwise",
            "key [key ...]",
        ),
    ),
    FAMILY.row(
        "pfdebug",
        pfdebug,
        Arity::Exactly(3),
        WRITE.and(F::ADMIN),
        &[KeySpec::at(2, K::RW.and(K::ACCESS))],
        (
            "Shows the inside of a HyperLogLog.",
            "2.8.9",
            "O(1): the number of registers is fixed",
            "<GETREG | DECODE | ENCODING | TODENSE> key",
        ),
    ),
    FAMILY.row(
        "pfmerge",
        pfmerge,
        Arity::AtLeast(2),
        WRITE,
        &[
            KeySpec::at(1, K::RW.and(K::ACCESS).and(K::INSERT)),
            KeySpec::range(2, -1, 1, K::RO.and(K::ACCESS)),
        ],
        (
            "Adds the elements of some HyperLogLogs to another.",
            "2.8.9",
            "O(N) in the number of keys",
            "destkey [sourcekey [sourcekey ...]]",
        ),
    ),
    FAMILY.row(
        "pfselftest",
        pfselftest,
        Arity::Exactly(1),
        F::ADMIN,
        &[],
        (
            "Checks the HyperLogLogs of this server.",
            "2.8.9",
            "O(1), but it takes a while",
            "",
        ),
    ),
];

impl From<HllFault> for Fail {
    fn from(fault: HllFault) -> Self {
        Self::Coded(match fault {
            HllFault::Foreign => "WRONGTYPE Key is not a valid HyperLogLog string value.",
            HllFault::Corrupt => "INVALIDOBJ Corrupted HLL object detected",
        })
    }
}

fn pfadd(cx: &mut Cx<'_>, mut args: Args<'_>) -> Result<(), Fail> {
    let key = args.bulk()?;
    let elements = args.rest();
    let changes = match copy_of(cx, key)? {
        Found::Dense => cx.data.edit_str(key, |text| {
            text.edit(0, |bytes| {
                let added = elements.filter(|element| hyperloglog::add_dense(bytes, element));
                let changes = added.count();
                if changes > 0 {
                    hyperloglog::invalidate(bytes);
                }
                changes
            })
        })?,
        Found::Sparse(mut hll) => {
            let changes = add(cx, &mut hll, elements)?;
            if changes > 0 {
                store(cx, key, &mut hll)?;
            }
            changes
        }
        Found::Missing => {
            let mut hll = Hll::new();
            let changes = add(cx, &mut hll, elements)? + 1;
            store(cx, key, &mut hll)?;
            changes
        }
    };
    if changes > 0 {
        let count = changes as u64;
        cx.data.changed_by(count, key, Class::STRING, "pfadd");
    }
    cx.out.int(i64::from(changes > 0));
    Ok(())
}

/// What a key holds that is to be changed.
enum Found {
    Missing,
    /// Long, and changed where it lies.
    Dense,
    /// Short, and found to be damaged only as it is changed.
    Sparse(Hll),
}

fn copy_of(cx: &mut Cx<'_>, key: &[u8]) -> Result<Found, Fail> {
    let Some(entry) = cx.data.read_untouched(key) else {
        return Ok(Found::Missing);
    };
    let mut digits = IntText::default();
    let text = entry.value().as_str().ok_or(Fail::WrongType)?;
    let hll = HllRef::new(text.text(&mut digits))?;
    Ok(match hll.encoding() {
        Encoding::Dense => Found::Dense,
        Encoding::Sparse => Found::Sparse(hll.into()),
    })
}

/// Adds elements; how many of them changed it.
fn add<'a>(
    cx: &Cx<'_>,
    hll: &mut Hll,
    elements: impl Iterator<Item = &'a [u8]>,
) -> Result<usize, Fail> {
    let most = cx.data.st.config.hll_sparse_max_bytes();
    let mut changes = 0;
    for element in elements {
        changes += usize::from(hll.add(element, most)?);
    }
    Ok(changes)
}

/// Stores one that was changed.
fn store(cx: &mut Cx<'_>, key: &[u8], hll: &mut Hll) -> Result<(), Fail> {
    hll.invalidate();
    cx.data.edit_str(key, |text| text.set_raw(hll.text()))
}

fn pfcount(cx: &mut Cx<'_>, mut args: Args<'_>) -> Result<(), Fail> {
    let count = if args.left() == 1 {
        count_one(cx, args.bulk()?)?
    } else {
        let mut union = Registers::new();
        for key in args.rest() {
            read(cx, key, |hll| union.merge(hll))?;
        }
        union.count()
    };
    cx.out.int(count.cast_signed());
    Ok(())
}

fn count_one(cx: &mut Cx<'_>, key: &[u8]) -> Result<u64, Fail> {
    let found = read(cx, key, |hll| match hll.cached() {
        Some(count) => Ok((count, true)),
        None => Ok((hll.count()?, false)),
    })?;
    let Some((count, cached)) = found else {
        return Ok(0);
    };
    if !cached {
        let store = |bytes: &mut [u8]| hyperloglog::store_count(bytes, count);
        cx.data.edit_str(key, |text| text.edit(0, store))?;
        // It is a change of the string, which GET shows: replicas have to follow.
        cx.data.changed_quietly(1, key);
    }
    Ok(count)
}

/// Does something with the HyperLogLog of a key, if there is one.
fn read<R>(
    cx: &mut Cx<'_>,
    key: &[u8],
    with: impl FnOnce(HllRef<'_>) -> Result<R, HllFault>,
) -> Result<Option<R>, Fail> {
    let Some(text) = cx.data.read_str(key)? else {
        return Ok(None);
    };
    let mut digits = IntText::default();
    let hll = HllRef::new(text.text(&mut digits))?;
    Ok(Some(with(hll)?))
}

fn pfmerge(cx: &mut Cx<'_>, mut args: Args<'_>) -> Result<(), Fail> {
    let mut keys = args.rest();
    let destination = keys.next().ok_or(Fail::Syntax)?;
    let mut union = Registers::new();
    let own = read(cx, destination, |hll| {
        union.merge(hll)?;
        Ok(Hll::from(hll))
    })?;
    let mut own = own.unwrap_or_default();
    let mut dense = false;
    for key in keys {
        let encoding = read(cx, key, |hll| {
            union.merge(hll)?;
            Ok(hll.encoding())
        })?;
        dense |= encoding == Some(Encoding::Dense);
    }
    if dense {
        own.make_dense()?;
    }
    own.raise_to(&union, cx.data.st.config.hll_sparse_max_bytes())?;
    store(cx, destination, &mut own)?;
    // To subscribers it is as if the elements had been added one by one.
    cx.data.changed(destination, Class::STRING, "pfadd");
    cx.out.ok();
    Ok(())
}

fn pfdebug(cx: &mut Cx<'_>, mut args: Args<'_>) -> Result<(), Fail> {
    let mut word = args;
    args.bulk()?;
    let key = args.bulk()?;
    let own = read(cx, key, |hll| Ok(Hll::from(hll)))?;
    let own = own.ok_or(Fail::Plain("The specified key does not exist"))?;
    if word.keyword("getreg") {
        show_registers(cx, key, own)
    } else if word.keyword("decode") {
        decode(cx, &own)
    } else if word.keyword("encoding") {
        cx.out.simple(match own.as_ref().encoding() {
            Encoding::Dense => "dense",
            Encoding::Sparse => "sparse",
        });
        Ok(())
    } else if word.keyword("todense") {
        let (_, changed) = to_dense(cx, key, own)?;
        cx.out.int(i64::from(changed));
        Ok(())
    } else {
        let text = [b"Unknown PFDEBUG subcommand '", shown(word.bulk()?), b"'"];
        Err(Fail::detail(text.concat()))
    }
}

/// Makes what a key holds dense; whether it was not.
fn to_dense(cx: &mut Cx<'_>, key: &[u8], mut own: Hll) -> Result<(Hll, bool), Fail> {
    let changed = own.make_dense()?;
    if changed {
        cx.data.edit_str(key, |text| text.set_raw(own.text()))?;
        cx.data.changed_quietly(1, key);
    }
    Ok((own, changed))
}

fn show_registers(cx: &mut Cx<'_>, key: &[u8], own: Hll) -> Result<(), Fail> {
    let (own, _) = to_dense(cx, key, own)?;
    let mut registers = Registers::new();
    registers.merge(own.as_ref())?;
    cx.out.array(REGISTERS);
    for value in registers.iter() {
        cx.out.int(i64::from(value));
    }
    Ok(())
}

fn decode(cx: &mut Cx<'_>, own: &Hll) -> Result<(), Fail> {
    match own.as_ref().encoding() {
        Encoding::Dense => return Err(Fail::Plain("HLL encoding is not sparse")),
        Encoding::Sparse => {}
    }
    let opcodes = own.as_ref().opcodes().map(|opcode| match opcode {
        Opcode::Zero(run) => format!("z:{run}"),
        Opcode::LongZero(run) => format!("Z:{run}"),
        Opcode::Value(value, run) => format!("v:{value},{run}"),
    });
    let opcodes: Vec<String> = opcodes.collect();
    cx.out.bulk(opcodes.join(" ").as_bytes());
    Ok(())
}

fn pfselftest(cx: &mut Cx<'_>, _: Args<'_>) -> Result<(), Fail> {
    hyperloglog::self_test().map_err(|fault| Fail::whole(fault.to_string()))?;
    cx.out.ok();
    Ok(())
}
