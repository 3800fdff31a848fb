//! Some members of a set: drawn by chance, or a walk through all in steps.

use smallvec::SmallVec;

use super::FAMILY;
use crate::command::args::Args;
use crate::command::cx::{Cx, write_string};
use crate::command::fail::Fail;
use crate::command::scan::{self, ScanOptions, Walked};
use crate::command::spec::{Arity, Flags as F, KeyFlags as K, KeySpec, Spec};
use crate::config::NotifyFlags as Class;
use crate::limits::{DRAWN_BYTES_MAX, SPOP_OPERATION_MEMBERS};
use crate::server::roles::deletion;
use crate::value::{Collection as _, IntText, Set, SetRef, Shape, StrRef};

const READS: &[KeySpec] = &[KeySpec::at(1, K::RO.and(K::ACCESS))];
const NOT_DETERMINISTIC: &[&str] = &["nondeterministic_output"];

/// The rows of these commands.
pub static COMMANDS: &[Spec] = &[
    Spec {
        tips: NOT_DETERMINISTIC,
        ..FAMILY.row(
            "spop",
            spop,
            Arity::AtLeast(2),
            F::WRITE.and(F::FAST),
            &[KeySpec::at(1, K::RW.and(K::ACCESS).and(K::DELETE))],
            (
                "Takes members from a set, drawn by chance.",
                "1.0.0",
                "O(N) in the number of members taken",
                "key [count]",
            ),
        )
    },
    Spec {
        tips: NOT_DETERMINISTIC,
        ..FAMILY.row(
            "srandmember",
            srandmember,
            Arity::AtLeast(2),
            F::READONLY,
            READS,
            (
                "Returns members of a set, drawn by chance.",
                "1.0.0",
                "O(N) in the number of members returned",
                "key [count]",
            ),
        )
    },
    Spec {
        tips: NOT_DETERMINISTIC,
        ..FAMILY.row(
            "sscan",
            sscan,
            Arity::AtLeast(3),
            F::READONLY,
            READS,
            (
                "Walks through the members of a set in steps.",
                "2.8.0",
                "O(N) in COUNT; a whole walk is O(N) in the number of members",
                "key cursor [MATCH pattern] [COUNT count]",
            ),
        )
    },
];

fn spop(cx: &mut Cx<'_>, mut args: Args<'_>) -> Result<(), Fail> {
    let key = args.bulk()?;
    if !args.is_done() {
        if args.left() > 1 {
            return Err(Fail::Syntax);
        }
        // As in Redis, what is no number is no positive one.
        let count = args.int().ok();
        let count = count.and_then(|count| usize::try_from(count).ok());
        return pop_some(cx, key, count.ok_or(Fail::NotPositive)?);
    }
    let found = cx.data.peek_with_state::<Set>(key)?;
    let drawn = found.and_then(|(set, st)| set.random(&mut st.rng));
    let Some(drawn) = drawn.map(copied) else {
        cx.out.null();
        return Ok(());
    };
    let emptied = cx.data.edit::<Set, _>(key, false, |set, _| {
        set.remove(&drawn);
        set.is_empty()
    })?;
    cx.data.changed(key, Class::SET, "spop");
    cx.propagate_as(&[b"SREM", key, &drawn]);
    if emptied == Some(true) {
        cx.data.notify(Class::GENERIC, "del", key);
    }
    cx.out.bulk(&drawn);
    Ok(())
}

/// A member on its own; most are short.
type Taken = SmallVec<[u8; 24]>;

fn copied(member: StrRef<'_>) -> Taken {
    SmallVec::from_slice(member.text(&mut IntText::default()))
}

/// Takes so many members, or all, and tells replicas which.
fn pop_some(cx: &mut Cx<'_>, key: &[u8], count: usize) -> Result<(), Fail> {
    let len = cx.data.peek::<Set>(key)?.map(|set| set.len());
    let Some(len) = len.filter(|_| count > 0) else {
        cx.out.set(0);
        return Ok(());
    };
    if count >= len {
        return pop_all(cx, key, len);
    }
    let mut drawn: Vec<Taken> = Vec::with_capacity(count);
    if let Some((set, st)) = cx.data.peek_with_state::<Set>(key)? {
        set.sample(count, &mut st.rng, |member| drawn.push(copied(member)));
    }
    let rebuilt = count >= (len - count).saturating_mul(REBUILT_SHARE);
    cx.data.edit::<Set, _>(key, false, |set, shape| {
        for member in &drawn {
            set.remove(member);
        }
        if rebuilt {
            rebuild(set, shape);
        }
    })?;
    cx.data.changed_by(count as u64, key, Class::SET, "spop");
    cx.replace();
    for members in drawn.chunks(SPOP_OPERATION_MEMBERS) {
        let words = [b"SREM".as_slice(), key].into_iter();
        let words: SmallVec<[&[u8]; 16]> = words
            .chain(members.iter().map(SmallVec::as_slice))
            .collect();
        cx.push(&words);
    }
    cx.out.set(drawn.len());
    drawn.iter().for_each(|member| cx.out.bulk(member));
    Ok(())
}

fn pop_all(cx: &mut Cx<'_>, key: &[u8], len: usize) -> Result<(), Fail> {
    if let Some(set) = cx.data.peek::<Set>(key)? {
        cx.out.set(set.len());
        set.iter()
            .for_each(|member| write_string(&mut cx.out, Some(member)));
    }
    cx.data.remove(key);
    cx.data.changed_by(len as u64, key, Class::SET, "spop");
    cx.data.notify(Class::GENERIC, "del", key);
    let word = deletion(cx.data.st.config.lazyfree_lazy_server_del());
    cx.propagate_as(&[word, key]);
    Ok(())
}

/// Gives a set the form that its members have if they are added one by one to a small one. Redis
/// makes a set anew when most of it is taken.
fn rebuild(set: &mut Set, shape: &Shape) {
    if let SetRef::Small(_) = set.as_ref() {
        return;
    }
    let mut anew = Set::for_members_of(set.as_ref());
    for member in set.as_ref().iter() {
        anew.take(member, shape);
    }
    *set = anew;
}

fn srandmember(cx: &mut Cx<'_>, mut args: Args<'_>) -> Result<(), Fail> {
    let key = args.bulk()?;
    if !args.is_done() {
        if args.left() > 1 {
            return Err(Fail::Syntax);
        }
        let count = args.int_with_negative()?;
        return show(cx, key, count);
    }
    let found = cx.data.lend_with_state::<Set>(key)?;
    let member = found.and_then(|(set, st)| set.random(&mut st.rng));
    write_string(&mut cx.out, member);
    Ok(())
}

/// Replies with so many different members, or with members drawn so many times if the count is
/// negative.
fn show(cx: &mut Cx<'_>, key: &[u8], count: i64) -> Result<(), Fail> {
    let Some((set, st)) = cx.data.lend_with_state::<Set>(key)? else {
        cx.out.array(0);
        return Ok(());
    };
    let (out, rng) = (&mut cx.out, &mut st.rng);
    let wanted = usize::try_from(count.unsigned_abs()).unwrap_or(usize::MAX);
    if count >= 0 {
        let wanted = wanted.min(set.len());
        out.array(wanted);
        set.sample(wanted, rng, |member| write_string(out, Some(member)));
        return Ok(());
    }
    // Redis draws until its memory is used up.
    if (set.memory() / set.len()).saturating_mul(wanted) > DRAWN_BYTES_MAX {
        return Err(Fail::OutOfRange);
    }
    out.array(wanted);
    set.draw(wanted, rng, |member| write_string(out, Some(member)));
    Ok(())
}

fn sscan(cx: &mut Cx<'_>, mut args: Args<'_>) -> Result<(), Fail> {
    let key = args.bulk()?;
    let cursor = scan::cursor(args.bulk()?)?;
    // Redis reads the options only if there is a set.
    let Some(set) = cx.data.lend::<Set>(key)? else {
        scan::nothing(&mut cx.out);
        return Ok(());
    };
    let options = ScanOptions::parse(args, Walked::Plain)?;
    let mut found = Vec::new();
    let mut scratch = IntText::default();
    let next = set.scan(cursor, options.count, |member| {
        if options.selects(member.text(&mut scratch)) {
            found.push(member);
        }
    });
    scan::found(&mut cx.out, next, found.len());
    for member in found {
        write_string(&mut cx.out, Some(member));
    }
    Ok(())
}

/// Where so many times as much is taken as stays, the set is made anew, as Redis has it.
const REBUILT_SHARE: usize = 5;
