//! MEMORY: what takes how much memory.

use super::args::Args;
use super::cx::Cx;
use super::fail::Fail;
use super::help;
use super::spec::{Acl, Arity, Docs, Flags as F, Group, Handler, KeyFlags as K, KeySpec, Spec};
use crate::resp::Reply;
use crate::server::memory_report::MemoryReport;

/// A row of this family: they differ in few things.
const fn row(
    name: &'static str,
    run: Handler,
    arity: Arity,
    tips: &'static [&'static str],
    docs: (&'static str, &'static str, &'static str),
) -> Spec {
    Spec {
        name,
        run,
        arity,
        flags: F::NONE,
        acl: Acl::NONE,
        keys: &[],
        tips,
        docs: Docs {
            summary: docs.0,
            since: "4.0.0",
            group: Group::Server,
            complexity: docs.1,
            syntax: docs.2,
        },
        subcommands: &[],
    }
}

const REPORT: &[&str] = &[
    "nondeterministic_output",
    "request_policy:all_shards",
    "response_policy:special",
];

/// The family's rows.
pub static COMMANDS: &[Spec] = &[Spec {
    subcommands: SUBCOMMANDS,
    ..row(
        "memory",
        help::container,
        Arity::AtLeast(2),
        &[],
        (
            "Commands about the use of memory.",
            "Depends on subcommand.",
            "",
        ),
    )
}];

const SUBCOMMANDS: &[Spec] = &[
    row(
        "doctor",
        doctor,
        Arity::Exactly(2),
        REPORT,
        ("Says what is unusual in the use of memory.", "O(1)", ""),
    ),
    Spec {
        flags: F::LOADING.and(F::STALE),
        ..row(
            "help",
            memory_help,
            Arity::Exactly(2),
            &[],
            ("Lists the subcommands.", "O(1)", ""),
        )
    },
    row(
        "malloc-stats",
        malloc_stats,
        Arity::Exactly(2),
        REPORT,
        ("Returns what the allocator tells of itself.", "O(1)", ""),
    ),
    row(
        "purge",
        purge,
        Arity::Exactly(2),
        &["request_policy:all_shards", "response_policy:all_succeeded"],
        ("Asks the allocator for memory it holds back.", "O(1)", ""),
    ),
    row(
        "stats",
        stats,
        Arity::Exactly(2),
        REPORT,
        ("Returns what takes how much memory.", "O(1)", ""),
    ),
    Spec {
        flags: F::READONLY,
        keys: &[KeySpec::at(2, K::RO)],
        ..row(
            "usage",
            usage,
            Arity::AtLeast(3),
            &[],
            (
                "Returns the bytes a key and its value take.",
                "O(N) in the number of allocations of the value",
                "<key> [SAMPLES <count>]",
            ),
        )
    },
];

/// SAMPLES has no influence: the memory of a value is known exactly.
fn usage(cx: &mut Cx<'_>, mut args: Args<'_>) -> Result<(), Fail> {
    let key = args.bulk()?;
    while !args.is_done() {
        if args.left() < 2 || !args.keyword("samples") || args.int()? < 0 {
            return Err(Fail::Syntax);
        }
    }
    // Neither a look-up nor a use, and an expired key that is still there takes memory.
    match cx.data.keys.db(cx.data.db).get(key) {
        Some(entry) => cx.out.int(entry.memory() as i64),
        None => cx.out.null(),
    }
    Ok(())
}

fn stats(cx: &mut Cx<'_>, _: Args<'_>) -> Result<(), Fail> {
    let report = cx.data.st.memory_report(cx.data.keys);
    cx.out.map(27 + report.tables.len());
    write_parts(&mut cx.out, &report);
    write_shares(&mut cx.out, &report);
    Ok(())
}

fn write_parts(out: &mut Reply<'_>, report: &MemoryReport) {
    let parts = [
        ("peak.allocated", report.peak),
        ("total.allocated", report.used),
        ("startup.allocated", report.startup),
        ("replication.backlog", report.backlog),
        ("clients.slaves", report.replicas),
        ("clients.normal", report.clients),
        ("cluster.links", 0),
        ("aof.buffer", 0),
        ("lua.caches", report.scripts),
        ("functions.caches", 0),
    ];
    for (name, bytes) in parts {
        amount(out, name, bytes);
    }
    for &(db, bytes) in &report.tables {
        out.bulk(format!("db.{db}").as_bytes());
        out.map(3);
        amount(out, "overhead.hashtable.main", bytes);
        // Times of expiry lie with their keys.
        amount(out, "overhead.hashtable.expires", 0);
        amount(out, "overhead.hashtable.slot-to-keys", 0);
    }
    amount(out, "overhead.total", report.overhead());
    amount(out, "keys.count", report.keys);
    amount(out, "keys.bytes-per-key", report.bytes_per_key());
    amount(out, "dataset.bytes", report.dataset());
}

fn write_shares(out: &mut Reply<'_>, report: &MemoryReport) {
    let facts = &report.facts;
    ratio(out, "dataset.percentage", report.dataset_percent());
    ratio(out, "peak.percentage", report.peak_percent());
    amount(out, "allocator.allocated", facts.allocated_bytes);
    amount(out, "allocator.active", facts.active_bytes);
    amount(out, "allocator.resident", facts.resident_bytes);
    let shares = [
        (
            "allocator-fragmentation",
            facts.active_bytes,
            facts.allocated_bytes,
        ),
        ("allocator-rss", facts.resident_bytes, facts.active_bytes),
        ("rss-overhead", facts.rss_bytes, facts.resident_bytes),
    ];
    for (name, whole, part) in shares {
        ratio(
            out,
            &format!("{name}.ratio"),
            MemoryReport::ratio(whole, part),
        );
        difference(out, &format!("{name}.bytes"), whole, part);
    }
    ratio(out, "fragmentation", report.fragmentation());
    difference(out, "fragmentation.bytes", facts.rss_bytes, report.used);
}

fn amount(out: &mut Reply<'_>, name: &str, bytes: u64) {
    out.bulk(name.as_bytes());
    out.int(i64::try_from(bytes).unwrap_or(i64::MAX));
}

fn difference(out: &mut Reply<'_>, name: &str, whole: u64, part: u64) {
    out.bulk(name.as_bytes());
    let bytes = i128::from(whole) - i128::from(part);
    out.int(i64::try_from(bytes).unwrap_or(i64::MAX));
}

fn ratio(out: &mut Reply<'_>, name: &str, value: f64) {
    out.bulk(name.as_bytes());
    out.double(value);
}

fn doctor(cx: &mut Cx<'_>, _: Args<'_>) -> Result<(), Fail> {
    let report = cx.data.st.memory_report(cx.data.keys);
    let text = diagnosis(&report, cx.data.st.conns.len() as u64);
    cx.out.verbatim(*b"txt", text.as_bytes());
    Ok(())
}

/// What is unusual, by the thresholds that Redis has.
fn diagnosis(report: &MemoryReport, connections: u64) -> String {
    const SMALL_BYTES: u64 = 5 << 20;
    const WASTE_BYTES: u64 = 10 << 20;
    const CLIENT_BYTES: u64 = 200 << 10;
    const REPLICA_BYTES: u64 = 10 << 20;
    if report.used < SMALL_BYTES {
        return "Hi Sam, there is next to nothing in memory here, so there is nothing to find \
                out. Please come again when there is some data.\n"
            .into();
    }
    let facts = &report.facts;
    let wastes = |whole: u64, part: u64, most: f64| {
        MemoryReport::ratio(whole, part) > most && whole.saturating_sub(part) > WASTE_BYTES
    };
    let clients = connections.saturating_sub(report.replica_count).max(1);
    let findings = [
        (
            MemoryReport::ratio(report.peak, report.used) > 1.5,
            "Peak memory: there was a time with more than one and a half times the memory in \
             use now. The allocator may hold it back; MEMORY PURGE asks for it.",
        ),
        (
            wastes(facts.rss_bytes, report.used, 1.4),
            "High total RSS: the process holds more than 1.4 times the memory in use.",
        ),
        (
            wastes(facts.active_bytes, facts.allocated_bytes, 1.1),
            "High allocator fragmentation: pages are used by less than nine tenths.",
        ),
        (
            wastes(facts.resident_bytes, facts.active_bytes, 1.1),
            "High allocator RSS overhead: the allocator keeps pages that nothing is in; MEMORY \
             PURGE may free them.",
        ),
        (
            wastes(facts.rss_bytes, facts.resident_bytes, 1.1),
            "High process RSS overhead: much memory of the process is not the allocator's.",
        ),
        (
            report.clients / clients > CLIENT_BYTES,
            "Big client buffers: clients hold more than 200 kB each on average. See who in \
             CLIENT LIST.",
        ),
        (
            report.replicas > REPLICA_BYTES,
            "Big replica buffers: replicas lag behind by more than 10 MB.",
        ),
    ];
    let found: Vec<_> = findings
        .iter()
        .filter(|(holds, _)| *holds)
        .map(|(_, text)| format!(" * {text}\n"))
        .collect();
    if found.is_empty() {
        return "Hi Sam, nothing unusual was found in the use of memory.\n".into();
    }
    format!("Hi Sam, this is what was found:\n\n{}", found.concat())
}

/// The allocator belongs to the process, which tells of it what it can.
fn malloc_stats(cx: &mut Cx<'_>, _: Args<'_>) -> Result<(), Fail> {
    let facts = &cx.data.st.facts;
    let text = format!(
        "allocator: {}\nallocated: {}\nactive: {}\nresident: {}\n",
        cx.data.st.launch.allocator,
        facts.allocated_bytes,
        facts.active_bytes,
        facts.resident_bytes,
    );
    cx.out.verbatim(*b"txt", text.as_bytes());
    Ok(())
}

/// The allocator gives memory back on its own; there is nothing to ask of it.
fn purge(cx: &mut Cx<'_>, _: Args<'_>) -> Result<(), Fail> {
    cx.out.ok();
    Ok(())
}

fn memory_help(cx: &mut Cx<'_>, _: Args<'_>) -> Result<(), Fail> {
    help::reply(&mut cx.out, "MEMORY", SUBCOMMANDS);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_doctor_finds_what_is_unusual_and_nothing_else() {
        let mut report = MemoryReport {
            used: 1 << 20,
            ..MemoryReport::default()
        };
        assert!(diagnosis(&report, 1).contains("next to nothing"));
        report.used = 100 << 20;
        report.peak = 120 << 20;
        assert!(diagnosis(&report, 1).contains("nothing unusual"));
        report.peak = 160 << 20;
        report.facts.rss_bytes = 150 << 20;
        report.clients = 3 << 20;
        let text = diagnosis(&report, 10);
        for finding in ["Peak memory", "High total RSS", "Big client buffers"] {
            assert!(text.contains(finding), "{finding}: {text}");
        }
        assert!(!text.contains("Big replica buffers"));
    }
}
