//! DEBUG: for tests and for people who look for a fault.

use super::args::Args;
use super::cx::Cx;
use super::fail::Fail;
use super::help;
use super::spec::{Acl, Arity, Docs, Flags as F, Group, Handler, Spec};
use crate::server::digest;
use core::time::Duration;

/// A row of this family: they differ in few things.
const fn row(
    name: &'static str,
    run: Handler,
    arity: Arity,
    docs: (&'static str, &'static str),
) -> Spec {
    Spec {
        name,
        run,
        arity,
        flags: FLAGS,
        acl: Acl::NONE,
        keys: &[],
        tips: &[],
        docs: Docs {
            summary: docs.0,
            since: "1.0.0",
            group: Group::Server,
            complexity: "Depends on subcommand.",
            syntax: docs.1,
        },
        subcommands: &[],
    }
}

/// Version and checksum at the end of a DUMP payload.
const DUMP_FOOTER_BYTES: usize = 10;
const FLAGS: F = F::ADMIN
    .and(F::NOSCRIPT)
    .and(F::LOADING)
    .and(F::STALE)
    .and(F::PROTECTED);

/// The family's rows.
pub static COMMANDS: &[Spec] = &[Spec {
    name: "debug",
    run: help::container,
    arity: Arity::AtLeast(2),
    flags: FLAGS,
    acl: Acl::NONE,
    keys: &[],
    tips: &[],
    docs: Docs {
        summary: "Commands for tests and fault finding.",
        since: "1.0.0",
        group: Group::Server,
        complexity: "Depends on subcommand.",
        syntax: "",
    },
    subcommands: &[
        row(
            "digest",
            digest_all,
            Arity::Exactly(2),
            ("Returns a fingerprint of the dataset.", ""),
        ),
        row(
            "digest-value",
            digest_value,
            Arity::AtLeast(3),
            ("Returns fingerprints of values.", "<key> [<key> ...]"),
        ),
        row(
            "help",
            debug_help,
            Arity::Exactly(2),
            ("Lists the subcommands.", ""),
        ),
        row(
            "log",
            log,
            Arity::Exactly(3),
            ("Writes a line into the log.", "<message>"),
        ),
        row(
            "object",
            object,
            Arity::Exactly(3),
            ("Describes how a value is kept.", "<key>"),
        ),
        row(
            "reload",
            reload,
            Arity::Exactly(2),
            ("Encodes the dataset as a snapshot and loads it again.", ""),
        ),
        row(
            "set-active-expire",
            set_active_expire,
            Arity::Exactly(3),
            ("Switches the expiry of untouched keys.", "<0|1>"),
        ),
        row(
            "sleep",
            sleep,
            Arity::Exactly(3),
            ("Stops the server for a time.", "<seconds>"),
        ),
    ],
}];

fn digest_all(cx: &mut Cx<'_>, _: Args<'_>) -> Result<(), Fail> {
    let text = digest::hex(digest::dataset(cx.data.keys));
    cx.out.simple(&text);
    Ok(())
}

fn digest_value(cx: &mut Cx<'_>, mut args: Args<'_>) -> Result<(), Fail> {
    cx.out.array(args.left());
    for key in args.rest() {
        let found = cx.data.keys.db(cx.data.db).get(key);
        let digest = found.map_or(digest::EMPTY, |entry| digest::value(entry.value()));
        cx.out.simple(&digest::hex(digest));
    }
    Ok(())
}

fn log(cx: &mut Cx<'_>, mut args: Args<'_>) -> Result<(), Fail> {
    let text = String::from_utf8_lossy(args.bulk()?).into_owned();
    tracing::warn!("DEBUG LOG: {text}");
    cx.out.ok();
    Ok(())
}

fn object(cx: &mut Cx<'_>, mut args: Args<'_>) -> Result<(), Fail> {
    let entry = cx
        .data
        .keys
        .db(cx.data.db)
        .get(args.bulk()?)
        .ok_or(Fail::NoSuchKey)?;
    let text = format!(
        "Value at:0x0 refcount:1 encoding:{} serializedlength:{} lru:{} lru_seconds_idle:0",
        entry.encoding(),
        crate::persist::rdb::dump(entry.value(), false).len() - DUMP_FOOTER_BYTES,
        entry.lru(),
    );
    cx.out.simple(&text);
    Ok(())
}

fn set_active_expire(cx: &mut Cx<'_>, mut args: Args<'_>) -> Result<(), Fail> {
    cx.data.st.debug.active_expire = args.int()? != 0;
    cx.out.ok();
    Ok(())
}

fn sleep(cx: &mut Cx<'_>, mut args: Args<'_>) -> Result<(), Fail> {
    let text = core::str::from_utf8(args.bulk()?).unwrap_or_default();
    let seconds = text
        .parse()
        .ok()
        .and_then(|s| Duration::try_from_secs_f64(s).ok());
    let asleep = seconds.unwrap_or_default();
    cx.data.st.debug.asleep_until = Some(cx.data.st.now.mono + asleep);
    cx.out.ok();
    Ok(())
}

fn reload(cx: &mut Cx<'_>, _: Args<'_>) -> Result<(), Fail> {
    cx.reload()?;
    cx.out.ok();
    Ok(())
}

fn debug_help(cx: &mut Cx<'_>, _: Args<'_>) -> Result<(), Fail> {
    help::reply(&mut cx.out, "DEBUG", COMMANDS[0].subcommands);
    Ok(())
}
