//! Commands on the server as a whole.

use super::args::Args;
use super::cx::Cx;
use super::fail::Fail;
use super::help;
use super::spec::{Acl, Arity, Docs, Flags as F, Group, Handler, Spec};
use crate::server::client::ClientFlags;
use crate::server::shutdown::{Request, Saving};

/// A row of this family: they differ in few things.
const fn row(
    name: &'static str,
    run: Handler,
    arity: Arity,
    (flags, acl): (F, Acl),
    tips: &'static [&'static str],
    docs: (&'static str, &'static str, &'static str, &'static str),
) -> Spec {
    Spec {
        name,
        run,
        arity,
        flags,
        acl,
        keys: &[],
        tips,
        docs: Docs {
            summary: docs.0,
            since: docs.1,
            group: Group::Server,
            complexity: docs.2,
            syntax: docs.3,
        },
        subcommands: &[],
    }
}

const KEYSPACE_DANGER: Acl = Acl::KEYSPACE.and(Acl::DANGEROUS);
const EVERY_SHARD: &[&str] = &["request_policy:all_shards", "response_policy:all_succeeded"];

/// The family's rows.
pub static COMMANDS: &[Spec] = &[
    row(
        "bgrewriteaof",
        bgrewriteaof,
        Arity::Exactly(1),
        (
            F::ADMIN.and(F::NOSCRIPT).and(F::NO_ASYNC_LOADING),
            Acl::NONE,
        ),
        &[],
        (
            "Rewrites the append-only file while clients go on.",
            "1.0.0",
            "O(1); the rewrite is O(N)",
            "",
        ),
    ),
    row(
        "bgsave",
        bgsave,
        Arity::AtLeast(1),
        (
            F::ADMIN.and(F::NOSCRIPT).and(F::NO_ASYNC_LOADING),
            Acl::NONE,
        ),
        &[],
        (
            "Saves the dataset while clients go on.",
            "1.0.0",
            "O(1); the save is O(N)",
            "[SCHEDULE]",
        ),
    ),
    row(
        "dbsize",
        dbsize,
        Arity::Exactly(1),
        (F::READONLY.and(F::FAST), Acl::KEYSPACE),
        &["request_policy:all_shards", "response_policy:agg_sum"],
        ("Counts the keys of the database.", "1.0.0", "O(1)", ""),
    ),
    row(
        "flushall",
        flushall,
        Arity::AtLeast(1),
        (F::WRITE, KEYSPACE_DANGER),
        EVERY_SHARD,
        (
            "Deletes every key.",
            "1.0.0",
            "O(1); the memory is freed in slices",
            "[ASYNC | SYNC]",
        ),
    ),
    row(
        "flushdb",
        flushdb,
        Arity::AtLeast(1),
        (F::WRITE, KEYSPACE_DANGER),
        EVERY_SHARD,
        (
            "Deletes every key of the database.",
            "1.0.0",
            "O(1); the memory is freed in slices",
            "[ASYNC | SYNC]",
        ),
    ),
    row(
        "info",
        info,
        Arity::AtLeast(1),
        (F::LOADING.and(F::STALE), Acl::DANGEROUS),
        &[
            "nondeterministic_output",
            "request_policy:all_shards",
            "response_policy:special",
        ],
        (
            "Reports the state of the server.",
            "1.0.0",
            "O(1)",
            "[section [section ...]]",
        ),
    ),
    row(
        "lastsave",
        lastsave,
        Arity::Exactly(1),
        (
            F::LOADING.and(F::STALE).and(F::FAST),
            Acl::ADMIN.and(Acl::DANGEROUS),
        ),
        &["nondeterministic_output"],
        (
            "Returns when the dataset was last saved, in Unix seconds.",
            "1.0.0",
            "O(1)",
            "",
        ),
    ),
    Spec {
        subcommands: MODULE,
        ..row(
            "module",
            help::container,
            Arity::AtLeast(2),
            (F::NONE, Acl::NONE),
            &[],
            (
                "Commands about modules.",
                "4.0.0",
                "Depends on subcommand.",
                "",
            ),
        )
    },
    row(
        "save",
        save,
        Arity::Exactly(1),
        (
            F::ADMIN
                .and(F::NOSCRIPT)
                .and(F::NO_ASYNC_LOADING)
                .and(F::NO_MULTI),
            Acl::NONE,
        ),
        &[],
        (
            "Saves the dataset and waits for the end.",
            "1.0.0",
            "O(N) in the number of keys",
            "",
        ),
    ),
    row(
        "shutdown",
        shutdown,
        Arity::AtLeast(1),
        (
            F::ADMIN
                .and(F::NOSCRIPT)
                .and(F::LOADING)
                .and(F::STALE)
                .and(F::NO_MULTI)
                .and(F::ALLOW_BUSY),
            Acl::NONE,
        ),
        &[],
        (
            "Saves the dataset and ends the server.",
            "1.0.0",
            "O(N) in the number of keys when saving",
            "[NOSAVE | SAVE] [NOW] [FORCE] [ABORT]",
        ),
    ),
    row(
        "swapdb",
        swapdb,
        Arity::Exactly(3),
        (F::WRITE.and(F::FAST), KEYSPACE_DANGER),
        &[],
        (
            "Exchanges two databases.",
            "4.0.0",
            "O(N) in the number of watched keys",
            "index1 index2",
        ),
    ),
    row(
        "time",
        time,
        Arity::Exactly(1),
        (F::LOADING.and(F::STALE).and(F::FAST), Acl::NONE),
        &["nondeterministic_output"],
        ("Returns the time of the server.", "2.6.0", "O(1)", ""),
    ),
];

/// There is no way to load a module, and so none is listed.
const MODULE: &[Spec] = &[
    row(
        "help",
        module_help,
        Arity::Exactly(2),
        (F::LOADING.and(F::STALE), Acl::NONE),
        &[],
        ("Lists the subcommands.", "5.0.0", "O(1)", ""),
    ),
    row(
        "list",
        module_list,
        Arity::Exactly(2),
        (F::ADMIN.and(F::NOSCRIPT), Acl::NONE),
        &["nondeterministic_output_order"],
        ("Lists the modules that are loaded.", "4.0.0", "O(1)", ""),
    ),
];

fn module_list(cx: &mut Cx<'_>, _: Args<'_>) -> Result<(), Fail> {
    cx.out.array(0);
    Ok(())
}

fn module_help(cx: &mut Cx<'_>, _: Args<'_>) -> Result<(), Fail> {
    help::reply(&mut cx.out, "MODULE", MODULE);
    Ok(())
}

fn info(cx: &mut Cx<'_>, mut args: Args<'_>) -> Result<(), Fail> {
    let report = cx.info(args.rest());
    cx.out.verbatim(*b"txt", report.as_bytes());
    Ok(())
}

fn time(cx: &mut Cx<'_>, _: Args<'_>) -> Result<(), Fail> {
    let now = cx.wall();
    let micros = now.as_millis().rem_euclid(1000) * 1000;
    cx.out.array(2);
    cx.out.bulk_int(now.as_secs());
    cx.out.bulk_int(micros);
    Ok(())
}

fn dbsize(cx: &mut Cx<'_>, _: Args<'_>) -> Result<(), Fail> {
    let len = cx.data.keys.db(cx.data.db).len();
    cx.out.int(len as i64);
    Ok(())
}

/// ASYNC and SYNC are both served at once: the memory is freed in slices either way.
fn flush_mode(mut args: Args<'_>) -> Result<(), Fail> {
    if !args.is_done() && !args.keyword("async") && !args.keyword("sync") {
        return Err(Fail::Syntax);
    }
    args.end()
}

fn flushdb(cx: &mut Cx<'_>, args: Args<'_>) -> Result<(), Fail> {
    flush_mode(args)?;
    let db = cx.data.db;
    cx.data.flush(db);
    // Even an empty database is flushed on replicas, which may hold what expired here.
    cx.propagate_unchanged(args.argv());
    cx.out.ok();
    Ok(())
}

fn flushall(cx: &mut Cx<'_>, args: Args<'_>) -> Result<(), Fail> {
    flush_mode(args)?;
    for db in 0..cx.data.keys.dbs().len() {
        cx.data.flush(db);
    }
    cx.data.st.own_expiry.clear();
    cx.propagate_unchanged(args.argv());
    if cx.data.st.config.save_points().is_empty() {
        cx.data.st.persist.want_no_save();
        cx.out.ok();
    } else {
        // Or a restart would bring back what was deleted.
        cx.save_what_is_left();
    }
    Ok(())
}

fn swapdb(cx: &mut Cx<'_>, mut args: Args<'_>) -> Result<(), Fail> {
    let databases = cx.data.keys.dbs().len();
    let mut index = |bad: &'static str| args.int32().map_err(|_| Fail::Plain(bad));
    let first = index("invalid first DB index")?;
    let second = index("invalid second DB index")?;
    let within = |index: i64| {
        let index = usize::try_from(index).ok();
        let index = index.filter(|&index| index < databases);
        index.ok_or(Fail::DbOutOfRange)
    };
    cx.data.swap(within(first)?, within(second)?);
    cx.out.ok();
    Ok(())
}

fn lastsave(cx: &mut Cx<'_>, _: Args<'_>) -> Result<(), Fail> {
    let at = cx.data.st.persist.last_save();
    cx.out.int(at.as_secs());
    Ok(())
}

fn save(cx: &mut Cx<'_>, _: Args<'_>) -> Result<(), Fail> {
    if cx.data.st.persist.is_background_saving() {
        return Err(Fail::Plain("Background save already in progress"));
    }
    cx.start_save()?;
    cx.wait_for_save();
    Ok(())
}

fn bgrewriteaof(cx: &mut Cx<'_>, _: Args<'_>) -> Result<(), Fail> {
    let begins = cx.rewrite_aof()?;
    cx.out.simple(if begins {
        "Background append only file rewriting started"
    } else {
        "Background append only file rewriting scheduled"
    });
    Ok(())
}

fn bgsave(cx: &mut Cx<'_>, mut args: Args<'_>) -> Result<(), Fail> {
    let schedule = args.keyword("schedule");
    args.end()?;
    if cx.data.st.persist.is_background_saving() {
        return Err(Fail::Plain("Background save already in progress"));
    }
    // Within a transaction it would save, and name the place of, half of it.
    let executing = cx.client().flags.has(ClientFlags::EXECUTING);
    if executing || (schedule && cx.data.st.persist.is_snapshotting()) {
        cx.data.st.persist.schedule_save();
        cx.out.simple("Background saving scheduled");
        return Ok(());
    }
    cx.start_save()?;
    cx.out.simple("Background saving started");
    Ok(())
}

fn shutdown(cx: &mut Cx<'_>, mut args: Args<'_>) -> Result<(), Fail> {
    let mut request = Request::default();
    let mut abort = false;
    while !args.is_done() {
        if args.keyword("nosave") {
            if request.saving == Saving::Always {
                return Err(Fail::Syntax);
            }
            request.saving = Saving::Never;
        } else if args.keyword("save") {
            if request.saving == Saving::Never {
                return Err(Fail::Syntax);
            }
            request.saving = Saving::Always;
        } else if args.keyword("now") {
            request.now = true;
        } else if args.keyword("force") {
            request.force = true;
        } else if args.keyword("abort") {
            abort = true;
        } else {
            return Err(Fail::Syntax);
        }
    }
    if abort {
        if request != Request::default() {
            return Err(Fail::Syntax);
        }
        if !cx.data.st.abort_shutdown() {
            return Err(Fail::Plain("No shutdown in progress."));
        }
        cx.out.ok();
        return Ok(());
    }
    // What a script has done so far is not to be seen by anyone.
    if cx.data.st.scripts.is_running() && request.saving != Saving::Never {
        return Err(Fail::BUSY);
    }
    cx.wait_for_shutdown(request)
}
