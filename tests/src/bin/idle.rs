//! Measures what idle connections cost: resident memory, and the latency of an active one.

use std::net::{Ipv4Addr, TcpStream};
use std::time::{Duration, Instant};

use clap::Parser;
use holdfast_io::daemon;
use holdfast_tests::{Client, Flavour, Node, resident_bytes, say};

/// Measures a server with many idle connections.
#[derive(Debug, Parser)]
struct Options {
    /// How many idle connections.
    #[arg(long, default_value_t = 10_000)]
    connections: u32,
    /// Commands timed before and with them.
    #[arg(long, default_value_t = 50_000)]
    commands: u32,
    /// Measures redis-server instead of Holdfast.
    #[arg(long)]
    peer: bool,
}

fn main() {
    let options = Options::parse();
    // Our own ends of the connections need files too.
    let room = daemon::fit_maxclients(options.connections + 100).unwrap_or(0);
    assert!(
        room >= options.connections,
        "ulimit -n allows {room} connections"
    );
    let flavour = if options.peer {
        Flavour::Redis
    } else {
        Flavour::Holdfast
    };
    let mut node = Node::server(flavour, "maxclients 20000\n");
    let pid = node.process().pid();
    let mut active = node.client();
    time(&mut active, options.commands);
    let before = (resident_bytes(pid), time(&mut active, options.commands));
    let idle: Vec<TcpStream> = (0..options.connections)
        .map(|_| {
            let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, node.port()));
            stream.expect("the server takes the connection")
        })
        .collect();
    wait_for_all(&node, idle.len());
    let with = (resident_bytes(pid), time(&mut active, options.commands));
    say(&line("no idle connection", before));
    say(&line(&format!("{} idle connections", idle.len()), with));
    let growth = with.0.saturating_sub(before.0);
    let each = growth / u64::from(options.connections.max(1));
    say(&format!("growth {:.1} MiB, {each} bytes each", mib(growth)));
}

/// A connection is accepted by the system before the server has seen it.
fn wait_for_all(node: &Node, idle: usize) {
    holdfast_tests::wait_until(
        holdfast_tests::PATIENCE,
        "all connections are taken",
        || {
            let clients = node.info("clients").number("connected_clients")?;
            (usize::try_from(clients).ok()? > idle).then_some(())
        },
    );
}

/// Median and 99.9th percentile of the time a GET takes.
fn time(client: &mut Client, commands: u32) -> (Duration, Duration) {
    let mut times: Vec<Duration> = (0..commands)
        .map(|_| {
            let sent = Instant::now();
            client.text(&["GET", "none"]);
            sent.elapsed()
        })
        .collect();
    times.sort_unstable();
    (times[times.len() / 2], times[times.len() * 999 / 1000])
}

fn line(what: &str, (rss, (median, tail)): (u64, (Duration, Duration))) -> String {
    let us = |time: Duration| time.as_secs_f64() * 1e6;
    let (rss, median, tail) = (mib(rss), us(median), us(tail));
    format!("{what}: RSS {rss:.1} MiB, GET median {median:.1} us, p99.9 {tail:.1} us")
}

#[allow(clippy::cast_precision_loss, reason = "for people")]
fn mib(bytes: u64) -> f64 {
    bytes as f64 / (1024.0 * 1024.0)
}
