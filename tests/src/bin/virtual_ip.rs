//! Measures how long a client that only knows the virtual IP is without a master, on a network of
//! three hosts made of namespaces. Takes root.

use std::time::{Duration, Instant};

use clap::{Parser, ValueEnum};
use holdfast_tests::lab::{DOWN_AFTER, Lab, can_have_one};
use holdfast_tests::say;

/// Measures moves of a virtual IP.
#[derive(Debug, Parser)]
struct Options {
    /// How many, each with a network of its own.
    #[arg(long, default_value_t = 20)]
    runs: u32,
    /// What happens to the host of the master.
    #[arg(long, value_enum, default_value_t = What::Kill)]
    what: What,
    /// The address.
    #[arg(long, default_value = "10.77.0.100")]
    address: String,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
enum What {
    /// It loses its power.
    Kill,
    /// It is unplugged, and after a while plugged in again.
    Cut,
}

fn main() {
    let options = Options::parse();
    if !can_have_one("the measurement") {
        std::process::exit(1);
    }
    let mut times = Vec::new();
    let mut longest = Duration::ZERO;
    for run in 1..=options.runs {
        let mut lab = Lab::start(&options.address);
        let started = Instant::now();
        match options.what {
            What::Kill => lab.kill_host(0),
            What::Cut => lab.cut_off(0),
        }
        let took = lab.write_until_taken(started);
        if options.what == What::Cut {
            std::thread::sleep(DOWN_AFTER * 4);
            lab.mend(0);
            std::thread::sleep(DOWN_AFTER * 4);
        }
        let overlap = lab.longest_overlap();
        say(&format!(
            "run {run:>2}: write accepted after {:>5} ms; two holders on one side for {} us",
            took.as_millis(),
            overlap.as_micros()
        ));
        times.push(took);
        longest = longest.max(overlap);
    }
    times.sort_unstable();
    let ms = |at: usize| times.get(at).map_or(0, Duration::as_millis);
    say(&format!(
        "down-after {} ms, {} runs: median {} ms, maximum {} ms; two holders on one side for at \
         most {} us",
        DOWN_AFTER.as_millis(),
        times.len(),
        ms(times.len() / 2),
        ms(times.len().saturating_sub(1)),
        longest.as_micros()
    ));
}
