//! Small machines to test the simulator with.

pub(crate) mod replica;

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use holdfast_core::machine::{
    Addr, Completion, ConnId, ConnectFault, DiskOp, Effect, Facts, FileId, Hangup, LogRole,
    Machine, Mono, Now, OpenMode, Peer, Refusal, Signal, Slices, Ticket, TimerName, UnixAccess,
};

use crate::ids::{Kind, NodeId};
use crate::options::{DATA_PORT, SENTINEL_PORT};
use crate::program::{Boot, FailoverState, MasterView, Program, SentinelView, ServerView};
use crate::resp::{Reader, Reply};

/// What a toy does with bytes and time; connections are kept for it.
pub(crate) trait Toy {
    /// Takes bytes of a connection and answers.
    fn on_bytes(&mut self, now: Now, bytes: &[u8], conn: &mut Line);
    /// The deadline has passed.
    fn on_timer(&mut self, _now: Now, _effects: &mut VecDeque<Effect>) {}
    /// A connection it asked for was made.
    fn on_connected(&mut self, _conn: &mut Line) {}
    /// An effect was answered.
    fn on_done(&mut self, _done: Completion, _effects: &mut VecDeque<Effect>) {}
    /// When it wants time.
    fn deadline(&self) -> Option<Mono> {
        None
    }
    /// As [`Program::server`].
    fn server(&self) -> Option<ServerView> {
        None
    }
    /// As [`Program::sentinel`].
    fn sentinel(&self) -> Option<SentinelView> {
        None
    }
}

/// One connection of a toy.
#[derive(Default)]
pub(crate) struct Line {
    pub reader: Reader,
    pub out: Vec<u8>,
    queued: Option<Vec<Vec<Vec<u8>>>>,
}

/// A machine around a toy.
pub(crate) struct Shell<T> {
    toy: T,
    effects: VecDeque<Effect>,
    lines: BTreeMap<ConnId, Line>,
    writable: VecDeque<ConnId>,
    scratch: Vec<u8>,
    next: u32,
}

impl<T: Toy> Shell<T> {
    pub(crate) fn new(toy: T, port: u16) -> Self {
        let listen = Effect::Listen {
            ticket: Ticket(0),
            addr: Addr::Tcp(SocketAddr::from(([0, 0, 0, 0], port))),
            backlog: 10,
            access: UnixAccess::default(),
        };
        Self {
            toy,
            effects: VecDeque::from([listen]),
            lines: BTreeMap::new(),
            writable: VecDeque::new(),
            scratch: vec![0; 1024],
            next: 1000,
        }
    }

    pub(crate) fn with_effect(mut self, effect: Effect) -> Self {
        if let Effect::Connect { conn, .. } = &effect {
            self.lines.insert(*conn, Line::default());
        }
        self.effects.push_back(effect);
        self
    }
}

impl<T: Toy> Machine for Shell<T> {
    fn handle_accept(&mut self, _: Now, _: Peer) -> Result<ConnId, Refusal> {
        if self.lines.len() > 50 {
            return Err(Refusal {
                reply: "-ERR max number of clients reached\r\n",
            });
        }
        let conn = ConnId {
            index: self.next,
            generation: 1,
        };
        self.next += 1;
        self.lines.insert(conn, Line::default());
        Ok(conn)
    }

    fn handle_connected(&mut self, _: Now, conn: ConnId, local: Result<Addr, ConnectFault>) {
        if local.is_err() {
            self.lines.remove(&conn);
        } else if let Some(line) = self.lines.get_mut(&conn) {
            self.toy.on_connected(line);
            self.writable.push_back(conn);
        }
    }

    fn handle_read(&mut self, now: Now, conn: ConnId, filled: usize) {
        let line = self.lines.get_mut(&conn).unwrap();
        self.toy.on_bytes(now, &self.scratch[..filled], line);
        self.writable.push_back(conn);
    }

    fn handle_hangup(&mut self, _: Now, conn: ConnId, _: Hangup) {
        self.lines.remove(&conn).unwrap();
    }

    fn handle_done(&mut self, _: Now, done: Completion) {
        self.toy.on_done(done, &mut self.effects);
    }

    fn handle_timeout(&mut self, now: Now) {
        if self.toy.deadline().is_some_and(|at| at <= now.mono) {
            self.toy.on_timer(now, &mut self.effects);
        }
    }

    fn handle_signal(&mut self, _: Now, _: Signal) {}
    fn handle_facts(&mut self, _: Now, _: Facts) {}
    fn end_turn(&mut self, _: Now) {}

    fn poll_effect(&mut self) -> Option<Effect> {
        self.effects.pop_front()
    }

    fn poll_writable(&mut self) -> Option<ConnId> {
        self.writable.pop_front()
    }

    fn poll_timeout(&self) -> Option<(Mono, TimerName)> {
        Some((self.toy.deadline()?, TimerName("toy")))
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

    fn wants_read(&self, _: ConnId) -> bool {
        true
    }

    fn writable<'a>(&'a self, conn: ConnId, slices: &mut Slices<'a>) {
        if let Some(line) = self.lines.get(&conn) {
            slices.push(std::io::IoSlice::new(&line.out));
        }
    }

    fn consume(&mut self, _: Now, conn: ConnId, written: usize) {
        self.lines.get_mut(&conn).unwrap().out.drain(..written);
    }
}

impl<T: Toy> Program for Shell<T> {
    fn server(&self) -> Option<ServerView> {
        self.toy.server()
    }

    fn sentinel(&self, _: Now) -> Option<SentinelView> {
        self.toy.sentinel()
    }
}

/// Sends back what it is sent.
pub(crate) struct Echo;

impl Toy for Echo {
    fn on_bytes(&mut self, _: Now, bytes: &[u8], conn: &mut Line) {
        conn.out.extend_from_slice(bytes);
    }
}

/// Connects to an echo, sends a byte per second for ever and counts what comes back.
pub(crate) struct Pinger {
    pub next: Mono,
    pub got: usize,
}

impl Toy for Pinger {
    fn on_connected(&mut self, conn: &mut Line) {
        conn.out.push(b'.');
    }

    fn on_bytes(&mut self, now: Now, bytes: &[u8], conn: &mut Line) {
        self.got += bytes.len();
        self.next = now.mono + Duration::from_secs(1);
        conn.out.push(b'.');
    }
}

/// Asks for time that has passed.
pub(crate) struct Stuck;

impl Toy for Stuck {
    fn on_bytes(&mut self, _: Now, _: &[u8], _: &mut Line) {}

    fn deadline(&self) -> Option<Mono> {
        Some(Mono::from_nanos(1))
    }
}

/// Appends a line to its file and syncs it, for ever.
pub(crate) struct Writer {
    pub step: u64,
}

impl Toy for Writer {
    fn on_bytes(&mut self, _: Now, _: &[u8], _: &mut Line) {}

    fn on_done(&mut self, done: Completion, effects: &mut VecDeque<Effect>) {
        self.step = done.ticket.0 + 1;
        let file = FileId(1);
        let op = match self.step {
            1 => DiskOp::Open {
                file,
                path: "log".into(),
                mode: OpenMode::Append,
            },
            2 => DiskOp::SyncDir { path: ".".into() },
            step if step % 2 == 1 => DiskOp::Append {
                file,
                data: Bytes::from(format!("{step}\n")),
            },
            _ => DiskOp::Sync { file },
        };
        effects.push_back(Effect::Disk {
            ticket: Ticket(self.step),
            op,
        });
    }
}

/// A data server without replication; each `drop_every`th push is acknowledged and not kept.
pub(crate) struct Store {
    lists: BTreeMap<Vec<u8>, Vec<Vec<u8>>>,
    values: BTreeMap<Vec<u8>, Vec<u8>>,
    counters: BTreeMap<Vec<u8>, i64>,
    pushes: u64,
    offset: u64,
    pub drop_every: Option<u64>,
    pub replid: [u8; 40],
}

impl Store {
    fn new(replid: [u8; 40], drop_every: Option<u64>) -> Self {
        Self {
            lists: BTreeMap::new(),
            values: BTreeMap::new(),
            counters: BTreeMap::new(),
            pushes: 0,
            offset: 0,
            drop_every,
            replid,
        }
    }

    fn run(&mut self, args: &[Vec<u8>], conn: &mut Line) {
        let out = &mut conn.out;
        let name = String::from_utf8_lossy(&args[0]).to_lowercase();
        let bulk = |out: &mut Vec<u8>, bytes: &[u8]| {
            out.extend_from_slice(format!("${}\r\n", bytes.len()).as_bytes());
            out.extend_from_slice(bytes);
            out.extend_from_slice(b"\r\n");
        };
        match &*name {
            "multi" => {
                conn.queued = Some(Vec::new());
                out.extend_from_slice(b"+OK\r\n");
            }
            "exec" => {
                let queued = conn.queued.take().unwrap();
                out.extend_from_slice(format!("*{}\r\n", queued.len()).as_bytes());
                for args in queued {
                    self.run(&args, conn);
                }
            }
            _ if conn.queued.is_some() => {
                conn.queued.as_mut().unwrap().push(args.to_vec());
                out.extend_from_slice(b"+QUEUED\r\n");
            }
            "role" => out.extend_from_slice(b"*3\r\n$6\r\nmaster\r\n:0\r\n*0\r\n"),
            "rpush" => {
                self.pushes += 1;
                self.offset += 1;
                let list = self.lists.entry(args[1].clone()).or_default();
                if self
                    .drop_every
                    .is_none_or(|every| !self.pushes.is_multiple_of(every))
                {
                    list.push(args[2].clone());
                }
                out.extend_from_slice(format!(":{}\r\n", list.len()).as_bytes());
            }
            "lrange" => {
                let list = self.lists.entry(args[1].clone()).or_default();
                out.extend_from_slice(format!("*{}\r\n", list.len()).as_bytes());
                for item in list {
                    bulk(out, item);
                }
            }
            "set" => {
                self.values.insert(args[1].clone(), args[2].clone());
                out.extend_from_slice(b"+OK\r\n");
            }
            "get" => match self.values.get(&args[1]) {
                Some(value) => bulk(out, value),
                None => out.extend_from_slice(b"$-1\r\n"),
            },
            "incr" => {
                let counter = self.counters.entry(args[1].clone()).or_default();
                *counter += 1;
                out.extend_from_slice(format!(":{counter}\r\n").as_bytes());
            }
            "wait" => out.extend_from_slice(b":0\r\n"),
            other => {
                out.extend_from_slice(format!("-ERR unknown command '{other}'\r\n").as_bytes())
            }
        }
    }
}

impl Toy for Store {
    fn on_bytes(&mut self, _: Now, bytes: &[u8], conn: &mut Line) {
        conn.reader.push(bytes);
        while let Some(args) = next_command(conn) {
            self.run(&args, conn);
        }
    }

    fn server(&self) -> Option<ServerView> {
        Some(ServerView {
            replid: self.replid,
            replid2: [b'0'; 40],
            second_offset: -1,
            offset: self.offset,
            master: None,
            link_up: false,
            loading: false,
            placed: true,
            hands_over: false,
            backlog_from: None,
        })
    }
}

/// A Sentinel that always names the first node.
pub(crate) struct Oracle {
    pub quorum: u32,
}

impl Toy for Oracle {
    fn on_bytes(&mut self, _: Now, bytes: &[u8], conn: &mut Line) {
        conn.reader.push(bytes);
        while let Some(args) = next_command(conn) {
            let reply: &[u8] = match &*args[1].to_ascii_lowercase() {
                b"get-master-addr-by-name" => b"*2\r\n$8\r\n10.0.0.1\r\n$4\r\n6379\r\n",
                b"replicas" => b"*0\r\n",
                _ => b"*3\r\n$9\r\nsubscribe\r\n$14\r\n+switch-master\r\n:1\r\n",
            };
            conn.out.extend_from_slice(reply);
        }
    }

    fn sentinel(&self) -> Option<SentinelView> {
        Some(SentinelView {
            myid: [b'5'; 40],
            current_epoch: 0,
            tilt: false,
            masters: vec![MasterView {
                name: "mymaster".to_owned(),
                addr: NodeId(0).at(DATA_PORT),
                quorum: self.quorum,
                config_epoch: 0,
                leader: None,
                leader_epoch: 0,
                failover_epoch: 0,
                state: FailoverState::None,
                forced: false,
                s_down: false,
                o_down: false,
                others: 0,
                replicas: Vec::new(),
            }],
        })
    }
}

/// A store and Sentinels that know it.
pub(crate) fn make_store(boot: &Boot<'_>) -> Result<Box<dyn Program>, String> {
    Ok(match boot.kind {
        Kind::Data => Box::new(Shell::new(
            Store::new([b'a' + boot.seed[0] % 26; 40], None),
            DATA_PORT,
        )),
        Kind::Sentinel | Kind::Client => Box::new(Shell::new(Oracle { quorum: 1 }, SENTINEL_PORT)),
    })
}

/// The same, but the store forgets every fortieth push.
pub(crate) fn make_forgetful_store(boot: &Boot<'_>) -> Result<Box<dyn Program>, String> {
    match boot.kind {
        Kind::Data => Ok(Box::new(Shell::new(
            Store::new([b'a'; 40], Some(40)),
            DATA_PORT,
        ))),
        Kind::Sentinel | Kind::Client => make_store(boot),
    }
}

fn next_command(conn: &mut Line) -> Option<Vec<Vec<u8>>> {
    let Some(Reply::Array(Some(items))) = conn.reader.next_reply().unwrap() else {
        return None;
    };
    let args = items.into_iter().map(|item| {
        let Reply::Bulk(Some(bytes)) = item else {
            panic!("{item:?} in a command");
        };
        bytes
    });
    Some(args.collect())
}
