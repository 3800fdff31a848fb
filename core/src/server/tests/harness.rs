//! Servers in virtual time, joined by a network that cuts streams at random, each with a disk in
//! memory.

use core::time::Duration;
use std::collections::{BTreeMap, VecDeque};

use bytes::Bytes;

use crate::config::{Config, Source};
use crate::machine::{
    Addr, Completion, ConnId, DiskFault, DiskOp, Done, Effect, FileId, Hangup, Machine, Mono, Now,
    OpenMode, Peer, Refusal, Slices, Ticket, Wall,
};
use crate::resp::encode_command;
use crate::rng::Rng;
use crate::server::{Launch, Server};

/// A disk that only remembers.
#[derive(Default)]
pub(super) struct Disk {
    pub(super) files: BTreeMap<String, Vec<u8>>,
    open: BTreeMap<FileId, String>,
    /// Writes fail as on a full disk.
    pub(super) full: bool,
    /// Syncs of files that were carried out.
    pub(super) syncs: usize,
    /// Syncs of files fail.
    pub(super) fails_to_sync: bool,
    /// Syncs of directories fail.
    pub(super) fails_to_sync_dir: bool,
    /// Reads fail.
    pub(super) fails_to_read: bool,
    /// Nothing is answered until this is lifted.
    pub(super) stuck: bool,
    pub(super) waiting: VecDeque<(Ticket, DiskOp)>,
}

impl Disk {
    /// Carries out what waits, as a driver does when the machine has ended.
    pub(super) fn finish(&mut self) {
        for (_, op) in core::mem::take(&mut self.waiting) {
            let _ = self.carry_out(op);
        }
    }

    fn carry_out(&mut self, op: DiskOp) -> Result<Bytes, DiskFault> {
        match op {
            DiskOp::Open { file, path, mode } => {
                let path = String::from(path);
                match mode {
                    OpenMode::Read if !self.files.contains_key(&path) => {
                        return Err(DiskFault::NotFound);
                    }
                    OpenMode::Create | OpenMode::CreateDirect => {
                        drop(self.files.insert(path.clone(), Vec::new()))
                    }
                    OpenMode::Append => drop(self.files.entry(path.clone()).or_default()),
                    OpenMode::Read => {}
                }
                let twin = self.open.insert(file, path);
                assert_eq!(twin, None, "a file id in use is not opened");
            }
            DiskOp::Append { file, data } if self.full => {
                let path = self.open[&file].clone();
                let part = &data[..data.len() / 2];
                self.files.entry(path).or_default().extend_from_slice(part);
                return Err(DiskFault::NoSpace);
            }
            DiskOp::Sync { .. } if self.fails_to_sync => {
                return Err(DiskFault::Failed { errno: 5 });
            }
            DiskOp::SyncDir { .. } if self.fails_to_sync_dir => {
                return Err(DiskFault::Failed { errno: 5 });
            }
            DiskOp::Read { .. } if self.fails_to_read => {
                return Err(DiskFault::Failed { errno: 5 });
            }
            DiskOp::Truncate { file, len } => {
                let text = self.files.get_mut(&self.open[&file]);
                text.expect("it is open")
                    .truncate(usize::try_from(len).unwrap());
            }
            DiskOp::Length { path } => {
                let text = self.files.get(&*path).ok_or(DiskFault::NotFound)?;
                let len = text.len() as u64;
                return Ok(Bytes::copy_from_slice(&len.to_le_bytes()));
            }
            DiskOp::Append { file, data } => {
                let path = self.open[&file].clone();
                self.files.entry(path).or_default().extend_from_slice(&data);
            }
            DiskOp::Read { file, at, len } => {
                let text = &self.files[&self.open[&file]];
                let from = usize::try_from(at).unwrap().min(text.len());
                let to = (from + len as usize).min(text.len());
                return Ok(Bytes::copy_from_slice(&text[from..to]));
            }
            DiskOp::Close { file } => drop(self.open.remove(&file).expect("it was open")),
            DiskOp::Rename { from, to } => {
                let text = self.files.remove(&*from).ok_or(DiskFault::NotFound)?;
                self.files.insert(to.into(), text);
            }
            DiskOp::Remove { path } => drop(self.files.remove(&*path)),
            DiskOp::Sync { .. } => self.syncs += 1,
            DiskOp::SyncDir { .. } | DiskOp::ChangeDir { .. } | DiskOp::MakeDir { .. } => {}
            DiskOp::CanRun { .. } => panic!("a server runs no script"),
        }
        Ok(Bytes::new())
    }
}

pub(super) struct Node {
    pub(super) server: Server,
    pub(super) disk: Disk,
    pub(super) exit: Option<u8>,
    pub(super) listening: Vec<Addr>,
    /// What the process is called.
    pub(super) title: Option<String>,
    port: u16,
    /// What clients have received and not yet looked at.
    received: BTreeMap<ConnId, Vec<u8>>,
    closed: Vec<ConnId>,
    /// Clients that do not read.
    lazy: Vec<ConnId>,
    /// What is sent to it from other nodes stays under way.
    deaf: bool,
}

/// One end of a connection between two nodes.
type End = (usize, ConnId);

pub(super) struct World {
    pub(super) nodes: Vec<Node>,
    now: Now,
    pipes: BTreeMap<End, End>,
    /// Bytes under way, by where they go to.
    under_way: BTreeMap<End, VecDeque<u8>>,
    rng: Rng,
    next_peer: u16,
}

impl World {
    /// No node yet; `seed` decides how streams are cut.
    pub(super) fn new(seed: u8) -> Self {
        let now = Now {
            mono: Mono::from_nanos(1_000_000_000),
            wall: Wall::from_millis(1_700_000_000_000),
        };
        Self {
            nodes: Vec::new(),
            now,
            pipes: BTreeMap::new(),
            under_way: BTreeMap::new(),
            rng: Rng::new([seed; 32]),
            next_peer: 40_000,
        }
    }

    /// A single server that is ready for clients.
    pub(super) fn single(config: &str) -> Self {
        let mut world = Self::new(1);
        world.start(config, BTreeMap::new());
        world
    }

    /// Starts a server on the next port from 6379 on, with these files; its place.
    pub(super) fn start(&mut self, config: &str, files: BTreeMap<String, Vec<u8>>) -> usize {
        let node = self.start_stuck(config, files);
        self.nodes[node].disk.stuck = false;
        self.settle();
        node
    }

    /// As [`start`](Self::start), with a disk that does nothing by itself.
    pub(super) fn start_stuck(&mut self, config: &str, files: BTreeMap<String, Vec<u8>>) -> usize {
        let port = 6379 + u16::try_from(self.nodes.len()).unwrap();
        let text = format!("bind 127.0.0.1\nport {port}\nrepl-diskless-sync-delay 0\n{config}\n");
        let mut config = Config::load(&[Source::new("redis.conf", text.clone())], &mut |_| {
            Ok(Vec::new())
        })
        .expect("a sound configuration");
        config.set_file("redis.conf");
        let seed = [u8::try_from(port % 251).unwrap(); 32];
        let mut disk = Disk {
            files,
            stuck: true,
            ..Disk::default()
        };
        disk.files
            .entry("redis.conf".into())
            .or_insert_with(|| text.into_bytes());
        let acl_file = disk.files.get(config.aclfile());
        let launch = Launch {
            acl_file: acl_file.map(|text| text.as_slice().into()),
            ..Launch::default()
        };
        self.nodes.push(Node {
            server: Server::new(config, launch, seed, self.now),
            disk,
            exit: None,
            listening: Vec::new(),
            title: None,
            port,
            received: BTreeMap::new(),
            closed: Vec::new(),
            lazy: Vec::new(),
            deaf: false,
        });
        self.settle();
        self.nodes.len() - 1
    }

    /// Lets the peers of a node see it die, and starts it again with its files.
    pub(super) fn restart(&mut self, node: usize, config: &str) -> usize {
        let ends: Vec<End> = self.pipes.keys().copied().collect();
        for end in ends.into_iter().filter(|&(at, _)| at == node) {
            self.hang_up(end);
        }
        let files = core::mem::take(&mut self.nodes[node].disk.files);
        self.nodes[node].exit = Some(0);
        self.start(config, files)
    }

    pub(super) fn accept_from(&mut self, node: usize, ip: &str) -> Result<ConnId, Refusal> {
        self.next_peer += 1;
        let remote = format!("{ip}:{}", self.next_peer);
        let local = format!("127.0.0.1:{}", self.nodes[node].port);
        let peer = Peer {
            remote: Addr::Tcp(remote.parse().unwrap()),
            local: Addr::Tcp(local.parse().unwrap()),
        };
        self.nodes[node].server.handle_accept(self.now, peer)
    }

    pub(super) fn client(&mut self, node: usize) -> ConnId {
        self.accept_from(node, "127.0.0.1")
            .expect("room for a client")
    }

    /// Sends bytes in one piece, without ending the turn.
    pub(super) fn feed(&mut self, node: usize, conn: ConnId, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let server = &self.nodes[node].server;
            if server.state().conns.is_held(conn) {
                self.begin_held(node);
            }
            let server = &mut self.nodes[node].server;
            assert!(server.wants_read(conn), "the server takes what is sent");
            let space = server.read_space(conn);
            let n = space.len().min(bytes.len());
            space[..n].copy_from_slice(&bytes[..n]);
            server.handle_read(self.now, conn, n);
            bytes = &bytes[n..];
        }
    }

    /// Has a node look at what it was sent, as any other input does, without ending the turn.
    pub(super) fn begin_held(&mut self, node: usize) {
        self.nodes[node].server.handle_timeout(self.now);
    }

    /// Sends one command, lets everything come to rest, and returns what the client got since.
    pub(super) fn ask_at(&mut self, node: usize, conn: ConnId, command: &str) -> String {
        self.feed(node, conn, &encoded(command));
        self.settle();
        self.heard_at(node, conn)
    }

    /// As [`ask_at`](Self::ask_at) the first node.
    pub(super) fn ask(&mut self, conn: ConnId, command: &str) -> String {
        self.ask_at(0, conn, command)
    }

    /// What a client was sent since it last looked; line ends as `|`.
    pub(super) fn heard_at(&mut self, node: usize, conn: ConnId) -> String {
        let bytes = self.nodes[node].received.remove(&conn).unwrap_or_default();
        String::from_utf8(bytes).unwrap().replace("\r\n", "|")
    }

    /// What a client of the first node was sent since it last looked, byte for byte.
    pub(super) fn heard_bytes(&mut self, conn: ConnId) -> String {
        let bytes = self.nodes[0].received.remove(&conn).unwrap_or_default();
        bytes.escape_ascii().to_string()
    }

    /// A client of the first node that gets its stream as a replica does.
    pub(super) fn eavesdropper(&mut self) -> ConnId {
        let conn = self.client(0);
        self.eavesdrop(conn);
        conn
    }

    /// Makes it one.
    pub(super) fn eavesdrop(&mut self, conn: ConnId) {
        self.feed(0, conn, &encoded("sync"));
        self.wait(3_000);
        let snapshot = self.nodes[0].received.remove(&conn);
        assert!(
            snapshot.is_some_and(|bytes| bytes.len() > 100),
            "a snapshot came"
        );
    }

    /// The words of the stream that such a client has got since it last looked.
    pub(super) fn overheard(&mut self, conn: ConnId) -> String {
        let text = self.heard(conn);
        let words = text.split('|').filter(|word| !word.starts_with(['*', '$']));
        words.collect::<Vec<_>>().join(" ").trim_end().to_owned()
    }

    /// As [`heard_at`](Self::heard_at) the first node.
    pub(super) fn heard(&mut self, conn: ConnId) -> String {
        self.heard_at(0, conn)
    }

    /// A client goes away.
    pub(super) fn leave(&mut self, conn: ConnId) {
        let server = &mut self.nodes[0].server;
        server.handle_hangup(self.now, conn, Hangup::Eof);
        self.settle();
    }

    pub(super) fn now(&self) -> Now {
        self.now
    }

    pub(super) fn is_closed(&self, conn: ConnId) -> bool {
        self.nodes[0].closed.contains(&conn)
    }

    /// Lets a client read no more.
    pub(super) fn stop_reading(&mut self, conn: ConnId) {
        self.nodes[0].lazy.push(conn);
    }

    /// Whether a node hears nothing of the others.
    pub(super) fn deaf(&mut self, node: usize, deaf: bool) {
        self.nodes[node].deaf = deaf;
        self.settle();
    }

    /// Cuts every connection between two nodes.
    pub(super) fn cut(&mut self) {
        for end in self.pipes.keys().copied().collect::<Vec<_>>() {
            self.hang_up(end);
        }
        self.settle();
    }

    fn hang_up(&mut self, (node, conn): End) {
        self.under_way.remove(&(node, conn));
        if self.pipes.remove(&(node, conn)).is_some() && self.nodes[node].exit.is_none() {
            let server = &mut self.nodes[node].server;
            server.handle_hangup(self.now, conn, Hangup::Eof);
        }
    }

    /// Lets time pass, deadline by deadline.
    pub(super) fn wait(&mut self, ms: u64) {
        let end = self.now.mono + Duration::from_millis(ms);
        loop {
            let next = self.live().filter_map(|(_, node)| {
                let deadline = node.server.poll_timeout();
                deadline.map(|(at, _)| at)
            });
            let Some(at) = next.min().filter(|&at| at <= end) else {
                break;
            };
            self.advance_to(at);
        }
        self.advance_to(end);
    }

    /// Lets time pass without anybody noticing, as if all processes had been stopped.
    pub(super) fn stand_still(&mut self, ms: u64) {
        self.now.mono = self.now.mono + Duration::from_millis(ms);
        self.tell_time();
    }

    fn advance_to(&mut self, at: Mono) {
        let step = at.since(self.now.mono);
        self.now.mono = self.now.mono + step;
        self.tell_time();
        let now = self.now;
        for node in &mut self.nodes {
            node.server.handle_timeout(now);
        }
        self.settle();
    }

    /// Sets the wall clock by the other.
    fn tell_time(&mut self) {
        let start = Mono::from_nanos(1_000_000_000);
        let passed = i64::try_from(self.now.mono.since(start).as_millis()).unwrap();
        self.now.wall = Wall::from_millis(1_700_000_000_000 + passed);
    }

    fn live(&self) -> impl Iterator<Item = (usize, &Node)> {
        self.nodes
            .iter()
            .enumerate()
            .filter(|(_, node)| node.exit.is_none())
    }

    /// Runs turns until nothing moves.
    pub(super) fn settle(&mut self) {
        for _ in 0..100_000 {
            let mut moved = false;
            for at in 0..self.nodes.len() {
                moved |= self.nodes[at].exit.is_none() && self.turn(at);
            }
            moved |= self.carry();
            if !moved {
                return;
            }
        }
        panic!("the servers keep each other busy");
    }

    /// One turn of one node whose disk is stuck, and one step of that.
    pub(super) fn disk_step(&mut self, at: usize) {
        self.nodes[at].disk.stuck = false;
        self.turn(at);
        self.nodes[at].disk.stuck = true;
    }

    /// One turn of one node; whether anything came of it.
    pub(super) fn turn(&mut self, at: usize) -> bool {
        let now = self.now;
        self.nodes[at].server.end_turn(now);
        self.nodes[at].server.check_invariants();
        // A driver would be woken by it again and again.
        if let Some((due, name)) = self.nodes[at].server.poll_timeout() {
            assert!(due > now.mono, "{name:?} is due and remains after the turn");
        }
        let mut moved = self.nodes[at].server.has_backlog();
        moved |= self.carry_out(at);
        while let Some(conn) = self.nodes[at].server.poll_writable() {
            moved = true;
            self.collect(at, conn);
        }
        moved |= self.carry_out(at);
        if !self.nodes[at].disk.stuck
            && let Some((ticket, op)) = self.nodes[at].disk.waiting.pop_front()
        {
            moved = true;
            let done = Done::Disk(self.nodes[at].disk.carry_out(op));
            let done = Completion { ticket, done };
            self.nodes[at].server.handle_done(now, done);
        }
        moved
    }

    fn collect(&mut self, at: usize, conn: ConnId) {
        loop {
            let node = &mut self.nodes[at];
            if node.lazy.contains(&conn) {
                return;
            }
            let mut slices = Slices::new();
            node.server.writable(conn, &mut slices);
            let bytes: Vec<u8> = slices.iter().flat_map(|slice| slice.to_vec()).collect();
            drop(slices);
            if bytes.is_empty() {
                return;
            }
            node.server.consume(self.now, conn, bytes.len());
            match self.pipes.get(&(at, conn)) {
                Some(&to) => self.under_way.entry(to).or_default().extend(bytes),
                None => node.received.entry(conn).or_default().extend(bytes),
            }
        }
    }

    fn carry_out(&mut self, at: usize) -> bool {
        let mut moved = false;
        while let Some(effect) = self.nodes[at].server.poll_effect() {
            moved = true;
            let now = self.now;
            let node = &mut self.nodes[at];
            match effect {
                Effect::Listen { ticket, addr, .. } => {
                    node.listening.push(addr.clone());
                    let done = Done::Listen(Ok(addr));
                    node.server.handle_done(now, Completion { ticket, done });
                }
                Effect::Resolve { ticket, host } => {
                    let done = Done::Resolved(host.parse().into_iter().collect());
                    node.server.handle_done(now, Completion { ticket, done });
                }
                Effect::Disk { ticket, op } => node.disk.waiting.push_back((ticket, op)),
                Effect::Connect { conn, to, .. } => self.connect(at, conn, &to),
                Effect::Close { conn } => {
                    node.closed.push(conn);
                    if let Some(other) = self.pipes.remove(&(at, conn)) {
                        self.under_way.remove(&(at, conn));
                        self.hang_up(other);
                    }
                }
                Effect::Exit { code } => node.exit = Some(code),
                Effect::Title { text } => node.title = Some(text.into()),
                Effect::Keepalive { .. } | Effect::Notify { .. } | Effect::Unlisten { .. } => {}
                Effect::Spawn { .. } | Effect::Kill { .. } => panic!("a server runs no script"),
                Effect::Address { .. } => panic!("a server changes no addresses"),
            }
        }
        moved
    }

    fn connect(&mut self, at: usize, conn: ConnId, to: &Addr) {
        let there = self
            .live()
            .find(|(_, node)| node.listening.contains(to))
            .map(|(place, _)| place);
        let result =
            there.and_then(|place| Some((place, self.accept_from(place, "127.0.0.1").ok()?)));
        let local = match result {
            Some(other) => {
                self.pipes.insert((at, conn), other);
                self.pipes.insert(other, (at, conn));
                Ok(Addr::Tcp("127.0.0.1:39999".parse().unwrap()))
            }
            None => Err(crate::machine::ConnectFault { errno: 111 }),
        };
        self.nodes[at]
            .server
            .handle_connected(self.now, conn, local);
    }

    /// Delivers a piece of everything under way.
    pub(super) fn carry(&mut self) -> bool {
        let ends: Vec<End> = self.under_way.keys().copied().collect();
        let mut moved = false;
        for (node, conn) in ends {
            if self.nodes[node].deaf || !self.nodes[node].server.wants_read(conn) {
                continue;
            }
            let bound = 1 << self.rng.below(12);
            let most = 1 + usize::try_from(self.rng.below(bound)).unwrap();
            let waiting = self.under_way.get_mut(&(node, conn)).expect("listed");
            let piece: Vec<u8> = waiting.drain(..most.min(waiting.len())).collect();
            if waiting.is_empty() {
                self.under_way.remove(&(node, conn));
            }
            moved = true;
            let server = &mut self.nodes[node].server;
            let space = server.read_space(conn);
            let n = space.len().min(piece.len());
            assert_eq!(n, piece.len(), "a piece is smaller than any room");
            space[..n].copy_from_slice(&piece);
            server.handle_read(self.now, conn, n);
        }
        moved
    }

    /// A line of INFO.
    pub(super) fn info(&mut self, node: usize, field: &str) -> String {
        let conn = self.client(node);
        let report = self.ask_at(node, conn, "info everything");
        let line = report
            .split('|')
            .find_map(|line| line.strip_prefix(field)?.strip_prefix(':'));
        line.unwrap_or_else(|| panic!("no {field} in {report}"))
            .into()
    }

    /// A fingerprint of everything a node holds.
    pub(super) fn digest(&self, node: usize) -> String {
        crate::server::digest::hex(crate::server::digest::dataset(
            self.nodes[node].server.keys(),
        ))
    }
}

/// A command line as RESP.
pub(super) fn encoded(command: &str) -> Vec<u8> {
    let words: Vec<&[u8]> = command.split(' ').map(str::as_bytes).collect();
    let mut bytes = Vec::new();
    encode_command(&mut bytes, &words);
    bytes
}

/// Sends commands one after the other and expects these replies.
#[track_caller]
pub(super) fn dialogue(world: &mut World, lines: &[(&str, &str)]) {
    let a = world.client(0);
    for (command, reply) in lines {
        assert_eq!(world.ask(a, command), *reply, "{command}");
    }
}
