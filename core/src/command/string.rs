//! Strings.

mod lcs;

use super::args::Args;
use super::cx::{Cx, write_string};
use super::expiry::{self, Given, GivenText};
use super::fail::Fail;
use super::spec::{Acl, Arity, Family, Flags as F, Group, KeyFlags as K, KeySpec, Spec};
use crate::config::NotifyFlags as Class;
use crate::keyspace::Ttl;
use crate::resp::ArgvRef;
use crate::value::IntText;
use crate::value::extended::Extended;

const FAMILY: Family = Family {
    acl: Acl::STRING,
    group: Group::String,
};

const WRITE: F = F::WRITE.and(F::DENYOOM).and(F::FAST);
const READ: F = F::READONLY.and(F::FAST);
const GETS: K = K::RO.and(K::ACCESS);
const COUNTS: K = K::RW.and(K::ACCESS).and(K::UPDATE);
const OVERWRITES: K = K::OW.and(K::UPDATE);

/// The family's rows.
pub static COMMANDS: &[Spec] = &[
    FAMILY.row(
        "append",
        append,
        Arity::Exactly(3),
        WRITE,
        &[KeySpec::at(1, K::RW.and(K::INSERT))],
        (
            "Adds to the end of a string.",
            "2.0.0",
            "O(1) amortised",
            "key value",
        ),
    ),
    FAMILY.row(
        "decr",
        decr,
        Arity::Exactly(2),
        WRITE,
        &[KeySpec::at(1, COUNTS)],
        ("Decrements an integer by one.", "1.0.0", "O(1)", "key"),
    ),
    FAMILY.row(
        "decrby",
        decrby,
        Arity::Exactly(3),
        WRITE,
        &[KeySpec::at(1, COUNTS)],
        ("Decrements an integer.", "1.0.0", "O(1)", "key decrement"),
    ),
    FAMILY.row(
        "get",
        get,
        Arity::Exactly(2),
        READ,
        &[KeySpec::at(1, GETS)],
        ("Returns a string.", "1.0.0", "O(1)", "key"),
    ),
    FAMILY.row(
        "getdel",
        getdel,
        Arity::Exactly(2),
        F::WRITE.and(F::FAST),
        &[KeySpec::at(1, K::RW.and(K::ACCESS).and(K::DELETE))],
        ("Returns a string and deletes it.", "6.2.0", "O(1)", "key"),
    ),
    FAMILY.row(
        "getex",
        getex,
        Arity::AtLeast(2),
        F::WRITE.and(F::FAST),
        &[KeySpec::at(1, COUNTS)],
        (
            "Returns a string and changes its expiry.",
            "6.2.0",
            "O(1)",
            "key [EX seconds | PX milliseconds | EXAT unix-time-seconds | PXAT unix-time-milliseconds | PERSIST]",
        ),
    ),
    FAMILY.row(
        "getrange",
        getrange,
        Arity::Exactly(4),
        F::READONLY,
        &[KeySpec::at(1, GETS)],
        (
            "Returns part of a string.",
            "2.4.0",
            "O(N) in the length returned",
            "key start end",
        ),
    ),
    FAMILY.row(
        "getset",
        getset,
        Arity::Exactly(3),
        WRITE,
        &[KeySpec::at(1, COUNTS)],
        (
            "Replaces a string and returns the old one.",
            "1.0.0",
            "O(1)",
            "key value",
        ),
    ),
    FAMILY.row(
        "incr",
        incr,
        Arity::Exactly(2),
        WRITE,
        &[KeySpec::at(1, COUNTS)],
        ("Increments an integer by one.", "1.0.0", "O(1)", "key"),
    ),
    FAMILY.row(
        "incrby",
        incrby,
        Arity::Exactly(3),
        WRITE,
        &[KeySpec::at(1, COUNTS)],
        ("Increments an integer.", "1.0.0", "O(1)", "key increment"),
    ),
    FAMILY.row(
        "incrbyfloat",
        incrbyfloat,
        Arity::Exactly(3),
        WRITE,
        &[KeySpec::at(1, COUNTS)],
        ("Increments a number.", "2.6.0", "O(1)", "key increment"),
    ),
    FAMILY.row(
        "lcs",
        lcs::lcs,
        Arity::AtLeast(3),
        F::READONLY,
        &[KeySpec::range(1, 1, 1, GETS)],
        (
            "Finds the longest sequence of bytes that two strings have in common.",
            "7.0.0",
            "O(N*M) in the lengths of the strings",
            "key1 key2 [LEN] [IDX] [MINMATCHLEN min-match-len] [WITHMATCHLEN]",
        ),
    ),
    Spec {
        tips: &["request_policy:multi_shard"],
        ..FAMILY.row(
            "mget",
            mget,
            Arity::AtLeast(2),
            READ,
            &[KeySpec::range(1, -1, 1, GETS)],
            (
                "Returns several strings.",
                "1.0.0",
                "O(N) in the number of keys",
                "key [key ...]",
            ),
        )
    },
    Spec {
        tips: &[
            "request_policy:multi_shard",
            "response_policy:all_succeeded",
        ],
        ..FAMILY.row(
            "mset",
            mset,
            Arity::AtLeast(3),
            F::WRITE.and(F::DENYOOM),
            &[KeySpec::range(1, -1, 2, OVERWRITES)],
            (
                "Sets several strings.",
                "1.0.1",
                "O(N) in the number of keys",
                "key value [key value ...]",
            ),
        )
    },
    Spec {
        tips: &["request_policy:multi_shard", "response_policy:agg_min"],
        ..FAMILY.row(
            "msetnx",
            msetnx,
            Arity::AtLeast(3),
            F::WRITE.and(F::DENYOOM),
            &[KeySpec::range(1, -1, 2, K::OW.and(K::INSERT))],
            (
                "Sets several strings if none of the keys exists.",
                "1.0.1",
                "O(N) in the number of keys",
                "key value [key value ...]",
            ),
        )
    },
    FAMILY.row(
        "psetex",
        psetex,
        Arity::Exactly(4),
        F::WRITE.and(F::DENYOOM),
        &[KeySpec::at(1, OVERWRITES)],
        (
            "Sets a string that expires, in milliseconds.",
            "2.6.0",
            "O(1)",
            "key milliseconds value",
        ),
    ),
    FAMILY.row(
        "set",
        set,
        Arity::AtLeast(3),
        F::WRITE.and(F::DENYOOM),
        &[KeySpec::at(
            1,
            K::RW.and(K::ACCESS).and(K::UPDATE).and(K::VARIABLE_FLAGS),
        )],
        (
            "Sets a string.",
            "1.0.0",
            "O(1)",
            "key value [NX | XX | IFEQ comparison-value] [GET] [EX seconds | PX milliseconds | EXAT unix-time-seconds | PXAT unix-time-milliseconds | KEEPTTL]",
        ),
    ),
    FAMILY.row(
        "setex",
        setex,
        Arity::Exactly(4),
        F::WRITE.and(F::DENYOOM),
        &[KeySpec::at(1, OVERWRITES)],
        (
            "Sets a string that expires, in seconds.",
            "2.0.0",
            "O(1)",
            "key seconds value",
        ),
    ),
    FAMILY.row(
        "setnx",
        setnx,
        Arity::Exactly(3),
        WRITE,
        &[KeySpec::at(1, K::OW.and(K::INSERT))],
        (
            "Sets a string if the key does not exist.",
            "1.0.0",
            "O(1)",
            "key value",
        ),
    ),
    FAMILY.row(
        "setrange",
        setrange,
        Arity::Exactly(4),
        F::WRITE.and(F::DENYOOM),
        &[KeySpec::at(1, K::RW.and(K::UPDATE))],
        (
            "Overwrites part of a string.",
            "2.2.0",
            "O(N) in the length written",
            "key offset value",
        ),
    ),
    FAMILY.row(
        "strlen",
        strlen,
        Arity::Exactly(2),
        READ,
        &[KeySpec::at(1, K::RO)],
        ("Returns the length of a string.", "2.2.0", "O(1)", "key"),
    ),
    FAMILY.row(
        "substr",
        getrange,
        Arity::Exactly(4),
        F::READONLY,
        &[KeySpec::at(1, GETS)],
        (
            "Returns part of a string; the old name of GETRANGE.",
            "1.0.0",
            "O(N) in the length returned",
            "key start end",
        ),
    ),
];

fn get(cx: &mut Cx<'_>, mut args: Args<'_>) -> Result<(), Fail> {
    let found = cx.data.read_str(args.bulk()?)?;
    write_string(&mut cx.out, found);
    Ok(())
}

fn strlen(cx: &mut Cx<'_>, mut args: Args<'_>) -> Result<(), Fail> {
    let len = cx.data.read_str(args.bulk()?)?.map_or(0, |s| s.len());
    cx.out.int(len as i64);
    Ok(())
}

fn mget(cx: &mut Cx<'_>, mut args: Args<'_>) -> Result<(), Fail> {
    cx.out.array(args.left());
    for key in args.rest() {
        // A key of another type is shown as missing: MGET never fails.
        let found = cx.data.read_str(key).unwrap_or_default();
        write_string(&mut cx.out, found);
    }
    Ok(())
}

/// What SET is to do, read before anything of it is done.
#[derive(Default)]
struct SetOptions<'a> {
    only: Option<Only<'a>>,
    get: bool,
    keep_ttl: bool,
    given: Option<GivenText<'a>>,
}

/// The condition of NX, XX, and IFEQ, which later servers than Redis 7.2 have.
#[derive(Clone, Copy, Eq, PartialEq)]
enum Only<'a> {
    Missing,
    There,
    Equal(&'a [u8]),
}

impl Only<'_> {
    fn holds(self, cx: &mut Cx<'_>, key: &[u8]) -> Result<bool, Fail> {
        Ok(match self {
            Self::Missing => !cx.data.exists(key),
            Self::There => cx.data.exists(key),
            Self::Equal(value) => {
                let mut digits = IntText::default();
                let found = cx.data.read_str(key)?;
                found.is_some_and(|found| found.text(&mut digits) == value)
            }
        })
    }
}

impl<'a> SetOptions<'a> {
    fn parse(mut args: Args<'a>) -> Result<Self, Fail> {
        let mut options = Self::default();
        while !args.is_done() {
            if matches!(options.only, None | Some(Only::Missing)) && args.keyword("nx") {
                options.only = Some(Only::Missing);
            } else if matches!(options.only, None | Some(Only::There)) && args.keyword("xx") {
                options.only = Some(Only::There);
            } else if options.only.is_none() && args.left() >= 2 && args.keyword("ifeq") {
                options.only = Some(Only::Equal(args.bulk()?));
            } else if args.keyword("get") {
                options.get = true;
            } else if options.given.is_none() && args.keyword("keepttl") {
                options.keep_ttl = true;
            } else if options.keep_ttl {
                return Err(Fail::Syntax);
            } else {
                options.given = Some(GivenText::parse_again(options.given, &mut args)?);
            }
        }
        Ok(options)
    }
}

fn set(cx: &mut Cx<'_>, mut args: Args<'_>) -> Result<(), Fail> {
    let argv = args.argv();
    let key = args.bulk()?;
    let at = args.position();
    let value = args.bulk()?;
    let options = SetOptions::parse(args)?;
    let ttl = match options.given {
        Some(given) => Ttl::At(given.read()?.deadline(cx.wall(), "set")?),
        None if options.keep_ttl => Ttl::Keep,
        None => Ttl::Clear,
    };
    if options.get {
        let old = cx.data.read_str(key)?;
        write_string(&mut cx.out, old);
    }
    if let Some(only) = options.only
        && !only.holds(cx, key)?
    {
        if !options.get {
            cx.out.null();
        }
        return Ok(());
    }
    cx.data.set_str(key, argv.shared(at), value, ttl);
    cx.data.changed(key, Class::STRING, "set");
    // A replica or a file's reader need not know IFEQ.
    let compared = matches!(options.only, Some(Only::Equal(_)));
    if let Ttl::At(deadline) = ttl {
        cx.data.notify(Class::GENERIC, "expire", key);
        // A relative time would be counted again from when a replica or a restart reads it.
        if compared || !options.given.is_some_and(GivenText::is_lasting) {
            cx.propagate_as(&[b"SET", key, value, b"PXAT", &expiry::text(deadline)]);
        }
    } else if compared && options.keep_ttl {
        cx.propagate_as(&[b"SET", key, value, b"KEEPTTL"]);
    } else if compared {
        cx.propagate_as(&[b"SET", key, value]);
    } else if options.get {
        cx.propagate_as(&without_get(argv));
    }
    if !options.get {
        cx.out.ok();
    }
    Ok(())
}

/// A SET that asks for no reply, for those who need none.
fn without_get(argv: ArgvRef<'_>) -> Vec<&[u8]> {
    let is_option = |(at, word): &(usize, &[u8])| *at > 2 && word.eq_ignore_ascii_case(b"get");
    let words = argv.iter().enumerate().filter(|word| !is_option(word));
    words.map(|(_, word)| word).collect()
}

fn setnx(cx: &mut Cx<'_>, mut args: Args<'_>) -> Result<(), Fail> {
    let key = args.bulk()?;
    if cx.data.exists(key) {
        cx.out.int(0);
        return Ok(());
    }
    let shared = args.argv().shared(args.position());
    cx.data.set_str(key, shared, args.bulk()?, Ttl::Clear);
    cx.data.changed(key, Class::STRING, "set");
    cx.out.int(1);
    Ok(())
}

fn setex(cx: &mut Cx<'_>, args: Args<'_>) -> Result<(), Fail> {
    set_expiring(cx, args, "setex", Given::Seconds)
}

fn psetex(cx: &mut Cx<'_>, args: Args<'_>) -> Result<(), Fail> {
    set_expiring(cx, args, "psetex", Given::Millis)
}

fn set_expiring(
    cx: &mut Cx<'_>,
    mut args: Args<'_>,
    command: &'static str,
    unit: fn(i64) -> Given,
) -> Result<(), Fail> {
    let key = args.bulk()?;
    let deadline = unit(args.int()?).deadline(cx.wall(), command)?;
    let shared = args.argv().shared(args.position());
    let value = args.bulk()?;
    cx.data.set_str(key, shared, value, Ttl::At(deadline));
    cx.data.changed(key, Class::STRING, "set");
    cx.data.notify(Class::GENERIC, "expire", key);
    cx.propagate_as(&[b"SET", key, value, b"PXAT", &expiry::text(deadline)]);
    cx.out.ok();
    Ok(())
}

fn getset(cx: &mut Cx<'_>, mut args: Args<'_>) -> Result<(), Fail> {
    let key = args.bulk()?;
    let shared = args.argv().shared(args.position());
    let value = args.bulk()?;
    let old = cx.data.read_str(key)?;
    write_string(&mut cx.out, old);
    cx.data.set_str(key, shared, value, Ttl::Clear);
    cx.data.changed(key, Class::STRING, "set");
    cx.propagate_as(&[b"SET", key, value]);
    Ok(())
}

fn getdel(cx: &mut Cx<'_>, mut args: Args<'_>) -> Result<(), Fail> {
    let key = args.bulk()?;
    let old = cx.data.read_str(key)?;
    let there = old.is_some();
    write_string(&mut cx.out, old);
    if there {
        cx.data.remove(key);
        cx.data.changed(key, Class::GENERIC, "del");
        cx.propagate_as(&[b"DEL", key]);
    }
    Ok(())
}

fn getex(cx: &mut Cx<'_>, mut args: Args<'_>) -> Result<(), Fail> {
    let key = args.bulk()?;
    let (mut persist, mut given) = (false, None);
    while !args.is_done() {
        if given.is_none() && args.keyword("persist") {
            persist = true;
        } else if persist {
            return Err(Fail::Syntax);
        } else {
            given = Some(GivenText::parse_again(given, &mut args)?);
        }
    }
    if cx.data.read_str(key)?.is_none() {
        cx.out.null();
        return Ok(());
    }
    let deadline = match given {
        Some(given) => Some(given.read()?.deadline(cx.wall(), "getex")?),
        None => None,
    };
    let found = cx.data.read_untouched(key).expect("it was there");
    write_string(&mut cx.out, found.value().as_str());
    if let Some(deadline) = deadline {
        expiry::apply(cx, key, deadline, false);
    } else if persist && expiry::persist_key(cx, key) {
        cx.data.changed(key, Class::GENERIC, "persist");
        cx.propagate_as(&[b"PERSIST", key]);
    }
    Ok(())
}

fn mset(cx: &mut Cx<'_>, args: Args<'_>) -> Result<(), Fail> {
    set_pairs(cx, args)?;
    cx.out.ok();
    Ok(())
}

fn msetnx(cx: &mut Cx<'_>, args: Args<'_>) -> Result<(), Fail> {
    if !args.left().is_multiple_of(2) {
        return Err(Fail::Arity("msetnx".into()));
    }
    let mut keys = { args }.rest().step_by(2);
    if keys.any(|key| cx.data.exists(key)) {
        cx.out.int(0);
        return Ok(());
    }
    set_pairs(cx, args)?;
    cx.out.int(1);
    Ok(())
}

fn set_pairs(cx: &mut Cx<'_>, mut args: Args<'_>) -> Result<(), Fail> {
    if !args.left().is_multiple_of(2) {
        return Err(Fail::Arity(cx.data.st.table.full_name(cx.id)));
    }
    while !args.is_done() {
        let key = args.bulk()?;
        let shared = args.argv().shared(args.position());
        cx.data.set_str(key, shared, args.bulk()?, Ttl::Clear);
        cx.data.changed(key, Class::STRING, "set");
    }
    Ok(())
}

fn append(cx: &mut Cx<'_>, mut args: Args<'_>) -> Result<(), Fail> {
    let key = args.bulk()?;
    let shared = args.argv().shared(args.position());
    let tail = args.bulk()?;
    let len = match cx.data.held_str(key)?.map(|s| s.len()) {
        // A new string is encoded as by SET.
        None => {
            cx.data.set_str(key, shared, tail, Ttl::Clear);
            tail.len()
        }
        Some(len) => {
            check_len(cx, len, tail.len())?;
            cx.data.edit_str(key, |text| text.append(tail))?
        }
    };
    cx.data.changed(key, Class::STRING, "append");
    cx.out.int(len as i64);
    Ok(())
}

/// A string may become as long as `proto-max-bulk-len`.
fn check_len(cx: &Cx<'_>, before: usize, more: usize) -> Result<(), Fail> {
    let len = before
        .checked_add(more)
        .and_then(|len| u64::try_from(len).ok());
    if len.is_some_and(|len| len <= cx.data.st.config.proto_max_bulk_len()) {
        return Ok(());
    }
    Err(Fail::StringTooLong)
}

fn setrange(cx: &mut Cx<'_>, mut args: Args<'_>) -> Result<(), Fail> {
    let key = args.bulk()?;
    let offset = usize::try_from(args.int()?).map_err(|_| Fail::OffsetOutOfRange)?;
    let part = args.bulk()?;
    let len = cx.data.held_str(key)?.map_or(0, |s| s.len());
    if part.is_empty() {
        cx.out.int(len as i64);
        return Ok(());
    }
    check_len(cx, offset, part.len())?;
    let len = cx.data.edit_str(key, |text| text.set_range(offset, part))?;
    cx.data.changed(key, Class::STRING, "setrange");
    cx.out.int(len as i64);
    Ok(())
}

fn getrange(cx: &mut Cx<'_>, mut args: Args<'_>) -> Result<(), Fail> {
    let key = args.bulk()?;
    let (start, end) = (args.int()?, args.int()?);
    let Some(found) = cx.data.read_str(key)? else {
        cx.out.bulk(b"");
        return Ok(());
    };
    let mut digits = IntText::default();
    let text = found.text(&mut digits);
    cx.out
        .bulk(super::range::of_text(start, end, text.len()).map_or(b"", |range| &text[range]));
    Ok(())
}

fn incr(cx: &mut Cx<'_>, mut args: Args<'_>) -> Result<(), Fail> {
    add(cx, args.bulk()?, 1)
}

fn decr(cx: &mut Cx<'_>, mut args: Args<'_>) -> Result<(), Fail> {
    add(cx, args.bulk()?, -1)
}

fn incrby(cx: &mut Cx<'_>, mut args: Args<'_>) -> Result<(), Fail> {
    let key = args.bulk()?;
    let by = args.int()?;
    add(cx, key, by)
}

fn decrby(cx: &mut Cx<'_>, mut args: Args<'_>) -> Result<(), Fail> {
    let key = args.bulk()?;
    let by = args.int()?.checked_neg().ok_or(Fail::DecrementOverflow)?;
    add(cx, key, by)
}

fn add(cx: &mut Cx<'_>, key: &[u8], by: i64) -> Result<(), Fail> {
    let sum = cx.data.add_int(key, by)?;
    cx.data.changed(key, Class::STRING, "incrby");
    cx.out.int(sum);
    Ok(())
}

fn incrbyfloat(cx: &mut Cx<'_>, mut args: Args<'_>) -> Result<(), Fail> {
    let (key, by) = (args.bulk()?, args.bulk()?);
    let before = match cx.data.held_str(key)? {
        Some(found) => Extended::parse(found.text(&mut IntText::default())),
        None => Some(Extended::ZERO),
    };
    let before = before.ok_or(Fail::NotFloat)?;
    let sum = before.plus(Extended::parse(by).ok_or(Fail::NotFloat)?);
    if !sum.is_finite() {
        return Err(Fail::NanOrInfinity);
    }
    let text = sum.text();
    // Redis keeps it as text until it is set the next time.
    cx.data.edit_str(key, |sum| sum.set_text(text.as_bytes()))?;
    cx.data.changed(key, Class::STRING, "incrbyfloat");
    // The sum of floats depends on the machine that adds: replicas get the result.
    cx.propagate_as(&[b"SET", key, text.as_bytes(), b"KEEPTTL"]);
    cx.out.bulk(text.as_bytes());
    Ok(())
}
