//! Lua scripts.

use super::args::Args;
use super::cx::{Cx, Origin};
use super::fail::Fail;
use super::gates::Conditions;
use super::help;
use super::spec::{Acl, Arity, Docs, Flags as F, Group, Handler, KeyFlags, KeySpec, Spec};
use crate::script::{Call, Sha};
use crate::server::scripts::{ScriptFlags, Use};

const RUNS: F = F::NOSCRIPT
    .and(F::STALE)
    .and(F::SKIP_MONITOR)
    .and(F::NO_MANDATORY_KEYS)
    .and(F::MOVABLE_KEYS)
    .and(F::RUNS_SCRIPT);
const MAY_WRITE: &[KeySpec] = &[KeySpec::counted(
    2,
    KeyFlags::RW.and(KeyFlags::ACCESS).and(KeyFlags::UPDATE),
)];
const READS: &[KeySpec] = &[KeySpec::counted(2, KeyFlags::RO.and(KeyFlags::ACCESS))];
const TO_ALL_NODES: &[&str] = &["request_policy:all_nodes", "response_policy:all_succeeded"];

/// A row of this family: they differ in few things.
const fn row(
    name: &'static str,
    run: Handler,
    arity: Arity,
    flags: F,
    keys: &'static [KeySpec],
    tips: &'static [&'static str],
    docs: (&'static str, &'static str, &'static str),
) -> Spec {
    Spec {
        name,
        run,
        arity,
        flags,
        acl: Acl::SCRIPTING,
        keys,
        tips,
        docs: Docs {
            summary: docs.0,
            since: docs.1,
            group: Group::Scripting,
            complexity: "Depends on the script that is executed.",
            syntax: docs.2,
        },
        subcommands: &[],
    }
}

/// The family's rows.
pub static COMMANDS: &[Spec] = &[
    row(
        "eval",
        |cx, args| eval(cx, args, Access::Any),
        Arity::AtLeast(3),
        RUNS.and(F::MAY_REPLICATE),
        MAY_WRITE,
        &[],
        (
            "Runs a Lua script.",
            "2.6.0",
            "script numkeys [key [key ...]] [arg [arg ...]]",
        ),
    ),
    row(
        "evalsha",
        |cx, args| evalsha(cx, args, Access::Any),
        Arity::AtLeast(3),
        RUNS.and(F::MAY_REPLICATE),
        MAY_WRITE,
        &[],
        (
            "Runs a Lua script that the server knows, by its SHA1 digest.",
            "2.6.0",
            "sha1 numkeys [key [key ...]] [arg [arg ...]]",
        ),
    ),
    row(
        "eval_ro",
        |cx, args| eval(cx, args, Access::ReadOnly),
        Arity::AtLeast(3),
        RUNS.and(F::READONLY),
        READS,
        &[],
        (
            "Runs a Lua script that changes nothing.",
            "7.0.0",
            "script numkeys [key [key ...]] [arg [arg ...]]",
        ),
    ),
    row(
        "evalsha_ro",
        |cx, args| evalsha(cx, args, Access::ReadOnly),
        Arity::AtLeast(3),
        RUNS.and(F::READONLY),
        READS,
        &[],
        (
            "Runs a Lua script that the server knows and that changes nothing, by its SHA1 digest.",
            "7.0.0",
            "sha1 numkeys [key [key ...]] [arg [arg ...]]",
        ),
    ),
    Spec {
        name: "script",
        run: help::container,
        arity: Arity::AtLeast(2),
        flags: F::NONE,
        acl: Acl::SLOW,
        keys: &[],
        tips: &[],
        docs: Docs {
            summary: "Commands about Lua scripts.",
            since: "2.6.0",
            group: Group::Scripting,
            complexity: "Depends on subcommand.",
            syntax: "",
        },
        subcommands: SUBCOMMANDS,
    },
];

static SUBCOMMANDS: &[Spec] = &[
    row(
        "debug",
        debug,
        Arity::Exactly(3),
        F::NOSCRIPT,
        &[],
        &[],
        (
            "Sets the debug mode for the scripts that follow.",
            "3.2.0",
            "(YES|SYNC|NO)",
        ),
    ),
    row(
        "exists",
        exists,
        Arity::AtLeast(3),
        F::NOSCRIPT,
        &[],
        &[
            "request_policy:all_shards",
            "response_policy:agg_logical_and",
        ],
        (
            "Tells which scripts the server knows.",
            "2.6.0",
            "<sha1> [<sha1> ...]",
        ),
    ),
    row(
        "flush",
        flush,
        Arity::AtLeast(2),
        F::NOSCRIPT,
        &[],
        TO_ALL_NODES,
        ("Forgets all scripts.", "2.6.0", "[ASYNC|SYNC]"),
    ),
    row(
        "help",
        script_help,
        Arity::Exactly(2),
        F::LOADING.and(F::STALE),
        &[],
        &[],
        ("Lists the subcommands.", "5.0.0", ""),
    ),
    row(
        "kill",
        kill,
        Arity::Exactly(2),
        F::NOSCRIPT.and(F::ALLOW_BUSY),
        &[],
        &["request_policy:all_shards", "response_policy:one_succeeded"],
        (
            "Ends the script that runs, if it has written nothing.",
            "2.6.0",
            "",
        ),
    ),
    row(
        "load",
        load,
        Arity::Exactly(3),
        F::NOSCRIPT.and(F::STALE),
        &[],
        TO_ALL_NODES,
        (
            "Takes note of a script without running it; replies with its SHA1 digest.",
            "2.6.0",
            "<script>",
        ),
    ),
];

/// What a script may do, as its command says.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Access {
    Any,
    ReadOnly,
}

fn eval(cx: &mut Cx<'_>, mut args: Args<'_>, access: Access) -> Result<(), Fail> {
    let text = args.bulk()?;
    let (keys, args) = keys_and_args(args)?;
    let sha = Sha::of(text);
    cx.data.st.scripts.learn(sha, text, Use::Eval)?;
    run(cx, sha, keys, args, access)
}

fn evalsha(cx: &mut Cx<'_>, mut args: Args<'_>, access: Access) -> Result<(), Fail> {
    let sha = Sha::parse(args.bulk()?);
    let (keys, args) = keys_and_args(args)?;
    let known = sha.filter(|sha| cx.data.st.scripts.use_known(sha));
    run(cx, known.ok_or(NO_SCRIPT)?, keys, args, access)
}

const NO_SCRIPT: Fail = Fail::Coded("NOSCRIPT No matching script. Please use EVAL.");

type Texts<'a> = Vec<&'a [u8]>;

/// `numkeys`, the keys, and what is behind them.
fn keys_and_args(mut args: Args<'_>) -> Result<(Texts<'_>, Texts<'_>), Fail> {
    let count = args.int()?;
    let count =
        usize::try_from(count).map_err(|_| Fail::Plain("Number of keys can't be negative"))?;
    if count > args.left() {
        return Err(Fail::Plain(
            "Number of keys can't be greater than number of args",
        ));
    }
    let mut keys: Vec<_> = args.rest().collect();
    let args = keys.split_off(count);
    Ok((keys, args))
}

fn run(
    cx: &mut Cx<'_>,
    sha: Sha,
    keys: Texts<'_>,
    args: Texts<'_>,
    access: Access,
) -> Result<(), Fail> {
    let flags = cx.data.st.scripts.flags(&sha);
    // A script that declares nothing may read anything.
    let stale = cx.data.st.conditions.has(Conditions::STALE);
    if flags.is_none() && stale && cx.data.origin == Origin::Client {
        return Err(Fail::MasterDown);
    }
    let writes = flags.is_none_or(|flags| !flags.has(ScriptFlags::NO_WRITES));
    if access == Access::ReadOnly && flags.is_some() && writes {
        return Err(Fail::Plain(
            "Can not execute a script with write flag using *_ro command.",
        ));
    }
    let call = Call {
        sha,
        keys,
        args,
        proto: cx.out.proto(),
    };
    cx.run_script(&call, access == Access::ReadOnly || !writes)
}

fn load(cx: &mut Cx<'_>, mut args: Args<'_>) -> Result<(), Fail> {
    let text = args.bulk()?;
    let sha = Sha::of(text);
    cx.data.st.scripts.learn(sha, text, Use::Load)?;
    cx.out.bulk(sha.as_bytes());
    Ok(())
}

fn exists(cx: &mut Cx<'_>, mut args: Args<'_>) -> Result<(), Fail> {
    cx.out.array(args.left());
    for text in args.rest() {
        let known = Sha::parse(text).is_some_and(|sha| cx.data.st.scripts.knows(&sha));
        cx.out.int(i64::from(known));
    }
    Ok(())
}

fn flush(cx: &mut Cx<'_>, mut args: Args<'_>) -> Result<(), Fail> {
    // Scripts are few and small: it makes no difference here.
    let known = args.is_done() || args.keyword("async") || args.keyword("sync");
    if !known || !args.is_done() {
        return Err(Fail::Plain("SCRIPT FLUSH only support SYNC|ASYNC option"));
    }
    cx.data.st.scripts.flush();
    cx.out.ok();
    Ok(())
}

fn kill(cx: &mut Cx<'_>, _: Args<'_>) -> Result<(), Fail> {
    cx.data.st.kill_script()?;
    cx.out.ok();
    Ok(())
}

fn debug(cx: &mut Cx<'_>, mut args: Args<'_>) -> Result<(), Fail> {
    if args.keyword("no") {
        cx.out.ok();
        return Ok(());
    }
    Err(if args.keyword("yes") || args.keyword("sync") {
        Fail::Plain("There is no debugger for scripts")
    } else {
        Fail::Plain("Use SCRIPT DEBUG YES/SYNC/NO")
    })
}

fn script_help(cx: &mut Cx<'_>, _: Args<'_>) -> Result<(), Fail> {
    help::reply(&mut cx.out, "SCRIPT", SUBCOMMANDS);
    Ok(())
}
