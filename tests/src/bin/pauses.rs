//! Measures pauses: how long a PING on one connection waits while another one has the server
//! work on large values and many keys.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use clap::Parser;
use holdfast_tests::{Client, Flavour, Node, say};

/// Measures how long a PING waits beside heavy work.
#[derive(Debug, Parser)]
struct Options {
    /// Keys in the database.
    #[arg(long, default_value_t = 5_000_000)]
    keys: u64,
    /// Elements of each large value, and keys that expire at once.
    #[arg(long, default_value_t = 1_000_000)]
    elements: u64,
    /// Uses redis-server instead of Holdfast.
    #[arg(long)]
    peer: bool,
}

/// A server with a connection that works, and one that pings.
struct Bench {
    node: Node,
    worker: Client,
}

fn main() {
    let options = Options::parse();
    let flavour = if options.peer {
        Flavour::Redis
    } else {
        Flavour::Holdfast
    };
    let node = Node::server(flavour, "save \"\"\nactivedefrag no\n");
    let worker = node.client();
    let mut bench = Bench { node, worker };
    let (keys, elements) = (options.keys, options.elements);
    say("longest PING beside it, 99.9th percentile, number of PINGs");
    bench.beside("SET of new keys", |bench| {
        bench.load(keys, |n| format!("SET key:{n:09} value:{n}"));
    });
    for name in ["hash:1", "hash:2"] {
        bench.beside("HSET of new fields", |bench| {
            bench.load(elements, |n| format!("HSET {name} field:{n:09} value:{n}"));
        });
    }
    for name in ["zset:1", "zset:2"] {
        bench.beside("ZADD of new members", |bench| {
            bench.load(elements, |n| format!("ZADD {name} {n} member:{n:09}"));
        });
    }
    bench.beside("BGSAVE and writes to all", |bench| {
        bench.save(keys, elements)
    });
    for (command, key) in [
        ("DEL", "hash:1"),
        ("UNLINK", "hash:2"),
        ("DEL", "zset:1"),
        ("UNLINK", "zset:2"),
    ] {
        bench.beside(&format!("{command} {key}"), |bench| {
            bench.worker.ask(&[command, key]).expect("it is deleted");
            thread::sleep(Duration::from_secs(1));
        });
    }
    bench.beside("SET of keys that expire at once", |bench| {
        let at = unix_ms() + 10_000;
        bench.load(elements, |n| format!("SET short:{n} x PXAT {at}"));
        let left = at.saturating_sub(unix_ms());
        thread::sleep(Duration::from_millis(left));
    });
    bench.beside("expiry of all of them", |bench| bench.wait_for_size(keys));
    bench.beside("FLUSHALL ASYNC", |bench| {
        bench
            .worker
            .ask(&["FLUSHALL", "ASYNC"])
            .expect("it is emptied");
        thread::sleep(Duration::from_secs(2));
    });
}

impl Bench {
    /// Pings while `work` is done, and says how long that took.
    fn beside(&mut self, what: &str, work: impl FnOnce(&mut Self)) {
        let stop = Arc::new(AtomicBool::new(false));
        let (mut pinger, told) = (self.node.client(), Arc::clone(&stop));
        let pings = thread::spawn(move || {
            let mut times = Vec::new();
            while !told.load(Ordering::Relaxed) {
                let asked = Instant::now();
                pinger.ask(&["PING"]).expect("the server answers");
                times.push(asked.elapsed());
                thread::sleep(Duration::from_micros(200));
            }
            times
        });
        work(self);
        stop.store(true, Ordering::Relaxed);
        let mut times = pings.join().expect("the thread ends by itself");
        times.sort_unstable();
        let ms = |time: &Duration| time.as_secs_f64() * 1000.0;
        let (last, count) = (times.len() - 1, times.len());
        say(&format!(
            "{what:<32}{:>9.2} ms{:>9.2} ms{count:>9}",
            ms(&times[last]),
            ms(&times[last * 999 / 1000]),
        ));
    }

    /// Sends commands in small pipelines.
    fn load(&mut self, count: u64, command: impl Fn(u64) -> String) {
        for first in (0..count).step_by(PIPELINE) {
            let mut bytes = Vec::new();
            let end = count.min(first + PIPELINE as u64);
            for n in first..end {
                encode(&command(n), &mut bytes);
            }
            self.worker.send_raw(&bytes).expect("the server reads");
            for _ in first..end {
                self.worker.receive().expect("the server answers");
            }
        }
    }

    /// Saves, and changes all there is meanwhile.
    fn save(&mut self, keys: u64, elements: u64) {
        self.worker.ask(&["BGSAVE"]).expect("it begins to save");
        let mut n = 0;
        while self
            .node
            .info("persistence")
            .number("rdb_bgsave_in_progress")
            == Some(1)
        {
            n += 1;
            let spread = n * 7_919;
            self.load(200, |at| match (spread + at) % 4 {
                0 => format!("SET key:{:09} other", (spread + at * 104_729) % keys),
                1 => format!(
                    "HSET hash:1 field:{:09} o",
                    (spread + at * 104_729) % elements
                ),
                2 => format!(
                    "ZADD zset:1 7 member:{:09}",
                    (spread + at * 104_729) % elements
                ),
                _ => format!(
                    "HDEL hash:2 field:{:09}",
                    (spread + at * 104_729) % elements
                ),
            });
        }
    }

    fn wait_for_size(&mut self, keys: u64) {
        let size = |bench: &mut Self| bench.worker.text(&["DBSIZE"]).parse::<u64>().ok();
        let mut last = None;
        while size(self) != last || last > Some(keys) {
            last = size(self);
            thread::sleep(Duration::from_millis(500));
        }
    }
}

fn encode(command: &str, into: &mut Vec<u8>) {
    let words: Vec<&str> = command.split(' ').collect();
    into.extend_from_slice(format!("*{}\r\n", words.len()).as_bytes());
    for word in words {
        into.extend_from_slice(format!("${}\r\n{word}\r\n", word.len()).as_bytes());
    }
}

fn unix_ms() -> u64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    let ms = since.expect("it is after 1970").as_millis();
    u64::try_from(ms).expect("64 bits are enough")
}

const PIPELINE: usize = 32;
