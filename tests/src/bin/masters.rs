//! Measures one Sentinel that watches thousands of masters: processor, memory, and how it takes
//! the loss of many of them at once.

use std::fmt::Write as _;
use std::thread;
use std::time::{Duration, Instant};

use clap::Parser;
use holdfast_tests::farm::Farm;
use holdfast_tests::{Flavour, Node, cpu_time, resident_bytes, say};

/// Measures a Sentinel with many masters, each with one replica.
#[derive(Debug, Parser)]
struct Options {
    /// How many masters.
    #[arg(long, default_value_t = 2_000)]
    masters: u16,
    /// How many of them fail at once.
    #[arg(long, default_value_t = 200)]
    failing: u16,
    /// Milliseconds without an answer after which a node counts as down.
    #[arg(long, default_value_t = 5_000)]
    down_after: u64,
    /// Seconds over which the steady state is measured.
    #[arg(long, default_value_t = 30)]
    seconds: u64,
    /// Measures redis-sentinel instead of Holdfast.
    #[arg(long)]
    peer: bool,
}

fn main() {
    let options = Options::parse();
    let flavour = if options.peer {
        Flavour::Redis
    } else {
        Flavour::Holdfast
    };
    // The farm has a listener for each server, and both ends of each connection need a file.
    holdfast_io::daemon::fit_maxclients(19_000).expect("the system lets us have files");
    let farm = Farm::start(options.masters);
    let mut sentinel = Node::sentinel(flavour, &config(&farm, options.down_after));
    let pid = sentinel.process().pid();
    let started = Instant::now();
    wait_for(&sentinel, "all are known and up", |line| {
        line.contains("status=ok") && line.contains("slaves=1")
    });
    say(&format!(
        "all known after {} ms",
        started.elapsed().as_millis()
    ));
    thread::sleep(Duration::from_secs(12));

    let (from, before) = (Instant::now(), cpu_time(pid));
    thread::sleep(Duration::from_secs(options.seconds));
    let used = cpu_time(pid).checked_sub(before).unwrap_or_default();
    let share = 100.0 * used.as_secs_f64() / from.elapsed().as_secs_f64();
    say(&format!(
        "steady: {share:.1} % of a core, RSS {:.1} MB",
        resident_bytes(pid) as f64 / 1e6
    ));

    let (killed, before) = (Instant::now(), cpu_time(pid));
    (0..options.failing).for_each(|number| farm.kill(number));
    let limit = Duration::from_millis(options.down_after) + Duration::from_secs(120);
    let all = usize::from(options.failing);
    while farm.promoted() < all && killed.elapsed() < limit {
        thread::sleep(Duration::from_millis(1));
    }
    let promoted = killed.elapsed();
    while switches(&sentinel) < all && killed.elapsed() < limit {
        thread::sleep(Duration::from_millis(20));
    }
    let used = cpu_time(pid).checked_sub(before).unwrap_or_default();
    say(&format!(
        "{} of {all} promoted {} ms after the kill, {} switched after {} ms, {} ms of processor, \
         RSS {:.1} MB, TILT {}",
        farm.promoted(),
        promoted.as_millis(),
        switches(&sentinel),
        killed.elapsed().as_millis(),
        used.as_millis(),
        resident_bytes(pid) as f64 / 1e6,
        if sentinel.log().contains("+tilt") {
            "yes"
        } else {
            "no"
        }
    ));
}

fn config(farm: &Farm, down_after: u64) -> String {
    let mut text = String::new();
    for number in 0..farm.masters() {
        let at = farm.master(number);
        writeln!(
            text,
            "sentinel monitor m{number} {} {} 1\nsentinel down-after-milliseconds m{number} \
             {down_after}\nsentinel failover-timeout m{number} 60000",
            at.ip(),
            at.port()
        )
        .expect("a String takes everything");
    }
    text
}

/// Waits until a Sentinel's INFO says something of every master.
fn wait_for(sentinel: &Node, what: &str, holds: impl Fn(&str) -> bool) {
    let patience = Instant::now();
    loop {
        let text = sentinel.text(&["INFO", "sentinel"]);
        let lines = text.lines().filter(|line| line.starts_with("master"));
        if { lines }.all(&holds) {
            return;
        }
        assert!(
            patience.elapsed() < Duration::from_secs(120),
            "not so: {what}"
        );
        thread::sleep(Duration::from_millis(200));
    }
}

fn switches(sentinel: &Node) -> usize {
    sentinel.log().matches("+switch-master").count()
}
