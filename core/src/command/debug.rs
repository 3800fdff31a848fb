//! DEBUG: for tests and for people who look for a fault.

mod describe;
mod protocol;

use super::args::Args;
use super::cx::Cx;
use super::fail::Fail;
use super::help;
use super::spec::{Acl, Arity, Docs, Flags as F, Group, Handler, Spec};
use crate::glob;
use crate::keyspace::Ttl;
use crate::server::digest;
use core::time::Duration;

/// A row of this family: they differ in few things. Redis tells a wrong number of arguments and
/// an unknown subcommand with one text, so the handlers count their arguments.
const fn row(name: &'static str, run: Handler, docs: (&'static str, &'static str)) -> Spec {
    Spec {
        name,
        run,
        arity: Arity::AtLeast(2),
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

const FLAGS: F = F::ADMIN
    .and(F::NOSCRIPT)
    .and(F::LOADING)
    .and(F::STALE)
    .and(F::PROTECTED)
    .and(F::UNDIVIDED);

/// The family's rows.
pub static COMMANDS: &[Spec] = &[Spec {
    subcommands: SUBCOMMANDS,
    ..row(
        "debug",
        help::container,
        ("Commands for tests and fault finding.", ""),
    )
}];

const SUBCOMMANDS: &[Spec] = &[
    row(
        "aof-flush-sleep",
        flush_sleep,
        (
            "Holds back what goes to the append-only file, and with it the replies.",
            "<microseconds>",
        ),
    ),
    row(
        "assert",
        crash,
        ("Ends the process by a failed assertion.", ""),
    ),
    row(
        "change-repl-id",
        change_repl_id,
        (
            "Gives the dataset a new replication id, so that no replica can go on.",
            "",
        ),
    ),
    row(
        "client-enforce-reply-list",
        strangers_read,
        (
            "Lets no reply wait for a client that never authenticated.",
            "<0|1>",
        ),
    ),
    row(
        "client-eviction",
        describe::client_eviction,
        ("Returns how many clients of each size there are.", ""),
    ),
    row(
        "dict-resizing",
        accept_one,
        (
            "Has no effect: tables grow and shrink in small steps.",
            "<0|1>",
        ),
    ),
    row(
        "digest",
        digest_all,
        ("Returns a fingerprint of the dataset.", ""),
    ),
    row(
        "digest-value",
        digest_value,
        ("Returns fingerprints of values.", "<key> [<key> ...]"),
    ),
    row(
        "drop-cluster-packet-filter",
        accept_number,
        ("Has no effect: there is no cluster.", "<packet-type>"),
    ),
    row("error", error, ("Replies with an error.", "<message>")),
    row("help", debug_help, ("Lists the subcommands.", "")),
    row(
        "htstats",
        describe::htstats,
        ("Returns the size of a database's table.", "<dbid> [full]"),
    ),
    row(
        "htstats-key",
        describe::htstats_key,
        ("Returns the size of a value's table.", "<key> [full]"),
    ),
    row(
        "listpack",
        describe::listpack,
        ("Writes the entries of a small value into the log.", "<key>"),
    ),
    row(
        "loadaof",
        load_log,
        ("Loads the dataset anew from the append-only file.", ""),
    ),
    row("log", log, ("Writes a line into the log.", "<message>")),
    row(
        "object",
        describe::object,
        ("Describes how a value is kept.", "<key>"),
    ),
    row(
        "oom",
        crash,
        ("Ends the process as if there were no memory left.", ""),
    ),
    row("panic", crash, ("Ends the process as after a fault.", "")),
    row(
        "pause-cron",
        pause_cron,
        (
            "Stops what is done by the clock, or lets it go on.",
            "<0|1>",
        ),
    ),
    row(
        "populate",
        populate,
        (
            "Makes strings that are there on this server alone.",
            "<count> [<prefix>] [<size>]",
        ),
    ),
    row(
        "protocol",
        protocol::reply,
        ("Replies with a value of a type.", "<type>"),
    ),
    row(
        "quicklist",
        describe::quicklist,
        (
            "Writes the chunks of a long list into the log.",
            "<key> [<0|1>]",
        ),
    ),
    row(
        "quicklist-packed-threshold",
        packed_threshold,
        ("Has no effect: a long item always lies alone.", "<size>"),
    ),
    row(
        "reload",
        reload,
        ("Encodes the dataset as a snapshot and loads it again.", ""),
    ),
    row(
        "replicate",
        replicate,
        (
            "Sends a command to the replicas alone.",
            "<command> [<arg> ...]",
        ),
    ),
    row(
        "replybuffer",
        reply_buffer,
        (
            "Has no effect: buffers are as large as they have to be.",
            "<PEAK-RESET-TIME <NEVER|RESET|ms> | RESIZING <0|1>>",
        ),
    ),
    row(
        "segfault",
        crash,
        ("Ends the process as after a fault.", ""),
    ),
    row(
        "set-active-expire",
        set_active_expire,
        ("Switches the expiry of untouched keys.", "<0|1>"),
    ),
    row(
        "set-disable-deny-scripts",
        unbind_scripts,
        ("Lets scripts call every command.", "<0|1>"),
    ),
    row(
        "set-skip-checksum-validation",
        skip_checksum,
        (
            "Lets checksums of files and of RESTORE go unchecked.",
            "<0|1>",
        ),
    ),
    row(
        "sleep",
        sleep,
        ("Stops the server for a time.", "<seconds>"),
    ),
    row(
        "stringmatch-test",
        stringmatch_test,
        ("Matches random texts with random patterns.", ""),
    ),
];

/// What Redis says of arguments that DEBUG can't make sense of.
fn bad(args: Args<'_>) -> Fail {
    Fail::subcommand_syntax(args.argv().get(1), "DEBUG")
}

/// So many arguments have to follow.
fn expect(args: Args<'_>, count: core::ops::RangeInclusive<usize>) -> Result<(), Fail> {
    if count.contains(&args.left()) {
        Ok(())
    } else {
        Err(bad(args))
    }
}

/// A number as C's atoi reads it: what does not begin with one is 0.
fn lenient(text: &[u8]) -> i64 {
    let text = String::from_utf8_lossy(text);
    let text = text.trim_start();
    let sign = usize::from(text.starts_with(['-', '+']));
    let digits = text[sign..].bytes().take_while(u8::is_ascii_digit).count();
    text[..sign + digits].parse().unwrap_or(0)
}

fn switch(mut args: Args<'_>) -> Result<bool, Fail> {
    expect(args, 1..=1)?;
    Ok(lenient(args.bulk()?) != 0)
}

fn digest_all(cx: &mut Cx<'_>, args: Args<'_>) -> Result<(), Fail> {
    expect(args, 0..=0)?;
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
    expect(args, 1..=1)?;
    let text = String::from_utf8_lossy(args.bulk()?).into_owned();
    tracing::warn!("DEBUG LOG: {text}");
    cx.out.ok();
    Ok(())
}

fn load_log(cx: &mut Cx<'_>, args: Args<'_>) -> Result<(), Fail> {
    expect(args, 0..=0)?;
    cx.wait_for_replay()
}

fn error(_: &mut Cx<'_>, mut args: Args<'_>) -> Result<(), Fail> {
    expect(args, 1..=1)?;
    Err(Fail::whole(args.bulk()?))
}

fn set_active_expire(cx: &mut Cx<'_>, args: Args<'_>) -> Result<(), Fail> {
    cx.data.st.debug.active_expire = switch(args)?;
    cx.out.ok();
    Ok(())
}

fn unbind_scripts(cx: &mut Cx<'_>, args: Args<'_>) -> Result<(), Fail> {
    cx.data.st.debug.scripts_unbound = switch(args)?;
    cx.out.ok();
    Ok(())
}

fn pause_cron(cx: &mut Cx<'_>, args: Args<'_>) -> Result<(), Fail> {
    cx.data.st.debug.cron_paused = switch(args)?;
    cx.out.ok();
    Ok(())
}

fn strangers_read(cx: &mut Cx<'_>, args: Args<'_>) -> Result<(), Fail> {
    cx.data.st.debug.strangers_read = switch(args)?;
    cx.out.ok();
    Ok(())
}

fn skip_checksum(cx: &mut Cx<'_>, args: Args<'_>) -> Result<(), Fail> {
    cx.data.st.debug.skip_checksum = switch(args)?;
    cx.out.ok();
    Ok(())
}

fn accept_one(cx: &mut Cx<'_>, args: Args<'_>) -> Result<(), Fail> {
    expect(args, 1..=1)?;
    cx.out.ok();
    Ok(())
}

fn accept_number(cx: &mut Cx<'_>, mut args: Args<'_>) -> Result<(), Fail> {
    expect(args, 1..=1)?;
    args.int()?;
    cx.out.ok();
    Ok(())
}

fn packed_threshold(cx: &mut Cx<'_>, mut args: Args<'_>) -> Result<(), Fail> {
    const LONGEST: u64 = (1 << 32) - (1 << 20);
    expect(args, 1..=1)?;
    let bytes = crate::config::parse_memory(args.bulk()?);
    if bytes.is_none_or(|bytes| bytes > LONGEST) {
        return Err(Fail::Plain(
            "argument must be a memory value bigger than 1 and smaller than 4gb",
        ));
    }
    cx.out.ok();
    Ok(())
}

fn reply_buffer(cx: &mut Cx<'_>, mut args: Args<'_>) -> Result<(), Fail> {
    expect(args, 2..=2)?;
    let whole = args;
    if args.keyword("peak-reset-time") {
        if !args.keyword("never") && !args.keyword("reset") {
            args.int()?;
        }
    } else if !args.keyword("resizing") {
        return Err(bad(whole));
    }
    cx.out.ok();
    Ok(())
}

fn change_repl_id(cx: &mut Cx<'_>, args: Args<'_>) -> Result<(), Fail> {
    expect(args, 0..=0)?;
    tracing::info!("Changing replication IDs after receiving change-repl-id");
    cx.data.st.repl.change_id();
    cx.out.ok();
    Ok(())
}

/// What is sent is no change here, so that the datasets differ by it.
fn replicate(cx: &mut Cx<'_>, mut args: Args<'_>) -> Result<(), Fail> {
    if args.is_done() {
        return Err(bad(args));
    }
    let command: Vec<&[u8]> = args.rest().collect();
    cx.propagate_as(&command);
    cx.out.ok();
    Ok(())
}

fn populate(cx: &mut Cx<'_>, mut args: Args<'_>) -> Result<(), Fail> {
    expect(args, 1..=3)?;
    let positive = |args: &mut Args<'_>| {
        let number = args.int_within(0, i64::MAX, Fail::NotPositive);
        number.map_err(|_| Fail::NotPositive)
    };
    let count = positive(&mut args)?;
    let prefix = if args.is_done() { b"key" } else { args.bulk()? };
    let size = if args.is_done() {
        0
    } else {
        usize::try_from(positive(&mut args)?).map_err(|_| Fail::NotPositive)?
    };
    for number in 0..count {
        let mut key = prefix.to_vec();
        key.extend_from_slice(format!(":{number}").as_bytes());
        if cx.data.write(&key).is_some() {
            continue;
        }
        let mut value = format!("value:{number}").into_bytes();
        if size > 0 {
            value.resize(size, 0);
        }
        cx.data.set_str(&key, None, &value, Ttl::Clear);
        cx.data.st.touch_watched(cx.data.db, &key);
    }
    cx.out.ok();
    Ok(())
}

fn stringmatch_test(cx: &mut Cx<'_>, args: Args<'_>) -> Result<(), Fail> {
    expect(args, 0..=0)?;
    let rng = &mut cx.data.st.rng;
    let mut text = || {
        let mut bytes = vec![0; rng.below(17) as usize];
        rng.fill(&mut bytes);
        bytes
    };
    for _ in 0..STRINGMATCH_TESTS {
        let (pattern, subject) = (text(), text());
        glob::matches(&pattern, &subject);
    }
    cx.out.simple("Apparently Redis did not crash: test passed");
    Ok(())
}

fn flush_sleep(cx: &mut Cx<'_>, mut args: Args<'_>) -> Result<(), Fail> {
    expect(args, 1..=1)?;
    // As with atoi(3), what is no number is none.
    let micros = args.int().ok().and_then(|n| u64::try_from(n).ok());
    cx.data.st.debug.flush_sleep = Duration::from_micros(micros.unwrap_or(0));
    cx.out.ok();
    Ok(())
}

fn sleep(cx: &mut Cx<'_>, mut args: Args<'_>) -> Result<(), Fail> {
    expect(args, 1..=1)?;
    let text = core::str::from_utf8(args.bulk()?).unwrap_or_default();
    let seconds = text
        .parse()
        .ok()
        .and_then(|s| Duration::try_from_secs_f64(s).ok());
    let asleep = seconds.unwrap_or_default();
    cx.data.st.debug.asleep_until = Some(cx.data.st.now.mono + asleep);
    cx.data.st.persist.stall();
    cx.out.ok();
    Ok(())
}

fn reload(cx: &mut Cx<'_>, args: Args<'_>) -> Result<(), Fail> {
    expect(args, 0..=0)?;
    cx.reload()?;
    cx.out.ok();
    Ok(())
}

/// What the driver does about a fault of ours is what is asked for.
fn crash(_: &mut Cx<'_>, args: Args<'_>) -> Result<(), Fail> {
    let what = String::from_utf8_lossy(args.argv().get(1)).to_ascii_uppercase();
    panic!("DEBUG {what} was asked for");
}

fn debug_help(cx: &mut Cx<'_>, _: Args<'_>) -> Result<(), Fail> {
    help::reply(&mut cx.out, "DEBUG", SUBCOMMANDS);
    Ok(())
}

/// Texts and patterns that STRINGMATCH-TEST tries.
const STRINGMATCH_TESTS: usize = 100_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn switches_are_read_as_c_reads_numbers() {
        for (text, number) in [
            ("1", 1),
            (" -12x", -12),
            ("x", 0),
            ("", 0),
            ("+7", 7),
            ("-", 0),
        ] {
            assert_eq!(lenient(text.as_bytes()), number, "{text}");
        }
    }
}
