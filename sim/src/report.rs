//! What a run or a range of runs came to, in words.

use std::collections::BTreeMap;
use std::fmt::{self, Write as _};
use std::time::Duration;

use holdfast_core::sentinel::events;

use crate::run::{Outcome, Plan};

/// The run was well.
pub const EXIT_OK: u8 = 0;
/// The arguments or files make no sense.
pub const EXIT_USAGE: u8 = 2;
/// Something that many seeds have to reach was reached by too few.
pub const EXIT_RARE: u8 = 125;
/// Two runs of one plan differed.
pub const EXIT_NOT_REPEATABLE: u8 = 126;
/// A machine panicked, ended, did not start, logged an error or did not advance.
pub const EXIT_CRASH: u8 = 127;
/// A healed core did not recover in time.
pub const EXIT_LIVENESS: u8 = 128;
/// A property did not hold.
pub const EXIT_CORRECTNESS: u8 = 129;

/// The exit status for an outcome.
pub fn exit_code(outcome: &Outcome) -> u8 {
    match outcome.violation.as_ref().map(|violation| violation.oracle) {
        None => EXIT_OK,
        Some("panic" | "exit" | "boot" | "error-log" | "progress") => EXIT_CRASH,
        Some("liveness") => EXIT_LIVENESS,
        Some(_) => EXIT_CORRECTNESS,
    }
}

/// How a run can be repeated.
pub fn repeat_command(outcome: &Outcome, file: Option<&str>) -> String {
    match file {
        Some(file) => format!("cargo run --release -p sim -- --schedule {file} --trace"),
        None => format!(
            "cargo run --release -p sim -- --seed {} --trace",
            outcome.seed
        ),
    }
}

/// The report of one run.
pub fn describe(outcome: &Outcome, plan: &Plan, file: Option<&str>) -> String {
    let mut text = String::new();
    write_run(&mut text, outcome, plan, file).expect("a String takes everything");
    text
}

fn write_run(text: &mut String, outcome: &Outcome, plan: &Plan, file: Option<&str>) -> fmt::Result {
    let options = serde_json::to_string(&plan.options).expect("options are plain data");
    writeln!(text, "seed       {}", outcome.seed)?;
    writeln!(text, "options    {options}")?;
    writeln!(text, "events     {}", outcome.events)?;
    writeln!(
        text,
        "simulated  {:.3} s in {:.3} s, {:.0} per second",
        outcome.simulated.as_secs_f64(),
        outcome.wall.as_secs_f64(),
        rate(outcome.simulated, outcome.wall)
    )?;
    writeln!(text, "hash       {:032x}", outcome.hash)?;
    writeln!(text, "sentinels  {}", counts(&outcome.sentinel_events))?;
    writeln!(text, "faults     {}", counts(&outcome.faults))?;
    writeln!(text, "reached    {}", counts(&outcome.marks))?;
    let losses = outcome.losses;
    writeln!(
        text,
        "lost       {} acknowledged writes, all explained: {} behind a fork, {} never sent, {} with \
         their master; {} split reads",
        losses.total(),
        losses.forked,
        losses.unsent,
        losses.died,
        outcome.splits
    )?;
    if let Some((longest, lag)) = outcome.alone {
        let (longest, lag) = (longest.as_secs_f64(), lag.as_secs());
        writeln!(
            text,
            "alone      a write was taken {longest:.3} s after too few replicas could reach its \
             master, with min-replicas-max-lag {lag}"
        )?;
    }
    match &outcome.violation {
        None => writeln!(text, "ok"),
        Some(violation) => {
            writeln!(text, "FAILED     {violation}")?;
            writeln!(text, "repeat     {}", repeat_command(outcome, file))
        }
    }
}

/// Sums over a range of runs.
#[derive(Default)]
pub struct Summary {
    runs: u64,
    failures: Vec<(u64, String)>,
    simulated: Duration,
    wall: Duration,
    events: u64,
    losses: usize,
    splits: usize,
    /// The longest by which a write came later than `min-replicas-max-lag` after too few replicas
    /// could reach its master, and the seed.
    alone: Option<(Duration, u64)>,
    sentinel_events: BTreeMap<String, Reached>,
    marks: BTreeMap<String, Reached>,
}

/// How often something was seen.
struct Reached {
    times: u64,
    seeds: u64,
    first: u64,
}

/// What a hundred seeds have to reach at least once on average, for their result to mean much.
const SOMETIMES: [&str; 8] = [
    "torn AOF tail",
    "failed fsync",
    "partial resync by replid2",
    "refused +CONTINUE",
    "aborted full sync",
    "crash mid-rewrite",
    "crash mid-load",
    "turn with several reads",
];

impl Summary {
    /// Takes in one run.
    pub fn add(&mut self, outcome: &Outcome) {
        self.runs += 1;
        if let Some(violation) = &outcome.violation {
            self.failures.push((outcome.seed, violation.to_string()));
        }
        self.simulated += outcome.simulated;
        self.wall += outcome.wall;
        self.events += outcome.events;
        self.losses += outcome.losses.total();
        self.splits += outcome.splits;
        if let Some((longest, lag)) = outcome.alone {
            let beyond = (longest.saturating_sub(lag), outcome.seed);
            self.alone = self.alone.max(Some(beyond));
        }
        for (name, count) in &outcome.sentinel_events {
            add_count(&mut self.sentinel_events, name, *count, outcome.seed);
        }
        for (name, count) in &outcome.marks {
            add_count(&mut self.marks, name, *count, outcome.seed);
        }
        for (name, count) in &outcome.faults {
            add_count(
                &mut self.marks,
                &format!("fault {name}"),
                *count,
                outcome.seed,
            );
        }
    }

    /// What fewer than one in a hundred of the seeds have reached, of that which counts.
    pub fn rare(&self) -> Vec<&'static str> {
        let seeds = |name: &str| self.marks.get(name).map_or(0, |reached| reached.seeds);
        let names = SOMETIMES.into_iter();
        names.filter(|name| 100 * seeds(name) < self.runs).collect()
    }

    /// The failures, by seed.
    pub fn failures(&self) -> &[(u64, String)] {
        &self.failures
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (times, first) = ("times", "first seed");
        writeln!(
            f,
            "{:<34} {times:>10} {:>10} {first:>12}",
            "reached", "of seeds"
        )?;
        for (name, reached) in self.marks.iter().chain(&self.sentinel_events) {
            let share = 100.0 * reached.seeds as f64 / self.runs as f64;
            let Reached { times, first, .. } = reached;
            writeln!(f, "{name:<34} {times:>10} {share:>8.1} % {first:>12}")?;
        }
        let events = events::ALL.iter().map(|kind| kind.name);
        let missing = events.filter(|name| !self.sentinel_events.contains_key(*name));
        let sometimes = SOMETIMES.iter().copied();
        let missing = missing.chain(sometimes.filter(|name| !self.marks.contains_key(*name)));
        for name in missing {
            writeln!(f, "{name:<34} {:>10} {:>8.1} % {:>12}", 0, 0.0, "never")?;
        }
        if let Some((beyond, seed)) = self.alone {
            let beyond = beyond.as_secs_f64();
            writeln!(
                f,
                "writes without replicas in reach: at most {beyond:.3} s beyond \
                 min-replicas-max-lag (seed {seed})"
            )?;
        }
        let mut failures = self.failures.clone();
        failures.sort();
        for (seed, message) in &failures {
            let line = message.lines().next().unwrap_or_default();
            writeln!(f, "FAILED seed {seed}: {line}")?;
        }
        writeln!(
            f,
            "{} seeds, {} failures, {} events, {:.0} simulated s, {:.0} per wall second and job, \
             {} explained losses, {} split reads",
            self.runs,
            self.failures.len(),
            self.events,
            self.simulated.as_secs_f64(),
            rate(self.simulated, self.wall),
            self.losses,
            self.splits
        )
    }
}

fn add_count(counts: &mut BTreeMap<String, Reached>, name: &str, count: u64, seed: u64) {
    let entry = counts.entry(name.to_owned()).or_insert(Reached {
        times: 0,
        seeds: 0,
        first: seed,
    });
    entry.times += count;
    entry.seeds += 1;
    entry.first = entry.first.min(seed);
}

fn counts<K: fmt::Display>(counts: &BTreeMap<K, u64>) -> String {
    if counts.is_empty() {
        return "none".to_owned();
    }
    let items: Vec<String> = counts
        .iter()
        .map(|(name, count)| format!("{name}={count}"))
        .collect();
    items.join(" ")
}

fn rate(simulated: Duration, wall: Duration) -> f64 {
    simulated.as_secs_f64() / wall.as_secs_f64().max(1e-9)
}
