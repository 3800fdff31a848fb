//! `sim`: runs groups of Holdfast servers, Sentinels and clients under a seed.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::ops::Range;
use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use clap::Parser;

use sim::check;
use sim::machines;
use sim::report::{self, EXIT_NOT_REPEATABLE, EXIT_OK, EXIT_RARE, EXIT_USAGE, Summary};
use sim::run::{Outcome, Plan, run};
use sim::world::Trace;

/// Simulates groups of servers, Sentinels and clients on faulty machines and networks.
///
/// Exit status: 0 all well; 2 bad arguments; 125 what makes a range of seeds worth something was
/// reached by too few of them; 126 two runs of one plan differed; 127 a machine
/// panicked, ended, did not start, logged an error or did not advance; 128 a healed group did not
/// recover; 129 another property did not hold.
#[derive(Parser)]
#[command(name = "sim")]
struct Cli {
    /// Run this seed.
    #[arg(long, value_name = "N", required_unless_present_any = ["seeds", "schedule"])]
    seed: Option<u64>,
    /// Run every seed from A up to, not including, B.
    #[arg(long, value_name = "A..B", value_parser = parse_range, conflicts_with = "seed")]
    seeds: Option<Range<u64>>,
    /// Seeds to run at the same time.
    #[arg(long, value_name = "J", default_value_t = 1)]
    jobs: usize,
    /// Run again in a second process and compare; show where the runs part, if they do.
    #[arg(long)]
    check: bool,
    /// Fail if too few of the seeds reach what makes their result worth something.
    #[arg(long, requires = "seeds")]
    sometimes: bool,
    /// Show state transitions, log lines and client operations.
    #[arg(long)]
    trace: bool,
    /// Run the plan in this file instead of a seed's own.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["seed", "seeds"])]
    schedule: Option<String>,
    /// Write the plan (seed, options, faults) to this file before it runs.
    #[arg(long, value_name = "FILE", conflicts_with = "seeds")]
    dump_schedule: Option<String>,
    /// Print the hash after every 1,024 events and at the end, and nothing else.
    #[arg(long, hide = true)]
    checkpoints: bool,
    /// Print the events with these numbers, and nothing else.
    #[arg(long, hide = true, value_parser = parse_range)]
    events: Option<Range<u64>>,
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    let result = match &cli.seeds {
        Some(seeds) => run_range(&cli, seeds.clone()),
        None => run_one(&cli),
    };
    match result {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            // Nothing is left to do if the error can't be told.
            let _ = writeln!(io::stderr(), "sim: {error}");
            ExitCode::from(EXIT_USAGE)
        }
    }
}

fn run_one(cli: &Cli) -> io::Result<u8> {
    let plan = match (&cli.schedule, cli.seed) {
        (Some(file), _) => read_plan(file)?,
        (None, Some(seed)) => Plan::of_seed(seed),
        (None, None) => unreachable!("clap asks for one of them"),
    };
    if let Some(file) = &cli.dump_schedule {
        serde_json::to_writer_pretty(BufWriter::new(File::create(file)?), &plan)?;
    }
    let trace = (cli.trace || cli.events.is_some()).then(|| Trace {
        to: Box::new(BufWriter::new(io::stdout())),
        events: cli.events.clone().unwrap_or(0..0),
        transitions: cli.trace,
    });
    let outcome = run(&plan, machines::make, trace);
    let mut out = io::stdout().lock();
    if cli.checkpoints {
        for hash in &outcome.checkpoints {
            writeln!(out, "{hash:032x}")?;
        }
        writeln!(out, "{:032x}", outcome.hash)?;
        return Ok(EXIT_OK);
    }
    if cli.events.is_some() {
        return Ok(EXIT_OK);
    }
    let text = report::describe(&outcome, &plan, cli.schedule.as_deref());
    write!(out, "{text}")?;
    if cli.check && !repeats(&outcome, cli.schedule.as_deref(), &mut out)? {
        return Ok(EXIT_NOT_REPEATABLE);
    }
    Ok(report::exit_code(&outcome))
}

fn run_range(cli: &Cli, seeds: Range<u64>) -> io::Result<u8> {
    let next = AtomicU64::new(seeds.start);
    let summary = Mutex::new((Summary::default(), EXIT_OK));
    std::thread::scope(|scope| -> io::Result<()> {
        let workers: Vec<_> = (0..cli.jobs.max(1))
            .map(|_| scope.spawn(|| run_some(cli, &next, seeds.end, &summary)))
            .collect();
        for worker in workers {
            worker.join().expect("a worker reports its errors")?;
        }
        Ok(())
    })?;
    let (summary, code) = summary.into_inner().expect("no worker panicked");
    let mut out = io::stdout().lock();
    write!(out, "{summary}")?;
    let rare = summary.rare();
    if cli.sometimes && !rare.is_empty() {
        writeln!(out, "TOO RARE {}", rare.join(", "))?;
        return Ok(code.max(EXIT_RARE));
    }
    Ok(code)
}

fn run_some(
    cli: &Cli,
    next: &AtomicU64,
    end: u64,
    summary: &Mutex<(Summary, u8)>,
) -> io::Result<()> {
    loop {
        let seed = next.fetch_add(1, Ordering::Relaxed);
        if seed >= end {
            return Ok(());
        }
        let plan = Plan::of_seed(seed);
        let outcome = run(&plan, machines::make, None);
        let mut out = io::stdout().lock();
        let mut code = report::exit_code(&outcome);
        if outcome.violation.is_some() {
            write!(out, "{}", report::describe(&outcome, &plan, None))?;
        }
        if cli.check && !repeats(&outcome, None, &mut out)? {
            code = EXIT_NOT_REPEATABLE;
        }
        let mut summary = summary.lock().expect("no worker panicked");
        summary.0.add(&outcome);
        summary.1 = summary.1.max(code);
    }
}

fn repeats(outcome: &Outcome, file: Option<&str>, out: &mut impl Write) -> io::Result<bool> {
    let plan_args = match file {
        Some(file) => ["--schedule".to_owned(), file.to_owned()],
        None => ["--seed".to_owned(), outcome.seed.to_string()],
    };
    match check::compare(outcome, &plan_args)? {
        None => {
            writeln!(
                out,
                "check      seed {} hashes the same in another process",
                outcome.seed
            )?;
            Ok(true)
        }
        Some(difference) => {
            writeln!(
                out,
                "NOT REPEATABLE seed {}: {}",
                outcome.seed, difference.text
            )?;
            Ok(false)
        }
    }
}

fn read_plan(file: &str) -> io::Result<Plan> {
    let text = std::fs::read_to_string(file)
        .map_err(|error| io::Error::new(error.kind(), format!("{file}: {error}")))?;
    serde_json::from_str(&text).map_err(|error| {
        io::Error::new(
            io::ErrorKind::InvalidData,
            format!("{file}: not a plan: {error}"),
        )
    })
}

fn parse_range(text: &str) -> Result<Range<u64>, String> {
    let (start, end) = text.split_once("..").ok_or("a range is written A..B")?;
    let number = |text: &str| {
        text.parse::<u64>()
            .map_err(|error| format!("{text:?} is not a number: {error}"))
    };
    let range = number(start)?..number(end)?;
    if range.is_empty() {
        return Err(format!("{text} holds no number"));
    }
    Ok(range)
}
