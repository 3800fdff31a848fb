//! A small machine of lines, and what the tests need to talk to it.
#![allow(dead_code, reason = "no test uses all of it")]
#![allow(unreachable_pub, reason = "shared by several tests")]

use std::collections::{BTreeMap, VecDeque};
use std::io::{BufRead, BufReader, IoSlice, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use bytes::Bytes;
use holdfast_core::Machine;
use holdfast_core::machine::{
    Addr, AddressOp, Completion, ConnId, ConnectFault, DiskOp, Done, Effect, Facts, FileId, Hangup,
    LogRole, Mono, Now, OpenMode, Peer, Refusal, ScriptId, Signal, Slices, Ticket, TimerName,
    UnixAccess,
};
use holdfast_io::{Clock, Options};

pub const FULL: &str = "-ERR max number of clients reached\r\n";
/// As small as it may be, so that long lines take several reads.
const SCRATCH_BYTES: usize = 4096;

/// What the tests see of a machine that runs.
#[derive(Default)]
pub struct Seen {
    pub turns: AtomicU64,
    pub reads: AtomicU64,
    pub accepted: AtomicU64,
    pub hangups: AtomicU64,
    pub signals: AtomicU64,
    pub rss: AtomicU64,
    /// Set by a test: nothing is read from connections that said HOLD.
    pub holding: AtomicBool,
}

struct Conn {
    id: ConnId,
    input: Vec<u8>,
    out: VecDeque<Vec<u8>>,
    sent: usize,
    held: bool,
    closing: bool,
    /// An outgoing connection sends what it gets to this one.
    owner: Option<ConnId>,
}

/// Serves lines; see `command`.
pub struct Lines {
    seen: Arc<Seen>,
    bound: Sender<Result<Addr, i32>>,
    conns: Vec<Option<Conn>>,
    generation: u32,
    max_clients: usize,
    scratch: Vec<u8>,
    effects: VecDeque<Effect>,
    writable: VecDeque<ConnId>,
    tickets: BTreeMap<u64, ConnId>,
    next_ticket: u64,
    timers: Vec<(Mono, ConnId)>,
}

impl Lines {
    pub fn new(max_clients: usize, listen: &[Addr]) -> (Self, Arc<Seen>, Receiver<BoundAt>) {
        let (bound, receiver) = channel();
        let seen = Arc::new(Seen::default());
        let mut machine = Self {
            seen: Arc::clone(&seen),
            bound,
            conns: Vec::new(),
            generation: 0,
            max_clients,
            scratch: vec![0; SCRATCH_BYTES],
            effects: VecDeque::new(),
            writable: VecDeque::new(),
            tickets: BTreeMap::new(),
            next_ticket: 0,
            timers: Vec::new(),
        };
        for addr in listen {
            let ticket = machine.ticket(None);
            machine.effects.push_back(Effect::Listen {
                ticket,
                addr: addr.clone(),
                backlog: 511,
                access: UnixAccess {
                    mode: Some(0o700),
                    group: None,
                },
            });
        }
        (machine, seen, receiver)
    }

    fn ticket(&mut self, conn: Option<ConnId>) -> Ticket {
        self.next_ticket += 1;
        if let Some(conn) = conn {
            self.tickets.insert(self.next_ticket, conn);
        }
        Ticket(self.next_ticket)
    }

    fn get(&mut self, id: ConnId) -> Option<&mut Conn> {
        let conn = self.conns.get_mut(id.index as usize)?.as_mut();
        conn.filter(|conn| conn.id == id)
    }

    fn insert(&mut self, owner: Option<ConnId>) -> ConnId {
        self.generation += 1;
        let free = self.conns.iter().position(Option::is_none);
        let index = free.unwrap_or_else(|| {
            self.conns.push(None);
            self.conns.len() - 1
        });
        let id = ConnId {
            index: u32::try_from(index).unwrap(),
            generation: self.generation,
        };
        self.conns[index] = Some(Conn {
            id,
            input: Vec::new(),
            out: VecDeque::new(),
            sent: 0,
            held: false,
            closing: false,
            owner,
        });
        id
    }

    fn remove(&mut self, id: ConnId) {
        if self.get(id).is_some() {
            self.conns[id.index as usize] = None;
        }
    }

    fn send(&mut self, id: ConnId, bytes: &[u8]) {
        if let Some(conn) = self.get(id) {
            conn.out.push_back(bytes.to_vec());
            self.writable.push_back(id);
        }
    }

    fn line(&mut self, id: ConnId, text: &str) {
        self.send(id, format!("{text}\n").as_bytes());
    }

    fn disk(&mut self, id: ConnId, op: DiskOp) {
        let ticket = self.ticket(Some(id));
        self.effects.push_back(Effect::Disk { ticket, op });
    }

    fn command(&mut self, now: Now, id: ConnId, line: &str) {
        let (name, rest) = line.split_once(' ').unwrap_or((line, ""));
        match name {
            "ECHO" => self.line(id, rest),
            "LENGTH" => self.line(id, &rest.len().to_string()),
            "BIG" => {
                let bytes = rest.parse().unwrap();
                self.send(id, &vec![b'x'; bytes]);
                self.line(id, "");
            }
            "HOLD" => self.get(id).unwrap().held = true,
            "TIMER" => {
                let delay = Duration::from_millis(rest.parse().unwrap());
                self.timers.push((now.mono + delay, id));
            }
            "QUIT" => {
                self.line(id, "bye");
                self.get(id).unwrap().closing = true;
            }
            "CONNECT" => {
                let conn = self.insert(Some(id));
                let to = match rest.parse() {
                    Ok(addr) => Addr::Tcp(addr),
                    Err(_) => Addr::Unix(rest.into()),
                };
                let from = rest.starts_with("127.").then(|| [127, 0, 0, 1].into());
                self.effects.push_back(Effect::Connect { conn, to, from });
            }
            "KEEPALIVE" => {
                let idle = Duration::from_secs(rest.parse().unwrap());
                self.effects.push_back(Effect::Keepalive { conn: id, idle });
                self.line(id, "ok");
            }
            "RESOLVE" => {
                let ticket = self.ticket(Some(id));
                let host = rest.into();
                self.effects.push_back(Effect::Resolve { ticket, host });
            }
            "ADDRESSES" => {
                let ticket = self.ticket(Some(id));
                let op = AddressOp::List;
                self.effects.push_back(Effect::Address { ticket, op });
            }
            "RUN" => {
                let ticket = self.ticket(Some(id));
                let mut words = rest.split('|');
                self.effects.push_back(Effect::Spawn {
                    ticket,
                    script: ScriptId(ticket.0),
                    path: words.next().unwrap().into(),
                    args: words.map(|word| word.as_bytes().to_vec()).collect(),
                });
                self.line(id, &ticket.0.to_string());
            }
            "KILL" => self.effects.push_back(Effect::Kill {
                script: ScriptId(rest.parse().unwrap()),
            }),
            "WRITE" => self.write_file(id, rest),
            "SINK" => {
                let (file, mode) = (SINK, OpenMode::Append);
                let path = rest.into();
                self.disk(id, DiskOp::Open { file, path, mode });
            }
            "PUT" => {
                let data = Bytes::copy_from_slice(rest.as_bytes());
                self.disk(id, DiskOp::Append { file: SINK, data });
            }
            "SYNC" => self.disk(id, DiskOp::Sync { file: SINK }),
            "READ" => {
                let (file, mode) = (FileId(2), OpenMode::Read);
                let path = rest.into();
                self.disk(id, DiskOp::Open { file, path, mode });
                let (at, len) = (0, 100);
                self.disk(id, DiskOp::Read { file, at, len });
                self.disk(id, DiskOp::Close { file });
            }
            "UNLISTEN" => {
                let addr = Addr::Tcp(rest.parse().unwrap());
                self.effects.push_back(Effect::Unlisten { addr });
                self.line(id, "ok");
            }
            "EXIT" => {
                self.line(id, "exiting");
                let code = rest.parse().unwrap();
                self.effects.push_back(Effect::Exit { code });
            }
            "WRITE-EXIT" => {
                self.write_file(id, rest);
                self.effects.push_back(Effect::Exit { code: 0 });
            }
            "PANIC" => panic!("asked for by {id:?}"),
            other => panic!("no such command: {other}"),
        }
    }

    /// Two thousand appends of 64 KB would take long if each waited for a turn of its own.
    fn write_file(&mut self, id: ConnId, rest: &str) {
        let (path, appends) = rest.split_once(' ').unwrap();
        let (file, mode) = (FileId(1), OpenMode::Create);
        let path = path.into();
        self.disk(id, DiskOp::Open { file, path, mode });
        for _ in 0..appends.parse().unwrap() {
            let data = Bytes::from_static(&[b'd'; 64 * 1024]);
            self.disk(id, DiskOp::Append { file, data });
        }
        self.disk(id, DiskOp::Sync { file });
        self.disk(id, DiskOp::Close { file });
    }
}

/// What `PUT` appends to.
const SINK: FileId = FileId(3);

pub type BoundAt = Result<Addr, i32>;

impl Machine for Lines {
    fn handle_accept(&mut self, _: Now, peer: Peer) -> Result<ConnId, Refusal> {
        if let (Addr::Tcp(remote), Addr::Tcp(local)) = (&peer.remote, &peer.local) {
            assert_ne!(remote.port(), local.port());
            assert!(!local.ip().is_unspecified(), "{local}");
        }
        if self.conns.iter().flatten().count() >= self.max_clients {
            return Err(Refusal { reply: FULL });
        }
        self.seen.accepted.fetch_add(1, Ordering::SeqCst);
        Ok(self.insert(None))
    }

    fn handle_connected(&mut self, _: Now, conn: ConnId, local: Result<Addr, ConnectFault>) {
        let owner = self.get(conn).and_then(|conn| conn.owner).unwrap();
        match local {
            Ok(_) => self.line(owner, "connected"),
            Err(fault) => {
                self.remove(conn);
                self.line(owner, &format!("refused {}", fault.errno));
            }
        }
    }

    fn handle_read(&mut self, now: Now, id: ConnId, filled: usize) {
        self.seen.reads.fetch_add(1, Ordering::SeqCst);
        let bytes = self.scratch[..filled].to_vec();
        let Some(conn) = self.get(id) else { return };
        if let Some(owner) = conn.owner {
            self.send(owner, &bytes);
            return;
        }
        conn.input.extend_from_slice(&bytes);
        while let Some(conn) = self.get(id)
            && let Some(end) = conn.input.iter().position(|&byte| byte == b'\n')
        {
            let line: Vec<u8> = conn.input.drain(..=end).collect();
            let line = String::from_utf8(line).unwrap();
            self.command(now, id, line.trim_end());
        }
    }

    fn handle_hangup(&mut self, _: Now, conn: ConnId, _: Hangup) {
        self.seen.hangups.fetch_add(1, Ordering::SeqCst);
        self.remove(conn);
    }

    fn handle_done(&mut self, _: Now, done: Completion) {
        let conn = self.tickets.remove(&done.ticket.0);
        let text = match done.done {
            Done::Listen(bound) => {
                // Nobody may wait for it.
                drop(self.bound.send(bound));
                return;
            }
            Done::Disk(Ok(bytes)) => format!("disk {}", String::from_utf8_lossy(&bytes)),
            Done::Disk(Err(fault)) => format!("disk {fault:?}"),
            Done::Resolved(found) => format!("{found:?}"),
            Done::Address(found) => format!("{found:?}"),
            Done::Script { pid, exit } => format!("{} {exit:?}", pid > 0),
        };
        self.line(conn.expect("every other ticket is a client's"), &text);
    }

    fn handle_timeout(&mut self, now: Now) {
        let (due, later) = self.timers.drain(..).partition(|&(at, _)| at <= now.mono);
        self.timers = later;
        let due: Vec<(Mono, ConnId)> = due;
        for (_, conn) in due {
            self.line(conn, "timer");
        }
    }

    fn handle_signal(&mut self, _: Now, signal: Signal) {
        self.seen.signals.fetch_add(1, Ordering::SeqCst);
        if signal == Signal::Terminate {
            self.effects.push_back(Effect::Exit { code: 15 });
        }
    }

    fn handle_facts(&mut self, _: Now, facts: Facts) {
        self.seen.rss.store(facts.rss_bytes, Ordering::SeqCst);
    }

    fn end_turn(&mut self, _: Now) {
        self.seen.turns.fetch_add(1, Ordering::SeqCst);
    }

    fn poll_effect(&mut self) -> Option<Effect> {
        self.effects.pop_front()
    }

    fn poll_writable(&mut self) -> Option<ConnId> {
        self.writable.pop_front()
    }

    fn poll_timeout(&self) -> Option<(Mono, TimerName)> {
        let next = self.timers.iter().map(|&(at, _)| at).min();
        next.map(|at| (at, TimerName("test")))
    }

    fn has_backlog(&self) -> bool {
        false
    }

    fn log_role(&self) -> LogRole {
        LogRole::Master
    }

    fn read_space(&mut self, _: ConnId) -> &mut [u8] {
        &mut self.scratch
    }

    fn wants_read(&self, id: ConnId) -> bool {
        let conn = self.conns.get(id.index as usize).and_then(Option::as_ref);
        let Some(conn) = conn.filter(|conn| conn.id == id) else {
            return false;
        };
        let held = conn.held && self.seen.holding.load(Ordering::SeqCst);
        !conn.closing && !held
    }

    fn writable<'a>(&'a self, id: ConnId, slices: &mut Slices<'a>) {
        let conn = self.conns.get(id.index as usize).and_then(Option::as_ref);
        let Some(conn) = conn.filter(|conn| conn.id == id) else {
            return;
        };
        let mut skip = conn.sent;
        for bytes in conn.out.iter().take(16) {
            slices.push(IoSlice::new(&bytes[skip..]));
            skip = 0;
        }
    }

    fn consume(&mut self, _: Now, id: ConnId, written: usize) {
        let conn = self.get(id).expect("only what lives is written");
        conn.sent += written;
        while let Some(first) = conn.out.front()
            && first.len() <= conn.sent
        {
            conn.sent -= first.len();
            conn.out.pop_front();
        }
        if conn.out.is_empty() && conn.closing {
            self.remove(id);
            self.effects.push_back(Effect::Close { conn: id });
        }
    }
}

/// A machine that runs in a thread.
pub struct Running {
    pub at: SocketAddr,
    pub seen: Arc<Seen>,
    thread: Option<JoinHandle<u8>>,
}

impl Running {
    pub fn start() -> Self {
        Self::with(usize::MAX, &[])
    }

    /// Listens on a free loopback port, and at `more`.
    pub fn with(max_clients: usize, more: &[Addr]) -> Self {
        let loopback = Addr::Tcp(SocketAddr::from(([127, 0, 0, 1], 0)));
        let listen = [&[loopback], more].concat();
        let (machine, seen, bound) = Lines::new(max_clients, &listen);
        let options = Options::new(Clock::start());
        let thread = std::thread::spawn(move || holdfast_io::run(machine, options).unwrap());
        let mut at = None;
        for _ in &listen {
            let bound = bound.recv_timeout(PATIENCE).unwrap().unwrap();
            if let (None, Addr::Tcp(bound)) = (at, bound) {
                at = Some(bound);
            }
        }
        Self {
            at: at.unwrap(),
            seen,
            thread: Some(thread),
        }
    }

    pub fn client(&self) -> Client<TcpStream> {
        let stream = TcpStream::connect(self.at).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_nodelay(true).unwrap();
        Client::new(stream)
    }

    /// Waits for the end that a client asked for.
    pub fn wait(mut self) -> u8 {
        self.thread.take().unwrap().join().unwrap()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(thread) = self.thread.take()
            && !std::thread::panicking()
        {
            // A test that filled the machine up still has a place: its clients are gone by now.
            self.client().say("EXIT 0");
            assert_eq!(thread.join().unwrap(), 0);
        }
    }
}

/// So long that only a hang exceeds it.
pub const PATIENCE: Duration = Duration::from_secs(20);

pub struct Client<S: Read + Write> {
    pub stream: BufReader<S>,
}

impl<S: Read + Write> Client<S> {
    pub fn new(stream: S) -> Self {
        let stream = BufReader::new(stream);
        Self { stream }
    }

    pub fn say(&mut self, line: &str) {
        let line = format!("{line}\n");
        self.stream.get_mut().write_all(line.as_bytes()).unwrap();
    }

    pub fn hear(&mut self) -> String {
        let mut line = String::new();
        self.stream.read_line(&mut line).unwrap();
        line.trim_end().to_owned()
    }

    pub fn ask(&mut self, line: &str) -> String {
        self.say(line);
        self.hear()
    }

    /// Everything up to the end of the connection.
    pub fn hear_all(&mut self) -> String {
        let mut all = String::new();
        self.stream.read_to_string(&mut all).unwrap();
        all
    }
}

/// Waits for a state without an event to wait for.
pub fn eventually(what: &str, state: impl Fn() -> bool) {
    let patience = std::time::Instant::now() + PATIENCE;
    while !state() {
        let left = std::time::Instant::now() < patience;
        assert!(left, "{what} does not come about");
        std::thread::sleep(Duration::from_millis(1));
    }
}
