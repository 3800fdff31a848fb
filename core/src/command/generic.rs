//! Commands on keys, whatever they hold.

use super::args::Args;
use super::cx::Cx;
use super::fail::Fail;
use super::help;
use super::scan::{self, ScanOptions, Walked};
use super::spec::{Acl, Arity, Docs, Flags as F, Group, Handler, KeyFlags as K, KeySpec, Spec};
use crate::config::NotifyFlags as Class;
use crate::keyspace::Ttl;
use crate::machine::Wall;
use crate::persist::rdb::{self, RdbFault};
use crate::resp;
use crate::server::roles::deletion;
use crate::value::StrRef;

/// A row of this family: they differ in few things.
const fn row(
    name: &'static str,
    run: Handler,
    arity: Arity,
    flags: F,
    keys: &'static [KeySpec],
    tips: &'static [&'static str],
    docs: (&'static str, &'static str, &'static str, &'static str),
) -> Spec {
    Spec {
        name,
        run,
        arity,
        flags,
        acl: Acl::KEYSPACE,
        keys,
        tips,
        docs: Docs {
            summary: docs.0,
            since: docs.1,
            group: Group::Generic,
            complexity: docs.2,
            syntax: docs.3,
        },
        subcommands: &[],
    }
}

const READ: F = F::READONLY.and(F::FAST);
const WRITE: F = F::WRITE.and(F::FAST);
const ALL_READ: &[KeySpec] = &[KeySpec::range(1, -1, 1, K::RO)];
const ONE_READ: &[KeySpec] = &[KeySpec::at(1, K::RO)];
const OBJECT_KEY: &[KeySpec] = &[KeySpec::at(2, K::RO)];
const SUM: &[&str] = &["request_policy:multi_shard", "response_policy:agg_sum"];
const VARIES: &[&str] = &["nondeterministic_output"];

/// The family's rows.
pub static COMMANDS: &[Spec] = &[
    row(
        "copy",
        copy,
        Arity::AtLeast(3),
        F::WRITE.and(F::DENYOOM),
        &[
            KeySpec::at(1, K::RO.and(K::ACCESS)),
            KeySpec::at(2, K::OW.and(K::UPDATE)),
        ],
        &[],
        (
            "Copies a key.",
            "6.2.0",
            "O(N) in the size of the value",
            "source destination [DB destination-db] [REPLACE]",
        ),
    ),
    row(
        "del",
        del,
        Arity::AtLeast(2),
        F::WRITE,
        &[KeySpec::range(1, -1, 1, K::RM.and(K::DELETE))],
        SUM,
        (
            "Deletes keys.",
            "1.0.0",
            "O(N) in the number of keys and the size of their values",
            "key [key ...]",
        ),
    ),
    row(
        "dump",
        dump,
        Arity::Exactly(2),
        F::READONLY,
        &[KeySpec::at(1, K::RO.and(K::ACCESS))],
        VARIES,
        (
            "Returns a value in the form RESTORE takes.",
            "2.6.0",
            "O(N) in the size of the value",
            "key",
        ),
    ),
    row(
        "exists",
        exists,
        Arity::AtLeast(2),
        READ,
        ALL_READ,
        SUM,
        (
            "Counts the keys that are there.",
            "1.0.0",
            "O(N) in the number of keys",
            "key [key ...]",
        ),
    ),
    Spec {
        acl: Acl::KEYSPACE.and(Acl::DANGEROUS),
        ..row(
            "keys",
            keys,
            Arity::Exactly(2),
            F::READONLY,
            &[],
            &["request_policy:all_shards", "nondeterministic_output_order"],
            (
                "Lists the keys that match a pattern.",
                "1.0.0",
                "O(N) in the number of keys of the database",
                "pattern",
            ),
        )
    },
    row(
        "move",
        move_,
        Arity::Exactly(3),
        WRITE,
        &[KeySpec::at(1, K::RW.and(K::ACCESS).and(K::DELETE))],
        &[],
        (
            "Moves a key to another database.",
            "1.0.0",
            "O(1)",
            "key db",
        ),
    ),
    Spec {
        name: "object",
        run: help::container,
        arity: Arity::AtLeast(2),
        flags: F::NONE,
        acl: Acl::SLOW,
        keys: &[],
        tips: &[],
        docs: Docs {
            summary: "Commands about how values are kept.",
            since: "2.2.3",
            group: Group::Generic,
            complexity: "Depends on subcommand.",
            syntax: "",
        },
        subcommands: &[
            row(
                "encoding",
                object_encoding,
                Arity::Exactly(3),
                F::READONLY,
                OBJECT_KEY,
                VARIES,
                (
                    "Returns the name of a value's encoding.",
                    "2.2.3",
                    "O(1)",
                    "key",
                ),
            ),
            row(
                "freq",
                object_freq,
                Arity::Exactly(3),
                F::READONLY,
                OBJECT_KEY,
                VARIES,
                (
                    "Returns how often a key is used, by its logarithmic counter.",
                    "4.0.0",
                    "O(1)",
                    "key",
                ),
            ),
            row(
                "help",
                object_help,
                Arity::Exactly(2),
                F::LOADING.and(F::STALE),
                &[],
                &[],
                ("Lists the subcommands.", "6.2.0", "O(1)", ""),
            ),
            row(
                "idletime",
                object_idletime,
                Arity::Exactly(3),
                F::READONLY,
                OBJECT_KEY,
                VARIES,
                (
                    "Returns the seconds since a key was last used.",
                    "2.2.3",
                    "O(1)",
                    "key",
                ),
            ),
            row(
                "refcount",
                object_refcount,
                Arity::Exactly(3),
                F::READONLY,
                OBJECT_KEY,
                VARIES,
                (
                    "Returns the number of references to a value.",
                    "2.2.3",
                    "O(1)",
                    "key",
                ),
            ),
        ],
    },
    row(
        "randomkey",
        randomkey,
        Arity::Exactly(1),
        F::READONLY,
        &[],
        &[
            "request_policy:all_shards",
            "response_policy:special",
            "nondeterministic_output",
        ],
        ("Returns some key.", "1.0.0", "O(1)", ""),
    ),
    row(
        "rename",
        rename,
        Arity::Exactly(3),
        F::WRITE,
        &[
            KeySpec::at(1, K::RW.and(K::ACCESS).and(K::DELETE)),
            KeySpec::at(2, K::OW.and(K::UPDATE)),
        ],
        &[],
        (
            "Renames a key, replacing what has the new name.",
            "1.0.0",
            "O(1)",
            "key newkey",
        ),
    ),
    row(
        "renamenx",
        renamenx,
        Arity::Exactly(3),
        WRITE,
        &[
            KeySpec::at(1, K::RW.and(K::ACCESS).and(K::DELETE)),
            KeySpec::at(2, K::OW.and(K::INSERT)),
        ],
        &[],
        (
            "Renames a key unless the new name is taken.",
            "1.0.0",
            "O(1)",
            "key newkey",
        ),
    ),
    Spec {
        acl: Acl::KEYSPACE.and(Acl::DANGEROUS),
        ..row(
            "restore",
            restore,
            Arity::AtLeast(4),
            F::WRITE.and(F::DENYOOM),
            &[KeySpec::at(1, K::OW.and(K::UPDATE))],
            &[],
            (
                "Makes a key of what DUMP returned.",
                "2.6.0",
                "O(N) in the size of the value",
                "key ttl serialized-value [REPLACE] [ABSTTL] [IDLETIME seconds] [FREQ frequency]",
            ),
        )
    },
    row(
        "scan",
        scan,
        Arity::AtLeast(2),
        F::READONLY,
        &[],
        &["nondeterministic_output", "request_policy:special"],
        (
            "Lists keys a few at a time.",
            "2.8.0",
            "O(1) per call, O(N) for all keys",
            "cursor [MATCH pattern] [COUNT count] [TYPE type]",
        ),
    ),
    row(
        "touch",
        touch,
        Arity::AtLeast(2),
        READ,
        ALL_READ,
        SUM,
        (
            "Marks keys as used and counts those that are there.",
            "3.2.1",
            "O(N) in the number of keys",
            "key [key ...]",
        ),
    ),
    row(
        "type",
        type_,
        Arity::Exactly(2),
        READ,
        ONE_READ,
        &[],
        ("Returns the type of a key's value.", "1.0.0", "O(1)", "key"),
    ),
    row(
        "unlink",
        unlink,
        Arity::AtLeast(2),
        WRITE,
        &[KeySpec::range(1, -1, 1, K::RM.and(K::DELETE))],
        SUM,
        (
            "Deletes keys and frees their values later.",
            "4.0.0",
            "O(N) in the number of keys",
            "key [key ...]",
        ),
    ),
];

fn del(cx: &mut Cx<'_>, args: Args<'_>) -> Result<(), Fail> {
    delete(cx, args)
}

fn unlink(cx: &mut Cx<'_>, args: Args<'_>) -> Result<(), Fail> {
    delete(cx, args)
}

/// DEL and UNLINK differ in nothing else: huge values are always freed in slices.
fn delete(cx: &mut Cx<'_>, mut args: Args<'_>) -> Result<(), Fail> {
    let mut count = 0;
    for key in args.rest() {
        if cx.data.exists(key) {
            cx.data.remove(key);
            cx.data.changed(key, Class::GENERIC, "del");
            count += 1;
        }
    }
    cx.out.int(count);
    Ok(())
}

fn exists(cx: &mut Cx<'_>, mut args: Args<'_>) -> Result<(), Fail> {
    let count = args
        .rest()
        .filter(|key| cx.data.inspect(key).is_some())
        .count();
    cx.out.int(count as i64);
    Ok(())
}

fn touch(cx: &mut Cx<'_>, mut args: Args<'_>) -> Result<(), Fail> {
    let count = args
        .rest()
        .filter(|key| cx.data.use_key(key).is_some())
        .count();
    cx.out.int(count as i64);
    Ok(())
}

fn type_(cx: &mut Cx<'_>, mut args: Args<'_>) -> Result<(), Fail> {
    let found = cx.data.inspect(args.bulk()?);
    cx.out
        .simple(found.map_or("none", |entry| entry.value().type_name()));
    Ok(())
}

fn rename(cx: &mut Cx<'_>, args: Args<'_>) -> Result<(), Fail> {
    if rename_to(cx, args, true)? {
        cx.out.ok();
    }
    Ok(())
}

fn renamenx(cx: &mut Cx<'_>, args: Args<'_>) -> Result<(), Fail> {
    let renamed = rename_to(cx, args, false)?;
    cx.out.int(i64::from(renamed));
    Ok(())
}

/// Renames; false if the new name is taken and may not be replaced.
fn rename_to(cx: &mut Cx<'_>, mut args: Args<'_>, replace: bool) -> Result<bool, Fail> {
    let (from, to) = (args.bulk()?, args.bulk()?);
    if !cx.data.exists(from) {
        return Err(Fail::NoSuchKey);
    }
    if from == to {
        return Ok(replace);
    }
    if cx.data.exists(to) {
        if !replace {
            return Ok(false);
        }
        cx.data.remove(to);
    }
    let taken = cx.data.take(from).expect("it was there");
    cx.data.put(to, taken);
    cx.data.changed(from, Class::GENERIC, "rename_from");
    cx.data.changed(to, Class::GENERIC, "rename_to");
    Ok(true)
}

fn other_db(cx: &Cx<'_>, args: &mut Args<'_>) -> Result<usize, Fail> {
    let db = args.int32()?;
    let db = usize::try_from(db)
        .ok()
        .filter(|&db| db < cx.data.keys.dbs().len());
    db.ok_or(Fail::DbOutOfRange)
}

fn copy(cx: &mut Cx<'_>, mut args: Args<'_>) -> Result<(), Fail> {
    let (from, to) = (args.bulk()?, args.bulk()?);
    let mut db = cx.data.db;
    let mut replace = false;
    while !args.is_done() {
        if args.keyword("replace") {
            replace = true;
        } else if args.left() >= 2 && args.keyword("db") {
            db = other_db(cx, &mut args)?;
        } else {
            return Err(Fail::Syntax);
        }
    }
    if db == cx.data.db && from == to {
        return Err(Fail::Plain("source and destination objects are the same"));
    }
    let Some(found) = cx.data.read(from) else {
        cx.out.int(0);
        return Ok(());
    };
    let copy = found.copy();
    let done = cx.data.in_db(db, |data| {
        if data.exists(to) {
            if !replace {
                return false;
            }
            data.remove(to);
        }
        data.put(to, copy);
        if let Some(mut entry) = data.keys.db_mut(db).get_mut(to) {
            entry.renew_usage();
        }
        data.changed(to, Class::GENERIC, "copy_to");
        true
    });
    cx.out.int(i64::from(done));
    Ok(())
}

fn move_(cx: &mut Cx<'_>, mut args: Args<'_>) -> Result<(), Fail> {
    let key = args.bulk()?;
    let db = other_db(cx, &mut args)?;
    if db == cx.data.db {
        return Err(Fail::Plain("source and destination objects are the same"));
    }
    if !cx.data.exists(key) || cx.data.in_db(db, |data| data.exists(key)) {
        cx.out.int(0);
        return Ok(());
    }
    let taken = cx.data.take(key).expect("it was there");
    cx.data.in_db(db, |data| {
        data.put(key, taken);
        data.st.touch_watched(data.db, key);
    });
    cx.data.changed(key, Class::GENERIC, "move_from");
    cx.data
        .in_db(db, |data| data.notify(Class::GENERIC, "move_to", key));
    cx.out.int(1);
    Ok(())
}

fn keys(cx: &mut Cx<'_>, mut args: Args<'_>) -> Result<(), Fail> {
    let pattern = args.bulk()?;
    let now = cx.data.now_for_expiry();
    let db = cx.data.keys.db(cx.data.db);
    let later = cx.out.array_later();
    let mut count = 0;
    for entry in db.iter().filter(|entry| !entry.is_expired(now)) {
        if scan::selects(pattern, entry.key()) {
            cx.out.bulk(entry.key());
            count += 1;
        }
    }
    cx.out.set_len(later, count);
    Ok(())
}

fn randomkey(cx: &mut Cx<'_>, _: Args<'_>) -> Result<(), Fail> {
    match cx.data.random_key() {
        Some(key) => cx.out.bulk(&key),
        None => cx.out.null(),
    }
    Ok(())
}

fn scan(cx: &mut Cx<'_>, mut args: Args<'_>) -> Result<(), Fail> {
    let cursor = scan::cursor(args.bulk()?)?;
    let options = ScanOptions::parse(args, Walked::Keys)?;
    let now = cx.data.now_for_expiry();
    let mut found: Vec<Box<[u8]>> = Vec::new();
    let mut expired: Vec<Box<[u8]>> = Vec::new();
    let next = cx
        .data
        .keys
        .db(cx.data.db)
        .scan(cursor, options.count, |entry| {
            let selected = options.selects(entry.key())
                && options.kind.is_none_or(|kind| {
                    kind.eq_ignore_ascii_case(entry.value().type_name().as_bytes())
                });
            if selected && entry.is_expired(now) {
                expired.push(entry.key().into());
            } else if selected {
                found.push(entry.key().into());
            }
        });
    cx.data.delete_all_expired(&expired);
    cx.out.array(2);
    cx.out.bulk(next.to_string().as_bytes());
    cx.out.array(found.len());
    for key in found {
        cx.out.bulk(&key);
    }
    Ok(())
}

fn object_encoding(cx: &mut Cx<'_>, mut args: Args<'_>) -> Result<(), Fail> {
    match cx.data.read_untouched(args.bulk()?) {
        Some(entry) => cx.out.bulk(entry.encoding().as_bytes()),
        None => cx.out.null(),
    }
    Ok(())
}

/// Values are never shared between keys, except the small integers that Redis shares, which
/// clients know by this number (server.h, OBJ_SHARED_REFCOUNT).
fn object_refcount(cx: &mut Cx<'_>, mut args: Args<'_>) -> Result<(), Fail> {
    const SHARED: i64 = i32::MAX as i64;
    let shares = cx.data.st.shares_integers();
    match cx.data.read_untouched(args.bulk()?) {
        Some(entry) => {
            let small = matches!(entry.value().as_str(), Some(StrRef::Int(0..=9_999)));
            cx.out.int(if small && shares { SHARED } else { 1 });
        }
        None => cx.out.null(),
    }
    Ok(())
}

fn object_idletime(cx: &mut Cx<'_>, mut args: Args<'_>) -> Result<(), Fail> {
    let usage = cx.data.keys.usage();
    let Some(entry) = cx.data.read_untouched(args.bulk()?) else {
        cx.out.null();
        return Ok(());
    };
    if usage.counts_frequency() {
        return Err(Fail::Plain(
            "An LFU maxmemory policy is selected, idle time not tracked. Please note that when \
             switching between policies at runtime LRU and LFU data will take some time to adjust.",
        ));
    }
    cx.out.int(i64::from(usage.idle_secs(entry.lru())));
    Ok(())
}

fn object_freq(cx: &mut Cx<'_>, mut args: Args<'_>) -> Result<(), Fail> {
    let usage = cx.data.keys.usage();
    let Some(entry) = cx.data.read_untouched(args.bulk()?) else {
        cx.out.null();
        return Ok(());
    };
    if !usage.counts_frequency() {
        return Err(Fail::Plain(
            "An LFU maxmemory policy is not selected, access frequency not tracked. Please note \
             that when switching between policies at runtime LRU and LFU data will take some time \
             to adjust.",
        ));
    }
    cx.out.int(i64::from(usage.freq(entry.lru())));
    Ok(())
}

fn object_help(cx: &mut Cx<'_>, _: Args<'_>) -> Result<(), Fail> {
    let object = COMMANDS
        .iter()
        .find(|row| row.name == "object")
        .expect("it is in its table");
    help::reply(&mut cx.out, "OBJECT", object.subcommands);
    Ok(())
}

fn dump(cx: &mut Cx<'_>, mut args: Args<'_>) -> Result<(), Fail> {
    let compress = cx.data.st.config.rdbcompression();
    match cx.data.read(args.bulk()?) {
        Some(entry) => {
            let payload = rdb::dump(entry.value(), compress);
            cx.out.bulk(&payload);
        }
        None => cx.out.null(),
    }
    Ok(())
}

/// The options of RESTORE.
#[derive(Default)]
struct RestoreOptions {
    replace: bool,
    absolute: bool,
    idle_secs: Option<u64>,
    freq: Option<u8>,
}

impl RestoreOptions {
    fn parse(mut args: Args<'_>) -> Result<Self, Fail> {
        let mut options = Self::default();
        while !args.is_done() {
            if args.keyword("replace") {
                options.replace = true;
            } else if args.keyword("absttl") {
                options.absolute = true;
            } else if args.left() >= 2 && options.freq.is_none() && args.keyword("idletime") {
                let bad = Fail::Plain("Invalid IDLETIME value, must be >= 0");
                options.idle_secs = Some(u64::try_from(args.int()?).map_err(|_| bad)?);
            } else if args.left() >= 2 && options.idle_secs.is_none() && args.keyword("freq") {
                let bad = Fail::Plain("Invalid FREQ value, must be >= 0 and <= 255");
                options.freq = Some(u8::try_from(args.int()?).map_err(|_| bad)?);
            } else {
                return Err(Fail::Syntax);
            }
        }
        Ok(options)
    }
}

/// Where RESTORE has its time to live.
const RESTORE_TTL: usize = 2;

fn restore(cx: &mut Cx<'_>, mut args: Args<'_>) -> Result<(), Fail> {
    let argv = args.argv();
    let key = args.bulk()?;
    let ttl = args.bulk()?;
    let payload = args.bulk()?;
    let options = RestoreOptions::parse(args)?;
    if !options.replace && cx.data.exists(key) {
        return Err(Fail::BusyKey);
    }
    let ttl = resp::parse_int(ttl).ok_or(Fail::NotInteger)?;
    if ttl < 0 {
        return Err(Fail::Plain("Invalid TTL value, must be >= 0"));
    }
    let restore = if cx.data.st.debug.skip_checksum {
        rdb::restore_unchecked
    } else {
        rdb::restore
    };
    let value = restore(payload, &cx.data.st.shape).map_err(|fault| {
        if fault == RdbFault::BadFooter {
            return Fail::BadDump;
        }
        tracing::warn!("RESTORE: {fault}");
        Fail::Plain("Bad data format")
    })?;
    let now = cx.wall().as_millis();
    let expire = match ttl {
        0 => None,
        ttl if options.absolute => Some(ttl),
        // Redis refuses no time that is too far away.
        ttl => Some(ttl.saturating_add(now)),
    };
    let there = cx.data.exists(key);
    if there {
        cx.data.remove(key);
    }
    if expire.is_some_and(|at| at <= now) && cx.data.may_expire() {
        if there {
            cx.data.changed(key, Class::GENERIC, "del");
            let word = deletion(cx.data.st.config.lazyfree_lazy_server_del());
            cx.propagate_as(&[word, key]);
        }
        cx.out.ok();
        return Ok(());
    }
    let ttl = expire.map_or(Ttl::Clear, |at| Ttl::At(Wall::from_millis(at)));
    cx.data.insert(key, value, ttl);
    if let Some(mut entry) = cx.data.keys.db_mut(cx.data.db).get_mut(key) {
        entry.restore_usage(options.idle_secs, options.freq);
    }
    cx.data.changed(key, Class::GENERIC, "restore");
    if let Some(at) = expire.filter(|_| !options.absolute) {
        let mut digits = itoa::Buffer::new();
        let mut absolute: Vec<&[u8]> = argv.iter().collect();
        absolute[RESTORE_TTL] = digits.format(at).as_bytes();
        absolute.push(b"ABSTTL");
        cx.propagate_as(&absolute);
    }
    cx.out.ok();
    Ok(())
}
