//! Elements in the midst of a list.

use super::FAMILY;
use crate::command::args::Args;
use crate::command::cx::Cx;
use crate::command::fail::Fail;
use crate::command::range;
use crate::command::spec::{Arity, Flags as F, KeyFlags as K, KeySpec, Spec};
use crate::config::NotifyFlags as Class;
use crate::value::List;

const READS: &[KeySpec] = &[KeySpec::at(1, K::RO.and(K::ACCESS))];
const DELETES: &[KeySpec] = &[KeySpec::at(1, K::RW.and(K::DELETE))];

/// The rows of these commands.
pub static COMMANDS: &[Spec] = &[
    FAMILY.row(
        "lindex",
        lindex,
        Arity::Exactly(3),
        F::READONLY,
        READS,
        (
            "Returns the element at an index of a list.",
            "1.0.0",
            "O(N) in the distance to the nearer end",
            "key index",
        ),
    ),
    FAMILY.row(
        "linsert",
        linsert,
        Arity::Exactly(5),
        F::WRITE.and(F::DENYOOM),
        &[KeySpec::at(1, K::RW.and(K::INSERT))],
        (
            "Puts an element before or behind another one of a list.",
            "2.2.0",
            "O(N) in the distance to the other element",
            "key <BEFORE | AFTER> pivot element",
        ),
    ),
    FAMILY.row(
        "lpos",
        lpos,
        Arity::AtLeast(3),
        F::READONLY,
        READS,
        (
            "Returns where in a list an element is found.",
            "6.0.6",
            "O(N) in the number of elements looked at",
            "key element [RANK rank] [COUNT num-matches] [MAXLEN len]",
        ),
    ),
    FAMILY.row(
        "lrem",
        lrem,
        Arity::Exactly(4),
        F::WRITE,
        DELETES,
        (
            "Removes elements that equal a given one from a list.",
            "1.0.0",
            "O(N) in the length of the list",
            "key count element",
        ),
    ),
    FAMILY.row(
        "lset",
        lset,
        Arity::Exactly(4),
        F::WRITE.and(F::DENYOOM),
        &[KeySpec::at(1, K::RW.and(K::UPDATE))],
        (
            "Replaces the element at an index of a list.",
            "1.0.0",
            "O(N) in the distance to the nearer end",
            "key index element",
        ),
    ),
    FAMILY.row(
        "ltrim",
        ltrim,
        Arity::Exactly(4),
        F::WRITE,
        DELETES,
        (
            "Removes all of a list but a range.",
            "1.0.0",
            "O(N) in the number of elements removed",
            "key start stop",
        ),
    ),
];

/// The place that an index means, which counts from the end if it is negative.
fn place(index: i64, len: usize) -> Option<usize> {
    let index = if index < 0 {
        index.checked_add(i64::try_from(len).ok()?)?
    } else {
        index
    };
    usize::try_from(index).ok().filter(|&index| index < len)
}

fn lindex(cx: &mut Cx<'_>, mut args: Args<'_>) -> Result<(), Fail> {
    // Redis reads the index only if there is a list.
    let Some(list) = cx.data.lend::<List>(args.bulk()?)? else {
        cx.out.null();
        return Ok(());
    };
    let element = place(args.int()?, list.len()).and_then(|index| list.get(index));
    match element {
        Some(element) => cx.out.bulk(element),
        None => cx.out.null(),
    }
    Ok(())
}

fn lset(cx: &mut Cx<'_>, mut args: Args<'_>) -> Result<(), Fail> {
    let key = args.bulk()?;
    // Redis reads the index only if there is a list.
    let list = cx.data.peek::<List>(key)?.ok_or(Fail::NoSuchKey)?;
    let index = place(args.int()?, list.len()).ok_or(Fail::IndexOutOfRange)?;
    let element = args.bulk()?;
    cx.data.edit::<List, _>(key, false, |list, shape| {
        // Redis sees whether one more of that size fits, not what it replaces.
        list.will_grow(shape.list, 1, element.len());
        list.set(index, element);
        list.has_shrunk(shape.list);
    })?;
    cx.data.changed(key, Class::LIST, "lset");
    cx.out.ok();
    Ok(())
}

fn linsert(cx: &mut Cx<'_>, mut args: Args<'_>) -> Result<(), Fail> {
    let key = args.bulk()?;
    let behind = if args.keyword("after") {
        1
    } else if args.keyword("before") {
        0
    } else {
        return Err(Fail::Syntax);
    };
    let (pivot, element) = (args.bulk()?, args.bulk()?);
    let inserted = cx.data.edit::<List, _>(key, false, |list, shape| {
        // Redis makes room before it has found the pivot.
        list.will_grow(shape.list, 1, element.len());
        let at = list.as_ref().iter().position(|found| found == pivot)?;
        list.insert(at + behind, element);
        Some(list.as_ref().len())
    })?;
    match inserted {
        None => cx.out.int(0),
        Some(None) => cx.out.int(-1),
        Some(Some(len)) => {
            cx.data.changed(key, Class::LIST, "linsert");
            cx.out.int(len as i64);
        }
    }
    Ok(())
}

fn lrem(cx: &mut Cx<'_>, mut args: Args<'_>) -> Result<(), Fail> {
    let key = args.bulk()?;
    let count = args.int_with_negative()?;
    let element = args.bulk()?;
    let most = match count {
        0 => usize::MAX,
        count => usize::try_from(count.unsigned_abs()).unwrap_or(usize::MAX),
    };
    let removed = cx.data.edit::<List, _>(key, false, |list, shape| {
        let removed = list.remove_equal(element, most, count < 0);
        if removed > 0 {
            list.has_shrunk(shape.list);
        }
        (removed, list.as_ref().len())
    })?;
    let Some((removed @ 1.., left)) = removed else {
        cx.out.int(0);
        return Ok(());
    };
    cx.data.changed_by(removed as u64, key, Class::LIST, "lrem");
    if left == 0 {
        cx.data.notify(Class::GENERIC, "del", key);
    }
    cx.out.int(removed as i64);
    Ok(())
}

fn ltrim(cx: &mut Cx<'_>, mut args: Args<'_>) -> Result<(), Fail> {
    let key = args.bulk()?;
    let (start, stop) = (args.int()?, args.int()?);
    let Some(len) = cx.data.peek::<List>(key)?.map(|list| list.len()) else {
        cx.out.ok();
        return Ok(());
    };
    let Some(kept) = range::of(start, stop, len) else {
        cx.data.remove(key);
        cx.data.changed_by(len as u64, key, Class::LIST, "ltrim");
        cx.data.notify(Class::GENERIC, "del", key);
        cx.out.ok();
        return Ok(());
    };
    let removed = len - kept.len();
    if removed > 0 {
        cx.data.edit::<List, _>(key, false, |list, shape| {
            list.remove(kept.end, len - kept.end);
            list.remove(0, kept.start);
            list.has_shrunk(shape.list);
        })?;
    }
    // Redis tells of it even where nothing was to be removed.
    cx.data
        .changed_by(removed as u64, key, Class::LIST, "ltrim");
    cx.out.ok();
    Ok(())
}

/// What LPOS looks for besides the element.
struct Search {
    /// Skips this many matches.
    skip: usize,
    from_tail: bool,
    /// How many matches to reply with in an array; one of its own without.
    count: Option<usize>,
    /// How many elements to look at.
    most: usize,
}

impl Search {
    fn parse(mut args: Args<'_>) -> Result<Self, Fail> {
        let (mut rank, mut count, mut most) = (1, None, 0);
        while !args.is_done() {
            if args.left() < 2 {
                return Err(Fail::Syntax);
            }
            if args.keyword("rank") {
                rank = args.int_with_negative()?;
                if rank == 0 {
                    return Err(Fail::Plain(ZERO_RANK));
                }
            } else if args.keyword("count") {
                count = Some(not_negative(&mut args, "COUNT can't be negative")?);
            } else if args.keyword("maxlen") {
                most = not_negative(&mut args, "MAXLEN can't be negative")?;
            } else {
                return Err(Fail::Syntax);
            }
        }
        let unlimited = |number| if number == 0 { usize::MAX } else { number };
        Ok(Self {
            skip: usize::try_from(rank.unsigned_abs() - 1).unwrap_or(usize::MAX),
            from_tail: rank < 0,
            count: count.map(unlimited),
            most: unlimited(most),
        })
    }
}

fn not_negative(args: &mut Args<'_>, otherwise: &'static str) -> Result<usize, Fail> {
    let number = args
        .int()
        .ok()
        .and_then(|number| usize::try_from(number).ok());
    number.ok_or(Fail::Plain(otherwise))
}

fn lpos(cx: &mut Cx<'_>, mut args: Args<'_>) -> Result<(), Fail> {
    let (key, element) = (args.bulk()?, args.bulk()?);
    let search = Search::parse(args)?;
    let Some(list) = cx.data.lend::<List>(key)? else {
        match search.count {
            Some(_) => cx.out.array(0),
            None => cx.out.null(),
        }
        return Ok(());
    };
    let (mut forwards, mut backwards) = (list.iter().enumerate(), list.iter().enumerate().rev());
    let elements: &mut dyn Iterator<Item = (usize, &[u8])> = if search.from_tail {
        &mut backwards
    } else {
        &mut forwards
    };
    let looked_at = elements.take(search.most);
    let matches = looked_at.filter(|(_, found)| *found == element);
    let mut found = matches.map(|(index, _)| index).skip(search.skip);
    match search.count {
        None => match found.next() {
            Some(index) => cx.out.int(index as i64),
            None => cx.out.null(),
        },
        Some(count) => {
            let later = cx.out.array_later();
            let mut len = 0;
            for index in found.take(count) {
                cx.out.int(index as i64);
                len += 1;
            }
            cx.out.set_len(later, len);
        }
    }
    Ok(())
}

const ZERO_RANK: &str = "RANK can't be zero: use 1 to start from the first match, 2 from the \
                         second ... or use negative to start from the end of the list";
