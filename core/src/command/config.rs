//! CONFIG.

use super::args::Args;
use super::cx::Cx;
use super::fail::Fail;
use super::help;
use super::spec::{Acl, Arity, Docs, Flags as F, Group, Handler, Spec};
use crate::config::SetRules;

/// A row of this family: they differ in few things.
const fn row(
    name: &'static str,
    run: Handler,
    arity: Arity,
    docs: (&'static str, &'static str, &'static str),
) -> Spec {
    Spec {
        name,
        run,
        arity,
        flags: F::ADMIN.and(F::NOSCRIPT).and(F::LOADING).and(F::STALE),
        acl: Acl::NONE,
        keys: &[],
        tips: &[],
        docs: Docs {
            summary: docs.0,
            since: docs.1,
            group: Group::Server,
            complexity: "O(N) in the number of parameters",
            syntax: docs.2,
        },
        subcommands: &[],
    }
}

/// The family's rows.
pub static COMMANDS: &[Spec] = &[Spec {
    name: "config",
    run: help::container,
    arity: Arity::AtLeast(2),
    flags: F::NONE,
    acl: Acl::SLOW,
    keys: &[],
    tips: &[],
    docs: Docs {
        summary: "Commands about the configuration.",
        since: "2.0.0",
        group: Group::Server,
        complexity: "Depends on subcommand.",
        syntax: "",
    },
    subcommands: &[
        row(
            "get",
            get,
            Arity::AtLeast(3),
            ("Returns parameters.", "2.0.0", "parameter [parameter ...]"),
        ),
        Spec {
            flags: F::LOADING.and(F::STALE),
            ..row(
                "help",
                config_help,
                Arity::Exactly(2),
                ("Lists the subcommands.", "5.0.0", ""),
            )
        },
        row(
            "resetstat",
            resetstat,
            Arity::Exactly(2),
            ("Sets the counters of INFO to zero.", "2.0.0", ""),
        ),
        row(
            "rewrite",
            rewrite,
            Arity::Exactly(2),
            (
                "Writes the parameters in force into the configuration file.",
                "2.8.0",
                "",
            ),
        ),
        Spec {
            tips: &["request_policy:all_nodes", "response_policy:all_succeeded"],
            ..row(
                "set",
                set,
                Arity::AtLeast(4),
                (
                    "Sets parameters, all or none.",
                    "2.0.0",
                    "parameter value [parameter value ...]",
                ),
            )
        },
    ],
}];

fn get(cx: &mut Cx<'_>, mut args: Args<'_>) -> Result<(), Fail> {
    let patterns: Vec<_> = args.rest().collect();
    let found = cx.data.st.config.get(&patterns);
    cx.out.map(found.len());
    for (name, value) in found {
        cx.out.bulk(&name);
        cx.out.bulk(&value);
    }
    Ok(())
}

fn set(cx: &mut Cx<'_>, mut args: Args<'_>) -> Result<(), Fail> {
    if !args.left().is_multiple_of(2) {
        return Err(Fail::Syntax);
    }
    let mut pairs = Vec::with_capacity(args.left() / 2);
    while !args.is_done() {
        pairs.push((args.bulk()?, args.bulk()?));
    }
    let rules = SetRules {
        protected_allowed: cx.may_use(cx.data.st.config.enable_protected_configs()),
        loading: cx.data.st.is_loading() || cx.data.st.persist.is_receiving(),
    };
    let failed = |error: crate::config::SetError| Fail::whole(error.text());
    let changes = cx.data.st.config.set(&pairs, rules).map_err(failed)?;
    if let Err(error) = cx.apply(&changes) {
        cx.data.st.config.undo(changes);
        return Err(failed(error));
    }
    cx.out.ok();
    Ok(())
}

fn rewrite(cx: &mut Cx<'_>, _: Args<'_>) -> Result<(), Fail> {
    if cx.data.st.config.file().is_none() {
        return Err(Fail::Plain("The server is running without a config file"));
    }
    cx.reply_when_rewritten();
    Ok(())
}

fn resetstat(cx: &mut Cx<'_>, _: Args<'_>) -> Result<(), Fail> {
    cx.data.st.stats.reset();
    cx.data.st.repl.reset_stats();
    cx.data.keys.forget_freed();
    cx.out.ok();
    Ok(())
}

fn config_help(cx: &mut Cx<'_>, _: Args<'_>) -> Result<(), Fail> {
    help::reply(&mut cx.out, "CONFIG", COMMANDS[0].subcommands);
    Ok(())
}
