//! Whole turns of a server, as a driver sees them: what some clients have sent is read, worked on,
//! logged, and answered. What the system would do for it costs nothing here.

use std::hint::black_box;

use bytes::Bytes;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use holdfast_core::Machine;
use holdfast_core::config::{Config, Source};
use holdfast_core::machine::{
    Addr, Completion, ConnId, DiskFault, DiskOp, Done, Effect, Mono, Now, OpenMode, Peer, Slices,
    Wall,
};
use holdfast_core::resp::encode_command;
use holdfast_core::rng::Rng;
use holdfast_core::server::{Launch, Server};

const CLIENTS: usize = 50;
const KEYS: u64 = 1_000_000;

struct Rig {
    server: Server,
    now: Now,
    clients: Vec<ConnId>,
}

impl Rig {
    fn start(config: &str) -> Self {
        let now = Now {
            mono: Mono::from_nanos(1_000_000_000),
            wall: Wall::from_millis(1_700_000_000_000),
        };
        let source = Source::new("redis.conf", format!("bind 127.0.0.1\nsave ''\n{config}\n"));
        let config = Config::load(&[source], &mut |_| Ok(Vec::new())).expect("it is sound");
        let mut rig = Self {
            server: Server::new(config, Launch::default(), [7; 32], now),
            now,
            clients: Vec::new(),
        };
        for _ in 0..STARTING_TURNS {
            rig.turn();
        }
        let addr = |port| Addr::Tcp(std::net::SocketAddr::from(([127, 0, 0, 1], port)));
        for _ in 0..CLIENTS {
            let (remote, local) = (addr(40_000), addr(6379));
            let peer = Peer { remote, local };
            let admitted = rig.server.handle_accept(rig.now, peer);
            rig.clients.push(admitted.expect("there is room"));
        }
        rig
    }

    fn send(&mut self, client: usize, bytes: &[u8]) {
        let conn = self.clients[client];
        assert!(self.server.wants_read(conn));
        let space = self.server.read_space(conn);
        space[..bytes.len()].copy_from_slice(bytes);
        self.server.handle_read(self.now, conn, bytes.len());
    }

    /// Does what the server asks for; whether it was to be told of anything.
    fn carry_out(&mut self) -> bool {
        let mut answered = false;
        while let Some(effect) = self.server.poll_effect() {
            let (ticket, done) = if let Effect::Listen { ticket, addr, .. } = effect {
                (ticket, Done::Listen(Ok(addr)))
            } else if let Effect::Disk { ticket, op } = effect {
                (ticket, Done::Disk(carry_out(&op)))
            } else {
                continue;
            };
            let answer = Completion { ticket, done };
            self.server.handle_done(self.now, answer);
            answered = true;
        }
        answered
    }

    /// Ends a turn, ten microseconds behind the one before; bytes written to clients.
    fn turn(&mut self) -> usize {
        self.server.end_turn(self.now);
        while self.carry_out() {
            self.server.end_turn(self.now);
        }
        let mut sent = 0;
        while let Some(conn) = self.server.poll_writable() {
            let mut slices = Slices::new();
            self.server.writable(conn, &mut slices);
            let len = slices.iter().map(|slice| slice.len()).sum();
            drop(slices);
            self.server.consume(self.now, conn, len);
            sent += len;
        }
        black_box(self.server.poll_timeout());
        self.now.mono = self.now.mono + core::time::Duration::from_micros(10);
        sent
    }
}

/// A disk that was empty and keeps nothing.
fn carry_out(op: &DiskOp) -> Result<Bytes, DiskFault> {
    let looks = matches!(
        op,
        DiskOp::Length { .. }
            | DiskOp::Open {
                mode: OpenMode::Read,
                ..
            }
    );
    if looks {
        return Err(DiskFault::NotFound);
    }
    Ok(Bytes::new())
}

/// So many clients send a SET each of some key, all of which are there.
fn sets(c: &mut Criterion) {
    let mut rng = Rng::new([1; 32]);
    let key = |number: u64| format!("key:{number:012}");
    let mut group = c.benchmark_group("turn");
    for (name, config) in [("set", ""), ("set logged", "appendonly yes")] {
        let mut rig = Rig::start(config);
        for number in 0..KEYS {
            let mut command = Vec::new();
            encode_command(&mut command, &[b"SET", key(number).as_bytes(), b"xxx"]);
            rig.send(0, &command);
            assert_eq!(rig.turn(), b"+OK\r\n".len());
        }
        let commands: Vec<Vec<u8>> = (0..COMMANDS)
            .map(|_| {
                let mut command = Vec::new();
                let key = key(rng.below(KEYS));
                encode_command(&mut command, &[b"SET", key.as_bytes(), b"xxx"]);
                command
            })
            .collect();
        let mut next = commands.iter().cycle();
        for clients in [1, 2, 8, 32] {
            group.throughput(Throughput::Elements(clients as u64));
            group.bench_function(format!("{name}, {clients} clients"), |bencher| {
                bencher.iter(|| {
                    for client in 0..clients {
                        rig.send(client, next.next().expect("endless"));
                    }
                    assert_eq!(rig.turn(), clients * b"+OK\r\n".len());
                });
            });
        }
    }
    group.finish();
}

/// Enough for a server to listen and to begin its log.
const STARTING_TURNS: usize = 1000;
const COMMANDS: usize = 100_000;

criterion_group!(benches, sets);
criterion_main!(benches);
