//! Measures failovers: how long clients are without a master after it was killed, stopped or shut
//! down, and how long the old master takes to be a replica once it is back.

use std::fs;
use std::time::Duration;

use clap::{Parser, ValueEnum};
use holdfast_tests::{Flavour, Group, Loss, Shape, say};

/// Measures failovers of a group of three servers and three sentinels.
#[derive(Debug, Parser)]
struct Options {
    /// How many of each kind, each with a group of its own.
    #[arg(long, default_value_t = 10)]
    runs: u32,
    /// How the master is lost; all ways if none is named.
    #[arg(long)]
    how: Vec<How>,
    /// Milliseconds without an answer after which a node counts as down.
    #[arg(long, default_value_t = 1000)]
    down_after: u64,
    /// Measures redis-server and redis-sentinel too, in turn with Holdfast.
    #[arg(long)]
    peer: bool,
    /// Uses redis-server as the servers.
    #[arg(long)]
    peer_servers: bool,
    /// Uses redis-sentinel as the sentinels.
    #[arg(long)]
    peer_sentinels: bool,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
enum How {
    Kill,
    Stop,
    Shutdown,
}

/// What is measured: who runs it, and how the master is lost.
struct Series {
    name: String,
    shape: Shape<'static>,
    how: Loss,
    asked: Vec<Duration>,
    heard: Vec<Duration>,
    rejoined: Vec<Duration>,
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
    let ways = match options.how.as_slice() {
        [] => &[How::Kill, How::Stop, How::Shutdown],
        ways => ways,
    };
    let mut all = Vec::new();
    for &how in ways {
        let (how, word) = match how {
            How::Kill => (Loss::Kill, "kill -9"),
            How::Stop => (Loss::Stop, "SIGSTOP"),
            How::Shutdown => (Loss::Shutdown, "SHUTDOWN"),
        };
        let mut add = |who: &str, servers: bool, sentinels: bool| {
            let mut shape = Shape::of(flavour(servers));
            shape.sentinels = Shape::of(flavour(sentinels)).sentinels;
            shape.down_after_ms = options.down_after;
            all.push(Series {
                name: format!("{word}, {who}"),
                shape,
                how,
                asked: Vec::new(),
                heard: Vec::new(),
                rejoined: Vec::new(),
            });
        };
        add("measured", options.peer_servers, options.peer_sentinels);
        if options.peer {
            add("Redis", true, true);
        }
    }
    say(&format!("load before: {}", load()));
    for run in 1..=options.runs {
        for series in &mut all {
            series.measure(run);
        }
    }
    say(&format!("load after: {}", load()));
    for series in &mut all {
        series.report(options.down_after);
    }
}

impl Series {
    fn measure(&mut self, run: u32) {
        let mut group = Group::start(&self.shape);
        let failover = group.lose_master(self.how);
        let rejoin = group.restart(failover);
        say(&format!(
            "run {run:>2}: {}: a write is taken after {} ms by asking and {} ms by listening; the \
             old master is a converged replica after {} ms",
            self.name,
            failover.took.as_millis(),
            failover.heard.as_millis(),
            rejoin.took.as_millis()
        ));
        self.asked.push(failover.took);
        self.heard.push(failover.heard);
        self.rejoined.push(rejoin.took);
    }

    fn report(&mut self, down_after: u64) {
        let name = &self.name;
        let beyond = |what| format!("{name}: {what}, beyond the {down_after} ms of down-after");
        report(&beyond("write by asking"), &mut self.asked, down_after);
        report(&beyond("write by listening"), &mut self.heard, down_after);
        let what = format!("{name}: PONG of the old master to converged replica");
        report(&what, &mut self.rejoined, 0);
    }
}

fn load() -> String {
    let text = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.trim().to_owned()
}

fn report(what: &str, times: &mut [Duration], without: u64) {
    times.sort_unstable();
    let (Some(first), Some(last)) = (times.first(), times.last()) else {
        return;
    };
    let middle = times.len() / 2;
    let median = match times.len() % 2 {
        0 => (times[middle - 1] + times[middle]) / 2,
        _ => times[middle],
    };
    let without = Duration::from_millis(without);
    let ms = |time: Duration| match time.checked_sub(without) {
        Some(more) => more.as_millis().to_string(),
        None => format!("-{}", without.abs_diff(time).as_millis()),
    };
    say(&format!(
        "{what}: median {} ms, least {} ms, most {} ms, {} runs",
        ms(median),
        ms(*first),
        ms(*last),
        times.len()
    ));
}
