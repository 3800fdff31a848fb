//! Several nodes replicate from each other over pipes that are cut at random; after every step
//! the same place in the same history must mean the same data on all of them.

use core::time::Duration;
use std::collections::{BTreeMap, VecDeque};

use bytes::Bytes;
use crc::{CRC_64_REDIS, Crc};
use proptest::prelude::*;

use super::action::SnapshotId;
use super::node::{Admission, Following, HandoverRequest, ReplicaAddr, Sync};
use super::primary::{Psync, Replconf, StartFault};
use super::receive::Place;
use super::replica::{Event, Target};
use super::stream::Unit;
use super::wait::{Kept, Need};
use super::*;
use crate::machine::{Addr, ConnId, ConnectFault, DiskOp, FileId, Mono, Now, Slices, Wall};
use crate::rng::Rng;

const CRC: Crc<u64> = Crc::<u64>::new(&CRC_64_REDIS);
const FIRST_PORT: u16 = 7000;

type Command = Vec<Vec<u8>>;

/// One whole command at the start of `bytes`, and its length.
fn parse(bytes: &[u8]) -> Option<(Command, usize)> {
    let line = |from: usize| {
        let end = bytes.get(from..)?.iter().position(|&b| b == b'\n')?;
        Some((&bytes[from..from + end], from + end + 1))
    };
    if bytes.first() == Some(&b'\n') {
        return Some((Vec::new(), 1));
    }
    let number = |text: &[u8]| -> usize {
        let text = core::str::from_utf8(text).unwrap();
        text.trim_end()[1..].parse().unwrap()
    };
    let (header, mut at) = line(0)?;
    assert_eq!(header[0], b'*', "{}", bytes.escape_ascii());
    let mut command = Vec::new();
    for _ in 0..number(header) {
        let (header, start) = line(at)?;
        let end = start + number(header);
        command.push(bytes.get(start..end)?.to_vec());
        at = end + 2;
    }
    (at <= bytes.len()).then_some((command, at))
}

/// One direction of a connection.
#[derive(Default)]
struct Pipe {
    bytes: VecDeque<u8>,
}

/// A connection: side 0 dialed, side 1 accepted.
struct Wire {
    nodes: [usize; 2],
    /// Towards each side.
    pipes: [Pipe; 2],
    /// Read by each side but not used up.
    input: [Vec<u8>; 2],
    alive: bool,
}

struct Node {
    repl: Replication,
    data: Data,
    /// Data a snapshot was taken of, and how much of it was passed on.
    snapshot: Option<(SnapshotId, VecDeque<Bytes>)>,
    busy: bool,
    /// The database of the master's session and its open transaction.
    db: u32,
    multi: Option<Vec<Command>>,
    incoming: Vec<u8>,
    disk: VecDeque<(action::Attempt, DiskOp)>,
    files: BTreeMap<Box<str>, Vec<u8>>,
    open: BTreeMap<FileId, Box<str>>,
    into_memory: bool,
}

/// Every effect ever applied, in order; applying one twice or not at all shows.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
struct Data {
    bytes: Vec<u8>,
    digest: u64,
}

impl Data {
    fn push(&mut self, effect: &[u8]) {
        for &byte in effect {
            self.digest = (self.digest ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
        self.bytes.extend_from_slice(effect);
    }
}

impl From<&[u8]> for Data {
    fn from(bytes: &[u8]) -> Self {
        let mut data = Self::default();
        data.push(bytes);
        data
    }
}

struct World {
    nodes: Vec<Node>,
    wires: Vec<Wire>,
    now: Now,
    writes: u32,
    full_syncs: u64,
    /// What each place in each history means.
    ghost: BTreeMap<(ReplId, Offset), (usize, u64)>,
}

fn conn(wire: usize, side: usize) -> ConnId {
    ConnId {
        index: u32::try_from(wire).unwrap(),
        generation: u32::try_from(side).unwrap(),
    }
}

fn port(node: usize) -> u16 {
    FIRST_PORT + u16::try_from(node).unwrap()
}

fn rdb(db: u32, data: &[u8]) -> Vec<u8> {
    let mut rdb = b"REDIS0010".to_vec();
    rdb.extend_from_slice(&db.to_le_bytes());
    rdb.extend_from_slice(data);
    rdb.push(0xff);
    let sum = CRC.checksum(&rdb);
    rdb.extend_from_slice(&sum.to_le_bytes());
    rdb
}

fn unrdb(rdb: &[u8]) -> (u32, Data) {
    assert!(rdb.starts_with(b"REDIS0010"));
    let (body, sum) = rdb.split_at(rdb.len() - 8);
    assert_eq!(CRC.checksum(body).to_le_bytes(), sum);
    let db = u32::from_le_bytes(body[9..13].try_into().unwrap());
    (db, Data::from(&body[13..body.len() - 1]))
}

impl World {
    fn new(nodes: usize) -> Self {
        let now = Now {
            mono: Mono::from_nanos(1_000_000_000),
            wall: Wall::from_millis(0),
        };
        let node = |n: usize| {
            let settings = Settings {
                backlog_bytes: 16 * 1024,
                diskless_delay: Duration::from_secs(1),
                announce_port: port(n),
                ..Settings::default()
            };
            let seed = [u8::try_from(n).unwrap(); 32];
            Node {
                repl: Replication::new(now, &Rng::new(seed), settings),
                data: Data::default(),
                snapshot: None,
                busy: false,
                db: 0,
                multi: None,
                incoming: Vec::new(),
                disk: VecDeque::new(),
                files: BTreeMap::new(),
                open: BTreeMap::new(),
                into_memory: n.is_multiple_of(2),
            }
        };
        Self {
            nodes: (0..nodes).map(node).collect(),
            wires: Vec::new(),
            now,
            writes: 0,
            full_syncs: 0,
            ghost: BTreeMap::new(),
        }
    }

    /// A client's write of some effects.
    fn write(&mut self, n: usize, effects: &[u32], size: usize) {
        let node = &mut self.nodes[n];
        // The server holds writes back while there is a failover.
        if !node.repl.is_master() || node.repl.is_failing_over() {
            return;
        }
        for &db in effects {
            self.writes += 1;
            let value = format!("{}{}", self.writes, "x".repeat(size));
            let args: [&[u8]; 2] = [b"PUT", value.as_bytes()];
            node.data.push(format!("{db}:{value};").as_bytes());
            node.repl.feed(db, args.into_iter());
        }
        node.repl.end_unit(Unit::Atomic);
        self.settle(n);
    }

    fn failover(&mut self, n: usize, to: usize, force: bool, timeout: Duration) {
        let request = HandoverRequest {
            to: force.then(|| ReplicaAddr {
                host: "127.0.0.1".into(),
                port: port(to),
            }),
            force,
            timeout: Some(timeout),
        };
        // Refused unless it is a master with replicas.
        let _ = self.nodes[n].repl.start_failover(self.now, request);
        self.settle(n);
    }

    fn replica_of(&mut self, n: usize, master: usize) {
        // Nobody may change roles but the failover.
        self.nodes[n].repl.abort_failover();
        self.settle(n);
        if n == master {
            let was_replica = !self.nodes[n].repl.is_master();
            assert_eq!(self.nodes[n].repl.promote(self.now), was_replica);
        } else {
            let now = self.now;
            let outcome = self.nodes[n]
                .repl
                .replica_of(now, "127.0.0.1", port(master));
            if let Following::Started { unblock } = outcome {
                assert!(unblock.is_empty());
            }
        }
        self.settle(n);
    }

    /// Ends a node's turn and carries out all it asks for.
    fn settle(&mut self, n: usize) {
        loop {
            self.nodes[n].repl.end_turn(self.now);
            let Some(action) = self.nodes[n].repl.poll_action() else {
                break;
            };
            self.carry_out(n, action);
            while let Some(action) = self.nodes[n].repl.poll_action() {
                self.carry_out(n, action);
            }
        }
        let due = self.nodes[n].repl.poll_timeout();
        assert!(due.is_none_or(|(at, _)| at > self.now.mono), "{due:?}");
        self.compare(n);
    }

    fn carry_out(&mut self, n: usize, action: Action) {
        let now = self.now;
        match action {
            Action::Resolve { .. } => panic!("addresses need no lookup"),
            Action::Dial { attempt, to, .. } => {
                let wire = self.wires.len();
                let to = usize::from(to.port() - FIRST_PORT);
                self.wires.push(Wire {
                    nodes: [n, to],
                    pipes: [Pipe::default(), Pipe::default()],
                    input: [Vec::new(), Vec::new()],
                    alive: true,
                });
                let repl = &mut self.nodes[n].repl;
                repl.dialing(attempt, conn(wire, 0));
                repl.connected(now, conn(wire, 0), Ok(()));
            }
            Action::Send { conn, bytes } => {
                let wire = &mut self.wires[conn.index as usize];
                if wire.alive {
                    wire.pipes[1].bytes.extend(bytes);
                }
            }
            Action::Close { conn, .. } | Action::CloseAfterReply { conn, .. } => {
                self.close(conn.index as usize, Some(n));
            }
            Action::StartSnapshot { id, .. } => self.start_snapshot(n, id),
            Action::StopSnapshot { id } => {
                let node = &mut self.nodes[n];
                assert_eq!(node.snapshot.take().map(|(id, _)| id), Some(id));
            }
            Action::Disk { attempt, op } => self.nodes[n].disk.push_back((attempt, op)),
            Action::LoadFile { attempt, path } => {
                let node = &mut self.nodes[n];
                let (db, data) = unrdb(&node.files[&path]);
                node.data = data;
                self.loaded(n, attempt, db);
            }
            Action::Follow { master } => {
                self.nodes[n]
                    .repl
                    .replica_of(now, &master.host, master.port);
            }
            Action::Promote => {
                assert!(self.nodes[n].repl.promote(now), "it had followed");
            }
            Action::AbandonLoad { .. } => self.nodes[n].incoming.clear(),
        }
    }

    fn start_snapshot(&mut self, n: usize, id: SnapshotId) {
        let node = &mut self.nodes[n];
        let now = self.now;
        if core::mem::take(&mut node.busy) || node.snapshot.is_some() {
            assert!(!node.repl.snapshot_started(now, id, Err(StartFault::Busy)));
            return;
        }
        let db = node.repl.place().map_or(0, |place| place.db);
        let bytes = rdb(db, &node.data.bytes);
        let chunks = bytes.chunks(700).map(Bytes::copy_from_slice).collect();
        node.snapshot = Some((id, chunks));
        if !node.repl.snapshot_started(now, id, Ok(())) && node.snapshot.is_some() {
            // A `StopSnapshot` follows.
        }
    }

    fn loaded(&mut self, n: usize, attempt: action::Attempt, db: u32) {
        let node = &mut self.nodes[n];
        self.full_syncs += 1;
        if let Some(db) = node.repl.loaded(self.now, attempt, Ok(Some(db))) {
            node.db = db;
            node.multi = None;
        }
    }

    /// Cuts a connection; those who did not ask for it are told.
    fn close(&mut self, w: usize, by: Option<usize>) {
        if !core::mem::replace(&mut self.wires[w].alive, false) {
            return;
        }
        for side in [0, 1] {
            let n = self.wires[w].nodes[side];
            if by != Some(n) {
                self.nodes[n].repl.hung_up(self.now, conn(w, side));
                self.settle(n);
            }
        }
    }

    /// Moves up to `len` bytes towards one side of a connection, and lets it use them.
    fn deliver(&mut self, w: usize, side: usize, len: usize) {
        let n = self.wires[w].nodes[side];
        if !self.wires[w].alive || (side == 0 && !self.nodes[n].repl.wants_read(conn(w, 0))) {
            return;
        }
        let wire = &mut self.wires[w];
        let len = len.min(wire.pipes[side].bytes.len());
        let bytes: Vec<u8> = wire.pipes[side].bytes.drain(..len).collect();
        wire.input[side].extend_from_slice(&bytes);
        if side == 1 {
            self.serve(w);
        } else {
            self.follow(w, len);
        }
        self.settle(n);
    }

    /// What the accepting side does with what it read.
    fn serve(&mut self, w: usize) {
        let n = self.wires[w].nodes[1];
        while let Some((command, len)) = parse(&self.wires[w].input[1]) {
            self.wires[w].input[1].drain(..len);
            let (now, id) = (self.now, conn(w, 1));
            let repl = &mut self.nodes[n].repl;
            let args: Vec<&[u8]> = command.iter().map(Vec::as_slice).collect();
            let reply = match args.split_first() {
                None => {
                    repl.replica_newline(now, id);
                    String::new()
                }
                Some((&b"PING", _)) => "+PONG\r\n".to_owned(),
                Some((&b"REPLCONF", args)) => match repl.replconf(now, id, args) {
                    Replconf::Ok => "+OK\r\n".to_owned(),
                    Replconf::Text(text) => format!("+{text}\r\n"),
                    Replconf::Silent => String::new(),
                    Replconf::Error(text) => panic!("{text}"),
                },
                Some((&b"PSYNC", args)) => {
                    let psync = Psync::parse(args).expect("it is whole");
                    let remote = Addr::Tcp("127.0.0.1:1".parse().unwrap());
                    let ask = |psync| Sync {
                        conn: id,
                        remote: &remote,
                        pending_output: false,
                        psync: Some(psync),
                    };
                    let mut admission = repl.sync(now, ask(psync));
                    if admission == Admission::TakeOver {
                        assert!(repl.promote(now), "a master is not asked to take over");
                        let psync = Psync {
                            failover: false,
                            ..psync
                        };
                        admission = repl.sync(now, ask(psync));
                    }
                    match admission {
                        Admission::Accepted => String::new(),
                        Admission::Refused(text) => format!("-{text}\r\n"),
                        other @ (Admission::Ignored | Admission::TakeOver) => {
                            panic!("{other:?}")
                        }
                    }
                }
                Some(_) => panic!("{command:?}"),
            };
            self.wires[w].pipes[0].bytes.extend(reply.into_bytes());
        }
    }

    /// What the dialing side does with what it read, `new` bytes of it just now.
    fn follow(&mut self, w: usize, mut new: usize) {
        let (n, id) = (self.wires[w].nodes[0], conn(w, 0));
        let mut input = core::mem::take(&mut self.wires[w].input[0]);
        while !self.nodes[n].repl.is_streaming(id) {
            let now = self.now;
            let node = &mut self.nodes[n];
            let attempt = node.repl.receiving();
            let received = node.repl.receive(now, id, &input);
            let (consumed, event) = (received.consumed, received.event);
            let mut end = false;
            match event {
                None => {
                    input.drain(..consumed);
                    self.wires[w].input[0] = input;
                    return;
                }
                Some(Event::Begin) => {
                    let target = if node.into_memory {
                        node.incoming.clear();
                        Target::Memory
                    } else {
                        Target::Disk(Place {
                            file: FileId(u32::try_from(w).unwrap()),
                            temp: format!("temp-{w}.rdb").into(),
                            target: "dump.rdb".into(),
                            dir: ".".into(),
                        })
                    };
                    node.repl.receive_to(now, target);
                }
                Some(Event::Payload(bytes)) => node.incoming.extend_from_slice(&bytes),
                Some(Event::End) => end = true,
                Some(Event::Streaming { db }) => {
                    node.db = db;
                    node.multi = None;
                }
            }
            input.drain(..consumed);
            if end {
                let (db, data) = unrdb(&core::mem::take(&mut node.incoming));
                node.data = data;
                self.loaded(n, attempt.unwrap(), db);
            }
            // All that is left counts as read when the stream begins.
            new = input.len();
        }
        self.wires[w].input[0] = input;
        self.nodes[n].repl.stream_received(self.now, id, new);
        self.apply(w);
    }

    /// Executes the commands of the stream.
    fn apply(&mut self, w: usize) {
        let (n, id) = (self.wires[w].nodes[0], conn(w, 0));
        let mut input = core::mem::take(&mut self.wires[w].input[0]);
        while let Some((command, len)) = parse(&input) {
            let node = &mut self.nodes[n];
            match command.first().map(Vec::as_slice) {
                Some(b"MULTI") => assert!(node.multi.replace(Vec::new()).is_none()),
                Some(b"EXEC") => {
                    for command in node.multi.take().expect("EXEC follows MULTI") {
                        node.execute(self.now, &command);
                    }
                }
                _ => match &mut node.multi {
                    Some(queue) => queue.push(command),
                    None => node.execute(self.now, &command),
                },
            }
            let (db, open) = (node.db, node.multi.is_some());
            node.repl.applied(self.now, id, &input[..len], db, open);
            input.drain(..len);
        }
        self.wires[w].input[0] = input;
    }

    /// Writes up to `len` bytes to a replica.
    fn write_out(&mut self, w: usize, len: usize) {
        let (n, id) = (self.wires[w].nodes[1], conn(w, 1));
        if !self.wires[w].alive {
            return;
        }
        let repl = &mut self.nodes[n].repl;
        let mut slices = Slices::new();
        repl.writable(id, &mut slices);
        let bytes = slices.iter().flat_map(|s| s.iter().copied());
        let bytes: Vec<u8> = bytes.take(len).collect();
        drop(slices);
        repl.consume(self.now, id, bytes.len());
        self.wires[w].pipes[0].bytes.extend(bytes);
        self.settle(n);
    }

    fn advance_snapshot(&mut self, n: usize) {
        let node = &mut self.nodes[n];
        let Some((id, chunks)) = &mut node.snapshot else {
            return;
        };
        let id = *id;
        if node.repl.snapshot_wanted() == Some(id) {
            match chunks.pop_front() {
                Some(chunk) => node.repl.snapshot_chunk(self.now, id, &chunk),
                None => {
                    node.snapshot = None;
                    node.repl.snapshot_finished(self.now, id, true);
                }
            }
        }
        self.settle(n);
    }

    fn advance_disk(&mut self, n: usize) {
        let node = &mut self.nodes[n];
        let Some((attempt, op)) = node.disk.pop_front() else {
            return;
        };
        match op {
            DiskOp::Open { file, path, .. } => {
                node.files.insert(path.clone(), Vec::new());
                assert!(node.open.insert(file, path).is_none());
            }
            DiskOp::Append { file, data } => {
                let path = &node.open[&file];
                node.files.get_mut(path).unwrap().extend_from_slice(&data);
            }
            DiskOp::Close { file } => assert!(node.open.remove(&file).is_some()),
            DiskOp::Rename { from, to } => {
                let bytes = node.files.remove(&from).unwrap();
                node.files.insert(to, bytes);
            }
            DiskOp::Remove { path } => {
                node.files.remove(&path);
            }
            DiskOp::Sync { .. } | DiskOp::SyncDir { .. } => {}
            DiskOp::Read { .. }
            | DiskOp::ChangeDir { .. }
            | DiskOp::Truncate { .. }
            | DiskOp::Length { .. }
            | DiskOp::CanRun { .. }
            | DiskOp::MakeDir { .. } => panic!("{op:?}"),
        }
        node.repl.disk_done(self.now, attempt, Ok(()));
        self.settle(n);
    }

    fn pass(&mut self, time: Duration) {
        self.now.mono = self.now.mono + time;
        for n in 0..self.nodes.len() {
            self.settle(n);
        }
    }

    /// The same place in the same history means the same data.
    fn compare(&mut self, n: usize) {
        let node = &self.nodes[n];
        let history = node.repl.history();
        if node.repl.is_master() && !node.repl.feeds() {
            // Nobody has been told of this place.
            return;
        }
        let key = (history.replid(), history.offset());
        let seen = (node.data.bytes.len(), node.data.digest);
        let known = *self.ghost.entry(key).or_insert(seen);
        assert_eq!(known, seen, "node {n} at {key:?}");
        if let Some(previous) = history.previous() {
            assert!(previous.until <= history.offset());
        }
    }

    /// Lets everything that is on its way arrive.
    fn flow(&mut self) {
        for _ in 0..4 {
            let alive = |&w: &usize| self.wires[w].alive;
            let alive: Vec<_> = (0..self.wires.len()).filter(alive).collect();
            for w in alive {
                self.deliver(w, 1, usize::MAX);
                self.write_out(w, usize::MAX);
                self.deliver(w, 0, usize::MAX);
            }
            for n in 0..self.nodes.len() {
                self.advance_snapshot(n);
                self.advance_disk(n);
            }
        }
    }

    fn flow_for(&mut self, time: Duration) {
        let step = Duration::from_millis(50);
        let until = self.now.mono + time;
        while self.now.mono < until {
            self.flow();
            self.pass(step);
        }
    }

    fn converge(&mut self) {
        self.replica_of(0, 0);
        for n in 1..self.nodes.len() {
            self.replica_of(n, 0);
        }
        self.flow_for(Duration::from_secs(30));
        self.write(0, &[0], 0);
        self.flow_for(Duration::from_secs(2));
        self.flow();
        for n in 1..self.nodes.len() {
            assert!(self.nodes[n].repl.is_connected(), "node {n} is connected");
            assert_eq!(self.nodes[n].data, self.nodes[0].data);
            assert_eq!(
                self.nodes[n].repl.history().replid(),
                self.nodes[0].repl.history().replid()
            );
            assert_eq!(self.nodes[n].repl.offset(), self.nodes[0].repl.offset());
        }
    }
}

impl Node {
    fn execute(&mut self, now: Now, command: &[Vec<u8>]) {
        match command.first().map(Vec::as_slice) {
            Some(b"PUT") => {
                let value = core::str::from_utf8(&command[1]).unwrap();
                self.data.push(format!("{}:{value};", self.db).as_bytes());
            }
            Some(b"SELECT") => {
                self.db = core::str::from_utf8(&command[1]).unwrap().parse().unwrap();
            }
            Some(b"REPLCONF") => self.repl.getack(now),
            Some(b"PING") | None => {}
            Some(_) => panic!("{command:?}"),
        }
    }
}

#[derive(Clone, Debug)]
enum Op {
    Write {
        node: usize,
        effects: Vec<u32>,
        size: usize,
    },
    ReplicaOf {
        node: usize,
        master: usize,
    },
    Failover {
        node: usize,
        to: usize,
        force: bool,
        millis: u64,
    },
    Cut {
        wire: prop::sample::Index,
    },
    Refuse {
        wire: prop::sample::Index,
    },
    Deliver {
        wire: prop::sample::Index,
        side: usize,
        len: usize,
    },
    WriteOut {
        wire: prop::sample::Index,
        len: usize,
    },
    Snapshot {
        node: usize,
    },
    Disk {
        node: usize,
    },
    Busy {
        node: usize,
    },
    Pass {
        millis: u64,
    },
    FlowFor {
        millis: u64,
    },
}

fn op(nodes: usize) -> impl Strategy<Value = Op> {
    let node = 0..nodes;
    let wire = any::<prop::sample::Index>();
    prop_oneof![
        6 => (node.clone(), proptest::collection::vec(0u32..3, 1..4), 0usize..2000)
            .prop_map(|(node, effects, size)| Op::Write { node, effects, size }),
        1 => (node.clone(), node.clone())
            .prop_map(|(node, master)| Op::ReplicaOf { node, master }),
        1 => (node.clone(), node.clone(), any::<bool>(), 1u64..3000)
            .prop_map(|(node, to, force, millis)| Op::Failover { node, to, force, millis }),
        1 => wire.clone().prop_map(|wire| Op::Cut { wire }),
        1 => wire.clone().prop_map(|wire| Op::Refuse { wire }),
        8 => (wire.clone(), 0usize..2, 1usize..400)
            .prop_map(|(wire, side, len)| Op::Deliver { wire, side, len }),
        6 => (wire, 1usize..3000).prop_map(|(wire, len)| Op::WriteOut { wire, len }),
        3 => node.clone().prop_map(|node| Op::Snapshot { node }),
        3 => node.clone().prop_map(|node| Op::Disk { node }),
        1 => node.prop_map(|node| Op::Busy { node }),
        2 => (1u64..1500).prop_map(|millis| Op::Pass { millis }),
        3 => (50u64..3000).prop_map(|millis| Op::FlowFor { millis }),
    ]
}

fn run(world: &mut World, op: Op) {
    // The newest connections are the ones in use.
    let pick = |index: prop::sample::Index, len: usize| {
        let recent = len.min(8);
        (recent > 0).then(|| len - 1 - index.index(recent))
    };
    let wires = world.wires.len();
    match op {
        Op::Write {
            node,
            effects,
            size,
        } => world.write(node, &effects, size),
        Op::ReplicaOf { node, master } => world.replica_of(node, master),
        Op::Failover {
            node,
            to,
            force,
            millis,
        } => world.failover(node, to, force, Duration::from_millis(millis)),
        Op::Cut { wire } => {
            if let Some(w) = pick(wire, wires) {
                world.close(w, None);
            }
        }
        Op::Refuse { wire } => {
            // What comes of a connection that was already forgotten is ignored.
            if let Some(w) = pick(wire, wires).filter(|&w| !world.wires[w].alive) {
                let n = world.wires[w].nodes[0];
                let refused = Err(ConnectFault { errno: 111 });
                world.nodes[n]
                    .repl
                    .connected(world.now, conn(w, 0), refused);
                world.nodes[n].repl.hung_up(world.now, conn(w, 0));
                world.settle(n);
            }
        }
        Op::Deliver { wire, side, len } => {
            if let Some(w) = pick(wire, wires) {
                world.deliver(w, side, len);
            }
        }
        Op::WriteOut { wire, len } => {
            if let Some(w) = pick(wire, wires) {
                world.write_out(w, len);
            }
        }
        Op::Snapshot { node } => world.advance_snapshot(node),
        Op::Disk { node } => world.advance_disk(node),
        Op::Busy { node } => world.nodes[node].busy = true,
        Op::Pass { millis } => world.pass(Duration::from_millis(millis)),
        Op::FlowFor { millis } => world.flow_for(Duration::from_millis(millis)),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn the_same_place_in_the_same_history_means_the_same_data(
        ops in proptest::collection::vec(op(4), 1..150),
    ) {
        let mut world = World::new(4);
        for n in 1..4 {
            world.replica_of(n, if n == 3 { 1 } else { 0 });
        }
        world.flow_for(Duration::from_secs(4));
        for op in ops {
            run(&mut world, op);
        }
        world.converge();
    }
}

fn pair() -> World {
    let mut world = World::new(2);
    world.write(0, &[0, 1], 10);
    world.replica_of(1, 0);
    world.flow_for(Duration::from_secs(3));
    assert!(world.nodes[1].repl.is_connected());
    world
}

#[test]
fn a_replica_starts_with_a_snapshot_and_goes_on_with_the_stream() {
    let mut world = pair();
    assert_eq!(world.full_syncs, 1);
    world.write(0, &[2], 5);
    world.write(0, &[2, 1, 2], 5);
    world.flow();
    assert_eq!(world.nodes[0].data, world.nodes[1].data);
    assert_eq!(world.nodes[0].repl.offset(), world.nodes[1].repl.offset());
}

#[test]
fn a_lost_link_is_gone_on_with_where_it_was_lost() {
    let mut world = pair();
    for cut in 0..60 {
        world.write(0, &[cut % 3, 2], 5);
        let w = world.wires.len() - 1;
        world.write_out(w, usize::MAX);
        world.deliver(w, 0, usize::try_from(cut).unwrap() * 2);
        world.close(w, None);
        world.flow_for(Duration::from_millis(200));
        assert!(world.nodes[1].repl.is_connected());
        assert_eq!(world.nodes[0].data, world.nodes[1].data);
    }
    assert_eq!(world.full_syncs, 1);
    assert_eq!(world.nodes[0].repl.sync_stats().partial_ok, 60);
}

#[test]
fn a_replica_that_missed_more_than_the_backlog_gets_a_snapshot() {
    let mut world = pair();
    let refused = world.nodes[0].repl.sync_stats().partial_err;
    let w = world.wires.len() - 1;
    world.close(w, None);
    for _ in 0..40 {
        world.write(0, &[0], 1000);
    }
    world.flow_for(Duration::from_secs(3));
    assert_eq!(world.full_syncs, 2);
    assert_eq!(world.nodes[0].data, world.nodes[1].data);
    assert_eq!(world.nodes[0].repl.sync_stats().partial_err, refused + 1);
}

#[test]
fn after_a_failover_nobody_needs_a_snapshot() {
    let mut world = World::new(3);
    world.replica_of(1, 0);
    world.replica_of(2, 0);
    world.flow_for(Duration::from_secs(3));
    world.write(0, &[0, 1], 20);
    world.flow();
    assert_eq!(world.full_syncs, 2);
    let old = world.nodes[0].repl.history().clone();

    world.replica_of(1, 1);
    world.replica_of(2, 1);
    world.replica_of(0, 1);
    world.write(1, &[1], 20);
    world.flow_for(Duration::from_secs(3));
    for n in [0, 2] {
        assert!(world.nodes[n].repl.is_connected());
        assert_eq!(world.nodes[n].data, world.nodes[1].data);
        let history = world.nodes[n].repl.history();
        assert_eq!(history.replid(), world.nodes[1].repl.history().replid());
        assert_eq!(history.replid2(), old.replid());
        assert_eq!(
            history.second_offset(),
            i64::try_from(old.offset().next_byte()).unwrap()
        );
    }
    assert_eq!(world.full_syncs, 2);
}

#[test]
fn a_chain_has_the_same_ids_and_offsets_all_along() {
    let mut world = World::new(3);
    world.replica_of(1, 0);
    world.flow_for(Duration::from_secs(3));
    world.write(0, &[1, 2], 20);
    world.replica_of(2, 1);
    world.flow_for(Duration::from_secs(3));
    // The newcomer starts in the database the stream is in.
    world.write(0, &[2], 20);
    world.flow();
    let [top, middle, end] = &world.nodes[..] else {
        panic!("three nodes");
    };
    assert_eq!(top.data, end.data);
    assert_eq!(top.repl.history().replid(), end.repl.history().replid());
    assert_eq!(top.repl.offset(), middle.repl.offset());
    assert_eq!(top.repl.offset(), end.repl.offset());
}

#[test]
fn an_old_master_with_writes_of_its_own_gets_a_snapshot() {
    let mut world = pair();
    world.write(0, &[0], 5);
    // The replica never sees it.
    world.replica_of(1, 1);
    world.write(1, &[0], 7);
    world.replica_of(0, 1);
    world.flow_for(Duration::from_secs(3));
    assert_eq!(world.nodes[0].data, world.nodes[1].data);
    assert_eq!(world.full_syncs, 2);
}

#[test]
fn acknowledgements_let_waits_end() {
    let mut world = pair();
    world.write(0, &[0], 5);
    let client = ConnId {
        index: 9000,
        generation: 0,
    };
    let target = world.nodes[0].repl.offset();
    let need = Need {
        target,
        replicas: 1,
        kept: Kept::InMemory,
    };
    let now = world.now;
    assert_eq!(world.nodes[0].repl.wait(now, client, need, None), None);
    world.settle(0);
    world.flow();
    assert_eq!(world.nodes[0].repl.poll_waited(), Some((client, 1)));
    assert_eq!(world.nodes[0].repl.wait(now, client, need, None), Some(1));
}

#[test]
fn a_backlog_that_nobody_used_for_long_is_freed_with_its_id() {
    let mut world = pair();
    let id = world.nodes[0].repl.history().replid();
    world.replica_of(1, 1);
    assert!(world.nodes[0].repl.feeds());
    world.pass(Duration::from_secs(3599));
    assert!(world.nodes[0].repl.feeds());
    world.pass(Duration::from_secs(2));
    assert!(!world.nodes[0].repl.feeds());
    assert_ne!(world.nodes[0].repl.history().replid(), id);
    assert_eq!(world.nodes[0].repl.history().previous(), None);
}

#[test]
fn promotion_starts_the_wait_for_replicas_anew() {
    let mut world = pair();
    world.pass(Duration::from_secs(50));
    for _ in 0..80 {
        world.flow_for(Duration::from_secs(50));
    }
    world.replica_of(1, 1);
    world.pass(Duration::from_secs(100));
    assert!(world.nodes[1].repl.feeds());
}
