//! Sentinels, servers and clients in virtual time: a network and a disk that only delay.

use core::net::{IpAddr, Ipv4Addr};
use core::time::Duration;
use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;

use super::fake::{FakeServer, Output};
use crate::config::{Config, MasterConfig, SentinelConfig, Source};
use crate::machine::{
    Addr, AddressOp, Completion, ConnId, ConnectFault, DiskFault, DiskOp, Done, Effect, FileId,
    Hangup, Machine, Mono, Now, OpenMode, Peer, ScriptId, Slices, Ticket, Wall,
};
use crate::resp::{ReplyParser, Value, encode_command};
use crate::sentinel::Sentinel;

pub(super) const SENTINEL_PORT: u16 = 26_379;
const SYNC_US: u64 = 1_000;

/// One end of a connection.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
enum End {
    Sentinel(usize, ConnId),
    Server(usize, u64),
    Client(u64),
}

#[derive(Debug)]
enum Event {
    Connected {
        from: End,
        to: Option<End>,
    },
    Bytes {
        to: End,
        bytes: Vec<u8>,
    },
    Hangup {
        to: End,
    },
    Done {
        sentinel: usize,
        life: u32,
        done: Completion,
    },
    Spawned {
        sentinel: usize,
        script: ScriptId,
    },
    Wake {
        sentinel: usize,
    },
}

pub(super) struct Node {
    pub(super) machine: Sentinel,
    pub(super) alive: bool,
    pub(super) files: BTreeMap<String, Vec<u8>>,
    pub(super) disk_fails: bool,
    /// Whether others take it for one of Redis's.
    pub(super) foreign: bool,
    /// A file that can't be written.
    pub(super) read_only: Option<String>,
    /// Steps that changed a file.
    pub(super) renames: usize,
    pub(super) disk_slow: Duration,
    /// Those of its host.
    pub(super) addresses: Vec<IpAddr>,
    pub(super) script_takes: Duration,
    /// Not run before this instant.
    frozen_until: u64,
    open: BTreeMap<FileId, (String, OpenMode)>,
    disk_free_at: u64,
    life: u32,
}

/// A client's connection to a Sentinel, with what it received.
#[derive(Default)]
struct Client {
    parser: ReplyParser,
    received: Vec<(u64, Value)>,
}

pub(super) struct World {
    pub(super) now: u64,
    pub(super) servers: Vec<FakeServer>,
    pub(super) nodes: Vec<Node>,
    /// Host names that resolve.
    pub(super) names: BTreeMap<String, u16>,
    /// Pairs of a Sentinel's and a server's or Sentinel's port that can't reach each other.
    pub(super) cut: BTreeSet<(u16, u16)>,
    pub(super) exits: Vec<(usize, u8)>,
    pub(super) latency_us: u64,
    /// How long a lookup takes.
    pub(super) lookup_us: u64,
    queue: BTreeMap<(u64, u64), Event>,
    seq: u64,
    peers: BTreeMap<End, End>,
    clients: BTreeMap<u64, Client>,
    next_id: u64,
    /// Published events: time, Sentinel, name and text.
    pub(super) events: Vec<(u64, usize, String)>,
    watchers: BTreeMap<u64, usize>,
    /// PINGs that came to servers: time and server.
    pub(super) pings: Vec<(u64, usize)>,
}

impl World {
    /// A master at port 6379 with replicas behind it, watched by Sentinels.
    pub(super) fn new(replicas: u16, sentinels: usize, quorum: u32) -> Self {
        let mut world = Self {
            now: 1_000_000_000,
            servers: vec![FakeServer::new(6379, None)],
            nodes: Vec::new(),
            names: BTreeMap::new(),
            cut: BTreeSet::new(),
            exits: Vec::new(),
            latency_us: 200,
            lookup_us: 5_000,
            queue: BTreeMap::new(),
            seq: 0,
            peers: BTreeMap::new(),
            clients: BTreeMap::new(),
            next_id: 0,
            events: Vec::new(),
            watchers: BTreeMap::new(),
            pings: Vec::new(),
        };
        for n in 0..replicas {
            world.servers.push(FakeServer::new(6380 + n, Some(6379)));
        }
        for n in 0..sentinels {
            let mut master = MasterConfig::new("mymaster", "127.0.0.1", 6379, quorum);
            master.down_after_ms = 1000;
            master.failover_timeout_ms = 20_000;
            world.add_sentinel(n, vec![master]);
        }
        world
    }

    pub(super) fn add_sentinel(&mut self, n: usize, masters: Vec<MasterConfig>) {
        let mut config = SentinelConfig::new(sentinel_config(n));
        config.masters = masters;
        // The same seed everywhere: as many containers start with the same process id.
        config.myid = Some(format!("{n:a>40}"));
        let machine = Sentinel::new(config, [7; 32], self.time());
        self.nodes.push(Node {
            machine,
            alive: true,
            files: BTreeMap::new(),
            disk_fails: false,
            foreign: false,
            read_only: None,
            renames: 0,
            disk_slow: Duration::ZERO,
            addresses: vec![IpAddr::V4(Ipv4Addr::LOCALHOST)],
            script_takes: Duration::from_millis(10),
            frozen_until: 0,
            open: BTreeMap::new(),
            disk_free_at: 0,
            life: 0,
        });
        self.turn(n, |_, _| {});
        self.watch(n);
    }

    pub(super) fn time(&self) -> Now {
        Now {
            mono: Mono::from_nanos(self.now),
            wall: Wall::from_millis(
                1_700_000_000_000 + i64::try_from(self.now / 1_000_000).unwrap(),
            ),
        }
    }

    pub(super) fn run_for(&mut self, span: Duration) {
        let end = self.now + u64::try_from(span.as_nanos()).unwrap();
        while let Some((&(at, seq), _)) = self.queue.first_key_value()
            && at <= end
        {
            let event = self.queue.remove(&(at, seq)).unwrap();
            self.now = at;
            self.handle(event);
        }
        self.now = end;
    }

    /// Runs until something holds; fails if it does not within `span`.
    pub(super) fn run_until(&mut self, span: Duration, holds: impl Fn(&Self) -> bool) -> Duration {
        let (start, end) = (self.now, self.now + u64::try_from(span.as_nanos()).unwrap());
        while !holds(self) {
            let next = self.queue.pop_first().expect("something always happens");
            let ((at, _), event) = next;
            assert!(at <= end, "not within {span:?}; events: {:#?}", self.log());
            self.now = at;
            self.handle(event);
        }
        Duration::from_nanos(self.now - start)
    }

    /// The events so far, one line each.
    pub(super) fn log(&self) -> Vec<String> {
        let line = |(at, n, text): &(u64, usize, String)| format!("{} {n} {text}", at / 1_000);
        self.events.iter().map(line).collect()
    }

    /// When an event was first seen, and by which Sentinel.
    pub(super) fn first(&self, prefix: &str) -> Option<(u64, usize)> {
        let found = self
            .events
            .iter()
            .find(|(_, _, text)| text.starts_with(prefix));
        found.map(|&(at, n, _)| (at, n))
    }

    pub(super) fn count(&self, prefix: &str) -> usize {
        self.events
            .iter()
            .filter(|(_, _, text)| text.starts_with(prefix))
            .count()
    }

    pub(super) fn kill_server(&mut self, port: u16) {
        let index = self.server(port);
        for conn in self.servers[index].kill() {
            self.drop_end(End::Server(index, conn));
        }
    }

    pub(super) fn restart_server(&mut self, port: u16) {
        let index = self.server(port);
        self.servers[index].restart();
    }

    pub(super) fn server(&self, port: u16) -> usize {
        self.servers
            .iter()
            .position(|server| server.port == port)
            .expect("a server there")
    }

    pub(super) fn kill_sentinel(&mut self, n: usize) {
        self.nodes[n].alive = false;
        let ends: Vec<_> = self
            .peers
            .keys()
            .copied()
            .filter(|end| end.is_of(n))
            .collect();
        for end in ends {
            self.drop_end(end);
        }
    }

    /// Starts a Sentinel again from its file.
    pub(super) fn restart_sentinel(&mut self, n: usize) {
        let file = self.nodes[n]
            .files
            .get(&file_of(n))
            .expect("it saved")
            .clone();
        let source = Source::new("sentinel.conf", file);
        let mut config = SentinelConfig::load(&[source], &mut |_| Ok(Vec::new())).unwrap();
        config.config.set_file(&file_of(n));
        if let Some(path) = config.state_file.clone() {
            let text = self.nodes[n].files.get(&path).cloned();
            config.take_state(&path, &text.unwrap_or_default()).unwrap();
        }
        let users = self.nodes[n].files.get(config.config.aclfile());
        config.acl_file = users.map(|text| text.as_slice().into());
        let machine = Sentinel::new(config, [7; 32], self.time());
        let node = &mut self.nodes[n];
        node.machine = machine;
        node.alive = true;
        node.life += 1;
        node.open.clear();
        self.turn(n, |_, _| {});
        self.watch(n);
    }

    /// Does not let a Sentinel run for a while.
    pub(super) fn freeze(&mut self, n: usize, span: Duration) {
        self.nodes[n].frozen_until = self.now + u64::try_from(span.as_nanos()).unwrap();
    }

    /// Sends a command to a Sentinel on a new connection and returns its id.
    pub(super) fn send(&mut self, n: usize, words: &[&str]) -> u64 {
        let id = self.connect_client(n);
        self.send_all(id, &[words]);
        id
    }

    /// Sends commands at once, by a client that is connected.
    pub(super) fn send_all(&mut self, id: u64, commands: &[&[&str]]) {
        let mut bytes = Vec::new();
        for words in commands {
            let words: Vec<_> = words.iter().map(|word| word.as_bytes()).collect();
            encode_command(&mut bytes, &words);
        }
        let to = self.peers[&End::Client(id)];
        self.at(self.latency_us, Event::Bytes { to, bytes });
    }

    /// Whether a client's connection stands.
    pub(super) fn is_connected(&self, client: u64) -> bool {
        self.peers.contains_key(&End::Client(client))
    }

    /// Sends a command on a connection there is.
    pub(super) fn send_on(&mut self, client: u64, words: &[&str]) {
        let mut bytes = Vec::new();
        let words: Vec<_> = words.iter().map(|word| word.as_bytes()).collect();
        encode_command(&mut bytes, &words);
        let to = self.peers[&End::Client(client)];
        self.at(self.latency_us, Event::Bytes { to, bytes });
    }

    /// The replies a client has received.
    pub(super) fn replies(&self, client: u64) -> Vec<Value> {
        self.clients[&client]
            .received
            .iter()
            .map(|(_, value)| value.clone())
            .collect()
    }

    /// Runs a command and waits for its reply.
    pub(super) fn ask(&mut self, n: usize, words: &[&str]) -> Value {
        let client = self.send(n, words);
        self.run_until(Duration::from_secs(1), |world| {
            !world.replies(client).is_empty()
        });
        self.replies(client).remove(0)
    }

    /// The address a Sentinel tells clients.
    pub(super) fn master_port(&mut self, n: usize) -> u16 {
        let reply = self.ask(n, &["sentinel", "get-master-addr-by-name", "mymaster"]);
        let port = reply.as_array().expect("a known master")[1]
            .as_text()
            .expect("text")
            .to_vec();
        String::from_utf8(port).unwrap().parse().unwrap()
    }

    fn connect_client(&mut self, n: usize) -> u64 {
        self.next_id += 1;
        let id = self.next_id;
        let peer = peer(50_000, SENTINEL_PORT + u16::try_from(n).unwrap());
        let now = self.time();
        let conn = self.nodes[n]
            .machine
            .handle_accept(now, peer)
            .expect("room for one more");
        self.join(End::Client(id), End::Sentinel(n, conn));
        self.clients.insert(id, Client::default());
        id
    }

    fn watch(&mut self, n: usize) {
        let id = self.connect_client(n);
        self.watchers.insert(id, n);
        let to = self.peers[&End::Client(id)];
        self.at(
            0,
            Event::Bytes {
                to,
                bytes: b"PSUBSCRIBE *\r\n".to_vec(),
            },
        );
    }

    fn join(&mut self, one: End, two: End) {
        self.peers.insert(one, two);
        self.peers.insert(two, one);
    }

    fn drop_end(&mut self, end: End) {
        if let Some(other) = self.peers.remove(&end) {
            self.peers.remove(&other);
            self.at(self.latency_us, Event::Hangup { to: other });
        }
    }

    fn at(&mut self, delay_us: u64, event: Event) {
        self.seq += 1;
        self.queue
            .insert((self.now + delay_us * 1_000, self.seq), event);
    }

    fn handle(&mut self, event: Event) {
        if let Some(n) = event.sentinel()
            && self.now < self.nodes[n].frozen_until
        {
            // Arrives when it runs again, in the order it would have.
            self.seq += 1;
            self.queue
                .insert((self.nodes[n].frozen_until, self.seq), event);
            return;
        }
        match event {
            Event::Connected { from, to } => self.connected(from, to),
            Event::Bytes { to, bytes } => self.deliver(to, &bytes),
            Event::Hangup { to } => self.hang_up(to),
            Event::Done {
                sentinel,
                life,
                done,
            } => {
                if self.nodes[sentinel].alive && self.nodes[sentinel].life == life {
                    self.turn(sentinel, |machine, now| machine.handle_done(now, done));
                }
            }
            Event::Spawned { sentinel, script } => {
                self.turn(sentinel, |machine, now| {
                    machine.handle_spawned(now, script, 4711);
                });
            }
            Event::Wake { sentinel } => {
                let node = &self.nodes[sentinel];
                let due = node
                    .machine
                    .poll_timeout()
                    .is_some_and(|(at, _)| at <= self.time().mono);
                if node.alive && due {
                    self.turn(sentinel, |machine, now| machine.handle_timeout(now));
                }
            }
        }
    }

    fn connected(&mut self, from: End, to: Option<End>) {
        let End::Sentinel(n, conn) = from else {
            unreachable!("only Sentinels connect");
        };
        if !self.nodes[n].alive {
            return;
        }
        if to.is_some() && !self.peers.contains_key(&from) {
            return;
        }
        let local = match to {
            Some(_) => Ok(tcp(40_000)),
            None => Err(ConnectFault { errno: 111 }),
        };
        self.turn(n, |machine, now| machine.handle_connected(now, conn, local));
    }

    fn deliver(&mut self, to: End, bytes: &[u8]) {
        if !self.peers.contains_key(&to) {
            return;
        }
        match to {
            End::Sentinel(n, conn) => self.turn(n, |machine, now| {
                let mut rest = bytes;
                while !rest.is_empty() && machine.wants_read(conn) {
                    let space = machine.read_space(conn);
                    let len = rest.len().min(space.len());
                    space[..len].copy_from_slice(&rest[..len]);
                    machine.handle_read(now, conn, len);
                    rest = &rest[len..];
                }
            }),
            End::Server(index, conn) => {
                if bytes == b"*1\r\n$4\r\nPING\r\n" {
                    self.pings.push((self.now, index));
                }
                let others: Vec<_> = self.servers.iter().map(FakeServer::neighbour).collect();
                let Output { sends, hangups } = self.servers[index].input(conn, bytes, &others);
                for (conn, bytes) in sends {
                    if let Some(&to) = self.peers.get(&End::Server(index, conn)) {
                        self.at(self.latency_us, Event::Bytes { to, bytes });
                    }
                }
                for conn in hangups {
                    self.drop_end(End::Server(index, conn));
                }
            }
            End::Client(id) => self.receive(id, bytes),
        }
    }

    fn receive(&mut self, id: u64, bytes: &[u8]) {
        let client = self.clients.get_mut(&id).expect("clients are kept");
        let mut data = bytes;
        while let Some(value) = client.parser.next(&mut data).expect("well-formed replies") {
            if let Some(&n) = self.watchers.get(&id)
                && let Some([kind, _, channel, text]) = value.as_array()
                && kind.as_text() == Some(b"pmessage")
            {
                let word = |value: &Value| {
                    String::from_utf8(value.as_text().expect("text").to_vec()).unwrap()
                };
                self.events
                    .push((self.now, n, format!("{} {}", word(channel), word(text))));
            }
            client.received.push((self.now, value));
        }
    }

    fn hang_up(&mut self, to: End) {
        match to {
            End::Sentinel(n, conn) if self.nodes[n].alive => {
                self.turn(n, |machine, now| {
                    machine.handle_hangup(now, conn, Hangup::Eof)
                });
            }
            End::Sentinel(..) | End::Client(_) => {}
            End::Server(index, conn) => self.servers[index].close(conn),
        }
    }

    /// One turn of a Sentinel, and what comes out of it.
    fn turn(&mut self, n: usize, input: impl FnOnce(&mut Sentinel, Now)) {
        let now = self.time();
        let machine = &mut self.nodes[n].machine;
        input(machine, now);
        machine.end_turn(now);
        machine.check_invariants();
        while let Some(effect) = self.nodes[n].machine.poll_effect() {
            self.carry_out(n, effect);
        }
        while let Some(conn) = self.nodes[n].machine.poll_writable() {
            let machine = &mut self.nodes[n].machine;
            let mut slices = Slices::new();
            machine.writable(conn, &mut slices);
            let bytes = slices
                .iter()
                .flat_map(|slice| slice.to_vec())
                .collect::<Vec<_>>();
            drop(slices);
            machine.consume(now, conn, bytes.len());
            let bytes = if self.nodes[n].foreign {
                let text = String::from_utf8(bytes).expect("a Sentinel speaks in text");
                let text = text.replace("server_name:holdfast", "server_name:redisxxx");
                text.into_bytes()
            } else {
                bytes
            };
            if let Some(&to) = self.peers.get(&End::Sentinel(n, conn)) {
                self.at(self.latency_us, Event::Bytes { to, bytes });
            }
        }
        while let Some(effect) = self.nodes[n].machine.poll_effect() {
            self.carry_out(n, effect);
        }
        if let Some((at, _)) = self.nodes[n].machine.poll_timeout() {
            let delay = at.as_nanos().saturating_sub(self.now).div_ceil(1_000);
            self.at(delay, Event::Wake { sentinel: n });
        }
    }

    fn carry_out(&mut self, n: usize, effect: Effect) {
        match effect {
            Effect::Listen { ticket, addr, .. } => self.done(n, 0, ticket, Done::Listen(Ok(addr))),
            Effect::Connect { conn, to, .. } => self.dial(n, conn, &to),
            Effect::Close { conn } => self.drop_end(End::Sentinel(n, conn)),
            Effect::Resolve { ticket, host } => {
                let known = self.names.contains_key(&*host);
                let ips = if known {
                    vec!["127.0.0.1".parse().unwrap()]
                } else {
                    Vec::new()
                };
                self.done(n, self.lookup_us, ticket, Done::Resolved(ips));
            }
            Effect::Disk { ticket, op } => self.disk(n, ticket, op),
            Effect::Spawn { ticket, script, .. } => {
                let event = Event::Spawned {
                    sentinel: n,
                    script,
                };
                self.at(0, event);
                let exit = crate::machine::ScriptExit::Exited { code: 0 };
                let takes = u64::try_from(self.nodes[n].script_takes.as_micros()).unwrap();
                self.done(n, takes, ticket, Done::Script { pid: 4711, exit });
            }
            Effect::Address { ticket, op } => {
                let done = self.address(n, op);
                self.done(n, 100, ticket, Done::Address(done));
            }
            Effect::Exit { code } => self.exits.push((n, code)),
            Effect::Unlisten { .. }
            | Effect::Keepalive { .. }
            | Effect::Kill { .. }
            | Effect::Notify { .. }
            | Effect::Title { .. } => {}
        }
    }

    fn address(&mut self, n: usize, op: AddressOp) -> Result<Vec<IpAddr>, i32> {
        let addresses = &mut self.nodes[n].addresses;
        match op {
            AddressOp::List => return Ok(addresses.clone()),
            AddressOp::Add { ip, .. } if !addresses.contains(&ip) => addresses.push(ip),
            AddressOp::Add { .. } | AddressOp::Announce { .. } => {}
            AddressOp::Remove { ip, .. } => addresses.retain(|one| *one != ip),
        }
        Ok(Vec::new())
    }

    fn done(&mut self, n: usize, delay_us: u64, ticket: Ticket, done: Done) {
        let (sentinel, life) = (n, self.nodes[n].life);
        let done = Completion { ticket, done };
        self.at(
            delay_us,
            Event::Done {
                sentinel,
                life,
                done,
            },
        );
    }

    fn dial(&mut self, n: usize, conn: ConnId, to: &Addr) {
        let Addr::Tcp(at) = to else {
            panic!("links go over TCP");
        };
        let from = End::Sentinel(n, conn);
        let own = SENTINEL_PORT + u16::try_from(n).unwrap();
        if self.cut.contains(&(own, at.port())) || self.cut.contains(&(at.port(), own)) {
            // Nobody answers.
            return;
        }
        self.next_id += 1;
        let id = self.next_id;
        let server = self
            .servers
            .iter()
            .position(|one| one.port == at.port() && one.alive);
        let sentinel = usize::from(at.port().wrapping_sub(SENTINEL_PORT));
        let end = if let Some(index) = server {
            self.servers[index].open(id);
            Some(End::Server(index, id))
        } else if self.nodes.get(sentinel).is_some_and(|node| node.alive) {
            let now = self.time();
            let accepted = self.nodes[sentinel]
                .machine
                .handle_accept(now, peer(own, at.port()));
            let conn = accepted.expect("room for one more");
            Some(End::Sentinel(sentinel, conn))
        } else {
            None
        };
        if let Some(end) = end {
            self.join(from, end);
        }
        self.at(self.latency_us, Event::Connected { from, to: end });
    }

    fn disk(&mut self, n: usize, ticket: Ticket, op: DiskOp) {
        let node = &mut self.nodes[n];
        let mut cost = 50;
        let result: Result<Bytes, DiskFault> = match op {
            DiskOp::Open { file, path, mode } => match mode {
                OpenMode::Read if !node.files.contains_key(&*path) => Err(DiskFault::NotFound),
                OpenMode::Read | OpenMode::Append | OpenMode::Create | OpenMode::CreateDirect => {
                    if matches!(mode, OpenMode::Create | OpenMode::CreateDirect) {
                        node.files.insert(path.to_string(), Vec::new());
                    }
                    node.open.insert(file, (path.to_string(), mode));
                    Ok(Bytes::new())
                }
            },
            DiskOp::Read { file, at, len } => {
                let (path, _) = &node.open[&file];
                let text = &node.files[path];
                let at = usize::try_from(at).unwrap().min(text.len());
                let end = (at + usize::try_from(len).unwrap()).min(text.len());
                Ok(Bytes::copy_from_slice(&text[at..end]))
            }
            DiskOp::Append { file, data } => {
                let (path, _) = &node.open[&file];
                node.files
                    .get_mut(path)
                    .expect("made")
                    .extend_from_slice(&data);
                Ok(Bytes::new())
            }
            DiskOp::Sync { .. } if node.disk_fails => Err(DiskFault::Failed { errno: 5 }),
            DiskOp::Sync { .. } | DiskOp::SyncDir { .. } => {
                cost = SYNC_US + u64::try_from(node.disk_slow.as_micros()).unwrap();
                Ok(Bytes::new())
            }
            DiskOp::Close { file } => {
                node.open.remove(&file);
                Ok(Bytes::new())
            }
            DiskOp::Rename { to, .. } if node.read_only.as_deref() == Some(&*to) => {
                Err(DiskFault::Failed { errno: 30 })
            }
            DiskOp::Rename { from, to } => {
                node.renames += 1;
                let text = node.files.remove(&*from).expect("it was written");
                node.files.insert(to.to_string(), text);
                Ok(Bytes::new())
            }
            DiskOp::Remove { path } => {
                node.files.remove(&*path);
                Ok(Bytes::new())
            }
            DiskOp::CanRun { path } if path.starts_with("/bin/") => Ok(Bytes::new()),
            DiskOp::CanRun { .. } => Err(DiskFault::NotFound),
            DiskOp::ChangeDir { .. }
            | DiskOp::Truncate { .. }
            | DiskOp::Length { .. }
            | DiskOp::MakeDir { .. } => panic!("a Sentinel needs no such step: {op:?}"),
        };
        let free_at = node.disk_free_at.max(self.now) + cost * 1_000;
        node.disk_free_at = free_at;
        let delay = (free_at - self.now) / 1_000;
        self.done(n, delay, ticket, Done::Disk(result));
    }
}

impl End {
    fn is_of(self, n: usize) -> bool {
        matches!(self, Self::Sentinel(one, _) if one == n)
    }
}

impl Event {
    fn sentinel(&self) -> Option<usize> {
        let end = match self {
            Self::Connected { from, .. } => *from,
            Self::Bytes { to, .. } | Self::Hangup { to } => *to,
            Self::Done { sentinel, .. }
            | Self::Spawned { sentinel, .. }
            | Self::Wake { sentinel } => return Some(*sentinel),
        };
        match end {
            End::Sentinel(n, _) => Some(n),
            End::Server(..) | End::Client(_) => None,
        }
    }
}

pub(super) fn file_of(n: usize) -> String {
    format!("/etc/sentinel-{n}.conf")
}

fn sentinel_config(n: usize) -> Config {
    let text = format!("port {}\nbind 127.0.0.1\n", usize::from(SENTINEL_PORT) + n);
    let source = Source::new("sentinel.conf", text);
    let mut config = SentinelConfig::load(&[source], &mut |_| Ok(Vec::new()))
        .unwrap()
        .config;
    config.set_file(&file_of(n));
    config
}

fn tcp(port: u16) -> Addr {
    Addr::Tcp(format!("127.0.0.1:{port}").parse().unwrap())
}

fn peer(remote: u16, local: u16) -> Peer {
    Peer {
        remote: tcp(remote),
        local: tcp(local),
    }
}
