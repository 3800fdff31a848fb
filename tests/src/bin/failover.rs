//! Measures failovers: how long a client is without a master after `kill -9`, and how long the
//! old master takes to be a replica once it is back.

use std::time::Duration;

use clap::Parser;
use holdfast_tests::{Flavour, Group, Shape, say};

/// Measures failovers of a group of three servers and three sentinels.
#[derive(Debug, Parser)]
struct Options {
    /// How many, each with a group of its own.
    #[arg(long, default_value_t = 10)]
    runs: u32,
    /// Milliseconds without an answer after which a node counts as down.
    #[arg(long, default_value_t = 1000)]
    down_after: u64,
    /// Uses redis-server and redis-sentinel instead of Holdfast.
    #[arg(long)]
    peer: bool,
    /// Uses redis-server as the servers alone.
    #[arg(long)]
    peer_servers: bool,
    /// Uses redis-sentinel as the sentinels alone.
    #[arg(long)]
    peer_sentinels: bool,
}

fn main() {
    let options = Options::parse();
    let flavour = |peer: bool| {
        if peer {
            Flavour::Redis
        } else {
            Flavour::Holdfast
        }
    };
    let mut shape = Shape::of(flavour(options.peer || options.peer_servers));
    shape.sentinels = Shape::of(flavour(options.peer || options.peer_sentinels)).sentinels;
    shape.down_after_ms = options.down_after;
    let mut writes = Vec::new();
    let mut rejoins = Vec::new();
    for run in 1..=options.runs {
        let mut group = Group::start(&shape);
        let failover = group.kill_master();
        let rejoin = group.restart(failover);
        say(&format!(
            "run {run:>2}: write accepted after {:>6} ms; old master a converged replica after \
             {:>6} ms",
            failover.took.as_millis(),
            rejoin.took.as_millis()
        ));
        writes.push(failover.took);
        rejoins.push(rejoin.took);
    }
    report("kill to accepted write", &mut writes);
    report("PING of the old master to converged replica", &mut rejoins);
}

fn report(what: &str, times: &mut [Duration]) {
    times.sort_unstable();
    let (Some(first), Some(last)) = (times.first(), times.last()) else {
        return;
    };
    let middle = times.len() / 2;
    let median = match times.len() % 2 {
        0 => (times[middle - 1] + times[middle]) / 2,
        _ => times[middle],
    };
    let ms = |time: Duration| time.as_millis();
    say(&format!(
        "{what}: median {} ms, least {} ms, most {} ms, {} runs",
        ms(median),
        ms(*first),
        ms(*last),
        times.len()
    ));
}
