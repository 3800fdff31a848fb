//! Compares Holdfast with another server, command by command, and shows what differs.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use clap::Parser;
use holdfast_tests::differential::{FAMILIES, Family, Pair, peers};
use holdfast_tests::say;

/// Compares Holdfast with another server.
#[derive(Debug, Parser)]
struct Options {
    /// The seeds, `first..end`.
    #[arg(long, default_value = "0..100", value_parser = seeds)]
    seeds: (u64, u64),
    /// Commands of a sequence.
    #[arg(long, default_value_t = 100)]
    commands: usize,
    /// The families, all by default.
    #[arg(long)]
    family: Vec<String>,
    /// The other server; by default the one HOLDFAST_DIFF_PEER names, or redis-server.
    #[arg(long)]
    peer: Option<PathBuf>,
    /// How many findings that look alike are shown.
    #[arg(long, default_value_t = 1)]
    alike: usize,
}

fn seeds(text: &str) -> Result<(u64, u64), String> {
    let (first, end) = text.split_once("..").ok_or("it is written first..end")?;
    let number = |text: &str| text.parse().map_err(|_| format!("{text} is no number"));
    Ok((number(first)?, number(end)?))
}

fn main() -> ExitCode {
    let options = Options::parse();
    let chosen = |family: &&Family| {
        options.family.is_empty() || options.family.iter().any(|name| name == family.name)
    };
    let families: Vec<&Family> = FAMILIES.iter().filter(chosen).collect();
    let peer = options.peer.clone().or_else(|| peers().into_iter().next());
    let (Some(peer), false) = (peer, families.is_empty()) else {
        let names: Vec<&str> = FAMILIES.iter().map(|family| family.name).collect();
        say(&format!(
            "no such server or family; families are {}",
            names.join(", ")
        ));
        return ExitCode::FAILURE;
    };
    let mut pair = Pair::start(&peer);
    say(&format!(
        "compared with {}, Redis {}",
        peer.display(),
        pair.version()
    ));
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    for family in families {
        hunt(&mut pair, family, &options, &mut seen);
    }
    for (signature, count) in &seen {
        say(&format!("{count:>6} {signature}"));
    }
    if seen.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

fn hunt(pair: &mut Pair, family: &Family, options: &Options, seen: &mut BTreeMap<String, usize>) {
    let known = pair.known(family);
    if known.is_empty() {
        say(&format!("{}: nothing that both know", family.name));
        return;
    }
    let started = Instant::now();
    let (mut runs, mut findings) = (0, 0);
    for seed in options.seeds.0..options.seeds.1 {
        runs += 1;
        let Some(difference) = pair.differs(family, &known, seed, options.commands) else {
            continue;
        };
        findings += 1;
        let count = seen.entry(difference.signature()).or_default();
        *count += 1;
        if *count <= options.alike
            && let Some(finding) = pair.check(family, &known, seed, options.commands)
        {
            say(&finding.show());
        }
    }
    let (took, sent) = (started.elapsed().as_secs_f64(), runs * options.commands);
    say(&format!(
        "{}: {} of {} rows, {runs} sequences, {findings} differ, {sent} commands in {took:.1} s",
        family.name,
        known.len(),
        family.rows.len()
    ));
}
