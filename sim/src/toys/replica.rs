//! A small data server that replicates, to test oracles with real Sentinels and planted bugs.

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use holdfast_core::machine::{
    Addr, Completion, ConnId, ConnectFault, DiskOp, Effect, Facts, FileId, Hangup, LogRole,
    Machine, Mono, Now, OpenMode, Peer, Refusal, Signal, Slices, Ticket, TimerName, UnixAccess,
};
use holdfast_core::rng::Rng;

use crate::options::DATA_PORT;
use crate::program::{Boot, Id, Program, ServerView};
use crate::resp::{Reader, Reply, command, int};

const NO_ID: Id = [b'0'; 40];
const MARK: [u8; 40] = [b'e'; 40];

/// What is wrong with a server on purpose.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) enum Bug {
    #[default]
    None,
    /// A partial resynchronisation is granted whatever id is asked for.
    AnyId,
    /// A promoted node keeps the name of the history.
    KeepsId,
    /// A replica drops every fiftieth command and counts it.
    DropsCommands,
    /// A master that was told to replicate does not.
    StaysMaster,
}

#[derive(Default)]
struct Conn {
    reader: Reader,
    out: Vec<u8>,
    queued: Option<Vec<Vec<Vec<u8>>>>,
    subscribed: bool,
    role: Role,
    peer_ip: String,
    peer_port: u16,
    acked: u64,
}

#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
enum Role {
    #[default]
    Client,
    /// A replica that waits for its dataset to be acknowledged.
    Loading,
    Replica,
    Master,
}

/// How far the link to the master is.
#[derive(Clone, Debug, Eq, PartialEq)]
enum Link {
    None,
    Wait(Mono),
    Handshake(ConnId),
    Payload(ConnId, Id, u64),
    Up(ConnId),
}

pub(crate) struct Group {
    bug: Bug,
    config: String,
    rng: Rng,
    conns: BTreeMap<ConnId, Conn>,
    next_conn: u32,
    next_ticket: u64,
    effects: VecDeque<Effect>,
    writable: VecDeque<ConnId>,
    scratch: Vec<u8>,
    runid: Id,
    replid: Id,
    replid2: Id,
    second: i64,
    offset: u64,
    log: Vec<u8>,
    log_start: u64,
    master: Option<SocketAddr>,
    link: Link,
    link_lost: Option<Mono>,
    heard: Mono,
    tick: Mono,
    applied: u64,
    lists: BTreeMap<Vec<u8>, Vec<Vec<u8>>>,
    values: BTreeMap<Vec<u8>, Vec<u8>>,
}

/// Makes a group of such servers.
pub(crate) fn make(boot: &Boot<'_>, bug: Bug) -> Box<dyn Program> {
    let mut rng = Rng::new(boot.seed);
    let config = String::from_utf8_lossy(boot.config).into_owned();
    let master = config
        .lines()
        .filter_map(|line| line.strip_prefix("replicaof "))
        .filter_map(|rest| rest.split_once(' '))
        .map(|(ip, port)| SocketAddr::new(ip.parse().unwrap(), port.parse().unwrap()))
        .next_back();
    let listen = Effect::Listen {
        ticket: Ticket(0),
        addr: Addr::Tcp(SocketAddr::from(([0, 0, 0, 0], DATA_PORT))),
        backlog: 10,
        access: UnixAccess::default(),
    };
    Box::new(Group {
        bug,
        config,
        conns: BTreeMap::new(),
        next_conn: 0,
        next_ticket: 1,
        effects: VecDeque::from([listen]),
        writable: VecDeque::new(),
        scratch: vec![0; 16 * 1024],
        runid: rng.hex40(),
        replid: rng.hex40(),
        rng,
        replid2: NO_ID,
        second: -1,
        offset: 0,
        log: Vec::new(),
        log_start: 1,
        master,
        link: if master.is_some() {
            Link::Wait(boot.now.mono)
        } else {
            Link::None
        },
        link_lost: None,
        heard: boot.now.mono,
        tick: boot.now.mono + Duration::from_secs(1),
        applied: 0,
        lists: BTreeMap::new(),
        values: BTreeMap::new(),
    })
}

impl Group {
    fn say(&mut self, conn: ConnId, bytes: &[u8]) {
        if let Some(line) = self.conns.get_mut(&conn) {
            line.out.extend_from_slice(bytes);
            self.writable.push_back(conn);
        }
    }

    fn close(&mut self, conn: ConnId) {
        if self.conns.remove(&conn).is_some() {
            self.effects.push_back(Effect::Close { conn });
        }
    }

    /// Adds bytes to the history and sends them to replicas.
    fn feed(&mut self, bytes: &[u8]) {
        self.offset += bytes.len() as u64;
        self.log.extend_from_slice(bytes);
        let replicas: Vec<ConnId> = (self.conns.iter())
            .filter(|(_, conn)| conn.role == Role::Replica)
            .map(|(id, _)| *id)
            .collect();
        for conn in replicas {
            self.say(conn, bytes);
        }
    }

    fn drop_replicas(&mut self) {
        let replicas: Vec<ConnId> = (self.conns.iter())
            .filter(|(_, conn)| matches!(conn.role, Role::Replica | Role::Loading))
            .map(|(id, _)| *id)
            .collect();
        for conn in replicas {
            self.close(conn);
        }
    }

    fn promote(&mut self) {
        if self.master.take().is_none() {
            return;
        }
        self.cut_link(Link::None);
        self.link_lost = None;
        if self.bug != Bug::KeepsId {
            self.replid2 = self.replid;
            self.second = i64::try_from(self.offset).unwrap() + 1;
            self.replid = self.rng.hex40();
        }
        self.drop_replicas();
    }

    fn follow(&mut self, to: SocketAddr, now: Mono) {
        if self.bug == Bug::StaysMaster && self.master.is_none() {
            return;
        }
        if self.master != Some(to) {
            self.master = Some(to);
            self.cut_link(Link::Wait(now));
            self.link_lost = Some(now);
        }
    }

    fn cut_link(&mut self, next: Link) {
        let old = std::mem::replace(&mut self.link, next);
        if let Link::Handshake(conn) | Link::Payload(conn, _, _) | Link::Up(conn) = old {
            self.close(conn);
        }
    }

    fn run(&mut self, now: Now, conn: ConnId, args: &[Vec<u8>]) -> Vec<u8> {
        let mut out = Vec::new();
        let name = String::from_utf8_lossy(&args[0]).to_lowercase();
        let bulk =
            |bytes: &[u8]| [format!("${}\r\n", bytes.len()).as_bytes(), bytes, b"\r\n"].concat();
        if matches!(&*name, "rpush" | "set" | "incr") && self.master.is_some() {
            return b"-READONLY You can't write against a read only replica.\r\n".to_vec();
        }
        match &*name {
            "ping" if self.conns.get(&conn).is_some_and(|conn| conn.subscribed) => {
                out.extend_from_slice(b"*2\r\n$4\r\npong\r\n$0\r\n\r\n");
            }
            "ping" => out.extend_from_slice(b"+PONG\r\n"),
            "client" if args[1].eq_ignore_ascii_case(b"kill") => {
                let pubsub = args[3].eq_ignore_ascii_case(b"pubsub");
                let victims: Vec<ConnId> = (self.conns.iter())
                    .filter(|(id, line)| {
                        **id != conn && line.role == Role::Client && line.subscribed == pubsub
                    })
                    .map(|(id, _)| *id)
                    .collect();
                out.extend_from_slice(format!(":{}\r\n", victims.len()).as_bytes());
                for victim in victims {
                    self.close(victim);
                }
            }
            "client" | "select" => out.extend_from_slice(b"+OK\r\n"),
            "config" => {
                self.rewrite();
                out.extend_from_slice(b"+OK\r\n");
            }
            "slaveof" | "replicaof" => {
                if args[1].eq_ignore_ascii_case(b"no") {
                    self.promote();
                } else {
                    let ip = String::from_utf8_lossy(&args[1]).parse().unwrap();
                    let port = u16::try_from(int(&args[2]).unwrap()).unwrap();
                    self.follow(SocketAddr::new(ip, port), now.mono);
                }
                out.extend_from_slice(b"+OK\r\n");
            }
            "info" => out = bulk(self.info(now.mono).as_bytes()),
            "role" => out = self.role(),
            "subscribe" => {
                self.conns.get_mut(&conn).unwrap().subscribed = true;
                out = [b"*3\r\n$9\r\nsubscribe\r\n", &bulk(&args[1])[..], b":1\r\n"].concat();
            }
            "publish" => {
                let listeners: Vec<ConnId> = (self.conns.iter())
                    .filter(|(_, line)| line.subscribed)
                    .map(|(id, _)| *id)
                    .collect();
                out.extend_from_slice(format!(":{}\r\n", listeners.len()).as_bytes());
                let message = [
                    b"*3\r\n$7\r\nmessage\r\n",
                    &bulk(&args[1])[..],
                    &bulk(&args[2])[..],
                ]
                .concat();
                for listener in listeners {
                    self.say(listener, &message);
                }
            }
            "wait" => {
                let ready = (self.conns.values())
                    .filter(|line| line.role == Role::Replica && line.acked >= self.offset);
                out.extend_from_slice(format!(":{}\r\n", ready.count()).as_bytes());
            }
            "lrange" => {
                let list = self.lists.get(&args[1]).cloned().unwrap_or_default();
                out.extend_from_slice(format!("*{}\r\n", list.len()).as_bytes());
                list.iter()
                    .for_each(|item| out.extend_from_slice(&bulk(item)));
            }
            "get" => match self.values.get(&args[1]) {
                Some(value) => out = bulk(value),
                None => out.extend_from_slice(b"$-1\r\n"),
            },
            "rpush" | "set" | "incr" => {
                out = self.apply(args);
                let mut bytes = Vec::new();
                let refs: Vec<&[u8]> = args.iter().take(3).map(|arg| &arg[..]).collect();
                command(&mut bytes, &refs);
                self.feed(&bytes);
            }
            other => {
                out.extend_from_slice(format!("-ERR unknown command '{other}'\r\n").as_bytes())
            }
        }
        out
    }

    fn apply(&mut self, args: &[Vec<u8>]) -> Vec<u8> {
        match &*args[0].to_ascii_lowercase() {
            b"rpush" => {
                let list = self.lists.entry(args[1].clone()).or_default();
                list.push(args[2].clone());
                format!(":{}\r\n", list.len()).into_bytes()
            }
            b"set" => {
                self.values.insert(args[1].clone(), args[2].clone());
                b"+OK\r\n".to_vec()
            }
            b"incr" => {
                let value = self
                    .values
                    .entry(args[1].clone())
                    .or_insert_with(|| b"0".to_vec());
                let next = int(value).unwrap() + 1;
                *value = next.to_string().into_bytes();
                format!(":{next}\r\n").into_bytes()
            }
            _ => Vec::new(),
        }
    }

    fn execute(&mut self, now: Now, conn: ConnId, args: Vec<Vec<u8>>) {
        let name = args[0].to_ascii_lowercase();
        let Some(line) = self.conns.get_mut(&conn) else {
            return;
        };
        let reply = match (&name[..], &mut line.queued) {
            (b"multi", _) => {
                line.queued = Some(Vec::new());
                b"+OK\r\n".to_vec()
            }
            (b"exec", Some(_)) => {
                let queued = line.queued.take().unwrap();
                let mut reply = format!("*{}\r\n", queued.len()).into_bytes();
                for args in queued {
                    reply.extend_from_slice(&self.run(now, conn, &args));
                }
                reply
            }
            (_, Some(queued)) => {
                queued.push(args);
                b"+QUEUED\r\n".to_vec()
            }
            (b"replconf", None) => {
                if args[1].eq_ignore_ascii_case(b"listening-port") {
                    line.peer_port = u16::try_from(int(&args[2]).unwrap()).unwrap();
                } else if args[1].eq_ignore_ascii_case(b"ack") {
                    line.acked = u64::try_from(int(&args[2]).unwrap()).unwrap();
                    self.on_ack(conn);
                    return;
                }
                b"+OK\r\n".to_vec()
            }
            (b"psync", None) => return self.on_psync(conn, &args),
            (_, None) => self.run(now, conn, &args),
        };
        self.say(conn, &reply);
    }

    fn on_ack(&mut self, conn: ConnId) {
        let line = self.conns.get_mut(&conn).unwrap();
        if line.role == Role::Loading {
            line.role = Role::Replica;
            let from = usize::try_from(line.acked + 1 - self.log_start).unwrap();
            let missed = self.log[from..].to_vec();
            self.say(conn, &missed);
        }
    }

    fn on_psync(&mut self, conn: ConnId, args: &[Vec<u8>]) {
        if self.master.is_some() && !matches!(self.link, Link::Up(_)) {
            return self.say(
                conn,
                b"-NOMASTERLINK Can't SYNC while not connected with my master\r\n",
            );
        }
        let next = u64::try_from(int(&args[2]).unwrap()).unwrap_or(u64::MAX);
        let known = args[1] == self.replid
            || (args[1] == self.replid2
                && i64::try_from(next).is_ok_and(|next| next <= self.second))
            || (self.bug == Bug::AnyId && args[1] != b"?");
        let line = self.conns.get_mut(&conn).unwrap();
        if known && self.log_start <= next && next <= self.offset + 1 {
            line.role = Role::Replica;
            line.acked = next - 1;
            let mut reply = [b"+CONTINUE ", &self.replid[..], b"\r\n"].concat();
            let from = usize::try_from(next - self.log_start).unwrap();
            reply.extend_from_slice(&self.log[from..]);
            self.say(conn, &reply);
            return;
        }
        line.role = Role::Loading;
        let mut reply = [b"+FULLRESYNC ", &self.replid[..]].concat();
        reply.extend_from_slice(format!(" {}\r\n$EOF:", self.offset).as_bytes());
        reply.extend_from_slice(&MARK);
        reply.extend_from_slice(b"\r\n");
        for (list, items) in &self.lists {
            for item in items {
                command(&mut reply, &[b"RPUSH", list, item]);
            }
        }
        for (key, value) in &self.values {
            command(&mut reply, &[b"SET", key, value]);
        }
        reply.extend_from_slice(&MARK);
        self.say(conn, &reply);
    }

    /// Bytes from the master.
    fn on_link(&mut self, now: Now, conn: ConnId) {
        self.heard = now.mono;
        let mut line = self.conns.remove(&conn).unwrap();
        let mut alive = true;
        loop {
            match self.link.clone() {
                Link::Handshake(_) => {
                    let Ok(Some(reply)) = line.reader.next_reply() else {
                        break;
                    };
                    let Reply::Simple(text) = reply else {
                        alive = matches!(reply, Reply::Simple(_));
                        break;
                    };
                    let text = String::from_utf8_lossy(&text).into_owned();
                    let words: Vec<&str> = text.split(' ').collect();
                    match words[..] {
                        ["FULLRESYNC", id, offset] => {
                            let id = id.as_bytes().try_into().unwrap();
                            self.link = Link::Payload(conn, id, offset.parse().unwrap());
                        }
                        ["CONTINUE", id] => self.continued(conn, id.as_bytes().try_into().unwrap()),
                        _ => {}
                    }
                }
                Link::Payload(_, id, offset) => {
                    if !line.reader.rest().ends_with(&MARK) || line.reader.rest().len() < 90 {
                        break;
                    }
                    self.load(&mut line.reader, id, offset);
                    self.link = Link::Up(conn);
                    self.link_lost = None;
                    command(
                        &mut line.out,
                        &[b"REPLCONF", b"ACK", offset.to_string().as_bytes()],
                    );
                    self.writable.push_back(conn);
                }
                Link::Up(_) => {
                    let before = line.reader.rest().to_vec();
                    let Ok(Some(reply)) = line.reader.next_reply() else {
                        break;
                    };
                    let raw = &before[..before.len() - line.reader.rest().len()];
                    self.applied += 1;
                    if self.bug != Bug::DropsCommands || !self.applied.is_multiple_of(50) {
                        self.apply(&words(reply));
                    }
                    self.feed(raw);
                }
                Link::None | Link::Wait(_) => break,
            }
        }
        self.conns.insert(conn, line);
        if !alive {
            self.cut_link(Link::Wait(now.mono + Duration::from_secs(1)));
        }
    }

    fn continued(&mut self, conn: ConnId, id: Id) {
        if id != self.replid {
            self.replid2 = self.replid;
            self.second = i64::try_from(self.offset).unwrap() + 1;
            self.replid = id;
            self.drop_replicas();
        }
        self.link = Link::Up(conn);
        self.link_lost = None;
    }

    fn load(&mut self, reader: &mut Reader, id: Id, offset: u64) {
        self.drop_replicas();
        self.lists.clear();
        self.values.clear();
        reader.skip(b"$EOF:".len() + 40 + 2);
        while reader.rest() != MARK {
            let reply = reader.next_reply().unwrap().unwrap();
            self.apply(&words(reply));
        }
        reader.skip(40);
        self.replid = id;
        self.replid2 = NO_ID;
        self.second = -1;
        self.offset = offset;
        self.log.clear();
        self.log_start = offset + 1;
    }

    fn dial(&mut self, now: Mono) {
        let to = self.master.expect("a link has a master");
        let conn = self.new_conn();
        self.conns.get_mut(&conn).unwrap().role = Role::Master;
        self.link = Link::Handshake(conn);
        self.heard = now;
        self.effects.push_back(Effect::Connect {
            conn,
            to: Addr::Tcp(to),
            from: None,
        });
    }

    fn new_conn(&mut self) -> ConnId {
        let conn = ConnId {
            index: self.next_conn,
            generation: 1,
        };
        self.next_conn += 1;
        self.conns.insert(conn, Conn::default());
        conn
    }

    /// Rewrites the configuration file with the present master.
    fn rewrite(&mut self) {
        let mut text: String = (self.config.lines())
            .filter(|line| !line.starts_with("replicaof "))
            .map(|line| format!("{line}\n"))
            .collect();
        if let Some(master) = self.master {
            text.push_str(&format!("replicaof {} {}\n", master.ip(), master.port()));
        }
        self.next_ticket += 10;
        let file = FileId(u32::try_from(self.next_ticket).unwrap());
        let temp = format!("temp-{}", self.next_ticket);
        let steps = [
            DiskOp::Open {
                file,
                path: temp.clone().into(),
                mode: OpenMode::Create,
            },
            DiskOp::Append {
                file,
                data: Bytes::from(text),
            },
            DiskOp::Sync { file },
            DiskOp::Close { file },
            DiskOp::Rename {
                from: temp.into(),
                to: "node.conf".into(),
            },
            DiskOp::SyncDir { path: ".".into() },
        ];
        for (ticket, op) in (self.next_ticket..).zip(steps) {
            self.effects.push_back(Effect::Disk {
                ticket: Ticket(ticket),
                op,
            });
        }
    }

    fn info(&self, now: Mono) -> String {
        let mut text = format!(
            "# Server\r\nrun_id:{}\r\n",
            String::from_utf8_lossy(&self.runid)
        );
        match self.master {
            None => text.push_str("role:master\r\n"),
            Some(master) => {
                let up = matches!(self.link, Link::Up(_));
                text.push_str(&format!(
                    "role:slave\r\nmaster_host:{}\r\nmaster_port:{}\r\nmaster_link_status:{}\r\n\
                     slave_repl_offset:{}\r\nslave_read_repl_offset:{}\r\n",
                    master.ip(),
                    master.port(),
                    if up { "up" } else { "down" },
                    self.offset,
                    self.offset
                ));
                if !up {
                    let since = self
                        .link_lost
                        .map_or(-1, |at| i64::try_from(now.since(at).as_secs()).unwrap());
                    text.push_str(&format!("master_link_down_since_seconds:{since}\r\n"));
                }
                text.push_str(&format!("slave_priority:{}\r\n", self.priority()));
            }
        }
        let replicas = self
            .conns
            .values()
            .filter(|line| line.role == Role::Replica);
        for (index, line) in replicas.enumerate() {
            text.push_str(&format!(
                "slave{index}:ip={},port={},state=online,offset={},lag=0\r\n",
                line.peer_ip, line.peer_port, line.acked
            ));
        }
        text.push_str(&format!(
            "master_replid:{}\r\nmaster_repl_offset:{}\r\n",
            String::from_utf8_lossy(&self.replid),
            self.offset
        ));
        text
    }

    fn priority(&self) -> u32 {
        let line = self
            .config
            .lines()
            .find_map(|line| line.strip_prefix("replica-priority "));
        line.map_or(100, |value| value.trim().parse().unwrap())
    }

    fn role(&self) -> Vec<u8> {
        match self.master {
            None => b"*3\r\n$6\r\nmaster\r\n:0\r\n*0\r\n".to_vec(),
            Some(master) => format!(
                "*5\r\n$5\r\nslave\r\n${}\r\n{}\r\n:{}\r\n$9\r\nconnected\r\n:0\r\n",
                master.ip().to_string().len(),
                master.ip(),
                master.port()
            )
            .into_bytes(),
        }
    }

    fn on_tick(&mut self, now: Mono) {
        self.tick = now + Duration::from_secs(1);
        if self.master.is_none() {
            if self.conns.values().any(|line| line.role == Role::Replica) {
                let mut ping = Vec::new();
                command(&mut ping, &[b"PING"]);
                self.feed(&ping);
            }
            return;
        }
        let silent = now.since(self.heard) > Duration::from_secs(10);
        match self.link {
            Link::Wait(at) if at <= now => self.dial(now),
            Link::Handshake(_) | Link::Payload(..) | Link::Up(_) if silent => {
                if matches!(self.link, Link::Up(_)) {
                    self.link_lost = Some(now);
                }
                self.cut_link(Link::Wait(now));
            }
            Link::Up(conn) => {
                let mut ack = Vec::new();
                command(
                    &mut ack,
                    &[b"REPLCONF", b"ACK", self.offset.to_string().as_bytes()],
                );
                self.say(conn, &ack);
            }
            Link::None | Link::Wait(_) | Link::Handshake(_) | Link::Payload(..) => {}
        }
    }

    fn gone(&mut self, now: Mono, conn: ConnId) {
        self.conns.remove(&conn);
        let lost = match self.link {
            Link::Handshake(at) | Link::Payload(at, _, _) | Link::Up(at) => at == conn,
            Link::None | Link::Wait(_) => false,
        };
        if lost {
            if matches!(self.link, Link::Up(_)) {
                self.link_lost = Some(now);
            }
            self.link = Link::Wait(now + Duration::from_millis(500));
        }
    }
}

impl Machine for Group {
    fn handle_accept(&mut self, _: Now, peer: Peer) -> Result<ConnId, Refusal> {
        let conn = self.new_conn();
        if let Addr::Tcp(addr) = peer.remote {
            self.conns.get_mut(&conn).unwrap().peer_ip = addr.ip().to_string();
        }
        Ok(conn)
    }

    fn handle_connected(&mut self, now: Now, conn: ConnId, local: Result<Addr, ConnectFault>) {
        if local.is_err() {
            return self.gone(now.mono, conn);
        }
        let mut hello = Vec::new();
        command(&mut hello, &[b"PING"]);
        let port = DATA_PORT.to_string();
        command(
            &mut hello,
            &[b"REPLCONF", b"listening-port", port.as_bytes()],
        );
        if self.offset > 0 {
            let next = (self.offset + 1).to_string();
            command(&mut hello, &[b"PSYNC", &self.replid, next.as_bytes()]);
        } else {
            command(&mut hello, &[b"PSYNC", b"?", b"-1"]);
        }
        self.say(conn, &hello);
    }

    fn handle_read(&mut self, now: Now, conn: ConnId, filled: usize) {
        let Some(line) = self.conns.get_mut(&conn) else {
            return;
        };
        line.reader.push(&self.scratch[..filled]);
        if line.role == Role::Master {
            return self.on_link(now, conn);
        }
        while let Some(line) = self.conns.get_mut(&conn) {
            let Some(reply) = line.reader.next_reply().unwrap() else {
                return;
            };
            self.execute(now, conn, words(reply));
        }
    }

    fn handle_hangup(&mut self, now: Now, conn: ConnId, _: Hangup) {
        self.gone(now.mono, conn);
    }

    fn handle_done(&mut self, _: Now, _: Completion) {}

    fn handle_timeout(&mut self, now: Now) {
        if self.tick <= now.mono {
            self.on_tick(now.mono);
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
        Some((self.tick, TimerName("tick")))
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
        if let Some(line) = self.conns.get(&conn) {
            slices.push(std::io::IoSlice::new(&line.out));
        }
    }

    fn consume(&mut self, _: Now, conn: ConnId, written: usize) {
        self.conns.get_mut(&conn).unwrap().out.drain(..written);
    }
}

impl Program for Group {
    fn server(&self) -> Option<ServerView> {
        Some(ServerView {
            replid: self.replid,
            replid2: self.replid2,
            second_offset: self.second,
            offset: self.offset,
            master: self.master,
            link_up: matches!(self.link, Link::Up(_)),
            loading: false,
            placed: true,
            hands_over: false,
            backlog_from: None,
        })
    }

    fn dataset_digest(&self) -> Option<u128> {
        let text = format!("{:?}{:?}", self.lists, self.values);
        Some(u128::from(crate::hash::digest(text.as_bytes())))
    }
}

fn words(reply: Reply) -> Vec<Vec<u8>> {
    let Reply::Array(Some(items)) = reply else {
        panic!("{reply:?} is no command");
    };
    items
        .into_iter()
        .map(|item| match item {
            Reply::Bulk(Some(bytes)) => bytes,
            Reply::Bulk(None)
            | Reply::Simple(_)
            | Reply::Error(_)
            | Reply::Int(_)
            | Reply::Array(_) => panic!("{item:?} in a command"),
        })
        .collect()
}
