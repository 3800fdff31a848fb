//! A server with files in memory, driven until it comes to rest.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use bytes::Bytes;
use holdfast_core::config::{Config, Source};
use holdfast_core::machine::{
    Addr, Completion, ConnId, ConnectFault, DiskFault, DiskOp, Done, Effect, FileId, Hangup,
    Machine, Mono, Now, OpenMode, Peer, Slices, Ticket, Wall,
};
use holdfast_core::server::{Launch, Server};

/// Turns in which any server comes to rest whatever its files hold.
const TURNS_MAX: usize = 100_000;

pub(crate) type Files = BTreeMap<String, Vec<u8>>;

/// The server and what it has asked for.
pub(crate) struct Rig {
    pub(crate) server: Server,
    now: Now,
    files: Files,
    open: BTreeMap<FileId, String>,
    waiting: VecDeque<(Ticket, DiskOp)>,
    heard: Vec<u8>,
    exit: Option<u8>,
    /// Whether whom it connects to is there.
    reachable: bool,
    /// The connection it has made.
    link: Option<ConnId>,
}

impl Rig {
    /// Starts with a configuration and files. Each start has chances of its own.
    pub(crate) fn start(config: &str, files: Files, seed: u8) -> Self {
        let now = Now {
            mono: Mono::from_nanos(1_000_000_000),
            wall: Wall::from_millis(1_700_000_000_000),
        };
        let source = Source::new("redis.conf", format!("bind 127.0.0.1\n{config}\n"));
        let config = Config::load(&[source], &mut |_| Ok(Vec::new())).expect("it is sound");
        let mut rig = Self {
            server: Server::new(config, Launch::default(), [seed; 32], now),
            now,
            files,
            open: BTreeMap::new(),
            waiting: VecDeque::new(),
            heard: Vec::new(),
            exit: None,
            reachable: false,
            link: None,
        };
        rig.settle();
        rig
    }

    /// How it has ended, if it has.
    pub(crate) fn exit(&self) -> Option<u8> {
        self.exit
    }

    /// Whether whom it connects to from here on is there.
    pub(crate) fn set_reachable(&mut self, reachable: bool) {
        self.reachable = reachable;
    }

    /// The connection that the server has made, if it has one.
    pub(crate) fn link(&self) -> Option<ConnId> {
        self.link
    }

    /// Has the server's own connection end, if it has one.
    pub(crate) fn cut_link(&mut self) {
        if let Some(conn) = self.link.take() {
            self.server.handle_hangup(self.now, conn, Hangup::Eof);
            self.settle();
        }
    }

    /// Lets time pass.
    pub(crate) fn pass(&mut self, time: Duration) {
        self.now.mono = self.now.mono + time;
        let millis = i64::try_from(time.as_millis()).expect("a short time");
        self.now.wall = Wall::from_millis(self.now.wall.as_millis() + millis);
        self.server.handle_timeout(self.now);
        self.settle();
    }

    /// Its files, once it is gone.
    pub(crate) fn into_files(self) -> Files {
        self.files
    }

    pub(crate) fn client(&mut self) -> ConnId {
        let addr = |port| Addr::Tcp(std::net::SocketAddr::from(([127, 0, 0, 1], port)));
        let (remote, local) = (addr(40_000), addr(6_379));
        let peer = Peer { remote, local };
        let admitted = self.server.handle_accept(self.now, peer);
        admitted.expect("there is room for a client")
    }

    /// Sends a command and returns what came back.
    pub(crate) fn ask(&mut self, conn: ConnId, words: &[&[u8]]) -> Vec<u8> {
        let mut command = Vec::new();
        holdfast_core::resp::encode_command(&mut command, words);
        let mut rest = &command[..];
        while !rest.is_empty() && self.exit.is_none() {
            rest = &rest[self.take_in(conn, rest)..];
        }
        self.heard.clear();
        self.settle();
        core::mem::take(&mut self.heard)
    }

    /// Has the server read what its own connection brings, in pieces of so many bytes at most, as
    /// long as it keeps that connection.
    pub(crate) fn tell(&mut self, bytes: &[u8], piece: usize) {
        let mut rest = bytes;
        for _ in 0..TURNS_MAX {
            let Some(conn) = self.link.filter(|_| self.exit.is_none()) else {
                return;
            };
            if rest.is_empty() {
                return;
            }
            if self.server.wants_read(conn) {
                rest = &rest[self.take_in(conn, &rest[..rest.len().min(piece)])..];
            }
            self.settle();
        }
        panic!("the server takes no more input");
    }

    fn take_in(&mut self, conn: ConnId, bytes: &[u8]) -> usize {
        let space = self.server.read_space(conn);
        let len = space.len().min(bytes.len());
        space[..len].copy_from_slice(&bytes[..len]);
        self.server.handle_read(self.now, conn, len);
        len
    }

    /// Runs turns until nothing moves or the server has ended.
    fn settle(&mut self) {
        for _ in 0..TURNS_MAX {
            if self.exit.is_some() || !self.turn() {
                return;
            }
        }
        panic!("the server does not come to rest");
    }

    fn turn(&mut self) -> bool {
        self.server.end_turn(self.now);
        let mut moved = self.server.has_backlog() | self.carry_out();
        while let Some(conn) = self.server.poll_writable() {
            moved |= self.collect(conn);
        }
        moved |= self.carry_out();
        if let Some((ticket, op)) = self.waiting.pop_front() {
            let done = Done::Disk(self.disk(op));
            self.server
                .handle_done(self.now, Completion { ticket, done });
            moved = true;
        }
        moved
    }

    fn collect(&mut self, conn: ConnId) -> bool {
        let mut slices = Slices::new();
        self.server.writable(conn, &mut slices);
        let before = self.heard.len();
        let bytes: Vec<u8> = slices.iter().flat_map(|slice| slice.to_vec()).collect();
        drop(slices);
        self.heard.extend_from_slice(&bytes);
        let len = self.heard.len() - before;
        if len > 0 {
            self.server.consume(self.now, conn, len);
        }
        len > 0
    }

    fn carry_out(&mut self) -> bool {
        let mut moved = false;
        while let Some(effect) = self.server.poll_effect() {
            moved = true;
            match effect {
                Effect::Listen { ticket, addr, .. } => {
                    let done = Done::Listen(Ok(addr));
                    self.server
                        .handle_done(self.now, Completion { ticket, done });
                }
                Effect::Resolve { ticket, .. } => {
                    let done = Done::Resolved(Vec::new());
                    self.server
                        .handle_done(self.now, Completion { ticket, done });
                }
                Effect::Disk { ticket, op } => self.waiting.push_back((ticket, op)),
                Effect::Connect { conn, to, .. } => {
                    let local = if self.reachable {
                        self.link = Some(conn);
                        Ok(to)
                    } else {
                        Err(ConnectFault { errno: 111 })
                    };
                    self.server.handle_connected(self.now, conn, local);
                }
                Effect::Close { conn } if self.link == Some(conn) => self.link = None,
                Effect::Exit { code } => self.exit = Some(code),
                Effect::Close { .. }
                | Effect::Title { .. }
                | Effect::Keepalive { .. }
                | Effect::Notify { .. }
                | Effect::Unlisten { .. }
                | Effect::Address { .. }
                | Effect::Spawn { .. }
                | Effect::Kill { .. } => {}
            }
        }
        moved
    }

    fn disk(&mut self, op: DiskOp) -> Result<Bytes, DiskFault> {
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
                self.open.insert(file, path);
            }
            DiskOp::Truncate { file, len } => {
                let len = usize::try_from(len).expect("a file in memory");
                self.content(file).truncate(len);
            }
            DiskOp::Append { file, data } => self.content(file).extend_from_slice(&data),
            DiskOp::Length { path } => {
                let text = self.files.get(&*path).ok_or(DiskFault::NotFound)?;
                return Ok(Bytes::copy_from_slice(&(text.len() as u64).to_le_bytes()));
            }
            DiskOp::Read { file, at, len } => {
                let text = self.content(file);
                let from = usize::try_from(at).unwrap_or(usize::MAX).min(text.len());
                let to = (from + len as usize).min(text.len());
                return Ok(Bytes::copy_from_slice(&text[from..to]));
            }
            DiskOp::Close { file } => drop(self.open.remove(&file)),
            DiskOp::Rename { from, to } => {
                let text = self.files.remove(&*from).ok_or(DiskFault::NotFound)?;
                self.files.insert(to.into(), text);
            }
            DiskOp::Remove { path } => drop(self.files.remove(&*path)),
            DiskOp::Sync { .. }
            | DiskOp::SyncDir { .. }
            | DiskOp::ChangeDir { .. }
            | DiskOp::MakeDir { .. }
            | DiskOp::CanRun { .. } => {}
        }
        Ok(Bytes::new())
    }

    /// A file that was removed while it is open is there, for who has it open.
    fn content(&mut self, file: FileId) -> &mut Vec<u8> {
        let path = self.open.get(&file).expect("it is open");
        self.files.entry(path.clone()).or_default()
    }
}
